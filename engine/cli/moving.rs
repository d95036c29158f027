//! `duban move`: an office is carried from one database to another and compared; the old one says where it has gone.

use super::office::{Stop, wait_for};
use super::{Context, exit, progress};
use crate::clock::Clock;
use crate::kernel::words::say;
use crate::store::Place;
use crate::store::moving::{self, MoveError};
use clap::Args;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban move sqlite:duban.db postgres://duban@localhost/duban")]
pub struct MoveArgs {
    /// The database in use; nobody may be working with it
    pub from: Place,
    /// The new one, with nothing in it
    pub to: Place,
}

pub fn run(args: &MoveArgs, context: &Context) -> anyhow::Result<i32> {
    let (lang, MoveArgs { from, to }) = (context.lang, args);
    if from.is_missing_file() {
        return Err(Stop::new(exit::ENVIRONMENT, lang, "office.no_database", &[("path", &from.to_string())]).into());
    }
    if from == to {
        return Err(Stop::usage(lang, "move.not_empty", &[("place", &to.to_string()), ("table", "item")]).into());
    }
    let bar = progress::spinner(context, "{spinner} {msg}");
    let carried = wait_for(async {
        let told = |table: &str, rows: u64| bar.set_message(format!("{table} {rows}"));
        moving::carry(from, to, Clock::Machine.now(), told).await.map_err(|error| {
            let stop = match error {
                MoveError::Store(error) => Stop::store(lang, &error),
                MoveError::NotEmpty { place, table } => Stop::usage(lang, "move.not_empty", &[("place", &place), ("table", &table)]),
                MoveError::InUse { place, others } => {
                    Stop::new(exit::ENVIRONMENT, lang, "move.in_use", &[("place", &place), ("others", &others.to_string())])
                }
                MoveError::Differs(what) => Stop::new(exit::FINDINGS, lang, "move.differs", &[("what", &what)]),
            };
            stop.into()
        })
    })?;
    bar.finish_and_clear();
    if context.json {
        let rows: serde_json::Map<String, serde_json::Value> =
            carried.iter().map(|(table, rows)| (table.to_string(), (*rows).into())).collect();
        anstream::println!("{}", serde_json::json!({ "from": from, "to": to, "rows": rows }));
        return Ok(exit::DONE);
    }
    let count = |name: &str| carried.iter().find(|(table, _)| *table == name).map_or(0, |(_, rows)| *rows).to_string();
    let values =
        [("from", from.to_string()), ("to", to.to_string()), ("items", count("item")), ("facts", count("fact")), ("mails", count("mail"))];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    anstream::println!("{}", say(lang, "move.done", &values));
    Ok(exit::DONE)
}
