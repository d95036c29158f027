//! The use cases over a real store: acting, waking, sweeping, with everything that may come in between.

use crate::support::world::{World, all, app_under, command, moment, rules, submit};
use duban::app::{ActError, Done, How, Swept, Woken};
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::fact::Cause;
use duban::kernel::model::value::Value;
use sqlx::Connection as _;
use std::collections::BTreeSet;

async fn facts(world: &World, item: &str) -> Vec<String> {
    let recorded = world.app.store.item(item).await.unwrap().unwrap();
    recorded.facts.iter().map(|fact| fact.name.to_string()).collect()
}

/// Runs ticks until nothing is due; gives what they did together.
async fn wake(world: &World) -> Woken {
    let mut sum = Woken::default();
    for _ in 0..100 {
        let woken = all(&world.app).wake_due(256).await.unwrap();
        if woken.looked_at == 0 {
            return sum;
        }
        sum.looked_at += woken.looked_at;
        sum.facts += woken.facts;
        sum.notices += woken.notices;
        sum.set_aside += woken.set_aside;
        assert_eq!(woken.moved, 0, "nobody else is at work");
    }
    panic!("the ticks never end: {sum:?}");
}

fn refusal(answer: Result<Done, ActError>) -> RefusalCode {
    match answer {
        Err(ActError::Refused(refusal)) => refusal.code,
        other => panic!("not refused: {other:?}"),
    }
}

#[tokio::test]
async fn a_request_is_numbered_reminded_escalated_and_answered() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    world.submit("r2").await;
    let item = world.app.item("r2").await.unwrap().unwrap();
    assert_eq!(item.field("number"), &Value::text("2026-002"));
    let row = world.app.store.listed("r2").await.unwrap().unwrap();
    assert_eq!((row.title.as_str(), row.state.as_str(), row.due_on.unwrap().to_string().as_str()), ("Request r2", "open", "2026-03-09"));
    assert_eq!(row.wake_at, Some(moment("2026-03-05 00:00")));
    assert_eq!(all(&world.app).wake_due(256).await.unwrap(), Woken::default(), "nothing is due yet");

    world.now_is("2026-03-05 00:00");
    assert_eq!(wake(&world).await, Woken { looked_at: 2, facts: 2, notices: 2, ..Woken::default() });
    assert_eq!(wake(&world).await, Woken::default(), "once");
    world.now_is("2026-03-06 09:00");
    world.app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    world.now_is("2026-03-10 12:00");
    assert_eq!(wake(&world).await, Woken { looked_at: 1, facts: 1, notices: 2, ..Woken::default() });
    assert_eq!(facts(&world, "r2").await, ["submit", "answer.soon", "answer.late"]);
    let row = world.app.store.listed("r2").await.unwrap().unwrap();
    assert_eq!(row.flag.as_deref(), Some("amber"));
    let row = world.app.store.listed("r1").await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.wake_at, row.due_on), ("answered", None, None));
    assert!(row.ended_on.is_some());
}

#[tokio::test]
async fn the_same_command_is_done_once_also_after_a_restart_and_when_it_would_be_refused_now() {
    let world = World::open("2026-03-02 10:00").await;
    let first = world.app.act(&submit("r1")).await.unwrap();
    assert_eq!((first.rev, &*first.state, first.repeated), (1, "open", false));
    let answer = command("r1", "answer", "carl", []);
    let done = world.app.act(&answer).await.unwrap();
    assert_eq!((done.rev, &*done.state, done.notices), (2, "answered", 1));
    for command in [submit("r1"), answer.clone()] {
        assert!(world.app.act(&command).await.unwrap().repeated);
    }
    let mut other = answer.clone();
    other.action = "weigh".into();
    assert_eq!(refusal(world.app.act(&other).await), RefusalCode::CommandReused);
    let world = world.reopen("2026-03-03 10:00").await;
    assert_eq!(world.app.act(&answer).await.unwrap(), Done { repeated: true, ..done });
    // Twice at the same time.
    let submit = submit("r2");
    let (one, two) = tokio::join!(world.app.act(&submit), world.app.act(&submit));
    assert_ne!(one.unwrap().repeated, two.unwrap().repeated);
    assert_eq!(facts(&world, "r2").await.len(), 1);
}

#[tokio::test]
async fn a_refusal_says_why_and_leaves_nothing_behind() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    let act = async |command| refusal(world.app.act(&command).await);
    assert_eq!(act(command("r2", "answer", "carl", [])).await, RefusalCode::UnknownItem);
    assert_eq!(act(command("r2", "fly", "carl", [])).await, RefusalCode::UnknownAction);
    assert_eq!(act(command("r1", "answer", "ann", [])).await, RefusalCode::WrongRole);
    assert_eq!(act(command("r1", "answer", "nobody", [])).await, RefusalCode::UnknownPerson);
    assert_eq!(act(command("r1", "weigh", "carl", [("weight", Value::Number(2000))])).await, RefusalCode::Rule);
    let mut late = command("r1", "answer", "carl", []);
    late.seen_rev = Some(7);
    assert_eq!(act(late).await, RefusalCode::StaleRevision);
    let mut again = submit("r1");
    again.id = "another".into();
    assert_eq!(act(again).await, RefusalCode::ItemExists);
    assert_eq!(facts(&world, "r1").await, ["submit"]);
    assert!(world.app.store.item("r2").await.unwrap().is_none());
    // A preview decides, and writes nothing.
    assert_eq!(world.app.preview(&command("r1", "answer", "carl", [])).await.unwrap().notices.len(), 1);
    assert_eq!(facts(&world, "r1").await, ["submit"]);
}

#[tokio::test]
async fn a_unique_value_is_refused_to_a_second_item() {
    let world = World::open("2026-03-02 10:00").await;
    let with_code = |item: &str| command(item, "submit", "ann", [("title", Value::text("t")), ("code", Value::text("A7"))]);
    world.app.act(&with_code("r1")).await.unwrap();
    assert_eq!(refusal(world.app.act(&with_code("r2")).await), RefusalCode::NotUnique);
    world.submit("r3").await;
    let item = world.app.item("r3").await.unwrap().unwrap();
    assert_eq!(item.field("number"), &Value::text("2026-002"), "no number was lost to the refused one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_people_at_once_get_numbers_in_a_row_and_lose_nothing() {
    let world = World::open("2026-03-02 10:00").await;
    let before = world.app.store.counts();
    let mut people = tokio::task::JoinSet::new();
    for person in 0..64 {
        let app = world.app.clone();
        people.spawn(async move {
            for round in 0..5 {
                app.act(&submit(&format!("r{person}.{round}"))).await.unwrap();
            }
        });
    }
    // Beside them, everybody weighs the same item.
    world.submit("heavy").await;
    for weight in 1..=16 {
        let app = world.app.clone();
        people.spawn(async move {
            let mut weigh = command("heavy", "weigh", "carl", [("weight", Value::Number(weight))]);
            weigh.id = format!("weigh {weight}").into();
            app.act(&weigh).await.unwrap();
        });
    }
    while let Some(person) = people.join_next().await {
        person.unwrap();
    }
    assert_eq!(facts(&world, "heavy").await.len(), 17);
    let mut numbers = BTreeSet::new();
    for row in world.app.store.list(&Default::default(), 1000).await.unwrap() {
        world.app.store.check_chain(&row.id).await.unwrap();
        numbers.insert(row.fields["number"].as_str().unwrap().to_string());
    }
    let expected: BTreeSet<String> = (1..=321).map(|number| format!("2026-{number:03}")).collect();
    assert_eq!(numbers, expected);
    let after = world.app.store.counts();
    let (commands, commits) = (after.commands - before.commands, after.commits - before.commits);
    assert!(commits * 4 <= commands, "{commits} commits for {commands} commands");
}

#[tokio::test]
async fn commands_of_one_moment_share_a_commit_and_keep_their_order() {
    let world = World::open("2026-03-02 10:00").await;
    let before = world.app.store.counts();
    let mut commands = Vec::new();
    for item in 0..50 {
        commands.push(submit(&format!("r{item}")));
        commands.push(command(&format!("r{item}"), "weigh", "carl", [("weight", Value::Number(item))]));
        commands.push(command(&format!("r{item}"), "answer", "carl", []));
    }
    commands.push(command("r1", "weigh", "carl", [("weight", Value::Number(3))]));
    let answers = world.app.act_all(&commands).await;
    assert!(answers[..150].iter().all(Result::is_ok), "{answers:?}");
    assert!(answers[150].as_ref().is_ok_and(|done| done.repeated) || answers[150].is_err(), "{:?}", answers[150]);
    assert_eq!(facts(&world, "r7").await, ["submit", "weigh", "answer"]);
    let commits = world.app.store.counts().commits - before.commits;
    assert!(commits < 50, "{commits} commits");
}

#[tokio::test]
async fn what_is_carried_from_decision_to_decision_is_what_the_facts_give() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    for (now, weight) in [("2026-03-05 08:00", 3), ("2026-03-11 08:00", 5), ("2026-03-20 08:00", 7)] {
        world.now_is(now);
        wake(&world).await;
        let mut weigh = command("r1", "weigh", "carl", [("weight", Value::Number(weight))]);
        weigh.id = now.into();
        world.app.act(&weigh).await.unwrap();
        let carried = serde_json::to_value(&*world.app.item("r1").await.unwrap().unwrap()).unwrap();
        let recorded = world.app.store.item("r1").await.unwrap().unwrap();
        let rules = world.app.rules().workflows["request"].clone();
        let today = moment(now).date_naive();
        let derived = duban::kernel::derive::derive(&rules, "r1", &recorded.facts, today).unwrap().unwrap();
        assert_eq!(carried, serde_json::to_value(&*derived).unwrap());
    }
}

#[tokio::test]
async fn an_outage_of_weeks_fires_everything_once_and_in_order() {
    let world = World::open("2026-03-02 10:00").await;
    for item in ["r1", "r2"] {
        world.submit(item).await;
    }
    let world = world.reopen("2026-04-20 10:00").await;
    let woken = wake(&world).await;
    assert_eq!(world.app.store.quarantined(10).await.unwrap(), []);
    assert_eq!((woken.looked_at, woken.set_aside), (2, 0));
    let recorded = world.app.store.item("r1").await.unwrap().unwrap();
    let names: Vec<_> = recorded.facts.iter().map(|fact| &*fact.name).collect();
    assert_eq!(names, ["submit", "answer.soon", "answer.late", "answer.again", "answer.again", "answer.again"]);
    let skipped: Vec<_> = recorded
        .facts
        .iter()
        .filter_map(|fact| match &fact.cause {
            Cause::Rung { skipped, .. } => Some(skipped.as_deref()),
            _ => None,
        })
        .collect();
    assert_eq!(skipped, [Some("superseded"), None, None, None, None]);
    // The clock goes back and forth: nothing fires again.
    for now in ["2026-03-01 10:00", "2026-04-01 10:00", "2026-05-20 10:00"] {
        world.now_is(now);
        assert_eq!(wake(&world).await.facts, 0);
    }
}

/// It is decided and queued, and then nobody waits for it any more.
#[tokio::test]
async fn a_caller_who_goes_away_while_the_write_fails_leaves_no_item_that_is_not_stored() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    assert!(!world.app.item("r1").await.unwrap().unwrap().ended);
    let url = format!("sqlite://{}", world.folder.path().join("duban.db").display());
    let mut hand = sqlx::SqliteConnection::connect(&url).await.unwrap();
    let broken = "create trigger broken before insert on fact begin select raise(abort, 'broken'); end";
    sqlx::query(broken).execute(&mut hand).await.unwrap();
    let answer = command("r1", "answer", "carl", []);
    {
        let mut gone = std::pin::pin!(world.app.act(&answer));
        tokio::select! {
            biased;
            done = &mut gone => panic!("it waits for its commit: {done:?}"),
            () = std::future::ready(()) => {}
        }
    }
    // What was queued behind it fails when it has failed.
    assert!(world.app.act(&submit("r2")).await.is_err());
    sqlx::query("drop trigger broken").execute(&mut hand).await.unwrap();
    tokio::task::yield_now().await;
    let item = world.app.item("r1").await.unwrap().unwrap();
    assert_eq!((&*item.state, item.rev), ("open", 1), "it stands as it is stored");
    world.app.act(&answer).await.unwrap();
    assert_eq!(world.app.examine("r1").await.unwrap(), []);
}

#[tokio::test]
async fn whoever_reads_while_a_list_is_written_does_not_keep_what_was_before() {
    let world = World::open("2026-03-02 10:00").await;
    for n in 0..50 {
        let item = format!("r{n}");
        world.submit(&item).await;
        let (app, answer) = (world.app.clone(), command(&item, "answer", "carl", []));
        let writing = tokio::spawn(async move { app.together(&[vec![answer]], How::default()).await.map(|(_, written)| written) });
        while !writing.is_finished() {
            world.app.item(&item).await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(writing.await.unwrap().unwrap());
        assert_eq!(&*world.app.item(&item).await.unwrap().unwrap().state, "answered", "{item}");
    }
}

#[tokio::test]
async fn a_poisoned_item_is_set_aside_and_stops_nothing() {
    let world = World::open("2026-03-02 10:00").await;
    for item in ["r1", "r2", "r3"] {
        world.submit(item).await;
    }
    // The condition of a later rung computes with it, and overflows.
    world.app.act(&command("r2", "weigh", "carl", [("weight", Value::Number(900))])).await.unwrap();
    world.now_is("2026-03-10 10:00");
    wake(&world).await;
    world.now_is("2026-03-17 10:00");
    let woken = all(&world.app).wake_due(256).await.unwrap();
    assert_eq!((woken.looked_at, woken.facts, woken.set_aside), (3, 2, 1));
    assert_eq!(all(&world.app).wake_due(256).await.unwrap(), Woken::default(), "it waits for its next try");
    let aside = world.app.store.quarantined(10).await.unwrap();
    assert_eq!((aside.len(), aside[0].item.as_str(), aside[0].retries), (1, "r2", 1));
    assert_eq!(aside[0].retry_at, Some(moment("2026-03-17 10:01")));
    assert!(aside[0].reason.contains("deadlines.answer"), "{}", aside[0].reason);
    world.now_is("2026-03-17 10:01");
    assert_eq!(all(&world.app).wake_due(256).await.unwrap().set_aside, 1);
    assert_eq!(world.app.store.quarantined(10).await.unwrap()[0].retry_at, Some(moment("2026-03-17 10:05")), "each wait is longer");

    // Put right, it goes on.
    world.now_is("2026-03-17 10:02");
    let mut weigh = command("r2", "weigh", "carl", [("weight", Value::Number(2))]);
    weigh.id = "again".into();
    world.app.act(&weigh).await.unwrap();
    assert!(world.app.store.quarantined(10).await.unwrap().is_empty());
    assert_eq!(wake(&world).await.facts, 1);
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_set_aside_too() {
    use sqlx::Connection as _;
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    world.submit("r2").await;
    let world = world.reopen("2026-03-05 10:00").await;
    let url = format!("sqlite://{}", world.folder.path().join("duban.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update fact set json = '{' where item = 'r1'").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let woken = all(&world.app).wake_due(256).await.unwrap();
    assert_eq!((woken.facts, woken.set_aside), (1, 1));
    assert!(world.app.store.quarantined(10).await.unwrap()[0].reason.contains("fact 1 of `r1` cannot be read"));
}

#[tokio::test]
async fn a_tick_takes_a_bounded_batch_and_a_person_comes_first() {
    let world = World::open("2026-03-02 10:00").await;
    let commands: Vec<_> = (0..40).map(|item| submit(&format!("r{item}"))).collect();
    assert!(world.app.act_all(&commands).await.iter().all(Result::is_ok));
    world.now_is("2026-03-05 10:00");
    assert_eq!(all(&world.app).wake_due(16).await.unwrap().looked_at, 16);
    let answer = command("r39", "answer", "carl", []);
    let offices = all(&world.app);
    let (tick, person) = tokio::join!(offices.wake_due(16), world.app.act(&answer));
    assert_eq!(tick.unwrap().looked_at, 16);
    person.unwrap();
    assert_eq!(wake(&world).await.facts, 7, "the answered one owes nothing any more");
}

#[tokio::test]
async fn a_sweep_runs_once_for_each_slot_and_goes_on_where_it_was_cut() {
    let world = World::open("2026-03-20 10:00").await;
    for item in 0..5 {
        world.submit(&format!("r{item}")).await;
    }
    assert_eq!(
        all(&world.app).sweep_due().await.unwrap(),
        Swept { looked_at: 2, ..Swept::default() },
        "what lies before its first day is not caught up"
    );
    assert_eq!(all(&world.app).next_moments().await.unwrap().slot, Some(moment("2026-04-01 08:00")));
    world.now_is("2026-04-01 08:00");
    world.app.act(&command("r0", "answer", "carl", [])).await.unwrap();
    let swept = all(&world.app).sweep_due().await.unwrap();
    assert_eq!((swept.slots, swept.items, swept.notices, swept.set_aside), (2, 8, 4, 0), "both sweeps, four open items each");
    assert_eq!(all(&world.app).sweep_due().await.unwrap(), Swept::default());
    assert_eq!(all(&world.app).next_moments().await.unwrap().slot, Some(moment("2026-05-01 08:00")));

    // Down for three months: the monthly round is made up for once, the quarter's letter is not sent late.
    let world = world.reopen("2026-07-10 10:00").await;
    let swept = all(&world.app).sweep_due().await.unwrap();
    assert_eq!((swept.slots, swept.items, swept.notices), (1, 4, 0));
    let item = world.app.item("r1").await.unwrap().unwrap();
    assert_eq!(item.field("months"), &Value::Number(2));
    let recorded = world.app.store.item("r1").await.unwrap().unwrap();
    let last = recorded.facts.last().unwrap();
    assert_eq!((&*last.name, last.effective_on.to_string().as_str()), ("count_month", "2026-07-01"), "it counts as done on its day");
}

#[tokio::test]
async fn a_slot_that_was_left_open_is_gone_through_again() {
    let world = World::open("2026-03-20 10:00").await;
    for item in 0..3 {
        world.submit(&format!("r{item}")).await;
    }
    all(&world.app).sweep_due().await.unwrap();
    world.now_is("2026-05-01 08:00");
    all(&world.app).sweep_due().await.unwrap();
    // As if the process had died after the first item: the slot was never finished.
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", world.folder.path().join("duban.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update slot set done_at = null where sweep = 'request/monthly' and slot like '2026-05%'")
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
    world.submit("r3").await;
    let world = world.reopen("2026-05-01 08:05").await;
    let swept = all(&world.app).sweep_due().await.unwrap();
    assert_eq!((swept.slots, swept.items, swept.facts), (1, 1, 1), "only the one that had not been seen");
    assert_eq!(all(&world.app).next_moments().await.unwrap().open_slot, None);
    assert_eq!(world.app.item("r1").await.unwrap().unwrap().field("months"), &Value::Number(1));
}

#[tokio::test]
async fn other_rules_are_refused_while_items_are_open_but_people_may_come_and_go() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    let World { app, folder } = world;
    let close = async |app: std::sync::Arc<duban::app::App>| app.store.clone().close().await;
    close(app).await;
    let longer = || rules(|_, text| text.replace("length: 5 working days", "length: 10 working days"));
    let refused = app_under(folder.path(), "2026-03-03 10:00", longer()).await.err().unwrap();
    assert_eq!(refused.to_string(), "1 items are open under another version of these rules; different are: request.yaml");

    let people = rules(|_, text| text.replace("name: Carl", "name: Karl").replace("carl@example.com", "karl@example.com"));
    let app = app_under(folder.path(), "2026-03-03 10:00", people).await.unwrap();
    assert_eq!((all(&app).refresh_stale(10).await.unwrap(), all(&app).refresh_stale(10).await.unwrap()), (1, 0));
    app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    close(app).await;
    let app = app_under(folder.path(), "2026-03-03 11:00", longer()).await.unwrap();
    app.act(&submit("r2")).await.unwrap();
    assert_eq!(app.store.listed("r2").await.unwrap().unwrap().due_on.unwrap().to_string(), "2026-03-17");
}

/// The office, in which requests have parts that a clerk closes, unless they are heavy.
fn with_parts(_: &str, text: String) -> String {
    if !text.starts_with("# A small office") {
        return text;
    }
    let split = "  split:\n    title: split\n    by: [clerk]\n    from: [open]\n    ask:\n      light: { title: light, type: number, required: true }\n      heavy: { title: heavy, type: number, required: true }\n    open:\n      part:\n        \
                 - { set: { size: input.light } }\n        - { set: { size: input.heavy } }\n";
    let parts = "
branches:
  part:
    title: part
    cancelled_state: dropped
    when_item_ends: cancel
    fields:
      size: { title: size, type: number, required: true }
    states:
      begun:   { title: begun, kind: start, owner: clerk, no_deadline_needed: true }
      closed:  { title: closed, kind: end }
      dropped: { title: dropped, kind: end }
    actions:
      close:
        title: close
        by: [clerk]
        from: [begun]
        to: closed
        require:
          - if: task.size < 5
            say: Too heavy.
";
    let text = text.replace("actions:\n  submit:", &format!("actions:\n{split}  submit:"));
    text.replace("    tell: [answered]", "    do_on: { part: close }\n    or_none: true\n    tell: [answered]") + parts
}

#[tokio::test]
async fn what_ends_with_an_item_is_done_before_the_rest_is_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), "2026-03-02 10:00", rules(with_parts)).await.unwrap();
    app.act(&submit("r1")).await.unwrap();
    app.act(&command("r1", "split", "carl", [("light", Value::Number(1)), ("heavy", Value::Number(9))])).await.unwrap();
    app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    let item = app.item("r1").await.unwrap().unwrap();
    let ends: Vec<_> = item.branches.iter().map(|branch| (&*branch.state, branch.cancelled)).collect();
    assert_eq!(ends, [("closed", false), ("dropped", true)], "what could be closed is, the rest goes with the item");
    let recorded = app.store.item("r1").await.unwrap().unwrap();
    let names: Vec<&str> = recorded.facts.iter().map(|fact| &*fact.name).collect();
    assert_eq!(names, ["submit", "split", "answer", "close", "item_ended"]);
    assert_eq!(app.examine("r1").await.unwrap(), []);
}

#[tokio::test]
async fn a_changed_calendar_or_directory_is_taken_in_by_the_scheduler() {
    use duban::scheduler::{Pulse, tick};
    use tokio_util::sync::CancellationToken;
    // The calendar first says that the days from 4 to 6 March are off.
    let off = |path: &str, text: String| match path {
        "../calendars/cn.yaml" => {
            let holiday = "劳动节: [\"2026-05-01..2026-05-05\"]";
            assert!(text.contains(holiday));
            text.replace(holiday, &format!("{holiday}\n      停电: [\"2026-03-04..2026-03-06\"]"))
        }
        _ => text,
    };
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), "2026-03-02 10:00", rules(off)).await.unwrap();
    for item in 0..150 {
        app.act(&submit(&format!("r{item:03}"))).await.unwrap();
    }
    let row = async |app: &duban::app::App, item: &str| app.store.listed(item).await.unwrap().unwrap();
    assert_eq!(row(&app, "r007").await.due_on.unwrap().to_string(), "2026-03-12");
    app.store.clone().close().await;

    // It was a mistake: everything falls due earlier, and Carl has gone.
    let people = |path: &str, text: String| match path {
        "directory.yaml" => text.replace("carl:", "dora:").replace("Carl", "Dora"),
        _ => text,
    };
    let app = app_under(folder.path(), "2026-03-06 10:00", rules(people)).await.unwrap();
    let (pulse, stop) = (Pulse::new(&app.clock), CancellationToken::new());
    assert_eq!(row(&app, "r007").await.wake_at, Some(moment("2026-03-10 00:00")), "what was derived under the other calendar");
    let next = tick(&all(&app), &pulse, &stop).await.unwrap();
    assert_eq!(all(&app).refresh_stale(10).await.unwrap(), 0, "all were derived again");
    assert_eq!(next, Some(moment("2026-03-10 00:00")), "the reminder before the ninth was told, the next is when it is late");
    let row = row(&app, "r007").await;
    assert_eq!((row.due_on.unwrap().to_string().as_str(), row.wake_at), ("2026-03-09", Some(moment("2026-03-10 00:00"))));
    let notices = app.store.notices_of("r007").await.unwrap();
    assert_eq!(notices.iter().map(|notice| (&*notice.notice, &*notice.person)).collect::<Vec<_>>(), [("soon", "dora")]);
    assert_eq!(app.examine("r007").await.unwrap(), []);
}
