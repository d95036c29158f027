//! A whole office in which nobody does anything: the lives of its items laid together, the mails that their notices make, whose they are
//! on which day, and what turns red when.
//!
//! A notice costs a few numbers here, so that a hundred thousand items fit: names are kept once. What one item does is `idle`'s.

use super::idle::{Fate, FlagChange, Life, Told};
use crate::kernel::decide::mailing::NotOwed;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::definition::{Flag, NoticeKind};
use crate::kernel::model::fact::RungKey;
use crate::kernel::time::{Date, Instant};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Why somebody is told: the same for many notices.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reason {
    pub workflow: Name,
    pub notice: Name,
    pub kind: NoticeKind,
    pub role: Name,
    /// The line of the rules; empty for what had been told before.
    pub rule: Name,
    /// Deadline and rung.
    pub rung: Option<(Name, Name)>,
    /// It is a copy of what others get.
    pub copy: bool,
}

/// Lives gathered one by one, in the order of their items.
#[derive(Debug, Default)]
pub struct Gathering {
    texts: HashMap<Name, u32>,
    names: Vec<Name>,
    reasons: HashMap<Reason, u32>,
    rows: Vec<Row>,
    reds: Vec<Red>,
    stopped: Vec<Stopped>,
    not_owed: BTreeMap<&'static str, u64>,
    parked: BTreeMap<Name, u64>,
    items: u64,
    facts: u64,
}

/// A notice that leaves, in numbers: names stand in `Gathering::names`, reasons in their list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    at: i64,
    person: u32,
    /// 0 is a mail of its own.
    bundle: u32,
    item: u32,
    reason: u32,
    branch: u32,
}

/// An item whose flag becomes red.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Red {
    pub workflow: Name,
    pub item: Name,
    pub day: Date,
    /// The rung that raised it.
    pub rung: Option<RungKey>,
}

/// An item that could be carried no further.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopped {
    pub item: Name,
    pub at: Instant,
    pub why: Fault,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Its rules failed.
    Rules(Refusal),
    /// It could not even be read.
    Reading(String),
}

/// What an office would send.
#[derive(Debug)]
pub struct Forecast {
    names: Vec<Name>,
    reasons: Vec<Reason>,
    /// In the order in which they leave; those of one mail stand together.
    rows: Vec<Row>,
    /// Where each mail begins in `rows`, with the end behind the last.
    mails: Vec<u32>,
    /// What turns red, in the order of the days.
    pub reds: Vec<Red>,
    pub stopped: Vec<Stopped>,
    /// Notices that were no longer owed when they would have left, by why.
    pub not_owed: BTreeMap<&'static str, u64>,
    /// Notices that wait for a person, by why.
    pub parked: BTreeMap<Name, u64>,
    /// Items that were looked at.
    pub items: u64,
    /// What the engine would record.
    pub facts: u64,
    zone: chrono_tz::Tz,
}

/// One mail to one person.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'f> {
    forecast: &'f Forecast,
    rows: &'f [Row],
}

/// One notice in a mail.
#[derive(Clone, Copy, Debug)]
pub struct Carried<'f> {
    pub item: &'f Name,
    pub branch: Option<u32>,
    pub reason: &'f Reason,
}

/// A day on which mails leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayLoad {
    pub day: Date,
    pub mails: u64,
    pub notices: u64,
    /// Notices of each kind.
    pub messages: u64,
    pub reminders: u64,
    pub escalations: u64,
    /// Persons who get a mail.
    pub persons: u64,
    /// Who gets most of them.
    pub busiest: (Name, u64),
}

/// What one person gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonLoad {
    pub person: Name,
    pub mails: u64,
    pub notices: u64,
    /// The first day with most of them.
    pub busiest: (Date, u64),
}

impl Gathering {
    /// Adds what became of one item of a workflow.
    pub fn add(&mut self, workflow: &Name, life: &Life) {
        self.items += 1;
        self.facts += life.facts.len() as u64;
        for told in &life.told {
            match &told.fate {
                Fate::Leaves => self.leaves(workflow, told),
                Fate::NotOwed(why) => *self.not_owed.entry(NotOwed::word(*why)).or_default() += 1,
                Fate::Parked(why) => *self.parked.entry(why.clone()).or_default() += 1,
            }
        }
        let red = |change: &&FlagChange| change.to == Some(Flag::Red);
        let reds = life.flags.iter().filter(red);
        self.reds.extend(reds.map(|change| Red {
            workflow: workflow.clone(),
            item: life.item.id.clone(),
            day: change.day,
            rung: change.rung.clone(),
        }));
        self.stopped.extend(life.stopped.clone().map(|(at, why)| Stopped { item: life.item.id.clone(), at, why: Fault::Rules(why) }));
    }

    /// Notes an item of which nothing can be said.
    pub fn fails(&mut self, item: &str, at: Instant, what: String) {
        self.items += 1;
        self.stopped.push(Stopped { item: item.into(), at, why: Fault::Reading(what) });
    }

    fn leaves(&mut self, workflow: &Name, told: &Told) {
        let reason = Reason {
            workflow: workflow.clone(),
            notice: told.notice.clone(),
            kind: told.kind,
            role: told.role.clone(),
            rule: told.rule.clone(),
            rung: told.rung.as_ref().map(|key| (key.deadline.clone(), key.rung.clone())),
            copy: told.copy,
        };
        let known = self.reasons.len() as u32;
        let reason = *self.reasons.entry(reason).or_insert(known);
        let bundle = if told.bundle.is_empty() { 0 } else { self.number(&told.bundle.as_str().into()) + 1 };
        let row = Row {
            at: told.at.timestamp_millis(),
            person: self.number(&told.person),
            bundle,
            item: self.number(&told.item),
            reason,
            branch: told.branch.unwrap_or(0),
        };
        self.rows.push(row);
    }

    fn number(&mut self, name: &Name) -> u32 {
        if let Some(number) = self.texts.get(name) {
            return *number;
        }
        let number = self.names.len() as u32;
        self.names.push(name.clone());
        self.texts.insert(name.clone(), number);
        number
    }

    /// The mails that all these notices make, as the mailer would put them together; days are those of a zone.
    pub fn finish(self, zone: chrono_tz::Tz) -> Forecast {
        let Gathering { names, reasons, mut rows, mut reds, stopped, not_owed, parked, items, facts, .. } = self;
        rows.sort_unstable();
        let mut mails = Vec::new();
        for (place, row) in rows.iter().enumerate() {
            let before = place.checked_sub(1).map(|before| rows[before]);
            let same = before
                .is_some_and(|before| row.bundle > 0 && (before.at, before.person, before.bundle) == (row.at, row.person, row.bundle));
            if !same {
                mails.push(place as u32);
            }
        }
        mails.push(rows.len() as u32);
        reds.sort_by(|a, b| (a.day, &a.item).cmp(&(b.day, &b.item)));
        let mut listed: Vec<(Reason, u32)> = reasons.into_iter().collect();
        listed.sort_by_key(|(_, number)| *number);
        let reasons = listed.into_iter().map(|(reason, _)| reason).collect();
        Forecast { names, reasons, rows, mails, reds, stopped, not_owed, parked, items, facts, zone }
    }
}

impl Forecast {
    /// Every mail, in the order in which they leave.
    pub fn mails(&self) -> impl Iterator<Item = Mail<'_>> {
        self.mails.windows(2).map(|ends| Mail { forecast: self, rows: &self.rows[ends[0] as usize..ends[1] as usize] })
    }

    pub fn count_mails(&self) -> u64 {
        self.mails.len().saturating_sub(1) as u64
    }

    pub fn count_notices(&self) -> u64 {
        self.rows.len() as u64
    }

    /// Each day on which something leaves.
    pub fn days(&self) -> Vec<DayLoad> {
        let mut out: Vec<DayLoad> = Vec::new();
        let mut persons: HashMap<&Name, u64> = HashMap::new();
        let close = |day: Option<&mut DayLoad>, persons: &mut HashMap<&Name, u64>| {
            if let Some(day) = day {
                day.persons = persons.len() as u64;
                let busiest = persons.iter().max_by(|a, b| a.1.cmp(b.1).then_with(|| b.0.cmp(a.0)));
                day.busiest = busiest.map(|(person, mails)| ((*person).clone(), *mails)).unwrap_or_else(|| ("".into(), 0));
                persons.clear();
            }
        };
        for mail in self.mails() {
            let day = mail.day();
            if out.last().is_none_or(|last| last.day != day) {
                close(out.last_mut(), &mut persons);
                let busiest = ("".into(), 0);
                out.push(DayLoad { day, mails: 0, notices: 0, messages: 0, reminders: 0, escalations: 0, persons: 0, busiest });
            }
            let Some(load) = out.last_mut() else { continue };
            load.mails += 1;
            *persons.entry(mail.person()).or_default() += 1;
            for carried in mail.notices() {
                load.notices += 1;
                match carried.reason.kind {
                    NoticeKind::Message => load.messages += 1,
                    NoticeKind::Reminder => load.reminders += 1,
                    NoticeKind::Escalation => load.escalations += 1,
                }
            }
        }
        close(out.last_mut(), &mut persons);
        out
    }

    /// Everybody who gets something, those with most mails first.
    pub fn persons(&self) -> Vec<PersonLoad> {
        let mut per_day: BTreeMap<(&Name, Date), u64> = BTreeMap::new();
        let mut notices: HashMap<&Name, u64> = HashMap::new();
        for mail in self.mails() {
            *per_day.entry((mail.person(), mail.day())).or_default() += 1;
            *notices.entry(mail.person()).or_default() += mail.rows.len() as u64;
        }
        let mut out: Vec<PersonLoad> = Vec::new();
        for ((person, day), mails) in per_day {
            if out.last().is_none_or(|last| last.person != *person) {
                let notices = notices.get(person).copied().unwrap_or(0);
                out.push(PersonLoad { person: person.clone(), mails: 0, notices, busiest: (day, 0) });
            }
            let Some(load) = out.last_mut() else { continue };
            load.mails += mails;
            if mails > load.busiest.1 {
                load.busiest = (day, mails);
            }
        }
        out.sort_by(|a, b| b.mails.cmp(&a.mails).then_with(|| a.person.cmp(&b.person)));
        out
    }

    /// Notices of each kind.
    pub fn by_kind(&self) -> BTreeMap<NoticeKind, u64> {
        let mut out = BTreeMap::new();
        for row in &self.rows {
            *out.entry(self.reasons[row.reason as usize].kind).or_default() += 1;
        }
        out
    }

    /// The items that turn red at some time, each once.
    pub fn count_reds(&self) -> u64 {
        self.reds.iter().map(|red| &red.item).collect::<HashSet<_>>().len() as u64
    }
}

impl<'f> Mail<'f> {
    pub fn at(&self) -> Instant {
        self.rows.first().and_then(|row| chrono::DateTime::from_timestamp_millis(row.at)).unwrap_or_default()
    }

    pub fn day(&self) -> Date {
        crate::kernel::calendar::window::day_of(self.at(), self.forecast.zone)
    }

    pub fn person(&self) -> &'f Name {
        // A mail has a first notice.
        &self.forecast.names[self.rows[0].person as usize]
    }

    pub fn notices(&self) -> impl Iterator<Item = Carried<'f>> + use<'f> {
        let forecast = self.forecast;
        self.rows.iter().map(move |row| Carried {
            item: &forecast.names[row.item as usize],
            branch: (row.branch > 0).then_some(row.branch),
            reason: &forecast.reasons[row.reason as usize],
        })
    }
}
