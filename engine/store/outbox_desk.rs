//! The outbox as a person looks at it and takes a hand: lists of notices in any state, mails tried at once or cancelled.

use super::dialect::{Connection, on};
use super::outbox::{NoticeStatus, StatusRow, keyed, status};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::model::decision::Notice;
use crate::kernel::time::Instant;
use std::fmt;
use std::str::FromStr;

/// Which notices a list shows. Empty parts do not restrict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OutboxFilter {
    /// The status of its mail, where it is in one, else its own.
    pub status: Option<String>,
    pub person: Option<String>,
    pub item: Option<String>,
    /// Those behind this place.
    pub after: Option<OutboxPlace>,
}

/// A notice's place in the list, which never moves: when it was recorded, and its key. Written as milliseconds, a colon, and the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutboxPlace {
    pub recorded_at: Instant,
    pub key: String,
}

impl OutboxPlace {
    pub fn of(notice: &NoticeStatus) -> OutboxPlace {
        OutboxPlace { recorded_at: notice.recorded_at, key: notice.key.clone() }
    }
}

impl fmt::Display for OutboxPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.recorded_at.timestamp_millis(), self.key)
    }
}

impl FromStr for OutboxPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<OutboxPlace, ()> {
        let (at, key) = text.split_once(':').ok_or(())?;
        let recorded_at = at.parse().ok().and_then(|at| instant(at).ok()).ok_or(())?;
        Ok(OutboxPlace { recorded_at, key: key.to_string() })
    }
}

impl Store {
    /// Notices with their item, the latest recorded first.
    pub async fn notices(&self, filter: &OutboxFilter, limit: u32) -> Result<Vec<(String, NoticeStatus)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.notices(filter, limit));
        }
        let (at, key) = filter.after.as_ref().map_or((i64::MAX, ""), |place| (place.recorded_at.timestamp_millis(), &place.key));
        let rows: Vec<StatusRow> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_LIST))
            .bind(&filter.status).bind(&filter.person).bind(&filter.item).bind(i64::from(limit)).bind(at).bind(key).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(status).collect()
    }

    /// A notice as it was recorded.
    pub async fn notice(&self, key: &str) -> Result<Option<Notice>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.notice(key));
        }
        let row: Option<(String,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_GET)).bind(key).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let read = |(json,): (String,)| {
            serde_json::from_str(&json).map_err(|error| StoreError::Damaged(format!("the notice `{key}` cannot be read: {error}")))
        };
        row.map(read).transpose()
    }

    /// Mails that wait are tried at the next look; one that is under way, or has ended, stays as it is.
    pub async fn retry_mails(&self, ids: &[String], now: Instant) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.retry_mails(ids, now));
        }
        self.write(Lane::User, Change { ids: keyed(ids), now: now.timestamp_millis(), cancel: None }).await
    }

    /// Mails that wait are given up, with the reason.
    pub async fn cancel_mails(&self, ids: &[String], reason: &str, now: Instant) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.cancel_mails(ids, reason, now));
        }
        self.write(Lane::User, Change { ids: keyed(ids), now: now.timestamp_millis(), cancel: Some(reason.to_string()) }).await
    }
}

struct Change {
    ids: String,
    now: i64,
    cancel: Option<String>,
}

impl Write for Change {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        let done = match &self.cancel {
            Some(reason) => on!(connection, c, sql => sqlx::query(sql(statements::MAIL_CANCEL))
                .bind(&self.ids).bind(self.now).bind(reason).bind(here).execute(&mut *c).await?.rows_affected()),
            None => {
                on!(connection, c, sql => sqlx::query(sql(statements::MAIL_RETRY)).bind(&self.ids).bind(self.now).bind(here).execute(&mut *c).await?.rows_affected())
            }
        };
        Ok(done)
    }
}
