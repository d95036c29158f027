//! Mails are handed over a few at a time, and what became of each is recorded. What they say is `letters`'.
//!
//! A mail is written once; whatever happens later, the same bytes are tried again.

use super::Offices;
use crate::kernel::render::Frames;
use crate::kernel::time::Instant;
use crate::mail::backoff::{wait_after, wait_after_unknown};
use crate::mail::guard::Guard;
use crate::mail::{Address, Outcome, Parcel, Phase, Transport};
use crate::store::StoreError;
use crate::store::posting::{self, Claimed, MailEnd};
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

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
    /// Without one, any number of mails leaves.
    pub brake: Option<Brake>,
    /// Without it, nothing can be done from a mail.
    pub links: Option<MailLinks>,
    /// A number from 0 to 1 that spreads the waits.
    pub chance: fn() -> f64,
    /// Who claims: this process.
    pub name: String,
    /// Told whenever it was recorded what became of some mails.
    pub recorded: Notify,
    pause: Mutex<Pause>,
}

/// What an installation says of unusual batches of mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Brake {
    /// So many times what is usual, or was foreseen, leaves within an hour without a person.
    pub factor: u64,
    /// So many always do.
    pub at_least: u64,
}

/// Where the links of mails lead, and how long they are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailLinks {
    /// Where people reach the pages, such as `https://duban.example.gov.cn`.
    pub origin: String,
    pub good_for: TimeDelta,
}

/// The server or our settings are at fault, so nothing is tried before a moment.
#[derive(Clone, Copy, Debug, Default)]
struct Pause {
    failures: u32,
    until: Option<Instant>,
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
        Post {
            transport,
            frames,
            from,
            reply_to: None,
            domain,
            guard,
            unrecorded,
            brake: None,
            links: None,
            chance,
            name,
            recorded: Notify::new(),
            pause: Mutex::default(),
        }
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

impl Offices {
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
        let mut claims: HashMap<(Arc<str>, String), u64> = HashMap::new();
        let third = (lease / 3).to_std().unwrap_or_default().max(Duration::from_millis(10));
        let mut renewing = tokio::time::interval_at(tokio::time::Instant::now() + third, third);
        loop {
            if more && under_way.len() <= window / 2 && !stop.is_cancelled() {
                let (now, steady, room) = (self.now(), self.clock.steady(), window - under_way.len());
                let claimed = match self.store.everywhere().claim_mails(now, now + lease, &post.name, room as u32).await {
                    Ok(claimed) => claimed,
                    Err(error) => {
                        failed = Some(error);
                        Vec::new()
                    }
                };
                more = claimed.len() == room;
                let trusted_until = steady + lease.to_std().unwrap_or_default();
                for mail in claimed {
                    claims.insert((mail.jurisdiction.clone(), mail.id.clone()), mail.fence);
                    let (offices, post) = (self.clone(), post.clone());
                    under_way.spawn(async move { offices.hand_over(&post, mail, trusted_until).await });
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
                claims.remove(&(outcome.jurisdiction.clone(), outcome.id.clone()));
            }
            match self.record(&handed).await {
                Ok(()) => post.recorded.notify_one(),
                Err(error) => failed = Some(error),
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
    async fn renew(&self, claims: &HashMap<(Arc<str>, String), u64>, lease: TimeDelta) {
        if claims.is_empty() {
            return;
        }
        let claims = claims.iter().map(|((here, id), fence)| (here.clone(), id.clone(), *fence)).collect();
        if let Err(error) = self.store.everywhere().renew_mails(claims, self.now() + lease).await {
            tracing::warn!(%error, "claims of mails could not be renewed");
        }
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
        Ok(Some(Handed {
            outcome: posting::Outcome { jurisdiction: mail.jurisdiction, id: mail.id, fence: mail.fence, end, reply },
            held,
            at_fault,
        }))
    }

    /// Records what came of attempts.
    async fn record(&self, handed: &[Handed]) -> Result<(), StoreError> {
        let outcomes: Vec<_> = handed.iter().map(|handed| handed.outcome.clone()).collect();
        let counted = self.store.everywhere().finish_mails(outcomes, self.now()).await?;
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
        // The mail of an office that cannot be asked now goes out as it was written.
        let asked = if waited { self.if_not_shut(&mail.jurisdiction).await? } else { None };
        if let Some(app) = asked {
            if !app.anything_owed(&mail.id).await? {
                return Ok(Attempt::Cancelled);
            }
        }
        let parcel = Parcel { id: &mail.id, from: &post.from, to: &to, at: mail.created_at, bytes: mail.bytes.as_bytes() };
        Ok(Attempt::Made(transport.send(&parcel).await))
    }
}

enum Attempt {
    Made(Outcome),
    /// Something here keeps it from being tried.
    Held(String),
    Cancelled,
}

struct Handed {
    outcome: posting::Outcome,
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
