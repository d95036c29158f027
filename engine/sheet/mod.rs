//! Workbooks in: an office's list becomes rows of dated steps, or a report of what is wrong in which cell. What a step means, who may
//! do it and whether it is recorded is left to the kernel and the app; nothing here touches the store.

mod columns;
mod lookup;
mod problem;
pub mod report;
mod value;
mod workbook;
pub mod write;

pub use problem::{Error, SheetProblem};
pub use workbook::readable;

use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Import, Section};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::time::Date;
use columns::{Header, find_header};
use lookup::Lookup;
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::Path;
use workbook::Grid;

/// What a sheet says.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Reading {
    pub sheet: String,
    /// The rows that can be taken as they are, in the order of the sheet.
    pub rows: Vec<Row>,
    /// What is wrong, in the order of the sheet. A row with a problem is not among `rows`.
    pub problems: Vec<SheetProblem>,
    /// Columns of the import that the sheet does not have, and headings of the sheet that nothing asks for: worth a look, and no fault.
    pub remarks: Vec<SheetProblem>,
    /// Rows without anything in the columns that are read.
    pub blank_rows: u32,
}

/// One row: the steps of one item, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// As Excel counts, from 1.
    pub number: u32,
    /// The item's id, where the import names a column for it.
    pub item: Option<Name>,
    pub steps: Vec<RowStep>,
}

/// One action that the row says was done.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowStep {
    pub action: Name,
    /// The role of the person who did it.
    pub by: Name,
    pub on: Date,
    pub input: Fields,
}

impl Reading {
    /// All rows or none, unless rows with problems may be left out.
    pub fn rows_or_problems(self, skip_bad_rows: bool) -> Result<Vec<Row>, Vec<SheetProblem>> {
        let only_rows_are_bad = self.problems.iter().all(|problem| !problem.concerns_the_sheet());
        if self.problems.is_empty() || (skip_bad_rows && only_rows_are_bad) { Ok(self.rows) } else { Err(self.problems) }
    }
}

/// Reads the workbook at `path` by a declared import. `fields` are the item's: they say what is unique and how options are called. Units and persons are looked up in the directory.
pub fn read_import(path: &Path, import: &Import, fields: &Section<Field>, directory: &Directory) -> Result<Reading, Error> {
    read_grid(workbook::open(path, import.sheet.as_deref())?, import, fields, directory)
}

/// The same of a workbook that is not in a file.
pub fn read_import_bytes(bytes: Vec<u8>, import: &Import, fields: &Section<Field>, directory: &Directory) -> Result<Reading, Error> {
    read_grid(workbook::read(bytes, import.sheet.as_deref())?, import, fields, directory)
}

fn read_grid(grid: Grid, import: &Import, fields: &Section<Field>, directory: &Directory) -> Result<Reading, Error> {
    let mut problems = Vec::new();
    let mut reading = Reading { sheet: grid.sheet.clone(), ..Reading::default() };
    let header = find_header(&grid, import, &mut problems, &mut reading.remarks)?;
    if problems.is_empty() {
        let merged = merged_rows(&grid, &header, &mut problems)?;
        let mut sheet =
            SheetReader { grid: &grid, header: &header, import, fields, lookup: Lookup::new(directory), problems, seen: HashMap::new() };
        for number in grid.rows_from(header.first_data_row) {
            if header.columns.values().all(|column| grid.cell(number, *column).is_none()) {
                reading.blank_rows += 1;
                continue;
            }
            if let Some(row) = sheet.row(number).filter(|_| !merged.contains(&number)) {
                reading.rows.push(row);
            }
        }
        problems = sheet.problems;
        problems.sort_by_key(|problem| problem.row);
    }
    reading.problems = problems;
    Ok(reading)
}

/// Rows that a merged region reaches into: only its first cell has text, so the others would silently be empty.
fn merged_rows(grid: &Grid, header: &Header, problems: &mut Vec<SheetProblem>) -> Result<HashSet<u32>, Error> {
    const MOST: usize = 1000;
    let mut rows = HashSet::new();
    for region in &grid.merged {
        let touches = header.columns.values().any(|column| (region.first_column..=region.last_column).contains(column));
        if region.last_row < header.first_data_row || !touches {
            continue;
        }
        if problems.len() == MOST {
            return Err(Error::TooManyMerged { most: MOST });
        }
        rows.extend(grid.rows_from(region.first_row).take_while(|row| *row <= region.last_row));
        let problem = SheetProblem::new(&grid.sheet, "sheet.merged", region.first_row, Some(region.first_column));
        problems.push(problem.with("region", region.name()));
    }
    Ok(rows)
}

struct SheetReader<'a> {
    grid: &'a Grid,
    header: &'a Header,
    import: &'a Import,
    fields: &'a Section<Field>,
    lookup: Lookup<'a>,
    problems: Vec<SheetProblem>,
    /// Where each value of a column without repeats was seen first.
    seen: HashMap<(Name, String), u32>,
}

impl SheetReader<'_> {
    /// The steps of a row, or `None` after noting at least one problem.
    fn row(&mut self, number: u32) -> Option<Row> {
        let before = self.problems.len();
        let mut values: HashMap<&Name, Value> = HashMap::new();
        for (name, column) in &self.import.columns {
            let Some(at) = self.header.columns.get(name) else { continue };
            let Some(cell) = self.grid.cell(number, *at) else {
                if column.required {
                    self.note(number, name, "sheet.empty", &[]);
                }
                continue;
            };
            match value::read(cell, name, column, self.fields, &self.lookup) {
                Ok(value) => {
                    self.note_repeat(number, name, &value);
                    values.insert(name, value);
                }
                Err(fault) => self.note(number, name, fault.code, &fault.values),
            }
        }
        let item = self.import.item.as_ref().and_then(|name| values.get(name)).and_then(|value| value.as_text().cloned());
        let sound = self.problems.len() == before;
        let steps = self.steps(number, &values, sound)?;
        (self.problems.len() == before).then_some(Row { number, item, steps })
    }

    /// A step without a day in its cell is left out, as are all after it; only the first must have one.
    fn steps(&mut self, number: u32, values: &HashMap<&Name, Value>, sound: bool) -> Option<Vec<RowStep>> {
        let mut steps: Vec<RowStep> = Vec::new();
        let mut last: Option<(&Name, Date)> = None;
        for step in &self.import.steps {
            let Some(on) = values.get(&step.on).and_then(Value::as_date) else {
                // A day that could not be read has been noted already.
                if steps.is_empty() && sound {
                    self.note(number, &step.on, "sheet.no_day", &[]);
                }
                break;
            };
            if let Some((earlier, day)) = last.filter(|(_, day)| on < *day) {
                let heading = self.heading(earlier);
                self.note(
                    number,
                    &step.on,
                    "sheet.out_of_order",
                    &[("day", on.to_string()), ("earlier", heading), ("earlier_day", day.to_string())],
                );
            }
            last = Some((&step.on, on));
            let input = step.with.iter().filter_map(|(input, column)| Some((input.clone(), values.get(column)?.clone()))).collect();
            steps.push(RowStep { action: step.action.clone(), by: step.by.clone(), on, input });
        }
        (!steps.is_empty()).then_some(steps)
    }

    fn note_repeat(&mut self, number: u32, name: &Name, value: &Value) {
        let unique = self.import.item.as_ref() == Some(name) || self.fields.get(name).is_some_and(|field| field.unique);
        let text = match value {
            Value::Text(text) => text.to_string(),
            Value::Number(number) => number.to_string(),
            _ => return,
        };
        if !unique {
            return;
        }
        match self.seen.get(&(name.clone(), text.clone())) {
            Some(first) => {
                let first = first.to_string();
                self.note(number, name, "sheet.repeated", &[("text", text), ("first", first)]);
            }
            None => {
                self.seen.insert((name.clone(), text), number);
            }
        }
    }

    fn note(&mut self, number: u32, name: &Name, code: &'static str, values: &[(&'static str, String)]) {
        // What a merged region leaves empty is told once, of the region.
        let at = self.header.columns.get(name);
        if matches!(code, "sheet.empty" | "sheet.no_day")
            && at.is_some_and(|at| self.grid.merged.iter().any(|region| region.covers(number, *at)))
        {
            return;
        }
        let mut problem =
            SheetProblem::new(&self.grid.sheet, code, number, self.header.columns.get(name).copied()).with("heading", self.heading(name));
        problem.values.extend_from_slice(values);
        self.problems.push(problem);
    }

    /// The heading as the sheet has it, or as it should have it.
    fn heading(&self, name: &Name) -> String {
        let in_sheet = self.header.columns.get(name).and_then(|column| self.header.texts.get(column)).cloned();
        in_sheet.or_else(|| self.import.columns.get(name)?.headings.first().cloned()).unwrap_or_else(|| name.to_string())
    }
}

/// Whether an import can read this kind of value out of a cell.
pub fn can_read(kind: &Type) -> bool {
    match kind {
        Type::List(inner) | Type::Optional(inner) => can_read(inner) && !matches!(**inner, Type::List(_)),
        Type::YesNo
        | Type::Number
        | Type::Text
        | Type::Choice(_)
        | Type::Date
        | Type::Year
        | Type::Duration
        | Type::Person
        | Type::Unit
        | Type::Item => true,
        _ => false,
    }
}
