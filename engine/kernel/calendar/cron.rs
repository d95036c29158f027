//! Cron with classic five-field semantics, over the `cron` crate: the crate finds the moments, this file says what the five fields mean.

use super::window::{instant_of, local_time};
use crate::kernel::time::Instant;
use ::cron::Schedule;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use std::str::FromStr;

/// A schedule that is known to fire.
#[derive(Clone, Debug)]
pub struct Cron {
    /// One, or two when day of month and day of week are both restricted: then either is enough.
    /// They run on civil time written as if it were UTC, so that no clock change reaches the crate.
    schedules: Vec<Schedule>,
}

/// Why a schedule cannot be read (E513).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CronError {
    /// 1-based column in the text, in characters.
    pub column: u32,
    pub what: CronMistake,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CronMistake {
    NotFiveFields(usize),
    BadField(String),
    NeverFires,
}

/// One firing: the local civil minute names it (so that a doubled hour claims one slot), the instant orders it.
/// What falls into a skipped hour fires at the first minute after it, once, under that minute's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// `2026-12-31T06:00`
    pub name: String,
    pub at: Instant,
}

impl Cron {
    pub fn parse(text: &str) -> Result<Cron, CronError> {
        let written = fields_of(text);
        let [minute, hour, day, month, weekday] = written.as_slice() else {
            let column = written.get(5).map_or(1, |sixth| sixth.column);
            return Err(CronError { column, what: CronMistake::NotFiveFields(written.len()) });
        };
        let minutes = list(&minute.read(&MINUTE)?);
        let hours = list(&hour.read(&HOUR)?);
        let days = list(&day.read(&DAY)?);
        let months = list(&month.read(&MONTH)?);
        let weekdays = weekday_names(&weekday.read(&WEEKDAY)?);
        let either = !day.text.starts_with('*') && !weekday.text.starts_with('*');
        let lines = match either {
            true => vec![format!("0 {minutes} {hours} {days} {months} *"), format!("0 {minutes} {hours} * {months} {weekdays}")],
            false => vec![format!("0 {minutes} {hours} {days} {months} {weekdays}")],
        };
        let mut schedules = Vec::with_capacity(lines.len());
        for line in lines {
            // The line holds nothing but checked numbers and names, so a schedule that the crate cannot read is one that cannot fire.
            let schedule = Schedule::from_str(&line).ok().filter(fires);
            schedules.push(schedule.ok_or(CronError { column: day.column, what: CronMistake::NeverFires })?);
        }
        Ok(Cron { schedules })
    }

    /// Slots strictly after `after` up to and including `until`, at most `limit` of them, oldest first.
    pub fn slots(&self, zone: Tz, after: Instant, until: Instant, limit: usize) -> Vec<Slot> {
        let mut slots: Vec<Slot> = Vec::new();
        for civil in self.civil_times(local_time(after, zone)) {
            let at = instant_of(civil, zone);
            if slots.len() >= limit || at > until {
                break;
            }
            let name = local_time(at, zone).format("%Y-%m-%dT%H:%M").to_string();
            if at > after && slots.last().is_none_or(|last| last.at < at) {
                slots.push(Slot { name, at });
            }
        }
        slots
    }

    /// The first slot strictly after an instant.
    pub fn next(&self, zone: Tz, after: Instant) -> Option<Slot> {
        self.slots(zone, after, Instant::MAX_UTC, 1).pop()
    }

    /// The last slot strictly after `after` up to and including `until`. It looks back from the end, so that years of them cost little.
    pub fn last(&self, zone: Tz, after: Instant, until: Instant) -> Option<Slot> {
        let mut span = TimeDelta::hours(1);
        loop {
            let from = until.checked_sub_signed(span).map_or(after, |from| from.max(after));
            let found = self.slots(zone, from, until, usize::MAX).pop();
            if found.is_some() || from <= after {
                return found;
            }
            span = span * 16;
        }
    }

    /// The first of the next `most` firings at a civil time that the zone's clock skips or has twice.
    pub fn first_at_a_clock_change(&self, zone: Tz, after: Instant, most: usize) -> Option<NaiveDateTime> {
        let once = |civil: &NaiveDateTime| matches!(zone.from_local_datetime(civil), chrono::LocalResult::Single(_));
        self.civil_times(local_time(after, zone)).take(most).find(|civil| !once(civil))
    }

    /// The civil times of all schedules after one, in order, each once.
    fn civil_times(&self, after: NaiveDateTime) -> impl Iterator<Item = NaiveDateTime> + '_ {
        let mut times: Vec<_> = self.schedules.iter().map(|schedule| schedule.after(&after.and_utc()).peekable()).collect();
        std::iter::from_fn(move || {
            let next = times.iter_mut().filter_map(|times| times.peek().copied()).min()?;
            for times in &mut times {
                times.next_if_eq(&next);
            }
            Some(next.naive_utc())
        })
    }
}

/// Whether it fires at all. In 28 years every date falls on every weekday, so no longer look is needed, and no clock.
fn fires(schedule: &Schedule) -> bool {
    let from: DateTime<Utc> = Utc.with_ymd_and_hms(2024, 1, 1, 0, 0, 0).single().unwrap_or_default();
    let until = Utc.with_ymd_and_hms(2052, 1, 1, 0, 0, 0).single().unwrap_or_default();
    schedule.after(&from).next().is_some_and(|first| first < until)
}

/// One of the five kinds of fields: its bounds and the names that may stand for numbers.
struct Kind {
    first: u32,
    last: u32,
    names: &'static [&'static str],
}

const MINUTE: Kind = Kind { first: 0, last: 59, names: &[] };
const HOUR: Kind = Kind { first: 0, last: 23, names: &[] };
const DAY: Kind = Kind { first: 1, last: 31, names: &[] };
const MONTH: Kind =
    Kind { first: 1, last: 12, names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] };
/// 0 and 7 are both Sunday.
const WEEKDAY: Kind = Kind { first: 0, last: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

struct Field<'a> {
    text: &'a str,
    column: u32,
}

fn fields_of(text: &str) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut at = 0;
    while let Some(start) = text[at..].find(|c: char| !c.is_whitespace()).map(|skipped| at + skipped) {
        let end = text[start..].find(char::is_whitespace).map_or(text.len(), |length| start + length);
        fields.push(Field { text: &text[start..end], column: text[..start].chars().count() as u32 + 1 });
        at = end;
    }
    fields
}

impl Field<'_> {
    /// Every value the field stands for, ascending, each once.
    fn read(&self, kind: &Kind) -> Result<Vec<u32>, CronError> {
        let mut values = Vec::new();
        let mut column = self.column;
        for part in self.text.split(',') {
            let what = || CronMistake::BadField(part.to_string());
            values.extend(part_values(part, kind).ok_or_else(|| CronError { column, what: what() })?);
            column += part.chars().count() as u32 + 1;
        }
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

/// `*`, `5`, `mon`, `1-5`, and with a step `*/15`, `8-18/2`. A range of weekdays may wrap round the end of the week.
fn part_values(part: &str, kind: &Kind) -> Option<Vec<u32>> {
    let (range, step) = match part.split_once('/') {
        Some((range, step)) => (range, number(step).filter(|step| (1..=kind.last).contains(step))?),
        None => (part, 1),
    };
    let is_weekday = kind.last == WEEKDAY.last;
    let (first, last) = match range.split_once('-') {
        _ if range == "*" => (kind.first, if is_weekday { 6 } else { kind.last }),
        Some((first, last)) => (value(first, kind)?, value(last, kind)?),
        None if part.contains('/') => return None,
        None => (value(range, kind)?, value(range, kind)?),
    };
    let last = match last < first {
        true if is_weekday => last + 7,
        true => return None,
        false => last,
    };
    let values = (first..=last).step_by(step as usize);
    Some(values.map(|value| if is_weekday { value % 7 } else { value }).collect())
}

fn value(text: &str, kind: &Kind) -> Option<u32> {
    let named =
        kind.names.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u32 + if kind.first == 1 { 1 } else { 0 });
    named.or_else(|| number(text)).filter(|value| (kind.first..=kind.last).contains(value))
}

/// Only ASCII digits: `u32::from_str` alone would take `+5`.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn list(values: &[u32]) -> String {
    values.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// The crate counts weekdays from Sunday as 1, so it gets names.
fn weekday_names(values: &[u32]) -> String {
    values.iter().map(|value| WEEKDAY.names[*value as usize % 7]).collect::<Vec<_>>().join(",")
}
