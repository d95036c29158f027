//! Conditions of one action beside each other (W218): the same one twice is a slip of copying, and a row of `choose` under a condition
//! that was asked already is never taken.

use super::at::Checked;
use crate::kernel::model::definition::Expr;
use crate::kernel::model::problem::Problem;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for act in at.acts() {
        let required: Vec<&Expr> = act.action.require.iter().map(|require| &require.condition).collect();
        let rows: Vec<&Expr> = act.action.choose.iter().filter_map(|row| row.when.as_ref()).collect();
        for (exprs, variant) in [(required, None), (rows, Some("choose"))] {
            for (index, expr) in exprs.iter().enumerate() {
                if exprs[..index].iter().any(|other| plain(&other.source) == plain(&expr.source)) {
                    let problem = at.problem("W218", &expr.path).with("action", act.name);
                    problems.push(match variant {
                        Some(variant) => problem.variant(variant),
                        None => problem,
                    });
                }
            }
        }
    }
    problems
}

/// The source without the blanks that mean nothing.
fn plain(source: &str) -> String {
    let mut quoted = false;
    let meant = |sign: &char| {
        quoted ^= *sign == '"';
        quoted || !sign.is_whitespace()
    };
    source.chars().filter(meant).collect()
}
