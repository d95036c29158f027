//! A due date day by day: which days counted, which were passed over and why, and the calendar notice that says so.

use crate::kernel::calendar::question::Notice;
use crate::kernel::model::item::{Clock, DueStep};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Unit};
use chrono::Datelike;
use serde::Serialize;

/// The way from the anchor to the date.
#[derive(Clone, Debug, Serialize)]
pub struct Way {
    /// Every day of a length in working days; of other lengths those that were passed over at the end.
    pub days: Vec<Day>,
    /// What says which days are worked, a notice for each year that was looked at.
    pub notices: Vec<Notice>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: Date,
    /// It is this working day of the count.
    pub number: Option<u32>,
    pub what: What,
    /// The holiday's name.
    pub holiday: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    WorkingDay,
    /// A Saturday or Sunday that is worked.
    MakeUpDay,
    Weekend,
    Holiday,
    /// The clock stood.
    Paused,
}

/// Nothing while the clock has no date.
pub fn explain(rules: &Rules, clock: &Clock) -> Option<Way> {
    let calendar = &rules.setting.calendar;
    let due = clock.due.as_deref()?;
    let by_working_days =
        due.steps.iter().any(|step| matches!(step, DueStep::Length { length: Some(length), .. } if length.unit == Unit::WorkingDay));
    let rolled = due.steps.iter().find_map(|step| match step {
        DueStep::Rolled { from, .. } => Some(*from),
        _ => None,
    });
    let first = match (by_working_days, rolled) {
        (true, _) => clock.anchor.succ_opt()?,
        (false, Some(from)) => from.min(due.date),
        (false, None) => due.date,
    };
    let last = rolled.map_or(due.date, |from| from.max(due.date));
    let mut days = Vec::new();
    let mut count = 0;
    for day in first.iter_days().take_while(|day| *day <= last) {
        let paused = clock.pauses.iter().any(|pause| pause.from < day && pause.to.is_none_or(|to| day <= to));
        let holiday = calendar.holiday(day).map(str::to_string);
        let what = match () {
            () if holiday.is_some() => What::Holiday,
            () if !calendar.is_working_day(day) => What::Weekend,
            () if by_working_days && paused => What::Paused,
            () if calendar.is_makeup(day) => What::MakeUpDay,
            () => What::WorkingDay,
        };
        let counts = by_working_days && matches!(what, What::WorkingDay | What::MakeUpDay);
        count += u32::from(counts);
        days.push(Day { day, number: counts.then_some(count), what, holiday });
    }
    let notices = (first.year()..=last.year()).map(|year| Notice::of(calendar, year)).collect();
    Some(Way { days, notices })
}
