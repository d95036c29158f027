//! Facts → item: state, branches, clocks with every step of why, rungs owed, who holds which role.
//!
//! There is no second derivation anywhere. Folding runs no script; what is evaluated afterwards (derived fields, extensions) reads recorded values only.

pub mod clocks;
pub mod days;
pub mod due;
pub mod fold;
pub mod hands;
pub mod past;
mod renames;
pub mod roles;
pub mod rungs;
pub mod tally;

pub use renames::in_present_words;

use crate::kernel::model::fact::{Actor, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::rules::{Derived, EvalError, Rules, View};
use crate::kernel::time::Date;
use std::sync::Arc;

/// The item as its facts make it under the rules, on a day. `None` without facts.
pub fn derive(rules: &Rules, id: &str, facts: &[Fact], today: Date) -> Result<Option<Arc<Item>>, EvalError> {
    let present = renames::in_present_words(&rules.setting.workflow, facts);
    let amended = past::with_amendments(&present);
    let mut facts = amended.iter();
    let Some(first) = facts.next() else { return Ok(None) };
    let mut item = fold::begin(rules, id, first.effective_on, today);
    apply(rules, &mut item, first)?;
    for fact in facts {
        apply(rules, &mut item, fact)?;
    }
    Ok(Some(settle(rules, item, today)?))
}

/// Folds one more fact into an item. [`settle`] completes it.
pub fn apply(rules: &Rules, item: &mut Item, fact: &Fact) -> Result<(), EvalError> {
    let moved = fold::outcomes(rules, item, fact);
    clocks::advance(rules, item, fact, &moved)
}

/// Computes what depends on the day and on everything else: due dates, flags, derived fields.
pub fn settle(rules: &Rules, mut item: Item, today: Date) -> Result<Arc<Item>, EvalError> {
    item.today = today;
    clocks::settle(rules, &mut item);
    for (name, tally) in tally::fields(&rules.setting.workflow) {
        let value = tally::points(&item, tally, &rules.setting.workflow.params, today);
        fold::record(&mut item, None, name.clone(), value);
    }
    let mut item = Arc::new(item);
    for Derived { branch: branch_kind, field } in rules.scripts.derived_order() {
        let Some(fields) = rules.setting.workflow.fields_of(branch_kind.as_deref()) else { continue };
        let Some(expr) = fields.get(field).and_then(|field| field.is.as_ref()) else { continue };
        let holders: Vec<Option<u32>> = match branch_kind {
            None => vec![None],
            Some(kind) => item.branches.iter().filter(|branch| branch.kind == *kind).map(|branch| Some(branch.no)).collect(),
        };
        for task in holders {
            let value = rules.scripts.eval(expr, &view(rules, &item, task))?;
            let known = item.fields_of(task).and_then(|fields| fields.get(field));
            if known.is_none_or(|known| *known != value) {
                fold::record(Arc::make_mut(&mut item), task, field.clone(), value);
            }
        }
    }
    Ok(item)
}

/// What rules see of an item when nobody acts.
pub fn view(rules: &Rules, item: &Arc<Item>, task: Option<u32>) -> View {
    View {
        setting: rules.setting.clone(),
        item: item.clone(),
        task,
        input: Arc::default(),
        each: Default::default(),
        actor: Arc::new(Actor::default()),
        today: item.today,
    }
}
