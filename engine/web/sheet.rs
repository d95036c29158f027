//! What a form sends: names and values, from a page of ours and of nobody else's.

use super::Web;
use super::session::{Visitor, form_of};
use super::trouble::Trouble;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A form that dribbles in for longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The field of every form that only our own pages know.
pub const FORM_FIELD: &str = "form";

/// Stands in a form that was typed before a session ended: it is shown, and not done yet.
pub const AGAIN: &str = "typed";

/// What is typed into these is never carried on.
const SECRETS: [&str; 4] = ["password", "again", "old", "code"];

/// What a form sent: names and values in their order.
#[derive(Clone, Debug, Default)]
pub struct Sheet(Vec<(String, String)>);

/// What somebody typed whose session had ended: it goes along through the door, inside the pages, and is kept nowhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Where the form was sent.
    pub to: String,
    pub fields: Vec<(String, String)>,
}

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

    /// The first value under a name as it was typed, such as a password.
    pub fn exactly<'s>(&'s self, name: &str) -> &'s str {
        self.iter().find(|(key, _)| *key == name).map(|(_, value)| value).unwrap_or_default()
    }

    /// What of it may be typed for somebody again.
    fn kept(self, to: String) -> Kept {
        let fields = self.0.into_iter().filter(|(name, _)| name != FORM_FIELD && !SECRETS.contains(&name.as_str()));
        Kept { to, fields: fields.collect() }
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
        let (to, token) = (parts.uri.to_string(), web.token(&parts.headers));
        let visitor = Visitor::from_request_parts(&mut parts, web).await;
        let visitor = match visitor {
            Ok(visitor) => visitor,
            // Whose session has ended is led back here with what they typed, if it was their form.
            Err(no) if no.is_door() => {
                let Posted(sheet) = Posted::from_request(Request::from_parts(parts, body), web).await?;
                let was_theirs = token.is_some_and(|token| sheet.text(FORM_FIELD) == Some(&form_of(&token)));
                return Err(if was_theirs { Trouble::ended(sheet.kept(to)) } else { no });
            }
            Err(no) => return Err(no),
        };
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
