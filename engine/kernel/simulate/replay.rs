//! A stretch of the past once more, under other rules: what people did then is done again at its moments, and the engine does what it
//! would have done. Held against what was: who was told of what, what was late, and what would have been refused.

use super::idle::{Course, Left, Living};
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::decide;
use crate::kernel::derive::{self, past};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Value;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use chrono::TimeDelta;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

/// One item, as it was and as it would have been.
#[derive(Clone, Debug, Serialize)]
pub struct Replayed {
    pub item: Name,
    /// Actions that were done again.
    pub commands: usize,
    pub refused: Vec<Refused>,
    /// Told then, and not under the other rules; and the other way round.
    pub no_longer_told: Vec<Mention>,
    pub newly_told: Vec<Mention>,
    /// How many were told of each notice: then, and under the other rules.
    pub told: BTreeMap<Name, (u64, u64)>,
    /// Late then, and not under the other rules; and the other way round; and both.
    pub no_longer_late: Vec<Late>,
    pub newly_late: Vec<Late>,
    pub late_both: Vec<Late>,
    /// The other rules failed at this moment, and nothing more is known.
    #[serde(skip)]
    pub stopped: Option<(Instant, Refusal)>,
}

/// Something that was done then and would have been refused.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    pub day: Date,
    pub action: Name,
    pub branch: Option<u32>,
    pub person: Name,
    #[serde(skip)]
    pub why: Refusal,
}

/// Somebody was told something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mention {
    pub day: Date,
    pub notice: Name,
    pub person: Name,
}

/// A deadline that was passed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Late {
    pub deadline: Name,
    pub branch: Option<u32>,
    pub due: Date,
}

/// The same stretch for every item: as it was under the rules in use, and a course under the others.
#[derive(Debug)]
pub struct Replay {
    was: Arc<Rules>,
    course: Course,
    begins: Instant,
    first: Date,
    last: Date,
}

impl Replay {
    /// From the beginning of one day to the end of another.
    pub fn new(was: Arc<Rules>, under: Arc<Rules>, first: Date, last: Date) -> Replay {
        let begins = start_of_day(first, under.setting.workflow.timezone);
        // A round at the very beginning of the first day belongs to it.
        let course = Course::new(under, begins - TimeDelta::milliseconds(1), last);
        Replay { was, course, begins, first, last }
    }

    pub fn left(&self) -> Left {
        self.course.left()
    }

    pub fn has_limits(&self) -> bool {
        self.course.has_limits()
    }

    /// One item; nothing when nothing happened to it then.
    pub fn item(&self, id: &str, facts: &[Fact], left: &mut Left) -> Result<Option<Replayed>, EvalError> {
        let facts = past::with_amendments(facts);
        let zone = self.was.setting.workflow.timezone;
        let before: Vec<Fact> = facts.iter().filter(|fact| fact.recorded_at < self.begins).cloned().collect();
        let within: Vec<&Fact> =
            facts.iter().filter(|fact| fact.recorded_at >= self.begins && day_of(fact.recorded_at, zone) <= self.last).collect();
        let until: Vec<Fact> = facts.iter().filter(|fact| day_of(fact.recorded_at, zone) <= self.last).cloned().collect();
        let Some(was) = derive::derive(&self.was, id, &until, self.last)? else { return Ok(None) };
        if within.is_empty() && was.ended {
            return Ok(None);
        }
        let under = &self.course.rules;
        let mut living = match derive::derive(under, id, &before, self.first)? {
            Some(item) => {
                let mut living = Living::new(&self.course, item);
                living.begin();
                Some(living)
            }
            None => None,
        };
        let mut out = Replayed {
            item: id.into(),
            commands: 0,
            refused: Vec::new(),
            no_longer_told: Vec::new(),
            newly_told: Vec::new(),
            told: BTreeMap::new(),
            no_longer_late: Vec::new(),
            newly_late: Vec::new(),
            late_both: Vec::new(),
            stopped: None,
        };
        for fact in &within {
            let (Cause::Command { id: command }, Some(person)) = (&fact.cause, &fact.actor.person) else { continue };
            out.commands += 1;
            let command = again(&self.was, &was, living.as_ref().map(|living| &*living.life.item), command, fact, person);
            let done = match &mut living {
                Some(living) => living.act(&command, fact.recorded_at, left),
                None => decide::act(under, None, &command, fact.recorded_at, &|_| 0).map(|accepted| {
                    living = Living::born(&self.course, accepted, fact.recorded_at);
                }),
            };
            if let Err(why) = done {
                let day = day_of(fact.recorded_at, zone);
                out.refused.push(Refused { day, action: command.action, branch: fact.branch, person: person.clone(), why });
            }
        }
        let told_then = mentions(within.iter().copied(), &self.was);
        let (would, told_now) = match living {
            Some(living) => {
                let life = living.finish(left);
                out.stopped = life.stopped;
                let told = mentions(life.facts.iter(), under);
                (Some(life.item), told)
            }
            None => (None, Vec::new()),
        };
        for (place, told) in [(0, &told_then), (1, &told_now)] {
            for mention in told {
                let counts = out.told.entry(mention.notice.clone()).or_default();
                if place == 0 { counts.0 += 1 } else { counts.1 += 1 }
            }
        }
        (out.no_longer_told, out.newly_told, _) = differences(told_then, told_now);
        let late_now = would.map(|would| self.late(under, &would)).transpose()?.unwrap_or_default();
        (out.no_longer_late, out.newly_late, out.late_both) = differences(self.late(&self.was, &was)?, late_now);
        Ok(Some(out))
    }

    /// Deadlines whose date lies in the stretch and was passed.
    fn late(&self, rules: &Rules, item: &Item) -> Result<Vec<Late>, EvalError> {
        let item = derive::settle(rules, item.clone(), self.last)?;
        let of_interest = |clock: &Arc<crate::kernel::model::item::Clock>| {
            let window = rules.setting.workflow.deadlines.get(&clock.deadline).is_none_or(|deadline| !deadline.closes.is_empty());
            let due = clock.due.as_ref().map(|due| due.date).filter(|due| !window && *due >= self.first && *due <= self.last)?;
            clock.is_late(self.last).then(|| Late { deadline: clock.deadline.clone(), branch: clock.branch, due })
        };
        let mut out: Vec<Late> = item.clocks.iter().filter_map(of_interest).collect();
        out.sort();
        Ok(out)
    }
}

/// The command that a fact came of, for the item as it stands under the other rules: branches are found by what they are about.
fn again(rules: &Rules, was: &Item, now: Option<&Item>, id: &Name, fact: &Fact, person: &Name) -> Command {
    let kind = fact.branch.and_then(|no| was.branch(no)).map(|branch| &*branch.kind);
    let actions = rules.setting.workflow.actions_of(kind);
    let action = actions.into_iter().flatten().find(|(_, action)| action.records_as == fact.name).map(|(name, _)| name.clone());
    // A consent that was not the last has a name of its own.
    let consent = || fact.name.strip_suffix(".consented").map(|request| Name::from(format!("{request}.approve")));
    Command {
        id: id.clone(),
        item: was.id.clone(),
        branch: fact.branch.map(|no| BranchAddress::No(same_branch(was, now, no).unwrap_or(no))),
        action: action.or_else(consent).unwrap_or_else(|| fact.name.clone()),
        input: fact.input.clone(),
        by: person.clone(),
        via: None,
        effective_on: Some(fact.effective_on),
        seen_rev: None,
    }
}

/// The branch of the same kind, unit or person, and place among those.
fn same_branch(was: &Item, now: Option<&Item>, no: u32) -> Option<u32> {
    let about = |branch: &crate::kernel::model::item::Branch| -> (Name, Option<Value>) {
        let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field)).cloned();
        (branch.kind.clone(), which)
    };
    let meant = about(was.branch(no)?);
    let place = was.branches.iter().filter(|branch| about(branch) == meant).position(|branch| branch.no == no)?;
    now?.branches.iter().filter(|branch| about(branch) == meant).nth(place).map(|branch| branch.no)
}

fn mentions<'f>(facts: impl Iterator<Item = &'f Fact>, rules: &Rules) -> Vec<Mention> {
    let zone = rules.setting.workflow.timezone;
    let mut out: Vec<Mention> = Vec::new();
    for fact in facts {
        let day = day_of(fact.recorded_at, zone);
        for (notice, persons) in &fact.told {
            let told = persons.iter().filter(|person| !person.is_empty());
            out.extend(told.map(|person| Mention { day, notice: notice.clone(), person: person.clone() }));
        }
    }
    out.sort();
    out
}

/// What stands only in the first of two sorted lists, only in the second, and in both; doubles count.
fn differences<T: Ord>(first: Vec<T>, second: Vec<T>) -> (Vec<T>, Vec<T>, Vec<T>) {
    let (mut only_first, mut only_second, mut both) = (Vec::new(), Vec::new(), Vec::new());
    let (mut first, mut second) = (first.into_iter().peekable(), second.into_iter().peekable());
    loop {
        match (first.peek(), second.peek()) {
            (Some(a), Some(b)) if a == b => {
                both.extend(first.next());
                second.next();
            }
            (Some(a), Some(b)) if a < b => only_first.extend(first.next()),
            (Some(_), None) => only_first.extend(first.next()),
            (_, Some(_)) => only_second.extend(second.next()),
            (None, None) => return (only_first, only_second, both),
        }
    }
}
