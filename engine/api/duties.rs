//! What waits for a person, for programs: the same as their first page.

use super::items::page;
use super::problem::Failure;
use super::request::{Asked, Params};
use crate::kernel::decide::capture;
use axum::Json;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// An item, or a part of one, that is in a person's hands.
#[derive(Debug, Serialize, ToSchema)]
pub struct DutyView {
    item: String,
    title: String,
    workflow: String,
    state: String,
    /// The number of the branch that is meant; null for the item itself.
    #[schema(required)]
    branch: Option<u32>,
    /// The role in which it is theirs.
    role: String,
    /// The deadline that comes first, and its day.
    #[schema(required)]
    deadline: Option<String>,
    #[schema(required)]
    due_on: Option<NaiveDate>,
    late: bool,
    /// The first action that is open to them, and what it is called; null where somebody else has to move first.
    #[schema(required)]
    action: Option<String>,
    #[schema(required)]
    action_title: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DutyList {
    person: String,
    person_title: String,
    /// The most urgent first.
    duties: Vec<DutyView>,
    /// So many more there are.
    more: u64,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DutyParams {
    /// Whose; a person's own token asks for that person alone.
    #[serde(rename = "as")]
    person: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// What waits for a person
#[utoipa::path(get, path = "/duties", tag = "items", params(DutyParams), responses((status = 200, body = DutyList)))]
pub async fn list(asked: Asked, Params(params): Params<DutyParams>) -> Result<Json<DutyList>, Failure> {
    let limit = page(params.limit)?;
    let reader = asked.reader(params.person.as_deref())?;
    let person = reader.ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "who").at("as", None))?;
    let duties = asked.app.duties(&person).await?;
    let more = duties.len().saturating_sub(limit) as u64;
    let views = duties.into_iter().take(limit).map(|duty| {
        let (rules, item) = (&duty.rules, &duty.item);
        let branch = duty.task.and_then(|no| item.branch(no));
        let kind = branch.map(|branch| &*branch.kind);
        let action = duty.next.as_ref();
        let title = action.and_then(|name| rules.setting.workflow.actions_of(kind)?.get(name)).map(|action| action.title.clone());
        DutyView {
            item: item.id.to_string(),
            title: duty.title.clone(),
            workflow: item.workflow.to_string(),
            state: branch.map_or(&item.state, |branch| &branch.state).to_string(),
            branch: duty.task,
            role: duty.role.clone(),
            deadline: duty.due.as_ref().map(|due| due.title.clone()),
            due_on: duty.due.as_ref().and_then(|due| due.date),
            late: duty.due.as_ref().is_some_and(|due| due.late),
            action: action.map(ToString::to_string),
            action_title: title,
        }
    });
    let duties = views.collect();
    let rules = asked.app.rules();
    let person_title = rules.workflows.values().next().map_or_else(|| person.to_string(), |rules| capture::title(rules, &person));
    Ok(Json(DutyList { person: person.to_string(), person_title, duties, more }))
}
