//! Names as they are declared: each is allowed and means one thing (E101, E110). Whether what is used is declared are `references` and
//! `fields`; what is declared but unused, `unused`.

use super::at::Checked;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;

/// Words that Rhai keeps for itself; a name that expressions see may not be one of them.
const RESERVED: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "call",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "export",
    "false",
    "fn",
    "for",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "use",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// What expressions read beside the rule set's own names.
const VIEWS: &[&str] =
    &["item", "task", "input", "each", "due", "branches", "actor", "today", "param", "request", "system", "empty", "otherwise"];

/// What the engine itself says of an item, a branch, and a kind of branch.
const OF_ITEM: &[&str] = &["id", "state", "state_title", "flag"];
const OF_BRANCH: &[&str] = &["no", "state", "state_title", "flag"];
const OF_KIND: &[&str] = &[
    "all_ended",
    "count",
    "count_open",
    "open_units",
    "open_persons",
    "count_in_state",
    "all_in_state",
    "share_in_state",
    "any_late",
    "was_late",
    "worst",
    "sum",
    "len",
];

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    allowed(at, &mut problems);
    one_meaning(at, &mut problems);
    problems
}

// ---- E101

fn allowed(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut look = |section: &str, names: Vec<&Name>, seen_by_rules: bool| {
        for name in names {
            let path = format!("{section}.{name}@");
            if !is_identifier(name) {
                problems.push(at.problem("E101", &path).with("name", name));
            } else if seen_by_rules && RESERVED.contains(&&**name) {
                problems.push(at.problem("E101", &path).variant("reserved").with("name", name));
            } else if seen_by_rules && VIEWS.contains(&&**name) {
                problems.push(at.problem("E101", &path).variant("view").with("name", name));
            }
        }
    };
    look("roles", workflow.roles.keys().collect(), true);
    look("states", workflow.states.keys().collect(), false);
    look("tables", workflow.tables.keys().collect(), false);
    look("notices", workflow.notices.keys().collect(), false);
    look("sweeps", workflow.sweeps.keys().collect(), false);
    look("reports", workflow.reports.keys().collect(), false);
    for (name, report) in &workflow.reports {
        if let Shape::Figures { columns, .. } = &report.shape {
            look(&format!("reports.{name}.columns"), columns.keys().collect(), false);
        }
    }
    look("documents", workflow.documents.keys().collect(), false);
    look("forms", workflow.forms.keys().collect(), false);
    look("imports", workflow.imports.keys().collect(), false);
    look("fields", workflow.fields.keys().collect(), true);
    look("params", workflow.params.keys().collect(), true);
    look("functions", workflow.functions.keys().collect(), true);
    look("requests", workflow.requests.keys().collect(), true);
    look("deadlines", workflow.deadlines.iter().filter(|(_, deadline)| !deadline.of_request).map(|(name, _)| name).collect(), true);
    look("branches", workflow.branches.keys().collect(), true);
    for (kind, branch) in &workflow.branches {
        look(&format!("branches.{kind}.states"), branch.states.keys().collect(), false);
        look(&format!("branches.{kind}.fields"), branch.fields.keys().collect(), true);
        look(&format!("branches.{kind}.views"), branch.views.keys().collect(), true);
    }
    for act in at.acts() {
        if act.action.request.is_none() {
            let section = act.path.rsplit_once('.').map_or("actions", |(section, _)| section);
            look(section, vec![act.name], false);
        }
        look(&act.key("ask"), act.action.ask.iter().filter(|ask| ask.records.is_none()).map(|ask| &ask.name).collect(), true);
    }
}

fn is_identifier(name: &str) -> bool {
    let letter = |letter: char| {
        letter == '_'
            || letter.is_ascii_alphanumeric()
            || ('\u{4e00}'..='\u{9fff}').contains(&letter)
            || ('\u{3400}'..='\u{4dbf}').contains(&letter)
    };
    name.chars().all(letter) && !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty()
}

// ---- E110

fn one_meaning(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut twice =
        |path: String, name: &str, other: &str| problems.push(at.problem("E110", &path).with("name", name).with("other", other));
    for name in workflow.tables.keys().filter(|name| workflow.params.contains_key(*name)) {
        twice(format!("tables.{name}@"), name, &format!("params.{name}"));
    }
    for name in workflow.requests.keys().filter(|name| workflow.branches.contains_key(*name)) {
        twice(format!("requests.{name}@"), name, &format!("branches.{name}"));
    }
    for branch in at.levels() {
        let own = if branch.is_some() { OF_BRANCH } else { OF_ITEM };
        let view = if branch.is_some() { "task" } else { "item" };
        let section = branch.map_or("fields".to_string(), |kind| format!("branches.{kind}.fields"));
        let declared = workflow.fields_of(branch.map(|name| &**name)).into_iter().flatten();
        let given = branch.and_then(|kind| workflow.branches[kind].one_per).map(|one_per| match one_per {
            OnePer::Unit => "unit",
            OnePer::Person => "person",
        });
        let declared: Vec<_> = declared.collect();
        for (name, _) in &declared {
            if own.contains(&&***name) || given == Some(&***name) {
                twice(format!("{section}.{name}@"), name, &format!("{view}.{name}"));
            }
            let choice = name
                .strip_suffix("_title")
                .filter(|of| declared.iter().any(|(other, field)| &***other == *of && matches!(field.kind, Type::Choice(_))));
            if let Some(choice) = choice {
                twice(format!("{section}.{name}@"), name, &format!("{section}.{choice}"));
            }
        }
    }
    for (kind, branch) in &workflow.branches {
        for view in branch.views.keys().filter(|view| OF_KIND.contains(&&***view)) {
            twice(format!("branches.{kind}.views.{view}@"), view, &format!("branches.{kind}.{view}"));
        }
    }
}
