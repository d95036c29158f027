//! What is wrong with a rule set is told with its place; what is right is read as it was meant.

use crate::support::rule_set::files_of;
use duban::kernel::check;
use std::path::Path;

#[test]
fn shipped_rule_sets_are_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let (rules, problems) = check::load(&files_of(&folder));
    let errors: Vec<_> = problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let rules = rules.expect("there is a rule set when there is no error");
    assert!(!rules.workflows.is_empty());
}
