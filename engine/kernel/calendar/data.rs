//! What a calendar file says, as plain data, with everything that can be wrong about it. The file itself is read by `read::calendar`.

use super::rank::is_weekend;
use crate::kernel::time::Date;
use chrono::Datelike;
use std::collections::{BTreeMap, BTreeSet};

/// A calendar as its file says it (`rules/calendars/*.yaml`), years ascending without a gap.
#[derive(Clone, Debug, Default)]
pub struct CalendarData {
    pub region: String,
    pub years: BTreeMap<i32, Year>,
    /// Statutory days off with a fixed date, (month, day, name): what a year without a notice is derived from, beside weekends.
    pub fixed_holidays: Vec<(u32, u32, String)>,
}

#[derive(Clone, Debug, Default)]
pub struct Year {
    pub official: bool,
    /// The notice: its title, number, date and address.
    pub source: Option<String>,
    /// First day, last day, name.
    pub holidays: Vec<(Date, Date, String)>,
    pub makeup_workdays: Vec<Date>,
}

/// What makes a calendar unfit for use (E524).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CalendarMistake {
    /// No year is official, so every date would be provisional.
    NoOfficialYear,
    /// The year is missing, although a later one is there; or it is not official, although a later one is.
    Gap(i32),
    /// The last day comes before the first.
    Backwards { year: i32, first: Date, last: Date },
    /// The day belongs under another year. (A notice may reach a month into its neighbours.)
    OtherYear { year: i32, day: Date },
    /// Named twice: under two holidays, or as a holiday and a make-up day.
    Twice(Date),
    /// A make-up working day that is no Saturday or Sunday.
    MakeupOnWeekday(Date),
    /// A fixed holiday on a day that no year has.
    NoSuchDay { month: u32, day: u32 },
}

impl CalendarData {
    /// Years that are missing, or not official, before the last official one.
    pub fn gaps(&self) -> Vec<i32> {
        let (Some(first), Some(last)) = (self.years.keys().next(), self.last_official_year()) else { return Vec::new() };
        // A slip such as 20204 leaves thousands of years out; a hundred of them make the point.
        (*first..last).filter(|year| !self.years.get(year).is_some_and(|entry| entry.official)).take(100).collect()
    }

    pub fn last_official_year(&self) -> Option<i32> {
        self.years.iter().rev().find(|(_, entry)| entry.official).map(|(year, _)| *year)
    }

    pub fn first_official_year(&self) -> Option<i32> {
        self.years.iter().find(|(_, entry)| entry.official).map(|(year, _)| *year)
    }

    /// Everything that is wrong, in the order of the years.
    pub fn mistakes(&self) -> Vec<CalendarMistake> {
        let mut found = Vec::new();
        if self.last_official_year().is_none() {
            found.push(CalendarMistake::NoOfficialYear);
        }
        found.extend(self.gaps().into_iter().map(CalendarMistake::Gap));
        let mut named = BTreeSet::new();
        for (year, entry) in &self.years {
            for (first, last, _) in &entry.holidays {
                if last < first {
                    found.push(CalendarMistake::Backwards { year: *year, first: *first, last: *last });
                } else if let Some(day) = [*first, *last].into_iter().find(|day| !belongs(*year, *day)) {
                    found.push(CalendarMistake::OtherYear { year: *year, day });
                } else {
                    let days = first.iter_days().take_while(|day| day <= last);
                    found.extend(days.filter(|day| !named.insert(*day)).map(CalendarMistake::Twice));
                }
            }
            for day in &entry.makeup_workdays {
                if !belongs(*year, *day) {
                    found.push(CalendarMistake::OtherYear { year: *year, day: *day });
                } else if !is_weekend(*day) {
                    found.push(CalendarMistake::MakeupOnWeekday(*day));
                } else if !named.insert(*day) {
                    found.push(CalendarMistake::Twice(*day));
                }
            }
        }
        let impossible = self.fixed_holidays.iter().filter(|(month, day, _)| Date::from_ymd_opt(2024, *month, *day).is_none());
        found.extend(impossible.map(|(month, day, _)| CalendarMistake::NoSuchDay { month: *month, day: *day }));
        found
    }
}

fn belongs(year: i32, day: Date) -> bool {
    day.year() == year || (day.year() + 1 == year && day.month() == 12) || (day.year() - 1 == year && day.month() == 1)
}
