//! What is SQLite's alone: how a file is opened so that a commit is durable, its words, and which errors mean what.

use super::{StoreError, Unfit, file_fault, lock, statements};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqliteConnection};
use std::collections::HashMap;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

/// The first version of SQLite without the bug that damages a write-ahead log when it is reset.
const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);
const READERS: u32 = 4;

/// Kept in memory by each connection, in KiB (SQLite takes a negative number for that).
const CACHE: &str = "-32768";
const READERS_CACHE: &str = "-8192";

/// So many rows are read before they are taken.
const ROWS_AHEAD: usize = 1024;

/// Begins a transaction that already holds the right to write.
pub(super) const BEGIN: &str = "begin immediate";

/// How a file is reached; enough to open its writer again after a fault.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub path: PathBuf,
    /// The file may not grow beyond so many pages.
    pub page_limit: Option<u32>,
    /// Commits are not flushed one by one.
    pub throwaway: bool,
}

impl File {
    fn options(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true)
            .pragma("cell_size_check", "on")
            .pragma("mmap_size", "0")
            // Statements that touch many rows keep their undo in memory, not in a file made for each.
            .pragma("temp_store", "memory")
            .pragma("cache_size", CACHE)
            // The thread that reads runs ahead of whoever takes the rows, instead of waking it for each few of them.
            .row_buffer_size(ROWS_AHEAD)
            .disable_statement_logging()
    }

    /// Opens the one connection that writes, and reads back that a commit will be durable.
    pub async fn writer(&self) -> Result<SqliteConnection, StoreError> {
        make_private(&self.path).map_err(|error| StoreError::Open { path: self.path.display().to_string(), what: file_fault(&error) })?;
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
        Ok(connection)
    }

    /// Opens the pool for reading; a stray write through it fails.
    pub async fn readers(&self) -> Result<SqlitePool, StoreError> {
        SqlitePoolOptions::new()
            .max_connections(READERS)
            // A file does not hang up while nobody looks.
            .test_before_acquire(false)
            .after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
            .connect_with(self.options().read_only(true).pragma("query_only", "on").pragma("cache_size", READERS_CACHE))
            .await
            .map_err(|error| self.cannot_open(&error))
    }

    async fn check(&self, connection: &mut SqliteConnection) -> Result<(), StoreError> {
        let refuse = |why| StoreError::Unfit { path: self.path.display().to_string(), why };
        let failed = |error: sqlx::Error| self.cannot_open(&error);
        let (journal,): (String,) = sqlx::query_as("pragma journal_mode").fetch_one(&mut *connection).await.map_err(failed)?;
        let (synchronous,): (i64,) = sqlx::query_as("pragma synchronous").fetch_one(&mut *connection).await.map_err(failed)?;
        let (foreign_keys,): (i64,) = sqlx::query_as("pragma foreign_keys").fetch_one(&mut *connection).await.map_err(failed)?;
        let (version,): (String,) = sqlx::query_as("select sqlite_version()").fetch_one(&mut *connection).await.map_err(failed)?;
        let durable = synchronous == 2 || self.throwaway;
        if journal != "wal" || !durable || foreign_keys != 1 {
            return Err(refuse(Unfit::NotDurable(format!("journal {journal}, synchronous {synchronous}, foreign keys {foreign_keys}"))));
        }
        let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
        let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if found < OLDEST_SQLITE {
            return Err(refuse(Unfit::OldSqlite(version)));
        }
        Ok(())
    }

    fn cannot_open(&self, error: &sqlx::Error) -> StoreError {
        StoreError::Open { path: self.path.display().to_string(), what: super::dialect::plain(error) }
    }
}

/// A statement of the store in the words of SQLite; what only others read stands in comments. A row of a batch is kept in the binary form
/// that it was read into: as text it would be written out and read again for each of its columns.
pub fn translated(statement: &str) -> String {
    statement.replace("json_each(", "jsonb_each(")
}

/// Each statement as it is run.
pub(super) fn words(statement: &'static str) -> &'static str {
    static ALL: LazyLock<HashMap<&str, &'static str>> = LazyLock::new(|| {
        // Leaked once for each statement, which are constants.
        statements::ALL.iter().map(|(_, text)| (*text, &*statements::numbered(&translated(text)).leak())).collect()
    });
    ALL.get(statement).copied().unwrap_or(statement)
}

/// The schema's text: STRICT tables know `integer`, not `bigint`.
pub(super) fn schema_words(statement: &str) -> String {
    if statement.starts_with("create table") {
        return format!("{} strict", statement.replace(" bigint", " integer"));
    }
    statement.replace(" bigint", " integer")
}

/// The disk is full or broken: the connection cannot be trusted any more.
pub(super) fn is_storage_fault(code: u32) -> bool {
    matches!(code & 0xff, 10 | 11 | 13 | 26)
}

/// A frame of the log that was cut short is no part of it.
pub(super) fn is_full(code: u32) -> bool {
    code & 0xff == 13
}

/// A flush to the disk failed, so what earlier commits wrote may be lost as well: only a restart helps.
pub(super) fn is_failed_flush(code: u32) -> bool {
    // SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC
    matches!(code, 1034 | 1290)
}

/// What went wrong, in words for an administrator.
pub(super) fn plain(code: u32) -> Option<&'static str> {
    Some(match code & 0xff {
        13 => "the disk is full",
        10 => "the disk reported an error",
        11 => "the file is damaged",
        26 => "the file is not a database",
        14 => "the file cannot be opened",
        8 => "the file is read-only",
        5 => "the file is locked by another program",
        _ => return None,
    })
}

/// A database that is made is nobody else's to read; its log is made as it is. One that exists stays as it is.
fn make_private(file: &Path) -> std::io::Result<()> {
    match lock::private().write(true).create_new(true).open(file) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Copies the whole file as it is at one moment.
pub(super) async fn copy(file: &File, to: &Path) -> Result<(), StoreError> {
    make_private(to).map_err(|error| StoreError::Failed(format!("`{}`: {}", to.display(), file_fault(&error))))?;
    let to = to.to_str().ok_or_else(|| StoreError::Failed(format!("the name of `{}` is not UTF-8", to.display())))?;
    let mut connection = file.options().read_only(true).connect().await.map_err(|error| file.cannot_open(&error))?;
    let copied = sqlx::query("vacuum into $1").bind(to).execute(&mut connection).await;
    connection.close().await?;
    copied?;
    Ok(())
}

/// Brings everything that was written into the file itself, so that its log can go. Nobody else may have it open.
pub(super) async fn settle(file: &File) -> Result<(), StoreError> {
    let mut connection = file.options().connect().await.map_err(|error| file.cannot_open(&error))?;
    let settled: Result<(i64, i64, i64), _> = sqlx::query_as("pragma wal_checkpoint(truncate)").fetch_one(&mut connection).await;
    connection.close().await?;
    match settled? {
        (0, ..) => Ok(()),
        _ => Err(StoreError::Failed("another program has the file open".into())),
    }
}

/// Puts the log that another process has left onto the disk as it is read, before anybody relies on it: when a flush fails, the system
/// forgets what it could not write, but goes on showing it. Nobody else may write to the database. `false` when there is no log.
pub(super) fn flush_log(file: &Path) -> std::io::Result<bool> {
    let mut name = file.as_os_str().to_os_string();
    name.push("-wal");
    let mut log = match std::fs::OpenOptions::new().read(true).write(true).open(name) {
        Ok(log) => log,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    let (mut block, mut at) = (vec![0; 1 << 20], 0);
    loop {
        log.seek(SeekFrom::Start(at))?;
        let read = log.read(&mut block)?;
        if read == 0 {
            log.sync_all()?;
            return Ok(true);
        }
        log.seek(SeekFrom::Start(at))?;
        log.write_all(&block[..read])?;
        at += read as u64;
    }
}

/// What SQLite finds wrong with the file, in its own words; also when an index is not what its table is.
pub(super) async fn check_pages(pool: &SqlitePool) -> Result<Option<String>, StoreError> {
    let rows: Vec<(String,)> = match sqlx::query_as("pragma integrity_check(10)").fetch_all(pool).await {
        Ok(rows) => rows,
        Err(error) => match StoreError::from(error) {
            StoreError::Failed(what) => return Ok(Some(what)),
            error => return Err(error),
        },
    };
    let found: Vec<String> = rows.into_iter().map(|row| row.0).filter(|line| line != "ok").collect();
    Ok((!found.is_empty()).then(|| found.join("; ")))
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
