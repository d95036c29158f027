//! `duban serve` is killed at any moment under load, again and again: nothing that was acknowledged is lost, nothing is done twice, every
//! cache is what the facts say, every mail arrives, and no more of them arrive twice than may wait for their record.
//!
//! Commands come over its local API, mails go to a real server on loopback. When it is killed goes by what it has answered and sent so
//! far, by a seed that is told; `DUBAN_CRASH_LIVES` gives it more lives, `DUBAN_CRASH_SEED` other ones.

use crate::support::rule_set::files_of;
use crate::support::smtp::{Act, Received, Sink, Step};
use crate::support::world::{command, submit};
use duban::api::client::Client;
use duban::app::send::{Post, UNRECORDED};
use duban::app::{Answer, App, Done, rules_in_use};
use duban::clock::Clock;
use duban::files::mail_frames;
use duban::kernel::model::command::Command;
use duban::kernel::model::fact::Cause;
use duban::kernel::model::value::Value;
use duban::mail::guard::Guard;
use duban::mail::smtp::{Limits, Server, Smtp};
use duban::mail::{Address, Transport};
use duban::store::{Opening, Store, lock};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const LIVES: u64 = 6;
const CALLERS: usize = 8;

/// A folder with the office's rules, in which mail leaves at any hour, and where its database will be.
struct Place {
    folder: tempfile::TempDir,
    smtp_port: u16,
}

/// One life of the server.
struct Life {
    process: Child,
    client: Client,
}

/// What was asked of all lives together.
#[derive(Default)]
struct Asked {
    acknowledged: BTreeMap<String, (Command, Done)>,
    /// Sent, and the answer never came.
    in_doubt: Vec<Command>,
}

impl Place {
    fn new(smtp_port: u16) -> Place {
        let folder = tempfile::tempdir().unwrap();
        let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
        for (path, text) in files_of(fixtures) {
            let path = folder.path().join("rules").join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let open = "send_window: every day 00:00-24:00";
            std::fs::write(path, text.replace("send_window: working days 09:00-17:00", open)).unwrap();
        }
        Place { folder, smtp_port }
    }

    fn database(&self) -> PathBuf {
        self.folder.path().join("duban.db")
    }

    /// Starts the server and waits until it says that it is ready.
    async fn start(&self) -> Life {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.folder.path().join("log")).unwrap();
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_duban"))
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--rules", "rules"])
            .current_dir(self.folder.path())
            .env_clear()
            .env("DUBAN_SMTP_URL", format!("smtp://127.0.0.1:{}?tls=none", self.smtp_port))
            .env("DUBAN_MAIL_FROM", "duban@example.com")
            .env("DUBAN_MAIL_ALLOW", "@example.com")
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let out = process.stdout.take().unwrap();
        let ready = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            BufReader::new(out).read_line(&mut line).map(|_| line)
        });
        let ready = ready.await.unwrap().unwrap();
        assert!(ready.contains("\"ready\""), "it did not start: {ready}{}", self.log());
        let holder = lock::holder(&self.database()).unwrap();
        Life { process, client: Client::new(holder.address.unwrap(), holder.token.unwrap()) }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The database in this process, once nobody else holds it.
    async fn open(&self) -> Arc<App> {
        let now = Clock::Machine.now();
        let opening = Opening { new_instance: "unused".into(), page_limit: None, throwaway: false };
        let store = Store::open(&self.database(), opening, now).await.unwrap();
        let rules = rules_in_use(&store).await.unwrap();
        // Every life began a little later than the last one ended.
        let clock = Clock::set_to(store.high_water().await.unwrap().unwrap().max(now));
        Arc::new(App::open(store, rules, clock).await.unwrap())
    }
}

/// The commands on one item: handed in weeks ago, so that it is late at once, weighed, and every other one answered.
fn commands(item: &str, number: u64) -> Vec<Command> {
    let weeks_ago = (Clock::Machine.now() - chrono::TimeDelta::days(40)).date_naive();
    let mut commands = vec![Command { effective_on: Some(weeks_ago), ..submit(item) }];
    for weight in 1..4 {
        let mut weigh = command(item, "weigh", "carl", [("weight", Value::Number(weight))]);
        weigh.id = format!("{item} weigh {weight}").into();
        commands.push(weigh);
    }
    if number.is_multiple_of(2) {
        commands.push(command(item, "answer", "carl", []));
    }
    commands
}

/// Calls the server until it is gone.
async fn call(client: Client, name: String, asked: Arc<Mutex<Asked>>, answers: watch::Sender<usize>) {
    for number in 0.. {
        for command in commands(&format!("{name}-{number}"), number) {
            let Ok(answer) = client.act(std::slice::from_ref(&command)).await else {
                asked.lock().unwrap().in_doubt.push(command);
                return;
            };
            let [Answer::Done { done, repeated: false }] = &answer[..] else { panic!("{command:?}: {answer:?}") };
            asked.lock().unwrap().acknowledged.insert(command.id.to_string(), (command, done.clone()));
            answers.send_modify(|count| *count += 1);
        }
    }
}

/// What was acknowledged is answered as before; what was in doubt is done now, or was.
async fn ask_again(client: &Client, asked: &Mutex<Asked>, latest: usize) {
    let (known, doubtful) = {
        let mut asked = asked.lock().unwrap();
        let known: Vec<_> = asked.acknowledged.values().rev().take(latest).cloned().collect();
        (known, std::mem::take(&mut asked.in_doubt))
    };
    let commands: Vec<Command> = known.iter().map(|(command, _)| command.clone()).collect();
    for ((command, first), again) in known.iter().zip(client.act(&commands).await.unwrap()) {
        let Answer::Done { done, repeated: true } = again else { panic!("lost: {command:?}: {again:?}") };
        let answer = |done: &Done| (done.item.clone(), done.rev, done.state.clone(), done.notices);
        assert_eq!(answer(&done), answer(first), "{command:?}");
    }
    for command in doubtful {
        let answer = client.act(std::slice::from_ref(&command)).await.unwrap();
        let [Answer::Done { done, .. }] = &answer[..] else { panic!("{command:?}: {answer:?}") };
        asked.lock().unwrap().acknowledged.insert(command.id.to_string(), (command, done.clone()));
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killing_the_process_loses_nothing_that_was_acknowledged() {
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
    let place = Place::new(sink.port);
    let asked = Arc::new(Mutex::new(Asked::default()));
    for number in 0..lives {
        let Life { mut process, client } = place.start().await;
        ask_again(&client, &asked, 100).await;
        let answers = watch::Sender::new(0_usize);
        let calls: Vec<_> = (0..CALLERS)
            .map(|caller| tokio::spawn(call(client.clone(), format!("{number}-{caller}"), asked.clone(), answers.clone())))
            .collect();
        // Every other life ends in the moment in which a mail was accepted, the others after so many answers.
        let (enough_answers, enough_mails) = (chance.random_range(30..150), *mails.borrow() + chance.random_range(5..20));
        match number % 2 {
            0 => drop(answers.subscribe().wait_for(|count| *count >= enough_answers).await.unwrap()),
            _ => drop(mails.subscribe().wait_for(|count| *count >= enough_mails).await.unwrap()),
        }
        process.kill().unwrap();
        process.wait().unwrap();
        for call in calls {
            call.await.unwrap_or_else(|error| panic!("seed {seed}, life {number}: {error}\n{}", place.log()));
        }
    }

    let app = place.open().await;
    assert!(app.store.unclean, "the lock tells that it did not end in good order");
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
        let next = app.store.next_moments(app.clock.now()).await.unwrap().mail.unwrap_or_else(|| app.clock.now());
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
