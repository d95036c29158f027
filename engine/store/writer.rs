//! Group commit: a task with its own connection takes everything that waits, writes it in one transaction, and only then answers. A file
//! has one such task; a server has several, so that one group is decided and another written while a third is flushed.
//!
//! It never waits to fill a group, so a lone caller loses nothing. What may be written when is `queue`'s, what a decision writes `save`'s.

use super::dialect::{self, Address, Connection, on, run};
use super::queue::{Group, Job, QUEUE, Queue, Reply};
use super::save::{self, Asks, Failed, Heads, Saved, Unit};
use super::{StoreError, statements};
use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// Of so many items the writer remembers where they stand.
const HEADS: usize = 8192;

/// A server is given once more the time of a group for each so many decisions: a list of thousands of rows is one group.
const LONG: usize = 4096;

/// So often a group is tried again because another process was in the way.
const CONTENDED: u64 = 5;
/// While there is much to write, other processes are told of it so often.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// When nothing more has come for so long, they are told at once.
const QUIET: Duration = Duration::from_millis(5);
/// The first wait for a server that went away.
const FIRST_WAIT: Duration = Duration::from_millis(50);

/// Whose work goes first: a person's command never waits behind a backlog of due rungs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lane {
    User,
    Background,
}

/// Something that is written beside decisions. It may be run twice (when its group is taken apart), so it only borrows what it writes.
pub(super) trait Write: Send + Sync + 'static {
    type Answer: Send + 'static;

    /// The item it is about: it keeps its place behind what was queued on that item before.
    fn item(&self) -> Option<&str> {
        None
    }

    /// `here` is the jurisdiction whose rows it may touch.
    fn write(&self, connection: &mut Connection, here: &str) -> impl Future<Output = Result<Self::Answer, sqlx::Error>> + Send;
}

/// What the writer has done since it started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub commits: u64,
    pub commands: u64,
    pub statements: u64,
}

#[derive(Debug, Default)]
struct Counters {
    commits: AtomicU64,
    commands: AtomicU64,
    statements: AtomicU64,
}

#[derive(Debug)]
pub(super) struct Writer {
    user: mpsc::Sender<Job>,
    background: mpsc::Sender<Job>,
    shared: Arc<Shared>,
    tasks: tokio::sync::Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

/// What all connections of this process that write have in common.
#[derive(Debug)]
struct Shared {
    address: Address,
    counters: Counters,
    /// How this process calls itself before others.
    name: String,
    high_water: AtomicI64,
    /// Why this program may not write to the database any more.
    outgrown: OnceLock<StoreError>,
    /// A flush failed: nothing can be promised any more.
    disk_failed: CancellationToken,
}

impl Writer {
    pub fn start(address: Address, connection: Connection, high_water: i64) -> Writer {
        let (user, user_jobs) = mpsc::channel(QUEUE);
        let (background, background_jobs) = mpsc::channel(QUEUE);
        let connections = address.writers();
        let queue = Arc::new(Queue::new(user_jobs, background_jobs, connections == 1));
        let shared = Arc::new(Shared {
            address,
            counters: Counters::default(),
            name: format!("{:016x}", rand::random::<u64>()),
            high_water: AtomicI64::new(high_water),
            outgrown: OnceLock::new(),
            disk_failed: CancellationToken::new(),
        });
        // The others are opened when there is something for them to do.
        let mut first = Some(connection);
        let tasks = (0..connections).map(|_| {
            let (shared, connection) = (shared.clone(), first.take());
            let task = Task { shared, connection, heads: AllHeads::new(), down: false, untold: false, told: None };
            tokio::spawn(task.run(queue.clone()))
        });
        let tasks = tokio::sync::Mutex::new(tasks.collect());
        Writer { user, background, shared, tasks }
    }

    /// From here on nothing is written: another program has brought the database to a schema that this one does not know.
    pub fn give_up(&self, why: StoreError) {
        // The first reason is the one that counts.
        let _ = self.shared.outgrown.set(why);
    }

    /// How this process calls itself before others.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Queues decisions that stand or fall together; the answer comes after their commit. Those that touch the same item, counter
    /// or field of unique values are written in the order of the calls.
    pub fn save(&self, lane: Lane, unit: Unit) -> Result<oneshot::Receiver<Result<Vec<Saved>, Failed>>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(lane, Job::Save(unit, reply))?;
        Ok(answer)
    }

    pub async fn write<W: Write>(&self, lane: Lane, here: Arc<str>, write: W) -> Result<W::Answer, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.send(lane, Job::Write(Box::new(Pending { write, here, done: None, reply })))?;
        answer.await.unwrap_or(Err(StoreError::Closed))
    }

    /// Returns once nothing can be promised any more.
    pub async fn disk_failed(&self) {
        self.shared.disk_failed.cancelled().await;
    }

    /// Finishes what waits and closes the connections.
    pub async fn stop(&self) {
        let tasks = std::mem::take(&mut *self.tasks.lock().await);
        if !tasks.is_empty() {
            let _ = self.background.send(Job::Stop).await;
        }
        for task in tasks {
            let _ = task.await;
        }
    }

    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Counters { commits, commands, statements } = &self.shared.counters;
        Counts { commits: read(commits), commands: read(commands), statements: read(statements) }
    }

    fn send(&self, lane: Lane, job: Job) -> Result<(), StoreError> {
        let queue = match lane {
            Lane::User => &self.user,
            Lane::Background => &self.background,
        };
        queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => StoreError::Closed,
        })
    }
}

/// One connection that writes.
struct Task {
    shared: Arc<Shared>,
    /// Empty before it is needed, and after a fault of the storage, until it could be opened again.
    connection: Option<Connection>,
    /// Where items stand that this task has written. While nobody else writes, it need not ask.
    heads: AllHeads,
    /// The server was gone the last time: a group is tried once, so that callers are told soon.
    down: bool,
    /// Other processes have not been told yet of what was written.
    untold: bool,
    told: Option<tokio::time::Instant>,
}

impl Task {
    async fn run(mut self, queue: Arc<Queue>) {
        loop {
            let group = tokio::select! {
                biased;
                group = queue.take() => group,
                () = tokio::time::sleep(QUIET), if self.untold => {
                    self.tell().await;
                    continue;
                }
            };
            let Some(group) = group else { break };
            self.group(group).await;
            if self.untold && self.told.is_none_or(|told| told.elapsed() > TELL_EVERY) {
                self.tell().await;
            }
        }
        self.tell().await;
        if let Some(connection) = self.connection.take() {
            dialect::close(connection).await;
        }
    }

    /// Tells other processes that something was written.
    async fn tell(&mut self) {
        if !self.untold {
            return;
        }
        if let Some(connection) = &mut self.connection {
            if !super::news::tell(connection, &self.shared.name).await {
                self.connection = None;
            }
        }
        (self.untold, self.told) = (false, Some(tokio::time::Instant::now()));
    }

    async fn group(&mut self, Group { units, mut works, hold }: Group<'_>) {
        let (units, replies): (Vec<Unit>, Vec<Reply>) = units.into_iter().unzip();
        let commands = units.iter().map(|unit| unit.len() as u64).sum::<u64>() + works.len() as u64;
        let (answers, written) = match self.transaction(&units, &mut works).await {
            Ok(answers) => {
                self.untold |= self.shared.address.is_shared() && answers.iter().any(Result::is_ok);
                (answers, Ok(()))
            }
            Err(error) => (units.iter().map(|_| Err(Failed::all(error.clone()))).collect(), Err(error)),
        };
        // Whoever is answered may go on with the same item at once.
        drop(hold);
        self.shared.counters.commands.fetch_add(commands, Ordering::Relaxed);
        for (reply, answer) in replies.into_iter().zip(answers) {
            // Whoever asked may have gone; what was stored stays stored.
            let _ = reply.send(answer);
        }
        for work in works {
            work.answer(&written);
        }
    }

    /// One transaction for the whole group. When something in it fails that `save` had not foreseen, the group is taken apart: the same
    /// again with one command at a time, so that a bad one leaves its neighbours alone. What was certainly not stored because a server
    /// went away or another process was in the way is tried again.
    async fn transaction(&mut self, units: &[Unit], works: &mut [Box<dyn Work>]) -> Result<Vec<Result<Vec<Saved>, Failed>>, StoreError> {
        if let Some(why) = self.shared.outgrown.get() {
            return Err(why.clone());
        }
        if self.shared.disk_failed.is_cancelled() {
            return Err(StoreError::NotDone("the disk failed to store earlier commands; restart after looking at it".into()));
        }
        let patience = if self.down { Duration::ZERO } else { self.shared.address.patience() };
        let mut patience = Patience { until: tokio::time::Instant::now() + patience, next: FIRST_WAIT };
        let (mut apart, mut contended, mut statements) = (false, 0, 2);
        let answer = loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match self.shared.address.writer().await {
                    Ok(connection) => connection,
                    Err(error) => match patience.wait().await {
                        true => continue,
                        false => {
                            self.down = true;
                            break Err(StoreError::NotDone(error.to_string()));
                        }
                    },
                },
            };
            match self.write_in_time(&mut connection, units, works, apart, &mut statements).await {
                Ok((answers, heads)) => {
                    self.shared.counters.commits.fetch_add(1, Ordering::Relaxed);
                    self.down = false;
                    let count = |heads: &AllHeads| heads.values().map(Heads::len).sum::<usize>();
                    if count(&self.heads) + count(&heads) > HEADS {
                        self.heads.clear();
                    }
                    if !self.shared.address.is_shared() {
                        for (here, heads) in heads {
                            self.heads.entry(here).or_default().extend(heads);
                        }
                    }
                    self.connection = Some(connection);
                    break Ok(answers);
                }
                Err(fault) if fault.in_commit || (fault.is_storage() && !dialect::is_lost(&fault.error)) => break Err(self.failed(fault)),
                Err(fault) if fault.is_storage() => {
                    // The transaction ended with its connection.
                    drop(connection);
                    if !patience.wait().await {
                        self.down = self.shared.address.is_shared();
                        break Err(self.failed(fault));
                    }
                    tracing::warn!(error = %fault.error, "the connection to the database was lost; trying again");
                }
                Err(fault) if dialect::is_contended(&fault.error) && contended < CONTENDED => {
                    contended += 1;
                    self.connection = rolled_back(connection).await;
                    // Whoever was in the way needs a moment; not the same for all.
                    tokio::time::sleep(Duration::from_millis(rand::random_range(1..=20 * contended))).await;
                }
                Err(_) if !apart => {
                    apart = true;
                    self.connection = rolled_back(connection).await;
                }
                Err(fault) => break Err(self.failed(fault)),
            }
        };
        self.shared.counters.statements.fetch_add(statements, Ordering::Relaxed);
        answer
    }

    /// The transaction ends with its connection; a new one is opened for the next group.
    fn failed(&mut self, fault: Fault) -> StoreError {
        self.heads.clear();
        let what = dialect::plain(&fault.error);
        if dialect::is_failed_flush(&fault.error) {
            self.shared.disk_failed.cancel();
        }
        tracing::error!(error = %fault.error, "the database could not be written");
        match fault.in_commit && !dialect::is_full(&fault.error) {
            true => StoreError::Unknown(what),
            false => StoreError::NotDone(what),
        }
    }

    /// A server that does not answer any more is as good as gone.
    async fn write_in_time(
        &self,
        connection: &mut Connection,
        units: &[Unit],
        works: &mut [Box<dyn Work>],
        apart: bool,
        statements: &mut u64,
    ) -> Result<(Vec<Result<Vec<Saved>, Failed>>, AllHeads), Fault> {
        let committing = AtomicBool::new(false);
        let writing = self.write_group(connection, units, works, apart, statements, &committing);
        let decisions = units.iter().map(Vec::len).sum::<usize>();
        let longest = self.shared.address.longest_write().saturating_mul(1 + (decisions / LONG) as u32);
        match tokio::time::timeout(longest, writing).await {
            Ok(written) => written,
            Err(_) => Err(Fault { error: super::postgres::timed_out(), in_commit: committing.load(Ordering::Relaxed) }),
        }
    }

    async fn write_group(
        &self,
        connection: &mut Connection,
        units: &[Unit],
        works: &mut [Box<dyn Work>],
        apart: bool,
        statements: &mut u64,
        committing: &AtomicBool,
    ) -> Result<(Vec<Result<Vec<Saved>, Failed>>, AllHeads), Fault> {
        dialect::begin(connection).await?;
        let (mut answers, mut heads) = (Vec::with_capacity(units.len()), AllHeads::new());
        if !apart {
            // One jurisdiction after the other, in an order that is the same for everybody.
            let mut parts: BTreeMap<&Arc<str>, Vec<usize>> = BTreeMap::new();
            for (place, unit) in units.iter().enumerate() {
                parts.entry(here(unit)).or_default().push(place);
            }
            let mut placed = Vec::with_capacity(units.len());
            for (here, places) in parts {
                let part: Vec<&Unit> = places.iter().map(|place| &units[*place]).collect();
                let known = self.heads.get(here).unwrap_or(&NO_HEADS);
                let written = save::write(connection, here, &part, known, Asks::WhatMoves, statements).await?;
                heads.insert(here.clone(), written.heads);
                placed.extend(places.into_iter().zip(written.answers));
            }
            placed.sort_by_key(|(place, _)| *place);
            answers = placed.into_iter().map(|(_, answer)| answer).collect();
            for work in works.iter_mut() {
                *statements += 1;
                work.run(connection).await?;
            }
        } else {
            for unit in units {
                let mut again = 0;
                let answer = loop {
                    run(connection, "savepoint command").await?;
                    // What an earlier one of this group has written stands in the database.
                    match save::write(connection, here(unit), &[unit], &NO_HEADS, Asks::Everything, statements).await {
                        Ok(written) => {
                            heads.entry(here(unit).clone()).or_default().extend(written.heads);
                            break written.answers;
                        }
                        Err(error) => {
                            again += 1;
                            let contended = dialect::is_contended(&error) && again <= CONTENDED;
                            let error = self.undo(connection, error).await?;
                            if !contended {
                                break vec![Err(Failed::all(error))];
                            }
                        }
                    }
                };
                answers.extend(answer);
                run(connection, "release command").await?;
            }
            for work in works.iter_mut() {
                run(connection, "savepoint command").await?;
                if let Err(error) = work.run(connection).await {
                    let error = self.undo(connection, error).await?;
                    work.fail(error);
                }
                run(connection, "release command").await?;
            }
        }
        // A decision that was refused has written nothing.
        let written = units.iter().zip(&answers).filter(|(_, answer)| answer.is_ok()).flat_map(|(unit, _)| unit);
        let latest = written.map(save::Save::at).max().unwrap_or(0);
        let before = self.shared.high_water.load(Ordering::Relaxed);
        // To the second is enough to see that a clock was set back. The connection that raises the mark here writes it.
        let raise = latest >= before.saturating_add(1000)
            && self.shared.high_water.compare_exchange(before, latest, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        let ended = self.end(connection, raise.then_some(latest), statements, committing).await;
        if ended.is_err() && raise {
            let _ = self.shared.high_water.compare_exchange(latest, before, Ordering::Relaxed, Ordering::Relaxed);
        }
        ended.map(|()| (answers, heads))
    }

    /// Writes the clock's new mark, if there is one, and commits.
    async fn end(
        &self,
        connection: &mut Connection,
        mark: Option<i64>,
        statements: &mut u64,
        committing: &AtomicBool,
    ) -> Result<(), Fault> {
        if let Some(mark) = mark {
            *statements += 1;
            let mark = mark.to_string();
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::META_RISE)).bind("clock").bind(mark).execute(&mut *c).await.map(|_| ()))?;
        }
        committing.store(true, Ordering::Relaxed);
        run(connection, "commit").await.map_err(|error| Fault { error, in_commit: true })
    }

    /// Takes one command back; a fault of the storage takes the whole group.
    async fn undo(&self, connection: &mut Connection, error: sqlx::Error) -> Result<StoreError, sqlx::Error> {
        if dialect::is_storage_fault(&error) {
            return Err(error);
        }
        run(connection, "rollback to command").await?;
        Ok(StoreError::NotDone(dialect::plain(&error)))
    }
}

/// The connection, free for another transaction; nothing when it has gone.
async fn rolled_back(mut connection: Connection) -> Option<Connection> {
    run(&mut connection, "rollback").await.is_ok().then_some(connection)
}

/// How long a group waits for a server to come back, with all that it was tried meanwhile.
struct Patience {
    until: tokio::time::Instant,
    next: Duration,
}

impl Patience {
    /// Waits a little; `false` when it has waited enough.
    async fn wait(&mut self) -> bool {
        let left = self.until.saturating_duration_since(tokio::time::Instant::now());
        if left.is_zero() {
            return false;
        }
        let wait = self.next.min(left);
        self.next *= 2;
        tokio::time::sleep(wait).await;
        true
    }
}

/// Where items stand, by jurisdiction.
type AllHeads = HashMap<Arc<str>, Heads>;

static NO_HEADS: LazyLock<Heads> = LazyLock::new(Heads::new);

/// Whose unit it is: one handle has made all of it.
fn here(unit: &Unit) -> &Arc<str> {
    static NOBODY: LazyLock<Arc<str>> = LazyLock::new(Arc::default);
    unit.first().map_or(&NOBODY, save::Save::here)
}

struct Fault {
    error: sqlx::Error,
    in_commit: bool,
}

impl Fault {
    fn is_storage(&self) -> bool {
        self.in_commit || dialect::is_storage_fault(&self.error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Fault { error, in_commit: false }
    }
}

pub(super) type Step<'a> = Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;

/// A [`Write`] with its caller, whatever its answer's type.
pub(super) trait Work: Send {
    /// Jurisdiction and item that it is about.
    fn about(&self) -> Option<(Arc<str>, String)>;
    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> Step<'a>;
    /// It failed alone.
    fn fail(&mut self, error: StoreError);
    fn answer(self: Box<Self>, written: &Result<(), StoreError>);
}

struct Pending<W: Write> {
    write: W,
    here: Arc<str>,
    done: Option<Result<W::Answer, StoreError>>,
    reply: oneshot::Sender<Result<W::Answer, StoreError>>,
}

impl<W: Write> Work for Pending<W> {
    fn about(&self) -> Option<(Arc<str>, String)> {
        Some((self.here.clone(), self.write.item()?.to_string()))
    }

    fn run<'a>(&'a mut self, connection: &'a mut Connection) -> Step<'a> {
        Box::pin(async move {
            self.done = Some(Ok(self.write.write(connection, &self.here).await?));
            Ok(())
        })
    }

    fn fail(&mut self, error: StoreError) {
        self.done = Some(Err(error));
    }

    fn answer(self: Box<Self>, written: &Result<(), StoreError>) {
        let answer = match written {
            Ok(()) => self.done.unwrap_or(Err(StoreError::Closed)),
            Err(error) => Err(error.clone()),
        };
        let _ = self.reply.send(answer);
    }
}
