//! `duban print ITEM FORM`: a form of the rules filled from an item, as a page that prints on A4.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::app::look::Look;
use crate::kernel::form::FormError;
use crate::kernel::words::{Lang, refusal, say};
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban print 2024-087 task_sheet --branch UNIT --out task_sheet.html
Without --as it shows only what everybody may see. A browser prints it, or makes a PDF of it.")]
pub struct PrintArgs {
    pub item: String,
    /// A form by its name or title; without one, the forms of the item's workflow
    pub form: Option<String>,
    /// Of which branch: its number, its unit or person, or its kind with one of these
    #[arg(long)]
    pub branch: Option<String>,
    /// Show what this person may see; a dash stands for the rest
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
    /// Write the page to this file
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

pub fn run(args: &PrintArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let lang = context.lang;
        let office = Office::to_read(context).await?;
        let unknown = || Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", &args.item)]);
        let person = args.person.as_ref().map(|person| office.person(person)).transpose()?;
        let look = office.app.look(&args.item, person).await.map_err(|error| Stop::act(lang, &error.into()))?;
        let look = look.ok_or_else(unknown)?;
        match &args.form {
            Some(form) => {
                let page = office.app.form(&look, form, args.branch.as_deref()).map_err(|error| stop(error, lang))?;
                hand_out(&page, args, lang)?;
            }
            None => list(&look, context),
        }
        office.close().await;
        Ok(exit::DONE)
    })
}

fn hand_out(page: &str, args: &PrintArgs, lang: Lang) -> anyhow::Result<()> {
    let Some(path) = &args.out else { return Ok(std::io::stdout().write_all(page.as_bytes())?) };
    let not_written = |error: std::io::Error| {
        let values = [("path", path.display().to_string()), ("what", error.to_string())];
        Stop::new(exit::ENVIRONMENT, lang, "report.not_written", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
    };
    Ok(std::fs::write(path, page).map_err(not_written)?)
}

fn list(look: &Look, context: &Context) {
    let workflow = &look.rules.setting.workflow;
    let of =
        |kind: &crate::kernel::model::Name| workflow.branches.get(kind).map_or_else(|| kind.to_string(), |branch| branch.title.clone());
    if context.json {
        let rows = workflow.forms.iter().map(|(name, form)| json!({ "form": name, "title": form.title, "of": form.of }));
        anstream::println!("{}", json!({ "forms": rows.collect::<Vec<_>>() }));
        return;
    }
    if workflow.forms.is_empty() {
        anstream::eprintln!("{}", say(context.lang, "api.no_forms", &[("workflow", &workflow.title)]));
        return;
    }
    let rows = workflow.forms.iter().map(|(name, form)| [name.to_string(), form.title.clone(), form.of.iter().map(of).collect()]);
    anstream::print!("{}", table::columns(rows, 0, &[]));
    anstream::eprintln!("{}", say(context.lang, "form.how", &[("item", &look.item.id)]));
}

fn stop(error: FormError, lang: Lang) -> Stop {
    match error {
        FormError::No { code, values } => {
            let exit = if matches!(code, "unknown_form" | "no_forms" | "form_of_item") { exit::USAGE } else { exit::FINDINGS };
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            Stop::new(exit, lang, &format!("api.{code}"), &values)
        }
        FormError::Branch(no) => Stop { code: exit::FINDINGS, sentence: refusal(lang, &no) },
        FormError::Eval(error) => Stop::new(exit::ENVIRONMENT, lang, "office.item_fails", &[("what", &error.to_string())]),
        error => Stop::new(exit::ENVIRONMENT, lang, "api.form_fails", &[("what", &error.to_string())]),
    }
}
