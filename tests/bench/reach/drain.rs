//! Very many rungs due at one moment, with a person at work meanwhile; the twin writes their rows by bare SQL, in groups as large as ours,
//! through the same driver. It unpacks a batch as ours does, and beside it as most would write it (`json_each`).

use super::{Error, NOW, command, cpu_seconds, filled, median, open, percentile};
use duban::app::Offices;
use duban::kernel::model::value::Value;
use duban::kernel::time::Instant;
use duban::scheduler::{self, Pulse};
use duban::store::Place;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The person acts so often.
const PAUSE: Duration = Duration::from_millis(10);
const OWN_ITEMS: usize = 20;

pub async fn run(folder: &Path, short: bool) -> Result<(), Error> {
    let (items, rounds) = if short { (5_000, 1) } else { (100_000, 3) };
    println!("drain: {items} rungs due at one moment, SQLite, WAL, synchronous=FULL");
    let prepared = folder.join("drain.db");
    filled(&Place::File(prepared.clone()), items, items * 3, 1).await?;
    let due = due_at(&prepared).await?;
    let (mut ours, mut bare, mut plain, mut rows) = (Vec::new(), Vec::new(), Vec::new(), None);
    for _ in 0..rounds {
        let file = fresh(&prepared, folder)?;
        let (drained, group) = drain(&file, due, items).await?;
        ours.push(items as f64 / drained);
        let rows = match &rows {
            Some(rows) => rows,
            None => rows.insert(Rows::read(&file).await?),
        };
        if rows.facts.len() as u64 != items {
            return Err(format!("void: {} facts instead of {items}", rows.facts.len()).into());
        }
        for (each, rates) in [("jsonb_each", &mut bare), ("json_each", &mut plain)] {
            let file = fresh(&prepared, folder)?;
            rates.push(items as f64 / rows.write(&file, group, each).await?);
        }
    }
    let (ours, bare, plain) = (median(&mut ours), median(&mut bare), median(&mut plain));
    println!(
        "  ratio {:.2} (bar 0.6): ours {ours:.0} rungs/s, bare {bare:.0}/s; by json_each {:.2}, {plain:.0}/s",
        ours / bare,
        ours / plain
    );
    println!(
        "  {}",
        json!({ "bench": "drain", "items": items, "ours": ours, "bare": bare, "ratio": ours / bare, "by_json_each": plain,
            "durability": "WAL, synchronous=FULL" })
    );
    Ok(())
}

/// Seconds until nothing is due any more, and how many rungs shared a commit.
async fn drain(file: &Path, due: Instant, items: u64) -> Result<(f64, usize), Error> {
    let app = open(&Place::File(file.to_path_buf()), NOW.parse()?).await?;
    for own in 0..OWN_ITEMS {
        app.act(&command(&format!("u{own}"), 0, "submit", "ann", ("title", Value::text("A request")))).await?;
    }
    app.clock.set(due);
    let (over, acting) = (Arc::new(AtomicBool::new(false)), app.clone());
    let person = tokio::spawn({
        let over = over.clone();
        async move {
            let mut waits = Vec::new();
            while !over.load(Ordering::Relaxed) {
                let n = waits.len();
                let weigh = command(&format!("u{}", n % OWN_ITEMS), n, "weigh", "carl", ("weight", Value::Number(3)));
                let asked = std::time::Instant::now();
                acting.act(&weigh).await?;
                waits.push(asked.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            waits.sort_unstable();
            Ok::<_, Error>(waits)
        }
    });
    let offices = Offices::with(app.clone());
    let (pulse, stop) = (Pulse::new(&app.clock), CancellationToken::new());
    let (before, started, cpu) = (app.store.counts(), std::time::Instant::now(), cpu_seconds("self"));
    while offices.next_moments().await?.wake_up.is_some_and(|next| next <= due) {
        scheduler::tick(&offices, &pulse, &stop).await?;
    }
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds("self") - cpu);
    over.store(true, Ordering::Relaxed);
    let waits = person.await??;
    let commits = app.store.counts().commits - before.commits;
    app.store.clone().close().await;
    let worked = pulse.state().work;
    if worked.facts != items {
        return Err(format!("void: {} facts instead of {items}", worked.facts).into());
    }
    let (p50, p99) = (percentile(&waits, 0.5), percentile(&waits, 0.99));
    println!(
        "  ours: {:.0} rungs/s, {:.3} CPU ms each, {commits} commits; a person's action: p50 {p50:.1} ms, p99 {p99:.1} ms (bar 100), {} of them",
        items as f64 / seconds,
        cpu * 1000.0 / items as f64,
        waits.len()
    );
    println!(
        "  {}",
        json!({ "bench": "drain beside a person", "actions": waits.len(), "p50_ms": p50, "p99_ms": p99, "cpu_ms_per_rung": cpu * 1000.0 / items as f64 })
    );
    // The person's own commits carry rungs as well.
    Ok((seconds, (items / commits.max(1)).max(1) as usize))
}

/// Id, revision, last hash, flag, due date, due dates, wake-up, moment.
type ItemRow = (String, i64, String, Option<String>, Option<String>, String, Option<i64>, i64);
/// Key, item, fact, name, kind, person, moment, bundle, content.
type NoticeRow = (String, String, i64, String, String, String, i64, String, String);

/// All rows that the rungs wrote.
pub struct Rows {
    items: Vec<ItemRow>,
    facts: Vec<(String, i64, String, String, String)>,
    notices: Vec<Vec<NoticeRow>>,
}

impl Rows {
    pub async fn read(file: &Path) -> Result<Rows, Error> {
        let mut connection = connect(file).await?;
        let items =
            sqlx::query_as("select id, rev, head, flag, due_on, dues, wake_at, changed_at from item where id like '7319%' order by id");
        let items = items.fetch_all(&mut connection).await?;
        let facts = sqlx::query_as(
            "select f.item, f.seq, f.json, f.cause_key, f.hash from fact f join item i on i.jurisdiction = f.jurisdiction and i.id = f.item and i.rev = f.seq
            where i.id like '7319%' order by f.item",
        );
        let facts: Vec<(String, i64, String, String, String)> = facts.fetch_all(&mut connection).await?;
        let notices = sqlx::query_as(
            "select n.key, n.item, n.seq, n.notice, n.kind, n.person, n.not_before, n.bundle, n.json from notice n
            join item i on i.jurisdiction = n.jurisdiction and i.id = n.item and i.rev = n.seq where i.id like '7319%' order by n.item, n.key",
        );
        let all: Vec<NoticeRow> = notices.fetch_all(&mut connection).await?;
        connection.close().await?;
        let mut notices: Vec<Vec<_>> = Vec::new();
        for notice in all {
            match notices.last_mut() {
                Some(last) if last.first().is_some_and(|first: &NoticeRow| first.1 == notice.1) => last.push(notice),
                _ => notices.push(vec![notice]),
            }
        }
        Ok(Rows { items, facts, notices })
    }

    /// Seconds that bare SQL takes, so many items in a commit; `each` unpacks a batch.
    pub async fn write(&self, file: &Path, group: usize, each: &str) -> Result<f64, Error> {
        let mut connection = connect(file).await?;
        let (started, cpu) = (std::time::Instant::now(), cpu_seconds("self"));
        for place in (0..self.items.len()).step_by(group) {
            let end = (place + group).min(self.items.len());
            sqlx::query("begin immediate").execute(&mut connection).await?;
            let statements = [
                (
                    "update item set rev = j.value ->> 1, head = j.value ->> 2, flag = j.value ->> 3, due_on = j.value ->> 4, dues = j.value ->> 5,
                        wake_at = j.value ->> 6, changed_at = j.value ->> 7, quarantine = null, retries = 0, leased_until = null
                    from json_each($1) j where item.jurisdiction = 'local' || substr(j.value ->> 0, 1, 0) and item.id = j.value ->> 0
                        and item.rev = (j.value ->> 1) - 1",
                    json!(self.items[place..end]).to_string(),
                ),
                (
                    "insert into fact (jurisdiction, item, seq, json, cause_key, hash)
                    select 'local', value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each($1)",
                    json!(self.facts[place..end]).to_string(),
                ),
                (
                    "insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json)
                    select 'local', value ->> 0, value ->> 1, value ->> 2, 'request', value ->> 3, value ->> 4, value ->> 5, value ->> 6,
                        value ->> 7, 'ready', value ->> 8 from json_each($1)",
                    json!(self.notices[place..end].concat()).to_string(),
                ),
            ];
            for (statement, rows) in statements {
                let statement = sqlx::AssertSqlSafe(statement.replace("json_each", each));
                let done = sqlx::query(statement).bind(rows).execute(&mut connection).await?.rows_affected();
                if done < (end - place) as u64 {
                    return Err(format!("void: the twin wrote {done} rows instead of {}", end - place).into());
                }
            }
            sqlx::query("commit").execute(&mut connection).await?;
        }
        let (seconds, cpu) = (started.elapsed().as_secs_f64(), cpu_seconds("self") - cpu);
        connection.close().await?;
        let items = self.items.len() as f64;
        println!("  bare, {each}: {:.0} rungs/s, {:.3} CPU ms each, {group} in a commit", items / seconds, cpu * 1000.0 / items);
        Ok(seconds)
    }
}

async fn connect(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(file).foreign_keys(true).pragma("cache_size", "-32768");
    Ok(options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).disable_statement_logging().connect().await?)
}

/// The moment at which all items are due.
pub async fn due_at(file: &Path) -> Result<Instant, Error> {
    let mut connection = connect(file).await?;
    let (first, last): (i64, i64) =
        sqlx::query_as("select min(wake_at), max(coalesce(wake_at, 0)) from item").fetch_one(&mut connection).await?;
    connection.close().await?;
    if first != last {
        return Err("void: the items are due at different moments".into());
    }
    Ok(chrono::DateTime::from_timestamp_millis(first).ok_or("not a moment")?)
}

/// A copy of the prepared file, on disk.
pub fn fresh(prepared: &Path, folder: &Path) -> Result<std::path::PathBuf, Error> {
    let file = folder.join("run.db");
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let old = folder.join(format!("run.db{suffix}"));
        if old.exists() {
            std::fs::remove_file(old)?;
        }
    }
    std::fs::copy(prepared, &file)?;
    std::fs::File::open(&file)?.sync_all()?;
    Ok(file)
}
