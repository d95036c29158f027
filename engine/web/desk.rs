//! The pages of a role: what stands on each is the rules' to say.

use super::session::Visitor;
use super::trouble::Trouble;
use super::{Web, desk_parts, page};
use crate::kernel::access::Room;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Whoever comes in sees the page of their role first, else what waits for them.
pub async fn home(visitor: Visitor) -> Redirect {
    let first = visitor.desks().into_iter().find(|desk| desk.first);
    match first {
        Some(desk) => Redirect::to(&format!("/desks/{}/{}", page::encoded(&desk.rules.setting.workflow.name), page::encoded(&desk.name))),
        None => Redirect::to("/todo"),
    }
}

pub async fn show(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path((workflow, name)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    visitor.enter(Room::Work).await?;
    let found = visitor.app.desk_of(&workflow, &name, &visitor.person, visitor.today());
    let (rules, desk, open) = found.ok_or_else(Trouble::not_found)?;
    if !open {
        return Err(visitor.shut_out().await);
    }
    let mut parts: Vec<Json> = Vec::with_capacity(desk.parts.len());
    for (place, part) in desk.parts.iter().enumerate() {
        let mut shown = desk_parts::fill(&web, &visitor, &rules, &part.show, place).await?;
        shown["title"] = json!(part.title);
        parts.push(shown);
    }
    visitor.page(&web, "desk.html", &desk.title, json!({ "parts": parts, "of": rules.setting.workflow.title }))
}
