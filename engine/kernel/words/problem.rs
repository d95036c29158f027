//! What the catalogue says of a problem of an author: its sentence, what to do, and both as JSON for programs.

use super::{Lang, has, say};
use crate::kernel::model::problem::Problem;
use serde_json::json;

/// For programs: the same sentences with code and place. Lines and columns count from 1, columns in characters.
pub fn json(problems: &[Problem], lang: Lang) -> serde_json::Value {
    let rows = problems.iter().map(|problem| {
        let values: serde_json::Map<_, _> = problem.values.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
        json!({
            "code": problem.code,
            "level": match problem.code.as_bytes().first() { Some(b'E') => "error", Some(b'W') => "warning", _ => "info" },
            "message": sentence(lang, problem, "").unwrap_or_else(|| problem.code.to_string()),
            "help": sentence(lang, problem, ".help"),
            "file": &*problem.place.file,
            "line": problem.place.line,
            "column": problem.place.column,
            "length": problem.place.length,
            "values": values,
        })
    });
    serde_json::Value::Array(rows.collect())
}

/// How many errors and warnings there are, in a sentence.
pub fn count(lang: Lang, problems: &[Problem]) -> String {
    let errors = problems.iter().filter(|problem| problem.is_error()).count().to_string();
    let warnings = problems.iter().filter(|problem| problem.code.starts_with('W')).count().to_string();
    say(lang, "check.count", &[("errors", &errors), ("warnings", &warnings)])
}

/// A text of a problem (`""` or `.help`): of its variant if there is one, else of its code.
pub fn sentence(lang: Lang, problem: &Problem, part: &str) -> Option<String> {
    let of_variant = problem.variant.map(|variant| format!("check.{}.{variant}{part}", problem.code));
    let of_code = format!("check.{}{part}", problem.code);
    let key = of_variant.into_iter().chain([of_code]).find(|key| has(lang, key))?;
    let values: Vec<(&str, String)> = problem.values.iter().map(|(name, value)| (*name, word(lang, value))).collect();
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Some(say(lang, &key, &values))
}

/// A value that names a key of the catalogue is shown in its words.
fn word(lang: Lang, value: &str) -> String {
    match value.strip_prefix('@') {
        Some(key) if has(lang, key) => say(lang, key, &[]),
        _ => value.to_string(),
    }
}
