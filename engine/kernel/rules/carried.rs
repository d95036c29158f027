//! What publications left behind for the items that were open then: deadlines that are read as before, and rungs that came too late.

use super::Rules;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Deadline, Rung};
use crate::kernel::model::item::Clock;
use crate::kernel::time::Instant;
use std::collections::HashMap;
use std::sync::Arc;

/// Beside the rules in use, for items that are older than they.
#[derive(Debug, Default)]
pub struct Carried {
    /// In the order of the publications.
    pub kept: Vec<Kept>,
    /// Deadline and rung → the publication with which the rung came: what it would have told before is not told.
    pub new_rungs: HashMap<(Name, Name), Instant>,
    /// A deadline with a `when` → the publication with which it came. Whether it starts was asked of no fact before.
    pub new_deadlines: HashMap<Name, Instant>,
    /// Facts of a version that was left again are read under the names before it.
    pub called_back: bool,
}

/// `open_items: keep`: the runs of a deadline that began before a publication have their dates by the rules of then.
#[derive(Clone, Debug)]
pub struct Kept {
    /// As it is called now, and as it was called then.
    pub deadline: Name,
    pub was: Name,
    pub before: Instant,
    /// The rules of then, over the calendar and the directory of now.
    pub rules: Arc<Rules>,
}

impl Carried {
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.new_rungs.is_empty() && self.new_deadlines.is_empty() && !self.called_back
    }

    /// By which of the kept rules a run has its dates that begins with a fact of this moment: those before the next publication that kept.
    pub fn kept_for(&self, deadline: &str, recorded_at: Instant) -> Option<usize> {
        self.kept.iter().position(|kept| &*kept.deadline == deadline && recorded_at <= kept.before)
    }

    /// A deadline starts only by what was recorded after it came.
    pub fn starts_later(&self, deadline: &Name, recorded_at: Instant) -> bool {
        self.new_deadlines.get(deadline).is_some_and(|came| recorded_at <= *came)
    }

    /// An occurrence that stood before its rung came, of a cycle that ran already: it is passed over, unless the rung catches up.
    pub fn is_passed(&self, clock: &Clock, rung: &Rung, moment: Instant) -> bool {
        if self.new_rungs.is_empty() || rung.catch_up {
            return false;
        }
        let came = self.new_rungs.get(&(clock.deadline.clone(), rung.rung.clone()));
        came.is_some_and(|came| clock.started_at <= *came && moment <= *came)
    }
}

impl Rules {
    /// The deadline of a clock, and the rules by which it has its date.
    pub fn dating<'a>(&'a self, clock: &Clock) -> Option<(&'a Rules, &'a Deadline)> {
        match clock.kept.and_then(|index| self.carried.kept.get(index)) {
            Some(kept) => Some((&*kept.rules, kept.rules.setting.workflow.deadlines.get(&kept.was)?)),
            None => Some((self, self.setting.workflow.deadlines.get(&clock.deadline)?)),
        }
    }
}
