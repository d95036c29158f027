//! A list as text with commas (CSV): UTF-8, or GB 18030 as Chinese spreadsheets save it. It becomes the same grid of cells as a workbook's sheet.

use super::problem::Error;
use super::value::compact;
use super::workbook::{CELLS, Cell, Grid, ROWS};
use encoding_rs::GB18030;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Reads the text of a file called `name`.
pub fn read(bytes: &[u8], name: &str) -> Result<Grid, Error> {
    let text = decoded(bytes).ok_or(Error::NotText)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows: BTreeMap<u32, BTreeMap<u32, Cell>> = BTreeMap::new();
    let (mut cells, mut seen, mut lines, mut inside, mut number) = (0, 0, 0, 0, 0_u32);
    for record in reader.records() {
        let record = record.map_err(|error| Error::Damaged { reason: error.to_string() })?;
        // As a spreadsheet counts: blank lines are rows, line breaks inside cells are not. The reader's own count of lines is behind
        // where lines end with two signs, so they are counted here, up to where the record's text begins.
        let begins = record.position().map_or(seen, |place| place.byte() as usize);
        let blank = text[begins..].len() - text[begins..].trim_start_matches(['\r', '\n']).len();
        lines += text[seen..begins + blank].matches('\n').count();
        seen = begins + blank;
        number = u32::try_from(lines - inside).unwrap_or(u32::MAX).saturating_add(1).max(number.saturating_add(1));
        inside += record.iter().flat_map(str::chars).filter(|sign| *sign == '\n').count();
        let row: BTreeMap<u32, Cell> = (1_u32..).zip(record.iter()).filter_map(|(column, text)| Some((column, cell(text)?))).collect();
        cells += row.len();
        if !row.is_empty() {
            rows.insert(number, row);
        }
        if cells > CELLS || rows.len() > ROWS {
            return Err(Error::TooManyCells { rows: ROWS, cells: CELLS });
        }
    }
    Ok(Grid::of(name.to_string(), rows))
}

/// A text; one that was kept from being a formula is what it was before.
fn cell(text: &str) -> Option<Cell> {
    let kept = text.strip_prefix('\'').filter(|rest| rest.starts_with(['=', '+', '-', '@']));
    let text = kept.unwrap_or(text);
    (!compact(text).is_empty()).then(|| Cell::Text(text.to_string()))
}

fn decoded(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(Cow::Borrowed(text)),
        Err(_) => GB18030.decode_without_bom_handling_and_without_replacement(bytes),
    }
    .filter(|text| !text.contains('\0'))
}
