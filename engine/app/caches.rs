//! What lists show of an item, derived from it in one place; `doctor` derives it again and compares.

use crate::kernel::derive::hands;
use crate::kernel::model::definition::Field;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::store::save::Caches;
use std::collections::BTreeMap;

pub fn of(rules: &Rules, item: &Item) -> Caches {
    let workflow = &rules.setting.workflow;
    let shown: BTreeMap<_, _> = item
        .fields
        .iter()
        // What not everybody who sees the item may see stays out of every cache.
        .filter(|(name, value)| !value.is_empty() && workflow.fields.get(*name).is_some_and(Field::is_open))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let running = || item.clocks.iter().filter(|clock| clock.is_running());
    let dues: BTreeMap<String, String> = running()
        .filter_map(|clock| {
            let branch = clock.branch.map(|no| format!("#{no}")).unwrap_or_default();
            Some((format!("{}{branch}", clock.deadline), clock.due.as_ref()?.date.to_string()))
        })
        .collect();
    Caches {
        state: item.state.to_string(),
        ended_on: item.is_over().then_some(item.last_effective_on),
        flag: item.flag,
        due_on: running().filter_map(|clock| clock.due.as_ref()).map(|due| due.date).min(),
        title: title(rules, item),
        search: search(rules, &item.id, &shown),
        fields: json(&shown),
        dues: json(&dues),
        hands: hands::keys(rules, item).into_iter().collect(),
    }
}

/// The field called `title`, else the first text, else the id.
fn title(rules: &Rules, item: &Item) -> String {
    let fields = &rules.setting.workflow.fields;
    let texts = fields.iter().filter(|(_, field)| field.kind == Type::Text);
    let mut shown = fields.get_key_value("title").into_iter().chain(texts).filter(|(_, field)| field.is_open());
    let first = shown.find_map(|(name, _)| item.field(name).as_text());
    first.unwrap_or(&item.id).to_string()
}

/// Every text of the item, and the titles of the units and persons that it names.
fn search(rules: &Rules, id: &str, fields: &Fields) -> String {
    let directory = &rules.setting.directory;
    let mut lines = vec![id.to_string()];
    for (name, value) in fields {
        let kind = rules.setting.workflow.fields.get(name).map(|field| &field.kind);
        for text in texts(value) {
            let title = match kind.map(Type::entry) {
                Some(Type::Unit) => directory.units.get(text).map(|unit| unit.titles().collect::<Vec<_>>().join("\n")),
                Some(Type::Person) => directory.persons.get(text).map(|person| person.title.clone()),
                _ => None,
            };
            lines.push(title.unwrap_or_else(|| text.to_string()));
        }
    }
    lines.join("\n")
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::Text(text) => vec![text],
        Value::List(list) => list.iter().flat_map(texts).collect(),
        Value::Record(fields) => fields.values().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}

/// Names and values always have a JSON form.
fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "{}".into())
}
