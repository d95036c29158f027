//! `duban publish`: rules come into use as a plan says, written by us or by the server that holds the database.

use super::office::{self, Office, Stop, short, via, wait_for};
use super::{Context, exit};
use crate::api::client::{PublishAnswer, PublishRequest};
use crate::app::{NotPublished, Proposed, PublishError, Published, Publisher};
use crate::kernel::check;
use crate::kernel::plan::Plan;
use crate::kernel::rules::RuleSet;
use crate::kernel::words::{Lang, say};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban publish --plan .duban/plan-8f2c41aa.json --as PERSON")]
pub struct PublishArgs {
    /// The plan that was seen
    #[arg(long, value_name = "FILE")]
    pub plan: PathBuf,
    /// Who publishes: a person of the directory
    #[arg(long = "as", value_name = "PERSON")]
    pub person: Option<String>,
    /// As the second person: put into use what somebody else has proposed
    #[arg(long, requires = "person")]
    pub approve: bool,
}

pub fn run(args: &PublishArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let plan = read(&args.plan, lang)?;
    wait_for(async {
        let office = Office::to_write_as_it_is(context).await?;
        let by = args.person.as_ref().map(|person| office.person(person)).transpose()?;
        let who = Publisher { by, via: via(), approve: args.approve };
        let done = publish(&office, &plan, who, context).await;
        office.close().await;
        tell(&done?, &plan, context);
        Ok(exit::DONE)
    })
}

/// A plan out of its file.
fn read(path: &Path, lang: Lang) -> anyhow::Result<Plan> {
    let shown = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|_| Stop::usage(lang, "publish.no_file", &[("path", &shown)]))?;
    Ok(serde_json::from_str(&text).map_err(|_| Stop::new(exit::POLICY, lang, "publish.tampered", &[]))?)
}

/// A rule set that was in use before, out of the database.
pub async fn stored(office: &Office, hash: &str, lang: Lang) -> anyhow::Result<Arc<RuleSet>> {
    let found = office.app.store.rules(hash).await.map_err(|error| Stop::store(lang, &error))?;
    let found = found.ok_or_else(|| Stop::usage(lang, "rollback.unknown", &[("hash", hash)]))?;
    let (rules, problems) = check::load(&found.files);
    let errors = problems.iter().filter(|problem| problem.is_error()).count().to_string();
    let unusable = || Stop::new(exit::POLICY, lang, "rollback.unusable", &[("hash", &short(hash)), ("problems", &errors)]);
    Ok(Arc::new(rules.ok_or_else(unusable)?))
}

/// Publishes, through the server where one holds the database.
pub async fn publish(office: &Office, plan: &Plan, who: Publisher, context: &Context) -> anyhow::Result<Published> {
    let lang = context.lang;
    let rules: Arc<RuleSet> = match &plan.folder {
        Some(folder) => Arc::new(office::rules_of(Path::new(folder), context)?),
        None => stored(office, &plan.new.hash, lang).await?,
    };
    if let Some(server) = office.server() {
        let request = PublishRequest { plan: plan.clone(), files: rules.files.clone(), who };
        return match server.publish(&request).await.map_err(|error| Stop::client(lang, &error))? {
            PublishAnswer::Done(done) => Ok(done),
            PublishAnswer::No(no) => Err(refused(&no, lang).into()),
        };
    }
    office.app.publish(plan, &rules, &who).await.map_err(|error| match error {
        PublishError::No(no) => refused(&no, lang).into(),
        PublishError::Store(error) => Stop::store(lang, &error).into(),
    })
}

fn refused(no: &NotPublished, lang: Lang) -> Stop {
    let values: Vec<(&str, &str)> = no.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Stop::new(exit::POLICY, lang, &format!("publish.{}", no.why), &values)
}

pub fn tell(done: &Published, plan: &Plan, context: &Context) {
    let done = match done {
        Published::InUse(done) => done,
        Published::Proposed(Proposed { by, at }) => {
            if context.json {
                anstream::println!("{}", json!({ "proposed": { "by": by, "at": at }, "plan": plan.checksum }));
            } else {
                anstream::println!("{}", say(context.lang, "publish.proposed", &[("person", by)]));
            }
            return;
        }
    };
    if context.json {
        anstream::println!("{}", json!({ "published": done, "plan": plan.checksum }));
        return;
    }
    let version = plan.new.versions.values().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let values =
        [("version", version), ("hash", short(&done.hash)), ("revision", done.revision.to_string()), ("items", done.items.to_string())];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    anstream::println!("{}", say(context.lang, "publish.done", &values));
}
