//! Who holds a role, when an item is looked at next, and why somebody got no mail, for programs: the kernel's own explanation.

use super::explain::PlaceView;
use super::items::unknown_item;
use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params};
use crate::app::LoadError;
use crate::app::look::recorded;
use crate::kernel::explain::silence::{self, Question, Recorded, Silent, Why};
use crate::kernel::explain::{values, wakeups, who};
use axum::Json;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// When an item is looked at next, and why then.
#[derive(Debug, Serialize, ToSchema)]
pub struct WakeUps {
    item: String,
    /// The earliest of all; null when no clock owes anything more.
    #[schema(required)]
    next: Option<DateTime<Utc>>,
    clocks: Vec<ClockView>,
    /// Rounds over all open items.
    rounds: Vec<RoundView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ClockView {
    deadline: String,
    title: String,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    due: Option<NaiveDate>,
    #[schema(required)]
    next: Option<DateTime<Utc>>,
    /// What is owed then.
    rungs: Vec<String>,
    /// `paused`, `quiet`, `no_date` or `no_rung_left`
    #[schema(required)]
    why_not: Option<String>,
    #[schema(required)]
    place: Option<PlaceView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RoundView {
    sweep: String,
    title: String,
    cron: String,
    #[schema(required)]
    next: Option<DateTime<Utc>>,
    #[schema(required)]
    place: Option<PlaceView>,
}

/// When an item is looked at next, and why then
#[utoipa::path(get, path = "/items/{item}/wakeups", tag = "explain", params(("item" = String, Path, min_length = 1, max_length = 200)),
    responses((status = 200, body = WakeUps)))]
pub async fn wake_ups(asked: Asked, Named(id): Named<String>) -> Result<Json<WakeUps>, Failure> {
    let look = asked.app.look(&id, None).await?.ok_or_else(|| unknown_item(&id))?;
    let explained = wakeups::explain(&look.rules, &look.item, asked.app.now());
    let clocks = explained.clocks.into_iter().map(|clock| ClockView {
        deadline: clock.deadline.to_string(),
        title: clock.title,
        branch: clock.branch,
        due: clock.due,
        next: clock.next,
        rungs: clock.rungs.iter().map(|rung| rung.to_string()).collect(),
        why_not: clock.why_not.map(str::to_string),
        place: clock.place.map(PlaceView::from),
    });
    let rounds = explained.rounds.into_iter().map(|round| RoundView {
        sweep: round.sweep.to_string(),
        title: round.title,
        cron: round.cron,
        next: round.next,
        place: round.place.map(PlaceView::from),
    });
    Ok(Json(WakeUps { item: id, next: explained.next, clocks: clocks.collect(), rounds: rounds.collect() }))
}

/// Who holds a role in an item today.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleHeld {
    item: String,
    /// On the item, or on each open branch where the role hangs on the branch.
    held: Vec<RoleView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RoleView {
    role: String,
    title: String,
    #[schema(required)]
    branch: Option<u32>,
    /// The first whose condition holds counts; those behind it are not asked.
    cases: Vec<CaseView>,
    holders: Vec<HolderView>,
    #[schema(required)]
    place: Option<PlaceView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CaseView {
    /// As the author wrote it.
    who: String,
    #[schema(required)]
    when: Option<String>,
    #[schema(required)]
    holds: Option<bool>,
    seen: Vec<SeenView>,
    way: Vec<WayView>,
}

/// A value that a condition names.
#[derive(Debug, Serialize, ToSchema)]
pub struct SeenView {
    name: String,
    title: String,
    value: String,
}

/// The units on the way to a duty.
#[derive(Debug, Serialize, ToSchema)]
pub struct WayView {
    path: String,
    units: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct HolderView {
    person: String,
    title: String,
    /// Who is told instead today.
    #[schema(required)]
    stand_in: Option<String>,
    #[schema(required)]
    from: Option<NaiveDate>,
    #[schema(required)]
    to: Option<NaiveDate>,
    has_address: bool,
}

/// Who holds a role in an item today, for the office
#[utoipa::path(get, path = "/items/{item}/roles/{role}", tag = "explain",
    params(("item" = String, Path, min_length = 1, max_length = 200), ("role" = String, Path, min_length = 1, max_length = 200)),
    responses((status = 200, body = RoleHeld)))]
pub async fn role(asked: Asked, Named((id, role)): Named<(String, String)>) -> Result<Json<RoleHeld>, Failure> {
    asked.office_only()?;
    let look = asked.app.look(&id, None).await?.ok_or_else(|| unknown_item(&id))?;
    let roles = &look.rules.setting.workflow.roles;
    if !roles.contains_key(role.as_str()) {
        let known: Vec<&str> = roles.keys().map(|name| &**name).collect();
        let near = nearest(&role, known.iter().copied());
        return Err(Failure::of(StatusCode::NOT_FOUND, "no_role").with("role", &role).with("known", known.join(", ")).at("role", near));
    }
    let explained = who::explain(&look.rules, &look.item, &role, None).map_err(LoadError::from)?;
    Ok(Json(RoleHeld { item: id, held: explained.into_iter().map(RoleView::from).collect() }))
}

impl From<who::RoleExplained> for RoleView {
    fn from(held: who::RoleExplained) -> RoleView {
        RoleView {
            role: held.role.to_string(),
            title: held.title,
            branch: held.branch,
            cases: held.cases.into_iter().map(case).collect(),
            holders: held.holders.into_iter().map(holder).collect(),
            place: held.place.map(PlaceView::from),
        }
    }
}

fn case(case: who::CaseExplained) -> CaseView {
    CaseView {
        who: case.who,
        when: case.when.map(|when| when.to_string()),
        holds: case.holds,
        seen: case.seen.into_iter().map(SeenView::from).collect(),
        way: case.way.into_iter().map(|(path, units)| WayView { path, units }).collect(),
    }
}

impl From<values::Seen> for SeenView {
    fn from(seen: values::Seen) -> SeenView {
        SeenView { name: seen.name, title: seen.title, value: seen.value }
    }
}

fn holder(held: who::Held) -> HolderView {
    HolderView {
        person: held.person.to_string(),
        title: held.title,
        stand_in: held.stand_in.map(|person| person.to_string()),
        from: held.from,
        to: held.to,
        has_address: held.has_address,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SilenceParams {
    /// The person who got no mail; a person's own token is for that person alone.
    to: Option<String>,
    /// Nothing before this day is looked at.
    since: Option<NaiveDate>,
}

/// Why somebody got no mail about an item.
#[derive(Debug, Serialize, ToSchema)]
pub struct Silence {
    item: String,
    person: String,
    since: NaiveDate,
    /// What goes to them comes first.
    reasons: Vec<SilentView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct SilentView {
    notice: String,
    title: String,
    #[schema(required)]
    deadline: Option<String>,
    #[schema(required)]
    rung: Option<String>,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    day: Option<NaiveDate>,
    /// `told`, `not_addressed`, `not_yet`, `superseded`, `condition`, `paused`, `quiet`, `ended`, `before_start`, `exhausted`, `not_started` or `no_date`
    why: String,
    /// What became of the notice, where it was told.
    #[schema(required)]
    status: Option<String>,
    /// When it leaves.
    #[schema(required)]
    leaves_on: Option<NaiveDate>,
    /// The condition that does not hold, with what it saw.
    #[schema(required)]
    condition: Option<String>,
    seen: Vec<SeenView>,
    #[schema(required)]
    place: Option<PlaceView>,
}

/// Why somebody got no mail about an item
#[utoipa::path(get, path = "/items/{item}/silence", tag = "explain", params(("item" = String, Path, min_length = 1, max_length = 200), SilenceParams),
    responses((status = 200, body = Silence)))]
pub async fn silence(asked: Asked, Named(id): Named<String>, Params(params): Params<SilenceParams>) -> Result<Json<Silence>, Failure> {
    let person = asked.reader(params.to.as_deref())?;
    let person = person.ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "who").at("to", None))?;
    let look = asked.app.look(&id, Some(person.clone())).await?.ok_or_else(|| unknown_item(&id))?;
    let rows: Vec<Recorded> = look.notices.iter().map(recorded).collect();
    let question = Question { person: &person, since: params.since.unwrap_or(look.item.created_on), now: asked.app.now() };
    let reasons = silence::explain(&look.rules, &look.item, &look.facts, &rows, question).map_err(LoadError::from)?;
    // To whom else it goes is the office's to know.
    let reasons = reasons.into_iter().filter(|silent| asked.is_office() || !matches!(silent.why, Why::NotAddressed { .. })).map(silent);
    Ok(Json(Silence { item: id, person: person.to_string(), since: question.since, reasons: reasons.collect() }))
}

fn silent(silent: Silent) -> SilentView {
    let (why, status, leaves_on, condition) = match &silent.why {
        Why::Told { status, .. } => ("told", Some(status.to_string()), None, None),
        Why::NotAddressed { .. } => ("not_addressed", None, None, None),
        Why::NotYet { leaves_on } => ("not_yet", None, Some(*leaves_on), None),
        Why::Superseded { .. } => ("superseded", None, None, None),
        Why::Condition { source, .. } => ("condition", None, None, Some(source.to_string())),
        Why::Paused => ("paused", None, None, None),
        Why::Quiet => ("quiet", None, None, None),
        Why::Ended { .. } => ("ended", None, None, None),
        Why::BeforeStart => ("before_start", None, None, None),
        Why::Exhausted => ("exhausted", None, None, None),
        Why::NotStarted { .. } => ("not_started", None, None, None),
        Why::NoDate => ("no_date", None, None, None),
    };
    let saw = match silent.why {
        Why::Condition { seen, .. } => seen,
        _ => Vec::new(),
    };
    SilentView {
        notice: silent.notice.to_string(),
        title: silent.title,
        deadline: silent.deadline,
        rung: silent.rung.map(|rung| rung.to_string()),
        branch: silent.branch,
        day: silent.day,
        why: why.to_string(),
        status,
        leaves_on,
        condition,
        seen: saw.into_iter().map(SeenView::from).collect(),
        place: silent.place.map(PlaceView::from),
    }
}
