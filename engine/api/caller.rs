//! Who is asking: the tokens that open the API, each bound to a person or to the office itself. What they may do is the kernel's to say.

use super::Api;
use super::problem::Failure;
use crate::kernel::model::Name;
use crate::store::facts::hex;
use axum::http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// SHA-256 of each token in hexadecimal → whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    pub persons: BTreeMap<String, Name>,
    /// Programs of the office: they name the person for whom they act.
    pub office: BTreeSet<String>,
}

/// The tokens as they are now: a token that was taken out of the settings opens nothing any more.
pub type TokensNow = Box<dyn Fn() -> Arc<Tokens> + Send + Sync>;

/// Who is asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// Somebody who may read the lock file, or a program of the office: for whichever person it names.
    Office,
    /// A person, for themselves alone.
    Person(Name),
}

impl Api {
    /// Who has the token of a request. Digests are compared, so that the time it takes tells nothing.
    pub(super) fn caller(&self, headers: &HeaderMap) -> Result<Caller, Failure> {
        let token = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        let token = token.ok_or_else(|| Failure::of(StatusCode::UNAUTHORIZED, "no_token"))?;
        let digest = hex(&Sha256::digest(token));
        let tokens = (self.tokens)();
        if digest == hex(&Sha256::digest(&self.token)) || tokens.office.contains(&digest) {
            return Ok(Caller::Office);
        }
        let person = tokens.persons.get(&digest).ok_or_else(|| Failure::of(StatusCode::UNAUTHORIZED, "bad_token"))?;
        match self.app.rules().directory.persons.contains_key(person) {
            true => Ok(Caller::Person(person.clone())),
            // Who has left the directory has no business here.
            false => Err(Failure::of(StatusCode::FORBIDDEN, "not_in_directory").with("person", person)),
        }
    }

    /// A person of the directory, by id or by a name that only one has.
    pub(super) fn person(&self, text: &str) -> Option<Name> {
        let rules = self.app.rules();
        let persons = &rules.directory.persons;
        if let Some((id, _)) = persons.get_key_value(text) {
            return Some(id.clone());
        }
        let mut named = persons.iter().filter(|(_, person)| person.title == text);
        match (named.next(), named.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        }
    }
}
