//! Who may do what: system actions that something starts, actions that somebody may do, consent by another person than the one
//! who asks, and roles found through a field that may be empty (E401 to E403, W404), roles that cannot see what they work on (W406).

use super::at::Checked;
use super::holders::fields_of_role;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::HashSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    started(at, &mut problems);
    for (name, role) in at.workflow.roles.iter().filter(|(_, role)| role.who.is_empty()) {
        problems.push(at.problem("E402", &format!("roles.{name}@")).variant("role").with("name", &role.title));
    }
    for act in at.acts().iter().filter(|act| act.action.by.is_empty()) {
        problems.push(at.problem("E402", &act.at()).with("action", act.name));
    }
    consent(at, &mut problems);
    empty_fields(at, &mut problems);
    unseen(at, &mut problems);
    problems
}

/// E401
fn started(at: &Checked, problems: &mut Vec<Problem>) {
    let mut starts: HashSet<(Option<&Name>, &Name)> = HashSet::new();
    for act in at.acts() {
        for (effects, _) in act.effects() {
            starts.extend(effects.then_try.iter().flat_map(|name| [(None, name), (act.branch, name)]));
            starts.extend(effects.do_on.iter().map(|(kind, action)| (Some(kind), action)));
        }
    }
    for deadline in at.workflow.deadlines.values() {
        for action in deadline.ladder.iter().filter_map(|rung| rung.action.as_ref()) {
            let own = deadline
                .branch
                .as_ref()
                .filter(|kind| at.workflow.actions_of(Some(kind)).is_some_and(|actions| actions.contains_key(action)));
            starts.insert((own, action));
        }
    }
    starts.extend(at.workflow.sweeps.values().filter_map(|sweep| Some((sweep.over.as_ref(), sweep.action.as_ref()?))));
    starts.extend(at.workflow.sweeps.values().filter_map(|sweep| Some((None, sweep.action.as_ref()?))));
    let imported: HashSet<&Name> = at.workflow.imports.values().flat_map(|import| import.steps.iter().map(|step| &step.action)).collect();
    for act in at.acts().iter().filter(|act| act.only_system() && act.action.request.is_none()) {
        if !starts.contains(&(act.branch, act.name)) && !imported.contains(act.name) {
            problems.push(at.problem("E401", &act.at()).with("action", act.name));
        }
    }
}

/// E403: whoever asks may not also decide.
fn consent(at: &Checked, problems: &mut Vec<Problem>) {
    let persons = |by: &[By]| by.iter().filter(|by| &*by.role != "system").map(|by| by.role.clone()).collect::<Vec<_>>();
    for act in at.acts() {
        let Some((request, RequestStep::Approve)) = &act.action.request else { continue };
        let asking = at.acts_of(act.branch).find(|other| other.action.request.as_ref() == Some(&(request.clone(), RequestStep::Ask)));
        let Some(asking) = asking.filter(|_| act.action.not_by.is_none()) else { continue };
        let asks = persons(&asking.action.by);
        let same = |role: &&Name| asks.contains(role) || asks.iter().any(|asker| same_people(at, asker, role));
        let decides = persons(&act.action.by);
        if let Some(role) = decides
            .iter()
            .find(same)
            .filter(|_| !at.workflow.requests.get(request).is_some_and(|request| request.all_must_consent && decides.len() > 1))
        {
            problems.push(at.problem("E403", &format!("requests.{request}.decide_by@")).with("request", request).with("role", role));
        }
    }
}

fn same_people(at: &Checked, one: &str, other: &str) -> bool {
    let unconditional = |role: &str| match at.workflow.roles.get(role).map(|role| &role.who[..]) {
        Some([WhoCase { who, when: None }]) => Some(who),
        _ => None,
    };
    unconditional(one).is_some_and(|who| Some(who) == unconditional(other))
}

/// W404: in a state that somebody owns, the field through which the owner is found may still be empty.
fn empty_fields(at: &Checked, problems: &mut Vec<Problem>) {
    let known = at.known();
    let mut told: HashSet<&Name> = HashSet::new();
    for level in at.levels() {
        for (name, state) in at.workflow.states_of(level.map(|name| &**name)).into_iter().flatten() {
            let Some(owner) = state.owner.as_ref() else { continue };
            let Some(role) = at.workflow.roles.get(owner).filter(|role| role.who.len() == 1) else { continue };
            let empty = fields_of_role(role)
                .into_iter()
                .find(|field| at.field_type(level, field).is_some() && known.may_be_empty_in(at, level, name, field));
            if let Some(field) = empty.filter(|_| told.insert(owner)) {
                let base = level.map_or(String::new(), |kind| format!("branches.{kind}."));
                let path = format!("{base}states.{name}.owner");
                problems.push(at.problem("W404", &path).with("role", owner).with("field", &field.field).with("state", name));
            }
        }
    }
}

/// W406: whoever acts in a branch that is shown to other roles only.
fn unseen(at: &Checked, problems: &mut Vec<Problem>) {
    for (kind, branch) in at.workflow.branches.iter().filter(|(_, branch)| !branch.visible_to.is_empty()) {
        for act in at.acts_of(Some(kind)) {
            let hidden = |by: &&By| &*by.role != "system" && !branch.visible_to.contains(&by.role);
            if let Some((index, by)) = act.action.by.iter().enumerate().find(|(_, by)| hidden(by)) {
                let problem = at.problem("W406", &act.by(index)).with("role", &by.role).with("branch", kind);
                problems.push(problem.with("action", act.name));
            }
        }
    }
}
