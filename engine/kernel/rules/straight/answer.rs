//! Nodes and a view → the value. `None` wherever Rhai has to be asked.

use super::super::{View, api, program::Compiled};
use super::{Built, Node, Order, Property, Start, Sum};
use crate::kernel::model::Name;
use crate::kernel::model::item::{Branch, Clock, Item};
use crate::kernel::model::value::Value;
use crate::kernel::time::{Date, Length};
use chrono::Datelike;
use std::rc::Rc;

/// Far from Rhai's limits, which are Rhai's to tell: steps, functions inside each other, and the size of what is read.
const MOST_STEPS: u32 = 1_000;
const DEEPEST: u32 = 8;
const LONGEST_TEXT: usize = 4_096;
const LONGEST_LIST: usize = 100;

/// A value on the way, borrowed from the item or the rules.
#[derive(Clone)]
enum Seen<'a> {
    Empty,
    Bool(bool),
    Number(i64),
    Text(&'a str),
    Date(Date),
    Length(Length),
    List(&'a [Value]),
    Item,
    Task(u32),
    Input,
    Due,
    Clock(&'a Name, Option<u32>),
    Branches,
    /// Branches of a kind: all, or those of these numbers.
    Set(&'a Name, Option<Rc<[u32]>>),
    Param,
}

struct Run<'a> {
    compiled: &'a Compiled,
    view: &'a View,
    task: Option<u32>,
    steps: u32,
    depth: u32,
}

/// What the expression gives on this view, if that can be said without Rhai.
pub(in crate::kernel::rules) fn answer(compiled: &Compiled, node: &Node, view: &View) -> Option<Value> {
    let mut run = Run { compiled, view, task: view.task, steps: MOST_STEPS, depth: 0 };
    Some(match run.value(node, &mut Vec::new())? {
        Seen::Empty => Value::Empty,
        Seen::Bool(yes) => Value::Bool(yes),
        Seen::Number(number) => Value::Number(number),
        Seen::Text(text) => Value::text(text),
        Seen::Date(date) => Value::Date(date),
        Seen::Length(length) => Value::Length(length),
        Seen::List(list) => Value::List(list.to_vec()),
        Seen::Task(no) => Value::Number(i64::from(no)),
        _ => return None,
    })
}

impl<'a> Run<'a> {
    fn value(&mut self, node: &'a Node, locals: &mut Vec<Seen<'a>>) -> Option<Seen<'a>> {
        self.steps = self.steps.checked_sub(1)?;
        Some(match node {
            Node::Constant(value) => seen(value)?,
            Node::View(start) => self.start(*start)?,
            Node::Local(index) => locals.get(*index)?.clone(),
            Node::Get(of, property) => {
                let of = self.value(of, locals)?;
                self.property(of, property)?
            }
            Node::About(of, word, name) => {
                let of = self.value(of, locals)?;
                self.about(of, word, name)?
            }
            Node::InState(of, word, states) => {
                let Seen::Set(kind, numbers) = self.value(of, locals)? else { return None };
                in_state(&self.view.item, kind, numbers.as_deref(), word, states)?
            }
            Node::Not(inner) => Seen::Bool(!self.yes(inner, locals)?),
            Node::All(terms) => {
                for term in terms {
                    if !self.yes(term, locals)? {
                        return Some(Seen::Bool(false));
                    }
                }
                Seen::Bool(true)
            }
            Node::Any(terms) => {
                for term in terms {
                    if self.yes(term, locals)? {
                        return Some(Seen::Bool(true));
                    }
                }
                Seen::Bool(false)
            }
            Node::FirstSet(parts) => {
                let mut value = Seen::Empty;
                for part in parts {
                    value = self.value(part, locals)?;
                    if !matches!(value, Seen::Empty) {
                        break;
                    }
                }
                value
            }
            Node::Same(a, b) => {
                let (a, b) = (self.value(a, locals)?, self.value(b, locals)?);
                Seen::Bool(same(&a, &b)?)
            }
            Node::Order(order, a, b) => {
                let ordering = match (self.value(a, locals)?, self.value(b, locals)?) {
                    (Seen::Number(a), Seen::Number(b)) => a.cmp(&b),
                    (Seen::Date(a), Seen::Date(b)) => a.cmp(&b),
                    _ => return None,
                };
                Seen::Bool(match order {
                    Order::Less => ordering.is_lt(),
                    Order::LessOrEqual => ordering.is_le(),
                    Order::More => ordering.is_gt(),
                    Order::MoreOrEqual => ordering.is_ge(),
                })
            }
            Node::Sum(sum, a, b) => {
                let (Seen::Number(a), Seen::Number(b)) = (self.value(a, locals)?, self.value(b, locals)?) else { return None };
                Seen::Number(match sum {
                    Sum::Plus => a.checked_add(b)?,
                    Sum::Minus => a.checked_sub(b)?,
                    Sum::Times => a.checked_mul(b)?,
                })
            }
            Node::In(entry, list) => {
                // Rhai asks for the list first.
                let list = self.value(list, locals)?;
                let entry = self.value(entry, locals)?;
                Seen::Bool(contains(&list, &entry)?)
            }
            Node::Built(built, args) => self.built(*built, args, locals)?,
            Node::If(parts) => {
                let [condition, then, other] = &**parts;
                let way = if self.yes(condition, locals)? { then } else { other };
                self.value(way, locals)?
            }
            Node::Switch(subject, rows, other) => {
                let subject = self.value(subject, locals)?;
                let row = match subject {
                    Seen::Text(text) => rows.iter().find(|(labels, _)| labels.iter().any(|label| **label == *text)),
                    _ => None,
                };
                self.value(row.map_or(&**other, |(_, value)| value), locals)?
            }
            Node::Let(named, last) => {
                let outer = locals.len();
                for value in named {
                    let value = self.value(value, locals)?;
                    locals.push(value);
                }
                let value = self.value(last, locals)?;
                locals.truncate(outer);
                value
            }
            Node::Call(args, body) => {
                let mut own = Vec::with_capacity(args.len() + 2);
                for arg in args {
                    own.push(self.value(arg, locals)?);
                }
                self.depth += 1;
                if self.depth > DEEPEST {
                    return None;
                }
                let value = self.value(body, &mut own)?;
                self.depth -= 1;
                value
            }
        })
    }

    fn yes(&mut self, node: &'a Node, locals: &mut Vec<Seen<'a>>) -> Option<bool> {
        match self.value(node, locals)? {
            Seen::Bool(yes) => Some(yes),
            _ => None,
        }
    }

    fn start(&self, start: Start) -> Option<Seen<'a>> {
        Some(match start {
            Start::Item => Seen::Item,
            Start::Task => self.task.map_or(Seen::Empty, Seen::Task),
            Start::Input => Seen::Input,
            Start::Each => seen(&self.view.each)?,
            Start::Due => Seen::Due,
            Start::Branches => Seen::Branches,
            Start::Param => Seen::Param,
            Start::Today => Seen::Date(self.view.today),
        })
    }

    fn property(&mut self, of: Seen<'a>, property: &'a Property) -> Option<Seen<'a>> {
        let (view, name, word) = (self.view, &property.name, &*property.word);
        let setting = &view.setting;
        let workflow = &setting.workflow;
        match of {
            Seen::Item => match (property.of_item, word) {
                (Some(pointer), _) => self.pointed(pointer, view.item.field(name)),
                (None, "id") => Some(Seen::Text(&view.item.id)),
                (None, "state") => Some(Seen::Text(&view.item.state)),
                (None, "flag") => Some(view.item.flag.map_or(Seen::Empty, |flag| Seen::Text(api::flag_word(flag)))),
                _ => None,
            },
            Seen::Task(no) => match word {
                _ if property.of_task => self.task_field(no, name),
                "unit" | "person" => self.task_field(no, word),
                "state" => Some(view.item.branch(no).map_or(Seen::Empty, |branch| Seen::Text(&branch.state))),
                _ => None,
            },
            Seen::Input => self.pointed(property.of_input?, view.input.get(name).unwrap_or(&Value::Empty)),
            Seen::Param => seen(&workflow.params.get(name)?.on(view.today)?.value),
            Seen::Due => {
                let (name, deadline) = workflow.deadlines.get_key_value(name)?;
                Some(Seen::Clock(name, if deadline.branch.is_some() { self.task } else { None }))
            }
            Seen::Clock(deadline, branch) => {
                let clock = view.item.clock(deadline, branch);
                Some(match word {
                    "date" => clock.and_then(|clock| clock.due.as_ref()).map_or(Seen::Empty, |due| Seen::Date(due.date)),
                    "running" => Seen::Bool(clock.is_some_and(Clock::is_running)),
                    "was_late" => Seen::Bool(api::ran_late(view, deadline, branch)),
                    word => Seen::Number(api::clock_number(word)?(view, clock)),
                })
            }
            Seen::Branches => workflow.branches.get_key_value(name).map(|(kind, _)| Seen::Set(kind, None)),
            Seen::Set(kind, numbers) => {
                let mut counted = branches(&view.item, kind, numbers.as_deref()).filter(|branch| !branch.cancelled);
                match word {
                    "any" => Some(Seen::Bool(counted.next().is_some())),
                    "all_ended" => Some(Seen::Bool(counted.all(|branch| branch.ended))),
                    "count" => Some(Seen::Number(counted.count() as i64)),
                    "count_open" => Some(Seen::Number(counted.filter(|branch| !branch.ended).count() as i64)),
                    "open_units" | "units" | "open_persons" | "persons" => None,
                    _ => self.narrowed(kind, numbers.as_deref(), name),
                }
            }
            Seen::Empty => match word {
                "len" => Some(Seen::Number(0)),
                "kind" | "parent" | "committee" | "state" => Some(Seen::Empty),
                _ => property.of_task.then_some(Seen::Empty),
            },
            Seen::Text(text) => {
                let unit = || setting.directory.standing_for(text, view.today);
                let name = match word {
                    "len" => return Some(Seen::Number(text.chars().count() as i64)),
                    "kind" => unit().and_then(|unit| unit.kind.as_ref()),
                    "parent" => unit().and_then(|unit| unit.parent_on(view.today)),
                    "committee" => unit().and_then(|unit| unit.committee_on(view.today)),
                    _ => return None,
                };
                Some(name.map_or(Seen::Empty, |name| Seen::Text(name)))
            }
            Seen::List(list) if word == "len" => Some(Seen::Number(list.len() as i64)),
            _ => None,
        }
    }

    fn task_field(&self, no: u32, name: &str) -> Option<Seen<'a>> {
        match api::task_field(self.view, no, name) {
            Some((pointer, value)) => self.pointed(pointer, value),
            None => Some(Seen::Empty),
        }
    }

    /// A pointer to a branch is followed.
    fn pointed(&self, pointer: bool, value: &'a Value) -> Option<Seen<'a>> {
        match value {
            Value::Number(no) if pointer => {
                let no = u32::try_from(*no).ok().filter(|no| self.view.item.branch(*no).is_some());
                Some(no.map_or(Seen::Empty, Seen::Task))
            }
            value => seen(value),
        }
    }

    /// The branches of the set for which the view's condition holds. Each is asked, as Rhai does.
    fn narrowed(&mut self, kind: &'a Name, numbers: Option<&[u32]>, name: &str) -> Option<Seen<'a>> {
        let condition = self.view.setting.workflow.branches.get(kind)?.views.get(name)?;
        let node = self.compiled.straight(condition)?;
        let outer = self.task;
        let mut kept = Vec::new();
        let view = self.view;
        for branch in branches(&view.item, kind, numbers) {
            self.task = Some(branch.no);
            if self.yes(node, &mut Vec::new())? {
                kept.push(branch.no);
            }
        }
        self.task = outer;
        Some(Seen::Set(kind, Some(kept.into())))
    }

    fn about(&mut self, of: Seen<'a>, word: &str, name: &'a Name) -> Option<Seen<'a>> {
        let view = self.view;
        let late = move |of: &dyn Fn(Option<u32>) -> bool| match word {
            "any_late" => Some(Seen::Bool(api::late_now(view, name, of))),
            "was_late" => Some(Seen::Bool(api::late_ever(view, name, of))),
            _ => None,
        };
        let (kind, numbers) = match of {
            Seen::Clock(deadline, branch) if word == "fired" => return Some(Seen::Bool(api::has_fired(view, deadline, branch, name))),
            Seen::Item => return late(&|_| true),
            Seen::Task(no) => return late(&|branch| branch == Some(no)),
            Seen::Set(kind, numbers) => (kind, numbers),
            _ => return None,
        };
        let counted = || branches(&view.item, kind, numbers.as_deref()).filter(|branch| !branch.cancelled);
        let dates = || counted().filter_map(|branch| branch.fields.get(name)?.as_date());
        Some(match word {
            "worst" => api::worst(view, kind, name, counted()).map_or(Seen::Empty, |option| Seen::Text(option)),
            "sum" => Seen::Number(api::sum(name, counted())?),
            "earliest" => dates().min().map_or(Seen::Empty, Seen::Date),
            "latest" => dates().max().map_or(Seen::Empty, Seen::Date),
            _ => return late(&|branch| branch.is_some_and(|no| counted().any(|branch| branch.no == no))),
        })
    }

    fn built(&mut self, built: Built, args: &'a [Node], locals: &mut Vec<Seen<'a>>) -> Option<Seen<'a>> {
        let first = self.value(args.first()?, locals)?;
        let second = match args.get(1) {
            Some(arg) => self.value(arg, locals)?,
            None => Seen::Empty,
        };
        Some(match (built, first, second) {
            (Built::IsSet, value, _) => Seen::Bool(match value {
                Seen::Empty => false,
                Seen::Text(text) => !text.is_empty(),
                Seen::List(list) => !list.is_empty(),
                _ => true,
            }),
            (Built::DaysBetween, Seen::Date(from), Seen::Date(to)) => Seen::Number((to - from).num_days()),
            (Built::WorkingDaysBetween, Seen::Date(from), Seen::Date(to)) => {
                Seen::Number(self.view.setting.calendar.working_days_between(from, to))
            }
            (Built::YearOf, Seen::Date(date), _) => Seen::Number(i64::from(date.year())),
            (Built::MonthOf, Seen::Date(date), _) => Seen::Number(i64::from(date.month())),
            _ => return None,
        })
    }
}

fn branches<'a, 'n>(item: &'a Item, kind: &'n str, numbers: Option<&'n [u32]>) -> impl Iterator<Item = &'a Branch> + use<'a, 'n> {
    let all = item.branches.iter().map(|branch| &**branch).filter(move |branch| *branch.kind == *kind);
    all.filter(move |branch| numbers.is_none_or(|numbers| numbers.contains(&branch.no)))
}

fn in_state<'a>(item: &Item, kind: &str, numbers: Option<&[u32]>, word: &str, states: &[Name]) -> Option<Seen<'a>> {
    let there = |branch: &&Branch| states.contains(&branch.state);
    let all = || branches(item, kind, numbers);
    let counted = || all().filter(|branch| !branch.cancelled);
    Some(match word {
        "all_in_state" => Seen::Bool(counted().all(|branch| there(&branch))),
        "any_in_state" => Seen::Bool(all().any(|branch| there(&branch))),
        "count_in_state" => Seen::Number(all().filter(there).count() as i64),
        "share_in_state" => {
            let (whole, part) = (counted().count() as i64, counted().filter(there).count() as i64);
            Seen::Number(part.checked_mul(100).and_then(|part| part.checked_div(whole)).unwrap_or(0))
        }
        _ => return None,
    })
}

/// As for operators: an empty value is simply unequal.
fn same(a: &Seen, b: &Seen) -> Option<bool> {
    Some(match (a, b) {
        (Seen::Empty, Seen::Empty) => true,
        (Seen::Empty, _) | (_, Seen::Empty) => false,
        (Seen::Text(a), Seen::Text(b)) => a == b,
        (Seen::Number(a), Seen::Number(b)) => a == b,
        (Seen::Bool(a), Seen::Bool(b)) => a == b,
        (Seen::Date(a), Seen::Date(b)) => a == b,
        (Seen::Length(a), Seen::Length(b)) => a == b,
        (Seen::Task(a), Seen::Task(b)) => a == b,
        (Seen::List(a), Seen::List(b)) => {
            if a.len() != b.len() {
                return Some(false);
            }
            for (a, b) in a.iter().zip(*b) {
                if !same(&seen(a)?, &seen(b)?)? {
                    return Some(false);
                }
            }
            true
        }
        _ => return None,
    })
}

fn contains(list: &Seen, entry: &Seen) -> Option<bool> {
    match (list, entry) {
        (Seen::Empty, _) => Some(false),
        (Seen::Text(text), Seen::Text(part)) => Some(text.contains(part)),
        (Seen::List(list), entry) => {
            for other in *list {
                if same(&seen(other)?, entry)? {
                    return Some(true);
                }
            }
            Some(false)
        }
        _ => None,
    }
}

/// A value as it is kept. Records, and what is large, are left to Rhai.
fn seen(value: &Value) -> Option<Seen<'_>> {
    Some(match value {
        Value::Empty => Seen::Empty,
        Value::Bool(yes) => Seen::Bool(*yes),
        Value::Number(number) => Seen::Number(*number),
        Value::Text(text) => {
            if text.len() > LONGEST_TEXT {
                return None;
            }
            Seen::Text(text)
        }
        Value::Date(date) => Seen::Date(*date),
        Value::Length(length) => Seen::Length(*length),
        Value::List(list) => {
            let small = |entry: &Value| match entry {
                Value::Text(text) => text.len() <= LONGEST_LIST,
                Value::List(_) | Value::Record(_) => false,
                _ => true,
            };
            if list.len() > LONGEST_LIST || !list.iter().all(small) {
                return None;
            }
            Seen::List(list)
        }
        Value::Record(_) => return None,
    })
}
