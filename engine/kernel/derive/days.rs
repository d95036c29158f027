//! An item as it stood at the end of each of several days, from facts that are folded once.

use super::{apply, fold, past, renames, settle};
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::Item;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use std::borrow::Cow;
use std::sync::Arc;

/// Calls `each` with the place of a day among `days`, which stand in order, and the item then; not for days before it was there. With
/// `known_by`, only what had been recorded before that moment counts.
pub fn on_days(
    rules: &Rules,
    id: &str,
    facts: &[Fact],
    days: &[Date],
    known_by: Option<Instant>,
    mut each: impl FnMut(usize, Arc<Item>) -> Result<(), EvalError>,
) -> Result<(), EvalError> {
    let present = renames::in_present_words(&rules.setting.workflow, facts);
    let known: Cow<[Fact]> = match known_by {
        Some(moment) => present.iter().filter(|fact| fact.recorded_at < moment).cloned().collect(),
        None => present,
    };
    let facts = past::with_amendments(&known);
    if !facts.is_sorted_by_key(|fact| fact.effective_on) {
        for (place, day) in days.iter().enumerate() {
            let mut then = Folding::new(rules, id);
            facts.iter().filter(|fact| fact.effective_on <= *day).try_for_each(|fact| then.apply(fact))?;
            then.item.map_or(Ok(()), |item| each(place, settle(rules, item, *day)?))?;
        }
        return Ok(());
    }
    let mut then = Folding::new(rules, id);
    let mut rest = facts.iter().peekable();
    for (place, day) in days.iter().enumerate() {
        while let Some(fact) = rest.next_if(|fact| fact.effective_on <= *day) {
            then.apply(fact)?;
        }
        let item = if place + 1 == days.len() { then.item.take() } else { then.item.clone() };
        item.map_or(Ok(()), |item| each(place, settle(rules, item, *day)?))?;
    }
    Ok(())
}

/// Facts on their way to an item, before anything that depends on a day.
struct Folding<'r> {
    rules: &'r Rules,
    id: &'r str,
    item: Option<Item>,
}

impl<'r> Folding<'r> {
    fn new(rules: &'r Rules, id: &'r str) -> Folding<'r> {
        Folding { rules, id, item: None }
    }

    fn apply(&mut self, fact: &Fact) -> Result<(), EvalError> {
        let begin = || fold::begin(self.rules, self.id, fact.effective_on, fact.effective_on);
        apply(self.rules, self.item.get_or_insert_with(begin), fact)
    }
}
