//! What pages load: embedded, from this server alone.

use super::trouble::Trouble;
use crate::store::facts::hex;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Name, kind and content.
const ASSETS: [(&str, &str, &str); 2] = [
    ("duban.css", "text/css; charset=utf-8", include_str!("assets/duban.css")),
    ("duban.svg", "image/svg+xml", include_str!("assets/duban.svg")),
];

/// Where the style sheet of this very program is: another one has another address.
pub fn style() -> &'static str {
    static STYLE: LazyLock<String> = LazyLock::new(|| {
        let digest = hex(&Sha256::digest(ASSETS[0].2));
        format!("/assets/duban.css?v={}", digest.get(..12).unwrap_or_default())
    });
    &STYLE
}

/// A file by its name. A style sheet that was edited has another address.
pub async fn asset(Path(name): Path<String>) -> Result<Response, Trouble> {
    let (_, kind, content) = ASSETS.into_iter().find(|(known, ..)| *known == name).ok_or_else(Trouble::not_found)?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=86400")], content).into_response())
}
