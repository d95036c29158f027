//! How wide a text is, by the width of its characters: a Chinese one takes a whole em, a Latin one somewhat more than half.

use unicode_width::UnicodeWidthChar;

const NARROW: f64 = 0.58;

/// The width in pixels at a size of font.
pub fn width(text: &str, size: f64) -> f64 {
    let ems = text.chars().map(|sign| match sign.width() {
        Some(2) => 1.0,
        Some(0) | None => 0.0,
        Some(_) => NARROW,
    });
    ems.sum::<f64>() * size
}

/// The widest line.
pub fn widest<'t>(lines: impl IntoIterator<Item = &'t str>, size: f64) -> f64 {
    lines.into_iter().map(|line| width(line, size)).fold(0.0, f64::max)
}

/// Lines of at most this width, broken between Chinese characters or words, never before a closing sign.
pub fn wrapped(text: &str, size: f64, most: f64) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for piece in pieces(text) {
        let Some(line) = lines.last_mut() else { break };
        if !line.is_empty() && width(line, size) + width(piece.trim_end(), size) > most {
            *line = line.trim_end().to_string();
            lines.push(piece.to_string());
        } else {
            line.push_str(piece);
        }
    }
    lines
}

/// Where a line may be broken: behind a space, and beside Chinese characters.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut from = 0;
    let mut before: Option<char> = None;
    for (at, sign) in text.char_indices() {
        let wide = |sign: char| sign.width() == Some(2);
        let closes = matches!(sign, '，' | '。' | '、' | '；' | '：' | '）' | '”' | '》' | ',' | '.' | ';' | ':' | ')' | '"');
        let opened = before.is_some_and(|before| matches!(before, '（' | '“' | '《' | '('));
        let may = before.is_some_and(|before| before == ' ' || ((wide(before) || wide(sign)) && !closes && !opened));
        if may && at > from {
            pieces.push(&text[from..at]);
            from = at;
        }
        before = Some(sign);
    }
    pieces.push(&text[from..]);
    pieces
}
