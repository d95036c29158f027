//! Random edits of rules over random histories. After `plan` and `publish` no item stands in a state that is not declared, no rung of the past
//! is told that the plan did not list, none is told twice, and no date has moved that the plan did not list.
//!
//! `DUBAN_EDITS=2000 cargo test edits::` tries more of them.

use crate::support::ground::Ground;
use crate::support::world::{all, app_over, command, moment, submit, try_rules};
use duban::app::{App, PlanWishes, PublishError, Publisher};
use duban::kernel::model::Name;
use duban::kernel::model::fact::{Cause, RungKey};
use duban::kernel::plan::{Plan, What};
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Date;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One thing that an administrator changes.
#[derive(Clone, Debug)]
enum Edit {
    /// Working days of the deadline, and what becomes of open items, if that is said.
    Length {
        days: u32,
        open_items: Option<&'static str>,
    },
    /// Another name, declared as such or not.
    State {
        declared: bool,
    },
    Deadline {
        declared: bool,
    },
    /// One more step, so many working days before or after the day.
    Rung {
        days: u32,
        before: bool,
        catch_up: bool,
    },
    /// The first reminder comes earlier or later.
    Soon {
        days: u32,
    },
    NoAgain,
    /// A day off is added to the calendar.
    DayOff {
        day: u32,
    },
    Head,
}

/// What somebody does with an item, so many days after the first of all.
#[derive(Clone, Debug)]
struct Step {
    day: u32,
    item: u32,
    action: &'static str,
}

fn edit() -> impl Strategy<Value = Edit> {
    let said = prop_oneof![Just(None), Just(Some("keep")), Just(Some("recompute"))];
    prop_oneof![
        (3u32..9, said).prop_map(|(days, open_items)| Edit::Length { days, open_items }),
        any::<bool>().prop_map(|declared| Edit::State { declared }),
        any::<bool>().prop_map(|declared| Edit::Deadline { declared }),
        (1u32..4, any::<bool>(), any::<bool>()).prop_map(|(days, before, catch_up)| Edit::Rung { days, before, catch_up }),
        (1u32..4).prop_map(|days| Edit::Soon { days }),
        Just(Edit::NoAgain),
        (0u32..60).prop_map(|day| Edit::DayOff { day }),
        Just(Edit::Head),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let action = prop_oneof![3 => Just("submit"), 1 => Just("answer"), 1 => Just("weigh"), 1 => Just("ask_back")];
    (0u32..36, 1u32..7, action).prop_map(|(day, item, action)| Step { day, item, action })
}

fn day(offset: u32) -> Date {
    Date::from_ymd_opt(2026, 3, 2).unwrap() + chrono::Days::new(u64::from(offset))
}

/// The texts of the office with one version after the other.
#[derive(Clone, Default)]
struct Texts {
    rounds: Vec<Vec<Edit>>,
}

impl Texts {
    fn rules(&self) -> Option<Arc<RuleSet>> {
        let rules = try_rules(|path, text| match path {
            "request.yaml" => self.workflow(text),
            "directory.yaml" => match self.rounds.iter().flatten().any(|edit| matches!(edit, Edit::Head)) {
                true => text.replace("groups: [heads]", "groups: [heads, clerks]"),
                false => text,
            },
            "../calendars/cn.yaml" => self.calendar(text),
            _ => text,
        });
        rules.ok().map(Arc::new)
    }

    fn workflow(&self, mut text: String) -> String {
        let mut changes = String::new();
        for (round, edits) in self.rounds.iter().enumerate() {
            let mut said = String::new();
            // What is said of open items takes the name that holds from now on, so the names come first.
            let mut edits: Vec<&Edit> = edits.iter().collect();
            edits.sort_by_key(|edit| !matches!(edit, Edit::State { .. } | Edit::Deadline { .. }));
            for edit in edits {
                let before = text.clone();
                text = workflow(before.clone(), edit);
                if text == before {
                    continue;
                }
                said += &match edit {
                    Edit::State { declared: true } => ", renamed_states: { open: waiting }".to_string(),
                    Edit::Deadline { declared: true } => ", renamed_deadlines: { answer: reply }".to_string(),
                    Edit::Length { open_items: Some(what), .. } if !said.contains("open_items") => {
                        let deadline = if text.contains("deadlines:\n  reply:") { "reply" } else { "answer" };
                        format!(", open_items: {{ {deadline}: {what} }}")
                    }
                    _ => String::new(),
                };
            }
            changes += &format!("  - {{ version: {}, because: a test{said} }}\n", round + 2);
        }
        let text = text.replace("version: 1", &format!("version: {}", self.rounds.len() + 1));
        if changes.is_empty() { text } else { format!("{text}\nchanges:\n{changes}") }
    }

    fn calendar(&self, text: String) -> String {
        let off = self.rounds.iter().flatten().filter_map(|edit| match edit {
            Edit::DayOff { day: offset } => Some(format!("\"{}\"", day(*offset))),
            _ => None,
        });
        let off: BTreeSet<String> = off.collect();
        let first = "      元旦: [\"2026-01-01..2026-01-03\"]\n";
        match off.is_empty() {
            true => text,
            false => {
                let off = off.into_iter().collect::<Vec<_>>().join(", ");
                text.replace(first, &format!("{first}      停电: [{off}]\n"))
            }
        }
    }
}

fn workflow(text: String, edit: &Edit) -> String {
    match edit {
        Edit::Length { days, .. } => between(&text, "    length: ", "\n", &format!("{days} working days")),
        Edit::State { .. } => text
            .replace("  open:     {", "  waiting:  {")
            .replace("[open]", "[waiting]")
            .replace("to: open", "to: waiting")
            .replace("\"open\"", "\"waiting\""),
        Edit::Deadline { .. } => text.replace("deadlines:\n  answer:", "deadlines:\n  reply:"),
        Edit::Rung { .. } if text.contains("rung: early") => text,
        Edit::Rung { days, before, catch_up } => {
            let side = if *before { "before" } else { "after" };
            let plural = if *days == 1 { "" } else { "s" };
            let catch_up = if *catch_up { ", catch_up: true" } else { "" };
            text.replace(
                "    ladder:\n",
                &format!("    ladder:\n      - {{ rung: early, at: {days} working day{plural} {side}, tell: [soon]{catch_up} }}\n"),
            )
        }
        Edit::Soon { days } => {
            let plural = if *days == 1 { "" } else { "s" };
            between(&text, "{ rung: soon, at: ", ",", &format!("{days} working day{plural} before"))
        }
        Edit::NoAgain => match (text.find("      - rung: again"), text.find("\nnotices:")) {
            (Some(start), Some(end)) => format!("{}{}", &text[..start], &text[end..]),
            _ => text,
        },
        Edit::DayOff { .. } | Edit::Head => text,
    }
}

fn between(text: &str, start: &str, end: &str, with: &str) -> String {
    let Some(from) = text.find(start).map(|at| at + start.len()) else { return text.to_string() };
    let to = text[from..].find(end).map_or(text.len(), |length| from + length);
    format!("{}{with}{}", &text[..from], &text[to..])
}

/// Where an open item stands.
#[derive(Debug)]
struct Standing {
    state: Name,
    /// Its running deadlines with their days.
    dues: BTreeMap<Name, Option<Date>>,
}

async fn standing(app: &App, items: &BTreeSet<u32>) -> BTreeMap<Name, Standing> {
    let mut found = BTreeMap::new();
    for item in items {
        let item = app.item(&format!("r{item}")).await.unwrap().unwrap();
        if item.is_over() {
            continue;
        }
        let running = item.clocks.iter().filter(|clock| clock.is_running());
        let dues = running.map(|clock| (clock.deadline.clone(), clock.due.as_ref().map(|due| due.date))).collect();
        found.insert(item.id.clone(), Standing { state: item.state.clone(), dues });
    }
    found
}

async fn rungs(app: &App, item: &str) -> Vec<RungKey> {
    let facts = app.store.item(item).await.unwrap().unwrap().facts;
    let keys = facts.iter().filter_map(|fact| match &fact.cause {
        Cause::Rung { key, .. } => Some(key.clone()),
        _ => None,
    });
    keys.collect()
}

async fn work(app: &Arc<App>) {
    let offices = all(app);
    while offices.refresh_stale(64).await.unwrap() > 0 {}
    loop {
        let woken = offices.wake_due(64).await.unwrap();
        assert_eq!(woken.set_aside, 0, "an item was set aside");
        if woken.looked_at == 0 {
            break;
        }
    }
}

/// What a plan lists of an item: the deadline or rung, with the day before and after.
fn listed(plan: &Plan, what: impl Fn(&What) -> Option<&Name>, item: &str) -> Vec<(Name, Option<Date>, Option<Date>)> {
    let mut found = Vec::new();
    for group in &plan.groups {
        let Some(name) = what(&group.what) else { continue };
        found.extend(group.rows.iter().filter(|row| &*row.item == item).map(|row| (name.clone(), row.from, row.to)));
    }
    found
}

async fn story(steps: &[Step], rounds: &[(Vec<Edit>, u32)]) -> Tally {
    let ground = Ground::model();
    let app = app_over(&ground, "2026-03-02 10:00").await;
    let (mut texts, mut tally, mut made) = (Texts::default(), Tally::default(), BTreeSet::new());
    let planned: BTreeMap<u32, &Vec<Edit>> = rounds.iter().map(|(edits, day)| (*day, edits)).collect();
    let mut passed: BTreeSet<(Name, Name)> = BTreeSet::new();
    for today in 0..60u32 {
        app.clock.set(moment(&format!("{} 10:00", day(today))));
        work(&app).await;
        for step in steps.iter().filter(|step| step.day == today) {
            let item = format!("r{}", step.item);
            let done = match step.action {
                "submit" if !made.contains(&step.item) => app.act(&submit(&item)).await.map(|_| made.insert(step.item)),
                "weigh" if made.contains(&step.item) => {
                    let weight = duban::kernel::model::value::Value::Number(2);
                    app.act(&command(&item, "weigh", "carl", [("weight", weight)])).await.map(|_| true)
                }
                "answer" if made.contains(&step.item) => app.act(&command(&item, "answer", "carl", [])).await.map(|_| true),
                _ => continue,
            };
            // What may not be done there is refused, and that is all.
            drop(done);
        }
        work(&app).await;
        let Some(edits) = planned.get(&today) else { continue };
        let mut with = texts.clone();
        with.rounds.push(edits.to_vec());
        let Some(new) = with.rules() else {
            tally.wrong += 1;
            continue;
        };
        let before = standing(&app, &made).await;
        let mut rungs_before: BTreeMap<Name, BTreeSet<RungKey>> = BTreeMap::new();
        for item in before.keys() {
            rungs_before.insert(item.clone(), rungs(&app, item).await.into_iter().collect());
        }
        let wishes = PlanWishes { allow_overdue: 100, ..PlanWishes::default() };
        let plan = app.plan(&new, &wishes, &|_| {}).await.unwrap();
        let who = Publisher { by: Some("hu".into()), ..Publisher::default() };
        match app.publish(&plan, &new, &who).await {
            Ok(_) => assert!(!plan.is_blocked()),
            Err(PublishError::No(no)) => {
                assert!(plan.is_blocked() && no.why == "blocked", "{no:?} {:?}", plan.findings);
                assert_eq!(format!("{:?}", standing(&app, &made).await), format!("{before:?}"), "nothing has changed");
                tally.blocked += 1;
                continue;
            }
            Err(PublishError::Store(error)) => panic!("{error}"),
        }
        texts = with;
        tally.published += 1;
        let workflow = &new.workflows["request"].setting.workflow;
        let after = standing(&app, &made).await;
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>(), "what was open is open");
        for (item, was) in &before {
            let is = &after[item];
            assert!(workflow.states.contains_key(&is.state), "{item} stands in {} (it was {})", is.state, was.state);
            let was_dues: BTreeMap<Name, Option<Date>> =
                was.dues.iter().map(|(name, day)| (workflow.deadline_now(name).clone(), *day)).collect();
            let moved: BTreeSet<(Name, Option<Date>, Option<Date>)> = was_dues
                .iter()
                .filter_map(|(name, day)| is.dues.get(name).filter(|now| *now != day).map(|now| (name.clone(), *day, *now)))
                .collect();
            let said: BTreeSet<_> = listed(&plan, dated, item).into_iter().collect();
            assert_eq!(moved, said, "{item}: the dates that moved are those of the plan");
            tally.moved += moved.len();
            let gone = was_dues.keys().filter(|name| !is.dues.contains_key(*name)).count();
            let told_gone = listed(&plan, stopped, item).len();
            assert_eq!(gone, told_gone, "{item}: a deadline that stopped");
            passed.extend(listed(&plan, late, item).into_iter().map(|(rung, ..)| (item.clone(), rung)));
        }
        // What comes at once is what the plan says is owed at once.
        work(&app).await;
        for (item, known) in &rungs_before {
            let now: BTreeSet<RungKey> = rungs(&app, item).await.into_iter().collect();
            let owed: BTreeSet<Name> = listed(&plan, owed, item).into_iter().map(|(rung, ..)| rung).collect();
            let told: BTreeSet<Name> = now.difference(known).map(|key| key.rung.clone()).collect();
            assert!(told.is_subset(&owed), "{item}: {told:?} came at once, the plan says {owed:?}");
            tally.owed += told.len();
        }
    }
    let names = app.rules();
    let workflow = &names.workflows["request"].setting.workflow;
    for item in &made {
        let item: Name = format!("r{item}").as_str().into();
        assert_eq!(app.examine(&item).await.unwrap(), []);
        let keys = rungs(&app, &item).await;
        let once: BTreeSet<_> =
            keys.iter().map(|key| (workflow.deadline_now(&key.deadline), key.branch, key.cycle, &key.rung, key.occurrence)).collect();
        assert_eq!(once.len(), keys.len(), "{item}: a rung came twice: {keys:?}");
        let early = keys.iter().filter(|key| passed.contains(&(item.clone(), key.rung.clone()))).count();
        assert_eq!(early, 0, "{item}: a rung of the past was told: {keys:?}");
        tally.rungs += keys.len();
    }
    tally.passed = passed.len();
    tally
}

fn dated(what: &What) -> Option<&Name> {
    if let What::Date { deadline } = what { Some(deadline) } else { None }
}

fn stopped(what: &What) -> Option<&Name> {
    if let What::NoDate { deadline } = what { Some(deadline) } else { None }
}

fn owed(what: &What) -> Option<&Name> {
    if let What::Owed { rung, .. } = what { Some(rung) } else { None }
}

fn late(what: &What) -> Option<&Name> {
    if let What::RungPassed { rung, .. } = what { Some(rung) } else { None }
}

/// What the stories came across, so that they are seen to say something.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    published: usize,
    blocked: usize,
    /// Rules that do not pass the checks.
    wrong: usize,
    moved: usize,
    owed: usize,
    passed: usize,
    rungs: usize,
}

#[test]
fn random_edits_over_random_histories_are_as_planned() {
    let cases = std::env::var("DUBAN_EDITS").ok().and_then(|text| text.parse().ok()).unwrap_or(48);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let round = || (proptest::collection::vec(edit(), 1..4), 3u32..50);
    let inputs = (proptest::collection::vec(step(), 4..24), proptest::collection::vec(round(), 1..4));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let sum = std::cell::RefCell::new(Tally::default());
    runner
        .run(&inputs, |(steps, rounds)| {
            let tally = runtime.block_on(story(&steps, &rounds));
            let mut sum = sum.borrow_mut();
            sum.published += tally.published;
            sum.blocked += tally.blocked;
            sum.wrong += tally.wrong;
            sum.moved += tally.moved;
            sum.owed += tally.owed;
            sum.passed += tally.passed;
            sum.rungs += tally.rungs;
            Ok(())
        })
        .unwrap();
    let sum = sum.into_inner();
    println!("{sum:?}");
    let said = [sum.published, sum.blocked, sum.moved, sum.passed, sum.rungs];
    assert!(said.iter().all(|count| *count > 0) && sum.wrong * 4 < sum.published, "these stories say little: {sum:?}");
}
