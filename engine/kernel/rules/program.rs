//! Expressions compiled once, and run in a fresh scope that holds only the views they read.

use super::engine::{self, kind_of};
use super::names::{PROPERTIES, VIEWS, canonical};
use super::view::{Context, Shared, from_dynamic, to_dynamic};
use super::{Derived, EvalError, Reading, View, api, straight, typing};
use crate::kernel::model::definition::{Expr, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Places, Problem};
use crate::kernel::model::value::{Fields, Type, Value};
use indexmap::IndexMap;
use rhai::{AST, ASTNode, Caches, Dynamic, Engine, EvalAltResult, Module, Scope};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Compiled {
    engine: Engine,
    /// Every function of the function files.
    functions: Arc<Module>,
    /// By the ids of the expressions.
    programs: Vec<Program>,
    pub(super) derived: Vec<Derived>,
    /// Which native function a call means has been found out before: what an evaluation learnt is kept for later ones.
    caches: Mutex<Vec<Caches>>,
}

struct Program {
    ast: AST,
    /// The views it reads, as it spells them, in the order of its scope.
    variables: Vec<(String, &'static str)>,
    /// Whether it calls something, or reads the directory: then it needs to find its context.
    needs_context: bool,
    /// The same without Rhai, where it is understood.
    straight: Option<straight::Node>,
}

impl Compiled {
    /// The straight answer, or else Rhai's.
    pub(super) fn run(self: &Arc<Self>, expr: &Expr, view: &View) -> Result<Value, EvalError> {
        match self.run_straight(expr, view) {
            Some(value) => {
                debug_assert_eq!(self.run_rhai(expr, view), Ok(value.clone()), "`{}` at {}", expr.source, expr.path);
                Ok(value)
            }
            None => self.run_rhai(expr, view),
        }
    }

    /// `None` when only Rhai can say.
    pub(super) fn run_straight(&self, expr: &Expr, view: &View) -> Option<Value> {
        straight::answer(self, self.straight(expr)?, view)
    }

    pub(super) fn straight(&self, expr: &Expr) -> Option<&straight::Node> {
        self.programs.get(expr.id as usize)?.straight.as_ref()
    }

    pub(super) fn run_rhai(self: &Arc<Self>, expr: &Expr, view: &View) -> Result<Value, EvalError> {
        let failed = |what: String| EvalError { path: expr.path.clone(), source_text: expr.source.clone(), what };
        let program = self.programs.get(expr.id as usize).ok_or_else(|| failed("was never compiled".to_string()))?;
        let context: Shared = Context::new(view, self, expr.scope.request.as_deref());
        let mut scope = Scope::new();
        for (name, view) in &program.variables {
            let value = api::variable(view, &context).ok_or_else(|| failed(format!("there is no `{name}` here")))?;
            scope.push_constant_dynamic(name.as_str(), value);
        }
        let result = self.call(program, &mut scope, context).map_err(|error| failed(reason(&error)))?;
        let kind = kind_of(&result);
        from_dynamic(result).map_err(|_| failed(format!("gives {kind}, not a value")))
    }

    /// Calls a function of the function files with values by parameter name; records stand for views.
    pub(super) fn call_function(self: &Arc<Self>, name: &str, arguments: &Fields, view: &View) -> Result<Value, EvalError> {
        let failed = |what: String| EvalError { path: format!("functions.{name}").into(), source_text: name.into(), what };
        let Some(function) = view.setting.workflow.functions.get(name) else { return Err(failed("is not declared".to_string())) };
        let context: Shared = Context::new(view, self, None);
        let mut scope = Scope::new();
        for parameter in function.takes.keys() {
            let value = arguments.get(parameter).unwrap_or(&Value::Empty);
            // A record stands for a view: any name may be asked of it.
            let value = match value {
                Value::Record(fields) => {
                    fields.iter().map(|(name, value)| (name.to_string().into(), to_dynamic(value))).collect::<rhai::Map>().into()
                }
                value => to_dynamic(value),
            };
            scope.push_constant_dynamic(&**parameter, value);
        }
        let parameters: Vec<&str> = function.takes.keys().map(|parameter| &**parameter).collect();
        let source = format!("{name}({})", parameters.join(", "));
        let ast = self.engine.compile_expression_with_scope(&scope, &source).map_err(|error| failed(error.to_string()))?;
        let result = self
            .call(&Program { ast, variables: Vec::new(), needs_context: true, straight: None }, &mut scope, context)
            .map_err(|error| failed(reason(&error)))?;
        let kind = kind_of(&result);
        from_dynamic(result).map_err(|_| failed(format!("gives {kind}, not a value")))
    }

    fn call(&self, program: &Program, scope: &mut Scope, context: Shared) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut global = self.engine.new_global_runtime_state();
        if program.needs_context {
            global.tag = Dynamic::from(context);
        }
        global.lib.push(self.functions.clone());
        let mut caches = self.kept().pop().unwrap_or_default();
        #[expect(deprecated, reason = "the only way to give one evaluation a context and shared functions; the version is pinned")]
        let result = self.engine.eval_statements_raw(&mut global, &mut caches, scope, program.ast.statements());
        // What failed may have left its caches half rewound.
        if result.is_ok() {
            self.kept().push(caches);
        }
        result
    }

    fn kept(&self) -> MutexGuard<'_, Vec<Caches>> {
        self.caches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What went wrong, in one line.
fn reason(error: &EvalAltResult) -> String {
    match error.unwrap_inner() {
        EvalAltResult::ErrorRuntime(what, _) => what.to_string(),
        EvalAltResult::ErrorTooManyOperations(_) => "takes too many steps".to_string(),
        EvalAltResult::ErrorStackOverflow(_) => "calls functions too deep".to_string(),
        EvalAltResult::ErrorDataTooLarge(what, _) => format!("grows too large ({what})"),
        other => other.to_string(),
    }
}

/// Checks everything, and compiles it when there is no error.
pub(super) fn compile(
    workflow: &Workflow,
    functions: &IndexMap<String, String>,
    places: &Places,
    directory: &Directory,
) -> (Option<Compiled>, Vec<Problem>, Vec<Reading>) {
    let mut engine = engine::build(workflow);
    engine.set_strict_variables(false);
    let checked = typing::check(&engine, workflow, functions, places, directory);
    if !checked.sound {
        return (None, checked.problems, checked.reads);
    }
    engine.set_strict_variables(true);
    let mut programs = Vec::with_capacity(workflow.expressions.len());
    let mut reader = straight::Reader::new(workflow, &checked.library, functions);
    for (expr, loose) in workflow.expressions.iter().zip(&checked.expressions) {
        match loose.as_ref().and_then(|loose| program(&engine, &expr.source, loose)) {
            Some(mut program) => {
                // What a request asked stands beside the input of its decision; that is rare, and Rhai's.
                if expr.scope.request.is_none() {
                    program.straight = reader.expression(&expr.source, &program.ast);
                }
                programs.push(program);
            }
            // Signs of a Chinese keyboard: told when the YAML was read.
            None => return (None, checked.problems, checked.reads),
        }
    }
    let functions = checked.library.shared_lib().clone();
    let (derived, caches) = (checked.derived, Mutex::default());
    (Some(Compiled { engine, functions, programs, derived, caches }), checked.problems, checked.reads)
}

/// See [`super::Scripts::fit`].
pub(super) fn fit(workflow: &Workflow, places: &Places, directory: &Directory, wanted: &[(&Expr, &Type, bool)]) -> Vec<Problem> {
    let mut engine = engine::build(workflow);
    engine.set_strict_variables(false);
    typing::fit(&engine, workflow, places, directory, wanted)
}

/// Compiles an expression with a scope of only those views that it reads. `None` when it cannot be read.
fn program(engine: &Engine, source: &str, loose: &AST) -> Option<Program> {
    let mut variables: Vec<(String, &'static str)> = Vec::new();
    let mut needs_context = false;
    loose.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(rhai::Expr::Variable(variable, _, _))) => {
                let spelt = variable.1.as_str();
                let known = VIEWS.iter().map(|(name, _)| *name).find(|name| *name == canonical(VIEWS, spelt));
                if let Some(name) = known.filter(|_| variables.iter().all(|(other, _)| other != spelt)) {
                    variables.push((spelt.to_string(), name));
                }
            }
            Some(ASTNode::Expr(rhai::Expr::FnCall(call, _))) if !call.is_operator_call() => needs_context = true,
            Some(ASTNode::Expr(rhai::Expr::Property(property, _))) => {
                needs_context |= matches!(canonical(PROPERTIES, &property.2), "kind" | "parent" | "committee");
            }
            _ => {}
        }
        true
    });
    let mut scope = Scope::new();
    for (name, _) in &variables {
        scope.push_constant_dynamic(name.as_str(), Dynamic::UNIT);
    }
    let ast = engine.compile_expression_with_scope(&scope, source).ok()?;
    Some(Program { ast, variables, needs_context, straight: None })
}
