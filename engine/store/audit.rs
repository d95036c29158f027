//! What happened around accounts: who came in, who was kept out, who was invited or shut off. Rows are added, and never changed: each has its
//! place in a chain of hashes, made as that of facts is, so that a change, a gap or an insertion shows.
//!
//! What happened to items stands in their facts.

use super::dialect::{Connection, on};
use super::facts::{chain, hex};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use sha2::{Digest, Sha256};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// One thing that happened. Later ones have greater ids: by their moment, and those of one process in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    pub id: String,
    pub at: Instant,
    /// Whom it is about; nobody when the login is nobody's.
    pub person: Option<String>,
    /// A word, such as `signed_in`.
    pub what: String,
    /// As JSON; never a secret.
    pub about: String,
    /// The address from which it came.
    pub source: Option<String>,
}

impl Entry {
    pub fn new(at: Instant, person: Option<&str>, what: &str, about: String, source: Option<&str>) -> Entry {
        static PROCESS: LazyLock<u64> = LazyLock::new(rand::random);
        static LAST: AtomicU64 = AtomicU64::new(0);
        let id = format!("{:015}-{:012x}-{:016x}", at.timestamp_millis().max(0), LAST.fetch_add(1, Ordering::Relaxed), *PROCESS);
        Entry { id, at, person: person.map(str::to_string), what: what.to_string(), about, source: source.map(str::to_string) }
    }
}

impl Entry {
    /// The same about no person.
    pub fn about_nobody(self) -> Entry {
        Entry { person: None, ..self }
    }
}

impl Store {
    /// Adds what happened.
    pub async fn audit(&self, entries: Vec<Entry>) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.audit(&entries);
            return Ok(());
        }
        self.write(Lane::User, Add(entries)).await
    }

    /// What happened in this office, the latest first; before an entry, if one is named.
    pub async fn audit_trail(&self, before: Option<&str>, limit: u32) -> Result<Vec<Entry>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.audit_trail(before, limit));
        }
        type Row = (String, i64, Option<String>, String, String, Option<String>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::AUDIT_LIST))
            .bind(before).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(id, at, person, what, about, source): Row| Ok(Entry { id, at: instant(at)?, person, what, about, source });
        rows.into_iter().map(read).collect()
    }
}

/// Rows that are read, or taken in, at once.
const PAGE: i64 = 500;

impl Store {
    /// Follows the chain of this office's trail; gives how many rows it has. What does not fit is `Damaged`.
    pub async fn check_audit(&self) -> Result<u64, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.audit_trail(None, u32::MAX).len() as u64);
        }
        let damaged = |what: String| Err(StoreError::Damaged(what));
        // What is added meanwhile comes behind it.
        let head: Option<(i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::AUDIT_HEAD))
            .bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let (last, head) = head.unwrap_or_default();
        let (mut seq, mut hash) = (0, String::new());
        type Row = (i64, Option<String>, String, i64, Option<String>, String, String, Option<String>);
        loop {
            let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::AUDIT_CHAIN))
                .bind(seq).bind(PAGE).bind(&*self.jurisdiction).fetch_all(pool).await)?;
            if rows.is_empty() {
                break;
            }
            for (found, kept, id, at, person, what, about, source) in rows {
                if found != seq + 1 {
                    return damaged(format!("entry {} of the audit trail is missing", seq + 1));
                }
                hash = chain(&hash, &own(found, &id, at, (person.as_deref(), &what, &about, source.as_deref())));
                if kept.as_deref() != Some(&*hash) {
                    return damaged(format!("entry {found} of the audit trail was changed"));
                }
                seq = found;
                if seq == last && hash != head {
                    return damaged("the last entry of the audit trail is not the one it was saved with".into());
                }
            }
        }
        if seq < last {
            return damaged(format!("entry {last} of the audit trail is missing"));
        }
        let (outside,): (i64,) = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::AUDIT_OUTSIDE))
            .bind(&*self.jurisdiction).fetch_one(pool).await)?;
        if outside > 0 {
            return damaged(format!("{outside} entries of the audit trail have no place in its chain"));
        }
        Ok(seq as u64)
    }
}

/// Place and inner hash of an entry, as they are hashed.
fn own(seq: i64, id: &str, at: i64, (person, what, about, source): (Option<&str>, &str, &str, Option<&str>)) -> String {
    let row = serde_json::json!([id, at, person, what, about, source]).to_string();
    format!("{seq}\n{}", hex(&Sha256::digest(row)))
}

/// Takes rows from before there was a chain into it, while nobody else writes.
pub(super) async fn take_in(connection: &mut Connection) -> Result<(), sqlx::Error> {
    type Row = (String, String, i64, Option<String>, String, String, Option<String>);
    let (mut here, mut seq, mut hash) = (String::new(), 0, String::new());
    loop {
        let rows: Vec<Row> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::AUDIT_LOOSE)).bind(PAGE).fetch_all(&mut *c).await)?;
        if rows.is_empty() {
            return Ok(());
        }
        for (jurisdiction, id, at, person, what, about, source) in rows {
            if jurisdiction != here {
                (here, (seq, hash)) = (jurisdiction.clone(), locked(connection, &jurisdiction).await?);
            }
            seq += 1;
            hash = chain(&hash, &own(seq, &id, at, (person.as_deref(), &what, &about, source.as_deref())));
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::AUDIT_TAKE_IN)).bind(&id).bind(seq).bind(&hash).bind(&jurisdiction)
                .execute(&mut *c).await.map(|_| ()))?;
            goes_on(connection, &jurisdiction, seq, &hash).await?;
        }
    }
}

/// Where the chain of an office ends; nobody adds to it before this transaction ends.
async fn locked(connection: &mut Connection, here: &str) -> Result<(i64, String), sqlx::Error> {
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::AUDIT_BEGIN)).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(connection, c, sql => sqlx::query_as(sql(statements::AUDIT_LOCK)).bind(here).fetch_one(&mut *c).await)
}

async fn goes_on(connection: &mut Connection, here: &str, seq: i64, hash: &str) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::AUDIT_GOES_ON)).bind(seq).bind(hash).bind(here).execute(&mut *c).await.map(|_| ()))
}

struct Add(Vec<Entry>);

impl Write for Add {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        put(connection, here, &self.0).await
    }
}

/// Adds what happened in an office, in the transaction in which it happens.
pub(super) async fn put(connection: &mut Connection, here: &str, entries: &[Entry]) -> Result<(), sqlx::Error> {
    if entries.is_empty() {
        return Ok(());
    }
    let (mut seq, mut hash) = locked(connection, here).await?;
    for Entry { id, at, person, what, about, source } in entries {
        let at = at.timestamp_millis();
        seq += 1;
        hash = chain(&hash, &own(seq, id, at, (person.as_deref(), what, about, source.as_deref())));
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::AUDIT_PUT)).bind(here).bind(id).bind(at).bind(person).bind(what).bind(about)
            .bind(source).bind(seq).bind(&hash).execute(&mut *c).await.map(|_| ()))?;
    }
    goes_on(connection, here, seq, &hash).await
}
