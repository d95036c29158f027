//! Items at hand: derived once, carried from decision to decision, so that acting on a known item reads nothing.
//!
//! A decision is queued for the store and put on the desk in one step, so decisions of this process on one item never collide. When the
//! store does not write it after all, the item is taken off the desk and read again.

use super::{App, LoadError, caches, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::events;
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Accepted;
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use crate::store::save::{About, Answered, NotSaved, Save, Saving};
use crate::store::{Lane, StoreError};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// So many items stay at hand.
const PLACES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Desk {
    items: HashMap<Name, Arc<Held>>,
    /// The last number given by each counter, counting what is queued.
    pub counters: HashMap<String, i64>,
    /// Items that are being written and do not lie here, each with how many times.
    unseen: HashMap<Name, usize>,
    /// So many of them have been written: what was read before may be out of date.
    turns: u64,
}

/// An item with the rules that it was derived under.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub rules: Arc<Rules>,
    pub item: Arc<Item>,
}

/// A decision that waits for its commit.
pub(super) struct Queued {
    pub item: Arc<Item>,
    pending: Pending,
}

/// What waits for its commit. Whoever waits may go away: what was put on the desk ahead of it is set right all the same.
pub(super) struct Pending {
    /// Empty once it is known what became of it.
    saving: Option<Saving>,
    ahead: Ahead,
}

/// What a desk shows, or leaves out, ahead of a commit.
#[derive(Default)]
pub(super) struct Ahead {
    desk: Arc<Mutex<Desk>>,
    /// They lie there as they will be.
    shown: Vec<Name>,
    /// They do not lie there; what somebody reads meanwhile may be older than the commit.
    unseen: Vec<Name>,
    counters: Vec<String>,
}

impl Ahead {
    /// Nothing but the counters, whose numbers are given out already.
    pub fn of(desk: &Arc<Mutex<Desk>>, counters: Vec<String>) -> Ahead {
        Ahead { desk: desk.clone(), counters, ..Ahead::default() }
    }

    fn known(self, written: bool) {
        let mut desk = self.desk.lock().unwrap_or_else(PoisonError::into_inner);
        for id in &self.unseen {
            desk.seen(id);
        }
        if written {
            return;
        }
        // What stands in the database counts.
        self.shown.iter().for_each(|id| desk.forget(id));
        self.counters.iter().for_each(|counter| _ = desk.counters.remove(counter));
    }
}

impl Pending {
    pub fn of(saving: Saving, ahead: Ahead) -> Pending {
        Pending { saving: Some(saving), ahead }
    }

    /// Its answer, after the commit.
    pub async fn done(mut self) -> Result<(), NotSaved> {
        let answer = match &mut self.saving {
            Some(saving) => saving.done().await,
            None => return Err(NotSaved::Store(StoreError::Closed)),
        };
        self.saving = None;
        std::mem::take(&mut self.ahead).known(answer.is_ok());
        answer.map(|_| ()).map_err(|failed| failed.why)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        let Some(mut saving) = self.saving.take() else { return };
        let ahead = std::mem::take(&mut self.ahead);
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(async move { ahead.known(saving.done().await.is_ok()) })),
            // Nobody can wait any more.
            Err(_) => ahead.known(false),
        }
    }
}

impl Desk {
    pub fn get(&self, id: &str) -> Option<Arc<Held>> {
        self.items.get(id).cloned()
    }

    fn put(&mut self, id: Name, held: Arc<Held>) {
        if self.items.len() >= PLACES && !self.items.contains_key(&id) {
            // Any half will do: what is needed again is read again.
            let mut keep = false;
            self.items.retain(|_, _| {
                keep = !keep;
                keep
            });
        }
        self.items.insert(id, held);
    }

    /// What was derived under other rules.
    pub fn clear(&mut self) {
        self.items.clear();
    }

    pub fn forget(&mut self, id: &str) {
        self.items.remove(id);
    }

    /// It is written without lying here.
    pub fn leave_out(&mut self, id: &Name, ahead: &mut Ahead) {
        self.forget(id);
        *self.unseen.entry(id.clone()).or_default() += 1;
        ahead.unseen.push(id.clone());
    }

    fn seen(&mut self, id: &Name) {
        self.turns += 1;
        if let Some(times) = self.unseen.get_mut(id) {
            *times -= 1;
            if *times == 0 {
                self.unseen.remove(id);
            }
        }
    }
}

impl Held {
    /// The item as it is on another day.
    fn on(self: &Arc<Held>, today: Date) -> Result<Arc<Held>, LoadError> {
        if self.item.today == today {
            return Ok(self.clone());
        }
        let item = contained(|| derive::settle(&self.rules, (*self.item).clone(), today))??;
        Ok(Arc::new(Held { rules: self.rules.clone(), item }))
    }
}

impl App {
    /// The item as it is now; `None` when there is none.
    pub async fn item(&self, id: &str) -> Result<Option<Arc<Item>>, LoadError> {
        Ok(self.held(id, self.now()).await?.map(|held| held.item.clone()))
    }

    /// Where others write as well, an item is at hand only while it stands at its revision; one that is ahead waits for its own commit.
    async fn forget_what_moved(&self, ids: &[&str]) -> Result<(), StoreError> {
        if !self.store.is_shared() {
            return Ok(());
        }
        let known: Vec<&str> = {
            let desk = self.desk();
            ids.iter().copied().filter(|id| desk.get(id).is_some()).collect()
        };
        if known.is_empty() {
            return Ok(());
        }
        let revisions = self.store.revisions(&known).await?;
        let mut desk = self.desk();
        for id in known {
            if desk.get(id).is_some_and(|held| revisions.get(id).is_some_and(|rev| *rev > held.item.rev)) {
                desk.forget(id);
            }
        }
        Ok(())
    }

    /// The item as it stands in the database.
    pub(super) async fn held(&self, id: &str, now: Instant) -> Result<Option<Arc<Held>>, LoadError> {
        self.forget_what_moved(&[id]).await?;
        self.at_hand(id, now).await
    }

    /// Another process has written more facts of the item than this one knew.
    pub(super) async fn has_moved(&self, known: &Held) -> Result<bool, StoreError> {
        if !self.store.is_shared() {
            return Ok(false);
        }
        let id = &known.item.id;
        let moved = self.store.revisions(&[id]).await?.get(&**id).is_some_and(|rev| *rev > known.item.rev);
        if moved {
            self.desk().forget(id);
        }
        Ok(moved)
    }

    /// The item as it is known here. Where others write as well, they may have moved it: what is decided on it is guarded by its revision,
    /// and a refusal asks [`App::has_moved`] first.
    pub(super) async fn at_hand(&self, id: &str, now: Instant) -> Result<Option<Arc<Held>>, LoadError> {
        let (known, turns) = {
            let desk = self.desk();
            (desk.get(id), desk.turns)
        };
        if let Some(held) = known {
            let today = day_of(now, held.rules.setting.workflow.timezone);
            let settled = held.on(today)?;
            return Ok(Some(self.place(id, Some(&held), settled, turns)));
        }
        let Some(recorded) = self.store.item(id).await? else { return Ok(None) };
        let held = self.derive(id, &recorded.workflow, &recorded.facts, now)?;
        Ok(held.map(|held| self.place(id, None, held, turns)))
    }

    /// Many items at once, in one question; each may fail alone. Those not at hand are not put there.
    pub(super) async fn held_many(&self, ids: &[(&str, &str)], now: Instant) -> Result<Vec<Result<Arc<Held>, LoadError>>, LoadError> {
        self.forget_what_moved(&ids.iter().map(|(id, _)| *id).collect::<Vec<_>>()).await?;
        let (known, turns) = {
            let desk = self.desk();
            (ids.iter().map(|(id, _)| desk.get(id)).collect::<Vec<_>>(), desk.turns)
        };
        let missing: Vec<&str> = ids.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|((id, _), _)| *id).collect();
        let mut facts = match missing.is_empty() {
            true => HashMap::new(),
            false => self.store.items(&missing).await?,
        };
        let mut found = Vec::with_capacity(ids.len());
        for ((id, workflow), known) in ids.iter().zip(known) {
            found.push(match known {
                Some(held) => {
                    let settled = held.on(day_of(now, held.rules.setting.workflow.timezone));
                    settled.map(|settled| self.place(id, Some(&held), settled, turns))
                }
                None => match facts.remove(*id) {
                    Some(Ok(facts)) => self
                        .derive(id, workflow, &facts, now)
                        .and_then(|held| held.ok_or_else(|| LoadError::Store(StoreError::Damaged(format!("`{id}` has no facts"))))),
                    Some(Err(error)) => Err(error.into()),
                    None => Err(LoadError::Store(StoreError::Damaged(format!("`{id}` has no facts")))),
                },
            });
        }
        Ok(found)
    }

    fn derive(&self, id: &str, workflow: &str, facts: &[Fact], now: Instant) -> Result<Option<Arc<Held>>, LoadError> {
        let rules = self.workflow(workflow)?;
        let today = day_of(now, rules.setting.workflow.timezone);
        let item = contained(|| derive::derive(&rules, id, facts, today))??;
        Ok(item.map(|item| Arc::new(Held { rules, item })))
    }

    fn is_in_use(&self, rules: &Arc<Rules>) -> bool {
        self.rules().workflows.get(&rules.setting.workflow.name).is_some_and(|current| Arc::ptr_eq(current, rules))
    }

    /// Puts an item on the desk unless somebody has put a newer one there meanwhile; gives what lies there. What may be older than a commit
    /// is given and not put there.
    fn place(&self, id: &str, instead_of: Option<&Arc<Held>>, held: Arc<Held>, turns: u64) -> Arc<Held> {
        let mut desk = self.desk();
        if !self.is_in_use(&held.rules) {
            // Another rule set came into use meanwhile, and what was derived under this one is not kept.
            return held;
        }
        match desk.get(id) {
            Some(there) if !instead_of.is_some_and(|known| Arc::ptr_eq(known, &there)) => there,
            None if desk.turns != turns || desk.unseen.contains_key(id) => held,
            _ => {
                desk.put(id.into(), held.clone());
                held
            }
        }
    }

    /// Queues a decision that was made on `base`. `None` when the item or a counter has moved since: decide again.
    pub(super) fn queue(
        &self,
        lane: Lane,
        id: &Name,
        base: Option<&Arc<Held>>,
        rules: &Arc<Rules>,
        accepted: Accepted,
        command: Option<Answered>,
        fence: Option<u64>,
        now: Instant,
    ) -> Result<Option<Queued>, QueueError> {
        let in_use = self.in_use();
        // Another rule set came into use meanwhile: decide again under it.
        if !self.is_in_use(rules) {
            self.desk().forget(id);
            return Ok(None);
        }
        // Amended facts have to be read from the beginning.
        let plain = !accepted.facts.iter().any(|fact| matches!(fact.cause, Cause::Amend { .. }));
        let next = match accepted.item.as_ref().filter(|_| !plain) {
            Some(amended) => amended.clone(),
            None => next(rules, id, base, &accepted.facts, now)?,
        };
        let about = About {
            item: id.clone(),
            workflow: rules.setting.workflow.name.clone(),
            rev: base.map_or(0, |held| held.item.rev),
            caches: caches::of(rules, &next),
            command,
            fence,
            rules_rev: in_use.revision,
            events: events::of(rules, &next, &accepted.facts),
            now,
        };
        let numbers = accepted.numbers.clone();
        let save = Save::new(about, accepted)?;

        let mut desk = self.desk();
        if !self.is_in_use(rules) {
            return Ok(None);
        }
        let there = desk.get(id);
        let moved = match (&there, base) {
            (Some(there), Some(base)) => !Arc::ptr_eq(there, base),
            (Some(_), None) => true,
            (None, _) => false,
        };
        if moved || numbers.iter().any(|number| desk.counters.get(&number.counter) != Some(&number.from)) {
            return Ok(None);
        }
        let saving = self.store.begin_save(lane, vec![save])?;
        for number in &numbers {
            desk.counters.insert(number.counter.clone(), number.to);
        }
        let item = next.clone();
        let counters = numbers.into_iter().map(|number| number.counter).collect();
        let mut ahead = Ahead::of(&self.desk, counters);
        if plain && (lane == Lane::User || there.is_some()) {
            desk.put(id.clone(), Arc::new(Held { rules: rules.clone(), item: next }));
            ahead.shown.push(id.clone());
        } else {
            desk.leave_out(id, &mut ahead);
        }
        Ok(Some(Queued { item, pending: Pending::of(saving, ahead) }))
    }

    /// Waits for the commit; what was not written is taken off the desk.
    pub(super) async fn written(&self, queued: Queued) -> Result<Arc<Item>, NotSaved> {
        let Queued { item, pending } = queued;
        pending.done().await.map(|()| item)
    }
}

/// Why a decision could not even be queued.
#[derive(Debug, thiserror::Error)]
pub(super) enum QueueError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    NotSaved(#[from] NotSaved),
}

impl QueueError {
    pub fn into_load(self) -> LoadError {
        match self {
            QueueError::Load(error) => error,
            QueueError::Store(error) | QueueError::NotSaved(NotSaved::Store(error)) => error.into(),
            QueueError::NotSaved(error) => LoadError::Refused(error.to_string()),
        }
    }
}

/// The item after the decision.
pub(super) fn next(rules: &Rules, id: &str, base: Option<&Arc<Held>>, facts: &[Fact], now: Instant) -> Result<Arc<Item>, LoadError> {
    let today = day_of(now, rules.setting.workflow.timezone);
    let Some(held) = base else {
        let made = contained(|| derive::derive(rules, id, facts, today))??;
        return made.ok_or_else(|| LoadError::Store(StoreError::NotDone(format!("nothing happened that makes `{id}`"))));
    };
    if facts.is_empty() {
        return Ok(held.item.clone());
    }
    contained(|| {
        let mut item = (*held.item).clone();
        for fact in facts {
            derive::apply(rules, &mut item, fact)?;
        }
        derive::settle(rules, item, today)
    })?
    .map_err(LoadError::Eval)
}
