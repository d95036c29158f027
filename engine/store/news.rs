//! Hearing at once of what other processes have written. It only saves waiting: who misses it finds the same at the next look.

use super::dialect::Driver;
use super::{Store, StoreError};
use sqlx::postgres::{PgListener, PgPool};

/// The channel on which writers tell that there is something new.
const CHANNEL: &str = "duban";

/// What others tell.
pub struct News {
    pool: PgPool,
    listener: Option<PgListener>,
    /// What this process tells itself is no news.
    own: String,
}

impl Store {
    /// Nothing where nobody else writes.
    pub fn news(&self) -> Option<News> {
        match (self.readers(), &self.writer) {
            (Ok(Driver::Postgres(pool)), Some(writer)) => Some(News { pool: pool.clone(), listener: None, own: writer.name().to_string() }),
            _ => None,
        }
    }
}

impl News {
    /// Returns when another process has written something. After an error, ask again later.
    pub async fn heard(&mut self) -> Result<(), StoreError> {
        if self.listener.is_none() {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen(CHANNEL).await?;
            self.listener = Some(listener);
        }
        while let Some(listener) = &mut self.listener {
            match listener.recv().await {
                Ok(told) if told.payload() == self.own => {}
                Ok(_) => break,
                Err(error) => {
                    self.listener = None;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }
}

/// Tells the other processes; `false` when the connection did not bear it.
pub(super) async fn tell(connection: &mut super::dialect::Connection, name: &str) -> bool {
    match connection {
        Driver::Sqlite(_) => true,
        Driver::Postgres(connection) => sqlx::query("select pg_notify($1, $2)").bind(CHANNEL).bind(name).execute(connection).await.is_ok(),
    }
}
