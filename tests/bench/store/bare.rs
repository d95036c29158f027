//! The twins: bare SQL that writes the rows of a run of ours into the same tables and indexes, through the same driver, in groups that one
//! writer gathers. They check the revision and nothing else; nothing is decided, derived, hashed or rendered.

use super::{Error, Run, cpu_seconds, crowd};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};

/// All rows that one action writes.
#[derive(Clone, Debug)]
pub struct Rows {
    item: ItemRow,
    fact: (String, i64, String, String),
    notice: (String, String, i64, String, String, i64, String),
    command: (String, String, String, String, i64),
}

/// Id, revision, last hash, state, due date, title, search text, fields, due dates, wake-up, moment.
type ItemRow = (String, i64, String, String, Option<String>, String, String, String, String, Option<i64>, i64);

async fn connect(file: &Path) -> Result<SqliteConnection, Error> {
    let options = SqliteConnectOptions::new().filename(file).foreign_keys(true).pragma("cache_size", "-32768");
    Ok(options.journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Full).disable_statement_logging().connect().await?)
}

/// Facts, notices and commands in a file.
pub async fn count(file: &Path) -> Result<[i64; 3], Error> {
    let mut connection = connect(file).await?;
    let counts: (i64, i64, i64) =
        sqlx::query_as("select (select count(*) from fact), (select count(*) from notice), (select count(*) from command)")
            .fetch_one(&mut connection)
            .await?;
    connection.close().await?;
    Ok([counts.0, counts.1, counts.2])
}

/// The rows of every action in a file that ours has written, in their order by item.
pub async fn rows(file: &Path) -> Result<Vec<Vec<Rows>>, Error> {
    let mut connection = connect(file).await?;
    type Found = (String, i64, String, String, String, String, String, i64, String, String, String, String);
    let found: Vec<Found> = sqlx::query_as(
        "select f.item, f.seq, f.hash, f.json, n.key, n.notice, n.person, n.not_before, n.json, c.id, c.request_hash, c.answer
        from fact f join notice n on n.item = f.item and n.seq = f.seq
            join command c on c.item = f.item and c.id = json_extract(f.json, '$.cause.id')
        where f.seq > 1 order by f.item, f.seq",
    )
    .fetch_all(&mut connection)
    .await?;
    let caches: Vec<ItemRow> =
        sqlx::query_as("select id, rev, head, state, due_on, title, search, fields, dues, wake_at, changed_at from item where rev > 1")
            .fetch_all(&mut connection)
            .await?;
    let caches: HashMap<String, ItemRow> = caches.into_iter().map(|row| (row.0.clone(), row)).collect();
    connection.close().await?;
    let mut items: Vec<Vec<Rows>> = Vec::new();
    for (item, seq, hash, json, key, notice, person, not_before, notice_json, id, request_hash, answer) in found {
        let (_, _, _, state, due_on, title, search, fields, dues, wake_at, at) = caches[&item].clone();
        let rows = Rows {
            item: (item.clone(), seq, hash.clone(), state, due_on, title, search, fields, dues, wake_at, at),
            fact: (item.clone(), seq, json, hash),
            notice: (key, item.clone(), seq, notice, person, not_before, notice_json),
            command: (id, request_hash, answer, item, not_before),
        };
        match items.last_mut() {
            Some(last) if last[0].item.0 == rows.item.0 => last.push(rows),
            _ => items.push(vec![rows]),
        }
    }
    Ok(items)
}

struct Ask {
    rows: Rows,
    answer: oneshot::Sender<bool>,
}

/// Writes the rows of all items, shared out among callers as ours were.
pub async fn run(file: &Path, callers: usize, items: &[Vec<Rows>], batches: bool) -> Result<Run, Error> {
    let connection = connect(file).await?;
    let (queue, asked) = mpsc::channel::<Ask>(4096);
    let writer = tokio::spawn(write(connection, asked, batches));
    let mut shares = vec![Vec::new(); callers];
    // Each caller works on its own items in turn, as ours did.
    for rows in items {
        let number: usize = rows[0].item.0.trim_start_matches('r').parse()?;
        shares[number / super::ours::ITEMS_PER_CALLER].push(rows.clone());
    }
    let shares: Vec<Vec<Rows>> = shares
        .into_iter()
        .map(|items| {
            let rounds = items.iter().map(Vec::len).max().unwrap_or(0);
            (0..rounds).flat_map(|round| items.iter().filter_map(move |rows| rows.get(round).cloned()).collect::<Vec<_>>()).collect()
        })
        .collect();
    let actions: usize = shares.iter().map(Vec::len).sum();
    let (shares, before) = (Arc::new(shares), cpu_seconds());
    let (waits, seconds) = crowd(callers, actions, move |caller, n| {
        let (rows, queue) = (shares[caller].get(n).cloned(), queue.clone());
        async move {
            let Some(rows) = rows else { return Ok(()) };
            let (answer, answered) = oneshot::channel();
            queue.send(Ask { rows, answer }).await?;
            if answered.await? { Ok(()) } else { Err("the revision had moved".into()) }
        }
    })
    .await?;
    let cpu_seconds = cpu_seconds() - before;
    let commits = writer.await??;
    Ok(Run { actions, seconds, cpu_seconds, commits, waits, rows: count(file).await? })
}

async fn write(mut connection: SqliteConnection, mut asked: mpsc::Receiver<Ask>, batches: bool) -> Result<u64, Error> {
    let mut commits = 0;
    while let Some(first) = asked.recv().await {
        let mut group = vec![first];
        while group.len() < 256 {
            let Ok(next) = asked.try_recv() else { break };
            group.push(next);
        }
        sqlx::query("begin immediate").execute(&mut connection).await?;
        let written = match batches {
            false => row_by_row(&mut connection, &group).await?,
            true => table_by_table(&mut connection, &group).await?,
        };
        sqlx::query("commit").execute(&mut connection).await?;
        commits += 1;
        for (ask, written) in group.into_iter().zip(written) {
            // A caller that has gone stops the run by itself.
            let _ = ask.answer.send(written);
        }
    }
    connection.close().await?;
    Ok(commits)
}

async fn row_by_row(connection: &mut SqliteConnection, group: &[Ask]) -> Result<Vec<bool>, Error> {
    let mut written = Vec::with_capacity(group.len());
    for Ask { rows, .. } in group {
        let (id, rev, head, state, due_on, title, search, fields, dues, wake_at, at) = &rows.item;
        let moved = sqlx::query(
            "update item set rev = $2, head = $3, state = $4, due_on = $5, title = $6, search = $7, fields = $8, dues = $9, wake_at = $10,
                changed_at = $11, ended_on = null, flag = null, rules_rev = 1, quarantine = null, retries = 0
            where jurisdiction = 'local' and id = $1 and rev = $2 - 1",
        )
        .bind(id)
        .bind(rev)
        .bind(head)
        .bind(state)
        .bind(due_on)
        .bind(title)
        .bind(search)
        .bind(fields)
        .bind(dues)
        .bind(wake_at)
        .bind(at)
        .execute(&mut *connection)
        .await?;
        written.push(moved.rows_affected() == 1);
        let (item, seq, json, hash) = &rows.fact;
        sqlx::query("insert into fact (jurisdiction, item, seq, json, cause_key, hash) values ('local', $1, $2, $3, null, $4)")
            .bind(item)
            .bind(seq)
            .bind(json)
            .bind(hash)
            .execute(&mut *connection)
            .await?;
        let (key, item, seq, notice, person, not_before, json) = &rows.notice;
        sqlx::query(
            "insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json)
            values ('local', $1, $2, $3, 'request', $4, 'message', $5, $6, '', 'ready', $7)",
        )
        .bind(key)
        .bind(item)
        .bind(seq)
        .bind(notice)
        .bind(person)
        .bind(not_before)
        .bind(json)
        .execute(&mut *connection)
        .await?;
        let (id, request_hash, answer, item, done_at) = &rows.command;
        sqlx::query("insert into command (jurisdiction, actor, id, request_hash, answer, item, done_at) values ('local', 'carl', $1, $2, $3, $4, $5)")
            .bind(id)
            .bind(request_hash)
            .bind(answer)
            .bind(item)
            .bind(done_at)
            .execute(&mut *connection)
            .await?;
    }
    Ok(written)
}

async fn table_by_table(connection: &mut SqliteConnection, group: &[Ask]) -> Result<Vec<bool>, Error> {
    let all = |rows: Vec<serde_json::Value>| serde_json::Value::Array(rows).to_string();
    let of = |pick: fn(&Rows) -> serde_json::Value| all(group.iter().map(|ask| pick(&ask.rows)).collect());
    let statements = [
        (
            "update item set rev = j.value ->> 1, head = j.value ->> 2, state = j.value ->> 3, due_on = j.value ->> 4, title = j.value ->> 5,
                search = j.value ->> 6, fields = j.value ->> 7, dues = j.value ->> 8, wake_at = j.value ->> 9, changed_at = j.value ->> 10,
                ended_on = null, flag = null, rules_rev = 1, quarantine = null, retries = 0
            from json_each($1) j where item.jurisdiction = 'local' || substr(j.value ->> 0, 1, 0) and item.id = j.value ->> 0 and item.rev = (j.value ->> 1) - 1",
            of(|rows| serde_json::json!(rows.item)),
        ),
        (
            "insert into fact (jurisdiction, item, seq, json, hash)
            select 'local', value ->> 0, value ->> 1, value ->> 2, value ->> 3 from json_each($1)",
            of(|rows| serde_json::json!(rows.fact)),
        ),
        (
            "insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json)
            select 'local', value ->> 0, value ->> 1, value ->> 2, 'request', value ->> 3, 'message', value ->> 4, value ->> 5, '', 'ready',
                value ->> 6 from json_each($1)",
            of(|rows| serde_json::json!(rows.notice)),
        ),
        (
            "insert into command (jurisdiction, actor, id, request_hash, answer, item, done_at)
            select 'local', 'carl', value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 from json_each($1)",
            of(|rows| serde_json::json!(rows.command)),
        ),
    ];
    let mut whole = true;
    for (statement, rows) in statements {
        whole &= sqlx::query(statement).bind(rows).execute(&mut *connection).await?.rows_affected() == group.len() as u64;
    }
    Ok(vec![whole; group.len()])
}
