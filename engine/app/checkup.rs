//! How an installation is doing, one answer a question: records against facts, rules, backup, wake-ups, outbox, calendars of all its offices or
//! of one. With many offices it tells sums and names the worst few. It mends nothing; sentences and what lies outside the database are left
//! to the caller.

use super::doctor::Beyond;
use super::outbox::phase_word;
use crate::app::{Finding, Integrity, OfficeLook};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{Lang, has, say};
use crate::store::backup::LastBackup;
use crate::store::brake::{EVERYBODY, Excess, Hold};
use crate::store::health::{Share, Waiting, Worst};
use crate::store::{Store, StoreError};
use chrono::{SecondsFormat, TimeDelta};
use chrono_tz::Tz;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// What is due is worked within a minute; not to have been for so long is a fault of the scheduler.
const LONG_DUE: TimeDelta = TimeDelta::minutes(10);
/// A mail on its way for so long deserves a look, and for so long a person.
const LONG_UNSENT: TimeDelta = TimeDelta::hours(1);
const TOO_LONG_UNSENT: TimeDelta = TimeDelta::days(1);
/// A clock that lags behind the last record by more than this was set back.
const BEHIND: TimeDelta = TimeDelta::hours(2);
/// The clock of a machine and that of a database may differ by so much.
const APART: TimeDelta = TimeDelta::seconds(5);
/// The notice of next year's holidays comes out in November.
const BEFORE_NEW_YEAR: TimeDelta = TimeDelta::days(30);
/// Somebody should have a copy that is no older than this.
const OLD_BACKUP: TimeDelta = TimeDelta::days(7);
/// Digits of a hash that people are shown.
const SHORT_HASH: usize = 8;
/// So many are named in an answer.
const NAMED: u32 = 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Good,
    /// Somebody should look at it.
    Warning,
    Fault,
}

/// The answer to one question. The catalogue has its sentence under `doctor.CHECK.FOUND`, and with `.do` what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    pub check: &'static str,
    pub found: &'static str,
    pub level: Level,
    /// What the sentence speaks of.
    pub values: BTreeMap<&'static str, String>,
    /// Which items or notices, and what of each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub which: Vec<(String, String)>,
    /// Of several offices, those that are worst off.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub offices: Vec<Share>,
}

impl Check {
    pub fn new(check: &'static str, found: &'static str, level: Level) -> Check {
        Check { check, found, level, values: BTreeMap::new(), which: Vec::new(), offices: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Check {
        self.values.insert(name, value.to_string());
        self
    }

    /// What was found in a sentence, and what to do about it.
    pub fn sentences(&self, zone: Tz, lang: Lang) -> (String, Option<String>) {
        let shown = |name: &str, value: &String| match name {
            "hash" => value.chars().take(SHORT_HASH).collect(),
            "phase" => phase_word(value, lang),
            _ => value.parse::<Instant>().map_or_else(|_| value.clone(), |at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()),
        };
        let values: Vec<(&str, String)> = self.values.iter().map(|(name, value)| (*name, shown(name, value))).collect();
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let key = format!("doctor.{}.{}", self.check, self.found);
        let advice = format!("{key}.do");
        (say(lang, &key, &values), has(lang, &advice).then(|| say(lang, &advice, &values)))
    }

    fn of(self, offices: &[Share]) -> Check {
        Check { offices: offices.to_vec(), ..self }
    }
}

/// Everything that can be asked of the database beside its records, of all its offices or of one.
pub async fn check_up(store: &Store, only: Option<&str>, now: Instant) -> Result<Vec<Check>, StoreError> {
    // Of one office the sums say it all.
    let several = only.is_none() && store.everywhere().jurisdictions("", 2).await?.len() > 1;
    let health = match only {
        Some(here) => store.of(here).health(now).await?,
        None => store.everywhere().health(now).await?,
    };
    let worst = if several { store.everywhere().worst(now, NAMED).await? } else { Worst::default() };
    let mut checks =
        vec![check_backup(store.last_backup().await?, now), check_clock(store.high_water().await?, store.shown_time().await?, now)];
    checks.push(check_wake_ups(store, only, health.due, several.then_some(&worst), now).await?);
    checks.push(check_set_aside(store, only, health.set_aside, several.then_some(&worst)).await?);
    let restored = store.restored().await?;
    let mut unsent = health.unsent();
    unsent.count += health.ready.count;
    unsent.oldest = unsent.oldest.into_iter().chain(health.ready.oldest).min();
    checks.push(match restored {
        Some(since) => Check::new("outbox", "restored", Level::Warning)
            .with("since", text(since))
            .with("notices", health.restored.count)
            .with("mails", health.unsent().count),
        None => outbox(unsent, now),
    });
    let held = |check, found, waiting: Option<&Waiting>| {
        let waiting = waiting.filter(|waiting| waiting.count > 0)?;
        Some(Check::new(check, found, Level::Warning).with("count", waiting.count))
    };
    checks.extend(check_volume(store, only, several, health.held).await?);
    // What is held with the whole database has been told.
    let others = Waiting { count: health.parked.count.saturating_sub(restored.map_or(0, |_| health.restored.count)), ..health.parked };
    checks.extend(held("outbox", "parked", Some(&others)).map(|check| check.of(&worst.parked)));
    checks.extend(held("outbox", "unknown", health.mails.get("unknown")));
    let untold = store.everywhere().parked_deliveries(only).await?;
    if let Waiting { count: count @ 1.., oldest: Some(since) } = untold {
        checks.push(Check::new("webhooks", "parked", Level::Warning).with("count", count).with("since", text(since)));
    }
    for check in checks.iter_mut().filter(|check| check.found == "old" && check.check == "outbox") {
        check.offices.clone_from(&worst.unsent);
    }
    Ok(checks)
}

/// Whether mails are held as they were unusually many.
async fn check_volume(store: &Store, only: Option<&str>, several: bool, held: Waiting) -> Result<Option<Check>, StoreError> {
    if held.count == 0 {
        return Ok(None);
    }
    let holds = store.everywhere().holds(NAMED).await?;
    if several {
        let share = |hold: &Hold| Share {
            office: hold.jurisdiction.clone(),
            count: Excess::read(&hold.reason).map_or(0, |excess| excess.mails),
            since: Some(hold.since),
        };
        let offices: Vec<Share> = holds.iter().map(share).collect();
        return Ok(Some(Check::new("outbox", "volumes", Level::Fault).with("count", held.count).of(&offices)));
    }
    let own = match only {
        Some(here) => store.of(here).hold().await?,
        None => holds.into_iter().next(),
    };
    // Everybody's is told already; one whose reason cannot be read holds all the same.
    let Some(own) = own.filter(|own| own.jurisdiction != EVERYBODY) else { return Ok(None) };
    let Some(Excess { since, mails, usual, foreseen }) = Excess::read(&own.reason) else {
        return Ok(Some(Check::new("outbox", "volumes", Level::Fault).with("count", held.count)));
    };
    let check = Check::new("outbox", "volume", Level::Fault).with("since", text(since));
    Ok(Some(check.with("mails", mails).with("usual", usual).with("foreseen", foreseen)))
}

fn check_backup(last: Option<LastBackup>, now: Instant) -> Check {
    let Some(LastBackup { at, file }) = last else { return Check::new("backup", "never", Level::Warning) };
    let (found, level) = if now - at > OLD_BACKUP { ("old", Level::Warning) } else { ("good", Level::Good) };
    Check::new("backup", found, level).with("at", text(at)).with("days", (now - at).num_days().max(0)).with("file", file)
}

/// `shown` is the time of a server that others work as well, at `now`.
fn check_clock(last: Option<Instant>, shown: Option<Instant>, now: Instant) -> Check {
    if let Some(apart) = shown.map(|shown| now - shown).filter(|apart| apart.abs() > APART) {
        return Check::new("clock", "apart", Level::Warning).with("seconds", apart.num_seconds());
    }
    match last {
        Some(last) if last - now > BEHIND => Check::new("clock", "behind", Level::Fault).with("last", text(last)).with("now", text(now)),
        _ => Check::new("clock", "good", Level::Good),
    }
}

async fn check_wake_ups(store: &Store, only: Option<&str>, due: Waiting, worst: Option<&Worst>, now: Instant) -> Result<Check, StoreError> {
    if let Some(oldest) = due.oldest.filter(|oldest| now - *oldest > LONG_DUE) {
        let check = Check::new("wake_ups", "overdue", Level::Warning).with("count", due.count).with("since", text(oldest));
        return Ok(check.of(worst.map_or(&[], |worst| &worst.due)));
    }
    let mut stale = Vec::new();
    for here in match only {
        Some(only) => vec![only.to_string()],
        // Only these may have any.
        None => store.everywhere().stale(NAMED, &[]).await?,
    } {
        let office = store.of(&here);
        let revision = office.rules_hash().await?.map_or(0, |(_, revision)| revision);
        let count = office.count_stale(revision).await?;
        stale.extend((count > 0).then_some(Share { office: here, count, since: None }));
    }
    Ok(match stale.iter().map(|share| share.count).sum::<u64>() {
        0 => Check::new("wake_ups", "good", Level::Good),
        sum => Check::new("wake_ups", "stale", Level::Warning).with("count", sum).of(worst.map_or(&[], |_| &stale)),
    })
}

async fn check_set_aside(store: &Store, only: Option<&str>, set_aside: Waiting, worst: Option<&Worst>) -> Result<Check, StoreError> {
    if set_aside.count == 0 {
        return Ok(Check::new("set_aside", "good", Level::Good));
    }
    let mut which = Vec::new();
    let offices = match (only, worst) {
        (Some(only), _) => vec![only.to_string()],
        (None, Some(worst)) => worst.set_aside.iter().map(|share| share.office.clone()).collect(),
        (None, None) => store.everywhere().jurisdictions("", 1).await?.into_iter().map(|office| office.id).collect(),
    };
    for here in offices {
        let rows = store.of(&here).quarantined(NAMED - which.len() as u32).await?;
        let named = |item: String| if worst.is_none() { item } else { format!("{here}/{item}") };
        which.extend(rows.into_iter().map(|row| (named(row.item), row.reason)));
        if which.len() >= NAMED as usize {
            break;
        }
    }
    let check = Check::new("set_aside", "some", Level::Warning).with("count", set_aside.count);
    let check = check.with("since", set_aside.oldest.map(text).unwrap_or_default()).of(worst.map_or(&[], |worst| &worst.set_aside));
    Ok(Check { which, ..check })
}

/// What the looks through offices come to, kept small however many they are.
#[derive(Debug, Default)]
pub struct Looks {
    offices: u64,
    /// Hashes of the rule sets in use.
    rule_sets: BTreeSet<String>,
    faulty: u64,
    /// Offices whose rules have mistakes, with their hash and how many.
    mistakes: Vec<(String, String, usize)>,
    /// By workflow, calendar and its last day.
    calendars: BTreeMap<(String, String, Date), Horizon>,
    /// In which moments are shown.
    pub zone: Option<Tz>,
}

#[derive(Debug)]
struct Horizon {
    zone: Tz,
    beyond: Beyond,
    offices: Vec<Share>,
}

impl Looks {
    pub fn add(&mut self, look: &OfficeLook) {
        self.offices += 1;
        self.rule_sets.insert(look.hash.clone());
        if look.errors > 0 {
            self.faulty += 1;
            if self.mistakes.len() < NAMED as usize {
                self.mistakes.push((look.office.clone(), look.hash.clone(), look.errors));
            }
        }
        for (name, rules) in &look.rules.workflows {
            let workflow = &rules.setting.workflow;
            self.zone.get_or_insert(workflow.timezone);
            let key = (workflow.title.clone(), workflow.calendar.to_string(), rules.setting.calendar.known_until());
            let empty = || Horizon { zone: workflow.timezone, beyond: Beyond::default(), offices: Vec::new() };
            let horizon = self.calendars.entry(key).or_insert_with(empty);
            let Some(beyond) = look.beyond.get(&**name) else { continue };
            horizon.beyond.count += beyond.count;
            horizon.beyond.farthest = horizon.beyond.farthest.max(beyond.farthest);
            horizon.offices.push(Share { office: look.office.clone(), count: beyond.count, since: None });
            if horizon.offices.len() > 2 * NAMED as usize {
                horizon.keep_worst();
            }
        }
    }

    /// Of rules and calendars: a line for each when there are few, the worst first.
    pub fn checks(self, now: Instant) -> Vec<Check> {
        let mut checks = vec![self.rules()];
        let several = self.offices > 1;
        let mut calendars: Vec<Check> = Vec::new();
        for ((workflow, calendar, until), mut horizon) in self.calendars {
            horizon.keep_worst();
            let today = now.with_timezone(&horizon.zone).date_naive();
            let check = match horizon.beyond.farthest {
                Some(farthest) => {
                    let check = Check::new("calendar", "beyond", Level::Warning);
                    let check = check.with("count", horizon.beyond.count).with("farthest", farthest);
                    if several { check.of(&horizon.offices) } else { check }
                }
                None if until - today < BEFORE_NEW_YEAR => Check::new("calendar", "ends", Level::Warning),
                None => Check::new("calendar", "good", Level::Good),
            };
            calendars.push(check.with("workflow", workflow).with("calendar", calendar).with("until", until));
        }
        calendars.sort_by_key(|check| Reverse(check.level));
        if let Some(more) = calendars.get(NAMED as usize) {
            let (level, count) = (more.level, calendars.len() - NAMED as usize);
            calendars.truncate(NAMED as usize);
            calendars.push(Check::new("calendar", "more", level).with("count", count));
        }
        checks.extend(calendars);
        checks
    }

    fn rules(&self) -> Check {
        let sets = self.rule_sets.len();
        match (&self.mistakes[..], self.rule_sets.first()) {
            ([], Some(hash)) if sets == 1 => Check::new("rules", "good", Level::Good).with("hash", hash),
            ([], _) => Check::new("rules", "all_good", Level::Good).with("count", sets).with("offices", self.offices),
            ([(_, hash, errors)], _) if self.offices == 1 => {
                Check::new("rules", "mistakes", Level::Fault).with("hash", hash).with("problems", errors)
            }
            (mistakes, _) => {
                let which =
                    mistakes.iter().map(|(office, hash, errors)| (office.clone(), format!("{} ({errors})", &hash[..hash.len().min(8)])));
                let check = Check::new("rules", "some_mistakes", Level::Fault).with("count", self.faulty).with("offices", self.offices);
                Check { which: which.collect(), ..check }
            }
        }
    }
}

impl Horizon {
    fn keep_worst(&mut self) {
        self.offices.sort_by(|a, b| (b.count, &a.office).cmp(&(a.count, &b.office)));
        self.offices.truncate(NAMED as usize);
    }
}

fn text(at: Instant) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn outbox(unsent: Waiting, now: Instant) -> Check {
    let level = match unsent.oldest.map(|oldest| now - oldest) {
        Some(age) if age > TOO_LONG_UNSENT => Level::Fault,
        Some(age) if age > LONG_UNSENT => Level::Warning,
        _ => return Check::new("outbox", "good", Level::Good).with("count", unsent.count),
    };
    let since = unsent.oldest.map(text).unwrap_or_default();
    Check::new("outbox", "old", level).with("count", unsent.count).with("since", since)
}

/// What a look through all records came to, with what was found.
pub fn records(integrity: &Integrity, findings: Vec<Finding>) -> Vec<Check> {
    let pages = match &integrity.pages {
        None => Check::new("pages", "good", Level::Good),
        Some(what) => Check::new("pages", "damaged", Level::Fault).with("what", what),
    };
    let records = match integrity.damaged {
        0 => Check::new("records", "good", Level::Good).with("items", integrity.items),
        damaged => Check::new("records", "damaged", Level::Fault).with("items", integrity.items).with("damaged", damaged),
    };
    let which = findings.into_iter().map(|Finding { item, what }| (item, what)).collect();
    vec![pages, Check { which, ..records }]
}
