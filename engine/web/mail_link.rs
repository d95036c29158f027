//! The page behind a link of a mail: what would be done, in whose name, and the form of it. Looking changes nothing, since scanners of mail open
//! every link; only the form acts, once, and opens no session.

use super::Web;
use super::act::control_of;
use super::form::Form;
use super::page::{self, Glance};
use super::session::{Posted, Sheet};
use super::todo::number;
use super::trouble::Trouble;
use crate::app::ActError;
use crate::app::links::{Holder, NoLink};
use crate::app::look::Look;
use crate::kernel::decide;
use crate::kernel::explain::due;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::words::{refusal, say};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ShowQuery {
    /// It was done just now.
    done: Option<u8>,
}

impl From<NoLink> for Trouble {
    fn from(no: NoLink) -> Trouble {
        match no {
            NoLink::Unknown => Trouble::of(StatusCode::GONE, "mail_link_unknown"),
            NoLink::Late => Trouble::of(StatusCode::GONE, "mail_link_late"),
            NoLink::Shut => Trouble::of(StatusCode::FORBIDDEN, "mail_link_shut"),
            NoLink::Store(error) => error.into(),
        }
    }
}

/// Shows what the link is for, or what became of it.
pub async fn show(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    Query(query): Query<ShowQuery>,
    request: Request,
) -> Result<Response, Trouble> {
    let glance = Glance::at(request.headers(), request.uri());
    let holder = web.offices.mail_link(&token).await?;
    let look = look(&holder).await?;
    fill(&web, &glance, &token, &holder, &look, query.done.is_some(), None)
}

/// Does what the link is for. What is refused uses nothing up.
pub async fn act(
    State(web): State<Arc<Web>>,
    Path(token): Path<String>,
    headers: HeaderMap,
    Posted(sheet): Posted,
) -> Result<Response, Trouble> {
    let glance = Glance::at(&headers, &format!("/j/{}", page::encoded(&token)).parse().unwrap_or_default());
    let holder = web.offices.mail_link(&token).await?;
    let before = look(&holder).await?;
    if holder.used_at.is_some() {
        return fill(&web, &glance, &token, &holder, &before, false, None);
    }
    let mut command = holder.command();
    if let Some(form) = form(&before, &holder, &glance) {
        command.input = form.read(&sheet);
    }
    command.seen_rev = sheet.text("rev").and_then(|rev| rev.parse().ok());
    let rev = match holder.app.act(&command).await {
        Ok(done) => Some(done.rev),
        // It was done with other words, by a form that was sent before this one.
        Err(ActError::Refused(no)) if no.code == RefusalCode::CommandReused => None,
        Err(ActError::Refused(no)) => {
            let now = look(&holder).await?;
            return fill(&web, &glance, &token, &holder, &now, false, Some((&sheet, &no)));
        }
        Err(error) => return Err(error.into()),
    };
    web.offices.mail_link_used(&holder, rev).await?;
    web.pulse.wake();
    Ok(Redirect::to(&format!("/j/{}?done=1", page::encoded(&token))).into_response())
}

async fn look(holder: &Holder) -> Result<Look, Trouble> {
    let look = holder.app.look(&holder.wish.item, Some(holder.person.clone())).await?;
    look.ok_or_else(|| Trouble::unknown_item(&holder.wish.item))
}

/// The form of what the link is for; nothing when the rules in use do not know it any more.
fn form<'l>(look: &'l Look, holder: &'l Holder, glance: &Glance) -> Option<Form<'l>> {
    let (rules, item, task) = (&*look.rules, &look.item, holder.wish.branch);
    let kind = match task {
        Some(no) => Some(&*item.branch(no)?.kind),
        None => None,
    };
    let (name, action) =
        rules.setting.workflow.actions_of(kind)?.get_key_value(&holder.wish.action).filter(|(_, action)| !action.creates)?;
    let by = decide::way(rules, item, name, action, task, &holder.person);
    Some(Form { rules, item: Some(item), task, kind, name, action, by, lang: glance.lang })
}

fn fill(
    web: &Web,
    glance: &Glance,
    token: &str,
    holder: &Holder,
    look: &Look,
    just_done: bool,
    back: Option<(&Sheet, &Refusal)>,
) -> Result<Response, Trouble> {
    let (lang, rules, item, task) = (glance.lang, &look.rules, &look.item, holder.wish.branch);
    let form = form(look, holder, glance).ok_or_else(|| Trouble::of(StatusCode::GONE, "mail_link_unknown"))?;
    let zone = rules.setting.workflow.timezone;
    let moment = |at: crate::kernel::time::Instant| at.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string();
    let used = holder.used_at.map(moment);
    let branch = task.and_then(|no| item.branch(no));
    // What keeps it from being done as things stand; a form that came back says so itself.
    let closed = match (&used, &back) {
        (None, None) => decide::refusal_of(rules, item, form.name, form.action, task, &holder.person),
        _ => None,
    };
    let says = back.map(|(_, no)| form.sentence(no));
    let at = back.and_then(|(_, no)| control_of(no));
    let wrong: BTreeMap<String, String> = at.clone().zip(says.clone()).into_iter().collect();
    let (persons, units) = form.names();
    let directory = &rules.setting.directory;
    let mut fields = look.fields(lang)?;
    if let Some(branch) = branch {
        fields.extend(look.branch_fields(branch, lang)?.unwrap_or_default());
    }
    let title = fields.iter().find(|field| &*field.name == "title" && !field.hidden).map(|field| field.text.clone());
    let own_due = |due: &&due::DueExplained| due.ended.is_none() && (due.branch_number.is_none() || due.branch_number == task);
    let dues = due::explain(rules, item, None);
    let dues: Vec<Json> =
        dues.iter().filter(own_due).filter_map(|due| Some(json!({ "title": due.title, "date": due.date?.to_string() }))).collect();
    let page = json!({
        "to": format!("/j/{}", page::encoded(token)),
        "action": form.title(),
        "who": directory.person_title(&holder.person),
        "number": number(rules, item),
        "title": title,
        "branch": branch.map(|branch| look.branch_name(branch)),
        "state": rules.setting.workflow.states.get(&item.state).map_or_else(|| item.state.to_string(), |state| state.title.clone()),
        "fields": fields.iter().filter(|field| !field.hidden && &*field.name != "title").map(|field| json!({ "title": field.title, "text": field.text })).collect::<Vec<_>>(),
        "dues": dues,
        "used": used,
        "just_done": just_done,
        "until": moment(holder.until),
        "rev": item.rev,
        "closed": closed.map(|no| refusal(lang, &no)),
        "says": says,
        "at": at.map(|name| format!("in-{name}")),
        "controls": form.controls(back.map(|(sheet, _)| sheet), &wrong),
        "item": format!("/items/{}", page::encoded(&item.id)),
        "persons": if persons { directory.persons.values().map(|person| person.title.as_str()).collect() } else { Vec::new() },
        "units": if units { directory.units.values().map(|unit| unit.title.as_str()).collect() } else { Vec::new() },
    });
    let heading = match (&used, just_done) {
        (Some(_), true) => say(lang, "web.mail_link.done", &[]),
        (Some(_), false) => say(lang, "web.mail_link.used", &[]),
        (None, _) => form.title(),
    };
    let mut response = page::fill(web, glance, None, "mail_link.html", &heading, page).map_err(|error| {
        tracing::error!(%error, "the page of a link cannot be filled");
        Trouble::of(StatusCode::INTERNAL_SERVER_ERROR, "page_fails").with("what", error)
    })?;
    *response.status_mut() = match back {
        Some((_, no)) => super::act::status_of(no),
        None if holder.used_at.is_some() && !just_done => StatusCode::GONE,
        None => StatusCode::OK,
    };
    Ok(response)
}
