//! Everything that people can do with an item, tried out in the kernel until nothing new is found: where it gets stuck, what breaks, and
//! the shortest way there.
//!
//! Items that differ only in what no condition reads count as the same (see `shape`), and people hand in a few sample values (`inputs`).
//! So what is found has happened, on real dates, with a path that anybody can repeat; what is not found is not proved.

mod inputs;
mod shape;

use super::idle::idle;
use crate::kernel::calendar::cron::Cron;
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide;
use crate::kernel::derive::{self, fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::{Accepted, Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By, Holder, Who};
use crate::kernel::model::item::Item;
use crate::kernel::model::problem::Place;
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use chrono::Days;
use serde::Serialize;
use shape::{Shape, Shapes};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

/// A decision that changes nothing that counts is gone past, so often at most.
const MOST_WAKES: usize = 400;
/// How far nobody does anything, when the mails of a day are counted.
const DAYS_AHEAD: u64 = 120;

/// How far is looked.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Different standings of an item.
    pub standings: usize,
    /// Open branches of one kind.
    pub branches: usize,
}

impl Default for Bounds {
    fn default() -> Bounds {
        Bounds { standings: 2_000, branches: 2 }
    }
}

/// What an exploration came to.
#[derive(Clone, Debug, Serialize)]
pub struct Explored {
    pub workflow: Name,
    /// Different standings that were reached.
    pub standings: usize,
    /// Steps from one to another.
    pub steps: usize,
    /// Nothing was left out: every step from every standing was tried, within the sample values.
    pub complete: bool,
    pub findings: Vec<Finding>,
    /// States (`state`, `BRANCH.state`) and actions that were never reached: not proved that they can be.
    pub unreached_states: Vec<Name>,
    pub undone_actions: Vec<Name>,
    pub most_mails: Option<MostMails>,
}

/// Something that must not happen, with the shortest way to it that was found.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    #[serde(flatten)]
    pub what: What,
    pub path: Vec<Step>,
    pub place: Option<Place>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Nobody can do anything any more, and the engine does nothing by itself.
    DeadEnd { state: Name },
    /// Something can still be done, but no end can be reached.
    NoWayOut { state: Name },
    /// The engine's own action would break an `always`.
    BrokenAlways { rule: Name, sentence: String },
    /// A rule fails when it runs.
    RuleFails { rule: Name, why: String },
}

impl What {
    /// The code under which `check` may tell it; a rule that fails when it runs has none.
    pub fn code(&self) -> Option<&'static str> {
        match self {
            What::DeadEnd { .. } | What::NoWayOut { .. } => Some("E303"),
            What::BrokenAlways { .. } => Some("E316"),
            What::RuleFails { .. } => None,
        }
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    pub day: Date,
    /// Nobody when the engine does it.
    pub by: Option<Name>,
    pub action: Name,
    pub branch: Option<u32>,
    pub input: Fields,
}

/// The most mails that one person gets about one item on one day, when nobody does anything from some standing on.
#[derive(Clone, Debug, Serialize)]
pub struct MostMails {
    pub person: Name,
    pub day: Date,
    pub mails: u64,
    pub path: Vec<Step>,
}

/// Explores one workflow from a moment on; `functions` is the text of its `.rhai` files. `seen` gets how many standings are known and how many of them are done.
pub fn explore(rules: &Arc<Rules>, functions: &str, from: Instant, bounds: Bounds, mut seen: impl FnMut(usize, usize)) -> Explored {
    let mut search = Search::new(rules, functions, bounds);
    search.begin(from);
    while let Some(place) = search.open.pop_front() {
        search.expand(place);
        seen(search.nodes.len(), search.nodes.len() - search.open.len());
    }
    search.result()
}

struct Node {
    item: Arc<Item>,
    now: Instant,
    /// The standing it was reached from; none where it came into being.
    from: Option<usize>,
    /// How it was reached.
    step: Step,
    next: BTreeSet<usize>,
    /// Something was tried that broke; it is no dead end of its own.
    failed: bool,
}

struct Search<'r> {
    rules: &'r Arc<Rules>,
    bounds: Bounds,
    shapes: Shapes,
    nodes: Vec<Node>,
    known: HashMap<Shape, usize>,
    open: VecDeque<usize>,
    findings: Vec<(What, usize, Option<Step>)>,
    done: BTreeSet<Name>,
    steps: usize,
    complete: bool,
    /// Standings from which a step was left out.
    cut: BTreeSet<usize>,
}

impl<'r> Search<'r> {
    fn new(rules: &'r Arc<Rules>, functions: &str, bounds: Bounds) -> Search<'r> {
        let shapes = Shapes::of(rules, functions);
        Search {
            rules,
            bounds,
            shapes,
            nodes: Vec::new(),
            known: HashMap::new(),
            open: VecDeque::new(),
            findings: Vec::new(),
            done: BTreeSet::new(),
            steps: 0,
            complete: true,
            cut: BTreeSet::new(),
        }
    }

    /// Every way in which an item comes into being.
    fn begin(&mut self, from: Instant) {
        let rules = self.rules;
        let today = day_of(from, rules.setting.workflow.timezone);
        let blank = fold::begin(rules, "explored", today, today);
        for (name, action) in rules.setting.workflow.actions.iter().filter(|(_, action)| action.creates) {
            for by in &action.by {
                for input in inputs::of(rules, &blank, action, by) {
                    for person in self.persons(&Arc::new(blank.clone()), by, None, &input, today) {
                        self.create(name, &person, input.clone(), from, today);
                    }
                }
            }
        }
    }

    fn create(&mut self, name: &Name, person: &Name, input: Fields, now: Instant, day: Date) {
        let command = command(name, person, None, input.clone());
        let step = Step { day, by: Some(person.clone()), action: name.clone(), branch: None, input };
        if let Ok(accepted) = decide::act(self.rules, None, &command, now, &|_| 0) {
            self.reached(None, step, accepted, now);
        }
    }

    fn expand(&mut self, place: usize) {
        let (item, now) = (self.nodes[place].item.clone(), self.nodes[place].now);
        if item.is_over() {
            return;
        }
        let workflow = &self.rules.setting.workflow;
        let own = workflow.actions.iter().map(|(name, action)| (None, name, action));
        let of_branches = item.branches.iter().filter(|branch| !branch.ended).flat_map(|branch| {
            let actions = workflow.branches.get(&branch.kind).into_iter().flat_map(|kind| &kind.actions);
            actions.map(|(name, action)| (Some(branch.no), name, action))
        });
        for (task, name, action) in own.chain(of_branches) {
            if !action.creates && decide::who::state_allows(self.rules, &item, action, task).is_ok() {
                self.try_action(place, &item, now, task, name, action);
            }
        }
        self.wait(place, &item, now);
        self.rounds(place, &item, now);
    }

    fn try_action(&mut self, place: usize, item: &Arc<Item>, now: Instant, task: Option<u32>, name: &Name, action: &Action) {
        let day = day_of(now, self.rules.setting.workflow.timezone);
        for by in action.by.iter().filter(|by| &*by.role != roles::SYSTEM) {
            for input in inputs::of(self.rules, item, action, by) {
                for person in self.persons(item, by, task, &input, day) {
                    let step = Step { day, by: Some(person.clone()), action: name.clone(), branch: task, input: input.clone() };
                    let command = command(name, &person, task, input.clone());
                    match decide::act(self.rules, Some(item), &command, now, &|_| 0) {
                        Ok(accepted) => self.reached(Some(place), step, accepted, now),
                        Err(refusal) => self.refused(place, step, &refusal),
                    }
                }
            }
        }
    }

    /// Whoever may act in a capacity: one person is enough, the others would come to the same.
    fn persons(&self, item: &Arc<Item>, by: &By, task: Option<u32>, input: &Fields, day: Date) -> Vec<Name> {
        if &*by.role == roles::SYSTEM {
            return Vec::new();
        }
        let held = roles::holders(self.rules, item, &by.role, task, day).unwrap_or_default();
        let cases = self.rules.setting.workflow.roles.get(&by.role).map(|role| role.who.as_slice()).unwrap_or_default();
        // A new item has no fields yet: who is named in what is handed in.
        let named = cases.iter().find_map(|case| match &case.who {
            Who::Person(field) if field.of == Holder::Item => input.get(&field.field)?.as_text().cloned(),
            _ => None,
        });
        held.into_iter().next().or(named).into_iter().collect()
    }

    /// Nobody does anything until the engine moves something.
    fn wait(&mut self, place: usize, item: &Arc<Item>, now: Instant) {
        let zone = self.rules.setting.workflow.timezone;
        let (mut item, mut now, shape) = (item.clone(), now, self.shapes.shape(item));
        for _ in 0..MOST_WAKES {
            let Some(at) = decide::wake_up(&item) else { return };
            now = now.max(at);
            let day = day_of(now, zone);
            let step = Step { day, by: None, action: "wait".into(), branch: None, input: Fields::new() };
            let woken = derive::settle(self.rules, (*item).clone(), day).map_err(Refusal::from);
            match woken.and_then(|item| decide::foresee(self.rules, &item, now)) {
                Ok(accepted) => {
                    let Some(next) = &accepted.item else { return };
                    if self.shapes.shape(next) != shape {
                        let last = accepted.facts.iter().rev().find(|fact| !fact.outcomes.is_empty());
                        let action = last.map_or_else(|| step.action.clone(), |fact| fact.name.clone());
                        return self.reached(Some(place), Step { action, ..step }, accepted, now);
                    }
                    item = next.clone();
                }
                Err(refusal) => return self.breaks(place, step, &refusal),
            }
        }
    }

    /// The next slot of each sweep.
    fn rounds(&mut self, place: usize, item: &Arc<Item>, now: Instant) {
        let zone = self.rules.setting.workflow.timezone;
        let shape = self.shapes.shape(item);
        for (name, sweep) in self.rules.setting.workflow.sweeps.iter().filter(|(_, sweep)| sweep.action.is_some()) {
            let Some(slot) = Cron::parse(&sweep.cron).ok().and_then(|cron| cron.next(zone, now)) else { continue };
            let day = day_of(slot.at, zone);
            let step = Step { day, by: None, action: name.clone(), branch: None, input: Fields::new() };
            let settled = derive::settle(self.rules, (**item).clone(), day).map_err(Refusal::from);
            match settled.and_then(|item| decide::foresee_sweep(self.rules, &item, name, &slot.name, day, slot.at)) {
                Ok(accepted) => {
                    let moved = accepted.item.as_ref().is_some_and(|next| self.shapes.shape(next) != shape);
                    if moved && !accepted.facts.is_empty() {
                        self.reached(Some(place), step, accepted, slot.at);
                    }
                }
                Err(refusal) => self.breaks(place, step, &refusal),
            }
        }
    }

    fn reached(&mut self, from: Option<usize>, step: Step, accepted: Accepted, now: Instant) {
        let Some(item) = accepted.item else { return };
        self.steps += 1;
        let kind = step.branch.and_then(|no| item.branch(no)).map(|branch| &branch.kind);
        self.done.insert(kind.map_or_else(|| step.action.clone(), |kind| format!("{kind}.{}", step.action).into()));
        for fact in &accepted.facts {
            let kind = fact.branch.and_then(|no| item.branch(no)).map(|branch| &branch.kind);
            let actions = self.rules.setting.workflow.actions_of(kind.map(|kind| &**kind));
            let found = actions.into_iter().flatten().find(|(_, action)| action.records_as == fact.name);
            self.done.extend(found.map(|(name, _)| kind.map_or_else(|| name.clone(), |kind| format!("{kind}.{name}").into())));
        }
        let kinds = item.branches.iter().filter(|branch| !branch.ended).fold(BTreeMap::<&Name, usize>::new(), |mut kinds, branch| {
            *kinds.entry(&branch.kind).or_default() += 1;
            kinds
        });
        if kinds.values().any(|count| *count > self.bounds.branches) {
            return self.leave_out(from);
        }
        let shape = self.shapes.shape(&item);
        let known = self.known.get(&shape).copied();
        let place = match known {
            Some(place) => place,
            None if self.nodes.len() >= self.bounds.standings => return self.leave_out(from),
            None => {
                let place = self.nodes.len();
                self.known.insert(shape, place);
                self.nodes.push(Node { item, now, from, step, next: BTreeSet::new(), failed: false });
                self.open.push_back(place);
                place
            }
        };
        if let Some(from) = from {
            self.nodes[from].next.insert(place);
        }
    }

    fn leave_out(&mut self, from: Option<usize>) {
        self.complete = false;
        self.cut.extend(from);
    }

    /// A person is told no: nothing is broken, unless the rules themselves failed.
    fn refused(&mut self, place: usize, step: Step, refusal: &Refusal) {
        if refusal.code == RefusalCode::RuleFailed {
            self.breaks(place, step, refusal);
        }
    }

    fn breaks(&mut self, place: usize, step: Step, refusal: &Refusal) {
        let value = |name: &str| refusal.values.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default();
        let rule = refusal.rule.clone().unwrap_or_else(|| "".into());
        let what = match refusal.code {
            RefusalCode::Always => What::BrokenAlways { rule, sentence: refusal.sentence.clone().unwrap_or_default() },
            _ => What::RuleFails { rule, why: value("what") },
        };
        self.nodes[place].failed = true;
        if !self.findings.iter().any(|(known, ..)| *known == what) {
            self.findings.push((what, place, Some(step)));
        }
    }

    fn path(&self, place: usize, last: Option<Step>) -> Vec<Step> {
        let mut out: Vec<Step> = last.into_iter().collect();
        let mut at = Some(place);
        while let Some(place) = at {
            out.push(self.nodes[place].step.clone());
            at = self.nodes[place].from;
        }
        out.reverse();
        out
    }

    fn result(mut self) -> Explored {
        self.stuck();
        let workflow = &self.rules.setting.workflow;
        let mut states: BTreeSet<Name> = BTreeSet::new();
        for node in &self.nodes {
            states.insert(node.item.state.clone());
            states.extend(node.item.branches.iter().map(|branch| Name::from(format!("{}.{}", branch.kind, branch.state))));
        }
        let own = workflow.states.keys().cloned();
        let of_branches =
            workflow.branches.iter().flat_map(|(kind, branch)| branch.states.keys().map(move |state| format!("{kind}.{state}").into()));
        let unreached_states = own.chain(of_branches).filter(|state: &Name| !states.contains(state)).collect();
        let own = workflow.actions.keys().cloned();
        let of_branches =
            workflow.branches.iter().flat_map(|(kind, branch)| branch.actions.keys().map(move |action| format!("{kind}.{action}").into()));
        let undone_actions = own.chain(of_branches).filter(|action: &Name| !self.done.contains(action)).collect();
        let findings = self.findings.iter().map(|(what, place, step)| Finding {
            path: self.path(*place, step.clone()),
            place: self.place_of(what),
            what: what.clone(),
        });
        Explored {
            workflow: workflow.name.clone(),
            standings: self.nodes.len(),
            steps: self.steps,
            complete: self.complete,
            findings: findings.collect(),
            unreached_states,
            undone_actions,
            most_mails: self.most_mails(),
        }
    }

    fn place_of(&self, what: &What) -> Option<Place> {
        let path = match what {
            What::DeadEnd { state } | What::NoWayOut { state } => format!("states.{state}@"),
            What::BrokenAlways { rule, .. } | What::RuleFails { rule, .. } => rule.to_string(),
        };
        self.rules.places.find(&path).cloned()
    }

    /// Standings in which nothing can be done, and those from which only circles lead on; each state is told once, by its shortest path.
    fn stuck(&mut self) {
        let mut before: Vec<Vec<usize>> = vec![Vec::new(); self.nodes.len()];
        for (place, node) in self.nodes.iter().enumerate() {
            for next in &node.next {
                before[*next].push(place);
            }
        }
        // With something left out, a way out may lie there: but not where nothing at all was possible.
        let is_dead = |place: usize, node: &Node| !node.item.ended && node.next.iter().all(|next| *next == place);
        let stops = |place: usize, node: &Node| node.item.ended || node.failed || is_dead(place, node);
        let mut leads_out: Vec<bool> = self.nodes.iter().enumerate().map(|(place, node)| stops(place, node)).collect();
        let mut todo: Vec<usize> = (0..self.nodes.len()).filter(|place| leads_out[*place]).collect();
        while let Some(place) = todo.pop() {
            for from in &before[place] {
                if !std::mem::replace(&mut leads_out[*from], true) {
                    todo.push(*from);
                }
            }
        }
        let mut told = BTreeSet::new();
        for (place, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.failed) {
            let state = node.item.state.clone();
            let dead = is_dead(place, node) && !self.cut.contains(&place);
            let circles = self.complete && !leads_out[place];
            if (dead || circles) && told.insert((state.clone(), dead)) {
                let what = if dead { What::DeadEnd { state } } else { What::NoWayOut { state } };
                self.findings.push((what, place, None));
            }
        }
    }

    fn most_mails(&self) -> Option<MostMails> {
        let zone = self.rules.setting.workflow.timezone;
        let mut most: Option<(u64, usize, Name, Date)> = None;
        for (place, node) in self.nodes.iter().enumerate().filter(|(_, node)| !node.item.is_over()) {
            let until = day_of(node.now, zone).checked_add_days(Days::new(DAYS_AHEAD))?;
            let life = idle(self.rules, &node.item, node.now, until);
            let mut mails: BTreeMap<(&Name, Date), BTreeSet<(&str, Instant)>> = BTreeMap::new();
            for told in life.told.iter().filter(|told| told.fate == super::idle::Fate::Leaves) {
                let mail = if told.bundle.is_empty() { told.key.as_str() } else { told.bundle.as_str() };
                mails.entry((&told.person, told.day)).or_default().insert((mail, told.at));
            }
            for ((person, day), mails) in mails {
                let count = mails.len() as u64;
                if most.as_ref().is_none_or(|(known, ..)| count > *known) {
                    most = Some((count, place, person.clone(), day));
                }
            }
        }
        most.map(|(mails, place, person, day)| MostMails { person, day, mails, path: self.path(place, None) })
    }
}

fn command(action: &Name, person: &Name, task: Option<u32>, input: Fields) -> Command {
    Command {
        id: "explore".into(),
        item: "explored".into(),
        branch: task.map(BranchAddress::No),
        action: action.clone(),
        input,
        by: person.clone(),
        via: None,
        effective_on: None,
        seen_rev: None,
    }
}
