//! Several offices in one database: the same ids, numbers, commands and mails in each, and none sees or touches another's.

use super::*;
use duban::store::items::Filter;
use duban::store::outbox_desk::OutboxFilter;
use duban::store::statements;
use std::sync::Arc;

stories!(
    offices_with_the_same_ids_see_nothing_of_each_other,
    a_unit_of_one_office_shares_its_commit_with_others,
    what_is_due_is_found_in_all_of_them,
);
database_stories!(what_was_there_before_stays);

/// Everything that can be read, as text; the same for two offices that did the same.
async fn all_of(store: &Store) -> String {
    let mut all = Vec::new();
    let mut tell = |what: String| all.push(what);
    tell(format!("{:?}", store.list(&Filter::default(), 100).await));
    tell(format!("{:?}", store.listed("s1").await));
    tell(format!("{:?}", store.item("s1").await));
    tell(format!("{:?}", store.items(&["s1"]).await.map(|items| items.len())));
    tell(format!("{:?} {:?}", store.check_chain("s1").await, store.check_chain("s2").await));
    tell(format!("{:?}", store.ids(None, false, "", 100).await));
    tell(format!("{:?} {:?}", store.count_by_state().await, store.count_open().await));
    tell(format!("{:?}", store.revisions(&["s1"]).await));
    tell(format!("{:?}", store.stale(9, 100).await));
    tell(format!("{:?}", store.quarantined(100).await));
    tell(format!("{:?} {:?}", store.answered("zhang", "c1").await, store.answered_in_order("s1", "zhang", "c1").await));
    tell(format!("{:?}", store.holders_of(&[("suggestion", "number", r#""2026-001""#)]).await));
    tell(format!("{:?}", store.counter("2026").await));
    tell(format!("{:?}", store.notices_of("s1").await));
    tell(format!("{:?}", store.notices(&OutboxFilter::default(), 100).await));
    tell(format!("{:?} {:?}", store.notice("n1").await, store.notices_in("m1").await));
    tell(format!("{:?} {:?} {:?}", store.count_notices().await, store.count_escalations().await, store.count_mails().await));
    tell(format!("{:?} {:?}", store.mail("m1").await, store.mails(None, None, "", 100).await));
    tell(format!("{:?}", store.last_slot("suggestion/daily").await));
    tell(format!("{:?} {:?}", store.rules_in_use().await, store.rules("h1").await));
    all.join("\n")
}

/// An office does everything that leaves a row behind.
async fn live(store: &Store) {
    let files = indexmap::IndexMap::from([("suggestion/flow.yaml".to_string(), "one".to_string())]);
    assert_eq!(store.use_rules("h1", &files, &["suggestion/daily".to_string()], at(0)).await.expect("writes"), 1);
    let first = Accepted {
        numbers: vec![Number { counter: "2026".into(), from: 0, to: 1 }],
        unique: vec![("number".into(), Value::text("2026-001"))],
        notices: vec![notice("s1", "n1"), notice("s1", "n2")],
        wake_up: Some(at(10)),
        ..accepted(0, command("c1"))
    };
    save(store, About { command: answered("c1"), ..about("s1", 0) }, first).await.expect("is saved");
    save(store, about("s1", 1), Accepted { wake_up: Some(at(20)), ..accepted(1, rung(1)) }).await.expect("is saved");
    let mail = NewMail {
        id: "m1".into(),
        person: "li".into(),
        address: "li@example.com".into(),
        bytes: "Subject: x\r\n\r\ny\r\n".into(),
        notices: vec!["n1".into()],
        links: Vec::new(),
    };
    assert_eq!(store.compose(vec![mail], at(60)).await.expect("writes"), [true]);
    let slot = Slot { sweep: "suggestion/daily".into(), slot: "2026-03-02T16:00".into(), at: at(0) };
    assert!(store.claim_slot(&slot, at(1)).await.expect("writes"));
}

async fn offices_with_the_same_ids_see_nothing_of_each_other(ground: Ground) {
    let store = open(&ground).await;
    assert_eq!(store.jurisdiction(), LOCAL);
    let (east, west) = (store.of("east"), store.of("west"));
    let empty = all_of(&west).await;
    live(&east).await;
    assert_eq!(all_of(&west).await, empty, "nothing of the east is seen in the west");
    assert_eq!(all_of(&store).await, empty);
    let lived = all_of(&east).await;
    assert_ne!(lived, empty);
    live(&west).await;
    assert_eq!(all_of(&west).await, lived, "the same ids are free in the west");
    assert_eq!(all_of(&east).await, lived);

    // Whatever is done in the west leaves the east as it is.
    save(&west, about("s1", 2), accepted(2, rung(2))).await.expect("is saved");
    assert!(west.quarantine("s1", None, None, "a rule failed", at(30), at(10)).await.expect("writes"));
    west.wake_now("s1", at(40), 5).await.expect("writes");
    let due = west.everywhere().take_due(at(1000), at(1001), 10, &["east".into()]).await.expect("takes");
    assert_eq!(due.iter().map(|due| &*due.jurisdiction).collect::<Vec<_>>(), ["west"]);
    assert_eq!(west.release_notices(vec!["n2".into()]).await.expect("writes"), 0);
    assert_eq!(west.put_off_notices(vec!["n2".into()], at(90)).await.expect("writes"), 1);
    assert_eq!(west.end_notices(vec!["n1".into(), "n2".into()], NoticeEnd::Parked, "brake").await.expect("writes"), 1);
    assert_eq!(west.release_notices(vec!["n2".into()]).await.expect("writes"), 1);
    assert_eq!(west.retry_mails(&["m1".into()], at(60)).await.expect("writes"), 1);
    let slot = Slot { sweep: "suggestion/daily".into(), slot: "2026-03-02T16:00".into(), at: at(0) };
    assert!(west.renew_slot(&slot, at(1000)).await.expect("writes"));
    west.finish_slot(&slot, at(1001)).await.expect("writes");
    west.schedule("suggestion/daily", at(2000), 1).await.expect("writes");
    west.use_rules("h2", &indexmap::IndexMap::new(), &[], at(64)).await.expect("writes");
    assert_eq!(all_of(&east).await, lived);
    assert_ne!(all_of(&west).await, lived);
}

async fn what_is_due_is_found_in_all_of_them(ground: Ground) {
    let store = open(&ground).await;
    let (east, west) = (store.of("east"), store.of("west"));
    live(&east).await;
    live(&west).await;
    let all = store.everywhere();
    let whose = |found: Vec<Arc<str>>| found.iter().map(|here| here.to_string()).collect::<Vec<_>>();
    let only_west: [Arc<str>; 1] = ["east".into()];
    let moments = all.next_moments(at(0), &[]).await.expect("reads");
    assert_eq!((moments.wake_up, moments.mail), (Some(at(20)), Some(at(60))));
    assert_eq!((moments.slot, moments.open_slot, moments.stale), (Some(at(0)), Some(at(1)), false));
    let notices = all.notices_due(at(1000), 100, &[]).await.expect("reads");
    assert_eq!(whose(notices.into_iter().map(|(here, _)| here).collect()), ["east", "west"]);
    assert_eq!(all.notices_due(at(1000), 100, &only_west).await.expect("reads").len(), 1);
    let sweeps = all.sweeps_due(at(0), 10, &only_west).await.expect("reads");
    assert_eq!(whose(sweeps.into_iter().map(|due| due.jurisdiction).collect()), ["west"]);
    let slots = all.take_open_slots(at(900), at(1000), 10, &only_west).await.expect("takes");
    assert_eq!(whose(slots.into_iter().map(|(here, _)| here).collect()), ["west"]);
    let due = all.take_due(at(1000), at(1001), 10, &only_west).await.expect("takes");
    assert_eq!(whose(due.into_iter().map(|due| due.jurisdiction).collect()), ["west"]);
    let due = all.take_due(at(1001), at(1002), 10, &[]).await.expect("takes");
    assert_eq!(whose(due.into_iter().map(|due| due.jurisdiction).collect()), ["east", "west"]);

    // Two mails with one id: each claim is for one of them.
    let claimed = all.claim_mails(at(61), at(90), "one", 10).await.expect("writes");
    assert_eq!(claimed.iter().map(|mail| (&*mail.jurisdiction, &*mail.id)).collect::<Vec<_>>(), [("east", "m1"), ("west", "m1")]);
    let west_too: Vec<(Arc<str>, String, u64)> = vec![("west".into(), "m1".into(), claimed[1].fence), ("north".into(), "m1".into(), 1)];
    assert_eq!(all.renew_mails(west_too, at(100)).await.expect("writes"), [true, false]);
    let sent = Attempt { jurisdiction: "east".into(), id: "m1".into(), fence: claimed[0].fence, end: MailEnd::Sent, reply: "250".into() };
    assert_eq!(all.finish_mails(vec![sent], at(62)).await.expect("writes"), [true]);
    assert_eq!(east.count_mails().await.expect("reads"), [("sent".to_string(), 1)]);
    assert_eq!(west.count_mails().await.expect("reads"), [("claimed".to_string(), 1)]);

    let known = all.jurisdictions("", 10).await.expect("reads");
    assert_eq!(known.iter().map(|j| (&*j.id, j.revision, &*j.rules)).collect::<Vec<_>>(), [("east", 1, "h1"), ("west", 1, "h1")]);
    assert_eq!(all.jurisdictions("east", 10).await.expect("reads").len(), 1);
    west.use_rules("h2", &indexmap::IndexMap::new(), &[], at(64)).await.expect("writes");
    assert_eq!(all.stale(10, &[]).await.expect("reads"), ["west"]);
    assert!(all.stale(10, &["west".into()]).await.expect("reads").is_empty());
    assert_eq!(all.sweeps_due(at(64), 10, &[]).await.expect("reads").len(), 1, "the new rules have no sweep");
    west.use_rules("h3", &indexmap::IndexMap::new(), &["suggestion/daily".to_string()], at(65)).await.expect("writes");
    west.schedule("suggestion/daily", at(3000), 2).await.expect("writes");
    assert_eq!(all.sweeps_due(at(65), 10, &["east".into()]).await.expect("reads").len(), 1, "an earlier revision knows another schedule");
    west.schedule("suggestion/daily", at(3000), 3).await.expect("writes");
    assert!(all.sweeps_due(at(65), 10, &["east".into()]).await.expect("reads").is_empty());
    west.note_derived(1).await.expect("writes");
    assert_eq!(all.stale(10, &[]).await.expect("reads"), ["west"], "that was another revision");
    west.note_derived(3).await.expect("writes");
    assert!(all.stale(10, &[]).await.expect("reads").is_empty());
    west.doubt_derived(3).await.expect("writes");
    assert_eq!(all.stale(10, &[]).await.expect("reads"), ["west"]);
}

async fn a_unit_of_one_office_shares_its_commit_with_others(ground: Ground) {
    let store = open(&ground).await;
    let offices = ["east", "west", "north"].map(|name| store.of(name));
    let before = store.counts().commits;
    let mut waiting = Vec::new();
    for n in 0..10 {
        for office in &offices {
            let save = Save::new(about(&format!("s{n}"), 0), accepted(0, command("c"))).expect("has a JSON form");
            waiting.push(office.begin_save(Lane::User, vec![save]).expect("is queued"));
        }
    }
    for mut saving in waiting {
        saving.done().await.expect("is saved");
    }
    assert!(store.counts().commits - before < 30);
    for office in &offices {
        assert_eq!(office.count_open().await.expect("reads"), 10);
        for n in 0..10 {
            save(office, about(&format!("s{n}"), 1), accepted(1, rung(1))).await.expect("stands where its own office left it");
            office.check_chain(&format!("s{n}")).await.expect("is sound");
        }
    }
}

/// A database as it was before there were jurisdictions.
async fn what_was_there_before_stays(ground: Ground) {
    ground.tamper("create table schema_version (version bigint not null primary key, applied_at bigint not null)").await;
    ground.tamper(include_str!("../../engine/store/migrations/0001_first.sql")).await;
    ground.tamper(include_str!("../../engine/store/migrations/0002_leases.sql")).await;
    ground
        .tamper(
            "insert into schema_version (version, applied_at) values (1, 0);
            insert into schema_version (version, applied_at) values (2, 0);
            insert into meta (name, value) values ('instance', 'old');
            insert into rule_set values ('h1', 3, '{}', 0);
            insert into item (id, workflow, rev, head, state, title, search, fields, dues, wake_at, rules_rev, retries, changed_at)
                values ('s1', 'suggestion', 1, 'x', 'open', 't', 't', '{}', '{}', 7, 1, 0, 0);
            insert into fact values ('s1', 1, '{}', 'k', 'x');
            insert into notice (key, item, seq, workflow, notice, kind, person, not_before, bundle, status, json)
                values ('n1', 's1', 1, 'suggestion', 'reminder', 'reminder', 'li', 0, '', 'ready', '{}');
            insert into mail (id, person, address, bytes, status, attempts, next_try, fence, created_at) values ('m1', 'li', 'a', 'b', 'ready', 0, 0, 0, 0);
            insert into command values ('zhang', 'c1', 'h', 'a', 's1', 0);
            insert into slot values ('w/s', '2026', 0, 0, null);
            insert into counter values ('2026', 4);
            insert into unique_value values ('suggestion', 'number', '1', 's1')",
        )
        .await;
    let store = open(&ground).await;
    assert_eq!((store.instance(), store.jurisdiction()), ("old", LOCAL));
    assert_eq!(store.listed("s1").await.expect("reads").expect("is there").wake_at, duban::kernel::time::Instant::from_timestamp_millis(7));
    assert_eq!(store.rules_in_use().await.expect("reads").expect("is there").revision, 3);
    assert_eq!(store.notices_of("s1").await.expect("reads").len(), 1);
    assert_eq!(store.count_mails().await.expect("reads"), [("ready".to_string(), 1)]);
    assert_eq!(store.answered("zhang", "c1").await.expect("reads"), Some(("h".into(), "a".into())));
    let due = store.everywhere().sweeps_due(at(0), 10, &[]).await.expect("reads");
    assert_eq!((due.len(), &*due[0].jurisdiction, due[0].sweep.as_str()), (1, LOCAL, "w/s"), "it is looked at when the next slot comes");
    let open = store.everywhere().take_open_slots(at(0), at(1), 10, &[]).await.expect("takes");
    assert_eq!((open.len(), store.counter("2026").await.expect("reads")), (1, 4));
    assert_eq!(store.everywhere().stale(10, &[]).await.expect("reads"), [LOCAL], "derived again, as nobody knows under what it was");
    assert_eq!(store.holders_of(&[("suggestion", "number", "1")]).await.expect("reads"), [Some("s1".to_string())]);
    assert!(store.of("east").listed("s1").await.expect("reads").is_none());
    assert!(store.of("east").listed_of(&["s1"]).await.expect("reads").is_empty());
    create(&store, "s2").await;
    // A fact still needs its item.
    let orphan = Accepted { notices: vec![notice("nowhere", "n9")], ..accepted(1, rung(1)) };
    assert!(save(&store, about("s2", 1), orphan).await.is_err());
}

#[test]
fn no_statement_forgets_whose_rows_it_touches() {
    for (name, statement) in statements::ALL {
        // What belongs to the whole installation.
        if name.starts_with("META")
            || name.starts_with("SCHEMA")
            || name.starts_with("RESTORED")
            || [
                "MAIL_TAKE_BACK",
                "SLOT_TAKE_BACK",
                "DELIVERIES_TAKE_BACK",
                "DELIVERIES_FORGET",
                "DELIVERY_PARKED",
                // A fact counts for the files of its own office.
                "UPLOADS_KEEP",
                "UPLOADS_FORGET",
                "UPLOAD_PARTS_FORGET",
                "RULES_LOCK",
                "RULES_TEXT",
                "MOVE_CHAINS",
                "HEALTH",
                "HEALTH_WORST",
                "JURISDICTION_ADD",
                "JURISDICTION_PUT",
                "JURISDICTION_DERIVED",
                "JURISDICTION_DOUBTED",
                "JURISDICTION_BEHIND",
                "HOLD",
                "HOLDS",
            ]
            .contains(name)
        {
            continue;
        }
        // What the scheduler finds says whose it is, or takes it from the batch.
        let everywhere = [
            "WAKE_DUE",
            "WAKE_TAKE",
            "NOTICE_DUE",
            "MAIL_CLAIM",
            "MAIL_FINISH",
            "MAIL_RENEW",
            "DELIVERY_CLAIM",
            "SLOT_TAKE",
            "SCHEDULE_DUE",
            "MAIL_OF_ANY",
        ];
        if everywhere.contains(name) {
            assert!(statement.contains("select jurisdiction, ") || statement.contains("jurisdiction = j.value ->> 0"), "{name}");
            continue;
        }
        if ["NEXT_MOMENTS", "DELIVERY_NEXT", "JURISDICTIONS", "JURISDICTION_REVISIONS", "JURISDICTION_STALE"].contains(name) {
            continue;
        }
        // A login or a token, which nobody else has, leads to whose it is; and tries are counted before anybody knows that.
        if ["ACCOUNT_OF_LOGIN", "SESSION_GET", "SESSION_END", "LINK_GET", "LINK_OPEN", "LINK_KNOWN", "LINK_USE", "TOKEN_SHOWN"]
            .contains(name)
        {
            assert!(statement.contains("jurisdiction, ") && statement.contains(" = $1"), "{name}");
            continue;
        }
        if name.starts_with("ATTEMPT") || ["SESSION_SEEN", "AUDIT_LOOSE", "TOKEN_USED"].contains(name) {
            continue;
        }
        let statement = statement.split_whitespace().collect::<Vec<_>>().join(" ") + " ";
        let tables = [
            "item",
            "hand",
            "fact",
            "notice",
            "mail",
            "command",
            "slot",
            "counter",
            "unique_value",
            "rule_set",
            "schedule",
            "publish",
            "hold",
            "volume",
            "proposal",
            "account",
            "session",
            "link",
            "incoming",
            "audit",
            "audit_head",
            "second_step",
            "recovery_code",
            "saved_filter",
            "token",
            "webhook",
            "webhook_event",
            "delivery",
            "upload",
            "upload_part",
        ];
        let reads = |table: &&str| ["from", "join", "update"].iter().any(|word| statement.contains(&format!("{word} {table} ")));
        let touched = tables.iter().filter(|table| reads(table)).count();
        let bound = statement.matches("jurisdiction = $j").count() + statement.matches("m.jurisdiction = n.jurisdiction").count();
        let writes = statement.contains("(jurisdiction, ");
        assert!(writes || (touched > 0 && bound >= touched), "{name} touches {touched} tables and names {bound} jurisdictions");
    }
}
