//! What comes in: who asks, the query, the body. Nothing of a body is read before the caller is known, and nothing unknown is overlooked.

use super::Api;
use super::caller::{Caller, Known};
use super::problem::{Failure, escaped, lang, nearest};
use super::scopes;
use super::unreadable::Unreadable;
use crate::app::App;
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::time::Date;
use crate::kernel::words::Lang;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Path, Query, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use chrono::Datelike;
use hyper::body::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_path_to_error::Segment;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Sizes and times that one request may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    pub bytes: usize,
    /// A workbook.
    pub list_bytes: usize,
    /// A body that dribbles in for longer is given up.
    pub time: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        BodyLimits { bytes: 2 << 20, list_bytes: 20 << 20, time: Duration::from_secs(30) }
    }
}

/// No name is longer, in characters.
const LONGEST_NAME: usize = 200;

/// Somebody with a token asks, in a language.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The office that the token opens.
    pub app: Arc<App>,
    pub caller: Caller,
    pub lang: Lang,
}

impl Asked {
    /// The person through whose eyes to look: a person's own token is for that person; the office names one, or none.
    pub fn reader(&self, wanted: Option<&str>) -> Result<Option<Name>, Failure> {
        let wanted = wanted.map(|text| self.app.person(text).ok_or_else(|| unknown_person(text))).transpose()?;
        match (&self.caller, wanted) {
            (Caller::Office, wanted) => Ok(wanted),
            (Caller::Person(own), Some(other)) if *own != other => Err(Failure::of(StatusCode::FORBIDDEN, "not_yours")),
            (Caller::Person(own), _) => Ok(Some(own.clone())),
        }
    }

    /// The person who acts.
    pub fn doer(&self, wanted: Option<&str>) -> Result<Name, Failure> {
        self.reader(wanted)?.ok_or_else(|| Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "who").at("/by", None))
    }

    pub fn is_office(&self) -> bool {
        self.caller == Caller::Office
    }

    pub fn office_only(&self) -> Result<(), Failure> {
        if self.is_office() { Ok(()) } else { Err(Failure::of(StatusCode::FORBIDDEN, "office_only")) }
    }
}

pub fn unknown_person(text: &str) -> Failure {
    let values = vec![("person".to_string(), text.to_string())];
    Failure::refused(Refusal { code: RefusalCode::UnknownPerson, sentence: None, rule: None, values })
}

impl FromRequestParts<Arc<Api>> for Asked {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Asked, Failure> {
        let Known { app, caller, scopes } = api.caller(&parts.headers).await?;
        if let (Some(scopes), Caller::Person(person)) = (scopes, &caller) {
            let route = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
            let needed = scopes::needed(&parts.method, route);
            if !scopes.contains(&needed) {
                app.note_scope(person, needed.word()).await?;
                return Err(Failure::of(StatusCode::FORBIDDEN, "no_scope").with("scope", needed.word()));
            }
        }
        Ok(Asked { app, caller, lang: lang(&parts.headers) })
    }
}

/// Names in the path.
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send + Names> FromRequestParts<Arc<Api>> for Named<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Arc<Api>) -> Result<Named<T>, Failure> {
        let Path(names) = Path::<T>::from_request_parts(parts, api)
            .await
            .map_err(|_| Failure::of(StatusCode::BAD_REQUEST, "bad_name").with("name", ""))?;
        for name in names.names() {
            check_name(name)?;
        }
        Ok(Named(names))
    }
}

pub trait Names {
    fn names(&self) -> Vec<&str>;
}

impl Names for String {
    fn names(&self) -> Vec<&str> {
        vec![self]
    }
}

impl Names for (String, String) {
    fn names(&self) -> Vec<&str> {
        vec![&self.0, &self.1]
    }
}

/// A name that can stand in a list and in a mail: neither empty nor endless, in one line.
pub fn check_name(name: &str) -> Result<(), Failure> {
    let fits = !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
    if fits { Ok(()) } else { Err(Failure::of(StatusCode::BAD_REQUEST, "bad_name").with("name", name.escape_debug())) }
}

/// A day that a calendar can reach.
pub fn check_day(day: Option<Date>, pointer: &str) -> Result<Option<Date>, Failure> {
    match day {
        Some(day) if !(1900..=2200).contains(&day.year()) => {
            Err(Failure::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_day").with("day", day).at(pointer, None))
        }
        day => Ok(day),
    }
}

/// The query: known names only, each once.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Api>> for Params<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Api>) -> Result<Params<T>, Failure> {
        // No database keeps it, and no text has it.
        let query = parts.uri.query().unwrap_or_default();
        if query.to_ascii_lowercase().contains("%00") {
            return Err(Failure::of(StatusCode::BAD_REQUEST, "bad_query").with("what", "%00"));
        }
        match Query::<T>::try_from_uri(&parts.uri) {
            Ok(Query(params)) => Ok(Params(params)),
            Err(error) => {
                let text = text_of(&error);
                let named = text.split_once(": ").filter(|(name, _)| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'));
                let (name, what) = named.unwrap_or(("", &text));
                let status = StatusCode::BAD_REQUEST;
                Err(shape(status, what, name).unwrap_or_else(|| {
                    let failure = Failure::of(status, "bad_query").with("what", what);
                    if name.is_empty() { failure } else { failure.at(name, None) }
                }))
            }
        }
    }
}

/// The innermost words of an error.
fn text_of(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

/// A JSON body.
pub struct Sent<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<Api>> for Sent<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Sent<T>, Failure> {
        let is_json = |kind: &str| kind.trim().eq_ignore_ascii_case("application/json");
        let body = body(request, api, api.limits.bytes, is_json).await?;
        let mut reader = serde_json::Deserializer::from_slice(&body);
        let Object(value) = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
            let pointer = pointer(error.path());
            let error = error.into_inner();
            if error.classify() != serde_json::error::Category::Data {
                return no_json(&error);
            }
            let status = StatusCode::UNPROCESSABLE_ENTITY;
            shape(status, &error.to_string(), &pointer).unwrap_or_else(|| {
                let failure = Failure::of(status, "bad_body").unreadable(Unreadable::of(&error));
                if pointer.is_empty() { failure } else { failure.at(pointer, None) }
            })
        })?;
        reader.end().map_err(|error| no_json(&error))?;
        Ok(Sent(value))
    }
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::of(StatusCode::BAD_REQUEST, "no_json").unreadable(Unreadable::of(error))
}

/// A JSON object, and not a list of its values, which derived readers would take as well.
#[derive(Debug)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Object<T>, D::Error> {
        struct Named<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Named<T> {
            type Value = Object<T>;

            fn expecting(&self, out: &mut std::fmt::Formatter) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Named(PhantomData))
    }
}

/// A workbook.
pub struct Workbook(pub Bytes);

impl FromRequest<Arc<Api>> for Workbook {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Workbook, Failure> {
        let is_workbook = |kind: &str| super::imports::WORKBOOK.iter().any(|known| kind.trim().eq_ignore_ascii_case(known));
        body(request, api, api.limits.list_bytes, is_workbook).await.map(Workbook)
    }
}

/// A file of any kind.
pub struct Content(pub Bytes);

impl FromRequest<Arc<Api>> for Content {
    type Rejection = Failure;

    async fn from_request(request: Request, api: &Arc<Api>) -> Result<Content, Failure> {
        let is_bytes = |kind: &str| kind.trim().eq_ignore_ascii_case("application/octet-stream");
        body(request, api, api.attachments.largest, is_bytes).await.map(Content)
    }
}

async fn body(request: Request, api: &Arc<Api>, most: usize, fits: impl Fn(&str) -> bool) -> Result<Bytes, Failure> {
    let (parts, body) = request.into_parts();
    let before = api.caller(&parts.headers).await?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !fits(kind.split(';').next().unwrap_or_default()) {
        return Err(Failure::of(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media").with("kind", kind));
    }
    let too_large = || Failure::of(StatusCode::PAYLOAD_TOO_LARGE, "too_large").with("bytes", most);
    let told = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|told| told > most) {
        return Err(too_large());
    }
    let arriving = tokio::time::timeout(api.limits.time, to_bytes(Body::new(body), most)).await;
    let body = arriving.map_err(|_| Failure::of(StatusCode::REQUEST_TIMEOUT, "body_late"))?.map_err(|_| too_large())?;
    // The token may have been taken back while the body was on its way.
    let after = api.caller(&parts.headers).await?;
    if (after.caller, after.scopes) != (before.caller, before.scopes) {
        return Err(Failure::of(StatusCode::UNAUTHORIZED, "bad_token"));
    }
    Ok(body)
}

/// `/actions/0/input/title`
fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut out = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => out += &format!("/{index}"),
            Segment::Map { key } => out += &format!("/{}", escaped(key)),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

/// What is wrong with the keys and values of a body or query, where it is known.
fn shape(status: StatusCode, error: &str, pointer: &str) -> Option<Failure> {
    let error = error.split(" at line ").next().unwrap_or_default();
    let quoted: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
    let (name, known) = match quoted.split_first() {
        Some((name, known)) => (*name, known),
        None => ("", &[][..]),
    };
    let near = || nearest(name, known.iter().copied());
    if error.starts_with("unknown field") {
        return Some(Failure::of(status, "unknown_key").with("key", name).with("known", known.join(", ")).at(pointer, near()));
    }
    if error.starts_with("unknown variant") {
        return Some(Failure::of(status, "unknown_value").with("value", name).with("known", known.join(", ")).at(pointer, near()));
    }
    if error.starts_with("missing field") {
        let pointer = format!("{pointer}/{}", escaped(name));
        return Some(Failure::of(status, "missing_key").with("key", name).at(pointer, None));
    }
    None
}

/// A header that may be there once, in plain characters.
pub fn header_text(headers: &HeaderMap, name: &'static str) -> Result<Option<String>, Failure> {
    let bad = || Failure::of(StatusCode::BAD_REQUEST, "bad_header").with("header", name);
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(bad());
    }
    let text = value.to_str().map_err(|_| bad())?.trim();
    check_name(text).map_err(|_| bad())?;
    Ok(Some(text.to_string()))
}
