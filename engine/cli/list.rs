//! `duban list`: items in columns, by state, text, flag or unit.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::app::list::{self as app, ListError};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, say};
use crate::store::items::Listed;
use clap::Args;
use serde_json::json;

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
    let Which { state, text, flag, unit, open, workflow } = which.clone();
    let which = app::Which { state, text, flag, unit, fields: Vec::new(), open, workflow, late: false };
    let (mut found, mut after) = (Vec::new(), String::new());
    loop {
        let page = office.app.list(&which, &after, limit - found.len()).await.map_err(|error| stop(lang, &error))?;
        found.extend(page.rows);
        match page.next {
            None => return Ok((found, false)),
            Some(_) if found.len() == limit => return Ok((found, true)),
            Some(next) => after = next,
        }
    }
}

fn stop(lang: Lang, error: &ListError) -> Stop {
    match error {
        ListError::State { state, known } => Stop::usage(lang, "list.no_state", &[("state", state), ("known", &known.join(", "))]),
        ListError::Unit(unit) => Stop::usage(lang, "list.no_unit", &[("unit", unit)]),
        ListError::Store(error) => Stop::store(lang, error),
    }
}

/// Today by the workflow's zone.
pub fn today(office: &Office, rules: &Rules) -> Date {
    crate::kernel::calendar::window::day_of(office.app.now(), rules.setting.workflow.timezone)
}

fn in_json(office: &Office, row: &Listed) -> serde_json::Value {
    json!({
        "id": row.id, "workflow": row.workflow, "title": row.title, "state": row.state, "state_title": office.app.state_title(row),
        "flag": row.flag, "due_on": row.due_on, "ended_on": row.ended_on, "rev": row.rev, "dues": row.dues, "fields": row.fields,
        "set_aside": row.quarantine,
    })
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
        [row.id.clone(), office.app.state_title(row), flag, row.due_on.map(|day| day.to_string()).unwrap_or_default(), row.title.clone()]
    });
    anstream::print!("{}", table::columns(std::iter::once(head).chain(lines), 0, &[]));
    let key = if more { "list.more" } else { "list.count" };
    if context.quiet {
        return;
    }
    anstream::eprintln!("{}", say(lang, key, &[("count", &rows.len().to_string())]));
}
