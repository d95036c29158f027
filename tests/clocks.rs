//! Clocks that jump, machines that sleep, days that are too short or too long: nothing early, nothing twice, nothing missing, no storm.
//!
//! The office of `tests/fixtures/office` works through each of them on a clock set by hand, in zones that change their clocks; the days
//! are worked out by the checker, which shares no arithmetic with the engine. What `cron` and `window` say of single values is theirs.

use crate::support::calendar::cn;
use crate::support::checker::rungs;
use crate::support::smtp::{Act, Sink};
use crate::support::world::{all, app_under, command, rules, submit};
use chrono::{Days, TimeDelta, Timelike};
use chrono_tz::Tz;
use duban::app::App;
use duban::app::send::Post;
use duban::files::mail_frames;
use duban::kernel::calendar::cron::Cron;
use duban::kernel::calendar::window::{next_opening, start_of_day};
use duban::kernel::decide::due_slots;
use duban::kernel::model::definition::{IfMissed, SendWindow};
use duban::kernel::model::fact::Cause;
use duban::kernel::model::value::Value;
use duban::kernel::time::{Date, Instant};
use duban::mail::guard::Guard;
use duban::mail::smtp::{Limits, Server, Smtp};
use duban::mail::{Address, Memory, Transport};
use duban::scheduler::{Pulse, SILENCE, run_engine, run_mail};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Zones that change their clocks: north and south, by half an hour, at midnight, and one that does not.
const ZONES: [&str; 7] =
    ["Asia/Shanghai", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "Europe/London", "America/Havana", "Africa/Cairo"];

fn zone(name: &str) -> Tz {
    name.parse().unwrap()
}

/// The office in another zone, its monthly round by another schedule.
async fn office(folder: &Path, at: Instant, zone: &str, cron: &str) -> Arc<App> {
    let rules = rules(|_, text| {
        text.replace("timezone: Asia/Shanghai", &format!("timezone: {zone}")).replace("cron: \"0 8 1 * *\"", &format!("cron: \"{cron}\""))
    });
    let now = at.with_timezone(&zone.parse::<Tz>().unwrap());
    // The world's moments are told in Shanghai.
    let shanghai = now.with_timezone(&chrono_tz::Asia::Shanghai).format("%Y-%m-%d %H:%M").to_string();
    app_under(folder, &shanghai, rules).await.unwrap()
}

/// Ticks until nothing is due; gives how many facts came of it.
async fn tick(app: &Arc<App>) -> usize {
    let mut facts = 0;
    for _ in 0..100 {
        let woken = all(app).wake_due(256).await.unwrap();
        assert_eq!(woken.set_aside, 0);
        facts += woken.facts;
        if woken.looked_at == 0 {
            return facts + all(app).sweep_due().await.unwrap().facts;
        }
    }
    panic!("the ticks never end");
}

/// The rungs that an item has told or passed over, with the moment at which they were recorded.
async fn fired(app: &App, item: &str) -> Vec<((String, u32), Instant)> {
    let recorded = app.store.item(item).await.unwrap().unwrap();
    let rung = |cause: &Cause| match cause {
        Cause::Rung { key, .. } => Some((key.rung.to_string(), key.occurrence)),
        _ => None,
    };
    recorded.facts.iter().filter_map(|fact| Some((rung(&fact.cause)?, fact.recorded_at))).collect()
}

/// Midnight at the beginning of a day, found by walking: the first minute that has the date. It asks nothing but what a zone's clocks show.
fn begins(day: Date, zone: Tz) -> Instant {
    let mut at = day.and_hms_opt(0, 0, 0).unwrap().and_utc() - TimeDelta::hours(30);
    while at.with_timezone(&zone).date_naive() < day {
        at += TimeDelta::minutes(30);
    }
    at
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

/// Handed in so that rungs fall on changes of the clock, the turn of the year and the 29th of February: each fires at the first moment
/// of its day by the clocks of its place, not a millisecond before, and once.
#[tokio::test]
async fn a_rung_fires_at_the_first_moment_of_its_day_in_every_zone_and_once() {
    let calendar = cn();
    for name in ZONES {
        for handed_in in ["2026-02-27", "2026-03-20", "2026-04-16", "2026-09-25", "2026-10-26", "2026-12-24", "2028-02-22"] {
            let (zone, folder) = (zone(name), tempfile::tempdir().unwrap());
            let noon = begins(day(handed_in), zone) + TimeDelta::hours(12);
            let app = office(folder.path(), noon, name, "0 8 1 1 *").await;
            app.act(&submit("r1")).await.unwrap();
            let (_, rungs) = rungs(&calendar, day(handed_in));
            for (rung, nth, on) in rungs {
                let at = begins(on, zone);
                assert_eq!(start_of_day(on, zone), at, "{name} {on}");
                let before = fired(&app, "r1").await.len();
                app.clock.set(at - TimeDelta::milliseconds(1));
                tick(&app).await;
                assert_eq!(fired(&app, "r1").await.len(), before, "{name}: {rung} {nth} of {on} is early");
                for _ in 0..2 {
                    app.clock.set(at);
                    tick(&app).await;
                    let told = fired(&app, "r1").await;
                    assert_eq!(told.len(), before + 1, "{name}: {rung} {nth} of {on}");
                    assert_eq!(told.last().unwrap(), &((rung.clone(), nth), at), "{name}");
                }
            }
            app.store.clone().close().await;
        }
    }
}

/// The clock of a machine is set wrong by so much, in the middle of things, and put right again.
#[tokio::test]
async fn a_clock_that_jumps_fires_nothing_early_nothing_twice_and_loses_nothing() {
    let calendar = cn();
    let (hours, days) = (|n: i64| TimeDelta::hours(n), |n: i64| TimeDelta::days(n));
    let jumps = [
        TimeDelta::milliseconds(1),
        TimeDelta::seconds(1),
        TimeDelta::minutes(1),
        hours(1),
        hours(3),
        days(1),
        days(9),
        days(40),
        days(366),
        days(3653),
    ];
    for by in jumps.into_iter().flat_map(|by| [by, -by]) {
        let folder = tempfile::tempdir().unwrap();
        let zone = zone("Asia/Shanghai");
        let begun = begins(day("2026-03-02"), zone) + hours(10);
        let app = office(folder.path(), begun, "Asia/Shanghai", "0 8 1 1 *").await;
        app.act(&submit("r1")).await.unwrap();
        let (_, days) = rungs(&calendar, day("2026-03-02"));
        let moment: BTreeMap<(String, u32), Instant> =
            days.iter().map(|(rung, nth, on)| ((rung.clone(), *nth), begins(*on, zone))).collect();
        let late = begins(day("2026-03-10"), zone);
        // Just before a rung, exactly at it, just behind it.
        for at in [late - TimeDelta::milliseconds(1), late, late + TimeDelta::milliseconds(1)] {
            for shows in [at, at + by, at] {
                app.clock.set(shows);
                tick(&app).await;
            }
        }
        for (_, _, on) in &days {
            app.clock.set(begins(*on, zone));
            tick(&app).await;
        }
        let told = fired(&app, "r1").await;
        for (rung, at) in &told {
            assert!(*at >= moment[rung], "by {by}: {rung:?} fired at {at}");
        }
        let once: BTreeSet<_> = told.iter().map(|(rung, _)| rung.clone()).collect();
        assert_eq!((once.len(), told.len()), (moment.len(), moment.len()), "by {by}: {told:?}");
        assert_eq!(app.examine("r1").await.unwrap(), [], "by {by}");
        app.store.clone().close().await;
    }
}

/// A round that is due by civil time is made once on each civil day, also on days that lack its hour or have it twice.
#[tokio::test]
async fn a_sweep_runs_once_for_each_civil_day_over_both_changes_of_the_clock() {
    for (name, cron, first) in [
        ("America/New_York", "30 2 * * *", "2026-03-07"),
        ("America/New_York", "30 1 * * *", "2026-10-31"),
        ("Australia/Sydney", "30 2 * * *", "2026-04-04"),
        ("Australia/Sydney", "30 2 * * *", "2026-10-03"),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03"),
        ("America/Havana", "30 0 * * *", "2026-03-07"),
        ("Africa/Cairo", "0 0 * * *", "2026-04-23"),
    ] {
        let (zone, folder) = (zone(name), tempfile::tempdir().unwrap());
        let from = begins(day(first), zone) + TimeDelta::hours(-12);
        let app = office(folder.path(), from, name, cron).await;
        tick(&app).await;
        app.act(&submit("r1")).await.unwrap();
        for step in 0..4 * 24 * 6 {
            app.clock.set(from + TimeDelta::minutes(10 * step));
            tick(&app).await;
        }
        let recorded = app.store.item("r1").await.unwrap().unwrap();
        let mut slots = BTreeMap::new();
        for fact in &recorded.facts {
            if let Cause::Sweep { slot, .. } = &fact.cause {
                let shown = fact.recorded_at.with_timezone(&zone);
                assert!(shown.format("%Y-%m-%dT%H:%M").to_string().as_str() >= &**slot, "{name} {cron}: {slot} ran early, at {shown}");
                *slots.entry(slot[..10].to_string()).or_insert(0) += 1;
            }
        }
        let expected: BTreeMap<String, i32> = (0..3).map(|n| ((day(first) + Days::new(n)).to_string(), 1)).collect();
        slots.retain(|day, _| expected.contains_key(day));
        assert_eq!(slots, expected, "{name} {cron}");
        app.store.clone().close().await;
    }
}

/// The same for the schedule alone, at every half hour of the day: each civil day has its slot, whatever its length.
#[test]
fn each_civil_day_has_one_slot_of_a_daily_schedule_in_every_zone() {
    for name in ZONES {
        let zone = zone(name);
        for half_hour in 0..48 {
            let cron = Cron::parse(&format!("{} {} * * *", 30 * (half_hour % 2), half_hour / 2)).unwrap();
            let (mut last, end) = (begins(day("2026-01-01"), zone) - TimeDelta::milliseconds(1), begins(day("2027-01-01"), zone));
            let mut days: HashMap<Date, usize> = HashMap::new();
            // As a loop asks that looks now and then.
            let mut now = last;
            while now < end - TimeDelta::milliseconds(1) {
                now = (now + TimeDelta::minutes(7 * 60 + 13)).min(end - TimeDelta::milliseconds(1));
                for slot in due_slots(&cron, IfMissed::RunEach, zone, last, now) {
                    assert!(slot.at > last && slot.at <= now, "{name} {}", slot.name);
                    let civil = slot.at.with_timezone(&zone);
                    assert!(civil.hour() * 60 + civil.minute() >= half_hour * 30, "{name} {} is early", slot.name);
                    *days.entry(civil.date_naive()).or_default() += 1;
                    last = slot.at;
                }
            }
            assert_eq!((days.len(), days.values().sum::<usize>()), (365, 365), "{name} at half hour {half_hour}");
        }
    }
}

/// From minute to minute over a year of changes: what leaves leaves while the clocks on the wall show the hours of the window, and as
/// soon as they do. The oracle walks; it knows nothing of gaps and doubled hours.
#[test]
fn the_sending_window_is_what_the_clocks_on_the_wall_show() {
    let calendar = cn();
    for name in ZONES {
        let zone = zone(name);
        for (opens, closes) in [(9 * 60, 17 * 60), (0, 24 * 60), (2 * 60 + 15, 23 * 60)] {
            let window = SendWindow { working_days_only: false, opens, closes };
            for change in ["2026-03-08", "2026-03-29", "2026-04-05", "2026-04-24", "2026-10-04", "2026-10-25", "2026-10-29", "2026-11-01"] {
                let first = begins(day(change), zone) - TimeDelta::hours(30);
                // Open from the first minute of a day that shows the hour, until the first that shows the end.
                let (mut opened, mut closed) = (None, None);
                let mut open = Vec::new();
                for minute in 0..100 * 60 {
                    let shown = (first + TimeDelta::minutes(minute)).with_timezone(&zone);
                    let (date, of_day) = (shown.date_naive(), shown.hour() * 60 + shown.minute());
                    opened = if of_day >= u32::from(opens) { Some(date) } else { opened };
                    closed = if of_day >= u32::from(closes) { Some(date) } else { closed };
                    open.push(opened == Some(date) && closed != Some(date));
                }
                let mut next = None;
                for minute in (0..100 * 60).rev() {
                    let at = first + TimeDelta::minutes(minute);
                    next = if open[minute as usize] { Some(at) } else { next };
                    // The last ones may open behind what was walked, the first may have opened before.
                    if (24 * 60..70 * 60).contains(&minute) {
                        assert_eq!(Some(next_opening(window, &calendar, zone, at)), next, "{name} {opens} at {}", at.with_timezone(&zone));
                    }
                }
            }
        }
    }
}

fn post() -> (Memory, Arc<Post>) {
    let (memory, from) = (Memory::default(), Address::parse("duban@example.com").unwrap());
    let transport = Transport::Memory(memory.clone());
    (memory, Arc::new(Post::new(Some(transport), mail_frames(None).unwrap(), from, Guard::default(), "test".into())))
}

/// Down for so long: what was missed is applied in the order in which it fell due, and each person hears of each item once.
#[tokio::test]
async fn after_any_downtime_each_person_gets_one_mail_for_each_deadline_and_the_order_is_kept() {
    let calendar = cn();
    let zone = zone("Asia/Shanghai");
    let minutes = [0, 1, 60, 24 * 60, 3 * 24 * 60, 7 * 24 * 60, 8 * 24 * 60, 15 * 24 * 60, 22 * 24 * 60, 30 * 24 * 60, 60 * 24 * 60];
    for down in minutes.map(TimeDelta::minutes) {
        let folder = tempfile::tempdir().unwrap();
        let begun = begins(day("2026-03-02"), zone) + TimeDelta::hours(10);
        let app = office(folder.path(), begun, "Asia/Shanghai", "0 8 1 1 *").await;
        for (nth, item) in ["r1", "r2", "r3"].into_iter().enumerate() {
            app.clock.set(begun + TimeDelta::days(nth as i64));
            app.act(&submit(item)).await.unwrap();
        }
        let went_down = app.clock.now();
        app.store.clone().close().await;
        drop(app);
        let app = office(folder.path(), went_down + down, "Asia/Shanghai", "0 8 1 1 *").await;
        tick(&app).await;
        let mut counts = Vec::new();
        for (nth, item) in ["r1", "r2", "r3"].into_iter().enumerate() {
            let (_, rungs) = rungs(&calendar, day("2026-03-02") + Days::new(nth as u64));
            let due: Vec<_> =
                rungs.into_iter().filter(|(_, _, on)| begins(*on, zone) <= app.clock.now()).map(|(rung, nth, _)| (rung, nth)).collect();
            let told: Vec<_> = fired(&app, item).await.into_iter().map(|(rung, _)| rung).collect();
            assert_eq!(told, due, "down for {down}: {item}");
            counts.push(told.len());
        }
        // The loops do not look any more, so only what the downtime left is mailed.
        let (memory, post) = post();
        for _ in 0..3 {
            app.clock.set(app.clock.now() + TimeDelta::hours(24));
            while all(&app).render_due(&post).await.unwrap().more {}
            all(&app).send_due(&post, &CancellationToken::new()).await.unwrap();
        }
        let mut mails: BTreeMap<(String, String), usize> = BTreeMap::new();
        for mail in memory.mails() {
            let text = String::from_utf8_lossy(&mail.bytes).into_owned();
            let about = (1..=3).find(|n| text.contains(&format!("2026-00{n}"))).map(|n| n.to_string()).unwrap_or_default();
            *mails.entry((mail.to, about)).or_default() += 1;
        }
        assert!(mails.values().all(|count| *count == 1), "down for {down}: {mails:?}");
        assert_eq!(mails.is_empty(), counts.iter().all(|told| *told == 0), "down for {down}: {mails:?}");
        app.store.clone().close().await;
    }
}

/// Until it is so, as far as the loops have come.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.unwrap_or_else(|_| panic!("it never comes about: {what}"));
}

/// A clock that jumps ahead while the process lives holds both loops: nothing fires and nothing leaves until it is confirmed or put
/// right. A machine that slept is another matter: its time went by.
#[tokio::test]
async fn a_jump_ahead_is_held_until_it_is_confirmed_and_a_night_of_sleep_is_not() {
    let (zone, folder) = (zone("Asia/Shanghai"), tempfile::tempdir().unwrap());
    let begun = begins(day("2026-03-02"), zone) + TimeDelta::hours(10);
    let app = office(folder.path(), begun, "Asia/Shanghai", "0 8 1 1 *").await;
    app.act(&submit("r1")).await.unwrap();
    let (memory, post) = post();
    let (pulse, stop) = (Arc::new(Pulse::new(&app.clock)), CancellationToken::new());
    let engine = tokio::spawn(run_engine(all(&app), pulse.clone(), stop.clone()));
    let mailer = tokio::spawn(run_mail(all(&app), post, pulse.clone(), stop.clone()));
    let count = async || fired(&app, "r1").await.len();
    until("it looks", async || pulse.state().last_tick.is_some() && pulse.state().last_mail.is_some()).await;

    for ahead in [TimeDelta::hours(3), TimeDelta::days(3), TimeDelta::days(400), TimeDelta::days(3653)] {
        app.clock.set_astray(begun + ahead);
        pulse.wake();
        until("it is held", async || pulse.state().held.is_some()).await;
        pulse.wake();
        assert!(pulse.troubles(app.clock.now()).iter().any(|trouble| trouble.starts_with("clock: ")));
        assert_eq!((count().await, memory.mails().len()), (0, 0), "ahead by {ahead}");
        // Put right.
        app.clock.set_astray(begun);
        pulse.wake();
        until("it goes on", async || pulse.state().held.is_none()).await;
        assert_eq!((count().await, memory.mails().len()), (0, 0), "ahead by {ahead}");
    }

    // Set back, and on again: believed, and nothing fires for it.
    for shows in [begun - TimeDelta::days(3653), begun] {
        let ticks = pulse.state().work.ticks;
        app.clock.set_astray(shows);
        pulse.wake();
        until("it looks again", async || pulse.state().work.ticks > ticks).await;
        assert_eq!((count().await, pulse.state().held), (0, None), "{shows}");
    }

    // The machine slept until the reminder was due.
    app.clock.set(begins(day("2026-03-05"), zone) + TimeDelta::hours(10));
    pulse.wake();
    until("the reminder is told and mailed", async || count().await == 1 && memory.mails().len() == 1).await;

    // Ahead once more, and somebody says that the clock is right: one mail for each person, not one for each rung.
    app.clock.set_astray(begins(day("2026-04-20"), zone) + TimeDelta::hours(10));
    pulse.wake();
    until("it is held", async || pulse.state().held.is_some()).await;
    assert_eq!((count().await, memory.mails().len()), (1, 1));
    assert!(pulse.confirm_clock(&app.clock));
    until("all is told", async || count().await == 5 && memory.mails().len() >= 3).await;
    stop.cancel();
    pulse.wake();
    engine.await.unwrap();
    mailer.await.unwrap();
    let persons: Vec<String> = memory.mails()[1..].iter().map(|mail| mail.to.clone()).collect();
    assert_eq!(persons.iter().collect::<BTreeSet<_>>().len(), persons.len(), "no storm: {persons:?}");
}

/// A server that never answers holds the mailer; whoever asks how it goes hears of it, though the other loop goes on.
#[tokio::test]
async fn a_mailer_of_which_nothing_is_heard_is_told() {
    let (zone, folder) = (zone("Asia/Shanghai"), tempfile::tempdir().unwrap());
    let begun = begins(day("2026-03-02"), zone) + TimeDelta::hours(10);
    let app = office(folder.path(), begun, "Asia/Shanghai", "0 8 1 1 *").await;
    let sink = Sink::start(|_| Act::Silence).await;
    let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls=none", sink.port), None).unwrap();
    let transport = Transport::Smtp(Box::new(Smtp::new(server, Limits::default()).unwrap()));
    let from = Address::parse("duban@example.com").unwrap();
    let guard = Guard { production: Some("office".into()), ..Guard::default() };
    let post = Arc::new(Post::new(Some(transport), mail_frames(None).unwrap(), from, guard, "test".into()));
    let (pulse, stop) = (Arc::new(Pulse::new(&app.clock)), CancellationToken::new());
    let engine = tokio::spawn(run_engine(all(&app), pulse.clone(), stop.clone()));
    let mailer = tokio::spawn(run_mail(all(&app), post, pulse.clone(), stop.clone()));
    until("both have looked", async || pulse.state().last_tick.is_some() && pulse.state().last_mail.is_some()).await;
    app.act(&submit("r1")).await.unwrap();
    app.act(&command("r1", "ask_back", "carl", [("question", Value::text("which?"))])).await.unwrap();
    pulse.wake();
    until("a mail is on its way", async || sink.connections() > 0).await;
    for (seconds, told) in [(119, false), (121, true)] {
        app.clock.set(begun + TimeDelta::seconds(seconds));
        let ticks = pulse.state().work.ticks;
        pulse.wake();
        until("the other loop looks", async || pulse.state().work.ticks > ticks).await;
        let troubles = pulse.troubles(app.clock.now());
        assert_eq!(troubles.iter().any(|trouble| trouble.starts_with("mail: ")), told, "{seconds}: {troubles:?}");
        assert!(!troubles.iter().any(|trouble| trouble.starts_with("scheduler: ")), "{troubles:?}");
    }
    // Where both are silent, both are told, by the same number.
    assert_eq!(pulse.troubles(app.clock.now() + SILENCE + TimeDelta::seconds(1)).len(), 2);
    stop.cancel();
    pulse.wake();
    engine.await.unwrap();
    mailer.abort();
}
