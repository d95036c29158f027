//! JSON Schemas (draft 2020-12) of a rule set's files, with its own names as enumerations, so that any editor completes and rejects them.
//!
//! The keys come from the tables of the reader. Where a value may be a text or a row, `if` and `then` say which, since editors make an
//! arbitrary complaint of `anyOf`.

mod directory;
pub mod stories;
mod words;
mod workflow;

use crate::kernel::model::definition::Workflow;
use crate::kernel::rules::RuleSet;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};

/// The schemas of a rule set by the names of their files: one for each workflow, one for the directory, one for the stories.
pub fn schemas(set: &RuleSet) -> IndexMap<String, Json> {
    let mut schemas = IndexMap::new();
    for (name, rules) in &set.workflows {
        let schema = workflow::schema(&rules.setting.workflow);
        schemas.insert(format!("{name}.json"), whole(&rules.setting.workflow.title, schema));
    }
    schemas.insert("directory.json".to_string(), whole("directory", directory::schema(&set.directory)));
    let workflows: Vec<&Workflow> = set.workflows.values().map(|rules| &rules.setting.workflow).collect();
    schemas.insert("stories.json".to_string(), whole("stories", stories::schema(&workflows)));
    schemas
}

/// The schema under which a file of the rule set belongs: `tests/…`, the directory, or the workflow whose folder or file it is.
pub fn schema_of(set: &RuleSet, path: &str) -> Option<String> {
    if path.starts_with("tests/") {
        return Some("stories.json".to_string());
    }
    if path == "directory.yaml" || path.starts_with("directory/") {
        return Some("directory.json".to_string());
    }
    if ["calendars/", "../", "templates/", "lang/"].iter().any(|folder| path.starts_with(folder)) || !path.ends_with(".yaml") {
        return None;
    }
    let folder = path.split_once('/').map_or("", |(folder, _)| folder);
    let of = set.workflows.iter().find(|(_, rules)| {
        let head = rules.places.find("workflow").map_or("", |place| &place.file);
        head == path || (!folder.is_empty() && head.split_once('/').is_some_and(|(head, _)| head == folder))
    });
    of.map(|(name, _)| format!("{name}.json"))
}

/// What people call the names in a schema, by the name of its file; a name that means several things has several titles.
pub fn titles(set: &RuleSet, of: &str) -> IndexMap<String, String> {
    let Some(rules) = of.strip_suffix(".json").and_then(|name| set.workflows.get(name)) else { return IndexMap::new() };
    let workflow = &rules.setting.workflow;
    let mut found: IndexMap<&str, IndexSet<&str>> = IndexMap::new();
    macro_rules! titled {
        ($from:ident: $($section:ident)*) => {
            $(for (name, declared) in &$from.$section {
                if !declared.title.is_empty() {
                    found.entry(name).or_default().insert(&declared.title);
                }
            })*
        };
    }
    titled!(workflow: states fields actions roles branches deadlines requests notices tables functions forms sweeps imports reports);
    for branch in workflow.branches.values() {
        titled!(branch: states fields actions);
    }
    let told = |(name, titles): (&str, IndexSet<&str>)| (name.to_string(), titles.into_iter().collect::<Vec<_>>().join(" / "));
    found.into_iter().map(told).collect()
}

fn whole(title: &str, schema: Json) -> Json {
    let mut out = json!({ "$schema": "https://json-schema.org/draft/2020-12/schema", "title": title });
    if let (Json::Object(out), Json::Object(schema)) = (&mut out, schema) {
        out.extend(schema);
    }
    out
}

/// A row with these keys and no others.
fn row(keys: &[&str], required: &[&str], value: impl Fn(&str) -> Json) -> Json {
    let properties: serde_json::Map<String, Json> = keys.iter().map(|key| (key.to_string(), value(key))).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    schema
}

/// Rows by names that the author chooses.
fn named(row: Json) -> Json {
    json!({ "type": ["object", "null"], "additionalProperties": row })
}

fn list(entry: Json) -> Json {
    json!({ "type": "array", "items": entry })
}

fn text() -> Json {
    json!({ "type": "string" })
}

fn yes() -> Json {
    json!({ "type": "boolean" })
}

fn count() -> Json {
    json!({ "type": "integer", "minimum": 0 })
}

fn pattern(pattern: &str) -> Json {
    json!({ "type": "string", "pattern": format!("^({pattern})$") })
}

/// One of these names.
fn one_of<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> Json {
    let names: Vec<String> = names.into_iter().map(|name| name.as_ref().to_string()).collect();
    json!({ "enum": names })
}

/// A text of this kind, or else something else.
fn text_or(text: Json, types: &[&str], other: Json) -> Json {
    let mut kinds = vec!["string"];
    kinds.extend(types);
    json!({ "type": kinds, "if": { "type": "string" }, "then": text, "else": other })
}

/// An expression: one that is only a number, or yes or no, is read as such by YAML.
fn expression() -> Json {
    json!({ "type": ["string", "integer", "boolean"] })
}

/// A written value of any kind.
fn value() -> Json {
    json!({ "type": ["string", "integer", "boolean", "null", "array", "object"] })
}
