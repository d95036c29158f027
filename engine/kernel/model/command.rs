//! What is being asked of an item.

use super::Name;
use super::value::Fields;
use crate::kernel::time::Date;
use serde::{Deserialize, Serialize};

/// A person's wish to do an action. The same `id` twice is the same answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Command {
    pub id: Name,
    /// The item; a new one when the action `creates`.
    pub item: Name,
    #[serde(default)]
    pub branch: Option<BranchAddress>,
    pub action: Name,
    #[serde(default)]
    pub input: Fields,
    /// A person of the directory.
    pub by: Name,
    /// How the person came in; recorded, never trusted.
    #[serde(default)]
    pub via: Option<String>,
    /// The civil date on which it was done; today unless entered later.
    #[serde(default)]
    pub effective_on: Option<Date>,
    /// The revision the person saw; a different one is refused.
    #[serde(default)]
    pub seen_rev: Option<u64>,
}

/// Which branch is meant: its number, or its kind with the unit, person or ordinal that tells it apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BranchAddress {
    No(u32),
    /// `assignment roads`, `promise 1`, or just `assignment` when only one is open.
    Named(String),
}
