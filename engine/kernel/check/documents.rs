//! Documents: each part has a report that is there, and words that can be filled even before anything has happened (E710).

use super::at::{Checked, Surroundings};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Document, Part};
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
            if workflow.reports.contains_key(name) {
                problems.push(at.problem("E710", &format!("documents.{name}@")).variant("same_name").with("name", name));
            }
            let before = problems.len();
            problems.extend(document.parts.iter().filter_map(|part| reported(workflows, &at, part, whole)));
            // A part of a workflow that could not be read is missing among what words may read.
            if problems.len() == before && whole {
                problems.extend(words(workflows, rules, &at, name, document));
            }
        }
    }
    problems
}

fn reported(workflows: &IndexMap<Name, Rules>, at: &Checked, part: &Part, whole: bool) -> Option<Problem> {
    let Some((workflow, report)) = &part.report else {
        return part.text.is_none().then(|| at.problem("E710", &part.path).variant("empty"));
    };
    let path = format!("{}.report", part.path);
    let other = match workflow {
        None => at.workflow,
        Some(workflow) => match workflows.get(workflow) {
            Some(other) => &other.setting.workflow,
            None if !whole => return None,
            None => return Some(at.unknown("E710", &path, workflow, workflows.keys().map(|name| &**name))),
        },
    };
    let known = || other.reports.keys().map(|name| &**name);
    (!other.reports.contains_key(report)).then(|| at.unknown("E710", &path, report, known()))
}

/// What the words read has to be there in a document of no items.
fn words(workflows: &IndexMap<Name, Rules>, rules: &Rules, at: &Checked, name: &Name, document: &Document) -> Option<Problem> {
    let failed = document::blank(rules, name, document, Date::default(), |workflow| workflows.get(workflow)).err()?;
    Some(at.problem("E710", &format!("{}.text", failed.path)).variant("text").with("what", &failed.error.what))
}
