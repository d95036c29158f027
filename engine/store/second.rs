//! The second step of signing in: the secret from which a device and we make the same codes, codes for when the device is lost, and going
//! from half inside (the password was right) to inside.
//!
//! The secret is kept as it is, since codes are made of it: what protects it is who can read the database and its backups. Recovery codes are
//! kept as their SHA-256.

use super::accounts::{self, Hashed};
use super::audit::{self, Entry};
use super::dialect::{Connection, on};
use super::links::{self, NewLink};
use super::sessions::{self, NewSession};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use std::fmt;

/// The purpose of the link that somebody holds who is half inside.
pub const HALF: &str = "second_step";

/// What codes are made of, in base32. Nothing shows it by mistake.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

/// How a person's second step stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecondStep {
    /// In use.
    pub secret: Option<Secret>,
    /// Shown, and waiting for its first code.
    pub pending: Option<Secret>,
    /// A code of this step or of an earlier one is not good.
    pub last_step: i64,
    pub set_at: Option<Instant>,
    /// Recovery codes that nobody has used.
    pub codes_left: u32,
}

/// Somebody whose password was right, and who is asked for more: a link that is good for that alone.
#[derive(Clone, Debug)]
pub struct Halving {
    pub link: NewLink,
    /// They have no second step yet and shall have one: of this, where none waits for them already.
    pub pending: Option<Secret>,
}

/// A second step that comes into use with its first code, in place of an earlier one.
#[derive(Clone, Debug)]
pub struct Enrolling {
    /// What the code was made of is still what waits.
    pub pending: Secret,
    /// Of the code.
    pub step: i64,
    /// SHA-256 of new recovery codes; earlier ones are not good any more.
    pub codes: Vec<String>,
}

/// What somebody showed who is half inside.
#[derive(Clone, Debug)]
pub enum Shown {
    /// A code of this step.
    Code {
        step: i64,
    },
    /// SHA-256 of a recovery code.
    Recovery {
        code: String,
    },
    Enrolled(Enrolling),
}

/// Going inside.
#[derive(Clone, Debug)]
pub struct Passing {
    /// SHA-256 of the token of the link.
    pub half: String,
    pub shown: Shown,
    pub session: NewSession,
    /// Names under which tries are counted that are forgotten now.
    pub tries: Vec<String>,
    pub entries: Vec<Entry>,
}

impl Store {
    /// How a person's second step stands; as if there were none, for whom there is none.
    pub async fn second_step(&self, person: &str) -> Result<SecondStep, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.second_step(person));
        }
        type Row = (Option<String>, Option<String>, i64, Option<i64>, i64);
        let row: Option<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SECOND_GET))
            .bind(person).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let Some((secret, pending, last_step, set_at, codes_left)) = row else { return Ok(SecondStep::default()) };
        let (secret, pending) = (secret.map(Secret), pending.map(Secret));
        let (set_at, codes_left) = (set_at.map(instant).transpose()?, u32::try_from(codes_left).unwrap_or_default());
        Ok(SecondStep { secret, pending, last_step, set_at, codes_left })
    }

    /// Shows a person what their second step would be made of; what is in use stays in use. False without an account.
    pub async fn propose_second_step(&self, person: &str, pending: Secret) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.propose_second_step(person, &pending));
        }
        self.write(Lane::User, Propose { person: person.to_string(), pending }).await
    }

    /// A second step comes into use; sessions of the person end, but for `keep`. False when something else waits by now.
    pub async fn enrol(&self, person: &str, enrolling: Enrolling, keep: &str, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.enrol(person, &enrolling, keep, &entry));
        }
        self.write(Lane::User, Enrol { person: person.to_string(), enrolling, keep: keep.to_string(), entry }).await
    }

    /// Takes a person's second step away; sessions end, but for `keep`. False when there was none.
    pub async fn drop_second_step(&self, person: &str, keep: Option<&str>, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.drop_second_step(person, keep, &entry));
        }
        self.write(Lane::User, Drop { person: person.to_string(), keep: keep.map(str::to_string), entry }).await
    }

    /// Somebody is half inside. False when the account has been shut off, or has another password by now than was checked, if one was.
    pub async fn halve(&self, halving: Halving, password: Option<Hashed>, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.halve(&halving, password.as_ref(), &entry));
        }
        self.write(Lane::User, Halve { halving, password, entry }).await
    }

    /// Somebody who is half inside goes inside. False when the link is over, the code was used, or the account was shut off: nothing has
    /// changed then.
    pub async fn pass(&self, passing: Passing) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.pass(&passing));
        }
        self.write(Lane::User, Pass(passing)).await
    }
}

struct Propose {
    person: String,
    pending: Secret,
}

impl Write for Propose {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        if accounts::locked(connection, here, &self.person).await?.is_none() {
            return Ok(false);
        }
        propose(connection, here, &self.person, &self.pending).await?;
        Ok(true)
    }
}

async fn propose(connection: &mut Connection, here: &str, person: &str, pending: &Secret) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::SECOND_PROPOSE)).bind(person).bind(&pending.0).bind(here).execute(&mut *c).await.map(|_| ()))
}

struct Enrol {
    person: String,
    enrolling: Enrolling,
    keep: String,
    entry: Entry,
}

impl Write for Enrol {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let set = set(connection, here, &self.person, &self.enrolling, self.entry.at).await?;
        if set {
            sessions::end_of(connection, here, &self.person, Some(&self.keep)).await?;
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        Ok(set)
    }
}

async fn set(connection: &mut Connection, here: &str, person: &str, enrolling: &Enrolling, at: Instant) -> Result<bool, sqlx::Error> {
    let Enrolling { pending, step, codes } = enrolling;
    let changed = on!(&mut *connection, c, sql => sqlx::query(sql(statements::SECOND_SET)).bind(person).bind(&pending.0).bind(step)
        .bind(at.timestamp_millis()).bind(here).execute(&mut *c).await?.rows_affected());
    if changed == 0 {
        return Ok(false);
    }
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::RECOVERY_DROP)).bind(person).bind(here).execute(&mut *c).await.map(|_| ()))?;
    for code in codes {
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::RECOVERY_PUT)).bind(code).bind(person).bind(here).execute(&mut *c).await.map(|_| ()))?;
    }
    Ok(true)
}

struct Drop {
    person: String,
    keep: Option<String>,
    entry: Entry,
}

impl Write for Drop {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let person = &self.person;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::RECOVERY_DROP)).bind(person).bind(here).execute(&mut *c).await.map(|_| ()))?;
        let gone = on!(&mut *connection, c, sql => sqlx::query(sql(statements::SECOND_DROP)).bind(person).bind(here).execute(&mut *c).await?.rows_affected());
        if gone > 0 {
            sessions::end_of(connection, here, person, self.keep.as_deref()).await?;
            links::drop_of(connection, here, person, Some(HALF)).await?;
            audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        }
        Ok(gone > 0)
    }
}

struct Halve {
    halving: Halving,
    password: Option<Hashed>,
    entry: Entry,
}

impl Write for Halve {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let account = accounts::locked(connection, here, &self.halving.link.person).await?;
        let Some((login, password, disabled_at)) = account else { return Ok(false) };
        if disabled_at.is_some() || self.password.as_ref().is_some_and(|checked| password.as_ref() != Some(&checked.0)) {
            return Ok(false);
        }
        if self.password.is_some() {
            accounts::forget_tries(connection, &login).await?;
        }
        halve(connection, here, &self.halving).await?;
        audit::put(connection, here, std::slice::from_ref(&self.entry)).await?;
        Ok(true)
    }
}

/// Whoever is half inside elsewhere is so no more.
pub(super) async fn halve(connection: &mut Connection, here: &str, Halving { link, pending }: &Halving) -> Result<(), sqlx::Error> {
    if let Some(pending) = pending {
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::SECOND_WAIT)).bind(&link.person).bind(&pending.0).bind(here)
            .execute(&mut *c).await.map(|_| ()))?;
    }
    links::drop_of(connection, here, &link.person, Some(HALF)).await?;
    links::put(connection, here, link).await
}

struct Pass(Passing);

impl Write for Pass {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Passing { half, shown, session, tries, entries } = &self.0;
        let (person, at) = (&session.person, session.at.timestamp_millis());
        let Some((.., None)) = accounts::locked(connection, here, person).await? else { return Ok(false) };
        if !links::is_open(connection, half, HALF, at).await? {
            return Ok(false);
        }
        let holds = match shown {
            Shown::Code { step } => {
                on!(&mut *connection, c, sql => sqlx::query(sql(statements::SECOND_STEP)).bind(person).bind(step).bind(here)
                    .execute(&mut *c).await?.rows_affected() == 1)
            }
            Shown::Recovery { code } => {
                on!(&mut *connection, c, sql => sqlx::query(sql(statements::RECOVERY_USE)).bind(code).bind(person).bind(at).bind(here)
                    .execute(&mut *c).await?.rows_affected() == 1)
            }
            Shown::Enrolled(enrolling) => set(connection, here, person, enrolling, session.at).await?,
        };
        if !holds {
            return Ok(false);
        }
        links::take(connection, half, HALF, at).await?;
        for login in tries {
            accounts::forget_tries(connection, login).await?;
        }
        sessions::put(connection, here, session).await?;
        audit::put(connection, here, entries).await?;
        Ok(true)
    }
}
