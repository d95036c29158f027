//! `duban test`: the stories beside a rule set, with what they cover. `cargo test` runs the same function over the shipped sets.

use super::{Context, exit};
use crate::files;
use crate::kernel::check;
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::read::reader::nearest;
use crate::kernel::read::story;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::coverage::{Coverage, Measure};
use crate::kernel::simulate::names::{self, Unknown};
use crate::kernel::simulate::run::{self, Difference, Outcomes};
use crate::kernel::words::{Lang, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::PathBuf;
use std::sync::Arc;
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

/// What the stories of a rule set came to.
pub struct Report {
    pub files: Vec<FileReport>,
    pub problems: Vec<Problem>,
    /// Warnings about what no story touches.
    pub untouched: Vec<Problem>,
}

pub struct FileReport {
    pub path: String,
    pub outcomes: Vec<Outcomes>,
    pub workflow: String,
    pub coverage: Vec<Measure>,
    /// Measures below the bar that the file sets: what, percent, bar.
    pub below: Vec<(String, usize, usize)>,
}

impl Report {
    pub fn failed(&self) -> usize {
        self.files.iter().flat_map(|file| &file.outcomes).filter(|outcomes| !outcomes.differences.is_empty()).count()
    }

    pub fn passed(&self) -> usize {
        self.files.iter().flat_map(|file| &file.outcomes).filter(|outcomes| outcomes.differences.is_empty()).count()
    }

    pub fn is_good(&self) -> bool {
        self.failed() == 0 && !self.problems.iter().any(Problem::is_error) && self.files.iter().all(|file| file.below.is_empty())
    }
}

/// Runs every `tests/*.test.yaml` of the rule set, for a reader of this language. Coverage is counted over all files of a workflow together.
pub fn stories(rules: &RuleSet, files: &indexmap::IndexMap<String, String>, only: Option<&str>, lang: Lang) -> Report {
    let mut report = Report { files: Vec::new(), problems: Vec::new(), untouched: Vec::new() };
    let mut covered: indexmap::IndexMap<String, Coverage> = indexmap::IndexMap::new();
    let mut bars = Vec::new();
    for (path, text) in files.iter().filter(|(path, _)| path.starts_with("tests/") && path.ends_with(".test.yaml")) {
        let mut problems = Vec::new();
        let file = story::read(path, text, &mut problems);
        report.problems.extend(problems.into_iter().filter(Problem::is_error));
        let Some(mut file) = file else { continue };
        if let Some(only) = only {
            file.tests.retain(|story| story.name.contains(only));
        }
        let Some(workflow) = workflow(rules, &file.test_of) else {
            report.problems.push(nothing_to_test(rules, path, text, &file.test_of));
            continue;
        };
        report
            .problems
            .extend(names::unknown(&rules.workflows, workflow, &file).into_iter().map(|unknown| unknown_name(path, text, &unknown)));
        let (outcomes, touched) = run::run(&rules.workflows, workflow, &rules.templates, &file, lang);
        let name = workflow.setting.workflow.name.to_string();
        touched.iter().for_each(|(name, coverage)| covered.entry(name.to_string()).or_default().add(coverage));
        bars.push((report.files.len(), file.coverage.clone()));
        report.files.push(FileReport { path: path.clone(), outcomes, workflow: name, coverage: Vec::new(), below: Vec::new() });
    }
    for (index, bars) in bars {
        let file = &mut report.files[index];
        let (Some(coverage), Some(workflow)) = (covered.get(&file.workflow), rules.workflows.get(file.workflow.as_str())) else { continue };
        file.coverage = coverage.measures(&workflow.setting.workflow);
        for (what, bar) in bars.iter().filter(|_| only.is_none()) {
            let bar: usize = bar.trim_end_matches('%').trim().parse().unwrap_or(100);
            let percent = file.coverage.iter().find(|measure| measure.what == what).map_or(0, Measure::percent);
            if percent < bar {
                file.below.push((what.clone(), percent, bar));
            }
        }
    }
    for (name, coverage) in covered.iter().filter(|_| only.is_none()) {
        if let Some(workflow) = rules.workflows.get(name.as_str()) {
            report.untouched.extend(untouched(workflow, &coverage.measures(&workflow.setting.workflow)));
        }
    }
    report
}

/// E901
fn nothing_to_test(rules: &RuleSet, path: &str, text: &str, name: &str) -> Problem {
    let line = text.lines().position(|line| line.starts_with("test_of")).unwrap_or_default();
    let column = text.lines().nth(line).and_then(|line| Some(line[..line.find(name)?].chars().count())).unwrap_or_default();
    let length = name.chars().count().max(1) as u32;
    let place = Place { file: path.into(), line: line as u32 + 1, column: column as u32 + 1, length };
    let known: Vec<&str> = rules.workflows.keys().map(|name| &**name).collect();
    let problem = Problem::new("E901", place).with("name", name).with("known", known.join(", "));
    match nearest(name, known.into_iter()) {
        Some(near) => problem.variant("near").with("near", near),
        None => problem,
    }
}

/// E901: the first line that holds the name.
fn unknown_name(path: &str, text: &str, unknown: &Unknown) -> Problem {
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    let found = text.lines().enumerate().find_map(|(line, content)| {
        let at = content.match_indices(unknown.name.as_str()).find(|(at, _)| {
            let before = content[..*at].chars().next_back();
            let after = content[at + unknown.name.len()..].chars().next();
            !before.is_some_and(is_name) && !after.is_some_and(is_name)
        });
        at.map(|(at, _)| (line as u32 + 1, content[..at].chars().count() as u32 + 1))
    });
    let (line, column) = found.unwrap_or((1, 1));
    let place = Place { file: path.into(), line, column, length: unknown.name.chars().count().max(1) as u32 };
    let near = nearest(&unknown.name, unknown.known.iter().map(String::as_str));
    let problem = Problem::new("E901", place).with("name", &unknown.name).with("what", format!("@story.{}_name", unknown.what));
    match near {
        Some(near) => problem.variant("name_near").with("near", near),
        None => problem.variant("name"),
    }
}

/// W902: what no story ever touches, at its place in the rules.
fn untouched(rules: &Rules, measures: &[Measure]) -> Vec<Problem> {
    let mut out = Vec::new();
    for measure in measures {
        for name in &measure.missing {
            let path = match (measure.what, name.split_once('.')) {
                ("states", None) => format!("states.{name}@"),
                ("states", Some((kind, state))) => format!("branches.{kind}.states.{state}@"),
                ("actions", _) if rules.setting.workflow.actions.contains_key(name) => format!("actions.{name}@"),
                ("actions", Some((kind, action))) => format!("branches.{kind}.actions.{action}@"),
                ("rungs", Some((deadline, rung))) => {
                    let ladder = rules.setting.workflow.deadlines.get(deadline).map(|deadline| &deadline.ladder);
                    let found = ladder.and_then(|ladder| ladder.iter().find(|known| &*known.rung == rung));
                    found.map_or_else(|| format!("deadlines.{deadline}@"), |rung| rung.path.to_string())
                }
                ("notices", _) => format!("notices.{name}@"),
                ("table_rows", _) => format!("tables.{}@", name.split('[').next().unwrap_or(name)),
                _ => name.to_string(),
            };
            let Some(place) = rules.places.find(&path) else { continue };
            let what = format!("@test.{}", measure.what);
            out.push(Problem::new("W902", place.clone()).with("what", what).with("name", name));
        }
    }
    out
}

/// A workflow by its name, or by the file that holds it.
fn workflow<'r>(rules: &'r RuleSet, name: &str) -> Option<&'r Arc<Rules>> {
    let stem = name.trim_end_matches(".yaml").trim_end_matches('/');
    rules.workflows.get(name).or_else(|| rules.workflows.get(stem)).or_else(|| rules.workflows.get(stem.rsplit('/').next().unwrap_or(stem)))
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
