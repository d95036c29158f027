//! `duban list`: items in columns, by state, text, flag or unit.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::value::{Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, say};
use crate::store::items::{Filter, Listed};
use clap::Args;
use serde_json::json;

/// Items that are read at once.
const PORTION: u32 = 500;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban list --state in_handling --flag red")]
pub struct ListArgs {
    #[command(flatten)]
    pub which: Which,
    /// At most so many
    #[arg(long, default_value_t = 200)]
    pub limit: usize,
}

/// Which items are meant.
#[derive(Args, Clone, Debug, Default)]
pub struct Which {
    /// A state, by its name or title
    #[arg(long)]
    pub state: Option<String>,
    /// Text that stands in one of its fields
    #[arg(long)]
    pub text: Option<String>,
    /// red, amber or none
    #[arg(long, value_parser = ["red", "amber", "none"])]
    pub flag: Option<String>,
    /// A unit that works on it, by id or name
    #[arg(long)]
    pub unit: Option<String>,
    /// Only what has not ended
    #[arg(long)]
    pub open: bool,
    /// Only this workflow
    #[arg(long)]
    pub workflow: Option<String>,
}

pub fn run(args: &ListArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let (rows, more) = items(&office, &args.which, args.limit, context.lang).await?;
        if context.json {
            anstream::println!("{}", json!({ "items": rows.iter().map(|row| in_json(&office, row)).collect::<Vec<_>>(), "more": more }));
        } else {
            print(&office, &rows, more, context);
        }
        office.close().await;
        Ok(exit::DONE)
    })
}

/// The items that are meant, in the order of their ids, and whether there are more.
pub async fn items(office: &Office, which: &Which, limit: usize, lang: Lang) -> anyhow::Result<(Vec<Listed>, bool)> {
    let state = which.state.as_ref().map(|state| state_name(office, state, lang)).transpose()?;
    let unit = which.unit.as_ref().map(|unit| unit_id(office, unit, lang)).transpose()?;
    let mut filter =
        Filter { workflow: which.workflow.clone(), state, open_only: which.open, text: which.text.clone(), after: String::new() };
    let mut found = Vec::new();
    loop {
        let page = office.app.store.list(&filter, PORTION).await.map_err(|error| Stop::store(lang, &error))?;
        let Some(last) = page.last() else { return Ok((found, false)) };
        filter.after.clone_from(&last.id);
        let flagged = |row: &Listed| which.flag.as_deref().is_none_or(|flag| row.flag.as_deref().unwrap_or("none") == flag);
        let mut page: Vec<Listed> = page.into_iter().filter(flagged).collect();
        if let Some(unit) = &unit {
            page = concerned(office, page, unit, lang).await?;
        }
        for row in page {
            if found.len() == limit {
                return Ok((found, true));
            }
            found.push(row);
        }
    }
}

/// Those of a page that name the unit in a field, or have a branch of it.
async fn concerned(office: &Office, page: Vec<Listed>, unit: &Name, lang: Lang) -> anyhow::Result<Vec<Listed>> {
    let ids: Vec<&str> = page.iter().map(|row| row.id.as_str()).collect();
    let mut facts = office.app.store.items(&ids).await.map_err(|error| Stop::store(lang, &error))?;
    let mut keep = Vec::with_capacity(page.len());
    for row in &page {
        let rules = office.rules_of(&row.workflow)?;
        let recorded = match facts.remove(&row.id) {
            Some(Ok(facts)) => facts,
            // What cannot be read is not hidden from the list.
            _ => {
                keep.push(true);
                continue;
            }
        };
        let today = today(office, &rules);
        let item = derive::derive(&rules, &row.id, &recorded, today).ok().flatten();
        keep.push(item.is_none_or(|item| {
            let own = rules.setting.workflow.fields.iter().any(|(name, field)| names(item.field(name), &field.kind, unit));
            own || item.branches.iter().any(|branch| branch.fields.get("unit").and_then(Value::as_text) == Some(unit))
        }));
    }
    let mut keep = keep.into_iter();
    Ok(page.into_iter().filter(|_| keep.next().unwrap_or(true)).collect())
}

fn names(value: &Value, kind: &Type, unit: &Name) -> bool {
    match kind {
        Type::Unit => value.as_text() == Some(unit),
        Type::Optional(kind) => names(value, kind, unit),
        Type::List(kind) => value.as_list().iter().any(|value| names(value, kind, unit)),
        _ => false,
    }
}

/// Today by the workflow's zone.
pub fn today(office: &Office, rules: &Rules) -> Date {
    crate::kernel::calendar::window::day_of(office.app.now(), rules.setting.workflow.timezone)
}

fn state_name(office: &Office, text: &str, lang: Lang) -> anyhow::Result<String> {
    let rules = office.app.rules();
    let states = || rules.workflows.values().flat_map(|rules| &rules.setting.workflow.states);
    let found = states().find(|(name, state)| ***name == *text || state.title == text).map(|(name, _)| name.to_string());
    let known = || states().map(|(name, state)| format!("{name} {}", state.title)).collect::<Vec<_>>().join(", ");
    Ok(found.ok_or_else(|| Stop::usage(lang, "list.no_state", &[("state", text), ("known", &known())]))?)
}

fn unit_id(office: &Office, text: &str, lang: Lang) -> anyhow::Result<Name> {
    let rules = office.app.rules();
    let units = &rules.directory.units;
    let found = units
        .get_key_value(text)
        .or_else(|| units.iter().find(|(_, unit)| unit.title == text || unit.also.iter().any(|also| also == text)));
    Ok(found.map(|(id, _)| id.clone()).ok_or_else(|| Stop::usage(lang, "list.no_unit", &[("unit", text)]))?)
}

fn in_json(office: &Office, row: &Listed) -> serde_json::Value {
    json!({
        "id": row.id, "workflow": row.workflow, "title": row.title, "state": row.state, "state_title": state_title(office, row),
        "flag": row.flag, "due_on": row.due_on, "ended_on": row.ended_on, "rev": row.rev, "dues": row.dues, "fields": row.fields,
        "set_aside": row.quarantine,
    })
}

pub fn state_title(office: &Office, row: &Listed) -> String {
    let rules = office.app.rules();
    let state = rules.workflows.get(row.workflow.as_str()).and_then(|rules| rules.setting.workflow.states.get(row.state.as_str()));
    state.map_or_else(|| row.state.clone(), |state| state.title.clone())
}

fn print(office: &Office, rows: &[Listed], more: bool, context: &Context) {
    let lang = context.lang;
    if rows.is_empty() {
        anstream::println!("{}", say(lang, "list.none", &[]));
        return;
    }
    let word = |key: &str| say(lang, &format!("list.{key}"), &[]);
    let head = ["id", "state", "flag", "due", "title"].map(word);
    let lines = rows.iter().map(|row| {
        let flag = match (&row.quarantine, &row.flag) {
            (Some(_), _) => word("set_aside"),
            (None, Some(flag)) => word(flag),
            (None, None) => String::new(),
        };
        [row.id.clone(), state_title(office, row), flag, row.due_on.map(|day| day.to_string()).unwrap_or_default(), row.title.clone()]
    });
    anstream::print!("{}", table::columns(std::iter::once(head).chain(lines), 0, &[]));
    let key = if more { "list.more" } else { "list.count" };
    if context.quiet {
        return;
    }
    anstream::eprintln!("{}", say(lang, key, &[("count", &rows.len().to_string())]));
}
