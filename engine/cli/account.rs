//! `duban account`: who may sign in to the pages: inviting, shutting off, setting a password.

use super::office::{Office, Stop, via, wait_for};
use super::{Context, exit, secret, table};
use crate::app::accounts::{By, Invitation};
use crate::app::{AccountEnd, AccountNo, AccountWish, Wished};
use crate::kernel::model::Name;
use crate::kernel::words::{Lang, say};
use clap::{Args, Subcommand};
use serde_json::json;

/// Where the pages take an invitation.
const WELCOME: &str = "/welcome/";

#[derive(Args, Clone, Debug)]
#[command(after_help = "Example: duban account invite zhang --login zhang@example.gov.cn")]
pub struct AccountArgs {
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Who has an account, and how it stands
    List,
    /// Make an account if there is none, and a link by which the person chooses a password; earlier ones end
    Invite {
        /// A person of the directory
        person: String,
        /// What they sign in with (default: their mail address)
        #[arg(long)]
        login: Option<String>,
    },
    /// Shut a person off: sessions and links end at once; an invitation opens the account again
    Disable {
        /// A person of the directory, or who has left it
        person: String,
    },
    /// Take a person's second step away, whose device and recovery codes are lost; sessions end
    ResetSecondStep {
        /// A person of the directory, or who has left it
        person: String,
    },
    /// Set a password, which is asked for or read from standard input; whatever was open with the old one ends
    Password {
        /// A person of the directory
        person: String,
    },
}

pub fn run(args: &AccountArgs, context: &Context) -> anyhow::Result<i32> {
    let what = args.what.clone().unwrap_or(What::List);
    wait_for(async {
        let office = match &what {
            What::List => Office::to_read(context).await?,
            _ => Office::to_write_as_it_is(context).await?,
        };
        let done = match wished(&office, what, context.lang) {
            Ok(None) => list(&office, context).await,
            Ok(Some((person, what))) => change(&office, person, what, context).await,
            Err(stop) => Err(stop),
        };
        office.close().await;
        done
    })
}

/// What is to become of whose account; nothing, when somebody only looks.
fn wished(office: &Office, what: What, lang: Lang) -> anyhow::Result<Option<(Name, Wished)>> {
    Ok(match what {
        What::List => None,
        What::Invite { person, login } => Some((office.person(&person)?, Wished::Invite { login })),
        // Who has left the directory is called by the id.
        What::Disable { person } => Some((office.app.person(&person).unwrap_or_else(|| person.as_str().into()), Wished::Disable)),
        What::ResetSecondStep { person } => {
            Some((office.app.person(&person).unwrap_or_else(|| person.as_str().into()), Wished::ResetSecondStep))
        }
        What::Password { person } => Some((office.person(&person)?, Wished::Password(secret::read(lang)?))),
    })
}

async fn list(office: &Office, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let accounts = office.app.accounts().await.map_err(|error| Stop::store(lang, &error))?;
    if context.json {
        let rows = accounts.iter().map(|row| {
            json!({
                "person": row.person, "login": row.login, "standing": row.standing().0, "password_at": row.password_at,
                "disabled_at": row.disabled_at, "locked_until": row.locked_until, "invited_until": row.invited_until,
                "created_at": row.created_at, "second_step_at": row.second_at,
            })
        });
        anstream::println!("{}", json!({ "accounts": rows.collect::<Vec<_>>() }));
        return Ok(exit::DONE);
    }
    let rules = office.app.rules();
    let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let rows = accounts.iter().map(|row| {
        let title = rules.directory.persons.get(row.person.as_str()).map(|person| person.title.clone());
        let (word, at) = row.standing();
        let at = at.map(|at| table::moment(at, zone)).unwrap_or_default();
        let left = if title.is_none() { say(lang, "account.left", &[]) } else { String::new() };
        [row.person.clone(), title.unwrap_or_default(), row.login.clone(), say(lang, &format!("account.is.{word}"), &[("at", &at)]), left]
    });
    anstream::print!("{}", table::columns(rows, 0, &[]));
    let key = if accounts.is_empty() { "account.none" } else { "account.count" };
    anstream::eprintln!("{}", say(lang, key, &[("count", &accounts.len().to_string())]));
    Ok(exit::DONE)
}

async fn change(office: &Office, person: Name, what: Wished, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let wish = AccountWish { person: person.clone(), what, by: By { person: None, via: via(), source: None } };
    let end = match office.server() {
        Some(server) => server.account(&wish).await.map_err(|error| Stop::client(lang, &error))?,
        None => office.app.look_after(&context.settings.web.policy(), &wish).await.map_err(|error| Stop::store(lang, &error))?,
    };
    match end {
        AccountEnd::Invited(invitation) => {
            invited(office, &invitation, context);
            Ok(exit::DONE)
        }
        AccountEnd::Disabled(changed) => {
            let key = if changed { "account.disabled" } else { "account.not_disabled" };
            told(&person, json!({ "person": person, "disabled": changed }), key, context);
            Ok(if changed { exit::DONE } else { exit::FINDINGS })
        }
        AccountEnd::SecondStepReset(changed) => {
            let key = if changed { "account.second_reset" } else { "account.second_none" };
            told(&person, json!({ "person": person, "second_step_reset": changed }), key, context);
            Ok(if changed { exit::DONE } else { exit::FINDINGS })
        }
        AccountEnd::PasswordSet => {
            told(&person, json!({ "person": person, "password_set": true }), "account.password_set", context);
            Ok(exit::DONE)
        }
        AccountEnd::No(no) => Err(sentence(lang, &no).into()),
    }
}

fn invited(office: &Office, invitation: &Invitation, context: &Context) {
    let lang = context.lang;
    let Invitation { token, person, login, until } = invitation;
    let link = format!("{}{WELCOME}{token}", context.settings.web.origin.as_deref().unwrap_or_default());
    if context.json {
        anstream::println!("{}", json!({ "person": person, "login": login, "until": until, "link": link }));
    } else {
        let rules = office.app.rules();
        let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let until = table::moment(*until, zone);
        anstream::println!("{}\n{link}", say(lang, "account.invited", &[("person", person), ("login", login), ("until", &until)]));
    }
    if context.settings.web.origin.is_none() && !context.quiet {
        anstream::eprintln!("{}", say(lang, "account.no_origin", &[]));
    }
}

fn told(person: &Name, json: serde_json::Value, key: &str, context: &Context) {
    match context.json {
        true => anstream::println!("{json}"),
        false => anstream::println!("{}", say(context.lang, key, &[("person", person)])),
    }
}

fn sentence(lang: Lang, AccountNo { why, values }: &AccountNo) -> Stop {
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    Stop::new(exit::FINDINGS, lang, &format!("account.{why}"), &values)
}
