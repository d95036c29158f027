//! What the one scheduler asks of all jurisdictions at once: whose moment has come, which mails may go, and when to look next.

use super::state::{MailRow, Office, Standing, State};
use crate::kernel::model::decision::Notice;
use crate::kernel::time::Instant;
use crate::store::backup::{BACKUP, BACKUP_FILE, LastBackup};
use crate::store::brake::RESTORED;
use crate::store::everywhere::{DueSweep, Except, Jurisdiction, NextMoments};
use crate::store::health::{Health, Share, Waiting, Worst};
use crate::store::items::WakeUp;
use crate::store::posting::{Claimed, MailEnd, Outcome};
use crate::store::slots::Slot;
use chrono::DateTime;
use std::sync::Arc;

impl State {
    fn others<'a>(&'a self, except: Except<'a>) -> impl Iterator<Item = (&'a Arc<str>, &'a Office)> {
        self.offices.iter().filter(move |(name, _)| !except.contains(name))
    }

    /// Items whose moment has come, the earliest first. Where several processes take them, each goes under its next number to one of
    /// them until `until`; else they are only named.
    pub fn take_due(&mut self, now: Instant, until: Instant, limit: u32, except: Except<'_>, by_many: bool) -> Vec<WakeUp> {
        let mut due = Vec::new();
        for (jurisdiction, office) in self.others(except) {
            for (id, row) in office.items.iter().filter(|(_, row)| !by_many || row.is_free(now)) {
                let Some(at) = row.wake_at.filter(|at| *at <= now) else { continue };
                let (item, workflow, jurisdiction) = (id.to_string(), row.workflow.to_string(), jurisdiction.clone());
                due.push(WakeUp { jurisdiction, item, workflow, at, retries: row.retries, fence: None });
            }
        }
        due.sort_by(|a, b| (a.at, &a.jurisdiction, &a.item).cmp(&(b.at, &b.jurisdiction, &b.item)));
        due.truncate(limit as usize);
        for due in due.iter_mut().filter(|_| by_many) {
            let office = self.offices.get_mut(&due.jurisdiction);
            if let Some(row) = office.and_then(|office| office.items.get_mut(due.item.as_str())) {
                row.fence += 1;
                row.leased_until = Some(until);
                due.fence = Some(row.fence);
            }
        }
        due
    }

    pub fn next_moments(&self, now: Instant, except: Except<'_>) -> NextMoments {
        let mut next = NextMoments::default();
        let sooner = |known: &mut Option<Instant>, at: Instant| *known = Some(known.map_or(at, |known| known.min(at)));
        // A mail needs nothing of its jurisdiction.
        for mail in self.offices.values().flat_map(|office| office.mails.values()).filter(|mail| mail.ended_at.is_none()) {
            sooner(&mut next.mail, mail.next_try);
        }
        for (_, office) in self.others(except) {
            let free = office.items.values().filter(|row| row.is_free(now));
            free.filter_map(|row| row.wake_at).for_each(|at| sooner(&mut next.wake_up, at));
            let ready = office.notices.values().filter(|row| row.standing == Standing::Ready);
            ready.for_each(|row| sooner(&mut next.mail, row.not_before));
            office.schedule.values().for_each(|at| sooner(&mut next.slot, *at));
            let open = office.slots.values().filter(|row| row.done_at.is_none());
            open.for_each(|row| sooner(&mut next.open_slot, row.claimed_at));
            next.stale |= office.derived < office.revision;
        }
        next
    }

    /// Notices whose moment has come, the earliest first.
    pub fn notices_due(&self, now: Instant, limit: u32, except: Except<'_>) -> Vec<(Arc<str>, Notice)> {
        let all = self.others(except).flat_map(|(jurisdiction, office)| office.notices.values().map(move |row| (jurisdiction, row)));
        let mut due: Vec<_> = all.filter(|(_, row)| row.standing == Standing::Ready && row.not_before <= now).collect();
        due.sort_by_key(|(jurisdiction, row)| (row.not_before, *jurisdiction, &row.notice.key));
        due.into_iter().take(limit as usize).map(|(jurisdiction, row)| (jurisdiction.clone(), row.notice.clone())).collect()
    }

    /// Slots that nobody has worked on since `before`, those left longest first; they are taken over.
    pub fn take_open_slots(&mut self, before: Instant, now: Instant, limit: u32, except: Except<'_>) -> Vec<(Arc<str>, Slot)> {
        let mut silent = Vec::new();
        for (jurisdiction, office) in self.others(except) {
            for ((sweep, slot), row) in office.slots.iter().filter(|(_, row)| row.done_at.is_none() && row.claimed_at <= before) {
                let slot = Slot { sweep: sweep.clone(), slot: slot.clone(), at: row.at };
                silent.push((row.claimed_at, jurisdiction.clone(), slot));
            }
        }
        // They come by jurisdiction and name.
        silent.sort_by_key(|(claimed_at, ..)| *claimed_at);
        let mut taken: Vec<_> = silent.into_iter().take(limit as usize).map(|(_, jurisdiction, slot)| (jurisdiction, slot)).collect();
        for (jurisdiction, slot) in &taken {
            self.offices.get_mut(jurisdiction).map(|office| office.renew_slot(slot, now));
        }
        taken.sort_by(|(a, x), (b, y)| (x.at, a, &x.sweep).cmp(&(y.at, b, &y.sweep)));
        taken
    }

    /// Sweeps that are to be looked at.
    pub fn sweeps_due(&self, now: Instant, limit: u32, except: Except<'_>) -> Vec<DueSweep> {
        let mut due = Vec::new();
        for (jurisdiction, office) in self.others(except) {
            for (sweep, at) in office.schedule.iter().filter(|(_, at)| **at <= now) {
                due.push(DueSweep { jurisdiction: jurisdiction.clone(), sweep: sweep.clone(), at: *at });
            }
        }
        due.sort_by(|a, b| (a.at, &a.jurisdiction, &a.sweep).cmp(&(b.at, &b.jurisdiction, &b.sweep)));
        due.truncate(limit as usize);
        due
    }

    pub fn stale(&self, limit: u32, except: Except<'_>) -> Vec<String> {
        let stale = self.others(except).filter(|(_, office)| office.derived < office.revision);
        stale.take(limit as usize).map(|(jurisdiction, _)| jurisdiction.to_string()).collect()
    }

    pub fn jurisdictions(&self, after: &str, limit: u32) -> Vec<Jurisdiction> {
        let behind = self.offices.iter().filter(|(name, _)| &***name > after);
        let read = |(name, office): (&Arc<str>, &Office)| {
            let rules = office.rules_in_use()?;
            Some(Jurisdiction { id: name.to_string(), revision: rules.revision, rules: rules.hash, in_use_since: rules.in_use_since })
        };
        behind.filter_map(read).take(limit as usize).collect()
    }

    pub fn revisions(&self, jurisdictions: &[Arc<str>]) -> Vec<(String, u64)> {
        let known = jurisdictions.iter().filter_map(|name| Some((name, self.offices.get(name)?)));
        known.filter(|(_, office)| office.revision > 0).map(|(name, office)| (name.to_string(), office.revision)).collect()
    }

    /// Each mail goes to one sender until `until`, under its next number.
    pub fn claim_mails(&mut self, now: Instant, until: Instant, limit: u32) -> Vec<Claimed> {
        let mut free = Vec::new();
        for (jurisdiction, office) in &self.offices {
            for (id, mail) in office.mails.iter().filter(|(_, mail)| mail.ended_at.is_none() && mail.next_try <= now) {
                free.push((mail.next_try, jurisdiction.clone(), id.clone()));
            }
        }
        free.sort();
        let mut claimed = Vec::new();
        for (_, jurisdiction, id) in free.into_iter().take(limit as usize) {
            let Some(mail) = self.offices.get_mut(&jurisdiction).and_then(|office| office.mails.get_mut(&id)) else { continue };
            mail.status = "claimed";
            mail.fence += 1;
            mail.attempts += 1;
            mail.next_try = until;
            let first_try = *mail.first_try.get_or_insert(now);
            let MailRow { person, address, bytes, attempts, fence, created_at, .. } = mail.clone();
            claimed.push(Claimed { jurisdiction, id, person, address, bytes, attempts, fence, created_at, first_try });
        }
        claimed.sort_by(|a, b| (a.created_at, &a.jurisdiction, &a.id).cmp(&(b.created_at, &b.jurisdiction, &b.id)));
        claimed
    }

    /// A mail whose latest claim this is.
    fn claimed(&mut self, jurisdiction: &str, id: &str, fence: u64) -> Option<&mut MailRow> {
        let mail = self.offices.get_mut(jurisdiction)?.mails.get_mut(id)?;
        (mail.status == "claimed" && mail.fence == fence).then_some(mail)
    }

    pub fn renew_mails(&mut self, claims: &[(Arc<str>, String, u64)], until: Instant) -> Vec<bool> {
        let mut renewed = Vec::with_capacity(claims.len());
        for (jurisdiction, id, fence) in claims {
            renewed.push(self.claimed(jurisdiction, id, *fence).map(|mail| mail.next_try = until).is_some());
        }
        renewed
    }

    pub fn finish_mails(&mut self, outcomes: &[Outcome], now: Instant) -> Vec<bool> {
        let mut finished = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            let mail = self.claimed(&outcome.jurisdiction, &outcome.id, outcome.fence);
            finished.push(mail.is_some());
            let Some(mail) = mail else { continue };
            mail.status = outcome.end.status();
            mail.reply = Some(outcome.reply.clone());
            (mail.next_try, mail.ended_at) = match outcome.end {
                MailEnd::Deferred { next_try } | MailEnd::Unknown { next_try } => (next_try, None),
                MailEnd::Sent | MailEnd::Refused | MailEnd::Expired | MailEnd::Cancelled => (now, Some(now)),
            };
        }
        finished
    }

    pub fn health(&self, now: Instant) -> Health {
        let mut health = Health::default();
        self.offices.values().for_each(|office| office.add_health(now, &mut health));
        health.backup = self.last_backup().map(|last| last.at);
        health
    }

    pub fn worst(&self, now: Instant, limit: u32) -> Worst {
        let mut worst = Worst::default();
        for (name, office) in &self.offices {
            let health = office.health(now);
            let (mut unsent, ready) = (health.unsent(), health.ready);
            unsent = Waiting { count: unsent.count + ready.count, oldest: unsent.oldest.into_iter().chain(ready.oldest).min() };
            let kinds = [
                (&mut worst.due, health.due),
                (&mut worst.parked, health.parked),
                (&mut worst.set_aside, health.set_aside),
                (&mut worst.unsent, unsent),
            ];
            for (shares, waiting) in kinds {
                shares.extend((waiting.count > 0).then(|| Share { office: name.to_string(), count: waiting.count, since: waiting.oldest }));
            }
        }
        for shares in [&mut worst.due, &mut worst.parked, &mut worst.set_aside, &mut worst.unsent] {
            shares.sort_by(|a, b| (a.since, &a.office).cmp(&(b.since, &b.office)));
            shares.truncate(limit as usize);
        }
        worst
    }

    pub fn last_backup(&self) -> Option<LastBackup> {
        let at = DateTime::from_timestamp_millis(self.meta.get(BACKUP)?.parse().ok()?)?;
        Some(LastBackup { at, file: self.meta.get(BACKUP_FILE).cloned().unwrap_or_default() })
    }

    pub fn note_backup(&mut self, file: &str, at: Instant) {
        self.meta.insert(BACKUP.into(), at.timestamp_millis().to_string());
        self.meta.insert(BACKUP_FILE.into(), file.into());
    }
}

impl Office {
    pub fn health(&self, now: Instant) -> Health {
        let mut health = Health::default();
        self.add_health(now, &mut health);
        health
    }

    fn add_health(&self, now: Instant, health: &mut Health) {
        let count = |waiting: &mut Waiting, since: Option<Instant>| {
            waiting.count += 1;
            waiting.oldest = waiting.oldest.into_iter().chain(since).min();
        };
        for row in self.items.values() {
            if let Some(at) = row.wake_at.filter(|at| *at <= now) {
                count(&mut health.due, Some(at));
            }
            if row.quarantine.is_some() {
                count(&mut health.set_aside, row.set_aside_at);
            }
        }
        for row in self.notices.values() {
            match row.standing {
                Standing::Ready if row.not_before <= now => count(&mut health.ready, Some(row.not_before)),
                Standing::Parked => {
                    count(&mut health.parked, Some(row.not_before));
                    if row.reason.as_deref() == Some(RESTORED) {
                        count(&mut health.restored, Some(row.not_before));
                    }
                }
                _ => {}
            }
        }
        if let Some((_, since)) = &self.hold {
            count(&mut health.held, Some(*since));
        }
        for mail in self.mails.values().filter(|mail| mail.ended_at.is_none()) {
            count(health.mails.entry(mail.status.to_string()).or_default(), Some(mail.created_at));
        }
    }
}
