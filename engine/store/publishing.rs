//! A rule set that comes into use while items are open: in one transaction with the record of who chose what, and only if nothing has moved
//! since somebody saw what it would do.

use super::audit::{self, Entry};
use super::dialect::{Connection, Driver, on, run};
use super::items::HISTORIC;
use super::rulesets;
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use indexmap::IndexMap;

/// A rule set that came into use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub revision: u64,
    pub hash: String,
    pub at: Instant,
    /// What the app noted of it, as JSON.
    pub record: String,
}

/// An open item, for looking at all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenItem {
    pub id: String,
    pub workflow: String,
    pub rev: u64,
    /// It came in as history and owes nothing yet.
    pub historic: bool,
}

/// A rule set about to come into use.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// The rule set that has to be in use now.
    pub before: String,
    pub revision: u64,
    /// The open items with their revisions, in the order of their ids, have to give this; see [`OpenItem`].
    pub items: String,
    pub hash: String,
    pub files: IndexMap<String, String>,
    pub sweeps: Vec<String>,
    pub record: String,
    pub at: Instant,
    /// What the trail says of it.
    pub audit: Vec<Entry>,
}

/// A publication that waits for a second person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    pub at: Instant,
    /// What the app noted of it, as JSON.
    pub record: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublishEnd {
    /// In use, under this revision.
    Done(u64),
    /// Another rule set is in use; nothing was written.
    OtherRules,
    /// Items have moved; nothing was written.
    Moved,
}

/// Says of items with their revisions, in the order of their ids, what tells them from others.
pub type Digest = fn(&[(String, u64)]) -> String;

impl Store {
    /// Everything that came into use, in order.
    pub async fn published(&self) -> Result<Vec<Published>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.published());
        }
        let rows: Vec<(i64, String, i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::PUBLISHED))
            .bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(revision, hash, at, record): (i64, String, i64, String)| {
            Ok(Published { revision: revision as u64, hash, at: instant(at)?, record })
        };
        rows.into_iter().map(read).collect()
    }

    /// At most `limit` open items behind `after` in the order of their ids.
    pub async fn open_items(&self, after: &str, limit: u32) -> Result<Vec<OpenItem>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.open_items(after, limit));
        }
        let rows: Vec<(String, String, i64, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::OPEN_ITEMS))
            .bind(after).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(id, workflow, rev, rules_rev): (String, String, i64, i64)| OpenItem {
            id,
            workflow,
            rev: rev as u64,
            historic: rules_rev as u64 == HISTORIC,
        };
        Ok(rows.into_iter().map(read).collect())
    }

    /// Notes that somebody wishes a plan to come true; whoever was first stays, and only their wish is on the trail. Gives what stands.
    pub async fn propose(&self, plan: &str, record: &str, at: Instant, entry: Entry) -> Result<Proposal, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.propose(plan, record, at, entry));
        }
        let propose = Propose { plan: plan.to_string(), record: record.to_string(), at: at.timestamp_millis(), entry };
        let (at, record) = self.write(Lane::User, propose).await?;
        Ok(Proposal { at: instant(at)?, record })
    }

    /// Who wishes a plan to come true.
    pub async fn proposal(&self, plan: &str) -> Result<Option<Proposal>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.proposal(plan));
        }
        let row: Option<(i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::PROPOSAL))
            .bind(plan).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(|(at, record)| Ok(Proposal { at: instant(at)?, record })).transpose()
    }

    /// Everything that waits for a second person, by the sum of its plan, the earliest first.
    pub async fn proposals(&self) -> Result<Vec<(String, Proposal)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.proposals());
        }
        let rows: Vec<(String, i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::PROPOSALS))
            .bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(|(plan, at, record)| Ok((plan, Proposal { at: instant(at)?, record }))).collect()
    }

    /// Puts a rule set into use, if all is as it has to be: all of it or nothing.
    pub async fn publish(&self, publishing: Publishing, digest: Digest) -> Result<PublishEnd, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.publish(&publishing, digest));
        }
        let files = serde_json::to_string(&publishing.files).map_err(|error| StoreError::NotDone(error.to_string()))?;
        self.write(Lane::User, Publish { publishing, files, digest }).await
    }
}

struct Propose {
    plan: String,
    record: String,
    at: i64,
    entry: Entry,
}

impl Write for Propose {
    type Answer = (i64, String);

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(i64, String), sqlx::Error> {
        let added = on!(&mut *connection, c, sql => sqlx::query(sql(statements::PROPOSAL_PUT))
            .bind(&self.plan).bind(self.at).bind(&self.record).bind(here).execute(&mut *c).await?.rows_affected());
        if added == 1 {
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        on!(connection, c, sql => sqlx::query_as(sql(statements::PROPOSAL)).bind(&self.plan).bind(here).fetch_one(&mut *c).await)
    }
}

struct Publish {
    publishing: Publishing,
    files: String,
    digest: Digest,
}

impl Write for Publish {
    type Answer = PublishEnd;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<PublishEnd, sqlx::Error> {
        let Publishing { before, revision, items, hash, sweeps, record, at, .. } = &self.publishing;
        rulesets::lock(connection).await?;
        let in_use: Option<(String, i64)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::RULES_HASH)).bind(here).fetch_optional(&mut *c).await)?;
        if in_use != Some((before.clone(), *revision as i64)) {
            return Ok(PublishEnd::OtherRules);
        }
        if let Driver::Postgres(_) = connection {
            // Nobody else writes items until this is through: what is compared stays as it is.
            run(connection, "lock table item in share row exclusive mode").await?;
        }
        let open: Vec<(String, i64)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::OPEN_REVISIONS)).bind(here).fetch_all(&mut *c).await)?;
        let open: Vec<(String, u64)> = open.into_iter().map(|(id, rev)| (id, rev as u64)).collect();
        if (self.digest)(&open) != *items {
            return Ok(PublishEnd::Moved);
        }
        let into_use = rulesets::IntoUse { hash, files: &self.files, sweeps: &rulesets::rows(sweeps), record, now: at.timestamp_millis() };
        rulesets::put(connection, here, revision + 1, &into_use).await?;
        rulesets::schedule(connection, here, &into_use).await?;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::PROPOSALS_DROP)).bind(here).execute(&mut *c).await.map(|_| ()))?;
        audit::put(connection, here, &self.publishing.audit).await?;
        Ok(PublishEnd::Done(revision + 1))
    }
}
