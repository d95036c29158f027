//! Which facts count: all of them, those up to a day, and wrong ones put right by `amend`.

use crate::kernel::model::fact::{Amended, Cause, Fact, Outcome};
use crate::kernel::time::{Date, Instant};
use std::borrow::Cow;

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
                if let Some(date) = value.as_date() {
                    wrong.effective_on = date;
                }
            }
            Amended::Input(name) => {
                wrong.input.insert(name.clone(), value.clone());
            }
            Amended::Field(name) => {
                for outcome in &mut wrong.outcomes {
                    match outcome {
                        Outcome::Set { field, value: old } | Outcome::BranchSet { field, value: old, .. } if field == name => {
                            *old = value.clone()
                        }
                        Outcome::Open { fields, .. } if fields.contains_key(name) => {
                            fields.insert(name.clone(), value.clone());
                        }
                        _ => {}
                    }
                }
            }
        }
    }
    Cow::Owned(amended)
}
