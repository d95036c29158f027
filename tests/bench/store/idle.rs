//! A tick with nothing to do: the same cost with few and with many open items, and nothing is written.

use super::{Error, cpu_seconds};
use duban::store::{Opening, Store};
use sqlx::{Connection, SqliteConnection};
use std::path::Path;
use std::time::Instant;

const TICKS: u32 = 20_000;

pub async fn compare(folder: &Path, many: u32) -> Result<(), Error> {
    println!("  idle tick: when is the next moment of anything");
    let mut costs = Vec::new();
    for open in [1_000, many] {
        let file = folder.join(format!("idle-{open}.db"));
        let now = "2026-03-02T02:00:00Z".parse()?;
        let store = Store::open(&file, Opening { new_instance: "bench".into(), page_limit: None, throwaway: false }, now).await?;
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", file.display())).await?;
        sqlx::query(
            "with recursive n(n) as (select 1 union all select n + 1 from n where n < $1)
            insert into item (jurisdiction, id, workflow, rev, head, state, title, search, fields, dues, wake_at, rules_rev, retries, changed_at)
            select 'local', 'r' || n, 'request', 1, '', 'open', 'Request ' || n, 'Request ' || n, '{}', '{}', 1800000000000 + n, 1, 0, 0 from n",
        )
        .bind(open)
        .execute(&mut connection)
        .await?;
        let before = (wal(&file), store.counts());
        let (started, cpu) = (Instant::now(), cpu_seconds());
        for _ in 0..TICKS {
            if store.everywhere().next_moments(now, &[]).await?.wake_up.is_none_or(|next| next <= now) {
                return Err("void: the tick was not idle".into());
            }
        }
        let each = |seconds: f64| seconds * 1e6 / f64::from(TICKS);
        let (wall, cpu) = (each(started.elapsed().as_secs_f64()), each(cpu_seconds() - cpu));
        let started = Instant::now();
        for _ in 0..TICKS {
            sqlx::query("select id from item where jurisdiction = 'local' and wake_at <= 1 limit 1")
                .fetch_optional(&mut connection)
                .await?;
        }
        let bare = each(started.elapsed().as_secs_f64());
        if before != (wal(&file), store.counts()) {
            return Err("void: an idle tick wrote something".into());
        }
        println!("    {open:>7} open: {wall:.0} µs ({cpu:.0} µs CPU) for the question; one bare question {bare:.0} µs; nothing written");
        connection.close().await?;
        store.close().await;
        costs.push(wall);
    }
    println!("    growth: {:.2}", costs[1] / costs[0]);
    Ok(())
}

/// The log's length: every write lengthens it or starts it over.
fn wal(file: &Path) -> Option<(u64, std::time::SystemTime)> {
    let log = std::fs::metadata(format!("{}-wal", file.display())).ok()?;
    Some((log.len(), log.modified().ok()?))
}
