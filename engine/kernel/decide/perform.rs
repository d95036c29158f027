//! Doing one action: conditions, outcomes, the fact, and what follows from it in the same decision.

use super::notices::Tell;
use super::{capture, refusal, sequence, system};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{self, clocks, fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Accepted, Decision, Number, Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, Effects, Holder, OnePer, Open, RequestStep, Set, SetValue, StateKind, WhenItemEnds};
use crate::kernel::model::fact::{Actor, Cause, Fact, Outcome};
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::render;
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::{Date, Instant};
use std::sync::Arc;

/// The last number given by a counter, 0 when none was.
pub type Counter<'a> = &'a dyn Fn(&str) -> i64;

/// `then_try`, `do_on` and `do` may follow each other so deep; a circle ends here.
pub(super) const DEEPEST: u32 = 12;

/// The fact that cancels what is left of an ended item.
pub const ITEM_ENDED: &str = "item_ended";

/// A decision in the making.
pub struct Work<'a> {
    pub rules: &'a Rules,
    pub item: Arc<Item>,
    pub now: Instant,
    pub today: Date,
    pub facts: Vec<Fact>,
    pub tells: Vec<Tell>,
    /// Notices get the values that their wording reads.
    pub captures: bool,
    /// The figures that the action at hand freezes, by field.
    pub figures: Fields,
    /// How many items asked each other before this decision.
    pub asked_before: u32,
    numbers: Vec<Number>,
    unique: Vec<(Name, Value)>,
    counter: Counter<'a>,
    depth: u32,
}

/// One action about to be done.
pub struct Doing<'a> {
    pub action: &'a Action,
    pub task: Option<u32>,
    pub actor: Actor,
    pub input: Fields,
    pub on: Date,
    pub cause: Cause,
}

impl<'a> Work<'a> {
    pub fn new(rules: &'a Rules, item: Arc<Item>, now: Instant, counter: Counter<'a>) -> Self {
        let today = day_of(now, rules.setting.workflow.timezone);
        Work {
            rules,
            item,
            now,
            today,
            facts: Vec::new(),
            tells: Vec::new(),
            captures: true,
            figures: Fields::new(),
            asked_before: 0,
            numbers: Vec::new(),
            unique: Vec::new(),
            counter,
            depth: 0,
        }
    }

    /// Of the engine, for a look ahead that words nothing.
    pub fn ahead(rules: &'a Rules, item: Arc<Item>, now: Instant) -> Self {
        Work { captures: false, ..Work::new(rules, item, now, &|_| 0) }
    }

    /// Checks the action's conditions, records its fact, and does what follows from it. Gives the number of its own fact.
    pub fn perform(&mut self, doing: Doing) -> Result<u64, Refusal> {
        check(self.rules, &self.item, &doing, false)?;
        let view = view(self.rules, &self.item, &doing);
        let consent = self.consent(&doing)?;
        let name = match (&consent, &doing.action.request) {
            (Some(_), Some((request, _))) => format!("{request}.consented").into(),
            _ => doing.action.records_as.clone(),
        };
        let mut effects: Vec<&Effects> = Vec::new();
        let mut outcomes = Vec::new();
        let mut spared = Vec::new();
        if consent.is_none() {
            effects.push(&doing.action.effects);
            let mut to = doing.action.to.as_ref();
            if let Some(row) = self.chosen(&doing, &view)? {
                effects.push(&row.effects);
                to = row.to.as_ref().or(to);
            }
            self.record_asked(&doing, &mut outcomes);
            for effects in &effects {
                self.sets(&effects.set, &view, doing.task, &mut outcomes)?;
            }
            let frozen = doing.action.freeze.iter().flat_map(|freeze| &freeze.set);
            // What the report does not say leaves the field as it is.
            outcomes.extend(frozen.filter_map(|(field, _)| {
                let value = self.figures.get(field)?.clone();
                Some(Outcome::Set { field: field.clone(), value })
            }));
            sequence::give(self, &doing, &mut outcomes);
            self.moves(&doing, to, &mut outcomes);
            for effects in &effects {
                self.cancels(&effects.cancel, &mut outcomes);
                self.opens(&effects.open, &view, &mut outcomes)?;
                super::errands::asked(self, &effects.errands, &view, doing.task, &mut outcomes)?;
            }
            spared = self.done_on(&effects);
            self.when_item_ends(to.filter(|_| doing.task.is_none()), &spared, &mut outcomes);
        }
        let seq = self.record(Fact {
            seq: 0,
            name,
            branch: doing.task,
            recorded_at: self.now,
            effective_on: doing.on,
            actor: doing.actor.clone(),
            cause: doing.cause.clone(),
            input: doing.input.clone(),
            outcomes,
            not_started: Vec::new(),
            told: Vec::new(),
            rules: self.rules.hash.clone(),
        })?;
        for effects in effects {
            for notice in &effects.tell {
                self.tells.push(Tell::of_fact(notice, seq, doing.task));
            }
            self.do_on(effects, &doing, seq)?;
            self.then_try(effects, &doing, seq)?;
        }
        self.end_the_rest(&spared, &doing, seq)?;
        Ok(seq)
    }

    /// Appends a fact and derives the item anew. Gives its number.
    pub fn record(&mut self, mut fact: Fact) -> Result<u64, EvalError> {
        fact.seq = self.item.rev + 1;
        let seq = fact.seq;
        let mut next = (*self.item).clone();
        let moved = fold::outcomes(self.rules, &mut next, &fact);
        fact.not_started = self.not_started(&next, &fact, &moved)?;
        clocks::advance(self.rules, &mut next, &fact, &moved)?;
        self.item = derive::settle(self.rules, next, self.today)?;
        self.collect_unique(&fact);
        self.facts.push(fact);
        Ok(seq)
    }

    /// Holds the result against `always` and gives the decision.
    pub fn finish(mut self) -> Decision {
        let view = derive::view(self.rules, &self.item, None);
        for rule in &self.rules.setting.workflow.always {
            if !self.rules.scripts.holds(&rule.condition, &view)? {
                let mut out = refusal(RefusalCode::Always, &[]);
                out.sentence = Some(sentence(self.rules, &self.item, &rule.say, &view));
                out.rule = Some(rule.path.clone());
                return Err(out);
            }
        }
        drop(view);
        let notices = super::notices::of(&mut self)?;
        let wake_up = super::next_moment(&self.item);
        Ok(Accepted { facts: self.facts, item: Some(self.item), notices, wake_up, numbers: self.numbers, unique: self.unique })
    }

    /// A number out of a counter, to be raised with the decision.
    pub fn raise(&mut self, counter: String, to: impl FnOnce(i64) -> Option<i64>) -> Option<i64> {
        let used = self.numbers.iter().find(|number| number.counter == counter).map(|number| number.to);
        let last = used.unwrap_or_else(|| (self.counter)(&counter));
        let to = to(last)?;
        match self.numbers.iter_mut().find(|number| number.counter == counter) {
            Some(number) => number.to = to,
            None => self.numbers.push(Number { counter, from: last, to }),
        }
        Some(to)
    }

    /// With several consents needed, an approval that is not the last one only records itself. Who holds several of the roles
    /// consents for all of them.
    fn consent(&self, doing: &Doing) -> Result<Option<Name>, EvalError> {
        let Some((request, RequestStep::Approve)) = doing.action.request.as_ref() else { return Ok(None) };
        let declared = self.rules.setting.workflow.requests.get(request).filter(|declared| declared.all_must_consent);
        let (Some(declared), Some(role), Some(person)) = (declared, &doing.actor.role, &doing.actor.person) else { return Ok(None) };
        let Some(asked) = self.item.pending(request, doing.task) else { return Ok(None) };
        for by in &declared.decide_by {
            let given = by.role == *role || asked.consents.contains(&by.role);
            if !given && !roles::holds(self.rules, &self.item, &by.role, doing.task, person, doing.on)? {
                return Ok(Some(role.clone()));
            }
        }
        Ok(None)
    }

    fn chosen<'b>(&self, doing: &Doing<'b>, view: &View) -> Result<Option<&'b crate::kernel::model::definition::Choose>, EvalError> {
        for row in &doing.action.choose {
            let holds = match &row.when {
                None => true,
                Some(condition) => self.rules.scripts.holds(condition, view)?,
            };
            if holds {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn record_asked(&self, doing: &Doing, outcomes: &mut Vec<Outcome>) {
        let capacity = doing.action.by.iter().filter(|by| Some(&by.role) == doing.actor.role.as_ref());
        let asks = doing.action.ask.iter().chain(capacity.flat_map(|by| &by.ask));
        let mut recorded: Vec<&Name> = Vec::new();
        for ask in asks {
            if recorded.contains(&&ask.name) {
                continue;
            }
            recorded.push(&ask.name);
            let (Some(of), Some(value)) = (ask.records, doing.input.get(&ask.name)) else { continue };
            outcomes.push(match (of, doing.task) {
                (Holder::Task, Some(branch)) => Outcome::BranchSet { branch, field: ask.name.clone(), value: value.clone() },
                _ => Outcome::Set { field: ask.name.clone(), value: value.clone() },
            });
        }
    }

    fn sets(&self, sets: &[Set], view: &View, task: Option<u32>, outcomes: &mut Vec<Outcome>) -> Result<(), EvalError> {
        for set in sets {
            let Some(value) = self.value_of(set, view)? else { continue };
            outcomes.push(match (set.of, task) {
                (Holder::Task, Some(branch)) => Outcome::BranchSet { branch, field: set.field.clone(), value },
                _ => Outcome::Set { field: set.field.clone(), value },
            });
        }
        Ok(())
    }

    fn value_of(&self, set: &Set, view: &View) -> Result<Option<Value>, EvalError> {
        if let Some(condition) = &set.when {
            if !self.rules.scripts.holds(condition, view)? {
                return Ok(None);
            }
        }
        Ok(Some(match &set.value {
            SetValue::Literal(value) => value.clone(),
            SetValue::Expr(expr) => self.rules.scripts.eval(expr, view)?,
        }))
    }

    fn moves(&self, doing: &Doing, to: Option<&Name>, outcomes: &mut Vec<Outcome>) {
        let Some(to) = to else {
            return;
        };
        outcomes.push(match doing.task {
            Some(branch) => Outcome::BranchState { branch, to: to.clone() },
            None => Outcome::State { to: to.clone() },
        });
    }

    fn cancels(&self, kinds: &[Name], outcomes: &mut Vec<Outcome>) {
        for kind in kinds {
            let Some(to) = self.rules.setting.workflow.branches.get(kind).and_then(|branch| branch.cancelled_state.as_ref()) else {
                continue;
            };
            for branch in self.item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended) {
                outcomes.push(Outcome::Cancel { branch: branch.no, to: to.clone() });
            }
        }
    }

    /// The end of the item cancels its open branches; those on which something is done first are `spared`.
    fn when_item_ends(&self, to: Option<&Name>, spared: &[u32], outcomes: &mut Vec<Outcome>) {
        let workflow = &self.rules.setting.workflow;
        let ends = to.and_then(|to| workflow.states.get(to)).is_some_and(|state| state.kind == StateKind::End);
        if !ends {
            return;
        }
        let kinds =
            workflow.branches.iter().filter(|(_, branch)| branch.when_item_ends == WhenItemEnds::Cancel).map(|(kind, _)| kind.clone());
        let touched: Vec<u32> =
            outcomes.iter().filter_map(|outcome| if let Outcome::Cancel { branch, .. } = outcome { Some(*branch) } else { None }).collect();
        let mut more = Vec::new();
        self.cancels(&kinds.collect::<Vec<_>>(), &mut more);
        more.retain(|outcome| !matches!(outcome, Outcome::Cancel { branch, .. } if touched.contains(branch) || spared.contains(branch)));
        outcomes.extend(more);
    }

    /// What of the spared branches did not come to its own end is cancelled after all.
    fn end_the_rest(&mut self, spared: &[u32], doing: &Doing, seq: u64) -> Result<(), EvalError> {
        if !self.item.ended || doing.task.is_some() || spared.is_empty() {
            return Ok(());
        }
        let mut outcomes = Vec::new();
        self.when_item_ends(Some(&self.item.state), &[], &mut outcomes);
        outcomes.retain(|outcome| matches!(outcome, Outcome::Cancel { branch, .. } if spared.contains(branch)));
        if outcomes.is_empty() {
            return Ok(());
        }
        self.record(Fact {
            seq: 0,
            name: ITEM_ENDED.into(),
            branch: None,
            recorded_at: self.now,
            effective_on: doing.on,
            actor: system(),
            cause: Cause::Follows { after: seq },
            input: Fields::new(),
            outcomes,
            not_started: Vec::new(),
            told: Vec::new(),
            rules: self.rules.hash.clone(),
        })?;
        Ok(())
    }

    /// The branches on which `do_on` acts.
    fn done_on(&self, effects: &[&Effects]) -> Vec<u32> {
        let workflow = &self.rules.setting.workflow;
        let actions = effects.iter().flat_map(|effects| &effects.do_on);
        let actions: Vec<_> = actions.filter_map(|(kind, name)| Some((kind, workflow.branches.get(kind)?.actions.get(name)?))).collect();
        let meant = |branch: &Branch| actions.iter().any(|(kind, action)| branch.kind == **kind && action.from.contains(&branch.state));
        self.item.branches.iter().filter(|branch| !branch.ended && meant(branch)).map(|branch| branch.no).collect()
    }

    fn opens(&self, opens: &[Open], view: &View, outcomes: &mut Vec<Outcome>) -> Result<(), Refusal> {
        let mut next =
            self.item.branches.len() as u32 + outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Open { .. })).count() as u32;
        for open in opens {
            if let Some(condition) = &open.when {
                if !self.rules.scripts.holds(condition, view)? {
                    continue;
                }
            }
            let Some(kind) = self.rules.setting.workflow.branches.get(&open.branch) else { continue };
            let start = kind.states.iter().find(|(_, state)| state.kind == StateKind::Start).map(|(name, _)| name.clone());
            let Some(start) = start else { continue };
            let entries = match &open.for_each {
                None => vec![Value::Empty],
                Some(expr) => match self.rules.scripts.eval(expr, view)? {
                    Value::List(list) => list,
                    Value::Empty => Vec::new(),
                    single => vec![single],
                },
            };
            for each in entries {
                let mut fields = Fields::new();
                match (kind.one_per, &each) {
                    (Some(OnePer::Unit), Value::Text(_)) => drop(fields.insert("unit".into(), each.clone())),
                    (Some(OnePer::Person), Value::Text(_)) => drop(fields.insert("person".into(), each.clone())),
                    (_, Value::Record(record)) => fields.extend(record.clone()),
                    _ => {}
                }
                let view = View { each: each.clone(), ..view.clone() };
                for set in &open.set {
                    if let Some(value) = self.value_of(set, &view)? {
                        fields.insert(set.field.clone(), value);
                    }
                }
                self.one_open_per(&open.branch, kind.one_per, &fields, outcomes)?;
                next += 1;
                outcomes.push(Outcome::Open { branch: next, kind: open.branch.clone(), state: start.clone(), fields });
            }
            let opened = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Open { kind, .. } if *kind == open.branch)).count();
            let standing = self.item.branches.iter().filter(|branch| branch.kind == open.branch && !branch.ended).count();
            if kind.at_most.is_some_and(|most| opened + standing > most as usize) {
                let most = kind.at_most.unwrap_or_default().to_string();
                return Err(refusal(RefusalCode::TooManyBranches, &[("branch", &kind.title), ("most", &most)]));
            }
        }
        Ok(())
    }

    /// The same unit or person may have one open branch of a kind at a time.
    fn one_open_per(&self, kind: &Name, one_per: Option<OnePer>, fields: &Fields, outcomes: &[Outcome]) -> Result<(), Refusal> {
        let field = match one_per {
            None => return Ok(()),
            Some(OnePer::Unit) => "unit",
            Some(OnePer::Person) => "person",
        };
        let wanted = fields.get(field);
        let standing = self
            .item
            .branches
            .iter()
            .any(|branch| branch.kind == *kind && !branch.ended && branch.fields.get(field) == wanted && !leaves(outcomes, branch.no));
        let opened = outcomes
            .iter()
            .any(|outcome| matches!(outcome, Outcome::Open { kind: other, fields, .. } if other == kind && fields.get(field) == wanted));
        if wanted.is_some() && (standing || opened) {
            let directory = &self.rules.setting.directory;
            let id = wanted.and_then(Value::as_text).cloned().unwrap_or_else(|| "".into());
            let title = directory
                .units
                .get(&id)
                .map(|unit| unit.title.clone())
                .or_else(|| directory.persons.get(&id).map(|person| person.title.clone()));
            let kind_title = self.rules.setting.workflow.branches.get(kind).map_or_else(|| kind.to_string(), |kind| kind.title.clone());
            return Err(refusal(RefusalCode::NotUnique, &[("field", &kind_title), ("value", &title.unwrap_or_else(|| id.to_string()))]));
        }
        Ok(())
    }

    fn do_on(&mut self, effects: &Effects, doing: &Doing, seq: u64) -> Result<(), Refusal> {
        for (kind, name) in &effects.do_on {
            let rules = self.rules;
            let Some(action) = rules.setting.workflow.branches.get(kind).and_then(|branch| branch.actions.get(name)) else { continue };
            let mut matched = false;
            for no in
                self.item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended).map(|branch| branch.no).collect::<Vec<_>>()
            {
                let fits = self.item.branch(no).is_some_and(|branch| !branch.ended && action.from.contains(&branch.state));
                if fits && self.follow(action, Some(no), doing.actor.clone(), doing.on, seq)? {
                    matched = true;
                }
            }
            if !matched && !effects.or_none {
                return Err(refusal(RefusalCode::NoBranch, &[("action", &doing.action.title), ("then", &action.title)]));
            }
        }
        Ok(())
    }

    fn then_try(&mut self, effects: &Effects, doing: &Doing, seq: u64) -> Result<(), Refusal> {
        for name in &effects.then_try {
            let workflow = &self.rules.setting.workflow;
            let own = doing
                .task
                .and_then(|no| self.item.branch(no))
                .and_then(|branch| workflow.branches.get(&branch.kind))
                .and_then(|branch| branch.actions.get(name));
            let (task, action) = match (workflow.actions.get(name), own) {
                (Some(action), _) => (None, action),
                (None, Some(action)) => (doing.task, action),
                (None, None) => continue,
            };
            if super::who::state_allows(self.rules, &self.item, action, task).is_ok() {
                self.follow(action, task, system(), doing.on, seq)?;
            }
        }
        Ok(())
    }

    /// Does an action that follows from fact `after`; says whether its conditions held. A refusal leaves nothing behind.
    pub fn follow(&mut self, action: &Action, task: Option<u32>, actor: Actor, on: Date, after: u64) -> Result<bool, Refusal> {
        if self.depth >= DEEPEST {
            return Err(refusal(RefusalCode::RuleFailed, &[("rule", &action.title), ("what", "actions follow each other without end")]));
        }
        let doing = Doing { action, task, actor, input: Fields::new(), on, cause: Cause::Follows { after } };
        match check(self.rules, &self.item, &doing, false) {
            Ok(()) => {}
            Err(failed) if failed.code == RefusalCode::RuleFailed => return Err(failed),
            Err(_) => return Ok(false),
        }
        let before = (self.item.clone(), self.facts.len(), self.tells.len(), self.numbers.clone(), self.unique.clone());
        self.depth += 1;
        let done = self.perform(doing);
        self.depth -= 1;
        match done {
            Ok(_) => Ok(true),
            // What it did before it came to what is refused is undone.
            Err(failed) if failed.code == RefusalCode::NoBranch => {
                let (item, facts, tells, numbers, unique) = before;
                (self.item, self.numbers, self.unique) = (item, numbers, unique);
                self.facts.truncate(facts);
                self.tells.truncate(tells);
                Ok(false)
            }
            Err(failed) => Err(failed),
        }
    }

    fn not_started(&self, next: &Item, fact: &Fact, moved: &fold::Moved) -> Result<Vec<(Name, Option<u32>)>, EvalError> {
        let workflow = &self.rules.setting.workflow;
        let conditional: Vec<_> = clocks::starts(self.rules, next, fact, moved)
            .into_iter()
            .filter_map(|(name, holder)| Some((workflow.deadlines.get(&name)?.when.as_ref()?, name, holder)))
            .collect();
        if conditional.is_empty() {
            return Ok(Vec::new());
        }
        let settled = derive::settle(self.rules, next.clone(), self.today)?;
        let mut out = Vec::new();
        for (condition, name, holder) in conditional {
            let view = View { today: fact.effective_on, ..derive::view(self.rules, &settled, holder) };
            if !self.rules.scripts.holds(condition, &view)? {
                out.push((name, holder));
            }
        }
        Ok(out)
    }

    fn collect_unique(&mut self, fact: &Fact) {
        for outcome in &fact.outcomes {
            let Outcome::Set { field, value } = outcome else { continue };
            let unique = self.rules.setting.workflow.fields.get(field).is_some_and(|field| field.unique);
            if unique && !value.is_empty() {
                self.unique.retain(|(name, _)| name != field);
                self.unique.push((field.clone(), value.clone()));
            }
        }
    }
}

/// Windows and conditions. With `before_input`, conditions that read the input are left for the moment of sending.
pub fn check(rules: &Rules, item: &Arc<Item>, doing: &Doing, before_input: bool) -> Result<(), Refusal> {
    windows_open(rules, item, doing.action, doing.task, doing.on)?;
    if doing.action.require.is_empty() {
        return Ok(());
    }
    let view = view(rules, item, doing);
    for rule in &doing.action.require {
        if before_input && rules.scripts.reads_input(&rule.condition) {
            continue;
        }
        if !rules.scripts.holds(&rule.condition, &view)? {
            let mut out = refusal(RefusalCode::Rule, &[]);
            out.sentence = Some(sentence(rules, item, &rule.say, &view));
            out.rule = Some(rule.path.clone());
            return Err(out);
        }
    }
    Ok(())
}

/// Whether every deadline that `closes` the action has its date still before it.
pub fn windows_open(rules: &Rules, item: &Arc<Item>, action: &Action, task: Option<u32>, on: Date) -> Result<(), Refusal> {
    let kind = task.and_then(|no| item.branch(no)).map(|branch| &branch.kind);
    for (name, deadline) in &rules.setting.workflow.deadlines {
        for (closed, say) in &deadline.closes {
            let own = deadline.branch.as_ref() == kind && (*closed == action.records_as || names_request(action, closed));
            let outside =
                kind.is_some_and(|kind| closed.strip_prefix(&**kind).and_then(|rest| rest.strip_prefix('.')) == Some(&*action.records_as));
            if !own && !outside {
                continue;
            }
            let holder = if deadline.branch.is_some() { task } else { None };
            let Some(date) = item.clock(name, holder).and_then(|clock| clock.due.as_ref()).map(|due| due.date) else { continue };
            if on > date {
                let mut out = refusal(RefusalCode::Rule, &[("deadline", &deadline.title), ("date", &date.to_string())]);
                let view = View { today: on, ..derive::view(rules, item, task) };
                out.sentence = Some(sentence(rules, item, say, &view));
                out.rule = Some(format!("deadlines.{name}.closes").into());
                return Err(out);
            }
        }
    }
    Ok(())
}

fn names_request(action: &Action, closed: &str) -> bool {
    action.request.as_ref().is_some_and(|(request, step)| {
        let step = match step {
            RequestStep::Ask => "ask",
            RequestStep::Approve => "approve",
            RequestStep::Refuse => "refuse",
        };
        closed.strip_prefix(&**request).and_then(|rest| rest.strip_prefix('.')) == Some(step)
    })
}

fn view(rules: &Rules, item: &Arc<Item>, doing: &Doing) -> View {
    View {
        setting: rules.setting.clone(),
        item: item.clone(),
        task: doing.task,
        input: Arc::new(doing.input.clone()),
        each: Value::Empty,
        actor: Arc::new(doing.actor.clone()),
        today: doing.on,
    }
}

/// The author's sentence with its values; as written when it cannot be filled, so that a person always gets one.
pub fn sentence(rules: &Rules, item: &Arc<Item>, template: &str, view: &View) -> String {
    if !template.contains("{{") {
        return template.to_string();
    }
    let values = capture::for_sentence(rules, item, view);
    render::line(template, &values).unwrap_or_else(|_| template.to_string())
}

fn leaves(outcomes: &[Outcome], no: u32) -> bool {
    outcomes.iter().any(|outcome| matches!(outcome, Outcome::Cancel { branch, .. } | Outcome::BranchState { branch, .. } if *branch == no))
}
