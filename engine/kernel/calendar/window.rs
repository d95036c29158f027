//! The sending window: when a mail may leave. Beside it the two ways between civil time in a zone and instants, clock changes included.

use super::Calendar;
use super::rank::{clamp, first_day, shifted};
use crate::kernel::model::definition::{DayOff, MonthOverflow, SendWindow};
use crate::kernel::time::{Date, Instant, Length, Unit};
use chrono::{Duration, LocalResult, NaiveDateTime, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// 00:00 of a day in a zone, as an instant; where the clock skips midnight, the first moment of that day.
pub fn start_of_day(day: Date, zone: Tz) -> Instant {
    instant_of(clamp(day).and_time(NaiveTime::MIN), zone)
}

/// The civil date of an instant in a zone.
pub fn day_of(at: Instant, zone: Tz) -> Date {
    local_time(at, zone).date()
}

/// `from` itself inside the window, else the next opening.
pub fn next_opening(window: SendWindow, calendar: &Calendar, zone: Tz, from: Instant) -> Instant {
    let today = day_of(from, zone);
    if !window.working_days_only || calendar.is_working_day(today) {
        let opens = moment(today, window.opens, zone);
        if from < opens {
            return opens;
        }
        if from < moment(today, window.closes, zone) {
            return from;
        }
    }
    let next = match window.working_days_only {
        true => calendar.roll(shifted(today, 1), DayOff::NextWorkingDay),
        false => shifted(today, 1),
    };
    moment(next, window.opens, zone)
}

/// The last opening on a day strictly before `day`.
pub fn last_opening_before(window: SendWindow, calendar: &Calendar, zone: Tz, day: Date) -> Instant {
    let unit = if window.working_days_only { Unit::WorkingDay } else { Unit::Day };
    let last = calendar.subtract(day, Length::new(1, unit), MonthOverflow::LastDay);
    moment(last, window.opens, zone)
}

/// Some minutes after midnight by the clock on the wall.
fn moment(day: Date, minutes: u16, zone: Tz) -> Instant {
    instant_of(clamp(day).and_time(NaiveTime::MIN) + Duration::minutes(i64::from(minutes)), zone)
}

/// The instant at which a zone's clocks show a civil time: the first of the two when they show it twice, and when they skip it, the
/// first moment after the gap.
pub(super) fn instant_of(civil: NaiveDateTime, zone: Tz) -> Instant {
    match zone.from_local_datetime(&civil) {
        LocalResult::Single(at) => at.with_timezone(&Utc),
        LocalResult::Ambiguous(first, _) => first.with_timezone(&Utc),
        LocalResult::None => after_gap(civil, zone),
    }
}

/// The first second whose civil time is not before `civil`. No zone is more than 26 hours from UTC, and none skips more than a day.
fn after_gap(civil: NaiveDateTime, zone: Tz) -> Instant {
    let middle = civil.and_utc().timestamp();
    let (mut before, mut reached) = (middle - 60 * 3600, middle + 60 * 3600);
    while reached - before > 1 {
        let tried = before + (reached - before) / 2;
        let at = Utc.timestamp_opt(tried, 0).single().unwrap_or(Instant::MAX_UTC);
        if local_time(at, zone) < civil { before = tried } else { reached = tried }
    }
    Utc.timestamp_opt(reached, 0).single().unwrap_or(Instant::MAX_UTC)
}

/// What a zone's clocks show, for the years that the calendar counts.
pub(super) fn local_time(at: Instant, zone: Tz) -> NaiveDateTime {
    let first = first_day().and_time(NaiveTime::MIN).and_utc();
    let last = super::rank::last_day().and_time(NaiveTime::MIN).and_utc();
    at.clamp(first, last).with_timezone(&zone).naive_local()
}
