//! A report as a page that prints on A4: its table with the chart below, in a frame that the caller hands in.

use super::{Cell, ColumnKind, Kind, Table, chart};
use crate::kernel::render::{self, RenderError};
use crate::kernel::words::{Lang, say};
use serde_json::{Value as Json, json};

/// More columns than this stand on a page laid across.
const UPRIGHT: usize = 7;

/// Fills the frame (`templates/report/page.html`). `remarks` stand below the table.
pub fn page(frame: &str, table: &Table, remarks: &[String], lang: Lang) -> Result<String, RenderError> {
    let wide = table.keys.len() + table.columns.len() * table.days.len() > UPRIGHT;
    let mut remarks = remarks.to_vec();
    if table.kind == Kind::List {
        remarks.insert(0, say(lang, "report.rows", &[("count", &table.rows.len().to_string())]));
    }
    render::page(
        frame,
        &json!({
            "lang": if lang == Lang::En { "en" } else { "zh-CN" },
            "title": table.title,
            "when": chart::when(table, lang),
            "wide": wide,
            "head": head(table, lang),
            "rows": rows(table, lang),
            "total": table.shows_total.then(|| total(table, lang)),
            "chart": chart::draw(table, lang),
            "remarks": remarks,
        }),
    )
}

/// Lines of headings: of a series the days above what is said of each.
fn head(table: &Table, lang: Lang) -> Json {
    let cell = |text: String, columns: usize, rows: usize| json!({ "text": text, "columns": columns, "rows": rows });
    let lines = if table.is_series() { 2 } else { 1 };
    let keys = table.keys.iter().map(|key| cell(table.key_heading(key, lang), 1, lines));
    let columns = || table.columns.iter().map(|column| cell(table.heading(column, lang), 1, 1));
    if !table.is_series() {
        return json!([keys.chain(columns()).collect::<Vec<_>>()]);
    }
    let days = table.days.iter().map(|day| cell(day.to_string(), table.columns.len(), 1));
    let below: Vec<Json> = table.days.iter().flat_map(|_| columns()).collect();
    json!([keys.chain(days).collect::<Vec<_>>(), below])
}

fn rows(table: &Table, lang: Lang) -> Json {
    let row = |row: &super::Row| {
        let keys = row.keys.iter().map(|key| json!({ "text": key.text(lang), "key": true }));
        keys.chain(row.cells.iter().flatten().map(|cell| shown(cell, table.kind, lang))).collect::<Vec<_>>()
    };
    json!(table.rows.iter().map(row).collect::<Vec<_>>())
}

fn total(table: &Table, lang: Lang) -> Json {
    let key = json!({ "text": say(lang, "report.total", &[]), "key": true, "columns": table.keys.len() });
    let cells = table.totals.iter().flat_map(|cells| cells.iter().zip(&table.columns));
    let cells = cells.map(|(cell, column)| match &column.kind {
        // Of everything it is everything.
        ColumnKind::Share { whole: None, .. } => json!({ "text": "", "align": "n", "key": false }),
        _ => shown(cell, table.kind, lang),
    });
    json!(std::iter::once(key).chain(cells).collect::<Vec<_>>())
}

fn shown(cell: &Cell, kind: Kind, lang: Lang) -> Json {
    let align = match cell {
        Cell::Number(_) | Cell::Share(_) => "n",
        Cell::Day(_) | Cell::YesNo(_) => "c",
        Cell::Empty if kind != Kind::List => "n",
        _ => "",
    };
    let text = if *cell == Cell::Empty && kind != Kind::List { "–".to_string() } else { cell.text(lang) };
    json!({ "text": text, "align": align, "key": false })
}
