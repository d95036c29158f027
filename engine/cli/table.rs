//! Columns for people: a Chinese character counts as two, no lines between columns, nothing is cut.

use crate::kernel::time::Instant;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

/// Rows in columns, each line indented by `indent` spaces, with numbers of `right` columns to the right.
pub fn columns<R, C>(rows: R, indent: usize, right: &[usize]) -> String
where
    R: IntoIterator<Item = C>,
    C: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_rows(rows);
    for column in right {
        if let Some(column) = table.column_mut(*column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let margin = " ".repeat(indent);
    // Every cell has one space before it: the first is not wanted.
    let lines = table.lines().map(|line| format!("{margin}{}", line.strip_prefix(' ').unwrap_or(&line).trim_end()));
    lines.map(|line| line + "\n").collect()
}

/// A moment by the clocks of a zone.
pub fn moment(at: Instant, zone: chrono_tz::Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
}
