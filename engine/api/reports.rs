//! Reports and documents for programs: figures and lists of the rule set as of any day or several, as JSON or as the file that an office
//! hands in.

use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params, check_day};
use crate::app::{Format, FormatError, Made, ReportError, Wanted, titles};
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::report::cell::percent;
use crate::kernel::report::days::{self, Each};
use crate::kernel::report::document::Part;
use crate::kernel::report::{Cell, ColumnKind, Figures, Filled, Kind, NotOf, Of, Table, hundredths_of_percent};
use crate::kernel::words::{Lang, say};
use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Serialize, ToSchema)]
pub struct Reports {
    reports: Vec<ReportName>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReportName {
    report: String,
    title: String,
    workflow: String,
}

/// The reports and documents of the rule set
#[utoipa::path(get, path = "/reports", tag = "reports", responses((status = 200, body = Reports)))]
pub async fn list(asked: Asked) -> Json<Reports> {
    let rules = asked.app.rules();
    let of_workflow = |rules: &Arc<crate::kernel::rules::Rules>| {
        let workflow = rules.setting.workflow.name.to_string();
        let name = |(name, title): (&crate::kernel::model::Name, &str)| ReportName {
            report: name.to_string(),
            title: title.to_string(),
            workflow: workflow.clone(),
        };
        titles(rules).map(name).collect::<Vec<_>>()
    };
    Json(Reports { reports: rules.workflows.values().flat_map(of_workflow).collect() })
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportParams {
    /// As it was at the end of this day; today without it.
    as_of: Option<NaiveDate>,
    /// Only what is of this unit, person or option, by its id or title, where the report can be of one.
    #[param(min_length = 1, max_length = 200)]
    of: Option<String>,
    /// By what had been recorded by the end of this day.
    known_on: Option<NaiveDate>,
    /// A series: the first of several days, the last of which is `as_of`. With `each`.
    from: Option<NaiveDate>,
    /// How often in a series.
    each: Option<Every>,
    /// `json` without it. `html` has table and chart, `svg` the chart. A document has no `csv` and no `svg`.
    format: Option<Form>,
}

#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    Month,
    Quarter,
    Year,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    Json,
    Csv,
    Xlsx,
    Html,
    Svg,
}

/// What a report says, or a document of several.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum ReportAnswer {
    Report(TableView),
    Document(DocumentView),
}

/// Items counted by one field on one day, figures on one day or several, or a list.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum TableView {
    Counts(ReportView),
    Figures(FiguresView),
    List(ListView),
}

/// Reports of one day under one title, with the words between them.
#[derive(Debug, Serialize, ToSchema)]
pub struct DocumentView {
    document: String,
    title: String,
    as_of: NaiveDate,
    #[schema(required)]
    known_on: Option<NaiveDate>,
    #[schema(required)]
    of: Option<OfView>,
    parts: Vec<PartView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct PartView {
    #[schema(required)]
    heading: Option<String>,
    #[schema(required)]
    text: Option<String>,
    #[schema(required)]
    report: Option<TableView>,
}

/// Whose it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct OfView {
    value: String,
    title: String,
}

/// Items counted by one field as of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReportView {
    report: String,
    title: String,
    as_of: NaiveDate,
    #[schema(required)]
    of: Option<OfView>,
    #[schema(required)]
    known_on: Option<NaiveDate>,
    total: u64,
    rows: Vec<ReportRow>,
    /// The option whose share is of interest.
    #[schema(required)]
    share_of: Option<String>,
    /// In percent with two places.
    #[schema(required)]
    share: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ReportRow {
    /// The option, unit or other value; empty for items without one.
    value: String,
    title: String,
    count: u64,
    /// In percent with two places.
    percent: String,
}

/// Figures in rows and columns, as of one day or several.
#[derive(Debug, Serialize, ToSchema)]
pub struct FiguresView {
    report: String,
    title: String,
    as_of: NaiveDate,
    /// In order, the last is `as_of`.
    days: Vec<NaiveDate>,
    #[schema(required)]
    of: Option<OfView>,
    #[schema(required)]
    known_on: Option<NaiveDate>,
    /// What rows are told apart by.
    by: Vec<KeyView>,
    columns: Vec<ColumnView>,
    rows: Vec<FiguresRow>,
    /// How many items, or branches, by day; what stands in several rows counts once.
    counted: Vec<u64>,
    /// By day: column → figure over everything, shares computed anew.
    total: Vec<BTreeMap<String, FigureValue>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct KeyView {
    /// As it stands in the rules.
    by: String,
    title: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ColumnView {
    column: String,
    title: String,
    /// `share` is in percent with two places.
    kind: FigureKind,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    Count,
    Sum,
    Share,
    Day,
    Value,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FiguresRow {
    keys: Vec<RowKeyView>,
    /// How many items, or branches, by day.
    counted: Vec<u64>,
    /// By day: column → figure; nothing where there is none, such as a share of nothing.
    figures: Vec<BTreeMap<String, FigureValue>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RowKeyView {
    /// The option, unit or other value; empty for what has none.
    value: String,
    title: String,
}

/// Nothing, a whole number, a text (also a day, and a share in percent with two places), yes or no, or several texts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum FigureValue {
    Nothing,
    Number(i64),
    Text(String),
    YesNo(bool),
    Several(Vec<String>),
}

/// A row for each item or branch, as of a day.
#[derive(Debug, Serialize, ToSchema)]
pub struct ListView {
    report: String,
    title: String,
    as_of: NaiveDate,
    #[schema(required)]
    of: Option<OfView>,
    #[schema(required)]
    known_on: Option<NaiveDate>,
    /// In their order.
    columns: Vec<String>,
    total: u64,
    /// Column → what stands in it.
    rows: Vec<BTreeMap<String, FigureValue>>,
}

/// A report as of any day
#[utoipa::path(get, path = "/reports/{report}", tag = "reports", params(("report" = String, Path, min_length = 1, max_length = 200), ReportParams),
    responses((status = 200, description = "The report, as it was asked for by `format`", content(
        (ReportAnswer = "application/json"),
        (String = "text/csv"),
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (String = "text/html"),
        (String = "image/svg+xml"),
    ))))]
pub async fn show(asked: Asked, Named(name): Named<String>, Params(params): Params<ReportParams>) -> Result<Response, Failure> {
    let (rules, found) = asked.app.find_report(&name).map_err(failure)?;
    let zone = rules.setting.workflow.timezone;
    let as_of = check_day(params.as_of, "as_of")?.unwrap_or_else(|| day_of(asked.app.now(), zone));
    let known_on = check_day(params.known_on, "known_on")?;
    let known_by = known_on.and_then(|day| day.succ_opt()).map(|next| start_of_day(next, zone));
    let days = match (check_day(params.from, "from")?, params.each) {
        (None, None) => vec![as_of],
        (Some(from), Some(each)) => days::series(from, each.into(), as_of).ok_or_else(|| {
            let failure = Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_series").with("from", from).with("to", as_of);
            failure.with("most", days::MOST).at("from", None)
        })?,
        (from, _) => {
            let missing = if from.is_some() { "each" } else { "from" };
            return Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "half_series").at(missing, None));
        }
    };
    let made = asked.app.report(&Wanted { report: found.to_string(), of: params.of, days, known_by }, |_, _| {}).await.map_err(failure)?;
    let lang = asked.lang;
    let Some(format) = params.format.and_then(Form::file) else { return Ok(Json(answer(&made, known_on, lang)).into_response()) };
    let written = tokio::task::spawn_blocking(move || format.write(&made, &remarks(known_on, lang), lang));
    let bytes =
        written.await.map_err(|error| Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "no_form").with("what", error))?.map_err(no_form)?;
    let file = format!("attachment; filename=\"{}-{as_of}.{}\"", ascii(&found), format.word());
    let mut response = ([(header::CONTENT_TYPE, format.content_type())], bytes).into_response();
    // A page is looked at; a workbook is filed.
    if matches!(format, Format::Csv | Format::Xlsx)
        && let Ok(file) = HeaderValue::from_str(&file)
    {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}

/// The name of a report in the name of a file, for programs that take no other letters.
fn ascii(name: &str) -> String {
    let kept: String = name.chars().filter(|sign| sign.is_ascii_alphanumeric() || *sign == '_').collect();
    if kept.is_empty() { "report".to_string() } else { kept }
}

impl From<Every> for Each {
    fn from(every: Every) -> Each {
        match every {
            Every::Month => Each::Month,
            Every::Quarter => Each::Quarter,
            Every::Year => Each::Year,
        }
    }
}

impl Form {
    fn file(self) -> Option<Format> {
        match self {
            Form::Json => None,
            Form::Csv => Some(Format::Csv),
            Form::Xlsx => Some(Format::Xlsx),
            Form::Html => Some(Format::Html),
            Form::Svg => Some(Format::Svg),
        }
    }
}

/// What stands below a report.
pub fn remarks(known_on: Option<NaiveDate>, lang: Lang) -> Vec<String> {
    known_on.map(|day| say(lang, "report.known_on", &[("day", &day.to_string())])).into_iter().collect()
}

/// A report or a document as JSON.
pub fn answer(made: &Made, known_on: Option<NaiveDate>, lang: Lang) -> ReportAnswer {
    match made {
        Made::Table(table) => ReportAnswer::Report(view(table, known_on, lang)),
        Made::Document(document) => ReportAnswer::Document(whole(document, known_on, lang)),
    }
}

fn whole(document: &Filled, known_on: Option<NaiveDate>, lang: Lang) -> DocumentView {
    let part = |part: &Part| PartView {
        heading: part.heading.clone(),
        text: part.text.clone(),
        report: part.table.as_ref().map(|table| view(table, known_on, lang)),
    };
    DocumentView {
        document: document.name.to_string(),
        title: document.title.clone(),
        as_of: document.day,
        known_on,
        of: document.of.as_ref().map(OfView::of),
        parts: document.parts.iter().map(part).collect(),
    }
}

impl OfView {
    fn of(of: &Of) -> OfView {
        OfView { value: of.value.to_string(), title: of.title.clone() }
    }
}

fn view(table: &Table, known_on: Option<NaiveDate>, lang: Lang) -> TableView {
    let of = table.of.as_ref().map(OfView::of);
    match (table.kind, table.figures(0)) {
        (Kind::Counts, Some(figures)) if !table.is_series() => TableView::Counts(counts(figures, of, known_on)),
        (Kind::List, _) => TableView::List(ListView {
            report: table.report.to_string(),
            title: table.title.clone(),
            as_of: table.as_of().unwrap_or_default(),
            of,
            known_on,
            columns: table.columns.iter().map(|column| column.title.clone()).collect(),
            total: table.rows.len() as u64,
            rows: table.rows.iter().flat_map(|row| figures(table, &row.cells, lang)).collect(),
        }),
        _ => TableView::Figures(FiguresView {
            report: table.report.to_string(),
            title: table.title.clone(),
            as_of: table.as_of().unwrap_or_default(),
            of,
            days: table.days.clone(),
            known_on,
            by: table.keys.iter().map(|key| KeyView { by: key.source.to_string(), title: table.key_heading(key, lang) }).collect(),
            columns: table
                .columns
                .iter()
                .map(|column| ColumnView {
                    column: column.name.to_string(),
                    title: table.heading(column, lang),
                    kind: match column.kind {
                        ColumnKind::Count => FigureKind::Count,
                        ColumnKind::Sum => FigureKind::Sum,
                        ColumnKind::Day => FigureKind::Day,
                        ColumnKind::Share { .. } => FigureKind::Share,
                        ColumnKind::Shown => FigureKind::Value,
                    },
                })
                .collect(),
            rows: table
                .rows
                .iter()
                .map(|row| FiguresRow {
                    keys: row.keys.iter().map(|key| RowKeyView { value: key.value.clone(), title: key.shown.text(lang) }).collect(),
                    counted: row.counted.clone(),
                    figures: figures(table, &row.cells, lang),
                })
                .collect(),
            counted: table.counted.clone(),
            total: figures(table, &table.totals, lang),
        }),
    }
}

fn counts(figures: Figures, of: Option<OfView>, known_on: Option<NaiveDate>) -> ReportView {
    let rows = figures.rows.into_iter().map(|row| ReportRow {
        percent: percent(hundredths_of_percent(row.count, figures.total)),
        value: row.value,
        title: row.title,
        count: row.count,
    });
    ReportView {
        rows: rows.collect(),
        report: figures.report.to_string(),
        title: figures.title,
        as_of: figures.as_of,
        of,
        known_on,
        total: figures.total,
        share_of: figures.share_of.map(|option| option.to_string()),
        share: figures.share.map(percent),
    }
}

/// By day: column → figure.
fn figures(table: &Table, cells: &[Vec<Cell>], lang: Lang) -> Vec<BTreeMap<String, FigureValue>> {
    let value = |cell: &Cell| match cell {
        Cell::Empty => FigureValue::Nothing,
        Cell::Text(text) => FigureValue::Text(text.clone()),
        Cell::Number(number) => FigureValue::Number(*number),
        Cell::Share(hundredths) => FigureValue::Text(percent(*hundredths)),
        Cell::Day(day) => FigureValue::Text(day.to_string()),
        Cell::YesNo(yes) => FigureValue::YesNo(*yes),
        Cell::Several(cells) => FigureValue::Several(cells.iter().map(|cell| cell.text(lang)).collect()),
    };
    cells
        .iter()
        .map(|cells| table.columns.iter().zip(cells).map(|(column, cell)| (column.name.to_string(), value(cell))).collect())
        .collect()
}

fn no_form(error: FormatError) -> Failure {
    match error {
        FormatError::NoCsv(title) => Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "no_csv").with("title", title).at("format", None),
        FormatError::NoChart(title) => Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "no_chart").with("title", title).at("format", None),
        error => {
            tracing::error!(%error, "a report cannot be written");
            Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "no_form").with("what", error)
        }
    }
}

pub(super) fn failure(error: ReportError) -> Failure {
    match error {
        ReportError::Unknown { name, known } => {
            let near = nearest(&name, known.split(", "));
            Failure::of(StatusCode::NOT_FOUND, "no_report").with("report", &name).with("known", &known).at("report", near)
        }
        ReportError::OfOneDay(title) => Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "of_one_day").with("title", title).at("from", None),
        ReportError::OfWhom(title) => Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "of_whom").with("title", title).at("of", None),
        ReportError::NotOf(NotOf::Nobody(title)) => {
            Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "of_nobody").with("title", title).at("of", None)
        }
        ReportError::NotOf(NotOf::Unknown { text, known }) => {
            let near = nearest(&text, known.iter().map(String::as_str));
            Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "of_unknown").with("text", text).at("of", near)
        }
        ReportError::NotOf(NotOf::Several { text, ids }) => {
            Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "of_several").with("text", text).with("ids", ids.join(", ")).at("of", None)
        }
        ReportError::Text(error) => {
            tracing::error!(%error, "a document cannot be filled");
            Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "no_form").with("what", error)
        }
        ReportError::Store(error) => error.into(),
        ReportError::Eval(error) => error.into(),
    }
}
