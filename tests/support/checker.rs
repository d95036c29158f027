//! What must never have happened in an office of `tests/fixtures/office`, whatever was killed, cut off, doubled or set wrong.
//!
//! It holds the record against what was asked and what arrived, and works the dates out by itself, day by day from the list of working
//! days: it shares no arithmetic with the engine. Each finding is one sentence.

use chrono::{Days, TimeDelta};
use duban::app::{App, Done};
use duban::kernel::calendar::Calendar;
use duban::kernel::model::command::Command;
use duban::kernel::model::fact::{Cause, Fact};
use duban::kernel::time::{Date, Instant};
use duban::mail::KeptMail;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What those outside saw, in order; a step is the place in that order.
#[derive(Clone, Default)]
pub struct Seen {
    pub acknowledged: Vec<(Command, Done)>,
    /// When the engine looked for what was due: the step, and the time it then was.
    pub ticks: Vec<(usize, Instant)>,
    /// Items by the step at which they were known to be handed in.
    pub handed_in: BTreeMap<String, usize>,
    /// Items by the step at which they may first have been answered.
    pub answered: BTreeMap<String, usize>,
    /// Items that no rule could be run on for some time.
    pub poisoned: BTreeSet<String>,
    pub received: Vec<KeptMail>,
    /// Mails that were accepted without a record: as many may have come twice.
    pub unrecorded: usize,
}

/// The rungs of the office, each with its day: as `request.yaml` says them, counted on the fingers.
pub fn rungs(calendar: &Calendar, handed_in: Date) -> (Date, Vec<(String, u32, Date)>) {
    let count = |from: Date, days: u64, forward: bool| {
        let (mut day, mut left) = (from, days);
        while left > 0 {
            day = if forward { day + Days::new(1) } else { day - Days::new(1) };
            left -= u64::from(calendar.is_working_day(day));
        }
        day
    };
    let due = count(handed_in, 5, true);
    let mut rungs = vec![("soon".to_string(), 1, count(due, 2, false)), ("late".to_string(), 1, count(due, 1, true))];
    rungs.extend((1..=3_u32).map(|nth| ("again".to_string(), nth, count(due, 5 * u64::from(nth), true))));
    (due, rungs)
}

/// Midnight at the beginning of a day, by the office's clocks.
fn begins(day: Date) -> Instant {
    day.and_time(chrono::NaiveTime::MIN).and_utc() - TimeDelta::hours(8)
}

/// Everything that is wrong, after all that was owed has gone out.
pub async fn violations(app: &App, seen: &Seen) -> Vec<String> {
    let mut found = Vec::new();
    let items = records(app, &seen.acknowledged, &mut found).await;
    for (id, facts) in &items {
        dates(app, seen, id, facts, &mut found);
    }
    mails(app, seen, &items, &mut found).await;
    found
}

/// What is wrong with the records alone, at any moment: chains, caches and notices, what was acknowledged, nothing twice.
pub async fn of_records(app: &App, acknowledged: &[(Command, Done)]) -> Vec<String> {
    let mut found = Vec::new();
    records(app, acknowledged, &mut found).await;
    found
}

async fn records(app: &App, acknowledged: &[(Command, Done)], found: &mut Vec<String>) -> BTreeMap<String, Vec<Fact>> {
    let mut items: BTreeMap<String, Vec<Fact>> = BTreeMap::new();
    for id in app.store.ids(None, false, "", 100_000).await.expect("reads") {
        for finding in app.examine(&id).await.expect("reads") {
            found.push(format!("record: {finding}"));
        }
        let recorded = app.store.item(&id).await.expect("reads").expect("it is listed");
        items.insert(id, recorded.facts);
    }
    self::acknowledged(acknowledged, &items, found);
    for (id, facts) in &items {
        once(id, facts, found);
    }
    items
}

/// I1: what was acknowledged stands where the answer said.
fn acknowledged(acknowledged: &[(Command, Done)], items: &BTreeMap<String, Vec<Fact>>, found: &mut Vec<String>) {
    for (command, done) in acknowledged {
        let facts = items.get(&*command.item).map(Vec::as_slice).unwrap_or_default();
        let stands = facts.iter().any(|fact| fact.seq <= done.rev && matches!(&fact.cause, Cause::Command { id } if *id == command.id));
        if !stands {
            found.push(format!("lost: `{}` was acknowledged at revision {}", command.id, done.rev));
        }
    }
}

/// I3, I4: no gap, and nothing twice for one cause.
fn once(id: &str, facts: &[Fact], found: &mut Vec<String>) {
    let mut causes = BTreeSet::new();
    for (fact, seq) in facts.iter().zip(1..) {
        if fact.seq != seq {
            found.push(format!("gap: {id} has fact {} in place {seq}", fact.seq));
        }
        let cause = match &fact.cause {
            Cause::Command { id } => Some(format!("command:{id}")),
            Cause::Rung { key, .. } => Some(format!("rung:{}:{}:{}:{}", key.deadline, key.cycle, key.rung, key.occurrence)),
            Cause::Sweep { sweep, slot } => Some(format!("sweep:{sweep}:{slot}")),
            Cause::Errand { item, seq, no } => Some(format!("errand:{item}:{seq}:{no}")),
            Cause::Answer { seq, no, .. } => Some(format!("answer:{seq}:{no}")),
            Cause::Follows { .. } | Cause::Amend { .. } => None,
        };
        if cause.is_some_and(|cause| !causes.insert(cause)) {
            found.push(format!("twice: {id} has the cause of fact {seq} already"));
        }
    }
}

/// I12, I13: no rung before its day, none left out that the engine had a chance to see.
fn dates(app: &App, seen: &Seen, id: &str, facts: &[Fact], found: &mut Vec<String>) {
    let rules = app.rules();
    let calendar = &rules.workflows["request"].setting.calendar;
    let Some(first) = facts.iter().find(|fact| &*fact.name == "submit") else { return };
    let (_, rungs) = rungs(calendar, first.effective_on);
    let mut open: BTreeMap<(String, u32), Date> = rungs.into_iter().map(|(rung, nth, day)| ((rung, nth), day)).collect();
    for fact in facts {
        let Cause::Rung { key, .. } = &fact.cause else { continue };
        match open.remove(&(key.rung.to_string(), key.occurrence)) {
            Some(day) if fact.recorded_at < begins(day) => {
                found.push(format!("too early: {id} {} fired at {}, its day is {day}", key.text(), fact.recorded_at));
            }
            Some(_) => {}
            None => found.push(format!("unknown: {id} {} is no rung that is left", key.text())),
        }
    }
    let (from, until) = (seen.handed_in.get(id).copied().unwrap_or(usize::MAX), seen.answered.get(id).copied().unwrap_or(usize::MAX));
    if until != usize::MAX && seen.poisoned.contains(id) {
        return;
    }
    for ((rung, nth), day) in open {
        if let Some((_, at)) = seen.ticks.iter().find(|(step, at)| (from..until).contains(step) && *at >= begins(day)) {
            found.push(format!("missing: {id} {rung} {nth} of {day} did not fire, though the engine looked at {at}"));
        }
    }
}

/// I6 to I10: every notice has ended, what is recorded as sent arrived, what arrived is recorded, copies are alike and few.
async fn mails(app: &App, seen: &Seen, items: &BTreeMap<String, Vec<Fact>>, found: &mut Vec<String>) {
    let rules = app.rules();
    let calendar = &rules.workflows["request"].setting.calendar;
    let mut known = HashMap::new();
    for mail in app.store.mails(None, None, "", 1_000_000).await.expect("reads") {
        known.insert(mail.id.clone(), mail);
    }
    let mut arrived: HashMap<&str, &KeptMail> = HashMap::new();
    let mut copies = 0;
    for mail in &seen.received {
        if !known.contains_key(&mail.id) {
            found.push(format!("unrecorded: {} arrived", mail.id));
        }
        match arrived.insert(&mail.id, mail) {
            Some(first) if first != mail => found.push(format!("changed: {} came a second time with other bytes", mail.id)),
            Some(_) => copies += 1,
            None => {}
        }
    }
    if copies > seen.unrecorded {
        found.push(format!("doubled: {copies} mails came twice, {} acceptances had no record", seen.unrecorded));
    }
    for mail in known.values() {
        match mail.status.as_str() {
            "sent" if !arrived.contains_key(mail.id.as_str()) => found.push(format!("never sent: {} is recorded as sent", mail.id)),
            "sent" | "refused" | "cancelled" | "expired" => {}
            status => found.push(format!("stuck: {} is still {status}", mail.id)),
        }
    }
    for (id, facts) in items {
        let mut notices: HashMap<(u64, String), usize> = HashMap::new();
        for notice in app.store.notices_of(id).await.expect("reads") {
            *notices.entry((notice.seq, notice.notice.clone())).or_default() += 1;
            let ended = match notice.status.as_str() {
                "mailed" => notice.mail.is_some(),
                "cancelled" | "parked" => notice.reason.is_some(),
                _ => false,
            };
            if !ended {
                found.push(format!("stuck: the notice {} is still {}", notice.key, notice.status));
            }
            let sent_at = notice.mail_ended_at.filter(|_| notice.mail_status.as_deref() == Some("sent"));
            let Some(sent_at) = sent_at else { continue };
            if sent_at < notice.not_before {
                found.push(format!("too early: {} left at {sent_at}, before {}", notice.key, notice.not_before));
            }
            let first_try = notice.mail.as_ref().and_then(|mail| known.get(mail)).is_some_and(|mail| mail.attempts == 1);
            let (due, _) = rungs(calendar, facts[0].effective_on);
            if notice.notice == "soon" && first_try && sent_at >= begins(due) {
                found.push(format!("too late: the reminder {} left at {sent_at}, due on {due}", notice.key));
            }
        }
        // Who is told of a rung after the due day: the clerk, and the head as a copy.
        for fact in facts {
            let Cause::Rung { key, skipped: None, .. } = &fact.cause else { continue };
            let (notice, persons) = if &*key.rung == "soon" { ("soon", 1) } else { ("late", 2) };
            let told = notices.get(&(fact.seq, notice.to_string())).copied().unwrap_or(0);
            if told != persons {
                found.push(format!("told: {id} {} told {told} persons, not {persons}", key.text()));
            }
        }
    }
}
