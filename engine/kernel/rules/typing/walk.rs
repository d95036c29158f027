//! Types one expression, or the body of one function, by walking Rhai's syntax tree, and tells every mistake on the way.

use super::Found;
use super::calls;
use super::contradiction;
use super::report::{Text, may_be_empty, with_known};
use super::surface::World;
use super::tokens::{What, arms};
use super::types::{Ty, Word, join};
use crate::kernel::model::definition::Scope;
use crate::kernel::model::problem::Problem;
use crate::kernel::rules::Passing;
use crate::kernel::rules::names::{FUNCTIONS, VIEWS, canonical};
use rhai::{ASTFlags, BinaryExpr, Expr, FlowControl, FnCallExpr, Position, Stmt, SwitchCasesCollection};

pub(super) struct Walker<'w> {
    pub world: &'w World<'w>,
    pub text: &'w Text,
    pub problems: Vec<Problem>,
    pub found: Found,
    names: Names<'w>,
    /// What is known not to be empty here, as it is written (`item.promised_on`).
    filled: Vec<String>,
    /// Parameters and `let` names that were used.
    pub used: Vec<String>,
    /// Whether `task` may be a branch of any kind, or none.
    pub any_task: bool,
}

/// Which names an expression may start from.
enum Names<'w> {
    /// The views of its place.
    Views(&'w Scope),
    /// The parameters of a function, and what `let` named so far.
    Locals(Vec<(String, Ty)>),
}

impl<'w> Walker<'w> {
    pub fn inline(world: &'w World<'w>, text: &'w Text, scope: &'w Scope) -> Walker<'w> {
        Walker::new(world, text, Names::Views(scope))
    }

    pub fn function(world: &'w World<'w>, text: &'w Text, params: Vec<(String, Ty)>) -> Walker<'w> {
        Walker::new(world, text, Names::Locals(params))
    }

    fn new(world: &'w World<'w>, text: &'w Text, names: Names<'w>) -> Walker<'w> {
        Walker { world, text, problems: Vec::new(), found: Found::default(), names, filled: Vec::new(), used: Vec::new(), any_task: false }
    }

    pub fn finish(self) -> (Found, Vec<Problem>) {
        (self.found, self.problems)
    }

    pub fn tell(&mut self, code: &'static str, at: Position) -> &mut Problem {
        let problem = Problem::new(code, self.text.place(at));
        self.problems.push(problem);
        self.problems.last_mut().expect("one was just pushed")
    }

    /// A form of Rhai that rules do not have (E215).
    pub fn no_form(&mut self, variant: &'static str, at: Position) -> Ty {
        self.tell("E215", at).variant = Some(variant);
        Ty::Unknown
    }

    /// The value of a block: names given by `let`, and a last expression.
    pub fn statements(&mut self, statements: &[Stmt]) -> Ty {
        let depth = self.locals();
        let meant = statements.iter().rposition(|statement| !statement.is_noop()).map_or(0, |last| last + 1);
        let mut value = Ty::Nothing;
        for (index, statement) in statements[..meant].iter().enumerate() {
            let last = index + 1 == meant;
            value = match statement {
                Stmt::Var(named, _, at) => {
                    self.name_value(&named.0.name, &named.1, *at);
                    Ty::Nothing
                }
                Stmt::Expr(expr) if last => self.infer(expr),
                Stmt::FnCall(call, at) if last => calls::call(self, call, *at),
                Stmt::If(flow, at) if last => self.if_else(flow, *at),
                Stmt::Switch(parts, at) if last => self.switch(&parts.0, &parts.1, *at),
                Stmt::Expr(_) | Stmt::FnCall(..) | Stmt::If(..) | Stmt::Switch(..) => self.no_form("no_effect", statement.position()),
                Stmt::Assignment(_) => self.no_form("assignment", statement.position()),
                other => self.no_form("statement", other.position()),
            };
        }
        self.leave(depth);
        value
    }

    fn locals(&self) -> usize {
        match &self.names {
            Names::Views(_) => 0,
            Names::Locals(locals) => locals.len(),
        }
    }

    fn leave(&mut self, depth: usize) {
        if let Names::Locals(locals) = &mut self.names {
            locals.truncate(depth);
        }
    }

    fn name_value(&mut self, name: &str, value: &Expr, at: Position) {
        let ty = match value {
            Expr::Unit(_) => self.no_form("no_value", at),
            value => self.infer(value),
        };
        match &mut self.names {
            Names::Locals(locals) => locals.push((name.to_string(), ty)),
            Names::Views(_) => _ = self.no_form("statement", at),
        }
    }

    pub fn infer(&mut self, expr: &Expr) -> Ty {
        match expr {
            Expr::BoolConstant(..) => Ty::YesNo,
            Expr::IntegerConstant(..) => Ty::Number,
            Expr::StringConstant(text, at) => Ty::Words(vec![Word { text: text.to_string(), at: *at }]),
            Expr::CharConstant(_, at) => self.no_form("quotes", *at),
            Expr::InterpolatedString(_, at) => self.no_form("interpolation", *at),
            Expr::Map(_, at) => self.no_form("map", *at),
            Expr::Unit(at) => self.no_form("nothing", *at),
            Expr::Array(entries, at) => self.list(entries, *at),
            Expr::Variable(variable, _, at) => {
                let ty = self.variable(&variable.1, *at);
                self.known_filled(expr, ty)
            }
            Expr::FnCall(call, at) => calls::call(self, call, *at),
            Expr::Dot(pair, flags, at) => {
                let ty = self.chain(pair, *flags, *at);
                self.known_filled(expr, ty)
            }
            Expr::And(terms, _) => self.terms(terms, true),
            Expr::Or(terms, _) => self.terms(terms, false),
            Expr::Coalesce(parts, at) => self.coalesce(parts, *at),
            Expr::Stmt(block) => match block.statements() {
                [Stmt::If(flow, at)] => self.if_else(flow, *at),
                [Stmt::Switch(parts, at)] => self.switch(&parts.0, &parts.1, *at),
                // The value of an arm or of a branch.
                statements => self.statements(statements),
            },
            Expr::Index(_, _, at) => self.no_form("index", *at),
            other => self.no_form("statement", other.start_position()),
        }
    }

    fn list(&mut self, entries: &[Expr], at: Position) -> Ty {
        let mut whole = Ty::Unknown;
        for entry in entries {
            let ty = self.infer(entry);
            match join(&whole, &ty) {
                Some(both) => whole = both,
                None => {
                    self.tell("E213", entry.start_position()).variant = Some("list");
                    return Ty::List(Box::new(Ty::Unknown));
                }
            }
        }
        if whole.is_optional() {
            let place = self.text.place(at);
            self.problems.push(may_be_empty(place, &whole));
        }
        Ty::List(Box::new(whole.inner().clone()))
    }

    fn variable(&mut self, spelt: &str, at: Position) -> Ty {
        let name = canonical(VIEWS, spelt);
        match &self.names {
            Names::Views(scope) => {
                if let Some(ty) = self.world.variable(scope, name) {
                    if name == "today" {
                        self.found.passing.insert(Passing::Day);
                    }
                    return ty;
                }
                if name == "task" && self.any_task {
                    return Ty::AnyTask.optional();
                }
                let known: Vec<&str> =
                    VIEWS.iter().map(|(view, _)| *view).filter(|view| self.world.variable(scope, view).is_some()).collect();
                match name {
                    "task" => _ = self.tell("E228", at),
                    "input" => _ = self.tell("E226", at),
                    "actor" => self.tell("E226", at).variant = Some("actor"),
                    "each" => self.tell("E211", at).variant = Some("each"),
                    _ => self.unknown_name(spelt, &known, at),
                }
            }
            Names::Locals(locals) => {
                if let Some((name, ty)) = locals.iter().rev().find(|(local, _)| local == spelt) {
                    self.used.push(name.clone());
                    return ty.clone();
                }
                let known: Vec<String> = locals.iter().map(|(name, _)| name.clone()).collect();
                if VIEWS.iter().any(|(view, _)| *view == name) {
                    let problem = Problem::new("E211", self.text.place(at)).variant("pass_in");
                    self.problems.push(with_known(problem, spelt, &known));
                } else {
                    self.unknown_name(spelt, &known, at);
                }
            }
        }
        Ty::Unknown
    }

    fn unknown_name<S: AsRef<str>>(&mut self, name: &str, known: &[S], at: Position) {
        let place = self.text.place(at);
        let problem = Problem::new("E211", place);
        // A constant without its quotes is the usual reason.
        let problem = if self.world.is_constant(name) { problem.variant("quotes") } else { problem };
        self.problems.push(with_known(problem, name, known));
    }

    /// `a.b.c`, read from the left.
    fn chain(&mut self, pair: &BinaryExpr, flags: ASTFlags, at: Position) -> Ty {
        if flags.contains(ASTFlags::NEGATED) {
            return self.no_form("question_dot", at);
        }
        let base = self.infer(&pair.lhs);
        let mut path = path_of(&pair.lhs);
        self.links(base, &pair.rhs, &mut path)
    }

    fn links(&mut self, base: Ty, link: &Expr, path: &mut Option<String>) -> Ty {
        match link {
            Expr::Property(property, at) => {
                let ty = self.property(&base, &property.2, *at);
                *path = path.take().map(|path| format!("{path}.{}", property.2));
                match path {
                    Some(path) if self.filled.contains(path) => ty.inner().clone(),
                    _ => ty,
                }
            }
            Expr::MethodCall(call, at) => {
                *path = None;
                calls::question(self, &base, call, *at)
            }
            Expr::Dot(pair, flags, at) => {
                let middle = self.links(base, &pair.lhs, path);
                if flags.contains(ASTFlags::NEGATED) {
                    return self.no_form("question_dot", *at);
                }
                self.links(middle, &pair.rhs, path)
            }
            Expr::Index(_, _, at) => self.no_form("index", *at),
            other => self.no_form("statement", other.start_position()),
        }
    }

    fn property(&mut self, of: &Ty, name: &str, at: Position) -> Ty {
        match self.world.property(of, name, &mut self.found) {
            Ok(ty) => ty,
            Err(no_such) => {
                let problem = Problem::new("E210", self.text.place(at)).with("of", of.name());
                let problem = match self.world.branch_of_deadline(of, name) {
                    Some(branch) => problem.variant("of_branch").with("branch", branch),
                    None => problem,
                };
                self.problems.push(with_known(problem, name, &no_such.known));
                Ty::Unknown
            }
        }
    }

    fn known_filled(&self, expr: &Expr, ty: Ty) -> Ty {
        match path_of(expr) {
            Some(path) if self.filled.contains(&path) => ty.inner().clone(),
            _ => ty,
        }
    }

    /// `a && b`, `a || b`: what the first says about being filled holds for the next.
    fn terms(&mut self, terms: &[Expr], all: bool) -> Ty {
        let before = self.filled.len();
        for term in terms {
            self.condition(term);
            if let Expr::BoolConstant(value, at) = term {
                self.tell("W217", *at).variant = Some(if *value { "yes" } else { "no" });
            }
            filled_by(term, all, &mut self.filled);
        }
        self.filled.truncate(before);
        if let Some((at, name)) = contradiction::first(terms, all) {
            let problem = if all { self.tell("W219", at) } else { self.tell("W217", at) };
            problem.variant = (!all).then_some("either");
            problem.values.push(("name", name));
        }
        Ty::YesNo
    }

    /// Something that has to be yes or no.
    /// Gives whether it is, or might be.
    pub fn condition(&mut self, expr: &Expr) -> bool {
        let ty = self.infer(expr);
        match ty.inner() {
            Ty::YesNo if ty.is_optional() => {
                let place = self.text.place(mark(expr));
                self.problems.push(may_be_empty(place, &ty));
            }
            Ty::YesNo | Ty::Unknown => {}
            other => {
                let name = other.name();
                let problem = self.tell("E213", mark(expr));
                problem.variant = Some("condition");
                problem.values.push(("found", name.to_string()));
                return false;
            }
        }
        true
    }

    fn coalesce(&mut self, parts: &[Expr], at: Position) -> Ty {
        let mut whole: Option<Ty> = None;
        for part in parts {
            let ty = self.infer(part);
            whole = Some(match whole {
                None => ty,
                Some(before) => {
                    self.words_of(&ty, before.inner());
                    match join(before.inner(), ty.inner()) {
                        Some(both) if ty.is_optional() => both.optional(),
                        Some(both) => both,
                        None => self.mismatch(&before, &ty, at),
                    }
                }
            });
        }
        whole.unwrap_or(Ty::Unknown)
    }

    /// Two types of which one would have to be the other (E213).
    pub fn mismatch(&mut self, a: &Ty, b: &Ty, at: Position) -> Ty {
        let (a, b) = (a.name(), b.name());
        let problem = self.tell("E213", at);
        problem.values.push(("left", a.to_string()));
        problem.values.push(("right", b.to_string()));
        Ty::Unknown
    }

    fn if_else(&mut self, flow: &FlowControl, at: Position) -> Ty {
        self.condition(&flow.expr);
        let before = self.filled.len();
        filled_by(&flow.expr, true, &mut self.filled);
        let then = self.statements(flow.body.statements());
        self.filled.truncate(before);
        if flow.branch.is_empty() {
            self.tell("E234", at).variant = Some("no_else");
            return then;
        }
        filled_by(&flow.expr, false, &mut self.filled);
        let other = self.statements(flow.branch.statements());
        self.filled.truncate(before);
        self.joined(then, other, flow.branch.position(), at)
    }

    /// The type of two ways to a value (E234 when they differ).
    fn joined(&mut self, a: Ty, b: Ty, at: Position, or_at: Position) -> Ty {
        let at = if at.is_none() { or_at } else { at };
        if matches!(a, Ty::Nothing) || matches!(b, Ty::Nothing) {
            self.tell("E234", at).variant = Some("no_value");
            return Ty::Unknown;
        }
        self.words_of(&a, b.inner());
        self.words_of(&b, a.inner());
        match join(&a, &b) {
            Some(both) => both,
            None => {
                let (left, right) = (a.name(), b.name());
                let problem = self.tell("E234", at);
                problem.values.push(("left", left.to_string()));
                problem.values.push(("right", right.to_string()));
                Ty::Unknown
            }
        }
    }

    fn switch(&mut self, subject: &Expr, cases: &SwitchCasesCollection, at: Position) -> Ty {
        let subject_ty = self.infer(subject);
        let arms = arms(&self.text.tokens, at);
        let mut unguarded: Vec<&str> = Vec::new();
        for arm in &arms {
            for label in &arm.labels {
                let position = label.position();
                let ty = match label.what {
                    What::Text => Ty::Words(vec![Word { text: label.text.clone(), at: position }]),
                    What::Number => Ty::Number,
                    _ if matches!(label.text.as_str(), "true" | "false") => Ty::YesNo,
                    _ => self.no_form("statement", position),
                };
                self.comparable(&subject_ty, &ty, position);
            }
            if !arm.guarded {
                unguarded.extend(arm.labels.iter().map(|label| label.text.as_str()));
            }
        }
        for case in &cases.expressions {
            if !matches!(case.lhs, Expr::BoolConstant(true, _)) {
                self.condition(&case.lhs);
            }
        }
        if cases.def_case.is_none() {
            let missing: Option<Vec<String>> = match subject_ty.inner() {
                Ty::Unknown => Some(Vec::new()),
                Ty::Choice(options) => {
                    Some(options.iter().filter(|option| !unguarded.contains(&&***option)).map(|option| option.to_string()).collect())
                }
                Ty::YesNo => {
                    Some(["true", "false"].iter().filter(|value| !unguarded.contains(value)).map(|value| value.to_string()).collect())
                }
                _ => None,
            };
            match missing {
                Some(missing) if !missing.is_empty() => {
                    let missing = missing.iter().map(|option| format!("`{option}`")).collect::<Vec<_>>().join(" ");
                    self.tell("E235", at).values.push(("missing", missing));
                }
                Some(_) if subject_ty.is_optional() => self.tell("E235", at).variant = Some("empty"),
                Some(_) => {}
                None => self.tell("E235", at).variant = Some("open"),
            }
        }
        let mut value: Option<Ty> = None;
        for case in &cases.expressions {
            let ty = self.infer(&case.rhs);
            value = Some(match value {
                None => ty,
                Some(before) => self.joined(before, ty, case.rhs.start_position(), at),
            });
        }
        value.unwrap_or(Ty::Nothing)
    }

    /// Looks whether two values can be equal at all.
    pub fn comparable(&mut self, a: &Ty, b: &Ty, at: Position) {
        if let (Ty::Words(left), Ty::Words(right)) = (a, b) {
            let same = left.len() == 1 && left.first().map(|word| &word.text) == right.first().map(|word| &word.text);
            self.tell("W217", at).variant = Some(if same { "yes" } else { "no" });
            return;
        }
        if self.words_of(a, b.inner()) || self.words_of(b, a.inner()) {
            return;
        }
        let (left, right) = (a.inner(), b.inner());
        let fits = match (left, right) {
            (Ty::Unknown, _) | (_, Ty::Unknown) => true,
            (Ty::Choice(left), Ty::Choice(right)) => left.iter().any(|option| right.contains(option)),
            (Ty::Person, Ty::Unit) | (Ty::Unit, Ty::Person) => false,
            (Ty::List(left), Ty::List(right)) => join(left, right).is_some(),
            (
                Ty::Item
                | Ty::Input(_)
                | Ty::Due(_)
                | Ty::Clock(_)
                | Ty::Branches
                | Ty::Set(_)
                | Ty::Actor
                | Ty::Param
                | Ty::Requests(_)
                | Ty::Asked(_),
                _,
            ) => false,
            (left, right) => left == right || (left.is_text_like() && right.is_text_like()),
        };
        if !fits {
            self.mismatch(a, b, at);
        }
    }

    /// Constants where a type is expected: each must be one of its options. Gives whether this settles the matter.
    pub fn words_of(&mut self, given: &Ty, wanted: &Ty) -> bool {
        if let (Ty::List(given), Ty::List(wanted)) = (given.inner(), wanted) {
            return self.words_of(given, wanted.inner());
        }
        let Ty::Words(words) = given.inner() else { return false };
        let (options, of): (Vec<&str>, &str) = match wanted {
            Ty::Choice(options) => (options.iter().map(|option| &**option).collect(), "@type.options"),
            Ty::Unit => (self.world.directory.units.keys().map(|unit| &**unit).collect(), "@type.units"),
            Ty::Person => (self.world.directory.persons.keys().map(|person| &**person).collect(), "@type.persons"),
            Ty::Date if words.iter().all(|word| word.text.parse::<crate::kernel::time::Date>().is_ok()) => {
                for word in words {
                    self.tell("W220", word.at).values.push(("text", word.text.clone()));
                }
                return true;
            }
            other => return other.is_text_like(),
        };
        if options.is_empty() {
            return true;
        }
        for word in words.iter().filter(|word| !options.contains(&word.text.as_str())) {
            let problem = Problem::new("E216", self.text.place(word.at)).with("of", of);
            self.problems.push(with_known(problem, &word.text, &options));
        }
        true
    }

    /// An operator over two values.
    pub fn operator(&mut self, operator: &str, call: &FnCallExpr, at: Position) -> Ty {
        let types: Vec<Ty> = call.args.iter().map(|arg| self.infer(arg)).collect();
        match (operator, types.as_slice()) {
            ("==" | "!=", [a, b]) => {
                if let (Some(left), Some(right)) = (path_of(&call.args[0]), path_of(&call.args[1]))
                    && left == right
                {
                    self.tell("W217", at).variant = Some(if operator == "==" { "yes" } else { "no" });
                }
                self.comparable(a, b, at);
                Ty::YesNo
            }
            ("<" | "<=" | ">" | ">=", [a, b]) => {
                let dates = self.words_of(a, b.inner()) || self.words_of(b, a.inner());
                let ordered = |ty: &Ty| matches!(ty.inner(), Ty::Number | Ty::Date | Ty::Unknown);
                let same = dates && (ordered(a) || ordered(b));
                if !same && !(ordered(a) && ordered(b) && join(a, b).is_some()) {
                    let variant = if a.inner().is_text_like() && b.inner().is_text_like() { Some("order") } else { None };
                    self.mismatch(a, b, at);
                    if let (Some(variant), Some(problem)) = (variant, self.problems.last_mut()) {
                        problem.variant = Some(variant);
                    }
                } else {
                    self.must_be_there(&call.args, &types);
                }
                Ty::YesNo
            }
            ("+" | "-" | "*", [a, b]) => {
                if [a, b].iter().all(|ty| matches!(ty.inner(), Ty::Number | Ty::Unknown)) {
                    self.must_be_there(&call.args, &types);
                } else {
                    self.mismatch(a, b, at);
                    if let Some(problem) = self.problems.last_mut() {
                        problem.variant = Some("compute");
                    }
                    return Ty::Unknown;
                }
                Ty::Number
            }
            ("-", [a]) => {
                if matches!(a.inner(), Ty::Number | Ty::Unknown) {
                    self.must_be_there(&call.args, &types);
                } else {
                    self.mismatch(&Ty::Number, a, at);
                }
                Ty::Number
            }
            ("in" | "!in", [list, entry]) => {
                match list.inner() {
                    Ty::List(of) => self.comparable(entry, of, at),
                    Ty::Unknown => {}
                    other => {
                        let name = other.name();
                        let problem = self.tell("E213", at);
                        problem.variant = Some("in");
                        problem.values.push(("found", name.to_string()));
                    }
                }
                Ty::YesNo
            }
            _ => {
                let problem = self.tell("E215", at);
                problem.variant = Some("operator");
                problem.values.push(("operator", operator.to_string()));
                Ty::Unknown
            }
        }
    }

    /// What has to have a value: ordering and arithmetic know no empty one (E214).
    pub fn must_be_there(&mut self, args: &[Expr], types: &[Ty]) {
        for (arg, ty) in args.iter().zip(types).filter(|(_, ty)| ty.is_optional()) {
            let place = self.text.place(mark(arg));
            self.problems.push(may_be_empty(place, ty));
        }
    }
}

/// Where an expression is marked: at the last name of a chain, at an operator, else at its start.
pub(super) fn mark(expr: &Expr) -> Position {
    match expr {
        Expr::Dot(pair, _, _) => mark(&pair.rhs),
        Expr::Property(_, at) | Expr::MethodCall(_, at) | Expr::FnCall(_, at) => *at,
        other => other.start_position(),
    }
}

/// A name or a chain of properties as one text, by which it is known again.
pub(super) fn path_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Variable(variable, _, _) => Some(canonical(VIEWS, &variable.1).to_string()),
        Expr::Property(property, _) => Some(property.2.to_string()),
        Expr::Dot(pair, _, _) => Some(format!("{}.{}", path_of(&pair.lhs)?, path_of(&pair.rhs)?)),
        _ => None,
    }
}

/// Adds what is filled when a condition holds (or, with `holds` false, when it does not).
fn filled_by(condition: &Expr, holds: bool, filled: &mut Vec<String>) {
    match condition {
        Expr::And(terms, _) if holds => terms.iter().for_each(|term| filled_by(term, true, filled)),
        Expr::Or(terms, _) if !holds => terms.iter().for_each(|term| filled_by(term, false, filled)),
        Expr::FnCall(call, _) => match (call.name.as_str(), call.args.as_slice()) {
            ("!", [inner]) => filled_by(inner, !holds, filled),
            (name, [value]) if holds && canonical(FUNCTIONS, name) == "is_set" => filled.extend(path_of(value)),
            ("==", [a, b]) if holds => {
                for (value, constant) in [(a, b), (b, a)] {
                    if constant.is_constant() {
                        filled.extend(path_of(value));
                    }
                }
            }
            ("contains", [_, entry]) if holds => filled.extend(path_of(entry)),
            _ => {}
        },
        _ => {}
    }
}
