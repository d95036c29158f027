//! All items, found by what is asked for, a page at a time.

use super::Web;
use super::session::Visitor;
use super::trouble::Trouble;
use super::{filters, page};
use crate::app::list::{ListError, Which};
use crate::app::{Format, Made};
use crate::kernel::access::Room;
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::attached::Attached;
use crate::kernel::model::definition::Field;
use crate::kernel::model::value::{Fields, Type, Value};
use crate::kernel::report::{Cell, Table};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::Lang;
use crate::store::items::Listed;
use axum::extract::{Query, RawQuery, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Rows of a page.
const ROWS: usize = 50;
/// Items that are read at once for a workbook, and how many it holds.
const PORTION: usize = 500;
const MOST: usize = 100_000;
/// Columns beside number, title, state and date: those that tell items apart best.
const COLUMNS: usize = 4;
/// Options of a choice that are shown as chips.
const CHIPS: usize = 6;

/// What is asked for; empty parts do not restrict.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub struct LedgerQuery {
    workflow: String,
    state: String,
    unit: String,
    text: String,
    flag: String,
    /// `open`, `late` or `all`
    which: String,
    after: String,
}

/// What was asked for, as it is understood.
async fn which(visitor: &Visitor, asked: &LedgerQuery) -> Result<(Name, Arc<Rules>, Which), Trouble> {
    let all = visitor.app.rules();
    let wanted = match asked.workflow.is_empty() {
        true => busiest(visitor).await?,
        false => asked.workflow.clone(),
    };
    let found = all.workflows.get_key_value(wanted.as_str()).or_else(|| all.workflows.first());
    let (name, rules) = found.map(|(name, rules)| (name.clone(), rules.clone())).ok_or_else(Trouble::not_found)?;
    let given = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
    let which = Which {
        workflow: Some(name.to_string()),
        state: given(&asked.state),
        text: given(&asked.text),
        flag: given(&asked.flag),
        unit: given(&asked.unit),
        fields: Vec::new(),
        open: asked.which != "all",
        late: asked.which == "late",
    };
    Ok((name, rules, which))
}

pub async fn show(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Query(asked): Query<LedgerQuery>,
    RawQuery(raw): RawQuery,
) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let all = visitor.app.rules();
    let raw = raw.unwrap_or_default();
    let (name, rules, mut which) = which(&visitor, &asked).await?;
    which.fields = filters::asked(&rules, &raw);
    let (name, rules) = (&name, &rules);
    let found = visitor.app.list(&which, &asked.after, ROWS).await;
    let (found, says) = match found {
        Ok(page) => (page, None),
        Err(ListError::Store(error)) => return Err(error.into()),
        Err(ListError::Unit(unit)) => (Default::default(), Some(visitor.say("web.ledger.no_unit", &[("unit", &unit)]))),
        Err(ListError::State { state, .. }) => return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_state").with("state", state)),
    };
    let columns = columns(rules, &found.rows);
    let today = visitor.today();
    let rows: Vec<Json> = found.rows.iter().map(|row| row_view(&visitor, rules, &columns, row, today)).collect();
    let states = rules
        .setting
        .workflow
        .states
        .iter()
        .map(|(name, state)| json!({ "name": name, "title": state.title, "on": **name == *asked.state }));
    let address = |after: &str| {
        let pairs = [
            ("workflow", &**name),
            ("state", &asked.state),
            ("unit", &asked.unit),
            ("text", &asked.text),
            ("flag", &asked.flag),
            ("which", &asked.which),
            ("after", after),
        ];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        let own = which.fields.iter().map(|(field, value)| (filters::parameter(field), value.as_str()));
        format!("/ledger?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).extend_pairs(own).finish())
    };
    let flag =
        |flag: &str| json!({ "name": flag, "title": visitor.say(&format!("web.ledger.flag.{flag}"), &[]), "on": asked.flag == flag });
    let flags = ["red", "amber", "none"].map(flag);
    let saved = visitor.app.store.saved_filters(&visitor.person).await?;
    let here = address("");
    let page = json!({
        "fields": filters::controls(rules, &which.fields, visitor.lang()),
        "saved": saved.iter().map(|(name, query)| json!({ "name": name, "to": format!("/ledger?{query}"), "here": here == format!("/ledger?{query}") })).collect::<Vec<_>>(),
        "query": here.trim_start_matches("/ledger?"),
        "form": visitor.form,
        "workflows": all.workflows.iter().map(|(other, rules)| json!({ "to": format!("/ledger?workflow={}", page::encoded(other)), "title": rules.setting.workflow.title, "here": other == name })).collect::<Vec<_>>(),
        "workflow": name,
        "asked": asked,
        "states": states.collect::<Vec<_>>(),
        "flags": flags,
        "units": all.directory.units.values().map(|unit| unit.title.as_str()).collect::<Vec<_>>(),
        "columns": columns.iter().map(|(_, field)| field.title.as_str()).collect::<Vec<_>>(),
        "rows": rows,
        "says": says,
        "excel": format!("/ledger.xlsx{}", address("").trim_start_matches("/ledger")),
        "first": if asked.after.is_empty() { None } else { Some(address("")) },
        "next": found.next.as_deref().map(address),
    });
    visitor.page(&web, "ledger.html", &visitor.say("web.way.ledger", &[]), page)
}

/// The same rows as a workbook, in the same order, as an office files it.
pub async fn workbook(visitor: Visitor, Query(asked): Query<LedgerQuery>, RawQuery(raw): RawQuery) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let (name, rules, mut which) = which(&visitor, &asked).await?;
    which.fields = filters::asked(&rules, &raw.unwrap_or_default());
    let today = visitor.today();
    let mut found_rows: Vec<Listed> = Vec::new();
    let mut after = String::new();
    loop {
        let found = visitor.app.list(&which, &after, PORTION).await.map_err(|error| match error {
            ListError::Store(error) => error.into(),
            error => Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "report_fails").with("what", error),
        })?;
        found_rows.extend(found.rows);
        match found.next {
            Some(next) if found_rows.len() < MOST => after = next,
            _ => break,
        }
    }
    let columns = columns(&rules, &found_rows);
    let rows = found_rows.iter().map(|row| {
        let view = row_view(&visitor, &rules, &columns, row, today);
        let text = |value: &Json| value.as_str().map_or(Cell::Empty, |text| Cell::Text(text.to_string()));
        let mut cells = vec![text(&view["number"]), text(&view["title"]), text(&view["state"])];
        cells.push(row.due_on.filter(|_| row.ended_on.is_none()).map_or(Cell::Empty, Cell::Day));
        cells.push(text(&view["light"]["text"]));
        cells.extend(view["cells"].as_array().into_iter().flatten().map(|cell| text(&cell["text"])));
        cells
    });
    let rows: Vec<Vec<Cell>> = rows.collect();
    let own = ["number", "title", "state", "due", "light"].map(|name| (name.into(), visitor.say(&format!("web.ledger.{name}"), &[])));
    let headings = own.into_iter().chain(columns.iter().map(|(name, field)| ((*name).clone(), field.title.clone())));
    let title = format!("{} {}", rules.setting.workflow.title, visitor.say("web.way.ledger", &[]));
    let table = Table::list(name, title, today, headings, rows);
    let who = visitor.say(
        "web.ledger.made",
        &[("who", &visitor.name()), ("day", &today.to_string()), ("version", &rules.setting.workflow.version.to_string())],
    );
    let bytes = Format::Xlsx.write(&Made::Table(table), &[who], visitor.lang()).map_err(|error| {
        tracing::error!(%error, "the ledger cannot be written");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    let file = format!("attachment; filename=\"ledger-{today}.xlsx\"");
    let kind = HeaderValue::from_static(Format::Xlsx.content_type());
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_DISPOSITION, HeaderValue::from_str(&file).unwrap_or(HeaderValue::from_static("attachment"))),
        ],
        bytes,
    )
        .into_response())
}

/// The workflow with the most items: what most people come for.
async fn busiest(visitor: &Visitor) -> Result<String, Trouble> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (workflow, _, count) in visitor.app.count_by_state().await? {
        *counts.entry(workflow).or_default() += count;
    }
    Ok(counts.into_iter().max_by_key(|(_, count)| *count).map(|(workflow, _)| workflow).unwrap_or_default())
}

/// The columns that the rules declare; else fields that everybody sees, that have few words, and that tell the rows at hand apart: units first, then choices and persons, those
/// with more values first.
fn columns<'r>(rules: &'r Rules, rows: &[Listed]) -> Vec<(&'r Name, &'r Field)> {
    let (declared, fields) = (&rules.setting.workflow.ledger.columns, &rules.setting.workflow.fields);
    if !declared.is_empty() {
        return declared.iter().filter_map(|name| fields.get_key_value(name)).collect();
    }
    let rank = |field: &Field| match field.kind.inner() {
        Type::Unit => Some(0),
        Type::Choice(_) => Some(1),
        Type::Person => Some(2),
        _ => None,
    };
    let values = |name: &str| rows.iter().filter_map(|row| row.fields.get(name)).map(Json::to_string).collect::<BTreeSet<_>>().len();
    let fields = rules.setting.workflow.fields.iter().filter(|(_, field)| field.is_open());
    let mut ranked: Vec<_> = fields.filter_map(|(name, field)| Some((rank(field)?, Reverse(values(name)), name, field))).collect();
    ranked.retain(|(_, values, ..)| rows.is_empty() || values.0 > 1);
    ranked.sort_by_key(|(rank, values, ..)| (*rank, *values));
    ranked.into_iter().take(COLUMNS).map(|(_, _, name, field)| (name, field)).collect()
}

fn row_view(visitor: &Visitor, rules: &Rules, columns: &[(&Name, &Field)], row: &Listed, today: Date) -> Json {
    let fields: Fields = serde_json::from_value(row.fields.clone()).unwrap_or_default();
    let cells: Vec<Json> =
        columns.iter().map(|(name, field)| cell(rules, field, fields.get(*name).unwrap_or(&Value::Empty), visitor.lang())).collect();
    json!({
        "item": row.id,
        "to": format!("/items/{}", page::encoded(&row.id)),
        "number": number_of(rules, row),
        "title": row.title,
        "state": visitor.app.state_title(row),
        "due": row.due_on.filter(|_| row.ended_on.is_none()).map(|date| date.to_string()),
        "light": light(row, today, visitor.lang()),
        "set_aside": row.quarantine,
        "cells": cells,
    })
}

/// The number that an action gave to an item of a list; else its id.
pub fn number_of(rules: &Rules, row: &Listed) -> String {
    let given = rules.setting.workflow.actions.values().flat_map(|action| &action.sequence);
    given.filter_map(|sequence| row.fields[&*sequence.field].as_str()).next().unwrap_or(&row.id).to_string()
}

/// The light of a row, by the mark that the rules gave it and the next date.
pub fn light(row: &Listed, today: Date, lang: Lang) -> Json {
    let days = row.due_on.filter(|_| row.ended_on.is_none()).map(|date| (date - today).num_days());
    let say = |key: &str, days: i64| {
        let word = crate::kernel::words::say(lang, &format!("web.due.{key}"), &[]);
        let counted = match key {
            "late" => "web.due.days_over",
            _ => "web.due.days_left",
        };
        let counted = if days == 1 { format!("{counted}.one") } else { counted.to_string() };
        crate::kernel::words::say(lang, &counted, &[("word", &word), ("days", &days.to_string())])
    };
    match (row.flag.as_deref(), days) {
        (_, None) => Json::Null,
        (_, Some(days)) if days < 0 => json!({ "status": "late", "text": say("late", -days) }),
        (Some(_), Some(days)) => json!({ "status": "soon", "text": say("soon", days) }),
        (None, Some(days)) => json!({ "status": "running", "text": say("running", days) }),
    }
}

/// What a field says in a list.
pub fn cell(rules: &Rules, field: &Field, value: &Value, lang: Lang) -> Json {
    let chip = match field.kind.inner() {
        Type::Choice(options) if options.len() <= CHIPS => value.as_text().and_then(|now| options.iter().position(|option| option == now)),
        _ => None,
    };
    json!({ "text": shown(rules, field, field.kind.inner(), value, lang), "chip": chip })
}

fn shown(rules: &Rules, field: &Field, kind: &Type, value: &Value, lang: Lang) -> String {
    match (kind, value) {
        (Type::Unit | Type::Person, Value::Text(id)) => capture::title(rules, id),
        (Type::Choice(_), Value::Text(option)) => field.option_titles.get(option).cloned().unwrap_or_else(|| option.to_string()),
        (Type::List(kind), Value::List(list)) => {
            let all: Vec<String> = list.iter().map(|value| shown(rules, field, kind.inner(), value, lang)).collect();
            all.join(&crate::kernel::words::say(lang, "show.comma", &[]))
        }
        (Type::File, Value::Text(text)) => Attached::shown(text),
        (_, Value::Text(text)) => text.to_string(),
        (_, Value::Number(number)) => number.to_string(),
        (_, Value::Date(day)) => day.to_string(),
        (_, Value::Bool(yes)) => crate::kernel::words::say(lang, if *yes { "show.yes" } else { "show.no" }, &[]),
        _ => String::new(),
    }
}
