//! Tokens by which programs ask in somebody's name: one's own; and all of them, for whoever looks after accounts.

use super::Web;
use super::session::{Sent, Visitor};
use super::trouble::Trouble;
use crate::app::accounts::By;
use crate::app::tokens::{Scope, TokenEnd, TokenRow, TokenWish, TokenWished, USUAL_LIFE, standing};
use crate::kernel::access::Room;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Of others a page shows no more.
const MOST: usize = 500;

/// What came of it.
enum Told {
    /// The token, or the address in which it stands.
    Made(String),
    Done(String),
    No(String),
}

pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    show(&web, &visitor, None, StatusCode::OK).await
}

async fn show(web: &Web, visitor: &Visitor, told: Option<Told>, status: StatusCode) -> Result<Response, Trouble> {
    let (rules, zone, now) = (visitor.app.rules(), visitor.zone(), visitor.app.now());
    let sees_all = visitor.may_enter(Room::Accounts);
    let whose = (!sees_all).then_some(&*visitor.person);
    let (mine, others): (Vec<TokenRow>, Vec<TokenRow>) =
        visitor.app.store.tokens(whose).await?.into_iter().partition(|row| *row.person == *visitor.person);
    let row = |row: &TokenRow| {
        let moment = |at: Option<crate::kernel::time::Instant>| at.map(|at| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string());
        let scopes: Vec<String> = row.scopes.split(' ').map(|scope| visitor.say_or(&format!("token.scope.{scope}"), scope)).collect();
        let stands = standing(row, now);
        json!({
            "id": row.id,
            "name": row.name,
            "person": rules.directory.person_title(&row.person),
            "scopes": scopes.join(&visitor.say("show.comma", &[])),
            "until": moment(row.expires_at),
            "used": moment(row.used_at),
            "good": stands == "good",
            "says": visitor.say(&format!("token.is.{stands}"), &[]),
        })
    };
    let scopes: Vec<Json> = Scope::ALL
        .iter()
        .map(|scope| json!({ "value": scope.word(), "title": visitor.say(&format!("token.scope.{}", scope.word()), &[]) }))
        .collect();
    let told = told.map(|told| match told {
        Told::Made(token) => json!({ "says": visitor.say("web.token.made", &[]), "token": token, "bad": false }),
        Told::Done(says) => json!({ "says": says, "token": null, "bad": false }),
        Told::No(says) => json!({ "says": says, "token": null, "bad": true }),
    });
    let page = json!({
        "mine": mine.iter().map(row).collect::<Vec<Json>>(),
        "others": others.iter().take(MOST).map(row).collect::<Vec<Json>>(),
        "sees_all": sees_all,
        "scopes": scopes,
        "days": USUAL_LIFE,
        "told": told,
        "form": visitor.form,
    });
    let mut response = visitor.page(web, "tokens.html", &visitor.say("web.way.tokens", &[]), page)?;
    *response.status_mut() = status;
    Ok(response)
}

/// Makes one, or takes one back.
pub async fn change(State(web): State<Arc<Web>>, headers: HeaderMap, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    let by = By { person: Some(visitor.person.clone()), via: Some("web".into()), source: None };
    let what = match sheet.text("revoke") {
        Some(id) => {
            let person = (!visitor.may_enter(Room::Accounts)).then(|| visitor.person.clone());
            TokenWished::Revoke { id: id.to_string(), person }
        }
        None => TokenWished::Make {
            person: visitor.person.clone(),
            name: sheet.text("name").unwrap_or_default().to_string(),
            scopes: sheet.all("scope").filter_map(Scope::of_word).collect(),
            days: sheet.text("days").and_then(|days| days.parse().ok()).unwrap_or(0),
        },
    };
    let is_calendar = matches!(&what, TokenWished::Make { scopes, .. } if scopes.contains(&Scope::Calendar));
    let (told, status) = match visitor.app.look_after_tokens(&TokenWish { what, by }).await? {
        TokenEnd::Made(made) if is_calendar => {
            let here = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok()).unwrap_or_default();
            (Told::Made(format!("{}/calendar/{}.ics", web.origin.as_deref().unwrap_or(here), made.token)), StatusCode::OK)
        }
        TokenEnd::Made(made) => (Told::Made(made.token), StatusCode::OK),
        TokenEnd::Revoked(true) => (Told::Done(visitor.say("token.revoked", &[])), StatusCode::OK),
        TokenEnd::Revoked(false) => (Told::No(visitor.say("token.not_revoked", &[])), StatusCode::NOT_FOUND),
        TokenEnd::No(no) => {
            let values: Vec<(&str, &str)> = no.values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            (Told::No(visitor.say(&format!("token.{}", no.why), &values)), StatusCode::UNPROCESSABLE_ENTITY)
        }
    };
    show(&web, &visitor, Some(told), status).await
}
