//! `reports`: tables of figures, and lists, that an office hands in; `documents`: several of them together.

use super::keys;
use super::reader::{Reader, Row};
use super::tree::{Content, Node};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{
    Document, Expr, FieldRef, Figure, Holder, Measure, Part, Report, RowKey, Scope, Section, Shape, Shown, Wants,
};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;
use crate::kernel::rules::spellings_of;

/// The column of a report that declares none.
const COUNT: &str = "count";

/// What makes a column, one of them each.
const MEASURES: [&str; 5] = ["count", "sum", "earliest", "latest", "share"];

pub fn read(reader: &mut Reader, node: &Node) -> Option<Report> {
    let row = reader.row(node, &keys::REPORT)?;
    let title = reader.need_text(row, "title");
    let over = row.get("over").and_then(|node| reader.name(node));
    let scope = Scope { branch: over.clone(), ..Scope::default() };
    let when = reader.condition(row, "when", &scope);
    let shape = match row.get("list") {
        Some(node) => list(reader, row, node, &scope),
        None => figures(reader, row, &scope)?,
    };
    let of = row.get("of").and_then(|node| {
        let of = shown(reader, node, &scope)?;
        if of.field.is_none() {
            reader.problems.push(Problem::new("E708", node.at.clone()).variant("no_field"));
        }
        Some(of)
    });
    Some(Report { title, over, when, of, shape })
}

pub fn document(reader: &mut Reader, node: &Node) -> Option<Document> {
    let row = reader.row(node, &keys::DOCUMENT)?;
    let title = reader.need_text(row, "title");
    let of_one = reader.yes(row, "of_one");
    let nodes = reader.need(row, "parts").map(|node| reader.list(node)).unwrap_or_default();
    Some(Document { title, of_one, parts: nodes.iter().filter_map(|node| part(reader, node)).collect() })
}

fn part(reader: &mut Reader, node: &Node) -> Option<Part> {
    let row = reader.row(node, &keys::PART)?;
    let heading = row.get("heading").and_then(|node| reader.text(node));
    let text = row.get("text").and_then(|node| reader.text(node));
    let report = row.get("report").and_then(|node| reader.name(node));
    let report = report.map(|name| match name.split_once('.') {
        Some((workflow, report)) => (Some(workflow.into()), report.into()),
        None => (None, name),
    });
    Some(Part { heading, text, report, path: node.path.clone() })
}

fn list(reader: &mut Reader, row: Row, node: &Node, scope: &Scope) -> Shape {
    for (key, node) in ["by", "share", "columns", "total"].into_iter().filter_map(|key| Some((key, row.get(key)?))) {
        reader.problems.push(Problem::new("E708", node.at.clone()).variant("beside_list").with("key", key));
    }
    let mut columns = indexmap::IndexMap::new();
    for (heading, node) in reader.named(node) {
        columns.extend(shown(reader, node, scope).map(|shown| (heading, shown)));
    }
    let order = match row.get("order") {
        Some(node) => several(node).into_iter().filter_map(|node| shown(reader, node, scope)).collect(),
        None => Vec::new(),
    };
    Shape::List { columns, order }
}

fn figures(reader: &mut Reader, row: Row, scope: &Scope) -> Option<Shape> {
    if let Some(node) = row.get("order") {
        reader.problems.push(Problem::new("E708", node.at.clone()).variant("order"));
    }
    let share = row.get("share").and_then(|node| reader.name(node));
    let total = reader.yes(row, "total");
    let columns = row.get("columns").map(|node| columns(reader, node, scope));
    let node = reader.need(row, "by")?;
    let mut by: Vec<RowKey> = match &node.content {
        Content::Map(_) => {
            let keys = reader.named(node);
            keys.into_iter().filter_map(|(title, node)| Some(RowKey { title: Some(title), ..key(reader, node, scope)? })).collect()
        }
        _ => several(node).into_iter().filter_map(|node| key(reader, node, scope)).collect(),
    };
    let bare = !matches!(node.content, Content::List(_) | Content::Map(_));
    let counts = columns.is_none() && !total && scope.branch.is_none() && bare;
    if let [only] = by.as_slice()
        && counts
        && only.expr.is_none()
    {
        return by.pop().map(|by| Shape::Counts { by, share });
    }
    if let Some(node) = row.get("share") {
        reader.problems.push(Problem::new("E708", node.at.clone()).variant("share"));
    }
    let count = || (COUNT.into(), Figure { title: String::new(), measure: Measure::Count(None) });
    let columns = columns.filter(|columns| !columns.is_empty()).unwrap_or_else(|| Section::from_iter([count()]));
    (!by.is_empty()).then_some(Shape::Figures { by, columns, total })
}

fn several(node: &Node) -> Vec<&Node> {
    match &node.content {
        Content::List(nodes) => nodes.iter().collect(),
        _ => vec![node],
    }
}

/// A bare name is a field of the item, as every report could say it first; anything else is an expression.
fn key(reader: &mut Reader, node: &Node, scope: &Scope) -> Option<RowKey> {
    if let Some(name) = node.text().filter(|text| text.chars().all(|sign| sign.is_alphanumeric() || sign == '_')) {
        let field = Some(FieldRef { of: Holder::Item, field: reader.name(node)? });
        return Some(RowKey { source: name.clone(), path: node.path.clone(), title: None, expr: None, field });
    }
    let expr = reader.expr(node, scope, Wants::Key)?;
    Some(RowKey { source: expr.source.clone(), path: node.path.clone(), title: None, field: field_behind(&expr), expr: Some(expr) })
}

fn shown(reader: &mut Reader, node: &Node, scope: &Scope) -> Option<Shown> {
    let expr = reader.expr(node, scope, Wants::Shown)?;
    Some(Shown { field: field_behind(&expr), expr })
}

/// `item.class` and `task.class` say where their value comes from; what is put together does not.
fn field_behind(expr: &Expr) -> Option<FieldRef> {
    let (view, field) = expr.source.trim().split_once('.')?;
    let of = [("item", Holder::Item), ("task", Holder::Task)].into_iter().find(|(name, _)| spellings_of(name).contains(&view));
    let (_, of) = of.filter(|_| !field.is_empty() && field.chars().all(|sign| sign.is_alphanumeric() || sign == '_'))?;
    let given = ["state", "unit", "person"].into_iter().find(|name| spellings_of(name).contains(&field));
    Some(FieldRef { of, field: given.unwrap_or(field).into() })
}

fn columns(reader: &mut Reader, node: &Node, scope: &Scope) -> Section<Figure> {
    let rows = reader.named(node);
    rows.into_iter().filter_map(|(name, node)| figure(reader, &name, node, scope).map(|figure| (name, figure))).collect()
}

fn figure(reader: &mut Reader, name: &Name, node: &Node, scope: &Scope) -> Option<Figure> {
    let row = reader.row(node, &keys::FIGURE)?;
    let title = row.get("title").and_then(|node| reader.text(node)).unwrap_or_else(|| name.to_string());
    let given: Vec<(&str, &Node)> = MEASURES.into_iter().filter_map(|key| Some((key, row.get(key)?))).collect();
    let [(key, node)] = given.as_slice() else {
        let variant = if given.is_empty() { "no_measure" } else { "measures" };
        reader.problems.push(Problem::new("E708", row.node.at.clone()).variant(variant).with("column", name));
        return None;
    };
    if let Some(of) = row.get("of").filter(|_| *key != "share") {
        reader.problems.push(Problem::new("E708", of.at.clone()).variant("of").with("column", name));
    }
    let value = |kind: Type| Wants::Value(kind);
    let measure = match *key {
        "count" if node.text().is_some_and(|text| &**text == "all") => Measure::Count(None),
        "count" => Measure::Count(Some(reader.expr(node, scope, Wants::Condition)?)),
        "sum" => Measure::Sum(reader.expr(node, scope, value(Type::Number))?),
        "earliest" => Measure::Earliest(reader.expr(node, scope, value(Type::Date))?),
        "latest" => Measure::Latest(reader.expr(node, scope, value(Type::Date))?),
        _ => Measure::Share { part: reader.name(node)?, whole: reader.need(row, "of").and_then(|node| reader.name(node))? },
    };
    Some(Figure { title, measure })
}
