//! A value that a person might hand in, by its type: what the directory, the options and the item itself offer, the rest from a few numbers.

use super::TOKEN;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Ask;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Length};
use chrono::{Datelike, Days};
use rand::RngExt;
use rand::rngs::StdRng;

/// What values are chosen from.
pub struct Choice<'a> {
    pub rules: &'a Rules,
    /// Empty before there is one.
    pub item: Option<&'a Item>,
    pub actor: &'a Name,
    pub today: Date,
}

impl Choice<'_> {
    /// A value for what is asked; `None` where there is nothing to choose from.
    pub fn answer(&self, ask: &Ask, chance: &mut StdRng) -> Option<Value> {
        let unique = self.rules.setting.workflow.fields.get(&ask.name).is_some_and(|field| field.unique);
        match (unique, &ask.kind) {
            // Its copies get numbers of their own in the place of this one.
            (true, Type::Number) => Some(Value::Number(TOKEN as i64)),
            (true, _) => Some(Value::text(&TOKEN.to_string())),
            (false, kind) => self.value(kind, &ask.title, chance),
        }
    }

    fn value(&self, kind: &Type, title: &str, chance: &mut StdRng) -> Option<Value> {
        let directory = &self.rules.setting.directory;
        Some(match kind {
            Type::YesNo => Value::Bool(chance.random_bool(0.5)),
            Type::Number => Value::Number(chance.random_range(1..100)),
            Type::Text => Value::text(&format!("{title} {}", chance.random_range(1..1000))),
            Type::File => Value::text(&format!("{}.pdf", chance.random_range(1..1000))),
            Type::Choice(options) => Value::Text(one_of(options, chance)?.clone()),
            Type::Date => Value::Date(self.today.checked_add_days(Days::new(chance.random_range(0..180)))?),
            Type::Year => Value::Number(i64::from(self.today.year())),
            Type::Duration => Value::Length(Length::parse(&format!("{} days", chance.random_range(5..30)))?),
            Type::Person if chance.random_bool(0.5) => Value::Text(self.actor.clone()),
            Type::Person => {
                let nth = chance.random_range(0..directory.persons.len().max(1));
                Value::Text(directory.persons.get_index(nth)?.0.clone())
            }
            Type::Unit => Value::Text(self.unit(chance)?),
            Type::List(kind) => {
                let mut list = Vec::new();
                for _ in 0..chance.random_range(1..=3) {
                    let value = self.value(kind, title, chance)?;
                    if !list.contains(&value) {
                        list.push(value);
                    }
                }
                Value::List(list)
            }
            Type::Record(branch) => {
                let mut record = Fields::new();
                for (name, field) in self.rules.setting.workflow.fields_of(Some(branch))? {
                    let derived = field.is_derived();
                    if !derived && (field.required || chance.random_bool(0.7)) {
                        record.insert(name.clone(), self.value(&field.kind, &field.title, chance)?);
                    }
                }
                Value::Record(record)
            }
            Type::Branch(kind) => {
                let open: Vec<u32> =
                    self.item?.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended).map(|branch| branch.no).collect();
                Value::Number(i64::from(*one_of(&open, chance)?))
            }
            Type::Optional(kind) => return self.value(kind, title, chance),
            _ => return None,
        })
    }

    /// Mostly one in which somebody does the work.
    fn unit(&self, chance: &mut StdRng) -> Option<Name> {
        let directory = &self.rules.setting.directory;
        for _ in 0..20 {
            let (_, person) = directory.persons.get_index(chance.random_range(0..directory.persons.len().max(1)))?;
            if let Some(duty) = one_of(&person.duties, chance).filter(|duty| duty.holds_on(self.today)) {
                return Some(duty.value.unit.clone());
            }
        }
        let (unit, _) = directory.units.get_index(chance.random_range(0..directory.units.len().max(1)))?;
        Some(unit.clone())
    }
}

/// Any of them; `None` of nothing.
pub fn one_of<'a, T>(all: &'a [T], chance: &mut StdRng) -> Option<&'a T> {
    all.get(chance.random_range(0..all.len().max(1)))
}
