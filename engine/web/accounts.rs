//! Who may sign in, for whoever looks after that; and what happened around accounts, for whoever looks after those.

use super::Web;
use super::page;
use super::session::{Sent, Visitor};
use super::source::Source;
use super::trouble::Trouble;
use crate::app::accounts::{AccountRow, By, NotInvited};
use crate::kernel::access::{self, Room};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Persons on a page; who is not among them is found by name or unit.
const MOST: usize = 100;
/// Entries of the trail on a page.
const ROWS: u32 = 100;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountQuery {
    /// Only persons in whose name or unit this stands.
    text: String,
}

pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<AccountQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Accounts).await?;
    show(&web, &visitor, &asked.text, None, StatusCode::OK).await
}

/// What came of an invitation: the link, which is shown once, or why there is none.
enum Told {
    Link { person: String, link: String, until: String },
    No(String),
    Done(String),
}

async fn show(web: &Web, visitor: &Visitor, text: &str, told: Option<Told>, status: StatusCode) -> Result<Response, Trouble> {
    let (rules, today, zone) = (visitor.app.rules(), visitor.today(), visitor.zone());
    let accounts: BTreeMap<String, AccountRow> = visitor.app.accounts().await?.into_iter().map(|row| (row.person.clone(), row)).collect();
    let rows = rules.directory.persons.iter().filter_map(|(id, person)| {
        let units = rules.directory.units_of(id, today).join(&visitor.say("show.comma", &[]));
        if !text.is_empty() && !person.title.contains(text) && !units.contains(text) {
            return None;
        }
        let account = accounts.get(&**id);
        let (word, at) = account.map_or(("none", None), AccountRow::standing);
        Some(json!({
            "person": id,
            "name": person.title,
            "units": units,
            "mail": person.mail,
            "login": account.map(|row| row.login.as_str()),
            "second": account.and_then(|row| row.second_at).map(|at| at.with_timezone(&zone).format("%Y-%m-%d").to_string()),
            "standing": word,
            "says": visitor.say(&format!("web.account.{word}"), &[]),
            "at": at.map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()),
        }))
    });
    let told = told.map(|told| match told {
        Told::Link { person, link, until } => {
            json!({ "link": link, "says": visitor.say("web.account.link", &[("person", &person), ("until", &until)]), "bad": false })
        }
        Told::No(says) => json!({ "link": null, "says": says, "bad": true }),
        Told::Done(says) => json!({ "link": null, "says": says, "bad": false }),
    });
    let rows: Vec<Json> = rows.collect();
    let more = rows.len().saturating_sub(MOST);
    let page =
        json!({ "rows": rows.into_iter().take(MOST).collect::<Vec<_>>(), "more": more, "told": told, "text": text, "form": visitor.form });
    let mut response = visitor.page(web, "accounts.html", &visitor.say("web.way.accounts", &[]), page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Invites somebody, or shuts an account off.
pub async fn change(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    source: Source,
    Sent(visitor, sheet): Sent,
) -> Result<Response, Trouble> {
    visitor.enter(Room::Accounts).await?;
    let asked = ["invite", "disable", "reset"].into_iter().find_map(|what| Some((what, sheet.text(what)?)));
    let (what, person) = asked.ok_or_else(|| Trouble::of(StatusCode::BAD_REQUEST, "no_form"))?;
    let person = visitor.app.person(person).ok_or_else(Trouble::not_found)?;
    let by = By { person: Some(visitor.person.clone()), via: Some("web".into()), source: source.text() };
    let text = sheet.text("text").unwrap_or_default();
    // Who says who may sign in shall not become whoever looks at what they do.
    let (rules, today) = (visitor.app.rules(), visitor.today());
    let directory = &rules.directory;
    let is_another = [Room::System, Room::Audit].into_iter().any(|room| access::may_enter(directory, &person, today, room));
    if what != "disable" && (is_another || person == visitor.person) {
        let no = visitor.say("web.account.not_by_page", &[("person", directory.person_title(&person))]);
        return show(&web, &visitor, text, Some(Told::No(no)), StatusCode::FORBIDDEN).await;
    }
    match what {
        "invite" => match visitor.app.invite_by(&by, &web.policy, &person, None).await {
            Ok(invitation) => {
                // By the address under which this page was asked for, where the settings name none.
                let here = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
                let link = format!("{}/welcome/{}", web.origin.as_deref().unwrap_or(here), invitation.token);
                let until = invitation.until.with_timezone(&visitor.zone()).format("%Y-%m-%d %H:%M").to_string();
                let person = visitor.app.rules().directory.person_title(&person).to_string();
                show(&web, &visitor, text, Some(Told::Link { person, link, until }), StatusCode::OK).await
            }
            Err(NotInvited::Store(error)) => Err(error.into()),
            Err(error) => {
                let no = match &error {
                    NotInvited::NoLogin(person) => visitor.say("account.no_login", &[("person", person)]),
                    NotInvited::Taken(login) => visitor.say("account.taken", &[("login", login)]),
                    error => error.to_string(),
                };
                show(&web, &visitor, text, Some(Told::No(no)), StatusCode::CONFLICT).await
            }
        },
        "reset" => {
            let changed = visitor.app.drop_second_step(&by, &person, None).await?;
            let key = if changed { "account.second_reset" } else { "account.second_none" };
            let says = visitor.say(key, &[("person", visitor.app.rules().directory.person_title(&person))]);
            show(&web, &visitor, text, Some(Told::Done(says)), StatusCode::OK).await
        }
        _ => {
            visitor.app.disable_account_by(&by, &person).await?;
            let says = visitor.say("account.disabled", &[("person", visitor.app.rules().directory.person_title(&person))]);
            show(&web, &visitor, text, Some(Told::Done(says)), StatusCode::OK).await
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AuditQuery {
    before: String,
}

/// What happened around accounts, the latest first.
pub async fn audit(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<AuditQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Audit).await?;
    let before = Some(asked.before.as_str()).filter(|before| !before.is_empty());
    let entries = visitor.app.audit_trail(before, ROWS).await?;
    let (rules, zone) = (visitor.app.rules(), visitor.zone());
    let next = entries.last().filter(|_| entries.len() == ROWS as usize).map(|last| format!("/audit?before={}", page::encoded(&last.id)));
    let rows = entries.iter().map(|entry| {
        let about = entry.about.as_object().into_iter().flatten();
        let about: Vec<String> =
            about.map(|(name, value)| format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_string))).collect();
        json!({
            "at": entry.at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string(),
            "person": entry.person.as_ref().map(|person| rules.directory.person_title(person)),
            "what": visitor.say_or(&format!("web.audit.{}", entry.what), &entry.what),
            "about": about.join(" · "),
            "source": entry.source,
        })
    });
    visitor.page(&web, "audit.html", &visitor.say("web.way.audit", &[]), json!({ "rows": rows.collect::<Vec<Json>>(), "next": next }))
}
