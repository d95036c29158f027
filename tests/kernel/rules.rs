//! Expressions and functions: what they give, what is refused, and what the sandbox stops.

use duban::kernel::calendar::{Calendar, CalendarData};
use duban::kernel::model::Name;
use duban::kernel::model::definition::*;
use duban::kernel::model::directory::Directory;
use duban::kernel::model::fact::Actor;
use duban::kernel::model::item;
use duban::kernel::model::problem::{Place, Places, Problem};
use duban::kernel::model::value::{Fields, Type, Value};
use duban::kernel::rules::{Scripts, Setting, View};
use duban::kernel::time::Date;
use indexmap::IndexMap;
use std::sync::Arc;

fn choice(options: &[&str]) -> Type {
    Type::Choice(options.iter().map(|option| Name::from(*option)).collect())
}

fn field(kind: Type) -> Field {
    Field {
        title: String::new(),
        kind,
        required: false,
        option_titles: IndexMap::new(),
        default: None,
        unique: false,
        secret: false,
        is: None,
        visible_to: Vec::new(),
        sealed_until: None,
    }
}

fn state(kind: StateKind) -> State {
    State { title: String::new(), kind, owner: None, no_deadline_needed: true }
}

fn states(names: &[&str]) -> Section<State> {
    let last = names.len() - 1;
    let kind = |at| {
        if at == 0 {
            StateKind::Start
        } else if at == last {
            StateKind::End
        } else {
            StateKind::Active
        }
    };
    names.iter().enumerate().map(|(at, name)| (Name::from(*name), state(kind(at)))).collect()
}

fn section<T>(rows: impl IntoIterator<Item = (&'static str, T)>) -> Section<T> {
    rows.into_iter().map(|(name, row)| (Name::from(name), row)).collect()
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// A small procedure with one kind of branch.
fn workflow() -> Workflow {
    Workflow {
        name: "suggestion".into(),
        title: "建议".to_string(),
        version: 1,
        languages: vec!["zh-CN".to_string()],
        timezone: chrono_tz::Asia::Shanghai,
        calendar: "cn".into(),
        month_overflow: MonthOverflow::LastDay,
        day_off: DayOff::NextWorkingDay,
        send_window: SendWindow { working_days_only: true, opens: 540, closes: 1020 },
        letter: IndexMap::new(),
        roles: Section::new(),
        fields: section([
            ("number", Field { required: true, ..field(Type::Text) }),
            ("class", field(choice(&["A", "B", "C"]))),
            ("replies", Field { default: Some(Value::Number(0)), ..field(Type::Number) }),
            ("类别", field(choice(&["甲", "乙"]))),
            ("host_unit", field(Type::Unit)),
            ("promised_on", field(Type::Date)),
            ("co_units", field(Type::List(Box::new(Type::Unit)))),
        ]),
        states: states(&["draft", "handling", "closed"]),
        actions: Section::new(),
        branches: section([(
            "assignment",
            Branch {
                title: String::new(),
                one_per: Some(OnePer::Unit),
                at_most: None,
                fields: section([("class", field(choice(&["A", "B", "C"]))), ("points", field(Type::Number))]),
                states: states(&["open", "done"]),
                actions: Section::new(),
                views: Section::new(),
                cancelled_state: None,
                when_item_ends: WhenItemEnds::Cancel,
                visible_to: Vec::new(),
                sealed_until: None,
            },
        )]),
        deadlines: Section::new(),
        requests: Section::new(),
        tables: Section::new(),
        params: Section::new(),
        functions: Section::new(),
        notices: Section::new(),
        sweeps: Section::new(),
        always: Vec::new(),
        reports: Section::new(),
        imports: Section::new(),
        changes: Vec::new(),
        expressions: Vec::new(),
    }
}

fn item() -> item::Item {
    let today = day("2024-09-30");
    let branch = |no: u32, state: &str, fields: &[(&str, Value)]| item::Branch {
        no,
        kind: "assignment".into(),
        state: state.into(),
        since: today,
        ended: state == "done",
        cancelled: false,
        fields: fields.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect(),
        opened_on: today,
        opened_seq: 1,
    };
    item::Item {
        id: "2024-001".into(),
        workflow: "suggestion".into(),
        rev: 1,
        today,
        state: "handling".into(),
        since: today,
        ended: false,
        fields: [
            ("number", Value::text("2024-001")),
            ("class", Value::text("B")),
            ("replies", Value::Number(1)),
            ("类别", Value::text("甲")),
            ("co_units", Value::List(vec![Value::text("u1"), Value::text("u2")])),
        ]
        .into_iter()
        .map(|(name, value)| (Name::from(name), value))
        .collect(),
        branches: vec![
            Arc::new(branch(1, "open", &[("unit", Value::text("u1")), ("class", Value::text("B")), ("points", Value::Number(3))])),
            Arc::new(branch(2, "done", &[("unit", Value::text("u2")), ("class", Value::text("A")), ("points", Value::Number(4))])),
        ],
        clocks: Vec::new(),
        requests: Vec::new(),
        flag: None,
        created_on: today,
        last_effective_on: today,
        done: Arc::new(Vec::new()),
    }
}

/// Adds an expression and gives the workflow with it.
fn with_expression(mut workflow: Workflow, source: &str, wants: Wants) -> (Workflow, Expr) {
    let scope = Scope { branch: Some("assignment".into()), ..Scope::default() };
    let expr = Expr { id: workflow.expressions.len() as u32, source: source.into(), path: "always[0].if".into(), scope, wants };
    workflow.expressions.push(expr.clone());
    (workflow, expr)
}

fn compile(workflow: &Workflow) -> (Option<Scripts>, Vec<Problem>) {
    let mut places = Places::default();
    places.insert("always[0].if".to_string(), Place { file: "w.yaml".into(), line: 7, column: 9, length: 1 });
    Scripts::compile(workflow, &IndexMap::new(), &places, &Directory::default())
}

fn eval(source: &str) -> Value {
    let (workflow, expr) = with_expression(workflow(), source, Wants::Condition);
    let (scripts, problems) = compile(&workflow);
    assert_eq!(problems, [], "{source}");
    let setting = Setting { workflow, calendar: Calendar::new(CalendarData::default()), directory: Arc::new(Directory::default()) };
    let view = View {
        setting: Arc::new(setting),
        item: Arc::new(item()),
        task: Some(1),
        input: Arc::new(Fields::new()),
        each: Value::Empty,
        actor: Arc::new(Actor::default()),
        today: day("2024-09-30"),
    };
    scripts.unwrap().eval(&expr, &view).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn expressions_read_the_views() {
    for (source, expected) in [
        (r#"item.class == "B""#, true),
        (r#"not (item.class == "B")"#, false),
        (r#"件.类别 == "甲""#, true),
        ("item.replies < 2 && !branches.assignment.all_ended", true),
        (r#"branches.assignment.all_in_state(["open", "done"])"#, true),
        (r#"branches.assignment.worst("class") == "B""#, true),
        (r#"branches.assignment.sum("points") == 7"#, true),
        (r#"分支.assignment.count_open == 1"#, true),
        (r#"item.state in ["draft", "handling"]"#, true),
        (r#"item.state !in ["draft", "handling"]"#, false),
        ("item.co_units.len == 2", true),
        ("task.unit in item.co_units", true),
        ("is_set(item.promised_on)", false),
        ("(item.promised_on ?? today) == today", true),
        ("days_between(date(\"2024-09-01\"), today) == 29", true),
        ("if item.replies > 0 { true } else { false }", true),
        (r#"switch item.class { "A" => false, "B" => true, _ => false }"#, true),
    ] {
        assert_eq!(eval(source), Value::Bool(expected), "{source}");
    }
}
