//! How a deadline of an item escalates, step by step, and whom it would reach today, for programs: the kernel's own explanation.

use super::explain::{PlaceView, deadline_named};
use super::items::{Mark, unknown_item};
use super::problem::Failure;
use super::request::{Asked, Named, Params};
use super::why::SeenView;
use crate::app::LoadError;
use crate::kernel::explain::ladder::{self, Addressee, LadderExplained, RungExplained};
use crate::kernel::model::Name;
use crate::kernel::model::definition::NoticeKind;
use axum::Json;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EscalationParams {
    /// A deadline by its name or title; all that run without it.
    deadline: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct Escalation {
    item: String,
    /// The day on which it was asked.
    today: NaiveDate,
    ladders: Vec<LadderView>,
}

/// A deadline that runs, or the last cycle of one that ran.
#[derive(Debug, Serialize, ToSchema)]
pub struct LadderView {
    deadline: String,
    title: String,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    due: Option<NaiveDate>,
    running: bool,
    /// Its rungs stand still: `paused` or `quiet`.
    #[schema(required)]
    held: Option<String>,
    rungs: Vec<RungView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RungView {
    rung: String,
    /// The day it stands on, of its next occurrence, or of the last that came.
    #[schema(required)]
    day: Option<NaiveDate>,
    /// When its mail would leave.
    #[schema(required)]
    leaves_on: Option<NaiveDate>,
    #[schema(required)]
    fired_on: Option<NaiveDate>,
    /// Why nothing was told then.
    #[schema(required)]
    skipped: Option<String>,
    #[schema(required)]
    flag: Option<Mark>,
    #[schema(required)]
    when: Option<String>,
    /// Whether its condition holds today.
    #[schema(required)]
    holds: Option<bool>,
    seen: Vec<SeenView>,
    /// What the engine does by itself.
    #[schema(required)]
    does: Option<String>,
    tells: Vec<TellsView>,
    #[schema(required)]
    place: Option<PlaceView>,
}

/// A notice with those who would get it today; whom else than themselves, a person is not told.
#[derive(Debug, Serialize, ToSchema)]
pub struct TellsView {
    notice: String,
    title: String,
    kind: Kind,
    to: Vec<AddresseeView>,
    cc: Vec<AddresseeView>,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Something happened.
    Message,
    /// Something falls due, or is late, told to whoever holds it.
    Reminder,
    /// Told to a body above.
    Escalation,
}

impl From<NoticeKind> for Kind {
    fn from(kind: NoticeKind) -> Kind {
        match kind {
            NoticeKind::Message => Kind::Message,
            NoticeKind::Reminder => Kind::Reminder,
            NoticeKind::Escalation => Kind::Escalation,
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub struct AddresseeView {
    person: String,
    title: String,
    role: String,
    role_title: String,
}

/// How deadlines escalate step by step, and who would be told today
#[utoipa::path(get, path = "/items/{item}/escalation", tag = "explain",
    params(("item" = String, Path, min_length = 1, max_length = 200), EscalationParams), responses((status = 200, body = Escalation)))]
pub async fn escalation(
    asked: Asked,
    Named(id): Named<String>,
    Params(params): Params<EscalationParams>,
) -> Result<Json<Escalation>, Failure> {
    let reader = asked.reader(None)?;
    let look = asked.app.look(&id, reader.clone()).await?.ok_or_else(|| unknown_item(&id))?;
    let name = params.deadline.as_deref().map(|text| deadline_named(&look.rules, text)).transpose()?;
    let explained = ladder::explain(&look.rules, &look.item, name.as_deref()).map_err(LoadError::from)?;
    let mut ladders = Vec::with_capacity(explained.len());
    for explained in explained {
        // Somebody who may not see a branch is not told how it stands.
        let hidden = match explained.branch_number.and_then(|no| look.item.branch(no)) {
            Some(branch) => !asked.is_office() && !look.sees_branch(branch).map_err(LoadError::from)?,
            None => false,
        };
        if !hidden {
            ladders.push(ladder_view(explained, reader.as_ref()));
        }
    }
    Ok(Json(Escalation { item: id, today: look.item.today, ladders }))
}

fn ladder_view(ladder: LadderExplained, reader: Option<&Name>) -> LadderView {
    LadderView {
        deadline: ladder.deadline.to_string(),
        title: ladder.title,
        branch: ladder.branch,
        due: ladder.due,
        running: ladder.running,
        held: ladder.held.map(str::to_string),
        rungs: ladder.rungs.into_iter().map(|rung| rung_view(rung, reader)).collect(),
    }
}

fn rung_view(rung: RungExplained, reader: Option<&Name>) -> RungView {
    let addressees = |list: Vec<Addressee>| {
        let meant = list.into_iter().filter(|one| reader.is_none_or(|reader| *reader == one.person));
        meant.map(addressee).collect()
    };
    let tells = rung.tells.into_iter().map(|told| TellsView {
        notice: told.notice.to_string(),
        title: told.title,
        kind: told.kind.into(),
        to: addressees(told.to),
        cc: addressees(told.cc),
    });
    RungView {
        tells: tells.collect(),
        rung: rung.rung.to_string(),
        day: rung.day,
        leaves_on: rung.leaves_on,
        fired_on: rung.fired_on,
        skipped: rung.skipped.map(|why| why.to_string()),
        flag: rung.flag.map(Mark::from),
        when: rung.when.map(|when| when.to_string()),
        holds: rung.holds,
        seen: rung.seen.into_iter().map(SeenView::from).collect(),
        does: rung.does,
        place: rung.place.map(PlaceView::from),
    }
}

fn addressee(one: Addressee) -> AddresseeView {
    AddresseeView { person: one.person.to_string(), title: one.title, role: one.role.to_string(), role_title: one.role_title }
}
