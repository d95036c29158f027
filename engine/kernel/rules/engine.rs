//! The sandbox: a bare Rhai engine with limits, without packages, loops or side effects, whose operators refuse to
//! compare what does not compare. What scripts may read is registered by `api` and `builtins`.

use super::view::{RecordView, TaskView};
use super::{api, builtins};
use crate::kernel::model::definition::Workflow;
use crate::kernel::time::{Date, Length};
use rhai::{Array, Dynamic, Engine, EvalAltResult, ImmutableString, OptimizationLevel, Position};

/// Without loops this bounds the time of one evaluation.
const MAX_OPERATIONS: u64 = 20_000;
const MAX_DEPTH: usize = 64;
const MAX_CALL_LEVELS: usize = 16;
const MAX_TEXT: usize = 16 * 1024;
const MAX_LIST: usize = 2_000;
const MAX_VARIABLES: usize = 64;
const MAX_FUNCTIONS: usize = 200;

/// Words of Rhai that rules do not have.
const DISABLED: &[&str] = &[
    "eval",
    "print",
    "debug",
    "import",
    "export",
    "Fn",
    "call",
    "curry",
    "type_of",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "this",
    "global",
    "return",
    "throw",
    "try",
    "catch",
    "while",
    "loop",
    "for",
    "do",
    "until",
    "break",
    "continue",
    "private",
];

pub(super) type Answer<T> = Result<T, Box<EvalAltResult>>;

/// The engine for one workflow: its declared names are what scripts can read.
pub(super) fn build(workflow: &Workflow) -> Engine {
    let mut engine = Engine::new_raw();
    engine
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_fast_operators(false)
        .set_allow_looping(false)
        .set_allow_loop_expressions(false)
        .set_allow_anonymous_fn(false)
        .set_allow_shadowing(false)
        .set_allow_statement_expression(false)
        .set_max_operations(MAX_OPERATIONS)
        .set_max_expr_depths(MAX_DEPTH, MAX_DEPTH)
        .set_max_call_levels(MAX_CALL_LEVELS)
        .set_max_string_size(MAX_TEXT)
        .set_max_array_size(MAX_LIST)
        .set_max_map_size(0)
        .set_max_variables(MAX_VARIABLES)
        .set_max_functions(MAX_FUNCTIONS);
    for word in DISABLED {
        engine.disable_symbol(*word);
    }
    #[expect(deprecated, reason = "`on_parse_token` is marked as volatile, not as going away; the version is pinned")]
    engine.on_parse_token(|token, _, _| match token {
        rhai::Token::Identifier(word) if *word == "not" => rhai::Token::Bang,
        token => token,
    });
    operators(&mut engine);
    builtins::register(&mut engine);
    api::register(&mut engine, workflow);
    engine
}

fn operators(engine: &mut Engine) {
    engine.register_fn("!", |yes: bool| !yes);
    engine.register_fn("==", |a: bool, b: bool| a == b).register_fn("!=", |a: bool, b: bool| a != b);
    engine.register_fn("==", |a: ImmutableString, b: ImmutableString| a == b);
    engine.register_fn("!=", |a: ImmutableString, b: ImmutableString| a != b);
    engine.register_fn("==", |a: Length, b: Length| a == b).register_fn("!=", |a: Length, b: Length| a != b);
    engine.register_fn("==", |a: TaskView, b: TaskView| a.1 == b.1).register_fn("!=", |a: TaskView, b: TaskView| a.1 != b.1);

    macro_rules! ordered {
        ($kind:ty) => {
            engine.register_fn("==", |a: $kind, b: $kind| a == b).register_fn("!=", |a: $kind, b: $kind| a != b);
            engine.register_fn("<", |a: $kind, b: $kind| a < b).register_fn("<=", |a: $kind, b: $kind| a <= b);
            engine.register_fn(">", |a: $kind, b: $kind| a > b).register_fn(">=", |a: $kind, b: $kind| a >= b);
        };
    }
    ordered!(i64);
    ordered!(Date);

    engine.register_fn("+", |a: i64, b: i64| a.checked_add(b).ok_or_else(too_large));
    engine.register_fn("-", |a: i64, b: i64| a.checked_sub(b).ok_or_else(too_large));
    engine.register_fn("*", |a: i64, b: i64| a.checked_mul(b).ok_or_else(too_large));
    engine.register_fn("-", |a: i64| a.checked_neg().ok_or_else(too_large));

    // Everything else: an empty value is simply unequal, lists compare by their entries, and the rest is a mistake.
    engine.register_fn("==", |a: Dynamic, b: Dynamic| same(&a, &b));
    engine.register_fn("!=", |a: Dynamic, b: Dynamic| same(&a, &b).map(|same| !same));
    for operator in ["<", "<=", ">", ">="] {
        engine.register_fn(operator, move |a: Dynamic, b: Dynamic| -> Answer<bool> {
            Err(error(format!("{} {operator} {} cannot be compared", kind_of(&a), kind_of(&b))))
        });
    }
    for operator in ["+", "-", "*", "/", "%", "**", "<<", ">>", "&", "|", "^", "..", "..="] {
        engine.register_fn(operator, move |a: Dynamic, b: Dynamic| -> Answer<Dynamic> {
            Err(error(format!("{} {operator} {} cannot be computed", kind_of(&a), kind_of(&b))))
        });
    }
    // A constant that reads as a date, which the check warns about.
    macro_rules! with_text {
        ($($operator:literal $holds:expr;)*) => {$(
            engine.register_fn($operator, |date: Date, text: ImmutableString| date_of(&text).map(|other| $holds(date, other)));
            engine.register_fn($operator, |text: ImmutableString, date: Date| date_of(&text).map(|other| $holds(other, date)));
        )*};
    }
    with_text! {
        "==" |a, b| a == b;
        "!=" |a, b| a != b;
        "<" |a, b| a < b;
        "<=" |a, b| a <= b;
        ">" |a, b| a > b;
        ">=" |a, b| a >= b;
    }
    // `x in list` is `contains(list, x)` to Rhai.
    engine.register_fn("contains", |_: (), _: Dynamic| false);
    engine.register_fn("contains", |list: &mut Array, entry: Dynamic| -> Answer<bool> {
        for other in list.iter() {
            if same(other, &entry)? {
                return Ok(true);
            }
        }
        Ok(false)
    });
}

/// Equality of two values of which either may be empty.
pub(super) fn same(a: &Dynamic, b: &Dynamic) -> Answer<bool> {
    if a.is_unit() || b.is_unit() {
        return Ok(a.is_unit() && b.is_unit());
    }
    if let (Ok(a), Ok(b)) = (a.as_immutable_string_ref(), b.as_immutable_string_ref()) {
        return Ok(*a == *b);
    }
    if let (Ok(a), Ok(b)) = (a.as_int(), b.as_int()) {
        return Ok(a == b);
    }
    if let (Ok(a), Ok(b)) = (a.as_bool(), b.as_bool()) {
        return Ok(a == b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Date>(), b.read_lock::<Date>()) {
        return Ok(*a == *b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<Length>(), b.read_lock::<Length>()) {
        return Ok(*a == *b);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<TaskView>(), b.read_lock::<TaskView>()) {
        return Ok(a.1 == b.1);
    }
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        if a.len() != b.len() {
            return Ok(false);
        }
        for (a, b) in a.iter().zip(b.iter()) {
            if !same(a, b)? {
                return Ok(false);
            }
        }
        return Ok(true);
    }
    if let (Some(a), Some(b)) = (a.read_lock::<RecordView>(), b.read_lock::<RecordView>()) {
        return Ok(a.0 == b.0);
    }
    Err(error(format!("{} and {} cannot be compared", kind_of(a), kind_of(b))))
}

pub(super) fn kind_of(value: &Dynamic) -> &'static str {
    if value.is_unit() {
        "an empty value"
    } else if value.is_bool() {
        "yes or no"
    } else if value.is_int() {
        "a number"
    } else if value.is_string() {
        "a text"
    } else if value.is_array() {
        "a list"
    } else if value.is::<Date>() {
        "a date"
    } else if value.is::<Length>() {
        "a length of time"
    } else {
        "a view"
    }
}

pub(super) fn error(what: impl Into<String>) -> Box<EvalAltResult> {
    Box::new(EvalAltResult::ErrorRuntime(Dynamic::from(what.into()), Position::NONE))
}

pub(super) fn date_of(text: &str) -> Answer<Date> {
    text.parse().map_err(|_| error(format!("`{text}` is not a date")))
}

fn too_large() -> Box<EvalAltResult> {
    error("the number is too large")
}
