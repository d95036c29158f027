//! Tallies (E322): they count branches that are there, in states in which something has been said, and every answer has its points and
//! every group its weight.

use super::at::Checked;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::{Type, Value};

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for branch in at.levels() {
        for (name, field) in at.workflow.fields_of(branch.map(|name| &**name)).into_iter().flatten() {
            let Some(tally) = &field.tally else { continue };
            let base = branch.map_or(format!("fields.{name}"), |kind| format!("branches.{kind}.fields.{name}"));
            let mut wrong = |variant: &'static str, path: String, of: &str| {
                problems.push(at.problem("E322", &path).variant(variant).with("field", name).with("name", of));
            };
            if branch.is_some() {
                wrong("branch", format!("{base}.tally@"), name);
            }
            if field.kind != Type::Number {
                wrong("number", format!("{base}.type"), name);
            }
            if field.is.is_some() {
                wrong("is", format!("{base}.tally@"), name);
            }
            let Some(kind) = at.workflow.branches.get(&tally.of) else {
                problems.push(at.unknown("E105", &format!("{base}.tally.of"), &tally.of, at.workflow.branches.keys().map(|name| &**name)));
                continue;
            };
            for (index, state) in tally.counts_in.iter().enumerate().filter(|(_, state)| !kind.states.contains_key(*state)) {
                let known = kind.states.keys().map(|name| &**name);
                problems.push(at.unknown("E103", &format!("{base}.tally.counts_in[{index}]"), state, known));
            }
            let given = |rows: Vec<&Name>| rows.into_iter().cloned().collect::<Vec<_>>();
            let points = given(tally.points.iter().map(|(name, _)| name).collect());
            let weights = given(tally.weights.iter().map(|(name, _)| name).collect());
            for (key, asked, rows, place) in [("answer", &tally.answer, points, "points"), ("group", &tally.group, weights, "weights")] {
                match kind.fields.get(asked).map(|field| &field.kind) {
                    Some(Type::Choice(options)) => {
                        for option in options.iter().filter(|option| !rows.contains(option)) {
                            problems.push(missing(at, &format!("{base}.tally.{place}@"), name, place, option));
                        }
                        for row in rows.iter().filter(|row| !options.contains(row)) {
                            let known = options.iter().map(|name| &**name);
                            problems.push(at.unknown("E216", &format!("{base}.tally.{place}.{row}@"), row, known));
                        }
                    }
                    Some(_) => problems.push(no_choice(at, &format!("{base}.tally.{key}"), name, asked)),
                    None => {
                        let known = kind.fields.keys().map(|name| &**name);
                        problems.push(at.unknown("E107", &format!("{base}.tally.{key}"), asked, known));
                    }
                }
            }
            for (group, weight) in &tally.weights {
                let Weight::Param(param) = weight else { continue };
                let path = format!("{base}.tally.weights.{group}");
                match at.workflow.params.get(param) {
                    None => problems.push(at.unknown("E108", &path, param, at.workflow.params.keys().map(|name| &**name))),
                    Some(param) if param.values.iter().any(|row| !matches!(row.value, Value::Number(_))) => {
                        problems.push(at.problem("E322", &path).variant("weight").with("field", name).with("name", group));
                    }
                    Some(_) => {}
                }
            }
        }
    }
    problems
}

fn missing(at: &Checked, path: &str, field: &str, place: &'static str, option: &str) -> Problem {
    at.problem("E322", path).variant("missing").with("field", field).with("key", place).with("name", option)
}

fn no_choice(at: &Checked, path: &str, field: &str, asked: &str) -> Problem {
    at.problem("E322", path).variant("choice").with("field", field).with("name", asked)
}
