//! `duban serve` as a process: it becomes ready, takes what the command line brings, wakes what is due, and stops in good order.

use crate::cli::{DEPUTY, Desk, draft};
use duban::kernel::time::Instant;
use duban::scheduler::{Jump, Watch};
use duban::serve::until_one_ends;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant as Now};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);

pub struct Server {
    process: Child,
    pub address: String,
    pub ready: Json,
}

impl Server {
    pub fn start(desk: &Desk, arguments: &[&str]) -> Server {
        let mut command = desk.command(&["serve", "--listen", "127.0.0.1:0", "--json"]);
        command.args(arguments);
        Server::spawn(command)
    }

    pub fn spawn(mut command: std::process::Command) -> Server {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Json = serde_json::from_str(&line).unwrap_or_else(|error| {
            let mut told = String::new();
            process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("{error}: {line}{told}")
        });
        Server { process, address: ready["address"].as_str().unwrap().to_string(), ready }
    }

    /// Polls until the server answers as wanted.
    pub fn until(&self, what: &str, wanted: impl Fn() -> bool) {
        let begun = Now::now();
        while !wanted() {
            assert!(begun.elapsed() < BOUND, "{what}");
            std::thread::yield_now();
        }
    }

    pub fn until_ready(&self) {
        self.until("it never becomes ready", || self.ask("GET", "/healthz", &[], "").0 == 200);
    }

    /// Status and body of one request.
    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(BOUND)).unwrap();
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: duban\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // A refused body may be cut off while it is being written.
        let _ = stream.write_all(body.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        (status, answer.split_once("\r\n\r\n").map(|(_, body)| body.to_string()).unwrap_or_default())
    }

    /// Asks it to stop, and waits; gives the exit code and what it logged.
    pub fn stop(mut self) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        let mut told = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.process.wait().unwrap().code(), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failed assertion; a process that has ended is past killing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_command_line_writes_through_the_server_that_holds_the_file() {
    let desk = Desk::new();
    desk.submitted("a1");
    let server = Server::start(&desk, &[]);
    assert_eq!((&server.ready["mail"]["to"], &server.ready["unclean"]), (&"outbox".into(), &false.into()));
    server.until_ready();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(desk.folder.path().join("duban.db.lock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "the token is nobody else's to read");
    }

    let accept = ["act", "a1", "accept", "--as", "曾海敏", "--id", "x"];
    assert_eq!(desk.json(&accept)["repeated"], false);
    assert_eq!(desk.json(&accept)["repeated"], true);
    let refused = desk.run(&["act", "a1", "accept", "--as", "曾海敏"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("只有在“待审”时才可以"), "{refused:?}");
    let tried = desk.json(&["act", "a1", "withdraw", "--with", "reason=x", "scan=y.pdf", "all_agree=yes", "--as", "曾海敏", "--dry-run"]);
    assert_eq!(tried["state"], "withdrawn");
    let shown = desk.json(&["show", "a1"]);
    assert_eq!(shown["state"], "registered");
    assert!(shown["facts"].as_array().unwrap().iter().any(|fact| fact["name"] == "accept" && fact["actor"]["via"] == "cli:clerk"));
    // Inside the sending window the notice becomes a mail as soon as it is there.
    server.until("nothing can be cancelled", || {
        let notice = desk.json(&["outbox"])["notices"][0][1].clone();
        let id = notice["mail"].as_str().or(notice["key"].as_str()).unwrap().to_string();
        desk.coded(&["outbox", "cancel", &id, "--reason", "过时"]).1["changed"] == 1
    });
    assert_eq!(desk.json(&["clock", "confirm"])["confirmed"], false, "no clock is held");

    let port = server.address.rsplit(':').next().unwrap().to_string();
    let second = desk.run(&["serve", "--port", &port]);
    assert_eq!(second.code, 4);
    assert!(second.err.contains("正由服务程序"), "who holds the database, not that a port is taken: {second:?}");
    let second = desk.run(&["serve", "--port", "0"]);
    assert_eq!(second.code, 4);
    assert!(second.err.contains("正由服务程序"), "{second:?}");

    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("stopped") && !told.contains("曾海敏"), "no person in the logs: {told}");
    assert_eq!(std::fs::metadata(desk.folder.path().join("duban.db.lock")).unwrap().len(), 0, "it ended in good order");
    let allocate = desk.run(&["act", "a1", "propose_allocation", "--with", "host_unit=市住建局", "--as", "曾海敏"]);
    assert_eq!(allocate.code, 0, "without a server the file is free: {allocate:?}");
}

#[test]
fn what_fell_due_while_nobody_served_is_worked_at_once() {
    let desk = Desk::new();
    desk.submitted("a1");
    let server = Server::start(&desk, &[]);
    let flag = || desk.json(&["list"])["items"][0]["flag"].clone();
    server.until("the late review is never flagged", || flag() == "amber" || flag() == "red");
    let told = desk.run(&["explain", "due", "a1"]).out;
    assert!(told.contains("待发") && !told.contains("已发"), "nothing leaves without a transport: {told}");
    let facts = desk.json(&["show", "a1"])["facts"].as_array().unwrap().len();
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");

    // A process that is killed leaves its mark, and nothing fires again.
    let mut server = Server::start(&desk, &[]);
    server.until_ready();
    server.process.kill().unwrap();
    server.process.wait().unwrap();
    let server = Server::start(&desk, &[]);
    assert_eq!(server.ready["unclean"], true);
    assert_eq!(
        server.ready["integrity"],
        serde_json::json!({ "items": 1, "damaged": 0, "pages": null }),
        "looked through before it is ready"
    );
    server.until_ready();
    assert_eq!(desk.json(&["show", "a1"])["facts"].as_array().unwrap().len(), facts);
}

#[test]
fn what_is_not_as_the_facts_say_is_found_while_it_serves() {
    let desk = Desk::new();
    desk.submitted("a1");
    desk.submitted("a2");
    desk.sql("update fact set json = replace(json, '修桥', '修路') where item = 'a2' and seq = 1");
    let server = Server::start(&desk, &[]);
    assert_eq!((&server.ready["unclean"], &server.ready["integrity"]), (&false.into(), &Json::Null));
    let health = || serde_json::from_str::<Json>(&server.ask("GET", "/healthz", &[], "").1).unwrap();
    server.until("it never looks", || health()["integrity"]["state"] == "damaged");
    assert_eq!((&health()["integrity"]["items"], &health()["integrity"]["damaged"]), (&2.into(), &1.into()));
    server.until_ready();
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    assert!(told.contains("item=\"a2\"") && told.contains("fact 1 of `a2` was changed") && !told.contains("item=\"a1\""), "{told}");
}

#[test]
fn only_who_has_a_token_writes_and_a_person_for_themselves_alone() {
    let desk = Desk::new();
    let digest: String = Sha256::digest("clerk's own").iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(desk.folder.path().join("duban.yaml"), format!("tokens:\n  {digest}: 曾海敏\n")).unwrap();
    let server = Server::start(&desk, &[]);
    let command = |by: &str| {
        let input = serde_json::json!({ "session": "五届四次", "year": 2024, "origin": "in_session", "title": "t", "topic": "urban", "lead_deputy": *DEPUTY });
        serde_json::json!([{ "id": "one", "item": "a1", "action": "draft", "input": input, "by": by }]).to_string()
    };
    let act = |token: &str, body: &str| server.ask("POST", "/local/act", &[&format!("authorization: Bearer {token}")], body);
    assert_eq!(server.ask("POST", "/local/act", &[], &command("曾海敏")).0, 401);
    assert_eq!(act("guessed", &command("曾海敏")).0, 401);
    assert_eq!(act("clerk's own", &command("马少斌")).0, 403);
    assert_eq!(server.ask("POST", "/local/clock", &["authorization: Bearer clerk's own"], "null").0, 403);
    assert_eq!(act("clerk's own", "[{").0, 400);
    assert_eq!(act("clerk's own", &" ".repeat(3 << 20)).0, 413);
    assert_eq!(server.ask("GET", "/local/act", &[], "").0, 405);
    assert_eq!(server.ask("GET", "/nothing", &[], "").0, 404);
    let (status, body) = act("clerk's own", &command("曾海敏"));
    let answer: Json = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &answer[0]["done"]["state"]), (200, &Json::from("draft")));
    let health = server.ask("GET", "/healthz", &[], "").1;
    assert!(!health.contains("\"a1\"") && !health.contains("曾海敏"), "{health}");
}

#[test]
fn settings_that_cannot_be_meant_stop_it_at_the_start() {
    let desk = Desk::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let refused = desk.run(&["serve", "--port", &port]);
    assert_eq!(refused.code, 4);
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0, "nothing was made");
    assert_eq!(desk.run(&["serve", "--listen", "here"]).code, 2);
    let with = |variable, value| {
        let output = desk.command(&["serve", "--port", "0"]).env(variable, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{variable}: {output:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    let smtp = with("DUBAN_SMTP_URL", "http://mail.example.cn");
    assert_eq!(smtp.matches("开头是").count(), 1, "{smtp}");
    for (variable, value) in [("DUBAN_LOG", "xml"), ("DUBAN_MAIL_FROM", "nobody"), ("DATABASE_URL", "mysql://localhost/duban")] {
        with(variable, value);
    }
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0, "nothing was made");
    with("DUBAN_ZONE", "Europe/Paris");
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(desk.run(&words).code, 0, "what did not start holds nothing");
}

#[test]
fn a_jump_ahead_is_held_and_a_step_back_is_not() {
    let at = |text: &str| text.parse::<Instant>().unwrap();
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let mut watch = Watch::new(at("2024-03-04T08:00:00Z"), minutes(0));
    assert_eq!(watch.look(at("2024-03-04T09:00:00Z"), minutes(60)), None);
    assert_eq!(watch.look(at("2024-03-04T11:30:00Z"), minutes(120)), None, "an hour and a half may be corrected");
    let jump = Jump { expected: at("2024-03-04T12:30:00Z"), shows: at("2025-03-04T12:30:00Z") };
    assert_eq!(watch.look(jump.shows, minutes(180)), Some(jump));
    assert_eq!(watch.look(at("2024-03-04T13:30:00Z"), minutes(240)), None, "put right, it goes on");

    // Set back by a day and put right again: neither is a jump ahead.
    assert_eq!(watch.look(at("2024-03-03T14:30:00Z"), minutes(300)), None);
    assert_eq!(watch.look(at("2024-03-04T15:30:00Z"), minutes(360)), None);
    // The machine slept for a night: both clocks went on.
    assert_eq!(watch.look(at("2024-03-05T05:30:00Z"), minutes(360 + 14 * 60)), None);
}

#[tokio::test]
async fn a_caller_who_dribbles_is_sent_away_and_a_crowd_waits() {
    use axum::Router;
    use axum::routing::get;
    use duban::api::accept::{Limits, accept};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_util::sync::CancellationToken;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let stop = CancellationToken::new();
    let routes = Router::new().route("/", get(|| async { "here" }));
    let limits = Limits { header: Duration::from_millis(100), connections: 1, ..Limits::default() };
    let serving = tokio::spawn(accept(listener, routes, limits, stop.clone()));

    let mut dribbler = tokio::net::TcpStream::connect(address).await.unwrap();
    dribbler.write_all(b"GET / HTTP/1.1\r\nhost: ").await.unwrap();
    // There is room for one only: this one is answered after the first was sent away.
    let mut second = tokio::net::TcpStream::connect(address).await.unwrap();
    second.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(BOUND, second.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
    let mut rest = String::new();
    tokio::time::timeout(BOUND, dribbler.read_to_string(&mut rest)).await.unwrap().unwrap();
    assert!(!rest.contains("here"), "{rest}");

    stop.cancel();
    tokio::time::timeout(BOUND, serving).await.unwrap().unwrap();
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[test]
fn a_server_whose_database_goes_away_says_so_and_goes_on_when_it_is_back() {
    let postgres = crate::support::postgres::Server::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(postgres.database());
    let desk = Desk::new();
    let with = |words: &[&str]| desk.run(&[&["--database", &url], words].concat());
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    assert_eq!(with(&words).code, 0);
    let server = Server::start(&desk, &["--database", &url]);
    server.until_ready();
    let submit = ["act", "a1", "submit", "--on", "2024-03-03", "--as", "曾海敏"];

    postgres.crash();
    server.until("it never says that the database is gone", || server.ask("GET", "/healthz", &[], "").0 == 503);
    let (_, told) = server.ask("GET", "/healthz", &[], "");
    assert!(told.contains("store: ") && !told.contains("duban@"), "{told}");
    let refused = with(&submit);
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("服务器连不上；请看它是否在运行"), "{refused:?}");

    postgres.go();
    server.until_ready();
    assert_eq!(with(&submit).code, 0);
    // Its scheduler works again: the review is long overdue.
    let flag = || {
        let listed = with(&["list", "--json"]);
        serde_json::from_str::<Json>(&listed.out).map(|listed| listed["items"][0]["flag"].clone()).unwrap_or_default()
    };
    server.until("the late review is never flagged", || flag() == "amber" || flag() == "red");
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
}

#[test]
fn a_database_that_is_not_there_or_does_not_let_us_in_is_told_in_a_sentence() {
    let postgres = crate::support::postgres::Server::start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let url = runtime.block_on(postgres.database());
    let name = url.rsplit_once('/').unwrap().1;
    let sql = |statement: &str| runtime.block_on(crate::support::postgres::run(&url, statement));
    sql(&format!("create role clerk login password 'first'; grant all on database {name} to clerk; grant all on schema public to clerk"));
    postgres.asks_for_passwords_of_all_but("duban");
    let desk = Desk::new();
    let at = |password: &str, name: &str| postgres.url_as(&format!("clerk:{password}"), name);
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let with = |url: &str| desk.run(&[&["--database", url, "--lang", "en"], &words[..]].concat());
    for (url, sentence) in [
        (at("wrong", name), "the server refused the password"),
        (at("first", "nowhere"), "the server has no such database"),
        ("postgres://clerk:first@127.0.0.1:1/office".to_string(), "the server cannot be reached"),
    ] {
        let refused = with(&url);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains(sentence) && !refused.err.contains("wrong") && !refused.err.contains("first@"), "{refused:?}");
    }
    assert_eq!(with(&at("first", name)).code, 0);
    let server = Server::start(&desk, &["--database", &at("first", name)]);
    server.until_ready();

    // The password is changed, and the old connections are cut.
    sql("alter role clerk password 'second'");
    sql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'clerk'");
    server.until("it never says that it is not let in", || server.ask("GET", "/healthz", &[], "").1.contains("refused the password"));
    assert_eq!(with(&at("first", name)).code, 4);
    sql("alter role clerk password 'first'");
    server.until_ready();

    // Reading only: what is to be written is refused, what is read goes on.
    sql(&format!("alter database {name} set default_transaction_read_only = on"));
    let refused = with(&at("first", name));
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("the server is read-only"), "{refused:?}");
    assert_eq!(desk.run(&["--database", &at("first", name), "list"]).code, 0);
    let (code, told) = server.stop();
    assert_eq!(code, Some(0), "{told}");
    assert!(!told.contains("first"), "no password in the logs: {told}");
}

#[tokio::test]
async fn a_part_that_ends_by_itself_ends_the_server_with_a_fault() {
    let ends = |first: fn() -> &'static str| async move {
        let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
        let other = stop.clone();
        parts.spawn(async move {
            other.cancelled().await;
            "other"
        });
        parts.spawn(async move { first() });
        until_one_ends(parts, &stop).await.unwrap_err().to_string()
    };
    assert_eq!(ends(|| "mailer").await, "mailer of the server ended by itself");
    assert!(ends(|| panic!("out of its depth")).await.contains("panic"));

    let (stop, mut parts) = (CancellationToken::new(), JoinSet::new());
    let part = stop.clone();
    parts.spawn(async move {
        part.cancelled().await;
        "part"
    });
    stop.cancel();
    assert!(until_one_ends(parts, &stop).await.is_ok(), "told to stop is good order");
}

#[test]
fn a_zone_that_is_not_the_rules_own_is_refused_before_a_database_is_made() {
    let desk = Desk::new();
    std::fs::write(desk.folder.path().join("duban.yaml"), "zone: Europe/Paris\n").unwrap();
    let refused = desk.run(&["serve", "--port", "0"]);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.err.contains("Europe/Paris") && refused.err.contains("Asia/Shanghai"), "{refused:?}");
    assert!(!desk.folder.path().join("duban.db").exists());
}
