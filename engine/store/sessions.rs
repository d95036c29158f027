//! Who is inside: sessions, known by the SHA-256 of the token in a cookie. The token is kept nowhere.

use super::accounts::{self, Hashed};
use super::audit::{self, Entry};
use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use std::sync::Arc;

/// A session that is to begin.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// SHA-256 of its token in hexadecimal.
    pub id: String,
    pub person: String,
    pub at: Instant,
    /// The address from which it comes.
    pub source: Option<String>,
}

/// A session as its person sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionRow {
    pub id: String,
    pub started_at: Instant,
    pub seen_at: Instant,
    pub source: Option<String>,
}

/// A session that nobody has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSession {
    pub jurisdiction: Arc<str>,
    pub person: String,
    pub started_at: Instant,
    pub seen_at: Instant,
    /// Its person's account has been shut off.
    pub disabled: bool,
}

/// What has to be so when a session begins.
#[derive(Clone, Debug, Default)]
pub struct Entering {
    /// The password of the account is still this one.
    pub password: Option<Hashed>,
    /// Sessions of the office that began, or were last seen, at these moments have ended and are forgotten.
    pub ended: Option<(Instant, Instant)>,
}

impl Store {
    /// Begins a session. False when the account has been shut off, or has another password by now.
    pub async fn begin_session(&self, session: NewSession, entering: Entering, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.begin_session(&session, &entering, &entry));
        }
        self.write(Lane::User, Begin { session, entering, entry }).await
    }

    /// The sessions of a person, the latest first, a hundred at most.
    pub async fn sessions_of(&self, person: &str) -> Result<Vec<SessionRow>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.sessions_of(person));
        }
        type Row = (String, i64, i64, Option<String>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SESSIONS_OF))
            .bind(person).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let read = |(id, started_at, seen_at, source): Row| {
            Ok(SessionRow { id, started_at: instant(started_at)?, seen_at: instant(seen_at)?, source })
        };
        rows.into_iter().map(read).collect()
    }

    /// Ends the sessions of a person, but for one.
    pub async fn end_other_sessions(&self, person: &str, keep: &str, entry: Entry) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.end_other_sessions(person, keep, &entry);
            return Ok(());
        }
        self.write(Lane::User, EndOthers { person: person.to_string(), keep: keep.to_string(), entry }).await
    }
}

impl Everywhere<'_> {
    pub async fn session(&self, id: &str) -> Result<Option<StoredSession>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().session(id));
        }
        type Row = (String, String, i64, i64, Option<i64>);
        let row: Option<Row> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::SESSION_GET))
            .bind(id).fetch_optional(pool).await)?;
        let read = |(jurisdiction, person, started_at, seen_at, disabled_at): Row| {
            let (started_at, seen_at) = (instant(started_at)?, instant(seen_at)?);
            Ok(StoredSession { jurisdiction: jurisdiction.into(), person, started_at, seen_at, disabled: disabled_at.is_some() })
        };
        row.map(read).transpose()
    }

    /// Its person was here.
    pub async fn session_seen(&self, id: &str, at: Instant) -> Result<(), StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().session_seen(id, at);
            return Ok(());
        }
        self.write(Lane::User, Seen { id: id.to_string(), at: at.timestamp_millis() }).await
    }

    /// Ends a session, if there is one. `entry` is what is told of it, but for whom it is about.
    pub async fn end_session(&self, id: &str, entry: Option<Entry>) -> Result<(), StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().end_session(id, entry);
            return Ok(());
        }
        self.write(Lane::User, End { id: id.to_string(), entry }).await
    }
}

struct Begin {
    session: NewSession,
    entering: Entering,
    entry: Entry,
}

impl Write for Begin {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Begin { session, entering, entry } = self;
        let account = accounts::locked(connection, here, &session.person).await?;
        let (password, disabled) = match &account {
            Some((_, password, disabled_at)) => (password.as_ref(), disabled_at.is_some()),
            None => (None, false),
        };
        if disabled || entering.password.as_ref().is_some_and(|checked| password != Some(&checked.0)) {
            return Ok(false);
        }
        if let (Some((login, ..)), Some(_)) = (&account, &entering.password) {
            accounts::forget_tries(connection, login).await?;
        }
        if let Some((began, seen)) = entering.ended {
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::SESSIONS_FORGET)).bind(began.timestamp_millis())
                .bind(seen.timestamp_millis()).bind(here).execute(&mut *c).await.map(|_| ()))?;
        }
        put(connection, here, session).await?;
        audit::put(connection, here, std::slice::from_ref(entry)).await?;
        Ok(true)
    }
}

pub(super) async fn put(connection: &mut Connection, here: &str, session: &NewSession) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::SESSION_PUT)).bind(&session.id).bind(&session.person)
        .bind(session.at.timestamp_millis()).bind(&session.source).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// Ends the sessions of a person, but for `keep`.
pub(super) async fn end_of(connection: &mut Connection, here: &str, person: &str, keep: Option<&str>) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::SESSIONS_END)).bind(person).bind(keep).bind(here).execute(&mut *c).await.map(|_| ()))
}

struct EndOthers {
    person: String,
    keep: String,
    entry: Entry,
}

impl Write for EndOthers {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        end_of(connection, here, &self.person, Some(&self.keep)).await?;
        audit::put(connection, here, std::slice::from_ref(&self.entry)).await
    }
}

struct Seen {
    id: String,
    at: i64,
}

impl Write for Seen {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::SESSION_SEEN)).bind(&self.id).bind(self.at).execute(&mut *c).await.map(|_| ()))
    }
}

struct End {
    id: String,
    entry: Option<Entry>,
}

impl Write for End {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        let ended: Option<(String, String)> =
            on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::SESSION_END)).bind(&self.id).fetch_optional(&mut *c).await)?;
        if let (Some((here, person)), Some(entry)) = (ended, &self.entry) {
            let entry = Entry { person: Some(person), ..entry.clone() };
            audit::put(connection, &here, &[entry]).await?;
        }
        Ok(())
    }
}
