//! A copy of a whole database while others work it, and what keeps a copy that is put to work from mailing again what the original sent.
//!
//! A restored database has a new identity. What had not gone out is held, and so is every notice that it records, until a person says
//! what is to become of them.

use super::dialect::{Address, Connection, Driver, on};
use super::writer::{Lane, Write};
use super::{Opening, Place, Store, StoreError, instant, sqlite, statements};
use crate::kernel::time::Instant;
use std::path::Path;

/// When the last verified backup was taken, and its file.
pub(super) const BACKUP: &str = "backup";
pub(super) const BACKUP_FILE: &str = "backup_file";
/// When a mail is tried that is held: the last millisecond of the year 9999.
pub(super) const HELD_UNTIL: i64 = 253_402_300_799_000;

/// The last backup that was looked through and found whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastBackup {
    pub at: Instant,
    pub file: String,
}

/// What was held, or let go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    pub notices: u64,
    pub mails: u64,
}

/// What is to become of what a restored database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LetGo {
    /// It is mailed, as late as it is.
    Send,
    /// The original has sent it, or nobody needs it any more.
    Cancel,
}

/// Copies a SQLite file as it is at one moment into a file that is not there or empty; others may write to it meanwhile.
pub async fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    match Address::of(&Place::from(from), &Opening::default()) {
        Driver::Sqlite(file) => sqlite::copy(&file, to).await,
        Driver::Postgres(_) => Err(StoreError::Closed),
    }
}

/// Brings everything that was written into the file itself, once its store is closed: it may be moved then.
pub async fn settle(file: &Path) -> Result<(), StoreError> {
    match Address::of(&Place::from(file), &Opening::default()) {
        Driver::Sqlite(file) => sqlite::settle(&file).await,
        Driver::Postgres(_) => Err(StoreError::Closed),
    }
}

impl Store {
    /// The last backup that was found whole, if there ever was one.
    pub async fn last_backup(&self) -> Result<Option<LastBackup>, StoreError> {
        let Some(at) = self.meta(BACKUP).await? else { return Ok(None) };
        let file = self.meta(BACKUP_FILE).await?.unwrap_or_default();
        Ok(Some(LastBackup { at: instant(at.parse().unwrap_or(0))?, file }))
    }

    /// Notes that a backup of the database as it was at a moment has been looked through and is whole.
    pub async fn note_backup(&self, file: &str, at: Instant) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.all_mut().note_backup(file, at);
            return Ok(());
        }
        self.write(Lane::User, Noted { at: at.timestamp_millis(), file: file.to_string() }).await
    }

    /// From now on this is a restored database under a new identity; gives what had not gone out, which is held.
    pub async fn mark_restored(&self, instance: &str, now: Instant) -> Result<Held, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.all_mut().mark_restored(instance, now));
        }
        self.write(Lane::User, Mark { instance: instance.to_string(), now: now.timestamp_millis() }).await
    }

    /// Since when a restored database has held everything back; nothing in one that does not.
    pub async fn restored(&self) -> Result<Option<Instant>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.all().restored());
        }
        let since: Option<(i64,)> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RESTORED_SINCE)).fetch_optional(pool).await)?;
        since.map(|(since,)| instant(since)).transpose()
    }

    /// From now on notices are mailed as usual; gives what was held because of the restore, which is mailed or cancelled.
    pub async fn let_go_restored(&self, how: LetGo, now: Instant) -> Result<Held, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.all_mut().let_go_restored(how, now));
        }
        self.write(Lane::User, Release { how, now: now.timestamp_millis() }).await
    }
}

struct Noted {
    at: i64,
    file: String,
}

impl Write for Noted {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        for (name, value) in [(BACKUP, self.at.to_string()), (BACKUP_FILE, self.file.clone())] {
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::META_SET)).bind(name).bind(&value).execute(&mut *c).await.map(|_| ()))?;
        }
        Ok(())
    }
}

struct Mark {
    instance: String,
    now: i64,
}

impl Write for Mark {
    type Answer = Held;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Held, sqlx::Error> {
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::META_SET)).bind("instance").bind(&self.instance).execute(&mut *c).await.map(|_| ()))?;
        for ends in [statements::RESTORED_SESSIONS, statements::RESTORED_LINKS] {
            on!(&mut *connection, c, sql => sqlx::query(sql(ends)).execute(&mut *c).await.map(|_| ()))?;
        }
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::RESTORED_DELIVERIES)).execute(&mut *c).await.map(|_| ()))?;
        for ends in [statements::RESTORED_TOKENS, statements::RESTORED_WEBHOOKS] {
            on!(&mut *connection, c, sql => sqlx::query(sql(ends)).bind(self.now).execute(&mut *c).await.map(|_| ()))?;
        }
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::RESTORED_HOLD)).bind(self.now).execute(&mut *c).await.map(|_| ()))?;
        let notices =
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::RESTORED_NOTICES)).execute(&mut *c).await?.rows_affected());
        let mails = on!(connection, c, sql => sqlx::query(sql(statements::RESTORED_MAILS)).bind(HELD_UNTIL).execute(&mut *c).await?.rows_affected());
        Ok(Held { notices, mails })
    }
}

struct Release {
    how: LetGo,
    now: i64,
}

impl Write for Release {
    type Answer = Held;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Held, sqlx::Error> {
        let (notice, mail, ended_at) = match self.how {
            LetGo::Send => ("ready", "deferred", None),
            LetGo::Cancel => ("cancelled", "cancelled", Some(self.now)),
        };
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::RESTORED_GONE)).execute(&mut *c).await.map(|_| ()))?;
        let notices = on!(&mut *connection, c, sql => sqlx::query(sql(statements::RESTORED_NOTICES_GO)).bind(notice).execute(&mut *c).await?.rows_affected());
        let mails = on!(connection, c, sql => sqlx::query(sql(statements::RESTORED_MAILS_GO))
            .bind(mail).bind(self.now).bind(ended_at).execute(&mut *c).await?.rows_affected());
        Ok(Held { notices, mails })
    }
}
