//! Slots of sweeps with their schedule, and the rule sets that were in use.

use super::state::{ItemRow, Office, SlotRow};
use crate::kernel::model::Name;
use crate::kernel::time::Instant;
use crate::store::audit::Entry;
use crate::store::items::HISTORIC;
use crate::store::publishing::{Digest, OpenItem, Proposal, PublishEnd, Published, Publishing};
use crate::store::rulesets::StoredRules;
use crate::store::slots::Slot;
use indexmap::IndexMap;
use std::ops::Bound;

impl Office {
    /// `true` for the first one who asks.
    pub fn claim_slot(&mut self, slot: &Slot, now: Instant) -> bool {
        let key = (slot.sweep.clone(), slot.slot.clone());
        if self.slots.contains_key(&key) {
            return false;
        }
        self.slots.insert(key, SlotRow { at: slot.at, claimed_at: now, done_at: None });
        true
    }

    pub fn finish_slot(&mut self, slot: &Slot, now: Instant) {
        if let Some(row) = self.slots.get_mut(&(slot.sweep.clone(), slot.slot.clone())) {
            row.done_at = Some(now);
        }
    }

    pub fn renew_slot(&mut self, slot: &Slot, now: Instant) -> bool {
        let row = self.slots.get_mut(&(slot.sweep.clone(), slot.slot.clone())).filter(|row| row.done_at.is_none());
        row.map(|row| row.claimed_at = now).is_some()
    }

    /// When a sweep of the rules in use is to be looked at next; whoever knows an earlier revision is not heard.
    pub fn schedule(&mut self, sweep: &str, next: Instant, revision: u64) {
        if let Some(at) = self.schedule.get_mut(sweep).filter(|_| revision == self.revision) {
            *at = next;
        }
    }

    /// The latest by its name.
    pub fn last_slot(&self, sweep: &str) -> Option<Slot> {
        let latest = self.slots.iter().rfind(|((of, _), _)| of == sweep);
        latest.map(|((sweep, slot), row)| Slot { sweep: sweep.clone(), slot: slot.clone(), at: row.at })
    }

    pub fn rules_in_use(&self) -> Option<StoredRules> {
        self.rules.values().max_by_key(|rules| rules.revision).cloned()
    }

    pub fn rules(&self, hash: &str) -> Option<StoredRules> {
        self.rules.get(hash).cloned()
    }

    /// Every sweep of other rules is looked at soon: its schedule may be another.
    pub fn use_rules(&mut self, hash: &str, files: &IndexMap<String, String>, sweeps: &[String], now: Instant) -> u64 {
        if !self.rules_in_use().is_some_and(|in_use| in_use.hash == hash) {
            self.put_rules(hash, files, "{}", now);
        }
        self.schedule_only(sweeps, now);
        self.revision
    }

    fn put_rules(&mut self, hash: &str, files: &IndexMap<String, String>, record: &str, now: Instant) {
        self.revision += 1;
        if self.revision == 1 {
            // There is nothing to derive yet.
            self.derived = 1;
        }
        let (hash, record, revision) = (hash.to_string(), record.to_string(), self.revision);
        let rules = StoredRules { hash: hash.clone(), revision, files: files.clone(), in_use_since: now };
        self.rules.insert(hash.clone(), rules);
        self.published.push(Published { revision, hash, at: now, record });
        self.schedule.values_mut().for_each(|at| *at = now.min(*at));
    }

    fn schedule_only(&mut self, sweeps: &[String], now: Instant) {
        self.schedule.retain(|sweep, _| sweeps.contains(sweep));
        for sweep in sweeps {
            self.schedule.entry(sweep.clone()).or_insert(now);
        }
    }

    pub fn published(&self) -> Vec<Published> {
        self.published.clone()
    }

    pub fn propose(&mut self, plan: &str, record: &str, at: Instant, entry: Entry) -> Proposal {
        if !self.proposals.contains_key(plan) {
            self.told(&[entry]);
        }
        self.proposals.entry(plan.to_string()).or_insert_with(|| Proposal { at, record: record.to_string() }).clone()
    }

    pub fn proposals(&self) -> Vec<(String, Proposal)> {
        let mut all: Vec<_> = self.proposals.iter().map(|(plan, proposal)| (plan.clone(), proposal.clone())).collect();
        all.sort_by(|one, other| (one.1.at, &one.0).cmp(&(other.1.at, &other.0)));
        all
    }

    pub fn proposal(&self, plan: &str) -> Option<Proposal> {
        self.proposals.get(plan).cloned()
    }

    pub fn open_items(&self, after: &str, limit: u32) -> Vec<OpenItem> {
        let behind = self.items.range::<str, _>((Bound::Excluded(after), Bound::Unbounded)).filter(|(_, item)| item.is_open());
        let read = |(id, item): (&Name, &ItemRow)| OpenItem {
            id: id.to_string(),
            workflow: item.workflow.to_string(),
            rev: item.rev,
            historic: item.rules_rev == HISTORIC,
        };
        behind.take(limit as usize).map(read).collect()
    }

    /// A rule set comes into use, if the one before and the open items are as they have to be.
    pub fn publish(&mut self, publishing: &Publishing, digest: Digest) -> PublishEnd {
        let in_use = self.rules_in_use().map(|rules| (rules.hash, rules.revision));
        if in_use != Some((publishing.before.clone(), publishing.revision)) {
            return PublishEnd::OtherRules;
        }
        let open: Vec<(String, u64)> =
            self.items.iter().filter(|(_, item)| item.is_open()).map(|(id, item)| (id.to_string(), item.rev)).collect();
        if digest(&open) != publishing.items {
            return PublishEnd::Moved;
        }
        self.put_rules(&publishing.hash, &publishing.files, &publishing.record, publishing.at);
        self.schedule_only(&publishing.sweeps, publishing.at);
        self.proposals.clear();
        self.told(&publishing.audit);
        PublishEnd::Done(self.revision)
    }

    /// Every open item has been derived under a revision.
    pub fn note_derived(&mut self, revision: u64) {
        if revision == self.revision {
            self.derived = revision.max(self.derived);
        }
    }

    /// Perhaps not, after all.
    pub fn doubt_derived(&mut self, revision: u64) {
        if revision == self.derived {
            self.derived = revision.saturating_sub(1);
        }
    }
}
