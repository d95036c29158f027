//! `duban graph`: a workflow as a picture; `--live` adds how many open items stand where.

use super::diff::rule_set;
use super::office::{Office, Stop, wait_for};
use super::say::workflows;
use super::{Context, exit};
use crate::kernel::author::graph::{Counts, Format, graph};
use clap::{Args, ValueEnum};
use std::collections::HashMap;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban graph --format svg > flow.svg
         duban graph rules/letters --format dot | dot -Tpdf > flow.pdf")]
pub struct GraphArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Which workflow, where the rule set has several
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// mermaid for pages and chats, dot for Graphviz, svg for a browser
    #[arg(long, value_enum, default_value_t = Drawn::Mermaid)]
    pub format: Drawn,
    /// With the number of open items in each state, read from the database
    #[arg(long)]
    pub live: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Drawn {
    Mermaid,
    Dot,
    Svg,
}

pub fn run(args: &GraphArgs, context: &Context) -> anyhow::Result<i32> {
    // Live and without a folder, the rules are those in use.
    let (set, counts) = match (args.live, &args.folder) {
        (true, folder) => {
            let (in_use, counts) = live(context)?;
            let set = folder.as_ref().map(|folder| rule_set(folder, context)).transpose()?;
            (set.map_or(in_use, std::sync::Arc::new), Some(counts))
        }
        (false, Some(folder)) => (rule_set(folder, context)?.into(), None),
        (false, None) => (rule_set(&context.settings.rules_folder()?, context)?.into(), None),
    };
    let found = workflows(&set, args.workflow.as_deref(), context)?;
    let [(name, rules)] = found.as_slice() else {
        let known: Vec<&str> = found.iter().map(|(name, _)| &**name).collect();
        return Err(Stop::usage(context.lang, "author.several_workflows", &[("known", &known.join(", "))]).into());
    };
    let none = Counts::new();
    let of_workflow = counts.as_ref().map(|counts| counts.get(&**name).unwrap_or(&none));
    let format = match args.format {
        Drawn::Mermaid => Format::Mermaid,
        Drawn::Dot => Format::Dot,
        Drawn::Svg => Format::Svg,
    };
    let drawn = graph(&set, rules, context.lang, of_workflow);
    if context.json {
        anstream::println!("{}", serde_json::to_string_pretty(&drawn)?);
    } else {
        anstream::print!("{}", drawn.draw(format));
    }
    Ok(exit::DONE)
}

/// The rules in use, and the open items by workflow and state.
fn live(context: &Context) -> anyhow::Result<(std::sync::Arc<crate::kernel::rules::RuleSet>, HashMap<String, Counts>)> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let counted = office.app.count_by_state().await;
        let rules = office.app.rules();
        office.close().await;
        let mut counts: HashMap<String, Counts> = HashMap::new();
        for (workflow, state, count) in counted.map_err(|error| Stop::store(context.lang, &error))? {
            counts.entry(workflow).or_default().insert(state.as_str().into(), count);
        }
        Ok((rules, counts))
    })
}
