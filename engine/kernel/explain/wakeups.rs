//! When an item is looked at next, and why then: the next rung of each clock that runs, and the rounds that will pass over it.

use super::due::branch_title;
use crate::kernel::calendar::cron::Cron;
use crate::kernel::derive::rungs;
use crate::kernel::model::Name;
use crate::kernel::model::item::Item;
use crate::kernel::model::problem::Place;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use serde::Serialize;

#[derive(Clone, Debug, Serialize)]
pub struct WakeUpsExplained {
    pub item: Name,
    /// The earliest of all; nothing when no clock owes anything more.
    pub next: Option<Instant>,
    pub clocks: Vec<ClockWakes>,
    pub rounds: Vec<Round>,
}

/// A clock that runs.
#[derive(Clone, Debug, Serialize)]
pub struct ClockWakes {
    pub deadline: Name,
    pub title: String,
    pub branch: Option<String>,
    pub due: Option<Date>,
    pub next: Option<Instant>,
    /// The rungs that are owed at that moment.
    pub rungs: Vec<Name>,
    /// Why nothing is owed: `paused`, `quiet`, `no_date`, `no_rung_left`.
    pub why_not: Option<&'static str>,
    pub place: Option<Place>,
}

/// A sweep that looks at every open item.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    pub sweep: Name,
    pub title: String,
    pub cron: String,
    pub next: Option<Instant>,
    pub place: Option<Place>,
}

pub fn explain(rules: &Rules, item: &Item, now: Instant) -> WakeUpsExplained {
    let workflow = &rules.setting.workflow;
    let mut clocks = Vec::new();
    for clock in item.clocks.iter().filter(|clock| clock.is_running()) {
        let Some(deadline) = workflow.deadlines.get(&clock.deadline) else { continue };
        let due = clock.due.as_deref();
        let owed = |at: Instant| {
            let fired =
                |rung: &Name| clock.fired.iter().filter(|fired| fired.rung == *rung).map(|fired| fired.occurrence).max().unwrap_or(0);
            let ladder = deadline.ladder.iter().enumerate();
            let due = due.into_iter().flat_map(move |due| ladder.clone().map(move |(index, rung)| (due, index, rung)));
            due.filter_map(|(due, index, rung)| rungs::occurrence(rules, clock, due, rung, index, fired(&rung.rung) + 1))
                .filter(|occurrence| occurrence.moment == at)
                .map(|occurrence| occurrence.key.rung)
                .collect::<Vec<_>>()
        };
        clocks.push(ClockWakes {
            deadline: clock.deadline.clone(),
            title: deadline.title.clone(),
            branch: branch_title(rules, item, clock),
            due: due.map(|due| due.date),
            next: clock.next_at,
            rungs: clock.next_at.map(owed).unwrap_or_default(),
            why_not: match clock.next_at {
                Some(_) => None,
                None if clock.paused => Some("paused"),
                None if clock.quiet => Some("quiet"),
                None if due.is_none() => Some("no_date"),
                None => Some("no_rung_left"),
            },
            place: rules.places.find(&format!("deadlines.{}@", clock.deadline)).cloned(),
        });
    }
    clocks.sort_by_key(|clock| (clock.next.is_none(), clock.next));
    let rounds = workflow.sweeps.iter().filter(|_| !item.is_over()).map(|(name, sweep)| Round {
        sweep: name.clone(),
        title: sweep.title.clone(),
        cron: sweep.cron.clone(),
        next: Cron::parse(&sweep.cron).ok().and_then(|cron| cron.next(workflow.timezone, now)).map(|slot| slot.at),
        place: rules.places.find(&format!("sweeps.{name}@")).cloned(),
    });
    WakeUpsExplained { item: item.id.clone(), next: crate::kernel::decide::next_moment(item), rounds: rounds.collect(), clocks }
}
