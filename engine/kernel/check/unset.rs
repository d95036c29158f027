//! What `required` promises of a field is so from its beginning (W241), and definite assignment (E227): what is declared `required` may be
//! read without asking whether it is there, so every way to where it is read has to record it. What rules refuse on the way is not looked at.

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::BTreeSet;

pub fn check(at: &Checked) -> Vec<Problem> {
    let late: BTreeSet<(Option<Name>, Name)> = at.levels().into_iter().flat_map(|level| recorded_late(at, level)).collect();
    let mut look = Look { at, late, problems: Vec::new() };
    look.acts();
    look.deadlines();
    look.anywhere();
    look.problems.extend(at.levels().into_iter().flat_map(|level| promises(at, level)));
    look.problems
}

/// W241
fn promises(at: &Checked, level: Option<&Name>) -> Vec<Problem> {
    let Some((graph, _)) = at.known().graph(level) else { return Vec::new() };
    let (first, base) = (graph.fields_at_start(at), level.map_or(String::new(), |kind| format!("branches.{kind}.")));
    let begins = match level {
        None => graph.acts.iter().any(|act| act.action.creates),
        Some(kind) => {
            at.acts().iter().any(|act| act.effects().iter().any(|(effects, _)| effects.open.iter().any(|open| open.branch == *kind)))
        }
    };
    let fields = at.workflow.fields_of(level.map(|name| &**name)).into_iter().flatten().filter(|_| begins);
    let broken = fields.filter_map(|(name, field)| {
        let variant = match (field.required, field.default.is_some() || field.is_derived(), first.contains(name)) {
            (true, true, _) => "default",
            (true, false, false) => "late",
            _ => return None,
        };
        Some(at.problem("W241", &format!("{base}fields.{name}@")).variant(variant).with("field", name))
    });
    broken.collect()
}

/// The required fields that an item, or a branch of this kind, does not have from its beginning.
fn recorded_late(at: &Checked, level: Option<&Name>) -> Vec<(Option<Name>, Name)> {
    let Some((graph, _)) = at.known().graph(level) else { return Vec::new() };
    let first = graph.fields_at_start(at);
    let fields = at.workflow.fields_of(level.map(|name| &**name)).into_iter().flatten();
    let late = fields.filter(|(name, field)| needed(field) && !first.contains(*name));
    late.map(|(name, _)| (level.cloned(), name.clone())).collect()
}

fn needed(field: &Field) -> bool {
    field.required && field.default.is_none() && !field.is_derived()
}

struct Look<'c, 'a> {
    at: &'c Checked<'a>,
    late: BTreeSet<(Option<Name>, Name)>,
    problems: Vec<Problem>,
}

impl<'a> Look<'_, 'a> {
    fn acts(&mut self) {
        for act in self.at.acts() {
            for expr in expressions_of(act) {
                if act.action.creates {
                    self.before_there_is_an_item(expr);
                } else {
                    self.in_states(act, expr);
                }
            }
        }
    }

    /// `item` in the action that creates it: only defaults are there.
    fn before_there_is_an_item(&mut self, expr: &Expr) {
        let unset =
            self.at.reads(expr).fields.iter().find(|(kind, name)| kind.is_none() && self.at.workflow.fields.get(name).is_some_and(needed));
        if let Some((_, field)) = unset {
            self.problems.push(self.at.problem("E227", &expr.path).variant("creates").with("field", field));
        }
    }

    fn in_states(&mut self, act: &Act<'a>, expr: &Expr) {
        self.look(expr, |look, field| match (field.of, act.branch) {
            (Holder::Item, Some(_)) => look.at.known().may_be_empty_after(look.at, act.branch, None, field),
            _ if act.action.from.is_empty() => look.in_some_state(act.branch, field),
            _ => act.action.from.iter().any(|state| look.at.known().may_be_empty_in(look.at, act.branch, state, field)),
        });
    }

    fn deadlines(&mut self) {
        for deadline in self.at.workflow.deadlines.values() {
            let ladder = deadline.ladder.iter().filter_map(|rung| rung.when.as_ref());
            for expr in deadline.when.iter().chain(ladder).chain(deadline.extended_by.iter().map(|(_, expr)| expr)) {
                self.look(expr, |look, field| look.at.known().may_be_empty_at_start(look.at, deadline, field));
            }
        }
    }

    /// What may be asked at any moment of an item's life.
    fn anywhere(&mut self) {
        let workflow = self.at.workflow;
        let mut exprs: Vec<(Option<&Name>, &Expr)> = workflow.always.iter().map(|rule| (None, &rule.condition)).collect();
        for level in self.at.levels() {
            let fields = workflow.fields_of(level.map(|name| &**name)).into_iter().flatten();
            exprs.extend(fields.filter_map(|(_, field)| Some((level, field.is.as_ref()?))));
        }
        exprs.extend(workflow.branches.iter().flat_map(|(kind, branch)| branch.views.values().map(move |view| (Some(kind), view))));
        exprs.extend(workflow.sweeps.values().filter_map(|sweep| Some((sweep.over.as_ref(), sweep.when.as_ref()?))));
        exprs
            .extend(workflow.reports.values().flat_map(|report| report.expressions().into_iter().map(|expr| (report.over.as_ref(), expr))));
        for (level, expr) in exprs {
            self.look(expr, |look, field| look.in_some_state(level, field));
        }
    }

    fn in_some_state(&self, level: Option<&Name>, field: &FieldRef) -> bool {
        let states = self.at.workflow.states_of(level.map(|name| &**name)).into_iter().flatten();
        states.into_iter().any(|(state, _)| self.at.known().may_be_empty_in(self.at, level, state, field))
    }

    /// Tells the first field that an expression reads and that may be empty there.
    fn look(&mut self, expr: &Expr, may_be_empty: impl Fn(&Self, &FieldRef) -> bool) {
        let late = self.at.reads(expr).fields.iter().filter(|read| self.late.contains(*read));
        let mut refs =
            late.map(|(kind, name)| FieldRef { of: if kind.is_some() { Holder::Task } else { Holder::Item }, field: name.clone() });
        if let Some(field) = refs.find(|field| may_be_empty(self, field)) {
            self.problems.push(self.at.problem("E227", &expr.path).with("field", &field.field));
        }
    }
}

/// Every expression that is asked when an action is about to be done.
fn expressions_of<'a>(act: &Act<'a>) -> Vec<&'a Expr> {
    let action = act.action;
    let mut exprs: Vec<&Expr> = action.require.iter().map(|require| &require.condition).collect();
    exprs.extend(action.by.iter().filter_map(|by| by.when.as_ref()));
    exprs.extend(action.choose.iter().filter_map(|row| row.when.as_ref()));
    for (effects, _) in act.effects() {
        let opened = effects.open.iter().flat_map(|open| &open.set);
        for set in effects.set.iter().chain(opened) {
            exprs.extend(&set.when);
            if let SetValue::Expr(expr) = &set.value {
                exprs.push(expr);
            }
        }
        exprs.extend(effects.open.iter().flat_map(|open| open.when.iter().chain(&open.for_each)));
        exprs.extend(effects.errands.iter().flat_map(|errand| errand.when.iter().chain(errand.with.iter().map(|(_, expr)| expr))));
    }
    exprs
}
