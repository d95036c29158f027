//! The line to a PostgreSQL server is cut within the words that begin a transaction, write, commit and claim, and within their answers: who
//! was told that it is done finds it, nobody is told that nothing was stored when it may have been, and no line is used in a bad state.
//!
//! `DUBAN_CUTS` asks for more places than the short run has.

use super::*;
use crate::support::line::{Cut, Line};
use crate::support::office::setting;
use std::collections::BTreeSet;

const CUTS: u64 = 6;

/// So many places within the first bytes that are asked, and within the first that are answered.
fn within(asked: usize, answered: usize) -> Vec<Cut> {
    let places = |bytes: usize| {
        let wanted = (setting("DUBAN_CUTS", CUTS) as usize).clamp(2, bytes);
        (0..wanted).map(move |place| place * (bytes - 1) / (wanted - 1))
    };
    places(asked).map(Cut::Asked).chain(places(answered).map(Cut::Answered)).collect()
}

/// The text of a statement as a server gets it.
fn as_asked(name: &str) -> String {
    let (_, text) = duban::store::statements::ALL.iter().find(|(each, _)| *each == name).expect(name);
    duban::store::numbered(&duban::store::translated(text))
}

async fn over_a_line() -> (Line, Store) {
    let Ground::Server(url) = Ground::server().await else { unreachable!("a server") };
    let line = Line::to(&url).await;
    let store = open(&Ground::Server(line.url())).await;
    create(&store, "first").await;
    (line, store)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_is_cut_off_is_done_once_and_told_as_it_is() {
    let (line, store) = over_a_line().await;
    let (mut acknowledged, mut doubts, mut stored_after_all, mut cuts) = (Vec::new(), 0, 0, 0);
    for (statement, asked, answered_in) in
        [("begin".to_string(), 230, 60), (as_asked("SAVE_ITEMS"), 400, 40), ("commit".to_string(), 14, 20)]
    {
        for cut in within(asked, answered_in) {
            let item = format!("{} {cut:?}", statement.split(' ').next().unwrap_or_default());
            let ask = || save(&store, About { command: answered(&item), ..about(&item, 0) }, accepted(0, command(&item)));
            let picked = statement.clone();
            line.cut(move |text| text.starts_with(&picked), cut);
            match ask().await {
                Ok(_) => {}
                Err(NotSaved::Store(StoreError::Unknown(_))) => {
                    // All that was written before arrived; only of a commit it may be unknown what it did.
                    assert!(statement == "commit" || matches!(cut, Cut::Asked(_)), "{item}: nothing of it can be stored");
                    doubts += 1;
                    match ask().await {
                        Ok(_) => {}
                        Err(NotSaved::Answered { .. }) => stored_after_all += 1,
                        Err(other) => panic!("{item}: {other}"),
                    }
                }
                Err(other) => panic!("{item}: {other}"),
            }
            acknowledged.push(item);
            cuts += usize::from(!line.is_left_whole());
        }
    }
    println!("{cuts} cuts, {doubts} doubts, {stored_after_all} of them stored");
    assert!(cuts == line.cuts() && cuts == acknowledged.len(), "each was cut");
    assert!(doubts > 0 && stored_after_all > 0 && stored_after_all < doubts);
    for item in &acknowledged {
        store.check_chain(item).await.expect("was acknowledged");
        assert_eq!(store.item(item).await.expect("reads").expect("is there").facts.len(), 1, "{item}");
    }
    assert_eq!(store.count_open().await.expect("reads"), 1 + acknowledged.len() as u64);
    assert_eq!(line.out_of_place(), Vec::<String>::new());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_is_cut_off_is_taken_by_nobody_twice_and_comes_again() {
    let (line, store) = over_a_line().await;
    let items: Vec<String> = (0..3).map(|n| format!("s{n}")).collect();
    for item in &items {
        save(&store, about(item, 0), Accepted { wake_up: Some(at(1)), ..accepted(0, command(item)) }).await.expect("is saved");
    }
    let (mut minute, mut taken, mut doubts) = (10, BTreeSet::new(), 0);
    for (statement, asked, answered_in) in [(as_asked("WAKE_TAKE"), 120, 200), ("commit".to_string(), 14, 20)] {
        for cut in within(asked, answered_in) {
            let picked = statement.clone();
            line.cut(move |text| text.starts_with(&picked), cut);
            // The server may hold what was cut off for a moment longer, and another connection does not wait for it.
            let mut looks = 0..1_000;
            let (mut tried, mut came) = (0, false);
            while tried < 2 || !came {
                looks.next().unwrap_or_else(|| panic!("{cut:?}: they never come again"));
                tried += 1;
                // The lease of the try before has run out.
                minute += 2;
                match store.everywhere().take_due(at(minute), at(minute + 1), 10, &[]).await {
                    Ok(due) => {
                        came = due.len() == items.len();
                        for due in due {
                            assert!(taken.insert((due.item.clone(), due.fence)), "{cut:?}: {} was taken under this number", due.item);
                        }
                    }
                    Err(StoreError::Unknown(_)) => doubts += 1,
                    Err(other) => panic!("{cut:?}: {other}"),
                }
            }
            assert!(!line.is_left_whole(), "{cut:?}");
        }
    }
    assert!(doubts > 0);
    assert_eq!(line.out_of_place(), Vec::<String>::new());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_question_that_is_cut_off_spoils_no_other() {
    let (line, store) = over_a_line().await;
    let facts_of = async |item: &'static str| store.item(item).await.map(|found| found.map(|found| found.facts));
    let first = facts_of("first").await.expect("reads");
    let mut failed = 0;
    for cut in within(60, 300) {
        line.cut(|text| text.contains("fact"), cut);
        match facts_of("first").await {
            Ok(found) => assert_eq!(found, first, "{cut:?}"),
            Err(_) => failed += 1,
        }
        assert_eq!(facts_of("first").await.expect("reads"), first, "{cut:?}");
        assert_eq!(facts_of("second").await.expect("reads"), None, "{cut:?}");
    }
    assert!(failed > 0 && line.cuts() > 0);
    store.close().await;
}
