//! Phrases: about a dozen forms of writing time, each in English and Chinese with the same meaning.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{FieldRef, Holder, RungAt, SendWindow};
use crate::kernel::time::{Date, Length};

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/// `2026-06-30`
pub fn date(text: &str) -> Option<Date> {
    let digits = text.len() == 10
        && text.bytes().enumerate().all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() });
    if digits { Date::parse_from_str(text, "%Y-%m-%d").ok() } else { None }
}

/// `2024-02-10..2024-02-17`, or one day.
pub fn dates(text: &str) -> Option<(Date, Date)> {
    match text.split_once("..") {
        Some((from, to)) => Some((date(from.trim())?, date(to.trim())?)),
        None => date(text).map(|day| (day, day)),
    }
}

/// A length of at least one day, month or year.
pub fn length(text: &str) -> Option<Length> {
    Length::parse(text).filter(|length| length.count > 0)
}

/// `06-30`: a day that exists in some year.
pub fn day_of_year(text: &str) -> Option<(u32, u32)> {
    let (month, day) = text.split_once('-')?;
    if month.len() != 2 || day.len() != 2 {
        return None;
    }
    real_day(number(month)?, number(day)?)
}

/// `until task.promised_on`, `至 task.promised_on`: the field.
pub fn until(text: &str) -> Option<FieldRef> {
    let rest = text.strip_prefix("until ").or_else(|| text.strip_prefix('至'))?;
    field(rest.trim())
}

/// `item.FIELD`, `task.FIELD` or `input.FIELD`.
pub fn field(text: &str) -> Option<FieldRef> {
    let (of, field) = text.split_once('.')?;
    let of = match of {
        "item" | "件" => Holder::Item,
        "task" | "任务" | "本办理" => Holder::Task,
        "input" | "输入" => Holder::Input,
        _ => return None,
    };
    is_name(field).then(|| FieldRef { of, field: field.into() })
}

/// `WORKFLOW.REPORT`
pub fn report(text: &str) -> Option<(Name, Name)> {
    let (workflow, report) = text.split_once('.')?;
    (is_name(workflow) && is_name(report)).then(|| (workflow.into(), report.into()))
}

/// `on 06-30`, `on 10-31 if at least 30 days away`; `6月30日`, `10月31日且至少30天后`: month, day, and how far away at least.
pub fn on_day(text: &str) -> Option<(u32, u32, Option<Length>)> {
    if let Some(rest) = text.strip_prefix("on ") {
        let (day, condition) = match rest.split_once(" if at least ") {
            Some((day, condition)) => (day, Some(condition.strip_suffix(" away")?)),
            None => (rest, None),
        };
        let (month, day) = day_of_year(day.trim())?;
        let at_least = match condition {
            Some(text) => Some(length(text.trim())?),
            None => None,
        };
        return Some((month, day, at_least));
    }
    let (month, rest) = text.split_once('月')?;
    let (day, rest) = rest.split_once('日')?;
    let (month, day) = real_day(number(month)?, number(day)?)?;
    if rest.is_empty() {
        return Some((month, day, None));
    }
    let at_least = rest.strip_prefix("且至少")?.strip_suffix('后')?;
    Some((month, day, Some(length(at_least)?)))
}

/// `20 days before DEADLINE`, `DEADLINE前20天`: the length and the deadline's name.
pub fn before_deadline(text: &str) -> Option<(Length, &str)> {
    if let Some((ahead, name)) = text.split_once(" before ") {
        let name = name.trim();
        return if is_name(name) { Some((length(ahead)?, name)) } else { None };
    }
    let (name, ahead) = text.rsplit_once('前')?;
    let name = name.trim();
    (is_name(name) && name != "到期").then_some(())?;
    Some((length(ahead)?, name))
}

/// Where a rung stands.
pub fn rung_at(text: &str) -> Option<RungAt> {
    let text = text.trim();
    if matches!(text, "on the day" | "到期当天" | "到期当日") {
        return Some(RungAt::OnTheDay);
    }
    if let Some(rest) = text.strip_prefix("every ") {
        if let Some(every) = rest.strip_suffix(" after") {
            return length(every).map(RungAt::EveryAfter);
        }
        let before = rest.strip_suffix(" until due");
        if let Some(every) = before.and_then(length) {
            return Some(RungAt::EveryUntilDue(every));
        }
        let (day, month) = before.unwrap_or(rest).split_once(' ')?;
        let month = MONTHS.iter().position(|name| *name == month)? as u32 + 1;
        let (month, day) = real_day(month, number(day)?)?;
        return Some(RungAt::YearlyUntilDue { month, day });
    }
    if let Some(ahead) = text.strip_suffix(" before") {
        return length(ahead).map(RungAt::Before);
    }
    if let Some(later) = text.strip_suffix(" after") {
        return length(later).map(RungAt::After);
    }
    if let Some(rest) = text.strip_prefix("到期前") {
        if let Some(day) = rest.strip_prefix("每年") {
            let (month, day) = day.split_once('月')?;
            let (month, day) = real_day(number(month)?, number(day.strip_suffix('日')?)?)?;
            return Some(RungAt::YearlyUntilDue { month, day });
        }
        return match rest.strip_prefix('每') {
            Some(every) => length(every).map(RungAt::EveryUntilDue),
            None => length(rest).map(RungAt::Before),
        };
    }
    let rest = text.strip_prefix("到期后")?;
    match rest.strip_prefix('每') {
        Some(every) => length(every).map(RungAt::EveryAfter),
        None => length(rest).map(RungAt::After),
    }
}

/// `working days 09:00-17:00`, `every day 08:00-20:00`, `工作日 09:00-17:00`, `每天 08:00-20:00`.
pub fn send_window(text: &str) -> Option<SendWindow> {
    let days = [("working days", true), ("工作日", true), ("every day", false), ("每天", false), ("每日", false)];
    let (hours, working_days_only) = days.iter().find_map(|(phrase, only)| Some((text.strip_prefix(phrase)?, *only)))?;
    let (opens, closes) = hours.trim().split_once('-')?;
    let (opens, closes) = (hour(opens.trim())?, hour(closes.trim())?);
    (opens < closes).then_some(SendWindow { working_days_only, opens, closes })
}

/// `18:00`, as minutes after midnight; `24:00` is the end of the day.
pub fn hour(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60 || (hours, minutes) == (24, 0)).then_some((hours * 60 + minutes) as u16)
}

/// The same phrase with its Chinese numerals written as digits, if it has any and is a length then: `三十日` → `30日`.
pub fn with_digits(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut value: Option<(u32, u32)> = None;
    let mut changed = false;
    for sign in text.chars() {
        let digit = "零一二三四五六七八九".chars().position(|digit| digit == sign).or((sign == '两').then_some(2));
        value = match (sign, digit, value) {
            (_, Some(digit), None) => Some((0, digit as u32)),
            (_, Some(digit), Some((sum, _))) => Some((sum, digit as u32)),
            ('十', _, None) => Some((10, 0)),
            ('十', _, Some((sum, digit))) => Some((sum + digit.max(1) * 10, 0)),
            ('百', _, Some((sum, digit))) => Some((sum + digit * 100, 0)),
            (_, _, None) => {
                out.push(sign);
                None
            }
            (_, _, Some((sum, digit))) => {
                out += &(sum + digit).to_string();
                out.push(sign);
                None
            }
        };
        changed |= value.is_some();
    }
    (changed && value.is_none() && (length(&out).is_some() || rung_at(&out).is_some())).then_some(out)
}

/// Letters, Chinese characters, digits and `_`, not beginning with a digit.
pub fn is_name(text: &str) -> bool {
    let mut signs = text.chars();
    signs.next().is_some_and(|sign| sign.is_alphabetic() || sign == '_') && signs.all(|sign| sign.is_alphanumeric() || sign == '_')
}

fn real_day(month: u32, day: u32) -> Option<(u32, u32)> {
    Date::from_ymd_opt(2024, month, day).map(|_| (month, day))
}

fn number(text: &str) -> Option<u32> {
    let text = text.trim();
    if text.is_empty() || text.len() > 6 || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}
