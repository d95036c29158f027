//! A PostgreSQL server that goes away, refuses, or is full of others: what was acknowledged stays, and everything goes on by itself.
//!
//! `DUBAN_CRASHES` asks for more crashes of the server than the short run has.

use super::*;
use crate::support::line::{Cut, Line};
use crate::support::office::setting;
use crate::support::postgres::{SHARED, Server, run};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// So often the server crashes in the short run.
const CRASHES: u64 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_crashes_under_load_loses_nothing_that_was_acknowledged() {
    let server = Arc::new(Server::start());
    let ground = Ground::Server(server.database().await);
    let store = open(&ground).await;
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..8)
        .map(|caller| {
            let (store, stop) = (store.clone(), stop.clone());
            tokio::spawn(async move {
                let (mut acknowledged, mut unknown, mut n) = (Vec::new(), 0, 0);
                while !stop.load(Ordering::Relaxed) {
                    let item = format!("{caller}-{n}");
                    let about = About { command: answered(&item), ..about(&item, 0) };
                    match save(&store, about, accepted(0, command(&item))).await {
                        Ok(_) => {
                            acknowledged.push(item);
                            n += 1;
                        }
                        // It was stored after all, and says so.
                        Err(NotSaved::Answered { .. }) => {
                            acknowledged.push(item);
                            n += 1;
                        }
                        Err(NotSaved::Store(StoreError::Unknown(_))) => unknown += 1,
                        Err(NotSaved::Store(StoreError::NotDone(_))) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
                (acknowledged, unknown)
            })
        })
        .collect();
    for _ in 0..setting("DUBAN_CRASHES", CRASHES) {
        let before = store.counts().commits;
        while store.counts().commits < before + 20 {
            tokio::task::yield_now().await;
        }
        let crashing = server.clone();
        tokio::task::spawn_blocking(move || {
            crashing.crash();
            crashing.go();
        })
        .await
        .expect("comes back");
    }
    let before = store.counts().commits;
    while store.counts().commits < before + 5 {
        tokio::task::yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    let (mut all, mut doubts) = (0, 0);
    for caller in callers {
        let (acknowledged, unknown) = caller.await.expect("ends well");
        doubts += unknown;
        for item in acknowledged {
            all += 1;
            store.check_chain(&item).await.expect("was acknowledged");
        }
    }
    assert!(all > 0);
    // Those in doubt asked again until they knew.
    assert!(store.count_open().await.expect("reads") <= all + 8, "{doubts} doubts");
    store.close().await;
}

/// It takes as long as a server is waited for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_falls_silent_is_given_up_and_what_became_of_it_is_told() {
    let Ground::Server(url) = Ground::server().await else { unreachable!("a server") };
    let line = Line::to(&url).await;
    let store = open(&Ground::Server(line.url())).await;
    create(&store, "first").await;
    line.cut(|text| text.starts_with("commit"), Cut::Silent);
    let ask = || save(&store, About { command: answered("s1"), ..about("s1", 0) }, accepted(0, command("s1")));
    let doubt = ask().await.expect_err("nobody said that it is done");
    assert!(matches!(doubt, NotSaved::Store(StoreError::Unknown(_))), "{doubt}");
    assert!(!line.is_left_whole(), "the line fell silent");
    // Another connection knows: the server had written it.
    let again = ask().await.expect_err("was done");
    assert!(matches!(again, NotSaved::Answered { .. }), "{again}");
    create(&store, "s2").await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_stops_in_the_middle_holds_nobody_up() {
    let ground = Ground::server().await;
    let store = open(&ground).await;
    create(&store, "s1").await;
    // Its row is locked by a transaction that does not go on; the lock is given up in time, and the answer is certain.
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let mut other = sqlx::PgConnection::connect(url).await.expect("connects");
    let held = "begin; set local idle_in_transaction_session_timeout = '1s'; select id from item where id = 's1' for update";
    sqlx::raw_sql(held).execute(&mut other).await.expect("locks");
    save(&store, about("s1", 1), accepted(1, rung(1))).await.expect("is saved once the other has been ended");
    let gone = sqlx::raw_sql("commit").execute(&mut other).await;
    assert!(gone.is_err(), "the one that stopped cannot go on where it was");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_server_refuses_is_told_in_a_sentence() {
    let refused = |url: String| async move {
        let place: duban::store::Place = url.parse().expect("an address");
        let error = Store::open(place, Opening::default(), at(0)).await.expect_err("is refused").to_string();
        error.rsplit_once("`: ").map_or(error.clone(), |(_, what)| what.to_string())
    };
    assert_eq!(refused(SHARED.url("nowhere")).await, "the server has no such database");
    assert_eq!(refused(SHARED.url_as("stranger", "postgres")).await, "the server refused the user");
    let cannot = refused("postgres://duban@127.0.0.1:1/office".into()).await;
    assert!(cannot.starts_with("the server cannot be reached ("), "{cannot}");

    // One that reads a server only finds no tables there.
    let empty = Ground::server().await;
    let error = Store::open_to_read(empty.place()).await.expect_err("is empty").to_string();
    assert!(error.ends_with("it has no tables of duban"), "{error}");

    // A user who may not make tables.
    let Ground::Server(url) = &empty else { unreachable!("a server") };
    let name = url.rsplit_once('/').expect("has a name").1;
    run(url, &format!("create role {name}_guest login")).await;
    let error = refused(SHARED.url_as(&format!("{name}_guest"), name)).await;
    assert_eq!(error, "the user lacks the rights");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_stores_nothing_and_says_so_until_it_writes_again() {
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let name = url.rsplit_once('/').expect("has a name").1;
    open(&ground).await.close().await;
    let store = open(&ground).await;
    create(&store, "s1").await;
    let cut_off = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}' and pid <> pg_backend_pid()");
    run(url, &format!("alter database {name} set default_transaction_read_only = on")).await;
    run(&SHARED.url("postgres"), &cut_off).await;
    let refused = save(&store, about("s2", 0), accepted(0, command("s2"))).await.expect_err("is refused");
    assert_eq!(refused.to_string(), "nothing was stored: the server is read-only");
    assert_eq!(store.count_open().await.expect("reads"), 1, "reading goes on");
    run(&SHARED.url("postgres"), &format!("alter database {name} set default_transaction_read_only = off")).await;
    run(&SHARED.url("postgres"), &cut_off).await;
    create(&store, "s2").await;
}

/// How it goes with the server whose callers these are.
#[derive(Default)]
struct Day {
    full: AtomicBool,
    over: AtomicBool,
    refused: AtomicUsize,
}

/// What callers were told while the server had no room, each of items of their own.
#[derive(Default)]
struct Told {
    acknowledged: Vec<String>,
    /// Certainly not stored, and not asked for again.
    refused: Vec<String>,
    doubts: usize,
    words: BTreeSet<String>,
}

/// First the tables have no room: a statement fails, and the server lives. Then its log has none: it ends every session, recovers, and
/// may not come up by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_room_stores_nothing_and_says_so_until_there_is_room_again() {
    let server = Arc::new(tokio::task::spawn_blocking(Server::on_a_small_disk).await.expect("starts"));
    let url = server.database().await;
    let ground = Ground::Server(url.clone());
    let store = open(&ground).await;
    create(&store, "first").await;
    server.fill_the_disk();
    let mut stored = 1;
    let refused = loop {
        match save(&store, about(&format!("t{stored}"), 0), accepted(0, command("t"))).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "there is no end to its room");
    };
    assert_eq!(refused.to_string(), "nothing was stored: the server's disk is full");
    assert_eq!(store.count_open().await.expect("reads"), stored, "reading goes on, and what was refused is not there");
    server.make_room();
    create(&store, &format!("t{stored}")).await;

    let day = Arc::new(Day::default());
    let callers: Vec<_> = (0..4).map(|caller| tokio::spawn(call(store.clone(), caller, day.clone()))).collect();
    let more = async |number: u64| {
        let before = store.counts().commits;
        while store.counts().commits < before + number {
            let server = server.clone();
            tokio::task::spawn_blocking(move || server.see_that_it_runs()).await.expect("looks");
        }
    };
    more(20).await;
    server.fill_the_disk();
    day.full.store(true, Ordering::Relaxed);
    while day.refused.load(Ordering::Relaxed) < 4 {
        tokio::task::yield_now().await;
    }
    // The next record needs a new file of the log, which there is no room for.
    let mut other = sqlx::PgConnection::connect(&url).await.expect("connects");
    let _ = sqlx::raw_sql("select pg_switch_wal()").execute(&mut other).await;
    while !server.log().contains("PANIC") {
        // Where nobody else comes to it.
        let _ = sqlx::raw_sql("select pg_logical_emit_message(true, 'x', 'y')").execute(&mut other).await;
    }
    server.make_room();
    day.full.store(false, Ordering::Relaxed);
    more(20).await;
    day.over.store(true, Ordering::Relaxed);
    let mut all = Told::default();
    for caller in callers {
        let told = caller.await.expect("ends well");
        all.acknowledged.extend(told.acknowledged);
        all.refused.extend(told.refused);
        all.doubts += told.doubts;
        all.words.extend(told.words);
    }
    println!("{} acknowledged, {} refused, {} doubts: {:?}", all.acknowledged.len(), all.refused.len(), all.doubts, all.words);
    for item in &all.acknowledged {
        store.check_chain(item).await.expect("was acknowledged");
    }
    assert!(all.words.contains("the server's disk is full"), "{:?}", all.words);
    let refused: Vec<&str> = all.refused.iter().map(String::as_str).collect();
    let there = store.items(&refused).await.expect("reads");
    assert!(there.is_empty(), "was told that nothing was stored: {:?}", there.keys());
    assert_eq!(store.count_open().await.expect("reads"), stored + 1 + all.acknowledged.len() as u64);
    store.close().await;
}

/// Makes one item after the other. Who is in doubt asks until it is known; who was told that nothing was stored leaves it at that.
async fn call(store: Store, caller: usize, day: Arc<Day>) -> Told {
    let mut told = Told::default();
    for n in 0.. {
        let (item, mut doubt) = (format!("{caller}-{n}"), false);
        loop {
            let about = About { command: answered(&item), ..about(&item, 0) };
            match save(&store, about, accepted(0, command(&item))).await {
                Ok(_) => break told.acknowledged.push(item),
                Err(NotSaved::Answered { .. }) if doubt => break told.acknowledged.push(item),
                Err(NotSaved::Store(StoreError::Unknown(_))) => {
                    doubt = true;
                    told.doubts += 1;
                }
                Err(NotSaved::Store(StoreError::NotDone(what))) => {
                    told.words.insert(what);
                    day.refused.fetch_add(1, Ordering::Relaxed);
                    if !doubt {
                        break told.refused.push(item);
                    }
                }
                Err(other) => panic!("{item}: {other}"),
            }
        }
        // As a person would, who has read that there is no room.
        while day.full.load(Ordering::Relaxed) && told.refused.len() > 20 {
            tokio::task::yield_now().await;
        }
        if day.over.load(Ordering::Relaxed) {
            return told;
        }
    }
    told
}
