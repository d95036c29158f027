//! A light reading of a template's code parts: it finds what wording may not use, and filters and tests that do not exist,
//! before anything is filled in. The grammar itself is left to minijinja.

use super::RenderError;
use minijinja::{Environment, context};

/// Statements that stay within one template.
const STATEMENTS: [&str; 14] =
    ["if", "elif", "else", "endif", "for", "endfor", "set", "endset", "with", "endwith", "raw", "endraw", "filter", "endfilter"];

/// Refuses statements that wording may not use, repetition by `*`, division, which fails for a zero when the mail is due, and unknown
/// filters and tests.
pub fn scan(template: &str, environment: &Environment) -> Result<(), RenderError> {
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        rest = &rest[open..];
        let at = template.len() - rest.len();
        if let Some(comment) = rest.strip_prefix("{#") {
            rest = comment.find("#}").map_or("", |close| &comment[close + 2..]);
        } else if let Some(code) = rest.strip_prefix("{{") {
            rest = part(template, at, code, "}}", false, environment)?;
        } else if let Some(code) = rest.strip_prefix("{%") {
            rest = part(template, at, code, "%}", true, environment)?;
            if first_word(code) == "raw" {
                rest = after_raw(rest);
            }
        } else {
            rest = &rest[1..];
        }
    }
    Ok(())
}

/// A piece of a template that is printed as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Printed<'t> {
    /// Where it begins, in bytes.
    pub at: usize,
    pub text: &'t str,
    /// It stands between `{% raw %}` and `{% endraw %}`.
    pub raw: bool,
}

/// What stands outside `{{ }}`, `{% %}` and `{# #}`; an unclosed one ends the template.
pub fn printed(template: &str) -> Vec<Printed<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    let opens = |rest: &str| rest.match_indices('{').find(|(at, _)| rest[at + 1..].starts_with(['{', '%', '#'])).map(|(at, _)| at);
    let mut push = |text: &'_ str, at: usize, raw: bool| {
        if !text.is_empty() {
            pieces.push((at, at + text.len(), raw));
        }
    };
    while let Some(open) = opens(rest) {
        let at = template.len() - rest.len();
        push(&rest[..open], at, false);
        let (sign, code) = (&rest[open + 1..open + 2], &rest[open + 2..]);
        rest = match sign {
            "#" => code.find("#}").map_or("", |close| &code[close + 2..]),
            "%" => after_code(code, "%}"),
            _ => after_code(code, "}}"),
        };
        if sign == "%" && first_word(code) == "raw" {
            let (at, after) = (template.len() - rest.len(), after_raw(rest));
            push(&rest[..rest.len() - after.len()], at, true);
            rest = after;
        }
    }
    push(rest, template.len() - rest.len(), false);
    pieces.into_iter().map(|(from, to, raw)| Printed { at: from, text: &template[from..to], raw }).collect()
}

/// What follows a piece of code whose strings may hold its closing sign.
fn after_code<'t>(code: &'t str, close: &str) -> &'t str {
    let tokens = Tokens { rest: code, close }.collect::<Vec<_>>();
    let used = tokens.last().map_or(0, |(token, from)| from + token.len());
    code[used..].find(close).map_or("", |end| &code[used + end + close.len()..])
}

/// The first dotted name in a piece of code.
pub fn first_name(code: &str) -> Option<String> {
    let start = code.find(|c: char| c.is_alphabetic() || c == '_')?;
    let end = code[start..].find(|c: char| !(is_word(c) || c == '.')).map_or(code.len(), |end| start + end);
    Some(code[start..end].trim_end_matches('.').to_string())
}

/// Reads one `{{ … }}` or `{% … %}`; gives what follows it. An unclosed part is left to the real parser.
fn part<'t>(
    template: &str,
    at: usize,
    code: &'t str,
    close: &str,
    statement: bool,
    environment: &Environment,
) -> Result<&'t str, RenderError> {
    let tokens = Tokens { rest: code, close }.collect::<Vec<_>>();
    let error = |from: usize, what: String| {
        let line = template[..at + 2 + from].matches('\n').count() as u32 + 1;
        RenderError { line, what, missing: None }
    };
    let words: Vec<(&str, usize)> = tokens.iter().map(|(token, from)| (*token, *from)).collect();
    if statement
        && let Some((word, from)) = words.iter().find(|(token, _)| !matches!(*token, "-" | "+"))
        && !STATEMENTS.contains(word)
    {
        return Err(error(*from, format!("the statement `{word}` cannot be used here")));
    }
    for (index, (token, from)) in words.iter().enumerate() {
        let word_at = |index: usize| words.get(index).filter(|(token, _)| token.starts_with(|c: char| c.is_alphabetic() || c == '_'));
        match *token {
            "*" | "/" | "%" => return Err(error(*from, format!("`{token}` cannot be used here"))),
            "|" => {
                if let Some((name, from)) = word_at(index + 1)
                    && !exists(environment, "filter", name)
                {
                    return Err(error(*from, format!("there is no filter `{name}`")));
                }
            }
            "filter" if statement && index == 0 => {
                if let Some((name, from)) = word_at(1)
                    && !exists(environment, "filter", name)
                {
                    return Err(error(*from, format!("there is no filter `{name}`")));
                }
            }
            "is" if index > 0 && words[index - 1].0 != "." => {
                let index = if words.get(index + 1).is_some_and(|(token, _)| *token == "not") { index + 2 } else { index + 1 };
                if let Some((name, from)) = word_at(index)
                    && !exists(environment, "test", name)
                {
                    return Err(error(*from, format!("there is no test `{name}`")));
                }
            }
            _ => {}
        }
    }
    Ok(after_code(code, close))
}

fn exists(environment: &Environment, kind: &str, name: &str) -> bool {
    let question = match kind {
        "filter" => "name is filter",
        _ => "name is test",
    };
    environment.compile_expression(question).and_then(|asked| asked.eval(context! { name })).is_ok_and(|answer| answer.is_true())
}

fn after_raw(rest: &str) -> &str {
    let mut from = 0;
    while let Some(open) = rest[from..].find("{%") {
        let code = &rest[from + open + 2..];
        if first_word(code) == "endraw" {
            return &rest[from + open..];
        }
        from += open + 2;
    }
    ""
}

fn first_word(code: &str) -> &str {
    let code = code.trim_start_matches(['-', '+']).trim_start();
    &code[..code.find(|c| !is_word(c)).unwrap_or(code.len())]
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Words, strings (as one token) and single signs, with their place, up to the closing sign.
struct Tokens<'t> {
    rest: &'t str,
    close: &'t str,
}

impl<'t> Tokens<'t> {
    fn collect<C: FromIterator<(&'t str, usize)>>(self) -> C {
        let code = self.rest;
        let mut from = 0;
        std::iter::from_fn(move || {
            let rest = &code[from..];
            let start = from + (rest.len() - rest.trim_start().len());
            let rest = &code[start..];
            let first = rest.chars().next()?;
            if rest.starts_with(self.close) {
                return None;
            }
            let length = match first {
                '"' | '\'' => string_length(rest, first),
                first if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                first => first.len_utf8(),
            };
            from = start + length;
            Some((&rest[..length], start))
        })
        .collect()
    }
}

fn string_length(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
