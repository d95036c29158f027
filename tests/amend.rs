//! What was recorded wrongly is put right in a fact of its own, over a real store.

use crate::support::world::{app_under, command, moment, rules, submit};
use duban::app::{ActError, App, How};
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::value::Value;
use duban::kernel::rules::RuleSet;
use std::sync::Arc;

/// The office, in which clerks may amend.
fn clerks_amend() -> RuleSet {
    rules(|path, text| match path {
        "request.yaml" => text.replace("version: 1\n", "version: 1\namend_by: [clerk]\n"),
        _ => text,
    })
}

async fn office(now: &str) -> (Arc<App>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), now, clerks_amend()).await.unwrap();
    (app, folder)
}

fn text(text: &str) -> Value {
    Value::text(text)
}

#[tokio::test]
async fn the_right_value_counts_as_if_it_had_been_recorded_at_once() {
    let (app, folder) = office("2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let due = async || app.store.listed("r1").await.unwrap().unwrap().due_on.unwrap().to_string();
    assert_eq!(due().await, "2026-03-09");

    let title = command(
        "r1",
        "amend",
        "carl",
        [("fact", Value::Number(1)), ("field", text("title")), ("value", text("Request one")), ("reason", text("misread"))],
    );
    let done = app.act(&title).await.unwrap();
    assert_eq!((done.rev, done.notices), (2, 0));
    assert!(app.act(&title).await.unwrap().repeated, "the same command id is the same answer");
    let mut day = command(
        "r1",
        "amend",
        "carl",
        [("fact", text("submit")), ("effective_on", text("2026-02-27")), ("reason", text("it lay in the letter box"))],
    );
    day.id = "the day".into();
    app.act(&day).await.unwrap();
    assert_eq!(due().await, "2026-03-05", "five working days from 27 February, a worked Saturday among them");
    let row = app.store.listed("r1").await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.wake_at), ("Request one", Some(moment("2026-03-03 00:00"))));
    assert_eq!(app.examine("r1").await.unwrap(), [], "chain and caches are what the facts say");

    // The wrong values are still there to be read, and what comes after goes on from the right ones.
    app.act(&command("r1", "weigh", "carl", [("weight", Value::Number(3))])).await.unwrap();
    app.store.clone().close().await;
    let app = app_under(folder.path(), "2026-03-02 11:00", clerks_amend()).await.unwrap();
    let recorded = app.store.item("r1").await.unwrap().unwrap();
    assert_eq!(recorded.facts[0].input["title"], text("Request r1"));
    assert_eq!((recorded.facts[1].input["was"].clone(), recorded.facts[1].input["reason"].clone()), (text("Request r1"), text("misread")));
    let item = app.item("r1").await.unwrap().unwrap();
    assert_eq!((item.field("title"), item.field("weight")), (&text("Request one"), &Value::Number(3)));
}

#[tokio::test]
async fn an_amendment_waits_for_what_was_queued_before_it_and_stands_alone_in_a_group() {
    let (app, _folder) = office("2026-03-02 10:00").await;
    let weigh = command("r1", "weigh", "carl", [("weight", Value::Number(3))]);
    let amend = command(
        "r1",
        "amend",
        "carl",
        [("fact", text("weigh")), ("field", text("weight")), ("value", Value::Number(4)), ("reason", text("a slip"))],
    );
    let answers = app.act_all(&[submit("r1"), weigh.clone(), amend.clone()]).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(app.item("r1").await.unwrap().unwrap().field("weight"), &Value::Number(4));

    let group = |item: &str| {
        let mut commands = vec![submit(item), weigh.clone(), amend.clone()];
        commands.iter_mut().for_each(|command| (command.item, command.id) = (item.into(), format!("{item} {}", command.action).into()));
        commands
    };
    let (answers, _) = app.together(&[group("r2")], How::default()).await.unwrap();
    let Err((2, ActError::Refused(no))) = &answers[0] else { panic!("{answers:?}") };
    assert_eq!(no.code, RefusalCode::AmendAlone);
    let mut again = amend.clone();
    again.id = "another".into();
    again.input.insert("value".into(), Value::Number(5));
    let (answers, written) = app.together(&[vec![again]], How { dry_run: true, ..How::default() }).await.unwrap();
    assert!(answers[0].is_ok() && !written, "a dry run: {answers:?}");
    assert_eq!(app.item("r1").await.unwrap().unwrap().field("weight"), &Value::Number(4));
}

#[tokio::test]
async fn a_unique_value_stays_unique() {
    let (app, _folder) = office("2026-03-02 10:00").await;
    for item in ["r1", "r2"] {
        let mut handed_in = submit(item);
        handed_in.input.insert("code".into(), text(item));
        app.act(&handed_in).await.unwrap();
    }
    let amend = |id: &str, code: &str| {
        let mut amend = command(
            "r2",
            "amend",
            "carl",
            [("fact", Value::Number(1)), ("field", text("code")), ("value", text(code)), ("reason", text("wrong sheet"))],
        );
        amend.id = id.into();
        amend
    };
    match app.act(&amend("taken", "r1")).await {
        Err(ActError::Refused(no)) => assert_eq!(no.code, RefusalCode::NotUnique),
        other => panic!("{other:?}"),
    }
    app.act(&amend("free", "r9")).await.unwrap();
    assert_eq!(app.item("r2").await.unwrap().unwrap().field("code"), &text("r9"));
}
