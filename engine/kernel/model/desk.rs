//! Pages of a role's own: what stands on them, which columns and filters a list has, and what anybody may read.

use super::Name;

/// A page that a role works from.
#[derive(Clone, Debug)]
pub struct Desk {
    pub title: String,
    /// The roles for whose holders it is.
    pub roles: Vec<Name>,
    /// Those of them who see it first when they come in.
    pub first_for: Vec<Name>,
    pub parts: Vec<DeskPart>,
}

#[derive(Clone, Debug)]
pub struct DeskPart {
    pub title: String,
    pub show: DeskShow,
    /// Where it stands.
    pub path: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeskShow {
    /// How many items are open, late and due soon, in a sentence.
    Numbers,
    /// What waits for whoever looks.
    Duties,
    /// Of that, what others have asked for and is to be decided.
    Requests,
    /// What the engine will do today if nobody does anything.
    Coming,
    /// What is wrong with the system.
    Health,
    /// The escalations of which whoever looks was told.
    Told,
    /// Items in some states; with a unit field, which unit had the like of it before, and what each has in hand.
    Waiting { states: Vec<Name>, unit: Option<Name>, action: Option<Name> },
    /// The first rows of a report of this workflow.
    Report { report: Name, rows: usize },
    /// Of each open item, how many of its branches of a kind have ended.
    Round { branch: Name },
}

/// The columns and filters of the ledger, by fields; where none are declared, those that tell the rows at hand apart.
#[derive(Clone, Debug, Default)]
pub struct LedgerView {
    pub columns: Vec<Name>,
    pub filters: Vec<Name>,
}

/// Items that anybody may read of, without signing in.
#[derive(Clone, Debug)]
pub struct Published {
    pub title: String,
    /// The states in which one is published.
    pub states: Vec<Name>,
    /// The field that says whether it is, and with which options.
    pub field: Name,
    pub is: Vec<Name>,
    /// What is shown of it, in this order.
    pub fields: Vec<Name>,
}
