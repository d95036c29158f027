//! Places of mistakes inside scripts, the nearest names, and mistakes of syntax in words that an author can use.

use super::tokens::{Token, is_at, tokens};
use super::types::Ty;
use crate::kernel::model::Name;
use crate::kernel::model::problem::{Place, Places, Problem};
use rhai::{LexError, ParseError, ParseErrorType, Position};

/// Where the paths of a workflow stand.
pub(super) struct At<'a> {
    pub workflow: &'a Name,
    pub places: &'a Places,
}

impl At<'_> {
    pub fn place(&self, path: &str) -> Place {
        let found = self.places.find(&format!("{}:{path}", self.workflow)).or_else(|| self.places.find(path));
        found.cloned().unwrap_or_else(|| Place { file: self.workflow.clone(), line: 1, column: 1, length: 1 })
    }
}

/// A script and where it stands.
pub(in crate::kernel::rules) struct Text {
    pub tokens: Vec<Token>,
    /// Where its first letter stands.
    start: Place,
    length: u32,
    /// Whether the columns of further lines are counted from the start's column (inside YAML) or from the margin (a file).
    indented: bool,
}

impl Text {
    pub fn inline(source: &str, start: Place) -> Text {
        let length = source.trim_end().chars().count().max(1) as u32;
        Text { tokens: tokens(source), start, length, indented: true }
    }

    pub fn file(name: &str, source: &str) -> Text {
        let start = Place { file: name.into(), line: 1, column: 1, length: 1 };
        Text { tokens: tokens(source), start, length: 1, indented: false }
    }

    pub fn whole(&self) -> Place {
        Place { length: self.length, ..self.start.clone() }
    }

    /// The place of the word or sign at a position.
    pub fn place(&self, position: Position) -> Place {
        let (Some(line), Some(column)) = (position.line(), position.position()) else { return self.whole() };
        // What is missing behind the end of a file is marked at its last word.
        if let Some(last) = self.tokens.last().filter(|last| !self.indented && last.line < line) {
            return self.token(last);
        }
        let length = self.tokens.iter().find(|token| is_at(token, position)).map_or(1, |token| token.length.max(1));
        // What is missing at the end is marked at the last letter.
        let last = if self.indented && line == 1 { self.length as usize } else { usize::MAX };
        self.at(line, column.clamp(1, last), length)
    }

    pub fn is_word(&self, word: &str, position: Position) -> bool {
        self.tokens.iter().any(|token| is_at(token, position) && token.text == word)
    }

    pub fn token(&self, token: &Token) -> Place {
        self.at(token.line, token.column, token.length.max(1))
    }

    fn at(&self, line: usize, column: usize, length: usize) -> Place {
        let margin = if line == 1 || self.indented { self.start.column - 1 } else { 0 };
        Place {
            file: self.start.file.clone(),
            line: self.start.line + line as u32 - 1,
            column: margin + column as u32,
            length: length as u32,
        }
    }
}

/// The name that was probably meant.
pub(super) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<String> {
    let length = name.chars().count();
    let allowed = (length / 3).max(1);
    let scored = known.map(|known| (strsim::damerau_levenshtein(name, known), known));
    let near = scored.filter(|(distance, known)| *distance <= allowed && *distance < known.chars().count().max(length));
    near.min_by_key(|(distance, _)| *distance).map(|(_, known)| known.to_string())
}

/// Adds the nearest name and those that there are.
pub(super) fn with_known<S: AsRef<str>>(problem: Problem, name: &str, known: &[S]) -> Problem {
    let near = nearest(name, known.iter().map(AsRef::as_ref));
    let mut list = known.iter().take(12).map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(" ");
    match known.len() {
        0 => list.push('–'),
        13.. => list.push_str(" …"),
        _ => {}
    }
    let plain = problem.variant.is_none();
    let problem = problem.with("name", name).with("known", list);
    match near {
        Some(near) if plain => problem.variant("near").with("near", near),
        _ => problem,
    }
}

pub(super) fn may_be_empty(place: Place, ty: &Ty) -> Problem {
    Problem::new("E214", place).with("found", ty.name())
}

/// What Rhai could not read; nothing when the file's reader tells it already.
pub(super) fn parse_problem(text: &Text, error: &ParseError, in_file: bool) -> Option<Problem> {
    let place = text.place(error.position());
    let unreadable = if in_file { "E230" } else { "E201" };
    let broken = |variant: &'static str| Problem::new(unreadable, place.clone()).variant(variant);
    let form = |word: &str| Problem::new("E215", place.clone()).variant("word").with("word", word);
    Some(match error.err_type() {
        ParseErrorType::Reserved(word) => form(word),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word.chars().all(char::is_alphanumeric) => form(word),
        ParseErrorType::BadInput(LexError::UnexpectedInput(found)) => {
            let found = found.trim_start_matches("Unexpected '").trim_end_matches('\'');
            let sign = found.chars().next().unwrap_or(' ');
            match sign {
                // A sign of a Chinese keyboard: told where the text was read (E015).
                sign if !sign.is_ascii() && !sign.is_alphanumeric() => return None,
                '=' => broken("equals"),
                '|' => form("|"),
                _ => broken("unexpected").with("found", found),
            }
        }
        ParseErrorType::BadInput(LexError::UnterminatedString) => broken("quote"),
        ParseErrorType::MissingToken(token, _) => broken("missing").with("token", token),
        ParseErrorType::MissingSymbol(_) | ParseErrorType::UnexpectedEOF | ParseErrorType::ExprExpected(_) => broken("end"),
        ParseErrorType::ExprTooDeep => broken("deep"),
        ParseErrorType::FnDuplicatedDefinition(name, _) => Problem::new("E237", place).variant("twice").with("name", name),
        ParseErrorType::VariableExists(name) => Problem::new("E215", place).variant("shadow").with("name", name),
        other => broken("other").with("what", other),
    })
}
