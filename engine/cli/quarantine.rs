//! `duban quarantine`: items that were set aside because something failed on them, why, and trying them again.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::kernel::time::Instant;
use crate::kernel::words::say;
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Args, Clone, Debug)]
pub struct QuarantineArgs {
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Items that were set aside: since when, why, and the next try
    List {
        #[arg(long, default_value_t = 50)]
        limit: u32,
    },
    /// Try items again now, once rules or data are put right; without names all of them
    Retry { items: Vec<String> },
}

pub fn run(args: &QuarantineArgs, context: &Context) -> anyhow::Result<i32> {
    let what = args.what.clone().unwrap_or(What::List { limit: 50 });
    wait_for(async {
        let office = match &what {
            What::List { .. } => Office::to_read(context).await?,
            What::Retry { .. } => Office::to_write(context).await?,
        };
        let done = match &what {
            What::List { limit } => list(&office, *limit, context).await,
            What::Retry { items } => retry(&office, items, context).await,
        };
        office.close().await;
        done
    })
}

async fn list(office: &Office, limit: u32, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let aside = office.app.store.quarantined(limit).await.map_err(|error| Stop::store(lang, &error))?;
    if context.json {
        let rows = aside.iter().map(|row| {
            json!({ "item": row.item, "workflow": row.workflow, "reason": row.reason, "since": row.since, "tries": row.retries, "next_try": row.retry_at })
        });
        anstream::println!("{}", json!({ "items": rows.collect::<Vec<_>>() }));
        return Ok(exit::DONE);
    }
    let rules = office.app.rules();
    let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let rows = aside.iter().map(|row| {
        let moment = |at: Option<Instant>| at.map(|at| table::moment(at, zone)).unwrap_or_default();
        let values = [("since", moment(row.since)), ("tries", row.retries.to_string()), ("next", moment(row.retry_at))];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        [row.item.clone(), say(lang, "quarantine.tries", &values), row.reason.clone()]
    });
    anstream::print!("{}", table::columns(rows, 0, &[]));
    let key = if aside.is_empty() { "quarantine.none" } else { "quarantine.count" };
    anstream::eprintln!("{}", say(lang, key, &[("count", &aside.len().to_string())]));
    Ok(exit::DONE)
}

async fn retry(office: &Office, items: &[String], context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let tried = match office.server() {
        Some(server) => server.retry(items).await.map_err(|error| Stop::client(lang, &error))?,
        None => office.app.retry_set_aside(items).await.map_err(|error| Stop::store(lang, &error))?,
    };
    let missing: Vec<&String> = items.iter().filter(|item| !tried.contains(item)).collect();
    if context.json {
        anstream::println!("{}", json!({ "tried": tried, "not_set_aside": missing }));
    } else {
        let key = if office.server().is_some() { "quarantine.retried" } else { "quarantine.retried_later" };
        anstream::println!("{}", say(lang, key, &[("count", &tried.len().to_string())]));
        for item in &missing {
            anstream::eprintln!("{}", say(lang, "quarantine.not_aside", &[("item", item)]));
        }
    }
    Ok(if missing.is_empty() { exit::DONE } else { exit::FINDINGS })
}
