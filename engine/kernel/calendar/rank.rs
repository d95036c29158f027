//! Working days as numbers: how many were worked up to a day, and which day was the n-th. `Calendar` asks; the years' rules are applied
//! once, here, when a calendar is made.

use super::CalendarData;
use crate::kernel::time::Date;
use chrono::{Datelike, Days, Weekday};
use std::collections::BTreeMap;

/// The first and the last year in which days are counted. Days outside are taken for the nearest day inside.
const YEARS: std::ops::RangeInclusive<i32> = 1..=9999;

/// A day, brought into the years that the calendar counts.
pub fn clamp(day: Date) -> Date {
    day.clamp(first_day(), last_day())
}

pub fn first_day() -> Date {
    Date::from_ymd_opt(*YEARS.start(), 1, 1).expect("1 January exists in every year that chrono counts")
}

pub fn last_day() -> Date {
    Date::from_ymd_opt(*YEARS.end(), 12, 31).expect("31 December exists in every year that chrono counts")
}

/// Answers both questions in a few steps, however far the days lie apart: years with a notice have a table of their own, all others
/// share fourteen (seven first weekdays, leap or not).
#[derive(Clone, Debug)]
pub struct Ranks {
    /// Working days before each year, and after the last one.
    before: Vec<u32>,
    listed: BTreeMap<i32, YearTable>,
    derived: Vec<YearTable>,
}

#[derive(Clone, Debug)]
struct YearTable {
    /// Working days up to and including each day of the year.
    up_to: Vec<u16>,
    /// The day of the year (from 0) of each working day.
    worked: Vec<u16>,
}

impl YearTable {
    fn new(worked: &[bool]) -> YearTable {
        let mut table = YearTable { up_to: Vec::with_capacity(worked.len()), worked: Vec::with_capacity(worked.len()) };
        for (day, worked) in worked.iter().enumerate() {
            if *worked {
                table.worked.push(day as u16);
            }
            table.up_to.push(table.worked.len() as u16);
        }
        table
    }
}

impl Ranks {
    pub fn new(data: &CalendarData) -> Ranks {
        let derived: Vec<_> = (0..14).map(|kind| YearTable::new(&derived_year(kind % 7, kind >= 7, data))).collect();
        let listed: BTreeMap<_, _> = listed_years(data).into_iter().map(|(year, worked)| (year, YearTable::new(&worked))).collect();
        let mut ranks = Ranks { before: Vec::with_capacity(10_001), listed, derived };
        let mut count = 0;
        ranks.before.push(0);
        for year in YEARS {
            count += ranks.year(year).worked.len() as u32;
            ranks.before.push(count);
        }
        ranks
    }

    pub fn is_worked(&self, day: Date) -> bool {
        let day = clamp(day);
        let table = self.year(day.year());
        let at = day.ordinal0() as usize;
        table.up_to[at] > at.checked_sub(1).map_or(0, |before| table.up_to[before])
    }

    /// How many days were worked up to and including this one.
    pub fn up_to(&self, day: Date) -> i64 {
        let day = clamp(day);
        let before = self.before[(day.year() - YEARS.start()) as usize];
        i64::from(before) + i64::from(self.year(day.year()).up_to[day.ordinal0() as usize])
    }

    /// The n-th day worked, counted from 1; the first or the last day of all when there are fewer.
    pub fn nth(&self, n: i64) -> Date {
        let Some(before_it) = u32::try_from(n - 1).ok() else { return first_day() };
        let years_begun = self.before.partition_point(|before| *before <= before_it);
        let year = YEARS.start() + years_begun as i32 - 1;
        if year > *YEARS.end() {
            return last_day();
        }
        let in_year = (before_it - self.before[years_begun - 1]) as usize;
        let day = self.year(year).worked[in_year];
        Date::from_yo_opt(year, u32::from(day) + 1).unwrap_or(last_day())
    }

    fn year(&self, year: i32) -> &YearTable {
        self.listed.get(&year).unwrap_or_else(|| {
            let first = Date::from_ymd_opt(year, 1, 1).unwrap_or(first_day());
            let leap = first.leap_year();
            &self.derived[first.weekday().num_days_from_monday() as usize + if leap { 7 } else { 0 }]
        })
    }
}

/// Which days are worked in a year without a notice: weekends and the holidays with a fixed date are off.
fn derived_year(first_weekday: usize, leap: bool, data: &CalendarData) -> Vec<bool> {
    let days = if leap { 366 } else { 365 };
    let mut worked: Vec<bool> = (0..days).map(|day| (first_weekday + day) % 7 < 5).collect();
    let any_year = if leap { 2024 } else { 2023 };
    for day in data.fixed_holidays.iter().filter_map(|(month, day, _)| Date::from_ymd_opt(any_year, *month, *day)) {
        worked[day.ordinal0() as usize] = false;
    }
    worked
}

/// Which days are worked in every year that has an entry, or that an entry of a neighbouring year reaches into
/// (a working Sunday in December is announced with the New Year that follows).
fn listed_years(data: &CalendarData) -> BTreeMap<i32, Vec<bool>> {
    let mut years = BTreeMap::new();
    for (year, entry) in data.years.iter().filter(|(year, _)| YEARS.contains(year)) {
        year_of(&mut years, *year, data);
        for (first, last, _) in &entry.holidays {
            for day in days_near(*year, *first, *last) {
                year_of(&mut years, day.year(), data)[day.ordinal0() as usize] = false;
            }
        }
    }
    for (year, entry) in data.years.iter().filter(|(year, _)| YEARS.contains(year)) {
        for day in entry.makeup_workdays.iter().flat_map(|day| days_near(*year, *day, *day)) {
            year_of(&mut years, day.year(), data)[day.ordinal0() as usize] = true;
        }
    }
    years
}

fn year_of<'a>(years: &'a mut BTreeMap<i32, Vec<bool>>, year: i32, data: &CalendarData) -> &'a mut Vec<bool> {
    years.entry(year).or_insert_with(|| {
        let first = Date::from_ymd_opt(year, 1, 1).unwrap_or(first_day());
        let first_weekday = first.weekday().num_days_from_monday() as usize;
        if data.years.contains_key(&year) {
            let days = if first.leap_year() { 366 } else { 365 };
            (0..days).map(|day| (first_weekday + day) % 7 < 5).collect()
        } else {
            derived_year(first_weekday, first.leap_year(), data)
        }
    })
}

/// The days of a range that lie in the year before its entry, in the entry's own year, or in the one after: a slip of the pen that
/// names another century costs nothing.
fn days_near(year: i32, first: Date, last: Date) -> impl Iterator<Item = Date> {
    let from = Date::from_ymd_opt(year - 1, 1, 1).unwrap_or(first_day()).max(first).max(first_day());
    let to = Date::from_ymd_opt(year + 1, 12, 31).unwrap_or(last_day()).min(last).min(last_day());
    from.iter_days().take_while(move |day| *day <= to)
}

/// Saturday or Sunday.
pub fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Sat | Weekday::Sun)
}

/// The day some days later (or earlier), clamped.
pub fn shifted(day: Date, days: i64) -> Date {
    let day = clamp(day);
    let distance = Days::new(days.unsigned_abs());
    let moved = if days < 0 { day.checked_sub_days(distance) } else { day.checked_add_days(distance) };
    clamp(moved.unwrap_or(if days < 0 { first_day() } else { last_day() }))
}
