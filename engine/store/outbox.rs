//! Notices and mails: which are ready, who has claimed which, and what became of each.
//!
//! A notice is written with the fact that caused it (see `save`); here it becomes part of a mail, or ends for a reason. A mail is
//! claimed under a growing fencing number until a moment; only the holder of the latest number may record what became of it.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements};
use crate::kernel::model::decision::Notice;
use crate::kernel::time::Instant;
use serde::Serialize;
use std::collections::HashSet;

/// One envelope to one person, rendered once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMail {
    /// The Message-ID, made from the keys of its notices.
    pub id: String,
    pub person: String,
    pub address: String,
    /// The message as it is handed over.
    pub bytes: String,
    /// Keys of the notices it carries.
    pub notices: Vec<String>,
}

/// A mail that this process may hand over until the claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub id: String,
    pub person: String,
    pub address: String,
    pub bytes: String,
    /// This one included.
    pub attempts: u32,
    pub fence: u64,
    pub created_at: Instant,
    /// When it was claimed for the first time.
    pub first_try: Instant,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub id: String,
    pub fence: u64,
    pub end: MailEnd,
    /// What the server said, or why it was not asked.
    pub reply: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailEnd {
    /// The server's 250 after the final dot.
    Sent,
    /// A 5xx, or an address to which nothing can be sent.
    Refused,
    /// Tried too long.
    Expired,
    /// Nothing that it carries is owed any more.
    Cancelled,
    /// Not accepted, certainly; try again.
    Deferred { next_try: Instant },
    /// The final dot was sent and no reply came; try again, with the same bytes.
    Unknown { next_try: Instant },
}

impl MailEnd {
    fn status(self) -> &'static str {
        match self {
            MailEnd::Sent => "sent",
            MailEnd::Refused => "refused",
            MailEnd::Expired => "expired",
            MailEnd::Cancelled => "cancelled",
            MailEnd::Deferred { .. } => "deferred",
            MailEnd::Unknown { .. } => "unknown",
        }
    }
}

/// Why a notice is not mailed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeEnd {
    Cancelled,
    /// Held until a person releases it.
    Parked,
}

/// A notice and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeStatus {
    pub key: String,
    pub seq: u64,
    pub notice: String,
    pub kind: String,
    pub person: String,
    pub not_before: Instant,
    /// `ready`, `mailed`, `cancelled` or `parked`
    pub status: String,
    pub reason: Option<String>,
    pub mail: Option<String>,
    pub mail_status: Option<String>,
    pub mail_ended_at: Option<Instant>,
    pub mail_reply: Option<String>,
}

/// A mail as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MailStatus {
    pub id: String,
    pub person: String,
    pub address: String,
    pub status: String,
    pub attempts: u32,
    pub next_try: Instant,
    pub reply: Option<String>,
    pub created_at: Instant,
    pub ended_at: Option<Instant>,
}

/// How many notices of a kind ended how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NoticeCount {
    pub kind: String,
    pub notice: String,
    pub status: String,
    /// Empty while it is in no mail.
    pub mail_status: String,
    pub count: u64,
}

type MailRow = (String, String, String, String, i64, i64, Option<String>, i64, Option<i64>);

impl Store {
    /// Notices whose moment has come, the earliest first.
    pub async fn notices_due(&self, now: Instant, limit: u32) -> Result<Vec<Notice>, StoreError> {
        let rows: Vec<(String, String)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::NOTICE_DUE))
            .bind(now.timestamp_millis()).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(notice).collect()
    }

    /// The notices of an item, in the order of their facts.
    pub async fn notices_of(&self, item: &str) -> Result<Vec<NoticeStatus>, StoreError> {
        type Row =
            (String, i64, String, String, String, i64, String, Option<String>, Option<String>, Option<String>, Option<i64>, Option<String>);
        let rows: Vec<Row> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::NOTICE_OF_ITEM)).bind(item).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |row: Row| {
            let (key, seq, notice, kind, person, not_before, status, reason, mail, mail_status, ended_at, mail_reply) = row;
            let (not_before, mail_ended_at) = (instant(not_before)?, ended_at.map(instant).transpose()?);
            let seq = seq as u64;
            Ok(NoticeStatus { key, seq, notice, kind, person, not_before, status, reason, mail, mail_status, mail_ended_at, mail_reply })
        };
        rows.into_iter().map(read).collect()
    }

    /// The notices that a mail carries.
    pub async fn notices_in(&self, mail: &str) -> Result<Vec<Notice>, StoreError> {
        let rows: Vec<(String, String)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::NOTICE_OF_MAIL)).bind(mail).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(notice).collect()
    }

    /// Ends or parks notices that are in no mail, with the reason; those that are in one already stay as they are.
    pub async fn end_notices(&self, keys: Vec<String>, end: NoticeEnd, reason: &str) -> Result<u64, StoreError> {
        let status = match end {
            NoticeEnd::Cancelled => "cancelled",
            NoticeEnd::Parked => "parked",
        };
        self.write(Lane::Background, EndNotices { keys: keyed(&keys), status, reason: reason.to_string() }).await
    }

    /// Lets parked notices go.
    pub async fn release_notices(&self, keys: Vec<String>) -> Result<u64, StoreError> {
        self.write(Lane::User, Release { keys: keyed(&keys) }).await
    }

    /// Puts notices off until a later moment.
    pub async fn put_off_notices(&self, keys: Vec<String>, until: Instant) -> Result<u64, StoreError> {
        self.write(Lane::Background, PutOff { keys: keyed(&keys), until: until.timestamp_millis() }).await
    }

    /// Stores rendered mails and marks their notices as mailed, all together. A mail one of whose notices was taken meanwhile is left out;
    /// the answer says of each whether it was stored.
    pub async fn compose(&self, mails: Vec<NewMail>, now: Instant) -> Result<Vec<bool>, StoreError> {
        self.write(Lane::Background, Compose { mails, now: now.timestamp_millis() }).await
    }

    /// Claims mails that may be tried now, until `until`. A claim that ran out is claimed again under a higher number.
    pub async fn claim_mails(&self, now: Instant, until: Instant, by: &str, limit: u32) -> Result<Vec<Claimed>, StoreError> {
        let claim = Claim { now: now.timestamp_millis(), until: until.timestamp_millis(), by: by.to_string(), limit };
        let rows = self.write(Lane::Background, claim).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for (id, person, address, bytes, attempts, fence, created_at, first_try) in rows {
            let (attempts, fence, created_at, first_try) = (attempts as u32, fence as u64, instant(created_at)?, instant(first_try)?);
            claimed.push(Claimed { id, person, address, bytes, attempts, fence, created_at, first_try });
        }
        claimed.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        Ok(claimed)
    }

    /// Holds on to claimed mails until a later moment; `false` for one whose claim was lost.
    pub async fn renew_mails(&self, claims: Vec<(String, u64)>, until: Instant) -> Result<Vec<bool>, StoreError> {
        self.write(Lane::User, Renew { claims, until: until.timestamp_millis() }).await
    }

    /// Records what became of claimed mails. `false` for one whose claim was lost: its result does not count.
    pub async fn finish_mails(&self, outcomes: Vec<Outcome>, now: Instant) -> Result<Vec<bool>, StoreError> {
        self.write(Lane::Background, Finish { outcomes, now: now.timestamp_millis() }).await
    }

    /// A mail with its bytes.
    pub async fn mail(&self, id: &str) -> Result<Option<(MailStatus, String)>, StoreError> {
        type Row = (String, String, String, String, String, i64, i64, Option<String>, i64, Option<i64>);
        let row: Option<Row> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::MAIL_GET)).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let Some((id, person, address, bytes, status, attempts, next_try, reply, created_at, ended_at)) = row else { return Ok(None) };
        Ok(Some((mail((id, person, address, status, attempts, next_try, reply, created_at, ended_at))?, bytes)))
    }

    /// Mails (in a status, to a person) behind `after`, in the order of their ids.
    pub async fn mails(&self, status: Option<&str>, person: Option<&str>, after: &str, limit: u32) -> Result<Vec<MailStatus>, StoreError> {
        let rows: Vec<MailRow> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::MAIL_LIST))
            .bind(status).bind(person).bind(after).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(mail).collect()
    }

    /// How many mails are in which status.
    pub async fn count_mails(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows: Vec<(String, i64)> =
            on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::MAIL_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(status, count)| (status, count as u64)).collect())
    }

    /// Escalations that were mailed, by the person who was told.
    pub async fn count_escalations(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::NOTICE_ESCALATIONS)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(person, count)| (person, count as u64)).collect())
    }

    /// How many notices of which kind ended how.
    pub async fn count_notices(&self) -> Result<Vec<NoticeCount>, StoreError> {
        let rows: Vec<(String, String, String, String, i64)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::NOTICE_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(kind, notice, status, mail_status, count): (String, String, String, String, i64)| NoticeCount {
            kind,
            notice,
            status,
            mail_status,
            count: count as u64,
        };
        Ok(rows.into_iter().map(read).collect())
    }
}

fn keyed(keys: &[String]) -> String {
    batch(&keys.iter().map(|key| [key]).collect::<Vec<_>>())
}

fn notice((key, json): (String, String)) -> Result<Notice, StoreError> {
    serde_json::from_str(&json).map_err(|error| StoreError::Damaged(format!("the notice `{key}` cannot be read: {error}")))
}

fn mail((id, person, address, status, attempts, next_try, reply, created_at, ended_at): MailRow) -> Result<MailStatus, StoreError> {
    let (next_try, created_at, ended_at) = (instant(next_try)?, instant(created_at)?, ended_at.map(instant).transpose()?);
    Ok(MailStatus { id, person, address, status, attempts: attempts as u32, next_try, reply, created_at, ended_at })
}

struct EndNotices {
    keys: String,
    status: &'static str,
    reason: String,
}

impl Write for EndNotices {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        Ok(on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_END))
            .bind(&self.keys).bind(self.status).bind(&self.reason).bind(here).execute(&mut *c).await?.rows_affected()))
    }
}

struct Release {
    keys: String,
}

impl Write for Release {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        Ok(
            on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_RELEASE)).bind(&self.keys).bind(here).execute(&mut *c).await?.rows_affected()),
        )
    }
}

struct PutOff {
    keys: String,
    until: i64,
}

impl Write for PutOff {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        Ok(on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_LATER))
            .bind(&self.keys).bind(self.until).bind(here).execute(&mut *c).await?.rows_affected()))
    }
}

struct Compose {
    mails: Vec<NewMail>,
    now: i64,
}

impl Write for Compose {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let keys: Vec<String> = self.mails.iter().flat_map(|mail| mail.notices.iter().cloned()).collect();
        let ready: Vec<(String,)> = on!(connection, c, sql => sqlx::query_as(sql(statements::NOTICE_READY)).bind(keyed(&keys)).bind(here).fetch_all(&mut *c).await)?;
        let mut ready: HashSet<String> = ready.into_iter().map(|row| row.0).collect();
        let ids: Vec<String> = self.mails.iter().map(|mail| mail.id.clone()).collect();
        let known: Vec<(String,)> =
            on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_KNOWN)).bind(keyed(&ids)).bind(here).fetch_all(&mut *c).await)?;
        let mut known: HashSet<String> = known.into_iter().map(|row| row.0).collect();

        let (mut mails, mut mailed, mut doubled) = (Vec::new(), Vec::new(), Vec::new());
        let mut stored = Vec::with_capacity(self.mails.len());
        for mail in &self.mails {
            let free = !mail.notices.is_empty() && mail.notices.iter().all(|key| ready.contains(key));
            let whole = free && known.insert(mail.id.clone());
            if whole {
                mails.push((&mail.id, &mail.person, &mail.address, &mail.bytes, self.now));
                mailed.extend(mail.notices.iter().map(|key| (key, &mail.id)));
                mail.notices.iter().for_each(|key| _ = ready.remove(key));
            } else if free {
                // They would come up again for ever.
                doubled.extend(mail.notices.iter().cloned());
            }
            stored.push(whole);
        }
        if !mails.is_empty() {
            on!(connection, c, sql => sqlx::query(sql(statements::MAIL_PUT)).bind(batch(&mails)).bind(here).execute(&mut *c).await.map(|_| ()))?;
            on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_MAILED)).bind(batch(&mailed)).bind(here).execute(&mut *c).await.map(|_| ()))?;
        }
        if !doubled.is_empty() {
            on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_END))
                .bind(keyed(&doubled)).bind("parked").bind("there is a mail with this Message-ID already").bind(here).execute(&mut *c).await.map(|_| ()))?;
        }
        Ok(stored)
    }
}

struct Claim {
    now: i64,
    until: i64,
    by: String,
    limit: u32,
}

impl Write for Claim {
    type Answer = Vec<(String, String, String, String, i64, i64, i64, i64)>;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_CLAIM))
            .bind(self.now).bind(self.until).bind(&self.by).bind(i64::from(self.limit)).bind(here).fetch_all(&mut *c).await)
    }
}

struct Renew {
    claims: Vec<(String, u64)>,
    until: i64,
}

impl Write for Renew {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let done: Vec<(String, i64)> = on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_RENEW))
            .bind(batch(&self.claims)).bind(self.until).bind(here).fetch_all(&mut *c).await)?;
        Ok(self.claims.iter().map(|(id, fence)| done.iter().any(|(known, now)| known == id && *now == *fence as i64)).collect())
    }
}

struct Finish {
    outcomes: Vec<Outcome>,
    now: i64,
}

impl Write for Finish {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let rows: Vec<_> = self
            .outcomes
            .iter()
            .map(|outcome| {
                let (next_try, ended_at) = match outcome.end {
                    MailEnd::Deferred { next_try } | MailEnd::Unknown { next_try } => (next_try.timestamp_millis(), None),
                    _ => (self.now, Some(self.now)),
                };
                (&outcome.id, outcome.fence, outcome.end.status(), &outcome.reply, next_try, ended_at)
            })
            .collect();
        let done: Vec<(String, i64)> =
            on!(connection, c, sql => sqlx::query_as(sql(statements::MAIL_FINISH)).bind(batch(&rows)).bind(here).fetch_all(&mut *c).await)?;
        let counted =
            self.outcomes.iter().map(|outcome| done.iter().any(|(id, fence)| *id == outcome.id && *fence == outcome.fence as i64));
        Ok(counted.collect())
    }
}
