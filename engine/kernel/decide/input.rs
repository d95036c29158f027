//! What a person hands in: every asked value is there, known, and of its type.

use super::refusal;
use crate::kernel::model::Name;
use crate::kernel::model::attached::{Attached, PREFIX};
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Length};

/// The input with every value in its type; unknown, missing and unfit values are refused.
pub fn read(rules: &Rules, item: &Item, action: &Action, by: &By, given: &Fields) -> Result<Fields, Refusal> {
    let mut out = Fields::new();
    let asks = || action.ask.iter().chain(&by.ask);
    for name in given.keys() {
        if !asks().any(|ask| ask.name == *name) {
            let known: Vec<&str> = asks().map(|ask| &*ask.name).collect();
            return Err(refusal(RefusalCode::UnknownInput, &[("action", &action.title), ("input", name), ("known", &known.join(", "))]));
        }
    }
    for ask in asks() {
        let value = given.get(&ask.name).filter(|value| !blank(value));
        let Some(value) = value else {
            if ask.required {
                return Err(refusal(RefusalCode::MissingInput, &[("action", &action.title), ("input", &ask.name), ("title", &ask.title)]));
            }
            continue;
        };
        let value = coerce(rules, item, &ask.kind, value).map_err(|wants| {
            let given = serde_json::to_string(value).unwrap_or_default();
            let wants = wants.unwrap_or_else(|| kind_word(&ask.kind));
            refusal(
                RefusalCode::BadInput,
                &[("action", &action.title), ("input", &ask.name), ("title", &ask.title), ("value", &given), ("wants", &wants)],
            )
        })?;
        out.insert(ask.name.clone(), value);
    }
    Ok(out)
}

fn blank(value: &Value) -> bool {
    match value {
        Value::Empty => true,
        Value::Text(text) => text.trim().is_empty(),
        _ => false,
    }
}

/// The value in a type. Texts are read as dates, lengths, numbers, options and names of the directory where that is wanted;
/// the error says what would do, when there is more to say than the type.
pub fn coerce(rules: &Rules, item: &Item, kind: &Type, value: &Value) -> Result<Value, Option<String>> {
    let bad = || Err(None);
    match (kind, value) {
        (_, Value::Empty) => Ok(Value::Empty),
        (Type::Optional(kind), value) => coerce(rules, item, kind, value),
        // A reference to a file that was handed in, or a line that tells where a paper is kept.
        (Type::File, Value::Text(text)) if text.starts_with(PREFIX) && Attached::read(text).is_none() => bad(),
        (Type::Text | Type::File, Value::Text(text)) if clean(text) => Ok(Value::Text(text.clone())),
        (Type::Text, Value::Number(number)) => Ok(Value::text(&number.to_string())),
        (Type::Text, Value::Date(date)) => Ok(Value::text(&date.to_string())),
        (Type::Item, Value::Text(_)) => Ok(value.clone()),
        (Type::YesNo, Value::Bool(_)) | (Type::Number | Type::Year, Value::Number(_)) => Ok(value.clone()),
        (Type::Date, Value::Date(_)) | (Type::Duration, Value::Length(_)) => Ok(value.clone()),
        (Type::YesNo, Value::Text(text)) => match &**text {
            "true" | "yes" => Ok(Value::Bool(true)),
            "false" | "no" => Ok(Value::Bool(false)),
            _ => bad(),
        },
        (Type::Number | Type::Year, Value::Text(text)) => text.trim().parse().map(Value::Number).map_err(|_| None),
        (Type::Date, Value::Text(text)) => text.trim().parse::<Date>().map(Value::Date).map_err(|_| None),
        (Type::Duration, Value::Text(text)) => Length::parse(text).map(Value::Length).ok_or(None),
        (Type::Choice(options), Value::Text(text)) => match options.iter().find(|option| *option == text) {
            Some(option) => Ok(Value::Text(option.clone())),
            None => Err(Some(options.join(", "))),
        },
        (Type::Unit, Value::Text(text)) => unit(rules, text),
        (Type::Person, Value::Text(text)) => person(rules, text),
        (Type::Branch(kind), Value::Number(no)) => {
            let found = u32::try_from(*no).ok().and_then(|no| item.branch(no)).filter(|branch| branch.kind == *kind);
            if found.is_some() { Ok(value.clone()) } else { bad() }
        }
        (Type::Branch(_), Value::Text(text)) => match text.trim().parse() {
            Ok(no) => coerce(rules, item, kind, &Value::Number(no)),
            Err(_) => bad(),
        },
        (Type::List(kind), Value::List(list)) => {
            Ok(Value::List(list.iter().map(|value| coerce(rules, item, kind, value)).collect::<Result<_, _>>()?))
        }
        (Type::List(kind), Value::Text(_)) => Ok(Value::List(vec![coerce(rules, item, kind, value)?])),
        (Type::Record(branch), Value::Record(given)) => record(rules, item, branch, given),
        _ => bad(),
    }
}

fn record(rules: &Rules, item: &Item, branch: &str, given: &Fields) -> Result<Value, Option<String>> {
    let Some(fields) = rules.setting.workflow.fields_of(Some(branch)) else { return Err(None) };
    let mut out = Fields::new();
    for (name, value) in given {
        let Some(field) = fields.get(name) else { return Err(Some(fields.keys().map(|name| &**name).collect::<Vec<_>>().join(", "))) };
        out.insert(name.clone(), coerce(rules, item, &field.kind, value)?);
    }
    match fields.iter().find(|(name, field)| field.required && !out.contains_key(*name)) {
        Some((name, _)) => Err(Some(name.to_string())),
        None => Ok(Value::Record(out)),
    }
}

/// No control characters except line breaks and tabs inside longer texts.
fn clean(text: &str) -> bool {
    !text.chars().any(|c| c.is_control() && c != '\n' && c != '\t' && c != '\r')
}

fn unit(rules: &Rules, text: &Name) -> Result<Value, Option<String>> {
    let directory = &rules.setting.directory;
    let titles = || directory.units.values().map(|unit| unit.title.as_str());
    directory.unit_called(text).map(|id| Value::Text(id.clone())).ok_or_else(|| nearest(text, titles()))
}

fn person(rules: &Rules, text: &Name) -> Result<Value, Option<String>> {
    let persons = &rules.setting.directory.persons;
    if persons.contains_key(text) {
        return Ok(Value::Text(text.clone()));
    }
    let mut named = persons.iter().filter(|(_, person)| person.title == **text);
    match (named.next(), named.next()) {
        (Some((id, _)), None) => Ok(Value::Text(id.clone())),
        (Some((first, _)), Some((second, _))) => Err(Some(format!("{first}, {second}"))),
        (None, _) => Err(nearest(text, persons.iter().map(|(_, person)| person.title.as_str()))),
    }
}

fn nearest<'a>(text: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let best = known.map(|known| (strsim::normalized_damerau_levenshtein(text, known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > 0.4).map(|(_, known)| known.to_string())
}

/// The type's name in the language.
pub fn kind_word(kind: &Type) -> String {
    match kind {
        Type::YesNo => "yes_no".into(),
        Type::Number => "number".into(),
        Type::Text => "text".into(),
        Type::Choice(options) => options.join(", "),
        Type::Date => "date (2026-06-30)".into(),
        Type::Year => "year (2026)".into(),
        Type::Duration => "duration (3 months)".into(),
        Type::Person => "person".into(),
        Type::Unit => "unit".into(),
        Type::File => "file".into(),
        Type::Item => "item".into(),
        Type::List(kind) => format!("[{}]", kind_word(kind)),
        Type::Record(branch) | Type::Branch(branch) => branch.to_string(),
        Type::Optional(kind) => kind_word(kind),
        _ => "view".into(),
    }
}
