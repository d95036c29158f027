//! What was sent to whom and why, what waits, and what is held until a person lets it go.

use super::Web;
use super::page;
use super::session::{Sent, Visitor};
use super::trouble::Trouble;
use crate::app::outbox::{became, status_word, sums};
use crate::app::{Batch, excess_values};
use crate::kernel::access::Room;
use crate::kernel::decide::capture;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::{Lang, say};
use crate::store::brake::Excess;
use crate::store::incoming::Incoming;
use crate::store::outbox::{NoticeStatus, STATUSES};
use crate::store::outbox_desk::{OutboxFilter, OutboxPlace};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Rows of a page.
const ROWS: usize = 50;
/// A reason is a sentence.
const LONGEST_REASON: usize = 500;
/// So many reports of mails that did not arrive are looked at.
const MOST_UNDELIVERED: u32 = 500;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct OutboxQuery {
    status: String,
    item: String,
    after: String,
    /// How many were changed just now.
    changed: Option<u64>,
}

pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<OutboxQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Outbox).await?;
    let app = &visitor.app;
    let given = |text: &str| Some(text.trim().to_string()).filter(|text| !text.is_empty());
    let after = given(&asked.after).map(|text| text.parse::<OutboxPlace>()).transpose().map_err(|()| Trouble::not_found())?;
    let status = given(&asked.status).filter(|status| STATUSES.contains(&status.as_str()));
    let filter = OutboxFilter { status, person: None, item: given(&asked.item), after };
    let mut found = app.store.notices(&filter, ROWS as u32 + 1).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let next = found.last().filter(|_| more).map(|(_, last)| OutboxPlace::of(last).to_string());
    let rules = app.rules();
    let lang = visitor.lang();
    let rows: Vec<Json> = found.iter().filter_map(|(item, notice)| row(&rules, item, notice, lang)).collect();
    let zone = rules.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let held = app.store.hold().await?.and_then(|hold| Excess::read(&hold.reason)).map(|excess| {
        let values = excess_values(&excess, zone);
        let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
        visitor.say("outbox.held_now", &values)
    });
    let address = |status: &str, after: &str| {
        let pairs = [("status", status), ("item", &asked.item), ("after", after)];
        let pairs = pairs.iter().filter(|(_, value)| !value.is_empty());
        format!("/outbox?{}", url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish())
    };
    let counts = sums(app.store.count_notices().await?);
    let all: u64 = counts.values().sum();
    let mut tabs =
        vec![json!({ "to": address("", ""), "title": visitor.say("web.outbox.all", &[]), "count": all, "here": filter.status.is_none() })];
    for status in STATUSES {
        if let Some(count) = counts.get(*status) {
            tabs.push(json!({ "to": address(status, ""), "title": status_word(status, lang), "count": count, "here": filter.status.as_deref() == Some(status) }));
        }
    }
    let undelivered = undelivered(&visitor).await?;
    let page = json!({
        "undelivered": undelivered,
        "tabs": tabs,
        "rows": rows,
        "next": next.map(|next| address(&asked.status, &next)),
        "held": held,
        "item": asked.item,
        "status": asked.status,
        "changed": asked.changed,
        "form": visitor.form,
    });
    visitor.page(&web, "outbox.html", &visitor.say("web.way.outbox", &[]), page)
}

/// Addresses at which mails did not arrive, each once, until somebody has seen to them.
pub async fn undelivered(visitor: &Visitor) -> Result<Vec<Json>, Trouble> {
    let rules = visitor.app.rules();
    let zone = visitor.zone();
    let mut rows: Vec<Json> = Vec::new();
    let mut seen = BTreeSet::new();
    for open in visitor.app.store.undelivered(MOST_UNDELIVERED).await? {
        if seen.insert(open.address.clone()) {
            rows.push(json!({
                "address": open.address,
                "person": rules.directory.person_title(&open.person),
                "at": open.at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
                "status": open.status,
                "why": open.words.lines().next().unwrap_or_default(),
                "mail": format!("/outbox/mails/{}", page::encoded(&open.mail)),
            }));
        }
    }
    Ok(rows)
}

/// What came back about mails, as pages show it.
pub fn returned(message: &Incoming, zone: chrono_tz::Tz, lang: Lang) -> Json {
    let at = message.at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let settled = message.settled_at.map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string());
    json!({
        "kind": message.kind,
        "title": say(lang, &format!("web.returned.{}", message.kind), &[]),
        "at": at,
        "sender": message.sender,
        "status": message.status,
        "words": message.words,
        "why": message.words.lines().next().unwrap_or_default(),
        "settled": settled,
    })
}

fn row(rules: &RuleSet, item: &str, notice: &NoticeStatus, lang: Lang) -> Option<Json> {
    let declares = |rules: &&Arc<Rules>| rules.setting.workflow.notices.contains_key(notice.notice.as_str());
    let rules = rules.workflows.values().find(declares).or_else(|| rules.workflows.values().next())?;
    let zone = rules.setting.workflow.timezone;
    let status = notice.mail_status.as_deref().unwrap_or(&notice.status);
    Some(json!({
        "key": notice.key,
        "item": item,
        "to_item": format!("/items/{}", page::encoded(item)),
        "title": rules.setting.workflow.notices.get(notice.notice.as_str()).map_or(notice.notice.as_str(), |declared| &declared.title),
        "kind": notice.kind,
        "person": capture::title(rules, &notice.person.as_str().into()),
        "status": status,
        "says": became(notice, zone, lang),
        "at": notice.mail_ended_at.unwrap_or(notice.not_before).with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
        "mail": notice.mail.as_ref().map(|mail| format!("/outbox/mails/{}", page::encoded(mail))),
        "waits": matches!(status, "parked" | "ready" | "held"),
    }))
}

/// What whoever looks was told, the latest first: what they should know even if a mail has not reached them.
pub async fn told(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<OutboxQuery>) -> Result<Response, Trouble> {
    let after = Some(asked.after.as_str()).filter(|after| !after.is_empty());
    let after = after.map(|text| text.parse::<OutboxPlace>()).transpose().map_err(|()| Trouble::not_found())?;
    let filter = OutboxFilter { status: None, person: Some(visitor.person.to_string()), item: None, after };
    let mut found = visitor.app.store.notices(&filter, ROWS as u32 + 1).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let next = found.last().filter(|_| more).map(|(_, last)| format!("/told?after={}", page::encoded(&OutboxPlace::of(last).to_string())));
    let rules = visitor.app.rules();
    let items = visitor.app.store.listed_of(&found.iter().map(|(item, _)| item.as_str()).collect::<Vec<_>>()).await?;
    let rows = found.iter().filter_map(|(item, notice)| {
        let mut row = row(&rules, item, notice, visitor.lang())?;
        row["about"] = json!(items.get(item).map(|item| &item.title));
        Some(row)
    });
    let rows: Vec<Json> = rows.collect();
    visitor.page(&web, "told.html", &visitor.say("web.way.told", &[]), json!({ "rows": rows, "next": next }))
}

/// Lets go of what waits, or cancels it with a reason.
pub async fn change(State(web): State<Arc<Web>>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    visitor.enter(Room::Outbox).await?;
    if sheet.text("do") == Some("settle") {
        let address = sheet.text("address").ok_or_else(|| Trouble::of(StatusCode::BAD_REQUEST, "no_form"))?;
        let settled = visitor.app.store.settle_undelivered(address, visitor.app.now(), &visitor.person).await?;
        return Ok(Redirect::to(&format!("/outbox?changed={settled}")).into_response());
    }
    let cancel = match sheet.text("do") {
        Some("release") => None,
        Some("cancel") => {
            let reason = sheet.text("reason").filter(|reason| reason.chars().count() <= LONGEST_REASON);
            Some(reason.ok_or_else(|| Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_reason"))?)
        }
        _ => return Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
    };
    let changed = match sheet.text("batch") {
        Some("volume") => visitor.app.change_batch(Batch::Volume, cancel).await?,
        _ => {
            let keys: Vec<String> = sheet.all("key").map(str::to_string).collect();
            visitor.app.change_outbox(&keys, cancel).await?
        }
    };
    web.pulse.wake();
    Ok(Redirect::to(&format!("/outbox?changed={changed}")).into_response())
}

/// A mail as it was sent: its text, and how it came through.
pub async fn mail(State(web): State<Arc<Web>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Trouble> {
    visitor.enter(Room::Outbox).await?;
    let (status, bytes) = visitor.app.store.mail(&id).await?.ok_or_else(Trouble::not_found)?;
    let (headers, text) = crate::mail::read_back(&bytes);
    let zone = visitor.app.rules().workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
    let came_back = visitor.app.store.incoming_of(std::slice::from_ref(&id)).await?;
    let page = json!({
        "returned": came_back.iter().map(|message| returned(message, zone, visitor.lang())).collect::<Vec<Json>>(),
        "headers": headers.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect::<Vec<Json>>(),
        "text": text,
        "status": status_word(&status.status, visitor.lang()),
        "attempts": status.attempts,
        "reply": status.reply,
        "created": status.created_at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
        "ended": status.ended_at.map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()),
    });
    visitor.page(&web, "mail.html", &visitor.say("web.mail.title", &[]), page)
}
