//! `duban check`: everything that is wrong with a rule set, with its place and what to do. It needs neither a database nor a network.

use super::problems::{Drawing, count, json};
use super::{Context, exit};
use crate::files;
use crate::kernel::check;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::RuleSet;
use crate::kernel::words::say;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Args, Clone, Debug)]
pub struct CheckArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Text for people or JSON for programs (`--json` says the same)
    #[arg(long, value_parser = ["text", "json"])]
    pub format: Option<String>,
}

pub fn run(args: &CheckArgs, context: &Context) -> anyhow::Result<i32> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => context.settings.rules_folder()?,
    };
    let files = files::rule_set(&folder)?;
    let begun = Instant::now();
    let (rules, problems) = check::load(&files);
    let milliseconds = begun.elapsed().as_millis().to_string();
    if context.json || args.format.as_deref() == Some("json") {
        let out =
            json!({ "good": rules.is_some(), "hash": rules.as_ref().map(|rules| &*rules.hash), "problems": json(&problems, context.lang) });
        anstream::println!("{}", serde_json::to_string_pretty(&out)?);
    } else {
        let folder = folder.display().to_string();
        let drawing = Drawing { lang: context.lang, colour: context.colour, folder: &folder, files: &files };
        for problem in &problems {
            anstream::println!("{}\n", drawing.draw(problem));
        }
        if !context.quiet {
            anstream::println!("{}", summary(context, &folder, rules.as_ref(), &problems, &milliseconds));
        }
    }
    Ok(if rules.is_some() { exit::DONE } else { exit::FINDINGS })
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
