//! `/metrics`: how the installation is doing, as Prometheus reads it (text format 0.0.4). Figures and fixed words only: no item, no person.
//!
//! A scrape writes nothing and asks the database one question, which costs what waits, not what is open.

use super::Api;
use crate::app::{Integrity, Tally};
use crate::kernel::time::Instant;
use crate::scheduler::{Look, SILENCE, Work};
use crate::store::health::Waiting;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub async fn metrics(State(api): State<Arc<Api>>) -> Response {
    let now = api.offices.now();
    let health = match api.offices.store.everywhere().health(now).await {
        Ok(health) => health,
        Err(error) => return (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    };
    let state = api.pulse.state();
    let mut page = Page::default();
    let build = format!("version=\"{}\"", env!("CARGO_PKG_VERSION"));
    page.family("build_info", "gauge", "The program.").one(&build, 1);
    let (open, shut) = (api.offices.open().len(), api.offices.shut_now().len());
    page.family("offices_open", "gauge", "Offices of the database that are at hand in this process.").one("", open);
    page.family("offices_shut", "gauge", "Offices that cannot be worked, as their rules cannot be read.").one("", shut);

    let Work { ticks, faults, facts, notices, set_aside, written, posted } = state.work;
    page.family("ticks_total", "counter", "Looks at what is due.").one("", ticks);
    page.family("tick_faults_total", "counter", "Looks that failed.").one("", faults);
    let alarm = SILENCE.num_seconds();
    page.family("last_tick_age_seconds", "gauge", &format!("Since the last look that went well; an alarm above {alarm}."))
        .age(state.last_tick, now);
    page.family("last_mail_age_seconds", "gauge", &format!("The same for mails, or since one came to an end; an alarm above {alarm}."))
        .age(state.last_mail, now);
    page.family("clock_held", "gauge", "1 while nothing fires because the clock jumped ahead.").one("", u8::from(state.held.is_some()));
    page.family("facts_total", "counter", "Facts recorded because their time had come.").one("", facts);
    page.family("notices_total", "counter", "Notices recorded because their time had come.").one("", notices);
    page.family("set_aside_total", "counter", "Times that an item was set aside.").one("", set_aside);
    page.family("mails_written_total", "counter", "Mails composed.").one("", written);
    let mut mails = page.family("mails_total", "counter", "Attempts to hand a mail over, by what became of them.");
    let attempts = [
        ("sent", posted.sent),
        ("refused", posted.refused),
        ("deferred", posted.deferred),
        ("unknown", posted.unknown),
        ("expired", posted.expired),
        ("cancelled", posted.cancelled),
        ("held", posted.held),
    ];
    attempts.iter().for_each(|(status, count)| mails.one(&format!("status=\"{status}\""), count));

    let Tally { done, refused, repeated, failed, rules_read } = &*api.offices.tally;
    let mut commands = page.family("commands_total", "counter", "Commands by how they were answered.");
    let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    for (answer, counter) in [("done", done), ("refused", refused), ("repeated", repeated), ("failed", failed)] {
        commands.one(&format!("answer=\"{answer}\""), read(counter));
    }
    page.family("rule_sets_read_total", "counter", "Rule sets that were read out of the database.").one("", read(rules_read));
    let counts = api.offices.store.counts();
    page.family("commits_total", "counter", "Transactions that were committed.").one("", counts.commits);
    page.family("writes_total", "counter", "Writes that shared them.").one("", counts.commands);

    page.family("due_items", "gauge", "Items whose moment has come.").one("", health.due.count);
    page.family("due_age_seconds", "gauge", "Since the first of those moments.").age(health.due.oldest, now);
    page.family("set_aside_items", "gauge", "Items that were set aside.").one("", health.set_aside.count);
    page.family("set_aside_age_seconds", "gauge", "Since the first of them was.").age(health.set_aside.oldest, now);
    let mut waiting =
        page.family("notices_waiting", "gauge", "Notices that may be mailed (ready), and those that wait for a person (parked).");
    for (status, count) in [("ready", health.ready.count), ("parked", health.parked.count)] {
        waiting.one(&format!("status=\"{status}\""), count);
    }
    let help = "Offices whose mails are held as they were unusually many; an alarm above 0.";
    page.family("volume_brake_closed", "gauge", help).one("", health.held.count);
    page.family("volume_brake_age_seconds", "gauge", "Since the first of them has been.").age(health.held.oldest, now);
    let mut waiting = page.family("mails_waiting", "gauge", "Mails that have not ended.");
    // Also those of which there is none, so that a curve does not break off.
    for status in ["ready", "claimed", "deferred", "unknown", "held"] {
        waiting.one(&format!("status=\"{status}\""), health.mails.get(status).map_or(0, |waiting: &Waiting| waiting.count));
    }
    let oldest = health.unsent().oldest.into_iter().chain(health.ready.oldest).min();
    page.family("unsent_age_seconds", "gauge", "Since the oldest notice or mail that may go out.").age(oldest, now);
    // A moment and no age, so that a database that was never backed up is the oldest of all.
    let backup = health.backup.map_or(0, |at| at.timestamp());
    page.family("last_backup_timestamp_seconds", "gauge", "When the last verified backup was taken; 0 before the first.").one("", backup);
    if let Look::Whole(Integrity { damaged, .. }) | Look::Damaged(Integrity { damaged, .. }) = state.integrity {
        page.family("damaged_items", "gauge", "Items that are not what their facts say, as of the last start.").one("", damaged);
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response()
}

/// The text so far.
#[derive(Default)]
struct Page(String);

/// Samples of one name.
struct Family<'a> {
    page: &'a mut String,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) -> Family<'_> {
        // Writing to a text cannot fail.
        let _ = write!(self.0, "# HELP duban_{name} {help}\n# TYPE duban_{name} {kind}\n");
        Family { page: &mut self.0, name }
    }
}

impl Family<'_> {
    fn one(&mut self, labels: &str, value: impl Display) {
        let (open, close) = if labels.is_empty() { ("", "") } else { ("{", "}") };
        let _ = writeln!(self.page, "duban_{}{open}{labels}{close} {value}", self.name);
    }

    /// Seconds since a moment; 0 where there is none.
    fn age(&mut self, since: Option<Instant>, now: Instant) {
        let age = since.map_or(0, |since| (now - since).num_milliseconds().max(0));
        self.one("", age as f64 / 1000.0);
    }
}
