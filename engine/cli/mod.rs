//! The command line: one file a command. Each parses, calls the kernel or the app, and prints for people or, with `--json`, for programs.

pub mod check;
pub mod date;
pub mod demo;
pub mod figures;
pub mod problems;
pub mod test;

use crate::config::Settings;
use crate::kernel::model::problem::Problem;
use crate::kernel::words::Lang;
use clap::{Parser, Subcommand};
use indexmap::IndexMap;
use std::path::PathBuf;

/// Exit codes of every command.
pub mod exit {
    pub const DONE: i32 = 0;
    /// Rule errors, failing tests, refused actions.
    pub const FINDINGS: i32 = 1;
    pub const USAGE: i32 = 2;
    /// Database, disk or mail server cannot be reached.
    pub const ENVIRONMENT: i32 = 4;
    /// Refused by policy.
    pub const POLICY: i32 = 5;
}

/// 督办: deadline-driven public casework by rule files
#[derive(Parser, Debug)]
#[command(name = "duban", version, propagate_version = true, max_term_width = 110)]
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
    /// The SQLite file (default: duban.db)
    #[arg(long, global = true)]
    pub database: Option<PathBuf>,
    /// Folder of the rule set (default: the only one under rules/)
    #[arg(long, global = true)]
    pub rules: Option<PathBuf>,
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
    /// Tell everything that is wrong with a rule set, with its place and what to do
    Check(check::CheckArgs),
    /// Count a deadline on the official calendar: duban date 2025-11-30 "3 months"
    Date(date::DateArgs),
    /// A sample office through its years: list in, reminders and escalations out
    Demo(demo::DemoArgs),
    /// Run the stories beside a rule set
    Test(test::TestArgs),
}

/// Settings with the flags of the command line over them.
pub struct Context {
    pub settings: Settings,
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
        if let Some(rules) = &global.rules {
            settings.rules = Some(rules.clone());
        }
        if let Some(lang) = &global.lang {
            settings.lang = Some(lang.clone());
        }
        let lang = settings.lang();
        Ok(Context { settings, lang, json: global.json, quiet: global.quiet, colour: colour(global.no_color) })
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
    let cli = Cli::parse();
    if !colour(cli.global.no_color) {
        anstream::ColorChoice::Never.write_global();
    }
    match execute(cli) {
        Ok(code) => code,
        Err(error) => {
            anstream::eprintln!("duban: {error:#}");
            exit::ENVIRONMENT
        }
    }
}

fn execute(cli: Cli) -> anyhow::Result<i32> {
    let context = Context::new(&cli.global)?;
    match cli.command {
        Command::Check(args) => check::run(&args, &context),
        Command::Date(args) => {
            let args = date::DateArgs { json: args.json || context.json, ..args };
            date::run(&args, context.lang, &mut anstream::stdout(), &mut anstream::stderr())
        }
        Command::Demo(args) => demo::run(&args, &context),
        Command::Test(args) => test::run(&args, &context),
    }
}
