//! Who may do an action on an item, for programs of the office: each way of doing it with whoever holds its role.

use super::explain::branch_address;
use super::items::unknown_item;
use super::problem::Failure;
use super::request::{Asked, Named, Params};
use super::why::RoleView;
use crate::kernel::explain::doers::{self, Doer, WayExplained};
use axum::Json;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DoersParams {
    /// A branch: its number, or its kind with the unit or person.
    branch: Option<String>,
}

/// Who may do an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct Doers {
    item: String,
    action: String,
    title: String,
    #[schema(required)]
    branch: Option<u32>,
    /// In the order of the rules; empty when only the engine does it.
    ways: Vec<DoersWay>,
}

/// A role that may do it.
#[derive(Debug, Serialize, ToSchema)]
pub struct DoersWay {
    role: RoleView,
    /// Only if this holds.
    #[schema(required)]
    when: Option<String>,
    /// It is recorded as done on behalf of this role.
    #[schema(required)]
    on_behalf_of: Option<String>,
    persons: Vec<DoerView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DoerView {
    person: String,
    title: String,
    /// May they do it now in this way, as far as can be said without the input?
    open: bool,
    /// What stands in the way, in its own sentence.
    #[schema(required)]
    refused: Option<String>,
}

/// Who may do an action on an item, for the office
#[utoipa::path(get, path = "/items/{item}/actions/{action}/persons", tag = "explain",
    params(("item" = String, Path, min_length = 1, max_length = 200), ("action" = String, Path, min_length = 1, max_length = 200), DoersParams),
    responses((status = 200, body = Doers)))]
pub async fn doers(
    asked: Asked,
    Named((id, name)): Named<(String, String)>,
    Params(params): Params<DoersParams>,
) -> Result<Json<Doers>, Failure> {
    asked.office_only()?;
    let look = asked.app.look(&id, None).await?.ok_or_else(|| unknown_item(&id))?;
    let branch = params.branch.as_deref().map(branch_address);
    let explained = doers::explain(&look.rules, &look.item, &name, branch, asked.lang).map_err(|no| Failure::refused(no).in_query())?;
    Ok(Json(Doers {
        item: id,
        action: explained.action.to_string(),
        title: explained.title,
        branch: explained.branch,
        ways: explained.ways.into_iter().map(way).collect(),
    }))
}

fn way(way: WayExplained) -> DoersWay {
    DoersWay {
        role: RoleView::from(way.role),
        when: way.when.map(|when| when.to_string()),
        on_behalf_of: way.on_behalf_of.map(|role| role.to_string()),
        persons: way.persons.into_iter().map(doer).collect(),
    }
}

fn doer(doer: Doer) -> DoerView {
    DoerView { person: doer.person.to_string(), title: doer.title, open: doer.open, refused: doer.refused }
}
