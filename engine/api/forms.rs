//! Forms for programs: a paper of the rules filled from an item, as a page that prints on A4.

use super::items::unknown_item;
use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params};
use crate::kernel::form::FormError;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use utoipa::IntoParams;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FormParams {
    /// Of which branch: its number, its unit or person, or its kind with one of these; only where the item has several.
    branch: Option<String>,
    /// What this person may see; a person's own token is for that person alone.
    #[serde(rename = "as")]
    #[param(rename = "as")]
    person: Option<String>,
}

/// A form of the rules, filled from an item, as a page that prints on A4
#[utoipa::path(get, path = "/items/{item}/forms/{form}", tag = "items",
    params(("item" = String, Path, min_length = 1, max_length = 200), ("form" = String, Path, min_length = 1, max_length = 200), FormParams),
    responses((status = 200, description = "The page; a dash stands for what this person may not see", body = String, content_type = "text/html")))]
pub async fn show(
    asked: Asked,
    Named((id, name)): Named<(String, String)>,
    Params(params): Params<FormParams>,
) -> Result<Response, Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let look = asked.app.look(&id, person).await?.ok_or_else(|| unknown_item(&id))?;
    let page = asked.app.form(&look, &name, params.branch.as_deref()).map_err(|error| match error {
        FormError::No { code, values } => {
            let failure = values.iter().fold(Failure::of(status(code), code), |failure, (name, value)| failure.with(name, value));
            match code {
                "unknown_form" => failure.at("form", nearest(&name, look.rules.setting.workflow.forms.keys().map(|name| &**name))),
                "no_forms" => failure.at("form", None),
                _ => failure.at("branch", None),
            }
        }
        FormError::Branch(no) => Failure::refused(no).in_query(),
        FormError::Eval(error) => error.into(),
        error => {
            tracing::error!(%error, item = id, form = name, "a form cannot be filled");
            Failure::of(StatusCode::INTERNAL_SERVER_ERROR, "form_fails").with("what", error)
        }
    })?;
    Ok(([(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response())
}

fn status(code: &str) -> StatusCode {
    match code {
        "unknown_form" | "no_forms" => StatusCode::NOT_FOUND,
        "form_hidden" => StatusCode::FORBIDDEN,
        _ => StatusCode::UNPROCESSABLE_ENTITY,
    }
}
