//! Numbers given by an action, such as `{year}-{n:03}` per session.

use super::perform::{Doing, Work};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Sequence;
use crate::kernel::model::fact::Outcome;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::time::Date;
use chrono::Datelike;

/// Sets each numbered field. A number that was handed in is kept, and the counter moves past it.
pub fn give(work: &mut Work, doing: &Doing, outcomes: &mut Vec<Outcome>) {
    for sequence in &doing.action.sequence {
        let mut fields = work.item.fields.clone();
        for outcome in outcomes.iter() {
            if let Outcome::Set { field, value } = outcome {
                fields.insert(field.clone(), value.clone());
            }
        }
        let counter = counter(&work.item.workflow, sequence, &fields);
        let given = fields.get(&sequence.field).and_then(Value::as_text).cloned();
        match given {
            Some(text) => {
                let number = read(&sequence.format, &fields, doing.on, &text);
                work.raise(counter, |last| number.filter(|number| *number > last));
            }
            None => {
                if let Some(number) = work.raise(counter, |last| last.checked_add(1)) {
                    let text = format(&sequence.format, &fields, doing.on, number);
                    outcomes.push(Outcome::Set { field: sequence.field.clone(), value: Value::Text(text.into()) });
                }
            }
        }
    }
}

fn counter(workflow: &Name, sequence: &Sequence, fields: &Fields) -> String {
    let mut out = format!("{workflow}/{}", sequence.field);
    for field in &sequence.per {
        out.push('/');
        out += &plain(fields.get(field));
    }
    out
}

/// The text before and after the number, and the number's width.
fn parts(format: &str, fields: &Fields, on: Date) -> (String, usize, String) {
    let (mut before, mut after, mut width, mut seen) = (String::new(), String::new(), 0, false);
    let mut rest = format;
    while let Some(open) = rest.find('{') {
        let out = if seen { &mut after } else { &mut before };
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}').map(|at| open + at) else { break };
        match &rest[open + 1..close] {
            "year" if !fields.contains_key("year") => *out += &on.year().to_string(),
            name if name == "n" || name.starts_with("n:") => {
                width = name.get(2..).and_then(|width| width.parse().ok()).unwrap_or(1);
                seen = true;
            }
            name => *out += &plain(fields.get(name)),
        }
        rest = &rest[close + 1..];
    }
    let out = if seen { &mut after } else { &mut before };
    out.push_str(rest);
    (before, width.min(18), after)
}

fn format(format: &str, fields: &Fields, on: Date, number: i64) -> String {
    let (before, width, after) = parts(format, fields, on);
    format!("{before}{number:0width$}{after}")
}

/// The number inside a text that has the format.
fn read(format: &str, fields: &Fields, on: Date, text: &str) -> Option<i64> {
    let (before, _, after) = parts(format, fields, on);
    text.strip_prefix(&before)?.strip_suffix(&after)?.parse().ok()
}

fn plain(value: Option<&Value>) -> String {
    match value {
        Some(Value::Text(text)) => text.to_string(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Date(date)) => date.to_string(),
        _ => String::new(),
    }
}
