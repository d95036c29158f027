//! Expressions and functions: what they give, which mistakes are told where, and what the sandbox stops.

use crate::support::expressions::{Compiled, VIEWS, branch, clock, compile, compile_in, day, fields, in_assignment, in_reply, item, view};
use duban::kernel::model::definition::{Function, Scope};
use duban::kernel::model::fact::Actor;
use duban::kernel::model::item::{Asked, ClockEnd, ClockEndHow, Fired, Item};
use duban::kernel::model::problem::Problem;
use duban::kernel::model::value::{Fields, Type, Value};
use duban::kernel::rules::{Derived, EvalError, NEVER, View};
use duban::kernel::time::{Length, Unit};
use duban::kernel::words::{Lang, has, say};
use indexmap::IndexMap;
use std::sync::Arc;

/// Monday 30 September 2024: the reply is 10 days late, the second assignment was done late, the fourth is cancelled.
fn sample() -> Item {
    let today = day("2024-09-30");
    let texts = |texts: &[&str]| Value::List(texts.iter().map(|text| Value::text(text)).collect());
    let mut item = item(
        "handling",
        today,
        fields([
            ("number", Value::text("2024-001")),
            ("class", Value::text("B")),
            ("类别", Value::text("甲")),
            ("replies", Value::Number(1)),
            ("year", Value::Number(2024)),
            ("host_unit", Value::text("u1")),
            ("co_units", texts(&["u2", "c1"])),
            ("usual_term", Value::Length(Length::new(3, Unit::Month))),
        ]),
    );
    let assignment = |no, state: &str, unit: &str, class: &str, points, more: &[(&str, Value)]| {
        let own =
            [("unit", Value::text(unit)), ("class", Value::text(class)), ("points", Value::Number(points)), ("line", Value::text("main"))];
        branch(no, "assignment", state, today, fields(own.into_iter().chain(more.iter().cloned())))
    };
    item.branches = vec![
        assignment(1, "open", "u1", "B", 3, &[("after", Value::Number(2)), ("met_on", Value::Date(day("2024-05-06")))]),
        assignment(2, "done", "u2", "A", 4, &[("line", Value::text("side")), ("met_on", Value::Date(day("2024-04-01")))]),
        branch(3, "ballot", "asked", today, fields([("person", Value::text("p2")), ("votes", Value::Number(2))])),
        assignment(4, "cancelled", "c1", "C", 9, &[]),
    ];
    let mut done_late = clock("opinion", Some(2), Some(day("2024-03-01")));
    done_late.end = Some(ClockEnd { seq: 2, on: day("2024-03-05"), how: ClockEndHow::Done });
    let mut late = clock("reply", None, Some(day("2024-09-20")));
    late.fired = vec![Fired { rung: "late".into(), occurrence: 1, on: day("2024-09-21"), skipped: None }];
    done_late.fired = vec![Fired { rung: "late".into(), occurrence: 1, on: day("2024-03-02"), skipped: Some("when".into()) }];
    let clocks = [late, clock("opinion", Some(1), Some(day("2024-10-08"))), done_late];
    item.clocks = clocks.into_iter().map(Arc::new).collect();
    item.requests = vec![Arc::new(Asked {
        request: "longer".into(),
        branch: None,
        seq: 5,
        input: fields([("reason", Value::text("忙"))]),
        person: None,
        consents: Vec::new(),
        decided: None,
    })];
    item
}

fn sample_input() -> Fields {
    fields([("promised_on", Value::Date(day("2024-12-31"))), ("class", Value::text("A")), ("about", Value::Number(2))])
}

fn run(source: &str, scope: &Scope) -> Result<Value, EvalError> {
    let compiled = compile(&[source], scope);
    let errors: Vec<&Problem> = compiled.problems.iter().filter(|problem| problem.is_error()).collect();
    assert!(errors.is_empty(), "{source}: {errors:#?}");
    let view = view(&compiled.setting, sample(), scope.branch.as_ref().map(|_| 1), sample_input());
    compiled.scripts.unwrap().eval(&compiled.expressions[0], &view)
}

#[test]
fn conditions_hold_on_what_the_views_show() {
    let in_reply = in_reply();
    for source in [
        r#"item.class == "B""#,
        r#"not (item.class == "A")"#,
        r#"件.类别 == "甲" && 件.状态 == "handling""#,
        r#"item.id == "2024-001""#,
        r#"item.state in ["draft", "handling"]"#,
        r#"item.state !in ["draft", "closed"]"#,
        r#"item.host_unit.kind == "gov""#,
        r#"item.host_unit.committee in item.co_units"#,
        r#"item.co_units.len == 2 && len(item.co_units) == 2"#,
        r#""u2" in item.co_units && contains(item.co_units, "c1")"#,
        r#"contains(item.number, "24-0") && starts_with(item.number, "2024")"#,
        // what is empty is unequal, and never in a list
        "!is_set(item.promised_on) && !is_set(item.proposer)",
        r#"item.proposer != "p1" && !(item.proposer == actor.person)"#,
        r#"item.proposer !in ["p1", "p2"]"#,
        "(item.promised_on ?? today) == today",
        "input.promises.len == 0 && !is_set(input.promises)",
        "(input.all_agree ?? false) == false",
        r#"input.about.unit == "u2" && input.about.state == "done""#,
        // dates
        r#"days_between(date("2024-09-01"), today) == 29"#,
        r#"working_days_between(date("2024-09-27"), date("2024-10-08")) == 3"#,
        r#"add(today, param.term) == date("2024-12-30") && add(today, "10个工作日") == add_working_days(today, 10)"#,
        r#"add(date("2023-11-30"), item.usual_term ?? param.term) == date("2024-02-29")"#,
        "add_working_days(add_working_days(today, 5), -5) == today && add_working_days(today, 0) == today",
        "year_of(today) == item.year && month_of(today) == 9",
        r#"min(item.replies, 0) == 0 && max(today, date("2020-01-01")) == today"#,
        "item.replies + 1 - 3 * 2 == -4",
        "first_date(item.promised_on, today) == today",
        // deadlines
        r#"due.reply.date == date("2024-09-20") && due.reply.running && due.reply.was_late"#,
        "due.reply.days_left == -10 && due.reply.days_late == 10 && due.reply.working_days_late == 7",
        r#"item.any_late("reply") && item.any_late("statutory") && item.was_late("opinion") && !item.any_late("opinion")"#,
        "期限.reply.逾期天数 == 10",
        r#"due.reply.fired("late") && 期限.reply.到过("late")"#,
        // branches; cancelled ones count only by name
        "branches.assignment.count == 2 && branches.assignment.count_open == 1 && branches.assignment.any",
        r#"branches.assignment.open_units == ["u1"] && branches.assignment.units == ["u1", "u2"]"#,
        r#"branches.ballot.open_persons == ["p2"]"#,
        r#"branches.assignment.all_in_state(["open", "done"]) && !branches.assignment.all_in_state(["done"])"#,
        r#"branches.assignment.count_in_state(["cancelled"]) == 1 && branches.assignment.any_in_state(["cancelled"])"#,
        r#"branches.assignment.share_in_state(["done"]) == 50"#,
        r#"branches.assignment.worst("class") == "B" && branches.assignment.sum("points") == 7"#,
        r#"branches.assignment.earliest("met_on") == date("2024-04-01") && branches.assignment.latest("met_on") == date("2024-05-06")"#,
        r#"branches.assignment.was_late("opinion") && !branches.assignment.any_late("opinion")"#,
        r#"branches.assignment.main.count == 1 && branches.assignment.main.main.worst("class") == "B""#,
        "branches.assignment.late.count == 0 && branches.assignment.late.all_ended && !branches.assignment.late.any",
        r#"分支.assignment.未结个数 == 1 && 分支.assignment.最差("class") == "B""#,
        r#"actor.person == "p1" && "clerk" in actor.roles && actor.unit == "u1" && "u2" in actor.units"#,
        r#"members("clerks") == ["p1"]"#,
        r#"request.longer.reason == "忙" && !is_set(request.longer.new_date)"#,
        "param.max_replies == 2",
        // forms
        "if item.replies > 0 { true } else { false }",
        r#"switch item.class { "A" => false, "B" | "C" => true, _ => false }"#,
        "!may_reply(item, input, branches, today) && replies_allowed(item) == 2",
    ] {
        assert_eq!(run(source, &in_reply), Ok(Value::Bool(true)), "{source}");
    }
    for source in [
        r#"task.unit == "u1" && 本办理.单位 == "u1" && task.state == "open""#,
        r#"task.after.unit == "u2" && task.after != task && !is_set(task.after.after)"#,
        // behind something empty everything is empty
        r#"task.after.after.unit != "u1" && !is_set(task.after.after.unit.kind)"#,
        r#"task.unit.kind == "gov" && task.unit in branches.assignment.open_units"#,
        "due.opinion.days_left == 8 && due.opinion.working_days_left == 1",
        r#"!task.any_late("opinion") && !task.was_late("opinion") && task.after.was_late("opinion")"#,
        // a rung that was passed over told nobody
        r#"!due.opinion.fired("late")"#,
    ] {
        assert_eq!(run(source, &in_assignment()), Ok(Value::Bool(true)), "{source}");
    }
}

#[test]
fn a_deadline_that_does_not_run_never_falls_due() {
    let compiled = compile(&["due.reply.days_left <= 30", "due.reply.days_late > 0", "due.reply.was_late"], &in_reply());
    let holds = |item: Item| {
        let view = view(&compiled.setting, item, None, sample_input());
        compiled.expressions.iter().map(|expr| compiled.scripts.as_ref().unwrap().holds(expr, &view).unwrap()).collect::<Vec<_>>()
    };
    let today = day("2024-09-30");
    let none = item("handling", today, Fields::new());
    assert_eq!(holds(none.clone()), [false, false, false]);
    const { assert!(NEVER > 36_500) };
    let mut ended_late = clock("reply", None, Some(day("2024-09-20")));
    ended_late.end = Some(ClockEnd { seq: 3, on: day("2024-09-25"), how: ClockEndHow::Done });
    assert_eq!(holds(Item { clocks: vec![Arc::new(ended_late)], ..none.clone() }), [false, true, true]);
    let undated = clock("reply", None, None);
    assert_eq!(holds(Item { clocks: vec![Arc::new(undated)], ..none }), [false, false, false]);
}

#[test]
fn deciding_a_request_shows_what_was_asked() {
    let scope = Scope { action: Some("longer.approve".into()), request: Some("longer".into()), ..Scope::default() };
    assert_eq!(run(r#"input.reason == "忙""#, &scope), Ok(Value::Bool(true)));
}

#[test]
fn a_role_may_ask_about_the_branch_where_there_is_none() {
    let mut compiled = compile(&[r#"task.unit.kind == "gov""#], &Scope::default());
    assert_eq!(compiled.problems.iter().map(|problem| problem.code).collect::<Vec<_>>(), ["E228"]);
    let mut workflow = VIEWS.rules.setting.workflow.clone();
    compiled.expressions[0].path = "roles.officer.who[0].when".into();
    compiled.expressions[0].id = workflow.expressions.len() as u32;
    workflow.expressions.push(compiled.expressions[0].clone());
    let compiled = Compiled { expressions: compiled.expressions, ..compile_in::<&str>(workflow, &VIEWS.functions, &[], &Scope::default()) };
    assert_eq!(compiled.problems, []);
    for (task, expected) in [(Some(1), true), (Some(2), false), (Some(3), false), (None, false)] {
        let view = view(&compiled.setting, sample(), task, Fields::new());
        assert_eq!(compiled.scripts.as_ref().unwrap().holds(&compiled.expressions[0], &view), Ok(expected), "{task:?}");
    }
}

#[test]
fn what_fails_when_it_runs_says_which_rule() {
    let failed = |source: &str, view: View, setting| {
        let compiled: &Compiled = setting;
        let error = compiled.scripts.as_ref().unwrap().eval(&compiled.expressions[0], &view).unwrap_err();
        assert_eq!((&*error.source_text, &*error.path), (source, "test[0]"));
        error.what
    };
    let source = "item.replies * 9223372036854775807 > 0";
    let compiled = compile(&[source], &in_reply());
    let two = Item { fields: fields([("replies", Value::Number(2))]), ..sample() };
    assert_eq!(failed(source, view(&compiled.setting, two, None, Fields::new()), &compiled), "the number is too large");

    let source = "param.max_replies > 1";
    let compiled = compile(&[source], &in_reply());
    let early =
        View { today: day("1999-12-31"), actor: Arc::new(Actor::default()), ..view(&compiled.setting, sample(), None, Fields::new()) };
    assert_eq!(failed(source, early, &compiled), "the parameter `max_replies` has no value yet on 1999-12-31");
}

/// Code, variant, column and length of every problem of an expression inside the action `reply`.
fn problems(source: &str) -> Vec<(&'static str, &'static str, u32, u32)> {
    let found = compile(&[source], &in_reply()).problems;
    found.iter().for_each(has_words);
    found.iter().map(|problem| (problem.code, problem.variant.unwrap_or(""), problem.place.column, problem.place.length)).collect()
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
            for name in ["name", "known", "of", "near", "found", "wanted", "left", "right", "text"] {
                assert!(!text.contains(&format!("{{{name}}}")), "{key}: {text}");
            }
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
        (r#"item.host_unit == "u9""#, &[("E216", "near", 19, 4)]),
        (r#"item.host_unit.kind == "government""#, &[("E216", "", 24, 12)]),
        (r#"members("clerk") == ["p1"]"#, &[("E216", "near", 9, 7)]),
        ("item.class == B", &[("E211", "quotes", 15, 1)]),
        (r#"itme.class == "B""#, &[("E211", "near", 1, 4)]),
        (r#"item.replies == "2""#, &[("E213", "", 14, 2)]),
        ("item.host_unit == item.proposer", &[("E213", "", 16, 2)]),
        ("item.class == item.类别", &[("E213", "", 12, 2)]),
        ("item.replies", &[("E213", "wanted", 1, 12)]),
        ("item.replies && true", &[("E213", "condition", 6, 7), ("W217", "yes", 17, 4)]),
        ("not item.replies == 2", &[("E213", "condition", 10, 7)]),
        ("item.promised_on > today", &[("E214", "", 6, 11)]),
        ("is_set(item.promised_on) && item.promised_on > today", &[]),
        ("!is_set(item.promised_on) || item.promised_on > today", &[]),
        ("is_set(item.promised_on) || item.promised_on > today", &[("E214", "", 34, 11)]),
        ("if is_set(item.year) { item.year > 2000 } else { item.year > 1 }", &[("E214", "", 55, 4)]),
        ("(item.promised_on ?? today) > today", &[]),
        ("input.promised_on > today", &[]),
        ("input.all_agree", &[("E214", "", 1, 15)]),
        ("input.all_agree ?? false", &[]),
        (r#"input.promised_on > "2024-06-30""#, &[("W220", "", 21, 12)]),
        (r#"input.promised_on > "June""#, &[("E213", "", 19, 1)]),
        (r#"item.class < "B""#, &[("E213", "order", 12, 1)]),
        ("today + 30 > today", &[("E213", "compute", 7, 1)]),
        (r#"item.number in "2024""#, &[("E213", "in", 13, 2)]),
        ("task.points > 1", &[("E228", "", 1, 4)]),
        ("each.points > 1", &[("E211", "each", 1, 4)]),
        ("fits(item)", &[("E212", "", 1, 4)]),
        ("days_betwen(today, today) > 1", &[("E212", "near", 1, 11)]),
        ("days_between(today) > 1", &[("E238", "number", 1, 12)]),
        ("days_between(today, 3) > 1", &[("E238", "", 21, 1)]),
        (r#"add(today, "3 moons") > today"#, &[("E238", "length", 12, 9)]),
        ("add(today, param.max_replies) > today", &[("E238", "", 18, 11)]),
        (r#"date("2024-13-01") < today"#, &[("E238", "date", 6, 12)]),
        ("date(item.number) < today", &[("E215", "constant", 1, 4)]),
        ("may_reply(item)", &[("E238", "number", 1, 9)]),
        ("may_reply(today, input, branches, item)", &[("E238", "", 11, 5), ("E238", "", 35, 4)]),
        (r#"branches.assignment.all_in_state(["opn", "done"])"#, &[("E216", "near", 35, 5)]),
        (r#"branches.assignment.worst("points") == "A""#, &[("E238", "", 27, 8)]),
        (r#"branches.assignment.worst("clas") == "A""#, &[("E210", "near", 27, 6)]),
        (r#"branches.assignment.worst("class") == "D""#, &[("E216", "", 39, 3)]),
        ("branches.assignmnt.any", &[("E210", "near", 10, 9)]),
        ("branches.ballot.open_units.len > 0", &[("E210", "", 17, 10)]),
        (r#"branches.assignment.any_late("opinon")"#, &[("E210", "near", 30, 8)]),
        ("due.opinion.was_late", &[("E210", "of_branch", 5, 7)]),
        (r#"due.reply.fired("latee")"#, &[("E210", "near", 17, 7)]),
        (r#"item.fired("late")"#, &[("E215", "method", 6, 5)]),
        ("due.reply.date > today", &[("E214", "", 11, 4)]),
        ("item.close()", &[("E215", "method", 6, 5)]),
        ("item.co_units[0] == item.host_unit", &[("E215", "index", 14, 1)]),
        ("item?.class == item.class", &[("E215", "question_dot", 5, 2), ("W217", "yes", 13, 2)]),
        ("`${item.class}` == item.number", &[("E215", "interpolation", 1, 15)]),
        ("item.class == 'B'", &[("E215", "quotes", 15, 3)]),
        ("item.replies % 2 == 0", &[("E215", "operator", 14, 1)]),
        ("item.class == ()", &[("E215", "nothing", 15, 1)]),
        ("item.class = \"B\"", &[("E201", "equals", 12, 1)]),
        ("item.replies <", &[("E201", "end", 14, 1)]),
        ("", &[("E201", "end", 1, 1)]),
        ("item.replies < 2; true", &[("E201", "unexpected", 17, 1)]),
        ("if item.replies > 1 { true }", &[("E234", "no_else", 1, 2)]),
        ("if item.replies > 1 { true } else { 1 }", &[("E234", "", 35, 1)]),
        (r#"switch item.class { "A" => true, "B" => false }"#, &[("E235", "", 1, 6)]),
        (r#"switch item.class { "A" => true, "X" => true, _ => false }"#, &[("E216", "", 34, 3)]),
        (r#"switch item.class { "A" | "B" => true, "C" => false }"#, &[("E235", "empty", 1, 6)]),
        (r#"switch input.class { "A" | "B" => true, "C" => false }"#, &[]),
        (r#"switch item.replies { 2 => false, 0..2 => true }"#, &[("E235", "open", 1, 6)]),
        ("item.类别 == \"丙\"", &[("E216", "", 12, 3)]),
        ("件.类型 == \"甲\"", &[("E210", "near", 3, 2)]),
    ];
    let wrong: Vec<_> =
        table.iter().filter(|(source, expected)| problems(source) != *expected).map(|(source, _)| (source, problems(source))).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn derived_fields_come_after_what_they_read() {
    let order = compile::<&str>(&[], &Scope::default()).scripts.unwrap().derived_order().to_vec();
    let named = |branch: Option<&str>, field: &str| Derived { branch: branch.map(Into::into), field: field.into() };
    let at = |derived: &Derived| order.iter().position(|other| other == derived).unwrap();
    assert_eq!(order.len(), 4);
    assert!(at(&named(None, "more")) < at(&named(None, "owing")));
    at(&named(Some("assignment"), "twice"));
    at(&named(None, "worst"));
}

#[test]
fn the_sandbox_has_no_loops_and_no_way_out() {
    for source in [
        "while true {}",
        "loop {}",
        "do { } while true",
        "for x in item.co_units {}",
        "let x = 1",
        "x = 1",
        "return true",
        "throw 1",
        "try { true } catch { false }",
        "import \"x\" as y",
        "eval(\"true\")",
        "print(1)",
        "debug(1)",
        "Fn(\"f\").call()",
        "|x| x",
        "this.x == 1",
        "sleep(1)",
        "exit()",
        "timestamp() == 1",
        "parse_json(\"{}\") == 1",
        "rand() == 1",
        "item.co_units.push(1)",
        "item.class.to_upper() == \"B\"",
        "type_of(item) == \"map\"",
        "#{a: 1}.a == 1",
        "item.fields.class == \"B\"",
        "global::x == 1",
        "1 / 0 == 1",
        "1 << 60 == 1",
        "2 ** 60 == 1",
        "(0..1000000000).len == 1",
        "1.5 < 2",
    ] {
        let found = problems(source);
        assert!(found.iter().any(|(code, ..)| code.starts_with('E')), "{source}: {found:?}");
    }
}

#[test]
fn nesting_and_length_are_bounded() {
    let deep = format!("{}true{}", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(problems(&deep).first().map(|found| found.0), Some("E201"));
    let bangs = format!("{}true", "!".repeat(5_000));
    assert_eq!(problems(&bangs).first().map(|found| found.0), Some("E201"));
    let dots = format!("item{}", ".a".repeat(20_000));
    assert!(problems(&dots).iter().any(|found| found.0.starts_with('E')));
    for operator in ["+", "==", "in", "??", "<"] {
        let chain = vec!["item.replies"; 20_000].join(&format!(" {operator} "));
        assert!(problems(&chain).iter().any(|found| found.0.starts_with('E')), "{operator}");
    }
    let lists = format!("{}1{} == 1", "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(problems(&lists).first().map(|found| found.0), Some("E201"));
    let cases = format!("{}true{}", "if item.replies < 3 { ".repeat(3_000), " } else { false }".repeat(3_000));
    assert_eq!(problems(&cases).first().map(|found| found.0), Some("E201"));
    // A long chain of one operator is no nesting.
    let wide = vec!["item.replies < 3"; 60].join(" && ");
    assert_eq!(problems(&wide), [("W225", "", 1, 1)]);
}

#[test]
fn calls_that_multiply_are_stopped() {
    let mut workflow = VIEWS.rules.setting.workflow.clone();
    let mut source = String::new();
    for level in 0..14 {
        let body = if level == 13 { "n + 1".to_string() } else { format!("f{0}(n) + f{0}(n) + f{0}(n)", level + 1) };
        source += &format!("fn f{level}(n) {{ {body} }}\n");
        let takes = [("n".into(), Type::Number)].into_iter().collect();
        workflow
            .functions
            .insert(format!("f{level}").into(), Function { title: String::new(), file: "more.rhai".into(), takes, gives: Type::Number });
    }
    let mut functions: IndexMap<String, String> = VIEWS.functions.clone();
    functions.insert("more.rhai".into(), source);
    let compiled = compile_in(workflow, &functions, &["f0(1) > 0"], &in_reply());
    assert_eq!(compiled.problems, []);
    let view = view(&compiled.setting, sample(), None, Fields::new());
    let error = compiled.scripts.unwrap().eval(&compiled.expressions[0], &view).unwrap_err();
    assert_eq!(error.what, "takes too many steps");
}
