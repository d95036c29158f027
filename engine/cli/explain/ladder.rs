//! `duban explain escalation ITEM`: every rung of a deadline with its day, its condition, and who would be told today.

use super::who::{filled, values_text};
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit};
use crate::kernel::explain::ladder::{self, Addressee, LadderExplained, RungExplained};
use crate::kernel::model::definition::Flag;
use crate::kernel::words::{Lang, due, say};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, deadline: Option<&str>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = super::item(office, id, lang).await?;
    let name = super::deadline_name(&rules, deadline, lang)?;
    let explained = ladder::explain(&rules, &item, name.map(|name| &**name));
    let explained = explained.map_err(|error| Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]))?;
    if context.json {
        anstream::println!("{}", json!({ "item": item.id, "today": item.today, "ladders": explained }));
        return Ok(exit::DONE);
    }
    if explained.is_empty() {
        anstream::println!("{}", say(lang, "explain.no_ladder", &[("item", &item.id)]));
    }
    for explained in &explained {
        anstream::print!("{}", text(explained, context));
    }
    Ok(exit::DONE)
}

fn text(ladder: &LadderExplained, context: &Context) -> String {
    let lang = context.lang;
    let branch = ladder.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let date = ladder.due.map_or_else(|| say(lang, "explain.no_date", &[]), |date| due::day(lang, date));
    let held = match ladder.held {
        _ if !ladder.running => say(lang, "explain.ladder_over", &[]),
        Some(why) => say(lang, &format!("explain.no_wake.{why}"), &[]),
        None => String::new(),
    };
    let values = [("item", ladder.item.to_string()), ("deadline", format!("{}{branch}", ladder.title)), ("date", date), ("left", held)];
    let mut out = format!("{}\n", filled(lang, "explain.due", &values).trim_end().bold());
    for rung in &ladder.rungs {
        out += &rung_text(rung, context);
    }
    out
}

fn rung_text(rung: &RungExplained, context: &Context) -> String {
    let lang = context.lang;
    let day = rung.day.map_or_else(|| "—".to_string(), |day| due::day(lang, day));
    let state = match (rung.fired_on, &rung.skipped) {
        (Some(_), Some(why)) => say(lang, &format!("explain.skipped.{why}"), &[]),
        (Some(on), None) => filled(lang, "explain.rung_came", &[("on", on.to_string())]),
        (None, _) if rung.day.is_none() => say(lang, "explain.before_start", &[]),
        (None, _) => match rung.leaves_on {
            Some(leaves) if Some(leaves) != rung.day => filled(lang, "explain.leaves", &[("day", leaves.to_string())]),
            _ => say(lang, "explain.coming", &[]),
        },
    };
    let flag = match rung.flag {
        Some(Flag::Red) => format!("  {}", say(lang, "show.red", &[]).red()),
        Some(Flag::Amber) => format!("  {}", say(lang, "show.amber", &[]).yellow()),
        None => String::new(),
    };
    let place = rung.place.as_ref().map(|place| format!("  {}", office::place(context, place).dimmed())).unwrap_or_default();
    let mut out = format!("  {day}  {}  {state}{flag}{place}\n", rung.rung);
    if let (Some(when), Some(holds)) = (&rung.when, rung.holds) {
        let mark = if holds { format!("{}", "✓".green()) } else { format!("{}", "✗".red()) };
        let seen = values_text(&rung.seen, lang);
        let seen = if seen.is_empty() { String::new() } else { format!("  {}", seen.dimmed()) };
        out += &format!("      {mark} {when}{seen}\n");
    }
    if let Some(does) = &rung.does {
        out += &format!("      {}\n", filled(lang, "explain.does", &[("action", does.clone())]));
    }
    for told in &rung.tells {
        let names = |list: &[Addressee]| persons(list, lang);
        let to = if told.to.is_empty() { say(lang, "explain.nobody", &[]) } else { names(&told.to) };
        let cc = if told.cc.is_empty() { String::new() } else { filled(lang, "explain.cc", &[("names", names(&told.cc))]) };
        out += &format!("      {} → {to}{cc}\n", told.title);
    }
    out
}

fn persons(list: &[Addressee], lang: Lang) -> String {
    let names = list.iter().map(|one| filled(lang, "explain.person", &[("person", one.title.clone()), ("role", one.role_title.clone())]));
    names.collect::<Vec<_>>().join(&say(lang, "explain.comma", &[]))
}
