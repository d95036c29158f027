//! What a version says of itself leads somewhere: names that are gone have a present one, and choices are made for what is there (E802).

use super::at::Checked;
use crate::kernel::model::Name;
use crate::kernel::model::problem::Problem;
use indexmap::IndexMap;

pub fn check(at: &Checked) -> Vec<Problem> {
    let (workflow, mut problems) = (at.workflow, Vec::new());
    let levels = || at.levels().into_iter().map(|level| level.map(|name| &**name));
    let states: Vec<Vec<&Name>> = levels().filter_map(|kind| Some(workflow.states_of(kind)?.keys().collect())).collect();
    let fields: Vec<Vec<&Name>> = levels().filter_map(|kind| Some(workflow.fields_of(kind)?.keys().collect())).collect();
    let actions: Vec<Vec<&Name>> = levels().filter_map(|kind| Some(workflow.actions_of(kind)?.keys().collect())).collect();
    let branches = vec![workflow.branches.keys().collect::<Vec<_>>()];
    let deadlines = vec![workflow.deadlines.keys().collect::<Vec<_>>()];
    for (index, change) in workflow.changes.iter().enumerate() {
        let renamed = [
            ("renamed_states", &change.renamed_states, &workflow.renames.states, &states),
            ("retired_states", &change.retired_states, &workflow.renames.states, &states),
            ("renamed_fields", &change.renamed_fields, &workflow.renames.fields, &fields),
            ("renamed_actions", &change.renamed_actions, &workflow.renames.actions, &actions),
            ("renamed_branches", &change.renamed_branches, &workflow.renames.branches, &branches),
            ("renamed_deadlines", &change.renamed_deadlines, &workflow.renames.deadlines, &deadlines),
        ];
        for (key, names, all, declared) in renamed {
            for (old, new) in names {
                let path = format!("changes[{index}].{key}.{old}");
                let problem = |variant| at.problem("E802", &path).variant(variant).with("old", old).with("new", new);
                if !leads_somewhere(new, all, declared) {
                    problems.push(problem("nowhere"));
                } else if declared.iter().filter(|names| names.contains(&new)).all(|names| names.contains(&old)) && !all.contains_key(new) {
                    problems.push(problem("declared"));
                }
            }
        }
        for deadline in change.open_items.keys().filter(|_| change.version == workflow.version) {
            if !workflow.deadlines.contains_key(deadline) {
                let path = format!("changes[{index}].open_items.{deadline}");
                problems.push(at.problem("E802", &path).variant("deadline").with("old", deadline));
            }
        }
    }
    problems
}

/// The name is declared, or was renamed to one that is.
fn leads_somewhere(name: &Name, all: &IndexMap<Name, Name>, declared: &[Vec<&Name>]) -> bool {
    let (mut name, mut left) = (name, all.len() + 1);
    while left > 0 {
        if declared.iter().any(|names| names.contains(&name)) {
            return true;
        }
        match all.get(name) {
            Some(next) => name = next,
            None => return false,
        }
        left -= 1;
    }
    false
}
