//! What truly differs between the databases: the driver behind an enum, pragmas, words of the schema, and which errors mean what.
//!
//! Everything else is one SQL text (see `statements`) with `$1` placeholders, written so that both databases read it.

use super::StoreError;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Runs one body over whichever native driver stands behind a [`Connection`] or [`Readers`].
macro_rules! on {
    ($connection:expr, $driver:ident => $body:expr) => {
        match $connection {
            $crate::store::dialect::Driver::Sqlite($driver) => $body,
        }
    };
}
pub(super) use on;

/// One arm for each database, over its native driver.
#[derive(Debug)]
pub enum Driver<Sqlite> {
    Sqlite(Sqlite),
}

/// The writer's own connection.
pub(super) type Connection = Driver<SqliteConnection>;
/// Connections that can only read.
pub(super) type Readers = Driver<SqlitePool>;

/// The first version of SQLite without the bug that damages a write-ahead log when it is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;

/// How a database is reached; enough to open its writer again after a fault.
#[derive(Clone, Debug)]
pub(super) struct Address {
    pub path: PathBuf,
    /// The file may not grow beyond so many pages.
    pub page_limit: Option<u32>,
    /// Commits are not flushed one by one.
    pub throwaway: bool,
}

/// Kept in memory by each connection, in KiB (SQLite takes a negative number for that).
const CACHE: &str = "-32768";
const READERS_CACHE: &str = "-8192";

impl Address {
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("cell_size_check", "on")
            .pragma("mmap_size", "0")
            .pragma("cache_size", CACHE)
            .disable_statement_logging()
    }

    /// Opens the one connection that writes, and reads back that a commit will be durable.
    pub async fn writer(&self) -> Result<Connection, StoreError> {
        let mut options = self
            .options()
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(if self.throwaway { SqliteSynchronous::Normal } else { SqliteSynchronous::Full })
            .pragma("journal_size_limit", "67108864");
        if let Some(pages) = self.page_limit {
            options = options.pragma("max_page_count", pages.to_string());
        }
        let mut connection = options.connect().await.map_err(|error| self.cannot_open(&error))?;
        self.check(&mut connection).await?;
        Ok(Driver::Sqlite(connection))
    }

    /// Opens the pool for reading; a stray write through it fails.
    pub async fn readers(&self) -> Result<Readers, StoreError> {
        let pool = SqlitePoolOptions::new()
            .max_connections(READERS)
            // A file does not hang up while nobody looks.
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(self.options().read_only(true).pragma("query_only", "on").pragma("cache_size", READERS_CACHE))
            .await
            .map_err(|error| self.cannot_open(&error))?;
        Ok(Driver::Sqlite(pool))
    }

    async fn check(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let refuse = |what: String| StoreError::Open { path: self.path.display().to_string(), what };
        let failed = |error: sqlx::Error| self.cannot_open(&error);
        let (journal,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut *connection).await.map_err(failed)?;
        let (synchronous,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(&mut *connection).await.map_err(failed)?;
        let (foreign_keys,): (i64,) = sqlx::query_as("pragma foreign_keys").fetch_one(&mut *connection).await.map_err(failed)?;
        let (version,): (String,) = sqlx::query_as("select sqlite_version()").fetch_one(&mut *connection).await.map_err(failed)?;
        let durable = synchronous == 2 || self.throwaway;
        if journal != "wal" || !durable || foreign_keys != 1 {
            return Err(refuse(format!(
                "its settings are not durable (journal {journal}, synchronous {synchronous}, foreign keys {foreign_keys})"
            )));
        }
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if found < OLDEST_SQLITE {
            return Err(refuse(format!("SQLite {version} can damage its log; 3.51.3 or later is needed")));
        }
        Ok(())
    }

    fn cannot_open(&self, error: &sqlx::Error) -> StoreError {
        StoreError::Open { path: self.path.display().to_string(), what: plain(error) }
    }
}

/// The schema's text in the words of SQLite: STRICT tables know `integer`, not `bigint`.
pub(super) fn schema_words(statement: &str) -> String {
    let statement = statement.trim();
    if statement.starts_with("create table") {
        return format!("{} strict", statement.replace(" bigint", " integer"));
    }
    statement.to_string()
}

/// Begins a transaction that already holds the right to write.
pub(super) const BEGIN: &str = "begin immediate";

/// The disk is full or broken: the connection cannot be trusted any more.
pub(super) fn is_storage_fault(error: &sqlx::Error) -> bool {
    matches!(primary_code(error), Some(10 | 11 | 13 | 26)) || matches!(error, sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed)
}

/// A flush to the disk failed, so what earlier commits wrote may be lost as well: only a restart helps.
pub(super) fn is_failed_flush(error: &sqlx::Error) -> bool {
    // SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC
    matches!(extended_code(error), Some(1034 | 1290))
}

/// What the database said, in words for an administrator.
pub(super) fn plain(error: &sqlx::Error) -> String {
    match primary_code(error) {
        Some(13) => "the disk is full".into(),
        Some(10) => "the disk reported an error".into(),
        Some(11) => "the file is damaged".into(),
        Some(26) => "the file is not a database".into(),
        Some(14) => "the file cannot be opened".into(),
        Some(8) => "the file is read-only".into(),
        Some(5) => "the file is locked by another program".into(),
        _ => match error {
            sqlx::Error::Database(error) => error.message().to_string(),
            error => error.to_string(),
        },
    }
}

fn extended_code(error: &sqlx::Error) -> Option<u32> {
    match error {
        sqlx::Error::Database(error) => error.code()?.parse().ok(),
        _ => None,
    }
}

fn primary_code(error: &sqlx::Error) -> Option<u32> {
    extended_code(error).map(|code| code & 0xff)
}

/// Runs batches one behind the other: each a statement with its rows as `$1`. SQLite's driver hands every statement over to a thread of
/// its own, so all of them go there as one text.
pub(super) async fn run_batches(connection: &mut Connection, batches: Vec<(&'static str, String)>) -> Result<(), sqlx::Error> {
    let text = chained(&batches);
    let Driver::Sqlite(connection) = connection;
    // The text is made of our own constants.
    let query = sqlx::query(sqlx::AssertSqlSafe(text));
    batches.into_iter().fold(query, |query, (_, rows)| query.bind(rows)).execute(connection).await?;
    Ok(())
}

/// The same for questions whose answers have one shape.
pub(super) async fn ask_batches(connection: &mut Connection, batches: Vec<(&'static str, String)>) -> Result<Vec<Answer>, sqlx::Error> {
    let text = chained(&batches);
    let Driver::Sqlite(connection) = connection;
    let query = sqlx::query_as(sqlx::AssertSqlSafe(text));
    batches.into_iter().fold(query, |query, (_, rows)| query.bind(rows)).fetch_all(connection).await
}

/// Which question was asked, and four texts.
pub(super) type Answer = (String, String, String, String, String);

/// Several statements as one text: `$1` of the second becomes `$2`, and so on.
fn chained(batches: &[(&'static str, String)]) -> String {
    let numbered = batches.iter().zip(1..).map(|((statement, _), number)| statement.replace("$1", &format!("${number}")));
    numbered.collect::<Vec<_>>().join(";\n")
}

/// Closes a connection that is still sound.
pub(super) async fn close(connection: Connection) {
    let Driver::Sqlite(connection) = connection;
    // Nothing is lost when closing fails: all that was answered has been committed.
    let _ = connection.close().await;
}

/// File systems on which SQLite's log corrupts, by their kind in the table of mounts.
const SHARED_FILE_SYSTEMS: [&str; 8] = ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "fuse.sshfs"];

/// The kind of the file system on which `path` lies, when it is one that other machines share.
pub(super) fn shared_file_system(path: &Path) -> Option<String> {
    let path = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new(".")).canonicalize().ok()?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").ok()?;
    let nearest = mounts
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            let (_, at, kind) = (words.next()?, words.next()?, words.next()?);
            path.starts_with(at).then_some((at.len(), kind))
        })
        .max_by_key(|(length, _)| *length)?;
    SHARED_FILE_SYSTEMS.contains(&nearest.1).then(|| nearest.1.to_string())
}
