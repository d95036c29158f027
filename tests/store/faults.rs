//! A full disk: nothing is stored in halves, nobody is told what is not true, and the store can be used afterwards.

use super::*;

#[tokio::test]
async fn a_full_disk_fails_the_group_and_nothing_more() {
    let ground = Ground::file();
    let path = ground.path();
    let opening = Opening { new_instance: "office".into(), page_limit: Some(140), throwaway: false };
    let store = Store::open(&path, opening, at(0)).await.expect("opens");
    store.set_meta("note", "before").await.expect("writes");
    let mut stored = 0;
    let full = loop {
        let large = About { caches: Caches { search: "x".repeat(20_000), ..Caches::default() }, ..about(&format!("s{stored}"), 0) };
        match save(&store, large, accepted(0, command("c"))).await {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 1_000, "the limit holds");
    };
    assert_eq!(full.to_string(), "nothing was stored: the disk is full");
    assert!(stored > 0);
    // Nobody else is locked out by what failed, and the writer works on: these need no room.
    ground.tamper("update meta set value = value || '!' where name = 'note'").await;
    assert_eq!(store.meta("note").await.expect("reads").as_deref(), Some("before!"));
    store.set_meta("note", "behind").await.expect("writes");
    assert_eq!(store.count_open().await.expect("reads"), stored);
    assert!(store.item(&format!("s{stored}")).await.expect("reads").is_none());
    store.close().await;

    // With room again, everything goes on.
    let store = open(&ground).await;
    create(&store, &format!("s{stored}")).await;
    for item in 0..=stored {
        store.check_chain(&format!("s{item}")).await.expect("is sound");
    }
}

#[tokio::test]
async fn a_group_that_meets_a_full_disk_leaves_nothing_half() {
    let ground = Ground::file();
    let opening = Opening { new_instance: "office".into(), page_limit: Some(140), throwaway: false };
    let store = Store::open(ground.path(), opening, at(0)).await.expect("opens");
    let save = |item: usize, length: usize| {
        let caches = Caches { search: "x".repeat(length), ..Caches::default() };
        let accepted = Accepted { notices: vec![notice(&format!("s{item}"), &format!("n{item}"))], ..accepted(0, command("c")) };
        Save::new(About { caches, ..about(&format!("s{item}"), 0) }, accepted).expect("has a JSON form")
    };
    let waiting: Vec<_> = (0..20)
        .map(|item| store.begin_save(Lane::User, vec![save(item, if item == 19 { 400_000 } else { 10 })]).expect("is queued"))
        .collect();
    let mut stored = 0;
    for mut saving in waiting {
        match saving.done().await {
            Ok(_) => stored += 1,
            Err(failed) => assert!(failed.why.to_string().contains("the disk is full"), "{failed:?}"),
        }
    }
    assert_eq!(store.count_open().await.expect("reads"), stored, "what was not acknowledged is not there");
    let notices: u64 = store.count_notices().await.expect("reads").iter().map(|count| count.count).sum();
    assert_eq!(notices, stored);
    store.begin_save(Lane::User, vec![save(30, 10)]).expect("is queued").done().await.expect("is saved");
}
