//! What the editor on the page of a file asks while somebody types: what the check says of the draft, and what may stand where.

use super::file::typed;
use super::{bench, source, told};
use crate::app::workshop::WorkshopNo;
use crate::kernel::access::Room;
use crate::kernel::author::schema::{schema_of, schemas, titles};
use crate::kernel::words::{Lang, say};
use crate::web::Web;
use crate::web::session::{Sent, Visitor};
use crate::web::trouble::Trouble;
use axum::Json;
use axum::extract::{Path, State};
use serde_json::{Value, json};
use std::sync::Arc;

/// The catalogue's words for what the editor calls in English as `en` has it.
const PHRASES: &[&str] = &[
    "find",
    "replace_with",
    "next",
    "previous",
    "all",
    "match_case",
    "regexp",
    "by_word",
    "replace",
    "replace_all",
    "close",
    "go_to_line",
    "go",
    "diagnostics",
    "no_diagnostics",
    "completions",
    "change_to",
    "deleted",
    "current",
    "on_line",
];

/// The editor's own words, in the language of whoever types.
pub fn phrases(lang: Lang) -> Value {
    let key = |name: &&str| format!("web.rules.editor.{name}");
    PHRASES.iter().map(key).map(|key| (say(Lang::En, &key, &[]), Value::from(say(lang, &key, &[])))).collect()
}

/// What the button would say: every problem of the folder with this draft in it.
pub async fn check(State(web): State<Arc<Web>>, Path(path): Path<String>, Sent(visitor, sheet): Sent) -> Result<Json<Value>, Trouble> {
    visitor.enter(Room::Rules).await?;
    let text = typed(&path, &sheet)?;
    let checked = bench(&web, &visitor).check(visitor.today(), Some((&path, &text))).await?;
    Ok(Json(told(&visitor, &checked.problems, Some(&path))))
}

/// The schema of a file with the names of the folder, or of the rules in use while the folder has mistakes; none for a file that has none.
pub async fn schema(State(web): State<Arc<Web>>, visitor: Visitor, Path(path): Path<String>) -> Result<Json<Value>, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let rules = match bench.rules(&visitor.app, &source("folder")).await {
        Err(WorkshopNo::NoFolder | WorkshopNo::Broken(_)) => visitor.app.rules(),
        other => other?,
    };
    let made = bench.aside(move || {
        let of = schema_of(&rules, &path)?;
        Some(json!({ "schema": schemas(&rules).shift_remove(&of)?, "titles": titles(&rules, &of) }))
    });
    Ok(Json(made.await?.unwrap_or_else(|| json!({ "schema": null }))))
}
