//! The trail of accounts is a chain: whoever changes, drops or slips in a row is found out; many who write at once do not break it; what was
//! there before is taken in.

use super::*;
use duban::store::audit::Entry;

database_stories!(a_changed_removed_or_added_entry_shows_in_the_trail, entries_from_before_are_taken_in);
stories_of_many!(many_who_write_at_once_make_one_chain);

fn entry(minutes: i64, what: &str) -> Entry {
    Entry::new(at(minutes), Some("zhang"), what, r#"{"how":"x"}"#.into(), Some("10.0.0.1"))
}

async fn a_changed_removed_or_added_entry_shows_in_the_trail(ground: Ground) {
    let store = open(&ground).await;
    let east = store.of("east");
    for n in 0..4 {
        east.audit(vec![entry(n, "a"), entry(n, "b")]).await.expect("writes");
    }
    store.of("west").audit(vec![entry(9, "elsewhere")]).await.expect("writes");
    assert_eq!(east.check_audit().await.expect("is sound"), 8);
    assert_eq!((store.of("west").check_audit().await.expect("is sound"), store.of("north").check_audit().await.expect("is empty")), (1, 0));
    let tampering = [
        (
            "update audit set person = 'li' where jurisdiction = 'east' and seq = 3",
            "update audit set person = 'zhang' where jurisdiction = 'east' and seq = 3",
            "entry 3 of the audit trail was changed",
        ),
        (
            "update audit set at = at + 1 where jurisdiction = 'east' and seq = 8",
            "update audit set at = at - 1 where jurisdiction = 'east' and seq = 8",
            "entry 8 of the audit trail was changed",
        ),
        (
            "update audit set seq = 100 where jurisdiction = 'east' and seq = 4",
            "update audit set seq = 4 where jurisdiction = 'east' and seq = 100",
            "entry 4 of the audit trail is missing",
        ),
        (
            "insert into audit (jurisdiction, id, at, what, about) values ('east', 'x', 0, 'slipped in', '{}')",
            "delete from audit where id = 'x'",
            "1 entries of the audit trail have no place in its chain",
        ),
        (
            "update audit_head set seq = 9 where jurisdiction = 'east'",
            "update audit_head set seq = 8 where jurisdiction = 'east'",
            "entry 9 of the audit trail is missing",
        ),
        ("delete from audit where jurisdiction = 'east' and seq = 8", "", "entry 8 of the audit trail is missing"),
    ];
    for (does, undoes, told) in tampering {
        ground.tamper(does).await;
        let found = east.check_audit().await;
        assert!(matches!(&found, Err(StoreError::Damaged(what)) if what == told), "{does}: {found:?}");
        assert!(store.of("west").check_audit().await.is_ok());
        if !undoes.is_empty() {
            ground.tamper(undoes).await;
            assert_eq!(east.check_audit().await.expect("is sound again"), 8, "{undoes}");
        }
    }
}

async fn entries_from_before_are_taken_in(ground: Ground) {
    ground.tamper("create table schema_version (version bigint not null primary key, applied_at bigint not null)").await;
    let migrations = [
        include_str!("../../engine/store/migrations/0001_first.sql"),
        include_str!("../../engine/store/migrations/0002_leases.sql"),
        include_str!("../../engine/store/migrations/0003_jurisdictions.sql"),
        include_str!("../../engine/store/migrations/0004_first_try.sql"),
        include_str!("../../engine/store/migrations/0005_waiting.sql"),
        include_str!("../../engine/store/migrations/0006_everywhere.sql"),
        include_str!("../../engine/store/migrations/0007_recorded.sql"),
        include_str!("../../engine/store/migrations/0008_set_aside.sql"),
        include_str!("../../engine/store/migrations/0009_publish.sql"),
        include_str!("../../engine/store/migrations/0010_brake.sql"),
        include_str!("../../engine/store/migrations/0011_accounts.sql"),
    ];
    for migration in migrations {
        ground.tamper(migration).await;
    }
    ground
        .tamper(
            "insert into schema_version (version, applied_at) values (1, 0), (2, 0), (3, 0), (4, 0), (5, 0), (6, 0), (7, 0), (8, 0), (9, 0), (10, 0), (11, 0);
            insert into audit (jurisdiction, id, at, person, what, about, source) values
                ('east', '1', 10, 'zhang', 'invited', '{}', null), ('east', '2', 20, null, 'sign_in_failed', '{}', '10.0.0.1'), ('west', '1', 10, 'li', 'invited', '{}', null)",
        )
        .await;
    let store = open(&ground).await;
    let east = store.of("east");
    assert_eq!(east.check_audit().await.expect("is sound"), 2);
    let told: Vec<String> = east.audit_trail(None, 10).await.expect("reads").into_iter().map(|entry| entry.what).collect();
    assert_eq!(told, ["sign_in_failed", "invited"]);
    east.audit(vec![entry(3, "goes on")]).await.expect("writes");
    assert_eq!((east.check_audit().await.expect("is sound"), store.of("west").check_audit().await.expect("is sound")), (3, 1));
    ground.tamper("update audit set what = 'nothing' where jurisdiction = 'east' and id = '1'").await;
    assert!(matches!(east.check_audit().await, Err(StoreError::Damaged(_))), "what was taken in cannot be changed any more either");
}

async fn many_who_write_at_once_make_one_chain(ground: Ground) {
    let stores = [open(&ground).await, open(&ground).await, open(&ground).await];
    let writers = stores.iter().enumerate().flat_map(|(process, store)| {
        (0..8).map(move |writer| {
            let store = store.of("east");
            tokio::spawn(async move {
                for n in 0..10 {
                    store.audit(vec![entry(n, &format!("{process} {writer} {n}"))]).await.expect("writes");
                }
            })
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("ends");
    }
    assert_eq!(stores[0].of("east").check_audit().await.expect("is sound"), 240);
}
