//! Expressions compiled once, and run in a fresh scope that holds only the views they read.

use super::engine::{self, kind_of};
use super::names::{VIEWS, canonical};
use super::view::{Context, Shared, from_dynamic, to_dynamic};
use super::{Derived, EvalError, View, api, typing};
use crate::kernel::model::definition::{Expr, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Places, Problem};
use crate::kernel::model::value::{Fields, Value};
use indexmap::IndexMap;
use rhai::{AST, ASTNode, Caches, Dynamic, Engine, EvalAltResult, Module, Scope};
use std::sync::Arc;

pub(super) struct Compiled {
    engine: Engine,
    /// Every function of the function files.
    functions: Arc<Module>,
    /// By the ids of the expressions.
    programs: Vec<Program>,
    pub(super) derived: Vec<Derived>,
}

struct Program {
    ast: AST,
    /// The views it reads, as it spells them, in the order of its scope.
    variables: Vec<(String, &'static str)>,
}

impl Compiled {
    pub(super) fn run(self: &Arc<Self>, expr: &Expr, view: &View) -> Result<Value, EvalError> {
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
        let result = self.call(&Program { ast, variables: Vec::new() }, &mut scope, context).map_err(|error| failed(reason(&error)))?;
        let kind = kind_of(&result);
        from_dynamic(result).map_err(|_| failed(format!("gives {kind}, not a value")))
    }

    fn call(&self, program: &Program, scope: &mut Scope, context: Shared) -> Result<Dynamic, Box<EvalAltResult>> {
        let mut global = self.engine.new_global_runtime_state();
        global.tag = Dynamic::from(context);
        global.lib.push(self.functions.clone());
        #[expect(deprecated, reason = "the only way to give one evaluation a context and shared functions; the version is pinned")]
        self.engine.eval_statements_raw(&mut global, &mut Caches::new(), scope, program.ast.statements())
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
) -> (Option<Compiled>, Vec<Problem>) {
    let mut engine = engine::build(workflow);
    engine.set_strict_variables(false);
    let checked = typing::check(&engine, workflow, functions, places, directory);
    if !checked.sound {
        return (None, checked.problems);
    }
    let mut programs = Vec::with_capacity(workflow.expressions.len());
    for expr in &workflow.expressions {
        match program(&mut engine, &expr.source) {
            Ok(program) => programs.push(program),
            // Signs of a Chinese keyboard: told when the YAML was read.
            Err(_) => return (None, checked.problems),
        }
    }
    let functions = checked.library.shared_lib().clone();
    (Some(Compiled { engine, functions, programs, derived: checked.derived }), checked.problems)
}

/// Compiles an expression with a scope of only those views that it reads.
fn program(engine: &mut Engine, source: &str) -> Result<Program, rhai::ParseError> {
    engine.set_strict_variables(false);
    let loose = engine.compile_expression(source);
    engine.set_strict_variables(true);
    let mut variables: Vec<(String, &'static str)> = Vec::new();
    loose?.walk(&mut |path| {
        if let Some(ASTNode::Expr(rhai::Expr::Variable(variable, _, _))) = path.last() {
            let spelt = variable.1.as_str();
            let known = VIEWS.iter().map(|(name, _)| *name).find(|name| *name == canonical(VIEWS, spelt));
            if let Some(name) = known.filter(|_| variables.iter().all(|(other, _)| other != spelt)) {
                variables.push((spelt.to_string(), name));
            }
        }
        true
    });
    let mut scope = Scope::new();
    for (name, _) in &variables {
        scope.push_constant_dynamic(name.as_str(), Dynamic::UNIT);
    }
    let ast = engine.compile_expression_with_scope(&scope, source)?;
    Ok(Program { ast, variables })
}
