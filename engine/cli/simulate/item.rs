//! One item if nobody does anything, day by day: what is recorded, who is told, which flags change, each with the line of the rules.

use super::idle::{filled, head};
use super::{Stretch, under};
use crate::cli::office::{self, Office, Stop};
use crate::cli::{Context, exit, table};
use crate::kernel::decide::capture;
use crate::kernel::model::definition::Flag;
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::rules::Rules;
use crate::kernel::simulate::idle::{Fate, FlagChange, Life, Told};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{Lang, due, refusal, say};
use owo_colors::OwoColorize;
use serde_json::json;

pub async fn run(office: &Office, id: &str, stretch: &Stretch, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (today, until) = (stretch.first, stretch.until);
    let set = under(office, context)?;
    let found = office.app.foresee_item(&set, id, stretch.from, until).await.map_err(|error| Stop::act(lang, &error.into()))?;
    let (rules, life) = found.ok_or_else(|| Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", id)]))?;
    if context.json {
        anstream::println!("{}", in_json(&rules, &life, until, lang));
        return Ok(exit::DONE);
    }
    anstream::println!("{}", head(lang, &set, today, until).bold());
    anstream::print!("{}", text(&rules, &life, context));
    Ok(exit::DONE)
}

/// Something that happens at a moment; the engine acts before it mails.
enum Event<'l> {
    Recorded(&'l Fact),
    Flag(&'l FlagChange),
    Mail(&'l Told),
}

fn events(life: &Life) -> Vec<(Instant, Event<'_>)> {
    let recorded = life.facts.iter().map(|fact| (fact.recorded_at, Event::Recorded(fact)));
    let flags = life.flags.iter().map(|change| (change.at, Event::Flag(change)));
    let told = life.told.iter().map(|told| (told.at, Event::Mail(told)));
    let mut out: Vec<_> = recorded.chain(flags).chain(told).collect();
    out.sort_by_key(|(at, event)| {
        let order = match event {
            Event::Recorded(_) => 0,
            Event::Flag(_) => 1,
            Event::Mail(_) => 2,
        };
        (*at, order)
    });
    out
}

fn text(rules: &Rules, life: &Life, context: &Context) -> String {
    let lang = context.lang;
    let zone = rules.setting.workflow.timezone;
    let mut rows = Vec::new();
    for (at, event) in events(life) {
        let (mark, what, detail) = match event {
            Event::Recorded(fact) => ("·".to_string(), fact_text(rules, life, fact, lang), String::new()),
            Event::Flag(change) => (flag_mark(change), flag_text(change, lang), String::new()),
            Event::Mail(told) => ("✉".to_string(), told_text(rules, told, lang), place(rules, told, context)),
        };
        let at = at.with_timezone(&zone);
        rows.push([due::day(lang, at.date_naive()), at.format("%H:%M").to_string(), mark, what, detail]);
    }
    let mut out = table::columns(rows, 2, &[]);
    if out.is_empty() {
        out = format!("  {}\n", say(lang, "simulate.nothing", &[]));
    }
    if let Some((at, why)) = &life.stopped {
        let values = [("at", table::moment(*at, zone)), ("why", refusal(lang, why))];
        out += &format!("  {}\n", filled(lang, "simulate.stops", &values).red());
    }
    let state =
        rules.setting.workflow.states.get(&life.item.state).map_or_else(|| life.item.state.to_string(), |state| state.title.clone());
    out += &format!("{}\n", filled(lang, "simulate.ends", &[("item", life.item.id.to_string()), ("state", state)]));
    out
}

fn fact_text(rules: &Rules, life: &Life, fact: &Fact, lang: Lang) -> String {
    let title = capture::fact_title(rules, &life.item, fact);
    let branch = fact.branch.and_then(|no| crate::kernel::explain::due::title_of_branch(rules, &life.item, no));
    let title = branch.map_or(title.clone(), |branch| format!("{title} {branch}"));
    match &fact.cause {
        Cause::Rung { key, skipped: None, .. } => filled(lang, "show.rung", &[("deadline", title), ("rung", key.rung.to_string())]),
        Cause::Rung { key, skipped: Some(why), .. } => {
            let why = say(lang, &format!("explain.skipped.{why}"), &[]);
            filled(lang, "show.rung_skipped", &[("deadline", title), ("rung", key.rung.to_string()), ("why", why)])
        }
        _ => title,
    }
}

fn flag_mark(change: &FlagChange) -> String {
    match change.to {
        Some(Flag::Red) => format!("{}", "⚑".red()),
        Some(Flag::Amber) => format!("{}", "⚑".yellow()),
        None => "⚐".to_string(),
    }
}

fn flag_text(change: &FlagChange, lang: Lang) -> String {
    let key = match change.to {
        Some(Flag::Red) => "simulate.turns_red",
        Some(Flag::Amber) => "simulate.turns_amber",
        None => "simulate.turns_clear",
    };
    say(lang, key, &[])
}

fn told_text(rules: &Rules, told: &Told, lang: Lang) -> String {
    let notice = rules.setting.workflow.notices.get(&told.notice).map_or_else(|| told.notice.to_string(), |notice| notice.title.clone());
    let role = rules.setting.workflow.roles.get(&told.role).map_or_else(|| told.role.to_string(), |role| role.title.clone());
    let values = [("notice", notice), ("person", capture::title(rules, &told.person)), ("role", role)];
    match &told.fate {
        Fate::Leaves if told.copy => filled(lang, "simulate.copied", &values),
        Fate::Leaves => filled(lang, "simulate.told", &values),
        Fate::NotOwed(why) => {
            let why = say(lang, &format!("simulate.why.{}", why.word()), &[]);
            filled(lang, "simulate.told_not", &[values.as_slice(), &[("why", why)]].concat())
        }
        Fate::Parked(why) if &**why == "nobody" => filled(lang, "simulate.told_nobody", &values),
        Fate::Parked(why) => filled(lang, "simulate.told_not", &[values.as_slice(), &[("why", why.to_string())]].concat()),
    }
}

fn place(rules: &Rules, told: &Told, context: &Context) -> String {
    let place = rules.places.find(&told.rule).filter(|_| !told.rule.is_empty());
    place.map_or_else(String::new, |place| office::place(context, place).dimmed().to_string())
}

fn in_json(rules: &Rules, life: &Life, until: Date, lang: Lang) -> serde_json::Value {
    let told = life.told.iter().map(|told| {
        let place = rules.places.find(&told.rule).filter(|_| !told.rule.is_empty());
        let (fate, why) = match &told.fate {
            Fate::Leaves => ("leaves", None),
            Fate::NotOwed(why) => ("not_owed", Some(why.word().to_string())),
            Fate::Parked(why) => ("parked", Some(why.to_string())),
        };
        json!({
            "at": told.at, "day": told.day, "person": told.person, "role": told.role, "copy": told.copy, "notice": told.notice, "kind": told.kind,
            "branch": told.branch, "rung": told.rung, "fate": fate, "why": why,
            "rule": place.map(|place| json!({ "file": place.file, "line": place.line })),
        })
    });
    let facts = life.facts.iter().map(|fact| {
        json!({ "seq": fact.seq, "name": fact.name, "branch": fact.branch, "on": fact.effective_on, "recorded_at": fact.recorded_at, "cause": fact.cause })
    });
    let flags = life
        .flags
        .iter()
        .map(|change| json!({ "at": change.at, "day": change.day, "from": change.from, "to": change.to, "rung": change.rung }));
    json!({
        "item": life.item.id, "until": until, "rules": rules.hash, "state": life.item.state, "ended": life.item.ended, "flag": life.item.flag,
        "facts": facts.collect::<Vec<_>>(), "notices": told.collect::<Vec<_>>(), "flags": flags.collect::<Vec<_>>(),
        "stopped": life.stopped.as_ref().map(|(at, why)| json!({ "at": at, "why": refusal(lang, why) })),
    })
}
