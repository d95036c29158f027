//! Working days: what is one, how lengths are added and subtracted, and which dates are provisional.

pub mod cron;
pub mod window;

use crate::kernel::model::definition::{DayOff, MonthOverflow};
use crate::kernel::time::{Date, Length};
use std::collections::BTreeMap;

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
    pub source: Option<String>,
    /// First day, last day, name.
    pub holidays: Vec<(Date, Date, String)>,
    pub makeup_workdays: Vec<Date>,
}

/// A calendar ready for arithmetic.
#[derive(Clone, Debug)]
pub struct Calendar {
    data: CalendarData,
}

impl Calendar {
    pub fn new(data: CalendarData) -> Calendar {
        Calendar { data }
    }

    pub fn data(&self) -> &CalendarData {
        &self.data
    }

    /// The last day of the last official year; later dates are provisional.
    pub fn known_until(&self) -> Date {
        todo!()
    }

    pub fn is_working_day(&self, _day: Date) -> bool {
        todo!()
    }

    /// The holiday's name on a day off that has one.
    pub fn holiday(&self, _day: Date) -> Option<&str> {
        todo!()
    }

    /// A Saturday or Sunday that is worked.
    pub fn is_makeup(&self, _day: Date) -> bool {
        todo!()
    }

    /// The day, moved off a day off.
    pub fn roll(&self, _day: Date, _how: DayOff) -> Date {
        todo!()
    }

    /// Counts from the day after `from`; the result of working days is always a working day. Months and years keep the day of the
    /// month, by `overflow` where it does not exist. No roll.
    pub fn add(&self, _from: Date, _length: Length, _overflow: MonthOverflow) -> Date {
        todo!()
    }

    /// The inverse of [`Calendar::add`] for working days from working days.
    pub fn subtract(&self, _from: Date, _length: Length, _overflow: MonthOverflow) -> Date {
        todo!()
    }

    /// Working days after `from` up to and including `to`; negative when `to` is earlier.
    pub fn working_days_between(&self, _from: Date, _to: Date) -> i64 {
        todo!()
    }
}
