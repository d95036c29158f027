//! A command line that cannot be meant: what is wrong with it and what would be right, in the reader's language.

use crate::kernel::words::{Lang, say};
use crate::store::PlaceError;
use clap::Command;
use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// The value of an option, `--lang`, on a command line that could not be read.
pub fn named(option: &str, words: impl IntoIterator<Item = String>) -> Option<String> {
    let mut words = words.into_iter().take_while(|word| word != "--");
    while let Some(word) = words.next() {
        match word.strip_prefix(option) {
            Some("") => return words.next(),
            Some(rest) if rest.starts_with('=') => return Some(rest[1..].to_string()),
            _ => {}
        }
    }
    None
}

/// What is wrong, what would be near, and how the command is called.
pub fn sentence(lang: Lang, error: &Error, command: &Command, words: &[String]) -> String {
    let mut out = what(lang, error);
    let elsewhere = elsewhere(error, command, words);
    if elsewhere.is_empty() {
        for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedValue, ContextKind::SuggestedSubcommand] {
            if let Some(near) = nearest(error, kind) {
                out += &say(lang, "usage.near", &[("near", &near)]);
            }
        }
    } else {
        out += &say(lang, "usage.elsewhere", &[("commands", &elsewhere.join(", "))]);
    }
    if let Some(usage) = error.get(ContextKind::Usage) {
        // clap's own word stands in front of it.
        let usage = usage.to_string();
        let usage = usage.trim().strip_prefix("Usage:").unwrap_or(&usage).trim();
        let lines: Vec<&str> = usage.lines().map(str::trim).collect();
        out += &format!("\n{}", say(lang, "usage.usage", &[("usage", &lines.join("\n      "))]));
    }
    out
}

/// The one that is nearest; of several clap names it last.
fn nearest(error: &Error, kind: ContextKind) -> Option<String> {
    let near = match error.get(kind) {
        Some(ContextValue::Strings(list)) => list.last().cloned()?,
        _ => text(error, kind),
    };
    Some(near).filter(|near| !near.is_empty())
}

/// The commands below the one that was typed which have the option that it lacks.
fn elsewhere(error: &Error, command: &Command, words: &[String]) -> Vec<String> {
    let argument = text(error, ContextKind::InvalidArg);
    let Some(option) = argument.strip_prefix("--").filter(|_| error.kind() == ErrorKind::UnknownArgument) else { return Vec::new() };
    let option = option.split(['=', ' ']).next().unwrap_or(option);
    let mut path = Vec::new();
    let mut typed = command;
    for word in words.iter().take_while(|word| !word.starts_with(&argument)) {
        if let Some(below) = typed.find_subcommand(word) {
            path.push(below.get_name());
            typed = below;
        }
    }
    let has = |below: &&Command| below.get_arguments().any(|argument| argument.get_long() == Some(option));
    typed.get_subcommands().filter(has).map(|below| [path.as_slice(), &[below.get_name()]].concat().join(" ")).collect()
}

fn what(lang: Lang, error: &Error) -> String {
    let argument = text(error, ContextKind::InvalidArg);
    let value = text(error, ContextKind::InvalidValue);
    let known = text(error, ContextKind::ValidValue);
    let key = match error.kind() {
        ErrorKind::InvalidValue if value.is_empty() && known.is_empty() => "no_value",
        ErrorKind::InvalidValue if value.is_empty() => "no_value_of",
        ErrorKind::InvalidValue if !known.is_empty() => "unknown_value",
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => "bad_value",
        ErrorKind::UnknownArgument => "unknown_argument",
        ErrorKind::InvalidSubcommand => "unknown_command",
        ErrorKind::MissingSubcommand => "no_command",
        ErrorKind::MissingRequiredArgument => "missing",
        ErrorKind::ArgumentConflict if argument == text(error, ContextKind::PriorArg) => "twice",
        ErrorKind::ArgumentConflict => "conflict",
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => "wrong_number",
        ErrorKind::InvalidUtf8 => "not_utf8",
        // In clap's words, which say more than nothing.
        _ => return error.render().to_string().trim_end().to_string(),
    };
    let why = std::error::Error::source(error).map(|why| why_bad(lang, why)).unwrap_or_default();
    let values = [
        ("argument", argument),
        ("value", value),
        ("known", known),
        ("command", text(error, ContextKind::InvalidSubcommand)),
        ("commands", text(error, ContextKind::ValidSubcommand)),
        ("other", text(error, ContextKind::PriorArg)),
        ("why", why),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(lang, &format!("usage.{key}"), &values).trim_end().to_string()
}

/// What would be read instead; what our own readers say, they say themselves.
fn why_bad(lang: Lang, why: &(dyn std::error::Error + 'static)) -> String {
    if why.is::<std::num::ParseIntError>() {
        return say(lang, "usage.number", &[]);
    }
    if why.is::<chrono::ParseError>() {
        return say(lang, "usage.day", &[]);
    }
    match why.downcast_ref::<PlaceError>() {
        Some(error) => super::fault::of_place(lang, error),
        None => why.to_string(),
    }
}

fn text(error: &Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::Strings(list)) => list.join(", "),
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        Some(ContextValue::StyledStrs(list)) => list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        Some(ContextValue::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}
