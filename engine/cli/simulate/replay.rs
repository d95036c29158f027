//! `duban simulate --replay YEAR --rules DIR`: a past year under other rules, beside what was.

use super::idle::filled;
use super::under;
use crate::app::ReplayedItem;
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, progress, table};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::capture;
use crate::kernel::explain::due::name_of;
use crate::kernel::model::Name;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::replay::{Late, Replayed};
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, refusal, say};
use owo_colors::OwoColorize;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

/// So many of each are named; `--json` has all.
const NAMED: usize = 12;

pub async fn run(office: &Office, year: i32, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let days = Date::from_ymd_opt(year, 1, 1).zip(Date::from_ymd_opt(year, 12, 31));
    // Of a year that is not over, what has been of it.
    let last_day = |last: Date| last.min(day_of(office.app.now(), super::zone(&office.app.rules())));
    let days = days.map(|(first, last)| (first, last_day(last))).filter(|(first, last)| first <= last);
    let (first, last) = days.ok_or_else(|| Stop::usage(lang, "replay.year", &[("year", &year.to_string())]))?;
    let rules = under(office, context)?;
    let bar = progress::bar(context, progress::PERCENT);
    bar.set_prefix(say(lang, "simulate.bar", &[]));
    let replayed = office.app.replay(&rules, first, last, progress::moves(&bar)).await;
    bar.finish_and_clear();
    let replayed = replayed.map_err(|error| Stop::store(lang, &error))?;
    if context.json {
        print_json(&replayed, year, &rules, lang);
    } else {
        anstream::print!("{}", text(office, &replayed, year, &rules, lang));
    }
    Ok(exit::DONE)
}

fn text(office: &Office, replayed: &[ReplayedItem], year: i32, under: &RuleSet, lang: Lang) -> String {
    let lived: Vec<&Replayed> = replayed.iter().filter_map(|(_, replayed)| replayed.as_ref().ok()).collect();
    let sum = |of: fn(&Replayed) -> usize| lived.iter().map(|replayed| of(replayed)).sum::<usize>().to_string();
    let in_use = office.app.rules();
    let values = [
        ("year", year.to_string()),
        ("was", office::short(&in_use.hash)),
        ("rules", office::short(&under.hash)),
        ("items", lived.len().to_string()),
        ("commands", sum(|replayed| replayed.commands)),
        ("refused", sum(|replayed| replayed.refused.len())),
    ];
    let mut out = format!("{}\n{}\n", filled(lang, "replay.head", &values).bold(), filled(lang, "replay.totals", &values));
    let workflow = || in_use.workflows.values().next();
    let Some(rules) = workflow() else { return out };

    let mut late: BTreeMap<&Name, (usize, usize)> = BTreeMap::new();
    for replayed in &lived {
        let mut count = |list: &'_ [Late], was: bool, would: bool| {
            for one in list {
                let name = in_use.workflows.values().find_map(|rules| rules.setting.workflow.deadlines.get_key_value(&one.deadline));
                let name = name
                    .or_else(|| under.workflows.values().find_map(|rules| rules.setting.workflow.deadlines.get_key_value(&one.deadline)));
                let Some((name, _)) = name else { continue };
                let entry = late.entry(name).or_default();
                entry.0 += usize::from(was);
                entry.1 += usize::from(would);
            }
        };
        count(&replayed.no_longer_late, true, false);
        count(&replayed.newly_late, false, true);
        count(&replayed.late_both, true, true);
    }
    let rows = late.iter().map(|(name, (was, would))| row(name_of(rules, name), *was as u64, *would as u64, lang));
    out += &section("replay.late", table::columns(rows, 2, &[1, 2]), lang);

    let mut told: BTreeMap<&Name, (u64, u64)> = BTreeMap::new();
    for (notice, (was, would)) in lived.iter().flat_map(|replayed| &replayed.told) {
        let entry = told.entry(notice).or_default();
        entry.0 += was;
        entry.1 += would;
    }
    let title = |notice: &Name| {
        let sets = in_use.workflows.values().chain(under.workflows.values());
        let declared = sets.filter_map(|rules| rules.setting.workflow.notices.get(notice)).next();
        declared.map_or_else(|| notice.to_string(), |declared| declared.title.clone())
    };
    let rows: Vec<_> = told.iter().map(|(notice, (was, would))| row(title(notice), *was, *would, lang)).collect();
    out += &section("replay.told", table::columns(rows, 2, &[1, 2]), lang);

    let refused: Vec<_> = lived.iter().flat_map(|replayed| replayed.refused.iter().map(move |refused| (&replayed.item, refused))).collect();
    let rows = refused.iter().take(NAMED).map(|(item, refused)| {
        let person = capture::title(rules, &refused.person);
        [refused.day.to_string(), item.to_string(), person, name_of(rules, &refused.action), refusal(lang, &refused.why)]
    });
    out += &section("replay.refused", table::columns(rows, 2, &[]) + more(refused.len(), lang).as_str(), lang);

    let newly: Vec<_> = lived.iter().flat_map(|replayed| replayed.newly_late.iter().map(move |late| (&replayed.item, late))).collect();
    out += &section("replay.newly_late", late_text(rules, &newly, lang), lang);
    let no_longer: Vec<_> =
        lived.iter().flat_map(|replayed| replayed.no_longer_late.iter().map(move |late| (&replayed.item, late))).collect();
    out += &section("replay.no_longer_late", late_text(rules, &no_longer, lang), lang);
    let failed = replayed.iter().filter_map(|(item, replayed)| match replayed {
        Err(what) => Some([item.to_string(), what.clone()]),
        Ok(replayed) => replayed.stopped.as_ref().map(|(_, why)| [item.to_string(), refusal(lang, why)]),
    });
    out += &section("simulate.stopped", table::columns(failed.take(NAMED), 2, &[]), lang);
    out
}

fn late_text(rules: &Arc<Rules>, late: &[(&Name, &Late)], lang: Lang) -> String {
    let rows = late.iter().take(NAMED).map(|(item, late)| {
        let branch = late.branch.map(|no| format!("#{no}")).unwrap_or_default();
        [late.due.to_string(), item.to_string(), name_of(rules, &late.deadline), branch]
    });
    table::columns(rows, 2, &[]) + more(late.len(), lang).as_str()
}

fn row(title: String, was: u64, would: u64, lang: Lang) -> [String; 3] {
    [title, filled(lang, "replay.was", &[("count", was.to_string())]), filled(lang, "replay.would", &[("count", would.to_string())])]
}

fn section(key: &str, rows: String, lang: Lang) -> String {
    if rows.trim().is_empty() { String::new() } else { format!("\n{}\n{rows}", say(lang, key, &[]).bold()) }
}

fn more(all: usize, lang: Lang) -> String {
    match all.checked_sub(NAMED) {
        None | Some(0) => String::new(),
        Some(rest) => format!("  {}\n", say(lang, "replay.more", &[("count", &rest.to_string())]).dimmed()),
    }
}

/// One object a line: each item, and the rules last.
fn print_json(replayed: &[ReplayedItem], year: i32, under: &RuleSet, lang: Lang) {
    anstream::println!("{}", json!({ "type": "version", "ui": "1.0" }));
    for (item, replayed) in replayed {
        match replayed {
            Ok(replayed) => {
                let refused: Vec<_> = replayed
                    .refused
                    .iter()
                    .map(|refused| {
                        json!({ "day": refused.day, "action": refused.action, "branch": refused.branch, "person": refused.person, "why": refusal(lang, &refused.why) })
                    })
                    .collect();
                let stopped = replayed.stopped.as_ref().map(|(at, why)| json!({ "at": at, "why": refusal(lang, why) }));
                let mut out = json!(replayed);
                out["type"] = json!("item");
                out["refused"] = json!(refused);
                out["stopped"] = json!(stopped);
                anstream::println!("{out}");
            }
            Err(what) => anstream::println!("{}", json!({ "type": "failed", "item": item, "what": what })),
        }
    }
    anstream::println!("{}", json!({ "type": "summary", "year": year, "rules": under.hash, "items": replayed.len() }));
}
