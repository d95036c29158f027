//! The flow of items and branches: one beginning, every state reached, every way leads to an end (E301 to E313, W307, W312, W317).
//! What needs the rules themselves to be run is left to proofs by exploration.

use super::at::{Act, Checked, list};
use super::graph::Graph;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::BTreeSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for level in at.levels() {
        let graph = Graph::of(at, level);
        let base = level.map_or(String::new(), |kind| format!("branches.{kind}."));
        if start(at, &graph, &base, &mut problems) {
            reaching(at, &graph, &base, &mut problems);
        }
        actions(at, &graph, &mut problems);
        owners(at, &graph, &base, &mut problems);
    }
    circles(at, &mut problems);
    branches(at, &mut problems);
    problems
}

/// E301; whether there is a start to go on from.
fn start(at: &Checked, graph: &Graph, base: &str, problems: &mut Vec<Problem>) -> bool {
    let starts: Vec<usize> = graph.starts().collect();
    match &starts[..] {
        [_] => true,
        [] => {
            problems.push(at.problem("E301", &format!("{base}states@")).variant("none"));
            false
        }
        [_, second, ..] => {
            let names: Vec<&Name> = starts.iter().map(|state| graph.states[*state].0).collect();
            problems.push(at.problem("E301", &format!("{base}states.{}@", graph.states[*second].0)).with("states", list(&names)));
            true
        }
    }
}

/// E302, E303
fn reaching(at: &Checked, graph: &Graph, base: &str, problems: &mut Vec<Problem>) {
    for (index, (name, _)) in graph.states.iter().enumerate().filter(|(index, _)| !graph.reached[*index]) {
        // an unreached state that leads on is named once, not with everything behind it
        let behind_another = graph
            .edges
            .iter()
            .any(|edge| edge.to == index && edge.from != index && !graph.reached[edge.from] && !reaches(graph, index, edge.from));
        if !behind_another {
            problems.push(at.problem("E302", &format!("{base}states.{name}@")).with("name", name));
        }
    }
    let trapped: BTreeSet<usize> = graph.trapped().into_iter().filter(|state| graph.reached[*state]).collect();
    let stuck = |state: &usize| {
        graph.edges.iter().filter(|edge| edge.from == *state && edge.to != *state).all(|edge| reaches(graph, edge.to, *state))
    };
    let deepest: Vec<usize> = trapped.iter().copied().filter(stuck).collect();
    let Some(first) = deepest.first() else { return };
    for state in deepest.iter().filter(|state| *state == first || !reaches(graph, *first, **state)) {
        let name = graph.states[*state].0;
        problems.push(at.problem("E303", &format!("{base}states.{name}@")).with("name", name));
    }
}

fn reaches(graph: &Graph, from: usize, to: usize) -> bool {
    let mut seen = BTreeSet::new();
    let mut waiting = vec![from];
    while let Some(state) = waiting.pop() {
        if state == to {
            return true;
        }
        if seen.insert(state) {
            waiting.extend(graph.edges.iter().filter(|edge| edge.from == state).map(|edge| edge.to));
        }
    }
    false
}

/// E304 to E306, W307, W312
fn actions(at: &Checked, graph: &Graph, problems: &mut Vec<Problem>) {
    for (number, act) in graph.acts.iter().enumerate() {
        let rows = &act.action.choose;
        match rows.iter().position(|row| row.when.is_none()) {
            None if rows.is_empty() => {}
            None => problems.push(at.problem("E304", &act.key("choose@")).with("action", act.name)),
            Some(index) if index + 1 < rows.len() => {
                problems.push(at.problem("E305", &act.key(&format!("choose[{index}].when"))).with("action", act.name))
            }
            Some(_) => {}
        }
        if act.action.request.is_none() {
            for (index, from) in act.action.from.iter().enumerate() {
                if graph.states.iter().any(|(name, state)| *name == from && state.kind == StateKind::End) {
                    problems.push(at.problem("E306", &act.key(&format!("from[{index}]"))).with("action", act.name).with("state", from));
                }
            }
            let known = graph.edges.iter().any(|edge| edge.act == number && !graph.is_end(edge.from));
            if known && !graph.act_reached(number) {
                problems.push(at.problem("W307", &act.at()).with("action", act.name));
            }
        }
        let same_request = |other: &&Act| act.action.request.is_some() && request_of(act) == request_of(other);
        let alike = graph.acts[..number].iter().filter(|other| other.action.title == act.action.title && !same_request(other));
        for other in alike {
            let states: Vec<&Name> = act.action.from.iter().filter(|from| other.action.from.contains(from)).collect();
            let roles: Vec<&Name> =
                act.action.by.iter().map(|by| &by.role).filter(|role| &***role != "system" && other.is_by(role)).collect();
            if let (Some(state), Some(role)) = (states.first(), roles.first()) {
                problems.push(
                    at.problem("W312", &act.at())
                        .with("action", act.name)
                        .with("other", other.name)
                        .with("state", state)
                        .with("role", role),
                );
            }
        }
    }
}

fn request_of<'a>(act: &Act<'a>) -> Option<&'a Name> {
    act.action.request.as_ref().map(|(request, _)| request)
}

/// E313
fn owners(at: &Checked, graph: &Graph, base: &str, problems: &mut Vec<Problem>) {
    for (index, (name, state)) in graph.states.iter().enumerate() {
        let Some(owner) = state
            .owner
            .as_ref()
            .filter(|owner| at.workflow.roles.contains_key(*owner) && state.kind != StateKind::End && graph.reached[index])
        else {
            continue;
        };
        let here = graph
            .acts
            .iter()
            .enumerate()
            .any(|(number, act)| act.is_by(owner) && graph.edges.iter().any(|edge| edge.act == number && edge.from == index));
        // the owner of an item's state may work in its branches, the owner of a branch's state through the item
        let elsewhere =
            at.acts().iter().any(|act| act.branch != graph.branch && act.branch.is_some() != graph.branch.is_some() && act.is_by(owner));
        if !here && !elsewhere {
            problems.push(at.problem("E313", &format!("{base}states.{name}.owner")).with("state", name).with("role", owner));
        }
    }
}

/// E310: `then_try` that leads back to itself.
fn circles(at: &Checked, problems: &mut Vec<Problem>) {
    let next = |name: &Name| -> Vec<&Name> {
        let own = at.acts_of(None).filter(|act| act.name == name);
        own.flat_map(|act| act.effects().into_iter().flat_map(|(effects, _)| &effects.then_try)).collect()
    };
    let mut told: BTreeSet<&Name> = BTreeSet::new();
    for start in at.workflow.actions.keys() {
        let mut path: Vec<&Name> = vec![start];
        let mut waiting: Vec<(usize, &Name)> = next(start).into_iter().map(|name| (1, name)).collect();
        let mut seen = BTreeSet::new();
        while let Some((depth, name)) = waiting.pop() {
            path.truncate(depth);
            path.push(name);
            if name == start {
                if !path.iter().any(|name| told.contains(name)) {
                    problems.push(
                        at.problem("E310", &format!("actions.{start}.then_try@"))
                            .with("circle", path.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ")),
                    );
                }
                told.extend(path.iter().copied());
                break;
            }
            if seen.insert(name) {
                waiting.extend(next(name).into_iter().map(|name| (depth + 1, name)));
            }
        }
    }
}

/// E309, W317
fn branches(at: &Checked, problems: &mut Vec<Problem>) {
    for (kind, branch) in &at.workflow.branches {
        let opened =
            at.acts().iter().any(|act| act.effects().iter().any(|(effects, _)| effects.open.iter().any(|open| open.branch == *kind)));
        if !opened {
            problems.push(at.problem("W317", &format!("branches.{kind}@")).with("name", kind));
        }
        if branch.when_item_ends == WhenItemEnds::KeepOpen {
            keeps_open(at, kind, problems);
        }
    }
}

/// A branch that outlives its item must be able to end without it: by people, by its own ladder, or by a sweep.
fn keeps_open<'a>(at: &Checked<'a>, kind: &'a Name, problems: &mut Vec<Problem>) {
    let mut graph = Graph::of(at, Some(kind));
    let rungs =
        at.workflow.deadlines.values().filter(|deadline| deadline.branch.as_ref() == Some(kind)).flat_map(|deadline| &deadline.ladder);
    let sweeps = at.workflow.sweeps.values().filter(|sweep| sweep.over.as_ref() == Some(kind)).filter_map(|sweep| sweep.action.as_ref());
    let by_itself: BTreeSet<&Name> = rungs.filter_map(|rung| rung.action.as_ref()).chain(sweeps).collect();
    let trapped_before = graph.trapped();
    let alone: Vec<bool> = graph.acts.iter().map(|act| !act.only_system() || by_itself.contains(act.name)).collect();
    graph.edges.retain(|edge| alone[edge.act]);
    if let Some(state) = graph.trapped().into_iter().find(|state| graph.reached[*state] && !trapped_before.contains(state)) {
        problems
            .push(at.problem("E309", &format!("branches.{kind}.when_item_ends")).with("branch", kind).with("state", graph.states[state].0));
    }
}
