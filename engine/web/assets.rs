//! What pages load: embedded, from this server alone.

use super::trouble::Trouble;
use crate::store::facts::hex;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// Name, kind and content.
const ASSETS: [(&str, &str, &str); 3] = [
    ("duban.css", "text/css; charset=utf-8", include_str!("assets/duban.css")),
    ("duban.svg", "image/svg+xml", include_str!("assets/duban.svg")),
    // Made of `editor` by `npm ci && npm run build` there, and kept here, so that nobody needs Node to build.
    ("editor.js", "text/javascript; charset=utf-8", include_str!("assets/editor.js")),
];

/// Where the style sheet of this very program is: another one has another address.
pub fn style() -> &'static str {
    static STYLE: LazyLock<String> = LazyLock::new(|| address(ASSETS[0]));
    &STYLE
}

/// Where the editor of the rules is.
pub fn editor() -> &'static str {
    static EDITOR: LazyLock<String> = LazyLock::new(|| address(ASSETS[2]));
    &EDITOR
}

fn address((name, _, content): (&str, &str, &str)) -> String {
    let digest = hex(&Sha256::digest(content));
    format!("/assets/{name}?v={}", digest.get(..12).unwrap_or_default())
}

/// A file by its name. A file that was edited has another address.
pub async fn asset(Path(name): Path<String>) -> Result<Response, Trouble> {
    let (_, kind, content) = ASSETS.into_iter().find(|(known, ..)| *known == name).ok_or_else(Trouble::not_found)?;
    Ok(([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=86400")], content).into_response())
}
