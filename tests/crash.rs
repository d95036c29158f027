//! `duban serve` is killed at any moment under load, again and again: nothing that was acknowledged is lost, nothing is done twice, every
//! cache is what the facts say, every mail arrives, and no more of them arrive twice than may wait for their record. Told of both databases.
//!
//! Commands come over its API, mails go to a real server on loopback. When it is killed goes by what it has answered and sent so far, by a
//! seed that is told; `DUBAN_CRASH_LIVES` gives it more lives, `DUBAN_CRASH_SEED` other ones.

use crate::support::office::{Asking, Life, Office, Reply, commands, setting};
use crate::support::postgres::SHARED;
use crate::support::smtp::{Act, Received, Sink, Step};
use crate::support::world::all;
use duban::app::send::{Post, UNRECORDED};
use duban::app::{App, Done};
use duban::files::mail_frames;
use duban::kernel::model::command::Command;
use duban::kernel::model::fact::Cause;
use duban::mail::guard::Guard;
use duban::mail::smtp::{Limits, Server, Smtp};
use duban::mail::{Address, Transport};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const LIVES: u64 = 6;
const CALLERS: usize = 8;

/// What was asked of all lives together.
#[derive(Default)]
struct Asked {
    acknowledged: BTreeMap<String, (Command, Done)>,
    /// Sent, and the answer never came.
    in_doubt: Vec<Command>,
}

async fn start(office: &Office, smtp_port: u16) -> Life {
    let started = office.start(|command| {
        command
            .env("DUBAN_SMTP_URL", format!("smtp://127.0.0.1:{smtp_port}?tls=none"))
            .env("DUBAN_MAIL_FROM", "duban@example.com")
            .env("DUBAN_MAIL_ALLOW", "@example.com")
            // What a killed process held is free again before the next one has much to do.
            .env("DUBAN_LEASE_SECONDS", "1");
    });
    started.await.unwrap_or_else(|ended| panic!("it did not start: {:?} {}", ended.code, ended.told))
}

/// Calls the server until it is gone.
async fn call(asking: Asking, name: String, asked: Arc<Mutex<Asked>>, answers: watch::Sender<usize>) {
    for number in 0.. {
        for command in commands(&format!("{name}-{number}"), number) {
            match asking.act(&command).await {
                Reply::Nothing => {
                    asked.lock().unwrap().in_doubt.push(command);
                    return;
                }
                Reply::Done(done) if !done.repeated => {
                    asked.lock().unwrap().acknowledged.insert(command.id.to_string(), (command, done));
                    answers.send_modify(|count| *count += 1);
                }
                Reply::No(no) => panic!("{command:?}: {} {} {}", no.status, no.code, no.detail),
                Reply::Done(done) => panic!("{command:?} was done before: {done:?}"),
            }
        }
    }
}

/// What was acknowledged is answered as before; what was in doubt is done now, or was.
async fn ask_again(asking: &Asking, asked: &Mutex<Asked>, latest: usize) {
    let (known, doubtful) = {
        let mut asked = asked.lock().unwrap();
        let known: Vec<_> = asked.acknowledged.values().rev().take(latest).cloned().collect();
        (known, std::mem::take(&mut asked.in_doubt))
    };
    for (command, first) in known {
        let Reply::Done(done @ Done { repeated: true, .. }) = asking.act(&command).await else { panic!("lost: {command:?}") };
        let answer = |done: &Done| (done.item.clone(), done.rev, done.state.clone(), done.notices);
        assert_eq!(answer(&done), answer(&first), "{command:?}");
    }
    for command in doubtful {
        match asking.act(&command).await {
            Reply::Done(done) => drop(asked.lock().unwrap().acknowledged.insert(command.id.to_string(), (command, done))),
            other => panic!("{command:?}: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_process_loses_nothing_that_was_acknowledged() {
    killed_again_and_again(Office::on_file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_a_process_on_a_server_loses_nothing_that_was_acknowledged() {
    killed_again_and_again(Office::on_server(SHARED.database().await)).await;
}

async fn killed_again_and_again(office: Office) {
    let (lives, seed) = (setting("DUBAN_CRASH_LIVES", LIVES), setting("DUBAN_CRASH_SEED", 20_260_302));
    let mut chance = StdRng::seed_from_u64(seed);
    let mails = watch::Sender::new(0_usize);
    let accepted = mails.clone();
    let sink = Sink::start(move |at| {
        if at.step == Step::AfterDot {
            accepted.send_modify(|count| *count += 1);
        }
        Act::Behave
    })
    .await;
    let asked = Arc::new(Mutex::new(Asked::default()));
    for number in 0..lives {
        let mut life = start(&office, sink.port).await;
        ask_again(&life.asking, &asked, 100).await;
        let answers = watch::Sender::new(0_usize);
        let calls: Vec<_> = (0..CALLERS)
            .map(|caller| tokio::spawn(call(life.asking.clone(), format!("{number}-{caller}"), asked.clone(), answers.clone())))
            .collect();
        // Every other life ends in the moment in which a mail was accepted, the others after so many answers.
        let (enough_answers, enough_mails) = (chance.random_range(30..150), *mails.borrow() + chance.random_range(5..20));
        match number % 2 {
            0 => drop(answers.subscribe().wait_for(|count| *count >= enough_answers).await.unwrap()),
            _ => drop(mails.subscribe().wait_for(|count| *count >= enough_mails).await.unwrap()),
        }
        life.kill();
        for call in calls {
            call.await.unwrap_or_else(|error| panic!("seed {seed}, life {number}: {error}\n{}", office.log()));
        }
    }

    let app = office.open().await;
    assert_eq!(app.store.unclean, !app.store.is_shared(), "the lock of a file tells that it did not end in good order");
    let Asked { acknowledged, in_doubt } = std::mem::take(&mut *asked.lock().unwrap());
    for (id, (command, done)) in &acknowledged {
        assert!(app.store.answered(&command.by, id).await.unwrap().is_some(), "seed {seed}, lost: {command:?}");
        let recorded = app.store.item(&command.item).await.unwrap().unwrap_or_else(|| panic!("seed {seed}, lost: {command:?}"));
        let place = recorded.facts.get(done.rev as usize - 1).unwrap_or_else(|| panic!("seed {seed}, lost: {command:?}"));
        assert!(matches!(&place.cause, Cause::Command { id: recorded } if **recorded == **id), "{command:?}: {place:?}");
    }
    let (acknowledged, in_doubt, sent) = (acknowledged.len(), in_doubt.len(), sink.count());
    assert!(acknowledged > 100 && sent > 20, "too little was done to prove anything: {acknowledged} answers, {sent} mails");
    all_is_as_the_facts_say(&app).await;
    every_mail_arrives(&app, &sink, lives).await;
    println!("seed {seed}: {acknowledged} acknowledged, {in_doubt} in doubt at the end");
}

/// The last life is not killed: all that is owed goes out.
async fn every_mail_arrives(app: &Arc<App>, sink: &Sink, lives: u64) {
    let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls=none", sink.port), None).unwrap();
    let transport = Transport::Smtp(Box::new(Smtp::new(server, Limits::default()).unwrap()));
    let guard = Guard { production: None, allow: vec!["@example.com".into()] };
    let from = Address::parse("duban@example.com").unwrap();
    let post = Arc::new(Post::new(Some(transport), mail_frames(None).unwrap(), from, guard, "crash".into()));
    for _ in 0..2_000 {
        let next = all(app).next_moments().await.unwrap().mail.unwrap_or_else(|| app.clock.now());
        app.clock.set(app.clock.now().max(next) + chrono::TimeDelta::hours(7));
        while all(app).render_due(&post).await.unwrap().notices > 0 {}
        all(app).send_due(&post, &CancellationToken::new()).await.unwrap();
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
