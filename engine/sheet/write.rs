//! Tables out: a workbook with a sheet for each, or one as CSV. Rows are taken one by one, so that a long table needs no memory.

use crate::kernel::time::Date;
use chrono::NaiveDateTime;
use rust_xlsxwriter::{Format, Workbook, XlsxError};
use std::borrow::Cow;
use std::io::Write;
use std::path::Path;

/// A sheet of a workbook has no more rows, the headings among them.
const MOST_ROWS: u32 = 1_048_576;

/// A cell of a workbook holds no more characters.
const MOST_CHARACTERS: usize = 32_767;

/// A text as it fits into a cell: what is too long ends with a mark.
pub fn in_a_cell(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MOST_CHARACTERS / 2).filter(|_| text.encode_utf16().count() > MOST_CHARACTERS) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// A table with its headings.
pub struct Table<'a> {
    /// Of the sheet; at most 31 characters.
    pub name: String,
    pub headings: Vec<String>,
    pub rows: Box<dyn Iterator<Item = Vec<Cell>> + 'a>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Empty,
    Text(String),
    Number(u64),
    /// Below zero, too.
    Whole(i64),
    Day(Date),
    /// By the clock on the wall.
    Moment(NaiveDateTime),
}

#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    #[error(transparent)]
    Workbook(#[from] XlsxError),
    #[error(transparent)]
    File(#[from] std::io::Error),
    #[error("{0} rows do not fit into a sheet")]
    TooManyRows(u64),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Cell {
        if text.is_empty() { Cell::Empty } else { Cell::Text(text.to_string()) }
    }
}

/// Writes a workbook; gives how many rows did not fit into their sheets.
pub fn workbook(path: &Path, tables: Vec<Table>) -> Result<u64, WriteError> {
    let (mut book, left) = filled(tables)?;
    book.save(path)?;
    Ok(left)
}

/// The bytes of a workbook, and how many rows did not fit into their sheets.
pub fn workbook_bytes(tables: Vec<Table>) -> Result<(Vec<u8>, u64), WriteError> {
    let (mut book, left) = filled(tables)?;
    Ok((book.save_to_buffer()?, left))
}

fn filled(tables: Vec<Table>) -> Result<(Workbook, u64), WriteError> {
    let mut book = Workbook::new();
    let bold = Format::new().set_bold();
    let (day, moment) = (Format::new().set_num_format("yyyy-mm-dd"), Format::new().set_num_format("yyyy-mm-dd hh:mm"));
    let mut left = 0;
    for table in tables {
        // What was written of a row leaves the memory with the next one.
        let sheet = book.add_worksheet_with_low_memory()?;
        sheet.set_name(&table.name)?;
        sheet.set_freeze_panes(1, 0)?;
        for (column, heading) in (0..).zip(&table.headings) {
            sheet.set_column_width(column, width(heading))?;
            sheet.write_string_with_format(0, column, heading, &bold)?;
        }
        let mut row = 0;
        for cells in table.rows {
            row += 1;
            if row >= MOST_ROWS {
                left += 1;
                row -= 1;
                continue;
            }
            for (column, cell) in (0..).zip(cells) {
                match cell {
                    Cell::Empty => {}
                    Cell::Text(text) => drop(sheet.write_string(row, column, in_a_cell(&text))?),
                    Cell::Number(number) => drop(sheet.write_number(row, column, number as f64)?),
                    Cell::Whole(number) => drop(sheet.write_number(row, column, number as f64)?),
                    Cell::Day(date) => drop(sheet.write_datetime_with_format(row, column, date, &day)?),
                    Cell::Moment(at) => drop(sheet.write_datetime_with_format(row, column, at, &moment)?),
                }
            }
        }
    }
    Ok((book, left))
}

/// Room for a heading and what usually stands under it; a Chinese character takes two.
fn width(heading: &str) -> f64 {
    let columns: u32 = heading.chars().map(|c| if c.is_ascii() { 1 } else { 2 }).sum();
    f64::from(columns.max(10) + 6)
}

/// Writes a table as CSV for spreadsheets: UTF-8 with its mark, commas, and no text that they would take for a formula.
pub fn csv(path: &Path, table: Table) -> Result<(), WriteError> {
    let mut out = std::io::BufWriter::new(std::fs::File::create(path)?);
    csv_to(&mut out, &table.headings, table.rows)
}

/// The same into whatever takes bytes.
pub fn csv_to(out: &mut impl Write, headings: &[String], rows: impl Iterator<Item = Vec<Cell>>) -> Result<(), WriteError> {
    out.write_all("\u{feff}".as_bytes())?;
    line(out, headings.iter().map(|heading| quoted(heading)))?;
    for cells in rows {
        line(out, cells.iter().map(text))?;
    }
    Ok(out.flush()?)
}

fn line(out: &mut impl Write, cells: impl Iterator<Item = String>) -> std::io::Result<()> {
    for (column, cell) in cells.enumerate() {
        if column > 0 {
            out.write_all(b",")?;
        }
        out.write_all(cell.as_bytes())?;
    }
    out.write_all(b"\r\n")
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Empty => String::new(),
        Cell::Text(text) => quoted(text),
        Cell::Number(number) => number.to_string(),
        Cell::Whole(number) => number.to_string(),
        Cell::Day(day) => day.to_string(),
        Cell::Moment(at) => at.format("%Y-%m-%d %H:%M").to_string(),
    }
}

/// In quotes where it needs them; a text that would be a formula gets an apostrophe.
fn quoted(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_string() };
    match safe.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", safe.replace('"', "\"\"")),
        false => safe,
    }
}
