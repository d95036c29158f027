//! The schema of `tests/*.test.yaml`: the keys of stories and steps, with the names of states, notices and actions.

use super::words::DATE;
use super::{list, named, one_of, pattern, row, text, value, yes};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Workflow;
use indexmap::IndexSet;
use serde_json::{Value as Json, json};

/// The keys as `serde` reads them; a test holds them against the structs.
pub const FILE: [&str; 9] = ["test_of", "people", "units", "item", "tests", "table_tests", "function_tests", "never", "coverage"];
pub const STORY: [&str; 7] = ["name", "ignore_notices", "given", "starts_empty", "from", "may", "steps"];
pub const STEP: [&str; 13] =
    ["at", "by", "item", "branch", "do", "with", "effective_on", "advance_to", "engine", "until", "calendar_adds", "expect", "refused"];
pub const EXPECT: [&str; 15] = [
    "state",
    "flag",
    "due",
    "item",
    "branches",
    "tasks",
    "may",
    "waits_for",
    "hidden",
    "reports",
    "others",
    "mails",
    "skipped",
    "paused",
    "provisional",
];
pub const OTHER: [&str; 2] = ["state", "item"];
pub const FIGURES: [&str; 5] = ["counts", "share", "rows", "total", "list"];
pub const MAIL: [&str; 7] = ["notice", "to", "cc", "sent", "kind", "bundled", "subject"];
pub const SKIP: [&str; 2] = ["rung", "because"];
pub const FUNCTION_TEST: [&str; 2] = ["with", "gives"];

pub fn schema(workflows: &[&Workflow]) -> Json {
    let names = |of: &dyn Fn(&Workflow) -> Vec<Name>| -> IndexSet<Name> { workflows.iter().flat_map(|workflow| of(workflow)).collect() };
    let states = names(&|workflow| workflow.states.keys().cloned().collect());
    let notices = names(&|workflow| workflow.notices.keys().cloned().collect());
    let actions: IndexSet<Name> = names(&|workflow| {
        let of_branches = workflow.branches.values().flat_map(|branch| branch.actions.keys());
        workflow.actions.keys().chain(of_branches).cloned().collect()
    });
    let actions = || one_of(actions.iter().map(|name| &**name).chain(["amend"]));
    let values = || json!({ "type": ["object", "null"], "additionalProperties": value() });
    let mail = row(&MAIL, &["notice"], |key| match key {
        "notice" => one_of(&notices),
        "to" | "cc" => list(text()),
        "kind" => one_of(["message", "reminder", "escalation"]),
        "bundled" => yes(),
        _ => text(),
    });
    let expect = row(&EXPECT, &[], |key| match key {
        "state" => one_of(&states),
        "flag" => one_of(["none", "amber", "red"]),
        "mails" => list(mail.clone()),
        "skipped" => list(row(&SKIP, &["rung"], |_| text())),
        "paused" | "provisional" => list(text()),
        "tasks" => named(values()),
        "may" => named(list(actions())),
        "waits_for" | "hidden" => named(list(text())),
        "others" => named(row(&OTHER, &[], |key| if key == "state" { text() } else { values() })),
        "reports" => named(row(&FIGURES, &[], |key| match key {
            "share" => text(),
            "rows" => named(values()),
            "list" => list(values()),
            _ => values(),
        })),
        _ => values(),
    });
    let step = row(&STEP, &[], |key| match key {
        "do" => actions(),
        "with" | "calendar_adds" => values(),
        "effective_on" => pattern(DATE),
        "expect" => expect.clone(),
        _ => text(),
    });
    let story = row(&STORY, &["name"], |key| match key {
        "ignore_notices" => list(one_of(&notices)),
        "given" => values(),
        "starts_empty" => yes(),
        "may" => named(list(actions())),
        "steps" => list(step.clone()),
        _ => text(),
    });
    row(&FILE, &["test_of"], |key| match key {
        "tests" => list(story.clone()),
        "never" => list(text()),
        "function_tests" => named(list(row(&FUNCTION_TEST, &[], |_| value()))),
        "table_tests" => named(list(values())),
        "coverage" => named(text()),
        "test_of" => text(),
        _ => values(),
    })
}
