//! Where the columns of an import stand: the row of headings is found by its words, wherever the title rows above it end.

use super::lookup::nearest;
use super::problem::{BETWEEN, Error, SheetProblem};
use super::value::{compact, same_name};
use super::workbook::{Cell, Grid};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Import;
use std::collections::HashMap;

/// Headings are looked for in so many non-empty rows from the top.
const ROWS_SEARCHED: usize = 10;

#[derive(Debug, Default)]
pub struct Header {
    pub first_data_row: u32,
    /// Column of the import → column of the sheet.
    pub columns: HashMap<Name, u32>,
    /// Column of the sheet → its heading as written.
    pub texts: HashMap<u32, String>,
}

/// Finds the row in which most headings stand. A heading that spans two rows, or whose lower half names the columns, is followed down.
/// Missing and doubled columns are noted as problems; columns that one may do without, and headings that nothing asks for, as remarks.
pub fn find_header(
    grid: &Grid,
    import: &Import,
    problems: &mut Vec<SheetProblem>,
    remarks: &mut Vec<SheetProblem>,
) -> Result<Header, Error> {
    let counts = grid
        .rows_from(0)
        .take(ROWS_SEARCHED)
        .map(|row| (row, import.columns.keys().filter(|name| !find(grid, row, import, name).is_empty()).count()));
    // `max_by_key` keeps the last of equals; the first is meant.
    let best = counts.collect::<Vec<_>>().into_iter().rev().max_by_key(|(_, count)| *count).filter(|(_, count)| *count > 0);
    let Some((header_row, _)) = best else {
        let headings = import.columns.values().filter(|column| column.required).filter_map(|column| column.headings.first());
        return Err(Error::NoHeader {
            sheet: grid.sheet.clone(),
            headings: headings.map(String::as_str).collect::<Vec<_>>().join(BETWEEN),
        });
    };

    let mut header = Header { first_data_row: header_row + 1, ..Header::default() };
    for row in [header_row, header_row.saturating_sub(1), header_row + 1] {
        for name in import.columns.keys() {
            if header.columns.contains_key(name) {
                continue;
            }
            let found = find(grid, row, import, name);
            let Some((column, text)) = found.first() else { continue };
            if found.len() > 1 && row == header_row {
                problems.push(SheetProblem::new(&grid.sheet, "sheet.column_twice", row, Some(found[1].0)).with("heading", text.clone()));
            }
            header.columns.insert(name.clone(), *column);
            header.texts.insert(*column, text.clone());
            header.first_data_row = header.first_data_row.max(row + 1);
        }
    }
    for region in &grid.merged {
        if (region.first_row..=region.last_row).contains(&header_row) {
            header.first_data_row = header.first_data_row.max(region.last_row + 1);
        }
    }
    note_missing(grid, import, &header, header_row, problems, remarks);
    Ok(header)
}

/// The columns of a row whose heading is one of the column's. A remark in brackets behind a heading is no part of it.
fn find(grid: &Grid, row: u32, import: &Import, name: &str) -> Vec<(u32, String)> {
    let Some(column) = import.columns.get(name) else { return Vec::new() };
    let fits = |text: &str| {
        let bare = compact(text);
        let bare = bare.trim_matches('*');
        let without_remark = bare.split(['(', '[', '【']).next().unwrap_or(bare);
        column.headings.iter().any(|heading| same_name(heading, bare) || same_name(heading, without_remark))
    };
    grid.row(row)
        .filter_map(|(at, cell)| match cell {
            Cell::Text(text) if fits(text) => Some((at, compact(text))),
            _ => None,
        })
        .collect()
}

/// A column that is not there may be there under another name: then its cells would be lost without a word.
fn note_missing(
    grid: &Grid,
    import: &Import,
    header: &Header,
    header_row: u32,
    problems: &mut Vec<SheetProblem>,
    remarks: &mut Vec<SheetProblem>,
) {
    let used: Vec<u32> = header.columns.values().copied().collect();
    let mut unused: Vec<String> = grid
        .row(header_row)
        .filter(|(at, _)| !used.contains(at))
        .filter_map(|(_, cell)| if let Cell::Text(text) = cell { Some(compact(text)) } else { None })
        .collect();
    unused.dedup();
    let note = |code, name: &'static str, value: String| SheetProblem::new(&grid.sheet, code, header_row, None).with(name, value);
    let mut absent = Vec::new();
    for (name, column) in import.columns.iter().filter(|(name, _)| !header.columns.contains_key(*name)) {
        let own = column.headings.first().cloned().unwrap_or_else(|| name.to_string());
        let alike = column.headings.iter().find_map(|heading| Some((heading, nearest(heading, unused.iter().map(String::as_str))?)));
        match (alike, column.required) {
            (Some((heading, near)), required) => {
                let code = if required { "sheet.missing_column_nearest" } else { "sheet.perhaps_renamed" };
                problems.push(note(code, "heading", heading.clone()).with("nearest", near.to_string()));
            }
            (None, true) => problems.push(note("sheet.missing_column", "heading", own)),
            (None, false) => absent.push(own),
        }
    }
    for (code, headings) in [("sheet.columns_absent", absent), ("sheet.columns_unused", unused)] {
        if !headings.is_empty() {
            remarks.push(note(code, "headings", headings.join(BETWEEN)));
        }
    }
}
