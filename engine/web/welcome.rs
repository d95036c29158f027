//! The page behind the link of an invitation: choosing a password.

use super::Web;
use super::door::{self, Bound};
use super::page::{self, Glance};
use super::second;
use super::session::{Cookie, Posted};
use super::source::Source;
use super::trouble::Trouble;
use crate::app::accounts::{INVITATION, NotAccepted};
use crate::kernel::words::say;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use serde_json::json;
use std::sync::Arc;

/// Looking at it changes nothing: scanners of mail open every link.
pub async fn invited(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    source: Source,
    request: Request,
) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    is_good(&web, &token, source).await?;
    show(&web, &glance, StatusCode::OK, &token, "")
}

/// A link that was used, or is late, says so before anybody thinks of a password. Whoever guesses is slowed down.
async fn is_good(web: &Web, token: &str, source: Source) -> Result<(), Trouble> {
    web.may_try(source).await?;
    match web.offices.find_link(token, INVITATION).await? {
        Some(_) => {
            web.gate.forget(source);
            Ok(())
        }
        None => Err(Trouble::of(StatusCode::GONE, "link_over")),
    }
}

fn show(web: &Web, glance: &Glance, status: StatusCode, token: &str, says: &str) -> Result<Response, Trouble> {
    let values = json!({ "token": page::encoded(token), "says": says, "least": web.policy.shortest_password });
    let mut page = page::for_nobody(web, glance, status, "welcome.html", &say(glance.lang, "web.welcome.title", &[]), values)?;
    web.set_cookie(&mut page, Cookie::Door, Some("1"));
    Ok(page)
}

/// Sets the first password of whoever was invited, and signs them in.
pub async fn accept(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    source: Source,
    Posted(sheet): Posted,
) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &"/welcome".parse().unwrap_or_default());
    let (password, again) = (sheet.exactly("password"), sheet.exactly("again"));
    is_good(&web, &token, source).await?;
    let no = |says: String| show(&web, &glance, StatusCode::UNPROCESSABLE_ENTITY, &token, &says);
    // The link is good once: a browser that forgets who came in would have used it up for nothing.
    if door::keeps_no_cookies(&web, &headers, &sheet) {
        return no(say(glance.lang, "web.door.no_cookies", &[]));
    }
    if password != again {
        return no(say(glance.lang, "web.welcome.differ", &[]));
    }
    match web.offices.accept_invitation(&web.policy, &token, password, source.text().as_deref()).await {
        Ok(signed_in) => web.enter(&headers, &signed_in, "/").await,
        Err(NotAccepted::Second(half)) => second::ask(&web, &glance, &half, &Bound::default()).await,
        Err(NotAccepted::Link) => Err(Trouble::of(StatusCode::GONE, "link_over")),
        Err(NotAccepted::Weak(why)) => {
            no(say(glance.lang, &format!("account.weak.{}", why.word()), &[("least", &web.policy.shortest_password.to_string())]))
        }
        Err(NotAccepted::Store(error)) => Err(error.into()),
    }
}
