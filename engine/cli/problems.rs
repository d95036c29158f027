//! Problems of authors, drawn for people with an excerpt of the file.

use crate::kernel::model::problem::{Place, Problem};
pub use crate::kernel::words::problem::{count, json, sentence};
use crate::kernel::words::{Lang, say};
use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use indexmap::IndexMap;

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
