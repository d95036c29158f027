//! The local API: what the command line would write itself if no server held the file. Every route wants a token.
//!
//! Acting, lists and the outbox stand under `/api/v1` too. Here they take what the command line has read already (rows of a sheet, commands that
//! name the user of the machine) and answer in a form that it puts into words itself. The clock, a restored database and the note of a backup
//! concern all offices, and accounts open the door to people, so they are for whoever may read the lock file and for no program of an office; trying again what was set aside is
//! the administrator's.

use super::caller::Caller;
use super::client::{Changed, ImportRequest, LetGone, OutboxRequest, PublishAnswer, PublishRequest, Trouble};
use super::{Api, problem};
use crate::app::tokens::{TokenEnd, TokenWish};
use crate::app::{AccountEnd, AccountWish, ActError, Answer, App, NotPublished, PublishError};
use crate::kernel::check;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::time::Instant;
use crate::store::backup::LetGo;
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Bodies: a person's commands, and a list of many thousand rows.
const LARGEST: usize = 2 << 20;
const LARGEST_LIST: usize = 64 << 20;
/// A body that dribbles in for longer is given up.
const BODY_TIME: Duration = Duration::from_secs(30);

type Answered<T> = Result<Json<T>, Failure>;

/// An answer that is not 200.
pub struct Failure(StatusCode, Trouble);

pub async fn act(State(api): State<Arc<Api>>, request: Request) -> Answered<Vec<Answer>> {
    let (app, caller, commands): (_, _, Vec<Command>) = read(&api, request, LARGEST).await?;
    let for_others = |person: &Name| commands.iter().any(|command| command.by != *person);
    if matches!(&caller, Caller::Person(person) if for_others(person)) {
        return Err(Failure::of(StatusCode::FORBIDDEN, "a person's token acts for that person only"));
    }
    let answers: Vec<Answer> = app.act_all(&commands).await.into_iter().map(Answer::from).collect();
    api.pulse.wake();
    Ok(Json(answers))
}

pub async fn import(State(api): State<Arc<Api>>, request: Request) -> Answered<crate::app::import::Imported> {
    let (app, list): (_, ImportRequest) = office(&api, request, LARGEST_LIST).await?;
    let rules = app.rules().workflows.get(list.workflow.as_str()).cloned();
    let rules = rules.ok_or_else(|| {
        let values = vec![("workflow".to_string(), list.workflow.clone())];
        Failure::refused(Refusal { code: RefusalCode::UnknownWorkflow, sentence: None, rule: None, values })
    })?;
    let imported = app.import(&rules, &list.import, list.rows, &list.wishes, None).await?;
    api.pulse.wake();
    Ok(Json(imported))
}

pub async fn outbox(State(api): State<Arc<Api>>, request: Request) -> Answered<Changed> {
    let (app, wish): (_, OutboxRequest) = office(&api, request, LARGEST).await?;
    let changed = match wish.batch {
        Some(batch) => app.change_batch(batch, wish.cancel.as_deref()).await.map_err(ActError::Store)?,
        None => app.change_outbox(&wish.ids, wish.cancel.as_deref()).await?,
    };
    api.pulse.wake();
    Ok(Json(Changed { changed }))
}

pub async fn publish(State(api): State<Arc<Api>>, request: Request) -> Answered<PublishAnswer> {
    let (app, wish): (_, PublishRequest) = office(&api, request, LARGEST_LIST).await?;
    let files = wish.files;
    let read = tokio::task::spawn_blocking(move || check::load(&files).0).await;
    let rules = read.map_err(|error| Failure::of(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()))?;
    let Some(rules) = rules.map(Arc::new) else {
        return Ok(Json(PublishAnswer::No(NotPublished { why: "bad_rules".into(), values: Vec::new() })));
    };
    let answer = match app.publish_to_end(&wish.plan, &rules, &wish.who).await {
        Ok(done) => PublishAnswer::Done(done),
        Err(PublishError::No(no)) => PublishAnswer::No(no),
        Err(PublishError::Store(error)) => return Err(ActError::Store(error).into()),
    };
    api.pulse.wake();
    Ok(Json(answer))
}

pub async fn restored(State(api): State<Arc<Api>>, request: Request) -> Answered<LetGone> {
    let send = installation(&api, request, LARGEST).await?;
    let how = if send { LetGo::Send } else { LetGo::Cancel };
    let held = api.offices.let_go_restored(how).await.map_err(ActError::Store)?;
    api.pulse.wake();
    Ok(Json(LetGone { notices: held.notices, mails: held.mails }))
}

pub async fn backup(State(api): State<Arc<Api>>, request: Request) -> Answered<()> {
    let (file, at): (String, Instant) = installation(&api, request, LARGEST).await?;
    api.offices.store.note_backup(&file, at).await.map_err(ActError::Store)?;
    Ok(Json(()))
}

pub async fn retry(State(api): State<Arc<Api>>, request: Request) -> Answered<Vec<String>> {
    let (app, items): (_, Vec<String>) = office(&api, request, LARGEST).await?;
    let tried = app.retry_set_aside(&items).await.map_err(ActError::Store)?;
    api.pulse.wake();
    Ok(Json(tried))
}

pub async fn accounts(State(api): State<Arc<Api>>, request: Request) -> Answered<AccountEnd> {
    if !api.is_own(request.headers()) {
        known(&api, request.headers()).await?;
        return Err(Failure::of(StatusCode::FORBIDDEN, "who may sign in is decided with the token of the lock file"));
    }
    let (app, wish): (_, AccountWish) = office(&api, request, LARGEST).await?;
    Ok(Json(app.look_after(&api.offices.policy, &wish).await.map_err(ActError::Store)?))
}

pub async fn tokens(State(api): State<Arc<Api>>, request: Request) -> Answered<TokenEnd> {
    if !api.is_own(request.headers()) {
        known(&api, request.headers()).await?;
        return Err(Failure::of(StatusCode::FORBIDDEN, "who may ask is decided with the token of the lock file"));
    }
    let (app, wish): (_, TokenWish) = office(&api, request, LARGEST).await?;
    Ok(Json(app.look_after_tokens(&wish).await.map_err(ActError::Store)?))
}

pub async fn clock(State(api): State<Arc<Api>>, request: Request) -> Answered<Changed> {
    let () = installation(&api, request, LARGEST).await?;
    let confirmed = api.pulse.confirm_clock(&api.offices.clock);
    tracing::warn!(confirmed, "the clock was confirmed");
    Ok(Json(Changed { changed: u64::from(confirmed) }))
}

/// The body, from the office itself.
async fn office<T: DeserializeOwned>(api: &Api, request: Request, largest: usize) -> Result<(Arc<App>, T), Failure> {
    match read(api, request, largest).await? {
        (app, Caller::Office, body) => Ok((app, body)),
        (_, Caller::Person(_), _) => Err(Failure::of(StatusCode::FORBIDDEN, "this needs the office's own token")),
    }
}

/// The body, from whoever may read the lock file: what concerns all offices of the database is not for the program of one.
async fn installation<T: DeserializeOwned>(api: &Api, request: Request, largest: usize) -> Result<T, Failure> {
    if api.is_own(request.headers()) {
        return body(request, largest).await;
    }
    known(api, request.headers()).await?;
    Err(Failure::of(StatusCode::FORBIDDEN, "this concerns all offices of the database: it needs the token of the lock file"))
}

/// The caller and the body. Nothing of the body is read before the caller is known.
async fn read<T: DeserializeOwned>(api: &Api, request: Request, largest: usize) -> Result<(Arc<App>, Caller, T), Failure> {
    let (app, caller) = known(api, request.headers()).await?;
    Ok((app, caller, body(request, largest).await?))
}

async fn known(api: &Api, headers: &HeaderMap) -> Result<(Arc<App>, Caller), Failure> {
    let known = api.caller(headers).await.map_err(|no| {
        let no = no.details(problem::lang(headers));
        Failure::of(StatusCode::from_u16(no.status).unwrap_or(StatusCode::UNAUTHORIZED), &no.detail)
    })?;
    match known.scopes {
        None => Ok((known.app, known.caller)),
        Some(_) => Err(Failure::of(StatusCode::FORBIDDEN, "a token that a person made is for /api/v1")),
    }
}

async fn body<T: DeserializeOwned>(request: Request, largest: usize) -> Result<T, Failure> {
    let body = tokio::time::timeout(BODY_TIME, to_bytes(Body::new(request.into_body()), largest)).await;
    let body = body.map_err(|_| Failure::of(StatusCode::REQUEST_TIMEOUT, "the body did not arrive"))?;
    let body = body.map_err(|_| Failure::of(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or was cut off"))?;
    serde_json::from_slice(&body).map_err(|error| Failure::of(StatusCode::BAD_REQUEST, &format!("the body cannot be read: {error}")))
}

impl Failure {
    fn of(status: StatusCode, error: &str) -> Failure {
        Failure(status, Trouble { error: error.to_string(), refused: None })
    }

    fn refused(refusal: Refusal) -> Failure {
        Failure(StatusCode::UNPROCESSABLE_ENTITY, Trouble { error: "refused".into(), refused: Some(refusal) })
    }
}

impl From<ActError> for Failure {
    fn from(error: ActError) -> Failure {
        match error {
            ActError::Refused(refusal) => Failure::refused(*refusal),
            error => {
                tracing::error!(%error, "a request failed");
                Failure::of(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
