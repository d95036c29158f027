//! Regular rounds: when they fire (E513, W514, W515), what they would do again and again (E701, E703), what a ladder does already (W702), and how
//! often they go through everything that is open (W704).

use super::at::Checked;
use crate::kernel::calendar::cron::{Cron, CronMistake};
use crate::kernel::calendar::window::{day_of, start_of_day};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::time::Date;
use chrono::TimeDelta;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, sweep) in &at.workflow.sweeps {
        match Cron::parse(&sweep.cron) {
            Ok(cron) => {
                problems.extend(on_days_off(at, name, sweep, &cron));
                problems.extend(at_clock_changes(at, name, sweep, &cron));
                problems.extend(all_day_long(at, name, sweep, &cron));
            }
            Err(error) => problems.push(cron_mistake(at, name, sweep, error.column, &error.what)),
        }
        let stays = sweep.action.as_ref().is_some_and(|action| !moves(at, sweep, action));
        if sweep.when.is_none() && sweep.limit.is_none() && stays {
            problems.push(at.problem("E701", &format!("sweeps.{name}.do")).with("sweep", name));
        }
        if sweep.if_missed == IfMissed::RunEach && !sweep.tell.is_empty() {
            problems.push(at.problem("E703", &format!("sweeps.{name}.if_missed")).with("sweep", name));
        }
        problems.extend(as_a_ladder(at, name, sweep));
        if sweep.action.is_none() && sweep.tell.is_empty() && sweep.creates.is_none() {
            problems.push(at.problem("E701", &format!("sweeps.{name}@")).variant("nothing").with("sweep", name));
        }
    }
    problems
}

fn cron_mistake(at: &Checked, name: &Name, sweep: &Sweep, column: u32, mistake: &CronMistake) -> Problem {
    let mut problem = at.problem("E513", &format!("sweeps.{name}.cron")).with("cron", &sweep.cron);
    // the value's place counts from its quotation mark, if it has one
    let length = sweep.cron.chars().count() as u32;
    let quoted = u32::from(problem.place.length == length + 2);
    if problem.place.length == length + 2 * quoted && !matches!(mistake, CronMistake::NotFiveFields(_)) {
        let field = sweep.cron.chars().skip(column as usize - 1).take_while(|letter| !letter.is_whitespace()).count();
        problem.place.column += quoted + column - 1;
        problem.place.length = field.max(1) as u32;
    }
    match mistake {
        CronMistake::NotFiveFields(count) => problem.variant("fields").with("count", count),
        CronMistake::BadField(field) => problem.variant("field").with("field", field),
        CronMistake::NeverFires => problem,
    }
}

/// The action changes something: otherwise the same items are gone through again and again for nothing.
fn moves(at: &Checked, sweep: &Sweep, action: &Name) -> bool {
    let over = sweep.over.as_ref();
    let own = at.acts_of(over).find(|act| act.name == action).or_else(|| at.acts_of(None).find(|act| act.name == action));
    own.is_none_or(|act| {
        let moves = act.targets().iter().any(|(to, _)| to.is_some());
        let acts = |effects: &Effects| {
            !effects.set.is_empty()
                || !effects.open.is_empty()
                || !effects.tell.is_empty()
                || !effects.then_try.is_empty()
                || !effects.errands.is_empty()
        };
        moves || act.effects().iter().any(|(effects, _)| acts(effects) || !effects.cancel.is_empty() || !effects.do_on.is_empty())
    })
}

/// W515: mails of which nearly all would leave on a day off.
fn on_days_off(at: &Checked, name: &Name, sweep: &Sweep, cron: &Cron) -> Option<Problem> {
    let calendar = at.calendar.filter(|_| !sweep.tell.is_empty())?;
    let years = &calendar.data().years;
    let first = Date::from_ymd_opt(*years.keys().next()?, 1, 1)?;
    let zone = at.workflow.timezone;
    let slots = cron.slots(zone, start_of_day(first, zone), start_of_day(calendar.known_until(), zone), 400);
    let off = slots.iter().filter(|slot| !calendar.is_working_day(day_of(slot.at, zone))).count();
    (!slots.is_empty() && off * 10 >= slots.len() * 9)
        .then(|| at.problem("W515", &format!("sweeps.{name}.cron")).with("sweep", name).with("cron", &sweep.cron))
}

/// W514: once a year the clock skips or repeats this hour.
fn at_clock_changes(at: &Checked, name: &Name, sweep: &Sweep, cron: &Cron) -> Option<Problem> {
    let years = &at.calendar?.data().years;
    let zone = at.workflow.timezone;
    let first = start_of_day(Date::from_ymd_opt(*years.keys().next()?, 1, 1)?, zone);
    let changed = cron.first_at_a_clock_change(zone, first, MOST_FIRINGS)?;
    let problem = at.problem("W514", &format!("sweeps.{name}.cron")).with("sweep", name).with("cron", &sweep.cron);
    Some(problem.with("at", changed.format("%Y-%m-%d %H:%M")))
}

/// Firings that are looked at: two years of daily ones. What fires every hour is not lost with one of them.
const MOST_FIRINGS: usize = 800;

/// W704: a round looks at every open item, whatever its condition says; one that comes all day long costs more than all that falls due.
fn all_day_long(at: &Checked, name: &Name, sweep: &Sweep, cron: &Cron) -> Option<Problem> {
    let zone = at.workflow.timezone;
    let from = start_of_day(Date::from_ymd_opt(*at.calendar?.data().years.keys().next()?, 1, 1)?, zone);
    let first = cron.next(zone, from)?.at;
    let slots = cron.slots(zone, first, first + TimeDelta::days(1), MOST_A_DAY + 1);
    let often = slots.len() > MOST_A_DAY;
    often.then(|| at.problem("W704", &format!("sweeps.{name}.cron")).with("sweep", name).with("cron", &sweep.cron).with("most", MOST_A_DAY))
}

/// Every hour; what has to come sooner is for a ladder, which asks only for what is due.
const MOST_A_DAY: usize = 24;

/// W702: what a rung does for each deadline in its time, a round would do again.
fn as_a_ladder(at: &Checked, name: &Name, sweep: &Sweep) -> Option<Problem> {
    let deadlines = at.workflow.deadlines.iter().filter(|(_, deadline)| deadline.branch == sweep.over);
    let rungs = deadlines.flat_map(|(name, deadline)| deadline.ladder.iter().map(move |rung| (name, rung)));
    for (deadline, rung) in rungs {
        let done = sweep.action.as_ref().filter(|action| rung.action.as_ref() == Some(*action));
        let (key, what) = match (done, sweep.tell.iter().position(|notice| rung.tell.contains(notice))) {
            (Some(action), _) => (format!("sweeps.{name}.do"), action),
            (None, Some(index)) => (format!("sweeps.{name}.tell[{index}]"), &sweep.tell[index]),
            (None, None) => continue,
        };
        return Some(at.problem("W702", &key).with("sweep", name).with("deadline", deadline).with("rung", &rung.rung).with("what", what));
    }
    None
}
