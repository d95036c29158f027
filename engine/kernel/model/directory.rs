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
    pub parent: Vec<Dated<Name>>,
    /// The committee that supervises it.
    pub committee: Vec<Dated<Name>>,
    /// What it was called, each title up to its day, the oldest first.
    pub formerly: Vec<Dated<String>>,
    /// The unit that has its duties from a day on.
    pub merged_into: Option<Dated<Name>>,
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

impl Unit {
    pub fn parent_on(&self, day: Date) -> Option<&Name> {
        self.parent.iter().find(|row| row.holds_on(day)).map(|row| &row.value)
    }

    pub fn committee_on(&self, day: Date) -> Option<&Name> {
        self.committee.iter().find(|row| row.holds_on(day)).map(|row| &row.value)
    }

    /// Whether it is, or was, called so.
    pub fn is_called(&self, text: &str) -> bool {
        self.names().any(|name| name == text)
    }

    /// Its titles, the present one first.
    pub fn titles(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.title).chain(self.formerly.iter().map(|row| &row.value)).map(String::as_str)
    }

    /// All that it is and was called.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.titles().chain(self.also.iter().map(String::as_str))
    }

    /// What it was called on a day.
    pub fn title_on(&self, day: Date) -> &str {
        self.formerly.iter().find(|row| row.holds_on(day)).map_or(&self.title, |row| &row.value)
    }
}

impl Directory {
    /// A unit by its id or by what it is, or was, called.
    pub fn unit_called(&self, text: &str) -> Option<&Name> {
        let by_id = self.units.get_key_value(text);
        by_id.or_else(|| self.units.iter().find(|(_, unit)| unit.is_called(text))).map(|(id, _)| id)
    }

    /// What is known on a day of the unit that has a unit's duties then.
    pub fn standing_for(&self, unit: &str, day: Date) -> Option<&Unit> {
        self.units.get(self.successor(unit, day))
    }

    /// The unit that has a unit's duties on a day: itself, or what it was merged into.
    pub fn successor<'d>(&'d self, unit: &'d str, day: Date) -> &'d str {
        let mut now = unit;
        // No more steps than there are units: a circle has been told by the checks.
        for _ in 0..self.units.len() {
            match self.units.get(now).and_then(|unit| unit.merged_into.as_ref()).filter(|row| row.holds_on(day)) {
                Some(row) => now = &row.value,
                None => break,
            }
        }
        now
    }

    /// What a person is called; the id of one who has left.
    pub fn person_title<'d>(&'d self, person: &'d str) -> &'d str {
        self.persons.get(person).map_or(person, |known| &known.title)
    }

    /// The titles of the units in which a person has a duty on a day, or of what stands for them then.
    pub fn units_of(&self, person: &str, day: Date) -> Vec<&str> {
        let mut titles = Vec::new();
        for row in self.persons.get(person).into_iter().flat_map(|person| &person.duties).filter(|row| row.holds_on(day)) {
            let title = self.standing_for(&row.value.unit, day).map_or(&*row.value.unit, |unit| unit.title.as_str());
            if !titles.contains(&title) {
                titles.push(title);
            }
        }
        titles
    }

    /// Everybody in a group on a day, in the order of the file.
    pub fn group(&self, group: &str, day: Date) -> Vec<Name> {
        self.who(|person| person.groups.iter().any(|row| &*row.value == group && row.holds_on(day)))
    }

    /// Everybody with a duty on a day in a unit, or in what it was merged into.
    pub fn duty(&self, duty: &str, unit: &str, day: Date) -> Vec<Name> {
        let unit = self.successor(unit, day);
        self.who(|person| person.duties.iter().any(|row| &*row.value.duty == duty && &*row.value.unit == unit && row.holds_on(day)))
    }

    /// Who stands in for a person on a day.
    pub fn stand_in(&self, person: &str, day: Date) -> Option<&Name> {
        self.persons.get(person)?.stand_in.iter().find(|row| row.holds_on(day)).map(|row| &row.value)
    }

    /// For whom a person stands in on a day.
    pub fn absent<'d>(&'d self, stand_in: &'d str, day: Date) -> impl Iterator<Item = &'d Name> {
        self.persons.keys().filter(move |person| self.stand_in(person, day).is_some_and(|known| &**known == stand_in))
    }

    fn who(&self, holds: impl Fn(&Person) -> bool) -> Vec<Name> {
        self.persons.iter().filter(|(_, person)| holds(person)).map(|(id, _)| id.clone()).collect()
    }
}
