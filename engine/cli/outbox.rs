//! `duban outbox`: notices and mails, what waits and what became of each; letting go of what is held, or cancelling it.

use super::office::{Office, Stop, wait_for};
use super::{Context, exit, table};
use crate::api::client::OutboxRequest;
use crate::app::outbox::{became, reason, status_word, sums};
use crate::app::{Batch, excess_values};
use crate::kernel::decide::capture;
use crate::kernel::rules::RuleSet;
use crate::kernel::words::{Lang, say};
use crate::store::brake::Excess;
use crate::store::outbox::{MailStatus, STATUSES};
use crate::store::outbox_desk::OutboxFilter;
use clap::builder::PossibleValuesParser;
use clap::{ArgGroup, Args, Subcommand};
use serde_json::json;

#[derive(Args, Clone, Debug)]
pub struct OutboxArgs {
    #[command(subcommand)]
    pub what: Option<What>,
}

#[derive(Subcommand, Clone, Debug)]
pub enum What {
    /// Notices and mails, the latest first
    List(ListArgs),
    /// One mail with its text, or one notice
    Show {
        /// The id of a mail or the key of a notice, as `outbox list` prints it
        id: String,
    },
    /// Let go of notices that are held, and try mails that wait at once
    #[command(group = ArgGroup::new("which").args(["ids", "volume", "imported"]).required(true).multiple(true))]
    Release {
        ids: Vec<String>,
        #[command(flatten)]
        batch: BatchArgs,
    },
    /// Cancel notices and mails that have not gone out
    #[command(group = ArgGroup::new("which").args(["ids", "volume", "imported"]).required(true).multiple(true))]
    Cancel {
        ids: Vec<String>,
        #[command(flatten)]
        batch: BatchArgs,
        /// Why; recorded
        #[arg(long)]
        reason: String,
    },
}

/// What is held together.
#[derive(Args, Clone, Copy, Debug)]
pub struct BatchArgs {
    /// All that is held because it was unusually much; what comes from now on goes out as usual
    #[arg(long, conflicts_with_all = ["ids", "imported"])]
    pub volume: bool,
    /// All that imported lists caused at once
    #[arg(long, conflicts_with = "ids")]
    pub imported: bool,
}

impl BatchArgs {
    fn batch(self) -> Option<Batch> {
        match self {
            BatchArgs { volume: true, .. } => Some(Batch::Volume),
            BatchArgs { imported: true, .. } => Some(Batch::Imported),
            _ => None,
        }
    }
}

#[derive(Args, Clone, Debug)]
pub struct ListArgs {
    /// How they stand
    #[arg(long, value_parser = PossibleValuesParser::new(STATUSES))]
    pub status: Option<String>,
    #[arg(long)]
    pub person: Option<String>,
    #[arg(long)]
    pub item: Option<String>,
    #[arg(long, default_value_t = 50)]
    pub limit: u32,
}

pub fn run(args: &OutboxArgs, context: &Context) -> anyhow::Result<i32> {
    let everything = What::List(ListArgs { status: None, person: None, item: None, limit: 50 });
    let what = args.what.clone().unwrap_or(everything);
    wait_for(async {
        let office = match &what {
            What::List(_) | What::Show { .. } => Office::to_read(context).await?,
            What::Release { .. } | What::Cancel { .. } => Office::to_write(context).await?,
        };
        let done = match what {
            What::List(args) => list(&office, &args, context).await,
            What::Show { id } => show(&office, &id, context).await,
            What::Release { ids, batch } => change(&office, OutboxRequest { ids, batch: batch.batch(), cancel: None }, context).await,
            What::Cancel { ids, batch, reason } => {
                change(&office, OutboxRequest { ids, batch: batch.batch(), cancel: Some(reason) }, context).await
            }
        };
        office.close().await;
        done
    })
}

async fn list(office: &Office, args: &ListArgs, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let person = args.person.as_ref().map(|person| office.person(person)).transpose()?;
    let filter =
        OutboxFilter { status: args.status.clone(), person: person.map(|person| person.to_string()), item: args.item.clone(), after: None };
    let notices = office.app.store.notices(&filter, args.limit).await.map_err(|error| Stop::store(lang, &error))?;
    let counts = office.app.store.count_notices().await.map_err(|error| Stop::store(lang, &error))?;
    let hold = office.app.store.hold().await.map_err(|error| Stop::store(lang, &error))?;
    let excess = hold.and_then(|hold| Excess::read(&hold.reason));
    let sums = sums(counts);
    if context.json {
        let held = excess.map(|Excess { since, mails, usual, foreseen }| {
            json!({ "why": "volume", "since": since, "mails": mails, "usual": usual, "foreseen": foreseen })
        });
        anstream::println!("{}", json!({ "counts": sums, "notices": notices, "held": held }));
        return Ok(exit::DONE);
    }
    let rules = office.app.rules();
    let zone = zone(&rules);
    let rows = notices.iter().map(|(item, notice)| {
        let at = table::moment(notice.mail_ended_at.unwrap_or(notice.not_before), zone);
        let id = notice.mail.clone().unwrap_or_else(|| notice.key.clone());
        [at, item.clone(), title(&rules, &notice.notice), person_title(&rules, &notice.person), became(notice, zone, lang), id]
    });
    anstream::print!("{}", table::columns(rows, 0, &[]));
    if let Some(excess) = excess {
        let values = excess_values(&excess, zone);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        anstream::eprintln!("{}", say(lang, "outbox.held_now", &values));
    }
    let sums: Vec<String> = sums.iter().map(|(status, count)| format!("{} {count}", status_word(status, lang))).collect();
    let key = if sums.is_empty() { "outbox.empty" } else { "outbox.counts" };
    anstream::eprintln!("{}", say(lang, key, &[("counts", &sums.join(&say(lang, "show.comma", &[])))]));
    Ok(exit::DONE)
}

fn zone(rules: &RuleSet) -> chrono_tz::Tz {
    rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone)
}

fn title(rules: &RuleSet, notice: &str) -> String {
    let mut declared = rules.workflows.values().filter_map(|rules| rules.setting.workflow.notices.get(notice));
    declared.next().map_or_else(|| notice.to_string(), |notice| notice.title.clone())
}

fn person_title(rules: &RuleSet, person: &str) -> String {
    rules.workflows.values().next().map_or_else(|| person.to_string(), |rules| capture::title(rules, &person.into()))
}

async fn show(office: &Office, id: &str, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let store = |error: crate::store::StoreError| Stop::store(lang, &error);
    if let Some((mail, bytes)) = office.app.store.mail(id).await.map_err(store)? {
        let notices = office.app.store.notices_in(id).await.map_err(store)?;
        if context.json {
            anstream::println!(
                "{}",
                json!({ "mail": mail, "notices": notices.iter().map(|notice| &notice.key).collect::<Vec<_>>(), "message": bytes })
            );
        } else {
            anstream::println!("{}", mail_text(office, &mail, lang));
            // The message is ASCII with encoded words; it is shown as it is handed over.
            anstream::println!("\n{}", bytes.replace("\r\n", "\n").trim_end());
        }
        return Ok(exit::DONE);
    }
    let notice = office.app.store.notice(id).await.map_err(store)?;
    let notice = notice.ok_or_else(|| Stop::new(exit::FINDINGS, lang, "outbox.none", &[("id", id)]))?;
    if context.json {
        anstream::println!("{}", json!(notice));
    } else {
        let rules = office.app.rules();
        let subject = rules.workflows.get(&notice.workflow).and_then(|rules| rules.setting.workflow.notices.get(&notice.notice));
        let subject = subject.and_then(|declared| crate::kernel::render::line_in(lang, &declared.subject, &notice.values).ok());
        let rows = [
            [say(lang, "outbox.item", &[]), notice.item.to_string()],
            [say(lang, "outbox.notice", &[]), title(&rules, &notice.notice)],
            [say(lang, "outbox.to", &[]), person_title(&rules, &notice.person)],
            [say(lang, "outbox.not_before", &[]), table::moment(notice.not_before, zone(&rules))],
            [say(lang, "outbox.subject", &[]), subject.unwrap_or_default()],
        ];
        anstream::print!("{}", table::columns(rows, 0, &[]));
    }
    Ok(exit::DONE)
}

fn mail_text(office: &Office, mail: &MailStatus, lang: Lang) -> String {
    let rules = office.app.rules();
    let values = [
        ("person", person_title(&rules, &mail.person)),
        ("address", mail.address.clone()),
        ("status", status_word(&mail.status, lang)),
        ("attempts", mail.attempts.to_string()),
        ("reply", mail.reply.as_deref().map(|why| reason(why, zone(&rules), lang)).unwrap_or_default()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    say(lang, "outbox.mail", &values)
}

async fn change(office: &Office, request: OutboxRequest, context: &Context) -> anyhow::Result<i32> {
    let lang = context.lang;
    let ids = request.ids.len() as u64;
    let changed = match office.server() {
        Some(server) => server.outbox(&request).await.map_err(|error| Stop::client(lang, &error))?,
        None => match request.batch {
            Some(batch) => office.app.change_batch(batch, request.cancel.as_deref()).await.map_err(|error| Stop::store(lang, &error))?,
            None => office.app.change_outbox(&request.ids, request.cancel.as_deref()).await.map_err(|error| Stop::act(lang, &error))?,
        },
    };
    // Of a batch all is meant, however much it is.
    let asked = if request.batch.is_some() { changed } else { ids };
    if context.json {
        anstream::println!("{}", json!({ "asked": asked, "changed": changed }));
    } else {
        let key = if request.cancel.is_some() { "outbox.cancelled_now" } else { "outbox.released_now" };
        anstream::println!("{}", say(lang, key, &[("changed", &changed.to_string()), ("asked", &asked.to_string())]));
    }
    Ok(if changed == asked { exit::DONE } else { exit::FINDINGS })
}
