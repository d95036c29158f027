//! The outbox: a notice becomes part of one mail, a mail is claimed by one sender at a time, and each ends once.

use super::*;

use duban::store::outbox_desk::{OutboxFilter, OutboxPlace};

stories!(
    a_notice_is_recorded_once_and_with_its_fact,
    a_notice_goes_into_one_mail,
    only_the_latest_claim_may_record_what_became_of_a_mail,
    the_outbox_is_read_page_by_page_while_it_changes,
);

async fn told(store: &Store, item: &str, keys: &[&str]) {
    let notices = keys.iter().map(|key| notice(item, key)).collect();
    save(store, about(item, 0), Accepted { notices, ..accepted(0, command(item)) }).await.expect("is saved");
}

fn mail(id: &str, notices: &[&str]) -> NewMail {
    NewMail {
        id: id.into(),
        person: "li".into(),
        address: "li@example.com".into(),
        bytes: "Subject: x\r\n\r\ny\r\n".into(),
        notices: notices.iter().map(|key| key.to_string()).collect(),
        links: Vec::new(),
    }
}

fn attempt(id: &str, fence: u64, end: MailEnd) -> Attempt {
    Attempt { jurisdiction: LOCAL.into(), id: id.into(), fence, end, reply: "said so".into() }
}

/// Each notice that was there at the beginning is read once, in the order in which they were recorded, whatever becomes of it meanwhile.
async fn the_outbox_is_read_page_by_page_while_it_changes(ground: Ground) {
    let store = open(&ground).await;
    for (item, minute, keys) in [("s1", 0, ["n4", "n1"]), ("s2", 1, ["n3", "n6"]), ("s3", 2, ["n2", "n5"]), ("s4", 3, ["n7", "n8"])] {
        let notices = keys.iter().map(|key| notice(item, key)).collect();
        let about = About { now: at(minute), ..about(item, 0) };
        save(&store, about, Accepted { notices, ..accepted(0, command(item)) }).await.expect("is saved");
    }
    let (mut read, mut filter) = (Vec::new(), OutboxFilter::default());
    for page in 0..4 {
        let rows = store.notices(&filter, 2).await.expect("reads");
        read.extend(rows.iter().map(|(_, row)| row.key.clone()));
        let place = OutboxPlace::of(&rows.last().expect("there are more").1);
        assert_eq!(place.to_string().parse(), Ok(place.clone()));
        filter.after = Some(place);
        match page {
            0 => {
                // One that is not read yet goes out late, one waits longer, one is cancelled; more come in.
                assert_eq!(store.compose(vec![mail("m1", &["n1"])], at(100)).await.expect("writes"), [true]);
                let claimed = store.everywhere().claim_mails(at(100), at(130), "one", 10).await.expect("writes");
                let sent = vec![attempt("m1", claimed[0].fence, MailEnd::Sent)];
                assert_eq!(store.everywhere().finish_mails(sent, at(101)).await.expect("writes"), [true]);
                assert_eq!(store.put_off_notices(vec!["n3".into()], at(9000)).await.expect("writes"), 1);
                assert_eq!(store.end_notices(vec!["n5".into()], NoticeEnd::Cancelled, "done").await.expect("writes"), 1);
            }
            1 => told(&store.of("elsewhere"), "s1", &["n1", "n9"]).await,
            _ => {
                let about = About { now: at(4), ..about(&format!("s{page}0"), 0) };
                let more = Accepted { notices: vec![notice(&about.item, &format!("more{page}"))], ..accepted(0, command("more")) };
                save(&store, about, more).await.expect("is saved");
            }
        }
    }
    assert_eq!(read, ["n8", "n7", "n5", "n2", "n6", "n3", "n4", "n1"]);
    assert!(store.notices(&filter, 2).await.expect("reads").is_empty());
    assert_eq!(store.notices(&OutboxFilter::default(), 100).await.expect("reads").len(), 10);
    let of = OutboxFilter { status: Some("sent".into()), person: Some("li".into()), item: Some("s1".into()), ..OutboxFilter::default() };
    assert_eq!(store.notices(&of, 10).await.expect("reads").len(), 1);
}

async fn a_notice_is_recorded_once_and_with_its_fact(ground: Ground) {
    let store = open(&ground).await;
    told(&store, "s1", &["n1", "n2"]).await;
    let again = save(&store, about("s1", 1), Accepted { notices: vec![notice("s1", "n1")], ..accepted(1, rung(1)) }).await;
    assert!(matches!(&again, Err(NotSaved::NoticeRecorded(key)) if key == "n1"), "{again:?}");
    assert_eq!(store.item("s1").await.expect("reads").expect("is there").rev, 1);
    assert!(store.everywhere().notices_due(at(59), 10, &[]).await.expect("reads").is_empty());
    assert_eq!(store.everywhere().next_moments(at(60), &[]).await.expect("reads").mail, Some(at(60)));
    assert_eq!(
        store.everywhere().notices_due(at(60), 10, &[]).await.expect("reads"),
        ["n1", "n2"].map(|key| (LOCAL.into(), notice("s1", key)))
    );
    assert_eq!(store.everywhere().notices_due(at(60), 1, &[]).await.expect("reads").len(), 1);
}

async fn a_notice_goes_into_one_mail(ground: Ground) {
    let store = open(&ground).await;
    told(&store, "s1", &["n1", "n2", "n3", "n4", "n5"]).await;
    assert_eq!(store.end_notices(vec!["n3".into()], NoticeEnd::Cancelled, "superseded").await.expect("writes"), 1);
    assert_eq!(store.end_notices(vec!["n4".into()], NoticeEnd::Parked, "brake").await.expect("writes"), 1);
    assert_eq!(store.put_off_notices(vec!["n5".into()], at(600)).await.expect("writes"), 1);
    let mails = vec![mail("m1", &["n1", "n2"]), mail("m2", &["n2"]), mail("m3", &["n3"]), mail("m4", &[])];
    assert_eq!(store.compose(mails, at(60)).await.expect("writes"), [true, false, false, false]);
    assert_eq!(store.end_notices(vec!["n1".into(), "n3".into()], NoticeEnd::Cancelled, "late").await.expect("writes"), 0);
    let statuses: Vec<_> =
        store.notices_of("s1").await.expect("reads").into_iter().map(|n| (n.key, n.status, n.reason, n.mail, n.mail_status)).collect();
    let row = |key: &str, status: &str, reason: Option<&str>, mail: Option<&str>| {
        (key.to_string(), status.to_string(), reason.map(String::from), mail.map(String::from), mail.map(|_| "ready".to_string()))
    };
    assert_eq!(
        statuses,
        [
            row("n1", "mailed", None, Some("m1")),
            row("n2", "mailed", None, Some("m1")),
            row("n3", "cancelled", Some("superseded"), None),
            row("n4", "parked", Some("brake"), None),
            row("n5", "ready", None, None),
        ]
    );
    assert_eq!(store.notices_in("m1").await.expect("reads").len(), 2);
    assert_eq!(store.release_notices(vec!["n1".into(), "n4".into()]).await.expect("writes"), 1);
    let due: Vec<_> =
        store.everywhere().notices_due(at(60), 10, &[]).await.expect("reads").into_iter().map(|(_, notice)| notice.key).collect();
    assert_eq!(due, ["n4"]);
    let (status, bytes) = store.mail("m1").await.expect("reads").expect("is there");
    assert_eq!((status.status.as_str(), status.address.as_str(), bytes.as_str()), ("ready", "li@example.com", "Subject: x\r\n\r\ny\r\n"));
    // A Message-ID is given once; what would come up for ever is parked.
    assert_eq!(store.compose(vec![mail("m1", &["n4"])], at(60)).await.expect("writes"), [false]);
    assert!(store.everywhere().notices_due(at(60), 10, &[]).await.expect("reads").is_empty());
    let counts = store.count_notices().await.expect("reads");
    assert_eq!(counts.iter().map(|count| count.count).sum::<u64>(), 5);
}

async fn only_the_latest_claim_may_record_what_became_of_a_mail(ground: Ground) {
    let store = open(&ground).await;
    told(&store, "s1", &["n1", "n2"]).await;
    store.compose(vec![mail("m1", &["n1"]), mail("m2", &["n2"])], at(60)).await.expect("writes");
    let all = store.everywhere();
    let (one, two) = tokio::join!(all.claim_mails(at(60), at(70), "a", 1), all.claim_mails(at(60), at(70), "b", 10));
    let (one, two) = (one.expect("writes"), two.expect("writes"));
    // On a server either may come first, and the second may take both.
    assert!(one.len() <= 1, "{}", one.len());
    let claimed: std::collections::BTreeSet<_> = one.iter().chain(&two).map(|mail| mail.id.clone()).collect();
    assert_eq!((claimed.len(), one.len() + two.len()), (2, 2), "each is claimed by one of them");
    assert!(store.everywhere().claim_mails(at(69), at(79), "c", 10).await.expect("writes").is_empty());

    // The sender stalls, its claim runs out, another one takes over.
    let later = store.everywhere().claim_mails(at(70), at(80), "c", 10).await.expect("writes");
    assert_eq!(later.iter().map(|mail| (mail.attempts, mail.fence)).collect::<Vec<_>>(), [(2, 2), (2, 2)]);
    let stale = attempt(&one[0].id, one[0].fence, MailEnd::Sent);
    assert_eq!(store.everywhere().finish_mails(vec![stale], at(71)).await.expect("writes"), [false]);
    let deferred = MailEnd::Deferred { next_try: at(90) };
    let outcomes = vec![attempt("m1", 2, MailEnd::Sent), attempt("m2", 2, deferred)];
    assert_eq!(store.everywhere().finish_mails(outcomes, at(72)).await.expect("writes"), [true, true]);
    assert_eq!(
        store.everywhere().finish_mails(vec![attempt("m1", 2, MailEnd::Refused)], at(73)).await.expect("writes"),
        [false],
        "it has ended"
    );
    assert_eq!(store.everywhere().next_moments(at(60), &[]).await.expect("reads").mail, Some(at(90)));
    assert!(store.everywhere().claim_mails(at(89), at(99), "c", 10).await.expect("writes").is_empty());
    let again = store.everywhere().claim_mails(at(90), at(99), "c", 10).await.expect("writes");
    assert_eq!((again[0].id.as_str(), again[0].attempts, again[0].created_at), ("m2", 3, at(60)));
    let unknown = attempt("m2", 3, MailEnd::Unknown { next_try: at(120) });
    assert_eq!(store.everywhere().finish_mails(vec![unknown], at(91)).await.expect("writes"), [true]);
    assert_eq!(store.count_mails().await.expect("reads"), [("sent".into(), 1), ("unknown".into(), 1)]);
    let sent = store.mails(Some("sent"), Some("li"), "", 10).await.expect("reads");
    assert_eq!((sent.len(), sent[0].ended_at, sent[0].reply.as_deref()), (1, Some(at(72)), Some("said so")));
    assert_eq!(store.notices_of("s1").await.expect("reads")[0].mail_status.as_deref(), Some("sent"));
}

told!(alone_on_sqlite over crate::support::ground::Ground::file(); what_a_process_had_claimed_when_it_died_is_tried_again_at_once);
told!(alone_on_a_model over crate::support::ground::Ground::model(); what_a_process_had_claimed_when_it_died_is_tried_again_at_once);

async fn what_a_process_had_claimed_when_it_died_is_tried_again_at_once(ground: Ground) {
    let store = open(&ground).await;
    told(&store, "s1", &["n1", "n2"]).await;
    store.compose(vec![mail("m1", &["n1"]), mail("m2", &["n2"])], at(60)).await.expect("writes");
    let claimed = store.everywhere().claim_mails(at(60), at(105), "a", 10).await.expect("writes");
    let sent = attempt("m1", claimed[0].fence, MailEnd::Sent);
    assert_eq!(store.everywhere().finish_mails(vec![sent], at(61)).await.expect("writes"), [true]);
    store.close().await;
    let store = open(&ground).await;
    let again = store.everywhere().claim_mails(at(60), at(105), "b", 10).await.expect("writes");
    assert_eq!(again.iter().map(|mail| (mail.id.as_str(), mail.attempts, mail.fence)).collect::<Vec<_>>(), [("m2", 2, 2)]);
    let stale = attempt("m2", claimed[1].fence, MailEnd::Sent);
    assert_eq!(store.everywhere().finish_mails(vec![stale], at(61)).await.expect("writes"), [false], "the dead process counts no more");
}
