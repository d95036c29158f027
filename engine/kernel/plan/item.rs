//! One item under two rule sets: where it stands, what runs and until when, and what of it the new rules do not know any more.

use super::why::{self, Side};
use super::{Cause, Compared, Courses, Difference, Pair, Row, What, offers};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::input::coerce;
use crate::kernel::derive;
use crate::kernel::derive::rungs::{self, Occurrence};
use crate::kernel::model::Name;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::{Clock, Item};
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use std::sync::Arc;

/// See [`Pair::compare`].
pub(super) fn compare(pair: &Pair, courses: &Courses, id: &Name, facts: &[Fact], now: Instant) -> Option<Compared> {
    let today = day_of(now, pair.old.setting.workflow.timezone);
    let before = derive::derive(&pair.old, id, facts, today).ok().flatten()?;
    let after = match derive::derive(&pair.new, id, facts, today) {
        Ok(after) => after?,
        Err(error) => {
            let cause = Cause::of(&*error.path);
            let differences = vec![Difference { what: What::Unreadable { because: error.what }, cause, row: Row::of(id, None) }];
            return Some(Compared { differences, lives: None });
        }
    };
    let mut work = Work { old: &pair.old, new: &pair.new, before: &before, after: &after, found: Vec::new() };
    work.states();
    work.branches();
    work.requests();
    work.fields();
    work.dates(today);
    work.rungs(now);
    let mut differences = work.found;
    offers::compare(pair, &before, &after, &mut differences);
    Some(Compared { differences, lives: Some(courses.lives(&before, &after)) })
}

impl Row {
    pub fn of(item: &Name, branch: Option<u32>) -> Row {
        Row { item: item.clone(), branch, from: None, to: None, overdue: false }
    }
}

struct Work<'a> {
    old: &'a Rules,
    new: &'a Rules,
    before: &'a Arc<Item>,
    after: &'a Arc<Item>,
    found: Vec<Difference>,
}

impl Work<'_> {
    fn add(&mut self, what: What, cause: Cause, branch: Option<u32>) {
        let row = Row::of(&self.before.id, branch);
        self.found.push(Difference { what, cause, row });
    }

    fn states(&mut self) {
        if self.before.ended {
            return;
        }
        let (was, is) = (self.before.state.clone(), self.after.state.clone());
        self.state(None, None, was, is);
    }

    fn state(&mut self, no: Option<u32>, kind: Option<&str>, was: Name, is: Name) {
        let path = |name: &Name| kind.map_or_else(|| format!("states.{name}"), |kind| format!("branches.{kind}.states.{name}"));
        let declared = self.new.setting.workflow.states_of(kind).is_some_and(|states| states.contains_key(&is));
        if !declared {
            self.add(What::StateGone { state: is.clone() }, Cause::of(path(&is)), no);
        } else if was != is {
            let cause = Cause::change(path(&is), &was, &is);
            self.add(What::StateMoves { state: was, to: is }, cause, no);
        }
    }

    fn branches(&mut self) {
        let before = self.before.clone();
        for branch in before.branches.iter().filter(|branch| !branch.ended) {
            let Some(after) = self.after.branch(branch.no) else { continue };
            let (kind, is) = (after.kind.clone(), after.state.clone());
            if !self.new.setting.workflow.branches.contains_key(&kind) {
                if !self.new.setting.workflow.renames.retired_branches.contains(&kind) {
                    self.add(What::BranchGone { branch: kind.clone() }, Cause::of(format!("branches.{kind}")), Some(branch.no));
                }
                continue;
            }
            if kind != branch.kind {
                let cause = Cause::change(format!("branches.{kind}"), &branch.kind, &kind);
                self.add(What::BranchMoves { branch: branch.kind.clone(), to: kind.clone() }, cause, Some(branch.no));
            }
            self.state(Some(branch.no), Some(&kind), branch.state.clone(), is);
        }
    }

    fn requests(&mut self) {
        let waiting = self.before.requests.iter().filter(|asked| asked.decided.is_none());
        let gone: Vec<_> = waiting.filter(|asked| !self.new.setting.workflow.requests.contains_key(&asked.request)).cloned().collect();
        for asked in gone.into_iter().filter(|asked| !self.new.setting.workflow.renames.retired_requests.contains(&asked.request)) {
            let cause = Cause::of(format!("requests.{}", asked.request));
            self.add(What::RequestGone { request: asked.request.clone() }, cause, asked.branch);
        }
    }

    fn fields(&mut self) {
        let before = self.before.clone();
        self.fields_of(None, None, None, &before.fields);
        for branch in before.branches.iter().filter(|branch| !branch.ended) {
            let Some(kind) = self.after.branch(branch.no).map(|after| after.kind.clone()) else { continue };
            self.fields_of(Some(branch.no), Some(&branch.kind), Some(&kind), &branch.fields);
        }
    }

    fn fields_of(&mut self, no: Option<u32>, was: Option<&str>, is: Option<&str>, values: &Fields) {
        let new = self.new;
        let (Some(old_fields), Some(new_fields)) = (self.old.setting.workflow.fields_of(was), new.setting.workflow.fields_of(is)) else {
            return;
        };
        let path = |name: &Name| is.map_or_else(|| format!("fields.{name}"), |kind| format!("branches.{kind}.fields.{name}"));
        for (name, value) in values.iter().filter(|(_, value)| !value.is_empty()) {
            // What is derived is recorded nowhere.
            let Some(old) = old_fields.get(name).filter(|field| !field.is_derived()) else { continue };
            let now = new.setting.workflow.field_now(is, name);
            let Some(field) = new_fields.get(now) else {
                if old.default.as_ref() != Some(value) && !new.setting.workflow.renames.retired_fields.contains(name) {
                    self.add(What::FieldGone { field: name.clone() }, Cause::of(path(name)), no);
                }
                continue;
            };
            if now != name {
                let cause = Cause::change(path(now), name, now);
                self.add(What::FieldMoves { field: name.clone(), to: now.clone() }, cause, no);
            }
            if !field.is_derived() && field.kind != old.kind && coerce(new, self.after, &field.kind, value).as_ref() != Ok(value) {
                let word = crate::kernel::decide::input::kind_word;
                let cause = Cause::change(path(now), word(&old.kind), word(&field.kind));
                self.add(What::FieldUnfit { field: now.clone() }, cause, no);
            }
        }
    }

    fn dates(&mut self, today: Date) {
        let (before, after) = (self.before.clone(), self.after.clone());
        let running = |item: &Item| item.clocks.iter().filter(|clock| clock.is_running()).cloned().collect::<Vec<Arc<Clock>>>();
        let (old, new) = (running(&before), running(&after));
        for was in &old {
            let now = self.new.setting.workflow.deadline_now(&was.deadline).clone();
            let declared = self.new.setting.workflow.deadlines.contains_key(&now);
            let is = new.iter().find(|clock| clock.deadline == now && clock.branch == was.branch);
            let Some(is) = is.filter(|_| declared) else {
                self.not_running(was, &now, declared);
                continue;
            };
            if now != was.deadline {
                let cause = Cause::change(format!("deadlines.{now}"), &was.deadline, &now);
                self.add(What::DeadlineMoves { deadline: was.deadline.clone(), to: now.clone() }, cause, was.branch);
            }
            let day = |clock: &Clock| clock.due.as_ref().map(|due| due.date);
            let (from, to) = (day(was), day(is));
            if from != to {
                let cause = why::of_date(Side { rules: self.old, clock: was }, Side { rules: self.new, clock: is });
                let late = self.overdue(is, today) && !was.is_late(today);
                let row = Row { from, to, overdue: late, ..Row::of(&before.id, was.branch) };
                self.found.push(Difference { what: What::Date { deadline: now }, cause, row });
            }
        }
        let known = |is: &Clock| {
            old.iter().any(|was| *self.new.setting.workflow.deadline_now(&was.deadline) == is.deadline && was.branch == is.branch)
        };
        let begun: Vec<_> = new.iter().filter(|is| !known(is)).cloned().collect();
        for is in begun {
            let key = match self.old.setting.workflow.deadlines.contains_key(&is.deadline) {
                true => format!("deadlines.{}.starts_on", is.deadline),
                false => format!("deadlines.{}", is.deadline),
            };
            let to = is.due.as_ref().map(|due| due.date);
            let row = Row { to, overdue: self.overdue(&is, today), ..Row::of(&before.id, is.branch) };
            self.found.push(Difference { what: What::NewDate { deadline: is.deadline.clone() }, cause: Cause::of(key), row });
        }
    }

    /// What is owed at once and was not, and what came too late to be told.
    fn rungs(&mut self, now: Instant) {
        let (before, after) = (self.before.clone(), self.after.clone());
        let path = |deadline: &Name| Cause::of(format!("deadlines.{deadline}.ladder"));
        let due_now = |item: &Item| item.clocks.iter().any(|clock| clock.next_at.is_some_and(|at| at <= now));
        if due_now(&after) {
            let called = |owed: &Occurrence| {
                (self.new.setting.workflow.deadline_now(&owed.key.deadline).clone(), owed.key.branch, owed.key.rung.clone())
            };
            let known: Vec<_> = rungs::owed(self.old, &before, now).iter().map(called).collect();
            for owed in rungs::owed(self.new, &after, now) {
                if !known.contains(&(owed.key.deadline.clone(), owed.key.branch, owed.key.rung.clone())) {
                    let what = What::Owed { deadline: owed.key.deadline.clone(), rung: owed.key.rung.clone() };
                    self.add(what, path(&owed.key.deadline), owed.key.branch);
                }
            }
        }
        if self.new.carried.new_rungs.is_empty() {
            return;
        }
        for clock in after.clocks.iter().filter(|clock| clock.is_running()) {
            let Some(declared) = self.new.setting.workflow.deadlines.get(&clock.deadline) else { continue };
            let Some(due) = clock.due.as_deref() else { continue };
            for (index, rung) in declared.ladder.iter().enumerate() {
                let fired = clock.fired.iter().any(|fired| fired.rung == rung.rung);
                let first = rungs::occurrence(self.new, clock, due, rung, index, 1).filter(|_| !fired);
                if first.is_some_and(|first| self.new.carried.is_passed(clock, rung, first.moment)) {
                    let what = What::RungPassed { deadline: clock.deadline.clone(), rung: rung.rung.clone() };
                    self.add(what, path(&clock.deadline), clock.branch);
                }
            }
        }
    }

    fn not_running(&mut self, was: &Clock, now: &Name, declared: bool) {
        let from = was.due.as_ref().map(|due| due.date);
        let row = Row { from, ..Row::of(&self.before.id, was.branch) };
        let difference = |what, key: &str| Difference { what, cause: Cause::of(format!("deadlines.{now}{key}")), row };
        if declared {
            self.found.push(difference(What::NoDate { deadline: now.clone() }, ".ends_on"));
        } else if !self.new.setting.workflow.renames.retired_deadlines.contains(now) {
            self.found.push(difference(What::DeadlineGone { deadline: now.clone() }, ""));
        }
    }

    fn overdue(&self, clock: &Clock, today: Date) -> bool {
        let declared = self.new.setting.workflow.deadlines.get(&clock.deadline);
        clock.is_late(today) && declared.is_some_and(|declared| declared.closes.is_empty())
    }
}
