//! `duban similar`: items that are likely about the same matter as one, or as a title that is not handed in yet.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::kernel::words::say;
use clap::Args;
use serde_json::json;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban similar 2024-087
         duban similar --title \"TITLE\"")]
pub struct SimilarArgs {
    #[arg(required_unless_present = "title", conflicts_with = "title")]
    pub item: Option<String>,
    /// A title that has no item yet
    #[arg(long)]
    pub title: Option<String>,
    /// Only items of this workflow
    #[arg(long, requires = "title")]
    pub workflow: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub limit: u16,
}

pub fn run(args: &SimilarArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        let lang = context.lang;
        let office = Office::to_read(context).await?;
        let (workflow, title) = match (&args.item, &args.title) {
            (Some(item), _) => {
                let row = office.app.store.listed(item).await.map_err(|error| Stop::store(lang, &error))?;
                let row = row.ok_or_else(|| Stop::new(exit::FINDINGS, lang, "refusal.unknown_item", &[("item", item)]))?;
                (Some(row.workflow), row.title)
            }
            (None, title) => {
                let known = |workflow: &&String| office.app.rules().workflows.contains_key(workflow.as_str());
                if let Some(unknown) = args.workflow.as_ref().filter(|workflow| !known(workflow)) {
                    return Err(Stop::usage(lang, "refusal.unknown_workflow", &[("workflow", unknown)]).into());
                }
                (args.workflow.clone(), title.clone().unwrap_or_default())
            }
        };
        let found = office.app.similar(workflow.as_deref(), &title, args.item.as_deref(), usize::from(args.limit)).await;
        let found = found.map_err(|error| Stop::store(lang, &error))?;
        if context.json {
            let rows = found.iter().map(|(percent, row)| {
                json!({ "item": row.id, "title": row.title, "percent": percent, "state": row.state, "state_title": office.app.state_title(row) })
            });
            anstream::println!("{}", json!({ "title": title, "similar": rows.collect::<Vec<_>>() }));
        } else if found.is_empty() {
            anstream::println!("{}", say(lang, "similar.none", &[("title", &title)]));
        } else {
            let head = ["percent", "id", "state", "title"].map(|key| say(lang, &format!("similar.{key}"), &[]));
            let rows =
                found.iter().map(|(percent, row)| [format!("{percent}%"), row.id.clone(), office.app.state_title(row), row.title.clone()]);
            anstream::print!("{}", table::columns(std::iter::once(head).chain(rows), 0, &[]));
        }
        office.close().await;
        Ok(exit::DONE)
    })
}
