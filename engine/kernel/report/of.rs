//! A report of one unit, person or option alone: whom it is of, and what counts as theirs.

use super::tally::Source;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Report, Shown};
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::Date;

/// Whom a report is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Of {
    pub value: Name,
    pub title: String,
}

/// Why a report is not of somebody.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotOf {
    /// It does not say by which field it could be.
    #[error("report `{0}` is of nobody in particular")]
    Nobody(String),
    #[error("there is no `{text}`")]
    Unknown { text: String, known: Vec<String> },
    /// Several are called so: these are their ids.
    #[error("several are called `{text}`: {}", ids.join(", "))]
    Several { text: String, ids: Vec<String> },
}

/// Whom `text` names, by id, title or another name; called as on a day.
pub fn find(rules: &Rules, report: &Report, text: &str, day: Date) -> Result<Of, NotOf> {
    let Some(of) = &report.of else { return Err(NotOf::Nobody(report.title.clone())) };
    let candidates = candidates(rules, report, of, day);
    let text = text.trim();
    if let Some((value, title)) = candidates.iter().find(|(value, _)| **value == *text) {
        return Ok(Of { value: value.clone(), title: title.clone() });
    }
    let unit = |id: &Name| rules.setting.directory.units.get(id).is_some_and(|unit| unit.is_called(text));
    let named: Vec<&(Name, String)> = candidates.iter().filter(|(id, title)| title == text || unit(id)).collect();
    match named.as_slice() {
        [(value, title)] => Ok(Of { value: value.clone(), title: title.clone() }),
        // What is neither in the directory nor among options is a value of its own.
        [] if candidates.is_empty() => Ok(Of { value: text.into(), title: text.to_string() }),
        [] => Err(NotOf::Unknown {
            text: text.to_string(),
            known: candidates.into_iter().flat_map(|(value, title)| [value.to_string(), title]).collect(),
        }),
        several => Err(NotOf::Several { text: text.to_string(), ids: several.iter().map(|(value, _)| value.to_string()).collect() }),
    }
}

/// The item or branch at hand belongs to whom the report is of.
pub(super) fn counts(rules: &Rules, report: &Report, of: &Of, view: &View) -> Result<bool, EvalError> {
    let Some(shown) = &report.of else { return Ok(true) };
    let is = |value: &Value| match value {
        Value::Text(text) => *text == of.value,
        Value::Number(number) => number.to_string() == *of.value,
        _ => false,
    };
    Ok(match &rules.scripts.eval(&shown.expr, view)? {
        Value::List(entries) => entries.iter().any(is),
        value => is(value),
    })
}

/// Everyone it could be of, with their titles; none where any text may stand.
fn candidates(rules: &Rules, report: &Report, of: &Shown, day: Date) -> Vec<(Name, String)> {
    let directory = &rules.setting.directory;
    let units = || directory.units.keys();
    let persons = || directory.persons.keys();
    let source = Source::of(rules, report, of.field.as_ref());
    let ids: Vec<&Name> = match source {
        Source::Field(field) => match field.kind.entry() {
            Type::Unit => units().collect(),
            Type::Person => persons().collect(),
            _ => source.options(rules),
        },
        Source::State(_) => source.options(rules),
        Source::Given => match of.field.as_ref().map(|field| &*field.field) {
            Some("person") => persons().collect(),
            _ => units().collect(),
        },
        Source::Other => Vec::new(),
    };
    ids.into_iter().map(|id| (id.clone(), source.title(rules, id, day))).collect()
}
