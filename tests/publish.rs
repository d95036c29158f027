//! A publication that dies: killed at each step to the disk, its power cut there, or cut off from its server at each statement. The old rules
//! are in use or the new ones, whole; whoever works the same database stays or follows, and the next try brings it to its end.
//!
//! `DUBAN_CUTS` asks for more of them than the short run has.

use crate::plan::{plan, publish, version_2};
use crate::support::disk::{Disk, LIBRARY, Step, Trace};
use crate::support::ground::Ground;
use crate::support::line::{Cut, Line};
use crate::support::office::setting;
use crate::support::world::{all, app_on, app_over, submit};
use duban::app::{App, PublishError, Publisher, rules_in_use};
use duban::kernel::rules::RuleSet;
use duban::store::{Place, StoreError};
use rand::SeedableRng;
use rand::rngs::StdRng;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const NOW: &str = "2026-03-02 10:00";
const CUTS: u64 = 12;

/// So many places out of all, the first and the last among them.
fn spread(all: usize) -> Vec<usize> {
    let wanted = (setting("DUBAN_CUTS", CUTS) as usize).clamp(2, all.max(2));
    (0..wanted).map(|place| place * (all - 1) / (wanted - 1)).collect()
}

fn new_rules() -> Arc<RuleSet> {
    version_2(", open_items: { answer: recompute }", |text| text.replace("length: 5 working days", "length: 3 working days"))
}

async fn worked(app: &App) {
    for item in ["r1", "r2", "r3"] {
        app.act(&submit(item)).await.unwrap();
    }
}

/// Which revision is in use, after looking whether all of it is: the record, the texts, the office's row, the items.
async fn in_use(app: &App) -> u64 {
    let store = &app.store;
    let published = store.published().await.unwrap();
    let last = published.last().expect("was opened");
    assert_eq!(published.iter().map(|one| one.revision).collect::<Vec<_>>(), (1..=last.revision).collect::<Vec<_>>());
    let stored = store.rules_in_use().await.unwrap().unwrap();
    assert_eq!((stored.revision, &stored.hash), (last.revision, &last.hash));
    assert_eq!(store.rules_hash().await.unwrap(), Some((last.hash.clone(), last.revision)));
    let offices = store.everywhere().jurisdictions("", 10).await.unwrap();
    assert_eq!(offices.iter().map(|office| (office.revision, &office.rules)).collect::<Vec<_>>(), [(last.revision, &last.hash)]);
    assert_eq!(*rules_in_use(store).await.unwrap().hash, *last.hash, "its texts are there");
    for item in ["r1", "r2", "r3"] {
        store.check_chain(item).await.unwrap();
    }
    last.revision
}

/// It is brought to its end, whatever was left.
async fn completes(app: &App) {
    let new = new_rules();
    if in_use(app).await == 1 {
        let seen = plan(app, &new, 0).await;
        assert_eq!(publish(app, &seen, &new).await, Ok(2));
    }
    assert_eq!((in_use(app).await, &app.store.published().await.unwrap()[1].hash), (2, &new.hash.to_string()));
}

/// This process starts itself again as the one that publishes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_killed_leaves_the_old_rules_or_the_new_ones() {
    if let Some(folder) = std::env::var_os("DUBAN_PUBLISH") {
        let trace = Trace(std::env::var_os("DISK_TRACE").expect("is watched").into());
        let app = app_on(Place::File(PathBuf::from(folder).join("duban.db")), NOW, None).await;
        worked(&app).await;
        let new = new_rules();
        let seen = plan(&app, &new, 0).await;
        trace.tell("publishes");
        assert_eq!(publish(&app, &seen, &new).await, Ok(2));
        trace.tell("published");
        app.store.clone().close().await;
        return;
    }
    let ground = Ground::file();
    std::fs::create_dir(ground.beside("data")).unwrap();
    let trace = Trace(ground.beside("trace"));
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again.args(["--exact", "publish::one_that_is_killed_leaves_the_old_rules_or_the_new_ones"]);
    again.env("DUBAN_PUBLISH", ground.beside("data")).env("LD_PRELOAD", &*LIBRARY);
    again.env("DISK_FOLDER", ground.beside("data")).env("DISK_TRACE", &trace.0);
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{output:?}");

    let steps = trace.steps();
    let told = |what: &str| steps.iter().position(|step| *step == Step::Told(what.into())).expect("was told");
    let (begun, ended) = (told("publishes"), told("published"));
    let places = spread(steps.len() - begun);
    let (mut disk, mut chance) = (Disk::default(), StdRng::seed_from_u64(19));
    let (mut olds, mut news) = (0, 0);
    for (place, step) in steps.iter().enumerate() {
        disk.step(step);
        if place < begun || !places.contains(&(place - begun)) {
            continue;
        }
        for files in [disk.as_seen(), disk.after_a_cut(&mut chance)] {
            let left = Ground::file();
            for (name, bytes) in &files {
                std::fs::write(left.beside(name), bytes).unwrap();
            }
            let app = app_over_what_is_there(&left).await;
            let revision = in_use(&app).await;
            assert!(revision == 2 || place < ended, "it was told to be published: step {place}");
            *if revision == 1 { &mut olds } else { &mut news } += 1;
            completes(&app).await;
        }
    }
    println!("{} steps, {} looked at: {olds} old, {news} new", steps.len() - begun, places.len());
    assert!(olds > 0 && news > 0);
}

/// Under the rules that its database has in use.
async fn app_over_what_is_there(ground: &Ground) -> Arc<App> {
    let opening = duban::store::Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = ground.open(opening, crate::support::world::moment(NOW)).await.unwrap();
    let rules = rules_in_use(&store).await.unwrap();
    let clock = duban::clock::Clock::set_to(crate::support::world::moment(NOW));
    Arc::new(App::open(store, rules, clock).await.unwrap())
}

/// The connection goes at each statement: before it arrives, within it, or before its answer comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_is_cut_off_leaves_the_old_rules_or_the_new_ones_and_others_follow() {
    let who = Publisher { by: Some("hu".into()), ..Publisher::default() };
    let new = new_rules();
    // How many statements there are.
    let (heard, count) = (Arc::new(AtomicUsize::new(0)), Ordering::Relaxed);
    let all_of_them = {
        let ground = Ground::server().await;
        worked(&*app_over(&ground, NOW).await).await;
        let Ground::Server(url) = &ground else { unreachable!("a server") };
        let line = Line::to(url).await;
        let app = app_on(line.url().parse().unwrap(), NOW, None).await;
        let seen = plan(&app, &new, 0).await;
        let counting = heard.clone();
        line.cut(
            move |_| {
                counting.fetch_add(1, count);
                false
            },
            Cut::Asked(0),
        );
        app.publish(&seen, &new, &who).await.unwrap();
        heard.load(count)
    };
    assert!(all_of_them > 5, "{all_of_them} statements");
    let (mut olds, mut news) = (0, 0);
    for (turn, place) in spread(all_of_them).into_iter().enumerate() {
        let cut = [Cut::Asked(0), Cut::Asked(3), Cut::Answered(0)][turn % 3];
        let ground = Ground::server().await;
        let beside = app_over(&ground, NOW).await;
        worked(&beside).await;
        let Ground::Server(url) = &ground else { unreachable!("a server") };
        let line = Line::to(url).await;
        let app = app_on(line.url().parse().unwrap(), NOW, None).await;
        let seen = plan(&app, &new, 0).await;
        let mut statements = 0;
        line.cut(
            move |_| {
                statements += 1;
                statements > place
            },
            cut,
        );
        let answer = app.publish(&seen, &new, &who).await;
        let revision = in_use(&beside).await;
        match &answer {
            Ok(_) => assert_eq!(revision, 2, "statement {place}, {cut:?}"),
            Err(PublishError::Store(StoreError::NotDone(_))) => assert_eq!(revision, 1, "statement {place}, {cut:?}"),
            Err(PublishError::Store(_)) => {}
            Err(PublishError::No(no)) => panic!("statement {place}, {cut:?}: {no:?}"),
        }
        *if revision == 1 { &mut olds } else { &mut news } += 1;
        // Whoever runs beside it goes on under what is in use.
        let followed = all(&beside).follow_rules().await.unwrap();
        assert_eq!((followed, beside.rules().hash == new.hash), (usize::from(revision == 2), revision == 2), "statement {place}");
        completes(&beside).await;
    }
    println!("{all_of_them} statements: {olds} old, {news} new");
    assert!(olds + news > 0);
}
