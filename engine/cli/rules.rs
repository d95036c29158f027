//! `duban rules`: which rule sets were in use, since when, who put them into use, and which wait for a second person.

use super::office::{Office, Stop, short, wait_for};
use super::{Context, exit, table};
use crate::app::Proposal;
use crate::kernel::calendar::window::day_of;
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
        let proposals = office.app.proposals().await.map_err(|error| Stop::store(lang, &error));
        let (rules, now) = (office.app.rules(), office.app.now());
        office.close().await;
        let (published, proposals) = (published?, proposals?);
        if context.json {
            let told: Vec<_> = published
                .iter()
                .map(|one| {
                    let record = Record::read(&one.record);
                    json!({ "revision": one.revision, "rules": one.hash, "since": one.at, "record": record })
                })
                .collect();
            let waiting: Vec<_> =
                proposals.iter().map(|(plan, at, proposal)| json!({ "plan": plan, "at": at, "proposal": brief(proposal) })).collect();
            anstream::println!("{}", json!({ "rules": told, "proposals": waiting }));
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
            let proposed = record.proposed_by.as_deref().map(|person| say(lang, "rules.proposed_by", &[("person", &title(person))]));
            let who = record.by.as_deref().map(title).or(record.via).unwrap_or_default() + proposed.as_deref().unwrap_or_default();
            [one.revision.to_string(), short(&one.hash), table::moment(one.at, zone), say(lang, how, &[("who", &who)]).trim().to_string()]
        });
        anstream::print!("{}", table::columns(rows, 0, &[0]));
        for (plan, at, proposal) in &proposals {
            let version = proposal.versions.values().map(u32::to_string).collect::<Vec<_>>().join(", ");
            let values = [
                ("person", proposal.by.as_deref().map(title).unwrap_or_default()),
                ("at", table::moment(*at, zone)),
                ("version", version),
                ("hash", short(&proposal.hash)),
                ("plan", short(plan)),
                ("folder", proposal.folder.clone().unwrap_or_default()),
            ];
            let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            // A plan holds for the day on which it was made.
            let over = proposal.day.is_some_and(|day| day != day_of(now, zone));
            anstream::println!("{}", say(lang, if over { "rules.proposal_over" } else { "rules.proposal" }, &values));
        }
        Ok(exit::DONE)
    })
}

/// Without the whole plan and the files, which nobody reads here.
fn brief(proposal: &Proposal) -> Proposal {
    Proposal { plan: None, files: Default::default(), ..proposal.clone() }
}
