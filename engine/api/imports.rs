//! Lists for programs: an office's workbook becomes items by an import of the rule set, with a report by row.

use super::Api;
use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params, Workbook};
use crate::app::import::{Imported, Wishes};
use crate::app::{Answer, App, Caused};
use crate::kernel::model::Name;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, refusal};
use crate::sheet::{self, SheetProblem};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// As what a workbook is sent.
pub const WORKBOOK: [&str; 2] = ["application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/octet-stream"];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Owing {
    /// What is caused at once waits for one look (the batch `imported` of the outbox); what falls due later goes out.
    #[default]
    Live,
    /// Notices wait until a person releases them.
    Historic,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportParams {
    /// Read and check everything, and write nothing.
    #[serde(default)]
    dry_run: bool,
    /// Take the good rows and leave out the others.
    #[serde(default)]
    skip_bad_rows: bool,
    #[serde(default)]
    #[param(inline)]
    how: Owing,
}

/// What became of a list.
#[derive(Debug, Serialize, ToSchema)]
pub struct ImportAnswer {
    import: String,
    dry_run: bool,
    /// Nothing is written in a dry run, nor while a row is wrong that may not be left out.
    written: bool,
    /// Rows that are new, that were there already, and that were refused.
    new: usize,
    known: usize,
    refused: usize,
    /// What is wrong in the sheet itself.
    problems: Vec<CellProblem>,
    /// Columns that the sheet does not have, and headings of it that are not read: worth a look, and no fault.
    remarks: Vec<CellProblem>,
    /// The notices that it causes, or would.
    notices: CausedView,
    rows: Vec<ImportRow>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CausedView {
    /// Told by the actions themselves; held until they are released, together as the batch `imported`, or item by item of history.
    told: u64,
    /// Reminders and escalations whose day has come already; held like them.
    overdue: u64,
    /// To so many persons in all.
    persons: u64,
}

impl From<Caused> for CausedView {
    fn from(Caused { told, overdue, persons }: Caused) -> CausedView {
        CausedView { told, overdue, persons }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CellProblem {
    /// Such as `Sheet1!G37`.
    place: String,
    /// As Excel counts, from 1.
    row: u32,
    /// Letters; empty when the whole row is meant.
    column: String,
    code: String,
    says: String,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ImportRow {
    row: u32,
    item: String,
    done: bool,
    /// It had been imported before.
    repeated: bool,
    /// The action that was refused.
    #[schema(required)]
    action: Option<String>,
    /// Why.
    #[schema(required)]
    says: Option<String>,
}

/// Take in a workbook by a declared import: all rows in one commit, or none
#[utoipa::path(post, path = "/imports/{import}", tag = "imports", params(("import" = String, Path, min_length = 1, max_length = 200), ImportParams),
    request_body(content((Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"), (Vec<u8> = "application/octet-stream"))),
    responses((status = 200, body = ImportAnswer)))]
pub async fn import(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Named(name): Named<String>,
    Params(params): Params<ImportParams>,
    Workbook(workbook): Workbook,
) -> Result<Json<ImportAnswer>, Failure> {
    asked.office_only()?;
    let (rules, name) = find(&asked.app, &name)?;
    let workflow = &rules.setting.workflow;
    let declared = workflow.imports[&name].under_headings(&asked.app.headings(&rules, &name).await?, &BTreeMap::new());
    let reading = sheet::read_import_bytes(workbook.into(), &declared, &workflow.fields, &rules.setting.directory);
    let reading =
        reading.map_err(|error| Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "no_list").with("what", error.sentence(asked.lang)))?;
    let (problems, remarks) = (reading.problems.clone(), reading.remarks.clone());
    let kept_out = !problems.is_empty() && !params.skip_bad_rows;
    let rows = reading.rows_or_problems(params.skip_bad_rows).unwrap_or_default();
    let wishes = Wishes {
        dry_run: params.dry_run,
        skip_bad_rows: params.skip_bad_rows,
        historic: params.how == Owing::Historic,
        via: Some("api".into()),
        headings: BTreeMap::new(),
    };
    let imported = match kept_out {
        // What the rules say of the good rows is of no use while the sheet itself is wrong.
        true => Imported::default(),
        false => asked.app.import(&rules, &name, rows, &wishes, None).await?,
    };
    api.pulse.wake();
    Ok(Json(report(&name, params.dry_run, [&problems, &remarks], imported, asked.lang)))
}

/// An import by its name or title.
pub(super) fn find(app: &App, text: &str) -> Result<(Arc<Rules>, Name), Failure> {
    let rules = app.rules();
    let mut known = Vec::new();
    for rules in rules.workflows.values() {
        for (name, import) in &rules.setting.workflow.imports {
            if **name == *text || import.title == text {
                return Ok((rules.clone(), name.clone()));
            }
            known.push(name.to_string());
        }
    }
    let near = nearest(text, known.iter().map(String::as_str));
    Err(Failure::of(StatusCode::NOT_FOUND, "no_import").with("import", text).with("known", known.join(", ")).at("import", near))
}

fn report(name: &str, dry_run: bool, sheet: [&[SheetProblem]; 2], imported: Imported, lang: Lang) -> ImportAnswer {
    let rows: Vec<ImportRow> = imported
        .rows
        .into_iter()
        .map(|row| ImportRow {
            row: row.number,
            item: row.item.to_string(),
            done: row.answer.is_done(),
            repeated: matches!(row.answer, Answer::Done { repeated: true, .. }),
            action: row.refused_action.map(|action| action.to_string()),
            says: match &row.answer {
                Answer::Done { .. } => None,
                Answer::Refused(no) => Some(refusal(lang, no)),
                Answer::Failed(what) => Some(what.clone()),
            },
        })
        .collect();
    let cell = |problem: &SheetProblem| CellProblem {
        place: problem.place(),
        row: problem.row,
        column: problem.column.clone(),
        code: problem.code.to_string(),
        says: problem.sentence(lang),
    };
    let [problems, remarks] = sheet.map(|found| found.iter().map(cell).collect());
    ImportAnswer {
        import: name.to_string(),
        dry_run,
        written: imported.written,
        new: rows.iter().filter(|row| row.done && !row.repeated).count(),
        known: rows.iter().filter(|row| row.repeated).count(),
        refused: rows.iter().filter(|row| !row.done).count(),
        problems,
        remarks,
        notices: imported.caused.into(),
        rows,
    }
}
