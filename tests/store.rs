//! The contract of the store: each story is told over every database, in one of its own.

use crate::support::ground::Ground;
use chrono::{NaiveDate, TimeDelta};
use duban::kernel::model::decision::{Accepted, Notice, Number};
use duban::kernel::model::definition::NoticeKind;
use duban::kernel::model::fact::{Actor, Cause, Fact, Outcome, RungKey};
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::time::Instant;
use duban::store::health::Waiting;
use duban::store::items::Derived;
use duban::store::lock::{self, Holder};
use duban::store::outbox::{NewMail, NoticeEnd};
use duban::store::posting::{MailEnd, Outcome as Attempt};
use duban::store::save::{About, Answered, Caches, NotSaved, Save, Saved};
use duban::store::slots::Slot;
use duban::store::{LOCAL, Lane, Opening, Place, SCHEMA_VERSION, Store, StoreError};
use sqlx::Connection as _;
use std::collections::BTreeSet;

mod accounts;
mod alike;
mod attachments;
mod brake;
mod crowd;
mod cuts;
mod faults;
mod incoming;
mod jurisdictions;
mod mails;
mod outage;
mod plans;
mod several;
mod tokens;
mod trail;
mod upgrade;
mod webhooks;
mod whole;

/// 2026-03-02T08:00:00Z and so many minutes.
pub fn at(minutes: i64) -> Instant {
    "2026-03-02T08:00:00Z".parse::<Instant>().expect("an instant") + TimeDelta::minutes(minutes)
}

/// Stories told over one kind of ground.
macro_rules! told {
    ($module:ident over $ground:expr; $($story:ident),*) => {
        mod $module {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story($ground).await;
            })*
        }
    };
}
pub(crate) use told;

/// The stories that every store tells alike.
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        told!(sqlite over $crate::support::ground::Ground::file(); $($story),*);
        told!(postgres over $crate::support::ground::Ground::server().await; $($story),*);
        told!(model over $crate::support::ground::Ground::model(); $($story),*);
    };
}
pub(crate) use stories;

/// Those about tables, which a model has none of, or about how a database is written.
macro_rules! database_stories {
    ($($story:ident),* $(,)?) => {
        told!(on_sqlite over $crate::support::ground::Ground::file(); $($story),*);
        told!(on_postgres over $crate::support::ground::Ground::server().await; $($story),*);
    };
}
pub(crate) use database_stories;

/// Those about several processes, which a file cannot tell.
macro_rules! stories_of_many {
    ($($story:ident),* $(,)?) => {
        told!(postgres over $crate::support::ground::Ground::server().await; $($story),*);
        told!(model over $crate::support::ground::Ground::model_of_many(); $($story),*);
    };
}
use stories_of_many;

stories!(
    an_item_is_read_back_as_it_was_written_also_after_a_restart,
    a_decision_on_an_old_revision_is_not_written,
    a_cause_happens_once,
    the_same_command_twice_is_the_same_answer,
    numbers_are_given_once_and_in_a_row,
    a_unique_value_belongs_to_one_item_until_it_takes_another,
    decisions_of_one_unit_stand_or_fall_together,
    a_pile_of_decisions_is_written_whole_or_not_at_all,
    wake_ups_come_in_their_order_and_only_when_due,
    an_item_that_was_set_aside_waits_for_its_next_try_and_comes_back_with_a_decision,
    lists_are_filtered_by_the_caches,
    items_are_found_by_the_hands_they_may_be_in,
    a_slot_is_claimed_once_and_stays_open_until_it_was_carried_out,
    rule_sets_are_kept_with_their_texts,
);
database_stories!(
    a_changed_removed_or_added_fact_shows_in_the_chain,
    every_statement_is_understood_by_the_database,
    a_database_of_a_newer_version_is_refused,
);

async fn open(ground: &Ground) -> Store {
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    ground.open(opening, at(0)).await.expect("opens")
}

fn fact(seq: u64, cause: Cause) -> Fact {
    Fact {
        seq,
        name: "submit".into(),
        branch: None,
        recorded_at: at(seq as i64),
        effective_on: NaiveDate::from_ymd_opt(2026, 3, 2).expect("a day"),
        actor: Actor { person: Some("zhang".into()), ..Actor::default() },
        cause,
        input: Fields::from([("reason".into(), Value::text("道路“坑洼”\n第二行"))]),
        outcomes: vec![Outcome::State { to: "open".into() }],
        not_started: vec![],
        told: vec![],
        rules: "r1".into(),
    }
}

fn rung(occurrence: u32) -> Cause {
    Cause::Rung {
        key: RungKey { deadline: "reply".into(), branch: Some(1), cycle: 1, rung: "late".into(), occurrence },
        flag: None,
        skipped: None,
    }
}

fn notice(item: &str, key: &str) -> Notice {
    Notice {
        key: key.into(),
        item: item.into(),
        workflow: "suggestion".into(),
        notice: "reminder".into(),
        kind: NoticeKind::Reminder,
        person: "li".into(),
        role: "officer".into(),
        copy_of: vec![],
        branch: None,
        seq: 1,
        owed_by: None,
        parked: None,
        not_before: at(60),
        before_day: None,
        bundle: String::new(),
        values: serde_json::json!({"title": "修路"}),
    }
}

pub fn about(item: &str, rev: u64) -> About {
    let caches = Caches {
        state: "open".into(),
        title: format!("{item} 修路"),
        search: format!("{item}\n修路 100%"),
        fields: r#"{"class":"B"}"#.into(),
        dues: "{}".into(),
        ..Caches::default()
    };
    About {
        item: item.into(),
        workflow: "suggestion".into(),
        rev,
        caches,
        command: None,
        fence: None,
        rules_rev: 1,
        events: Vec::new(),
        now: at(rev as i64),
    }
}

fn answered(id: &str) -> Option<Answered> {
    Some(Answered { actor: "zhang".into(), id: id.into(), request_hash: format!("hash of {id}").into(), answer: r#"{"rev":1}"#.into() })
}

pub fn command(id: &str) -> Cause {
    Cause::Command { id: id.into() }
}

pub fn accepted(rev: u64, cause: Cause) -> Accepted {
    Accepted { facts: vec![fact(rev + 1, cause)], ..Accepted::default() }
}

pub async fn save(store: &Store, about: About, accepted: Accepted) -> Result<Saved, NotSaved> {
    store.save(Lane::User, Save::new(about, accepted)?).await
}

async fn create(store: &Store, item: &str) {
    save(store, about(item, 0), accepted(0, command(item))).await.expect("is made");
}

async fn an_item_is_read_back_as_it_was_written_also_after_a_restart(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    save(&store, about("s1", 1), accepted(1, rung(1))).await.expect("is saved");
    store.close().await;

    let store = open(&ground).await;
    let recorded = store.item("s1").await.expect("reads").expect("is there");
    assert_eq!((recorded.rev, &*recorded.workflow), (2, "suggestion"));
    assert_eq!(recorded.facts, vec![fact(1, command("s1")), fact(2, rung(1))]);
    assert_eq!(store.instance(), "office");
    assert_eq!(store.high_water().await.expect("reads"), Some(at(1)));
    assert!(store.item("s2").await.expect("reads").is_none());
    let many = store.items(&["s1", "s2"]).await.expect("reads");
    assert_eq!(*many["s1"].as_ref().expect("reads"), recorded.facts);
    assert_eq!(many.len(), 1);
}

async fn a_changed_removed_or_added_fact_shows_in_the_chain(ground: Ground) {
    for (tampering, complaint) in [
        ("update fact set json = replace(json, 'zhang', 'wang') where seq = 2", "fact 2 of `s1` was changed"),
        ("delete from fact where seq = 2", "fact 2 of `s1` is missing"),
        ("delete from fact where seq = 3", "fact 3 of `s1` is missing"),
        ("update fact set cause_key = 'rung:other' where seq = 2", "the cause of fact 2 of `s1` was changed"),
        ("update item set head = 'x'", "the last fact of `s1` is not the one it was saved with"),
        (
            "insert into fact select jurisdiction, item, seq + 1, json, cause_key || 'x', hash from fact where seq = 3",
            "fact 4 of `s1` was changed",
        ),
    ] {
        let ground = ground.another().await;
        let store = open(&ground).await;
        create(&store, "s1").await;
        for rev in 1..3 {
            save(&store, about("s1", rev), accepted(rev, rung(rev as u32))).await.expect("is saved");
        }
        store.check_chain("s1").await.expect("is sound");
        ground.tamper(tampering).await;
        let found = store.check_chain("s1").await.expect_err(tampering);
        assert_eq!(found.to_string(), format!("damaged: {complaint}"));
    }
}

async fn a_decision_on_an_old_revision_is_not_written(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    let first = save(&store, about("s1", 1), accepted(1, rung(1))).await.expect("is saved");
    assert_eq!(first, Saved { rev: 2 });
    let second = save(&store, about("s1", 1), accepted(1, rung(2))).await;
    assert!(matches!(second, Err(NotSaved::Moved { rev: 2 })), "{second:?}");
    let again = save(&store, about("s1", 0), accepted(0, command("again"))).await;
    assert!(matches!(again, Err(NotSaved::Moved { rev: 2 })), "{again:?}");
    assert_eq!(store.item("s1").await.expect("reads").expect("is there").rev, 2);
}

async fn a_cause_happens_once(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    save(&store, about("s1", 1), accepted(1, rung(1))).await.expect("is saved");
    let again = save(&store, about("s1", 2), accepted(2, rung(1))).await;
    assert!(matches!(&again, Err(NotSaved::CauseRecorded(key)) if key == "rung:reply#1/1/late/1"), "{again:?}");
    let twice = Accepted { facts: vec![fact(3, rung(2)), fact(4, rung(2))], ..Accepted::default() };
    assert!(matches!(save(&store, about("s1", 2), twice).await, Err(NotSaved::CauseRecorded(_))));
    // Another item has causes of its own.
    create(&store, "s2").await;
    save(&store, about("s2", 1), accepted(1, rung(1))).await.expect("is saved");
}

async fn the_same_command_twice_is_the_same_answer(ground: Ground) {
    let store = open(&ground).await;
    let ask = || save(&store, About { command: answered("c1"), ..about("s1", 0) }, accepted(0, command("c1")));
    ask().await.expect("is saved");
    let again = ask().await;
    assert!(
        matches!(&again, Err(NotSaved::Answered { request_hash, answer }) if request_hash == "hash of c1" && answer == r#"{"rev":1}"#),
        "{again:?}"
    );
    let (hash, answer) = store.answered("zhang", "c1").await.expect("reads").expect("is there");
    assert_eq!((&*hash, &*answer), ("hash of c1", r#"{"rev":1}"#));
    assert!(store.answered("wang", "c1").await.expect("reads").is_none());
    // Both at once, in one group.
    let ask = || save(&store, About { command: answered("c2"), ..about("s1", 1) }, accepted(1, command("c2")));
    let (one, two) = tokio::join!(ask(), ask());
    assert!(one.is_ok() && matches!(two, Err(NotSaved::Answered { .. })), "{two:?}");
}

async fn numbers_are_given_once_and_in_a_row(ground: Ground) {
    let store = open(&ground).await;
    let give = |from| Accepted { numbers: vec![Number { counter: "2026".into(), from, to: from + 1 }], ..accepted(0, command("n")) };
    save(&store, about("s1", 0), give(0)).await.expect("is saved");
    let stale = save(&store, about("s2", 0), give(0)).await;
    assert!(matches!(&stale, Err(NotSaved::CounterMoved { counter, value: 1 }) if counter == "2026"), "{stale:?}");
    save(&store, about("s2", 0), give(1)).await.expect("is saved");
    assert_eq!(store.counter("2026").await.expect("reads"), 2);
    assert_eq!(store.counter("2027").await.expect("reads"), 0);
    // Queued one behind the other, as somebody does who hands out numbers before the commit.
    let saves = ["s3", "s4", "s5"].iter().zip(2..).map(|(item, from)| Save::new(about(item, 0), give(from)).expect("has a JSON form"));
    let waiting: Vec<_> = saves.map(|save| store.begin_save(Lane::User, vec![save]).expect("is queued")).collect();
    for mut saving in waiting {
        saving.done().await.expect("is saved");
    }
    assert_eq!(store.counter("2026").await.expect("reads"), 5);
}

async fn a_unique_value_belongs_to_one_item_until_it_takes_another(ground: Ground) {
    let store = open(&ground).await;
    let number = |rev: u64, value: &str| Accepted { unique: vec![("number".into(), Value::text(value))], ..accepted(rev, command("u")) };
    save(&store, about("s1", 0), number(0, "2026-001")).await.expect("is saved");
    let taken = save(&store, about("s2", 0), number(0, "2026-001")).await;
    assert!(matches!(&taken, Err(NotSaved::Taken { field, item, .. }) if field == "number" && item == "s1"), "{taken:?}");
    assert!(store.item("s2").await.expect("reads").is_none());
    save(&store, about("s1", 1), number(1, "2026-001")).await.expect("keeps its own");
    save(&store, about("s1", 2), number(2, "2026-002")).await.expect("takes another");
    save(&store, about("s2", 0), number(0, "2026-001")).await.expect("is free again");
    // Queued one behind the other, what the first one gives up is free for the next, and it holds only what it took last.
    let queued = [("s1", 3, "2026-003"), ("s1", 4, "2026-004"), ("s3", 0, "2026-003"), ("s4", 0, "2026-002")];
    let queued = queued.map(|(item, rev, value)| Save::new(about(item, rev), number(rev, value)).expect("has a JSON form"));
    let waiting = queued.map(|save| store.begin_save(Lane::User, vec![save]).expect("is queued"));
    for mut saving in waiting {
        saving.done().await.expect("is saved");
    }
    let keys = ["1", "2", "3", "4"].map(|n| format!("\"2026-00{n}\""));
    let keys: Vec<(&str, &str, &str)> = keys.iter().map(|value| ("suggestion", "number", value.as_str())).collect();
    let holders = store.holders_of(&keys).await.expect("reads");
    assert_eq!(holders, ["s2", "s4", "s3", "s1"].map(|item| Some(item.to_string())));
}

async fn decisions_of_one_unit_stand_or_fall_together(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    let save = |item: &str, rev: u64| Save::new(about(item, rev), accepted(rev, rung(rev as u32 + 1))).expect("has a JSON form");
    let failed = store.begin_save(Lane::User, vec![save("s2", 0), save("s2", 1), save("s1", 0)]).expect("is queued").done().await;
    let failed = failed.expect_err("the last one is stale");
    assert!(failed.place == 2 && matches!(failed.why, NotSaved::Moved { rev: 1 }), "{failed:?}");
    assert!(store.item("s2").await.expect("reads").is_none());
    let saved = store.begin_save(Lane::User, vec![save("s2", 0), save("s2", 1), save("s1", 1)]).expect("is queued").done().await;
    assert_eq!(saved.expect("is saved").iter().map(|saved| saved.rev).collect::<Vec<_>>(), [1, 2, 2]);
    store.check_chain("s2").await.expect("is sound");
}

/// Of several packs and slices; the second decision of each item stands in another one than its first.
async fn a_pile_of_decisions_is_written_whole_or_not_at_all(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    let pile = async |last: u64| {
        let mut pile = store.pile();
        for rev in 0..2 {
            for n in 0..100 {
                let item = format!("p{n:02}");
                let search = format!("{item} at {rev} ").repeat(2000);
                let caches = Caches { search, title: format!("{item} at {rev}"), ..about(&item, rev).caches };
                let about = About { caches, command: answered(&format!("{item} {rev}")), ..about(&item, rev) };
                let value = Value::text(&format!("{item} {rev}"));
                let accepted = Accepted {
                    notices: vec![notice(&item, &format!("{item} {rev}"))],
                    numbers: vec![Number { counter: "count".into(), from: 100 * rev as i64 + n, to: 100 * rev as i64 + n + 1 }],
                    unique: vec![("number".into(), value)],
                    ..accepted(rev, rung(rev as u32 + 1))
                };
                pile.push(about, accepted).await.expect("has a JSON form");
            }
        }
        pile.push(about("s1", last), accepted(last, rung(9))).await.expect("has a JSON form");
        pile.into_unit().await.expect("is packed")
    };
    let failed = store.begin_save(Lane::User, pile(0).await).expect("is queued").done().await.expect_err("the last one is stale");
    assert!(failed.place == 200 && matches!(failed.why, NotSaved::Moved { rev: 1 }), "{failed:?}");
    assert_eq!((store.count_open().await.expect("reads"), store.counter("count").await.expect("reads")), (1, 0));
    assert!(store.count_notices().await.expect("reads").is_empty());
    assert_eq!(store.begin_save(Lane::User, pile(1).await).expect("is queued").done().await.expect("is saved").len(), 201);
    for n in 0..100 {
        let item = format!("p{n:02}");
        store.check_chain(&item).await.expect("is sound");
        assert_eq!(store.item(&item).await.expect("reads").expect("is there").facts, [fact(1, rung(1)), fact(2, rung(2))]);
        let row = store.listed(&item).await.expect("reads").expect("is there");
        assert_eq!((row.rev, row.title), (2, format!("{item} at 1")));
        let told: BTreeSet<String> = store.notices_of(&item).await.expect("reads").into_iter().map(|notice| notice.key).collect();
        assert_eq!(told, BTreeSet::from([format!("{item} 0"), format!("{item} 1")]));
        let (first, second) = (format!("\"{item} 0\""), format!("\"{item} 1\""));
        let holders = store.holders_of(&[("suggestion", "number", &first), ("suggestion", "number", &second)]).await.expect("reads");
        assert_eq!(holders, [None, Some(item.clone())]);
    }
    assert_eq!(store.counter("count").await.expect("reads"), 200);
    let known = store.answers(&[("zhang", "p03 1"), ("li", "p03 1"), ("zhang", "p03 2")]).await.expect("reads");
    assert_eq!(known.keys().collect::<Vec<_>>(), [&("zhang".to_string(), "p03 1".to_string())]);
    let again = store.begin_save(Lane::User, pile(1).await).expect("is queued").done().await.expect_err("it was done");
    assert!(again.place == 0 && matches!(again.why, NotSaved::Answered { .. }), "{again:?}");
}

async fn wake_ups_come_in_their_order_and_only_when_due(ground: Ground) {
    let store = open(&ground).await;
    for (item, minutes) in [("s1", Some(30)), ("s2", Some(10)), ("s3", None), ("s4", Some(90))] {
        let accepted = Accepted { wake_up: minutes.map(at), ..accepted(0, command(item)) };
        save(&store, about(item, 0), accepted).await.expect("is saved");
    }
    let due = |minutes, limit| {
        let store = store.clone();
        async move {
            store
                .everywhere()
                .take_due(at(minutes), at(minutes), limit, &[])
                .await
                .expect("reads")
                .into_iter()
                .map(|due| due.item)
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(due(9, 10).await, [""; 0]);
    assert_eq!(due(60, 10).await, ["s2", "s1"]);
    assert_eq!(due(60, 1).await, ["s2"]);
    assert_eq!(store.everywhere().next_moments(at(60), &[]).await.expect("reads").wake_up, Some(at(10)));
    save(&store, about("s2", 1), accepted(1, rung(1))).await.expect("is saved");
    assert_eq!(store.everywhere().next_moments(at(60), &[]).await.expect("reads").wake_up, Some(at(30)));

    // Rules of a later revision: every open item is looked at again, the soonest first.
    let stale: Vec<_> = store.stale(2, 10).await.expect("reads").into_iter().map(|stale| stale.0).collect();
    assert_eq!(stale, ["s2", "s3", "s1", "s4"]);
    let derived = |item: &str| Derived {
        item: item.into(),
        rev: 1,
        caches: Caches { state: "open".into(), title: "as it is now".into(), fields: "{}".into(), dues: "{}".into(), ..Caches::default() },
        wake_up: Some(at(5)),
        rules_rev: 2,
        now: at(4),
    };
    assert!(store.keep_derived(derived("s4")).await.expect("writes"));
    assert!(!store.keep_derived(derived("s2")).await.expect("writes"), "it has moved");
    let row = store.listed("s4").await.expect("reads").expect("is there");
    let of_many = store.listed_of(&["s4", "nothing", "s4"]).await.expect("reads");
    assert_eq!(of_many.into_iter().collect::<Vec<_>>(), [("s4".to_string(), row.clone())], "asked for together, each once");
    assert_eq!((row.title.as_str(), row.rules_rev, row.changed_at), ("as it is now", 2, at(4)));
    assert_eq!(due(9, 10).await, ["s4"]);
    assert_eq!(store.stale(2, 10).await.expect("reads").len(), 3);
}

async fn an_item_that_was_set_aside_waits_for_its_next_try_and_comes_back_with_a_decision(ground: Ground) {
    let store = open(&ground).await;
    save(&store, about("s1", 0), Accepted { wake_up: Some(at(10)), ..accepted(0, command("s1")) }).await.expect("is saved");
    assert!(!store.quarantine("s1", Some(7), None, "other revision", at(20), at(11)).await.expect("writes"));
    for retries in 1..=2 {
        let now = at(10 + i64::from(retries));
        assert!(store.quarantine("s1", Some(1), None, "a rule failed", at(20), now).await.expect("writes"));
        let aside = store.quarantined(10).await.expect("reads");
        assert_eq!(aside[0].since, Some(at(11)), "since the first time");
        assert_eq!(store.health(at(15)).await.expect("reads").set_aside, Waiting { count: 1, oldest: Some(at(11)) });
        assert_eq!((aside[0].reason.as_str(), aside[0].retries, aside[0].retry_at), ("a rule failed", retries, Some(at(20))));
    }
    assert!(store.everywhere().take_due(at(15), at(15), 10, &[]).await.expect("reads").is_empty());
    assert_eq!(store.everywhere().take_due(at(20), at(20), 10, &[]).await.expect("reads").len(), 1);
    assert_eq!(store.item("s1").await.expect("reads").expect("is there").quarantine, Some(("a rule failed".into(), 2)));
    save(&store, about("s1", 1), accepted(1, rung(1))).await.expect("is saved");
    assert!(store.quarantined(10).await.expect("reads").is_empty());
    assert!(store.quarantine("s1", None, None, "it failed again", at(90), at(80)).await.expect("writes"));
    assert_eq!(store.quarantined(10).await.expect("reads")[0].since, Some(at(80)), "it had come back in between");

    // Under other rules it is tried again at once, whenever it would be woken; one that is not set aside waits for its own moment.
    create(&store, "s2").await;
    for (item, rev) in [("s1", 2), ("s2", 1)] {
        let caches = Caches { state: "open".into(), fields: "{}".into(), dues: "{}".into(), ..Caches::default() };
        let derived = Derived { item: item.into(), rev, caches, wake_up: None, rules_rev: 2, now: at(85) };
        assert!(store.keep_derived(derived).await.expect("writes"));
    }
    assert_eq!(store.quarantined(10).await.expect("reads")[0].retry_at, Some(at(85)));
    let due = store.everywhere().take_due(at(85), at(85), 10, &[]).await.expect("reads");
    assert_eq!(due.into_iter().map(|due| due.item).collect::<Vec<_>>(), ["s1"]);
}

async fn lists_are_filtered_by_the_caches(ground: Ground) {
    use duban::store::items::Filter;
    let store = open(&ground).await;
    for item in ["s1", "s2", "s3"] {
        create(&store, item).await;
    }
    let mut ended = about("s2", 1);
    ended.caches.state = "closed".into();
    ended.caches.ended_on = NaiveDate::from_ymd_opt(2026, 3, 3);
    ended.caches.search = "s2\n修桥 100 分".into();
    save(&store, ended, accepted(1, rung(1))).await.expect("is saved");
    let list = |filter: Filter| {
        let store = store.clone();
        async move { store.list(&filter, 10).await.expect("reads").into_iter().map(|row| row.id).collect::<Vec<_>>() }
    };
    assert_eq!(list(Filter::default()).await, ["s1", "s2", "s3"]);
    assert_eq!(list(Filter { open_only: true, after: "s1".into(), ..Filter::default() }).await, ["s3"]);
    assert_eq!(list(Filter { state: Some("closed".into()), ..Filter::default() }).await, ["s2"]);
    assert_eq!(list(Filter { workflow: Some("other".into()), ..Filter::default() }).await, [""; 0]);
    assert_eq!(list(Filter { text: Some("修桥".into()), ..Filter::default() }).await, ["s2"]);
    assert_eq!(list(Filter { text: Some("100%".into()), ..Filter::default() }).await, ["s1", "s3"], "`%` is a letter here");
    let marks = |class: &str| Filter { marks: vec![format!("\"class\":\"{class}\"")], ..Filter::default() };
    assert_eq!(list(marks("B")).await, ["s1", "s2", "s3"]);
    assert_eq!(list(marks("C")).await, [""; 0]);
    assert_eq!(list(marks("_")).await, [""; 0], "`_` is a sign here");
    assert_eq!(
        list(Filter { flag: Some("none".into()), ..Filter::default() }).await.len()
            + list(Filter { flag: Some("red".into()), ..Filter::default() }).await.len(),
        3
    );
    let day = |text: &str| text.parse::<NaiveDate>().expect("a day");
    let (first, last) = (day("2000-01-01"), day("2100-01-01"));
    assert_eq!(list(Filter { due_before: Some(first), ..Filter::default() }).await, [""; 0]);
    let (open, late, soon) = store.standing(first, last).await.expect("reads");
    assert_eq!((open, late, soon), (2, 0, store.standing(last, last).await.expect("reads").1));
    let in_hand = store.in_hand("suggestion", "class", first).await.expect("reads");
    assert_eq!(in_hand, [("B".to_string(), 2, 0)]);
    store.save_filter("li", "mine", Some("a=b")).await.expect("is kept");
    store.save_filter("li", "mine", Some("c=d")).await.expect("is kept");
    store.save_filter("wang", "other", Some("e=f")).await.expect("is kept");
    assert_eq!(store.saved_filters("li").await.expect("reads"), [("mine".to_string(), "c=d".to_string())]);
    store.save_filter("li", "mine", None).await.expect("is forgotten");
    assert!(store.saved_filters("li").await.expect("reads").is_empty());
    let row = store.listed("s2").await.expect("reads").expect("is there");
    assert_eq!((row.rev, row.ended_on, row.fields["class"].as_str()), (2, NaiveDate::from_ymd_opt(2026, 3, 3), Some("B")));
    assert_eq!(store.count_open().await.expect("reads"), 2);
    let counts = store.count_by_state().await.expect("reads");
    assert_eq!(counts, [("suggestion".into(), "closed".into(), 1), ("suggestion".into(), "open".into(), 2)]);
    assert_eq!(store.ids(None, false, "s1", 10).await.expect("reads"), ["s2", "s3"]);
}

async fn items_are_found_by_the_hands_they_may_be_in(ground: Ground) {
    let store = open(&ground).await;
    let at_hand = |item: &str, rev: u64, keys: &[&str], day: Option<u32>| {
        let mut about = about(item, rev);
        about.caches.hands = keys.iter().map(|key| key.to_string()).collect();
        about.caches.due_on = day.and_then(|day| NaiveDate::from_ymd_opt(2026, 3, day));
        about
    };
    let found = |keys: &[&str], limit: u32| {
        let (store, keys) = (store.clone(), keys.iter().map(|key| key.to_string()).collect());
        async move {
            let (items, all) = store.in_hands(&keys, 0, limit).await.expect("reads");
            (items.join(" "), all)
        }
    };
    for (item, keys, day) in [
        ("s1", &["group office", "person li"][..], Some(9)),
        ("s2", &["officer of water"], None),
        ("s3", &["officer of water"], Some(5)),
        ("s4", &[], Some(1)),
    ] {
        save(&store, at_hand(item, 0, keys, day), accepted(0, command(item))).await.expect("is saved");
    }
    assert_eq!(found(&["officer of water", "person li"], 10).await, ("s3 s1 s2".into(), 3), "by date, those without one last");
    assert_eq!(found(&["person li", "group office"], 10).await, ("s1".into(), 1), "an item once, whichever way it is found");
    assert_eq!(found(&["officer of water", "person li"], 2).await, ("s3 s1".into(), 3), "the first ones, and how many there are");
    assert_eq!(found(&["officer of"], 10).await, (String::new(), 0));
    assert_eq!(found(&[], 10).await, (String::new(), 0));

    // Into other hands, to another day, and into nobody's hands; one that stays where it is stays.
    save(&store, at_hand("s1", 1, &["officer of water"], Some(2)), accepted(1, rung(1))).await.expect("is saved");
    save(&store, at_hand("s3", 1, &[], None), accepted(1, rung(1))).await.expect("is saved");
    save(&store, at_hand("s2", 1, &["officer of water"], None), accepted(1, rung(1))).await.expect("is saved");
    assert_eq!(found(&["officer of water", "person li"], 10).await, ("s1 s2".into(), 2));
    // Two decisions of one item that are written together: what the last one that moves it says holds, also when it moves it back.
    let there = at_hand("s2", 2, &["person li"], None);
    let back = at_hand("s2", 3, &["officer of water"], None);
    let again = at_hand("s2", 4, &["officer of water"], None);
    let unit =
        [there, back, again].into_iter().zip(2..).map(|(about, rev)| Save::new(about, accepted(rev, rung(rev as u32))).expect("has rows"));
    store.begin_save(Lane::User, unit.collect()).expect("queues").done().await.expect("is saved");
    assert_eq!(found(&["person li"], 10).await, (String::new(), 0));
    assert_eq!(found(&["officer of water"], 10).await, ("s1 s2".into(), 2));
    // Derived again under other rules.
    let caches = at_hand("s4", 1, &["person li"], Some(3)).caches;
    let derived = Derived { item: "s4".into(), rev: 1, caches: caches.clone(), wake_up: None, rules_rev: 2, now: at(85) };
    assert!(store.keep_derived(derived).await.expect("writes"));
    assert_eq!(found(&["person li"], 10).await, ("s4".into(), 1));
    let hands = store.hands_of("s4").await.expect("reads");
    assert_eq!((hands.told.clone(), hands.rows), (caches.hands_text(), hands.told), "the item and the rows say the same");
    for (id, record) in store.records("", 10).await.expect("reads") {
        let hands = record.expect("is sound").hands;
        assert_eq!(hands.told, hands.rows, "{id}");
    }
    store.close().await;
    let store = open(&ground).await;
    assert_eq!(
        store.in_hands(&["officer of water".to_string()].into(), 1, 10).await.expect("reads"),
        (vec!["s2".into()], 2),
        "the next page"
    );
}

async fn a_slot_is_claimed_once_and_stays_open_until_it_was_carried_out(ground: Ground) {
    let store = open(&ground).await;
    let slot = |name: &str, minutes| Slot { sweep: "suggestion/daily".into(), slot: name.into(), at: at(minutes) };
    let (first, second) = (slot("2026-03-02T16:00", 0), slot("2026-03-03T16:00", 1440));
    assert_eq!(store.last_slot("suggestion/daily").await.expect("reads"), None);
    let (one, two) = tokio::join!(store.claim_slot(&first, at(1)), store.claim_slot(&first, at(1)));
    assert_ne!(one.expect("writes"), two.expect("writes"), "one of them, whichever comes first");
    store.close().await;

    let store = open(&ground).await;
    assert!(!store.claim_slot(&first, at(2)).await.expect("writes"));
    assert!(store.claim_slot(&second, at(1441)).await.expect("writes"));
    let open = store.everywhere().take_open_slots(at(2000), at(2001), 10, &[]).await.expect("takes");
    assert_eq!(open.into_iter().map(|(_, slot)| slot).collect::<Vec<_>>(), [first.clone(), second.clone()]);
    assert_eq!(store.everywhere().next_moments(at(0), &[]).await.expect("reads").open_slot, Some(at(2001)));
    store.finish_slot(&first, at(3)).await.expect("writes");
    let open = store.everywhere().take_open_slots(at(3000), at(3001), 10, &[]).await.expect("takes");
    assert_eq!(open, [(LOCAL.into(), second.clone())]);
    assert!(store.everywhere().take_open_slots(at(3000), at(3001), 10, &[]).await.expect("takes").is_empty(), "it was just taken");
    assert_eq!(store.last_slot("suggestion/daily").await.expect("reads"), Some(second));
}

async fn rule_sets_are_kept_with_their_texts(ground: Ground) {
    let store = open(&ground).await;
    let files = |text: &str| indexmap::IndexMap::from([("suggestion/flow.yaml".to_string(), text.to_string())]);
    assert_eq!(store.rules_in_use().await.expect("reads"), None);
    assert_eq!(store.use_rules("h1", &files("one"), &[], at(0)).await.expect("writes"), 1);
    assert_eq!(store.use_rules("h1", &files("one"), &[], at(1)).await.expect("writes"), 1);
    assert_eq!(store.use_rules("h2", &files("two"), &[], at(2)).await.expect("writes"), 2);
    let in_use = store.rules_in_use().await.expect("reads").expect("is there");
    assert_eq!((in_use.hash.as_str(), in_use.revision, in_use.in_use_since), ("h2", 2, at(2)));
    assert_eq!(store.rules("h1").await.expect("reads").expect("is there").files, files("one"));
    assert_eq!(store.use_rules("h1", &files("one"), &[], at(3)).await.expect("writes"), 3, "back to the first one");
}

#[tokio::test]
async fn a_second_process_is_told_who_holds_the_file() {
    let ground = Ground::file();
    let path = ground.path();
    assert_eq!(lock::holder(&path), None);
    let store = open(&ground).await;
    assert!(!store.unclean);
    store.announce("127.0.0.1:7070".into(), "secret".into()).expect("writes");
    let refused = Store::open(&path, Opening::default(), at(0)).await.expect_err("is held");
    let process = std::process::id();
    assert_eq!(
        refused.to_string(),
        format!("the database `{}` is in use by process {process}, which listens on 127.0.0.1:7070", path.display())
    );
    let holder = Holder { process, address: Some("127.0.0.1:7070".into()), token: Some("secret".into()) };
    assert_eq!(lock::holder(&path), Some(holder));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(ground.beside("duban.db.lock")).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Reading is allowed beside it, writing is not.
    let reader = Store::open_to_read(&path).await.expect("opens");
    assert_eq!(reader.instance(), "office");
    assert!(matches!(reader.set_meta("a", "b").await, Err(StoreError::Closed)));
    store.close().await;
    assert_eq!(lock::holder(&path), None);
    assert!(!open(&ground).await.unclean);
    // What a killed process leaves behind.
    std::fs::write(ground.beside("other.db.lock"), r#"{"process":1}"#).expect("writes");
    assert!(Store::open(ground.beside("other.db"), Opening::default(), at(0)).await.expect("opens").unclean);
}

async fn a_database_of_a_newer_version_is_refused(ground: Ground) {
    open(&ground).await.close().await;
    ground.tamper("insert into schema_version (version, applied_at) values (99, 0)").await;
    for refused in [Store::open(ground.place(), Opening::default(), at(0)).await, Store::open_to_read(ground.place()).await] {
        let refused = refused.expect_err("is newer");
        assert!(matches!(refused, StoreError::Newer { found: 99, known: SCHEMA_VERSION, .. }), "{refused}");
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused() {
    let ground = Ground::file();
    std::fs::write(ground.beside("text.db"), "not a database, but long enough to look like one".repeat(20)).expect("writes");
    let refused = Store::open(ground.beside("text.db"), Opening::default(), at(0)).await.expect_err("is text");
    assert!(refused.to_string().ends_with("the file is not a database"), "{refused}");
    let missing = Store::open_to_read(ground.beside("missing.db")).await.expect_err("is missing");
    assert!(missing.to_string().ends_with("there is no such file"), "{missing}");
}

async fn every_statement_is_understood_by_the_database(ground: Ground) {
    open(&ground).await.close().await;
    for (name, statement) in duban::store::statements::ALL {
        let prepared = ground.understands(statement).await;
        assert!(prepared.is_ok(), "{name}: {:?}", prepared.err());
    }
}

/// A server that knows nothing of a table yet takes it for small, and would compare all of it with a batch.
#[tokio::test]
async fn what_a_group_is_checked_against_is_looked_up_by_its_keys() {
    let ground = Ground::server().await;
    open(&ground).await.close().await;
    let Ground::Server(url) = &ground else { panic!("a server") };
    let mut connection = sqlx::PgConnection::connect(url).await.expect("connects");
    let run = async |connection: &mut sqlx::PgConnection, text: String| {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.clone())).execute(connection).await.unwrap_or_else(|error| panic!("{text}: {error}"))
    };
    for table in ["command", "fact", "notice", "item", "unique_value", "counter"] {
        run(&mut connection, format!("alter table {table} set (autovacuum_enabled = off)")).await;
    }
    // Rows of items that are not there are enough.
    run(&mut connection, "set session_replication_role = replica".into()).await;
    let rows = "from generate_series(1, 3000) n";
    for filled in [
        format!("insert into command select 'local', 'ann', 'c' || n, '', '', 'r' || n, 0 {rows}"),
        format!("insert into fact (jurisdiction, item, seq, json, cause_key, hash) select 'local', 'r' || n, 1, '', 'k' || n, '' {rows}"),
        format!("insert into item (jurisdiction, id, workflow, rev, state, title, search, fields, dues, rules_rev, changed_at, head, retries)
            select 'local', 'r' || n, 'w', 1, 's', '', '', '{{}}', '{{}}', 1, 0, '', 0 {rows}"),
        format!("insert into notice (jurisdiction, key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json, recorded_at)
            select 'local', 'k' || n, 'r' || n, 1, 'w', 'n', 'info', 'ann', 0, '', 'ready', '', 0 {rows}"),
        format!("insert into counter (jurisdiction, name, value) select 'local', 'c' || n, 0 {rows}"),
        format!(
            "insert into unique_value (jurisdiction, workflow, field, value, item) select 'local', 'w', 'f', 'v' || n, 'r' || n {rows}"
        ),
    ] {
        run(&mut connection, filled).await;
    }
    // As the writer has it.
    for method in ["seqscan", "hashjoin", "mergejoin"] {
        run(&mut connection, format!("set enable_{method} = off")).await;
    }
    run(&mut connection, "set plan_cache_mode = force_generic_plan".into()).await;
    let all = duban::store::statements::ALL;
    for name in ["SAVE_ITEMS", "SAVE_COMMANDS", "SAVE_CAUSES", "SAVE_NOTICES", "SAVE_COUNTERS", "SAVE_UNIQUE", "FACTS_OF_MANY", "ITEM_REVS"]
    {
        let (_, statement) = all.iter().find(|(each, _)| *each == name).expect(name);
        let text = duban::store::numbered(&duban::store::translated(statement));
        run(&mut connection, format!("prepare {name} (text, text) as {text}")).await;
        let plan = sqlx::AssertSqlSafe(format!("explain execute {name} ('[]', 'local')"));
        let lines: Vec<(String,)> = sqlx::query_as(plan).fetch_all(&mut connection).await.expect(name);
        let plan: Vec<&str> = lines.iter().map(|(line,)| line.as_str()).collect();
        let told = plan.join("\n");
        assert!(!told.contains("Join Filter") && !told.contains("Seq Scan"), "{name} goes over a table:\n{told}");
        let by_key = plan.iter().filter(|line| line.contains("Index Cond"));
        assert!(by_key.clone().count() > 0 && by_key.clone().all(|line| line.contains(" AND ")), "{name} goes over an office:\n{told}");
    }
}

/// What is due is found by an index, however many items are open.
#[tokio::test]
async fn questions_of_the_scheduler_never_scan_what_is_open() {
    let ground = Ground::file();
    let store = open(&ground).await;
    let url = format!("sqlite://{}", ground.path().display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.expect("opens");
    let all = duban::store::statements::ALL;
    for name in [
        "WAKE_DUE",
        "NEXT_MOMENTS",
        "NOTICE_DUE",
        "MAIL_CLAIM",
        "SLOT_LAST",
        "SLOT_TAKE",
        "SCHEDULE_DUE",
        "SAVE_ITEMS",
        "SAVE_COMMANDS",
        "SAVE_CAUSES",
        "SAVE_NOTICES",
        "SAVE_COUNTERS",
        "SAVE_UNIQUE",
        "NOTICE_OF_ITEM",
        "FACTS_OF",
        "UNIQUE_DROP",
        "NOTICE_MAILED",
        "MAIL_FINISH",
        "MAIL_RENEW",
        "FACTS_OF_MANY",
        "VOLUME_BEHIND",
        "DELIVERY_CLAIM",
        "DELIVERY_NEXT",
        "DELIVERIES_FORGET",
    ] {
        let (_, statement) = all.iter().find(|(each, _)| *each == name).expect(name);
        let plan = sqlx::AssertSqlSafe(format!("explain query plan {}", duban::store::numbered(statement)));
        let steps: Vec<(i64, i64, i64, String)> = sqlx::query_as(plan).fetch_all(&mut connection).await.expect(name);
        for (_, _, _, step) in steps {
            let scans = step.starts_with("SCAN") && !step.contains("VIRTUAL TABLE");
            let scans = scans && !["SCAN free", "SCAN other", "SCAN behind", "SCAN CONSTANT ROW"].contains(&step.as_str());
            // All that a jurisdiction holds, except for the first entry of an index.
            let scans = scans || (step.ends_with("(jurisdiction=?)") && name != "NEXT_MOMENTS");
            assert!(!scans && !step.contains("TEMP B-TREE FOR ORDER BY"), "{name}: {step}");
        }
    }
    store.close().await;
}
