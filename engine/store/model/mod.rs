//! The store without a database: what its contract means, said in plain maps. It is the measure that the databases are held against, and
//! the ground of simulations; nothing of it outlives the program, so no setting leads here.
//!
//! It shares the store's nouns and none of its SQL. What a process has queued is written when the process next waits for it or changes
//! something, so that a process which dies before may lose it.

mod accounts;
mod attachments;
mod brake;
mod everywhere;
mod incoming;
mod items;
mod outbox;
mod rounds;
mod saving;
mod state;
mod tokens;
mod webhooks;

use super::health::Health;
use super::lock::Holder;
use super::save::{Failed, Saved, Unit};
use super::{Counts, StoreError};
use crate::kernel::time::Instant;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use saving::Queued;
use state::{Office, State};
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The data of an installation in memory. Cheap to copy; every copy is the same data.
#[derive(Clone, Debug)]
pub struct Model(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// Any number of processes work it at once, as with a server; else one after the other, as with a file.
    by_many: bool,
    state: Mutex<State>,
}

/// What a process gets that opens a model.
pub(super) struct Opened {
    pub process: Process,
    pub instance: String,
    pub unclean: bool,
}

impl Model {
    /// Worked by one process at a time, as a file is.
    pub fn of_one() -> Model {
        Model(Arc::new(Shared { by_many: false, state: Mutex::default() }))
    }

    /// Worked by any number of processes, as a server is.
    pub fn of_many() -> Model {
        Model(Arc::new(Shared { by_many: true, state: Mutex::new(State { by_many: true, ..State::default() }) }))
    }

    pub fn is_of_many(&self) -> bool {
        self.0.by_many
    }

    /// From now on others may come in between before each operation; how often is drawn from the seed.
    pub fn interleave(&self, seed: u64) {
        self.state().chance = Some(StdRng::seed_from_u64(seed));
    }

    /// The process behind a store dies: of the decisions that it had queued, only the first ones are stored, as many as `kept` says of
    /// their number. What it asks afterwards is answered with [`StoreError::Closed`].
    pub fn kill(&self, store: &super::Store, kept: impl FnOnce(usize) -> usize) {
        let super::Behind::Model(process) = &store.behind else { return };
        let mut state = self.state();
        let Some(mut queue) = state.processes.remove(&process.0.number) else { return };
        let kept = kept(queue.len());
        queue.truncate(kept);
        state.write_queued(queue);
        state.unclean = true;
    }

    pub(super) fn open(&self, new_instance: String, now: Instant) -> Result<Opened, StoreError> {
        let mut state = self.state();
        if !self.0.by_many {
            if !state.processes.is_empty() {
                let holder = Box::new(Holder { process: std::process::id(), ..Holder::default() });
                return Err(StoreError::Held { path: "memory".into(), holder });
            }
            state.take_back(now);
            state.take_back_deliveries(now);
        }
        state.opened += 1;
        let number = state.opened;
        state.processes.insert(number, Vec::new());
        let instance = state.meta.entry("instance".into()).or_insert(new_instance).clone();
        let unclean = !self.0.by_many && std::mem::take(&mut state.unclean);
        drop(state);
        Ok(Opened { process: Process(Arc::new(Life { model: self.clone(), number })), instance, unclean })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One process at work on a model.
#[derive(Clone, Debug)]
pub(super) struct Process(Arc<Life>);

/// From its opening until the last copy of its store is dropped.
#[derive(Debug)]
struct Life {
    model: Model,
    number: u64,
}

impl Process {
    pub fn is_shared(&self) -> bool {
        self.0.model.0.by_many
    }

    pub fn counts(&self) -> Counts {
        self.0.model.state().counts
    }

    /// For a question of a jurisdiction.
    pub async fn look<'a>(&'a self, here: &'a Arc<str>) -> Result<At<'a>, StoreError> {
        self.let_others_come().await;
        let mut state = self.0.model.state();
        if !state.processes.contains_key(&self.0.number) {
            return Err(StoreError::Closed);
        }
        state.offices.entry(here.clone()).or_default();
        Ok(At { state, here })
    }

    /// For a change.
    pub async fn change<'a>(&'a self, here: &'a Arc<str>) -> Result<At<'a>, StoreError> {
        let mut at = self.look(here).await?;
        at.state.write_queue_of(self.0.number);
        at.state.counts.commits += 1;
        at.state.counts.commands += 1;
        Ok(at)
    }

    /// Queues decisions that stand or fall together.
    pub fn queue(&self, unit: Unit) -> Result<oneshot::Receiver<Result<Vec<Saved>, Failed>>, StoreError> {
        let mut state = self.0.model.state();
        let queue = state.processes.get_mut(&self.0.number).ok_or(StoreError::Closed)?;
        let (reply, answer) = oneshot::channel();
        queue.push(Queued { unit, reply });
        Ok(answer)
    }

    /// Writes what is queued.
    pub async fn settle(&self) {
        self.let_others_come().await;
        self.0.model.state().write_queue_of(self.0.number);
    }

    /// Writes what is queued; nothing is answered any more.
    pub fn close(&self) {
        self.0.end();
    }

    async fn let_others_come(&self) {
        let turns = self.0.model.state().chance.as_mut().map_or(0, |chance| chance.random_range(0..3));
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
    }
}

impl Life {
    fn end(&self) {
        let mut state = self.model.state();
        if let Some(queue) = state.processes.remove(&self.number) {
            state.write_queued(queue);
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.end();
    }
}

/// A model at one moment, as one jurisdiction sees it.
pub(super) struct At<'a> {
    state: MutexGuard<'a, State>,
    here: &'a Arc<str>,
}

impl At<'_> {
    pub fn meta(&self, name: &str) -> Option<String> {
        self.state.meta.get(name).cloned()
    }

    pub fn set_meta(&mut self, name: &str, value: &str) {
        self.state.meta.insert(name.into(), value.into());
    }

    /// Of this jurisdiction, and what is everybody's.
    pub fn health(&self, now: Instant) -> Health {
        Health { backup: self.state.last_backup().map(|last| last.at), ..Office::health(self, now) }
    }

    /// All jurisdictions.
    pub fn all(&self) -> &State {
        &self.state
    }

    pub fn all_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Deref for At<'_> {
    type Target = Office;

    fn deref(&self) -> &Office {
        self.state.offices.get(self.here).expect("the process made it when it came to look")
    }
}

impl DerefMut for At<'_> {
    fn deref_mut(&mut self) -> &mut Office {
        self.state.offices.entry(self.here.clone()).or_default()
    }
}
