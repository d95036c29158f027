//! Coming in by two steps, what somebody does who tries to get round them, and a page for oneself; over every store and as a browser does it.

use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::world::{World, all, app_over, app_under, command, moment, rules, submit};
use crate::web::{Answer, Browser, House, PASSWORD, form};
use chrono::TimeDelta;
use duban::app::accounts::{By, NotAccepted, NotEnrolled, NotPassed, NotSignedIn, Policy, SignedIn};
use duban::app::{App, Offices, totp};
use duban::kernel::access::SYSTEM_ADMINISTRATORS;
use duban::kernel::model::Name;
use duban::kernel::model::value::Value;
use duban::store::second::Secret;
use duban::web::Gate;
use std::sync::Arc;

stories!(
    a_second_step_begins_and_is_asked_from_then_on,
    a_code_and_a_recovery_code_are_good_once,
    wrong_codes_lock_and_the_password_does_not_make_them_forgotten,
    whoever_must_have_a_second_step_begins_one_at_the_door,
    half_a_session_ends_with_the_password_the_account_and_time,
    whoever_lost_the_device_is_helped_by_another,
);

const LOGIN: &str = "carl@example.com";

fn carl() -> Name {
    "carl".into()
}

/// Carl inside, with a second step in use, its secret and recovery codes.
struct Office {
    app: Arc<App>,
    offices: Arc<Offices>,
    inside: SignedIn,
    secret: Secret,
    codes: Vec<String>,
}

async fn office(ground: &Ground) -> Office {
    let app = app_over(ground, "2026-03-02 09:00").await;
    let offices = all(&app);
    let invitation = app.invite(&Policy::default(), &carl(), None).await.unwrap();
    let inside = offices.accept_invitation(&Policy::default(), &invitation.token, PASSWORD, None).await.unwrap();
    app.propose_second_step(&carl()).await.unwrap();
    let secret = app.second_step(&carl()).await.unwrap().pending.unwrap();
    let session = (&carl(), inside.token.as_str());
    let wrong = offices.enrol(&Policy::default(), &app, session, "000000", None).await;
    assert!(matches!(wrong, Err(NotEnrolled::Wrong)));
    let codes = offices.enrol(&Policy::default(), &app, session, &now(&app, &secret), None).await.unwrap().0;
    Office { app, offices, inside, secret, codes }
}

/// What the device shows.
fn now(app: &App, secret: &Secret) -> String {
    totp::code(secret, totp::step_at(app.now())).unwrap()
}

/// A code that is not that of any step near.
fn wrong(app: &App, secret: &Secret) -> String {
    let step = totp::step_at(app.now());
    let good: Vec<String> = (step - 2..=step + 2).filter_map(|step| totp::code(secret, step)).collect();
    (0..).map(|n| format!("{n:06}")).find(|code| !good.contains(code)).unwrap()
}

fn goes_on(app: &App) {
    app.clock.set(app.now() + TimeDelta::minutes(1));
}

async fn half(offices: &Offices) -> String {
    match offices.sign_in(&Policy::default(), LOGIN, PASSWORD, Some("10.0.0.7")).await {
        Err(NotSignedIn::Second(half)) => half.token,
        other => panic!("{other:?}"),
    }
}

async fn is_inside(offices: &Offices, token: &str) -> bool {
    offices.session(&Policy::default(), token).await.unwrap().is_some()
}

#[test]
fn codes_are_those_of_the_standard() {
    // RFC 6238, appendix B, the last six digits.
    let secret = Secret(totp::base32(b"12345678901234567890"));
    assert_eq!(secret.0, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    let vectors = [
        (59, "287082"),
        (1_111_111_109, "081804"),
        (1_111_111_111, "050471"),
        (1_234_567_890, "005924"),
        (2_000_000_000, "279037"),
        (20_000_000_000, "353130"),
    ];
    for (second, code) in vectors {
        let at = chrono::DateTime::from_timestamp(second, 0).unwrap();
        assert_eq!(totp::code(&secret, totp::step_at(at)).as_deref(), Some(code));
        assert_eq!(totp::step_of(&secret, code, at + TimeDelta::seconds(30), 0), Some(second / 30), "a little late");
        assert_eq!(totp::step_of(&secret, code, at + TimeDelta::seconds(90), 0), None, "too late");
        assert_eq!(totp::step_of(&secret, code, at, second / 30), None, "used");
    }
    assert!(totp::address(&secret, "建议 & Co", "a@b").starts_with("otpauth://totp/%E5%BB%BA%E8%AE%AE%20%26%20Co:a%40b?secret=GEZD"));
    assert_eq!(totp::new_secret().0.len(), 32);
    assert!(totp::new_secret() != totp::new_secret() && !format!("{secret:?}").contains("GEZD"));
}

async fn a_second_step_begins_and_is_asked_from_then_on(ground: Ground) {
    let Office { app, offices, inside, secret, codes } = office(&ground).await;
    assert_eq!(codes.len(), 10);
    assert!(is_inside(&offices, &inside.token).await);
    assert_eq!(app.accounts().await.unwrap()[0].second_at, Some(moment("2026-03-02 09:00")));
    goes_on(&app);
    let half = half(&offices).await;
    assert!(!is_inside(&offices, &half).await, "half a session is none");
    let asked = offices.half_inside(&half).await.unwrap().unwrap();
    assert!(&*asked.person == "carl" && asked.begins.is_none(), "no secret is shown again");
    let passed = offices.pass(&Policy::default(), &half, &now(&app, &secret), Some("10.0.0.7")).await.unwrap();
    assert!(is_inside(&offices, &passed.inside.token).await && passed.codes.is_none() && passed.inside.token != half);
    assert!(matches!(offices.pass(&Policy::default(), &half, &now(&app, &secret), None).await, Err(NotPassed::Over)), "once");
    // The same over an invitation: whoever takes over the mail box has a password, and is outside still.
    let again = app.invite(&Policy::default(), &carl(), None).await.unwrap();
    let accepted = offices.accept_invitation(&Policy::default(), &again.token, "another good password", None).await;
    let Err(NotAccepted::Second(half)) = accepted else { panic!("{accepted:?}") };
    assert!(!is_inside(&offices, &half.token).await && !is_inside(&offices, &passed.inside.token).await);
    goes_on(&app);
    assert!(offices.pass(&Policy::default(), &half.token, &now(&app, &secret), None).await.is_ok());
    // Nothing that would open anything is told.
    let told = format!("{:?} {:?} {passed:?} {half:?}", app.audit_trail(None, 100).await.unwrap(), app.second_step(&carl()).await.unwrap());
    assert!(!told.contains(&secret.0) && !codes.iter().any(|code| told.contains(code)), "{told}");
    assert!(app.store.check_audit().await.unwrap() > 5);
}

async fn a_code_and_a_recovery_code_are_good_once(ground: Ground) {
    let Office { app, offices, secret, codes, .. } = office(&ground).await;
    let pass = async |half: &str, code: &str| offices.pass(&Policy::default(), half, code, None).await;
    // The code by which it began was seen by whoever looked over the shoulder.
    let first = half(&offices).await;
    assert!(matches!(pass(&first, &now(&app, &secret)).await, Err(NotPassed::Wrong)));
    goes_on(&app);
    let seen = now(&app, &secret);
    assert!(pass(&first, &seen).await.is_ok());
    let second = half(&offices).await;
    assert!(matches!(pass(&second, &seen).await, Err(NotPassed::Wrong)), "the same code again");
    let typed = codes[3].to_lowercase().replace('-', " ");
    assert!(pass(&second, &typed).await.is_ok());
    assert_eq!(app.second_step(&carl()).await.unwrap().codes_left, 9);
    let third = half(&offices).await;
    assert!(matches!(pass(&third, &typed).await, Err(NotPassed::Wrong)), "a recovery code twice");
    // Of two who show the same code at once, one comes in.
    goes_on(&app);
    let (code, fourth) = (now(&app, &secret), half(&offices).await);
    let (one, other) = tokio::join!(pass(&fourth, &code), pass(&fourth, &code));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
}

async fn wrong_codes_lock_and_the_password_does_not_make_them_forgotten(ground: Ground) {
    let Office { app, offices, secret, .. } = office(&ground).await;
    goes_on(&app);
    for _ in 0..5 {
        let half = half(&offices).await;
        let no = offices.pass(&Policy::default(), &half, &wrong(&app, &secret), None).await;
        assert!(matches!(no, Err(NotPassed::Wrong)), "{no:?}");
    }
    let locked_until = app.accounts().await.unwrap()[0].locked_until.unwrap();
    let half_again = half(&offices).await;
    for code in [now(&app, &secret), wrong(&app, &secret)] {
        let no = offices.pass(&Policy::default(), &half_again, &code, None).await;
        assert!(matches!(no, Err(NotPassed::Locked { until }) if until == locked_until), "{no:?}");
    }
    app.clock.set(locked_until);
    let half = half(&offices).await;
    assert!(offices.pass(&Policy::default(), &half, &now(&app, &secret), None).await.is_ok());
    let trail = app.audit_trail(None, 100).await.unwrap();
    assert_eq!(trail.iter().filter(|row| row.what == "second_step_failed").count(), 1 + 5);
    assert_eq!(trail.iter().filter(|row| row.what == "locked").count(), 1);
}

async fn whoever_must_have_a_second_step_begins_one_at_the_door(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 09:00").await;
    let offices = all(&app);
    let policy = Policy { second_step: vec!["clerks".into()], ..Policy::default() };
    let invitation = app.invite(&policy, &carl(), None).await.unwrap();
    let accepted = offices.accept_invitation(&policy, &invitation.token, PASSWORD, None).await;
    let Err(NotAccepted::Second(first)) = accepted else { panic!("{accepted:?}") };
    let shown = offices.half_inside(&first.token).await.unwrap().unwrap().begins.expect("a device begins");
    // Somebody looks again, or begins again: it is the same secret, so that what was scanned stays right.
    let signed_in = offices.sign_in(&policy, LOGIN, PASSWORD, None).await;
    let Err(NotSignedIn::Second(half)) = signed_in else { panic!("{signed_in:?}") };
    assert!(offices.half_inside(&first.token).await.unwrap().is_none(), "one half at a time");
    assert_eq!(offices.half_inside(&half.token).await.unwrap().unwrap().begins.unwrap().secret, shown.secret);
    assert!(matches!(offices.pass(&policy, &half.token, &wrong(&app, &shown.secret), None).await, Err(NotPassed::Wrong)));
    let passed = offices.pass(&policy, &half.token, &now(&app, &shown.secret), None).await.unwrap();
    assert_eq!(passed.codes.unwrap().0.len(), 10);
    assert!(is_inside(&offices, &passed.inside.token).await);
    // Of others nothing is asked.
    let ann = app.invite(&policy, &"ann".into(), None).await.unwrap();
    assert!(offices.accept_invitation(&policy, &ann.token, PASSWORD, None).await.is_ok());
}

async fn half_a_session_ends_with_the_password_the_account_and_time(ground: Ground) {
    let Office { app, offices, secret, .. } = office(&ground).await;
    goes_on(&app);
    let is_over =
        async |half: &str| matches!(offices.pass(&Policy::default(), half, &now(&app, &secret), None).await, Err(NotPassed::Over));
    let slow = half(&offices).await;
    app.clock.set(app.now() + TimeDelta::minutes(10));
    assert!(is_over(&slow).await);
    let old = half(&offices).await;
    app.set_password(&Policy::default(), &carl(), PASSWORD).await.unwrap();
    assert!(is_over(&old).await, "another password");
    let off = half(&offices).await;
    app.disable_account(&carl()).await.unwrap();
    assert!(is_over(&off).await, "shut off");
    assert!(is_over("guessed").await);
}

async fn whoever_lost_the_device_is_helped_by_another(ground: Ground) {
    let Office { app, offices, inside, .. } = office(&ground).await;
    let by = By { person: Some("hu".into()), via: Some("web".into()), source: None };
    assert!(app.drop_second_step(&by, &carl(), None).await.unwrap() && !app.drop_second_step(&by, &carl(), None).await.unwrap());
    assert!(!is_inside(&offices, &inside.token).await);
    assert!(offices.sign_in(&Policy::default(), LOGIN, PASSWORD, None).await.is_ok(), "the password alone");
    let trail = app.audit_trail(None, 100).await.unwrap();
    let reset = trail.iter().find(|row| row.what == "second_step_reset").unwrap();
    assert_eq!((reset.person.as_deref(), reset.about["by"].as_str()), (Some("carl"), Some("hu")));
}

// As a browser does it.

/// Carl with a second step in use, by the page; and its secret.
async fn with_second_step(house: &House) -> (Browser<'_>, Secret) {
    let carl = house.signed_in("carl").await;
    let no = carl.send("/me/second", &[("do", "begin"), ("password", "not this one")]).await;
    assert!(no.status == 422 && no.text().contains("The present password is not right"), "{}", no.text());
    assert_eq!(carl.send("/me/second", &[("do", "begin"), ("password", PASSWORD)]).await.to(), "/me#second");
    let page = carl.get("/me").await;
    assert!(page.body.contains("<svg class=\"qr\""), "{}", page.body);
    let secret = house.app.second_step(&"carl".into()).await.unwrap().pending.unwrap();
    assert!(page.text().replace(' ', "").contains(&secret.0), "{}", page.text());
    let done = carl.send("/me/second", &[("do", "confirm"), ("code", &now(&house.app, &secret))]).await;
    assert!(done.text().contains("The second step is in use.") && done.body.contains("class=\"codes\""), "{}", done.text());
    let after = carl.get("/me").await;
    assert!(!after.body.contains("class=\"codes\"") && !after.text().replace(' ', "").contains(&secret.0), "shown once");
    assert!(after.text().contains("10 recovery codes are left"), "{}", after.text());
    goes_on(&house.app);
    (carl, secret)
}

async fn through_the_door(house: &House, headers: &[&str], fields: &[(&str, &str)]) -> Answer {
    let mut all = vec!["origin: http://duban"];
    all.extend_from_slice(headers);
    house.ask("POST", "/sign-in", &all, &form(fields)).await
}

fn cookie_of(answer: &Answer) -> String {
    answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_string()
}

#[tokio::test]
async fn two_steps_lead_in_and_half_of_them_nowhere() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    let (_, secret) = with_second_step(&house).await;
    let first = through_the_door(&house, &[], &[("login", LOGIN), ("password", PASSWORD), ("back", "/ledger?flag=red")]).await;
    assert_eq!(first.to(), "/sign-in/second?back=%2Fledger%3Fflag%3Dred");
    let cookie = cookie_of(&first);
    assert!(cookie.starts_with("duban-half="), "{cookie}");
    let half = cookie.trim_start_matches("duban-half=").to_string();
    // Whoever steals it has nothing: not by its own name, not as a session, not as a link of an invitation.
    for stolen in [cookie.clone(), format!("duban={half}")] {
        for path in ["/", "/todo", "/me", "/ledger", "/items/1", "/accounts"] {
            let answer = house.ask("GET", path, &[&format!("cookie: {stolen}")], "").await;
            assert!(answer.status == 303 && answer.to().starts_with("/sign-in"), "{stolen} {path}: {}", answer.status);
        }
        let posted =
            house.ask("POST", "/me/sessions", &[&format!("cookie: {stolen}"), "origin: http://duban"], &form(&[("form", "x")])).await;
        assert!(posted.to().starts_with("/sign-in"), "{}", posted.status);
    }
    assert_eq!(house.ask("GET", &format!("/welcome/{half}"), &[], "").await.status, 410);
    let page = house.ask("GET", first.to(), &[&format!("cookie: {cookie}")], "").await;
    assert!(page.status == 200 && !page.body.contains("qr") && page.text().contains("The password is right."), "{}", page.text());
    let token = page.value("form").unwrap().to_string();
    let send = async |from: &str, cookies: &str, form_token: &str, code: &str| {
        let body = form(&[("form", form_token), ("back", "/ledger?flag=red"), ("code", code)]);
        house.ask("POST", "/sign-in/second", &[&format!("cookie: {cookies}"), from], &body).await
    };
    let code = now(&house.app, &secret);
    assert_eq!(send("origin: https://evil.example", &cookie, &token, &code).await.status, 403);
    assert_eq!(send("origin: http://duban", &cookie, "00", &code).await.status, 403, "a form of somebody else's");
    let no = send("origin: http://duban", &cookie, &token, &wrong(&house.app, &secret)).await;
    assert!(no.status == 422 && no.text().contains("This code is not good now"), "{}", no.text());
    // A session that somebody else has put into the browser is not taken over.
    let planted = house.signed_in("ann").await;
    let passed = send("origin: http://duban", &format!("{cookie}; {}", planted.cookie), &token, &code).await;
    assert_eq!((passed.status, passed.to()), (303, "/ledger?flag=red"), "{}", passed.text());
    assert!(passed.head.contains("duban-half=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0"), "{}", passed.head);
    assert_ne!(cookie_of(&passed), planted.cookie);
    assert!(planted.get("/todo").await.to().starts_with("/sign-in"));
    let carl = Browser::with(&house, &passed).await;
    assert_eq!(carl.get("/todo").await.status, 200);
    let late = send("origin: http://duban", &cookie, &token, &code).await;
    assert!(late.text().contains("The second step took too long. Sign in again."), "{}", late.text());
}

#[tokio::test]
async fn administrators_of_whom_it_is_asked_begin_at_the_door_and_only_security_resets_it() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => {
            text.replace("groups: [heads]", "groups: [heads, system_administrators]")
                + "  sue:  { title: Sue, mail: sue@example.com, groups: [security_administrators] }\n"
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let policy = Policy { second_step: vec![SYSTEM_ADMINISTRATORS.into()], ..Policy::default() };
    let house = House::with(app, folder, false, policy, Gate::default()).await;
    let invitation = house.app.invite(&house.policy, &"hu".into(), None).await.unwrap();
    let body = form(&[("password", PASSWORD), ("again", PASSWORD)]);
    let first = house.ask("POST", &format!("/welcome/{}", invitation.token), &["origin: http://duban"], &body).await;
    assert_eq!(first.to(), "/sign-in/second?back=%2F");
    let cookie = cookie_of(&first);
    let page = house.ask("GET", first.to(), &[&format!("cookie: {cookie}")], "").await;
    assert!(page.body.contains("<svg class=\"qr\"") && page.text().contains("The office asks a second step of you."), "{}", page.text());
    let secret = house.app.second_step(&"hu".into()).await.unwrap().pending.unwrap();
    let body = form(&[("form", page.value("form").unwrap()), ("code", &now(&house.app, &secret))]);
    let begun = house.ask("POST", "/sign-in/second", &[&format!("cookie: {cookie}"), "origin: http://duban"], &body).await;
    assert!(begun.status == 200 && begun.body.matches("<li><code>").count() == 10, "{}", begun.body);
    let hu = Browser::with(&house, &begun).await;
    let off = hu.send("/me/second", &[("do", "off"), ("password", PASSWORD)]).await;
    assert!(off.status == 422 && off.text().contains("cannot be turned off here"), "{}", off.text());
    // Nobody resets it but who looks after accounts; and that one not the other administrators', nor their own.
    let (carl, sue) = (house.signed_in("carl").await, house.signed_in("sue").await);
    assert_eq!(carl.send("/accounts/change", &[("reset", "hu")]).await.status, 403);
    assert_eq!(sue.send("/accounts/change", &[("reset", "hu")]).await.status, 403);
    assert!(house.app.second_step(&"hu".into()).await.unwrap().secret.is_some());
    let (carl, _) = with_second_step(&house).await;
    assert!(sue.get("/accounts").await.text().contains("Reset second step"));
    let reset = sue.send("/accounts/change", &[("reset", "carl")]).await;
    assert!(reset.text().contains("The second step of Carl is taken away"), "{}", reset.text());
    assert!(carl.get("/todo").await.to().starts_with("/sign-in"), "whoever had the device is outside");
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    assert_eq!(trail.iter().filter(|row| row.what == "second_step_reset" && row.about["by"] == "sue").count(), 1);
}

#[tokio::test]
async fn one_finds_oneself_changes_the_password_and_ends_other_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => text.replace(
            "groups: [clerks] }",
            "groups: [clerks], duties: [{ duty: officer, unit: office }], stand_in: [{ person: ann, from: 2026-03-01, to: 2026-03-08 }] }",
        ),
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let house = House::over(app, folder, false).await;
    let carl = house.signed_in("carl").await;
    let page = carl.get("/me").await.text();
    for what in ["carl@example.com", "The office", "clerk", "Ann 2026-03-01 to 2026-03-08", "127.0.0.1", "this one"] {
        assert!(page.contains(what), "{what}: {page}");
    }
    let ann = house.signed_in("ann").await;
    assert!(ann.get("/me").await.text().contains("Standing in today for Carl 2026-03-01 to 2026-03-08"), "{}", ann.get("/me").await.text());
    let other = through_the_door(&house, &[], &[("login", LOGIN), ("password", PASSWORD)]).await;
    let other = Browser::with(&house, &other).await;
    assert!(carl.get("/me").await.text().contains("Sign out everywhere else"));
    assert_eq!(carl.send("/me/sessions", &[]).await.to(), "/me?changed=sessions#sessions");
    assert!(other.get("/todo").await.to().starts_with("/sign-in") && carl.get("/todo").await.status == 200);

    let change =
        async |old: &str, new: &str, again: &str| carl.send("/me/password", &[("old", old), ("password", new), ("again", again)]).await;
    for (old, new, again, says) in [
        (PASSWORD, "one thing or another", "another thing", "The two passwords differ."),
        ("not this one", "one thing or another", "one thing or another", "The present password is not right"),
        (PASSWORD, "short", "short", "a password needs 10 characters or more."),
    ] {
        let no = change(old, new, again).await;
        assert!(no.status == 422 && no.text().contains(says) && !no.body.contains(new), "{}", no.text());
    }
    let done = change(PASSWORD, "one thing or another", "one thing or another").await;
    assert_eq!((done.status, done.to()), (303, "/me?changed=password"));
    assert!(carl.get("/todo").await.to().starts_with("/sign-in"), "the old session is over");
    let anew = Browser::with(&house, &done).await;
    assert!(anew.get("/me?changed=password").await.text().contains("The password is changed"));
    assert_eq!(through_the_door(&house, &[], &[("login", LOGIN), ("password", PASSWORD)]).await.status, 422);
}

#[tokio::test]
async fn one_address_cannot_try_for_ever_whatever_the_logins() {
    let world = World::open("2026-03-02 09:00").await;
    let gate = Gate::new(10, TimeDelta::minutes(15), Vec::new());
    let house = House::with(world.app, world.folder, false, Policy::default(), gate).await;
    let carl = house.signed_in("carl").await;
    for n in 0..10 {
        // What a stranger writes about where it comes from is nobody's word.
        let from = format!("x-forwarded-for: 10.0.0.{n}");
        let no = through_the_door(&house, &[&from], &[("login", &format!("guess{n}")), ("password", "guess")]).await;
        assert_eq!(no.status, 422);
    }
    for (login, password) in [("one more", "guess"), (LOGIN, PASSWORD)] {
        let no = through_the_door(&house, &["x-forwarded-for: 10.9.9.9"], &[("login", login), ("password", password)]).await;
        assert!(
            no.status == 429 && no.text().contains("Too many tries failed from your network. Wait 2 minutes"),
            "{} {}",
            no.status,
            no.text()
        );
    }
    assert_eq!(house.ask("GET", "/welcome/guessed", &[], "").await.status, 429, "links are not guessed meanwhile either");
    assert_eq!(carl.get("/todo").await.status, 200, "whoever is inside works on");
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    let waits: Vec<_> = trail.iter().filter(|row| row.what == "address_waits").collect();
    assert!(waits.len() == 1 && waits[0].source.as_deref() == Some("127.0.0.1"), "{waits:?}");
    house.app.clock.set(moment("2026-03-02 09:15"));
    for _ in 0..30 {
        let come = through_the_door(&house, &[], &[("login", LOGIN), ("password", PASSWORD)]).await;
        assert_eq!(come.status, 303, "who comes in does not count");
    }
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_address_counts_for_itself() {
    let world = World::open("2026-03-02 09:00").await;
    let gate = Gate::new(2, TimeDelta::minutes(15), vec!["127.0.0.1".parse().unwrap()]);
    let house = House::with(world.app, world.folder, false, Policy::default(), gate).await;
    let try_from = async |from: &str| {
        let from = format!("x-forwarded-for: {from}");
        through_the_door(&house, &[&from], &[("login", "guess"), ("password", "guess")]).await.status
    };
    assert_eq!((try_from("10.0.0.1").await, try_from("10.0.0.1").await, try_from("10.0.0.1").await), (422, 422, 429));
    assert_eq!(try_from("10.0.0.2").await, 422, "a neighbour");
    assert_eq!(try_from("10.0.0.99, 10.0.0.1").await, 429, "what stands before the proxy's own word is not believed");
    // Who has one address of the newer kind has many.
    assert_eq!((try_from("2001:db8::1").await, try_from("2001:db8::2").await, try_from("2001:db8::3").await), (422, 422, 429));
}

#[test]
fn what_is_remembered_of_addresses_is_bounded() {
    use duban::web::Source;
    let (gate, now) = (Gate::new(5, TimeDelta::minutes(15), Vec::new()), moment("2026-03-02 09:00"));
    let stubborn = Source(Some("192.0.2.1".parse().unwrap()));
    while gate.count(stubborn, now).is_ok() {}
    for n in 0..30_000_u32 {
        let address = std::net::Ipv4Addr::from(0x0a00_0000 + n);
        assert!(gate.count(Source(Some(address.into())), now).is_ok());
    }
    assert!(gate.remembered() <= 10_000, "{}", gate.remembered());
    assert!(gate.count(stubborn, now).is_err(), "whoever tried most is not the one that is forgotten");
}

#[tokio::test]
async fn what_was_typed_as_the_session_ended_comes_along_through_the_door() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, false).await;
    let (carl, secret) = with_second_step(&house).await;
    house.app.clock.set(moment("2026-03-02 10:00"));
    let typed = "<b>How long</b> & how \"wide\"?";
    let gone = carl.send("/items/1/do/ask_back", &[("rev", "1"), ("in.question", typed)]).await;
    assert_eq!(gone.status, 401);
    assert!(gone.text().contains("Your session had ended, and nothing was done yet.") && gone.is_tame(), "{}", gone.text());
    let unescape =
        |text: &str| text.replace("&quot;", "\"").replace("&lt;", "<").replace("&gt;", ">").replace("&#x2f;", "/").replace("&amp;", "&");
    let kept = unescape(gone.value("kept").unwrap());
    let first = through_the_door(&house, &[], &[("login", LOGIN), ("password", PASSWORD), ("kept", &kept)]).await;
    assert_eq!(first.status, 200, "{}", first.text());
    let body = form(&[
        ("form", first.value("form").unwrap()),
        ("kept", &unescape(first.value("kept").unwrap())),
        ("code", &now(&house.app, &secret)),
    ]);
    let cookie = format!("cookie: {}", cookie_of(&first));
    let inside = house.ask("POST", "/sign-in/second", &[&cookie, "origin: http://duban"], &body).await;
    assert!(inside.text().contains("What you typed before your session ended is still here.") && inside.is_tame(), "{}", inside.text());
    assert_eq!(inside.value("in.question").map(unescape).as_deref(), Some(typed));
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1, "nothing was done yet");
    let carl = Browser::with(&house, &inside).await;
    let back = carl.send("/items/1/do/ask_back", &[("rev", "1"), ("in.question", typed), ("typed", "1")]).await;
    assert!(back.status == 200 && unescape(&back.body).contains(typed) && back.value("rev") == Some("1"), "{}", back.body);
    assert_eq!(carl.send("/items/1/do/ask_back", &[("rev", "1"), ("in.question", typed)]).await.status, 303);
    // A form of elsewhere, or one that never was of that session, takes nothing along; and nothing leads elsewhere.
    house.app.clock.set(moment("2026-03-02 11:00"));
    let strange = carl.send_from("origin: https://evil.example", "/items/1/do/weigh", &[("in.weight", "1")]).await;
    assert_eq!(strange.status, 403);
    let body = form(&[("form", "00"), ("in.weight", "1")]);
    let other = house.ask("POST", "/items/1/do/weigh", &[&format!("cookie: {}", carl.cookie), "origin: http://duban"], &body).await;
    assert!(other.status == 303 && !other.body.contains("in.weight"));
    let ann = house.app.invite(&house.policy, &"ann".into(), None).await.unwrap();
    let body = form(&[("password", PASSWORD), ("again", PASSWORD)]);
    house.ask("POST", &format!("/welcome/{}", ann.token), &["origin: http://duban"], &body).await;
    for to in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let kept = format!("{{\"to\":\"{}\",\"fields\":[[\"a\",\"b\"]]}}", to.replace('\\', "\\\\"));
        let answer = through_the_door(&house, &[], &[("login", "ann@example.com"), ("password", PASSWORD), ("kept", &kept)]).await;
        assert_eq!((answer.status, answer.to()), (303, "/"), "{to}");
    }
    // Of a password nothing comes along.
    let gone = carl.send("/me/password", &[("old", PASSWORD), ("password", "a secret of mine"), ("again", "a secret of mine")]).await;
    assert!(gone.status == 401 && !gone.body.contains("a secret of mine") && !gone.body.contains(PASSWORD), "{}", gone.body);
}

#[tokio::test]
async fn a_browser_without_cookies_is_told_so() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    let invitation = house.app.invite(&house.policy, &"carl".into(), None).await.unwrap();
    let welcome = format!("/welcome/{}", invitation.token);
    let page = house.ask("GET", &welcome, &[], "").await;
    let door = cookie_of(&page);
    let fields = [("door", page.value("door").unwrap()), ("password", PASSWORD), ("again", PASSWORD)];
    let no = house.ask("POST", &welcome, &["origin: http://duban"], &form(&fields)).await;
    assert!(no.status == 422 && no.text().contains("Your browser keeps no cookies for this address"), "{}", no.text());
    let yes = house.ask("POST", &welcome, &["origin: http://duban", &format!("cookie: {door}")], &form(&fields)).await;
    assert_eq!(yes.status, 303, "the link was not used up for nothing");
    let fields = [("door", "1"), ("login", LOGIN), ("password", PASSWORD)];
    let no = through_the_door(&house, &[], &fields).await;
    assert!(no.status == 422 && no.header("set-cookie").is_some_and(|cookie| cookie.starts_with("duban-door=")), "{}", no.head);
    assert!(no.text().contains("Your browser keeps no cookies"), "{}", no.text());
    assert_eq!(through_the_door(&house, &[&format!("cookie: {door}")], &fields).await.status, 303);
}

#[tokio::test]
async fn whoever_stands_in_is_told_for_whom_and_so_is_the_record() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => {
            text.replace("groups: [clerks] }", "groups: [clerks], stand_in: [{ person: hu, from: 2026-03-01, to: 2026-03-03 }] }")
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    app.act(&submit("1")).await.unwrap();
    let house = House::over(app, folder, false).await;
    let (carl, hu) = (house.signed_in("carl").await, house.signed_in("hu").await);
    let todo = hu.get("/todo").await.text();
    assert!(todo.contains("(standing in for Carl)") && todo.contains("on behalf of Carl · clerk · open"), "{todo}");
    let own = carl.get("/todo").await.text();
    assert!(!own.contains("standing in") && !own.contains("on behalf of"), "{own}");
    let form = hu.get("/items/1/do/weigh").await;
    assert!(form.text().contains("You do this on behalf of Carl, who is away; it is recorded so."), "{}", form.text());
    assert!(!carl.get("/items/1/do/weigh").await.text().contains("on behalf of"));
    assert_eq!(hu.send("/items/1/do/weigh", &[("rev", "1"), ("in.weight", "3")]).await.status, 303);
    assert_eq!(carl.send("/items/1/do/weigh", &[("rev", "2"), ("in.weight", "4")]).await.status, 303);
    let look = house.app.look("1", None).await.unwrap().unwrap();
    let actors: Vec<(Option<&str>, Option<&str>)> =
        look.facts.iter().map(|fact| (fact.actor.person.as_deref(), fact.actor.stands_in_for.as_deref())).collect();
    assert_eq!(actors, [(Some("ann"), None), (Some("hu"), Some("carl")), (Some("carl"), None)]);
    assert!(carl.get("/items/1").await.text().contains(", standing in for Carl"));
    // Back from the journey.
    house.app.clock.set(moment("2026-03-04 09:00"));
    let hu = house.signed_in("hu").await;
    assert!(!hu.get("/todo").await.text().contains("standing in"));
    assert_eq!(hu.send("/items/1/do/weigh", &[("rev", "3"), ("in.weight", "3")]).await.status, 403);
}

#[tokio::test]
async fn whoever_works_in_two_units_sees_for_which_and_chooses() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => text
            .replace("persons:", "  works: { title: Works, kind: gov }\n  parks: { title: Parks, kind: gov }\n\npersons:")
            .replace("groups: [clerks] }", "groups: [clerks], duties: [{ duty: officer, unit: works }, { duty: officer, unit: parks }] }"),
        "request.yaml" => text
            .replace("who: group clerks }", "who: officer of item.unit }")
            .replace("to: [clerk], cc: [head]", "to: [head]")
            .replacen("fields:\n", "fields:\n  unit: { title: unit, type: unit, required: true }\n", 1)
            .replace("ask: [title, code?]", "ask: [title, code?, unit]"),
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    for (item, unit) in [("1", "works"), ("2", "parks"), ("3", "parks")] {
        let title = Value::text(&format!("Request {item}"));
        app.act(&command(item, "submit", "ann", [("title", title), ("unit", Value::text(unit))])).await.unwrap();
    }
    let house = House::over(app, folder, false).await;
    let carl = house.signed_in("carl").await;
    let all = carl.get("/todo").await.text();
    assert!(
        all.contains("All Works Parks")
            && all.contains("To do (3)")
            && all.contains("Works · clerk · open")
            && all.contains("Parks · clerk · open"),
        "{all}"
    );
    let parks = carl.get("/todo?unit=parks").await.text();
    assert!(
        !parks.contains("Request 1") && parks.contains("Request 2") && parks.contains("Request 3") && parks.contains("To do (2)"),
        "{parks}"
    );
    assert!(carl.get("/todo?unit=nowhere").await.text().contains("Nothing waits for you now."));
    let ann = house.signed_in("ann").await;
    assert!(!ann.get("/todo").await.body.contains("By unit"), "others have nothing to choose");
}
