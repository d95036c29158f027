//! The way back of an import: an item as a row of the list it could have come from, by the same columns. What is written is what was
//! recorded of the steps, so that the list is read again as it was.

use super::write::Cell;
use crate::kernel::derive::past;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Column, Field, Holder, Import, Set, SetValue, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::reads_entered;
use crate::kernel::words::{Lang, say};
use std::collections::HashMap;

/// What stands between the entries of a cell that has several.
const BETWEEN: &str = "、";

/// Writes items by the columns of an import.
pub struct List<'r> {
    import: &'r Import,
    workflow: &'r Workflow,
    /// The columns that are written.
    columns: Vec<(&'r Name, &'r Column)>,
    directory: &'r Directory,
    /// Of the words for yes and no.
    lang: Lang,
    /// Titles that several units, or several persons, have: these go by their ids.
    ambiguous: (Vec<&'r str>, Vec<&'r str>),
}

impl<'r> List<'r> {
    /// With `all`, also the columns of what is not for everybody to see.
    pub fn new(import: &'r Import, workflow: &'r Workflow, directory: &'r Directory, all: bool) -> List<'r> {
        let columns = import.columns.iter().filter(|(name, _)| all || !is_kept(import, workflow, name)).collect();
        let lang = Lang::of(&workflow.languages);
        let units = directory.units.values().flat_map(|unit| unit.names());
        let persons = directory.persons.values().map(|person| person.title.as_str());
        List { import, workflow, columns, directory, lang, ambiguous: (several(units), several(persons)) }
    }

    /// The usual heading of each column.
    pub fn headings(&self) -> Vec<String> {
        let heading = |(name, column): (&Name, &Column)| column.headings.first().cloned().unwrap_or_else(|| name.to_string());
        self.columns.iter().copied().map(heading).collect()
    }

    /// The headings of the columns that are not written.
    pub fn kept(&self) -> Vec<String> {
        let kept = self.import.columns.iter().filter(|(name, _)| self.columns.iter().all(|(written, _)| written != name));
        kept.map(|(name, column)| column.headings.first().cloned().unwrap_or_else(|| name.to_string())).collect()
    }

    /// The row of an item; `None` for one that did not begin as a row of this list would.
    pub fn row(&self, item: &Name, facts: &[Fact]) -> Option<Vec<Cell>> {
        let facts = past::with_amendments(facts);
        let mut values: HashMap<&Name, Value> = HashMap::new();
        for (place, step) in self.import.steps.iter().enumerate() {
            let Some(fact) = facts.iter().find(|fact| fact.name == step.action && fact.branch.is_none()) else {
                if place == 0 {
                    return None;
                }
                break;
            };
            values.entry(&step.on).or_insert(Value::Date(fact.effective_on));
            for (input, column) in &step.with {
                if let Some(value) = fact.input.get(input) {
                    values.entry(column).or_insert_with(|| value.clone());
                }
            }
        }
        if let Some(column) = &self.import.item {
            values.insert(column, Value::Text(item.clone()));
        }
        let cell =
            |(name, column): (&Name, &Column)| values.get(name).map_or(Cell::Empty, |value| self.cell(name, column, &column.kind, value));
        Some(self.columns.iter().copied().map(cell).collect())
    }

    fn cell(&self, name: &str, column: &Column, kind: &Type, value: &Value) -> Cell {
        match (kind, value) {
            (Type::Optional(kind), value) => self.cell(name, column, kind, value),
            (_, Value::Empty) => Cell::Empty,
            (_, Value::Date(day)) => Cell::Day(*day),
            // A year and a count are numbers, what names something is not.
            (Type::Number | Type::Year, Value::Number(number)) => Cell::Whole(*number),
            (kind, value) => Cell::from(self.text(name, column, kind, value).as_str()),
        }
    }

    fn text(&self, name: &str, column: &Column, kind: &Type, value: &Value) -> String {
        match (kind, value) {
            (Type::List(kind), Value::List(list)) => {
                list.iter().map(|value| self.text(name, column, kind, value)).collect::<Vec<_>>().join(BETWEEN)
            }
            (Type::YesNo, Value::Bool(yes)) => {
                let words = say(self.lang, if *yes { "sheet.words_for_yes" } else { "sheet.words_for_no" }, &[]);
                words.split_whitespace().next().unwrap_or_default().to_string()
            }
            (Type::Choice(_), Value::Text(option)) => {
                let word = column.values.iter().find(|(_, known)| *known == option).map(|(word, _)| word.clone());
                let title = || self.workflow.fields.get(name).and_then(|field| field.option_titles.get(option)).cloned();
                word.or_else(title).unwrap_or_else(|| option.to_string())
            }
            (Type::Unit, Value::Text(id)) => {
                let title = self.directory.units.get(id).map(|unit| unit.title.as_str());
                title.filter(|title| !self.ambiguous.0.contains(title)).unwrap_or(id).to_string()
            }
            (Type::Person, Value::Text(id)) => {
                let title = self.directory.persons.get(id).map(|person| person.title.as_str());
                title.filter(|title| !self.ambiguous.1.contains(title)).unwrap_or(id).to_string()
            }
            (_, Value::Text(text)) => text.to_string(),
            (_, Value::Number(number)) => number.to_string(),
            (_, Value::Length(length)) => length.to_string(),
            (_, Value::Date(day)) => day.to_string(),
            (_, Value::Bool(yes)) => yes.to_string(),
            (_, Value::Empty | Value::List(_) | Value::Record(_)) => String::new(),
        }
    }
}

/// What is entered from the column is recorded in a field that not everybody may see: as it is, or by what an effect makes of it.
fn is_kept(import: &Import, workflow: &Workflow, column: &Name) -> bool {
    let closed = |field: &Field| field.secret || !field.visible_to.is_empty() || field.sealed_until.is_some();
    import.steps.iter().any(|step| {
        let Some(action) = workflow.actions.get(&step.action) else { return false };
        let inputs: Vec<&Name> = step.with.iter().filter(|(_, from)| *from == column).map(|(input, _)| input).collect();
        let asks = action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask)).filter(|ask| inputs.contains(&&ask.name));
        let recorded = asks.filter(|ask| ask.records == Some(Holder::Item)).filter_map(|ask| workflow.fields.get(&ask.name));
        let effects = std::iter::once(&action.effects).chain(action.choose.iter().map(|row| &row.effects));
        let made = effects.flat_map(|effects| {
            let of_item = effects.set.iter().map(|set| (None, set));
            of_item.chain(effects.open.iter().flat_map(|open| open.set.iter().map(|set| (Some(&open.branch), set))))
        });
        let made = made
            .filter(|(_, set)| matches!(&set.value, SetValue::Expr(expr) if inputs.iter().any(|input| reads_entered(&expr.source, input))));
        let field = |(kind, set): (Option<&Name>, &Set)| workflow.fields_of(kind.map(|kind| &**kind))?.get(&set.field);
        recorded.chain(made.filter_map(field)).any(closed)
    })
}

/// The texts that come more than once.
fn several<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut texts: Vec<&str> = texts.collect();
    texts.sort_unstable();
    let mut twice: Vec<&str> = texts.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
    twice.dedup();
    twice
}
