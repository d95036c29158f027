//! `duban simulate`: what would happen, worked out in memory. Nothing is written to the database, and no mail leaves.

mod explore;
mod idle;
mod item;
mod replay;
mod rows;

use super::office::{self, Office};
use super::{Context, exit};
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::rules::RuleSet;
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::say;
use chrono::TimeDelta;
use clap::Args;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["item", "idle", "explore", "replay"])))]
#[command(after_help = "Examples: duban simulate --idle --until 2026-12-31 --xlsx ahead.xlsx
          duban simulate --item 2024-087 --until 2026-12-31
          duban simulate --idle --until 2026-12-31 --rules draft
          duban simulate --explore rules/letters
          duban simulate --replay 2024 --rules draft")]
pub struct SimulateArgs {
    /// One item, if nobody does anything
    #[arg(long, value_name = "ITEM", requires = "until")]
    pub item: Option<String>,
    /// Every open item, if nobody does anything: all mails, who gets them, what turns red
    #[arg(long, requires = "until")]
    pub idle: bool,
    /// All that people can do with an item, tried out: where the rules of a folder get stuck or break, and the shortest way there
    #[arg(long, value_name = "DIR")]
    pub explore: Option<Option<PathBuf>>,
    /// What people did in a past year, done again under --rules: what would have been late, told or refused
    #[arg(long, value_name = "YEAR")]
    pub replay: Option<i32>,
    /// With --explore: at most so many standings of an item (default: 2000)
    #[arg(long, value_name = "N", requires = "explore")]
    pub standings: Option<usize>,
    /// From the beginning of this day (default: from now on)
    #[arg(long, value_name = "DAY")]
    pub from: Option<Date>,
    /// Until the end of this day
    #[arg(long, value_name = "DAY")]
    pub until: Option<Date>,
    /// Every mail, one notice a line, as CSV
    #[arg(long, value_name = "FILE")]
    pub csv: Option<PathBuf>,
    /// Mails, days, persons and what turns red as a workbook
    #[arg(long, value_name = "FILE")]
    pub xlsx: Option<PathBuf>,
}

pub fn run(args: &SimulateArgs, context: &Context) -> anyhow::Result<i32> {
    if let Some(folder) = &args.explore {
        return explore::run(folder.as_deref(), args.standings, context);
    }
    // Lives are led on all processors beside the reading of pages.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let office = Office::to_read(context).await?;
        let code = match (args.replay, &args.item, args.until) {
            (Some(year), ..) => replay::run(&office, year, context).await?,
            (None, Some(item), Some(until)) => item::run(&office, item, &stretch(&office, args.from, until, context)?, context).await?,
            (None, None, Some(until)) => idle::run(&office, args, &stretch(&office, args.from, until, context)?, context).await?,
            // What it needs is asked for with the arguments.
            (None, _, None) => exit::USAGE,
        };
        office.close().await;
        Ok(code)
    })
}

/// The rules that are simulated: those of the folder that was named, else those in use.
fn under(office: &Office, context: &Context) -> anyhow::Result<Arc<RuleSet>> {
    let named = context.settings.rules.is_some() && context.settings.rules_of.is_none();
    if named {
        return Ok(Arc::new(office::from_folder(context)?));
    }
    Ok(office.app.rules())
}

/// What is looked at: from a moment on its day to the end of a day.
struct Stretch {
    from: Instant,
    first: Date,
    until: Date,
}

/// A day that has come already is nothing to look ahead to, and nobody begins before what is recorded.
fn stretch(office: &Office, from: Option<Date>, until: Date, context: &Context) -> anyhow::Result<Stretch> {
    let rules = office.app.rules();
    let zone = zone(&rules);
    let now = office.app.now();
    let first = from.unwrap_or_else(|| day_of(now, zone));
    // A round at the very beginning of a day belongs to it.
    let from = from.map_or(now, |day| start_of_day(day, zone) - TimeDelta::milliseconds(1));
    if until < first {
        let values = [("until", until.to_string()), ("today", first.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        return Err(office::Stop { code: exit::USAGE, sentence: say(context.lang, "simulate.past", &values) }.into());
    }
    Ok(Stretch { from, first, until })
}

fn zone(rules: &RuleSet) -> chrono_tz::Tz {
    rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone)
}
