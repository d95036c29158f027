//! How an installation is doing, one answer a question: records against facts, wake-ups, outbox, calendar. It mends nothing; sentences and
//! what lies outside the database are left to the caller.

use super::App;
use crate::app::{Finding, Integrity};
use crate::kernel::time::{Date, Instant};
use crate::store::StoreError;
use crate::store::health::Waiting;
use crate::store::items::Filter;
use chrono::{SecondsFormat, TimeDelta};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is due is worked within a minute; not to have been for so long is a fault of the scheduler.
const LONG_DUE: TimeDelta = TimeDelta::minutes(10);
/// A mail on its way for so long deserves a look, and for so long a person.
const LONG_UNSENT: TimeDelta = TimeDelta::hours(1);
const TOO_LONG_UNSENT: TimeDelta = TimeDelta::days(1);
/// A clock that lags behind the last record by more than this was set back.
const BEHIND: TimeDelta = TimeDelta::hours(2);
/// The notice of next year's holidays comes out in November.
const BEFORE_NEW_YEAR: TimeDelta = TimeDelta::days(30);
/// Items whose rows are read at once, and how many are named in an answer.
const PAGE: u32 = 256;
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
}

impl Check {
    pub fn new(check: &'static str, found: &'static str, level: Level) -> Check {
        Check { check, found, level, values: BTreeMap::new(), which: Vec::new() }
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Check {
        self.values.insert(name, value.to_string());
        self
    }
}

impl App {
    /// Everything that can be asked of the database beside its records.
    pub async fn check_up(&self) -> Result<Vec<Check>, StoreError> {
        let now = self.clock.now();
        let health = self.store.health(now).await?;
        let mut checks = vec![self.check_clock(now).await?, self.check_wake_ups(health.due, now).await?];
        checks.push(self.check_set_aside(health.set_aside).await?);
        let mut unsent = health.unsent();
        unsent.count += health.ready.count;
        unsent.oldest = unsent.oldest.into_iter().chain(health.ready.oldest).min();
        checks.push(match self.store.restored().await? {
            Some(since) => Check::new("outbox", "restored", Level::Warning).with("since", text(since)).with("count", unsent.count),
            None => outbox(unsent, now),
        });
        let held = |check, found, waiting: Option<&Waiting>| {
            let waiting = waiting.filter(|waiting| waiting.count > 0)?;
            Some(Check::new(check, found, Level::Warning).with("count", waiting.count))
        };
        checks.extend(held("outbox", "parked", Some(&health.parked)));
        checks.extend(held("outbox", "unknown", health.mails.get("unknown")));
        checks.extend(self.check_calendars(now).await?);
        Ok(checks)
    }

    async fn check_clock(&self, now: Instant) -> Result<Check, StoreError> {
        Ok(match self.store.high_water().await? {
            Some(last) if last - now > BEHIND => {
                Check::new("clock", "behind", Level::Fault).with("last", text(last)).with("now", text(now))
            }
            _ => Check::new("clock", "good", Level::Good),
        })
    }

    async fn check_wake_ups(&self, due: Waiting, now: Instant) -> Result<Check, StoreError> {
        if let Some(oldest) = due.oldest.filter(|oldest| now - *oldest > LONG_DUE) {
            return Ok(Check::new("wake_ups", "overdue", Level::Warning).with("count", due.count).with("since", text(oldest)));
        }
        let stale = self.store.count_stale(self.in_use().revision).await?;
        Ok(match stale {
            0 => Check::new("wake_ups", "good", Level::Good),
            stale => Check::new("wake_ups", "stale", Level::Warning).with("count", stale),
        })
    }

    async fn check_set_aside(&self, set_aside: Waiting) -> Result<Check, StoreError> {
        if set_aside.count == 0 {
            return Ok(Check::new("set_aside", "good", Level::Good));
        }
        let rows = self.store.quarantined(NAMED).await?;
        let which = rows.into_iter().map(|row| (row.item, row.reason)).collect();
        Ok(Check { which, ..Check::new("set_aside", "some", Level::Warning).with("count", set_aside.count) })
    }

    /// Whether each calendar reaches as far as what is due under it.
    async fn check_calendars(&self, now: Instant) -> Result<Vec<Check>, StoreError> {
        let mut checks = Vec::new();
        for (name, rules) in &self.rules().workflows {
            let calendar = &rules.setting.workflow.calendar;
            let known_until = rules.setting.calendar.known_until();
            let (beyond, farthest) = self.due_beyond(name, known_until).await?;
            let today = now.with_timezone(&rules.setting.workflow.timezone).date_naive();
            let check = match farthest {
                Some(farthest) => Check::new("calendar", "beyond", Level::Warning).with("count", beyond).with("farthest", farthest),
                None if known_until - today < BEFORE_NEW_YEAR => Check::new("calendar", "ends", Level::Warning),
                None => Check::new("calendar", "good", Level::Good),
            };
            checks.push(check.with("workflow", &rules.setting.workflow.title).with("calendar", calendar).with("until", known_until));
        }
        Ok(checks)
    }

    /// How many due dates of open items lie after a day, and the last of them.
    async fn due_beyond(&self, workflow: &str, day: Date) -> Result<(u64, Option<Date>), StoreError> {
        let (mut count, mut farthest) = (0, None);
        let mut filter = Filter { workflow: Some(workflow.to_string()), open_only: true, ..Filter::default() };
        loop {
            let rows = self.store.list(&filter, PAGE).await?;
            let Some(last) = rows.last() else { return Ok((count, farthest)) };
            filter.after.clone_from(&last.id);
            let dues = rows.iter().filter_map(|row| row.dues.as_object()).flat_map(|dues| dues.values());
            for due in dues.filter_map(|due| due.as_str()?.parse::<Date>().ok()).filter(|due| *due > day) {
                count += 1;
                farthest = farthest.max(Some(due));
            }
        }
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
