//! The derived view of an item: what its facts, seen under a rule set on a day, amount to. `derive` makes it; nobody changes it.

use super::Name;
use super::definition::{Flag, LengthRule};
use super::value::{Fields, Value};
use crate::kernel::time::{Date, Instant, Length};
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Debug, Serialize)]
pub struct Item {
    pub id: Name,
    pub workflow: Name,
    /// Number of facts.
    pub rev: u64,
    /// The day for which it was derived.
    pub today: Date,
    pub state: Name,
    pub since: Date,
    pub ended: bool,
    /// Recorded and derived (`is`) fields.
    pub fields: Fields,
    pub branches: Vec<Arc<Branch>>,
    /// Every cycle of every deadline, in the order in which they started.
    pub clocks: Vec<Arc<Clock>>,
    pub requests: Vec<Arc<Asked>>,
    /// The worst flag of the clocks that are running.
    pub flag: Option<Flag>,
    pub created_on: Date,
    pub last_effective_on: Date,
    /// The latest doing of each action on the item and on each branch, for `not_by` and `sealed_until`.
    pub done: Arc<Vec<Done>>,
    /// What it has asked of other items and has no answer to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errands: Vec<Arc<Errand>>,
    /// What other items asked of it and it did: item, fact, and entry of that fact.
    #[serde(skip)]
    pub arrived: Vec<(Name, u64, u32)>,
}

/// What an item asks of another one.
#[derive(Clone, Debug, Serialize)]
pub struct Errand {
    /// The fact that asks it, and which entry of that fact.
    pub seq: u64,
    pub no: u32,
    pub workflow: Name,
    pub item: Name,
    pub action: Name,
    pub input: Fields,
    /// The day on which it counts as asked.
    pub on: Date,
    /// When it was asked.
    pub at: Instant,
    /// How many items asked each other before this.
    #[serde(skip)]
    pub depth: u32,
}

#[derive(Clone, Debug, Serialize)]
pub struct Branch {
    pub no: u32,
    pub kind: Name,
    pub state: Name,
    pub since: Date,
    pub ended: bool,
    pub cancelled: bool,
    /// Declared fields, and `unit` or `person` where the kind is `one_per` one.
    pub fields: Fields,
    pub opened_on: Date,
    /// The fact that opened it.
    pub opened_seq: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Done {
    pub seq: u64,
    pub name: Name,
    pub branch: Option<u32>,
    pub person: Option<Name>,
    pub on: Date,
}

/// One cycle of one deadline.
#[derive(Clone, Debug, Serialize)]
pub struct Clock {
    pub deadline: Name,
    pub branch: Option<u32>,
    /// From 1. A new cycle begins when a starting action happens again, on an extension, and when the field behind `until` changes.
    pub cycle: u32,
    /// Which run of the deadline it is: cycles made by extensions share the run.
    pub run: u32,
    pub anchor: Date,
    pub started_seq: u64,
    /// What that fact was called.
    pub started_by: Name,
    /// When this cycle began (recorded), so that rungs before it do not fire.
    pub started_on: Date,
    pub started_at: Instant,
    /// The rule that gives the length, with tables already answered from the values at the start.
    #[serde(skip)]
    pub rule: Option<LengthRule>,
    /// Its run has its dates by rules that were in use before: their place in `Carried::kept`.
    #[serde(skip)]
    pub kept: Option<usize>,
    pub extensions: Vec<Extension>,
    pub pauses: Vec<Pause>,
    /// Rungs that fired or were skipped, in order.
    pub fired: Vec<Fired>,
    /// The first moment at which a rung of this cycle may be owed; empty when none is left, or while paused or quiet.
    pub next_at: Option<Instant>,
    pub end: Option<ClockEnd>,
    pub times_extended: u32,
    /// The state pauses it now.
    pub paused: bool,
    /// Rungs are held now (`quiet_in`).
    pub quiet: bool,
    /// Empty while the rule gives no date.
    pub due: Option<Arc<Due>>,
    /// The worst flag of its fired rungs.
    pub flag: Option<Flag>,
}

/// A fact that moved the date of its cycle's run.
#[derive(Clone, Debug, Serialize)]
pub struct Extension {
    pub seq: u64,
    /// What the author wrote, for explaining.
    pub rule: String,
    #[serde(skip)]
    pub by: ExtendedBy,
}

#[derive(Clone, Debug)]
pub enum ExtendedBy {
    /// Added to the date.
    Length(Length),
    /// A new length from the same anchor.
    To(LengthRule),
}

/// Days on which the clock stood: from `from` up to, not including, `to`.
#[derive(Clone, Debug, Serialize)]
pub struct Pause {
    pub from: Date,
    pub to: Option<Date>,
    pub seq: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct Fired {
    pub rung: Name,
    pub occurrence: u32,
    pub on: Date,
    /// Why nothing was told: `superseded`, `when`.
    pub skipped: Option<Name>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ClockEnd {
    pub seq: u64,
    pub on: Date,
    pub how: ClockEndHow,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockEndHow {
    /// By one of `ends_on`, or by leaving `runs_in`.
    Done,
    /// A new cycle took its place.
    Replaced,
    /// Its item or branch ended or was cancelled.
    Dropped,
}

/// A due date with every step of why.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Due {
    pub date: Date,
    /// The calendar does not reach.
    pub provisional: bool,
    pub steps: Vec<DueStep>,
}

/// One step of a derivation, in the order of `language`: anchor, length, extensions, pauses, cap, roll.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum DueStep {
    Anchor {
        on: Date,
        seq: u64,
        name: Name,
    },
    /// `rule` is the param's, table's or phrase's text; `source` the law.
    Length {
        rule: String,
        length: Option<Length>,
        source: Option<String>,
        since: Option<Date>,
        gives: Date,
    },
    /// A month without that day: clamped or moved on.
    Clamped {
        gives: Date,
    },
    /// A recorded date or a fixed day of the year.
    Fixed {
        rule: String,
        gives: Date,
    },
    Extended {
        seq: u64,
        rule: String,
        gives: Date,
    },
    Paused {
        from: Date,
        to: Date,
        days: i64,
        seq: u64,
        gives: Date,
    },
    Cap {
        rule: String,
        cap: Date,
        reached: bool,
        gives: Date,
    },
    /// Moved off a day off; `because` is the holiday's name or the weekday.
    Rolled {
        from: Date,
        because: String,
        gives: Date,
    },
    /// A day that looks like a day off but is worked.
    MakeUpDay {
        gives: Date,
    },
    /// The earliest of several parts won.
    Earliest {
        parts: Vec<(String, Date)>,
        gives: Date,
    },
    Provisional {
        known_until: Date,
    },
}

/// A request that was asked.
#[derive(Clone, Debug, Serialize)]
pub struct Asked {
    pub request: Name,
    pub branch: Option<u32>,
    pub seq: u64,
    pub input: Fields,
    pub person: Option<Name>,
    /// Roles that have consented so far.
    pub consents: Vec<Name>,
    /// `true` approved, `false` refused, empty while pending.
    pub decided: Option<bool>,
}

impl Item {
    /// Whether nothing more can happen here: the item has ended, so has each of its branches, and it waits for no other item's answer.
    pub fn is_over(&self) -> bool {
        self.ended && self.errands.is_empty() && self.branches.iter().all(|branch| branch.ended)
    }

    pub fn branch(&self, no: u32) -> Option<&Branch> {
        self.branches.get(no.checked_sub(1)? as usize).map(|branch| &**branch)
    }

    /// The latest cycle of a deadline of the item (`branch` empty) or of one of its branches.
    pub fn clock(&self, deadline: &str, branch: Option<u32>) -> Option<&Clock> {
        self.clocks.iter().rev().map(|clock| &**clock).find(|clock| &*clock.deadline == deadline && clock.branch == branch)
    }

    /// The fields of the item, or of one of its branches.
    pub fn fields_of(&self, branch: Option<u32>) -> Option<&Fields> {
        match branch {
            None => Some(&self.fields),
            Some(no) => self.branch(no).map(|branch| &branch.fields),
        }
    }

    pub fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Empty)
    }

    /// The request of this name that waits for a decision.
    pub fn pending(&self, request: &str, branch: Option<u32>) -> Option<&Asked> {
        let latest = self.requests.iter().rev().find(|asked| &*asked.request == request && asked.branch == branch)?;
        latest.decided.is_none().then_some(&**latest)
    }
}

impl Clock {
    pub fn is_running(&self) -> bool {
        self.end.is_none()
    }

    /// Late is what ended, or still runs, after the due day.
    pub fn is_late(&self, today: Date) -> bool {
        let until = self.end.as_ref().map_or(today, |end| end.on);
        let counts = self.end.as_ref().is_none_or(|end| end.how != ClockEndHow::Replaced);
        counts && self.due.as_ref().is_some_and(|due| due.date < until)
    }
}
