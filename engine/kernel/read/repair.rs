//! Why YAML cannot be read, in an author's words. What a Chinese keyboard or a tab spoilt is put right in memory, so that the rest of the
//! file can be looked at in the same run.

use super::characters::{ascii_for, wide};
use super::reader::nearest;
use crate::kernel::model::problem::{Place, Problem};
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use std::sync::Arc;

pub fn place(file: &Arc<str>, source: &str, line: u32, column: u32) -> Place {
    let (line, column) = (line.max(1), column.max(1));
    let lines = source.lines().count().max(1) as u32;
    Place { file: file.clone(), line: line.min(lines), column: if line > lines { 1 } else { column }, length: 1 }
}

/// Reports why the text cannot be read; gives the text put right where that is safe.
pub fn explain(file: &Arc<str>, source: &str, error: &Error, problems: &mut Vec<Problem>) -> Option<String> {
    let (line, column) = error.location().map_or((1, 1), |at| (at.line() as u32, at.column() as u32));
    let at = place(file, source, line, column);
    match error {
        Error::MultipleDocuments { .. } => {
            problems.push(Problem::new("E008", at).variant("second"));
            return None;
        }
        Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            problems.push(Problem::new("E008", at).variant("alias"));
            return None;
        }
        Error::UnsupportedTag { .. } => {
            problems.push(Problem::new("E008", at).variant("tag"));
            return None;
        }
        Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => {
            problems.push(Problem::new("E012", at).variant("depth").with("limit", super::gate::MAX_DEPTH));
            return None;
        }
        Error::Budget { .. } => {
            problems.push(Problem::new("E012", at));
            return None;
        }
        Error::DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or_default();
            problems.push(Problem::new("E002", marked(at, source, key)).variant("again").with("name", key));
            return None;
        }
        error if shape(&at, source, error).is_some() => {
            problems.extend(shape(&at, source, error));
            return None;
        }
        _ => {}
    }
    let lines: Vec<&str> = source.lines().collect();
    let index = (at.line as usize - 1).min(lines.len().saturating_sub(1));
    // The reader often stops one line after the culprit.
    let before = (0..index).rev().find(|index| !lines[*index].trim().is_empty());
    for candidate in [Some(index), before].into_iter().flatten() {
        if let Some((problem, repaired)) = tab(file, &lines, candidate).or_else(|| keyboard(file, &lines, candidate)) {
            problems.push(problem);
            let mut lines: Vec<&str> = lines;
            lines[candidate] = &repaired;
            return Some(lines.join("\n") + "\n");
        }
    }
    problems.push(unreadable(file, &lines, index, at, error));
    None
}

/// What does not fit the shape of a file of data.
fn shape(at: &Place, source: &str, error: &Error) -> Option<Problem> {
    let words = |code: &'static str, variants: [&'static str; 2], name: &str, known: &[&'static str]| {
        let problem = Problem::new(code, marked(at.clone(), source, name)).with("key", name).with("known", known.join(", "));
        match nearest(name, known.iter().copied()) {
            Some(near) => problem.variant(variants[1]).with("near", near),
            None if variants[0].is_empty() => problem,
            None => problem.variant(variants[0]),
        }
    };
    Some(match error {
        Error::SerdeUnknownField { field, expected, .. } => words("E005", ["", "near"], field, expected),
        Error::SerdeUnknownVariant { variant, expected, .. } => words("E007", ["word", "word_near"], variant, expected),
        Error::SerdeMissingField { field, .. } => Problem::new("E006", at.clone()).variant("data").with("key", field),
        Error::SerdeInvalidType { .. } | Error::SerdeInvalidValue { .. } | Error::InvalidScalar { .. } | Error::Unexpected { .. } => {
            Problem::new("E007", at.clone()).variant("data").with("detail", detail_of(error))
        }
        _ => return None,
    })
}

/// The parser's own words.
fn detail_of(error: &Error) -> String {
    error.render().split(" at line ").next().unwrap_or_default().to_string()
}

/// The whole word at a place, when it stands there.
fn marked(at: Place, source: &str, word: &str) -> Place {
    let line = source.lines().nth(at.line as usize - 1).unwrap_or_default();
    let there: String = line.chars().skip(at.column as usize - 1).take(word.chars().count()).collect();
    let length = if there == word { word.chars().count().max(1) as u32 } else { at.length };
    Place { length, ..at }
}

fn tab(file: &Arc<str>, lines: &[&str], index: usize) -> Option<(Problem, String)> {
    let line = lines.get(index)?;
    let margin: String = line.chars().take_while(|sign| sign.is_whitespace()).collect();
    let column = margin.chars().position(|sign| sign == '\t')?;
    let length = margin.chars().skip(column).take_while(|sign| *sign == '\t').count();
    let place = Place { file: file.clone(), line: index as u32 + 1, column: column as u32 + 1, length: length as u32 };
    let above = lines[..index].iter().rev().find(|line| !line.trim().is_empty());
    let wanted = above.map_or(0, |above| level_of(above) + if above.trim_end().ends_with(':') { 2 } else { 0 });
    let entry = line.trim_start().starts_with("- ") && above.is_some_and(|above| above.trim_start().starts_with("- "));
    let wanted = if entry { wanted.saturating_sub(2) } else { wanted };
    Some((Problem::new("E004", place), format!("{}{}", " ".repeat(wanted), line.trim_start())))
}

/// `名称：关于`, `“…”` and `［…］` where YAML wants ASCII, and wide spaces in the margin.
fn keyboard(file: &Arc<str>, lines: &[&str], index: usize) -> Option<(Problem, String)> {
    let line = lines.get(index)?;
    let characters: Vec<char> = line.chars().collect();
    let place = |column: usize| Place { file: file.clone(), line: index as u32 + 1, column: column as u32 + 1, length: 1 };
    let mut first = characters.iter().position(|sign| !matches!(sign, ' ' | '-'))?;
    if characters[first] == '\u{3000}' {
        let repaired =
            characters.iter().enumerate().map(|(at, sign)| if at == first { "  ".to_string() } else { sign.to_string() }).collect();
        return Some((wide("space", place(first), '\u{3000}'), repaired));
    }
    if characters[first] == '#' {
        return None;
    }
    if matches!(characters[first], '“' | '”') {
        first += 1;
    }
    let colon = characters.iter().skip(first).position(|sign| !sign.is_alphanumeric() && *sign != '_').map(|at| at + first)?;
    if characters[colon] == '：' && colon > first {
        let mut repaired: String = characters[..colon].iter().collect();
        repaired += ": ";
        repaired.extend(&characters[colon + 1..]);
        return Some((wide("colon", place(colon), '：'), repaired));
    }
    // A wide bracket, comma or quotation mark right where a value begins or a list goes on.
    let value = line.split_once(": ").map_or(first, |(key, _)| key.chars().count() + 2);
    let sign = *characters.get(value)?;
    if matches!(sign, '［' | '｛' | '【' | '“' | '‘') {
        let repaired =
            characters.iter().map(|sign| ascii_for(*sign).filter(|_| !matches!(sign, '。' | '！' | '？')).unwrap_or(*sign)).collect();
        return Some((wide("sign", place(value), sign), repaired));
    }
    None
}

/// The column, from 0, in which the keys of a line stand: behind the `- ` of a list.
fn level_of(line: &str) -> usize {
    let text = line.trim_start();
    let entry = text.len() - text.trim_start_matches("- ").len();
    line.len() - text.len() + entry
}

/// A line whose indentation fits none of those it stands under (E003).
fn indentation(file: &Arc<str>, lines: &[&str], index: usize) -> Option<Problem> {
    let line = lines.get(index)?;
    if line.trim().is_empty() || !line.contains(':') && !line.trim_start().starts_with("- ") {
        return None;
    }
    let mine = line.len() - line.trim_start_matches(' ').len();
    let above = lines[..index].iter().rev().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let mut open: Vec<usize> = Vec::new();
    let mut nearest = None;
    for line in above {
        let (level, margin) = (level_of(line), line.len() - line.trim_start().len());
        nearest.get_or_insert((level, *line));
        for column in [level, margin] {
            if open.iter().all(|other| column < *other) {
                open.push(column);
            }
        }
    }
    let (level, above) = nearest?;
    let too_deep = mine > level && !above.trim_end().ends_with(':') && above.contains(": ");
    let between = mine < level && !open.contains(&mine);
    (too_deep || between).then(|| {
        let place = Place { file: file.clone(), line: index as u32 + 1, column: mine as u32 + 1, length: 1 };
        // What it is nearest to, the deeper one when in doubt.
        let wanted = open.iter().copied().min_by_key(|column| column.abs_diff(mine)).unwrap_or(level);
        Problem::new("E003", place).with("found", mine).with("wanted", wanted)
    })
}

fn unreadable(file: &Arc<str>, lines: &[&str], index: usize, at: Place, error: &Error) -> Problem {
    let detail = detail_of(error);
    let line = lines.get(index).copied().unwrap_or_default();
    let at_sign = |index: usize, column: usize| Place { file: file.clone(), line: index as u32 + 1, column: column as u32 + 1, length: 1 };
    let problem = Problem::new("E001", at.clone());
    if let Error::NonFiniteFloat { .. } = error {
        return problem.variant("disagree").with("text", line.rsplit(' ').next().unwrap_or_default());
    }
    if line.contains(": {{") {
        return problem.variant("template");
    }
    if let Some((index, column)) = unclosed_quote(lines, index).filter(|_| detail.contains("quote")) {
        return Problem::new("E001", at_sign(index, column)).variant("quote");
    }
    if line.contains('{') && line.contains(['(', '"']) && (detail.contains("flow mapping") || detail.contains("bracket")) {
        return problem.variant("braces");
    }
    let bracket = detail.contains("bracket") || detail.contains("flow") || detail.contains("':' indicator");
    if let Some((index, column)) = unclosed_bracket(lines, index).filter(|_| bracket) {
        return Problem::new("E001", at_sign(index, column)).variant("bracket");
    }
    if let Some(problem) = indentation(file, lines, index) {
        return problem;
    }
    if detail.contains("mapping values are not allowed") {
        problem.variant("colon")
    } else if detail.contains("simple key") {
        problem.variant("no_colon")
    } else {
        problem.with("detail", detail)
    }
}

/// The nearest line, from here upwards, with a quotation mark that has no partner on it.
fn unclosed_quote(lines: &[&str], index: usize) -> Option<(usize, usize)> {
    (0..=index).rev().take(200).find_map(|index| {
        let line = lines.get(index)?;
        let odd = |sign: char| line.matches(sign).count() % 2 == 1;
        let sign = if odd('"') { '"' } else { '\'' };
        let column = line.chars().position(|other| other == sign).filter(|_| odd(sign))?;
        Some((index, column))
    })
}

/// The nearest line, from here upwards, with a bracket that is opened and not closed on it.
fn unclosed_bracket(lines: &[&str], index: usize) -> Option<(usize, usize)> {
    (0..=index).rev().take(200).find_map(|index| {
        let mut open: Vec<usize> = Vec::new();
        for (column, sign) in lines.get(index)?.chars().enumerate() {
            match sign {
                '[' | '{' => open.push(column),
                ']' | '}' => {
                    open.pop();
                }
                _ => {}
            }
        }
        open.first().map(|column| (index, *column))
    })
}
