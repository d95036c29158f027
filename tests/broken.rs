//! Parts that are broken: a rule that fails when it runs, facts that cannot be read, a rule set on disk that is none. Each stops its own
//! item or its own command and nothing else, can be seen, and is tried again. Broken wordings and addresses are told in `mail/`.

use crate::cli::Desk;
use crate::support::world::{World, all, app_under, command, moment, rules};
use chrono::TimeDelta;
use duban::app::send::Post;
use duban::app::{ActError, App};
use duban::files::mail_frames;
use duban::kernel::model::decision::RefusalCode;
use duban::kernel::model::value::Value;
use duban::mail::guard::Guard;
use duban::mail::{Address, Memory, Transport};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The office under rules of its own, with some requests of 2 March 2026.
async fn office(edit: impl Fn(&str, String) -> String, items: &[&str]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), "2026-03-02 10:00", rules(edit)).await.unwrap();
    let world = World { app, folder };
    for item in items {
        world.submit(item).await;
    }
    world
}

fn weigh(item: &str, weight: i64) -> duban::kernel::model::command::Command {
    let mut weigh = command(item, "weigh", "carl", [("weight", Value::Number(weight))]);
    weigh.id = format!("weigh {item} {weight}").into();
    weigh
}

async fn facts(app: &App, item: &str) -> Vec<String> {
    let recorded = app.store.item(item).await.unwrap().unwrap();
    recorded.facts.iter().map(|fact| fact.name.to_string()).collect()
}

#[tokio::test]
async fn a_rule_that_fails_allows_nothing() {
    // It overflows with what is heavy.
    let fails = |_: &str, text: String| text.replace("if: input.weight < 1000", "if: input.weight * 1000000000000000000 > 0");
    let world = office(fails, &["r1"]).await;
    let refused = world.app.act(&weigh("r1", 900)).await;
    let Err(ActError::Refused(refusal)) = refused else { panic!("{refused:?}") };
    assert_eq!(refusal.code, RefusalCode::RuleFailed);
    assert!(refusal.values.iter().any(|(name, value)| name == "rule" && value.contains("input.weight")), "{refusal:?}");
    assert_eq!(facts(&world.app, "r1").await, ["submit"], "nothing was recorded");
    world.app.act(&weigh("r1", 2)).await.unwrap();
    assert_eq!(facts(&world.app, "r1").await, ["submit", "weigh"]);
}

#[tokio::test]
async fn a_sweep_whose_rule_fails_for_one_item_goes_over_the_others_and_comes_back_for_it() {
    let fails =
        |_: &str, text: String| text.replace("    do: count_month", "    when: item.weight * 1000000000000000000 > 0\n    do: count_month");
    let world = office(fails, &["r1", "r2", "r3"]).await;
    world.app.act(&weigh("r2", 900)).await.unwrap();
    all(&world.app).sweep_due().await.unwrap();
    world.now_is("2026-05-01 08:00");
    let swept = all(&world.app).sweep_due().await.unwrap();
    assert_eq!((swept.items, swept.set_aside), (2, 1));
    let aside = world.app.store.quarantined(10).await.unwrap();
    assert_eq!((aside.len(), aside[0].item.as_str()), (1, "r2"));
    assert!(aside[0].reason.contains("monthly"), "{}", aside[0].reason);
    // Still broken, it is set aside again, and nobody else is counted twice.
    world.now_is("2026-05-01 08:10");
    let again = all(&world.app).sweep_due().await.unwrap();
    assert_eq!((again.items, again.set_aside), (0, 1));
    world.app.act(&weigh("r2", 1)).await.unwrap();
    world.now_is("2026-05-01 09:00");
    assert_eq!(all(&world.app).sweep_due().await.unwrap().items, 1);
    for item in ["r1", "r2", "r3"] {
        let months = facts(&world.app, item).await.iter().filter(|name| *name == "count_month").count();
        assert_eq!(months, 1, "{item}");
        assert_eq!(world.app.examine(item).await.unwrap(), []);
    }
    world.now_is("2026-05-01 20:00");
    assert_eq!(all(&world.app).sweep_due().await.unwrap().slots, 0, "nothing is left open");
}

async fn tamper(world: &World, statement: &'static str) {
    use sqlx::Connection as _;
    let url = format!("sqlite://{}", world.folder.path().join("duban.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

#[tokio::test]
async fn an_item_whose_facts_cannot_be_read_stops_no_other_mail_rung_or_sweep() {
    let world = office(|_, text| text, &["r1", "r2", "r3"]).await;
    all(&world.app).sweep_due().await.unwrap();
    world.now_is("2026-03-05 00:00");
    assert_eq!(all(&world.app).wake_due(100).await.unwrap().notices, 3);
    let world = world.reopen("2026-03-05 10:00").await;
    tamper(&world, "update fact set json = 'x' || json where item = 'r2' and seq = 1").await;
    let (memory, from) = (Memory::default(), Address::parse("duban@example.com").unwrap());
    let transport = Transport::Memory(memory.clone());
    let post = Arc::new(Post::new(Some(transport), mail_frames(None).unwrap(), from, Guard::default(), "test".into()));
    let mail = async |world: &World| {
        let rendered = all(&world.app).render_due(&post).await.unwrap();
        (rendered.mails, rendered.parked, all(&world.app).send_due(&post, &CancellationToken::new()).await.unwrap().sent)
    };
    assert_eq!(mail(&world).await, (2, 1, 2));
    let notice = world.app.store.notices_of("r2").await.unwrap().remove(0);
    assert!(notice.status == "parked" && notice.reason.as_deref().is_some_and(|why| why.contains("cannot be read")), "{notice:?}");

    world.now_is("2026-03-10 00:00");
    let woken = all(&world.app).wake_due(100).await.unwrap();
    assert_eq!((woken.looked_at, woken.facts, woken.set_aside), (3, 2, 1));
    world.now_is("2026-04-01 08:00");
    all(&world.app).wake_due(100).await.unwrap();
    let swept = all(&world.app).sweep_due().await.unwrap();
    assert!(swept.items == 4 && swept.set_aside > 0, "two sweeps over two items: {swept:?}");
    let told = world.app.act(&command("r2", "answer", "carl", [])).await;
    assert!(matches!(&told, Err(error) if error.to_string().contains("cannot be read")), "{told:?}");
    assert!(world.app.examine("r2").await.map_or(true, |findings| !findings.is_empty()), "doctor sees it");

    // Put right by hand, it goes on where it was, and the sweep comes back for it.
    tamper(&world, "update fact set json = substr(json, 2) where item = 'r2' and seq = 1").await;
    assert_eq!(world.app.retry_set_aside(&[]).await.unwrap(), ["r2"]);
    for _ in 0..5 {
        all(&world.app).wake_due(100).await.unwrap();
    }
    world.app.clock.set(moment("2026-04-01 08:00") + TimeDelta::hours(1));
    all(&world.app).sweep_due().await.unwrap();
    assert!(world.app.store.quarantined(10).await.unwrap().is_empty());
    let (one, two) = (facts(&world.app, "r1").await, facts(&world.app, "r2").await);
    assert_eq!((one.len(), two.contains(&"count_month".to_string())), (two.len(), true), "{one:?} {two:?}");
    assert_eq!(world.app.examine("r2").await.unwrap(), []);
    world.app.store.release_notices(vec![notice.key]).await.unwrap();
    world.now_is("2026-04-02 10:00");
    let (mails, parked, _) = mail(&world).await;
    assert!(mails > 0 && parked == 0, "{mails} {parked}");
}

/// A folder of rules that somebody has just broken: what needs it is refused with its mistakes, what is at work stays at work.
#[test]
fn a_broken_rule_set_on_disk_is_refused_and_the_last_good_one_stays_in_use() {
    let desk = Desk::new();
    desk.submitted("a1");
    let facts = desk.json(&["show", "a1"])["facts"].clone();
    let breaks: [(&str, fn(&mut Vec<u8>)); 4] = [
        ("a bracket", |text| text.extend(b"\nstates: [")),
        // Cut behind what opens something: half of a directory that ends with a line may well be one.
        ("half a file", |text| {
            let half = text.len() / 2;
            text.truncate(text[..half].iter().rposition(|byte| *byte == b'{').map_or(half, |open| open + 1));
        }),
        ("no text", |text| text.extend(b"\xff\xfe\x00")),
        ("nothing", |text| text.clear()),
    ];
    let shipped = crate::cli::shipped("");
    for (what, broken) in breaks {
        let folder = desk.folder.path().join("rules");
        copy(&shipped, &folder);
        let calendars = desk.folder.path().join("calendars");
        copy(&shipped.join("../calendars"), &calendars);
        let flow = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        let flow = flow.filter(|path| path.is_file() && path.extension().is_some_and(|kind| kind == "yaml")).min().unwrap();
        let mut text = std::fs::read(&flow).unwrap();
        broken(&mut text);
        std::fs::write(&flow, text).unwrap();
        for words in [&["act", "a1", "accept", "--as", "曾海敏"][..], &["serve", "--port", "0"]] {
            let output = desk.command(words).env("DUBAN_RULES", &folder).output().unwrap();
            assert!(output.status.code().is_some_and(|code| (1..=4).contains(&code)), "{what}: {output:?}");
        }
        // Looking needs no folder: it goes by what is in use.
        assert_eq!(desk.json(&["show", "a1"])["facts"], facts, "{what}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
    assert_eq!(desk.run(&["act", "a1", "accept", "--as", "曾海敏"]).code, 0, "what is good still works");
}

pub fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() { copy(&entry.path(), &target) } else { std::fs::copy(entry.path(), target).map(|_| ()).unwrap() }
    }
}
