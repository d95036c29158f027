//! What truly differs between the databases, behind one enum of native drivers: how they are reached, words, batches, and which errors
//! mean what.
//!
//! Everything else is one SQL text (see `statements`) with `$1` placeholders, written so that both databases read it.

use super::place::Place;
use super::{Opening, StoreError, postgres, sqlite};
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use sqlx::{Connection as _, PgConnection, SqliteConnection};
use std::time::Duration;

/// Runs one body over whichever native driver stands behind a [`Connection`] or [`Readers`]; `sql` gives a statement in its words.
macro_rules! on {
    ($connection:expr, $driver:ident, $sql:ident => $body:expr) => {
        match $connection {
            $crate::store::dialect::Driver::Sqlite($driver) => {
                let $sql = $crate::store::sqlite::words;
                $body
            }
            $crate::store::dialect::Driver::Postgres($driver) => {
                let $sql = $crate::store::postgres::words;
                $body
            }
        }
    };
}
pub(super) use on;

/// One arm for each database, over its native driver.
#[derive(Debug)]
pub enum Driver<Sqlite, Postgres> {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

/// The writer's own connection.
pub(super) type Connection = Driver<SqliteConnection, PgConnection>;
/// Connections that only read.
pub(super) type Readers = Driver<SqlitePool, PgPool>;
/// How a database is reached; enough to open its writer again after a fault.
pub(super) type Address = Driver<sqlite::File, postgres::Server>;

impl Address {
    pub fn of(place: &Place, opening: &Opening) -> Address {
        let throwaway = opening.throwaway;
        match place {
            Place::File(path) => Driver::Sqlite(sqlite::File { path: path.clone(), page_limit: opening.page_limit, throwaway }),
            Place::Server(_) => Driver::Postgres(postgres::Server { place: place.clone(), throwaway }),
        }
    }

    /// Opens the connection that writes; a commit through it will be durable.
    pub async fn writer(&self) -> Result<Connection, StoreError> {
        Ok(match self {
            Driver::Sqlite(file) => Driver::Sqlite(file.writer().await?),
            Driver::Postgres(server) => Driver::Postgres(server.writer().await?),
        })
    }

    /// Opens the pool for reading.
    pub async fn readers(&self) -> Result<Readers, StoreError> {
        Ok(match self {
            Driver::Sqlite(file) => Driver::Sqlite(file.readers().await?),
            Driver::Postgres(server) => Driver::Postgres(server.readers().await?),
        })
    }

    /// A server may come back at once; a group that was not stored is tried again for so long.
    pub fn patience(&self) -> Duration {
        match self {
            Driver::Sqlite(_) => Duration::ZERO,
            Driver::Postgres(_) => Duration::from_secs(3),
        }
    }

    /// So many connections of one process write: a file has one writer, a server takes from several what one would have to wait for.
    pub fn writers(&self) -> usize {
        match self {
            Driver::Sqlite(_) => 1,
            Driver::Postgres(_) => postgres::WRITERS,
        }
    }

    /// A group that is not stored by then is not stored; a server may never answer.
    pub fn longest_write(&self) -> Duration {
        match self {
            Driver::Sqlite(_) => Duration::MAX,
            Driver::Postgres(_) => postgres::LONGEST_WRITE,
        }
    }
}

impl<S, P> Driver<S, P> {
    /// Other processes may write to the same database.
    pub fn is_shared(&self) -> bool {
        matches!(self, Driver::Postgres(_))
    }
}

/// The schema's text in the words of the database.
pub(super) fn schema_words(connection: &Connection, statement: &str) -> String {
    let statement = statement.trim();
    match connection {
        Driver::Sqlite(_) => sqlite::schema_words(statement),
        Driver::Postgres(_) => postgres::schema_words(statement),
    }
}

/// Begins a transaction that writes.
pub(super) async fn begin(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let words = if connection.is_shared() { postgres::BEGIN } else { sqlite::BEGIN };
    run(connection, words).await
}

/// Begins a transaction that changes the schema, while nobody else does.
pub(super) async fn begin_migration(connection: &mut Connection) -> Result<(), sqlx::Error> {
    let words = if connection.is_shared() { postgres::BEGIN_MIGRATION } else { sqlite::BEGIN };
    run(connection, words).await
}

/// Begins a transaction while nobody else writes to these tables, however long it takes.
pub(super) async fn begin_alone(connection: &mut Connection, tables: &[&str]) -> Result<(), sqlx::Error> {
    match connection {
        Driver::Sqlite(connection) => sqlx::query(sqlite::BEGIN).execute(connection).await.map(|_| ()),
        Driver::Postgres(connection) => {
            let words = format!("begin isolation level repeatable read; lock table {} in exclusive mode nowait", tables.join(", "));
            sqlx::raw_sql(sqlx::AssertSqlSafe(words)).execute(connection).await.map(|_| ())
        }
    }
}

/// A text that was put together, in the words of the database.
pub(super) fn in_words_of(connection: &Connection, text: &str) -> String {
    if connection.is_shared() { postgres::translated(text) } else { text.to_string() }
}

/// Runs words that begin, end or divide a transaction.
pub(super) async fn run(connection: &mut Connection, words: &'static str) -> Result<(), sqlx::Error> {
    match connection {
        Driver::Sqlite(connection) => sqlx::query(words).execute(connection).await.map(|_| ()),
        Driver::Postgres(connection) => sqlx::raw_sql(words).execute(connection).await.map(|_| ()),
    }
}

/// The storage failed or has gone: the connection cannot be trusted any more.
pub(super) fn is_storage_fault(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(Code::Sqlite(code)) => sqlite::is_storage_fault(code),
        Some(Code::Postgres(code)) => postgres::is_storage_fault(&code),
        None => is_lost(error),
    }
}

/// The connection has gone; what was not committed is not stored, and a new connection may do.
pub(super) fn is_lost(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(Code::Sqlite(_)) => false,
        Some(Code::Postgres(code)) => postgres::is_lost(&code),
        None => matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) | sqlx::Error::WorkerCrashed),
    }
}

/// Another process was in the way: the same again may succeed.
pub(super) fn is_contended(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(Code::Postgres(code)) if postgres::is_contended(&code))
}

/// A flush to the disk failed, so what earlier commits wrote may be lost as well: only a restart helps. A PostgreSQL server sees to that
/// itself.
pub(super) fn is_failed_flush(error: &sqlx::Error) -> bool {
    matches!(code(error), Some(Code::Sqlite(code)) if sqlite::is_failed_flush(code))
}

/// There was no room for what a commit had to write, so it is not there.
pub(super) fn is_full(error: &sqlx::Error) -> bool {
    match code(error) {
        Some(Code::Sqlite(code)) => sqlite::is_full(code),
        Some(Code::Postgres(code)) => postgres::is_full(&code),
        None => false,
    }
}

/// What the database said, in words for an administrator.
pub(super) fn plain(error: &sqlx::Error) -> String {
    let known = match code(error) {
        Some(Code::Sqlite(code)) => sqlite::plain(code),
        Some(Code::Postgres(code)) => postgres::plain(&code),
        None => None,
    };
    match (known, error) {
        (Some(known), _) => known.into(),
        (None, sqlx::Error::Database(error)) => error.message().to_string(),
        (None, sqlx::Error::Io(error)) => format!("the server cannot be reached ({error})"),
        (None, sqlx::Error::PoolTimedOut) => "the server cannot be reached (timed out)".into(),
        (None, error) => error.to_string(),
    }
}

enum Code {
    Sqlite(u32),
    Postgres(String),
}

fn code(error: &sqlx::Error) -> Option<Code> {
    let sqlx::Error::Database(error) = error else { return None };
    let code = error.code()?.into_owned();
    match error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>() {
        Some(_) => Some(Code::Postgres(code)),
        None => code.parse().ok().map(Code::Sqlite),
    }
}

/// Runs batches one behind the other: each a statement with its rows as `$1`, all in one jurisdiction. SQLite's driver hands every statement over to a thread of
/// its own, so all of them go there as one text.
pub(super) async fn run_batches(connection: &mut Connection, here: &str, batches: Vec<(&'static str, String)>) -> Result<(), sqlx::Error> {
    match connection {
        Driver::Sqlite(connection) => {
            // The text is made of our own constants.
            let query = sqlx::query(sqlx::AssertSqlSafe(chained(&batches, ";\n", sqlite::translated)));
            let query = batches.into_iter().fold(query, |query, (_, rows)| query.bind(rows));
            query.bind(here).execute(&mut *connection).await?;
        }
        Driver::Postgres(connection) => {
            // A row that is deleted and written again by one statement would be in its own way.
            let (deleting, writing): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(statement, _)| statement.starts_with("delete"));
            for (statement, rows) in deleting {
                sqlx::query(postgres::words(statement)).bind(rows).bind(here).execute(&mut *connection).await?;
            }
            if !writing.is_empty() {
                let query = sqlx::query(sqlx::AssertSqlSafe(as_one(&writing)));
                let query = writing.into_iter().fold(query, |query, (_, rows)| query.bind(rows));
                query.bind(here).execute(&mut *connection).await?;
            }
        }
    }
    Ok(())
}

/// The same for questions whose answers have one shape. Those that lock rows are asked first, in their order, so that the others see what
/// had been written before the rows were ours.
pub(super) async fn ask_batches(
    connection: &mut Connection,
    here: &str,
    batches: Vec<(&'static str, String)>,
) -> Result<Vec<Answer>, sqlx::Error> {
    match connection {
        Driver::Sqlite(connection) => {
            let query = sqlx::query_as(sqlx::AssertSqlSafe(chained(&batches, ";\n", sqlite::translated)));
            let query = batches.into_iter().fold(query, |query, (_, rows)| query.bind(rows));
            query.bind(here).fetch_all(&mut *connection).await
        }
        Driver::Postgres(connection) => {
            let (locking, others): (Vec<_>, Vec<_>) = batches.into_iter().partition(|(statement, _)| statement.contains("/*for update*/"));
            let mut answers = Vec::new();
            for (statement, rows) in locking {
                let query = sqlx::query_as(postgres::words(statement));
                answers.extend(query.bind(rows).bind(here).fetch_all(&mut *connection).await?);
            }
            if !others.is_empty() {
                let query = sqlx::query_as(sqlx::AssertSqlSafe(chained(&others, "\nunion all\n", postgres::translated)));
                let query = others.into_iter().fold(query, |query, (_, rows)| query.bind(rows));
                answers.extend(query.bind(here).fetch_all(&mut *connection).await?);
            }
            Ok(answers)
        }
    }
}

/// Which question was asked, and five texts.
pub(super) type Answer = (String, String, String, String, String, String);

/// Several statements as one text: `$1` of the second becomes `$2`, and so on; the jurisdiction is the last parameter of all.
fn chained(batches: &[(&'static str, String)], between: &str, words: fn(&str) -> String) -> String {
    renumbered(batches, words).collect::<Vec<_>>().join(between)
}

/// Several statements that write as one that does all of it in one go.
fn as_one(batches: &[(&'static str, String)]) -> String {
    let parts = renumbered(batches, postgres::translated).zip(1..).map(|(text, number)| format!("part{number} as ({text})"));
    format!("with {} select 1", parts.collect::<Vec<_>>().join(",\n"))
}

fn renumbered(batches: &[(&'static str, String)], words: fn(&str) -> String) -> impl Iterator<Item = String> {
    let last = format!("${}", batches.len() + 1);
    batches.iter().zip(1..).map(move |((statement, _), number)| {
        // The jurisdiction last, so that its number is not taken for another's.
        words(statement).replace("$1", &format!("${number}")).replace("$j", &last)
    })
}

/// Where the database lies, for people.
pub(super) fn place(readers: &Readers) -> String {
    match readers {
        Driver::Sqlite(pool) => pool.connect_options().get_filename().display().to_string(),
        Driver::Postgres(pool) => {
            let options = pool.connect_options();
            format!("postgres://{}/{}", options.get_host(), options.get_database().unwrap_or_default())
        }
    }
}

/// Closes a connection that is still sound.
pub(super) async fn close(connection: Connection) {
    // Nothing is lost when closing fails: all that was answered has been committed.
    let _ = match connection {
        Driver::Sqlite(connection) => connection.close().await,
        Driver::Postgres(connection) => connection.close().await,
    };
}
