//! Notices whose moment has come become mails: each once, and only if it is still owed. Handing them over is `send`'s.
//!
//! A notice that cannot become a mail is parked with its reason and stops nothing else. What is written here is the kernel's wording in the
//! frames of the installation.

use super::desk::Held;
use super::links::{MailLink, new_token};
use super::send::{Brake, Post};
use super::{App, LoadError, Offices, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide;
use crate::kernel::decide::mailing::{self, Envelope};
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::render::{LetterError, Link, Wording};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::time::Instant;
use crate::kernel::words::Lang;
use crate::mail::{self, Address, Composed, Sender, Transport};
use crate::store::brake::{Excess, Measure, Passed};
use crate::store::links::NewLink;
use crate::store::outbox::{NewMail, NoticeEnd};
use crate::store::{LOCAL, StoreError};
use indexmap::IndexMap;
use std::collections::HashMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// How many notices are worked at once.
const BATCH: u32 = 500;

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

impl Offices {
    /// Turns notices whose moment has come into mails, of whichever office. Call it again until no notice is left.
    pub async fn render_due(&self, post: &Post) -> Result<Rendered, StoreError> {
        let now = self.now();
        let (notices, more) = self.whole_bundles_due(now).await?;
        let mut rendered = Rendered { notices: notices.len(), more, ..Rendered::default() };
        let mut by_office: IndexMap<Arc<str>, Vec<Notice>> = IndexMap::new();
        for (here, notice) in notices {
            by_office.entry(here).or_default().push(notice);
        }
        // What is written for several offices shares a commit.
        let mut storing = JoinSet::new();
        for (here, notices) in by_office {
            // Those of one that is shut wait until it can be worked again.
            let Some(app) = self.if_not_shut(&here).await? else { continue };
            let mails = app.render(post, notices, now, &mut rendered).await?;
            let measure = app.measure(post, now).await?;
            storing.spawn(async move { (app.store.compose_within(mails, now, measure).await, here) });
        }
        let mut failed = None;
        while let Some(stored) = storing.join_next().await {
            match stored {
                Ok((Ok(Passed { stored, excess }), here)) => {
                    if let Some(Excess { mails, usual, foreseen, .. }) = excess {
                        tracing::error!(jurisdiction = &*here, mails, usual, foreseen, "the volume brake holds the mails of an office");
                    }
                    rendered.mails += stored.into_iter().filter(|stored| *stored).count();
                }
                Ok((Err(error), _)) => failed = Some(error),
                Err(error) => failed = Some(StoreError::NotDone(error.to_string())),
            }
        }
        failed.map_or(Ok(rendered), Err)
    }

    /// Notices that are due, and no bundle cut in two by the size of the batch; and whether there may be more.
    async fn whole_bundles_due(&self, now: Instant) -> Result<(Vec<(Arc<str>, Notice)>, bool), StoreError> {
        let mut limit = BATCH;
        loop {
            let (everywhere, except) = (self.store.everywhere(), self.except());
            let mut notices = match everywhere.notices_due(now, limit, &except).await {
                // One that cannot be read stands in nobody's way.
                Err(StoreError::Damaged(what)) => {
                    tracing::error!(what, "a notice cannot be read and is parked");
                    match everywhere.park_unreadable(now, limit, &except).await? {
                        0 => return Err(StoreError::Damaged(what)),
                        _ => continue,
                    }
                }
                notices => notices?,
            };
            if notices.len() < limit as usize {
                return Ok((notices, false));
            }
            // They come moment by moment, and office by office within one, and no bundle spans two of either. Only what shares the last
            // moment in the last office may go on beyond the batch: it waits for the next, unless there is nothing else.
            let last = notices.last().map(|(here, notice)| (notice.not_before, here.clone()));
            let differs =
                |(here, notice): &&(Arc<str>, Notice)| last.as_ref().is_none_or(|(at, office)| (*at, office) != (notice.not_before, here));
            let whole = notices.iter().take_while(differs).count();
            if whole > 0 {
                notices.truncate(whole);
                return Ok((notices, true));
            }
            limit = limit.saturating_mul(4);
        }
    }
}

impl App {
    /// The mails that these notices make; what is no longer owed, or cannot be written, is ended in the store.
    async fn render(&self, post: &Post, notices: Vec<Notice>, now: Instant, rendered: &mut Rendered) -> Result<Vec<NewMail>, StoreError> {
        let (owed, ended, items) = self.sort_out(notices, now).await?;
        for ((end, reason), keys) in ended {
            match end {
                End::Cancelled => rendered.cancelled += keys.len(),
                End::Parked => rendered.parked += keys.len(),
            }
            self.store.end_notices(keys, end.into(), &reason).await?;
        }

        let rules = self.rules();
        let doable = self.doable(post, &rules, &owed, &items).await?;
        let desk = Desk { app: self, post, rules: &rules, items: &items, doable: &doable, now };
        let mut mails = Vec::new();
        for envelope in mailing::envelopes(&owed) {
            let (mail, parked) = desk.write(&owed, &envelope);
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
        Ok(mails)
    }

    /// Above how many mails an hour a person is asked; nothing where the installation has no brake.
    async fn measure(&self, post: &Post, now: Instant) -> Result<Option<Measure>, StoreError> {
        let Some(Brake { factor, at_least }) = post.brake else { return Ok(None) };
        Ok(Some(Measure { factor, at_least, foreseen: self.foreseen_today(now).await? }))
    }

    /// Parts what is still owed from what is not, with the reason.
    async fn sort_out(&self, notices: Vec<Notice>, now: Instant) -> Result<(Vec<Notice>, Ended, Items), StoreError> {
        let mut ids: Vec<(&str, &str)> = notices.iter().map(|notice| (&*notice.item, &*notice.workflow)).collect();
        ids.sort_unstable();
        ids.dedup();
        let held = match self.held_many(&ids, now).await {
            Ok(held) => held,
            Err(LoadError::Store(error)) => return Err(error),
            Err(error) => return Err(StoreError::NotDone(error.to_string())),
        };
        let items: Items = ids.iter().map(|(id, _)| id.to_string()).zip(held).collect();
        let mut ended = Ended::new();
        let mut owed = Vec::with_capacity(notices.len());
        for notice in notices {
            let verdict = match items.get(&*notice.item) {
                // A message about something that happened is owed whatever came later.
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
        Ok((owed, ended, items))
    }

    /// What the readers of notices may do from their mails: what their rules say, while it is theirs to do. A copy carries nothing, nor does
    /// the mail of somebody whose account is shut off.
    async fn doable(
        &self,
        post: &Post,
        rules: &RuleSet,
        notices: &[Notice],
        items: &Items,
    ) -> Result<HashMap<String, Vec<Doable>>, StoreError> {
        let mut out = HashMap::new();
        let declared = |notice: &Notice| {
            let declared = rules.workflows.get(&notice.workflow)?.setting.workflow.notices.get(&notice.notice)?;
            Some(&declared.links).filter(|links| !links.is_empty() && !declared.list && notice.copy_of.is_empty())
        };
        let with_links: Vec<(&Notice, &Vec<Name>)> = notices.iter().filter_map(|notice| Some((notice, declared(notice)?))).collect();
        if post.links.is_none() || with_links.is_empty() {
            return Ok(out);
        }
        let accounts = self.store.accounts().await?;
        let is_shut = |person: &Name| accounts.iter().any(|account| *account.person == **person && account.disabled_at.is_some());
        for (notice, links) in with_links {
            let Some(Ok(held)) = items.get(&*notice.item) else { continue };
            let (rules, item) = (&held.rules, &held.item);
            let kind = notice.branch.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
            let one = |name: &Name| {
                let (on_branch, action) = rules.setting.workflow.linked(kind, name)?;
                let branch = notice.branch.filter(|_| on_branch);
                decide::way(rules, item, name, action, branch, &notice.person)?;
                Some(Doable { action: name.clone(), branch, title: action.title.clone() })
            };
            let doable: Vec<Doable> = links.iter().filter_map(one).collect();
            if !doable.is_empty() && !is_shut(&notice.person) {
                out.insert(notice.key.clone(), doable);
            }
        }
        Ok(out)
    }

    /// Whether at least one notice of a mail that waited is still owed.
    pub(super) async fn anything_owed(&self, mail: &str) -> Result<bool, StoreError> {
        let notices = self.store.notices_in(mail).await?;
        let (owed, ended, _) = self.sort_out(notices, self.now()).await?;
        // An item that cannot be derived now is no reason to drop its mail.
        Ok(!owed.is_empty() || ended.keys().any(|(end, _)| *end == End::Parked))
    }
}

/// The items of notices as they are, by id.
type Items = HashMap<String, Result<Arc<Held>, LoadError>>;

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

/// What mails are written with.
struct Desk<'a> {
    post: &'a Post,
    app: &'a App,
    rules: &'a RuleSet,
    items: &'a Items,
    /// By the keys of notices.
    doable: &'a HashMap<String, Vec<Doable>>,
    now: Instant,
}

impl Desk<'_> {
    /// Writes one mail. Notices whose wording fails are left out and parked; with nothing left there is no mail.
    fn write(&self, notices: &[Notice], envelope: &Envelope) -> (Option<NewMail>, Vec<(String, String)>) {
        let mut carried: Vec<&Notice> = envelope.notices.iter().map(|place| &notices[*place]).collect();
        let mut parked = Vec::new();
        while !carried.is_empty() {
            // A fault of the engine or of a library costs this mail, not the process.
            let written = contained(|| self.compose(&carried)).unwrap_or_else(|error| Err(Unwritten::All(format!("engine: {error}"))));
            match written {
                Ok((composed, links)) => {
                    let mail = NewMail {
                        id: composed.id,
                        person: carried[0].person.to_string(),
                        address: composed.to.to_string(),
                        bytes: composed.bytes,
                        notices: carried.iter().map(|notice| notice.key.clone()).collect(),
                        links,
                    };
                    return (Some(mail), parked);
                }
                Err(Unwritten::One(place, reason)) => parked.push((carried.remove(place).key.clone(), reason)),
                Err(Unwritten::All(reason)) => parked.extend(carried.drain(..).map(|notice| (notice.key.clone(), reason.clone()))),
            }
        }
        (None, parked)
    }

    fn compose(&self, carried: &[&Notice]) -> Result<(Composed, Vec<NewLink>), Unwritten> {
        let Desk { post, rules, now, .. } = *self;
        let store = &self.app.store;
        let all = |reason: String| Unwritten::All(reason);
        let first = carried[0];
        let mut wordings = Vec::with_capacity(carried.len());
        let made: Vec<Vec<Made>> = carried.iter().map(|notice| self.links(notice)).collect();
        let shown: Vec<Vec<Link>> = made.iter().map(|made| made.iter().map(|made| made.shown.clone()).collect()).collect();
        for (place, (notice, links)) in carried.iter().zip(&shown).enumerate() {
            wordings.push(wording(rules, notice, links).map_err(|reason| Unwritten::One(place, reason))?);
        }
        let workflow = workflow(rules, first).map_err(|reason| Unwritten::One(0, reason))?;
        let setting = &workflow.setting;

        let person = setting.directory.persons.get(&first.person).ok_or_else(|| all(format!("person: `{}` is unknown", first.person)))?;
        let address = person.mail.as_deref().ok_or_else(|| all(format!("address: `{}` has none", first.person)))?;
        if post.transport.as_ref().is_some_and(Transport::reaches_people) {
            let to = Address::parse(address).map_err(|error| all(format!("address: {error}")))?;
            post.guard.allows(&to, store.instance()).map_err(|why| all(format!("guard: {why}")))?;
        }

        let lang = Lang::of(&setting.workflow.languages);
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
        let (item, notice) = (same_item.then_some(&*first.item), if same_notice { &*first.notice } else { "digest" });
        let letter = post.frames.referred(lang, &wordings, &mail::reference(item, notice, &key)).map_err(|error| match error {
            LetterError::Subject(place, _) | LetterError::Body(place, _) => Unwritten::One(place, format!("wording: {error}")),
            LetterError::Frame(_) | LetterError::Nothing => all(format!("frame: {error}")),
        })?;
        let dated = carried.iter().filter_map(|notice| Some((*notice, self.items.get(&*notice.item)?.as_ref().ok()?)));
        // A mail without its calendar is better than none.
        let agenda = self.app.beside(dated, &post.domain, now, lang).unwrap_or_else(|error| {
            tracing::warn!(item = %first.item, %error, "the calendar beside a mail was left out");
            None
        });
        let message = mail::Message {
            key: &key,
            name: &person.title,
            address,
            letter: &letter,
            workflow: &first.workflow,
            list_title: &setting.workflow.title,
            item,
            notice,
            reason: &first.role,
            rules: &rules.hash,
            agenda: agenda.as_deref(),
            at: now,
        };
        let composed = mail::compose(&sender, &message).map_err(|error| all(format!("message: {error}")))?;
        Ok((composed, made.into_iter().flatten().map(|made| made.kept).collect()))
    }

    /// Links for what the reader of a notice may do from its mail. Each token is new, and stands nowhere but in these bytes.
    fn links(&self, notice: &Notice) -> Vec<Made> {
        let (Some(links), Some(doable)) = (&self.post.links, self.doable.get(&notice.key)) else { return Vec::new() };
        let lasts_until = self.now + links.good_for;
        let zone = workflow(self.rules, notice).map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let until = lasts_until.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
        let one = |doable: &Doable| {
            let token = new_token();
            let about =
                MailLink { item: notice.item.clone(), branch: doable.branch, action: doable.action.clone(), notice: notice.key.clone() };
            let shown = Link { title: doable.title.clone(), url: format!("{}/j/{token}", links.origin), until: until.clone() };
            Made { shown, kept: about.link(&token, &notice.person, self.now, lasts_until) }
        };
        doable.iter().map(one).collect()
    }
}

/// A link as the mail shows it, and as it is kept.
struct Made {
    shown: Link,
    kept: NewLink,
}

/// What the reader of a notice may do from its mail.
struct Doable {
    action: Name,
    /// On which branch.
    branch: Option<u32>,
    title: String,
}

/// Why a mail could not be written.
enum Unwritten {
    /// Because of one of its notices.
    One(usize, String),
    All(String),
}

/// The words of a notice in the rule set in use.
fn wording<'a>(rules: &'a RuleSet, notice: &'a Notice, links: &'a [Link]) -> Result<Wording<'a>, String> {
    let declared = workflow(rules, notice)?.setting.workflow.notices.get(&notice.notice);
    let declared = declared.ok_or_else(|| format!("wording: the rule set in use has no notice `{}`", notice.notice))?;
    let body = rules.templates.get(&declared.template);
    let body = body.ok_or_else(|| format!("wording: the rule set in use has no template `{}`", declared.template))?;
    Ok(Wording { subject: &declared.subject, body, values: &notice.values, list: declared.list, links })
}

fn workflow<'a>(rules: &'a RuleSet, notice: &Notice) -> Result<&'a Arc<Rules>, String> {
    rules.workflows.get(&notice.workflow).ok_or_else(|| format!("wording: the rule set in use has no workflow `{}`", notice.workflow))
}
