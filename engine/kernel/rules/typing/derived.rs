//! What expressions read, through functions and views of branches too; and so the order of derived fields (`is`), each after what it reads.

use super::report::At;
use super::{Found, Read};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Workflow};
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::{Derived, Reading};
use std::collections::{BTreeSet, HashMap};

struct Order<'a> {
    workflow: &'a Workflow,
    /// By the ids of the expressions.
    readings: &'a [Reading],
    done: Vec<Read>,
    under_way: Vec<Read>,
    circles: Vec<Vec<Read>>,
}

pub(super) fn order(workflow: &Workflow, readings: &[Reading], at: &At, problems: &mut Vec<Problem>) -> Vec<Derived> {
    let mut order = Order { workflow, readings, done: Vec::new(), under_way: Vec::new(), circles: Vec::new() };
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
        if let Some(reading) = self.readings.get(id) {
            for (branch, field) in reading.fields.iter().chain(&reading.gathered) {
                self.visit(&Read { branch: branch.clone(), field: field.clone() });
            }
        }
        self.under_way.pop();
        self.done.push(read.clone());
    }

    fn field(&self, read: &Read) -> Option<&Field> {
        self.workflow.fields_of(read.branch.as_deref())?.get(&read.field)
    }
}

/// What each expression reads, by its id.
pub(super) fn readings(workflow: &Workflow, founds: &[Found], functions: &HashMap<Name, Found>) -> Vec<Reading> {
    let spread = Spread { workflow, founds, functions };
    let one = |found: &Found| {
        let mut reading = Reading { states: found.states.clone(), ..Reading::default() };
        spread.collect(found, false, &mut reading, &mut BTreeSet::new());
        reading
    };
    founds.iter().map(one).collect()
}

struct Spread<'a> {
    workflow: &'a Workflow,
    founds: &'a [Found],
    functions: &'a HashMap<Name, Found>,
}

impl Spread<'_> {
    /// `gathered`: inside the condition of a view, which is asked of every branch.
    fn collect(&self, found: &Found, gathered: bool, reading: &mut Reading, seen: &mut BTreeSet<(bool, Option<Name>, Name)>) {
        let pair = |read: &Read| (read.branch.clone(), read.field.clone());
        let of_branches = |read: &&Read| gathered && read.branch.is_some();
        reading.gathered.extend(found.gathered.iter().chain(found.reads.iter().filter(of_branches)).map(pair));
        reading.fields.extend(found.reads.iter().filter(|read| !of_branches(read)).map(pair));
        reading.passing.extend(&found.passing);
        for call in &found.calls {
            if seen.insert((gathered, None, call.clone()))
                && let Some(found) = self.functions.get(call)
            {
                self.collect(found, gathered, reading, seen);
            }
        }
        for (kind, view) in &found.views {
            let condition = self.workflow.branches.get(kind).and_then(|branch| branch.views.get(view));
            if seen.insert((true, Some(kind.clone()), view.clone()))
                && let Some(found) = condition.and_then(|condition| self.founds.get(condition.id as usize))
            {
                self.collect(found, true, reading, seen);
            }
        }
    }
}
