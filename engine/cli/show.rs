//! `duban show ITEM`: all that is known of one item, and what a person may do with it.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::app::look::{Look, ShownField};
use crate::app::outbox::became;
use crate::kernel::decide::capture;
use crate::kernel::explain;
use crate::kernel::model::definition::Flag;
use crate::kernel::words::{Lang, due, refusal, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::{Value as Json, json};

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban show 2024-087 --as PERSON")]
pub struct ShowArgs {
    pub item: String,
    /// Show what this person may see and do
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
}

pub fn run(args: &ShowArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let shown = find(&office, args, context.lang).await?;
        let text = match context.json {
            true => format!("{}\n", in_json(&shown, context.lang)?),
            false => text(&shown, context.lang)?,
        };
        anstream::print!("{text}");
        office.close().await;
        Ok(exit::DONE)
    })
}

async fn find(office: &Office, args: &ShowArgs, lang: Lang) -> anyhow::Result<Look> {
    let unknown = || Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", &args.item)]);
    let person = args.person.as_ref().map(|person| office.person(person)).transpose()?;
    let look = office.app.look(&args.item, person).await.map_err(|error| Stop::act(lang, &error.into()))?;
    Ok(look.ok_or_else(unknown)?)
}

fn text(look: &Look, lang: Lang) -> anyhow::Result<String> {
    let (rules, item) = (&look.rules, &look.item);
    let workflow = &rules.setting.workflow;
    let word = |key: &str| say(lang, &format!("show.{key}"), &[]);
    let title = item.field("title").as_text().map(|title| format!("  {title}")).unwrap_or_default();
    let mut out = format!("{}{title}\n", item.id.bold());
    let state = workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone());
    let values_of_head = [("state", state.as_str()), ("since", &item.since.to_string()), ("rev", &item.rev.to_string())];
    out += &format!("{}{}\n", say(lang, "show.head", &values_of_head), flag(item.flag, lang));
    if let Some(reason) = &look.set_aside {
        out += &format!("{}\n", say(lang, "show.set_aside", &[("why", reason)]).red());
    }

    let fields = look.fields(lang)?;
    let rows = fields.into_iter().filter(|field| &*field.name != "title").map(|field| [field.title, field.text]);
    out += &section(&word("fields"), table::columns(rows, 2, &[]));

    let mut branches = String::new();
    for branch in &item.branches {
        let Some(kind) = workflow.branches.get(&branch.kind) else { continue };
        let values = look.branch_values(branch);
        let state = values["state_title"].as_str().unwrap_or(&branch.state);
        let which = ["unit", "person"].iter().find_map(|field| values[*field].as_str()).unwrap_or_default();
        let line = format!("{} {} {which}  {state}", branch.no, kind.title);
        let since = say(lang, "show.since", &[("day", &branch.since.to_string())]);
        branches += &format!("  {}  {}\n", line.trim_end(), since.dimmed());
        let Some(fields) = look.branch_fields(branch, lang)? else {
            branches += &format!("      {}\n", word("hidden"));
            continue;
        };
        let fields: Vec<String> =
            fields.iter().map(|field| say(lang, "show.field", &[("title", &field.title), ("text", &field.text)])).collect();
        if !fields.is_empty() {
            branches += &format!("      {}\n", fields.join(&word("comma")).dimmed());
        }
    }
    out += &section(&word("branches"), branches);

    let running = explain::due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none());
    let rows = running.map(|running| {
        let date = running.date.map(|date| due::day(lang, date)).unwrap_or_else(|| word("no_date"));
        [running.title.clone(), running.branch.clone().unwrap_or_default(), date, super::explain::remaining(&running, lang)]
    });
    out += &section(&word("deadlines"), table::columns(rows, 2, &[]));

    let rows = look.facts.iter().map(|fact| {
        let branch = fact.branch.and_then(|no| item.branch(no)).map(|branch| look.branch_name(branch)).unwrap_or_default();
        [fact.seq.to_string(), fact.effective_on.to_string(), look.fact_title(fact, lang), branch, look.actor(fact, lang)]
    });
    out += &section(&word("facts"), table::columns(rows, 2, &[0]));

    let rows = look.notices.iter().map(|notice| {
        let title = workflow.notices.get(notice.notice.as_str()).map_or(&notice.notice, |notice| &notice.title);
        let at = table::moment(notice.mail_ended_at.unwrap_or(notice.not_before), workflow.timezone);
        [at, title.clone(), capture::title(rules, &notice.person.as_str().into()), became(notice, workflow.timezone, lang)]
    });
    out += &section(&word("notices"), table::columns(rows, 2, &[]));

    if let Some(person) = &look.person {
        let mut lines = String::new();
        for offer in look.offers(person)? {
            let (title, action) = (&offer.title, &offer.action);
            let branch = offer.branch_name.map(|branch| format!(" {branch}")).unwrap_or_default();
            lines += &match offer.refusal {
                None => format!("  {} {title}{branch}  {}\n", "✓".green(), action.dimmed()),
                Some(no) => format!("  {} {title}{branch}  {}  {}\n", "✗".red(), action.dimmed(), refusal(lang, &no)),
            };
        }
        out += &section(&say(lang, "show.actions", &[("person", &capture::title(rules, person))]), lines);
    }
    Ok(out)
}

fn in_json(look: &Look, lang: Lang) -> anyhow::Result<Json> {
    let (rules, item) = (&look.rules, &look.item);
    let object = |fields: Vec<ShownField>| -> Json {
        fields.into_iter().map(|field| (field.name.to_string(), field.value)).collect::<serde_json::Map<_, _>>().into()
    };
    let mut branches = Vec::new();
    for branch in &item.branches {
        let fields = look.branch_fields(branch, lang)?.map(object);
        branches.push(json!({
            "no": branch.no, "kind": branch.kind, "name": look.branch_name(branch), "state": branch.state, "since": branch.since,
            "ended": branch.ended, "cancelled": branch.cancelled, "fields": fields,
        }));
    }
    let facts = look.facts.iter().map(|fact| {
        json!({
            "seq": fact.seq, "name": fact.name, "title": look.fact_title(fact, lang), "branch": fact.branch, "on": fact.effective_on,
            "recorded_at": fact.recorded_at, "actor": fact.actor, "rules": fact.rules,
        })
    });
    let actions = match &look.person {
        Some(person) => look.offers(person)?,
        None => Vec::new(),
    };
    let actions = actions.into_iter().map(|offer| {
        let refused = offer.refusal.map(|no| refusal(lang, &no));
        json!({ "action": offer.action, "title": offer.title, "branch": offer.branch_name, "open": refused.is_none(), "refused": refused })
    });
    Ok(json!({
        "id": item.id, "workflow": item.workflow, "rev": item.rev, "state": item.state, "since": item.since, "ended": item.ended,
        "flag": item.flag, "set_aside": look.set_aside,
        "fields": object(look.fields(lang)?),
        "branches": branches,
        "deadlines": explain::due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none()).map(|due| json!({
            "deadline": due.deadline, "title": due.title, "branch": due.branch, "date": due.date, "provisional": due.provisional,
            "working_days_left": due.working_days_left, "late": due.late, "paused": due.paused,
        })).collect::<Vec<_>>(),
        "facts": facts.collect::<Vec<_>>(),
        "notices": look.notices,
        "person": look.person,
        "actions": actions.collect::<Vec<_>>(),
    }))
}

fn section(title: &str, lines: String) -> String {
    if lines.trim().is_empty() { String::new() } else { format!("\n{}\n{lines}", title.bold()) }
}

fn flag(flag: Option<Flag>, lang: Lang) -> String {
    match flag {
        None => String::new(),
        Some(Flag::Amber) => format!("  {}", say(lang, "show.amber", &[]).yellow()),
        Some(Flag::Red) => format!("  {}", say(lang, "show.red", &[]).red()),
    }
}
