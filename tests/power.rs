//! The power is cut at any step of what `duban serve` does to its files: whatever a disk may hold then, the next start finds all that was
//! acknowledged, every mail that had left, and nothing in halves. Where commits are not flushed, the same look finds losses.
//!
//! Steps are recorded by `support/disk.c`; `DUBAN_POWER_IMAGES` asks for more images than the short run has, `DUBAN_POWER_SEED` for others.

use crate::support::checker;
use crate::support::disk::{Disk, LIBRARY, Step, Trace};
use crate::support::office::{self, Office, Reply, commands, setting};
use crate::support::world;
use duban::app::{App, Done};
use duban::clock::Clock;
use duban::kernel::model::command::Command;
use duban::store::{Opening, Place, Store};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::index::sample;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};

const IMAGES: u64 = 60;
/// So many images are taken of what one office did.
const OF_ONE_OFFICE: u64 = 250;
const CALLERS: usize = 4;

/// What was acknowledged, in the order of the trace.
type Acknowledged = Arc<Mutex<Vec<(Command, Done)>>>;

fn watched(command: &mut std::process::Command, folder: &Path, trace: &Trace) {
    command.env("LD_PRELOAD", &*LIBRARY).env("DISK_FOLDER", folder).env("DISK_TRACE", &trace.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_moment_loses_nothing_that_was_acknowledged() {
    let (images, seed) = (setting("DUBAN_POWER_IMAGES", IMAGES), setting("DUBAN_POWER_SEED", 20_260_302));
    let (mut looked_at, mut answers) = (0, 0);
    while looked_at < images {
        let office = Office::on_file();
        let trace = Trace(office.folder.path().join("trace"));
        let acknowledged = Acknowledged::default();
        for life in 0..3 {
            let mut server = office
                .start(|command| {
                    command.env("DUBAN_MAIL_FOLDER", "data/mails");
                    watched(command, &office.data(), &trace);
                })
                .await
                .unwrap_or_else(|ended| panic!("it did not start: {:?} {}", ended.code, ended.told));
            let calls: Vec<_> = (0..CALLERS)
                .map(|caller| {
                    let (asking, trace, acknowledged) = (server.asking.clone(), trace.clone(), acknowledged.clone());
                    tokio::spawn(async move {
                        for number in 0..2 {
                            for command in commands(&format!("{life}-{caller}-{number}"), number) {
                                let Reply::Done(done) = asking.act(&command).await else { panic!("not done: {command:?}") };
                                let mut acknowledged = acknowledged.lock().unwrap();
                                trace.tell(&acknowledged.len().to_string());
                                acknowledged.push((command, done));
                            }
                        }
                    })
                })
                .collect();
            for call in calls {
                call.await.unwrap();
            }
            // The second one closes its files in good order, the others leave their logs behind.
            match life {
                1 => assert_eq!(server.stop(), Some(0)),
                _ => server.kill(),
            }
        }
        let steps = trace.steps();
        let acknowledged = std::mem::take(&mut *acknowledged.lock().unwrap());
        is_whole(&steps, &office.data());
        assert!(steps.iter().any(|step| matches!(step, Step::Renamed { to, .. } if to.ends_with(".eml"))), "no mail has left");
        let wanted = (images - looked_at).min(OF_ONE_OFFICE);
        let mut chance = StdRng::seed_from_u64(seed + looked_at);
        for (at, found) in look_at_images(&steps, 0, wanted, &acknowledged, &mut chance).await {
            assert_eq!(found, Vec::<String>::new(), "seed {seed}, image of step {at} of {} after {looked_at} images", steps.len());
        }
        looked_at += wanted;
        answers += acknowledged.len();
    }
    println!("seed {seed}: {looked_at} images, {answers} acknowledged");
}

/// The system has forgotten what it could not write, while the process that comes next still reads it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_acknowledged_after_a_failed_flush_survives_a_power_cut_as_well() {
    let seed = setting("DUBAN_POWER_SEED", 20_260_302);
    for flush in [14, 18, 22] {
        let office = Office::on_file();
        let trace = Trace(office.folder.path().join("trace"));
        let mut acknowledged = Vec::new();
        let mut begun = 0;
        for fault in [flush, 0] {
            let started = office
                .start(|command| {
                    watched(command, &office.data(), &trace);
                    command.env("DISK_FAULT", format!("flush:{fault}"));
                })
                .await;
            let code = match started {
                Ok(server) => {
                    for command in (0..8).flat_map(|number| commands(&format!("r{number}"), number)) {
                        let Reply::Done(done) = server.asking.act(&command).await else { break };
                        trace.tell(&acknowledged.len().to_string());
                        acknowledged.push((command, done));
                    }
                    if fault > 0 { server.ends().await } else { server.stop() }
                }
                Err(ended) => ended.code,
            };
            assert_eq!(code, Some(if fault > 0 { 4 } else { 0 }), "the first life ends with the flush: {}", office.log());
            if fault > 0 {
                begun = trace.steps().len();
            }
        }
        assert!(acknowledged.len() >= 36, "the second life did all of it");
        let mut chance = StdRng::seed_from_u64(seed + flush);
        for (at, found) in look_at_images(&trace.steps(), begun, 15, &acknowledged, &mut chance).await {
            assert_eq!(found, Vec::<String>::new(), "seed {seed}, flush {flush}, image of step {at}");
        }
    }
}

/// The control. This process starts itself again as an office whose commits are not flushed one by one, as that of a demo.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_are_not_flushed_are_seen_to_be_lost() {
    const COMMANDS: u64 = 20;
    let command = |number: u64| world::submit(&format!("r{number}"));
    if let Some(folder) = std::env::var_os("DUBAN_POWER_OFFICE") {
        let trace = Trace(std::env::var_os("DISK_TRACE").expect("is watched").into());
        let opening = Opening { new_instance: "demo".into(), page_limit: None, throwaway: true };
        let clock = Clock::set_to(world::moment("2026-03-02 10:00"));
        let store = Store::open(Path::new(&folder).join("duban.db"), opening, clock.now()).await.unwrap();
        let app = App::open(store, Arc::new(world::rules(|_, text| text)), clock).await.unwrap();
        for number in 0..COMMANDS {
            app.act(&command(number)).await.unwrap();
            trace.tell(&number.to_string());
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let trace = Trace(folder.path().join("trace"));
    let data = folder.path().join("data");
    std::fs::create_dir(&data).unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "power::commits_that_are_not_flushed_are_seen_to_be_lost"]).env("DUBAN_POWER_OFFICE", &data);
    watched(&mut again, &data, &trace);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");
    let done = |number: u64| Done {
        workflow: "request".into(),
        item: format!("r{number}").as_str().into(),
        rev: 1,
        state: "open".into(),
        notices: 0,
        repeated: false,
    };
    let acknowledged: Vec<_> = (0..COMMANDS).map(|number| (command(number), done(number))).collect();
    let mut chance = StdRng::seed_from_u64(1);
    let looks = look_at_images(&trace.steps(), 0, 20, &acknowledged, &mut chance).await;
    let lossy = looks.iter().filter(|(_, found)| found.iter().any(|what| what.starts_with("lost: "))).count();
    println!("{lossy} of {} images lack what was acknowledged", looks.len());
    // How many depends on where the images fall; that some do is what shows that losses are seen.
    assert!(lossy >= looks.len() / 5, "{looks:#?}");
    let other = |found: &Vec<String>| found.iter().any(|what| !what.starts_with("lost: "));
    assert!(looks.iter().all(|(_, found)| !other(found)), "what is there is whole: {looks:#?}");
}

/// Nothing escaped the trace: played to its end, it gives the files that are there.
fn is_whole(steps: &[Step], folder: &Path) {
    let mut disk = Disk::default();
    steps.iter().for_each(|step| disk.step(step));
    let seen = disk.as_seen();
    let there = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
    for (name, bytes) in &seen {
        assert!(*bytes == there(name), "{name}: {} bytes by the trace, {} on the disk", bytes.len(), there(name).len());
    }
    assert!(seen.contains_key("duban.db") && seen.contains_key("duban.db-wal"), "{:?}", seen.keys());
}

/// Images at random steps from one on, each with what is wrong with it.
async fn look_at_images(
    steps: &[Step],
    from: usize,
    images: u64,
    acknowledged: &[(Command, Done)],
    chance: &mut StdRng,
) -> Vec<(usize, Vec<String>)> {
    let left = steps.len() - from;
    let places: BTreeSet<usize> = sample(chance, left, left.min(images as usize)).into_iter().map(|place| from + place).collect();
    let (mut disk, mut known, mut left) = (Disk::default(), Vec::new(), BTreeSet::new());
    let mut looks = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        if places.contains(&place) {
            looks.push((place, look(&disk.after_a_cut(chance), &known, &left).await));
        }
        disk.step(step);
        match step {
            Step::Told(number) => known.push(acknowledged[number.parse::<usize>().unwrap()].clone()),
            Step::Renamed { to, .. } if to.starts_with("mails/") => {
                let text = String::from_utf8_lossy(&disk.as_seen()[to]).into_owned();
                left.insert(text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).expect("a mail has an id").trim().to_string());
            }
            _ => {}
        }
    }
    looks
}

/// What the next start makes of the files that are left.
async fn look(files: &BTreeMap<String, Vec<u8>>, known: &[(Command, Done)], left: &BTreeSet<String>) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files.iter().filter(|(name, _)| !name.contains('/')) {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    let app = match office::open(Place::File(folder.path().join("duban.db"))).await {
        Ok(Some(app)) => app,
        Ok(None) => return known.iter().map(|(command, _)| format!("lost: `{}`, and the rules with it", command.id)).collect(),
        Err(error) => return vec![format!("it does not open: {error}")],
    };
    let mut found = checker::of_records(&app, known).await;
    found.extend(app.store.check_pages().await.unwrap().map(|what| format!("pages: {what}")));
    let mails: BTreeSet<String> = app.store.mails(None, None, "", 100_000).await.unwrap().into_iter().map(|mail| mail.id).collect();
    found.extend(left.difference(&mails).map(|id| format!("unrecorded: {id} has left")));
    app.store.clone().close().await;
    found
}
