//! The dates of a month: what is due on which day, and which days are worked. A wrong holiday is noticed here.

use super::session::Visitor;
use super::trouble::Trouble;
use super::{Web, ledger, page};
use crate::kernel::access::Room;
use crate::kernel::model::Name;
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::store::items::{Filter, Listed};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{Datelike, Months};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Items of a month that are read, and rows of one day that are shown.
const MOST: u32 = 2_000;
const OF_A_DAY: usize = 20;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct CalendarQuery {
    /// `2026-06`; this month without it
    month: String,
    workflow: String,
    /// `mine` or `all`
    whose: String,
}

pub async fn show(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<CalendarQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let today = visitor.today();
    let first = match asked.month.trim() {
        "" => today.with_day(1).unwrap_or(today),
        text => {
            let first = format!("{text}-01").parse::<Date>();
            first.map_err(|_| Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_day").with("day", text))?
        }
    };
    let all = visitor.app.rules();
    let workflow = Some(asked.workflow.clone()).filter(|name| all.workflows.contains_key(name.as_str()));
    let is_mine = asked.whose == "mine";
    let mine: BTreeSet<(Name, Option<u32>)> = match is_mine {
        true => visitor.app.duties(&visitor.person).await?.into_iter().map(|duty| (duty.item.id.clone(), duty.task)).collect(),
        false => BTreeSet::new(),
    };
    let month = first.format("%Y-%m").to_string();
    let filter = Filter { workflow: workflow.clone(), open_only: true, dues: Some(format!(":\"{month}-")), ..Filter::default() };
    let rows = visitor.app.store.list(&filter, MOST).await?;
    let mut by_day: BTreeMap<Date, Vec<Json>> = BTreeMap::new();
    let mut sum = 0;
    for row in &rows {
        let Some(rules) = all.workflows.get(row.workflow.as_str()) else { continue };
        for (day, deadline, branch) in dates(rules, row).filter(|(day, ..)| day.format("%Y-%m").to_string() == month) {
            if is_mine && !mine.contains(&(row.id.as_str().into(), branch)) {
                continue;
            }
            sum += 1;
            by_day.entry(day).or_default().push(json!({
                "to": format!("/items/{}", page::encoded(&row.id)),
                "number": ledger::number_of(rules, row),
                "title": row.title,
                "what": deadline,
                "late": day < today,
                "workflow": rules.setting.workflow.title,
            }));
        }
    }
    let calendar = all.workflows.values().next().map(|rules| &rules.setting.calendar);
    let days = first.iter_days().take_while(|day| day.month() == first.month()).map(|day| {
        let mut rows = by_day.remove(&day).unwrap_or_default();
        let more = rows.len().saturating_sub(OF_A_DAY);
        rows.truncate(OF_A_DAY);
        let kind = calendar.map(|calendar| match (calendar.holiday(day), calendar.is_makeup(day), calendar.is_working_day(day)) {
            (Some(name), ..) => name.to_string(),
            (None, true, _) => visitor.say("web.calendar.makeup", &[]),
            (None, false, false) => visitor.say("web.calendar.off", &[]),
            _ => String::new(),
        });
        let worked = calendar.is_none_or(|calendar| calendar.is_working_day(day));
        let provisional = calendar.is_some_and(|calendar| calendar.is_provisional(day));
        json!({ "day": day.to_string(), "rows": rows, "more": more, "kind": kind, "worked": worked, "provisional": provisional, "today": day == today })
    });
    let days: Vec<Json> = days.collect();
    let address = |month: &str, workflow: Option<&str>, whose: &str| {
        let pairs = [("month", month), ("workflow", workflow.unwrap_or_default()), ("whose", whose)];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        format!("/calendar?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    };
    let (chosen, whose) = (workflow.as_deref(), if is_mine { "mine" } else { "" });
    let beside = |day: Option<Date>| day.map(|day| address(&day.format("%Y-%m").to_string(), chosen, whose));
    let mut tabs =
        vec![json!({ "to": address(&month, None, whose), "title": visitor.say("web.calendar.every", &[]), "here": chosen.is_none() })];
    tabs.extend(all.workflows.iter().map(|(name, rules)| {
        json!({ "to": address(&month, Some(name), whose), "title": rules.setting.workflow.title, "here": chosen == Some(&**name) })
    }));
    let page = json!({
        "month": first.to_string(),
        "sum": visitor.say("web.calendar.sum", &[("count", &sum.to_string())]),
        "cut": rows.len() as u32 == MOST,
        "days": days,
        "before": beside(first.checked_sub_months(Months::new(1))),
        "after": beside(first.checked_add_months(Months::new(1))),
        "tabs": tabs,
        "mine": is_mine,
        "of_all": address(&month, chosen, ""),
        "of_mine": address(&month, chosen, "mine"),
    });
    visitor.page(&web, "calendar.html", &visitor.say("web.way.calendar", &[]), page)
}

/// The dates of an item that everybody may know of: day, what is due, and on which branch.
fn dates<'r>(rules: &'r Rules, row: &'r Listed) -> impl Iterator<Item = (Date, &'r str, Option<u32>)> {
    let workflow = &rules.setting.workflow;
    row.dues.as_object().into_iter().flatten().filter_map(move |(key, day)| {
        let (name, branch) = key.split_once('#').map_or((key.as_str(), None), |(name, no)| (name, no.parse().ok()));
        let deadline = workflow.deadlines.get(name)?;
        let hidden = deadline.branch.as_ref().and_then(|kind| workflow.branches.get(kind));
        let shown = hidden.is_none_or(|kind| kind.visible_to.is_empty() && kind.sealed_until.is_none());
        shown.then_some((day.as_str()?.parse().ok()?, deadline.title.as_str(), branch))
    })
}
