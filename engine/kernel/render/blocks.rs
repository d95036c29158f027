//! Plain text read as a letter: paragraphs, tables of facts, a signature, links. The HTML part of a mail is made of these,
//! so that nobody writes a mail twice.
//!
//! A line indented by two spaces or one full-width space whose label and content are parted by wide space is a fact, a deeper indented line
//! without a label continues it. A line far to the right is signature. All else is paragraphs, parted by blank lines.

use serde::Serialize;

/// From this column on a line counts as set to the right.
const SIGNATURE_COLUMN: usize = 20;
/// A label of a fact is short: at most so many columns wide.
const LABEL_COLUMNS: usize = 24;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Block {
    Paragraph {
        lines: Vec<Line>,
        /// Indented lines that are no facts, such as a list.
        indented: bool,
    },
    Facts {
        rows: Vec<Fact>,
    },
    Signature {
        lines: Vec<Line>,
    },
    /// A line that is a label and a link, and nothing else.
    Link {
        label: String,
        url: String,
    },
}

/// A line, cut where links begin and end.
pub type Line = Vec<Run>;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Run {
    pub text: String,
    pub link: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    pub label: String,
    pub lines: Vec<Line>,
}

pub fn blocks(text: &str) -> Vec<Block> {
    let mut reader = Reader { blocks: Vec::new(), fact_column: 0 };
    let mut after_blank = true;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            after_blank = true;
            continue;
        }
        reader.line(line, after_blank);
        after_blank = false;
    }
    reader.blocks
}

struct Reader {
    blocks: Vec<Block>,
    /// How far the latest fact is indented.
    fact_column: usize,
}

impl Reader {
    fn line(&mut self, line: &str, after_blank: bool) {
        let bare = line.trim_start_matches(is_space);
        let indent = &line[..line.len() - bare.len()];
        let column: usize = indent.chars().map(width).sum();
        let spaces = indent.chars().take_while(|c| *c == ' ').count();
        let indented = column >= 2;

        if spaces >= SIGNATURE_COLUMN {
            match self.blocks.last_mut() {
                Some(Block::Signature { lines }) if !after_blank => lines.push(runs(bare)),
                _ => self.blocks.push(Block::Signature { lines: vec![runs(bare)] }),
            }
        } else if let (true, Some(row)) = (column > self.fact_column && !after_blank, self.last_fact()) {
            row.lines.push(runs(bare));
        } else if let Some((label, content)) = indented.then(|| fact(bare)).flatten() {
            self.fact_column = column;
            let row = Fact { label, lines: vec![runs(content)] };
            match self.blocks.last_mut() {
                Some(Block::Facts { rows }) if !after_blank => rows.push(row),
                _ => self.blocks.push(Block::Facts { rows: vec![row] }),
            }
        } else if let Some((label, url)) = labelled_link(bare) {
            self.blocks.push(Block::Link { label: label.to_string(), url: url.to_string() });
        } else {
            // Usual spaces become an indent of the block; full-width ones are the author's own and stay.
            let (indented, line) = (spaces >= 2, runs(line.trim_start_matches(' ')));
            match self.blocks.last_mut() {
                Some(Block::Paragraph { lines, indented: same }) if !after_blank && *same == indented => lines.push(line),
                _ => self.blocks.push(Block::Paragraph { lines: vec![line], indented }),
            }
        }
    }

    fn last_fact(&mut self) -> Option<&mut Fact> {
        match self.blocks.last_mut() {
            Some(Block::Facts { rows }) => rows.last_mut(),
            _ => None,
        }
    }
}

/// A label, wide space (one full-width or two usual spaces), content. A label of two characters may be spaced out by full-width spaces.
fn fact(bare: &str) -> Option<(String, &str)> {
    let (label, content) = part(bare)?;
    let single = |text: &str| text.chars().count() == 1;
    let (label, content) = match part(content) {
        Some((second, rest)) if single(label) && single(second) => (format!("{label}{second}"), rest),
        _ => (label.to_string(), content),
    };
    (label.chars().map(width).sum::<usize>() <= LABEL_COLUMNS).then_some((label, content))
}

/// What stands before wide space, and what behind it.
fn part(text: &str) -> Option<(&str, &str)> {
    let at = [text.find('\u{3000}'), text.find("  ")].into_iter().flatten().min()?;
    let behind = text[at..].trim_start_matches(is_space);
    (at > 0 && !behind.is_empty()).then_some((&text[..at], behind))
}

/// `查看和办理：https://…`
fn labelled_link(bare: &str) -> Option<(&str, &str)> {
    let at = link_start(bare)?;
    let label = bare[..at].trim_end().strip_suffix(['：', ':'])?;
    let url = &bare[at..];
    (!label.is_empty() && link_length(url) == url.len()).then_some((label, url))
}

fn runs(text: &str) -> Line {
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(at) = link_start(rest) {
        let length = link_length(&rest[at..]);
        if at > 0 {
            runs.push(Run { text: rest[..at].to_string(), link: false });
        }
        runs.push(Run { text: rest[at..at + length].to_string(), link: true });
        rest = &rest[at + length..];
    }
    if !rest.is_empty() {
        runs.push(Run { text: rest.to_string(), link: false });
    }
    runs
}

fn link_start(text: &str) -> Option<usize> {
    [text.find("https://"), text.find("http://")].into_iter().flatten().min()
}

/// A link ends at white space, at a quote or bracket, and before full-width punctuation and everything else outside ASCII.
fn link_length(text: &str) -> usize {
    let end = text.find(|c: char| !c.is_ascii_graphic() || matches!(c, '"' | '\'' | '<' | '>')).unwrap_or(text.len());
    text[..end].trim_end_matches(['.', ',', ';', ')', ':']).len()
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{3000}' | '\t')
}

fn width(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}
