//! Reports as an author declared them: what is counted, what rows are told apart by, and what each column says; and documents, which put
//! several of them together.

use super::Name;
use super::definition::{Expr, FieldRef, Section};
use indexmap::IndexMap;

/// What an office hands in about the items, or the branches of a kind, for which `when` holds, as of any day.
#[derive(Clone, Debug)]
pub struct Report {
    pub title: String,
    /// Branches of this kind are looked at instead of items; `task` is the one at hand. Cancelled ones do not count.
    pub over: Option<Name>,
    pub when: Option<Expr>,
    /// By which field it can be asked for one unit, person or option alone.
    pub of: Option<Shown>,
    pub shape: Shape,
}

/// Reports one below the other, under headings and with words that cite their figures.
#[derive(Clone, Debug)]
pub struct Document {
    pub title: String,
    /// It is always of one unit, person or option: whoever asks for it says of which.
    pub of_one: bool,
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug)]
pub struct Part {
    pub heading: Option<String>,
    /// A template that reads figures of all parts.
    pub text: Option<String>,
    /// The workflow, where it is another one, and the report.
    pub report: Option<(Option<Name>, Name)>,
    /// Where it stands.
    pub path: Name,
}

#[derive(Clone, Debug)]
pub enum Shape {
    /// Items counted by one of their fields, and the option whose share is shown.
    Counts { by: RowKey, share: Option<Name> },
    /// A row for each combination of keys, with figures in columns. Without columns of its own it counts.
    Figures { by: Vec<RowKey>, columns: Section<Figure>, total: bool },
    /// A row for each item or branch: heading → what stands below it.
    List { columns: IndexMap<Name, Shown>, order: Vec<Shown> },
}

/// What rows are told apart by. An entry of a list makes a row of its own: what has several counts in several.
#[derive(Clone, Debug)]
pub struct RowKey {
    /// As the author wrote it.
    pub source: Name,
    /// Where it stands.
    pub path: Name,
    /// What stands above it, where the author says so.
    pub title: Option<Name>,
    /// `None` where it is a bare field of the item.
    pub expr: Option<Expr>,
    /// The field behind it, or `state`, when it is nothing else.
    pub field: Option<FieldRef>,
}

/// A value that is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    pub expr: Expr,
    /// The field behind it, or `state`, when it is nothing else.
    pub field: Option<FieldRef>,
}

/// A column of figures.
#[derive(Clone, Debug)]
pub struct Figure {
    pub title: String,
    pub measure: Measure,
}

#[derive(Clone, Debug)]
pub enum Measure {
    /// How many: all, or those for which the condition holds.
    Count(Option<Expr>),
    Sum(Expr),
    Earliest(Expr),
    Latest(Expr),
    /// Two columns of this report: the part and the whole.
    Share {
        part: Name,
        whole: Name,
    },
}

impl Report {
    /// Every expression in it, in the order of its keys.
    pub fn expressions(&self) -> Vec<&Expr> {
        let mut all: Vec<&Expr> = self.when.iter().chain(self.of.as_ref().map(|of| &of.expr)).collect();
        match &self.shape {
            Shape::Counts { by, .. } => all.extend(&by.expr),
            Shape::Figures { by, columns, .. } => {
                all.extend(by.iter().filter_map(|key| key.expr.as_ref()));
                all.extend(columns.values().filter_map(|figure| figure.measure.expr()));
            }
            Shape::List { columns, order } => all.extend(columns.values().chain(order).map(|shown| &shown.expr)),
        }
        all
    }

    pub fn keys(&self) -> &[RowKey] {
        match &self.shape {
            Shape::Counts { by, .. } => std::slice::from_ref(by),
            Shape::Figures { by, .. } => by,
            Shape::List { .. } => &[],
        }
    }
}

impl Measure {
    pub fn expr(&self) -> Option<&Expr> {
        match self {
            Measure::Count(expr) => expr.as_ref(),
            Measure::Sum(expr) | Measure::Earliest(expr) | Measure::Latest(expr) => Some(expr),
            Measure::Share { .. } => None,
        }
    }

    pub fn is_share(&self) -> bool {
        matches!(self, Measure::Share { .. })
    }

    /// A number of which there can be a share.
    pub fn is_amount(&self) -> bool {
        matches!(self, Measure::Count(_) | Measure::Sum(_))
    }
}
