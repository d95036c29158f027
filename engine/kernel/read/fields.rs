//! `fields`, and the types that inputs, columns and functions share with them.

use super::keys;
use super::phrase;
use super::reader::{Reader, Row, key_of, nearest};
use super::tree::{Content, Node, Style};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Scope, Section, Tally, Wants, Weight};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::{Type, Value};
use indexmap::IndexMap;
use std::collections::HashMap;

const PLAIN_TYPES: [(&str, Type); 10] = [
    ("text", Type::Text),
    ("number", Type::Number),
    ("date", Type::Date),
    ("year", Type::Year),
    ("duration", Type::Duration),
    ("person", Type::Person),
    ("unit", Type::Unit),
    ("file", Type::File),
    ("yes_no", Type::YesNo),
    ("item", Type::Item),
];

/// Fields by name, of the item (`branch` empty) or of a branch. `others` are fields that `same as` may also name.
pub fn read(
    reader: &mut Reader,
    rows: &[(Name, &Node)],
    branch: Option<&Name>,
    branches: &[Name],
    others: &Section<Field>,
) -> Section<Field> {
    let kinds: HashMap<Name, Type> =
        rows.iter().filter_map(|(name, node)| Some((name.clone(), plain_kind(node, branches)?))).chain(rows_of(others)).collect();
    let mut fields: Section<Field> = Section::default();
    let mut models: Vec<(Name, String)> = Vec::new();
    for (name, node) in rows {
        let Some(row) = reader.row(node, &keys::FIELD) else { continue };
        // A field whose type cannot be read is there all the same, so that nobody is told it is unknown.
        let kind = kind(reader, row, branches, &|field| kinds.get(field).cloned()).unwrap_or(Type::Text);
        let scope = Scope { branch: branch.cloned(), ..Scope::default() };
        let is = row.get("is").and_then(|node| reader.expr(node, &scope, Wants::Value(kind.clone())));
        let default = row.get("default").and_then(|node| default(reader, node, &kind));
        let field = Field {
            title: row.get("title").and_then(|node| reader.text(node)).unwrap_or_else(|| name.to_string()),
            required: reader.yes(row, "required"),
            option_titles: option_titles(reader, row),
            default,
            unique: reader.yes(row, "unique"),
            secret: reader.yes(row, "secret"),
            is,
            tally: row.get("tally").and_then(|node| tally(reader, node)),
            visible_to: reader.names_at(row, "visible_to"),
            sealed_until: row.get("sealed_until").and_then(|node| reader.name(node)),
            kind,
        };
        fields.insert(name.clone(), field);
        if let Some(model) =
            row.get("type").and_then(|node| reader.text(node)).and_then(|text| Some(text.strip_prefix("same as ")?.trim().to_string()))
        {
            models.push((name.clone(), model));
        }
    }
    // Who is of the same type as another is called by the same words, too.
    for (name, model) in models {
        let model = model.strip_prefix("item.").unwrap_or(&model);
        let titles = fields.get(model).or_else(|| others.get(model)).map(|field| field.option_titles.clone());
        if let (Some(field), Some(titles)) = (fields.get_mut(&name), titles) {
            if field.option_titles.is_empty() {
                field.option_titles = titles;
            }
        }
    }
    fields
}

/// `tally: { of, counts_in, answer, points, group, weights }`
fn tally(reader: &mut Reader, node: &Node) -> Option<Tally> {
    let row = reader.row(node, &keys::TALLY)?;
    let name = |reader: &mut Reader, key| reader.need(row, key).and_then(|node| reader.name(node));
    let (of, answer, group) = (name(reader, "of"), name(reader, "answer"), name(reader, "group"));
    let counts_in = reader.need(row, "counts_in").map(|node| reader.names(node)).unwrap_or_default();
    let mut points = Vec::new();
    for (option, node) in reader.need(row, "points").map(|node| reader.named(node)).unwrap_or_default() {
        points.extend(reader.number(node).map(|number| (option, i64::from(number))));
    }
    let mut weights = Vec::new();
    for (group, node) in reader.need(row, "weights").map(|node| reader.named(node)).unwrap_or_default() {
        let weight = match &node.content {
            Content::Text(_) => reader.name(node).map(Weight::Param),
            _ => reader.number(node).map(Weight::Number),
        };
        weights.extend(weight.map(|weight| (group, weight)));
    }
    Some(Tally { of: of?, counts_in, answer: answer?, points, group: group?, weights })
}

fn rows_of(fields: &Section<Field>) -> impl Iterator<Item = (Name, Type)> {
    fields.iter().map(|(name, field)| (name.clone(), field.kind.clone()))
}

fn option_titles(reader: &mut Reader, row: Row) -> IndexMap<Name, String> {
    let Some(node) = row.get("option_titles") else { return IndexMap::new() };
    let rows = reader.named(node);
    let titles: IndexMap<Name, String> = rows.into_iter().filter_map(|(name, node)| Some((name, reader.text(node)?))).collect();
    if let Some(Content::List(options)) = row.get("options").map(|node| &node.content) {
        let known: Vec<&str> = options.iter().filter_map(|node| node.text().map(|text| &**text)).collect();
        reader.row(node, &known);
    }
    titles
}

/// `type` with its `options`; `fields` answers `same as`.
pub fn kind(reader: &mut Reader, row: Row, branches: &[Name], fields: &dyn Fn(&str) -> Option<Type>) -> Option<Type> {
    let node = reader.need(row, "type")?;
    let text = reader.text(node)?;
    if text == "choice" {
        let options = reader.need(row, "options").map(|node| reader.names(node)).unwrap_or_default();
        return Some(Type::Choice(options));
    }
    if let Some(node) = row.get("options") {
        reader.problems.push(Problem::new("E007", node.at.clone()).variant("options").with("type", &text));
    }
    kind_named(reader, node, &text, branches, fields)
}

/// A type that is written in one phrase.
pub fn kind_named(reader: &mut Reader, node: &Node, text: &str, branches: &[Name], fields: &dyn Fn(&str) -> Option<Type>) -> Option<Type> {
    if let Some(field) = text.strip_prefix("same as ") {
        let field = field.trim();
        let kind = fields(field.strip_prefix("item.").unwrap_or(field));
        if kind.is_none() {
            reader.unknown_name("E107", node, field, &[]);
        }
        return kind;
    }
    let kind = plain_type(text, branches);
    if kind.is_none() {
        let lists: Vec<String> = branches.iter().map(|branch| format!("{branch}_list")).collect();
        let mut known: Vec<&str> = PLAIN_TYPES.iter().map(|(name, _)| *name).collect();
        known.extend(["choice", "unit_list", "person_list", "text_list"]);
        known.extend(lists.iter().map(String::as_str));
        not_a_type(reader, node, text, &known);
    }
    kind
}

/// `number`, `unit_list`, `promise_list`, `branch of promise`.
pub fn plain_type(text: &str, branches: &[Name]) -> Option<Type> {
    if let Some((_, kind)) = PLAIN_TYPES.iter().find(|(name, _)| *name == text) {
        return Some(kind.clone());
    }
    let branch = |name: &str| branches.iter().find(|branch| ***branch == *name).cloned();
    if let Some(name) = text.strip_prefix("branch of ") {
        return branch(name.trim()).map(Type::Branch);
    }
    let entry = text.strip_suffix("_list")?;
    let entry =
        branch(entry).map(Type::Record).or_else(|| PLAIN_TYPES.iter().find(|(name, _)| *name == entry).map(|(_, kind)| kind.clone()))?;
    Some(Type::List(Box::new(entry)))
}

fn plain_kind(node: &Node, branches: &[Name]) -> Option<Type> {
    let text = node.get("type")?.text()?;
    if &**text == "choice" {
        let Some(Content::List(options)) = node.get("options").map(|options| &options.content) else {
            return Some(Type::Choice(Vec::new()));
        };
        return Some(Type::Choice(options.iter().filter_map(|option| option.text().cloned()).collect()));
    }
    plain_type(text, branches)
}

/// A type in `takes` and `gives`: also views, `list of T`, `optional T` and `choice of FIELD`.
pub fn function_type(reader: &mut Reader, world: &World, node: &Node, takes: bool) -> Option<Type> {
    let text = reader.text(node)?;
    let kind = function_type_named(world, text.trim(), takes);
    if kind.is_none() {
        let mut known: Vec<&str> = PLAIN_TYPES.iter().map(|(name, _)| *name).collect();
        known.extend(["choice of FIELD", "list of T", "optional T"]);
        if takes {
            known.extend(["item", "task of BRANCH", "input of ACTION", "due", "branches", "actor", "param"]);
        }
        known.dedup();
        not_a_type(reader, node, text.trim(), &known);
    }
    kind
}

/// A type that is none: a word that is misspelt, or one that speaks of a branch, field or action that is not there.
fn not_a_type(reader: &mut Reader, node: &Node, text: &str, known: &[&str]) {
    let entry = text.strip_suffix("_list").filter(|entry| !PLAIN_TYPES.iter().any(|(name, _)| name == entry));
    let Some(name) = entry.or_else(|| text.rsplit_once(" of ").map(|(_, name)| name.trim())) else {
        return reader.not_one_of(node, known);
    };
    let problem = Problem::new("E007", node.place.clone()).with("key", key_of(node)).with("name", name).with("known", known.join(", "));
    reader.problems.push(match nearest(text, known.iter().copied()) {
        Some(near) => problem.variant("type_near").with("near", near),
        None => problem.variant("type"),
    });
}

fn function_type_named(world: &World, text: &str, takes: bool) -> Option<Type> {
    if let Some(rest) = text.strip_prefix("list of ") {
        return Some(Type::List(Box::new(function_type_named(world, rest.trim(), false)?)));
    }
    if let Some(rest) = text.strip_prefix("optional ") {
        return Some(Type::Optional(Box::new(function_type_named(world, rest.trim(), false)?)));
    }
    if let Some(field) = text.strip_prefix("choice of ") {
        let field = field.trim();
        let of_branch = field.split_once('.').filter(|(owner, _)| *owner != "item");
        let kind = match of_branch {
            Some((branch, field)) => world.branch_field(branch, field).map(|seen| seen.kind),
            None => world.fields.get(field.strip_prefix("item.").unwrap_or(field)).map(|field| field.kind.clone()),
        };
        return kind.filter(|kind| matches!(kind, Type::Choice(_)));
    }
    if takes {
        match text {
            "item" => return Some(Type::ItemView),
            "due" => return Some(Type::DueView),
            "branches" => return Some(Type::BranchesView),
            "actor" => return Some(Type::ActorView),
            "param" => return Some(Type::ParamView),
            _ => {}
        }
        if let Some(branch) = text.strip_prefix("task of ") {
            return world.branches.get_key_value(branch.trim()).map(|(name, _)| Type::TaskView(name.clone()));
        }
        if let Some(action) = text.strip_prefix("input of ") {
            return Some(Type::InputView(action.trim().into()));
        }
    }
    let branches: Vec<Name> = world.branches.keys().cloned().collect();
    plain_type(text, &branches)
}

/// What a field holds before anything is set.
fn default(reader: &mut Reader, node: &Node, kind: &Type) -> Option<Value> {
    if let (Type::Choice(options), Content::Text(text)) = (kind, &node.content) {
        if !options.contains(text) {
            let known: Vec<&str> = options.iter().map(|option| &**option).collect();
            reader.not_one_of(node, &known);
            return None;
        }
    }
    let value = literal(node, kind).or_else(|| match (kind, &node.content) {
        (Type::Text | Type::Unit | Type::Person | Type::File | Type::Item, Content::Text(text)) => Some(Value::Text(text.clone())),
        _ => None,
    });
    if value.is_none() {
        reader.wrong(node, wanted(kind));
    }
    value
}

/// A value that is written down rather than computed: a number, yes or no, an option, a date, a length, `empty`.
pub fn literal(node: &Node, kind: &Type) -> Option<Value> {
    match (kind, &node.content) {
        (_, Content::Empty) => Some(Value::Empty),
        (_, Content::Text(text)) if &**text == "empty" && node.style == Style::Plain => Some(Value::Empty),
        (Type::Optional(kind), _) => literal(node, kind),
        (Type::YesNo, Content::Bool(value)) => Some(Value::Bool(*value)),
        (Type::Number | Type::Year, Content::Number(value)) => Some(Value::Number(*value)),
        (Type::Choice(options), Content::Text(text)) if options.contains(text) => Some(Value::Text(text.clone())),
        (Type::Choice(options), Content::Number(value)) => {
            let text = value.to_string();
            options.iter().find(|option| ***option == *text).map(|option| Value::Text(option.clone()))
        }
        (Type::Date, Content::Text(text)) => phrase::date(text).map(Value::Date),
        (Type::Duration, Content::Text(text)) => phrase::length(text).map(Value::Length),
        (Type::List(kind), Content::List(nodes)) => nodes.iter().map(|node| literal(node, kind)).collect::<Option<_>>().map(Value::List),
        _ => None,
    }
}

fn wanted(kind: &Type) -> &'static str {
    match kind {
        Type::YesNo => "@check.kind.yes_no",
        Type::Number | Type::Year => "@check.kind.number",
        Type::Date => "@check.kind.date",
        Type::Duration => "@check.kind.length",
        Type::List(_) => "@check.kind.list",
        _ => "@check.kind.text",
    }
}
