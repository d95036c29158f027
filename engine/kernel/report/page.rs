//! A report, or a document of several, as a page that prints on A4: tables with their charts below, in a frame that the caller hands in.

use super::{Cell, ColumnKind, Filled, Kind, Table, chart};
use crate::kernel::render::{self, RenderError};
use crate::kernel::words::{Lang, say};
use serde_json::{Value as Json, json};

/// More columns than this stand on a page laid across.
const UPRIGHT: usize = 7;

/// Rows that the chart of a document has at most.
const DRAWN: usize = 16;

/// Fills the frame (`templates/report/page.html`). `remarks` stand below the table.
pub fn page(frame: &str, table: &Table, remarks: &[String], lang: Lang) -> Result<String, RenderError> {
    filled(frame, &table.title, &chart::when(table, lang), is_wide(table), &[part(table, 0, lang)], remarks, lang)
}

/// Fills the frame with all parts of a document.
pub fn document(frame: &str, document: &Filled, remarks: &[String], lang: Lang) -> Result<String, RenderError> {
    let parts = document.parts.iter().enumerate().map(|(place, of)| {
        let mut shown = of.table.as_ref().map_or_else(|| json!({}), |table| part(table, place, lang));
        // In a document a chart has to fit beside its table, and to say something.
        if of.table.as_ref().is_some_and(|table| table.rows.len() > DRAWN || table.counted.iter().all(|count| *count == 0)) {
            shown["chart"] = Json::Null;
        }
        shown["wide"] = json!(of.table.as_ref().is_some_and(is_wide));
        shown["heading"] = json!(of.heading);
        shown["title"] = json!(of.table.as_ref().map(|table| table.title.as_str()));
        shown["text"] =
            json!(of.text.iter().flat_map(|text| text.split('\n')).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>());
        shown
    });
    let day = say(lang, "report.as_of", &[("day", &document.day.to_string())]);
    let when = chart::whose(document.of.as_ref(), day);
    filled(frame, &document.title, &when, false, &parts.collect::<Vec<_>>(), remarks, lang)
}

fn filled(frame: &str, title: &str, when: &str, wide: bool, parts: &[Json], remarks: &[String], lang: Lang) -> Result<String, RenderError> {
    let lang = if lang == Lang::En { "en" } else { "zh-CN" };
    render::page(frame, &json!({ "lang": lang, "title": title, "when": when, "wide": wide, "parts": parts, "remarks": remarks }))
}

fn is_wide(table: &Table) -> bool {
    table.keys.len() + table.columns.len() * table.days.len() > UPRIGHT
}

/// A table with its chart, the names in which are this one's alone on the page.
pub fn part(table: &Table, place: usize, lang: Lang) -> Json {
    let chart = chart::draw(table, lang).map(|drawn| match place {
        0 => drawn,
        place => drawn.replace("chart-title", &format!("chart-{place}-title")).replace("chart-said", &format!("chart-{place}-said")),
    });
    let count = (table.kind == Kind::List).then(|| say(lang, "report.rows", &[("count", &table.rows.len().to_string())]));
    json!({
        "wide": false,
        "heading": null,
        "title": null,
        "text": [],
        "head": head(table, lang),
        "rows": rows(table, lang),
        "total": table.shows_total.then(|| total(table, lang)),
        "chart": chart,
        "count": count,
    })
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
