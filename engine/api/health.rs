//! `/healthz`: 200 when everything that has to run runs, 503 with the reasons when not. An office that is shut keeps no other from being
//! asked, so it is only counted. It tells nothing of items, persons or which office.

use super::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn healthz(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let mut reasons = api.pulse.troubles(api.offices.now());
    // The store answers a question.
    if let Err(error) = api.offices.next_moments().await {
        reasons.push(format!("store: {error}"));
    }
    let state = api.pulse.state();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = json!({
        "ready": reasons.is_empty(), "reasons": reasons, "last_tick": state.last_tick, "next": state.next, "last_mail": state.last_mail,
        "integrity": state.integrity, "offices_shut": api.offices.shut_now().len(),
        "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(answer))
}
