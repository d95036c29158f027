//! The flow of an item or of one kind of branch as a graph of states, and what certainly holds in each of them.
//! Only what holds on every path counts; what rules refuse is not looked at.

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::value::{Type, Value};
use std::collections::{BTreeSet, VecDeque};

/// One possible step. Staying in a state is an edge to itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    /// Index into [`Graph::acts`].
    pub act: usize,
    pub row: Option<usize>,
}

pub struct Graph<'a> {
    pub branch: Option<&'a Name>,
    pub states: Vec<(&'a Name, &'a State)>,
    pub acts: Vec<Act<'a>>,
    pub edges: Vec<Edge>,
    pub reached: Vec<bool>,
}

impl<'a> Graph<'a> {
    pub fn of(at: &Checked<'a>, branch: Option<&'a Name>) -> Graph<'a> {
        let states: Vec<_> = at.workflow.states_of(branch.map(|name| &**name)).into_iter().flatten().collect();
        let acts: Vec<_> = at.acts_of(branch).cloned().collect();
        let index = |wanted: &Name| states.iter().position(|(name, _)| *name == wanted);
        let mut edges = Vec::new();
        for (number, act) in acts.iter().enumerate().filter(|(_, act)| !act.action.creates) {
            // A request without `from` may be made wherever work goes on.
            let anywhere = act.action.from.is_empty().then(|| (0..states.len()).filter(|at| states[*at].1.kind != StateKind::End));
            let from: Vec<usize> = anywhere.map_or_else(|| act.action.from.iter().filter_map(index).collect(), Iterator::collect);
            for (row, (to, _)) in act.targets().into_iter().enumerate() {
                let to = match to.map(index) {
                    Some(Some(to)) => Some(to),
                    Some(None) => continue,
                    None => None,
                };
                let row = (!act.action.choose.is_empty()).then_some(row);
                edges.extend(from.iter().map(|from| Edge { from: *from, to: to.unwrap_or(*from), act: number, row }));
            }
        }
        let mut graph = Graph { branch, reached: vec![false; states.len()], states, acts, edges };
        graph.reached = graph.reach(at);
        graph
    }

    fn reach(&self, at: &Checked<'a>) -> Vec<bool> {
        let mut reached = vec![false; self.states.len()];
        let mut queue: VecDeque<usize> = self.starts().collect();
        let cancelled = self.branch.and_then(|kind| at.workflow.branches.get(kind)).and_then(|branch| branch.cancelled_state.as_ref());
        queue.extend(cancelled.and_then(|cancelled| self.states.iter().position(|(name, _)| *name == cancelled)));
        while let Some(state) = queue.pop_front() {
            if !std::mem::replace(&mut reached[state], true) {
                queue.extend(self.edges.iter().filter(|edge| edge.from == state).map(|edge| edge.to));
            }
        }
        reached
    }

    pub fn starts(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.states.len()).filter(|at| self.states[*at].1.kind == StateKind::Start)
    }

    pub fn is_end(&self, state: usize) -> bool {
        self.states[state].1.kind == StateKind::End
    }

    pub fn act_reached(&self, act: usize) -> bool {
        self.acts[act].action.creates || self.edges.iter().any(|edge| edge.act == act && self.reached[edge.from])
    }

    /// States from which no end can be reached.
    pub fn trapped(&self) -> Vec<usize> {
        let mut ends: Vec<bool> = (0..self.states.len()).map(|state| self.is_end(state)).collect();
        loop {
            let before = ends.iter().filter(|ends| **ends).count();
            for edge in &self.edges {
                ends[edge.from] |= ends[edge.to];
            }
            if ends.iter().filter(|ends| **ends).count() == before {
                return (0..self.states.len()).filter(|state| !ends[*state]).collect();
            }
        }
    }

    /// For each state the largest set that holds on every path to it (`None` where no path leads); `step` says what an edge makes of a set.
    pub fn on_every_path<T: Ord + Clone>(
        &self,
        at_start: &BTreeSet<T>,
        step: impl Fn(&BTreeSet<T>, &Edge) -> BTreeSet<T>,
    ) -> Vec<Option<BTreeSet<T>>> {
        let mut holds: Vec<Option<BTreeSet<T>>> = vec![None; self.states.len()];
        for start in self.starts() {
            holds[start] = Some(at_start.clone());
        }
        let mut queue: VecDeque<usize> = self.starts().collect();
        while let Some(state) = queue.pop_front() {
            let Some(here) = holds[state].clone() else { continue };
            for edge in self.edges.iter().filter(|edge| edge.from == state) {
                let there = step(&here, edge);
                let merged = match &holds[edge.to] {
                    None => there,
                    Some(before) => before.intersection(&there).cloned().collect(),
                };
                if holds[edge.to].as_ref() != Some(&merged) {
                    holds[edge.to] = Some(merged);
                    queue.push_back(edge.to);
                }
            }
        }
        holds
    }

    /// The fields of this item or branch that certainly have a value in each state.
    pub fn fields_set(&self, at: &Checked<'a>) -> Vec<Option<BTreeSet<Name>>> {
        let start = self.fields_at_start(at);
        self.on_every_path(&start, |here, edge| {
            let act = &self.acts[edge.act];
            let mut set = here.clone();
            let row = edge.row.map(|row| &act.action.choose[row].effects);
            sets(act, row, self.holder(), &mut set);
            set
        })
    }

    pub fn holder(&self) -> Holder {
        if self.branch.is_some() { Holder::Task } else { Holder::Item }
    }

    pub fn fields_at_start(&self, at: &Checked<'a>) -> BTreeSet<Name> {
        let declared = at.workflow.fields_of(self.branch.map(|name| &**name)).into_iter().flatten();
        let mut set: BTreeSet<Name> =
            declared.filter(|(_, field)| field.default.is_some() || field.is_derived()).map(|(name, _)| name.clone()).collect();
        let Some(kind) = self.branch else {
            let creating = self.acts.iter().filter(|act| act.action.creates).map(|act| {
                let mut set = BTreeSet::new();
                sets(act, None, Holder::Item, &mut set);
                set
            });
            set.extend(on_all(creating));
            return set;
        };
        set.extend(at.workflow.branches.get(kind).and_then(|branch| branch.one_per).map(|one_per| match one_per {
            OnePer::Unit => Name::from("unit"),
            OnePer::Person => Name::from("person"),
        }));
        let entries =
            at.acts().iter().flat_map(|act| act.effects().into_iter().flat_map(|(effects, _)| &effects.open).map(move |open| (act, open)));
        let opened = entries.filter(|(_, open)| open.branch == *kind).map(|(act, open)| {
            // opened from records: the required fields of a record are there
            let from_records = open.for_each.as_ref().filter(|each| holds_records(act, each));
            let record = from_records.and(at.workflow.branches.get(kind)).into_iter().flat_map(|branch| &branch.fields);
            let mut set: BTreeSet<Name> = record.filter(|(_, field)| field.required).map(|(name, _)| name.clone()).collect();
            open.set.iter().for_each(|row| apply(act, row, &mut set));
            set
        });
        set.extend(on_all(opened));
        set
    }
}

/// Whether what a branch is opened for are records that people handed in, not units or persons.
fn holds_records(act: &Act, for_each: &Expr) -> bool {
    let input = for_each.source.trim().strip_prefix("input.");
    let ask = act.action.ask.iter().find(|ask| input == Some(&*ask.name));
    let is_record = |kind: &Type| matches!(kind, Type::Record(_)) || matches!(kind, Type::List(of) if matches!(**of, Type::Record(_)));
    ask.is_some_and(|ask| is_record(&ask.kind))
}

fn on_all(mut sets: impl Iterator<Item = BTreeSet<Name>>) -> BTreeSet<Name> {
    let first = sets.next().unwrap_or_default();
    sets.fold(first, |all, set| all.intersection(&set).cloned().collect())
}

/// Adds the fields that an action certainly records in the holder, and takes away those it empties.
pub fn sets(act: &Act, row: Option<&Effects>, holder: Holder, set: &mut BTreeSet<Name>) {
    set.extend(act.action.ask.iter().filter(|ask| ask.required && ask.records == Some(holder)).map(|ask| ask.name.clone()));
    if holder == Holder::Item {
        set.extend(act.action.sequence.iter().map(|sequence| sequence.field.clone()));
    }
    for effects in std::iter::once(&act.action.effects).chain(row) {
        effects.set.iter().filter(|row| row.of == holder).for_each(|row| apply(act, row, set));
    }
}

fn apply(act: &Act, row: &Set, set: &mut BTreeSet<Name>) {
    let optional_input = |source: &str| {
        let input = source.trim().strip_prefix("input.");
        input.is_some_and(|input| act.action.ask.iter().any(|ask| &*ask.name == input && !ask.required))
    };
    match &row.value {
        SetValue::Literal(Value::Empty) => {
            set.remove(&row.field);
        }
        SetValue::Expr(expr) if optional_input(&expr.source) => {}
        _ if row.when.is_some() => {}
        _ => {
            set.insert(row.field.clone());
        }
    }
}
