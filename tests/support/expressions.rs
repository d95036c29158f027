//! Expressions in the world of `fixtures/good/views`: compiled there, and evaluated on items made by hand.

use super::rule_set::files_of;
use duban::kernel::check;
use duban::kernel::model::Name;
use duban::kernel::model::definition::{Expr, Scope, Wants, Workflow};
use duban::kernel::model::fact::Actor;
use duban::kernel::model::item::{Branch, Clock, Due, Item};
use duban::kernel::model::problem::{Place, Places, Problem};
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::{Compilation, Rules, Scripts, Setting, View};
use duban::kernel::time::Date;
use indexmap::IndexMap;
use std::path::Path;
use std::sync::{Arc, LazyLock};

pub struct World {
    pub rules: Arc<Rules>,
    pub functions: IndexMap<String, String>,
}

pub static VIEWS: LazyLock<World> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/good/views"));
    let calendar = std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap();
    files.insert("../calendars/cn.yaml".to_string(), calendar);
    let (set, problems) = check::load(&files);
    let set = set.unwrap_or_else(|| panic!("{problems:#?}"));
    let functions = files.into_iter().filter(|(file, _)| file.ends_with(".rhai")).collect();
    World { rules: set.workflows["views"].clone(), functions }
});

/// Scripts with further expressions, which stand at line 1, 2 … of a file from column 1 on.
pub struct Compiled {
    pub scripts: Option<Scripts>,
    pub problems: Vec<Problem>,
    pub expressions: Vec<Expr>,
    pub setting: Arc<Setting>,
}

/// Inside the action `reply` of the item.
pub fn in_reply() -> Scope {
    Scope { action: Some("reply".into()), ..Scope::default() }
}

/// Inside the action `finish` of an assignment.
pub fn in_assignment() -> Scope {
    Scope { branch: Some("assignment".into()), action: Some("finish".into()), ..Scope::default() }
}

pub fn compile<S: AsRef<str>>(sources: &[S], scope: &Scope) -> Compiled {
    compile_in(VIEWS.rules.setting.workflow.clone(), &VIEWS.functions, sources, scope)
}

pub fn compile_in<S: AsRef<str>>(mut workflow: Workflow, functions: &IndexMap<String, String>, sources: &[S], scope: &Scope) -> Compiled {
    let mut places = Places::default();
    let mut expressions = Vec::new();
    for (row, source) in sources.iter().enumerate() {
        let path = format!("test[{row}]");
        places.insert(path.clone(), Place { file: "test.yaml".into(), line: row as u32 + 1, column: 1, length: 1 });
        let id = workflow.expressions.len() as u32;
        let expr = Expr { id, source: source.as_ref().into(), path: path.into(), scope: scope.clone(), wants: Wants::Condition };
        workflow.expressions.push(expr.clone());
        expressions.push(expr);
    }
    let setting = &VIEWS.rules.setting;
    let Compilation { scripts, problems, .. } = Scripts::compile(&workflow, functions, &places, &setting.directory);
    let setting = Setting { workflow, calendar: setting.calendar.clone(), directory: setting.directory.clone() };
    Compiled { scripts, problems, expressions, setting: Arc::new(setting) }
}

pub fn day(text: &str) -> Date {
    text.parse().unwrap()
}

pub fn fields<'a>(rows: impl IntoIterator<Item = (&'a str, Value)>) -> Fields {
    rows.into_iter().map(|(name, value)| (Name::from(name), value)).collect()
}

/// An item without branches and clocks.
pub fn item(state: &str, today: Date, fields: Fields) -> Item {
    Item {
        id: "2024-001".into(),
        workflow: "views".into(),
        rev: 1,
        today,
        state: state.into(),
        since: today,
        ended: state == "closed",
        fields,
        branches: Vec::new(),
        clocks: Vec::new(),
        requests: Vec::new(),
        flag: None,
        created_on: today,
        last_effective_on: today,
        done: Arc::default(),
        errands: Vec::new(),
        arrived: Vec::new(),
    }
}

pub fn branch(no: u32, kind: &str, state: &str, today: Date, fields: Fields) -> Arc<Branch> {
    let cancelled = state == "cancelled";
    let ended = cancelled || state == "done" || state == "cast";
    let (kind, state) = (kind.into(), state.into());
    Arc::new(Branch { no, kind, state, since: today, ended, cancelled, fields, opened_on: today, opened_seq: 1 })
}

/// A running deadline.
pub fn clock(deadline: &str, branch: Option<u32>, due: Option<Date>) -> Clock {
    let started = day("2024-01-02");
    Clock {
        deadline: deadline.into(),
        branch,
        cycle: 1,
        run: 1,
        anchor: started,
        started_seq: 1,
        started_by: "start".into(),
        started_on: started,
        started_at: started.and_time(chrono::NaiveTime::MIN).and_utc(),
        rule: None,
        kept: None,
        extensions: Vec::new(),
        pauses: Vec::new(),
        fired: Vec::new(),
        next_at: None,
        end: None,
        times_extended: 0,
        paused: false,
        quiet: false,
        due: due.map(|date| Arc::new(Due { date, provisional: false, steps: Vec::new() })),
        flag: None,
    }
}

/// What `p1` sees on a day, on the branch of a number.
pub fn view(setting: &Arc<Setting>, item: Item, task: Option<u32>, input: Fields) -> View {
    let today = item.today;
    let actor = Actor { person: Some("p1".into()), role: Some("clerk".into()), ..Actor::default() };
    View { setting: setting.clone(), item: Arc::new(item), task, input: Arc::new(input), each: Value::Empty, actor: Arc::new(actor), today }
}
