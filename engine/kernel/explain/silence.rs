//! Why somebody got no mail about an item: every rung and every notice that could have told them, each with the reason why it did not,
//! or has not yet.
//!
//! What became of a recorded notice is known by the outbox; its rows are given.

use super::due::branch_title;
use super::values::{Seen, seen};
use crate::kernel::calendar::window::{day_of, next_opening};
use crate::kernel::decide::capture;
use crate::kernel::derive::{rungs, view};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{self, Deadline, Rung};
use crate::kernel::model::fact::{Cause, Fact, RungKey};
use crate::kernel::model::item::{Clock, ClockEndHow, Item};
use crate::kernel::model::problem::Place;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use serde::Serialize;
use std::sync::Arc;

/// A notice as the outbox has it.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub key: String,
    pub seq: u64,
    pub notice: Name,
    pub person: Name,
    pub not_before: Instant,
    /// `ready`, `mailed`, `cancelled` or `parked`; that of its mail where it is in one.
    pub status: Name,
    pub reason: Option<String>,
    pub mail: Option<String>,
    pub ended_at: Option<Instant>,
}

/// Who asks about whom, and since when.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub person: &'a Name,
    /// Nothing before this day is looked at.
    pub since: Date,
    pub now: Instant,
}

/// One thing that could have been told, and what stood in its way.
#[derive(Clone, Debug, Serialize)]
pub struct Silent {
    pub notice: Name,
    pub title: String,
    /// The deadline and the rung that tell it; none for what an action or a sweep tells.
    pub deadline: Option<String>,
    pub rung: Option<Name>,
    pub branch: Option<String>,
    /// Its day, as far as there is one.
    pub day: Option<Date>,
    #[serde(flatten)]
    pub why: Why,
    pub place: Option<Place>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum Why {
    /// It left, or lies in the outbox: what became of it.
    Told {
        key: String,
        status: Name,
        reason: Option<String>,
        mail: Option<String>,
        at: Option<Instant>,
        not_before: Instant,
    },
    /// It does not go to this person: to whom it does.
    NotAddressed {
        to: Vec<String>,
        roles: Vec<String>,
    },
    /// Its day has not come; the mail leaves on this one.
    NotYet {
        leaves_on: Date,
    },
    /// A later one took its place, or the due day came before it.
    Superseded {
        on: Date,
    },
    /// Its condition did not hold, or does not now.
    Condition {
        source: Name,
        held: Option<bool>,
        on: Option<Date>,
        seen: Vec<Seen>,
    },
    Paused,
    /// The deadline's rungs are held in this state.
    Quiet,
    /// The deadline ended before it.
    Ended {
        on: Date,
        how: ClockEndHow,
    },
    /// It would have come before the deadline began.
    BeforeStart,
    /// It comes no more often.
    Exhausted,
    /// The deadline has not begun: what begins it.
    NotStarted {
        starts_on: Vec<String>,
    },
    /// The deadline has no date yet.
    NoDate,
}

/// Everything that could have told the person about the item since a day; what goes to them comes first.
pub fn explain(rules: &Rules, item: &Arc<Item>, facts: &[Fact], outbox: &[Recorded], question: Question) -> Result<Vec<Silent>, EvalError> {
    let mut asking = Asking { rules, item, facts, outbox, question, out: Vec::new() };
    for (name, deadline) in &rules.setting.workflow.deadlines {
        asking.deadline(name, deadline)?;
    }
    asking.messages()?;
    let mut out = asking.out;
    out.sort_by_key(|silent| (matches!(silent.why, Why::NotAddressed { .. }), silent.day.is_none(), silent.day));
    Ok(out)
}

struct Asking<'a> {
    rules: &'a Rules,
    item: &'a Arc<Item>,
    facts: &'a [Fact],
    outbox: &'a [Recorded],
    question: Question<'a>,
    out: Vec<Silent>,
}

impl Asking<'_> {
    fn deadline(&mut self, name: &Name, deadline: &Deadline) -> Result<(), EvalError> {
        let item = self.item.clone();
        let clocks: Vec<&Arc<Clock>> = item.clocks.iter().filter(|clock| clock.deadline == *name).collect();
        if clocks.is_empty() {
            return self.not_started(deadline);
        }
        for clock in clocks {
            // What ended before was never to be told then.
            if clock.end.as_ref().is_some_and(|end| end.on < self.question.since) {
                continue;
            }
            for (index, rung) in deadline.ladder.iter().enumerate() {
                for notice in &rung.tell {
                    self.rung(clock, deadline, index, rung, notice)?;
                }
            }
        }
        Ok(())
    }

    fn not_started(&mut self, deadline: &Deadline) -> Result<(), EvalError> {
        let starts = if deadline.starts_on.is_empty() { &deadline.runs_in } else { &deadline.starts_on };
        let starts_on: Vec<String> = starts.iter().map(|name| super::due::name_of(self.rules, name)).collect();
        for rung in &deadline.ladder {
            for notice in &rung.tell {
                let Some(declared) = self.rules.setting.workflow.notices.get(notice) else { continue };
                // On a branch that is not there nobody can be found.
                if deadline.branch.is_some() || !self.goes_to(declared, None)? {
                    continue;
                }
                let why = Why::NotStarted { starts_on: starts_on.clone() };
                self.add(notice, Some((deadline, None, rung)), None, why);
            }
        }
        Ok(())
    }

    fn rung(&mut self, clock: &Clock, deadline: &Deadline, index: usize, rung: &Rung, notice: &Name) -> Result<(), EvalError> {
        let since = self.question.since;
        let Some(declared) = self.rules.setting.workflow.notices.get(notice) else { return Ok(()) };
        let goes = self.goes_to(declared, clock.branch)?;
        let of = Some((deadline, Some(clock), rung));
        let mut told_before = 0;
        for fired in clock.fired.iter().filter(|fired| fired.rung == rung.rung) {
            told_before = told_before.max(fired.occurrence);
            if fired.on < since {
                continue;
            }
            let key = RungKey {
                deadline: clock.deadline.clone(),
                branch: clock.branch,
                cycle: clock.cycle,
                rung: rung.rung.clone(),
                occurrence: fired.occurrence,
            };
            let why = match fired.skipped.as_deref() {
                _ if !goes && self.recorded(&key, notice).is_none() => self.not_addressed(declared, clock.branch)?,
                Some("when") => self.condition(rung, clock.branch, Some(false), Some(fired.on)),
                Some(_) => Why::Superseded { on: fired.on },
                None => match self.recorded(&key, notice) {
                    Some(recorded) => told(recorded),
                    // It was told to those who held the role then.
                    None => self.told_others(&key, notice),
                },
            };
            self.add(notice, of, Some(fired.on), why);
        }
        if !goes {
            let known = self.out.iter().any(|silent| silent.rung.as_ref() == Some(&rung.rung) && silent.notice == *notice);
            if !known {
                let why = self.not_addressed(declared, clock.branch)?;
                self.add(notice, of, None, why);
            }
            return Ok(());
        }
        if let Some(end) = &clock.end {
            let unfired = clock.fired.iter().all(|fired| fired.rung != rung.rung);
            let why = Why::Ended { on: end.on, how: end.how };
            // A cycle that another took the place of goes on in that one.
            if unfired && end.how != ClockEndHow::Replaced {
                self.add(notice, of, None, why);
            }
            return Ok(());
        }
        let Some(due) = clock.due.as_deref() else {
            self.add(notice, of, None, Why::NoDate);
            return Ok(());
        };
        let next = rungs::occurrence(self.rules, clock, due, rung, index, told_before + 1);
        let (day, why) = match next {
            None if told_before > 0
                && matches!(rung.at, definition::RungAt::Before(_) | definition::RungAt::OnTheDay | definition::RungAt::After(_)) =>
            {
                return Ok(());
            }
            None if told_before > 0 => (None, Why::Exhausted),
            None => (None, Why::BeforeStart),
            Some(next) if clock.paused => (Some(next.day), Why::Paused),
            Some(next) if clock.quiet => (Some(next.day), Why::Quiet),
            Some(next) if next.phase == rungs::Phase::Before && self.item.today >= due.date => {
                (Some(next.day), Why::Superseded { on: due.date })
            }
            Some(next) => {
                let holds = match &rung.when {
                    Some(when) => self.rules.scripts.holds(when, &view(self.rules, self.item, clock.branch))?,
                    None => true,
                };
                let setting = &self.rules.setting;
                let zone = setting.workflow.timezone;
                let leaves = next_opening(setting.workflow.send_window, &setting.calendar, zone, next.moment.max(self.question.now));
                let why = match holds {
                    true => Why::NotYet { leaves_on: day_of(leaves, zone) },
                    false => self.condition(rung, clock.branch, Some(false), None),
                };
                (Some(next.day), why)
            }
        };
        self.add(notice, of, day, why);
        Ok(())
    }

    /// What actions and sweeps told since the day.
    fn messages(&mut self) -> Result<(), EvalError> {
        let (facts, since) = (self.facts, self.question.since);
        for fact in facts.iter().filter(|fact| fact.effective_on >= since && !matches!(fact.cause, Cause::Rung { .. })) {
            for (notice, persons) in &fact.told {
                let mine =
                    self.outbox.iter().find(|row| row.seq == fact.seq && row.notice == *notice && row.person == *self.question.person);
                let to = persons.iter().map(|person| capture::title(self.rules, person)).collect();
                let why = mine.map_or(Why::NotAddressed { to, roles: self.roles_of(notice) }, told);
                self.add(notice, None, Some(fact.effective_on), why);
            }
        }
        Ok(())
    }

    fn recorded(&self, key: &RungKey, notice: &Name) -> Option<&Recorded> {
        let cause = format!("{}/{}", self.item.id, key.text());
        self.outbox.iter().find(|row| {
            let of_rung = row.key.strip_prefix(&cause).is_some_and(|rest| rest.starts_with(['/', '@']));
            of_rung && row.notice == *notice && row.person == *self.question.person
        })
    }

    fn told_others(&self, key: &RungKey, notice: &Name) -> Why {
        let fact = self.facts.iter().find(|fact| matches!(&fact.cause, Cause::Rung { key: other, .. } if other == key));
        let persons = fact.and_then(|fact| fact.told.iter().find(|(name, _)| name == notice)).map(|(_, persons)| persons.as_slice());
        let to = persons.unwrap_or_default().iter().filter(|person| !person.is_empty());
        Why::NotAddressed { to: to.map(|person| capture::title(self.rules, person)).collect(), roles: self.roles_of(notice) }
    }

    fn condition(&self, rung: &Rung, branch: Option<u32>, held: Option<bool>, on: Option<Date>) -> Why {
        match &rung.when {
            Some(when) => Why::Condition { source: when.source.clone(), held, on, seen: seen(self.rules, self.item, branch, when) },
            // The rules were edited since.
            None => Why::Condition { source: "".into(), held, on, seen: Vec::new() },
        }
    }

    fn not_addressed(&self, declared: &definition::Notice, branch: Option<u32>) -> Result<Why, EvalError> {
        let mut to = Vec::new();
        for person in self.recipients(declared, branch)? {
            to.push(capture::title(self.rules, &person));
        }
        let roles = declared.to.iter().chain(&declared.cc).map(|recipient| self.role_title(&recipient.role)).collect();
        Ok(Why::NotAddressed { to, roles })
    }

    fn roles_of(&self, notice: &Name) -> Vec<String> {
        let declared = self.rules.setting.workflow.notices.get(notice);
        let all = declared.into_iter().flat_map(|declared| declared.to.iter().chain(&declared.cc));
        all.map(|recipient| self.role_title(&recipient.role)).collect()
    }

    fn role_title(&self, role: &Name) -> String {
        self.rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone())
    }

    fn goes_to(&self, declared: &definition::Notice, branch: Option<u32>) -> Result<bool, EvalError> {
        Ok(self.recipients(declared, branch)?.contains(self.question.person))
    }

    /// Whoever would get it today.
    fn recipients(&self, declared: &definition::Notice, branch: Option<u32>) -> Result<Vec<Name>, EvalError> {
        super::ladder::recipients(self.rules, self.item, declared, branch)
    }

    fn add(&mut self, notice: &Name, of: Option<(&Deadline, Option<&Clock>, &Rung)>, day: Option<Date>, why: Why) {
        let title = self.rules.setting.workflow.notices.get(notice).map_or_else(|| notice.to_string(), |notice| notice.title.clone());
        let path = of.map_or_else(|| format!("notices.{notice}@"), |(_, _, rung)| rung.path.to_string());
        self.out.push(Silent {
            notice: notice.clone(),
            title,
            deadline: of.map(|(deadline, ..)| deadline.title.clone()),
            rung: of.map(|(_, _, rung)| rung.rung.clone()),
            branch: of.and_then(|(_, clock, _)| branch_title(self.rules, self.item, clock?)),
            day,
            why,
            place: self.rules.places.find(&path).cloned(),
        });
    }
}

fn told(recorded: &Recorded) -> Why {
    Why::Told {
        key: recorded.key.clone(),
        status: recorded.status.clone(),
        reason: recorded.reason.clone(),
        mail: recorded.mail.clone(),
        at: recorded.ended_at,
        not_before: recorded.not_before,
    }
}
