//! Brings a database to the schema of this version, in one transaction; refuses one that is newer.

use super::dialect::{self, Connection, on};
use super::{StoreError, audit, statements};
use crate::kernel::time::Instant;

/// All migrations in order; the last one's place is the schema's version.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_leases.sql"),
    include_str!("migrations/0003_jurisdictions.sql"),
    include_str!("migrations/0004_first_try.sql"),
    include_str!("migrations/0005_waiting.sql"),
    include_str!("migrations/0006_everywhere.sql"),
    include_str!("migrations/0007_recorded.sql"),
    include_str!("migrations/0008_set_aside.sql"),
    include_str!("migrations/0009_publish.sql"),
    include_str!("migrations/0010_brake.sql"),
    include_str!("migrations/0011_accounts.sql"),
    include_str!("migrations/0012_hands.sql"),
    include_str!("migrations/0013_mail_links.sql"),
    include_str!("migrations/0014_incoming.sql"),
    include_str!("migrations/0015_second_step.sql"),
    AUDIT_CHAIN,
    include_str!("migrations/0017_tokens.sql"),
    include_str!("migrations/0018_webhooks.sql"),
    include_str!("migrations/0019_desks.sql"),
    include_str!("migrations/0020_attachments.sql"),
];

/// After it has run, rows that are there are taken into the chain, which no statement of a database can.
const AUDIT_CHAIN: &str = include_str!("migrations/0016_audit_chain.sql");

/// The version that this program reads and writes.
pub const VERSION: i64 = MIGRATIONS.len() as i64;

/// Runs the migrations that are missing, all of them or none: an upgrade that fails leaves what the older program can work with.
pub(super) async fn migrate(connection: &mut Connection, path: &str, now: Instant) -> Result<(), StoreError> {
    dialect::begin_migration(connection).await?;
    execute(connection, statements::SCHEMA_TABLE).await?;
    let found = version(connection).await?;
    if found > VERSION {
        return Err(StoreError::Newer { path: path.to_string(), found, known: VERSION });
    }
    let now = now.timestamp_millis();
    for (text, version) in MIGRATIONS.iter().zip(1_i64..).skip(found as usize) {
        for statement in text.split(';').map(without_comments).filter(|statement| !statement.is_empty()) {
            execute(connection, &statement).await?;
        }
        if *text == AUDIT_CHAIN {
            audit::take_in(connection).await?;
        }
        on!(&mut *connection, c, sql => sqlx::query(sql(statements::SCHEMA_APPLIED)).bind(version).bind(now).execute(&mut *c).await.map(|_| ()))?;
    }
    Ok(dialect::run(connection, "commit").await?)
}

/// The schema's version; 0 is an empty database.
async fn version(connection: &mut Connection) -> Result<i64, StoreError> {
    let row: (i64,) = on!(connection, c, sql => sqlx::query_as(sql(statements::SCHEMA_VERSION)).fetch_one(&mut *c).await)?;
    Ok(row.0)
}

/// The text is our own, made of the migrations above, so it is safe to run.
async fn execute(connection: &mut Connection, text: &str) -> Result<(), StoreError> {
    let text = dialect::schema_words(connection, text);
    on!(connection, c, _words => sqlx::query(sqlx::AssertSqlSafe(text)).execute(&mut *c).await.map(|_| ()))?;
    Ok(())
}

fn without_comments(statement: &str) -> String {
    let lines = statement.lines().filter(|line| !line.trim_start().starts_with("--"));
    lines.collect::<Vec<_>>().join("\n").trim().to_string()
}
