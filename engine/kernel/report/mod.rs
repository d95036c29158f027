//! Figures from facts as of any past day: the items for which a report's condition held then, counted by a field.

use crate::kernel::derive::{self, past};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Report;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::{Date, Instant};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figures {
    pub report: Name,
    pub title: String,
    pub as_of: Date,
    pub rows: Vec<Row>,
    pub total: u64,
    /// The option whose share is of interest.
    pub share_of: Option<Name>,
    /// Its share in hundredths of a percent, rounded half up; 0 of nothing.
    pub share: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The option, unit or other value; empty for items without one.
    pub value: String,
    pub title: String,
    pub count: u64,
}

/// Counts the items (id and all their facts) as they stood at the end of a day, by what was known before `known_by`.
pub fn figures<'a>(
    rules: &Rules,
    name: &Name,
    report: &Report,
    items: impl IntoIterator<Item = (&'a str, &'a [Fact])>,
    as_of: Date,
    known_by: Option<Instant>,
) -> Result<Figures, EvalError> {
    let mut tally = Tally::new(rules, name, report, as_of);
    for (id, facts) in items {
        tally.count(id, facts, known_by)?;
    }
    Ok(tally.figures())
}

/// The same, item by item, for callers that read them in portions.
pub struct Tally<'r> {
    rules: &'r Rules,
    name: &'r Name,
    report: &'r Report,
    as_of: Date,
    rows: Vec<Row>,
    total: u64,
}

impl<'r> Tally<'r> {
    pub fn new(rules: &'r Rules, name: &'r Name, report: &'r Report, as_of: Date) -> Self {
        let field = rules.setting.workflow.fields.get(&report.by);
        let options = match field.map(|field| &field.kind) {
            Some(Type::Choice(options)) => options.as_slice(),
            _ => &[],
        };
        let title = |option: &Name| field.and_then(|field| field.option_titles.get(option)).cloned().unwrap_or_else(|| option.to_string());
        let rows = options.iter().map(|option| Row { value: option.to_string(), title: title(option), count: 0 }).collect();
        Tally { rules, name, report, as_of, rows, total: 0 }
    }

    /// Counts one item, when it was there and the condition held.
    pub fn count(&mut self, id: &str, facts: &[Fact], known_by: Option<Instant>) -> Result<(), EvalError> {
        let then = past::as_of(&derive::in_present_words(&self.rules.setting.workflow, facts), self.as_of, known_by);
        let Some(item) = derive::derive(self.rules, id, &then, self.as_of)? else { return Ok(()) };
        if let Some(condition) = &self.report.when {
            let view = View { today: self.as_of, ..derive::view(self.rules, &item, None) };
            if !self.rules.scripts.holds(condition, &view)? {
                return Ok(());
            }
        }
        self.total += 1;
        let value = match item.field(&self.report.by) {
            Value::Empty => String::new(),
            Value::Text(text) => text.to_string(),
            Value::Number(number) => number.to_string(),
            Value::Date(date) => date.to_string(),
            other => serde_json::to_string(other).unwrap_or_default(),
        };
        match self.rows.iter_mut().find(|row| row.value == value) {
            Some(row) => row.count += 1,
            None => {
                let title = if value.is_empty() {
                    String::new()
                } else {
                    crate::kernel::decide::capture::title(self.rules, &value.as_str().into())
                };
                self.rows.push(Row { value, title, count: 1 });
            }
        }
        Ok(())
    }

    pub fn figures(self) -> Figures {
        let shared = self.report.share.as_ref().map(|option| self.rows.iter().find(|row| row.value == **option).map_or(0, |row| row.count));
        Figures {
            report: self.name.clone(),
            title: self.report.title.clone(),
            as_of: self.as_of,
            share_of: self.report.share.clone(),
            share: shared.map(|count| hundredths_of_percent(count, self.total)),
            total: self.total,
            rows: self.rows,
        }
    }
}

/// A share in hundredths of a percent, rounded half up: 167 of 432 is 3866.
pub fn hundredths_of_percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 0 } else { (part * 20_000 + whole) / (2 * whole) }
}
