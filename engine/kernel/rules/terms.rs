//! Rhai's syntax tree → terms: what an expression says, without a word of Rhai, for those who put it into sentences or compare it.
//!
//! Names keep their spelling, but for views and built-in functions, which have one name each. What has no term is left out.

use super::engine;
use super::names::{FUNCTIONS, PROPERTIES, VIEWS, canonical};
use super::typing::functions::body_of;
use super::typing::tokens::{Arm, What, arms, tokens};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{self, Workflow};
use indexmap::IndexMap;
use rhai::{AST, ASTFlags, Engine, Expr, FnCallExpr, Position, Stmt, SwitchCasesCollection};
use std::collections::HashMap;

/// An expression, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Term {
    Text(Name),
    Number(i64),
    YesNo(bool),
    List(Vec<Term>),
    /// A view, or a parameter of the function at hand.
    Name(Name),
    Property(Box<Term>, Name),
    /// `any_late("reply")`, `all_in_state([…])`: what is asked, and about what.
    Question(Box<Term>, Name, Vec<Term>),
    /// A built-in or declared function.
    Call(Name, Vec<Term>),
    Not(Box<Term>),
    All(Vec<Term>),
    Any(Vec<Term>),
    /// `a ?? b`: the first that has a value.
    FirstSet(Vec<Term>),
    /// `== != < <= > >=`
    Compare(&'static str, Box<Term>, Box<Term>),
    /// The entry, and what may hold it.
    In(Box<Term>, Box<Term>),
    /// `+ - *`
    Sum(&'static str, Box<Term>, Box<Term>),
    If(Box<[Term; 3]>),
    /// The subject, labels with what they give, and what everything else gives.
    Switch(Box<Term>, Vec<(Vec<Term>, Term)>, Option<Box<Term>>),
}

/// The terms of one workflow.
#[derive(Debug)]
pub struct Terms {
    /// By the ids of the expressions.
    expressions: Vec<Option<Term>>,
    functions: HashMap<Name, Term>,
}

impl Terms {
    /// `files` are those of the rule set, by path.
    pub fn read(workflow: &Workflow, files: &IndexMap<String, String>) -> Terms {
        let mut engine = engine::build(workflow);
        engine.set_strict_variables(false);
        let expression = |expr: &definition::Expr| {
            let ast = engine.compile_expression(&*expr.source).ok()?;
            Reader { source: &expr.source }.statements(ast.statements(), &HashMap::new())
        };
        let expressions = workflow.expressions.iter().map(expression).collect();
        Terms { expressions, functions: functions(&engine, workflow, files) }
    }

    pub fn of(&self, expr: &definition::Expr) -> Option<&Term> {
        self.expressions.get(expr.id as usize)?.as_ref()
    }

    /// What a declared function gives, in terms of its parameters.
    pub fn function(&self, name: &str) -> Option<&Term> {
        self.functions.get(name)
    }
}

/// The English name of a property of the language, whichever way it is spelt.
pub fn property(spelt: &str) -> &str {
    canonical(PROPERTIES, spelt)
}

fn functions(engine: &Engine, workflow: &Workflow, files: &IndexMap<String, String>) -> HashMap<Name, Term> {
    let mut compiled: HashMap<&str, (AST, &str)> = HashMap::new();
    let mut found = HashMap::new();
    for (name, function) in &workflow.functions {
        let file = function.file.as_str();
        let Some(source) = files.iter().find(|(path, _)| path.ends_with(file)).map(|(_, text)| text.as_str()) else { continue };
        if !compiled.contains_key(file)
            && let Ok(ast) = engine.compile(source)
        {
            compiled.insert(file, (ast, source));
        }
        let Some((ast, source)) = compiled.get(file) else { continue };
        let term = Reader { source }.statements(&body_of(ast, name), &HashMap::new());
        found.extend(term.map(|term| (name.clone(), term)));
    }
    found
}

/// Reads one text.
struct Reader<'r> {
    source: &'r str,
}

/// What `let` named: the name stands for its value.
type Named = HashMap<String, Term>;

impl Reader<'_> {
    fn statements(&self, statements: &[Stmt], named: &Named) -> Option<Term> {
        let meant = statements.iter().rposition(|statement| !statement.is_noop())? + 1;
        let (last, before) = statements[..meant].split_last()?;
        let mut named = named.clone();
        for statement in before {
            let Stmt::Var(given, ..) = statement else { return None };
            let value = self.term(&given.1, &named)?;
            named.insert(given.0.name.to_string(), value);
        }
        match last {
            Stmt::Expr(expr) => self.term(expr, &named),
            Stmt::FnCall(call, _) => self.call(call, &named),
            Stmt::If(flow, _) => {
                let condition = self.term(&flow.expr, &named)?;
                let then = self.statements(flow.body.statements(), &named)?;
                let other = self.statements(flow.branch.statements(), &named)?;
                Some(Term::If(Box::new([condition, then, other])))
            }
            Stmt::Switch(parts, at) => self.switch(&parts.0, &parts.1, *at, &named),
            _ => None,
        }
    }

    fn term(&self, expr: &Expr, named: &Named) -> Option<Term> {
        Some(match expr {
            Expr::BoolConstant(value, _) => Term::YesNo(*value),
            Expr::IntegerConstant(value, _) => Term::Number(*value),
            Expr::StringConstant(text, _) => Term::Text(text.as_str().into()),
            Expr::Array(entries, _) => Term::List(self.terms(entries, named)?),
            Expr::Variable(variable, ..) => match named.get(variable.1.as_str()) {
                Some(value) => value.clone(),
                None => Term::Name(canonical(VIEWS, &variable.1).into()),
            },
            Expr::FnCall(call, _) => self.call(call, named)?,
            Expr::Dot(pair, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
                let base = self.term(&pair.lhs, named)?;
                self.link(base, &pair.rhs, named)?
            }
            Expr::And(terms, _) => Term::All(self.terms(terms, named)?),
            Expr::Or(terms, _) => Term::Any(self.terms(terms, named)?),
            Expr::Coalesce(parts, _) => Term::FirstSet(self.terms(parts, named)?),
            Expr::Stmt(block) => self.statements(block.statements(), named)?,
            _ => return None,
        })
    }

    fn terms(&self, exprs: &[Expr], named: &Named) -> Option<Vec<Term>> {
        exprs.iter().map(|expr| self.term(expr, named)).collect()
    }

    fn link(&self, base: Term, link: &Expr, named: &Named) -> Option<Term> {
        match link {
            Expr::Property(property, _) => Some(Term::Property(Box::new(base), property.2.as_str().into())),
            Expr::MethodCall(call, _) => {
                let question = canonical(PROPERTIES, &call.name).into();
                Some(Term::Question(Box::new(base), question, self.terms(&call.args, named)?))
            }
            Expr::Dot(pair, flags, _) if !flags.contains(ASTFlags::NEGATED) => {
                let middle = self.link(base, &pair.lhs, named)?;
                self.link(middle, &pair.rhs, named)
            }
            _ => None,
        }
    }

    fn call(&self, call: &FnCallExpr, named: &Named) -> Option<Term> {
        let name = call.name.as_str();
        let mut args = self.terms(&call.args, named)?;
        if !call.is_operator_call() && name != "contains" {
            return Some(Term::Call(canonical(FUNCTIONS, name).into(), args));
        }
        if name == "contains" && args.len() == 2 {
            let (entry, list) = (Box::new(args.pop()?), Box::new(args.pop()?));
            return Some(Term::In(entry, list));
        }
        let last = Box::new(args.pop()?);
        let Some(first) = args.pop().map(Box::new) else { return (name == "!").then_some(Term::Not(last)) };
        let compared = ["==", "!=", "<", "<=", ">", ">="].into_iter().find(|sign| *sign == name);
        let computed = ["+", "-", "*"].into_iter().find(|sign| *sign == name);
        match (compared, computed) {
            (Some(sign), _) => Some(Term::Compare(sign, first, last)),
            (_, Some(sign)) => Some(Term::Sum(sign, first, last)),
            _ => None,
        }
    }

    fn switch(&self, subject: &Expr, cases: &SwitchCasesCollection, at: Position, named: &Named) -> Option<Term> {
        let arms = arms(&tokens(self.source), at);
        if arms.len() != cases.expressions.len() || !cases.ranges.is_empty() {
            return None;
        }
        let (mut rows, mut other) = (Vec::new(), None);
        for (index, (arm, case)) in arms.iter().zip(&cases.expressions).enumerate() {
            let value = self.term(&case.rhs, named)?;
            match cases.def_case == Some(index) {
                true => other = Some(Box::new(value)),
                false if !arm.guarded && !arm.labels.is_empty() => rows.push((labels(arm)?, value)),
                false => return None,
            }
        }
        Some(Term::Switch(Box::new(self.term(subject, named)?), rows, other))
    }
}

fn labels(arm: &Arm) -> Option<Vec<Term>> {
    let label = |token: &super::typing::tokens::Token| match (token.what, token.text.as_str()) {
        (What::Text, text) if !text.contains('\\') => Some(Term::Text(text.into())),
        (What::Number, number) => number.parse().ok().map(Term::Number),
        (What::Word, "true") => Some(Term::YesNo(true)),
        (What::Word, "false") => Some(Term::YesNo(false)),
        _ => None,
    };
    arm.labels.iter().map(label).collect()
}
