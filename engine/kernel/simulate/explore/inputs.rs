//! Sample values for what an action asks: each option once, things filled in and left out, a few persons and units. Not every combination,
//! but each value beside the plainest others.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{Action, Ask, By, Who};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Length, Unit};
use chrono::{Datelike, Days};
use std::collections::BTreeSet;

/// Dates that are asked for lie so far ahead.
const AHEAD: u64 = 90;

/// What people may hand in with an action, in this capacity.
pub fn of(rules: &Rules, item: &Item, action: &Action, by: &By) -> Vec<Fields> {
    let asks: Vec<&Ask> = action.ask.iter().chain(&by.ask).collect();
    let choices: Vec<Vec<Value>> = asks.iter().map(|ask| values(rules, item, &ask.kind)).collect();
    let base = |optional: bool| -> Fields {
        let filled = asks.iter().zip(&choices).filter(|(ask, _)| ask.required || optional);
        filled.filter_map(|(ask, values)| Some((ask.name.clone(), values.first()?.clone()))).collect()
    };
    let mut out: Vec<Fields> = Vec::new();
    for plain in [base(false), base(true)] {
        for (ask, values) in asks.iter().zip(&choices) {
            for value in values {
                let mut one = plain.clone();
                one.insert(ask.name.clone(), value.clone());
                out.push(one);
            }
        }
        out.push(plain);
    }
    let mut known: Vec<Fields> = Vec::new();
    for one in out {
        if !known.contains(&one) {
            known.push(one);
        }
    }
    known
}

fn values(rules: &Rules, item: &Item, kind: &Type) -> Vec<Value> {
    let today = item.today;
    match kind {
        Type::Optional(kind) => values(rules, item, kind),
        Type::Choice(options) => options.iter().cloned().map(Value::Text).collect(),
        Type::YesNo => vec![Value::Bool(true), Value::Bool(false)],
        Type::Number => vec![Value::Number(1)],
        Type::Year => vec![Value::Number(i64::from(today.year()))],
        Type::Date => [today.checked_add_days(Days::new(AHEAD)), Some(today)].into_iter().flatten().map(Value::Date).collect(),
        Type::Duration => vec![Value::Length(Length::new(1, Unit::Month))],
        Type::Person => persons(rules, today).into_iter().map(Value::Text).collect(),
        Type::Unit => units(rules, today).into_iter().map(Value::Text).collect(),
        Type::Branch(kind) => {
            let of_kind = item.branches.iter().rev().find(|branch| branch.kind == *kind && !branch.ended);
            of_kind.map(|branch| Value::Number(i64::from(branch.no))).into_iter().collect()
        }
        Type::List(kind) => {
            let all = values(rules, item, kind);
            let one = all.last().cloned().map(|one| Value::List(vec![one]));
            let two = (all.len() > 1).then(|| Value::List(all.iter().take(2).cloned().collect()));
            one.into_iter().chain(two).collect()
        }
        Type::Record(branch) => {
            let declared = rules.setting.workflow.fields_of(Some(branch)).into_iter().flatten().filter(|(_, field)| !field.is_derived());
            let fields = declared.filter_map(|(name, field)| Some((name.clone(), values(rules, item, &field.kind).into_iter().next()?)));
            vec![Value::Record(fields.collect())]
        }
        _ => vec![Value::text("x")],
    }
}

/// One person of each group, and of those without one.
fn persons(rules: &Rules, today: Date) -> Vec<Name> {
    let mut groups: Vec<&Name> = Vec::new();
    let mut out = Vec::new();
    for (id, person) in &rules.setting.directory.persons {
        let group = person.groups.iter().find(|row| row.holds_on(today)).map(|row| &row.value);
        let Some(group) = group.filter(|group| !groups.contains(group)) else { continue };
        groups.push(group);
        out.push(id.clone());
    }
    out.truncate(8);
    out
}

/// Units in which most of the duties are held that roles speak of, two of each kind: in others nobody could go on.
fn units(rules: &Rules, today: Date) -> Vec<Name> {
    let directory = &rules.setting.directory;
    let cases = rules.setting.workflow.roles.values().flat_map(|role| &role.who);
    let duties: BTreeSet<&Name> = cases.filter_map(|case| if let Who::Duty(duty, _) = &case.who { Some(duty) } else { None }).collect();
    let held = |unit: &Name| {
        let rows = directory.persons.values().flat_map(|person| &person.duties);
        let here = rows.filter(|row| row.value.unit == *unit && row.holds_on(today) && duties.contains(&row.value.duty));
        here.map(|row| &row.value.duty).collect::<BTreeSet<_>>().len()
    };
    let most = directory.units.keys().map(held).max().unwrap_or(0);
    let mut out: Vec<(&Option<Name>, Name)> = Vec::new();
    for (id, unit) in directory.units.iter().filter(|(id, _)| held(id) == most) {
        if out.iter().filter(|(kind, _)| **kind == unit.kind).count() < 2 {
            out.push((&unit.kind, id.clone()));
        }
    }
    out.truncate(4);
    out.into_iter().map(|(_, id)| id).collect()
}
