//! A workbook file to one sheet of cells: the only place that knows the spreadsheet crate, and the guards against files that unpack
//! into more than an office's list can hold. What the cells mean is left to `columns` and `value`.

use super::problem::{BETWEEN, Error};
use super::text;
use super::value::{compact, same_name};
use crate::kernel::time::Date;
use calamine::{DataRef, Reader, SheetType, SheetVisible, Xlsx, XlsxError};
use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

/// Limits on a workbook. They are far above a year's list (some 1,000 rows of 20 columns) and far below what hurts.
const FILE_BYTES: u64 = 20 << 20;
const UNPACKED_BYTES: u64 = 50 << 20;
const ENTRIES: usize = 200;
/// Unpacked to packed, for parts large enough to matter.
const RATIO: u64 = 100;
const RATIO_FROM_BYTES: u64 = 1 << 20;
pub(super) const CELLS: usize = 500_000;
pub(super) const ROWS: usize = 20_000;
/// Text in all cells together: one shared text may be shown in any number of cells.
const TEXT_BYTES: usize = 32 << 20;

/// The non-empty cells of a sheet, rows and columns counted from 1.
#[derive(Debug, Default)]
pub struct Grid {
    pub sheet: String,
    rows: BTreeMap<u32, BTreeMap<u32, Cell>>,
    pub merged: Vec<Region>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Never blank.
    Text(String),
    Number(f64),
    Date(Date),
    Bool(bool),
    /// What Excel shows for a formula that failed, such as `#N/A`.
    Failed(String),
}

/// Merged cells; both ends are included.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    pub first_row: u32,
    pub first_column: u32,
    pub last_row: u32,
    pub last_column: u32,
}

impl Region {
    pub fn covers(&self, row: u32, column: u32) -> bool {
        (self.first_row..=self.last_row).contains(&row) && (self.first_column..=self.last_column).contains(&column)
    }

    /// Such as `A5:A7`.
    pub fn name(&self) -> String {
        let end = |row: u32, column: u32| format!("{}{row}", column_letters(column));
        format!("{}:{}", end(self.first_row, self.first_column), end(self.last_row, self.last_column))
    }
}

impl Grid {
    pub(super) fn of(sheet: String, rows: BTreeMap<u32, BTreeMap<u32, Cell>>) -> Grid {
        Grid { sheet, rows, merged: Vec::new() }
    }

    pub fn cell(&self, row: u32, column: u32) -> Option<&Cell> {
        self.rows.get(&row)?.get(&column)
    }

    pub fn row(&self, row: u32) -> impl Iterator<Item = (u32, &Cell)> {
        self.rows.get(&row).into_iter().flatten().map(|(column, cell)| (*column, cell))
    }

    /// Numbers of the rows that are not empty.
    pub fn rows_from(&self, row: u32) -> impl Iterator<Item = u32> {
        self.rows.range(row..).map(|(number, _)| *number)
    }
}

/// The letters of a column counted from 1: 1 is A, 27 is AA.
pub fn column_letters(column: u32) -> String {
    let mut letters = Vec::new();
    let mut rest = column;
    while rest > 0 {
        rest -= 1;
        letters.push(char::from(b'A' + (rest % 26) as u8));
        rest /= 26;
    }
    letters.iter().rev().collect()
}

/// Opens a workbook and reads one sheet: the one named, or the first that can be seen. A file of text is the sheet itself.
pub fn open(path: &Path, sheet: Option<&str>) -> Result<Grid, Error> {
    match is_text(path) {
        true => text::read(&read_file(path)?, &path.file_stem().unwrap_or_default().to_string_lossy()),
        false => read(read_file(path)?, sheet),
    }
}

/// By its name: what is inside such a file looks like any other text.
fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"))
}

/// The same of a workbook's bytes.
pub fn read(bytes: Vec<u8>, sheet: Option<&str>) -> Result<Grid, Error> {
    guard(&bytes)?;
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(damaged)?;
    let sheet = choose_sheet(&book, sheet)?;
    let merged = book.merge_cells_by_sheet_name(&sheet).map_err(damaged)?;
    let merged = merged
        .iter()
        .map(|region| Region {
            first_row: region.start.0.saturating_add(1),
            first_column: region.start.1.saturating_add(1),
            last_row: region.end.0.saturating_add(1),
            last_column: region.end.1.saturating_add(1),
        })
        .collect();
    let rows = read_cells(&mut book, &sheet)?;
    Ok(Grid { sheet, rows, merged })
}

/// Whether there is a workbook at all that may be opened.
pub fn readable(path: &Path) -> Result<(), Error> {
    let bytes = read_file(path)?;
    if is_text(path) { text::read(&bytes, "").map(drop) } else { guard(&bytes) }
}

fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let unreadable = |error: std::io::Error| Error::Unreadable { file: path.display().to_string(), reason: error.to_string() };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(Error::TooLarge { megabytes: FILE_BYTES >> 20 });
    }
    if !is_text(path) && !bytes.starts_with(b"PK") {
        return Err(Error::NotAWorkbook { file: path.display().to_string() });
    }
    Ok(bytes)
}

/// Looks into the archive before anything is built of it. Every part is unpacked once and thrown away, because the sizes in an archive's
/// directory are only what its maker says.
fn guard(bytes: &[u8]) -> Result<(), Error> {
    let damaged = |error: &dyn std::fmt::Display| Error::Damaged { reason: error.to_string() };
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    if archive.len() > ENTRIES {
        return Err(Error::TooManyParts { most: ENTRIES });
    }
    let mut total = 0;
    for index in 0..archive.len() {
        let part = archive.by_index(index).map_err(|error| damaged(&error))?;
        let packed = part.compressed_size().clamp(1, bytes.len() as u64);
        let left = UNPACKED_BYTES - total;
        let unpacked = std::io::copy(&mut part.take(left + 1), &mut std::io::sink()).map_err(|error| damaged(&error))?;
        if unpacked > left {
            return Err(Error::UnpacksTooLarge { megabytes: UNPACKED_BYTES >> 20 });
        }
        if unpacked > RATIO_FROM_BYTES && unpacked / packed > RATIO {
            return Err(Error::PackedTooTight { ratio: RATIO });
        }
        total += unpacked;
    }
    Ok(())
}

fn choose_sheet<R: Read + std::io::Seek>(book: &Xlsx<R>, wanted: Option<&str>) -> Result<String, Error> {
    let visible =
        || book.sheets_metadata().iter().filter(|sheet| sheet.visible == SheetVisible::Visible && sheet.typ == SheetType::WorkSheet);
    let found = match wanted {
        Some(wanted) => {
            visible().find(|sheet| same_name(&sheet.name, wanted)).or_else(|| visible().next().filter(|_| visible().count() == 1))
        }
        None => visible().next(),
    };
    let has = || visible().map(|sheet| sheet.name.as_str()).collect::<Vec<_>>().join(BETWEEN);
    found.map(|sheet| sheet.name.clone()).ok_or_else(|| Error::NoSheet { wanted: wanted.unwrap_or_default().to_string(), has: has() })
}

/// Reads cell by cell into a sparse table, so that one cell at the far end of the sheet costs one cell.
fn read_cells<R: Read + std::io::Seek>(book: &mut Xlsx<R>, sheet: &str) -> Result<BTreeMap<u32, BTreeMap<u32, Cell>>, Error> {
    let mut rows: BTreeMap<u32, BTreeMap<u32, Cell>> = BTreeMap::new();
    let (mut cells, mut text_bytes) = (0, 0);
    let mut reader = book.worksheet_cells_reader(sheet).map_err(damaged)?;
    while let Some(found) = reader.next_cell().map_err(damaged)? {
        let (row, column) = found.get_position();
        let Some(cell) = cell_of(found.get_value()) else { continue };
        cells += 1;
        if let Cell::Text(text) = &cell {
            text_bytes += text.len();
        }
        let (row, column) = (row.saturating_add(1), column.saturating_add(1));
        rows.entry(row).or_default().insert(column, cell);
        if cells > CELLS || rows.len() > ROWS || text_bytes > TEXT_BYTES {
            return Err(Error::TooManyCells { rows: ROWS, cells: CELLS });
        }
    }
    Ok(rows)
}

fn cell_of(value: &DataRef) -> Option<Cell> {
    let text = |text: &str| (!compact(text).is_empty()).then(|| Cell::Text(text.to_string()));
    match value {
        DataRef::Empty => None,
        DataRef::Int(number) => Some(Cell::Number(*number as f64)),
        DataRef::Float(number) => Some(Cell::Number(*number)),
        DataRef::String(string) => text(string),
        DataRef::SharedString(string) => text(string),
        DataRef::Bool(value) => Some(Cell::Bool(*value)),
        DataRef::DateTime(moment) => match moment.as_datetime() {
            Some(moment) => Some(Cell::Date(moment.date())),
            None => Some(Cell::Number(moment.as_f64())),
        },
        DataRef::DateTimeIso(string) | DataRef::DurationIso(string) => text(string),
        DataRef::Error(error) => Some(Cell::Failed(error.to_string())),
    }
}

fn damaged(error: XlsxError) -> Error {
    match error {
        XlsxError::Password => Error::Protected,
        error => Error::Damaged { reason: error.to_string() },
    }
}
