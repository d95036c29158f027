//! Our side: people ask back about requests, through the same path as a live office.

use super::{Error, ITEMS, Run, cpu_seconds, crowd};
use duban::app::App;
use duban::clock::Clock;
use duban::kernel::check;
use duban::kernel::model::command::Command;
use duban::kernel::model::value::{Fields, Value};
use duban::store::{Opening, Store};
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;

/// Items that one caller works on in turn.
pub const ITEMS_PER_CALLER: usize = 20;

/// A file with all items handed in.
pub async fn prepare(file: &Path) -> Result<(), Error> {
    let app = open(file).await?;
    for first in (0..ITEMS).step_by(500) {
        let commands: Vec<Command> =
            (first..first + 500).map(|item| command(item, 0, "submit", "ann", "title", &format!("Request {item}"))).collect();
        for answer in app.act_all(&commands).await {
            answer?;
        }
    }
    app.store.clone().close().await;
    Ok(())
}

pub async fn run(file: &Path, callers: usize, actions: usize) -> Result<Run, Error> {
    let app = Arc::new(open(file).await?);
    let before = (app.store.counts().commits, cpu_seconds());
    let acting = app.clone();
    let (waits, seconds) = crowd(callers, actions, move |caller, n| {
        let app = acting.clone();
        async move {
            let item = caller * ITEMS_PER_CALLER + n % ITEMS_PER_CALLER;
            app.act(&command(item, n, "ask_back", "carl", "question", "Which road is meant, and since when?")).await?;
            Ok(())
        }
    })
    .await?;
    let (commits, cpu_seconds) = (app.store.counts().commits - before.0, cpu_seconds() - before.1);
    app.store.clone().close().await;
    Ok(Run { actions: waits.len(), seconds, cpu_seconds, commits, waits, rows: super::bare::count(file).await? })
}

async fn open(file: &Path) -> Result<App, Error> {
    let office = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
    let mut files = IndexMap::new();
    for name in ["request.yaml", "directory.yaml"] {
        files.insert(name.to_string(), std::fs::read_to_string(office.join(name))?);
    }
    for entry in std::fs::read_dir(office.join("templates"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        files.insert(format!("templates/{name}"), std::fs::read_to_string(&path)?);
    }
    let calendar = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/calendars/cn.yaml");
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(calendar)?);
    let (rules, problems) = check::load(&files);
    let rules = rules.ok_or_else(|| format!("the office's rules: {problems:?}"))?;
    let now = "2026-03-02T02:00:00Z".parse()?;
    let store = Store::open(file, Opening { new_instance: "bench".into(), page_limit: None, throwaway: false }, now).await?;
    Ok(App::open(store, Arc::new(rules), Clock::set_to(now)).await?)
}

fn command(item: usize, n: usize, action: &str, by: &str, input: &str, value: &str) -> Command {
    Command {
        id: format!("{item}/{n}/{action}").into(),
        item: format!("r{item}").into(),
        branch: None,
        action: action.into(),
        input: Fields::from([(input.into(), Value::text(value))]),
        by: by.into(),
        via: None,
        effective_on: None,
        seen_rev: None,
    }
}
