//! Rhai: expressions and functions are type-checked over their syntax tree, compiled once, and called within limits.
//!
//! Only this module knows Rhai. A script sees a read-only [`View`] and returns a value.

use crate::kernel::calendar::Calendar;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Expr, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::fact::Actor;
use crate::kernel::model::item::Item;
use crate::kernel::model::problem::{Places, Problem};
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::time::Date;
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::sync::Arc;

mod api;
mod builtins;
mod carried;
mod engine;
mod names;
mod program;
mod straight;
pub mod terms;
mod typing;
mod view;

pub use api::NEVER;
pub use carried::{Carried, Kept};
pub use names::{reads_entered, spellings_of};
use program::Compiled;

/// A rule set in use: immutable, named by the hash of its files.
#[derive(Debug)]
pub struct RuleSet {
    pub hash: Name,
    pub workflows: IndexMap<Name, Arc<Rules>>,
    pub directory: Arc<Directory>,
    /// The wording of notices: stem of the file → text. That of forms is called `forms/NAME.html`.
    pub templates: IndexMap<Name, String>,
    /// Every file it was read from (path inside the folder → text), for storing and for excerpts in reports.
    pub files: IndexMap<String, String>,
}

impl RuleSet {
    /// It is as its files say, whatever was published before.
    pub fn is_plain(&self) -> bool {
        self.workflows.values().all(|rules| rules.carried.is_empty())
    }

    /// Every sweep of every workflow, as `workflow/sweep`.
    pub fn sweeps(&self) -> Vec<String> {
        let of = |(workflow, rules): (&Name, &Arc<Rules>)| {
            rules.setting.workflow.sweeps.keys().map(|sweep| format!("{workflow}/{sweep}")).collect::<Vec<_>>()
        };
        self.workflows.iter().flat_map(of).collect()
    }
}

/// One workflow, ready to run.
#[derive(Debug)]
pub struct Rules {
    /// Hash of the rule set it belongs to.
    pub hash: Name,
    pub setting: Arc<Setting>,
    pub scripts: Scripts,
    pub places: Places,
    /// What earlier publications left behind for items that were open then.
    pub carried: Arc<Carried>,
}

/// What rules are read against.
#[derive(Debug)]
pub struct Setting {
    pub workflow: Workflow,
    pub calendar: Calendar,
    pub directory: Arc<Directory>,
}

/// All that a script can see.
#[derive(Clone, Debug)]
pub struct View {
    pub setting: Arc<Setting>,
    pub item: Arc<Item>,
    /// The branch that `task` shows.
    pub task: Option<u32>,
    pub input: Arc<Fields>,
    /// The entry at hand in `open: … for_each`.
    pub each: Value,
    pub actor: Arc<Actor>,
    /// Inside an action the fact's `effective_on`; params are valued on it.
    pub today: Date,
}

/// Compiled expressions and functions of one workflow. Copies share what was compiled.
#[derive(Clone)]
pub struct Scripts {
    compiled: Arc<Compiled>,
}

/// What came of compiling a workflow's expressions and functions.
#[derive(Debug)]
pub struct Compilation {
    /// There when no problem is an error.
    pub scripts: Option<Scripts>,
    pub problems: Vec<Problem>,
    /// What each expression reads, by its id.
    pub reads: Vec<Reading>,
}

/// What an expression reads, itself and through the functions that it calls.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Fields of the item and of the branches at hand: the kind of branch, and the field.
    pub fields: BTreeSet<(Option<Name>, Name)>,
    /// Fields of whole kinds of branches, by aggregates and views.
    pub gathered: BTreeSet<(Option<Name>, Name)>,
    /// What changes without a fact.
    pub passing: BTreeSet<Passing>,
    /// The states that its terms name: all of these have to hold for it to hold.
    pub states: Vec<StateNamed>,
}

/// A term of a condition that names the state in which it can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateNamed {
    /// `task.state` instead of `item.state`.
    pub of_branch: bool,
    pub states: Vec<Name>,
    /// One of these, or none of these.
    pub is: bool,
}

impl StateNamed {
    pub fn allows(&self, state: &str) -> bool {
        self.states.iter().any(|named| **named == *state) == self.is
    }
}

/// What is not recorded with an item and may be another when its dates are derived again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Passing {
    /// The day, or the days left of a deadline.
    Day,
    /// Groups and units of the directory.
    Directory,
}

/// A rule that failed when it ran: the action is refused, the rung or sweep quarantined.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{source_text}` at {path}: {what}")]
pub struct EvalError {
    pub path: Name,
    pub source_text: Name,
    pub what: String,
}

/// A derived field (`is`), of the item or of a kind of branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Derived {
    pub branch: Option<Name>,
    pub field: Name,
}

impl Scripts {
    /// Compiles and type-checks every expression of the workflow and every function file (name → text).
    pub fn compile(workflow: &Workflow, functions: &IndexMap<String, String>, places: &Places, directory: &Directory) -> Compilation {
        let (compiled, problems, reads) = program::compile(workflow, functions, places, directory);
        Compilation { scripts: compiled.map(|compiled| Scripts { compiled: Arc::new(compiled) }), problems, reads }
    }

    /// Holds what expressions of a workflow give against types that stand in another one; `true` is what may not be empty.
    pub fn fit(workflow: &Workflow, places: &Places, directory: &Directory, wanted: &[(&Expr, &Type, bool)]) -> Vec<Problem> {
        program::fit(workflow, places, directory, wanted)
    }

    pub fn eval(&self, expr: &Expr, view: &View) -> Result<Value, EvalError> {
        self.compiled.run(expr, view)
    }

    /// What an expression gives without Rhai, where it is understood there, and what Rhai says: for holding the two together.
    pub fn both(&self, expr: &Expr, view: &View) -> (Option<Value>, Result<Value, EvalError>) {
        (self.compiled.run_straight(expr, view), self.compiled.run_rhai(expr, view))
    }

    /// For conditions: anything but yes or no is an error.
    pub fn holds(&self, expr: &Expr, view: &View) -> Result<bool, EvalError> {
        match self.compiled.run(expr, view)? {
            Value::Bool(yes) => Ok(yes),
            other => Err(EvalError {
                path: expr.path.clone(),
                source_text: expr.source.clone(),
                what: format!("gives {other:?}, not yes or no"),
            }),
        }
    }

    /// Whether an expression reads `input`, so that it can only be asked at sending. Names inside texts count too, which only postpones the question.
    pub fn reads_input(&self, expr: &Expr) -> bool {
        let mut words = expr.source.split(|c: char| !c.is_alphanumeric() && c != '_');
        words.any(|word| names::canonical(names::VIEWS, word) == "input")
    }

    /// The view that a word means, by its English name: `item` for `件`.
    pub fn view_called(&self, word: &str) -> Option<&'static str> {
        let view = names::canonical(names::VIEWS, word);
        names::VIEWS.iter().map(|(name, _)| *name).find(|name| *name == view)
    }

    /// Calls a declared function with values by parameter name, for tests of functions; records stand for views.
    pub fn call(&self, name: &str, arguments: &Fields, view: &View) -> Result<Value, EvalError> {
        self.compiled.call_function(name, arguments, view)
    }

    /// The derived fields in an order in which each comes after those that it reads. The fields of a branch stand once, for all branches of the kind.
    pub fn derived_order(&self) -> &[Derived] {
        &self.compiled.derived
    }
}

impl std::fmt::Debug for Scripts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scripts").finish_non_exhaustive()
    }
}
