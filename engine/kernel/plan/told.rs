//! A plan in words: what becomes different for how many, what brings it about, and what an author writes who means it.

use super::{Cause, Finding, Group, Plan, Seen, What};
use crate::kernel::decide::capture;
use crate::kernel::explain::due::name_of;
use crate::kernel::model::Name;
use crate::kernel::read::phrase;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, due, say};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What the advice comes to in the rule files, for each workflow of which it speaks, ready to be put there.
pub fn changes_to_write(plan: &Plan, lang: Lang) -> Vec<(String, String)> {
    // By workflow and key: each name once, with what is said of it.
    let mut workflows: BTreeMap<&str, BTreeMap<String, BTreeMap<&str, &str>>> = BTreeMap::new();
    for finding in &plan.findings {
        let value = |name: &str| finding.values.get(name).map_or("", String::as_str);
        let (key, name, said) = match (finding.code.as_str(), finding.variant.as_deref()) {
            ("E804", Some("param")) => ("corrected".to_string(), value("name"), ""),
            ("E804", _) => ("corrected".to_string(), "calendar", ""),
            ("E806", None) => ("open_items".to_string(), value("deadline"), "recompute"),
            ("E801", Some(variant)) => {
                let Some(kind) = variant.strip_suffix("_likely") else { continue };
                let kinds = if kind == "branch" { "branches".to_string() } else { format!("{kind}s") };
                (format!("renamed_{kinds}"), value("name"), value("likely"))
            }
            _ => continue,
        };
        workflows.entry(value("workflow")).or_default().entry(key).or_default().entry(name).or_insert(said);
    }
    let block = |(workflow, keys): (&str, BTreeMap<String, BTreeMap<&str, &str>>)| {
        let version = |seen: &Seen| seen.versions.get(workflow).copied().unwrap_or_default();
        let version = version(&plan.new).max(version(&plan.old) + 1);
        let mut block = format!("    changes:\n      - version: {version}\n        {}", say(lang, "plan.changes_because", &[]));
        for (key, entries) in keys {
            let is_list = entries.values().all(|said| said.is_empty());
            let entries: Vec<String> =
                entries.iter().map(|(name, said)| if is_list { name.to_string() } else { format!("{name}: {said}") }).collect();
            let entries = entries.join(", ");
            block += &if is_list { format!("\n        {key}: [{entries}]") } else { format!("\n        {key}: {{ {entries} }}") };
        }
        (workflow.to_string(), block)
    };
    workflows.into_iter().map(block).collect()
}

/// What becomes different for how many.
pub fn headline(group: &Group, old: Option<&Arc<Rules>>, new: Option<&Arc<Rules>>, lang: Lang) -> String {
    let title = |name: &str| {
        let known = new.or(old).map_or_else(|| name.to_string(), |rules| name_of(rules, name));
        if known == name { old.map_or_else(|| name.to_string(), |rules| name_of(rules, name)) } else { known }
    };
    let days: Vec<i64> = group.days().collect();
    let (earlier, later) = (days.iter().filter(|days| **days < 0).count(), days.iter().filter(|days| **days > 0).count());
    let most = days.iter().map(|days| days.abs()).max().unwrap_or(0);
    let (name, to) = match &group.what {
        What::WorkflowGone => (group.workflow.to_string(), String::new()),
        What::Unreadable { because } => (because.clone(), String::new()),
        What::StateGone { state } => (state.to_string(), String::new()),
        What::Stuck { state } => (state.to_string(), String::new()),
        What::HolderLost { role } => (role_title(role, new.or(old)), String::new()),
        What::HolderMoves { role, from, to } => {
            let persons = |rules: Option<&Arc<Rules>>, ids: &[Name]| {
                let title = |id: &Name| rules.map_or_else(|| id.to_string(), |rules| capture::title(rules, id));
                ids.iter().map(title).collect::<Vec<_>>().join(&say(lang, "mail.comma", &[]))
            };
            (role_title(role, new.or(old)), format!("{} → {}", persons(old, from), persons(new, to)))
        }
        What::Always { says } => (says.clone(), String::new()),
        What::Owed { deadline, rung } | What::RungPassed { deadline, rung } => (title(deadline), rung.to_string()),
        What::ActionLost { action, role } | What::ActionGained { action, role } => (title(action), role_title(role, new.or(old))),
        What::BranchGone { branch } => (branch.to_string(), String::new()),
        What::RequestGone { request } => (request.to_string(), String::new()),
        What::FieldGone { field } | What::FieldUnfit { field } => (field.to_string(), String::new()),
        What::Date { deadline } | What::NewDate { deadline } | What::NoDate { deadline } | What::DeadlineGone { deadline } => {
            (title(deadline), String::new())
        }
        What::StateMoves { state, to } => (state.to_string(), to.to_string()),
        What::DeadlineMoves { deadline, to } => (deadline.to_string(), to.to_string()),
        What::FieldMoves { field, to } => (field.to_string(), to.to_string()),
        What::BranchMoves { branch, to } => (branch.to_string(), to.to_string()),
    };
    let values = [
        ("name", name),
        ("to", to),
        ("count", group.rows.len().to_string()),
        ("earlier", earlier.to_string()),
        ("later", later.to_string()),
        ("most", most.to_string()),
    ];
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut told = say(lang, &format!("plan.what.{}", word(&group.what)), &values);
    if group.overdue() > 0 {
        told += &say(lang, "plan.of_them_overdue", &[("count", &group.overdue().to_string())]);
    }
    told
}

fn role_title(role: &str, rules: Option<&Arc<Rules>>) -> String {
    let declared = rules.and_then(|rules| rules.setting.workflow.roles.get(role));
    declared.map_or_else(|| role.to_string(), |role| role.title.clone())
}

/// The name of its kind, as the file has it.
fn word(what: &What) -> String {
    let json = serde_json::to_value(what).unwrap_or_default();
    json["what"].as_str().unwrap_or_default().to_string()
}

/// The element of the rules behind it, with its line.
pub fn because(cause: &Cause, new: Option<&Arc<Rules>>, lang: Lang) -> String {
    let place = new.and_then(|rules| rules.places.find(&cause.element)).map(|place| format!("{}:{}", place.file, place.line));
    let place = place.unwrap_or_default();
    let element = match cause.element.split('.').collect::<Vec<_>>().as_slice() {
        ["params", name] => say(lang, "plan.element.param", &[("name", name)]),
        ["tables", name] => say(lang, "plan.element.table", &[("name", name)]),
        ["calendars", name] => say(lang, "plan.element.calendar", &[("name", name)]),
        _ => cause.element.clone(),
    };
    let text = |side: &Option<String>| side.as_deref().map(|text| readable(text, lang)).unwrap_or_default();
    let (was, becomes) = (text(&cause.was), text(&cause.becomes));
    let key = if cause.was.is_some() { "plan.because_change" } else { "plan.because" };
    say(lang, key, &[("element", &element), ("was", &was), ("becomes", &becomes), ("place", &place)]).trim_end().to_string()
}

/// A length in the reader's words, also in brackets behind the name of its rule; anything else as it is.
fn readable(text: &str, lang: Lang) -> String {
    if let Some(length) = phrase::length(text) {
        return due::length(lang, length);
    }
    let named = text.strip_suffix(')').and_then(|text| text.split_once(" ("));
    match named.and_then(|(name, length)| Some((name, phrase::length(length)?))) {
        Some((name, length)) => format!("{name} ({})", due::length(lang, length)),
        None => text.to_string(),
    }
}

/// The sentence of a finding, and what to do.
pub fn sentences(finding: &Finding, lang: Lang) -> (String, String) {
    let worded: Vec<(&str, String)> = finding.values.iter().map(|(name, value)| (name.as_str(), readable(value, lang))).collect();
    let mut values: Vec<(&str, &str)> = worded.iter().map(|(name, value)| (*name, value.as_str())).collect();
    // The signs of YAML, which mean something else in the catalogue.
    values.extend([("o", "{"), ("c", "}")]);
    let key = finding.key();
    (say(lang, &key, &values), say(lang, &format!("{key}.do"), &values))
}
