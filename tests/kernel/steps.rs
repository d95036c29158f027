//! Action files are read, or what is wrong is told with its line.

use chrono::NaiveDate;
use duban::kernel::model::command::BranchAddress;
use duban::kernel::model::problem::Problem;
use duban::kernel::model::value::Value;
use duban::kernel::read::steps::{self, ActionFile};
use duban::kernel::read::story;

fn read(text: &str) -> (Option<ActionFile>, Vec<Problem>) {
    let mut problems = Vec::new();
    let file = steps::read(&"2024.yaml".into(), text, &mut problems);
    (file, problems)
}

/// Code and line of each problem.
fn wrong(text: &str) -> Vec<(&'static str, u32)> {
    let (file, problems) = read(text);
    assert!(file.is_none() || problems.is_empty(), "all or nothing");
    problems.iter().map(|problem| (problem.code, problem.place.line)).collect()
}

#[test]
fn a_step_says_when_who_where_and_what() {
    let (file, problems) = read(
        "title: 2024年\nsteps:\n  # a remark\n  - { at: 2024-03-22 10:30, by: 许少生, item: 2024-087, branch: assignment 市住建局, do: sign_in }\n  - at: 2024-05-30\n    by: li\n    item: 2024-087\n    do: reply\n    with: { class: B, percent: 40, promised_on: 2024-12-20, units: [a, b] }\n    effective_on: 2024-05-29\n",
    );
    assert_eq!(problems, vec![]);
    let file = file.unwrap();
    assert_eq!(file.title, "2024年");
    let [first, second] = file.steps.as_slice() else { panic!("two steps") };
    assert_eq!((first.line, second.line), (4, 5));
    assert_eq!(first.at, NaiveDate::from_ymd_opt(2024, 3, 22).unwrap().and_hms_opt(10, 30, 0).unwrap());
    assert_eq!(second.at, NaiveDate::from_ymd_opt(2024, 5, 30).unwrap().and_hms_opt(9, 0, 0).unwrap(), "a day alone is its 09:00");
    let command = first.command("x 1".into());
    assert_eq!((&*command.by, &*command.item, &*command.action), ("许少生", "2024-087", "sign_in"));
    assert_eq!(command.branch, Some(BranchAddress::Named("assignment 市住建局".into())));
    assert_eq!(second.input["percent"], Value::Number(40));
    assert_eq!(second.input["units"], Value::List(vec![Value::text("a"), Value::text("b")]));
    assert_eq!(second.command("x 2".into()).effective_on, NaiveDate::from_ymd_opt(2024, 5, 29));
}

#[test]
fn all_mistakes_are_told_with_their_lines() {
    let text = "steps:\n- { at: 2024-03-22, by: li, item: a, do: sign_in }\n- { at: 2024-03-32, by: li, item: a, do: sign_in }\n- { at: 2024-03-23, item: a }\n- { at: 2024-03-24, by: li, item: a, do: x, expect: { state: done } }\n";
    assert_eq!(wrong(text), [("E011", 3), ("E006", 4), ("E006", 4), ("E005", 5)]);
}

#[test]
fn what_does_not_fit_is_marked_with_the_nearest_word() {
    let told = |text: &str| {
        let (_, problems) = read(text);
        let [problem] = problems.as_slice() else { panic!("{text}: {problems:?}") };
        let (line, column, length) = (problem.place.line, problem.place.column, problem.place.length);
        let near = problem.values.iter().find(|(name, _)| *name == "near").map(|(_, near)| near.clone());
        (problem.code, problem.variant, line, column, length, near)
    };
    let near = |word: &str| Some(word.to_string());
    assert_eq!(told("steps:\n- { at: 2024-03-22, wtih: { a: b } }\n"), ("E005", Some("near"), 2, 21, 4, near("with")));
    assert_eq!(told("stpes: []\n"), ("E005", Some("near"), 1, 1, 5, near("steps")));
    assert_eq!(told("steps:\n- at: 2024-03-22\n  at: 2024-03-23\n"), ("E002", Some("again"), 3, 3, 2, None));
    assert_eq!(told("title: x\n").0, "E006");
    assert_eq!(told("steps: 3\n"), ("E007", Some("data"), 1, 8, 1, None));
    assert_eq!(told("steps:\n- &step { at: 2024-03-22 }\n- *step\n").0, "E008");
}

#[test]
fn stories_are_read_as_strictly_as_rules() {
    let problems = |text: &str| {
        let mut problems = Vec::new();
        let file = story::read("tests/a.test.yaml", text, &mut problems);
        assert_eq!(file.is_none(), !problems.is_empty());
        problems.iter().map(|problem| (problem.code, problem.place.line, problem.place.column)).collect::<Vec<_>>()
    };
    assert_eq!(problems("test_of: a\ntests: []\n"), []);
    assert_eq!(problems("test_of: a\ntest: []\n"), [("E005", 2, 1)]);
    assert_eq!(problems("test_of: a\ntests:\n  - name: x\n    steps:\n      - { at: 2026-03-02, expct: {} }\n"), [("E005", 5, 27)]);
    assert_eq!(problems("test_of: a\ntests:\n  - { name: x, name: y }\n"), [("E002", 3, 16)]);
    assert_eq!(problems("test_of: a\ntests:\n  - name: x\n    steps:\n      - expect: { flag: rde }\n"), [("E007", 5, 25)]);
    assert_eq!(problems("test_of: a\ntests: !x []\n"), [("E008", 2, 11)]);
    assert_eq!(problems("test_of: a\ntests:\n\t- name: x\n").first().map(|found| found.0), Some("E004"));
    assert_eq!(problems("test_of: a\nitem: &i { x: 1 }\ntests:\n  - { name: x, given: *i }\n"), [("E008", 2, 10), ("E008", 4, 23)]);
}

#[test]
fn what_yaml_can_hide_is_refused() {
    let step = |more: &str| format!("steps:\n- {{ at: 2024-03-22, by: li, item: a, do: sign_in{more} }}\n");
    assert_eq!(wrong(&step("")), []);
    for hidden in
        [", by: wang", ", with: { class: A, class: B }", ", wtih: { class: A }", ", with: &a { class: A }, until: *a", ", with: 5"]
    {
        let found = wrong(&step(hidden));
        assert!(matches!(found.as_slice(), [(_, 1..=2)]), "{hidden}: {found:?}");
    }
    assert_eq!(wrong("steps: 3\n").len(), 1);
    assert_eq!(wrong("").len(), 1);
    assert_eq!(wrong(&"a".repeat((16 << 20) + 1)), [("E012", 1)]);
}
