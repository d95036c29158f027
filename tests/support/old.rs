//! A database as the first version of the program would have left it, and every row of any database in words that can be compared.

use super::ground::Ground;
use sqlx::{AssertSqlSafe, Column, Connection as _, Executor as _, Row};

const FIRST: &str = include_str!("../../engine/store/migrations/0001_first.sql");

/// What it had of what is there `now`.
pub const MOVED: &str = "
    create table schema_version (version bigint not null primary key, applied_at bigint not null);
    insert into schema_version values (1, 0);
    insert into meta select name, value from now.meta;
    insert into rule_set select r.hash, r.revision, t.files, r.in_use_since from now.rule_set r join now.rule_text t on t.hash = r.hash;
    insert into item select id, workflow, rev, head, state, ended_on, flag, due_on, title, search, fields, dues, wake_at, rules_rev,
        quarantine, retries, changed_at from now.item;
    insert into fact select item, seq, json, cause_key, hash from now.fact;
    insert into notice select key, item, seq, workflow, notice, kind, person, not_before, bundle, status, reason, mail, json
        from now.notice;
    insert into mail select id, person, address, bytes, status, attempts, next_try, fence, leased_by, reply, created_at, ended_at
        from now.mail;
    insert into command select actor, id, request_hash, answer, item, done_at from now.command;
    insert into slot select sweep, slot, at, claimed_at, done_at from now.slot;
    insert into counter select name, value from now.counter;
    insert into unique_value select workflow, field, value, item from now.unique_value;";

/// Makes the database, which nobody has open, one of the first version.
pub async fn make_old(ground: &Ground) {
    match ground {
        Ground::File(_) => {
            let old = ground.beside("old.db");
            let url = format!("sqlite://{}?mode=rwc", old.display());
            let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("opens");
            connection.execute(FIRST).await.expect("makes the tables");
            let moved = format!("attach '{}' as now; {MOVED} detach now", ground.path().display());
            connection.execute(AssertSqlSafe(moved)).await.expect("moves");
            connection.close().await.expect("closes");
            for left in ["duban.db-wal", "duban.db-shm"] {
                // It may have been closed with nothing left to write.
                let _ = std::fs::remove_file(ground.beside(left));
            }
            std::fs::rename(old, ground.path()).expect("nobody has it open");
        }
        Ground::Server(url) => {
            let tables: Vec<String> = FIRST.split(";\n").map(as_on_a_server).collect();
            let moved =
                format!("alter schema public rename to now; create schema public; {}; {MOVED} drop schema now cascade", tables.join(";\n"));
            super::postgres::run(url, &moved).await;
        }
        Ground::Model(_) => panic!("a model has no older versions"),
    }
}

/// The first version compared texts byte by byte as well.
fn as_on_a_server(statement: &str) -> String {
    if statement.contains("create table") { statement.replace(" text", " text collate \"C\"") } else { statement.to_string() }
}

/// The version of its schema, and the rows of all its tables in order.
pub async fn rows(ground: &Ground) -> (i64, Vec<String>) {
    let mut rows = Vec::new();
    match ground {
        Ground::File(_) => {
            let mut connection = ground.sqlite().await;
            let tables = "select name from sqlite_master where type = 'table' order by name";
            let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut connection).await.expect("reads");
            for (table,) in tables {
                for row in connection.fetch_all(AssertSqlSafe(format!("select * from {table}"))).await.expect("reads") {
                    rows.push(format!("{table}: {}", words(&row)));
                }
            }
            connection.close().await.expect("closes");
        }
        Ground::Server(url) => {
            let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
            // Whoever was cut off while changing the schema has ended by then.
            connection.execute("select pg_advisory_lock(7309461735124992)").await.expect("waits");
            let tables = "select tablename::text from pg_tables where schemaname = 'public' order by 1";
            let tables: Vec<(String,)> = sqlx::query_as(tables).fetch_all(&mut connection).await.expect("reads");
            for (table,) in tables {
                for row in connection.fetch_all(AssertSqlSafe(format!("select * from {table}"))).await.expect("reads") {
                    rows.push(format!("{table}: {}", words(&row)));
                }
            }
            connection.close().await.expect("closes");
        }
        Ground::Model(_) => panic!("a model has no rows"),
    }
    rows.sort();
    let version = rows.iter().filter_map(|row| row.strip_prefix("schema_version: version=")?.split(' ').next()?.parse().ok()).max();
    (version.unwrap_or(0), rows)
}

/// Columns are texts and numbers only.
fn words<R: Row>(row: &R) -> String
where
    usize: sqlx::ColumnIndex<R>,
    for<'a> Option<String>: sqlx::Decode<'a, R::Database> + sqlx::Type<R::Database>,
    for<'a> Option<i64>: sqlx::Decode<'a, R::Database> + sqlx::Type<R::Database>,
{
    let value = |place: usize| match (row.try_get::<Option<String>, _>(place), row.try_get::<Option<i64>, _>(place)) {
        (Ok(text), _) => format!("{text:?}"),
        (_, Ok(number)) => number.map_or("None".into(), |number| number.to_string()),
        (Err(error), _) => panic!("{error}"),
    };
    row.columns().iter().map(|column| format!("{}={}", column.name(), value(column.ordinal()))).collect::<Vec<_>>().join(" ")
}
