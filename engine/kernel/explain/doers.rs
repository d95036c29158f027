//! Who may do an action on an item today: each way in which it may be done, with whoever holds its role and what would be said to them.

use super::action as one;
use super::who::{self, RoleExplained};
use crate::kernel::decide;
use crate::kernel::derive::roles::SYSTEM;
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::words::Lang;
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Debug, Serialize)]
pub struct DoersExplained {
    pub item: Name,
    pub action: Name,
    pub title: String,
    pub branch: Option<u32>,
    /// As people call the branch.
    pub branch_title: Option<String>,
    /// In the order of the file; empty when only the engine does it.
    pub ways: Vec<WayExplained>,
}

/// A role that may do it.
#[derive(Clone, Debug, Serialize)]
pub struct WayExplained {
    pub role: RoleExplained,
    /// Only if this holds.
    pub when: Option<Name>,
    /// It is recorded as done on behalf of this role.
    pub on_behalf_of: Option<Name>,
    pub persons: Vec<Doer>,
}

/// Somebody who holds the role.
#[derive(Clone, Debug, Serialize)]
pub struct Doer {
    pub person: Name,
    pub title: String,
    /// May they do it now, as far as can be said without the input?
    pub open: bool,
    /// What stands in the way, in its own sentence.
    pub refused: Option<String>,
}

/// Everybody who may do an action, on a branch where it is one of a branch; the refusal when either is not known.
pub fn explain(
    rules: &Rules,
    item: &Arc<Item>,
    action: &str,
    branch: Option<BranchAddress>,
    lang: Lang,
) -> Result<DoersExplained, Refusal> {
    let command = Command {
        id: "explain".into(),
        item: item.id.clone(),
        branch,
        action: action.into(),
        input: Default::default(),
        by: SYSTEM.into(),
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    let (task, name, declared) = decide::find(rules, item, &command, item.today)?;
    let mut ways = Vec::new();
    for by in declared.by.iter().filter(|by| &*by.role != SYSTEM) {
        for role in who::explain(rules, item, &by.role, task)? {
            let mut persons = Vec::new();
            for held in &role.holders {
                let asked = Command { by: held.person.clone(), ..command.clone() };
                let explained = one::explain(rules, item, &asked, lang)?;
                let refused = explained.checks.into_iter().find(|check| check.holds == Some(false)).map(|check| check.says);
                persons.push(Doer { person: held.person.clone(), title: held.title.clone(), open: explained.open, refused });
            }
            let when = by.when.as_ref().map(|when| when.source.clone());
            ways.push(WayExplained { role, when, on_behalf_of: by.on_behalf_of.clone(), persons });
        }
    }
    Ok(DoersExplained {
        item: item.id.clone(),
        action: name.clone(),
        title: declared.title.clone(),
        branch: task,
        branch_title: task.and_then(|no| super::due::title_of_branch(rules, item, no)),
        ways,
    })
}
