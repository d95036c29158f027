//! Lists out: every item as a row of the list that an import reads, for programs.

use super::imports::find;
use super::problem::Failure;
use super::reports::failure;
use super::request::{Asked, Named, Params};
use crate::sheet::write::{Table, csv_to, workbook_bytes};
use axum::http::{StatusCode, header};
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
/// Columns of what is secret, or not for everybody to see, are not written.
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
    let sheet = title.unwrap_or_default().chars().take(31).collect();
    let written = tokio::task::spawn_blocking(move || match params.format {
        ListForm::Csv => {
            let mut out = Vec::new();
            csv_to(&mut out, &exported.headings, exported.rows.into_iter()).map(|()| (out, "text/csv; charset=utf-8", "csv"))
        }
        ListForm::Xlsx => {
            let table = Table { name: sheet, headings: exported.headings, rows: Box::new(exported.rows.into_iter()) };
            workbook_bytes(vec![table]).map(|(bytes, _)| (bytes, super::imports::WORKBOOK[0], "xlsx"))
        }
    });
    let failed = |error: String| Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "no_form").with("what", error);
    let (bytes, kind, ending) = written.await.map_err(|error| failed(error.to_string()))?.map_err(|error| failed(error.to_string()))?;
    let file = format!("attachment; filename=\"list.{ending}\"");
    Ok(([(header::CONTENT_TYPE, kind.to_string()), (header::CONTENT_DISPOSITION, file)], bytes).into_response())
}
