//! A sweep's slot on one item: who is told, what is done.

use super::errands::{self, ToMake};
use super::notices::Tell;
use super::perform::{Doing, Work};
use super::{refusal, system};
use crate::kernel::calendar::cron::{Cron, Slot};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{fold, view};
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Accepted, Decision, Refusal, RefusalCode};
use crate::kernel::model::definition::{ForEach, IfMissed};
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::{Rules, View};
use crate::kernel::time::{Date, Instant};
use chrono::TimeDelta;
use chrono_tz::Tz;
use std::sync::Arc;

/// A slot that is older than this was missed.
const GRACE_MINUTES: i64 = 60;

/// So many slots are named at once; the next question, from the last of them on, names the rest.
const MOST_SLOTS: usize = 400;

/// The slots of a sweep to run now, after the last one run, oldest first: all on time, and of the missed ones what `if_missed` says.
pub fn due_slots(cron: &Cron, if_missed: IfMissed, zone: Tz, last: Instant, now: Instant) -> Vec<Slot> {
    match if_missed {
        IfMissed::RunEach => cron.slots(zone, last, now, MOST_SLOTS),
        IfMissed::RunOnce => cron.last(zone, last, now).into_iter().collect(),
        IfMissed::Skip => {
            // A slot at the very end of the grace is still on time.
            let on_time = now - TimeDelta::minutes(GRACE_MINUTES) - TimeDelta::milliseconds(1);
            cron.last(zone, last.max(on_time), now).into_iter().collect()
        }
    }
}

/// Decides a slot (`slot` is its local civil minute, `on` its day, however late it runs). No facts when the item is not concerned.
pub fn sweep(rules: &Rules, item: &Arc<Item>, sweep: &str, slot: &str, on: Date, now: Instant) -> Decision {
    carry_out(Work::new(rules, item.clone(), now, &|_| 0), sweep, slot, on)
}

/// The same for a look ahead: its notices are without the values that a wording reads.
pub fn foresee_sweep(rules: &Rules, item: &Arc<Item>, sweep: &str, slot: &str, on: Date, now: Instant) -> Decision {
    carry_out(Work::ahead(rules, item.clone(), now), sweep, slot, on)
}

/// The items that a slot of a sweep is to make, one for each unit or person for which `when` holds. None when it makes no items.
pub fn to_make(rules: &Rules, sweep: &str, slot: &str, on: Date, now: Instant) -> Result<Vec<ToMake>, Refusal> {
    let workflow = &rules.setting.workflow;
    let Some((name, declared)) = workflow.sweeps.get_key_value(sweep) else { return Ok(Vec::new()) };
    let Some(creates) = &declared.creates else { return Ok(Vec::new()) };
    let directory = &rules.setting.directory;
    let entries: Vec<&Name> = match creates.for_each {
        // What was merged into another has nothing to come.
        ForEach::Units => directory.units.keys().filter(|id| directory.successor(id, on) == &***id).collect(),
        ForEach::Persons => directory.persons.keys().collect(),
    };
    let blank = Arc::new(fold::begin(rules, "", on, day_of(now, workflow.timezone)));
    let view = View { today: on, ..view(rules, &blank, None) };
    let mut made = Vec::new();
    for entry in entries {
        let view = View { each: Value::Text(entry.clone()), ..view.clone() };
        if let Some(condition) = &declared.when {
            if !rules.scripts.holds(condition, &view)? {
                continue;
            }
        }
        let mut input = Fields::new();
        for (field, expr) in &creates.with {
            let value = rules.scripts.eval(expr, &view)?;
            if !value.is_empty() {
                input.insert(field.clone(), value);
            }
        }
        let id = errands::id_of(&creates.id, "", 1, on, entry);
        let cause = Cause::Sweep { sweep: name.clone(), slot: slot.into() };
        made.push(ToMake { id, action: creates.action.clone(), input, cause });
        if declared.limit.is_some_and(|limit| made.len() >= limit as usize) {
            break;
        }
    }
    Ok(made)
}

fn carry_out(mut work: Work, sweep: &str, slot: &str, on: Date) -> Decision {
    let (rules, item, now) = (work.rules, work.item.clone(), work.now);
    let Some((name, declared)) = rules.setting.workflow.sweeps.get_key_value(sweep) else {
        return Err(refusal(RefusalCode::UnknownAction, &[("action", sweep), ("near", "")]));
    };
    let holders: Vec<Option<u32>> = match &declared.over {
        // It makes items, and goes over none.
        _ if declared.creates.is_some() => Vec::new(),
        None => vec![None],
        Some(kind) => item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended).map(|branch| Some(branch.no)).collect(),
    };
    if on < item.created_on {
        return Ok(Accepted { wake_up: super::next_moment(&item), ..Accepted::default() });
    }
    for task in holders {
        if let Some(condition) = &declared.when {
            let view = View { today: on, ..view(rules, &work.item, task) };
            if !rules.scripts.holds(condition, &view)? {
                continue;
            }
        }
        let slot = match task {
            None => slot.to_string(),
            Some(no) => format!("{slot}#{no}"),
        };
        let cause = Cause::Sweep { sweep: name.clone(), slot: slot.as_str().into() };
        let workflow = &rules.setting.workflow;
        let action = declared.action.as_ref().and_then(|action| {
            let own = declared.over.as_ref().and_then(|kind| workflow.branches.get(kind)).and_then(|kind| kind.actions.get(action));
            own.map(|action| (task, action)).or_else(|| workflow.actions.get(action).map(|action| (None, action)))
        });
        let seq = match action {
            Some((holder, action)) => {
                if super::who::state_allows(rules, &work.item, action, holder).is_err() {
                    continue;
                }
                let doing = Doing { action, task: holder, actor: system(), input: Fields::new(), on, cause };
                match super::perform::check(rules, &work.item, &doing, false) {
                    Ok(()) => {}
                    Err(failed) if failed.code == RefusalCode::RuleFailed => return Err(failed),
                    Err(_) => continue,
                }
                work.perform(doing)?
            }
            None => work.record(Fact {
                seq: 0,
                name: name.clone(),
                branch: task,
                recorded_at: now,
                effective_on: on,
                actor: system(),
                cause,
                input: Fields::new(),
                outcomes: Vec::new(),
                not_started: Vec::new(),
                told: Vec::new(),
                rules: rules.hash.clone(),
            })?,
        };
        for notice in &declared.tell {
            work.tells.push(Tell::of_sweep(notice, seq, task, name, &slot));
        }
    }
    work.finish()
}
