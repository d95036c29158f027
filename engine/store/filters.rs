//! Filters of the ledger that somebody keeps under a name.

use super::dialect::{Connection, on};
use super::writer::{Lane, Write};
use super::{Store, StoreError, statements};

impl Store {
    /// What a person keeps: names with their queries, by name.
    pub async fn saved_filters(&self, person: &str) -> Result<Vec<(String, String)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.saved_filters(person));
        }
        Ok(
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::FILTER_LIST)).bind(person).bind(&*self.jurisdiction).fetch_all(pool).await)?,
        )
    }

    /// Keeps a query under a name, in place of what was kept under it; without a query the name is forgotten.
    pub async fn save_filter(&self, person: &str, name: &str, query: Option<&str>) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.save_filter(person, name, query);
            return Ok(());
        }
        self.write(Lane::User, Keep { person: person.to_string(), name: name.to_string(), query: query.map(str::to_string) }).await
    }
}

struct Keep {
    person: String,
    name: String,
    query: Option<String>,
}

impl Write for Keep {
    type Answer = ();

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        let Keep { person, name, query } = self;
        match query {
            Some(query) => on!(connection, c, sql => sqlx::query(sql(statements::FILTER_PUT))
                .bind(here).bind(person).bind(name).bind(query).execute(&mut *c).await.map(|_| ())),
            None => on!(connection, c, sql => sqlx::query(sql(statements::FILTER_DROP))
                .bind(person).bind(name).bind(here).execute(&mut *c).await.map(|_| ())),
        }
    }
}
