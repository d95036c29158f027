//! Writes a whole country into an empty database, faster than its offices would: rows go in as one stream for each table, and indexes and
//! keys are made when all are there.
//!
//! What is written has to be true as it comes. While it is under way the database is marked, and nobody can open it.

use super::dialect::{self, Address, Connection, Driver, on};
use super::lock::Lock;
use super::pattern::{self, Read, Sheaf, TABLES, Table};
use super::place::Place;
use super::{Opening, StoreError, batch, schema, statements};
use crate::kernel::rules::RuleSet;
use crate::kernel::time::Instant;
use sqlx::{AssertSqlSafe, PgConnection, Row as _, SqliteConnection};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// A database in which rows are being put, or were left half-way.
pub(super) const FILLING: &str = "filling";

/// Every table, to see whether there is anything.
const ALL: [&str; 14] = [
    "jurisdiction",
    "rule_text",
    "rule_set",
    "publish",
    "schedule",
    "item",
    "fact",
    "notice",
    "mail",
    "command",
    "slot",
    "counter",
    "hand",
    "unique_value",
];
/// So many rows go into one statement of SQLite.
const ROWS: usize = 250;
/// So many bytes go to a PostgreSQL server at a time.
const PIECE: usize = 1 << 20;

/// So many jurisdictions get their rules at once.
const PAGE: usize = 2_000;

const IN_USE: &str = "insert into rule_set (jurisdiction, hash, revision, in_use_since)
    select value ->> 0, value ->> 1, 1, cast(value ->> 2 as bigint) from json_each($1)";
const PUBLISHED: &str = "insert into publish (jurisdiction, revision, hash, at, record)
    select value ->> 0, 1, value ->> 1, cast(value ->> 2 as bigint), '{}' from json_each($1)";
const OFFICES: &str = "insert into jurisdiction (id, revision, derived) select value ->> 0, 1, 1 from json_each($1)";
const BEGUN: &str = "insert into slot (jurisdiction, sweep, slot, at, claimed_at, done_at)
    select value ->> 0, value ->> 1, value ->> 2, cast(value ->> 3 as bigint), cast(value ->> 3 as bigint), cast(value ->> 3 as bigint) from json_each($1)";
const NEXT: &str =
    "insert into schedule (jurisdiction, sweep, next_at) select value ->> 0, value ->> 1, cast(value ->> 4 as bigint) from json_each($1)";

/// A sweep that has been begun.
#[derive(Clone, Debug)]
pub struct Begun {
    /// Workflow and sweep.
    pub sweep: String,
    /// The local civil minute of now.
    pub slot: String,
    pub next: Instant,
}

/// Why nothing, or not everything, was written.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{place}` is not empty: it has rows in `{table}`")]
    NotEmpty { place: String, table: String },
    /// Its keys and indexes may be gone, and nobody knows which they were.
    #[error("`{place}` was left half-filled; remove it and begin anew")]
    HalfFilled { place: String },
}

impl From<sqlx::Error> for FillError {
    fn from(error: sqlx::Error) -> Self {
        FillError::Store(error.into())
    }
}

/// A database that is being filled.
pub struct Filling {
    address: Address,
    connection: Connection,
    /// What makes the keys and indexes that were taken away: statements that may run side by side, then others.
    rounds: Vec<Vec<String>>,
    /// Held while this lives.
    _lock: Option<Lock>,
}

/// One stream of rows. A PostgreSQL server takes several side by side.
pub struct Stream {
    connection: Connection,
}

impl Filling {
    /// Makes the tables and takes their indexes away. A database that holds anything is left as it is.
    pub async fn begin(place: &Place, instance: &str, now: Instant) -> Result<Filling, FillError> {
        let lock = place.file().map(Lock::take).transpose()?;
        // It is not worth anything before it is whole.
        let address = Address::of(place, &Opening { throwaway: true, ..Opening::default() });
        let mut connection = address.writer().await?;
        schema::migrate(&mut connection, &place.to_string(), now).await?;
        if is_marked(&mut connection).await? {
            return Err(FillError::HalfFilled { place: place.to_string() });
        }
        for table in ALL {
            let found: Option<(i64,)> = {
                let text = format!("select cast(1 as bigint) from {table} limit 1");
                on!(&mut connection, c, _words => sqlx::query_as(AssertSqlSafe(text)).fetch_optional(&mut *c).await)?
            };
            if found.is_some() {
                return Err(FillError::NotEmpty { place: place.to_string(), table: table.to_string() });
            }
        }
        set_meta(&mut connection, FILLING, "yes").await?;
        set_meta(&mut connection, "instance", instance).await?;
        set_meta(&mut connection, "clock", &now.timestamp_millis().to_string()).await?;
        let rounds = match &mut connection {
            Driver::Sqlite(connection) => strip_sqlite(connection).await?,
            Driver::Postgres(connection) => strip_postgres(connection).await?,
        };
        Ok(Filling { address, connection, rounds, _lock: lock })
    }

    /// How many streams go side by side when there are so many processors.
    pub fn streams(&self, processors: usize) -> usize {
        if self.connection.is_shared() { processors } else { 1 }
    }

    /// Another connection to write through.
    pub async fn stream(&self) -> Result<Stream, StoreError> {
        let mut connection = self.address.writer().await?;
        match &mut connection {
            Driver::Sqlite(connection) => {
                for words in QUICK_SQLITE {
                    sqlx::query(words).execute(&mut *connection).await?;
                }
            }
            Driver::Postgres(connection) => {
                sqlx::raw_sql(QUICK_POSTGRES).execute(connection).await?;
            }
        }
        Ok(Stream { connection })
    }

    /// Puts a rule set into use for jurisdictions that have none. Its sweeps begin now; each goes on at its next slot.
    pub async fn rules(&mut self, jurisdictions: &[String], rules: &RuleSet, sweeps: &[Begun], now: Instant) -> Result<(), StoreError> {
        let files = serde_json::to_string(&rules.files).map_err(|error| StoreError::NotDone(error.to_string()))?;
        let now = now.timestamp_millis();
        on!(&mut self.connection, c, sql => sqlx::query(sql(statements::RULES_TEXT)).bind(&*rules.hash).bind(&files).execute(&mut *c).await.map(|_| ()))?;
        for page in jurisdictions.chunks(PAGE) {
            let rows: Vec<_> = page.iter().map(|here| (here, &rules.hash, now)).collect();
            let swept: Vec<_> = page
                .iter()
                .flat_map(|here| sweeps.iter().map(move |begun| (here, &begun.sweep, &begun.slot, now, begun.next.timestamp_millis())))
                .collect();
            for (statement, rows) in
                [(IN_USE, batch(&rows)), (PUBLISHED, batch(&rows)), (OFFICES, batch(&rows)), (BEGUN, batch(&swept)), (NEXT, batch(&swept))]
            {
                let text = dialect::in_words_of(&self.connection, statement);
                on!(&mut self.connection, c, _words => sqlx::query(AssertSqlSafe(text)).bind(rows).execute(&mut *c).await.map(|_| ()))?;
            }
        }
        Ok(())
    }

    /// Makes keys and indexes, and lets others in. `told` hears how many of how many steps are done.
    pub async fn finish(mut self, streams: Vec<Stream>, told: impl Fn(usize, usize)) -> Result<(), FillError> {
        let all = self.rounds.iter().map(Vec::len).sum();
        let mut done = 0;
        let mut streams = streams;
        for round in std::mem::take(&mut self.rounds) {
            let left = Arc::new(Mutex::new(VecDeque::from(round)));
            let (tell, mut steps) = tokio::sync::mpsc::unbounded_channel();
            let mut tasks = tokio::task::JoinSet::new();
            for stream in std::mem::take(&mut streams) {
                let (left, tell) = (left.clone(), tell.clone());
                tasks.spawn(stream.work_off(left, tell));
            }
            drop(tell);
            while steps.recv().await.is_some() {
                done += 1;
                told(done, all);
            }
            while let Some(ended) = tasks.join_next().await {
                streams.push(ended.map_err(|error| StoreError::NotDone(error.to_string()))??);
            }
        }
        for stream in streams {
            dialect::close(stream.connection).await;
        }
        if let Driver::Postgres(connection) = &mut self.connection {
            sqlx::raw_sql("analyze").execute(connection).await?;
        }
        dialect::close(self.connection).await;
        // From here on nothing may be lost: the last write is flushed as any other is, and what came before it with it.
        let mut connection = self.address.writer().await?;
        match &mut connection {
            Driver::Sqlite(connection) => {
                for words in ["pragma synchronous = full", "pragma wal_checkpoint(truncate)"] {
                    sqlx::query(words).fetch_all(&mut *connection).await?;
                }
            }
            Driver::Postgres(connection) => {
                sqlx::raw_sql("checkpoint").execute(connection).await.map(|_| ()).or_else(|_| Ok::<_, sqlx::Error>(()))?;
            }
        }
        let text = "delete from meta where name = $1";
        on!(&mut connection, c, _words => sqlx::query(text).bind(FILLING).execute(&mut *c).await.map(|_| ()))?;
        dialect::close(connection).await;
        Ok(())
    }
}

/// The file is worth nothing before it is whole, and its rows refer to each other as they should.
const QUICK_SQLITE: [&str; 3] = ["pragma foreign_keys = off", "pragma synchronous = off", "pragma cache_size = -131072"];
const QUICK_POSTGRES: &str = "set synchronous_commit = off; set maintenance_work_mem = '512MB'; set statement_timeout = 0";

impl Stream {
    /// Writes all rows of a sheaf, and empties it.
    pub async fn put(&mut self, sheaf: &mut Sheaf) -> Result<(), StoreError> {
        match &mut self.connection {
            Driver::Sqlite(connection) => {
                sqlx::query("begin immediate").execute(&mut *connection).await?;
                for (table, rows) in TABLES.iter().zip(&sheaf.tables) {
                    insert(connection, table, rows).await?;
                }
                sqlx::query("commit").execute(&mut *connection).await?;
            }
            Driver::Postgres(connection) => {
                for (table, rows) in TABLES.iter().zip(&sheaf.tables).filter(|(_, rows)| !rows.is_empty()) {
                    copy(connection, table, rows).await?;
                }
            }
        }
        sheaf.tables.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// Runs statements until none is left.
    async fn work_off(
        mut self,
        left: Arc<Mutex<VecDeque<String>>>,
        tell: tokio::sync::mpsc::UnboundedSender<()>,
    ) -> Result<Stream, StoreError> {
        loop {
            let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(text) = next else { return Ok(self) };
            on!(&mut self.connection, c, _words => sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut *c).await.map(|_| ()))?;
            // Nobody may be listening.
            let _ = tell.send(());
        }
    }
}

/// Whether a database is being filled, or was left half-way.
pub(super) async fn is_marked(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    let marked: Option<(String,)> =
        on!(connection, c, sql => sqlx::query_as(sql(statements::META)).bind(FILLING).fetch_optional(&mut *c).await)?;
    Ok(marked.is_some())
}

async fn set_meta(connection: &mut Connection, name: &str, value: &str) -> Result<(), sqlx::Error> {
    on!(connection, c, sql => sqlx::query(sql(statements::META_SET)).bind(name).bind(value).execute(&mut *c).await.map(|_| ()))
}

/// Rows as a stream in the binary form, which the server reads without looking for separators.
async fn copy(connection: &mut PgConnection, table: &Table, rows: &[u8]) -> Result<(), sqlx::Error> {
    let statement = format!("copy {} ({}) from stdin (format binary)", table.name, table.columns.join(", "));
    let mut stream = connection.copy_in_raw(&statement).await?;
    stream.send(&b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0"[..]).await?;
    for piece in rows.chunks(PIECE) {
        stream.send(piece).await?;
    }
    stream.send(&(-1_i16).to_be_bytes()[..]).await?;
    stream.finish().await?;
    Ok(())
}

/// Rows as statements of many rows, which SQLite's driver hands over one by one.
async fn insert(connection: &mut SqliteConnection, table: &Table, rows: &[u8]) -> Result<(), StoreError> {
    let width = table.columns.len();
    for values in pattern::read(table, rows)?.chunks(width * ROWS) {
        let row = format!("({})", vec!["?"; width].join(","));
        let all = vec![row; values.len() / width].join(",");
        let text = format!("insert into {} ({}) values {all}", table.name, table.columns.join(", "));
        // The text is made of the constants above.
        let query = values.iter().fold(sqlx::query(AssertSqlSafe(text)), |query, value| match value {
            Read::Text(text) => query.bind(*text),
            Read::Number(number) => query.bind(*number),
            Read::Empty => query.bind(None::<i64>),
        });
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes the indexes of the large tables away; gives what makes them again.
async fn strip_sqlite(connection: &mut SqliteConnection) -> Result<Vec<Vec<String>>, sqlx::Error> {
    let mut again = Vec::new();
    for table in &TABLES {
        let question = "select name, sql from sqlite_master where type = 'index' and tbl_name = $1 and sql is not null";
        let found: Vec<(String, String)> = sqlx::query_as(question).bind(table.name).fetch_all(&mut *connection).await?;
        for (name, text) in found {
            sqlx::query(AssertSqlSafe(format!("drop index {name}"))).execute(&mut *connection).await?;
            again.push(text);
        }
    }
    Ok(vec![again])
}

/// The same, and keys, which PostgreSQL keeps as indexes with a name: first the indexes, side by side, then what makes keys of them, then
/// what holds references to them, unchecked, and at last the check.
async fn strip_postgres(connection: &mut PgConnection) -> Result<Vec<Vec<String>>, sqlx::Error> {
    let (mut indexes, mut keys, mut references, mut checks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    // Those that refer to others are freed first.
    for table in TABLES.iter().rev() {
        let question = "select conname::text, contype::text, pg_get_constraintdef(oid) from pg_constraint
            where conrelid = $1::regclass and contype in ('p', 'f') order by contype";
        let found = sqlx::query(question).bind(table.name).fetch_all(&mut *connection).await?;
        let text = "select indexname::text, indexdef from pg_indexes where schemaname = current_schema() and tablename = $1";
        let made: Vec<(String, String)> = sqlx::query_as(text).bind(table.name).fetch_all(&mut *connection).await?;
        let name = table.name;
        for row in found {
            let (constraint, kind, definition): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            run(connection, format!("alter table {name} drop constraint {constraint}")).await?;
            if kind == "p" {
                keys.push(format!("alter table {name} add constraint {constraint} primary key using index {constraint}"));
            } else {
                references.push(format!("alter table {name} add constraint {constraint} {definition} not valid"));
                checks.push(format!("alter table {name} validate constraint {constraint}"));
            }
        }
        for (index, definition) in made {
            run(connection, format!("drop index if exists {index}")).await?;
            indexes.push((name, definition));
        }
    }
    // The largest first, so that nobody waits for it at the end.
    indexes.sort_by_key(|(table, _)| TABLES.iter().position(|known| known.name == *table) != Some(pattern::FACT));
    Ok(vec![indexes.into_iter().map(|(_, text)| text).collect(), keys, references, checks])
}

async fn run(connection: &mut PgConnection, text: String) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await.map(|_| ())
}
