//! `actions`: who may do what, when, and what it does. Requests use the same parts.

use super::fields;
use super::keys;
use super::phrase;
use super::reader::{Reader, Row};
use super::tree::{Content, Node, Style};
use super::world::World;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{
    Action, Ask, By, Choose, Effects, Errand, ErrandTo, Expr, Freeze, Holder, OnePer, Open, Require, Scope, Sequence, Set, SetValue, Wants,
};
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::{Type, Value};

pub fn read(reader: &mut Reader, world: &World, name: &Name, node: &Node, branch: Option<&Name>) -> Option<Action> {
    let row = reader.row(node, &keys::ACTION)?;
    let scope = Scope { branch: branch.cloned(), action: Some(name.clone()), ..Scope::default() };
    let creates = reader.yes(row, "creates");
    let asks = row.get("ask").map(|node| ask(reader, world, node, branch)).unwrap_or_default();
    let by = reader.need(row, "by").map(|node| by(reader, world, node, &scope)).unwrap_or_default();
    let from = if creates { row.get("from") } else { reader.need(row, "from") };
    // an empty list would be read as "in every state"
    if let Some(node) = from.filter(|node| matches!(&node.content, Content::List(nodes) if nodes.is_empty())) {
        reader.problems.push(Problem::new("E007", node.place.clone()).variant("empty").with("key", "from"));
    }
    let from = from.map(|node| reader.names(node)).unwrap_or_default();
    if let (Some(to), Some(_)) = (row.get("to"), row.get("choose")) {
        reader.problems.push(Problem::new("E007", to.at.clone()).variant("to_and_choose"));
    }
    Some(Action {
        title: reader.need_text(row, "title"),
        records_as: name.clone(),
        not_by: row.get("not_by").and_then(|node| not_by(reader, node)),
        creates,
        from,
        to: row.get("to").and_then(|node| reader.name(node)),
        choose: row.get("choose").map(|node| choose(reader, world, node, &scope, &asks)).unwrap_or_default(),
        require: row.get("require").map(|node| require(reader, node, &scope)).unwrap_or_default(),
        effects: effects(reader, world, row, &scope, &asks),
        sequence: row.get("sequence").map(|node| sequence(reader, node)).unwrap_or_default(),
        freeze: row.get("freeze").map(|node| freeze(reader, node)).unwrap_or_default(),
        request: None,
        by,
        ask: asks,
    })
}

/// Roles, each perhaps with a condition, on behalf of another, asking for more.
pub fn by(reader: &mut Reader, world: &World, node: &Node, scope: &Scope) -> Vec<By> {
    let mut ways = Vec::new();
    for node in reader.list(node) {
        if !matches!(node.content, Content::Map(_)) {
            ways.extend(reader.name(node).map(|role| By { role, when: None, on_behalf_of: None, ask: Vec::new() }));
            continue;
        }
        let Some(row) = reader.row(node, &keys::BY) else { continue };
        let Some(role) = reader.need(row, "role").and_then(|node| reader.name(node)) else { continue };
        ways.push(By {
            role,
            when: reader.condition(row, "when", scope),
            on_behalf_of: row.get("for").and_then(|node| reader.name(node)),
            ask: row.get("ask").map(|node| ask(reader, world, node, scope.branch.as_ref())).unwrap_or_default(),
        });
    }
    ways
}

fn not_by(reader: &mut Reader, node: &Node) -> Option<Name> {
    reader.phrase(node, "not_by", |text| text.strip_prefix("same_person_as ").map(|action| action.trim().into()))
}

/// `[class, promised_on?, { reason: { type: text } }]`, or a mapping from names to declarations.
pub fn ask(reader: &mut Reader, world: &World, node: &Node, branch: Option<&Name>) -> Vec<Ask> {
    let mut asks = Vec::new();
    match &node.content {
        Content::List(nodes) => {
            for node in nodes {
                if matches!(node.content, Content::Map(_)) {
                    asks.extend(declared(reader, world, node, branch));
                } else if let Some(name) = reader.name(node) {
                    asks.extend(field_asked(reader, world, node, &name, branch));
                }
            }
        }
        Content::Map(_) => asks = declared(reader, world, node, branch),
        _ => reader.wrong(node, "@check.kind.list"),
    }
    asks
}

fn field_asked(reader: &mut Reader, world: &World, node: &Node, name: &str, branch: Option<&Name>) -> Option<Ask> {
    let (name, required) = match name.strip_suffix('?') {
        Some(name) => (name, false),
        None => (name, true),
    };
    let branch = branch.map(|branch| &**branch);
    let Some(seen) = world.field(branch, name) else {
        let known = world.field_names(branch);
        reader.unknown_name("E107", node, name, &known);
        return None;
    };
    Some(Ask { name: name.into(), title: seen.title, kind: seen.kind, required, records: Some(seen.of) })
}

fn declared(reader: &mut Reader, world: &World, node: &Node, branch: Option<&Name>) -> Vec<Ask> {
    let branches: Vec<Name> = world.branches.keys().cloned().collect();
    let branch = branch.map(|branch| &**branch);
    let mut asks = Vec::new();
    for (name, node) in reader.named(node) {
        let Some(row) = reader.row(node, &keys::ASK) else { continue };
        let seen = world.field(branch, &name);
        let own_title = row.get("title").and_then(|node| reader.text(node));
        let required = reader.yes(row, "required");
        let kind = match (&seen, row.get("type")) {
            (Some(seen), None) => Some(seen.kind.clone()),
            _ => fields::kind(reader, row, &branches, &|field| world.field(branch, field).map(|seen| seen.kind)),
        };
        let Some(kind) = kind else { continue };
        let title = own_title.or_else(|| seen.as_ref().map(|seen| seen.title.clone())).unwrap_or_else(|| name.to_string());
        asks.push(Ask { name, title, kind, required, records: seen.map(|seen| seen.of) });
    }
    asks
}

/// A list of `{ if, say }`; each sentence is for the person refused.
pub fn require(reader: &mut Reader, node: &Node, scope: &Scope) -> Vec<Require> {
    let mut conditions = Vec::new();
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::REQUIRE) else { continue };
        let condition = reader.need(row, "if").and_then(|node| reader.expr(node, scope, Wants::Condition));
        let say = reader.need(row, "say").and_then(|node| reader.text(node));
        if let (Some(condition), Some(say)) = (condition, say) {
            conditions.push(Require { condition, say, path: node.path.clone() });
        }
    }
    conditions
}

fn choose(reader: &mut Reader, world: &World, node: &Node, scope: &Scope, asks: &[Ask]) -> Vec<Choose> {
    let mut rows = Vec::new();
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::CHOOSE) else { continue };
        let Some(condition) = reader.need(row, "when") else { continue };
        let otherwise = condition.text().is_some_and(|text| &**text == "otherwise");
        let when = if otherwise { None } else { reader.expr(condition, scope, Wants::Condition) };
        if otherwise || when.is_some() {
            let to = row.get("to").and_then(|node| reader.name(node));
            rows.push(Choose { to, when, effects: effects(reader, world, row, scope, asks) });
        }
    }
    rows
}

/// What is done beside moving.
pub fn effects(reader: &mut Reader, world: &World, row: Row, scope: &Scope, asks: &[Ask]) -> Effects {
    let branch = scope.branch.as_deref();
    let mut done = Effects {
        set: row
            .get("set")
            .map(|node| set(reader, node, scope, &|field| world.field(branch, field).map(|seen| (seen.of, seen.kind))))
            .unwrap_or_default(),
        cancel: reader.names_at(row, "cancel"),
        or_none: reader.yes(row, "or_none"),
        tell: reader.names_at(row, "tell"),
        then_try: reader.names_at(row, "then_try"),
        ..Effects::default()
    };
    if let Some(node) = row.get("open") {
        for (branch, node) in reader.named(node) {
            open(reader, world, &branch, node, scope, asks, &mut done.open);
        }
    }
    if let Some(node) = row.get("do_on") {
        for (branch, node) in reader.named(node) {
            done.do_on.extend(reader.name(node).map(|action| (branch, action)));
        }
    }
    for node in row.get("opens").map(|node| reader.list(node)).unwrap_or_default() {
        done.errands.extend(opens(reader, world, node, scope));
    }
    for node in row.get("sends").map(|node| reader.list(node)).unwrap_or_default() {
        done.errands.extend(sends(reader, node, scope));
    }
    done
}

/// `opens: [{ workflow, do, id, with, link }]`
fn opens(reader: &mut Reader, world: &World, node: &Node, scope: &Scope) -> Option<Errand> {
    let row = reader.row(node, &keys::OPENS)?;
    let id = reader.need_text(row, "id");
    let link = row.get("link").and_then(|node| {
        let name = reader.name(node)?;
        let branch = scope.branch.as_deref();
        let known = world.field(branch, &name);
        if known.is_none() {
            reader.unknown_name("E107", node, &name, &world.field_names(branch));
        }
        known.map(|seen| (seen.of, name))
    });
    errand(reader, row, node, scope, ErrandTo::New { id, link })
}

/// `sends: [{ workflow, to, do, with }]`
fn sends(reader: &mut Reader, node: &Node, scope: &Scope) -> Option<Errand> {
    let row = reader.row(node, &keys::SENDS)?;
    let to = reader.need(row, "to").and_then(|node| reader.phrase(node, "field", phrase::field))?;
    errand(reader, row, node, scope, ErrandTo::Named(to))
}

fn errand(reader: &mut Reader, row: Row, node: &Node, scope: &Scope, to: ErrandTo) -> Option<Errand> {
    let workflow = reader.need(row, "workflow").and_then(|node| reader.name(node));
    let action = reader.need(row, "do").and_then(|node| reader.name(node));
    let with = row.get("with").map(|node| values(reader, node, scope)).unwrap_or_default();
    let when = reader.condition(row, "when", scope);
    Some(Errand { workflow: workflow?, action: action?, to, with, when, path: node.path.clone() })
}

/// Expressions by name; what they have to give is known where they are received.
pub fn values(reader: &mut Reader, node: &Node, scope: &Scope) -> Vec<(Name, Expr)> {
    let rows = reader.named(node);
    rows.into_iter().filter_map(|(name, node)| Some((name, reader.expr(node, scope, Wants::Any)?))).collect()
}

fn open(reader: &mut Reader, world: &World, branch: &Name, node: &Node, scope: &Scope, asks: &[Ask], opens: &mut Vec<Open>) {
    // `co_opinion: input.co_units` says the same as a list of one row with only `for_each`.
    if matches!(node.content, Content::Text(_)) {
        let for_each = reader.expr(node, scope, Wants::ForEach);
        opens.extend(for_each.map(|each| Open { branch: branch.clone(), for_each: Some(each), set: Vec::new(), when: None }));
        return;
    }
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::OPEN) else { continue };
        let for_each = row.get("for_each").and_then(|node| reader.expr(node, scope, Wants::ForEach));
        let each = row.get("for_each").map(|node| each_type(world, branch, node, scope, asks));
        let inside = Scope { each, ..scope.clone() };
        let set = row
            .get("set")
            .map(|node| set(reader, node, &inside, &|field| world.branch_field(branch, field).map(|seen| (Holder::Task, seen.kind))));
        let when = reader.condition(row, "when", &inside);
        opens.push(Open { branch: branch.clone(), for_each, set: set.unwrap_or_default(), when });
    }
}

/// The type of one entry: of the list that is named, else what the branch is opened per.
fn each_type(world: &World, branch: &Name, node: &Node, scope: &Scope, asks: &[Ask]) -> Type {
    let named = node.text().and_then(|text| phrase::field(text)).and_then(|field| world.type_of(&field, scope.branch.as_deref(), asks));
    let kind = match named {
        Some(Type::Optional(kind)) => Some(*kind),
        kind => kind,
    };
    match kind {
        Some(Type::List(entry)) => *entry,
        Some(kind) => kind,
        None => match world.branches.get(branch).and_then(|branch| branch.one_per) {
            Some(OnePer::Unit) => Type::Unit,
            Some(OnePer::Person) => Type::Person,
            None => Type::Record(branch.clone()),
        },
    }
}

fn set(reader: &mut Reader, node: &Node, scope: &Scope, field: &dyn Fn(&str) -> Option<(Holder, Type)>) -> Vec<Set> {
    let mut entries = Vec::new();
    for (name, node) in reader.named(node) {
        let known = field(&name);
        let (of, kind) = known.clone().unwrap_or((Holder::Item, Type::Text));
        let (value, when) = match &node.content {
            Content::Map(_) => {
                let Some(row) = reader.row(node, &keys::SET) else { continue };
                let when = reader.condition(row, "when", scope);
                let Some(value) = reader.need(row, "value") else { continue };
                (value, when)
            }
            _ => (node, None),
        };
        // A field that is not declared is reported once, by its name; its value has no type to be held against.
        let value = if known.is_none() { Some(SetValue::Literal(Value::Empty)) } else { set_value(reader, value, scope, kind) };
        entries.extend(value.map(|value| Set { of, field: name, value, when }));
    }
    entries
}

fn set_value(reader: &mut Reader, node: &Node, scope: &Scope, kind: Type) -> Option<SetValue> {
    if node.style != Style::Quoted || matches!(kind, Type::Date | Type::Duration) {
        if let Some(value) = fields::literal(node, &kind) {
            return Some(SetValue::Literal(value));
        }
    }
    reader.expr(node, scope, Wants::Value(kind)).map(SetValue::Expr)
}

/// `[{ report: WORKFLOW.REPORT, row: item.FIELD, set: { FIELD: COLUMN } }]`
fn freeze(reader: &mut Reader, node: &Node) -> Vec<Freeze> {
    let mut rows = Vec::new();
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::FREEZE) else { continue };
        let report = reader.need(row, "report").and_then(|node| reader.phrase(node, "report", phrase::report));
        let of = reader.need(row, "row").and_then(|node| reader.phrase(node, "field", phrase::field));
        let mut set = Vec::new();
        for (field, node) in reader.need(row, "set").map(|node| reader.named(node)).unwrap_or_default() {
            set.extend(reader.name(node).map(|column| (field, column)));
        }
        if let (Some((workflow, report)), Some(of)) = (report, of) {
            rows.push(Freeze { workflow, report, row: of, set, path: node.path.clone() });
        }
    }
    rows
}

fn sequence(reader: &mut Reader, node: &Node) -> Vec<Sequence> {
    let per = match node.get("per") {
        None => Vec::new(),
        Some(per) if matches!(per.content, Content::List(_)) => reader.names(per),
        Some(per) => reader.name(per).into_iter().collect(),
    };
    let rows = reader.named(node);
    let numbered = rows.into_iter().filter(|(name, _)| &**name != "per");
    numbered.filter_map(|(field, node)| Some(Sequence { field, format: reader.text(node)?, per: per.clone() })).collect()
}
