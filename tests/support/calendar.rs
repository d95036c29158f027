//! The shipped calendar and short ways to write dates.

use duban::kernel::calendar::{Calendar, CalendarData, Year};
use duban::kernel::time::Date;
use std::collections::BTreeMap;

/// `rules/calendars/cn.yaml`.
pub fn cn() -> Calendar {
    Calendar::new(cn_data())
}

pub fn cn_data() -> CalendarData {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/rules/calendars/cn.yaml")).unwrap();
    let file: File = serde_yaml::from_str(&text).unwrap();
    let years = file.years.into_iter().map(|(year, entry)| {
        let ranges = entry.holidays.iter().flat_map(|(name, ranges)| ranges.iter().map(move |range| (name, range)));
        let holidays = ranges.map(|(name, range)| {
            let (first, last) = range.split_once("..").unwrap_or((range, range));
            (day(first), day(last), name.clone())
        });
        let makeup_workdays = entry.makeup_workdays.iter().map(|text| day(text)).collect();
        (year, Year { official: entry.status == "official", source: entry.source, holidays: holidays.collect(), makeup_workdays })
    });
    let fixed = file.fixed_holidays.iter().flat_map(|(name, days)| days.iter().map(move |day| (name, day)));
    let fixed_holidays = fixed.map(|(name, day)| {
        let (month, day) = day.split_once('-').unwrap();
        (month.parse().unwrap(), day.parse().unwrap(), name.clone())
    });
    CalendarData { region: file.region, fixed_holidays: fixed_holidays.collect(), years: years.collect() }
}

/// `2026-02-28`
pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[derive(serde::Deserialize)]
struct File {
    region: String,
    fixed_holidays: BTreeMap<String, Vec<String>>,
    years: BTreeMap<i32, Entry>,
}

#[derive(serde::Deserialize)]
struct Entry {
    status: String,
    source: Option<String>,
    holidays: BTreeMap<String, Vec<String>>,
    makeup_workdays: Vec<String>,
}
