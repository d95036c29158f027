//! What a condition costs: through `Scripts`, as the kernel asks it, against Rhai alone with one handle of the same fields, in one run.
//!
//! `DUBAN_BENCH=short` runs one round of few calls and only checks that all sides agree.

use duban::kernel::check;
use duban::kernel::model::Name;
use duban::kernel::model::definition::{Expr, Scope, Wants};
use duban::kernel::model::fact::Actor;
use duban::kernel::model::item::{Clock, Due, Item};
use duban::kernel::model::problem::Places;
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::{Compilation, Rules, Scripts, Setting, View};
use duban::kernel::time::Date;
use indexmap::IndexMap;
use rhai::{Dynamic, Engine, ImmutableString, OptimizationLevel};
use std::collections::BTreeMap;
use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rounds, and calls in each.
fn size() -> (usize, u32) {
    if std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short") { (1, 100) } else { (9, 100_000) }
}

/// The condition of the comparison, and others that say what the parts cost.
const CONDITIONS: &[&str] = &[
    r#"item.class == "B" && due.reply.days_late > 15"#,
    r#"item.class == "B""#,
    r#"item.state in ["draft", "handling"]"#,
    r#"branches.assignment.all_in_state(["done"])"#,
    "branches.assignment.main.count_open == 0",
    "replies_allowed(item) > item.replies",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (rules, functions) = views(root)?;
    let mut workflow = rules.setting.workflow.clone();
    let exprs: Vec<Expr> = CONDITIONS
        .iter()
        .map(|source| {
            let id = workflow.expressions.len() as u32;
            let expr = Expr { id, source: (*source).into(), path: "bench".into(), scope: Scope::default(), wants: Wants::Condition };
            workflow.expressions.push(expr.clone());
            expr
        })
        .collect();
    let Compilation { scripts, problems, .. } = Scripts::compile(&workflow, &functions, &Places::default(), &rules.setting.directory);
    let scripts = scripts.ok_or_else(|| format!("{problems:#?}"))?;
    let setting = Setting { workflow, calendar: rules.setting.calendar.clone(), directory: rules.setting.directory.clone() };
    let view = late_item(Arc::new(setting))?;
    let (guarded, plain) = (Bare::new(true)?, Bare::new(false)?);
    if !(scripts.holds(&exprs[0], &view)? && guarded.holds() && plain.holds()) {
        return Err("the three do not agree".into());
    }

    for expr in &exprs {
        let (straight, by_rhai) = scripts.both(expr, &view);
        if straight.is_none() || straight != by_rhai.clone().ok() {
            return Err(format!("{}: {straight:?} without Rhai, {by_rhai:?} by Rhai", expr.source).into());
        }
    }
    let (rounds, calls) = size();
    println!("guards: nanoseconds an evaluation, median of {rounds} rounds of {calls}, one thread");
    let (mut ours, mut by_rhai, mut with_guards, mut without) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..=rounds {
        let us = timed(|| scripts.holds(black_box(&exprs[0]), black_box(&view)).unwrap_or(false));
        let rhai = timed(|| scripts.both(black_box(&exprs[0]), black_box(&view)).1.is_ok());
        let (them, bare) = (timed(|| guarded.holds()), timed(|| plain.holds()));
        // The first round warms up.
        if round > 0 {
            ours.push(us);
            by_rhai.push(rhai);
            with_guards.push(them);
            without.push(bare);
        }
    }
    let (us, them, bare) = (median(&mut ours), median(&mut with_guards), median(&mut without));
    println!("  {:<66} {us:>6.0}", CONDITIONS[0]);
    println!("  {:<66} {:>6.0}", "  the straight answer and Rhai's, by our handles", median(&mut by_rhai));
    println!("  {:<66} {them:>6.0}   ratio {:.2} (bar: 1.20)", "  in Rhai alone: handles, our limits, no silent comparisons", us / them);
    println!("  {:<66} {bare:>6.0}   ratio {:.2}", "  in Rhai alone: handles, nothing guarded", us / bare);
    for expr in &exprs[1..] {
        let mut rounds: Vec<f64> = (0..rounds).map(|_| timed(|| scripts.holds(black_box(expr), black_box(&view)).is_ok())).collect();
        println!("  {:<66} {:>6.0}", expr.source, median(&mut rounds));
    }

    let files = files_of(&root.join("rules/yuncheng"))?;
    let mut rounds = Vec::new();
    for _ in 0..size().0 {
        let start = Instant::now();
        black_box(check::load(black_box(&files)));
        rounds.push(start.elapsed().as_secs_f64() * 1e3);
    }
    println!("check: rules/yuncheng read, typed and compiled in {:.1} ms (bar: 50)", median(&mut rounds));
    println!("  machine: {} processors, {} {}", std::thread::available_parallelism()?, std::env::consts::OS, std::env::consts::ARCH);
    Ok(())
}

fn timed(mut ask: impl FnMut() -> bool) -> f64 {
    let start = Instant::now();
    let mut held = 0u32;
    let (_, calls) = size();
    for _ in 0..calls {
        held += u32::from(ask());
    }
    let took: Duration = start.elapsed();
    black_box(held);
    took.as_secs_f64() * 1e9 / f64::from(calls)
}

fn median(rounds: &mut [f64]) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// The rule set of the tests that has every view.
fn views(root: &Path) -> Result<(Arc<Rules>, IndexMap<String, String>), Box<dyn Error>> {
    let mut files = files_of(&root.join("tests/fixtures/good/views"))?;
    files.insert("../calendars/cn.yaml".to_string(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml"))?);
    let (set, problems) = check::load(&files);
    let rules = set.and_then(|set| set.workflows.get("views").cloned()).ok_or_else(|| format!("{problems:#?}"))?;
    Ok((rules, files.into_iter().filter(|(file, _)| file.ends_with(".rhai")).collect()))
}

fn files_of(folder: &Path) -> Result<IndexMap<String, String>, Box<dyn Error>> {
    let mut files = IndexMap::new();
    let shared = folder.with_file_name("calendars");
    let mut folders = vec![(folder.to_path_buf(), String::new()), (shared, "../calendars/".to_string())];
    while let Some((folder, prefix)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = entry?.path();
            let name = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
            if path.is_dir() {
                folders.push((path, format!("{name}/")));
            } else if let Some("yaml" | "rhai" | "txt") = path.extension().and_then(|extension| extension.to_str()) {
                files.insert(name, std::fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// An item of class B whose reply is 20 days late, with two assignments.
fn late_item(setting: Arc<Setting>) -> Result<View, Box<dyn Error>> {
    let today: Date = "2024-09-30".parse()?;
    let fields = |rows: &[(&str, Value)]| -> Fields { rows.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect() };
    let branch = |no: u32, state: &str, line: &str| duban::kernel::model::item::Branch {
        no,
        kind: "assignment".into(),
        state: state.into(),
        since: today,
        ended: state == "done",
        cancelled: false,
        fields: fields(&[("unit", Value::text("u1")), ("line", Value::text(line)), ("class", Value::text("B"))]),
        opened_on: today,
        opened_seq: 1,
    };
    let clock = Clock {
        deadline: "reply".into(),
        branch: None,
        cycle: 1,
        run: 1,
        anchor: today,
        started_seq: 1,
        started_by: "start".into(),
        started_on: today,
        started_at: Default::default(),
        rule: None,
        kept: None,
        extensions: Vec::new(),
        pauses: Vec::new(),
        fired: Vec::new(),
        next_at: None,
        end: None,
        times_extended: 0,
        paused: false,
        quiet: false,
        due: Some(Arc::new(Due { date: "2024-09-10".parse()?, provisional: false, steps: Vec::new() })),
        flag: None,
    };
    let item = Item {
        id: "2024-001".into(),
        workflow: "views".into(),
        rev: 4,
        today,
        state: "handling".into(),
        since: today,
        ended: false,
        fields: fields(&[
            ("number", Value::text("2024-001")),
            ("class", Value::text("B")),
            ("replies", Value::Number(1)),
            ("host_unit", Value::text("u1")),
            ("year", Value::Number(2024)),
        ]),
        branches: vec![Arc::new(branch(1, "done", "main")), Arc::new(branch(2, "open", "side"))],
        clocks: vec![Arc::new(clock)],
        requests: Vec::new(),
        flag: None,
        created_on: today,
        last_effective_on: today,
        done: Arc::default(),
        errands: Vec::new(),
        arrived: Vec::new(),
    };
    let (input, actor) = (Arc::default(), Arc::new(Actor::default()));
    Ok(View { setting, item: Arc::new(item), task: None, input, each: Value::Empty, actor, today })
}

/// What Rhai itself takes: shared handles behind getters, compiled once, nothing of ours around it.
struct Bare {
    engine: Engine,
    ast: rhai::AST,
    item: Handle,
    due: DueHandle,
}

#[derive(Clone)]
struct Handle(Arc<BTreeMap<String, Dynamic>>);
#[derive(Clone)]
struct DueHandle(Arc<BTreeMap<String, Handle>>);

impl Bare {
    /// With the limits and operators that rules have (a text never compares with a number), or as Rhai comes.
    fn new(guarded: bool) -> Result<Bare, Box<dyn Error>> {
        let mut engine = Engine::new_raw();
        engine.set_optimization_level(OptimizationLevel::None).set_strict_variables(true);
        if guarded {
            engine.set_fast_operators(false).set_max_operations(20_000).set_max_string_size(16_384).set_max_array_size(2_000);
            engine.register_fn("==", |a: ImmutableString, b: ImmutableString| a == b).register_fn(">", |a: i64, b: i64| a > b);
            let wrong = |_: Dynamic, _: Dynamic| -> Result<bool, Box<rhai::EvalAltResult>> { Err("these do not compare".into()) };
            engine.register_fn("==", wrong).register_fn(">", wrong);
        }
        engine.register_get("class", |item: &mut Handle| item.0.get("class").cloned().unwrap_or_default());
        engine.register_get("reply", |due: &mut DueHandle| due.0.get("reply").cloned().unwrap_or_else(|| Handle(Arc::default())));
        engine.register_get("days_late", |clock: &mut Handle| clock.0.get("days_late").cloned().unwrap_or_default());
        let handle = |name: &str, value: Dynamic| Handle(Arc::new([(name.to_string(), value)].into()));
        let item = handle("class", Dynamic::from(ImmutableString::from("B")));
        let due = DueHandle(Arc::new([("reply".to_string(), handle("days_late", Dynamic::from_int(20)))].into()));
        let mut scope = rhai::Scope::new();
        scope.push_constant("item", item.clone()).push_constant("due", due.clone());
        let ast = engine.compile_expression_with_scope(&scope, CONDITIONS[0])?;
        Ok(Bare { engine, ast, item, due })
    }

    fn holds(&self) -> bool {
        let mut scope = rhai::Scope::new();
        scope.push_constant("item", black_box(&self.item).clone()).push_constant("due", black_box(&self.due).clone());
        self.engine.eval_ast_with_scope::<bool>(&mut scope, &self.ast).unwrap_or(false)
    }
}
