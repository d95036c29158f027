//! What items ask of each other, and what sweeps make: done once and answered, whoever is cut off in between, on every kind of database.

use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::rule_set::files_of;
use crate::support::world::{all, command, moment};
use duban::app::{App, How};
use duban::clock::Clock;
use duban::kernel::check;
use duban::kernel::model::command::Command;
use duban::kernel::model::fact::{Cause, Fact};
use duban::kernel::model::value::Value;
use duban::kernel::rules::RuleSet;
use duban::scheduler::{Pulse, tick};
use duban::store::Opening;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tokio_util::sync::CancellationToken;

stories!(
    what_is_asked_is_done_there_and_answered_here,
    what_a_process_left_is_done_by_the_next,
    what_cannot_be_done_is_answered_with_its_reason,
    every_item_that_a_field_names_is_asked,
    a_sweep_makes_each_item_once,
    figures_are_frozen_as_of_the_day,
    items_that_ask_each_other_in_a_circle_come_to_an_end,
    an_item_of_another_workflow_is_not_the_one_that_is_meant,
);
told!(postgres_of_many over crate::support::ground::Ground::server().await; several_processes_do_it_once);
told!(model_of_many over crate::support::ground::Ground::model_of_many(); several_processes_do_it_once);

static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/errands"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap());
    let (rules, problems) = check::load(&files);
    Arc::new(rules.unwrap_or_else(|| panic!("{problems:#?}")))
});

async fn open(ground: &Ground) -> Arc<App> {
    let now = moment("2026-03-02 10:00");
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, now).await.unwrap();
    Arc::new(App::open(store, RULES.clone(), Clock::set_to(now)).await.unwrap())
}

async fn note(app: &App, item: &str) {
    app.act(&command(item, "note", "ann", [("title", Value::text("A bridge")), ("bureau", Value::text("north"))])).await.unwrap();
}

async fn facts(app: &App, item: &str) -> Vec<Fact> {
    app.store.item(item).await.unwrap().map(|recorded| recorded.facts).unwrap_or_default()
}

async fn names(app: &App, item: &str) -> Vec<String> {
    facts(app, item).await.iter().map(|fact| fact.name.to_string()).collect()
}

async fn field(app: &App, item: &str, field: &str) -> Value {
    app.item(item).await.unwrap().unwrap().field(field).clone()
}

async fn tick_all(app: &Arc<App>) {
    let (offices, stop) = (all(app), CancellationToken::new());
    let pulse = Pulse::new(&offices.clock);
    while tick(&offices, &pulse, &stop).await.unwrap().is_some_and(|next| next <= offices.now()) {}
}

/// What the caches say is what the facts say, and nothing waits.
async fn sound(app: &App) {
    for id in app.store.ids(None, false, "", 1000).await.unwrap() {
        let findings = app.examine(&id).await.unwrap();
        assert!(findings.is_empty(), "{id}: {findings:?}");
    }
}

async fn what_is_asked_is_done_there_and_answered_here(ground: Ground) {
    let app = open(&ground).await;
    note(&app, "m1").await;
    app.act(&command("m1", "look", "ann", [])).await.unwrap();
    assert_eq!(names(&app, "m1").await, ["note", "look", "errand_done"]);
    let visit = facts(&app, "m1-2").await;
    assert_eq!(visit.iter().map(|fact| &*fact.name).collect::<Vec<_>>(), ["begin"]);
    assert_eq!(visit[0].cause, Cause::Errand { item: "m1".into(), seq: 2, no: 1 });
    assert_eq!(field(&app, "m1", "visit").await, Value::text("m1-2"));
    assert_eq!(field(&app, "m1-2", "bureau").await, Value::text("north"), "values come along");
    assert_eq!(field(&app, "m1-2", "number").await, Value::text("V-001"), "it is numbered as any other");
    app.act(&command("m1-2", "report", "carl", [("found", Value::text("a crack"))])).await.unwrap();
    assert_eq!(names(&app, "m1").await, ["note", "look", "errand_done", "hear"]);
    assert_eq!(field(&app, "m1", "found").await, Value::text("a crack"));
    assert_eq!(names(&app, "m1-2").await, ["begin", "report", "errand_done"], "an item that has ended is answered as well");
    sound(&app).await;
}

async fn what_a_process_left_is_done_by_the_next(ground: Ground) {
    let app = open(&ground).await;
    note(&app, "m1").await;
    // Whoever acts goes away before anything is asked.
    drop(app.begin_act(&command("m1", "look", "ann", [])).await);
    while names(&app, "m1").await.len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(names(&app, "m1-2").await, [""; 0]);
    tick_all(&app).await;
    assert_eq!(names(&app, "m1-2").await, ["begin"]);
    assert_eq!(names(&app, "m1").await, ["note", "look", "errand_done"]);
    tick_all(&app).await;
    assert_eq!(names(&app, "m1").await.len(), 3, "once");
    sound(&app).await;
}

async fn what_cannot_be_done_is_answered_with_its_reason(ground: Ground) {
    let app = open(&ground).await;
    note(&app, "m1").await;
    app.act(&command("m1", "look", "ann", [])).await.unwrap();
    app.act(&command("m1-2", "report", "carl", [("found", Value::text("nothing"))])).await.unwrap();
    app.act(&command("m1", "close", "ann", [])).await.unwrap();
    let last = facts(&app, "m1").await.pop().unwrap();
    assert_eq!(&*last.name, "errand_refused");
    let Cause::Answer { item, refused: Some(refusal), .. } = &last.cause else { panic!("{:?}", last.cause) };
    assert_eq!((&**item, refusal.code), ("m1-2", duban::kernel::model::decision::RefusalCode::WrongState));
    assert!(app.item("m1").await.unwrap().unwrap().is_over(), "it waits for nothing any more");
    sound(&app).await;
}

async fn every_item_that_a_field_names_is_asked(ground: Ground) {
    let app = open(&ground).await;
    for matter in ["m1", "m2", "m3"] {
        note(&app, matter).await;
    }
    for matter in ["m1", "m2"] {
        app.act(&command(matter, "look", "ann", [])).await.unwrap();
    }
    let visits = Value::List(vec![Value::text("m1-2"), Value::text("m2-2"), Value::text("nowhere")]);
    app.act(&command("m3", "group", "ann", [("visits", visits)])).await.unwrap();
    for visit in ["m1-2", "m2-2"] {
        assert_eq!(field(&app, visit, "remark").await, Value::text("A bridge"));
    }
    assert_eq!(names(&app, "m3").await, ["note", "group", "errand_done", "errand_done", "errand_refused"]);
    sound(&app).await;
}

async fn a_sweep_makes_each_item_once(ground: Ground) {
    let app = open(&ground).await;
    tick_all(&app).await;
    app.clock.set(moment("2026-03-04 09:00"));
    tick_all(&app).await;
    tick_all(&app).await;
    let mut made = app.store.ids(Some("visit"), false, "", 100).await.unwrap();
    made.sort();
    assert_eq!(made, ["2026-north", "2026-south"]);
    assert_eq!(facts(&app, "2026-north").await[0].cause, Cause::Sweep { sweep: "yearly".into(), slot: "2026-03-04T09:00".into() });
    app.clock.set(moment("2027-03-04 09:30"));
    tick_all(&app).await;
    assert_eq!(app.store.ids(Some("visit"), false, "", 100).await.unwrap().len(), 4, "and again in the next year");
    sound(&app).await;
}

async fn several_processes_do_it_once(ground: Ground) {
    let (one, other) = (open(&ground).await, open(&ground).await);
    for n in 0..20 {
        note(&one, &format!("m{n}")).await;
        drop(one.begin_act(&command(&format!("m{n}"), "look", "ann", [])).await);
    }
    let both = [one.clone(), other.clone()].map(|app| tokio::spawn(async move { tick_all(&app).await }));
    for app in both {
        app.await.unwrap();
    }
    tick_all(&one).await;
    for n in 0..20 {
        assert_eq!(names(&one, &format!("m{n}")).await, ["note", "look", "errand_done"], "m{n}");
        assert_eq!(names(&one, &format!("m{n}-2")).await, ["begin"], "m{n}");
    }
    sound(&one).await;
}

async fn figures_are_frozen_as_of_the_day(ground: Ground) {
    let app = open(&ground).await;
    for matter in ["m1", "m2", "m3"] {
        note(&app, matter).await;
        app.act(&command(matter, "look", "ann", [])).await.unwrap();
    }
    app.act(&command("m1-2", "report", "carl", [("found", Value::text("nothing"))])).await.unwrap();
    app.clock.set(moment("2026-03-05 10:00"));
    app.act(&command("m2-2", "report", "carl", [("found", Value::text("nothing"))])).await.unwrap();
    // As of a day before the second visit was made.
    let earlier = Command { effective_on: Some("2026-03-03".parse().unwrap()), ..command("m1", "count", "ann", []) };
    app.act(&earlier).await.unwrap();
    assert_eq!((field(&app, "m1", "made").await, field(&app, "m1", "share").await), (Value::Number(1), Value::Number(3_333)));
    // Together with others, and so is what is asked.
    let several = [vec![command("m2", "count", "ann", [])], vec![command("m3", "close", "ann", [])]];
    assert!(app.together(&several, How::default()).await.unwrap().1);
    assert_eq!(names(&app, "m3").await, ["note", "look", "errand_done", "close", "errand_done"]);
    assert_eq!((field(&app, "m2", "made").await, field(&app, "m2", "share").await), (Value::Number(2), Value::Number(6_667)));
    assert_eq!(field(&app, "m1", "made").await, Value::Number(1), "what was frozen stays");
    sound(&app).await;
}

async fn items_that_ask_each_other_in_a_circle_come_to_an_end(ground: Ground) {
    let app = open(&ground).await;
    note(&app, "m1").await;
    app.act(&command("m1", "look", "ann", [])).await.unwrap();
    app.act(&command("m1", "start", "ann", [])).await.unwrap();
    tick_all(&app).await;
    let (one, other) = (names(&app, "m1").await, names(&app, "m1-2").await);
    let bounced = |names: &[String]| names.iter().filter(|name| *name == "bounce").count();
    assert_eq!(bounced(&one) + bounced(&other), 12);
    let refused = [one, other].concat().iter().filter(|name| *name == "errand_refused").count();
    assert_eq!(refused, 1, "and that is on record");
    assert!(app.item("m1").await.unwrap().unwrap().errands.is_empty());
    sound(&app).await;
}

async fn an_item_of_another_workflow_is_not_the_one_that_is_meant(ground: Ground) {
    let app = open(&ground).await;
    for matter in ["m1", "m2"] {
        note(&app, matter).await;
    }
    app.act(&command("m2", "group", "ann", [("visits", Value::List(vec![Value::text("m1")]))])).await.unwrap();
    assert_eq!(names(&app, "m1").await, ["note"]);
    assert_eq!(names(&app, "m2").await, ["note", "group", "errand_refused"]);
    let nowhere = Command { input: [("title".into(), Value::text("No bureau"))].into(), ..command("m3", "note", "ann", []) };
    app.act(&nowhere).await.unwrap();
    let refused = app.act(&command("m3", "count", "ann", [])).await.unwrap_err();
    assert!(format!("{refused:?}").contains("MissingInput"), "there is no row to count: {refused:?}");
}
