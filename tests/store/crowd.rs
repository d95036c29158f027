//! Many callers at once: waiting commands share a commit, and a bad one among them harms nobody.

use super::*;

stories!(
    the_same_item_from_many_sides_moves_once_for_each,
    what_is_queued_on_one_item_keeps_its_order,
    a_decision_that_cannot_be_written_leaves_its_neighbours_alone,
    what_waits_when_the_store_closes_is_finished,
);
database_stories!(waiting_commands_share_a_commit);

async fn waiting_commands_share_a_commit(ground: Ground) {
    let store = open(&ground).await;
    for item in 0..64 {
        create(&store, &format!("s{item}")).await;
    }
    let before = store.counts();
    let mut callers = tokio::task::JoinSet::new();
    for item in 0..64 {
        let store = store.clone();
        callers.spawn(async move {
            for rev in 1..=20u64 {
                let accepted = Accepted { wake_up: Some(at(rev as i64)), ..accepted(rev, rung(rev as u32)) };
                let about = About { command: answered(&format!("{item} {rev}")), ..about(&format!("s{item}"), rev) };
                save(&store, about, accepted).await.expect("is saved");
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("ends well");
    }
    let after = store.counts();
    let (commands, commits) = (after.commands - before.commands, after.commits - before.commits);
    assert_eq!(commands, 64 * 20);
    assert!(commits * 10 <= commands, "{commits} commits for {commands} commands");
    let statements = after.statements - before.statements;
    assert!(statements < commands * 2, "{statements} statements for {commands} commands");
    for item in 0..64 {
        store.check_chain(&format!("s{item}")).await.expect("is sound");
    }
}

async fn the_same_item_from_many_sides_moves_once_for_each(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    let mut callers = tokio::task::JoinSet::new();
    for caller in 0..16u32 {
        let store = store.clone();
        callers.spawn(async move {
            let mut rev = 1;
            loop {
                match save(&store, about("s1", rev), accepted(rev, rung(caller))).await {
                    Ok(_) => return,
                    Err(NotSaved::Moved { rev: now }) => rev = now,
                    Err(other) => panic!("{other}"),
                }
            }
        });
    }
    while let Some(caller) = callers.join_next().await {
        caller.expect("ends well");
    }
    assert_eq!(store.item("s1").await.expect("reads").expect("is there").rev, 17);
    store.check_chain("s1").await.expect("is sound");
}

/// Each decision stands on the one before it, which is still on its way: whichever connection writes it, it comes after that one.
async fn what_is_queued_on_one_item_keeps_its_order(ground: Ground) {
    let store = open(&ground).await;
    for item in 0..40 {
        create(&store, &format!("s{item}")).await;
    }
    let mut waiting = Vec::new();
    for rev in 1..=10u64 {
        for item in 0..40 {
            let save = Save::new(about(&format!("s{item}"), rev), accepted(rev, rung(rev as u32))).expect("has a JSON form");
            waiting.push(store.begin_save(Lane::User, vec![save]).expect("is queued"));
        }
        // Some are on their way by now.
        tokio::task::yield_now().await;
    }
    for mut saving in waiting {
        saving.done().await.expect("is saved");
    }
    for item in 0..40 {
        assert_eq!(store.item(&format!("s{item}")).await.expect("reads").expect("is there").rev, 11);
        store.check_chain(&format!("s{item}")).await.expect("is sound");
    }
}

async fn a_decision_that_cannot_be_written_leaves_its_neighbours_alone(ground: Ground) {
    let store = open(&ground).await;
    create(&store, "s1").await;
    // A notice of an item that does not exist is refused by the database itself, in the middle of the group.
    let bad = Accepted { notices: vec![notice("nowhere", "n1")], ..accepted(1, rung(1)) };
    let (good, bad, other) = tokio::join!(
        save(&store, about("s2", 0), accepted(0, command("s2"))),
        save(&store, about("s1", 1), bad),
        store.set_meta("a", "b"),
    );
    good.expect("is saved");
    other.expect("is written");
    assert!(matches!(&bad, Err(NotSaved::Store(StoreError::NotDone(_)))), "{bad:?}");
    assert_eq!(store.item("s1").await.expect("reads").expect("is there").rev, 1);
    assert_eq!(store.meta("a").await.expect("reads").as_deref(), Some("b"));
    store.check_chain("s1").await.expect("is sound");
}

async fn what_waits_when_the_store_closes_is_finished(ground: Ground) {
    let store = open(&ground).await;
    let save = |item: usize| Save::new(about(&format!("s{item}"), 0), accepted(0, command("c"))).expect("has a JSON form");
    let waiting: Vec<_> = (0..600).map(|item| store.begin_save(Lane::User, vec![save(item)]).expect("is queued")).collect();
    store.close().await;
    for mut saving in waiting {
        saving.done().await.expect("was finished");
    }
    let store = open(&ground).await;
    assert_eq!(store.count_open().await.expect("reads"), 600);
}
