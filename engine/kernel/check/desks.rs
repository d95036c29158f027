//! Desks, the ledger's columns and what is published: every name is there, and nothing is shown that not everybody may see (E711).

use super::at::{Checked, Surroundings};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{DeskPart, DeskShow, Field};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;
use crate::kernel::rules::Rules;
use indexmap::IndexMap;

pub fn check(rules: &Rules) -> Vec<Problem> {
    let (templates, functions) = (IndexMap::new(), IndexMap::new());
    let at = Checked::new(&rules.setting.workflow, Surroundings::of(rules, &templates, &functions));
    let workflow = at.workflow;
    let mut problems = Vec::new();
    let roles = || workflow.roles.keys().map(|name| &**name);
    for (name, desk) in &workflow.desks {
        for (key, named) in [("for", &desk.roles), ("first_for", &desk.first_for)] {
            for role in named.iter().filter(|role| !workflow.roles.contains_key(*role)) {
                problems.push(at.unknown("E711", &format!("desks.{name}.{key}"), role, roles()));
            }
        }
        let stranger = desk.first_for.iter().find(|role| !desk.roles.contains(*role));
        problems.extend(stranger.map(|role| at.problem("E711", &format!("desks.{name}.first_for")).variant("first").with("name", role)));
        problems.extend(desk.parts.iter().flat_map(|part| shown(&at, part)));
    }
    for (key, named) in [("columns", &workflow.ledger.columns), ("filters", &workflow.ledger.filters)] {
        for name in named {
            problems.extend(field(&at, &format!("ledger.{key}"), name, key == "filters"));
        }
    }
    let Some(published) = &workflow.published else { return problems };
    problems.extend(states(&at, "published.states", &published.states));
    for name in &published.fields {
        let problem = field(&at, "published.fields", name, false).or_else(|| {
            let names_somebody = workflow.fields.get(name).is_some_and(|field| matches!(field.kind.entry(), Type::Person));
            names_somebody.then(|| at.problem("E711", "published.fields").variant("person").with("name", name))
        });
        problems.extend(problem);
    }
    match workflow.fields.get(&published.field).map(|field| field.kind.inner()) {
        Some(Type::Choice(options)) => {
            let known = || options.iter().map(|option| &**option);
            let missing = published.is.iter().filter(|option| !options.contains(*option));
            problems.extend(missing.map(|option| at.unknown("E711", "published.is", option, known())));
            problems.extend(field(&at, "published.field", &published.field, true));
        }
        Some(_) => problems.push(at.problem("E711", "published.field").variant("no_choice").with("name", &published.field)),
        None => problems.extend(field(&at, "published.field", &published.field, true)),
    }
    problems
}

fn shown(at: &Checked, part: &DeskPart) -> Vec<Problem> {
    let workflow = at.workflow;
    let path = |key: &str| format!("{}.{key}", part.path);
    let mut problems = Vec::new();
    match &part.show {
        DeskShow::Waiting { states: named, unit, action } => {
            problems.extend(states(at, &path("states"), named));
            if let Some(name) = unit {
                let is_unit = workflow.fields.get(name).map(|field| matches!(field.kind.inner(), Type::Unit));
                problems.extend(match is_unit {
                    Some(false) => Some(at.problem("E711", &path("unit")).variant("no_unit").with("name", name)),
                    _ => field(at, &path("unit"), name, true),
                });
            }
            if let Some(name) = action.as_ref().filter(|name| !workflow.actions.contains_key(*name)) {
                problems.push(at.unknown("E711", &path("action"), name, workflow.actions.keys().map(|name| &**name)));
            }
        }
        DeskShow::Report { report, .. } if !workflow.reports.contains_key(report) => {
            problems.push(at.unknown("E711", &path("report"), report, workflow.reports.keys().map(|name| &**name)));
        }
        DeskShow::Round { branch } if !workflow.branches.contains_key(branch) => {
            problems.push(at.unknown("E711", &path("branch"), branch, workflow.branches.keys().map(|name| &**name)));
        }
        _ => {}
    }
    problems
}

fn states(at: &Checked, path: &str, named: &[Name]) -> Vec<Problem> {
    let known = &at.workflow.states;
    let missing = named.iter().filter(|state| !known.contains_key(*state));
    missing.map(|state| at.unknown("E711", path, state, known.keys().map(|name| &**name))).collect()
}

/// A field of the item that everybody sees; a filter needs one of few values.
fn field(at: &Checked, path: &str, name: &Name, filter: bool) -> Option<Problem> {
    let fields = &at.workflow.fields;
    let Some(declared) = fields.get(name) else {
        return Some(at.unknown("E711", path, name, fields.keys().map(|name| &**name)));
    };
    if !declared.is_open() {
        return Some(at.problem("E711", path).variant("hidden").with("name", name));
    }
    let fits = !filter || is_short(declared);
    (!fits).then(|| at.problem("E711", path).variant("no_filter").with("name", name))
}

fn is_short(field: &Field) -> bool {
    matches!(field.kind.inner(), Type::Choice(_) | Type::Unit | Type::Person | Type::Year | Type::YesNo)
}
