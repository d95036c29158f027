//! What stories touched of a workflow, and what they never did.

use crate::kernel::model::Name;
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::definition::{Action, Workflow};
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use std::collections::BTreeSet;

/// Names are qualified: `state`, `BRANCH.state`, `DEADLINE.rung`, paths of guards.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    pub states: BTreeSet<Name>,
    pub actions: BTreeSet<Name>,
    pub rungs: BTreeSet<Name>,
    pub notices: BTreeSet<Name>,
    pub guards_held: BTreeSet<Name>,
    pub guards_refused: BTreeSet<Name>,
    pub table_rows: BTreeSet<Name>,
}

/// One line of the report.
#[derive(Clone, Debug)]
pub struct Measure {
    pub what: &'static str,
    pub covered: usize,
    pub all: usize,
    pub missing: Vec<Name>,
}

impl Measure {
    pub fn percent(&self) -> usize {
        (self.covered * 100).checked_div(self.all).unwrap_or(100)
    }
}

impl Coverage {
    pub fn reached(&mut self, item: &Item) {
        self.states.insert(item.state.clone());
        for branch in &item.branches {
            self.states.insert(format!("{}.{}", branch.kind, branch.state).into());
        }
    }

    pub fn refused(&mut self, refusal: &Refusal) {
        self.guards_refused.extend(refusal.rule.clone());
    }

    /// Books the facts of a decision, whose item is given as it stands afterwards.
    pub fn happened(&mut self, rules: &Rules, item: &Item, facts: &[Fact]) {
        let workflow = &rules.setting.workflow;
        self.reached(item);
        for fact in facts {
            if let Cause::Rung { key, skipped: None, .. } = &fact.cause {
                self.rungs.insert(format!("{}.{}", key.deadline, key.rung).into());
            }
            for outcome in &fact.outcomes {
                use crate::kernel::model::fact::Outcome;
                match outcome {
                    Outcome::State { to } => drop(self.states.insert(to.clone())),
                    Outcome::Open { kind, state, .. } => drop(self.states.insert(format!("{kind}.{state}").into())),
                    Outcome::BranchState { branch, to } | Outcome::Cancel { branch, to } => {
                        if let Some(branch) = item.branch(*branch) {
                            self.states.insert(format!("{}.{to}", branch.kind).into());
                        }
                    }
                    _ => {}
                }
            }
            let kind = fact.branch.and_then(|no| item.branch(no)).map(|branch| &branch.kind);
            let actions = workflow.actions_of(kind.map(|kind| &**kind));
            let found = actions.and_then(|actions| actions.iter().find(|(_, action)| action.records_as == fact.name));
            let Some((name, action)) = found.filter(|_| !matches!(fact.cause, Cause::Rung { .. })) else { continue };
            self.actions.insert(qualified(kind, name));
            self.guards_held.extend(action.require.iter().map(|rule| rule.path.clone()));
        }
    }

    pub fn add(&mut self, other: &Coverage) {
        self.states.extend(other.states.iter().cloned());
        self.actions.extend(other.actions.iter().cloned());
        self.rungs.extend(other.rungs.iter().cloned());
        self.notices.extend(other.notices.iter().cloned());
        self.guards_held.extend(other.guards_held.iter().cloned());
        self.guards_refused.extend(other.guards_refused.iter().cloned());
        self.table_rows.extend(other.table_rows.iter().cloned());
    }

    pub fn measures(&self, workflow: &Workflow) -> Vec<Measure> {
        let kinds = || workflow.branches.iter();
        let states = workflow.states.keys().cloned();
        let states: Vec<Name> =
            states.chain(kinds().flat_map(|(kind, branch)| branch.states.keys().map(move |state| qualified(Some(kind), state)))).collect();
        let own = workflow.actions.keys().cloned();
        let actions: Vec<Name> =
            own.chain(kinds().flat_map(|(kind, branch)| branch.actions.keys().map(move |action| qualified(Some(kind), action)))).collect();
        let of = |action: &Action| action.require.iter().map(|rule| rule.path.clone()).collect::<Vec<_>>();
        let guards = workflow.actions.values().chain(kinds().flat_map(|(_, branch)| branch.actions.values()));
        let guards: Vec<Name> = guards.flat_map(of).collect();
        let rungs = workflow
            .deadlines
            .iter()
            .flat_map(|(name, deadline)| deadline.ladder.iter().map(move |rung| Name::from(format!("{name}.{}", rung.rung))));
        let rungs: Vec<Name> = rungs.collect();
        let notices: Vec<Name> = workflow.notices.keys().cloned().collect();
        let rows =
            workflow.tables.iter().flat_map(|(name, table)| (1..=table.rows.len()).map(move |row| Name::from(format!("{name}[{row}]"))));
        let rows: Vec<Name> = rows.collect();
        let both: BTreeSet<Name> = self.guards_held.intersection(&self.guards_refused).cloned().collect();
        vec![
            measure("states", &states, &self.states),
            measure("actions", &actions, &self.actions),
            measure("guards_both_ways", &guards, &both),
            measure("rungs", &rungs, &self.rungs),
            measure("notices", &notices, &self.notices),
            measure("table_rows", &rows, &self.table_rows),
        ]
    }
}

fn qualified(kind: Option<&Name>, name: &Name) -> Name {
    match kind {
        None => name.clone(),
        Some(kind) => format!("{kind}.{name}").into(),
    }
}

fn measure(what: &'static str, all: &[Name], covered: &BTreeSet<Name>) -> Measure {
    let missing: Vec<Name> = all.iter().filter(|name| !covered.contains(*name)).cloned().collect();
    Measure { what, covered: all.len() - missing.len(), all: all.len(), missing }
}
