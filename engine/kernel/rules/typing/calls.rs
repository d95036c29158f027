//! Types calls: operators, built-in and declared functions, and the questions that views answer (`any_late("…")`).

use super::report::with_known;
use super::surface::SET_QUESTIONS;
use super::types::{Fit, Ty, fits};
use super::walk::{Walker, mark};
use crate::kernel::model::Name;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::Passing;
use crate::kernel::rules::names::{FUNCTIONS, PROPERTIES, canonical};
use crate::kernel::time::{Date, Length};
use rhai::{Expr, FnCallExpr, Position};

pub(super) fn call(walker: &mut Walker, call: &FnCallExpr, at: Position) -> Ty {
    // `x in list` is a call of `contains(list, x)` to Rhai, told apart by the word that stands there.
    if walker.text.is_word("in", at) || call.name == "contains" && call.is_operator_call() {
        return walker.operator("in", call, at);
    }
    if call.is_operator_call() {
        return match (call.name.as_str(), call.args.as_slice()) {
            ("!", [inner]) if walker.condition(inner) => Ty::YesNo,
            ("!", [_]) => Ty::Unknown,
            (name, _) => walker.operator(name, call, at),
        };
    }
    let name = call.name.as_str();
    if let Some((declared, function)) = walker.world.workflow.functions.get_key_value(name) {
        walker.found.calls.insert(declared.clone());
        let params: Vec<Ty> = function.takes.values().map(|kind| walker.world.parameter(kind)).collect();
        arguments(walker, name, &call.args, &params, at);
        return Ty::of(&function.gives);
    }
    builtin(walker, canonical(FUNCTIONS, name), call, at)
}

/// Looks at number and types of what a function is given (E238).
fn arguments(walker: &mut Walker, name: &str, args: &[Expr], params: &[Ty], at: Position) {
    let given: Vec<Ty> = args.iter().map(|arg| walker.infer(arg)).collect();
    if given.len() != params.len() {
        let problem = walker.tell("E238", at);
        problem.variant = Some("number");
        problem.values = vec![("name", name.to_string()), ("given", given.len().to_string()), ("wanted", params.len().to_string())];
        return;
    }
    for ((arg, given), wanted) in args.iter().zip(&given).zip(params) {
        argument(walker, name, arg, given, wanted);
    }
}

fn argument(walker: &mut Walker, name: &str, arg: &Expr, given: &Ty, wanted: &Ty) {
    walker.words_of(given, wanted.inner());
    match fits(given, wanted) {
        Fit::Yes => {}
        Fit::MayBeEmpty => walker.must_be_there(std::slice::from_ref(arg), std::slice::from_ref(given)),
        Fit::No => {
            let (found, wanted) = (given.name(), wanted.name());
            let problem = walker.tell("E238", mark(arg));
            problem.values = vec![("name", name.to_string()), ("found", found.to_string()), ("wanted", wanted.to_string())];
        }
    }
}

fn builtin(walker: &mut Walker, name: &str, call: &FnCallExpr, at: Position) -> Ty {
    let args = call.args.as_slice();
    let mut fixed = |params: &[Ty], gives: Ty| {
        arguments(walker, &call.name, args, params, at);
        gives
    };
    match name {
        "days_between" | "working_days_between" => fixed(&[Ty::Date, Ty::Date], Ty::Number),
        "add_working_days" => fixed(&[Ty::Date, Ty::Number], Ty::Date),
        "year_of" | "month_of" => fixed(&[Ty::Date], Ty::Number),
        "starts_with" => fixed(&[Ty::Text, Ty::Text], Ty::YesNo),
        "add" => add(walker, call, at),
        "date" => date(walker, call, at),
        "contains" => contains(walker, call, at),
        "is_set" => match args {
            [value] => {
                walker.infer(value);
                Ty::YesNo
            }
            _ => fixed(&[Ty::Unknown], Ty::YesNo),
        },
        "len" => match args {
            [value] => {
                let ty = walker.infer(value);
                if !matches!(ty.inner(), Ty::List(_)) {
                    argument(walker, &call.name, value, &ty, &Ty::Text);
                }
                Ty::Number
            }
            _ => fixed(&[Ty::Unknown], Ty::Number),
        },
        "min" | "max" => match args {
            [a, b] => {
                let (a_ty, b_ty) = (walker.infer(a), walker.infer(b));
                let wanted = if matches!(a_ty.inner(), Ty::Date) { Ty::Date } else { Ty::Number };
                argument(walker, &call.name, a, &a_ty, &wanted);
                argument(walker, &call.name, b, &b_ty, &wanted);
                wanted
            }
            _ => fixed(&[Ty::Unknown, Ty::Unknown], Ty::Unknown),
        },
        "members" => members(walker, call, at),
        _ => {
            for arg in args {
                walker.infer(arg);
            }
            let own = walker.world.workflow.functions.keys().map(|name| name.to_string());
            let known: Vec<String> = own.chain(FUNCTIONS.iter().map(|(name, _)| name.to_string())).collect();
            let problem = Problem::new("E212", walker.text.place(at));
            walker.problems.push(with_known(problem, &call.name, &known));
            Ty::Unknown
        }
    }
}

/// `add(date, LENGTH)`, where the length may be a constant phrase.
fn add(walker: &mut Walker, call: &FnCallExpr, at: Position) -> Ty {
    if let [date, Expr::StringConstant(phrase, phrase_at)] = call.args.as_slice() {
        let ty = walker.infer(date);
        argument(walker, &call.name, date, &ty, &Ty::Date);
        if Length::parse(phrase).is_none() {
            let problem = walker.tell("E238", *phrase_at);
            problem.variant = Some("length");
            problem.values.push(("text", phrase.to_string()));
        }
    } else {
        arguments(walker, &call.name, &call.args, &[Ty::Date, Ty::Length], at);
    }
    Ty::Date
}

fn date(walker: &mut Walker, call: &FnCallExpr, at: Position) -> Ty {
    match call.args.as_slice() {
        [Expr::StringConstant(text, _)] if text.parse::<Date>().is_ok() => {}
        [Expr::StringConstant(text, text_at)] => {
            let problem = walker.tell("E238", *text_at);
            problem.variant = Some("date");
            problem.values.push(("text", text.to_string()));
        }
        _ => _ = walker.no_form("constant", at),
    }
    Ty::Date
}

/// `contains(list, entry)`, or `contains(text, part)`.
fn contains(walker: &mut Walker, call: &FnCallExpr, at: Position) -> Ty {
    let [whole, part] = call.args.as_slice() else {
        arguments(walker, &call.name, &call.args, &[Ty::Unknown, Ty::Unknown], at);
        return Ty::YesNo;
    };
    let (whole_ty, part_ty) = (walker.infer(whole), walker.infer(part));
    match whole_ty.inner() {
        Ty::List(of) => walker.comparable(&part_ty, of, at),
        _ => {
            argument(walker, &call.name, whole, &whole_ty, &Ty::Text);
            argument(walker, &call.name, part, &part_ty, &Ty::Text);
        }
    }
    Ty::YesNo
}

fn members(walker: &mut Walker, call: &FnCallExpr, at: Position) -> Ty {
    walker.found.passing.insert(Passing::Directory);
    let groups: Vec<Name> =
        walker.world.directory.persons.values().flat_map(|person| person.groups.iter().map(|row| row.value.clone())).collect();
    match call.args.as_slice() {
        [Expr::StringConstant(group, group_at)] if !groups.is_empty() && groups.iter().all(|known| **known != **group) => {
            let mut known = groups;
            known.sort();
            known.dedup();
            let problem = Problem::new("E216", walker.text.place(*group_at)).with("of", "@type.groups");
            walker.problems.push(with_known(problem, group, &known));
        }
        [Expr::StringConstant(..)] => {}
        _ => _ = walker.no_form("constant", at),
    }
    Ty::List(Box::new(Ty::Person))
}

/// A question with a constant in brackets: `branches.assignment.any_late("reply")`.
pub(super) fn question(walker: &mut Walker, of: &Ty, call: &FnCallExpr, at: Position) -> Ty {
    let name = canonical(PROPERTIES, &call.name);
    match (of.inner(), name) {
        (Ty::Unknown, _) => Ty::Unknown,
        (Ty::Item, "any_late" | "was_late") => deadline(walker, None, call, at),
        (Ty::Task(kind), "any_late" | "was_late") => deadline(walker, Some(kind), call, at),
        (Ty::Set(kind), "any_late" | "was_late") => deadline(walker, Some(kind), call, at),
        (Ty::Clock(of), "fired") => rung(walker, of, call, at),
        (Ty::Set(kind), "all_in_state" | "any_in_state") => states(walker, kind, call, at, Ty::YesNo),
        (Ty::Set(kind), "count_in_state" | "share_in_state") => states(walker, kind, call, at, Ty::Number),
        (Ty::Set(kind), "worst") => field(walker, kind, call, at, "@type.choice", |ty| matches!(ty, Ty::Choice(_))).optional(),
        (Ty::Set(kind), "sum") => field(walker, kind, call, at, "@type.number", |ty| *ty == Ty::Number),
        (Ty::Set(kind), "earliest" | "latest") => field(walker, kind, call, at, "@type.date", |ty| *ty == Ty::Date).optional(),
        (Ty::Set(_), _) => {
            let problem = Problem::new("E210", walker.text.place(at)).with("of", of.name());
            walker.problems.push(with_known(problem, &call.name, SET_QUESTIONS));
            Ty::Unknown
        }
        _ => {
            let problem = walker.tell("E215", at);
            problem.variant = Some("method");
            problem.values.push(("name", call.name.to_string()));
            Ty::Unknown
        }
    }
}

/// The one constant text in the brackets.
fn constant<'c>(walker: &mut Walker, call: &'c FnCallExpr, at: Position) -> Option<(&'c str, Position)> {
    match call.args.as_slice() {
        [Expr::StringConstant(text, text_at)] => Some((text.as_str(), *text_at)),
        _ => {
            walker.no_form("constant", at);
            None
        }
    }
}

fn deadline(walker: &mut Walker, branch: Option<&Name>, call: &FnCallExpr, at: Position) -> Ty {
    if let Some((name, name_at)) = constant(walker, call, at) {
        let known = walker.world.deadline_names(branch);
        if known.iter().all(|known| known != name) {
            let problem = Problem::new("E210", walker.text.place(name_at)).with("of", "@type.deadlines");
            walker.problems.push(with_known(problem, name, &known));
        }
    }
    Ty::YesNo
}

fn rung(walker: &mut Walker, deadline: &Name, call: &FnCallExpr, at: Position) -> Ty {
    if let Some((name, name_at)) = constant(walker, call, at) {
        let ladder = walker.world.workflow.deadlines.get(deadline).map(|deadline| deadline.ladder.as_slice()).unwrap_or_default();
        if ladder.iter().all(|rung| *rung.rung != *name) {
            let known: Vec<String> = ladder.iter().map(|rung| rung.rung.to_string()).collect();
            let problem = Problem::new("E210", walker.text.place(name_at)).with("of", "@type.rungs");
            walker.problems.push(with_known(problem, name, &known));
        }
    }
    Ty::YesNo
}

fn states(walker: &mut Walker, kind: &Name, call: &FnCallExpr, at: Position, gives: Ty) -> Ty {
    let known = walker.world.states(Some(kind));
    let [Expr::Array(entries, _)] = call.args.as_slice() else {
        walker.no_form("constant_list", at);
        return gives;
    };
    for entry in entries {
        match entry {
            Expr::StringConstant(state, state_at) if known.iter().all(|known| **known != **state) => {
                let problem = Problem::new("E216", walker.text.place(*state_at)).with("of", "@type.states");
                walker.problems.push(with_known(problem, state, &known));
            }
            Expr::StringConstant(..) => {}
            other => _ = walker.no_form("constant_list", other.start_position()),
        }
    }
    gives
}

/// The type of the field named in the brackets, which must be of a certain kind.
fn field(walker: &mut Walker, kind: &Name, call: &FnCallExpr, at: Position, wanted: &'static str, is: fn(&Ty) -> bool) -> Ty {
    let Some((name, name_at)) = constant(walker, call, at) else { return Ty::Unknown };
    let Some(ty) = walker.world.field(Some(kind), name) else {
        let known = walker.world.fields_of(Some(kind));
        let problem = Problem::new("E210", walker.text.place(name_at)).with("of", "@type.branch");
        walker.problems.push(with_known(problem, name, &known));
        return Ty::Unknown;
    };
    walker.found.gathered.insert(super::Read { branch: Some(kind.clone()), field: name.into() });
    if !is(ty.inner()) {
        let problem = walker.tell("E238", name_at);
        problem.values = vec![("name", call.name.to_string()), ("found", ty.name().to_string()), ("wanted", wanted.to_string())];
        return Ty::Unknown;
    }
    ty.inner().clone()
}
