//! `duban explain`: why this date, why (not) this action, this mail, no mail, this person, each with the line of the rules that says so.

mod doers;
mod ladder;
mod mail;
mod silence;
mod wakeups;
mod who;

use crate::app::outbox;
use crate::cli::office::{self, Office, Stop, wait_for};
use crate::cli::{Context, exit, table};
use crate::kernel::decide::capture;
use crate::kernel::explain::{action, days, due};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::fact::RungKey;
use crate::kernel::model::item::{ClockEndHow, DueStep, Fired, Item};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, due as due_words, refusal, say};
use crate::store::outbox::NoticeStatus;
use clap::{Args, Subcommand};
use owo_colors::OwoColorize;
use serde_json::json;
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
pub struct ExplainArgs {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Why a due date is that date: duban explain due 2024-087 reply
    Due {
        item: String,
        /// A deadline by its name or title; all of the item without it
        deadline: Option<String>,
        /// Each day on the way: which counted, which was passed over, and the calendar notice that says so
        #[arg(long)]
        days: bool,
    },
    /// Step by step how a deadline escalates, and who would be told today: duban explain escalation 2024-087 reply
    Escalation {
        item: String,
        /// A deadline by its name or title; all that run without it
        deadline: Option<String>,
    },
    /// Why a mail was sent: duban explain mail REFERENCE (it stands at the end of every mail)
    Mail {
        /// The reference, the Message-ID, or the key of a notice
        id: String,
    },
    /// Why somebody got no mail about an item: duban explain why-no-mail 2024-087 --to PERSON --since 2024-06-01
    WhyNoMail {
        item: String,
        #[arg(long, value_name = "PERSON")]
        to: String,
        /// Nothing before this day is looked at
        #[arg(long, value_name = "DAY")]
        since: Option<Date>,
    },
    /// Who holds a role in an item today, and by which row of the directory: duban explain who case_officer 2024-087
    Who {
        /// A role by its name or title
        role: String,
        item: String,
        /// A branch: its number, or its kind with the unit or person
        #[arg(long)]
        branch: Option<String>,
    },
    /// When an item is looked at next, and why then
    Wakeups { item: String },
    /// Why a person may, or may not, do an action: duban explain action 2024-087 assign --as PERSON; without --as, who may
    Action {
        item: String,
        /// An action by its name or title
        action: String,
        #[arg(long = "as", value_name = "PERSON")]
        person: Option<String>,
        /// A branch: its number, or its kind with the unit or person
        #[arg(long)]
        branch: Option<String>,
    },
}

pub fn run(args: &ExplainArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let code = match &args.what {
            What::Due { item, deadline, days } => explain_due(&office, item, deadline.as_deref(), *days, context).await?,
            What::Escalation { item, deadline } => ladder::run(&office, item, deadline.as_deref(), context).await?,
            What::Mail { id } => mail::run(&office, id, context).await?,
            What::WhyNoMail { item, to, since } => silence::run(&office, item, to, *since, context).await?,
            What::Who { role, item, branch } => who::run(&office, role, item, branch.as_deref(), context).await?,
            What::Wakeups { item } => wakeups::run(&office, item, context).await?,
            What::Action { item, action, person: Some(person), branch } => {
                explain_action(&office, item, action, person, branch.as_deref(), context).await?
            }
            What::Action { item, action, person: None, branch } => doers::run(&office, item, action, branch.as_deref(), context).await?,
        };
        office.close().await;
        Ok(code)
    })
}

async fn item(office: &Office, id: &str, lang: Lang) -> anyhow::Result<(Arc<Rules>, Arc<Item>)> {
    let item = office.app.item(id).await.map_err(|error| Stop::act(lang, &error.into()))?;
    let item = item.ok_or_else(|| Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", id)]))?;
    Ok((office.rules_of(&item.workflow)?, item))
}

/// A deadline by its name or title.
fn deadline_name<'r>(rules: &'r Rules, deadline: Option<&str>, lang: Lang) -> anyhow::Result<Option<&'r Name>> {
    let deadlines = &rules.setting.workflow.deadlines;
    let Some(text) = deadline else { return Ok(None) };
    let found = deadlines.iter().find(|(name, deadline)| ***name == *text || deadline.title == text).map(|(name, _)| name);
    let known = || deadlines.iter().map(|(name, deadline)| format!("{name} {}", deadline.title)).collect::<Vec<_>>().join(", ");
    Ok(Some(found.ok_or_else(|| Stop::usage(lang, "explain.no_deadline", &[("deadline", text), ("known", &known())]))?))
}

async fn explain_due(office: &Office, id: &str, deadline: Option<&str>, by_days: bool, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = item(office, id, lang).await?;
    let name = deadline_name(&rules, deadline, lang)?;
    let explained = due::explain(&rules, &item, name.map(|name| &**name));
    if context.json {
        anstream::println!("{}", json!({ "item": item.id, "today": item.today, "due": explained }));
        return Ok(exit::DONE);
    }
    if explained.is_empty() {
        anstream::println!("{}", say(lang, "explain.never_started", &[("item", &item.id)]));
    }
    let notices = office.app.store.notices_of(&item.id).await.map_err(|error| Stop::store(lang, &error))?;
    for (index, explained) in explained.iter().enumerate() {
        if index > 0 {
            anstream::println!();
        }
        anstream::print!("{}", due_text(&rules, &item, explained, &notices, context));
        anstream::print!("{}", way_text(explained, by_days, lang));
    }
    Ok(exit::DONE)
}

/// How long there is, or how late it is.
pub fn remaining(due: &due::DueExplained, lang: Lang) -> String {
    let mut out = match (due.ended, due.working_days_left) {
        (Some((on, ClockEndHow::Done)), _) if due.late => say(lang, "explain.ended_late", &[("on", &on.to_string())]),
        (Some((on, ClockEndHow::Done)), _) => say(lang, "explain.ended", &[("on", &on.to_string())]),
        (Some((on, _)), _) => say(lang, "explain.dropped", &[("on", &on.to_string())]),
        (None, None) => String::new(),
        (None, Some(_)) if due.paused => say(lang, "explain.paused", &[]),
        (None, Some(days)) if due.window && days < 0 => say(lang, "explain.window_over", &[]),
        (None, Some(0)) if !due.late => say(lang, "explain.today", &[]),
        (None, Some(days)) if due.late => say(lang, "explain.late", &[("days", &(-days).to_string())]),
        (None, Some(days)) => say(lang, "explain.left", &[("days", &days.to_string())]),
    };
    if due.provisional {
        out += &say(lang, "explain.provisional", &[]);
    }
    out
}

fn due_text(rules: &Rules, item: &Item, due: &due::DueExplained, notices: &[NoticeStatus], context: &Context) -> String {
    let lang = context.lang;
    let word = |key: &str| say(lang, &format!("explain.{key}"), &[]);
    let branch = due.branch.as_ref().map(|branch| format!(" {branch}")).unwrap_or_default();
    let date = due.date.map_or_else(|| word("no_date"), |date| due_words::day(lang, date));
    let values = [("item", &*item.id), ("deadline", &format!("{}{branch}", due.title)), ("date", &date), ("left", &remaining(due, lang))];
    let mut out = format!("{}\n", say(lang, "explain.due", &values).bold());
    let title = |name: &str| due::name_of(rules, name);
    let mut rows: Vec<[String; 2]> = due
        .steps
        .iter()
        .map(|step: &DueStep| {
            let day = due_words::gives(step).map(|day| due_words::day(lang, day)).unwrap_or_default();
            [day, due_words::step(lang, step, title)]
        })
        .collect();
    if let Some(place) = &due.place {
        rows.push([
            String::new(),
            say(lang, "explain.place", &[("place", &office::place(context, place)), ("rules", &office::short(&due.rules))]),
        ]);
    }
    out += &table::columns(rows, 2, &[]);
    let mut rungs = Vec::new();
    for fired in &due.fired {
        let what = match &fired.skipped {
            Some(why) => say(lang, &format!("explain.skipped.{why}"), &[]),
            None => told(item, due, fired, notices, rules.setting.workflow.timezone, lang),
        };
        rungs.push([fired.on.to_string(), fired.rung.to_string(), what, String::new()]);
    }
    for coming in &due.coming {
        let tells: Vec<String> = coming.tells.iter().map(|notice| notice_title(rules, notice)).collect();
        let what = match coming.leaves_on == coming.day {
            _ if coming.too_late => word("too_late"),
            true => word("coming"),
            false => say(lang, "explain.leaves", &[("day", &coming.leaves_on.to_string())]),
        };
        let condition = if coming.conditional { word("conditional") } else { String::new() };
        rungs.push([coming.day.to_string(), coming.rung.to_string(), what, format!("{}{condition}", tells.join(&word("comma")))]);
    }
    if !rungs.is_empty() {
        out += &format!("  {}\n{}", word("rungs"), table::columns(rungs, 4, &[]));
    }
    out
}

/// The days that were passed over, or every day, and the notices of the calendar behind them.
fn way_text(due: &due::DueExplained, by_days: bool, lang: Lang) -> String {
    let Some(way) = &due.way else { return String::new() };
    let passed =
        |day: &&days::Day| by_days || day.number.is_none() && day.what != days::What::WorkingDay || day.what == days::What::MakeUpDay;
    let shown: Vec<&days::Day> = way.days.iter().filter(passed).collect();
    // Weekends alone say nothing that is not known; with holidays in between they belong to the picture.
    let of_interest = by_days || shown.iter().any(|day| day.what != days::What::Weekend);
    if shown.is_empty() || !of_interest {
        return String::new();
    }
    let same = |a: &&days::Day, b: &&days::Day| !by_days && a.what == b.what && a.holiday == b.holiday && a.day.succ_opt() == Some(b.day);
    let rows = shown.chunk_by(same).filter(|run| by_days || run[0].what != days::What::Weekend).map(|run| {
        let (first, last) = (run[0], run[run.len() - 1]);
        let day = match first.day == last.day {
            true => due_words::day(lang, first.day),
            false => format!("{} {} {}", first.day, say(lang, "date.to", &[]), last.day),
        };
        let number = first.number.map(|number| say(lang, "date.nth", &[("count", &number.to_string())])).unwrap_or_default();
        let what = match (first.what, &first.holiday) {
            (days::What::Holiday, Some(holiday)) => say(lang, "date.skipped", &[("holiday", holiday)]),
            (days::What::MakeUpDay, _) => say(lang, "date.counted", &[]),
            (days::What::Paused, _) => say(lang, "explain.day.paused", &[]),
            (days::What::WorkingDay, _) => String::new(),
            (days::What::Weekend | days::What::Holiday, _) => say(lang, "explain.day.weekend", &[]),
        };
        [day, number, what]
    });
    let mut out = format!("  {}\n{}", say(lang, "explain.way", &[]), table::columns(rows, 4, &[]));
    for notice in &way.notices {
        out += &format!("    {}\n", crate::cli::date::source(lang, notice).dimmed());
    }
    out
}

/// What became of what a rung told: it is the notice that knows whether it left. A rung that tells nobody is only recorded.
fn told(item: &Item, due: &due::DueExplained, fired: &Fired, notices: &[NoticeStatus], zone: chrono_tz::Tz, lang: Lang) -> String {
    let (deadline, rung) = (due.deadline.clone(), fired.rung.clone());
    let key = RungKey { deadline, branch: due.branch_number, cycle: due.cycle, rung, occurrence: fired.occurrence };
    let cause = format!("{}/{}", item.id, key.text());
    let of_rung = |notice: &&NoticeStatus| notice.key.strip_prefix(&cause).is_some_and(|rest| rest.starts_with(['/', '@']));
    let mut words: Vec<String> = notices.iter().filter(of_rung).map(|notice| outbox::became(notice, zone, lang)).collect();
    words.sort();
    words.dedup();
    if words.is_empty() { say(lang, "explain.recorded", &[]) } else { words.join(&say(lang, "explain.comma", &[])) }
}

fn notice_title(rules: &Rules, name: &Name) -> String {
    rules.setting.workflow.notices.get(name).map_or_else(|| name.to_string(), |notice| notice.title.clone())
}

async fn explain_action(
    office: &Office,
    id: &str,
    action: &str,
    person: &str,
    branch: Option<&str>,
    context: &Context,
) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, item) = item(office, id, lang).await?;
    let command = Command {
        id: "explain".into(),
        item: item.id.clone(),
        branch: branch.map(branch_address),
        action: action_name(&rules, action),
        input: Default::default(),
        by: office.person(person)?,
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    let explained = action::explain(&rules, &item, &command, lang);
    let explained = explained.map_err(|no| Stop { code: exit::FINDINGS, sentence: refusal(lang, &no) })?;
    if context.json {
        anstream::println!("{}", json!(explained));
    } else {
        anstream::print!("{}", action_text(&rules, &explained, context));
    }
    Ok(if explained.open { exit::DONE } else { exit::FINDINGS })
}

/// A branch as people write it: a number alone, or its kind with what tells it apart.
pub fn branch_address(text: &str) -> BranchAddress {
    text.trim().parse().map_or_else(|_| BranchAddress::Named(text.trim().to_string()), BranchAddress::No)
}

/// An action by its name or title.
pub fn action_name(rules: &Rules, text: &str) -> Name {
    let workflow = &rules.setting.workflow;
    let all = || workflow.actions.iter().chain(workflow.branches.values().flat_map(|branch| &branch.actions));
    if all().any(|(name, _)| **name == *text) {
        return text.into();
    }
    let mut titled = all().filter(|(_, action)| action.title == text);
    match (titled.next(), titled.next()) {
        (Some((name, _)), None) => name.clone(),
        _ => text.into(),
    }
}

fn action_text(rules: &Rules, explained: &action::ActionExplained, context: &Context) -> String {
    let lang = context.lang;
    let word = |key: &str| say(lang, &format!("explain.{key}"), &[]);
    let person = capture::title(rules, &explained.person);
    let key = if explained.open { "explain.open" } else { "explain.closed" };
    let mut out = format!("{}\n", say(lang, key, &[("item", &explained.item), ("action", &explained.title), ("person", &person)]).bold());
    for check in &explained.checks {
        let mark = match check.holds {
            Some(true) => format!("{}", "✓".green()),
            Some(false) => format!("{}", "✗".red()),
            None => format!("{}", "?".yellow()),
        };
        let says = match (check.what, check.holds) {
            ("state", Some(true)) => say(lang, "explain.state", &[("state", &check.says)]),
            ("role", Some(true)) => say(lang, "explain.role", &[("role", &check.says)]),
            ("rule", Some(true)) => say(lang, "explain.holds", &[("source", check.source.as_deref().unwrap_or_default())]),
            ("rule", None) => say(lang, "explain.asked_later", &[("says", &check.says)]),
            _ => check.says.clone(),
        };
        out += &format!("  {mark} {says}\n");
        let source = check.source.as_deref().filter(|_| check.holds != Some(true));
        let place = check.place.as_ref().map(|place| office::place(context, place));
        let detail: Vec<String> = source.map(str::to_string).into_iter().chain(place).collect();
        if !detail.is_empty() {
            out += &format!("      {}\n", detail.join(&word("detail")).dimmed());
        }
    }
    out
}
