//! Commands of a list, over every kind of database: tried one after the other in memory, written in one commit or not at all.

use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::world::{app_over, command, submit};
use duban::app::{ActError, App, Group, GroupAnswer, How};
use duban::kernel::model::command::Command;
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::value::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

stories!(
    a_group_that_fails_leaves_numbers_and_values_as_they_were,
    one_failure_keeps_all_out,
    what_was_done_before_is_answered_again_and_the_rest_is_done,
    a_dry_run_says_the_same_and_writes_nothing,
    a_list_whose_numbers_somebody_takes_meanwhile_is_tried_again,
);
told!(postgres_of_many over crate::support::ground::Ground::server().await; another_process_takes_the_numbers_meanwhile);
told!(model_of_many over crate::support::ground::Ground::model_of_many(); another_process_takes_the_numbers_meanwhile);

const NOW: &str = "2026-03-02 10:00";

fn with_code(item: &str, code: &str) -> Command {
    let mut handed_in = submit(item);
    handed_in.input.insert("code".into(), Value::text(code));
    handed_in
}

/// A request that is handed in and then weighed.
fn weighed(item: &str, code: &str, weight: i64) -> Group {
    vec![with_code(item, code), command(item, "weigh", "carl", [("weight", Value::Number(weight))])]
}

async fn field(app: &App, item: &str, name: &str) -> Value {
    app.item(item).await.unwrap().unwrap_or_else(|| panic!("{item} is there")).field(name).clone()
}

fn code(answer: &GroupAnswer) -> (usize, RefusalCode) {
    match answer {
        Err((place, ActError::Refused(no))) => (*place, no.code),
        other => panic!("not refused: {other:?}"),
    }
}

async fn a_group_that_fails_leaves_numbers_and_values_as_they_were(ground: Ground) {
    let app = app_over(&ground, NOW).await;
    let groups = [
        weighed("r1", "a", 2),
        // Its second command fails: the number and the code that the first took are free again.
        weighed("r2", "b", 1000),
        weighed("r3", "b", 3),
        weighed("r4", "a", 4),
        // Weighs r3, then fails: r3 weighs what it did.
        vec![command("r3", "ask_back", "carl", [("question", Value::text("why?"))]), with_code("r5", "a")],
        vec![command("r3", "answer", "carl", [])],
    ];
    let (answers, written) = app.together(&groups, How { skip_failed: true, ..How::default() }).await.unwrap();
    assert!(written);
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true, false, false, true]);
    assert_eq!(code(&answers[1]), (1, RefusalCode::Rule));
    assert_eq!((code(&answers[3]), code(&answers[4])), ((0, RefusalCode::NotUnique), (1, RefusalCode::NotUnique)));
    for gone in ["r2", "r4", "r5"] {
        assert!(app.item(gone).await.unwrap().is_none(), "{gone}");
    }
    assert_eq!(field(&app, "r1", "number").await, Value::text("2026-001"));
    assert_eq!((field(&app, "r3", "number").await, field(&app, "r3", "code").await), (Value::text("2026-002"), Value::text("b")));
    let facts = app.store.item("r3").await.unwrap().unwrap().facts;
    assert_eq!(facts.iter().map(|fact| &*fact.name).collect::<Vec<_>>(), ["submit", "weigh", "answer"]);
    app.act(&submit("r6")).await.unwrap();
    assert_eq!(field(&app, "r6", "number").await, Value::text("2026-003"), "no number was lost");
    for item in ["r1", "r3", "r6"] {
        app.store.check_chain(item).await.unwrap();
        assert_eq!(app.examine(item).await.unwrap(), [], "{item}");
    }
}

async fn one_failure_keeps_all_out(ground: Ground) {
    let app = app_over(&ground, NOW).await;
    let groups = [weighed("r1", "a", 2), weighed("r2", "b", 1000), weighed("r3", "c", 3)];
    let (answers, written) = app.together(&groups, How::default()).await.unwrap();
    assert_eq!((answers.iter().map(Result::is_ok).collect::<Vec<_>>(), written), (vec![true, false, true], false));
    assert_eq!(app.store.count_open().await.unwrap(), 0);
    app.act(&submit("r4")).await.unwrap();
    assert_eq!(field(&app, "r4", "number").await, Value::text("2026-001"));
}

async fn what_was_done_before_is_answered_again_and_the_rest_is_done(ground: Ground) {
    let app = app_over(&ground, NOW).await;
    let mut groups = vec![weighed("r1", "a", 2), weighed("r2", "b", 3)];
    assert!(app.together(&groups, How::default()).await.unwrap().1);
    let (answers, written) = app.together(&groups, How::default()).await.unwrap();
    assert!(!written && answers.iter().all(|answer| answer.as_ref().unwrap().iter().all(|done| done.repeated)), "{answers:?}");
    // Though it could be done again.
    groups.insert(1, vec![command("r1", "weigh", "carl", [("weight", Value::Number(2))])]);
    groups.push(weighed("r3", "c", 4));
    let (answers, written) = app.together(&groups, How::default()).await.unwrap();
    let repeated: Vec<bool> = answers.iter().map(|answer| answer.as_ref().unwrap().iter().all(|done| done.repeated)).collect();
    assert_eq!((repeated, written), (vec![true, true, true, false], true));
    assert_eq!(app.store.item("r1").await.unwrap().unwrap().facts.len(), 2);
    let mut other = groups[3].clone();
    other[1].input.insert("weight".into(), Value::Number(5));
    let (answers, _) = app.together(&[other], How::default()).await.unwrap();
    assert_eq!(code(&answers[0]), (1, RefusalCode::CommandReused));
}

async fn a_dry_run_says_the_same_and_writes_nothing(ground: Ground) {
    let app = app_over(&ground, NOW).await;
    let groups = [weighed("r1", "a", 2), weighed("r2", "a", 3), weighed("r3", "c", 3)];
    let said = |answers: Vec<GroupAnswer>| answers.into_iter().map(|answer| answer.map_err(|(place, _)| place)).collect::<Vec<_>>();
    let (dry, written) = app.together(&groups, How { dry_run: true, skip_failed: true, ..How::default() }).await.unwrap();
    assert!(!written && app.store.count_open().await.unwrap() == 0);
    let (done, written) = app.together(&groups, How { skip_failed: true, ..How::default() }).await.unwrap();
    assert!(written);
    assert_eq!(said(dry), said(done));
}

/// Enough for several packs of texts and several slices of rows.
const MANY: usize = 70;

fn long(item: &str) -> Group {
    let mut handed_in = submit(item);
    // No two are alike.
    let text: String = (0..6000).map(|n| format!("{item} {n} ")).collect();
    handed_in.input.insert("title".into(), Value::text(&text));
    vec![handed_in, command(item, "weigh", "carl", [("weight", Value::Number(2))])]
}

/// Takes a number as soon as the list has taken its first one, and once more in the second try.
async fn taken_meanwhile(app: &Arc<App>, other: Arc<App>) {
    let groups: Vec<Group> = (0..MANY).map(|n| long(&format!("r{n}"))).collect();
    let (tries, begun) = (AtomicUsize::new(0), tokio::runtime::Handle::current());
    let tried = |groups: usize| {
        if groups == 1 {
            let number = tries.fetch_add(1, Ordering::Relaxed);
            if number < 2 {
                let other = other.clone();
                let taking = begun.spawn(async move { other.act(&submit(&format!("x{number}"))).await.map(|done| done.rev) });
                // It is stored before the list goes on.
                let taken = tokio::task::block_in_place(|| begun.block_on(taking));
                assert_eq!(taken.unwrap().unwrap(), 1);
            }
        }
    };
    let (answers, written) = app.together(&groups, How { tried: Some(&tried), ..How::default() }).await.unwrap();
    assert!(written && answers.iter().all(Result::is_ok));
    assert_eq!(tries.into_inner(), 3, "twice in vain");
    assert_eq!(app.store.count_open().await.unwrap(), MANY as u64 + 2);
    let mut numbers = BTreeSet::new();
    for item in (0..MANY).map(|n| format!("r{n}")).chain(["x0".into(), "x1".into()]) {
        let Value::Text(number) = field(app, &item, "number").await else { panic!("{item} has a number") };
        numbers.insert(number.to_string());
    }
    assert_eq!(numbers, (1..=MANY + 2).map(|n| format!("2026-{n:03}")).collect());
    assert_eq!(app.store.item("r7").await.unwrap().unwrap().facts[0].input["title"], groups[7][0].input["title"]);
    for item in ["r0", "r7", "r69", "x1"] {
        app.store.check_chain(item).await.unwrap();
        assert_eq!(app.examine(item).await.unwrap(), [], "{item}");
    }
}

async fn a_list_whose_numbers_somebody_takes_meanwhile_is_tried_again(ground: Ground) {
    let app = app_over(&ground, NOW).await;
    taken_meanwhile(&app, app.clone()).await;
}

async fn another_process_takes_the_numbers_meanwhile(ground: Ground) {
    let (app, other) = (app_over(&ground, NOW).await, app_over(&ground, NOW).await);
    taken_meanwhile(&app, other).await;
}
