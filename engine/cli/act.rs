//! `duban act`: one action on one item, on many, or a file of actions; with a dry run and a report by row.

use super::office::{Office, Stop, via, wait_for};
use super::{Context, exit, explain, list};
use crate::app::{Answer, random_text};
use crate::files;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::read::steps::{self, TimedStep};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, refusal, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// More items than this are not chosen by a filter at once.
const MOST: usize = 100_000;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Examples:
  duban act 2024-087 sign_in --branch \"assignment UNIT\" --as PERSON
  duban act name_key --items 2024-001,2024-002 --with lead_official=PERSON --as PERSON --dry-run
  duban act archive --where state=concluded --with publicity=public --as PERSON
  duban act 2024-087 amend --with fact=3 field=title value=TITLE reason=WHY --as PERSON
  duban act --file actions.yaml --dry-run")]
pub struct ActArgs {
    /// ITEM ACTION, or ACTION alone with --items or --where
    #[arg(num_args = 0..=2, value_name = "ITEM ACTION")]
    pub what: Vec<String>,
    /// A branch: its number, or its kind with the unit or person
    #[arg(long)]
    pub branch: Option<String>,
    /// What is asked, as NAME=VALUE; the same name again makes a list, and [ or { begins JSON
    #[arg(long = "with", value_name = "NAME=VALUE", num_args = 1..)]
    pub with: Vec<String>,
    /// The day on which it was done, when it is entered later
    #[arg(long, value_name = "DAY")]
    pub on: Option<Date>,
    /// The person who does it; the user of this machine is recorded beside it
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
    /// The revision that was seen: refused when the item has changed since
    #[arg(long, value_name = "N")]
    pub rev: Option<u64>,
    /// These items, separated by commas
    #[arg(long, value_delimiter = ',', conflicts_with_all = ["filter", "file"])]
    pub items: Vec<String>,
    /// All items that fit: state=, flag=, text=, unit=, workflow=
    #[arg(long = "where", value_name = "NAME=VALUE", num_args = 1.., conflicts_with = "file")]
    pub filter: Vec<String>,
    /// Actions of a file, in the form of the steps of stories
    #[arg(long, conflicts_with_all = ["what", "branch", "with", "rev"])]
    pub file: Option<PathBuf>,
    /// Say what would happen, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// The same id again is the same answer, and nothing is done twice
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}

pub fn run(args: &ActArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = if args.dry_run { Office::to_read(context).await? } else { Office::to_write(context).await? };
        let done = act(args, &office, context).await;
        office.close().await;
        done
    })
}

async fn act(args: &ActArgs, office: &Office, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (commands, single) = commands(args, office, context).await?;
    let answers = if args.dry_run { office.rehearse(&commands).await? } else { office.act(&commands).await? };
    if context.json {
        let mut rows: Vec<_> = commands.iter().zip(&answers).map(|(command, answer)| in_json(command, answer, lang)).collect();
        match single.then(|| rows.pop()).flatten() {
            Some(mut only) => {
                only["dry_run"] = json!(args.dry_run);
                anstream::println!("{only}");
            }
            None => anstream::println!(
                "{}",
                json!({ "dry_run": args.dry_run, "rows": rows, "done": done(&answers), "refused": answers.len() - done(&answers) })
            ),
        }
    } else {
        for (command, answer) in commands.iter().zip(&answers) {
            print(office, command, answer, context).await;
        }
        if !single {
            let key = if args.dry_run { "act.sum_dry" } else { "act.sum" };
            let (done, all) = (done(&answers), answers.len());
            anstream::println!("{}", say(lang, key, &[("done", &done.to_string()), ("refused", &(all - done).to_string())]));
        } else if args.dry_run {
            anstream::println!("{}", say(lang, "act.dry", &[]));
        }
    }
    Ok(code(&answers))
}

fn done(answers: &[Answer]) -> usize {
    answers.iter().filter(|answer| answer.is_done()).count()
}

/// A fault weighs more than a refusal.
fn code(answers: &[Answer]) -> i32 {
    let worst = |answer: &Answer| match answer {
        Answer::Done { .. } => exit::DONE,
        Answer::Refused(_) => exit::FINDINGS,
        Answer::Failed(_) => exit::ENVIRONMENT,
    };
    answers.iter().map(worst).max().unwrap_or(exit::DONE)
}

/// The commands that are meant, and whether it is one item's alone.
async fn commands(args: &ActArgs, office: &Office, context: &Context) -> anyhow::Result<(Vec<Command>, bool)> {
    let lang = context.lang;
    if let Some(file) = &args.file {
        return Ok((of_file(args, file, office, context)?, false));
    }
    let many = !args.items.is_empty() || !args.filter.is_empty();
    let (items, action) = match (args.what.as_slice(), many) {
        ([item, action], false) => (vec![item.clone()], action),
        ([action], true) if !args.items.is_empty() => (args.items.clone(), action),
        ([action], true) => {
            let which = which(&args.filter, lang)?;
            let (rows, _) = list::items(office, &which, MOST, lang).await?;
            (rows.into_iter().map(|row| row.id).collect(), action)
        }
        _ => return Err(Stop::usage(lang, "act.what", &[]).into()),
    };
    let person = args.person.as_ref().ok_or_else(|| Stop::usage(lang, "act.who", &[]))?;
    let by = office.person(person)?;
    let input = input(&args.with, lang)?;
    let id = args.id.clone().unwrap_or_else(random_text);
    let mut commands = Vec::with_capacity(items.len());
    for item in &items {
        commands.push(Command {
            id: if many { format!("{id}:{item}").into() } else { id.as_str().into() },
            item: item.as_str().into(),
            branch: args.branch.as_deref().map(explain::branch_address),
            action: action_of(office, item, action, lang).await?,
            input: input.clone(),
            by: by.clone(),
            via: via(),
            effective_on: args.on,
            seen_rev: args.rev,
        });
    }
    Ok((commands, !many))
}

/// An action may be called by its title in the item's workflow.
async fn action_of(office: &Office, item: &str, action: &str, lang: Lang) -> anyhow::Result<Name> {
    let row = office.app.store.listed(item).await.map_err(|error| Stop::store(lang, &error))?;
    let rules = office.app.rules();
    let of_item = row.and_then(|row| rules.workflows.get(row.workflow.as_str()).cloned());
    let every: Vec<Arc<Rules>> = of_item.map_or_else(|| rules.workflows.values().cloned().collect(), |rules| vec![rules]);
    Ok(every.iter().map(|rules| explain::action_name(rules, action)).find(|name| **name != *action).unwrap_or_else(|| action.into()))
}

/// The steps of an action file, each as done on the day of its `at`.
fn of_file(args: &ActArgs, path: &Path, office: &Office, context: &Context) -> anyhow::Result<Vec<Command>> {
    let text = files::text(path)?;
    let name: Arc<str> = path.display().to_string().into();
    let mut problems = Vec::new();
    let Some(file) = steps::read(&name, &text, &mut problems) else {
        context.draw(&problems, "", &indexmap::IndexMap::from([(name.to_string(), text)]));
        return Err(Stop::usage(context.lang, "act.bad_file", &[("file", &name)]).into());
    };
    let id = args.id.clone().unwrap_or_else(random_text);
    let command = |(step, number): (&TimedStep, usize)| {
        let command = step.command(format!("{id}:{number}").into());
        let branch = step.branch.as_deref().map(explain::branch_address);
        let effective_on = command.effective_on.or(args.on).or(Some(step.at.date()));
        Ok(Command { by: office.person(&step.by)?, branch, effective_on, via: via(), ..command })
    };
    file.steps.iter().zip(1..).map(command).collect()
}

/// `--where state=… flag=…`
fn which(filter: &[String], lang: Lang) -> anyhow::Result<list::Which> {
    let mut which = list::Which { open: true, ..list::Which::default() };
    for condition in filter {
        let (name, value) = condition.split_once('=').unwrap_or((condition, ""));
        let slot = match name {
            "state" => &mut which.state,
            "flag" => &mut which.flag,
            "text" => &mut which.text,
            "unit" => &mut which.unit,
            "workflow" => &mut which.workflow,
            _ => return Err(Stop::usage(lang, "act.where", &[("text", condition)]).into()),
        };
        *slot = Some(value.to_string());
    }
    Ok(which)
}

fn input(with: &[String], lang: Lang) -> anyhow::Result<Fields> {
    let mut input = Fields::new();
    for pair in with {
        let Some((name, text)) = pair.split_once('=') else { return Err(Stop::usage(lang, "act.with", &[("text", pair)]).into()) };
        let value = match text.starts_with(['[', '{']) {
            true => serde_json::from_str(text).map_err(|_| Stop::usage(lang, "act.with_json", &[("text", text)]))?,
            false => Value::text(text),
        };
        let name: Name = name.trim().into();
        let value = match input.remove(&name) {
            None => value,
            Some(Value::List(mut list)) => {
                list.push(value);
                Value::List(list)
            }
            Some(first) => Value::List(vec![first, value]),
        };
        input.insert(name, value);
    }
    Ok(input)
}

fn in_json(command: &Command, answer: &Answer, lang: Lang) -> serde_json::Value {
    let mut row = json!({ "item": command.item, "action": command.action });
    match answer {
        Answer::Done { done, repeated } => {
            row["done"] = json!(true);
            row["rev"] = json!(done.rev);
            row["state"] = json!(done.state);
            row["notices"] = json!(done.notices);
            row["repeated"] = json!(repeated);
        }
        Answer::Refused(no) => {
            row["done"] = json!(false);
            row["refused"] = json!({ "code": no.code, "sentence": refusal(lang, no), "rule": no.rule, "values": no.values });
        }
        Answer::Failed(what) => {
            row["done"] = json!(false);
            row["failed"] = json!(what);
        }
    }
    row
}

async fn print(office: &Office, command: &Command, answer: &Answer, context: &Context) {
    let lang = context.lang;
    match answer {
        Answer::Done { done, repeated } => {
            let rules = office.app.rules();
            let own = rules.workflows.get(&done.workflow).map(|rules| &rules.setting.workflow);
            let state = own.and_then(|workflow| workflow.states.get(&done.state));
            let state = state.map_or_else(|| done.state.to_string(), |state| state.title.clone());
            let title = match own.and_then(|workflow| workflow.actions.get(&command.action)) {
                Some(action) if command.branch.is_none() => action.title.clone(),
                _ => action_title(&rules, &command.action),
            };
            let key = if *repeated { "act.repeated" } else { "act.done" };
            let (rev, notices) = (done.rev.to_string(), done.notices.to_string());
            let values = [("item", &*done.item), ("action", &title), ("state", &state), ("rev", &rev), ("notices", &notices)];
            anstream::println!("{} {}", "✓".green(), say(lang, key, &values));
        }
        Answer::Refused(no) => {
            anstream::println!("{} {}", "✗".red(), say(lang, "act.refused", &[("item", &command.item), ("sentence", &refusal(lang, no))]));
        }
        Answer::Failed(what) => {
            anstream::println!("{} {}", "✗".red(), say(lang, "act.failed", &[("item", &command.item), ("what", what)]));
        }
    }
}

/// The title of an action, whichever workflow or branch it belongs to.
pub fn action_title(rules: &crate::kernel::rules::RuleSet, name: &str) -> String {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let workflows = || rules.workflows.values().map(|rules| &rules.setting.workflow);
    let own = workflows().find_map(|workflow| workflow.actions.get(name));
    let of_branch = || {
        workflows()
            .flat_map(|workflow| workflow.branches.values())
            .find_map(|branch| branch.actions.get(name).or_else(|| branch.actions.get(bare)))
    };
    own.or_else(of_branch).map_or_else(|| name.to_string(), |action| action.title.clone())
}
