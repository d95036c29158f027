//! Straight answers: most expressions are read from the item without Rhai, at a fraction of its price.
//!
//! What is not understood here, and whatever goes wrong here, is asked of Rhai instead, which alone words what is wrong. So an answer
//! from here has only to be Rhai's; in builds with debug assertions every one is held against it, and a property test does so for
//! generated expressions.

mod answer;
mod reader;

pub(super) use answer::answer;
pub(super) use reader::Reader;

use crate::kernel::model::Name;
use crate::kernel::model::value::Value;
use std::sync::Arc;

/// An expression, or a part of one.
#[derive(Debug)]
pub(super) enum Node {
    Constant(Value),
    View(Start),
    /// A parameter of the function, or a name given by `let`.
    Local(usize),
    Get(Box<Node>, Property),
    /// `any_late("…")`, `worst("…")` …: the question, and its name.
    About(Box<Node>, Name, Name),
    /// `all_in_state([…])` …: the question, and its states.
    InState(Box<Node>, Name, Vec<Name>),
    Not(Box<Node>),
    All(Vec<Node>),
    Any(Vec<Node>),
    FirstSet(Vec<Node>),
    Same(Box<Node>, Box<Node>),
    Order(Order, Box<Node>, Box<Node>),
    Sum(Sum, Box<Node>, Box<Node>),
    /// The entry, and the list or text that may hold it.
    In(Box<Node>, Box<Node>),
    Built(Built, Vec<Node>),
    If(Box<[Node; 3]>),
    /// The subject, texts with what they give, and what everything else gives.
    Switch(Box<Node>, Vec<(Vec<Name>, Node)>, Box<Node>),
    /// Values named by `let`, and what is made of them.
    Let(Vec<Node>, Box<Node>),
    Call(Vec<Node>, Arc<Node>),
}

/// The views that an expression may start from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Start {
    Item,
    Task,
    Input,
    Each,
    Due,
    Branches,
    Param,
    Today,
}

/// A property as it is spelt, with all that its name may mean.
#[derive(Debug)]
pub(super) struct Property {
    name: Name,
    /// The English word of the language, or the name itself.
    word: Name,
    /// A declared field of the item, and whether it points to a branch.
    of_item: Option<bool>,
    /// A declared field of some kind of branch.
    of_task: bool,
    /// An input of some action, and whether it points to a branch.
    of_input: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Sum {
    Plus,
    Minus,
    Times,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Built {
    IsSet,
    DaysBetween,
    WorkingDaysBetween,
    YearOf,
    MonthOf,
}
