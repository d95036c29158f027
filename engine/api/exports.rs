//! Lists out: every item as a row of the list that an import reads, for programs.

use super::imports::find;
use super::problem::Failure;
use super::reports::failure;
use super::request::{Asked, Named, Params};
use crate::sheet::report::sheet_name;
use crate::sheet::write::{Table, WriteError, csv_to, workbook_bytes};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

/// In which form a list is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ListForm {
    #[default]
    Xlsx,
    Csv,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ExportParams {
    #[serde(default)]
    #[param(inline)]
    format: ListForm,
}

/// Every item as a row of the list that an import reads
///
/// Columns of what is secret, or not for everybody to see, are not written: `duban-columns-kept` says how many, `duban-left-out` how many
/// items did not begin as a row of the list would.
#[utoipa::path(get, path = "/exports/{import}", tag = "imports", params(("import" = String, Path, min_length = 1, max_length = 200), ExportParams),
    responses((status = 200, description = "The list", content(
        (Vec<u8> = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (String = "text/csv"),
    ))))]
pub async fn export(asked: Asked, Named(name): Named<String>, Params(params): Params<ExportParams>) -> Result<Response, Failure> {
    asked.office_only()?;
    let (rules, name) = find(&asked.app, &name)?;
    let exported = asked.app.export(&rules, &name, false, |_, _| {}).await.map_err(failure)?;
    let title = rules.setting.workflow.imports.get(&name).map(|import| import.sheet.clone().unwrap_or_else(|| import.title.clone()));
    let sheet = sheet_name(&title.unwrap_or_default());
    let told = [("duban-left-out", exported.left_out), ("duban-columns-kept", exported.kept.len() as u64)];
    let written = tokio::task::spawn_blocking(move || match params.format {
        ListForm::Csv => {
            let mut out = Vec::new();
            csv_to(&mut out, &exported.headings, exported.rows.into_iter()).map(|()| (out, "text/csv; charset=utf-8", "csv"))
        }
        ListForm::Xlsx => {
            let table = Table { name: sheet, headings: exported.headings, rows: Box::new(exported.rows.into_iter()) };
            workbook_bytes(vec![table])
                .and_then(|(bytes, left)| if left == 0 { Ok(bytes) } else { Err(WriteError::TooManyRows(left)) })
                .map(|bytes| (bytes, super::imports::WORKBOOK[0], "xlsx"))
        }
    });
    let failed = |error: String| Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "no_form").with("what", error);
    let (bytes, kind, ending) = written.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    let file = format!("attachment; filename=\"list.{ending}\"");
    let told = told.map(|(name, count)| (HeaderName::from_static(name), count.to_string()));
    Ok(([(header::CONTENT_TYPE, kind.to_string()), (header::CONTENT_DISPOSITION, file)], told, bytes).into_response())
}
