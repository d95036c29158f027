//! Action files: what people did and when, in the step form of the stories. Whether they may is left to the kernel.

use super::gate::{self, Placed};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::model::step::Step;
use crate::kernel::model::value::Fields;
use crate::kernel::time::Date;
use chrono::NaiveDateTime;
use serde::Deserialize;
use std::sync::Arc;

/// Larger files are refused (E012); a line takes some 150 bytes.
const MAX_BYTES: usize = 16 << 20;

#[derive(Clone, Debug, Default)]
pub struct ActionFile {
    pub title: String,
    /// In the order of the file.
    pub steps: Vec<TimedStep>,
}

/// One thing that a person did.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedStep {
    pub line: u32,
    /// Local civil time.
    pub at: NaiveDateTime,
    pub by: Name,
    pub item: Name,
    pub branch: Option<String>,
    pub action: Name,
    pub input: Fields,
    pub effective_on: Option<Date>,
}

impl TimedStep {
    /// `id` has to be the same whenever the same step is done again.
    pub fn command(&self, id: Name) -> Command {
        Command {
            id,
            item: self.item.clone(),
            branch: self.branch.clone().map(BranchAddress::Named),
            action: self.action.clone(),
            input: self.input.clone(),
            by: self.by.clone(),
            via: None,
            effective_on: self.effective_on,
            seen_rev: None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    title: String,
    steps: Vec<Placed<Step>>,
}

/// Reads an action file. Every mistake is added to `problems`; there is nothing when there was one.
pub fn read(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<ActionFile> {
    let written: Written = gate::parse_data(file, source, MAX_BYTES, problems)?;
    let before = problems.len();
    let steps = written.steps.into_iter().filter_map(|step| one(file, step.line(), step.into_value(), problems)).collect();
    (problems.len() == before).then_some(ActionFile { title: written.title, steps })
}

fn one(file: &Arc<str>, line: u32, step: Step, problems: &mut Vec<Problem>) -> Option<TimedStep> {
    let place = Place { file: file.clone(), line, column: 1, length: 1 };
    let only_in_stories = [
        ("advance_to", step.advance_to.is_some()),
        ("engine", step.engine.is_some()),
        ("until", step.until.is_some()),
        ("calendar_adds", step.calendar_adds.is_some()),
        ("expect", step.expect.is_some()),
        ("refused", step.refused.is_some()),
    ];
    for (key, _) in only_in_stories.iter().filter(|(_, written)| *written) {
        problems.push(Problem::new("E005", place.clone()).with("key", key).with("known", "at, by, item, branch, do, with, effective_on"));
    }
    let mut missing = |key: &str| problems.push(Problem::new("E006", place.clone()).with("key", key).with("row", "steps"));
    for (key, there) in [("at", step.at.is_some()), ("by", step.by.is_some()), ("item", step.item.is_some()), ("do", step.action.is_some())]
    {
        if !there {
            missing(key);
        }
    }
    let at = step.at.as_deref()?;
    let Some(moment) = local_moment(at) else {
        problems.push(Problem::new("E011", place).variant("moment").with("text", at));
        return None;
    };
    Some(TimedStep {
        line,
        at: moment,
        by: step.by?,
        item: step.item?,
        branch: step.branch,
        action: step.action?,
        input: step.with,
        effective_on: step.effective_on,
    })
}

/// `2026-03-20 10:00`, or a day alone, which is its 09:00.
pub fn local_moment(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim();
    let forms = ["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"];
    let moment = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    moment.or_else(|| text.parse::<Date>().ok()?.and_hms_opt(9, 0, 0))
}
