//! Notices that are due become mails, and mails are handed over and recorded. Rendering is the kernel's, handing over the mailer's.
//!
//! A notice that cannot become a mail is parked with its reason and stops nothing else. A mail is rendered once; whatever happens later,
//! the same bytes are tried again.

use super::{App, LoadError, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::mailing::{self, Envelope};
use crate::kernel::model::decision::Notice;
use crate::kernel::render::{Frames, LetterError, Wording};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::time::Instant;
use crate::kernel::words::Lang;
use crate::mail::backoff::{wait_after, wait_after_unknown};
use crate::mail::guard::Guard;
use crate::mail::{self, Address, Composed, Outcome, Parcel, Phase, Sender, Transport};
use crate::store::outbox::{Claimed, MailEnd, NewMail, NoticeEnd};
use crate::store::{self, LOCAL, Store, StoreError};
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How many notices are worked at once.
const BATCH: u32 = 500;
/// How long a claim holds: longer than the longest conversation with a server.
const LEASE: TimeDelta = TimeDelta::minutes(45);
/// A mail that could not be delivered for so long after it was first tried is given up, for a person to see.
const EXPIRES_AFTER: TimeDelta = TimeDelta::days(5);
/// Of a mail that was composed so lately, it is known that it is owed.
const FRESH: TimeDelta = TimeDelta::minutes(1);
/// While the server itself is at fault it is asked again after this at the latest.
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);
/// A mail that the guard holds back is looked at again after this.
const HELD_FOR: TimeDelta = TimeDelta::hours(4);
/// Accepted mails that may wait for their record at any time: what a crash can send twice.
pub const UNRECORDED: usize = 16;
/// The same where a second copy replaces the first, as in a folder.
const UNRECORDED_COPIES: usize = 256;

/// The post office of one installation: how mails look, in whose name they go out, and where.
#[derive(Debug)]
pub struct Post {
    /// Without one, mails are composed and wait in the outbox.
    pub transport: Option<Transport>,
    pub frames: Frames,
    /// The address in From; the name beside it is `letter.sender` of the workflow.
    pub from: Address,
    pub reply_to: Option<Address>,
    /// Stands behind the @ of Message-IDs.
    pub domain: String,
    pub guard: Guard,
    pub unrecorded: usize,
    /// A number from 0 to 1 that spreads the waits.
    pub chance: fn() -> f64,
    /// Who claims: this process.
    pub name: String,
    pause: Mutex<Pause>,
}

/// The server or our settings are at fault, so nothing is tried before a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    failures: u32,
    until: Option<Instant>,
}

/// What became of notices.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rendered {
    /// Notices that were looked at.
    pub notices: usize,
    pub mails: usize,
    /// Notices that were no longer owed.
    pub cancelled: usize,
    /// Notices that wait for a person.
    pub parked: usize,
    /// The batch was full: there may be more that are due now.
    pub more: bool,
}

/// What became of mails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Posted {
    pub sent: usize,
    pub refused: usize,
    pub deferred: usize,
    pub unknown: usize,
    pub expired: usize,
    pub cancelled: usize,
    /// Held back by the guard.
    pub held: usize,
}

impl Post {
    /// With the usual number of unrecorded mails and waits spread by chance.
    pub fn new(transport: Option<Transport>, frames: Frames, from: Address, guard: Guard, name: String) -> Post {
        let domain = from.domain().to_string();
        let (unrecorded, chance) = (UNRECORDED, rand::random::<f64> as fn() -> f64);
        Post { transport, frames, from, reply_to: None, domain, guard, unrecorded, chance, name, pause: Mutex::default() }
    }

    /// Nothing is handed over before this moment.
    pub fn paused_until(&self) -> Option<Instant> {
        self.pause.lock().unwrap_or_else(PoisonError::into_inner).until
    }

    fn note(&self, at_fault: bool, now: Instant) {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        *pause = match at_fault {
            false => Pause::default(),
            true => {
                let failures = pause.failures.saturating_add(1);
                Pause { failures, until: Some(now + wait_after(failures, (self.chance)()).min(LONGEST_PAUSE)) }
            }
        };
    }

    fn window(&self) -> usize {
        match &self.transport {
            Some(transport) if !transport.reaches_people() => UNRECORDED_COPIES,
            _ => self.unrecorded.max(1),
        }
    }
}

impl App {
    /// Turns notices whose moment has come into mails. Call it again until no notice is left.
    pub async fn render_due(&self, post: &Post) -> Result<Rendered, StoreError> {
        let now = self.now();
        let (notices, more) = self.whole_bundles_due(now).await?;
        let mut rendered = Rendered { notices: notices.len(), more, ..Rendered::default() };
        if notices.is_empty() {
            return Ok(rendered);
        }
        let (owed, ended) = self.sort_out(notices, now).await?;
        for ((end, reason), keys) in ended {
            match end {
                End::Cancelled => rendered.cancelled += keys.len(),
                End::Parked => rendered.parked += keys.len(),
            }
            self.store.end_notices(keys, end.into(), &reason).await?;
        }

        let rules = self.rules();
        let mut mails = Vec::new();
        for envelope in mailing::envelopes(&owed) {
            let (mail, parked) = write(post, &rules, &self.store, &owed, &envelope, now);
            if let Some(mail) = &mail {
                for notice in envelope.notices.iter().map(|place| &owed[*place]).filter(|notice| mail.notices.contains(&notice.key)) {
                    tracing::info!(item = %notice.item, fact = notice.seq, notice = %notice.notice, mail = %mail.id, "a notice is mailed");
                }
            }
            mails.extend(mail);
            for (key, reason) in parked {
                let parked = owed.iter().find(|notice| notice.key == key);
                let (item, fact) = parked.map_or(("", 0), |notice| (&*notice.item, notice.seq));
                tracing::warn!(item, fact, %reason, "a notice was parked");
                rendered.parked += 1;
                self.store.end_notices(vec![key], NoticeEnd::Parked, &reason).await?;
            }
            // Rendering takes the processor for a while; others come in between.
            tokio::task::yield_now().await;
        }
        rendered.mails = self.store.compose(mails, now).await?.into_iter().filter(|stored| *stored).count();
        Ok(rendered)
    }

    /// Hands over mails that may be tried now, a few at a time, until none is left, the server is at fault, or `stop` is given.
    /// What is under way is always brought to its record.
    pub async fn send_due(self: &Arc<Self>, post: &Arc<Post>, stop: &CancellationToken) -> Result<Posted, StoreError> {
        let mut posted = Posted::default();
        let Some(transport) = &post.transport else { return Ok(posted) };
        let window = post.window();
        if post.paused_until().is_some_and(|until| self.now() < until) {
            return Ok(posted);
        }
        let mut under_way = JoinSet::new();
        let (mut at_fault, mut more, mut failed) = (false, true, None);
        // Where others send as well, a claim holds for a short while, and is renewed while its mail is under way.
        let lease = if self.store.is_shared() { self.lease } else { LEASE };
        let mut claims: HashMap<String, u64> = HashMap::new();
        let third = (lease / 3).to_std().unwrap_or_default().max(Duration::from_millis(10));
        let mut renewing = tokio::time::interval_at(tokio::time::Instant::now() + third, third);
        loop {
            if more && under_way.len() <= window / 2 && !stop.is_cancelled() {
                let (now, steady, room) = (self.now(), self.clock.steady(), window - under_way.len());
                let claimed = match self.store.claim_mails(now, now + lease, &post.name, room as u32).await {
                    Ok(claimed) => claimed,
                    Err(error) => {
                        failed = Some(error);
                        Vec::new()
                    }
                };
                more = claimed.len() == room;
                let trusted_until = steady + lease.to_std().unwrap_or_default();
                for mail in claimed {
                    claims.insert(mail.id.clone(), mail.fence);
                    let (app, post) = (self.clone(), post.clone());
                    under_way.spawn(async move { app.hand_over(&post, mail, trusted_until).await });
                }
            }
            let first = tokio::select! {
                first = under_way.join_next() => first,
                _ = renewing.tick(), if self.store.is_shared() => {
                    self.renew(&claims, lease).await;
                    continue;
                }
            };
            let Some(first) = first else { break };
            // What ended meanwhile shares the record.
            let mut handed = Vec::new();
            for ended in std::iter::once(first).chain(std::iter::from_fn(|| under_way.try_join_next())) {
                match ended {
                    Ok(Ok(ended)) => handed.extend(ended),
                    Ok(Err(error)) => failed = Some(error),
                    // Its claim runs out, and it is tried again.
                    Err(error) => tracing::error!(%error, "handing a mail over failed"),
                }
            }
            for Handed { outcome, .. } in &handed {
                claims.remove(&outcome.id);
            }
            if let Err(error) = self.record(&handed).await {
                failed = Some(error);
            }
            at_fault |= handed.iter().any(|handed| handed.at_fault);
            handed.iter().for_each(|handed| posted.count(handed.outcome.end, handed.held));
            more &= !at_fault && failed.is_none();
        }
        transport.rest().await;
        if posted != Posted::default() {
            post.note(at_fault, self.now());
        }
        failed.map_or(Ok(posted), Err)
    }

    /// Holds on to what is under way. What cannot be held on to is another's soon; both send the same bytes, and one of them records it.
    async fn renew(&self, claims: &HashMap<String, u64>, lease: TimeDelta) {
        if claims.is_empty() {
            return;
        }
        let claims = claims.iter().map(|(id, fence)| (id.clone(), *fence)).collect();
        if let Err(error) = self.store.renew_mails(claims, self.now() + lease).await {
            tracing::warn!(%error, "claims of mails could not be renewed");
        }
    }

    /// Notices that are due, and no bundle cut in two by the size of the batch; and whether there may be more.
    async fn whole_bundles_due(&self, now: Instant) -> Result<(Vec<Notice>, bool), StoreError> {
        let mut limit = BATCH;
        loop {
            let mut notices = self.store.notices_due(now, limit).await?;
            if notices.len() < limit as usize {
                return Ok((notices, false));
            }
            // What shares the last moment may go on beyond the batch: it waits for the next, unless there is nothing else.
            let last = notices.last().map(|notice| notice.not_before);
            let whole = notices.iter().take_while(|notice| Some(notice.not_before) != last).count();
            if whole > 0 {
                notices.truncate(whole);
                return Ok((notices, true));
            }
            limit = limit.saturating_mul(4);
        }
    }

    /// Parts what is still owed from what is not, with the reason.
    async fn sort_out(&self, notices: Vec<Notice>, now: Instant) -> Result<(Vec<Notice>, Ended), StoreError> {
        // A message about something that happened is owed whatever came later.
        let dated = notices.iter().filter(|notice| notice.owed_by.is_some());
        let mut ids: Vec<(&str, &str)> = dated.map(|notice| (&*notice.item, &*notice.workflow)).collect();
        ids.sort_unstable();
        ids.dedup();
        let held = match self.held_many(&ids, now).await {
            Ok(held) => held,
            Err(LoadError::Store(error)) => return Err(error),
            Err(error) => return Err(StoreError::NotDone(error.to_string())),
        };
        let items: HashMap<String, _> = ids.iter().map(|(id, _)| id.to_string()).zip(held).collect();
        let mut ended = Ended::new();
        let mut owed = Vec::with_capacity(notices.len());
        for notice in notices {
            let verdict = match items.get(&*notice.item) {
                _ if notice.owed_by.is_none() => Ok(()),
                Some(Ok(held)) => {
                    let today = day_of(now, held.rules.setting.workflow.timezone);
                    mailing::owed(&notice, &held.item, today).map_err(|reason| (End::Cancelled, reason.word().to_string()))
                }
                Some(Err(error)) => Err((End::Parked, format!("item: {error}"))),
                None => Err((End::Parked, "item: unknown".to_string())),
            };
            match verdict {
                Ok(()) => owed.push(notice),
                Err(why) => ended.entry(why).or_default().push(notice.key),
            }
        }
        Ok((owed, ended))
    }

    /// One attempt and what came of it; nothing when the mail was left to others.
    async fn hand_over(&self, post: &Post, mail: Claimed, trusted_until: Duration) -> Result<Option<Handed>, StoreError> {
        // This process slept: the mail may be another's by now.
        if self.clock.steady() >= trusted_until {
            tracing::warn!(mail = %mail.id, "the claim of a mail ran out before it was handed over");
            return Ok(None);
        }
        let (end, reply, held, at_fault) = match self.attempt(post, &mail).await? {
            Attempt::Cancelled => (MailEnd::Cancelled, "no longer owed".to_string(), false, false),
            Attempt::Held(why) => (MailEnd::Deferred { next_try: self.now() + HELD_FOR }, why, true, false),
            Attempt::Made(outcome) => {
                let (at_fault, now) = (outcome.concerns_all(), self.now());
                let chance = (post.chance)();
                let (end, reply) = match outcome {
                    Outcome::Sent { reply } => (MailEnd::Sent, reply),
                    Outcome::Refused { phase, reply } => (MailEnd::Refused, format!("{}: {reply}", phase.word())),
                    Outcome::Deferred { phase, why } => {
                        let wait = wait_after(mail.attempts, chance);
                        let wait = if at_fault { wait.min(LONGEST_PAUSE) } else { wait };
                        (MailEnd::Deferred { next_try: now + wait }, format!("{}: {why}", phase.word()))
                    }
                    Outcome::Unknown { why } => {
                        let next_try = now + wait_after_unknown(mail.attempts, chance);
                        (MailEnd::Unknown { next_try }, format!("{}: {why}", Phase::Dot.word()))
                    }
                };
                (end, reply, false, at_fault)
            }
        };
        let open = matches!(end, MailEnd::Deferred { .. } | MailEnd::Unknown { .. });
        let end = if open && self.now() - mail.first_try > EXPIRES_AFTER { MailEnd::Expired } else { end };
        Ok(Some(Handed { outcome: store::outbox::Outcome { id: mail.id, fence: mail.fence, end, reply }, held, at_fault }))
    }

    /// Records what came of attempts.
    async fn record(&self, handed: &[Handed]) -> Result<(), StoreError> {
        let outcomes: Vec<_> = handed.iter().map(|handed| handed.outcome.clone()).collect();
        let counted = self.store.finish_mails(outcomes, self.now()).await?;
        for (Handed { outcome, .. }, counted) in handed.iter().zip(counted) {
            let (mail, end, reply) = (&outcome.id, outcome.end, &outcome.reply);
            if !counted {
                tracing::warn!(%mail, "the claim of a mail was lost while it was handed over");
            }
            match end {
                MailEnd::Sent | MailEnd::Cancelled => tracing::info!(%mail, ?end, "mail"),
                _ => tracing::warn!(%mail, ?end, %reply, "mail"),
            }
        }
        Ok(())
    }

    async fn attempt(&self, post: &Post, mail: &Claimed) -> Result<Attempt, StoreError> {
        let Some(transport) = &post.transport else { return Ok(Attempt::Held("no transport".into())) };
        let to = match Address::parse(&mail.address) {
            Ok(to) => to,
            Err(error) => return Ok(Attempt::Held(format!("address: {error}"))),
        };
        if let (true, Err(why)) = (transport.reaches_people(), post.guard.allows(&to, self.store.instance())) {
            return Ok(Attempt::Held(format!("guard: {why}")));
        }
        // It may have waited long for its first attempt too: for a transport, or for a server that was at fault.
        let waited = mail.attempts > 1 || self.now() - mail.created_at > FRESH;
        if waited && !self.anything_owed(&mail.id).await? {
            return Ok(Attempt::Cancelled);
        }
        let parcel = Parcel { id: &mail.id, from: &post.from, to: &to, at: mail.created_at, bytes: mail.bytes.as_bytes() };
        Ok(Attempt::Made(transport.send(&parcel).await))
    }

    /// Whether at least one notice of a mail that waited is still owed.
    async fn anything_owed(&self, mail: &str) -> Result<bool, StoreError> {
        let notices = self.store.notices_in(mail).await?;
        let (owed, ended) = self.sort_out(notices, self.now()).await?;
        // An item that cannot be derived now is no reason to drop its mail.
        Ok(!owed.is_empty() || ended.keys().any(|(end, _)| *end == End::Parked))
    }
}

/// Notices that will not be mailed now, by what becomes of them and why.
type Ended = HashMap<(End, String), Vec<String>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum End {
    Cancelled,
    Parked,
}

impl From<End> for NoticeEnd {
    fn from(end: End) -> NoticeEnd {
        match end {
            End::Cancelled => NoticeEnd::Cancelled,
            End::Parked => NoticeEnd::Parked,
        }
    }
}

enum Attempt {
    Made(Outcome),
    /// Something here keeps it from being tried.
    Held(String),
    Cancelled,
}

struct Handed {
    outcome: store::outbox::Outcome,
    /// Something here kept it from being tried.
    held: bool,
    at_fault: bool,
}

impl std::ops::AddAssign for Posted {
    fn add_assign(&mut self, more: Posted) {
        let Posted { sent, refused, deferred, unknown, expired, cancelled, held } = more;
        self.sent += sent;
        self.refused += refused;
        self.deferred += deferred;
        self.unknown += unknown;
        self.expired += expired;
        self.cancelled += cancelled;
        self.held += held;
    }
}

impl Posted {
    fn count(&mut self, end: MailEnd, held: bool) {
        let counter = match end {
            _ if held => &mut self.held,
            MailEnd::Sent => &mut self.sent,
            MailEnd::Refused => &mut self.refused,
            MailEnd::Expired => &mut self.expired,
            MailEnd::Cancelled => &mut self.cancelled,
            MailEnd::Deferred { .. } => &mut self.deferred,
            MailEnd::Unknown { .. } => &mut self.unknown,
        };
        *counter += 1;
    }
}

/// Writes one mail. Notices whose wording fails are left out and parked; with nothing left there is no mail.
fn write(
    post: &Post,
    rules: &RuleSet,
    store: &Store,
    notices: &[Notice],
    envelope: &Envelope,
    now: Instant,
) -> (Option<NewMail>, Vec<(String, String)>) {
    let mut carried: Vec<&Notice> = envelope.notices.iter().map(|place| &notices[*place]).collect();
    let mut parked = Vec::new();
    while !carried.is_empty() {
        // A fault of the engine or of a library costs this mail, not the process.
        let written = contained(|| compose(post, rules, store, &carried, now))
            .unwrap_or_else(|error| Err(Unwritten::All(format!("engine: {error}"))));
        match written {
            Ok(composed) => {
                let mail = NewMail {
                    id: composed.id,
                    person: carried[0].person.to_string(),
                    address: composed.to.to_string(),
                    bytes: composed.bytes,
                    notices: carried.iter().map(|notice| notice.key.clone()).collect(),
                };
                return (Some(mail), parked);
            }
            Err(Unwritten::One(place, reason)) => parked.push((carried.remove(place).key.clone(), reason)),
            Err(Unwritten::All(reason)) => parked.extend(carried.drain(..).map(|notice| (notice.key.clone(), reason.clone()))),
        }
    }
    (None, parked)
}

/// Why a mail could not be written.
enum Unwritten {
    /// Because of one of its notices.
    One(usize, String),
    All(String),
}

fn compose(post: &Post, rules: &RuleSet, store: &Store, carried: &[&Notice], now: Instant) -> Result<Composed, Unwritten> {
    let all = |reason: String| Unwritten::All(reason);
    let first = carried[0];
    let mut wordings = Vec::with_capacity(carried.len());
    for (place, notice) in carried.iter().enumerate() {
        wordings.push(wording(rules, notice).map_err(|reason| Unwritten::One(place, reason))?);
    }
    let workflow = workflow(rules, first).map_err(|reason| Unwritten::One(0, reason))?;
    let setting = &workflow.setting;

    let person = setting.directory.persons.get(&first.person).ok_or_else(|| all(format!("person: `{}` is unknown", first.person)))?;
    let address = person.mail.as_deref().ok_or_else(|| all(format!("address: `{}` has none", first.person)))?;
    if post.transport.as_ref().is_some_and(Transport::reaches_people) {
        let to = Address::parse(address).map_err(|error| all(format!("address: {error}")))?;
        post.guard.allows(&to, store.instance()).map_err(|why| all(format!("guard: {why}")))?;
    }

    let lang = match setting.workflow.languages.first() {
        Some(lang) if lang.starts_with("en") => Lang::En,
        _ => Lang::Zh,
    };
    let letter = post.frames.letter(lang, &wordings).map_err(|error| match error {
        LetterError::Subject(place, _) | LetterError::Body(place, _) => Unwritten::One(place, format!("wording: {error}")),
        LetterError::Frame(_) | LetterError::Nothing => all(format!("frame: {error}")),
    })?;
    let head = &setting.workflow.letter;
    let sender = Sender {
        name: head.get("sender").cloned().unwrap_or_default(),
        address: post.from.clone(),
        reply_to: head.get("reply_to").and_then(|text| Address::parse(text).ok()).or_else(|| post.reply_to.clone()),
        domain: post.domain.clone(),
    };
    let same_item = carried.iter().all(|notice| notice.item == first.item);
    let same_notice = carried.iter().all(|notice| notice.notice == first.notice);
    // Offices of one database may call their items alike, but no two mails.
    let key = match store.jurisdiction() {
        LOCAL => mailing::key(carried.iter().copied()),
        here => format!("{here}\n{}", mailing::key(carried.iter().copied())),
    };
    let message = mail::Message {
        key: &key,
        name: &person.title,
        address,
        letter: &letter,
        workflow: &first.workflow,
        list_title: &setting.workflow.title,
        item: same_item.then_some(&*first.item),
        notice: if same_notice { &first.notice } else { "digest" },
        reason: &first.role,
        rules: &rules.hash,
        at: now,
    };
    mail::compose(&sender, &message).map_err(|error| all(format!("message: {error}")))
}

/// The words of a notice in the rule set in use.
fn wording<'a>(rules: &'a RuleSet, notice: &'a Notice) -> Result<Wording<'a>, String> {
    let declared = workflow(rules, notice)?.setting.workflow.notices.get(&notice.notice);
    let declared = declared.ok_or_else(|| format!("wording: the rule set in use has no notice `{}`", notice.notice))?;
    let body = rules.templates.get(&declared.template);
    let body = body.ok_or_else(|| format!("wording: the rule set in use has no template `{}`", declared.template))?;
    Ok(Wording { subject: &declared.subject, body, values: &notice.values, list: declared.list })
}

fn workflow<'a>(rules: &'a RuleSet, notice: &Notice) -> Result<&'a Arc<Rules>, String> {
    rules.workflows.get(&notice.workflow).ok_or_else(|| format!("wording: the rule set in use has no workflow `{}`", notice.workflow))
}
