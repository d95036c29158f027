//! What people can do with an item: which roles may do which action, whether anybody can do anything, whether the roles have holders, and
//! whether what must always hold still does.

use super::pair::{Asked, Pair};
use super::{Cause, Difference, Row, What};
use crate::kernel::derive::{self, roles};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Action, RequestStep};
use crate::kernel::model::fact::Actor;
use crate::kernel::model::item::Item;
use crate::kernel::rules::{Rules, View};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Adds what differs.
pub fn compare(pair: &Pair, before: &Arc<Item>, after: &Arc<Item>, found: &mut Vec<Difference>) {
    if before.is_over() {
        return;
    }
    for asked in &pair.actions {
        for task in holders(after, asked) {
            actions(pair, asked, task, before, after, found);
        }
    }
    if !pair.actions.is_empty() && can_move(&pair.old, before) && !can_move(&pair.new, after) {
        let what = What::Stuck { state: after.state.clone() };
        found.push(Difference { what, cause: Cause::of(format!("states.{}", after.state)), row: Row::of(&before.id, None) });
    }
    if pair.holders {
        moved_holders(pair, before, after, found);
    }
    if pair.always {
        always(pair, before, after, found);
    }
}

/// The item, or its open branches of the action's kind.
fn holders(item: &Item, asked: &Asked) -> Vec<Option<u32>> {
    match &asked.level {
        None if item.ended => Vec::new(),
        None => vec![None],
        Some(kind) => item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended).map(|branch| Some(branch.no)).collect(),
    }
}

fn actions(pair: &Pair, asked: &Asked, task: Option<u32>, before: &Arc<Item>, after: &Arc<Item>, found: &mut Vec<Difference>) {
    let (was, is) = (offered(&pair.old, before, asked.old.as_ref(), task), offered(&pair.new, after, asked.new.as_ref(), task));
    let base =
        asked.level.as_ref().map_or_else(|| format!("actions.{}", asked.name), |kind| format!("branches.{kind}.actions.{}", asked.name));
    let cause = match asked.key {
        None => Cause::of(format!("{base}.require")),
        Some("") => Cause::of(base),
        Some(key) => Cause::of(format!("{base}.{key}")),
    };
    let mut add = |what| found.push(Difference { what, cause: cause.clone(), row: Row::of(&before.id, task) });
    was.difference(&is).for_each(|role| add(What::ActionLost { action: asked.name.clone(), role: (*role).clone() }));
    is.difference(&was).for_each(|role| add(What::ActionGained { action: asked.name.clone(), role: (*role).clone() }));
}

/// The roles to which an action is open, as far as can be said without its input.
fn offered<'a>(rules: &Rules, item: &Arc<Item>, action: Option<&'a Action>, task: Option<u32>) -> BTreeSet<&'a Name> {
    let Some(action) = action.filter(|action| stands_there(item, action, task)) else { return BTreeSet::new() };
    let view = derive::view(rules, item, task);
    // What cannot be asked is no reason.
    let holds = |condition: &_, view: &View| rules.scripts.reads_input(condition) || rules.scripts.holds(condition, view).unwrap_or(true);
    if !action.require.iter().all(|rule| holds(&rule.condition, &view)) {
        return BTreeSet::new();
    }
    let by = action.by.iter().filter(|by| &*by.role != roles::SYSTEM);
    let may = by.filter(|by| {
        let actor = Actor { role: Some(by.role.clone()), ..Actor::default() };
        by.when.as_ref().is_none_or(|condition| holds(condition, &View { actor: Arc::new(actor), ..view.clone() }))
    });
    may.map(|by| &by.role).collect()
}

/// The item, or the branch, stands where the action starts, and its request waits (or does not).
fn stands_there(item: &Item, action: &Action, task: Option<u32>) -> bool {
    let (state, over) = match task {
        None => (&item.state, item.ended),
        Some(no) => match item.branch(no) {
            Some(branch) => (&branch.state, branch.ended),
            None => return false,
        },
    };
    let waits = |request: &Name| item.pending(request, task).is_some();
    let asked = match &action.request {
        None => true,
        Some((request, RequestStep::Ask)) => !waits(request),
        Some((request, _)) => waits(request),
    };
    asked && !action.creates && if action.from.is_empty() { !over } else { action.from.contains(state) }
}

/// Somebody can do something with it, or with one of its branches, or a deadline runs.
fn can_move(rules: &Rules, item: &Item) -> bool {
    let workflow = &rules.setting.workflow;
    let any =
        |kind: Option<&str>, task| workflow.actions_of(kind).into_iter().flatten().any(|(_, action)| stands_there(item, action, task));
    item.clocks.iter().any(|clock| clock.is_running())
        || any(None, None)
        || item.branches.iter().any(|branch| !branch.ended && any(Some(&branch.kind), Some(branch.no)))
}

/// Roles that the item needs where it stands: owners of its states, and who is told by the ladders that run.
fn moved_holders(pair: &Pair, before: &Arc<Item>, after: &Arc<Item>, found: &mut Vec<Difference>) {
    let workflow = &pair.new.setting.workflow;
    let mut needed: BTreeSet<(&Name, Option<u32>)> = roles::owners(&pair.new, after).into_iter().collect();
    for clock in after.clocks.iter().filter(|clock| clock.is_running()) {
        let ladder = workflow.deadlines.get(&clock.deadline).map(|declared| &declared.ladder[..]).unwrap_or_default();
        let told = ladder.iter().flat_map(|rung| &rung.tell).filter_map(|notice| workflow.notices.get(notice));
        let to = told.flat_map(|notice| &notice.to).filter(|recipient| recipient.or.is_none());
        needed.extend(to.map(|recipient| (&recipient.role, clock.branch)));
    }
    for (role, task) in needed {
        let (was, is) = (&pair.old.setting.workflow.roles, &workflow.roles);
        let from = roles::holders(&pair.old, before, role, task, before.today).unwrap_or_default();
        let to = roles::holders(&pair.new, after, role, task, after.today).unwrap_or_default();
        let lost = roles::nobody(&pair.new, after, role, task);
        if was.contains_key(role) && (lost || from != to) && !roles::nobody(&pair.old, before, role, task) {
            let same = was.get(role).map(|role| &role.who).map(|who| format!("{who:?}"))
                == is.get(role).map(|role| &role.who).map(|who| format!("{who:?}"));
            let cause = if same { Cause::of("directory") } else { Cause::of(format!("roles.{role}")) };
            let what = match lost {
                true => What::HolderLost { role: role.clone() },
                false => What::HolderMoves { role: role.clone(), from, to },
            };
            found.push(Difference { what, cause, row: Row::of(&before.id, task) });
        }
    }
}

fn always(pair: &Pair, before: &Arc<Item>, after: &Arc<Item>, found: &mut Vec<Difference>) {
    let view = derive::view(&pair.new, after, None);
    let old_view = derive::view(&pair.old, before, None);
    for rule in &pair.new.setting.workflow.always {
        if pair.new.scripts.holds(&rule.condition, &view).unwrap_or(false) {
            continue;
        }
        let same = pair.old.setting.workflow.always.iter().find(|old| old.condition.source == rule.condition.source);
        if same.is_some_and(|old| !pair.old.scripts.holds(&old.condition, &old_view).unwrap_or(false)) {
            // It was broken before.
            continue;
        }
        let what = What::Always { says: rule.say.clone() };
        found.push(Difference { what, cause: Cause::of(&*rule.path), row: Row::of(&before.id, None) });
    }
}
