//! Actions that can never be offered, wait for what cannot be there, open too much at once, start each other without end, or get in each
//! other's way (E308, E311, E314, E318, W319). Only what holds whatever people do is told.

use super::at::{Act, Checked, words};
use super::graph::Graph;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::spellings_of;
use std::collections::{BTreeMap, BTreeSet};

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for act in at.acts() {
        too_many(at, act, &mut problems);
        never_offered(at, act, &mut problems);
        rivals(at, act, &mut problems);
    }
    waiting_for_nothing(at, &mut problems);
    endless(at, &mut problems);
    problems
}

/// E308: what is opened without `for_each` is counted when it is written.
fn too_many(at: &Checked, act: &Act, problems: &mut Vec<Problem>) {
    let own = act.action.effects.open.iter();
    let rows: Vec<&Effects> = act.action.choose.iter().map(|row| &row.effects).collect();
    for (kind, most) in at.workflow.branches.iter().filter_map(|(kind, branch)| Some((kind, branch.at_most? as usize))) {
        let certain = |open: &&Open| open.branch == *kind && open.for_each.is_none() && open.when.is_none();
        let always = own.clone().filter(certain).count();
        let by_row = rows.iter().map(|effects| effects.open.iter().filter(certain).count()).max().unwrap_or_default();
        if always + by_row > most {
            let problem = at.problem("E308", &act.key("open@")).with("action", act.name).with("branch", kind);
            problems.push(problem.with("count", always + by_row).with("most", most));
        }
    }
}

/// E314: what is required names a state from which the action does not start.
fn never_offered(at: &Checked, act: &Act, problems: &mut Vec<Problem>) {
    if act.action.from.is_empty() {
        return;
    }
    for require in &act.action.require {
        let named = &at.reads(&require.condition).states;
        let own = named.iter().filter(|named| named.of_branch == act.branch.is_some()).collect::<Vec<_>>();
        if !own.is_empty() && !act.action.from.iter().any(|from| own.iter().all(|named| named.allows(from))) {
            problems.push(at.problem("E314", &format!("{}.if", require.path)).with("action", act.name));
            return;
        }
    }
}

/// W319: two system actions tried one after the other, of which the first always takes the item away from the second.
fn rivals(at: &Checked, act: &Act, problems: &mut Vec<Problem>) {
    let level =
        |name: &Name| at.acts_of(act.branch).find(|other| other.name == name).or_else(|| at.acts_of(None).find(|other| other.name == name));
    for (effects, path) in act.effects() {
        let tried: Vec<&Act> = effects.then_try.iter().filter_map(level).collect();
        for (index, next) in tried.iter().enumerate() {
            // the first is always done, and leads to where the next does not start
            let takes = |first: &&&Act| {
                let leads_away = first.targets().iter().all(|(to, _)| to.is_some_and(|to| !next.action.from.contains(to)));
                let wherever = next.action.from.iter().all(|from| first.action.from.contains(from));
                first.branch == next.branch && first.action.require.is_empty() && leads_away && wherever && !next.action.from.is_empty()
            };
            if let Some(first) = tried[..index].iter().find(takes) {
                let problem = at.problem("W319", &format!("{path}.then_try[{index}]"));
                problems.push(problem.with("action", next.name).with("other", first.name).with("after", act.name));
            }
        }
    }
}

/// E318: a condition asks about branches that nothing can have opened yet.
fn waiting_for_nothing(at: &Checked, problems: &mut Vec<Problem>) {
    let graph = Graph::of(at, None);
    let openers = |kind: &Name| {
        let opens = |act: &&Act| act.effects().iter().any(|(effects, _)| effects.open.iter().any(|open| open.branch == *kind));
        at.acts().iter().filter(opens).cloned().collect::<Vec<_>>()
    };
    let mut may_be_there: BTreeMap<&Name, Option<Vec<bool>>> = BTreeMap::new();
    for act in at.acts_of(None).filter(|act| !act.action.from.is_empty()) {
        for require in &act.action.require {
            for kind in at.workflow.branches.keys().filter(|kind| asks_about(&require.condition.source, kind)) {
                let there = may_be_there.entry(kind).or_insert_with(|| opened_in(&graph, &openers(kind)));
                let Some(there) = there else { continue };
                let possible = |from: &Name| {
                    graph.states.iter().position(|(name, _)| *name == from).is_none_or(|state| there[state] || !graph.reached[state])
                };
                if !act.action.from.iter().any(possible) {
                    let problem = at.problem("E318", &format!("{}.if", require.path));
                    problems.push(problem.with("action", act.name).with("branch", kind));
                }
            }
        }
    }
}

/// In which states branches may be there; `None` when they are opened from inside branches, and so anywhere, or nowhere at all (W317).
fn opened_in(graph: &Graph, openers: &[Act]) -> Option<Vec<bool>> {
    if openers.is_empty() || openers.iter().any(|act| act.branch.is_some() || act.action.creates) {
        return None;
    }
    let opens = |number: usize| openers.iter().any(|act| act.name == graph.acts[number].name);
    let mut there = vec![false; graph.states.len()];
    loop {
        let before = there.iter().filter(|there| **there).count();
        for edge in &graph.edges {
            there[edge.to] |= there[edge.from] || opens(edge.act);
        }
        if there.iter().filter(|there| **there).count() == before {
            return Some(there);
        }
    }
}

/// `branches.KIND` in an expression.
fn asks_about(source: &str, kind: &str) -> bool {
    let all: Vec<&str> = words(source).collect();
    all.windows(2).any(|pair| spellings_of("branches").contains(&pair[0]) && pair[1] == kind)
}

/// E311: system actions that start each other in a circle through branches, each from where the one before leads. Circles of `then_try`
/// alone are E310.
fn endless(at: &Checked, problems: &mut Vec<Problem>) {
    type Node<'n> = (Option<&'n Name>, &'n Name);
    let find = |node: &Node| at.acts().iter().find(|act| act.branch == node.0 && act.name == node.1);
    let next = |node: &Node| -> Vec<(Node, bool)> {
        let Some(act) = find(node) else { return Vec::new() };
        let mut next = Vec::new();
        for (effects, _) in act.effects() {
            next.extend(effects.do_on.iter().map(|(kind, action)| ((Some(kind), action), true)));
            for tried in &effects.then_try {
                let own = act.branch.filter(|_| at.acts_of(act.branch).any(|other| other.name == tried));
                next.push(((own, tried), act.branch.is_some()));
            }
        }
        next.into_iter().filter(|(node, _)| find(node).is_some_and(again)).collect()
    };
    let mut told: BTreeSet<Node> = BTreeSet::new();
    for act in at.acts().iter().filter(|act| again(act)) {
        let start: Node = (act.branch, act.name);
        let mut waiting = vec![(vec![start], false)];
        let mut seen = BTreeSet::new();
        while let Some((path, through_branches)) = waiting.pop() {
            let Some(last) = path.last() else { continue };
            for (node, branches) in next(last) {
                let through_branches = through_branches || branches;
                if node == start {
                    if through_branches && !path.iter().any(|node| told.contains(node)) {
                        let names: Vec<String> = path.iter().chain([&start]).map(|(_, name)| format!("`{name}`")).collect();
                        problems.push(at.problem("E311", &act.at()).with("circle", names.join(" → ")));
                        told.extend(path.iter().copied());
                    }
                } else if seen.insert(node) {
                    let path = path.iter().copied().chain([node]).collect();
                    waiting.push((path, through_branches));
                }
            }
        }
    }
}

/// Whether an action can follow itself.
fn again(act: &Act) -> bool {
    act.targets().iter().any(|(to, _)| to.is_none_or(|to| act.action.from.contains(to)))
}
