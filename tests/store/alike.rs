//! The model beside the databases: random histories of everything that changes a store, and after each step the same answers and the same
//! rows on both sides. A failure names its seed; `DUBAN_HISTORIES_SEED` with `DUBAN_HISTORIES=1` plays it again.

use super::*;
use crate::support::office::setting;
use duban::store::backup::LetGo;
use duban::store::brake::Measure;
use duban::store::items::Filter;
use duban::store::outbox_desk::{OutboxFilter, OutboxPlace};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;

const STEPS: usize = 40;
const ITEMS: [&str; 4] = ["s1", "s2", "s3", "s4"];
const VALUES: [&str; 3] = ["N1", "N2", "N3"];
const SWEEPS: [&str; 2] = ["suggestion/daily", "suggestion/weekly"];

/// One step, the same for both sides.
#[derive(Clone, Debug)]
enum Step {
    /// Units that are queued one behind the other.
    Save(Vec<Vec<Wanted>>),
    TakeDue(i64, u32),
    Claim(i64, u32),
    Renew(Vec<(String, u64)>, i64),
    Finish(Vec<(String, u64, MailEnd)>),
    /// At most so many an hour, if not any number.
    Compose(Vec<(String, Vec<String>)>, Option<u64>),
    LetGoVolume(bool),
    LetGoParked(bool),
    End(Vec<String>, NoticeEnd),
    Release(Vec<String>),
    PutOff(Vec<String>, i64),
    Retry(Vec<String>),
    Cancel(Vec<String>),
    Quarantine(&'static str, Option<u64>, Option<u64>, i64),
    WakeNow(&'static str, u64),
    Derived(&'static str, u64, Option<i64>, u64),
    ClaimSlot(&'static str, i64),
    RenewSlot(&'static str, i64),
    FinishSlot(&'static str, i64),
    TakeSlots(i64),
    Schedule(&'static str, i64, u64),
    UseRules(u32, usize),
    NoteDerived(u64),
    DoubtDerived(u64),
    Meta(String),
    MarkRestored,
    LetGo(bool),
    Restart,
}

/// A decision that may hold or not.
#[derive(Clone, Debug)]
struct Wanted {
    item: &'static str,
    rev: u64,
    fence: Option<u64>,
    command: Option<u32>,
    causes: Vec<u32>,
    notices: Vec<(String, bool)>,
    numbers: Vec<i64>,
    unique: Vec<&'static str>,
    wake_up: Option<i64>,
    ended: bool,
}

/// A history, and what whoever draws it knows: enough to draw what holds as well as what does not.
struct History {
    chance: StdRng,
    now: i64,
    fences: BTreeMap<&'static str, u64>,
    claims: Vec<(String, u64)>,
    mails: usize,
}

impl History {
    fn often(&mut self, share: f64) -> bool {
        self.chance.random_bool(share)
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.chance.random_range(0..of.len())]
    }

    fn moment(&mut self) -> i64 {
        self.now + self.chance.random_range(-30..60)
    }

    fn some_notices(&mut self) -> Vec<String> {
        let count = self.chance.random_range(0..4);
        (0..count).map(|_| self.chance.random_range(0..40)).map(|n| format!("n{n:02}")).collect()
    }

    fn some_mails(&mut self) -> Vec<String> {
        (0..self.chance.random_range(0..3)).map(|_| format!("m{}", self.chance.random_range(0..8))).collect()
    }

    /// Mails that are claimed, or were, or never.
    fn some_claims(&mut self) -> Vec<(String, u64)> {
        let mut claims = BTreeMap::new();
        for _ in 0..self.chance.random_range(1..4) {
            let (id, fence) = match self.claims.is_empty() {
                true => ("m0".to_string(), 1),
                false => self.claims[self.chance.random_range(0..self.claims.len())].clone(),
            };
            let wrong = self.often(0.2);
            claims.insert(id, if wrong { fence + 1 } else { fence });
        }
        claims.into_iter().collect()
    }

    async fn wanted(&mut self, store: &Store, ahead: &mut BTreeMap<&'static str, u64>) -> Wanted {
        let item = self.one(&ITEMS);
        let stands = store.revisions(&[item]).await.expect("reads").get(item).copied().unwrap_or(0);
        let expected = *ahead.get(item).unwrap_or(&stands);
        let rev = if self.often(0.85) { expected } else { self.chance.random_range(0..expected + 2) };
        let causes: Vec<u32> = (0..self.chance.random_range(1..3)).map(|_| self.chance.random_range(0..300)).collect();
        let fence = match (store.is_shared(), self.chance.random_range(0..4)) {
            (true, 0) => Some(self.fences.get(item).copied().unwrap_or(0)),
            (true, 1) => Some(self.chance.random_range(0..3)),
            _ => None,
        };
        let mut notices = Vec::new();
        for _ in 0..self.chance.random_range(0..3) {
            notices.push((format!("n{:02}", self.chance.random_range(0..40)), self.often(0.03)));
        }
        let last = store.counter("2026").await.expect("reads");
        let numbers = match self.chance.random_range(0..6) {
            0 => vec![last],
            1 => vec![last, last + 1],
            2 => vec![last + 1],
            _ => vec![],
        };
        let unique = (0..self.chance.random_range(0..6)).filter(|n| *n > 3).map(|_| self.one(&VALUES)).collect();
        let command = self.often(0.5).then(|| self.chance.random_range(0..40));
        ahead.insert(item, rev + causes.len() as u64);
        let wake_up = self.often(0.7).then(|| self.moment());
        let ended = self.often(0.15);
        Wanted { item, rev, fence, command, causes, notices, numbers, unique, wake_up, ended }
    }

    async fn draw(&mut self, store: &Store) -> Step {
        self.now += self.chance.random_range(-5..30);
        match self.chance.random_range(0..100) {
            0..34 => {
                let (mut units, mut ahead) = (Vec::new(), BTreeMap::new());
                for _ in 0..self.chance.random_range(1..4) {
                    let mut unit = Vec::new();
                    for _ in 0..self.one(&[1, 1, 1, 2, 3]) {
                        unit.push(self.wanted(store, &mut ahead).await);
                    }
                    units.push(unit);
                }
                Step::Save(units)
            }
            34..42 => Step::TakeDue(self.moment(), self.one(&[1, 2, 10])),
            42..50 => Step::Claim(self.moment(), self.one(&[1, 2, 10])),
            50..53 => Step::Renew(self.some_claims(), self.moment()),
            53..60 => {
                let claims = self.some_claims();
                let next_try = at(self.moment());
                let ends = [
                    MailEnd::Sent,
                    MailEnd::Refused,
                    MailEnd::Expired,
                    MailEnd::Cancelled,
                    MailEnd::Deferred { next_try },
                    MailEnd::Unknown { next_try },
                ];
                Step::Finish(claims.into_iter().map(|(id, fence)| (id, fence, self.one(&ends))).collect())
            }
            60..68 => {
                let mut mails = Vec::new();
                for _ in 0..self.chance.random_range(1..3) {
                    self.mails += usize::from(self.often(0.8));
                    let ready: Vec<String> = store
                        .everywhere()
                        .notices_due(at(1_000_000), 3, &[])
                        .await
                        .expect("reads")
                        .into_iter()
                        .map(|(_, n)| n.key)
                        .collect();
                    let keys = if self.often(0.7) { ready } else { self.some_notices() };
                    mails.push((format!("m{}", self.mails), keys));
                }
                let most = self.often(0.5).then(|| self.one(&[1, 2, 4]));
                Step::Compose(mails, most)
            }
            68..71 => Step::End(self.some_notices(), self.one(&[NoticeEnd::Cancelled, NoticeEnd::Parked])),
            71..72 => Step::Release(self.some_notices()),
            72..73 => match self.chance.random_range(0..3) {
                0 => Step::LetGoParked(self.often(0.5)),
                n => Step::LetGoVolume(n == 1),
            },
            73..75 => Step::PutOff(self.some_notices(), self.moment()),
            75..76 => Step::Retry(self.some_mails()),
            76..77 => Step::Cancel(self.some_mails()),
            77..81 => {
                let (rev, fence) = (self.often(0.4), self.often(0.4));
                let (rev, fence) = (rev.then(|| self.chance.random_range(0..4)), fence.then(|| self.chance.random_range(0..3)));
                Step::Quarantine(self.one(&ITEMS), rev, fence, self.moment())
            }
            81..83 => Step::WakeNow(self.one(&ITEMS), self.one(&[1, 2, 3])),
            83..86 => {
                let item = self.one(&ITEMS);
                let rev = store.revisions(&[item]).await.expect("reads").get(item).copied().unwrap_or(0);
                let rev = if self.often(0.7) { rev } else { self.chance.random_range(0..4) };
                let wake_up = self.often(0.7).then(|| self.moment());
                Step::Derived(item, rev, wake_up, self.one(&[1, 2, 3]))
            }
            86..88 => Step::ClaimSlot(self.one(&SWEEPS), self.chance.random_range(0..5)),
            88..89 => Step::RenewSlot(self.one(&SWEEPS), self.chance.random_range(0..5)),
            89..90 => Step::FinishSlot(self.one(&SWEEPS), self.chance.random_range(0..5)),
            90..92 => Step::TakeSlots(self.moment()),
            92..93 => Step::Schedule(self.one(&SWEEPS), self.moment(), self.chance.random_range(0..4)),
            93..95 => Step::UseRules(self.chance.random_range(0..3), self.chance.random_range(0..3)),
            95..96 => Step::NoteDerived(self.chance.random_range(0..4)),
            96..97 => Step::DoubtDerived(self.chance.random_range(0..4)),
            97..98 => Step::Meta(format!("{}", self.now)),
            98..99 => match self.chance.random_range(0..4) {
                0 => Step::MarkRestored,
                n => Step::LetGo(n == 1),
            },
            _ => Step::Restart,
        }
    }
}

impl Wanted {
    fn save(&self, now: Instant) -> Save {
        let mut about = About { fence: self.fence, rules_rev: 2, now, ..about(self.item, self.rev) };
        about.command = self.command.and_then(|n| answered(&format!("c{n}")));
        if self.ended {
            about.caches.state = "closed".into();
            about.caches.ended_on = NaiveDate::from_ymd_opt(2026, 3, 3);
        }
        let facts = self.causes.iter().zip(self.rev + 1..).map(|(cause, seq)| fact(seq, rung(*cause))).collect();
        let mut numbers: Vec<Number> = Vec::new();
        for from in &self.numbers {
            numbers.push(Number { counter: "2026".into(), from: *from, to: from + 1 });
        }
        let notices = self.notices.iter().map(|(key, lost)| notice(if *lost { "nowhere" } else { self.item }, key)).collect();
        let unique = self.unique.iter().map(|value| ("number".into(), Value::text(value))).collect();
        Save::new(about, Accepted { facts, numbers, notices, unique, wake_up: self.wake_up.map(at), ..Accepted::default() })
            .expect("has a JSON form")
    }
}

fn slot(sweep: &str, n: i64) -> Slot {
    Slot { sweep: sweep.into(), slot: format!("2026-03-0{}T16:00", n + 1), at: at(n * 1440) }
}

/// Does a step; gives the answer as text.
async fn done(store: &mut Store, ground: &Ground, step: &Step, now: Instant) -> String {
    let local: Arc<str> = LOCAL.into();
    let all = store.everywhere();
    match step.clone() {
        Step::Save(units) => {
            let begin = |unit: Vec<Wanted>| store.begin_save(Lane::User, unit.iter().map(|wanted| wanted.save(now)).collect());
            let waiting: Vec<_> = units.into_iter().map(|unit| begin(unit).expect("is queued")).collect();
            let mut answers = Vec::new();
            for mut saving in waiting {
                answers.push(match saving.done().await {
                    // Each has words of its own for what it cannot store.
                    Err(failed) if matches!(failed.why, NotSaved::Store(StoreError::NotDone(_))) => "not done".to_string(),
                    answer => format!("{answer:?}"),
                });
            }
            answers.join(", ")
        }
        Step::TakeDue(until, limit) => format!("{:?}", all.take_due(now, at(until), limit, &[]).await),
        Step::Claim(until, limit) => format!("{:?}", all.claim_mails(now, at(until), "somebody", limit).await),
        Step::Renew(claims, until) => {
            let claims = claims.into_iter().map(|(id, fence)| (local.clone(), id, fence)).collect();
            format!("{:?}", all.renew_mails(claims, at(until)).await)
        }
        Step::Finish(ends) => {
            let outcome = |(id, fence, end)| Attempt { jurisdiction: local.clone(), id, fence, end, reply: "said so".into() };
            format!("{:?}", all.finish_mails(ends.into_iter().map(outcome).collect(), now).await)
        }
        Step::Compose(mails, most) => {
            let bytes = "Subject: x\r\n\r\ny\r\n";
            let mail = |(id, notices)| NewMail {
                id,
                person: "li".into(),
                address: "li@example.com".into(),
                bytes: bytes.into(),
                notices,
                links: Vec::new(),
            };
            let measure = most.map(|most| Measure { factor: 1, at_least: most, foreseen: 0 });
            format!("{:?}", store.compose_within(mails.into_iter().map(mail).collect(), now, measure).await)
        }
        Step::LetGoVolume(send) => {
            format!("{:?}", store.let_go_volume(if send { LetGo::Send } else { LetGo::Cancel }, "a person").await)
        }
        Step::LetGoParked(send) => {
            format!("{:?}", store.let_go_parked("a re", if send { LetGo::Send } else { LetGo::Cancel }, "a person").await)
        }
        Step::End(keys, end) => format!("{:?}", store.end_notices(keys, end, "a reason").await),
        Step::Release(keys) => format!("{:?}", store.release_notices(keys).await),
        Step::PutOff(keys, until) => format!("{:?}", store.put_off_notices(keys, at(until)).await),
        Step::Retry(ids) => format!("{:?}", store.retry_mails(&ids, now).await),
        Step::Cancel(ids) => format!("{:?}", store.cancel_mails(&ids, "a person", now).await),
        Step::Quarantine(item, rev, fence, until) => {
            format!("{:?}", store.quarantine(item, rev, fence, "a rule failed", at(until), now).await)
        }
        Step::WakeNow(item, rules_rev) => format!("{:?}", store.wake_now(item, now, rules_rev).await),
        Step::Derived(item, rev, wake_up, rules_rev) => {
            let caches = Caches { state: "derived".into(), fields: "{}".into(), dues: "[]".into(), ..Caches::default() };
            let derived = Derived { item: item.into(), rev, caches, wake_up: wake_up.map(at), rules_rev, now };
            format!("{:?}", store.keep_derived(derived).await)
        }
        Step::ClaimSlot(sweep, n) => format!("{:?}", store.claim_slot(&slot(sweep, n), now).await),
        Step::RenewSlot(sweep, n) => format!("{:?}", store.renew_slot(&slot(sweep, n), now).await),
        Step::FinishSlot(sweep, n) => format!("{:?}", store.finish_slot(&slot(sweep, n), now).await),
        Step::TakeSlots(before) => format!("{:?}", all.take_open_slots(at(before), now, 100, &[]).await),
        Step::Schedule(sweep, next, revision) => format!("{:?}", store.schedule(sweep, at(next), revision).await),
        Step::UseRules(which, sweeps) => {
            let files = indexmap::IndexMap::from([("suggestion/flow.yaml".to_string(), format!("rules {which}"))]);
            let sweeps: Vec<String> = SWEEPS[..sweeps].iter().map(|sweep| sweep.to_string()).collect();
            format!("{:?}", store.use_rules(&format!("h{which}"), &files, &sweeps, now).await)
        }
        Step::NoteDerived(revision) => format!("{:?}", store.note_derived(revision).await),
        Step::DoubtDerived(revision) => format!("{:?}", store.doubt_derived(revision).await),
        Step::Meta(value) => format!("{:?} {:?}", store.set_meta("note", &value).await, store.note_backup(&value, now).await),
        Step::MarkRestored => format!("{:?}", store.mark_restored("copy", now).await),
        Step::LetGo(send) => {
            format!("{:?}", store.let_go_restored(if send { LetGo::Send } else { LetGo::Cancel }, now).await)
        }
        Step::Restart => {
            store.clone().close().await;
            let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: true };
            *store = ground.open(opening, now).await.expect("opens");
            store.instance().to_string()
        }
    }
}

/// Everything that can be read, as lines.
async fn all_of(store: &Store, now: Instant) -> Vec<String> {
    let all = store.everywhere();
    let mut facts = Vec::new();
    for (item, recorded) in store.items(&ITEMS).await.expect("reads") {
        facts.push(format!("{item}: {recorded:?} {:?} {:?}", store.item(&item).await, store.check_chain(&item).await));
    }
    facts.sort();
    let mut revisions: Vec<_> = store.revisions(&ITEMS).await.expect("reads").into_iter().collect();
    revisions.sort();
    let values = VALUES.map(|value| format!("\"{value}\""));
    let keys: Vec<(&str, &str, &str)> = values.iter().map(|value| ("suggestion", "number", value.as_str())).collect();
    let (open, text) = (Filter { open_only: true, ..Filter::default() }, Filter { text: Some("S1".into()), ..Filter::default() });
    let parked = OutboxFilter { status: Some("parked".into()), ..OutboxFilter::default() };
    let behind = OutboxFilter { after: Some(OutboxPlace { recorded_at: now, key: "n20".into() }), ..OutboxFilter::default() };
    let mut lines = vec![
        format!("{:?}", store.list(&Filter::default(), 100).await),
        format!("{:?} {:?}", store.list(&open, 2).await, store.list(&text, 100).await),
        facts.join("\n"),
        format!("{revisions:?} {:?} {:?}", store.count_by_state().await, store.count_open().await),
        format!("{:?} {:?}", store.stale(3, 100).await, store.count_stale(2).await),
        format!("{:?} {:?}", store.quarantined(100).await, store.holders_of(&keys).await),
        format!("{:?} {:?}", store.counter("2026").await, store.answered("zhang", "c1").await),
        format!("{:?}", store.notices(&OutboxFilter::default(), 100).await),
        format!("{:?} {:?} {:?}", store.notices(&parked, 3).await, store.notices(&behind, 3).await, store.notices_of("s1").await),
        format!("{:?} {:?} {:?}", store.notice("n01").await, store.notices_in("m1").await, store.mail("m1").await),
        format!("{:?} {:?}", store.mails(None, None, "", 100).await, store.mails(Some("claimed"), Some("li"), "m1", 2).await),
        format!("{:?} {:?} {:?}", store.count_notices().await, store.count_escalations().await, store.count_mails().await),
        format!("{:?} {:?}", store.last_slot(SWEEPS[0]).await, store.last_slot(SWEEPS[1]).await),
        format!("{:?} {:?} {:?}", store.rules_in_use().await, store.rules("h1").await, store.rules_hash().await),
        format!("{:?} {:?}", store.hold().await, all.holds(10).await),
        format!("{:?} {:?} {:?}", store.high_water().await, store.restored().await, (store.meta("note").await, store.last_backup().await)),
        format!("{:?} {:?} {:?}", store.health(now).await, all.health(now).await, all.worst(now, 3).await),
        format!("{:?} {:?}", all.next_moments(now, &[]).await, all.notices_due(now, 5, &[]).await),
        format!("{:?} {:?} {:?}", all.sweeps_due(now, 10, &[]).await, all.stale(10, &[]).await, all.jurisdictions("", 10).await),
    ];
    lines.push(format!("{:?} {:?}", store.ids(Some("suggestion"), true, "s1", 2).await, store.records("s1", 2).await));
    lines
}

async fn alike(seed: u64, model: Ground, database: Ground) -> usize {
    let opening = || Opening { new_instance: "office".into(), page_limit: None, throwaway: true };
    let mut one = model.open(opening(), at(0)).await.expect("opens");
    let mut other = database.open(opening(), at(0)).await.expect("opens");
    let mut history = History { chance: StdRng::seed_from_u64(seed), now: 0, fences: BTreeMap::new(), claims: vec![], mails: 0 };
    let mut saved = 0;
    for n in 0..STEPS {
        let step = history.draw(&one).await;
        let now = at(history.now);
        let (left, right) = (done(&mut one, &model, &step, now).await, done(&mut other, &database, &step, now).await);
        let again = format!("seed {seed} (DUBAN_HISTORIES_SEED={seed} DUBAN_HISTORIES=1), step {n}: {step:?}");
        assert_eq!(left, right, "the model answers otherwise, {again}");
        let (rows, others) = (all_of(&one, now).await, all_of(&other, now).await);
        for (row, other) in rows.iter().zip(&others) {
            assert_eq!(row, other, "the model stands otherwise after {again}");
        }
        saved += left.matches("Saved {").count();
        history.learn(&one, &step, &left).await;
    }
    one.close().await;
    other.close().await;
    saved
}

impl History {
    /// Under which numbers items were taken and mails claimed: each time one higher.
    async fn learn(&mut self, store: &Store, step: &Step, answer: &str) {
        for item in ITEMS.iter().filter(|item| matches!(step, Step::TakeDue(..)) && answer.contains(&format!("item: \"{item}\""))) {
            *self.fences.entry(item).or_default() += 1;
        }
        let mails = store.mails(None, None, "", 100).await.expect("reads");
        self.claims = mails.into_iter().filter(|mail| mail.attempts > 0).map(|mail| (mail.id, u64::from(mail.attempts))).collect();
    }
}

async fn histories(count: u64, model: impl Fn() -> Ground, database: impl AsyncFn() -> Ground) {
    let first = setting("DUBAN_HISTORIES_SEED", 1);
    let mut saved = 0;
    for seed in first..first + count {
        saved += alike(seed, model(), database().await).await;
    }
    assert!(count == 1 || saved as u64 > count * 4, "too little was saved to prove anything: {saved}");
    println!("{count} histories of {STEPS} steps, {saved} decisions saved");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_and_a_file_answer_alike() {
    histories(setting("DUBAN_HISTORIES", 12), Ground::model, async || Ground::file()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_model_and_a_server_answer_alike() {
    histories(setting("DUBAN_HISTORIES", 12).div_ceil(4), Ground::model_of_many, async || Ground::server().await).await;
}
