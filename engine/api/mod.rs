//! The server's interface for programs: readiness, and the local API through which the command line writes while a server holds the file.

pub mod accept;
pub mod client;
mod health;
mod local;

use crate::app::App;
use crate::kernel::model::Name;
use crate::scheduler::Pulse;
use crate::store::facts::hex;
use axum::Router;
use axum::routing::{get, post};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What every route has at hand.
pub struct Api {
    pub app: Arc<App>,
    pub pulse: Arc<Pulse>,
    /// The token of this process, which stands in the lock file beside the database.
    pub token: String,
    /// SHA-256 of a token in hexadecimal → the person who has it.
    pub tokens: BTreeMap<String, Name>,
}

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Caller {
    /// Somebody who may read the lock file: the office itself, for whichever person it names.
    Office,
    /// A person, for themselves alone.
    Person(Name),
}

impl Api {
    /// Every route there is.
    pub fn routes(self) -> Router {
        Router::new()
            .route("/healthz", get(health::healthz))
            .route("/local/act", post(local::act))
            .route("/local/import", post(local::import))
            .route("/local/outbox", post(local::outbox))
            .route("/local/clock", post(local::clock))
            .with_state(Arc::new(self))
    }

    /// Whose token it is. Digests are compared, so that the time it takes tells nothing.
    fn caller(&self, token: &str) -> Option<Caller> {
        let digest = hex(&Sha256::digest(token));
        if digest == hex(&Sha256::digest(&self.token)) {
            return Some(Caller::Office);
        }
        self.tokens.get(&digest).cloned().map(Caller::Person)
    }
}
