//! The command line: one file a command. Each parses, calls the kernel or the app, and prints for people or, with `--json`, for programs.

pub mod account;
pub mod act;
pub mod backup;
pub mod check;
pub mod clock;
pub mod date;
pub mod demo;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod export;
pub mod fault;
pub mod figures;
pub mod fmt;
pub mod generate;
pub mod graph;
pub mod help;
pub mod import;
pub mod init;
pub mod list;
pub mod moving;
pub mod office;
pub mod offices;
pub mod outbox;
pub mod plan;
pub mod print;
pub mod problems;
pub mod progress;
pub mod publish;
pub mod quarantine;
pub mod report;
pub mod rollback;
pub mod rules;
pub mod sarif;
pub mod say;
pub mod schema;
pub mod secret;
pub mod serve;
pub mod show;
pub mod similar;
pub mod simulate;
pub mod table;
pub mod test;
pub mod token;
pub mod unit;
pub mod usage;
pub mod worded;

use crate::cli::office::Stop;
use crate::config::Settings;
use crate::kernel::model::problem::Problem;
use crate::kernel::words::Lang;
use crate::store::Place;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use indexmap::IndexMap;
use std::path::PathBuf;

/// Exit codes of every command.
pub mod exit {
    use crate::config::ConfigError;

    pub const DONE: i32 = 0;
    /// Rule errors, failing tests, refused actions.
    pub const FINDINGS: i32 = 1;
    pub const USAGE: i32 = 2;
    /// There are changes, where that was asked for.
    pub const CHANGES: i32 = 3;
    /// Database, disk or mail server cannot be reached.
    pub const ENVIRONMENT: i32 = 4;
    /// Refused by policy.
    pub const POLICY: i32 = 5;

    /// The code of what ended a command: settings that cannot be meant, and files that were named and are not there, are the caller's.
    pub fn of(error: &anyhow::Error) -> i32 {
        if let Some(stop) = error.downcast_ref::<super::office::Stop>() {
            return stop.code;
        }
        let settings = error.downcast_ref::<ConfigError>().is_some_and(|error| !matches!(error, ConfigError::Read { .. }));
        let not_there = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        };
        if settings || error.chain().any(not_there) { USAGE } else { ENVIRONMENT }
    }
}

/// 督办: deadline-driven public casework by rule files
#[derive(Parser, Debug)]
#[command(name = "duban", version, propagate_version = true, max_term_width = 110, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// What every command understands.
#[derive(clap::Args, Clone, Debug)]
pub struct Global {
    /// Settings file (default: duban.yaml, when it is there)
    #[arg(long, global = true)]
    pub config: Option<PathBuf>,
    /// A SQLite file or postgres://USER@HOST/NAME (default: duban.db)
    #[arg(long, global = true, value_name = "DATABASE")]
    pub database: Option<Place>,
    /// Folder of the rule set (default: the only one under rules/)
    #[arg(long, global = true)]
    pub rules: Option<PathBuf>,
    /// Which office of the database, where it serves several (default: local)
    #[arg(long, global = true, value_name = "NAME")]
    pub jurisdiction: Option<String>,
    /// Language for people: zh or en
    #[arg(long, global = true)]
    pub lang: Option<String>,
    /// JSON for programs instead of text for people
    #[arg(long, global = true)]
    pub json: bool,
    /// No colour
    #[arg(long, global = true)]
    pub no_color: bool,
    /// No progress and no remarks
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand, Debug)]
pub enum Command {
    /// Who may sign in to the pages: inviting, shutting off, passwords
    Account(account::AccountArgs),
    /// Do an action on an item, on many, or a file of actions
    Act(act::ActArgs),
    /// A verified copy of the database, also while a server works it
    Backup(backup::BackupArgs),
    /// Tell everything that is wrong with a rule set, with its place and what to do
    Check(check::CheckArgs),
    /// Say that the machine's clock is right, after a jump that holds the server
    Clock(clock::ClockArgs),
    /// Count a deadline on the official calendar: duban date 2025-11-30 "3 months"
    Date(date::DateArgs),
    /// A sample office through its years: list in, reminders and escalations out
    Demo(demo::DemoArgs),
    /// What two rule sets mean differently, sentence by sentence
    Diff(diff::DiffArgs),
    /// Is everything as it should be: records, wake-ups, outbox, calendar, disk; and what to do if not
    Doctor(doctor::DoctorArgs),
    /// Why a due date is that date; why a person may or may not do an action
    Explain(explain::ExplainArgs),
    /// Every item as a row of the list that an import reads, as a workbook or text with commas
    Export(export::ExportArgs),
    /// Put the rule files in order, with their comments
    Fmt(fmt::FmtArgs),
    /// Fill an empty database with a country of open items, to see how fast everything is
    Generate(generate::GenerateArgs),
    /// The workflow as a picture: states, actions, deadlines; with --live how many items stand where
    Graph(graph::GraphArgs),
    /// What a check finds and why, with a bad and a good example: duban help E503; or the help of a command
    Help(help::HelpArgs),
    /// Take in an office's list (.xlsx) by an import of the rule set
    Import(import::ImportArgs),
    /// Write a small rule set to begin with, or a copy of another
    Init(init::InitArgs),
    /// Items in columns
    List(list::ListArgs),
    /// Carry an office from one database to another, SQLite or PostgreSQL
    Move(moving::MoveArgs),
    /// The offices of a database: who they are, and adding one
    Offices(offices::OfficesArgs),
    /// Notices and mails: what waits, what went out, and letting go of it
    Outbox(outbox::OutboxArgs),
    /// What edited rules would do to the open items: dates, overdue, what they stand on; kept as a file for publish
    Plan(plan::PlanArgs),
    /// A form of the rules filled from an item, as a page that prints on A4
    Print(print::PrintArgs),
    /// Put rules into use as a plan says: all of it in one transaction, also while a server runs
    Publish(publish::PublishArgs),
    /// Items that were set aside: why, and trying them again
    Quarantine(quarantine::QuarantineArgs),
    /// A report of the rule set as of any day
    Report(report::ReportArgs),
    /// Put a backup to work; it mails nothing until somebody lets it
    Restore(backup::RestoreArgs),
    /// Plan, and with --yes put into use, the rules that were in use before
    Rollback(rollback::RollbackArgs),
    /// Which rules were in use, since when, who put them into use, and which wait for a second person
    Rules(rules::RulesArgs),
    /// The rules in plain sentences, for somebody who signs them
    Say(say::SayArgs),
    /// Schemas with the rule set's own names, for editors
    Schema(schema::SchemaArgs),
    /// Run it for real: scheduler, mailer and local API in one process
    Serve(serve::ServeArgs),
    /// All that is known of one item
    Show(show::ShowArgs),
    /// Items that are likely about the same matter, of this year and earlier ones
    Similar(similar::SimilarArgs),
    /// What would happen: all mails until a day if nobody does anything, also under edited rules; nothing is written or sent
    Simulate(simulate::SimulateArgs),
    /// Run the stories beside a rule set
    Test(test::TestArgs),
    /// Tokens by which programs ask in somebody's name
    Token(token::TokenArgs),
    /// A systemd unit that starts the server shut off from all it does not need
    Unit(unit::UnitArgs),
}

/// Settings with the flags of the command line over them.
pub struct Context {
    pub settings: Settings,
    /// The file of settings, when one was named.
    pub config: Option<PathBuf>,
    pub lang: Lang,
    pub json: bool,
    pub quiet: bool,
    pub colour: bool,
}

impl Context {
    fn new(global: &Global) -> anyhow::Result<Context> {
        let mut settings = Settings::load(global.config.as_deref())?;
        if let Some(database) = &global.database {
            settings.database = database.clone();
        }
        if let Some(jurisdiction) = &global.jurisdiction {
            settings.jurisdiction.clone_from(jurisdiction);
        }
        if let Some(rules) = &global.rules {
            settings.rules = Some(rules.clone());
            settings.rules_of = None;
        }
        if let Some(lang) = &global.lang {
            settings.lang = Some(lang.clone());
        }
        let lang = settings.lang();
        if let Some(other) = settings.lang.as_deref().filter(|lang| !["zh", "en"].iter().any(|known| lang.starts_with(known))) {
            return Err(Stop::usage(lang, "office.lang", &[("lang", other)]).into());
        }
        if !["text", "json"].contains(&settings.log.as_str()) {
            return Err(Stop::usage(lang, "serve.log", &[("log", &settings.log)]).into());
        }
        Ok(Context {
            settings,
            config: global.config.clone(),
            lang,
            json: global.json,
            quiet: global.quiet,
            colour: colour(global.no_color),
        })
    }

    /// Draws problems of a rule set on standard error.
    pub fn draw(&self, problems: &[Problem], folder: &str, files: &IndexMap<String, String>) {
        let drawing = problems::Drawing { lang: self.lang, colour: self.colour, folder, files };
        anstream::eprintln!("{}", drawing.draw_all(problems));
    }
}

/// Colour on a terminal, or as `NO_COLOR` and `CLICOLOR_FORCE` say.
fn colour(refused: bool) -> bool {
    let terminal = std::io::IsTerminal::is_terminal(&std::io::stderr()) || std::io::IsTerminal::is_terminal(&std::io::stdout());
    !refused && crate::config::colour_wished().unwrap_or(terminal)
}

/// Runs the command line of this process and gives its exit code.
pub fn run() -> i32 {
    let words = crate::config::typed();
    let named = |option: &str| usage::named(option, words.iter().cloned());
    let asked_in = crate::config::lang_without_settings(named("--lang").as_deref(), named("--config").map(PathBuf::from).as_deref());
    let command = worded::worded(Cli::command(), asked_in);
    let parsed = command
        .clone()
        .try_get_matches()
        .and_then(|mut matches| Cli::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command.clone())));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return misused(&error, &command, &words, asked_in),
    };
    if !colour(cli.global.no_color) {
        anstream::ColorChoice::Never.write_global();
    }
    let json = cli.global.json;
    let (lang, done) = match Context::new(&cli.global) {
        Ok(context) => (context.lang, execute(cli.command, &context)),
        Err(error) => (crate::config::lang_without_settings(cli.global.lang.as_deref(), cli.global.config.as_deref()), Err(error)),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            let sentence = fault::sentence(lang, &error);
            anstream::eprintln!("duban: {sentence}");
            let code = exit::of(&error);
            if json {
                anstream::println!("{}", serde_json::json!({ "error": sentence, "exit": code }));
            }
            code
        }
    }
}

/// Help that was asked for, or why the command line cannot be meant.
fn misused(error: &clap::Error, command: &clap::Command, words: &[String], lang: Lang) -> i32 {
    use clap::error::ErrorKind::{DisplayHelp, DisplayHelpOnMissingArgumentOrSubcommand, DisplayVersion};
    if matches!(error.kind(), DisplayHelp | DisplayHelpOnMissingArgumentOrSubcommand | DisplayVersion) {
        // Nobody is left to be told that it could not be printed.
        let _ = error.print();
        return error.exit_code();
    }
    let sentence = usage::sentence(lang, error, command, words);
    anstream::eprintln!("duban: {sentence}");
    if words.iter().any(|word| word == "--json") {
        anstream::println!("{}", serde_json::json!({ "error": sentence, "exit": exit::USAGE }));
    }
    exit::USAGE
}

fn execute(command: Command, context: &Context) -> anyhow::Result<i32> {
    match command {
        Command::Account(args) => account::run(&args, context),
        Command::Act(args) => act::run(&args, context),
        Command::Backup(args) => backup::backup(&args, context),
        Command::Check(args) => check::run(&args, context),
        Command::Clock(args) => clock::run(&args, context),
        Command::Date(args) => {
            let args = date::DateArgs { json: args.json || context.json, ..args };
            date::run(&args, context.lang, &mut anstream::stdout(), &mut anstream::stderr())
        }
        Command::Demo(args) => demo::run(&args, context),
        Command::Diff(args) => diff::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Export(args) => export::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Fmt(args) => fmt::run(&args, context),
        Command::Generate(args) => generate::run(&args, context),
        Command::Graph(args) => graph::run(&args, context),
        Command::Help(args) => help::run(&args, context),
        Command::Import(args) => import::run(&args, context),
        Command::Init(args) => init::run(&args, context),
        Command::List(args) => list::run(&args, context),
        Command::Move(args) => moving::run(&args, context),
        Command::Offices(args) => offices::run(&args, context),
        Command::Outbox(args) => outbox::run(&args, context),
        Command::Plan(args) => plan::run(&args, context),
        Command::Print(args) => print::run(&args, context),
        Command::Publish(args) => publish::run(&args, context),
        Command::Quarantine(args) => quarantine::run(&args, context),
        Command::Report(args) => report::run(&args, context),
        Command::Restore(args) => backup::restore(&args, context),
        Command::Rollback(args) => rollback::run(&args, context),
        Command::Rules(args) => rules::run(&args, context),
        Command::Say(args) => say::run(&args, context),
        Command::Schema(args) => schema::run(&args, context),
        Command::Serve(args) => serve::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Similar(args) => similar::run(&args, context),
        Command::Simulate(args) => simulate::run(&args, context),
        Command::Test(args) => test::run(&args, context),
        Command::Token(args) => token::run(&args, context),
        Command::Unit(args) => unit::run(&args, context),
    }
}
