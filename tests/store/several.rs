//! Several processes on one database, each with a writer of its own: whoever comes second is told so, and nothing is done twice.

use super::*;
use std::collections::BTreeSet;

stories_of_many!(
    numbers_items_and_values_are_given_to_one,
    an_office_is_made_by_one,
    the_same_items_in_any_order_move_once_for_each,
    mails_and_slots_are_taken_by_one,
    what_is_due_is_worked_by_one_and_taken_over_when_it_falls_silent,
);

const WRITERS: usize = 4;

async fn several(ground: &Ground) -> Vec<Store> {
    let mut stores = Vec::new();
    for _ in 0..WRITERS {
        stores.push(open(ground).await);
    }
    stores
}

/// Runs the same for every store at once; gives the answers.
async fn at_once<F, T>(stores: &[Store], act: impl Fn(Store, usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = stores.iter().enumerate().map(|(place, store)| tokio::spawn(act(store.clone(), place))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.expect("ends well"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_is_made_once() {
    let ground = Ground::server().await;
    let opened = (0..6).map(|place| {
        let (place_of, name) = (ground.place(), format!("office{place}"));
        tokio::spawn(async move { Store::open(place_of, Opening { new_instance: name, ..Opening::default() }, at(0)).await })
    });
    let mut names = BTreeSet::new();
    for opened in opened.collect::<Vec<_>>() {
        let store = opened.await.expect("ends well").expect("opens");
        names.insert(store.instance().to_string());
    }
    assert_eq!(names.len(), 1, "the first one names the office");
}

async fn an_office_is_made_by_one(ground: Ground) {
    let stores = several(&ground).await;
    for round in 0..10 {
        let made = at_once(&stores, |store, place| async move {
            let store = store.of(&format!("office{round}"));
            let files = indexmap::IndexMap::from([("a.yaml".to_string(), format!("by {place}"))]);
            store.add_office(&format!("h{place}"), &files, &["request/daily".to_string()], at(place as i64)).await.expect("writes")
        })
        .await;
        let makers: Vec<usize> = made.iter().enumerate().filter(|(_, made)| **made).map(|(place, _)| place).collect();
        let [maker] = makers[..] else { panic!("made by {makers:?}") };
        let rules = stores[0].of(&format!("office{round}")).rules_in_use().await.expect("reads").expect("is there");
        assert_eq!((rules.hash, rules.revision), (format!("h{maker}"), 1));
    }
    assert_eq!(stores[0].everywhere().jurisdictions("", 100).await.expect("reads").len(), 10);
}

async fn numbers_items_and_values_are_given_to_one(ground: Ground) {
    let stores = several(&ground).await;
    // Everybody gives numbers to items of his own, ten at once.
    let given = at_once(&stores, |store, place| async move {
        let mut given = Vec::new();
        for n in 0..15 {
            let mut from = store.counter("2026").await.expect("reads");
            loop {
                let numbers = vec![Number { counter: "2026".into(), from, to: from + 1 }];
                match save(&store, about(&format!("{place}-{n}"), 0), Accepted { numbers, ..accepted(0, command("n")) }).await {
                    Ok(_) => break,
                    Err(NotSaved::CounterMoved { value, .. }) => from = value,
                    Err(other) => panic!("{other}"),
                }
            }
            given.push(from + 1);
        }
        given
    })
    .await;
    let all: BTreeSet<i64> = given.into_iter().flatten().collect();
    assert_eq!(all, (1..=60).collect(), "each number once, none left out");

    // Everybody makes the same items, under the same number, by the same command: one does.
    for round in 0..20 {
        let made = at_once(&stores, |store, place| async move {
            let unique = vec![("number".into(), Value::text(&format!("N{round}")))];
            let item = format!("shared-{round}-{}", place % 2);
            let about = About { command: answered(&format!("make {round} {}", place % 2)), ..about(&item, 0) };
            save(&store, about, Accepted { unique, ..accepted(0, command("make")) }).await
        })
        .await;
        assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1, "{made:?}");
        for refused in made.into_iter().filter_map(Result::err) {
            let told = matches!(refused, NotSaved::Answered { .. } | NotSaved::Taken { .. });
            assert!(told, "{refused}");
        }
    }
}

async fn the_same_items_in_any_order_move_once_for_each(ground: Ground) {
    let stores = several(&ground).await;
    for item in 0..6 {
        create(&stores[0], &format!("s{item}")).await;
    }
    // Units over two items, in opposite orders: nobody waits for ever for the other.
    at_once(&stores, |store, place| async move {
        for n in 0..20 {
            let (one, two) = (format!("s{}", (n + place) % 6), format!("s{}", (n + 5 * place + 3) % 6));
            loop {
                let mut unit = Vec::new();
                for item in BTreeSet::from([&one, &two]) {
                    let rev = store.item(item).await.expect("reads").expect("is there").rev;
                    let cause = rung((place * 100 + n) as u32);
                    unit.push(Save::new(about(item, rev), accepted(rev, cause)).expect("has a JSON form"));
                }
                if place % 2 == 1 {
                    unit.reverse();
                }
                match store.begin_save(Lane::User, unit).expect("is queued").done().await {
                    Ok(_) => break,
                    Err(failed) => assert!(matches!(failed.why, NotSaved::Moved { .. }), "{failed:?}"),
                }
            }
        }
    })
    .await;
    let mut revisions = 0;
    for item in 0..6 {
        let item = format!("s{item}");
        stores[0].check_chain(&item).await.expect("is sound");
        revisions += stores[0].item(&item).await.expect("reads").expect("is there").rev - 1;
    }
    // 20 units each, of two items or of one.
    let pairs: usize =
        (0..WRITERS).map(|place| (0..20).map(|n| if (n + place) % 6 == (n + 5 * place + 3) % 6 { 1 } else { 2 }).sum::<usize>()).sum();
    assert_eq!(revisions as usize, pairs);
}

async fn mails_and_slots_are_taken_by_one(ground: Ground) {
    let stores = several(&ground).await;
    let keys: Vec<String> = (0..40).map(|n| format!("n{n:02}")).collect();
    let notices = keys.iter().map(|key| notice("s1", key)).collect();
    save(&stores[0], about("s1", 0), Accepted { notices, ..accepted(0, command("s1")) }).await.expect("is saved");
    // Everybody bundles the same notices, each in his own way.
    let all = keys.clone();
    let stored = at_once(&stores, move |store, place| {
        let keys = all.clone();
        async move {
            let mails = keys.chunks(place + 1).map(|notices| NewMail {
                id: format!("{place}-{}", notices[0]),
                person: "li".into(),
                address: "li@example.com".into(),
                bytes: "Subject: x\r\n\r\ny\r\n".into(),
                notices: notices.to_vec(),
                links: Vec::new(),
            });
            let mails: Vec<NewMail> = mails.collect();
            let stored = store.compose(mails.clone(), at(60)).await.expect("writes");
            mails.into_iter().zip(stored).filter(|(_, stored)| *stored).flat_map(|(mail, _)| mail.notices).collect::<Vec<_>>()
        }
    })
    .await;
    let mut carried: Vec<String> = stored.into_iter().flatten().collect();
    carried.sort();
    assert_eq!(carried, keys, "each notice in one mail");

    let claimed = at_once(&stores, |store, place| async move {
        let mut claimed = Vec::new();
        loop {
            let some = store.everywhere().claim_mails(at(61), at(90), &place.to_string(), 3).await.expect("writes");
            if some.is_empty() {
                return claimed;
            }
            claimed.extend(some.into_iter().map(|mail| mail.id));
        }
    })
    .await;
    let count: usize = claimed.iter().map(Vec::len).sum();
    let ids: BTreeSet<&String> = claimed.iter().flatten().collect();
    assert!(count > 0 && ids.len() == count, "each mail by one: {claimed:?}");

    let slot = Slot { sweep: "suggestion/daily".into(), slot: "2026-03-02T16:00".into(), at: at(0) };
    let won = at_once(&stores, |store, _| {
        let slot = slot.clone();
        async move { store.claim_slot(&slot, at(1)).await.expect("writes") }
    })
    .await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    // Another process that opens the database takes nothing away from those who live.
    let other = open(&ground).await;
    assert!(other.everywhere().claim_mails(at(62), at(90), "other", 100).await.expect("writes").is_empty());
    assert_eq!(
        other.everywhere().claim_mails(at(91), at(120), "other", 100).await.expect("writes").len(),
        count,
        "their claims have run out"
    );
}

async fn what_is_due_is_worked_by_one_and_taken_over_when_it_falls_silent(ground: Ground) {
    let stores = several(&ground).await;
    for n in 0..30 {
        let item = format!("s{n:02}");
        save(&stores[0], about(&item, 0), Accepted { wake_up: Some(at(10)), ..accepted(0, command(&item)) }).await.expect("is saved");
    }
    let taken = at_once(&stores, |store, _| async move {
        let mut taken = Vec::new();
        loop {
            let some = store.everywhere().take_due(at(20), at(21), 4, &[]).await.expect("writes");
            if some.is_empty() {
                return taken;
            }
            taken.extend(some.into_iter().map(|due| due.item));
        }
    })
    .await;
    let items: BTreeSet<&String> = taken.iter().flatten().collect();
    assert_eq!((taken.iter().map(Vec::len).sum::<usize>(), items.len()), (30, 30), "each by one");
    assert_eq!(stores[0].everywhere().next_moments(at(20), &[]).await.expect("reads").wake_up, None, "nothing that nobody works");

    // The first one falls silent; another takes over, and what the first one decides then is not written.
    let (silent, other) = (&stores[0], &stores[1]);
    let first = silent.everywhere().take_due(at(21), at(22), 1, &[]).await.expect("writes").remove(0);
    assert!(other.everywhere().take_due(at(21), at(22), 100, &[]).await.expect("writes").iter().all(|due| due.item != first.item));
    let second = other
        .everywhere()
        .take_due(at(22), at(23), 100, &[])
        .await
        .expect("writes")
        .into_iter()
        .find(|due| due.item == first.item)
        .expect("is free");
    assert!(second.fence > first.fence);
    let decided = |fence| (About { fence, ..about(&first.item, 1) }, accepted(1, rung(1)));
    let (about_it, late) = decided(first.fence);
    let refused = save(silent, about_it, late).await;
    assert!(matches!(refused, Err(NotSaved::Moved { rev: 1 })), "{refused:?}");
    assert!(!silent.quarantine(&first.item, None, first.fence, "a rule failed", at(30), at(10)).await.expect("writes"));
    let (about_it, in_time) = decided(second.fence);
    save(other, about_it, in_time).await.expect("is saved");
    assert_eq!(other.item(&first.item).await.expect("reads").expect("is there").facts.len(), 2);

    // A sweep that a process left in the middle goes on elsewhere.
    let slot = Slot { sweep: "suggestion/daily".into(), slot: "2026-03-02T16:00".into(), at: at(0) };
    assert!(silent.claim_slot(&slot, at(0)).await.expect("writes"));
    assert!(silent.renew_slot(&slot, at(5)).await.expect("writes"));
    assert!(other.everywhere().take_open_slots(at(4), at(14), 10, &[]).await.expect("writes").is_empty());
    assert_eq!(other.everywhere().take_open_slots(at(5), at(15), 10, &[]).await.expect("writes"), [(LOCAL.into(), slot.clone())]);
    assert!(silent.everywhere().take_open_slots(at(5), at(15), 10, &[]).await.expect("writes").is_empty());
    other.finish_slot(&slot, at(16)).await.expect("writes");
    assert!(!silent.renew_slot(&slot, at(17)).await.expect("writes"), "it is done");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_writes_the_others_hear() {
    let ground = Ground::server().await;
    let stores = several(&ground).await;
    let mut news = stores[1].news().expect("others write");
    let heard = tokio::spawn(async move {
        let heard = news.heard().await;
        (news, heard)
    });
    // Until it listens it hears nothing: what it misses, it finds at its next look.
    let mut n = 0;
    while !heard.is_finished() {
        create(&stores[0], &format!("s{n}")).await;
        n += 1;
        assert!(n < 2_000, "it never hears");
    }
    let (mut news, first) = heard.await.expect("ends well");
    first.expect("hears");
    // Its own writing is no news to it.
    create(&stores[1], "own").await;
    let again = tokio::spawn(async move { news.heard().await });
    create(&stores[2], "other").await;
    let again = tokio::time::timeout(std::time::Duration::from_secs(60), again).await.expect("it never hears");
    again.expect("ends well").expect("hears");
    assert!(open(&Ground::file()).await.news().is_none(), "nobody else writes to a file");
}
