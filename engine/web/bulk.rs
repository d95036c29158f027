//! One action on many items at once: what may be done with all that was picked, one form for all of them, a look at what it would do and whom
//! it would tell, and then the doing, item by item.

use super::Web;
use super::form::Form;
use super::session::{Sent, Sheet, Visitor};
use super::sheet::AGAIN;
use super::todo::{action_title, number};
use super::trouble::Trouble;
use super::{act, page};
use crate::app::look::{Look, Offered};
use crate::app::{ActError, Done, Group, random_text};
use crate::kernel::access::Room;
use crate::kernel::decide;
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::definition::By;
use crate::kernel::words::refusal;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use indexmap::{IndexMap, IndexSet};
use serde_json::{Value as Json, json};
use std::borrow::Cow;
use std::sync::Arc;

/// So many items at once; more is an import.
const MOST: usize = 200;

/// The items that were picked, each once; one more than may be is enough to be told so.
fn picked<'q>(pairs: impl Iterator<Item = (Cow<'q, str>, Cow<'q, str>)>) -> Vec<String> {
    let items = pairs.filter(|(name, _)| name == "item").map(|(_, value)| value.trim().to_string()).filter(|value| !value.is_empty());
    let mut out = IndexSet::new();
    for item in items {
        out.insert(item);
        if out.len() > MOST {
            break;
        }
    }
    out.into_iter().collect()
}

/// The way in which this person would do it, by the first of the items on which it is open.
fn way(looks: &[Look], visitor: &Visitor, kind: Option<&str>, name: &Name) -> Result<Option<By>, Trouble> {
    for look in looks {
        for offer in look.offers(&visitor.person)?.iter().filter(|offer| offer.action == *name && offer.refusal.is_none()) {
            let of_kind = offer.branch.and_then(|no| look.item.branch(no)).map(|branch| &*branch.kind);
            let Some(action) = look.rules.setting.workflow.actions_of(of_kind).and_then(|actions| actions.get(name)) else { continue };
            if of_kind == kind {
                return Ok(decide::way(&look.rules, &look.item, name, action, offer.branch, &visitor.person).cloned());
            }
        }
    }
    Ok(None)
}

async fn looks(visitor: &Visitor, items: &[String]) -> Result<Vec<Look>, Trouble> {
    if items.is_empty() || items.len() > MOST {
        return Err(Trouble::of(StatusCode::UNPROCESSABLE_ENTITY, "bad_count").with("most", MOST));
    }
    let mut looks = Vec::with_capacity(items.len());
    for item in items {
        looks.push(visitor.app.look(item, Some(visitor.person.clone())).await?.ok_or_else(|| Trouble::unknown_item(item))?);
    }
    Ok(looks)
}

/// What may be done with what was picked.
pub async fn choose(State(web): State<Arc<Web>>, visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let query = query.unwrap_or_default();
    let looks = looks(&visitor, &picked(url::form_urlencoded::parse(query.as_bytes()))).await?;
    // Workflow, kind of branch, action → on how many of the items it is open.
    let mut open: IndexMap<(Name, Option<Name>, Name), usize> = IndexMap::new();
    for look in &looks {
        let mut here: Vec<(Name, Option<Name>, Name)> = Vec::new();
        for offer in look.offers(&visitor.person)?.iter().filter(|offer| offer.refusal.is_none()) {
            let kind = offer.branch.and_then(|no| look.item.branch(no)).map(|branch| branch.kind.clone());
            let key = (look.item.workflow.clone(), kind, offer.action.clone());
            if !here.contains(&key) {
                here.push(key);
            }
        }
        here.into_iter().for_each(|key| *open.entry(key).or_default() += 1);
    }
    let rules = visitor.app.rules();
    let rows = open.iter().filter_map(|((workflow, kind, action), count)| {
        let rules = rules.workflows.get(workflow)?;
        let kind_title = kind.as_ref().and_then(|kind| rules.setting.workflow.branches.get(kind)).map(|kind| kind.title.as_str());
        let to = format!("/bulk/{}/{}", page::encoded(workflow), page::encoded(action));
        Some(json!({ "to": to, "kind": kind, "title": action_title(rules, kind.as_deref(), action, visitor.lang()), "of": kind_title, "count": count }))
    });
    let items: Vec<Json> = looks.iter().map(|look| json!({ "item": look.item.id, "number": number(&look.rules, &look.item) })).collect();
    let page = json!({ "rows": rows.collect::<Vec<Json>>(), "items": items, "all": looks.len() });
    visitor.page(&web, "bulk.html", &visitor.say("web.bulk.title", &[]), page)
}

/// The form for all of them.
pub async fn form(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path((workflow, name)): Path<(String, String)>,
    RawQuery(query): RawQuery,
) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let query = query.unwrap_or_default();
    let kind = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "kind").map(|(_, value)| value.into_owned());
    let looks = looks(&visitor, &picked(url::form_urlencoded::parse(query.as_bytes()))).await?;
    let by = way(&looks, &visitor, kind.as_deref(), &name.as_str().into())?;
    // A desk may propose what is filled in.
    let proposed = Sheet::proposed(&query);
    show(&web, &visitor, (&workflow, kind.as_deref(), &name), &looks, by.as_ref(), proposed.as_ref(), None)
}

/// What was tried, or done.
struct Outcome {
    rows: Vec<Json>,
    done: bool,
    /// What it would cause, in a sentence.
    says: String,
}

fn show(
    web: &Web,
    visitor: &Visitor,
    (workflow, kind, name): (&str, Option<&str>, &str),
    looks: &[Look],
    by: Option<&By>,
    sheet: Option<&Sheet>,
    outcome: Option<Outcome>,
) -> Result<Response, Trouble> {
    let all = visitor.app.rules();
    let rules = all.workflows.get(workflow).ok_or_else(Trouble::not_found)?;
    let actions = rules.setting.workflow.actions_of(kind).ok_or_else(Trouble::not_found)?;
    let (name, action) = actions.get_key_value(name).filter(|(_, action)| !action.creates).ok_or_else(Trouble::not_found)?;
    let form = Form { rules, item: None, task: None, kind, name, action, by, lang: visitor.lang() };
    let (persons, units) = form.names();
    let title = form.title();
    let outcome = outcome.map(|outcome| json!({ "rows": outcome.rows, "done": outcome.done, "says": outcome.says }));
    let page = json!({
        "action": title,
        "to": format!("/bulk/{}/{}", page::encoded(workflow), page::encoded(name)),
        "kind": kind,
        "items": looks.iter().map(|look| json!({ "item": look.item.id, "number": number(&look.rules, &look.item) })).collect::<Vec<_>>(),
        "form": visitor.form,
        "command": sheet.and_then(|sheet| sheet.text("command")).map_or_else(random_text, str::to_string),
        "controls": form.controls(sheet, &Default::default()),
        "persons": if persons { all.directory.persons.values().map(|person| person.title.as_str()).collect() } else { Vec::new() },
        "units": if units { all.directory.units.values().map(|unit| unit.title.as_str()).collect() } else { Vec::new() },
        "outcome": outcome,
    });
    visitor.page(web, "bulk_form.html", &title, page)
}

/// Tries it, or does it: each item for itself, so that one that is refused keeps no other from being done.
pub async fn act(
    State(web): State<Arc<Web>>,
    Path((workflow, name)): Path<(String, String)>,
    Sent(visitor, sheet): Sent,
) -> Result<Response, Trouble> {
    visitor.enter(Room::Ledger).await?;
    let kind = sheet.text("kind").map(str::to_string);
    let items = picked(sheet.iter().map(|(name, value)| (Cow::from(name), Cow::from(value))));
    let looks = looks(&visitor, &items).await?;
    let rules = visitor.app.rules().workflows.get(workflow.as_str()).cloned().ok_or_else(Trouble::not_found)?;
    let actions = rules.setting.workflow.actions_of(kind.as_deref()).ok_or_else(Trouble::not_found)?;
    let (name, action) = actions.get_key_value(name.as_str()).filter(|(_, action)| !action.creates).ok_or_else(Trouble::not_found)?;
    let by = way(&looks, &visitor, kind.as_deref(), name)?;
    let form = Form { rules: &rules, item: None, task: None, kind: kind.as_deref(), name, action, by: by.as_ref(), lang: visitor.lang() };
    let input = form.read(&sheet);
    // Of an item, one; of branches, each on which it is open to this person, or the first, whose refusal tells why.
    let mut commands: Vec<Command> = Vec::with_capacity(looks.len());
    let mut of: Vec<(&Look, Option<u32>)> = Vec::with_capacity(looks.len());
    for look in &looks {
        let offers = look.offers(&visitor.person)?;
        let of_kind = |offer: &&Offered| offer.branch.and_then(|no| look.item.branch(no)).map(|branch| &*branch.kind) == kind.as_deref();
        let fitting: Vec<&Offered> = offers.iter().filter(|offer| offer.action == *name).filter(of_kind).collect();
        let open: Vec<Option<u32>> = fitting.iter().filter(|offer| offer.refusal.is_none()).map(|offer| offer.branch).collect();
        let places = if open.is_empty() { vec![fitting.first().and_then(|offer| offer.branch)] } else { open };
        for place in places {
            let own = act::command(&visitor, &sheet, look.item.id.clone(), name.clone());
            let id = format!("{}:{}:{}", own.id, look.item.id, place.unwrap_or_default());
            let branch = place.map(BranchAddress::No).or_else(|| kind.clone().map(BranchAddress::Named));
            commands.push(Command { id: id.into(), branch, input: input.clone(), seen_rev: None, ..own });
            of.push((look, place));
        }
    }
    let done = sheet.text("do") == Some("send") && sheet.text(AGAIN).is_none();
    let (answers, says): (Vec<Result<Done, ActError>>, String) = match done {
        true => {
            let answers = visitor.app.act_all(&commands).await;
            web.pulse.wake();
            let count = answers.iter().filter(|answer| answer.is_ok()).count();
            (answers, visitor.say("web.bulk.done", &[("count", &count.to_string()), ("all", &commands.len().to_string())]))
        }
        false => {
            let groups: Vec<Group> = commands.iter().map(|command| vec![command.clone()]).collect();
            let (answers, caused) = visitor.app.rehearse(&groups).await?;
            let answers: Vec<_> = answers
                .into_iter()
                .map(|answer| answer.map_err(|(_, error)| error).and_then(|mut done| done.pop().ok_or_else(nothing)))
                .collect();
            let count = answers.iter().filter(|answer| answer.is_ok()).count();
            let values = [
                ("count", count.to_string()),
                ("all", commands.len().to_string()),
                ("told", caused.told.to_string()),
                ("persons", caused.persons.to_string()),
            ];
            let values = values.each_ref().map(|(name, value)| (*name, value.as_str()));
            (answers, visitor.say("web.bulk.would", &values))
        }
    };
    let rows = of.iter().zip(&answers).map(|((look, place), answer)| {
        let (ok, what) = match answer {
            // Where a branch stands now is told on its page.
            Ok(_) if place.is_some() => (true, String::new()),
            Ok(done) => {
                let state = rules.setting.workflow.states.get(&done.state);
                (true, state.map_or_else(|| done.state.to_string(), |state| state.title.clone()))
            }
            Err(ActError::Refused(no)) => (false, refusal(visitor.lang(), no)),
            Err(error) => (false, error.to_string()),
        };
        let branch = place.and_then(|no| look.item.branch(no)).map(|branch| look.branch_name(branch));
        let to = format!("/items/{}", page::encoded(&look.item.id));
        json!({ "to": to, "number": number(&look.rules, &look.item), "branch": branch, "ok": ok, "what": what })
    });
    let outcome = Outcome { rows: rows.collect(), done, says };
    show(&web, &visitor, (&workflow, kind.as_deref(), name), &looks, by.as_ref(), Some(&sheet), Some(outcome))
}

/// What cannot be: a group was asked, and nothing of it.
fn nothing() -> ActError {
    ActError::Store(crate::store::StoreError::NotDone("nothing was asked".into()))
}
