//! What pages load: embedded, from this server alone.

use super::trouble::Trouble;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("assets/duban.css");

/// A file by its name. The name carries the version, so it may be kept for good.
pub async fn asset(Path(name): Path<String>) -> Result<Response, Trouble> {
    match name.as_str() {
        "duban.css" => {
            let headers = [(header::CONTENT_TYPE, "text/css; charset=utf-8"), (header::CACHE_CONTROL, "public, max-age=86400")];
            Ok((headers, STYLE).into_response())
        }
        _ => Err(Trouble::not_found()),
    }
}
