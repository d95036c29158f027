//! The built-in functions of rules: a fixed list, all pure. Those that need the calendar or the directory find them in
//! the context of the evaluation.

use super::engine::{Answer, date_of, error, kind_of};
use super::names::{FUNCTIONS, spellings};
use super::view::{Shared, texts_to_dynamic};
use crate::kernel::time::{Date, Length, Unit};
use chrono::Datelike;
use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};

pub(super) fn register(engine: &mut Engine) {
    for name in spellings(FUNCTIONS, "days_between") {
        engine.register_fn(name, |from: Date, to: Date| (to - from).num_days());
    }
    for name in spellings(FUNCTIONS, "working_days_between") {
        engine.register_fn(name, |call: NativeCallContext, from: Date, to: Date| -> Answer<i64> {
            Ok(context(&call)?.view.setting.calendar.working_days_between(from, to))
        });
    }
    for name in spellings(FUNCTIONS, "add") {
        engine.register_fn(name, |call: NativeCallContext, date: Date, length: Length| add(&call, date, length));
        engine.register_fn(name, |call: NativeCallContext, date: Date, phrase: ImmutableString| -> Answer<Date> {
            let length = Length::parse(&phrase).ok_or_else(|| error(format!("`{phrase}` is not a length of time")))?;
            add(&call, date, length)
        });
    }
    for name in spellings(FUNCTIONS, "add_working_days") {
        engine.register_fn(name, |call: NativeCallContext, date: Date, count: i64| -> Answer<Date> {
            let limit = i64::from(MAX_COUNT);
            if !(-limit..=limit).contains(&count) {
                return Err(error(format!("{count} working days are too many")));
            }
            let length = Length::new(count.unsigned_abs() as u32, Unit::WorkingDay);
            let setting = &context(&call)?.view.setting;
            let overflow = setting.workflow.month_overflow;
            Ok(match count {
                0 => date,
                1.. => setting.calendar.add(date, length, overflow),
                _ => setting.calendar.subtract(date, length, overflow),
            })
        });
    }
    for name in spellings(FUNCTIONS, "year_of") {
        engine.register_fn(name, |date: Date| i64::from(date.year()));
    }
    for name in spellings(FUNCTIONS, "month_of") {
        engine.register_fn(name, |date: Date| i64::from(date.month()));
    }
    for name in spellings(FUNCTIONS, "date") {
        engine.register_fn(name, |text: ImmutableString| date_of(&text));
    }
    // `contains` of a list stands among the operators, because Rhai calls it for `in`; here are its other spelling and texts.
    for name in spellings(FUNCTIONS, "contains") {
        engine.register_fn(name, |text: ImmutableString, part: ImmutableString| text.contains(part.as_str()));
    }
    for name in spellings(FUNCTIONS, "contains").skip(1) {
        engine.register_fn(name, |list: &mut Array, entry: Dynamic| -> Answer<bool> {
            list.iter().try_fold(false, |found, other| Ok(found || super::engine::same(other, &entry)?))
        });
    }
    for name in spellings(FUNCTIONS, "starts_with") {
        engine.register_fn(name, |text: ImmutableString, start: ImmutableString| text.starts_with(start.as_str()));
    }
    for name in spellings(FUNCTIONS, "len") {
        engine.register_fn(name, |list: &mut Array| list.len() as i64);
        engine.register_fn(name, |text: ImmutableString| text.chars().count() as i64);
    }
    for name in spellings(FUNCTIONS, "min") {
        engine.register_fn(name, |a: i64, b: i64| a.min(b)).register_fn(name, |a: Date, b: Date| a.min(b));
        engine.register_fn(name, incomparable);
    }
    for name in spellings(FUNCTIONS, "max") {
        engine.register_fn(name, |a: i64, b: i64| a.max(b)).register_fn(name, |a: Date, b: Date| a.max(b));
        engine.register_fn(name, incomparable);
    }
    for name in spellings(FUNCTIONS, "is_set") {
        engine.register_fn(name, |value: Dynamic| match value.as_immutable_string_ref() {
            Ok(text) => !text.is_empty(),
            Err(_) => !value.is_unit() && !value.as_array_ref().is_ok_and(|list| list.is_empty()),
        });
    }
    for name in spellings(FUNCTIONS, "members") {
        engine.register_fn(name, |call: NativeCallContext, group: ImmutableString| -> Answer<Array> {
            let view = &context(&call)?.view;
            Ok(texts_to_dynamic(view.setting.directory.group(&group, view.today).iter()))
        });
    }
}

/// As for the phrases of the language.
const MAX_COUNT: u32 = 36_500;

fn add(call: &NativeCallContext, date: Date, length: Length) -> Answer<Date> {
    let setting = &context(call)?.view.setting;
    Ok(setting.calendar.add(date, length, setting.workflow.month_overflow))
}

fn incomparable(a: Dynamic, b: Dynamic) -> Answer<Dynamic> {
    Err(error(format!("{} and {} cannot be compared", kind_of(&a), kind_of(&b))))
}

/// What the evaluation runs in.
pub(super) fn context(call: &NativeCallContext) -> Answer<Shared> {
    let tag = call.tag().and_then(|tag| tag.read_lock::<Shared>().map(|shared| shared.clone()));
    tag.ok_or_else(|| error("the evaluation has no context"))
}
