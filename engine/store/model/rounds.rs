//! Slots of sweeps with their schedule, and the rule sets that were in use.

use super::state::{Office, SlotRow};
use crate::kernel::time::Instant;
use crate::store::rulesets::StoredRules;
use crate::store::slots::Slot;
use indexmap::IndexMap;

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
            self.revision += 1;
            if self.revision == 1 {
                // There is nothing to derive yet.
                self.derived = 1;
            }
            let rules = StoredRules { hash: hash.to_string(), revision: self.revision, files: files.clone(), in_use_since: now };
            self.rules.insert(hash.to_string(), rules);
            self.schedule.values_mut().for_each(|at| *at = now.min(*at));
        }
        self.schedule.retain(|sweep, _| sweeps.contains(sweep));
        for sweep in sweeps {
            self.schedule.entry(sweep.clone()).or_insert(now);
        }
        self.revision
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
