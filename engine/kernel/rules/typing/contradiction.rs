//! Terms joined by `&&` that cannot hold together, and terms joined by `||` of which one always holds: told by what each term leaves of the
//! values that the same name may have. Ranges of numbers and sets of constants are known, nothing else.

use super::walk::{mark, path_of};
use crate::kernel::rules::StateNamed;
use crate::kernel::rules::names::{FUNCTIONS, canonical};
use rhai::{Expr, Position};
use std::collections::BTreeMap;

/// The first term that leaves its name no value after those before it, and the name. With `all` the terms are joined by `&&`, else by `||`.
pub(super) fn first(terms: &[Expr], all: bool) -> Option<(Position, String)> {
    let mut left: BTreeMap<String, Left> = BTreeMap::new();
    let mut flat = Vec::new();
    flatten(terms, all, &mut flat);
    flat.into_iter().find_map(|term| {
        let (name, limit) = limit(term, all)?;
        let left = left.entry(name.clone()).or_default();
        left.narrow(limit);
        left.is_nothing().then(|| (mark(term), name))
    })
}

/// The state of the item (`false`) or branch (`true`) in which a condition can hold, as far as its terms name it.
pub(super) fn states(condition: &Expr, found: &mut Vec<StateNamed>) {
    let mut flat = Vec::new();
    flatten(std::slice::from_ref(condition), true, &mut flat);
    for (name, limit) in flat.into_iter().filter_map(|term| limit(term, true)) {
        let of_branch = match name.as_str() {
            "item.state" => false,
            "task.state" => true,
            _ => continue,
        };
        let (states, is) = match limit {
            Limit::OneOf(states) => (states, true),
            Limit::NoneOf(states) => (states, false),
            Limit::AtLeast(_) | Limit::AtMost(_) => continue,
        };
        let states = states.iter().map(|state| state.trim_matches('"').into()).collect();
        found.push(StateNamed { of_branch, states, is });
    }
}

fn flatten<'e>(terms: &'e [Expr], all: bool, flat: &mut Vec<&'e Expr>) {
    for term in terms {
        match term {
            Expr::And(inner, _) if all => flatten(inner, all, flat),
            Expr::Or(inner, _) if !all => flatten(inner, all, flat),
            term => flat.push(term),
        }
    }
}

/// What is left of the values of a name.
struct Left {
    low: i64,
    high: i64,
    /// One of these, once anything says so.
    one_of: Option<Vec<String>>,
    none_of: Vec<String>,
}

impl Default for Left {
    fn default() -> Left {
        Left { low: i64::MIN, high: i64::MAX, one_of: None, none_of: Vec::new() }
    }
}

enum Limit {
    AtLeast(i64),
    AtMost(i64),
    OneOf(Vec<String>),
    NoneOf(Vec<String>),
}

impl Left {
    fn narrow(&mut self, limit: Limit) {
        match limit {
            Limit::AtLeast(low) => self.low = self.low.max(low),
            Limit::AtMost(high) => self.high = self.high.min(high),
            Limit::OneOf(values) => match &mut self.one_of {
                Some(before) => before.retain(|value| values.contains(value)),
                None => self.one_of = Some(values),
            },
            Limit::NoneOf(values) => self.none_of.extend(values),
        }
    }

    fn is_nothing(&self) -> bool {
        let in_range = |value: &String| value.parse().map_or(true, |number: i64| (self.low..=self.high).contains(&number));
        let possible = |value: &&String| !self.none_of.contains(value) && in_range(value);
        let single = self.low == self.high && self.none_of.contains(&self.low.to_string());
        self.low > self.high || single || self.one_of.as_ref().is_some_and(|values| !values.iter().any(|value| possible(&value)))
    }
}

/// What a term says of a name when it holds, or, unless `holds`, when it does not.
fn limit(term: &Expr, holds: bool) -> Option<(String, Limit)> {
    let yes_or_no = |name: String, holds: bool| (name, Limit::OneOf(vec![holds.to_string()]));
    let call = match term {
        Expr::FnCall(call, _) => call,
        other => return path_of(other).map(|name| yes_or_no(name, holds)),
    };
    match (call.name.as_str(), call.args.as_slice()) {
        ("!", [inner]) => limit(inner, !holds),
        (name, [value]) if canonical(FUNCTIONS, name) == "is_set" => Some(yes_or_no(format!("is_set({})", path_of(value)?), holds)),
        ("contains", [Expr::Array(entries, _), value]) => {
            let entries: Option<Vec<String>> = entries.iter().map(constant).collect();
            Some((path_of(value)?, if holds { Limit::OneOf(entries?) } else { Limit::NoneOf(entries?) }))
        }
        (operator, [a, b]) => match (path_of(a), constant(b)) {
            (Some(name), Some(value)) => Some((name, compared(operator, value, holds)?)),
            _ => Some((path_of(b)?, compared(turned(operator)?, constant(a)?, holds)?)),
        },
        _ => None,
    }
}

fn compared(operator: &str, value: String, holds: bool) -> Option<Limit> {
    let operator = match (operator, holds) {
        (operator, true) => operator,
        ("==", false) => "!=",
        ("!=", false) => "==",
        ("<", false) => ">=",
        ("<=", false) => ">",
        (">", false) => "<=",
        (">=", false) => "<",
        _ => return None,
    };
    let number = || value.parse::<i64>().ok();
    Some(match operator {
        "==" => Limit::OneOf(vec![value]),
        "!=" => Limit::NoneOf(vec![value]),
        "<" => Limit::AtMost(number()?.checked_sub(1)?),
        "<=" => Limit::AtMost(number()?),
        ">" => Limit::AtLeast(number()?.checked_add(1)?),
        ">=" => Limit::AtLeast(number()?),
        _ => return None,
    })
}

/// The same comparison read from its other side.
fn turned(operator: &str) -> Option<&str> {
    Some(match operator {
        "==" | "!=" => operator,
        "<" => ">",
        "<=" => ">=",
        ">" => "<",
        ">=" => "<=",
        _ => return None,
    })
}

fn constant(expr: &Expr) -> Option<String> {
    match expr {
        Expr::BoolConstant(value, _) => Some(value.to_string()),
        Expr::IntegerConstant(value, _) => Some(value.to_string()),
        // Told apart from the number that it may look like.
        Expr::StringConstant(text, _) => Some(format!("\"{text}\"")),
        _ => None,
    }
}
