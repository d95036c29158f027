//! Coming in with the office's identity provider: to its login page, and back with its answer.
//!
//! What went along is bound to the browser by a cookie that only it has, for some minutes and for one answer; nothing of it is kept here.

use super::Web;
use super::door::{self, Bound, way_back};
use super::page::{self, Glance, encoded};
use super::second;
use super::session::Cookie;
use super::source::Source;
use super::trouble::Trouble;
use crate::app::accounts::NotSignedIn;
use crate::app::random_text;
use crate::kernel::time::Instant;
use crate::kernel::words::say;
use crate::oidc::{Asked, No, Provider};
use crate::store::accounts::digest;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, TimeDelta};
use std::sync::Arc;

/// So long somebody may be at the login page of the provider.
const LONGEST: TimeDelta = TimeDelta::minutes(10);
/// A longer address to go back to is not carried along.
const LONGEST_BACK: usize = 2000;

/// Somebody who is at the provider: what only their browser has.
struct Away {
    secret: String,
    since: i64,
    back: String,
}

impl Away {
    /// As the cookie carries it.
    fn text(&self) -> String {
        format!("{}.{}.{}", self.secret, self.since, encoded(&self.back))
    }

    fn read(text: &str) -> Option<Away> {
        let mut parts = text.splitn(3, '.');
        let (secret, since, back) = (parts.next()?.to_string(), parts.next()?.parse().ok()?, parts.next()?);
        let back = percent_encoding::percent_decode_str(back).decode_utf8().ok()?;
        Some(Away { secret, since, back: way_back(Some(&back)) })
    }

    /// What is told to others is made of the secret, each for its use alone; none of it tells the others.
    fn part(&self, of: &str) -> String {
        digest(&format!("oidc {of} {} {}", self.secret, self.since))
    }

    fn is_over(&self, now: Instant) -> bool {
        DateTime::from_timestamp_millis(self.since).is_none_or(|since| now - since >= LONGEST || since > now)
    }
}

/// What the provider is called, for a button at the door.
pub fn called(web: &Web, glance: &Glance) -> Option<String> {
    let provider = web.provider.as_ref()?;
    let title = provider.title().map_or_else(|| say(glance.lang, "web.provider.title", &[]), str::to_string);
    Some(say(glance.lang, "web.provider.enter", &[("title", &title)]))
}

/// Goes to the login page of the provider.
pub async fn begin(State(web): State<Arc<Web>>, headers: HeaderMap, uri: Uri) -> Result<Response, Trouble> {
    let provider = web.provider.as_ref().ok_or_else(Trouble::not_found)?;
    let glance = Glance::at(&headers, &uri);
    let back = Some(way_back(page::query(&uri, "back").as_deref())).filter(|back| back.len() <= LONGEST_BACK);
    let back = back.unwrap_or_else(|| "/".into());
    let away = Away { secret: format!("{}{}", random_text(), random_text()), since: web.offices.now().timestamp_millis(), back };
    let (state, nonce, verifier) = (away.part("state"), away.part("nonce"), away.part("verifier"));
    match provider.login_page(Asked { state: &state, nonce: &nonce, verifier: &verifier }).await {
        Ok(page) => {
            let mut response = Redirect::to(&page).into_response();
            web.set_cookie(&mut response, Cookie::Away, Some(&away.text()));
            Ok(response)
        }
        Err(no) => refuse(&web, &glance, &no, &away.back).await,
    }
}

/// Comes back with the answer of the provider.
pub async fn back(State(web): State<Arc<Web>>, source: Source, headers: HeaderMap, uri: Uri) -> Result<Response, Trouble> {
    // The address of the answer is no page: other languages begin at the door.
    let glance = Glance::at(&headers, &"/sign-in".parse().unwrap_or_default());
    web.may_try(source).await?;
    let mut response = answered(&web, &glance, source, &headers, &uri).await?;
    if web.carried(&headers, Cookie::Away).is_some() {
        web.set_cookie(&mut response, Cookie::Away, None);
    }
    Ok(response)
}

async fn answered(web: &Web, glance: &Glance, source: Source, headers: &HeaderMap, uri: &Uri) -> Result<Response, Trouble> {
    let provider = web.provider.as_ref().ok_or_else(Trouble::not_found)?;
    let asked = |name: &str| page::query(uri, name);
    let away = web.carried(headers, Cookie::Away).and_then(|text| Away::read(&text));
    let own = away.filter(|away| !away.is_over(web.offices.now()) && asked("state") == Some(away.part("state")));
    let Some(away) = own else { return at_the_door(web, glance, StatusCode::UNPROCESSABLE_ENTITY, "over", "/").await };
    if provider.is_strange(asked("iss").as_deref()) {
        return refuse(web, glance, &No::Token("another provider answers"), &away.back).await;
    }
    if let Some(error) = asked("error") {
        tracing::info!(error = %error.chars().take(60).collect::<String>(), "the identity provider lets nobody in");
        let key = if error == "access_denied" { "denied" } else { "error" };
        return at_the_door(web, glance, StatusCode::UNPROCESSABLE_ENTITY, key, &away.back).await;
    }
    let (named, had_second_step) = match whom(web, provider, &away, &asked("code").unwrap_or_default()).await {
        Ok(found) => found,
        Err(no) => return refuse(web, glance, &no, &away.back).await,
    };
    let signed_in = web.offices.sign_in_named(&web.policy, &web.jurisdiction, &named, had_second_step, source.text().as_deref()).await;
    let bound = Bound { back: away.back.clone(), kept: String::new() };
    match signed_in {
        Ok(signed_in) => {
            web.gate.forget(source);
            door::come_in(web, headers, glance, &signed_in, &bound).await
        }
        Err(NotSignedIn::Second(half)) => {
            web.gate.forget(source);
            second::ask(web, glance, &half, &bound).await
        }
        Err(NotSignedIn::Store(error)) => Err(error.into()),
        Err(_) => at_the_door(web, glance, StatusCode::UNPROCESSABLE_ENTITY, "nobody", &away.back).await,
    }
}

/// Whom the provider names to whoever shows it a code, and whether it has asked them for a second step. Nobody has no name.
async fn whom(web: &Web, provider: &Provider, away: &Away, code: &str) -> Result<(String, bool), No> {
    let tokens = provider.redeem(code, &away.part("verifier")).await?;
    let claims = provider.verify(&tokens.id_token, &away.part("nonce"), web.offices.now()).await?;
    let named = provider.names(&tokens, &claims).await?;
    Ok((named.unwrap_or_default(), provider.had_second_step(&claims)))
}

/// The fault is told to whoever reads the log; to people, whether trying again may help.
async fn refuse(web: &Web, glance: &Glance, no: &No, back: &str) -> Result<Response, Trouble> {
    let (status, key) = match no {
        No::Away(_) | No::Status { .. } | No::Unusable { .. } => (StatusCode::SERVICE_UNAVAILABLE, "away"),
        No::Code(_) | No::Token(_) => (StatusCode::UNPROCESSABLE_ENTITY, "not_good"),
    };
    tracing::warn!(error = %no, "nobody comes in by the identity provider");
    at_the_door(web, glance, status, key, back).await
}

async fn at_the_door(web: &Web, glance: &Glance, status: StatusCode, key: &str, back: &str) -> Result<Response, Trouble> {
    let says = say(glance.lang, &format!("web.provider.{key}"), &[]);
    door::show(web, glance, status, &says, "", &Bound { back: back.to_string(), kept: String::new() }).await
}
