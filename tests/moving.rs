//! An office moves from one database to another and back: everything comes along, or nothing does, and the old place says where it went.

use crate::cli::Desk;
use crate::support::ground::Ground;
use crate::support::world::{all, app_on, command, moment, submit};
use duban::app::App;
use duban::app::accounts::{By, Policy};
use duban::app::send::Post;
use duban::app::tokens::{Scope, TokenWish, TokenWished};
use duban::store::moving::{MoveError, carry};
use duban::store::{Opening, Store, StoreError};
use std::sync::Arc;

const PASSWORD: &str = "correct horse battery";

/// Some weeks of an office, with mails that wait.
async fn office(ground: &Ground) -> Arc<App> {
    let app = app_on(ground.place(), "2026-03-02 10:00", None).await;
    all(&app).sweep_due().await.unwrap();
    for n in 0..600 {
        app.act(&submit(&format!("r{n}"))).await.unwrap();
    }
    app.act(&command("r1", "answer", "carl", [])).await.unwrap();
    app.clock.set(moment("2026-03-05 10:00"));
    while all(&app).wake_due(256).await.unwrap().looked_at > 0 {}
    let from = duban::mail::Address::parse("duban@example.com").unwrap();
    let post = Post::new(None, duban::files::mail_frames(None).unwrap(), from, Default::default(), "test".into());
    all(&app).render_due(&post).await.unwrap();
    // Another office of the same database comes along.
    let east = App::open(app.store.of("east"), app.rules(), app.clock.clone()).await.unwrap();
    east.act(&submit("r1")).await.unwrap();
    for office in [&app, &east] {
        let login = format!("ann@{}", office.store.jurisdiction());
        office.invite(&Policy::default(), &"ann".into(), Some(&login)).await.unwrap();
        office.set_password(&Policy::default(), &"ann".into(), PASSWORD).await.unwrap();
    }
    // What is told, and by which programs somebody asks, comes along.
    let (url, events) = ("https://example.org/hook", ["*".to_string(), "request/submit".into()]);
    east.make_webhook(&By { person: Some("hu".into()), ..By::default() }, url, &events).await.unwrap();
    east.act(&submit("r2")).await.unwrap();
    let make = TokenWished::Make { person: "ann".into(), name: "统计".into(), scopes: vec![Scope::Read], days: 30 };
    app.look_after_tokens(&TokenWish { what: make, by: By::default() }).await.unwrap();
    east.invite(&Policy::default(), &"carl".into(), None).await.unwrap();
    east.disable_account(&"carl".into()).await.unwrap();
    app
}

/// Everything that an office shows, as text.
async fn shown(store: &Store) -> String {
    let mut all = Vec::new();
    for store in [store.of("local"), store.of("east")] {
        all.push(format!("{:?}", store.list(&Default::default(), 1000).await.unwrap()));
        all.push(format!("{:?}", store.item("r1").await.unwrap()));
        all.push(format!("{:?} {:?}", store.notices(&Default::default(), 1000).await, store.mails(None, None, "", 1000).await));
        all.push(format!("{:?} {:?}", store.everywhere().next_moments(moment("2026-03-05 10:00"), &[]).await, store.rules_in_use().await));
        all.push(format!("{:?} {:?}", store.counter("request/number").await, store.answered("ann", "r1 submit ann").await));
        all.push(format!("{:?} {:?}", store.accounts().await, store.audit_trail(None, 1000).await));
        all.push(format!("{:?} {:?} {:?}", store.tokens(None).await, store.webhooks().await, store.deliveries(None, 1000).await));
        all.push(format!("{:?} {:?}", store.last_slot("request/monthly").await, store.high_water().await));
    }
    all.push(store.instance().to_string());
    all.join("\n")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_office_moves_there_and_back_and_goes_on() {
    let (old, server, new) = (Ground::file(), Ground::server().await, Ground::file());
    let app = office(&old).await;
    let inside = all(&app).begin_session("local", &"ann".into(), "test", None).await.unwrap();
    let before = shown(&app.store).await;
    app.store.clone().close().await;
    drop(app);
    let now = moment("2026-03-05 11:00");
    let carried = carry(&old.place(), &server.place(), now, |_, _| {}).await.unwrap();
    let rows = |name: &str| carried.iter().find(|(table, _)| *table == name).unwrap().1;
    assert_eq!((rows("item"), rows("counter"), rows("rule_set")), (602, 2, 2));
    let store = Store::open(server.place(), Opening::default(), now).await.unwrap();
    assert_eq!(shown(&store).await, before);
    store.close().await;

    // The old place is not opened again by mistake, and an office in use or a place with something in it is left alone.
    let refused = Store::open(old.place(), Opening::default(), now).await.err().unwrap();
    assert!(matches!(refused, StoreError::Moved { .. }), "{refused}");
    let again = carry(&old.place(), &server.place(), now, |_, _| {}).await;
    assert!(matches!(&again, Err(MoveError::NotEmpty { table, .. }) if table == "rule_text"), "{again:?}");
    let store = Store::open(server.place(), Opening::default(), now).await.unwrap();
    let used = carry(&server.place(), &new.place(), now, |_, _| {}).await;
    assert!(matches!(used, Err(MoveError::InUse { .. })), "{used:?}");
    store.close().await;

    // It goes on where it is, and moves back with what it did there.
    let app = app_on(server.place(), "2026-03-10 12:00", None).await;
    assert_eq!(all(&app).wake_due(1000).await.unwrap().facts, 601, "the other office's too");
    app.act(&submit("last")).await.unwrap();
    let offices = all(&app);
    assert!(offices.session(&Policy::default(), &inside.token).await.unwrap().is_none(), "people sign in anew");
    for login in ["ann@local", "ann@east"] {
        offices.sign_in(&Policy::default(), login, PASSWORD, None).await.unwrap();
    }
    drop(offices);
    let before = shown(&app.store).await;
    app.store.clone().close().await;
    drop(app);
    carry(&server.place(), &new.place(), now, |_, _| {}).await.unwrap();
    let app = app_on(new.place(), "2026-03-10 12:00", None).await;
    assert_eq!(shown(&app.store).await, before);
    for id in ["r0", "r1", "last"] {
        assert_eq!(app.examine(id).await.unwrap(), [], "{id}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_sound_is_not_moved() {
    for tampering in [
        "update fact set json = replace(json, 'Request', 'Demand') where item = 'r7' and seq = 1",
        "delete from fact where item = 'r7' and seq = 2",
        "delete from fact where item = 'r7' and seq = 3",
        "update item set head = 'x' where id = 'r7'",
    ] {
        let (old, server) = (Ground::file(), Ground::server().await);
        let app = app_on(old.place(), "2026-03-02 10:00", None).await;
        for n in 0..9 {
            app.act(&submit(&format!("r{n}"))).await.unwrap();
        }
        for weight in 1..3 {
            let mut weigh = command("r7", "weigh", "carl", [("weight", duban::kernel::model::value::Value::Number(weight))]);
            weigh.id = format!("{weight}").into();
            app.act(&weigh).await.unwrap();
        }
        app.store.clone().close().await;
        drop(app);
        old.tamper(tampering).await;
        let refused = carry(&old.place(), &server.place(), moment("2026-03-05 11:00"), |_, _| {}).await;
        assert!(matches!(&refused, Err(MoveError::Differs(what)) if what.contains("`r7`")), "{tampering}: {refused:?}");
        let store = Store::open(server.place(), Opening::default(), moment("2026-03-05 11:00")).await.unwrap();
        assert_eq!(store.count_open().await.unwrap(), 0, "nothing was moved");
        Store::open(old.place(), Opening::default(), moment("2026-03-05 11:00")).await.expect("the old place is where the office is");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_moves_and_says_so() {
    let desk = Desk::new();
    let server = Ground::server().await;
    let Ground::Server(url) = &server else { unreachable!("a server") };
    assert_eq!(desk.run(&["move", "sqlite:duban.db", url]).code, 4, "there is nothing to move");
    desk.submitted("a1");
    let before = desk.json(&["show", "a1"]);
    let moved = desk.run(&["move", "sqlite:duban.db", url]);
    assert_eq!(moved.code, 0, "{moved:?}");
    assert!(moved.out.contains("1件事项、2条事实"), "{moved:?}");
    assert_eq!(desk.json(&["--database", url, "show", "a1"]), before);
    let stays = desk.run(&["act", "a1", "accept", "--as", "曾海敏"]);
    assert_eq!(stays.code, 4);
    assert!(stays.err.contains("已经搬到postgres://"), "{stays:?}");
    for looks in [&["list"][..], &["show", "a1"], &["outbox"], &["doctor"], &["offices"]] {
        let looks = desk.run(looks);
        assert_eq!(looks.code, 4, "{looks:?}");
        assert!(looks.err.contains("已经搬到postgres://"), "what stands still looks alive: {looks:?}");
    }
    let goes_on = desk.run(&["--database", url, "act", "a1", "accept", "--as", "曾海敏"]);
    assert_eq!(goes_on.code, 0, "{goes_on:?}");
    let full = desk.run(&["move", url, url]);
    assert_eq!(full.code, 2, "{full:?}");
    let back = desk.run(&["move", url, "sqlite:back.db", "--json"]);
    assert_eq!(back.code, 0, "{back:?}");
    assert!(!back.out.contains("password") && back.out.contains("\"fact\":3"), "{back:?}");
}
