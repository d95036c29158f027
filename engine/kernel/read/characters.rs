//! Characters that a reader of the file cannot see or tell apart (W013, W014), and those of a Chinese keyboard where the language wants ASCII (E015).

use crate::kernel::model::problem::{Place, Problem};
use std::sync::Arc;

/// Looks through a whole file.
pub fn scan(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) {
    for (index, line) in source.lines().enumerate() {
        if line.is_ascii() {
            continue;
        }
        let line_no = index as u32 + 1;
        let place = |column: usize, length: usize| Place {
            file: file.clone(),
            line: line_no,
            column: column as u32 + 1,
            length: length.max(1) as u32,
        };
        let characters: Vec<char> = line.chars().collect();
        for (column, sign) in characters.iter().enumerate() {
            let at_start = index == 0 && column == 0;
            if is_invisible(*sign) && !at_start {
                problems.push(Problem::new("W014", place(column, 1)).with("character", format_args!("U+{:04X}", u32::from(*sign))));
            }
        }
        let mut column = 0;
        for word in characters.split(|sign| !sign.is_alphanumeric() && *sign != '_') {
            let latin = word.iter().any(char::is_ascii_alphabetic);
            if let (true, Some(alike)) = (latin, word.iter().find(|sign| looks_latin(**sign))) {
                let text: String = word.iter().collect();
                problems.push(Problem::new("W013", place(column, word.len())).with("word", text).with("character", alike));
            }
            column += word.len() + 1;
        }
    }
}

/// Bytes that are no UTF-8 were read as U+FFFD: the first of them (E001).
pub fn not_utf8(file: &Arc<str>, source: &str) -> Option<Problem> {
    let (index, line) = source.lines().enumerate().find(|(_, line)| line.contains('\u{fffd}'))?;
    let column = line.chars().take_while(|sign| *sign != '\u{fffd}').count();
    let place = Place { file: file.clone(), line: index as u32 + 1, column: column as u32 + 1, length: 1 };
    Some(Problem::new("E001", place).variant("encoding"))
}

fn is_invisible(sign: char) -> bool {
    matches!(sign, '\u{ad}' | '\u{a0}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// Greek, Cyrillic and full-width letters, of which many look like a Latin one.
fn looks_latin(sign: char) -> bool {
    matches!(sign, '\u{370}'..='\u{52f}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}')
}

/// The ASCII character that was meant by one of a Chinese keyboard.
pub fn ascii_for(sign: char) -> Option<char> {
    Some(match sign {
        '“' | '”' | '＂' => '"',
        '‘' | '’' | '＇' => '\'',
        '（' => '(',
        '）' => ')',
        '［' | '【' => '[',
        '］' | '】' => ']',
        '｛' => '{',
        '｝' => '}',
        '，' | '、' => ',',
        '：' => ':',
        '；' => ';',
        '！' => '!',
        '？' => '?',
        '＝' => '=',
        '＞' => '>',
        '＜' => '<',
        '＋' => '+',
        '－' => '-',
        '＊' => '*',
        '／' => '/',
        '％' => '%',
        '＆' => '&',
        '｜' => '|',
        '．' | '。' => '.',
        '\u{3000}' => ' ',
        _ => return None,
    })
}

/// Characters that Rhai cannot read, outside of texts and comments: the first of each line, as line and column from 0, in characters.
pub fn foreign_in_code(source: &str) -> Vec<(usize, usize, char)> {
    let mut found: Vec<(usize, usize, char)> = Vec::new();
    let mut inside = Inside::Code;
    let mut escaped = false;
    for (line, text) in source.lines().enumerate() {
        // Only texts between backticks and long comments go on in the next line.
        if !matches!(inside, Inside::Text('`') | Inside::Comment) {
            inside = Inside::Code;
        }
        let mut previous = ' ';
        for (column, sign) in text.chars().enumerate() {
            match inside {
                Inside::Text(_) if escaped => escaped = false,
                Inside::Text(_) if sign == '\\' => escaped = true,
                Inside::Text(open) if sign == open => inside = Inside::Code,
                Inside::Comment if (previous, sign) == ('*', '/') => inside = Inside::Code,
                Inside::Text(_) | Inside::Comment => {}
                Inside::Code if matches!(sign, '"' | '`' | '\'') => inside = Inside::Text(sign),
                Inside::Code if (previous, sign) == ('/', '/') => break,
                Inside::Code if (previous, sign) == ('/', '*') => inside = Inside::Comment,
                Inside::Code => {
                    let foreign = ascii_for(sign).is_some() || !(sign.is_ascii() || sign.is_alphanumeric() || sign.is_whitespace());
                    if foreign && found.last().is_none_or(|(other, _, _)| *other != line) {
                        found.push((line, column, sign));
                    }
                }
            }
            previous = sign;
        }
    }
    found
}

/// What a character of a script belongs to.
#[derive(Clone, Copy)]
enum Inside {
    Code,
    Text(char),
    Comment,
}

/// E015 in a script file.
pub fn scan_code(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) {
    for (line, column, sign) in foreign_in_code(source) {
        let place = Place { file: file.clone(), line: line as u32 + 1, column: column as u32 + 1, length: 1 };
        problems.push(wide("code", place, sign));
    }
}

/// E015 for one character.
pub fn wide(variant: &'static str, place: Place, sign: char) -> Problem {
    let variant = match (variant, sign) {
        ("code", '“' | '”' | '‘' | '’' | '＂' | '＇') => "quote",
        ("code", sign) if ascii_for(sign).is_none() => "strange",
        (variant, _) => variant,
    };
    let ascii = match ascii_for(sign) {
        Some('\'') => '"',
        Some(ascii) => ascii,
        None => ' ',
    };
    let shown = if is_invisible(sign) || sign.is_whitespace() { format!("U+{:04X}", u32::from(sign)) } else { sign.to_string() };
    Problem::new("E015", place).variant(variant).with("character", shown).with("ascii", ascii)
}
