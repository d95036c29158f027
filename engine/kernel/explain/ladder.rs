//! Escalation step by step: every rung of a deadline with its day, whether its condition holds, and who would be told today.

use super::due::branch_title;
use super::values::{Seen, seen};
use crate::kernel::calendar::window::{day_of, next_opening};
use crate::kernel::decide::capture;
use crate::kernel::derive::{rungs, view};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Flag, Notice, NoticeKind, Recipient};
use crate::kernel::model::item::{Clock, Item};
use crate::kernel::model::problem::Place;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Date;
use serde::Serialize;
use std::sync::Arc;

/// One deadline that runs, or the last cycle of one that ran.
#[derive(Clone, Debug, Serialize)]
pub struct LadderExplained {
    pub item: Name,
    pub deadline: Name,
    pub title: String,
    pub branch: Option<String>,
    pub branch_number: Option<u32>,
    pub due: Option<Date>,
    pub running: bool,
    /// Its rungs stand still: `paused` or `quiet`.
    pub held: Option<&'static str>,
    pub rungs: Vec<RungExplained>,
}

#[derive(Clone, Debug, Serialize)]
pub struct RungExplained {
    pub rung: Name,
    /// The day it stands on, of its next occurrence, or of the last that came.
    pub day: Option<Date>,
    /// When its mail would leave.
    pub leaves_on: Option<Date>,
    /// It came on this day; `skipped` says why nothing was told then.
    pub fired_on: Option<Date>,
    pub skipped: Option<Name>,
    pub flag: Option<Flag>,
    pub when: Option<Name>,
    /// Whether its condition holds today.
    pub holds: Option<bool>,
    pub seen: Vec<Seen>,
    /// What the engine does by itself.
    pub does: Option<String>,
    pub tells: Vec<Told>,
    pub place: Option<Place>,
}

/// A notice with those who would get it today.
#[derive(Clone, Debug, Serialize)]
pub struct Told {
    pub notice: Name,
    pub title: String,
    pub kind: NoticeKind,
    pub to: Vec<Addressee>,
    pub cc: Vec<Addressee>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Addressee {
    pub person: Name,
    pub title: String,
    pub role: Name,
    pub role_title: String,
}

/// The latest cycle of each deadline of the item and of its branches, or of the one that is named.
pub fn explain(rules: &Rules, item: &Arc<Item>, deadline: Option<&str>) -> Result<Vec<LadderExplained>, EvalError> {
    let mut seen = Vec::new();
    let mut out = Vec::new();
    for clock in item.clocks.iter().rev() {
        let holder = (clock.deadline.clone(), clock.branch);
        let wanted = deadline.map_or(clock.is_running(), |name| &*clock.deadline == name);
        if !wanted || seen.contains(&holder) {
            continue;
        }
        seen.push(holder);
        out.extend(of_clock(rules, item, clock)?);
    }
    out.reverse();
    Ok(out)
}

fn of_clock(rules: &Rules, item: &Arc<Item>, clock: &Clock) -> Result<Option<LadderExplained>, EvalError> {
    let workflow = &rules.setting.workflow;
    let Some(declared) = workflow.deadlines.get(&clock.deadline) else { return Ok(None) };
    let mut steps = Vec::new();
    for (index, rung) in declared.ladder.iter().enumerate() {
        let fired = clock.fired.iter().rev().find(|fired| fired.rung == rung.rung);
        let due = clock.due.as_deref().filter(|_| clock.is_running());
        let next = due.and_then(|due| rungs::occurrence(rules, clock, due, rung, index, fired.map_or(1, |fired| fired.occurrence + 1)));
        let leaves = next.as_ref().map(|next| next_opening(workflow.send_window, &rules.setting.calendar, workflow.timezone, next.moment));
        let holds = match &rung.when {
            Some(when) => Some(rules.scripts.holds(when, &view(rules, item, clock.branch))?),
            None => None,
        };
        let mut tells = Vec::new();
        for name in &rung.tell {
            let Some(notice) = workflow.notices.get(name) else { continue };
            tells.push(Told {
                notice: name.clone(),
                title: notice.title.clone(),
                kind: notice.kind,
                to: addressees(rules, item, &notice.to, clock.branch)?,
                cc: addressees(rules, item, &notice.cc, clock.branch)?,
            });
        }
        steps.push(RungExplained {
            rung: rung.rung.clone(),
            day: next.as_ref().map(|next| next.day).or(fired.map(|fired| fired.on)),
            leaves_on: leaves.map(|leaves| day_of(leaves, workflow.timezone)),
            fired_on: fired.map(|fired| fired.on),
            skipped: fired.and_then(|fired| fired.skipped.clone()),
            flag: rung.flag,
            when: rung.when.as_ref().map(|when| when.source.clone()),
            holds,
            seen: rung.when.as_ref().map(|when| seen(rules, item, clock.branch, when)).unwrap_or_default(),
            does: rung.action.as_ref().map(|action| super::due::name_of(rules, action)),
            tells,
            place: rules.places.find(&rung.path).cloned(),
        });
    }
    Ok(Some(LadderExplained {
        item: item.id.clone(),
        deadline: clock.deadline.clone(),
        title: declared.title.clone(),
        branch: branch_title(rules, item, clock),
        branch_number: clock.branch,
        due: clock.due.as_ref().map(|due| due.date),
        running: clock.is_running(),
        held: if clock.paused { Some("paused") } else { clock.quiet.then_some("quiet") },
        rungs: steps,
    }))
}

/// Whoever holds the roles today, each person once, a stand-in in place of who is away; `or` where nobody holds the role.
fn addressees(rules: &Rules, item: &Arc<Item>, recipients: &[Recipient], branch: Option<u32>) -> Result<Vec<Addressee>, EvalError> {
    let found = crate::kernel::decide::recipients(rules, item, recipients, branch, item.today)?;
    let role_title = |role: &Name| rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone());
    let all = found.into_iter().map(|(person, role)| Addressee {
        title: capture::title(rules, &person),
        role_title: role_title(&role),
        person,
        role,
    });
    Ok(all.collect())
}

/// Everybody who would get a notice today, copies included.
pub fn recipients(rules: &Rules, item: &Arc<Item>, notice: &Notice, branch: Option<u32>) -> Result<Vec<Name>, EvalError> {
    let mut out = Vec::new();
    for addressee in [addressees(rules, item, &notice.to, branch)?, addressees(rules, item, &notice.cc, branch)?].concat() {
        if !out.contains(&addressee.person) {
            out.push(addressee.person);
        }
    }
    Ok(out)
}
