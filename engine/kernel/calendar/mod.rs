//! Working days: what is one, how lengths are added and subtracted, and which dates are provisional.
//!
//! Every function answers for every day: days before the year 1 and after 9999 are taken for the first and the last of them.

pub mod cron;
mod data;
pub mod question;
mod rank;
pub mod window;

pub use data::{CalendarData, CalendarMistake, Year};

use crate::kernel::model::definition::{DayOff, MonthOverflow};
use crate::kernel::model::item::DueStep;
use crate::kernel::time::{Date, Length, Unit};
use chrono::{Datelike, Months, Weekday};
use rank::{Ranks, clamp, first_day, is_weekend, last_day, shifted};

/// A calendar ready for arithmetic.
#[derive(Clone, Debug)]
pub struct Calendar {
    data: CalendarData,
    ranks: Ranks,
}

/// Which way time is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Later,
    Earlier,
}

impl Calendar {
    pub fn new(data: CalendarData) -> Calendar {
        let ranks = Ranks::new(&data);
        Calendar { data, ranks }
    }

    pub fn data(&self) -> &CalendarData {
        &self.data
    }

    /// The last day of the last official year; later dates are provisional. The first day of all when no year is official.
    pub fn known_until(&self) -> Date {
        let last = self.data.last_official_year();
        last.and_then(|year| Date::from_ymd_opt(year, 12, 31)).map_or(first_day(), clamp)
    }

    /// The day lies in a year whose notice is not published or not entered: after [`Calendar::known_until`], or before the first year.
    pub fn is_provisional(&self, day: Date) -> bool {
        let first = self.data.first_official_year();
        first.is_none_or(|first| day.year() < first) || day > self.known_until()
    }

    /// The year lies before the first official one: it is over, nobody announces it any more, and a date in it cannot be told.
    pub fn lacks(&self, year: i32) -> bool {
        self.data.first_official_year().is_some_and(|first| year < first)
    }

    pub fn is_working_day(&self, day: Date) -> bool {
        self.ranks.is_worked(day)
    }

    /// The holiday's name on a day off that has one.
    pub fn holiday(&self, day: Date) -> Option<&str> {
        if self.is_working_day(day) {
            return None;
        }
        let year = day.year();
        // A notice may reach into the year before and after its own.
        let entries = (year.saturating_sub(1)..=year.saturating_add(1)).filter_map(|year| self.data.years.get(&year));
        let announced =
            entries.flat_map(|entry| &entry.holidays).find(|(first, last, _)| (*first..=*last).contains(&day)).map(|(_, _, name)| name);
        let derived = || {
            let unlisted = !self.data.years.contains_key(&year);
            let mut fixed = self.data.fixed_holidays.iter().filter(move |_| unlisted);
            fixed.find(|(month, of_month, _)| (*month, *of_month) == (day.month(), day.day())).map(|(_, _, name)| name)
        };
        announced.or_else(derived).map(String::as_str)
    }

    /// A Saturday or Sunday that is worked.
    pub fn is_makeup(&self, day: Date) -> bool {
        is_weekend(clamp(day)) && self.is_working_day(day)
    }

    /// The day, moved off a day off.
    pub fn roll(&self, day: Date, how: DayOff) -> Date {
        let day = clamp(day);
        if self.is_working_day(day) {
            return day;
        }
        match how {
            DayOff::Keep => day,
            DayOff::NextWorkingDay => self.ranks.nth(self.ranks.up_to(day) + 1),
            DayOff::PreviousWorkingDay => self.ranks.nth(self.ranks.up_to(day)),
        }
    }

    /// [`Calendar::roll`] with its reason: moved off which day off, or kept on a day that only looks like one.
    /// `because` is the holiday's name, or the weekday in English.
    pub fn roll_with_steps(&self, day: Date, how: DayOff, steps: &mut Vec<DueStep>) -> Date {
        let day = clamp(day);
        let rolled = self.roll(day, how);
        if rolled != day {
            let weekend = if day.weekday() == Weekday::Sat { "saturday" } else { "sunday" };
            let because = self.holiday(day).unwrap_or(weekend).to_string();
            steps.push(DueStep::Rolled { from: day, because, gives: rolled });
        } else if self.is_makeup(day) && how != DayOff::Keep {
            steps.push(DueStep::MakeUpDay { gives: day });
        }
        rolled
    }

    /// Counts from the day after `from`; the result of working days is always a working day. Months and years keep the day of the
    /// month, by `overflow` where it does not exist. No roll.
    pub fn add(&self, from: Date, length: Length, overflow: MonthOverflow) -> Date {
        self.moved(from, length, overflow, Way::Later)
    }

    /// The inverse of [`Calendar::add`] for working days from working days.
    pub fn subtract(&self, from: Date, length: Length, overflow: MonthOverflow) -> Date {
        self.moved(from, length, overflow, Way::Earlier)
    }

    /// The month that a length of months or years ends in lacks the day of the month of `from`, so that `overflow` decides.
    pub fn lacks_the_day(&self, from: Date, length: Length) -> bool {
        let moved = self.add(from, length, MonthOverflow::LastDay);
        matches!(length.unit, Unit::Month | Unit::Year) && moved.day() != clamp(from).day() && moved != last_day()
    }

    /// Working days after `from` up to and including `to`; negative when `to` is earlier.
    pub fn working_days_between(&self, from: Date, to: Date) -> i64 {
        self.ranks.up_to(to) - self.ranks.up_to(from)
    }

    fn moved(&self, from: Date, length: Length, overflow: MonthOverflow, way: Way) -> Date {
        let from = clamp(from);
        let count = i64::from(length.count);
        match (length.unit, way) {
            (Unit::Day, Way::Later) => shifted(from, count),
            (Unit::Day, Way::Earlier) => shifted(from, -count),
            (Unit::WorkingDay, Way::Later) if count == 0 => self.roll(from, DayOff::NextWorkingDay),
            (Unit::WorkingDay, Way::Earlier) if count == 0 => self.roll(from, DayOff::PreviousWorkingDay),
            (Unit::WorkingDay, Way::Later) => self.ranks.nth(self.ranks.up_to(from) + count),
            (Unit::WorkingDay, Way::Earlier) => {
                let before = self.ranks.up_to(from) - i64::from(self.is_working_day(from));
                self.ranks.nth(before - count + 1)
            }
            (Unit::Month, way) => months_away(from, length.count, overflow, way),
            (Unit::Year, way) => months_away(from, length.count.saturating_mul(12), overflow, way),
        }
    }
}

fn months_away(from: Date, count: u32, overflow: MonthOverflow, way: Way) -> Date {
    let months = Months::new(count);
    let (moved, end) = match way {
        Way::Later => (from.checked_add_months(months), last_day()),
        Way::Earlier => (from.checked_sub_months(months), first_day()),
    };
    match moved {
        None => end,
        Some(moved) if moved.day() != from.day() && overflow == MonthOverflow::FirstOfNext => shifted(moved, 1),
        Some(moved) => clamp(moved),
    }
}
