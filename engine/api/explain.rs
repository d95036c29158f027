//! Why a date is that date and why an action is open or not, for programs: the kernel's own explanation with its sentences.

use super::items::unknown_item;
use super::problem::{Failure, nearest};
use super::request::{Asked, Named, Params};
use crate::kernel::explain::{action, due};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::item::{ClockEndHow, DueStep};
use crate::kernel::model::problem::Place;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, due as due_words};
use axum::Json;
use axum::http::StatusCode;
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One step on the way to a date.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepView {
    /// The day to which it leads.
    #[schema(required)]
    day: Option<NaiveDate>,
    says: String,
}

/// A line of the rule set.
#[derive(Debug, Serialize, ToSchema)]
pub struct PlaceView {
    file: String,
    line: u32,
    column: u32,
}

impl From<Place> for PlaceView {
    fn from(place: Place) -> PlaceView {
        PlaceView { file: place.file.to_string(), line: place.line, column: place.column }
    }
}

pub fn steps(rules: &Rules, steps: &[DueStep], lang: Lang) -> Vec<StepView> {
    let title = |name: &str| due::name_of(rules, name);
    steps.iter().map(|step| StepView { day: due_words::gives(step), says: due_words::step(lang, step, title) }).collect()
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DueParams {
    /// A deadline by its name or title; all of the item without it.
    deadline: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DuesExplained {
    item: String,
    /// The day on which it was asked.
    today: NaiveDate,
    due: Vec<DueView>,
}

/// Why a due date is that date.
#[derive(Debug, Serialize, ToSchema)]
pub struct DueView {
    deadline: String,
    title: String,
    #[schema(required)]
    branch: Option<String>,
    cycle: u32,
    #[schema(required)]
    date: Option<NaiveDate>,
    provisional: bool,
    #[schema(required)]
    working_days_left: Option<i64>,
    #[schema(required)]
    ended_on: Option<NaiveDate>,
    #[schema(required)]
    ended: Option<Ended>,
    late: bool,
    /// After the date an action is closed; it is never late.
    window: bool,
    paused: bool,
    steps: Vec<StepView>,
    /// Reminders and escalations so far.
    fired: Vec<FiredView>,
    coming: Vec<ComingView>,
    /// Where the deadline is declared.
    #[schema(required)]
    place: Option<PlaceView>,
    /// Hash of the rule set.
    rules: String,
}

#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    Done,
    Replaced,
    Dropped,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FiredView {
    rung: String,
    on: NaiveDate,
    /// Why nothing was told.
    #[schema(required)]
    skipped: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ComingView {
    rung: String,
    day: NaiveDate,
    /// When its mail leaves.
    leaves_on: NaiveDate,
    tells: Vec<String>,
    /// Told only if a condition holds then.
    conditional: bool,
}

/// Why a due date is that date
#[utoipa::path(get, path = "/items/{item}/due", tag = "explain", params(("item" = String, Path, min_length = 1, max_length = 200), DueParams),
    responses((status = 200, body = DuesExplained)))]
pub async fn dues(asked: Asked, Named(id): Named<String>, Params(params): Params<DueParams>) -> Result<Json<DuesExplained>, Failure> {
    let look = asked.app.look(&id, None).await?.ok_or_else(|| unknown_item(&id))?;
    let (rules, item) = (&look.rules, &look.item);
    let name = params.deadline.as_deref().map(|text| deadline_named(rules, text)).transpose()?;
    let due = due::explain(rules, item, name.as_deref()).into_iter().map(|due| view(rules, due, asked.lang)).collect();
    Ok(Json(DuesExplained { item: id, today: item.today, due }))
}

/// A deadline by its name or title.
pub fn deadline_named(rules: &Rules, text: &str) -> Result<Name, Failure> {
    let deadlines = &rules.setting.workflow.deadlines;
    let found = deadlines.iter().find(|(name, deadline)| ***name == *text || deadline.title == text).map(|(name, _)| name.clone());
    found.ok_or_else(|| {
        let known: Vec<&str> = deadlines.keys().map(|name| &**name).collect();
        let near = nearest(text, known.iter().copied());
        Failure::of(StatusCode::NOT_FOUND, "no_deadline").with("deadline", text).with("known", known.join(", ")).at("deadline", near)
    })
}

fn view(rules: &Rules, due: due::DueExplained, lang: Lang) -> DueView {
    DueView {
        steps: steps(rules, &due.steps, lang),
        deadline: due.deadline.to_string(),
        title: due.title,
        branch: due.branch,
        cycle: due.cycle,
        date: due.date,
        provisional: due.provisional,
        working_days_left: due.working_days_left,
        ended_on: due.ended.map(|(on, _)| on),
        ended: due.ended.map(|(_, how)| match how {
            ClockEndHow::Done => Ended::Done,
            ClockEndHow::Replaced => Ended::Replaced,
            ClockEndHow::Dropped => Ended::Dropped,
        }),
        late: due.late,
        window: due.window,
        paused: due.paused,
        fired: due
            .fired
            .into_iter()
            .map(|fired| FiredView { rung: fired.rung.to_string(), on: fired.on, skipped: fired.skipped.map(|why| why.to_string()) })
            .collect(),
        coming: due
            .coming
            .into_iter()
            .map(|coming| ComingView {
                rung: coming.rung.to_string(),
                day: coming.day,
                leaves_on: coming.leaves_on,
                tells: coming.tells.iter().map(|notice| notice.to_string()).collect(),
                conditional: coming.conditional,
            })
            .collect(),
        place: due.place.map(PlaceView::from),
        rules: due.rules.to_string(),
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ActionParams {
    /// The person who would do it; a person's own token is for that person alone.
    #[serde(rename = "as")]
    #[param(rename = "as")]
    person: Option<String>,
    /// A branch: its number, or its kind with the unit or person.
    branch: Option<String>,
}

/// Why a person may, or may not, do an action.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionExplained {
    item: String,
    action: String,
    title: String,
    #[schema(required)]
    branch: Option<u32>,
    person: String,
    /// As far as can be said without the input.
    open: bool,
    checks: Vec<CheckView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// `state`, `role`, `rule` or `window`
    what: String,
    /// Null: asked when it is sent, because it reads the input.
    #[schema(required)]
    holds: Option<bool>,
    says: String,
    /// The condition of a rule.
    #[schema(required)]
    source: Option<String>,
    #[schema(required)]
    place: Option<PlaceView>,
}

/// Why a person may, or may not, do an action
#[utoipa::path(get, path = "/items/{item}/actions/{action}", tag = "explain",
    params(("item" = String, Path, min_length = 1, max_length = 200), ("action" = String, Path, min_length = 1, max_length = 200), ActionParams), responses((status = 200, body = ActionExplained)))]
pub async fn action(
    asked: Asked,
    Named((id, name)): Named<(String, String)>,
    Params(params): Params<ActionParams>,
) -> Result<Json<ActionExplained>, Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let person = person.ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "who").at("as", None))?;
    let look = asked.app.look(&id, Some(person.clone())).await?.ok_or_else(|| unknown_item(&id))?;
    let command = Command {
        id: "explain".into(),
        item: look.item.id.clone(),
        branch: params.branch.as_deref().map(branch_address),
        action: name.as_str().into(),
        input: Default::default(),
        by: person,
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    let explained = action::explain(&look.rules, &look.item, &command, asked.lang).map_err(|no| Failure::refused(no).in_query())?;
    let checks = explained.checks.into_iter().map(|check| CheckView {
        what: check.what.to_string(),
        holds: check.holds,
        says: check.says,
        source: check.source.map(|source| source.to_string()),
        place: check.place.map(PlaceView::from),
    });
    Ok(Json(ActionExplained {
        item: id,
        action: explained.action.to_string(),
        title: explained.title,
        branch: explained.branch,
        person: explained.person.to_string(),
        open: explained.open,
        checks: checks.collect(),
    }))
}

/// A branch as people write it: a number alone, or its kind with what tells it apart.
pub fn branch_address(text: &str) -> BranchAddress {
    text.trim().parse().map_or_else(|_| BranchAddress::Named(text.trim().to_string()), BranchAddress::No)
}
