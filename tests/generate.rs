//! A small country made by `duban::generate`, on a file and on a server: as whole as if its offices had lived it, and the engine works on it.

use crate::support::ground::Ground;
use crate::support::world::rules;
use chrono::TimeDelta;
use duban::app::App;
use duban::clock::Clock;
use duban::generate::{self, GenerateError, Wish};
use duban::kernel::rules::RuleSet;
use duban::kernel::time::Instant;
use duban::store::fill::{FillError, Filling};
use duban::store::{Opening, Store};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

const NOW: &str = "2026-11-02T02:00:00Z";
const WISH: Wish = Wish { jurisdictions: 6, items: 60, facts: 300, seed: 7, lives: generate::LIVES };

fn now() -> Instant {
    NOW.parse().expect("a moment")
}

/// The office's rules, without the rung that cannot be counted.
fn office() -> Arc<RuleSet> {
    Arc::new(rules(|_, text| text.replace("item.weight * 1000000000000000000 > 0", "item.weight > 0")))
}

async fn filled(ground: &Ground, rules: &Arc<RuleSet>, wish: Wish) -> generate::Made {
    generate::generate(&ground.place(), rules, wish, now(), 2, |_| {}).await.expect("fills")
}

async fn open(ground: &Ground, here: &str, rules: &Arc<RuleSet>, at: Instant) -> App {
    let store = Store::open(ground.place(), Opening::default(), at).await.expect("opens");
    App::open(store.of(here), rules.clone(), Clock::set_to(at)).await.expect("opens")
}

async fn a_country_is_whole_and_goes_on(ground: Ground) {
    let rules = office();
    let made = filled(&ground, &rules, WISH).await;
    assert_eq!((made.jurisdictions, made.items), (6, 60));
    assert!((250..=350).contains(&made.facts), "{made:?}");
    let again = generate::generate(&ground.place(), &rules, WISH, now(), 2, |_| {}).await.expect_err("holds something");
    assert!(matches!(again, GenerateError::Fill(FillError::NotEmpty { .. })), "{again}");

    let stop = CancellationToken::new();
    let (mut items, mut facts) = (0, 0);
    for number in 0..WISH.jurisdictions {
        let app = open(&ground, &generate::jurisdiction(number), &rules, now()).await;
        let mut findings = Vec::new();
        let whole = app.examine_all(&stop, |found| findings.extend(found.to_vec())).await.expect("looks").expect("to the end");
        assert!(whole.is_whole(), "{findings:?}");
        assert_eq!((whole.items, app.store.count_open().await.expect("counts")), (10, 10));
        items += whole.items;
        for id in app.store.ids(None, true, "", 100).await.expect("lists") {
            facts += app.store.item(&id).await.expect("reads").expect("is there").facts.len() as u64;
        }
        app.store.close().await;
    }
    assert_eq!((items, facts), (made.items, made.facts));

    // Half a year later one scheduler works what has come due in all offices.
    let later = now() + TimeDelta::days(180);
    let app = open(&ground, &generate::jurisdiction(3), &rules, later).await;
    let app = std::sync::Arc::new(app);
    let woken = crate::support::world::all(&app).wake_due(1000).await.expect("wakes");
    assert!((11..=60).contains(&woken.looked_at) && woken.facts > 0 && woken.set_aside == 0, "{woken:?}");
    let next = crate::support::world::submit("7319999999");
    app.act(&next).await.expect("a new item with the next number");
    assert!(app.examine("7319999999").await.expect("looks").is_empty());
    app.store.clone().close().await;
}

#[tokio::test]
async fn on_a_file() {
    a_country_is_whole_and_goes_on(Ground::file()).await;
}

#[tokio::test]
async fn on_a_server() {
    a_country_is_whole_and_goes_on(Ground::server().await).await;
}

/// Its keys and indexes are gone, and whoever filled it anew would not know them.
async fn one_that_was_left_half_way_is_neither_filled_nor_looked_at(ground: Ground) {
    let rules = office();
    drop(Filling::begin(&ground.place(), "half", now()).await.expect("begins"));
    let again = generate::generate(&ground.place(), &rules, WISH, now(), 2, |_| {}).await.expect_err("is refused");
    assert!(matches!(again, GenerateError::Fill(FillError::HalfFilled { .. })), "{again}");
    let read = Store::open_to_read(ground.place()).await.expect_err("is not looked at");
    let written = Store::open(ground.place(), Opening::default(), now()).await.expect_err("is not opened");
    assert_eq!(read.to_string(), written.to_string());
    assert!(read.to_string().contains("never filled to its end"), "{read}");
}

#[tokio::test]
async fn half_way_on_a_file() {
    one_that_was_left_half_way_is_neither_filled_nor_looked_at(Ground::file()).await;
}

#[tokio::test]
async fn half_way_on_a_server() {
    one_that_was_left_half_way_is_neither_filled_nor_looked_at(Ground::server().await).await;
}

/// Keys and indexes that were taken away meanwhile are all there again.
#[tokio::test]
async fn the_schema_is_that_of_any_other_database() {
    use sqlx::Connection as _;
    let rules = office();
    for (filled_one, empty) in [(Ground::file(), Ground::file()), (Ground::server().await, Ground::server().await)] {
        filled(&filled_one, &rules, Wish { items: 4, facts: 8, ..WISH }).await;
        Store::open(empty.place(), Opening::default(), now()).await.expect("opens").close().await;
        let mut schemas = Vec::new();
        for ground in [&filled_one, &empty] {
            let rows: Vec<(String,)> = match ground {
                Ground::File(_) => {
                    let mut connection =
                        sqlx::SqliteConnection::connect(&format!("sqlite://{}", ground.path().display())).await.expect("opens");
                    let question = "select sql from sqlite_master where sql is not null order by 1";
                    sqlx::query_as(question).fetch_all(&mut connection).await.expect("reads")
                }
                Ground::Model(_) => panic!("a model has no schema"),
                Ground::Server(url) => {
                    let mut connection = sqlx::PgConnection::connect(url).await.expect("opens");
                    let question = "select indexdef from pg_indexes where schemaname = 'public'
                        union all select conrelid::regclass || ' ' || conname || ' ' || convalidated || pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace
                        order by 1";
                    sqlx::query_as(question).fetch_all(&mut connection).await.expect("reads")
                }
            };
            schemas.push(rows);
        }
        assert_eq!(schemas[0], schemas[1]);
    }
}
