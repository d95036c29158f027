//! Item, command, now → [`Decision`]. The one pure step that web, API, scheduler, simulation and rule tests all go through.

mod addressing;
mod amend;
pub mod capture;
pub mod errands;
pub mod events;
pub mod input;
pub mod mailing;
mod notices;
mod perform;
mod sequence;
mod sweep;
mod wake;
pub mod who;

pub use addressing::{branch, find, is_known, unknown_action};
pub use amend::{AMEND, amend, is_amend};
pub use notices::recipients;
pub use perform::{Counter, sentence, windows_open};
pub use sweep::{due_slots, foresee_sweep, sweep, to_make};
pub use wake::{foresee, wake};

use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Decision, Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By, FieldRef, Freeze, Who, WhoCase};
use crate::kernel::model::fact::{Actor, Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Fields;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use perform::{Doing, Work};
use std::sync::Arc;

/// A person's action. `item` is empty when the action opens a new one.
pub fn act(rules: &Rules, item: Option<&Arc<Item>>, command: &Command, now: Instant, counter: Counter) -> Decision {
    act_with(rules, item, command, &Fields::new(), now, counter)
}

/// The figures that an action freezes: which row of which report on which day, and which field takes which column.
#[derive(Clone, Debug)]
pub struct FiguresAsked {
    pub workflow: Name,
    pub report: Name,
    pub on: Date,
    /// The value of the row.
    pub row: String,
    pub set: Vec<(Name, Name)>,
}

/// What has to be counted before a command is decided; mostly nothing, and nothing for whoever may not do it. Actions of branches freeze
/// no figures.
pub fn figures_asked(rules: &Rules, item: Option<&Arc<Item>>, command: &Command, now: Instant) -> Vec<FiguresAsked> {
    let action = rules.setting.workflow.actions.get_key_value(&command.action).filter(|_| command.branch.is_none());
    let (Some((name, action)), Some(item)) = (action.filter(|(_, action)| !action.freeze.is_empty()), item) else { return Vec::new() };
    let on = command.effective_on.unwrap_or_else(|| day_of(now, rules.setting.workflow.timezone));
    if offer(rules, item, name, action, None, &command.by, on).is_err() {
        return Vec::new();
    }
    let asked = |freeze: &Freeze| FiguresAsked {
        workflow: freeze.workflow.clone(),
        report: freeze.report.clone(),
        on,
        row: item.field(&freeze.row.field).as_text().map(|text| text.to_string()).unwrap_or_default(),
        set: freeze.set.clone(),
    };
    let is_there = |freeze: &&Freeze| !item.field(&freeze.row.field).is_empty();
    action.freeze.iter().filter(is_there).map(asked).collect()
}

/// The same with the figures that [`figures_asked`] named, by field.
pub fn act_with(rules: &Rules, item: Option<&Arc<Item>>, command: &Command, figures: &Fields, now: Instant, counter: Counter) -> Decision {
    let today = day_of(now, rules.setting.workflow.timezone);
    let on = command.effective_on.unwrap_or(today);
    if on > today {
        return Err(refusal(RefusalCode::BadDate, &[("date", &on.to_string()), ("why", "future")]));
    }
    if let (Some(seen), Some(item)) = (command.seen_rev, item) {
        if seen != item.rev {
            return Err(refusal(RefusalCode::StaleRevision, &[("seen", &seen.to_string()), ("now", &item.rev.to_string())]));
        }
    }
    match item {
        Some(item) => {
            let (task, name, action) = addressing::find(rules, item, command, on)?;
            not_there_yet(item, action)?;
            follows(item, task, on)?;
            let mut work = Work::new(rules, item.clone(), now, counter);
            work.figures.clone_from(figures);
            person_acts(&mut work, command, task, name, action, on)?;
            work.finish()
        }
        None => {
            let found = rules.setting.workflow.actions.get_key_value(&command.action);
            let Some((name, action)) = found.filter(|(_, action)| action.creates) else {
                return Err(match addressing::is_known(rules, &command.action) {
                    true => refusal(RefusalCode::UnknownItem, &[("item", &command.item)]),
                    false => addressing::unknown_action(rules, &command.action),
                });
            };
            let blank = Arc::new(fold::begin(rules, &command.item, on, today));
            let mut work = Work::new(rules, blank, now, counter);
            person_acts(&mut work, command, None, name, action, on)?;
            work.finish()
        }
    }
}

/// What makes an item is not done on one that exists.
pub fn not_there_yet(item: &Item, action: &Action) -> Result<(), Refusal> {
    if action.creates { Err(refusal(RefusalCode::ItemExists, &[("item", &item.id)])) } else { Ok(()) }
}

fn person_acts(work: &mut Work, command: &Command, task: Option<u32>, name: &Name, action: &Action, on: Date) -> Result<(), Refusal> {
    who::state_allows(work.rules, &work.item, action, task)?;
    // A new item has no fields yet: its roles are read from what is being handed in.
    let seen = match action.creates {
        false => work.item.clone(),
        true => {
            let mut provisional = (*work.item).clone();
            for ask in action.ask.iter().filter(|ask| ask.records.is_some()) {
                if let Some(value) = command.input.get(&ask.name) {
                    let value = input::coerce(work.rules, &provisional, &ask.kind, value).unwrap_or_else(|_| value.clone());
                    fold::record(&mut provisional, None, ask.name.clone(), value);
                }
            }
            Arc::new(provisional)
        }
    };
    let (by, mut actor) = who::may(work.rules, &seen, name, action, task, &command.by, on)?;
    if let Some(freeze) = action.freeze.iter().find(|freeze| work.item.field(&freeze.row.field).is_empty()) {
        let field = &freeze.row.field;
        let title = work.rules.setting.workflow.fields.get(field).map_or_else(|| field.to_string(), |field| field.title.clone());
        return Err(refusal(RefusalCode::MissingInput, &[("action", &action.title), ("input", field), ("title", &title)]));
    }
    actor.via = command.via.clone();
    let input = input::read(work.rules, &work.item, action, by, &command.input)?;
    work.perform(Doing { action, task, actor, input, on, cause: Cause::Command { id: command.id.clone() } })?;
    Ok(())
}

/// `effective_on` may not lie before what it follows: the state that the action leaves.
fn follows(item: &Item, task: Option<u32>, on: Date) -> Result<(), Refusal> {
    let since = task.and_then(|no| item.branch(no)).map_or(item.since, |branch| branch.since);
    if on < since {
        return Err(refusal(RefusalCode::BadDate, &[("date", &on.to_string()), ("why", "before"), ("since", &since.to_string())]));
    }
    Ok(())
}

/// The first moment at which a deadline of the item may owe something.
pub fn wake_up(item: &Item) -> Option<Instant> {
    item.clocks.iter().filter_map(|clock| clock.next_at).min()
}

/// The first moment at which there is something to do for the item: what it asks of others is due when it is asked.
pub fn next_moment(item: &Item) -> Option<Instant> {
    item.errands.iter().map(|errand| errand.at).chain(wake_up(item)).min()
}

/// An action of the item or of one of its branches as a person finds it on a day: open, or refused with its reason.
#[derive(Debug)]
pub struct Offer {
    pub action: Name,
    pub task: Option<u32>,
    pub refusal: Option<Refusal>,
}

/// The path of the rule by which a fact came about: its rung, its sweep, or its action.
pub fn rule_of(rules: &Rules, item: Option<&Item>, fact: &Fact) -> Name {
    let workflow = &rules.setting.workflow;
    match &fact.cause {
        Cause::Rung { key, .. } => {
            let ladder = workflow.deadlines.get(&key.deadline).map(|deadline| &deadline.ladder);
            let rung = ladder.and_then(|ladder| ladder.iter().find(|rung| rung.rung == key.rung));
            rung.map_or_else(|| format!("deadlines.{}@", key.deadline).into(), |rung| rung.path.clone())
        }
        Cause::Sweep { sweep, .. } => format!("sweeps.{sweep}@").into(),
        _ => {
            let kind = fact.branch.and_then(|no| item?.branch(no)).map(|branch| &*branch.kind);
            let actions = workflow.actions_of(kind).into_iter().flatten();
            let name = actions.into_iter().find(|(_, action)| action.records_as == fact.name).map_or(&fact.name, |(name, _)| name);
            match kind {
                Some(kind) => format!("branches.{kind}.actions.{name}@").into(),
                None => format!("actions.{name}@").into(),
            }
        }
    }
}

/// What a person may begin, and in which way: actions that make an item, by a role that is theirs already, or that what they hand in may
/// make theirs.
pub fn begins<'r>(rules: &'r Rules, person: &Name, today: Date) -> Result<Vec<(&'r Name, &'r Action, &'r By)>, EvalError> {
    let workflow = &rules.setting.workflow;
    let blank = Arc::new(fold::begin(rules, &Name::default(), today, today));
    let mut out = Vec::new();
    for (name, action) in workflow.actions.iter().filter(|(_, action)| action.creates) {
        let mut way = None;
        for by in &action.by {
            if roles::holds(rules, &blank, &by.role, None, person, today)? {
                way = Some(by);
                break;
            }
        }
        let asked = |field: &FieldRef| action.ask.iter().any(|ask| ask.records == Some(field.of) && ask.name == field.field);
        let handed_in = |case: &WhoCase| matches!(&case.who, Who::Person(field) if asked(field));
        let may_become = |by: &&By| workflow.roles.get(&by.role).is_some_and(|role| role.who.iter().any(handed_in));
        out.extend(way.or_else(|| action.by.iter().find(may_become)).map(|by| (name, action, by)));
    }
    Ok(out)
}

/// Why a person may not do an action as things stand, as far as can be said without the input; on a branch that has ended, too.
pub fn refusal_of(rules: &Rules, item: &Arc<Item>, name: &Name, action: &Action, task: Option<u32>, person: &Name) -> Option<Refusal> {
    offer(rules, item, name, action, task, person, item.today).err()
}

/// In which way a person would do an action: the first that is open to them.
pub fn way<'r>(rules: &Rules, item: &Arc<Item>, name: &Name, action: &'r Action, task: Option<u32>, person: &Name) -> Option<&'r By> {
    who::may(rules, item, name, action, task, person, item.today).ok().map(|(by, _)| by)
}

/// In whose place a person would do an action now, if it is not their own.
pub fn absent(rules: &Rules, item: &Arc<Item>, name: &Name, action: &Action, task: Option<u32>, person: &Name) -> Option<Name> {
    who::may(rules, item, name, action, task, person, item.today).ok().and_then(|(_, actor)| actor.stands_in_for)
}

/// Every action that a person could think of now, with the reason of each that is refused. What depends on input is asked at sending.
pub fn offers(rules: &Rules, item: &Arc<Item>, person: &Name, on: Date) -> Result<Vec<Offer>, EvalError> {
    let workflow = &rules.setting.workflow;
    let mut out = Vec::new();
    let own = workflow.actions.iter().map(|(name, action)| (None, name, action));
    let branches = item.branches.iter().filter(|branch| !branch.ended).flat_map(|branch| {
        let actions = workflow.branches.get(&branch.kind).into_iter().flat_map(|kind| &kind.actions);
        actions.map(|(name, action)| (Some(branch.no), name, action))
    });
    for (task, name, action) in own.chain(branches) {
        if !action.creates {
            let refusal = offer(rules, item, name, action, task, person, on).err();
            out.push(Offer { action: name.clone(), task, refusal });
        }
    }
    Ok(out)
}

fn offer(rules: &Rules, item: &Arc<Item>, name: &Name, action: &Action, task: Option<u32>, person: &Name, on: Date) -> Result<(), Refusal> {
    who::state_allows(rules, item, action, task)?;
    let (_, actor) = who::may(rules, item, name, action, task, person, on)?;
    let doing = Doing { action, task, actor, input: Fields::new(), on, cause: Cause::Follows { after: 0 } };
    perform::check(rules, item, &doing, true)
}

/// A refusal of the engine's own; its sentence is made by `words`.
pub(crate) fn refusal(code: RefusalCode, values: &[(&str, &str)]) -> Refusal {
    Refusal { code, sentence: None, rule: None, values: values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect() }
}

impl From<EvalError> for Refusal {
    fn from(error: EvalError) -> Self {
        let mut out = refusal(RefusalCode::RuleFailed, &[("rule", &error.source_text), ("what", &error.what)]);
        out.rule = Some(error.path);
        out
    }
}

/// The engine as an actor.
pub(crate) fn system() -> Actor {
    Actor { role: Some(crate::kernel::derive::roles::SYSTEM.into()), ..Actor::default() }
}
