//! Facts in the words of the version in use: what earlier versions called otherwise is read under its present name. The facts themselves
//! stay as they were recorded.

use crate::kernel::model::Name;
use crate::kernel::model::definition::Workflow;
use crate::kernel::model::fact::{Amended, Cause, Fact, Outcome};
use crate::kernel::model::value::Fields;
use std::borrow::Cow;

/// The facts with present names; nothing is copied where nothing was ever renamed.
pub fn in_present_words<'f>(workflow: &Workflow, facts: &'f [Fact]) -> Cow<'f, [Fact]> {
    if workflow.renames.is_empty() {
        return Cow::Borrowed(facts);
    }
    let mut reading = Reading { workflow, kinds: Vec::new() };
    let mut facts = facts.to_vec();
    facts.iter_mut().for_each(|fact| reading.fact(fact));
    Cow::Owned(facts)
}

struct Reading<'w> {
    workflow: &'w Workflow,
    /// The kind of each branch, under its present name.
    kinds: Vec<Name>,
}

impl Reading<'_> {
    fn fact(&mut self, fact: &mut Fact) {
        // What is opened here may be spoken of in the same fact.
        for outcome in &mut fact.outcomes {
            if let Outcome::Open { kind, .. } = outcome {
                *kind = self.workflow.branch_now(kind).clone();
                self.kinds.push(kind.clone());
            }
        }
        let level = fact.branch.and_then(|no| self.kind(no));
        for outcome in &mut fact.outcomes {
            self.outcome(outcome);
        }
        match &mut fact.cause {
            Cause::Rung { key, .. } => {
                let now = self.workflow.deadline_now(&key.deadline).clone();
                if let Some(rung) = fact.name.strip_prefix(&*key.deadline).filter(|_| now != key.deadline) {
                    fact.name = format!("{now}{rung}").into();
                }
                key.deadline = now;
            }
            Cause::Amend { what: Amended::Field { branch, field }, .. } => {
                let level = branch.and_then(|no| self.kind(no));
                *field = self.workflow.field_now(level.as_deref(), field).clone();
            }
            Cause::Amend { what: Amended::Input(input), .. } => *input = self.field(level.as_deref(), input),
            _ => {}
        }
        fact.name = self.workflow.action_now(level.as_deref(), &fact.name).clone();
        let input = std::mem::take(&mut fact.input);
        fact.input = input.into_iter().map(|(name, value)| (self.field(level.as_deref(), &name), value)).collect();
        for (deadline, _) in &mut fact.not_started {
            *deadline = self.workflow.deadline_now(deadline).clone();
        }
    }

    fn outcome(&self, outcome: &mut Outcome) {
        let workflow = self.workflow;
        match outcome {
            Outcome::State { to } => *to = workflow.state_now(None, to).clone(),
            Outcome::Set { field, .. } => *field = workflow.field_now(None, field).clone(),
            Outcome::Open { kind, state, fields, .. } => {
                *state = workflow.state_now(Some(kind), state).clone();
                let old: Fields = std::mem::take(fields);
                *fields = old.into_iter().map(|(name, value)| (workflow.field_now(Some(kind), &name).clone(), value)).collect();
            }
            Outcome::BranchState { branch, to } | Outcome::Cancel { branch, to } => {
                *to = workflow.state_now(self.kind(*branch).as_deref(), to).clone();
            }
            // The names are those of another workflow.
            Outcome::Errand { .. } => {}
            Outcome::BranchSet { branch, field, .. } => *field = workflow.field_now(self.kind(*branch).as_deref(), field).clone(),
        }
    }

    fn kind(&self, no: u32) -> Option<Name> {
        self.kinds.get(no.checked_sub(1)? as usize).cloned()
    }

    /// What an action asks for is called like the field in which it is recorded: of the branch, else of the item.
    fn field(&self, level: Option<&str>, name: &Name) -> Name {
        let of_branch = level.map_or(name, |kind| self.workflow.field_now(Some(kind), name));
        if of_branch != name { of_branch.clone() } else { self.workflow.field_now(None, name).clone() }
    }
}
