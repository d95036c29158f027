//! What an office hands in, from facts as of any past day: figures in rows and columns, or a list. How it is printed is left to `chart`,
//! `page` and the edges.

pub mod cell;
pub mod chart;
pub mod days;
pub mod document;
mod of;
pub mod page;
mod tally;

pub use cell::Cell;
pub use document::Filled;
pub use of::{NotOf, Of, find as find_of};
pub use tally::Tally;

use crate::kernel::model::Name;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{Lang, say};
use serde::Serialize;
use std::sync::Arc;

/// A report on one day, or on several: then each figure has a column for each day.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    pub report: Name,
    pub title: String,
    pub kind: Kind,
    /// In order; the last is the one it is of.
    pub days: Vec<Date>,
    /// Only what is theirs was counted.
    pub of: Option<Of>,
    /// What rows are told apart by.
    pub keys: Vec<KeyColumn>,
    pub columns: Vec<Column>,
    pub rows: Vec<Row>,
    /// By day and column, over everything that was counted: what stands in several rows counts once.
    pub totals: Vec<Vec<Cell>>,
    /// How many items, or branches, by day.
    pub counted: Vec<u64>,
    /// Whether people see the totals.
    pub shows_total: bool,
    /// The option whose share is of interest.
    pub share_of: Option<Name>,
}

impl Table {
    /// A list that is not declared as a report: headings by name, and their cells.
    pub fn list(name: Name, title: String, day: Date, headings: impl Iterator<Item = (Name, String)>, rows: Vec<Vec<Cell>>) -> Table {
        let columns: Vec<Column> = headings.map(|(name, title)| Column { name, title, kind: ColumnKind::Shown }).collect();
        Table {
            report: name,
            title,
            kind: Kind::List,
            days: vec![day],
            of: None,
            keys: Vec::new(),
            totals: vec![vec![Cell::Empty; columns.len()]],
            columns,
            counted: vec![rows.len() as u64],
            rows: rows.into_iter().map(|cells| Row { keys: Vec::new(), counted: vec![1], cells: vec![cells] }).collect(),
            shows_total: false,
            share_of: None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Items by one field, each with its share of all.
    Counts,
    Figures,
    List,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyColumn {
    /// As the author wrote it.
    pub source: Name,
    /// Empty where what is written is no field.
    pub title: String,
    /// `state`, `unit` or `person`, which the catalogue names.
    pub given: Option<Name>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    pub name: Name,
    /// Empty where the report does not declare it: then the catalogue names it.
    pub title: String,
    pub kind: ColumnKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    Count,
    Sum,
    Day,
    /// Of two columns, by their places; of the whole report where it is none of a column.
    Share {
        part: usize,
        whole: Option<usize>,
    },
    /// Whatever a list shows.
    Shown,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub keys: Vec<Key>,
    /// How many items, or branches, by day.
    pub counted: Vec<u64>,
    /// By day and column.
    pub cells: Vec<Vec<Cell>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    /// The option, unit or other value; empty for items without one.
    pub value: String,
    pub shown: Cell,
}

/// Items counted by a field on one day: the figures of a report of that kind, for programs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub report: Name,
    pub title: String,
    pub as_of: Date,
    pub rows: Vec<Counted>,
    pub total: u64,
    /// The option whose share is of interest.
    pub share_of: Option<Name>,
    /// Its share in hundredths of a percent, rounded half up; 0 of nothing.
    pub share: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The option, unit or other value; empty for items without one.
    pub value: String,
    pub title: String,
    pub count: u64,
}

/// What a report says of items (id and all their facts) as they stood at the end of each day, by what was known before `known_by`.
pub fn table<'a>(
    rules: &Arc<Rules>,
    name: &Name,
    items: impl IntoIterator<Item = (&'a str, &'a [Fact])>,
    days: &[Date],
    known_by: Option<Instant>,
) -> Result<Table, EvalError> {
    let mut tally = Tally::new(rules, name, days);
    for (id, facts) in items {
        tally.count(id, facts, known_by)?;
    }
    Ok(tally.table())
}

impl Table {
    /// What columns say on its last day in the row of a value, by the field that takes each. A row that is not there counts nothing, and has
    /// neither shares nor days.
    pub fn frozen(&self, row: &str, set: &[(Name, Name)]) -> Fields {
        let found = self.rows.iter().find(|found| found.keys.first().is_some_and(|key| key.value == row));
        let cells = found.and_then(|row| row.cells.last());
        let value = |column: &Name| {
            let place = self.columns.iter().position(|known| known.name == *column)?;
            let Some(cells) = cells else {
                return matches!(self.columns[place].kind, ColumnKind::Count | ColumnKind::Sum).then_some(Value::Number(0));
            };
            Some(match cells.get(place)? {
                Cell::Number(number) => Value::Number(*number),
                Cell::Share(hundredths) => Value::Number(i64::try_from(*hundredths).ok()?),
                Cell::Day(day) => Value::Date(*day),
                _ => return None,
            })
        };
        set.iter().filter_map(|(field, column)| Some((field.clone(), value(column)?))).collect()
    }

    /// The figures on one of its days, where it counts by one field.
    pub fn figures(&self, day: usize) -> Option<Figures> {
        let (Kind::Counts, Some(as_of)) = (self.kind, self.days.get(day)) else { return None };
        let rows: Vec<Counted> = self
            .rows
            .iter()
            .filter_map(|row| {
                let key = row.keys.first()?;
                let title = match &key.shown {
                    Cell::Text(title) => title.clone(),
                    _ => key.value.clone(),
                };
                Some(Counted { value: key.value.clone(), title, count: *row.counted.get(day)? })
            })
            .collect();
        let total = self.counted.get(day).copied().unwrap_or_default();
        let shared = self.share_of.as_ref().map(|option| rows.iter().find(|row| row.value == **option).map_or(0, |row| row.count));
        Some(Figures {
            report: self.report.clone(),
            title: self.title.clone(),
            as_of: *as_of,
            share: shared.map(|count| hundredths_of_percent(count, total)),
            share_of: self.share_of.clone(),
            rows,
            total,
        })
    }

    /// The day it is of.
    pub fn as_of(&self) -> Option<Date> {
        self.days.last().copied()
    }

    /// What it has a figure for on each of several days.
    pub fn is_series(&self) -> bool {
        self.days.len() > 1
    }

    /// How a column is headed.
    pub fn heading(&self, column: &Column, lang: Lang) -> String {
        if column.title.is_empty() { say(lang, &format!("report.column.{}", column.name), &[]) } else { column.title.clone() }
    }

    /// How a column of keys is headed.
    pub fn key_heading(&self, key: &KeyColumn, lang: Lang) -> String {
        match &key.given {
            Some(given) if key.title.is_empty() => say(lang, &format!("author.field.{given}"), &[]),
            _ => key.title.clone(),
        }
    }

    /// How a row is called: its keys one after the other.
    pub fn name_of(&self, row: &Row, lang: Lang) -> String {
        row.keys.iter().map(|key| key.text(lang)).collect::<Vec<_>>().join(" · ")
    }
}

impl Key {
    pub fn text(&self, lang: Lang) -> String {
        match &self.shown {
            Cell::Empty => say(lang, "report.without", &[]),
            shown => shown.text(lang),
        }
    }
}

/// A share in hundredths of a percent, rounded half up: 167 of 432 is 3866.
pub fn hundredths_of_percent(part: u64, whole: u64) -> u64 {
    if whole == 0 {
        return 0;
    }
    let (part, whole) = (u128::from(part), u128::from(whole));
    u64::try_from((part * 20_000 + whole) / (2 * whole)).unwrap_or(u64::MAX)
}
