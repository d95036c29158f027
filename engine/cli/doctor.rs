//! `duban doctor`: is everything as it should be, and if not, what to do. It only looks, also while a server holds the database.

use super::office::{self, Stop, wait_for};
use super::{Context, exit, progress, table};
use crate::app::{self, Check, Level, Looks};
use crate::clock::Clock;
use crate::config::Settings;
use crate::kernel::words::{Lang, say};
use crate::mail::smtp::{Limits, Smtp};
use crate::serve;
use crate::store::{LOCAL, Store, lock};
use chrono_tz::Tz;
use clap::Args;
use owo_colors::OwoColorize;
use serde_json::json;
use std::time::Duration;

/// Findings that are told one by one.
const TOLD: usize = 50;
/// With less room than this the next days are at risk; with less than that the next commit.
const LITTLE_ROOM: u64 = 1 << 30;
const NO_ROOM: u64 = 64 << 20;
/// Nobody waits longer for a mail server that is only greeted.
const GREETING: Duration = Duration::from_secs(20);

#[derive(Args, Clone, Debug)]
pub struct DoctorArgs {
    /// Also greet the mail server: connect, encrypt and log in, without a mail
    #[arg(long)]
    pub mail: bool,
}

pub fn run(args: &DoctorArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let (checks, zone) = wait_for(async {
        let store = office::to_look(context).await?;
        let found = look(&store, args, context).await;
        store.close().await;
        found
    })?;
    let count = |level: Level| checks.iter().filter(|check| check.level == level).count();
    let (faults, warnings) = (count(Level::Fault), count(Level::Warning));
    if context.json {
        let told: Vec<_> = checks.iter().map(|check| in_json(check, zone, lang)).collect();
        anstream::println!("{}", json!({ "faults": faults, "warnings": warnings, "checks": told }));
    } else {
        checks.iter().for_each(|check| print(check, zone, lang));
        let key = if faults + warnings == 0 { "doctor.well" } else { "doctor.sum" };
        anstream::println!("{}", say(lang, key, &[("faults", &faults.to_string()), ("warnings", &warnings.to_string())]));
    }
    Ok(if faults == 0 { exit::DONE } else { exit::FINDINGS })
}

/// The answers, and the zone in which moments are shown.
async fn look(store: &Store, args: &DoctorArgs, context: &Context) -> anyhow::Result<(Vec<Check>, Tz)> {
    let stop = |error| Stop::store(context.lang, &error);
    let mut checks = vec![server(&context.settings)];
    checks.extend(room(&context.settings));
    // Who names an office asks about that one.
    let only = Some(&*context.settings.jurisdiction).filter(|here| *here != LOCAL);
    let now = Clock::Machine.now();
    let Examined { integrity, findings, looks } = examine(store, only, context).await?;
    let zone = looks.zone.unwrap_or(chrono_tz::UTC);
    checks.extend(app::records(&integrity, findings));
    checks.extend(looks.checks(now));
    checks.extend(app::check_up(store, only, now).await.map_err(stop)?);
    checks.push(mail(&context.settings, args.mail).await);
    Ok((checks, zone))
}

/// What a look through the records came to.
pub struct Examined {
    pub integrity: app::Integrity,
    pub findings: Vec<app::Finding>,
    pub looks: Looks,
}

/// Looks through the records of all offices or of one, with a bar on a terminal. What was found of another office than `local` names it.
pub async fn examine(store: &Store, only: Option<&str>, context: &Context) -> anyhow::Result<Examined> {
    let bar = progress::bar(context, progress::COUNT);
    bar.set_prefix(say(context.lang, "doctor.looking", &[]));
    let mut findings: Vec<app::Finding> = Vec::new();
    let seen = |here: &str, found: &[app::Finding]| {
        bar.inc(1);
        let named = found.iter().map(|finding| match (here, &*finding.item) {
            (LOCAL, item) if !item.is_empty() => finding.clone(),
            (here, "") => app::Finding { item: here.to_string(), ..finding.clone() },
            (here, item) => app::Finding { item: format!("{here}/{item}"), ..finding.clone() },
        });
        findings.extend(named.take(TOLD.saturating_sub(findings.len())));
    };
    let mut looks = Looks::default();
    let integrity = app::examine_to_look(store, only, |items| bar.inc_length(items), seen, |look| looks.add(look)).await;
    bar.finish_and_clear();
    Ok(Examined { integrity: integrity.map_err(|error| Stop::store(context.lang, &error))?, findings, looks })
}

/// Whether somebody works the database.
fn server(settings: &Settings) -> Check {
    match settings.database.file().map(lock::holder) {
        None => Check::new("server", "shared", Level::Good),
        Some(Some(lock::Holder { process, address: Some(address), .. })) => {
            Check::new("server", "serves", Level::Good).with("process", process).with("address", address)
        }
        Some(Some(holder)) => Check::new("server", "held", Level::Good).with("process", holder.process),
        Some(None) => Check::new("server", "nobody", Level::Warning),
    }
}

fn room(settings: &Settings) -> Option<Check> {
    let (used, free) = settings.database.space()?;
    let (found, level) = match free {
        // A backup and the log of a large list need as much again.
        free if free < NO_ROOM => ("none", Level::Fault),
        free if free < LITTLE_ROOM.max(used.saturating_mul(2)) => ("little", Level::Warning),
        _ => ("good", Level::Good),
    };
    let megabytes = |bytes: u64| (bytes as f64 / f64::from(1 << 20)).ceil();
    Some(Check::new("room", found, level).with("used", megabytes(used)).with("free", megabytes(free)))
}

/// The way by which mails leave; the server is greeted when asked for.
async fn mail(settings: &Settings, greet: bool) -> Check {
    let server = match (serve::mail_server(&settings.mail), &settings.mail.folder) {
        (Ok(Some(server)), _) => server,
        (Ok(None), Some(folder)) => return Check::new("mail", "folder", Level::Good).with("folder", folder.display()),
        (Ok(None), None) => return Check::new("mail", "nowhere", Level::Warning),
        (Err(error), _) => {
            return Check::new("mail", "settings", Level::Fault).with("what", format!("{:#}", anyhow::Error::from(error)));
        }
    };
    let host = format!("{}:{}", server.host, server.port);
    let check = |found, level| Check::new("mail", found, level).with("host", &host);
    if !greet {
        return check("set", Level::Good);
    }
    match Smtp::new(server, Limits::all(GREETING)) {
        Ok(smtp) => match smtp.greet().await {
            Ok(()) => check("greeted", Level::Good),
            Err((phase, what)) => check("refused", Level::Fault).with("phase", phase.word()).with("what", what),
        },
        Err(error) => check("settings", Level::Fault).with("what", error),
    }
}

fn in_json(check: &Check, zone: Tz, lang: Lang) -> serde_json::Value {
    let (sentence, todo) = check.sentences(zone, lang);
    json!({
        "check": check.check, "found": check.found, "level": check.level, "values": check.values, "which": check.which, "offices": check.offices,
        "sentence": sentence, "do": todo,
    })
}

fn print(check: &Check, zone: Tz, lang: Lang) {
    let (sentence, todo) = check.sentences(zone, lang);
    let title = say(lang, &format!("doctor.{}", check.check), &[]);
    let mark = match check.level {
        Level::Good => "✓".green().to_string(),
        Level::Warning => "!".yellow().to_string(),
        Level::Fault => "✗".red().to_string(),
    };
    anstream::println!("{mark} {}", say(lang, "doctor.line", &[("title", &title), ("sentence", &sentence)]));
    anstream::print!("{}", table::columns(check.which.iter().map(|(item, what)| [item.clone(), what.clone()]), 4, &[]));
    let offices = check.offices.iter().map(|share| {
        let since = share.since.map(|at| table::moment(at, zone)).unwrap_or_default();
        let key = if share.since.is_some() { "doctor.share_since" } else { "doctor.share" };
        [share.office.clone(), say(lang, key, &[("count", &share.count.to_string()), ("since", &since)])]
    });
    anstream::print!("{}", table::columns(offices, 4, &[]));
    if let Some(todo) = todo {
        anstream::println!("  → {todo}");
    }
}
