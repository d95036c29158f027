//! The rule workshop: the files of the rules edited and checked, tried out on stories and on today's items, and put into use through a plan.
//!
//! `file` is one file, `editor` what its page asks while somebody types, `plan` what would come of putting rules into use and what was in use before, `trial` what shows what rules do.

pub mod editor;
pub mod file;
pub mod plan;
pub mod trial;

use super::Web;
use super::page::encoded;
use super::session::Visitor;
use super::trouble::Trouble;
use crate::app::workshop::{Source, Workshop, WorkshopNo};
use crate::files::working_copy::{EditError, is_rule_file};
use crate::kernel::access::Room;
use crate::kernel::model::problem::Problem;
use crate::kernel::words::problem::{count, sentence};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

/// Problems on a page; whoever mends these sees the others next.
const MOST: usize = 100;
/// Of a rule set's hash, as people see it.
const SHORT: usize = 12;

/// The workshop for a visitor: the folder of this server is that of one office, and no other one's.
fn bench<'w>(web: &'w Web, visitor: &Visitor) -> &'w Workshop {
    static ELSEWHERE: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(None));
    if visitor.app.store.jurisdiction() == web.jurisdiction { &web.workshop } else { &ELSEWHERE }
}

impl From<WorkshopNo> for Trouble {
    fn from(no: WorkshopNo) -> Trouble {
        match no {
            WorkshopNo::Store(error) => error.into(),
            WorkshopNo::NoFolder => Trouble::of(StatusCode::CONFLICT, "rules_no_folder"),
            WorkshopNo::Broken(count) => Trouble::of(StatusCode::CONFLICT, "rules_broken").with("count", count),
            WorkshopNo::Unknown => Trouble::of(StatusCode::NOT_FOUND, "rules_unknown"),
            WorkshopNo::NoPlan => Trouble::of(StatusCode::NOT_FOUND, "rules_no_plan"),
            WorkshopNo::Busy => Trouble::of(StatusCode::SERVICE_UNAVAILABLE, "rules_busy"),
            WorkshopNo::Late => Trouble::of(StatusCode::SERVICE_UNAVAILABLE, "rules_late"),
            WorkshopNo::Edit(EditError::Name(path)) => Trouble::of(StatusCode::BAD_REQUEST, "rules_name").with("path", path),
            WorkshopNo::Edit(EditError::Link(path)) => Trouble::of(StatusCode::FORBIDDEN, "rules_link").with("path", path),
            WorkshopNo::Edit(EditError::NotText(path)) => Trouble::of(StatusCode::CONFLICT, "rules_no_text").with("path", path),
            WorkshopNo::Edit(EditError::Large { path, bytes }) => {
                Trouble::of(StatusCode::PAYLOAD_TOO_LARGE, "rules_large").with("path", path).with("bytes", bytes)
            }
            WorkshopNo::Edit(EditError::ReadOnly { path, source }) => {
                Trouble::of(StatusCode::CONFLICT, "rules_read_only").with("path", path).with("what", source)
            }
            error @ (WorkshopNo::Edit(EditError::Io { .. }) | WorkshopNo::Files(_)) => {
                tracing::error!(%error, "the folder of the rules cannot be used");
                let what = std::error::Error::source(&error).map_or_else(|| error.to_string(), |source| format!("{error}: {source}"));
                Trouble::of(StatusCode::CONFLICT, "rules_folder_fails").with("what", what)
            }
            WorkshopNo::NotPublished(no) => Trouble::of(StatusCode::CONFLICT, "rules_not_published").with("what", no.why),
        }
    }
}

/// Which rules are meant: those in use, unless the folder's are asked for.
fn source(of: &str) -> Source {
    match of {
        "folder" => Source::Folder,
        "" | "use" => Source::InUse,
        hash => Source::Stored(hash.to_string()),
    }
}

/// The page of a file of the folder.
fn file_page(path: &str) -> String {
    below("files", path)
}

/// Where something about a file of the folder is.
fn below(what: &str, path: &str) -> String {
    format!("/rules/{what}/{}", path.split('/').map(encoded).collect::<Vec<_>>().join("/"))
}

/// Problems for a page, those of `here` first, each with the way to its line.
fn told(visitor: &Visitor, problems: &[Problem], here: Option<&str>) -> Json {
    let is_here = |problem: &&Problem| here == Some(&*problem.place.file);
    let in_order = problems.iter().filter(is_here).chain(problems.iter().filter(|problem| !is_here(problem)));
    let rows = in_order.take(MOST).map(|problem| {
        let place = &problem.place;
        let page = if here == Some(&*place.file) { String::new() } else { file_page(&place.file) };
        let level = match problem.code.as_bytes().first() {
            Some(b'E') => "fault",
            Some(b'W') => "warning",
            _ => "good",
        };
        json!({
            "code": problem.code, "level": level, "file": &*place.file, "line": place.line, "column": place.column,
            "length": place.length, "near": near(problem),
            "to": is_rule_file(&place.file).then(|| format!("{page}#L{}", place.line)),
            "says": sentence(visitor.lang(), problem, "").unwrap_or_else(|| problem.code.to_string()),
            "help": sentence(visitor.lang(), problem, ".help"),
        })
    });
    json!({
        "rows": rows.collect::<Vec<_>>(), "more": problems.len().saturating_sub(MOST), "count": count(visitor.lang(), problems),
        "errors": problems.iter().filter(|problem| problem.is_error()).count(),
    })
}

/// What was written, and the name that was probably meant.
fn near(problem: &Problem) -> Option<Json> {
    let value = |name: &str| problem.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value);
    let (right, wrong) = (value("near")?, value("name").or_else(|| value("key"))?);
    Some(json!({ "wrong": wrong, "right": right }))
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}

/// The files, whether they are what is in use, and what waits for a second person.
pub async fn list(State(web): State<Arc<Web>>, visitor: Visitor) -> Result<Response, Trouble> {
    visitor.enter(Room::Rules).await?;
    let (bench, in_use) = (bench(&web, &visitor), visitor.app.rules());
    let folder = match bench.check(visitor.today(), None).await {
        Err(WorkshopNo::NoFolder) => None,
        other => Some(other?),
    };
    let folder = folder.map(|folder| {
        let same = folder.rules.as_ref().is_some_and(|rules| rules.hash == in_use.hash);
        let changed = |path: &String| in_use.files.get(path) != folder.files.get(path);
        let known = folder.rules.as_ref().map_or(&in_use, |rules| rules);
        let all: BTreeSet<&String> = folder.files.keys().chain(in_use.files.keys()).collect();
        let files = all.into_iter().map(|path| {
            // Stories are no part of what is in use.
            let is_rule = known.files.contains_key(path) || in_use.files.contains_key(path);
            let state = match (folder.files.contains_key(path), in_use.files.contains_key(path)) {
                (false, _) => "gone",
                (true, false) if is_rule => "new",
                (true, true) if changed(path) => "changed",
                _ => "same",
            };
            let place = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let faults = folder.problems.iter().filter(|problem| problem.is_error() && *problem.place.file == **path).count();
            json!({
                "path": path, "place": place, "state": state, "faults": faults,
                "to": (state != "gone" && is_rule_file(path)).then(|| file_page(path)),
            })
        });
        json!({
            "files": files.collect::<Vec<_>>(), "same": same, "hash": folder.rules.as_ref().map(|rules| short(&rules.hash).to_string()),
            "problems": told(&visitor, &folder.problems, None), "writable": bench.is_writable(),
            "path": bench.folder().map(|path| path.display().to_string()).unwrap_or_default(),
        })
    });
    let page = json!({
        "tab": "files", "folder": folder, "proposals": plan::waiting(&visitor).await?, "form": visitor.form,
        "in_use": in_use.workflows.values().map(|rules| json!({ "title": rules.setting.workflow.title, "version": rules.setting.workflow.version })).collect::<Vec<_>>(),
        "hash": short(&in_use.hash),
    });
    visitor.page(&web, "rules.html", &visitor.say("web.way.rules", &[]), page)
}
