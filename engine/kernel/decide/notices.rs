//! Who is told: the notices of a decision, one per cause and person.

use super::capture;
use super::perform::Work;
use crate::kernel::calendar::window::{day_of, next_opening};
use crate::kernel::derive::roles;
use crate::kernel::derive::rungs::Phase;
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Notice, OwedBy};
use crate::kernel::model::definition::{self, Recipient};
use crate::kernel::model::fact::{Outcome, RungKey};
use crate::kernel::model::item::Item;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Date;
use serde_json::Value as Json;
use std::collections::HashMap;
use std::sync::Arc;

/// A notice to be told, not yet addressed.
#[derive(Clone, Debug)]
pub struct Tell {
    notice: Name,
    seq: u64,
    task: Option<u32>,
    rung: Option<(RungKey, Phase, Option<Date>)>,
    /// The slot of a sweep, for lists over many items.
    slot: Option<String>,
}

impl Tell {
    pub fn of_fact(notice: &Name, seq: u64, task: Option<u32>) -> Self {
        Tell { notice: notice.clone(), seq, task, rung: None, slot: None }
    }

    pub fn of_rung(notice: &Name, seq: u64, key: &RungKey, phase: Phase, due: Option<Date>) -> Self {
        Tell { notice: notice.clone(), seq, task: key.branch, rung: Some((key.clone(), phase, due)), slot: None }
    }

    pub fn of_sweep(notice: &Name, seq: u64, task: Option<u32>, sweep: &str, slot: &str) -> Self {
        let slot = slot.split('#').next().unwrap_or(slot);
        Tell { notice: notice.clone(), seq, task, rung: None, slot: Some(format!("{sweep}/{slot}")) }
    }
}

/// Addresses everything told in the decision, and records in each fact who was told.
pub fn of(work: &mut Work) -> Result<Vec<Notice>, EvalError> {
    let tells = std::mem::take(&mut work.tells);
    // Several rungs of one cycle at once are a catch-up: one mail per person and deadline.
    let mut rungs_per_clock: HashMap<(Name, Option<u32>, u32), Vec<&RungKey>> = HashMap::new();
    for (key, ..) in tells.iter().filter_map(|tell| tell.rung.as_ref()) {
        let rungs = rungs_per_clock.entry((key.deadline.clone(), key.branch, key.cycle)).or_default();
        if !rungs.contains(&key) {
            rungs.push(key);
        }
    }
    let mut out = Vec::new();
    for tell in &tells {
        let Some(declared) = work.rules.setting.workflow.notices.get(&tell.notice) else { continue };
        for task in targets(work, tell, declared) {
            let clock = tell.rung.as_ref().map(|(key, ..)| (key.deadline.clone(), key.branch, key.cycle));
            let catch_up = clock.is_some_and(|clock| rungs_per_clock.get(&clock).is_some_and(|rungs| rungs.len() > 1));
            address(work, tell, declared, task, catch_up, &mut out)?;
        }
    }
    for notice in &out {
        let Some(fact) = work.facts.iter_mut().find(|fact| fact.seq == notice.seq) else { continue };
        match fact.told.iter_mut().find(|(name, _)| *name == notice.notice) {
            Some((_, persons)) => persons.push(notice.person.clone()),
            None => fact.told.push((notice.notice.clone(), vec![notice.person.clone()])),
        }
    }
    Ok(out)
}

/// With `one_mail_per`, each branch of the kind that this fact opened; else the one it was done on, or each that it cancelled; else all open ones.
fn targets(work: &Work, tell: &Tell, declared: &definition::Notice) -> Vec<Option<u32>> {
    let Some(kind) = &declared.one_mail_per else { return vec![tell.task] };
    let fact = work.facts.iter().find(|fact| fact.seq == tell.seq);
    let outcomes = fact.map_or(&[][..], |fact| &fact.outcomes);
    let opened: Vec<Option<u32>> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Open { branch, kind: opened, .. } if opened == kind => Some(Some(*branch)),
            _ => None,
        })
        .collect();
    if !opened.is_empty() {
        return opened;
    }
    let own = tell.task.and_then(|no| work.item.branch(no)).is_some_and(|branch| branch.kind == *kind);
    if own {
        return vec![tell.task];
    }
    let cancelled: Vec<Option<u32>> = outcomes
        .iter()
        .filter_map(|outcome| match outcome {
            Outcome::Cancel { branch, .. } if work.item.branch(*branch).is_some_and(|branch| branch.kind == *kind) => Some(Some(*branch)),
            _ => None,
        })
        .collect();
    if !cancelled.is_empty() {
        return cancelled;
    }
    work.item.branches.iter().filter(|branch| branch.kind == *kind && !branch.ended).map(|branch| Some(branch.no)).collect()
}

fn address(
    work: &Work,
    tell: &Tell,
    declared: &definition::Notice,
    task: Option<u32>,
    catch_up: bool,
    out: &mut Vec<Notice>,
) -> Result<(), EvalError> {
    let to = recipients(work.rules, &work.item, &declared.to, task, work.today)?;
    let main: Vec<Name> = to.iter().map(|(person, _)| person.clone()).collect();
    let mut cc = recipients(work.rules, &work.item, &declared.cc, task, work.today)?;
    cc.retain(|(person, _)| !main.contains(person));
    let fact = work.facts.iter().find(|fact| fact.seq == tell.seq);
    let rung = tell.rung.as_ref();
    let mut base =
        work.captures.then(|| capture::base(work.rules, &work.item, task, fact, rung.map(|(key, ..)| key), work.today, &declared.reads));
    let zone = work.rules.setting.workflow.timezone;
    let window = work.rules.setting.workflow.send_window;
    let not_before = next_opening(window, &work.rules.setting.calendar, zone, work.now);
    let cause = rung.map_or_else(|| format!("#{}", tell.seq), |(key, ..)| key.text());
    let place = task.map(|no| format!("@{no}")).unwrap_or_default();
    let mut add = |person: Name, role: Name, copy_of: Vec<Name>, parked: Option<Name>, base: Option<Json>| {
        let key = format!("{}/{cause}{place}/{}/{person}", work.item.id, tell.notice);
        if out.iter().any(|notice| notice.key == key) {
            return;
        }
        let bundle = match (&tell.slot, declared.bundle, catch_up, rung) {
            (Some(slot), ..) if declared.list => format!("list/{slot}/{}", tell.notice),
            (_, true, ..) => format!("day/{}", day_of(not_before, zone)),
            (_, false, true, Some((key, ..))) => {
                let branch = key.branch.map(|no| format!("#{no}")).unwrap_or_default();
                format!("late/{}/{}{branch}/{}/{}", work.item.id, key.deadline, key.cycle, tell.seq.max(work.item.rev))
            }
            _ => String::new(),
        };
        let main_addressee =
            if copy_of.is_empty() { (&person, &role) } else { to.first().map_or((&person, &role), |(person, role)| (person, role)) };
        out.push(Notice {
            values: base
                .map_or(Json::Null, |base| capture::addressed(work.rules, base, (&person, &role), main_addressee, &copy_of, work.today)),
            key,
            item: work.item.id.clone(),
            workflow: work.item.workflow.clone(),
            notice: tell.notice.clone(),
            kind: declared.kind,
            person,
            role,
            copy_of,
            branch: task,
            seq: tell.seq,
            owed_by: rung.map(|(key, ..)| OwedBy { deadline: key.deadline.clone(), branch: key.branch, cycle: key.cycle }),
            not_before,
            before_day: rung.and_then(|(_, phase, due)| due.filter(|_| *phase == Phase::Before)),
            bundle,
            parked,
        });
    };
    if to.is_empty() && !declared.to.is_empty() {
        let role = declared.to[0].role.clone();
        add("".into(), role, Vec::new(), Some("nobody".into()), base.clone());
    }
    let copies = cc.into_iter().map(|(person, role)| (person, role, main.clone()));
    let mut told = to.iter().map(|(person, role)| (person.clone(), role.clone(), Vec::new())).chain(copies).peekable();
    while let Some((person, role, copy_of)) = told.next() {
        // There is much in it, and the last one needs no copy.
        let base = if told.peek().is_some() { base.clone() } else { base.take() };
        add(person, role, copy_of, None, base);
    }
    Ok(())
}

/// Whoever holds the roles on a day, each person once with the role, a stand-in in place of who is away; `or` where nobody holds the role.
pub fn recipients(
    rules: &Rules,
    item: &Arc<Item>,
    recipients: &[Recipient],
    task: Option<u32>,
    day: Date,
) -> Result<Vec<(Name, Name)>, EvalError> {
    let mut out: Vec<(Name, Name)> = Vec::new();
    for recipient in recipients {
        let mut role = &recipient.role;
        let mut holders = roles::holders(rules, item, role, task, day)?;
        if let (true, Some(or)) = (holders.is_empty(), &recipient.or) {
            role = or;
            holders = roles::holders(rules, item, role, task, day)?;
        }
        for holder in holders {
            let person = rules.setting.directory.stand_in(&holder, day).cloned().unwrap_or(holder);
            if !out.iter().any(|(known, _)| *known == person) {
                out.push((person, role.clone()));
            }
        }
    }
    Ok(out)
}
