//! `duban simulate --idle`: a year of an office of 10,000 open items in which nobody does anything, read from its file and lived in memory on
//! all processors. Bar: 10 s on 2 cores, 1 GB.
//!
//! `DUBAN_BENCH=short` takes 500 items.

use duban::app::App;
use duban::clock::Clock;
use duban::files;
use duban::generate::{self, Wish};
use duban::kernel::check;
use duban::kernel::time::{Date, Instant};
use duban::store::{Opening, Place, Store};
use std::path::Path;
use std::sync::Arc;

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Error> {
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let items = if short { 500 } else { 10_000 };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let (rules, problems) = check::load(&files::rule_set(&folder)?);
    let rules = Arc::new(rules.ok_or_else(|| format!("{problems:?}"))?);
    let place = tempfile::tempdir()?;
    let database = Place::from(&place.path().join("bench.db"));
    let now: Instant = "2026-06-01T01:00:00Z".parse()?;
    let wish = Wish { jurisdictions: 1, items, facts: items * 10, seed: 1, lives: items.min(generate::LIVES) };
    generate::generate(&database, &rules, wish, now, 2, |_| {}).await?;
    let store = Store::open(&database, Opening { new_instance: "bench".into(), page_limit: None, throwaway: false }, now).await?;
    let app = App::open(store, rules.clone(), Clock::set_to(now)).await?;
    // What was needed to make the office is not counted.
    std::fs::write("/proc/self/clear_refs", "5")?;
    let (begun, busy) = (std::time::Instant::now(), processor_seconds()?);
    let forecast = app.foresee(&rules, now, Date::from_ymd_opt(2027, 5, 31).ok_or("a day")?, |_, _| {}).await?.forecast;
    let (seconds, busy) = (begun.elapsed().as_secs_f64(), processor_seconds()? - busy);
    assert_eq!(forecast.items, items, "every open item was looked at");
    assert!(forecast.stopped.is_empty(), "{:?}", forecast.stopped);
    let line = serde_json::json!({
        "bench": "simulate", "what": "a year of an office in which nobody does anything", "items": items, "seconds": seconds,
        "processor_ms_per_item": busy * 1000.0 / items as f64, "peak_mb": peak_mb()?, "facts": forecast.facts,
        "notices": forecast.count_notices(), "mails": forecast.count_mails(),
    });
    println!("{line}");
    Ok(())
}

/// Time on all processors, of this process and its threads.
fn processor_seconds() -> Result<f64, Error> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let behind_name = text.rsplit(')').next().unwrap_or_default();
    let ticks: u64 = behind_name.split_whitespace().skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    Ok(ticks as f64 / 100.0)
}

fn peak_mb() -> Result<u64, Error> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").trim().parse::<u64>()? / 1024)
}
