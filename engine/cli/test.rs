//! `duban test`: the stories beside a rule set, with what they cover.

use super::{Context, exit};
use crate::files;
use crate::kernel::check;
use crate::kernel::model::problem::Problem;
use crate::kernel::simulate::run::Difference;
pub use crate::kernel::simulate::stories::{Report, stories};
use crate::kernel::words::{Lang, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Instant;

#[derive(Args, Clone, Debug)]
pub struct TestArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Only stories whose name contains this text
    #[arg(long)]
    pub only: Option<String>,
    /// Name everything that no story touches
    #[arg(long)]
    pub coverage: bool,
}

pub fn run(args: &TestArgs, context: &Context) -> anyhow::Result<i32> {
    let folder = match &args.folder {
        Some(folder) => folder.clone(),
        None => context.settings.rules_folder()?,
    };
    let files = files::rule_set(&folder)?;
    let (rules, problems) = check::load(&files);
    let Some(rules) = rules else {
        let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        context.draw(&errors, &folder.display().to_string(), &files);
        return Ok(exit::FINDINGS);
    };
    let begun = Instant::now();
    let report = stories(&rules, &files, args.only.as_deref(), context.lang);
    if context.json {
        print_json(&report, context.lang);
    } else {
        print(&report, args, context, &folder.display().to_string(), &files, begun.elapsed().as_millis());
    }
    Ok(if report.is_good() { exit::DONE } else { exit::FINDINGS })
}

fn print(
    report: &Report,
    args: &TestArgs,
    context: &Context,
    folder: &str,
    files: &indexmap::IndexMap<String, String>,
    milliseconds: u128,
) {
    let lang = context.lang;
    if !report.problems.is_empty() {
        context.draw(&report.problems, folder, files);
    }
    if args.coverage {
        context.draw(&report.untouched, folder, files);
    }
    for file in &report.files {
        anstream::println!("{}", file.path.dimmed());
        for outcomes in &file.outcomes {
            let steps = say(lang, "test.steps", &[("steps", &outcomes.steps.to_string()), ("days", &outcomes.days.to_string())]);
            let place = |difference: &Difference| {
                say(lang, "test.step", &[("step", &difference.step.to_string()), ("at", &difference.at)]).dimmed().to_string()
            };
            let mark = if outcomes.differences.is_empty() { "✓".green().to_string() } else { "✗".red().to_string() };
            anstream::println!("  {mark} {}  {}", outcomes.name, steps.dimmed());
            for difference in &outcomes.differences {
                anstream::println!("      {} {}", place(difference), difference.text(lang));
            }
            for remark in outcomes.remarks.iter().filter(|_| args.coverage) {
                anstream::println!("      {} {} {}", place(remark), remark.what.yellow(), remark.text(lang));
            }
        }
        for (what, percent, bar) in &file.below {
            let values = [("what", what.as_str()), ("percent", &percent.to_string()), ("bar", &bar.to_string())];
            anstream::println!("  {} E904 {}", "✗".red(), say(lang, "check.E904", &values));
        }
    }
    let mut shown: Vec<&str> = Vec::new();
    for file in &report.files {
        if shown.contains(&file.workflow.as_str()) {
            continue;
        }
        shown.push(&file.workflow);
        let measures = file
            .coverage
            .iter()
            .map(|measure| format!("{} {}/{}", say(lang, &format!("test.{}", measure.what), &[]), measure.covered, measure.all));
        anstream::println!("{}", say(lang, "test.coverage", &[("measures", &measures.collect::<Vec<_>>().join("  "))]));
        for measure in file.coverage.iter().filter(|measure| args.coverage && !measure.missing.is_empty()) {
            let names: Vec<&str> = measure.missing.iter().map(|name| &**name).collect();
            let title = say(lang, &format!("test.{}", measure.what), &[]);
            anstream::println!("  {}", say(lang, "test.never", &[("what", &title), ("names", &names.join(", "))]));
        }
    }
    let values = [("passed", report.passed().to_string()), ("failed", report.failed().to_string()), ("ms", milliseconds.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    anstream::println!("{}", say(lang, "test.sum", &values));
}

fn print_json(report: &Report, lang: Lang) {
    let files = report.files.iter().map(|file| {
        let stories = file.outcomes.iter().map(|outcomes| {
            let differences = outcomes.differences.iter().map(|difference| json!({ "step": difference.step, "at": difference.at, "what": difference.what, "text": difference.text(lang) }));
            let remarks = outcomes.remarks.iter().map(|remark| json!({ "code": remark.what, "step": remark.step, "at": remark.at, "text": remark.text(lang) }));
            json!({ "name": outcomes.name, "steps": outcomes.steps, "days": outcomes.days, "differences": differences.collect::<Vec<_>>(), "remarks": remarks.collect::<Vec<_>>() })
        });
        let coverage = file.coverage.iter().map(|measure| (measure.what.to_string(), json!({ "covered": measure.covered, "all": measure.all, "missing": measure.missing })));
        let below = file.below.iter().map(|(what, percent, bar)| json!({ "code": "E904", "what": what, "percent": percent, "bar": bar }));
        json!({ "file": file.path, "stories": stories.collect::<Vec<_>>(), "coverage": coverage.collect::<serde_json::Map<_, _>>(), "below": below.collect::<Vec<_>>() })
    });
    let out = json!({ "passed": report.passed(), "failed": report.failed(), "problems": report.problems, "untouched": report.untouched, "files": files.collect::<Vec<_>>() });
    anstream::println!("{out}");
}
