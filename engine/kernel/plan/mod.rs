//! What another rule set would do to the open items: the facts of each under both, and the differences gathered by what brings them about.
//!
//! `item` compares one item, `gather` adds up, `file` is what is kept of it. Reading items and publishing are the app's.

mod carry;
mod file;
mod gather;
mod item;
mod judge;
mod mails;
mod offers;
mod pair;
mod record;
pub mod told;
mod why;

pub use carry::{Choices, Past, kept_sets, note, with_past};
pub use file::{Plan, Seen};
pub use gather::{Gathered, digest};
pub use judge::{Finding, Judged, judge};
pub use mails::{Busiest, Counts, Courses, Forecasts, Mails};
pub use pair::{Compared, Pair};
pub use record::{CalledBack, Noted, Record};

use crate::kernel::model::Name;
use crate::kernel::time::Date;
use serde::{Deserialize, Serialize};

/// What becomes different, the worst first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// Its workflow is not there any more.
    WorkflowGone,
    /// It can be derived now, but not under the new rules.
    Unreadable {
        because: String,
    },
    /// It stands in a state that is not declared any more, itself or one of its branches.
    StateGone {
        state: Name,
    },
    BranchGone {
        branch: Name,
    },
    /// A deadline that runs is not declared any more.
    DeadlineGone {
        deadline: Name,
    },
    /// A request that waits for its decision is not declared any more.
    RequestGone {
        request: Name,
    },
    FieldGone {
        field: Name,
    },
    /// A recorded value is none of the field's new type.
    FieldUnfit {
        field: Name,
    },
    /// What must always hold would not.
    Always {
        says: String,
    },
    /// Nobody can do anything there any more, and no deadline runs.
    Stuck {
        state: Name,
    },
    /// Nobody holds a role any more that it needs.
    HolderLost {
        role: Name,
    },
    /// A role that it needs is held by others from now on.
    HolderMoves {
        role: Name,
        from: Vec<Name>,
        to: Vec<Name>,
    },
    /// A running deadline has another date.
    Date {
        deadline: Name,
    },
    /// A deadline runs that did not.
    NewDate {
        deadline: Name,
    },
    /// A declared deadline that ran does not.
    NoDate {
        deadline: Name,
    },
    /// A rung tells or does something at once that was not owed.
    Owed {
        deadline: Name,
        rung: Name,
    },
    /// A rung came too late for it, and is passed over.
    RungPassed {
        deadline: Name,
        rung: Name,
    },
    /// A role may do it no more, or from now on.
    ActionLost {
        action: Name,
        role: Name,
    },
    ActionGained {
        action: Name,
        role: Name,
    },
    /// Only the name of what it stands in is another.
    StateMoves {
        state: Name,
        to: Name,
    },
    DeadlineMoves {
        deadline: Name,
        to: Name,
    },
    FieldMoves {
        field: Name,
        to: Name,
    },
    BranchMoves {
        branch: Name,
        to: Name,
    },
}

/// The element of the rules that brings a difference about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cause {
    /// Such as `params.reply_term`, `deadlines.reply.length` or `calendars.cn`.
    pub element: String,
    /// What stood there and what stands there now, where that is short.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub becomes: Option<String>,
}

impl Cause {
    pub fn of(element: impl Into<String>) -> Cause {
        Cause { element: element.into(), was: None, becomes: None }
    }

    pub fn change(element: impl Into<String>, was: impl ToString, becomes: impl ToString) -> Cause {
        Cause { element: element.into(), was: Some(was.to_string()), becomes: Some(becomes.to_string()) }
    }
}

/// One item, or one of its branches, with what is its own of a difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Row {
    pub item: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Date>,
    /// The new date has passed, and the old one had not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub overdue: bool,
}

/// One difference of one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub what: What,
    pub cause: Cause,
    pub row: Row,
}

/// All items with one difference of one cause.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    pub workflow: Name,
    #[serde(flatten)]
    pub what: What,
    pub cause: Cause,
    /// In the order of the items.
    pub rows: Vec<Row>,
}

impl Group {
    /// How many items turn overdue at once.
    pub fn overdue(&self) -> usize {
        self.rows.iter().filter(|row| row.overdue).count()
    }

    /// The days by which dates move, earlier ones negative.
    pub fn days(&self) -> impl Iterator<Item = i64> {
        self.rows.iter().filter_map(|row| Some((row.to? - row.from?).num_days()))
    }
}
