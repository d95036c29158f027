//! `duban fmt`: the rule files put in order, with their comments; `--check` only tells.

use super::office::Stop;
use super::{Context, exit};
use crate::files;
use crate::kernel::author::layout::{Ordered, ordered};
use crate::kernel::model::problem::Problem;
use crate::kernel::words::{Lang, say};
use anyhow::Context as _;
use clap::Args;
use indexmap::IndexMap;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban fmt rules/letters --check")]
pub struct FmtArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Write nothing; exit with 1 when a file is not in order
    #[arg(long)]
    pub check: bool,
}

pub fn run(args: &FmtArgs, context: &Context) -> anyhow::Result<i32> {
    let folder = args.folder.clone().map_or_else(|| context.settings.rules_folder(), Ok)?;
    let name = folder.display().to_string();
    if !folder.is_dir() {
        return Err(Stop::usage(context.lang, "office.no_folder", &[("folder", &name)]).into());
    }
    let files = files::rule_set(&folder)?;
    let (mut changed, mut unreadable): (IndexMap<&String, Ordered>, Vec<Problem>) = Default::default();
    for (path, text) in files.iter().filter(|(path, _)| path.ends_with(".yaml") && !path.starts_with("../")) {
        match ordered(path, text) {
            Ok(made) if made.text == *text => {}
            Ok(made) => _ = changed.insert(path, made),
            Err(problems) => unreadable.extend(problems),
        }
    }
    if !args.check {
        for (path, made) in &changed {
            let path = folder.join(path);
            std::fs::write(&path, &made.text).with_context(|| format!("writing `{}`", path.display()))?;
        }
    }
    if context.json {
        let rows = changed.iter().map(|(path, made)| {
            json!({ "file": path, "lines": made.changed(), "indented": made.indented, "quoted": made.quoted, "trimmed": made.trimmed })
        });
        let problems = super::problems::json(&unreadable, context.lang);
        anstream::println!("{}", json!({ "changed": rows.collect::<Vec<_>>(), "written": !args.check, "problems": problems }));
    } else {
        changed.iter().for_each(|(path, made)| anstream::println!("{}", line(path, made, context.lang)));
        if !unreadable.is_empty() {
            context.draw(&unreadable, &name, &files);
        }
        if !context.quiet {
            let key = match (changed.is_empty(), args.check) {
                (true, _) => "fmt.in_order",
                (false, true) => "fmt.would_change",
                (false, false) => "fmt.changed",
            };
            anstream::println!("{}", say(context.lang, key, &[("count", &changed.len().to_string())]));
        }
    }
    Ok(if !unreadable.is_empty() || (args.check && !changed.is_empty()) { exit::FINDINGS } else { exit::DONE })
}

/// `flow.yaml: 3 lines (indentation 88; quotes 214)`
fn line(path: &str, made: &Ordered, lang: Lang) -> String {
    let of = |key: &str, lines: &[usize]| {
        let shown: Vec<String> = lines.iter().take(8).map(usize::to_string).collect();
        let more = if lines.len() > shown.len() { " …" } else { "" };
        (!lines.is_empty()).then(|| say(lang, key, &[("lines", &(shown.join(" ") + more))]))
    };
    let parts = [of("fmt.indentation", &made.indented), of("fmt.quotes", &made.quoted), of("fmt.ends", &made.trimmed)];
    let what = parts.into_iter().flatten().collect::<Vec<_>>().join(&say(lang, "author.semicolon", &[]));
    say(lang, "fmt.file", &[("file", path), ("count", &made.changed().to_string()), ("what", &what)])
}
