//! Items: what is recorded of them, what lists show, and what becomes of one that is derived again or set aside.

use super::state::{ItemRow, Office};
use crate::kernel::model::Name;
use crate::kernel::model::fact::Fact;
use crate::kernel::time::{Date, Instant};
use crate::store::StoreError;
use crate::store::facts::Recorded;
use crate::store::items::{Derived, Filter, Listed, SetAside};
use crate::store::records::{Hands, Record};
use crate::store::save;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

impl Office {
    pub fn item(&self, id: &str) -> Option<Recorded> {
        let item = self.items.get(id)?;
        let facts: Vec<Fact> = item.facts.values().map(|fact| (**fact).clone()).collect();
        let quarantine = item.quarantine.clone().map(|reason| (reason, item.retries));
        Some(Recorded { workflow: item.workflow.to_string(), rev: facts.len() as u64, facts, quarantine })
    }

    pub fn facts_of(&self, ids: &[&str]) -> HashMap<String, Result<Vec<Fact>, StoreError>> {
        let facts = |item: &ItemRow| item.facts.values().map(|fact| (**fact).clone()).collect::<Vec<_>>();
        let known = ids.iter().filter_map(|id| self.items.get(*id).filter(|item| !item.facts.is_empty()).map(|item| (id, item)));
        known.map(|(id, item)| (id.to_string(), Ok(facts(item)))).collect()
    }

    /// There is nothing here that could be changed behind its back, but a fact may have been given a wrong place.
    pub fn check_chain(&self, id: &str) -> Result<(), StoreError> {
        let Some(item) = self.items.get(id) else { return Err(StoreError::Damaged(format!("there is no item `{id}`"))) };
        match (1..=item.rev).find(|seq| !item.facts.contains_key(seq)) {
            Some(seq) => Err(StoreError::Damaged(format!("fact {seq} of `{id}` is missing"))),
            None => Ok(()),
        }
    }

    pub fn records(&self, after: &str, limit: u32) -> Vec<(String, Option<Record>)> {
        let read = |(id, item): (&Name, &ItemRow)| {
            let whole = self.check_chain(id).is_ok() && item.facts.len() as u64 == item.rev;
            let row = item.listed(id).ok().filter(|_| whole);
            let mut notices: Vec<_> = self.notices.values().map(|row| &row.notice).filter(|notice| notice.item == *id).collect();
            notices.sort_by_key(|notice| (notice.seq, &notice.key));
            let notices = notices.into_iter().map(|notice| (notice.seq, notice.notice.to_string())).collect();
            let facts = item.facts.values().map(|fact| (**fact).clone()).collect();
            (id.to_string(), row.map(|row| Record { row, facts, notices, hands: item.hands() }))
        };
        self.behind(after).take(limit as usize).map(read).collect()
    }

    pub fn listed(&self, id: &str) -> Result<Option<Listed>, StoreError> {
        self.items.get(id).map(|item| item.listed(id)).transpose()
    }

    pub fn list(&self, filter: &Filter, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let text = filter.text.as_ref().map(|text| text.to_ascii_lowercase());
        let shown = self.behind(&filter.after).filter(|(_, item)| {
            filter.workflow.as_ref().is_none_or(|workflow| *workflow == *item.workflow)
                && filter.state.as_ref().is_none_or(|state| *state == item.caches.state)
                && (!filter.open_only || item.is_open())
                && text.as_ref().is_none_or(|text| item.caches.search.to_ascii_lowercase().contains(text))
                && filter.flag.as_ref().is_none_or(|flag| item.caches.flag.map_or("none", save::flag) == flag)
                && filter.due_before.is_none_or(|day| item.caches.due_on.is_some_and(|due| due < day))
                && stand_in_order(&item.caches.fields, &filter.marks)
                && filter.dues.as_ref().is_none_or(|text| item.caches.dues.contains(text))
        });
        shown.take(limit as usize).map(|(id, item)| item.listed(id)).collect()
    }

    pub fn ids(&self, workflow: Option<&str>, open_only: bool, after: &str, limit: u32) -> Vec<String> {
        let found = self
            .behind(after)
            .filter(|(_, item)| workflow.is_none_or(|workflow| *workflow == *item.workflow) && (!open_only || item.is_open()));
        found.take(limit as usize).map(|(id, _)| id.to_string()).collect()
    }

    pub fn standing(&self, day: Date, until: Date) -> (u64, u64, u64) {
        let open = || self.items.values().filter(|item| item.is_open());
        let due = |fits: &dyn Fn(Date) -> bool| open().filter(|item| item.caches.due_on.is_some_and(fits)).count() as u64;
        (open().count() as u64, due(&|on| on < day), due(&|on| on >= day && on <= until))
    }

    pub fn in_hand(&self, workflow: &str, field: &str, day: Date) -> Vec<(String, u64, u64)> {
        let mut counts: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        for item in self.items.values().filter(|item| item.is_open() && *item.workflow == *workflow) {
            let fields: serde_json::Value = serde_json::from_str(&item.caches.fields).unwrap_or_default();
            if let Some(value) = fields[field].as_str() {
                let entry = counts.entry(value.to_string()).or_default();
                entry.0 += 1;
                entry.1 += u64::from(item.caches.due_on.is_some_and(|due| due < day));
            }
        }
        let mut rows: Vec<_> = counts.into_iter().map(|(value, (all, late))| (value, all, late)).collect();
        rows.sort_by_key(|(_, all, _)| std::cmp::Reverse(*all));
        rows
    }

    pub fn waking(&self, workflow: &str, before: Instant, limit: u32) -> Vec<String> {
        let due = self.items.iter().filter(|(_, item)| *item.workflow == *workflow);
        let mut due: Vec<_> = due.filter_map(|(id, item)| Some((item.wake_at.filter(|at| *at < before)?, id.to_string()))).collect();
        due.sort();
        due.into_iter().take(limit as usize).map(|(_, id)| id).collect()
    }

    pub fn saved_filters(&self, person: &str) -> Vec<(String, String)> {
        let own = self.filters.iter().filter(|((of, _), _)| of == person);
        own.map(|((_, name), query)| (name.clone(), query.clone())).collect()
    }

    pub fn save_filter(&mut self, person: &str, name: &str, query: Option<&str>) {
        let key = (person.to_string(), name.to_string());
        match query {
            Some(query) => self.filters.insert(key, query.to_string()),
            None => self.filters.remove(&key),
        };
    }

    fn behind(&self, after: &str) -> impl Iterator<Item = (&Name, &ItemRow)> {
        self.items.range::<str, _>((Bound::Excluded(after), Bound::Unbounded))
    }

    pub fn in_hands(&self, keys: &BTreeSet<String>, after: u32, limit: u32) -> (Vec<String>, u64) {
        let mut found: Vec<_> = self.items.iter().filter(|(_, item)| item.caches.hands.iter().any(|key| keys.contains(key))).collect();
        found.sort_by_key(|(id, item)| (item.caches.due_on.is_none(), item.caches.due_on, *id));
        let count = found.len() as u64;
        (found.into_iter().skip(after as usize).take(limit as usize).map(|(id, _)| id.to_string()).collect(), count)
    }

    pub fn hands_of(&self, id: &str) -> Hands {
        self.items.get(id).map(ItemRow::hands).unwrap_or_default()
    }

    pub fn count_by_state(&self) -> Vec<(String, String, u64)> {
        let mut counts: BTreeMap<(String, String), u64> = BTreeMap::new();
        for item in self.items.values() {
            *counts.entry((item.workflow.to_string(), item.caches.state.clone())).or_default() += 1;
        }
        counts.into_iter().map(|((workflow, state), count)| (workflow, state, count)).collect()
    }

    pub fn count_open(&self) -> u64 {
        self.items.values().filter(|item| item.is_open()).count() as u64
    }

    pub fn revisions(&self, ids: &[&str]) -> HashMap<String, u64> {
        ids.iter().filter_map(|id| Some((id.to_string(), self.items.get(*id)?.rev))).collect()
    }

    /// Open items that were derived under older rules: those that are never woken, then the soonest.
    pub fn stale(&self, rules_rev: u64, limit: u32) -> Vec<(String, String)> {
        let mut stale: Vec<_> = self.items.iter().filter(|(_, item)| item.is_stale(rules_rev)).collect();
        stale.sort_by_key(|(id, item)| (item.wake_at, *id));
        stale.into_iter().take(limit as usize).map(|(id, item)| (id.to_string(), item.workflow.to_string())).collect()
    }

    pub fn count_stale(&self, rules_rev: u64) -> u64 {
        self.items.values().filter(|item| item.is_stale(rules_rev)).count() as u64
    }

    pub fn keep_derived(&mut self, derived: Derived) -> bool {
        let Some(item) = self.items.get_mut(derived.item.as_str()).filter(|item| item.rev == derived.rev) else { return false };
        item.caches = derived.caches;
        let wake_at = if item.quarantine.is_some() { Some(derived.now) } else { derived.wake_up };
        (item.wake_at, item.rules_rev, item.changed_at, item.leased_until) = (wake_at, derived.rules_rev, derived.now, None);
        true
    }

    pub fn wake_now(&mut self, item: &str, now: Instant, rules_rev: u64) {
        if let Some(item) = self.items.get_mut(item) {
            (item.wake_at, item.rules_rev, item.leased_until) = (Some(now), rules_rev, None);
        }
    }

    pub fn quarantine(&mut self, item: &str, rev: Option<u64>, fence: Option<u64>, reason: &str, retry_at: Instant, now: Instant) -> bool {
        let meant = |item: &&mut ItemRow| rev.is_none_or(|rev| rev == item.rev) && fence.is_none_or(|fence| fence == item.fence);
        let Some(item) = self.items.get_mut(item).filter(meant) else { return false };
        item.retries += 1;
        (item.quarantine, item.wake_at, item.leased_until) = (Some(reason.to_string()), Some(retry_at), None);
        item.set_aside_at.get_or_insert(now);
        true
    }

    pub fn quarantined(&self, limit: u32) -> Vec<SetAside> {
        let aside = self.items.iter().filter_map(|(id, item)| {
            let reason = item.quarantine.clone()?;
            let ItemRow { workflow, retries, wake_at, set_aside_at, .. } = item;
            let (item, workflow) = (id.to_string(), workflow.to_string());
            Some(SetAside { item, workflow, reason, retries: *retries, retry_at: *wake_at, since: *set_aside_at })
        });
        aside.take(limit as usize).collect()
    }

    pub fn answered(&self, actor: &str, id: &str) -> Option<(String, String)> {
        self.commands.get(&(actor.to_string(), id.to_string())).cloned()
    }

    pub fn holders_of(&self, keys: &[(&str, &str, &str)]) -> Vec<Option<String>> {
        let holder = |(workflow, field, value): &(&str, &str, &str)| {
            self.unique.get(&(Name::from(*workflow), Name::from(*field), value.to_string())).map(|item| item.to_string())
        };
        keys.iter().map(holder).collect()
    }

    pub fn counter(&self, name: &str) -> i64 {
        self.counters.get(name).copied().unwrap_or(0)
    }
}

impl ItemRow {
    fn hands(&self) -> Hands {
        let text = self.caches.hands_text();
        Hands { told: text.clone(), rows: text }
    }

    fn is_stale(&self, rules_rev: u64) -> bool {
        self.rules_rev < rules_rev && self.is_open()
    }

    fn listed(&self, id: &str) -> Result<Listed, StoreError> {
        let json = |text: &str, what: &str| {
            serde_json::from_str(text).map_err(|_| StoreError::Damaged(format!("{what} of `{id}` cannot be read")))
        };
        Ok(Listed {
            id: id.to_string(),
            workflow: self.workflow.to_string(),
            rev: self.rev,
            state: self.caches.state.clone(),
            title: self.caches.title.clone(),
            ended_on: self.caches.ended_on,
            flag: self.caches.flag.map(|flag| save::flag(flag).to_string()),
            due_on: self.caches.due_on,
            fields: json(&self.caches.fields, "the fields")?,
            dues: json(&self.caches.dues, "the due dates")?,
            wake_at: self.wake_at,
            quarantine: self.quarantine.clone(),
            changed_at: self.changed_at,
            rules_rev: self.rules_rev,
        })
    }
}

/// Whether texts stand in another, one behind the other; their case does not count.
fn stand_in_order(text: &str, marks: &[String]) -> bool {
    let text = text.to_ascii_lowercase();
    let mut rest = text.as_str();
    marks.iter().all(|mark| match rest.split_once(mark.to_ascii_lowercase().as_str()) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}
