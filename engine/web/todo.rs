//! The first screen: what waits for whoever looks, the most urgent first, each with its next step.

use super::Web;
use super::deadline;
use super::session::Visitor;
use super::trouble::Trouble;
use crate::app::duties::Duty;
use crate::kernel::decide::{self, capture};
use crate::kernel::model::definition::RequestStep;
use crate::kernel::model::value::Value;
use crate::kernel::rules::Rules;
use crate::kernel::words::{Lang, say};
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Rows that are shown of what waits; who has more finds the rest in the ledger.
const MOST: usize = 200;

pub async fn todo(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    let duties = visitor.app.duties(&visitor.person).await?;
    let lang = visitor.lang();
    // What must be done by a day, what may be done any time, and where somebody else has to move first.
    let (mut urgent, mut calm, mut waiting) = (Vec::new(), Vec::new(), Vec::new());
    for duty in duties.iter().take(MOST) {
        let row = row(duty, lang);
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
    let page = json!({ "groups": groups, "sum": sum, "may_begin": may_begin, "more": duties.len().saturating_sub(MOST) });
    visitor.page(&web, "todo.html", &visitor.say("web.way.todo", &[]), page)
}

fn row(duty: &Duty, lang: Lang) -> Json {
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
