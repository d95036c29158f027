//! The volume brake: more mails within an hour than usual are held until a person lets them go, whoever counts.

use super::*;
use duban::store::backup::LetGo;
use duban::store::brake::{EVERYBODY, Excess, Measure};
use std::sync::Arc;

stories!(
    more_than_usual_is_held_until_a_person_lets_it_go,
    a_batch_is_counted_before_its_first_mails_leave,
    what_is_held_may_be_cancelled_and_one_let_go_by_hand,
    what_left_before_and_what_was_foreseen_is_usual,
    a_restored_office_is_held_whatever_else_is_let_go,
);
told!(server_of_many over crate::support::ground::Ground::server().await; several_processes_count_together);
told!(model_of_many over crate::support::ground::Ground::model_of_many(); several_processes_count_together);
database_stories!(a_count_that_says_nothing_holds_and_loses_nothing,);

/// Three times what is usual, and at least five.
const MEASURE: Measure = Measure { factor: 3, at_least: 5, foreseen: 0 };

/// Tells notices of an item of its own, one person each.
async fn told(store: &Store, item: &str, count: usize) -> Vec<String> {
    let keys: Vec<String> = (0..count).map(|n| format!("{item}/{n}")).collect();
    let notices = keys.iter().map(|key| notice(item, key)).collect();
    save(store, about(item, 0), Accepted { notices, ..accepted(0, command(item)) }).await.expect("is saved");
    keys
}

/// Each in a mail of its own; gives how many were stored, and what was too much.
async fn composed(store: &Store, keys: &[String], now: Instant, measure: Measure) -> (usize, Option<Excess>) {
    let mail = |key: &String| NewMail {
        id: format!("<{key}>"),
        person: "li".into(),
        address: "li@example.com".into(),
        bytes: "Subject: x\r\n\r\ny\r\n".into(),
        notices: vec![key.clone()],
        links: Vec::new(),
    };
    let passed = store.compose_within(keys.iter().map(mail).collect(), now, Some(measure)).await.expect("writes");
    assert_eq!(passed.stored.len(), keys.len());
    (passed.stored.iter().filter(|stored| **stored).count(), passed.excess)
}

/// How many notices of an item stand how, and why.
async fn standing(store: &Store, item: &str) -> Vec<(String, Option<String>, usize)> {
    let mut counts: Vec<(String, Option<String>, usize)> = Vec::new();
    for row in store.notices_of(item).await.expect("reads") {
        match counts.iter_mut().find(|(status, reason, _)| (status, reason) == (&row.status, &row.reason)) {
            Some((.., count)) => *count += 1,
            None => counts.push((row.status, row.reason, 1)),
        }
    }
    counts
}

/// A batch is composed a few at a time: those that wait behind are counted with the first.
async fn a_batch_is_counted_before_its_first_mails_leave(ground: Ground) {
    let store = open(&ground).await;
    let most = usize::try_from(MEASURE.at_least).unwrap();
    let few = told(&store, "b1", most).await;
    assert_eq!(composed(&store, &few[..2], at(60), MEASURE).await, (2, None), "all of them are not too many");
    assert_eq!(composed(&store, &few[2..], at(60), MEASURE).await, (most - 2, None));
    let many = told(&store, "b2", 40).await;
    let excess = Excess { since: at(61), mails: most as u64 + 40, usual: 0, foreseen: 0 };
    assert_eq!(composed(&store, &many[..1], at(61), MEASURE).await, (0, Some(excess)), "not even the first");
    assert!(standing(&store, "b2").await.iter().all(|(status, ..)| status == "parked"));
}

async fn more_than_usual_is_held_until_a_person_lets_it_go(ground: Ground) {
    let store = open(&ground).await;
    let few = told(&store, "s1", 5).await;
    assert_eq!(composed(&store, &few, at(60), MEASURE).await, (5, None));
    let many = told(&store, "s2", 3).await;
    let excess = Excess { since: at(61), mails: 8, usual: 0, foreseen: 0 };
    assert_eq!(composed(&store, &many, at(61), MEASURE).await, (0, Some(excess)), "all of it, not what is beyond");
    let [(status, Some(reason), 3)] = &standing(&store, "s2").await[..] else { panic!("{:?}", standing(&store, "s2").await) };
    assert_eq!((status.as_str(), Excess::read(reason)), ("parked", Some(excess)));
    let hold = store.hold().await.expect("reads").expect("stands");
    assert_eq!((hold.jurisdiction.as_str(), &hold.reason, hold.since), (LOCAL, reason, at(61)));
    assert_eq!(store.everywhere().holds(10).await.expect("reads"), std::slice::from_ref(&hold));
    let health = store.everywhere().health(at(61)).await.expect("reads");
    assert_eq!((health.held, health.parked.count), (Waiting { count: 1, oldest: Some(at(61)) }, 3));

    // What comes is held as well, here and in no other office, also after a restart.
    store.close().await;
    let store = open(&ground).await;
    told(&store, "s3", 2).await;
    assert_eq!(standing(&store, "s3").await, [("parked".into(), Some(reason.clone()), 2)]);
    let elsewhere = store.of("elsewhere");
    let others = told(&elsewhere, "s1", 5).await;
    assert_eq!(composed(&elsewhere, &others, at(62), MEASURE).await, (5, None));

    // A person has looked: it leaves, however much it is, and does not count; what comes after does.
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 5);
    assert_eq!(store.hold().await.expect("reads"), None);
    assert_eq!(composed(&store, &[many, vec!["s3/0".into(), "s3/1".into()]].concat(), at(63), MEASURE).await, (5, None));
    let next = told(&store, "s4", 1).await;
    assert_eq!(composed(&store, &next, at(64), MEASURE).await, (0, Some(Excess { since: at(64), mails: 6, usual: 0, foreseen: 0 })));
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 1);
    // The next hour begins anew.
    let next = told(&store, "s5", 5).await;
    assert_eq!(composed(&store, &next, at(120), MEASURE).await, (5, None));
}

async fn what_is_held_may_be_cancelled_and_one_let_go_by_hand(ground: Ground) {
    let store = open(&ground).await;
    let many = told(&store, "s1", 9).await;
    assert_eq!(composed(&store, &many, at(60), MEASURE).await.0, 0);
    assert_eq!(store.release_notices(vec![many[0].clone()]).await.expect("writes"), 1);
    assert_eq!(composed(&store, &many, at(61), MEASURE).await, (1, None), "that one leaves, the others stay");
    assert_eq!(store.let_go_volume(LetGo::Cancel, "a mistake in the rules").await.expect("writes"), 8);
    let ended = standing(&store, "s1").await;
    assert!(ended.contains(&("cancelled".into(), Some("a mistake in the rules".into()), 8)), "{ended:?}");
    assert_eq!(store.hold().await.expect("reads"), None);
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 0, "once");
    // A word of its own holds what a list caused.
    let parked = Accepted {
        notices: vec![Notice { parked: Some("imported".into()), ..notice("s2", "s2/0") }, notice("s2", "s2/1")],
        ..accepted(0, command("s2"))
    };
    save(&store, about("s2", 0), parked).await.expect("is saved");
    assert_eq!(store.let_go_parked("imported", LetGo::Send, "").await.expect("writes"), 1);
    assert!(standing(&store, "s2").await.iter().all(|(status, ..)| status == "ready"));
}

async fn what_left_before_and_what_was_foreseen_is_usual(ground: Ground) {
    let store = open(&ground).await;
    let none = Measure { factor: 2, at_least: 1, foreseen: 0 };
    let plenty = Measure { at_least: 1000, ..none };
    for (hour, count) in [(1, 4), (2, 3), (3, 90)] {
        let keys = told(&store, &format!("s{hour}"), count).await;
        assert_eq!(composed(&store, &keys, at(60 * hour), plenty).await, (count, None));
    }
    // The busiest hour of a hundred is left out: twice the next one may leave.
    let nine = told(&store, "s9", 9).await;
    let too_many = Excess { since: at(300), mails: 9, usual: 4, foreseen: 0 };
    assert_eq!(composed(&store, &nine, at(300), none).await, (0, Some(too_many)));
    assert_eq!(store.let_go_volume(LetGo::Cancel, "a trial").await.expect("writes"), 9);
    let eight = told(&store, "s8", 8).await;
    assert_eq!(composed(&store, &eight, at(301), none).await, (8, None));
    // What the plan foresaw for the day may leave.
    let foreseen = Measure { foreseen: 10, ..none };
    let twelve = told(&store, "s12", 12).await;
    assert_eq!(composed(&store, &twelve, at(302), foreseen).await, (12, None));
    let more = told(&store, "s13", 1).await;
    assert_eq!(composed(&store, &more, at(303), foreseen).await.1, Some(Excess { since: at(303), mails: 21, usual: 4, foreseen: 10 }));
    store.let_go_volume(LetGo::Cancel, "a trial").await.expect("writes");
    // Nobody remembers what was more than four weeks ago.
    let later = 60 * 24 * 29;
    let two = told(&store, "s14", 2).await;
    assert_eq!(composed(&store, &two, at(later), none).await, (0, Some(Excess { since: at(later), mails: 2, usual: 0, foreseen: 0 })));
}

async fn a_restored_office_is_held_whatever_else_is_let_go(ground: Ground) {
    let store = open(&ground).await;
    let many = told(&store, "s1", 9).await;
    assert_eq!(composed(&store, &many, at(60), MEASURE).await.0, 0);
    told(&store.of("elsewhere"), "s1", 1).await;
    assert_eq!(store.mark_restored("copy", at(70)).await.expect("writes").notices, 1);
    let hold = store.hold().await.expect("reads").expect("stands");
    assert_eq!((hold.jurisdiction.as_str(), hold.reason.as_str()), (EVERYBODY, "restored"));
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 9);
    assert_eq!(standing(&store, "s1").await, [("parked".into(), Some("restored".into()), 9)]);
    assert_eq!(composed(&store, &many, at(80), MEASURE).await, (0, None));
    assert_eq!(store.let_go_restored(LetGo::Send, at(90)).await.expect("writes").notices, 10);
    assert_eq!(composed(&store, &many, at(91), MEASURE).await, (9, None), "a person has seen it");

    // The other way round as well: what was unusual is held on.
    let more = told(&store, "s2", 9).await;
    assert_eq!(composed(&store, &more, at(120), MEASURE).await.0, 0);
    store.mark_restored("copy", at(130)).await.expect("writes");
    told(&store, "s3", 2).await;
    assert_eq!(standing(&store, "s3").await, [("parked".into(), Some("restored".into()), 2)]);
    store.let_go_restored(LetGo::Send, at(140)).await.expect("writes");
    let held = standing(&store, "s3").await;
    assert!(held.iter().all(|(status, reason, _)| status == "parked" && reason.as_deref().and_then(Excess::read).is_some()), "{held:?}");
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 11);
}

/// Two of them send groups of any size at once, are closed and opened again: never one mail too many, and what is held is not lost.
async fn several_processes_count_together(ground: Ground) {
    const EACH: usize = 40;
    let measure = Measure { factor: 3, at_least: 50, foreseen: 0 };
    for round in 0..6_usize {
        let ground = Arc::new(ground.another().await);
        let store = open(&ground).await;
        let other = open(&ground).await;
        let sending = [store.clone(), other].into_iter().enumerate().map(|(process, mut store)| {
            let ground = ground.clone();
            tokio::spawn(async move {
                let (mut sent, mut held) = (0, false);
                for (n, first) in (0..EACH).step_by(1 + round).enumerate() {
                    let keys = told(&store, &format!("s{process}-{n}"), (1 + round).min(EACH - first)).await;
                    let (stored, excess) = composed(&store, &keys, at(60 + n as i64 / 4), measure).await;
                    assert!(stored == 0 || !held, "after it was held");
                    held |= excess.is_some();
                    sent += stored;
                    if n == 3 {
                        store.close().await;
                        store = open(&ground).await;
                    }
                }
                sent
            })
        });
        let mut sent = 0;
        for sending in sending.collect::<Vec<_>>() {
            sent += sending.await.expect("ends well");
        }
        // What the other has told and not sent yet counts as well.
        assert!(sent <= 50 && sent > 50 - 2 * (1 + round), "{sent} of 80 by groups of {}", 1 + round);
        let store = open(&ground).await;
        let counts = store.count_notices().await.expect("reads");
        let of = |status: &str| counts.iter().filter(|count| count.status == status).map(|count| count.count).sum::<u64>();
        assert_eq!((of("mailed"), of("parked")), (sent as u64, (2 * EACH - sent) as u64));
    }
}

/// Somebody's hand in the database, or a damaged page: a brake that cannot count holds.
async fn a_count_that_says_nothing_holds_and_loses_nothing(ground: Ground) {
    let store = open(&ground).await;
    let one = told(&store, "s1", 1).await;
    assert_eq!(composed(&store, &one, at(60), MEASURE).await, (1, None));
    ground.tamper("update volume set mails = -1000000").await;
    let two = told(&store, "s2", 2).await;
    let (stored, excess) = composed(&store, &two, at(61), MEASURE).await;
    assert!(stored == 0 && excess.is_some());
    assert!(standing(&store, "s2").await.iter().all(|(status, ..)| status == "parked"));
    ground.tamper("update hold set reason = 'nonsense'").await;
    let three = told(&store, "s3", 1).await;
    assert_eq!(composed(&store, &three, at(62), MEASURE).await.0, 0, "held, whatever the reason says");
    // A person gets out of it all the same.
    assert_eq!(store.let_go_volume(LetGo::Send, "").await.expect("writes"), 2);
    assert_eq!(store.release_notices(three).await.expect("writes"), 1);
}
