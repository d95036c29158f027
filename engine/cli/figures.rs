//! A report as a table for people, and a document as several.

use crate::kernel::report::{Cell, Filled, Kind, Table as Report, chart};
use crate::kernel::words::{Lang, say};
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

/// The parts of a document one below the other.
pub fn document(document: &Filled, lang: Lang) -> String {
    let day = say(lang, "report.as_of", &[("day", &document.day.to_string())]);
    let mut out = format!("{}（{}）\n", document.title, chart::whose(document.of.as_ref(), day));
    for part in &document.parts {
        out.push('\n');
        let lines = part.heading.iter().map(String::as_str).chain(part.text.iter().flat_map(|text| text.lines()));
        lines.for_each(|line| out.extend([line, "\n"]));
        out.extend(part.table.as_ref().map(|of| table(&of.title, of, lang)));
    }
    out
}

/// Title and day, the rows, and the total.
pub fn table(title: &str, report: &Report, lang: Lang) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    // What is counted by one field on one day speaks for itself.
    let bare = report.kind == Kind::Counts && !report.is_series();
    if !bare {
        let keys = report.keys.iter().map(|key| report.key_heading(key, lang));
        let columns = report.days.iter().flat_map(|day| report.columns.iter().map(move |column| (day, column)));
        let headings = columns.map(|(day, column)| {
            let heading = report.heading(column, lang);
            if report.is_series() { format!("{day} {heading}") } else { heading }
        });
        table.set_header(keys.chain(headings).collect::<Vec<_>>());
    }
    for row in &report.rows {
        let shared = bare && report.share_of.as_ref().is_some_and(|option| row.keys.iter().any(|key| **option == *key.value));
        let cells = row.cells.iter().flatten().map(|cell| shown(cell, report.kind, lang));
        let mut cells: Vec<String> = row.keys.iter().map(|key| key.text(lang)).chain(cells).collect();
        if let Some(last) = cells.last_mut().filter(|_| shared) {
            last.push_str(" ←");
        }
        table.add_row(cells);
    }
    if report.shows_total {
        let cells = report.totals.iter().flatten().map(|cell| match cell {
            Cell::Share(_) if report.kind == Kind::Counts => String::new(),
            cell => shown(cell, report.kind, lang),
        });
        let keys = (0..report.keys.len()).map(|place| if place == 0 { say(lang, "report.total", &[]) } else { String::new() });
        table.add_row(keys.chain(cells).collect::<Vec<_>>());
    }
    if report.kind != Kind::List {
        for column in report.keys.len()..report.keys.len() + report.columns.len() * report.days.len() {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let rows = match report.kind {
        Kind::List => say(lang, "report.rows", &[("count", &report.rows.len().to_string())]) + "\n",
        _ => String::new(),
    };
    format!("{title}（{}）\n{table}\n{rows}", chart::when(report, lang))
}

fn shown(cell: &Cell, kind: Kind, lang: Lang) -> String {
    match cell {
        Cell::Empty if kind != Kind::List => "–".to_string(),
        cell => cell.text(lang),
    }
}
