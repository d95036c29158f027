//! `notices`, `forms` and `sweeps`: what people are told, what they print, and regular rounds.

use super::actions;
use super::keys;
use super::reader::{Reader, Row};
use super::tree::{Content, Node};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Creates, ForEach, Form, IfMissed, Notice, NoticeKind, Reads, Recipient, Scope, Sweep};
use crate::kernel::model::value::Type;

const KINDS: [(&str, NoticeKind); 3] =
    [("message", NoticeKind::Message), ("reminder", NoticeKind::Reminder), ("escalation", NoticeKind::Escalation)];

pub fn notice(reader: &mut Reader, name: &Name, node: &Node) -> Option<Notice> {
    let row = reader.row(node, &keys::NOTICE)?;
    let to = reader.need(row, "to").map(|node| recipients(reader, node)).unwrap_or_default();
    Some(Notice {
        title: row.get("title").and_then(|node| reader.text(node)).unwrap_or_else(|| name.to_string()),
        kind: row.get("kind").and_then(|node| reader.word(node, &KINDS)).unwrap_or(NoticeKind::Message),
        to,
        cc: row.get("cc").map(|node| recipients(reader, node)).unwrap_or_default(),
        subject: reader.need_text(row, "subject"),
        template: row.get("template").and_then(|node| reader.name(node)).unwrap_or_else(|| name.clone()),
        one_mail_per: row.get("one_mail_per").and_then(|node| reader.name(node)),
        bundle: row.get("bundle").and_then(|node| reader.word(node, &[("per_person_per_day", true)])).unwrap_or(false),
        list: reader.yes(row, "list"),
        links: reader.names_at(row, "links"),
        reads: Reads::default(),
    })
}

pub fn form(reader: &mut Reader, name: &Name, node: &Node) -> Option<Form> {
    let row = reader.row(node, &keys::FORM)?;
    Some(Form {
        title: reader.need_text(row, "title"),
        of: row.get("of").and_then(|node| reader.name(node)),
        template: row.get("template").and_then(|node| reader.name(node)).unwrap_or_else(|| name.clone()),
        reads: Reads::default(),
    })
}

fn recipients(reader: &mut Reader, node: &Node) -> Vec<Recipient> {
    let mut people = Vec::new();
    for node in reader.list(node) {
        if !matches!(node.content, Content::Map(_)) {
            people.extend(reader.name(node).map(|role| Recipient { role, or: None }));
            continue;
        }
        let Some(row) = reader.row(node, &keys::RECIPIENT) else { continue };
        let or = row.get("or").and_then(|node| reader.name(node));
        people.extend(reader.need(row, "role").and_then(|node| reader.name(node)).map(|role| Recipient { role, or }));
    }
    people
}

pub fn sweep(reader: &mut Reader, name: &Name, node: &Node) -> Option<Sweep> {
    let row = reader.row(node, &keys::SWEEP)?;
    let over = row.get("over").and_then(|node| reader.name(node));
    let for_each = row.get("for_each").and_then(|node| reader.word(node, &[("units", ForEach::Units), ("persons", ForEach::Persons)]));
    let each = for_each.map(|each| if each == ForEach::Units { Type::Unit } else { Type::Person });
    let scope = Scope { branch: over.clone(), each, ..Scope::default() };
    let creates = creates(reader, row, for_each, &scope);
    let missed = [("run_once", IfMissed::RunOnce), ("skip", IfMissed::Skip), ("run_each", IfMissed::RunEach)];
    Some(Sweep {
        title: row.get("title").and_then(|node| reader.text(node)).unwrap_or_else(|| name.to_string()),
        cron: reader.need_text(row, "cron"),
        when: reader.condition(row, "when", &scope),
        action: row.get("do").and_then(|node| reader.name(node)),
        tell: reader.names_at(row, "tell"),
        if_missed: reader.need(row, "if_missed").and_then(|node| reader.word(node, &missed)).unwrap_or(IfMissed::RunOnce),
        limit: row.get("limit").and_then(|node| reader.number(node)),
        over,
        creates,
    })
}

/// `for_each: units` with `creates: { do, id, with }`: neither is anything without the other.
fn creates(reader: &mut Reader, row: Row, for_each: Option<ForEach>, scope: &Scope) -> Option<Creates> {
    if row.get("creates").is_none() && row.get("for_each").is_none() {
        return None;
    }
    let (made, _) = (reader.need(row, "creates"), reader.need(row, "for_each"));
    let row = reader.row(made?, &keys::CREATES)?;
    let action = reader.need(row, "do").and_then(|node| reader.name(node));
    let id = reader.need_text(row, "id");
    let with = row.get("with").map(|node| actions::values(reader, node, scope)).unwrap_or_default();
    Some(Creates { for_each: for_each?, action: action?, id, with })
}
