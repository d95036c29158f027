//! The order of derived fields (`is`): each after what it reads, through views of branches and functions too.

use super::report::At;
use super::{Found, Read};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Workflow};
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::Derived;
use std::collections::{BTreeSet, HashMap};

struct Order<'a> {
    workflow: &'a Workflow,
    /// By the ids of the expressions.
    founds: &'a [Found],
    functions: &'a HashMap<Name, Found>,
    done: Vec<Read>,
    under_way: Vec<Read>,
    circles: Vec<Vec<Read>>,
}

pub(super) fn order(
    workflow: &Workflow,
    founds: &[Found],
    functions: &HashMap<Name, Found>,
    at: &At,
    problems: &mut Vec<Problem>,
) -> Vec<Derived> {
    let mut order = Order { workflow, founds, functions, done: Vec::new(), under_way: Vec::new(), circles: Vec::new() };
    let of_item = workflow.fields.keys().map(|field| Read { branch: None, field: field.clone() });
    let of_branches = workflow
        .branches
        .iter()
        .flat_map(|(kind, branch)| branch.fields.keys().map(|field| Read { branch: Some(kind.clone()), field: field.clone() }));
    for read in of_branches.chain(of_item).collect::<Vec<_>>() {
        order.visit(&read);
    }
    for circle in &order.circles {
        let Some(first) = circle.first() else { continue };
        let path = match &first.branch {
            None => format!("fields.{}.is", first.field),
            Some(kind) => format!("branches.{kind}.fields.{}.is", first.field),
        };
        let names = circle.iter().chain([first]).map(|read| format!("`{}`", read.field)).collect::<Vec<_>>().join(" → ");
        problems.push(Problem::new("E240", at.place(&path)).with("circle", names));
    }
    order.done.into_iter().map(|read| Derived { branch: read.branch, field: read.field }).collect()
}

impl Order<'_> {
    fn visit(&mut self, read: &Read) {
        let Some(id) = self.field(read).and_then(|field| field.is.as_ref()).map(|expr| expr.id as usize) else { return };
        if self.done.contains(read) {
            return;
        }
        if let Some(start) = self.under_way.iter().position(|other| other == read) {
            self.circles.push(self.under_way[start..].to_vec());
            return;
        }
        self.under_way.push(read.clone());
        let mut reads = BTreeSet::new();
        if let Some(found) = self.founds.get(id) {
            self.collect(found, &mut reads, &mut BTreeSet::new());
        }
        for next in &reads {
            self.visit(next);
        }
        self.under_way.pop();
        self.done.push(read.clone());
    }

    fn field(&self, read: &Read) -> Option<&Field> {
        self.workflow.fields_of(read.branch.as_deref())?.get(&read.field)
    }

    /// Everything that an expression reads, itself or through functions and views.
    fn collect(&self, found: &Found, reads: &mut BTreeSet<Read>, seen: &mut BTreeSet<(Option<Name>, Name)>) {
        reads.extend(found.reads.iter().cloned());
        for call in &found.calls {
            if seen.insert((None, call.clone()))
                && let Some(found) = self.functions.get(call)
            {
                self.collect(found, reads, seen);
            }
        }
        for (kind, view) in &found.views {
            let condition = self.workflow.branches.get(kind).and_then(|branch| branch.views.get(view));
            if seen.insert((Some(kind.clone()), view.clone()))
                && let Some(found) = condition.and_then(|condition| self.founds.get(condition.id as usize))
            {
                self.collect(found, reads, seen);
            }
        }
    }
}
