//! Files for programs: handed in before the action that speaks of them, and given to whoever may see the field in which they stand.

use super::Api;
use super::items::unknown_item;
use super::problem::Failure;
use super::request::{Asked, Content, Named, Params};
use crate::app::attachments::NotKept;
use crate::attach::Unfit;
use crate::kernel::words::say;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileParams {
    /// What the file is called; its ending says of which kind it is.
    #[param(min_length = 1, max_length = 120)]
    name: String,
    /// Who hands it in; a person's own token hands in for that person alone.
    #[serde(rename = "as")]
    #[param(rename = "as")]
    person: Option<String>,
}

/// A file that was kept.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileView {
    /// What the input of an action says to speak of it.
    value: String,
    name: String,
    /// In bytes.
    size: u64,
    media: String,
    /// SHA-256 of the content, in hexadecimal digits.
    digest: String,
}

/// Hand in a file, of which the same person's next actions may speak
///
/// What no fact speaks of after seven days is forgotten.
#[utoipa::path(post, path = "/files", tag = "items", params(FileParams),
    request_body(content((Vec<u8> = "application/octet-stream"))), responses((status = 201, body = FileView)))]
pub async fn hand_in(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Params(params): Params<FileParams>,
    Content(content): Content,
) -> Result<(StatusCode, Json<FileView>), Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let person = person.ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "who").at("as", None))?;
    let kept = asked.app.hand_in(&api.attachments, &person, &params.name, &content).await.map_err(|error| match error {
        NotKept::Unfit(why) => {
            let (largest, kinds) = (api.attachments.megabytes(), api.attachments.endings());
            let values = [("name", params.name.as_str()), ("largest", &largest), ("kinds", &kinds)];
            let status = match why {
                Unfit::Large => StatusCode::PAYLOAD_TOO_LARGE,
                Unfit::Unscanned => StatusCode::SERVICE_UNAVAILABLE,
                _ => StatusCode::UNPROCESSABLE_ENTITY,
            };
            Failure::of(status, "no_file").with("what", say(asked.lang, &format!("attach.{why}"), &values))
        }
        NotKept::Store(error) => error.into(),
    })?;
    let value = kept.to_string();
    Ok((StatusCode::CREATED, Json(FileView { value, name: kept.name, size: kept.size, media: kept.media, digest: kept.digest })))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ContentParams {
    /// Who reads; a person's own token reads for that person alone.
    #[serde(rename = "as")]
    #[param(rename = "as")]
    person: Option<String>,
}

/// A file of an item, as it was handed in
#[utoipa::path(get, path = "/items/{item}/files/{digest}", tag = "items",
    params(("item" = String, Path, min_length = 1, max_length = 200), ("digest" = String, Path, min_length = 64, max_length = 64), ContentParams),
    responses((status = 200, description = "The content", body = Vec<u8>, content_type = "application/octet-stream")))]
pub async fn content(
    asked: Asked,
    Named((id, digest)): Named<(String, String)>,
    Params(params): Params<ContentParams>,
) -> Result<Response, Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let look = asked.app.look(&id, person.clone()).await?.ok_or_else(|| unknown_item(&id))?;
    // Whether it is there is as hidden as what it says.
    let none = || Failure::of(StatusCode::NOT_FOUND, "unknown_file").with("digest", &digest);
    let sees = look.sees_file(&digest)?;
    if sees != Some(true) {
        if let Some(person) = person.filter(|_| sees.is_some()) {
            asked.app.note_denied(&person, &format!("/api/v1/items/{id}/files/{digest}")).await?;
        }
        return Err(none());
    }
    let content = asked.app.store.content(&digest).await?.ok_or_else(none)?;
    let head = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (header::CONTENT_DISPOSITION, "attachment"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    Ok((head, content).into_response())
}
