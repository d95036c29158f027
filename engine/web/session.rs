//! Who is looking: the cookie of a session, the door, and what is sent by a form of ours and of nobody else's.

use super::Web;
use super::page::{self, Glance};
use super::trouble::Trouble;
use crate::app::App;
use crate::app::accounts::{INVITATION, NotAccepted, NotSignedIn, SignedIn};
use crate::app::desks::OwnDesk;
use crate::kernel::access::{self, Room};
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, has, say};
use crate::store::facts::hex;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;

/// A form that dribbles in for longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The field of every form that only our own pages know.
const FORM_FIELD: &str = "form";

/// Somebody who is signed in.
#[derive(Clone)]
pub struct Visitor {
    pub app: Arc<App>,
    pub person: Name,
    pub glance: Glance,
    /// What every form of this session carries, and no other page can know.
    pub form: String,
}

impl Visitor {
    /// Whose session a request carries.
    pub async fn of(web: &Web, headers: &HeaderMap, uri: &Uri) -> Result<Visitor, Trouble> {
        let token = page::cookie(headers, web.cookie()).ok_or_else(Trouble::door)?;
        let session = web.offices.session(&web.policy, &token).await?.ok_or_else(Trouble::door)?;
        let app = web.offices.app(&session.jurisdiction).await?;
        let form = hex(&Sha256::digest(format!("form:{token}")));
        Ok(Visitor { app, person: session.person, glance: Glance::at(headers, uri), form })
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

    pub fn name(&self) -> String {
        self.app.rules().directory.person_title(&self.person).to_string()
    }

    /// The units in which they have a duty today.
    pub fn units(&self) -> String {
        self.app.rules().directory.units_of(&self.person, self.today()).join(&self.say("show.comma", &[]))
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

impl Web {
    /// Under `https` the cookie is bound to this host and leaves by no other way (RFC 6265bis, 4.1.3.2).
    fn cookie(&self) -> &'static str {
        if self.is_secure() { "__Host-duban" } else { "duban" }
    }

    fn is_secure(&self) -> bool {
        self.origin.as_deref().is_some_and(|origin| origin.starts_with("https://"))
    }

    fn set_cookie(&self, token: &str, forget: bool) -> HeaderValue {
        let secure = if self.is_secure() { "; Secure" } else { "" };
        let age = if forget { "; Max-Age=0" } else { "" };
        let cookie = format!("{}={token}; Path=/; HttpOnly; SameSite=Lax{secure}{age}", self.cookie());
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
    }

    /// Goes on as whoever has just signed in. The session that the browser had before has ended.
    async fn enter(&self, headers: &HeaderMap, signed_in: &SignedIn, to: &str) -> Result<Response, Trouble> {
        if let Some(before) = page::cookie(headers, self.cookie()) {
            self.offices.sign_out(&before).await?;
        }
        let mut response = Redirect::to(to).into_response();
        response.headers_mut().append(header::SET_COOKIE, self.set_cookie(&signed_in.token, false));
        Ok(response)
    }
}

/// What a form sent: names and values in their order.
#[derive(Clone, Debug, Default)]
pub struct Sheet(Vec<(String, String)>);

impl Sheet {
    /// What an address proposes for the fields of a form, if anything.
    pub fn proposed(query: &str) -> Option<Sheet> {
        let pairs: Vec<_> =
            url::form_urlencoded::parse(query.as_bytes()).into_owned().filter(|(name, _)| name.starts_with("in.")).collect();
        (!pairs.is_empty()).then_some(Sheet(pairs))
    }

    /// The first value under a name, trimmed; nothing when it is blank.
    pub fn text<'s>(&'s self, name: &str) -> Option<&'s str> {
        self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.trim()).find(|value| !value.is_empty())
    }

    /// All values under a name that are not blank.
    pub fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// A form that was sent from one of our own pages, by whoever it may be.
pub struct Posted(pub Sheet);

impl FromRequest<Arc<Web>> for Posted {
    type Rejection = Trouble;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Posted, Trouble> {
        let (parts, body) = request.into_parts();
        if !is_ours(&parts.headers, web.origin.as_deref()) {
            return Err(Trouble::of(StatusCode::FORBIDDEN, "strange_form"));
        }
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded" {
            return Err(Trouble::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_form"));
        }
        let arriving = tokio::time::timeout(PATIENCE, to_bytes(Body::new(body), web.largest)).await;
        let arrived = arriving.map_err(|_| Trouble::of(StatusCode::REQUEST_TIMEOUT, "form_late"))?;
        let body = arrived.map_err(|_| Trouble::of(StatusCode::PAYLOAD_TOO_LARGE, "form_too_large").with("bytes", web.largest))?;
        let pairs = url::form_urlencoded::parse(&body).into_owned().collect::<Vec<_>>();
        // No database keeps it, and no text has it.
        match pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
            true => Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
            false => Ok(Posted(Sheet(pairs))),
        }
    }
}

/// A form that somebody who is signed in sent from a page of this session.
pub struct Sent(pub Visitor, pub Sheet);

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = Trouble;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Sent, Trouble> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, web).await?;
        let Posted(sheet) = Posted::from_request(Request::from_parts(parts, body), web).await?;
        match sheet.text(FORM_FIELD) == Some(&visitor.form) {
            true => Ok(Sent(visitor, sheet)),
            false => Err(Trouble::of(StatusCode::FORBIDDEN, "old_form")),
        }
    }
}

/// Whether a request was made by a page of this server: browsers say so themselves, the older ones by where they come from.
fn is_ours(headers: &HeaderMap, origin: Option<&str>) -> bool {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = headers.get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
        return site == "same-origin";
    }
    let Some(from) = text(header::ORIGIN).or_else(|| text(header::REFERER)).and_then(|from| url::Url::parse(from).ok()) else {
        return false;
    };
    let from = from.origin().ascii_serialization();
    match origin {
        Some(origin) => url::Url::parse(origin).is_ok_and(|origin| origin.origin().ascii_serialization() == from),
        None => text(header::HOST).is_some_and(|host| [format!("http://{host}"), format!("https://{host}")].contains(&from)),
    }
}

/// Where to go after signing in: a page of ours, by an address that every reader of addresses takes for one.
fn way_back(back: Option<&str>) -> String {
    let is_plain = |back: &&str| back.chars().all(|c| c.is_ascii_graphic() && c != '\\') && !back.starts_with("//");
    let parsed = back.filter(is_plain).and_then(|back| back.parse::<PathAndQuery>().ok());
    parsed.map(|back| back.to_string()).filter(|back| back.starts_with('/')).unwrap_or_else(|| "/".to_string())
}

/// The door.
pub async fn door(State(web): State<Arc<Web>>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let back = page::query(request.uri(), "back").unwrap_or_default();
    let over = page::query(request.uri(), "over").map(|_| say(glance.lang, "web.door.over", &[])).unwrap_or_default();
    show_door(&web, &glance, StatusCode::OK, &over, "", &back).await
}

async fn show_door(web: &Web, glance: &Glance, status: StatusCode, says: &str, login: &str, back: &str) -> Result<Response, Trouble> {
    let guests = match web.open_house {
        true => web.app().await?.guests(glance.lang).await?,
        false => Vec::new(),
    };
    let guests: Vec<_> = guests
        .iter()
        .map(|guest| json!({ "person": guest.person, "name": guest.name, "roles": guest.roles, "duties": guest.duties }))
        .collect();
    let values = json!({ "says": says, "login": login, "back": back, "guests": guests });
    let title = say(glance.lang, "web.door.title", &[]);
    let mut page = page::fill(web, glance, None, "door.html", &title, values).map_err(|error| {
        tracing::error!(%error, "the door cannot be filled");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    *page.status_mut() = status;
    Ok(page)
}

/// Signs in with a password. Whether it was the login or the password that was wrong is not said.
pub async fn sign_in(State(web): State<Arc<Web>>, headers: HeaderMap, Posted(sheet): Posted) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &"/sign-in".parse().unwrap_or_default());
    let (login, back) = (sheet.text("login").unwrap_or_default(), sheet.text("back"));
    let password = sheet.iter().find(|(name, _)| *name == "password").map(|(_, value)| value).unwrap_or_default();
    let no = match web.offices.sign_in(&web.policy, login, password, None).await {
        Ok(signed_in) => return web.enter(&headers, &signed_in, &way_back(back)).await,
        Err(no) => no,
    };
    let (status, says) = match no {
        NotSignedIn::Wrong => (StatusCode::UNPROCESSABLE_ENTITY, say(glance.lang, "web.door.wrong", &[])),
        NotSignedIn::Locked { until } => {
            let minutes = (until - web.offices.now()).num_minutes().max(0) + 1;
            (StatusCode::TOO_MANY_REQUESTS, say(glance.lang, "web.door.locked", &[("minutes", &minutes.to_string())]))
        }
        NotSignedIn::Busy => (StatusCode::SERVICE_UNAVAILABLE, say(glance.lang, "web.door.busy", &[])),
        NotSignedIn::Store(error) => return Err(error.into()),
    };
    show_door(&web, &glance, status, &says, login, back.unwrap_or_default()).await
}

/// Signs in as whoever stands on the list of an open house.
pub async fn sign_in_as(State(web): State<Arc<Web>>, headers: HeaderMap, Posted(sheet): Posted) -> Result<Response, Trouble> {
    if !web.open_house {
        return Err(Trouble::not_found());
    }
    let app = web.app().await?;
    let person = sheet.text("person").and_then(|person| app.person(person)).ok_or_else(Trouble::not_found)?;
    let signed_in = web.offices.begin_session(&web.jurisdiction, &person, "open house", None).await?;
    web.enter(&headers, &signed_in, &way_back(sheet.text("back"))).await
}

pub async fn sign_out(State(web): State<Arc<Web>>, headers: HeaderMap, Sent(..): Sent) -> Result<Response, Trouble> {
    if let Some(token) = page::cookie(&headers, web.cookie()) {
        web.offices.sign_out(&token).await?;
    }
    let mut response = Redirect::to("/sign-in").into_response();
    response.headers_mut().append(header::SET_COOKIE, web.set_cookie("", true));
    Ok(response)
}

/// The page behind the link of an invitation. Looking at it changes nothing: scanners of mail open every link.
pub async fn invited(State(web): State<Arc<Web>>, Path(token): Path<String>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    is_good(&web, &token).await?;
    show_invited(&web, &glance, StatusCode::OK, &token, "")
}

/// A link that was used, or is late, says so before anybody thinks of a password.
async fn is_good(web: &Web, token: &str) -> Result<(), Trouble> {
    match web.offices.find_link(token, INVITATION).await? {
        Some(_) => Ok(()),
        None => Err(Trouble::of(StatusCode::GONE, "link_over")),
    }
}

fn show_invited(web: &Web, glance: &Glance, status: StatusCode, token: &str, says: &str) -> Result<Response, Trouble> {
    let values = json!({ "token": page::encoded(token), "says": says, "least": web.policy.shortest_password });
    let title = say(glance.lang, "web.welcome.title", &[]);
    let mut page = page::fill(web, glance, None, "welcome.html", &title, values).map_err(|error| {
        tracing::error!(%error, "the welcome cannot be filled");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    *page.status_mut() = status;
    Ok(page)
}

/// Sets the first password of whoever was invited, and signs them in.
pub async fn accept(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Posted(sheet): Posted,
) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &"/welcome".parse().unwrap_or_default());
    let typed = |name: &str| sheet.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_string()).unwrap_or_default();
    let (password, again) = (typed("password"), typed("again"));
    is_good(&web, &token).await?;
    let no = |says: String| show_invited(&web, &glance, StatusCode::UNPROCESSABLE_ENTITY, &token, &says);
    if password != again {
        return no(say(glance.lang, "web.welcome.differ", &[]));
    }
    match web.offices.accept_invitation(&web.policy, &token, &password).await {
        Ok(signed_in) => web.enter(&headers, &signed_in, "/").await,
        Err(NotAccepted::Link) => Err(Trouble::of(StatusCode::GONE, "link_over")),
        Err(NotAccepted::Weak(why)) => {
            no(say(glance.lang, &format!("account.weak.{}", why.word()), &[("least", &web.policy.shortest_password.to_string())]))
        }
        Err(NotAccepted::Store(error)) => Err(error.into()),
    }
}
