//! The kernel alone, on one thread: deciding one action on a derived item, and deriving an item from its facts.
//!
//! `DUBAN_BENCH=short` runs a few rounds and only checks the counts.

use duban::files;
use duban::kernel::calendar::window::day_of;
use duban::kernel::model::Name;
use duban::kernel::model::command::{BranchAddress, Command};
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::Rules;
use duban::kernel::simulate::world::World;
use duban::kernel::{check, decide, derive};
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let rounds = if short { 1 } else { 5 };
    let times: u32 = if short { 200 } else { 20_000 };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let texts = files::rule_set(&folder).expect("the shipped rule set can be read");
    let begun = Instant::now();
    let (set, problems) = check::load(&texts);
    let loaded = begun.elapsed();
    let set = set.unwrap_or_else(|| panic!("{problems:#?}"));
    let rules = set.workflows["suggestion"].clone();
    let (world, command) = office(&rules);
    let kept = &world.items["bench"];
    let item = world.item("bench").expect("the item is there");
    for rule in &rules.setting.workflow.always {
        let (straight, by_rhai) = rules.scripts.both(&rule.condition, &derive::view(&rules, &item, None));
        assert_eq!(straight, by_rhai.ok(), "`{}` is answered without Rhai, and as Rhai does", rule.condition.source);
    }
    let (mut acts, mut derives) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let begun = Instant::now();
        for _ in 0..times {
            let accepted = decide::act(&rules, Some(black_box(&item)), black_box(&command), world.now, &|_| 0).expect("it is allowed");
            assert_eq!(accepted.facts.len(), 1);
            black_box(accepted);
        }
        acts.push(f64::from(times) / begun.elapsed().as_secs_f64());
        let begun = Instant::now();
        for _ in 0..times / 10 {
            let derived = derive::derive(&rules, "bench", black_box(&kept.facts), day_of(world.now, rules.setting.workflow.timezone));
            assert_eq!(derived.expect("rules run").expect("there are facts").rev, item.rev);
        }
        derives.push(f64::from(times / 10) / begun.elapsed().as_secs_f64());
    }
    let line = |what: &str, mut rates: Vec<f64>| {
        rates.sort_by(f64::total_cmp);
        let (min, median, max) = (rates[0], rates[rates.len() / 2], rates[rates.len() - 1]);
        println!(
            "{}",
            serde_json::json!({ "bench": "kernel", "what": what, "rounds": rounds, "per_second": median.round(), "min": min.round(), "max": max.round() })
        );
    };
    line("decide one action on a derived item", acts);
    line(&format!("derive an item of {} facts", kept.facts.len()), derives);
    println!(
        "{}",
        serde_json::json!({ "bench": "kernel", "what": "load and check the shipped rule set once, cold", "ms": loaded.as_secs_f64() * 1000.0 })
    );
}

/// An item assigned to a host and a co-unit, and a contact to be recorded on it.
fn office(rules: &Arc<Rules>) -> (World, Command) {
    let begin = "2025-03-03T01:00:00Z".parse().expect("a moment");
    let today = day_of(begin, rules.setting.workflow.timezone);
    let directory = rules.setting.directory.clone();
    let mut world = World::new(rules.clone(), begin);
    let clerk = directory.group("deputies_committee", today).first().cloned().expect("somebody is in the office");
    let deputy = directory.group("deputies", today).first().cloned().expect("there are deputies");
    let staffed = |id: &&Name| !directory.duty("case_officer", id, today).is_empty();
    let units: Vec<Name> = directory.units.keys().filter(staffed).take(2).cloned().collect();
    let officer = directory.duty("case_officer", &units[0], today)[0].clone();
    let command = |action: &str, by: &Name, branch: Option<u32>, input: &[(&str, Value)]| Command {
        id: action.into(),
        item: "bench".into(),
        branch: branch.map(BranchAddress::No),
        action: action.into(),
        input: input.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect::<Fields>(),
        by: by.clone(),
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    let text = Value::text;
    let steps = [
        command(
            "draft",
            &clerk,
            None,
            &[
                ("session", text("1")),
                ("year", Value::Number(2025)),
                ("origin", text("in_session")),
                ("title", text("t")),
                ("topic", text("urban")),
                ("lead_deputy", Value::Text(deputy)),
            ],
        ),
        command("submit", &clerk, None, &[("scan", text("s.pdf"))]),
        command("accept", &clerk, None, &[]),
        command(
            "propose_allocation",
            &clerk,
            None,
            &[("host_unit", Value::Text(units[0].clone())), ("co_units", Value::List(vec![Value::Text(units[1].clone())]))],
        ),
        command("assign", &clerk, None, &[]),
        command("sign_in", &officer, Some(1), &[]),
    ];
    for step in &steps {
        world.act(step).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", step.action));
    }
    let contact = command("record_contact", &officer, Some(1), &[("contact_way", text("visit")), ("contact_by", text("case_officer"))]);
    (world, contact)
}
