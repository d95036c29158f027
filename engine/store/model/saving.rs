//! Decisions come in: each is held against what is there, and its unit is written whole or not at all.

use super::state::{ItemRow, NoticeRow, Office, Standing, State};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::brake::RESTORED;
use crate::store::save::{About, Failed, NotSaved, Save, Saved, Unit};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::sync::oneshot;

/// Decisions that wait, and who waits for them.
#[derive(Debug)]
pub(in crate::store) struct Queued {
    pub unit: Unit,
    pub reply: oneshot::Sender<Result<Vec<Saved>, Failed>>,
}

impl State {
    /// Writes what a process has queued.
    pub fn write_queue_of(&mut self, process: u64) {
        if let Some(queue) = self.processes.get_mut(&process) {
            let queue = std::mem::take(queue);
            self.write_queued(queue);
        }
    }

    pub fn write_queued(&mut self, queue: Vec<Queued>) {
        self.counts.commits += u64::from(!queue.is_empty());
        for Queued { unit, reply } in queue {
            self.counts.commands += unit.len() as u64;
            // Whoever asked may have gone; what was stored stays stored.
            let _ = reply.send(self.save(&unit));
        }
    }

    fn save(&mut self, unit: &Unit) -> Result<Vec<Saved>, Failed> {
        let Some(first) = unit.first() else { return Ok(Vec::new()) };
        let restored = self.restored.is_some();
        let office = self.offices.entry(first.here().clone()).or_default();
        let held = if restored { Some(RESTORED.to_string()) } else { office.hold.as_ref().map(|(reason, _)| reason.clone()) };
        let unsound = office.unsound(unit);
        let before = (unit.len() > 1 || unsound.is_some()).then(|| office.clone());
        let mut failed = None;
        for (place, save) in unit.iter().enumerate() {
            if let Err(why) = office.check(save) {
                failed = Some(Failed { place, why });
                break;
            }
            office.put(save, held.as_deref());
        }
        // What no decision may write comes to light when all of them hold.
        let failed = failed.or_else(|| unsound.map(|what| Failed::all(StoreError::NotDone(what))));
        if let Some(failed) = failed {
            if let Some(before) = before {
                *office = before;
            }
            return Err(failed);
        }
        if self.by_many {
            // What was decided under an earlier revision is derived again, also when all had been.
            office.derived = unit.iter().map(|save| save.decided().0.rules_rev).chain([office.derived]).min().unwrap_or_default();
        }
        if let Some(latest) = unit.iter().map(|save| save.decided().0.now).max() {
            self.note(latest);
        }
        Ok(unit.iter().map(|save| Saved { rev: save.rev_after() }).collect())
    }

    /// The clock's high-water mark, to the second.
    fn note(&mut self, now: Instant) {
        let now = now.timestamp_millis();
        let mark = self.meta.get("clock").and_then(|mark| mark.parse::<i64>().ok()).unwrap_or(0);
        if now >= mark.saturating_add(1000) {
            self.meta.insert("clock".into(), now.to_string());
        }
    }
}

impl Office {
    /// Whether a decision still holds.
    fn check(&self, save: &Save) -> Result<(), NotSaved> {
        let (about, accepted) = save.decided();
        if let Some(command) = &about.command {
            if let Some((request_hash, answer)) = self.commands.get(&(command.actor.to_string(), command.id.to_string())) {
                return Err(NotSaved::Answered { request_hash: request_hash.clone(), answer: answer.clone() });
            }
        }
        let item = self.items.get(&about.item);
        let rev = item.map_or(0, |item| item.rev);
        let overtaken = item.is_some_and(|item| about.fence.is_some_and(|fence| fence != item.fence));
        if about.rev != rev || overtaken {
            return Err(NotSaved::Moved { rev });
        }
        let mut given = BTreeMap::new();
        for number in &accepted.numbers {
            let last = given.get(&number.counter).or_else(|| self.counters.get(&number.counter)).copied().unwrap_or(0);
            if last != number.from {
                return Err(NotSaved::CounterMoved { counter: number.counter.clone(), value: last });
            }
            given.insert(number.counter.clone(), number.to);
        }
        for key in unique_keys(save) {
            if let Some(holder) = self.unique.get(&key).filter(|holder| **holder != about.item) {
                return Err(NotSaved::Taken { field: key.1.to_string(), value: key.2, item: holder.to_string() });
            }
        }
        let mut causes = BTreeSet::new();
        for cause in accepted.facts.iter().filter_map(|fact| fact.cause.key()) {
            if item.is_some_and(|item| item.causes.contains(&cause)) || !causes.insert(cause.clone()) {
                return Err(NotSaved::CauseRecorded(cause));
            }
        }
        let mut told = BTreeSet::new();
        for notice in &accepted.notices {
            if self.notices.contains_key(&notice.key) || !told.insert(&notice.key) {
                return Err(NotSaved::NoticeRecorded(notice.key.clone()));
            }
        }
        Ok(())
    }

    /// What no decision may write, however current it is: a notice of an item that is not there, a fact in the place of another.
    fn unsound(&self, unit: &Unit) -> Option<String> {
        let made: BTreeSet<&Name> = unit.iter().map(|save| &save.decided().0.item).collect();
        let mut places = BTreeSet::new();
        for save in unit {
            let (About { item, .. }, accepted) = save.decided();
            for fact in &accepted.facts {
                let taken = self.items.get(item).is_some_and(|row| row.facts.contains_key(&fact.seq));
                if taken || !places.insert((item, fact.seq)) {
                    return Some(format!("`{item}` has a fact {} already", fact.seq));
                }
            }
            let mut notices = accepted.notices.iter();
            if let Some(lost) = notices.find(|notice| !made.contains(&notice.item) && !self.items.contains_key(&notice.item)) {
                return Some(format!("the notice `{}` is of no item", lost.key));
            }
        }
        None
    }

    /// Writes what was checked. While everything is held, so are its notices.
    fn put(&mut self, save: &Save, held: Option<&str>) {
        let (about, accepted) = save.decided();
        let item = self.items.entry(about.item.clone()).or_insert_with(|| ItemRow {
            workflow: about.workflow.clone(),
            rev: 0,
            facts: BTreeMap::new(),
            causes: BTreeSet::new(),
            caches: about.caches.clone(),
            wake_at: None,
            rules_rev: about.rules_rev,
            changed_at: about.now,
            quarantine: None,
            set_aside_at: None,
            retries: 0,
            fence: 0,
            leased_until: None,
        });
        item.rev = save.rev_after();
        item.caches = about.caches.clone();
        (item.wake_at, item.rules_rev, item.changed_at) = (accepted.wake_up, about.rules_rev, about.now);
        (item.quarantine, item.set_aside_at, item.retries, item.leased_until) = (None, None, 0, None);
        for fact in &accepted.facts {
            item.causes.extend(fact.cause.key());
            item.facts.insert(fact.seq, Arc::new(fact.clone()));
        }
        for notice in &accepted.notices {
            let (standing, reason) = match &notice.parked {
                Some(why) => (Standing::Parked, Some(why.to_string())),
                None => match held {
                    Some(why) => (Standing::Parked, Some(why.to_string())),
                    None => (Standing::Ready, None),
                },
            };
            let (recorded_at, not_before) = (about.now, notice.not_before);
            let row = NoticeRow { notice: notice.clone(), recorded_at, not_before, standing, reason, mail: None };
            self.notices.insert(notice.key.clone(), row);
        }
        self.tell(&about.events, about.now);
        if let Some(command) = &about.command {
            let answer = (command.request_hash.to_string(), command.answer.to_string());
            self.commands.insert((command.actor.to_string(), command.id.to_string()), answer);
        }
        for number in &accepted.numbers {
            self.counters.insert(number.counter.clone(), number.to);
        }
        let keys = unique_keys(save);
        // A field of an item holds one value: what it held before is free.
        self.unique.retain(|(_, field, _), holder| *holder != about.item || keys.iter().all(|key| key.1 != *field));
        self.unique.extend(keys.into_iter().map(|key| (key, about.item.clone())));
    }
}

fn unique_keys(save: &Save) -> Vec<(Name, Name, String)> {
    // A value always has a JSON form.
    let (about, accepted) = save.decided();
    let key = |(field, value): &(Name, _)| (about.workflow.clone(), field.clone(), serde_json::to_string(value).unwrap_or_default());
    accepted.unique.iter().map(key).collect()
}
