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

    /// Says that a slot is still being carried out; `false` when it has been finished by another.
    pub async fn renew_slot(&self, slot: &Slot, now: Instant) -> Result<bool, StoreError> {
        self.write(Lane::Background, Renew { slot: slot.clone(), now: now.timestamp_millis() }).await
    }

    /// Takes over slots that were claimed by `before` and left open, the oldest first.
    pub async fn take_open_slots(&self, before: Instant, now: Instant, limit: u32) -> Result<Vec<Slot>, StoreError> {
        let rows = self.write(Lane::Background, Take { before: before.timestamp_millis(), now: now.timestamp_millis(), limit }).await?;
        let read = |(sweep, slot, at)| Ok(Slot { sweep, slot, at: instant(at)? });
        let mut slots = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        slots.sort_by(|a: &Slot, b: &Slot| (a.at, &a.sweep).cmp(&(b.at, &b.sweep)));
        Ok(slots)
    }

    /// The latest slot of a sweep that was claimed.
    pub async fn last_slot(&self, sweep: &str) -> Result<Option<Slot>, StoreError> {
        let row: Option<(String, i64, Option<i64>)> = on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::SLOT_LAST)).bind(sweep).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(|(slot, at, _)| Ok(Slot { sweep: sweep.to_string(), slot, at: instant(at)? })).transpose()
    }

    /// Slots that were claimed but not carried out to the end, the oldest first: a process died in between.
    pub async fn open_slots(&self) -> Result<Vec<Slot>, StoreError> {
        let rows: Vec<(String, String, i64)> =
            on!(&*self.readers, pool, sql => sqlx::query_as(sql(statements::SLOT_OPEN)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(|(sweep, slot, at)| Ok(Slot { sweep, slot, at: instant(at)? })).collect()
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

struct Take {
    before: i64,
    now: i64,
    limit: u32,
}

impl Write for Take {
    type Answer = Vec<(String, String, i64)>;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::SLOT_TAKE))
            .bind(self.before).bind(self.now).bind(i64::from(self.limit)).bind(here).fetch_all(&mut *c).await)
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
