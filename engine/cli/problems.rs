//! Problems of authors, drawn for people with an excerpt of the file, or as JSON for programs. Their texts stand in the catalogue.

use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::words::{Lang, has, say};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use indexmap::IndexMap;
use serde_json::json;

/// How problems are shown.
pub struct Drawing<'a> {
    pub lang: Lang,
    pub colour: bool,
    /// The folder of the rule set as the person wrote it; places are shown below it.
    pub folder: &'a str,
    /// The texts that were read, for the excerpts.
    pub files: &'a IndexMap<String, String>,
}

impl Drawing<'_> {
    /// One problem as a block of lines: level, code and sentence; the place with its line; what to do.
    pub fn draw(&self, problem: &Problem) -> String {
        let title = self
            .level(problem)
            .primary_title(sentence(self.lang, problem, "").unwrap_or_else(|| problem.code.to_string()))
            .id(problem.code);
        let mut group = match self.line(&problem.place) {
            Some(line) => {
                let label = sentence(self.lang, problem, ".label");
                let mark = AnnotationKind::Primary.span(bytes(line, &problem.place)).label(label);
                let excerpt =
                    Snippet::source(line).line_start(problem.place.line as usize).path(path(self.folder, &problem.place)).annotation(mark);
                title.element(excerpt)
            }
            None => title.element(origin(path(self.folder, &problem.place), &problem.place)),
        };
        if let Some(help) = sentence(self.lang, problem, ".help") {
            group = group.element(Level::HELP.with_name(say(self.lang, "check.level.help", &[])).message(help));
        }
        let renderer = if self.colour { Renderer::styled() } else { Renderer::plain() };
        let groups: [Group; 1] = [group];
        renderer.render(&groups)
    }

    /// Every problem with an empty line behind it, and how many there are.
    pub fn draw_all(&self, problems: &[Problem]) -> String {
        let mut out = String::new();
        for problem in problems {
            out += &self.draw(problem);
            out += "\n\n";
        }
        out.push_str(&count(self.lang, problems));
        out
    }

    fn level(&self, problem: &Problem) -> Level<'static> {
        let (level, key) = match problem.code.as_bytes().first() {
            Some(b'E') => (Level::ERROR, "check.level.error"),
            Some(b'W') => (Level::WARNING, "check.level.warning"),
            _ => (Level::INFO, "check.level.info"),
        };
        level.with_name(say(self.lang, key, &[]))
    }

    fn line(&self, place: &Place) -> Option<&str> {
        let source = self.files.get(&*place.file)?;
        source.lines().nth((place.line as usize).checked_sub(1)?)
    }
}

/// The file of a place as the person would write it, below the folder that was named.
pub fn path(folder: &str, place: &Place) -> String {
    let folder = folder.trim_end_matches('/');
    match place.file.strip_prefix("../") {
        _ if folder.is_empty() => place.file.to_string(),
        Some(beside) => folder.rsplit_once('/').map_or(beside.to_string(), |(parent, _)| format!("{parent}/{beside}")),
        None => format!("{folder}/{}", place.file),
    }
}

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

/// Where the marked text stands in its line, in bytes.
fn bytes(line: &str, place: &Place) -> std::ops::Range<usize> {
    let at = |characters: usize| line.char_indices().nth(characters).map_or(line.len(), |(at, _)| at);
    let start = (place.column as usize).saturating_sub(1);
    let (from, to) = (at(start), at(start + place.length as usize));
    from..to.max(from)
}

fn origin(path: String, place: &Place) -> Origin<'static> {
    Origin::path(path).line(place.line as usize).char_column(place.column as usize)
}
