//! Backups are taken while an office works, and an old one is put to work: a copy holds all that was acknowledged before it was begun, and
//! mails nothing again, nor anybody outside its list.

use crate::support::checker;
use crate::support::office::{self, Life, Office, Reply, commands};
use crate::support::postgres::{SHARED, run};
use crate::support::smtp::{Act, Sink};
use duban::store::Place;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);
const BACKUPS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_holds_all_that_was_acknowledged_before_it() {
    let office = Office::on_file();
    let server = office.start(|_| {}).await.expect("starts");
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let enough = tokio_util::sync::CancellationToken::new();
    let callers: Vec<_> = (0..2)
        .map(|caller| {
            let (asking, acknowledged, enough) = (server.asking.clone(), acknowledged.clone(), enough.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    for command in commands(&format!("{caller}-{number}"), number) {
                        if enough.is_cancelled() {
                            return;
                        }
                        let Reply::Done(done) = asking.act(&command).await else { panic!("not done: {command:?}") };
                        acknowledged.lock().unwrap().push((command, done));
                    }
                }
            })
        })
        .collect();
    let mut counts = Vec::new();
    for number in 0..BACKUPS {
        let mut before;
        loop {
            before = acknowledged.lock().unwrap().clone();
            if before.len() > counts.last().copied().unwrap_or(0) {
                break;
            }
            tokio::task::yield_now().await;
        }
        counts.push(before.len());
        let name = format!("copy{number}.db");
        let mut backup = office.command(&["backup", &name, "--json"]);
        let output = tokio::task::spawn_blocking(move || backup.output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{output:?}");
        let app = office::open(Place::File(office.folder.path().join(&name))).await.unwrap().expect("has rules");
        assert_eq!(checker::of_records(&app, &before).await, Vec::<String>::new(), "{name}");
        assert_eq!(app.store.check_pages().await.unwrap(), None, "{name}");
        app.store.clone().close().await;
    }
    enough.cancel();
    for caller in callers {
        caller.await.unwrap();
    }
    println!("{BACKUPS} backups; acknowledged before each: {counts:?}");
    assert_eq!(server.stop(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_file_mails_nothing_again() {
    let original = Office::on_file();
    let copy = Office::on_file();
    drill(&original, &copy, async || {
        let backup = original.folder.path().join("backup.db").display().to_string();
        succeeds(original.command(&["backup", &backup]));
        succeeds(copy.command(&["restore", &backup]));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_database_of_a_server_mails_nothing_again() {
    let original = Office::on_server(SHARED.database().await);
    let empty = SHARED.database().await;
    let copy = Office::on_server(empty.clone());
    drill(&original, &copy, async || {
        let name = |url: &str| url.rsplit_once('/').expect("has a name").1.to_string();
        let from = original.server.clone().expect("is on a server");
        run(&SHARED.url("postgres"), &format!("drop database {}", name(&empty))).await;
        run(&SHARED.url("postgres"), &format!("create database {} template {}", name(&empty), name(&from))).await;
        succeeds(copy.command(&["restore", "--mark"]));
    })
    .await;
}

fn succeeds(mut command: std::process::Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

/// A server that mails to a sink.
async fn mailing(office: &Office, sink: &Sink, settings: &[(&str, &str)]) -> Life {
    let started = office.start(|command| {
        command.env("DUBAN_SMTP_URL", format!("smtp://127.0.0.1:{}?tls=none", sink.port)).env("DUBAN_MAIL_FROM", "duban@example.com");
        command.envs(settings.iter().copied());
    });
    started.await.unwrap_or_else(|ended| panic!("it did not start: {:?} {}", ended.code, ended.told))
}

async fn until(what: &str, wanted: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !wanted().await {
        assert!(begun.elapsed() < BOUND, "{what}");
        tokio::task::yield_now().await;
    }
}

/// Something is done, and the outbox has been worked since.
async fn act_and_mail(life: &Life, item: &str) {
    for command in commands(item, 0) {
        assert!(matches!(life.asking.act(&command).await, Reply::Done(_)), "{command:?}");
    }
    let last_mail = async || {
        let (_, body) = life.asking.ask("GET", "/healthz", "", "").await;
        serde_json::from_str::<serde_json::Value>(&body).unwrap_or_default()["last_mail"].to_string()
    };
    let before = last_mail().await;
    let weigh = crate::support::world::command(item, "submit", "ann", [("title", duban::kernel::model::value::Value::text("wakes"))]);
    // What is refused wakes nobody; what is done does, and the mailer looks.
    let woken = duban::kernel::model::command::Command {
        id: format!("{item} wakes").into(),
        item: format!("{item}-wakes").as_str().into(),
        ..weigh
    };
    assert!(matches!(life.asking.act(&woken).await, Reply::Done(_)));
    until("the outbox is never worked", async || last_mail().await != before).await;
}

async fn drill(original: &Office, copy: &Office, restore: impl AsyncFn()) {
    let listed = [("DUBAN_MAIL_ALLOW", "@example.com")];
    let sink = Sink::start(|_| Act::Behave).await;
    let life = mailing(original, &sink, &listed).await;
    for command in (0..3).flat_map(|number| commands(&format!("old-{number}"), number)) {
        assert!(matches!(life.asking.act(&command).await, Reply::Done(_)), "{command:?}");
    }
    until("the original never mails", async || sink.count() >= 3).await;
    assert_eq!(life.stop(), Some(0));
    restore().await;

    // It holds everything, also what is done on it, until somebody lets it.
    let other = Sink::start(|_| Act::Behave).await;
    let life = mailing(copy, &other, &listed).await;
    act_and_mail(&life, "new-1").await;
    assert_eq!(other.connections(), 0, "before it was let");
    let released = copy.command(&["restore", "--release", "cancel"]);
    // A server is released by way of its database; a file through the server that holds it.
    tokio::task::spawn_blocking(move || succeeds(released)).await.unwrap();
    act_and_mail(&life, "new-2").await;
    until("it never mails", async || other.count() >= 1).await;
    assert_eq!(life.stop(), Some(0));
    let ids = |sink: &Sink| -> BTreeSet<String> {
        let id = |data: &str| data.lines().find_map(|line| line.strip_prefix("Message-ID: ")).map(|id| id.trim().to_string());
        sink.accepted().iter().filter_map(|mail| id(&mail.data)).collect()
    };
    let (sent, since) = (ids(&sink), ids(&other));
    assert!(sent.is_disjoint(&since), "sent again: {:?}", sent.intersection(&since));
    assert!(since.iter().all(|id| id.contains("new-2")), "only what came after it was let go: {since:?}");

    // It is not the office that the settings of the original mean, so nobody gets a mail.
    let nobody = Sink::start(|_| Act::Behave).await;
    let life = mailing(copy, &nobody, &[("DUBAN_PRODUCTION", "true"), ("DUBAN_INSTANCE", "of-the-original")]).await;
    act_and_mail(&life, "new-3").await;
    assert_eq!((nobody.count(), life.stop()), (0, Some(0)));
}
