//! `duban report` over an office of 10,000 items in its file, on all processors: figures of all units today, as of a past day, and at the ends
//! of several months; then the yearly document, all of whose reports are made in one reading. Bars: 2 s for each of today, the document
//! among them, and twice that for a past day. The twin in the same run reads the same items and derives each once, and
//! counts nothing.
//!
//! `DUBAN_BENCH=short` takes 500 items.

use duban::app::{App, Made, Wanted};
use duban::clock::Clock;
use duban::files;
use duban::generate::{self, Wish};
use duban::kernel::calendar::window::day_of;
use duban::kernel::report::days::{Each, series};
use duban::kernel::rules::RuleSet;
use duban::kernel::time::{Date, Instant};
use duban::kernel::{check, derive};
use duban::store::{Opening, Place, Store};
use std::path::Path;
use std::sync::Arc;

type Error = Box<dyn std::error::Error + Send + Sync>;

const REPORT: &str = "by_unit";
const DOCUMENT: &str = "yearly";
const PORTION: u32 = 500;

fn main() -> Result<(), Error> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(run())
}

async fn run() -> Result<(), Error> {
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let (items, rounds) = if short { (500, 1) } else { (10_000, 3) };
    let now: Instant = "2026-06-01T01:00:00Z".parse()?;
    let place = tempfile::tempdir()?;
    let (app, rules) = office(place.path(), items, now).await?;
    let today = day_of(now, rules.workflows.values().next().ok_or("a workflow")?.setting.workflow.timezone);
    let past = Date::from_ymd_opt(2026, 5, 15).ok_or("a day")?;
    let months = series(Date::from_ymd_opt(2026, 1, 31).ok_or("a day")?, Each::Month, today).ok_or("days")?;
    let mut read = Vec::new();
    for (what, days) in [("today", vec![today]), ("a past day", vec![past]), ("the ends of months", months)] {
        let (mut seconds, mut counted) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            // The twin stands beside each reading, so that both meet the same load.
            read.push(twin(&app, &rules, today, items).await?);
            let begun = std::time::Instant::now();
            let wanted = Wanted { report: REPORT.into(), of: None, days: days.clone(), known_by: None };
            let Made::Table(table) = app.report(&wanted, |_, _| {}).await? else { return Err("a report".into()) };
            seconds.push(begun.elapsed().as_secs_f64());
            assert!(table.counted.is_sorted() && (what != "today" || table.counted[0] > 0), "{:?}", table.counted);
            counted.clone_from(&table.counted);
        }
        let (seconds, twin) = (median(&mut seconds), median(&mut read));
        let line = serde_json::json!({
            "bench": "report", "what": what, "items": items, "days": days.len(), "branches": counted, "seconds": seconds, "read_and_derived_once": twin,
            "ratio": seconds / twin,
        });
        println!("{line}");
    }
    let (mut seconds, mut parts) = (Vec::new(), 0);
    for _ in 0..rounds {
        read.push(twin(&app, &rules, today, items).await?);
        let begun = std::time::Instant::now();
        let wanted = Wanted { report: DOCUMENT.into(), of: None, days: vec![today], known_by: None };
        let Made::Document(document) = app.report(&wanted, |_, _| {}).await? else { return Err("a document".into()) };
        seconds.push(begun.elapsed().as_secs_f64());
        parts = document.parts.len();
    }
    let (seconds, twin) = (median(&mut seconds), median(&mut read));
    let line = serde_json::json!({
        "bench": "report", "what": "the yearly document", "items": items, "reports": parts, "seconds": seconds, "read_and_derived_once": twin,
        "ratio": seconds / twin,
    });
    println!("{line}");
    Ok(())
}

fn median(seconds: &mut [f64]) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

async fn office(place: &Path, items: u64, now: Instant) -> Result<(App, Arc<RuleSet>), Error> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng");
    let (rules, problems) = check::load(&files::rule_set(&folder)?);
    let rules = Arc::new(rules.ok_or_else(|| format!("{problems:?}"))?);
    let database = Place::from(&place.join("bench.db"));
    let wish = Wish { jurisdictions: 1, items, facts: items * 10, seed: 1, lives: items.min(generate::LIVES) };
    generate::generate(&database, &rules, wish, now, 2, |_| {}).await?;
    let store = Store::open(&database, Opening { new_instance: "bench".into(), page_limit: None, throwaway: false }, now).await?;
    Ok((App::open(store, rules.clone(), Clock::set_to(now)).await?, rules))
}

/// Every item read and derived once, portions beside each other; gives the seconds.
async fn twin(app: &App, rules: &Arc<RuleSet>, today: Date, items: u64) -> Result<f64, Error> {
    let begun = std::time::Instant::now();
    let of = rules.workflows.values().next().ok_or("a workflow")?.clone();
    let (mut beside, mut after, mut derived) = (std::collections::VecDeque::new(), String::new(), 0);
    loop {
        let ids = app.store.ids(None, false, &after, PORTION).await?;
        let last = ids.last().cloned();
        if let Some(last) = &last {
            after.clone_from(last);
            let page = app.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            let of = of.clone();
            beside.push_back(tokio::task::spawn_blocking(move || {
                let derive = |(id, facts): (String, Result<Vec<_>, _>)| derive::derive(&of, &id, &facts.ok()?, today).ok().flatten();
                page.into_iter().filter_map(derive).count() as u64
            }));
        }
        while beside.len() > if last.is_some() { 2 } else { 0 } {
            derived += beside.pop_front().ok_or("a portion")?.await?;
        }
        if last.is_none() {
            break;
        }
    }
    assert_eq!(derived, items, "every item was derived");
    Ok(begun.elapsed().as_secs_f64())
}
