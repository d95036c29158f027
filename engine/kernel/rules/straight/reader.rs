//! Rhai's syntax tree → nodes. What has no node makes the whole expression Rhai's.

use super::super::api;
use super::super::names::{FUNCTIONS, PROPERTIES, VIEWS, canonical};
use super::super::typing::functions::body_of;
use super::super::typing::tokens::{Arm, What, arms, tokens};
use super::{Built, Node, Order, Property, Start, Sum};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Workflow;
use crate::kernel::model::value::{Type, Value};
use indexmap::IndexMap;
use rhai::{AST, ASTFlags, Expr, FnCallExpr, Position, Stmt, SwitchCasesCollection};
use std::collections::HashMap;
use std::sync::Arc;

/// Reads the expressions of one workflow.
pub(in crate::kernel::rules) struct Reader<'r> {
    workflow: &'r Workflow,
    library: &'r AST,
    files: &'r IndexMap<String, String>,
    functions: HashMap<String, Option<Arc<Node>>>,
    of_input: HashMap<Name, bool>,
}

/// Where an expression stands: its text, and the names of a function's own.
struct Place<'p> {
    source: &'p str,
    /// `None` outside functions, where expressions start from views.
    locals: Option<Vec<String>>,
}

impl<'r> Reader<'r> {
    pub fn new(workflow: &'r Workflow, library: &'r AST, files: &'r IndexMap<String, String>) -> Reader<'r> {
        let of_input = api::inputs(workflow).into_iter().collect();
        Reader { workflow, library, files, functions: HashMap::new(), of_input }
    }

    pub fn expression(&mut self, source: &str, ast: &AST) -> Option<Node> {
        self.statements(ast.statements(), &mut Place { source, locals: None })
    }

    fn function(&mut self, name: &str) -> Option<Arc<Node>> {
        if let Some(known) = self.functions.get(name) {
            return known.clone();
        }
        // Functions that call each other in a circle are refused by the check; here such a call is Rhai's.
        self.functions.insert(name.to_string(), None);
        let read = self.body(name).map(Arc::new);
        self.functions.insert(name.to_string(), read.clone());
        read
    }

    fn body(&mut self, name: &str) -> Option<Node> {
        let function = self.library.iter_fn_def().find(|function| function.name == name)?;
        let file = &self.workflow.functions.get(name)?.file;
        let (_, source) = self.files.iter().find(|(path, _)| path.ends_with(file))?;
        let locals = function.params.iter().map(|param| param.to_string()).collect();
        self.statements(&body_of(self.library, name), &mut Place { source, locals: Some(locals) })
    }

    fn statements(&mut self, statements: &[Stmt], place: &mut Place) -> Option<Node> {
        let meant = statements.iter().rposition(|statement| !statement.is_noop())? + 1;
        let (last, before) = statements[..meant].split_last()?;
        let outer = place.locals.as_ref().map(Vec::len);
        let mut named = Vec::new();
        for statement in before {
            let Stmt::Var(given, ..) = statement else { return None };
            named.push(self.node(&given.1, place)?);
            place.locals.as_mut()?.push(given.0.name.to_string());
        }
        let value = match last {
            Stmt::Expr(expr) => self.node(expr, place),
            Stmt::FnCall(call, _) => self.call(call, place),
            Stmt::If(flow, _) => {
                let condition = self.node(&flow.expr, place)?;
                let then = self.statements(flow.body.statements(), place)?;
                let other = self.statements(flow.branch.statements(), place)?;
                Some(Node::If(Box::new([condition, then, other])))
            }
            Stmt::Switch(parts, at) => self.switch(&parts.0, &parts.1, *at, place),
            _ => None,
        };
        if let (Some(locals), Some(outer)) = (&mut place.locals, outer) {
            locals.truncate(outer);
        }
        if named.is_empty() { value } else { Some(Node::Let(named, Box::new(value?))) }
    }

    fn node(&mut self, expr: &Expr, place: &mut Place) -> Option<Node> {
        Some(match expr {
            Expr::BoolConstant(..) | Expr::IntegerConstant(..) | Expr::StringConstant(..) | Expr::Array(..) => {
                Node::Constant(constant(expr)?)
            }
            Expr::Variable(variable, ..) => match &place.locals {
                Some(locals) => Node::Local(locals.iter().rposition(|local| *local == *variable.1)?),
                None => Node::View(start(&variable.1)?),
            },
            Expr::FnCall(call, _) => self.call(call, place)?,
            Expr::Dot(pair, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
                let base = self.node(&pair.lhs, place)?;
                self.link(base, &pair.rhs)?
            }
            Expr::And(terms, _) => Node::All(self.nodes(terms, place)?),
            Expr::Or(terms, _) => Node::Any(self.nodes(terms, place)?),
            Expr::Coalesce(parts, _) => Node::FirstSet(self.nodes(parts, place)?),
            Expr::Stmt(block) => self.statements(block.statements(), place)?,
            _ => return None,
        })
    }

    fn nodes(&mut self, exprs: &[Expr], place: &mut Place) -> Option<Vec<Node>> {
        exprs.iter().map(|expr| self.node(expr, place)).collect()
    }

    fn link(&mut self, base: Node, link: &Expr) -> Option<Node> {
        match link {
            Expr::Property(property, _) => Some(Node::Get(Box::new(base), self.property(&property.2))),
            Expr::MethodCall(call, _) => {
                let word = Name::from(canonical(PROPERTIES, &call.name));
                match (&*word, call.args.as_slice()) {
                    ("any_late" | "was_late" | "fired" | "worst" | "sum" | "earliest" | "latest", [Expr::StringConstant(name, _)]) => {
                        Some(Node::About(Box::new(base), word, name.as_str().into()))
                    }
                    ("all_in_state" | "any_in_state" | "count_in_state" | "share_in_state", [states @ Expr::Array(..)]) => {
                        let states: Option<Vec<Name>> = constant(states)?.as_list().iter().map(|state| state.as_text().cloned()).collect();
                        Some(Node::InState(Box::new(base), word, states?))
                    }
                    _ => None,
                }
            }
            Expr::Dot(pair, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
                let middle = self.link(base, &pair.lhs)?;
                self.link(middle, &pair.rhs)
            }
            _ => None,
        }
    }

    fn property(&self, name: &str) -> Property {
        let field = self.workflow.fields.get(name).filter(|_| !["id", "flag", "state"].contains(&name));
        let of_task = |name: &str| self.workflow.branches.values().any(|branch| branch.fields.contains_key(name));
        Property {
            name: name.into(),
            word: canonical(PROPERTIES, name).into(),
            of_item: field.map(|field| matches!(field.kind, Type::Branch(_))),
            of_task: name != "state" && (matches!(name, "unit" | "person") || of_task(name)),
            of_input: self.of_input.get(name).copied(),
        }
    }

    fn call(&mut self, call: &FnCallExpr, place: &mut Place) -> Option<Node> {
        let name = call.name.as_str();
        let mut args = self.nodes(&call.args, place)?;
        if name == "contains" && args.len() == 2 {
            let (entry, list) = (Box::new(args.pop()?), Box::new(args.pop()?));
            return Some(Node::In(entry, list));
        }
        if !call.is_operator_call() {
            if self.workflow.functions.contains_key(name) {
                return Some(Node::Call(args, self.function(name)?));
            }
            let (built, takes) = match canonical(FUNCTIONS, name) {
                "is_set" => (Built::IsSet, 1),
                "days_between" => (Built::DaysBetween, 2),
                "working_days_between" => (Built::WorkingDaysBetween, 2),
                "year_of" => (Built::YearOf, 1),
                "month_of" => (Built::MonthOf, 1),
                _ => return None,
            };
            return (args.len() == takes).then_some(Node::Built(built, args));
        }
        let last = Box::new(args.pop()?);
        let Some(first) = args.pop().map(Box::new) else { return (name == "!").then_some(Node::Not(last)) };
        Some(match name {
            "==" => Node::Same(first, last),
            "!=" => Node::Not(Box::new(Node::Same(first, last))),
            "<" => Node::Order(Order::Less, first, last),
            "<=" => Node::Order(Order::LessOrEqual, first, last),
            ">" => Node::Order(Order::More, first, last),
            ">=" => Node::Order(Order::MoreOrEqual, first, last),
            "+" => Node::Sum(Sum::Plus, first, last),
            "-" => Node::Sum(Sum::Minus, first, last),
            "*" => Node::Sum(Sum::Times, first, last),
            _ => return None,
        })
    }

    /// A `switch` over plain texts that says what everything else gives.
    fn switch(&mut self, subject: &Expr, cases: &SwitchCasesCollection, at: Position, place: &mut Place) -> Option<Node> {
        let arms = arms(&tokens(place.source), at);
        if arms.len() != cases.expressions.len() || !cases.ranges.is_empty() {
            return None;
        }
        let (mut rows, mut other) = (Vec::new(), None);
        for (index, (arm, case)) in arms.iter().zip(&cases.expressions).enumerate() {
            if !matches!(case.lhs, Expr::BoolConstant(true, _)) {
                return None;
            }
            let value = self.node(&case.rhs, place)?;
            match cases.def_case == Some(index) {
                true if arm.labels.is_empty() => other = Some(value),
                false if !arm.labels.is_empty() => rows.push((labels(arm)?, value)),
                _ => return None,
            }
        }
        Some(Node::Switch(Box::new(self.node(subject, place)?), rows, Box::new(other?)))
    }
}

fn labels(arm: &Arm) -> Option<Vec<Name>> {
    let plain = |label: &crate::kernel::rules::typing::tokens::Token| label.what == What::Text && !label.text.contains('\\');
    arm.labels.iter().map(|label| plain(label).then(|| Name::from(label.text.as_str()))).collect()
}

fn start(name: &str) -> Option<Start> {
    Some(match canonical(VIEWS, name) {
        "item" => Start::Item,
        "task" => Start::Task,
        "input" => Start::Input,
        "each" => Start::Each,
        "due" => Start::Due,
        "branches" => Start::Branches,
        "param" => Start::Param,
        "today" => Start::Today,
        _ => return None,
    })
}

fn constant(expr: &Expr) -> Option<Value> {
    Some(match expr {
        Expr::BoolConstant(value, _) => Value::Bool(*value),
        Expr::IntegerConstant(value, _) => Value::Number(*value),
        Expr::StringConstant(text, _) => Value::text(text),
        Expr::Array(entries, _) => Value::List(entries.iter().map(constant).collect::<Option<_>>()?),
        _ => return None,
    })
}
