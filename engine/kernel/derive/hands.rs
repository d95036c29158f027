//! In whose hands an item may be, as keys that lists can be asked by.
//!
//! A key names who somebody has to be, not who that is: `group X`, `person P`, `DUTY of UNIT`, `DUTY of committee of UNIT`. So it follows from
//! the facts and the roles alone; when the directory changes, or a day of it comes, the same keys lead to other persons. Every case of a
//! role has its key, whatever its condition says today: whoever is led to an item by a key still asks [`roles::holds`].

use super::roles;
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{UnitPath, Who};
use crate::kernel::model::directory::{Directory, DutyIn, Unit};
use crate::kernel::model::item::Item;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::time::{Date, Instant};
use std::collections::BTreeSet;

/// The keys of everybody in whose hands the item or one of its open branches may be.
pub fn keys(rules: &Rules, item: &Item) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    for (role, task) in roles::owners(rules, item) {
        let Some(role) = rules.setting.workflow.roles.get(role) else { continue };
        for case in &role.who {
            match &case.who {
                Who::System => {}
                Who::Group(group) => drop(keys.insert(of_group(group))),
                Who::Person(field) => keys.extend(roles::texts(roles::read(item, task, field)).iter().map(|person| of_person(person))),
                Who::Duty(duty, path) => keys.extend(units(item, task, path).iter().map(|unit| of_duty(duty, unit))),
            }
        }
    }
    keys
}

/// The keys that lead to a person at a moment: as who they are, and as those for whom they stand in; only those of a duty in one unit, if it
/// is named.
pub fn keys_of(set: &RuleSet, person: &str, unit: Option<&str>, now: Instant) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    each_self(set, person, now, |rules, id, day| {
        if let (None, Some(known)) = (unit, rules.setting.directory.persons.get(id)) {
            keys.insert(of_person(id));
            keys.extend(known.groups.iter().filter(|row| row.holds_on(day)).map(|row| of_group(&row.value)));
        }
        for held in duties(rules, id, day).filter(|held| unit.is_none_or(|unit| *held.unit == *unit)) {
            keys_of_duty(rules, held, day, &mut keys);
        }
    });
    keys
}

/// The units by whose duties something may be in a person's hands at a moment, in the order of the directory's rows.
pub fn units_of(set: &RuleSet, person: &str, now: Instant) -> Vec<Name> {
    let mut units = Vec::new();
    each_self(set, person, now, |rules, id, day| {
        for held in duties(rules, id, day) {
            let asked = rules.setting.workflow.roles.values().flat_map(|role| &role.who);
            let is_asked = asked.into_iter().any(|case| matches!(&case.who, Who::Duty(duty, _) if *duty == held.duty));
            if is_asked && !units.contains(&held.unit) {
                units.push(held.unit.clone());
            }
        }
    });
    units
}

/// A person, and those for whom they stand in, in each workflow on its day.
fn each_self(set: &RuleSet, person: &str, now: Instant, mut look: impl FnMut(&Rules, &Name, Date)) {
    for rules in set.workflows.values() {
        let (directory, day) = (&rules.setting.directory, day_of(now, rules.setting.workflow.timezone));
        let stands_in = |id: &&Name| directory.stand_in(id, day).is_some_and(|stand_in| **stand_in == *person);
        let known = directory.persons.get_key_value(person).map(|(id, _)| id);
        for id in known.into_iter().chain(directory.persons.keys().filter(stands_in)) {
            look(rules, id, day);
        }
    }
}

fn duties<'r>(rules: &'r Rules, person: &str, day: Date) -> impl Iterator<Item = &'r DutyIn> {
    let known = rules.setting.directory.persons.get(person);
    known.into_iter().flat_map(|known| &known.duties).filter(move |row| row.holds_on(day)).map(|row| &row.value)
}

fn keys_of_duty(rules: &Rules, held: &DutyIn, day: Date, keys: &mut BTreeSet<String>) {
    let directory = &rules.setting.directory;
    for case in rules.setting.workflow.roles.values().flat_map(|role| &role.who) {
        let Who::Duty(duty, path) = &case.who else { continue };
        if *duty != held.duty {
            continue;
        }
        let there = |unit: &&Name| led_to(directory, path, unit, day).is_some_and(|unit| *directory.successor(unit, day) == *held.unit);
        keys.extend(directory.units.keys().filter(there).map(|unit| of_duty(duty, &path_from(path, unit))));
    }
}

/// The unit to which a path leads on a day from the one at its beginning.
fn led_to<'d>(directory: &'d Directory, path: &UnitPath, from: &'d Name, day: Date) -> Option<&'d Name> {
    let up = |path: &UnitPath, step: fn(&Unit, Date) -> Option<&Name>| {
        step(directory.standing_for(led_to(directory, path, from, day)?, day)?, day)
    };
    match path {
        UnitPath::Named(unit) => (unit == from).then_some(from),
        UnitPath::Field(_) => Some(from),
        UnitPath::CommitteeOf(path) => up(path, Unit::committee_on),
        UnitPath::ParentOf(path) => up(path, Unit::parent_on),
    }
}

/// Where a path begins in an item, and the way on.
fn units(item: &Item, task: Option<u32>, path: &UnitPath) -> Vec<String> {
    let begins = match beginning(path) {
        UnitPath::Field(field) => roles::texts(roles::read(item, task, field)),
        UnitPath::Named(unit) => vec![unit.clone()],
        UnitPath::CommitteeOf(_) | UnitPath::ParentOf(_) => Vec::new(),
    };
    begins.iter().map(|unit| path_from(path, unit)).collect()
}

fn beginning(path: &UnitPath) -> &UnitPath {
    match path {
        UnitPath::CommitteeOf(path) | UnitPath::ParentOf(path) => beginning(path),
        path => path,
    }
}

/// A path, with the unit at which it begins.
fn path_from(path: &UnitPath, unit: &str) -> String {
    match path {
        UnitPath::Named(_) | UnitPath::Field(_) => unit.to_string(),
        UnitPath::CommitteeOf(path) => format!("committee of {}", path_from(path, unit)),
        UnitPath::ParentOf(path) => format!("parent of {}", path_from(path, unit)),
    }
}

fn of_group(group: &str) -> String {
    format!("group {group}")
}

fn of_person(person: &str) -> String {
    format!("person {person}")
}

fn of_duty(duty: &str, unit: &str) -> String {
    format!("{duty} of {unit}")
}
