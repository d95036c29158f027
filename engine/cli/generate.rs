//! `duban generate`: an empty database is filled with offices full of open items, for trying how the engine bears a country.

use super::office::Stop;
use super::{Context, exit, progress};
use crate::clock::Clock;
use crate::files;
use crate::generate::{self, GenerateError, Made, Stage, Wish};
use crate::kernel::check;
use crate::kernel::words::{Lang, refusal, say};
use crate::store::fill::FillError;
use anyhow::Context as _;
use clap::Args;
use indicatif::ProgressBar;
use std::sync::Arc;
use std::time::Instant;

#[derive(Args, Clone, Debug)]
#[command(
    after_help = "Example: duban --database postgres://duban@localhost/trial generate --jurisdictions 100 --items 5000 --facts 50000"
)]
pub struct GenerateArgs {
    /// Offices that share the database
    #[arg(long, default_value_t = 40_000)]
    pub jurisdictions: u64,
    /// Open items in all of them
    #[arg(long, default_value_t = 2_000_000)]
    pub items: u64,
    /// Facts of all items, about
    #[arg(long, default_value_t = 20_000_000)]
    pub facts: u64,
    /// Another number makes other lives
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
}

pub fn run(args: &GenerateArgs, context: &Context) -> anyhow::Result<i32> {
    let begun = Instant::now();
    let lang = context.lang;
    let folder = context.settings.rules_folder()?;
    let texts = files::rule_set(&folder)?;
    let (rules, problems) = check::load(&texts);
    let Some(rules) = rules else {
        let errors: Vec<_> = problems.into_iter().filter(|problem| problem.is_error()).collect();
        context.draw(&errors, &folder.display().to_string(), &texts);
        return Ok(exit::FINDINGS);
    };
    let wish = Wish { jurisdictions: args.jurisdictions, items: args.items, facts: args.facts, seed: args.seed, lives: generate::LIVES };
    let place = &context.settings.database;
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let bar = progress::bar(context, progress::PERCENT);
    let shown = bar.clone();
    let told = move |stage: Stage| show(&shown, stage, lang);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("starting the runtime")?;
    let made = runtime.block_on(generate::generate(place, &Arc::new(rules), wish, Clock::Machine.now(), processors, told));
    bar.finish_and_clear();
    let made = made.map_err(|error| stop(error, lang))?;
    let seconds = begun.elapsed().as_secs_f64();
    if context.json {
        anstream::println!("{}", serde_json::json!({ "database": place, "seconds": seconds, "made": made }));
    } else {
        print(&made, &place.to_string(), seconds, lang);
    }
    Ok(exit::DONE)
}

fn stop(error: GenerateError, lang: Lang) -> anyhow::Error {
    match error {
        GenerateError::Fill(FillError::Store(error)) => Stop::store(lang, &error).into(),
        GenerateError::Fill(FillError::NotEmpty { place, table }) => {
            Stop::usage(lang, "generate.not_empty", &[("place", &place), ("table", &table)]).into()
        }
        GenerateError::Fill(FillError::HalfFilled { place }) => Stop::usage(lang, "generate.half_filled", &[("place", &place)]).into(),
        GenerateError::NoLife { why } => {
            let why = why.map(|why| refusal(lang, &why)).unwrap_or_default();
            Stop::new(exit::FINDINGS, lang, "generate.no_life", &[("why", &why)]).into()
        }
        GenerateError::TooMany { .. } => Stop { code: exit::USAGE, sentence: error.to_string() }.into(),
    }
}

/// Each stage begins a bar of its own.
fn show(bar: &ProgressBar, stage: Stage, lang: Lang) {
    let (key, done, all) = match stage {
        Stage::Lives(done, all) => ("generate.lives", done, all),
        Stage::Items(done, all) => ("generate.items", done, all),
        Stage::Indexes(done, all) => ("generate.indexes", done, all),
    };
    let prefix = say(lang, key, &[("all", &all.to_string())]);
    if bar.prefix() != prefix {
        bar.reset();
        bar.set_length(all);
        bar.set_prefix(prefix);
    }
    bar.set_position(bar.position().max(done));
}

fn print(made: &Made, place: &str, seconds: f64, lang: Lang) {
    let values = [
        ("place", place.to_string()),
        ("jurisdictions", made.jurisdictions.to_string()),
        ("items", made.items.to_string()),
        ("facts", made.facts.to_string()),
        ("notices", made.notices.to_string()),
        ("lives", made.lives.to_string()),
        ("seconds", format!("{seconds:.1}")),
    ];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    anstream::println!("{}", say(lang, "generate.done", &values));
}
