//! What keeps mails from leaving until a person lets them go, and the count by which an unusual batch is told from a usual one.
//!
//! There is one hold for all jurisdictions, of a restored database, and one for each that wanted to send more than usual within an hour. As long
//! as it stands, what is told is recorded as parked with its reason. The count stands in the database, so that processes share it; it costs
//! one row a group of mails.

use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{Store, StoreError, batch, instant, statements};
use crate::kernel::time::Instant;

use super::backup::LetGo;

/// Why everything is held in a restored database.
pub const RESTORED: &str = "restored";
/// The first word of the reason when it is because of the number of mails.
pub const VOLUME: &str = "volume";
/// What a person has let go leaves, whatever is held, and however much it is.
pub const RELEASED: &str = "released";
/// What holds everybody's mails belongs to no jurisdiction.
pub const EVERYBODY: &str = "*";
/// What left in so many hours says what is usual.
const HOURS: i64 = 28 * 24;
/// Of each so many hours the busiest one is left out, so that a single storm does not become usual.
const LEAVES_OUT: usize = 100;

/// Above which number of mails within an hour a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measure {
    /// So many times what is usual, or was foreseen.
    pub factor: u64,
    /// So many are never held.
    pub at_least: u64,
    /// Mails that were foreseen for the day.
    pub foreseen: u64,
}

impl Measure {
    /// The most mails that may leave within an hour.
    pub fn most(&self, usual: u64) -> u64 {
        usual.max(self.foreseen).saturating_mul(self.factor).max(self.at_least)
    }
}

/// Why more mails are held than a person was asked about: what would have left within the hour of `since`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excess {
    pub since: Instant,
    pub mails: u64,
    pub usual: u64,
    pub foreseen: u64,
}

impl Excess {
    /// As the reason of a notice, which outlives the hold.
    pub(super) fn reason(&self) -> String {
        format!("{VOLUME} {} {} {} {}", self.since.timestamp_millis(), self.mails, self.usual, self.foreseen)
    }

    /// Out of the reason of a notice; nothing for another reason.
    pub fn read(reason: &str) -> Option<Excess> {
        let mut words = reason.split(' ');
        if words.next() != Some(VOLUME) {
            return None;
        }
        let since = words.next()?.parse().ok().and_then(|since| instant(since).ok())?;
        let mut number = || words.next()?.parse().ok();
        Some(Excess { since, mails: number()?, usual: number()?, foreseen: number()? })
    }
}

/// What is held, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Or [`EVERYBODY`].
    pub jurisdiction: String,
    pub reason: String,
    pub since: Instant,
}

/// What became of mails that were to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Of each whether it was.
    pub stored: Vec<bool>,
    /// They would have been too many: nothing leaves any more until a person lets it.
    pub excess: Option<Excess>,
}

/// What is usual, from the mails of past hours.
pub(super) fn usual(mut hours: Vec<u64>) -> u64 {
    hours.sort_unstable_by(|a, b| b.cmp(a));
    let place = hours.len().div_ceil(LEAVES_OUT);
    hours.get(place).copied().unwrap_or(0)
}

pub(super) fn hour(now: i64) -> i64 {
    now.div_euclid(3_600_000)
}

/// The first hour that still counts in one.
pub(super) fn first_hour(hour: i64) -> i64 {
    hour - HOURS
}

type HoldRow = (String, String, i64);

fn hold((jurisdiction, reason, since): HoldRow) -> Result<Hold, StoreError> {
    Ok(Hold { jurisdiction, reason, since: instant(since)? })
}

impl Store {
    /// What holds the mails of this jurisdiction.
    pub async fn hold(&self) -> Result<Option<Hold>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.hold());
        }
        let row: Option<HoldRow> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::HOLD)).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(hold).transpose()
    }

    /// A person has looked at what is held because it was unusually much: it leaves or is cancelled, and what comes from now on is
    /// counted anew. Gives how many notices.
    pub async fn let_go_volume(&self, how: LetGo, reason: &str) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.let_go_volume(how, reason));
        }
        self.write(Lane::User, LetGoVolume { how, reason: reason.to_string() }).await
    }

    /// All parked notices whose reason begins with this word are let go, or cancelled. Gives how many.
    pub async fn let_go_parked(&self, why: &str, how: LetGo, reason: &str) -> Result<u64, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.let_go_parked(why, how, reason));
        }
        self.write(Lane::User, LetGoParked { why: why.to_string(), how, reason: reason.to_string() }).await
    }
}

impl Everywhere<'_> {
    /// What is held of single jurisdictions, the longest first.
    pub async fn holds(&self, limit: u32) -> Result<Vec<Hold>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().holds(limit));
        }
        let rows: Vec<HoldRow> =
            on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::HOLDS)).bind(i64::from(limit)).fetch_all(pool).await)?;
        rows.into_iter().map(hold).collect()
    }
}

/// Why the mails of a jurisdiction are held, as somebody who writes sees it.
pub(super) async fn held(connection: &mut Connection, here: &str) -> Result<Option<String>, sqlx::Error> {
    let row: Option<HoldRow> = on!(connection, c, sql => sqlx::query_as(sql(statements::HOLD)).bind(here).fetch_optional(&mut *c).await)?;
    Ok(row.map(|(_, reason, _)| reason))
}

pub(super) async fn put(connection: &mut Connection, here: &str, reason: &str, since: i64) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::HOLD_PUT)).bind(reason).bind(since).bind(here).execute(&mut *c).await.map(|_| ()))
}

pub(super) async fn lift(connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::HOLD_DROP)).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// The mails of the hour at hand, with those about to be stored, and what is usual. Whoever comes meanwhile waits until this is through.
pub(super) async fn count(connection: &mut Connection, here: &str, now: i64, mails: u64) -> Result<(u64, u64), sqlx::Error> {
    let (hour, mails) = (hour(now), mails as i64);
    let counted: Option<(i64, i64)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::VOLUME_COUNT))
        .bind(hour).bind(mails).bind(0_i64).bind(here).fetch_optional(&mut *c).await)?;
    let counted = match counted {
        Some(counted) => counted,
        None => {
            // The first of an hour looks at those before it.
            let past: Vec<(i64,)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::VOLUME_PAST))
                .bind(first_hour(hour)).bind(hour).bind(here).fetch_all(&mut *c).await)?;
            let usual = usual(past.into_iter().map(|row| row.0.max(0) as u64).collect()) as i64;
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::VOLUME_DROP)).bind(first_hour(hour)).bind(here).execute(&mut *c).await.map(|_| ()))?;
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::VOLUME_BEGIN))
                .bind(hour).bind(mails).bind(usual).bind(here).fetch_one(&mut *c).await)?
        }
    };
    // Nobody writes less than nothing here: whoever has damaged the row is not to be mailed more for it.
    let whole = |number: i64, otherwise: u64| u64::try_from(number).unwrap_or(otherwise);
    Ok((whole(counted.0, u64::MAX), whole(counted.1, 0)))
}

/// The mails that wait behind those of these notices and may leave now, too: when they are more than there is room for, all of them.
pub(super) async fn behind(connection: &mut Connection, here: &str, keys: &[String], now: i64, room: u64) -> Result<u64, sqlx::Error> {
    let keys = batch(&keys.iter().map(|key| [key]).collect::<Vec<_>>());
    let room = i64::try_from(room).unwrap_or(i64::MAX);
    let mut behind = 0;
    for most in [room.saturating_add(1), i64::MAX] {
        (behind,) = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::VOLUME_BEHIND))
            .bind(now).bind(&keys).bind(most).bind(here).fetch_one(&mut *c).await)?;
        if behind <= room {
            break;
        }
    }
    Ok(u64::try_from(behind).unwrap_or_default())
}

/// Corrects what was counted before it was known which mails are stored, and notes those that a person had let go.
pub(super) async fn correct(connection: &mut Connection, here: &str, now: i64, mails: i64, released: u64) -> Result<(), sqlx::Error> {
    if (mails, released) == (0, 0) {
        return Ok(());
    }
    on!(connection, c, sql => sqlx::query(sql(statements::VOLUME_COUNT))
        .bind(hour(now)).bind(mails).bind(released as i64).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// From now on nothing of the jurisdiction leaves: what is ready is parked, what comes will be.
pub(super) async fn close(connection: &mut Connection, here: &str, excess: &Excess) -> Result<(), sqlx::Error> {
    let reason = excess.reason();
    put(connection, here, &reason, excess.since.timestamp_millis()).await?;
    on!(connection, c, sql => sqlx::query(sql(statements::HOLD_NOTICES)).bind(&reason).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// Parks those of some notices that are ready, and that no person has let go.
pub(super) async fn park(connection: &mut Connection, here: &str, keys: &[String], reason: &str) -> Result<(), sqlx::Error> {
    let keys = batch(&keys.iter().map(|key| [key]).collect::<Vec<_>>());
    on!(connection, c, sql => sqlx::query(sql(statements::HOLD_THESE)).bind(keys).bind(reason).bind(here).execute(&mut *c).await.map(|_| ()))
}

struct LetGoVolume {
    how: LetGo,
    reason: String,
}

impl Write for LetGoVolume {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        lift(connection, here).await?;
        // A row that says nothing of use is let go like any other.
        let parked = LetGoParked { why: VOLUME.into(), how: self.how, reason: self.reason.clone() };
        parked.write(connection, here).await
    }
}

struct LetGoParked {
    why: String,
    how: LetGo,
    reason: String,
}

impl Write for LetGoParked {
    type Answer = u64;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<u64, sqlx::Error> {
        let standing = held(connection, here).await?;
        // What else holds them still does.
        let (status, reason) = match (self.how, &standing) {
            (LetGo::Send, Some(other)) => ("parked", other.as_str()),
            (LetGo::Send, None) => ("ready", RELEASED),
            (LetGo::Cancel, _) => ("cancelled", self.reason.as_str()),
        };
        Ok(on!(connection, c, sql => sqlx::query(sql(statements::HOLD_NOTICES_GO))
            .bind(status).bind(reason).bind(&self.why).bind(here).execute(&mut *c).await?.rows_affected()))
    }
}
