//! What a form sends: names and values, from a page of ours and of nobody else's.

use super::Web;
use super::session::{Visitor, form_of};
use super::trouble::Trouble;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Multipart, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// A form that dribbles in for longer is given up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Files take longer on a slow line.
const PATIENCE_FOR_FILES: Duration = Duration::from_secs(300);
/// Files of one form together, in bytes, however many may come: they lie in memory until they are judged.
const LARGEST_AT_ONCE: usize = 64 << 20;
/// Texts of a form in parts at most.
const MOST_TEXTS: usize = 5000;

/// The field of every form that only our own pages know.
pub const FORM_FIELD: &str = "form";

/// Stands in a form that was typed before a session ended: it is shown, and not done yet.
pub const AGAIN: &str = "typed";

/// What is typed into these is never carried on.
const SECRETS: [&str; 4] = ["password", "again", "old", "code"];

/// What a form sent: names and values in their order.
#[derive(Clone, Debug, Default)]
pub struct Sheet(Vec<(String, String)>);

/// A file that came with a form, as its browser calls it.
#[derive(Clone, Debug)]
pub struct Arrived {
    /// The control that it came from.
    pub control: String,
    pub name: String,
    pub content: Bytes,
}

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

    /// What a file that was handed in is known by from now on, in front of what the control had before.
    pub fn put_in_front(&mut self, control: &str, value: String) {
        self.0.insert(0, (control.to_string(), value));
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
        posted(request, web, false).await.map(|(sheet, _)| Posted(sheet))
    }
}

/// What a form of ours sent; with files, where the page takes any.
async fn posted(request: Request, web: &Arc<Web>, takes_files: bool) -> Result<(Sheet, Vec<Arrived>), Trouble> {
    let (parts, body) = request.into_parts();
    if !is_ours(&parts.headers, web.origin.as_deref()) {
        return Err(Trouble::of(StatusCode::FORBIDDEN, "strange_form"));
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let (pairs, files) = match kind.as_str() {
        "multipart/form-data" if takes_files => {
            let arriving = parted(Request::from_parts(parts, body), web);
            tokio::time::timeout(PATIENCE_FOR_FILES, arriving)
                .await
                .map_err(|_| Trouble::of(StatusCode::REQUEST_TIMEOUT, "form_late"))??
        }
        "application/x-www-form-urlencoded" => {
            let arriving = tokio::time::timeout(PATIENCE, to_bytes(Body::new(body), web.largest)).await;
            let arrived = arriving.map_err(|_| Trouble::of(StatusCode::REQUEST_TIMEOUT, "form_late"))?;
            let body = arrived.map_err(|_| too_large(web.largest))?;
            (url::form_urlencoded::parse(&body).into_owned().collect::<Vec<_>>(), Vec::new())
        }
        _ => return Err(Trouble::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "no_form")),
    };
    // No database keeps it, and no text has it.
    match pairs.iter().any(|(name, value)| name.contains('\0') || value.contains('\0')) {
        true => Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
        false => Ok((Sheet(pairs), files)),
    }
}

fn too_large(bytes: usize) -> Trouble {
    Trouble::of(StatusCode::PAYLOAD_TOO_LARGE, "form_too_large").with("bytes", bytes)
}

/// A form in parts: its texts in their order, and its files. A file that is too large is cut off one byte behind the limit, so that the
/// form comes back with everything else that was typed.
async fn parted(request: Request, web: &Arc<Web>) -> Result<(Vec<(String, String)>, Vec<Arrived>), Trouble> {
    let bad = |_| Trouble::of(StatusCode::BAD_REQUEST, "no_form");
    let (limits, mut texts, mut files) = (&web.attachments, Vec::new(), Vec::new());
    let (mut typed, mut passed) = (0, 0_usize);
    let mut parts = Multipart::from_request(request, web).await.map_err(|_| Trouble::of(StatusCode::BAD_REQUEST, "no_form"))?;
    while let Some(mut part) = parts.next_field().await.map_err(bad)? {
        let control = part.name().unwrap_or_default().to_string();
        let file = part.file_name().map(str::to_string);
        let most = if file.is_some() { limits.largest + 1 } else { web.largest.saturating_sub(typed) };
        let mut content = Vec::new();
        while let Some(chunk) = part.chunk().await.map_err(bad)? {
            passed += chunk.len();
            let room = most - content.len();
            if passed > web.largest_with_files() || (file.is_none() && chunk.len() > room) {
                return Err(too_large(if file.is_some() { web.largest_with_files() } else { web.largest }));
            }
            content.extend_from_slice(&chunk[..chunk.len().min(room)]);
        }
        match file {
            // A control in which nothing was chosen.
            Some(name) if name.is_empty() && content.is_empty() => {}
            Some(name) => files.push(Arrived { control, name, content: content.into() }),
            None => {
                typed += content.len() + control.len();
                texts.push((control, String::from_utf8(content).map_err(|_| Trouble::of(StatusCode::BAD_REQUEST, "no_form"))?));
            }
        }
        if files.len() > limits.most || texts.len() > MOST_TEXTS {
            return Err(Trouble::of(StatusCode::PAYLOAD_TOO_LARGE, "too_many_files").with("most", limits.most));
        }
    }
    Ok((texts, files))
}

impl Web {
    /// A form with all its files, in bytes.
    pub fn largest_with_files(&self) -> usize {
        self.attachments.largest.saturating_mul(self.attachments.most).min(LARGEST_AT_ONCE).max(self.attachments.largest) + self.largest
    }
}

/// A form that somebody who is signed in sent from a page of this session.
pub struct Sent(pub Visitor, pub Sheet);

impl FromRequest<Arc<Web>> for Sent {
    type Rejection = Trouble;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<Sent, Trouble> {
        sent(request, web, false).await.map(|(visitor, sheet, _)| Sent(visitor, sheet))
    }
}

/// The same of a page that takes files.
pub struct SentWithFiles(pub Visitor, pub Sheet, pub Vec<Arrived>);

impl FromRequest<Arc<Web>> for SentWithFiles {
    type Rejection = Trouble;

    async fn from_request(request: Request, web: &Arc<Web>) -> Result<SentWithFiles, Trouble> {
        sent(request, web, true).await.map(|(visitor, sheet, files)| SentWithFiles(visitor, sheet, files))
    }
}

async fn sent(request: Request, web: &Arc<Web>, takes_files: bool) -> Result<(Visitor, Sheet, Vec<Arrived>), Trouble> {
    let (mut parts, body) = request.into_parts();
    let (to, token) = (parts.uri.to_string(), web.token(&parts.headers));
    let visitor = match Visitor::from_request_parts(&mut parts, web).await {
        Ok(visitor) => visitor,
        // Whose session has ended is led back here with what they typed, if it was their form.
        Err(no) if no.is_door() => {
            let (sheet, _) = posted(Request::from_parts(parts, body), web, takes_files).await?;
            let was_theirs = token.is_some_and(|token| sheet.text(FORM_FIELD) == Some(&form_of(&token)));
            return Err(if was_theirs { Trouble::ended(sheet.kept(to)) } else { no });
        }
        Err(no) => return Err(no),
    };
    let (sheet, files) = posted(Request::from_parts(parts, body), web, takes_files).await?;
    match sheet.text(FORM_FIELD) == Some(&visitor.form) {
        true => Ok((visitor, sheet, files)),
        false => Err(Trouble::of(StatusCode::FORBIDDEN, "old_form")),
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
