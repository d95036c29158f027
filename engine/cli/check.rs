//! `duban check`: everything that is wrong with a rule set, with its place and what to do. It needs neither a database nor a network, but for
//! `--online`, which looks at the open items too. `--watch` checks again whenever a file of it changes.

use super::office::{Office, Stop, wait_for};
use super::problems::{Drawing, count, json};
use super::{Context, exit, sarif};
use crate::clock::Clock;
use crate::files;
use crate::kernel::check;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::RuleSet;
use crate::kernel::time::Date;
use crate::kernel::words::say;
use chrono::Days;
use clap::Args;
use indexmap::IndexMap;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Days that `--online` looks ahead, and mails a day that are enough for anybody.
const DAYS_AHEAD: u64 = 30;
const MOST_MAILS: u64 = 20;
/// How often a folder that is watched is read again; well below what a person notices.
const LOOK_AGAIN: Duration = Duration::from_millis(300);

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Text for people, JSON for programs (`--json` says the same), SARIF 2.1.0 for editors and continuous integration
    #[arg(long, value_parser = ["text", "json", "sarif"])]
    pub format: Option<String>,
    /// Check again whenever a file of the folder changes, until Ctrl-C
    #[arg(long)]
    pub watch: bool,
    /// Look at the open items of the database too: who would get too many mails a day in the next month, and what waits for nobody
    #[arg(long)]
    pub online: bool,
}

pub fn run(args: &CheckArgs, context: &Context) -> anyhow::Result<i32> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => context.settings.rules_folder()?,
    };
    let mut files = files::rule_set(&folder)?;
    let code = report(&files, &folder, args, context)?;
    if !args.watch {
        return Ok(code);
    }
    loop {
        if !context.quiet {
            anstream::eprintln!("{}", say(context.lang, "check.watching", &[]));
        }
        files = changed(&folder, &files);
        report(&files, &folder, args, context)?;
    }
}

/// Waits until the folder holds something else. An editor may be writing just now: what cannot be read is looked at again.
fn changed(folder: &Path, before: &IndexMap<String, String>) -> IndexMap<String, String> {
    loop {
        std::thread::sleep(LOOK_AGAIN);
        match files::rule_set(folder) {
            Ok(files) if files != *before => return files,
            _ => {}
        }
    }
}

fn report(files: &IndexMap<String, String>, folder: &Path, args: &CheckArgs, context: &Context) -> anyhow::Result<i32> {
    let begun = Instant::now();
    // The day of UTC is near enough for a calendar that ends.
    let today = Clock::Machine.now().date_naive();
    let (rules, mut problems) = check::load_on(files, Some(today));
    if let Some(rules) = rules.as_ref().filter(|_| args.online) {
        let mut of_open = of_open_items(rules, today + Days::new(DAYS_AHEAD), context)?;
        check::of_open_items(files, &mut of_open);
        problems.append(&mut of_open);
    }
    let milliseconds = begun.elapsed().as_millis().to_string();
    let folder = folder.display().to_string();
    match args.format.as_deref().unwrap_or(if context.json { "json" } else { "text" }) {
        "sarif" => anstream::println!("{}", serde_json::to_string_pretty(&sarif::log(&problems, context.lang, &folder))?),
        "json" => {
            let hash = rules.as_ref().map(|rules| &*rules.hash);
            let out = json!({ "good": rules.is_some(), "hash": hash, "problems": json(&problems, context.lang) });
            anstream::println!("{}", serde_json::to_string_pretty(&out)?);
        }
        _ => print(files, &folder, rules.as_ref(), &problems, &milliseconds, context),
    }
    Ok(if rules.is_some() { exit::DONE } else { exit::FINDINGS })
}

fn of_open_items(rules: &RuleSet, until: Date, context: &Context) -> anyhow::Result<Vec<Problem>> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let found = office.app.check_open(rules, until, MOST_MAILS).await;
        office.close().await;
        Ok(found.map_err(|error| Stop::store(context.lang, &error))?)
    })
}

fn print(
    files: &IndexMap<String, String>,
    folder: &str,
    rules: Option<&RuleSet>,
    problems: &[Problem],
    milliseconds: &str,
    context: &Context,
) {
    let drawing = Drawing { lang: context.lang, colour: context.colour, folder, files };
    for problem in problems {
        anstream::println!("{}\n", drawing.draw(problem));
    }
    if context.quiet {
        return;
    }
    anstream::println!("{}", summary(context, folder, rules, problems, milliseconds));
    if let Some(first) = problems.first() {
        anstream::println!("{}", say(context.lang, "check.more", &[("code", first.code)]));
    }
}

/// What was looked at, how many problems there are, and how long it took.
fn summary(context: &Context, folder: &str, rules: Option<&RuleSet>, problems: &[Problem], milliseconds: &str) -> String {
    let count = count(context.lang, problems);
    let Some(rules) = rules else { return count };
    let flows = rules.workflows.values().map(|rules| &rules.setting.workflow);
    let (expressions, functions) =
        flows.fold((0, 0), |(expressions, functions), flow| (expressions + flow.expressions.len(), functions + flow.functions.len()));
    let values = [
        ("folder", folder),
        ("workflows", &rules.workflows.len().to_string()),
        ("expressions", &expressions.to_string()),
        ("functions", &functions.to_string()),
        ("count", &count),
        ("milliseconds", milliseconds),
    ];
    say(context.lang, "check.summary", &values)
}
