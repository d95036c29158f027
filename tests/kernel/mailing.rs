//! Notices on their way to the post.

use chrono::{DateTime, NaiveDate};
use duban::kernel::decide::mailing::{Envelope, NotOwed, envelopes, owed};
use duban::kernel::model::decision::{Notice, OwedBy};
use duban::kernel::model::definition::NoticeKind;
use duban::kernel::model::item::{Clock, ClockEnd, ClockEndHow, Done, Item};
use std::sync::Arc;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn notice(key: &str, person: &str, bundle: &str) -> Notice {
    Notice {
        key: key.into(),
        item: "087".into(),
        workflow: "suggestion".into(),
        notice: "answer_soon".into(),
        kind: NoticeKind::Reminder,
        person: person.into(),
        role: "host_officer".into(),
        copy_of: Vec::new(),
        branch: None,
        seq: 5,
        owed_by: Some(OwedBy { deadline: "answer".into(), branch: None, cycle: 1 }),
        not_before: DateTime::UNIX_EPOCH,
        before_day: None,
        bundle: bundle.into(),
        parked: None,
        values: serde_json::Value::Null,
    }
}

/// An item with one deadline, perhaps ended by fact 6.
fn item(paused: bool, end: Option<ClockEndHow>, by_person: bool) -> Item {
    let clock = Clock {
        deadline: "answer".into(),
        branch: None,
        cycle: 1,
        run: 1,
        anchor: day("2026-04-01"),
        started_seq: 1,
        started_by: "start".into(),
        started_on: day("2026-04-01"),
        started_at: DateTime::UNIX_EPOCH,
        rule: None,
        kept: None,
        extensions: Vec::new(),
        pauses: Vec::new(),
        fired: Vec::new(),
        next_at: None,
        end: end.map(|how| ClockEnd { seq: 6, on: day("2026-06-29"), how }),
        times_extended: 0,
        paused,
        quiet: false,
        due: None,
        flag: None,
    };
    let person = by_person.then(|| "zhang".into());
    Item {
        id: "087".into(),
        workflow: "suggestion".into(),
        rev: 6,
        today: day("2026-06-29"),
        state: "handling".into(),
        since: day("2026-04-01"),
        ended: false,
        fields: Default::default(),
        branches: Vec::new(),
        clocks: vec![Arc::new(clock)],
        requests: Vec::new(),
        flag: None,
        created_on: day("2026-04-01"),
        last_effective_on: day("2026-06-29"),
        done: vec![Done { seq: 6, name: "reply".into(), branch: None, person, on: day("2026-06-29") }].into(),
        errands: Vec::new(),
        arrived: Vec::new(),
    }
}

#[test]
fn a_reminder_before_the_due_day_is_superseded_once_that_day_has_come() {
    let before = Notice { before_day: Some(day("2026-06-30")), ..notice("k", "li", "") };
    assert_eq!(owed(&before, &item(false, None, false), day("2026-06-29")), Ok(()));
    assert_eq!(owed(&before, &item(false, None, false), day("2026-06-30")), Err(NotOwed::Superseded));
    let after = notice("k", "li", "");
    assert_eq!(owed(&after, &item(false, None, false), day("2026-07-30")), Ok(()));
}

#[test]
fn what_was_done_replaced_dropped_or_paused_meanwhile_is_not_asked_for() {
    use ClockEndHow::{Done, Dropped, Replaced};
    let today = day("2026-06-29");
    let before = Notice { before_day: Some(day("2026-06-30")), ..notice("k", "li", "") };
    let after = notice("k", "li", "");
    for (how, reason) in [(Done, NotOwed::Done), (Replaced, NotOwed::Superseded), (Dropped, NotOwed::Dropped)] {
        assert_eq!(owed(&before, &item(false, Some(how), true), today), Err(reason));
        assert_eq!(owed(&after, &item(false, Some(how), true), today), Err(reason));
        // A rung that tells and then ends the deadline by itself: what it tells is still so.
        assert_eq!(owed(&after, &item(false, Some(how), false), today), Ok(()));
        assert_eq!(owed(&before, &item(false, Some(how), false), today), Err(reason));
    }
    assert_eq!(owed(&after, &item(true, None, false), today), Err(NotOwed::Paused));
}

#[test]
fn a_message_about_a_fact_is_always_owed_and_a_lost_cycle_only_drops_reminders() {
    let message = Notice { owed_by: None, ..notice("k", "li", "") };
    assert_eq!(owed(&message, &item(true, Some(ClockEndHow::Done), true), day("2026-07-01")), Ok(()));
    let other_cycle = |notice: Notice| Notice { owed_by: Some(OwedBy { deadline: "answer".into(), branch: None, cycle: 9 }), ..notice };
    assert_eq!(owed(&other_cycle(notice("k", "li", "")), &item(false, None, false), day("2026-06-29")), Ok(()));
    let before = Notice { before_day: Some(day("2026-06-30")), ..notice("k", "li", "") };
    assert_eq!(owed(&other_cycle(before), &item(false, None, false), day("2026-06-29")), Err(NotOwed::Superseded));
}

#[test]
fn one_person_and_one_bundle_is_one_mail() {
    let notices = [
        notice("b", "li", "day/2026-06-23"),
        notice("c", "li", ""),
        notice("a", "li", "day/2026-06-23"),
        notice("d", "wang", "day/2026-06-23"),
        notice("e", "li", "day/2026-06-24"),
        notice("f", "li", ""),
    ];
    let mails = envelopes(&notices);
    let places: Vec<_> = mails.iter().map(|mail| mail.notices.clone()).collect();
    assert_eq!(places, [vec![0, 2], vec![1], vec![3], vec![4], vec![5]]);
    assert_eq!(mails[0].key, "day/2026-06-23/li/a");
    assert_eq!(mails[1], Envelope { key: "c".into(), notices: vec![1] });
    let keys: std::collections::HashSet<_> = mails.iter().map(|mail| &mail.key).collect();
    assert_eq!(keys.len(), mails.len());
    assert_eq!(envelopes(&[]), []);
}
