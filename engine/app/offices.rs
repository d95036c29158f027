//! All offices of one database in one process: each is opened when there is something to do in it, and works under its own rules.
//!
//! One scheduler finds what is due in any of them (see `wake`, `sweep`, `letters`, `send`). An office whose rules this program cannot read
//! is shut for a while, with the reason, and stands in nobody's way.

use super::accounts::Policy;
use super::rules::{RulesError, read, with_past};
use super::{App, InUse, Latest, Tally};
use crate::clock::Clock;
use crate::kernel::rules::RuleSet;
use crate::kernel::time::Instant;
use crate::store::everywhere::NextMoments;
use crate::store::{Store, StoreError};
use chrono::TimeDelta;
use indexmap::IndexMap;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// As long as nothing else is set.
const DOMAIN: &str = "duban.localdomain";
const LEASE: TimeDelta = TimeDelta::seconds(60);
/// So many offices, and so many rule sets, stay at hand.
const OFFICES: usize = 512;
const RULE_SETS: usize = 32;
/// An office that could not be opened is tried again after this.
const SHUT_FOR: TimeDelta = TimeDelta::minutes(10);

/// The offices of one database.
#[derive(Debug)]
pub struct Offices {
    /// Without regard to whose rows they are.
    pub store: Store,
    pub clock: Clock,
    /// Where other processes work the same database: so long they leave alone what this one has taken, after it was last heard of.
    pub lease: TimeDelta,
    /// What is asked of passwords and sessions.
    pub policy: Policy,
    /// Stands behind the @ of whatever is known everywhere, such as the entries of a calendar.
    pub domain: String,
    /// Of all offices together.
    pub tally: Arc<Tally>,
    latest: Arc<Latest>,
    at_hand: Mutex<AtHand>,
    /// Whose turn it is to read a rule set, by its hash; whoever comes meanwhile finds it read.
    turns: Mutex<BTreeMap<String, Weak<Turn>>>,
}

type Turn = tokio::sync::Mutex<()>;

#[derive(Debug, Default)]
struct AtHand {
    /// The one used last stands last.
    apps: IndexMap<Arc<str>, Arc<App>>,
    /// Offices that cannot be worked, until when, and why.
    shut: BTreeMap<Arc<str>, (Instant, String)>,
}

/// Why an office cannot be worked.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    #[error(transparent)]
    Store(StoreError),
    #[error("`{0}`: {1}")]
    Shut(Arc<str>, String),
    #[error("the database has no office `{0}`")]
    Unknown(Arc<str>),
}

impl From<StoreError> for OfficeError {
    fn from(error: StoreError) -> OfficeError {
        OfficeError::Store(error)
    }
}

impl Offices {
    /// Asks a database that others work as well what time it is. While it does not answer, what it said last holds.
    pub async fn agree_on_time(&self) {
        if !matches!(self.clock, Clock::Agreed(_)) {
            return;
        }
        match self.store.shown_time().await {
            Ok(Some(shown)) => drop(self.clock.agree(shown)),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the database was not asked for the time"),
        }
    }

    /// All offices of a database; none is opened before it is needed.
    pub async fn over(store: Store, clock: Clock) -> Result<Offices, StoreError> {
        let latest = Arc::new(Latest::of(&store).await?);
        Ok(Offices {
            store,
            clock,
            lease: LEASE,
            policy: Policy::default(),
            domain: DOMAIN.into(),
            tally: Arc::default(),
            latest,
            at_hand: Mutex::default(),
            turns: Mutex::default(),
        })
    }

    /// All offices of the database of one that is open.
    pub fn with(app: Arc<App>) -> Offices {
        let (store, clock, tally, latest) = (app.store.clone(), app.clock.clone(), app.tally.clone(), app.latest.clone());
        let here = Arc::from(app.store.jurisdiction());
        let at_hand = AtHand { apps: IndexMap::from([(here, app)]), shut: BTreeMap::new() };
        Offices {
            store,
            clock,
            lease: LEASE,
            policy: Policy::default(),
            domain: DOMAIN.into(),
            tally,
            latest,
            at_hand: Mutex::new(at_hand),
            turns: Mutex::default(),
        }
    }

    /// What the clock shows, and never a little less than what was recorded before.
    pub fn now(&self) -> Instant {
        self.latest.now(&self.clock)
    }

    /// An office, under the rule set that its database has in use.
    pub async fn app(&self, jurisdiction: &str) -> Result<Arc<App>, OfficeError> {
        if let Some(app) = self.known(jurisdiction)? {
            return Ok(app);
        }
        let here: Arc<str> = jurisdiction.into();
        let store = self.store.of(jurisdiction);
        let Some((hash, _)) = store.rules_hash().await? else { return Err(OfficeError::Unknown(here)) };
        let turn = self.turn(&hash);
        let _mine = turn.lock().await;
        if let Some(app) = self.known(jurisdiction)? {
            return Ok(app);
        }
        let in_use = match self.in_use(&store).await {
            Ok(in_use) => in_use,
            // A fault of the database is everybody's; one of what it holds of this office, or of reading that, is its own.
            Err(RulesError::Store(error)) if !matches!(error, StoreError::Damaged(_) | StoreError::NotDone(_)) => return Err(error.into()),
            Err(RulesError::None) => return Err(OfficeError::Unknown(here)),
            Err(error) => return Err(self.shut(here, error.to_string())),
        };
        let app = Arc::new(App::at(store, in_use, self.clock.clone(), self.tally.clone(), self.latest.clone()));
        let mut at_hand = self.at_hand();
        if at_hand.shut.remove(jurisdiction).is_some() {
            tracing::info!(jurisdiction, "an office can be worked again");
        }
        // Somebody else may have opened it meanwhile; there is one desk for each office.
        let app = at_hand.apps.entry(here.clone()).or_insert(app).clone();
        at_hand.make_room(&here);
        Ok(app)
    }

    /// The same; nothing for one that cannot be worked now.
    pub(super) async fn if_not_shut(&self, jurisdiction: &str) -> Result<Option<Arc<App>>, StoreError> {
        match self.app(jurisdiction).await {
            Ok(app) => Ok(Some(app)),
            Err(OfficeError::Shut(..) | OfficeError::Unknown(_)) => Ok(None),
            Err(OfficeError::Store(error)) => Err(error),
        }
    }

    /// Offices that are at hand.
    pub fn open(&self) -> Vec<Arc<App>> {
        self.at_hand().apps.values().cloned().collect()
    }

    /// Offices that cannot be worked now, each with the reason.
    pub fn shut_now(&self) -> Vec<(Arc<str>, String)> {
        self.at_hand().shut.iter().map(|(here, (_, why))| (here.clone(), why.clone())).collect()
    }

    /// Tries offices again that could not be worked a while ago.
    pub async fn try_shut(&self) -> Result<(), StoreError> {
        let now = self.now();
        let lapsed: Vec<Arc<str>> = {
            let at_hand = self.at_hand();
            at_hand.shut.iter().filter(|(_, (until, _))| *until <= now).map(|(here, _)| here.clone()).collect()
        };
        for here in lapsed {
            self.if_not_shut(&here).await?;
        }
        Ok(())
    }

    /// Their names, which are left out when it is asked what is due.
    pub(super) fn except(&self) -> Vec<Arc<str>> {
        self.shut_now().into_iter().map(|(here, _)| here).collect()
    }

    /// The first moments at which there may be something to do in any office that can be worked.
    pub async fn next_moments(&self) -> Result<NextMoments, StoreError> {
        self.store.everywhere().next_moments(self.now(), &self.except()).await
    }

    /// Where other processes work the same database: takes over the rule sets that they have put into use. An office whose new rules this
    /// program cannot read is left to others. Gives how many have changed; an error once the database has outgrown this program.
    pub async fn follow_rules(&self) -> Result<usize, StoreError> {
        if !self.store.is_shared() {
            return Ok(0);
        }
        self.store.check_schema().await?;
        let apps: IndexMap<Arc<str>, Arc<App>> = self.at_hand().apps.clone();
        let names: Vec<Arc<str>> = apps.keys().cloned().collect();
        let mut changed = 0;
        for (here, revision) in self.store.everywhere().revisions(&names).await? {
            let Some(app) = apps.get(here.as_str()).filter(|app| revision > app.in_use().revision) else { continue };
            match self.in_use(&app.store).await {
                Ok(in_use) => {
                    tracing::info!(jurisdiction = here, hash = %in_use.rules.hash, revision, "another process has put a rule set into use");
                    app.adopt(in_use);
                    app.store.doubt_derived(revision).await?;
                    changed += 1;
                }
                Err(RulesError::Store(error)) if !matches!(error, StoreError::Damaged(_) | StoreError::NotDone(_)) => return Err(error),
                Err(error) => {
                    self.at_hand().apps.shift_remove(here.as_str());
                    self.shut(here.into(), error.to_string());
                }
            }
        }
        Ok(changed)
    }

    /// The rule set that an office has in use; one that is at hand already is not read again.
    async fn in_use(&self, store: &Store) -> Result<InUse, RulesError> {
        let (hash, revision) = store.rules_hash().await?.ok_or(RulesError::None)?;
        let known = self.at_hand().apps.values().map(|app| app.rules()).find(|rules| *rules.hash == *hash && rules.is_plain());
        let (rules, revision) = match known {
            Some(rules) => (rules, revision),
            None => {
                let stored = store.rules_in_use().await?.ok_or(RulesError::None)?;
                let revision = stored.revision;
                self.tally.rules_read.fetch_add(1, Ordering::Relaxed);
                let rules = tokio::task::spawn_blocking(move || read(&stored)).await;
                (rules.map_err(|error| StoreError::NotDone(error.to_string()))??, revision)
            }
        };
        Ok(InUse { rules: with_past(store, &rules, None).await?, revision })
    }

    fn turn(&self, hash: &str) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(hash).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        turns.insert(hash.to_string(), Arc::downgrade(&turn));
        turn
    }

    fn known(&self, jurisdiction: &str) -> Result<Option<Arc<App>>, OfficeError> {
        let now = self.now();
        let mut at_hand = self.at_hand();
        if let Some((here, (until, why))) = at_hand.shut.get_key_value(jurisdiction) {
            // Whoever comes after that tries it again.
            return if *until > now { Err(OfficeError::Shut(here.clone(), why.clone())) } else { Ok(None) };
        }
        let Some(place) = at_hand.apps.get_index_of(jurisdiction) else { return Ok(None) };
        let last = at_hand.apps.len() - 1;
        at_hand.apps.move_index(place, last);
        Ok(at_hand.apps.get(jurisdiction).cloned())
    }

    fn shut(&self, here: Arc<str>, why: String) -> OfficeError {
        tracing::error!(jurisdiction = %here, why, "an office cannot be worked");
        self.at_hand().shut.insert(here.clone(), (self.now() + SHUT_FOR, why.clone()));
        OfficeError::Shut(here, why)
    }

    fn at_hand(&self) -> MutexGuard<'_, AtHand> {
        self.at_hand.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AtHand {
    /// Lets go of offices that were not used for longest, except `here` and those at work: another desk beside theirs would collide.
    fn make_room(&mut self, here: &str) {
        let rule_sets = |apps: &IndexMap<Arc<str>, Arc<App>>| -> usize {
            apps.values().map(|app| Arc::as_ptr(&app.rules())).collect::<HashSet<*const RuleSet>>().len()
        };
        while self.apps.len() > OFFICES || rule_sets(&self.apps) > RULE_SETS {
            let idle = self.apps.iter().position(|(name, app)| **name != *here && Arc::strong_count(app) == 1);
            let Some(idle) = idle else { return };
            self.apps.shift_remove_index(idle);
        }
    }
}
