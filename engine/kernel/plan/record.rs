//! What is kept of a publication: who, what they had seen, and what was chosen for the open items. Everything is optional, so that what an
//! earlier program noted can be read.

use crate::kernel::model::Name;
use crate::kernel::model::renames::Renames;
use crate::kernel::time::Date;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a rule set came into use; empty for one that was put to work with an office, or came in with a start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Record {
    /// A person of the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Name>,
    /// How they came in, such as the operating-system user of the command line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Who had proposed it, where two persons have to agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<Name>,
    /// The sum of the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The rule set that was in use before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// It goes back to rules that were in use before.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
    /// So many items were overdue at once.
    #[serde(skip_serializing_if = "is_zero")]
    pub overdue: u64,
    /// How many mails were foreseen for each of the next days.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub foreseen: BTreeMap<Date, u64>,
    /// Deadlines whose running cycles stay as `before` made them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Noted>,
    /// Deadlines of which nothing is kept any more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub recomputed: Vec<Noted>,
    /// Rungs that came with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_rungs: Vec<Noted>,
    /// Deadlines with a condition that came with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub new_deadlines: Vec<Noted>,
    /// Going back, what the version that is left calls otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub called_back: Vec<CalledBack>,
}

/// A deadline of a workflow, or one of its rungs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Noted {
    pub workflow: Name,
    pub deadline: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rung: Option<Name>,
}

/// The names of a later version with those of an earlier one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CalledBack {
    pub workflow: Name,
    pub names: Renames,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Record {
    pub fn read(json: &str) -> Record {
        // What cannot be read says nothing; the row beside it still tells what came into use, and when.
        serde_json::from_str(json).unwrap_or_default()
    }

    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".into())
    }
}
