//! What waits to be written, and which of it may be written now.
//!
//! Where the database bears it, several connections write at the same time. What touches the same item, counter or field of unique values
//! keeps the order in which it was queued: it waits until what goes before it is written.

use super::save::{Failed, Save, Saved, Unit};
use super::writer::Work;
use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, mpsc, oneshot};

/// At most so many commands share a commit, so that nobody waits long.
const GROUP: usize = 256;
/// So many commands may wait before new ones are turned away.
pub(super) const QUEUE: usize = 4096;

pub(super) type Reply = oneshot::Sender<Result<Vec<Saved>, Failed>>;

pub(super) enum Job {
    Save(Unit, Reply),
    Write(Box<dyn Work>),
    Stop,
}

impl Job {
    /// What it touches that others may touch as well.
    fn keys(&self) -> Vec<Key> {
        match self {
            Job::Save(unit, _) => unit.iter().flat_map(keys).collect(),
            Job::Write(work) => work.about().into_iter().collect(),
            Job::Stop => Vec::new(),
        }
    }
}

/// An item, a counter or a field of unique values, of a jurisdiction.
type Key = (Arc<str>, String);

/// What waits for all connections that write.
pub(super) struct Queue {
    waiting: tokio::sync::Mutex<Waiting>,
    /// What is being written; nothing is noted where one connection writes all.
    busy: Option<Mutex<HashSet<Key>>>,
    freed: Notify,
}

struct Waiting {
    user: mpsc::Receiver<Job>,
    background: mpsc::Receiver<Job>,
    /// Has been received, and could not be written yet.
    put_off: VecDeque<Job>,
    stopping: bool,
}

/// Commands that are written together.
pub(super) struct Group<'a> {
    pub units: Vec<(Unit, Reply)>,
    pub works: Vec<Box<dyn Work>>,
    /// Nothing of it is left to others until this is dropped.
    pub hold: Hold<'a>,
}

/// Items, counters and fields that are being written.
pub(super) struct Hold<'a> {
    queue: &'a Queue,
    keys: HashSet<Key>,
}

impl Queue {
    pub fn new(user: mpsc::Receiver<Job>, background: mpsc::Receiver<Job>, alone: bool) -> Queue {
        let waiting = Waiting { user, background, put_off: VecDeque::new(), stopping: false };
        Queue { waiting: tokio::sync::Mutex::new(waiting), busy: (!alone).then(Mutex::default), freed: Notify::new() }
    }

    /// Everything that waits and may be written now; it never waits for more. Nothing once there will be none any more. Whoever stops
    /// waiting for it loses nothing.
    pub async fn take(&self) -> Option<Group<'_>> {
        let mut waiting = self.waiting.lock().await;
        loop {
            let mut freed = std::pin::pin!(self.freed.notified());
            freed.as_mut().enable();
            let group = self.ready(&mut waiting);
            if !group.units.is_empty() || !group.works.is_empty() {
                return Some(group);
            }
            if waiting.is_over() {
                return None;
            }
            let Waiting { user, background, put_off, .. } = &mut *waiting;
            tokio::select! {
                biased;
                Some(job) = user.recv() => put_off.push_back(job),
                Some(job) = background.recv() => put_off.push_back(job),
                () = freed => {}
            }
        }
    }

    fn ready(&self, waiting: &mut Waiting) -> Group<'_> {
        let mut group = Group { units: Vec::new(), works: Vec::new(), hold: Hold { queue: self, keys: HashSet::new() } };
        let mut busy = self.busy();
        // Whatever follows one that has to wait, and touches the same, waits as well.
        let mut before: HashSet<Key> = HashSet::new();
        let mut earlier = std::mem::take(&mut waiting.put_off);
        while group.units.len() + group.works.len() < GROUP && waiting.put_off.len() < QUEUE {
            let Some(job) = earlier.pop_front().or_else(|| waiting.received()) else { break };
            if let Some(busy) = &busy {
                let keys = job.keys();
                if keys.iter().any(|key| busy.contains(key) || before.contains(key)) {
                    before.extend(keys);
                    waiting.put_off.push_back(job);
                    continue;
                }
                group.hold.keys.extend(keys);
            }
            match job {
                Job::Save(unit, reply) => group.units.push((unit, reply)),
                Job::Write(work) => group.works.push(work),
                Job::Stop => waiting.stopping = true,
            }
        }
        waiting.put_off.append(&mut earlier);
        if let Some(busy) = &mut busy {
            busy.extend(group.hold.keys.iter().cloned());
        }
        group
    }

    fn busy(&self) -> Option<MutexGuard<'_, HashSet<Key>>> {
        self.busy.as_ref().map(|busy| busy.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Waiting {
    /// A person's command before a backlog of due rungs.
    fn received(&mut self) -> Option<Job> {
        self.user.try_recv().or_else(|_| self.background.try_recv()).ok()
    }

    fn is_over(&self) -> bool {
        let closed = |jobs: &mpsc::Receiver<Job>| jobs.is_empty() && jobs.is_closed();
        self.put_off.is_empty() && (self.stopping || (closed(&self.user) && closed(&self.background)))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(mut busy) = self.queue.busy() {
            self.keys.iter().for_each(|key| _ = busy.remove(key));
        }
        // Also when nothing was noted: whoever waits looks whether it is over.
        self.queue.freed.notify_waiters();
    }
}

fn keys(save: &Save) -> impl Iterator<Item = Key> {
    let counters = save.numbers.iter().map(|number| number.counter.clone());
    // The field, not the value: which value an item gives up stands in the database.
    let fields = save.unique.iter().map(|(_, field, _)| field.clone());
    counters.chain(fields).chain([save.item.clone()]).map(|key| (save.here().clone(), key))
}
