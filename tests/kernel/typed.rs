//! The promise of the type check: an expression without an error never meets a wrong type when it runs, whatever the item holds.
//! And that of the straight answers: they are Rhai's.

use crate::support::expressions::{VIEWS, branch, clock, compile, day, in_assignment, in_reply, item, view};
use duban::kernel::model::Name;
use duban::kernel::model::definition::{Action, Ask, Scope};
use duban::kernel::model::item::{Asked, ClockEnd, ClockEndHow, Item};
use duban::kernel::model::problem::Problem;
use duban::kernel::model::value::{Fields, Type, Value};
use duban::kernel::time::{Date, Length, Unit};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NUMBERS: &[&str] = &[
    "0",
    "3",
    "-2",
    "item.replies",
    "item.year",
    "item.owing",
    "item.more",
    "item.co_units.len",
    "len(item.number)",
    "task.points",
    "task.twice",
    "task.after.points",
    "task.after.after.points",
    "input.about.points",
    "due.reply.days_left",
    "due.reply.working_days_late",
    "due.reply.times_extended",
    "due.opinion.working_days_left",
    "due.opinion.days_late",
    "branches.assignment.count",
    "branches.assignment.main.count_open",
    "branches.assignment.late.main.count",
    r#"branches.assignment.sum("points")"#,
    r#"branches.assignment.count_in_state(["open", "cancelled"])"#,
    r#"branches.assignment.share_in_state(["done"])"#,
    r#"branches.ballot.sum("votes")"#,
    "param.max_replies",
    "year_of(today)",
    "month_of(item.promised_on ?? today)",
    "days_between(today, item.promised_on ?? today)",
    "working_days_between(today, input.promised_on)",
    "working_days_between(today, task.met_on ?? today)",
    "replies_allowed(item)",
    "min(item.replies, 3)",
    "max(item.year ?? 0, task.points ?? 1)",
    "item.replies * 2",
    "(item.year ?? 1) - 1",
];
const DATES: &[&str] = &[
    "today",
    "item.promised_on",
    "input.promised_on",
    "due.reply.date",
    "due.opinion.date",
    "task.met_on",
    "task.after.met_on",
    r#"branches.assignment.latest("met_on")"#,
    r#"branches.assignment.main.earliest("met_on")"#,
    "add(today, param.term)",
    "add(today, item.usual_term ?? param.term)",
    r#"add(item.promised_on ?? today, "10 working days")"#,
    "add_working_days(today, -3)",
    r#"date("2024-06-30")"#,
    r#""2024-06-30""#,
    "request.longer.new_date",
    "first_date(item.promised_on, today)",
    "max(today, input.promised_on)",
];
const TEXTS: &[&str] = &[
    r#""B""#,
    r#""u1""#,
    r#""handling""#,
    "item.number",
    "item.class",
    "item.类别",
    "item.worst",
    "item.state",
    "item.flag",
    "item.id",
    "item.host_unit",
    "item.host_unit.kind",
    "item.host_unit.parent.committee",
    "item.proposer",
    "input.class",
    "input.about.unit",
    "input.about.unit.kind",
    "task.unit",
    "task.class",
    "task.state",
    "task.line",
    "task.after.unit",
    "actor.person",
    "actor.unit",
    "request.longer.reason",
    r#"branches.assignment.worst("class")"#,
];
const CONDITIONS: &[&str] = &[
    "false",
    "item.replies > 1",
    "item.is_key",
    "input.all_agree",
    "branches.assignment.any",
    "branches.assignment.all_ended",
    "branches.assignment.late.all_ended",
    r#"branches.assignment.all_in_state(["done"])"#,
    r#"branches.assignment.was_late("opinion")"#,
    r#"item.any_late("statutory")"#,
    r#"task.was_late("opinion")"#,
    "due.reply.running",
    "due.opinion.was_late",
    r#"due.opinion.fired("late")"#,
    "may_reply(item, input, branches, today)",
    r#"starts_with(item.number, "20")"#,
    "contains(item.co_units, item.host_unit)",
];
const LISTS: &[&str] = &[
    "item.co_units",
    "input.promises",
    "branches.assignment.open_units",
    "branches.assignment.main.units",
    "branches.ballot.persons",
    "actor.units",
    "actor.roles",
    r#"members("clerks")"#,
    r#"["A", "C"]"#,
    r#"["u1", "u2"]"#,
    "[1, 2]",
    "[]",
];
const OTHERS: &[&str] =
    &["item.usual_term", "param.term", "task.after", "task", "input.about", "item", "due.reply", "branches.assignment", "each"];

/// What can be read in a scope, by kind; the first of each is a constant or as good as one.
struct Readable {
    kinds: Vec<Vec<String>>,
}

#[derive(Clone, Copy)]
enum Kind {
    Number,
    Date,
    Text,
    Condition,
    List,
    Other,
}

impl Readable {
    fn new(scope: &Scope) -> Readable {
        let kinds = [NUMBERS, DATES, TEXTS, CONDITIONS, LISTS, OTHERS].map(|pool| {
            let questions: Vec<String> = pool.iter().map(|source| format!("is_set({source})")).collect();
            let wrong = wrong_rows(&compile(&questions, scope).problems);
            let here = pool.iter().enumerate().filter(|(row, _)| !wrong.contains(row)).map(|(_, source)| source.to_string());
            here.collect::<Vec<_>>()
        });
        assert!(kinds.iter().all(|kind| kind.len() >= 3), "{:?}", kinds.map(|kind| kind.len()));
        Readable { kinds: kinds.into() }
    }

    fn one(&self, kind: Kind) -> BoxedStrategy<String> {
        prop::sample::select(self.kinds[kind as usize].clone()).boxed()
    }

    /// A value; now and then of another kind than wanted, for the check to refuse.
    fn value(&self, kind: Kind) -> BoxedStrategy<String> {
        let (own, last) = (self.one(kind), self.kinds[kind as usize][0].clone());
        let any = prop::sample::select(self.kinds.concat());
        let filled = self.one(kind).prop_map(move |value| format!("({value} ?? {last})"));
        let either = (self.one(kind), self.one(kind)).prop_map(|(a, b)| format!("(if is_set({a}) {{ {a} }} else {{ {b} }})"));
        prop_oneof![8 => own, 10 => filled, 3 => either, 1 => any].boxed()
    }

    fn condition(&self) -> BoxedStrategy<String> {
        let between = |(a, operator, b)| format!("{a} {operator} {b}");
        let order = || prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">="]);
        let same = || prop::sample::select(vec!["==", "!="]);
        let numbers = (self.value(Kind::Number), order(), self.value(Kind::Number)).prop_map(between);
        let dates = (self.value(Kind::Date), order(), self.value(Kind::Date)).prop_map(between);
        let texts = (self.value(Kind::Text), same(), self.value(Kind::Text)).prop_map(between);
        let others = (self.value(Kind::Other), same(), self.value(Kind::Other)).prop_map(between);
        let listed = (self.value(Kind::Text), prop::sample::select(vec!["in", "!in"]), self.value(Kind::List)).prop_map(between);
        let lists = (self.value(Kind::List), same(), self.value(Kind::List)).prop_map(between);
        let sums =
            (self.value(Kind::Number), self.value(Kind::Number), self.value(Kind::Number)).prop_map(|(a, b, c)| format!("{a} + {b} > {c}"));
        let set = prop::sample::select(self.kinds.concat()).prop_map(|value| format!("is_set({value})"));
        let guarded = (self.one(Kind::Date), self.value(Kind::Date)).prop_map(|(a, b)| format!("(is_set({a}) && {a} < {b})"));
        let cases = (self.value(Kind::Text), self.value(Kind::Condition), self.value(Kind::Condition));
        let cases = cases.prop_map(|(a, yes, no)| format!("(switch {a} {{ \"A\" | \"u1\" => {yes}, _ => {no} }})"));
        let plain = prop_oneof![numbers, dates, texts, others, listed, lists, sums, set, guarded, cases, self.value(Kind::Condition)];
        let composed = plain.prop_recursive(2, 4, 2, |inner| {
            prop_oneof![
                3 => inner.clone(),
                1 => inner.clone().prop_map(|a| format!("!({a})")),
                1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
                1 => (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
                1 => (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("(if {a} {{ {b} }} else {{ {c} }})")),
            ]
        });
        composed.boxed()
    }
}

/// The rows of the expressions with an error.
fn wrong_rows(problems: &[Problem]) -> BTreeSet<usize> {
    problems.iter().filter(|problem| problem.is_error()).map(|problem| problem.place.line as usize - 1).collect()
}

fn a_day() -> impl Strategy<Value = Date> {
    (0i64..1_000).prop_map(|days| day("2023-06-01") + chrono::TimeDelta::days(days))
}

/// A value of a type, or nothing.
fn of_type(kind: &Type) -> BoxedStrategy<Value> {
    let one_of = |texts: &[&str]| prop::sample::select(texts.iter().map(|text| Value::text(text)).collect::<Vec<_>>()).boxed();
    let some = match kind {
        Type::YesNo => any::<bool>().prop_map(Value::Bool).boxed(),
        Type::Number => (-5i64..2_030).prop_map(Value::Number).boxed(),
        Type::Year => (2020i64..2_030).prop_map(Value::Number).boxed(),
        Type::Choice(options) => prop::sample::select(options.clone()).prop_map(Value::Text).boxed(),
        Type::Date => a_day().prop_map(Value::Date).boxed(),
        Type::Duration => (1u32..40).prop_map(|count| Value::Length(Length::new(count, Unit::WorkingDay))).boxed(),
        // Some of them gone from the directory.
        Type::Unit => one_of(&["u1", "u2", "c1", "closed_down"]),
        Type::Person => one_of(&["p1", "p2", "retired"]),
        Type::List(entry) => prop::collection::vec(of_type(entry).prop_filter("entries are there", |value| !value.is_empty()), 0..3)
            .prop_map(Value::List)
            .boxed(),
        Type::Record(_) => Just(Value::Record(Fields::new())).boxed(),
        // Some of them point nowhere.
        Type::Branch(_) => (0i64..6).prop_map(Value::Number).boxed(),
        _ => one_of(&["2024-001", ""]),
    };
    prop_oneof![2 => some, 1 => Just(Value::Empty)].boxed()
}

/// Values for declared names; those that are never empty are always there.
fn of_fields(declared: Vec<(Name, Type, bool)>) -> BoxedStrategy<Fields> {
    let rows: Vec<_> = declared
        .into_iter()
        .map(|(name, kind, required)| {
            of_type(&kind)
                .prop_filter("a required value", move |value| !required || !value.is_empty())
                .prop_map(move |value| (name.clone(), value))
        })
        .collect();
    // An empty value may also not stand there at all.
    (rows, any::<bool>()).prop_map(|(rows, bare)| rows.into_iter().filter(|(_, value)| !(bare && value.is_empty())).collect()).boxed()
}

fn declared(branch: Option<&str>) -> Vec<(Name, Type, bool)> {
    let fields = VIEWS.rules.setting.workflow.fields_of(branch).unwrap();
    let recorded = fields.iter().map(|(name, field)| (name.clone(), field.kind.clone(), field.required || field.default.is_some()));
    let given = match branch {
        Some("assignment") => Some(("unit".into(), Type::Unit, true)),
        Some("ballot") => Some(("person".into(), Type::Person, true)),
        _ => None,
    };
    recorded.chain(given).collect()
}

fn inputs(ask: &[Ask]) -> Vec<(Name, Type, bool)> {
    ask.iter().map(|ask| (ask.name.clone(), ask.kind.clone(), ask.required)).collect()
}

/// Derived numbers are never empty, as `derive` computes them.
fn with_derived(mut fields: Fields, names: &[&str]) -> Fields {
    for name in names {
        if !matches!(fields.get(*name), Some(Value::Number(_))) {
            fields.insert((*name).into(), Value::Number(1));
        }
    }
    fields
}

fn an_item() -> impl Strategy<Value = Item> {
    let states = prop::sample::select(vec!["draft", "handling", "closed"]);
    let assignment = (prop::sample::select(vec!["open", "done", "cancelled"]), of_fields(declared(Some("assignment"))))
        .prop_map(|(state, fields)| ("assignment", state, fields));
    let ballot = (prop::sample::select(vec!["asked", "cast"]), of_fields(declared(Some("ballot"))))
        .prop_map(|(state, fields)| ("ballot", state, fields));
    let branches = prop::collection::vec(prop_oneof![3 => assignment, 1 => ballot], 0..5);
    let ends = prop_oneof![Just(None), a_day().prop_map(|on| Some(ClockEnd { seq: 3, on, how: ClockEndHow::Done }))];
    let clocks = prop::collection::vec((any::<bool>(), 1u32..4, prop::option::of(a_day()), ends), 0..4);
    let request = of_fields(inputs(&VIEWS.rules.setting.workflow.requests["longer"].ask));
    (states, a_day(), of_fields(declared(None)), branches, clocks, prop::option::of(request)).prop_map(
        |(state, today, fields, branches, clocks, request)| {
            let mut item = item(state, today, with_derived(fields, &["owing", "more"]));
            item.branches = (1..)
                .zip(branches)
                .map(|(no, (kind, state, fields))| branch(no, kind, state, today, with_derived(fields, &["twice"])))
                .collect();
            item.clocks = clocks
                .into_iter()
                .map(|(of_item, no, due, end)| {
                    let mut clock = if of_item { clock("reply", None, due) } else { clock("opinion", Some(no), due) };
                    clock.end = end;
                    Arc::new(clock)
                })
                .collect();
            item.requests = request
                .map(|input| {
                    Arc::new(Asked {
                        request: "longer".into(),
                        branch: None,
                        seq: 4,
                        input,
                        person: None,
                        consents: Vec::new(),
                        decided: None,
                    })
                })
                .into_iter()
                .collect();
            item
        },
    )
}

fn typed_in(scope: &Scope, action: &Action) {
    let branch = scope.branch.as_deref();
    let sources = prop::collection::vec(Readable::new(scope).condition(), 30);
    let items = prop::collection::vec((an_item(), of_fields(inputs(&action.ask))), 6);
    let (tried, typed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (asked, answered) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let config = Config { cases: 16, max_shrink_iters: 200, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&(sources, items), |(sources, items)| {
        let wrong = wrong_rows(&compile(&sources, scope).problems);
        let sound: Vec<&String> = sources.iter().enumerate().filter(|(row, _)| !wrong.contains(row)).map(|(_, source)| source).collect();
        tried.fetch_add(sources.len(), Ordering::Relaxed);
        typed.fetch_add(sound.len(), Ordering::Relaxed);
        let compiled = compile(&sound, scope);
        let scripts = compiled.scripts.expect("what had no error has none without the others");
        for (item, input) in items {
            let task = item.branches.iter().find(|other| Some(&*other.kind) == branch).map(|branch| branch.no);
            if task.is_none() && branch.is_some() {
                continue;
            }
            let view = view(&compiled.setting, item, task, input);
            for expr in &compiled.expressions {
                let (straight, by_rhai) = scripts.both(expr, &view);
                asked.fetch_add(1, Ordering::Relaxed);
                if let Some(value) = straight {
                    answered.fetch_add(1, Ordering::Relaxed);
                    prop_assert_eq!(Ok(value), by_rhai.clone(), "{}", expr.source);
                }
                match by_rhai {
                    Ok(Value::Bool(_)) => {}
                    Err(error) if error.what.contains("too large") => {}
                    other => return Err(TestCaseError::fail(format!("{}: {other:?}", expr.source))),
                }
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|failed| panic!("{failed}"));
    let (tried, typed) = (tried.into_inner(), typed.into_inner());
    assert!(typed * 3 > tried && typed < tried, "some of the expressions are refused, and enough are not: {typed} of {tried}");
    let (asked, answered) = (asked.into_inner(), answered.into_inner());
    // About half of what is generated, which has more of the rare forms than rules have: enough of both to compare.
    assert!(answered * 4 > asked && answered < asked, "enough are answered without Rhai: {answered} of {asked}");
}

#[test]
fn what_is_typed_in_an_action_never_meets_a_wrong_type() {
    typed_in(&in_reply(), &VIEWS.rules.setting.workflow.actions["reply"]);
}

#[test]
fn what_is_typed_in_a_branch_never_meets_a_wrong_type() {
    typed_in(&in_assignment(), &VIEWS.rules.setting.workflow.branches["assignment"].actions["finish"]);
}
