//! Random lives of an item under the shipped rule set: whatever people do and however time jumps, deriving from the facts alone gives the
//! item that the decisions carried along, and nothing is owed twice.

use crate::support::rule_set::files_of;
use chrono::{DateTime, TimeDelta, Utc};
use duban::kernel::calendar::window::start_of_day;
use duban::kernel::model::Name;
use duban::kernel::model::command::{BranchAddress, Command};
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::definition::Ask;
use duban::kernel::model::fact::{Cause, Fact};
use duban::kernel::model::item::DueStep;
use duban::kernel::model::value::{Fields, Type, Value};
use duban::kernel::rules::Rules;
use duban::kernel::simulate::idle::{Course, Fate};
use duban::kernel::simulate::world::World;
use duban::kernel::{check, decide, derive};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let (set, problems) = check::load(&files_of(&folder));
    let set = set.unwrap_or_else(|| panic!("{problems:#?}"));
    set.workflows["suggestion"].clone()
});

/// A small rule set in which dates hang on fields and on each other.
static DATES: LazyLock<Arc<Rules>> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/dates"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap());
    let (set, problems) = check::load(&files);
    let set = set.unwrap_or_else(|| panic!("{problems:#?}"));
    set.workflows["matter"].clone()
});

fn begin() -> DateTime<Utc> {
    "2025-03-03T01:00:00Z".parse().unwrap()
}

/// Something of the type, chosen by a number.
fn some(kind: &Type, choice: usize, world: &World) -> Value {
    let directory = &world.rules.setting.directory;
    let nth = |names: Vec<&Name>| Value::Text(names[choice % names.len()].clone());
    match kind {
        Type::YesNo => Value::Bool(choice.is_multiple_of(2)),
        Type::Number => Value::Number((choice % 100) as i64),
        Type::Year => Value::Number(2025),
        Type::Choice(options) => Value::Text(options[choice % options.len()].clone()),
        Type::Date => Value::Date(world.today() + TimeDelta::days((choice % 400) as i64)),
        Type::Duration => Value::Length(duban::kernel::time::Length::new(1 + (choice % 3) as u32, duban::kernel::time::Unit::Month)),
        Type::Person => nth(directory.persons.keys().collect()),
        Type::Unit => nth(directory.units.keys().collect()),
        Type::List(kind) => Value::List(vec![some(kind, choice, world)]),
        _ => Value::text("文字"),
    }
}

fn input(asks: &[Ask], choice: usize, world: &World) -> Fields {
    asks.iter()
        .enumerate()
        .filter(|(index, ask)| ask.required || (choice >> index).is_multiple_of(2))
        .map(|(index, ask)| (ask.name.clone(), some(&ask.kind, choice.wrapping_add(index * 7), world)))
        .collect()
}

/// Opens an item and assigns it, so that walks reach the interesting part.
fn assigned() -> World {
    let mut world = World::new(RULES.clone(), begin());
    let mut act = |action: &str, by: &str, with: &[(&str, Value)]| {
        let input = with.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect();
        let command = Command {
            id: action.into(),
            item: "walk".into(),
            branch: None,
            action: action.into(),
            input,
            by: by.into(),
            via: None,
            effective_on: None,
            seen_rev: None,
        };
        world.act(&command).unwrap_or_else(|refusal| panic!("{action}: {refusal:?}"));
    };
    let directory = &RULES.setting.directory;
    let clerk = directory.group("deputies_committee", begin().date_naive())[0].clone();
    let deputy = directory.group("deputies", begin().date_naive())[0].clone();
    let units: Vec<Value> = directory
        .units
        .iter()
        .filter(|(id, unit)| {
            unit.kind.is_some() && !unit.committee.is_empty() && !directory.duty("case_officer", id, begin().date_naive()).is_empty()
        })
        .map(|(id, _)| Value::Text(id.clone()))
        .collect();
    let text = Value::text;
    act(
        "draft",
        &clerk,
        &[
            ("session", text("五届五次")),
            ("year", Value::Number(2025)),
            ("origin", text("in_session")),
            ("title", text("关于道路的建议")),
            ("topic", text("urban")),
            ("lead_deputy", Value::Text(deputy)),
        ],
    );
    act("submit", &clerk, &[("scan", text("scan.pdf"))]);
    act("accept", &clerk, &[]);
    act("propose_allocation", &clerk, &[("host_unit", units[0].clone()), ("co_units", Value::List(vec![units[1].clone()]))]);
    act("assign", &clerk, &[]);
    world
}

fn done(world: &mut World, action: &str, by: &str, with: &[(&str, Value)]) {
    let command = Command {
        id: format!("{action} {}", world.items.values().map(|kept| kept.facts.len()).sum::<usize>()).into(),
        item: "walk".into(),
        branch: None,
        action: action.into(),
        input: with.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect(),
        by: by.into(),
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    world.act(&command).unwrap_or_else(|refusal| panic!("{action}: {refusal:?}"));
}

/// A matter with two parts.
fn begun() -> World {
    let mut world = World::new(DATES.clone(), begin());
    done(&mut world, "begin", "carl", &[("heading", Value::text("a matter"))]);
    done(&mut world, "hand_out", "carl", &[("units", Value::List(vec![Value::text("parks"), Value::text("roads")]))]);
    world
}

/// Everything that holds after any step.
fn holds(world: &World) -> Result<(), TestCaseError> {
    let id: Name = "walk".into();
    let kept = &world.items[&id];
    let carried = world.item(&id).expect("the item is there");
    let derived = derive::derive(&world.rules, &id, &kept.facts, world.today()).expect("rules run").expect("there are facts");
    let json = |item: &duban::kernel::model::item::Item| serde_json::to_value(item).expect("items are plain data");
    prop_assert_eq!(json(&derived), json(&carried));
    prop_assert_eq!(decide::wake_up(&derived), decide::wake_up(&carried));
    let mut keys = BTreeSet::new();
    for (index, fact) in kept.facts.iter().enumerate() {
        prop_assert_eq!(fact.seq, index as u64 + 1);
        prop_assert!(fact.effective_on <= world.today());
        if let Some(key) = fact.cause.key() {
            prop_assert!(keys.insert(key.clone()), "twice: {}", key);
        }
    }
    let again = decide::wake(&world.rules, &carried, world.now).expect("nothing is refused");
    if kept.wake_at.is_none_or(|at| at > world.now) {
        prop_assert!(
            again.facts.is_empty(),
            "owed although the wake-up lies ahead: {:?}",
            again.facts.iter().map(|fact| &fact.cause).collect::<Vec<_>>()
        );
    }
    Ok(())
}

/// One life: the clock moves on, and somebody does something that is open. `holds` after each step.
fn live(mut world: World, walk: Vec<(usize, i64, bool)>) -> Result<(), TestCaseError> {
    holds(&world)?;
    for (index, (choice, hours, outage)) in walk.into_iter().enumerate() {
        let until = world.now + TimeDelta::hours(hours);
        if outage {
            world.down_until(until)
        } else {
            world.advance_to(until)
        }
        prop_assert!(world.quarantined.is_empty(), "{:?}", world.quarantined);
        holds(&world)?;
        let Some(item) = world.item("walk").filter(|item| !item.ended) else { break };
        let persons: Vec<Name> = world.rules.setting.directory.persons.keys().take(60).cloned().collect();
        let mut open = Vec::new();
        for person in persons {
            let offers = decide::offers(&world.rules, &item, &person, world.today()).expect("rules run");
            open.extend(offers.into_iter().filter(|offer| offer.refusal.is_none()).map(|offer| (person.clone(), offer)));
        }
        if open.is_empty() {
            continue;
        }
        let (by, offer) = &open[choice % open.len()];
        let kind = offer.task.and_then(|no| item.branch(no)).map(|branch| branch.kind.clone());
        let action = &world.rules.setting.workflow.actions_of(kind.as_deref()).expect("the kind is declared")[&offer.action];
        let command = Command {
            id: format!("walk {index}").into(),
            item: "walk".into(),
            branch: offer.task.map(BranchAddress::No),
            action: offer.action.clone(),
            input: input(&action.ask, choice, &world),
            by: by.clone(),
            via: None,
            effective_on: None,
            seen_rev: None,
        };
        let before = world.items["walk"].facts.len();
        if world.act(&command).is_err() {
            prop_assert_eq!(world.items["walk"].facts.len(), before, "a refusal leaves nothing behind");
        }
        holds(&world)?;
    }
    foreseen(world)
}

/// A look ahead says what an office does when nobody comes in any more: the same facts, and the same notices at the same minutes.
fn foreseen(mut world: World) -> Result<(), TestCaseError> {
    let (from, until) = (world.now, world.today() + TimeDelta::days(300));
    let kept = &world.items["walk"];
    let (before, sent) = (kept.facts.len(), world.sent.len());
    let course = Course::new(world.rules.clone(), from, until);
    let life = course.life(&kept.item, &world.waiting, &mut course.left());
    prop_assert!(life.stopped.is_none(), "{:?}", life.stopped);
    let midnight = start_of_day(until + TimeDelta::days(1), world.rules.setting.workflow.timezone);
    world.advance_to(midnight - TimeDelta::milliseconds(1));
    let kept = &world.items["walk"];
    let plain = |facts: &[Fact]| facts.iter().map(|fact| serde_json::to_value(fact).expect("facts are plain data")).collect::<Vec<_>>();
    prop_assert_eq!(plain(&life.facts), plain(&kept.facts[before..]));
    let mut left: Vec<_> =
        life.told.iter().filter(|told| told.fate == Fate::Leaves).map(|told| (told.at, told.key.as_str(), told.bundle.as_str())).collect();
    let mut mailed: Vec<_> =
        world.sent[sent..].iter().map(|sent| (sent.at, sent.notice.key.as_str(), sent.notice.bundle.as_str())).collect();
    left.sort();
    mailed.sort();
    prop_assert_eq!(left, mailed);
    prop_assert_eq!(life.item.flag, kept.item.flag);
    prop_assert!(life.flags.last().is_none_or(|change| change.to == kept.item.flag));
    for told in life.told.iter().filter(|told| !told.rule.is_empty()) {
        prop_assert!(world.rules.places.find(&told.rule).is_some(), "no line of the rules says `{}`", told.rule);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn facts_alone_make_the_item(walk in proptest::collection::vec((0usize..10_000, 0i64..25 * 24, any::<bool>()), 1..30)) {
        live(assigned(), walk)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn facts_alone_make_dates_that_hang_on_each_other(
        walk in proptest::collection::vec((0usize..10_000, 0i64..15 * 24, any::<bool>()), 1..25)
    ) {
        live(begun(), walk)?;
    }
}

#[test]
fn moving_a_cap_moves_the_date_and_the_wake_up() {
    let mut world = begun();
    let due = |world: &World, deadline: &str| world.item("walk").unwrap().clock(deadline, None).unwrap().due.as_ref().unwrap().date;
    let date = |text: &str| Value::Date(text.parse().unwrap());
    done(&mut world, "set_limit", "carl", &[("limit", date("2025-05-20"))]);
    assert_eq!(due(&world, "capped").to_string(), "2025-05-20");
    let walk: Name = "walk".into();
    let before = world.items[&walk].wake_at;
    done(&mut world, "set_limit", "carl", &[("limit", date("2025-03-07"))]);
    assert_eq!(due(&world, "capped").to_string(), "2025-03-07");
    assert!(world.items[&walk].wake_at <= before);
    let before = due(&world, "leaning");
    done(&mut world, "set_ceiling", "carl", &[("ceiling", date("2025-04-01"))]);
    assert!(due(&world, "leaning") < before, "a cap that leans on a neighbour follows it");
    holds(&world).unwrap();
}

#[test]
fn a_rung_may_come_more_than_a_thousand_times() {
    for outage in [false, true] {
        let mut world = begun();
        let until = begin() + TimeDelta::days(1_100);
        if outage {
            // The first tick works what one decision may; the others go on.
            for _ in 0..4 {
                world.down_until(until);
            }
        } else {
            world.advance_to(until);
        }
        assert!(world.quarantined.is_empty(), "{:?}", world.quarantined);
        let daily = world.item("walk").unwrap().clock("daily", None).unwrap().fired.len();
        assert_eq!(daily, 1_099, "outage: {outage}");
    }
}

#[test]
fn an_item_that_is_woken_but_owes_nothing_is_refused() {
    let world = begun();
    let mut item = (*world.item("walk").unwrap()).clone();
    for clock in &mut item.clocks {
        let clock = Arc::make_mut(clock);
        clock.next_at = Some(world.now);
    }
    let refused = decide::wake(&world.rules, &Arc::new(item), world.now).unwrap_err();
    assert_eq!(refused.code, RefusalCode::OwesNothing);
}

#[test]
fn a_sweep_whose_rule_fails_is_not_passed_over() {
    let mut world = begun();
    let on = "2025-04-01".parse().unwrap();
    done(&mut world, "weigh", "carl", &[("weight", Value::Number(0))]);
    let none = decide::sweep(&world.rules, &world.item("walk").unwrap(), "monthly", "2025-04-01T08:00", on, world.now).unwrap();
    assert!(none.facts.is_empty() && none.notices.is_empty(), "a condition that does not hold skips the item");
    done(&mut world, "weigh", "carl", &[("weight", Value::Number(2_000))]);
    let failed = decide::sweep(&world.rules, &world.item("walk").unwrap(), "monthly", "2025-04-01T08:00", on, world.now);
    assert_eq!(failed.unwrap_err().code, RefusalCode::RuleFailed);
}

#[test]
fn what_a_sweep_tells_belongs_to_its_own_fact() {
    let world = begun();
    let item = world.item("walk").unwrap();
    let swept = decide::sweep(&world.rules, &item, "monthly", "2025-04-01T08:00", world.today(), world.now).unwrap();
    assert_eq!(swept.facts.iter().map(|fact| &*fact.name).collect::<Vec<_>>(), ["count", "note"]);
    assert_eq!(swept.notices.iter().map(|notice| notice.seq).collect::<Vec<_>>(), [swept.facts[0].seq]);
}

#[test]
fn a_date_names_what_started_it_for_ever() {
    let mut world = begun();
    let anchor = |world: &World, deadline: &str| {
        let item = world.item("walk").unwrap();
        match &item.clock(deadline, None).unwrap().due.as_ref().unwrap().steps[0] {
            DueStep::Anchor { name, seq, .. } => (name.to_string(), *seq),
            other => panic!("{other:?}"),
        }
    };
    done(&mut world, "draft", "carl", &[]);
    let stretched = anchor(&world, "stretched");
    assert_eq!(stretched.0, "draft");
    // Ended by closing, and what started it is done no more; the older cycle still knows its own.
    let item = world.item("walk").unwrap();
    let first = item.clocks.iter().find(|clock| &*clock.deadline == "stretched").unwrap();
    done(&mut world, "draft", "carl", &[]);
    assert_eq!(&*first.started_by, "begin");
    let again = world.item("walk").unwrap();
    let old = again.clocks.iter().find(|clock| &*clock.deadline == "stretched" && clock.started_seq == stretched.1).unwrap();
    assert!(matches!(&old.due.as_ref().unwrap().steps[0], DueStep::Anchor { name, .. } if &**name == "draft"), "{old:?}");
}

#[test]
fn an_outage_tells_each_person_once_per_deadline() {
    let mut world = assigned();
    world.down_until(begin() + TimeDelta::days(200));
    let rungs = world.items["walk"]
        .facts
        .iter()
        .filter(|fact| matches!(&fact.cause, Cause::Rung { key, skipped: None, .. } if &*key.deadline == "reply"))
        .count();
    assert!(rungs > 1, "several rungs of one deadline were owed at once");
    let mut bundles: Vec<_> = world
        .waiting
        .iter()
        .chain(world.sent.iter().map(|sent| &sent.notice))
        .filter(|notice| notice.owed_by.as_ref().is_some_and(|owed| &*owed.deadline == "reply"))
        .map(|notice| (notice.person.clone(), notice.bundle.clone()))
        .collect();
    bundles.sort();
    bundles.dedup();
    let mut persons: Vec<_> = bundles.iter().map(|(person, _)| person.clone()).collect();
    persons.dedup();
    assert_eq!(bundles.len(), persons.len(), "one mail a person: {bundles:?}");
}

#[test]
fn a_mail_names_the_days_of_the_rungs_to_come() {
    let world = assigned();
    let item = world.item(&Name::from("walk")).expect("the item is there");
    let late = decide::wake(&world.rules, &item, begin() + TimeDelta::days(200)).expect("nothing is refused");
    let urged = late.notices.iter().find(|notice| &*notice.notice == "T11b_supervise" && notice.values["due"]["this"]["name"] == "reply");
    let this = &urged.expect("the reply is urged").values["due"]["this"];
    assert_eq!(this["rungs"]["drop"], serde_json::Value::Null, "a rung of other ladders");
    let council: chrono::NaiveDate = this["rungs"]["council"].as_str().expect("a day").parse().unwrap();
    let zone = world.rules.setting.workflow.timezone;
    let start = duban::kernel::calendar::window::start_of_day(council, zone);
    for (moment, told) in [(start - TimeDelta::seconds(1), false), (start, true)] {
        let accepted = decide::wake(&world.rules, &item, moment).expect("nothing is refused");
        let of_reply = |fact: &duban::kernel::model::fact::Fact| matches!(&fact.cause, Cause::Rung { key, .. } if &*key.rung == "council" && &*key.deadline == "reply");
        assert_eq!(accepted.facts.iter().any(of_reply), told, "{moment}");
    }
}

#[test]
fn a_refusal_lists_and_reasons_in_the_language_of_the_reader() {
    use duban::kernel::words::{Lang, refusal};
    let mut world = begun();
    let mut act = |action: &str, by: &str, on: Option<&str>| {
        let command = Command {
            id: action.into(),
            item: "walk".into(),
            branch: None,
            action: action.into(),
            input: Fields::new(),
            by: by.into(),
            via: None,
            effective_on: on.map(|day| day.parse().unwrap()),
            seen_rev: None,
        };
        let refused = world.act(&command).unwrap_err();
        (refusal(Lang::En, &refused), refusal(Lang::Zh, &refused))
    };
    let future = act("stand", "carl", Some("2025-03-09"));
    assert!(future.0.ends_with("it lies in the future.") && future.1.ends_with("不得晚于今天。"), "{future:?}");
    let before = act("stand", "carl", Some("2025-03-01"));
    assert!(before.0.ends_with("was done on 2025-03-03.") && before.1.contains("（2025-03-03）"), "{before:?}");
    done(&mut world, "stand", "carl", &[]);
    done(&mut world, "go_on", "carl", &[]);
    done(&mut world, "close", "carl", &[]);
    let act = |action: &str| {
        let item = world.item("walk").unwrap();
        let declared = &world.rules.setting.workflow.actions[action];
        let refused = decide::who::state_allows(&world.rules, &item, declared, None).unwrap_err();
        (refusal(Lang::En, &refused), refusal(Lang::Zh, &refused))
    };
    let (english, chinese) = act("set_limit");
    assert!(english.contains("open, standing still") && chinese.contains("open、standing still"), "{english} {chinese}");
}
