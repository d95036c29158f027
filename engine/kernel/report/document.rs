//! A document: several reports of the same day under one title, with words that cite their figures.

use super::{Cell, Of, Table, tally};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{self, Document};
use crate::kernel::render::{self, RenderError};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::Lang;
use serde_json::{Map, Value as Json, json};

/// A document with its reports made and its words filled.
#[derive(Clone, Debug, PartialEq)]
pub struct Filled {
    pub name: Name,
    pub title: String,
    pub day: Date,
    pub of: Option<Of>,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    pub heading: Option<String>,
    pub text: Option<String>,
    pub table: Option<Table>,
}

/// The words of a part that cannot be filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}, {error}")]
pub struct TextError {
    /// Of the part in the rules.
    pub path: Name,
    pub error: RenderError,
}

/// Puts a document together; `tables` are those of its parts, one for each that has a report.
pub fn fill(
    rules: &Rules,
    name: &Name,
    document: &Document,
    tables: &[Option<Table>],
    day: Date,
    of: Option<Of>,
) -> Result<Filled, TextError> {
    let lang = Lang::of(&rules.setting.workflow.languages);
    let values = values(document, tables, day, of.as_ref(), lang);
    let mut parts = Vec::with_capacity(document.parts.len());
    for (part, table) in document.parts.iter().zip(tables) {
        let text = |text: &String| render::text_in(lang, text, &values).map_err(|error| TextError { path: part.path.clone(), error });
        parts.push(Part { heading: part.heading.clone(), text: part.text.as_ref().map(text).transpose()?, table: table.clone() });
    }
    Ok(Filled { name: name.clone(), title: document.title.clone(), day, of, parts })
}

/// What the words of a document read that is not there while nothing has been counted: the path of the part, and the name or what else is
/// wrong. `of_workflow` finds the rules of other workflows.
pub fn unread<'r>(
    rules: &'r Rules,
    document: &Document,
    day: Date,
    of_workflow: impl Fn(&Name) -> Option<&'r Rules>,
) -> Vec<(Name, String)> {
    let table = |part: &definition::Part| {
        let (workflow, report) = part.report.as_ref()?;
        let rules = workflow.as_ref().map_or(Some(rules), &of_workflow)?;
        Some(tally::blank(rules, report, &[day]))
    };
    let tables: Vec<Option<Table>> = document.parts.iter().map(table).collect();
    let lang = Lang::of(&rules.setting.workflow.languages);
    let values = values(document, &tables, day, None, lang);
    let mut found = Vec::new();
    for part in &document.parts {
        let Some(text) = &part.text else { continue };
        let missing: Vec<String> = match render::names_read(text) {
            Ok(names) => {
                names.into_iter().filter(|read| !is_there(&values, &read.name)).map(|read| format!("`{}`", read.written)).collect()
            }
            Err(error) => vec![error.what],
        };
        let fills = || render::text_in(lang, text, &values).err().map(|error| error.what);
        match missing.is_empty() {
            true => found.extend(fills().map(|what| (part.path.clone(), what))),
            false => found.push((part.path.clone(), missing.join(" "))),
        }
    }
    found
}

/// A path with dots; what is read of every entry of a list cannot be told beforehand.
fn is_there(values: &Json, path: &str) -> bool {
    let steps = path.split('.').map_while(|step| if step.contains("[]") { None } else { Some(step) });
    let end = steps.into_iter().try_fold(values, |value, step| value.get(step));
    end.is_some()
}

/// What the words may read: the day, whom it is of, and each report by its name, those of other workflows under theirs.
fn values(document: &Document, tables: &[Option<Table>], day: Date, of: Option<&Of>, lang: Lang) -> Json {
    let mut all = Map::new();
    all.insert("day".into(), json!(day));
    all.insert("of".into(), json!(of.map(|of| of.title.as_str())));
    for (part, table) in document.parts.iter().zip(tables) {
        let (Some((workflow, report)), Some(table)) = (&part.report, table) else { continue };
        let said = figures(table, lang);
        match workflow {
            None => drop(all.insert(report.to_string(), said)),
            Some(workflow) => {
                let others = all.entry(workflow.to_string()).or_insert_with(|| json!({}));
                if let Json::Object(others) = others {
                    others.insert(report.to_string(), said);
                }
            }
        }
    }
    Json::Object(all)
}

/// How many were counted, the figures over everything, and those of each row by the value of its key.
fn figures(table: &Table, lang: Lang) -> Json {
    let columns = |cells: Option<&Vec<Cell>>| {
        let cells = table.columns.iter().zip(cells.into_iter().flatten());
        let value = |cell: &Cell| match cell {
            Cell::Number(number) => json!(number),
            Cell::Day(day) => json!(day),
            Cell::YesNo(yes) => json!(yes),
            Cell::Empty => json!("–"),
            cell => json!(cell.text(lang)),
        };
        cells.map(|(column, cell)| (column.name.to_string(), value(cell))).collect::<Map<_, _>>()
    };
    let mut said = json!({ "counted": table.counted.last(), "total": columns(table.totals.last()) });
    // By a value of the only key; of several no one names a row.
    if table.keys.len() == 1 {
        let row = |row: &super::Row| Some((row.keys.first()?.value.clone(), Json::Object(columns(row.cells.last()))));
        said["rows"] = Json::Object(table.rows.iter().filter_map(row).collect());
    }
    said
}
