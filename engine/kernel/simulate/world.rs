//! An office in memory: items, a clock set by hand, wake-ups, sweeps, and mails that go nowhere.

use super::coverage::Coverage;
use crate::kernel::calendar::cron::Cron;
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide::errands::Answer;
use crate::kernel::decide::{self, mailing};
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Accepted, Notice, Refusal, RefusalCode};
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::{Errand, Item};
use crate::kernel::model::value::Fields;
use crate::kernel::report;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A tick works an item so often at most; more means that its rules wake it without end.
const MOST_WAKES: usize = 50;

pub struct World {
    /// Of the workflow that it is about.
    pub rules: Arc<Rules>,
    /// The other workflows of the rule set: what is asked of their items is done there. Their sweeps stand still.
    pub others: BTreeMap<Name, Arc<Rules>>,
    pub now: Instant,
    pub items: BTreeMap<Name, Kept>,
    /// Told, and waiting for the sending window.
    pub waiting: Vec<Notice>,
    /// Sent, in order.
    pub sent: Vec<Sent>,
    /// No longer owed when their moment came.
    pub dropped: Vec<Notice>,
    /// Items that failed, with the reason; they are not woken again.
    pub quarantined: BTreeMap<Name, String>,
    pub coverage: Coverage,
    /// What was touched of the other workflows.
    pub covered: BTreeMap<Name, Coverage>,
    /// The last number given by each counter.
    pub counters: HashMap<String, i64>,
    /// What a counter that was not used yet stands at.
    pub counts_from: i64,
    unique: HashMap<(Name, String), Name>,
    /// Sweep → (schedule, last slot run).
    sweeps: Vec<(Name, Cron, Instant)>,
}

/// An item with its facts.
pub struct Kept {
    pub workflow: Name,
    pub facts: Vec<Fact>,
    pub item: Arc<Item>,
    pub wake_at: Option<Instant>,
}

/// A notice on its way out.
#[derive(Clone, Debug)]
pub struct Sent {
    pub at: Instant,
    pub notice: Notice,
}

impl World {
    pub fn new(rules: Arc<Rules>, now: Instant) -> World {
        World::among(rules, BTreeMap::new(), now)
    }

    /// An office whose rule set has other workflows as well.
    pub fn among(rules: Arc<Rules>, others: BTreeMap<Name, Arc<Rules>>, now: Instant) -> World {
        let sweeps = rules.setting.workflow.sweeps.iter();
        let sweeps = sweeps.filter_map(|(name, sweep)| Some((name.clone(), Cron::parse(&sweep.cron).ok()?, now))).collect();
        World {
            rules,
            others,
            covered: BTreeMap::new(),
            now,
            items: BTreeMap::new(),
            waiting: Vec::new(),
            sent: Vec::new(),
            dropped: Vec::new(),
            quarantined: BTreeMap::new(),
            coverage: Coverage::default(),
            counters: HashMap::new(),
            counts_from: 0,
            unique: HashMap::new(),
            sweeps,
        }
    }

    /// The rules of a workflow; those that it is about for a name that is none.
    pub fn rules_of(&self, workflow: &str) -> Arc<Rules> {
        self.others.get(workflow).unwrap_or(&self.rules).clone()
    }

    /// A person acts now.
    pub fn act(&mut self, command: &Command) -> Result<(), Refusal> {
        let rules = match self.items.get(&command.item) {
            Some(kept) => self.rules_of(&kept.workflow),
            None => {
                let makes = |rules: &&Arc<Rules>| rules.setting.workflow.actions.get(&command.action).is_some_and(|action| action.creates);
                self.others.values().find(makes).filter(|_| !makes(&&self.rules)).unwrap_or(&self.rules).clone()
            }
        };
        let item = match self.items.get(&command.item) {
            Some(kept) => Some(derive::settle(&rules, (*kept.item).clone(), self.today())?),
            None => None,
        };
        let decision = match self.items.get(&command.item).filter(|_| decide::is_amend(&rules, command)) {
            Some(kept) => decide::amend(&rules, &kept.facts, command, self.now),
            None => {
                let figures = self.figures(&rules, item.as_ref(), command)?;
                decide::act_with(&rules, item.as_ref(), command, &figures, self.now, &|counter| self.counted(counter))
            }
        };
        let kept = decision.and_then(|accepted| self.keep(&rules, &command.item, accepted));
        match &kept {
            Ok(()) => self.run_errands(&command.item),
            Err(refusal) => self.coverage_of(&rules).refused(refusal),
        }
        kept
    }

    /// The figures that a command freezes, over the items that are there.
    fn figures(&self, rules: &Rules, item: Option<&Arc<Item>>, command: &Command) -> Result<Fields, EvalError> {
        let mut figures = Fields::new();
        for asked in decide::figures_asked(rules, item, command, self.now) {
            let of = self.rules_of(&asked.workflow);
            let own = self.items.iter().filter(|(_, kept)| kept.workflow == asked.workflow);
            let table = report::table(&of, &asked.report, own.map(|(id, kept)| (&**id, &kept.facts[..])), &[asked.on], None)?;
            figures.extend(table.frozen(&asked.row, &asked.set));
        }
        Ok(figures)
    }

    fn counted(&self, counter: &str) -> i64 {
        self.counters.get(counter).copied().unwrap_or(self.counts_from)
    }

    fn coverage_of(&mut self, rules: &Rules) -> &mut Coverage {
        let name = &rules.setting.workflow.name;
        if *name == self.rules.setting.workflow.name { &mut self.coverage } else { self.covered.entry(name.clone()).or_default() }
    }

    /// What an item asks of others is done there and answered here, and what those ask in turn.
    fn run_errands(&mut self, id: &Name) {
        let mut waiting = vec![id.clone()];
        for _ in 0..MOST_WAKES {
            let Some(id) = waiting.pop() else { return };
            let Some(item) = self.item(&id).filter(|item| !item.errands.is_empty()) else { continue };
            let mut answers = Vec::new();
            for errand in &item.errands {
                let refused = self.run_errand(&id, errand).err();
                answers.push(Answer { errand: errand.clone(), refused });
                waiting.push(errand.item.clone());
            }
            let rules = self.rules_of(&item.workflow);
            let answered =
                decide::errands::answered(&rules, &item, &answers, self.now).and_then(|accepted| self.keep(&rules, &id, accepted));
            if let Err(refusal) = answered {
                self.quarantine(&id, &refusal);
            }
        }
        // Depth ends a circle; what is left over all the same would be woken for it without end.
        if let Some(id) = waiting.pop() {
            self.quarantine(&id, &decide::refusal(RefusalCode::OwesNothing, &[("item", &id), ("at", &self.now.to_rfc3339())]));
        }
    }

    fn run_errand(&mut self, from: &Name, errand: &Errand) -> Result<(), Refusal> {
        let Some(rules) = self.others.get(&errand.workflow).or_else(|| {
            let own = &self.rules.setting.workflow.name;
            (*own == errand.workflow).then_some(&self.rules)
        }) else {
            return Err(decide::refusal(RefusalCode::UnknownWorkflow, &[("action", &errand.action)]));
        };
        let rules = rules.clone();
        let item = self.item(&errand.item);
        let decision = decide::errands::arrive(&rules, item.as_ref(), errand, from, self.now, &|counter| self.counted(counter));
        self.keep(&rules, &errand.item, decision?)
    }

    /// Puts an item there as if facts had brought it.
    pub fn put(&mut self, id: &Name, facts: Vec<Fact>) -> Result<(), EvalError> {
        if let Some(item) = derive::derive(&self.rules, id, &facts, self.today())? {
            self.coverage.reached(&item);
            let wake_at = decide::next_moment(&item);
            let workflow = self.rules.setting.workflow.name.clone();
            self.items.insert(id.clone(), Kept { workflow, facts, item, wake_at });
        }
        Ok(())
    }

    /// Lets the engine run until a moment, stopping at each at which something happens.
    pub fn advance_to(&mut self, until: Instant) {
        self.tick();
        while let Some(next) = self.next_moment().filter(|next| *next <= until) {
            self.now = self.now.max(next);
            self.tick();
        }
        self.now = self.now.max(until);
    }

    /// The engine stands still until a moment, and then catches up.
    pub fn down_until(&mut self, until: Instant) {
        self.now = self.now.max(until);
        self.tick();
    }

    /// Everything derived again under other rules, calendar or directory.
    pub fn change_rules(&mut self, rules: Arc<Rules>) -> Result<(), EvalError> {
        self.rules = rules;
        let today = self.today();
        for (id, kept) in self.items.iter_mut().filter(|(_, kept)| !self.others.contains_key(&kept.workflow)) {
            if let Some(item) = derive::derive(&self.rules, id, &kept.facts, today)? {
                kept.wake_at = decide::next_moment(&item);
                kept.item = item;
            }
        }
        Ok(())
    }

    pub fn today(&self) -> crate::kernel::time::Date {
        day_of(self.now, self.rules.setting.workflow.timezone)
    }

    /// The item as it stands today.
    pub fn item(&self, id: &str) -> Option<Arc<Item>> {
        let kept = self.items.get(id)?;
        derive::settle(&self.rules_of(&kept.workflow), (*kept.item).clone(), self.today()).ok()
    }

    fn next_moment(&self) -> Option<Instant> {
        let wakes = self.items.values().filter_map(|kept| kept.wake_at);
        let mails = self.waiting.iter().filter(|notice| notice.parked.is_none()).map(|notice| notice.not_before);
        let zone = self.rules.setting.workflow.timezone;
        let sweeps = self.sweeps.iter().filter_map(|(_, cron, last)| cron.next(zone, *last)).map(|slot| slot.at);
        wakes.chain(mails).chain(sweeps).min()
    }

    /// One tick: what is owed, the sweeps whose slot has come, and the mails that may leave.
    fn tick(&mut self) {
        self.wake_due();
        self.sweep_due();
        self.send_due();
    }

    fn wake_due(&mut self) {
        let due: Vec<Name> =
            self.items.iter().filter(|(_, kept)| kept.wake_at.is_some_and(|at| at <= self.now)).map(|(id, _)| id.clone()).collect();
        for id in due {
            for _ in 0..MOST_WAKES {
                let Some(kept) = self.items.get(&id).filter(|kept| kept.wake_at.is_some_and(|at| at <= self.now)) else { break };
                let rules = self.rules_of(&kept.workflow);
                let decision = derive::settle(&rules, (*kept.item).clone(), self.today())
                    .map_err(Refusal::from)
                    .and_then(|item| decide::wake(&rules, &item, self.now))
                    .and_then(|accepted| self.keep(&rules, &id, accepted));
                if let Err(refusal) = decision {
                    self.quarantine(&id, &refusal);
                    break;
                }
                self.run_errands(&id);
            }
        }
    }

    fn sweep_due(&mut self) {
        let zone = self.rules.setting.workflow.timezone;
        let mut due = Vec::new();
        for (name, cron, last) in &mut self.sweeps {
            let Some(sweep) = self.rules.setting.workflow.sweeps.get(name) else { continue };
            loop {
                let slots = decide::due_slots(cron, sweep.if_missed, zone, *last, self.now);
                let Some(latest) = slots.last() else { break };
                *last = latest.at;
                due.extend(slots.into_iter().map(|slot| (name.clone(), slot)));
            }
            *last = self.now;
        }
        for (name, slot) in due {
            let on = day_of(slot.at, zone);
            let rules = self.rules.clone();
            let own: Vec<Name> =
                self.items.iter().filter(|(_, kept)| !self.others.contains_key(&kept.workflow)).map(|(id, _)| id.clone()).collect();
            for id in own {
                let Some(item) = self.item(&id) else { continue };
                let decision =
                    decide::sweep(&rules, &item, &name, &slot.name, on, self.now).and_then(|accepted| self.keep(&rules, &id, accepted));
                if let Err(refusal) = decision {
                    self.quarantine(&id, &refusal);
                }
                self.run_errands(&id);
            }
            self.make_items(&rules, &name, &slot.name, on);
        }
    }

    /// The items that a sweep makes; those that are there already stay as they are.
    fn make_items(&mut self, rules: &Arc<Rules>, sweep: &Name, slot: &str, on: Date) {
        let made = match decide::to_make(rules, sweep, slot, on, self.now) {
            Ok(made) => made,
            Err(refusal) => return self.quarantine(&sweep.clone(), &refusal),
        };
        for to_make in made {
            if self.items.contains_key(&to_make.id) {
                continue;
            }
            let decision = decide::errands::make(rules, &to_make, on, self.now, &|counter| self.counted(counter));
            if let Err(refusal) = decision.and_then(|accepted| self.keep(rules, &to_make.id, accepted)) {
                self.quarantine(&to_make.id, &refusal);
            }
            self.run_errands(&to_make.id);
        }
    }

    fn send_due(&mut self) {
        let today = self.today();
        let (due, later): (Vec<Notice>, Vec<Notice>) =
            std::mem::take(&mut self.waiting).into_iter().partition(|notice| notice.parked.is_none() && notice.not_before <= self.now);
        self.waiting = later;
        for notice in due {
            let kept = self.items.get(&notice.item);
            if kept.is_some_and(|kept| mailing::owed(&notice, &kept.item, today).is_ok()) {
                let rules = self.rules_of(&notice.workflow);
                self.coverage_of(&rules).notices.insert(notice.notice.clone());
                self.sent.push(Sent { at: self.now, notice });
            } else {
                self.dropped.push(notice);
            }
        }
    }

    fn keep(&mut self, rules: &Rules, id: &Name, accepted: Accepted) -> Result<(), Refusal> {
        let workflow = rules.setting.workflow.name.clone();
        for (field, value) in &accepted.unique {
            let text = serde_json::to_string(value).unwrap_or_default();
            let holder = self.unique.entry((format!("{workflow}.{field}").into(), text.clone())).or_insert_with(|| id.clone());
            if holder != id {
                let title = rules.setting.workflow.fields.get(field).map_or_else(|| field.to_string(), |field| field.title.clone());
                let value = value.as_text().map_or(text, |text| text.to_string());
                return Err(decide::refusal(RefusalCode::NotUnique, &[("field", &title), ("value", &value)]));
            }
        }
        for number in &accepted.numbers {
            self.counters.insert(number.counter.clone(), number.to);
        }
        let Some(item) = accepted.item else { return Ok(()) };
        self.coverage_of(rules).happened(rules, &item, &accepted.facts);
        self.waiting.extend(accepted.notices);
        let kept = self.items.entry(id.clone()).or_insert_with(|| Kept { workflow, facts: Vec::new(), item: item.clone(), wake_at: None });
        kept.facts.extend(accepted.facts);
        kept.item = item;
        kept.wake_at = accepted.wake_up;
        Ok(())
    }

    fn quarantine(&mut self, id: &Name, refusal: &Refusal) {
        let reason = crate::kernel::words::refusal(crate::kernel::words::Lang::En, refusal);
        self.quarantined.insert(id.clone(), reason);
        if let Some(kept) = self.items.get_mut(id) {
            kept.wake_at = None;
        }
    }
}
