//! `duban serve`: scheduler, mailer and local API in one process, until it is told to stop.

use super::office::{self, Stop, short};
use super::{Context, exit, fault, table};
use crate::kernel::rules::RuleSet;
use crate::kernel::words::{Lang, say};
use crate::observe;
use crate::serve::{self, Leaving, Ready, ServeError};
use crate::store::{StoreError, lock};
use clap::Args;
use serde_json::json;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban serve --listen 127.0.0.1:8080")]
pub struct ServeArgs {
    /// Where the local API listens (default: 127.0.0.1:8080; port 0 takes any free one)
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Only the port, on this machine
    #[arg(long, conflicts_with = "listen")]
    pub port: Option<u16>,
}

pub fn run(args: &ServeArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let settings = &context.settings;
    let json = settings.log == "json";
    let address = match (&args.listen, args.port) {
        (Some(address), _) => address.clone(),
        (None, Some(port)) => format!("127.0.0.1:{port}"),
        (None, None) => settings.listen.clone(),
    };
    serve::check_mail(&settings.mail).map_err(|error| stop(lang, error))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Who holds the database is more use than that its port is taken.
        if let Some(holder) = settings.database.file().and_then(lock::holder) {
            let held = StoreError::Held { path: settings.database.to_string(), holder: Box::new(holder) };
            return Err(Stop::store(lang, &held).into());
        }
        let listener = serve::listen(&address).await.map_err(|error| stop(lang, error))?;
        let offices = office::open_all(settings, context).await?;
        let rules: Vec<Arc<RuleSet>> = offices.open().iter().map(|app| app.rules()).collect();
        observe::start(json);
        let ready = |ready: &Ready| match context.json {
            true => anstream::println!("{}", in_json(ready, &rules, context)),
            false => print(ready, &rules, context),
        };
        serve::serve(offices, listener, settings, CancellationToken::new(), ready).await.map_err(|error| stop(lang, error))?;
        Ok(exit::DONE)
    })
}

fn stop(lang: Lang, error: ServeError) -> Stop {
    let sentence = fault::of_serving(lang, &error);
    let usage = matches!(
        error,
        ServeError::Address(_) | ServeError::Zone { .. } | ServeError::Webhook { .. } | ServeError::Server(_) | ServeError::Sender(_)
    );
    let code = match error {
        _ if usage => exit::USAGE,
        ServeError::InUse(_) | ServeError::Part(_) | ServeError::Store(_) => exit::ENVIRONMENT,
        error => exit::of(&error.into()),
    };
    Stop { code, sentence }
}

fn print(ready: &Ready, rules: &[Arc<RuleSet>], context: &Context) {
    let lang = context.lang;
    for rules in rules.iter().flat_map(|rules| rules.workflows.values()) {
        let workflow = &rules.setting.workflow;
        let values = [("title", workflow.title.as_str()), ("version", &workflow.version.to_string()), ("hash", &short(&rules.hash))];
        anstream::println!("{}", say(lang, "serve.rules", &values));
    }
    let database = context.settings.database.to_string();
    anstream::println!("{}", say(lang, "serve.database", &[("path", &database)]));
    if ready.unclean {
        anstream::println!("{}", say(lang, "serve.unclean", &[]));
    }
    if let Some(found) = &ready.integrity {
        let values = [("items", found.items.to_string()), ("damaged", found.damaged.to_string())];
        let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
        match &found.pages {
            Some(what) => anstream::println!("{}", say(lang, "serve.pages", &[("what", what)])),
            None => anstream::println!("{}", say(lang, if found.is_whole() { "serve.whole" } else { "serve.damaged" }, &values)),
        }
    }
    let zone =
        rules.first().and_then(|rules| rules.workflows.values().next()).map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    match ready.next {
        Some(next) => anstream::println!("{}", say(lang, "serve.next", &[("at", &table::moment(next, zone))])),
        None => anstream::println!("{}", say(lang, "serve.nothing_due", &[])),
    }
    let mail = match &ready.leaving {
        Leaving::Nowhere => say(lang, "serve.mail_nowhere", &[]),
        Leaving::Folder(path) => say(lang, "serve.mail_folder", &[("path", &path.display().to_string())]),
        Leaving::Server { host, everybody: true, .. } => say(lang, "serve.mail_everybody", &[("host", host)]),
        Leaving::Server { host, allowed, .. } => say(lang, "serve.mail_listed", &[("host", host), ("allowed", &allowed.to_string())]),
    };
    anstream::println!("{mail}");
    anstream::println!("{}", say(lang, "serve.listening", &[("address", &ready.address.to_string())]));
}

fn in_json(ready: &Ready, rules: &[Arc<RuleSet>], context: &Context) -> serde_json::Value {
    let mail = match &ready.leaving {
        Leaving::Nowhere => json!({ "to": "outbox" }),
        Leaving::Folder(path) => json!({ "to": "folder", "folder": path }),
        Leaving::Server { host, everybody, allowed } => json!({ "to": "server", "host": host, "everybody": everybody, "allowed": allowed }),
    };
    json!({
        "type": "ready", "address": ready.address.to_string(), "database": context.settings.database, "rules": rules.first().map(|rules| rules.hash.to_string()),
        "workflows": rules.iter().flat_map(|rules| rules.workflows.keys()).collect::<Vec<_>>(), "unclean": ready.unclean, "integrity": ready.integrity, "next": ready.next,
        "mail": mail,
    })
}
