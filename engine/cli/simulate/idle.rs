//! Every open item if nobody does anything: totals and the worst for people, tables for spreadsheets, lines of JSON for programs.

use super::rows::Shown;
use super::{SimulateArgs, Stretch, under};
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, progress, table};
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::rules::RuleSet;
use crate::kernel::simulate::forecast::{DayLoad, Fault};
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, due, refusal, say};
use crate::sheet::write::{self, WriteError};
use chrono::Datelike;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::Path;

/// Longer stretches are told month by month.
const DAYS_SHOWN: i64 = 62;
/// Of what is worst, so many are named; files have all.
const NAMED: usize = 12;

pub async fn run(office: &Office, args: &SimulateArgs, stretch: &Stretch, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (today, until) = (stretch.first, stretch.until);
    let rules = under(office, context)?;
    let bar = progress::bar(context, progress::PERCENT);
    bar.set_prefix(say(lang, "simulate.bar", &[]));
    let foreseen = office.app.foresee(&rules, stretch.from, until, progress::moves(&bar)).await;
    bar.finish_and_clear();
    let foreseen = foreseen.map_err(|error| Stop::store(lang, &error))?;
    let shown = Shown { foreseen: &foreseen, rules: &rules, lang };
    let left = save(args, &shown).map_err(|(path, error)| {
        Stop::new(exit::ENVIRONMENT, lang, "simulate.not_written", &[("path", &path), ("what", &error.to_string())])
    })?;
    if context.json {
        print_json(&shown, today, until);
        return Ok(exit::DONE);
    }
    anstream::print!("{}", text(&shown, today, until));
    for path in [&args.csv, &args.xlsx].into_iter().flatten() {
        anstream::println!("{}", say(lang, "simulate.written", &[("path", &path.display().to_string())]));
    }
    if left > 0 {
        anstream::println!("{}", say(lang, "simulate.cut", &[("rows", &left.to_string())]));
    }
    Ok(exit::DONE)
}

/// Writes the files that were asked for; gives how many rows the workbook has no room for.
fn save(args: &SimulateArgs, shown: &Shown) -> Result<u64, (String, WriteError)> {
    let failed = |path: &Path| {
        let path = path.display().to_string();
        move |error| (path, error)
    };
    if let Some(path) = &args.csv {
        write::csv(path, shown.mails()).map_err(failed(path))?;
    }
    let Some(path) = &args.xlsx else { return Ok(0) };
    write::workbook(path, vec![shown.days(), shown.persons(), shown.reds(), shown.mails()]).map_err(failed(path))
}

fn text(shown: &Shown, today: Date, until: Date) -> String {
    let (lang, forecast) = (shown.lang, &shown.foreseen.forecast);
    let section = |key: &str, rows: String| match rows.is_empty() {
        true => String::new(),
        false => format!("\n{}\n{rows}", say(lang, &format!("simulate.{key}"), &[]).bold()),
    };
    let days = forecast.days();
    let mut out = format!("{}\n", head(lang, shown.rules, today, until).bold());
    out += &format!("{}\n", totals(shown));
    if let Some(most) = days.iter().max_by(|a, b| a.mails.cmp(&b.mails).then(b.day.cmp(&a.day))) {
        let values = [
            ("day", due::day(lang, most.day)),
            ("mails", most.mails.to_string()),
            ("person", shown.title(&most.busiest.0)),
            ("most", most.busiest.1.to_string()),
        ];
        out += &format!("  {}\n", filled(lang, "simulate.most", &values));
    }
    for (why, count) in &forecast.not_owed {
        out += &format!("  {}\n", filled(lang, &format!("simulate.not_owed.{why}"), &[("count", count.to_string())]));
    }
    for (why, count) in &forecast.parked {
        let key = if &**why == "nobody" { "simulate.nobody" } else { "simulate.parked" };
        out += &format!("  {}\n", filled(lang, key, &[("count", count.to_string()), ("why", why.to_string())]).yellow());
    }
    out += &section("by_day", per_day(shown, &days, (until - today).num_days() > DAYS_SHOWN));
    out += &section("by_person", per_person(shown));
    out += &section("by_red", per_red(shown));
    out += &section("unreachable", unreachable(shown));
    out += &section("stopped", stopped(shown));
    out
}

pub fn head(lang: Lang, rules: &RuleSet, today: Date, until: Date) -> String {
    let values = [
        ("from", today.to_string()),
        ("until", until.to_string()),
        ("days", (until - today).num_days().to_string()),
        ("rules", office::short(&rules.hash)),
    ];
    filled(lang, "simulate.head", &values)
}

fn totals(shown: &Shown) -> String {
    let forecast = &shown.foreseen.forecast;
    let kinds = forecast.by_kind();
    let of = |kind: NoticeKind| kinds.get(&kind).copied().unwrap_or(0).to_string();
    let values = [
        ("items", forecast.items.to_string()),
        ("facts", forecast.facts.to_string()),
        ("mails", forecast.count_mails().to_string()),
        ("notices", forecast.count_notices().to_string()),
        ("reminders", of(NoticeKind::Reminder)),
        ("escalations", of(NoticeKind::Escalation)),
        ("messages", of(NoticeKind::Message)),
        ("reds", forecast.count_reds().to_string()),
    ];
    filled(shown.lang, "simulate.totals", &values)
}

/// Each day, or each month of a longer stretch.
fn per_day(shown: &Shown, days: &[DayLoad], by_month: bool) -> String {
    let lang = shown.lang;
    let row = |when: String, loads: &[DayLoad]| {
        let sum = |of: fn(&DayLoad) -> u64| loads.iter().map(of).sum::<u64>().to_string();
        let busiest = loads.iter().max_by(|a, b| a.busiest.1.cmp(&b.busiest.1).then(b.day.cmp(&a.day)));
        let busiest = busiest.map(|load| {
            let values = [("person", shown.title(&load.busiest.0)), ("mails", load.busiest.1.to_string()), ("day", load.day.to_string())];
            filled(lang, if by_month { "simulate.busiest_day" } else { "simulate.busiest" }, &values)
        });
        let mails = filled(lang, "simulate.mails", &[("mails", sum(|load| load.mails))]);
        let values = [
            ("reminders", sum(|load| load.reminders)),
            ("escalations", sum(|load| load.escalations)),
            ("messages", sum(|load| load.messages)),
        ];
        [when, mails, filled(lang, "simulate.kinds", &values), busiest.unwrap_or_default()]
    };
    let rows: Vec<[String; 4]> = match by_month {
        false => days.iter().map(|load| row(due::day(lang, load.day), std::slice::from_ref(load))).collect(),
        true => {
            let same = |a: &DayLoad, b: &DayLoad| (a.day.year(), a.day.month()) == (b.day.year(), b.day.month());
            days.chunk_by(same).map(|month| row(month[0].day.format("%Y-%m").to_string(), month)).collect()
        }
    };
    table::columns(rows, 2, &[1])
}

fn per_person(shown: &Shown) -> String {
    let lang = shown.lang;
    let persons = shown.foreseen.forecast.persons();
    let rows = persons.iter().take(NAMED).map(|load| {
        let values = [("mails", load.busiest.1.to_string()), ("day", load.busiest.0.to_string())];
        let mails = filled(lang, "simulate.mails", &[("mails", load.mails.to_string())]);
        [shown.title(&load.person), shown.unit(&load.person), mails, filled(lang, "simulate.on_day", &values)]
    });
    table::columns(rows, 2, &[2]) + more(lang, persons.len()).as_str()
}

fn per_red(shown: &Shown) -> String {
    let reds = &shown.foreseen.forecast.reds;
    let rows = reds.iter().take(NAMED).map(|red| {
        let deadline = red.rung.as_ref().map(|key| shown.deadline(&red.workflow, &key.deadline)).unwrap_or_default();
        let title = shown.foreseen.titles.get(&red.item).cloned().unwrap_or_default();
        [red.day.to_string(), red.item.to_string(), deadline, title]
    });
    table::columns(rows, 2, &[]) + more(shown.lang, reds.len()).as_str()
}

/// Persons who get something and have no address.
fn unreachable(shown: &Shown) -> String {
    let persons = shown.foreseen.forecast.persons();
    let without = |person: &str| shown.rules.directory.persons.get(person).is_none_or(|person| person.mail.is_none());
    let rows: Vec<_> = persons.iter().filter(|load| without(&load.person)).collect();
    let named = rows.iter().take(NAMED).map(|load| {
        let mails = filled(shown.lang, "simulate.mails", &[("mails", load.mails.to_string())]);
        [shown.title(&load.person), shown.unit(&load.person), mails]
    });
    table::columns(named, 2, &[2]) + more(shown.lang, rows.len()).as_str()
}

fn stopped(shown: &Shown) -> String {
    let stopped = &shown.foreseen.forecast.stopped;
    let rows = stopped.iter().take(NAMED).map(|stopped| {
        let zone = shown.rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        [stopped.item.to_string(), table::moment(stopped.at, zone), fault(shown.lang, &stopped.why)]
    });
    table::columns(rows, 2, &[]) + more(shown.lang, stopped.len()).as_str()
}

fn fault(lang: Lang, why: &Fault) -> String {
    match why {
        Fault::Rules(no) => refusal(lang, no),
        Fault::Reading(what) => what.clone(),
    }
}

fn more(lang: Lang, all: usize) -> String {
    match all.checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(rest) => format!("  {}\n", say(lang, "simulate.more", &[("count", &rest.to_string())]).dimmed()),
    }
}

pub fn filled(lang: Lang, key: &str, values: &[(&str, String)]) -> String {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(lang, key, &values)
}

/// One object a line: mails in the order in which they leave, what turns red, what stopped, and the sums last.
fn print_json(shown: &Shown, today: Date, until: Date) {
    let forecast = &shown.foreseen.forecast;
    anstream::println!("{}", json!({ "type": "version", "ui": "1.0" }));
    for mail in forecast.mails() {
        anstream::println!("{}", shown.mail_in_json(&mail));
    }
    for red in &forecast.reds {
        anstream::println!(
            "{}",
            json!({ "type": "red", "day": red.day, "workflow": red.workflow, "item": red.item, "deadline": red.rung.as_ref().map(|key| &key.deadline),
                "rung": red.rung.as_ref().map(|key| &key.rung), "branch": red.rung.as_ref().and_then(|key| key.branch) })
        );
    }
    for load in forecast.days() {
        let (person, most) = &load.busiest;
        anstream::println!(
            "{}",
            json!({ "type": "day", "day": load.day, "mails": load.mails, "notices": load.notices, "messages": load.messages,
                "reminders": load.reminders, "escalations": load.escalations, "persons": load.persons,
                "busiest": { "person": person, "mails": most } })
        );
    }
    for load in forecast.persons() {
        let (day, most) = load.busiest;
        anstream::println!(
            "{}",
            json!({ "type": "person", "person": load.person, "mails": load.mails, "notices": load.notices, "busiest": { "day": day, "mails": most } })
        );
    }
    for stopped in &forecast.stopped {
        anstream::println!(
            "{}",
            json!({ "type": "stopped", "item": stopped.item, "at": stopped.at, "why": fault(shown.lang, &stopped.why) })
        );
    }
    anstream::println!(
        "{}",
        json!({ "type": "summary", "from": today, "until": until, "rules": shown.rules.hash, "items": forecast.items, "facts": forecast.facts,
            "mails": forecast.count_mails(), "notices": forecast.count_notices(), "by_kind": forecast.by_kind(), "turn_red": forecast.count_reds(),
            "not_owed": forecast.not_owed, "parked": forecast.parked, "stopped": forecast.stopped.len() })
    );
}
