//! What happened around accounts: who came in, who was kept out, who was invited or shut off. Rows are added, and never changed.
//!
//! What happened to items stands in their facts.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
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

struct Add(Vec<Entry>);

impl Write for Add {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        put(connection, here, &self.0).await
    }
}

/// Adds what happened in an office, in the transaction in which it happens.
pub(super) async fn put(connection: &mut Connection, here: &str, entries: &[Entry]) -> Result<(), sqlx::Error> {
    for Entry { id, at, person, what, about, source } in entries {
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::AUDIT_PUT)).bind(here).bind(id).bind(at.timestamp_millis())
            .bind(person).bind(what).bind(about).bind(source).execute(&mut *c).await.map(|_| ()))?;
    }
    Ok(())
}
