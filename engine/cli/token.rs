//! `duban token`: tokens by which programs ask in somebody's name.

use super::office::{Office, Stop, via, wait_for};
use super::{Context, exit, table};
use crate::app::AccountNo;
use crate::app::accounts::By;
use crate::app::tokens::{Scope, TokenEnd, TokenWish, TokenWished, USUAL_LIFE, standing};
use crate::kernel::words::{Lang, say};
use clap::{Args, Subcommand};
use serde_json::json;

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban token make zhang --name statistics --scope read --scope reports")]
pub struct TokenArgs {
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Tokens and what they are for, the latest first
    List {
        /// Only this person's
        person: Option<String>,
    },
    /// Make a token, which is shown this once
    Make {
        /// A person of the directory
        person: String,
        /// What it is made for
        #[arg(long)]
        name: String,
        /// What it opens: read, act, reports, lists, webhooks, or calendar alone; may be repeated
        #[arg(long = "scope", required = true, value_name = "SCOPE", value_parser = scope)]
        scopes: Vec<Scope>,
        /// It is good for so many days
        #[arg(long, default_value_t = USUAL_LIFE)]
        days: u32,
    },
    /// Take a token back: it opens nothing any more
    Revoke {
        /// As `duban token list` names it
        id: String,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    let known = || Scope::ALL.map(Scope::word).join(", ");
    Scope::of_word(text).ok_or_else(|| format!("known: {}", known()))
}

pub fn run(args: &TokenArgs, context: &Context) -> anyhow::Result<i32> {
    let what = args.what.clone().unwrap_or(What::List { person: None });
    wait_for(async {
        let office = match &what {
            What::List { .. } => Office::to_read(context).await?,
            _ => Office::to_write_as_it_is(context).await?,
        };
        let done = match what {
            What::List { person } => list(&office, person.as_deref(), context).await,
            What::Make { person, name, scopes, days } => match office.person(&person) {
                Ok(person) => change(&office, TokenWished::Make { person, name, scopes, days }, context).await,
                Err(stop) => Err(stop),
            },
            What::Revoke { id } => change(&office, TokenWished::Revoke { id, person: None }, context).await,
        };
        office.close().await;
        done
    })
}

async fn list(office: &Office, person: Option<&str>, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    // Who has left the directory is called by the id.
    let person = person.map(|text| office.app.person(text).map_or_else(|| text.to_string(), |person| person.to_string()));
    let rows = office.app.store.tokens(person.as_deref()).await.map_err(|error| Stop::store(lang, &error))?;
    let now = office.app.now();
    if context.json {
        let rows = rows.iter().map(|row| {
            let scopes: Vec<&str> = row.scopes.split(' ').collect();
            json!({
                "id": row.id, "person": row.person, "name": row.name, "scopes": scopes, "standing": standing(row, now), "made_at": row.made_at,
                "expires_at": row.expires_at, "used_at": row.used_at, "revoked_at": row.revoked_at,
            })
        });
        anstream::println!("{}", json!({ "tokens": rows.collect::<Vec<_>>() }));
        return Ok(exit::DONE);
    }
    let rules = office.app.rules();
    let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let shown = rows.iter().map(|row| {
        let person = rules.directory.person_title(&row.person).to_string();
        let until = row.expires_at.map(|at| table::moment(at, zone)).unwrap_or_default();
        let used = row.used_at.map_or_else(|| say(lang, "web.token.never", &[]), |at| table::moment(at, zone));
        [
            row.id.clone(),
            person,
            row.name.clone(),
            row.scopes.clone(),
            say(lang, &format!("token.is.{}", standing(row, now)), &[]),
            until,
            used,
        ]
    });
    anstream::print!("{}", table::columns(shown, 0, &[]));
    anstream::eprintln!("{}", say(lang, "token.count", &[("count", &rows.len().to_string())]));
    Ok(exit::DONE)
}

async fn change(office: &Office, what: TokenWished, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let is_calendar = matches!(&what, TokenWished::Make { scopes, .. } if scopes.contains(&Scope::Calendar));
    let wish = TokenWish { what, by: By { person: None, via: via(), source: None } };
    let end = match office.server() {
        Some(server) => server.token(&wish).await.map_err(|error| Stop::client(lang, &error))?,
        None => office.app.look_after_tokens(&wish).await.map_err(|error| Stop::store(lang, &error))?,
    };
    match end {
        TokenEnd::Made(made) => {
            let origin = context.settings.web.origin.as_deref().unwrap_or_default();
            let token = if is_calendar { format!("{origin}/calendar/{}.ics", made.token) } else { made.token };
            match context.json {
                true => anstream::println!("{}", json!({ "id": made.id, "person": made.person, "until": made.until, "token": token })),
                false => anstream::println!("{}\n{token}", say(lang, "token.made", &[("person", &made.person)])),
            }
            Ok(exit::DONE)
        }
        TokenEnd::Revoked(revoked) => {
            match context.json {
                true => anstream::println!("{}", json!({ "revoked": revoked })),
                false => anstream::println!("{}", say(lang, if revoked { "token.revoked" } else { "token.not_revoked" }, &[])),
            }
            Ok(if revoked { exit::DONE } else { exit::FINDINGS })
        }
        TokenEnd::No(no) => Err(sentence(lang, &no).into()),
    }
}

fn sentence(lang: Lang, AccountNo { why, values }: &AccountNo) -> Stop {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Stop::new(exit::FINDINGS, lang, &format!("token.{why}"), &values)
}
