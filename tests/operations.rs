//! What keeps an installation going: looking after it, backups that mail nothing twice, what was set aside, and older and newer schemas.

use crate::cli::Desk;
use crate::support::smtp::{Act, At, Sink, Step};
use serde_json::Value as Json;

/// The answer to one question of `duban doctor`.
fn asked<'a>(answer: &'a Json, check: &str) -> Vec<&'a Json> {
    answer["checks"].as_array().unwrap().iter().filter(|found| found["check"] == check).collect()
}

fn found(answer: &Json, check: &str) -> (String, String) {
    let found = asked(answer, check)[0];
    (found["found"].as_str().unwrap().to_string(), found["level"].as_str().unwrap().to_string())
}

fn pair(found: &str, level: &str) -> (String, String) {
    (found.to_string(), level.to_string())
}

impl Desk {
    /// The answer of a command with its exit code.
    pub fn coded(&self, arguments: &[&str]) -> (i32, Json) {
        let answer = self.run(&[arguments, &["--json"]].concat());
        (answer.code, serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}")))
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

#[test]
fn the_doctor_says_of_each_question_how_it_is_and_what_to_do() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["doctor"]).code, 4, "there is no database yet");
    desk.submitted("a1");
    desk.submitted("a2");
    let (code, answer) = desk.coded(&["doctor"]);
    assert_eq!(code, 0, "warnings are no faults: {answer}");
    assert_eq!(found(&answer, "server"), pair("nobody", "warning"));
    assert_eq!(found(&answer, "records"), pair("good", "good"));
    assert_eq!(asked(&answer, "records")[0]["values"]["items"], "2");
    assert_eq!(found(&answer, "pages"), pair("good", "good"));
    assert_eq!(found(&answer, "rules"), pair("good", "good"));
    assert_eq!(found(&answer, "clock"), pair("good", "good"));
    assert_eq!(found(&answer, "wake_ups"), pair("overdue", "warning"), "what was due in 2024 was never worked");
    assert_eq!(found(&answer, "mail"), pair("nowhere", "warning"));
    assert_eq!(found(&answer, "backup"), pair("never", "warning"));
    for check in answer["checks"].as_array().unwrap() {
        let sentence = check["sentence"].as_str().unwrap();
        assert!(!sentence.contains('{') && !sentence.starts_with("doctor."), "{check}");
        assert_eq!(check["level"] == "good", check["do"].is_null(), "what is not good has something to do: {check}");
    }
    let english = desk.run(&["doctor", "--lang", "en"]);
    assert!(english.out.contains("! server: not running") && english.out.contains("→ start duban serve"), "{english:?}");

    // Somebody's hand in the database, an item that was set aside, a calendar that ends before what is due.
    desk.sql("update item set title = 'forged' where id = 'a2'");
    desk.sql("update item set quarantine = 'a rule failed', set_aside_at = 1709251200000, retries = 3 where id = 'a1'");
    desk.sql(r#"update item set dues = '{"answer":"2099-01-05"}' where id = 'a1'"#);
    let (code, answer) = desk.coded(&["doctor"]);
    assert_eq!((code, &answer["faults"]), (1, &1.into()), "{answer}");
    assert_eq!(found(&answer, "records"), pair("damaged", "fault"));
    let which = asked(&answer, "records")[0]["which"].to_string();
    assert!(which.contains("a2") && which.contains("`forged` is stored"), "{which}");
    assert_eq!(found(&answer, "set_aside"), pair("some", "warning"));
    assert_eq!(asked(&answer, "set_aside")[0]["values"]["since"], "2024-03-01T00:00:00Z");
    assert_eq!(asked(&answer, "set_aside")[0]["which"], serde_json::json!([["a1", "a rule failed"]]));
    assert_eq!(found(&answer, "calendar"), pair("beyond", "warning"));
    assert_eq!(asked(&answer, "calendar")[0]["values"]["farthest"], "2099-01-05");
    let shown = desk.run(&["doctor"]);
    assert!(shown.out.contains("✗ 记录：2件中有2件") || shown.out.contains("✗ 记录：2件中有1件"), "{shown:?}");
}

/// Sums over all offices of a database, and which are worst off; of one, when it is named.
#[test]
fn the_doctor_asks_all_offices_and_names_those_that_are_worst_off() {
    let desk = Desk::new();
    let office = |name: &str| std::fs::write(desk.path("duban.yaml"), format!("jurisdiction: {name}\n")).unwrap();
    office("west");
    desk.submitted("a1");
    desk.submitted("a2");
    assert_eq!(desk.run(&["offices", "add", "east"]).code, 0);
    office("east");
    desk.submitted("a1");
    std::fs::remove_file(desk.path("duban.yaml")).unwrap();
    assert_eq!(desk.run(&["list"]).code, 2, "which of the two is to be said");
    desk.sql("update item set quarantine = 'a rule failed', set_aside_at = 1709251200000 where jurisdiction = 'east'");
    desk.sql(r#"update item set dues = '{"answer":"2099-01-05"}' where jurisdiction = 'west'"#);
    let (_, answer) = desk.coded(&["doctor"]);
    let of = |check: &str| asked(&answer, check)[0].clone();
    assert_eq!((of("wake_ups")["values"]["count"].as_str(), of("wake_ups")["offices"].as_array().unwrap().len()), (Some("3"), 2));
    let counts: Vec<u64> = of("wake_ups")["offices"].as_array().unwrap().iter().map(|share| share["count"].as_u64().unwrap()).collect();
    assert_eq!(counts.iter().sum::<u64>(), 3, "{answer}");
    assert_eq!(of("set_aside")["offices"], serde_json::json!([{ "office": "east", "count": 1, "since": "2024-03-01T00:00:00Z" }]));
    assert_eq!(of("set_aside")["which"], serde_json::json!([["east/a1", "a rule failed"]]));
    assert_eq!((of("calendar")["found"].as_str(), &of("calendar")["offices"][0]["office"]), (Some("beyond"), &"west".into()));
    assert_eq!(of("calendar")["offices"][0]["count"], 2);
    assert_eq!((of("rules")["found"].as_str(), of("records")["values"]["items"].as_str()), (Some("good"), Some("3")));
    let shown = desk.run(&["doctor", "--lang", "en"]);
    assert!(shown.out.contains("west") && shown.out.contains("1, the first since 2024-03-01 08:00"), "{shown:?}");
    let (_, answer) = desk.coded(&["doctor", "--jurisdiction", "east"]);
    assert_eq!(asked(&answer, "wake_ups")[0]["values"]["count"], "1");
    assert!(asked(&answer, "wake_ups")[0].get("offices").is_none_or(|offices| *offices == serde_json::json!([])), "{answer}");
    assert_ne!(found(&answer, "calendar").0, "beyond");
    assert_eq!(desk.run(&["doctor", "--jurisdiction", "esat"]).code, 2);
}

/// What concerns an office needs no name while there is only one; what concerns all of them never does.
#[test]
fn the_only_office_of_a_database_needs_no_name_also_through_a_server() {
    let desk = Desk::new();
    std::fs::write(desk.path("duban.yaml"), "jurisdiction: west\n").unwrap();
    desk.submitted("a1");
    std::fs::remove_file(desk.path("duban.yaml")).unwrap();
    assert_eq!(desk.json(&["list"])["items"][0]["id"], "a1");
    desk.submitted("a2");
    let server = crate::serve::Server::start(&desk, &[]);
    server.until_ready();
    desk.submitted("a3");
    assert_eq!(desk.json(&["list"])["items"].as_array().unwrap().len(), 3);
    assert_eq!(desk.json(&["clock", "confirm"])["confirmed"], false, "nothing was held");
    assert_eq!(desk.json(&["restore", "--release", "cancel"])["notices"], 0);
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(desk.run(&["offices", "add", "east"]).code, 0);
    let several = desk.run(&["list", "--lang", "en"]);
    assert!(several.code == 2 && several.err.contains("only: east, west"), "{several:?}");
    assert_eq!(desk.json(&["clock", "confirm"])["confirmed"], false, "it concerns them all");
}

/// All offices of a database are looked through, also when none of them is `local`; and a copy of it is held and let go as a whole.
#[test]
fn a_copy_of_many_offices_is_whole_when_all_of_them_are() {
    let desk = Desk::new();
    std::fs::write(desk.path("duban.yaml"), "jurisdiction: west\n").unwrap();
    desk.submitted("a1");
    std::fs::remove_file(desk.path("duban.yaml")).unwrap();
    let added = desk.run(&["offices", "add", "east"]);
    assert_eq!(added.code, 0, "{added:?}");

    let (code, answer) = desk.coded(&["backup", "whole.db"]);
    assert_eq!((code, &answer["found"]["items"], &answer["found"]["damaged"]), (0, &1.into(), &0.into()), "{answer}");
    let restored = desk.json(&["restore", "whole.db", "--database", "new.db"]);
    assert_eq!(restored["found"]["items"], 1, "{restored}");
    let held = &restored["held"]["notices"];
    assert_ne!(held, 0, "{restored}");
    let released = desk.json(&["restore", "--release", "cancel", "--database", "new.db"]);
    assert_eq!(&released["notices"], held, "{released}");
    assert_eq!(desk.run(&["restore", "--mark", "--database", "new.db"]).code, 0);
    assert_eq!(desk.run(&["restore", "--mark", "--database", "none.db"]).code, 4, "none is made");

    desk.sql("update item set title = 'forged' where jurisdiction = 'west'");
    let (code, answer) = desk.coded(&["backup", "damaged.db"]);
    assert_eq!((code, &answer["found"]["damaged"]), (1, &1.into()), "{answer}");
    let (code, answer) = desk.coded(&["restore", "--check", "damaged.db"]);
    assert_eq!((code, &answer["found"]["damaged"]), (1, &1.into()), "{answer}");
    let (_, answer) = desk.coded(&["doctor", "--jurisdiction", "east"]);
    assert_eq!(found(&answer, "records"), pair("good", "good"), "that one is whole");
    assert_eq!(desk.run(&["offices", "add", "local"]).code, 0);
    let (code, answer) = desk.coded(&["doctor"]);
    assert_eq!((code, found(&answer, "records")), (1, pair("damaged", "fault")), "{answer}");
    assert!(asked(&answer, "records")[0]["which"].to_string().contains("west/a1"), "{answer}");
}

#[tokio::test]
async fn the_doctor_greets_the_mail_server_and_sends_nothing() {
    let desk = Desk::new();
    desk.submitted("a1");
    let sink = Sink::start(|_| Act::Behave).await;
    let refusing = Sink::start(|at: At| if at.step == Step::Ehlo { Act::Say("554 not you") } else { Act::Behave }).await;
    let desk = std::sync::Arc::new(desk);
    let ask = async |port: u16, arguments: &'static [&'static str]| {
        let desk = desk.clone();
        let asking = tokio::task::spawn_blocking(move || {
            let url = format!("smtp://127.0.0.1:{port}?tls=none");
            let output = desk.command(arguments).env("DUBAN_SMTP_URL", url).output().unwrap();
            serde_json::from_slice::<Json>(&output.stdout).unwrap()
        });
        asking.await.unwrap()
    };
    let answer = ask(sink.port, &["doctor", "--json"]).await;
    assert_eq!((found(&answer, "mail"), sink.connections()), (pair("set", "good"), 0), "it is greeted only when asked for");
    let answer = ask(sink.port, &["doctor", "--mail", "--json"]).await;
    assert_eq!((found(&answer, "mail"), sink.connections()), (pair("greeted", "good"), 1));
    assert!(sink.accepted().is_empty());
    let answer = ask(refusing.port, &["doctor", "--mail", "--json"]).await;
    assert_eq!(found(&answer, "mail"), pair("refused", "fault"));
    assert_eq!(asked(&answer, "mail")[0]["values"]["phase"], "greeting");
    assert!(asked(&answer, "mail")[0]["sentence"].as_str().unwrap().contains("停在“握手”"), "{answer}");
}

#[test]
fn a_backup_is_taken_while_a_server_works_and_overwrites_nothing() {
    let desk = Desk::new();
    desk.submitted("a1");
    let server = crate::serve::Server::start(&desk, &[]);
    desk.submitted("a2");
    let (code, answer) = desk.coded(&["backup", "copy.db"]);
    assert_eq!((code, &answer["found"]), (0, &serde_json::json!({ "items": 2, "damaged": 0, "pages": null })), "{answer}");
    let sum = std::fs::read_to_string(desk.path("copy.db.sha256")).unwrap();
    assert_eq!(sum, format!("{}  copy.db\n", answer["sha256"].as_str().unwrap()));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        for file in ["duban.db", "duban.db-wal", "copy.db"] {
            let mode = std::fs::metadata(desk.path(file)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{file} is nobody else's to read");
        }
    }
    let nowhere = desk.run(&["backup", "not-there/copy.db"]);
    assert!(nowhere.code == 4 && nowhere.err.contains("not-there") && !nowhere.err.contains("partial"), "{nowhere:?}");
    assert_eq!(desk.run(&["backup", "copy.db"]).code, 5, "it is there already");
    let (_, doctor) = desk.coded(&["doctor"]);
    assert_eq!(found(&doctor, "backup"), pair("good", "good"), "the server has noted it");
    assert!(asked(&doctor, "backup")[0]["values"]["file"].as_str().unwrap().ends_with("copy.db"), "{doctor}");
    let (_, page) = server.ask("GET", "/metrics", &[], "");
    assert!(page.contains("\nduban_last_backup_timestamp_seconds 1") && page.contains("\nduban_set_aside_age_seconds 0"), "{page}");
    assert_eq!(desk.run(&["list", "--database", "copy.db"]).code, 0);
    let whole = desk.run(&["restore", "--check", "copy.db"]);
    assert!(whole.code == 0 && whole.out.contains("2件，都与事实一致"), "{whole:?}");
    assert_eq!(desk.run(&["restore", "copy.db"]).code, 5, "the database is there and in use");
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    let mut left: Vec<String> =
        std::fs::read_dir(desk.folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    left.retain(|name| name.contains("partial"));
    assert_eq!(left, Vec::<String>::new(), "nothing unfinished is left");

    // Cut short on its way, or spoilt.
    let bytes = std::fs::read(desk.path("copy.db")).unwrap();
    std::fs::write(desk.path("copy.db"), &bytes[..bytes.len() / 2]).unwrap();
    let other = desk.run(&["restore", "copy.db", "--database", "new.db"]);
    assert!(other.code == 1 && other.err.contains(".sha256"), "{other:?}");
    std::fs::remove_file(desk.path("copy.db.sha256")).unwrap();
    assert_ne!(desk.run(&["restore", "copy.db", "--database", "new.db"]).code, 0);
    assert!(!std::path::Path::new(&desk.path("new.db")).exists());
    desk.sql("update meta set value = '1709251200000' where name = 'backup'");
    assert_eq!(found(&desk.json(&["doctor"]), "backup"), pair("old", "warning"));
    assert_eq!(desk.json(&["backup", "--note", "office.dump"])["noted"], "office.dump");
    assert_eq!(asked(&desk.json(&["doctor"]), "backup")[0]["values"]["file"], "office.dump");
    let server = desk.run(&["backup", "--database", "postgres://duban@127.0.0.1:1/duban"]);
    assert!(server.code == 2 && server.err.contains("pg_dump"), "{server:?}");
}

#[test]
fn a_restored_database_mails_nothing_until_somebody_lets_it() {
    let desk = Desk::new();
    desk.submitted("a1");
    let before = desk.json(&["outbox"])["notices"].as_array().unwrap().len();
    assert!(before > 0, "something waits to be sent");
    desk.json(&["backup", "copy.db"]);
    let restored = desk.json(&["restore", "copy.db", "--database", "new.db"]);
    assert_eq!((&restored["held"]["notices"], &restored["held"]["mails"]), (&before.into(), &0.into()));
    let database = ["--database", "new.db"];
    let on = |arguments: &[&str]| desk.json(&[arguments, &database].concat());
    let statuses = |answer: &Json| -> Vec<String> {
        answer["notices"].as_array().unwrap().iter().map(|row| row[1]["status"].as_str().unwrap().to_string()).collect()
    };
    assert!(statuses(&on(&["outbox"])).iter().all(|status| status == "parked"));
    let doctor = on(&["doctor"]);
    let held = asked(&doctor, "outbox").into_iter().find(|check| check["found"] == "restored").unwrap_or_else(|| panic!("{doctor}"));
    assert_eq!(held["values"]["notices"], before.to_string(), "what is held is counted");
    assert!(asked(&doctor, "outbox").iter().all(|check| check["found"] != "parked"), "and told once: {doctor}");

    // What is done on it is recorded, and nobody is told.
    on(&["act", "a1", "accept", "--as", "曾海敏", "--on", "2024-03-04"]);
    let mails = desk.folder.path().join("mails");
    let posting = |mut command: std::process::Command| {
        command.env("DUBAN_MAIL_FOLDER", &mails);
        command
    };
    let server =
        crate::serve::Server::spawn(posting(desk.command(&["serve", "--listen", "127.0.0.1:0", "--json", "--database", "new.db"])));
    server.until_ready();
    let worked = || on(&["list"])["items"][0]["flag"] != Json::Null;
    server.until("it never catches up", worked);
    let outbox = on(&["outbox"]);
    assert!(outbox["notices"].as_array().unwrap().len() > before, "the scheduler told of what had become due: {outbox}");
    assert!(statuses(&outbox).iter().all(|status| status == "parked"), "{outbox}");
    assert_eq!(std::fs::read_dir(&mails).map_or(0, Iterator::count), 0);

    // A single one is let go by hand; the rest was sent by the original.
    let key = outbox["notices"][0][1]["key"].as_str().unwrap();
    assert_eq!(on(&["outbox", "release", key])["changed"], 1);
    let gone = on(&["restore", "--release", "cancel"]);
    assert!(gone["notices"].as_u64().unwrap() >= before as u64, "{gone}");
    let statuses_now = statuses(&on(&["outbox"]));
    assert!(!statuses_now.contains(&"parked".to_string()), "{statuses_now:?}");
    let doctor = on(&["doctor"]);
    assert!(asked(&doctor, "outbox").iter().all(|check| check["found"] != "restored"), "{doctor}");
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    let original = desk.json(&["outbox"]);
    assert!(statuses(&original).iter().all(|status| status == "ready"), "the original goes on as before: {original}");
}

#[test]
fn what_was_set_aside_is_listed_with_its_reason_and_tried_again() {
    let desk = Desk::new();
    desk.submitted("a1");
    assert_eq!(desk.json(&["quarantine"])["items"], serde_json::json!([]));
    desk.sql(
        "update item set quarantine = 'a rule failed', retries = 3, wake_at = 4102444800000, set_aside_at = 1709251200000 where id = 'a1'",
    );
    let listed = desk.json(&["quarantine", "list"]);
    assert_eq!((&listed["items"][0]["item"], &listed["items"][0]["reason"]), (&"a1".into(), &"a rule failed".into()));
    assert_eq!((&listed["items"][0]["tries"], &listed["items"][0]["next_try"]), (&3.into(), &"2100-01-01T00:00:00Z".into()));
    assert_eq!(listed["items"][0]["since"], "2024-03-01T00:00:00Z");
    let shown = desk.run(&["quarantine"]);
    assert!(shown.out.contains("自 2024-03-01 08:00 搁置，试过3次"), "{shown:?}");
    let (code, answer) = desk.coded(&["quarantine", "retry", "a9"]);
    assert_eq!((code, answer), (1, serde_json::json!({ "tried": [], "not_set_aside": ["a9"] })));
    let server = crate::serve::Server::start(&desk, &[]);
    assert_eq!(desk.json(&["quarantine", "retry"])["tried"], serde_json::json!(["a1"]));
    server.until("it is never tried again", || desk.json(&["quarantine"])["items"] == serde_json::json!([]));
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
}

/// The database as the first version of the program would have left it.
fn as_first_version(desk: &Desk, to: &str) {
    use sqlx::{Connection as _, Executor as _};
    let moved = format!("attach '{}' as now; {} detach now", desk.path("duban.db"), crate::support::old::MOVED);
    let url = format!("sqlite://{}?mode=rwc", desk.path(to));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
        connection.execute(include_str!("../engine/store/migrations/0001_first.sql")).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(moved)).await.unwrap();
        connection.close().await.unwrap();
    });
}

#[test]
fn a_database_of_the_first_version_is_looked_at_by_none_backed_up_and_brought_up_to_date_whole_or_not_at_all() {
    let desk = Desk::new();
    desk.submitted("a1");
    as_first_version(&desk, "old.db");
    let database = ["--database", "old.db"];
    let run = |arguments: &[&str]| desk.run(&[arguments, &database].concat());
    let looked = run(&["list"]);
    assert!(looked.code == 4 && looked.err.contains("结构版本 1"), "{looked:?}");
    let backup = run(&["backup", "old-copy.db", "--json"]);
    assert!(backup.code == 0 && backup.out.contains(r#""items":1"#), "a copy can be taken before the upgrade: {backup:?}");
    assert_eq!(run(&["list"]).code, 4, "which leaves the database as it was");

    // The last step fails: nothing of the steps before it is there.
    as_first_version(&desk, "broken.db");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let versions = |statement: &'static str| {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}", desk.path("broken.db"));
        runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let rows: Vec<(i64,)> = sqlx::query_as(statement).fetch_all(&mut connection).await.unwrap();
            connection.close().await.unwrap();
            rows
        })
    };
    versions("create table item_set_aside (x bigint)");
    let act = ["act", "a1", "accept", "--as", "曾海敏", "--on", "2024-03-04"];
    let failed = desk.run(&[&act[..], &["--database", "broken.db"]].concat());
    assert_eq!(failed.code, 4, "{failed:?}");
    assert_eq!(versions("select version from schema_version"), [(1,)], "the older program can go on with it");

    let done = run(&act);
    assert_eq!(done.code, 0, "{done:?}");
    let doctor: Json = serde_json::from_str(&run(&["doctor", "--json"]).out).unwrap();
    assert_eq!((found(&doctor, "records"), found(&doctor, "pages")), (pair("good", "good"), pair("good", "good")));
    let restored = desk.run(&["restore", "old-copy.db", "--database", "again.db", "--json"]);
    assert!(restored.code == 0 && restored.out.contains(r#""items":1"#), "an old backup is brought up to date: {restored:?}");
    assert_eq!(desk.run(&["list", "--database", "again.db"]).code, 0);
}

#[test]
fn prometheus_reads_how_it_goes_and_a_scrape_writes_nothing() {
    let desk = Desk::new();
    desk.submitted("a1");
    let server = crate::serve::Server::start(&desk, &[]);
    server.until_ready();
    let page = || {
        let (status, page) = server.ask("GET", "/metrics", &[], "");
        assert_eq!(status, 200, "{page}");
        page
    };
    let value = |page: &str, sample: &str| -> f64 {
        let line = page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {sample}:\n{page}")).parse().unwrap()
    };
    server.until("it never catches up", || value(&page(), "duban_facts_total") > 0.0 && value(&page(), "duban_due_items") == 0.0);
    server.until("it never looks through", || page().contains("duban_damaged_items 0"));
    let refused = desk.run(&["act", "a1", "assign", "--as", "曾海敏"]);
    assert_eq!(refused.code, 1);
    desk.json(&["act", "a1", "accept", "--as", "曾海敏", "--on", "2024-03-04"]);
    let read = page();
    assert_eq!(value(&read, "duban_commands_total{answer=\"done\"}"), 1.0);
    assert_eq!(value(&read, "duban_commands_total{answer=\"refused\"}"), 1.0);
    assert_eq!((value(&read, "duban_clock_held"), value(&read, "duban_set_aside_items")), (0.0, 0.0));
    assert!(value(&read, "duban_last_tick_age_seconds") < 120.0);
    assert_eq!(value(&read, "duban_mails_total{status=\"sent\"}"), 0.0, "there is no way out for mails");
    assert!(!read.contains("item=") && !read.contains("曾海敏") && read.contains("duban_build_info{version="), "{read}");

    // Each family is announced once, with its kind, before its samples; every sample is a number.
    let mut families = std::collections::BTreeSet::new();
    let mut current = "";
    for line in read.lines() {
        if let Some(name) = line.strip_prefix("# TYPE ") {
            let (name, kind) = name.split_once(' ').unwrap();
            assert!(
                families.insert(name) && ["gauge", "counter"].contains(&kind) && (kind == "counter") == name.ends_with("_total"),
                "{line}"
            );
            current = name;
        } else if !line.starts_with('#') {
            let (sample, value) = line.rsplit_once(' ').unwrap();
            assert!(sample.split('{').next() == Some(current) && value.parse::<f64>().is_ok(), "{line}");
        }
    }
    // Everything has been done; from here on only we ask.
    server.until("it never comes to rest", || {
        let before = value(&page(), "duban_commits_total");
        (0..20).all(|_| value(&page(), "duban_commits_total") == before)
    });
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn one_command_can_be_followed_through_the_log_to_its_mails() {
    let desk = Desk::new();
    let mails = desk.folder.path().join("mails");
    let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
    command.env("DUBAN_MAIL_FOLDER", &mails).env("DUBAN_LOG", "json");
    let server = crate::serve::Server::spawn(command);
    server.until_ready();
    assert_eq!(desk.run(&crate::cli::draft("a1").iter().map(String::as_str).collect::<Vec<_>>()).code, 0);
    desk.json(&["act", "a1", "submit", "--as", "曾海敏", "--on", "2024-03-03", "--id", "my-command"]);
    // The office's hours are not the test's: what waits for them may go now, and the next command wakes the mailer.
    desk.sql("update notice set not_before = 0");
    desk.run(&["outbox", "release", "nothing"]);
    let sent = || desk.json(&["outbox"])["counts"]["sent"].as_u64().is_some_and(|sent| sent > 0);
    server.until("no mail is ever sent", sent);
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    let lines: Vec<Json> = told.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    let with = |name: &str, value: &Json| lines.iter().filter(|line| line[name] == *value).cloned().collect::<Vec<_>>();
    let done = with("command", &"my-command".into());
    assert_eq!((done.len(), &done[0]["message"], &done[0]["item"]), (1, &"a command was done".into(), &"a1".into()), "{told}");
    let of_item = with("item", &"a1".into());
    let mailed = of_item.iter().find(|line| !line["mail"].is_null() && line["fact"] == done[0]["fact"]);
    let mailed = mailed.unwrap_or_else(|| panic!("no notice of the command is mailed: {told}"));
    let handed_over = with("mail", &mailed["mail"]);
    assert!(handed_over.iter().any(|line| line["end"] == "Sent"), "{handed_over:?}");
    let name = mailed["mail"].as_str().unwrap();
    assert!(desk.run(&["outbox", "show", name]).code == 0, "the log's id is the outbox's");
    assert!(!told.contains("曾海敏"), "no person in the logs: {told}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_unit_starts_the_server_shut_off_and_hears_when_it_is_ready() {
    use std::os::unix::net::UnixDatagram;
    let desk = Desk::new();
    desk.submitted("a1");
    let unit = desk.run(&["unit", "--user", "daemon"]);
    assert_eq!(unit.code, 0, "{unit:?}");
    assert_eq!(desk.run(&["unit", "--user", "x; rm"]).code, 2);
    let settings = desk.path("mails.yaml");
    std::fs::write(&settings, "database: duban.db\nmail:\n  folder: not-made-yet\n  from: duban@example.com\n").unwrap();
    let told = desk.run(&["--config", &settings, "unit"]);
    assert!(told.code == 0 && told.err.contains("not-made-yet"), "a folder that is missing is told: {told:?}");
    assert!(unit.err.contains("data/duban.db"), "a folder of its own is better: {unit:?}");
    let mut other = desk.command(&["unit"]);
    let other = other.env("DATABASE_URL", "postgres://duban@localhost/duban").output().unwrap();
    let other = String::from_utf8(other.stdout).unwrap();
    assert!(other.contains("ProtectSystem=strict") && !other.contains("ReadWritePaths"), "a server's keeps nothing here: {other}");
    let of = |name: &str| unit.out.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('=')).collect::<Vec<_>>();
    let folder = desk.folder.path().canonicalize().unwrap();
    assert_eq!(of("ReadWritePaths"), [format!("\"{}\"", folder.display())], "its database and nothing else");
    assert_eq!((of("ProtectSystem"), of("NoNewPrivileges"), of("Type")), (vec!["strict"], vec!["yes"], vec!["notify"]));
    assert!(!unit.out.contains('{'), "{unit:?}");
    let file = desk.path("duban.service");
    std::fs::write(&file, &unit.out).unwrap();
    // Where systemd is at hand, it reads the unit and finds little left to shut off.
    if let Ok(verified) = std::process::Command::new("systemd-analyze").args(["verify", &file]).output() {
        assert!(verified.status.success() && verified.stderr.is_empty(), "{verified:?}");
        let exposed = std::process::Command::new("systemd-analyze").args(["security", "--offline=true", "--threshold=20", &file]).output();
        assert!(exposed.as_ref().is_ok_and(|exposed| exposed.status.success()), "{exposed:?}");
    }

    // The command of the unit, as systemd would run it: from its folder, with a socket that waits to hear.
    let socket = UnixDatagram::bind(folder.join("notify")).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(60))).unwrap();
    let hear = || {
        let mut told = [0; 64];
        let length = socket.recv(&mut told).expect("it tells how far it is");
        String::from_utf8_lossy(&told[..length]).into_owned()
    };
    let words: Vec<String> = of("ExecStart")[0].trim_matches('"').split("\" \"").map(str::to_string).collect();
    let mut command = std::process::Command::new(&words[0]);
    command.args(&words[1..]).args(["--listen", "127.0.0.1:0", "--json"]).current_dir(of("WorkingDirectory")[0]);
    command.env_clear().env("NOTIFY_SOCKET", folder.join("notify"));
    let server = crate::serve::Server::spawn(command);
    assert_eq!((hear(), &server.ready["unclean"]), ("READY=1".to_string(), &false.into()));
    let (code, told) = server.stop();
    assert_eq!((code, hear()), (Some(0), "STOPPING=1".to_string()), "{told}");
}
