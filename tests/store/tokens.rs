//! Tokens of persons: the same over every store.

use super::*;
use duban::store::accounts::{Hashed, INVITATION, Inviting, digest};
use duban::store::audit::Entry;
use duban::store::links::NewLink;
use duban::store::tokens::NewToken;

stories!(a_token_is_one_persons_until_it_is_taken_back, a_token_ends_with_its_account_and_with_a_restore);

fn entry(minutes: i64, what: &str) -> Entry {
    Entry::new(at(minutes), Some("zhang"), what, "{}".into(), None)
}

fn token(id: &str, person: &str, minutes: i64) -> NewToken {
    NewToken {
        id: id.into(),
        digest: digest(&format!("secret {id}")),
        person: person.into(),
        name: "统计程序".into(),
        scopes: "read reports".into(),
        made_at: at(minutes),
        expires_at: Some(at(1000)),
    }
}

async fn a_token_is_one_persons_until_it_is_taken_back(ground: Ground) {
    let store = open(&ground).await;
    let (east, west) = (store.of("east"), store.of("west"));
    east.make_token(token("t1", "zhang", 1), entry(1, "token_made")).await.expect("writes");
    east.make_token(token("t2", "li", 2), entry(2, "token_made")).await.expect("writes");
    west.make_token(token("t1b", "zhang", 3), entry(3, "token_made")).await.expect("writes");
    let ids = async |store: &Store, person: Option<&str>| {
        store.tokens(person).await.expect("reads").into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!((ids(&east, None).await, ids(&east, Some("zhang")).await), (vec!["t2".into(), "t1".into()], vec!["t1".to_string()]));
    assert_eq!(ids(&west, None).await, ["t1b"]);
    let shown = async |text: &str| store.everywhere().token(text).await.expect("reads");
    let first = shown("secret t1").await.expect("is there");
    assert_eq!(
        (&*first.jurisdiction, first.row.person.as_str(), first.row.scopes.as_str(), first.disabled),
        ("east", "zhang", "read reports", false)
    );
    assert_eq!((first.row.expires_at, first.row.used_at, first.row.revoked_at), (Some(at(1000)), None, None));
    assert!(shown("secret").await.is_none() && shown(&digest("secret t1")).await.is_none(), "only the token itself");

    for minutes in [9, 5] {
        store.everywhere().token_used("secret t1", at(minutes)).await.expect("writes");
    }
    assert_eq!(shown("secret t1").await.expect("is there").row.used_at, Some(at(9)), "it never goes back");

    let revoke = async |store: &Store, id: &str, person: Option<&str>| {
        store.revoke_token(id, person, entry(10, "token_revoked")).await.expect("writes")
    };
    assert!(!revoke(&east, "t1", Some("li")).await, "somebody else's");
    assert!(!revoke(&west, "t1", None).await, "of another office");
    assert!(revoke(&east, "t1", Some("zhang")).await && !revoke(&east, "t1", None).await, "once");
    assert!(revoke(&east, "t2", None).await, "whoever looks after accounts, anybody's");
    assert_eq!(shown("secret t1").await.expect("is kept").row.revoked_at, Some(at(10)));
    let told: Vec<_> = east.audit_trail(None, 9).await.expect("reads").into_iter().rev().map(|entry| (entry.what, entry.person)).collect();
    let told: Vec<(&str, Option<&str>)> = told.iter().map(|(what, person)| (what.as_str(), person.as_deref())).collect();
    assert_eq!(told[2..], [("token_revoked", Some("zhang")), ("token_revoked", Some("li"))], "about whose it was");
}

async fn a_token_ends_with_its_account_and_with_a_restore(ground: Ground) {
    let store = open(&ground).await;
    let link = NewLink {
        id: digest("link"),
        person: "zhang".into(),
        purpose: INVITATION.into(),
        about: "{}".into(),
        made_at: at(0),
        expires_at: at(100),
    };
    assert!(store.invite(Inviting { login: "zhang".into(), replaces: false, link, entry: entry(0, "invited") }).await.expect("writes"));
    for (id, person) in [("t1", "zhang"), ("t2", "li")] {
        store.make_token(token(id, person, 1), entry(1, "token_made")).await.expect("writes");
    }
    assert!(store.disable_account("zhang", entry(5, "disabled")).await.expect("writes"));
    let shown = async |text: &str| store.everywhere().token(text).await.expect("reads").expect("is kept");
    let (zhang, li) = (shown("secret t1").await, shown("secret t2").await);
    assert_eq!((zhang.disabled, zhang.row.revoked_at, li.disabled, li.row.revoked_at), (true, Some(at(5)), false, None));
    // Who comes back makes new ones.
    assert!(store.set_password("zhang", Hashed("h".into()), None, entry(6, "password_set")).await.expect("writes"));
    let zhang = shown("secret t1").await;
    assert_eq!((zhang.disabled, zhang.row.revoked_at), (false, Some(at(5))));
    store.mark_restored("copy", at(9)).await.expect("writes");
    assert_eq!(shown("secret t2").await.row.revoked_at, Some(at(9)), "what was taken back since stays so");
}
