//! Slots of sweeps: each is claimed once by inserting its key, and stays open until it was carried out. When the next one of a sweep comes
//! stands in a row of its own, which is a hint like an item's wake-up: what is due is derived from the schedule and the last slot.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;

/// One firing of a sweep. The sweep's name is the caller's (workflow and sweep), the slot's name its local civil minute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    pub sweep: String,
    pub slot: String,
    pub at: Instant,
}

impl Store {
    /// `true` for the one who claims it first.
    pub async fn claim_slot(&self, slot: &Slot, now: Instant) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.claim_slot(slot, now));
        }
        self.write(Lane::Background, Claim { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// The slot was carried out for every item.
    pub async fn finish_slot(&self, slot: &Slot, now: Instant) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.finish_slot(slot, now);
            return Ok(());
        }
        self.write(Lane::Background, Finish { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// Says that a slot is still being carried out; `false` when it has been finished by another.
    pub async fn renew_slot(&self, slot: &Slot, now: Instant) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.renew_slot(slot, now));
        }
        self.write(Lane::Background, Renew { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// A sweep is looked at again at this moment, as the rules of this revision say; another revision has its own schedule.
    pub async fn schedule(&self, sweep: &str, next: Instant, revision: u64) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.schedule(sweep, next, revision);
            return Ok(());
        }
        let next = Next { sweep: sweep.to_string(), next: next.timestamp_millis(), revision: revision as i64 };
        self.write(Lane::Background, next).await
    }

    /// The latest slot of a sweep that was claimed.
    pub async fn last_slot(&self, sweep: &str) -> Result<Option<Slot>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.last_slot(sweep));
        }
        let row: Option<(String, i64, Option<i64>)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SLOT_LAST)).bind(sweep).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(|(slot, at, _)| Ok(Slot { sweep: sweep.to_string(), slot, at: instant(at)? })).transpose()
    }
}

struct Claim {
    slot: Slot,
    now: i64,
}

impl Write for Claim {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let done = on!(connection, c, sql => sqlx::query(sql(statements::SLOT_CLAIM))
            .bind(&self.slot.sweep).bind(&self.slot.slot).bind(self.slot.at.timestamp_millis()).bind(self.now)
            .bind(here).execute(&mut *c).await?.rows_affected());
        Ok(done == 1)
    }
}

struct Renew {
    slot: Slot,
    now: i64,
}

impl Write for Renew {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let done = on!(connection, c, sql => sqlx::query(sql(statements::SLOT_RENEW))
            .bind(&self.slot.sweep).bind(&self.slot.slot).bind(self.now).bind(here).execute(&mut *c).await.map(|done| done.rows_affected()))?;
        Ok(done == 1)
    }
}

struct Finish {
    slot: Slot,
    now: i64,
}

impl Write for Finish {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::SLOT_DONE))
            .bind(&self.slot.sweep).bind(&self.slot.slot).bind(self.now).bind(here).execute(&mut *c).await.map(|_| ()))?;
        Ok(())
    }
}

struct Next {
    sweep: String,
    next: i64,
    revision: i64,
}

impl Write for Next {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::SCHEDULE_NEXT))
            .bind(&self.sweep).bind(self.next).bind(self.revision).bind(here).execute(&mut *c).await.map(|_| ()))
    }
}
