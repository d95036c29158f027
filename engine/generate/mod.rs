//! A country for trials: any number of offices with items in the middle of their procedures, under one rule set, written into an empty
//! database at once.
//!
//! A few thousand lives are lived in memory by the kernel itself (see `life`), and then stamped out under other ids (see `store::pattern`), so
//! that what is stored is what the facts say. Nobody is mailed what happened before: those notices are kept as cancelled.

mod life;
mod values;

use crate::app::{caches, random_text};
use crate::kernel::calendar::cron::Cron;
use crate::kernel::model::decision::{Notice, Refusal};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::time::Instant;
use crate::store::fill::{Begun, FillError, Filling, Stream};
use crate::store::pattern::{Pattern, Recorded, Sheaf};
use crate::store::{LOCAL, Place, StoreError};
use chrono::{SubsecRound, TimeDelta};
use life::Life;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number that stands for an item's in the lives that are stamped out. Ten digits, as every copy's.
const TOKEN: u64 = 7_319_000_000;
/// Numbers that a counter may give to one item.
const NUMBERS_EACH: i64 = 100;
/// Different lives, unless something else is wished for.
pub const LIVES: u64 = 2_000;
/// A life that came to its end is lived again under another seed, so often.
const ATTEMPTS: u64 = 60;
/// Lives are lived in so many rows, each looking after its own average, whatever the number of processors.
const ROWS: u64 = 8;
/// So many days ago the first items begin.
const DAYS: i64 = 365;
/// Rows that are held in memory before they are written, in bytes of one stream.
const SHEAF: usize = 32 << 20;
/// The revision of a rule set that was put to work on an empty database.
const FIRST: u64 = 1;

/// How much there shall be.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    pub jurisdictions: u64,
    /// Open items in all of them.
    pub items: u64,
    /// Facts of all items, about.
    pub facts: u64,
    pub seed: u64,
    /// Different lives behind the items, at most.
    pub lives: u64,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Made {
    pub jurisdictions: u64,
    pub items: u64,
    pub facts: u64,
    pub notices: u64,
    /// Different lives behind the items.
    pub lives: u64,
}

/// How far it has come: so many of so many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    Lives(u64, u64),
    Items(u64, u64),
    Indexes(u64, u64),
}

#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    #[error(transparent)]
    Fill(#[from] FillError),
    #[error("nobody can begin an item under these rules, and leave it open")]
    NoLife { why: Option<Box<Refusal>> },
    #[error("{jurisdictions} jurisdictions and {items} items are more than can be numbered, or none")]
    TooMany { jurisdictions: u64, items: u64 },
}

impl From<StoreError> for GenerateError {
    fn from(error: StoreError) -> Self {
        GenerateError::Fill(error.into())
    }
}

/// The jurisdictions, in their order. The first is that of an installation which serves one office.
pub fn jurisdiction(number: u64) -> String {
    if number == 0 { LOCAL.to_string() } else { format!("office-{number:06}") }
}

/// Fills an empty database.
pub async fn generate(
    place: &Place,
    rules: &Arc<RuleSet>,
    wish: Wish,
    now: Instant,
    processors: usize,
    told: impl Fn(Stage) + Send + Sync + Clone + 'static,
) -> Result<Made, GenerateError> {
    if wish.items == 0 || wish.items > 2_000_000_000 || wish.jurisdictions == 0 || wish.jurisdictions > 1_000_000 {
        return Err(GenerateError::TooMany { jurisdictions: wish.jurisdictions, items: wish.items });
    }
    let now = now.trunc_subsecs(0);
    let mut filling = Filling::begin(place, &random_text(), now).await?;
    let lives = lives(rules, wish, now, processors, &told).await?;
    let mut counters = BTreeMap::new();
    for (counter, last) in lives.iter().flat_map(|life| &life.counters) {
        let used = counters.entry(counter.clone()).or_insert(0);
        *used = (*used).max(*last);
    }
    let patterns = lives.iter().map(|life| pattern(life, now)).collect::<Result<Vec<_>, _>>()?;
    let plan =
        Arc::new(Plan { wish, patterns, counters: counters.into_keys().collect(), next: AtomicU64::new(0), done: AtomicU64::new(0) });
    drop(lives);

    let all: Vec<String> = (0..wish.jurisdictions).map(jurisdiction).collect();
    filling.rules(&all, rules, &sweeps(rules, now), now).await?;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..filling.streams(processors.max(1)) {
        let (stream, plan, told) = (filling.stream().await?, plan.clone(), told.clone());
        tasks.spawn(async move { plan.write(stream, told).await });
    }
    let mut made = Made { jurisdictions: wish.jurisdictions, lives: plan.patterns.len() as u64, ..Made::default() };
    let mut streams = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        let (stream, written) = ended.map_err(|error| StoreError::NotDone(error.to_string()))??;
        made.items += written.items;
        made.facts += written.facts;
        made.notices += written.notices;
        streams.push(stream);
    }
    filling.finish(streams, |done, all| told(Stage::Indexes(done as u64, all as u64))).await?;
    Ok(made)
}

/// Every sweep as it stands in an office that has just been opened.
fn sweeps(rules: &RuleSet, now: Instant) -> Vec<Begun> {
    let mut begun = Vec::new();
    for (workflow, rules) in &rules.workflows {
        let zone = rules.setting.workflow.timezone;
        for (name, sweep) in &rules.setting.workflow.sweeps {
            let next = Cron::parse(&sweep.cron).ok().and_then(|cron| cron.next(zone, now)).map_or(now, |slot| slot.at);
            let slot = now.with_timezone(&zone).format("%Y-%m-%dT%H:%M").to_string();
            begun.push(Begun { sweep: format!("{workflow}/{name}"), slot, next });
        }
    }
    begun
}

/// Lives different lives, on all processors.
async fn lives(
    rules: &Arc<RuleSet>,
    wish: Wish,
    now: Instant,
    processors: usize,
    told: &(impl Fn(Stage) + Send + Sync + Clone + 'static),
) -> Result<Vec<Life>, GenerateError> {
    let workflows: Vec<Arc<Rules>> =
        rules.workflows.values().filter(|rules| rules.setting.workflow.actions.values().any(|a| a.creates)).cloned().collect();
    let all = wish.items.min(wish.lives.max(1));
    let (done, next) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..processors.max(1) {
        let (workflows, told, done, next) = (workflows.clone(), told.clone(), done.clone(), next.clone());
        tasks.spawn_blocking(move || {
            let mut rows = Vec::new();
            loop {
                let row = next.fetch_add(1, Ordering::Relaxed);
                if row >= ROWS {
                    return rows;
                }
                let lived = row_of_lives(&workflows, wish, now, (row..all).step_by(ROWS as usize), || {
                    told(Stage::Lives(done.fetch_add(1, Ordering::Relaxed) + 1, all));
                });
                rows.push((row, lived));
            }
        });
    }
    let mut rows: Vec<(u64, Vec<Life>)> = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        rows.extend(ended.map_err(|error| StoreError::NotDone(error.to_string()))?);
    }
    rows.sort_by_key(|(row, _)| *row);
    let lives: Vec<Life> = rows.into_iter().flat_map(|(_, lives)| lives).collect();
    if lives.is_empty() {
        let why = workflows.first().and_then(|rules| life::why_none_begins(rules, now, wish.seed)).map(Box::new);
        return Err(GenerateError::NoLife { why });
    }
    Ok(lives)
}

/// Lives whose facts come to the average that is wished for, as near as the rules allow.
fn row_of_lives(workflows: &[Arc<Rules>], wish: Wish, now: Instant, which: impl Iterator<Item = u64>, told: impl Fn()) -> Vec<Life> {
    let average = wish.facts as f64 / wish.items as f64;
    let (mut lives, mut facts) = (Vec::new(), 0.0);
    for number in which {
        let mut chance = StdRng::seed_from_u64(wish.seed ^ (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let owed = (lives.len() + 1) as f64 * average - facts;
        let mut longest = DAYS * 24 * 60;
        for _ in 0..ATTEMPTS {
            let wanted = (owed.clamp(average * 0.5, average * 1.5) * chance.random_range(0.7..1.3)).round().max(1.0);
            let from = now - TimeDelta::minutes(chance.random_range(1..longest));
            let Some(rules) = values::one_of(workflows, &mut chance) else { return lives };
            let life = life::live(rules, from, now, wanted as usize, chance.random());
            if let Some(life) = life.filter(|life| life.facts.len() as f64 <= wanted * 1.3 + 1.0) {
                facts += life.facts.len() as f64;
                lives.push(life);
                break;
            }
            // The longer ago it began, the more the engine has done by itself.
            longest = (longest * 9 / 10).max(60);
        }
        told();
    }
    lives
}

/// All that is recorded of a life.
fn pattern(life: &Life, now: Instant) -> Result<Pattern, StoreError> {
    let id = TOKEN.to_string();
    let workflow = &life.rules.setting.workflow;
    let over: Vec<Notice> = life.over.iter().map(|notice| Notice { values: serde_json::Value::Null, ..notice.clone() }).collect();
    let status = |notice: &Notice| if notice.parked.is_some() { "parked" } else { "ready" };
    let waiting = life.waiting.iter().map(|notice| (notice, status(notice), notice.parked.as_deref()));
    let fields = workflow.fields.iter().filter(|(_, field)| field.unique);
    Pattern::new(&Recorded {
        id: &id,
        workflow: &workflow.name,
        caches: caches::of(&life.rules, &life.item),
        wake_up: life.wake_up,
        rules_rev: FIRST,
        now,
        facts: &life.facts,
        notices: waiting.chain(over.iter().map(|notice| (notice, "cancelled", Some("generated")))).collect(),
        unique: fields.map(|(name, _)| (&**name, life.item.field(name))).filter(|(_, value)| !value.is_empty()).collect(),
    })
}

/// What is to be written, shared by the streams.
struct Plan {
    wish: Wish,
    patterns: Vec<Pattern>,
    counters: Vec<String>,
    /// The next jurisdiction that nobody has begun.
    next: AtomicU64,
    /// Items that were written.
    done: AtomicU64,
}

impl Plan {
    /// Writes jurisdiction after jurisdiction until none is left.
    async fn write(&self, mut stream: Stream, told: impl Fn(Stage)) -> Result<(Stream, Sheaf), StoreError> {
        let mut sheaf = Sheaf::default();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.wish.jurisdictions {
                break;
            }
            let here = jurisdiction(number);
            let (first, end) = (self.first(number), self.first(number + 1));
            for item in first..end {
                self.stamp(&here, item, &mut sheaf)?;
                if sheaf.bytes() >= SHEAF {
                    self.put(&mut stream, &mut sheaf, &told).await?;
                }
            }
            if end > first {
                for counter in &self.counters {
                    sheaf.count(&here, counter, (TOKEN + end) as i64 * NUMBERS_EACH + NUMBERS_EACH - 1);
                }
            }
        }
        self.put(&mut stream, &mut sheaf, &told).await?;
        Ok((stream, sheaf))
    }

    /// The items of a jurisdiction begin behind those of the one before.
    fn first(&self, number: u64) -> u64 {
        (u128::from(number) * u128::from(self.wish.items) / u128::from(self.wish.jurisdictions)) as u64
    }

    fn stamp(&self, here: &str, item: u64, sheaf: &mut Sheaf) -> Result<(), StoreError> {
        // Neighbours have different lives, and every life is taken as often as any other.
        let pattern = &self.patterns[(item % self.patterns.len() as u64) as usize];
        pattern.stamp(here, TOKEN + 1 + item, sheaf)
    }

    async fn put(&self, stream: &mut Stream, sheaf: &mut Sheaf, told: &impl Fn(Stage)) -> Result<(), StoreError> {
        let before = sheaf.items - sheaf.written;
        stream.put(sheaf).await?;
        sheaf.written = sheaf.items;
        let done = self.done.fetch_add(before, Ordering::Relaxed) + before;
        told(Stage::Items(done, self.wish.items));
        Ok(())
    }
}
