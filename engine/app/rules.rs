//! The rule set that an office carries in its database: looking at it needs no folder.

use super::{App, InUse};
use crate::kernel::check;
use crate::kernel::plan::{self, Past, Record};
use crate::kernel::rules::RuleSet;
use crate::store::rulesets::StoredRules;
use crate::store::{Store, StoreError};
use std::collections::BTreeMap;
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
    read(&store.rules_in_use().await?.ok_or(RulesError::None)?)
}

/// A stored rule set, if this program can work under it.
pub(super) fn read(stored: &StoredRules) -> Result<Arc<RuleSet>, RulesError> {
    let (rules, problems) = check::load(&stored.files);
    let errors = problems.iter().filter(|problem| problem.is_error()).count();
    rules.map(Arc::new).ok_or_else(|| RulesError::Unusable { hash: stored.hash.clone(), problems: errors })
}

/// A rule set with what the publications up to now have left behind for open items, and one more that is about to be, with the rule set
/// before it.
pub(super) async fn with_past(
    store: &Store,
    rules: &Arc<RuleSet>,
    coming: Option<(Past, Arc<RuleSet>)>,
) -> Result<Arc<RuleSet>, StoreError> {
    let published = store.published().await?;
    let mut past: Vec<Past> = published.iter().map(|one| Past { at: one.at, record: Record::read(&one.record) }).collect();
    let mut sets = BTreeMap::new();
    if let Some((one, before)) = coming {
        sets.insert(before.hash.to_string(), before);
        past.push(one);
    }
    let needed: Vec<String> = plan::kept_sets(&past).into_iter().map(str::to_string).collect();
    for hash in needed {
        if sets.contains_key(&hash) {
            continue;
        }
        let Some(stored) = store.rules(&hash).await? else { continue };
        // Nobody works under it any more: dates are read from it.
        let read = tokio::task::spawn_blocking(move || check::load_to_look(&stored.files).0).await;
        match read.map_err(|error| StoreError::NotDone(error.to_string()))? {
            Some(rules) => drop(sets.insert(hash, Arc::new(rules))),
            None => tracing::error!(hash, "deadlines were kept by a rule set that this program cannot read; they follow the one in use"),
        }
    }
    Ok(plan::with_past(rules, &past, &sets))
}

impl App {
    /// Goes on under another rule set.
    pub(super) fn adopt(&self, in_use: InUse) {
        let mut desk = self.desk();
        *self.in_use.write().unwrap_or_else(PoisonError::into_inner) = in_use;
        desk.clear();
    }
}
