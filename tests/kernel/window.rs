//! The sending window, and midnight in zones that change their clocks.

use crate::support::calendar::{cn, day};
use chrono::{DateTime, Days, Duration, Utc};
use chrono_tz::Tz;
use duban::kernel::calendar::window::{day_of, last_opening_before, next_opening, start_of_day};
use duban::kernel::model::definition::SendWindow;
use duban::kernel::time::Date;
use proptest::prelude::*;

const SHANGHAI: Tz = chrono_tz::Asia::Shanghai;
const OFFICE: SendWindow = SendWindow { working_days_only: true, opens: 9 * 60, closes: 17 * 60 };
const EVERY_DAY: SendWindow = SendWindow { working_days_only: false, opens: 8 * 60, closes: 20 * 60 };

/// `2026-02-28T09:00+08:00`
fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z").unwrap().to_utc()
}

#[test]
fn a_mail_waits_for_the_next_opening() {
    let calendar = cn();
    let cases = [
        // inside: at once; at the closing minute: tomorrow
        (OFFICE, "2026-03-05T09:00+08:00", "2026-03-05T09:00+08:00"),
        (OFFICE, "2026-03-05T16:59+08:00", "2026-03-05T16:59+08:00"),
        (OFFICE, "2026-03-05T17:00+08:00", "2026-03-06T09:00+08:00"),
        // the night before, a Friday evening, a Saturday that is worked
        (OFFICE, "2026-03-05T00:00+08:00", "2026-03-05T09:00+08:00"),
        (OFFICE, "2026-03-06T18:00+08:00", "2026-03-09T09:00+08:00"),
        (OFFICE, "2026-02-28T10:00+08:00", "2026-02-28T10:00+08:00"),
        // 30 days before 22 June is a Saturday
        (OFFICE, "2026-05-23T00:00+08:00", "2026-05-25T09:00+08:00"),
        // National Day
        (OFFICE, "2026-09-30T17:30+08:00", "2026-10-08T09:00+08:00"),
        (EVERY_DAY, "2026-10-01T07:00+08:00", "2026-10-01T08:00+08:00"),
        (EVERY_DAY, "2026-10-01T20:00+08:00", "2026-10-02T08:00+08:00"),
        // 23:30 in UTC is the next morning in Shanghai
        (OFFICE, "2026-03-04T23:30+00:00", "2026-03-05T09:00+08:00"),
    ];
    for (window, from, expected) in cases {
        assert_eq!(next_opening(window, &calendar, SHANGHAI, at(from)), at(expected), "{from}");
    }
}

#[test]
fn a_reminder_before_the_due_day_leaves_on_an_earlier_day() {
    let calendar = cn();
    let before = |window, due: &str| last_opening_before(window, &calendar, SHANGHAI, day(due));
    assert_eq!(before(OFFICE, "2026-10-08"), at("2026-09-30T09:00+08:00"));
    assert_eq!(before(OFFICE, "2026-03-02"), at("2026-02-28T09:00+08:00"));
    assert_eq!(before(EVERY_DAY, "2026-10-08"), at("2026-10-07T08:00+08:00"));
}

#[test]
fn a_window_up_to_midnight_stays_open_all_evening() {
    let calendar = cn();
    let window = SendWindow { working_days_only: false, opens: 0, closes: 24 * 60 };
    for from in ["2026-03-05T00:00+08:00", "2026-03-05T23:59+08:00"] {
        assert_eq!(next_opening(window, &calendar, SHANGHAI, at(from)), at(from));
    }
}

#[test]
fn a_day_starts_when_the_clock_on_the_wall_says_so() {
    let cases = [
        (SHANGHAI, "2026-03-05", "2026-03-04T16:00+00:00"),
        // Shanghai had summer time in 1986 to 1991
        (SHANGHAI, "1988-07-01", "1988-06-30T15:00+00:00"),
        (chrono_tz::America::New_York, "2026-07-01", "2026-07-01T04:00+00:00"),
        // clocks go from 24:00 to 01:00: the day starts at 01:00
        (chrono_tz::Africa::Cairo, "2026-04-24", "2026-04-23T22:00+00:00"),
        // clocks go back from 01:00 to 00:00: the first midnight
        (chrono_tz::America::Havana, "2026-11-01", "2026-11-01T04:00+00:00"),
        // Samoa left out 30 December 2011
        (chrono_tz::Pacific::Apia, "2011-12-30", "2011-12-30T10:00+00:00"),
        (chrono_tz::Pacific::Apia, "2011-12-31", "2011-12-30T10:00+00:00"),
    ];
    for (zone, civil, expected) in cases {
        assert_eq!(start_of_day(day(civil), zone), at(expected), "{zone} {civil}");
    }
}

#[test]
fn no_date_is_too_far() {
    let calendar = cn();
    for zone in [SHANGHAI, chrono_tz::America::New_York, chrono_tz::Pacific::Apia] {
        for date in [Date::MIN, Date::MAX] {
            day_of(start_of_day(date, zone), zone);
            last_opening_before(OFFICE, &calendar, zone, date);
        }
        for instant in [DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC] {
            next_opening(OFFICE, &calendar, zone, instant);
        }
    }
}

proptest! {
    #[test]
    fn an_opening_is_never_early_and_lies_in_the_window(minutes in 0i64..3_000_000, zone in 0usize..4) {
        let zones = [SHANGHAI, chrono_tz::America::New_York, chrono_tz::Africa::Cairo, chrono_tz::Australia::Lord_Howe];
        let (calendar, zone) = (cn(), zones[zone]);
        let from = at("2023-12-01T00:00+00:00") + Duration::minutes(minutes);
        let open = next_opening(OFFICE, &calendar, zone, from);
        prop_assert!(open >= from);
        prop_assert!(calendar.is_working_day(day_of(open, zone)));
        prop_assert_eq!(next_opening(OFFICE, &calendar, zone, open), open);
        let last = last_opening_before(OFFICE, &calendar, zone, day_of(from, zone));
        prop_assert!(last < start_of_day(day_of(from, zone), zone));
        prop_assert_eq!(next_opening(OFFICE, &calendar, zone, last), last);
    }

    #[test]
    fn the_start_of_a_day_lies_on_that_day(days in 0u64..36_525, zone in 0usize..chrono_tz::TZ_VARIANTS.len()) {
        let zone = chrono_tz::TZ_VARIANTS[zone];
        let date = day("1970-01-01") + Days::new(days);
        let start = start_of_day(date, zone);
        // Only a day that a zone left out altogether (Samoa in 2011, Kwajalein in 1993) begins on the next one.
        let civil = day_of(start, zone);
        prop_assert!(civil == date || civil == date + Days::new(1) && day_of(start - Duration::seconds(1), zone) < date);
        prop_assert!(day_of(start - Duration::seconds(1), zone) < date);
    }
}
