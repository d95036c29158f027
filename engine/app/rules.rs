//! The rule set that a database carries: looking at it needs no folder, and whoever shares the database follows it.

use super::{App, InUse};
use crate::kernel::check;
use crate::kernel::rules::RuleSet;
use crate::store::{Store, StoreError};
use std::sync::{Arc, PoisonError};

#[derive(Debug, thiserror::Error)]
pub enum RulesError {
    #[error("the database has no rule set yet")]
    None,
    /// It was stored by a program that read it differently.
    #[error("the rule set {hash} in the database cannot be used by this program: {problems} problems")]
    Unusable { hash: String, problems: usize },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The rule set under which a database works, for looking: also when it no longer passes the checks of this program, with the number
/// of their errors and the hash under which it is stored.
pub async fn rules_to_look(store: &Store) -> Result<(Arc<RuleSet>, usize, String), RulesError> {
    let stored = store.rules_in_use().await?.ok_or(RulesError::None)?;
    let (rules, problems) = check::load_to_look(&stored.files);
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    match rules {
        Some(rules) => Ok((Arc::new(rules), errors, stored.hash)),
        None => Err(RulesError::Unusable { hash: stored.hash, problems: errors }),
    }
}

/// The rule set under which a database works.
pub async fn rules_in_use(store: &Store) -> Result<Arc<RuleSet>, RulesError> {
    let stored = store.rules_in_use().await?.ok_or(RulesError::None)?;
    let (rules, problems) = check::load(&stored.files);
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    rules.map(Arc::new).ok_or(RulesError::Unusable { hash: stored.hash, problems: errors })
}

impl App {
    /// Where others work the same database: takes over the rule set that one of them has put into use. While this program cannot read it,
    /// it touches no item. `true` when it was another one.
    pub async fn follow_rules(&self) -> Result<bool, StoreError> {
        if !self.store.is_shared() || self.store.rules_revision().await? <= self.in_use().revision {
            return Ok(false);
        }
        let Some(stored) = self.store.rules_in_use().await? else { return Ok(false) };
        let (rules, problems) = check::load(&stored.files);
        let Some(rules) = rules else {
            let problems = problems.iter().filter(|problem| problem.is_error()).count();
            let unusable = RulesError::Unusable { hash: stored.hash, problems };
            return Err(StoreError::NotDone(unusable.to_string()));
        };
        tracing::info!(hash = %rules.hash, revision = stored.revision, "another process has put a rule set into use");
        let mut desk = self.desk();
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = InUse { rules: Arc::new(rules), revision: stored.revision };
        desk.clear();
        Ok(true)
    }
}
