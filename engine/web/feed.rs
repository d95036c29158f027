//! One's deadlines for a calendar program, which has no cookie: it knows an address that holds a token for this and for nothing else.

use super::Web;
use super::page::Glance;
use super::trouble::Trouble;
use crate::app::tokens::Scope;
use crate::kernel::words::say;
use crate::store::facts::hex;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;

pub async fn feed(State(web): State<Arc<Web>>, Path(file): Path<String>, request: Request) -> Result<Response, Trouble> {
    let token = file.strip_suffix(".ics").ok_or_else(Trouble::not_found)?;
    // Whoever has no good address learns nothing of others.
    let holder =
        web.offices.token_holder(token).await?.filter(|holder| holder.scopes == [Scope::Calendar]).ok_or_else(Trouble::not_found)?;
    let app = web.offices.app(&holder.jurisdiction).await?;
    if !app.rules().directory.persons.contains_key(&holder.person) {
        return Err(Trouble::not_found());
    }
    let lang = Glance::at(request.headers(), request.uri()).lang;
    let name = say(lang, "agenda.name", &[("person", app.rules().directory.person_title(&holder.person))]);
    let calendar = app.agenda(&holder.person, &name, &web.offices.domain, web.origin.as_deref(), lang).await?;
    let tag = format!("\"{}\"", &hex(&Sha256::digest(&calendar))[..32]);
    let known = request.headers().get(header::IF_NONE_MATCH).and_then(|known| known.to_str().ok()).unwrap_or_default();
    let is_known = known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag || known.trim() == "*");
    let mut response = match is_known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], calendar).into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("inline; filename=\"deadlines.ics\""));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    Ok(response)
}
