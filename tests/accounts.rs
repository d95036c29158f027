//! Who may come in: invitations, signing in and out, locks, sessions and links of an office, on every kind of database; and how whoever looks
//! after accounts does it on the command line.

use crate::cli::Desk;
use crate::serve::Server;
use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::world::{all, app_over, app_under, moment, rules};
use duban::app::accounts::{By, INVITATION, NotAccepted, NotChanged, NotInvited, NotSet, NotSignedIn, Policy, SignedIn};
use duban::app::password::{Hashing, Weak, is_good};
use duban::app::{App, Offices};
use duban::kernel::model::Name;
use duban::store::StoreError;
use duban::store::accounts::digest;
use serde_json::json;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

stories!(
    a_person_is_invited_and_signs_in_and_out,
    wrong_passwords_lock_a_login_for_a_while,
    a_login_that_does_not_exist_looks_the_same,
    a_session_ends_by_time_by_a_new_password_and_with_the_account,
    an_invitation_is_good_once_and_not_for_long,
    nobody_is_invited_by_a_login_that_cannot_be,
    somebody_inside_chooses_another_password,
    a_link_is_for_one_thing,
    what_happened_is_told_without_a_secret,
);

const GOOD: &str = "correct horse battery";
const OTHER: &str = "staple of two mountains";

fn person(id: &str) -> Name {
    id.into()
}

/// The office on a Monday morning, with Carl invited and inside.
async fn office(ground: &Ground) -> (Arc<App>, Arc<Offices>, SignedIn) {
    let app = app_over(ground, "2026-03-02 09:00").await;
    let offices = all(&app);
    let invitation = app.invite(&Policy::default(), &person("carl"), None).await.unwrap();
    assert_eq!((invitation.login.as_str(), invitation.until), ("carl@example.com", moment("2026-03-09 09:00")));
    let inside = offices.accept_invitation(&Policy::default(), &invitation.token, GOOD, None).await.unwrap();
    (app, offices, inside)
}

async fn sign_in(offices: &Offices, login: &str, password: &str) -> Result<SignedIn, NotSignedIn> {
    offices.sign_in(&Policy::default(), login, password, Some("10.0.0.7")).await
}

async fn is_inside(offices: &Offices, token: &str) -> bool {
    offices.session(&Policy::default(), token).await.unwrap().is_some()
}

fn is_wrong(answer: &Result<SignedIn, NotSignedIn>) -> bool {
    matches!(answer, Err(NotSignedIn::Wrong))
}

fn is_locked(answer: &Result<SignedIn, NotSignedIn>, until_then: &str) -> bool {
    matches!(answer, Err(NotSignedIn::Locked { until }) if *until == moment(until_then))
}

async fn a_person_is_invited_and_signs_in_and_out(ground: Ground) {
    let (app, offices, accepted) = office(&ground).await;
    assert!(is_inside(&offices, &accepted.token).await);
    let first = sign_in(&offices, " Carl@Example.com ", GOOD).await.unwrap();
    let second = sign_in(&offices, "carl@example.com", GOOD).await.unwrap();
    let session = offices.session(&Policy::default(), &first.token).await.unwrap().unwrap();
    assert_eq!((&*session.jurisdiction, &*session.person, session.started_at), ("local", "carl", moment("2026-03-02 09:00")));
    assert_eq!(first.session, session);
    let tokens = [&accepted.token, &first.token, &second.token];
    assert!(tokens.iter().all(|token| token.len() == 64) && tokens[0] != tokens[1] && tokens[1] != tokens[2], "each time another");
    assert!(!is_inside(&offices, "").await && !is_inside(&offices, &"0".repeat(64)).await);

    offices.sign_out(&first.token).await.unwrap();
    offices.sign_out("guessed").await.unwrap();
    assert!(!is_inside(&offices, &first.token).await && is_inside(&offices, &second.token).await, "the others stay");
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", &"x".repeat(5000)).await));
    assert!(is_wrong(&sign_in(&offices, "ann@example.com", GOOD).await), "never invited");
    app.invite(&Policy::default(), &person("ann"), None).await.unwrap();
    assert!(is_wrong(&sign_in(&offices, "ann@example.com", "").await), "invited, without a password yet");

    // Without a password, for whom somebody else answers.
    let ann = offices.begin_session("local", &person("ann"), "demo", None).await.unwrap();
    assert!(is_inside(&offices, &ann.token).await);
    let stranger = offices.begin_session("local", &person("stranger"), "demo", None).await.unwrap();
    assert!(!is_inside(&offices, &stranger.token).await, "not in the directory");
}

async fn wrong_passwords_lock_a_login_for_a_while(ground: Ground) {
    let (app, offices, inside) = office(&ground).await;
    for _ in 0..4 {
        assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    }
    assert!(sign_in(&offices, "carl@example.com", GOOD).await.is_ok(), "the fifth is right, and counting begins anew");
    for _ in 0..5 {
        assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    }
    app.clock.set(moment("2026-03-02 09:14"));
    for password in [GOOD, OTHER] {
        assert!(is_locked(&sign_in(&offices, "carl@example.com", password).await, "2026-03-02 09:15"));
    }
    assert_eq!(app.accounts().await.unwrap()[0].locked_until, Some(moment("2026-03-02 09:15")));
    assert!(is_inside(&offices, &inside.token).await, "whoever is inside stays");
    app.clock.set(moment("2026-03-02 09:15"));
    assert_eq!(app.accounts().await.unwrap()[0].locked_until, None);
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    assert!(sign_in(&offices, "carl@example.com", GOOD).await.is_ok());
    // Whoever looks after accounts opens it at once.
    for _ in 0..5 {
        assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    }
    app.set_password(&Policy::default(), &person("carl"), OTHER).await.unwrap();
    assert!(sign_in(&offices, "carl@example.com", OTHER).await.is_ok());

    // Many who guess at once get no more tries than one.
    let crowd = (0..12).map(|n| {
        let offices = offices.clone();
        tokio::spawn(async move { sign_in(&offices, "carl@example.com", &format!("guess number {n}")).await })
    });
    let mut wrong = 0;
    for one in crowd.collect::<Vec<_>>() {
        wrong += usize::from(is_wrong(&one.await.unwrap()));
    }
    assert_eq!(wrong, 5);
}

async fn a_login_that_does_not_exist_looks_the_same(ground: Ground) {
    let (app, offices, _) = office(&ground).await;
    app.invite(&Policy::default(), &person("ann"), None).await.unwrap();
    app.invite(&Policy::default(), &person("hu"), None).await.unwrap();
    app.set_password(&Policy::default(), &person("hu"), OTHER).await.unwrap();
    app.disable_account(&person("hu")).await.unwrap();
    // Wrong password, not accepted yet, shut off (with the right password), nobody.
    let logins = ["carl@example.com", "ann@example.com", "hu@example.com", "nobody@example.com"];
    let mut fastest = [Duration::MAX; 4];
    for _ in 0..5 {
        for (login, fastest) in logins.iter().zip(&mut fastest) {
            let begun = Instant::now();
            assert!(is_wrong(&sign_in(&offices, login, OTHER).await), "{login}");
            *fastest = begun.elapsed().min(*fastest);
        }
    }
    let slowest = fastest.iter().max().unwrap();
    assert!(fastest.iter().all(|time| *time * 3 > *slowest), "the same work is done for all: {fastest:?}");
    for login in logins {
        assert!(is_locked(&sign_in(&offices, login, OTHER).await, "2026-03-02 09:15"), "{login}");
    }
    app.clock.set(moment("2026-03-02 09:15"));
    for login in logins {
        assert!(is_wrong(&sign_in(&offices, login, OTHER).await), "{login}");
    }
}

async fn a_session_ends_by_time_by_a_new_password_and_with_the_account(ground: Ground) {
    let (app, offices, idle) = office(&ground).await;
    let busy = sign_in(&offices, "carl@example.com", GOOD).await.unwrap();
    let seen = async |token: &str, at: &str| {
        app.clock.set(moment(at));
        is_inside(&offices, token).await
    };
    assert!(seen(&busy.token, "2026-03-02 09:29").await);
    assert!(!seen(&idle.token, "2026-03-02 09:30").await, "half an hour of nothing");
    app.clock.set(moment("2026-03-02 09:29"));
    assert!(!is_inside(&offices, &idle.token).await, "it is gone, whatever the clock says later");
    for hour in 9..17 {
        for minutes in ["00", "20", "40", "59"] {
            if hour > 9 || minutes > "29" {
                assert!(seen(&busy.token, &format!("2026-03-02 {hour:02}:{minutes}")).await, "{hour}:{minutes}");
            }
        }
    }
    assert!(!seen(&busy.token, "2026-03-02 17:00").await, "eight hours, however busy");

    let [one, two] =
        [sign_in(&offices, "carl@example.com", GOOD).await.unwrap(), sign_in(&offices, "carl@example.com", GOOD).await.unwrap()];
    app.set_password(&Policy::default(), &person("carl"), OTHER).await.unwrap();
    assert!(!is_inside(&offices, &one.token).await && !is_inside(&offices, &two.token).await);
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", GOOD).await));
    let three = sign_in(&offices, "carl@example.com", OTHER).await.unwrap();
    assert!(app.disable_account(&person("carl")).await.unwrap() && !app.disable_account(&person("carl")).await.unwrap());
    assert!(!is_inside(&offices, &three.token).await);
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await));
    let refused = offices.begin_session("local", &person("carl"), "demo", None).await;
    assert!(matches!(refused, Err(StoreError::NotDone(_))), "{refused:?}");
    // An invitation opens the account again.
    let invitation = app.invite(&Policy::default(), &person("carl"), None).await.unwrap();
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", OTHER).await), "not before it is accepted");
    let back = offices.accept_invitation(&Policy::default(), &invitation.token, GOOD, None).await.unwrap();
    assert!(is_inside(&offices, &back.token).await);
}

async fn an_invitation_is_good_once_and_not_for_long(ground: Ground) {
    let (app, offices, inside) = office(&ground).await;
    let policy = Policy::default();
    let accept = async |token: &str, password: &str| offices.accept_invitation(&policy, token, password, None).await;
    let is_dead = |answer: &Result<SignedIn, NotAccepted>| matches!(answer, Err(NotAccepted::Link));
    assert!(is_dead(&accept("guessed", GOOD).await));
    let first = app.invite(&policy, &person("ann"), None).await.unwrap();
    let second = app.invite(&policy, &person("ann"), None).await.unwrap();
    assert!(is_dead(&accept(&first.token, GOOD).await), "an earlier one has ended");
    for (password, why) in [
        ("ann", Weak::Short { least: 10 }),
        ("ann@example.com", Weak::Name),
        ("1234567890", Weak::Common),
        (&*"长".repeat(400), Weak::Long),
    ] {
        let weak = accept(&second.token, password).await;
        assert!(matches!(&weak, Err(NotAccepted::Weak(found)) if *found == why), "{password}: {weak:?}");
    }
    app.clock.set(moment("2026-03-09 08:59"));
    let [one, other] = [accept(&second.token, GOOD), accept(&second.token, OTHER)];
    let (one, other) = tokio::join!(one, other);
    assert!(one.is_ok() != other.is_ok() && (is_dead(&one) || is_dead(&other)), "of two at once one gets it: {one:?} {other:?}");
    let password = if one.is_ok() { GOOD } else { OTHER };
    assert!(sign_in(&offices, "ann@example.com", password).await.is_ok());
    assert!(is_dead(&accept(&second.token, GOOD).await), "once");
    let late = app.invite(&policy, &person("hu"), None).await.unwrap();
    app.clock.set(moment("2026-03-16 08:59"));
    assert!(is_dead(&accept(&late.token, GOOD).await));

    // Whoever has forgotten the password is invited again, and others who may know it are outside then.
    let again = app.invite(&policy, &person("carl"), None).await.unwrap();
    let known = sign_in(&offices, "carl@example.com", GOOD).await.unwrap();
    let anew = accept(&again.token, OTHER).await.unwrap();
    assert!(
        !is_inside(&offices, &known.token).await && !is_inside(&offices, &inside.token).await && is_inside(&offices, &anew.token).await
    );
    // A link for something else is no invitation, and an invitation is nothing else.
    let other = app.make_link(&person("carl"), "acknowledge", json!({}), moment("2026-03-30 09:00")).await.unwrap();
    assert!(is_dead(&accept(&other, GOOD).await));
    let invitation = app.invite(&policy, &person("carl"), None).await.unwrap();
    assert!(offices.use_link(&invitation.token, "acknowledge", None).await.unwrap().is_none());
    assert!(offices.find_link(&invitation.token, INVITATION).await.unwrap().is_some());
}

async fn nobody_is_invited_by_a_login_that_cannot_be(ground: Ground) {
    let (app, _, _) = office(&ground).await;
    let invite = async |person: &str, login: Option<&str>| app.invite(&Policy::default(), &person.into(), login).await;
    assert!(matches!(invite("nobody", None).await, Err(NotInvited::UnknownPerson(_))));
    assert!(matches!(invite("ann", Some("Carl@example.com")).await, Err(NotInvited::Taken(_))));
    for login in ["", " ", "an n", "a\nn", &"a".repeat(300)] {
        assert!(matches!(invite("ann", Some(login)).await, Err(NotInvited::BadLogin(_))), "{login:?}");
    }
    assert_eq!(invite("ann", Some(" ANN ")).await.unwrap().login, "ann");
    assert_eq!(invite("ann", None).await.unwrap().login, "ann", "it stays");
    assert_eq!(invite("ann", Some("ann@example.com")).await.unwrap().login, "ann@example.com");
    assert!(matches!(app.set_password(&Policy::default(), &person("hu"), GOOD).await, Err(NotSet::NoAccount(_))));
    assert!(matches!(app.set_password(&Policy::default(), &person("carl"), "short").await, Err(NotSet::Weak(Weak::Short { least: 10 }))));
}

async fn somebody_inside_chooses_another_password(ground: Ground) {
    let (_, offices, inside) = office(&ground).await;
    let elsewhere = sign_in(&offices, "carl@example.com", GOOD).await.unwrap();
    let change = async |old: &str, new: &str| offices.change_password(&Policy::default(), &inside.session, old, new, None).await;
    assert!(matches!(change(GOOD, "short").await, Err(NotChanged::Weak(Weak::Short { .. }))));
    assert!(matches!(change(OTHER, OTHER).await, Err(NotChanged::Wrong)) && is_inside(&offices, &inside.token).await);
    let anew = change(GOOD, OTHER).await.unwrap();
    assert!(anew.token != inside.token && is_inside(&offices, &anew.token).await, "a token of its own");
    assert!(!is_inside(&offices, &inside.token).await && !is_inside(&offices, &elsewhere.token).await);
    assert!(is_wrong(&sign_in(&offices, "carl@example.com", GOOD).await) && sign_in(&offices, "carl@example.com", OTHER).await.is_ok());
    // Whoever has found an open browser cannot guess for long.
    for _ in 0..5 {
        assert!(matches!(change(GOOD, "one more of them all").await, Err(NotChanged::Wrong)));
    }
    assert!(matches!(change(OTHER, "one more of them all").await, Err(NotChanged::Locked { .. })));
    // Who came in without a password has none to change.
    let ann = offices.begin_session("local", &person("ann"), "demo", None).await.unwrap();
    let refused = offices.change_password(&Policy::default(), &ann.session, "", GOOD, None).await;
    assert!(matches!(refused, Err(NotChanged::Wrong)), "{refused:?}");
}

async fn a_link_is_for_one_thing(ground: Ground) {
    let (app, offices, _) = office(&ground).await;
    let about = json!({ "item": "r1" });
    let token = app.make_link(&person("hu"), "acknowledge", about.clone(), moment("2026-04-01 09:00")).await.unwrap();
    for _ in 0..10 {
        let found = offices.find_link(&token, "acknowledge").await.unwrap().unwrap();
        assert_eq!((&*found.person, &found.about, found.until), ("hu", &about, moment("2026-04-01 09:00")), "looking changes nothing");
        assert!(offices.find_link(&token, "rate").await.unwrap().is_none());
    }
    let east = App::open(app.store.of("east"), app.rules(), app.clock.clone()).await.unwrap();
    assert!(east.find_link(&token, "acknowledge").await.unwrap().is_none(), "of another office");
    assert!(east.use_link(&token, "acknowledge", None).await.unwrap().is_none());
    let both = tokio::join!(offices.use_link(&token, "acknowledge", None), app.use_link(&token, "acknowledge", None));
    let (one, other) = (both.0.unwrap(), both.1.unwrap());
    assert!(one.is_some() != other.is_some(), "one of two gets it");
    let late = app.make_link(&person("hu"), "acknowledge", about, moment("2026-04-01 09:00")).await.unwrap();
    app.clock.set(moment("2026-04-01 09:00"));
    assert!(
        app.find_link(&late, "acknowledge").await.unwrap().is_none() && app.use_link(&late, "acknowledge", None).await.unwrap().is_none()
    );
}

async fn what_happened_is_told_without_a_secret(ground: Ground) {
    let (app, offices, inside) = office(&ground).await;
    for _ in 0..5 {
        sign_in(&offices, "carl@example.com", OTHER).await.unwrap_err();
    }
    // Somebody types the password where the login goes.
    sign_in(&offices, GOOD, "").await.unwrap_err();
    offices.sign_out(&inside.token).await.unwrap();
    offices.audit("local", Some(&person("ann")), "denied", json!({ "route": "/items/r1" }), Some("10.0.0.8")).await.unwrap();
    let by = By { person: Some(person("hu")), via: Some("page".into()), source: None };
    app.disable_account_by(&by, &person("carl")).await.unwrap();
    let mut trail = app.audit_trail(None, 100).await.unwrap();
    trail.reverse();
    let told: Vec<(&str, Option<&str>, Option<&str>)> =
        trail.iter().map(|row| (row.what.as_str(), row.person.as_deref(), row.source.as_deref())).collect();
    let failed = ("sign_in_failed", Some("carl"), Some("10.0.0.7"));
    let mut expected = vec![("invited", Some("carl"), None), ("password_set", Some("carl"), None), ("signed_in", Some("carl"), None)];
    expected.extend([failed; 5]);
    expected.extend([
        ("locked", Some("carl"), Some("10.0.0.7")),
        ("sign_in_failed", None, Some("10.0.0.7")),
        ("signed_out", Some("carl"), None),
        ("denied", Some("ann"), Some("10.0.0.8")),
        ("disabled", Some("carl"), None),
    ]);
    assert_eq!(told, expected);
    assert_eq!(trail.last().unwrap().about, json!({ "by": "hu", "via": "page" }));
    let text = format!("{trail:?} {inside:?} {:?}", app.accounts().await.unwrap());
    let account = app.store.account("carl").await.unwrap().unwrap();
    let hash = account.password.clone().unwrap().0;
    for secret in [GOOD, OTHER, &inside.token, &hash, "argon2"] {
        assert!(!text.contains(secret) && !format!("{account:?}").contains(secret), "{secret}");
    }
}

/// What somebody with a copy of the file finds in it.
#[tokio::test]
async fn no_token_and_no_password_lies_in_the_database() {
    let ground = Ground::file();
    let (app, offices, inside) = office(&ground).await;
    let link = app.make_link(&person("hu"), "acknowledge", json!({}), moment("2026-04-01 09:00")).await.unwrap();
    let invitation = app.invite(&Policy::default(), &person("ann"), None).await.unwrap();
    sign_in(&offices, "carl@example.com", OTHER).await.unwrap_err();
    drop(offices);
    app.store.clone().close().await;
    let mut bytes = std::fs::read(ground.path()).unwrap();
    bytes.extend(std::fs::read(ground.beside("duban.db-wal")).unwrap_or_default());
    let holds = |text: &str| bytes.windows(text.len()).any(|found| found == text.as_bytes());
    assert!(holds("carl@example.com") && holds("$argon2id$v=19$m=19456,t=2,p=1$"));
    for secret in [GOOD, OTHER, &inside.token, &link, &invitation.token] {
        assert!(!holds(secret), "{secret}");
    }
}

#[tokio::test]
async fn who_has_left_the_directory_is_outside() {
    let folder = tempfile::tempdir().unwrap();
    let app = crate::support::world::app(folder.path(), "2026-03-02 09:00").await;
    let offices = all(&app);
    let [ann, carl] = ["ann", "carl"].map(person);
    let mut inside = Vec::new();
    for who in [&ann, &carl] {
        app.invite(&Policy::default(), who, None).await.unwrap();
        app.set_password(&Policy::default(), who, GOOD).await.unwrap();
        inside.push(sign_in(&offices, &format!("{who}@example.com"), GOOD).await.unwrap());
    }
    let late = app.invite(&Policy::default(), &ann, None).await.unwrap();
    drop(offices);
    app.store.clone().close().await;
    drop(app);
    let without_ann = rules(|_, text| text.replace("  ann: ", "  somebody: "));
    let app = app_under(folder.path(), "2026-03-02 09:10", without_ann).await.unwrap();
    let offices = all(&app);
    assert!(!is_inside(&offices, &inside[0].token).await && is_inside(&offices, &inside[1].token).await, "also after a restart");
    assert!(is_wrong(&sign_in(&offices, "ann@example.com", GOOD).await));
    let refused = offices.accept_invitation(&Policy::default(), &late.token, OTHER, None).await;
    assert!(matches!(refused, Err(NotAccepted::Link)), "{refused:?}");
    assert!(sign_in(&offices, "carl@example.com", GOOD).await.is_ok());
}

#[tokio::test]
async fn offices_of_one_database_have_their_own_people() {
    let ground = Ground::file();
    let (app, offices, _) = office(&ground).await;
    let east = App::open(app.store.of("east"), app.rules(), app.clock.clone()).await.unwrap();
    assert!(
        matches!(east.invite(&Policy::default(), &person("carl"), None).await, Err(NotInvited::Taken(_))),
        "a login leads to one office"
    );
    east.invite(&Policy::default(), &person("carl"), Some("carl.east")).await.unwrap();
    east.set_password(&Policy::default(), &person("carl"), OTHER).await.unwrap();
    let inside = sign_in(&offices, "carl.east", OTHER).await.unwrap();
    assert_eq!(&*inside.session.jurisdiction, "east");
    assert_eq!((app.accounts().await.unwrap().len(), east.accounts().await.unwrap().len()), (1, 1));
    assert!(app.audit_trail(None, 100).await.unwrap().iter().all(|row| row.about["login"] != "carl.east"));
    app.disable_account(&person("carl")).await.unwrap();
    assert!(is_inside(&offices, &inside.token).await, "the other Carl");
}

#[test]
fn a_password_is_good_enough_or_says_why_not() {
    let names = ["zhang.wei@example.gov.cn", "zhangwei", "Zhang Wei"];
    let judge = |password: &str| is_good(password, 10, &names);
    for good in ["correct horse battery", "三个互不相干的词放在一起", &"ab1!x".repeat(25), "zhang wei likes tea", " leading and trailing "]
    {
        assert_eq!(judge(good), Ok(()), "{good}");
    }
    assert_eq!(judge("九个字不够长啊啊啊"), Err(Weak::Short { least: 10 }), "characters, not bytes");
    assert_eq!((judge(&"abcdefgh".repeat(128)), judge(&"abcdefgh1".repeat(114))), (Ok(()), Err(Weak::Long)));
    for name in ["zhang.wei@example.gov.cn", "Zhang.Wei2026!", "zhangwei1990", "12345zhangwei", "Zhang Wei 88"] {
        assert_eq!(judge(name), Err(Weak::Name), "{name}");
    }
    for common in [
        "Password123",
        "password2026!",
        "1234567890",
        "abcdefghij",
        "QWERTYUIOP",
        "aaaaaaaaaaaa",
        "1212121212",
        "123456789woaini",
        "Admin@2026!!",
        "1qaz2wsx3edc",
    ] {
        assert_eq!(judge(common), Err(Weak::Common), "{common}");
    }
}

/// However many come, few are hashed at once, some wait, and the rest are told so at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_that_signs_in_waits_or_is_sent_away() {
    static SMALL: Hashing = Hashing::new(1, 2);
    let places: Vec<_> = (0..10).map(|_| SMALL.place()).collect();
    assert_eq!(places.iter().filter(|place| place.is_ok()).count(), 3);
    let hashing = places.into_iter().flatten().map(|place| tokio::spawn(place.hash(GOOD)));
    let mut kept = Vec::new();
    for one in hashing.collect::<Vec<_>>() {
        kept.push(one.await.unwrap().unwrap());
    }
    assert!(kept[0] != kept[1] && kept[1] != kept[2], "each with a salt of its own");
    for (password, kept, is) in [(GOOD, Some(&kept[0]), true), (OTHER, Some(&kept[0]), false), (GOOD, None, false), ("", None, false)] {
        let place = SMALL.place().expect("the places were given back");
        assert_eq!(place.is(password, kept).await, Ok(is), "{password}");
    }
    // Whoever gives up leaves the work to its end, and then the place is free again.
    let place = SMALL.place().unwrap();
    drop(tokio::time::timeout(Duration::ZERO, place.hash(GOOD)).await);
    while (0..3).map(|_| SMALL.place()).collect::<Vec<_>>().iter().any(Result::is_err) {
        tokio::task::yield_now().await;
    }
}

/// A command with something on its standard input.
fn typed(desk: &Desk, arguments: &[&str], input: &str) -> crate::cli::Answer {
    let mut command = desk.command(arguments);
    let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    process.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = process.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    crate::cli::Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn the_command_invites_lists_sets_a_password_and_shuts_off() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["account", "list"]).code, 4, "there is no database yet");
    desk.submitted("a1");
    assert!(desk.run(&["account"]).err.contains("还没有账号"));
    let invited = desk.run(&["account", "invite", "曾海敏", "--login", "Zeng"]);
    assert!(invited.code == 0 && invited.out.contains("\n/welcome/") && invited.err.contains("web.origin"), "{invited:?}");
    std::fs::write(desk.folder.path().join("duban.yaml"), "web: { origin: 'https://duban.example.gov.cn', invitation_days: 2 }\n").unwrap();
    let again = desk.json(&["account", "invite", "曾海敏"]);
    let link = again["link"].as_str().unwrap();
    assert!(link.starts_with("https://duban.example.gov.cn/welcome/") && again["login"] == "zeng", "{again}");
    for (arguments, words) in [
        (&["account", "invite", "nobody"][..], "通讯录中没有“nobody”"),
        (&["account", "invite", "马少斌", "--login", "zeng"], "别人的登录名"),
        (&["account", "invite", "马少斌", "--login", "z eng"], "不能做登录名"),
    ] {
        let refused = desk.run(arguments);
        assert!(refused.code == 1 && refused.err.contains(words), "{refused:?}");
    }
    let list = |standing: &str| {
        let listed = desk.json(&["account", "list"]);
        let rows = listed["accounts"].as_array().unwrap();
        assert_eq!((rows.len(), &rows[0]["standing"], &rows[0]["login"]), (1, &json!(standing), &json!("zeng")), "{listed}");
    };
    list("invited");
    let weak = typed(&desk, &["account", "password", "曾海敏"], "short\n");
    assert!(weak.code == 1 && weak.err.contains("至少要10个字符"), "{weak:?}");
    assert_eq!(typed(&desk, &["account", "password", "马少斌"], "correct horse battery\n").code, 1, "without an account");
    let set = typed(&desk, &["account", "password", "曾海敏"], "correct horse battery\n");
    assert!(set.code == 0 && !format!("{set:?}").contains("horse"), "{set:?}");
    list("open");
    assert!(desk.run(&["account", "list"]).out.contains("可以登录"));
    assert_eq!(desk.run(&["account", "disable", "曾海敏"]).code, 0);
    assert_eq!(desk.run(&["account", "disable", "曾海敏"]).code, 1, "once");
    list("disabled");
    assert_eq!(desk.run(&["account", "password", "曾海敏", "correct horse battery"]).code, 2, "never as an argument");
    assert_eq!(desk.run(&["doctor"]).code, 0);
}

#[test]
fn the_command_goes_through_the_server_that_holds_the_file() {
    let desk = Desk::new();
    desk.submitted("a1");
    std::fs::write(
        desk.folder.path().join("duban.yaml"),
        format!("web: {{ password_length: 12 }}\noffice_tokens: [{}]\n", digest("a program's")),
    )
    .unwrap();
    let server = Server::start(&desk, &[]);
    server.until_ready();
    let invited = desk.json(&["account", "invite", "曾海敏", "--login", "zeng"]);
    assert!(invited["link"].as_str().unwrap().starts_with("/welcome/"), "{invited}");
    let weak = typed(&desk, &["account", "password", "曾海敏"], "eleven char\n");
    assert!(weak.code == 1 && weak.err.contains("至少要12个字符"), "{weak:?}");
    assert_eq!(typed(&desk, &["account", "password", "曾海敏"], "correct horse battery\n").code, 0);
    assert_eq!(desk.json(&["account"])["accounts"][0]["standing"], "open");
    let taken = desk.run(&["account", "invite", "马少斌", "--login", "ZENG"]);
    assert!(taken.code == 1 && taken.err.contains("别人的登录名"), "{taken:?}");
    assert_eq!(
        desk.run(&["account", "disable", "曾海敏", "--lang", "en"]).out.trim().split(" is ").nth(1),
        Some("shut off; sessions and links have ended.")
    );
    let wish = json!({ "person": "x", "what": "disable", "by": {} }).to_string();
    assert_eq!(server.ask("POST", "/local/accounts", &[], &wish).0, 401);
    let program = server.ask("POST", "/local/accounts", &["authorization: Bearer a program's"], &wish);
    assert_eq!(program.0, 403, "a program of the office lets nobody in: {program:?}");
}

#[test]
fn settings_of_the_pages_are_within_reason() {
    let desk = Desk::new();
    desk.submitted("a1");
    for (line, words) in [
        ("idle_minutes: 0", "web.idle_minutes 不能是“0”：请写 1 到 1440"),
        ("session_hours: 169", "1 到 168"),
        ("password_length: 7", "8 到 128"),
        ("lock_after: 0", "1 到 100"),
        ("lock_minutes: 121", "1 到 120"),
        ("invitation_days: 61", "1 到 60"),
        ("origin: 'https://duban.example.gov.cn/'", "web.origin 不能是"),
        ("origin: 'duban.example.gov.cn'", "web.origin 不能是"),
        ("origin: 'ftp://duban.example.gov.cn'", "web.origin 不能是"),
        ("idle_minute: 3", "idle_minutes"),
    ] {
        std::fs::write(desk.folder.path().join("duban.yaml"), format!("web:\n  {line}\n")).unwrap();
        let refused = desk.run(&["account"]);
        assert!(refused.code == 2 && refused.err.contains(words), "{line}: {refused:?}");
    }
    let fine = "web: { origin: 'http://127.0.0.1:8080', idle_minutes: 15, session_hours: 10, lock_after: 3, lock_minutes: 30 }\n";
    std::fs::write(desk.folder.path().join("duban.yaml"), fine).unwrap();
    assert_eq!(desk.run(&["account"]).code, 0);
    let named = desk.command(&["account"]).env("DUBAN_ORIGIN", "nowhere").output().unwrap();
    assert_eq!(named.status.code(), Some(2), "{named:?}");
}
