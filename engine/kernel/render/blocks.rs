//! Plain text read as a letter: paragraphs, tables of facts, a signature, links. The HTML part of a mail is made of these,
//! so that nobody writes a mail twice.
//!
//! A line indented by two spaces or more whose label and content are parted by wide space is a fact, a deeper indented line
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
    let mut blocks = Vec::new();
    let mut after_blank = true;
    for line in text.lines() {
        let line = line.trim_end();
        if line.is_empty() {
            after_blank = true;
            continue;
        }
        add_line(&mut blocks, line, after_blank);
        after_blank = false;
    }
    blocks
}

fn add_line(blocks: &mut Vec<Block>, line: &str, after_blank: bool) {
    let spaces = line.len() - line.trim_start_matches(' ').len();
    let bare = line.trim_start_matches([' ', '\u{3000}', '\t']);
    let column: usize = line[..line.len() - bare.len()].chars().map(width).sum();
    let indented = spaces >= 2;
    let open = blocks.last_mut().filter(|_| !after_blank);

    if spaces >= SIGNATURE_COLUMN {
        match open {
            Some(Block::Signature { lines }) => lines.push(runs(bare)),
            _ => blocks.push(Block::Signature { lines: vec![runs(bare)] }),
        }
    } else if let (true, true, Some(Block::Facts { rows })) = (indented, column > spaces.min(4), open) {
        if let Some(row) = rows.last_mut() {
            row.lines.push(runs(bare));
        }
    } else if let Some((label, content)) = indented.then(|| fact(bare)).flatten() {
        let row = Fact { label: label.to_string(), lines: vec![runs(content)] };
        match blocks.last_mut() {
            Some(Block::Facts { rows }) if !after_blank => rows.push(row),
            _ => blocks.push(Block::Facts { rows: vec![row] }),
        }
    } else if let Some((label, url)) = labelled_link(bare) {
        blocks.push(Block::Link { label: label.to_string(), url: url.to_string() });
    } else {
        match blocks.last_mut() {
            Some(Block::Paragraph { lines, indented: same }) if !after_blank && *same == indented => lines.push(runs(bare)),
            _ => blocks.push(Block::Paragraph { lines: vec![runs(bare)], indented }),
        }
    }
}

/// `当前环节　办理中`: a label, wide space (one full-width or two usual spaces), content.
fn fact(bare: &str) -> Option<(&str, &str)> {
    let at = [bare.find('\u{3000}'), bare.find("  ")].into_iter().flatten().min()?;
    let (label, content) = (&bare[..at], bare[at..].trim_start_matches([' ', '\u{3000}']));
    (label.chars().map(width).sum::<usize>() <= LABEL_COLUMNS && !content.is_empty()).then_some((label, content))
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

fn width(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}
