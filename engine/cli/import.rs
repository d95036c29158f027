//! `duban import`: an office's list becomes items, all rows in one commit or none, with a report by row.

use super::office::{Office, Stop, via, wait_for};
use super::{Context, act, exit, progress, table};
use crate::api::client::ImportRequest;
use crate::app::import::{Imported, Wishes};
use crate::app::{Answer, Caused};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Column, Import};
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, refusal, say};
use crate::sheet::{self, SheetProblem};
use clap::{Args, ValueEnum};
use owo_colors::OwoColorize;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban import list.xlsx --dry-run
         duban import list.xlsx --heading COLUMN=\"HEADING OF THE LIST\"")]
pub struct ImportArgs {
    /// A workbook (.xlsx), or text with commas (.csv)
    pub file: PathBuf,
    /// The import of the rule set by which it is read (default: the only one)
    #[arg(long)]
    pub import: Option<String>,
    /// Read and check everything, and write nothing
    #[arg(long)]
    pub dry_run: bool,
    /// live: what is told at once waits for one look (outbox release --imported), what falls due later goes out; historic: nothing is
    /// owed until a person releases it
    #[arg(long = "as", value_enum, default_value_t = As::Live)]
    pub how: As,
    /// A column that this list calls otherwise; remembered once it is taken in
    #[arg(long = "heading", value_name = "COLUMN=HEADING")]
    pub headings: Vec<String>,
    /// Take the good rows and leave out the others
    #[arg(long)]
    pub skip_bad_rows: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum As {
    Live,
    Historic,
}

pub fn run(args: &ImportArgs, context: &Context) -> anyhow::Result<i32> {
    // A list that cannot be read is told before a database is made for it.
    sheet::readable(&args.file).map_err(|error| {
        let code = if matches!(error, sheet::Error::Unreadable { .. }) { exit::USAGE } else { exit::FINDINGS };
        Stop { code, sentence: error.sentence(context.lang) }
    })?;
    wait_for(async {
        let office = match args.dry_run {
            false => Office::to_write(context).await?,
            true if context.settings.database.is_missing_file() => Office::for_trial(context).await?,
            true => Office::to_read(context).await?,
        };
        let done = import(args, &office, context).await;
        office.close().await;
        done
    })
}

async fn import(args: &ImportArgs, office: &Office, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (rules, name) = find(office, args.import.as_deref(), lang)?;
    let workflow = &rules.setting.workflow;
    let told = headings(&workflow.imports[&name], &args.headings, lang)?;
    let known = office.app.headings(&rules, &name).await.map_err(|error| Stop::store(lang, &error))?;
    let declared = workflow.imports[&name].under_headings(&known, &told);
    let reading = sheet::read_import(&args.file, &declared, &workflow.fields, &rules.setting.directory)
        .map_err(|error| Stop { code: exit::FINDINGS, sentence: error.sentence(lang) })?;
    let (problems, remarks) = (reading.problems.clone(), reading.remarks.clone());
    let rows = reading.rows_or_problems(args.skip_bad_rows).unwrap_or_default();
    let wishes =
        Wishes { dry_run: args.dry_run, skip_bad_rows: args.skip_bad_rows, historic: args.how == As::Historic, via: via(), headings: told };
    let kept_out = !problems.is_empty() && !args.skip_bad_rows;
    // Rows tried so far; while a server tries them, only that it is at work.
    let by_server = office.server().is_some() && !args.dry_run;
    let bar = if by_server { progress::spinner(context, "{spinner} {prefix}") } else { progress::bar(context, progress::COUNT) };
    bar.set_length(rows.len() as u64);
    bar.set_prefix(say(lang, "import.running", &[("rows", &rows.len().to_string())]));
    let imported = match (office.server().filter(|_| !args.dry_run), kept_out) {
        // What the rules say of the good rows is of no use while the sheet itself is wrong.
        (_, true) => Imported::default(),
        (Some(server), false) => {
            let request = ImportRequest { workflow: workflow.name.to_string(), import: name.to_string(), rows, wishes };
            server.import(&request).await.map_err(|error| Stop::client(lang, &error))?
        }
        (None, false) => office
            .app
            .import(&rules, &name, rows, &wishes, Some(&|tried| bar.set_position(tried as u64)))
            .await
            .map_err(|error| Stop::act(lang, &error))?,
    };
    bar.finish_and_clear();
    if context.json {
        anstream::println!("{}", in_json(args, &problems, &remarks, &imported, lang));
    } else {
        remarks.iter().for_each(|remark| anstream::println!("  {}", remark.sentence(lang)));
        print(office, args, &problems, &imported, lang);
    }
    let refused = imported.rows.iter().any(|row| !row.answer.is_done());
    Ok(if problems.is_empty() && !refused { exit::DONE } else { exit::FINDINGS })
}

/// The import that is meant, with its workflow.
pub(super) fn find(office: &Office, name: Option<&str>, lang: Lang) -> anyhow::Result<(Arc<Rules>, Name)> {
    let rules = office.app.rules();
    let every = || {
        rules.workflows.values().flat_map(|rules| rules.setting.workflow.imports.iter().map(move |(name, import)| (rules, name, import)))
    };
    let mut fitting = every().filter(|(_, declared, import)| name.is_none_or(|name| ***declared == *name || import.title == name));
    let found = (fitting.next(), fitting.next());
    let known = || every().map(|(_, name, import)| format!("{name} {}", import.title)).collect::<Vec<_>>().join(", ");
    match found {
        (Some((rules, name, _)), None) => Ok((rules.clone(), name.clone())),
        _ => Err(Stop::usage(lang, "import.which", &[("known", &known())]).into()),
    }
}

/// What `--heading` says, by the names of the columns; these go by their usual headings, too.
fn headings(import: &Import, told: &[String], lang: Lang) -> anyhow::Result<BTreeMap<Name, String>> {
    let one = |text: &String| {
        let wrong = || {
            let known = import.columns.iter().map(|(name, column)| column.headings.first().map_or(&**name, String::as_str));
            Stop::usage(lang, "import.heading", &[("text", text), ("known", &known.collect::<Vec<_>>().join(", "))])
        };
        let (column, heading) = text.split_once(['=', '＝']).ok_or_else(wrong)?;
        let (column, heading) = (column.trim(), heading.trim());
        let named = |(name, declared): &(&Name, &Column)| ***name == *column || declared.headings.iter().any(|known| known == column);
        let (name, _) = import.columns.iter().find(named).filter(|_| !heading.is_empty()).ok_or_else(wrong)?;
        Ok((name.clone(), heading.to_string()))
    };
    told.iter().map(one).collect()
}

/// How many rows are new, were there already, and were refused.
fn count(imported: &Imported) -> (usize, usize, usize) {
    let of = |wanted: fn(&Answer) -> bool| imported.rows.iter().filter(|row| wanted(&row.answer)).count();
    (
        of(|answer| matches!(answer, Answer::Done { repeated: false, .. })),
        of(|answer| matches!(answer, Answer::Done { repeated: true, .. })),
        of(|answer| !answer.is_done()),
    )
}

fn in_json(args: &ImportArgs, problems: &[SheetProblem], remarks: &[SheetProblem], imported: &Imported, lang: Lang) -> serde_json::Value {
    let (new, known, refused) = count(imported);
    let cells = problems.iter().map(|problem| {
        json!({ "place": problem.place(), "row": problem.row, "column": problem.column, "code": problem.code, "sentence": problem.sentence(lang) })
    });
    let rows =
        imported.rows.iter().filter(|row| !row.answer.is_done()).map(
            |row| json!({ "row": row.number, "item": row.item, "action": row.refused_action, "sentence": sentence(&row.answer, lang) }),
        );
    json!({
        "file": args.file, "dry_run": args.dry_run, "written": imported.written, "new": new, "known": known, "refused": refused,
        "notices": imported.caused, "problems": cells.collect::<Vec<_>>(), "remarks": remarks.iter().map(|remark| remark.sentence(lang)).collect::<Vec<_>>(), "refused_rows": rows.collect::<Vec<_>>(),
        "bad_rows": bad_rows(problems),
    })
}

/// Rows that something is wrong with.
fn bad_rows(problems: &[SheetProblem]) -> usize {
    problems.iter().map(|problem| problem.row).collect::<std::collections::BTreeSet<_>>().len()
}

fn sentence(answer: &Answer, lang: Lang) -> String {
    match answer {
        Answer::Done { .. } => String::new(),
        Answer::Refused(no) => refusal(lang, no),
        Answer::Failed(what) => what.clone(),
    }
}

fn print(office: &Office, args: &ImportArgs, problems: &[SheetProblem], imported: &Imported, lang: Lang) {
    let (new, known, refused) = count(imported);
    for problem in problems {
        anstream::println!("  {} {}  {}", "✗".red(), problem.place(), problem.sentence(lang));
    }
    let rules = office.app.rules();
    let rows = imported.rows.iter().filter(|row| !row.answer.is_done()).map(|row| {
        let action = row.refused_action.as_ref().map(|action| act::action_title(&rules, action)).unwrap_or_default();
        [say(lang, "import.row", &[("row", &row.number.to_string())]), row.item.to_string(), action, sentence(&row.answer, lang)]
    });
    anstream::print!("{}", table::columns(rows, 2, &[]));
    let refused = refused + bad_rows(problems);
    let (new, known, refused) = (new.to_string(), known.to_string(), refused.to_string());
    let values = [("new", new.as_str()), ("known", &known), ("refused", &refused)];
    let key = match (args.dry_run, imported.written, known != "0" && new == "0" && refused == "0") {
        (true, ..) => "import.dry",
        (false, true, _) => "import.done",
        (false, false, true) => "import.known",
        (false, false, false) => "import.nothing",
    };
    anstream::println!("{}", say(lang, key, &values));
    let Caused { told, overdue, persons } = imported.caused;
    let (told, overdue, persons) = (told.to_string(), overdue.to_string(), persons.to_string());
    let values = [("told", told.as_str()), ("overdue", &overdue), ("persons", &persons)];
    let key = match (args.how, imported.written) {
        _ if new == "0" => return,
        (As::Live, true) => "import.causes",
        (As::Live, false) => "import.would_cause",
        (As::Historic, true) => "import.holds",
        (As::Historic, false) => "import.would_hold",
    };
    anstream::println!("{}", say(lang, key, &values));
}
