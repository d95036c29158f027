//! Connections that fail, again and again, leave nothing open behind: to a mail server at each step of a conversation, to a PostgreSQL
//! server that is not there, in the middle of a transaction, and in the middle of an answer.
//!
//! Descriptors are counted in a process of its own, which this one starts: beside other tests nobody could count.

use crate::store::{about, accepted, at, command, save};
use crate::support::line::{Cut, Line};
use crate::support::postgres::SHARED;
use crate::support::smtp::{Act, At, Sink, Step};
use duban::mail::smtp::{Limits, Server, Smtp};
use duban::mail::{Address, Outcome, Parcel};
use duban::store::{Opening, Place, Store};
use std::time::{Duration, Instant};

/// More than all that may be kept open at the same time.
const FAILURES: usize = 40;
/// A second connection that writes is opened when it is needed; on this line each has three ends.
const SPARE: usize = 6;
const ALONE: &str = "DUBAN_DESCRIPTORS";

fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("Linux says what is open").count()
}

/// Runs one test of this binary as the only one of a process.
async fn alone(test: &str, with: String) {
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", test, "--nocapture"]).env(ALONE, with);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}

/// What the other side of each connection had open goes as well, a moment later.
async fn comes_back_to(before: usize, what: &str) {
    let begun = Instant::now();
    while open_descriptors() > before + SPARE {
        assert!(begun.elapsed() < Duration::from_secs(10), "{what}: {} are open, {before} were before", open_descriptors());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn mail_servers_that_fail_leave_none_open() {
    if std::env::var_os(ALONE).is_none() {
        return alone("descriptors::mail_servers_that_fail_leave_none_open", "mail".into()).await;
    }
    let (from, to) = (Address::parse("duban@example.com").unwrap(), Address::parse("li@example.com").unwrap());
    let bytes = b"Subject: x\r\n\r\ny\r\n".to_vec();
    let parcel = Parcel { id: "<m1@example.com>", from: &from, to: &to, at: at(0), bytes: &bytes };
    let ways: [(Step, Act, &str); 7] = [
        (Step::Greeting, Act::Cut, "none"),
        (Step::Greeting, Act::Say("554 go away"), "none"),
        (Step::Ehlo, Act::Noise, "none"),
        (Step::StartTls, Act::Say("454 not now"), "required"),
        (Step::Handshake, Act::Cut, "required"),
        (Step::Mail, Act::Cut, "none"),
        (Step::AfterDot, Act::Cut, "none"),
    ];
    for (step, act, tls) in ways {
        let sink = Sink::start_with_tls(move |at: At| if at.step == step { act } else { Act::Behave }).await;
        let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls={tls}", sink.port), None).unwrap();
        let smtp = Smtp::new(server, Limits::default()).unwrap();
        let fails = async || {
            let outcome = smtp.send(&parcel).await;
            assert!(!matches!(outcome, Outcome::Sent { .. }), "{step:?} {act:?}: {outcome:?}");
        };
        fails().await;
        let before = open_descriptors();
        for _ in 0..FAILURES {
            fails().await;
        }
        assert!(sink.connections() > FAILURES);
        comes_back_to(before, &format!("{step:?} {act:?}")).await;
    }
    // Nobody listens there any more.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Server::parse(&format!("smtp://127.0.0.1:{gone}?tls=none"), None).unwrap();
    let smtp = Smtp::new(server, Limits::default()).unwrap();
    smtp.send(&parcel).await;
    let before = open_descriptors();
    for _ in 0..FAILURES {
        assert!(matches!(smtp.send(&parcel).await, Outcome::Deferred { .. }));
    }
    comes_back_to(before, "nobody listens").await;
}

#[tokio::test]
async fn databases_that_fail_leave_none_open() {
    let Ok(url) = std::env::var(ALONE) else {
        return alone("descriptors::databases_that_fail_leave_none_open", SHARED.database().await).await;
    };
    let line = Line::to(&url).await;
    let opening = || Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let place: Place = line.url().parse().unwrap();
    let nowhere: Place = format!("{}_nowhere", line.url()).parse().unwrap();
    let store = Store::open(place.clone(), opening(), at(0)).await.unwrap();
    let mut number = 0;
    let mut saved = async || {
        number += 1;
        let item = format!("s{number}");
        save(&store, about(&item, 0), accepted(0, command(&item))).await.map(|_| item)
    };
    let item = saved().await.unwrap();
    store.item(&item).await.unwrap();
    let before = open_descriptors();
    for _ in 0..FAILURES {
        assert!(Store::open(nowhere.clone(), opening(), at(0)).await.is_err());
    }
    comes_back_to(before, "there is no such database").await;
    for _ in 0..FAILURES {
        line.cut(|text| text == "commit", Cut::Asked(3));
        assert!(saved().await.is_err(), "is in doubt");
    }
    comes_back_to(before, "cut off within a commit").await;
    for _ in 0..FAILURES / 2 {
        line.cut(|text| text.starts_with("begin"), Cut::Asked(3));
        saved().await.unwrap();
    }
    comes_back_to(before, "cut off and tried again").await;
    for _ in 0..FAILURES {
        line.cut(|text| text.contains("from meta"), Cut::Answered(3));
        assert!(store.meta("note").await.is_err());
    }
    comes_back_to(before, "cut off within an answer").await;
    for _ in 0..FAILURES {
        line.cut(|text| text.starts_with("begin"), Cut::Answered(0));
        assert!(Store::open(place.clone(), opening(), at(0)).await.is_err());
    }
    comes_back_to(before, "cut off while it is opened").await;
    saved().await.unwrap();
    store.close().await;
}
