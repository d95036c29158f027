//! The pages people open most, asked 50 times a second over loopback while the scheduler works: what waits for somebody, the ledger's first
//! page, an item. An office under the shipped rules with 100,000 open items on SQLite; client and server share the processors. A request's
//! time is counted from the moment at which it was to be sent, so that whoever waits is counted too. Bars: p99 under 30 ms, 100 kB a page.
//!
//! `DUBAN_BENCH=short` makes 1,000 items and a few seconds.

use chrono::TimeDelta;
use duban::api::accept::{Limits, accept};
use duban::app::accounts::Policy;
use duban::app::workshop::Workshop;
use duban::app::{App, Offices};
use duban::clock::Clock;
use duban::files;
use duban::generate::{self, Wish};
use duban::kernel::check;
use duban::kernel::time::Instant;
use duban::scheduler::{self, Pulse};
use duban::store::{LOCAL, Opening, Place, Store};
use duban::web::{Gate, Web};
use serde_json::json;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

#[path = "../support/rule_set.rs"]
#[allow(dead_code)] // tests use more of it
mod rule_set;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// When the office was made: the middle of a working morning.
const NOW: &str = "2026-11-02T02:00:00Z";
/// Requests a second.
const RATE: u32 = 50;
/// Connections that are kept open.
const CALLERS: usize = 16;
/// People who look.
const PEOPLE: usize = 24;

fn main() -> Result<(), Error> {
    let short = std::env::var("DUBAN_BENCH").is_ok_and(|form| form == "short");
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?.block_on(run(short))
}

async fn run(short: bool) -> Result<(), Error> {
    let (items, seconds) = if short { (1_000, 6) } else { (100_000, 60) };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    println!("pages: {} processors, load before {}", std::thread::available_parallelism()?, load.trim());
    let folder = tempfile::Builder::new().prefix("bench-pages-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let place = Place::File(folder.path().join("pages.db"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (rules, problems) = check::load(&rule_set::files_of(&root.join("rules/yuncheng")));
    let rules = rules.map(Arc::new).ok_or_else(|| format!("the shipped rules: {problems:?}"))?;
    let now: Instant = NOW.parse()?;
    let wish = Wish { jurisdictions: 1, items, facts: items * 20, seed: 1, lives: if short { 100 } else { 400 } };
    let made = generate::generate(&place, &rules, wish, now, 2, |_| {}).await?;
    println!("  made {} items with {} facts from {} lives", made.items, made.facts, made.lives);

    let opening = Opening { new_instance: "bench".into(), page_limit: None, throwaway: false };
    let store = Store::open(&place, opening, now).await?;
    let app = Arc::new(App::open(store, rules.clone(), Clock::set_to(now)).await?);
    let offices = Arc::new(Offices::with(app.clone()));
    let pulse = Arc::new(Pulse::new(&app.clock));
    let web = Web {
        offices: offices.clone(),
        pulse: pulse.clone(),
        pages: files::web_pages(None)?,
        // Hours pass as seconds here; the day of whoever reads is not over for that.
        policy: Policy { idle: TimeDelta::days(30), longest: TimeDelta::days(30), ..Policy::default() },
        jurisdiction: LOCAL.into(),
        origin: None,
        provider: None,
        open_house: true,
        gate: Gate::default(),
        workshop: Workshop::new(None),
        largest: 1 << 20,
        attachments: duban::attach::Limits::default(),
    };
    let (listener, stop) = (tokio::net::TcpListener::bind("127.0.0.1:0").await?, CancellationToken::new());
    let address = listener.local_addr()?;
    let serving = tokio::spawn(accept(listener, web.routes(), Limits::default(), stop.clone()));
    let engine = tokio::spawn(scheduler::run_engine(offices, pulse.clone(), stop.clone()));
    // An hour passes in each second, so that there is always something due.
    let passing = tokio::spawn({
        let (app, stop, pulse) = (app.clone(), stop.clone(), pulse.clone());
        async move {
            for hour in 1.. {
                if tokio::time::timeout(Duration::from_secs(1), stop.cancelled()).await.is_ok() {
                    return;
                }
                app.clock.set(now + TimeDelta::hours(hour));
                pulse.wake();
            }
        }
    });

    let mut cookies = Vec::new();
    for guest in app.guests(duban::kernel::words::Lang::Zh).await?.into_iter().take(PEOPLE) {
        cookies.push(sign_in(address, &guest.person).await?);
    }
    let ids = app.store.ids(None, true, "", 2_000).await?;
    if cookies.is_empty() || ids.is_empty() {
        return Err("nobody has anything to do".into());
    }
    for (what, paths) in [
        ("to-do", vec!["/todo".to_string()]),
        ("ledger", vec!["/ledger".to_string()]),
        ("item", ids.iter().map(|id| format!("/items/{id}")).collect()),
    ] {
        let before = app.store.counts().commands;
        let Read { mut millis, bytes } = ask(address, &cookies, &paths, seconds).await?;
        millis.sort_by(f64::total_cmp);
        let at = |share: f64| millis[((millis.len() - 1) as f64 * share) as usize];
        let (p50, p99, saved) = (at(0.5), at(0.99), app.store.counts().commands - before);
        println!(
            "  {what}: p50 {p50:.1} ms, p99 {p99:.1} ms (bar 30), largest page {} kB (bar 100); the scheduler saved {saved} decisions",
            bytes / 1000
        );
        let line = json!({ "bench": "pages", "page": what, "items": items, "rate": RATE, "p50_ms": p50, "p99_ms": p99, "bytes": bytes, "saved_beside": saved });
        println!("  {line}");
    }
    stop.cancel();
    serving.await?;
    engine.await?;
    passing.await?;
    Ok(())
}

/// What was measured.
struct Read {
    millis: Vec<f64>,
    /// Of the largest page.
    bytes: usize,
}

/// Asks for pages at a steady rate, whether or not the answers come.
async fn ask(address: SocketAddr, cookies: &[String], paths: &[String], seconds: u32) -> Result<Read, Error> {
    let (free, mut waiting) = mpsc::unbounded_channel();
    for _ in 0..CALLERS {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        free.send(BufReader::new(stream))?;
    }
    let mut tasks = tokio::task::JoinSet::new();
    let begun = tokio::time::Instant::now();
    for n in 0..(RATE * seconds) as usize {
        let moment = begun + Duration::from_secs(1) * n as u32 / RATE;
        tokio::time::sleep_until(moment).await;
        let mut stream = waiting.recv().await.ok_or("a connection")?;
        let (path, cookie, free) = (paths[n * 7 % paths.len()].clone(), cookies[n % cookies.len()].clone(), free.clone());
        tasks.spawn(async move {
            let head = format!("GET {path} HTTP/1.1\r\nhost: duban\r\ncookie: {cookie}\r\n\r\n");
            let (status, _, bytes) = request(&mut stream, head.as_bytes()).await?;
            free.send(stream)?;
            if status != 200 {
                return Err(format!("{path}: {status}").into());
            }
            Ok::<_, Error>((moment.elapsed().as_secs_f64() * 1000.0, bytes))
        });
    }
    let mut read = Read { millis: Vec::new(), bytes: 0 };
    while let Some(done) = tasks.join_next().await {
        let (millis, bytes) = done??;
        read.millis.push(millis);
        read.bytes = read.bytes.max(bytes);
    }
    Ok(read)
}

async fn sign_in(address: SocketAddr, person: &str) -> Result<String, Error> {
    let mut stream = BufReader::new(TcpStream::connect(address).await?);
    let body = format!("person={person}");
    let head = format!(
        "POST /sign-in/as HTTP/1.1\r\nhost: duban\r\norigin: http://duban\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, cookie, _) = request(&mut stream, head.as_bytes()).await?;
    if status != 303 {
        return Err(format!("{person} cannot sign in: {status}").into());
    }
    Ok(cookie)
}

/// Status, the cookie that was set, and the size of the body.
async fn request(stream: &mut BufReader<TcpStream>, head: &[u8]) -> Result<(u16, String, usize), Error> {
    stream.get_mut().write_all(head).await?;
    let (mut status, mut cookie, mut length, mut line) = (0, String::new(), 0, String::new());
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Err("the connection ended".into());
        }
        let (name, value) = line.split_once(": ").unwrap_or((&line, ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse()?,
            "set-cookie" => cookie = value.split(';').next().unwrap_or_default().to_string(),
            name if status == 0 => status = name.split(' ').nth(1).unwrap_or_default().parse()?,
            _ => {}
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok((status, cookie, length))
}
