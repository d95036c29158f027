//! `duban report NAME --as-of DAY`: a report of the rule set, made from the facts as of any day, or of several.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, list, progress, table};
use crate::api::nearest;
use crate::api::reports::{answer, remarks};
use crate::app::{Format, FormatError, Made, ReportError, Wanted, titles};
use crate::kernel::calendar::window::start_of_day;
use crate::kernel::report::NotOf;
use crate::kernel::report::days::{self, Each};
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, say};
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban report ledger --as-of 2024-09-30
         duban report ledger --from 2024-09-30 --each quarter --format svg > ledger.svg
         duban report by_unit --format xlsx --out by_unit.xlsx
         duban report by_unit --of UNIT")]
pub struct ReportArgs {
    /// A report or document by its name or title; without one, those of the rule set
    pub report: Option<String>,
    /// As it was at the end of this day (default: today)
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<Date>,
    /// Only what is of this unit, person or option, by id or title
    #[arg(long, value_name = "WHOSE")]
    pub of: Option<String>,
    /// By what had been recorded by the end of this day
    #[arg(long, value_name = "DAY")]
    pub known_on: Option<Date>,
    /// A series: from this day on, every so often, up to the day of --as-of
    #[arg(long, value_name = "DAY", requires = "each")]
    pub from: Option<Date>,
    /// How often in a series: month, quarter or year
    #[arg(long, value_name = "HOW_OFTEN", requires = "from", value_parser = Each::WORDS)]
    pub each: Option<String>,
    /// A table for the terminal, or the form in which it is handed in
    #[arg(long, value_parser = ["table", "json", "csv", "xlsx", "html", "svg"], default_value = "table")]
    pub format: String,
    /// Write it to this file; a workbook goes nowhere else
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &ReportArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let lang = context.lang;
        let office = Office::to_read(context).await?;
        let code = match &args.report {
            Some(report) => one(&office, report, args, context).await?,
            None => {
                let rules = office.app.rules();
                let reports: Vec<_> = rules.workflows.values().flat_map(|rules| titles(rules)).collect();
                if context.json {
                    let rows = reports.iter().map(|(name, title)| json!({ "report": name, "title": title }));
                    anstream::println!("{}", json!({ "reports": rows.collect::<Vec<_>>() }));
                } else {
                    anstream::print!(
                        "{}",
                        table::columns(reports.iter().map(|(name, title)| [name.to_string(), title.to_string()]), 0, &[])
                    );
                    anstream::eprintln!("{}", say(lang, "report.how", &[]));
                }
                exit::DONE
            }
        };
        office.close().await;
        Ok(code)
    })
}

async fn one(office: &Office, name: &str, args: &ReportArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let format = Format::of(&args.format);
    if format == Some(Format::Xlsx) && args.out.is_none() {
        return Err(Stop::usage(lang, "report.needs_out", &[]).into());
    }
    let (rules, found) = office.app.find_report(name).map_err(|error| stop(error, lang))?;
    let as_of = args.as_of.unwrap_or_else(|| list::today(office, &rules));
    let known_by = args.known_on.and_then(|day| day.succ_opt()).map(|next| start_of_day(next, rules.setting.workflow.timezone));
    let days = match (args.from, args.each.as_deref().and_then(Each::of)) {
        (Some(from), Some(each)) => days::series(from, each, as_of).ok_or_else(|| {
            let values = [("from", from.to_string()), ("to", as_of.to_string()), ("most", days::MOST.to_string())];
            Stop::usage(lang, "report.bad_series", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
        })?,
        _ => vec![as_of],
    };
    let bar = progress::bar(context, progress::COUNT);
    bar.set_prefix(say(lang, "report.counting", &[]));
    let wanted = Wanted { report: found.to_string(), of: args.of.clone(), days, known_by };
    let made = office.app.report(&wanted, progress::moves(&bar)).await;
    bar.finish_and_clear();
    let bytes = written(&made.map_err(|error| stop(error, lang))?, format, args, context)?;
    match &args.out {
        Some(path) => std::fs::write(path, bytes).map_err(|error| {
            let values = [("path", path.display().to_string()), ("what", error.to_string())];
            Stop::new(exit::ENVIRONMENT, lang, "report.not_written", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
        })?,
        None => std::io::stdout().write_all(&bytes)?,
    }
    Ok(exit::DONE)
}

fn written(made: &Made, format: Option<Format>, args: &ReportArgs, context: &Context) -> anyhow::Result<Vec<u8>> {
    let lang = context.lang;
    if let Some(format) = format.filter(|_| !context.json) {
        return format.write(made, &remarks(args.known_on, lang), lang).map_err(|error| match error {
            FormatError::NoChart(title) => Stop::usage(lang, "report.no_chart", &[("title", &title)]).into(),
            FormatError::NoCsv(title) => Stop::usage(lang, "report.no_csv", &[("title", &title)]).into(),
            error => anyhow::Error::from(error),
        });
    }
    let text = match context.json || args.format == "json" {
        true => serde_json::to_string(&answer(made, args.known_on, lang))? + "\n",
        false => {
            let mut text = match made {
                Made::Table(table) => super::figures::table(&table.title, table, lang),
                Made::Document(document) => super::figures::document(document, lang),
            };
            remarks(args.known_on, lang).iter().for_each(|remark| text.extend([remark, "\n"]));
            text
        }
    };
    Ok(text.into_bytes())
}

fn stop(error: ReportError, lang: Lang) -> Stop {
    match error {
        ReportError::Unknown { name, known } => Stop::usage(lang, "report.unknown", &[("name", &name), ("known", &known)]),
        ReportError::OfOneDay(title) => Stop::usage(lang, "report.of_one_day", &[("title", &title)]),
        ReportError::OfWhom(title) => Stop::usage(lang, "report.of_whom", &[("title", &title)]),
        ReportError::NotOf(NotOf::Nobody(title)) => Stop::usage(lang, "report.of_nobody", &[("title", &title)]),
        ReportError::NotOf(NotOf::Unknown { text, known }) => {
            let near = nearest(&text, known.iter().map(String::as_str));
            match near {
                Some(near) => Stop::usage(lang, "report.of_unknown.near", &[("text", &text), ("near", &near)]),
                None => Stop::usage(lang, "report.of_unknown", &[("text", &text)]),
            }
        }
        ReportError::NotOf(NotOf::Several { text, ids }) => {
            Stop::usage(lang, "report.of_several", &[("text", &text), ("ids", &ids.join(", "))])
        }
        ReportError::Text(error) => Stop::new(exit::ENVIRONMENT, lang, "report.text_fails", &[("what", &error.to_string())]),
        ReportError::Store(error) => Stop::store(lang, &error),
        ReportError::Eval(error) => Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]),
    }
}
