//! Doing something: the form of an action, and the action itself. What cannot be taken comes back with all that was typed.

use super::Web;
use super::attachments;
use super::form::Form;
use super::page;
use super::session::{Sheet, Visitor};
use super::sheet::{AGAIN, SentWithFiles};
use super::todo::{action_path, number};
use super::trouble::Trouble;
use crate::app::look::Look;
use crate::app::{ActError, random_text};
use crate::kernel::decide;
use crate::kernel::explain::action as explain;
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By};
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use crate::kernel::words::refusal;
use crate::store::facts::hex;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use chrono::Datelike;
use serde::Deserialize;
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How they came in, as a fact records it.
const VIA: &str = "web";

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct OnBranch {
    branch: Option<u32>,
}

/// The form of an action on an item.
pub async fn form(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path((id, name)): Path<(String, String)>,
    Query(on): Query<OnBranch>,
) -> Result<Response, Trouble> {
    let look = look(&visitor, &id).await?;
    show(&web, &visitor, &look, &name, on.branch, None)
}

/// A form that came back: what was sent, and why it was not taken.
struct Back<'a> {
    sheet: &'a Sheet,
    /// Nothing while it comes back only because the session had ended over it.
    no: Option<&'a Refusal>,
}

async fn look(visitor: &Visitor, id: &str) -> Result<Look, Trouble> {
    visitor.app.look(id, Some(visitor.person.clone())).await?.ok_or_else(|| Trouble::unknown_item(id))
}

fn action_of<'l>(look: &'l Look, name: &str, task: Option<u32>) -> Result<(&'l Name, &'l Action), Trouble> {
    let kind = match task {
        Some(no) => {
            let branch = look.item.branch(no).ok_or_else(Trouble::not_found)?;
            // What may not be seen is not there.
            if !look.shows_branch(branch)? {
                return Err(Trouble::not_found());
            }
            Some(&*branch.kind)
        }
        None => None,
    };
    let actions = look.rules.setting.workflow.actions_of(kind).ok_or_else(Trouble::not_found)?;
    actions.get_key_value(name).filter(|(_, action)| !action.creates).ok_or_else(Trouble::not_found)
}

fn show(web: &Web, visitor: &Visitor, look: &Look, name: &str, task: Option<u32>, back: Option<Back>) -> Result<Response, Trouble> {
    let (name, action) = action_of(look, name, task)?;
    let (rules, item) = (&look.rules, &look.item);
    let offers = look.offers(&visitor.person)?;
    let offer = offers.iter().find(|offer| offer.action == *name && offer.branch == task);
    // What is offered nowhere any more, such as on a branch that has ended, is refused with its reason.
    let closed = match offer {
        Some(offer) => offer.refusal.clone(),
        None => decide::refusal_of(rules, item, name, action, task, &visitor.person),
    };
    let branch_name = task.and_then(|no| item.branch(no)).map(|branch| look.branch_name(branch));
    let kind = task.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
    let by = decide::way(rules, item, name, action, task, &visitor.person);
    let form = Form { rules, item: Some(item), task, kind, name, action, by, lang: visitor.lang() };
    let checks = match &closed {
        Some(_) => checks(look, visitor, name, task)?,
        None => Vec::new(),
    };
    let seen = back.as_ref().and_then(|back| back.sheet.text("rev")).and_then(|rev| rev.parse::<u64>().ok());
    // What has happened since the form was made; the next try is made in the knowledge of it.
    let news: Vec<Json> = match (&back, seen) {
        (Some(back), Some(seen)) if back.no.is_some_and(|no| no.code == RefusalCode::StaleRevision) => look
            .facts
            .iter()
            .filter(|fact| fact.seq > seen)
            .map(|fact| json!({ "says": visitor.say("web.form.news_line", &[("day", &fact.effective_on.to_string()), ("who", &look.actor(fact, visitor.lang())), ("what", &look.fact_title(fact, visitor.lang()))]) }))
            .collect(),
        _ => Vec::new(),
    };
    let to = action_path(&item.id, name, task);
    let title_field =
        look.fields(visitor.lang())?.into_iter().find(|field| &*field.name == "title" && !field.hidden).map(|field| field.text);
    let absent = decide::absent(rules, item, name, action, task, &visitor.person)
        .map(|absent| visitor.say("web.form.absent", &[("person", rules.setting.directory.person_title(&absent))]));
    let about = json!({ "item": item.id, "number": number(rules, item), "title": title_field, "branch": branch_name, "news": news, "rev": item.rev, "absent": absent });
    fill(web, visitor, &form, Around { to: &to, closed: closed.as_ref(), checks: &checks, about, back })
}

/// Each condition of an action that is not open, and whether it holds.
fn checks(look: &Look, visitor: &Visitor, name: &Name, task: Option<u32>) -> Result<Vec<Json>, Trouble> {
    let command = Command {
        id: "explain".into(),
        item: look.item.id.clone(),
        branch: task.map(BranchAddress::No),
        action: name.clone(),
        input: Default::default(),
        by: visitor.person.clone(),
        via: None,
        effective_on: None,
        seen_rev: None,
    };
    let explained = explain::explain(&look.rules, &look.item, &command, visitor.lang()).map_err(Trouble::refused)?;
    Ok(explained
        .checks
        .into_iter()
        .map(|check| json!({ "holds": check.holds, "says": visitor.say("web.check.line", &[("what", &visitor.say(&format!("web.check.{}", check.what), &[])), ("says", &check.says)]) }))
        .collect())
}

/// What stands on a form's page beside the form.
struct Around<'a> {
    /// Where it is sent.
    to: &'a str,
    /// Why it is not open, and each condition of it.
    closed: Option<&'a Refusal>,
    checks: &'a [Json],
    about: Json,
    back: Option<Back<'a>>,
}

fn fill(web: &Web, visitor: &Visitor, form: &Form, Around { to, closed, checks, about, back }: Around) -> Result<Response, Trouble> {
    let lang = visitor.lang();
    let title = form.title();
    // A form that was taken, changed and sent again is another wish.
    let no = back.as_ref().and_then(|back| back.no);
    let is_spent = no.is_some_and(|no| matches!(no.code, RefusalCode::CommandReused | RefusalCode::ItemExists));
    let says = no.map(|no| form.sentence(no));
    let at = no.and_then(control_of);
    let wrong: BTreeMap<String, String> = at.clone().zip(says.clone()).into_iter().collect();
    let sheet = back.as_ref().map(|back| back.sheet);
    let (persons, units) = form.names();
    let directory = &form.rules.setting.directory;
    let page = json!({
        "action": title,
        "to": to,
        "form": visitor.form,
        "command": sheet.filter(|_| !is_spent).and_then(|sheet| sheet.text("command")).map_or_else(random_text, str::to_string),
        "on": sheet.and_then(|sheet| sheet.text("on")).unwrap_or_default(),
        "today": visitor.today().to_string(),
        "controls": form.controls(sheet, &wrong),
        "files": form.asks_files().then(|| visitor.say("web.form.files", &[("largest", &web.attachments.megabytes()), ("kinds", &web.attachments.endings())])),
        "accept": web.attachments.endings(),
        "closed": closed.map(|no| refusal(lang, no)),
        "checks": checks,
        "about": about,
        "says": says,
        "at": at.as_ref().map(|name| if name == ON { ON.to_string() } else { format!("in-{name}") }),
        "wrong_day": wrong.get(ON),
        "persons": if persons { directory.persons.values().map(|person| person.title.as_str()).collect() } else { Vec::new() },
        "units": if units { directory.units.values().map(|unit| unit.title.as_str()).collect() } else { Vec::new() },
    });
    let heading = if no.is_some() { visitor.say("web.form.not_taken_of", &[("title", &title)]) } else { title };
    let mut response = visitor.page(web, "act.html", &heading, page)?;
    if let Some(no) = no {
        *response.status_mut() = status_of(no);
    }
    Ok(response)
}

/// The status of a form that came back.
pub fn status_of(no: &Refusal) -> StatusCode {
    match no.code {
        RefusalCode::MissingInput | RefusalCode::BadInput | RefusalCode::UnknownInput | RefusalCode::BadDate => {
            StatusCode::UNPROCESSABLE_ENTITY
        }
        RefusalCode::WrongRole | RefusalCode::SamePerson => StatusCode::FORBIDDEN,
        _ => StatusCode::CONFLICT,
    }
}

/// The control for the day on which it was done.
const ON: &str = "on";

/// The control that a refusal is about.
pub fn control_of(no: &Refusal) -> Option<String> {
    match no.code {
        RefusalCode::MissingInput | RefusalCode::BadInput => {
            no.values.iter().find(|(name, _)| name == "input").map(|(_, input)| input.clone())
        }
        RefusalCode::BadDate => Some(ON.to_string()),
        _ => None,
    }
}

/// Does an action on an item.
pub async fn act(
    State(web): State<Arc<Web>>,
    Path((id, name)): Path<(String, String)>,
    Query(on): Query<OnBranch>,
    SentWithFiles(visitor, mut sheet, files): SentWithFiles,
) -> Result<Response, Trouble> {
    let look = look(&visitor, &id).await?;
    if sheet.text(AGAIN).is_some() {
        return show(&web, &visitor, &look, &name, on.branch, Some(Back { sheet: &sheet, no: None }));
    }
    let (action_name, action) = action_of(&look, &name, on.branch)?;
    let kind = on.branch.and_then(|no| look.item.branch(no)).map(|branch| &*branch.kind);
    let by = decide::way(&look.rules, &look.item, action_name, action, on.branch, &visitor.person);
    let form =
        Form { rules: &look.rules, item: Some(&look.item), task: on.branch, kind, name: action_name, action, by, lang: visitor.lang() };
    let mut command = command(&visitor, &sheet, look.item.id.clone(), action_name.clone());
    command.branch = on.branch.map(BranchAddress::No);
    let unfit = attachments::take(&web, &visitor, &form, &mut sheet, files).await?;
    command.input = form.read(&sheet);
    command.seen_rev = sheet.text("rev").and_then(|rev| rev.parse().ok());
    if let Some(no) = unfit {
        return show(&web, &visitor, &look, &name, on.branch, Some(Back { sheet: &sheet, no: Some(&no) }));
    }
    let no = match carry_out(&web, &visitor, &sheet, command).await? {
        Ok(page) => return Ok(page),
        Err(no) => no,
    };
    // It may have moved since: the form is made of what is there now.
    let look = self::look(&visitor, &id).await?;
    show(&web, &visitor, &look, &name, on.branch, Some(Back { sheet: &sheet, no: Some(&no) }))
}

/// Does what a form asks for, on the day that it names, and goes on to the item; or tells why not.
async fn carry_out(web: &Web, visitor: &Visitor, sheet: &Sheet, mut command: Command) -> Result<Result<Response, Refusal>, Trouble> {
    if let Err(no) = day(sheet, &mut command) {
        return Ok(Err(no));
    }
    match visitor.app.act(&command).await {
        Ok(done) => {
            web.pulse.wake();
            Ok(Ok(Redirect::to(&format!("/items/{}?did={}", page::encoded(&done.item), done.rev)).into_response()))
        }
        Err(ActError::Refused(no)) => Ok(Err(*no)),
        Err(error) => Err(error.into()),
    }
}

/// What a form sent, as a command without its input.
pub fn command(visitor: &Visitor, sheet: &Sheet, item: Name, action: Name) -> Command {
    // As our forms carry it.
    let fits = |id: &&str| id.len() == 32 && id.chars().all(|c| c.is_ascii_hexdigit());
    Command {
        id: sheet.text("command").filter(fits).map_or_else(random_text, str::to_string).into(),
        item,
        branch: None,
        action,
        input: Default::default(),
        by: visitor.person.clone(),
        via: Some(VIA.into()),
        effective_on: None,
        seen_rev: None,
    }
}

/// The day on which it was done, where one is given.
fn day(sheet: &Sheet, command: &mut Command) -> Result<(), Refusal> {
    let Some(text) = sheet.text("on") else { return Ok(()) };
    match text.parse::<Date>() {
        // A day that a calendar can reach.
        Ok(day) if (1900..=2200).contains(&day.year()) => command.effective_on = Some(day),
        _ => {
            let values = vec![("date".to_string(), text.to_string()), ("why".to_string(), "unread".to_string())];
            return Err(Refusal { code: RefusalCode::BadDate, sentence: None, rule: None, values });
        }
    }
    Ok(())
}

/// What this person may begin.
pub async fn choices(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    let rules = visitor.app.rules();
    let mut rows = Vec::new();
    for (workflow, rules) in &rules.workflows {
        for (name, action, _) in decide::begins(rules, &visitor.person, visitor.today())? {
            let to = format!("/new/{}/{}", page::encoded(workflow), page::encoded(name));
            rows.push(json!({ "to": to, "title": action.title, "workflow": rules.setting.workflow.title }));
        }
    }
    visitor.page(&web, "new.html", &visitor.say("web.way.new", &[]), json!({ "rows": rows }))
}

/// What makes an item, if this person may begin it, and in which way.
fn begins(visitor: &Visitor, workflow: &str, action: &str) -> Result<(Arc<Rules>, Action, By), Trouble> {
    let rules = visitor.app.rules().workflows.get(workflow).cloned().ok_or_else(Trouble::not_found)?;
    if !rules.setting.workflow.actions.get(action).is_some_and(|action| action.creates) {
        return Err(Trouble::not_found());
    }
    let open = decide::begins(&rules, &visitor.person, visitor.today())?;
    let found = open.into_iter().find(|(name, ..)| ***name == *action).map(|(_, action, by)| (action.clone(), by.clone()));
    found.map(|(action, by)| (rules, action, by)).ok_or_else(|| Trouble::of(StatusCode::FORBIDDEN, "not_to_begin"))
}

/// The form of what makes an item.
pub async fn blank(
    State(web): State<Arc<Web>>,
    visitor: Visitor,
    Path((workflow, name)): Path<(String, String)>,
) -> Result<Response, Trouble> {
    let (rules, action, by) = begins(&visitor, &workflow, &name)?;
    show_blank(&web, &visitor, (&workflow, &name), (&rules, &action, &by), None)
}

fn show_blank(
    web: &Web,
    visitor: &Visitor,
    (workflow, name): (&str, &str),
    (rules, action, by): (&Rules, &Action, &By),
    back: Option<Back>,
) -> Result<Response, Trouble> {
    let form = Form { rules, item: None, task: None, kind: None, name: &action.records_as, action, by: Some(by), lang: visitor.lang() };
    let to = format!("/new/{}/{}", page::encoded(workflow), page::encoded(name));
    let about = json!({ "item": null, "number": null, "title": rules.setting.workflow.title, "branch": null, "news": [], "rev": null, "absent": null });
    fill(web, visitor, &form, Around { to: &to, closed: None, checks: &[], about, back })
}

/// Makes an item.
pub async fn create(
    State(web): State<Arc<Web>>,
    Path((workflow, name)): Path<(String, String)>,
    SentWithFiles(visitor, mut sheet, files): SentWithFiles,
) -> Result<Response, Trouble> {
    let (rules, action, by) = begins(&visitor, &workflow, &name)?;
    if sheet.text(AGAIN).is_some() {
        return show_blank(&web, &visitor, (&workflow, &name), (&rules, &action, &by), Some(Back { sheet: &sheet, no: None }));
    }
    let form = Form {
        rules: &rules,
        item: None,
        task: None,
        kind: None,
        name: &action.records_as,
        action: &action,
        by: Some(&by),
        lang: visitor.lang(),
    };
    let mut command = command(&visitor, &sheet, Name::default(), name.as_str().into());
    // The same form twice is the same item, and nobody chooses what it is called: numbers are the rules' to give.
    let digest = hex(&Sha256::digest(format!("{}\n{}", visitor.person, command.id)));
    command.item = format!("w{}", digest.get(..16).unwrap_or_default()).into();
    let unfit = attachments::take(&web, &visitor, &form, &mut sheet, files).await?;
    command.input = form.read(&sheet);
    if let Some(no) = unfit {
        return show_blank(&web, &visitor, (&workflow, &name), (&rules, &action, &by), Some(Back { sheet: &sheet, no: Some(&no) }));
    }
    let no = match carry_out(&web, &visitor, &sheet, command).await? {
        Ok(page) => return Ok(page),
        Err(no) => no,
    };
    show_blank(&web, &visitor, (&workflow, &name), (&rules, &action, &by), Some(Back { sheet: &sheet, no: Some(&no) }))
}
