//! Items for programs: a page of a list, one item with all that this person may see of it, and what may be done with it.

use super::problem::{Failure, ProblemDetails};
use super::request::{Asked, Named, Params};
use crate::app::App;
use crate::app::list::{ListError, Which};
use crate::app::look::{Look, Offered, ShownField};
use crate::kernel::decide::capture;
use crate::kernel::explain;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::Flag;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::value::Fields;
use crate::kernel::words::Lang;
use crate::store::facts::hex;
use crate::store::items::Listed;
use axum::Json;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Rows of a page.
const PAGE: usize = 50;
pub const LARGEST_PAGE: usize = 500;

/// How late something is, by the rules' own marks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    Amber,
    Red,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Marked {
    None,
    Amber,
    Red,
}

impl From<Flag> for Mark {
    fn from(flag: Flag) -> Mark {
        match flag {
            Flag::Amber => Mark::Amber,
            Flag::Red => Mark::Red,
        }
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// Only this workflow.
    workflow: Option<String>,
    /// A state, by its name or title.
    state: Option<String>,
    /// Text that stands in one of its fields.
    text: Option<String>,
    #[param(inline)]
    flag: Option<Marked>,
    /// A unit that works on it, by id or name.
    unit: Option<String>,
    /// Only what has not ended.
    #[serde(default)]
    open: bool,
    /// Where the page begins: `next` of the page before.
    after: Option<String>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

/// Some of the items, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemPage {
    items: Vec<ItemRow>,
    /// Give it as `after` for the next page; null when this is the last. A page may be short, or empty, and others follow.
    #[schema(required)]
    next: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct ItemRow {
    id: String,
    workflow: String,
    title: String,
    state: String,
    state_title: String,
    #[schema(required)]
    flag: Option<Mark>,
    /// The next due date.
    #[schema(required)]
    due_on: Option<NaiveDate>,
    #[schema(required)]
    ended_on: Option<NaiveDate>,
    rev: u64,
    /// Deadline (with `#` and the number of its branch) → date.
    dues: BTreeMap<String, String>,
    /// Fields that everybody may see.
    fields: BTreeMap<String, serde_json::Value>,
    /// Why the engine does not work on it.
    #[schema(required)]
    set_aside: Option<String>,
}

/// Items, a page at a time
#[utoipa::path(get, path = "/items", tag = "items", params(ListParams), responses((status = 200, body = ItemPage)))]
pub async fn list(asked: Asked, Params(params): Params<ListParams>) -> Result<Json<ItemPage>, Failure> {
    let ListParams { workflow, state, text, flag, unit, open, after, limit } = params;
    let limit = page(limit)?;
    if let Some(wanted) = &workflow {
        let rules = asked.app.rules();
        if !rules.workflows.contains_key(wanted.as_str()) {
            let values = vec![("workflow".to_string(), wanted.clone())];
            return Err(Failure::refused(Refusal { code: RefusalCode::UnknownWorkflow, sentence: None, rule: None, values }));
        }
    }
    let flag = flag.map(|flag| match flag {
        Marked::None => "none".to_string(),
        Marked::Amber => "amber".to_string(),
        Marked::Red => "red".to_string(),
    });
    let which = Which { workflow, state, text, flag, unit, fields: Vec::new(), open, late: false };
    let page = asked.app.list(&which, after.as_deref().unwrap_or_default(), limit).await.map_err(|error| match error {
        ListError::State { state, known } => {
            Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "no_state").with("state", state).with("known", known.join(", "))
        }
        ListError::Unit(unit) => Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "no_unit").with("unit", unit),
        ListError::Store(error) => error.into(),
    })?;
    let items = page.rows.into_iter().map(|row| item_row(&asked.app, row)).collect();
    Ok(Json(ItemPage { items, next: page.next }))
}

/// The wished size of a page.
pub fn page(limit: Option<usize>) -> Result<usize, Failure> {
    let limit = limit.unwrap_or(PAGE);
    match (1..=LARGEST_PAGE).contains(&limit) {
        true => Ok(limit),
        false => Err(Failure::of(StatusCode::BAD_REQUEST, "bad_limit").with("most", LARGEST_PAGE)),
    }
}

fn item_row(app: &App, row: Listed) -> ItemRow {
    let state_title = app.state_title(&row);
    let fields: Fields = serde_json::from_value(row.fields).unwrap_or_default();
    let flag = match row.flag.as_deref() {
        Some("red") => Some(Mark::Red),
        Some(_) => Some(Mark::Amber),
        None => None,
    };
    ItemRow {
        flag,
        state_title,
        id: row.id,
        workflow: row.workflow,
        title: row.title,
        state: row.state,
        due_on: row.due_on,
        ended_on: row.ended_on,
        rev: row.rev,
        dues: serde_json::from_value(row.dues).unwrap_or_default(),
        fields: fields.iter().map(|(name, value)| (name.to_string(), capture::plain(value))).collect(),
        set_aside: row.quarantine,
    }
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReaderParams {
    /// What this person may see and do; a person's own token is for that person alone.
    #[serde(rename = "as")]
    #[param(rename = "as")]
    person: Option<String>,
}

/// One item.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemView {
    id: String,
    workflow: String,
    title: String,
    rev: u64,
    state: String,
    state_title: String,
    since: NaiveDate,
    ended: bool,
    #[schema(required)]
    flag: Option<Mark>,
    #[schema(required)]
    set_aside: Option<String>,
    fields: Vec<FieldView>,
    branches: Vec<BranchView>,
    /// Those that run.
    deadlines: Vec<DeadlineView>,
    /// What happened, from the beginning.
    timeline: Vec<FactView>,
    /// What was told: to everybody when the office asks, else to this person.
    notices: Vec<super::outbox::NoticeRow>,
    /// For this person; empty when nobody is named.
    actions: Vec<ActionView>,
}

/// A field that has a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldView {
    name: String,
    title: String,
    /// Persons and units by their ids, dates as `2026-02-28`; null while this person may not see it.
    value: serde_json::Value,
    /// As people read it.
    text: String,
    hidden: bool,
}

/// Parallel work inside the item.
#[derive(Debug, Serialize, ToSchema)]
pub struct BranchView {
    no: u32,
    kind: String,
    name: String,
    state: String,
    state_title: String,
    since: NaiveDate,
    ended: bool,
    cancelled: bool,
    /// Null while this person may not see them.
    #[schema(required)]
    fields: Option<Vec<FieldView>>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeadlineView {
    deadline: String,
    title: String,
    #[schema(required)]
    branch: Option<String>,
    #[schema(required)]
    date: Option<NaiveDate>,
    /// The official calendar does not reach so far yet.
    provisional: bool,
    /// Negative when it is late.
    #[schema(required)]
    working_days_left: Option<i64>,
    late: bool,
    paused: bool,
    /// Each step of why.
    steps: Vec<super::explain::StepView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct FactView {
    seq: u64,
    name: String,
    title: String,
    #[schema(required)]
    branch: Option<u32>,
    /// The civil day on which it counts as done.
    on: NaiveDate,
    recorded_at: DateTime<Utc>,
    /// Role and person, as people read it.
    actor: String,
    /// By id; null for the engine itself.
    #[schema(required)]
    person: Option<String>,
    /// How they came in; told to the office only.
    #[schema(required)]
    via: Option<String>,
    /// Hash of the rule set under which it was decided.
    rules: String,
}

/// An action, open or refused with its sentence.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActionView {
    action: String,
    title: String,
    /// The number of the branch on which it would be done.
    #[schema(required)]
    branch: Option<u32>,
    #[schema(required)]
    branch_name: Option<String>,
    /// What depends on the input is asked when it is sent.
    open: bool,
    #[schema(required)]
    refused: Option<ProblemDetails>,
}

/// One item: state, branches, deadlines with why, timeline, and what may be done
///
/// The answer carries an `ETag` that begins with the item's revision: give it as `If-None-Match` here, or as `If-Match` when acting.
#[utoipa::path(get, path = "/items/{item}", tag = "items", params(("item" = String, Path, min_length = 1, max_length = 200), ReaderParams,
    ("If-None-Match" = Option<String>, Header, description = "An ETag that is known already")),
    responses((status = 200, body = ItemView, headers(("ETag" = String))), (status = 304, description = "It is as you know it")))]
pub async fn show(
    asked: Asked,
    Named(id): Named<String>,
    Params(params): Params<ReaderParams>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let look = asked.app.look(&id, person).await?.ok_or_else(|| unknown_item(&id))?;
    let body = serde_json::to_vec(&view(&look, &asked)?).unwrap_or_default();
    let digest: String = hex(&Sha256::digest(&body)).chars().take(16).collect();
    let tag = format!("\"{}-{digest}\"", look.item.rev);
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    if known.map(|known| known.trim().trim_start_matches("W/")).any(|known| known == tag || known == "*") {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(([(header::ETAG, tag.as_str()), (header::CONTENT_TYPE, "application/json")], body).into_response())
}

pub fn unknown_item(id: &str) -> Failure {
    let values = vec![("item".to_string(), id.to_string())];
    Failure::refused(Refusal { code: RefusalCode::UnknownItem, sentence: None, rule: None, values })
}

fn view(look: &Look, asked: &Asked) -> Result<ItemView, Failure> {
    let (rules, item, lang) = (&look.rules, &look.item, asked.lang);
    let workflow = &rules.setting.workflow;
    let fields = look.fields(lang)?;
    let title = fields
        .iter()
        .find(|field| &*field.name == "title" && !field.hidden)
        .map_or_else(|| item.id.to_string(), |field| field.text.clone());
    // Without a person it is the office that looks: what stands in a branch is hidden from it, that it is there is not.
    let hidden = if look.person.is_some() { look.hidden_branches()? } else { Default::default() };
    let is_shown = |branch: Option<u32>| branch.is_none_or(|no| !hidden.contains(&no));
    let branches = item.branches.iter().filter(|branch| is_shown(Some(branch.no))).map(|branch| {
        Ok(BranchView {
            no: branch.no,
            kind: branch.kind.to_string(),
            name: look.branch_name(branch),
            state: branch.state.to_string(),
            state_title: look.branch_values(branch)["state_title"].as_str().unwrap_or(&branch.state).to_string(),
            since: branch.since,
            ended: branch.ended,
            cancelled: branch.cancelled,
            fields: look.branch_fields(branch, lang)?.map(|fields| fields.into_iter().map(field_view).collect()),
        })
    });
    let running = explain::due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none() && is_shown(due.branch_number));
    let own = |person: &str| asked.is_office() || look.person.as_ref().is_some_and(|own| **own == *person);
    let notices = look.notices.iter().filter(|notice| own(&notice.person));
    let actions = match &look.person {
        Some(person) => look.offers(person)?,
        None => Vec::new(),
    };
    Ok(ItemView {
        id: item.id.to_string(),
        workflow: item.workflow.to_string(),
        title,
        rev: item.rev,
        state: item.state.to_string(),
        state_title: workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone()),
        since: item.since,
        ended: item.ended,
        flag: item.flag.map(Mark::from),
        set_aside: look.set_aside.clone(),
        branches: branches.collect::<Result<_, crate::kernel::rules::EvalError>>()?,
        fields: fields.into_iter().map(field_view).collect(),
        deadlines: running
            .map(|due| DeadlineView {
                steps: super::explain::steps(rules, &due.steps, lang),
                deadline: due.deadline.to_string(),
                title: due.title,
                branch: due.branch,
                date: due.date,
                provisional: due.provisional,
                working_days_left: due.working_days_left,
                late: due.late,
                paused: due.paused,
            })
            .collect(),
        timeline: look.facts.iter().filter(|fact| is_shown(fact.branch)).map(|fact| fact_view(look, fact, asked)).collect(),
        notices: notices.map(|notice| super::outbox::notice_row(rules, &item.id, notice.clone(), lang)).collect(),
        actions: actions.into_iter().map(|offer| action_view(offer, lang)).collect(),
    })
}

fn field_view(field: ShownField) -> FieldView {
    FieldView { name: field.name.to_string(), title: field.title, value: field.raw, text: field.text, hidden: field.hidden }
}

fn fact_view(look: &Look, fact: &Fact, asked: &Asked) -> FactView {
    FactView {
        seq: fact.seq,
        name: fact.name.to_string(),
        title: look.fact_title(fact, asked.lang),
        branch: fact.branch,
        on: fact.effective_on,
        recorded_at: fact.recorded_at,
        actor: look.actor(fact, asked.lang),
        person: fact.actor.person.as_ref().map(|person| person.to_string()),
        via: fact.actor.via.clone().filter(|_| asked.is_office()),
        rules: fact.rules.to_string(),
    }
}

fn action_view(offer: Offered, lang: Lang) -> ActionView {
    ActionView {
        action: offer.action.to_string(),
        title: offer.title,
        branch: offer.branch,
        branch_name: offer.branch_name,
        open: offer.refusal.is_none(),
        refused: offer.refusal.map(|refusal| Failure::refused(refusal).details(lang)),
    }
}

/// What a person may do with an item now.
#[derive(Debug, Serialize, ToSchema)]
pub struct Actions {
    item: String,
    rev: u64,
    person: String,
    /// The open ones first.
    actions: Vec<ActionView>,
}

/// What a person may do with an item, and why not the rest
#[utoipa::path(get, path = "/items/{item}/actions", tag = "actions", params(("item" = String, Path, min_length = 1, max_length = 200), ReaderParams),
    responses((status = 200, body = Actions)))]
pub async fn actions(asked: Asked, Named(id): Named<String>, Params(params): Params<ReaderParams>) -> Result<Json<Actions>, Failure> {
    let person = asked.reader(params.person.as_deref())?;
    let person = person.ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "who").at("as", None))?;
    let look = asked.app.look(&id, Some(person.clone())).await?.ok_or_else(|| unknown_item(&id))?;
    let actions = look.offers(&person)?.into_iter().map(|offer| action_view(offer, asked.lang)).collect();
    Ok(Json(Actions { item: id, rev: look.item.rev, person: person.to_string(), actions }))
}
