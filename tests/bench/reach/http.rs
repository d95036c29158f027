//! The JSON API against the same actions in the same process: 32 connections that are kept open, each with one request under way.

use super::{Error, command, filled, item, median, open};
use duban::api::accept::{Limits, accept};
use duban::api::{Api, BodyLimits, Tokens};
use duban::app::{App, Offices};
use duban::kernel::model::value::Value;
use duban::scheduler::Pulse;
use duban::store::{LOCAL, Place};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

const CALLERS: usize = 32;
const TOKEN: &str = "bench";

pub async fn run(folder: &Path, short: bool) -> Result<(), Error> {
    let (each, rounds) = if short { (20, 1) } else { (400, 5) };
    println!("http: {CALLERS} connections, SQLite, WAL, synchronous=FULL");
    let prepared = folder.join("http.db");
    filled(&Place::File(prepared.clone()), 2_000, 6_000, 50).await?;
    let (mut by_api, mut inside) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        for over_http in [true, false] {
            let file = super::drain::fresh(&prepared, folder)?;
            let app = open(&Place::File(file), super::NOW.parse()?).await?;
            let seconds = match over_http {
                true => serve(&app, each).await?,
                false => act(&app, each).await?,
            };
            let done = app.store.counts().commands;
            if done < (CALLERS * each) as u64 {
                return Err(format!("void: {done} commands").into());
            }
            app.store.clone().close().await;
            let rate = (CALLERS * each) as f64 / seconds;
            if over_http { by_api.push(rate) } else { inside.push(rate) }
        }
    }
    let (ours, twin) = (median(&mut by_api), median(&mut inside));
    println!(
        "  ratio {:.2} (bar 0.33): the API {ours:.0} actions/s, in the process {twin:.0}/s; client and server share the processors",
        ours / twin
    );
    println!(
        "  {}",
        json!({ "bench": "http", "callers": CALLERS, "api": ours, "in_process": twin, "ratio": ours / twin, "durability": "WAL, synchronous=FULL" })
    );
    Ok(())
}

async fn act(app: &Arc<App>, each: usize) -> Result<f64, Error> {
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for caller in 0..CALLERS {
        let app = app.clone();
        tasks.spawn(async move {
            for n in 0..each {
                app.act(&command(&item(caller * 20 + n % 20), n, "ask_back", "carl", ("question", Value::text("Which road is meant?"))))
                    .await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(started.elapsed().as_secs_f64())
}

/// The same through the routes that `serve` has, with its limits.
async fn serve(app: &Arc<App>, each: usize) -> Result<f64, Error> {
    let digest = Sha256::digest(TOKEN).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let tokens = Arc::new(Tokens { persons: [(digest, (LOCAL.into(), "carl".into()))].into(), office: Default::default() });
    let api = Api {
        offices: Arc::new(Offices::with(app.clone())),
        pulse: Arc::new(Pulse::new(&app.clock)),
        token: String::new(),
        tokens: Box::new(move || tokens.clone()),
        limits: BodyLimits::default(),
        attachments: duban::attach::Limits::default(),
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let (address, stop) = (listener.local_addr()?, CancellationToken::new());
    let accepting = tokio::spawn(accept(listener, api.routes(axum::Router::new()), Limits::default(), stop.clone()));
    let mut tasks = tokio::task::JoinSet::new();
    let started = Instant::now();
    for caller in 0..CALLERS {
        tasks.spawn(call(address, caller, each));
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let seconds = started.elapsed().as_secs_f64();
    stop.cancel();
    accepting.await?;
    Ok(seconds)
}

async fn call(address: SocketAddr, caller: usize, each: usize) -> Result<(), Error> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let body = json!({ "input": { "question": "Which road is meant?" } }).to_string();
    let (mut line, mut answer) = (String::new(), Vec::new());
    for n in 0..each {
        let item = item(caller * 20 + n % 20);
        let request = format!(
            "POST /api/v1/items/{item}/actions/ask_back HTTP/1.1\r\nhost: duban\r\nauthorization: Bearer {TOKEN}\r\n\
            content-type: application/json\r\nidempotency-key: {caller}-{n}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        writer.write_all(request.as_bytes()).await?;
        let (mut length, mut status) = (0, String::new());
        loop {
            line.clear();
            reader.read_line(&mut line).await?;
            if status.is_empty() {
                status = line.trim().to_string();
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
            if line.trim().is_empty() {
                break;
            }
        }
        answer.resize(length, 0);
        reader.read_exact(&mut answer).await?;
        if !status.contains(" 200 ") {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&answer)).into());
        }
    }
    Ok(())
}
