//! The pages of a role: what stands on each is the rules' to say.

use super::session::Visitor;
use super::trouble::Trouble;
use super::{Web, desk_parts, page};
use crate::app::desks::OwnDesk;
use crate::kernel::access::Room;
use axum::extract::{Path, State};
use axum::response::{Redirect, Response};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Whoever comes in sees the page of their role first, else what waits for them.
pub async fn home(visitor: Visitor) -> Redirect {
    let first = visitor.desks().into_iter().find(|desk| desk.first);
    match first {
        Some(desk) => Redirect::to(&address(&desk)),
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
    let parts = desk_parts::fill(&web, &visitor, &rules, &desk.parts).await?;
    // One of them stands in the bar on top; here are all.
    let tabs: Vec<Json> = visitor.desks().iter().map(|own| json!({ "to": address(own), "title": own.title, "here": *own.name == *name && *own.rules.setting.workflow.name == *workflow })).collect();
    visitor.page(&web, "desk.html", &desk.title, json!({ "parts": parts, "tabs": tabs }))
}

/// Where a page of a role is.
pub fn address(desk: &OwnDesk) -> String {
    format!("/desks/{}/{}", page::encoded(&desk.rules.setting.workflow.name), page::encoded(&desk.name))
}
