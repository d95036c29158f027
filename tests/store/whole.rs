//! Whole or not at all, and told as it is: one statement is made to fail on purpose, or the commit; a caller goes away; more wait than
//! there is room for.

use super::*;
use crate::support::postgres::run;

stories!(what_was_queued_is_written_though_nobody_waits_for_it,);

/// A decision that writes into every table that a decision can write into.
fn everything(store: &str) -> Save {
    let item = store.to_string();
    let accepted = Accepted {
        notices: vec![notice(&item, &format!("n {item}"))],
        numbers: vec![Number { counter: format!("of {item}"), from: 0, to: 1 }],
        unique: vec![("number".into(), Value::text(&item))],
        ..accepted(0, command(&item))
    };
    Save::new(About { command: answered(&item), ..about(&item, 0) }, accepted).expect("has a JSON form")
}

#[tokio::test]
async fn a_statement_that_fails_takes_the_whole_decision_with_it() {
    let ground = Ground::file();
    let store = open(&ground).await;
    for refuse in [
        "create trigger refused before insert on item begin select raise(abort, 'refused'); end",
        "create trigger refused before insert on fact begin select raise(abort, 'refused'); end",
        "create trigger refused before insert on notice begin select raise(abort, 'refused'); end",
        "create trigger refused before insert on command begin select raise(abort, 'refused'); end",
        "create trigger refused before insert on counter begin select raise(abort, 'refused'); end",
        "create trigger refused before insert on unique_value begin select raise(abort, 'refused'); end",
    ] {
        ground.tamper(refuse).await;
        let told = store.save(Lane::User, everything("s1")).await.expect_err(refuse);
        assert!(matches!(told, NotSaved::Store(StoreError::NotDone(_))), "{refuse}: {told}");
        assert!(store.item("s1").await.expect("reads").is_none(), "{refuse}");
        assert_eq!(store.notices_of("s1").await.expect("reads"), [], "{refuse}");
        assert_eq!(store.answered_in_order("s1", "zhang", "s1").await.expect("reads"), None, "{refuse}");
        assert_eq!(store.counter("of s1").await.expect("reads"), 0, "{refuse}");
        ground.tamper("drop trigger refused").await;
    }
    store.save(Lane::User, everything("s1")).await.expect("is saved once nothing refuses it");
    store.check_chain("s1").await.expect("is sound");
    assert_eq!((store.notices_of("s1").await.expect("reads").len(), store.counter("of s1").await.expect("reads")), (1, 1));
}

/// Nobody knows what became of a commit that came back with an error: that is what is said, and the same command again finds out.
#[tokio::test]
async fn a_commit_that_fails_is_told_as_unknown_and_asked_again() {
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let store = open(&ground).await;
    run(url, "create function refuse() returns trigger language plpgsql as $$ begin raise exception 'refused'; end $$").await;
    run(url, "create constraint trigger refused after insert on fact deferrable initially deferred for each row execute function refuse()")
        .await;
    let told = store.save(Lane::User, everything("s1")).await.expect_err("its commit is refused");
    assert!(matches!(told, NotSaved::Store(StoreError::Unknown(_))), "{told}");
    assert!(store.item("s1").await.expect("reads").is_none());
    run(url, "drop trigger refused on fact").await;
    store.save(Lane::User, everything("s1")).await.expect("is saved");
    let again = store.save(Lane::User, everything("s1")).await.expect_err("was answered");
    assert!(matches!(again, NotSaved::Answered { .. }), "{again}");
}

/// A server that has no room while it commits has taken everything back, and says so.
#[tokio::test]
async fn a_commit_for_which_a_server_has_no_room_is_told_as_not_stored() {
    let ground = Ground::server().await;
    let Ground::Server(url) = &ground else { unreachable!("a server") };
    let store = open(&ground).await;
    let refuse = "create function refuse() returns trigger language plpgsql as
        $$ begin raise exception 'no room' using errcode = 'disk_full'; end $$";
    run(url, refuse).await;
    run(url, "create constraint trigger refused after insert on fact deferrable initially deferred for each row execute function refuse()")
        .await;
    let told = store.save(Lane::User, everything("s1")).await.expect_err("its commit is refused");
    assert_eq!(told.to_string(), "nothing was stored: the server's disk is full");
    run(url, "drop trigger refused on fact").await;
    store.save(Lane::User, everything("s1")).await.expect("nothing of it was there");
}

/// A person closes the page, a request runs into its time limit: what is under way is brought to its end.
async fn what_was_queued_is_written_though_nobody_waits_for_it(ground: Ground) {
    let store = open(&ground).await;
    // While the first is written the others wait, and nobody for them.
    let items: Vec<String> = (0..20).map(|n| format!("s{n}")).collect();
    for item in &items {
        let about = About { command: answered(item), ..about(item, 0) };
        let save = Save::new(about, accepted(0, command(item))).expect("has a JSON form");
        drop(store.begin_save(Lane::User, vec![save]).expect("is queued"));
    }
    for item in &items {
        // The question keeps its place behind it.
        assert!(store.answered_in_order(item, "zhang", item).await.expect("reads").is_some(), "{item}");
        store.check_chain(item).await.expect("it came before");
    }
}

#[tokio::test]
async fn more_than_there_is_room_for_are_turned_away_and_lose_nothing() {
    const ROOM: usize = 4096;
    let ground = Ground::file();
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: true };
    let store = Store::open(ground.place(), opening, at(0)).await.expect("opens");
    let save = |item: usize| Save::new(about(&format!("s{item}"), 0), accepted(0, command("c"))).expect("has a JSON form");
    // Nothing is written while this task holds the thread.
    let waiting: Vec<_> = (0..ROOM).map(|item| store.begin_save(Lane::User, vec![save(item)]).expect("is queued")).collect();
    let turned_away = store.begin_save(Lane::User, vec![save(ROOM)]).expect_err("there is no room");
    assert!(matches!(turned_away, NotSaved::Store(StoreError::Busy)), "{turned_away}");
    for mut saving in waiting {
        saving.done().await.expect("is saved");
    }
    assert_eq!(store.count_open().await.expect("reads"), ROOM as u64);
    create(&store, &format!("s{ROOM}")).await;
}
