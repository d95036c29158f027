//! What the kernel answers: facts to append, notices to tell and the next wake-up, or a refusal with its reason.

use super::Name;
use super::fact::Fact;
use super::item::Item;
use super::value::Value;
use crate::kernel::time::{Date, Instant};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// `Ok` is recorded in one transaction; `Err` is told to the person.
pub type Decision = Result<Accepted, Refusal>;

#[derive(Clone, Debug, Default)]
pub struct Accepted {
    pub facts: Vec<Fact>,
    /// The item as it stands after these facts; empty only in values made by hand.
    pub item: Option<Arc<Item>>,
    pub notices: Vec<Notice>,
    /// The first moment at which something more may be owed; `None` is never.
    pub wake_up: Option<Instant>,
    /// Counters used: the store raises each from `from` to `to` in the same transaction, or the decision is made again.
    pub numbers: Vec<Number>,
    /// Values that must be unique in the workflow (field, value).
    pub unique: Vec<(Name, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    pub counter: String,
    pub from: i64,
    pub to: i64,
}

/// One cause, to one person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// Unique in the store: item, deadline or action, cycle, rung, occurrence, notice, person.
    pub key: String,
    pub item: Name,
    pub workflow: Name,
    pub notice: Name,
    pub kind: super::definition::NoticeKind,
    pub person: Name,
    /// The role by which the person was found.
    pub role: Name,
    /// Main addressees, when this person is only copied in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copy_of: Vec<Name>,
    pub branch: Option<u32>,
    /// The fact that caused it.
    pub seq: u64,
    /// The running deadline behind it (name, branch, cycle): no longer owed once that cycle has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owed_by: Option<OwedBy>,
    /// Not handed over before this moment (the sending window).
    pub not_before: Instant,
    /// A reminder before the due day must leave before this day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before_day: Option<Date>,
    /// Notices of one person with the same bundle become one mail; empty is a mail of its own.
    pub bundle: String,
    /// Why it cannot be mailed at all, such as `nobody` when no one holds the role: it is kept, parked, for a person to see.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<Name>,
    /// What the templates may show, captured now.
    pub values: serde_json::Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedBy {
    pub deadline: Name,
    pub branch: Option<u32>,
    pub cycle: u32,
}

/// A *no*, for the person who asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Refusal {
    pub code: RefusalCode,
    /// The author's sentence (`say`), already filled in; for the engine's own refusals it is made from the catalogue by `words`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sentence: Option<String>,
    /// Where the rule stands, such as `actions.reply.require[0]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Name>,
    /// What the sentence speaks of, by the names used in the catalogue.
    #[serde(default)]
    pub values: Vec<(String, String)>,
}

/// Why the engine refuses. The catalogue has a sentence for each under `refusal.CODE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalCode {
    /// A `require` did not hold, or a window has closed: the sentence is the author's.
    Rule,
    /// `always` would be broken.
    Always,
    UnknownItem,
    UnknownWorkflow,
    UnknownAction,
    UnknownPerson,
    UnknownBranch,
    /// Several open branches fit.
    AmbiguousBranch,
    /// The item exists already.
    ItemExists,
    WrongState,
    WrongRole,
    /// `not_by`
    SamePerson,
    MissingInput,
    UnknownInput,
    BadInput,
    /// `effective_on` in the future, or before what it follows.
    BadDate,
    StaleRevision,
    /// The command id was used with other content.
    CommandReused,
    /// No request waits for this decision, or one is waiting already.
    NoRequest,
    RequestPending,
    TooManyBranches,
    /// `do_on` matched no branch.
    NoBranch,
    NotUnique,
    /// What `amend` asks for is missing or too much.
    AmendInput,
    NoSuchFact,
    /// The engine's own record, or an amendment.
    NotAmendable,
    /// The fact did not record what is to be amended.
    NotRecorded,
    SameValue,
    /// The day would lie before what it follows, or after what follows it.
    AmendDate,
    /// Who may not see a value does not amend it.
    AmendHidden,
    /// Another command of the same group changes the item.
    AmendAlone,
    /// A rule failed when it ran.
    RuleFailed,
    /// The item's moment has come, but nothing is owed and its next moment is not later.
    OwesNothing,
}
