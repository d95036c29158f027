//! Splits a script into words and signs with their places: for the length of a mark, for the labels of a `switch`, and for
//! the heads of functions, which Rhai's syntax tree does not keep. It judges nothing.

use rhai::Position;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::kernel::rules) struct Token {
    pub what: What,
    /// As written; of a text what stands between the quotes.
    pub text: String,
    pub line: usize,
    pub column: usize,
    /// In characters, quotes included.
    pub length: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::kernel::rules) enum What {
    Word,
    Number,
    Text,
    Sign,
}

impl Token {
    /// Rhai counts no further than 65,535 lines and columns.
    pub fn position(&self) -> Position {
        let counted = |number: usize| u16::try_from(number).unwrap_or(u16::MAX);
        Position::new(counted(self.line.max(1)), counted(self.column))
    }
}

/// Signs of several characters, longest first.
const SIGNS: &[&str] = &["..=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "..", "::"];

pub(in crate::kernel::rules) fn tokens(source: &str) -> Vec<Token> {
    let letters: Vec<char> = source.chars().collect();
    let (mut at, mut line, mut start_of_line) = (0, 1, 0);
    let mut found = Vec::new();
    while let Some(&letter) = letters.get(at) {
        let begin = at;
        let column = begin - start_of_line + 1;
        let ahead = |offset: usize| letters.get(begin + offset).copied().unwrap_or('\0');
        if letter == '\n' {
            at += 1;
            (line, start_of_line) = (line + 1, at);
            continue;
        }
        if letter.is_whitespace() {
            at += 1;
            continue;
        }
        if letter == '/' && ahead(1) == '/' {
            at += letters[at..].iter().take_while(|letter| **letter != '\n').count();
            continue;
        }
        if letter == '/' && ahead(1) == '*' {
            at += 2;
            while at < letters.len() && !(letters[at] == '*' && letters.get(at + 1) == Some(&'/')) {
                if letters[at] == '\n' {
                    (line, start_of_line) = (line + 1, at + 1);
                }
                at += 1;
            }
            at = (at + 2).min(letters.len());
            continue;
        }
        let starting_line = line;
        let what = if matches!(letter, '"' | '\'' | '`') {
            at += 1;
            while at < letters.len() && letters[at] != letter {
                if letters[at] == '\n' {
                    (line, start_of_line) = (line + 1, at + 1);
                }
                at += if letters[at] == '\\' { 2 } else { 1 };
            }
            at = (at + 1).min(letters.len());
            What::Text
        } else if letter.is_ascii_digit() {
            at += letters[at..].iter().take_while(|letter| letter.is_alphanumeric() || **letter == '_').count();
            What::Number
        } else if letter.is_alphabetic() || letter == '_' {
            at += letters[at..].iter().take_while(|letter| letter.is_alphanumeric() || **letter == '_').count();
            What::Word
        } else {
            let sign = SIGNS.iter().find(|sign| sign.chars().enumerate().all(|(offset, part)| ahead(offset) == part));
            at += sign.map_or(1, |sign| sign.len());
            What::Sign
        };
        let text: String = match what {
            What::Text => letters[begin + 1..at.max(begin + 2) - 1].iter().collect(),
            _ => letters[begin..at].iter().collect(),
        };
        found.push(Token { what, text, line: starting_line, column, length: at - begin });
    }
    found
}

/// An arm of a `switch`, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::kernel::rules) struct Arm {
    /// Empty for `_`.
    pub labels: Vec<Token>,
    /// Whether a condition follows the labels.
    pub guarded: bool,
}

/// The arms of the `switch` that stands at a position.
pub(in crate::kernel::rules) fn arms(tokens: &[Token], position: Position) -> Vec<Arm> {
    let start = tokens.iter().position(|token| token.text == "switch" && is_at(token, position)).unwrap_or(tokens.len());
    let Some(open) = block_after(tokens, start) else { return Vec::new() };
    let mut arms = Vec::new();
    let mut rest = &tokens[open + 1..];
    while let Some(first) = rest.first().filter(|token| token.text != "}" || token.what != What::Sign) {
        if first.text == "," {
            rest = &rest[1..];
            continue;
        }
        let Some(arrow) = rest.iter().position(|token| token.text == "=>" && token.what == What::Sign) else { break };
        let (head, body) = (&rest[..arrow], &rest[arrow + 1..]);
        let condition = head.iter().position(|token| token.text == "if" && token.what == What::Word);
        let labels = head[..condition.unwrap_or(arrow)].iter().filter(|token| token.what != What::Sign && token.text != "_");
        arms.push(Arm { labels: labels.cloned().collect(), guarded: condition.is_some() });
        rest = &body[end_of_arm(body)..];
    }
    arms
}

/// Where the `{` of a `switch` stands: the first one behind its subject.
fn block_after(tokens: &[Token], start: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (index, token) in tokens.iter().enumerate().skip(start + 1).filter(|(_, token)| token.what == What::Sign) {
        match token.text.as_str() {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "{" if depth == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

/// How many tokens an arm's value takes: up to a comma, the end of the `switch`, or a closed block that nothing continues.
fn end_of_arm(body: &[Token]) -> usize {
    let mut depth = 0usize;
    for (index, token) in body.iter().enumerate().filter(|(_, token)| token.what == What::Sign) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            "}" if depth == 0 => return index,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth -= 1;
                let next = body.get(index + 1);
                let begins_arm = next.is_some_and(|next| next.what != What::Sign && next.text != "else");
                if depth == 0 && begins_arm {
                    return index + 1;
                }
            }
            "," if depth == 0 => return index,
            _ => {}
        }
    }
    body.len()
}

/// The names of the functions of a file with the tokens of their parameters.
pub(in crate::kernel::rules) fn heads(tokens: &[Token]) -> Vec<(&Token, Vec<&Token>)> {
    let mut heads = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.what != What::Word || token.text != "fn" {
            continue;
        }
        let Some(name) = tokens.get(index + 1).filter(|name| name.what == What::Word) else { continue };
        let params = tokens[index + 2..].iter().take_while(|token| token.text != ")" && token.text != "{");
        heads.push((name, params.filter(|token| token.what == What::Word).collect()));
    }
    heads
}

pub(in crate::kernel::rules) fn is_at(token: &Token, position: Position) -> bool {
    position.line() == Some(token.line) && position.position() == Some(token.column)
}
