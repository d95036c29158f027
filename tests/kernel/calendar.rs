//! Working days: the official control sums, the vectors of the law's way of counting, and what must hold for every date.

use crate::support::calendar::{cn, cn_data, day};
use chrono::{Datelike, Days};
use duban::kernel::calendar::{Calendar, CalendarData, CalendarMistake, Year};
use duban::kernel::model::definition::DayOff::{Keep, NextWorkingDay, PreviousWorkingDay};
use duban::kernel::model::definition::MonthOverflow::{self, FirstOfNext, LastDay};
use duban::kernel::model::item::DueStep;
use duban::kernel::time::{Date, Length, Unit};
use proptest::prelude::*;
use std::sync::LazyLock;

static CN: LazyLock<Calendar> = LazyLock::new(cn);

fn length(text: &str) -> Length {
    Length::parse(text).unwrap_or_else(|| panic!("`{text}` is no length"))
}

/// Anchor plus length, rolled.
fn due(anchor: &str, text: &str) -> Date {
    CN.roll(CN.add(day(anchor), length(text), LastDay), NextWorkingDay)
}

#[test]
fn official_years_have_the_published_number_of_working_days() {
    let by_month = [
        (2024, [22, 18, 21, 22, 21, 19, 23, 22, 21, 19, 21, 22], 251),
        (2025, [19, 19, 21, 22, 19, 20, 23, 21, 23, 18, 20, 23], 248),
        (2026, [21, 16, 22, 21, 19, 21, 23, 21, 22, 18, 21, 23], 248),
    ];
    for (year, months, total) in by_month {
        for (month, expected) in (1..).zip(months) {
            let first = Date::from_ymd_opt(year, month, 1).unwrap();
            let worked = first.iter_days().take_while(|day| day.month() == month).filter(|day| CN.is_working_day(*day));
            assert_eq!(worked.count(), expected, "{year}-{month}");
        }
        let eve = Date::from_ymd_opt(year - 1, 12, 31).unwrap();
        assert_eq!(CN.working_days_between(eve, Date::from_ymd_opt(year, 12, 31).unwrap()), total, "{year}");
    }
}

#[test]
fn months_are_clamped_and_rolled_as_the_civil_code_counts_them() {
    let vectors = "
        2024-01-31 3 2024-04-30 2024-04-30
        2024-11-30 3 2025-02-28 2025-02-28
        2025-07-01 3 2025-10-01 2025-10-09
        2025-11-30 3 2026-02-28 2026-02-28
        2025-11-15 3 2026-02-15 2026-02-24
        2026-03-05 3 2026-06-05 2026-06-05
        2026-03-19 3 2026-06-19 2026-06-22
        2026-03-20 3 2026-06-20 2026-06-22
        2026-06-20 3 2026-09-20 2026-09-20
        2026-06-25 3 2026-09-25 2026-09-28
        2026-07-01 3 2026-10-01 2026-10-08
        2026-07-10 3 2026-10-10 2026-10-10
        2026-04-01 6 2026-10-01 2026-10-08
        2025-08-15 6 2026-02-15 2026-02-24
        2026-01-31 1 2026-02-28 2026-02-28
        2026-11-30 3 2027-02-28 2027-03-01
        2026-06-30 2 2026-08-30 2026-08-31
        2026-07-01 1 2026-08-01 2026-08-03
        2026-11-02 3 2027-02-02 2027-02-02";
    for vector in vectors.trim().lines() {
        let [anchor, months, raw, last] = vector.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{vector}") };
        let months = format!("{months} months");
        assert_eq!(CN.add(day(anchor), length(&months), LastDay), day(raw), "{vector}");
        assert_eq!(due(anchor, &months), day(last), "{vector}");
        assert_eq!(CN.is_provisional(day(last)), day(last).year() == 2027, "{vector}");
    }
}

#[test]
fn working_days_skip_holidays_and_count_make_up_weekends() {
    let vectors = "
        2026-09-18 5 2026-09-24
        2026-09-18 10 2026-10-09
        2026-02-10 5 2026-02-24
        2026-02-13 10 2026-03-05
        2025-09-26 5 2025-10-10
        2025-09-26 10 2025-10-16
        2025-01-24 5 2025-02-07
        2024-09-13 10 2024-09-29
        2026-04-30 5 2026-05-11
        2025-12-31 5 2026-01-08
        2026-03-05 5 2026-03-12
        2026-03-05 10 2026-03-19
        2026-03-05 20 2026-04-02
        2026-03-20 10 2026-04-03
        2026-03-20 20 2026-04-20
        2026-04-10 15 2026-05-06
        2026-06-12 10 2026-06-29
        2026-06-22 5 2026-06-29
        2026-06-22 10 2026-07-06
        2026-06-22 15 2026-07-13
        2026-06-22 20 2026-07-20";
    for vector in vectors.trim().lines() {
        let [anchor, count, last] = vector.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{vector}") };
        for phrase in [format!("{count} working days"), format!("{count}个工作日")] {
            assert_eq!(CN.add(day(anchor), length(&phrase), LastDay), day(last), "{vector}");
        }
        assert_eq!(CN.working_days_between(day(anchor), day(last)), count.parse::<i64>().unwrap(), "{vector}");
        assert_eq!(CN.working_days_between(day(last), day(anchor)), -count.parse::<i64>().unwrap(), "{vector}");
    }
    assert_eq!(CN.subtract(day("2026-06-22"), length("10 working days"), LastDay), day("2026-06-05"));
    // Counted back from a Sunday, the Friday before it is the first.
    assert_eq!(CN.subtract(day("2026-03-08"), length("1 working day"), LastDay), day("2026-03-06"));
    assert_eq!(CN.add(day("2026-03-07"), length("0 working days"), LastDay), day("2026-03-09"));
    assert_eq!(CN.subtract(day("2026-03-08"), length("0 working days"), LastDay), day("2026-03-06"));
}

#[test]
fn days_and_years_are_counted_on_the_calendar() {
    assert_eq!(due("2026-05-23", "30 days"), day("2026-06-22"));
    assert_eq!(CN.subtract(day("2026-06-22"), length("30 days"), LastDay), day("2026-05-23"));
    assert_eq!(CN.add(day("2024-02-29"), length("1 year"), LastDay), day("2025-02-28"));
    assert_eq!(CN.add(day("2024-02-29"), length("4年"), LastDay), day("2028-02-29"));
}

#[test]
fn a_month_without_the_day_goes_where_the_rule_set_says() {
    let three = length("3 months");
    assert_eq!(CN.add(day("2025-11-30"), three, FirstOfNext), day("2026-03-01"));
    assert_eq!(CN.add(day("2025-11-28"), three, FirstOfNext), day("2026-02-28"));
    assert_eq!(CN.subtract(day("2026-05-31"), three, LastDay), day("2026-02-28"));
    assert_eq!(CN.subtract(day("2026-05-31"), three, FirstOfNext), day("2026-03-01"));
    assert!(CN.lacks_the_day(day("2025-11-30"), three));
    assert!(!CN.lacks_the_day(day("2025-11-28"), three));
    assert!(!CN.lacks_the_day(day("2025-11-30"), length("90 days")));
}

#[test]
fn a_day_off_moves_the_way_the_rule_set_says_and_names_its_reason() {
    let spring = day("2026-02-15");
    assert_eq!(CN.roll(spring, NextWorkingDay), day("2026-02-24"));
    assert_eq!(CN.roll(spring, PreviousWorkingDay), day("2026-02-14"));
    assert_eq!(CN.roll(spring, Keep), spring);
    assert_eq!(CN.holiday(spring), Some("春节"));
    assert_eq!(CN.holiday(day("2025-10-06")), Some("国庆节、中秋节"));
    assert_eq!(CN.holiday(day("2026-02-28")), None);
    assert!(CN.is_makeup(day("2026-02-28")) && !CN.is_makeup(day("2026-03-07")) && !CN.is_makeup(day("2026-03-06")));

    let steps = |anchor: &str, how| {
        let mut steps = Vec::new();
        CN.roll_with_steps(day(anchor), how, &mut steps);
        steps
    };
    let rolled = |from: &str, because: &str, gives: &str| DueStep::Rolled { from: day(from), because: because.into(), gives: day(gives) };
    assert_eq!(steps("2026-10-01", NextWorkingDay), [rolled("2026-10-01", "国庆节", "2026-10-08")]);
    assert_eq!(steps("2026-03-07", NextWorkingDay), [rolled("2026-03-07", "saturday", "2026-03-09")]);
    assert_eq!(steps("2026-09-20", NextWorkingDay), [DueStep::MakeUpDay { gives: day("2026-09-20") }]);
    assert_eq!(steps("2026-02-16", PreviousWorkingDay), [rolled("2026-02-16", "春节", "2026-02-14")]);
    assert_eq!(steps("2026-03-07", Keep), []);
    assert_eq!(steps("2027-02-28", NextWorkingDay), [rolled("2027-02-28", "sunday", "2027-03-01")]);
    assert_eq!(steps("2026-02-27", NextWorkingDay), []);
}

#[test]
fn unlisted_years_have_weekends_and_fixed_holidays_until_their_notice_comes() {
    assert_eq!(CN.known_until(), day("2026-12-31"));
    assert_eq!(CN.roll(day("2027-10-01"), NextWorkingDay), day("2027-10-04"));
    assert_eq!(CN.holiday(day("2027-10-01")), Some("国庆节"));
    assert_eq!(CN.holiday(day("2027-10-04")), None);
    // Before the first listed year it is the same.
    assert_eq!(CN.holiday(day("2023-05-02")), Some("劳动节"));
    assert!(CN.is_provisional(day("2023-05-02")) && !CN.is_provisional(day("2024-01-01")) && CN.is_provisional(day("2027-01-01")));

    // With the notice of 2027 entered, what was provisional settles.
    let mut data = cn_data();
    let off = (day("2027-02-01"), day("2027-02-07"), "春节".to_string());
    // A working Sunday in December is announced with the year that follows.
    data.years.insert(2027, Year { official: true, source: None, holidays: vec![off], makeup_workdays: vec![day("2026-12-27")] });
    assert_eq!(data.mistakes(), []);
    let calendar = Calendar::new(data);
    assert_eq!(calendar.roll(calendar.add(day("2026-11-02"), length("3 months"), LastDay), NextWorkingDay), day("2027-02-08"));
    assert!(!calendar.is_provisional(day("2027-02-08")) && calendar.is_makeup(day("2026-12-27")));
}

#[test]
fn mistakes_in_a_calendar_are_all_found() {
    assert_eq!(cn_data().mistakes(), []);
    let mut data = cn_data();
    data.years.remove(&2025);
    assert_eq!(data.gaps(), [2025]);
    assert_eq!(data.mistakes(), [CalendarMistake::Gap(2025)]);
    assert_eq!(CalendarData::default().mistakes(), [CalendarMistake::NoOfficialYear]);

    let mut data = cn_data();
    data.fixed_holidays.push((2, 30, "无".into()));
    let year = data.years.get_mut(&2026).unwrap();
    year.holidays.push((day("2026-10-07"), day("2026-10-07"), "中秋节".into()));
    year.holidays.push((day("2026-11-02"), day("2026-11-01"), "反".into()));
    year.holidays.push((day("1926-11-02"), day("2026-11-03"), "世".into()));
    year.makeup_workdays.extend([day("2026-03-03"), day("2026-05-02"), day("2036-05-04")]);
    let found = data.mistakes();
    let expected = [
        CalendarMistake::Twice(day("2026-10-07")),
        CalendarMistake::Backwards { year: 2026, first: day("2026-11-02"), last: day("2026-11-01") },
        CalendarMistake::OtherYear { year: 2026, day: day("1926-11-02") },
        CalendarMistake::MakeupOnWeekday(day("2026-03-03")),
        CalendarMistake::Twice(day("2026-05-02")),
        CalendarMistake::OtherYear { year: 2026, day: day("2036-05-04") },
        CalendarMistake::NoSuchDay { month: 2, day: 30 },
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_date_is_too_far() {
    let mut data = cn_data();
    data.years.insert(i32::MAX, Year { official: true, ..Year::default() });
    data.years.insert(i32::MIN, Year::default());
    for calendar in [&CN, &Calendar::new(CalendarData::default()), &Calendar::new(data)] {
        for date in [Date::MIN, Date::MAX, day("0001-01-01"), day("9999-12-31")] {
            for unit in [Unit::Day, Unit::WorkingDay, Unit::Month, Unit::Year] {
                for overflow in [LastDay, FirstOfNext] {
                    for count in [0, 1, 36_500, u32::MAX] {
                        let later = calendar.add(date, Length::new(count, unit), overflow);
                        let earlier = calendar.subtract(date, Length::new(count, unit), overflow);
                        assert!((1..=9999).contains(&later.year()) && (1..=9999).contains(&earlier.year()));
                        assert!(earlier <= later);
                        calendar.lacks_the_day(date, Length::new(count, unit));
                    }
                }
            }
            let mut steps = Vec::new();
            calendar.roll_with_steps(date, NextWorkingDay, &mut steps);
            calendar.holiday(date);
        }
    }
    assert_eq!(CN.add(Date::MAX, length("1 day"), LastDay), day("9999-12-31"));
    assert_eq!(CN.subtract(Date::MIN, length("1 working day"), LastDay), day("0001-01-01"));
}

/// Any day of a century around the listed years.
fn any_day() -> impl Strategy<Value = Date> {
    (0u64..36_525).prop_map(|days| day("1980-01-01") + Days::new(days))
}

fn any_unit() -> impl Strategy<Value = Unit> {
    prop_oneof![Just(Unit::Day), Just(Unit::WorkingDay), Just(Unit::Month), Just(Unit::Year)]
}

fn any_overflow() -> impl Strategy<Value = MonthOverflow> {
    prop_oneof![Just(LastDay), Just(FirstOfNext)]
}

proptest! {
    #[test]
    fn subtracting_working_days_undoes_adding_them(from in any_day(), count in 0u32..600) {
        let from = CN.roll(from, NextWorkingDay);
        let length = Length::new(count, Unit::WorkingDay);
        let there = CN.add(from, length, LastDay);
        prop_assert_eq!(CN.subtract(there, length, LastDay), from);
        prop_assert_eq!(CN.add(CN.subtract(from, length, LastDay), length, LastDay), from);
        prop_assert_eq!(CN.working_days_between(from, there), i64::from(count));
    }

    #[test]
    fn working_days_are_those_that_one_meets_on_the_way(from in any_day(), count in 1usize..60) {
        let met = from.iter_days().skip(1).filter(|day| CN.is_working_day(*day)).nth(count - 1);
        prop_assert_eq!(Some(CN.add(from, Length::new(count as u32, Unit::WorkingDay), LastDay)), met);
        let back = std::iter::successors(Some(from), |day| day.pred_opt()).skip(1).filter(|day| CN.is_working_day(*day)).nth(count - 1);
        prop_assert_eq!(Some(CN.subtract(from, Length::new(count as u32, Unit::WorkingDay), LastDay)), back);
    }

    #[test]
    fn a_longer_length_is_never_due_earlier(
        from in any_day(), unit in any_unit(), overflow in any_overflow(), short in 0u32..400, more in 1u32..400,
    ) {
        let due = |count| CN.roll(CN.add(from, Length::new(count, unit), overflow), NextWorkingDay);
        prop_assert!(due(short) <= due(short + more));
        prop_assert!(due(short) >= from);
    }

    #[test]
    fn a_later_anchor_is_never_due_earlier(from in any_day(), days in 0u64..60, unit in any_unit(), count in 0u32..400) {
        let due = |from| CN.roll(CN.add(from, Length::new(count, unit), LastDay), NextWorkingDay);
        prop_assert!(due(from) <= due(from + Days::new(days)));
    }

    #[test]
    fn rolling_ends_on_the_nearest_working_day(from in any_day()) {
        let (next, previous) = (CN.roll(from, NextWorkingDay), CN.roll(from, PreviousWorkingDay));
        prop_assert!(CN.is_working_day(next) && CN.is_working_day(previous));
        prop_assert!(previous <= from && from <= next);
        let between = previous.iter_days().skip(1).take_while(|day| *day < next);
        prop_assert_eq!(between.filter(|day| CN.is_working_day(*day)).count(), 0);
        prop_assert_eq!(CN.roll(next, NextWorkingDay), next);
    }

    #[test]
    fn two_calendars_of_the_same_file_give_the_same_date(from in any_day(), unit in any_unit(), count in 0u32..400) {
        let length = Length::new(count, unit);
        let mut steps = (Vec::new(), Vec::new());
        let other = cn();
        let first = CN.roll_with_steps(CN.add(from, length, LastDay), NextWorkingDay, &mut steps.0);
        prop_assert_eq!(first, other.roll_with_steps(other.add(from, length, LastDay), NextWorkingDay, &mut steps.1));
        prop_assert_eq!(steps.0, steps.1);
    }
}
