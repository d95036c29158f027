//! Slots of sweeps: each is claimed once by inserting its key, and stays open until it was carried out.

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
        self.write(Lane::Background, Claim { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// The slot was carried out for every item.
    pub async fn finish_slot(&self, slot: &Slot, now: Instant) -> Result<(), StoreError> {
        self.write(Lane::Background, Finish { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// The latest slot of a sweep that was claimed.
    pub async fn last_slot(&self, sweep: &str) -> Result<Option<Slot>, StoreError> {
        let row: Option<(String, i64, Option<i64>)> =
            on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::SLOT_LAST)).bind(sweep).fetch_optional(pool).await)?;
        row.map(|(slot, at, _)| Ok(Slot { sweep: sweep.to_string(), slot, at: instant(at)? })).transpose()
    }

    /// Slots that were claimed but not carried out to the end, the oldest first: a process died in between.
    pub async fn open_slots(&self) -> Result<Vec<Slot>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::SLOT_OPEN)).fetch_all(pool).await)?;
        rows.into_iter().map(|(sweep, slot, at)| Ok(Slot { sweep, slot, at: instant(at)? })).collect()
    }
}

struct Claim {
    slot: Slot,
    now: i64,
}

impl Write for Claim {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection) -> Result<bool, sqlx::Error> {
        let done = on!(connection, c, sql => sqlx::query(sql(statements::SLOT_CLAIM))
            .bind(&self.slot.sweep).bind(&self.slot.slot).bind(self.slot.at.timestamp_millis()).bind(self.now)
            .execute(&mut *c).await?.rows_affected());
        Ok(done == 1)
    }
}

struct Finish {
    slot: Slot,
    now: i64,
}

impl Write for Finish {
    type Answer = ();

    async fn write(&self, connection: &mut Connection) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::SLOT_DONE))
            .bind(&self.slot.sweep).bind(&self.slot.slot).bind(self.now).execute(&mut *c).await.map(|_| ()))?;
        Ok(())
    }
}
