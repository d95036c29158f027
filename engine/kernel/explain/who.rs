//! Who holds a role in an item today, and why: the cases of the role one by one, the way through the directory, and the row that says so.

use super::due::title_of_branch;
use super::values::{Seen, seen};
use crate::kernel::decide::capture;
use crate::kernel::derive::{self, roles};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{UnitPath, Who};
use crate::kernel::model::item::Item;
use crate::kernel::model::problem::Place;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Date;
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Debug, Serialize)]
pub struct RoleExplained {
    pub item: Name,
    pub role: Name,
    pub title: String,
    /// It depends on this branch.
    pub branch: Option<u32>,
    pub branch_title: Option<String>,
    pub cases: Vec<CaseExplained>,
    pub holders: Vec<Held>,
    /// Where the role is declared.
    pub place: Option<Place>,
}

/// One way of holding a role; the first whose condition holds counts.
#[derive(Clone, Debug, Serialize)]
pub struct CaseExplained {
    /// As the author wrote it.
    pub who: String,
    /// Its condition; none always holds.
    pub when: Option<Name>,
    /// Empty for cases behind the one that counts: they are not asked.
    pub holds: Option<bool>,
    pub seen: Vec<Seen>,
    /// Each unit on the way, as the author wrote it, with what it is here.
    pub way: Vec<(String, Vec<String>)>,
}

/// Somebody who holds it.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    pub person: Name,
    pub title: String,
    /// Who stands in today, and is told instead.
    pub stand_in: Option<Name>,
    pub stand_in_title: Option<String>,
    /// The row of the directory: since when, and until when.
    pub from: Option<Date>,
    pub to: Option<Date>,
    pub has_address: bool,
}

/// The role on the item, or on each branch that is open where it hangs on the branch.
pub fn explain(rules: &Rules, item: &Arc<Item>, role: &str, task: Option<u32>) -> Result<Vec<RoleExplained>, EvalError> {
    let Some((name, declared)) = rules.setting.workflow.roles.get_key_value(role) else { return Ok(Vec::new()) };
    let on_branch = declared.who.iter().any(|case| {
        of_task(&case.who) || case.when.as_ref().is_some_and(|when| when.scope.branch.is_some() || when.source.contains("task."))
    });
    let tasks: Vec<Option<u32>> = match task {
        Some(no) => vec![Some(no)],
        None if on_branch => item.branches.iter().filter(|branch| !branch.ended).map(|branch| Some(branch.no)).collect(),
        None => vec![None],
    };
    // Without an open branch it still says how it is found.
    let tasks = if tasks.is_empty() { vec![None] } else { tasks };
    tasks.into_iter().map(|task| of(rules, item, name, task)).collect()
}

fn of(rules: &Rules, item: &Arc<Item>, name: &Name, task: Option<u32>) -> Result<RoleExplained, EvalError> {
    let declared = &rules.setting.workflow.roles[name];
    let mut cases = Vec::new();
    let mut counts: Option<&Who> = None;
    for case in &declared.who {
        let holds = match (&case.when, counts) {
            (_, Some(_)) => None,
            (None, None) => Some(true),
            (Some(when), None) => Some(rules.scripts.holds(when, &derive::view(rules, item, task))?),
        };
        if holds == Some(true) {
            counts = Some(&case.who);
        }
        cases.push(CaseExplained {
            who: phrase(&case.who),
            when: case.when.as_ref().map(|when| when.source.clone()),
            holds,
            seen: case.when.as_ref().map(|when| seen(rules, item, task, when)).unwrap_or_default(),
            way: if holds == Some(true) { way(rules, item, &case.who, task) } else { Vec::new() },
        });
    }
    let holders = roles::holders(rules, item, name, task, item.today)?;
    let holders = holders.into_iter().map(|person| held(rules, item, counts, task, person)).collect();
    Ok(RoleExplained {
        item: item.id.clone(),
        role: name.clone(),
        title: declared.title.clone(),
        branch: task,
        branch_title: task.and_then(|no| title_of_branch(rules, item, no)),
        cases,
        holders,
        place: rules.places.find(&format!("roles.{name}@")).cloned(),
    })
}

fn held(rules: &Rules, item: &Item, who: Option<&Who>, task: Option<u32>, person: Name) -> Held {
    let directory = &rules.setting.directory;
    let day = item.today;
    let known = directory.persons.get(&person);
    let row = known.and_then(|known| match who {
        Some(Who::Group(group)) => known.groups.iter().find(|row| row.value == *group && row.holds_on(day)).map(|row| (row.from, row.to)),
        Some(Who::Duty(duty, path)) => {
            let units = roles::units(rules, item, path, task, day);
            let fits = |row: &&crate::kernel::model::directory::Dated<crate::kernel::model::directory::DutyIn>| {
                let there = units.iter().any(|unit| directory.successor(unit, day) == &*row.value.unit);
                row.value.duty == *duty && there && row.holds_on(day)
            };
            known.duties.iter().find(fits).map(|row| (row.from, row.to))
        }
        _ => None,
    });
    let stand_in = directory.stand_in(&person, day).cloned();
    let told = stand_in.as_ref().and_then(|stand_in| directory.persons.get(stand_in)).or(known);
    Held {
        title: capture::title(rules, &person),
        stand_in_title: stand_in.as_ref().map(|stand_in| capture::title(rules, stand_in)),
        stand_in,
        from: row.and_then(|(from, _)| from),
        to: row.and_then(|(_, to)| to),
        has_address: told.is_some_and(|told| told.mail.is_some()),
        person,
    }
}

/// The units on the way to a duty, the innermost first.
fn way(rules: &Rules, item: &Item, who: &Who, task: Option<u32>) -> Vec<(String, Vec<String>)> {
    let Who::Duty(_, path) = who else { return Vec::new() };
    let mut out = Vec::new();
    let mut next = Some(path);
    while let Some(path) = next {
        let units = roles::units(rules, item, path, task, item.today);
        out.push((path_phrase(path), units.iter().map(|unit| capture::title(rules, unit)).collect()));
        next = match path {
            UnitPath::CommitteeOf(below) | UnitPath::ParentOf(below) => Some(below),
            UnitPath::Field(_) | UnitPath::Named(_) => None,
        };
    }
    out.reverse();
    out
}

fn of_task(who: &Who) -> bool {
    fn path_of_task(path: &UnitPath) -> bool {
        match path {
            UnitPath::Field(field) => field.of == crate::kernel::model::definition::Holder::Task,
            UnitPath::CommitteeOf(below) | UnitPath::ParentOf(below) => path_of_task(below),
            UnitPath::Named(_) => false,
        }
    }
    match who {
        Who::Duty(_, path) => path_of_task(path),
        Who::Person(field) => field.of == crate::kernel::model::definition::Holder::Task,
        Who::Group(_) | Who::System => false,
    }
}

/// As it is written in a rule set.
pub fn phrase(who: &Who) -> String {
    match who {
        Who::Group(group) => format!("group {group}"),
        Who::Duty(duty, path) => format!("{duty} of {}", path_phrase(path)),
        Who::Person(field) => format!("person {}", field.text()),
        Who::System => roles::SYSTEM.to_string(),
    }
}

fn path_phrase(path: &UnitPath) -> String {
    match path {
        UnitPath::Field(field) => field.text(),
        UnitPath::Named(unit) => format!("unit {unit}"),
        UnitPath::CommitteeOf(below) => format!("committee of {}", path_phrase(below)),
        UnitPath::ParentOf(below) => format!("parent of {}", path_phrase(below)),
    }
}
