//! Links by which a person may do one thing, once, until a moment. The store knows the SHA-256 of a link's token, not the token.

use super::audit::{self, Entry};
use super::batch;
use super::dialect::{Connection, on};
use super::everywhere::Everywhere;
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::Instant;
use chrono::TimeDelta;
use std::sync::Arc;

/// So long after a link is too late it is still known that there was one, and whether it was used.
const KEPT: TimeDelta = TimeDelta::days(90);

/// A link that is to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLink {
    /// SHA-256 of its token in hexadecimal.
    pub id: String,
    pub person: String,
    /// The one thing that it is for.
    pub purpose: String,
    /// As JSON.
    pub about: String,
    pub made_at: Instant,
    pub expires_at: Instant,
}

/// A link that can be used, or has just been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    pub jurisdiction: Arc<str>,
    pub person: String,
    pub about: String,
    pub expires_at: Instant,
}

/// Which link is meant, and for what.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub id: &'a str,
    pub purpose: &'a str,
    pub now: Instant,
}

impl Store {
    pub async fn make_link(&self, link: NewLink) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.make_link(&link);
            return Ok(());
        }
        self.write(Lane::User, Make(link)).await
    }
}

impl Everywhere<'_> {
    /// A link of this purpose that nobody has used, and that is not too late.
    pub async fn link(&self, wanted: Wanted<'_>) -> Result<Option<Link>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().link(wanted));
        }
        let Wanted { id, purpose, now } = wanted;
        let row: Option<LinkRow> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::LINK_GET))
            .bind(id).bind(purpose).bind(now.timestamp_millis()).fetch_optional(pool).await)?;
        row.map(link).transpose()
    }

    /// A link of this purpose whatever became of it, and when it was used; it is known for a while after it is over.
    pub async fn link_known(&self, id: &str, purpose: &str) -> Result<Option<(Link, Option<Instant>)>, StoreError> {
        if let Some(model) = self.store().model().await? {
            return Ok(model.all().link_known(id, purpose));
        }
        type Row = (String, String, String, i64, Option<i64>);
        let row: Option<Row> = on!(self.store().readers()?, pool, sql => sqlx::query_as(sql(statements::LINK_KNOWN))
            .bind(id).bind(purpose).fetch_optional(pool).await)?;
        let Some((jurisdiction, person, about, expires_at, used_at)) = row else { return Ok(None) };
        Ok(Some((link((jurisdiction, person, about, expires_at))?, used_at.map(instant).transpose()?)))
    }

    /// Uses a link up. Of any number who try at once, one gets it. `entry` is what is told of it afterwards, but for whom it is about.
    pub async fn use_link(&self, wanted: Wanted<'_>, entry: Entry) -> Result<Option<Link>, StoreError> {
        if let Some(mut model) = self.store().model_to_write().await? {
            return Ok(model.all_mut().use_link(wanted, entry));
        }
        let Wanted { id, purpose, now } = wanted;
        let (id, purpose) = (id.to_string(), purpose.to_string());
        let row = self.write(Lane::User, Use { id, purpose, now: now.timestamp_millis(), entry }).await?;
        row.map(link).transpose()
    }
}

pub(super) type LinkRow = (String, String, String, i64);

fn link((jurisdiction, person, about, expires_at): LinkRow) -> Result<Link, StoreError> {
    Ok(Link { jurisdiction: jurisdiction.into(), person, about, expires_at: instant(expires_at)? })
}

struct Make(NewLink);

impl Write for Make {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        put(connection, here, &self.0).await
    }
}

/// Makes a link.
pub(super) async fn put(connection: &mut Connection, here: &str, new: &NewLink) -> Result<(), sqlx::Error> {
    put_all(connection, here, std::slice::from_ref(new)).await
}

/// Makes links; those of the office that have long been too late are forgotten.
pub(super) async fn put_all<L: std::borrow::Borrow<NewLink>>(
    connection: &mut Connection,
    here: &str,
    new: &[L],
) -> Result<(), sqlx::Error> {
    let new = new.iter().map(std::borrow::Borrow::borrow);
    let Some(now) = new.clone().map(|link| link.made_at).max() else { return Ok(()) };
    let rows: Vec<_> = new
        .map(|NewLink { id, person, purpose, about, made_at, expires_at }| {
            (id, person, purpose, about, made_at.timestamp_millis(), expires_at.timestamp_millis())
        })
        .collect();
    on!(&mut *connection, c, sql => sqlx::query(sql(statements::LINKS_FORGET)).bind(forgotten(now).timestamp_millis()).bind(here).execute(&mut *c).await.map(|_| ()))?;
    on!(connection, c, sql => sqlx::query(sql(statements::LINKS_PUT)).bind(batch(&rows)).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// Links that were good until then, or earlier, are not known any more.
pub(super) fn forgotten(now: Instant) -> Instant {
    now - KEPT
}

/// Takes from a person what has not been used: of one purpose, or of any.
pub(super) async fn drop_of(connection: &mut Connection, here: &str, person: &str, purpose: Option<&str>) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::LINKS_DROP)).bind(person).bind(purpose).bind(here).execute(&mut *c).await.map(|_| ()))
}

/// Whether a link can be used.
pub(super) async fn is_open(connection: &mut Connection, id: &str, purpose: &str, now: i64) -> Result<bool, sqlx::Error> {
    let row: Option<(String, String)> = on!(connection, c, sql => sqlx::query_as(sql(statements::LINK_OPEN)).bind(id).bind(purpose).bind(now).fetch_optional(&mut *c).await)?;
    Ok(row.is_some())
}

/// One guarded statement: whoever comes second finds it used.
pub(super) async fn take(connection: &mut Connection, id: &str, purpose: &str, now: i64) -> Result<Option<LinkRow>, sqlx::Error> {
    on!(connection, c, sql => sqlx::query_as(sql(statements::LINK_USE)).bind(id).bind(purpose).bind(now).fetch_optional(&mut *c).await)
}

struct Use {
    id: String,
    purpose: String,
    now: i64,
    entry: Entry,
}

impl Write for Use {
    type Answer = Option<LinkRow>;

    async fn write(&self, connection: &mut Connection, _here: &str) -> Result<Option<LinkRow>, sqlx::Error> {
        let used = take(connection, &self.id, &self.purpose, self.now).await?;
        if let Some((jurisdiction, person, ..)) = &used {
            let entry = Entry { person: Some(person.clone()), ..self.entry.clone() };
            audit::put(connection, jurisdiction, &[entry]).await?;
        }
        Ok(used)
    }
}
