//! What one item asks of another: it is recorded with the fact that asks it, done there as a system action, and its answer recorded here.
//! Nothing reads another item: what is asked carries its values with it.

use super::perform::{Counter, DEEPEST, Doing, Work};
use super::{follows, input, not_there_yet, refusal, system, who};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::fold;
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Accepted, Decision, Refusal, RefusalCode};
use crate::kernel::model::definition::{By, ErrandTo, Holder};
use crate::kernel::model::fact::{Cause, Fact, Outcome};
use crate::kernel::model::item::{Errand, Item};
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::{Date, Instant};
use chrono::Datelike;
use std::sync::Arc;

/// The fact that records that another item did what it was asked.
pub const DONE: &str = "errand_done";
/// The fact that records that it did not, with the reason.
pub const REFUSED: &str = "errand_refused";

/// What became of an errand.
#[derive(Clone, Debug)]
pub struct Answer {
    pub errand: Arc<Errand>,
    pub refused: Option<Refusal>,
}

/// What the errands of an action come to: the new item is named by the field at once, so that both stand in one fact.
pub fn asked(
    work: &Work,
    errands: &[crate::kernel::model::definition::Errand],
    view: &View,
    task: Option<u32>,
    outcomes: &mut Vec<Outcome>,
) -> Result<(), EvalError> {
    for errand in errands {
        if let Some(condition) = &errand.when {
            if !work.rules.scripts.holds(condition, view)? {
                continue;
            }
        }
        let mut input = Fields::new();
        for (name, expr) in &errand.with {
            let value = work.rules.scripts.eval(expr, view)?;
            if !value.is_empty() {
                input.insert(name.clone(), value);
            }
        }
        let items = match &errand.to {
            ErrandTo::New { id, link } => {
                let id = id_of(id, &view.item.id, view.item.rev + 1, view.today, "");
                if let Some((of, field)) = link {
                    let (field, value) = (field.clone(), Value::Text(id.clone()));
                    outcomes.push(match (of, task) {
                        (Holder::Task, Some(branch)) => Outcome::BranchSet { branch, field, value },
                        _ => Outcome::Set { field, value },
                    });
                }
                vec![id]
            }
            ErrandTo::Named(field) => {
                let fields = match field.of {
                    Holder::Item => Some(&view.item.fields),
                    Holder::Task => task.and_then(|no| view.item.branch(no)).map(|branch| &branch.fields),
                    Holder::Input => Some(&*view.input),
                };
                match fields.and_then(|fields| fields.get(&field.field)) {
                    Some(Value::List(list)) => list.iter().filter_map(Value::as_text).cloned().collect(),
                    Some(Value::Text(id)) => vec![id.clone()],
                    _ => Vec::new(),
                }
            }
        };
        for item in items {
            outcomes.push(Outcome::Errand {
                workflow: errand.workflow.clone(),
                item,
                action: errand.action.clone(),
                input: input.clone(),
                depth: work.asked_before,
            });
        }
    }
    Ok(())
}

/// The id of a new item: `{id}` is the item that asks, `{seq}` its fact, `{year}` the year, `{each}` the entry that a sweep is at.
pub fn id_of(form: &str, id: &str, seq: u64, on: Date, each: &str) -> Name {
    let (mut out, mut rest) = (String::new(), form);
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        let Some(close) = rest[open..].find('}').map(|at| open + at) else {
            rest = &rest[open..];
            break;
        };
        match &rest[open + 1..close] {
            "id" => out.push_str(id),
            "seq" => out += &seq.to_string(),
            "year" => out += &on.year().to_string(),
            "each" => out.push_str(each),
            _ => out.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    out.into()
}

/// Does on an item what `from` asked of it; `item` is empty when it is to be made. Without facts when it has been done before.
pub fn arrive(rules: &Rules, item: Option<&Arc<Item>>, errand: &Errand, from: &Name, now: Instant, counter: Counter) -> Decision {
    let cause = Cause::Errand { item: from.clone(), seq: errand.seq, no: errand.no };
    if let Some(item) = item {
        if item.workflow != errand.workflow {
            return Err(refusal(RefusalCode::UnknownItem, &[("item", &errand.item)]));
        }
        if item.arrived.contains(&(from.clone(), errand.seq, errand.no)) {
            return Ok(Accepted { wake_up: super::next_moment(item), ..Accepted::default() });
        }
    }
    // As actions of one item that follow each other.
    if errand.depth >= DEEPEST {
        let what = "items ask each other without end";
        return Err(refusal(RefusalCode::RuleFailed, &[("rule", &errand.action), ("what", what)]));
    }
    let asked = Asked { id: &errand.item, action: &errand.action, input: &errand.input, on: errand.on, cause, depth: errand.depth + 1 };
    by_itself(rules, item, asked, now, counter)
}

/// An item that a sweep is to make.
#[derive(Clone, Debug)]
pub struct ToMake {
    pub id: Name,
    pub action: Name,
    pub input: Fields,
    pub cause: Cause,
}

/// Makes an item for a sweep, as of the day of its slot. Whoever asks knows that it is not there.
pub fn make(rules: &Rules, made: &ToMake, on: Date, now: Instant, counter: Counter) -> Decision {
    let asked = Asked { id: &made.id, action: &made.action, input: &made.input, on, cause: made.cause.clone(), depth: 0 };
    by_itself(rules, None, asked, now, counter)
}

/// What the engine itself is to do.
struct Asked<'a> {
    id: &'a Name,
    action: &'a Name,
    input: &'a Fields,
    on: Date,
    cause: Cause,
    depth: u32,
}

/// A system action with values handed in, on an item or as its beginning.
fn by_itself(rules: &Rules, item: Option<&Arc<Item>>, asked: Asked, now: Instant, counter: Counter) -> Decision {
    let Asked { id, action, input: given, on, cause, depth } = asked;
    let Some(declared) = rules.setting.workflow.actions.get(action) else {
        return Err(super::unknown_action(rules, action));
    };
    if item.is_none() && !declared.creates {
        return Err(refusal(RefusalCode::UnknownItem, &[("item", id)]));
    }
    let today = day_of(now, rules.setting.workflow.timezone);
    let (item, on) = match item {
        // It may have been entered for a day on which that item had not come so far.
        Some(item) => (item.clone(), on.max(item.since)),
        None => (Arc::new(fold::begin(rules, id, on, today)), on),
    };
    if item.rev > 0 {
        not_there_yet(&item, declared)?;
        follows(&item, None, on)?;
    }
    who::state_allows(rules, &item, declared, None)?;
    let system_does = By { role: crate::kernel::derive::roles::SYSTEM.into(), when: None, on_behalf_of: None, ask: Vec::new() };
    let input = input::read(rules, &item, declared, &system_does, given)?;
    let mut work = Work::new(rules, item, now, counter);
    work.asked_before = depth;
    work.perform(Doing { action: declared, task: None, actor: system(), input, on, cause })?;
    work.finish()
}

/// Records what became of errands.
pub fn answered(rules: &Rules, item: &Arc<Item>, answers: &[Answer], now: Instant) -> Decision {
    let mut work = Work::new(rules, item.clone(), now, &|_| 0);
    for Answer { errand, refused } in answers {
        if !work.item.errands.iter().any(|open| (open.seq, open.no) == (errand.seq, errand.no)) {
            continue;
        }
        let (today, name) = (work.today, if refused.is_none() { DONE } else { REFUSED });
        work.record(Fact {
            seq: 0,
            name: name.into(),
            branch: None,
            recorded_at: now,
            effective_on: today,
            actor: system(),
            cause: Cause::Answer { seq: errand.seq, no: errand.no, item: errand.item.clone(), refused: refused.clone().map(Box::new) },
            input: Fields::new(),
            outcomes: Vec::new(),
            not_started: Vec::new(),
            told: Vec::new(),
            rules: rules.hash.clone(),
        })?;
    }
    work.finish()
}
