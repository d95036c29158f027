//! `duban export`: every item as a row of the list that an import reads, so that it can be looked at, changed elsewhere, and taken in again.

use super::import::find;
use super::office::{Office, Stop, wait_for};
use super::{Context, exit, progress};
use crate::app::ReportError;
use crate::kernel::words::say;
use crate::sheet::report::sheet_name;
use crate::sheet::write::{Table, csv, workbook};
use clap::Args;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban export list.xlsx")]
pub struct ExportArgs {
    /// Where to: a workbook (.xlsx), or text with commas (.csv)
    pub file: PathBuf,
    /// The import of the rule set by whose columns it is written (default: the only one)
    #[arg(long)]
    pub import: Option<String>,
    /// Also the columns of what is secret, or not for everybody to see
    #[arg(long)]
    pub all: bool,
}

pub fn run(args: &ExportArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let done = export(args, &office, context).await;
        office.close().await;
        done
    })
}

async fn export(args: &ExportArgs, office: &Office, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let as_text = match args.file.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => true,
        Some("xlsx") => false,
        _ => return Err(Stop::usage(lang, "export.which_form", &[("file", &args.file.display().to_string())]).into()),
    };
    let (rules, name) = find(office, args.import.as_deref(), lang)?;
    let declared = &rules.setting.workflow.imports[&name];
    let bar = progress::bar(context, progress::COUNT);
    bar.set_prefix(say(lang, "export.running", &[]));
    let exported = office.app.export(&rules, &name, args.all, progress::moves(&bar)).await;
    bar.finish_and_clear();
    let exported = exported.map_err(|error| match error {
        ReportError::Store(error) => anyhow::Error::from(Stop::store(lang, &error)),
        error => error.into(),
    })?;
    let (count, left_out) = (exported.rows.len().to_string(), exported.left_out.to_string());
    let sheet = declared.sheet.clone().unwrap_or_else(|| declared.title.clone());
    let table = Table { name: sheet_name(&sheet), headings: exported.headings, rows: Box::new(exported.rows.into_iter()) };
    let written = if as_text { csv(&args.file, table).map(|()| 0) } else { workbook(&args.file, vec![table]) };
    let too_many = written.map_err(|error| {
        let values = [("path", args.file.display().to_string()), ("what", error.to_string())];
        Stop::new(exit::ENVIRONMENT, lang, "report.not_written", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
    })?;
    if context.json {
        let answer = serde_json::json!({ "file": args.file, "import": name, "rows": count.parse::<u64>()?, "left_out": exported.left_out, "kept": exported.kept });
        anstream::println!("{answer}");
    } else {
        let file = args.file.display().to_string();
        anstream::println!("{}", say(lang, "export.done", &[("rows", &count), ("file", &file), ("list", &declared.title)]));
        if exported.left_out > 0 {
            anstream::println!("{}", say(lang, "export.left_out", &[("count", &left_out)]));
        }
        if !exported.kept.is_empty() {
            let columns = exported.kept.join(&say(lang, "mail.comma", &[]));
            anstream::println!("{}", say(lang, "export.kept", &[("columns", &columns)]));
        }
    }
    Ok(if too_many == 0 { exit::DONE } else { exit::FINDINGS })
}
