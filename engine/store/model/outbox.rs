//! Notices and mails: what became of each, how a person takes a hand, and what a restored copy holds back.

use super::state::{MailRow, NoticeRow, Office, Standing, State};
use crate::kernel::model::decision::Notice;
use crate::kernel::model::definition::NoticeKind;
use crate::kernel::time::Instant;
use crate::store::backup::{HELD_UNTIL, Held, LetGo};
use crate::store::brake::RELEASED;
use crate::store::outbox::{MailStatus, NoticeCount, NoticeEnd, NoticeStatus};
use crate::store::outbox_desk::OutboxFilter;
use crate::store::save;
use chrono::DateTime;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

impl Office {
    pub fn notices_of(&self, item: &str) -> Vec<NoticeStatus> {
        let mut of_item: Vec<&NoticeRow> = self.notices.values().filter(|row| *row.notice.item == *item).collect();
        of_item.sort_by_key(|row| (row.notice.seq, &row.notice.key));
        of_item.into_iter().map(|row| self.status(row)).collect()
    }

    pub fn notices_in(&self, mail: &str) -> Vec<Notice> {
        self.notices.values().filter(|row| row.mail.as_deref() == Some(mail)).map(|row| row.notice.clone()).collect()
    }

    pub fn notices_ready(&self, limit: u32) -> Vec<Notice> {
        let mut ready: Vec<_> = self.notices.values().filter(|row| row.standing == Standing::Ready).collect();
        ready.sort_by_key(|row| (row.not_before, &row.notice.key));
        ready.into_iter().take(limit as usize).map(|row| row.notice.clone()).collect()
    }

    pub fn notice(&self, key: &str) -> Option<Notice> {
        self.notices.get(key).map(|row| row.notice.clone())
    }

    /// Notices of any standing, the latest recorded first.
    pub fn notices(&self, filter: &OutboxFilter, limit: u32) -> Vec<(String, NoticeStatus)> {
        let mut shown: Vec<NoticeStatus> = Vec::new();
        let mut items = BTreeMap::new();
        for row in self.notices.values() {
            let status = self.status(row);
            let stands = status.mail_status.as_ref().unwrap_or(&status.status);
            let meant = filter.status.as_ref().is_none_or(|wanted| wanted == stands)
                && filter.person.as_ref().is_none_or(|person| *person == status.person)
                && filter.item.as_ref().is_none_or(|item| **item == *row.notice.item)
                && filter.after.as_ref().is_none_or(|after| (row.recorded_at, &row.notice.key) < (after.recorded_at, &after.key));
            if meant {
                items.insert(status.key.clone(), row.notice.item.to_string());
                shown.push(status);
            }
        }
        shown.sort_by_key(|status| Reverse((status.recorded_at, status.key.clone())));
        shown.truncate(limit as usize);
        shown.into_iter().map(|status| (items.remove(&status.key).unwrap_or_default(), status)).collect()
    }

    fn status(&self, row: &NoticeRow) -> NoticeStatus {
        let mail = row.mail.as_ref().and_then(|mail| self.mails.get(mail));
        NoticeStatus {
            key: row.notice.key.clone(),
            seq: row.notice.seq,
            notice: row.notice.notice.to_string(),
            kind: save::kind(row.notice.kind).to_string(),
            person: row.notice.person.to_string(),
            recorded_at: row.recorded_at,
            not_before: row.not_before,
            status: row.standing.word().to_string(),
            reason: row.reason.clone(),
            mail: row.mail.clone(),
            mail_status: mail.map(|mail| mail.status.to_string()),
            mail_ended_at: mail.and_then(|mail| mail.ended_at),
            mail_reply: mail.and_then(|mail| mail.reply.clone()),
        }
    }

    /// Changes those of the named notices that stand as they must; gives how many.
    pub(super) fn change(&mut self, keys: &[String], meant: impl Fn(Standing) -> bool, change: impl Fn(&mut NoticeRow)) -> u64 {
        let mut changed = 0;
        for key in keys.iter().collect::<BTreeSet<_>>() {
            if let Some(row) = self.notices.get_mut(key).filter(|row| meant(row.standing)) {
                change(row);
                changed += 1;
            }
        }
        changed
    }

    pub fn end_notices(&mut self, keys: &[String], end: NoticeEnd, reason: &str) -> u64 {
        let standing = match end {
            NoticeEnd::Cancelled => Standing::Cancelled,
            NoticeEnd::Parked => Standing::Parked,
        };
        self.change(keys, Standing::waits, |row| (row.standing, row.reason) = (standing, Some(reason.to_string())))
    }

    pub fn release_notices(&mut self, keys: &[String]) -> u64 {
        self.change(
            keys,
            |standing| standing == Standing::Parked,
            |row| (row.standing, row.reason) = (Standing::Ready, Some(RELEASED.into())),
        )
    }

    pub fn put_off_notices(&mut self, keys: &[String], until: Instant) -> u64 {
        self.change(keys, |standing| standing == Standing::Ready, |row| row.not_before = until)
    }

    /// Mails that wait and that nobody has in hand, each changed by a person; gives how many.
    fn by_hand(&mut self, ids: &[String], change: impl Fn(&mut MailRow)) -> u64 {
        let mut changed = 0;
        for id in ids.iter().collect::<BTreeSet<_>>() {
            if let Some(mail) = self.mails.get_mut(id).filter(|mail| mail.ended_at.is_none() && mail.status != "claimed") {
                change(mail);
                changed += 1;
            }
        }
        changed
    }

    pub fn retry_mails(&mut self, ids: &[String], now: Instant) -> u64 {
        self.by_hand(ids, |mail| mail.next_try = now)
    }

    pub fn cancel_mails(&mut self, ids: &[String], reason: &str, now: Instant) -> u64 {
        self.by_hand(ids, |mail| (mail.status, mail.reply, mail.ended_at) = ("cancelled", Some(reason.to_string()), Some(now)))
    }

    pub fn mail(&self, id: &str) -> Option<(MailStatus, String)> {
        self.mails.get(id).map(|mail| (mail.told(id), mail.bytes.clone()))
    }

    pub fn mails(&self, status: Option<&str>, person: Option<&str>, after: &str, limit: u32) -> Vec<MailStatus> {
        let shown = self.mails.iter().filter(|(id, mail)| {
            id.as_str() > after && status.is_none_or(|status| status == mail.status) && person.is_none_or(|person| person == mail.person)
        });
        shown.take(limit as usize).map(|(id, mail)| mail.told(id)).collect()
    }

    pub fn count_mails(&self) -> Vec<(String, u64)> {
        counted(self.mails.values().map(|mail| mail.status.to_string()))
    }

    pub fn count_escalations(&self) -> Vec<(String, u64)> {
        let told = |row: &&NoticeRow| row.notice.kind == NoticeKind::Escalation && row.standing == Standing::Mailed;
        counted(self.notices.values().filter(told).map(|row| row.notice.person.to_string()))
    }

    pub fn count_notices(&self) -> Vec<NoticeCount> {
        let sorts = self.notices.values().map(|row| {
            let NoticeStatus { kind, notice, status, mail_status, .. } = self.status(row);
            (kind, notice, status, mail_status.unwrap_or_default())
        });
        let read = |((kind, notice, status, mail_status), count)| NoticeCount { kind, notice, status, mail_status, count };
        counted(sorts).into_iter().map(read).collect()
    }
}

/// How often there is each, in order.
fn counted<T: Ord>(all: impl Iterator<Item = T>) -> Vec<(T, u64)> {
    let mut counts = BTreeMap::new();
    all.for_each(|one| *counts.entry(one).or_default() += 1);
    counts.into_iter().collect()
}

impl MailRow {
    fn told(&self, id: &str) -> MailStatus {
        MailStatus {
            id: id.to_string(),
            person: self.person.clone(),
            address: self.address.clone(),
            status: self.status.to_string(),
            attempts: self.attempts,
            next_try: self.next_try,
            reply: self.reply.clone(),
            created_at: self.created_at,
            ended_at: self.ended_at,
        }
    }
}

impl State {
    /// Nobody else works it: whoever had claimed these mails has gone, and may or may not have sent them. The same with slots.
    pub fn take_back(&mut self, now: Instant) {
        for slot in self.offices.values_mut().flat_map(|office| office.slots.values_mut()).filter(|slot| slot.done_at.is_none()) {
            slot.claimed_at = Instant::UNIX_EPOCH;
        }
        for mail in self.offices.values_mut().flat_map(|office| office.mails.values_mut()).filter(|mail| mail.status == "claimed") {
            (mail.status, mail.next_try) = ("unknown", now);
        }
    }

    /// From now on it is a restored copy, and holds what had not gone out.
    pub fn mark_restored(&mut self, instance: &str, now: Instant) -> Held {
        self.meta.insert("instance".into(), instance.into());
        self.restored = Some(now);
        self.sessions.clear();
        self.links.clear();
        let mut held = Held::default();
        for office in self.offices.values_mut() {
            office.restore_webhooks(now);
            for row in office.notices.values_mut().filter(|row| row.standing == Standing::Ready) {
                (row.standing, row.reason) = (Standing::Parked, Some("restored".into()));
                held.notices += 1;
            }
            for mail in office.mails.values_mut().filter(|mail| mail.ended_at.is_none()) {
                mail.status = "held";
                mail.next_try = DateTime::from_timestamp_millis(HELD_UNTIL).unwrap_or(mail.next_try);
                held.mails += 1;
            }
        }
        held
    }

    pub fn let_go_restored(&mut self, how: LetGo, now: Instant) -> Held {
        self.restored = None;
        let mut held = Held::default();
        for office in self.offices.values_mut() {
            for row in office.notices.values_mut() {
                if row.standing != Standing::Parked || row.reason.as_deref() != Some("restored") {
                    continue;
                }
                match how {
                    LetGo::Send => {
                        (row.standing, row.reason) = match &office.hold {
                            Some((reason, _)) => (Standing::Parked, Some(reason.clone())),
                            None => (Standing::Ready, Some(RELEASED.into())),
                        };
                    }
                    LetGo::Cancel => row.standing = Standing::Cancelled,
                }
                held.notices += 1;
            }
            for mail in office.mails.values_mut().filter(|mail| mail.status == "held") {
                mail.next_try = now;
                match how {
                    LetGo::Send => mail.status = "deferred",
                    LetGo::Cancel => (mail.status, mail.ended_at, mail.reply) = ("cancelled", Some(now), Some("restored".into())),
                }
                held.mails += 1;
            }
        }
        held
    }
}
