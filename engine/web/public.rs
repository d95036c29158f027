//! What anybody may read, without signing in: items that are published, with the fields that are. Whatever is not, is not there at all.

use super::page::Glance;
use super::trouble::Trouble;
use super::{Web, ledger, page};
use crate::app::App;
use crate::app::list::Which;
use crate::kernel::model::definition::Published;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use crate::store::items::Listed;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Rows of a page; items that are read at once; and portions that a search may cost.
const ROWS: usize = 50;
const PORTION: usize = 500;
const PORTIONS: usize = 20;
/// Anybody may keep a page for so long, in seconds.
const FRESH: &str = "public, max-age=300";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct PublicQuery {
    text: String,
    after: String,
}

/// The workflows of which something is published.
fn published(app: &App) -> Vec<(Arc<Rules>, Published)> {
    let rules = app.rules();
    rules.workflows.values().filter_map(|rules| Some((rules.clone(), rules.setting.workflow.published.clone()?))).collect()
}

fn is_published(rules: &Rules, published: &Published, row: &Listed) -> bool {
    let says = row.fields[&*published.field].as_str();
    row.workflow == *rules.setting.workflow.name
        && published.states.iter().any(|state| **state == *row.state)
        && says.is_some_and(|says| published.is.iter().any(|option| **option == *says))
}

/// What is shown of an item: titles and texts.
fn shown(rules: &Rules, published: &Published, row: &Listed, lang: Lang) -> Vec<(String, String)> {
    let fields: Fields = serde_json::from_value(row.fields.clone()).unwrap_or_default();
    let declared = published.fields.iter().filter_map(|name| rules.setting.workflow.fields.get_key_value(name));
    let shown = declared.map(|(name, field)| {
        let cell = ledger::cell(rules, field, fields.get(name).unwrap_or(&Value::Empty), lang);
        (field.title.clone(), cell["text"].as_str().unwrap_or_default().to_string())
    });
    shown.filter(|(_, text)| !text.is_empty()).collect()
}

fn state_of(rules: &Rules, row: &Listed) -> String {
    rules.setting.workflow.states.get(row.state.as_str()).map_or_else(String::new, |state| state.title.clone())
}

/// What stands above the others: the title, if it is published, else the first of what is.
fn heading(published: &Published, row: &Listed, shown: &[(String, String)]) -> String {
    match published.fields.iter().any(|name| &**name == "title") {
        true => row.title.clone(),
        false => shown.first().map(|(_, text)| text.clone()).unwrap_or_default(),
    }
}

pub async fn list(State(web): State<Arc<Web>>, Query(asked): Query<PublicQuery>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let app = web.app().await?;
    let open = published(&app);
    let (rules, published) = open.first().ok_or_else(Trouble::not_found)?;
    let wanted = asked.text.trim().to_lowercase();
    let mut rows: Vec<Json> = Vec::new();
    let (mut after, mut next) = (asked.after.clone(), None);
    'portions: for portion in 0..=PORTIONS {
        if portion == PORTIONS {
            next = Some(after);
            break;
        }
        let which = Which {
            workflow: Some(rules.setting.workflow.name.to_string()),
            // One option is asked of the store; of several each row is.
            fields: if let [only] = published.is.as_slice() { vec![(published.field.clone(), only.to_string())] } else { Vec::new() },
            ..Which::default()
        };
        let found = app.list(&which, &after, PORTION).await.map_err(|_| Trouble::of(StatusCode::SERVICE_UNAVAILABLE, "busy"))?;
        for row in found.rows.iter().filter(|row| is_published(rules, published, row)) {
            let fields = shown(rules, published, row, glance.lang);
            // Only what is shown is searched: nobody finds out by trying what is not.
            if !wanted.is_empty() && !fields.iter().any(|(_, text)| text.to_lowercase().contains(&wanted)) {
                continue;
            }
            if rows.len() == ROWS {
                next = rows.last().and_then(|row| row["id"].as_str()).map(str::to_string);
                break 'portions;
            }
            rows.push(json!({ "id": row.id, "to": format!("/public/{}", page::encoded(&row.id)), "title": heading(published, row, &fields), "state": state_of(rules, row), "fields": pairs(&fields) }));
        }
        match found.next {
            Some(behind) => after = behind,
            None => break,
        }
    }
    let address = |after: &str| {
        let pairs = [("text", asked.text.as_str()), ("after", after)];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        format!("/public?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    };
    let values = json!({ "heading": published.title, "text": asked.text, "rows": rows, "next": next.as_deref().map(address), "sender": rules.setting.workflow.letter.get("sender") });
    filled(&web, &glance, "public.html", &published.title, values)
}

pub async fn item(State(web): State<Arc<Web>>, Path(id): Path<String>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let app = web.app().await?;
    let row = app.store.listed(&id).await?;
    let open = published(&app);
    let found = row.and_then(|row| open.iter().find(|(rules, published)| is_published(rules, published, &row)).map(|open| (open, row)));
    let ((rules, published), row) = found.ok_or_else(Trouble::not_found)?;
    let fields = shown(rules, published, &row, glance.lang);
    let title = heading(published, &row, &fields);
    let values = json!({ "heading": published.title, "title": title, "state": state_of(rules, &row), "ended": row.ended_on.map(|day| day.to_string()), "fields": pairs(&fields) });
    filled(&web, &glance, "public_item.html", &title, values)
}

fn pairs(fields: &[(String, String)]) -> Vec<Json> {
    fields.iter().map(|(title, text)| json!({ "title": title, "text": text })).collect()
}

fn filled(web: &Web, glance: &Glance, name: &str, title: &str, values: Json) -> Result<Response, Trouble> {
    let mut response = page::fill(web, glance, None, name, title, values).map_err(|error| {
        tracing::error!(%error, template = name, "a page cannot be filled");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", say(glance.lang, "web.way.public", &[]))
    })?;
    // A language that was just chosen comes with a cookie, which nobody else should get.
    if !glance.is_choosing() {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(FRESH));
    }
    response.headers_mut().insert(header::VARY, HeaderValue::from_static("cookie, accept-language"));
    Ok(response)
}
