//! The loops round the app's ticks: what is due is worked in bounded batches, then they sleep until the earliest moment or until woken.
//!
//! What is owed is the kernel's question; here is only when to ask it. A clock that jumps ahead while the process lives holds both loops
//! until somebody confirms it.

use crate::app::send::{Post, Posted};
use crate::app::webhooks::{Line, Told};
use crate::app::{App, Finding, Integrity, Offices, SLOT_LEASE};
use crate::clock::Clock;
use crate::kernel::time::Instant;
use crate::mail::Maildir;
use crate::store::StoreError;
use chrono::TimeDelta;
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Items that are woken before others get their turn, and before it is asked whether to stop.
const WAKE: u32 = 1024;
/// The same for items that are derived again.
const BATCH: u32 = 64;
/// Batches before the loop looks at sweeps and the clock again.
const BATCHES: usize = 16;
/// Without anything to do it looks again after this: the database may have been changed by hand.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// The same where other processes work the database too, which may die with what they had taken.
const LOOK_AGAIN_SHARED: Duration = Duration::from_secs(10);
/// The least pause after a tick that found nothing to do.
const PAUSE: TimeDelta = TimeDelta::milliseconds(500);
/// The first and the longest wait after a fault.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// A clock that is further ahead than this was set, or is broken.
const JUMP: TimeDelta = TimeDelta::hours(2);
/// What was told long ago is forgotten so often.
const FORGET_EVERY: TimeDelta = TimeDelta::hours(6);
/// Mails wait no longer for what is being decided.
const PATIENCE: Duration = Duration::from_secs(30);
/// A loop of which nothing was heard for so long is at fault.
pub const SILENCE: TimeDelta = TimeDelta::minutes(2);

/// What the loops tell of themselves, and how they are woken.
#[derive(Debug)]
pub struct Pulse {
    state: Mutex<State>,
    watch: Mutex<Watch>,
    begun: Instant,
    engine: Notify,
    mail: Notify,
    calls: Notify,
    /// Items are being decided now, and somebody waits for the end of it.
    deciding: AtomicBool,
    decided: Notify,
}

/// How it goes.
#[derive(Clone, Debug, Default, Serialize)]
pub struct State {
    /// When it was last asked what is due, or some of it was done, without a fault.
    pub last_tick: Option<Instant>,
    /// The earliest moment at which something may be owed.
    pub next: Option<Instant>,
    /// The same of mails.
    pub last_mail: Option<Instant>,
    /// When it was last read what came back about mails.
    pub last_inbox: Option<Instant>,
    /// What is wrong now.
    pub fault: Option<String>,
    pub mail_fault: Option<String>,
    /// Of telling other programs.
    pub call_fault: Option<String>,
    /// The mailbox cannot be read; nothing else waits for it.
    pub inbox_fault: Option<String>,
    /// Nothing fires until the clock is confirmed.
    pub held: Option<Jump>,
    /// Whether the database is what its facts say.
    pub integrity: Look,
    pub work: Work,
}

/// What the loops have done since the process began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Work {
    pub ticks: u64,
    pub faults: u64,
    /// Facts and notices that were recorded because their time had come.
    pub facts: u64,
    pub notices: u64,
    pub set_aside: u64,
    /// Mails that were written, and what became of attempts to hand them over.
    pub written: u64,
    pub posted: Posted,
}

impl Work {
    fn count(&mut self, facts: usize, notices: usize, set_aside: usize) {
        self.facts += facts as u64;
        self.notices += notices as u64;
        self.set_aside += set_aside as u64;
    }
}

/// A look through the whole database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Look {
    #[default]
    UnderWay,
    Whole(Integrity),
    Damaged(Integrity),
    /// It could not be brought to its end.
    Failed {
        what: String,
    },
}

/// The clock shows something else than it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Jump {
    pub expected: Instant,
    pub shows: Instant,
}

/// Compares what the clock shows with the time that went by.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    shown: Instant,
    steady: Duration,
}

impl Watch {
    pub fn new(shown: Instant, steady: Duration) -> Watch {
        Watch { shown, steady }
    }

    /// The jump that the clock has made ahead, if it has made one. A clock that was set back is believed, and what it catches up again is
    /// no jump.
    pub fn look(&mut self, shows: Instant, steady: Duration) -> Option<Jump> {
        let went_by = TimeDelta::from_std(steady.saturating_sub(self.steady)).unwrap_or(TimeDelta::MAX);
        let expected = self.shown.checked_add_signed(went_by).unwrap_or(shows);
        let ahead = shows - expected;
        if ahead > JUMP {
            return Some(Jump { expected, shows });
        }
        if ahead >= -JUMP {
            *self = Watch { shown: shows, steady };
        }
        None
    }
}

impl Pulse {
    pub fn new(clock: &Clock) -> Pulse {
        let begun = clock.now();
        let watch = Watch::new(begun, clock.steady());
        Pulse {
            state: Mutex::default(),
            watch: Mutex::new(watch),
            begun,
            engine: Notify::new(),
            mail: Notify::new(),
            calls: Notify::new(),
            deciding: AtomicBool::new(false),
            decided: Notify::new(),
        }
    }

    pub fn state(&self) -> State {
        self.lock().clone()
    }

    /// Something was recorded: look again now.
    pub fn wake(&self) {
        self.engine.notify_one();
        self.mail.notify_one();
        self.calls.notify_one();
    }

    /// The clock is right as it is; `false` when nothing was held.
    pub fn confirm_clock(&self, clock: &Clock) -> bool {
        *self.watch() = Watch::new(clock.now(), clock.steady());
        let held = self.lock().held.take().is_some();
        self.wake();
        held
    }

    /// Why the process is not ready, in words for an administrator; nothing when it is.
    pub fn troubles(&self, now: Instant) -> Vec<String> {
        let state = self.state();
        let mut troubles: Vec<String> = state.fault.iter().map(|fault| format!("scheduler: {fault}")).collect();
        troubles.extend(state.mail_fault.iter().map(|fault| format!("mail: {fault}")));
        if let Look::Damaged(Integrity { pages: Some(what), .. }) = &state.integrity {
            troubles.push(format!("database: {what}; stop the server, keep the file as it is, and restore the last backup"));
        }
        if let Some(Jump { expected, shows }) = state.held {
            troubles.push(format!("clock: it shows {shows}, {expected} was expected; nothing fires until it is confirmed"));
        }
        let is_silent = |last: Instant| now - last > SILENCE && state.held.is_none();
        match state.last_tick {
            None => troubles.push("scheduler: it has not looked yet".into()),
            Some(last) if is_silent(last) => troubles.push(format!("scheduler: it has not looked since {last}")),
            Some(_) => {}
        }
        // Its first round may be a long one; nobody has to wait for it.
        let last = state.last_mail.unwrap_or(self.begun);
        if is_silent(last) {
            troubles.push(format!("mail: it has not looked, and no mail has come to an end, since {last}"));
        }
        troubles
    }

    /// Whether nothing may fire now.
    fn is_held(&self, clock: &Clock) -> bool {
        let jump = self.watch().look(clock.now(), clock.steady());
        let mut state = self.lock();
        match (jump, state.held) {
            (Some(jump), None) => {
                tracing::error!(expected = %jump.expected, shows = %jump.shows, "the clock jumped ahead: nothing fires until it is confirmed")
            }
            (None, Some(_)) => tracing::info!("the clock is where it was expected again"),
            _ => {}
        }
        state.held = jump;
        jump.is_some()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self) -> MutexGuard<'_, Watch> {
        self.watch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes items and runs sweeps until it is stopped. What is under way is brought to its end.
pub async fn run_engine(offices: Arc<Offices>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let mut faults = 0;
    while !stop.is_cancelled() {
        // First, so that a clock of this machine alone that was set wrong is no jump.
        offices.agree_on_time().await;
        if pulse.is_held(&offices.clock) {
            rest(&offices, &pulse.engine, &stop, None, LOOK_AGAIN).await;
            continue;
        }
        pulse.deciding.store(true, Ordering::SeqCst);
        let ticked = tick(&offices, &pulse, &stop).await;
        pulse.deciding.store(false, Ordering::SeqCst);
        pulse.decided.notify_one();
        match ticked {
            Ok(next) => {
                faults = 0;
                {
                    let mut state = pulse.lock();
                    (state.last_tick, state.next, state.fault) = (Some(offices.now()), next, None);
                    state.work.ticks += 1;
                }
                rest(&offices, &pulse.engine, &stop, next, look_again(&offices)).await;
            }
            Err(error) => {
                faults += 1;
                tracing::error!(%error, faults, "looking for what is due failed");
                {
                    let mut state = pulse.lock();
                    state.fault = Some(error.to_string());
                    state.work.faults += 1;
                }
                rest(&offices, &Notify::new(), &stop, None, wait_after(faults)).await;
            }
        }
    }
}

/// Looks once through the whole database, office by office, and says what it found; what is wrong stands in the log, item by item.
pub async fn look_through(offices: &Offices, pulse: &Pulse, stop: &CancellationToken) -> Option<Integrity> {
    let look = match offices.examine_all(stop, told).await {
        Ok(None) => return None,
        Ok(Some(found)) if found.is_whole() => {
            tracing::info!(items = found.items, "the database is whole");
            Look::Whole(found)
        }
        Ok(Some(found)) => {
            if let Some(what) = &found.pages {
                tracing::error!(what, "the database is damaged: stop the server, keep the file as it is, and restore the last backup");
            }
            tracing::error!(items = found.items, damaged = found.damaged, "the database is not what its facts say; see the lines above");
            Look::Damaged(found)
        }
        Err(error) => {
            tracing::error!(%error, "the look through the database failed");
            Look::Failed { what: error.to_string() }
        }
    };
    pulse.lock().integrity = look.clone();
    match look {
        Look::Whole(found) | Look::Damaged(found) => Some(found),
        Look::UnderWay | Look::Failed { .. } => None,
    }
}

fn told(app: &App, findings: &[Finding]) {
    for Finding { item, what } in findings {
        let jurisdiction = app.store.jurisdiction();
        tracing::error!(
            jurisdiction,
            item,
            what,
            "an item's record is not what its facts say: keep a copy of the database and compare with a backup"
        );
    }
}

/// Works what is due in any office; gives the earliest moment at which there may be more. What was derived under other rules, another
/// calendar or another directory is derived again beside it, batch by batch. With nothing to do it asks a file one question, and a database
/// that others write to also for its schema and for the rules in use.
pub async fn tick(offices: &Offices, pulse: &Pulse, stop: &CancellationToken) -> Result<Option<Instant>, StoreError> {
    offices.follow_rules().await?;
    offices.try_shut().await?;
    let (mut derived, mut next, mut idle) = (0, None, true);
    for _ in 0..BATCHES {
        let (now, moments) = (offices.now(), offices.next_moments().await?);
        let has_come = |moment: Option<Instant>| moment.is_some_and(|moment| moment <= now);
        let open_slot = moments.open_slot.map(|claimed| claimed + SLOT_LEASE);
        // The mails have a loop of their own.
        next = [moments.wake_up, moments.slot, open_slot].into_iter().flatten().min();
        let mut worked = false;
        if has_come(moments.wake_up) {
            worked |= wake(offices, pulse).await?;
        }
        if stop.is_cancelled() {
            return Ok(None);
        }
        if moments.stale {
            let again = offices.refresh_stale(BATCH).await?;
            pulse.lock().last_tick = Some(offices.now());
            derived += again;
            worked |= again > 0;
        }
        if has_come(moments.slot) || has_come(open_slot) {
            worked |= sweep(offices, pulse).await?;
        }
        if !worked {
            break;
        }
        // There may be more of it.
        next = Some(now);
        idle = false;
    }
    if derived > 0 {
        tracing::info!(items = derived, "items were derived again under other rules, calendar or directory");
    }
    // What could not be worked although it seems due is not looked at again without a pause.
    Ok(if idle { next.map(|next| next.max(offices.now() + PAUSE)) } else { next })
}

/// `true` when there was anything to look at.
async fn wake(offices: &Offices, pulse: &Pulse) -> Result<bool, StoreError> {
    let woken = offices.wake_due(WAKE).await?;
    {
        let mut state = pulse.lock();
        state.last_tick = Some(offices.now());
        state.work.count(woken.facts, woken.notices, woken.set_aside);
    }
    if woken.facts > 0 || woken.set_aside > 0 {
        let (facts, notices, set_aside) = (woken.facts, woken.notices, woken.set_aside);
        tracing::info!(items = woken.looked_at, facts, notices, set_aside, "items were woken");
    }
    if woken.notices > 0 {
        pulse.mail.notify_one();
    }
    if woken.facts > 0 {
        pulse.calls.notify_one();
    }
    Ok(woken.looked_at > 0)
}

/// `true` when a slot was carried out.
async fn sweep(offices: &Offices, pulse: &Pulse) -> Result<bool, StoreError> {
    let swept = offices.sweep_due().await?;
    {
        let mut state = pulse.lock();
        state.last_tick = Some(offices.now());
        state.work.count(0, swept.notices, swept.set_aside);
    }
    if swept.slots > 0 {
        let (slots, items, notices, set_aside) = (swept.slots, swept.items, swept.notices, swept.set_aside);
        tracing::info!(slots, items, notices, set_aside, "sweeps were carried out");
    }
    if swept.notices > 0 {
        pulse.mail.notify_one();
    }
    if swept.items > 0 {
        pulse.calls.notify_one();
    }
    Ok(swept.looked_at > 0)
}

/// Looks at once when another process has written something. What it does not hear of is found at the next look.
pub async fn run_news(offices: Arc<Offices>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let Some(mut news) = offices.store.news() else { return stop.cancelled().await };
    let mut faults = 0;
    loop {
        let heard = tokio::select! {
            () = stop.cancelled() => return,
            heard = news.heard() => heard,
        };
        match heard {
            Ok(()) => {
                faults = 0;
                pulse.wake();
            }
            Err(error) => {
                faults += 1;
                tracing::warn!(%error, faults, "other processes cannot be heard");
                rest(&offices, &Notify::new(), &stop, None, wait_after(faults)).await;
            }
        }
    }
}

/// Turns notices into mails and hands them over until it is stopped. What is under way is brought to its record.
pub async fn run_mail(offices: Arc<Offices>, post: Arc<Post>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let (mut faults, mut patient) = (0, true);
    while !stop.is_cancelled() {
        // First, so that a clock of this machine alone that was set wrong is no jump.
        offices.agree_on_time().await;
        if pulse.is_held(&offices.clock) {
            rest(&offices, &pulse.mail, &stop, None, LOOK_AGAIN).await;
            continue;
        }
        let round = async {
            // Where nobody counts there is nothing to wait for.
            if post.brake.is_some() {
                patient = let_decide(&offices, &pulse, patient, &stop).await?;
                if stop.is_cancelled() || pulse.is_held(&offices.clock) {
                    return Ok(None);
                }
            }
            post_round(&offices, &pulse, &post, &stop).await
        };
        match round.await {
            Ok(next) => {
                faults = 0;
                {
                    let mut state = pulse.lock();
                    (state.last_mail, state.mail_fault) = (Some(offices.now()), None);
                }
                rest(&offices, &pulse.mail, &stop, next, look_again(&offices)).await;
            }
            Err(error) => {
                faults += 1;
                tracing::error!(%error, faults, "working the outbox failed");
                pulse.lock().mail_fault = Some(error.to_string());
                rest(&offices, &Notify::new(), &stop, None, wait_after(faults)).await;
            }
        }
    }
}

/// Tells other programs what happened until it is stopped. What is under way is brought to its record.
pub async fn run_webhooks(offices: Arc<Offices>, line: Arc<Line>, pulse: Arc<Pulse>, stop: CancellationToken) {
    let (mut faults, mut forgotten) = (0, None);
    while !stop.is_cancelled() {
        if pulse.is_held(&offices.clock) {
            rest(&offices, &pulse.calls, &stop, None, LOOK_AGAIN).await;
            continue;
        }
        let round = async {
            let told = offices.tell_due(&line, &stop).await?;
            let now = offices.now();
            if forgotten.is_none_or(|at| now - at > FORGET_EVERY) {
                offices.forget_calls().await?;
                offices.forget_uploads().await?;
                forgotten = Some(now);
            }
            if told != Told::default() {
                let Told { done, later, parked } = told;
                tracing::info!(done, later, parked, "other programs were called");
            }
            // What is due already and was left waits a moment.
            Ok::<_, StoreError>(offices.next_call().await?.map(|next| next.max(offices.now() + PAUSE)))
        };
        match round.await {
            Ok(next) => {
                faults = 0;
                pulse.lock().call_fault = None;
                rest(&offices, &pulse.calls, &stop, next, look_again(&offices)).await;
            }
            Err(error) => {
                faults += 1;
                tracing::error!(%error, faults, "telling other programs failed");
                pulse.lock().call_fault = Some(error.to_string());
                rest(&offices, &Notify::new(), &stop, None, wait_after(faults)).await;
            }
        }
    }
}

/// Reads what comes back about mails until it is stopped. A mailbox that cannot be read is told of, and tried again.
pub async fn run_inbox(offices: Arc<Offices>, folder: PathBuf, pulse: Arc<Pulse>, stop: CancellationToken) {
    while !stop.is_cancelled() {
        let read = match Maildir::open(&folder) {
            Ok(folder) => offices.read_maildir(&folder).await,
            Err(error) => Err(error.into()),
        };
        let more = match read {
            Ok(taken) => {
                let mut state = pulse.lock();
                (state.last_inbox, state.inbox_fault) = (Some(offices.now()), None);
                taken.messages() > 0
            }
            Err(error) => {
                tracing::warn!(folder = %folder.display(), %error, "what came back about mails cannot be read");
                pulse.lock().inbox_fault = Some(error.to_string());
                false
            }
        };
        if !more {
            tokio::select! {
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                () = stop.cancelled() => {}
            }
        }
    }
}

/// Lets what is due be decided first, so that the mails of a batch are counted before any of them leaves. `false` when that took too long:
/// what hangs holds mails up once, and not before each round.
async fn let_decide(offices: &Offices, pulse: &Pulse, patient: bool, stop: &CancellationToken) -> Result<bool, StoreError> {
    let mut patience = std::pin::pin!(tokio::time::sleep(PATIENCE));
    loop {
        let (moments, now) = (offices.next_moments().await?, offices.now());
        let is_due = [moments.wake_up, moments.slot].into_iter().flatten().any(|moment| moment <= now);
        if !is_due && !pulse.deciding.load(Ordering::SeqCst) {
            return Ok(true);
        }
        if !patient {
            return Ok(false);
        }
        if pulse.is_held(&offices.clock) {
            // Nothing is decided until the clock is right.
            return Ok(patient);
        }
        tokio::select! {
            () = stop.cancelled() => return Ok(patient),
            () = &mut patience => return Ok(false),
            () = pulse.decided.notified() => {}
            () = tokio::time::sleep(FIRST_WAIT) => {}
        }
    }
}

/// One look at the outbox; gives when to look again. What is written is handed over before more is written, so that a stream of new
/// notices holds nothing up.
async fn post_round(
    offices: &Arc<Offices>,
    pulse: &Pulse,
    post: &Arc<Post>,
    stop: &CancellationToken,
) -> Result<Option<Instant>, StoreError> {
    let rendered = offices.render_due(post).await?;
    {
        let mut state = pulse.lock();
        state.last_mail = Some(offices.now());
        state.work.written += rendered.mails as u64;
    }
    if rendered.mails + rendered.parked > 0 {
        let (notices, mails, parked) = (rendered.notices, rendered.mails, rendered.parked);
        tracing::info!(notices, mails, parked, cancelled = rendered.cancelled, "mails were written");
    }
    let posted = {
        let mut sending = std::pin::pin!(offices.send_due(post, stop));
        loop {
            tokio::select! {
                posted = &mut sending => break posted?,
                () = post.recorded.notified() => pulse.lock().last_mail = Some(offices.now()),
            }
        }
    };
    pulse.lock().work.posted += posted;
    if posted != Posted::default() {
        let (sent, refused, deferred, unknown) = (posted.sent, posted.refused, posted.deferred, posted.unknown);
        tracing::info!(sent, refused, deferred, unknown, expired = posted.expired, held = posted.held, "mails were handed over");
    }
    if rendered.mails + rendered.cancelled + rendered.parked > 0 {
        return Ok(Some(offices.now()));
    }
    let next = offices.next_moments().await?.mail;
    // What could go now but did not (no transport, a server at fault) waits for the next look.
    let now = offices.now();
    Ok(next.map(|next| next.max(post.paused_until().unwrap_or(next))).filter(|next| *next > now))
}

/// Sleeps until `next`, until woken, until stopped, or for `longest`.
async fn rest(offices: &Offices, woken: &Notify, stop: &CancellationToken, next: Option<Instant>, longest: Duration) {
    let until = async {
        match next {
            Some(next) => offices.clock.sleep_until(next).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = woken.notified() => {}
        () = until => {}
        () = tokio::time::sleep(longest) => {}
    }
}

fn look_again(offices: &Offices) -> Duration {
    match offices.store.is_shared() {
        true => LOOK_AGAIN_SHARED.min(offices.lease.to_std().unwrap_or(LOOK_AGAIN_SHARED)),
        false => LOOK_AGAIN,
    }
}

fn wait_after(faults: u32) -> Duration {
    FIRST_WAIT.saturating_mul(2_u32.saturating_pow(faults.saturating_sub(1).min(16))).min(LONGEST_WAIT)
}
