//! One file of the rules: looked at, checked as it is typed, and saved, unless somebody else has changed it meanwhile.

use super::editor::phrases;
use super::{below, bench, file_page, told};
use crate::app::random_text;
use crate::app::workshop::{Checked, Saved, WorkshopNo};
use crate::files::working_copy::{EditError, Standing, is_rule_file};
use crate::kernel::access::Room;
use crate::web::Web;
use crate::web::assets;
use crate::web::page;
use crate::web::session::{Sent, Sheet, Visitor};
use crate::web::trouble::Trouble;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Lines that are the same, round those that are not.
const ROUND: usize = 3;

/// What the page of a file shows beside its text.
#[derive(Default)]
struct Shown<'a> {
    path: &'a str,
    text: &'a str,
    /// The digest of the file that the person began from; none where there was no file.
    known: Option<&'a str>,
    /// Somebody else's text, in whose place this would be put.
    conflict: Option<Conflict<'a>>,
    /// A sentence about what was done, or not.
    says: Option<String>,
    bad: bool,
    /// It is not on the disk as it stands here.
    unsaved: bool,
}

enum Conflict<'a> {
    Theirs(&'a str),
    Gone,
}

pub async fn show(State(web): State<Arc<Web>>, visitor: Visitor, Path(path): Path<String>, uri: Uri) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let standing = bench(&web, &visitor).file(&path).await?.ok_or_else(Trouble::not_found)?;
    let says = page::query(&uri, "did").map(|_| visitor.say("web.rules.saved", &[]));
    let shown = Shown { path: &path, text: &standing.text, known: Some(&standing.digest), says, ..Shown::default() };
    fill(&web, &visitor, shown, StatusCode::OK).await
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct NewQuery {
    path: String,
}

/// A file that is not there yet; one that is, is shown.
pub async fn blank(State(web): State<Arc<Web>>, visitor: Visitor, Query(asked): Query<NewQuery>) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let path = asked.path.trim();
    if bench(&web, &visitor).file(path).await?.is_some() {
        return Ok(Redirect::to(&file_page(path)).into_response());
    }
    let says = Some(visitor.say("web.rules.is_new", &[]));
    fill(&web, &visitor, Shown { path, says, unsaved: true, ..Shown::default() }, StatusCode::OK).await
}

/// The text as it was typed for a file: browsers send the ends of lines as on Windows.
pub(super) fn typed(path: &str, sheet: &Sheet) -> Result<String, Trouble> {
    if !is_rule_file(path) {
        return Err(WorkshopNo::from(EditError::Name(path.to_string())).into());
    }
    let text = sheet.iter().find(|(key, _)| *key == "text").map(|(_, text)| text.replace("\r\n", "\n"));
    text.ok_or_else(|| Trouble::of(StatusCode::BAD_REQUEST, "no_form"))
}

/// Checks what was typed, or saves it.
pub async fn change(State(web): State<Arc<Web>>, Path(path): Path<String>, Sent(visitor, sheet): Sent) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let bench = bench(&web, &visitor);
    let text = typed(&path, &sheet)?;
    let known = sheet.text("known");
    let draft = Shown { path: &path, text: &text, known, unsaved: true, ..Shown::default() };
    match sheet.text("do") {
        Some("check") => {
            let says = Some(visitor.say("web.rules.checked", &[]));
            fill(&web, &visitor, Shown { says, ..draft }, StatusCode::OK).await
        }
        Some("save") => match bench.save(&visitor.app, &visitor.person, &path, known, &text).await {
            Ok(Saved::Done) => Ok(Redirect::to(&format!("{}?did=1", file_page(&path))).into_response()),
            Ok(Saved::Conflict(standing)) => collided(&web, &visitor, draft, standing.as_ref()).await,
            // Whatever keeps it from being written, what was typed is not lost.
            Err(no) => {
                let no = Trouble::from(no);
                let shown = Shown { says: Some(no.sentence(visitor.lang())), bad: true, ..draft };
                fill(&web, &visitor, shown, no.status()).await
            }
        },
        _ => Err(Trouble::of(StatusCode::BAD_REQUEST, "no_form")),
    }
}

/// Somebody else was there first: both versions, and the person decides.
async fn collided(web: &Web, visitor: &Visitor, draft: Shown<'_>, standing: Option<&Standing>) -> Result<Response, Trouble> {
    let shown = Shown {
        known: standing.map(|standing| standing.digest.as_str()),
        conflict: Some(standing.map_or(Conflict::Gone, |standing| Conflict::Theirs(&standing.text))),
        ..draft
    };
    fill(web, visitor, shown, StatusCode::CONFLICT).await
}

async fn fill(web: &Web, visitor: &Visitor, mut shown: Shown<'_>, mut status: StatusCode) -> Result<Response, Trouble> {
    let bench = bench(web, visitor);
    let checked = match bench.check(visitor.today(), shown.unsaved.then_some((shown.path, shown.text))).await {
        Ok(checked) => checked,
        // Nor when it cannot even be checked.
        Err(no) if shown.unsaved => {
            let no = Trouble::from(no);
            (shown.says, shown.bad) = (Some(no.sentence(visitor.lang())), true);
            status = no.status();
            Checked::default()
        }
        Err(no) => return Err(no.into()),
    };
    let marked: HashMap<u32, &str> = checked
        .problems
        .iter()
        .rev()
        .filter(|problem| *problem.place.file == *shown.path)
        .map(|problem| (problem.place.line, if problem.is_error() { "fault" } else { "warning" }))
        .collect();
    let lines = shown.text.lines().zip(1_u32..).map(|(text, no)| json!({ "no": no, "text": text, "mark": marked.get(&no) }));
    let conflict = shown.conflict.as_ref().map(|conflict| match conflict {
        Conflict::Gone => json!({ "gone": true }),
        Conflict::Theirs(theirs) => {
            let (theirs, mine) = apart(theirs, shown.text);
            json!({ "gone": false, "theirs": theirs, "mine": mine })
        }
    });
    let nonce = random_text();
    let editor = json!({
        "script": assets::editor(), "nonce": nonce, "check": below("check", shown.path), "schema": below("schema", shown.path),
        "words": phrases(visitor.lang()).to_string(),
    });
    let page = json!({
        "editor": editor, "tab": "files", "path": shown.path, "to": file_page(shown.path), "text": shown.text, "known": shown.known, "says": shown.says, "bad": shown.bad,
        "conflict": conflict, "lines": lines.collect::<Vec<_>>(), "problems": told(visitor, &checked.problems, Some(shown.path)),
        "unsaved": shown.unsaved, "writable": bench.is_writable(), "form": visitor.form,
    });
    let title = format!("{} · {}", shown.path, visitor.say("web.way.rules", &[]));
    let mut response = visitor.page(web, "rules_file.html", &title, page)?;
    *response.status_mut() = status;
    page::let_styles(&mut response, &nonce);
    Ok(response)
}

/// Two texts without what they begin and end with alike; lines that only one of them has are marked.
fn apart(theirs: &str, mine: &str) -> (Vec<Json>, Vec<Json>) {
    let (theirs, mine): (Vec<&str>, Vec<&str>) = (theirs.lines().collect(), mine.lines().collect());
    let head = theirs.iter().zip(&mine).take_while(|(one, other)| one == other).count();
    let rest = theirs.len().min(mine.len()) - head;
    let tail = theirs.iter().rev().zip(mine.iter().rev()).take(rest).take_while(|(one, other)| one == other).count();
    let from = head.saturating_sub(ROUND);
    let part = |lines: &[&str], others: &[&str]| -> Vec<Json> {
        let known: HashSet<&&str> = others.iter().collect();
        let until = (lines.len() - tail + ROUND).min(lines.len());
        let row = |(no, line): (usize, &&str)| json!({ "no": no + 1, "text": line, "mark": (!known.contains(line)).then_some("warning") });
        lines.iter().enumerate().take(until).skip(from).map(row).collect()
    };
    (part(&theirs, &mine), part(&mine, &theirs))
}
