//! Figures of a report as a table for people.

use crate::kernel::report::Figures;
use crate::kernel::words::{Lang, say};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

/// Title, a row per value with its count and share, and the total.
pub fn table(title: &str, figures: &Figures, lang: Lang) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    for row in &figures.rows {
        let name = if row.title.is_empty() { say(lang, "report.without", &[]) } else { row.title.clone() };
        let mark = if figures.share_of.as_ref().is_some_and(|option| **option == *row.value) { " ←" } else { "" };
        table.add_row([
            name,
            row.count.to_string(),
            format!("{}{mark}", percent(crate::kernel::report::hundredths_of_percent(row.count, figures.total))),
        ]);
    }
    table.add_row([say(lang, "report.total", &[]), figures.total.to_string(), String::new()]);
    for column in [1, 2] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let as_of = say(lang, "report.as_of", &[("day", &figures.as_of.to_string())]);
    format!("{title}（{as_of}）\n{table}\n")
}

/// Hundredths of a percent as people write them: 3866 is 38.66%.
pub fn percent(hundredths: u64) -> String {
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
