//! The directory: units, committees and persons, and who held which duty on which day.
//!
//! It is a file of dated rows. Who holds a role is always asked for a day; who was told is recorded in the fact.

use super::Name;
use crate::kernel::time::Date;
use indexmap::IndexMap;

#[derive(Clone, Debug, Default)]
pub struct Directory {
    pub units: IndexMap<Name, Unit>,
    pub persons: IndexMap<Name, Person>,
}

/// A unit or a committee.
#[derive(Clone, Debug)]
pub struct Unit {
    pub title: String,
    /// Other names under which lists know it.
    pub also: Vec<String>,
    /// A word of the rule set, such as `gov` or `committee`.
    pub kind: Option<Name>,
    pub parent: Option<Name>,
    /// The committee that supervises it.
    pub committee: Option<Name>,
    /// Telephone of the contact, shown in mails.
    pub phone: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Person {
    pub title: String,
    pub mail: Option<String>,
    pub phone: Option<String>,
    pub groups: Vec<Dated<Name>>,
    pub duties: Vec<Dated<DutyIn>>,
    /// Away: this person stands in.
    pub stand_in: Vec<Dated<Name>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DutyIn {
    pub duty: Name,
    pub unit: Name,
}

/// Something that holds from a day to a day, both included.
#[derive(Clone, Debug)]
pub struct Dated<T> {
    pub value: T,
    pub from: Option<Date>,
    pub to: Option<Date>,
}

impl<T> Dated<T> {
    pub fn always(value: T) -> Self {
        Dated { value, from: None, to: None }
    }

    pub fn holds_on(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }
}

impl Directory {
    /// Everybody in a group on a day, in the order of the file.
    pub fn group(&self, group: &str, day: Date) -> Vec<Name> {
        self.who(|person| person.groups.iter().any(|row| &*row.value == group && row.holds_on(day)))
    }

    /// Everybody with a duty in a unit on a day.
    pub fn duty(&self, duty: &str, unit: &str, day: Date) -> Vec<Name> {
        self.who(|person| person.duties.iter().any(|row| &*row.value.duty == duty && &*row.value.unit == unit && row.holds_on(day)))
    }

    /// Who stands in for a person on a day.
    pub fn stand_in(&self, person: &str, day: Date) -> Option<&Name> {
        self.persons.get(person)?.stand_in.iter().find(|row| row.holds_on(day)).map(|row| &row.value)
    }

    fn who(&self, holds: impl Fn(&Person) -> bool) -> Vec<Name> {
        self.persons.iter().filter(|(_, person)| holds(person)).map(|(id, _)| id.clone()).collect()
    }
}
