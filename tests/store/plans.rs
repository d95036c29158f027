//! How PostgreSQL finds what a statement asks for, over a database of some size, with all its ways open: by an index wherever one is meant.

use crate::support::ground::Ground;
use crate::support::world::rules;
use duban::generate::{self, Wish};
use duban::store::statements::ALL;
use duban::store::{numbered, translated};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use std::sync::Arc;

/// Tables that grow with the years.
const GROWING: [&str; 7] = ["item", "fact", "notice", "mail", "command", "unique_value", "slot"];

/// They go over all that is there, because that is what is asked of them: counts, figures, a look through everything, a restore, a start.
const GO_OVER_ALL: &[&str] = &[
    "ITEM_COUNT",
    "ITEM_OPEN",
    "ITEM_STALE",
    "HEALTH",
    "HEALTH_WORST",
    "NOTICE_LIST",
    "NOTICE_COUNT",
    "NOTICE_ESCALATIONS",
    "MAIL_COUNT",
    "MAIL_TAKE_BACK",
    "MOVE_CHAINS",
    "RESTORED_NOTICES",
    "RESTORED_MAILS",
    "RESTORED_NOTICES_GO",
    "RESTORED_MAILS_GO",
    "HOLD_NOTICES",
];

/// Rows as a country has them, in the tables that a new one leaves empty.
const YEARS: &str = "
    insert into mail (jurisdiction, id, person, address, bytes, status, attempts, next_try, fence, created_at, ended_at)
        select jurisdiction, '<' || id || n || '>', 'ann', 'ann@example.com', repeat('x', 200), 'sent', 1, changed_at, 1, changed_at, changed_at
        from item, generate_series(1, 10) n;
    insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, mail, json)
        select jurisdiction, id || '/' || n, id, 1, workflow, 'asked', 'message', 'ann', changed_at, '', 'mailed', '<' || id || n || '>', repeat('x', 200)
        from item, generate_series(1, 10) n;
    insert into command (jurisdiction, actor, id, request_hash, answer, item, done_at)
        select jurisdiction, 'carl', id || '/' || n, repeat('0', 64), '{}', id, changed_at from item, generate_series(1, 10) n;
    insert into slot (jurisdiction, sweep, slot, at, claimed_at, done_at)
        select jurisdiction, 'request/monthly', id, changed_at, changed_at, changed_at from item;
    analyze";

#[tokio::test]
async fn statements_find_their_rows_by_an_index() {
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("it is a server") };
    let rules = Arc::new(rules(|_, text| text));
    let wish = Wish { jurisdictions: 40, items: 6_000, facts: 12_000, seed: 3, lives: 16 };
    let now: duban::kernel::time::Instant = "2026-11-02T02:00:00Z".parse().expect("a moment");
    generate::generate(&ground.place(), &rules, wish, now, 2, |_| {}).await.expect("fills");
    let mut connection = PgConnection::connect(url).await.expect("connects");
    sqlx::raw_sql(YEARS).execute(&mut connection).await.expect("years go by");

    let mut faults = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        run(&mut connection, format!("set plan_cache_mode = {mode}")).await;
        for (name, statement) in ALL.iter().filter(|(name, _)| !GO_OVER_ALL.contains(name)) {
            // With a limit the server keeps to plans made for the values at hand: a plan for any limit costs more.
            if mode == "force_generic_plan" && statement.contains("limit $") {
                continue;
            }
            let Some(plan) = plan(&mut connection, statement, now.timestamp_millis()).await else { continue };
            let scans = plan.iter().filter(|line| GROWING.iter().any(|table| line.contains(&format!("Seq Scan on {table}"))));
            faults.extend(scans.map(|line| format!("{name} ({mode}): {}", line.trim())));
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// The steps of a statement; nothing for one that has no plan.
async fn plan(connection: &mut PgConnection, statement: &str, now: i64) -> Option<Vec<String>> {
    let text = numbered(&translated(statement));
    let begins = ["select", "insert", "update", "delete", "with"].iter().any(|word| text.starts_with(word));
    if !begins {
        return None;
    }
    run(connection, format!("prepare asked as {text}")).await;
    let types: Vec<(String,)> = sqlx::query_as("select unnest(parameter_types)::text from pg_prepared_statements where name = 'asked'")
        .fetch_all(&mut *connection)
        .await
        .expect("types");
    let value = |(place, kind): (usize, &(String,))| match kind.0.as_str() {
        "bigint" if text.contains(&format!("limit ${place}")) => "64".to_string(),
        "bigint" => now.to_string(),
        "integer" => "1".to_string(),
        "jsonb" => "'[]'".to_string(),
        _ => "'office-000007'".to_string(),
    };
    let values: Vec<String> = (1..).zip(&types).map(value).collect();
    let given = if values.is_empty() { String::new() } else { format!("({})", values.join(", ")) };
    let asked = format!("explain execute asked{given}");
    let lines: Vec<(String,)> = sqlx::query_as(AssertSqlSafe(asked.clone()))
        .persistent(false)
        .fetch_all(&mut *connection)
        .await
        .unwrap_or_else(|error| panic!("{asked}: {error}\n{text}"));
    run(connection, "deallocate asked".into()).await;
    Some(lines.into_iter().map(|line| line.0).collect())
}

async fn run(connection: &mut PgConnection, text: String) {
    sqlx::raw_sql(AssertSqlSafe(text.clone())).execute(connection).await.unwrap_or_else(|error| panic!("{text}: {error}"));
}
