//! `deadlines` with their lengths and ladders.

use super::keys;
use super::phrase;
use super::reader::{Reader, nearest};
use super::tree::{Content, Node};
use super::world::World;
use crate::kernel::model::definition::{DayOff, Deadline, Flag, LengthRule, Rung, Scope, Wants};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;
use crate::kernel::time::Length;

pub const DAY_OFF: [(&str, DayOff); 3] =
    [("next_working_day", DayOff::NextWorkingDay), ("previous_working_day", DayOff::PreviousWorkingDay), ("keep", DayOff::Keep)];

pub fn read(reader: &mut Reader, world: &World, node: &Node) -> Option<Deadline> {
    let row = reader.row(node, &keys::DEADLINE)?;
    let branch = row.get("branch").and_then(|node| reader.name(node));
    let scope = Scope { branch: branch.clone(), ..Scope::default() };
    let title = reader.need_text(row, "title");
    let starts_on = reader.names_at(row, "starts_on");
    let runs_in = reader.names_at(row, "runs_in");
    if row.get("starts_on").is_none() && row.get("runs_in").is_none() {
        reader.need(row, "starts_on");
    }
    let length = reader.need(row, "length").and_then(|node| length_rule(reader, world, node));
    let mut extended_by = Vec::new();
    for (fact, node) in row.get("extended_by").map(|node| reader.named(node)).unwrap_or_default() {
        let scope = world.scope_of_fact(branch.as_ref(), &fact);
        extended_by.extend(reader.expr(node, &scope, Wants::Value(Type::Duration)).map(|length| (fact, length)));
    }
    let mut extended_to = Vec::new();
    for (fact, node) in row.get("extended_to").map(|node| reader.named(node)).unwrap_or_default() {
        extended_to.extend(length_rule(reader, world, node).map(|length| (fact, length)));
    }
    let mut closes = Vec::new();
    for (action, node) in row.get("closes").map(|node| reader.named(node)).unwrap_or_default() {
        closes.extend(reader.text(node).map(|sentence| (action, sentence)));
    }
    Some(Deadline {
        title,
        starts_on,
        ends_on: reader.names_at(row, "ends_on"),
        runs_in,
        anchor: row.get("anchor").and_then(|node| reader.phrase(node, "field", phrase::field)),
        when: reader.condition(row, "when", &scope),
        pauses_in: reader.names_at(row, "pauses_in"),
        quiet_in: reader.names_at(row, "quiet_in"),
        pauses_move_cap: reader.yes(row, "pauses_move_cap"),
        extended_by,
        extended_to,
        no_later_than: row.get("no_later_than").and_then(|node| length_rule(reader, world, node)),
        day_off: row.get("day_off").and_then(|node| reader.word(node, &DAY_OFF)),
        by_hour: row.get("by_hour").and_then(|node| reader.phrase(node, "hour", phrase::hour)),
        ladder: row.get("ladder").map(|node| ladder(reader, world, node, &scope)).unwrap_or_default(),
        closes,
        counts_as: row.get("counts_as").and_then(|node| reader.name(node)),
        of_request: false,
        branch,
        length: length?,
    })
}

/// A param, a table, a phrase, or `earliest_of` several of them.
pub fn length_rule(reader: &mut Reader, world: &World, node: &Node) -> Option<LengthRule> {
    if let Content::Map(_) = node.content {
        let row = reader.row(node, &keys::LENGTH)?;
        let parts = reader.need(row, "earliest_of")?;
        let parts = reader.list(parts);
        return Some(LengthRule::EarliestOf(parts.iter().filter_map(|node| length_rule(reader, world, node)).collect()));
    }
    reader.phrase(node, "length", |text| length_named(world, text.trim()))
}

fn length_named(world: &World, text: &str) -> Option<LengthRule> {
    if let Some(length) = phrase::length(text) {
        return Some(LengthRule::Fixed(length));
    }
    if let Some(field) = phrase::until(text) {
        return Some(LengthRule::Until(field));
    }
    if let Some((month, day, at_least)) = phrase::on_day(text) {
        return Some(LengthRule::OnDay { month, day, at_least });
    }
    if let Some((length, deadline)) = phrase::before_deadline(text) {
        return Some(LengthRule::Before(length, deadline.into()));
    }
    if !phrase::is_name(text) || phrase::with_digits(text).is_some() || Length::parse(text).is_some() {
        return None;
    }
    Some(if world.tables.contains(text) { LengthRule::Table(text.into()) } else { LengthRule::Param(text.into()) })
}

/// Rungs in the order of the file; `use NAME`, alone or among them, stands for the rungs of a shared ladder.
pub fn ladder(reader: &mut Reader, world: &World, node: &Node, scope: &Scope) -> Vec<Rung> {
    if node.text().is_some_and(|text| text.starts_with("use ")) {
        return shared(reader, world, node, scope);
    }
    let mut rungs = Vec::new();
    for node in reader.list(node) {
        match node.content {
            Content::Map(_) => rungs.extend(rung(reader, node, scope)),
            _ => rungs.extend(shared(reader, world, node, scope)),
        }
    }
    rungs
}

fn shared(reader: &mut Reader, world: &World, node: &Node, scope: &Scope) -> Vec<Rung> {
    let Some(name) = reader.phrase(node, "use", |text| text.strip_prefix("use ").map(|name| name.trim().to_string())) else {
        return Vec::new();
    };
    if let Some(rungs) = world.ladders.get(&*name) {
        return reader.list(rungs).iter().filter_map(|node| rung(reader, node, scope)).collect();
    }
    let known: Vec<&str> = world.ladders.keys().map(|name| &**name).collect();
    let near = nearest(&name, known.iter().copied());
    let problem = Problem::new("E107", node.place.clone()).with("name", &name).with("known", known.join(", "));
    reader.problems.push(match near {
        Some(near) => problem.variant("ladder_near").with("near", near),
        None => problem.variant("ladder"),
    });
    Vec::new()
}

fn rung(reader: &mut Reader, node: &Node, scope: &Scope) -> Option<Rung> {
    let row = reader.row(node, &keys::RUNG)?;
    let name = reader.need(row, "rung").and_then(|node| reader.name(node));
    let at = reader.need(row, "at").and_then(|node| reader.phrase(node, "rung", phrase::rung_at));
    let rung = Rung {
        tell: reader.names_at(row, "tell"),
        flag: row.get("flag").and_then(|node| reader.word(node, &[("amber", Flag::Amber), ("red", Flag::Red)])),
        action: row.get("do").and_then(|node| reader.name(node)),
        at_most: row.get("at_most").and_then(|node| reader.number(node)),
        when: reader.condition(row, "when", scope),
        catch_up: reader.yes(row, "catch_up"),
        path: node.path.clone(),
        rung: name?,
        at: at?,
    };
    Some(rung)
}
