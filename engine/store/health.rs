//! What waits, how much of it and since when: the figures by which somebody outside sees how an installation is doing.

use super::dialect::on;
use super::everywhere::Everywhere;
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use serde::Serialize;
use std::collections::BTreeMap;

/// So many wait, the first since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    pub count: u64,
    pub oldest: Option<Instant>,
}

/// What waits at a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Items whose moment has come; the first moment.
    pub due: Waiting,
    /// Notices that may be mailed; the first moment.
    pub ready: Waiting,
    /// Notices that a person has to let go.
    pub parked: Waiting,
    /// Those of them that are held because the database is a restored one.
    pub restored: Waiting,
    /// Jurisdictions whose mails are held as they were unusually many; since when the first have been.
    pub held: Waiting,
    /// Items that were set aside; since when the first has been.
    pub set_aside: Waiting,
    /// Mails that have not ended, by status; when the first was composed.
    pub mails: BTreeMap<String, Waiting>,
    /// When the last verified backup was taken.
    pub backup: Option<Instant>,
}

/// How much of something waits in one jurisdiction, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Share {
    pub office: String,
    pub count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
}

/// The jurisdictions that have waited longest, for each thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Worst {
    pub due: Vec<Share>,
    pub parked: Vec<Share>,
    pub set_aside: Vec<Share>,
    /// Notices that may be mailed, and mails that have not ended.
    pub unsent: Vec<Share>,
}

impl Health {
    /// All mails that have not ended.
    pub fn unsent(&self) -> Waiting {
        let oldest = self.mails.values().filter_map(|waiting| waiting.oldest).min();
        Waiting { count: self.mails.values().map(|waiting| waiting.count).sum(), oldest }
    }
}

impl Store {
    /// What waits now, in one question.
    pub async fn health(&self, now: Instant) -> Result<Health, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.health(now));
        }
        self.health_of(Some(&self.jurisdiction), now).await
    }

    /// The same of one jurisdiction, or of all.
    async fn health_of(&self, jurisdiction: Option<&str>, now: Instant) -> Result<Health, StoreError> {
        let rows: Vec<(String, i64, Option<i64>)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::HEALTH))
            .bind(now.timestamp_millis()).bind(jurisdiction).fetch_all(pool).await)?;
        let mut health = Health::default();
        for (what, count, oldest) in rows {
            let waiting = Waiting { count: count as u64, oldest: oldest.map(instant).transpose()? };
            match what.as_str() {
                "due" => health.due = waiting,
                "ready" => health.ready = waiting,
                "parked" => health.parked = waiting,
                "restored" => health.restored = waiting,
                "held" => health.held = waiting,
                "set aside" => health.set_aside = waiting,
                "backup" => health.backup = waiting.oldest,
                what => {
                    let status = what.strip_prefix("mail ").unwrap_or(what);
                    health.mails.insert(status.to_string(), waiting);
                }
            }
        }
        Ok(health)
    }

    /// How many open items were last derived under older rules than `rules_rev`. It costs what is stored.
    pub async fn count_stale(&self, rules_rev: u64) -> Result<u64, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_stale(rules_rev));
        }
        let (count,): (i64,) = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_STALE))
            .bind(rules_rev as i64).bind(&*self.jurisdiction).fetch_one(pool).await)?;
        Ok(count as u64)
    }
}

impl Everywhere<'_> {
    /// What waits now in all jurisdictions.
    pub async fn health(&self, now: Instant) -> Result<Health, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().health(now));
        }
        self.store().health_of(None, now).await
    }

    /// For each thing that waits, at most `limit` jurisdictions, those that have waited longest first.
    pub async fn worst(&self, now: Instant, limit: u32) -> Result<Worst, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().worst(now, limit));
        }
        let rows: Vec<(String, String, i64, Option<i64>)> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::HEALTH_WORST))
            .bind(now.timestamp_millis()).bind(i64::from(limit)).fetch_all(pool).await)?;
        let mut worst = Worst::default();
        for (what, office, count, since) in rows {
            let share = Share { office, count: count as u64, since: since.map(instant).transpose()? };
            match what.as_str() {
                "due" => worst.due.push(share),
                "parked" => worst.parked.push(share),
                "set aside" => worst.set_aside.push(share),
                _ => worst.unsent.push(share),
            }
        }
        Ok(worst)
    }
}
