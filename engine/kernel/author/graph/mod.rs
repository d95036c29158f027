//! A workflow as a picture: states, the actions between them, which deadline runs where, and what each ladder does.
//!
//! Here it becomes plain nodes and edges; each format has a file.

mod dot;
mod mermaid;
mod picture;
mod svg;

use super::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::rules::terms::{Term, property};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::Lang;
use indexmap::IndexMap;
use serde::Serialize;
use std::collections::BTreeSet;

/// How many open items stand in each state.
pub type Counts = IndexMap<Name, u64>;

/// The item and each kind of branch, each with its own states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Graph {
    pub title: String,
    pub parts: Vec<Part>,
    #[serde(skip)]
    pub words: Words,
}

/// What the formats say of themselves, in the language of the graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Words {
    pub start: String,
    pub deadlines: String,
    pub system: String,
    pub by_people: String,
    pub open_items: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Part {
    /// Empty for the item.
    pub name: String,
    pub title: String,
    pub states: Vec<Node>,
    pub edges: Vec<Edge>,
    pub clocks: Vec<Clock>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Node {
    pub name: Name,
    pub title: String,
    pub kind: StateKind,
    /// Titles of the deadlines that run here, those that are paused in brackets.
    pub clocks: Vec<String>,
    /// Said by the catalogue; there with `--live`.
    pub count: Option<String>,
}

impl Node {
    /// What a box says where a format has plain lines only.
    fn lines(&self) -> Vec<String> {
        let clocks = self.clocks.iter().map(|clock| format!("⏱ {clock}"));
        std::iter::once(self.title.clone()).chain(clocks).chain(self.count.clone()).collect()
    }
}

/// Every action that leads from one state to another, people's and the system's apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Edge {
    /// Nowhere, when it makes the item or opens the branch.
    pub from: Option<usize>,
    pub to: usize,
    pub labels: Vec<String>,
    pub system: bool,
}

/// A deadline with its length and the steps of its ladder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Clock {
    pub name: Name,
    pub title: String,
    pub length: String,
    /// Both in the first line of its note.
    #[serde(skip)]
    pub head: String,
    pub rungs: Vec<String>,
    /// The states in which it may run, by their places.
    pub states: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Mermaid,
    Dot,
    Svg,
}

/// The workflow of a rule set as a graph; `counts` are the open items by state, where they are wanted.
pub fn graph(set: &RuleSet, rules: &Rules, lang: Lang, counts: Option<&Counts>) -> Graph {
    let speaker = Speaker::new(set, rules, lang);
    let workflow = speaker.workflow;
    let mut parts = vec![part(&speaker, None, counts)];
    parts.extend(workflow.branches.keys().map(|kind| part(&speaker, Some(kind), None)));
    let word = |key: &str| speaker.say(&format!("graph.{key}"), &[]);
    let words = Words {
        start: word("start"),
        deadlines: word("deadlines"),
        system: word("system"),
        by_people: word("by_people"),
        open_items: word("open_items"),
    };
    Graph { title: workflow.title.clone(), parts, words }
}

impl Graph {
    pub fn draw(&self, format: Format) -> String {
        match format {
            Format::Mermaid => mermaid::draw(self),
            Format::Dot => dot::draw(self),
            Format::Svg => svg::draw(self),
        }
    }
}

fn part(speaker: &Speaker, branch: Option<&Name>, counts: Option<&Counts>) -> Part {
    let of = branch.map(|branch| &**branch);
    let states: Vec<(&Name, &State)> = speaker.workflow.states_of(of).into_iter().flatten().collect();
    let place = |name: &str| states.iter().position(|(state, _)| ***state == *name);
    let edges = edges(speaker, of, &place);
    let running = running(speaker, of, &states, &place);
    let mut nodes: Vec<Node> = Vec::new();
    for (index, (name, state)) in states.iter().enumerate() {
        let clocks = running.iter().filter(|(_, _, places)| places.contains(&index)).map(|(_, deadline, _)| {
            match deadline.pauses_in.contains(*name) {
                true => speaker.say("graph.paused", &[("deadline", &speaker.deadline_title(deadline))]),
                false => speaker.deadline_title(deadline),
            }
        });
        let count = counts.map(|counts| counts.get(*name).copied().unwrap_or(0));
        let count = count.filter(|_| state.kind != StateKind::End);
        nodes.push(Node {
            name: (*name).clone(),
            title: state.title.clone(),
            kind: state.kind,
            clocks: clocks.collect(),
            count: count.map(|count| speaker.say("graph.count", &[("count", &count.to_string())])),
        });
    }
    let clocks = running.iter().map(|(name, deadline, places)| {
        let (title, length) = (speaker.deadline_title(deadline), speaker.length(of, &deadline.length));
        Clock {
            name: (*name).clone(),
            head: speaker.say("graph.clock", &[("title", &title), ("length", &length)]),
            title,
            length,
            rungs: deadline.ladder.iter().map(|rung| rung_line(speaker, of, rung)).collect(),
            states: places.iter().copied().collect(),
        }
    });
    let title = of.map_or_else(|| speaker.workflow.title.clone(), |kind| speaker.branch(kind));
    Part { name: of.unwrap_or_default().to_string(), title, states: nodes, clocks: clocks.collect(), edges }
}

/// `到期后5个工作日：主要负责人`: when, and who is told or what is done.
fn rung_line(speaker: &Speaker, branch: Option<&str>, rung: &Rung) -> String {
    let mut done: Vec<String> = Vec::new();
    for notice in rung.tell.iter().filter_map(|notice| speaker.workflow.notices.get(notice)) {
        done.extend(notice.to.iter().map(|to| speaker.role(&to.role)));
    }
    if let Some(action) = &rung.action {
        done.push(speaker.say("rung.do", &[("action", &speaker.fact(branch, action))]));
    }
    if let Some(flag) = rung.flag {
        done.push(speaker.say(if flag == Flag::Red { "flag.red" } else { "flag.amber" }, &[]));
    }
    done.dedup();
    speaker.say("rung.said", &[("at", &speaker.rung_at(&rung.at)), ("done", &speaker.list(done))])
}

fn edges(speaker: &Speaker, branch: Option<&str>, place: &dyn Fn(&str) -> Option<usize>) -> Vec<Edge> {
    let mut edges: IndexMap<(Option<usize>, usize, bool), Vec<String>> = IndexMap::new();
    let mut add = |from: Option<usize>, to: Option<usize>, system: bool, label: String| {
        if let Some(to) = to {
            let labels = edges.entry((from, to, system)).or_default();
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
    };
    if branch.is_some() {
        let start = speaker.workflow.states_of(branch).into_iter().flatten().find(|(_, state)| state.kind == StateKind::Start);
        add(None, start.and_then(|(name, _)| place(name)), false, speaker.say("graph.opened", &[]));
    }
    for action in speaker.workflow.actions_of(branch).into_iter().flatten().map(|(_, action)| action) {
        let system = action.by.iter().all(|by| &*by.role == "system");
        let title = speaker.action_title(action);
        let targets: BTreeSet<Option<usize>> =
            action.to.iter().chain(action.choose.iter().filter_map(|row| row.to.as_ref())).map(|to| place(to)).collect();
        if action.creates {
            targets.iter().for_each(|to| add(None, *to, system, title.clone()));
        }
        for from in action.from.iter().filter_map(|from| place(from)) {
            // What changes no state is no way through the picture.
            targets.iter().filter(|to| **to != Some(from)).for_each(|to| add(Some(from), *to, system, title.clone()));
        }
    }
    edges.into_iter().map(|((from, to, system), labels)| Edge { from, to, labels, system }).collect()
}

type Running<'s> = Vec<(&'s Name, &'s Deadline, BTreeSet<usize>)>;

/// The deadlines of the item or of a kind of branch, with the states in which each may run.
fn running<'s>(
    speaker: &Speaker<'s>,
    branch: Option<&str>,
    states: &[(&Name, &State)],
    place: &dyn Fn(&str) -> Option<usize>,
) -> Running<'s> {
    let workflow = speaker.workflow;
    let own = workflow.deadlines.iter().filter(|(_, deadline)| deadline.branch.as_deref() == branch);
    let runs = |deadline: &Deadline| {
        let mut found = runs_in(workflow, branch, deadline, states, place, &starts_in(speaker, deadline));
        // It may outlive the states in which it can be asked for; it is of interest in those.
        if let Some(asked) = deadline.starts_on.first().filter(|_| deadline.of_request) {
            let ask = workflow.actions_of(branch).into_iter().flatten().find(|(_, action)| action.records_as == *asked);
            found = ask.into_iter().flat_map(|(_, action)| &action.from).filter_map(|from| place(from)).collect();
        }
        // A window that nothing follows presses nobody.
        if deadline.ladder.is_empty() && !deadline.closes.is_empty() {
            found.clear();
        }
        found
    };
    own.map(|(name, deadline)| (name, deadline, runs(deadline))).collect()
}

/// The states in which it may begin, where its condition names them: `task.state == "tracking_b" || …`.
fn starts_in(speaker: &Speaker, deadline: &Deadline) -> Option<Vec<Name>> {
    states_of(speaker.terms.of(deadline.when.as_ref()?)?)
}

fn states_of(condition: &Term) -> Option<Vec<Name>> {
    let is_state = |term: &Term| matches!(term, Term::Property(of, name) if property(name) == "state" && matches!(**of, Term::Name(_)));
    let text = |term: &Term| match term {
        Term::Text(text) => Some(text.clone()),
        _ => None,
    };
    match condition {
        Term::Compare("==", left, right) if is_state(left) => Some(vec![text(right)?]),
        Term::In(entry, list) if is_state(entry) => match &**list {
            Term::List(states) => states.iter().map(text).collect(),
            _ => None,
        },
        Term::All(terms) => terms.iter().find_map(states_of),
        Term::Any(terms) => Some(terms.iter().map(states_of).collect::<Option<Vec<_>>>()?.concat()),
        _ => None,
    }
}

fn runs_in(
    workflow: &Workflow,
    branch: Option<&str>,
    deadline: &Deadline,
    states: &[(&Name, &State)],
    place: &dyn Fn(&str) -> Option<usize>,
    starts_in: &Option<Vec<Name>>,
) -> BTreeSet<usize> {
    if !deadline.runs_in.is_empty() {
        return deadline.runs_in.iter().filter_map(|state| place(state)).collect();
    }
    let open = |place: &usize| states[*place].1.kind != StateKind::End;
    let moves: Vec<(&Name, Vec<usize>, Vec<usize>)> = workflow
        .actions_of(branch)
        .into_iter()
        .flatten()
        .map(|(_, action)| {
            let from: Vec<usize> = action.from.iter().filter_map(|from| place(from)).collect();
            let to: Vec<usize> =
                action.to.iter().chain(action.choose.iter().filter_map(|row| row.to.as_ref())).filter_map(|to| place(to)).collect();
            (&action.records_as, from, to)
        })
        .collect();
    let start = states.iter().position(|(_, state)| state.kind == StateKind::Start);
    let mut found: BTreeSet<usize> = BTreeSet::new();
    for fact in &deadline.starts_on {
        match moves.iter().find(|(name, ..)| *name == fact) {
            // Where the action leaves the state as it is, its own states.
            Some((_, from, to)) => found.extend(if to.is_empty() { from } else { to }),
            None if &**fact == "opened" => found.extend(start),
            // It starts outside, at any time.
            None => found.extend(0..states.len()),
        }
    }
    if let Some(only) = starts_in {
        found.retain(|at| only.contains(states[*at].0));
    }
    let mut ahead: Vec<usize> = found.iter().copied().collect();
    while let Some(state) = ahead.pop() {
        for (name, from, to) in &moves {
            if from.contains(&state) && !deadline.ends_on.contains(name) {
                let new: Vec<usize> = to.iter().copied().filter(|to| found.insert(*to)).collect();
                ahead.extend(new);
            }
        }
    }
    found.into_iter().filter(open).collect()
}
