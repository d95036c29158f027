//! Rule sets that were in use, as the texts of their files: what a fact names by its hash can be read again.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
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
        let row: Option<(String, i64, String, i64)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::RULES_IN_USE)).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(stored).transpose()
    }

    /// The revision of the rule set in use; 0 before there is one.
    pub async fn rules_revision(&self) -> Result<u64, StoreError> {
        let (revision,): (Option<i64>,) = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::RULES_REVISION)).bind(&*self.jurisdiction).fetch_one(pool).await)?;
        Ok(revision.unwrap_or(0) as u64)
    }

    pub async fn rules(&self, hash: &str) -> Result<Option<StoredRules>, StoreError> {
        let row: Option<(String, i64, String, i64)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::RULES_GET)).bind(hash).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(stored).transpose()
    }

    /// Stores a rule set and puts it into use; answers its revision.
    pub async fn use_rules(&self, hash: &str, files: &IndexMap<String, String>, now: Instant) -> Result<u64, StoreError> {
        let files = serde_json::to_string(files).map_err(|error| StoreError::NotDone(error.to_string()))?;
        self.write(Lane::User, Use { hash: hash.to_string(), files, now: now.timestamp_millis() }).await
    }
}

fn stored((hash, revision, files, since): (String, i64, String, i64)) -> Result<StoredRules, StoreError> {
    let files = serde_json::from_str(&files).map_err(|_| StoreError::Damaged(format!("the files of rule set {hash} cannot be read")))?;
    Ok(StoredRules { hash, revision: revision as u64, files, in_use_since: instant(since)? })
}

struct Use {
    hash: String,
    files: String,
    now: i64,
}

impl Write for Use {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        let _: Option<(String,)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::RULES_LOCK)).fetch_optional(&mut *c).await)?;
        let last: Option<(String, i64, String, i64)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::RULES_IN_USE)).bind(here).fetch_optional(&mut *c).await)?;
        let revision = match last {
            Some((hash, revision, _, _)) if hash == self.hash => return Ok(revision as u64),
            Some((_, revision, _, _)) => revision + 1,
            None => 1,
        };
        on!(connection, c, sql => sqlx::query(sql(statements::RULES_PUT))
            .bind(&self.hash).bind(revision).bind(&self.files).bind(self.now).bind(here).execute(&mut *c).await.map(|_| ()))?;
        Ok(revision as u64)
    }
}
