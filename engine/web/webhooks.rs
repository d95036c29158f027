//! Other programs that are told of what happens, for whoever looks after the system: which, what became of it, and what waits for a person.

use super::Web;
use super::page;
use super::session::{Sent, Visitor};
use super::trouble::Trouble;
use crate::app::accounts::By;
use crate::app::webhooks::NotDeclared;
use crate::kernel::access::Room;
use crate::kernel::time::Instant;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Of what is told a page shows no more.
const ROWS: u32 = 100;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct WebhookQuery {
    /// Only what stands so.
    status: String,
}

/// What came of it, and what had been typed where nothing did.
#[derive(Default)]
struct Told {
    says: String,
    secret: Option<String>,
    bad: bool,
    url: String,
    events: Vec<String>,
}

pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<WebhookQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::System).await?;
    show(&web, &visitor, &asked.status, None, StatusCode::OK).await
}

async fn show(web: &Web, visitor: &Visitor, status: &str, told: Option<Told>, code: StatusCode) -> Result<Response, Trouble> {
    let (app, zone) = (&visitor.app, visitor.zone());
    let moment = |at: Instant| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let status = Some(status).filter(|status| crate::store::webhooks::DELIVERY_STATUSES.contains(status));
    let counts = app.store.count_deliveries().await?;
    let webhooks = app.store.webhooks().await?;
    let count = |id: &str, status: &str| counts.get(&(id.to_string(), status.to_string())).copied().unwrap_or(0);
    let rows = webhooks.iter().map(|webhook| {
        json!({
            "id": webhook.id,
            "url": webhook.url,
            "events": webhook.events,
            "declared": webhook.made_by.is_none(),
            "stopped": webhook.stopped_at.map(moment),
            "done": count(&webhook.id, "done"),
            "waiting": count(&webhook.id, "ready") + count(&webhook.id, "claimed"),
            "parked": count(&webhook.id, "parked"),
        })
    });
    let url_of = |id: &str| webhooks.iter().find(|webhook| webhook.id == id).map_or_else(|| id.to_string(), |webhook| webhook.url.clone());
    let deliveries = app.store.deliveries(status, ROWS).await?;
    let deliveries = deliveries.iter().map(|row| {
        json!({
            "url": url_of(&row.key.webhook),
            "name": format!("{}/{}", row.event.workflow, if row.key.kind == "fact" { row.event.name.to_string() } else { format!("{} {}", row.event.name, row.key.kind) }),
            "item": row.key.item,
            "to_item": format!("/items/{}", page::encoded(&row.key.item)),
            "at": moment(row.created_at),
            "status": row.status,
            "says": visitor.say(&format!("webhook.is.{}", row.status), &[("at", &row.next_try.map(moment).unwrap_or_default())]),
            "attempts": row.attempts,
            "reply": row.reply,
        })
    });
    let told = told.unwrap_or_default();
    let (broad, narrow): (Vec<_>, Vec<_>) = app.events().into_iter().partition(|(event, _)| !event.contains('/'));
    let broad = broad.iter().map(|(event, title)| {
        let says = title.clone().unwrap_or_else(|| visitor.say_or(&format!("webhook.event.{event}"), event));
        json!({ "value": event, "title": says, "on": told.events.contains(event) })
    });
    let is_broad = |event: &&String| !event.contains('/');
    let others: Vec<&String> = told.events.iter().filter(|event| !is_broad(event)).collect();
    let page = json!({
        "rows": rows.collect::<Vec<Json>>(),
        "deliveries": deliveries.collect::<Vec<Json>>(),
        "parked_only": status == Some("parked"),
        "broad": broad.collect::<Vec<Json>>(),
        "narrow": narrow.iter().map(|(event, title)| json!({ "value": event, "title": title })).collect::<Vec<Json>>(),
        "others": others,
        "url": told.url,
        "told": (!told.says.is_empty()).then(|| json!({ "says": told.says, "secret": told.secret, "bad": told.bad })),
        "form": visitor.form,
    });
    let mut response = visitor.page(web, "webhooks.html", &visitor.say("web.way.webhooks", &[]), page)?;
    *response.status_mut() = code;
    Ok(response)
}

/// Makes one, stops, starts or removes it, or lets go of what it is to be told.
pub async fn change(State(web): State<Arc<Web>>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    visitor.enter(Room::System).await?;
    let app = &visitor.app;
    let by = By { person: Some(visitor.person.clone()), via: Some("web".into()), source: None };
    let asked = ["stop", "start", "remove", "release", "cancel"].into_iter().find_map(|what| Some((what, sheet.text(what)?)));
    if let Some((what, id)) = asked {
        let changed = match what {
            "stop" | "start" => u64::from(app.stop_webhook(&by, id, what == "stop").await?),
            "remove" => u64::from(app.drop_webhook(&by, id).await?),
            _ => app.store.let_go_deliveries(id, None, what == "cancel", app.now()).await?,
        };
        web.pulse.wake();
        let says = visitor.say(&format!("webhook.did.{what}"), &[("count", &changed.to_string())]);
        return show(&web, &visitor, "", Some(Told { says, ..Told::default() }), StatusCode::OK).await;
    }
    let url = sheet.text("url").unwrap_or_default();
    let lines = sheet.all("events").flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
    let events: Vec<String> = sheet.all("event").chain(lines).map(str::to_string).collect();
    match app.make_webhook(&by, url, &events).await {
        Ok(made) => {
            let told = Told { says: visitor.say("webhook.made", &[("url", &made.url)]), secret: Some(made.secret), ..Told::default() };
            show(&web, &visitor, "", Some(told), StatusCode::OK).await
        }
        Err(NotDeclared::Store(error)) => Err(error.into()),
        Err(NotDeclared::No(no)) => {
            let values: Vec<(&str, &str)> = no.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let told =
                Told { says: visitor.say(&format!("webhook.{}", no.why), &values), bad: true, url: url.to_string(), events, secret: None };
            show(&web, &visitor, "", Some(told), StatusCode::UNPROCESSABLE_ENTITY).await
        }
    }
}
