//! Classic five-field cron: a table of expressions with dates worked out by hand, clock changes included.

use chrono::{DateTime, Datelike, Duration, Timelike, Utc};
use chrono_tz::Tz;
use duban::kernel::calendar::cron::{Cron, CronError, CronMistake};
use duban::kernel::decide::due_slots;
use duban::kernel::model::definition::IfMissed;
use proptest::prelude::*;

const SHANGHAI: Tz = chrono_tz::Asia::Shanghai;
const NEW_YORK: Tz = chrono_tz::America::New_York;

fn at(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%:z").unwrap().to_utc()
}

/// The names of the first slots after a moment.
fn names(expression: &str, zone: Tz, after: &str, count: usize) -> Vec<String> {
    let cron = Cron::parse(expression).unwrap_or_else(|error| panic!("{expression}: {error:?}"));
    cron.slots(zone, at(after), DateTime::<Utc>::MAX_UTC, count).into_iter().map(|slot| slot.name).collect()
}

#[test]
fn classic_expressions_fire_when_a_person_reads_them_to() {
    // All after Thursday 2026-01-01 12:00 in Shanghai.
    let cases: &[(&str, &[&str])] = &[
        ("0 6 * * *", &["2026-01-02T06:00", "2026-01-03T06:00", "2026-01-04T06:00"]),
        ("30 8 1 * *", &["2026-02-01T08:30", "2026-03-01T08:30"]),
        ("*/20 * * * *", &["2026-01-01T12:20", "2026-01-01T12:40", "2026-01-01T13:00"]),
        ("5,35 13 * * *", &["2026-01-01T13:05", "2026-01-01T13:35", "2026-01-02T13:05"]),
        ("0 8-18/5 * * *", &["2026-01-01T13:00", "2026-01-01T18:00", "2026-01-02T08:00"]),
        // 1 to 5 is Monday to Friday
        ("0 9 * * 1-5", &["2026-01-02T09:00", "2026-01-05T09:00", "2026-01-06T09:00"]),
        ("0 9 * * mon-FRI", &["2026-01-02T09:00", "2026-01-05T09:00", "2026-01-06T09:00"]),
        // 0 and 7 are Sunday, 6 is Saturday
        ("0 9 * * 0", &["2026-01-04T09:00", "2026-01-11T09:00"]),
        ("0 9 * * 7", &["2026-01-04T09:00", "2026-01-11T09:00"]),
        ("0 9 * * 6", &["2026-01-03T09:00", "2026-01-10T09:00"]),
        // ranges that wrap, and steps over weekdays (Sunday, Tuesday, Thursday, Saturday)
        ("0 9 * * 5-7", &["2026-01-02T09:00", "2026-01-03T09:00", "2026-01-04T09:00", "2026-01-09T09:00"]),
        ("0 9 * * FRI-MON", &["2026-01-02T09:00", "2026-01-03T09:00", "2026-01-04T09:00", "2026-01-05T09:00", "2026-01-09T09:00"]),
        ("0 9 * * */2", &["2026-01-03T09:00", "2026-01-04T09:00", "2026-01-06T09:00"]),
        // both days restricted: either is enough
        ("0 9 15 * MON", &["2026-01-05T09:00", "2026-01-12T09:00", "2026-01-15T09:00", "2026-01-19T09:00"]),
        ("0 9 5 * MON", &["2026-01-05T09:00", "2026-01-12T09:00"]),
        // one of them begins with a star: both hold (odd days that are Mondays)
        ("0 9 */2 * MON", &["2026-01-05T09:00", "2026-01-19T09:00", "2026-02-09T09:00"]),
        // the ends of months and leap days
        ("0 0 31 * *", &["2026-01-31T00:00", "2026-03-31T00:00", "2026-05-31T00:00"]),
        ("0 0 29 2 *", &["2028-02-29T00:00", "2032-02-29T00:00"]),
        ("0 6 1 jan,jul *", &["2026-07-01T06:00", "2027-01-01T06:00"]),
        ("0 6 31 12 *", &["2026-12-31T06:00", "2027-12-31T06:00"]),
        ("  0\t6   31 12 * ", &["2026-12-31T06:00"]),
        ("0 6 1 1-12/3 *", &["2026-04-01T06:00", "2026-07-01T06:00"]),
    ];
    for (expression, expected) in cases {
        assert_eq!(names(expression, SHANGHAI, "2026-01-01T12:00+08:00", expected.len()), *expected, "{expression}");
    }
}

#[test]
fn slots_are_strictly_after_and_up_to_and_with_the_end() {
    let daily = Cron::parse("0 6 * * *").unwrap();
    let slots = |after, until, limit| {
        let slots = daily.slots(SHANGHAI, at(after), at(until), limit);
        slots.into_iter().map(|slot| (slot.name, slot.at)).collect::<Vec<_>>()
    };
    let second = ("2026-03-06T06:00".to_string(), at("2026-03-05T22:00+00:00"));
    assert_eq!(slots("2026-03-05T06:00+08:00", "2026-03-06T06:00+08:00", 9), [second]);
    assert_eq!(slots("2026-03-05T06:00+08:00", "2026-03-06T05:59+08:00", 9), []);
    assert_eq!(slots("2026-03-06T06:00+08:00", "2026-03-05T06:00+08:00", 9), []);
    assert_eq!(slots("2026-03-01T06:00+08:00", "2026-03-31T06:00+08:00", 3).len(), 3);
    assert_eq!(slots("2026-03-01T06:00+08:00", "2026-03-31T06:00+08:00", 0), []);
    assert_eq!(daily.next(SHANGHAI, at("2026-03-05T05:59+08:00")).unwrap().name, "2026-03-05T06:00");
}

#[test]
fn a_skipped_hour_fires_once_after_it() {
    // New York goes from 02:00 to 03:00 on 8 March 2026.
    let before = "2026-03-07T12:00-05:00";
    assert_eq!(names("30 2 * * *", NEW_YORK, before, 2), ["2026-03-08T03:00", "2026-03-09T02:30"]);
    let half_hours = ["2026-03-08T01:30", "2026-03-08T03:00", "2026-03-08T03:30"];
    assert_eq!(names("*/30 * * * *", NEW_YORK, "2026-03-08T01:00-05:00", 3), half_hours);
    let cron = Cron::parse("30 2 * * *").unwrap();
    assert_eq!(cron.next(NEW_YORK, at(before)).unwrap().at, at("2026-03-08T03:00-04:00"));
    // Once it fired, it does not fire again.
    assert_eq!(cron.next(NEW_YORK, at("2026-03-08T03:00-04:00")).unwrap().name, "2026-03-09T02:30");
}

#[test]
fn a_doubled_hour_fires_once() {
    // New York goes from 02:00 back to 01:00 on 1 November 2026.
    let cron = Cron::parse("30 1 * * *").unwrap();
    let slots = cron.slots(NEW_YORK, at("2026-10-31T12:00-04:00"), at("2026-11-02T12:00-05:00"), 9);
    let found: Vec<_> = slots.iter().map(|slot| (slot.name.as_str(), slot.at)).collect();
    assert_eq!(found, [("2026-11-01T01:30", at("2026-11-01T01:30-04:00")), ("2026-11-02T01:30", at("2026-11-02T01:30-05:00"))]);
    // Asked in the second pass of that hour, the slot is past.
    assert_eq!(cron.next(NEW_YORK, at("2026-11-01T01:10-05:00")).unwrap().name, "2026-11-02T01:30");
    assert_eq!(names("0 * * * *", NEW_YORK, "2026-11-01T00:30-04:00", 3), ["2026-11-01T01:00", "2026-11-01T02:00", "2026-11-01T03:00"]);
}

#[test]
fn what_cannot_be_read_or_never_fires_is_refused_with_its_column() {
    let bad = |part: &str| CronMistake::BadField(part.to_string());
    let cases = [
        ("", 1, CronMistake::NotFiveFields(0)),
        ("@daily", 1, CronMistake::NotFiveFields(1)),
        ("0 6 * *", 1, CronMistake::NotFiveFields(4)),
        ("0 0 6 * * *", 11, CronMistake::NotFiveFields(6)),
        ("60 6 * * *", 1, bad("60")),
        ("0 24 * * *", 3, bad("24")),
        ("0 6 0 * *", 5, bad("0")),
        ("0 6 * 13 *", 7, bad("13")),
        ("0 6 * * 8", 9, bad("8")),
        ("0 6 1,15,32 * *", 10, bad("32")),
        ("0 6 1,,3 * *", 7, bad("")),
        ("0 6 9-3 * *", 5, bad("9-3")),
        ("*/0 6 * * *", 1, bad("*/0")),
        ("5/15 6 * * *", 1, bad("5/15")),
        ("0 6 L * *", 5, bad("L")),
        ("0 6 ? * *", 5, bad("?")),
        ("0 6 * * 1#2", 9, bad("1#2")),
        ("0 +6 * * *", 3, bad("+6")),
        ("０ 6 * * *", 1, bad("０")),
        ("0 6 30 2 *", 5, CronMistake::NeverFires),
        ("0 6 31 4,6,9,11 *", 5, CronMistake::NeverFires),
        // Mondays would fire, but the 30th of February is a mistake all the same.
        ("0 6 30 2 MON", 5, CronMistake::NeverFires),
        ("99999999999 6 * * *", 1, bad("99999999999")),
    ];
    for (expression, column, what) in cases {
        assert_eq!(Cron::parse(expression).err(), Some(CronError { column, what }), "{expression}");
    }
}

#[test]
fn no_instant_is_too_far() {
    let cron = Cron::parse("* * * * *").unwrap();
    for zone in [SHANGHAI, NEW_YORK] {
        assert_eq!(cron.next(zone, DateTime::<Utc>::MAX_UTC), None);
        cron.next(zone, DateTime::<Utc>::MIN_UTC);
    }
}

/// A field as an author may write it, with the numbers it stands for.
fn field(first: u32, last: u32) -> impl Strategy<Value = (String, Vec<u32>)> {
    let star = Just(("*".to_string(), (first..=last).collect()));
    let step = (1..=last).prop_map(move |step| (format!("*/{step}"), (first..=last).step_by(step as usize).collect()));
    let list = proptest::collection::vec(first..=last, 1..4).prop_map(|values| {
        let text: Vec<_> = values.iter().map(u32::to_string).collect();
        (text.join(","), values)
    });
    let range = (first..=last, first..=last, 1..5u32).prop_map(|(a, b, step)| {
        let (a, b) = (a.min(b), a.max(b));
        (format!("{a}-{b}/{step}"), (a..=b).step_by(step as usize).collect())
    });
    prop_oneof![star, step, list, range]
}

/// The names of the slots to run at a moment, after the last one run.
fn due(expression: &str, if_missed: IfMissed, last: &str, now: &str) -> Vec<String> {
    let cron = Cron::parse(expression).unwrap();
    due_slots(&cron, if_missed, SHANGHAI, at(last), at(now)).into_iter().map(|slot| slot.name).collect()
}

#[test]
fn what_was_missed_goes_by_the_policy() {
    use IfMissed::{RunEach, RunOnce, Skip};
    let (last, daily) = ("2026-01-01T06:00+08:00", "0 6 * * *");
    assert_eq!(due(daily, RunEach, last, "2026-01-04T05:59+08:00"), ["2026-01-02T06:00", "2026-01-03T06:00"]);
    assert_eq!(due(daily, RunOnce, last, "2026-01-04T05:59+08:00"), ["2026-01-03T06:00"], "the latest stands for all");
    assert_eq!(due(daily, Skip, last, "2026-01-04T05:59+08:00"), [""; 0]);
    // An hour late is on time.
    assert_eq!(due(daily, Skip, last, "2026-01-04T07:00+08:00"), ["2026-01-04T06:00"]);
    assert_eq!(due(daily, Skip, last, "2026-01-04T07:01+08:00"), [""; 0]);
    assert_eq!(due("*/20 * * * *", Skip, last, "2026-01-04T07:01+08:00"), ["2026-01-04T07:00"], "one is enough");
    for if_missed in [RunEach, RunOnce, Skip] {
        assert_eq!(due(daily, if_missed, last, last), [""; 0], "it has been run");
        assert_eq!(due(daily, if_missed, "2026-01-04T06:00+08:00", "2026-01-02T06:00+08:00"), [""; 0], "the clock was set back");
    }
}

#[test]
fn a_schedule_that_stood_still_for_years_is_caught_up_in_portions() {
    let cron = Cron::parse("0 6 * * *").unwrap();
    let (mut last, now) = (at("2022-01-01T06:00+08:00"), at("2026-01-01T06:00+08:00"));
    let mut days = 0;
    loop {
        let slots = due_slots(&cron, IfMissed::RunEach, SHANGHAI, last, now);
        assert!(slots.len() <= 400);
        let Some(latest) = slots.last() else { break };
        last = latest.at;
        days += slots.len();
    }
    assert_eq!((days, last), (3 * 365 + 366, now), "none twice, none lost");
    assert_eq!(due("* * * * *", IfMissed::RunOnce, "1980-01-01T06:00+08:00", "2026-01-01T06:00+08:00"), ["2026-01-01T06:00"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_matching_minute_fires_and_no_other(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), month in field(1, 12), weekday in field(0, 6), start in 0i64..1_000,
    ) {
        let text = format!("{} {} {} {} {}", minute.0, hour.0, day.0, month.0, weekday.0);
        let after = at("2024-01-01T00:00+00:00") + Duration::days(start);
        let until = after + Duration::days(20);
        let matches = |at: &DateTime<Utc>| {
            let of_month = day.1.contains(&at.day());
            let of_week = weekday.1.contains(&at.weekday().num_days_from_sunday());
            let day_fits = if day.0.starts_with('*') || weekday.0.starts_with('*') { of_month && of_week } else { of_month || of_week };
            day_fits && minute.1.contains(&at.minute()) && hour.1.contains(&at.hour()) && month.1.contains(&at.month())
        };
        let expected: Vec<_> = (1..=20 * 24 * 60).map(|minutes| after + Duration::minutes(minutes)).filter(matches).collect();
        match Cron::parse(&text) {
            Ok(cron) => {
                let found: Vec<_> = cron.slots(chrono_tz::UTC, after, until, usize::MAX).into_iter().map(|slot| slot.at).collect();
                prop_assert_eq!(found, expected, "{}", text);
            }
            Err(error) => {
                prop_assert_eq!(error.what, CronMistake::NeverFires, "{}", text);
                // Of a union, one half may be impossible while the other fires.
                prop_assert!(expected.is_empty() || !day.0.starts_with('*') && !weekday.0.starts_with('*'));
            }
        }
    }
}

proptest! {
    #[test]
    fn no_text_breaks_the_reader(text in "[0-9*/,a-zA-Z#?L -]{0,24}|\\PC{0,12}") {
        let _ = Cron::parse(&text);
    }

    #[test]
    fn slots_ascend_and_resuming_loses_and_doubles_none(minute in 0u32..60, hours in 1u32..12, start in 0i64..3_000, cut in 1usize..40) {
        let cron = Cron::parse(&format!("{minute} */{hours} * * *")).unwrap();
        let after = at("2026-02-01T00:00+00:00") + Duration::hours(start * 3);
        let all = cron.slots(NEW_YORK, after, DateTime::<Utc>::MAX_UTC, 40);
        prop_assert!(all.windows(2).all(|pair| pair[0].at < pair[1].at && pair[0].name < pair[1].name));
        let rest = cron.slots(NEW_YORK, all[cut - 1].at, DateTime::<Utc>::MAX_UTC, 40 - cut);
        prop_assert_eq!(&all[cut..], &rest[..]);
    }
}
