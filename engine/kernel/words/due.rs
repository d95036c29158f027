//! Sentences about dates: a length, a day with its weekday, and each step of why a date is what it is.

use super::{Lang, say};
use crate::kernel::model::item::DueStep;
use crate::kernel::time::{Date, Length, Unit};
use chrono::Datelike;

/// `10 working days`, `10个工作日`
pub fn length(lang: Lang, length: Length) -> String {
    let unit = match length.unit {
        Unit::Day => "day",
        Unit::WorkingDay => "working_day",
        Unit::Month => "month",
        Unit::Year => "year",
    };
    let key = if length.count == 1 { format!("due.length.{unit}.one") } else { format!("due.length.{unit}") };
    say(lang, &key, &[("count", &length.count.to_string())])
}

pub fn weekday(lang: Lang, day: Date) -> String {
    say(lang, &format!("render.weekday.{}", day.weekday().number_from_monday()), &[])
}

/// `2026-02-28 星期六`
pub fn day(lang: Lang, day: Date) -> String {
    format!("{day} {}", weekday(lang, day))
}

/// The day that a step leads to, where it has one.
pub fn gives(step: &DueStep) -> Option<Date> {
    match step {
        DueStep::Anchor { on, .. } => Some(*on),
        DueStep::Length { gives, .. }
        | DueStep::Clamped { gives }
        | DueStep::Fixed { gives, .. }
        | DueStep::Extended { gives, .. }
        | DueStep::Paused { gives, .. }
        | DueStep::Cap { gives, .. }
        | DueStep::Rolled { gives, .. }
        | DueStep::MakeUpDay { gives }
        | DueStep::Earliest { gives, .. } => Some(*gives),
        DueStep::Provisional { .. } => None,
    }
}

/// What a step did, without the day that it leads to. `title` turns the name of an action or a param into what people read.
pub fn step(lang: Lang, step: &DueStep, title: impl Fn(&str) -> String) -> String {
    let say = |key: &str, values: &[(&str, &str)]| say(lang, &format!("due.step.{key}"), values);
    match step {
        DueStep::Anchor { seq, name, .. } => say("anchor", &[("action", &title(name)), ("seq", &seq.to_string())]),
        DueStep::Length { rule, length: Some(plain), source, .. } => {
            let counted = say("length", &[("length", &length(lang, *plain))]);
            // A rule that is only the phrase itself needs no second naming.
            let named = (*rule != plain.to_string()).then(|| title(rule));
            with_brackets(lang, counted, named.into_iter().chain(source.clone()))
        }
        DueStep::Length { rule, source, .. } => with_brackets(lang, title(rule), source.clone().into_iter()),
        DueStep::Clamped { gives } => match gives.day() {
            1 => say("moved_on", &[]),
            _ => say("clamped", &[]),
        },
        DueStep::Fixed { rule, .. } => say("fixed", &[("rule", &title(rule))]),
        DueStep::Extended { seq, rule, .. } => say("extended", &[("rule", &title(rule)), ("seq", &seq.to_string())]),
        DueStep::Paused { from, to, days, seq, .. } => {
            let (from, to, days, seq) = (from.to_string(), to.to_string(), days.to_string(), seq.to_string());
            say("paused", &[("from", &from), ("to", &to), ("days", &days), ("seq", &seq)])
        }
        DueStep::Cap { rule, cap, reached, .. } => {
            let key = if *reached { "cap_reached" } else { "cap_not_reached" };
            say(key, &[("rule", &title(rule)), ("cap", &cap.to_string())])
        }
        DueStep::Rolled { from, because, gives } => {
            let key = if gives > from { "rolled" } else { "rolled_back" };
            say(key, &[("from", &from.to_string()), ("because", &reason(lang, because))])
        }
        DueStep::MakeUpDay { .. } => say("makeup", &[]),
        DueStep::Earliest { parts, .. } => {
            let parts: Vec<_> = parts.iter().map(|(rule, date)| format!("{} {date}", title(rule))).collect();
            say("earliest", &[("parts", &parts.join(&say("and", &[])))])
        }
        DueStep::Provisional { known_until } => say("provisional", &[("known_until", &known_until.to_string())]),
    }
}

/// A holiday's own name, or the weekday of the day off.
fn reason(lang: Lang, because: &str) -> String {
    match because {
        "saturday" => say(lang, "render.weekday.6", &[]),
        "sunday" => say(lang, "render.weekday.7", &[]),
        holiday => holiday.to_string(),
    }
}

fn with_brackets(lang: Lang, text: String, notes: impl Iterator<Item = String>) -> String {
    let notes: Vec<_> = notes.collect();
    match notes.is_empty() {
        true => text,
        false => say(lang, "due.step.note", &[("text", &text), ("note", &notes.join(&say(lang, "due.step.and", &[])))]),
    }
}
