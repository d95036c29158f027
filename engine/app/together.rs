//! Commands that are tried one after the other in memory, and then written in one commit or not at all: whole lists, and dry runs.
//!
//! Nobody sees a part of them. When the database has moved meanwhile, all of it is tried again.

use super::trial::Trial;
use super::{ActError, App, Done};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::store::StoreError;
use crate::store::save::NotSaved;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeSet, HashMap};

/// So often all of it is tried again because the database moved meanwhile.
const ATTEMPTS: usize = 20;

/// Of so many groups it is asked at once which of their commands were done before.
const PORTION: usize = 100;

/// Why a notice of long ago is held.
pub(super) const HISTORIC: &str = "historic";

/// Why notices are held that a list caused at once.
pub(super) const IMPORTED: &str = "imported";

/// Commands that stand or fall together, such as the steps of one row of a list.
pub type Group = Vec<Command>;

/// What a group came to: what each command did, or the place and the reason of the first that failed.
pub type GroupAnswer = Result<Vec<Done>, (usize, ActError)>;

/// What becomes of groups that succeed.
#[derive(Clone, Copy, Default)]
pub struct How<'a> {
    /// Nothing is written.
    pub dry_run: bool,
    /// Groups that fail are left out; otherwise one failure keeps everything from being written.
    pub skip_failed: bool,
    /// What happened long ago owes nothing until a person releases it: notices are held, and nobody looks what is due.
    pub historic: bool,
    /// What a list causes at once waits for a person: what its actions tell, and what its items owe already.
    pub imported: bool,
    /// Is told how many groups have been tried.
    pub tried: Option<&'a (dyn Fn(usize) + Send + Sync)>,
}

impl App {
    /// Tries groups in their order, each on what those before it left, and writes all that succeeded in one commit.
    /// `false` when nothing was written.
    pub async fn together(&self, groups: &[Group], how: How<'_>) -> Result<(Vec<GroupAnswer>, bool), ActError> {
        let Tried { answers, written, .. } = self.try_together(groups, how).await?;
        Ok((answers, written))
    }

    /// What groups would come to, each for itself, and what they would cause together. Nothing is written.
    pub async fn rehearse(&self, groups: &[Group]) -> Result<(Vec<GroupAnswer>, Caused), ActError> {
        let Tried { answers, caused, .. } = self.try_together(groups, How { dry_run: true, skip_failed: true, ..How::default() }).await?;
        Ok((answers, caused))
    }

    /// The same, with what it causes.
    pub(super) async fn try_together(&self, groups: &[Group], how: How<'_>) -> Result<Tried, ActError> {
        for _ in 0..ATTEMPTS {
            let mut trial = Trial::new(self, how);
            let mut answers = Vec::with_capacity(groups.len());
            // The place of the last group that names an item.
            let named = groups.iter().enumerate().flat_map(|(place, group)| items_of(group).into_iter().map(move |item| (item, place)));
            let last: HashMap<&Name, usize> = named.collect();
            for portion in groups.chunks(PORTION) {
                trial.ask(portion).await?;
                for group in portion {
                    answers.push(trial.group(group).await?);
                    for item in items_of(group).into_iter().filter(|item| last.get(item) == Some(&(answers.len() - 1))) {
                        trial.leave(item).await?;
                    }
                    if let Some(tried) = how.tried {
                        tried(answers.len());
                    }
                    // Deciding takes the processor for a while; others come in between.
                    tokio::task::yield_now().await;
                }
            }
            let caused = trial.caused();
            let Some(pile) = trial.pile() else { return Ok(Tried { answers, written: false, caused }) };
            let asking = trial.asking();
            match trial.write(pile).await {
                Ok(()) => {
                    for id in asking {
                        self.run_errands_at_once(&id).await;
                    }
                    return Ok(Tried { answers, written: true, caused });
                }
                Err(NotSaved::Store(error)) => return Err(ActError::Store(error)),
                Err(NotSaved::NoticeRecorded(key)) => {
                    return Err(ActError::Store(StoreError::NotDone(format!("the notice `{key}` is recorded already"))));
                }
                Err(_) => {}
            }
        }
        Err(ActError::Store(StoreError::Busy))
    }
}

/// Each item that a group names, once.
fn items_of(group: &Group) -> BTreeSet<&Name> {
    group.iter().map(|command| &command.item).collect()
}

/// What groups came to.
pub(super) struct Tried {
    pub answers: Vec<GroupAnswer>,
    pub written: bool,
    pub caused: Caused,
}

/// The notices that commands cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caused {
    /// Told by the actions themselves; those of a list are held.
    pub told: u64,
    /// Reminders and escalations whose day has come already: told as soon as the scheduler looks, those of a list with it, and held.
    pub overdue: u64,
    /// To so many persons in all.
    pub persons: u64,
}
