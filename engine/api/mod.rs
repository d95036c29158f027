//! The server's interface for programs: readiness, the JSON API under `/api/v1` with its OpenAPI document, and the local API through which
//! the command line writes while a server holds the file.

pub mod accept;
mod act;
mod attachments;
pub mod caller;
mod cause;
pub mod client;
mod doers;
mod duties;
mod escalation;
mod explain;
mod exports;
mod forms;
mod health;
mod imports;
mod items;
mod local;
mod metrics;
mod openapi;
mod outbox;
mod problem;
pub mod reports;
mod request;
mod scopes;
mod similar;
mod unreadable;
mod webhooks;
mod why;

pub use caller::{Tokens, TokensNow};
pub use problem::nearest;
pub use request::BodyLimits;

use crate::app::Offices;
use crate::scheduler::Pulse;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use problem::Failure;
use std::sync::Arc;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What every route has at hand.
pub struct Api {
    pub offices: Arc<Offices>,
    pub pulse: Arc<Pulse>,
    /// The token of this process, which stands in the lock file beside the database.
    pub token: String,
    pub tokens: TokensNow,
    pub limits: BodyLimits,
    /// What files may be handed in.
    pub attachments: crate::attach::Limits,
}

impl Api {
    /// Every route there is for programs; what is none of these is `elsewhere`'s, which are the pages for people.
    pub fn routes(self, elsewhere: Router) -> Router {
        let api = Arc::new(self);
        let (v1, document) = v1();
        let v1 = v1
            .fallback(|| async { Failure::of(StatusCode::NOT_FOUND, "no_route") })
            .method_not_allowed_fallback(|| async { Failure::of(StatusCode::METHOD_NOT_ALLOWED, "no_method") })
            .layer(from_fn_with_state(api.clone(), caller::note_denied))
            .layer(axum::middleware::from_fn(problem::speak));
        let document: Arc<str> = document.to_json().unwrap_or_default().into();
        let document = move || {
            let document = document.to_string();
            async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document) }
        };
        Router::new()
            .route("/healthz", get(health::healthz))
            .route("/metrics", get(metrics::metrics))
            .route("/local/act", post(local::act))
            .route("/local/import", post(local::import))
            .route("/local/outbox", post(local::outbox))
            .route("/local/restored", post(local::restored))
            .route("/local/backup", post(local::backup))
            .route("/local/publish", post(local::publish))
            .route("/local/retry", post(local::retry))
            .route("/local/accounts", post(local::accounts))
            .route("/local/tokens", post(local::tokens))
            .route("/local/clock", post(local::clock))
            .route("/api/v1/openapi.json", get(document))
            .method_not_allowed_fallback(|| async { Failure::of(StatusCode::METHOD_NOT_ALLOWED, "no_method") })
            .layer(axum::middleware::from_fn(problem::speak))
            .nest("/api/v1", v1)
            .with_state(api)
            .fallback_service(elsewhere)
    }
}

/// The routes of the API, and the document that they make together.
fn v1() -> (Router<Arc<Api>>, OpenApi) {
    let (routes, mut document) = OpenApiRouter::with_openapi(openapi::head())
        .routes(routes!(items::list))
        .routes(routes!(items::show))
        .routes(routes!(items::actions))
        .routes(routes!(duties::list))
        .routes(routes!(similar::of_item))
        .routes(routes!(forms::show))
        .routes(routes!(attachments::hand_in))
        .routes(routes!(attachments::content))
        .routes(routes!(explain::action, act::one))
        .routes(routes!(act::many))
        .routes(routes!(explain::dues))
        .routes(routes!(why::wake_ups))
        .routes(routes!(why::role))
        .routes(routes!(why::silence))
        .routes(routes!(escalation::escalation))
        .routes(routes!(doers::doers))
        .routes(routes!(cause::cause))
        .routes(routes!(imports::import))
        .routes(routes!(exports::export))
        .routes(routes!(outbox::list))
        .routes(routes!(outbox::release))
        .routes(routes!(outbox::cancel))
        .routes(routes!(outbox::show))
        .routes(routes!(outbox::mails))
        .routes(routes!(reports::list))
        .routes(routes!(reports::show))
        .routes(routes!(webhooks::list, webhooks::make))
        .routes(routes!(webhooks::change))
        .routes(routes!(webhooks::deliveries))
        .split_for_parts();
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths.into_iter().map(|(path, item)| (format!("/api/v1{path}"), item)).collect();
    openapi::complete(&mut document);
    (routes, document)
}

/// The OpenAPI document as it is served.
pub fn document() -> String {
    v1().1.to_pretty_json().unwrap_or_default()
}
