//! What only shows on a day: the calendar ends before the dates that would be set today (W510), or next year's should be there by now (W525).

use super::at::{Checked, list};
use crate::kernel::calendar::Calendar;
use crate::kernel::model::Name;
use crate::kernel::model::definition::LengthRule;
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::model::value::Value;
use crate::kernel::time::{Date, Length};
use chrono::Datelike;

/// The month in which the notice for the next year has been published in every year so far.
const PUBLISHED_BY: u32 = 12;

/// `ends` is where the calendar's last official year stands.
pub fn check(at: &Checked, today: Date, ends: &Place) -> Vec<Problem> {
    let Some(calendar) = at.calendar else { return Vec::new() };
    let next = calendar.known_until().year() + 1;
    if today.year() + 1 >= next && (today.year() >= next || today.month() >= PUBLISHED_BY) {
        return vec![Problem::new("W525", ends.clone()).with("calendar", &at.workflow.calendar).with("year", next)];
    }
    let beyond = beyond(at, calendar, today);
    if beyond.is_empty() {
        return Vec::new();
    }
    vec![Problem::new("W510", ends.clone()).with("year", next).with("deadlines", list(&beyond)).with("count", beyond.len())]
}

/// The deadlines that may end after the last known day when they begin today.
fn beyond<'a>(at: &Checked<'a>, calendar: &Calendar, today: Date) -> Vec<&'a Name> {
    let late = |length: &Length| calendar.add(today, *length, at.workflow.month_overflow) > calendar.known_until();
    let deadlines = at.workflow.deadlines.iter();
    deadlines.filter(|(_, deadline)| lengths(at, &deadline.length, today).iter().any(late)).map(|(name, _)| name).collect()
}

/// What a rule may give as a length, valued today; nothing for dates that are recorded.
fn lengths(at: &Checked, rule: &LengthRule, today: Date) -> Vec<Length> {
    match rule {
        LengthRule::Fixed(length) => vec![*length],
        LengthRule::Param(name) => match at.workflow.params.get(name).and_then(|param| param.on(today)).map(|row| &row.value) {
            Some(Value::Length(length)) => vec![*length],
            _ => Vec::new(),
        },
        LengthRule::Table(name) => {
            let rows = at.workflow.tables.get(name).into_iter().flat_map(|table| &table.rows);
            // a row that gives a table is a mistake of its own, and might be a circle
            rows.filter(|row| !matches!(row.gives, LengthRule::Table(_))).flat_map(|row| lengths(at, &row.gives, today)).collect()
        }
        _ => Vec::new(),
    }
}
