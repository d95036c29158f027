//! Why a due date is that date, which rungs were told, and which are still to come.

use super::days::{self, Way};
use crate::kernel::calendar::window::{day_of, next_opening};
use crate::kernel::decide::capture;
use crate::kernel::derive::rungs;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Deadline;
use crate::kernel::model::item::{Clock, ClockEndHow, DueStep, Fired, Item};
use crate::kernel::model::problem::Place;
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use serde::Serialize;

/// The explanation of one clock.
#[derive(Clone, Debug, Serialize)]
pub struct DueExplained {
    pub item: Name,
    pub deadline: Name,
    pub title: String,
    /// The branch it runs on, as people call it.
    pub branch: Option<String>,
    pub branch_number: Option<u32>,
    pub cycle: u32,
    pub date: Option<Date>,
    pub provisional: bool,
    /// Working days from today to the date; negative when it is late.
    pub working_days_left: Option<i64>,
    pub ended: Option<(Date, ClockEndHow)>,
    pub late: bool,
    /// After the date an action is closed; it is never late.
    pub window: bool,
    pub paused: bool,
    pub steps: Vec<DueStep>,
    /// The days on the way, and what says which are worked.
    pub way: Option<Way>,
    /// What was told or skipped so far.
    pub fired: Vec<Fired>,
    /// What is still to come, with the day on which its mail leaves.
    pub coming: Vec<Coming>,
    /// Where the deadline is declared.
    pub place: Option<Place>,
    /// The rule set by which it has its date: an earlier one, where a publication kept it.
    pub rules: Name,
}

#[derive(Clone, Debug, Serialize)]
pub struct Coming {
    pub rung: Name,
    pub day: Date,
    pub leaves_on: Date,
    pub tells: Vec<Name>,
    /// It is told only if a condition holds then.
    pub conditional: bool,
    /// The due day has come without it: it will be passed over.
    pub too_late: bool,
}

/// The latest cycle of a deadline on the item and on each branch that has one; all deadlines when no name is given.
pub fn explain(rules: &Rules, item: &Item, deadline: Option<&str>) -> Vec<DueExplained> {
    let mut out: Vec<DueExplained> = Vec::new();
    for clock in item.clocks.iter().rev() {
        let wanted = deadline.is_none_or(|name| &*clock.deadline == name);
        let known = out.iter().any(|seen| seen.deadline == clock.deadline && seen.branch == branch_title(rules, item, clock));
        let Some(declared) = rules.setting.workflow.deadlines.get(&clock.deadline).filter(|_| wanted && !known) else { continue };
        out.push(of_clock(rules, item, clock, declared));
    }
    out.reverse();
    out
}

fn of_clock(rules: &Rules, item: &Item, clock: &Clock, declared: &Deadline) -> DueExplained {
    let due = clock.due.as_deref();
    let kept = clock.kept.and_then(|index| rules.carried.kept.get(index));
    let (dating, called) = kept.map_or((rules, &clock.deadline), |kept| (&*kept.rules, &kept.was));
    DueExplained {
        item: item.id.clone(),
        deadline: clock.deadline.clone(),
        title: declared.title.clone(),
        branch: branch_title(rules, item, clock),
        branch_number: clock.branch,
        cycle: clock.cycle,
        date: due.map(|due| due.date),
        provisional: due.is_some_and(|due| due.provisional),
        working_days_left: due.filter(|_| clock.is_running()).map(|due| rules.setting.calendar.working_days_between(item.today, due.date)),
        ended: clock.end.as_ref().map(|end| (end.on, end.how)),
        late: clock.is_late(item.today) && declared.closes.is_empty(),
        window: !declared.closes.is_empty(),
        paused: clock.paused,
        steps: due.map(|due| due.steps.clone()).unwrap_or_default(),
        way: days::explain(rules, clock),
        fired: clock.fired.clone(),
        coming: coming(rules, item, clock, declared),
        place: dating.places.find(&format!("deadlines.{called}@")).cloned(),
        rules: dating.hash.clone(),
    }
}

fn coming(rules: &Rules, item: &Item, clock: &Clock, declared: &Deadline) -> Vec<Coming> {
    let Some(due) = clock.due.as_deref().filter(|_| clock.is_running() && !clock.paused) else { return Vec::new() };
    let workflow = &rules.setting.workflow;
    let mut out: Vec<Coming> = Vec::new();
    for (index, rung) in declared.ladder.iter().enumerate() {
        let Some(next) = rungs::next_occurrence(rules, clock, due, rung, index) else { continue };
        let leaves = next_opening(workflow.send_window, &rules.setting.calendar, workflow.timezone, next.moment);
        out.push(Coming {
            rung: rung.rung.clone(),
            day: next.day,
            leaves_on: day_of(leaves, workflow.timezone),
            tells: rung.tell.clone(),
            conditional: rung.when.is_some(),
            too_late: next.phase == rungs::Phase::Before && item.today >= due.date,
        });
    }
    out.sort_by_key(|coming| coming.day);
    out
}

/// `assignment roads`-like: the kind's title with its unit or person, or its number.
pub fn branch_title(rules: &Rules, item: &Item, clock: &Clock) -> Option<String> {
    title_of_branch(rules, item, clock.branch?)
}

/// The same of a branch by its number.
pub fn title_of_branch(rules: &Rules, item: &Item, no: u32) -> Option<String> {
    let branch = item.branch(no)?;
    let kind = rules.setting.workflow.branches.get(&branch.kind).map_or_else(|| branch.kind.to_string(), |kind| kind.title.clone());
    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field)?.as_text());
    Some(match which {
        Some(id) => format!("{kind} {}", capture::title(rules, id)),
        None => format!("{kind} {}", branch.no),
    })
}

/// A fact's, action's, field's or deadline's name as people call it; a param keeps its name.
pub fn name_of(rules: &Rules, name: &str) -> String {
    let workflow = &rules.setting.workflow;
    let bare = name.rsplit('.').next().unwrap_or(name);
    let kinds = std::iter::once(None).chain(workflow.branches.keys().map(|kind| Some(&**kind)));
    let mut actions = kinds.filter_map(|kind| workflow.actions_of(kind)).flat_map(|actions| actions.iter());
    let action = actions.find(|(key, action)| *action.records_as == *name || ***key == *name).map(|(_, action)| action.title.clone());
    let deadline = || workflow.deadlines.get(name).map(|deadline| deadline.title.clone());
    let field = || {
        let (of, _) = name.split_once('.')?;
        let fields = match of {
            "item" => vec![&workflow.fields],
            "task" => workflow.branches.values().map(|branch| &branch.fields).collect(),
            _ => return None,
        };
        fields.into_iter().find_map(|fields| fields.get(bare)).map(|field| field.title.clone())
    };
    // The opening of a branch has no action of its own.
    let branch = || workflow.branches.get(name).map(|branch| branch.title.clone());
    action.or_else(deadline).or_else(field).or_else(branch).unwrap_or_else(|| name.to_string())
}
