//! The use cases, one file each: load, derive, decide, save. What is decided is the kernel's, what is stored the store's.
//!
//! Drivers (command line, server, scheduler, demo) call these; nothing here loops by itself or waits for a clock.

mod account_wish;
pub mod accounts;
mod act;
mod agenda;
mod answer;
pub mod attachments;
pub mod caches;
mod caused;
mod checkup;
mod desk;
pub mod desks;
mod doctor;
pub mod duties;
mod errands;
mod export;
mod foresee;
mod forms;
pub mod import;
pub mod incoming;
mod letters;
pub mod links;
pub mod list;
pub mod look;
mod offices;
mod online;
pub mod outbox;
pub mod password;
mod plan;
mod publish;
mod replay;
mod report;
mod rules;
pub mod second;
pub mod send;
mod sessions;
mod similar;
mod sweep;
mod together;
pub mod tokens;
pub mod totp;
mod trial;
mod wake;
pub mod webhooks;
pub mod workshop;

pub use account_wish::{AccountEnd, AccountNo, AccountWish, Wished};
pub use act::{ActError, Acting, Done, Tally};
pub use answer::Answer;
pub use caused::Explained;
pub use checkup::{Check, Level, Looks, check_up, records};
pub use doctor::{Finding, Integrity, OfficeLook, examine_to_look};
pub use foresee::Foreseen;
pub use letters::Rendered;
pub use offices::{OfficeError, Offices};
pub use outbox::{Batch, excess_values};
pub use plan::PlanWishes;
pub use publish::{NotPublished, Proposal, Proposed, Publication, PublishError, Published, Publisher};
pub use replay::ReplayedItem;
pub use report::{Format, FormatError, Made, ReportError, Wanted, titles};
pub use rules::{RulesError, rules_in_use, rules_to_look};
pub use sweep::{SLOT_LEASE, Swept};
pub use together::{Caused, Group, GroupAnswer, How};
pub use wake::Woken;

use crate::clock::Clock;
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Decision, Refusal};
use crate::kernel::rules::{EvalError, RuleSet, Rules};
use crate::kernel::time::{Date, Instant};
use crate::store::{Store, StoreError};
use desk::Desk;
use indexmap::IndexMap;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// A clock that lags behind what was last recorded by no more than this was set back a little: time goes on from there.
const SMALL_STEP_BACK_MS: i64 = 2 * 60 * 60 * 1000;

/// One office at work: its rows of a database, the rule set in use, and the clock.
#[derive(Debug)]
pub struct App {
    pub store: Store,
    pub clock: Clock,
    pub tally: Arc<Tally>,
    in_use: RwLock<InUse>,
    desk: Arc<Mutex<Desk>>,
    latest: Arc<Latest>,
    foreseen: Mutex<Option<Foreseeable>>,
}

/// The mails that were foreseen by day when the rule set of a revision came into use.
type Foreseeable = (u64, Arc<BTreeMap<Date, u64>>);

/// The latest instant that was handed out, in milliseconds.
#[derive(Debug)]
struct Latest(AtomicI64);

#[derive(Clone, Debug)]
struct InUse {
    rules: Arc<RuleSet>,
    /// Grows by one with each rule set that comes into use.
    revision: u64,
}

/// Why an item cannot be derived.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the rule set in use has no workflow `{0}`")]
    UnknownWorkflow(String),
    #[error(transparent)]
    Eval(#[from] EvalError),
    #[error("the engine failed: {0}")]
    Panicked(String),
    /// The engine's own work on it was refused, or could not be recorded.
    #[error("{0}")]
    Refused(String),
}

impl LoadError {
    /// The fault of the store behind it, when that has nothing to do with the item itself.
    fn of_the_store(&self) -> Option<StoreError> {
        match self {
            LoadError::Store(error) if !matches!(error, StoreError::Damaged(_) | StoreError::NotDone(_)) => Some(error.clone()),
            _ => None,
        }
    }
}

/// Why a rule set cannot be put to work on a database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{open} items are open under another version of these rules; different are: {}", changed.join(", "))]
    OtherRules { open: u64, changed: Vec<String> },
    #[error("there is an office `{0}` already")]
    Exists(String),
}

/// People come and go, and the notice of a new year's holidays comes out, without a new version of the rules: the rows of the directory
/// are dated, and what follows from a calendar is derived.
fn may_change(path: &str) -> bool {
    path == "directory.yaml" || ["directory/", "calendars/", "../calendars/"].iter().any(|folder| path.starts_with(folder))
}

impl App {
    /// Puts a rule set to work on a database. It is stored there with its texts, so that every fact's rules can be read again. While
    /// items are open, only directory and calendars may differ from the rule set in use; unless that one no longer passes the checks of
    /// this program, so that nobody could work under it.
    pub async fn open(store: Store, rules: Arc<RuleSet>, clock: Clock) -> Result<App, OpenError> {
        if let Some(in_use) = store.rules_in_use().await?.filter(|in_use| *in_use.hash != *rules.hash) {
            let (open, changed) = (store.count_open().await?, changed(&in_use.files, &rules.files));
            if open > 0 && !changed.is_empty() && crate::kernel::check::load(&in_use.files).0.is_some() {
                return Err(OpenError::OtherRules { open, changed });
            }
        }
        let revision = store.use_rules(&rules.hash, &rules.files, &rules.sweeps(), clock.now()).await?;
        let rules = rules::with_past(&store, &rules, None).await?;
        Ok(App::over(store, rules, revision, clock).await?)
    }

    /// Makes an office under its first rule set; one that is there stays as it is.
    pub async fn add(store: Store, rules: Arc<RuleSet>, clock: Clock) -> Result<App, OpenError> {
        if !store.add_office(&rules.hash, &rules.files, &rules.sweeps(), clock.now()).await? {
            return Err(OpenError::Exists(store.jurisdiction().to_string()));
        }
        Ok(App::over(store, rules, 1, clock).await?)
    }

    /// For looking at a database that another process may be writing to. What would be written fails.
    pub async fn open_to_read(store: Store, rules: Arc<RuleSet>, clock: Clock) -> Result<App, StoreError> {
        let revision = store.rules_hash().await?.map_or(0, |(_, revision)| revision);
        let rules = rules::with_past(&store, &rules, None).await?;
        App::over(store, rules, revision, clock).await
    }

    async fn over(store: Store, rules: Arc<RuleSet>, revision: u64, clock: Clock) -> Result<App, StoreError> {
        let latest = Latest::of(&store).await?;
        Ok(App::at(store, InUse { rules, revision }, clock, Arc::default(), Arc::new(latest)))
    }

    fn at(store: Store, in_use: InUse, clock: Clock, tally: Arc<Tally>, latest: Arc<Latest>) -> App {
        App { store, clock, tally, in_use: RwLock::new(in_use), desk: Arc::default(), latest, foreseen: Mutex::default() }
    }

    /// The rule set in use.
    pub fn rules(&self) -> Arc<RuleSet> {
        self.in_use().rules
    }

    fn in_use(&self) -> InUse {
        self.in_use.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn workflow(&self, name: &str) -> Result<Arc<Rules>, LoadError> {
        self.rules().workflows.get(name).cloned().ok_or_else(|| LoadError::UnknownWorkflow(name.to_string()))
    }

    /// What the clock shows, and never a little less than what was recorded before.
    pub fn now(&self) -> Instant {
        self.latest.now(&self.clock)
    }

    fn foreseen(&self) -> MutexGuard<'_, Option<Foreseeable>> {
        self.foreseen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Latest {
    async fn of(store: &Store) -> Result<Latest, StoreError> {
        Ok(Latest(AtomicI64::new(store.high_water().await?.map_or(i64::MIN, |at| at.timestamp_millis()))))
    }

    /// A clock that was set back further than a little is believed: what has fired does not fire again, since every cause is recorded once.
    fn now(&self, clock: &Clock) -> Instant {
        let now = clock.now();
        let shown = now.timestamp_millis();
        let latest = self.0.load(Ordering::Relaxed);
        if latest > shown && latest.saturating_sub(shown) <= SMALL_STEP_BACK_MS {
            return chrono::DateTime::from_timestamp_millis(latest).unwrap_or(now);
        }
        self.0.store(shown, Ordering::Relaxed);
        now
    }
}

impl App {
    /// A person of the directory, by id or by a name that only one has.
    pub fn person(&self, text: &str) -> Option<Name> {
        let rules = self.rules();
        let persons = &rules.directory.persons;
        if let Some((id, _)) = persons.get_key_value(text) {
            return Some(id.clone());
        }
        let mut named = persons.iter().filter(|(_, person)| person.title == text);
        match (named.next(), named.next()) {
            (Some((id, _)), None) => Some(id.clone()),
            _ => None,
        }
    }
}

/// The files that were added, removed or edited.
fn changed(before: &IndexMap<String, String>, now: &IndexMap<String, String>) -> Vec<String> {
    let all: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    all.into_iter().filter(|path| !may_change(path) && before.get(*path) != now.get(*path)).cloned().collect()
}

/// Runs a decision; a fault of the engine itself fails this one item, not the process.
fn deciding(decide: impl FnOnce() -> Decision) -> Result<Decision, LoadError> {
    contained(decide)
}

fn contained<T>(run: impl FnOnce() -> T) -> Result<T, LoadError> {
    catch_unwind(AssertUnwindSafe(run)).map_err(|panic| {
        let what = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|what| what.to_string()));
        LoadError::Panicked(what.unwrap_or_default())
    })
}

/// A refusal as the reason why an item was set aside, for administrators.
fn reason(refusal: &Refusal) -> String {
    let sentence = crate::kernel::words::refusal(crate::kernel::words::Lang::default(), refusal);
    match &refusal.rule {
        Some(rule) => format!("{sentence} ({rule})"),
        None => sentence,
    }
}

/// The name under which a rule set calls something, as its own copy.
fn name(text: &str) -> Name {
    text.into()
}

/// A text that nobody has used before: the id of a command, the identity of a database, a token.
pub fn random_text() -> String {
    format!("{:032x}", rand::random::<u128>())
}
