//! One item from a moment to a day while nobody does anything: what the engine records, whom it tells and when, which flags change.
//!
//! Nothing is worded and nothing is kept. Many such lives together, and the mails that their notices make, are `forecast`'s.

use crate::kernel::calendar::cron::Cron;
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::decide::{self, mailing, mailing::NotOwed};
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Accepted, Notice, Refusal, RefusalCode};
use crate::kernel::model::definition::{Flag, NoticeKind};
use crate::kernel::model::fact::{Cause, Fact, RungKey};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use std::sync::Arc;

/// A moment works an item so often at most; more means that its rules wake it without end.
const MOST_WAKES: usize = 50;

/// A stretch of time under one workflow: what is the same for every item in it.
#[derive(Debug)]
pub struct Course {
    pub rules: Arc<Rules>,
    /// The moment at which it begins.
    pub from: Instant,
    /// Its last day.
    pub until: Date,
    /// The first moment after it.
    end: Instant,
    /// The slots of all sweeps that lie in it, in order.
    slots: Vec<SlotOf>,
}

#[derive(Debug)]
struct SlotOf {
    sweep: Name,
    /// Its local civil minute.
    name: String,
    at: Instant,
    on: Date,
    limit: Option<u32>,
}

/// How many items each slot may still take, where its sweep sets a limit. Items are asked in the order of their ids, as in an office.
#[derive(Clone, Debug)]
pub struct Left(Vec<u32>);

/// What became of an item that nobody touched.
#[derive(Clone, Debug)]
pub struct Life {
    /// As it stands at the end.
    pub item: Arc<Item>,
    /// What the engine recorded, in order.
    pub facts: Vec<Fact>,
    /// Whom it told, in the order in which the notices would leave.
    pub told: Vec<Told>,
    pub flags: Vec<FlagChange>,
    /// Its rules failed at this moment: an office would set it aside, and nothing more is known of it.
    pub stopped: Option<(Instant, Refusal)>,
}

/// One notice to one person.
#[derive(Clone, Debug, PartialEq)]
pub struct Told {
    /// Unique per cause and person, as in the outbox.
    pub key: String,
    pub item: Name,
    pub notice: Name,
    pub kind: NoticeKind,
    /// Empty when nobody holds the role.
    pub person: Name,
    pub role: Name,
    /// It is a copy of what others get.
    pub copy: bool,
    pub branch: Option<u32>,
    /// Notices of one person with the same bundle, leaving at the same moment, are one mail; an empty one is a mail of its own.
    pub bundle: String,
    /// The rung behind it.
    pub rung: Option<RungKey>,
    /// The line of the rules that told it, to be found in `rules.places`; empty for what had been told before.
    pub rule: Name,
    pub at: Instant,
    pub day: Date,
    pub fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It leaves at `at`.
    Leaves,
    /// It would have left at `at`, but was no longer owed.
    NotOwed(NotOwed),
    /// It waits for a person, such as `nobody`.
    Parked(Name),
}

/// The item's worst flag became another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlagChange {
    pub at: Instant,
    pub day: Date,
    pub from: Option<Flag>,
    pub to: Option<Flag>,
    /// The rung that raised it.
    pub rung: Option<RungKey>,
}

/// The life of one item from a moment to the end of a day.
pub fn idle(rules: &Arc<Rules>, item: &Arc<Item>, from: Instant, until: Date) -> Life {
    let course = Course::new(rules.clone(), from, until);
    course.life(item, &[], &mut course.left())
}

impl Course {
    pub fn new(rules: Arc<Rules>, from: Instant, until: Date) -> Course {
        let workflow = &rules.setting.workflow;
        let zone = workflow.timezone;
        let end = until.succ_opt().map_or(Instant::MAX_UTC, |next| start_of_day(next, zone));
        let mut slots = Vec::new();
        for (name, sweep) in &workflow.sweeps {
            // A rule set in use has been checked: its schedules can be read.
            let Ok(cron) = Cron::parse(&sweep.cron) else { continue };
            let found = cron.slots(zone, from, end, usize::MAX).into_iter().filter(|slot| slot.at < end);
            let of = |slot: crate::kernel::calendar::cron::Slot| SlotOf {
                sweep: name.clone(),
                on: day_of(slot.at, zone),
                name: slot.name,
                at: slot.at,
                limit: sweep.limit,
            };
            slots.extend(found.map(of));
        }
        slots.sort_by_key(|slot| slot.at);
        Course { rules, from, until, end, slots }
    }

    /// Without the sweeps: rungs only.
    pub fn without_sweeps(mut self) -> Course {
        self.slots.clear();
        self
    }

    /// Some sweep takes so many items at most, so that the order of the items matters.
    pub fn has_limits(&self) -> bool {
        self.slots.iter().any(|slot| slot.limit.is_some())
    }

    pub fn left(&self) -> Left {
        Left(self.slots.iter().map(|slot| slot.limit.unwrap_or(u32::MAX)).collect())
    }

    /// The life of one item; `waiting` is what was told of it before and has not left.
    pub fn life(&self, item: &Arc<Item>, waiting: &[Notice], left: &mut Left) -> Life {
        let mut living = Living::new(self, item.clone());
        living.line_up(waiting, None);
        living.begin();
        living.run(self.end, left);
        living.life
    }
}

/// A life under way.
pub(super) struct Living<'c> {
    course: &'c Course,
    now: Instant,
    wake_at: Option<Instant>,
    next_slot: usize,
    /// Told, and not left: with the rule that told it.
    waiting: Vec<(Notice, Name, Option<RungKey>)>,
    pub(super) life: Life,
}

impl<'c> Living<'c> {
    pub(super) fn new(course: &'c Course, item: Arc<Item>) -> Living<'c> {
        let life = Life { item, facts: Vec::new(), told: Vec::new(), flags: Vec::new(), stopped: None };
        Living { course, now: course.from, wake_at: None, next_slot: 0, waiting: Vec::new(), life }
    }

    /// A life that begins later than its course: the rounds before it did not concern it.
    pub(super) fn born(course: &'c Course, accepted: Accepted, now: Instant) -> Option<Living<'c>> {
        let mut living = Living::new(course, accepted.item.clone()?);
        living.now = now;
        living.next_slot = course.slots.iter().take_while(|slot| slot.at <= now).count();
        living.keep(accepted);
        Some(living)
    }

    /// Somebody acts at a moment; what the engine owes before it comes first.
    pub(super) fn act(&mut self, command: &Command, now: Instant, left: &mut Left) -> Result<(), Refusal> {
        self.run(now, left);
        self.now = self.now.max(now);
        self.wake();
        let item = self.settled()?;
        let accepted = decide::act(&self.course.rules, Some(&item), command, self.now, &|_| 0)?;
        self.keep(accepted);
        self.send();
        Ok(())
    }

    /// Nobody does anything any more until the course ends.
    pub(super) fn finish(mut self, left: &mut Left) -> Life {
        self.run(self.course.end, left);
        self.life
    }

    fn today(&self) -> Date {
        day_of(self.now, self.course.rules.setting.workflow.timezone)
    }

    pub(super) fn begin(&mut self) {
        match self.settled() {
            Ok(item) => {
                self.wake_at = decide::wake_up(&item);
                self.life.item = item;
            }
            Err(refusal) => self.stop(refusal),
        }
    }

    /// Everything that comes before a moment.
    fn run(&mut self, end: Instant, left: &mut Left) {
        let end = end.min(self.course.end);
        loop {
            let slot = self.course.slots.get(self.next_slot).map(|slot| slot.at);
            let mail = self.waiting.iter().map(|(notice, ..)| notice.not_before).min();
            let Some(next) = [self.wake_at, slot, mail].into_iter().flatten().min().map(|at| at.max(self.now)) else { return };
            if next >= end {
                return;
            }
            self.now = next;
            self.wake();
            while let Some(slot) = self.course.slots.get(self.next_slot).filter(|slot| slot.at <= self.now) {
                let next_slot = self.next_slot;
                self.next_slot += 1;
                self.sweep(slot, &mut left.0[next_slot]);
            }
            self.send();
            if (self.life.item.is_over() || self.life.stopped.is_some()) && self.waiting.is_empty() && self.wake_at.is_none() {
                return;
            }
        }
    }

    /// The item as it stands today.
    fn settled(&self) -> Result<Arc<Item>, Refusal> {
        let today = self.today();
        if self.life.item.today == today {
            return Ok(self.life.item.clone());
        }
        Ok(derive::settle(&self.course.rules, (*self.life.item).clone(), today)?)
    }

    fn wake(&mut self) {
        for _ in 0..MOST_WAKES {
            if !self.wake_at.is_some_and(|at| at <= self.now) {
                return;
            }
            match self.settled().and_then(|item| decide::foresee(&self.course.rules, &item, self.now)) {
                Ok(accepted) => self.keep(accepted),
                Err(refusal) => return self.stop(refusal),
            }
        }
        let (item, at) = (self.life.item.id.clone(), self.now.to_rfc3339());
        self.stop(decide::refusal(RefusalCode::OwesNothing, &[("item", &item), ("at", &at)]));
    }

    fn sweep(&mut self, slot: &SlotOf, left: &mut u32) {
        if self.life.item.is_over() || *left == 0 || self.life.stopped.is_some() {
            return;
        }
        let rules = &self.course.rules;
        match self.settled().and_then(|item| decide::foresee_sweep(rules, &item, &slot.sweep, &slot.name, slot.on, self.now)) {
            Ok(accepted) if accepted.facts.is_empty() => {}
            Ok(accepted) => {
                *left -= 1;
                self.keep(accepted);
            }
            Err(refusal) => self.stop(refusal),
        }
    }

    fn keep(&mut self, accepted: Accepted) {
        let Some(item) = accepted.item else { return };
        let before = self.life.item.flag;
        self.wake_at = decide::wake_up(&item);
        if item.flag != before {
            let raised = accepted.facts.iter().rev().find_map(|fact| match &fact.cause {
                Cause::Rung { key, flag, .. } if item.flag.is_some() && *flag == item.flag => Some(key.clone()),
                _ => None,
            });
            self.life.flags.push(FlagChange { at: self.now, day: self.today(), from: before, to: item.flag, rung: raised });
        }
        self.life.item = item;
        let notices = accepted.notices;
        self.line_up(&notices, Some(&accepted.facts));
        self.life.facts.extend(accepted.facts);
    }

    /// Puts notices beside those that wait to leave; those that cannot be mailed at all are told of at once.
    fn line_up(&mut self, notices: &[Notice], facts: Option<&[Fact]>) {
        for notice in notices {
            let fact = facts.and_then(|facts| facts.iter().find(|fact| fact.seq == notice.seq));
            let (rule, rung) = fact.map_or_else(|| (Name::from(""), None), |fact| self.rule_of(fact));
            match &notice.parked {
                Some(why) => {
                    let told = self.told(notice, rule, rung, Fate::Parked(why.clone()));
                    self.life.told.push(told);
                }
                None => self.waiting.push((notice.clone(), rule, rung)),
            }
        }
    }

    /// The path of the rule by which the engine told something with a fact.
    fn rule_of(&self, fact: &Fact) -> (Name, Option<RungKey>) {
        let rung = match &fact.cause {
            Cause::Rung { key, .. } => Some(key.clone()),
            _ => None,
        };
        (decide::rule_of(&self.course.rules, Some(&self.life.item), fact), rung)
    }

    fn send(&mut self) {
        if self.waiting.iter().all(|(notice, ..)| notice.not_before > self.now) {
            return;
        }
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|(notice, ..)| notice.not_before <= self.now);
        self.waiting = later;
        for (notice, rule, rung) in due {
            let fate = match mailing::owed(&notice, &self.life.item, self.today()) {
                Ok(()) => Fate::Leaves,
                Err(why) => Fate::NotOwed(why),
            };
            let told = self.told(&notice, rule, rung, fate);
            self.life.told.push(told);
        }
    }

    fn told(&self, notice: &Notice, rule: Name, rung: Option<RungKey>, fate: Fate) -> Told {
        Told {
            key: notice.key.clone(),
            item: notice.item.clone(),
            notice: notice.notice.clone(),
            kind: notice.kind,
            person: notice.person.clone(),
            role: notice.role.clone(),
            copy: !notice.copy_of.is_empty(),
            branch: notice.branch,
            bundle: notice.bundle.clone(),
            rung,
            rule,
            at: self.now,
            day: self.today(),
            fate,
        }
    }

    fn stop(&mut self, refusal: Refusal) {
        self.wake_at = None;
        self.life.stopped.get_or_insert((self.now, refusal));
    }
}
