//! What a condition saw: the fields, params and dates that it names, as they stand now. Hidden fields stay hidden.

use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Expr, Field};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Value;
use crate::kernel::rules::Rules;
use serde::Serialize;

/// Something that a condition reads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// As the author wrote it.
    pub name: String,
    /// As people call it.
    pub title: String,
    /// As people read it; empty when there is none.
    pub value: String,
}

/// The values that a condition names, seen from the item or one of its branches, each once.
pub fn seen(rules: &Rules, item: &Item, task: Option<u32>, condition: &Expr) -> Vec<Seen> {
    let mut out: Vec<Seen> = Vec::new();
    let is_name = |c: char| c.is_alphanumeric() || c == '_' || c == '.';
    for word in condition.source.split(|c: char| !is_name(c)).filter(|word| word.contains('.')) {
        let found = value(rules, item, task, word).filter(|_| !out.iter().any(|seen| seen.name == word));
        out.extend(found.map(|(title, value)| Seen { name: word.to_string(), title, value }));
    }
    out
}

fn value(rules: &Rules, item: &Item, task: Option<u32>, word: &str) -> Option<(String, String)> {
    let workflow = &rules.setting.workflow;
    let mut parts = word.split('.');
    let view = rules.scripts.view_called(parts.next()?)?;
    let name = parts.next()?;
    let branch = task.and_then(|no| item.branch(no));
    match view {
        "item" if name == "state" => state(rules, None, &item.state, &workflow.title),
        "item" => field(rules, workflow.fields.get(name)?, item.field(name)),
        "task" if name == "state" => state(rules, Some(&branch?.kind), &branch?.state, &workflow.branches.get(&branch?.kind)?.title),
        "task" => {
            let (branch, empty) = (branch?, Value::Empty);
            let found = branch.fields.get(name).unwrap_or(&empty);
            match workflow.fields_of(Some(&branch.kind)).and_then(|fields| fields.get(name)) {
                Some(declared) => field(rules, declared, found),
                None => Some((name.to_string(), capture::title(rules, found.as_text()?))),
            }
        }
        "due" => {
            let declared = workflow.deadlines.get(name)?;
            let clock = item.clock(name, if declared.branch.is_some() { task } else { None });
            let date = clock.and_then(|clock| clock.due.as_ref()).map_or_else(String::new, |due| due.date.to_string());
            Some((declared.title.clone(), date))
        }
        "param" => Some((name.to_string(), text(&workflow.params.get(name)?.on(item.today)?.value))),
        _ => None,
    }
}

fn state(rules: &Rules, kind: Option<&str>, state: &Name, title: &str) -> Option<(String, String)> {
    let declared = rules.setting.workflow.states_of(kind).and_then(|states| states.get(state));
    Some((title.to_string(), declared.map_or_else(|| state.to_string(), |declared| declared.title.clone())))
}

fn field(rules: &Rules, declared: &Field, value: &Value) -> Option<(String, String)> {
    if declared.secret || !declared.visible_to.is_empty() || declared.sealed_until.is_some() {
        return None;
    }
    let text = match value.as_text() {
        Some(word) => declared.option_titles.get(word).cloned().unwrap_or_else(|| capture::title(rules, word)),
        None => text(value),
    };
    Some((declared.title.clone(), text))
}

fn text(value: &Value) -> String {
    match capture::plain(value) {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text,
        other => other.to_string(),
    }
}
