//! How far one machine reaches: many rungs at one moment, a million open items at start and in memory, reminders from rule to mail server,
//! PostgreSQL with one and two processes, and the API. Each against its bare twin in the same run, where there is one.
//!
//! `cargo bench --bench reach -- drain start` runs only those named. `DUBAN_BENCH=short` makes a quick run.

#[path = "../../support/disk.rs"]
#[allow(dead_code)] // the server's tests fail disks with it
mod disk;
mod drain;
mod http;
#[path = "../../support/postgres.rs"]
#[allow(dead_code)] // tests use more of it
mod postgres;
mod remind;
mod server;
#[path = "../sink.rs"]
mod sink;
mod start;

use duban::app::App;
use duban::clock::Clock;
use duban::generate::{self, Wish};
use duban::kernel::check;
use duban::kernel::model::command::Command;
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::store::{Opening, Place, Store};
use indexmap::IndexMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// When the countries of the benches were made.
pub const NOW: &str = "2026-11-02T02:00:00Z";

fn main() -> Result<(), Error> {
    let asked: Vec<String> = std::env::args().skip(1).collect();
    if let Some(("--acting", arguments)) = asked.split_first().map(|(first, rest)| (first.as_str(), rest)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        return runtime.block_on(server::acting(arguments));
    }
    if asked.iter().any(|argument| argument == "--sink") {
        return Ok(sink::run()?);
    }
    let arguments: Vec<String> = asked.into_iter().filter(|argument| !argument.starts_with("--")).collect();
    let wanted = |name: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == name);
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("bench-reach-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("reach: {} processors, load before {}", std::thread::available_parallelism()?, load.trim());
    if wanted("drain") {
        runtime.block_on(drain::run(folder.path(), short))?;
    }
    if wanted("start") {
        runtime.block_on(start::run(folder.path(), short))?;
    }
    if wanted("postgres") {
        runtime.block_on(server::run(short))?;
    }
    if wanted("remind") {
        runtime.block_on(remind::run(folder.path(), short))?;
    }
    if wanted("http") {
        runtime.block_on(http::run(folder.path(), short))?;
    }
    Ok(())
}

/// The office of the tests, whose last rung comes again for ever and which sweeps nothing.
pub fn rules() -> Result<Arc<RuleSet>, Error> {
    rules_of(&texts()?)
}

pub fn rules_of(texts: &IndexMap<String, String>) -> Result<Arc<RuleSet>, Error> {
    let (rules, problems) = check::load(texts);
    rules.map(Arc::new).ok_or_else(|| format!("the office's rules: {problems:?}").into())
}

/// The files of its rule set.
pub fn texts() -> Result<IndexMap<String, String>, Error> {
    let office = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
    let mut files = IndexMap::new();
    let workflow = std::fs::read_to_string(office.join("request.yaml"))?;
    let workflow = workflow.split("sweeps:").next().unwrap_or_default();
    let workflow = workflow.replace("        at_most: 3\n        when: item.weight * 1000000000000000000 > 0\n", "        at_most: 99\n");
    let (before, behind) = workflow.split_once("  count_month:").ok_or("the office counts months")?;
    let (_, behind) = behind.split_once("deadlines:").ok_or("the office has deadlines")?;
    let workflow = format!("{before}\ndeadlines:{behind}")
        .replace("  round:    { title: what is open, to: [head], subject: What is open, list: true }\n", "");
    files.insert("request.yaml".to_string(), workflow);
    files.insert("directory.yaml".to_string(), std::fs::read_to_string(office.join("directory.yaml"))?);
    for entry in std::fs::read_dir(office.join("templates"))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name != "round.txt" {
            files.insert(format!("templates/{name}"), std::fs::read_to_string(&path)?);
        }
    }
    let calendar = concat!(env!("CARGO_MANIFEST_DIR"), "/rules/calendars/cn.yaml");
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(calendar)?);
    Ok(files)
}

/// A database full of items: `lives` of 1 makes all of them due at one moment.
pub async fn filled(place: &Place, items: u64, facts: u64, lives: u64) -> Result<(), Error> {
    filled_under(&rules()?, place, items, facts, lives).await
}

pub async fn filled_under(rules: &Arc<RuleSet>, place: &Place, items: u64, facts: u64, lives: u64) -> Result<(), Error> {
    let wish = Wish { jurisdictions: 1, items, facts, seed: 1, lives };
    let started = std::time::Instant::now();
    let made = generate::generate(place, rules, wish, NOW.parse()?, 2, |_| {}).await?;
    println!("  made {} items with {} facts in {:.1} s", made.items, made.facts, started.elapsed().as_secs_f64());
    Ok(())
}

pub async fn open(place: &Place, now: Instant) -> Result<Arc<App>, Error> {
    let opening = Opening { new_instance: "bench".into(), page_limit: None, throwaway: false };
    let store = Store::open(place, opening, now).await?;
    Ok(Arc::new(App::open(store, rules()?, Clock::set_to(now)).await?))
}

/// The number of the first item that was made.
pub const FIRST: usize = 7_319_000_001;

/// The items of a database, in their order.
pub fn item(number: usize) -> String {
    (FIRST + number).to_string()
}

pub fn command(item: &str, n: usize, action: &str, by: &str, input: (&str, Value)) -> Command {
    Command {
        id: format!("{item}/{n}/{action}").into(),
        item: item.into(),
        branch: None,
        action: action.into(),
        input: Fields::from([(input.0.into(), input.1)]),
        by: by.into(),
        via: None,
        effective_on: None,
        seen_rev: None,
    }
}

/// A share of sorted waits, in milliseconds.
pub fn percentile(waits: &[Duration], share: f64) -> f64 {
    let place = ((waits.len().max(1) - 1) as f64 * share).round() as usize;
    waits.get(place).map_or(0.0, |wait| wait.as_secs_f64() * 1000.0)
}

/// Seconds of processor time of a process so far.
pub fn cpu_seconds(process: &str) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
