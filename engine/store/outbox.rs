//! Notices and mails: what became of each.
//!
//! A notice is written with the fact that caused it (see `save`); here it becomes part of a mail, or ends for a reason. Handing mails over is
//! `posting`'s.

use super::brake::{self, Excess, Measure, Passed, RELEASED};
use super::dialect::{Connection, on};
use super::links::{self, NewLink};
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
    /// Links whose tokens stand in it: they are made if it is stored, and only then.
    pub links: Vec<NewLink>,
}

/// Why a notice is parked whose mail would bear the Message-ID of another.
pub(super) const DOUBLED: &str = "there is a mail with this Message-ID already";

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
    pub recorded_at: Instant,
    pub not_before: Instant,
    /// `ready`, `mailed`, `cancelled` or `parked`
    pub status: String,
    pub reason: Option<String>,
    pub mail: Option<String>,
    pub mail_status: Option<String>,
    pub mail_ended_at: Option<Instant>,
    pub mail_reply: Option<String>,
}

/// How a notice can stand: by its mail, where it is in one, else by itself.
pub const STATUSES: &[&str] = &["parked", "ready", "claimed", "held", "deferred", "unknown", "sent", "refused", "expired", "cancelled"];
/// How a mail can stand; only a notice is parked.
pub const MAIL_STATUSES: &[&str] = STATUSES.split_at(1).1;

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

pub(super) type StatusRow = (
    String,
    String,
    i64,
    String,
    String,
    String,
    i64,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<i64>,
    Option<String>,
    i64,
);
type MailRow = (String, String, String, String, i64, i64, Option<String>, i64, Option<i64>);

impl Store {
    /// The notices of an item, in the order of their facts.
    pub async fn notices_of(&self, item: &str) -> Result<Vec<NoticeStatus>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.notices_of(item));
        }
        let rows: Vec<StatusRow> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_OF_ITEM)).bind(item).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(|row| Ok(status(row)?.1)).collect()
    }

    /// Notices that are in no mail yet and wait for no person, at most `limit`, in the order in which they leave.
    pub async fn notices_ready(&self, limit: u32) -> Result<Vec<Notice>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.notices_ready(limit));
        }
        let rows: Vec<(String, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_WAITING)).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(notice).collect()
    }

    /// The notices that a mail carries.
    pub async fn notices_in(&self, mail: &str) -> Result<Vec<Notice>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.notices_in(mail));
        }
        let rows: Vec<(String, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_OF_MAIL)).bind(mail).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(notice).collect()
    }

    /// Ends or parks notices that are in no mail, with the reason; those that are in one already stay as they are.
    pub async fn end_notices(&self, keys: Vec<String>, end: NoticeEnd, reason: &str) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.end_notices(&keys, end, reason));
        }
        let status = match end {
            NoticeEnd::Cancelled => "cancelled",
            NoticeEnd::Parked => "parked",
        };
        self.write(Lane::Background, EndNotices { keys: keyed(&keys), status, reason: reason.to_string() }).await
    }

    /// Lets parked notices go.
    pub async fn release_notices(&self, keys: Vec<String>) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.release_notices(&keys));
        }
        self.write(Lane::User, Release { keys: keyed(&keys) }).await
    }

    /// Puts notices off until a later moment.
    pub async fn put_off_notices(&self, keys: Vec<String>, until: Instant) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.put_off_notices(&keys, until));
        }
        self.write(Lane::Background, PutOff { keys: keyed(&keys), until: until.timestamp_millis() }).await
    }

    /// Stores rendered mails and marks their notices as mailed, all together. A mail one of whose notices was taken meanwhile is left out;
    /// the answer says of each whether it was stored.
    pub async fn compose(&self, mails: Vec<NewMail>, now: Instant) -> Result<Vec<bool>, StoreError> {
        Ok(self.compose_within(mails, now, None).await?.stored)
    }

    /// The same, unless they would be too many within the hour: then none is stored, and everything of the jurisdiction is held.
    pub async fn compose_within(&self, mails: Vec<NewMail>, now: Instant, measure: Option<Measure>) -> Result<Passed, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.compose(mails, now, measure));
        }
        self.write(Lane::Background, Compose { mails, now, measure }).await
    }

    /// A mail with its bytes.
    pub async fn mail(&self, id: &str) -> Result<Option<(MailStatus, String)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.mail(id));
        }
        type Row = (String, String, String, String, String, i64, i64, Option<String>, i64, Option<i64>);
        let row: Option<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::MAIL_GET)).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let Some((id, person, address, bytes, status, attempts, next_try, reply, created_at, ended_at)) = row else { return Ok(None) };
        Ok(Some((mail((id, person, address, status, attempts, next_try, reply, created_at, ended_at))?, bytes)))
    }

    /// Mails (in a status, to a person) behind `after`, in the order of their ids.
    pub async fn mails(&self, status: Option<&str>, person: Option<&str>, after: &str, limit: u32) -> Result<Vec<MailStatus>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.mails(status, person, after, limit));
        }
        let rows: Vec<MailRow> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::MAIL_LIST))
            .bind(status).bind(person).bind(after).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(mail).collect()
    }

    /// How many mails are in which status.
    pub async fn count_mails(&self) -> Result<Vec<(String, u64)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_mails());
        }
        let rows: Vec<(String, i64)> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::MAIL_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(status, count)| (status, count as u64)).collect())
    }

    /// Escalations that were mailed, by the person who was told.
    pub async fn count_escalations(&self) -> Result<Vec<(String, u64)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_escalations());
        }
        let rows: Vec<(String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_ESCALATIONS)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(person, count)| (person, count as u64)).collect())
    }

    /// How many notices of which kind ended how.
    pub async fn count_notices(&self) -> Result<Vec<NoticeCount>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_notices());
        }
        let rows: Vec<(String, String, String, String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
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

/// Keys as a batch of rows.
pub(super) fn keyed(keys: &[String]) -> String {
    batch(&keys.iter().map(|key| [key]).collect::<Vec<_>>())
}

/// A notice with its item.
pub(super) fn status(row: StatusRow) -> Result<(String, NoticeStatus), StoreError> {
    let (item, key, seq, notice, kind, person, not_before, status, reason, mail, mail_status, ended_at, mail_reply, recorded_at) = row;
    let (recorded_at, not_before, mail_ended_at) = (instant(recorded_at)?, instant(not_before)?, ended_at.map(instant).transpose()?);
    let seq = seq as u64;
    let status = NoticeStatus {
        key,
        seq,
        notice,
        kind,
        person,
        recorded_at,
        not_before,
        status,
        reason,
        mail,
        mail_status,
        mail_ended_at,
        mail_reply,
    };
    Ok((item, status))
}

pub(super) fn notice((key, json): (String, String)) -> Result<Notice, StoreError> {
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
    now: Instant,
    measure: Option<Measure>,
}

impl Write for Compose {
    type Answer = Passed;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Passed, sqlx::Error> {
        let now = self.now.timestamp_millis();
        let keys: Vec<String> = self.mails.iter().flat_map(|mail| mail.notices.iter().cloned()).collect();
        // What is counted is ours until the commit, so whoever comes after sees what was held meanwhile.
        let wanted = self.mails.len() as u64;
        let counted = match self.measure {
            Some(measure) => Some((measure, brake::count(connection, here, now, wanted).await?)),
            None => None,
        };
        if let Some(reason) = brake::held(connection, here).await? {
            brake::park(connection, here, &keys, &reason).await?;
        }
        let ready: Vec<(String, String)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::NOTICE_READY)).bind(keyed(&keys)).bind(here).fetch_all(&mut *c).await)?;
        let released: HashSet<String> = ready.iter().filter(|row| row.1 == RELEASED).map(|row| row.0.clone()).collect();
        let mut ready: HashSet<String> = ready.into_iter().map(|row| row.0).collect();
        let ids: Vec<String> = self.mails.iter().map(|mail| mail.id.clone()).collect();
        let known: Vec<(String,)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::MAIL_KNOWN)).bind(keyed(&ids)).bind(here).fetch_all(&mut *c).await)?;
        let mut known: HashSet<String> = known.into_iter().map(|row| row.0).collect();

        let (mut mails, mut doubled) = (Vec::new(), Vec::new());
        let mut stored = Vec::with_capacity(self.mails.len());
        let let_go = |mail: &NewMail| mail.notices.iter().all(|key| released.contains(key));
        for mail in &self.mails {
            let free = !mail.notices.is_empty() && mail.notices.iter().all(|key| ready.contains(key));
            let whole = free && known.insert(mail.id.clone());
            if whole {
                mails.push(mail);
                mail.notices.iter().for_each(|key| _ = ready.remove(key));
            } else if free {
                // They would come up again for ever.
                doubled.extend(mail.notices.iter().cloned());
            }
            stored.push(whole);
        }
        let mut excess = None;
        if let Some((measure, (with_all, usual))) = counted {
            let anew = mails.iter().filter(|mail| !let_go(mail)).count() as u64;
            let mut with_these = with_all.saturating_sub(wanted - anew);
            let most = measure.most(usual);
            if anew > 0 {
                let room = most.saturating_sub(with_these);
                with_these = with_these.saturating_add(brake::behind(connection, here, &keys, now, room).await?);
            }
            if anew > 0 && with_these > most {
                let foreseen = measure.foreseen;
                let found = Excess { since: self.now, mails: with_these, usual, foreseen };
                brake::close(connection, here, &found).await?;
                excess = Some(found);
                mails.retain(|mail| let_go(mail));
                let kept: HashSet<&str> = mails.iter().map(|mail| mail.id.as_str()).collect();
                stored = self.mails.iter().zip(stored).map(|(mail, stored)| stored && kept.contains(mail.id.as_str())).collect();
            }
            let (left, counted_on) = (mails.len() as u64, if excess.is_some() { 0 } else { anew });
            brake::correct(connection, here, now, counted_on as i64 - wanted as i64, left - counted_on).await?;
        }
        if !mails.is_empty() {
            let rows: Vec<_> = mails.iter().map(|mail| (&mail.id, &mail.person, &mail.address, &mail.bytes, now)).collect();
            let mailed: Vec<_> = mails.iter().flat_map(|mail| mail.notices.iter().map(move |key| (key, &mail.id))).collect();
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::MAIL_PUT)).bind(batch(&rows)).bind(here).execute(&mut *c).await.map(|_| ()))?;
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::NOTICE_MAILED)).bind(batch(&mailed)).bind(here).execute(&mut *c).await.map(|_| ()))?;
            let made: Vec<&NewLink> = mails.iter().flat_map(|mail| &mail.links).collect();
            links::put_all(connection, here, &made).await?;
        }
        if !doubled.is_empty() {
            on!(connection, c, sql => sqlx::query(sql(statements::NOTICE_END))
                .bind(keyed(&doubled)).bind("parked").bind(DOUBLED).bind(here).execute(&mut *c).await.map(|_| ()))?;
        }
        Ok(Passed { stored, excess })
    }
}
