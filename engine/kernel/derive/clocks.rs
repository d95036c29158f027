//! Clocks: when the cycles of each deadline start, pause, are extended and end, fact by fact.

use super::fold::Moved;
use super::{due, rungs, view};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Cell, Deadline, FieldRef, Holder, LengthRule, TableRow};
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::{Clock, ClockEnd, ClockEndHow, ExtendedBy, Extension, Fired, Item, Pause};
use crate::kernel::model::value::Value;
use crate::kernel::rules::{EvalError, Rules, View};
use std::sync::Arc;

/// Carries every clock past a fact whose outcomes are already applied.
pub fn advance(rules: &Rules, item: &mut Item, fact: &Fact, moved: &Moved) -> Result<(), EvalError> {
    mark_fired(item, fact);
    let holds_up = moved.request || !moved.states.is_empty();
    for (name, deadline) in &rules.setting.workflow.deadlines {
        if !may_end_or_extend(item, deadline, fact, moved) {
            continue;
        }
        for holder in holders(item, deadline, fact, moved) {
            end(item, name, deadline, holder, fact, moved);
            extend(rules, item, name, deadline, holder, fact)?;
        }
    }
    reread(rules, item, fact, moved);
    for (name, holder) in starts(rules, item, fact, moved) {
        let skipped = fact.not_started.iter().any(|(deadline, branch)| *deadline == name && *branch == holder);
        if !skipped && !rules.carried.starts_later(&name, fact.recorded_at) {
            start(rules, item, &name, holder, fact);
        }
    }
    if holds_up {
        pause(rules, item, fact);
    }
    drop_ended(item, fact);
    close(rules, item, fact);
    Ok(())
}

/// Deadlines (and the branch they run on) of which this fact starts a cycle. Their `when` is not asked here.
pub fn starts(rules: &Rules, item: &Item, fact: &Fact, moved: &Moved) -> Vec<(Name, Option<u32>)> {
    let mut out = Vec::new();
    for (name, deadline) in &rules.setting.workflow.deadlines {
        let named = named(item, &deadline.starts_on, deadline, fact);
        let by_opening = names(&deadline.starts_on, "opened");
        // Most facts start nothing: then nobody has to be looked at.
        let by_moving = !moved.states.is_empty() && (by_opening || !deadline.runs_in.is_empty());
        if !named && !by_moving {
            continue;
        }
        for holder in holders(item, deadline, fact, moved) {
            let opened = by_opening && holder.is_some_and(|no| moved.opened(no));
            let entered = entered_or_left(item, deadline, holder, moved) == Some(true);
            let is_over = match holder {
                None => item.ended,
                Some(no) => item.branch(no).is_none_or(|branch| branch.ended),
            };
            if !is_over && (opened || entered || named) {
                out.push((name.clone(), holder));
            }
        }
    }
    out
}

/// Due dates, next rungs and flags of the cycles that run. Those that ended keep the date they ended with.
pub fn settle(rules: &Rules, item: &mut Item) {
    for index in 0..item.clocks.len() {
        let clock = &item.clocks[index];
        if !clock.is_running() {
            continue;
        }
        let Some(deadline) = rules.setting.workflow.deadlines.get(&clock.deadline) else { continue };
        let Some((_, dated_by)) = rules.dating(clock) else { continue };
        let fixed = clock.due.is_some() && due::stands(dated_by, clock);
        // Whatever changes a cycle takes its date or its next moment away; neither depends on the day.
        if fixed && clock.next_at.is_some() {
            continue;
        }
        let date = if fixed { clock.due.clone() } else { due::due(rules, item, clock, item.today).map(Arc::new) };
        let next_at = rungs::next_moment(rules, deadline, clock, date.as_deref());
        if clock.due != date || clock.next_at != next_at {
            let clock = Arc::make_mut(&mut item.clocks[index]);
            clock.due = date;
            clock.next_at = next_at;
        }
    }
    item.flag = item.clocks.iter().filter(|clock| clock.is_running()).filter_map(|clock| clock.flag).max();
}

/// Gives the cycles that a fact ended their last date: as its outcomes left the fields, and with all pauses closed.
fn close(rules: &Rules, item: &mut Item, fact: &Fact) {
    for index in 0..item.clocks.len() {
        let clock = &item.clocks[index];
        let Some(end) = clock.end.as_ref().filter(|end| end.seq == fact.seq) else { continue };
        if let Some(date) = due::due(rules, item, clock, end.on) {
            Arc::make_mut(&mut item.clocks[index]).due = Some(Arc::new(date));
        }
    }
}

/// The holders a fact may concern: the item, the branch it was done on, those it moved, or (done outside) every branch of the kind.
fn holders(item: &Item, deadline: &Deadline, fact: &Fact, moved: &Moved) -> Vec<Option<u32>> {
    let Some(kind) = &deadline.branch else { return vec![None] };
    let on_this_kind = fact.branch.and_then(|no| item.branch(no)).is_some_and(|branch| branch.kind == *kind);
    let concerned = |no: u32| {
        let moved_it =
            moved.states.iter().any(|(holder, _)| *holder == Some(no)) || moved.fields.iter().any(|(holder, _)| *holder == Some(no));
        if on_this_kind { fact.branch == Some(no) || moved_it } else { true }
    };
    item.branches.iter().filter(|branch| branch.kind == *kind && concerned(branch.no)).map(|branch| Some(branch.no)).collect()
}

fn names(list: &[Name], name: &str) -> bool {
    list.iter().any(|entry| &**entry == name)
}

/// Whether a list of fact names means this fact, seen from a deadline: plain names are the deadline's own branch's or the item's,
/// `KIND.action` is a branch's action seen from outside.
fn named(item: &Item, list: &[Name], deadline: &Deadline, fact: &Fact) -> bool {
    if list.is_empty() {
        return false;
    }
    let Some(kind) = fact.branch.and_then(|no| item.branch(no)).map(|branch| &branch.kind) else { return names(list, &fact.name) };
    let own = deadline.branch.as_ref() == Some(kind) && names(list, &fact.name);
    own || list.iter().any(|entry| entry.strip_prefix(&**kind).and_then(|rest| rest.strip_prefix('.')) == Some(&*fact.name))
}

/// `Some(true)` when the holder came into `runs_in`, `Some(false)` when it left.
fn entered_or_left(item: &Item, deadline: &Deadline, holder: Option<u32>, moved: &Moved) -> Option<bool> {
    if deadline.runs_in.is_empty() {
        return None;
    }
    let from = moved.states.iter().find(|(moved, _)| *moved == holder).map(|(_, from)| from)?;
    let state = match holder {
        None => &item.state,
        Some(no) => &item.branch(no)?.state,
    };
    let was_in = from.as_ref().is_some_and(|from| names(&deadline.runs_in, from));
    let is_in = names(&deadline.runs_in, state);
    (was_in != is_in).then_some(is_in)
}

fn running<'a>(item: &'a mut Item, deadline: &str, holder: Option<u32>) -> Option<&'a mut Clock> {
    let clock = item.clocks.iter_mut().rev().find(|clock| &*clock.deadline == deadline && clock.branch == holder)?;
    clock.is_running().then(|| Arc::make_mut(clock))
}

fn stop(item: &mut Item, deadline: &str, holder: Option<u32>, fact: &Fact, how: ClockEndHow) -> bool {
    let Some(clock) = running(item, deadline, holder) else { return false };
    clock.end = Some(ClockEnd { seq: fact.seq, on: fact.effective_on, how });
    clock.next_at = None;
    for pause in &mut clock.pauses {
        pause.to.get_or_insert(fact.effective_on);
    }
    // The date is given once more, with its pauses closed.
    clock.due = None;
    true
}

fn end(item: &mut Item, name: &Name, deadline: &Deadline, holder: Option<u32>, fact: &Fact, moved: &Moved) {
    if named(item, &deadline.ends_on, deadline, fact) || entered_or_left(item, deadline, holder, moved) == Some(false) {
        stop(item, name, holder, fact, ClockEndHow::Done);
    }
}

fn start(rules: &Rules, item: &mut Item, name: &Name, holder: Option<u32>, fact: &Fact) {
    let Some(deadline) = rules.setting.workflow.deadlines.get(name) else { return };
    stop(item, name, holder, fact, ClockEndHow::Replaced);
    let latest = item.clock(name, holder);
    let (cycle, run) = latest.map_or((1, 1), |clock| (clock.cycle + 1, clock.run + 1));
    let kept = rules.carried.kept_for(name, fact.recorded_at);
    let then = kept.and_then(|index| rules.carried.kept.get(index));
    let then = then.and_then(|kept| Some((&*kept.rules, kept.rules.setting.workflow.deadlines.get(&kept.was)?)));
    let (dating, dated_by) = then.unwrap_or((rules, deadline));
    let anchor = dated_by.anchor.as_ref().and_then(|field| read(item, holder, field)).and_then(Value::as_date).unwrap_or(fact.effective_on);
    let rule = answer_tables(dating, item, holder, &dated_by.length);
    item.clocks.push(Arc::new(Clock {
        deadline: name.clone(),
        branch: holder,
        cycle,
        run,
        anchor,
        started_seq: fact.seq,
        started_by: fact.name.clone(),
        started_on: fact.effective_on,
        started_at: fact.recorded_at,
        rule,
        kept,
        extensions: Vec::new(),
        pauses: Vec::new(),
        fired: Vec::new(),
        next_at: None,
        end: None,
        times_extended: 0,
        paused: false,
        quiet: false,
        due: None,
        flag: None,
    }));
}

/// Whether a fact may end or extend a cycle of a deadline, whoever holds it.
fn may_end_or_extend(item: &Item, deadline: &Deadline, fact: &Fact, moved: &Moved) -> bool {
    let extends = |entry: &Name| named(item, std::slice::from_ref(entry), deadline, fact);
    (!moved.states.is_empty() && !deadline.runs_in.is_empty())
        || named(item, &deadline.ends_on, deadline, fact)
        || deadline.extended_to.iter().any(|(entry, _)| extends(entry))
        || deadline.extended_by.iter().any(|(entry, _)| extends(entry))
}

/// An extension opens a cycle of the same run.
fn extend(rules: &Rules, item: &mut Item, name: &Name, deadline: &Deadline, holder: Option<u32>, fact: &Fact) -> Result<(), EvalError> {
    let by = |list: &[(Name, _)]| list.iter().position(|(entry, _)| named(item, std::slice::from_ref(entry), deadline, fact));
    let to: Vec<(Name, ())> = deadline.extended_to.iter().map(|(name, _)| (name.clone(), ())).collect();
    let added: Vec<(Name, ())> = deadline.extended_by.iter().map(|(name, _)| (name.clone(), ())).collect();
    let (to, added) = (by(&to), by(&added));
    if to.is_none() && added.is_none() {
        return Ok(());
    }
    if running(item, name, holder).is_none() {
        return Ok(());
    }
    let extension = match (to, added) {
        (Some(index), _) => {
            let (by, rule) = extended_to(rules, item, name, holder, &deadline.extended_to[index]);
            let rule = answer_tables(by, item, holder, rule);
            rule.map(|rule| Extension { seq: fact.seq, rule: due::text_of(&rule), by: ExtendedBy::To(rule) })
        }
        (None, Some(index)) => {
            let expr = &deadline.extended_by[index].1;
            let snapshot = Arc::new(item.clone());
            let view = View { input: Arc::new(fact.input.clone()), today: fact.effective_on, ..view(rules, &snapshot, fact.branch) };
            match rules.scripts.eval(expr, &view)? {
                Value::Length(length) => Some(Extension { seq: fact.seq, rule: length.to_string(), by: ExtendedBy::Length(length) }),
                _ => None,
            }
        }
        (None, None) => None,
    };
    next_cycle(item, name, holder, fact, extension);
    Ok(())
}

/// The new length of an extension, as the rules have it that date the run.
fn extended_to<'a>(
    rules: &'a Rules,
    item: &Item,
    name: &str,
    holder: Option<u32>,
    (fact, rule): &'a (Name, LengthRule),
) -> (&'a Rules, &'a LengthRule) {
    let dated_by = item.clock(name, holder).filter(|clock| clock.kept.is_some()).and_then(|clock| rules.dating(clock));
    let then = dated_by.and_then(|(by, deadline)| Some((by, &deadline.extended_to.iter().find(|(entry, _)| entry == fact)?.1)));
    then.unwrap_or((rules, rule))
}

/// A new value of a field from which a running cycle has its date (`until`, in its length or in its cap) opens a cycle of the same run.
fn reread(rules: &Rules, item: &mut Item, fact: &Fact, moved: &Moved) {
    if moved.fields.is_empty() {
        return;
    }
    let mut concerned = Vec::new();
    for clock in item.clocks.iter().filter(|clock| clock.is_running()) {
        let Some((_, deadline)) = rules.dating(clock) else { continue };
        let has_moved = |field: &FieldRef| {
            let of = if field.of == Holder::Task { clock.branch } else { None };
            moved.fields.iter().any(|(holder, name)| *holder == of && *name == field.field)
        };
        // An extension by the same fact has opened one already.
        let is_new = item.clocks.iter().any(|old| {
            old.deadline == clock.deadline && old.branch == clock.branch && old.end.as_ref().is_some_and(|end| end.seq == fact.seq)
        });
        if !is_new && due::rules_in_use(deadline, clock).flat_map(until_fields).any(has_moved) {
            concerned.push((clock.deadline.clone(), clock.branch));
        }
    }
    for (name, holder) in concerned {
        next_cycle(item, &name, holder, fact, None);
    }
}

fn next_cycle(item: &mut Item, name: &Name, holder: Option<u32>, fact: &Fact, extension: Option<Extension>) {
    let Some(clock) = running(item, name, holder) else { return };
    let old = clock.clone();
    stop(item, name, holder, fact, ClockEndHow::Replaced);
    let mut next = Clock {
        cycle: old.cycle + 1,
        started_on: fact.effective_on,
        started_at: fact.recorded_at,
        fired: Vec::new(),
        next_at: None,
        flag: None,
        due: None,
        ..old
    };
    if let Some(extension) = extension {
        next.extensions.push(extension);
        next.times_extended += 1;
    }
    item.clocks.push(Arc::new(next));
}

fn pause(rules: &Rules, item: &mut Item, fact: &Fact) {
    for index in 0..item.clocks.len() {
        let clock = &item.clocks[index];
        if !clock.is_running() {
            continue;
        }
        let Some(deadline) = rules.setting.workflow.deadlines.get(&clock.deadline) else { continue };
        let paused = stands_in(rules, item, deadline, clock.branch, &deadline.pauses_in);
        let quiet = stands_in(rules, item, deadline, clock.branch, &deadline.quiet_in);
        if paused == clock.paused && quiet == clock.quiet {
            continue;
        }
        let clock = Arc::make_mut(&mut item.clocks[index]);
        if paused && !clock.paused {
            clock.pauses.push(Pause { from: fact.effective_on, to: None, seq: fact.seq });
        } else if let (false, true, Some(pause)) = (paused, clock.paused, clock.pauses.last_mut()) {
            pause.to = Some(fact.effective_on);
        }
        clock.paused = paused;
        clock.quiet = quiet;
        clock.due = None;
    }
}

/// Whether the holder stands in one of these: states of its branch, states of the item, or a request that waits (`NAME.asked`).
fn stands_in(rules: &Rules, item: &Item, deadline: &Deadline, holder: Option<u32>, list: &[Name]) -> bool {
    let branch = holder.and_then(|no| item.branch(no));
    let states = deadline.branch.as_ref().and_then(|kind| rules.setting.workflow.branches.get(kind)).map(|branch| &branch.states);
    list.iter().any(|entry| {
        if let Some(request) = entry.strip_suffix(".asked") {
            return item.pending(request, holder).is_some() || item.pending(request, None).is_some();
        }
        match (branch, states) {
            (Some(branch), Some(states)) if states.contains_key(entry) => branch.state == *entry,
            _ => item.state == *entry,
        }
    })
}

/// Every deadline ends by itself when its item or branch ends.
fn drop_ended(item: &mut Item, fact: &Fact) {
    let over: Vec<(Name, Option<u32>)> = item
        .clocks
        .iter()
        .filter(|clock| clock.is_running())
        .filter(|clock| match clock.branch {
            None => item.ended,
            Some(no) => item.branch(no).is_none_or(|branch| branch.ended),
        })
        .map(|clock| (clock.deadline.clone(), clock.branch))
        .collect();
    for (deadline, holder) in over {
        stop(item, &deadline, holder, fact, ClockEndHow::Dropped);
    }
}

fn mark_fired(item: &mut Item, fact: &Fact) {
    let Cause::Rung { key, flag, skipped } = &fact.cause else { return };
    let clock =
        item.clocks.iter_mut().find(|clock| clock.deadline == key.deadline && clock.branch == key.branch && clock.cycle == key.cycle);
    let Some(clock) = clock.map(Arc::make_mut) else { return };
    clock.fired.push(Fired { rung: key.rung.clone(), occurrence: key.occurrence, on: fact.effective_on, skipped: skipped.clone() });
    clock.flag = clock.flag.max(*flag);
    clock.next_at = None;
}

/// Replaces tables by what they give for the values at hand; `None` when no row matches.
pub fn answer_tables(rules: &Rules, item: &Item, holder: Option<u32>, rule: &LengthRule) -> Option<LengthRule> {
    match rule {
        LengthRule::Table(name) => {
            let table = rules.setting.workflow.tables.get(name)?;
            let row = table.rows.iter().find(|row| matches(item, holder, row))?;
            match &row.gives {
                LengthRule::Table(_) => None,
                gives => Some(gives.clone()),
            }
        }
        LengthRule::EarliestOf(parts) => {
            Some(LengthRule::EarliestOf(parts.iter().filter_map(|part| answer_tables(rules, item, holder, part)).collect()))
        }
        other => Some(other.clone()),
    }
}

/// Whether a table's row fits the item's (and branch's) values.
pub fn matches(item: &Item, holder: Option<u32>, row: &TableRow) -> bool {
    row.cells.iter().all(|(field, cell)| {
        let value = read(item, holder, field).unwrap_or(&Value::Empty);
        match (cell, value) {
            (Cell::Any, _) => true,
            (Cell::OneOf(values), value) => values.contains(value),
            (Cell::AtLeast(least), Value::Number(number)) => number >= least,
            (Cell::Range(low, high), Value::Number(number)) => low <= number && number <= high,
            _ => false,
        }
    })
}

fn read<'a>(item: &'a Item, holder: Option<u32>, field: &FieldRef) -> Option<&'a Value> {
    match field.of {
        Holder::Item => item.fields.get(&field.field),
        Holder::Task => item.branch(holder?)?.fields.get(&field.field),
        Holder::Input => None,
    }
}

fn until_fields(rule: &LengthRule) -> Vec<&FieldRef> {
    match rule {
        LengthRule::Until(field) => vec![field],
        LengthRule::EarliestOf(parts) => parts.iter().flat_map(until_fields).collect(),
        _ => Vec::new(),
    }
}
