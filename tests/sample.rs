//! The shipped sample is read: the list with its blemishes, and what people did.

use crate::support::rule_set::files_of;
use duban::kernel::model::Name;
use duban::kernel::read::steps;
use duban::kernel::rules::{RuleSet, Rules};
use duban::kernel::words::Lang;
use duban::kernel::check;
use duban::sheet::{Row, read_import};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng")
}

static RULE_SET: LazyLock<RuleSet> = LazyLock::new(|| {
    let (rule_set, problems) = check::load(&files_of(&folder()));
    rule_set.unwrap_or_else(|| panic!("{problems:#?}"))
});

fn rules() -> Arc<Rules> {
    RULE_SET.workflows["suggestion"].clone()
}

fn list() -> Vec<Row> {
    let rules = rules();
    let workflow = &rules.setting.workflow;
    let path = folder().join("sample/2024年代表建议.xlsx");
    let reading = read_import(&path, &workflow.imports["suggestions"], &workflow.fields, &RULE_SET.directory).unwrap();
    let problems: Vec<_> = reading.problems.iter().map(|problem| format!("{} {}", problem.place(), problem.sentence(Lang::Zh))).collect();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(reading.blank_rows, 0, "the row between session and inter-session is not even a row");
    reading.rows
}

#[test]
fn the_action_files_are_read() {
    for (year, fewest) in [(2024, 4_000), (2025, 800)] {
        let name = format!("{year}年办理.yaml");
        let text = std::fs::read_to_string(folder().join("sample").join(&name)).unwrap();
        let mut problems = Vec::new();
        let file = steps::read(&name.into(), &text, &mut problems).unwrap_or_else(|| panic!("{problems:#?}"));
        assert!(file.steps.len() > fewest && file.steps.is_sorted_by_key(|step| step.at));
        assert!(file.steps.iter().all(|step| RULE_SET.directory.persons.contains_key(&step.by)));
    }
}

#[test]
fn the_list_is_read_with_its_blemishes() {
    let rows = list();
    assert_eq!(rows.len(), 432);
    assert_eq!(rows.iter().filter_map(|row| row.item.as_deref()).collect::<BTreeSet<_>>().len(), 432);
    assert!(rows.iter().all(|row| row.steps.len() == 5));
    let titles: BTreeSet<_> = rows.iter().map(|row| row.steps[0].input[&Name::from("title")].as_text().unwrap().clone()).collect();
    assert_eq!(titles.len(), 432, "every title is its own");
    assert!(titles.iter().all(|title| title.starts_with("关于") && title.ends_with("的建议") && !title.contains([' ', '\u{3000}'])));
}
