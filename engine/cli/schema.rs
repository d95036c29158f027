//! `duban schema`: JSON Schemas with the rule set's own names, for editors.

use super::diff::rule_set;
use super::{Context, exit};
use crate::kernel::author::schema::{schema_of, schemas};
use crate::kernel::words::say;
use anyhow::Context as _;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Where the schemas are written, inside the folder of the rule set; `check` does not look there.
const FOLDER: &str = ".schema";

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban schema rules/letters
In an editor: # yaml-language-server: $schema=../.schema/suggestion.json")]
pub struct SchemaArgs {
    /// Folder of the rule set (default: as for every command)
    pub folder: Option<PathBuf>,
    /// Write nothing, show them
    #[arg(long)]
    pub stdout: bool,
}

pub fn run(args: &SchemaArgs, context: &Context) -> anyhow::Result<i32> {
    let folder = args.folder.clone().map_or_else(|| context.settings.rules_folder(), Ok)?;
    let set = rule_set(&folder, context)?;
    let made = schemas(&set);
    if args.stdout {
        anstream::println!("{}", serde_json::to_string_pretty(&made)?);
        return Ok(exit::DONE);
    }
    let target = folder.join(FOLDER);
    std::fs::create_dir_all(&target).with_context(|| format!("making `{}`", target.display()))?;
    for (name, schema) in &made {
        let path = target.join(name);
        std::fs::write(&path, serde_json::to_string_pretty(schema)? + "\n").with_context(|| format!("writing `{}`", path.display()))?;
    }
    // Each file with the line that an editor wants at its top.
    let lines: Vec<(&String, String)> = set
        .files
        .keys()
        .filter_map(|path| {
            let up = "../".repeat(path.matches('/').count());
            Some((path, format!("# yaml-language-server: $schema={up}{FOLDER}/{}", schema_of(&set, path)?)))
        })
        .collect();
    if context.json {
        let rows = lines.iter().map(|(path, line)| json!({ "file": path, "line": line }));
        let names: Vec<&String> = made.keys().collect();
        anstream::println!("{}", json!({ "folder": target, "schemas": names, "lines": rows.collect::<Vec<_>>() }));
    } else if !context.quiet {
        let names = made.keys().map(String::as_str).collect::<Vec<_>>().join(" ");
        anstream::println!("{}", say(context.lang, "schema.written", &[("folder", &target.display().to_string()), ("names", &names)]));
        let rows = lines.iter().map(|(path, line)| [path.to_string(), line.clone()]);
        anstream::print!("{}", super::table::columns(rows, 2, &[]));
    }
    Ok(exit::DONE)
}
