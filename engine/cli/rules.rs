//! `duban rules`: which rule sets were in use, since when, and who put them into use.

use super::office::{Office, Stop, short, wait_for};
use super::{Context, exit, table};
use crate::kernel::decide::capture;
use crate::kernel::plan::Record;
use crate::kernel::words::say;
use clap::Args;
use serde_json::json;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban rules")]
pub struct RulesArgs {}

pub fn run(_args: &RulesArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    wait_for(async {
        let office = Office::to_read(context).await?;
        let published = office.app.store.published().await.map_err(|error| Stop::store(lang, &error));
        let rules = office.app.rules();
        office.close().await;
        let published = published?;
        if context.json {
            let told: Vec<_> = published
                .iter()
                .map(|one| {
                    let record = Record::read(&one.record);
                    json!({ "revision": one.revision, "rules": one.hash, "since": one.at, "record": record })
                })
                .collect();
            anstream::println!("{}", json!({ "rules": told }));
            return Ok(exit::DONE);
        }
        let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let title = |person: &str| {
            rules.workflows.values().next().map_or_else(|| person.to_string(), |rules| capture::title(rules, &person.into()))
        };
        let rows = published.iter().rev().map(|one| {
            let record = Record::read(&one.record);
            let how = match (&record.plan, record.back) {
                (None, _) => "rules.put_to_work",
                (Some(_), false) => "rules.published",
                (Some(_), true) => "rules.went_back",
            };
            let who = record.by.as_deref().map(title).or(record.via).unwrap_or_default();
            [one.revision.to_string(), short(&one.hash), table::moment(one.at, zone), say(lang, how, &[("who", &who)]).trim().to_string()]
        });
        anstream::print!("{}", table::columns(rows, 0, &[0]));
        Ok(exit::DONE)
    })
}
