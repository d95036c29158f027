//! Tokens that a person makes for a program: what they open and what not, when they end, and what is told of them.

use crate::cli::Desk;
use crate::serve::Server;
use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::world::{all, app_over, moment};
use duban::app::App;
use duban::app::accounts::{By, Policy};
use duban::app::tokens::{MadeToken, Scope, TokenEnd, TokenWish, TokenWished};
use serde_json::json;
use std::sync::Arc;

stories!(a_token_opens_what_it_is_for_until_it_ends, what_cannot_be_meant_makes_no_token);

async fn wish(app: &App, what: TokenWished) -> TokenEnd {
    app.look_after_tokens(&TokenWish { what, by: By { person: Some("sue".into()), ..By::default() } }).await.unwrap()
}

async fn make(app: &App, person: &str, scopes: &[Scope], days: u32) -> MadeToken {
    match wish(app, TokenWished::Make { person: person.into(), name: "statistics".into(), scopes: scopes.to_vec(), days }).await {
        TokenEnd::Made(made) => made,
        other => panic!("{other:?}"),
    }
}

async fn opens(app: &Arc<App>, token: &str) -> Option<Vec<Scope>> {
    all(app).token_holder(token).await.unwrap().map(|holder| holder.scopes)
}

async fn a_token_opens_what_it_is_for_until_it_ends(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 09:00").await;
    let made = make(&app, "carl", &[Scope::Reports, Scope::Read, Scope::Read], 10).await;
    assert!(made.token.starts_with("duban_") && made.token.len() > 60 && !format!("{made:?}").contains(&made.token));
    assert_eq!(opens(&app, &made.token).await, Some(vec![Scope::Read, Scope::Reports]));
    assert_eq!(opens(&app, &made.token[..60]).await, None);
    let row = app.store.tokens(None).await.unwrap().remove(0);
    assert_eq!(
        (row.used_at, row.expires_at, row.name.as_str()),
        (Some(moment("2026-03-02 09:00")), Some(moment("2026-03-12 09:00")), "statistics")
    );
    app.clock.set(moment("2026-03-02 09:03"));
    opens(&app, &made.token).await;
    assert_eq!(app.store.tokens(None).await.unwrap()[0].used_at, row.used_at, "not each time");
    app.clock.set(moment("2026-03-12 08:59"));
    assert!(opens(&app, &made.token).await.is_some());
    app.clock.set(moment("2026-03-12 09:00"));
    assert_eq!(opens(&app, &made.token).await, None, "too late");

    let other = make(&app, "carl", &[Scope::Act], 365).await;
    assert!(matches!(wish(&app, TokenWished::Revoke { id: other.id.clone(), person: Some("ann".into()) }).await, TokenEnd::Revoked(false)));
    assert!(opens(&app, &other.token).await.is_some());
    assert!(matches!(wish(&app, TokenWished::Revoke { id: other.id, person: None }).await, TokenEnd::Revoked(true)));
    assert_eq!(opens(&app, &other.token).await, None);

    let last = make(&app, "carl", &[Scope::Act], 365).await;
    app.invite(&Policy::default(), &"carl".into(), None).await.unwrap();
    assert!(opens(&app, &last.token).await.is_some());
    app.disable_account(&"carl".into()).await.unwrap();
    assert_eq!(opens(&app, &last.token).await, None, "whoever is shut off is shut off here too");
    let told: Vec<String> = app.audit_trail(None, 99).await.unwrap().into_iter().map(|row| row.what).collect();
    assert_eq!(told.iter().filter(|what| what.starts_with("token_")).count(), 4);
    let trail = format!("{:?}", app.audit_trail(None, 99).await.unwrap());
    assert!(!trail.contains(&last.token) && trail.contains("statistics"), "{trail}");
}

async fn what_cannot_be_meant_makes_no_token(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 09:00").await;
    let why = async |person: &str, name: &str, scopes: &[Scope], days: u32| match wish(
        &app,
        TokenWished::Make { person: person.into(), name: name.into(), scopes: scopes.to_vec(), days },
    )
    .await
    {
        TokenEnd::No(no) => no.why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why("nobody", "x", &[Scope::Read], 1).await, "unknown_person");
    for name in ["", "  ", "a\nb", &"x".repeat(81)] {
        assert_eq!(why("carl", name, &[Scope::Read], 1).await, "bad_name", "{name}");
    }
    assert_eq!(why("carl", "x", &[], 1).await, "no_scope");
    assert_eq!(why("carl", "x", &[Scope::Calendar, Scope::Read], 1).await, "calendar_alone");
    for days in [0, 1101] {
        assert_eq!(why("carl", "x", &[Scope::Read], days).await, "bad_days");
    }
    assert!(app.store.tokens(None).await.unwrap().is_empty());
    for _ in 0..50 {
        make(&app, "carl", &[Scope::Read], 1).await;
    }
    assert_eq!(why("carl", "x", &[Scope::Read], 1).await, "too_many");
    app.clock.set(moment("2026-03-03 09:00"));
    make(&app, "carl", &[Scope::Read], 1).await;
}

#[test]
fn the_command_makes_lists_and_takes_back_also_while_a_server_holds_the_file() {
    let desk = Desk::new();
    desk.submitted("a1");
    assert!(desk.run(&["token"]).err.contains("共0个令牌"));
    let made = desk.json(&["token", "make", "曾海敏", "--name", "统计程序", "--scope", "read", "--scope", "reports", "--days", "30"]);
    assert!(made["token"].as_str().unwrap().starts_with("duban_"), "{made}");
    for (arguments, code, words) in [
        (&["token", "make", "nobody", "--name", "x", "--scope", "read"][..], 1, "通讯录中没有“nobody”"),
        (&["token", "make", "曾海敏", "--name", "x", "--scope", "calendar", "--scope", "read"], 1, "不能兼作他用"),
        (&["token", "make", "曾海敏", "--name", "x", "--scope", "read", "--days", "0"], 1, "1到1100天"),
        (&["token", "make", "曾海敏", "--name", "x", "--scope", "everything"], 2, "everything"),
        (&["token", "make", "曾海敏", "--name", "x"], 2, "--scope"),
        (&["token", "revoke", "none"], 1, ""),
    ] {
        let refused = desk.run(arguments);
        assert!(refused.code == code && refused.err.contains(words), "{refused:?}");
    }
    let rows = |standing: &[&str]| {
        let listed = desk.json(&["token", "list"]);
        let stands: Vec<&str> = listed["tokens"].as_array().unwrap().iter().map(|row| row["standing"].as_str().unwrap()).collect();
        assert_eq!(stands, standing, "{listed}");
    };
    rows(&["good"]);

    let server = Server::start(&desk, &[]);
    server.until_ready();
    let calendar = desk.json(&["token", "make", "曾海敏", "--name", "手机", "--scope", "calendar"]);
    let address = calendar["token"].as_str().unwrap();
    assert!(address.starts_with("/calendar/duban_") && address.ends_with(".ics"), "{calendar}");
    let fed = server.ask("GET", address, &[], "");
    assert!(fed.0 == 200 && format!("{fed:?}").contains("BEGIN:VCALENDAR"), "{fed:?}");
    let bearer = |made: &serde_json::Value| format!("authorization: Bearer {}", made["token"].as_str().unwrap());
    assert_eq!(server.ask("GET", "/api/v1/items", &[&bearer(&made)], "").0, 200);
    assert_eq!(server.ask("POST", "/local/act", &[&bearer(&made)], "[]").0, 403, "only for the API");
    let revoked = desk.run(&["token", "revoke", made["id"].as_str().unwrap()]);
    assert!(revoked.code == 0 && revoked.out.contains("已收回"), "{revoked:?}");
    assert_eq!(server.ask("GET", "/api/v1/items", &[&bearer(&made)], "").0, 401);
    rows(&["good", "revoked"]);
    let wish = json!({ "what": { "revoke": { "id": "x", "person": null } }, "by": {} }).to_string();
    assert_eq!(server.ask("POST", "/local/tokens", &[], &wish).0, 401);
}
