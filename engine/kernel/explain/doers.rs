//! Who may do an action on an item today: each way in which it may be done, with whoever holds its role and what would be said to them.

use super::action as one;
use super::who::{self, RoleExplained};
use crate::kernel::decide;
use crate::kernel::derive::roles::SYSTEM;
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::definition::{Action, By};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use indexmap::IndexMap;
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

/// Somebody who holds the role, or stands in for them today.
#[derive(Clone, Debug, Serialize)]
pub struct Doer {
    pub person: Name,
    pub title: String,
    /// May they do it now in this way, as far as can be said without the input?
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
            let holders = role.holders.iter().map(|held| (held.person.clone(), held.title.clone()));
            let stand_ins = role.holders.iter().filter_map(|held| held.stand_in.clone().zip(held.stand_in_title.clone()));
            for (person, title) in holders.chain(stand_ins).collect::<IndexMap<Name, String>>() {
                let asked = Command { by: person.clone(), ..command.clone() };
                let explained = one::explain(rules, item, &asked, lang)?;
                let (open, refused) = match not_in_this_way(rules, item, (name, declared, task), by, &person, lang)? {
                    // Whatever way it is done in, it starts from a state.
                    Some(why) => (false, refused(&explained.checks, |check| check.what == "state").or(Some(why))),
                    None => (explained.open, refused(&explained.checks, |_| true)),
                };
                persons.push(Doer { person, title, open, refused });
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

/// The first *no* among the checks that count.
fn refused(checks: &[one::Check], counts: impl Fn(&one::Check) -> bool) -> Option<String> {
    checks.iter().find(|check| check.holds == Some(false) && counts(check)).map(|check| check.says.clone())
}

/// Why a person who holds the role of a way does it in another one, or in none: its condition, or a way that comes first.
fn not_in_this_way(
    rules: &Rules,
    item: &Arc<Item>,
    (name, action, task): (&Name, &Action, Option<u32>),
    by: &By,
    person: &Name,
    lang: Lang,
) -> Result<Option<String>, Refusal> {
    if let Some(when) = by.when.as_ref() {
        if !decide::who::way_holds(rules, item, by, task, person, item.today)? {
            return Ok(Some(say(lang, "explain.way_closed", &[("source", &when.source)])));
        }
    }
    let taken = decide::who::may(rules, item, name, action, task, person, item.today).ok();
    Ok(taken.filter(|(taken, _)| !std::ptr::eq(*taken, by)).map(|(taken, _)| {
        let role = rules.setting.workflow.roles.get(&taken.role).map_or(&*taken.role, |role| role.title.as_str());
        say(lang, "explain.way_before", &[("role", role)])
    }))
}
