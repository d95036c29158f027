//! Mails are stored while they are not unusually many; what is held, and how a person lets it go.

use super::At;
use super::state::{MailRow, NoticeRow, Office, Standing, State, VolumeRow};
use crate::kernel::time::Instant;
use crate::store::backup::LetGo;
use crate::store::brake::{EVERYBODY, Excess, Hold, Measure, Passed, RELEASED, RESTORED, VOLUME, first_hour, hour, usual};
use crate::store::outbox::{DOUBLED, NewMail, NoticeEnd};
use std::collections::BTreeSet;

fn is_released(row: &NoticeRow) -> bool {
    row.reason.as_deref() == Some(RELEASED)
}

impl At<'_> {
    /// What holds the mails of this jurisdiction.
    pub fn hold(&self) -> Option<Hold> {
        let everybody = self.all().restored.map(|since| (EVERYBODY, RESTORED.to_string(), since));
        let own = || self.hold.clone().map(|(reason, since)| (&**self.here, reason, since));
        let (jurisdiction, reason, since) = everybody.or_else(own)?;
        Some(Hold { jurisdiction: jurisdiction.into(), reason, since })
    }

    /// Takes the notices of each mail that are all ready still. A Message-ID is given once: notices whose only mail bears one that is
    /// known are parked. Unless they are too many: then nothing leaves that no person has let go.
    pub fn compose(&mut self, mails: Vec<NewMail>, now: Instant, measure: Option<Measure>) -> Passed {
        let held = self.hold();
        let office = &mut **self;
        let hour = hour(now.timestamp_millis());
        let volume = measure.map(|_| office.hour(hour));
        if let Some(Hold { reason, .. }) = held {
            let keys: Vec<String> = mails.iter().flat_map(|mail| mail.notices.clone()).collect();
            office.park(&reason, |row| keys.contains(&row.notice.key));
        }
        let (mut whole, mut doubled, mut stored) = (Vec::new(), Vec::new(), Vec::new());
        let (mut known, mut used) = (BTreeSet::new(), BTreeSet::new());
        for mail in &mails {
            let ready = |key: &String| office.notices.get(key).is_some_and(|row| row.standing == Standing::Ready) && !used.contains(key);
            let free = !mail.notices.is_empty() && mail.notices.iter().all(ready);
            let anew = free && !office.mails.contains_key(&mail.id) && known.insert(mail.id.clone());
            if anew {
                used.extend(mail.notices.iter().cloned());
                let let_go = mail.notices.iter().all(|key| office.notices.get(key).is_some_and(is_released));
                whole.push((mail.clone(), let_go));
            } else if free {
                doubled.extend(mail.notices.iter().cloned());
            }
            stored.push(anew);
        }
        let mut excess = None;
        if let (Some(measure), Some(VolumeRow { mails: before, usual, .. })) = (measure, volume) {
            let anew = whole.iter().filter(|(_, let_go)| !let_go).count() as u64;
            let with_these = before + anew + if anew > 0 { office.mails_behind(&mails, now) } else { 0 };
            if anew > 0 && with_these > measure.most(usual) {
                let found = Excess { since: now, mails: with_these, usual, foreseen: measure.foreseen };
                office.hold.get_or_insert((found.reason(), now));
                office.park(&found.reason(), |_| true);
                excess = Some(found);
                whole.retain(|(_, let_go)| *let_go);
                let left: BTreeSet<&String> = whole.iter().map(|(mail, _)| &mail.id).collect();
                stored = mails.iter().zip(stored).map(|(mail, stored)| stored && left.contains(&mail.id)).collect();
            }
            let counted = if excess.is_some() { 0 } else { anew };
            if let Some(row) = office.volume.get_mut(&hour) {
                (row.mails, row.released) = (row.mails + counted, row.released + whole.len() as u64 - counted);
            }
        }
        let mut made = Vec::new();
        for (NewMail { id, person, address, bytes, notices, links }, _) in whole {
            made.extend(links);
            office.change(&notices, |_| true, |row| (row.standing, row.mail) = (Standing::Mailed, Some(id.clone())));
            let (status, attempts, fence, reply) = ("ready", 0, 0, None);
            let (next_try, created_at, first_try, ended_at) = (now, now, None, None);
            let row = MailRow { person, address, bytes, status, attempts, next_try, fence, reply, created_at, first_try, ended_at };
            office.mails.insert(id, row);
        }
        office.end_notices(&doubled, NoticeEnd::Parked, DOUBLED);
        made.iter().for_each(|link| self.make_link(link));
        Passed { stored, excess }
    }

    pub fn let_go_volume(&mut self, how: LetGo, reason: &str) -> u64 {
        self.hold = None;
        self.let_go_parked(VOLUME, how, reason)
    }

    pub fn let_go_parked(&mut self, why: &str, how: LetGo, reason: &str) -> u64 {
        let standing = self.hold();
        let mut changed = 0;
        let begins = |row: &NoticeRow| row.reason.as_ref().is_some_and(|reason| reason.starts_with(why));
        for row in self.notices.values_mut().filter(|row| row.standing == Standing::Parked && begins(row)) {
            (row.standing, row.reason) = match (how, &standing) {
                (LetGo::Send, Some(other)) => (Standing::Parked, Some(other.reason.clone())),
                (LetGo::Send, None) => (Standing::Ready, Some(RELEASED.into())),
                (LetGo::Cancel, _) => (Standing::Cancelled, Some(reason.into())),
            };
            changed += 1;
        }
        changed
    }
}

impl Office {
    /// The row of an hour, made when it is the first of it.
    fn hour(&mut self, hour: i64) -> VolumeRow {
        if !self.volume.contains_key(&hour) {
            let first = first_hour(hour);
            let past = self.volume.range(first..hour).map(|(_, row)| row.mails + row.released).collect();
            self.volume.insert(hour, VolumeRow { usual: usual(past), ..VolumeRow::default() });
            self.volume.retain(|hour, _| *hour >= first);
        }
        self.volume.get(&hour).copied().unwrap_or_default()
    }

    /// The mails that wait behind these and may leave now, too.
    fn mails_behind(&self, mails: &[NewMail], now: Instant) -> u64 {
        let these: BTreeSet<&String> = mails.iter().flat_map(|mail| &mail.notices).collect();
        let others = self.notices.values().filter(|row| {
            row.standing == Standing::Ready && row.not_before <= now && !is_released(row) && !these.contains(&row.notice.key)
        });
        let mail = |row: &NoticeRow| {
            (row.notice.person.clone(), if row.notice.bundle.is_empty() { &row.notice.key } else { &row.notice.bundle }.clone())
        };
        others.map(mail).collect::<BTreeSet<_>>().len() as u64
    }

    /// Parks what is ready, is meant, and was let go by no person.
    fn park(&mut self, reason: &str, meant: impl Fn(&NoticeRow) -> bool) {
        for row in self.notices.values_mut().filter(|row| row.standing == Standing::Ready && !is_released(row) && meant(row)) {
            (row.standing, row.reason) = (Standing::Parked, Some(reason.into()));
        }
    }
}

impl State {
    pub fn restored(&self) -> Option<Instant> {
        self.restored
    }

    /// What is held of single jurisdictions, the longest first.
    pub fn holds(&self, limit: u32) -> Vec<Hold> {
        let held = self.offices.iter().filter_map(|(here, office)| {
            let (reason, since) = office.hold.clone()?;
            Some(Hold { jurisdiction: here.to_string(), reason, since })
        });
        let mut holds: Vec<Hold> = held.collect();
        holds.sort_by(|a, b| (a.since, &a.jurisdiction).cmp(&(b.since, &b.jurisdiction)));
        holds.truncate(limit as usize);
        holds
    }
}
