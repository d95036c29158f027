//! What came back about mails: reports of their delivery, answers of machines, answers of people. One message is kept once.
//!
//! A report that a mail did not arrive stands open until somebody has seen to its address.

use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::outbox::keyed;
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use std::sync::Arc;

/// The kind of a report that a mail did not arrive.
pub const FAILED: &str = "failed";

/// A message about a mail of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// The same message has the same, however often it is read.
    pub id: String,
    /// The Message-ID of the mail that it is about.
    pub mail: String,
    /// `failed`, `delayed`, `automatic` or `reply`.
    pub kind: String,
    /// When it was read.
    pub at: Instant,
    pub sender: String,
    /// An enhanced status code (RFC 3463), such as `5.1.1`.
    pub status: Option<String>,
    /// Plain text: why, or what was answered.
    pub words: String,
    /// Somebody has seen to it.
    pub settled_at: Option<Instant>,
    pub settled_by: Option<String>,
}

/// Somebody to whom a mail could not be delivered, and nobody has seen to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    pub mail: String,
    pub person: String,
    pub address: String,
    pub at: Instant,
    pub status: Option<String>,
    pub words: String,
}

impl Everywhere<'_> {
    /// The mail, and its office, that one of these Message-IDs names.
    pub async fn mail_of_any(&self, ids: &[String]) -> Result<Option<(Arc<str>, String)>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().mail_of_any(ids));
        }
        let row: Option<(String, String)> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::MAIL_OF_ANY))
            .bind(keyed(ids)).fetch_optional(pool).await)?;
        Ok(row.map(|(jurisdiction, id)| (jurisdiction.into(), id)))
    }
}

impl Store {
    /// Keeps a message; `false` when it was kept before.
    pub async fn put_incoming(&self, message: Incoming) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.put_incoming(message));
        }
        self.write(Lane::Background, Put(message)).await
    }

    /// What came back about these mails, in its order.
    pub async fn incoming_of(&self, mails: &[String]) -> Result<Vec<Incoming>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.incoming_of(mails));
        }
        type Row = (String, String, String, i64, String, Option<String>, String, Option<i64>, Option<String>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::INCOMING_OF))
            .bind(keyed(mails)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(id, mail, kind, at, sender, status, words, settled_at, settled_by): Row| {
            let (at, settled_at) = (instant(at)?, settled_at.map(instant).transpose()?);
            Ok(Incoming { id, mail, kind, at, sender, status, words, settled_at, settled_by })
        };
        rows.into_iter().map(read).collect()
    }

    /// Mails that did not arrive and to whose address nobody has seen, the longest first.
    pub async fn undelivered(&self, limit: u32) -> Result<Vec<Undelivered>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.undelivered(limit));
        }
        type Row = (String, String, String, i64, Option<String>, String);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::INCOMING_OPEN))
            .bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read =
            |(mail, person, address, at, status, words): Row| Ok(Undelivered { mail, person, address, at: instant(at)?, status, words });
        rows.into_iter().map(read).collect()
    }

    /// Somebody has seen to an address: gives how many reports that settles.
    pub async fn settle_undelivered(&self, address: &str, at: Instant, by: &str) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.settle_undelivered(address, at, by));
        }
        self.write(Lane::User, Settle { address: address.to_string(), at: at.timestamp_millis(), by: by.to_string() }).await
    }
}

struct Put(Incoming);

impl Write for Put {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Incoming { id, mail, kind, at, sender, status, words, .. } = &self.0;
        let kept = on!(connection, c, sql => sqlx::query(sql(statements::INCOMING_PUT)).bind(id).bind(mail).bind(kind).bind(at.timestamp_millis())
            .bind(sender).bind(status).bind(words).bind(here).execute(&mut *c).await.map(|done| done.rows_affected()))?;
        Ok(kept > 0)
    }
}

struct Settle {
    address: String,
    at: i64,
    by: String,
}

impl Write for Settle {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::INCOMING_SETTLE)).bind(&self.address).bind(self.at).bind(&self.by).bind(here)
            .execute(&mut *c).await.map(|done| done.rows_affected()))
    }
}
