//! Documents: each part has a report that is there, and words that can be filled even before anything has happened (E710).

use super::at::{Checked, Surroundings};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Part;
use crate::kernel::model::problem::Problem;
use crate::kernel::report::document;
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use indexmap::IndexMap;

/// `workflows` by name; those that could not be read are missing, and `whole` says whether none is.
pub fn check(workflows: &IndexMap<Name, Rules>, whole: bool) -> Vec<Problem> {
    let (templates, functions) = (IndexMap::new(), IndexMap::new());
    let mut problems = Vec::new();
    for rules in workflows.values() {
        let workflow = &rules.setting.workflow;
        let at = Checked::new(workflow, Surroundings::of(rules, &templates, &functions));
        for (name, document) in &workflow.documents {
            let is_taken = |other: &Rules| {
                let other = &other.setting.workflow;
                other.reports.contains_key(name) || other.name != workflow.name && other.documents.contains_key(name)
            };
            if workflows.values().any(is_taken) {
                problems.push(at.problem("E710", &format!("documents.{name}@")).variant("same_name").with("name", name));
            }
            if document.parts.is_empty() {
                problems.push(at.problem("E710", &format!("documents.{name}.parts")).variant("empty"));
            }
            let before = problems.len();
            problems.extend(document.parts.iter().filter_map(|part| reported(workflows, &at, part, whole)));
            problems.extend(document.parts.iter().filter_map(|part| reserved(workflows, &at, part)));
            // A part of a workflow that could not be read is missing among what words may read.
            if problems.len() == before && whole {
                let unread = document::unread(rules, document, Date::default(), |workflow| workflows.get(workflow));
                let told = |(path, what): (Name, String)| at.problem("E710", &format!("{path}.text")).variant("text").with("what", what);
                problems.extend(unread.into_iter().map(told));
            }
        }
    }
    problems
}

fn reported(workflows: &IndexMap<Name, Rules>, at: &Checked, part: &Part, whole: bool) -> Option<Problem> {
    let Some((workflow, report)) = &part.report else {
        let says_nothing = part.text.as_ref().is_none_or(|text| text.trim().is_empty());
        return says_nothing.then(|| at.problem("E710", &part.path).variant("empty"));
    };
    let path = format!("{}.report", part.path);
    let other = match workflow {
        None => at.workflow,
        Some(workflow) => match workflows.get(workflow) {
            Some(other) => &other.setting.workflow,
            None if !whole => return None,
            None => return Some(at.unknown("E115", &path, workflow, workflows.keys().map(|name| &**name))),
        },
    };
    let known = || other.reports.keys().map(|name| &**name);
    (!other.reports.contains_key(report)).then(|| at.unknown("E710", &path, report, known()))
}

/// Words call reports by their names, beside `day`, `of` and the workflows of the others.
fn reserved(workflows: &IndexMap<Name, Rules>, at: &Checked, part: &Part) -> Option<Problem> {
    let (workflow, report) = part.report.as_ref()?;
    let name = workflow.as_ref().unwrap_or(report);
    let taken = ["day", "of"].contains(&&**name) || workflow.is_none() && workflows.contains_key(report);
    taken.then(|| at.problem("E710", &format!("{}.report", part.path)).variant("reserved").with("name", name))
}
