//! A database of the oldest schema whose upgrade dies: at each step to the disk, at each page for which there is no room, at each statement
//! to a server. What is left is the old version, whole, or the new one; and the next try brings it to its end.
//!
//! `DUBAN_CUTS` asks for more of them than the short run has.

use super::*;
use crate::support::disk::{Disk, LIBRARY, Step, Trace};
use crate::support::line::{Cut, Line};
use crate::support::office::setting;
use crate::support::old::{make_old, rows};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const CUTS: u64 = 16;

/// So many places out of all, the first and the last among them.
fn spread(all: usize) -> Vec<usize> {
    let wanted = (setting("DUBAN_CUTS", CUTS) as usize).clamp(2, all.max(2));
    (0..wanted).map(|place| place * (all - 1) / (wanted - 1)).collect()
}

/// An office of the first version, with something in each table.
async fn old(ground: &Ground) {
    let store = open(ground).await;
    for n in 0..12 {
        let item = format!("s{n}");
        let unique = vec![("number".into(), Value::text(&format!("2026-{n:03}")))];
        let numbers = vec![Number { counter: "2026".into(), from: n, to: n + 1 }];
        let notices = vec![notice(&item, &format!("n{n}"))];
        let accepted = Accepted { unique, numbers, notices, wake_up: Some(at(n)), ..accepted(0, command(&item)) };
        save(&store, About { command: answered(&item), ..about(&item, 0) }, accepted).await.expect("is saved");
    }
    let mail = NewMail {
        id: "<m1>".into(),
        person: "li".into(),
        address: "li@example.com".into(),
        bytes: "Subject: x\r\n\r\ny\r\n".into(),
        notices: vec!["n1".into()],
        links: Vec::new(),
    };
    store.compose(vec![mail], at(60)).await.expect("is written");
    let slot = Slot { sweep: "suggestion/daily".into(), slot: "2026-03-02T16:00".into(), at: at(0) };
    assert!(store.claim_slot(&slot, at(1)).await.expect("is claimed"));
    store.close().await;
    make_old(ground).await;
}

/// The upgrade goes through, and nothing of what was there is missing.
async fn completes(ground: &Ground) -> Vec<String> {
    let store = open(ground).await;
    for n in 0..12 {
        store.check_chain(&format!("s{n}")).await.expect("is sound");
    }
    assert_eq!((store.count_open().await.expect("reads"), store.counter("2026").await.expect("reads")), (12, 12));
    assert_eq!(store.notices_of("s1").await.expect("reads").len(), 1);
    assert!(store.mail("<m1>").await.expect("reads").is_some() && store.check_pages().await.expect("reads").is_none());
    store.close().await;
    let (version, rows) = rows(ground).await;
    assert_eq!(version, SCHEMA_VERSION);
    rows
}

fn file_with(files: &BTreeMap<String, Vec<u8>>) -> Ground {
    let ground = Ground::file();
    for (name, bytes) in files {
        std::fs::write(ground.beside(name), bytes).expect("is written");
    }
    ground
}

/// This process starts itself again as the one that upgrades; what its disk holds after each step is what a process that is killed there
/// leaves behind, and what it may hold then is what a power cut leaves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_a_file_that_is_killed_leaves_the_old_version_or_the_new_one() {
    if let Some(folder) = std::env::var_os("DUBAN_UPGRADE") {
        let folder = std::path::PathBuf::from(folder);
        let place = || Place::File(folder.join("duban.db"));
        let old = std::fs::read(folder.with_file_name("old.db")).expect("is there");
        std::fs::write(folder.join("duban.db"), old).expect("is written");
        let trace = Trace(std::env::var_os("DISK_TRACE").expect("is watched").into());
        trace.tell("upgrade");
        let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
        Store::open(place(), opening, at(0)).await.expect("opens").close().await;
        return;
    }
    let ground = Ground::file();
    old(&ground).await;
    let before = rows(&ground).await;
    assert_eq!(before.0, 1);
    std::fs::copy(ground.path(), ground.beside("old.db")).expect("is copied");
    std::fs::create_dir(ground.beside("data")).expect("is made");
    let trace = Trace(ground.beside("trace"));
    let mut again = std::process::Command::new(std::env::current_exe().expect("has a name"));
    again.args(["--exact", "store::upgrade::an_upgrade_of_a_file_that_is_killed_leaves_the_old_version_or_the_new_one"]);
    again.env("DUBAN_UPGRADE", ground.beside("data")).env("LD_PRELOAD", &*LIBRARY);
    again.env("DISK_FOLDER", ground.beside("data")).env("DISK_TRACE", &trace.0);
    let output = tokio::task::spawn_blocking(move || again.output()).await.expect("ends").expect("starts");
    assert!(output.status.success(), "{output:?}");
    let after = completes(&ground).await;

    let steps = trace.steps();
    let begun = steps.iter().position(|step| matches!(step, Step::Told(_))).expect("it began");
    let places = spread(steps.len() - begun);
    let (mut disk, mut chance) = (Disk::default(), StdRng::seed_from_u64(7));
    let (mut olds, mut news) = (0, 0);
    // The old file lay there long before.
    let lay = |disk: &mut Disk| {
        disk.step(&Step::Flushed("duban.db".into()));
        disk.step(&Step::Flushed(String::new()));
    };
    for (place, step) in steps.iter().enumerate() {
        disk.step(step);
        if place == begun {
            lay(&mut disk);
        }
        if place < begun || !places.contains(&(place - begun)) {
            continue;
        }
        for files in [disk.as_seen(), disk.after_a_cut(&mut chance)] {
            let found = rows(&file_with(&files)).await;
            if found.0 == 1 {
                assert!(found == before, "step {place}: {:#?}", found.1);
                olds += 1;
            } else {
                assert_eq!(found.0, SCHEMA_VERSION, "step {place}");
                news += 1;
            }
            assert_eq!(completes(&file_with(&files)).await, after, "step {place}");
        }
    }
    println!("{} steps, {} looked at: {olds} old, {news} new", steps.len() - begun, places.len());
    assert!(olds > 0 && news > 0);
}

#[tokio::test]
async fn an_upgrade_for_which_there_is_no_room_leaves_the_old_version() {
    let ground = Ground::file();
    old(&ground).await;
    let before = rows(&ground).await;
    let mut connection = ground.sqlite().await;
    let (pages,): (i64,) = sqlx::query_as("pragma page_count").fetch_one(&mut connection).await.expect("reads");
    connection.close().await.expect("closes");
    let mut limit = pages as u32;
    loop {
        let opening = Opening { new_instance: "office".into(), page_limit: Some(limit), throwaway: false };
        match Store::open(ground.place(), opening, at(0)).await {
            Ok(store) => {
                store.close().await;
                break;
            }
            Err(error) => assert!(error.to_string().ends_with("the disk is full"), "{error}"),
        }
        assert!(rows(&ground).await == before, "with {limit} pages");
        limit += 1;
    }
    assert!(i64::from(limit) > pages + 5, "{limit} pages were enough");
    completes(&ground).await;
}

/// The connection goes at each statement: before it arrives, or before its answer comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_of_a_server_that_is_cut_off_leaves_the_old_version_or_the_new_one() {
    let ground = Ground::server().await;
    old(&ground).await;
    let before = rows(&ground).await;
    assert_eq!(before.0, 1);
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let line = Line::to(url).await;
    let over: Place = line.url().parse().expect("an address");
    let opening = || Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    // How many there are, up to the commit, which does not arrive.
    let (counted, count) = (Arc::new(AtomicUsize::new(0)), Ordering::Relaxed);
    let counting = counted.clone();
    let is_commit = move |text: &str| {
        counting.fetch_add(1, count);
        text == "commit"
    };
    line.cut(is_commit, Cut::Asked(0));
    Store::open(over.clone(), opening(), at(0)).await.expect_err("is cut off");
    assert!(!line.is_left_whole() && rows(&ground).await == before, "the commit did not arrive");
    let all = counted.load(count);
    assert!(all > 50, "{all} statements");
    let places = spread(all - 1);
    // One way each, unless each place is asked for.
    let ways = if places.len() == all - 1 { 3 } else { 1 };
    for (turn, place) in places.iter().enumerate() {
        for cut in [Cut::Asked(0), Cut::Asked(3), Cut::Answered(0)].into_iter().cycle().skip(turn).take(ways) {
            let (mut heard, place) = (0, *place);
            let nth = move |_: &str| {
                heard += 1;
                heard > place
            };
            line.cut(nth, cut);
            Store::open(over.clone(), opening(), at(0)).await.expect_err("is cut off");
            assert!(!line.is_left_whole(), "statement {place}");
            assert!(rows(&ground).await == before, "statement {place}, {cut:?}");
        }
    }
    // The commit arrives, and nobody hears of it.
    line.cut(|text| text == "commit", Cut::Answered(0));
    Store::open(over.clone(), opening(), at(0)).await.expect_err("is cut off");
    println!("{all} statements, {} cut off in {ways} ways", places.len());
    assert_eq!(rows(&ground).await.0, SCHEMA_VERSION);
    completes(&ground).await;
}
