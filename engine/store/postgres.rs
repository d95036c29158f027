//! What is PostgreSQL's alone: how a server is reached so that a commit is durable, its words, and which errors mean what.
//!
//! Nothing of a session is relied on, so a pooler may stand in between: what a transaction needs is set inside it.

use super::{StoreError, Unfit, statements};
use crate::store::place::Place;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, PgConnection};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

const READERS: u32 = 8;
/// Connections of one process that write.
pub(super) const WRITERS: usize = 2;
/// A connection that is not made by then is not made.
const CONNECTING: Duration = Duration::from_secs(5);
/// A group that is not written by then is not: with the time to connect, nobody waits much longer than half a minute for a server that hangs.
pub(super) const LONGEST_WRITE: Duration = Duration::from_secs(25);
/// A question that takes longer is given up, so that nothing waits for ever behind it.
const LONGEST_READ: &str = "60s";
/// The first version with all that the statements use.
const OLDEST: i64 = 130_000;

/// Begins a transaction. When its process is paused or cut off in the middle, the server ends it, so that nobody waits for its rows. All that
/// is written finds its rows by an index: a plan that was made while a table was small must not go over all of it when it has grown.
pub(super) const BEGIN: &str = "begin isolation level read committed;
    set local enable_seqscan = off;
    set local enable_hashjoin = off;
    set local enable_mergejoin = off;
    set local jit = off;
    set local idle_in_transaction_session_timeout = '15s';
    set local lock_timeout = '10s';
    set local statement_timeout = '25s'";

/// Begins a change of the schema: one process at a time.
pub(super) const BEGIN_MIGRATION: &str = "begin isolation level read committed; select pg_advisory_xact_lock(7309461735124992)";

/// How a database is reached.
#[derive(Clone, Debug)]
pub(super) struct Server {
    pub place: Place,
    /// Commits need not be flushed one by one.
    pub throwaway: bool,
}

impl Server {
    fn options(&self) -> Result<PgConnectOptions, StoreError> {
        let Place::Server(url) = &self.place else { return Err(StoreError::Closed) };
        let options = PgConnectOptions::from_str(url).map_err(|error| self.cannot_open(&error))?;
        Ok(options.application_name("duban").disable_statement_logging())
    }

    /// Opens the connection through which this process writes, and asks whether a commit will be durable.
    pub async fn writer(&self) -> Result<PgConnection, StoreError> {
        let options = self.options()?;
        let opened = tokio::time::timeout(CONNECTING, options.connect()).await;
        let mut connection = opened.unwrap_or_else(|_| Err(timed_out())).map_err(|error| self.cannot_open(&error))?;
        self.check(&mut connection).await?;
        Ok(connection)
    }

    /// Opens the pool for reading. Each connection is asked whether it still lives before it is used: servers restart.
    pub async fn readers(&self) -> Result<PgPool, StoreError> {
        let connected = PgPoolOptions::new()
            .max_connections(READERS)
            .acquire_timeout(CONNECTING)
            .connect_with(self.options()?.options([("statement_timeout", LONGEST_READ)]))
            .await;
        connected.map_err(|error| self.cannot_open(&error))
    }

    async fn check(&self, connection: &mut PgConnection) -> Result<(), StoreError> {
        type Row = (String, String, String, String, String);
        let settings = "select current_setting('fsync'), current_setting('full_page_writes'), current_setting('synchronous_commit'),
            current_setting('server_encoding'), current_setting('server_version_num')";
        let (fsync, full_pages, commit, encoding, version): Row =
            sqlx::query_as(settings).fetch_one(connection).await.map_err(|error| self.cannot_open(&error))?;
        let refuse = |why| Err(StoreError::Unfit { path: self.place.to_string(), why });
        if version.parse().unwrap_or(0) < OLDEST {
            return refuse(Unfit::OldPostgres(version));
        }
        if encoding != "UTF8" {
            return refuse(Unfit::Encoding(encoding));
        }
        if !self.throwaway && (fsync != "on" || full_pages != "on" || commit == "off") {
            return refuse(Unfit::NotDurable(format!("fsync {fsync}, full_page_writes {full_pages}, synchronous_commit {commit}")));
        }
        Ok(())
    }

    fn cannot_open(&self, error: &sqlx::Error) -> StoreError {
        StoreError::Open { path: self.place.to_string(), what: super::dialect::plain(error) }
    }
}

/// As if the server had not answered.
pub(super) fn timed_out() -> sqlx::Error {
    sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())
}

/// Words of the statements and what they are here, the longer ones first.
const WORDS: [(&str, &str); 10] = [
    ("json_each($1) j", "jsonb_array_elements(cast($1 as jsonb)) j(value)"),
    ("json_each($1)", "jsonb_array_elements(cast($1 as jsonb)) rows(value)"),
    ("json_each($2)", "jsonb_array_elements(cast($2 as jsonb)) rows(value)"),
    ("json_each($3)", "jsonb_array_elements(cast($3 as jsonb)) rows(value)"),
    ("json_each($4)", "jsonb_array_elements(cast($4 as jsonb)) rows(value)"),
    ("/*for update skip locked*/", "for update skip locked"),
    ("/*for update*/", "for update"),
    (" like ", " ilike "),
    ("fields ->> ", "cast(fields as jsonb) ->> "),
    ("json_array(", "json_build_array("),
];

/// Each statement as it is run.
pub(super) fn words(statement: &'static str) -> &'static str {
    static ALL: LazyLock<HashMap<&str, &'static str>> = LazyLock::new(|| {
        // Leaked once for each statement, which are constants.
        statements::ALL.iter().map(|(_, text)| (*text, &*statements::numbered(&translated(text)).leak())).collect()
    });
    ALL.get(statement).copied().unwrap_or(statement)
}

/// A statement of the store in the words of PostgreSQL.
pub fn translated(statement: &str) -> String {
    WORDS.iter().fold(batch_leads(statement), |text, (word, own)| text.replace(word, own))
}

/// A batch leads to the rows of a table by their keys, in the order of the keys. Left to itself, the server goes over all that an office holds
/// and compares it with the batch wherever it takes the office for small: while it knows nothing of a table yet, and where offices differ.
fn batch_leads(statement: &str) -> String {
    const LEADS: &str = "json_each($1) j cross join ";
    let parts = statement.split_once(LEADS).and_then(|(before, joined)| {
        let (condition, rest) = joined.split_at(joined.find(" order by ").or_else(|| joined.find(" /*")).unwrap_or(joined.len()));
        let alias = condition.split_whitespace().nth(1)?;
        Some((before, condition, alias, rest))
    });
    parts.map_or_else(
        || statement.to_string(),
        |(before, condition, alias, rest)| {
            let batch = "(select value from json_each($1) order by value ->> 0) j";
            format!("{before}{batch} cross join lateral (select * from {condition} offset 0) {alias}{rest}")
        },
    )
}

/// The schema's text: ids are compared byte by byte, whatever language the server speaks.
pub(super) fn schema_words(statement: &str) -> String {
    if statement.starts_with("create table") {
        return statement.replace(" text", " text collate \"C\"");
    }
    statement.to_string()
}

/// The connection, or the server behind it, has gone.
pub(super) fn is_lost(code: &str) -> bool {
    // Shut down, crashed, starting up; this session was ended.
    code.starts_with("08") || matches!(code, "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "53300")
}

/// The server cannot store: no room, an error of the disk, or it is read-only.
pub(super) fn is_storage_fault(code: &str) -> bool {
    is_lost(code) || matches!(code, "25006" | "28P01" | "28000" | "3D000") || ["53", "58", "XX"].iter().any(|class| code.starts_with(class))
}

/// There was no room. A server that lacks it for the record of a commit ends every session; one that says so has taken everything back.
pub(super) fn is_full(code: &str) -> bool {
    code == "53100"
}

/// Another process was in the way: the same again may succeed.
pub(super) fn is_contended(code: &str) -> bool {
    // Serialisation, deadlock, lock time-out, a key that somebody else has just inserted.
    matches!(code, "40001" | "40P01" | "55P03" | "23505")
}

/// What went wrong, in words for an administrator.
pub(super) fn plain(code: &str) -> Option<&'static str> {
    Some(match code {
        "28P01" => "the server refused the password",
        "28000" => "the server refused the user",
        "3D000" => "the server has no such database",
        "42501" => "the user lacks the rights",
        "42P01" => "it has no tables of duban",
        "53100" => "the server's disk is full",
        "53300" => "the server has too many connections",
        "25006" => "the server is read-only",
        "40P01" | "40001" | "55P03" => "other processes were in the way too often",
        "57014" => "the server took too long",
        "57P01" | "57P02" => "the server was shut down",
        "57P03" => "the server is starting up or shutting down",
        "58030" => "the server's disk reported an error",
        _ => return None,
    })
}
