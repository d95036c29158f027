//! What happened to an item. A fact records outcomes, so folding facts never runs a script.

use super::decision::Refusal;
use super::value::{Fields, Value};
use super::{Name, definition::Flag};
use crate::kernel::time::{Date, Instant};
use serde::{Deserialize, Serialize};

/// One entry of an item's append-only list. `seq` counts from 1; the store adds the chain of hashes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    pub seq: u64,
    /// The fact's name: an action's `records_as`, or one of the built-in kinds (see [`Cause`]).
    pub name: Name,
    /// The branch it was done on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    pub recorded_at: Instant,
    /// The civil date on which it counts as done.
    pub effective_on: Date,
    pub actor: Actor,
    pub cause: Cause,
    #[serde(default, skip_serializing_if = "Fields::is_empty")]
    pub input: Fields,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outcomes: Vec<Outcome>,
    /// Deadlines that would have started but whose `when` did not hold (deadline, branch).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_started: Vec<(Name, Option<u32>)>,
    /// Persons who were told, by notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub told: Vec<(Name, Vec<Name>)>,
    /// Hash of the rule set it was decided under.
    pub rules: Name,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Empty for the engine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Name>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Name>,
    /// The role on whose behalf it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_behalf_of: Option<Name>,
    /// The person who is away, in whose place they did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_in_for: Option<Name>,
    /// How they came in, such as the operating-system user of the command line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
}

/// What brought the fact about. Each cause happens at most once per item: [`Cause::key`] is unique in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Cause {
    /// A person's (or an importer's) command.
    Command { id: Name },
    /// A rung of a ladder. `skipped` says why nothing was told (`superseded`, `when`, `catch_up`).
    Rung {
        key: RungKey,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        flag: Option<Flag>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        skipped: Option<Name>,
    },
    /// A sweep's slot, by its local civil minute.
    Sweep { sweep: Name, slot: Name },
    /// `then_try`, `do_on` or a rung's `do`, following fact `after` of the same decision.
    Follows { after: u64 },
    /// An item of another workflow asked for it: entry `no` of its fact `seq`.
    Errand { item: Name, seq: u64, no: u32 },
    /// What became of entry `no` of fact `seq`, which asked something of another item.
    Answer {
        seq: u64,
        no: u32,
        /// The item that was asked.
        item: Name,
        /// Why it was not done.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refused: Option<Box<Refusal>>,
    },
    /// A wrong recorded value put right (decisions A3): in fact `seq`, `what` is the `effective_on`, an input or a field.
    Amend { id: Name, seq: u64, what: Amended, value: Value },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amended {
    EffectiveOn,
    Input(Name),
    /// A field of the item, or of a branch.
    Field {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        branch: Option<u32>,
        field: Name,
    },
}

/// Which occurrence of which rung.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RungKey {
    pub deadline: Name,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<u32>,
    pub cycle: u32,
    pub rung: Name,
    pub occurrence: u32,
}

impl Cause {
    /// Unique per item; `None` when the cause needs no key of its own.
    pub fn key(&self) -> Option<String> {
        match self {
            Cause::Rung { key, .. } => Some(format!("rung:{}", key.text())),
            Cause::Sweep { sweep, slot } => Some(format!("sweep:{sweep}:{slot}")),
            Cause::Errand { item, seq, no } => Some(format!("errand:{item}:{seq}:{no}")),
            Cause::Answer { seq, no, .. } => Some(format!("answer:{seq}:{no}")),
            Cause::Command { .. } | Cause::Follows { .. } | Cause::Amend { .. } => None,
        }
    }
}

impl RungKey {
    pub fn text(&self) -> String {
        let branch = self.branch.map(|no| format!("#{no}")).unwrap_or_default();
        format!("{}{branch}/{}/{}/{}", self.deadline, self.cycle, self.rung, self.occurrence)
    }
}

/// One thing that became true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "did", rename_all = "snake_case")]
pub enum Outcome {
    /// The item reached a state.
    State {
        to: Name,
    },
    /// A field of the item.
    Set {
        field: Name,
        value: Value,
    },
    /// A new branch, numbered from 1 within the item.
    Open {
        branch: u32,
        kind: Name,
        state: Name,
        fields: Fields,
    },
    BranchState {
        branch: u32,
        to: Name,
    },
    BranchSet {
        branch: u32,
        field: Name,
        value: Value,
    },
    /// A branch was cancelled, by `cancel`, `do`, or the end of the item.
    Cancel {
        branch: u32,
        to: Name,
    },
    /// Something is asked of an item of another workflow; it is asked until an answer is recorded.
    Errand {
        workflow: Name,
        item: Name,
        action: Name,
        #[serde(default, skip_serializing_if = "Fields::is_empty")]
        input: Fields,
        /// How many items asked each other before this.
        #[serde(default, skip_serializing_if = "is_zero")]
        depth: u32,
    },
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
