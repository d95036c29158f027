//! Items that are likely about the same matter, for programs.

use super::items::unknown_item;
use super::problem::Failure;
use super::request::{Asked, Named, Params};
use axum::Json;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Rows unless fewer or more are wished.
const ROWS: usize = 10;
const MOST: usize = 100;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SimilarParams {
    /// At most so many; 10 without it.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarItems {
    /// What they are compared with.
    title: String,
    /// The most alike first.
    similar: Vec<SimilarItem>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SimilarItem {
    item: String,
    title: String,
    /// How alike the titles are: 100 is the same.
    percent: u8,
    state: String,
    state_title: String,
}

/// Items whose titles are like an item's
#[utoipa::path(get, path = "/items/{item}/similar", tag = "items", params(("item" = String, Path, min_length = 1, max_length = 200), SimilarParams),
    responses((status = 200, body = SimilarItems)))]
pub async fn of_item(
    asked: Asked,
    Named(item): Named<String>,
    Params(params): Params<SimilarParams>,
) -> Result<Json<SimilarItems>, Failure> {
    let limit = params.limit.unwrap_or(ROWS);
    if !(1..=MOST).contains(&limit) {
        return Err(Failure::of(StatusCode::BAD_REQUEST, "bad_limit").with("most", MOST));
    }
    let row = asked.app.store.listed(&item).await?.ok_or_else(|| unknown_item(&item))?;
    let found = asked.app.similar(Some(&row.workflow), &row.title, Some(&row.id), limit).await?;
    let similar = found.into_iter().map(|(percent, row)| SimilarItem {
        state_title: asked.app.state_title(&row),
        item: row.id,
        title: row.title,
        percent,
        state: row.state,
    });
    Ok(Json(SimilarItems { title: row.title, similar: similar.collect() }))
}
