//! Relays as they are: one that greylists, one that is down for days, one that will not have this mail or this person. A mail of one
//! person never waits for another's.

use super::send::{mail_counts, notices, office_with, render, send, smtp_over};
use crate::support::smtp::{Act, At, Sink, Step};
use crate::support::world::{World, all, moment, rules, submit};
use chrono::TimeDelta;
use duban::app::Rendered;
use duban::app::send::{Post, Posted, UNRECORDED};
use duban::kernel::rules::RuleSet;
use duban::mail::smtp::Dial;
use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio_util::sync::CancellationToken;

/// Fifty clerks, each with an address.
fn fifty_clerks() -> RuleSet {
    rules(|path, text| match path {
        "directory.yaml" => {
            let clerks: String =
                (1..50).map(|n| format!("\n  c{n}: {{ title: C{n}, mail: c{n}@example.com, groups: [clerks] }}")).collect();
            text.replace("persons:", &format!("persons:{clerks}"))
        }
        _ => text,
    })
}

/// A relay that does as the script says of the recipient that comes as the n-th, of all that ever came.
fn relay(script: impl Fn(usize) -> Act + Send + Sync + 'static) -> (Sink, Arc<Post>) {
    let asked = AtomicUsize::new(0);
    let (sink, dial) =
        Sink::on_wires(move |at: At| if at.step == Step::Rcpt { script(asked.fetch_add(1, Ordering::SeqCst)) } else { Act::Behave }, false);
    (sink, smtp_over(dial))
}

#[tokio::test]
async fn one_of_fifty_that_is_refused_or_put_off_holds_none_of_the_others_up() {
    let world = office_with(fifty_clerks(), "2026-03-05 09:00").await;
    let (sink, post) = relay(|nth| match nth {
        7 => Act::Say("550 no such user"),
        3 | 11 => Act::Say("451 come back later"),
        _ => Act::Behave,
    });
    assert_eq!(render(&world, &post).await, Rendered { notices: 50, mails: 50, ..Rendered::default() });
    assert_eq!(send(&world, &post).await, Posted { sent: 47, refused: 1, deferred: 2, ..Posted::default() });
    assert_eq!(post.paused_until(), None, "the relay is not at fault");
    world.now_is("2026-03-05 09:02");
    assert_eq!(send(&world, &post).await, Posted { sent: 2, ..Posted::default() });
    let to: BTreeSet<_> = sink.accepted().into_iter().map(|mail| mail.to).collect();
    assert_eq!((sink.count(), to.len()), (49, 49), "each got one");
}

#[tokio::test]
async fn a_relay_that_greylists_gets_each_mail_in_the_end_once() {
    for minutes in [5, 15, 45] {
        let world = office_with(fifty_clerks(), "2026-03-05 09:00").await;
        let grey = Arc::new(AtomicBool::new(true));
        let still = grey.clone();
        let (sink, post) = relay(move |_| if still.load(Ordering::SeqCst) { Act::Say("451 greylisted") } else { Act::Behave });
        render(&world, &post).await;
        let begun = moment("2026-03-05 09:00");
        let (mut sent, mut last) = (0, 0);
        for minute in 0..180 {
            grey.store(minute < minutes, Ordering::SeqCst);
            world.app.clock.set(begun + TimeDelta::minutes(minute));
            let posted = send(&world, &post).await.sent;
            sent += posted;
            last = if posted > 0 { minute } else { last };
        }
        assert_eq!((sent, sink.count()), (50, 50), "greylisted for {minutes} minutes");
        // The waits double, so the last comes at about twice the time.
        assert!((minutes..=minutes * 3 + 2).contains(&last), "greylisted for {minutes} minutes, the last left after {last}");
    }
}

/// What the relay says of the mail itself is final, and is told.
#[tokio::test]
async fn a_mail_that_the_relay_finds_too_large_is_refused_and_the_next_goes_out() {
    let world = World::open("2026-03-02 09:00").await;
    for item in ["1", "2"] {
        world.submit(item).await;
    }
    world.now_is("2026-03-05 09:00");
    all(&world.app).wake_due(100).await.unwrap();
    let script = |at: At| if at.step == Step::AfterDot && at.mail == 0 { Act::Say("552 message too large") } else { Act::Behave };
    let (sink, dial) = Sink::on_wires(script, false);
    let post = smtp_over(dial);
    render(&world, &post).await;
    assert_eq!(send(&world, &post).await, Posted { sent: 1, refused: 1, ..Posted::default() });
    let both = [notices(&world, "1").await, notices(&world, "2").await].concat();
    assert!(both.iter().any(|notice| notice.mail_reply.as_deref() == Some("dot: 552 message too large")), "{both:?}");
    assert_eq!(sink.count(), 1);
}

/// Nobody can be reached at an address that some servers cannot take: a person sees it, and everybody else gets their mail.
#[tokio::test]
async fn an_address_beyond_ascii_is_parked_and_the_others_are_mailed() {
    let rules = rules(|path, text| match path {
        "directory.yaml" => text.replace("persons:", "persons:\n  zhang: { title: 张三, mail: 张三@example.com, groups: [clerks] }"),
        _ => text,
    });
    let world = office_with(rules, "2026-03-05 09:00").await;
    let (sink, post) = relay(|_| Act::Behave);
    assert_eq!(render(&world, &post).await, Rendered { notices: 2, mails: 1, parked: 1, ..Rendered::default() });
    assert_eq!(send(&world, &post).await.sent, 1);
    let parked: Vec<_> = notices(&world, "1").await.into_iter().filter(|notice| notice.status == "parked").collect();
    assert_eq!((parked.len(), parked[0].person.as_str()), (1, "zhang"));
    assert!(parked[0].reason.as_deref().is_some_and(|why| why.starts_with("address: ")), "{parked:?}");
    assert_eq!(sink.count(), 1);
}

#[tokio::test]
async fn a_relay_that_is_down_for_four_days_gets_everything_and_one_that_stays_down_is_told_of() {
    for (days_down, ends) in [(4, "sent"), (6, "expired")] {
        let world = World::open("2026-03-02 09:00").await;
        for item in 0..20 {
            world.app.act(&submit(&item.to_string())).await.unwrap();
        }
        // What was answered is news whenever it arrives: it is not overtaken by the dates.
        for item in 0..20 {
            world.app.act(&crate::support::world::command(&item.to_string(), "answer", "carl", [])).await.unwrap();
        }
        let down = Arc::new(AtomicBool::new(true));
        let (sink, up) = Sink::on_wires(|_| Act::Behave, false);
        let (is_down, up) = (down.clone(), Arc::new(up));
        let tries = Arc::new(AtomicUsize::new(0));
        let tried = tries.clone();
        let post = smtp_over(Dial::new(move || {
            let (is_down, up) = (is_down.load(Ordering::SeqCst), up.clone());
            tried.fetch_add(1, Ordering::SeqCst);
            async move { if is_down { Err(io::ErrorKind::ConnectionRefused.into()) } else { up.connect(false).await } }
        }));
        assert_eq!(render(&world, &post).await.mails, 20);
        let begun = world.app.clock.now();
        let mut sum = Posted::default();
        for quarter in 0..7 * 24 * 4 {
            down.store(quarter < days_down * 24 * 4, Ordering::SeqCst);
            world.app.clock.set(begun + TimeDelta::minutes(15 * quarter));
            sum += send(&world, &post).await;
        }
        assert_eq!(mail_counts(&world).await, [(ends.to_string(), 20)], "down for {days_down} days");
        assert_eq!((sink.count(), sum.sent), if ends == "sent" { (20, 20) } else { (0, 0) });
        let most = (days_down as usize * 24 * 4 + 1) * UNRECORDED;
        assert!(tries.load(Ordering::SeqCst) <= most, "a relay that is down is asked now and then: {tries:?} times");
    }
}

/// Told to stop in the middle: what is under way is brought to its record, nothing new is begun, and nothing stays taken.
#[tokio::test]
async fn a_stop_leaves_no_mail_taken() {
    let world = office_with(fifty_clerks(), "2026-03-05 09:00").await;
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let (sink, post) = relay(move |nth| {
        if nth == 0 {
            stopped.cancel();
        }
        Act::Behave
    });
    render(&world, &post).await;
    let posted = all(&world.app).send_due(&post, &stop).await.unwrap();
    assert_eq!(posted, Posted { sent: UNRECORDED, ..Posted::default() });
    assert_eq!(sink.count(), UNRECORDED);
    let counts = mail_counts(&world).await;
    assert_eq!(counts, [("ready".to_string(), 50 - UNRECORDED as u64), ("sent".to_string(), UNRECORDED as u64)]);
}
