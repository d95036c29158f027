//! Deadlines with their ladders, params valued by date, and tables.

use super::{Clauses, Kind, Row, sorted};
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;

pub fn deadlines(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, deadline) in &speaker.workflow.deadlines {
        rows.push(one(speaker, name, deadline));
    }
}

fn one(speaker: &Speaker, name: &Name, deadline: &Deadline) -> Row {
    let of = deadline.branch.as_deref();
    let mut clauses = Clauses::titled(speaker, &deadline.title);
    if let Some(branch) = &deadline.branch {
        clauses.add("of_branch", &**branch, speaker.branch(branch));
    }
    clauses.names("starts_on", &deadline.starts_on, |speaker| speaker.facts(of, &deadline.starts_on));
    clauses.names("runs_in", &deadline.runs_in, |speaker| speaker.states(of, &deadline.runs_in));
    clauses.condition("starts_when", &deadline.when);
    if let Some(anchor) = &deadline.anchor {
        clauses.add("anchor", anchor.text(), speaker.reference(of, anchor));
    }
    clauses.add("length", format!("{:?}", deadline.length), speaker.length(of, &deadline.length));
    clauses.names("ends_on", &deadline.ends_on, |speaker| speaker.facts(of, &deadline.ends_on));
    clauses.names("pauses_in", &deadline.pauses_in, |speaker| speaker.states(of, &deadline.pauses_in));
    clauses.names("quiet_in", &deadline.quiet_in, |speaker| speaker.states(of, &deadline.quiet_in));
    clauses.on("pauses_move_cap", deadline.pauses_move_cap);
    for (fact, length) in &deadline.extended_by {
        let text = speaker.say("extended_by", &[("action", &speaker.fact(of, fact)), ("length", &speaker.expr(length))]);
        clauses.of("extended_by", &**fact, speaker.meaning(length), text);
    }
    for (fact, length) in &deadline.extended_to {
        let text = speaker.say("extended_to", &[("action", &speaker.fact(of, fact)), ("length", &speaker.length(of, length))]);
        clauses.of("extended_to", &**fact, format!("{length:?}"), text);
    }
    if let Some(cap) = &deadline.no_later_than {
        clauses.add("no_later_than", format!("{cap:?}"), speaker.length(of, cap));
    }
    if let Some(day_off) = deadline.day_off {
        clauses.add("day_off", format!("{day_off:?}"), speaker.say(day_off_key(day_off), &[]));
    }
    if let Some(hour) = deadline.by_hour {
        clauses.wording("by_hour", "", &Speaker::clock(hour));
    }
    if let Some(word) = &deadline.counts_as {
        clauses.add("counts_as", &**word, &**word);
    }
    for (action, sentence) in &deadline.closes {
        let text = speaker.say("closes", &[("action", &speaker.fact(of, action)), ("sentence", sentence)]);
        clauses.of("closes", &**action, &**action, text);
        clauses.wording("refusal", &**action, sentence);
    }
    for rung in &deadline.ladder {
        let (meaning, text) = rung_said(speaker, of, rung);
        clauses.of("rung", &*rung.rung, meaning, text);
    }
    clauses.row(Kind::Deadline, deadline.branch.as_ref(), name, speaker.deadline_title(deadline))
}

pub fn day_off_key(day_off: DayOff) -> &'static str {
    match day_off {
        DayOff::NextWorkingDay => "day_off.next",
        DayOff::PreviousWorkingDay => "day_off.previous",
        DayOff::Keep => "day_off.keep",
    }
}

fn rung_said(speaker: &Speaker, branch: Option<&str>, rung: &Rung) -> (String, String) {
    let mut done: Vec<String> = rung.tell.iter().map(|notice| speaker.say("rung.tell", &[("told", &speaker.told(notice))])).collect();
    if let Some(flag) = rung.flag {
        let word = if flag == Flag::Red { "flag.red" } else { "flag.amber" };
        done.push(speaker.say("rung.flag", &[("flag", &speaker.say(word, &[]))]));
    }
    if let Some(action) = &rung.action {
        done.push(speaker.say("rung.do", &[("action", &speaker.fact(branch, action))]));
    }
    if let Some(most) = rung.at_most {
        done.push(speaker.say("rung.at_most", &[("most", &most.to_string())]));
    }
    if rung.catch_up {
        done.push(speaker.say("rung.catch_up", &[]));
    }
    let at = speaker.when(speaker.rung_at(&rung.at), &rung.when);
    let text = speaker.say("rung.said", &[("at", &at), ("done", &done.join(&speaker.say("semicolon", &[])))]);
    let meaning = format!("{:?} {} {:?} {:?} {:?} {}", rung.at, sorted(&rung.tell), rung.flag, rung.action, rung.at_most, rung.catch_up);
    (speaker.meaning_when(meaning, &rung.when), text)
}

pub fn params(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, param) in &speaker.workflow.params {
        let mut clauses = Clauses::new(speaker);
        for row in &param.values {
            let day = row.from.to_string();
            clauses.of("value", day.clone(), format!("{:?}", row.value), speaker.value(&row.value, None));
            if let Some(source) = &row.source {
                clauses.wording("source", day, source);
            }
        }
        rows.push(clauses.row(Kind::Param, None, name, name.to_string()));
    }
}

pub fn tables(speaker: &Speaker, rows: &mut Vec<Row>) {
    for (name, table) in &speaker.workflow.tables {
        let mut clauses = Clauses::titled(speaker, &table.title);
        for row in &table.rows {
            let mut cells: Vec<String> = row.cells.iter().map(|(of, cell)| format!("{} {cell:?}", of.text())).collect();
            cells.sort();
            clauses.of("row", cells.join(", "), format!("{:?}", row.gives), speaker.table_row(row));
        }
        rows.push(clauses.row(Kind::Table, None, name, &table.title));
    }
}
