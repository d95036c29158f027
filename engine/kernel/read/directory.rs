//! `directory.yaml` and `directory/*.yaml`: units, committees and persons with their dated duties.

use super::keys;
use super::reader::{Reader, Row};
use super::tree::{Content, Node};
use crate::kernel::model::Name;
use crate::kernel::model::directory::{Dated, Directory, DutyIn, Person, Unit};
use crate::kernel::model::problem::{Places, Problem};
use crate::kernel::time::Date;

/// The units and persons of all files together; the same id twice is a doubled key, also in two files.
pub fn read(roots: &[Node], problems: &mut Vec<Problem>) -> (Directory, Places) {
    let mut reader = Reader::default();
    let mut places = Places::default();
    let mut directory = Directory::default();
    for root in roots {
        root.record(&mut places);
        let Some(row) = reader.row(root, &keys::DIRECTORY) else { continue };
        for (id, node) in row.get("units").map(|node| reader.named(node)).unwrap_or_default() {
            match directory.units.contains_key(&id) {
                true => doubled(&mut reader, &id, node),
                false => directory.units.extend(unit(&mut reader, node).map(|unit| (id, unit))),
            }
        }
        for (id, node) in row.get("persons").map(|node| reader.named(node)).unwrap_or_default() {
            match directory.persons.contains_key(&id) {
                true => doubled(&mut reader, &id, node),
                false => directory.persons.extend(person(&mut reader, node).map(|person| (id, person))),
            }
        }
    }
    problems.append(&mut reader.problems);
    (directory, places)
}

fn doubled(reader: &mut Reader, id: &Name, node: &Node) {
    reader.problems.push(Problem::new("E002", node.at.clone()).with("name", id));
}

fn unit(reader: &mut Reader, node: &Node) -> Option<Unit> {
    let row = reader.row(node, &keys::UNIT)?;
    let also = row.get("also").map(|node| reader.list(node)).unwrap_or_default();
    Some(Unit {
        title: reader.need_text(row, "title"),
        also: also.iter().filter_map(|node| reader.text(node)).collect(),
        kind: name_at(reader, row, "kind"),
        parent: relation(reader, row, "parent"),
        committee: relation(reader, row, "committee"),
        formerly: formerly(reader, row),
        merged_into: row.get("merged_into").and_then(|node| merged(reader, node)),
        phone: phone(reader, row),
    })
}

/// A unit for all days, or rows with their days.
fn relation(reader: &mut Reader, row: Row, key: &str) -> Vec<Dated<Name>> {
    let Some(node) = row.get(key) else { return Vec::new() };
    if !matches!(node.content, Content::List(_)) {
        return reader.name(node).map(Dated::always).into_iter().collect();
    }
    let mut rows: Vec<Dated<Name>> = Vec::new();
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::RELATION) else { continue };
        let (from, to) = days(reader, row);
        let Some(value) = reader.need(row, "is").and_then(|node| reader.name(node)) else { continue };
        let twice = |other: &Dated<Name>| {
            from.unwrap_or(Date::MIN) <= other.to.unwrap_or(Date::MAX) && other.from.unwrap_or(Date::MIN) <= to.unwrap_or(Date::MAX)
        };
        if let Some(other) = rows.iter().find(|other| twice(other)) {
            let problem = Problem::new("E112", node.at.clone()).variant("two_at_once");
            reader.problems.push(problem.with("name", &value).with("other", &other.value));
        }
        rows.push(Dated { value, from, to });
    }
    rows.sort_by_key(|row| row.from.unwrap_or(Date::MIN));
    for pair in rows.windows(2) {
        let ends = pair[0].to.and_then(|to| to.succ_opt());
        if let (Some(ends), Some(begins)) = (ends, pair[1].from)
            && ends < begins
        {
            let problem = Problem::new("E112", node.at.clone()).variant("gap").with("name", &pair[1].value);
            reader.problems.push(problem.with("from", ends).with("to", begins));
        }
    }
    rows
}

/// Earlier titles, the oldest first: each holds up to its day, from the day after the one before it.
fn formerly(reader: &mut Reader, row: Row) -> Vec<Dated<String>> {
    let nodes = row.get("formerly").map(|node| reader.list(node)).unwrap_or_default();
    let mut rows: Vec<Dated<String>> = Vec::new();
    for node in nodes {
        let Some(row) = reader.row(node, &keys::FORMERLY) else { continue };
        let value = reader.need_text(row, "title");
        let Some(to) = reader.need(row, "to").and_then(|node| reader.date(node)) else { continue };
        let before = rows.last().and_then(|row| row.to);
        if let Some(before) = before.filter(|before| *before >= to) {
            let problem = Problem::new("E007", node.place.clone()).variant("order");
            reader.problems.push(problem.with("from", before).with("to", to));
        }
        rows.push(Dated { value, from: before.and_then(|day| day.succ_opt()), to: Some(to) });
    }
    rows
}

fn merged(reader: &mut Reader, node: &Node) -> Option<Dated<Name>> {
    let row = reader.row(node, &keys::MERGED)?;
    let value = reader.need(row, "unit").and_then(|node| reader.name(node));
    let from = reader.need(row, "from").and_then(|node| reader.date(node));
    Some(Dated { value: value?, from: Some(from?), to: None })
}

fn person(reader: &mut Reader, node: &Node) -> Option<Person> {
    let row = reader.row(node, &keys::PERSON)?;
    let mut person = Person {
        title: reader.need_text(row, "title"),
        mail: row.get("mail").and_then(|node| reader.text(node)),
        phone: phone(reader, row),
        groups: Vec::new(),
        duties: Vec::new(),
        stand_in: Vec::new(),
    };
    for node in row.get("groups").map(|node| reader.list(node)).unwrap_or_default() {
        if !matches!(node.content, Content::Map(_)) {
            person.groups.extend(reader.name(node).map(Dated::always));
            continue;
        }
        let Some(row) = reader.row(node, &keys::GROUP) else { continue };
        let (from, to) = days(reader, row);
        person.groups.extend(reader.need(row, "group").and_then(|node| reader.name(node)).map(|value| Dated { value, from, to }));
    }
    for node in row.get("duties").map(|node| reader.list(node)).unwrap_or_default() {
        let Some(row) = reader.row(node, &keys::DUTY) else { continue };
        let (from, to) = days(reader, row);
        let duty = reader.need(row, "duty").and_then(|node| reader.name(node));
        let unit = reader.need(row, "unit").and_then(|node| reader.name(node));
        if let (Some(duty), Some(unit)) = (duty, unit) {
            person.duties.push(Dated { value: DutyIn { duty, unit }, from, to });
        }
    }
    for node in row.get("stand_in").map(|node| reader.list(node)).unwrap_or_default() {
        let Some(row) = reader.row(node, &keys::STAND_IN) else { continue };
        let (from, to) = days(reader, row);
        person.stand_in.extend(reader.need(row, "person").and_then(|node| reader.name(node)).map(|value| Dated { value, from, to }));
    }
    Some(person)
}

fn days(reader: &mut Reader, row: Row) -> (Option<Date>, Option<Date>) {
    let from = row.get("from").and_then(|node| reader.date(node));
    let to = row.get("to").and_then(|node| reader.date(node));
    if let (Some(first), Some(last), Some(node)) = (from, to, row.get("to")) {
        if last < first {
            reader.problems.push(Problem::new("E007", node.place.clone()).variant("order").with("from", first).with("to", last));
        }
    }
    (from, to)
}

fn name_at(reader: &mut Reader, row: Row, key: &str) -> Option<Name> {
    row.get(key).and_then(|node| reader.name(node))
}

/// Telephone numbers are often written bare.
fn phone(reader: &mut Reader, row: Row) -> Option<String> {
    match row.get("phone").map(|node| (node, &node.content)) {
        Some((_, Content::Number(number))) => Some(number.to_string()),
        Some((node, _)) => reader.text(node),
        None => None,
    }
}
