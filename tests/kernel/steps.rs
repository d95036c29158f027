//! Action files are read, or what is wrong is told with its line.

use chrono::NaiveDate;
use duban::kernel::model::command::BranchAddress;
use duban::kernel::model::problem::Problem;
use duban::kernel::model::value::Value;
use duban::kernel::read::steps::{self, ActionFile};

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
