//! Items whose moment has come: what each owes now is derived, decided and saved. A bad one is set aside and stops nothing.

use super::desk::{Held, QueueError, Queued};
use super::{App, LoadError, Offices, caches, deciding, name, reason};
use crate::kernel::decide;
use crate::kernel::time::Instant;
use crate::store::items::{Derived, WakeUp};
use crate::store::save::NotSaved;
use crate::store::{Lane, StoreError};
use chrono::TimeDelta;
use indexmap::IndexMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Woken {
    /// Items that were looked at.
    pub looked_at: usize,
    /// Facts that were recorded.
    pub facts: usize,
    pub notices: usize,
    /// Items that were set aside.
    pub set_aside: usize,
    /// Items that moved meanwhile; the next tick looks again.
    pub moved: usize,
}

/// So many offices are derived again in one go.
const STALE_OFFICES: u32 = 16;
/// So many items are read and decided together.
const LOT: usize = 64;
/// So many lots are worked while the one before them is written.
const BESIDE: usize = 2;

/// A decision on its way to the store, with the number of its facts and notices.
struct OnItsWay {
    due: WakeUp,
    saving: Queued,
    facts: usize,
    notices: usize,
}

/// Items of one office that are being worked: what was queued, and what became of the others.
type Working = (Arc<App>, JoinHandle<Result<(Vec<OnItsWay>, Woken), StoreError>>);

impl Offices {
    /// Works at most `limit` items that are due, of whichever office, the earliest first. The next tick goes on where this one stopped.
    pub async fn wake_due(&self, limit: u32) -> Result<Woken, StoreError> {
        let now = self.now();
        let due = self.store.everywhere().take_due(now, now + self.lease, limit, &self.except()).await?;
        let mut woken = Woken { looked_at: due.len(), ..Woken::default() };
        let mut working = VecDeque::new();
        for lot in due.chunks(LOT) {
            working.push_back(self.work(lot, now).await?);
            if working.len() > BESIDE {
                finished(working.pop_front().unwrap_or_default(), now, &mut woken).await?;
            }
        }
        for lot in working {
            finished(lot, now, &mut woken).await?;
        }
        Ok(woken)
    }

    /// Begins to work items, each office's beside the others.
    async fn work(&self, lot: &[WakeUp], now: Instant) -> Result<Vec<Working>, StoreError> {
        let mut by_office: IndexMap<Arc<str>, Vec<WakeUp>> = IndexMap::new();
        for due in lot {
            by_office.entry(due.jurisdiction.clone()).or_default().push(due.clone());
        }
        let mut working = Vec::with_capacity(by_office.len());
        for (here, due) in by_office {
            // One that is shut is left out until it can be worked again.
            if let Some(app) = self.if_not_shut(&here).await? {
                working.push((app.clone(), tokio::spawn(async move { app.wake_all(due, now).await })));
            }
        }
        Ok(working)
    }

    /// Derives at most `limit` open items again that were derived under an earlier revision of rules, calendar and directory. Gives how many.
    pub async fn refresh_stale(&self, limit: u32) -> Result<usize, StoreError> {
        let mut derived = 0;
        for here in self.store.everywhere().stale(STALE_OFFICES, &self.except()).await? {
            let Some(app) = self.if_not_shut(&here).await? else { continue };
            derived += app.refresh_stale(limit.saturating_sub(derived as u32)).await?;
            if derived >= limit as usize {
                break;
            }
        }
        Ok(derived)
    }
}

impl App {
    /// Derives at most `limit` open items again that were derived under an earlier revision of rules, calendar and directory, the soonest
    /// to be woken first: their wake-ups, and what lists show. Gives how many.
    async fn refresh_stale(&self, limit: u32) -> Result<usize, StoreError> {
        let (now, revision) = (self.now(), self.in_use().revision);
        let stale = self.store.stale(revision, limit).await?;
        let ids: Vec<_> = stale.iter().map(|(item, workflow)| (item.as_str(), workflow.as_str())).collect();
        let held = self.held_many(&ids, now).await.map_err(into_store)?;
        let mut all = stale.len() < limit as usize;
        for ((item, _), held) in stale.iter().zip(held) {
            match held {
                // One that moved meanwhile may have been written under the earlier revision.
                Ok(held) => all &= self.store.keep_derived(derived(item, &held, revision, now)).await?,
                Err(error) => match error.of_the_store() {
                    Some(error) => return Err(error),
                    // It is woken now, and set aside with its reason.
                    None => self.store.wake_now(item, now, revision).await?,
                },
            }
        }
        if all {
            self.store.note_derived(revision).await?;
        }
        Ok(stale.len())
    }

    /// Items that were set aside (all of them, when none is named) are tried again at the next tick; gives which.
    pub async fn retry_set_aside(&self, items: &[String]) -> Result<Vec<String>, StoreError> {
        let (now, revision) = (self.now(), self.in_use().revision);
        let aside = self.store.quarantined(u32::MAX).await?.into_iter().map(|row| row.item);
        let meant: Vec<String> = aside.filter(|item| items.is_empty() || items.contains(item)).collect();
        for item in &meant {
            self.store.wake_now(item, now, revision).await?;
        }
        Ok(meant)
    }

    /// Derives and decides items, and queues what they owe.
    async fn wake_all(&self, due: Vec<WakeUp>, now: Instant) -> Result<(Vec<OnItsWay>, Woken), StoreError> {
        let ids: Vec<_> = due.iter().map(|due| (due.item.as_str(), due.workflow.as_str())).collect();
        let held = self.held_many(&ids, now).await.map_err(into_store)?;
        let (mut queued, mut woken) = (Vec::with_capacity(due.len()), Woken::default());
        for (due, held) in due.into_iter().zip(held) {
            if held.as_ref().is_ok_and(|held| !held.item.errands.is_empty()) {
                match self.run_errands(&due.item, now).await {
                    // What it owes beside that is asked at the next tick.
                    Ok(()) => woken.moved += 1,
                    Err(error) => match error.of_the_store() {
                        Some(error) => return Err(error),
                        None => self.set_aside(&due, &error.to_string(), now, &mut woken).await?,
                    },
                }
                continue;
            }
            match held.and_then(|held| self.wake(&held, due.fence, now)) {
                Ok(Some((saving, facts, notices))) => queued.push(OnItsWay { due, saving, facts, notices }),
                Ok(None) => woken.moved += 1,
                Err(error) => match error.of_the_store() {
                    Some(error) => return Err(error),
                    None => self.set_aside(&due, &error.to_string(), now, &mut woken).await?,
                },
            }
            // Deciding takes the processor for a while; others come in between.
            tokio::task::yield_now().await;
        }
        Ok((queued, woken))
    }

    /// What is owed, queued, with the number of its facts and notices; `None` when the item moved.
    fn wake(&self, held: &Arc<Held>, fence: Option<u64>, now: Instant) -> Result<Option<(Queued, usize, usize)>, LoadError> {
        let id = held.item.id.clone();
        let accepted = match deciding(|| decide::wake(&held.rules, &held.item, now))? {
            Ok(accepted) => accepted,
            Err(refusal) => return Err(LoadError::Refused(reason(&refusal))),
        };
        let (facts, notices) = (accepted.facts.len(), accepted.notices.len());
        let queued =
            self.queue(Lane::Background, &id, Some(held), &held.rules, accepted, None, fence, now).map_err(QueueError::into_load)?;
        Ok(queued.map(|queued| (queued, facts, notices)))
    }

    async fn set_aside(&self, due: &WakeUp, reason: &str, now: Instant, woken: &mut Woken) -> Result<(), StoreError> {
        tracing::warn!(item = %due.item, reason, "an item was set aside");
        self.desk().forget(&name(&due.item));
        self.store.quarantine(&due.item, None, due.fence, reason, now + back_off(due.retries), now).await?;
        woken.set_aside += 1;
        Ok(())
    }
}

/// Waits for what was begun, and for the commits of what was decided.
async fn finished(working: Vec<Working>, now: Instant, woken: &mut Woken) -> Result<(), StoreError> {
    for (app, work) in working {
        let (queued, others) = work.await.map_err(|error| StoreError::NotDone(error.to_string()))??;
        woken.set_aside += others.set_aside;
        woken.moved += others.moved;
        for OnItsWay { due, saving, facts, notices } in queued {
            match app.written(saving).await {
                Ok(_) => {
                    woken.facts += facts;
                    woken.notices += notices;
                }
                Err(NotSaved::Moved { .. }) => woken.moved += 1,
                Err(NotSaved::Store(error)) => return Err(error),
                Err(error) => app.set_aside(&due, &error.to_string(), now, woken).await?,
            }
        }
    }
    Ok(())
}

/// What a row of the store says of an item as it is now.
pub(super) fn derived(id: &str, held: &Held, rules_rev: u64, now: Instant) -> Derived {
    let (item, caches) = (id.to_string(), caches::of(&held.rules, &held.item));
    Derived { item, rev: held.item.rev, caches, wake_up: decide::next_moment(&held.item), rules_rev, now }
}

/// 1, 4, 16, 64 minutes, then every 4 hours.
fn back_off(retries: u32) -> TimeDelta {
    TimeDelta::minutes(4_i64.pow(retries.min(4)).min(240))
}

fn into_store(error: LoadError) -> StoreError {
    match error {
        LoadError::Store(error) => error,
        error => StoreError::NotDone(error.to_string()),
    }
}
