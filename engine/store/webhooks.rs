//! Other programs that want to hear of what happens, and what each is to be told. What it is told is written with the facts (see `save`);
//! here it is claimed, and what became of it recorded, as of mails.

use super::audit::{self, Entry};
use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::health::Waiting;
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements};
use crate::kernel::model::event::Event;
use crate::kernel::time::Instant;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Another program.
#[derive(Clone, PartialEq, Eq)]
pub struct Webhook {
    pub id: String,
    pub url: String,
    /// As it was agreed with the other program: what is signed has to be signed again.
    pub secret: String,
    /// What it wants to hear of.
    pub events: Vec<String>,
    /// Nobody, when it stands in the settings.
    pub made_by: Option<String>,
    pub made_at: Instant,
    /// Since when it is told nothing.
    pub stopped_at: Option<Instant>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("id", &self.id).field("url", &self.url).field("events", &self.events).finish_non_exhaustive()
    }
}

/// One thing that one of them is told. The same fact is told it once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub webhook: String,
    pub item: String,
    pub seq: u64,
    pub kind: String,
}

/// What this process may try to tell until its claim ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    pub jurisdiction: Arc<str>,
    pub key: Key,
    pub event: Event,
    /// This one included.
    pub attempts: u32,
    pub fence: u64,
    pub created_at: Instant,
}

/// What became of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    pub jurisdiction: Arc<str>,
    pub key: Key,
    pub fence: u64,
    pub end: End,
    /// What was answered, or why nobody was asked.
    pub reply: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The other program said that it has it.
    Done,
    /// Try again; whatever else waits for it waits as long.
    Later(Instant),
    /// A person has to look.
    Parked,
}

/// How something stands that is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryRow {
    pub key: Key,
    pub event: Event,
    pub status: String,
    pub attempts: u32,
    pub next_try: Option<Instant>,
    pub reply: Option<String>,
    pub created_at: Instant,
    pub ended_at: Option<Instant>,
}

/// The statuses there are.
pub const DELIVERY_STATUSES: &[&str] = &["ready", "claimed", "parked", "done", "cancelled"];

/// How many there are, by webhook and status.
pub type Counts = BTreeMap<(String, String), u64>;

impl Store {
    /// Makes one, or changes address, secret and events of the one that is there.
    pub async fn put_webhook(&self, webhook: Webhook, entry: Entry) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.put_webhook(&webhook, &entry);
            return Ok(());
        }
        self.write(Lane::User, Put { webhook, entry }).await
    }

    pub async fn webhooks(&self) -> Result<Vec<Webhook>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.webhooks());
        }
        type Row = (String, String, String, Option<String>, i64, Option<i64>);
        let rows: Vec<Row> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::WEBHOOKS)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let wanted: Vec<(String, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::WEBHOOK_EVENTS))
            .bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(id, url, secret, made_by, made_at, stopped_at): Row| {
            let events = wanted.iter().filter(|(webhook, _)| *webhook == id).map(|(_, event)| event.clone()).collect();
            let (made_at, stopped_at) = (instant(made_at)?, stopped_at.map(instant).transpose()?);
            Ok(Webhook { id, url, secret, events, made_by, made_at, stopped_at })
        };
        rows.into_iter().map(read).collect()
    }

    /// It is told nothing from now on, or again. What waits for one that is stopped is parked. False when it stands so already.
    pub async fn stop_webhook(&self, id: &str, stop: bool, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.stop_webhook(id, stop, &entry));
        }
        self.write(Lane::User, Stop { id: id.to_string(), stop, entry }).await
    }

    /// Forgets one; what was to be told is cancelled.
    pub async fn drop_webhook(&self, id: &str, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.drop_webhook(id, &entry));
        }
        self.write(Lane::User, Remove { id: id.to_string(), entry }).await
    }

    /// What is told, the latest first.
    pub async fn deliveries(&self, status: Option<&str>, limit: u32) -> Result<Vec<DeliveryRow>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.deliveries(status, limit));
        }
        type Row = (String, String, i64, String, String, String, i64, Option<i64>, Option<String>, i64, Option<i64>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::DELIVERIES))
            .bind(status).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let moment = |at: Option<i64>| at.map(instant).transpose();
        let read = |(webhook, item, seq, kind, told, status, attempts, next_try, reply, created_at, ended_at): Row| {
            let (next_try, created_at, ended_at) = (moment(next_try)?, instant(created_at)?, moment(ended_at)?);
            let key = Key { webhook, item, seq: seq as u64, kind };
            Ok(DeliveryRow { event: event(&told)?, key, status, attempts: attempts as u32, next_try, reply, created_at, ended_at })
        };
        rows.into_iter().map(read).collect()
    }

    pub async fn count_deliveries(&self) -> Result<Counts, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_deliveries());
        }
        let rows: Vec<(String, String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::DELIVERY_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(webhook, status, count)| ((webhook, status), count as u64)).collect())
    }

    /// What is parked is tried again, or what has not ended is cancelled: one thing, or all of a webhook. Gives how many.
    pub async fn let_go_deliveries(&self, webhook: &str, one: Option<Key>, cancel: bool, now: Instant) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.let_go_deliveries(webhook, one.as_ref(), cancel, now));
        }
        self.write(Lane::User, LetGo { webhook: webhook.to_string(), one, cancel, now: now.timestamp_millis() }).await
    }
}

impl Everywhere<'_> {
    /// Claims what may be told now, until `until`. A claim that ran out is claimed again under a higher number.
    pub async fn claim_deliveries(&self, now: Instant, until: Instant, limit: u32) -> Result<Vec<Claimed>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().claim_deliveries(now, until, limit));
        }
        let rows = self.write(Lane::Background, Claim { now: now.timestamp_millis(), until: until.timestamp_millis(), limit }).await?;
        let mut claimed = Vec::with_capacity(rows.len());
        for (jurisdiction, webhook, item, seq, kind, told, attempts, fence, created_at) in rows {
            let key = Key { webhook, item, seq: seq as u64, kind };
            let (attempts, fence, created_at) = (attempts as u32, fence as u64, instant(created_at)?);
            claimed.push(Claimed { jurisdiction: jurisdiction.into(), key, event: event(&told)?, attempts, fence, created_at });
        }
        claimed.sort_by(|a, b| (a.created_at, &a.jurisdiction, &a.key).cmp(&(b.created_at, &b.jurisdiction, &b.key)));
        Ok(claimed)
    }

    /// Records what became of what was claimed. `false` for one whose claim was lost: its result does not count.
    pub async fn finish_deliveries(&self, outcomes: Vec<Outcome>, now: Instant) -> Result<Vec<bool>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().finish_deliveries(&outcomes, now));
        }
        self.write(Lane::Background, Finish { outcomes, now: now.timestamp_millis() }).await
    }

    /// When the first thing may be told.
    pub async fn next_delivery(&self) -> Result<Option<Instant>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().next_delivery());
        }
        let (next,): (Option<i64>,) =
            on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::DELIVERY_NEXT)).fetch_one(pool).await)?;
        next.map(instant).transpose()
    }

    /// What waits for a person, of one jurisdiction or of all.
    pub async fn parked_deliveries(&self, only: Option<&str>) -> Result<Waiting, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().parked_deliveries(only));
        }
        let (count, oldest): (i64, Option<i64>) = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::DELIVERY_PARKED))
            .bind(only).fetch_one(pool).await)?;
        Ok(Waiting { count: count as u64, oldest: oldest.map(instant).transpose()? })
    }

    /// What ended before is forgotten; the facts stay.
    pub async fn forget_deliveries(&self, before: Instant) -> Result<(), StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().forget_deliveries(before);
            return Ok(());
        }
        self.write(Lane::Background, Forget(before.timestamp_millis())).await
    }
}

fn event(json: &str) -> Result<Event, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Damaged(format!("what a program is told cannot be read: {error}")))
}

struct Put {
    webhook: Webhook,
    entry: Entry,
}

impl Write for Put {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        let Webhook { id, url, secret, events, made_by, made_at, .. } = &self.webhook;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_PUT)).bind(id).bind(url).bind(secret).bind(made_by)
            .bind(made_at.timestamp_millis()).bind(here).execute(&mut *c).await.map(|_| ()))?;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_EVENTS_DROP)).bind(id).bind(here).execute(&mut *c).await.map(|_| ()))?;
        let rows = batch(&events.iter().map(|event| [event]).collect::<Vec<_>>());
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_EVENTS_PUT)).bind(rows).bind(id).bind(here).execute(&mut *c).await.map(|_| ()))?;
        audit::put(connection, here, std::slice::from_ref(&self.entry)).await
    }
}

struct Stop {
    id: String,
    stop: bool,
    entry: Entry,
}

impl Write for Stop {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let at = self.entry.at.timestamp_millis();
        let changed = match self.stop {
            true => {
                on!(&mut *connection, c, sql => sqlx::query(sql(statements::DELIVERY_PARK)).bind(&self.id).bind("stopped").bind(here)
                    .execute(&mut *c).await.map(|_| ()))?;
                on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_STOP)).bind(&self.id).bind(at).bind(here)
                    .execute(&mut *c).await?.rows_affected())
            }
            false => on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_START)).bind(&self.id).bind(here)
                .execute(&mut *c).await?.rows_affected()),
        };
        if changed > 0 {
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        Ok(changed > 0)
    }
}

struct Remove {
    id: String,
    entry: Entry,
}

impl Write for Remove {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let gone = on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_DROP)).bind(&self.id).bind(here)
            .execute(&mut *c).await?.rows_affected());
        if gone == 0 {
            return Ok(false);
        }
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::WEBHOOK_EVENTS_DROP)).bind(&self.id).bind(here).execute(&mut *c).await.map(|_| ()))?;
        let nothing: Option<String> = None;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::DELIVERY_CANCEL)).bind(&self.id).bind(&nothing).bind(0_i64)
            .bind(self.entry.at.timestamp_millis()).bind(&nothing).bind(here).execute(&mut *c).await.map(|_| ()))?;
        audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        Ok(true)
    }
}

struct LetGo {
    webhook: String,
    one: Option<Key>,
    cancel: bool,
    now: i64,
}

impl Write for LetGo {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        let statement = if self.cancel { statements::DELIVERY_CANCEL } else { statements::DELIVERY_RELEASE };
        let (item, kind) = (self.one.as_ref().map(|key| &key.item), self.one.as_ref().map(|key| &key.kind));
        let seq = self.one.as_ref().map_or(0, |key| key.seq as i64);
        on!(connection, c, sql => Ok(sqlx::query(sql(statement)).bind(&self.webhook).bind(item).bind(seq).bind(self.now).bind(kind).bind(here)
            .execute(&mut *c).await?.rows_affected()))
    }
}

type ClaimedRow = (String, String, String, i64, String, String, i64, i64, i64);

struct Claim {
    now: i64,
    until: i64,
    limit: u32,
}

impl Write for Claim {
    type Answer = Vec<ClaimedRow>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::DELIVERY_CLAIM)).bind(self.now).bind(self.until).bind(i64::from(self.limit))
            .fetch_all(&mut *c).await)
    }
}

struct Finish {
    outcomes: Vec<Outcome>,
    now: i64,
}

impl Write for Finish {
    type Answer = Vec<bool>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Vec<bool>, sqlx::Error> {
        let mut counted = Vec::with_capacity(self.outcomes.len());
        for Outcome { jurisdiction, key, fence, end, reply } in &self.outcomes {
            let (status, next_try, ended_at) = end.row(self.now);
            let done = on!(&mut *connection, c, sql => sqlx::query(sql(statements::DELIVERY_FINISH)).bind(&key.webhook).bind(&key.item)
                .bind(key.seq as i64).bind(&key.kind).bind(status).bind(reply).bind(next_try).bind(ended_at).bind(*fence as i64)
                .bind(&**jurisdiction).execute(&mut *c).await?.rows_affected());
            if let (true, Some(next_try)) = (done > 0, next_try) {
                on!(&mut *connection, c, sql => sqlx::query(sql(statements::DELIVERY_PUT_OFF)).bind(&key.webhook).bind(next_try)
                    .bind(&**jurisdiction).execute(&mut *c).await.map(|_| ()))?;
            }
            counted.push(done > 0);
        }
        Ok(counted)
    }
}

impl End {
    /// Status, next try, and when it ended.
    fn row(self, now: i64) -> (&'static str, Option<i64>, Option<i64>) {
        match self {
            End::Done => ("done", None, Some(now)),
            End::Later(at) => ("ready", Some(at.timestamp_millis()), None),
            End::Parked => ("parked", None, None),
        }
    }
}

struct Forget(i64);

impl Write for Forget {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::DELIVERIES_FORGET)).bind(self.0).execute(&mut *c).await.map(|_| ()))
    }
}
