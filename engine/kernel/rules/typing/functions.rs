//! Function files: what stands in them, whether it is what `functions` declares, and the types of the bodies.

use super::report::{At, Text, parse_problem, with_known};
use super::surface::World;
use super::tokens::heads;
use super::types::{Fit, Ty, fits};
use super::walk::Walker;
use super::{Found, Name};
use crate::kernel::model::definition::Function;
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::rules::names::FUNCTIONS;
use indexmap::IndexMap;
use rhai::{AST, ASTNode, Engine, Stmt};
use std::collections::HashMap;

pub(super) struct Library {
    pub ast: AST,
    /// What each function needs.
    pub founds: HashMap<Name, Found>,
    /// Some file cannot be read, which may have been told elsewhere.
    pub unreadable: bool,
}

pub(super) fn check(engine: &Engine, world: &World, files: &IndexMap<String, String>, at: &At, problems: &mut Vec<Problem>) -> Library {
    let mut library = Library { ast: AST::empty(), founds: HashMap::new(), unreadable: false };
    let mut heads_found: HashMap<String, Place> = HashMap::new();
    for (file, source) in files.iter().filter(|(file, _)| declares(world, file)) {
        let text = Text::file(file, source);
        let ast = match engine.compile(source) {
            Ok(ast) => ast,
            Err(error) => {
                library.unreadable = true;
                problems.extend(parse_problem(&text, &error, true));
                continue;
            }
        };
        if let Some(statement) = ast.statements().iter().find(|statement| !statement.is_noop()) {
            problems.push(Problem::new("E231", text.place(statement.position())));
        }
        for (name, params) in heads(&text.tokens) {
            let place = text.token(name);
            if is_builtin(&name.text) {
                problems.push(Problem::new("E237", place).with("name", &name.text));
                continue;
            }
            if heads_found.insert(name.text.clone(), place.clone()).is_some() {
                problems.push(Problem::new("E237", place).variant("twice").with("name", &name.text));
                continue;
            }
            let declared = world.workflow.functions.get_key_value(name.text.as_str());
            let Some((name, function)) = declared.filter(|(_, function)| is_in(function, file)) else {
                let declared: Vec<&str> = world.workflow.functions.keys().map(|name| &**name).collect();
                problems.push(with_known(Problem::new("E232", place), &name.text, &declared));
                continue;
            };
            let names: Vec<&str> = params.iter().map(|param| param.text.as_str()).collect();
            if names.len() != function.takes.len() || !names.iter().all(|name| function.takes.contains_key(*name)) {
                let takes = function.takes.keys().map(|name| name.to_string()).collect::<Vec<_>>().join(", ");
                problems.push(Problem::new("E233", place).with("name", name).with("found", names.join(", ")).with("takes", takes));
                continue;
            }
            let typed = names.iter().map(|name| (name.to_string(), world.parameter(&function.takes[*name]))).collect();
            let mut walker = Walker::function(world, &text, typed);
            let body = body_of(&ast, name);
            let ty = walker.statements(&body);
            given(&mut walker, &ty, function, &body, &place);
            for param in params.iter().filter(|param| !walker.used.contains(&param.text)) {
                walker.problems.push(Problem::new("W239", text.token(param)).with("name", &param.text));
            }
            let (found, more) = walker.finish();
            problems.extend(more);
            library.founds.insert(name.clone(), found);
        }
        library.ast = library.ast.merge(&ast);
    }
    for (name, function) in &world.workflow.functions {
        if !files.keys().any(|file| is_in(function, file)) {
            problems
                .push(Problem::new("E232", at.place(&format!("functions.{name}.file"))).variant("no_file").with("file", &function.file));
        } else if !heads_found.contains_key(&**name) && library_read(files, function, engine) {
            let problem = Problem::new("E232", at.place(&format!("functions.{name}@"))).variant("not_there");
            problems.push(problem.with("name", name).with("file", &function.file));
        }
    }
    circles(world, &library, &heads_found, problems);
    library
}

fn declares(world: &World, file: &str) -> bool {
    world.workflow.functions.values().any(|function| is_in(function, file))
}

/// A function says its file by name; the file is known by its path inside the rule set.
fn is_in(function: &Function, file: &str) -> bool {
    file == function.file || file.strip_suffix(&function.file).is_some_and(|folder| folder.ends_with('/'))
}

/// A file that cannot be read has been told already.
fn library_read(files: &IndexMap<String, String>, function: &Function, engine: &Engine) -> bool {
    files.iter().filter(|(file, _)| is_in(function, file)).all(|(_, source)| engine.compile(source).is_ok())
}

fn is_builtin(name: &str) -> bool {
    FUNCTIONS.iter().any(|(builtin, others)| *builtin == name || others.contains(&name))
}

/// The statements of one function: Rhai walks through all of them without saying whose they are, so the others are left out first.
pub(in crate::kernel::rules) fn body_of(ast: &AST, name: &str) -> Vec<Stmt> {
    let mut alone = ast.clone();
    alone.clear_statements();
    alone.retain_functions(|_, _, other, _| other == name);
    let mut body = Vec::new();
    alone.walk(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            body.push((*statement).clone());
        }
        true
    });
    body
}

/// Whether the body gives what is declared (E234).
fn given(walker: &mut Walker, ty: &Ty, function: &Function, body: &[Stmt], head: &Place) {
    let wanted = Ty::of(&function.gives);
    let place = body.last().map_or_else(|| head.clone(), |last| walker.text.place(last.position()));
    walker.words_of(ty, wanted.inner());
    match fits(ty, &wanted) {
        Fit::Yes => {}
        Fit::MayBeEmpty => walker.problems.push(Problem::new("E234", place).variant("empty").with("wanted", wanted.name())),
        Fit::No if *ty == Ty::Nothing => walker.problems.push(Problem::new("E234", place).variant("no_value")),
        Fit::No => {
            walker.problems.push(Problem::new("E234", place).variant("gives").with("found", ty.name()).with("wanted", wanted.name()))
        }
    }
}

/// Functions that call each other in a circle (E236), each circle told once.
fn circles(world: &World, library: &Library, heads: &HashMap<String, Place>, problems: &mut Vec<Problem>) {
    let mut told: Vec<Name> = Vec::new();
    for name in world.workflow.functions.keys() {
        let mut path = vec![name.clone()];
        if !told.contains(name)
            && reaches(library, name, name, &mut path)
            && let Some(place) = heads.get(&**name)
        {
            let circle = path.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" → ");
            problems.push(Problem::new("E236", place.clone()).with("circle", circle));
            told.extend(path);
        }
    }
}

fn reaches(library: &Library, from: &Name, goal: &Name, path: &mut Vec<Name>) -> bool {
    let Some(found) = library.founds.get(from) else { return false };
    for next in &found.calls {
        if next == goal {
            path.push(goal.clone());
            return true;
        }
        if path.contains(next) {
            continue;
        }
        path.push(next.clone());
        if reaches(library, next, goal, path) {
            return true;
        }
        path.pop();
    }
    false
}
