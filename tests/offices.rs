//! Several offices of one database in one process: one scheduler works them all, each under its own rules, and none sees another.

use crate::store::{database_stories, stories, told};
use crate::support::ground::Ground;
use crate::support::world::{app_over, command, moment, rules, submit};
use duban::app::send::Post;
use duban::app::{App, OfficeError, Offices};
use duban::clock::Clock;
use duban::files::mail_frames;
use duban::kernel::rules::RuleSet;
use duban::mail::guard::Guard;
use duban::mail::{Address, Memory, Transport};
use duban::scheduler::{Pulse, tick};
use duban::store::LOCAL;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio_util::sync::CancellationToken;

stories!(
    one_scheduler_works_them_all,
    one_whose_rules_cannot_be_read_stands_in_nobodys_way,
    more_than_stay_at_hand_are_worked_all_the_same,
    who_asks_for_an_office_at_the_same_time_waits_for_one_reading_of_its_rules,
    what_is_due_everywhere_at_one_moment_is_written_in_rounds,
);
database_stories!(
    a_notice_that_cannot_be_read_is_parked_and_stops_no_mail,
    one_whose_rows_are_damaged_stands_in_nobodys_way,
    a_sweep_that_no_rule_declares_does_not_keep_the_scheduler_awake
);

/// The office's rules with another person in charge, so with another hash.
fn rules_of(person: &str) -> RuleSet {
    rules(|path, text| match path {
        "directory.yaml" => {
            text.replace("title: Carl", &format!("title: {person}")).replace("carl@example.com", &format!("{person}@example.com"))
        }
        _ => text,
    })
}

/// A database with offices; the first is `local`.
async fn offices(ground: &Ground, names: &[&str]) -> (Arc<Offices>, Vec<Arc<App>>) {
    let first = app_over(ground, "2026-03-02 10:00").await;
    for name in names {
        let rules = Arc::new(rules_of(name));
        App::open(first.store.of(name), rules, first.clock.clone()).await.unwrap();
    }
    let offices = Arc::new(Offices::with(first));
    let mut apps = vec![offices.app(LOCAL).await.unwrap()];
    for name in names {
        apps.push(offices.app(name).await.unwrap());
    }
    (offices, apps)
}

async fn tick_all(offices: &Offices) {
    let (pulse, stop) = (Pulse::new(&offices.clock), CancellationToken::new());
    while tick(offices, &pulse, &stop).await.unwrap().is_some_and(|next| next <= offices.now()) {}
}

async fn names_of(app: &App, item: &str) -> Vec<String> {
    app.store.item(item).await.unwrap().unwrap().facts.iter().map(|fact| fact.name.to_string()).collect()
}

async fn one_scheduler_works_them_all(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east", "west"]).await;
    tick_all(&offices).await;
    for app in &apps {
        app.act(&submit("r1")).await.unwrap();
    }
    apps[1].act(&command("r1", "answer", "carl", [])).await.unwrap();
    offices.clock.set(moment("2026-04-01 08:00"));
    tick_all(&offices).await;
    for (app, facts) in [(&apps[0], 8), (&apps[1], 2), (&apps[2], 8)] {
        let names = names_of(app, "r1").await;
        assert_eq!(names.len(), facts, "{}: {names:?}", app.store.jurisdiction());
        assert_eq!(app.examine("r1").await.unwrap(), []);
    }
    for app in &apps {
        let last = app.store.last_slot("request/monthly").await.unwrap().unwrap();
        assert_eq!(last.slot, "2026-04-01T08:00", "once in each");
    }

    // Mails of items that are called alike are different mails, each worded under its own rules.
    let memory = Memory::default();
    let from = Address::parse("duban@example.com").unwrap();
    let guard = Guard { production: None, allow: vec!["@example.com".into()] };
    let post = Post::new(Some(Transport::Memory(memory.clone())), mail_frames(None).unwrap(), from, guard, "test".into());
    let post = Arc::new(post);
    offices.clock.set(moment("2026-04-01 10:00"));
    while offices.render_due(&post).await.unwrap().notices > 0 {}
    let posted = offices.send_due(&post, &CancellationToken::new()).await.unwrap();
    let received = memory.mails();
    assert_eq!(posted.sent, received.len());
    let ids: BTreeSet<&str> = received.iter().map(|mail| mail.id.as_str()).collect();
    assert_eq!(ids.len(), received.len(), "no two have one id");
    let to = |address: &str| received.iter().filter(|mail| mail.to == address).count();
    assert!(to("carl@example.com") > 0 && to("carl@example.com") == to("west@example.com"), "as many here as there");
    assert_eq!(to("east@example.com"), 0, "what was answered in time is not reminded of");
}

async fn one_whose_rules_cannot_be_read_stands_in_nobodys_way(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east", "west"]).await;
    for app in &apps {
        app.act(&submit("r1")).await.unwrap();
    }
    let good = apps[1].rules();
    drop(apps);
    let unknown = indexmap::IndexMap::from([("a.yaml".to_string(), "workflow: [".to_string())]);
    let store = offices.store.of("east");
    store.use_rules("h9", &unknown, &["request/monthly".to_string()], moment("2026-03-02 11:00")).await.unwrap();
    // As after a start: nothing is open yet.
    let offices = Offices::over(offices.store.clone(), Clock::set_to(moment("2026-03-05 00:00"))).await.unwrap();
    tick_all(&offices).await;
    for (name, facts) in [(LOCAL, 2), ("east", 1), ("west", 2)] {
        assert_eq!(offices.store.of(name).item("r1").await.unwrap().unwrap().facts.len(), facts, "{name}");
    }
    let shut = offices.shut_now();
    assert!(matches!(&shut[..], [(here, why)] if &**here == "east" && why.contains("h9")), "{shut:?}");
    assert!(matches!(offices.app("east").await, Err(OfficeError::Shut(..))));
    assert_eq!(offices.next_moments().await.unwrap().wake_up, Some(moment("2026-03-10 00:00")), "its moment does not wake the scheduler");
    // Its rules are put right.
    store.use_rules(&good.hash, &good.files, &["request/monthly".to_string()], moment("2026-03-05 00:01")).await.unwrap();
    offices.clock.set(moment("2026-03-05 00:11"));
    tick_all(&offices).await;
    assert_eq!(store.item("r1").await.unwrap().unwrap().facts.len(), 2, "it is worked again by itself");
    assert!(offices.shut_now().is_empty());
}

async fn one_whose_rows_are_damaged_stands_in_nobodys_way(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east", "west"]).await;
    for app in &apps {
        app.act(&submit("r1")).await.unwrap();
    }
    drop(apps);
    ground.tamper("update rule_text set files = 'not JSON' where hash = (select hash from rule_set where jurisdiction = 'east')").await;
    let offices = Offices::over(offices.store.clone(), Clock::set_to(moment("2026-03-05 00:00"))).await.unwrap();
    tick_all(&offices).await;
    for (name, facts) in [(LOCAL, 2), ("east", 1), ("west", 2)] {
        assert_eq!(offices.store.of(name).item("r1").await.unwrap().unwrap().facts.len(), facts, "{name}");
    }
    assert_eq!(offices.shut_now().len(), 1);
}

async fn a_sweep_that_no_rule_declares_does_not_keep_the_scheduler_awake(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east"]).await;
    tick_all(&offices).await;
    ground
        .tamper("insert into schedule (jurisdiction, sweep, next_at) values ('east', 'request/gone', 0), ('nowhere', 'request/gone', 0)")
        .await;
    let (pulse, stop) = (Pulse::new(&offices.clock), CancellationToken::new());
    for _ in 0..3 {
        let next = tick(&offices, &pulse, &stop).await.unwrap();
        assert!(next.is_some_and(|next| next > offices.now()), "{next:?}");
    }
    // A start under the same rules drops it.
    let (store, rules) = (&apps[1].store, apps[1].rules());
    assert_eq!(store.use_rules(&rules.hash, &rules.files, &rules.sweeps(), offices.now()).await.unwrap(), 1);
}

async fn who_asks_for_an_office_at_the_same_time_waits_for_one_reading_of_its_rules(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east", "west"]).await;
    let like_west = offices.store.of("like west");
    App::open(like_west, apps[2].rules(), offices.clock.clone()).await.unwrap();
    drop(apps);
    // As after a start: nothing is open yet.
    let offices = Arc::new(Offices::over(offices.store.clone(), offices.clock.clone()).await.unwrap());
    let asked = ["east", "west", "like west"].repeat(8).into_iter().map(|name| {
        let offices = offices.clone();
        tokio::spawn(async move { offices.app(name).await.unwrap() })
    });
    let asked: Vec<_> = asked.collect();
    let mut apps = Vec::new();
    for app in asked {
        apps.push(app.await.unwrap());
    }
    assert!(apps.iter().skip(3).zip(&apps).all(|(app, before)| Arc::ptr_eq(app, before)), "there is one desk for each office");
    assert_eq!(offices.tally.rules_read.load(Ordering::Relaxed), 2, "of two rule sets");
}

async fn more_than_stay_at_hand_are_worked_all_the_same(ground: Ground) {
    let (offices, apps) = offices(&ground, &[]).await;
    let rules = apps[0].rules();
    let sweeps: [String; 0] = [];
    let names: Vec<String> = (0..600).map(|n| format!("o{n:03}")).collect();
    let mut made = tokio::task::JoinSet::new();
    for name in &names {
        let (store, rules, sweeps) = (offices.store.of(name), rules.clone(), sweeps.clone());
        made.spawn(async move { store.use_rules(&rules.hash, &rules.files, &sweeps, moment("2026-03-02 10:00")).await });
    }
    assert_eq!(made.join_all().await.into_iter().filter(|revision| matches!(revision, Ok(1))).count(), 600);
    for name in names.iter().step_by(7) {
        offices.app(name).await.unwrap().act(&submit("r1")).await.unwrap();
    }
    for name in &names {
        assert!(Arc::ptr_eq(&offices.app(name).await.unwrap().rules(), &rules), "one rule set is read once");
    }
    assert!(offices.open().len() <= 512, "{}", offices.open().len());
    offices.clock.set(moment("2026-03-05 00:00"));
    tick_all(&offices).await;
    for name in names.iter().step_by(7) {
        assert_eq!(offices.store.of(name).item("r1").await.unwrap().unwrap().facts.len(), 2, "{name}");
    }
}

/// A common hour of sending: what is due at one moment in all of them is written office by office, and mails leave in between.
async fn what_is_due_everywhere_at_one_moment_is_written_in_rounds(ground: Ground) {
    const ITEMS: usize = 300;
    let (offices, apps) = offices(&ground, &["east", "west"]).await;
    tick_all(&offices).await;
    offices.clock.set(moment("2026-03-31 10:00"));
    for app in &apps[1..] {
        let commands: Vec<_> = (0..ITEMS).map(|n| submit(&format!("r{n}"))).collect();
        assert!(app.act_all(&commands).await.iter().all(Result::is_ok));
    }
    offices.clock.set(moment("2026-04-01 08:00"));
    tick_all(&offices).await;
    offices.clock.set(moment("2026-04-01 09:00"));
    let from = Address::parse("duban@example.com").unwrap();
    let guard = Guard { production: None, allow: vec!["@example.com".into()] };
    let post = Post::new(Some(Transport::Memory(Memory::default())), mail_frames(None).unwrap(), from, guard, "test".into());
    let mut rounds = Vec::new();
    for _ in 0..2 {
        let rendered = offices.render_due(&post).await.unwrap();
        rounds.push((rendered.notices, rendered.mails, rendered.more));
    }
    assert_eq!(rounds, [(ITEMS, 1, true), (ITEMS, 1, false)], "an office in each, and its list in one mail");
}

async fn a_notice_that_cannot_be_read_is_parked_and_stops_no_mail(ground: Ground) {
    let (offices, apps) = offices(&ground, &["east"]).await;
    for app in &apps {
        app.act(&submit("r1")).await.unwrap();
    }
    offices.clock.set(moment("2026-03-05 10:00"));
    tick_all(&offices).await;
    ground.tamper("update notice set json = 'not JSON' where jurisdiction = 'east'").await;
    let from = Address::parse("duban@example.com").unwrap();
    let post = Post::new(None, mail_frames(None).unwrap(), from, Guard::default(), "test".into());
    assert_eq!(offices.render_due(&post).await.unwrap().mails, 1);
    let notices = apps[1].store.notices_of("r1").await.unwrap();
    assert_eq!(notices[0].status, "parked");
    assert!(notices[0].reason.as_ref().unwrap().contains("cannot be read"), "{notices:?}");
}
