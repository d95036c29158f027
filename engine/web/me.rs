//! A page for oneself: who one is here, one's password, the second step, and where one is signed in.

use super::Web;
use super::page;
use super::second::{drawn, listed};
use super::session::{Sent, Visitor};
use super::source::Source;
use super::trouble::Trouble;
use crate::app::accounts::{Codes, NotChanged, NotEnrolled};
use crate::kernel::model::definition::Who;
use crate::kernel::model::directory::Dated;
use crate::kernel::time::Date;
use crate::store::accounts::digest;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// What was just done, or why it was not: beside which part of the page it stands.
struct Told {
    part: &'static str,
    says: String,
    bad: bool,
    codes: Option<Codes>,
}

impl Told {
    fn no(part: &'static str, says: String) -> Told {
        Told { part, says, bad: true, codes: None }
    }
}

pub async fn page(State(web): State<Arc<Web>>, visitor: Visitor, uri: Uri) -> Result<Response, Trouble> {
    let done = page::query(&uri, "changed").and_then(|what| {
        let key = ["password", "second_off", "sessions"].into_iter().find(|known| *known == what)?;
        let part = if key == "second_off" { "second" } else { key };
        Some(Told { part, says: visitor.say(&format!("web.me.done.{key}"), &[]), bad: false, codes: None })
    });
    show(&web, &visitor, done, StatusCode::OK).await
}

async fn show(web: &Web, visitor: &Visitor, told: Option<Told>, status: StatusCode) -> Result<Response, Trouble> {
    let (app, person, today) = (&visitor.app, &visitor.person, visitor.today());
    let rules = app.rules();
    let directory = &rules.directory;
    let known = directory.persons.get(person);
    let account = app.store.account(person).await?;
    let stands = app.second_step(person).await?;
    let must = app.must_have_second_step(&web.policy, person);
    let device = match stands.pending.clone() {
        Some(pending) => Some(drawn(&app.device(person, pending).await?, visitor.lang())),
        None => None,
    };
    let own = digest(&visitor.token);
    let sessions: Vec<Json> = app
        .store
        .sessions_of(person)
        .await?
        .into_iter()
        .filter(|row| {
            let now = web.offices.now();
            now - row.started_at < web.policy.longest && now - row.seen_at < web.policy.idle
        })
        .map(|row| json!({ "here": row.id == own, "from": visitor.moment(row.started_at), "seen": visitor.moment(row.seen_at), "source": row.source }))
        .collect();
    let stand_ins = known.into_iter().flat_map(|known| &known.stand_in).filter(|row| row.to.is_none_or(|to| to >= today));
    let stand_ins: Vec<Json> =
        stand_ins.map(|row| json!({ "name": directory.person_title(&row.value), "days": days(visitor, row) })).collect();
    let for_whom: Vec<Json> = directory
        .persons
        .values()
        .flat_map(|absent| absent.stand_in.iter().filter(|row| row.value == *person && row.holds_on(today)).map(move |row| (absent, row)))
        .map(|(absent, row)| json!({ "name": absent.title, "days": days(visitor, row) }))
        .collect();
    let part = |name: &str| told.as_ref().filter(|told| told.part == name).map(|told| json!({ "says": told.says, "bad": told.bad }));
    let values = json!({
        "form": visitor.form,
        "name": visitor.name(),
        "login": account.as_ref().map(|account| account.login.as_str()),
        "has_password": account.as_ref().is_some_and(|account| account.password.is_some()),
        "mail": known.and_then(|known| known.mail.as_deref()),
        "phone": known.and_then(|known| known.phone.as_deref()),
        "units": units(visitor, today),
        "roles": roles(visitor, today),
        "stand_ins": stand_ins,
        "for_whom": for_whom,
        "least": web.policy.shortest_password,
        "second": {
            "since": stands.set_at.filter(|_| stands.secret.is_some()).map(|at| visitor.moment(at)),
            "codes_left": stands.codes_left,
            "must": must,
            "device": device,
        },
        "codes": told.as_ref().and_then(|told| told.codes.as_ref()).map(listed),
        "sessions": sessions,
        "told": { "password": part("password"), "second": part("second"), "sessions": part("sessions") },
    });
    let mut response = visitor.page(web, "me.html", &visitor.say("web.me.title", &[]), values)?;
    *response.status_mut() = status;
    Ok(response)
}

fn days<T>(visitor: &Visitor, row: &Dated<T>) -> String {
    let day = |day: Option<Date>| day.map(|day| day.to_string()).unwrap_or_default();
    match (row.from, row.to) {
        (None, None) => String::new(),
        (from, to) => visitor.say("web.me.days", &[("from", &day(from)), ("to", &day(to))]),
    }
}

/// Each unit of theirs, and as what.
fn units(visitor: &Visitor, today: Date) -> Vec<Json> {
    let rules = visitor.app.rules();
    let duties = rules.directory.persons.get(&visitor.person).map_or(&[][..], |person| &person.duties);
    let unit = |row: &Dated<crate::kernel::model::directory::DutyIn>| {
        let title = rules.directory.standing_for(&row.value.unit, today).map_or(row.value.unit.to_string(), |unit| unit.title.clone());
        json!({ "unit": title, "days": days(visitor, row) })
    };
    duties.iter().filter(|row| row.holds_on(today)).map(unit).collect()
}

/// What they may be asked as, by the groups and duties that they have today: roles of the rules, and what they look after in this house.
fn roles(visitor: &Visitor, today: Date) -> Vec<String> {
    let rules = visitor.app.rules();
    let Some(person) = rules.directory.persons.get(&visitor.person) else { return Vec::new() };
    let in_group = |group: &str| person.groups.iter().any(|row| &*row.value == group && row.holds_on(today));
    let has = |who: &Who| match who {
        Who::Group(group) => in_group(group),
        Who::Duty(duty, _) => person.duties.iter().any(|row| row.value.duty == *duty && row.holds_on(today)),
        Who::Person(_) | Who::System => false,
    };
    let mut titles: Vec<String> = Vec::new();
    for role in rules.workflows.values().flat_map(|rules| rules.setting.workflow.roles.values()) {
        if role.who.iter().any(|case| has(&case.who)) && !titles.contains(&role.title) {
            titles.push(role.title.clone());
        }
    }
    titles.extend(
        crate::kernel::access::ADMINISTRATORS
            .into_iter()
            .filter(|group| in_group(group))
            .map(|group| visitor.say(&format!("web.group.{group}"), &[])),
    );
    titles
}

/// Another password of one's own. All sessions end, and this one goes on as a new one.
pub async fn password(
    State(web): State<Arc<Web>>,
    headers: HeaderMap,
    source: Source,
    Sent(visitor, sheet): Sent,
) -> Result<Response, Trouble> {
    let (old, new) = (sheet.exactly("old"), sheet.exactly("password"));
    if new != sheet.exactly("again") {
        return show(&web, &visitor, Some(Told::no("password", visitor.say("web.welcome.differ", &[]))), StatusCode::UNPROCESSABLE_ENTITY)
            .await;
    }
    let says = match web.offices.change_password(&web.policy, &visitor.session, old, new, source.text().as_deref()).await {
        Ok(signed_in) => return web.enter(&headers, &signed_in, "/me?changed=password").await,
        Err(NotChanged::Weak(why)) => {
            visitor.say(&format!("account.weak.{}", why.word()), &[("least", &web.policy.shortest_password.to_string())])
        }
        Err(no) => not_changed(&web, &visitor, no)?,
    };
    show(&web, &visitor, Some(Told::no("password", says)), StatusCode::UNPROCESSABLE_ENTITY).await
}

fn not_changed(web: &Web, visitor: &Visitor, no: NotChanged) -> Result<String, Trouble> {
    Ok(match no {
        NotChanged::Wrong | NotChanged::Weak(_) => visitor.say("web.me.wrong_password", &[]),
        NotChanged::Locked { until } => locked(web, visitor, until),
        NotChanged::Store(error) => return Err(error.into()),
    })
}

fn locked(web: &Web, visitor: &Visitor, until: crate::kernel::time::Instant) -> String {
    let minutes = (until - web.offices.now()).num_minutes().max(0) + 1;
    visitor.say("web.door.locked", &[("minutes", &minutes.to_string())])
}

/// A second step begins (the password is asked for, then the first code), or is given up.
pub async fn second(State(web): State<Arc<Web>>, source: Source, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    let (from, person) = (source.text(), &visitor.person);
    let password = sheet.exactly("password");
    let says = match sheet.text("do") {
        Some("begin") => match web.offices.knows_password(&web.policy, &visitor.session, password, from.as_deref()).await {
            Ok(()) => {
                visitor.app.propose_second_step(person).await?;
                return Ok(Redirect::to("/me#second").into_response());
            }
            Err(no) => not_changed(&web, &visitor, no)?,
        },
        Some("confirm") => {
            let session = (person, visitor.token.as_str());
            match web.offices.enrol(&web.policy, &visitor.app, session, sheet.exactly("code"), from.as_deref()).await {
                Ok(codes) => {
                    let says = visitor.say("web.me.done.second", &[]);
                    let told = Told { part: "second", says, bad: false, codes: Some(codes) };
                    return show(&web, &visitor, Some(told), StatusCode::OK).await;
                }
                Err(NotEnrolled::Wrong) => visitor.say("web.second.wrong", &[]),
                Err(NotEnrolled::Nothing) => visitor.say("web.me.nothing_waits", &[]),
                Err(NotEnrolled::Locked { until }) => locked(&web, &visitor, until),
                Err(NotEnrolled::Store(error)) => return Err(error.into()),
            }
        }
        Some("off") if visitor.app.must_have_second_step(&web.policy, person) => visitor.say("web.me.second_must", &[]),
        Some("off") => {
            let session = (&visitor.session, visitor.token.as_str());
            match web.offices.give_up_second_step(&web.policy, session, password, from.as_deref()).await {
                Ok(_) => return Ok(Redirect::to("/me?changed=second_off#second").into_response()),
                Err(no) => not_changed(&web, &visitor, no)?,
            }
        }
        _ => return Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
    };
    show(&web, &visitor, Some(Told::no("second", says)), StatusCode::UNPROCESSABLE_ENTITY).await
}

/// Ends one's sessions elsewhere.
pub async fn sessions(State(web): State<Arc<Web>>, source: Source, Sent(visitor, _): Sent) -> Result<Response, Trouble> {
    web.offices.end_others(&visitor.session, &visitor.token, source.text().as_deref()).await?;
    Ok(Redirect::to("/me?changed=sessions#sessions").into_response())
}
