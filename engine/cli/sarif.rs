//! Problems of a rule set as SARIF 2.1.0 (OASIS), which editors and continuous integration show beside the lines. The rules of the
//! log are the help pages of the codes that were found.

use super::problems::sentence;
use crate::kernel::model::problem::Problem;
use crate::kernel::words::{Lang, pages};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// What a path may hold beside letters and digits (RFC 3986).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'.').remove(b'-').remove(b'_').remove(b'~');

/// One log with one run. Lines and columns count from 1, columns in characters; paths are below `folder` as it was named.
pub fn log(problems: &[Problem], lang: Lang, folder: &str) -> Value {
    let mut codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
    codes.sort_unstable();
    codes.dedup();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code, lang)).collect();
    let results: Vec<Value> = problems.iter().map(|problem| result(problem, &codes, lang, folder)).collect();
    let driver = json!({ "name": "duban", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results }],
    })
}

fn rule(code: &str, lang: Lang) -> Value {
    let mut rule = json!({ "id": code, "defaultConfiguration": { "level": level(code) } });
    if let Some(page) = pages::page(lang, code) {
        rule["shortDescription"] = json!({ "text": page.finds });
        rule["fullDescription"] = json!({ "text": page.why });
        rule["help"] = json!({ "text": format!("duban help {code}") });
    }
    rule
}

fn result(problem: &Problem, codes: &[&str], lang: Lang, folder: &str) -> Value {
    let place = &problem.place;
    let message = match sentence(lang, problem, ".help") {
        Some(help) => format!("{} {help}", sentence(lang, problem, "").unwrap_or_default()),
        None => sentence(lang, problem, "").unwrap_or_default(),
    };
    let path = super::problems::path(folder, place);
    let region = json!({ "startLine": place.line, "startColumn": place.column, "endColumn": place.column + place.length });
    json!({
        "ruleId": problem.code,
        "ruleIndex": codes.iter().position(|code| *code == problem.code),
        "level": level(problem.code),
        "message": { "text": message },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": utf8_percent_encode(&path, PATH).to_string() },
            "region": region,
        } }],
    })
}

fn level(code: &str) -> &'static str {
    match code.as_bytes().first() {
        Some(b'E') => "error",
        Some(b'W') => "warning",
        _ => "note",
    }
}
