//! Tokens that persons make for programs.

use super::At;
use super::state::State;
use crate::kernel::time::Instant;
use crate::store::audit::Entry;
use crate::store::tokens::{NewToken, Shown, TokenRow};
use std::cmp::Reverse;

impl At<'_> {
    pub fn make_token(&mut self, new: &NewToken, entry: &Entry) {
        let NewToken { id, digest, person, name, scopes, made_at, expires_at } = new.clone();
        self.tokens.insert(digest, TokenRow { id, person, name, scopes, made_at, expires_at, used_at: None, revoked_at: None });
        self.audit(std::slice::from_ref(entry));
    }

    pub fn tokens(&self, person: Option<&str>) -> Vec<TokenRow> {
        let mut rows: Vec<TokenRow> =
            self.tokens.values().filter(|row| person.is_none_or(|person| person == row.person)).cloned().collect();
        rows.sort_by_key(|row| Reverse((row.made_at, row.id.clone())));
        rows
    }

    pub fn revoke_token(&mut self, id: &str, person: Option<&str>, entry: &Entry) -> bool {
        let meant = |row: &&mut TokenRow| row.id == id && row.revoked_at.is_none() && person.is_none_or(|person| person == row.person);
        let Some(row) = self.tokens.values_mut().find(meant) else { return false };
        row.revoked_at = Some(entry.at);
        let person = Some(row.person.clone());
        self.audit(&[Entry { person, ..entry.clone() }]);
        true
    }

    /// All of a person's are taken back.
    pub fn end_tokens(&mut self, person: &str, at: Instant) {
        for row in self.tokens.values_mut().filter(|row| row.person == person) {
            row.revoked_at.get_or_insert(at);
        }
    }
}

impl State {
    pub fn token(&self, digest: &str) -> Option<Shown> {
        self.offices.iter().find_map(|(here, office)| {
            let row = office.tokens.get(digest)?.clone();
            let disabled = office.accounts.get(&row.person).is_some_and(|account| account.disabled_at.is_some());
            Some(Shown { jurisdiction: here.clone(), row, disabled })
        })
    }

    pub fn token_used(&mut self, digest: &str, at: Instant) {
        for row in self.offices.values_mut().filter_map(|office| office.tokens.get_mut(digest)) {
            row.used_at = row.used_at.max(Some(at));
        }
    }
}
