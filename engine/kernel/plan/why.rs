//! Which element of the rules gives a deadline another date: the first step of the two derivations at which they part.

use super::Cause;
use crate::kernel::derive::due::text_of;
use crate::kernel::model::definition::{Deadline, LengthRule};
use crate::kernel::model::item::{Clock, Due, DueStep};
use crate::kernel::rules::Rules;
use crate::kernel::words::due::gives;

/// A deadline as one rule set has it: declared, and running with its date.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub rules: &'a Rules,
    pub clock: &'a Clock,
}

impl<'a> Side<'a> {
    fn declared(self) -> Option<&'a Deadline> {
        self.rules.setting.workflow.deadlines.get(&self.clock.deadline)
    }

    fn steps(self) -> &'a [DueStep] {
        self.clock.due.as_deref().map_or(&[], |due: &Due| &due.steps)
    }

    fn calendar(self) -> String {
        format!("calendars.{}", self.rules.setting.workflow.calendar)
    }
}

/// Why the dates differ.
pub fn of_date(old: Side, new: Side) -> Cause {
    let path = |key: &str| format!("deadlines.{}.{key}", new.clock.deadline);
    let mut pairs = old.steps().iter().zip(new.steps());
    if let Some((was, is)) = pairs.find(|(was, is)| !alike(was, is)) {
        return of_step(old, new, was, is);
    }
    // One has a step more than the other.
    let behind = |steps: &[DueStep], other: &[DueStep]| steps.get(other.len()).cloned();
    match (behind(old.steps(), new.steps()), behind(new.steps(), old.steps())) {
        (Some(step), _) | (_, Some(step)) => one_sided(old, new, &step),
        (None, None) => whole(old, new).unwrap_or_else(|| Cause::of(path("length"))),
    }
}

/// The same kind of step with the same date.
fn alike(one: &DueStep, other: &DueStep) -> bool {
    let day = |step: &DueStep| match step {
        DueStep::Anchor { on, .. } => Some(*on),
        step => gives(step),
    };
    std::mem::discriminant(one) == std::mem::discriminant(other) && day(one) == day(other)
}

fn of_step(old: Side, new: Side, was: &DueStep, is: &DueStep) -> Cause {
    let path = |key: &str| format!("deadlines.{}.{key}", new.clock.deadline);
    match (was, is) {
        (DueStep::Anchor { .. }, DueStep::Anchor { .. }) => {
            let anchored = |side: Side| side.declared().and_then(|declared| declared.anchor.as_ref()).map(|anchor| anchor.text());
            match anchored(old) == anchored(new) {
                true => Cause::of(path("starts_on")),
                false => Cause::change(path("anchor"), anchored(old).unwrap_or_default(), anchored(new).unwrap_or_default()),
            }
        }
        (DueStep::Length { rule: from, length: was, .. }, DueStep::Length { rule: to, length: is, .. }) => {
            let text = |length: &Option<crate::kernel::time::Length>| length.map(|length| length.to_string()).unwrap_or_default();
            if was == is {
                return Cause::of(new.calendar());
            }
            if from == to && new.rules.setting.workflow.params.contains_key(to.as_str()) {
                return Cause::change(format!("params.{to}"), text(was), text(is));
            }
            whole(old, new).unwrap_or_else(|| Cause::change(path("length"), named(from, &text(was)), named(to, &text(is))))
        }
        (DueStep::Extended { rule: from, .. }, DueStep::Extended { rule: to, .. }) => match from == to {
            true if new.rules.setting.workflow.params.contains_key(to.as_str()) => Cause::of(format!("params.{to}")),
            true => Cause::of(new.calendar()),
            false => Cause::change(path("extended_to"), from, to),
        },
        (DueStep::Paused { .. }, DueStep::Paused { .. }) => Cause::of(new.calendar()),
        (DueStep::Cap { rule: from, .. }, DueStep::Cap { rule: to, .. }) => match from == to {
            true => Cause::of(param_or(new, to, path("no_later_than"))),
            false => Cause::change(path("no_later_than"), from, to),
        },
        (DueStep::Fixed { rule: from, .. }, DueStep::Fixed { rule: to, .. }) => {
            whole(old, new).unwrap_or_else(|| Cause::change(path("length"), from, to))
        }
        (was, is) => match whole(old, new) {
            Some(cause) => cause,
            None => one_sided(old, new, if matches!(is, DueStep::Provisional { .. }) { was } else { is }),
        },
    }
}

/// A step that only one of the two takes.
fn one_sided(old: Side, new: Side, step: &DueStep) -> Cause {
    let path = |key: &str| format!("deadlines.{}.{key}", new.clock.deadline);
    match step {
        DueStep::Extended { .. } => Cause::of(path("extended_to")),
        DueStep::Paused { .. } => Cause::of(path("pauses_in")),
        DueStep::Cap { .. } => Cause::of(path("no_later_than")),
        DueStep::Rolled { .. } | DueStep::MakeUpDay { .. } | DueStep::Provisional { .. } => {
            let how = |side: Side| side.declared().and_then(|declared| declared.day_off).unwrap_or(side.rules.setting.workflow.day_off);
            match how(old) == how(new) {
                true => Cause::of(new.calendar()),
                false => Cause::of(path("day_off")),
            }
        }
        _ => whole(old, new).unwrap_or_else(|| Cause::of(path("length"))),
    }
}

/// The length as a whole, where the two were written differently: that says more than the step that differs.
fn whole(old: Side, new: Side) -> Option<Cause> {
    let (was, is) = (&old.declared()?.length, &new.declared()?.length);
    if was != is {
        return Some(Cause::change(format!("deadlines.{}.length", new.clock.deadline), text_of(was), text_of(is)));
    }
    match is {
        LengthRule::Table(name) => Some(Cause::of(format!("tables.{name}"))),
        _ => None,
    }
}

fn param_or(side: Side, rule: &str, otherwise: String) -> String {
    if side.rules.setting.workflow.params.contains_key(rule) { format!("params.{rule}") } else { otherwise }
}

/// A rule with the length that it means, where it does not say so itself.
fn named(rule: &str, length: &str) -> String {
    if rule == length { length.to_string() } else { format!("{rule} ({length})") }
}
