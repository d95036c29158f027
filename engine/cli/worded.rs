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
        let begins = [("Examples:", "usage.examples"), ("Example:", "usage.example")];
        let begin = begins.into_iter().find_map(|(english, key)| Some((text.strip_prefix(english)?, say(lang, key, &[]))));
        begin.map_or(text.clone(), |(rest, begin)| match rest.strip_prefix(' ') {
            Some(rest) => format!("{begin}{rest}"),
            None => format!("{}{rest}", begin.trim_end()),
        })
    });
    let mut command = command
        .help_template(format!(
            "{{before-help}}{{about-with-newline}}\n{}{{usage}}\n\n{{all-args}}{{after-help}}",
            say(lang, "usage.heading", &[])
        ))
        .subcommand_help_heading(say(lang, "usage.commands", &[]))
        .mut_args(|argument| {
            let values = values(&argument, lang);
            let argument = match argument.get_action().takes_values() {
                true => argument.hide_default_value(true).hide_possible_values(true),
                false => argument,
            };
            let (short, long) = (said(argument.get_help()), said(argument.get_long_help()));
            let told = |text: String| if values.is_empty() { text } else { format!("{text} {values}").trim_start().to_string() };
            let short = short.map(told).or_else(|| Some(values.clone()).filter(|values| !values.is_empty()));
            let long = long.map(told);
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

/// What an option is when it is not given, and what it may be: clap's own words for that are English.
fn values(argument: &Arg, lang: Lang) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let default: Vec<String> = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let known: Vec<String> =
        argument.get_possible_values().iter().filter(|value| !value.is_hide_set()).map(|value| value.get_name().to_string()).collect();
    let shown =
        [("usage.default", default, argument.is_hide_default_value_set()), ("usage.values", known, argument.is_hide_possible_values_set())];
    let shown = shown.into_iter().filter(|(_, values, hidden)| !hidden && !values.is_empty());
    shown.map(|(key, values, _)| say(lang, key, &[("values", &values.join(", "))])).collect::<Vec<_>>().join(" ")
}
