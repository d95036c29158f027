//! The rungs of a running clock: when each occurrence stands, and which are owed at a moment.

use super::due::next_yearly;
use crate::kernel::calendar::window::{day_of, last_opening_before, next_opening, start_of_day};
use crate::kernel::model::definition::{Deadline, Rung, RungAt};
use crate::kernel::model::fact::RungKey;
use crate::kernel::model::item::{Clock, Due, Item};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant, Length};

/// More occurrences of one rung are never looked at in one go; the next goes on after those that fired.
const MOST_OCCURRENCES: u32 = 1_000;

/// One occurrence of a rung.
#[derive(Clone, Debug, PartialEq)]
pub struct Occurrence {
    pub key: RungKey,
    /// Index in the deadline's ladder.
    pub rung: usize,
    /// The day on which it stands.
    pub day: Date,
    /// From this moment it is owed: 00:00 of its day, or earlier when its mail has to leave before the due day.
    pub moment: Instant,
    pub phase: Phase,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Before,
    OnTheDay,
    After,
}

/// Everything owed by the item's clocks at a moment, in due order; rungs of one day in the order of their ladder.
pub fn owed(rules: &Rules, item: &Item, now: Instant) -> Vec<Occurrence> {
    let mut out = Vec::new();
    for clock in &item.clocks {
        if clock.next_at.is_none_or(|at| at > now) {
            continue;
        }
        let (Some(deadline), Some(due)) = (rules.setting.workflow.deadlines.get(&clock.deadline), clock.due.as_deref()) else { continue };
        for (index, rung) in deadline.ladder.iter().enumerate() {
            let first = fired(clock, rung).saturating_add(1);
            let mut number = first;
            while let Some(occurrence) = occurrence(rules, clock, due, rung, index, number) {
                if occurrence.moment > now || number - first >= MOST_OCCURRENCES {
                    break;
                }
                if !rules.carried.is_passed(clock, rung, occurrence.moment) {
                    out.push(occurrence);
                }
                number += 1;
            }
        }
    }
    out.sort_by_key(|owed| (owed.moment, owed.day, owed.rung));
    out
}

/// The first moment at which a rung of this clock may be owed.
pub fn next_moment(rules: &Rules, deadline: &Deadline, clock: &Clock, due: Option<&Due>) -> Option<Instant> {
    let due = due?;
    if !clock.is_running() || clock.paused || clock.quiet {
        return None;
    }
    let ladder = deadline.ladder.iter().enumerate();
    ladder.filter_map(|(index, rung)| next_occurrence(rules, clock, due, rung, index)).map(|occurrence| occurrence.moment).min()
}

/// The first occurrence of a rung that has not fired, and was not passed over.
pub fn next_occurrence(rules: &Rules, clock: &Clock, due: &Due, rung: &Rung, index: usize) -> Option<Occurrence> {
    let first = fired(clock, rung).saturating_add(1);
    let mut coming = (first..first.saturating_add(MOST_OCCURRENCES)).map_while(|number| occurrence(rules, clock, due, rung, index, number));
    coming.find(|occurrence| !rules.carried.is_passed(clock, rung, occurrence.moment))
}

/// The n-th occurrence of a rung, counted from 1; `None` when there is none (any more).
pub fn occurrence(rules: &Rules, clock: &Clock, due: &Due, rung: &Rung, index: usize, number: u32) -> Option<Occurrence> {
    if rung.at_most.is_some_and(|most| number > most) {
        return None;
    }
    let setting = &rules.setting;
    let workflow = &setting.workflow;
    let add = |from, length: Length| setting.calendar.add(from, length, workflow.month_overflow);
    let once = |day: Date| (number == 1).then_some(day);
    let (day, phase) = match rung.at {
        RungAt::Before(length) => {
            let day = once(setting.calendar.subtract(due.date, length, workflow.month_overflow))?;
            (Some(day).filter(|day| *day >= clock.started_on)?, Phase::Before)
        }
        RungAt::OnTheDay => (once(due.date)?, Phase::OnTheDay),
        RungAt::After(length) => (once(add(due.date, length))?, Phase::After),
        RungAt::EveryAfter(length) => (add(due.date, times(length, number)?), Phase::After),
        RungAt::YearlyUntilDue { month, day } => {
            let first = next_yearly(clock.started_on, month, day, |date| date > clock.started_on)?;
            let years = chrono::Months::new(12u32.checked_mul(number - 1)?);
            (first.checked_add_months(years).filter(|day| *day < due.date)?, Phase::Before)
        }
        RungAt::EveryUntilDue(length) => (Some(add(clock.anchor, times(length, number)?)).filter(|day| *day < due.date)?, Phase::Before),
    };
    let zone = workflow.timezone;
    let start = start_of_day(day, zone);
    let moment = match phase {
        Phase::Before if day_of(next_opening(workflow.send_window, &setting.calendar, zone, start), zone) >= due.date => {
            last_opening_before(workflow.send_window, &setting.calendar, zone, due.date).min(start)
        }
        _ => start,
    };
    let key =
        RungKey { deadline: clock.deadline.clone(), branch: clock.branch, cycle: clock.cycle, rung: rung.rung.clone(), occurrence: number };
    Some(Occurrence { key, rung: index, day, moment, phase })
}

fn fired(clock: &Clock, rung: &Rung) -> u32 {
    clock.fired.iter().filter(|fired| fired.rung == rung.rung).map(|fired| fired.occurrence).max().unwrap_or(0)
}

fn times(length: Length, number: u32) -> Option<Length> {
    length.count.checked_mul(number).map(|count| Length { count, ..length })
}
