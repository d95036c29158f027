//! What a JSON body has wrong with it, in words: what serde says of it is for programmers.

use crate::kernel::words::{Lang, say};
use serde_json::error::{Category, Error};

/// A fault of a body, and its place.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Behind `api.json.` in the catalogue.
    key: &'static str,
    found: String,
    wanted: String,
    line: usize,
    column: usize,
}

impl Unreadable {
    pub fn of(error: &Error) -> Unreadable {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let text = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        let of = |key, found: &str, wanted: &str| Unreadable { key, found: found.into(), wanted: wanted.into(), line, column };
        let halves = |start: &str| text.strip_prefix(start)?.rsplit_once(", expected ");
        match error.classify() {
            Category::Eof => of("cut_short", "", ""),
            Category::Syntax if text.starts_with("recursion limit") => of("too_deep", "", ""),
            Category::Syntax if text.starts_with("trailing characters") => of("more_behind", "", ""),
            Category::Syntax => of("syntax", "", ""),
            Category::Data | Category::Io => {
                if let Some((found, wanted)) = halves("invalid type: ") {
                    return of("wrong_type", found, wanted);
                }
                if let Some((found, wanted)) = halves("invalid value: ").or_else(|| halves("invalid length ")) {
                    return of("wrong_value", found, wanted);
                }
                match text.strip_prefix("duplicate field ") {
                    Some(name) => of("twice", name.trim_matches('`'), ""),
                    None => of("other", text, ""),
                }
            }
        }
    }

    /// Also where it stands.
    pub fn sentence(&self, lang: Lang) -> String {
        // Of what is wrong as a whole, serde names the column before the first.
        let (line, column) = (self.line.to_string(), self.column.max(1).to_string());
        let values = [("found", found(&self.found, lang)), ("wanted", wanted(&self.wanted, lang))];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        let what = say(lang, &format!("api.json.{}", self.key), &values);
        say(lang, "api.json.at", &[("what", &what), ("line", &line), ("column", &column)])
    }
}

/// serde names the kind of what it found, and the value behind it.
fn found(text: &str, lang: Lang) -> String {
    const KINDS: [(&str, &str); 9] = [
        ("boolean", "yes_no"),
        ("integer", "number"),
        ("floating point", "number"),
        ("number", "number"),
        ("string", "text"),
        ("character", "text"),
        ("sequence", "list"),
        ("map", "object"),
        ("null", "null"),
    ];
    let kind = KINDS.iter().find_map(|(theirs, ours)| Some((ours, text.strip_prefix(theirs)?.trim())));
    match kind {
        Some((kind, "")) => say(lang, &format!("api.json.kind.{kind}"), &[]),
        Some((kind, value)) => {
            let kind = say(lang, &format!("api.json.kind.{kind}"), &[]);
            say(lang, "api.json.kind.of", &[("kind", &kind), ("value", value.trim_matches('`'))])
        }
        None => text.to_string(),
    }
}

fn wanted(text: &str, lang: Lang) -> String {
    let kind = match text {
        "a boolean" => "yes_no",
        "f32" | "f64" => "number",
        "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => "whole_number",
        "a string" | "a borrowed string" | "string or map" => "text",
        "a sequence" => "list",
        "a map" | "an object" => "object",
        text if text.starts_with("struct ") => "object",
        text => return text.to_string(),
    };
    say(lang, &format!("api.json.kind.{kind}"), &[])
}
