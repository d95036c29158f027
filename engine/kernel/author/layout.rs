//! Rule files put in order: indentation by two, quotes where other readers of YAML would misread, nothing left at the ends of lines.
//!
//! It moves lines and never writes a file anew, so that comments, order and alignment stay. What it makes is read again; where that says
//! anything else than before, the file is left as it was.

use crate::kernel::model::problem::Problem;
use crate::kernel::read::gate;
use crate::kernel::read::tree::{Content, Node, Style};
use std::collections::BTreeMap;
use std::sync::Arc;

const STEP: usize = 2;

/// A file in order, and which of its lines were changed, counted from 1 in the old text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ordered {
    pub text: String,
    pub indented: Vec<usize>,
    pub quoted: Vec<usize>,
    /// Ends of lines, blank lines beside each other, the end of the file.
    pub trimmed: Vec<usize>,
}

impl Ordered {
    pub fn changed(&self) -> usize {
        let mut lines: Vec<usize> = self.indented.iter().chain(&self.quoted).chain(&self.trimmed).copied().collect();
        lines.sort_unstable();
        lines.dedup();
        lines.len()
    }
}

/// Puts a file in order; the problems when it cannot be read.
pub fn ordered(path: &str, text: &str) -> Result<Ordered, Vec<Problem>> {
    let before = read(path, text)?;
    let mut made = Moves::of(&before, text).apply(text);
    let same = read(path, &made.text).is_ok_and(|after| says_the_same(&before, &after));
    if !same {
        made = Ordered { text: text.to_string(), ..Ordered::default() };
    }
    Ok(made)
}

fn read(path: &str, text: &str) -> Result<Node, Vec<Problem>> {
    let mut problems = Vec::new();
    let node = gate::parse(&Arc::from(path), text, &mut problems);
    problems.retain(Problem::is_error);
    match node {
        Some(node) if problems.is_empty() => Ok(node),
        _ => Err(problems),
    }
}

/// Two trees that mean the same; the place and the quotes of a text do not count, but for what they do to its meaning.
fn says_the_same(one: &Node, other: &Node) -> bool {
    match (&one.content, &other.content) {
        (Content::Map(ones), Content::Map(others)) => {
            ones.len() == others.len()
                && ones.iter().zip(others).all(|(one, other)| one.key.name == other.key.name && says_the_same(&one.value, &other.value))
        }
        (Content::List(ones), Content::List(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| says_the_same(one, other))
        }
        (Content::Text(one), Content::Text(other)) => one == other,
        (Content::Number(one), Content::Number(other)) => one == other,
        (Content::Bool(one), Content::Bool(other)) => one == other,
        (Content::Fraction(one), Content::Fraction(other)) => one == other,
        (Content::Empty, Content::Empty) => true,
        _ => false,
    }
}

/// What is to be done, by lines that count from 0.
#[derive(Default)]
struct Moves {
    /// Lines that begin with a key or a dash, and where they have to begin.
    starts: BTreeMap<usize, usize>,
    /// Lines whose text may go on below, in quotes or as a block, where everything counts.
    texts: Vec<usize>,
    /// Plain texts to be put in quotes: line, first character, length.
    quotes: Vec<(usize, usize, usize)>,
}

impl Moves {
    fn of(root: &Node, text: &str) -> Moves {
        let lines: Vec<&str> = text.lines().collect();
        let mut moves = Moves::default();
        moves.walk(root, 0, &lines);
        moves
    }

    /// `indent` is where the keys or dashes of this node begin.
    fn walk(&mut self, node: &Node, indent: usize, lines: &[&str]) {
        match &node.content {
            Content::Map(entries) if node.style == Style::Flow => entries.iter().for_each(|entry| self.inside(&entry.value, true)),
            Content::List(nodes) if node.style == Style::Flow => nodes.iter().for_each(|node| self.inside(node, true)),
            Content::Map(entries) => {
                for entry in entries {
                    let line = entry.key.place.line as usize - 1;
                    let column = entry.key.place.column as usize - 1;
                    // A key behind a dash begins where the dash puts it.
                    if lines.get(line).is_some_and(|text| text.chars().take(column).all(|sign| matches!(sign, ' ' | '"' | '\''))) {
                        self.starts.insert(line, indent);
                    }
                    self.walk(&entry.value, indent + STEP, lines);
                }
            }
            Content::List(nodes) => {
                for node in nodes {
                    let line = node.place.line as usize - 1;
                    let dash = dash_before(lines, line, node.place.column as usize - 1);
                    if let Some(dash) = dash {
                        self.starts.insert(dash, indent);
                    }
                    // What stands behind a dash with more room keeps it, and so do its other keys.
                    let behind = lines.get(line).filter(|_| dash == Some(line)).map_or(STEP, |text| {
                        let dash_at = text.len() - text.trim_start_matches(' ').len();
                        (node.place.column as usize - 1).saturating_sub(dash_at).max(STEP)
                    });
                    self.walk(node, indent + behind, lines);
                }
            }
            _ => self.inside(node, false),
        }
    }

    /// Texts, also of flow collections.
    fn inside(&mut self, node: &Node, flow: bool) {
        match &node.content {
            Content::Map(entries) => entries.iter().for_each(|entry| self.inside(&entry.value, true)),
            Content::List(nodes) => nodes.iter().for_each(|node| self.inside(node, true)),
            Content::Text(text) => {
                let line = node.place.line as usize - 1;
                if node.style != Style::Plain {
                    self.texts.push(line);
                } else if needs_quotes(text, flow) && !text.contains(['"', '\\', '\n']) {
                    self.quotes.push((line, node.place.column as usize - 1, text.chars().count()));
                }
            }
            _ => {}
        }
    }

    fn apply(self, text: &str) -> Ordered {
        let lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
        let mut ordered = Ordered::default();
        let mut out: Vec<String> = Vec::with_capacity(lines.len());
        let mut by = 0isize;
        // Where the text of the line at hand may go on: deeper than this, everything belongs to it.
        let mut text_below: Option<usize> = None;
        for (number, line) in lines.iter().enumerate() {
            let depth = line.len() - line.trim_start_matches(' ').len();
            let blank = line.trim().is_empty();
            if let Some(start) = self.starts.get(&number) {
                by = *start as isize - depth as isize;
                text_below = self.goes_on_below(number).then_some(depth);
            } else if blank || text_below.is_some_and(|below| depth <= below) {
                // A blank line may stand in the middle of a text; one that is less deep ends it.
                text_below = text_below.filter(|_| blank);
            }
            let inside_text = text_below.is_some() && !self.starts.contains_key(&number);
            let is_comment = line.trim_start().starts_with('#') && !inside_text;
            let by = if is_comment { self.comment_moves(number, depth, &lines) } else { by };
            let moved = match by {
                0 => line.to_string(),
                by if by > 0 && !blank => format!("{}{line}", " ".repeat(by as usize)),
                by if !blank => line[depth.min(by.unsigned_abs())..].to_string(),
                _ => line.to_string(),
            };
            if moved != **line {
                ordered.indented.push(number + 1);
            }
            let quoted = self.quoted(number, moved, (by, depth));
            if quoted.1 {
                ordered.quoted.push(number + 1);
            }
            let trimmed = if inside_text { quoted.0 } else { quoted.0.trim_end().to_string() };
            let twice = trimmed.is_empty() && !inside_text && out.last().is_none_or(String::is_empty);
            if twice {
                if number + 1 < lines.len() {
                    ordered.trimmed.push(number + 1);
                }
                continue;
            }
            if !inside_text && line.len() != line.trim_end().len() {
                ordered.trimmed.push(number + 1);
            }
            out.push(trimmed);
        }
        while out.last().is_some_and(String::is_empty) {
            out.pop();
        }
        ordered.text = out.join("\n") + "\n";
        ordered
    }

    /// Whether a text of this line is in quotes or a block, so that lines below may belong to it.
    fn goes_on_below(&self, line: usize) -> bool {
        let next = self.starts.range(line + 1..).next().map_or(usize::MAX, |(next, _)| *next);
        self.texts.iter().any(|text| *text >= line && *text < next)
    }

    /// A comment moves like the line that it stands above, if it begins where that one does; else like the last line that began there.
    fn comment_moves(&self, number: usize, depth: usize, lines: &[&str]) -> isize {
        let depth_of = |line: usize| lines.get(line).map_or(0, |text| text.len() - text.trim_start_matches(' ').len());
        let moves = |(line, start): (&usize, &usize)| (depth_of(*line), *start as isize - depth_of(*line) as isize);
        let next = self.starts.range(number + 1..).next().map(moves);
        let before = || self.starts.range(..number).rev().map(moves).find(|(other, _)| *other == depth);
        match next {
            Some((other, by)) if other == depth => by,
            next => before().or(next).map_or(0, |(_, by)| by),
        }
    }

    /// The line with its plain texts in quotes where they need them.
    fn quoted(&self, number: usize, moved: String, (by, depth): (isize, usize)) -> (String, bool) {
        let mut here: Vec<(usize, usize)> =
            self.quotes.iter().filter(|(line, ..)| *line == number).map(|(_, from, length)| (*from, *length)).collect();
        here.sort_unstable();
        let shift = by.max(-(depth as isize));
        let mut signs: Vec<char> = moved.chars().collect();
        for (from, length) in here.iter().rev() {
            let from = (*from as isize + shift).max(0) as usize;
            if from + length <= signs.len() {
                signs.insert(from + length, '"');
                signs.insert(from, '"');
            }
        }
        (signs.into_iter().collect(), !here.is_empty())
    }
}

/// The line on which the dash of an entry stands: its own, or one above it.
fn dash_before(lines: &[&str], line: usize, column: usize) -> Option<usize> {
    let own = lines.get(line)?;
    if own.chars().take(column).any(|sign| sign == '-') {
        // Behind another dash (`- - a`) it belongs to that one's line.
        let only = own.chars().take(column).filter(|sign| *sign == '-').count() == 1;
        return (own.trim_start().starts_with('-') && only).then_some(line);
    }
    (0..line).rev().find(|above| lines[*above].trim() == "-").filter(|above| line - above <= 3)
}

/// What other readers of YAML take for something else: `18:00` is a number to base 60 in YAML 1.1, and a sentence that ends in `?`
/// inside braces is a key to some.
fn needs_quotes(text: &str, flow: bool) -> bool {
    let base_sixty = text.contains(':')
        && text.split(':').all(|part| !part.is_empty() && part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit()));
    base_sixty || (flow && text.contains(' ') && text.ends_with(['?', '？']))
}
