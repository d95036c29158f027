//! Tallies: the weighted mean of what groups said, in hundredths of a point, by hand and against fractions.

use crate::support::expressions::{branch, day, fields, item};
use duban::kernel::derive::tally::points;
use duban::kernel::model::Name;
use duban::kernel::model::definition::{Param, ParamValue, Section, Tally, Weight};
use duban::kernel::model::item::Item;
use duban::kernel::model::value::{Type, Value};
use proptest::prelude::*;
use std::sync::Arc;

fn tally(weights: &[(&str, Weight)]) -> Tally {
    Tally {
        of: "ballot".into(),
        counts_in: vec!["cast".into()],
        answer: "mark".into(),
        points: vec![("good".into(), 100), ("fair".into(), 80), ("poor".into(), 60)],
        group: "side".into(),
        weights: weights.iter().map(|(name, weight)| (Name::from(*name), weight.clone())).collect(),
    }
}

/// One branch for each (group, answer, state).
fn ballots(said: &[(&str, &str, &str)]) -> Item {
    let mut item = item("open", day("2026-03-02"), Default::default());
    item.branches = said
        .iter()
        .zip(1..)
        .map(|((side, mark, state), no)| {
            let values = fields([("side", Value::text(side)), ("mark", Value::text(mark))]);
            branch(no, "ballot", state, item.today, values)
        })
        .collect::<Vec<Arc<_>>>();
    item
}

fn number(weight: u32) -> Weight {
    Weight::Number(weight)
}

#[test]
fn each_group_counts_by_its_mean_and_its_weight() {
    let none = Section::<Param>::default();
    let said =
        [("in", "good", "cast"), ("in", "fair", "cast"), ("out", "poor", "cast"), ("out", "good", "sent"), ("third", "good", "cast")];
    let cases: [(&[(&str, Weight)], Value); 6] = [
        // 90 × 40 + 60 × 60, of 100
        (&[("in", number(40)), ("out", number(60))], Value::Number(7_200)),
        (&[("in", number(1)), ("out", number(1)), ("third", number(1))], Value::Number(8_333)),
        // what weighs nothing is not asked
        (&[("in", number(1)), ("nobody", number(0))], Value::Number(9_000)),
        // a group that has not said anything
        (&[("in", number(1)), ("nobody", number(1))], Value::Empty),
        (&[("in", number(0))], Value::Empty),
        (&[], Value::Empty),
    ];
    for (weights, wanted) in cases {
        assert_eq!(points(&ballots(&said), &tally(weights), &none, day("2026-03-02")), wanted, "{weights:?}");
    }
    // 2 of 3 good, 1 fair: 93.333… and two thirds of a hundredth are rounded up
    let thirds = [("in", "good", "cast"), ("in", "good", "cast"), ("in", "fair", "cast")];
    assert_eq!(points(&ballots(&thirds), &tally(&[("in", number(7))]), &none, day("2026-03-02")), Value::Number(9_333));
    let up = [("in", "good", "cast"), ("in", "fair", "cast"), ("in", "fair", "cast")];
    assert_eq!(points(&ballots(&up), &tally(&[("in", number(7))]), &none, day("2026-03-02")), Value::Number(8_667));
}

#[test]
fn a_weight_may_be_a_param_of_the_day() {
    let row = |from: &str, value| ParamValue { from: day(from), value: Value::Number(value), source: None };
    let values = vec![row("2025-01-01", 1), row("2026-01-01", 3)];
    let mut params = Section::<Param>::default();
    params.insert("outside".into(), Param { kind: Type::Number, values });
    let weights = [("in", number(1)), ("out", Weight::Param("outside".into()))];
    let said = [("in", "good", "cast"), ("out", "poor", "cast")];
    assert_eq!(points(&ballots(&said), &tally(&weights), &params, day("2025-06-01")), Value::Number(8_000));
    assert_eq!(points(&ballots(&said), &tally(&weights), &params, day("2026-06-01")), Value::Number(7_000));
}

proptest! {
    /// Neither order nor equal copies of all ballots matter, and the result lies between the least and the most.
    #[test]
    fn order_and_copies_change_nothing(
        said in prop::collection::vec((0..2_usize, 0..3_usize), 1..12), weights in (1_u32..100, 1_u32..100), copies in 1..4_usize
    ) {
        let words = |(side, mark): &(usize, usize)| (["in", "out"][*side], ["good", "fair", "poor"][*mark], "cast");
        let once: Vec<_> = said.iter().map(words).collect();
        let again: Vec<_> = std::iter::repeat_n(once.iter().rev().copied(), copies).flatten().collect();
        let tally = tally(&[("in", number(weights.0)), ("out", number(weights.1))]);
        let none = Section::<Param>::default();
        let value = points(&ballots(&once), &tally, &none, day("2026-03-02"));
        prop_assert_eq!(&value, &points(&ballots(&again), &tally, &none, day("2026-03-02")));
        match value {
            Value::Number(number) => prop_assert!((6_000..=10_000).contains(&number)),
            value => prop_assert!(value.is_empty() && said.iter().all(|(side, _)| *side == said[0].0), "only a silent group gives nothing"),
        }
    }
}
