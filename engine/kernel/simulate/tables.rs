//! The tests beside stories: rows of tables, and functions called with values.

use super::coverage::Coverage;
use super::run::{Difference, Outcomes, shown};
use crate::kernel::decide;
use crate::kernel::derive::{self, clocks};
use crate::kernel::model::Name;
use crate::kernel::model::item::Item;
use crate::kernel::model::story::StoryFile;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use std::sync::Arc;

pub(super) fn table_tests(rules: &Arc<Rules>, file: &StoryFile, coverage: &mut Coverage) -> Vec<Outcomes> {
    let workflow = &rules.setting.workflow;
    let mut out = Vec::new();
    for (name, rows) in &file.table_tests {
        let mut differences = Vec::new();
        let mut differs = |step: usize, what: &'static str, values: Vec<(&'static str, String)>| {
            differences.push(Difference { step, at: String::new(), what, values, refusal: None })
        };
        for (index, test) in rows.iter().enumerate() {
            let Some(table) = workflow.tables.get(name) else {
                differs(index + 1, "unknown_table", vec![("table", name.to_string())]);
                continue;
            };
            let as_of = test.get("as_of").and_then(|value| value.as_text()).and_then(|text| text.parse::<Date>().ok()).unwrap_or_default();
            let mut item = derive::fold::begin(rules, "table", as_of, as_of);
            for (field, value) in test.iter().filter_map(|(key, value)| Some((key.strip_prefix("item.")?, value))) {
                item.fields.insert(field.into(), value.clone());
            }
            let row = table.rows.iter().position(|row| clocks::matches(&item, None, row));
            let found = row.map(|row| (row, &table.rows[row].gives));
            let text = match found {
                None => "-".to_string(),
                Some((row, gives)) => {
                    coverage.table_rows.insert(format!("{name}[{}]", row + 1).into());
                    match gives {
                        crate::kernel::model::definition::LengthRule::Param(param) => workflow
                            .params
                            .get(param)
                            .and_then(|param| param.on(as_of))
                            .map_or_else(|| "-".to_string(), |row| shown(&row.value)),
                        other => derive::due::text_of(other),
                    }
                }
            };
            let wanted = test.get("gives").map_or_else(String::new, shown);
            let same = text == wanted || crate::kernel::time::Length::parse(&wanted).is_some_and(|wanted| wanted.to_string() == text);
            if !same {
                differs(index + 1, "table", vec![("of", name.to_string()), ("wanted", wanted), ("found", text)]);
            }
        }
        out.push(Outcomes { name: name.to_string(), steps: rows.len(), days: 0, differences, remarks: Vec::new() });
    }
    out
}

pub(super) fn function_tests(rules: &Arc<Rules>, file: &StoryFile) -> Vec<Outcomes> {
    let today = Date::default();
    let blank = Arc::new(derive::fold::begin(rules, "function", today, today));
    let mut out = Vec::new();
    for (name, tests) in &file.function_tests {
        let mut differences = Vec::new();
        for (index, test) in tests.iter().enumerate() {
            let takes = rules.setting.workflow.functions.get(name).map(|function| &function.takes);
            let typed = |name: &Name, value: &Value| match takes.and_then(|takes| takes.get(name)) {
                Some(kind) => argument(rules, &blank, kind, value),
                None => value.clone(),
            };
            let arguments: Fields = test.with.iter().map(|(name, value)| (name.clone(), typed(name, value))).collect();
            let found = match rules.scripts.call(name, &arguments, &derive::view(rules, &blank, None)) {
                Ok(value) => shown(&value),
                Err(error) => error.what,
            };
            let wanted = shown(&test.gives);
            if found != wanted {
                let values = vec![("of", name.to_string()), ("wanted", wanted), ("found", found)];
                differences.push(Difference { step: index + 1, at: String::new(), what: "function", values, refusal: None });
            }
        }
        out.push(Outcomes { name: name.to_string(), steps: tests.len(), days: 0, differences, remarks: Vec::new() });
    }
    out
}

/// A test's value in the type that the function takes; what a view has and the test leaves out is empty.
fn argument(rules: &Rules, blank: &Item, kind: &Type, value: &Value) -> Value {
    let workflow = &rules.setting.workflow;
    let coerced = |kind: &Type, value: &Value| decide::input::coerce(rules, blank, kind, value).unwrap_or_else(|_| value.clone());
    let given = |name: &Name, kind: &Type, record: &Fields| match (record.get(name), kind) {
        (None, Type::List(_)) => Value::List(Vec::new()),
        (found, kind) => coerced(kind, found.unwrap_or(&Value::Empty)),
    };
    let of_fields = |fields: &crate::kernel::model::definition::Section<crate::kernel::model::definition::Field>, record: &Fields| {
        fields.iter().map(|(name, field)| (name.clone(), given(name, &field.kind, record))).collect::<Fields>()
    };
    match (kind, value) {
        (Type::ItemView, Value::Record(record)) => Value::Record(of_fields(&workflow.fields, record)),
        (Type::TaskView(branch), Value::Record(record)) => match workflow.fields_of(Some(branch)) {
            Some(fields) => Value::Record(of_fields(fields, record)),
            None => value.clone(),
        },
        (Type::InputView(action), Value::Record(record)) => {
            let (branch, name) = action.split_once('.').map_or((None, &**action), |(branch, name)| (Some(branch), name));
            let of_branch = branch.and_then(|branch| workflow.actions_of(Some(branch))).and_then(|actions| actions.get(name));
            let Some(action) = of_branch.or_else(|| workflow.actions.get(action)) else { return value.clone() };
            Value::Record(action.ask.iter().map(|ask| (ask.name.clone(), given(&ask.name, &ask.kind, record))).collect())
        }
        (kind, value) => coerced(kind, value),
    }
}
