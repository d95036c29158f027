//! How many actions a second the whole path carries, against bare SQL that writes the same rows in groups through the same driver, in
//! one run; how often it flushes; and what an idle tick costs with few and with many open items.
//!
//! Every run starts from a copy of one prepared file on a real disk. Ours includes deciding, roles, conditions, JSON, hashes and checks;
//! the twins write rows that were taken from a run of ours. `DUBAN_BENCH=short` makes a quick run.

mod bare;
mod idle;
mod ours;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Callers at once, and actions in a run.
const LOADS: [(usize, usize); 4] = [(1, 400), (8, 3_200), (32, 12_800), (64, 12_800)];
const ROUNDS: usize = 5;
/// Items that are open in the file from the beginning.
pub const ITEMS: usize = 10_000;
const BAR: f64 = 0.6;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// What one run did.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub actions: usize,
    pub seconds: f64,
    /// Of this process, the load's own included.
    pub cpu_seconds: f64,
    pub commits: u64,
    /// Sorted.
    pub waits: Vec<Duration>,
    /// Facts, notices and commands in the file afterwards.
    pub rows: [i64; 3],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Ours,
    /// One statement for each row.
    Rows,
    /// One statement for each table and group.
    Batches,
}

fn main() -> Result<(), Error> {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let folder = tempfile::Builder::new().prefix("bench-store-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    if let Some(place) = arguments.iter().position(|argument| argument == "--once") {
        let (callers, actions) = (arguments[place + 1].parse()?, arguments[place + 2].parse()?);
        let file = folder.path().join("once.db");
        std::fs::copy(&arguments[place + 3], &file)?;
        return runtime.block_on(ours::run(&file, callers, actions)).map(|_| ());
    }
    if let Some(place) = arguments.iter().position(|argument| argument == "--prepare") {
        return runtime.block_on(ours::prepare(Path::new(&arguments[place + 1])));
    }
    let short = arguments.iter().any(|argument| argument == "--short") || std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    let rounds = if short { 1 } else { ROUNDS };
    println!("store: SQLite, WAL, synchronous=FULL, answered after the flush; {ITEMS} open items; {rounds} rounds, interleaved");
    println!("  machine: {} processors, {}, {}", std::thread::available_parallelism()?, std::env::consts::OS, file_system(folder.path()));
    let prepared = folder.path().join("prepared.db");
    runtime.block_on(ours::prepare(&prepared))?;

    for (callers, actions) in LOADS {
        let actions = if short { actions / 8 } else { actions };
        // The rows that both twins write, taken from a run of ours, which also warms up.
        let sample = fresh(&prepared, folder.path(), "sample")?;
        runtime.block_on(ours::run(&sample, callers, actions))?;
        let rows = runtime.block_on(bare::rows(&sample))?;
        let mut runs: Vec<(Side, Run)> = Vec::new();
        for _ in 0..rounds {
            for side in [Side::Ours, Side::Rows, Side::Batches] {
                let file = fresh(&prepared, folder.path(), "run")?;
                let run = match side {
                    Side::Ours => runtime.block_on(ours::run(&file, callers, actions))?,
                    Side::Rows => runtime.block_on(bare::run(&file, callers, &rows, false))?,
                    Side::Batches => runtime.block_on(bare::run(&file, callers, &rows, true))?,
                };
                runs.push((side, run));
            }
        }
        report(callers, &runs)?;
        if let Some(flushes) = flushes(&prepared, callers, actions) {
            println!("    flushes per action, counted: {flushes:.3}");
        }
    }
    runtime.block_on(idle::compare(folder.path(), if short { 10_000 } else { 1_000_000 }))
}

fn report(callers: usize, runs: &[(Side, Run)]) -> Result<(), Error> {
    let of = |wanted: Side| runs.iter().filter(move |(side, _)| *side == wanted).map(|(_, run)| run);
    let rows = runs.first().map(|(_, run)| run.rows).unwrap_or_default();
    if let Some((side, run)) = runs.iter().find(|(_, run)| run.rows != rows) {
        return Err(format!("void: {side:?} wrote {:?} rows instead of {rows:?}", run.rows).into());
    }
    println!("  {callers} callers");
    let mut medians = Vec::new();
    for side in [Side::Ours, Side::Rows, Side::Batches] {
        let mut rates: Vec<f64> = of(side).map(|run| run.actions as f64 / run.seconds).collect();
        rates.sort_by(f64::total_cmp);
        let median = rates[rates.len() / 2];
        let (actions, cpu) = of(side).fold((0, 0.0), |(actions, cpu), run| (actions + run.actions, cpu + run.cpu_seconds));
        let commits: u64 = of(side).map(|run| run.commits).sum();
        let mut waits: Vec<Duration> = of(side).flat_map(|run| run.waits.iter().copied()).collect();
        waits.sort_unstable();
        let wait = |share: usize| waits[(waits.len() - 1) * share / 100].as_secs_f64() * 1000.0;
        let name = match side {
            Side::Ours => "ours",
            Side::Rows => "bare, a statement for each row",
            Side::Batches => "bare, a statement for each table",
        };
        println!(
            "    {name:<33} {median:>7.0}/s (lowest {:.0}, highest {:.0}), {:.3} CPU ms, {:.3} commits an action, p50 {:.1} ms, p99 {:.1} ms",
            rates[0],
            rates[rates.len() - 1],
            cpu * 1000.0 / actions as f64,
            commits as f64 / actions as f64,
            wait(50),
            wait(99)
        );
        let json = serde_json::json!({
            "bench": "actions", "side": format!("{side:?}").to_lowercase(), "callers": callers, "durability": "WAL, synchronous=FULL",
            "n": actions, "median": median, "min": rates[0], "max": rates[rates.len() - 1], "cpu_ms": cpu * 1000.0 / actions as f64,
            "commits_per_action": commits as f64 / actions as f64, "p50_ms": wait(50), "p99_ms": wait(99),
        });
        println!("    {json}");
        medians.push(median);
    }
    println!(
        "    ratio to a statement for each row: {:.2}; for each table: {:.2} (bar from 32 callers on: {BAR})",
        medians[0] / medians[1],
        medians[0] / medians[2]
    );
    Ok(())
}

/// A copy of the prepared file under a name of its own.
fn fresh(prepared: &Path, folder: &Path, name: &str) -> Result<PathBuf, Error> {
    let file = folder.join(format!("{name}.db"));
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let old = folder.join(format!("{name}.db{suffix}"));
        if old.exists() {
            std::fs::remove_file(old)?;
        }
    }
    std::fs::copy(prepared, &file)?;
    std::fs::File::open(&file)?.sync_all()?;
    Ok(file)
}

/// Flushes per action, by strace where it is installed: the difference of a long and a short run.
fn flushes(prepared: &Path, callers: usize, actions: usize) -> Option<f64> {
    let count = |actions: usize| -> Option<f64> {
        let output = std::process::Command::new("strace")
            .args(["-f", "-qq", "-c", "-e", "trace=fsync,fdatasync"])
            .arg(std::env::current_exe().ok()?)
            .args(["--once", &callers.to_string(), &actions.to_string()])
            .arg(prepared)
            .output()
            .ok()?;
        let table = String::from_utf8_lossy(&output.stderr);
        let calls = table.lines().filter(|line| line.ends_with(" fsync") || line.ends_with(" fdatasync"));
        Some(calls.filter_map(|line| line.split_whitespace().nth(3)?.parse::<f64>().ok()).sum())
    };
    let (long, short) = (count(actions)?, count(actions / 2)?);
    Some((long - short) / (actions - actions / 2) as f64)
}

/// Seconds of processor time of this process so far.
pub fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 = behind_name.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// The kind of file system, because a flush to memory is free.
fn file_system(path: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let fitting = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (at, kind) = (words.next()?, words.next()?);
        path.starts_with(at).then(|| (at.len(), kind.to_string()))
    });
    fitting.max().map_or_else(|| "unknown file system".into(), |(_, kind)| kind)
}

/// Runs `callers` at once, each doing its share with `act(caller, n)`; gives the waits, sorted, and the seconds.
pub async fn crowd<F, W>(callers: usize, actions: usize, act: F) -> Result<(Vec<Duration>, f64), Error>
where
    F: Fn(usize, usize) -> W + Clone + Send + 'static,
    W: Future<Output = Result<(), Error>> + Send,
{
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for caller in 0..callers {
        let act = act.clone();
        tasks.spawn(async move {
            let mut waits = Vec::with_capacity(actions / callers);
            for n in 0..actions / callers {
                let asked = Instant::now();
                act(caller, n).await?;
                waits.push(asked.elapsed());
            }
            Ok::<_, Error>(waits)
        });
    }
    let mut waits = Vec::with_capacity(actions);
    while let Some(done) = tasks.join_next().await {
        waits.extend(done??);
    }
    let seconds = started.elapsed().as_secs_f64();
    waits.sort_unstable();
    Ok((waits, seconds))
}
