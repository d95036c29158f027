//! A field that is a tally: what groups of people said in the branches of a kind, as points, weighed group by group. In whole numbers and
//! fractions throughout, so that nothing depends on how a machine rounds.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{Param, Section, Tally, Weight};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Value;
use crate::kernel::time::Date;

/// The weighted mean of the groups' mean points, in hundredths of a point, rounded half up. Empty as long as a group that weighs something
/// has said nothing that counts.
pub fn points(item: &Item, tally: &Tally, params: &Section<Param>, on: Date) -> Value {
    let (mut sum, mut weights) = ((0_i128, 1_i128), 0_i128);
    for (group, weight) in &tally.weights {
        let weight = weight_on(weight, params, on);
        if weight == 0 {
            continue;
        }
        let said = item.branches.iter().filter(|branch| branch.kind == tally.of && tally.counts_in.contains(&branch.state));
        let said = said.filter(|branch| branch.fields.get(&tally.group).and_then(Value::as_text) == Some(group));
        let answers: Vec<i128> = said
            .filter_map(|branch| branch.fields.get(&tally.answer).and_then(Value::as_text))
            .filter_map(|answer| tally.points.iter().find(|(name, _)| name == answer).map(|(_, points)| i128::from(*points)))
            .collect();
        if answers.is_empty() {
            return Value::Empty;
        }
        // sum + weight × total ÷ count
        let (total, count) = (answers.iter().sum::<i128>(), answers.len() as i128);
        sum = reduced(sum.0 * count + weight * total * sum.1, sum.1 * count);
        weights += weight;
    }
    if weights == 0 {
        return Value::Empty;
    }
    let (numerator, denominator) = (sum.0 * 100, sum.1 * weights);
    i64::try_from((2 * numerator + denominator).div_euclid(2 * denominator)).map_or(Value::Empty, Value::Number)
}

fn weight_on(weight: &Weight, params: &Section<Param>, on: Date) -> i128 {
    match weight {
        Weight::Number(number) => i128::from(*number),
        Weight::Param(name) => match params.get(name).and_then(|param| param.on(on)).map(|row| &row.value) {
            Some(Value::Number(number)) => i128::from((*number).max(0)),
            _ => 0,
        },
    }
}

fn reduced(numerator: i128, denominator: i128) -> (i128, i128) {
    let (mut a, mut b) = (numerator.abs(), denominator.abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { (numerator, denominator) } else { (numerator / a, denominator / a) }
}

/// The fields of a workflow that are tallies.
pub fn fields(workflow: &crate::kernel::model::definition::Workflow) -> impl Iterator<Item = (&Name, &Tally)> {
    workflow.fields.iter().filter_map(|(name, field)| Some((name, field.tally.as_ref()?)))
}
