//! One cell to one typed value: dates in the forms that lists use, several names in a cell, options by their words.

use super::lookup::{Found, Kind, Lookup};
use super::problem::BETWEEN;
use super::workbook::Cell;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Column, Field, Section};
use crate::kernel::model::value::{Type, Value};
use crate::kernel::time::{Date, Length};
use crate::kernel::words::{self, Lang};
use chrono::{Datelike, Days};

/// What is wrong with a cell; the key of its sentence and what that speaks of.
pub struct Fault {
    pub code: &'static str,
    pub values: Vec<(&'static str, String)>,
}

fn fault<T>(code: &'static str, values: &[(&'static str, &str)]) -> Result<T, Fault> {
    Err(Fault { code, values: values.iter().map(|(name, value)| (*name, value.to_string())).collect() })
}

/// Reads a cell of a declared column.
pub fn read(cell: &Cell, name: &str, column: &Column, fields: &Section<Field>, lookup: &Lookup) -> Result<Value, Fault> {
    Reader { name, column, fields, lookup }.value(cell, &column.kind)
}

struct Reader<'a> {
    name: &'a str,
    column: &'a Column,
    fields: &'a Section<Field>,
    lookup: &'a Lookup<'a>,
}

impl Reader<'_> {
    fn value(&self, cell: &Cell, kind: &Type) -> Result<Value, Fault> {
        if let Cell::Failed(shown) = cell {
            return fault("sheet.failed_formula", &[("text", shown)]);
        }
        if let Type::Date = kind {
            return date(cell).map(Value::Date);
        }
        if let Type::Optional(inner) = kind {
            return self.value(cell, inner);
        }
        let text = text_of(cell)?;
        match kind {
            Type::Text => self.text(&text),
            Type::Item => Ok(Value::text(&compact(&text))),
            Type::Number => number(&text).map(Value::Number),
            Type::Year => number(&text)
                .ok()
                .filter(|year| (1949..=2200).contains(year))
                .map(Value::Number)
                .map_or_else(|| fault("sheet.not_a_year", &[("text", &text)]), Ok),
            Type::YesNo => self.yes_no(cell, &text),
            Type::Choice(options) => self.choice(&text, options),
            Type::Duration => {
                Length::parse(&compact(&text)).map(Value::Length).map_or_else(|| fault("sheet.not_a_length", &[("text", &text)]), Ok)
            }
            Type::Unit => self.named(&text, Kind::Unit),
            Type::Person => self.named(&text, Kind::Person),
            Type::List(inner) => self.list(&text, inner).map(Value::List),
            _ => fault("sheet.kind_not_read", &[]),
        }
    }

    /// What names the item, or must be unique, is kept in its compact form: a stray space must not make it another.
    fn text(&self, text: &str) -> Result<Value, Fault> {
        let names_something = self.fields.get(self.name).is_some_and(|field| field.unique);
        Ok(Value::text(&if names_something { compact(text) } else { tidy(text) }))
    }

    fn yes_no(&self, cell: &Cell, text: &str) -> Result<Value, Fault> {
        if let Cell::Bool(value) = cell {
            return Ok(Value::Bool(*value));
        }
        let is = |key: &str| {
            [Lang::Zh, Lang::En].iter().any(|lang| words::say(*lang, key, &[]).split_whitespace().any(|word| same_name(word, text)))
        };
        match (is("sheet.words_for_yes"), is("sheet.words_for_no")) {
            (true, _) => Ok(Value::Bool(true)),
            (_, true) => Ok(Value::Bool(false)),
            _ => fault("sheet.not_yes_or_no", &[("text", text)]),
        }
    }

    /// By the words that the import lists, by an option's own name, or by its title.
    fn choice(&self, text: &str, options: &[Name]) -> Result<Value, Fault> {
        let titles = self.fields.get(self.name).map(|field| &field.option_titles);
        let known = self.column.values.iter().map(|(word, option)| (word.as_ref(), option));
        let known = known.chain(options.iter().map(|option| (&**option, option)));
        let known = known.chain(titles.into_iter().flatten().map(|(option, title)| (title.as_str(), option)));
        match known.clone().find(|(word, option)| same_name(word, text) && options.contains(option)) {
            Some((_, option)) => Ok(Value::Text(option.clone())),
            None => {
                let words: Vec<&str> = if self.column.values.is_empty() {
                    known.map(|(word, _)| word).collect()
                } else {
                    self.column.values.keys().map(|word| word.as_ref()).collect()
                };
                fault("sheet.not_an_option", &[("text", text), ("options", &words.join(BETWEEN))])
            }
        }
    }

    fn named(&self, text: &str, kind: Kind) -> Result<Value, Fault> {
        let text = tidy(text);
        match self.lookup.find(kind, &text) {
            Found::One(id) => Ok(Value::Text(id)),
            Found::Several(ids) => fault("sheet.several_called_so", &[("text", &text), ("ids", &ids.join(BETWEEN))]),
            Found::None(Some(near)) => fault("sheet.unknown_name_nearest", &[("text", &text), ("nearest", &near)]),
            Found::None(None) => fault("sheet.unknown_name", &[("text", &text)]),
        }
    }

    /// Entries stand apart by 、，,；; / or a line break, and names that are known also by spaces. The same entry twice counts once.
    fn list(&self, text: &str, inner: &Type) -> Result<Vec<Value>, Fault> {
        let kind = match inner {
            Type::Unit => Some(Kind::Unit),
            Type::Person => Some(Kind::Person),
            _ => None,
        };
        let mut values = Vec::new();
        for entry in text.split(['、', '，', ',', ';', '；', '/', '\n', '\r']).filter(|entry| !compact(entry).is_empty()) {
            let words: Vec<&str> = entry.split_whitespace().collect();
            let apart = kind.is_some_and(|kind| {
                words.len() > 1 && !self.lookup.knows(kind, entry) && words.iter().all(|word| self.lookup.knows(kind, word))
            });
            for word in if apart { words } else { vec![entry] } {
                let value = self.value(&Cell::Text(word.to_string()), inner)?;
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        Ok(values)
    }
}

fn text_of(cell: &Cell) -> Result<String, Fault> {
    Ok(match cell {
        Cell::Text(text) => text.clone(),
        Cell::Number(number) if number.fract() == 0.0 && number.abs() < 1e15 => format!("{number:.0}"),
        Cell::Number(number) => number.to_string(),
        Cell::Date(date) => date.to_string(),
        Cell::Bool(value) => value.to_string(),
        Cell::Failed(shown) => return fault("sheet.failed_formula", &[("text", shown)]),
    })
}

fn number(text: &str) -> Result<i64, Fault> {
    let digits = compact(text).replace(',', "");
    digits.parse().or_else(|_| fault("sheet.not_a_number", &[("text", text)]))
}

/// A date cell, a serial number without its format, or text in one of the usual forms. The year must be plausible: a slip of the
/// keyboard must not become a deadline.
fn date(cell: &Cell) -> Result<Date, Fault> {
    let found = match cell {
        Cell::Date(date) => Some(*date),
        Cell::Number(number) => serial_date(*number).or_else(|| written_date(&format!("{number}"))),
        Cell::Text(text) => written_date(text).or_else(|| compact(text).parse().ok().and_then(serial_date)),
        _ => None,
    };
    match found.filter(|date| (1949..=2100).contains(&date.year())) {
        Some(date) => Ok(date),
        None => fault("sheet.not_a_date", &[("text", &shown(cell))]),
    }
}

fn shown(cell: &Cell) -> String {
    text_of(cell).map(|text| tidy(&text)).unwrap_or_default()
}

/// Days since 1899-12-30, as Excel stores dates; only what lies between 1954 and 2119 can be meant.
fn serial_date(number: f64) -> Option<Date> {
    let days = (20_000.0..80_000.0).contains(&number).then_some(number as u64)?;
    Date::from_ymd_opt(1899, 12, 30)?.checked_add_days(Days::new(days))
}

/// `2024-03-05`, `2024/3/5`, `2024.3.5`, `2024年3月5日`, `二〇二四年三月五日`, `20240305`, each perhaps followed by an hour, a
/// weekday or a remark in brackets. Year, month and day in this order, the year in full.
fn written_date(text: &str) -> Option<Date> {
    let text = half_width(text).trim().replace(['年', '月', '/', '.'], "-").replace('日', " ");
    let text = text.split(['T', '(', '号']).next().unwrap_or_default();
    let mut parts = text.split('-').map(str::trim);
    let (year, month, rest) = (parts.next()?, parts.next(), parts.next());
    if parts.next().is_some_and(|more| !more.is_empty()) {
        return None;
    }
    let (Some(month), Some(rest)) = (month, rest) else {
        let digits =
            year.split_whitespace().next().filter(|digits| digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        return Date::parse_from_str(digits, "%Y%m%d").ok();
    };
    let mut after_month = rest.split_whitespace();
    let day = after_month.next()?;
    if !after_month.all(is_hour_or_weekday) {
        return None;
    }
    let year = (year.chars().count() == 4).then(|| counted(year))??;
    Date::from_ymd_opt(i32::try_from(year).ok()?, counted(month)?, counted(day)?)
}

/// `0:00:00`, `星期二`, `周二`
fn is_hour_or_weekday(text: &str) -> bool {
    text.starts_with("星期") || text.starts_with('周') || text.chars().all(|sign| sign.is_ascii_digit() || sign == ':')
}

/// A number in digits (`2024`, `05`), or in Chinese as dates are written (`二〇二四`, `十二`, `二十一`).
fn counted(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.len() <= 4 && !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let digit = |sign: char| {
        "〇一二三四五六七八九".chars().position(|known| known == sign || (known == '〇' && matches!(sign, '零' | '○'))).map(|at| at as u32)
    };
    match text.split_once('十') {
        Some((tens, ones)) => {
            let one_sign = |text: &str, none: u32| {
                if text.is_empty() { Some(none) } else { text.chars().next().filter(|_| text.chars().count() == 1).and_then(digit) }
            };
            Some(one_sign(tens, 1)? * 10 + one_sign(ones, 0)?)
        }
        None if !text.is_empty() && text.chars().count() <= 4 => text.chars().try_fold(0, |sum, sign| Some(sum * 10 + digit(sign)?)),
        None => None,
    }
}

/// Full-width digits, letters and signs as half-width ones.
fn half_width(text: &str) -> String {
    let narrow = |sign: char| match sign {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    };
    text.chars().map(narrow).collect()
}

fn is_invisible(sign: char) -> bool {
    sign.is_control() && !sign.is_whitespace()
        || matches!(sign, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// For comparing names: half-width, without any white space or invisible signs.
pub fn compact(text: &str) -> String {
    half_width(text).chars().filter(|sign| !sign.is_whitespace() && !is_invisible(*sign)).collect()
}

pub fn same_name(one: &str, other: &str) -> bool {
    compact(one).eq_ignore_ascii_case(&compact(other))
}

/// For keeping text: one line, digits and letters half-width, white space single and none between two Chinese characters.
/// Chinese punctuation stays.
pub fn tidy(text: &str) -> String {
    let narrow = |sign: char| match sign {
        '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => char::from_u32(sign as u32 - 0xfee0).unwrap_or(sign),
        other => other,
    };
    let is_chinese = |sign: char| {
        ('\u{2e80}'..='\u{9fff}').contains(&sign)
            || ('\u{ff00}'..='\u{ffef}').contains(&sign)
            || ('\u{20000}'..='\u{3ffff}').contains(&sign)
    };
    let clean: String = text.chars().filter(|sign| !is_invisible(*sign)).map(narrow).collect();
    let mut out = String::with_capacity(clean.len());
    for word in clean.split_whitespace() {
        let apart = !out.is_empty() && !(out.ends_with(is_chinese) && word.starts_with(is_chinese));
        if apart {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}
