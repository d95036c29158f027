//! `duban clock confirm`: after the machine's clock jumped ahead, a person says that it is right, and the server goes on.

use super::office::{Stop, server_of_all, wait_for};
use super::{Context, exit};
use crate::kernel::words::say;
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Args, Clone, Debug)]
pub struct ClockArgs {
    #[command(subcommand)]
    pub what: What,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// The clock is right: what is due by it may go out
    Confirm,
}

pub fn run(args: &ClockArgs, context: &Context) -> anyhow::Result<i32> {
    let What::Confirm = args.what;
    let lang = context.lang;
    wait_for(async {
        let confirmed = match server_of_all(context)? {
            Some(server) => server.confirm_clock().await.map_err(|error| Stop::client(lang, &error))? > 0,
            // Without a server nothing is held: the next one begins with the clock as it is.
            None => false,
        };
        if context.json {
            anstream::println!("{}", json!({ "confirmed": confirmed }));
        } else {
            anstream::println!("{}", say(lang, if confirmed { "clock.confirmed" } else { "clock.not_held" }, &[]));
        }
        Ok(exit::DONE)
    })
}
