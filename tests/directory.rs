//! The directory as it goes on living: units are merged and renamed, committees change, people leave and stand in. What was true then stays;
//! what is open goes to whoever holds it now.

use crate::support::rule_set::files_of;
use duban::cli::problems;
use duban::cli::test::stories;
use duban::kernel::check;
use duban::kernel::derive::hands;
use duban::kernel::model::directory::{Dated, Directory};
use duban::kernel::time::Date;
use duban::kernel::words::Lang;
use indexmap::IndexMap;
use std::path::Path;

const DIRECTORY: &str = "
units:
  parks:
    title: Parks and Water
    formerly: [{ title: Parks, to: 2026-03-10 }]
    kind: bureau
    committee: [{ is: green, to: 2026-03-31 }, { is: works, from: 2026-04-01 }]
  roads: { title: Roads, kind: bureau, committee: green, merged_into: { unit: parks, from: 2026-03-16 } }
  green: { title: Green committee, kind: committee }
  works: { title: Works committee, kind: committee }
persons:
  li: { title: Li, mail: li@example.org, groups: [office] }
  ma: { title: Ma, mail: ma@example.org, groups: [chairs] }
  zhao: { title: Zhao, mail: zhao@example.org, groups: [applicants] }
  qian: { title: Qian, mail: qian@example.org, duties: [{ duty: officer, unit: parks, to: 2026-03-25 }] }
  sun: { title: Sun, mail: sun@example.org, duties: [{ duty: officer, unit: roads }, { duty: officer, unit: parks, from: 2026-03-26 }] }
  zhou: { title: Zhou, mail: zhou@example.org, duties: [{ duty: head, unit: green }] }
  wu: { title: Wu, mail: wu@example.org, duties: [{ duty: head, unit: works }], stand_in: [{ person: ma, from: 2026-04-20, to: 2026-04-30 }] }
";

fn files(directory: &str) -> IndexMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/permit"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap());
    files.insert("directory.yaml".into(), directory.to_string());
    let reports = "
reports:
  by_unit:
    title: Opinions by unit
    over: opinion
    by: { Unit: task.unit, Committee: task.unit.committee }
";
    files.insert("permit/more.yaml".into(), reports.to_string());
    files
}

#[test]
fn the_directory_answers_for_a_day() {
    let (rules, problems) = check::load(&files(DIRECTORY));
    let directory = rules.unwrap_or_else(|| panic!("{problems:#?}")).directory.clone();
    let day = |text: &str| text.parse::<Date>().unwrap();
    let parks = &directory.units["parks"];
    for (on, title, committee) in [
        ("2026-03-10", "Parks", "green"),
        ("2026-03-11", "Parks and Water", "green"),
        ("2026-03-31", "Parks and Water", "green"),
        ("2026-04-01", "Parks and Water", "works"),
    ] {
        assert_eq!((parks.title_on(day(on)), parks.committee_on(day(on)).map(|name| &**name)), (title, Some(committee)), "{on}");
    }
    let officers = |unit: &str, on: &str| directory.duty("officer", unit, day(on)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!((officers("roads", "2026-03-15"), officers("roads", "2026-03-16")), (vec!["sun".into()], vec!["qian".into()]));
    assert_eq!((officers("roads", "2026-03-26"), officers("parks", "2026-03-26")), (vec!["sun".into()], vec!["sun".into()]));
    // A circle is refused by the checks, and ends all the same.
    let mut circle = Directory::clone(&directory);
    circle.units["parks"].merged_into = Some(Dated { value: "roads".into(), from: None, to: None });
    circle.successor("roads", day("2026-05-01"));
    let called = |text: &str| directory.unit_called(text).map(|id| id.to_string());
    assert_eq!(
        (called("Parks"), called("Parks and Water"), called("parks"), called("Lakes")),
        (Some("parks".into()), Some("parks".into()), Some("parks".into()), None)
    );
}

#[test]
fn what_is_open_goes_to_whoever_holds_it_now() {
    let story = r#"
test_of: permit
tests:
  - name: two units become one
    starts_empty: true
    ignore_notices: [decision_soon, decision_late, hearing_soon, hearing_late, weekly]
    steps:
      - { at: 2026-03-02 09:00, by: li, item: a, do: file, with: { heading: Pipes, applicant: zhao, size: 12, kind: small } }
      - { at: 2026-03-02 09:10, by: li, item: a, do: submit, with: { units: [parks, roads] }, expect: { mails: [{ notice: opened, to: [qian] }, { notice: opened, to: [sun] }] } }
      - advance_to: 2026-03-10 12:00
        expect:
          waits_for: { opinion parks: [qian], opinion roads: [sun] }
          reports: { by_unit: { counts: { parks green: 1, roads green: 1 } } }
      - { at: 2026-03-16 09:00, by: sun, item: a, branch: opinion roads, do: give, with: { words: fine }, refused: "Sun may not do `Give the opinion`; it is done by: Officer." }
      - advance_to: 2026-03-16 12:00
        expect: { waits_for: { opinion roads: [qian] }, may: { sun: [] } }
      - advance_to: 2026-03-27 12:00
        expect: { waits_for: { opinion parks: [sun], opinion roads: [sun] }, may: { qian: [] } }
      - { at: 2026-03-30 09:00, by: sun, item: a, branch: opinion roads, do: give, with: { words: fine } }
      - advance_to: 2026-04-02 12:00
        expect:
          reports: { by_unit: { counts: { parks works: 1, roads works: 1 } } }
"#;
    let mut files = files(DIRECTORY);
    files.insert("tests/life.test.yaml".into(), story.to_string());
    let (rules, problems) = check::load(&files);
    let rules = rules.unwrap_or_else(|| panic!("{problems:#?}"));
    let told = stories(&rules, &files, None, Lang::En);
    let outcomes = told.files.iter().flat_map(|file| &file.outcomes);
    let lines: Vec<String> = outcomes.flat_map(|outcome| &outcome.differences).map(|difference| difference.text(Lang::En)).collect();
    assert!(told.problems.is_empty() && lines.is_empty(), "{:#?} {lines:#?}", told.problems);
}

#[test]
fn a_unit_that_was_merged_lacks_nothing_and_its_people_act_for_it() {
    let alone = DIRECTORY.replace("committee: green, merged_into", "merged_into");
    let (rules, problems) = check::load(&files(&alone));
    assert!(rules.is_some() && problems.iter().all(|problem| !["W113", "E527"].contains(&problem.code)), "{problems:#?}");
    let mut files = files(DIRECTORY);
    let flow = files.get_mut("permit/flow.yaml").unwrap();
    *flow = flow.replace(
        "          - if: task.weight > 0\n",
        "          - if: task.unit in actor.units\n            say: Only for your own bureau.\n          - if: task.weight > 0\n",
    );
    let story = r#"
test_of: permit
tests:
  - name: for the bureau that was merged
    starts_empty: true
    ignore_notices: [decision_soon, decision_late, hearing_soon, hearing_late, weekly, opened]
    steps:
      - { at: 2026-03-02 09:00, by: li, item: a, do: file, with: { heading: Pipes, applicant: zhao, size: 12, kind: small } }
      - { at: 2026-03-02 09:10, by: li, item: a, do: submit, with: { units: [parks, roads] } }
      - { at: 2026-03-17 09:00, by: qian, item: a, branch: opinion roads, do: give, with: { words: fine } }
"#;
    files.insert("tests/own.test.yaml".into(), story.to_string());
    let (rules, problems) = check::load(&files);
    let told = stories(&rules.unwrap_or_else(|| panic!("{problems:#?}")), &files, None, Lang::En);
    let outcomes = told.files.iter().flat_map(|file| &file.outcomes);
    let lines: Vec<String> = outcomes.flat_map(|outcome| &outcome.differences).map(|difference| difference.text(Lang::En)).collect();
    assert!(told.problems.is_empty() && lines.is_empty(), "{:#?} {lines:#?}", told.problems);
}

#[test]
fn what_does_not_hold_together_is_told() {
    let table = [
        (DIRECTORY.replace("merged_into: { unit: parks,", "merged_into: { unit: park,"), "E112", "parks"),
        (DIRECTORY.replace("kind: bureau\n", "kind: bureau\n    merged_into: { unit: roads, from: 2027-01-01 }\n"), "E112", "comes back"),
        (DIRECTORY.replace("unit: parks, from: 2026-03-16", "unit: roads, from: 2026-03-16"), "E112", "`roads` is merged"),
        (DIRECTORY.replace("from: 2026-04-01 }]\n  roads", "from: 2026-03-15 }]\n  roads"), "E112", "same day"),
        (DIRECTORY.replace("from: 2026-04-01 }]\n  roads", "from: 2026-05-01 }]\n  roads"), "E112", "2026-05-01"),
        (DIRECTORY.to_string(), "W116", "`sun`"),
        (DIRECTORY.replace("is: green, to", "is: gren, to"), "E112", "green"),
        (DIRECTORY.replace("{ title: Parks, to: 2026-03-10 }", "{ title: Parks }"), "E006", "to"),
        (
            DIRECTORY.replace("{ title: Parks, to: 2026-03-10 }", "{ title: Parks, to: 2026-03-10 }, { title: Greens, to: 2026-03-01 }"),
            "E007",
            "2026-03-01",
        ),
        (DIRECTORY.replace(", from: 2026-04-01 }]\n  roads", ", to: 2026-06-30, from: 2026-04-01 }]\n  roads"), "W113", "`parks`"),
    ];
    for (directory, code, part) in table {
        let (_, found) = check::load(&files(&directory));
        let said = |problem: &_, part: &str| problems::sentence(Lang::En, problem, part).unwrap_or_default();
        let told: Vec<String> =
            found.iter().map(|problem| format!("{} {}{}", problem.code, said(problem, ""), said(problem, ".help"))).collect();
        assert!(told.iter().any(|line| line.starts_with(code) && line.contains(part)), "no {code} with `{part}` in {told:#?}");
    }
}

/// The same keys lead to other persons as the directory goes on living.
#[test]
fn the_keys_of_hands_follow_the_directory() {
    let (set, problems) = check::load(&files(DIRECTORY));
    let set = set.unwrap_or_else(|| panic!("{problems:#?}"));
    let of_duties = |person: &str, on: &str| {
        let now = format!("{on}T04:00:00Z").parse().unwrap();
        let keys = hands::keys_of(&set, person, None, now);
        keys.into_iter().filter(|key| key.contains(" of ")).collect::<Vec<_>>().join(", ")
    };
    for (person, on, keys) in [
        ("sun", "2026-03-15", "officer of roads"),
        // Merged: what names either unit goes to whoever is there, and Sun is not before the 26th.
        ("qian", "2026-03-16", "officer of parks, officer of roads"),
        ("sun", "2026-03-16", ""),
        ("sun", "2026-03-26", "officer of parks, officer of roads"),
        ("qian", "2026-03-26", ""),
        ("zhou", "2026-03-15", "head of committee of parks, head of committee of roads"),
        ("zhou", "2026-04-01", ""),
        ("wu", "2026-03-31", ""),
        ("wu", "2026-04-01", "head of committee of parks, head of committee of roads"),
        ("ma", "2026-04-19", ""),
        ("ma", "2026-04-20", "head of committee of parks, head of committee of roads"),
        ("nobody", "2026-04-20", ""),
    ] {
        assert_eq!(of_duties(person, on), keys, "{person} on {on}");
    }
    let groups = hands::keys_of(&set, "li", None, "2026-03-15T04:00:00Z".parse().unwrap());
    assert!(groups.contains("group office") && groups.contains("person li"), "{groups:?}");
}
