//! Several processes at work on one PostgreSQL, with no leader: whatever one of them does, the others see it, nothing is done twice, and
//! what one of them leaves lying is taken up by another.

use crate::cli::{Desk, draft};
use crate::support::ground::Ground;
use crate::support::smtp::{Act, Sink};
use crate::support::world::{all, app_on, command, moment, rules, submit};
use duban::app::{ActError, App, Offices};
use duban::clock::Clock;
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::value::Value;
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::store::{LOCAL, News, Opening, StoreError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::Connection as _;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant as Now};
use tokio_util::sync::CancellationToken;

const NODES: usize = 3;

async fn nodes(ground: &Ground, now: &str) -> Vec<Arc<App>> {
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(app_on(ground.place(), now, None).await);
    }
    nodes
}

fn now_is(nodes: &[Arc<App>], now: &str) {
    nodes.iter().for_each(|node| node.clock.set(moment(now)));
}

/// All of them work until nothing is due; gives the facts that they recorded.
async fn work(nodes: &[Arc<App>]) -> usize {
    let tasks: Vec<_> = nodes
        .iter()
        .cloned()
        .map(|node| {
            tokio::spawn(async move {
                let mut facts = 0;
                loop {
                    let woken = all(&node).wake_due(4).await.unwrap();
                    let swept = all(&node).sweep_due().await.unwrap();
                    facts += woken.facts + swept.facts;
                    assert_eq!((woken.set_aside, swept.set_aside), (0, 0));
                    if woken.looked_at == 0 {
                        return facts;
                    }
                }
            })
        })
        .collect();
    let mut facts = 0;
    for task in tasks {
        facts += task.await.unwrap();
    }
    facts
}

/// Everything that is stored is what the facts say; gives the names of each item's facts.
async fn sound(app: &App) -> HashMap<String, Vec<String>> {
    let mut all = HashMap::new();
    for id in app.store.ids(None, false, "", 10_000).await.unwrap() {
        assert_eq!(app.examine(&id).await.unwrap(), [], "{id}");
        let recorded = app.store.item(&id).await.unwrap().unwrap();
        let causes: Vec<String> = recorded.facts.iter().filter_map(|fact| fact.cause.key()).collect();
        assert_eq!(causes.iter().collect::<BTreeSet<_>>().len(), causes.len(), "{id}: each for a cause of its own");
        all.insert(id, recorded.facts.iter().map(|fact| fact.name.to_string()).collect());
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_does_the_others_see() {
    let ground = Ground::server().await;
    let nodes = nodes(&ground, "2026-03-02 10:00").await;
    let [one, two, three] = &nodes[..] else { panic!("three nodes") };
    one.act(&submit("r1")).await.unwrap();
    assert_eq!(two.item("r1").await.unwrap().unwrap().field("number"), &Value::text("2026-001"));
    for (weight, node) in [(2, two), (3, three), (4, one), (5, two)] {
        let mut weigh = command("r1", "weigh", "carl", [("weight", Value::Number(weight))]);
        weigh.id = format!("weigh {weight}").into();
        node.act(&weigh).await.unwrap();
        for node in &nodes {
            assert_eq!(node.item("r1").await.unwrap().unwrap().field("weight"), &Value::Number(weight));
        }
    }
    // The same command through another node is the same answer; what has ended elsewhere is refused here.
    let answer = command("r1", "answer", "carl", []);
    assert!(!one.act(&answer).await.unwrap().repeated);
    assert!(two.act(&answer).await.unwrap().repeated);
    let mut again = answer.clone();
    again.id = "again".into();
    let refused = three.act(&again).await;
    assert!(matches!(&refused, Err(ActError::Refused(refusal)) if refusal.code == RefusalCode::WrongState), "{refused:?}");
    sound(one).await;
}

/// A node that still knows an item as it was before decides nothing by that: neither a refusal nor a fact.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_node_knew_before_decides_nothing() {
    let ground = Ground::server().await;
    let nodes = nodes(&ground, "2026-03-02 10:00").await;
    let [one, two, three] = &nodes[..] else { panic!("three nodes") };
    let weigh = |weight: i64, seen: Option<u64>| {
        let mut weigh = command("r1", "weigh", "carl", [("weight", Value::Number(weight))]);
        (weigh.id, weigh.seen_rev) = (format!("weigh {weight}").into(), seen);
        weigh
    };
    one.act(&submit("r1")).await.unwrap();
    for node in [two, three] {
        node.item("r1").await.unwrap().expect("it takes the item to hand");
    }
    one.act(&weigh(2, None)).await.unwrap();
    two.act(&weigh(3, Some(2))).await.expect("whoever has seen the second revision is not told that it has moved");
    one.act(&command("r1", "answer", "carl", [])).await.unwrap();
    let late = three.act(&command("r1", "ask_back", "carl", [("question", Value::text("which?"))])).await;
    assert!(matches!(&late, Err(ActError::Refused(refusal)) if refusal.code == RefusalCode::WrongState), "{late:?}");
    sound(one).await;
}

/// What one machine has taken another takes only when the lease has run out, also when its own clock is 150 s ahead.
#[tokio::test]
async fn machines_whose_clocks_differ_go_by_the_database() {
    let ground = Ground::server().await;
    let (right, wrong) = (Clock::agreed(), Clock::agreed());
    let opening = || Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening(), chrono::Utc::now()).await.unwrap();
    let shown = store.shown_time().await.unwrap().expect("a server");
    right.agree(shown);
    wrong.agree(shown + chrono::TimeDelta::seconds(150));
    let rules = Arc::new(rules(|_, text| text));
    let one = App::open(store, rules.clone(), right).await.unwrap();
    let other = App::open(ground.open(opening(), chrono::Utc::now()).await.unwrap(), rules, wrong).await.unwrap();
    one.act(&submit("r1")).await.unwrap();
    one.store.wake_now("r1", one.now(), 1).await.unwrap();
    let one = Offices::with(Arc::new(one));
    let other = Offices::with(Arc::new(other));
    let lease = chrono::TimeDelta::seconds(60);
    let take = async |offices: &Offices| {
        let now = offices.clock.now();
        offices.store.everywhere().take_due(now, now + lease, 10, &[]).await.unwrap().len()
    };
    assert_eq!((take(&one).await, take(&one).await), (1, 0), "leased");
    assert_eq!(take(&other).await, 1, "by its own clock the lease has run out");
    other.agree_on_time().await;
    one.store.wake_now("r1", one.clock.now(), 1).await.unwrap();
    assert_eq!((take(&one).await, take(&other).await), (1, 0), "by the database's it has not");
    let apart = (one.clock.now() - other.clock.now()).abs();
    assert!(apart < chrono::TimeDelta::seconds(1), "{apart}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_rung_fires_once_whoever_looks() {
    let ground = Ground::server().await;
    let nodes = nodes(&ground, "2026-03-02 10:00").await;
    assert_eq!(work(&nodes).await, 0, "the sweeps begin");
    let tasks: Vec<_> = (0..24)
        .map(|n| {
            let node = nodes[n % NODES].clone();
            tokio::spawn(async move { node.act(&submit(&format!("r{n}"))).await.unwrap() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let numbers: BTreeSet<String> =
        nodes[0].store.list(&Default::default(), 100).await.unwrap().iter().map(|row| row.fields["number"].to_string()).collect();
    assert_eq!((numbers.len(), numbers.last().map(String::as_str)), (24, Some("\"2026-024\"")), "given once and in a row");

    now_is(&nodes, "2026-03-05 00:00");
    assert_eq!(work(&nodes).await, 24);
    now_is(&nodes, "2026-03-10 12:00");
    assert_eq!(work(&nodes).await, 24);
    assert_eq!(work(&nodes).await, 0, "once");
    // The sweep of the first of the month, by whoever claims it.
    now_is(&nodes, "2026-04-01 08:00");
    let names = ["answer.again", "answer.again", "answer.again", "answer.late", "answer.soon", "count_month", "letter", "submit"];
    let fired = work(&nodes).await;
    let all = sound(&nodes[0]).await;
    assert_eq!((all.len(), fired), (24, 24 * 5), "three repetitions, a month, and the letter of the quarter");
    for facts in all.values() {
        let mut facts = facts.clone();
        facts.sort();
        assert_eq!(facts, names);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_that_one_node_brings_holds_for_all() {
    let ground = Ground::server().await;
    let one = app_on(ground.place(), "2026-03-02 10:00", None).await;
    one.act(&submit("r1")).await.unwrap();
    let offices = all(&one);
    assert_eq!(offices.follow_rules().await.unwrap(), 0);
    let more = rules(|path, text| match path {
        "directory.yaml" => text.replace("persons:", "persons:\n  dora: { title: Dora, mail: dora@example.com, groups: [citizens] }"),
        _ => text,
    });
    let two = app_on(ground.place(), "2026-03-02 10:00", Some(more)).await;
    let by_dora = command("r2", "submit", "dora", [("title", Value::text("a bench"))]);
    assert!(one.act(&by_dora).await.is_err(), "nobody knows her here");
    // What one still writes under the old rules is derived again, also when all was thought to be.
    all(&two).refresh_stale(10).await.unwrap();
    assert!(!all(&two).next_moments().await.unwrap().stale);
    one.act(&submit("r3")).await.unwrap();
    assert!(all(&two).next_moments().await.unwrap().stale);
    assert_eq!(all(&two).refresh_stale(10).await.unwrap(), 1);
    assert_eq!(offices.follow_rules().await.unwrap(), 1);
    assert_eq!(one.rules().hash, two.rules().hash);
    all(&two).refresh_stale(10).await.unwrap();
    assert!(!offices.next_moments().await.unwrap().stale, "all are derived under the new rules");
    one.act(&by_dora).await.unwrap();
    one.act(&command("r1", "answer", "carl", [])).await.unwrap();
    let recorded = two.store.item("r1").await.unwrap().unwrap();
    let under: BTreeSet<&str> = recorded.facts.iter().map(|fact| &*fact.rules).collect();
    assert_eq!(under.len(), 2, "each fact names the rules it was decided under");

    // One that this program cannot read stops it, and nothing else.
    let unknown = indexmap::IndexMap::from([("a.yaml".to_string(), "workflow: [".to_string())]);
    two.store.use_rules("h9", &unknown, &[], moment("2026-03-02 11:00")).await.unwrap();
    assert_eq!(offices.follow_rules().await.unwrap(), 0);
    let shut = offices.shut_now();
    assert!(shut[0].1.contains("h9"), "{shut:?}");
    assert!(offices.app(LOCAL).await.is_err(), "nobody acts under rules that are no longer in use");
    offices.clock.set(moment("2026-03-20 10:00"));
    offices.try_shut().await.unwrap();
    assert_eq!(offices.wake_due(10).await.unwrap().looked_at, 0, "what it owes is left to others");
}

/// Mails may leave at any hour, so that nobody waits for one.
fn always_open() -> RuleSet {
    rules(|_, text| text.replace("working days 09:00-17:00", "every day 00:00-23:59"))
}

/// How long what a server takes is its own.
const LEASE: Duration = Duration::from_secs(1);

struct Node {
    process: Child,
}

impl Node {
    /// The real server, in a folder of its own, with nothing but the address of the database.
    fn start(folder: &Path, url: &str, smtp: u16) -> Node {
        let process = Command::new(env!("CARGO_BIN_EXE_duban"))
            .args(["serve", "--listen", "127.0.0.1:0", "--json"])
            .current_dir(folder)
            .env_clear()
            .env("DATABASE_URL", url)
            .env("DUBAN_SMTP_URL", format!("smtp://127.0.0.1:{smtp}?tls=none"))
            .env("DUBAN_MAIL_FROM", "duban@example.com")
            .env("DUBAN_PRODUCTION", "true")
            .env("DUBAN_INSTANCE", "office")
            .env("DUBAN_LEASE_SECONDS", LEASE.as_secs().to_string())
            // A month of silence at once is more than is usual.
            .env("DUBAN_VOLUME_FACTOR", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Node { process }
    }

    fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([name, &self.process.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // One that has ended is past killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Four servers at work on one database, and what they are asked and what arrives.
struct Crowd {
    office: Arc<App>,
    news: News,
    sink: Sink,
    folder: tempfile::TempDir,
    url: String,
    nodes: Vec<Node>,
    items: usize,
    chance: StdRng,
    /// Mails that were under way where a claim could not be kept: each may have been accepted before it was recorded.
    doubtful: u64,
}

impl Crowd {
    /// Requests of a month ago, of which nobody has heard since: all that they owe is owed at once.
    async fn ask(&mut self, count: usize) {
        for _ in 0..count {
            self.office.act(&submit(&format!("r{}", self.items))).await.unwrap();
            self.items += 1;
        }
    }

    async fn is_settled(&self) -> bool {
        let store = &self.office.store;
        let (mails, notices) = (store.count_mails().await.unwrap(), store.count_notices().await.unwrap());
        let open = mails.iter().any(|(status, _)| status != "sent") || notices.iter().any(|count| count.status == "ready");
        !open && !mails.is_empty() && store.health(Clock::Machine.now()).await.unwrap().due.count == 0
    }

    /// Waits until nothing is owed any more, looking whenever one of them has written something.
    async fn settled(&mut self) {
        let begun = Now::now();
        while !self.is_settled().await {
            assert!(begun.elapsed() < Duration::from_secs(180), "it never ends");
            // What the last of them wrote may have been heard already.
            let _ = tokio::time::timeout(Duration::from_secs(1), self.news.heard()).await;
        }
    }

    /// Waits until a few more mails have arrived, or there are no more.
    async fn a_few_more(&mut self) {
        let count = self.sink.count() + self.chance.random_range(1..8);
        if tokio::time::timeout(Duration::from_secs(5), self.sink.reaches(count)).await.is_err() {
            self.settled().await;
        }
    }

    /// Mails that one of them, which is struck, has taken.
    async fn under_way(&self, nth: usize) -> u64 {
        let mut connection = sqlx::PgConnection::connect(&self.url).await.unwrap();
        let by = format!("serve:{}:%", self.nodes[nth].process.id());
        let taken = "select count(*) from mail where status = 'claimed' and leased_by like $1";
        let (taken,): (i64,) = sqlx::query_as(taken).bind(by).fetch_one(&mut connection).await.unwrap();
        assert!(taken as usize <= duban::app::send::UNRECORDED, "{taken} at once");
        taken as u64
    }

    fn start(&self) -> Node {
        Node::start(self.folder.path(), &self.url, self.sink.port)
    }

    /// One of them is struck while it works.
    async fn strike(&mut self) {
        self.ask(6).await;
        self.a_few_more().await;
        let nth = self.chance.random_range(0..self.nodes.len());
        match self.chance.random_range(0..3) {
            0 => {
                self.nodes[nth].signal("-KILL");
                self.doubtful += self.under_way(nth).await;
                self.a_few_more().await;
                self.nodes[nth] = self.start();
            }
            // It comes back while what it had taken is still its own.
            1 => {
                self.nodes[nth].signal("-STOP");
                let (stopped, under_way) = (Now::now(), self.under_way(nth).await);
                self.a_few_more().await;
                // A claim is renewed when a third of its lease is over.
                if stopped.elapsed() > LEASE / 2 {
                    self.doubtful += under_way;
                }
                self.nodes[nth].signal("-CONT");
            }
            // It comes back when the others have done all that it had taken.
            _ => {
                self.nodes[nth].signal("-STOP");
                self.doubtful += self.under_way(nth).await;
                self.settled().await;
                self.nodes[nth].signal("-CONT");
            }
        }
    }
}

/// Kills and pauses at moments given by what has arrived; whoever is left finishes. `DUBAN_NODES_FAULTS=1000` is for the night, and
/// `DUBAN_NODES_SEED` plays a sequence of strikes again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_are_killed_and_paused_and_nothing_is_lost_or_doubled() {
    const SERVERS: usize = 4;
    let setting = |name: &str, otherwise: u64| std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise);
    let (faults, seed) = (setting("DUBAN_NODES_FAULTS", 6), setting("DUBAN_NODES_SEED", 1));
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let now: Instant = Clock::Machine.now() - chrono::TimeDelta::days(40);
    let office = app_on(ground.place(), "2024-01-01 00:00", Some(always_open())).await;
    office.clock.set(now);
    let sink = Sink::start(|_| Act::Behave).await;
    let news = office.store.news().expect("others write");
    let (folder, chance) = (tempfile::tempdir().unwrap(), StdRng::seed_from_u64(seed));
    let mut crowd = Crowd { office, news, sink, folder, url: url.clone(), nodes: Vec::new(), items: 0, chance, doubtful: 0 };
    crowd.ask(20).await;
    crowd.nodes = (0..SERVERS).map(|_| crowd.start()).collect();
    for _ in 0..faults {
        crowd.strike().await;
    }
    crowd.settled().await;
    let Crowd { office, sink, nodes, items, doubtful, .. } = crowd;
    drop(nodes);
    let all = sound(&office).await;
    assert_eq!(all.len(), items, "seed {seed}");
    for facts in all.values() {
        assert_eq!(facts, &["submit", "answer.soon", "answer.late", "answer.again", "answer.again", "answer.again"], "seed {seed}");
    }
    let mails = office.store.mails(None, None, "", 1_000_000).await.unwrap();
    let mut copies: HashMap<String, usize> = HashMap::new();
    for mail in sink.accepted() {
        let id = mail.data.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().trim().to_string();
        *copies.entry(id).or_default() += 1;
    }
    assert_eq!(copies.len(), mails.len(), "seed {seed}: each that is recorded arrived, and no other");
    let doubled = copies.values().map(|count| count - 1).sum::<usize>();
    println!("{} mails, {doubled} copies of at most {doubtful}, {faults} faults", mails.len());
    assert!(doubled as u64 <= doubtful, "seed {seed}: {doubled} copies of at most {doubtful}");
}

/// What a person at a desk does, on a server that several offices share.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offices_that_share_a_server_work_each_for_itself() {
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let desk = Desk::new();
    let at = |office: &str, words: &[&str]| {
        let output = desk.command(words).env("DATABASE_URL", url).env("DUBAN_JURISDICTION", office).output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(told).unwrap())
    };
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(at("east", &words).0, Some(0));
    for mistyped in [&words[..], &["list"], &["quarantine", "retry"], &["serve", "--listen", "127.0.0.1:0"]] {
        let (code, told) = at("west", mistyped);
        assert_eq!(code, Some(2), "only the first office is made by the way: {mistyped:?} {told}");
        assert!(told.contains("没有单位“west”，只有：east"), "{told}");
    }
    for office in ["west", "south"] {
        assert_eq!(at("east", &["offices", "add", office]).0, Some(0));
    }
    assert_eq!(at("west", &words), at("south", &words), "the id is free, and so is the first number");
    assert_eq!(at("east", &["act", "a1", "submit", "--on", "2024-03-03", "--as", "曾海敏"]).0, Some(0));
    for (office, state) in [("east", "submitted"), ("west", "draft")] {
        let shown: serde_json::Value = serde_json::from_str(&at(office, &["list", "--json"]).1).unwrap();
        assert_eq!((shown["items"].as_array().unwrap().len(), &shown["items"][0]["state"]), (1, &state.into()), "{office}");
    }
    let (_, told) = at("east", &["offices", "--json"]);
    let names: Vec<serde_json::Value> = told.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(names.iter().map(|one| one["jurisdiction"].as_str().unwrap()).collect::<Vec<_>>(), ["east", "south", "west"], "{told}");
    let (code, told) = at("east", &["offices", "add", "north"]);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(at("north", &words).0, Some(0));
    assert_eq!(at("east", &["offices", "add", "north"]).0, Some(5), "it is there already");
    for bad in ["two words", "", "a/b", &"n".repeat(65)] {
        assert_eq!(at("east", &["offices", "add", bad]).0, Some(2), "{bad}");
    }
}

/// A newer program has brought the database up to its schema while this one runs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_the_database_has_outgrown_writes_nothing_any_more() {
    let ground = Ground::server().await;
    let app = app_on(ground.place(), "2026-03-02 10:00", None).await;
    app.act(&submit("r1")).await.unwrap();
    let (offices, pulse, stop) = (all(&app), duban::scheduler::Pulse::new(&app.clock), CancellationToken::new());
    duban::scheduler::tick(&offices, &pulse, &stop).await.unwrap();
    ground.tamper("insert into schema_version values (999, 0)").await;
    app.clock.set(moment("2026-03-05 10:00"));
    let outgrown = |error: &StoreError| matches!(error, StoreError::Newer { found: 999, .. });
    let ticked = duban::scheduler::tick(&offices, &pulse, &stop).await.unwrap_err();
    assert!(outgrown(&ticked), "{ticked}");
    let acted = app.act(&submit("r2")).await.unwrap_err();
    assert!(matches!(&acted, ActError::Store(error) if outgrown(error)), "{acted}");
    assert_eq!(app.store.item("r1").await.unwrap().unwrap().facts.len(), 1, "nothing fired");
}
