//! How the system is doing; and, in a demo, which day it is.

use super::Web;
use super::session::{Sent, Visitor};
use super::trouble::Trouble;
use crate::app::{Level, check_up};
use crate::kernel::access::Room;
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::say;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::{Duration, NaiveTime, TimeZone};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// A demo goes on by no more than this at once: every mail on the way is written.
const LONGEST_STEP: Duration = Duration::days(400);

pub async fn show(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.enter(Room::System).await?;
    let (lang, zone) = (visitor.lang(), visitor.zone());
    let (state, now) = (web.pulse.state(), web.offices.now());
    let moment = |at: Instant| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let troubles = web.pulse.troubles(now);
    let checks = check_up(&web.offices.store, Some(visitor.app.store.jurisdiction()), now).await?;
    let checks = checks.iter().map(|check| {
        let (sentence, todo) = check.sentences(zone, lang);
        let level = match check.level {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Fault => "fault",
        };
        json!({ "title": say(lang, &format!("doctor.{}", check.check), &[]), "level": level, "says": sentence, "do": todo, "which": check.which })
    });
    let rules = visitor.app.rules();
    let page = json!({
        "undelivered": super::outbox::undelivered(&visitor).await?,
        "form": if visitor.may_enter(Room::Outbox) { Some(&visitor.form) } else { None },
        "last_inbox": state.last_inbox.map(moment),
        "inbox_fault": state.inbox_fault,
        "troubles": troubles,
        "last_tick": state.last_tick.map(moment),
        "next": state.next.map(moment),
        "last_mail": state.last_mail.map(moment),
        "now": moment(now),
        "checks": checks.collect::<Vec<Json>>(),
        "workflows": rules.workflows.values().map(|rules| json!({ "title": rules.setting.workflow.title, "version": rules.setting.workflow.version })).collect::<Vec<_>>(),
        "hash": rules.hash.chars().take(12).collect::<String>(),
        "program": env!("CARGO_PKG_VERSION"),
    });
    visitor.page(&web, "system.html", &visitor.say("web.way.system", &[]), page)
}

/// Sets the clock of a demo on: what is due until then happens, one moment after the other, as it would have.
pub async fn clock(State(web): State<Arc<Web>>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    if !web.open_house {
        return Err(Trouble::not_found());
    }
    let unread = |day: &str| Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "no_day").with("day", day);
    let text = sheet.text("day").unwrap_or_default();
    let day: Date = text.parse().map_err(|_| unread(text))?;
    let now = web.offices.now();
    let morning = NaiveTime::from_hms_opt(9, 0, 0).and_then(|at| visitor.zone().from_local_datetime(&day.and_time(at)).earliest());
    let until = morning.ok_or_else(|| unread(text))?.to_utc();
    if until <= now {
        return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "day_gone").with("day", day));
    }
    if until - now > LONGEST_STEP {
        return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "day_far").with("day", day).with("days", LONGEST_STEP.num_days()));
    }
    web.offices.clock.set(until);
    web.pulse.wake();
    Ok(Redirect::to("/").into_response())
}
