//! What the ledger is filtered by, as the rules declare it, and filters that somebody keeps under a name.

use super::session::Sent;
use super::trouble::Trouble;
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Field;
use crate::kernel::model::value::Type;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value as Json, json};

/// A name of a filter is a few words; so many of them are kept for one person.
const LONGEST_NAME: usize = 40;
const LONGEST_QUERY: usize = 2_000;
const MOST: usize = 30;

/// How a field is called in an address.
pub fn parameter(field: &Name) -> String {
    format!("f.{field}")
}

/// The fields that are asked for: those that the rules declare as filters. Units and persons may be called by their titles.
pub fn asked(rules: &Rules, query: &str) -> Vec<(Name, String)> {
    let workflow = &rules.setting.workflow;
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let asked = workflow.ledger.filters.iter().filter_map(|name| {
        let parameter = parameter(name);
        let value = pairs.iter().find(|(key, _)| *key == parameter).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())?;
        Some((name.clone(), id_of(rules, workflow.fields.get(name)?, value)))
    });
    asked.collect()
}

fn id_of(rules: &Rules, field: &Field, text: &str) -> String {
    let directory = &rules.setting.directory;
    match field.kind.inner() {
        Type::Unit => directory.unit_called(text).map_or_else(|| text.to_string(), |id| id.to_string()),
        Type::Person if !directory.persons.contains_key(text) => {
            let named = directory.persons.iter().find(|(_, person)| person.title == text);
            named.map_or_else(|| text.to_string(), |(id, _)| id.to_string())
        }
        _ => text.to_string(),
    }
}

/// What a page asks for: options to choose from, or a text.
pub fn controls(rules: &Rules, asked: &[(Name, String)], lang: Lang) -> Vec<Json> {
    let workflow = &rules.setting.workflow;
    let declared = workflow.ledger.filters.iter().filter_map(|name| workflow.fields.get_key_value(name));
    let control = |(name, field): (&Name, &Field)| {
        let now = asked.iter().find(|(asked, _)| asked == name).map_or("", |(_, value)| value);
        let option = |value: &str, title: String| json!({ "value": value, "title": title, "on": value == now });
        let options: Vec<Json> = match field.kind.inner() {
            Type::Choice(options) => options
                .iter()
                .map(|value| option(value, field.option_titles.get(value).cloned().unwrap_or_else(|| value.to_string())))
                .collect(),
            Type::YesNo => [("true", "show.yes"), ("false", "show.no")].map(|(value, key)| option(value, say(lang, key, &[]))).to_vec(),
            _ => Vec::new(),
        };
        let value = match field.kind.inner() {
            Type::Unit | Type::Person if !now.is_empty() => capture::title(rules, &now.into()),
            _ => now.to_string(),
        };
        let list = matches!(field.kind.inner(), Type::Unit).then_some("units");
        json!({ "name": parameter(name), "title": field.title, "options": options, "value": value, "list": list })
    };
    declared.map(control).collect()
}

/// Keeps the filter that is looked at under a name, or forgets one.
pub async fn change(Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    let bad = || Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_filter").with("most", MOST).with("longest", LONGEST_NAME);
    let store = &visitor.app.store;
    if let Some(name) = sheet.text("forget") {
        store.save_filter(&visitor.person, name, None).await?;
        return Ok(Redirect::to("/ledger").into_response());
    }
    let name = sheet.text("name").filter(|name| name.chars().count() <= LONGEST_NAME).ok_or_else(bad)?;
    let query = sheet.text("query").filter(|query| query.len() <= LONGEST_QUERY).ok_or_else(bad)?;
    // Written anew, so that what is kept is an address of the ledger and nothing else.
    let pairs = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "after" && name != "lang");
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    let kept = store.saved_filters(&visitor.person).await?;
    if kept.len() >= MOST && !kept.iter().any(|(known, _)| known == name) {
        return Err(bad());
    }
    store.save_filter(&visitor.person, name, Some(&query)).await?;
    Ok(Redirect::to(&format!("/ledger?{query}")).into_response())
}
