//! `states` and `branches`: where an item or a part of it can stand.

use super::actions;
use super::keys;
use super::reader::Reader;
use super::tree::Node;
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Branch, OnePer, Scope, Section, State, StateKind, Wants, WhenItemEnds};

pub const ONE_PER: [(&str, OnePer); 2] = [("unit", OnePer::Unit), ("person", OnePer::Person)];

const KINDS: [(&str, StateKind); 4] =
    [("start", StateKind::Start), ("active", StateKind::Active), ("waiting", StateKind::Waiting), ("end", StateKind::End)];

pub fn state(reader: &mut Reader, node: &Node) -> Option<State> {
    let row = reader.row(node, &keys::STATE)?;
    let title = reader.need_text(row, "title");
    let kind = reader.need(row, "kind").and_then(|node| reader.word(node, &KINDS));
    Some(State {
        title,
        kind: kind.unwrap_or(StateKind::Active),
        owner: row.get("owner").and_then(|node| reader.name(node)),
        no_deadline_needed: reader.yes(row, "no_deadline_needed"),
    })
}

pub fn read(reader: &mut Reader, world: &World, name: &Name, node: &Node) -> Option<Branch> {
    let row = reader.row(node, &keys::BRANCH)?;
    let known = world.branches.get(name)?;
    let mut states = Section::default();
    for (name, node) in reader.need(row, "states").map(|node| reader.named(node)).unwrap_or_default() {
        states.extend(state(reader, node).map(|state| (name, state)));
    }
    let mut made = Section::default();
    for (action, node) in row.get("actions").map(|node| reader.named(node)).unwrap_or_default() {
        made.extend(actions::read(reader, world, &action, node, Some(name)).map(|read| (action, read)));
    }
    let scope = Scope { branch: Some(name.clone()), ..Scope::default() };
    let mut views = Section::default();
    for (view, node) in row.get("views").map(|node| reader.named(node)).unwrap_or_default() {
        views.extend(reader.expr(node, &scope, Wants::Condition).map(|condition| (view, condition)));
    }
    let ends = [("cancel", WhenItemEnds::Cancel), ("keep_open", WhenItemEnds::KeepOpen)];
    Some(Branch {
        title: reader.need_text(row, "title"),
        one_per: known.one_per,
        at_most: row.get("at_most").and_then(|node| reader.number(node)),
        fields: known.fields.clone(),
        states,
        actions: made,
        views,
        cancelled_state: row.get("cancelled_state").and_then(|node| reader.name(node)),
        when_item_ends: row.get("when_item_ends").and_then(|node| reader.word(node, &ends)).unwrap_or(WhenItemEnds::Cancel),
        visible_to: reader.names_at(row, "visible_to"),
        sealed_until: row.get("sealed_until").and_then(|node| reader.name(node)),
    })
}
