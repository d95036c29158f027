//! Rule sets that were in use, as the texts of their files: what a fact names by its hash can be read again.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements};
use crate::kernel::time::Instant;
use indexmap::IndexMap;

/// A rule set as it was stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRules {
    pub hash: String,
    /// Grows by one each time another rule set comes into use.
    pub revision: u64,
    /// Path inside the folder → text.
    pub files: IndexMap<String, String>,
    pub in_use_since: Instant,
}

impl Store {
    /// The rule set in use.
    pub async fn rules_in_use(&self) -> Result<Option<StoredRules>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.rules_in_use());
        }
        let row: Option<(String, i64, String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RULES_IN_USE)).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(stored).transpose()
    }

    /// Hash and revision of the rule set in use, without its texts.
    pub async fn rules_hash(&self) -> Result<Option<(String, u64)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.rules_in_use().map(|rules| (rules.hash, rules.revision)));
        }
        let row: Option<(String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RULES_HASH)).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        Ok(row.map(|(hash, revision)| (hash, revision as u64)))
    }

    pub async fn rules(&self, hash: &str) -> Result<Option<StoredRules>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.rules(hash));
        }
        let row: Option<(String, i64, String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RULES_GET)).bind(hash).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(stored).transpose()
    }

    /// Stores a rule set, puts it into use with its sweeps (workflow and sweep), and answers its revision.
    pub async fn use_rules(
        &self,
        hash: &str,
        files: &IndexMap<String, String>,
        sweeps: &[String],
        now: Instant,
    ) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.use_rules(hash, files, sweeps, now));
        }
        self.write(Lane::User, Use::of(hash, files, sweeps, now)?).await
    }

    /// Makes the office under its first rule set; `false` when there is one already, also when somebody else makes it at this moment.
    pub async fn add_office(
        &self,
        hash: &str,
        files: &IndexMap<String, String>,
        sweeps: &[String],
        now: Instant,
    ) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            let is_new = model.revision == 0;
            if is_new {
                model.use_rules(hash, files, sweeps, now);
            }
            return Ok(is_new);
        }
        self.write(Lane::User, Add(Use::of(hash, files, sweeps, now)?)).await
    }

    /// Every open item is known to have been derived under this revision, if it is still the one in use.
    pub async fn note_derived(&self, revision: u64) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.note_derived(revision);
            return Ok(());
        }
        self.write(Lane::Background, Note { statement: statements::JURISDICTION_DERIVED, revision: revision as i64 }).await
    }

    /// Some of them may not have been after all: this process wrote under the revision before until now.
    pub async fn doubt_derived(&self, revision: u64) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.doubt_derived(revision);
            return Ok(());
        }
        self.write(Lane::Background, Note { statement: statements::JURISDICTION_DOUBTED, revision: revision as i64 }).await
    }
}

fn stored((hash, revision, files, since): (String, i64, String, i64)) -> Result<StoredRules, StoreError> {
    let files = serde_json::from_str(&files).map_err(|_| StoreError::Damaged(format!("the files of rule set {hash} cannot be read")))?;
    Ok(StoredRules { hash, revision: revision as u64, files, in_use_since: instant(since)? })
}

struct Use {
    hash: String,
    files: String,
    sweeps: String,
    now: i64,
}

impl Use {
    fn of(hash: &str, files: &IndexMap<String, String>, sweeps: &[String], now: Instant) -> Result<Use, StoreError> {
        let files = serde_json::to_string(files).map_err(|error| StoreError::NotDone(error.to_string()))?;
        Ok(Use { hash: hash.to_string(), files, sweeps: rows(sweeps), now: now.timestamp_millis() })
    }
}

struct Add(Use);

impl Write for Add {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        lock(connection).await?;
        let added = on!(&mut *connection, c, sql => sqlx::query(sql(statements::JURISDICTION_ADD)).bind(1_i64).bind(here).execute(&mut *c).await?.rows_affected());
        if added == 1 {
            self.0.write(connection, here).await?;
        }
        Ok(added == 1)
    }
}

impl Write for Use {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        lock(connection).await?;
        let last: Option<(String, i64)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::RULES_HASH)).bind(here).fetch_optional(&mut *c).await)?;
        let (revision, same) = match last {
            Some((hash, revision)) if hash == self.hash => (revision as u64, true),
            Some((_, revision)) => (revision as u64 + 1, false),
            None => (1, false),
        };
        let into_use = IntoUse { hash: &self.hash, files: &self.files, sweeps: &self.sweeps, record: "{}", now: self.now };
        if !same {
            put(connection, here, revision, &into_use).await?;
        }
        schedule(connection, here, &into_use).await?;
        Ok(revision)
    }
}

/// A rule set on its way into use.
pub(super) struct IntoUse<'a> {
    pub hash: &'a str,
    /// Its files as JSON.
    pub files: &'a str,
    /// Its sweeps as rows of a batch.
    pub sweeps: &'a str,
    /// How it came into use, as JSON.
    pub record: &'a str,
    pub now: i64,
}

/// Sweeps as rows of a batch.
pub(super) fn rows(sweeps: &[String]) -> String {
    batch(&sweeps.iter().map(|sweep| [sweep]).collect::<Vec<_>>())
}

/// One change of the rules in use at a time.
pub(super) async fn lock(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let _: Option<(String,)> = on!(connection, c, sql => sqlx::query_as(sql(statements::RULES_LOCK)).fetch_optional(&mut *c).await)?;
    Ok(())
}

/// Stores a rule set and puts it into use under a revision.
pub(super) async fn put(connection: &mut Connection, here: &str, revision: u64, rules: &IntoUse<'_>) -> Result<(), sqlx::Error> {
    let revision = revision as i64;
    let IntoUse { hash, files, record, now, .. } = rules;
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::RULES_TEXT)).bind(hash).bind(files).execute(&mut *c).await.map(|_| ()))?;
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::RULES_PUT)).bind(hash).bind(revision).bind(now).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::PUBLISH_PUT))
        .bind(revision).bind(hash).bind(now).bind(record).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::JURISDICTION_PUT)).bind(revision).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(connection, c, sql => sqlx::query(sql(statements::SCHEDULE_LOOK)).bind(now).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// Its sweeps are those that are looked at from now on.
pub(super) async fn schedule(connection: &mut Connection, here: &str, rules: &IntoUse<'_>) -> Result<(), sqlx::Error> {
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::SCHEDULE_DROP)).bind(rules.sweeps).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(connection, c, sql => sqlx::query(sql(statements::SCHEDULE_ADD))
        .bind(rules.sweeps).bind(rules.now).bind(here).execute(&mut *c).await.map(|_| ()))
}

struct Note {
    statement: &'static str,
    revision: i64,
}

impl Write for Note {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(self.statement)).bind(self.revision).bind(here).execute(&mut *c).await.map(|_| ()))
    }
}
