//! `duban diff A B`: what a rule set means that another does not, sentence by sentence; with one folder, or none, against the rule set in use.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit};
use crate::files;
use crate::kernel::author::clauses::Kind;
use crate::kernel::author::diff::{Difference, differences};
use crate::kernel::check;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::RuleSet;
use crate::kernel::words::{Lang, say};
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban diff rules/letters rules/draft
         duban diff rules/draft       (against the rule set in use of the database)")]
pub struct DiffArgs {
    /// Folders of two rule sets, the older one first; with one, the rule set in use of the database is the older one
    #[arg(num_args = 0..=2, value_name = "FOLDER")]
    pub folders: Vec<PathBuf>,
    /// Exit with 3 when there are differences
    #[arg(long)]
    pub exit_code: bool,
}

pub fn run(args: &DiffArgs, context: &Context) -> anyhow::Result<i32> {
    let (old, new) = match args.folders.as_slice() {
        [old, new] => (Arc::new(rule_set(old, context)?), rule_set(new, context)?),
        [new] => (in_use(context)?, rule_set(new, context)?),
        _ => (in_use(context)?, rule_set(&context.settings.rules_folder()?, context)?),
    };
    let found = differences(&old, &new);
    if context.json {
        anstream::println!("{}", serde_json::to_string_pretty(&in_json(&old, &new, &found, context.lang))?);
    } else {
        anstream::print!("{}", text(&found, context.lang));
        if !context.quiet {
            let wording = found.iter().filter(|difference| difference.wording).count().to_string();
            let key = if found.is_empty() { "author.diff.same" } else { "author.diff.count" };
            anstream::println!("{}", say(context.lang, key, &[("count", &found.len().to_string()), ("wording", &wording)]));
        }
    }
    Ok(if args.exit_code && !found.is_empty() { exit::CHANGES } else { exit::DONE })
}

/// The rule set of a folder; its mistakes are drawn.
pub fn rule_set(folder: &Path, context: &Context) -> anyhow::Result<RuleSet> {
    let name = folder.display().to_string();
    if !folder.is_dir() {
        return Err(Stop::usage(context.lang, "office.no_folder", &[("folder", &name)]).into());
    }
    let files = files::rule_set(folder)?;
    let (rules, problems) = check::load(&files);
    rules.ok_or_else(|| {
        let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
        context.draw(&errors, &name, &files);
        Stop::new(exit::FINDINGS, context.lang, "office.bad_rules", &[("folder", &name)]).into()
    })
}

/// The rule set under which the database's office works.
fn in_use(context: &Context) -> anyhow::Result<Arc<RuleSet>> {
    wait_for(async {
        let office = Office::to_read(context).await?;
        let rules = office.app.rules();
        office.close().await;
        Ok(rules)
    })
}

fn in_json(old: &RuleSet, new: &RuleSet, found: &[Difference], lang: Lang) -> serde_json::Value {
    let rows = found.iter().map(|difference| {
        let mut row = serde_json::to_value(difference).unwrap_or_default();
        row["sentence"] = difference.sentence(lang).into();
        row
    });
    json!({ "before": &*old.hash, "after": &*new.hash, "differences": rows.collect::<Vec<_>>() })
}

/// By kind; what changes wording only comes last.
fn text(found: &[Difference], lang: Lang) -> String {
    let mut out = String::new();
    let mut group = |title: String, members: Vec<&Difference>| {
        if members.is_empty() {
            return;
        }
        out.push_str(&format!("{}\n", title.bold()));
        for difference in members {
            out.push_str(&format!("  {}\n", difference.sentence(lang)));
        }
        out.push('\n');
    };
    for kind in Kind::ALL {
        let of_kind = found.iter().filter(|difference| difference.kind == kind && !difference.wording);
        group(say(lang, &format!("author.kinds.{}", kind.word()), &[]), of_kind.collect());
    }
    group(say(lang, "author.diff.wording", &[]), found.iter().filter(|difference| difference.wording).collect());
    out
}
