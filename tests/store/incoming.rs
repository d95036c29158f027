//! What came back about mails, and the links that are made with them: the same over every store.

use super::*;
use duban::store::accounts::digest;
use duban::store::incoming::{FAILED, Incoming};
use duban::store::links::{NewLink, Wanted};

stories!(a_message_is_kept_once_beside_its_mail, an_address_stands_open_until_it_is_seen_to, links_are_made_with_their_mail_or_not_at_all,);

fn mail(id: &str, address: &str, notice: &str, links: Vec<NewLink>) -> NewMail {
    let (person, bytes) = ("li".into(), "Subject: x\r\n\r\ny\r\n".into());
    NewMail { id: id.into(), person, address: address.into(), bytes, notices: vec![notice.to_string()], links }
}

fn message(id: &str, mail: &str, kind: &str, minutes: i64) -> Incoming {
    Incoming {
        id: id.into(),
        mail: mail.into(),
        kind: kind.into(),
        at: at(minutes),
        sender: "postmaster@example.com".into(),
        status: Some("5.1.1".into()),
        words: format!("无此用户 {id}"),
        settled_at: None,
        settled_by: None,
    }
}

/// Two mails to one address and one to another.
async fn mailed(store: &Store) {
    let notices = ["n1", "n2", "n3"].iter().map(|key| notice("s1", key)).collect();
    save(store, about("s1", 0), Accepted { notices, ..accepted(0, command("s1")) }).await.expect("is saved");
    let mails = [("<a@x>", "li@example.com", "n1"), ("<b@x>", "li@example.com", "n2"), ("<c@x>", "wang@example.com", "n3")];
    let mails = mails.iter().map(|(id, address, notice)| mail(id, address, notice, Vec::new())).collect();
    assert_eq!(store.compose(mails, at(1)).await.expect("writes"), [true, true, true]);
}

async fn a_message_is_kept_once_beside_its_mail(ground: Ground) {
    let store = open(&ground).await;
    mailed(&store).await;
    let found = store.everywhere().mail_of_any(&["<no@x>".into(), "<b@x>".into()]).await.expect("reads");
    assert_eq!(found.as_ref().map(|(here, id)| (&**here, id.as_str())), Some((LOCAL, "<b@x>")));
    assert_eq!(store.everywhere().mail_of_any(&["<no@x>".into()]).await.expect("reads"), None);
    assert_eq!(store.everywhere().mail_of_any(&[]).await.expect("reads"), None);

    let later = message("m1", "<a@x>", "reply", 9);
    assert!(store.put_incoming(later.clone()).await.expect("writes"));
    assert!(!store.put_incoming(message("m1", "<a@x>", FAILED, 10)).await.expect("writes"), "the same message");
    let earlier = message("m2", "<a@x>", "automatic", 3);
    assert!(store.put_incoming(earlier.clone()).await.expect("writes"));
    assert_eq!(store.incoming_of(&["<a@x>".into(), "<b@x>".into()]).await.expect("reads"), [earlier, later]);
    assert!(store.incoming_of(&["<c@x>".into()]).await.expect("reads").is_empty());
    assert!(store.undelivered(10).await.expect("reads").is_empty(), "neither says that it did not arrive");
    assert!(store.of("west").incoming_of(&["<a@x>".into()]).await.expect("reads").is_empty(), "of another office");
}

async fn an_address_stands_open_until_it_is_seen_to(ground: Ground) {
    let store = open(&ground).await;
    mailed(&store).await;
    for (id, mail, minutes) in [("m3", "<c@x>", 5), ("m1", "<a@x>", 3), ("m2", "<b@x>", 4)] {
        assert!(store.put_incoming(message(id, mail, FAILED, minutes)).await.expect("writes"));
    }
    let open = store.undelivered(10).await.expect("reads");
    let shown: Vec<_> = open.iter().map(|row| (row.mail.as_str(), row.address.as_str(), row.person.as_str(), row.at)).collect();
    let expected =
        [("<a@x>", "li@example.com", "li", at(3)), ("<b@x>", "li@example.com", "li", at(4)), ("<c@x>", "wang@example.com", "li", at(5))];
    assert_eq!(shown, expected);
    assert_eq!(store.undelivered(1).await.expect("reads").len(), 1);
    assert_eq!(store.of("west").settle_undelivered("li@example.com", at(6), "boss").await.expect("writes"), 0);
    assert_eq!(store.settle_undelivered("li@example.com", at(6), "boss").await.expect("writes"), 2);
    assert_eq!(store.settle_undelivered("li@example.com", at(7), "boss").await.expect("writes"), 0, "it is settled");
    let left: Vec<String> = store.undelivered(10).await.expect("reads").into_iter().map(|row| row.address).collect();
    assert_eq!(left, ["wang@example.com"]);
    let kept = store.incoming_of(&["<a@x>".into()]).await.expect("reads").remove(0);
    assert_eq!((kept.settled_at, kept.settled_by.as_deref()), (Some(at(6)), Some("boss")));
}

async fn links_are_made_with_their_mail_or_not_at_all(ground: Ground) {
    let store = open(&ground).await;
    let notices = ["n1", "n2"].iter().map(|key| notice("s1", key)).collect();
    save(&store, about("s1", 0), Accepted { notices, ..accepted(0, command("s1")) }).await.expect("is saved");
    let link = |token: &str| {
        let (id, person, purpose, about) = (digest(token), "li".into(), "mail".into(), r#"{"item":"s1"}"#.into());
        NewLink { id, person, purpose, about, made_at: at(1), expires_at: at(61) }
    };
    let first = mail("<a@x>", "li@example.com", "n1", vec![link("t1"), link("t2")]);
    let same = mail("<b@x>", "li@example.com", "n1", vec![link("t3")]);
    assert_eq!(store.compose(vec![first, same], at(1)).await.expect("writes"), [true, false]);
    let everywhere = store.everywhere();
    let known = async |token: &str| everywhere.link_known(&digest(token), "mail").await.expect("reads");
    let (found, used_at) = known("t1").await.expect("is there");
    assert_eq!((&*found.jurisdiction, found.person.as_str(), found.expires_at, used_at), (LOCAL, "li", at(61), None));
    assert!(known("t2").await.is_some() && known("t3").await.is_none(), "its mail was not stored");
    assert_eq!(everywhere.link_known(&digest("t1"), "invitation").await.expect("reads"), None, "for something else");

    // It is known to have been used, and for a while to have been too late.
    let entry = duban::store::audit::Entry::new(at(5), None, "link_used", "{}".into(), None);
    let id = digest("t1");
    assert!(everywhere.use_link(Wanted { id: &id, purpose: "mail", now: at(5) }, entry).await.expect("writes").is_some());
    assert_eq!(known("t1").await.expect("is there").1, Some(at(5)));
    let again = |token: &str, days: i64| NewLink { made_at: at(days * 1440), expires_at: at(days * 1440 + 60), ..link(token) };
    store.make_link(again("t4", 30)).await.expect("writes");
    assert!(known("t1").await.is_some() && known("t2").await.is_some());
    store.make_link(again("t5", 120)).await.expect("writes");
    assert!(known("t1").await.is_none() && known("t2").await.is_none() && known("t5").await.is_some(), "forgotten in the end");
}
