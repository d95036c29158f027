//! What other programs are told: written with its fact, claimed by one, and done, put off or parked. The same over every store.

use super::*;
use duban::kernel::model::event::{Event, EventKind};
use duban::store::audit::Entry;
use duban::store::webhooks::{End, Key, Outcome as Told, Webhook};

stories!(
    what_is_wanted_is_written_with_its_fact_and_nothing_else,
    what_is_claimed_is_one_processs_until_its_claim_ends,
    who_does_not_answer_waits_and_a_person_lets_go,
    one_that_is_stopped_or_removed_is_told_nothing,
    a_restored_database_calls_nobody,
);

fn entry(minutes: i64, what: &str) -> Entry {
    Entry::new(at(minutes), None, what, "{}".into(), None)
}

fn webhook(id: &str, events: &[&str]) -> Webhook {
    let events = events.iter().map(|event| event.to_string()).collect();
    let (url, secret) = (format!("https://{id}.example.org/hook"), "whsec_x".to_string());
    Webhook { id: id.into(), url, secret, events, made_by: Some("admin".into()), made_at: at(0), stopped_at: None }
}

async fn put(store: &Store, id: &str, events: &[&str]) {
    store.put_webhook(webhook(id, events), entry(0, "webhook_made")).await.expect("writes");
}

fn event(item: &str, fact: u64, kind: EventKind, name: &str) -> Event {
    let (on, at) = ("2026-03-02".parse().expect("a day"), at(fact as i64));
    Event { kind, item: item.into(), workflow: "suggestion".into(), fact, name: name.into(), branch: None, on, at, state: "open".into() }
}

/// One fact, and what is told of it.
async fn happens(store: &Store, item: &str, rev: u64, events: Vec<Event>) -> Result<Saved, NotSaved> {
    let cause = command(&format!("c{rev}"));
    save(store, About { events, ..about(item, rev) }, accepted(rev, cause)).await
}

/// Webhook, item, fact and kind of all that there is, in their order.
async fn all(store: &Store) -> Vec<String> {
    let mut all: Vec<String> = store.deliveries(None, 100).await.expect("reads").into_iter().map(|row| shown(&row.key)).collect();
    all.sort();
    all
}

fn shown(key: &Key) -> String {
    format!("{} {} {} {}", key.webhook, key.item, key.seq, key.kind)
}

async fn status(store: &Store) -> Vec<(String, u64)> {
    store
        .count_deliveries()
        .await
        .expect("reads")
        .into_iter()
        .map(|((webhook, status), count)| (format!("{webhook} {status}"), count))
        .collect()
}

async fn what_is_wanted_is_written_with_its_fact_and_nothing_else(ground: Ground) {
    let store = open(&ground).await;
    let west = store.of("west");
    put(&store, "every", &["*", "suggestion", "suggestion/reply"]).await;
    put(&store, "replies", &["suggestion/reply"]).await;
    put(&store, "late", &["deadline-passed"]).await;
    put(&store, "other", &["topic", "topic/reply", "topic/deadline-passed"]).await;
    put(&west, "every", &["*"]).await;
    let fact = |fact, name| event("s1", fact, EventKind::Fact, name);
    happens(&store, "s1", 0, vec![fact(1, "submit")]).await.expect("is saved");
    happens(&store, "s1", 1, vec![fact(2, "reply"), event("s1", 2, EventKind::DeadlinePassed, "reply")]).await.expect("is saved");
    happens(&store, "s2", 0, Vec::new()).await.expect("is saved");
    assert!(happens(&store, "s1", 1, vec![fact(2, "reply")]).await.is_err(), "decided on what is no more");
    let wanted = ["every s1 1 fact", "every s1 2 deadline-passed", "every s1 2 fact", "late s1 2 deadline-passed", "replies s1 2 fact"];
    assert_eq!(all(&store).await, wanted, "each once, however often it is asked for");
    assert!(all(&west).await.is_empty());
    let rows = store.deliveries(Some("ready"), 100).await.expect("reads");
    assert_eq!((rows.len(), rows[0].attempts, rows[0].next_try, rows[0].created_at), (5, 0, Some(at(1)), at(1)));
    assert_eq!(rows.iter().find(|row| row.key.webhook == "replies").expect("is there").event, fact(2, "reply"));
    assert_eq!(store.everywhere().next_delivery().await.expect("reads"), Some(at(0)));
    // Changed, it keeps its place and wants other things.
    put(&store, "late", &["suggestion/deadline-passed", "topic"]).await;
    let events: Vec<_> = store.webhooks().await.expect("reads").into_iter().map(|known| (known.id, known.events)).collect();
    assert_eq!(events[1], ("late".into(), vec!["suggestion/deadline-passed".to_string(), "topic".into()]));
    happens(&store, "s2", 1, vec![event("s2", 2, EventKind::DeadlinePassed, "reply")]).await.expect("is saved");
    assert!(all(&store).await.contains(&"late s2 2 deadline-passed".to_string()));
}

async fn what_is_claimed_is_one_processs_until_its_claim_ends(ground: Ground) {
    let store = open(&ground).await;
    put(&store, "w", &["*"]).await;
    for n in 0..3 {
        happens(&store, &format!("s{n}"), 0, vec![event(&format!("s{n}"), 1, EventKind::Fact, "submit")]).await.expect("is saved");
    }
    let claim = async |now: i64, limit: u32| store.everywhere().claim_deliveries(at(now), at(now + 2), limit).await.expect("writes");
    let first = claim(1, 2).await;
    assert_eq!(first.iter().map(|one| (one.key.item.as_str(), one.attempts, one.fence)).collect::<Vec<_>>(), [("s0", 1, 1), ("s1", 1, 1)]);
    assert_eq!(claim(1, 9).await.len(), 1, "the rest");
    assert_eq!(claim(2, 9).await.len(), 0);
    let again = claim(3, 9).await;
    assert_eq!(again.iter().map(|one| one.fence).collect::<Vec<_>>(), [2, 2, 2], "its holder did not come back");
    let ended = |one: &duban::store::webhooks::Claimed, end| Told {
        jurisdiction: one.jurisdiction.clone(),
        key: one.key.clone(),
        fence: one.fence,
        end,
        reply: "200".into(),
    };
    let finish = async |outcomes: Vec<Told>| store.everywhere().finish_deliveries(outcomes, at(4)).await.expect("writes");
    assert_eq!(
        finish(vec![ended(&first[0], End::Parked), ended(&again[0], End::Done)]).await,
        [false, true],
        "who came late counts for nothing"
    );
    assert_eq!(finish(vec![ended(&again[0], End::Parked)]).await, [false], "it has ended");
    assert_eq!(status(&store).await, [("w claimed".into(), 2), ("w done".into(), 1)]);
    let done = store.deliveries(Some("done"), 9).await.expect("reads");
    assert_eq!((done[0].ended_at, done[0].reply.as_deref(), done[0].next_try), (Some(at(4)), Some("200"), None));
    // A file has one process: whatever it had claimed is free when it is opened again. Of several, the claim ends by itself.
    store.close().await;
    let store = ground.open(Opening::default(), at(4)).await.expect("opens");
    let free = store.everywhere().claim_deliveries(at(4), at(6), 9).await.expect("writes");
    assert_eq!(free.len(), if ground.is_shared() { 0 } else { 2 });
    store.everywhere().forget_deliveries(at(4)).await.expect("writes");
    assert_eq!(store.deliveries(Some("done"), 9).await.expect("reads").len(), 1, "not before");
    store.everywhere().forget_deliveries(at(5)).await.expect("writes");
    assert!(store.deliveries(Some("done"), 9).await.expect("reads").is_empty());
}

async fn who_does_not_answer_waits_and_a_person_lets_go(ground: Ground) {
    let store = open(&ground).await;
    put(&store, "w", &["*"]).await;
    put(&store, "v", &["*"]).await;
    for n in 0..2 {
        happens(&store, &format!("s{n}"), 0, vec![event(&format!("s{n}"), 1, EventKind::Fact, "submit")]).await.expect("is saved");
    }
    let claimed = store.everywhere().claim_deliveries(at(1), at(3), 1).await.expect("writes").remove(0);
    let told =
        |end| Told { jurisdiction: claimed.jurisdiction.clone(), key: claimed.key.clone(), fence: claimed.fence, end, reply: "503".into() };
    assert_eq!(store.everywhere().finish_deliveries(vec![told(End::Later(at(10)))], at(1)).await.expect("writes"), [true]);
    let waits = store.everywhere().claim_deliveries(at(9), at(11), 9).await.expect("writes");
    assert!(waits.len() == 2 && waits.iter().all(|one| one.key.webhook != claimed.key.webhook), "all that waits for it: {waits:?}");
    let late = store.everywhere().claim_deliveries(at(10), at(12), 9).await.expect("writes");
    assert_eq!(late.len(), 2);
    let parked: Vec<Told> = late
        .iter()
        .map(|one| Told {
            jurisdiction: one.jurisdiction.clone(),
            key: one.key.clone(),
            fence: one.fence,
            end: End::Parked,
            reply: "503".into(),
        })
        .collect();
    assert_eq!(store.everywhere().finish_deliveries(parked, at(10)).await.expect("writes"), [true, true]);
    let webhook = claimed.key.webhook.as_str();
    let one = Some(claimed.key.clone());
    let parked = async |only: Option<&str>| store.everywhere().parked_deliveries(only).await.expect("reads");
    assert_eq!((parked(None).await.count, parked(Some("west")).await.count), (2, 0));
    assert_eq!(parked(Some(LOCAL)).await.oldest, Some(at(0)));
    assert_eq!(store.let_go_deliveries(webhook, one, false, at(20)).await.expect("writes"), 1);
    assert_eq!(store.let_go_deliveries(webhook, None, true, at(20)).await.expect("writes"), 2, "what waits, and what is parked");
    let rows = store.deliveries(Some("cancelled"), 9).await.expect("reads");
    assert!(rows.len() == 2 && rows.iter().all(|row| row.ended_at == Some(at(20)) && row.next_try.is_none()), "{rows:?}");
    assert_eq!(store.let_go_deliveries(webhook, None, false, at(21)).await.expect("writes"), 0, "what was given up stays so");
}

async fn one_that_is_stopped_or_removed_is_told_nothing(ground: Ground) {
    let store = open(&ground).await;
    put(&store, "w", &["*"]).await;
    let submit = |item: &str| vec![event(item, 1, EventKind::Fact, "submit")];
    happens(&store, "s1", 0, submit("s1")).await.expect("is saved");
    let stop = async |stop: bool| store.stop_webhook("w", stop, entry(5, "webhook_stopped")).await.expect("writes");
    assert!(stop(true).await && !stop(true).await, "once");
    assert!(!store.stop_webhook("none", true, entry(5, "webhook_stopped")).await.expect("writes"));
    assert_eq!(status(&store).await, [("w parked".into(), 1)]);
    happens(&store, "s2", 0, submit("s2")).await.expect("is saved");
    assert_eq!(all(&store).await, ["w s1 1 fact"]);
    assert_eq!(store.let_go_deliveries("w", None, false, at(6)).await.expect("writes"), 0, "not while it is stopped");
    // What the settings say again does not start what a person has stopped.
    put(&store, "w", &["suggestion"]).await;
    assert_eq!(store.webhooks().await.expect("reads")[0].stopped_at, Some(at(5)));
    assert!(stop(false).await && !stop(false).await);
    assert_eq!(store.let_go_deliveries("w", None, false, at(6)).await.expect("writes"), 1);
    happens(&store, "s3", 0, submit("s3")).await.expect("is saved");
    let remove = async || store.drop_webhook("w", entry(7, "webhook_removed")).await.expect("writes");
    assert!(remove().await && !remove().await);
    assert_eq!(status(&store).await, [("w cancelled".into(), 2)]);
    happens(&store, "s4", 0, submit("s4")).await.expect("is saved");
    assert_eq!((store.webhooks().await.expect("reads").len(), all(&store).await.len()), (0, 2));
    assert_eq!(store.everywhere().next_delivery().await.expect("reads"), None);
}

async fn a_restored_database_calls_nobody(ground: Ground) {
    let store = open(&ground).await;
    put(&store, "w", &["*"]).await;
    happens(&store, "s1", 0, vec![event("s1", 1, EventKind::Fact, "submit")]).await.expect("is saved");
    store.mark_restored("copy", at(9)).await.expect("writes");
    happens(&store, "s2", 0, vec![event("s2", 1, EventKind::Fact, "submit")]).await.expect("is saved");
    assert_eq!((status(&store).await, store.webhooks().await.expect("reads")[0].stopped_at), (vec![("w parked".into(), 1)], Some(at(9))));
    assert!(store.everywhere().claim_deliveries(at(100), at(102), 9).await.expect("writes").is_empty());
}
