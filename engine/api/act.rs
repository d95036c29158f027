//! Acting, for programs: one action on one item, or many at once, done or only tried. A key makes each of them happen once.

use super::Api;
use super::problem::{Failure, ProblemDetails};
use super::request::{Asked, Named, Object, Sent, check_day, check_name, header_text};
use crate::app::{ActError, Done, Group, GroupAnswer, How, random_text};
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::value::Fields;
use crate::kernel::words::Lang;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// So many actions at once; a longer list is an import.
const MOST: usize = 10_000;

/// The part of an item on which something is done: its number, or its kind with the unit, person or number that tells it apart.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Branch {
    No(u32),
    Named(String),
}

#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActRequest {
    /// What the action asks for, by name: texts, whole numbers, `true`, `2026-02-28`, ids or titles of persons and units, lists.
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    input: Fields,
    branch: Option<Branch>,
    /// The day on which it was done, when it is entered later.
    on: Option<NaiveDate>,
    /// The person who does it; a person's own token acts for that person alone.
    by: Option<String>,
    /// Say what would happen, and do nothing.
    dry_run: bool,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActAnswer {
    item: String,
    rev: u64,
    state: String,
    /// How many notices it caused.
    notices: u64,
    /// It had been done before under the same key; this is the first answer.
    repeated: bool,
    dry_run: bool,
}

fn answer(done: Done, dry_run: bool) -> ActAnswer {
    let Done { item, workflow: _, rev, state, notices, repeated } = done;
    ActAnswer { item: item.to_string(), rev, state: state.to_string(), notices, repeated, dry_run }
}

/// Do an action on an item
///
/// An action that makes items makes this one. The same `Idempotency-Key` again is the same answer, and nothing is done twice; the same key
/// with another request is answered with 422 (`command_reused`), and nothing is done.
#[utoipa::path(post, path = "/items/{item}/actions/{action}", tag = "actions", request_body = ActRequest,
    params(("item" = String, Path, min_length = 1, max_length = 200), ("action" = String, Path, min_length = 1, max_length = 200),
        ("Idempotency-Key" = Option<String>, Header, description = "One for each thing that shall happen once; the same with another request is answered with 422"),
        ("If-Match" = Option<String>, Header, description = "The ETag of the item that was seen: refused when it has changed since")),
    responses((status = 200, body = ActAnswer, headers(("ETag" = String)))))]
pub async fn one(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Named((item, action)): Named<(String, String)>,
    headers: HeaderMap,
    Sent(request): Sent<ActRequest>,
) -> Result<Response, Failure> {
    let id = header_text(&headers, "idempotency-key")?.unwrap_or_else(random_text);
    let seen_rev = seen_rev(&headers)?;
    let by = asked.doer(request.by.as_deref())?;
    let command = Command {
        id: id.into(),
        item: item.into(),
        branch: request.branch.map(address),
        action: action.into(),
        input: request.input,
        by,
        via: Some("api".into()),
        effective_on: check_day(request.on, "/on")?,
        seen_rev,
    };
    let done = match request.dry_run {
        true => {
            let how = How { dry_run: true, ..How::default() };
            let (mut answers, _) = asked.app.together(&[vec![command]], how).await?;
            one_of(answers.pop())?
        }
        false => asked.app.act(&command).await?,
    };
    if !request.dry_run {
        api.pulse.wake();
    }
    let tag = format!("\"{}\"", done.rev);
    Ok(([(header::ETAG, tag)], Json(answer(done, request.dry_run))).into_response())
}

/// The revision that the caller saw: all that counts of an ETag here.
fn seen_rev(headers: &HeaderMap) -> Result<Option<u64>, Failure> {
    let Some(tag) = header_text(headers, "if-match")? else { return Ok(None) };
    if tag == "*" {
        return Ok(None);
    }
    let quoted = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
    let rev = quoted.and_then(|tag| tag.split('-').next()?.parse().ok());
    rev.map(Some).ok_or_else(|| Failure::of(StatusCode::BAD_REQUEST, "bad_header").with("header", "if-match"))
}

fn address(branch: Branch) -> BranchAddress {
    match branch {
        Branch::No(no) => BranchAddress::No(no),
        Branch::Named(text) => text.trim().parse().map_or_else(|_| BranchAddress::Named(text.trim().to_string()), BranchAddress::No),
    }
}

fn one_of(answer: Option<GroupAnswer>) -> Result<Done, ActError> {
    match answer {
        Some(Ok(mut done)) => done.pop().ok_or_else(|| ActError::Store(crate::store::StoreError::NotDone("nothing was asked".into()))),
        Some(Err((_, error))) => Err(error),
        None => Err(ActError::Store(crate::store::StoreError::NotDone("nothing was asked".into()))),
    }
}

/// Many actions, in their order.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ManyRequest {
    #[schema(min_items = 1, max_items = 10000, value_type = Vec<OneOfMany>)]
    actions: Vec<Object<OneOfMany>>,
    /// `each`: those that are refused are left out. `all_or_none`: one refusal keeps everything from being done.
    #[serde(default)]
    how: Together,
    #[serde(default)]
    dry_run: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Together {
    #[default]
    Each,
    AllOrNone,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OneOfMany {
    item: String,
    action: String,
    #[serde(default)]
    #[schema(value_type = std::collections::BTreeMap<String, serde_json::Value>)]
    input: Fields,
    #[serde(default)]
    branch: Option<Branch>,
    #[serde(default)]
    on: Option<NaiveDate>,
    /// The person who does it; a person's own token acts for that person alone.
    #[serde(default)]
    by: Option<String>,
    /// The revision of the item that was seen.
    #[serde(default)]
    rev: Option<u64>,
    /// Its own idempotency key; otherwise made of the request's and its place in the list.
    #[serde(default)]
    key: Option<String>,
}

/// What each came to, in the order of the request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ManyAnswer {
    rows: Vec<RowAnswer>,
    /// How many were done, or could be.
    done: usize,
    refused: usize,
    /// Nothing is written in a dry run, nor when all were to be done or none and one was refused.
    written: bool,
    dry_run: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct RowAnswer {
    item: String,
    action: String,
    #[schema(required)]
    done: Option<ActAnswer>,
    #[schema(required)]
    refused: Option<ProblemDetails>,
}

/// Do many actions: each for itself, or all or none
///
/// The answer is 200 with what each came to; `written` says whether anything was done.
#[utoipa::path(post, path = "/actions", tag = "actions", request_body = ManyRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "One for the whole list; the same with another list is answered with 422 (`command_reused`), action by action")),
    responses((status = 200, body = ManyAnswer)))]
pub async fn many(
    State(api): State<Arc<Api>>,
    asked: Asked,
    headers: HeaderMap,
    Sent(request): Sent<ManyRequest>,
) -> Result<Json<ManyAnswer>, Failure> {
    if request.actions.is_empty() || request.actions.len() > MOST {
        return Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_count").with("most", MOST).at("/actions", None));
    }
    let id = header_text(&headers, "idempotency-key")?.unwrap_or_else(random_text);
    let mut commands = Vec::with_capacity(request.actions.len());
    for (place, Object(action)) in request.actions.into_iter().enumerate() {
        for name in [&action.item, &action.action].into_iter().chain(&action.key) {
            check_name(name)?;
        }
        commands.push(Command {
            id: action.key.unwrap_or_else(|| format!("{id}:{}", place + 1)).into(),
            item: action.item.into(),
            branch: action.branch.map(address),
            action: action.action.into(),
            input: action.input,
            by: asked.doer(action.by.as_deref())?,
            via: Some("api".into()),
            effective_on: check_day(action.on, &format!("/actions/{place}/on"))?,
            seen_rev: action.rev,
        });
    }
    let (answers, written) = match (request.dry_run, request.how) {
        (false, Together::Each) => {
            let answers = asked.app.act_all(&commands).await;
            let written = answers.iter().any(Result::is_ok);
            (answers, written)
        }
        (dry_run, _) => {
            let groups: Vec<Group> = commands.iter().map(|command| vec![command.clone()]).collect();
            let (answers, written) = asked.app.together(&groups, How { dry_run, ..How::default() }).await?;
            (answers.into_iter().map(|answer| one_of(Some(answer))).collect(), written)
        }
    };
    api.pulse.wake();
    let rows: Vec<RowAnswer> =
        commands.iter().zip(answers).map(|(command, answer)| row(command, answer, request.dry_run, asked.lang)).collect();
    let done = rows.iter().filter(|row| row.done.is_some()).count();
    Ok(Json(ManyAnswer { done, refused: rows.len() - done, rows, written, dry_run: request.dry_run }))
}

fn row(command: &Command, result: Result<Done, ActError>, dry_run: bool, lang: Lang) -> RowAnswer {
    let (done, refused) = match result {
        Ok(done) => (Some(answer(done, dry_run)), None),
        Err(error) => (None, Some(Failure::from(error).details(lang))),
    };
    RowAnswer { item: command.item.to_string(), action: command.action.to_string(), done, refused }
}
