//! The directory against the roles, and in itself: units, duties and groups that are not there (E112), roles that nobody holds
//! (W113), persons who would be written to but have no address (W114), and duties in units that were merged into others (W116).

use super::at::{Checked, list, nearest};
use super::holders::{self, Nobody};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Place, Places, Problem};
use std::collections::BTreeSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let directory = at.directory;
    let groups: BTreeSet<&str> = directory.persons.values().flat_map(|person| &person.groups).map(|row| &*row.value).collect();
    let duties: BTreeSet<&str> = directory.persons.values().flat_map(|person| &person.duties).map(|row| &*row.value.duty).collect();
    let mut problems = Vec::new();
    for (name, role) in &at.workflow.roles {
        let path = |index: usize| format!("roles.{name}.who[{index}]");
        let mut missing = Vec::new();
        for (index, case) in role.who.iter().enumerate() {
            match &case.who {
                Who::Group(group) if !groups.contains(&**group) => {
                    missing.push((index, at.unknown("E112", &path(index), group, groups.iter().copied())))
                }
                Who::Duty(duty, _) if !duties.contains(&**duty) => {
                    missing.push((index, at.unknown("E112", &path(index), duty, duties.iter().copied())))
                }
                Who::Duty(_, unit) => {
                    let unknown = named(unit).filter(|unit| !directory.units.contains_key(*unit));
                    missing.extend(
                        unknown.map(|unit| (index, at.unknown("E112", &path(index), unit, directory.units.keys().map(|id| &**id)))),
                    );
                }
                _ => {}
            }
        }
        for (index, gap) in holders::gaps(at, role).into_iter().filter(|(index, _)| !missing.iter().any(|(other, _)| other == index)) {
            if let Nobody::Relation(_) | Nobody::Duty(..) | Nobody::Group(_) = gap {
                let (variant, what) = gap.told();
                problems.push(at.problem("W113", &path(index)).variant(variant).with("role", name).with("what", what));
            }
        }
        problems.extend(missing.into_iter().map(|(_, problem)| problem));
    }
    no_address(at, &mut problems);
    problems
}

fn named(path: &UnitPath) -> Option<&Name> {
    match path {
        UnitPath::Named(unit) => Some(unit),
        UnitPath::Field(_) => None,
        UnitPath::CommitteeOf(of) | UnitPath::ParentOf(of) => named(of),
    }
}

fn no_address(at: &Checked, problems: &mut Vec<Problem>) {
    let recipients = holders::recipients_used(at);
    for name in at.workflow.roles.keys().filter(|name| recipients.contains(&***name)) {
        let mut without: Vec<&Name> = Vec::new();
        for case in &at.workflow.roles[name].who {
            let holds = |person: &&crate::kernel::model::directory::Person| match &case.who {
                Who::Group(group) => person.groups.iter().any(|row| row.value == *group && row.to.is_none()),
                Who::Duty(duty, _) => person.duties.iter().any(|row| row.value.duty == *duty && row.to.is_none()),
                Who::Person(_) | Who::System => false,
            };
            without.extend(at.directory.persons.iter().filter(|(_, person)| person.mail.is_none() && holds(person)).map(|(id, _)| id));
        }
        if !without.is_empty() {
            problems.push(at.problem("W114", &format!("roles.{name}@")).with("role", name).with("persons", list(&without)));
        }
    }
}

/// What a unit was merged into leads back to it.
fn comes_back(directory: &Directory, id: &Name) -> bool {
    let next = |unit: &&Name| directory.units.get(*unit)?.merged_into.as_ref().map(|row| &row.value);
    std::iter::successors(next(&id), next).take(directory.units.len()).any(|unit| unit == id)
}

/// What the directory names but does not have (E112), whatever the workflows are.
pub fn in_itself(directory: &Directory, places: &Places) -> Vec<Problem> {
    let mut problems = Vec::new();
    let place = |path: &str| {
        let found = places.find(path).or_else(|| places.find("units"));
        found.cloned().unwrap_or_else(|| Place { file: "directory.yaml".into(), line: 1, column: 1, length: 1 })
    };
    let mut unknown = |path: String, name: &Name, known: Vec<&Name>| {
        if known.contains(&name) {
            return;
        }
        let problem = Problem::new("E112", place(&path)).with("name", name).with("known", list(&known));
        problems.push(match nearest(name, known.iter().map(|name| &***name)) {
            Some(near) => problem.variant("near").with("near", near),
            None => problem,
        });
    };
    let units = || directory.units.keys().collect::<Vec<_>>();
    for (id, unit) in &directory.units {
        unit.parent.iter().for_each(|row| unknown(format!("units.{id}.parent"), &row.value, units()));
        unit.committee.iter().for_each(|row| unknown(format!("units.{id}.committee"), &row.value, units()));
        unit.merged_into.iter().for_each(|row| unknown(format!("units.{id}.merged_into.unit"), &row.value, units()));
    }
    let circles: Vec<&Name> = directory.units.keys().filter(|id| comes_back(directory, id)).collect();
    for (id, person) in &directory.persons {
        for (index, row) in person.duties.iter().enumerate() {
            unknown(format!("persons.{id}.duties[{index}].unit"), &row.value.unit, units());
        }
        for (index, row) in person.stand_in.iter().enumerate() {
            unknown(format!("persons.{id}.stand_in[{index}].person"), &row.value, directory.persons.keys().collect());
        }
    }
    for (id, person) in &directory.persons {
        for (index, row) in person.duties.iter().enumerate() {
            let merged = directory.units.get(&row.value.unit).and_then(|unit| unit.merged_into.as_ref()?.from);
            if let Some(from) = merged.filter(|from| row.to.is_none_or(|to| to >= *from)) {
                let problem = Problem::new("W116", place(&format!("persons.{id}.duties[{index}]")));
                problems.push(problem.with("unit", &row.value.unit).with("from", from).with("person", id));
            }
        }
    }
    let circle = |id: &&Name| Problem::new("E112", place(&format!("units.{id}.merged_into"))).variant("circle").with("name", id);
    problems.extend(circles.iter().map(circle));
    problems
}
