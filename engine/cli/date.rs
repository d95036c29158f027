//! `duban date 2025-11-30 "3 months"`: the date first, then each step of why, then the notices that it rests on.

use crate::files;
use crate::kernel::calendar::Calendar;
use crate::kernel::calendar::question::{Answer, Notice, Question};
use crate::kernel::check::one_calendar;
use crate::kernel::model::definition::{DayOff, MonthOverflow};
use crate::kernel::model::item::DueStep;
use crate::kernel::model::problem::Problem;
use crate::kernel::time::{Date, Length, Unit};
use crate::kernel::words::{Lang, due, say};
use chrono::Datelike;
use clap::{Args, ValueEnum};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Where calendars of the installation stand; the embedded ones are known without it.
const FOLDER: &str = "rules/calendars";

/// More holidays than this on the way are only counted; `--json` has them all.
const SHOWN_ON_THE_WAY: usize = 12;
const SHOWN_NOTICES: usize = 6;

#[derive(Args, Clone, Debug)]
pub struct DateArgs {
    /// The day it is counted from (2025-11-30); the day itself is not counted
    pub from: String,
    /// 30 days, 10 working days, 3 months, 1 year; 30天, 10个工作日, 3个月, 1年
    pub length: String,
    /// A calendar of rules/calendars, or the path of one
    #[arg(long, default_value = "cn")]
    pub calendar: String,
    /// What a month without that day means
    #[arg(long, value_enum, default_value_t = Overflow::LastDay)]
    pub month_overflow: Overflow,
    /// What happens on a day off
    #[arg(long, value_enum, default_value_t = OnDayOff::NextWorkingDay)]
    pub day_off: OnDayOff,
    /// One JSON object instead of text
    #[arg(skip)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Overflow {
    LastDay,
    FirstOfNext,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum OnDayOff {
    NextWorkingDay,
    PreviousWorkingDay,
    Keep,
}

#[derive(Serialize)]
struct Json<'a> {
    calendar: &'a str,
    #[serde(flatten)]
    answer: &'a Answer,
}

/// Finds the calendar, prints the answer, and gives the exit code: 0, 1 when the calendar's file is wrong or lacks a past year, 2 when the question is wrong.
pub fn run(args: &DateArgs, lang: Lang, out: &mut impl Write, complain: &mut impl Write) -> anyhow::Result<i32> {
    let Some((path, text)) = files::calendar(&args.calendar, Path::new(FOLDER))? else {
        let known: Vec<_> = files::CALENDARS.iter().map(|(name, _)| *name).collect();
        let sentence = say(lang, "date.no_calendar", &[("name", &args.calendar), ("folder", FOLDER), ("known", &known.join(", "))]);
        writeln!(complain, "{sentence}")?;
        return Ok(2);
    };
    let path = path.display().to_string();
    let mut problems = Vec::new();
    match one_calendar(&path, &text, &mut problems) {
        Some(data) if !problems.iter().any(Problem::is_error) => Ok(print(args, &Calendar::new(data), lang, out, complain)?),
        _ => {
            let at = |problem: &Problem| format!("{}:{} {}", problem.place.line, problem.place.column, problem.code);
            let places: Vec<_> = problems.iter().filter(|problem| problem.is_error()).map(at).collect();
            writeln!(complain, "{}", say(lang, "date.bad_calendar", &[("path", &path), ("places", &places.join(", "))]))?;
            Ok(1)
        }
    }
}

fn print(args: &DateArgs, calendar: &Calendar, lang: Lang, out: &mut impl Write, complain: &mut impl Write) -> std::io::Result<i32> {
    let from = args.from.trim().parse::<Date>().ok().filter(|day| (1..=9999).contains(&day.year()));
    let Some(from) = from else {
        writeln!(complain, "{}", say(lang, "date.bad_day", &[("text", &args.from)]))?;
        return Ok(2);
    };
    let Some(length) = Length::parse(&args.length) else {
        writeln!(complain, "{}", say(lang, "date.bad_length", &[("text", &args.length)]))?;
        return Ok(2);
    };
    let question = Question { from, length, overflow: args.month_overflow.into(), day_off: args.day_off.into() };
    let answer = question.answer(calendar);
    if let Some(year) = answer.notices.iter().map(|notice| notice.year).find(|year| calendar.lacks(*year)) {
        let known = calendar.data().first_official_year().map(|first| first.to_string()).unwrap_or_default();
        writeln!(complain, "{}", say(lang, "date.lacking_year", &[("year", &year.to_string()), ("first", &known)]))?;
        return Ok(1);
    }
    if args.json {
        let json = Json { calendar: &calendar.data().region, answer: &answer };
        writeln!(out, "{}", serde_json::to_string(&json).map_err(std::io::Error::other)?)?;
    } else {
        out.write_all(text(lang, length, &answer).as_bytes())?;
    }
    Ok(0)
}

/// The answer as a person reads it.
fn text(lang: Lang, length: Length, answer: &Answer) -> String {
    let mut rows = vec![(due::day(lang, answer.from), say(lang, "date.from", &[]))];
    rows.extend(on_the_way(lang, answer));
    for step in &answer.due.steps {
        let sentence = match step {
            // Every year's notice is named below, which says the same and more.
            DueStep::Provisional { .. } => continue,
            DueStep::Length { gives, .. } if length.unit == Unit::WorkingDay => working_days(lang, length.count, *gives == answer.from),
            step => due::step(lang, step, str::to_string),
        };
        rows.push((due::gives(step).map_or_else(String::new, |day| due::day(lang, day)), sentence));
    }
    let key = if answer.due.provisional { "date.provisional" } else { "date.answer" };
    let mut text = say(lang, key, &[("day", &due::day(lang, answer.due.date))]) + "\n";
    for line in aligned(&rows).lines() {
        text.push_str(&format!("  {}\n", line.trim()));
    }
    for notice in answer.notices.iter().take(SHOWN_NOTICES) {
        text.push_str(&format!("  {}\n", source(lang, notice)));
    }
    if let Some(more) = answer.notices.len().checked_sub(SHOWN_NOTICES).filter(|more| *more > 0) {
        text.push_str(&format!("  {}\n", say(lang, "date.sources_more", &[("count", &more.to_string())])));
    }
    text
}

fn working_days(lang: Lang, count: u32, same_day: bool) -> String {
    match count {
        0 if same_day => say(lang, "date.same_day", &[]),
        0 => say(lang, "date.next_working_day", &[]),
        count => say(lang, "date.nth", &[("count", &count.to_string())]),
    }
}

/// Holidays that were skipped and make-up days that were counted, in their order.
fn on_the_way(lang: Lang, answer: &Answer) -> Vec<(String, String)> {
    let skipped = answer.skipped.iter().map(|skipped| {
        let days = match skipped.first == skipped.last {
            true => due::day(lang, skipped.first),
            false => format!("{} {} {}", skipped.first, say(lang, "date.to", &[]), skipped.last),
        };
        (skipped.first, days, say(lang, "date.skipped", &[("holiday", &skipped.holiday)]))
    });
    // The last day is named by its number.
    let counted = answer.makeup_days.iter().filter(|day| **day != answer.due.date);
    let counted = counted.map(|day| (*day, due::day(lang, *day), say(lang, "date.counted", &[])));
    let mut all: Vec<_> = skipped.chain(counted).collect();
    all.sort_by_key(|(first, ..)| *first);
    let more = all.len().saturating_sub(SHOWN_ON_THE_WAY);
    let shown = all.into_iter().take(SHOWN_ON_THE_WAY).map(|(_, days, sentence)| (days, sentence));
    let rest = (more > 0).then(|| (String::new(), say(lang, "date.more", &[("count", &more.to_string())])));
    shown.chain(rest).collect()
}

/// What a year's notice is called.
pub fn source(lang: Lang, notice: &Notice) -> String {
    let year = notice.year.to_string();
    match &notice.source {
        _ if !notice.official => say(lang, "date.derived", &[("year", &year)]),
        Some(source) => say(lang, "date.source", &[("year", &year), ("source", source)]),
        None => say(lang, "date.source_unnamed", &[("year", &year)]),
    }
}

fn aligned(rows: &[(String, String)]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table.add_rows(rows.iter().map(|(left, right)| [left, right]));
    table.to_string()
}

impl From<Overflow> for MonthOverflow {
    fn from(overflow: Overflow) -> Self {
        match overflow {
            Overflow::LastDay => MonthOverflow::LastDay,
            Overflow::FirstOfNext => MonthOverflow::FirstOfNext,
        }
    }
}

impl From<OnDayOff> for DayOff {
    fn from(day_off: OnDayOff) -> Self {
        match day_off {
            OnDayOff::NextWorkingDay => DayOff::NextWorkingDay,
            OnDayOff::PreviousWorkingDay => DayOff::PreviousWorkingDay,
            OnDayOff::Keep => DayOff::Keep,
        }
    }
}
