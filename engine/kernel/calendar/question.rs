//! The answer to "this many days or months after that day, when is it?", with each step of why as data. No item, no facts: only the
//! calendar speaks. Sentences for it are made by `words::due`.

use super::Calendar;
use super::rank::{clamp, shifted};
use crate::kernel::model::definition::{DayOff, MonthOverflow};
use crate::kernel::model::item::{Due, DueStep};
use crate::kernel::time::{Date, Length, Unit};
use chrono::Datelike;
use serde::Serialize;

#[derive(Clone, Copy, Debug)]
pub struct Question {
    /// The day itself is not counted.
    pub from: Date,
    pub length: Length,
    pub overflow: MonthOverflow,
    pub day_off: DayOff,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    #[serde(flatten)]
    pub due: Due,
    pub from: Date,
    /// The English phrase.
    pub length: String,
    /// What working days were counted past: holidays (weekends have no line of their own). Empty for other lengths.
    pub skipped: Vec<Skipped>,
    /// Saturdays and Sundays that were counted as working days. Empty for other lengths.
    pub makeup_days: Vec<Date>,
    /// The notices behind it, one for each year that was looked at.
    pub notices: Vec<Notice>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Skipped {
    pub first: Date,
    pub last: Date,
    pub holiday: String,
}

/// What says which days of a year are worked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Notice {
    pub year: i32,
    /// Otherwise the year is derived from weekends and fixed holidays.
    pub official: bool,
    pub source: Option<String>,
}

impl Question {
    pub fn answer(&self, calendar: &Calendar) -> Answer {
        let from = clamp(self.from);
        let mut steps = Vec::new();
        let raw = calendar.add(from, self.length, self.overflow);
        let rule = self.length.to_string();
        steps.push(DueStep::Length { rule: rule.clone(), length: Some(self.length), source: None, since: None, gives: raw });
        if calendar.lacks_the_day(from, self.length) {
            steps.push(DueStep::Clamped { gives: raw });
        }
        let date = calendar.roll_with_steps(raw, self.day_off, &mut steps);

        // Working days depend on every day on the way, other lengths only on where they end.
        let counts_working_days = self.length.unit == Unit::WorkingDay;
        let looked_at = if counts_working_days { (shifted(from, 1).min(date), date) } else { (raw.min(date), raw.max(date)) };
        let years = looked_at.0.year()..=looked_at.1.year();
        let notices: Vec<_> = years.map(|year| Notice::of(calendar, year)).collect();
        let provisional = notices.iter().any(|notice| !notice.official);
        if provisional {
            steps.push(DueStep::Provisional { known_until: calendar.known_until() });
        }
        let (skipped, makeup_days) = if counts_working_days { on_the_way(calendar, from, date) } else { Default::default() };
        Answer { due: Due { date, provisional, steps }, from, length: rule, skipped, makeup_days, notices }
    }
}

impl Notice {
    pub fn of(calendar: &Calendar, year: i32) -> Notice {
        let entry = calendar.data().years.get(&year);
        Notice { year, official: entry.is_some_and(|entry| entry.official), source: entry.and_then(|entry| entry.source.clone()) }
    }
}

/// Holidays (each in one piece) and make-up days after `from` up to `to`.
fn on_the_way(calendar: &Calendar, from: Date, to: Date) -> (Vec<Skipped>, Vec<Date>) {
    let mut skipped: Vec<Skipped> = Vec::new();
    let mut makeup_days = Vec::new();
    for day in from.iter_days().skip(1).take_while(|day| *day <= to) {
        if calendar.is_makeup(day) {
            makeup_days.push(day);
        }
        let Some(holiday) = calendar.holiday(day) else { continue };
        match skipped.last_mut() {
            Some(last) if last.holiday == holiday && last.last.succ_opt() == Some(day) => last.last = day,
            _ => skipped.push(Skipped { first: day, last: day, holiday: holiday.to_string() }),
        }
    }
    (skipped, makeup_days)
}
