//! The help that the command line prints about itself, in the reader's language: English stands beside each command and option, the rest in
//! the catalogue.

use crate::kernel::words::{Lang, help, say};
use clap::builder::StyledStr;
use clap::{Arg, ArgAction, Command};

/// The same commands and options, with their help in a language.
pub fn worded(command: Command, lang: Lang) -> Command {
    if lang == Lang::En {
        return command;
    }
    let flag = |name: &'static str, short: char, action: ArgAction, text: &str| {
        Arg::new(name).long(name).short(short).action(action).help(help(lang, text)).global(true).help_heading(say(
            lang,
            "usage.options",
            &[],
        ))
    };
    let command = command.disable_help_flag(true).disable_version_flag(true);
    let command =
        command.arg(flag("help", 'h', ArgAction::Help, "Print help")).arg(flag("version", 'V', ArgAction::Version, "Print version"));
    every(command, lang)
}

fn every(command: Command, lang: Lang) -> Command {
    let said = |text: Option<&StyledStr>| text.map(|text| help(lang, &text.to_string()));
    let (about, long_about) = (said(command.get_about()), said(command.get_long_about()));
    let example = command.get_after_help().map(|text| {
        let text = text.to_string();
        // As wide as what it stands for, so that the lines below stay in their column.
        let begins = [("Examples: ", "usage.examples"), ("Example: ", "usage.example")];
        let begin = begins.into_iter().find_map(|(english, key)| Some((text.strip_prefix(english)?, key)));
        begin.map_or(text.clone(), |(rest, key)| format!("{}{rest}", say(lang, key, &[])))
    });
    let mut command = command
        .help_template(format!(
            "{{before-help}}{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            say(lang, "usage.heading", &[])
        ))
        .subcommand_help_heading(say(lang, "usage.commands", &[]))
        .mut_args(|argument| {
            let (short, long) = (said(argument.get_help()), said(argument.get_long_help()));
            let heading = if argument.is_positional() { "usage.arguments" } else { "usage.options" };
            let argument = argument.help_heading(say(lang, heading, &[]));
            let argument = if let Some(short) = short { argument.help(short) } else { argument };
            if let Some(long) = long { argument.long_help(long) } else { argument }
        });
    if let Some(about) = about {
        command = command.about(about);
    }
    if let Some(about) = long_about {
        command = command.long_about(about);
    }
    if let Some(example) = example {
        command = command.after_help(example);
    }
    command.mut_subcommands(|sub| every(sub, lang))
}
