//! What an item owes at a moment: the rungs whose time has come are told, done, or recorded as passed over.

use super::notices::Tell;
use super::perform::Work;
use super::{refusal, system};
use crate::kernel::derive::rungs::{Occurrence, Phase, owed};
use crate::kernel::derive::view;
use crate::kernel::model::decision::{Decision, Refusal, RefusalCode};
use crate::kernel::model::definition::Rung;
use crate::kernel::model::fact::{Cause, Fact, Outcome};
use crate::kernel::model::item::Item;
use crate::kernel::rules::{Rules, View};
use crate::kernel::time::Instant;
use std::sync::Arc;

/// More rungs are never worked in one decision; the wake-up stays in the past, so the next tick goes on.
const MOST_RUNGS: usize = 500;

/// Derives what is owed now and decides it. No facts and a new wake-up when nothing is: a late, doubled or stale wake-up does no harm.
pub fn wake(rules: &Rules, item: &Arc<Item>, now: Instant) -> Decision {
    work_through(Work::new(rules, item.clone(), now, &|_| 0))
}

/// The same for a look ahead: its notices say who is told and when, without the values that a wording reads.
pub fn foresee(rules: &Rules, item: &Arc<Item>, now: Instant) -> Decision {
    work_through(Work::ahead(rules, item.clone(), now))
}

fn work_through(mut work: Work) -> Decision {
    let (rules, now, id) = (work.rules, work.now, work.item.id.clone());
    let mut left = MOST_RUNGS;
    'derived: loop {
        let owed = owed(rules, &work.item, now);
        for (index, occurrence) in owed.iter().enumerate() {
            if left == 0 {
                break 'derived;
            }
            left -= 1;
            let overtaken = owed[index + 1..].iter().any(|later| same_clock(later, occurrence) && later.phase >= occurrence.phase);
            if fire(&mut work, occurrence, overtaken)? {
                // The item moved: what is owed is derived again.
                continue 'derived;
            }
        }
        break;
    }
    let accepted = work.finish()?;
    // Whoever saved this would wake the item again at once, and without end.
    let next = accepted.item.as_deref().and_then(super::wake_up);
    if let Some(at) = next.filter(|at| accepted.facts.is_empty() && *at <= now) {
        return Err(refusal(RefusalCode::OwesNothing, &[("item", &id), ("at", &at.to_rfc3339())]));
    }
    Ok(accepted)
}

/// Fires one occurrence; says whether an action was done, so that everything else has to be asked again.
fn fire(work: &mut Work, occurrence: &Occurrence, overtaken: bool) -> Result<bool, Refusal> {
    let rules = work.rules;
    let key = &occurrence.key;
    let Some(deadline) = rules.setting.workflow.deadlines.get(&key.deadline) else { return Ok(false) };
    let Some(rung) = deadline.ladder.get(occurrence.rung) else { return Ok(false) };
    let due = work.item.clock(&key.deadline, key.branch).and_then(|clock| clock.due.as_ref()).map(|due| due.date);
    let superseded = match occurrence.phase {
        Phase::Before => overtaken || due.is_some_and(|due| work.today >= due),
        Phase::OnTheDay => overtaken && due.is_some_and(|due| work.today > due),
        Phase::After => false,
    };
    let skipped = match superseded {
        true => Some("superseded"),
        false if !holds(work, rung, key.branch)? => Some("when"),
        false => None,
    };
    let flag = rung.flag.filter(|_| skipped != Some("when"));
    let on = occurrence.day.min(work.today);
    let seq = work.record(Fact {
        seq: 0,
        name: format!("{}.{}", key.deadline, key.rung).into(),
        branch: key.branch,
        recorded_at: work.now,
        effective_on: on.max(work.item.created_on),
        actor: system(),
        cause: Cause::Rung { key: key.clone(), flag, skipped: skipped.map(Into::into) },
        input: Default::default(),
        outcomes: Vec::<Outcome>::new(),
        not_started: Vec::new(),
        told: Vec::new(),
        rules: rules.hash.clone(),
    })?;
    if skipped.is_none() {
        for notice in &rung.tell {
            work.tells.push(Tell::of_rung(notice, seq, key, occurrence.phase, due));
        }
    }
    let Some(name) = rung.action.as_ref().filter(|_| skipped != Some("when")) else { return Ok(false) };
    let own = deadline.branch.as_ref().and_then(|kind| rules.setting.workflow.branches.get(kind)).and_then(|kind| kind.actions.get(name));
    let (task, action) = match (own, rules.setting.workflow.actions.get(name)) {
        (Some(action), _) => (key.branch, action),
        (None, Some(action)) => (None, action),
        (None, None) => return Ok(false),
    };
    if super::who::state_allows(rules, &work.item, action, task).is_err() {
        return Ok(false);
    }
    work.follow(action, task, system(), on, seq)
}

fn holds(work: &Work, rung: &Rung, task: Option<u32>) -> Result<bool, Refusal> {
    let Some(condition) = &rung.when else { return Ok(true) };
    let view = View { today: work.today, ..view(work.rules, &work.item, task) };
    Ok(work.rules.scripts.holds(condition, &view)?)
}

fn same_clock(a: &Occurrence, b: &Occurrence) -> bool {
    a.key.deadline == b.key.deadline && a.key.branch == b.key.branch && a.key.cycle == b.key.cycle
}
