//! What all pages share: who looks, in which language, the way about, and the headers that keep a page from loading anything strange.

use super::session::Visitor;
use super::trouble::Trouble;
use super::{Web, assets, desk};
use crate::kernel::access::Room;
use crate::kernel::render::RenderError;
use crate::kernel::words::{Lang, say};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{Html, IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value as Json, json};

/// The cookie in which a chosen language is kept.
const LANG_COOKIE: &str = "lang";

/// Nothing from elsewhere, no script and no style that stands in a page, and no frame round it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; \
                      base-uri 'none'; frame-ancestors 'none'";

/// Lets a page have style sheets that its script makes, known by `nonce`, a text that nobody can guess.
pub fn let_styles(page: &mut Response, nonce: &str) {
    let policy = POLICY.replace("style-src 'self'", &format!("style-src 'self' 'nonce-{nonce}'"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        page.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// How somebody looks at a page: in which language, and where.
#[derive(Clone, Debug)]
pub struct Glance {
    pub lang: Lang,
    pub path: String,
    /// The same page in another language: its query goes along, but for what was just done.
    query: Vec<(String, String)>,
    choosing: bool,
}

impl Glance {
    pub fn at(headers: &HeaderMap, uri: &Uri) -> Glance {
        let chosen = query(uri, "lang").or_else(|| cookie(headers, LANG_COOKIE));
        let lang = match chosen.as_deref() {
            Some("en") => Lang::En,
            Some("zh" | "zh-CN") => Lang::Zh,
            _ => {
                crate::kernel::words::wished(headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default())
            }
        };
        let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned();
        let query = pairs.filter(|(name, _)| !["lang", "did", "changed"].contains(&name.as_str())).collect();
        Glance { lang, path: uri.path().to_string(), query, choosing: self::query(uri, "lang").is_some() }
    }

    /// Whether the language was chosen by this very address.
    pub fn is_choosing(&self) -> bool {
        self.choosing
    }

    /// Where this page is in the other language.
    fn in_other_lang(&self) -> String {
        let other = if self.lang == Lang::En { "zh-CN" } else { "en" };
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.query).append_pair("lang", other).finish();
        format!("/{}?{query}", self.path.trim_start_matches('/'))
    }
}

/// A value of the query.
pub fn query(uri: &Uri, name: &str) -> Option<String> {
    let pairs = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    pairs.into_iter().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// A cookie's value.
pub fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).flat_map(|line| line.split(';'));
    all.filter_map(|pair| pair.trim().split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value.to_string())
}

/// What stands for itself in a part of an address (RFC 3986, 2.3).
const ITSELF: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of an address.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ITSELF).to_string()
}

/// An entry of the bar on top: where it leads, and what it is called.
const WAYS: &[(&str, Room)] = &[
    ("todo", Room::Work),
    ("calendar", Room::Ledger),
    ("told", Room::Work),
    ("ledger", Room::Ledger),
    ("reports", Room::Reports),
    ("outbox", Room::Outbox),
    ("system", Room::System),
    ("webhooks", Room::System),
    ("rules", Room::Rules),
    ("accounts", Room::Accounts),
    ("audit", Room::Audit),
];

/// Fills a template of `templates/web` for somebody, or for nobody.
pub fn fill(web: &Web, glance: &Glance, visitor: Option<&Visitor>, name: &str, title: &str, page: Json) -> Result<Response, RenderError> {
    let lang = if glance.lang == Lang::En { "en" } else { "zh-CN" };
    let ways: Vec<Json> = visitor.map_or_else(Vec::new, |visitor| {
        let open = WAYS.iter().filter(|(_, room)| visitor.may_enter(*room));
        // The page that they see first, or the first of theirs, which leads to the others.
        let own = visitor.desks();
        let desk = own.iter().find(|desk| desk.first).or(own.first());
        let desks = desk.into_iter().map(|desk| {
            let to = desk::address(desk);
            json!({ "here": glance.path.starts_with("/desks/"), "to": to, "title": desk.title })
        });
        desks.chain(open.map(|(way, _)| json!({ "to": format!("/{way}"), "title": say(glance.lang, &format!("web.way.{way}"), &[]), "here": glance.path == format!("/{way}") })))
            .collect()
    });
    let frame = json!({
        "title": title,
        "other_to": glance.in_other_lang(),
        "style": assets::style(),
        "other_lang": if glance.lang == Lang::En { "zh-CN" } else { "en" },
        "who": visitor.map(|visitor| json!({ "name": visitor.name(), "units": visitor.units(), "form": visitor.form, "here": glance.path == "/me", "absent": visitor.absent() })),
        "office": visitor.map(Visitor::office),
        "today": visitor.map(|visitor| visitor.today().to_string()),
        "tomorrow": visitor.and_then(|visitor| visitor.today().succ_opt()).map(|day| day.to_string()),
        "ways": ways,
        "open_house": web.open_house,
    });
    let html = web.pages.fill(name, &json!({ "lang": lang, "frame": frame, "page": page }))?;
    Ok(Html(html).into_response())
}

/// A page for whoever it may be, who is not signed in.
pub fn for_nobody(web: &Web, glance: &Glance, status: StatusCode, name: &str, title: &str, values: Json) -> Result<Response, Trouble> {
    let mut page = fill(web, glance, None, name, title, values).map_err(|error| {
        tracing::error!(%error, template = name, "a page cannot be filled");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    *page.status_mut() = status;
    Ok(page)
}

/// The headers of every page, and the cookie of a language that was chosen.
pub async fn guard(request: Request, next: Next) -> Response {
    let chosen = query(request.uri(), "lang").filter(|lang| ["en", "zh", "zh-CN"].contains(&lang.as_str()));
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let fixed = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(lang) =
        chosen.and_then(|lang| HeaderValue::from_str(&format!("{LANG_COOKIE}={lang}; Path=/; Max-Age=31536000; SameSite=Lax")).ok())
    {
        headers.append(header::SET_COOKIE, lang);
    }
    response
}
