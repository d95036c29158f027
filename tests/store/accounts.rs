//! Accounts, sessions, links and what is told of them: the same over every store.

use super::*;
use duban::store::accounts::{Accepting, Account, Begins, Hashed, INVITATION, Inviting, Tries, Try, digest};
use duban::store::audit::Entry;
use duban::store::links::{Link, NewLink, Wanted};
use duban::store::sessions::{Entering, NewSession};

stories!(
    a_login_belongs_to_one_person_of_all_offices,
    tries_are_counted_whether_or_not_there_is_such_a_login,
    a_session_begins_only_as_it_was_checked_and_ends_with_the_account,
    a_link_is_good_once_for_one_thing_until_its_moment,
    an_invitation_is_accepted_whole_or_not_at_all,
    what_happened_is_told_the_latest_first,
    a_restored_database_has_nobody_inside,
);

fn entry(minutes: i64, what: &str) -> Entry {
    Entry::new(at(minutes), Some("zhang"), what, "{}".into(), None)
}

fn link(person: &str, purpose: &str, token: &str, minutes: i64) -> NewLink {
    let (id, person, purpose) = (digest(token), person.to_string(), purpose.to_string());
    NewLink { id, person, purpose, about: r#"{"item":"s1"}"#.into(), made_at: at(0), expires_at: at(minutes) }
}

async fn invited(store: &Store, person: &str, login: &str, replaces: bool) -> bool {
    invited_at(store, person, login, replaces, 0).await
}

async fn invited_at(store: &Store, person: &str, login: &str, replaces: bool, minutes: i64) -> bool {
    let link = link(person, INVITATION, &format!("{person} {login}"), 100);
    let inviting = Inviting { login: login.into(), replaces, link, entry: entry(minutes, "invited") };
    store.invite(inviting).await.expect("writes")
}

fn hashed(text: &str) -> Hashed {
    Hashed(text.to_string())
}

fn session(person: &str, token: &str, minutes: i64) -> NewSession {
    NewSession { id: digest(token), person: person.into(), at: at(minutes), source: None }
}

async fn is_inside(store: &Store, token: &str) -> bool {
    let found = store.everywhere().session(&digest(token)).await.expect("reads");
    found.is_some_and(|session| !session.disabled)
}

/// What was told, the earliest first.
async fn told(store: &Store) -> Vec<String> {
    store.audit_trail(None, 100).await.expect("reads").into_iter().rev().map(|entry| entry.what).collect()
}

async fn a_login_belongs_to_one_person_of_all_offices(ground: Ground) {
    let store = open(&ground).await;
    let (east, west) = (store.of("east"), store.of("west"));
    assert!(invited(&east, "zhang", "z@example.com", false).await);
    assert!(!invited(&west, "zhang", "z@example.com", false).await, "of another office");
    assert!(!invited(&east, "li", "z@example.com", false).await, "of somebody else");
    assert!(west.accounts().await.expect("reads").is_empty() && west.account("zhang").await.expect("reads").is_none());
    assert!(invited(&west, "zhang", "west@example.com", false).await);
    assert!(invited(&east, "li", "li", false).await);
    assert!(!invited(&east, "li", "west@example.com", true).await);
    assert_eq!(east.account("li").await.expect("reads").expect("is there").login, "li", "it stays");
    assert!(invited(&east, "zhang", "other", false).await, "invited again, by the login that is there");
    assert!(invited(&east, "li", "li@example.com", true).await);
    let rows = east.accounts().await.expect("reads");
    let shown: Vec<_> = rows.iter().map(|row| (row.person.as_str(), row.login.as_str(), row.has_password, row.invited_until)).collect();
    assert_eq!(shown, [("li", "li@example.com", false, Some(at(100))), ("zhang", "z@example.com", false, Some(at(100)))]);

    // Only the last invitation is good.
    let good = async |token: &str| {
        let wanted = Wanted { id: &digest(token), purpose: INVITATION, now: at(1) };
        store.everywhere().link(wanted).await.expect("reads").is_some()
    };
    assert!(!good("zhang z@example.com").await && good("zhang other").await && good("zhang west@example.com").await);
    assert_eq!(told(&east).await, ["invited"; 4]);
}

async fn tries_are_counted_whether_or_not_there_is_such_a_login(ground: Ground) {
    let store = open(&ground).await;
    assert!(invited(&store, "zhang", "known", false).await);
    assert!(store.of(LOCAL).set_password("zhang", hashed("h1"), None, entry(0, "password_set")).await.expect("writes"));
    let attempt = async |login: &str, minutes: i64| {
        let tries = Tries { most: 3, locked_until: at(minutes + 15), forgotten: at(minutes - 15) };
        store.everywhere().try_to_sign_in(login, at(minutes), tries).await.expect("writes")
    };
    let account = Account {
        jurisdiction: LOCAL.into(),
        person: "zhang".into(),
        login: "known".into(),
        password: Some(hashed("h1")),
        disabled_at: None,
    };
    for (login, account) in [("known", Some(account)), ("unknown", None)] {
        let counted = |last| Try::Counted { account: account.clone(), last };
        assert_eq!(attempt(login, 1).await, counted(false), "{login}");
        assert_eq!(attempt(login, 2).await, counted(false), "{login}");
        assert_eq!(attempt(login, 3).await, counted(true), "{login}");
        assert_eq!(attempt(login, 3).await, Try::Locked { until: at(18) }, "{login}");
        assert_eq!(attempt(login, 17).await, Try::Locked { until: at(18) }, "{login}: it is not put off");
        assert_eq!(attempt(login, 18).await, counted(false), "{login}: counted anew");
        assert_eq!(attempt(login, 19).await, counted(false), "{login}");
        assert_eq!(attempt(login, 34).await, counted(false), "{login}: as long ago as a lock lasts is forgotten");
        assert_eq!(attempt(login, 35).await, counted(false), "{login}");
        assert_eq!(attempt(login, 36).await, counted(true), "{login}");
    }
    assert_eq!(store.accounts().await.expect("reads")[0].locked_until, Some(at(51)));
    // Whoever came in has not failed, and a new password opens what was locked.
    let entering = Entering { password: Some(hashed("h1")), ended: None };
    assert!(store.begin_session(session("zhang", "t1", 37), entering, entry(37, "signed_in")).await.expect("writes"));
    assert_eq!(store.accounts().await.expect("reads")[0].locked_until, None);
    for _ in 0..3 {
        attempt("known", 40).await;
    }
    assert!(store.set_password("zhang", hashed("h2"), None, entry(41, "password_set")).await.expect("writes"));
    assert!(matches!(attempt("known", 41).await, Try::Counted { last: false, .. }));
    assert!(matches!(attempt("unknown", 41).await, Try::Locked { .. }), "only that one");

    // Many at once are no more than were allowed.
    let crowd = (0..20).map(|_| {
        let store = store.clone();
        tokio::spawn(async move {
            let tries = Tries { most: 3, locked_until: at(115), forgotten: at(85) };
            store.everywhere().try_to_sign_in("crowd", at(100), tries).await.expect("writes")
        })
    });
    let mut counted = 0;
    for one in crowd.collect::<Vec<_>>() {
        counted += usize::from(matches!(one.await.expect("ends"), Try::Counted { .. }));
    }
    assert_eq!(counted, 3);
}

async fn a_session_begins_only_as_it_was_checked_and_ends_with_the_account(ground: Ground) {
    let store = open(&ground).await;
    assert!(invited(&store, "zhang", "zhang", false).await);
    assert!(store.set_password("zhang", hashed("h1"), None, entry(0, "password_set")).await.expect("writes"));
    let by = |password: &str| Entering { password: Some(hashed(password)), ended: None };
    let begin = async |token: &str, entering: Entering| {
        store.begin_session(session("zhang", token, 1), entering, entry(1, "signed_in")).await.expect("writes")
    };
    assert!(begin("t1", by("h1")).await && begin("t2", by("h1")).await && begin("t3", Entering::default()).await);
    assert!(!begin("t4", by("h0")).await && !is_inside(&store, "t4").await, "the password was changed meanwhile");
    assert!(is_inside(&store, "t1").await && !is_inside(&store, "guessed").await);
    let everywhere = store.everywhere();
    everywhere.session_seen(&digest("t1"), at(9)).await.expect("writes");
    everywhere.session_seen(&digest("t1"), at(5)).await.expect("writes");
    let found = everywhere.session(&digest("t1")).await.expect("reads").expect("is there");
    assert_eq!((&*found.jurisdiction, found.person.as_str(), found.started_at, found.seen_at), (LOCAL, "zhang", at(1), at(9)));
    everywhere.end_session(&digest("t2"), Some(entry(2, "signed_out"))).await.expect("writes");
    everywhere.end_session(&digest("t2"), Some(entry(2, "signed_out"))).await.expect("writes");
    assert!(!is_inside(&store, "t2").await && is_inside(&store, "t1").await);
    assert_eq!(told(&store).await, ["invited", "password_set", "signed_in", "signed_in", "signed_in", "signed_out"], "once");

    // A person of the same name in another office is somebody else.
    let east = store.of("east");
    assert!(east.begin_session(session("zhang", "e1", 1), Entering::default(), entry(1, "signed_in")).await.expect("writes"));
    assert!(store.set_password("zhang", hashed("h2"), None, entry(3, "password_set")).await.expect("writes"));
    assert!(!is_inside(&store, "t1").await && !is_inside(&store, "t3").await, "a new password ends them");
    let change = async |checked: &str| {
        let checked = Some(hashed(checked));
        store.set_password("zhang", hashed("h2"), checked, entry(3, "password_set")).await.expect("writes")
    };
    assert!(!change("h1").await && change("h2").await, "as it was checked");
    assert!(begin("t5", by("h2")).await);
    assert!(store.disable_account("zhang", entry(4, "disabled")).await.expect("writes"));
    assert!(!store.disable_account("zhang", entry(4, "disabled")).await.expect("writes"), "once");
    assert!(everywhere.session(&digest("t5")).await.expect("reads").is_none());
    assert!(!change("h2").await, "who is shut off opens nothing by a password of one's own");
    assert!(!begin("t6", by("h2")).await && !begin("t7", Entering::default()).await, "shut off");
    assert!(is_inside(&store, "e1").await);
    assert!(!store.set_password("nobody", hashed("h"), None, entry(5, "password_set")).await.expect("writes"));

    // What has ended is forgotten when somebody comes in.
    assert!(east.begin_session(session("zhang", "e2", 50), Entering::default(), entry(50, "signed_in")).await.expect("writes"));
    let entering = Entering { password: None, ended: Some((at(-1), at(30))) };
    assert!(east.begin_session(session("li", "e3", 60), entering, entry(60, "signed_in")).await.expect("writes"));
    assert!(!is_inside(&store, "e1").await && is_inside(&store, "e2").await && is_inside(&store, "e3").await);
}

async fn a_link_is_good_once_for_one_thing_until_its_moment(ground: Ground) {
    let store = open(&ground).await;
    let east = store.of("east");
    east.make_link(link("zhang", "acknowledge", "t1", 60)).await.expect("writes");
    let everywhere = store.everywhere();
    let id = digest("t1");
    let wanted = |purpose, minutes| Wanted { id: &id, purpose, now: at(minutes) };
    for (purpose, minutes) in [("rate", 1), ("acknowledge", 60)] {
        assert_eq!(everywhere.link(wanted(purpose, minutes)).await.expect("reads"), None, "{purpose} {minutes}");
        assert_eq!(everywhere.use_link(wanted(purpose, minutes), entry(1, "link_used")).await.expect("writes"), None);
    }
    let is = Link { jurisdiction: "east".into(), person: "zhang".into(), about: r#"{"item":"s1"}"#.into(), expires_at: at(60) };
    assert_eq!(everywhere.link(wanted("acknowledge", 59)).await.expect("reads").as_ref(), Some(&is), "looking uses nothing up");
    let crowd = (0..16).map(|n| {
        let (store, id) = (store.clone(), id.clone());
        tokio::spawn(async move {
            let wanted = Wanted { id: &id, purpose: "acknowledge", now: at(59) };
            store.everywhere().use_link(wanted, Entry { person: None, ..entry(n, "link_used") }).await.expect("writes")
        })
    });
    let mut used = Vec::new();
    for one in crowd.collect::<Vec<_>>() {
        used.extend(one.await.expect("ends"));
    }
    assert_eq!(used, [is], "one of many gets it");
    assert_eq!(everywhere.link(wanted("acknowledge", 59)).await.expect("reads"), None);
    let trail = east.audit_trail(None, 10).await.expect("reads");
    assert_eq!(
        trail.iter().map(|entry| (entry.what.as_str(), entry.person.as_deref())).collect::<Vec<_>>(),
        [("link_used", Some("zhang"))]
    );
    // Links of a person who is shut off end as well.
    east.make_link(link("zhang", "acknowledge", "t2", 60)).await.expect("writes");
    east.disable_account("zhang", entry(5, "disabled")).await.expect("writes");
    let left = Wanted { id: &digest("t2"), purpose: "acknowledge", now: at(6) };
    assert_eq!(everywhere.link(left).await.expect("reads"), None);
}

async fn an_invitation_is_accepted_whole_or_not_at_all(ground: Ground) {
    let store = open(&ground).await;
    let east = store.of("east");
    assert!(invited(&east, "zhang", "zhang", false).await);
    assert!(east.begin_session(session("zhang", "before", 1), Entering::default(), entry(1, "signed_in")).await.expect("writes"));
    assert!(east.disable_account("zhang", entry(2, "disabled")).await.expect("writes"));
    let accept = async |token: &str, session_token: &str, minutes: i64| {
        let session = session("zhang", session_token, minutes);
        let (password, entries) = (hashed("h1"), vec![entry(minutes, "password_set"), entry(minutes, "signed_in")]);
        store
            .everywhere()
            .accept(Accepting { link: digest(token), password, at: at(minutes), begins: Begins::Session(session), entries })
            .await
            .expect("writes")
    };
    assert!(!accept("zhang zhang", "s1", 3).await, "it has ended with the account");
    assert!(invited_at(&east, "zhang", "new", true, 4).await);
    assert!(!accept("zhang new", "s1", 100).await, "too late");
    let account = east.account("zhang").await.expect("reads").expect("is there");
    assert!(account.disabled_at.is_some() && account.password.is_none() && !is_inside(&store, "s1").await);
    assert!(accept("zhang new", "s1", 50).await);
    assert!(!accept("zhang new", "s2", 51).await, "once");
    let account = east.account("zhang").await.expect("reads").expect("is there");
    assert_eq!((account.password, account.disabled_at), (Some(hashed("h1")), None), "it is open again");
    assert!(is_inside(&store, "s1").await && !is_inside(&store, "s2").await && !is_inside(&store, "before").await);
    assert_eq!(told(&east).await, ["invited", "signed_in", "disabled", "invited", "password_set", "signed_in"]);
    store.close().await;
    let store = open(&ground).await;
    assert!(is_inside(&store, "s1").await, "also after a restart");
}

async fn what_happened_is_told_the_latest_first(ground: Ground) {
    let store = open(&ground).await;
    let entries: Vec<Entry> = (0..7).map(|n| entry(n / 3, &format!("w{n}"))).collect();
    store.audit(entries.clone()).await.expect("writes");
    store.of("east").audit(vec![entry(9, "elsewhere")]).await.expect("writes");
    let mut before: Option<String> = None;
    let mut told = Vec::new();
    loop {
        let page = store.audit_trail(before.as_deref(), 3).await.expect("reads");
        let Some(last) = page.last() else { break };
        before = Some(last.id.clone());
        told.extend(page);
    }
    told.reverse();
    assert_eq!(told, entries, "those of one moment in their order, a page at a time, and nothing of another office");
}

async fn a_restored_database_has_nobody_inside(ground: Ground) {
    let store = open(&ground).await;
    assert!(invited(&store, "zhang", "zhang", false).await);
    assert!(store.begin_session(session("zhang", "t1", 1), Entering::default(), entry(1, "signed_in")).await.expect("writes"));
    store.mark_restored("copy", at(5)).await.expect("writes");
    assert!(!is_inside(&store, "t1").await);
    let wanted = Wanted { id: &digest("zhang zhang"), purpose: INVITATION, now: at(6) };
    assert_eq!(store.everywhere().link(wanted).await.expect("reads"), None);
    assert_eq!(store.accounts().await.expect("reads").len(), 1, "the account is there");
}
