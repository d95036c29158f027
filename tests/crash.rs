//! A process is killed at any moment, again and again: nothing that was acknowledged is lost, nothing is done twice, every cache is what
//! the facts say, every mail arrives, and no more of them arrive twice than may wait for their record.
//!
//! The process that is killed is this test binary again, running the test called `worker`.

use crate::support::smtp::{Act, Received, Sink};
use crate::support::world::{app, command, submit};
use duban::app::App;
use duban::app::send::{Post, UNRECORDED};
use duban::files::mail_frames;
use duban::kernel::model::fact::Cause;
use duban::kernel::model::value::Value;
use duban::mail::guard::Guard;
use duban::mail::smtp::{Limits, Server, Smtp};
use duban::mail::{Address, Transport};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

const FOLDER: &str = "DUBAN_CRASH_FOLDER";
const LIFE: &str = "DUBAN_CRASH_LIFE";
const PORT: &str = "DUBAN_CRASH_PORT";
const LIVES: u64 = 6;
const CALLERS: usize = 16;

/// Works until it is killed, and says what was acknowledged.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that is killed by the test below"]
async fn worker() {
    // Nobody will kill it.
    let (Ok(folder), Ok(life), Ok(port)) = (std::env::var(FOLDER), std::env::var(LIFE), std::env::var(PORT)) else { return };
    let app = app(Path::new(&folder), "2026-03-02 10:00").await;
    // Every life begins a little later than the last one ended.
    if let Some(last) = app.store.high_water().await.unwrap() {
        app.clock.set(last);
    }
    for caller in 0..CALLERS {
        let (app, life) = (app.clone(), life.clone());
        tokio::spawn(async move {
            for n in 0.. {
                let item = format!("{life}-{caller}-{n}");
                let mut commands = vec![submit(&item)];
                for weight in 1..4 {
                    let mut weigh = command(&item, "weigh", "carl", [("weight", Value::Number(weight))]);
                    weigh.id = format!("{item} weigh {weight}").into();
                    commands.push(weigh);
                }
                if n % 2 == 0 {
                    commands.push(command(&item, "answer", "carl", []));
                }
                for command in commands {
                    let done = app.act(&command).await.unwrap();
                    acknowledge(&format!("{}\t{}\t{}\t{}", command.by, command.id, done.item, done.rev));
                }
            }
        });
    }
    let (mailing, post) = (app.clone(), post(port.parse().unwrap()));
    tokio::spawn(async move {
        loop {
            mailing.render_due(&post).await.unwrap();
            mailing.send_due(&post, &CancellationToken::new()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    });
    loop {
        app.clock.set(app.clock.now() + chrono::TimeDelta::hours(7));
        app.wake_due(64).await.unwrap();
        app.sweep_due().await.unwrap();
        tokio::time::sleep(Duration::from_millis(3)).await;
    }
}

/// One write, so that a line is never cut in two by another.
fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("ACK\t{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

/// A post office of its own in each life, to the server of the test.
fn post(port: u16) -> Arc<Post> {
    let server = Server::parse(&format!("smtp://127.0.0.1:{port}?tls=none"), None).unwrap();
    let transport = Transport::Smtp(Box::new(Smtp::new(server, Limits::default()).unwrap()));
    let guard = Guard { production: Some("office".into()), allow: vec![] };
    let from = Address::parse("duban@example.com").unwrap();
    Arc::new(Post::new(Some(transport), mail_frames(None).unwrap(), from, guard, "crash".into()))
}

fn start(folder: &Path, life: u64, port: u16) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["crash::worker", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(LIFE, life.to_string())
        .env(PORT, port.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Lets it work for a while, kills it in the moment in which a mail was accepted, and gives the lines that it had written.
fn kill(mut child: Child, then: Duration, sink: &Sink) -> Vec<String> {
    let mut out = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut text = Vec::new();
        out.read_to_end(&mut text).map(|_| text)
    });
    std::thread::sleep(then);
    assert!(child.try_wait().unwrap().is_none(), "it ended by itself: {}", stderr(&mut child));
    let (accepted, latest) = (sink.count(), Instant::now() + Duration::from_secs(2));
    while sink.count() == accepted && Instant::now() < latest {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let text = String::from_utf8(reader.join().unwrap().unwrap()).unwrap();
    // The last line may have been cut.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().filter_map(|line| line.split_once("ACK\t")).map(|(_, line)| line.to_string()).collect()
}

fn stderr(child: &mut Child) -> String {
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_process_loses_nothing_that_was_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let sink = Arc::new(Sink::start(|_| Act::Behave).await);
    let mut acknowledged = Vec::new();
    let mut lives = 0;
    // On a slow machine it takes more lives until enough has been done to prove anything.
    while lives < LIVES || ((acknowledged.len() <= 100 || sink.count() <= 20) && lives < 10 * LIVES) {
        let life = lives;
        lives += 1;
        let child = start(folder.path(), life, sink.port);
        // Different moments of its work, the same in each run of this test.
        let then = Duration::from_millis(500 + life * 137 % 500);
        let watched = sink.clone();
        acknowledged.extend(tokio::task::spawn_blocking(move || kill(child, then, &watched)).await.unwrap());
    }
    assert!(acknowledged.len() > 100, "too little was done to prove anything: {}", acknowledged.len());

    let app = app(folder.path(), "2026-03-02 10:00").await;
    assert!(app.store.unclean, "the lock tells that it did not end in good order");
    for line in &acknowledged {
        let [by, id, item, rev] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        assert!(app.store.answered(by, id).await.unwrap().is_some(), "lost: {line}");
        let recorded = app.store.item(item).await.unwrap().unwrap_or_else(|| panic!("lost: {line}"));
        let place = recorded.facts.get(rev.parse::<usize>().unwrap() - 1).unwrap_or_else(|| panic!("lost: {line}"));
        assert!(matches!(&place.cause, Cause::Command { id: recorded } if &**recorded == id), "{line}: {place:?}");
    }
    all_is_as_the_facts_say(&app).await;
    let killed = sink.accepted().len();
    assert!(killed > 20, "too few mails left to prove anything: {killed}");
    every_mail_arrives(&app, &sink, lives).await;
}

/// The last life is not killed: all that is owed goes out.
async fn every_mail_arrives(app: &Arc<App>, sink: &Sink, lives: u64) {
    let post = post(sink.port);
    for _ in 0..2_000 {
        // The lives before may have come far ahead on their own clocks.
        let next = app.store.next_moments().await.unwrap().mail.unwrap_or_else(|| app.clock.now());
        app.clock.set(app.clock.now().max(next) + chrono::TimeDelta::hours(7));
        while app.render_due(&post).await.unwrap().notices > 0 {}
        app.send_due(&post, &CancellationToken::new()).await.unwrap();
        let open = app.store.count_mails().await.unwrap().iter().any(|(status, _)| status != "sent" && status != "cancelled");
        let waiting = app.store.count_notices().await.unwrap().iter().any(|count| count.status == "ready");
        if !open && !waiting {
            break;
        }
    }
    let mails = app.store.mails(None, None, "", 100_000).await.unwrap();
    let known: HashSet<&str> = mails.iter().map(|mail| mail.id.as_str()).collect();
    let mut arrived: HashMap<String, Received> = HashMap::new();
    let mut doubled = 0;
    for mail in sink.accepted() {
        let id = mail.data.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().trim().to_string();
        assert!(known.contains(id.as_str()), "{id} was sent and is not recorded");
        if let Some(first) = arrived.insert(id, mail.clone()) {
            assert_eq!((first.data, first.to), (mail.data, mail.to), "a copy is the same mail");
            doubled += 1;
        }
    }
    for mail in &mails {
        match mail.status.as_str() {
            "sent" => assert!(arrived.contains_key(&mail.id), "{mail:?} never arrived"),
            status => assert_eq!(status, "cancelled", "{mail:?}"),
        }
    }
    println!("{} mails, {doubled} of them twice, after {lives} kills", mails.len());
    assert!(doubled <= lives as usize * UNRECORDED, "{doubled} mails arrived twice");
    for count in app.store.count_notices().await.unwrap() {
        assert!(matches!(count.status.as_str(), "mailed" | "cancelled"), "{count:?}");
    }
}

async fn all_is_as_the_facts_say(app: &Arc<App>) {
    let (mut numbers, mut counted, mut after) = (BTreeSet::new(), 0, String::new());
    loop {
        let ids = app.store.ids(None, false, &after, 500).await.unwrap();
        let Some(last) = ids.last() else { break };
        after = last.clone();
        for id in &ids {
            assert_eq!(app.examine(id).await.unwrap(), [], "{id}");
            let recorded = app.store.item(id).await.unwrap().unwrap();
            let mut commands: HashMap<&str, u64> = HashMap::new();
            for fact in &recorded.facts {
                if let Cause::Command { id } = &fact.cause {
                    assert_eq!(commands.insert(id, fact.seq), None, "done twice");
                    assert!(app.store.answered(fact.actor.person.as_deref().unwrap(), id).await.unwrap().is_some());
                }
            }
            let row = app.store.listed(id).await.unwrap().unwrap();
            numbers.insert(row.fields["number"].as_str().unwrap().to_string());
            counted += 1;
        }
    }
    assert_eq!(numbers.len(), counted, "every number was given once");
    let last: i64 = app.store.counter("request/number").await.unwrap();
    assert_eq!(last, counted as i64, "and none was lost");
}
