//! Random lives of an item under the shipped rule set: whatever people do and however time jumps, deriving from the facts alone gives the
//! item that the decisions carried along, and nothing is owed twice.

use crate::support::rule_set::files_of;
use chrono::{DateTime, TimeDelta, Utc};
use duban::kernel::model::Name;
use duban::kernel::model::command::{BranchAddress, Command};
use duban::kernel::model::definition::Ask;
use duban::kernel::model::fact::Cause;
use duban::kernel::model::value::{Fields, Type, Value};
use duban::kernel::rules::Rules;
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
            unit.kind.is_some() && unit.committee.is_some() && !directory.duty("case_officer", id, begin().date_naive()).is_empty()
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, max_shrink_iters: 40, ..ProptestConfig::default() })]

    #[test]
    fn facts_alone_make_the_item(walk in proptest::collection::vec((0usize..10_000, 0i64..25 * 24, any::<bool>()), 1..30)) {
        let mut world = assigned();
        holds(&world)?;
        for (index, (choice, hours, outage)) in walk.into_iter().enumerate() {
            let until = world.now + TimeDelta::hours(hours);
            if outage { world.down_until(until) } else { world.advance_to(until) }
            prop_assert!(world.quarantined.is_empty(), "{:?}", world.quarantined);
            holds(&world)?;
            let Some(item) = world.item("walk").filter(|item| !item.ended) else { break };
            let persons: Vec<Name> = world.rules.setting.directory.persons.keys().take(60).cloned().collect();
            let mut open = Vec::new();
            for person in persons {
                let offers = decide::offers(&world.rules, &item, &person, world.today()).expect("rules run");
                open.extend(offers.into_iter().filter(|offer| offer.refusal.is_none()).map(|offer| (person.clone(), offer)));
            }
            if open.is_empty() { continue }
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
    }
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
