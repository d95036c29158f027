//! Tokens that a person makes for a program: each for some things only, and until a day. It never opens more than its person may now.

use super::account_wish::AccountNo;
use super::accounts::By;
use super::links::new_token;
use super::{App, Offices};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::accounts::digest;
use crate::store::audit::Entry;
use crate::store::tokens::NewToken;
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fmt;
use std::sync::Arc;

pub use crate::store::tokens::TokenRow;

/// When one was last used is written no more often than this.
const USED_EVERY: TimeDelta = TimeDelta::minutes(5);
/// In characters.
const LONGEST_NAME: usize = 80;
/// In days, at most and if nothing is said.
const LONGEST_LIFE: u32 = 1100;
pub const USUAL_LIFE: u32 = 365;
/// So many of a person may be good at a time.
const MOST: usize = 50;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Items, what may be done with them and why, and what its person was told.
    Read,
    /// Doing what its person may do.
    Act,
    Reports,
    /// Lists out and in.
    Lists,
    /// Which programs are told of what happens, for whoever looks after the system.
    Webhooks,
    /// The address by which a calendar program reads its person's deadlines, and nothing else.
    Calendar,
}

impl Scope {
    pub const ALL: [Scope; 6] = [Scope::Read, Scope::Act, Scope::Reports, Scope::Lists, Scope::Webhooks, Scope::Calendar];

    pub fn word(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Act => "act",
            Scope::Reports => "reports",
            Scope::Lists => "lists",
            Scope::Webhooks => "webhooks",
            Scope::Calendar => "calendar",
        }
    }

    pub fn of_word(word: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.word() == word)
    }
}

/// Whom a token lets in, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHolder {
    pub jurisdiction: Arc<str>,
    pub person: Name,
    pub scopes: Vec<Scope>,
}

/// What somebody wishes of tokens: the same done here, or sent to the server that holds the database.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenWish {
    pub what: TokenWished,
    pub by: By,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum TokenWished {
    /// Good for so many days.
    Make { person: Name, name: String, scopes: Vec<Scope>, days: u32 },
    /// Of one person, if one is named.
    Revoke { id: String, person: Option<Name> },
}

/// What became of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenEnd {
    Made(MadeToken),
    /// False when there is none such that is good.
    Revoked(bool),
    /// The catalogue has its sentence under `token.WHY`.
    No(AccountNo),
}

/// A token, for its person.
#[derive(Clone, Serialize, Deserialize)]
pub struct MadeToken {
    /// It is shown here and kept nowhere.
    pub token: String,
    pub id: String,
    pub person: Name,
    pub until: Instant,
}

impl fmt::Debug for MadeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MadeToken").field("id", &self.id).field("person", &self.person).field("until", &self.until).finish_non_exhaustive()
    }
}

/// How one stands, in a word of the catalogue.
pub fn standing(row: &TokenRow, now: Instant) -> &'static str {
    match row {
        TokenRow { revoked_at: Some(_), .. } => "revoked",
        TokenRow { expires_at: Some(at), .. } if *at <= now => "expired",
        _ => "good",
    }
}

impl App {
    /// Does what is wished. A no is an answer; only the store's faults are errors.
    pub async fn look_after_tokens(&self, wish: &TokenWish) -> Result<TokenEnd, StoreError> {
        match &wish.what {
            TokenWished::Make { person, name, scopes, days } => self.make_token(&wish.by, person, name, scopes, *days).await,
            TokenWished::Revoke { id, person } => {
                let entry = wish.by.entry(self.now(), "", "token_revoked", json!({ "token": id }));
                Ok(TokenEnd::Revoked(self.store.revoke_token(id, person.as_deref(), entry).await?))
            }
        }
    }

    async fn make_token(&self, by: &By, person: &Name, name: &str, scopes: &[Scope], days: u32) -> Result<TokenEnd, StoreError> {
        let name = name.trim();
        let mut scopes = scopes.to_vec();
        scopes.sort();
        scopes.dedup();
        let now = self.now();
        if !self.rules().directory.persons.contains_key(person) {
            return Ok(no("unknown_person", &[("person", person)]));
        }
        if name.is_empty() || name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
            return Ok(no("bad_name", &[("most", &LONGEST_NAME.to_string())]));
        }
        if scopes.is_empty() {
            return Ok(no("no_scope", &[]));
        }
        // Its text stands in an address, which more people see than a header.
        if scopes.contains(&Scope::Calendar) && scopes.len() > 1 {
            return Ok(no("calendar_alone", &[]));
        }
        if !(1..=LONGEST_LIFE).contains(&days) {
            return Ok(no("bad_days", &[("most", &LONGEST_LIFE.to_string())]));
        }
        if self.store.tokens(Some(person)).await?.iter().filter(|row| standing(row, now) == "good").count() >= MOST {
            return Ok(no("too_many", &[("most", &MOST.to_string())]));
        }
        let (token, until) = (format!("duban_{}", new_token()), now + TimeDelta::days(days.into()));
        let digest = digest(&token);
        let id = digest[..12].to_string();
        let words = scopes.iter().map(|scope| scope.word()).collect::<Vec<_>>().join(" ");
        let entry = by.entry(now, person, "token_made", json!({ "token": id, "name": name, "scopes": words, "until": until }));
        let new = NewToken {
            id: id.clone(),
            digest,
            person: person.to_string(),
            name: name.to_string(),
            scopes: words,
            made_at: now,
            expires_at: Some(until),
        };
        self.store.make_token(new, entry).await?;
        Ok(TokenEnd::Made(MadeToken { token, id, person: person.clone(), until }))
    }

    /// Notes that a program wanted what its token is not for.
    pub async fn note_scope(&self, person: &Name, wanted: &str) -> Result<(), StoreError> {
        let about = json!({ "scope": wanted });
        self.store.audit(vec![Entry::new(self.now(), Some(person), "scope_missing", about.to_string(), None)]).await
    }
}

impl Offices {
    /// Whom a token lets in now: nobody, when it was taken back, is too old, or its person's account was shut off.
    pub async fn token_holder(&self, text: &str) -> Result<Option<TokenHolder>, StoreError> {
        let Some(shown) = self.store.everywhere().token(text).await? else { return Ok(None) };
        let now = self.now();
        if shown.disabled || standing(&shown.row, now) != "good" {
            return Ok(None);
        }
        if shown.row.used_at.is_none_or(|at| now - at >= USED_EVERY) {
            self.store.everywhere().token_used(text, now).await?;
        }
        let scopes = shown.row.scopes.split(' ').filter_map(Scope::of_word).collect();
        Ok(Some(TokenHolder { jurisdiction: shown.jurisdiction, person: shown.row.person.as_str().into(), scopes }))
    }
}

fn no(why: &str, values: &[(&str, &str)]) -> TokenEnd {
    let values = values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    TokenEnd::No(AccountNo { why: why.to_string(), values })
}
