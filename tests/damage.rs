//! A database file that was damaged: whatever was done to it, the next start refuses in a sentence, or tells of the damage, or all that was
//! acknowledged is there and whole; of a damaged log, what stands before the damage. Nothing panics, and nobody starts again and again
//! without a word.
//!
//! `DUBAN_DAMAGE` asks for more places than the short run has, `DUBAN_DAMAGE_SEED` for others.

use crate::support::checker;
use crate::support::office::{self, Office, Reply, commands, setting};
use duban::app::Done;
use duban::kernel::model::command::Command;
use duban::store::Place;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sqlx::Connection as _;
use std::path::Path;

const PLACES: u64 = 30;
const PAGE: usize = 4096;

/// What happened to the files.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flipped,
    Cut,
    Swapped,
    NoLog,
}

const KINDS: [Damage; 8] =
    [Damage::Flipped, Damage::Flipped, Damage::Flipped, Damage::Flipped, Damage::Flipped, Damage::Cut, Damage::Swapped, Damage::NoLog];

impl Damage {
    /// Gives whether it was done to the log.
    fn to(self, folder: &Path, chance: &mut StdRng) -> bool {
        let (file, log) = (folder.join("duban.db"), folder.join("duban.db-wal"));
        // The log holds what was written last, the file what is older: both get their share.
        let one = if chance.random_range(0..4) == 0 && log.exists() { &log } else { &file };
        let mut bytes = std::fs::read(one).unwrap();
        match self {
            Damage::Flipped => {
                let at = chance.random_range(0..bytes.len());
                let end = bytes.len().min(at + chance.random_range(1..=8));
                bytes[at..end].iter_mut().for_each(|byte| *byte ^= chance.random_range(1..=255_u8));
            }
            Damage::Cut => bytes.truncate(chance.random_range(1..bytes.len())),
            Damage::Swapped => {
                let pages = bytes.len() / PAGE;
                let (one, other) = (chance.random_range(0..pages) * PAGE, chance.random_range(0..pages) * PAGE);
                for at in 0..PAGE {
                    bytes.swap(one + at, other + at);
                }
            }
            Damage::NoLog => {
                std::fs::remove_file(log).unwrap();
                return true;
            }
        }
        std::fs::write(one, bytes).unwrap();
        *one == log
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_file_is_refused_or_told_of() {
    let (places, seed) = (setting("DUBAN_DAMAGE", PLACES), setting("DUBAN_DAMAGE_SEED", 20_260_302));
    let (sound, acknowledged) = sound().await;
    let mut chance = StdRng::seed_from_u64(seed);
    let (mut refused, mut told, mut whole) = (0, 0, 0);
    for place in 0..places {
        let kind = KINDS[place as usize % KINDS.len()];
        let office = Office::on_file();
        for name in ["duban.db", "duban.db-wal", "duban.db.lock"] {
            std::fs::copy(sound.data().join(name), office.data().join(name)).unwrap();
        }
        let of_the_log = kind.to(&office.data(), &mut chance);
        let context = format!("seed {seed}, place {place}, {kind:?}");
        match office.start(|_| {}).await {
            Err(ended) => {
                let sentence = ended.told.lines().last().unwrap_or_default();
                assert!(matches!(ended.code, Some(1..=5)) && sentence.starts_with("duban: "), "{context}: {:?} {}", ended.code, ended.told);
                refused += 1;
            }
            Ok(mut life) => {
                life.kill();
                let found = &life.ready["integrity"];
                let damage = found["damaged"] != 0 || !found["pages"].is_null() || office.log().contains("the log beside the database");
                match damage {
                    true => {
                        assert!(office.log().contains(" ERROR "), "{context}: {}", office.log());
                        told += 1;
                    }
                    false => {
                        let mut found = look(&office.data().join("duban.db"), &acknowledged).await;
                        // A log ends where it cannot be read, as one that a power cut left unfinished: nobody can tell the two apart,
                        // but what stands before that place is whole.
                        found.retain(|what| !(of_the_log && what.starts_with("lost: ")));
                        assert_eq!(found, Vec::<String>::new(), "{context}: it started without a word: {}", office.log());
                        whole += 1;
                    }
                }
            }
        }
        assert!(!office.log().contains("panicked"), "{context}: {}", office.log());
    }
    println!("seed {seed}: {places} places, {refused} refused, {told} told of, {whole} whole");
    assert!(refused + told > places / 4, "too little was damaged to prove anything");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_cannot_be_read_is_told_of_with_its_item() {
    let (sound, _) = sound().await;
    let file = sound.data().join("duban.db");
    for (table, column) in [("item", "title"), ("fact", "json"), ("notice", "notice")] {
        let office = Office::on_file();
        for name in ["duban.db", "duban.db-wal"] {
            std::fs::copy(file.with_file_name(name), office.data().join(name)).unwrap();
        }
        let file = office.data().join("duban.db");
        let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
        let of = if table == "item" { "id" } else { "item" };
        let broken = format!("update {table} set {column} = cast(x'ff41' as text) where {of} = (select min(id) from item)");
        sqlx::query(sqlx::AssertSqlSafe(broken)).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let app = office::open(Place::File(file)).await.unwrap().unwrap();
        let mut told = std::collections::BTreeSet::new();
        let stop = tokio_util::sync::CancellationToken::new();
        let found = app.examine_all(&stop, |findings| told.extend(findings.iter().map(|finding| finding.item.clone()))).await;
        let found = found.unwrap().unwrap();
        assert_eq!((found.damaged, told.len()), (1, 1), "{table}: {told:?} {found:?}");
        app.store.clone().close().await;
    }
}

/// An office that was killed in the middle of its work, and what it had acknowledged.
async fn sound() -> (Office, Vec<(Command, Done)>) {
    let office = Office::on_file();
    let mut acknowledged = Vec::new();
    for life in 0..2 {
        let mut server = office.start(|_| {}).await.expect("starts");
        let items = if life == 0 { 8 } else { 1 };
        for command in (0..items).flat_map(|number| commands(&format!("{life}-{number}"), number)) {
            let Reply::Done(done) = server.asking.act(&command).await else { panic!("not done: {command:?}") };
            acknowledged.push((command, done));
        }
        // What the first one wrote stands in the file, what the second one wrote in the log beside it.
        match life {
            0 => {
                assert_eq!(server.stop(), Some(0));
                duban::store::backup::settle(&office.data().join("duban.db")).await.expect("is settled");
            }
            _ => server.kill(),
        }
    }
    (office, acknowledged)
}

/// What is wrong after all.
async fn look(file: &Path, acknowledged: &[(Command, Done)]) -> Vec<String> {
    let app = match office::open(Place::File(file.to_path_buf())).await {
        Ok(Some(app)) => app,
        other => return vec![format!("it does not open: {:?}", other.err())],
    };
    let mut found = checker::of_records(&app, acknowledged).await;
    app.store.clone().close().await;
    let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite://{}", file.display())).await.unwrap();
    let rows: Vec<(String,)> = sqlx::query_as("pragma integrity_check").fetch_all(&mut connection).await.unwrap();
    found.extend(rows.into_iter().map(|row| row.0).filter(|row| row != "ok"));
    connection.close().await.unwrap();
    found
}
