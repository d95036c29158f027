//! What is not recorded with an item (W229): dates and derived fields are made of facts again and again, so what they read beside the facts
//! moves them without anybody having done anything.

use super::at::Checked;
use crate::kernel::model::definition::Expr;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::Passing;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut look = |expr: &Expr, passing: &[Passing]| {
        if let Some(found) = at.reads(expr).passing.iter().find(|found| passing.contains(found)) {
            let variant = match found {
                Passing::Day => "day",
                Passing::Directory => "directory",
            };
            problems.push(at.problem("W229", &expr.path).variant(variant));
        }
    };
    for level in at.levels() {
        for field in at.workflow.fields_of(level.map(|name| &**name)).into_iter().flat_map(|fields| fields.values()) {
            field.is.iter().for_each(|is| look(is, &[Passing::Day, Passing::Directory]));
        }
    }
    // The day of an extension is that of its fact.
    for (_, expr) in at.workflow.deadlines.values().flat_map(|deadline| &deadline.extended_by) {
        look(expr, &[Passing::Directory]);
    }
    problems
}
