//! The door: coming in with a password, as a guest of an open house, and going out.

use super::Web;
use super::page::{self, Glance};
use super::provider;
use super::second;
use super::session::{Cookie, Posted, Sent, Visitor};
use super::sheet::Kept;
use super::source::Source;
use super::trouble::Trouble;
use crate::app::accounts::{NotSignedIn, SignedIn};
use crate::kernel::words::say;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Where to go after signing in: a page of ours, by an address that every reader of addresses takes for one.
pub fn way_back(back: Option<&str>) -> String {
    let is_plain = |back: &&str| back.chars().all(|c| c.is_ascii_graphic() && c != '\\') && !back.starts_with("//");
    let parsed = back.filter(is_plain).and_then(|back| back.parse::<PathAndQuery>().ok());
    parsed.map(|back| back.to_string()).filter(|back| back.starts_with('/')).unwrap_or_else(|| "/".to_string())
}

/// Where somebody is going who comes in, and what they had typed.
#[derive(Clone, Debug, Default)]
pub struct Bound {
    pub back: String,
    /// [`Kept`] as JSON.
    pub kept: String,
}

impl Bound {
    pub fn of(sheet: &super::sheet::Sheet) -> Bound {
        let text = |name: &str| sheet.text(name).unwrap_or_default().to_string();
        Bound { back: text("back"), kept: text("kept") }
    }

    pub fn to(&self) -> String {
        way_back(Some(&self.back).filter(|back| !back.is_empty()).map(String::as_str))
    }

    /// The form that waits to be sent again, if its address is one of ours.
    fn kept(&self) -> Option<Kept> {
        let kept: Kept = serde_json::from_str(&self.kept).ok()?;
        Some(kept).filter(|kept| way_back(Some(&kept.to)) == kept.to)
    }

    /// For the page of somebody who is inside: the fields of the form that waits.
    pub fn again(&self, signed_in: &SignedIn) -> Option<Json> {
        let Kept { to, fields } = self.kept()?;
        let fields: Vec<Json> = fields.into_iter().map(|(name, value)| json!({ "name": name, "value": value })).collect();
        // The page of these forms has their address; the others are sent from where they stand on a page among other things.
        let shows = ["/items/", "/new/", "/bulk/"].iter().any(|own| to.starts_with(own));
        Some(json!({ "shows": shows, "to": to, "fields": fields, "form": super::session::form_of(&signed_in.token) }))
    }
}

/// The door.
pub async fn door(State(web): State<Arc<Web>>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let back = page::query(request.uri(), "back").unwrap_or_default();
    let over = page::query(request.uri(), "over").map(|_| say(glance.lang, "web.door.over", &[])).unwrap_or_default();
    show(&web, &glance, StatusCode::OK, &over, "", &Bound { back, kept: String::new() }).await
}

pub async fn show(web: &Web, glance: &Glance, status: StatusCode, says: &str, login: &str, bound: &Bound) -> Result<Response, Trouble> {
    let guests = match web.open_house {
        true => web.app().await?.guests(glance.lang).await?,
        false => Vec::new(),
    };
    let guests: Vec<_> = guests
        .iter()
        .map(|guest| json!({ "person": guest.person, "name": guest.name, "roles": guest.roles, "duties": guest.duties }))
        .collect();
    let values = json!({ "says": says, "login": login, "back": bound.back, "kept": bound.kept, "guests": guests, "provider": provider::called(web, glance) });
    let title = say(glance.lang, "web.door.title", &[]);
    let mut page = page::for_nobody(web, glance, status, "door.html", &title, values)?;
    web.set_cookie(&mut page, Cookie::Door, Some("1"));
    Ok(page)
}

/// Whether the form is from a page of ours that gave the browser a cookie, and the browser has kept none.
pub fn keeps_no_cookies(web: &Web, headers: &HeaderMap, sheet: &super::sheet::Sheet) -> bool {
    sheet.text("door").is_some() && web.carried(headers, Cookie::Door).is_none()
}

/// Signs in with a password. Whether it was the login or the password that was wrong is not said.
pub async fn sign_in(State(web): State<Arc<Web>>, headers: HeaderMap, source: Source, Posted(sheet): Posted) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &"/sign-in".parse().unwrap_or_default());
    let (login, bound) = (sheet.text("login").unwrap_or_default(), Bound::of(&sheet));
    if keeps_no_cookies(&web, &headers, &sheet) {
        let says = say(glance.lang, "web.door.no_cookies", &[]);
        return show(&web, &glance, StatusCode::UNPROCESSABLE_ENTITY, &says, login, &bound).await;
    }
    web.may_try(source).await?;
    let no = match web.offices.sign_in(&web.policy, login, sheet.exactly("password"), source.text().as_deref()).await {
        Ok(signed_in) => {
            web.gate.forget(source);
            return come_in(&web, &headers, &glance, &signed_in, &bound).await;
        }
        Err(no) => no,
    };
    let (status, says) = match no {
        NotSignedIn::Second(half) => {
            web.gate.forget(source);
            return second::ask(&web, &glance, &half, &bound).await;
        }
        NotSignedIn::Wrong => (StatusCode::UNPROCESSABLE_ENTITY, say(glance.lang, "web.door.wrong", &[])),
        NotSignedIn::Locked { until } => {
            let minutes = (until - web.offices.now()).num_minutes().max(0) + 1;
            (StatusCode::TOO_MANY_REQUESTS, say(glance.lang, "web.door.locked", &[("minutes", &minutes.to_string())]))
        }
        NotSignedIn::Busy => (StatusCode::SERVICE_UNAVAILABLE, say(glance.lang, "web.door.busy", &[])),
        NotSignedIn::Store(error) => return Err(error.into()),
    };
    show(&web, &glance, status, &says, login, &bound).await
}

/// On to where they were going; or first to what they had typed when their session ended.
pub async fn come_in(web: &Web, headers: &HeaderMap, glance: &Glance, signed_in: &SignedIn, bound: &Bound) -> Result<Response, Trouble> {
    let Some(again) = bound.again(signed_in) else { return web.enter(headers, signed_in, &bound.to()).await };
    let title = say(glance.lang, "web.again.title", &[]);
    let page = page::for_nobody(web, glance, StatusCode::OK, "again.html", &title, json!({ "again": again, "to": bound.to() }))?;
    web.enter_with(headers, signed_in, page).await
}

/// Signs in as whoever stands on the list of an open house.
pub async fn sign_in_as(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    source: Source,
    Posted(sheet): Posted,
) -> Result<Response, Trouble> {
    if !web.open_house {
        return Err(Trouble::not_found());
    }
    let app = web.app().await?;
    let person = sheet.text("person").and_then(|person| app.person(person)).ok_or_else(Trouble::not_found)?;
    let signed_in = web.offices.begin_session(&web.jurisdiction, &person, "open house", source.text().as_deref()).await?;
    let glance = Glance::at(&headers, &"/sign-in".parse().unwrap_or_default());
    come_in(&web, &headers, &glance, &signed_in, &Bound::of(&sheet)).await
}

pub async fn sign_out(State(web): State<Arc<Web>>, Sent(Visitor { token, .. }, _): Sent) -> Result<Response, Trouble> {
    web.offices.sign_out(&token).await?;
    let mut response = Redirect::to("/sign-in").into_response();
    web.set_cookie(&mut response, Cookie::Inside, None);
    Ok(response)
}
