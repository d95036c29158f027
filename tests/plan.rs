//! Changing the rules of a running office: what a plan says, what publishing does with it, and what it refuses.

use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::office::Office;
use crate::support::world::{all, app_over, command, moment, rules, submit};
use duban::app::{App, Offices, PlanWishes, PublishError, Publisher};
use duban::kernel::model::Name;
use duban::kernel::plan::{Plan, What};
use duban::kernel::rules::RuleSet;
use duban::store::Opening;
use std::sync::Arc;

stories!(
    dates_that_move_are_listed_and_come_true,
    what_nobody_has_seen_is_not_published,
    a_plan_of_other_rules_another_day_or_another_database_is_refused,
    a_state_that_items_stand_in_does_not_vanish,
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

const RECOMPUTE: &str = ", open_items: { answer: recompute }";

async fn plan(app: &App, new: &Arc<RuleSet>, allow_overdue: u64) -> Plan {
    let wishes = PlanWishes { allow_overdue, folder: Some("rules".into()), ..PlanWishes::default() };
    app.plan(new, &wishes, &|_| {}).await.unwrap()
}

async fn publish(app: &App, plan: &Plan, new: &Arc<RuleSet>) -> Result<u64, String> {
    let who = Publisher { by: Some("hu".into()), via: Some("test".into()) };
    match app.publish(plan, new, &who).await {
        Ok(done) => Ok(done.revision),
        Err(PublishError::No(no)) => Err(no.why),
        Err(PublishError::Store(error)) => panic!("{error}"),
    }
}

fn codes(plan: &Plan) -> Vec<&str> {
    plan.findings.iter().map(|finding| finding.code.as_str()).collect()
}

async fn due(app: &App, item: &str) -> String {
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
    app.act(&command("r2", "weigh", "carl", [("weight", duban::kernel::model::value::Value::Number(2))])).await.unwrap();
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
    let renamed = |text: String| {
        text.replace("  open:     {", "  waiting:  {")
            .replace("[open]", "[waiting]")
            .replace("to: open", "to: waiting")
            .replace("\"open\"", "\"waiting\"")
    };
    let seen = plan(&app, &version_2("", renamed), 0).await;
    assert_eq!(codes(&seen), ["E801"]);
    assert_eq!((seen.findings[0].variant.as_deref(), seen.findings[0].values["likely"].as_str()), (Some("state_likely"), "waiting"));

    let new = version_2(", renamed_states: { open: waiting }", renamed);
    let seen = plan(&app, &new, 0).await;
    assert_eq!(codes(&seen), Vec::<&str>::new());
    assert_eq!(seen.groups[0].what, What::StateMoves { state: "open".into(), to: "waiting".into() });
    assert_eq!(publish(&app, &seen, &new).await, Ok(2));
    assert_eq!(&*app.item("r1").await.unwrap().unwrap().state, "waiting");
    app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    assert_eq!(&*app.item("r1").await.unwrap().unwrap().state, "answered");
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
