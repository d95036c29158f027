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

/// Full-width punctuation in a line of Rhai, outside of texts and comments: column (from 0, in characters) and character.
/// `quoted` says whether the line begins inside a text.
pub fn wide_in_code(line: &str) -> Vec<(usize, char)> {
    let mut found = Vec::new();
    let mut quote: Option<char> = None;
    let mut escaped = false;
    let mut previous = ' ';
    for (column, sign) in line.chars().enumerate() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some(_) if sign == '\\' => escaped = true,
            Some(open) if sign == open => quote = None,
            Some(_) => {}
            None if matches!(sign, '"' | '`' | '\'') => quote = Some(sign),
            None if sign == '/' && previous == '/' => break,
            None if ascii_for(sign).is_some() => found.push((column, sign)),
            None => {}
        }
        previous = sign;
    }
    found
}

/// The names of a script file that full-width punctuation makes unreadable: one problem for each line.
pub fn scan_code(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) {
    for (index, line) in source.lines().enumerate() {
        let place = |column: usize, length: usize| Place {
            file: file.clone(),
            line: index as u32 + 1,
            column: column as u32 + 1,
            length: length as u32,
        };
        if let Some((column, sign)) = wide_in_code(line).first() {
            problems.push(wide("code", place(*column, 1), *sign));
        }
    }
}

/// E015 for one character.
pub fn wide(variant: &'static str, place: Place, sign: char) -> Problem {
    let variant = if variant == "code" && matches!(sign, '“' | '”' | '‘' | '’' | '＂' | '＇') { "quote" } else { variant };
    let ascii = ascii_for(sign).unwrap_or(' ');
    let ascii = if ascii == '\'' { '"' } else { ascii };
    Problem::new("E015", place).variant(variant).with("character", sign).with("ascii", ascii)
}
