//! `duban unit`: a systemd unit for this installation, shut off from all that the server does not need, with the paths filled in.

use super::office::Stop;
use super::{Context, exit};
use crate::config;
use crate::kernel::words::say;
use crate::store::LOCAL;
use anyhow::Context as _;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban unit --user duban > /etc/systemd/system/duban.service")]
pub struct UnitArgs {
    /// The user under whom the server runs; the database has to be theirs
    #[arg(long, default_value = "duban")]
    pub user: String,
}

const UNIT: &str = include_str!("unit.txt");

pub fn run(args: &UnitArgs, context: &Context) -> anyhow::Result<i32> {
    let settings = &context.settings;
    let here = std::fs::canonicalize(".").context("asking where we are")?;
    let from_here = |path: &Path| here.join(path);
    if !args.user.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') || args.user.is_empty() {
        return Err(Stop::usage(context.lang, "unit.user", &[("user", &args.user)]).into());
    }
    let mut command = vec![config::own_binary().context("asking for our own place")?.display().to_string()];
    if let Some(file) = &context.config {
        command.extend(["--config".to_string(), from_here(file).display().to_string()]);
    }
    let mut writes = Vec::new();
    // The URL of a server may hold a password, so it stays where it was read from; nothing is written here then.
    if let Some(file) = settings.database.file() {
        let file = from_here(file);
        if file.parent() == Some(&here) {
            // The rules, the settings and their tokens stand there as well.
            anstream::eprintln!("{}", say(context.lang, "unit.own_folder", &[("folder", &here.display().to_string())]));
        }
        writes.extend(file.parent().map(Path::to_path_buf));
        command.extend(["--database".to_string(), file.display().to_string()]);
    }
    if settings.jurisdiction != LOCAL {
        command.extend(["--jurisdiction".to_string(), settings.jurisdiction.clone()]);
    }
    // Another office's rules would be put to work in this one at every start.
    if let Some(rules) = settings.rules_folder().ok().filter(|_| settings.own_rules()) {
        command.extend(["--rules".to_string(), from_here(&rules).display().to_string()]);
    }
    command.push("serve".to_string());
    writes.extend(settings.mail.folder.as_deref().map(from_here));
    let quoted = |paths: &[PathBuf]| paths.iter().map(|path| quoted(&path.display().to_string())).collect::<Vec<_>>().join(" ");
    let unit = UNIT
        .replace("{user}", &args.user)
        .replace("{folder}", &here.display().to_string().replace('%', "%%"))
        .replace("{command}", &command.iter().map(|word| self::quoted(word)).collect::<Vec<_>>().join(" "))
        .replace("{writes}", &if writes.is_empty() { String::new() } else { format!("ReadWritePaths={}\n", quoted(&writes)) });
    anstream::print!("{unit}");
    for folder in writes.iter().filter(|folder| !folder.is_dir()) {
        // systemd starts nothing that may write where there is nothing.
        let values = [("folder", folder.display().to_string()), ("user", args.user.clone())];
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        anstream::eprintln!("{}", say(context.lang, "unit.no_folder", &values));
    }
    Ok(exit::DONE)
}

/// A word as systemd reads it back.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$"))
}
