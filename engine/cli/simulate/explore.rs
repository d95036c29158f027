//! `duban simulate --explore`: where a rule set gets stuck or breaks, with the shortest way there. It needs no database.

use super::idle::filled;
use crate::cli::office::{self, Stop};
use crate::cli::{Context, exit, progress};
use crate::clock::Clock;
use crate::files;
use crate::kernel::check;
use crate::kernel::decide::capture;
use crate::kernel::explain::due::name_of;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::Rules;
use crate::kernel::simulate::explore::{self, Bounds, Explored, Step, What};
use crate::kernel::words::{due, say};
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::{Path, PathBuf};

pub fn run(folder: Option<&Path>, standings: Option<usize>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let folder = folder.map_or_else(|| context.settings.rules_folder().map_err(anyhow::Error::from), |folder| Ok(PathBuf::from(folder)))?;
    if !folder.is_dir() {
        return Err(Stop::usage(lang, "office.no_folder", &[("folder", &folder.display().to_string())]).into());
    }
    let texts = files::rule_set(&folder)?;
    let (rules, problems) = check::load(&texts);
    let Some(rules) = rules else {
        let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        context.draw(&errors, &folder.display().to_string(), &texts);
        return Ok(exit::FINDINGS);
    };
    let bounds = standings.map_or_else(Bounds::default, |standings| Bounds { standings, ..Bounds::default() });
    let bar = progress::bar(context, progress::PERCENT);
    bar.set_prefix(say(lang, "explore.bar", &[]));
    let functions: Vec<&str> = texts.iter().filter(|(path, _)| path.ends_with(".rhai")).map(|(_, text)| text.as_str()).collect();
    let (functions, mut found) = (functions.join("\n"), false);
    for rules in rules.workflows.values() {
        let moves = progress::moves(&bar);
        let seen = |known: usize, done: usize| moves(done as u64, known as u64);
        let explored = explore::explore(rules, &functions, Clock::Machine.now(), bounds, seen);
        bar.finish_and_clear();
        found |= !explored.findings.is_empty();
        if context.json {
            anstream::println!("{}", json!(explored));
        } else {
            anstream::print!("{}", text(rules, &explored, &folder, context));
        }
    }
    Ok(if found { exit::FINDINGS } else { exit::DONE })
}

fn text(rules: &Rules, explored: &Explored, folder: &Path, context: &Context) -> String {
    let lang = context.lang;
    let values = [
        ("workflow", rules.setting.workflow.title.clone()),
        ("standings", explored.standings.to_string()),
        ("steps", explored.steps.to_string()),
        ("rules", office::short(&rules.hash)),
    ];
    let mut out = format!("{}\n", filled(lang, "explore.head", &values).bold());
    out += &format!("  {}\n", say(lang, if explored.complete { "explore.complete" } else { "explore.bounded" }, &[]));
    for finding in &explored.findings {
        let place =
            finding.place.as_ref().map(|place| format!("  {}:{}", folder.join(&*place.file).display(), place.line)).unwrap_or_default();
        out += &format!("  {} {}{}\n", "✗".red(), what_text(rules, &finding.what, context), place.dimmed());
        out += &path_text(rules, &finding.path, context);
    }
    if explored.findings.is_empty() {
        out += &format!("  {} {}\n", "✓".green(), say(lang, "explore.nothing", &[]));
    }
    if let Some(most) = &explored.most_mails {
        let person = capture::title(rules, &most.person);
        let values = [("person", person), ("day", due::day(lang, most.day)), ("mails", most.mails.to_string())];
        out += &format!("  {}\n{}", filled(lang, "explore.most_mails", &values), path_text(rules, &most.path, context));
    }
    for (key, names) in [("explore.unreached", &explored.unreached_states), ("explore.undone", &explored.undone_actions)] {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            out += &format!("  {}\n", filled(lang, key, &[("names", names.join(", "))]).dimmed());
        }
    }
    out
}

fn what_text(rules: &Rules, what: &What, context: &Context) -> String {
    let title = |state: &str| rules.setting.workflow.states.get(state).map_or_else(|| state.to_string(), |state| state.title.clone());
    match what {
        What::DeadEnd { state } => filled(context.lang, "explore.dead_end", &[("state", title(state))]),
        What::NoWayOut { state } => filled(context.lang, "explore.no_way_out", &[("state", title(state))]),
        What::BrokenAlways { sentence, .. } => filled(context.lang, "explore.always", &[("sentence", sentence.clone())]),
        What::RuleFails { why, .. } => filled(context.lang, "explore.fails", &[("why", why.clone())]),
    }
}

/// What to do to get there, step by step.
fn path_text(rules: &Rules, path: &[Step], context: &Context) -> String {
    let lang = context.lang;
    let mut out = String::new();
    for (number, step) in (1..).zip(path) {
        let who = step.by.as_ref().map_or_else(|| say(lang, "show.engine", &[]), |person| capture::title(rules, person));
        let branch = step.branch.map(|no| format!(" #{no}")).unwrap_or_default();
        let input: Vec<String> = step
            .input
            .iter()
            .map(|(name, value)| format!("{name}: {}", serde_json::to_string(&capture::plain(value)).unwrap_or_default()))
            .collect();
        let input = if input.is_empty() { String::new() } else { format!("  {{ {} }}", input.join(", ")) };
        out += &format!("      {number}. {} {who} {}{branch}{}\n", step.day, name_of(rules, &step.action), input.dimmed());
    }
    out
}
