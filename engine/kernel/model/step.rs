//! A step of a story or of an action file: on this day this person does that. Both share one form.

use super::Name;
use super::definition::{Flag, NoticeKind};
use super::value::Value;
use crate::kernel::time::Date;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Step {
    /// Local civil time: `2026-03-20 10:00`, or a day alone, which is its 09:00.
    pub at: Option<String>,
    pub by: Option<Name>,
    /// The item; in a story the one that the story is about.
    pub item: Option<Name>,
    /// `assignment roads`, `promise 1`
    pub branch: Option<String>,
    #[serde(rename = "do")]
    pub action: Option<Name>,
    pub with: BTreeMap<Name, Value>,
    /// Entered later than it was done.
    pub effective_on: Option<Date>,
    /// Nobody acts until then.
    pub advance_to: Option<String>,
    /// `down`, with `until`: an outage.
    pub engine: Option<String>,
    pub until: Option<String>,
    /// Calendar years published in the middle of a story.
    pub calendar_adds: Option<BTreeMap<i32, CalendarYear>>,
    pub expect: Option<Expect>,
    /// The sentence shown to the person.
    pub refused: Option<String>,
}

/// A year of a working-day calendar, as in its file: `a..b` is a range of dates.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CalendarYear {
    pub status: Option<String>,
    pub source: Option<String>,
    pub holidays: BTreeMap<String, Vec<String>>,
    pub makeup_workdays: Vec<Date>,
}

/// What has to be so after a step. Only what is written is checked, but `mails` lists exactly what was sent since the previous step.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    pub state: Option<Name>,
    pub flag: Option<FlagWanted>,
    /// Deadline (of the item, or `reply roads` of a branch) → date; `{}` means that none runs.
    pub due: Option<BTreeMap<String, Option<Date>>>,
    pub item: BTreeMap<Name, Value>,
    /// Branch address → its state.
    pub branches: BTreeMap<String, Name>,
    /// Branch address → its fields.
    pub tasks: BTreeMap<String, BTreeMap<Name, Value>>,
    /// Person → exactly the actions offered.
    pub may: BTreeMap<Name, Vec<Name>>,
    /// `item`, or a branch address → exactly the persons who own the state in which it stands.
    pub waits_for: BTreeMap<String, Vec<Name>>,
    /// Person → exactly the fields hidden from them, of the item (`mark`) and of kinds of branches (`ballot.vote`).
    pub hidden: BTreeMap<Name, Vec<Name>>,
    /// Report → its figures on this day over the items of the story.
    pub reports: BTreeMap<Name, ExpectedFigures>,
    /// Other items, by their id: the state in which each stands, and its fields.
    pub others: BTreeMap<Name, OtherItem>,
    pub mails: Option<Vec<ExpectedMail>>,
    pub skipped: Option<Vec<ExpectedSkip>>,
    pub paused: Option<Vec<Name>>,
    pub provisional: Option<Vec<Name>>,
}

/// What has to be so of an item that the story is not about.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OtherItem {
    /// `-` is expected of one that must not be there.
    pub state: Option<Name>,
    pub item: BTreeMap<Name, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FlagWanted {
    None,
    Amber,
    Red,
}

impl FlagWanted {
    pub fn flag(self) -> Option<Flag> {
        match self {
            FlagWanted::None => None,
            FlagWanted::Amber => Some(Flag::Amber),
            FlagWanted::Red => Some(Flag::Red),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedMail {
    pub notice: Name,
    pub to: Vec<Name>,
    pub cc: Vec<Name>,
    /// Local civil time; not compared when it is left out, as the rest.
    pub sent: Option<String>,
    pub kind: Option<NoticeKind>,
    /// It may share a mail with other notices.
    pub bundled: Option<bool>,
    /// As it is worded for this item.
    pub subject: Option<String>,
}

/// What a report says. What is left out is not compared.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedFigures {
    /// How many items, or branches, by value: all values that have any.
    pub counts: Option<BTreeMap<String, u64>>,
    /// Such as `66.67%`.
    pub share: Option<String>,
    /// Row (its keys, by value or title, with a blank between several; `-` for none) → column → figure.
    pub rows: BTreeMap<String, BTreeMap<String, Value>>,
    pub total: BTreeMap<String, Value>,
    /// The rows of a list, all of them in their order; of each the columns that are named.
    pub list: Option<Vec<BTreeMap<String, Value>>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExpectedSkip {
    /// `DEADLINE.rung`
    pub rung: Name,
    pub because: Name,
}
