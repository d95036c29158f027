//! The first screen: what waits for whoever looks, the most urgent first, each with its next step.

use super::Web;
use super::deadline;
use super::session::Visitor;
use super::trouble::Trouble;
use crate::app::duties::Duty;
use crate::kernel::decide::{self, capture};
use crate::kernel::derive::hands;
use crate::kernel::model::definition::RequestStep;
use crate::kernel::model::value::Value;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use axum::extract::{Query, State};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Items of which one page shows what waits.
const MOST: u32 = 50;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Asked {
    /// Only what is theirs by this unit.
    unit: String,
    /// From 1.
    page: Option<u32>,
}

pub async fn todo(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<Asked>) -> Result<Response, Trouble> {
    let before = asked.page.map_or(0, |page| page.saturating_sub(1).saturating_mul(MOST));
    let unit = Some(asked.unit.as_str()).filter(|unit| !unit.is_empty());
    let (duties, all) = visitor.app.some_duties(&visitor.person, unit, before, MOST).await?;
    let lang = visitor.lang();
    let units = units(&visitor, &asked.unit);
    // What must be done by a day, what may be done any time, and where somebody else has to move first.
    let (mut urgent, mut calm, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for duty in &duties {
        let row = row(duty, !units.is_empty(), lang);
        match (&duty.next, &duty.due) {
            (None, _) => waiting.push(row),
            (Some(_), Some(due)) if due.late || !due.fired.is_empty() => urgent.push(row),
            (Some(_), _) => calm.push(row),
        }
    }
    let late = duties.iter().filter(|duty| duty.due.as_ref().is_some_and(|due| due.late)).count();
    let groups = [("urgent", urgent), ("calm", calm), ("waiting", waiting)];
    let groups: Vec<Json> = groups
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(name, rows)| json!({ "title": visitor.say(&format!("web.todo.{name}"), &[("count", &rows.len().to_string())]), "name": name, "rows": rows }))
        .collect();
    let mut may_begin = false;
    for rules in visitor.app.rules().workflows.values() {
        may_begin |= !decide::begins(rules, &visitor.person, visitor.today())?.is_empty();
    }
    let to_do = duties.iter().filter(|duty| duty.next.is_some()).count();
    let (waits, late) = (duties.len() - to_do, late.to_string());
    let values = [("count", to_do.to_string()), ("late", late), ("waiting", waits.to_string())];
    let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut sum = visitor.say(if duties.is_empty() { "web.todo.nothing" } else { "web.todo.sum" }, &values);
    for (key, holds) in [("web.todo.sum_late", values[1].1 != "0"), ("web.todo.sum_waiting", waits > 0)] {
        if holds {
            sum += &visitor.say(key, &values);
        }
    }
    let place = place(before, all, unit, &visitor);
    if let Some(sentence) = place["sentence"].as_str() {
        // Of all of them nobody has counted which are late.
        sum = sentence.to_string();
    }
    let page = json!({ "units": units, "groups": groups, "sum": sum, "may_begin": may_begin, "place": place });
    visitor.page(&web, "todo.html", &visitor.say("web.way.todo", &[]), page)
}

/// Where a page stands among the others; nothing when it is the only one.
fn place(before: u32, all: u64, unit: Option<&str>, visitor: &Visitor) -> Json {
    if before == 0 && all <= u64::from(MOST) {
        return Json::Null;
    }
    let (from, to) = ((u64::from(before) + 1).min(all), (u64::from(before) + u64::from(MOST)).min(all));
    let values = [("from", from.to_string()), ("to", to.to_string()), ("all", all.to_string())];
    let number = before / MOST + 1;
    let unit = unit.map(|unit| format!("&unit={}", super::page::encoded(unit))).unwrap_or_default();
    let page = |number: u32| format!("/todo?page={number}{unit}");
    json!({
        "sentence": visitor.say("web.todo.place", &values.each_ref().map(|(name, value)| (*name, value.as_str()))),
        "before": (number > 1).then(|| page(number - 1)),
        "next": (to < all).then(|| page(number + 1)),
    })
}

/// Whoever has work by several units chooses one of them, or looks at all; others have nothing to choose.
fn units(visitor: &Visitor, chosen: &str) -> Vec<Json> {
    let rules = visitor.app.rules();
    let units = hands::units_of(&rules, &visitor.person, visitor.app.now());
    if units.len() < 2 {
        return Vec::new();
    }
    let title = |unit: &str| rules.directory.units.get(unit).map_or_else(|| unit.to_string(), |unit| unit.title.clone());
    let all = json!({ "to": "/todo", "title": visitor.say("web.todo.all_units", &[]), "here": chosen.is_empty() });
    let each = units
        .iter()
        .map(|unit| json!({ "to": format!("/todo?unit={}", super::page::encoded(unit)), "title": title(unit), "here": chosen == &**unit }));
    std::iter::once(all).chain(each).collect()
}

fn row(duty: &Duty, with_unit: bool, lang: Lang) -> Json {
    let (rules, item) = (&duty.rules, &duty.item);
    let branch = duty.task.and_then(|no| item.branch(no));
    let states = rules.setting.workflow.states_of(branch.map(|branch| &*branch.kind));
    let state = branch.map_or(&item.state, |branch| &branch.state);
    json!({
        "item": item.id,
        "number": number(rules, item),
        "title": duty.title,
        "workflow": rules.setting.workflow.title,
        "branch": branch.map(|branch| branch_name(rules, branch)),
        "state": states.and_then(|states| states.get(state)).map_or_else(|| state.to_string(), |state| state.title.clone()),
        "role": duty.role,
        "unit": duty.unit.as_ref().filter(|_| with_unit).map(|unit| capture::title(rules, unit)),
        "absent": duty.absent.as_ref().map(|absent| say(lang, "web.todo.absent", &[("person", &capture::title(rules, absent))])),
        "light": duty.due.as_ref().map(|due| deadline::light(due, item.today, lang)),
        "due": duty.due.as_ref().map(|due| json!({ "title": due.title, "date": due.date.map(|date| date.to_string()), "provisional": due.provisional })),
        "next": duty.next.as_ref().map(|action| match duty.open {
            1 => json!({ "to": action_path(&item.id, action, duty.task), "title": action_title(rules, branch.map(|branch| &*branch.kind), action, lang) }),
            // Which of several it will be is to be decided first.
            count => json!({ "to": format!("/items/{}", super::page::encoded(&item.id)), "title": say(lang, "web.todo.several", &[("count", &count.to_string())]) }),
        }),
        "none": say(lang, "web.todo.no_step", &[]),
    })
}

/// What an action is called. The three steps of a request share a title, so two of them say what is decided.
pub fn action_title(rules: &Rules, kind: Option<&str>, name: &str, lang: Lang) -> String {
    let Some(action) = rules.setting.workflow.actions_of(kind).and_then(|actions| actions.get(name)) else { return name.to_string() };
    let step = match &action.request {
        Some((_, RequestStep::Approve)) => "web.request.approve",
        Some((_, RequestStep::Refuse)) => "web.request.refuse",
        _ => return action.title.clone(),
    };
    say(lang, step, &[("title", &action.title)])
}

/// Where the form of an action is.
pub fn action_path(item: &str, action: &str, branch: Option<u32>) -> String {
    let branch = branch.map(|no| format!("?branch={no}")).unwrap_or_default();
    format!("/items/{}/do/{}{branch}", super::page::encoded(item), super::page::encoded(action))
}

/// The number that an action gave an item; else its id.
pub fn number(rules: &Rules, item: &crate::kernel::model::item::Item) -> String {
    let given = rules.setting.workflow.actions.values().flat_map(|action| &action.sequence).map(|sequence| item.field(&sequence.field));
    given.filter_map(Value::as_text).next().map_or_else(|| item.id.to_string(), |number| number.to_string())
}

fn branch_name(rules: &Rules, branch: &crate::kernel::model::item::Branch) -> String {
    let kind = rules.setting.workflow.branches.get(&branch.kind).map_or_else(|| branch.kind.to_string(), |kind| kind.title.clone());
    let which = ["unit", "person"].iter().find_map(|field| branch.fields.get(*field).and_then(Value::as_text));
    which.map_or_else(|| format!("{kind} {}", branch.no), |id| format!("{kind} {}", capture::title(rules, id)))
}
