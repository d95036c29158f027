//! The type checker: every expression and function is typed over Rhai's syntax tree before anything runs, so that a
//! misspelt name or a comparison that can never hold is told with its place. Parsing and running are left to `program`.

mod calls;
mod contradiction;
mod derived;
pub(super) mod functions;
mod report;
mod surface;
pub(super) mod tokens;
mod types;
mod walk;

use super::{Derived, Passing, Reading, StateNamed};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Expr, Wants, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Place, Places, Problem};
use crate::kernel::model::value::Type;
use indexmap::IndexMap;
use report::{At, Text};
use rhai::{AST, Engine, ParseError, Stmt};
use std::collections::BTreeSet;
use surface::World;
use types::{Fit, Ty, fits};
use walk::Walker;

/// A field that was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Read {
    branch: Option<Name>,
    field: Name,
}

/// What an expression or a function needs to be known before it.
#[derive(Clone, Debug, Default)]
struct Found {
    reads: BTreeSet<Read>,
    /// What aggregates read of every branch of a kind.
    gathered: BTreeSet<Read>,
    /// Views of branches (kind, view), whose conditions read more.
    views: BTreeSet<(Name, Name)>,
    calls: BTreeSet<Name>,
    passing: BTreeSet<Passing>,
    /// Of an expression itself, not of what it calls.
    states: Vec<StateNamed>,
}

/// The outcome of the check.
pub(super) struct Checked {
    pub problems: Vec<Problem>,
    pub derived: Vec<Derived>,
    /// By the ids of the expressions.
    pub reads: Vec<Reading>,
    /// By the ids of the expressions; `None` for what cannot be read.
    pub expressions: Vec<Option<AST>>,
    /// Every function of the function files.
    pub library: AST,
    /// Nothing stands in the way of running.
    pub sound: bool,
}

/// Checks all expressions and functions. The engine must not be strict about variables, since unknown ones are told here, all of them.
pub(super) fn check(
    engine: &Engine,
    workflow: &Workflow,
    functions: &IndexMap<String, String>,
    places: &Places,
    directory: &Directory,
) -> Checked {
    let world = World::new(engine, workflow, directory);
    let at = At { workflow: &workflow.name, places };
    let mut problems = Vec::new();
    let library = functions::check(engine, &world, functions, &at, &mut problems);
    let mut founds = Vec::with_capacity(workflow.expressions.len());
    let mut expressions = Vec::with_capacity(workflow.expressions.len());
    for expr in &workflow.expressions {
        let (found, ast) = expression(&world, expr, &at, &mut problems);
        founds.push(found);
        expressions.push(ast);
    }
    let reads = derived::readings(workflow, &founds, &library.founds);
    let derived = derived::order(workflow, &reads, &at, &mut problems);
    let sound = !library.unreadable && !problems.iter().any(Problem::is_error);
    Checked { problems, derived, reads, expressions, library: library.ast, sound }
}

/// A one-line expression that is too long to be read at a glance.
const LONG: usize = 200;

fn expression(world: &World, expr: &Expr, at: &At, problems: &mut Vec<Problem>) -> (Found, Option<AST>) {
    let text = Text::inline(&expr.source, at.place(&expr.path));
    let ast = match world.engine.compile_expression(&*expr.source) {
        Ok(ast) => ast,
        Err(error) => {
            problems.extend(report::parse_problem(&text, &error, false));
            return (Found::default(), None);
        }
    };
    let length = expr.source.chars().count();
    if length > LONG || expr.source.trim_end().contains('\n') {
        problems.push(Problem::new("W225", Place { length: 1, ..text.whole() }).with("length", length));
    }
    let mut walker = Walker::inline(world, &text, &expr.scope);
    walker.any_task = expr.path.starts_with("roles.");
    let ty = walker.statements(ast.statements());
    walker.wanted(&ty, &expr.wants, expr.path.contains(".extended_by"));
    let (mut found, more) = walker.finish();
    match ast.statements() {
        [Stmt::Expr(condition)] => contradiction::states(condition, &mut found.states),
        [Stmt::FnCall(call, at)] => contradiction::states(&rhai::Expr::FnCall(call.clone(), *at), &mut found.states),
        _ => {}
    }
    problems.extend(more);
    (found, Some(ast))
}

/// Holds what expressions give against types that are known only elsewhere; `true` is what may not be empty.
pub(super) fn fit(
    engine: &Engine,
    workflow: &Workflow,
    places: &Places,
    directory: &Directory,
    wanted: &[(&Expr, &Type, bool)],
) -> Vec<Problem> {
    let world = &World::new(engine, workflow, directory);
    let at = At { workflow: &workflow.name, places };
    let mut problems = Vec::new();
    for (expr, kind, never_empty) in wanted {
        let text = Text::inline(&expr.source, at.place(&expr.path));
        let Ok(ast) = world.engine.compile_expression(&*expr.source) else { continue };
        let mut walker = Walker::inline(world, &text, &expr.scope);
        let ty = walker.statements(ast.statements());
        // What is wrong in itself has been told.
        walker.problems.clear();
        walker.wanted(&ty, &Wants::Value((*kind).clone()), *never_empty);
        problems.extend(walker.finish().1);
    }
    problems
}

/// The type of a derived field's expression; its mistakes are told when the expression itself is checked.
fn infer(world: &World, expr: &Expr) -> Ty {
    let text = Text::inline(&expr.source, Place { file: "".into(), line: 1, column: 1, length: 1 });
    let parsed: Result<AST, ParseError> = world.engine.compile_expression(&*expr.source);
    let Ok(ast) = parsed else { return Ty::Unknown };
    Walker::inline(world, &text, &expr.scope).statements(ast.statements())
}

impl Walker<'_> {
    /// Whether the whole expression gives what its place needs.
    fn wanted(&mut self, ty: &Ty, wants: &Wants, never_empty: bool) {
        let (fit, wanted) = match wants {
            Wants::Condition => (fits(ty, &Ty::YesNo), Ty::YesNo),
            Wants::Any => (Fit::Yes, Ty::Unknown),
            Wants::Value(kind) => {
                let wanted = self.world.parameter(kind);
                self.words_of(ty, &wanted);
                (fits(ty, &wanted), wanted)
            }
            Wants::ForEach => {
                let fit = match ty.inner() {
                    Ty::Unknown | Ty::List(_) | Ty::Unit | Ty::Person | Ty::Record(_) | Ty::Words(_) => Fit::Yes,
                    _ => Fit::No,
                };
                (fit, Ty::List(Box::new(Ty::Unknown)))
            }
            Wants::Key if !countable(ty) => {
                return self.problems.push(Problem::new("E705", self.text.whole()).variant("value").with("found", ty.name()));
            }
            Wants::Key => (Fit::Yes, Ty::Text),
            Wants::Shown => (if showable(ty) { Fit::Yes } else { Fit::No }, Ty::Text),
        };
        let place = self.text.whole();
        let must_be_there = never_empty || *wants == Wants::Condition;
        match fit {
            Fit::No => {
                self.problems.push(Problem::new("E213", place).variant("wanted").with("found", ty.name()).with("wanted", wanted.name()))
            }
            Fit::MayBeEmpty if must_be_there => self.problems.push(report::may_be_empty(place, ty)),
            _ => {}
        }
    }
}

/// Of few values, so that rows can be told apart by it; each entry of a list by itself.
fn countable(ty: &Ty) -> bool {
    let of_entry = match ty.inner() {
        Ty::List(entry) => entry.inner(),
        other => other,
    };
    matches!(of_entry, Ty::Unknown | Ty::YesNo | Ty::Number | Ty::Text | Ty::Words(_) | Ty::Choice(_) | Ty::Person | Ty::Unit)
}

/// A value, or a list of values, and no view.
fn showable(ty: &Ty) -> bool {
    let of_entry = match ty.inner() {
        Ty::List(entry) => entry.inner(),
        other => other,
    };
    countable(of_entry) || matches!(of_entry, Ty::Date | Ty::Length | Ty::File | Ty::Link)
}
