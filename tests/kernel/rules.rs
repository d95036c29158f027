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
use duban::kernel::time::{Date, Length, Unit};
use duban::kernel::words::{Lang, has, say};
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

fn ask(name: &str, kind: Type, required: bool) -> Ask {
    Ask { name: name.into(), title: String::new(), kind, required, records: None }
}

fn action(ask: Vec<Ask>) -> Action {
    Action {
        title: String::new(),
        records_as: "done".into(),
        by: Vec::new(),
        not_by: None,
        creates: false,
        from: Vec::new(),
        to: None,
        choose: Vec::new(),
        ask,
        require: Vec::new(),
        effects: Effects::default(),
        sequence: Vec::new(),
        request: None,
    }
}

fn deadline(branch: Option<&str>, counts_as: Option<&str>) -> Deadline {
    Deadline {
        title: String::new(),
        branch: branch.map(Name::from),
        starts_on: Vec::new(),
        ends_on: Vec::new(),
        runs_in: Vec::new(),
        anchor: None,
        length: LengthRule::Fixed(Length::new(1, Unit::Month)),
        when: None,
        pauses_in: Vec::new(),
        quiet_in: Vec::new(),
        pauses_move_cap: false,
        extended_by: Vec::new(),
        extended_to: Vec::new(),
        no_later_than: None,
        day_off: None,
        by_hour: None,
        ladder: Vec::new(),
        closes: Vec::new(),
        counts_as: counts_as.map(Name::from),
        of_request: false,
    }
}

fn param(kind: Type, value: Value) -> Param {
    Param { kind, values: vec![ParamValue { from: day("2005-01-01"), value, source: None }] }
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
        actions: section([
            (
                "reply",
                action(vec![
                    ask("promised_on", Type::Date, true),
                    ask("class", choice(&["A", "B", "C"]), true),
                    ask("all_agree", Type::YesNo, false),
                    ask("promises", Type::List(Box::new(Type::Record("assignment".into()))), false),
                ]),
            ),
            ("accept", action(Vec::new())),
        ]),
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
        deadlines: section([("reply", deadline(None, Some("statutory"))), ("opinion", deadline(Some("assignment"), None))]),
        requests: Section::new(),
        tables: Section::new(),
        params: section([
            ("max_replies", param(Type::Number, Value::Number(2))),
            ("term", param(Type::Duration, Value::Length(Length::new(3, Unit::Month)))),
        ]),
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

/// Code, variant, column and length of every problem of an expression inside an action of the item.
fn problems(source: &str) -> Vec<(&'static str, &'static str, u32, u32)> {
    let scope = Scope { action: Some("reply".into()), ..Scope::default() };
    let (mut workflow, mut expr) = (workflow(), with_expression(workflow(), source, Wants::Condition).1);
    expr.scope = scope;
    workflow.expressions.push(expr);
    let found = compile(&workflow).1;
    found.iter().for_each(has_words);
    found.iter().map(|problem| (problem.code, problem.variant.unwrap_or(""), problem.place.column - 8, problem.place.length)).collect()
}

/// Every mistake has a sentence and a help in both languages, with a value for every name in them.
fn has_words(problem: &Problem) {
    for lang in [Lang::Zh, Lang::En] {
        for part in ["", ".help"] {
            let of_variant = problem.variant.map(|variant| format!("check.{}.{variant}{part}", problem.code));
            let key = of_variant.into_iter().chain([format!("check.{}{part}", problem.code)]).find(|key| has(lang, key));
            let key = key.unwrap_or_else(|| panic!("no words for {problem:?}{part}"));
            let values: Vec<(&str, &str)> = problem.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let text = say(lang, &key, &values);
            assert!(!text.contains("{name}") && !text.contains("{known}") && !text.contains("{of}"), "{key}: {text}");
            let shown = problem.values.iter().filter_map(|(_, value)| value.strip_prefix('@'));
            shown.for_each(|key| assert!(has(lang, key), "{key}"));
        }
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let table: &[(&str, &[(&str, &str, u32, u32)])] = &[
        (r#"item.class == "B""#, &[]),
        ("item.replys < 2", &[("E210", "near", 6, 6)]),
        ("item.replies < 2 && item.hots_unit == input.clas", &[("E210", "near", 26, 9), ("E210", "near", 45, 4)]),
        (r#"item.class == "D""#, &[("E216", "", 15, 3)]),
        (r#"item.class in ["A", "D"]"#, &[("E216", "", 21, 3)]),
        (r#"item.state == "handlng""#, &[("E216", "near", 15, 9)]),
        ("item.class == B", &[("E211", "quotes", 15, 1)]),
        (r#"itme.class == "B""#, &[("E211", "near", 1, 4)]),
        (r#"item.replies == "2""#, &[("E213", "", 14, 2)]),
        ("item.replies", &[("E213", "wanted", 1, 12)]),
        ("item.replies && true", &[("E213", "condition", 6, 7), ("W217", "yes", 17, 4)]),
        ("item.promised_on > today", &[("E214", "", 6, 11)]),
        ("is_set(item.promised_on) && item.promised_on > today", &[]),
        ("!is_set(item.promised_on) || item.promised_on > today", &[]),
        ("(item.promised_on ?? today) > today", &[]),
        ("input.promised_on > today", &[]),
        ("input.all_agree", &[("E214", "", 1, 15)]),
        ("input.all_agree ?? false", &[]),
        (r#"input.promised_on > "2024-06-30""#, &[("W220", "", 21, 12)]),
        (r#"input.promised_on > "June""#, &[("E213", "", 19, 1)]),
        (r#"item.class < "B""#, &[("E213", "order", 12, 1)]),
        ("task.points > 1", &[("E228", "", 1, 4)]),
        ("each.points > 1", &[("E211", "each", 1, 4)]),
        ("fits(item)", &[("E212", "", 1, 4)]),
        ("days_betwen(today, today) > 1", &[("E212", "near", 1, 11)]),
        ("days_between(today) > 1", &[("E238", "number", 1, 12)]),
        ("days_between(today, 3) > 1", &[("E238", "", 21, 1)]),
        (r#"add(today, "3 moons") > today"#, &[("E238", "length", 12, 9)]),
        (r#"add(today, "3 months") > today"#, &[]),
        ("add(today, param.term) > today", &[]),
        ("add(today, param.max_replies) > today", &[("E238", "", 18, 11)]),
        (r#"branches.assignment.all_in_state(["opn", "done"])"#, &[("E216", "near", 35, 5)]),
        (r#"branches.assignment.worst("points") == "A""#, &[("E238", "", 27, 8)]),
        (r#"branches.assignment.worst("clas") == "A""#, &[("E210", "near", 27, 6)]),
        (r#"branches.assignment.worst("class") == "D""#, &[("E216", "", 39, 3)]),
        (r#"branches.assignmnt.any"#, &[("E210", "near", 10, 9)]),
        (r#"branches.assignment.any_late("opinon")"#, &[("E210", "near", 30, 8)]),
        (r#"item.any_late("statutory")"#, &[]),
        ("due.opinion.was_late", &[("E210", "of_branch", 5, 7)]),
        ("due.reply.days_left <= 30", &[]),
        ("due.reply.date > today", &[("E214", "", 11, 4)]),
        ("item.close()", &[("E215", "method", 6, 5)]),
        ("item.co_units[0] == item.host_unit", &[("E215", "index", 14, 1)]),
        ("item?.class == item.class", &[("E215", "question_dot", 5, 2), ("W217", "yes", 13, 2)]),
        ("`${item.class}` == item.number", &[("E215", "interpolation", 1, 15)]),
        ("item.class == 'B'", &[("E215", "quotes", 15, 3)]),
        ("item.replies % 2 == 0", &[("E215", "operator", 14, 1)]),
        ("item.class = \"B\"", &[("E201", "equals", 12, 1)]),
        ("item.replies <", &[("E201", "end", 14, 1)]),
        ("", &[("E201", "end", 1, 1)]),
        ("item.replies < 2; true", &[("E201", "unexpected", 17, 1)]),
        ("|x| x", &[("E215", "word", 1, 1)]),
        ("for x in item.co_units {}", &[("E215", "word", 1, 3)]),
        ("eval(\"1\")", &[("E215", "word", 1, 4)]),
        ("print(1)", &[("E215", "word", 1, 5)]),
        ("sleep(1)", &[("E212", "", 1, 5)]),
        ("if item.replies > 1 { true }", &[("E234", "no_else", 1, 2)]),
        ("if item.replies > 1 { true } else { 1 }", &[("E234", "", 35, 1)]),
        (r#"switch item.class { "A" => true, "B" => false }"#, &[("E235", "", 1, 6)]),
        (r#"switch item.class { "A" => true, "X" => true, _ => false }"#, &[("E216", "", 34, 3)]),
        (r#"switch item.class { "A" | "B" => true, "C" => false }"#, &[("E235", "empty", 1, 6)]),
        (r#"switch input.class { "A" | "B" => true, "C" => false }"#, &[]),
        ("item.类别 == \"丙\"", &[("E216", "", 12, 3)]),
        ("件.类型 == \"甲\"", &[("E210", "near", 3, 2)]),
    ];
    let wrong: Vec<_> =
        table.iter().filter(|(source, expected)| problems(source) != *expected).map(|(source, _)| (source, problems(source))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
