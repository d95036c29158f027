//! What the one scheduler asks of all jurisdictions at once: whose moment has come, which mails may go, and when to look next.
//!
//! What is found names its jurisdiction; working it is done by that one's own handle. Jurisdictions that cannot be worked now are left out
//! by name, so that theirs stands in nobody's way.

use super::dialect::{Connection, on};
use super::items::WakeUp;
use super::outbox::NoticeEnd;
use super::slots::Slot;
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements};
use crate::kernel::model::decision::Notice;
use crate::kernel::time::Instant;
use chrono::TimeDelta;
use std::sync::Arc;

/// The database without regard to whose rows they are.
#[derive(Clone, Copy, Debug)]
pub struct Everywhere<'a>(&'a Store);

/// Jurisdictions that are left out.
pub type Except<'a> = &'a [Arc<str>];

/// The earliest moments at which there may be something to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NextMoments {
    /// Of an item.
    pub wake_up: Option<Instant>,
    /// Of a notice, or of a mail that is still to be handed over.
    pub mail: Option<Instant>,
    /// Of a sweep's next slot.
    pub slot: Option<Instant>,
    /// When the first slot was claimed that is not carried out yet.
    pub open_slot: Option<Instant>,
    /// Open items of some jurisdiction may have been derived under an earlier revision of their rules.
    pub stale: bool,
}

impl NextMoments {
    /// The first moment of anything; `open_after` is how long after its claim an open slot is taken over.
    pub fn first(&self, open_after: TimeDelta) -> Option<Instant> {
        let open_slot = self.open_slot.map(|claimed| claimed + open_after);
        [self.wake_up, self.mail, self.slot, open_slot].into_iter().flatten().min()
    }
}

/// A sweep whose next slot has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueSweep {
    pub jurisdiction: Arc<str>,
    /// Workflow and sweep.
    pub sweep: String,
    pub at: Instant,
}

/// An office of the database, and the rule set that it has in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jurisdiction {
    pub id: String,
    pub revision: u64,
    /// The hash of the rule set.
    pub rules: String,
    pub in_use_since: Instant,
}

impl Store {
    /// The same database, without regard to whose rows they are.
    pub fn everywhere(&self) -> Everywhere<'_> {
        Everywhere(self)
    }
}

impl Everywhere<'_> {
    /// Items whose moment has come, the earliest first. It costs what is due, not what is open. Where other processes work the database
    /// too, nobody else works these before `until`; where there is nobody else they are only read.
    pub async fn take_due(&self, now: Instant, until: Instant, limit: u32, except: Except<'_>) -> Result<Vec<WakeUp>, StoreError> {
        if let Some(mut model) = self.0.model_to_write().await? {
            return Ok(model.all_mut().take_due(now, until, limit, except, self.0.is_shared()));
        }
        let (now, except) = (now.timestamp_millis(), names(except));
        if !self.0.is_shared() {
            let rows: Vec<(String, String, String, i64, i64)> = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::WAKE_DUE))
                .bind(now).bind(i64::from(limit)).bind(except).fetch_all(pool).await)?;
            let read = |(jurisdiction, item, workflow, at, retries): (String, String, String, i64, i64)| {
                Ok(WakeUp { jurisdiction: jurisdiction.into(), item, workflow, at: instant(at)?, retries: retries as u32, fence: None })
            };
            return rows.into_iter().map(read).collect();
        }
        let rows = self.write(Lane::Background, TakeDue { now, until: until.timestamp_millis(), limit, except }).await?;
        let read = |(jurisdiction, item, workflow, at, retries, fence): TakenRow| {
            let (at, retries, fence) = (instant(at)?, retries as u32, Some(fence as u64));
            Ok(WakeUp { jurisdiction: jurisdiction.into(), item, workflow, at, retries, fence })
        };
        let mut taken = rows.into_iter().map(read).collect::<Result<Vec<_>, StoreError>>()?;
        taken.sort_by(|a, b| (a.at, &a.jurisdiction, &a.item).cmp(&(b.at, &b.jurisdiction, &b.item)));
        Ok(taken)
    }

    /// The first moments at which there may be something to do, in one question; items that somebody works now are left out.
    pub async fn next_moments(&self, now: Instant, except: Except<'_>) -> Result<NextMoments, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().next_moments(now, except));
        }
        type Row = (Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<i64>, Option<String>);
        let (wake_up, notice, mail, slot, open, stale): Row = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::NEXT_MOMENTS))
            .bind(now.timestamp_millis()).bind(names(except)).fetch_one(pool).await)?;
        let mail = notice.into_iter().chain(mail).min();
        let moment = |at: Option<i64>| at.map(instant).transpose();
        Ok(NextMoments {
            wake_up: moment(wake_up)?,
            mail: moment(mail)?,
            slot: moment(slot)?,
            open_slot: moment(open)?,
            stale: stale.is_some(),
        })
    }

    /// Notices whose moment has come, each with its jurisdiction, the earliest first.
    pub async fn notices_due(&self, now: Instant, limit: u32, except: Except<'_>) -> Result<Vec<(Arc<str>, Notice)>, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().notices_due(now, limit, except));
        }
        let rows = self.notice_rows(now, limit, except).await?;
        rows.into_iter().map(|(jurisdiction, key, json)| Ok((jurisdiction.into(), super::outbox::notice((key, json))?))).collect()
    }

    /// Parks the first notices that are due and cannot be read, each with the reason; gives how many.
    pub async fn park_unreadable(&self, now: Instant, limit: u32, except: Except<'_>) -> Result<u64, StoreError> {
        let mut parked = 0;
        for (jurisdiction, key, json) in self.notice_rows(now, limit, except).await? {
            if let Err(unreadable) = super::outbox::notice((key.clone(), json)) {
                parked += self.0.of(&jurisdiction).end_notices(vec![key], NoticeEnd::Parked, &unreadable.to_string()).await?;
            }
        }
        Ok(parked)
    }

    async fn notice_rows(&self, now: Instant, limit: u32, except: Except<'_>) -> Result<Vec<(String, String, String)>, StoreError> {
        Ok(on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::NOTICE_DUE))
            .bind(now.timestamp_millis()).bind(i64::from(limit)).bind(names(except)).fetch_all(pool).await)?)
    }

    /// Takes over slots that were claimed by `before` and left open, the oldest first: a process died over them, or an item was set aside.
    pub async fn take_open_slots(
        &self,
        before: Instant,
        now: Instant,
        limit: u32,
        except: Except<'_>,
    ) -> Result<Vec<(Arc<str>, Slot)>, StoreError> {
        if let Some(mut model) = self.0.model_to_write().await? {
            return Ok(model.all_mut().take_open_slots(before, now, limit, except));
        }
        let take = TakeSlots { before: before.timestamp_millis(), now: now.timestamp_millis(), limit, except: names(except) };
        let rows = self.write(Lane::Background, take).await?;
        let read = |(jurisdiction, sweep, slot, at): SlotRow| Ok((jurisdiction.into(), Slot { sweep, slot, at: instant(at)? }));
        let mut slots = rows.into_iter().map(read).collect::<Result<Vec<(Arc<str>, Slot)>, StoreError>>()?;
        slots.sort_by(|(a, x), (b, y)| (x.at, a, &x.sweep).cmp(&(y.at, b, &y.sweep)));
        Ok(slots)
    }

    /// Sweeps whose next slot has come, or may have.
    pub async fn sweeps_due(&self, now: Instant, limit: u32, except: Except<'_>) -> Result<Vec<DueSweep>, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().sweeps_due(now, limit, except));
        }
        let rows: Vec<(String, String, i64)> = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::SCHEDULE_DUE))
            .bind(now.timestamp_millis()).bind(i64::from(limit)).bind(names(except)).fetch_all(pool).await)?;
        let read =
            |(jurisdiction, sweep, at): (String, String, i64)| Ok(DueSweep { jurisdiction: jurisdiction.into(), sweep, at: instant(at)? });
        rows.into_iter().map(read).collect()
    }

    /// Jurisdictions whose open items may have been derived under an earlier revision of their rules.
    pub async fn stale(&self, limit: u32, except: Except<'_>) -> Result<Vec<String>, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().stale(limit, except));
        }
        let rows: Vec<(String,)> = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::JURISDICTION_STALE))
            .bind(names(except)).bind(i64::from(limit)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// All jurisdictions behind `after` in the order of their names.
    pub async fn jurisdictions(&self, after: &str, limit: u32) -> Result<Vec<Jurisdiction>, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().jurisdictions(after, limit));
        }
        let rows: Vec<(String, i64, String, i64)> = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::JURISDICTIONS))
            .bind(after).bind(i64::from(limit)).fetch_all(pool).await)?;
        let read = |(id, revision, rules, since): (String, i64, String, i64)| {
            Ok(Jurisdiction { id, revision: revision as u64, rules, in_use_since: instant(since)? })
        };
        rows.into_iter().map(read).collect()
    }

    /// The revisions of the rule sets in use in some of them.
    pub async fn revisions(&self, jurisdictions: &[Arc<str>]) -> Result<Vec<(String, u64)>, StoreError> {
        if let Some(model) = self.0.model().await? {
            return Ok(model.all().revisions(jurisdictions));
        }
        let rows: Vec<(String, i64)> = on!(self.0.readers()?, pool, sql => sqlx::query_as(sql(statements::JURISDICTION_REVISIONS))
            .bind(names(jurisdictions)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(id, revision)| (id, revision as u64)).collect())
    }

    pub(super) fn store(&self) -> &Store {
        self.0
    }

    pub(super) async fn write<W: Write>(&self, lane: Lane, write: W) -> Result<W::Answer, StoreError> {
        self.0.write(lane, write).await
    }
}

fn names(jurisdictions: &[Arc<str>]) -> String {
    batch(&jurisdictions.iter().map(|name| [name]).collect::<Vec<_>>())
}

type TakenRow = (String, String, String, i64, i64, i64);

struct TakeDue {
    now: i64,
    until: i64,
    limit: u32,
    except: String,
}

impl Write for TakeDue {
    type Answer = Vec<TakenRow>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::WAKE_TAKE))
            .bind(self.now).bind(self.until).bind(i64::from(self.limit)).bind(&self.except).fetch_all(&mut *c).await)
    }
}

type SlotRow = (String, String, String, i64);

struct TakeSlots {
    before: i64,
    now: i64,
    limit: u32,
    except: String,
}

impl Write for TakeSlots {
    type Answer = Vec<SlotRow>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::SLOT_TAKE))
            .bind(self.before).bind(self.now).bind(i64::from(self.limit)).bind(&self.except).fetch_all(&mut *c).await)
    }
}
