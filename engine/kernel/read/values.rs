//! `tables`, `params` and `functions`: values by cases, numbers the law sets, and conditions written in Rhai.

use super::deadlines::length_rule;
use super::fields;
use super::keys;
use super::phrase;
use super::reader::{Reader, Row, nearest};
use super::tree::{Content, Node};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Cell, Function, Param, ParamValue, Section, Table, TableRow};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::{Type, Value};

pub fn table(reader: &mut Reader, world: &World, name: &Name, node: &Node) -> Option<Table> {
    let row = reader.row(node, &keys::TABLE)?;
    let title = row.get("title").and_then(|node| reader.text(node)).unwrap_or_else(|| name.to_string());
    let rows = reader.need(row, "rows").map(|node| reader.list(node)).unwrap_or_default();
    let rows = rows.iter().filter_map(|node| table_row(reader, world, node)).collect();
    Some(Table { title, rows })
}

fn table_row(reader: &mut Reader, world: &World, node: &Node) -> Option<TableRow> {
    if !matches!(node.content, Content::Map(_)) {
        reader.wrong(node, "@check.kind.mapping");
        return None;
    }
    let mut cells = Vec::new();
    for entry in node.entries().iter().filter(|entry| &*entry.key.name != "gives") {
        let Some(field) = phrase::field(&entry.key.name) else {
            let problem =
                Problem::new("E005", entry.key.place.clone()).with("key", &entry.key.name).with("known", "item.FIELD, task.FIELD, gives");
            let near = nearest(&entry.key.name, ["gives"].into_iter());
            reader.problems.push(match near {
                Some(near) => problem.variant("near").with("near", near),
                None => problem,
            });
            continue;
        };
        let kind =
            world.type_of(&field, None, &[]).or_else(|| world.branches.keys().find_map(|branch| world.type_of(&field, Some(branch), &[])));
        cells.extend(cell(reader, &entry.value, kind.as_ref()).map(|cell| (field, cell)));
    }
    let gives = reader.need(Row::of(node), "gives").and_then(|node| length_rule(reader, world, node))?;
    Some(TableRow { cells, gives })
}

/// `any`, a value, `N or more`, `N to M`, `a or b`, and the same in Chinese.
fn cell(reader: &mut Reader, node: &Node, kind: Option<&Type>) -> Option<Cell> {
    match &node.content {
        Content::Number(number) => return Some(Cell::OneOf(vec![one(&number.to_string(), kind)])),
        Content::Bool(value) => return Some(Cell::OneOf(vec![Value::Bool(*value)])),
        _ => {}
    }
    let text = reader.text(node)?;
    let text = text.trim();
    if matches!(text, "any" | "任意") {
        return Some(Cell::Any);
    }
    let number = |text: &str| text.trim().parse::<i64>().ok();
    let least = text.strip_suffix("or more").or_else(|| text.strip_suffix("及以上")).or_else(|| text.strip_suffix("以上"));
    if let Some(least) = least.and_then(number) {
        return Some(Cell::AtLeast(least));
    }
    let range = text.split_once(" to ").or_else(|| text.split_once('至')).or_else(|| text.split_once('到'));
    if let Some((Some(from), Some(to))) = range.map(|(from, to)| (number(from), number(to))) {
        return Some(Cell::Range(from, to));
    }
    let separator = if text.contains(" or ") { " or " } else { "或" };
    let whole_is_option = matches!(kind, Some(Type::Choice(options)) if options.iter().any(|option| **option == *text));
    let values = if whole_is_option { vec![one(text, kind)] } else { text.split(separator).map(|part| one(part.trim(), kind)).collect() };
    Some(Cell::OneOf(values))
}

fn one(text: &str, kind: Option<&Type>) -> Value {
    let number = text.parse::<i64>().ok().filter(|_| !matches!(kind, Some(Type::Choice(_) | Type::Text)));
    match (number, kind) {
        (Some(number), _) => Value::Number(number),
        (None, Some(Type::Date)) => phrase::date(text).map_or_else(|| Value::text(text), Value::Date),
        (None, Some(Type::Duration)) => phrase::length(text).map_or_else(|| Value::text(text), Value::Length),
        _ => Value::text(text),
    }
}

pub fn param(reader: &mut Reader, node: &Node) -> Option<Param> {
    let mut values: Vec<ParamValue> = Vec::new();
    let mut kind = None;
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::PARAM) else { continue };
        let from = reader.need(row, "from").and_then(|node| reader.date(node));
        let value = reader.need(row, "value").and_then(|node| param_value(reader, node));
        let source = row.get("source").and_then(|node| reader.text(node));
        let (Some(from), Some((value, of))) = (from, value) else { continue };
        if values.iter().any(|row| row.from == from) {
            let place = row.get("from").map_or(node.place.clone(), |node| node.place.clone());
            reader.problems.push(Problem::new("E002", place).variant("param").with("name", from));
            continue;
        }
        if *kind.get_or_insert(of.clone()) != of {
            let place = row.get("value").map_or(node.place.clone(), |node| node.place.clone());
            reader.problems.push(Problem::new("E007", place).variant("param"));
            continue;
        }
        values.push(ParamValue { from, value, source });
    }
    if matches!(&node.content, Content::List(rows) if rows.is_empty()) {
        reader.problems.push(Problem::new("E516", node.at.clone()));
    }
    values.sort_by_key(|row| row.from);
    kind.map(|kind| Param { kind, values })
}

fn param_value(reader: &mut Reader, node: &Node) -> Option<(Value, Type)> {
    match &node.content {
        Content::Number(number) => Some((Value::Number(*number), Type::Number)),
        Content::Bool(value) => Some((Value::Bool(*value), Type::YesNo)),
        Content::Text(text) => Some(match (phrase::length(text), phrase::date(text)) {
            (Some(length), _) => (Value::Length(length), Type::Duration),
            (_, Some(date)) => (Value::Date(date), Type::Date),
            _ if phrase::with_digits(text).is_some() || text.starts_with(|sign: char| sign.is_ascii_digit()) => {
                reader.phrase_problem(node, "length");
                return None;
            }
            _ => (Value::Text(text.clone()), Type::Text),
        }),
        _ => {
            reader.wrong(node, "@check.kind.phrase");
            None
        }
    }
}

/// `folder` is where the YAML file lies: the script lies beside it.
pub fn function(reader: &mut Reader, world: &World, node: &Node) -> Option<Function> {
    let row = reader.row(node, &keys::FUNCTION)?;
    let title = reader.need_text(row, "title");
    let mut takes = Section::default();
    for (name, node) in row.get("takes").map(|node| reader.named(node)).unwrap_or_default() {
        takes.extend(fields::function_type(reader, world, node, true).map(|kind| (name, kind)));
    }
    let gives = reader.need(row, "gives").and_then(|node| fields::function_type(reader, world, node, false));
    let file = reader.need(row, "file").and_then(|node| reader.text(node))?;
    let folder = node.place.file.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
    Some(Function { title, file: format!("{folder}{file}"), takes, gives: gives? })
}
