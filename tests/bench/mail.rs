//! How many mails one SMTP connection carries: our sender against a bare client, to the same server on loopback, in one run.
//! Beside it, how many mails one core writes (wording, frames, message), which has no bar of its own.
//!
//! The server is this program again in a process of its own. It stores nothing, so what is measured is the client.

#[path = "sink.rs"]
mod sink;

use duban::files::mail_frames;
use duban::kernel::render::Wording;
use duban::kernel::words::Lang;
use duban::mail::smtp::{Encryption, Limits, Server, Smtp};
use duban::mail::{Address, Message, Outcome, Parcel, Sender, compose};
use serde_json::json;
use std::sync::LazyLock;
use std::time::Instant;

/// Mails a round and rounds; with `DUBAN_BENCH=short` just enough to see that it runs.
static SIZE: LazyLock<(u32, usize)> =
    LazyLock::new(|| if std::env::var("DUBAN_BENCH").is_ok_and(|size| size == "short") { (100, 1) } else { (2_000, 5) });
/// As a reminder of ours is: text and HTML, encoded.
const BYTES: usize = 4_000;

fn main() -> std::io::Result<()> {
    if std::env::args().any(|argument| argument == "--sink") {
        return sink::run();
    }
    let (mut process, port) = sink::start()?;
    let (mails, rounds) = *SIZE;

    let bytes = format!("Subject: bench\r\n\r\n{}", format!("{}\r\n", "x".repeat(74)).repeat(BYTES / 76)).into_bytes();
    // The first round of each warms up and does not count.
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let (us, them) = (send_ours(port, &bytes)?, sink::send_bare(port, &bytes, mails)?);
        if round > 0 {
            ours.push(us);
            bare.push(them);
        }
    }
    process.kill()?;
    process.wait()?;
    let (us, them) = (median(&mut ours), median(&mut bare));
    println!("mail: one connection, {mails} mails of {} bytes, {rounds} rounds, loopback, no TLS, the server stores nothing", bytes.len());
    println!("  ours  {us:>8.0} mails/s (lowest {:.0}, highest {:.0})", ours[0], ours[rounds - 1]);
    println!("  bare  {them:>8.0} mails/s (lowest {:.0}, highest {:.0})", bare[0], bare[rounds - 1]);
    println!("  ratio {:>8.2} (bar: 0.50)", us / them);
    println!("  written {:>6.0} mails/s on one core", write_mails()?);
    println!("  machine: {} processors, {} {}", std::thread::available_parallelism()?, std::env::consts::OS, std::env::consts::ARCH);
    Ok(())
}

/// Mails a second from captured values to the bytes of a message.
fn write_mails() -> std::io::Result<f64> {
    let body = "{{ to.unit }}：\n\n第{{ item.number }}号代表建议《{{ item.title }}》，应于{{ due.this.date | date }}前书面答复。\n\n　　当前环节　{{ task.state_title }}\n\
                {% if due.this.reminders %}　　已发提醒　{% for d in due.this.reminders %}{{ d | date_short }}{% if not loop.last %}、{% endif %}{% endfor %}\n{% endif %}\n\
                请抓紧办理，与代表见面沟通后按期答复。\n";
    let values = json!({
        "item": { "number": "2024-087", "title": "关于加快老旧小区充电设施建设的建议" },
        "task": { "state_title": "办理中" },
        "to": { "unit": "市住房和城乡建设局", "role_title": "承办单位联络员" },
        "due": { "this": { "title": "书面答复", "date": "2026-06-30", "days_left": 7, "days_late": 0, "reminders": ["2026-05-13", "2026-05-28"] } },
        "letter": { "sender": "某市人大常委会代表工作委员会", "contact": "办理科", "phone": "0000-0000000" },
        "copy_of": [],
        "today": "2026-06-23",
    });
    let frames = mail_frames(None).map_err(std::io::Error::other)?;
    let address = Address::parse("duban@example.org").map_err(std::io::Error::other)?;
    let sender = Sender { name: "某市人大常委会".into(), address, reply_to: None, domain: "example.org".into() };
    let started = Instant::now();
    for number in 0..SIZE.0 {
        let subject = "【办理提醒】第{{ item.number }}号建议请于{{ due.this.date | date_short }}前答复（{{ item.title }}）";
        let letter = frames
            .letter(Lang::Zh, &[Wording { subject, body, values: &values, list: false, links: &[] }])
            .map_err(std::io::Error::other)?;
        let message = Message {
            key: &format!("2024-087/reply/1/soon/{number}"),
            name: "张三",
            address: "zhang@example.org",
            letter: &letter,
            workflow: "suggestion",
            list_title: "代表建议办理",
            item: Some("2024-087"),
            notice: "soon",
            reason: "officer",
            rules: "9f2c51",
            agenda: None,
            at: chrono::DateTime::UNIX_EPOCH,
        };
        compose(&sender, &message).map_err(std::io::Error::other)?;
    }
    Ok(f64::from(SIZE.0) / started.elapsed().as_secs_f64())
}

/// Mails a second through the transport that `serve` uses.
fn send_ours(port: u16, bytes: &[u8]) -> std::io::Result<f64> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let server = Server {
            host: "127.0.0.1".into(),
            port,
            encryption: Encryption::None,
            login: None,
            extra_root: None,
            hello_name: Some("bench".into()),
        };
        let smtp = Smtp::new(server, Limits::default()).map_err(std::io::Error::other)?;
        let address = |text| Address::parse(text).map_err(std::io::Error::other);
        let (from, to) = (address("duban@example.org")?, address("zhang@example.org")?);
        let parcel = Parcel { id: "<bench@example.org>", from: &from, to: &to, at: chrono::DateTime::UNIX_EPOCH, bytes };
        let started = Instant::now();
        for _ in 0..SIZE.0 {
            match smtp.send(&parcel).await {
                Outcome::Sent { .. } => {}
                other => return Err(std::io::Error::other(format!("{other:?}"))),
            }
        }
        Ok(f64::from(SIZE.0) / started.elapsed().as_secs_f64())
    })
}

fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
