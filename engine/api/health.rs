//! `/healthz`: 200 when everything that has to run runs, 503 with the reasons when not. It tells nothing of items or persons.

use super::Api;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use std::sync::Arc;

pub async fn healthz(State(api): State<Arc<Api>>) -> (StatusCode, Json<Value>) {
    let mut reasons = api.pulse.troubles(api.app.now());
    // The store answers a question.
    if let Err(error) = api.app.store.next_moments(api.app.now()).await {
        reasons.push(format!("store: {error}"));
    }
    let state = api.pulse.state();
    let status = if reasons.is_empty() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let answer = json!({
        "ready": reasons.is_empty(), "reasons": reasons, "last_tick": state.last_tick, "next": state.next, "last_mail": state.last_mail,
        "integrity": state.integrity,
        "rules": api.app.rules().hash, "version": env!("CARGO_PKG_VERSION"),
    });
    (status, Json(answer))
}
