//! What reaches beyond one item, as an author declared it: what is asked of other items, the items that a sweep makes, and figures over many
//! that are recorded in one.

use super::Name;
use super::definition::{Expr, FieldRef, Holder};

/// What an action asks of another item: to come into being, or to do a system action of its workflow.
#[derive(Clone, Debug)]
pub struct Errand {
    pub workflow: Name,
    /// A system action of that workflow.
    pub action: Name,
    pub to: ErrandTo,
    /// What that action asks for, from the values of this item.
    pub with: Vec<(Name, Expr)>,
    pub when: Option<Expr>,
    pub path: Name,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ErrandTo {
    /// `opens`: a new item with an id of this form; a field of type `item` takes the id.
    New { id: String, link: Option<(Holder, Name)> },
    /// `sends`: the item, or each of the items, that a field names.
    Named(FieldRef),
}

/// The items that a sweep makes, one for each entry of the directory.
#[derive(Clone, Debug)]
pub struct Creates {
    pub for_each: ForEach,
    /// A system action with `creates`.
    pub action: Name,
    /// The form of the item's id: `{each}` is the unit or person, `{year}` the year of the slot.
    pub id: String,
    /// What the action asks for; `each` is the unit or person.
    pub with: Vec<(Name, Expr)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForEach {
    Units,
    Persons,
}

/// `freeze: [{ report, row, set }]`: what one row of a report says on the action's day becomes fields of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freeze {
    /// The workflow that declares the report.
    pub workflow: Name,
    pub report: Name,
    /// The row is the one of this value.
    pub row: FieldRef,
    /// Field → column.
    pub set: Vec<(Name, Name)>,
    pub path: Name,
}
