//! Years of an office with everything that goes wrong, each made of one seed: people act, processes die between any two records, clocks
//! jump, wake-ups come twice, the mail server says anything. Then the faults stop, what is owed goes out, and the checker looks.
//!
//! The real engine runs over a real store or over a model of one, on a clock set by hand and mails in memory. On the model a process may die
//! between any two of its steps, and others come in between them as the seed says. The same seed is the same year: a failure names it,
//! and `DUBAN_YEARS_SEED` with `DUBAN_YEARS=1` plays it again. `DUBAN_YEARS=5000` is for the night.

use crate::support::checker::{Seen, violations};
use crate::support::ground::Ground;
use crate::support::world::{all, command, moment, rules, submit};
use chrono::TimeDelta;
use duban::app::App;
use duban::app::send::Post;
use duban::clock::Clock;
use duban::files::mail_frames;
use duban::kernel::model::command::Command;
use duban::kernel::model::value::Value;
use duban::kernel::render::Frames;
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::mail::guard::Guard;
use duban::mail::{Address, KeptMail, Memory, Outcome, Phase, Transport};
use duban::store::posting::{MailEnd, Outcome as Ended};
use duban::store::{Opening, Store};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use tokio_util::sync::CancellationToken;

const BEGINS: &str = "2026-01-05 08:00";
/// How long a process has a mail in hand at most.
const LEASE: TimeDelta = TimeDelta::minutes(45);
/// Years on each of the two models in an ordinary run.
const MODEL_YEARS: u64 = 12;

static FRAMES: LazyLock<Frames> = LazyLock::new(|| mail_frames(None).expect("frames"));

/// The office's directory as it is, and after another head came; the rules are the same.
static RULES: LazyLock<[Arc<RuleSet>; 2]> = LazyLock::new(|| {
    let other = rules(|path, text| match path {
        "directory.yaml" => text.replace("hu:   { title: 胡主任, mail: hu@example.com,", "li:   { title: 李主任, mail: li@example.com,"),
        _ => text,
    });
    [Arc::new(rules(|_, text| text)), Arc::new(other)]
});

/// One office through one year.
struct Year {
    chance: StdRng,
    ground: Ground,
    /// The processes at work on it: one on a file, two on a server.
    apps: Vec<Arc<App>>,
    now: Instant,
    directory: usize,
    items: usize,
    commands: usize,
    step: usize,
    seen: Seen,
    /// Sent and never answered.
    in_doubt: Vec<Command>,
}

impl Year {
    async fn begin(seed: u64, ground: Ground) -> Year {
        let now = moment(BEGINS);
        let chance = StdRng::seed_from_u64(seed);
        if let Ground::Model(model) = &ground {
            model.interleave(seed);
        }
        let (apps, seen) = (Vec::new(), Seen::default());
        let mut year = Year { chance, ground, apps, now, directory: 0, items: 0, commands: 0, step: 0, seen, in_doubt: Vec::new() };
        year.start().await;
        year
    }

    fn is_shared(&self) -> bool {
        self.ground.is_shared()
    }

    async fn start(&mut self) {
        for _ in 0..if self.is_shared() { 2 } else { 1 } {
            let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: true };
            let store = self.ground.open(opening, self.now).await.expect("opens");
            let app = App::open(store, RULES[self.directory].clone(), Clock::set_to(self.now)).await.expect("opens");
            self.apps.push(Arc::new(app));
        }
    }

    /// All processes end, whatever they had in hand, and begin again. On a model they die: of what each had queued, only the first few
    /// decisions may have been stored.
    async fn restart(&mut self) {
        for app in std::mem::take(&mut self.apps) {
            match &self.ground {
                Ground::Model(model) => model.kill(&app.store, |queued| self.chance.random_range(0..=queued)),
                Ground::File(_) | Ground::Server(_) => app.store.clone().close().await,
            }
        }
        self.start().await;
        for command in std::mem::take(&mut self.in_doubt) {
            self.act(command).await;
        }
    }

    fn app(&mut self) -> Arc<App> {
        let nth = self.chance.random_range(0..self.apps.len());
        self.apps[nth].clone()
    }

    fn clock_shows(&mut self, now: Instant) {
        self.now = now;
        self.apps.iter().for_each(|app| app.clock.set(now));
    }

    /// What somebody might ask for next.
    fn command(&mut self) -> Command {
        self.commands += 1;
        let what = self.chance.random_range(0..10);
        let mut asked = if self.items == 0 || what < 3 {
            self.items += 1;
            submit(&format!("r{}", self.items))
        } else {
            let item = format!("r{}", self.chance.random_range(1..=self.items));
            match what {
                3..=5 => command(&item, "weigh", "carl", [("weight", Value::Number(self.chance.random_range(1..10)))]),
                // The rule of a rung cannot be computed with it.
                6 => command(&item, "weigh", "carl", [("weight", Value::Number(999))]),
                7 => command(&item, "ask_back", "carl", [("question", Value::text("which?"))]),
                8 => command(&item, "answer", "carl", []),
                _ => command(&item, "answer", "ann", []),
            }
        };
        asked.id = format!("c{}", self.commands).into();
        asked
    }

    async fn act(&mut self, command: Command) {
        let app = self.app();
        if &*command.action == "answer" && &*command.by == "carl" {
            self.seen.answered.entry(command.item.to_string()).or_insert(self.step);
        }
        let answer = app.act(&command).await;
        if let Ok(done) = answer {
            match &*command.action {
                "submit" => _ = self.seen.handed_in.entry(command.item.to_string()).or_insert(self.step),
                "weigh" if command.input["weight"] == Value::Number(999) => _ = self.seen.poisoned.insert(command.item.to_string()),
                _ => {}
            }
            self.seen.acknowledged.push((command, done));
        }
    }

    /// A look at what is due, by one process or by several at once.
    async fn tick(&mut self, doubled: bool) {
        let (one, other) = (self.app(), self.app());
        loop {
            let woken = match doubled {
                true => {
                    let (one, other) = (all(&one), all(&other));
                    tokio::join!(one.wake_due(64), other.wake_due(64)).0
                }
                false => all(&one).wake_due(64).await,
            };
            if woken.expect("the store works").looked_at == 0 {
                break;
            }
        }
        match doubled {
            true => {
                let (one, other) = (all(&one), all(&other));
                let (one, other) = tokio::join!(one.sweep_due(), other.sweep_due());
                one.and(other).expect("the store works");
            }
            false => drop(all(&one).sweep_due().await.expect("the store works")),
        }
        self.seen.ticks.push((self.step, one.now()));
    }

    /// One round of the mailer, to a server that answers as it likes.
    async fn mail(&mut self, faults: bool) {
        self.mail_for(faults, usize::MAX).await;
    }

    /// The same for so many turns at most: whoever has not come to the end by then, dies.
    async fn mail_for(&mut self, faults: bool, turns: usize) {
        let app = self.app();
        let (mood, doubtful) = (self.chance.random::<u64>(), Arc::new(AtomicUsize::new(0)));
        let counter = doubtful.clone();
        let memory = Memory::answering(move |parcel| {
            let outcome = if faults { answer(mood, parcel.id) } else { Outcome::Sent { reply: "250".into() } };
            counter.fetch_add(usize::from(matches!(outcome, Outcome::Unknown { .. })), Ordering::Relaxed);
            outcome
        });
        let from = Address::parse("duban@example.com").expect("an address");
        let transport = Transport::Memory(memory.clone());
        let mut post = Post::new(Some(transport), FRAMES.clone(), from, Guard::default(), "process".into());
        post.chance = || 0.5;
        let post = Arc::new(post);
        let round = async {
            while all(&app).render_due(&post).await.expect("the store works").more {}
            all(&app).send_due(&post, &CancellationToken::new()).await.expect("the store works");
        };
        let whole = for_turns(turns, round).await.is_some();
        if !whole {
            self.restart().await;
        }
        let mut received = memory.mails();
        received.sort_by(|one, other| one.id.cmp(&other.id));
        self.seen.unrecorded += match whole {
            true => doubtful.load(Ordering::Relaxed),
            // What was accepted may have been recorded before it died.
            false => self.not_recorded(&received).await,
        };
        self.seen.received.extend(received);
    }

    async fn not_recorded(&self, received: &[KeptMail]) -> usize {
        let mut count = 0;
        for mail in received {
            let recorded = self.apps[0].store.mail(&mail.id).await.expect("reads");
            count += usize::from(recorded.is_none_or(|(mail, _)| mail.status != "sent"));
        }
        count
    }

    /// A mailer dies with mails in hand, some of them accepted; later it wakes up and tells what it believes.
    async fn die_while_mailing(&mut self) {
        let app = self.app();
        let claimed = app.store.everywhere().claim_mails(app.now(), app.now() + LEASE, "dead", 3).await.expect("the store works");
        let accepted = self.chance.random_range(0..=claimed.len());
        for mail in &claimed[..accepted] {
            let bytes = mail.bytes.as_bytes().to_vec();
            self.seen.received.push(KeptMail { id: mail.id.clone(), to: mail.address.clone(), bytes });
        }
        self.seen.unrecorded += accepted;
        if self.is_shared() {
            return;
        }
        self.restart().await;
        let late = claimed.into_iter().map(|mail| Ended {
            jurisdiction: mail.jurisdiction,
            id: mail.id,
            fence: mail.fence,
            end: MailEnd::Refused,
            reply: "late".into(),
        });
        let late: Vec<_> = late.collect();
        let counted = self.apps[0].store.everywhere().finish_mails(late, self.now).await.expect("the store works");
        assert!(!counted.contains(&true), "what a dead process believes counts");
    }

    /// A process dies after it was asked and before it could answer.
    async fn die_while_acting(&mut self) {
        let app = self.app();
        for _ in 0..self.chance.random_range(1..4) {
            let command = self.command();
            if &*command.action == "answer" && &*command.by == "carl" {
                self.seen.answered.entry(command.item.to_string()).or_insert(self.step);
            }
            drop(app.begin_act(&command).await);
            self.in_doubt.push(command);
        }
        drop(app);
        self.restart().await;
    }

    /// A process of a model dies between any two of its steps, in the middle of whatever it does.
    async fn die_in_the_middle(&mut self) {
        let (what, turns) = (self.chance.random_range(0..10), self.chance.random_range(0..40));
        match what {
            0..3 => {
                let (app, command) = (self.app(), self.command());
                if &*command.action == "answer" && &*command.by == "carl" {
                    self.seen.answered.entry(command.item.to_string()).or_insert(self.step);
                }
                drop(for_turns(turns / 8, app.act(&command)).await);
                // It is asked again, whether it was answered or not.
                self.in_doubt.push(command);
                drop(app);
                self.restart().await;
            }
            3..7 => {
                let later = self.now + TimeDelta::minutes(self.chance.random_range(1..3 * 24 * 60));
                self.clock_shows(later);
                let app = self.app();
                let tick = async {
                    while all(&app).wake_due(64).await.expect("the store works").looked_at > 0 {}
                    all(&app).sweep_due().await.expect("the store works");
                };
                let _ = for_turns(turns, tick).await;
                drop(app);
                self.restart().await;
            }
            _ => self.mail_for(true, turns).await,
        }
    }

    /// Something happens.
    async fn go_on(&mut self) {
        self.step += 1;
        if matches!(self.ground, Ground::Model(_)) && self.chance.random_bool(0.08) {
            return self.die_in_the_middle().await;
        }
        match self.chance.random_range(0..100) {
            0..35 => {
                let command = self.command();
                self.act(command).await;
            }
            35..70 => {
                let later = self.now + TimeDelta::minutes(self.chance.random_range(1..3 * 24 * 60));
                self.clock_shows(later);
                let doubled = self.chance.random_bool(0.3);
                self.tick(doubled).await;
            }
            70..85 => self.mail(true).await,
            85..88 => self.die_while_mailing().await,
            88..91 => self.die_while_acting().await,
            // An outage, or a clock that was wrong.
            91..94 => {
                let outage = self.now + TimeDelta::hours(self.chance.random_range(1..30 * 24));
                self.now = outage;
                self.restart().await;
            }
            94..96 => {
                self.now -= TimeDelta::minutes(self.chance.random_range(1..3 * 24 * 60));
                self.restart().await;
            }
            96..98 => {
                let back = self.now - TimeDelta::seconds(self.chance.random_range(1..7200));
                self.clock_shows(back);
            }
            _ => {
                self.directory = 1 - self.directory;
                self.restart().await;
            }
        }
    }

    /// The faults stop: what was poisoned is put right, and all that is owed goes out.
    async fn settle(&mut self) {
        self.step += 1;
        for item in 1..=self.items {
            let mut heal = command(&format!("r{item}"), "weigh", "carl", [("weight", Value::Number(1))]);
            heal.id = format!("heal {item}").into();
            self.act(heal).await;
        }
        for _ in 0..60 {
            self.clock_shows(self.now + TimeDelta::hours(13));
            self.tick(false).await;
            self.mail(false).await;
        }
    }

    /// All that was recorded and all that arrived, as one text.
    async fn trace(&self) -> String {
        let store = &self.apps[0].store;
        let mut trace = String::new();
        for id in store.ids(None, false, "", 100_000).await.expect("reads") {
            let recorded = store.item(&id).await.expect("reads").expect("it is listed");
            trace += &serde_json::to_string(&recorded.facts).expect("facts have a JSON form");
            for notice in store.notices_of(&id).await.expect("reads") {
                trace += &format!("\n{} {} {:?} {:?}", notice.key, notice.status, notice.mail, notice.mail_ended_at);
            }
        }
        for mail in &self.seen.received {
            trace += &format!("\n{} {} {}", mail.id, mail.to, String::from_utf8_lossy(&mail.bytes));
        }
        trace
    }

    async fn end(self) {
        for app in self.apps {
            app.store.clone().close().await;
        }
    }
}

/// Runs something for so many turns at most; nothing when it has not come to its end by then.
async fn for_turns<T>(turns: usize, what: impl Future<Output = T>) -> Option<T> {
    let (mut what, mut left) = (std::pin::pin!(what), turns);
    std::future::poll_fn(move |context| match what.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// What a server in such a mood says to a mail.
fn answer(mood: u64, mail: &str) -> Outcome {
    let mut hasher = std::hash::DefaultHasher::new();
    (mood, mail).hash(&mut hasher);
    match hasher.finish() % 12 {
        0 => Outcome::Refused { phase: Phase::Recipient, reply: "550 unknown".into() },
        1 => Outcome::Deferred { phase: Phase::Connect, why: "no answer".into() },
        2 => Outcome::Deferred { phase: Phase::Recipient, why: "450 later".into() },
        3 => Outcome::Unknown { why: "the connection was lost".into() },
        _ => Outcome::Sent { reply: "250".into() },
    }
}

async fn lived(seed: u64, ground: Ground) -> Year {
    let mut year = Year::begin(seed, ground).await;
    let end = moment("2026-12-20 00:00");
    // A year of an office takes some 400 steps; one whose clock keeps being set back ends all the same.
    for _ in 0..2_000 {
        if year.now >= end {
            break;
        }
        year.go_on().await;
    }
    year.settle().await;
    year
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// What so many years came to.
#[derive(Debug, Default)]
struct Sum {
    acknowledged: usize,
    mails: usize,
    copies: usize,
}

async fn years(count: u64, ground: impl AsyncFn() -> Ground) -> Sum {
    let first = setting("DUBAN_YEARS_SEED", 1);
    let mut sum = Sum::default();
    for seed in first..first + count {
        let year = lived(seed, ground().await).await;
        let found = violations(&year.apps[0], &year.seen).await;
        assert!(found.is_empty(), "seed {seed} (DUBAN_YEARS_SEED={seed} DUBAN_YEARS=1):\n{}", found.join("\n"));
        let distinct: std::collections::HashSet<&str> = year.seen.received.iter().map(|mail| mail.id.as_str()).collect();
        sum.acknowledged += year.seen.acknowledged.len();
        sum.mails += distinct.len();
        sum.copies += year.seen.received.len() - distinct.len();
        year.end().await;
    }
    assert!(sum.acknowledged as u64 > count * 20 && sum.mails as u64 > count * 20, "too little happened to prove anything: {sum:?}");
    sum
}

#[tokio::test]
async fn years_with_everything_that_goes_wrong_on_a_file() {
    let count = setting("DUBAN_YEARS", 4).div_ceil(4);
    let sum = years(count, async || Ground::file()).await;
    println!("{count} years: {sum:?}");
}

/// The model costs no disk and no server: so many more years.
#[tokio::test]
async fn years_with_everything_that_goes_wrong_on_a_model() {
    let count = setting("DUBAN_YEARS", MODEL_YEARS);
    let sum = years(count, async || Ground::model()).await;
    println!("{count} years: {sum:?}");
}

#[tokio::test]
async fn years_with_everything_that_goes_wrong_on_a_model_with_two_processes() {
    let count = setting("DUBAN_YEARS", MODEL_YEARS);
    let sum = years(count, async || Ground::model_of_many()).await;
    println!("{count} years: {sum:?}");
}

#[tokio::test]
async fn years_with_everything_that_goes_wrong_on_a_server_with_two_processes() {
    let count = setting("DUBAN_YEARS", 10).min(200) / 10;
    let sum = years(count.max(1), async || Ground::server().await).await;
    println!("{count} years: {sum:?}");
}

#[tokio::test]
async fn the_same_seed_is_the_same_year() {
    same(7, Ground::file).await;
    for seed in 1..=setting("DUBAN_YEARS", 12) / 6 {
        same(seed, Ground::model).await;
        same(seed, Ground::model_of_many).await;
    }
}

async fn same(seed: u64, ground: impl Fn() -> Ground) {
    let (one, other) = (lived(seed, ground()).await, lived(seed, ground()).await);
    let (left, right) = (one.trace().await, other.trace().await);
    let differs = left.lines().zip(right.lines()).find(|(left, right)| left != right);
    assert!(left == right && !left.is_empty(), "seed {seed}: {differs:?}");
    one.end().await;
    other.end().await;
}

/// A checker that finds nothing must be able to find something: the same year, damaged in each way that it is there to see.
#[tokio::test]
async fn the_checker_sees_what_must_never_happen() {
    type Damage = (&'static str, &'static str, fn(&mut Seen));
    let damages: [Damage; 11] = [
        ("lost", "select 1", |seen| {
            let (mut command, done) = seen.acknowledged[0].clone();
            command.id = "never recorded".into();
            seen.acknowledged.push((command, done));
        }),
        ("gap", "delete from fact where seq = 2", |_| {}),
        ("twice", "update fact set json = replace(json, '\"occurrence\":2', '\"occurrence\":1')", |_| {}),
        ("record", "update fact set hash = hash || 'f' where seq = 1", |_| {}),
        ("too early", "update fact set json = replace(json, '\"recorded_at\":\"2026', '\"recorded_at\":\"2025')", |_| {}),
        ("missing", "delete from fact where json like '%\"rung\":\"late\"%'", |_| {}),
        ("told", "delete from notice where notice = 'late' and person = 'carl'", |_| {}),
        ("stuck", "update notice set status = 'ready', mail = null where notice = 'late'", |_| {}),
        ("never sent", "select 1", |seen| seen.received.clear()),
        ("changed", "select 1", |seen| {
            let mut mail = seen.received[0].clone();
            mail.bytes.push(b'!');
            seen.received.push(mail);
        }),
        ("doubled", "select 1", |seen| {
            let copies = vec![seen.received[0].clone(); seen.unrecorded + 1];
            seen.received.extend(copies);
        }),
    ];
    let Year { mut apps, ground, mut seen, now, .. } = lived(3, Ground::file()).await;
    let app = apps.remove(0);
    assert_eq!(violations(&app, &seen).await, Vec::<String>::new(), "before the damage");
    let rules = app.rules();
    app.store.clone().close().await;
    for (kind, statement, damage) in damages {
        let copy = Ground::file();
        std::fs::copy(ground.path(), copy.path()).expect("copies");
        copy.tamper(statement).await;
        let store = Store::open(copy.place(), Opening::default(), now).await.expect("opens");
        let app = App::open(store, rules.clone(), Clock::set_to(now)).await.expect("opens");
        let undamaged = seen.clone();
        damage(&mut seen);
        let found = violations(&app, &seen).await;
        assert!(found.iter().any(|finding| finding.starts_with(kind)), "{kind}: {found:?}");
        seen = undamaged;
        app.store.clone().close().await;
    }
}
