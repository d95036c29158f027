//! What looks ahead, over an office in its file, on all processors. `duban simulate --idle`: a year of 10,000 open items in which nobody does
//! anything, lived in memory. `duban plan`: 100,000 open items under an edited deadline. Bars: 10 s on 2 cores and 1 GB each.
//!
//! `cargo bench --bench simulate -- idle plan` runs those named; `DUBAN_BENCH=short` takes 500 and 2,000 items.

use duban::app::{App, PlanWishes};
use duban::clock::Clock;
use duban::files;
use duban::generate::{self, Wish};
use duban::kernel::check;
use duban::kernel::rules::RuleSet;
use duban::kernel::time::{Date, Instant};
use duban::store::{Opening, Place, Store};
use std::path::Path;
use std::sync::Arc;

/// Two deadlines become longer and one shorter.
const EDITS: [(&str, &str); 3] = [
    ("    length: sign_in_days\n", "    length: 9个工作日\n"),
    ("    length: draft_review\n", "    length: 9个工作日\n"),
    ("    length: first_contact\n", "    length: 2个工作日\n"),
];

type Error = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Error> {
    let named: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |part: &str| named.is_empty() || named.iter().any(|name| name == part);
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    if wanted("idle") {
        idle(if short { 500 } else { 10_000 }).await?;
    }
    if wanted("plan") {
        plan(if short { 2_000 } else { 100_000 }).await?;
    }
    Ok(())
}

/// The shipped rules, each file as `edit` leaves it.
fn rules(edit: impl Fn(String) -> String) -> Result<Arc<RuleSet>, Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let files = files::rule_set(&folder)?.into_iter().map(|(path, text)| (path, edit(text))).collect();
    let (rules, problems) = check::load(&files);
    Ok(Arc::new(rules.ok_or_else(|| format!("{problems:?}"))?))
}

/// An office with so many open items, in a folder of its own.
async fn office(items: u64, now: Instant) -> Result<(App, Arc<RuleSet>, tempfile::TempDir), Error> {
    let rules = rules(|text| text)?;
    let place = tempfile::tempdir()?;
    let database = Place::from(&place.path().join("bench.db"));
    let wish = Wish { jurisdictions: 1, items, facts: items * 10, seed: 1, lives: items.min(generate::LIVES) };
    generate::generate(&database, &rules, wish, now, 2, |_| {}).await?;
    let store = Store::open(&database, Opening { new_instance: "bench".into(), page_limit: None, throwaway: false }, now).await?;
    let app = App::open(store, rules.clone(), Clock::set_to(now)).await?;
    // What was needed to make the office is not counted.
    std::fs::write("/proc/self/clear_refs", "5")?;
    Ok((app, rules, place))
}

async fn idle(items: u64) -> Result<(), Error> {
    let now: Instant = "2026-06-01T01:00:00Z".parse()?;
    let (app, rules, _place) = office(items, now).await?;
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

async fn plan(items: u64) -> Result<(), Error> {
    let now: Instant = "2026-06-01T01:00:00Z".parse()?;
    let (app, _rules, _place) = office(items, now).await?;
    let new = rules(|text| EDITS.iter().fold(text, |text, (was, is)| text.replace(was, is)))?;
    let (begun, busy) = (std::time::Instant::now(), processor_seconds()?);
    let plan = app.plan(&new, &PlanWishes::default(), &|_| {}).await?;
    let (seconds, busy) = (begun.elapsed().as_secs_f64(), processor_seconds()? - busy);
    assert_eq!((plan.items, plan.unread), (items, 0), "every open item was compared");
    let moved: usize = plan.groups.iter().map(|group| group.rows.len()).sum();
    assert!(moved > 0, "the edit moves nothing");
    let line = serde_json::json!({
        "bench": "plan", "what": "an edited deadline over all open items", "items": items, "seconds": seconds,
        "processor_ms_per_item": busy * 1000.0 / items as f64, "peak_mb": peak_mb()?, "differences": moved,
        "mails_before": plan.mails.before, "mails_after": plan.mails.after,
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
