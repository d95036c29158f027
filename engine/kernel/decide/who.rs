//! Who may do an action, and in which capacity.

use super::refusal;
use crate::kernel::derive::roles;
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By, RequestStep};
use crate::kernel::model::fact::Actor;
use crate::kernel::model::item::Item;
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::Date;
use crate::kernel::words::LIST;
use std::sync::Arc;

/// Whether the item, or the branch, stands where the action starts, and its request waits (or does not).
pub fn state_allows(rules: &Rules, item: &Item, action: &Action, task: Option<u32>) -> Result<(), Refusal> {
    let workflow = &rules.setting.workflow;
    let (state, kind, over) = match task {
        None => (&item.state, None, item.ended),
        Some(no) => {
            let branch = item
                .branch(no)
                .ok_or_else(|| refusal(RefusalCode::UnknownBranch, &[("branch", &no.to_string()), ("action", &action.title)]))?;
            (&branch.state, Some(&*branch.kind), branch.ended)
        }
    };
    let allowed = if action.from.is_empty() { !over } else { action.from.contains(state) };
    if !allowed {
        let title = |name: &Name| {
            let states = workflow.states_of(kind);
            states.and_then(|states| states.get(name)).map_or_else(|| name.to_string(), |state| state.title.clone())
        };
        let from: Vec<String> = action.from.iter().map(title).collect();
        return Err(refusal(RefusalCode::WrongState, &[("action", &action.title), ("state", &title(state)), ("from", &from.join(LIST))]));
    }
    let Some((request, step)) = &action.request else { return Ok(()) };
    let pending = item.pending(request, task).is_some();
    match (step, pending) {
        (RequestStep::Ask, true) => Err(refusal(RefusalCode::RequestPending, &[("action", &action.title)])),
        (RequestStep::Approve | RequestStep::Refuse, false) => Err(refusal(RefusalCode::NoRequest, &[("action", &action.title)])),
        _ => Ok(()),
    }
}

/// The first way of `by` that is open to the person, and how it is recorded.
pub fn may<'a>(
    rules: &Rules,
    item: &Arc<Item>,
    name: &Name,
    action: &'a Action,
    task: Option<u32>,
    person: &Name,
    on: Date,
) -> Result<(&'a By, Actor), Refusal> {
    if !rules.setting.directory.persons.contains_key(person) {
        return Err(refusal(RefusalCode::UnknownPerson, &[("person", person)]));
    }
    for by in &action.by {
        if &*by.role == roles::SYSTEM {
            continue;
        }
        let Some(standing) = roles::standing(rules, item, &by.role, task, person, on)? else { continue };
        let actor = Actor { stands_in_for: standing.absent(), ..actor(by, person) };
        if !condition_holds(rules, item, by, task, &actor, on)? {
            continue;
        }
        if let Some(other) = &action.not_by {
            let doer = item.done.iter().rev().find(|done| (done.name == *other) && (done.branch == task || done.branch.is_none()));
            if doer.is_some_and(|done| done.person.as_ref() == Some(person)) {
                return Err(refusal(RefusalCode::SamePerson, &[("action", &action.title), ("person", &title(rules, person))]));
            }
        }
        return Ok((by, actor));
    }
    let titles = action.by.iter().filter_map(|by| rules.setting.workflow.roles.get(&by.role)).map(|role| role.title.as_str());
    let may = titles.collect::<Vec<_>>().join(LIST);
    let mut out = refusal(RefusalCode::WrongRole, &[("action", &action.title), ("person", &title(rules, person)), ("roles", &may)]);
    out.rule = Some(format!("actions.{name}.by").into());
    Err(out)
}

/// A person as they would be recorded by a way.
fn actor(by: &By, person: &Name) -> Actor {
    Actor { person: Some(person.clone()), role: Some(by.role.clone()), on_behalf_of: by.on_behalf_of.clone(), ..Actor::default() }
}

/// Whether the condition of a way holds for a person who holds its role.
pub fn way_holds(rules: &Rules, item: &Arc<Item>, by: &By, task: Option<u32>, person: &Name, on: Date) -> Result<bool, EvalError> {
    condition_holds(rules, item, by, task, &actor(by, person), on)
}

fn condition_holds(rules: &Rules, item: &Arc<Item>, by: &By, task: Option<u32>, actor: &Actor, on: Date) -> Result<bool, EvalError> {
    let Some(condition) = &by.when else { return Ok(true) };
    let view = View {
        setting: rules.setting.clone(),
        item: item.clone(),
        task,
        input: Arc::default(),
        each: Default::default(),
        actor: Arc::new(actor.clone()),
        today: on,
    };
    rules.scripts.holds(condition, &view)
}

fn title(rules: &Rules, person: &Name) -> String {
    rules.setting.directory.persons.get(person).map_or_else(|| person.to_string(), |person| person.title.clone())
}
