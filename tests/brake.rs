//! An unusual batch of mails in an office at work: it is held, everybody is told so, and a person lets it go or cancels it.

use crate::plan::{plan, publish, version_2};
use crate::store::{stories, told};
use crate::support::ground::Ground;
use crate::support::office::{Office, Reply, commands};
use crate::support::world::{all, app_over, command, moment, rules, submit};
use duban::app::import::Wishes;
use duban::app::outbox::why_said;
use duban::app::send::{Brake, Post};
use duban::app::{App, Batch, check_up};
use duban::files::mail_frames;
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::words::Lang;
use duban::mail::Address;
use duban::sheet::{Row, RowStep};
use std::sync::Arc;
use std::time::{Duration, Instant};

stories!(an_unusual_batch_is_held_and_said_to_be, what_the_plan_foresaw_leaves, what_a_list_causes_at_once_waits_for_a_person,);

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);

fn post(factor: u64, at_least: u64) -> Post {
    let from = Address::parse("duban@example.com").unwrap();
    let mut post = Post::new(None, mail_frames(None).unwrap(), from, Default::default(), "test".into());
    post.brake = Some(Brake { factor, at_least });
    post
}

/// Everything that is due is done, and its mails composed; gives how many.
async fn worked(app: &Arc<App>, post: &Post) -> usize {
    let offices = all(app);
    while offices.wake_due(100).await.unwrap().looked_at > 0 {}
    let mut mails = 0;
    loop {
        let rendered = offices.render_due(post).await.unwrap();
        mails += rendered.mails;
        if !rendered.more {
            return mails;
        }
    }
}

async fn answered(app: &App, items: std::ops::Range<u32>) {
    for n in items {
        app.act(&submit(&format!("r{n}"))).await.unwrap();
        app.act(&command(&format!("r{n}"), "answer", "carl", [])).await.unwrap();
    }
}

async fn an_unusual_batch_is_held_and_said_to_be(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    let post = post(3, 5);
    answered(&app, 0..4).await;
    assert_eq!(worked(&app, &post).await, 4);
    answered(&app, 4..10).await;
    assert_eq!(worked(&app, &post).await, 0);
    let held = app.store.notices_of("r4").await.unwrap().remove(0);
    let zone = chrono_tz::Asia::Shanghai;
    let said = why_said(held.reason.as_deref().unwrap(), zone, Lang::En).unwrap();
    assert_eq!(
        said,
        "since 2026-03-02 10:00 by the volume brake, because 10 mails would have left within an hour, against 0 usual and 0 foreseen"
    );
    let chinese = why_said(held.reason.as_deref().unwrap(), zone, Lang::Zh).unwrap();
    assert!(chinese.contains("2026-03-02 10:00") && chinese.contains("10封"), "{chinese}");
    let checks = check_up(&app.store, None, app.now()).await.unwrap();
    let found = checks.iter().find(|check| check.found == "volume").unwrap_or_else(|| panic!("{checks:?}"));
    assert_eq!((found.level, found.values["mails"].as_str()), (duban::app::Level::Fault, "10"));

    assert_eq!(app.change_batch(Batch::Volume, None).await.unwrap(), 6);
    assert_eq!(worked(&app, &post).await, 6);
    let checks = check_up(&app.store, None, app.now()).await.unwrap();
    assert!(checks.iter().all(|check| check.found != "volume"), "{checks:?}");
    // Another batch is another question.
    answered(&app, 10..12).await;
    assert_eq!(worked(&app, &post).await, 0);
    assert_eq!(app.change_batch(Batch::Volume, Some("a mistake")).await.unwrap(), 2);
    assert_eq!(worked(&app, &post).await, 0);
    assert_eq!(app.store.notices_of("r10").await.unwrap()[0].status, "cancelled");
}

/// Eight reminders leave on one morning: a person is asked, unless the plan behind the rules in use had said so.
async fn what_the_plan_foresaw_leaves(ground: Ground) {
    for foreseen in [false, true] {
        let ground = ground.another().await;
        let app = app_over(&ground, "2026-03-02 10:00").await;
        for n in 0..8 {
            app.act(&submit(&format!("r{n}"))).await.unwrap();
        }
        if foreseen {
            let new = version_2("", |text| text.replace("title: hand in", "title: send in"));
            let seen = plan(&app, &new, 0).await;
            assert_eq!(publish(&app, &seen, &new).await, Ok(2));
        }
        app.clock.set(moment("2026-03-05 09:30"));
        assert_eq!(worked(&app, &post(1, 2)).await, if foreseen { 8 } else { 0 });
        assert_eq!(app.store.hold().await.unwrap().is_some(), !foreseen);
    }
}

/// Its notices are recorded with it, also those that were due already, and none leaves before somebody has looked.
async fn what_a_list_causes_at_once_waits_for_a_person(ground: Ground) {
    let app = app_over(&ground, "2026-03-20 10:00").await;
    let list = "imports:
  letters:
    title: letters
    sheet: Letters
    columns: { about: { heading: about, type: text, required: true }, came_on: { heading: came on, type: date, required: true } }
    steps: [{ do: submit, by: citizen, on: came_on, with: { title: about } }]
";
    // What a list makes is made of rows that were read already.
    let with_import = Arc::new(rules(|path, text| if path == "request.yaml" { format!("{text}\n{list}") } else { text }));
    let app = Arc::new(App::open(app.store.clone(), with_import, app.clock.clone()).await.unwrap());
    let step = |day: &str| RowStep {
        action: "submit".into(),
        by: "citizen".into(),
        on: day.parse().unwrap(),
        input: Fields::from([("title".into(), Value::text("A letter"))]),
    };
    let row = |number: u32, day: &str| Row { number, item: Some(format!("l{number}").into()), steps: vec![step(day)] };
    let rows = vec![row(1, "2026-03-02"), row(2, "2026-03-19")];
    let request = app.rules().workflows["request"].clone();
    let done = app.import(&request, "letters", rows, &Wishes::default(), None).await.unwrap();
    assert!(done.written && done.caused.overdue > 0, "{:?}", done.caused);
    let late = app.store.notices_of("l1").await.unwrap();
    assert_eq!(late.len() as u64, done.caused.told + done.caused.overdue, "recorded with the list");
    assert!(late.iter().all(|notice| (notice.status.as_str(), notice.reason.as_deref()) == ("parked", Some("imported"))), "{late:?}");
    assert_eq!(worked(&app, &post(3, 50)).await, 0);
    assert_eq!(app.change_batch(Batch::Imported, None).await.unwrap(), late.len() as u64);
    assert!(worked(&app, &post(3, 50)).await > 0);
    // What falls due later is told as ever.
    app.clock.set(moment("2026-03-24 10:00"));
    assert!(worked(&app, &post(3, 50)).await > 0);
    assert_eq!(app.examine("l1").await.unwrap(), []);
}

async fn until(what: &str, wanted: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !wanted().await {
        assert!(begun.elapsed() < BOUND, "{what}");
        tokio::task::yield_now().await;
    }
}

/// A server whose brake has closed says so by every door, and an administrator opens it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_says_that_it_holds_and_is_told_to_let_go() {
    let office = Office::on_file();
    let mails = office.folder.path().join("mails");
    let life = office.start(|command| {
        command.env("DUBAN_MAIL_FOLDER", &mails).env("DUBAN_VOLUME_FACTOR", "3").env("DUBAN_VOLUME_AT_LEAST", "3");
    });
    let life = life.await.unwrap();
    for number in 0..8 {
        for command in commands(&format!("a{number}"), 0) {
            assert!(matches!(life.asking.act(&command).await, Reply::Done(_)), "{command:?}");
        }
    }
    let outbox = async || {
        let (status, body) = life.asking.ask("GET", "/api/v1/outbox", "", "").await;
        assert_eq!(status, 200, "{body}");
        serde_json::from_str::<serde_json::Value>(&body).unwrap()
    };
    until("nothing is ever held", async || !outbox().await["held"].is_null()).await;
    let left = || {
        std::fs::read_dir(&mails)
            .map_or(0, |files| files.flatten().filter(|file| file.path().extension().is_some_and(|e| e == "eml")).count())
    };
    assert!(left() <= 3, "{}", left());
    let held = outbox().await["held"].clone();
    assert!(held["mails"].as_u64().unwrap() > 3 && held["says"].as_str().unwrap().contains("volume brake"), "{held}");
    let run = |words: &[&str]| {
        let output = office.command(words).output().unwrap();
        (output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
    };
    let (code, said) = run(&["outbox"]);
    assert!(code == Some(0) && said.contains("duban outbox release --volume"), "{said}");
    let (_, said) = run(&["doctor"]);
    assert!(said.contains("the volume brake holds all mails since"), "{said}");
    let (_, metrics) = life.asking.ask("GET", "/metrics", "", "").await;
    assert!(metrics.contains("\nduban_volume_brake_closed 1\n"), "{metrics}");
    let rows = outbox().await["notices"].as_array().unwrap().clone();
    let parked = rows.iter().find(|row| row["status"] == "parked").unwrap();
    assert!(parked["says"].as_str().unwrap().contains("by the volume brake"), "{parked}");
    let (code, said) = run(&["explain", "why-no-mail", parked["item"].as_str().unwrap(), "--to", parked["person"].as_str().unwrap()]);
    assert!(code == Some(0) && said.contains("by the volume brake, because"), "{said}");
    let (code, said) = run(&["explain", "mail", parked["key"].as_str().unwrap()]);
    assert!(code == Some(0) && said.contains("by the volume brake, because"), "{said}");

    let (code, said) = run(&["outbox", "release", "--volume"]);
    assert_eq!(code, Some(0), "{said}");
    until("they never leave", async || {
        let page = outbox().await;
        page["held"].is_null() && page["counts"]["parked"].is_null() && page["counts"]["ready"].is_null() && left() > 3
    })
    .await;
    let (code, said) = run(&["outbox", "release", "--volume", "--imported"]);
    assert_eq!(code, Some(2), "{said}");
    assert_eq!(life.stop(), Some(0));
}
