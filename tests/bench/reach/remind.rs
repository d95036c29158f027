//! Reminders from end to end: rungs that are due, decided and recorded, worded, accepted by a mail server on loopback, and recorded as sent.
//! Against the slower of a bare sweep that writes the rungs' rows and a bare client that hands over the same bytes.

use super::{Error, NOW, drain, filled_under, median, rules_of, sink, texts};
use duban::app::send::Post;
use duban::app::{App, Offices};
use duban::clock::Clock;
use duban::files::mail_frames;
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::mail::guard::Guard;
use duban::mail::smtp::{Encryption, Limits, Server, Smtp};
use duban::mail::{Address, Transport};
use duban::scheduler::{self, Pulse};
use duban::store::{Opening, Place, Store};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

pub async fn run(folder: &Path, short: bool) -> Result<(), Error> {
    let (items, rounds) = if short { (200, 1) } else { (4_000, 5) };
    println!(
        "remind: {items} reminders from rule to record, SQLite, WAL, synchronous=FULL, one connection without TLS to a server that stores nothing"
    );
    let mut texts = texts()?;
    // A mail for each of them, to one person.
    let workflow = texts["request.yaml"].replace("kind: escalation, to: [clerk], cc: [head]", "to: [clerk]");
    texts.insert("request.yaml".into(), workflow);
    let rules = rules_of(&texts)?;
    let prepared = folder.join("remind.db");
    filled_under(&rules, &Place::File(prepared.clone()), items, items * 3, 1).await?;
    // At ten in the morning all may leave at once.
    let at = drain::due_at(&prepared).await? + chrono::TimeDelta::hours(10);
    let (mut process, port) = sink::start()?;
    let (mut ours, mut sweep, mut client) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        let file = drain::fresh(&prepared, folder)?;
        let (seconds, bytes) = remind(&rules, &file, at, port, items).await?;
        ours.push(items as f64 / seconds);
        let rows = drain::Rows::read(&file).await?;
        sweep.push(items as f64 / rows.write(&drain::fresh(&prepared, folder)?, 64, "jsonb_each").await?);
        client.push(sink::send_bare(port, &bytes, items as u32)?);
    }
    process.kill()?;
    process.wait()?;
    let (ours, sweep, client) = (median(&mut ours), median(&mut sweep), median(&mut client));
    let ratio = ours / sweep.min(client);
    println!("  ratio {ratio:.2} (bar 0.25): ours {ours:.0} reminders/s, a bare sweep {sweep:.0}/s, a bare client {client:.0}/s");
    println!(
        "  {}",
        json!({ "bench": "remind", "items": items, "ours": ours, "bare_sweep": sweep, "bare_client": client, "ratio": ratio })
    );
    Ok(())
}

/// Seconds until all are recorded as sent, and one of the messages.
async fn remind(rules: &Arc<RuleSet>, file: &Path, at: Instant, port: u16, items: u64) -> Result<(f64, Vec<u8>), Error> {
    let opening = Opening { new_instance: "bench".into(), page_limit: None, throwaway: false };
    let store = Store::open(file.to_path_buf(), opening, NOW.parse()?).await?;
    let app = Arc::new(App::open(store, rules.clone(), Clock::set_to(at)).await?);
    let server = Server {
        host: "127.0.0.1".into(),
        port,
        encryption: Encryption::None,
        login: None,
        extra_root: None,
        hello_name: Some("bench".into()),
    };
    let guard = Guard { production: Some(app.store.instance().to_string()), allow: Vec::new() };
    let transport = Transport::Smtp(Box::new(Smtp::new(server, Limits::default())?));
    let post = Arc::new(Post::new(Some(transport), mail_frames(None)?, Address::parse("duban@example.org")?, guard, "bench".into()));
    let offices = Arc::new(Offices::with(app.clone()));
    let started = std::time::Instant::now();
    let engine = tokio::spawn({
        let offices = offices.clone();
        async move {
            let (pulse, stop) = (Pulse::new(&offices.clock), CancellationToken::new());
            while offices.next_moments().await?.wake_up.is_some_and(|next| next <= at) {
                scheduler::tick(&offices, &pulse, &stop).await?;
            }
            Ok::<_, Error>(())
        }
    });
    let (mut sent, stop) = (0, CancellationToken::new());
    while sent < items as usize {
        let rendered = offices.render_due(&post).await?;
        let posted = offices.send_due(&post, &stop).await?;
        sent += posted.sent;
        if engine.is_finished() && rendered.mails + posted.sent == 0 {
            break;
        }
        tokio::task::yield_now().await;
    }
    let seconds = started.elapsed().as_secs_f64();
    engine.await??;
    if sent != items as usize {
        return Err(format!("void: {sent} mails instead of {items}").into());
    }
    let id = app.store.mails(Some("sent"), None, "", 1).await?.pop().ok_or("a mail")?.id;
    let bytes = app.store.mail(&id).await?.ok_or("a mail")?.1.into_bytes();
    app.store.clone().close().await;
    Ok((seconds, bytes))
}
