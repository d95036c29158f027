//! Changing the rules of a running office: what a plan says, what publishing does with it, and what it refuses.
//!
//! `fixtures/plans/CODE-what.yaml` are edits (`was`: of the office's rules in use, `becomes`: of those) after which a plan for one item,
//! handed in on 2 March 2026, finds what its name says on 6 March; the findings stand beside it, `DUBAN_UPDATE=1` writes them anew.

use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::office::Office;
use crate::support::world::{all, app_over, command, moment, rules, submit};
use duban::app::{App, How, Offices, PlanWishes, PublishError, Published, Publisher};
use duban::cli::plan::sentences;
use duban::kernel::model::Name;
use duban::kernel::model::definition::OpenItems;
use duban::kernel::model::fact::{Cause, Fact, RungKey};
use duban::kernel::model::value::Value;
use duban::kernel::plan::{Choices, Courses, Gathered, Judged, Pair, Plan, What, judge};
use duban::kernel::rules::RuleSet;
use duban::kernel::simulate::world::World as Memory;
use duban::kernel::words::Lang;
use duban::store::Opening;
use indexmap::IndexMap;
use std::sync::Arc;

stories!(
    dates_that_move_are_listed_and_come_true,
    what_nobody_has_seen_is_not_published,
    a_plan_of_other_rules_another_day_or_another_database_is_refused,
    a_state_that_items_stand_in_does_not_vanish,
    kept_dates_stay_until_they_are_recomputed,
    what_is_chosen_with_the_plan_counts_before_what_the_version_says,
    a_new_rung_tells_nothing_of_days_that_have_passed,
    back_to_the_rules_before_and_their_names,
    the_last_holder_of_a_role_is_not_lost,
    a_role_that_passes_to_another_is_shown,
    a_calendar_does_not_rewrite_the_past,
    what_was_entered_as_history_is_no_part_of_the_forecast,
    two_persons_agree_where_the_rules_in_use_want_two,
);

/// The office's rules as version 2: `edit` changes the workflow's own file, `changes` is what its head says of open items.
pub fn version_2(changes: &str, edit: impl Fn(String) -> String) -> Arc<RuleSet> {
    let rules = rules(|path, text| match path {
        "request.yaml" => {
            let text = edit(text).replace("version: 1", "version: 2");
            format!("{text}\nchanges:\n  - {{ version: 2, because: a test{changes} }}\n")
        }
        _ => text,
    });
    Arc::new(rules)
}

fn three_days(text: String) -> String {
    text.replace("length: 5 working days", "length: 3 working days")
}

/// The state `open` is called `waiting`.
fn waiting(text: String) -> String {
    text.replace("  open:     {", "  waiting:  {")
        .replace("[open]", "[waiting]")
        .replace("to: open", "to: waiting")
        .replace("\"open\"", "\"waiting\"")
}

const RECOMPUTE: &str = ", open_items: { answer: recompute }";

pub async fn plan(app: &App, new: &Arc<RuleSet>, allow_overdue: u64) -> Plan {
    plan_with(app, new, PlanWishes { allow_overdue, ..PlanWishes::default() }).await
}

async fn plan_with(app: &App, new: &Arc<RuleSet>, wishes: PlanWishes) -> Plan {
    app.plan(new, &PlanWishes { folder: Some("rules".into()), ..wishes }, &|_| {}).await.unwrap()
}

/// The office's rules as version 3, with `changes` for each version.
fn version_3(changes: [&str; 2], edit: impl Fn(String) -> String) -> Arc<RuleSet> {
    let [second, third] = changes;
    let rules = rules(|path, text| match path {
        "request.yaml" => {
            let text = edit(text).replace("version: 1", "version: 3");
            format!("{text}\nchanges:\n  - {{ version: 2, because: a test{second} }}\n  - {{ version: 3, because: a test{third} }}\n")
        }
        _ => text,
    });
    Arc::new(rules)
}

pub async fn publish(app: &App, plan: &Plan, new: &Arc<RuleSet>) -> Result<u64, String> {
    publish_as(app, plan, new, Some("hu"), false).await
}

async fn publish_as(app: &App, plan: &Plan, new: &Arc<RuleSet>, by: Option<&str>, approve: bool) -> Result<u64, String> {
    let who = Publisher { by: by.map(Name::from), via: Some("test".into()), approve };
    match app.publish(plan, new, &who).await {
        Ok(Published::InUse(done)) => Ok(done.revision),
        Ok(Published::Proposed(proposed)) => Err(format!("proposed by {}", proposed.by)),
        Err(PublishError::No(no)) => Err(no.why),
        Err(PublishError::Store(error)) => panic!("{error}"),
    }
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.findings.iter().map(|finding| finding.code.as_str()).collect()
}

pub async fn due(app: &App, item: &str) -> String {
    let item = app.item(item).await.unwrap().unwrap();
    item.clock("answer", None).unwrap().due.as_ref().unwrap().date.to_string()
}

async fn dates_that_move_are_listed_and_come_true(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    app.clock.set(moment("2026-03-06 10:00"));
    app.act(&submit("r2")).await.unwrap();
    app.act(&submit("r3")).await.unwrap();
    app.act(&command("r3", "answer", "carl", [])).await.unwrap();

    let new = version_2("", three_days);
    let seen = plan(&app, &new, 0).await;
    assert_eq!((seen.items, codes(&seen)), (2, vec!["E806", "E807"]), "an ended item is left alone");
    assert_eq!(publish(&app, &seen, &new).await, Err("blocked".into()));

    let new = version_2(RECOMPUTE, three_days);
    assert_eq!(codes(&plan(&app, &new, 0).await), ["E807"]);
    let seen = plan(&app, &new, 1).await;
    assert!(!seen.is_blocked() && seen.is_sound(), "{:?}", seen.findings);
    let moved = What::Date { deadline: "answer".into() };
    let group = seen.groups.iter().find(|group| group.what == moved).unwrap_or_else(|| panic!("{:?}", seen.groups));
    assert_eq!(group.cause.element, "deadlines.answer.length");
    assert_eq!((group.cause.was.as_deref(), group.cause.becomes.as_deref()), (Some("5 working days"), Some("3 working days")));
    let rows: Vec<String> =
        group.rows.iter().map(|row| format!("{} {} {} {}", row.item, row.from.unwrap(), row.to.unwrap(), row.overdue)).collect();
    assert_eq!(rows, ["r1 2026-03-09 2026-03-05 true", "r2 2026-03-13 2026-03-11 false"]);
    assert_eq!(due(&app, "r1").await, "2026-03-09", "a plan changes nothing");

    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    assert_eq!((due(&app, "r1").await, due(&app, "r2").await), ("2026-03-05".into(), "2026-03-11".into()));
    app.act(&command("r2", "weigh", "carl", [("weight", Value::Number(2))])).await.unwrap();
    let facts = app.store.item("r2").await.unwrap().unwrap().facts;
    let by: Vec<&Name> = facts.iter().map(|fact| &fact.rules).collect();
    assert_eq!(by, [&*seen.old.hash, &*seen.new.hash].map(Name::from).iter().collect::<Vec<_>>(), "each fact names its rules");

    // In the background every open item is derived again, also for lists.
    let offices = all(&app);
    while offices.refresh_stale(10).await.unwrap() > 0 {}
    assert_eq!(app.store.listed("r1").await.unwrap().unwrap().due_on.unwrap().to_string(), "2026-03-05");
    assert_eq!(app.examine("r1").await.unwrap(), []);
    let published = app.store.published().await.unwrap();
    assert_eq!(
        published.iter().map(|one| (one.revision, one.hash.as_str())).collect::<Vec<_>>(),
        [(1, &*seen.old.hash), (2, &*seen.new.hash)]
    );
    let record = duban::kernel::plan::Record::read(&published[1].record);
    assert_eq!((record.by.as_deref(), record.plan, record.before), (Some("hu"), Some(seen.checksum.clone()), Some(seen.old.hash.clone())));
    assert_eq!(publish(&app, &seen, &new).await, Err("other_rules".into()), "once");
}

async fn what_nobody_has_seen_is_not_published(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let new = version_2(RECOMPUTE, three_days);
    let seen = plan(&app, &new, 0).await;
    // What was answered meanwhile does not move any more: there is less to do than was seen.
    app.act(&submit("r2")).await.unwrap();
    assert_eq!(publish(&app, &seen, &new).await, Err("more".into()));
    app.act(&command("r2", "answer", "carl", [])).await.unwrap();
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    assert_eq!(due(&app, "r1").await, "2026-03-05");
}

async fn a_plan_of_other_rules_another_day_or_another_database_is_refused(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let new = version_2(RECOMPUTE, three_days);
    let seen = plan(&app, &new, 0).await;

    let mut tampered = seen.clone();
    tampered.allow_overdue = 100;
    assert_eq!(publish(&app, &tampered, &new).await, Err("tampered".into()));
    let edited = version_2(RECOMPUTE, |text| three_days(text).replace("title: hand in", "title: send in"));
    assert_eq!(publish(&app, &seen, &edited).await, Err("other_files".into()));
    app.clock.set(moment("2026-03-03 09:00"));
    assert_eq!(publish(&app, &seen, &new).await, Err("other_day".into()));
    let opening = Opening { new_instance: "another".into(), page_limit: None, throwaway: false };
    let other = ground.another().await;
    let store = other.open(opening, moment("2026-03-02 10:00")).await.unwrap();
    let other_app = App::open(store, app.rules(), duban::clock::Clock::set_to(moment("2026-03-02 10:00"))).await.unwrap();
    assert_eq!(publish(&other_app, &seen, &new).await, Err("other_database".into()));

    let seen = plan(&app, &new, 0).await;
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    let older = Arc::new(rules(|_, text| text));
    assert_eq!(codes(&plan(&app, &older, 0).await), ["E806", "E808"]);
    let same = plan(&app, &new, 0).await;
    assert_eq!((same.changes_anything(), publish(&app, &same, &new).await), (false, Err("nothing".into())));
}

async fn a_state_that_items_stand_in_does_not_vanish(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let seen = plan(&app, &version_2("", waiting), 0).await;
    assert_eq!(codes(&seen), ["E801"]);
    assert_eq!((seen.findings[0].variant.as_deref(), seen.findings[0].values["likely"].as_str()), (Some("state_likely"), "waiting"));

    let new = version_2(", renamed_states: { open: waiting }", waiting);
    let seen = plan(&app, &new, 0).await;
    assert_eq!(codes(&seen), Vec::<&str>::new());
    assert_eq!(seen.groups[0].what, What::StateMoves { state: "open".into(), to: "waiting".into() });
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    assert_eq!(&*app.item("r1").await.unwrap().unwrap().state, "waiting");
    app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    assert_eq!(&*app.item("r1").await.unwrap().unwrap().state, "answered");
}

async fn kept_dates_stay_until_they_are_recomputed(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let keep = ", open_items: { answer: keep }";
    let new = version_2(keep, three_days);
    let seen = plan(&app, &new, 0).await;
    assert_eq!((codes(&seen), seen.groups.len()), (vec![], 0), "{:?}", seen.groups);
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    app.clock.set(moment("2026-03-02 10:01"));
    app.act(&submit("r2")).await.unwrap();
    assert_eq!((due(&app, "r1").await, due(&app, "r2").await), ("2026-03-09".into(), "2026-03-05".into()), "kept, and as it is now");

    // What is kept stays kept, whatever else is published.
    let third = version_3([keep, ""], |text| three_days(text).replace("title: hand in", "title: send in"));
    let seen = plan(&app, &third, 0).await;
    assert_eq!((codes(&seen), seen.groups.len()), (vec![], 0), "{:?}", seen.groups);
    assert_eq!(publish(&app, &seen, &third).await, Ok(3));
    assert_eq!(due(&app, "r1").await, "2026-03-09");

    // Also for a process that only now opens the database.
    let app = app_again(&ground, &app, &third).await;
    assert_eq!((due(&app, "r1").await, due(&app, "r2").await), ("2026-03-09".into(), "2026-03-05".into()));

    let choices = [("answer".into(), OpenItems::Recompute)].into();
    let fourth = version_3([keep, ""], |text| three_days(text).replace("title: hand in", "title: hand over"));
    let seen = plan_with(&app, &fourth, PlanWishes { choices, ..PlanWishes::default() }).await;
    assert_eq!(moves(&seen), ["r1 2026-03-09 2026-03-05"]);
    assert_eq!(publish(&app, &seen, &fourth).await, Ok(4), "{:?}", seen.findings);
    assert_eq!((due(&app, "r1").await, due(&app, "r2").await), ("2026-03-05".into(), "2026-03-05".into()));
    assert_eq!(app.examine("r1").await.unwrap(), []);
}

async fn what_is_chosen_with_the_plan_counts_before_what_the_version_says(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let new = version_2(RECOMPUTE, three_days);
    let choices = [("answer".into(), OpenItems::Keep)].into();
    let seen = plan_with(&app, &new, PlanWishes { choices, ..PlanWishes::default() }).await;
    assert_eq!((codes(&seen), seen.groups.len()), (vec![], 0), "{:?}", seen.groups);
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    assert_eq!(due(&app, "r1").await, "2026-03-09");
}

async fn a_new_rung_tells_nothing_of_days_that_have_passed(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    app.clock.set(moment("2026-03-06 10:00"));
    app.act(&submit("r2")).await.unwrap();
    work(&app).await;
    let told_before = told_of(&app, "r1").await;
    let new = version_2("", |text| {
        text.replace("    ladder:\n", "    ladder:\n      - { rung: early, at: 3 working days before, tell: [soon] }\n")
    });
    let seen = plan(&app, &new, 0).await;
    let passed = What::RungPassed { deadline: "answer".into(), rung: "early".into() };
    let group = seen.groups.iter().find(|group| group.what == passed).unwrap_or_else(|| panic!("{:?}", seen.groups));
    assert_eq!(group.rows.iter().map(|row| &*row.item).collect::<Vec<_>>(), ["r1"], "its day was 4 March; that of r2 is to come");
    assert_eq!(publish(&app, &seen, &new).await, Ok(2), "{:?}", seen.findings);
    work(&app).await;
    assert_eq!(told_of(&app, "r1").await, told_before, "nothing of the past");
    app.clock.set(moment("2026-03-10 09:30"));
    work(&app).await;
    assert!(told_of(&app, "r2").await.contains(&"early".to_string()), "{:?}", told_of(&app, "r2").await);
    assert!(!told_of(&app, "r1").await.contains(&"early".to_string()));
}

async fn back_to_the_rules_before_and_their_names(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let first = app.rules();
    let new = version_2(", renamed_states: { open: waiting }", |text| waiting(three_days(text)));
    let choices: Choices = [("answer".into(), OpenItems::Recompute)].into();
    let seen = plan_with(&app, &new, PlanWishes { choices: choices.clone(), ..PlanWishes::default() }).await;
    assert_eq!(publish(&app, &seen, &new).await, Ok(2), "{:?}", seen.findings);
    app.act(&submit("r2")).await.unwrap();
    assert_eq!((state(&app, "r1").await, due(&app, "r1").await), ("waiting".into(), "2026-03-05".into()));

    let wishes = PlanWishes { back: true, choices, ..PlanWishes::default() };
    let seen = plan_with(&app, &first, wishes).await;
    assert_eq!(codes(&seen), Vec::<&str>::new(), "an earlier version is what is wanted here");
    assert_eq!(moves(&seen), ["r1 2026-03-05 2026-03-09", "r2 2026-03-05 2026-03-09"]);
    assert_eq!(publish(&app, &seen, &first).await, Ok(3));
    for item in ["r1", "r2"] {
        assert_eq!((state(&app, item).await, due(&app, item).await), ("open".into(), "2026-03-09".into()), "{item}");
    }
    app.act(&command("r2", "answer", "carl", [])).await.unwrap();
    assert_eq!((app.examine("r1").await.unwrap(), app.examine("r2").await.unwrap()), (vec![], vec![]));
    let published = app.store.published().await.unwrap();
    assert_eq!((&published[2].hash, published.len()), (&published[0].hash, 3), "each time it came into use is on record");
}

async fn the_last_holder_of_a_role_is_not_lost(ground: Ground) {
    let handled = |text: String| {
        text.replace("who: group clerks }", "who: person item.handler }")
            .replace("  weight: {", "  handler: { title: handler, type: person, required: true }\n  weight: {")
            .replace("ask: [title, code?]", "ask: [title, code?, handler]")
    };
    let with_clerk = |clerk: &'static str| {
        Arc::new(rules(move |path, text| match path {
            "request.yaml" => handled(text),
            "directory.yaml" => text.replace("carl: ", &format!("{clerk}: ")),
            _ => text,
        }))
    };
    let now = moment("2026-03-02 10:00");
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, now).await.unwrap();
    let app = App::open(store, with_clerk("carl"), duban::clock::Clock::set_to(now)).await.unwrap();
    let mut first = submit("r1");
    first.input.insert("handler".into(), Value::text("carl"));
    app.act(&first).await.unwrap();
    let new = with_clerk("dora");
    let seen = plan(&app, &new, 0).await;
    let lost = What::HolderLost { role: "clerk".into() };
    assert!(codes(&seen).contains(&"E810") && seen.groups.iter().any(|group| group.what == lost), "{:?}", seen.findings);
    assert_eq!(publish(&app, &seen, &new).await, Err("blocked".into()));
}

async fn a_role_that_passes_to_another_is_shown(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let new = Arc::new(rules(|path, text| if path == "directory.yaml" { text.replace("carl: ", "dora: ") } else { text }));
    let seen = plan(&app, &new, 0).await;
    let moves = What::HolderMoves { role: "clerk".into(), from: vec!["carl".into()], to: vec!["dora".into()] };
    let group = seen.groups.iter().find(|group| group.what == moves).unwrap_or_else(|| panic!("{:?}", seen.groups));
    assert_eq!((&*group.cause.element, &*group.rows[0].item), ("directory", "r1"));
    assert!(!codes(&seen).contains(&"E810"), "{:?}", seen.findings);
}

async fn a_calendar_does_not_rewrite_the_past(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    app.act(&submit("r1")).await.unwrap();
    let with_day_off = |day: &'static str| {
        Arc::new(rules(move |path, text| match path {
            "../calendars/cn.yaml" => day_off(&text, day),
            _ => text,
        }))
    };
    let seen = plan(&app, &with_day_off("2026-02-27"), 0).await;
    assert!(codes(&seen).contains(&"E804"), "{:?}", seen.findings);
    let seen = plan(&app, &with_day_off("2026-03-05"), 0).await;
    assert!(!codes(&seen).contains(&"E804"), "{:?}", seen.findings);
    assert_eq!(moves(&seen), ["r1 2026-03-09 2026-03-10"], "a day off to come moves what falls behind it");
    assert!(seen.groups.iter().any(|group| group.cause.element == "calendars.cn"), "{:?}", seen.groups);
}

async fn what_was_entered_as_history_is_no_part_of_the_forecast(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    let historic = How { historic: true, ..How::default() };
    let (answers, written) = app.together(&[vec![submit("r1")]], historic).await.unwrap();
    assert!(written, "{answers:?}");
    let new = version_2(RECOMPUTE, three_days);
    let seen = plan(&app, &new, 0).await;
    assert_eq!((seen.items, seen.mails.before, seen.mails.after), (1, 0, 0), "it owes nothing until somebody releases it");
    app.act(&submit("r2")).await.unwrap();
    let seen = plan(&app, &new, 0).await;
    assert!(seen.mails.before > 0 && seen.mails.after > 0, "{:?}", seen.mails);
}

/// The calendar with one more day off in 2026.
fn day_off(text: &str, day: &str) -> String {
    let first = "      元旦: [\"2026-01-01..2026-01-03\"]\n";
    assert!(text.contains(first));
    text.replace(first, &format!("{first}      停电: [\"{day}\"]\n"))
}

/// Another process over the same ground, under the rules in use.
async fn app_again(ground: &Ground, app: &App, rules: &Arc<RuleSet>) -> Arc<App> {
    let now = app.now();
    app.store.clone().close().await;
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, now).await.unwrap();
    Arc::new(App::open(store, rules.clone(), duban::clock::Clock::set_to(now)).await.unwrap())
}

/// Everything that is due, until nothing is.
async fn work(app: &Arc<App>) {
    let offices = all(app);
    while offices.refresh_stale(64).await.unwrap() > 0 {}
    while offices.wake_due(64).await.unwrap().looked_at > 0 {}
}

/// The rungs that were told or passed over, in their order.
async fn told_of(app: &App, item: &str) -> Vec<String> {
    rungs_of(app, item).await.into_iter().map(|key| key.rung.to_string()).collect()
}

async fn rungs_of(app: &App, item: &str) -> Vec<RungKey> {
    let facts = app.store.item(item).await.unwrap().unwrap().facts;
    let key = |fact: &Fact| match &fact.cause {
        Cause::Rung { key, .. } => Some(key.clone()),
        _ => None,
    };
    facts.iter().filter_map(key).collect()
}

async fn state(app: &App, item: &str) -> String {
    app.item(item).await.unwrap().unwrap().state.to_string()
}

/// Dates that a plan moves: item, old, new.
fn moves(plan: &Plan) -> Vec<String> {
    let dates = plan.groups.iter().filter(|group| matches!(group.what, What::Date { .. }));
    let mut rows: Vec<String> =
        dates.flat_map(|group| &group.rows).map(|row| format!("{} {} {}", row.item, row.from.unwrap(), row.to.unwrap())).collect();
    rows.sort();
    rows
}

async fn two_persons_agree_where_the_rules_in_use_want_two(ground: Ground) {
    let two = |text: String| text.replace("language: 1\n", "language: 1\npublish: { second_person: true }\n");
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, moment("2026-03-02 10:00")).await.unwrap();
    let in_use = Arc::new(rules(|path, text| if path == "request.yaml" { two(text) } else { text }));
    let app = App::open(store, in_use, duban::clock::Clock::set_to(moment("2026-03-02 10:00"))).await.unwrap();
    app.act(&submit("r1")).await.unwrap();
    // The version that does away with it is held to it as well.
    let new = version_2(RECOMPUTE, three_days);
    let seen = plan(&app, &new, 0).await;
    assert_eq!(publish_as(&app, &seen, &new, None, false).await, Err("by_nobody".into()));
    assert_eq!(publish_as(&app, &seen, &new, Some("carl"), true).await, Err("not_proposed".into()));
    assert_eq!(publish_as(&app, &seen, &new, Some("hu"), false).await, Err("proposed by hu".into()));
    assert_eq!(publish_as(&app, &seen, &new, Some("carl"), false).await, Err("proposed by hu".into()), "who was first stays");
    let [(plan_of, at, waiting)] = &app.proposals().await.unwrap()[..] else { panic!("one waits") };
    assert_eq!((plan_of, *at, waiting.by.as_deref()), (&seen.checksum, moment("2026-03-02 10:00"), Some("hu")));
    assert_eq!((waiting.hash.as_str(), waiting.versions["request"], waiting.day), (&*new.hash, 2, Some(seen.day)));
    assert_eq!((due(&app, "r1").await, app.store.published().await.unwrap().len()), ("2026-03-09".into(), 1), "nothing has changed");
    assert_eq!(publish_as(&app, &seen, &new, Some("hu"), true).await, Err("same_person".into()));
    assert_eq!(publish_as(&app, &seen, &new, None, true).await, Err("by_nobody".into()));
    // What has gone stale meanwhile is refused, who ever approves.
    app.act(&submit("r2")).await.unwrap();
    assert_eq!(publish_as(&app, &seen, &new, Some("carl"), true).await, Err("more".into()));
    app.clock.set(moment("2026-03-03 10:00"));
    assert_eq!(publish_as(&app, &seen, &new, Some("carl"), true).await, Err("other_day".into()));

    let seen = plan(&app, &new, 0).await;
    assert_eq!(publish_as(&app, &seen, &new, Some("hu"), false).await, Err("proposed by hu".into()));
    assert_eq!(publish_as(&app, &seen, &new, Some("carl"), true).await, Ok(2));
    let record = duban::kernel::plan::Record::read(&app.store.published().await.unwrap()[1].record);
    assert_eq!((record.by.as_deref(), record.proposed_by.as_deref()), (Some("carl"), Some("hu")));
    assert_eq!(app.store.proposal(&seen.checksum).await.unwrap(), None, "it came true");
    assert_eq!(app.proposals().await.unwrap(), []);
    // The rules now in use want one.
    let again = version_2(RECOMPUTE, |text| three_days(text).replace("title: hand in", "title: send in"));
    let seen = plan(&app, &again, 0).await;
    assert_eq!(publish_as(&app, &seen, &again, Some("hu"), false).await, Ok(3));
}

/// Whoever works the same database goes on under the new rules as soon as it looks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_processes_follow() {
    for ground in [Ground::server().await, Ground::model_of_many()] {
        let one = app_over(&ground, "2026-03-02 10:00").await;
        let two = app_over(&ground, "2026-03-02 10:00").await;
        one.act(&submit("r1")).await.unwrap();
        assert_eq!(due(&two, "r1").await, "2026-03-09");
        let new = version_2(RECOMPUTE, three_days);
        let seen = plan(&two, &new, 0).await;
        assert_eq!(publish(&one, &seen, &new).await, Ok(2));
        let offices = Offices::with(two.clone());
        assert_eq!(offices.follow_rules().await.unwrap(), 1);
        assert_eq!((due(&two, "r1").await, two.rules().hash.clone()), ("2026-03-05".into(), new.hash.clone()));
    }
}

/// A server that holds the file is asked to do it, and goes on under the new rules at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_running_server_publishes_and_goes_on_under_the_new_rules() {
    let office = Office::on_file();
    let life = office.start(|_| {}).await.unwrap();
    let first = crate::support::office::commands("r1", 1).remove(0);
    assert!(matches!(life.asking.act(&first).await, crate::support::office::Reply::Done(_)));
    let run = |words: &[&str]| {
        let output = office.command(words).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let file = office.folder.path().join("rules/request.yaml");
    let text = std::fs::read_to_string(&file).unwrap().replace("title: hand in", "title: send in").replace("version: 1", "version: 2");
    std::fs::write(&file, text).unwrap();
    let (code, out, err) = run(&["plan", "rules", "--out", "plan.json", "--exit-code"]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("version 1 → 2") && out.contains("nothing becomes different"), "{out}");
    assert!(out.contains("of wording only") || out.contains("hand in → send in"), "what was changed is told: {out}");
    let (code, out, err) = run(&["publish", "--plan", "plan.json", "--as", "hu"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let (status, offers) = life.asking.ask("GET", "/api/v1/items/r1", "", "").await;
    assert_eq!(status, 200, "{offers}");
    let second = submit("r2");
    assert!(matches!(life.asking.act(&second).await, crate::support::office::Reply::Done(_)));
    assert_eq!(life.stop(), Some(0));
    let app = office.open().await;
    assert_eq!(app.rules().workflows["request"].setting.workflow.version, 2);
    let made = app.store.item("r2").await.unwrap().unwrap();
    assert_eq!(made.facts[0].rules, app.rules().hash);
    // A start with a folder that says something else is refused, and says what to do.
    app.store.clone().close().await;
    drop(app);
    std::fs::write(&file, std::fs::read_to_string(&file).unwrap().replace("title: send in", "title: hand over")).unwrap();
    let ended = office.start(|_| {}).await.err().unwrap();
    assert!(ended.code == Some(5) && ended.told.contains("duban plan"), "{ended:?}");
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Edits {
    #[serde(default)]
    was: IndexMap<String, String>,
    becomes: IndexMap<String, String>,
    /// Stories that fail under them.
    #[serde(default)]
    failing: Vec<String>,
}

fn edited(rules: &[&IndexMap<String, String>]) -> RuleSet {
    let set = crate::support::world::rules(|path, text| match path.starts_with("../") {
        true => text,
        false => rules.iter().flat_map(|edits| edits.iter()).fold(text, |text, (this, to)| text.replace(this, to)),
    });
    let all: String = set.files.iter().filter(|(path, _)| !path.starts_with("../")).map(|(_, text)| text.as_str()).collect();
    let last = rules.last().unwrap();
    assert!(last.values().all(|to| all.contains(to)), "an edit meets nothing: {last:?}");
    set
}

#[test]
fn what_stands_in_the_way_of_publishing_is_on_record() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/plans");
    let mut different = String::new();
    let mut paths: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    for path in paths {
        let name = path.file_stem().unwrap().to_string_lossy().to_string();
        let edits: Edits = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let (old, new) = (edited(&[&edits.was]), edited(&[&edits.was, &edits.becomes]));
        let mut memory = Memory::new(old.workflows["request"].clone(), moment("2026-03-02 10:00"));
        let mut handed_in = submit("r1");
        handed_in.input.insert("code".into(), duban::kernel::model::value::Value::text("A1"));
        memory.act(&handed_in).unwrap();
        let now = moment("2026-03-06 10:00");
        memory.advance_to(now);
        let pair = Pair::of(&old, &new, "request").unwrap();
        let today = "2026-03-06".parse().unwrap();
        let found = pair.compare(&Courses::of(&pair, now, today), &"r1".into(), &memory.items["r1"].facts, now);
        let mut gathered = Gathered::default();
        gathered.add(&"request".into(), found.map(|found| found.differences).unwrap_or_default());
        let (groups, _) = gathered.end();
        let choices = Default::default();
        let failing = &edits.failing;
        let findings =
            judge(&Judged { old: &old, new: &new, groups: &groups, allow_overdue: 0, choices: &choices, back: false, failing, today });
        let code = name.split('-').next().unwrap();
        assert!(findings.iter().any(|finding| finding.code == code), "{name}: {findings:?} {groups:?}");
        for (lang, suffix) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
            let lines = findings.iter().map(|finding| {
                let (sentence, todo) = sentences(finding, lang);
                format!("{} {sentence}\n  {todo}\n", finding.code)
            });
            let (report, expected) = (lines.collect::<String>(), folder.join(format!("{name}.{suffix}.txt")));
            if std::env::var_os("DUBAN_UPDATE").is_some() {
                std::fs::write(&expected, &report).unwrap();
            } else if std::fs::read_to_string(&expected).ok().as_ref() != Some(&report) {
                different += &format!("\n{}:\n{report}", expected.display());
            }
        }
    }
    assert!(different.is_empty(), "these differ from the files beside the fixtures (DUBAN_UPDATE=1 writes them anew):\n{different}");
}
