//! `duban offices`: the offices of a database, each under a rule set of its own, and putting one more to work.

use super::office::{self, Stop, short, wait_for};
use super::{Context, exit, table};
use crate::kernel::words::say;
use crate::store::Store;
use clap::{Args, Subcommand};
use serde_json::json;

/// Offices that are read at once.
const PAGE: u32 = 1_000;
/// Characters of an office's name.
const LONGEST: usize = 64;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban offices add east --rules rules/east")]
pub struct OfficesArgs {
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// All offices with the rule set that each has in use
    List,
    /// Put an office to work under the rule set of --rules; a running server of a PostgreSQL database finds it by itself
    Add { name: String },
}

pub fn run(args: &OfficesArgs, context: &Context) -> anyhow::Result<i32> {
    wait_for(async {
        match &args.what {
            None | Some(What::List) => list(context).await,
            Some(What::Add { name }) => add(name, context).await,
        }
    })
}

async fn list(context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let stop = |error| Stop::store(lang, &error);
    let place = &context.settings.database;
    if place.is_missing_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &place.to_string())]).into());
    }
    let store = Store::open_to_read(place).await.map_err(stop)?;
    let (mut count, mut after) = (0, String::new());
    loop {
        let page = store.everywhere().jurisdictions(&after, PAGE).await.map_err(stop)?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.id);
        count += page.len();
        if context.json {
            for one in &page {
                let one = json!({ "jurisdiction": one.id, "rules": one.rules, "revision": one.revision, "since": one.in_use_since });
                anstream::println!("{one}");
            }
            continue;
        }
        let rows = page.iter().map(|one| {
            let since = one.in_use_since.format("%Y-%m-%d").to_string();
            [
                one.id.clone(),
                say(lang, "offices.rules", &[("hash", &short(&one.rules)), ("revision", &one.revision.to_string()), ("since", &since)]),
            ]
        });
        anstream::print!("{}", table::columns(rows, 0, &[]));
    }
    if !context.json {
        anstream::eprintln!("{}", say(lang, "offices.count", &[("count", &count.to_string())]));
    }
    store.close().await;
    Ok(exit::DONE)
}

async fn add(name: &str, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let fits = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.chars().count() > LONGEST || !name.chars().all(fits) {
        return Err(Stop::usage(lang, "offices.bad_name", &[("name", name)]).into());
    }
    let mut settings = context.settings.clone();
    settings.jurisdiction = name.to_string();
    let app = office::add(&settings, context).await?;
    let hash = app.rules().hash.to_string();
    match context.json {
        true => anstream::println!("{}", json!({ "jurisdiction": name, "rules": hash })),
        false => anstream::println!("{}", say(lang, "offices.added", &[("name", name), ("hash", &short(&hash))])),
    }
    app.store.close().await;
    Ok(exit::DONE)
}
