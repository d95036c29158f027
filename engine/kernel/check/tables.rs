//! Tables: every combination of values meets exactly one row (E221, E222), every row meets some (W223, W224), and cells hold values
//! that the field can have (E213, E216).

use super::at::Checked;
use super::fields::uses_table;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::{Type, Value};
use indexmap::IndexMap;

/// More combinations than this are not tried.
const MOST: usize = 20_000;

pub fn check(at: &Checked) -> Vec<Problem> {
    at.workflow.tables.iter().flat_map(|(name, table)| Look { at, name, table, branch: branch_of(at, name) }.check()).collect()
}

/// The branch whose fields `task` means: that of the deadlines which use the table.
fn branch_of<'a>(at: &Checked<'a>, table: &Name) -> Option<&'a Name> {
    at.workflow.deadlines.values().filter(|deadline| uses_table(deadline, table)).find_map(|deadline| deadline.branch.as_ref())
}

struct Look<'c, 'a> {
    at: &'c Checked<'a>,
    name: &'a Name,
    table: &'a Table,
    branch: Option<&'a Name>,
}

impl Look<'_, '_> {
    fn check(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut usable = true;
        for (index, row) in self.table.rows.iter().enumerate() {
            for (field, cell) in &row.cells {
                let found = self.cell(index, field, cell);
                usable &= found.iter().all(|problem| !problem.is_error());
                problems.extend(found);
            }
        }
        if usable {
            self.combinations(&mut problems);
        }
        problems
    }

    fn row(&self, index: usize) -> String {
        format!("tables.{}.rows[{index}]", self.name)
    }

    /// E213, E216, W223
    fn cell(&self, index: usize, field: &FieldRef, cell: &Cell) -> Vec<Problem> {
        let view = if field.of == Holder::Task { "task" } else { "item" };
        let path = format!("{}.{view}.{}", self.row(index), field.field);
        let Some(kind) = self.at.field_type(self.branch, field) else { return Vec::new() };
        let wrong = |value: &str| self.at.problem("E213", &path).variant("cell").with("field", &field.field).with("value", value);
        match (cell, &kind) {
            (Cell::Any, _) => Vec::new(),
            (Cell::Range(low, high), Type::Number | Type::Year) if low > high => {
                vec![self.at.problem("W223", &path).with("table", self.name)]
            }
            (Cell::AtLeast(_) | Cell::Range(..), Type::Number | Type::Year) => Vec::new(),
            (Cell::AtLeast(least), _) => vec![wrong(&least.to_string())],
            (Cell::Range(low, high), _) => vec![wrong(&format!("{low} to {high}"))],
            (Cell::OneOf(values), kind) => values.iter().filter_map(|value| self.value(&path, field, value, kind)).collect(),
        }
    }

    fn value(&self, path: &str, field: &FieldRef, value: &Value, kind: &Type) -> Option<Problem> {
        match (kind, value) {
            (Type::Choice(options), Value::Text(text)) if !options.contains(text) => {
                Some(self.at.no_option(path, text, &field.field, options))
            }
            (Type::Unit, Value::Text(id)) if !self.at.directory.units.contains_key(id) => {
                Some(self.at.unknown("E112", path, id, self.at.directory.units.keys().map(|id| &**id)))
            }
            (Type::Choice(_) | Type::Unit | Type::Person | Type::Text, Value::Text(_)) => None,
            (Type::YesNo, Value::Bool(_))
            | (Type::Number | Type::Year, Value::Number(_))
            | (Type::Date, Value::Date(_))
            | (_, Value::Empty) => None,
            (_, value) => Some(self.at.problem("E213", path).variant("cell").with("field", &field.field).with("value", shown(value))),
        }
    }

    /// E221, E222, W223, W224: every combination of values that the rows tell apart.
    fn combinations(&self, problems: &mut Vec<Problem>) {
        let mut fields: IndexMap<(u8, Name), Vec<Value>> = IndexMap::new();
        for (field, _) in self.table.rows.iter().flat_map(|row| &row.cells) {
            fields.entry(key(field)).or_default();
        }
        for (of, values) in &mut fields {
            *values = self.values_of(of);
            values.extend(self.may_be_empty(of).then_some(Value::Empty));
        }
        for (column, (of, _)) in fields.iter().enumerate() {
            let any = |row: &TableRow| row.cells.iter().filter(|(field, _)| key(field) == *of).all(|(_, cell)| *cell == Cell::Any);
            if self.table.rows.iter().all(any) {
                problems.push(
                    self.at
                        .problem("W224", &format!("tables.{}@", self.name))
                        .with("table", self.name)
                        .with("field", &fields.keys()[column].1),
                );
            }
        }
        let count = fields.values().try_fold(1usize, |all, values| all.checked_mul(values.len().max(1)).filter(|all| *all <= MOST));
        let Some(count) = count else { return };
        let mut matched = vec![false; self.table.rows.len()];
        let mut overlapping: Vec<(usize, usize)> = Vec::new();
        let mut gap: Option<String> = None;
        for number in 0..count {
            let combination = combination(&fields, number);
            let rows: Vec<usize> = (0..self.table.rows.len()).filter(|row| fits(&self.table.rows[*row], &combination)).collect();
            rows.iter().for_each(|row| matched[*row] = true);
            match &rows[..] {
                [] => _ = gap.get_or_insert_with(|| text(&combination)),
                [first, second, ..] if !overlapping.iter().any(|(_, known)| known == second) => {
                    overlapping.push((*first, *second));
                    let problem = self.at.problem("E222", &self.row(*second)).with("table", self.name).with("values", text(&combination));
                    problems.push(problem.with("row", second + 1).with("other", first + 1));
                }
                _ => {}
            }
        }
        if let Some(values) = gap {
            problems.push(self.at.problem("E221", &format!("tables.{}@", self.name)).with("table", self.name).with("values", values));
        }
        for row in (0..matched.len()).filter(|row| !matched[*row]) {
            if !problems.iter().any(|problem| problem.code == "W223") {
                problems.push(self.at.problem("W223", &self.row(row)).with("table", self.name));
            }
        }
    }

    /// Whether a deadline may start while the field has no value yet.
    fn may_be_empty(&self, of: &(u8, Name)) -> bool {
        let field = FieldRef { of: if of.0 == 0 { Holder::Item } else { Holder::Task }, field: of.1.clone() };
        let mut deadlines = self.at.workflow.deadlines.values().filter(|deadline| !deadline.of_request && uses_table(deadline, self.name));
        deadlines.any(|deadline| self.at.known().may_be_empty_at_start(self.at, deadline, &field))
    }

    /// One value for each part into which the cells of a field divide what it can hold.
    fn values_of(&self, of: &(u8, Name)) -> Vec<Value> {
        let field = FieldRef { of: if of.0 == 0 { Holder::Item } else { Holder::Task }, field: of.1.clone() };
        let cells: Vec<&Cell> =
            self.table.rows.iter().flat_map(|row| &row.cells).filter(|(other, _)| *other == field).map(|(_, cell)| cell).collect();
        let named = cells.iter().filter_map(|cell| if let Cell::OneOf(values) = cell { Some(values) } else { None }).flatten();
        match self.at.field_type(self.branch, &field) {
            Some(Type::Choice(options)) => options.into_iter().map(Value::Text).collect(),
            Some(Type::YesNo) => vec![Value::Bool(true), Value::Bool(false)],
            Some(Type::Number | Type::Year) => {
                let mut edges: Vec<i64> = vec![0];
                for cell in &cells {
                    match cell {
                        Cell::AtLeast(least) => edges.extend([least - 1, *least]),
                        Cell::Range(low, high) => edges.extend([low - 1, *low, *high, high + 1]),
                        Cell::OneOf(values) => edges.extend(
                            values
                                .iter()
                                .filter_map(
                                    |value| if let Value::Number(number) = value { Some([number - 1, *number, number + 1]) } else { None },
                                )
                                .flatten(),
                        ),
                        Cell::Any => {}
                    }
                }
                let lowest = cells.iter().filter_map(|cell| lowest(cell)).min().unwrap_or(0).min(0);
                edges.retain(|edge| *edge >= lowest);
                edges.sort_unstable();
                edges.dedup();
                edges.into_iter().map(Value::Number).collect()
            }
            _ => {
                let mut values: Vec<Value> = Vec::new();
                named.for_each(|value| {
                    if !values.contains(value) {
                        values.push(value.clone())
                    }
                });
                values.push(Value::text("…"));
                values
            }
        }
    }
}

fn lowest(cell: &Cell) -> Option<i64> {
    match cell {
        Cell::Any => None,
        Cell::AtLeast(least) => Some(*least),
        Cell::Range(low, _) => Some(*low),
        Cell::OneOf(values) => values.iter().filter_map(|value| if let Value::Number(number) = value { Some(*number) } else { None }).min(),
    }
}

fn key(field: &FieldRef) -> (u8, Name) {
    (u8::from(field.of != Holder::Item), field.field.clone())
}

fn combination(fields: &IndexMap<(u8, Name), Vec<Value>>, mut number: usize) -> Vec<(&(u8, Name), &Value)> {
    let mut chosen = Vec::with_capacity(fields.len());
    for (field, values) in fields.iter().filter(|(_, values)| !values.is_empty()) {
        chosen.push((field, &values[number % values.len()]));
        number /= values.len();
    }
    chosen
}

fn fits(row: &TableRow, combination: &[(&(u8, Name), &Value)]) -> bool {
    row.cells.iter().all(|(field, cell)| {
        let value = combination.iter().find(|(of, _)| **of == key(field)).map(|(_, value)| *value);
        match (cell, value) {
            (Cell::Any, _) | (_, None) => true,
            (Cell::OneOf(values), Some(value)) => values.contains(value),
            (Cell::AtLeast(least), Some(Value::Number(number))) => number >= least,
            (Cell::Range(low, high), Some(Value::Number(number))) => low <= number && number <= high,
            _ => false,
        }
    })
}

fn text(combination: &[(&(u8, Name), &Value)]) -> String {
    let parts =
        combination.iter().map(|(field, value)| format!("{}.{}: {}", if field.0 == 0 { "item" } else { "task" }, field.1, shown(value)));
    parts.collect::<Vec<_>>().join(", ")
}

fn shown(value: &Value) -> String {
    match value {
        Value::Empty => "empty".to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.to_string(),
        Value::Date(date) => date.to_string(),
        Value::Length(length) => length.to_string(),
        Value::List(_) | Value::Record(_) => "…".to_string(),
    }
}
