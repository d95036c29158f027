//! What other programs are told of a fact: ids, what it is called, when, and where the item stands. Nothing of what somebody wrote.

use super::Name;
use crate::kernel::time::{Date, Instant};
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub kind: EventKind,
    pub item: Name,
    pub workflow: Name,
    /// The fact that it tells of.
    pub fact: u64,
    /// The fact's name; of a deadline, the deadline's.
    pub name: Name,
    pub branch: Option<u32>,
    /// The day on which it counts as done.
    pub on: Date,
    pub at: Instant,
    /// Where the item stands after it.
    pub state: Name,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    Fact,
    /// A deadline's day is over and it runs still; told once a cycle, with the first rung behind that day.
    DeadlinePassed,
}

impl EventKind {
    pub fn word(self) -> &'static str {
        match self {
            EventKind::Fact => "fact",
            EventKind::DeadlinePassed => "deadline-passed",
        }
    }
}

/// Everything there is.
pub const EVERYTHING: &str = "*";

impl Event {
    /// By which somebody asks for it, besides [`EVERYTHING`].
    pub fn called(&self) -> [String; 2] {
        match self.kind {
            EventKind::Fact => [self.workflow.to_string(), format!("{}/{}", self.workflow, self.name)],
            EventKind::DeadlinePassed => {
                let word = self.kind.word();
                [word.to_string(), format!("{}/{word}", self.workflow)]
            }
        }
    }
}
