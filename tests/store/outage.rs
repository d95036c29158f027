//! A PostgreSQL server that goes away, refuses, or is full of others: what was acknowledged stays, and everything goes on by itself.

use super::*;
use crate::support::postgres::{SHARED, Server, run};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    for _ in 0..3 {
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
