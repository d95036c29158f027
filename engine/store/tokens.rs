//! Tokens that a person makes for a program: known by the SHA-256 of their text, which is kept nowhere, with what each is for.

use super::accounts::digest;
use super::audit::{self, Entry};
use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use std::sync::Arc;

/// A token that is to be made.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// By which people call it; it tells nothing of the token.
    pub id: String,
    /// SHA-256 of the token in hexadecimal.
    pub digest: String,
    pub person: String,
    pub name: String,
    /// Words with a space between.
    pub scopes: String,
    pub made_at: Instant,
    pub expires_at: Option<Instant>,
}

/// A token as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRow {
    pub id: String,
    pub person: String,
    pub name: String,
    pub scopes: String,
    pub made_at: Instant,
    pub expires_at: Option<Instant>,
    /// To some minutes.
    pub used_at: Option<Instant>,
    pub revoked_at: Option<Instant>,
}

/// Whose token was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub jurisdiction: Arc<str>,
    pub row: TokenRow,
    /// Its person's account has been shut off.
    pub disabled: bool,
}

impl Store {
    pub async fn make_token(&self, token: NewToken, entry: Entry) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.make_token(&token, &entry);
            return Ok(());
        }
        self.write(Lane::User, Make { token, entry }).await
    }

    /// Tokens of this office, of one person or of all, the latest first.
    pub async fn tokens(&self, person: Option<&str>) -> Result<Vec<TokenRow>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.tokens(person));
        }
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::TOKENS))
            .bind(person).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(read).collect()
    }

    /// From now on it opens nothing. Of one person, if one is named. False when there is none such that is good.
    pub async fn revoke_token(&self, id: &str, person: Option<&str>, entry: Entry) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.revoke_token(id, person, &entry));
        }
        self.write(Lane::User, Revoke { id: id.to_string(), person: person.map(str::to_string), entry }).await
    }
}

impl Everywhere<'_> {
    /// The token of this text, of whichever office, as it stands.
    pub async fn token(&self, text: &str) -> Result<Option<Shown>, StoreError> {
        let digest = digest(text);
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().token(&digest));
        }
        type Found = (String, String, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);
        let row: Option<Found> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::TOKEN_SHOWN)).bind(&digest).fetch_optional(pool).await)?;
        let shown = |(here, id, person, name, scopes, made_at, expires_at, used_at, revoked_at, disabled_at): Found| {
            let row = read((id, person, name, scopes, made_at, expires_at, used_at, revoked_at))?;
            Ok(Shown { jurisdiction: here.into(), row, disabled: disabled_at.is_some() })
        };
        row.map(shown).transpose()
    }

    /// Somebody came in with it.
    pub async fn token_used(&self, text: &str, at: Instant) -> Result<(), StoreError> {
        let digest = digest(text);
        if let Some(mut model) = self.store().model_to_write().await? {
            model.all_mut().token_used(&digest, at);
            return Ok(());
        }
        self.write(Lane::Background, Used { digest, at: at.timestamp_millis() }).await
    }
}

type Row = (String, String, String, String, i64, Option<i64>, Option<i64>, Option<i64>);

fn read((id, person, name, scopes, made_at, expires_at, used_at, revoked_at): Row) -> Result<TokenRow, StoreError> {
    let moment = |at: Option<i64>| at.map(instant).transpose();
    let (made_at, expires_at, used_at, revoked_at) = (instant(made_at)?, moment(expires_at)?, moment(used_at)?, moment(revoked_at)?);
    Ok(TokenRow { id, person, name, scopes, made_at, expires_at, used_at, revoked_at })
}

struct Make {
    token: NewToken,
    entry: Entry,
}

impl Write for Make {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        let NewToken { id, digest, person, name, scopes, made_at, expires_at } = &self.token;
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::TOKEN_PUT)).bind(id).bind(digest).bind(person).bind(name).bind(scopes)
            .bind(made_at.timestamp_millis()).bind(expires_at.map(|at| at.timestamp_millis())).bind(here).execute(&mut *c).await.map(|_| ()))?;
        audit::put(connection, here, std::slice::from_ref(&self.entry)).await
    }
}

struct Revoke {
    id: String,
    person: Option<String>,
    entry: Entry,
}

impl Write for Revoke {
    type Answer = bool;

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let whose: Option<(String,)> = on!(&mut *connection, c, sql => sqlx::query_as(sql(statements::TOKEN_REVOKE)).bind(&self.id)
            .bind(&self.person).bind(self.entry.at.timestamp_millis()).bind(here).fetch_optional(&mut *c).await)?;
        let Some((person,)) = whose else { return Ok(false) };
        audit::put(connection, here, &[Entry { person: Some(person), ..self.entry.clone() }]).await?;
        Ok(true)
    }
}

struct Used {
    digest: String,
    at: i64,
}

impl Write for Used {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::TOKEN_USED)).bind(&self.digest).bind(self.at).execute(&mut *c).await.map(|_| ()))
    }
}

/// Takes back all of a person's.
pub(super) async fn end_of(connection: &mut Connection, here: &str, person: &str, at: i64) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::TOKENS_END)).bind(person).bind(at).bind(here).execute(&mut *c).await.map(|_| ()))
}
