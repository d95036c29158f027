//! One item: where it stands, its deadlines with why, what may be done and why something may not, and what happened so far.

use super::Web;
use super::session::Visitor;
use super::todo::{action_path, action_title, number};
use super::trouble::Trouble;
use super::{attachments, deadline, outbox, page};
use crate::app::look::{Look, Offered, ShownField};
use crate::app::outbox::became;
use crate::kernel::access::Room;
use crate::kernel::explain;
use crate::kernel::form::FormError;
use crate::kernel::model::decision::RefusalCode;
use crate::kernel::model::definition::StateKind;
use crate::kernel::model::fact::{Cause, Fact, Outcome};
use crate::kernel::model::value::Type;
use crate::kernel::rules::EvalError;
use crate::kernel::words::refusal;
use crate::store::incoming::Incoming;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::sync::Arc;

/// Options of a choice that are shown as chips, by their place: the last is the worst.
const CHIPS: usize = 6;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShowQuery {
    /// What was just recorded: the revision to which it led.
    did: Option<u64>,
}

pub async fn show(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path(id): Path<String>,
    Query(query): Query<ShowQuery>,
) -> Result<Response, Trouble> {
    let look = visitor.app.look(&id, Some(visitor.person.clone())).await?.ok_or_else(|| Trouble::unknown_item(&id))?;
    let mails: Vec<String> = look.notices.iter().filter_map(|notice| notice.mail.clone()).collect();
    let returned = match mails.is_empty() {
        true => Vec::new(),
        false => visitor.app.store.incoming_of(&mails).await?,
    };
    let (title, page) = view(&look, &returned, &visitor, query.did)?;
    visitor.page(&web, "item.html", &title, page)
}

fn view(look: &Look, returned: &[Incoming], visitor: &Visitor, did: Option<u64>) -> Result<(String, Json), Trouble> {
    let (rules, item, lang) = (&look.rules, &look.item, visitor.lang());
    let workflow = &rules.setting.workflow;
    let fields = look.fields(lang)?;
    let number = number(rules, item);
    let title =
        fields.iter().find(|field| &*field.name == "title" && !field.hidden).map_or_else(|| number.clone(), |field| field.text.clone());
    let hidden = look.hidden_branches()?;
    let is_shown = |branch: Option<u32>| branch.is_none_or(|no| !hidden.contains(&no));
    let dues: Vec<_> = explain::due::explain(rules, item, None).into_iter().filter(|due| is_shown(due.branch_number)).collect();
    let (running, over): (Vec<_>, Vec<_>) = dues.iter().partition(|due| due.ended.is_none());
    let worst = running.iter().filter(|due| !due.window && due.date.is_some()).min_by_key(|due| due.date);
    let branches: Vec<Json> = item
        .branches
        .iter()
        .filter(|branch| !branch.cancelled && is_shown(Some(branch.no)))
        .map(|branch| {
            let own = running.iter().filter(|due| due.branch_number == Some(branch.no) && due.date.is_some()).min_by_key(|due| due.date);
            Ok(json!({
                "no": branch.no,
                "name": look.branch_name(branch),
                "state": look.branch_values(branch)["state_title"].as_str().unwrap_or(&branch.state),
                "ended": branch.ended,
                "since": branch.since.to_string(),
                "light": own.map(|due| deadline::light(due, item.today, lang)),
                "fields": look.branch_fields(branch, lang)?.map(|fields| fields.iter().map(|field| field_view(look, Some(branch.no), field)).collect::<Vec<_>>()),
            }))
        })
        .collect::<Result<_, EvalError>>()?;
    let offers = look.offers(&visitor.person)?;
    let (open, refused): (Vec<&Offered>, Vec<&Offered>) = offers.iter().partition(|offer| offer.refusal.is_none());
    // What a condition of the rules refuses is this person's business; what belongs to others or to another state is told on demand.
    let is_near = |offer: &&Offered| {
        let code = offer.refusal.as_ref().map(|no| no.code);
        !matches!(code, Some(RefusalCode::WrongRole | RefusalCode::WrongState | RefusalCode::NoRequest | RefusalCode::SamePerson))
    };
    let (near, far): (Vec<&Offered>, Vec<&Offered>) = refused.into_iter().partition(is_near);
    let own = |person: &str| visitor.may_enter(Room::Outbox) || *person == *visitor.person;
    let zone = workflow.timezone;
    let notices = look.notices.iter().rev().filter(|notice| own(&notice.person)).map(|notice| {
        let declared = workflow.notices.get(notice.notice.as_str());
        json!({
            "title": declared.map_or(notice.notice.as_str(), |declared| &declared.title),
            "to": rules.setting.directory.persons.get(notice.person.as_str()).map_or(notice.person.as_str(), |person| &person.title),
            "became": became(notice, zone, lang),
            "returned": returned.iter().filter(|message| message.kind != "reply" && notice.mail.as_ref() == Some(&message.mail)).map(|message| outbox::returned(message, zone, lang)).collect::<Vec<_>>(),
            "answers": returned.iter().filter(|message| message.kind == "reply" && notice.mail.as_ref() == Some(&message.mail)).count(),
            "at": notice.mail_ended_at.unwrap_or(notice.not_before).with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string(),
        })
    });
    let own = |fact: &&Fact| fact.actor.person.as_ref() == Some(&visitor.person);
    let done = did.and_then(|did| look.facts.iter().filter(own).rfind(|fact| fact.seq <= did));
    let page = json!({
        "item": item.id,
        "number": number,
        "title": title,
        "workflow": workflow.title,
        "version": workflow.version,
        "rules": rules.hash.chars().take(12).collect::<String>(),
        "state": workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone()),
        "since": item.since.to_string(),
        "ended": item.ended,
        "set_aside": look.set_aside,
        "light": worst.map(|due| deadline::light(due, item.today, lang)),
        "path": path(look),
        "fields": fields.iter().filter(|field| &*field.name != "title").map(|field| field_view(look, None, field)).collect::<Vec<_>>(),
        "running": running.iter().map(|due| deadline::view(rules, due, item.today, lang)).collect::<Vec<_>>(),
        "over": over.iter().map(|due| deadline::view(rules, due, item.today, lang)).collect::<Vec<_>>(),
        "branches": branches,
        "open": open.iter().map(|offer| offer_view(look, offer, visitor)).collect::<Vec<_>>(),
        "near": near.iter().map(|offer| offer_view(look, offer, visitor)).collect::<Vec<_>>(),
        "far": far_groups(look, &far, visitor),
        "timeline": look.facts.iter().rev().filter(|fact| !is_skipped(fact) && is_shown(fact.branch)).map(|fact| fact_view(look, fact, visitor)).collect::<Vec<_>>(),
        "files": attachments::list(look, visitor)?,
        "notices": notices.collect::<Vec<_>>(),
        "papers": workflow.forms.iter().filter(|(_, form)| form.of.is_none()).map(|(name, form)| json!({ "to": format!("/items/{}/forms/{}", page::encoded(&item.id), page::encoded(name)), "title": form.title })).collect::<Vec<_>>(),
        "done": done.map(|fact| look.fact_title(fact, lang)),
    });
    Ok((title, page))
}

/// The way so far in the order in which it was gone, where it stands, and what lies ahead in the order of the rules.
fn path(look: &Look) -> Vec<Json> {
    let (workflow, item) = (&look.rules.setting.workflow, &look.item);
    let mut passed: Vec<&str> = Vec::new();
    for outcome in look.facts.iter().flat_map(|fact| &fact.outcomes) {
        if let Outcome::State { to } = outcome {
            passed.retain(|state| *state != &**to);
            passed.push(to);
        }
    }
    passed.retain(|state| *state != &*item.state);
    let here = workflow.states.get_index_of(&item.state).unwrap_or_default();
    // An end may be one of several, so none is foretold.
    let is_ahead = |(place, name, kind): (usize, &str, StateKind)| place > here && kind != StateKind::End && !passed.contains(&name);
    let ahead = workflow.states.iter().enumerate().filter(|(place, (name, state))| !item.ended && is_ahead((*place, name, state.kind)));
    let ahead: Vec<&str> = ahead.map(|(_, (name, _))| &**name).collect();
    let step = |name: &str, passed: bool, here: bool| json!({ "title": workflow.states.get(name).map_or(name, |state| &state.title), "here": here, "passed": passed });
    let before = passed.iter().map(|name| step(name, true, false));
    before.chain([step(&item.state, false, true)]).chain(ahead.into_iter().map(|name| step(name, false, false))).collect()
}

fn field_view(look: &Look, task: Option<u32>, field: &ShownField) -> Json {
    let kind = task.and_then(|no| look.item.branch(no)).map(|branch| &*branch.kind);
    let declared = look.rules.setting.workflow.fields_of(kind).and_then(|fields| fields.get(&field.name));
    let place = declared.and_then(|declared| match &declared.kind {
        Type::Choice(options) if options.len() <= CHIPS => options.iter().position(|option| field.raw == json!(option)),
        _ => None,
    });
    let date = declared.is_some_and(|declared| matches!(&declared.kind, Type::Date)) && !field.hidden;
    json!({ "title": field.title, "text": field.text, "hidden": field.hidden, "chip": place, "date": date })
}

/// What is not this person's to do now, by why: it belongs to others, or to another state.
fn far_groups(look: &Look, far: &[&Offered], visitor: &Visitor) -> Vec<Json> {
    let is_of_others =
        |offer: &&&Offered| offer.refusal.as_ref().is_some_and(|no| matches!(no.code, RefusalCode::WrongRole | RefusalCode::SamePerson));
    let (others, states): (Vec<&&Offered>, Vec<&&Offered>) = far.iter().partition(is_of_others);
    let group = |key: &str, offers: Vec<&&Offered>| {
        let title = visitor.say(key, &[("count", &offers.len().to_string())]);
        let offers: Vec<Json> = offers.into_iter().map(|offer| offer_view(look, offer, visitor)).collect();
        (!offers.is_empty()).then(|| json!({ "title": title, "offers": offers }))
    };
    group("web.item.of_others", others).into_iter().chain(group("web.item.other_states", states)).collect()
}

fn offer_view(look: &Look, offer: &Offered, visitor: &Visitor) -> Json {
    let kind = offer.branch.and_then(|no| look.item.branch(no)).map(|branch| &*branch.kind);
    json!({
        "to": action_path(&look.item.id, &offer.action, offer.branch),
        "title": action_title(&look.rules, kind, &offer.action, visitor.lang()),
        "branch": offer.branch_name,
        "why": offer.refusal.as_ref().map(|no| refusal(visitor.lang(), no)),
    })
}

/// A rung that was passed over: nobody was told anything.
fn is_skipped(fact: &Fact) -> bool {
    matches!(&fact.cause, Cause::Rung { skipped: Some(_), .. })
}

/// What happened; of a rung, what was told.
fn title(look: &Look, fact: &Fact, visitor: &Visitor) -> String {
    let workflow = &look.rules.setting.workflow;
    let told: Vec<&str> = fact.told.iter().filter_map(|(notice, _)| Some(workflow.notices.get(notice)?.title.as_str())).collect();
    match &fact.cause {
        Cause::Rung { key, .. } if !told.is_empty() => {
            let deadline = workflow.deadlines.get(&key.deadline).map_or(&*key.deadline, |deadline| &deadline.title);
            visitor.say("show.rung", &[("deadline", deadline), ("rung", &told.join(&visitor.say("show.comma", &[])))])
        }
        _ => look.fact_title(fact, visitor.lang()),
    }
}

fn fact_view(look: &Look, fact: &Fact, visitor: &Visitor) -> Json {
    let zone = look.rules.setting.workflow.timezone;
    json!({
        "title": title(look, fact, visitor),
        "on": fact.effective_on.to_string(),
        "at": fact.recorded_at.with_timezone(&zone).format("%H:%M").to_string(),
        "late": fact.recorded_at.with_timezone(&zone).date_naive() != fact.effective_on,
        "recorded": fact.recorded_at.with_timezone(&zone).date_naive().to_string(),
        "actor": look.actor(fact, visitor.lang()),
        "branch": fact.branch.and_then(|no| look.item.branch(no)).map(|branch| look.branch_name(branch)),
        "recorded_values": look.recorded(fact, visitor.lang()).unwrap_or_default().into_iter().map(|(title, text)| json!({ "title": title, "text": text })).collect::<Vec<_>>(),
        "engine": !matches!(fact.cause, Cause::Command { .. }),
    })
}

/// A paper of the rules, filled from the item, as it prints on A4.
pub async fn print(visitor: Visitor, Path((id, name)): Path<(String, String)>) -> Result<Response, Trouble> {
    let look = visitor.app.look(&id, Some(visitor.person.clone())).await?.ok_or_else(|| Trouble::unknown_item(&id))?;
    let html = visitor.app.form(&look, &name, None).map_err(|error| match error {
        FormError::Eval(error) => error.into(),
        FormError::No { code: "unknown_form" | "no_forms", .. } => Trouble::not_found(),
        FormError::No { code, values } => {
            values.into_iter().fold(Trouble::of(StatusCode::CONFLICT, code), |trouble, (name, value)| trouble.with(name, value))
        }
        FormError::Branch(no) => Trouble::refused(no),
        error => {
            tracing::error!(%error, item = id, form = name, "a form cannot be filled");
            Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
        }
    })?;
    Ok(paper(html))
}

/// A paper is whole in itself, with its style inside; it loads nothing and runs nothing.
pub fn paper(html: String) -> Response {
    let policy = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy))], Html(html)).into_response()
}
