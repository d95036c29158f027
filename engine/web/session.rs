//! Who is looking: the cookie of a session, and whom it makes of a request.

use super::Web;
use super::page::{self, Glance};
use super::trouble::Trouble;
use crate::app::App;
use crate::app::accounts::{Session, SignedIn};
use crate::app::desks::OwnDesk;
use crate::kernel::access::{self, Room};
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::{Lang, has, say};
use crate::store::facts::hex;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub use super::sheet::{Posted, Sent, Sheet};

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Visitor {
    pub app: Arc<App>,
    pub person: Name,
    pub session: Session,
    /// Of the cookie.
    pub token: String,
    pub glance: Glance,
    /// What every form of this session carries, and no other page can know.
    pub form: String,
}

impl Visitor {
    /// Whose session a request carries.
    pub async fn of(web: &Web, headers: &HeaderMap, uri: &Uri) -> Result<Visitor, Trouble> {
        let token = web.token(headers).ok_or_else(Trouble::door)?;
        let session = web.offices.session(&web.policy, &token).await?.ok_or_else(Trouble::door)?;
        let app = web.offices.app(&session.jurisdiction).await?;
        let form = form_of(&token);
        Ok(Visitor { app, person: session.person.clone(), session, token, glance: Glance::at(headers, uri), form })
    }

    pub fn lang(&self) -> Lang {
        self.glance.lang
    }

    /// The day it is for the office: that of its first workflow.
    pub fn today(&self) -> Date {
        day_of(self.app.now(), self.zone())
    }

    /// The zone of the office: that of its first workflow.
    pub fn zone(&self) -> chrono_tz::Tz {
        self.app.rules().workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone)
    }

    /// A moment as people of the office read it.
    pub fn moment(&self, at: Instant) -> String {
        at.with_timezone(&self.zone()).format("%Y-%m-%d %H:%M").to_string()
    }

    pub fn name(&self) -> String {
        self.app.rules().directory.person_title(&self.person).to_string()
    }

    /// The units in which they have a duty today.
    pub fn units(&self) -> String {
        self.app.rules().directory.units_of(&self.person, self.today()).join(&self.say("show.comma", &[]))
    }

    /// For whom they stand in today, as people read it; empty for nobody.
    pub fn absent(&self) -> String {
        let rules = self.app.rules();
        let absent: Vec<&str> =
            rules.directory.absent(&self.person, self.today()).map(|absent| rules.directory.person_title(absent)).collect();
        if absent.is_empty() { String::new() } else { self.say("web.absent", &[("persons", &absent.join(&self.say("show.comma", &[])))]) }
    }

    /// Whose pages these are: by whom its mails are signed, else the title of its first workflow.
    pub fn office(&self) -> String {
        let rules = self.app.rules();
        let first = rules.workflows.values().next().map(|rules| &rules.setting.workflow);
        first.map(|workflow| workflow.letter.get("sender").unwrap_or(&workflow.title).clone()).unwrap_or_default()
    }

    pub fn may_enter(&self, room: Room) -> bool {
        access::may_enter(&self.app.rules().directory, &self.person, self.today(), room)
    }

    /// Whoever may not enter is told so, and it is noted.
    pub async fn enter(&self, room: Room) -> Result<(), Trouble> {
        if self.may_enter(room) { Ok(()) } else { Err(self.shut_out().await) }
    }

    /// What is not theirs: it is noted that they tried.
    pub async fn shut_out(&self) -> Trouble {
        match self.app.note_denied(&self.person, &self.glance.path).await {
            Ok(()) => Trouble::not_yours(),
            Err(error) => error.into(),
        }
    }

    /// The pages of their roles.
    pub fn desks(&self) -> Vec<OwnDesk> {
        self.app.desks(&self.person, self.today())
    }

    /// Fills a page for this person.
    pub fn page(&self, web: &Web, name: &str, title: &str, page: serde_json::Value) -> Result<Response, Trouble> {
        page::fill(web, &self.glance, Some(self), name, title, page).map_err(|error| {
            tracing::error!(%error, template = name, "a page cannot be filled");
            Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
        })
    }

    /// A sentence in their language, if the catalogue has it.
    pub fn say_or(&self, key: &str, otherwise: &str) -> String {
        if has(self.glance.lang, key) { self.say(key, &[]) } else { otherwise.to_string() }
    }

    /// A sentence in their language.
    pub fn say(&self, key: &str, values: &[(&str, &str)]) -> String {
        say(self.glance.lang, key, values)
    }
}

impl FromRequestParts<Arc<Web>> for Visitor {
    type Rejection = Trouble;

    async fn from_request_parts(parts: &mut Parts, web: &Arc<Web>) -> Result<Visitor, Trouble> {
        Visitor::of(web, &parts.headers, &parts.uri).await
    }
}

/// What every form of a session carries, and no other page can know.
pub fn form_of(token: &str) -> String {
    hex(&Sha256::digest(format!("form:{token}")))
}

/// The cookies that are set at the door.
#[derive(Clone, Copy)]
pub enum Cookie {
    /// Of a session.
    Inside,
    /// Of somebody who has taken the first of two steps.
    Half,
    /// Of somebody who is at the identity provider.
    Away,
    /// Shows that the browser keeps cookies.
    Door,
}

impl Web {
    /// Under `https` a cookie is bound to this host and leaves by no other way (RFC 6265bis, 4.1.3.2).
    fn cookie(&self, which: Cookie) -> String {
        let name = match which {
            Cookie::Inside => "duban",
            Cookie::Half => "duban-half",
            Cookie::Away => "duban-away",
            Cookie::Door => "duban-door",
        };
        format!("{}{name}", if self.is_secure() { "__Host-" } else { "" })
    }

    fn is_secure(&self) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    /// The token of a session that a request carries.
    pub fn token(&self, headers: &HeaderMap) -> Option<String> {
        self.carried(headers, Cookie::Inside)
    }

    pub fn carried(&self, headers: &HeaderMap, which: Cookie) -> Option<String> {
        page::cookie(headers, &self.cookie(which)).filter(|value| !value.is_empty())
    }

    /// Nothing in place of a value takes the cookie away.
    pub fn set_cookie(&self, response: &mut Response, which: Cookie, value: Option<&str>) {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let age = match (value, which) {
            (None, _) => "; Max-Age=0",
            (Some(_), Cookie::Away) => "; Max-Age=600",
            (Some(_), _) => "",
        };
        let cookie = format!("{}={}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", self.cookie(which), value.unwrap_or_default());
        if let Ok(cookie) = HeaderValue::from_str(&cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }

    /// Goes on as whoever has just signed in. The session that the browser had before has ended, and so has half of one.
    pub async fn enter(&self, headers: &HeaderMap, signed_in: &SignedIn, to: &str) -> Result<Response, Trouble> {
        self.enter_with(headers, signed_in, Redirect::to(to).into_response()).await
    }

    pub async fn enter_with(&self, headers: &HeaderMap, signed_in: &SignedIn, mut response: Response) -> Result<Response, Trouble> {
        if let Some(before) = self.token(headers) {
            self.offices.sign_out(&before).await?;
        }
        self.set_cookie(&mut response, Cookie::Inside, Some(&signed_in.token));
        if self.carried(headers, Cookie::Half).is_some() {
            self.set_cookie(&mut response, Cookie::Half, None);
        }
        Ok(response)
    }
}
