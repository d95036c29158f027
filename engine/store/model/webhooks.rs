//! Other programs, and what each is told.

use super::At;
use super::state::{DeliveryEntry, Office, State};
use crate::kernel::model::event::{EVERYTHING, Event};
use crate::kernel::time::Instant;
use crate::store::audit::Entry;
use crate::store::health::Waiting;
use crate::store::webhooks::{Claimed, Counts, DeliveryRow, End, Key, Outcome, Webhook};
use std::cmp::Reverse;

impl At<'_> {
    pub fn put_webhook(&mut self, new: &Webhook, entry: &Entry) {
        let mut events = new.events.clone();
        events.sort();
        events.dedup();
        let webhook = self.webhooks.entry(new.id.clone()).or_insert_with(|| Webhook { stopped_at: None, ..new.clone() });
        (webhook.url, webhook.secret, webhook.events) = (new.url.clone(), new.secret.clone(), events);
        self.audit(std::slice::from_ref(entry));
    }

    pub fn webhooks(&self) -> Vec<Webhook> {
        let mut all: Vec<Webhook> = self.webhooks.values().cloned().collect();
        all.sort_by_key(|webhook| (webhook.made_at, webhook.id.clone()));
        all
    }

    pub fn stop_webhook(&mut self, id: &str, stop: bool, entry: &Entry) -> bool {
        let changes = |webhook: &&mut Webhook| webhook.stopped_at.is_some() != stop;
        let changed = self.webhooks.get_mut(id).filter(changes).map(|webhook| webhook.stopped_at = stop.then_some(entry.at)).is_some();
        if stop {
            for (_, row) in self.deliveries.iter_mut().filter(|(key, row)| key.webhook == id && row.next_try.is_some()) {
                row.park("stopped");
            }
        }
        if changed {
            self.audit(std::slice::from_ref(entry));
        }
        changed
    }

    pub fn drop_webhook(&mut self, id: &str, entry: &Entry) -> bool {
        if self.webhooks.remove(id).is_none() {
            return false;
        }
        self.let_go_deliveries(id, None, true, entry.at);
        self.audit(std::slice::from_ref(entry));
        true
    }

    pub fn deliveries(&self, status: Option<&str>, limit: u32) -> Vec<DeliveryRow> {
        let meant = self.deliveries.iter().filter(|(_, row)| status.is_none_or(|status| status == row.status));
        let mut rows: Vec<DeliveryRow> = meant.map(|(key, row)| row.shown(key)).collect();
        let order = |row: &DeliveryRow| {
            (Reverse((row.created_at, row.key.item.clone(), row.key.seq)), row.key.kind.clone(), row.key.webhook.clone())
        };
        rows.sort_by_key(order);
        rows.truncate(limit as usize);
        rows
    }

    pub fn count_deliveries(&self) -> Counts {
        let mut counts = Counts::new();
        for (key, row) in &self.deliveries {
            *counts.entry((key.webhook.clone(), row.status.to_string())).or_default() += 1;
        }
        counts
    }

    pub fn let_go_deliveries(&mut self, webhook: &str, one: Option<&Key>, cancel: bool, now: Instant) -> u64 {
        let runs = self.webhooks.get(webhook).is_some_and(|webhook| webhook.stopped_at.is_none());
        let mut changed = 0;
        for (_, row) in self.deliveries.iter_mut().filter(|(key, _)| key.webhook == webhook && one.is_none_or(|one| one == *key)) {
            match cancel {
                true if row.ended_at.is_none() && row.status != "claimed" => {
                    (row.status, row.next_try, row.ended_at) = ("cancelled", None, Some(now));
                }
                false if row.status == "parked" && runs => (row.status, row.attempts, row.next_try) = ("ready", 0, Some(now)),
                _ => continue,
            }
            changed += 1;
        }
        changed
    }
}

impl Office {
    /// What happened, to each that wants it.
    pub(super) fn tell(&mut self, events: &[Event], now: Instant) {
        for event in events {
            let called = event.called();
            let wants = |wanted: &String| wanted == EVERYTHING || called.contains(wanted);
            for webhook in self.webhooks.values().filter(|webhook| webhook.stopped_at.is_none() && webhook.events.iter().any(wants)) {
                let (item, kind) = (event.item.to_string(), event.kind.word().to_string());
                let key = Key { webhook: webhook.id.clone(), item, seq: event.fact, kind };
                let row = DeliveryEntry {
                    event: event.clone(),
                    status: "ready",
                    attempts: 0,
                    next_try: Some(now),
                    fence: 0,
                    reply: None,
                    created_at: now,
                    ended_at: None,
                };
                self.deliveries.insert(key, row);
            }
        }
    }

    /// Of a restored copy: nobody is called, and no token opens anything.
    pub(super) fn restore_webhooks(&mut self, now: Instant) {
        self.webhooks.values_mut().for_each(|webhook| _ = webhook.stopped_at.get_or_insert(now));
        self.deliveries.values_mut().filter(|row| row.next_try.is_some()).for_each(|row| row.park("restored"));
        self.tokens.values_mut().for_each(|token| _ = token.revoked_at.get_or_insert(now));
    }
}

impl DeliveryEntry {
    fn park(&mut self, why: &str) {
        (self.status, self.next_try, self.reply) = ("parked", None, Some(why.into()));
    }

    fn shown(&self, key: &Key) -> DeliveryRow {
        let DeliveryEntry { event, status, attempts, next_try, reply, created_at, ended_at, .. } = self.clone();
        DeliveryRow { key: key.clone(), event, status: status.to_string(), attempts, next_try, reply, created_at, ended_at }
    }
}

impl State {
    pub fn claim_deliveries(&mut self, now: Instant, until: Instant, limit: u32) -> Vec<Claimed> {
        let all = self.offices.iter_mut().flat_map(|(here, office)| office.deliveries.iter_mut().map(move |(key, row)| (here, key, row)));
        let mut due: Vec<_> = all.filter(|(_, _, row)| row.next_try.is_some_and(|at| at <= now)).collect();
        due.sort_by_key(|(here, key, row)| (row.next_try, (*here).clone(), (*key).clone()));
        due.truncate(limit as usize);
        let mut claimed = Vec::new();
        for (here, key, row) in due {
            (row.status, row.next_try) = ("claimed", Some(until));
            row.fence += 1;
            row.attempts += 1;
            let (event, attempts, fence, created_at) = (row.event.clone(), row.attempts, row.fence, row.created_at);
            claimed.push(Claimed { jurisdiction: here.clone(), key: key.clone(), event, attempts, fence, created_at });
        }
        claimed.sort_by(|a, b| (a.created_at, &a.jurisdiction, &a.key).cmp(&(b.created_at, &b.jurisdiction, &b.key)));
        claimed
    }

    pub fn finish_deliveries(&mut self, outcomes: &[Outcome], now: Instant) -> Vec<bool> {
        let mut counted = Vec::new();
        for Outcome { jurisdiction, key, fence, end, reply } in outcomes {
            let Some(office) = self.offices.get_mut(jurisdiction) else {
                counted.push(false);
                continue;
            };
            let row = office.deliveries.get_mut(key).filter(|row| row.fence == *fence && row.status == "claimed");
            let ours = row.map(|row| {
                (row.status, row.next_try, row.ended_at) = match end {
                    End::Done => ("done", None, Some(now)),
                    End::Later(at) => ("ready", Some(*at), None),
                    End::Parked => ("parked", None, None),
                };
                row.reply = Some(reply.clone());
            });
            if let (Some(()), End::Later(at)) = (ours, end) {
                let same = office.deliveries.iter_mut().filter(|(other, row)| other.webhook == key.webhook && row.status == "ready");
                same.for_each(|(_, row)| row.next_try = row.next_try.map(|next| next.max(*at)));
            }
            counted.push(ours.is_some());
        }
        counted
    }

    pub fn next_delivery(&self) -> Option<Instant> {
        self.offices.values().flat_map(|office| office.deliveries.values()).filter_map(|row| row.next_try).min()
    }

    pub fn parked_deliveries(&self, only: Option<&str>) -> Waiting {
        let offices = self.offices.iter().filter(|(here, _)| only.is_none_or(|only| only == &***here));
        let parked = offices.flat_map(|(_, office)| office.deliveries.values()).filter(|row| row.status == "parked");
        let (mut count, mut oldest) = (0, None);
        for row in parked {
            count += 1;
            oldest = Some(oldest.map_or(row.created_at, |known: Instant| known.min(row.created_at)));
        }
        Waiting { count, oldest }
    }

    pub fn forget_deliveries(&mut self, before: Instant) {
        for office in self.offices.values_mut() {
            office.deliveries.retain(|_, row| row.ended_at.is_none_or(|at| at >= before));
        }
    }

    /// Whoever had claimed them has gone.
    pub(super) fn take_back_deliveries(&mut self, now: Instant) {
        for row in self.offices.values_mut().flat_map(|office| office.deliveries.values_mut()).filter(|row| row.status == "claimed") {
            (row.status, row.next_try) = ("ready", Some(now));
        }
    }
}
