//! Brings a database to the schema of this version, one migration in one transaction; refuses one that is newer.

use super::dialect::{self, Connection, on};
use super::{StoreError, statements};
use crate::kernel::time::Instant;

/// All migrations in order; the last one's place is the schema's version.
const MIGRATIONS: [&str; 1] = [include_str!("migrations/0001_first.sql")];

/// The version that this program reads and writes.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Runs the migrations that are missing.
pub(super) async fn migrate(connection: &mut Connection, path: &str, now: Instant) -> Result<(), StoreError> {
    let table = dialect::schema_words(statements::SCHEMA_TABLE);
    execute(connection, table).await?;
    let found = version(connection).await?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_string(), found, known: VERSION });
    }
    for (text, version) in MIGRATIONS.iter().zip(1..).skip(found as usize) {
        on!(connection, c => sqlx::query(dialect::BEGIN).execute(&mut *c).await)?;
        for statement in text.split(';').map(without_comments).filter(|statement| !statement.is_empty()) {
            execute(connection, dialect::schema_words(&statement)).await?;
        }
        on!(connection, c => sqlx::query(statements::SCHEMA_APPLIED).bind(version).bind(now.timestamp_millis()).execute(&mut *c).await)?;
        on!(connection, c => sqlx::query("commit").execute(&mut *c).await)?;
    }
    Ok(())
}

/// The schema's version; 0 is an empty database.
async fn version(connection: &mut Connection) -> Result<i64, StoreError> {
    let row: (i64,) = on!(connection, c => sqlx::query_as(statements::SCHEMA_VERSION).fetch_one(&mut *c).await)?;
    Ok(row.0)
}

/// The text is our own, made of the migrations above, so it is safe to run.
async fn execute(connection: &mut Connection, text: String) -> Result<(), StoreError> {
    on!(connection, c => sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *c).await)?;
    Ok(())
}

fn without_comments(statement: &str) -> String {
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}
