//! The outbox for people: what became of notices and mails, in words; what is held is let go, what has not gone out is cancelled.

use super::together::{HISTORIC, IMPORTED};
use super::wake::derived;
use super::{ActError, App, Offices};
use crate::kernel::words::{Lang, has, say};
use crate::store::StoreError;
use crate::store::backup::{Held, LetGo};
use crate::store::brake::Excess;
use crate::store::outbox::{NoticeCount, NoticeEnd, NoticeStatus};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// What is held together, and let go or cancelled together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Batch {
    /// What was more than usual, and what came since.
    Volume,
    /// What lists that were imported caused at once.
    Imported,
}

/// Our own reasons have words; `None` for what others said, such as a server.
pub fn why_said(why: &str, zone: chrono_tz::Tz, lang: Lang) -> Option<String> {
    if let Some(excess) = Excess::read(why) {
        let values = excess_values(&excess, zone);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        return Some(say(lang, "outbox.why.volume", &values));
    }
    known(&format!("outbox.why.{why}"), lang)
}

/// What sentences about an unusual batch speak of.
pub fn excess_values(excess: &Excess, zone: chrono_tz::Tz) -> [(&'static str, String); 4] {
    [
        ("since", excess.since.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()),
        ("mails", excess.mails.to_string()),
        ("usual", excess.usual.to_string()),
        ("foreseen", excess.foreseen.to_string()),
    ]
}

impl Offices {
    /// A person has looked at what a restored database holds: it goes out or is cancelled, and what comes from now on goes out as usual.
    pub async fn let_go_restored(&self, how: LetGo) -> Result<Held, StoreError> {
        let held = self.store.let_go_restored(how, self.now()).await?;
        tracing::warn!(notices = held.notices, mails = held.mails, ?how, "what was held after a restore was let go");
        Ok(held)
    }
}

impl App {
    /// Releases or cancels (with a reason) notices by key, mails by id, and everything that is held of items by id; answers how many could be.
    pub async fn change_outbox(&self, ids: &[String], cancel: Option<&str>) -> Result<u64, ActError> {
        let mut changed = 0;
        let mut rest = Vec::with_capacity(ids.len());
        for id in ids {
            match cancel {
                None if self.release_history(id).await? => changed += 1,
                _ => rest.push(id.clone()),
            }
        }
        Ok(changed + self.change_waiting(rest, cancel).await.map_err(ActError::Store)?)
    }

    /// Releases or cancels (with a reason) all that is held together; answers how many notices it was.
    pub async fn change_batch(&self, batch: Batch, cancel: Option<&str>) -> Result<u64, StoreError> {
        let (how, reason) = match cancel {
            Some(reason) => (LetGo::Cancel, reason),
            None => (LetGo::Send, ""),
        };
        let changed = match batch {
            Batch::Volume => self.store.let_go_volume(how, reason).await?,
            Batch::Imported => self.store.let_go_parked(IMPORTED, how, reason).await?,
        };
        tracing::warn!(jurisdiction = self.store.jurisdiction(), ?batch, ?how, changed, "what was held together was let go");
        Ok(changed)
    }

    async fn change_waiting(&self, ids: Vec<String>, cancel: Option<&str>) -> Result<u64, StoreError> {
        let now = self.now();
        Ok(match cancel {
            Some(reason) => {
                let mails = self.store.cancel_mails(&ids, reason, now).await?;
                mails + self.store.end_notices(ids, NoticeEnd::Cancelled, reason).await?
            }
            None => {
                let mails = self.store.retry_mails(&ids, now).await?;
                mails + self.store.release_notices(ids).await?
            }
        })
    }

    /// From now on an item that was entered as history owes what every item owes; `false` when there is no such item.
    async fn release_history(&self, id: &str) -> Result<bool, ActError> {
        let now = self.now();
        let Some(held) = self.held(id, now).await? else { return Ok(false) };
        let notices = self.store.notices_of(id).await.map_err(ActError::Store)?;
        let waiting = notices.into_iter().filter(|notice| notice.reason.as_deref() == Some(HISTORIC)).map(|notice| notice.key).collect();
        self.store.release_notices(waiting).await.map_err(ActError::Store)?;
        self.store.keep_derived(derived(id, &held, self.in_use().revision, now)).await.map_err(ActError::Store)
    }
}

/// What became of a notice, in a few words.
pub fn became(notice: &NoticeStatus, zone: chrono_tz::Tz, lang: Lang) -> String {
    let status = notice.mail_status.as_deref().unwrap_or(&notice.status);
    let word = status_word(status, lang);
    let why = notice.reason.as_deref().or(notice.mail_reply.as_deref().filter(|_| !matches!(status, "sent" | "ready")));
    match why {
        Some(why) => say(lang, "outbox.because", &[("status", &word), ("why", &reason(why, zone, lang))]),
        None => word,
    }
}

/// The word for the status of a notice or a mail.
pub fn status_word(status: &str, lang: Lang) -> String {
    known(&format!("outbox.{status}"), lang).unwrap_or_else(|| status.to_string())
}

/// Our own reasons have words; what a server said is shown as it was, behind how far the mail had come.
pub fn reason(why: &str, zone: chrono_tz::Tz, lang: Lang) -> String {
    let reply = |(phase, reply)| {
        let phase = known(&format!("outbox.phase.{phase}"), lang)?;
        Some(say(lang, "outbox.reply", &[("phase", &phase), ("reply", reply)]))
    };
    why_said(why, zone, lang).or_else(|| reply(why.split_once(": ")?)).unwrap_or_else(|| why.to_string())
}

/// How far a mail had come.
pub fn phase_word(phase: &str, lang: Lang) -> String {
    known(&format!("outbox.phase.{phase}"), lang).unwrap_or_else(|| phase.to_string())
}

fn known(key: &str, lang: Lang) -> Option<String> {
    has(lang, key).then(|| say(lang, key, &[]))
}

/// How many notices stand how: by the status of their mail, where they are in one.
pub fn sums(counts: Vec<NoticeCount>) -> IndexMap<String, u64> {
    let mut sums = IndexMap::new();
    for NoticeCount { status, mail_status, count, .. } in counts {
        *sums.entry(if mail_status.is_empty() { status } else { mail_status }).or_default() += count;
    }
    sums
}
