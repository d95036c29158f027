//! The sending window: when a mail may leave.

use super::Calendar;
use crate::kernel::model::definition::SendWindow;
use crate::kernel::time::{Date, Instant};
use chrono_tz::Tz;

/// 00:00 of a day in a zone, as an instant.
pub fn start_of_day(_day: Date, _zone: Tz) -> Instant {
    todo!()
}

/// The civil date of an instant in a zone.
pub fn day_of(_at: Instant, _zone: Tz) -> Date {
    todo!()
}

/// `from` itself inside the window, else the next opening.
pub fn next_opening(_window: SendWindow, _calendar: &Calendar, _zone: Tz, _from: Instant) -> Instant {
    todo!()
}

/// The last opening on a day strictly before `day`.
pub fn last_opening_before(_window: SendWindow, _calendar: &Calendar, _zone: Tz, _day: Date) -> Instant {
    todo!()
}
