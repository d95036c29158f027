//! `duban init DIR`: a rule set to begin with, or a copy of another one. It writes into nothing but an empty folder.

use super::office::Stop;
use super::{Context, exit};
use crate::files;
use crate::kernel::check;
use crate::kernel::words::{Lang, say};
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban init rules/letters
         duban init rules/mine --from rules/letters")]
pub struct InitArgs {
    /// The new folder; it may be there, if it is empty
    pub folder: PathBuf,
    /// Copy this rule set instead of a small one to begin with
    #[arg(long, value_name = "FOLDER")]
    pub from: Option<PathBuf>,
}

pub fn run(args: &InitArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let folder = args.folder.display().to_string();
    let taken = match std::fs::read_dir(&args.folder) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => false,
        Err(_) => true,
    };
    if taken {
        return Err(Stop::new(exit::POLICY, lang, "init.not_empty", &[("folder", &folder)]).into());
    }
    let files = match &args.from {
        None => files::start(language(lang)),
        Some(from) if !from.is_dir() => {
            return Err(Stop::usage(lang, "office.no_folder", &[("folder", &from.display().to_string())]).into());
        }
        // Everything of the folder itself, but what does not belong to rules: the sample, and the shared calendars.
        Some(from) => files::rule_set(from)?.into_iter().filter(|(path, _)| !path.starts_with("../")).collect(),
    };
    if files.is_empty() {
        let from = args.from.as_deref().unwrap_or(Path::new("")).display().to_string();
        return Err(Stop::usage(lang, "init.nothing", &[("folder", &from)]).into());
    }
    for (path, text) in &files {
        let path = args.folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).with_context(|| format!("making `{}`", parent.display()))?;
        }
        std::fs::write(&path, text).with_context(|| format!("writing `{}`", path.display()))?;
    }
    copy_calendars(args, &files)?;
    let (rules, problems) = check::load(&files::rule_set(&args.folder)?);
    if context.json {
        let paths: Vec<&String> = files.keys().collect();
        anstream::println!("{}", json!({ "folder": folder, "files": paths, "good": rules.is_some(), "problems": problems.len() }));
    } else if !context.quiet {
        let count = files.len().to_string();
        anstream::println!("{}", say(lang, "init.written", &[("folder", &folder), ("count", &count)]));
        for path in files.keys() {
            anstream::println!("  {path}");
        }
        anstream::println!("{}", say(lang, "init.next", &[("folder", &folder)]));
    }
    Ok(exit::DONE)
}

fn language(lang: Lang) -> &'static str {
    match lang {
        Lang::Zh => "zh-CN",
        Lang::En => "en",
    }
}

/// A copy that moves away from the shared calendars takes along those that do not come with the program.
fn copy_calendars(args: &InitArgs, files: &indexmap::IndexMap<String, String>) -> anyhow::Result<()> {
    let Some(from) = &args.from else { return Ok(()) };
    let there = files::rule_set(&args.folder)?;
    for (path, text) in files::rule_set(from)? {
        let Some(name) = path.strip_prefix("../calendars/") else { continue };
        let own = format!("calendars/{name}");
        if there.get(&path) != Some(&text) && !files.contains_key(&own) {
            let target = args.folder.join(&own);
            std::fs::create_dir_all(args.folder.join("calendars")).context("making the folder of calendars")?;
            std::fs::write(&target, text).with_context(|| format!("writing `{}`", target.display()))?;
        }
    }
    Ok(())
}
