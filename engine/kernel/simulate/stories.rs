//! The stories beside a rule set, played one after the other, with what they cover. The command line, the pages and `cargo test` all play
//! them by this function.

use super::coverage::{Coverage, Measure};
use super::names::{self, Unknown};
use super::run::{self, Outcomes};
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::read::reader::nearest;
use crate::kernel::read::story;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::Lang;
use indexmap::IndexMap;
use std::sync::Arc;

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

    /// Stories that fail, and files of stories that cannot be played, by name.
    pub fn failing(&self) -> Vec<String> {
        let outcomes = self.files.iter().flat_map(|file| &file.outcomes).filter(|outcomes| !outcomes.differences.is_empty());
        let mut failing: Vec<String> = outcomes.map(|outcomes| outcomes.name.clone()).collect();
        failing.extend(self.problems.iter().filter(|problem| problem.is_error()).map(|problem| problem.place.file.to_string()));
        failing.dedup();
        failing
    }

    pub fn is_good(&self) -> bool {
        self.failed() == 0 && !self.problems.iter().any(Problem::is_error) && self.files.iter().all(|file| file.below.is_empty())
    }
}

/// Runs every `tests/*.test.yaml` of the rule set, for a reader of this language. Coverage is counted over all files of a workflow together.
pub fn stories(rules: &RuleSet, files: &IndexMap<String, String>, only: Option<&str>, lang: Lang) -> Report {
    let mut report = Report { files: Vec::new(), problems: Vec::new(), untouched: Vec::new() };
    let mut covered: IndexMap<String, Coverage> = IndexMap::new();
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
