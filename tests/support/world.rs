//! A small office at work: a database in a temporary folder, the rules of `tests/fixtures/office`, and a clock set by hand.

use duban::app::{App, Offices, OpenError};
use duban::clock::Clock;
use duban::kernel::check;
use duban::kernel::model::command::Command;
use duban::kernel::model::problem::Problem;
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::store::{Opening, Place, Store};
use std::path::Path;
use std::sync::{Arc, LazyLock};

pub struct World {
    pub app: Arc<App>,
    pub folder: tempfile::TempDir,
}

static OFFICE: LazyLock<Arc<RuleSet>> = LazyLock::new(|| Arc::new(rules(|_, text| text)));

/// The office's rules, each file as `edit` leaves it.
pub fn rules(edit: impl Fn(&str, String) -> String) -> RuleSet {
    try_rules(edit).unwrap_or_else(|problems| panic!("the office's rules: {problems:#?}"))
}

/// The same, of an edit that may be wrong.
pub fn try_rules(edit: impl Fn(&str, String) -> String) -> Result<RuleSet, Vec<Problem>> {
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
    let mut files = super::rule_set::files_of(fixtures);
    let calendar = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/calendars/cn.yaml");
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(calendar).unwrap());
    let files = files.into_iter().map(|(path, text)| (path.clone(), edit(&path, text))).collect();
    let (rules, problems) = check::load(&files);
    rules.ok_or(problems)
}

impl World {
    /// An office that opens for the first time at a moment.
    pub async fn open(now: &str) -> World {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path(), now).await;
        World { app, folder }
    }

    /// Closes the office and opens it again at a later moment.
    pub async fn reopen(self, now: &str) -> World {
        self.app.store.clone().close().await;
        let World { app, folder } = self;
        drop(app);
        let app = self::app(folder.path(), now).await;
        World { app, folder }
    }

    pub fn now_is(&self, now: &str) {
        self.app.clock.set(moment(now));
    }

    /// Ann hands in a request.
    pub async fn submit(&self, item: &str) {
        self.app.act(&submit(item)).await.unwrap_or_else(|error| panic!("submitting {item}: {error:?}"));
    }
}

/// The office in a folder.
pub async fn app(folder: &Path, now: &str) -> Arc<App> {
    let now = moment(now);
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = Store::open(&folder.join("duban.db"), opening, now).await.unwrap();
    Arc::new(App::open(store, OFFICE.clone(), Clock::set_to(now)).await.unwrap())
}

/// The scheduler's view of an office that is open.
pub fn all(app: &Arc<App>) -> Arc<Offices> {
    Arc::new(Offices::with(app.clone()))
}

/// One of several processes at work on one database, under rules of its own or the office's.
pub async fn app_on(place: Place, now: &str, rules: Option<RuleSet>) -> Arc<App> {
    let rules = rules.map_or_else(|| OFFICE.clone(), Arc::new);
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = Store::open(place, opening, moment(now)).await.unwrap();
    Arc::new(App::open(store, rules, Clock::set_to(moment(now))).await.unwrap())
}

/// The office on any ground.
pub async fn app_over(ground: &super::ground::Ground, now: &str) -> Arc<App> {
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, moment(now)).await.unwrap();
    Arc::new(App::open(store, OFFICE.clone(), Clock::set_to(moment(now))).await.unwrap())
}

/// The office in a folder, under rules of its own.
pub async fn app_under(folder: &Path, now: &str, rules: RuleSet) -> Result<Arc<App>, OpenError> {
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = Store::open(&folder.join("duban.db"), opening, moment(now)).await.unwrap();
    App::open(store, Arc::new(rules), Clock::set_to(moment(now))).await.map(Arc::new)
}

/// `2026-03-02 09:00` by the office's clocks.
pub fn moment(text: &str) -> Instant {
    format!("{}:00+08:00", text.replace(' ', "T")).parse().unwrap()
}

pub fn submit(item: &str) -> Command {
    command(item, "submit", "ann", [("title", Value::text(&format!("Request {item}")))])
}

/// What a person does; its id is made of all that.
pub fn command<const N: usize>(item: &str, action: &str, by: &str, input: [(&str, Value); N]) -> Command {
    let input: Fields = input.into_iter().map(|(name, value)| (name.into(), value)).collect();
    Command {
        id: format!("{item} {action} {by}").into(),
        item: item.into(),
        branch: None,
        action: action.into(),
        input,
        by: by.into(),
        via: None,
        effective_on: None,
        seen_rev: None,
    }
}
