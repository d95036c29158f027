//! `roles`: who people are, through the directory and the fields.

use super::keys;
use super::phrase;
use super::reader::Reader;
use super::tree::{Content, Node};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Role, Scope, UnitPath, Wants, Who, WhoCase};

pub fn read(reader: &mut Reader, world: &World, name: &Name, node: &Node) -> Option<Role> {
    let row = reader.row(node, &keys::ROLE)?;
    let title = reader.need_text(row, "title");
    // `task` in a condition is a branch in which the role acts.
    let branch = world.branches.iter().find(|(_, branch)| branch.roles.contains(name)).map(|(branch, _)| branch.clone());
    let scope = Scope { branch, ..Scope::default() };
    let cases = reader.need(row, "who").map(|node| cases(reader, node, &scope)).unwrap_or_default();
    Some(Role { title, who: cases })
}

fn cases(reader: &mut Reader, node: &Node, scope: &Scope) -> Vec<WhoCase> {
    match &node.content {
        Content::List(nodes) => nodes.iter().filter_map(|node| case(reader, node, scope)).collect(),
        _ => case(reader, node, scope).into_iter().collect(),
    }
}

fn case(reader: &mut Reader, node: &Node, scope: &Scope) -> Option<WhoCase> {
    if !matches!(node.content, Content::Map(_)) {
        return reader.phrase(node, "who", who).map(|who| WhoCase { who, when: None });
    }
    let row = reader.row(node, &keys::WHO_CASE)?;
    let when = row.get("when").and_then(|node| reader.expr(node, scope, Wants::Condition));
    let who = reader.need(row, "is").and_then(|node| reader.phrase(node, "who", who))?;
    Some(WhoCase { who, when })
}

/// `group G`, `person item.FIELD`, `DUTY of UNIT`, `system`.
fn who(text: &str) -> Option<Who> {
    let text = text.trim();
    if text == "system" {
        return Some(Who::System);
    }
    if let Some(group) = text.strip_prefix("group ") {
        let group = group.trim();
        return (!group.is_empty() && !group.contains(' ')).then(|| Who::Group(group.into()));
    }
    if let Some(field) = text.strip_prefix("person ") {
        return phrase::field(field.trim()).map(Who::Person);
    }
    let (duty, unit) = text.split_once(" of ")?;
    let duty = duty.trim();
    (!duty.is_empty() && !duty.contains(' ')).then_some(())?;
    Some(Who::Duty(duty.into(), unit_path(unit.trim())?))
}

fn unit_path(text: &str) -> Option<UnitPath> {
    if let Some(rest) = text.strip_prefix("committee of ") {
        return unit_path(rest.trim()).map(|unit| UnitPath::CommitteeOf(Box::new(unit)));
    }
    if let Some(rest) = text.strip_prefix("parent of ") {
        return unit_path(rest.trim()).map(|unit| UnitPath::ParentOf(Box::new(unit)));
    }
    if let Some(unit) = text.strip_prefix("unit ") {
        let unit = unit.trim();
        return (!unit.is_empty() && !unit.contains(' ')).then(|| UnitPath::Named(unit.into()));
    }
    phrase::field(text).map(UnitPath::Field)
}
