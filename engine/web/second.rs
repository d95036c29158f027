//! The second step at the door: a code after the password. Whoever stands here has a cookie that opens this page and no other.

use super::door::{self, Bound};
use super::page::{self, Glance};
use super::session::{Cookie, Posted, form_of};
use super::sheet::FORM_FIELD;
use super::source::Source;
use super::trouble::Trouble;
use super::{Web, qr};
use crate::app::accounts::{Codes, Half, NotPassed, Passed};
use crate::app::second::Device;
use crate::kernel::words::{Lang, say};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// After a right password: on to the page of the second step, with what was typed before, if anything was.
pub async fn ask(web: &Web, glance: &Glance, half: &Half, bound: &Bound) -> Result<Response, Trouble> {
    let mut response = match bound.kept.is_empty() {
        true => Redirect::to(&format!("/sign-in/second?back={}", page::encoded(&bound.to()))).into_response(),
        false => show(web, glance, StatusCode::OK, &half.token, "", bound).await?,
    };
    web.set_cookie(&mut response, Cookie::Half, Some(&half.token));
    Ok(response)
}

/// The page of the second step.
pub async fn form(State(web): State<Arc<Web>>, request: Request) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let back = page::query(request.uri(), "back").unwrap_or_default();
    match web.carried(request.headers(), Cookie::Half) {
        Some(token) => show(&web, &glance, StatusCode::OK, &token, "", &Bound { back, kept: String::new() }).await,
        None => Ok(Redirect::to("/sign-in").into_response()),
    }
}

async fn show(web: &Web, glance: &Glance, status: StatusCode, token: &str, says: &str, bound: &Bound) -> Result<Response, Trouble> {
    let Some(inside) = web.offices.half_inside(token).await? else {
        let says = say(glance.lang, "web.second.over", &[]);
        return door::show(web, glance, StatusCode::OK, &says, "", bound).await;
    };
    let values = json!({
        "says": says,
        "form": form_of(token),
        "back": bound.back,
        "kept": bound.kept,
        "device": inside.begins.as_ref().map(|device| drawn(device, glance.lang)),
    });
    page::for_nobody(web, glance, status, "second.html", &say(glance.lang, "web.second.title", &[]), values)
}

/// What a device is told, as a picture and as text.
pub fn drawn(device: &Device, lang: Lang) -> Json {
    let parted: Vec<String> = device.secret.0.as_bytes().chunks(4).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    json!({ "picture": qr::path(&device.address), "secret": parted.join(" "), "label": say(lang, "web.second.picture", &[]) })
}

/// Takes the second step.
pub async fn pass(State(web): State<Arc<Web>>, headers: HeaderMap, source: Source, Posted(sheet): Posted) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &"/sign-in/second".parse().unwrap_or_default());
    let bound = Bound::of(&sheet);
    let Some(token) = web.carried(&headers, Cookie::Half) else {
        return door::show(&web, &glance, StatusCode::OK, &say(glance.lang, "web.second.over", &[]), "", &bound).await;
    };
    if sheet.text(FORM_FIELD) != Some(&form_of(&token)) {
        return Err(Trouble::of(StatusCode::FORBIDDEN, "old_form"));
    }
    web.may_try(source).await?;
    let no = match web.offices.pass(&web.policy, &token, sheet.exactly("code"), source.text().as_deref()).await {
        Ok(Passed { inside, codes }) => {
            web.gate.forget(source);
            let Some(codes) = codes else { return door::come_in(&web, &headers, &glance, &inside, &bound).await };
            let values = json!({ "codes": listed(&codes), "to": bound.to(), "again": bound.again(&inside) });
            let title = say(glance.lang, "web.codes.title", &[]);
            let page = page::for_nobody(&web, &glance, StatusCode::OK, "codes.html", &title, values)?;
            return web.enter_with(&headers, &inside, page).await;
        }
        Err(no) => no,
    };
    let (status, says) = match no {
        NotPassed::Wrong => (StatusCode::UNPROCESSABLE_ENTITY, say(glance.lang, "web.second.wrong", &[])),
        NotPassed::Locked { until } => {
            let minutes = (until - web.offices.now()).num_minutes().max(0) + 1;
            (StatusCode::TOO_MANY_REQUESTS, say(glance.lang, "web.door.locked", &[("minutes", &minutes.to_string())]))
        }
        NotPassed::Over => (StatusCode::OK, String::new()),
        NotPassed::Store(error) => return Err(error.into()),
    };
    show(&web, &glance, status, &token, &says, &bound).await
}

pub fn listed(codes: &Codes) -> &[String] {
    &codes.0
}
