//! The disk fails under `duban serve`, at each write and each flush in turn: what was acknowledged stays, what may have been stored is never
//! told as not stored, nobody goes on after a failed flush, and the next start finds everything whole.
//!
//! Faults come from `support/disk.c`; `DUBAN_FAULTS` asks for more of them than the short run has.

use crate::support::checker;
use crate::support::disk::LIBRARY;
use crate::support::office::{self, Asking, Ended, Office, Reply, commands, setting};
use crate::support::world;
use duban::app::Done;
use duban::kernel::model::command::Command;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const FAULTS: u64 = 21;
/// How a step fails: a write at once, a write after its first half kilobyte for want of room, a flush.
const KINDS: [(&str, u8); 3] = [("write", b'w'), ("short", b'w'), ("flush", b'f')];
/// The exit code of faults of the world.
const ENVIRONMENT: Option<i32> = Some(4);

/// What the callers were told.
#[derive(Default)]
struct Told {
    done: Vec<(Command, Done)>,
    /// It may have been stored.
    in_doubt: Vec<Command>,
    /// Certainly not stored, and not done later.
    not_stored: Vec<Command>,
}

fn on_a_bad_disk(command: &mut std::process::Command, folder: &Path, fault: &str, count: &Path) {
    command.env("LD_PRELOAD", &*LIBRARY).env("DISK_FOLDER", folder).env("DISK_FAULT", fault).env("DISK_COUNT", count);
}

/// Two people at work; a command that was not done for want of a disk is asked for once more.
async fn work(asking: &Asking) -> Told {
    let told = Arc::new(Mutex::new(Told::default()));
    let callers: Vec<_> = (0..2)
        .map(|caller| {
            let (asking, told) = (asking.clone(), told.clone());
            tokio::spawn(async move {
                for number in 0..2 {
                    let mut all_done = true;
                    for command in commands(&format!("{caller}-{number}"), number) {
                        all_done &= ask(&asking, command, all_done, &told).await;
                    }
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    std::mem::take(&mut *told.lock().unwrap())
}

/// Whether it was done. One that builds upon what was not done may be refused for that.
async fn ask(asking: &Asking, command: Command, all_done_before: bool, told: &Mutex<Told>) -> bool {
    let (mut doubt, mut sure) = (false, false);
    for _ in 0..2 {
        match asking.act(&command).await {
            Reply::Done(done) => {
                assert!(doubt || !done.repeated, "it was told that nothing was stored: {command:?}");
                told.lock().unwrap().done.push((command, done));
                return true;
            }
            Reply::No(no) if no.code == "in_doubt" => {
                assert!(no.status == 503 && no.detail.starts_with("it is not known whether this was stored"), "{no:?}");
                doubt = true;
            }
            Reply::No(no) if no.code == "store" => {
                assert!(no.status == 503 && no.detail.starts_with("nothing was stored"), "{no:?}");
                sure = true;
            }
            // What it builds upon is missing.
            Reply::No(no) => {
                let missing = ["unknown_item", "wrong_state"].contains(&no.code.as_str());
                assert!(missing && !all_done_before, "{command:?}: {no:?}");
                break;
            }
            Reply::Nothing => doubt = true,
        }
    }
    let mut told = told.lock().unwrap();
    match (doubt, sure) {
        (true, _) => told.in_doubt.push(command),
        (false, true) => told.not_stored.push(command),
        (false, false) => {}
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_loses_nothing_and_nobody_is_told_what_is_not_true() {
    let faults = setting("DUBAN_FAULTS", FAULTS);
    let counted = count().await;
    let (mut met, mut done, mut in_doubt, mut refused, mut at_start, mut ended) = (0, 0, 0, 0, 0, 0);
    for (kind, step) in KINDS {
        let steps = counted.iter().filter(|counted| **counted == step).count() as u64;
        let each = (faults / KINDS.len() as u64).clamp(1, steps);
        for place in 0..each {
            // The middle of each of so many equal parts.
            let fault = format!("{kind}:{}", 1 + (2 * place + 1) * steps / (2 * each));
            let outcome = tokio::time::timeout(Duration::from_secs(120), meet(&fault)).await;
            let outcome = outcome.unwrap_or_else(|_| panic!("{fault}: it hangs"));
            met += 1;
            done += outcome.told.done.len();
            in_doubt += outcome.told.in_doubt.len();
            refused += outcome.told.not_stored.len();
            at_start += usize::from(outcome.at_start);
            ended += usize::from(outcome.gave_up);
        }
    }
    println!(
        "{} steps; {met} faults, {at_start} of them before it was ready, {ended} ended it; {done} commands done, {in_doubt} in doubt, {refused} not stored",
        counted.len()
    );
    assert!(done > 0 && ended > 0, "too little happened to prove anything");
}

/// The steps of a life without faults.
async fn count() -> Vec<u8> {
    let office = Office::on_file();
    let count = office.folder.path().join("count");
    let life = office.start(|command| on_a_bad_disk(command, &office.data(), "write:0", &count)).await.expect("starts");
    let told = work(&life.asking).await;
    assert_eq!((told.done.len(), told.in_doubt.len(), life.stop()), (18, 0, Some(0)));
    std::fs::read(count).unwrap()
}

struct Outcome {
    told: Told,
    /// The fault came before the server was ready.
    at_start: bool,
    gave_up: bool,
}

/// One life in which one step fails, and what the next start finds.
async fn meet(fault: &str) -> Outcome {
    let office = Office::on_file();
    let count = office.folder.path().join("count");
    let started = office.start(|command| on_a_bad_disk(command, &office.data(), fault, &count)).await;
    let outcome = match started {
        Err(Ended { code, told }) => {
            assert_eq!(code, ENVIRONMENT, "{fault}: {told}");
            assert!(told.starts_with("duban: "), "{fault}: it says why: {told}");
            Outcome { told: Told::default(), at_start: true, gave_up: false }
        }
        Ok(life) => {
            let told = work(&life.asking).await;
            let flush = fault.starts_with("flush");
            let code = if flush && !told.in_doubt.is_empty() { life.ends().await } else { life.stop() };
            assert!(code == Some(0) || (flush && code == ENVIRONMENT), "{fault}: {code:?} {}", office.log());
            Outcome { told, at_start: false, gave_up: code == ENVIRONMENT }
        }
    };
    let log = office.log();
    assert!(!log.contains("panicked"), "{fault}: {log}");

    let Told { done, in_doubt, not_stored } = &outcome.told;
    let app = office::open(office.place()).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
    // A first start that failed may have come as far as nothing.
    let Some(app) = app else {
        assert!(outcome.at_start, "{fault}");
        return outcome;
    };
    assert_eq!(checker::of_records(&app, done).await, Vec::<String>::new(), "{fault}: {log}");
    assert_eq!(app.store.check_pages().await.unwrap(), None, "{fault}");
    let stored = async |command: &Command| app.store.answered(&command.by, &command.id).await.unwrap().is_some();
    for command in not_stored {
        assert!(!stored(command).await, "{fault}: it was told that nothing was stored: {command:?}");
    }
    for command in in_doubt {
        let was = stored(command).await;
        match app.act(command).await {
            Ok(done) => assert_eq!(done.repeated, was, "{fault}: {command:?}"),
            Err(error) => assert!(!was, "{fault}: {command:?}: {error}"),
        }
    }
    app.act(&world::submit("goes-on")).await.unwrap_or_else(|error| panic!("{fault}: {error}"));
    app.store.clone().close().await;
    outcome
}
