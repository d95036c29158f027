//! Which facts count: all of them, those up to a day, and wrong ones put right by `amend`.

use crate::kernel::model::fact::{Amended, Cause, Fact, Outcome};
use crate::kernel::time::{Date, Instant};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// The facts that had happened by the end of a day, and, when `known_by` is given, had been recorded before that moment.
pub fn as_of(facts: &[Fact], day: Date, known_by: Option<Instant>) -> Vec<Fact> {
    let known: Vec<Fact> = facts.iter().filter(|fact| known_by.is_none_or(|moment| fact.recorded_at < moment)).cloned().collect();
    with_amendments(&known).iter().filter(|fact| fact.effective_on <= day).cloned().collect()
}

/// The facts with every amendment applied to the fact it names. No script runs again, and nothing is un-sent.
pub fn with_amendments(facts: &[Fact]) -> Cow<'_, [Fact]> {
    let has_amendment = facts.iter().any(|fact| matches!(fact.cause, Cause::Amend { .. }));
    if !has_amendment {
        return Cow::Borrowed(facts);
    }
    let mut amended = facts.to_vec();
    for fact in facts {
        let Cause::Amend { seq, what, value, .. } = &fact.cause else { continue };
        let Some(wrong) = seq.checked_sub(1).and_then(|index| amended.get_mut(index as usize)) else { continue };
        match what {
            Amended::EffectiveOn => {
                let Some(date) = value.as_date() else { continue };
                let moved = done_with(&amended, *seq);
                for fact in amended.iter_mut().filter(|fact| moved.contains(&fact.seq)) {
                    fact.effective_on = date;
                }
            }
            Amended::Input(name) => {
                wrong.input.insert(name.clone(), value.clone());
            }
            Amended::Field { branch, field: name } => {
                for outcome in &mut wrong.outcomes {
                    let old = match outcome {
                        Outcome::Set { field, value } if branch.is_none() && field == name => Some(value),
                        Outcome::BranchSet { branch: no, field, value } if *branch == Some(*no) && field == name => Some(value),
                        Outcome::Open { branch: no, fields, .. } if *branch == Some(*no) => fields.get_mut(name),
                        _ => None,
                    };
                    let Some(old) = old else { continue };
                    // An action that asks for a field has it in its input as well.
                    if let Some(asked) = wrong.input.get_mut(name).filter(|asked| **asked == *old) {
                        *asked = value.clone();
                    }
                    *old = value.clone();
                }
            }
        }
    }
    Cow::Owned(amended)
}

/// A fact and those that followed from it on the same day: they are one deed.
pub fn done_with(facts: &[Fact], seq: u64) -> BTreeSet<u64> {
    let mut deed = BTreeSet::from([seq]);
    let Some(day) = facts.iter().find(|fact| fact.seq == seq).map(|fact| fact.effective_on) else { return deed };
    for fact in facts {
        if matches!(fact.cause, Cause::Follows { after } if deed.contains(&after)) && fact.effective_on == day {
            deed.insert(fact.seq);
        }
    }
    deed
}
