//! Which action of which branch a command means.

use super::{refusal, who};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::Action;
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use std::sync::Arc;

type Found<'a> = (Option<u32>, &'a Name, &'a Action);

/// The action and the branch it is done on. Without an address an action of the item comes first; a branch's action is found when one
/// branch alone fits: open, in a state of `from`, and this person may.
pub fn find<'a>(rules: &'a Rules, item: &Arc<Item>, command: &Command, on: Date) -> Result<Found<'a>, Refusal> {
    let workflow = &rules.setting.workflow;
    if let Some(address) = &command.branch {
        let branch = branch(rules, item, address, &command.action)?;
        let name = command.action.strip_prefix(&*branch.kind).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&command.action);
        let found = workflow.branches.get(&branch.kind).and_then(|kind| kind.actions.get_key_value(name));
        let (name, action) = found.ok_or_else(|| unknown_action(rules, &command.action))?;
        return Ok((Some(branch.no), name, action));
    }
    if let Some((name, action)) = workflow.actions.get_key_value(&command.action) {
        return Ok((None, name, action));
    }
    let mut known = None;
    let mut fitting = Vec::new();
    for (kind, definition) in &workflow.branches {
        let short = command.action.strip_prefix(&**kind).and_then(|rest| rest.strip_prefix('.')).unwrap_or(&command.action);
        let Some((name, action)) = definition.actions.get_key_value(short) else { continue };
        known = Some(kind);
        for branch in item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended) {
            fitting.push((branch.no, name, action, action.from.contains(&branch.state)));
        }
    }
    if fitting.iter().any(|(.., in_state)| *in_state) {
        fitting.retain(|(.., in_state)| *in_state);
    }
    if fitting.len() > 1 {
        let mine: Vec<_> = fitting
            .iter()
            .filter(|(no, name, action, _)| who::may(rules, item, name, action, Some(*no), &command.by, on).is_ok())
            .copied()
            .collect();
        if !mine.is_empty() {
            fitting = mine;
        }
    }
    match (fitting.as_slice(), known) {
        ([(no, name, action, _)], _) => Ok((Some(*no), name, action)),
        ([], None) => Err(unknown_action(rules, &command.action)),
        ([], Some(kind)) => Err(refusal(RefusalCode::UnknownBranch, &[("branch", kind), ("action", &command.action)])),
        (several, _) => {
            let numbers: Vec<String> = several.iter().map(|(no, ..)| no.to_string()).collect();
            Err(refusal(RefusalCode::AmbiguousBranch, &[("action", &command.action), ("branches", &numbers.join(", "))]))
        }
    }
}

/// The branch that is meant, open or ended.
pub fn branch<'a>(rules: &Rules, item: &'a Item, address: &BranchAddress, action: &str) -> Result<&'a Branch, Refusal> {
    let text = match address {
        BranchAddress::No(no) => {
            return item.branch(*no).ok_or_else(|| refusal(RefusalCode::UnknownBranch, &[("branch", &no.to_string()), ("action", action)]));
        }
        BranchAddress::Named(text) => text.trim(),
    };
    let (kind, which) = text.split_once(char::is_whitespace).map_or((text, ""), |(kind, which)| (kind, which.trim()));
    let of_kind: Vec<&Branch> = item.branches.iter().filter(|branch| &*branch.kind == kind).map(|branch| &**branch).collect();
    let unknown = || refusal(RefusalCode::UnknownBranch, &[("branch", text), ("action", action)]);
    if which.is_empty() {
        let open: Vec<&Branch> = of_kind.iter().filter(|branch| !branch.ended).copied().collect();
        return match (open.as_slice(), of_kind.as_slice()) {
            ([one], _) | ([], [.., one]) => Ok(one),
            ([], []) => Err(unknown()),
            (several, _) => {
                let numbers: Vec<String> = several.iter().map(|branch| branch.no.to_string()).collect();
                Err(refusal(RefusalCode::AmbiguousBranch, &[("action", action), ("branches", &numbers.join(", "))]))
            }
        };
    }
    if let Ok(ordinal) = which.parse::<usize>() {
        return ordinal.checked_sub(1).and_then(|index| of_kind.get(index)).copied().ok_or_else(unknown);
    }
    let directory = &rules.setting.directory;
    let is_meant = |id: &str| {
        let title = directory.units.get(id).is_some_and(|unit| unit.is_called(which));
        id == which || title || directory.persons.get(id).is_some_and(|person| person.title == which)
    };
    let fits = |branch: &&Branch| {
        ["unit", "person"].iter().any(|field| branch.fields.get(*field).and_then(|value| value.as_text()).is_some_and(|id| is_meant(id)))
    };
    let open = of_kind.iter().rev().copied().filter(|branch| !branch.ended).find(fits);
    open.or_else(|| of_kind.iter().rev().copied().find(fits)).ok_or_else(unknown)
}

/// Whether any action, of the item or of a branch, has this name.
pub fn is_known(rules: &Rules, name: &str) -> bool {
    let workflow = &rules.setting.workflow;
    let of_branch = |kind: &Name, actions: &crate::kernel::model::definition::Section<Action>| {
        actions.contains_key(name)
            || name.strip_prefix(&**kind).and_then(|rest| rest.strip_prefix('.')).is_some_and(|name| actions.contains_key(name))
    };
    workflow.actions.contains_key(name) || workflow.branches.iter().any(|(kind, branch)| of_branch(kind, &branch.actions))
}

/// With the nearest name, when one is near.
pub fn unknown_action(rules: &Rules, name: &str) -> Refusal {
    let workflow = &rules.setting.workflow;
    let names = workflow.actions.keys().chain(workflow.branches.values().flat_map(|branch| branch.actions.keys()));
    let near = names.map(|known| (strsim::damerau_levenshtein(known, name), known)).min().filter(|(distance, _)| *distance <= 3);
    let mut out = refusal(RefusalCode::UnknownAction, &[("action", name)]);
    out.values.push(("near".into(), near.map(|(_, known)| known.to_string()).unwrap_or_default()));
    out
}
