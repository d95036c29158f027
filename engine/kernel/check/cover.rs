//! No state without a clock: in every state something runs that will move the item or remind somebody (E503), also while a
//! deadline is paused (E504).

use super::at::{Act, Checked};
use super::graph::Graph;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::BTreeSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for level in at.levels() {
        let graph = Graph::of(at, level);
        let running = running(at, &graph);
        for (index, (name, state)) in graph.states.iter().enumerate() {
            let skip = state.kind == StateKind::End || state.no_deadline_needed || !graph.reached[index];
            let Some(running) = running[index].as_ref().filter(|_| !skip) else { continue };
            let base = level.map_or(String::new(), |kind| format!("branches.{kind}."));
            let paused = |deadline: &&&Name| at.workflow.deadlines[**deadline].pauses_in.contains(name);
            if running.iter().any(|deadline| !paused(&deadline)) || moved_otherwise(at, &graph, index) {
                continue;
            }
            match running.iter().find(paused) {
                Some(deadline) => {
                    problems.push(at.problem("E504", &format!("{base}states.{name}@")).with("state", name).with("deadline", deadline))
                }
                None => problems.push(at.problem("E503", &format!("{base}states.{name}@")).with("state", name)),
            }
        }
    }
    problems
}

/// The deadlines of this level that certainly run in each state.
fn running<'a>(at: &Checked<'a>, graph: &Graph<'a>) -> Vec<Option<BTreeSet<&'a Name>>> {
    let level = graph.branch;
    // a window that nothing follows binds nobody
    let holds = |deadline: &Deadline| !deadline.of_request && (deadline.closes.is_empty() || !deadline.ladder.is_empty());
    let deadlines: Vec<(&Name, &Deadline)> =
        at.workflow.deadlines.iter().filter(|(_, deadline)| deadline.branch.as_ref() == level && holds(deadline)).collect();
    let own = |fact: &Name, act: &Act| at.facts(level, fact).iter().any(|other| other.branch == act.branch && other.name == act.name);
    // what starts with the item or branch, or through something outside it
    let from_start = |deadline: &Deadline| {
        let outside =
            |fact: &Name| at.is_opening(level, fact) || at.facts(level, fact).iter().any(|act| act.branch != level || act.action.creates);
        deadline.starts_on.iter().any(outside)
    };
    let at_start: BTreeSet<&Name> = deadlines.iter().filter(|(_, deadline)| from_start(deadline)).map(|(name, _)| *name).collect();
    let mut holds = graph.on_every_path(&at_start, |here, edge| {
        let act = &graph.acts[edge.act];
        let mut there = here.clone();
        for (name, deadline) in &deadlines {
            if deadline.ends_on.iter().any(|fact| own(fact, act)) {
                there.remove(name);
            }
            if deadline.starts_on.iter().any(|fact| own(fact, act)) {
                there.insert(name);
            }
        }
        there
    });
    for (index, set) in holds.iter_mut().enumerate() {
        let here = deadlines.iter().filter(|(_, deadline)| deadline.runs_in.contains(graph.states[index].0)).map(|(name, _)| *name);
        if let Some(set) = set {
            set.extend(here);
        }
    }
    holds
}

/// Something outside this level moves it on: a branch that has deadlines and whose end is followed by an action from this state, a
/// sweep, or for a branch an action of the item.
fn moved_otherwise(at: &Checked, graph: &Graph, state: usize) -> bool {
    let moves = |action: &Name| {
        let numbers = graph.acts.iter().enumerate().filter(|(_, act)| act.name == action).map(|(number, _)| number);
        numbers.into_iter().any(|number| graph.edges.iter().any(|edge| edge.act == number && edge.from == state))
    };
    let swept = at
        .workflow
        .sweeps
        .values()
        .filter(|sweep| sweep.over.as_ref() == graph.branch)
        .filter_map(|sweep| sweep.action.as_ref())
        .any(moves);
    let from_outside = at.acts().iter().filter(|act| act.branch != graph.branch).any(|act| {
        let timed = act.branch.is_none_or(|kind| at.workflow.deadlines.values().any(|deadline| deadline.branch.as_ref() == Some(kind)));
        let effects = act.effects();
        timed
            && match graph.branch {
                None => effects.iter().any(|(effects, _)| effects.then_try.iter().any(moves)),
                Some(kind) => effects.iter().any(|(effects, _)| effects.do_on.iter().any(|(of, action)| of == kind && moves(action))),
            }
    });
    let by_rung = at.workflow.deadlines.values().filter(|deadline| deadline.branch.as_ref() != graph.branch && graph.branch.is_none());
    let by_rung = by_rung.flat_map(|deadline| &deadline.ladder).filter_map(|rung| rung.action.as_ref()).any(moves);
    swept || from_outside || by_rung
}
