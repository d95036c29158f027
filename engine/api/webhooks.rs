//! Other programs that are told of what happens, for programs of whoever looks after the system.

use super::Api;
use super::caller::Caller;
use super::items::page;
use super::problem::Failure;
use super::request::{Asked, Named, Params, Sent};
use crate::app::accounts::By;
use crate::app::webhooks::NotDeclared;
use crate::kernel::access::{Room, may_enter};
use crate::kernel::calendar::window::day_of;
use crate::store::webhooks::{DELIVERY_STATUSES, DeliveryRow, Webhook};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// A program that is told of what happens.
#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookView {
    id: String,
    url: String,
    /// What it wants to hear of.
    events: Vec<String>,
    /// It stands in the settings, and is changed there.
    declared: bool,
    made_at: DateTime<Utc>,
    /// Since when it is told nothing.
    #[schema(required)]
    stopped_at: Option<DateTime<Utc>>,
    /// How much it is told, by status.
    counts: BTreeMap<String, u64>,
    /// By which it knows that it was we who called; told here once, when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookList {
    webhooks: Vec<WebhookView>,
    /// What can be asked for.
    events: Vec<EventView>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct EventView {
    event: String,
    /// What the rules call it.
    #[schema(required)]
    title: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookRequest {
    /// `https://…`; networks behind this machine only where the settings allow them.
    url: String,
    /// `*`, `deadline-passed`, a workflow, `WORKFLOW/ACTION` or `WORKFLOW/deadline-passed`.
    #[schema(min_items = 1, max_items = 50)]
    events: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebhookDo {
    /// Tell it nothing from now on; what waits is parked.
    Stop,
    Start,
    /// Forget it; what waits is cancelled.
    Remove,
    /// Try again what is parked.
    Release,
    /// Give up what has not been told.
    Cancel,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WebhookChange {
    #[serde(rename = "do")]
    what: WebhookDo,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct WebhookChanged {
    /// How many webhooks or deliveries changed.
    changed: u64,
}

fn view(webhook: Webhook, counts: BTreeMap<String, u64>, secret: Option<String>) -> WebhookView {
    let Webhook { id, url, events, made_by, made_at, stopped_at, .. } = webhook;
    WebhookView { id, url, events, declared: made_by.is_none(), made_at, stopped_at, counts, secret }
}

/// The office, or a person who looks after the system.
async fn looks_after(asked: &Asked) -> Result<By, Failure> {
    let person = match &asked.caller {
        Caller::Office => None,
        Caller::Person(person) => {
            let rules = asked.app.rules();
            let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
            if !may_enter(&rules.directory, person, day_of(asked.app.now(), zone), Room::System) {
                asked.app.note_denied(person, "/api/v1/webhooks").await?;
                return Err(Failure::of(StatusCode::FORBIDDEN, "system_only"));
            }
            Some(person.clone())
        }
    };
    Ok(By { person, via: Some("api".into()), source: None })
}

/// Programs that are told of what happens
#[utoipa::path(get, path = "/webhooks", tag = "webhooks", responses((status = 200, body = WebhookList)))]
pub async fn list(asked: Asked) -> Result<Json<WebhookList>, Failure> {
    looks_after(&asked).await?;
    let counts = asked.app.store.count_deliveries().await?;
    let of =
        |id: &str| counts.iter().filter(|((webhook, _), _)| webhook == id).map(|((_, status), count)| (status.clone(), *count)).collect();
    let webhooks = asked.app.store.webhooks().await?;
    let webhooks = webhooks.into_iter().map(|webhook| {
        let counts = of(&webhook.id);
        view(webhook, counts, None)
    });
    let events = asked.app.events().into_iter().map(|(event, title)| EventView { event, title }).collect();
    Ok(Json(WebhookList { webhooks: webhooks.collect(), events }))
}

/// Tell one more program
///
/// Calls are signed as Standard Webhooks says (`webhook-id`, `webhook-timestamp`, `webhook-signature`): each is repeated until it is
/// answered with 2xx, under the same `webhook-id`, ten times within four days, and then waits for a person.
#[utoipa::path(post, path = "/webhooks", tag = "webhooks", request_body = WebhookRequest, responses((status = 200, body = WebhookView)))]
pub async fn make(asked: Asked, Sent(request): Sent<WebhookRequest>) -> Result<Json<WebhookView>, Failure> {
    let by = looks_after(&asked).await?;
    let by = By { person: by.person.or_else(|| Some("".into())), ..by };
    match asked.app.make_webhook(&by, &request.url, &request.events).await {
        Ok(webhook) => {
            let secret = Some(webhook.secret.clone());
            Ok(Json(view(webhook, BTreeMap::new(), secret)))
        }
        Err(NotDeclared::Store(error)) => Err(error.into()),
        Err(NotDeclared::No(no)) => {
            let (code, pointer) = match no.why.as_str() {
                "bad_url" => ("bad_url", "/url"),
                "unknown_event" => ("unknown_event", "/events"),
                "too_many" => ("too_many_webhooks", ""),
                _ => ("no_events", "/events"),
            };
            let failure = Failure::of(StatusCode::UNPROCESSABLE_ENTITY, code).at(pointer, None);
            Err(no.values.iter().fold(failure, |failure, (name, value)| failure.with(name, value)))
        }
    }
}

/// Stop, start or remove one, or let go of what it is to be told
#[utoipa::path(post, path = "/webhooks/{webhook}", tag = "webhooks", request_body = WebhookChange,
    params(("webhook" = String, Path, min_length = 1, max_length = 200)), responses((status = 200, body = WebhookChanged)))]
pub async fn change(
    State(api): State<Arc<Api>>,
    asked: Asked,
    Named(webhook): Named<String>,
    Sent(request): Sent<WebhookChange>,
) -> Result<Json<WebhookChanged>, Failure> {
    let by = looks_after(&asked).await?;
    let (app, store) = (&asked.app, &asked.app.store);
    if !store.webhooks().await?.iter().any(|known| known.id == webhook) {
        return Err(Failure::of(StatusCode::NOT_FOUND, "no_webhook").with("webhook", webhook));
    }
    let changed = match request.what {
        WebhookDo::Stop | WebhookDo::Start => u64::from(app.stop_webhook(&by, &webhook, request.what == WebhookDo::Stop).await?),
        WebhookDo::Remove => u64::from(app.drop_webhook(&by, &webhook).await?),
        WebhookDo::Release | WebhookDo::Cancel => {
            store.let_go_deliveries(&webhook, None, request.what == WebhookDo::Cancel, app.now()).await?
        }
    };
    api.pulse.wake();
    Ok(Json(WebhookChanged { changed }))
}

/// One thing that a program is told.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryView {
    webhook: String,
    /// `fact` or `deadline-passed`.
    kind: String,
    workflow: String,
    item: String,
    fact: u64,
    /// What the fact, or the deadline, is called.
    name: String,
    on: NaiveDate,
    status: String,
    attempts: u32,
    #[schema(required)]
    next_try: Option<DateTime<Utc>>,
    /// What was answered last, or why nobody was asked.
    #[schema(required)]
    reply: Option<String>,
    created_at: DateTime<Utc>,
    #[schema(required)]
    ended_at: Option<DateTime<Utc>>,
}

impl From<DeliveryRow> for DeliveryView {
    fn from(row: DeliveryRow) -> DeliveryView {
        let DeliveryRow { key, event, status, attempts, next_try, reply, created_at, ended_at } = row;
        DeliveryView {
            webhook: key.webhook,
            kind: key.kind,
            workflow: event.workflow.to_string(),
            item: key.item,
            fact: key.seq,
            name: event.name.to_string(),
            on: event.on,
            status,
            attempts,
            next_try,
            reply,
            created_at,
            ended_at,
        }
    }
}

/// How something stands that is told.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryStatus {
    Ready,
    Claimed,
    Parked,
    Done,
    Cancelled,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DeliveryParams {
    #[param(inline)]
    status: Option<DeliveryStatus>,
    /// At most so many.
    #[param(minimum = 1, maximum = 500, default = 50)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryList {
    /// The latest first.
    deliveries: Vec<DeliveryView>,
}

/// What programs are told
#[utoipa::path(get, path = "/deliveries", tag = "webhooks", params(DeliveryParams), responses((status = 200, body = DeliveryList)))]
pub async fn deliveries(asked: Asked, Params(params): Params<DeliveryParams>) -> Result<Json<DeliveryList>, Failure> {
    looks_after(&asked).await?;
    let limit = page(params.limit)?;
    let status = params.status.and_then(|status| DELIVERY_STATUSES.get(status as usize).copied());
    let found = asked.app.store.deliveries(status, limit as u32).await?;
    Ok(Json(DeliveryList { deliveries: found.into_iter().map(DeliveryView::from).collect() }))
}
