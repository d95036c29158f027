//! `duban help E503`: the page of a check, with a bad and a good example. `duban help COMMAND` is what clap tells of the command.

use super::office::Stop;
use super::worded::worded;
use super::{Cli, Context, exit};
use crate::kernel::words::pages::{self, Page};
use crate::kernel::words::say;
use clap::{Args, CommandFactory};
use owo_colors::OwoColorize;
use serde_json::json;

#[derive(Args, Clone, Debug)]
pub struct HelpArgs {
    /// A code of a check, such as E503, or a command
    pub what: Vec<String>,
}

pub fn run(args: &HelpArgs, context: &Context) -> anyhow::Result<i32> {
    let Some(first) = args.what.first() else {
        worded(Cli::command(), context.lang).print_long_help()?;
        return Ok(exit::DONE);
    };
    let code = first.to_ascii_uppercase();
    if let Some(page) = pages::page(context.lang, &code) {
        if context.json {
            anstream::println!("{}", serde_json::to_string_pretty(&as_json(&page))?);
        } else {
            anstream::print!("{}", drawn(&page, context));
        }
        return Ok(exit::DONE);
    }
    let mut command = worded(Cli::command(), context.lang);
    command.build();
    let mut found = &mut command;
    for word in &args.what {
        found = match found.find_subcommand_mut(word) {
            Some(command) => command,
            None => return Err(unknown(first, &code, context).into()),
        };
    }
    found.print_long_help()?;
    Ok(exit::DONE)
}

fn unknown(what: &str, code: &str, context: &Context) -> Stop {
    let is_code = code.len() == 4 && code.starts_with(['E', 'W', 'I']) && code[1..].bytes().all(|digit| digit.is_ascii_digit());
    let key = if is_code { "help.no_code" } else { "help.unknown" };
    Stop::usage(context.lang, key, &[("what", what)])
}

/// What is found, why it matters, and both examples.
fn drawn(page: &Page, context: &Context) -> String {
    let mut out = format!("{}  {}\n\n{}\n", page.code.bold(), page.finds.bold(), page.why);
    for (key, example) in [("help.bad", &page.bad), ("help.good", &page.good)] {
        out += &format!("\n{}\n", say(context.lang, key, &[]).bold());
        for (path, text) in example {
            if !path.is_empty() {
                out += &format!("\n    {}\n", format!("# {path}").dimmed());
            }
            for line in text.lines() {
                out += format!("    {line}").trim_end();
                out.push('\n');
            }
        }
    }
    out
}

fn as_json(page: &Page) -> serde_json::Value {
    let files = |example: &[(&str, String)]| -> Vec<serde_json::Value> {
        example.iter().map(|(path, text)| json!({ "file": (!path.is_empty()).then_some(path), "text": text })).collect()
    };
    json!({ "code": page.code, "finds": page.finds, "why": page.why, "bad": files(&page.bad), "good": files(&page.good) })
}
