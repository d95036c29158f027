//! `imports`: how an office's list becomes items.

use super::fields;
use super::keys;
use super::reader::{Reader, Row, names_by_name};
use super::tree::{Content, Node};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Column, Import, ImportStep, Section};
use crate::kernel::model::value::Type;
use indexmap::IndexMap;

pub fn read(reader: &mut Reader, world: &World, node: &Node) -> Option<Import> {
    let row = reader.row(node, &keys::IMPORT)?;
    let title = reader.need_text(row, "title");
    let mut columns = Section::default();
    for (name, node) in reader.need(row, "columns").map(|node| reader.named(node)).unwrap_or_default() {
        columns.extend(column(reader, world, &name, node).map(|column| (name, column)));
    }
    let steps = reader.need(row, "steps").map(|node| reader.list(node)).unwrap_or_default();
    let steps = steps.iter().filter_map(|node| step(reader, node)).collect();
    let sheet = row.get("sheet").and_then(|node| reader.text(node));
    let item = row.get("item").and_then(|node| reader.name(node));
    Some(Import { title, sheet, item, columns, steps })
}

fn column(reader: &mut Reader, world: &World, name: &Name, node: &Node) -> Option<Column> {
    let row = reader.row(node, &keys::COLUMN)?;
    // The words of a list are anything that an office may write.
    let words = row.get("values").map(Node::entries).unwrap_or_default();
    let values = words.iter().filter_map(|entry| Some((entry.key.name.to_string(), reader.name(&entry.value)?))).collect();
    let kind = kind(reader, world, name, row, &values)?;
    Some(Column { headings: headings(reader, row), kind, required: reader.yes(row, "required"), values })
}

fn headings(reader: &mut Reader, row: Row) -> Vec<String> {
    match row.get("headings") {
        Some(node) => {
            let nodes = reader.list(node);
            nodes.iter().filter_map(|node| reader.text(node)).collect()
        }
        None => reader.need(row, "heading").and_then(|node| reader.text(node)).into_iter().collect(),
    }
}

/// The column's own type; without one that of the field it is called after; for a choice the options may follow from `values`.
fn kind(reader: &mut Reader, world: &World, name: &str, row: Row, values: &IndexMap<String, Name>) -> Option<Type> {
    let written = row.get("type").and_then(|node| node.text()).map(|text| &**text);
    if let (Some("choice"), None) = (written, row.get("options")) {
        let mut options: Vec<Name> = Vec::new();
        for value in values.values().filter(|value| !value.is_empty()) {
            if !options.contains(value) {
                options.push(value.clone());
            }
        }
        return Some(Type::Choice(options));
    }
    let of_field = || world.field(None, name).or_else(|| world.branches.keys().find_map(|branch| world.branch_field(branch, name)));
    match (written, of_field()) {
        (None, Some(seen)) if !matches!(row.get("type").map(|node| &node.content), Some(Content::Map(_))) => Some(seen.kind),
        _ => {
            let branches: Vec<Name> = world.branches.keys().cloned().collect();
            let field = |field: &str| {
                let of_branch = field.split_once('.').and_then(|(branch, field)| world.branch_field(branch, field));
                of_branch.or_else(|| world.field(None, field)).map(|seen| seen.kind)
            };
            fields::kind(reader, row, &branches, &field)
        }
    }
}

fn step(reader: &mut Reader, node: &Node) -> Option<ImportStep> {
    let row = reader.row(node, &keys::IMPORT_STEP)?;
    let action = reader.need(row, "do").and_then(|node| reader.name(node));
    let by = reader.need(row, "by").and_then(|node| reader.name(node));
    let on = reader.need(row, "on").and_then(|node| reader.name(node));
    let with = row.get("with").map(|node| names_by_name(reader, node)).unwrap_or_default();
    Some(ImportStep { action: action?, by: by?, on: on?, with })
}
