//! `duban report NAME --as-of DAY`: a report of the rule set, counted from the facts as of any day.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, list, table};
use crate::app::ReportError;
use crate::kernel::calendar::window::start_of_day;
use crate::kernel::report::{Figures, hundredths_of_percent};
use crate::kernel::time::Date;
use crate::kernel::words::say;
use clap::Args;
use serde_json::json;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban report ledger --as-of 2024-09-30")]
pub struct ReportArgs {
    /// A report by its name or title; without one, the reports of the rule set
    pub report: Option<String>,
    /// As it was at the end of this day (default: today)
    #[arg(long, value_name = "DAY")]
    pub as_of: Option<Date>,
    /// By what had been recorded by the end of this day
    #[arg(long, value_name = "DAY")]
    pub known_on: Option<Date>,
}

pub fn run(args: &ReportArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let lang = context.lang;
        let office = Office::to_read(context).await?;
        let code = match &args.report {
            Some(report) => figures(&office, report, args, context).await?,
            None => {
                let rules = office.app.rules();
                let reports: Vec<_> = rules.workflows.values().flat_map(|rules| &rules.setting.workflow.reports).collect();
                if context.json {
                    let rows = reports.iter().map(|(name, report)| json!({ "report": name, "title": report.title }));
                    anstream::println!("{}", json!({ "reports": rows.collect::<Vec<_>>() }));
                } else {
                    anstream::print!(
                        "{}",
                        table::columns(reports.iter().map(|(name, report)| [name.to_string(), report.title.clone()]), 0, &[])
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

async fn figures(office: &Office, name: &str, args: &ReportArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let stop = |error: ReportError| match error {
        ReportError::Unknown { name, known } => Stop::usage(lang, "report.unknown", &[("name", &name), ("known", &known)]),
        ReportError::Store(error) => Stop::store(lang, &error),
        ReportError::Eval(error) => Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]),
    };
    let (rules, found) = office.app.find_report(name).map_err(stop)?;
    let as_of = args.as_of.unwrap_or_else(|| list::today(office, &rules));
    let known_by = args.known_on.and_then(|day| day.succ_opt()).map(|next| start_of_day(next, rules.setting.workflow.timezone));
    let figures = office.app.report(&found, as_of, known_by).await.map_err(stop)?;
    if context.json {
        anstream::println!("{}", in_json(&figures, args.known_on));
    } else {
        anstream::print!("{}", super::figures::table(&figures.title, &figures, lang));
        if let Some(day) = args.known_on {
            anstream::println!("{}", say(lang, "report.known_on", &[("day", &day.to_string())]));
        }
    }
    Ok(exit::DONE)
}

/// Figures for programs: shares in percent with two places, as texts.
pub fn in_json(figures: &Figures, known_on: Option<Date>) -> serde_json::Value {
    let rows = figures.rows.iter().map(|row| {
        json!({ "value": row.value, "title": row.title, "count": row.count, "percent": percent(hundredths_of_percent(row.count, figures.total)) })
    });
    json!({
        "report": figures.report, "title": figures.title, "as_of": figures.as_of, "known_on": known_on, "total": figures.total,
        "rows": rows.collect::<Vec<_>>(), "share_of": figures.share_of, "share": figures.share.map(percent),
    })
}

/// Hundredths of a percent as `38.66`.
fn percent(hundredths: u64) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
