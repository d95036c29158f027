//! The filters that wording and frames have beside those of minijinja: dates and numbers for reading.
//!
//! Their language is that of the variable `lang` (`zh-CN`, `en`); without it, Chinese.

use crate::kernel::time::Date;
use crate::kernel::words::{self, Lang};
use chrono::Datelike;
use minijinja::value::{Value, ValueKind};
use minijinja::{Environment, Error, ErrorKind, State};

pub fn add_to(environment: &mut Environment<'static>) {
    environment.add_filter("date", |state: &State, value: &Value| dated(state, value, "render.date"));
    environment.add_filter("date_year", |state: &State, value: &Value| dated(state, value, "render.date_year"));
    environment.add_filter("date_short", |state: &State, value: &Value| dated(state, value, "render.date_short"));
    environment.add_filter("weekday", |state: &State, value: &Value| dated(state, value, "render.weekday"));
    environment.add_filter("number", number);
    environment.add_filter("pad", pad);
    environment.add_filter("default", default);
    environment.add_filter("d", default);
}

/// The language in which a rendering speaks.
pub fn lang_of(state: &State) -> Lang {
    match state.lookup("lang") {
        Some(lang) if lang.as_str().is_some_and(|lang| lang.starts_with("en")) => Lang::En,
        _ => Lang::Zh,
    }
}

/// What stands on a form in place of a value that its reader may not see.
pub const NOT_SHOWN: &str = "—";

/// How a value is printed that is empty or may not be seen; nothing when it is there.
fn not_there(value: &Value) -> Option<&'static str> {
    match value.kind() {
        ValueKind::None => Some(""),
        _ => (value.as_str() == Some(NOT_SHOWN)).then_some(NOT_SHOWN),
    }
}

/// A civil date in words; nothing for an empty field.
fn dated(state: &State, value: &Value, key: &str) -> Result<String, Error> {
    if let Some(as_it_is) = not_there(value) {
        return Ok(as_it_is.to_string());
    }
    let date: Date = value
        .as_str()
        .and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("`{value}` is not a date such as 2026-06-30")))?;
    let lang = lang_of(state);
    let weekday = words::say(lang, &format!("render.weekday.{}", date.weekday().number_from_monday()), &[]);
    let month_name = words::say(lang, &format!("render.month.{}", date.month()), &[]);
    let (year, month, day) = (date.year().to_string(), date.month().to_string(), date.day().to_string());
    let values = [("year", &*year), ("month", &*month), ("month_name", &*month_name), ("day", &*day), ("weekday", &*weekday)];
    Ok(match key {
        "render.weekday" => weekday,
        key => words::say(lang, key, &values),
    })
}

/// Groups thousands: 12,345.
fn number(value: &Value) -> Result<String, Error> {
    if let Some(as_it_is) = not_there(value) {
        return Ok(as_it_is.to_string());
    }
    let number = whole(value)?;
    let digits = number.unsigned_abs().to_string();
    let mut out = String::from(if number < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    Ok(out)
}

/// Fills with zeros on the left: `{{ 87 | pad(3) }}` is 087.
fn pad(value: &Value, width: usize) -> Result<String, Error> {
    if value.as_str() == Some(NOT_SHOWN) {
        return Ok(NOT_SHOWN.to_string());
    }
    let number = whole(value)?;
    let width = width.min(20);
    Ok(format!("{number:0width$}"))
}

fn whole(value: &Value) -> Result<i64, Error> {
    let number = match value.as_str() {
        Some(text) => text.parse().ok(),
        None => i64::try_from(value.clone()).ok(),
    };
    number.ok_or_else(|| Error::new(ErrorKind::InvalidOperation, format!("`{value}` is not a whole number")))
}

/// Stands in for a missing name and for an empty field alike.
fn default(value: &Value, instead: Option<Value>) -> Value {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => instead.unwrap_or_else(|| Value::from("")),
        _ => value.clone(),
    }
}
