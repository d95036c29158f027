//! Group commit: one task with its own connection takes everything that waits, writes it in one transaction, and only then answers.
//!
//! It never waits to fill a group, so a lone caller loses nothing. What a decision writes is `save`'s.

use super::dialect::{self, Address, Connection, on, run};
use super::save::{self, Failed, Heads, Saved, Unit};
use super::{StoreError, statements};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

/// At most so many commands share a commit, so that nobody waits long.
const GROUP: usize = 256;
/// So many commands may wait before new ones are turned away.
const QUEUE: usize = 4096;
/// Of so many items the writer remembers where they stand.
const HEADS: usize = 8192;

/// So often a group is tried again because another process was in the way.
const CONTENDED: u64 = 5;
/// While there is much to write, other processes are told of it so often.
const TELL_EVERY: Duration = Duration::from_millis(200);
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
    counters: Arc<Counters>,
    name: String,
    /// Why this program may not write to the database any more.
    outgrown: Arc<OnceLock<StoreError>>,
    disk_failed: CancellationToken,
    task: tokio::sync::Mutex<Option<tokio::task::JoinHandle<()>>>,
}

enum Job {
    Save(Unit, oneshot::Sender<Result<Vec<Saved>, Failed>>),
    Write(Box<dyn Work>),
    Stop,
}

impl Writer {
    pub fn start(address: Address, connection: Connection, high_water: i64) -> Writer {
        let (user, user_jobs) = mpsc::channel(QUEUE);
        let (background, background_jobs) = mpsc::channel(QUEUE);
        let counters = Arc::new(Counters::default());
        let name = format!("{:016x}", rand::random::<u64>());
        let outgrown = Arc::new(OnceLock::new());
        let disk_failed = CancellationToken::new();
        let task = Task {
            address,
            connection: Some(connection),
            high_water,
            heads: AllHeads::new(),
            down: false,
            outgrown: outgrown.clone(),
            disk_failed: disk_failed.clone(),
            news: News { name: name.clone(), untold: false, told: None },
            user: user_jobs,
            background: background_jobs,
            counters: counters.clone(),
        };
        let task = tokio::spawn(task.run());
        Writer { user, background, counters, name, disk_failed, outgrown, task: tokio::sync::Mutex::new(Some(task)) }
    }

    /// From here on nothing is written: another program has brought the database to a schema that this one does not know.
    pub fn give_up(&self, why: StoreError) {
        // The first reason is the one that counts.
        let _ = self.outgrown.set(why);
    }

    /// How this process calls itself before others.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Queues decisions that stand or fall together, in the order of the calls; the answer comes after their commit.
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
        self.disk_failed.cancelled().await;
    }

    /// Finishes what waits and closes the connection.
    pub async fn stop(&self) {
        if let Some(task) = self.task.lock().await.take() {
            let _ = self.background.send(Job::Stop).await;
            let _ = task.await;
        }
    }

    pub fn counts(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            commits: read(&self.counters.commits),
            commands: read(&self.counters.commands),
            statements: read(&self.counters.statements),
        }
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

/// What other processes have not been told yet.
struct News {
    name: String,
    untold: bool,
    told: Option<tokio::time::Instant>,
}

struct Task {
    address: Address,
    /// Empty after a fault of the storage, until it could be opened again.
    connection: Option<Connection>,
    high_water: i64,
    /// Where items stand that this task has written. While nobody else writes, it need not ask.
    heads: AllHeads,
    /// The server was gone the last time: a group is tried once, so that callers are told soon.
    down: bool,
    outgrown: Arc<OnceLock<StoreError>>,
    /// A flush failed: nothing can be promised any more.
    disk_failed: CancellationToken,
    news: News,
    user: mpsc::Receiver<Job>,
    background: mpsc::Receiver<Job>,
    counters: Arc<Counters>,
}

impl Task {
    async fn run(mut self) {
        loop {
            let first = tokio::select! {
                biased;
                Some(job) = self.user.recv() => job,
                Some(job) = self.background.recv() => job,
                else => break,
            };
            let mut jobs = VecDeque::from([first]);
            while jobs.len() < GROUP {
                let Ok(job) = self.user.try_recv().or_else(|_| self.background.try_recv()) else { break };
                jobs.push_back(job);
            }
            let stop = jobs.iter().any(|job| matches!(job, Job::Stop));
            let (mut units, mut works) = (Vec::new(), Vec::new());
            for job in jobs {
                match job {
                    Job::Save(unit, reply) => units.push((unit, reply)),
                    Job::Write(work) => works.push(work),
                    Job::Stop => {}
                }
            }
            self.group(units, works).await;
            self.tell(stop).await;
            if stop {
                break;
            }
        }
        if let Some(connection) = self.connection.take() {
            dialect::close(connection).await;
        }
    }

    /// Tells other processes that something was written: when nothing waits, or after a while.
    async fn tell(&mut self, stop: bool) {
        let idle = stop || (self.user.is_empty() && self.background.is_empty());
        let long_ago = self.news.told.is_none_or(|told| told.elapsed() > TELL_EVERY);
        if !self.news.untold || !(idle || long_ago) {
            return;
        }
        if let Some(connection) = &mut self.connection {
            if !super::news::tell(connection, &self.news.name).await {
                self.connection = None;
            }
        }
        (self.news.untold, self.news.told) = (false, Some(tokio::time::Instant::now()));
    }

    async fn group(&mut self, units: Vec<(Unit, oneshot::Sender<Result<Vec<Saved>, Failed>>)>, mut works: Vec<Box<dyn Work>>) {
        let (units, replies): (Vec<Unit>, Vec<_>) = units.into_iter().unzip();
        let commands = units.iter().map(|unit| unit.len() as u64).sum::<u64>() + works.len() as u64;
        let (answers, written) = match self.transaction(&units, &mut works).await {
            Ok(answers) => {
                self.news.untold |= self.address.is_shared() && answers.iter().any(Result::is_ok);
                (answers, Ok(()))
            }
            Err(error) => (units.iter().map(|_| Err(Failed::all(error.clone()))).collect(), Err(error)),
        };
        self.counters.commands.fetch_add(commands, Ordering::Relaxed);
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
        if let Some(why) = self.outgrown.get() {
            return Err(why.clone());
        }
        if self.disk_failed.is_cancelled() {
            return Err(StoreError::NotDone("the disk failed to store earlier commands; restart after looking at it".into()));
        }
        let mut patience = Patience { left: if self.down { Duration::ZERO } else { self.address.patience() }, next: FIRST_WAIT };
        let (mut apart, mut contended, mut statements) = (false, 0, 2);
        let answer = loop {
            let mut connection = match self.connection.take() {
                Some(connection) => connection,
                None => match self.address.writer().await {
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
                Ok((answers, heads, high_water)) => {
                    self.counters.commits.fetch_add(1, Ordering::Relaxed);
                    self.down = false;
                    self.high_water = high_water;
                    let count = |heads: &AllHeads| heads.values().map(Heads::len).sum::<usize>();
                    if count(&self.heads) + count(&heads) > HEADS {
                        self.heads.clear();
                    }
                    if !self.address.is_shared() {
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
                        self.down = self.address.is_shared();
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
        self.counters.statements.fetch_add(statements, Ordering::Relaxed);
        answer
    }

    /// The transaction ends with its connection; a new one is opened for the next group.
    fn failed(&mut self, fault: Fault) -> StoreError {
        self.heads.clear();
        let what = dialect::plain(&fault.error);
        if dialect::is_failed_flush(&fault.error) {
            self.disk_failed.cancel();
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
    ) -> Result<(Vec<Result<Vec<Saved>, Failed>>, AllHeads, i64), Fault> {
        let committing = AtomicBool::new(false);
        let writing = self.write_group(connection, units, works, apart, statements, &committing);
        match tokio::time::timeout(self.address.longest_write(), writing).await {
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
    ) -> Result<(Vec<Result<Vec<Saved>, Failed>>, AllHeads, i64), Fault> {
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
                let written = save::write(connection, here, &part, known, statements).await?;
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
                    match save::write(connection, here(unit), &[unit], &NO_HEADS, statements).await {
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
        // To the second is enough to see that a clock was set back.
        let high_water = if latest >= self.high_water.saturating_add(1000) { latest } else { self.high_water };
        if high_water > self.high_water {
            *statements += 1;
            let mark = high_water.to_string();
            on!(&mut *connection, c, sql => sqlx::query(sql(statements::META_RISE)).bind("clock").bind(mark).execute(&mut *c).await.map(|_| ()))?;
        }
        committing.store(true, Ordering::Relaxed);
        run(connection, "commit").await.map_err(|error| Fault { error, in_commit: true })?;
        Ok((answers, heads, high_water))
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

/// How long a group waits for a server to come back.
struct Patience {
    left: Duration,
    next: Duration,
}

impl Patience {
    /// Waits a little; `false` when it has waited enough.
    async fn wait(&mut self) -> bool {
        if self.left.is_zero() {
            return false;
        }
        let wait = self.next.min(self.left);
        self.left -= wait;
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

type Step<'a> = Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + 'a>>;

/// A [`Write`] with its caller, whatever its answer's type.
trait Work: Send {
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
