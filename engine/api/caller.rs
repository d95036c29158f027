//! Who is asking: the tokens that open the API, each bound to a person or to the office itself. What they may do is the kernel's to say.

use super::Api;
use super::problem::Failure;
use crate::app::tokens::Scope;
use crate::app::{App, OfficeError};
use crate::kernel::model::Name;
use crate::store::LOCAL;
use crate::store::facts::hex;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use percent_encoding::percent_decode;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// SHA-256 of each token in hexadecimal → whose it is. A token opens one jurisdiction and sees no other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    /// Jurisdiction and person.
    pub persons: BTreeMap<String, (Arc<str>, Name)>,
    /// Programs of an office: they name the person for whom they act.
    pub office: BTreeMap<String, Arc<str>>,
}

/// The tokens as they are now: a token that was taken out of the settings opens nothing any more.
pub type TokensNow = Box<dyn Fn() -> Arc<Tokens> + Send + Sync>;

/// Names the jurisdiction for which the command line asks with the token of the lock file.
pub const JURISDICTION: &str = "duban-jurisdiction";

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who may read the lock file, or a program of the office: for whichever person it names.
    Office,
    /// A person, for themselves alone.
    Person(Name),
}

/// Who has the token of a request.
#[derive(Clone, Debug)]
pub struct Known {
    /// The office that it opens.
    pub app: Arc<App>,
    pub caller: Caller,
    /// What a token is for that a person made; those of the settings are for everything.
    pub scopes: Option<Vec<Scope>>,
}

fn token(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Bearer ")
}

/// SHA-256 of a request's token in hexadecimal.
fn digest(headers: &HeaderMap) -> Option<String> {
    Some(hex(&Sha256::digest(token(headers)?)))
}

impl Api {
    /// Whether a request carries the token of the lock file.
    pub(super) fn is_own(&self, headers: &HeaderMap) -> bool {
        digest(headers).is_some_and(|digest| digest == hex(&Sha256::digest(&self.token)))
    }

    /// Who has the token of a request, and the office that it opens. Digests are compared, so that the time it takes tells nothing.
    pub(super) async fn caller(&self, headers: &HeaderMap) -> Result<Known, Failure> {
        let digest = digest(headers).ok_or_else(|| Failure::of(StatusCode::UNAUTHORIZED, "no_token"))?;
        let tokens = (self.tokens)();
        let office = |app: Arc<App>| Known { app, caller: Caller::Office, scopes: None };
        if self.is_own(headers) {
            let named = headers.get(JURISDICTION).and_then(|value| percent_decode(value.as_bytes()).decode_utf8().ok());
            return Ok(office(self.office(named.as_deref().unwrap_or(LOCAL)).await?));
        }
        if let Some(here) = tokens.office.get(&digest) {
            return Ok(office(self.office(here).await?));
        }
        let (here, person, scopes) = match tokens.persons.get(&digest) {
            Some((here, person)) => (here.clone(), person.clone(), None),
            None => {
                let holder = self.offices.token_holder(token(headers).unwrap_or_default()).await?;
                let holder = holder.ok_or_else(|| Failure::of(StatusCode::UNAUTHORIZED, "bad_token"))?;
                (holder.jurisdiction, holder.person, Some(holder.scopes))
            }
        };
        let app = self.office(&here).await?;
        match app.rules().directory.persons.contains_key(&person) {
            true => Ok(Known { app, caller: Caller::Person(person), scopes }),
            // Who has left the directory has no business here.
            false => Err(Failure::of(StatusCode::FORBIDDEN, "not_in_directory").with("person", person)),
        }
    }

    async fn office(&self, jurisdiction: &str) -> Result<Arc<App>, Failure> {
        self.offices.app(jurisdiction).await.map_err(|error| match error {
            OfficeError::Store(error) => error.into(),
            OfficeError::Shut(here, why) => {
                Failure::of(StatusCode::SERVICE_UNAVAILABLE, "office_shut").with("jurisdiction", here).with("what", why)
            }
            OfficeError::Unknown(here) => Failure::of(StatusCode::NOT_FOUND, "unknown_office").with("jurisdiction", here),
        })
    }
}

/// Notes in the trail of the office that somebody wanted what is not theirs.
pub async fn note_denied(State(api): State<Arc<Api>>, request: Request, next: Next) -> Response {
    let (headers, path) = (request.headers().clone(), request.uri().path().to_string());
    let response = next.run(request).await;
    if response.extensions().get::<Failure>().is_some_and(Failure::is_denial) {
        if let Ok(Known { app, caller: Caller::Person(person), .. }) = api.caller(&headers).await {
            if let Err(error) = app.note_denied(&person, &format!("/api/v1{path}")).await {
                tracing::error!(%error, "it was not noted that somebody was denied");
            }
        }
    }
    response
}
