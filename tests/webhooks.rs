//! Other programs hear of what happens: over real HTTP on loopback, signed, once each and not lost when a process dies over it; and nobody
//! is called by our hand whom its owner could not reach.

use crate::store::told;
use crate::support::ground::Ground;
use crate::support::world::{World, all, app_over, app_under, command, moment, rules, submit};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use duban::app::App;
use duban::app::accounts::By;
use duban::app::webhooks::{Declared, Line, NotDeclared, Told};
use duban::hook::{Caller, Fault, Net, Secret};
use duban::kernel::model::value::Value;
use duban::scheduler::{Pulse, run_webhooks};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);

/// What one call said.
#[derive(Clone, Debug)]
struct Call {
    head: String,
    body: String,
}

/// Another program: it notes what it is told, and answers as its script says.
struct Program {
    url: String,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl Program {
    /// `answer` gets the number of the call, from 0; nothing is silence until the caller has gone.
    async fn start(answer: impl Fn(usize) -> Option<&'static str> + Send + Sync + 'static) -> Program {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://127.0.0.1:{}/hook?of=office", listener.local_addr().unwrap().port());
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (noted, answer) = (calls.clone(), Arc::new(answer));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (noted, answer) = (noted.clone(), answer.clone());
                tokio::spawn(async move {
                    let mut text = Vec::new();
                    let mut piece = [0; 4096];
                    let call = loop {
                        let read = stream.read(&mut piece).await.unwrap_or(0);
                        text.extend_from_slice(&piece[..read]);
                        let whole = String::from_utf8_lossy(&text).into_owned();
                        if let Some((head, body)) = whole.split_once("\r\n\r\n") {
                            let length =
                                head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok());
                            if body.len() >= length.unwrap_or(0) {
                                break Call { head: head.to_string(), body: body.to_string() };
                            }
                        }
                        if read == 0 {
                            return;
                        }
                    };
                    let number = {
                        let mut calls = noted.lock().unwrap();
                        calls.push(call);
                        calls.len() - 1
                    };
                    match answer(number) {
                        Some(answer) => drop(stream.write_all(answer.as_bytes()).await),
                        None => drop(stream.read(&mut piece).await),
                    }
                });
            }
        });
        Program { url, calls }
    }

    fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    async fn called(&self, times: usize) {
        let wait = async {
            while self.calls().len() < times {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(BOUND, wait).await.expect("it is called");
    }
}

impl Call {
    fn header(&self, name: &str) -> &str {
        let found = self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).unwrap_or_default()
    }

    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap()
    }
}

const OK: &str = "HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
const BUSY: &str = "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const GONE: &str = "HTTP/1.1 410 Gone\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

fn line(allowed: &[&str]) -> Arc<Line> {
    let allowed = allowed.iter().map(|net| net.parse::<Net>().unwrap()).collect();
    Arc::new(Line { caller: Caller::new(allowed).unwrap(), origin: Some("https://duban.example.org".into()), chance: || 0.0 })
}

async fn tell(app: &Arc<App>, line: &Arc<Line>) -> Told {
    all(app).tell_due(line, &CancellationToken::new()).await.unwrap()
}

fn by(person: &str) -> By {
    By { person: Some(person.into()), ..By::default() }
}

fn words(events: &[&str]) -> Vec<String> {
    events.iter().map(|event| event.to_string()).collect()
}

/// HMAC-SHA256 after RFC 2104, by another hand than the program's.
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    assert!(key.len() <= 64);
    let pad = |with: u8| (0..64).map(|place| key.get(place).copied().unwrap_or(0) ^ with).collect::<Vec<u8>>();
    let inner = Sha256::digest([pad(0x36), text.to_vec()].concat());
    Sha256::digest([pad(0x5c), inner.to_vec()].concat()).to_vec()
}

#[test]
fn signatures_are_those_of_the_scheme() {
    // The vector that the specification's libraries test with.
    let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signed = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, br#"{"test": 2432232314}"#);
    assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    let own = Secret::new([7; 32]);
    assert_eq!(Secret::parse(&own.text()).unwrap(), own);
    assert!(!format!("{own:?}").contains("BwcH"));
    for wrong in
        ["", "whsec_", "whsec_AAAA", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_%%%", &format!("whsec_{}", STANDARD.encode([0; 65]))]
    {
        assert!(Secret::parse(wrong).is_err(), "{wrong}");
    }
}

async fn what_happens_is_told_signed_and_once(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    let program = Program::start(|_| Some(OK)).await;
    let made = app.make_webhook(&by("hu"), &program.url, &words(&["request/submit", "deadline-passed"])).await.unwrap();
    for item in ["1", "编号 2"] {
        app.act(&submit(item)).await.unwrap();
    }
    app.act(&command("1", "weigh", "carl", [("weight", Value::Number(3))])).await.unwrap();
    let line = line(&["127.0.0.1"]);
    assert_eq!(tell(&app, &line).await, Told { done: 2, ..Told::default() });
    assert_eq!(tell(&app, &line).await, Told::default(), "once");
    // Long after the due day: of all that comes of it, one call tells that the day has passed.
    app.clock.set(moment("2026-03-20 10:00"));
    while all(&app).wake_due(100).await.unwrap().looked_at > 0 {}
    assert_eq!(tell(&app, &line).await.done, 2, "of each item");
    let mut calls = program.calls();
    assert_eq!(calls.len(), 4);
    let key = STANDARD.decode(made.secret.strip_prefix("whsec_").unwrap()).unwrap();
    let mut ids = Vec::new();
    for call in &calls {
        assert!(call.head.starts_with("POST /hook?of=office HTTP/1.1"), "{}", call.head);
        assert_eq!(call.header("content-type"), "application/json");
        let (id, timestamp) = (call.header("webhook-id"), call.header("webhook-timestamp"));
        let signed = hmac(&key, format!("{id}.{timestamp}.{}", call.body).as_bytes());
        assert_eq!(call.header("webhook-signature"), format!("v1,{}", STANDARD.encode(signed)));
        ids.push(id.to_string());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4, "each has an id of its own");
    calls.sort_by_key(|call| (call.json()["type"].to_string(), call.json()["data"]["item"].to_string()));
    let told = calls[2].json();
    assert_eq!(
        told,
        json!({ "type": "fact", "timestamp": "2026-03-02T02:00:00.000Z", "data": { "jurisdiction": "local", "workflow": "request", "item": "1",
            "fact": 1, "name": "submit", "branch": null, "on": "2026-03-02", "state": "open", "link": "https://duban.example.org/items/1" } })
    );
    assert!(calls.iter().any(|call| call.body.contains("/items/%E7%BC%96%E5%8F%B7%202")));
    let late = calls[0].json();
    assert_eq!(
        (&late["type"], &late["data"]["name"], &late["data"]["on"]),
        (&json!("deadline-passed"), &json!("answer"), &json!("2026-03-10"))
    );
    assert!(calls.iter().all(|call| !call.body.contains("Request")), "nothing of what somebody wrote");
}

async fn what_was_told_when_a_process_died_is_told_again_under_the_same_id(ground: Ground) {
    let app = app_over(&ground, "2026-03-02 10:00").await;
    let program = Program::start(|number| (number > 0).then_some(OK)).await;
    app.make_webhook(&by("hu"), &program.url, &words(&["*"])).await.unwrap();
    app.act(&submit("1")).await.unwrap();
    let line = line(&["127.0.0.0/8"]);
    let (dying, calling) = (app.clone(), line.clone());
    let dying = tokio::spawn(async move { tell(&dying, &calling).await });
    program.called(1).await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());
    assert_eq!(app.store.deliveries(None, 9).await.unwrap()[0].status, "claimed");
    app.store.clone().close().await;
    drop(app);
    // Of a file nobody else has it; on a server its claim has to run out.
    let app = app_over(&ground, "2026-03-02 10:03").await;
    assert_eq!(tell(&app, &line).await.done, 1);
    let calls = program.calls();
    assert_eq!((calls.len(), calls[0].header("webhook-id"), &calls[0].body), (2, calls[1].header("webhook-id"), &calls[1].body));
    assert_ne!(calls[0].header("webhook-timestamp"), calls[1].header("webhook-timestamp"));
}

told!(sqlite over crate::support::ground::Ground::file(); what_happens_is_told_signed_and_once, what_was_told_when_a_process_died_is_told_again_under_the_same_id);
told!(postgres over crate::support::ground::Ground::server().await; what_happens_is_told_signed_and_once, what_was_told_when_a_process_died_is_told_again_under_the_same_id);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_is_tried_again_ever_later_and_then_waits_for_a_person() {
    let world = World::open("2026-03-02 10:00").await;
    let program = Program::start(|number| Some(if number < 10 { BUSY } else { OK })).await;
    let made = world.app.make_webhook(&by("hu"), &program.url, &words(&["*"])).await.unwrap();
    world.submit("1").await;
    let line = line(&["127.0.0.1"]);
    let mut waits = Vec::new();
    loop {
        let before = world.app.now();
        let told = tell(&world.app, &line).await;
        let row = world.app.store.deliveries(None, 9).await.unwrap().remove(0);
        assert_eq!(row.reply.as_deref(), Some("503"));
        let Some(next) = row.next_try else {
            assert_eq!((told.parked, row.status.as_str(), row.attempts), (1, "parked", 10));
            break;
        };
        assert_eq!((told.later, tell(&world.app, &line).await), (1, Told::default()), "not before");
        waits.push((next - before).num_seconds());
        world.app.clock.set(next);
    }
    assert_eq!(waits, [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]);
    assert_eq!(world.app.store.let_go_deliveries(&made.id, None, false, world.app.now()).await.unwrap(), 1);
    assert_eq!(tell(&world.app, &line).await.done, 1);
    let calls = program.calls();
    assert!(calls.len() == 11 && calls.iter().all(|call| call.header("webhook-id") == calls[0].header("webhook-id")));

    // Whoever says that it has gone is not asked again.
    let gone = Program::start(|_| Some(GONE)).await;
    world.app.make_webhook(&by("hu"), &gone.url, &words(&["*"])).await.unwrap();
    world.submit("2").await;
    assert_eq!(tell(&world.app, &line).await, Told { done: 1, parked: 1, ..Told::default() });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_followed_elsewhere_and_silence_ends() {
    let elsewhere = Program::start(|_| Some(OK)).await;
    let to: &'static str =
        format!("HTTP/1.1 307 Temporary Redirect\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n", elsewhere.url).leak();
    let program = Program::start(move |_| Some(to)).await;
    let caller = Caller::new(vec!["127.0.0.1".parse().unwrap()]).unwrap();
    assert_eq!(caller.post(&program.url, &[], "{}").await.unwrap().0, 307);
    assert!(elsewhere.calls().is_empty());
    let nonsense = Program::start(|_| Some("no HTTP at all\r\n\r\n")).await;
    assert!(matches!(caller.post(&nonsense.url, &[], "{}").await, Err(Fault::Http(_))));
    // An answer without an end is read no further than enough.
    let endless: &'static str = format!("HTTP/1.1 200 OK\r\ncontent-length: 9999999999\r\n\r\n{}", "x".repeat(1 << 20)).leak();
    let flood = Program::start(move |_| Some(endless)).await;
    assert_eq!(tokio::time::timeout(BOUND, caller.post(&flood.url, &[], "{}")).await.unwrap().unwrap().0, 200);
    let silent = Program::start(|_| None).await;
    let asked = tokio::time::timeout(BOUND, caller.post(&silent.url, &[], "{}")).await.unwrap();
    assert_eq!(asked, Err(Fault::Late));
}

/// A server that speaks TLS under the certificate of the fixtures, once.
async fn encrypted() -> String {
    let pem = |name: &str| std::fs::read(format!("{}/tests/fixtures/tls/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let chain = CertificateDer::pem_slice_iter(&pem("localhost.pem")).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(&pem("localhost.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider())).with_safe_default_protocol_versions().unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let _ = stream.read(&mut [0; 4096]).await;
        let _ = stream.write_all(OK.as_bytes()).await;
        let _ = stream.shutdown().await;
    });
    format!("https://localhost:{port}/")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_encrypted_call_goes_to_whom_it_is_meant_for_and_to_nobody_else() {
    let allowed = || vec!["127.0.0.1".parse::<Net>().unwrap(), "::1".parse().unwrap()];
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/tls/localhost.pem")).unwrap();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let trusting = Caller::trusting(allowed(), roots).unwrap();
    let url = encrypted().await;
    assert_eq!(trusting.post(&url, &[], "{}").await.map(|answer| answer.0), Ok(204));
    let url = encrypted().await.replace("localhost", "127.0.0.1");
    let stranger = Caller::new(allowed()).unwrap();
    assert!(matches!(stranger.post(&url, &[], "{}").await, Err(Fault::Tls(_))), "nobody vouches for it");
}

#[tokio::test]
async fn addresses_behind_this_machine_are_not_called_unless_the_settings_name_them() {
    let program = Program::start(|_| Some(OK)).await;
    let port = program.url.split([':', '/']).nth(4).unwrap();
    let caller = Caller::new(Vec::new()).unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "192.0.2.1",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[fe80::1]",
        "[fc00::1]",
        "[fd12::1]",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b::a00:1]",
        "[2002:7f00:1::]",
        "[2001:db8::1]",
        "[2001::1]",
    ] {
        let answer = caller.post(&format!("http://{host}:{port}/"), &[], "{}").await;
        assert!(matches!(answer, Err(Fault::Forbidden(_))), "{host}: {answer:?}");
    }
    for wrong in ["", "ftp://example.org/", "file:///etc/passwd", "http://", "nonsense"] {
        let answer = caller.post(wrong, &[], "{}").await;
        assert!(
            matches!(answer, Err(Fault::Address | Fault::Forbidden(_) | Fault::Name(_) | Fault::Connect(_) | Fault::Late)),
            "{wrong}: {answer:?}"
        );
    }
    assert!(program.calls().is_empty(), "nobody was called");
    for (allowed, host) in [("127.0.0.1", "127.0.0.1"), ("127.0.0.0/8", "localhost"), ("127.0.0.1/32", "[::ffff:127.0.0.1]")] {
        let caller = Caller::new(vec![allowed.parse().unwrap()]).unwrap();
        assert!(caller.post(&format!("http://{host}:{port}/"), &[], "{}").await.is_ok(), "{host}");
        assert!(matches!(caller.post(&format!("http://10.1.2.3:{port}/"), &[], "{}").await, Err(Fault::Forbidden(_))));
    }
    for wrong in ["", "10.0.0.0/33", "x/8", "::/129", "10.0.0/8", "10.0.0.0/-1"] {
        assert!(wrong.parse::<Net>().is_err(), "{wrong}");
    }
    assert_eq!("10.20.30.40/8".parse::<Net>(), "10.0.0.0/8".parse::<Net>());
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_and_settings_win_over_what_they_no_longer_say() {
    let world = World::open("2026-03-02 10:00").await;
    let why = async |url: &str, events: &[&str]| match world.app.make_webhook(&by("hu"), url, &words(events)).await {
        Err(NotDeclared::No(no)) => no.why,
        other => panic!("{url} {events:?}: {other:?}"),
    };
    for url in [
        "",
        "example.org",
        "ftp://example.org",
        "https://",
        "https://user:pass@example.org",
        "https://example.org/#x",
        &format!("https://example.org/{}", "x".repeat(2000)),
    ] {
        assert_eq!(why(url, &["*"]).await, "bad_url", "{url}");
    }
    for event in ["nonsense", "request/nonsense", "other/submit", "request/", "*/submit"] {
        assert_eq!(why("https://example.org", &[event]).await, "unknown_event", "{event}");
    }
    assert_eq!(why("https://example.org", &[]).await, "no_events");
    assert!(world.app.store.webhooks().await.unwrap().is_empty());
    for (event, _) in world.app.events() {
        world
            .app
            .make_webhook(&by("hu"), "https://example.org", std::slice::from_ref(&event))
            .await
            .unwrap_or_else(|no| panic!("{event}: {no}"));
    }
    let made = world.app.store.webhooks().await.unwrap().len();

    let declared = |url: &str, events: &[&str]| Declared { url: url.into(), events: words(events), secret: Secret::new([1; 32]).text() };
    let one = declared("https://one.example.org", &["request"]);
    let two = declared("https://two.example.org", &["*"]);
    world.app.declare_webhooks(&[one.clone(), two.clone()]).await.unwrap();
    let known = async || world.app.store.webhooks().await.unwrap().into_iter().filter(|known| known.made_by.is_none()).collect::<Vec<_>>();
    let before = known().await;
    assert_eq!(before.len(), 2);
    world.app.stop_webhook(&by("hu"), &before[0].id, true).await.unwrap();
    let trail = world.app.audit_trail(None, 1000).await.unwrap().len();
    world.app.declare_webhooks(&[one.clone(), two.clone()]).await.unwrap();
    assert_eq!(world.app.audit_trail(None, 1000).await.unwrap().len(), trail, "the same settings change nothing");
    world.app.declare_webhooks(&[two]).await.unwrap();
    assert_eq!(known().await.iter().map(|known| known.url.as_str()).collect::<Vec<_>>(), ["https://two.example.org"]);
    assert_eq!(world.app.store.webhooks().await.unwrap().len(), made + 1, "those of the page stay");
    let secretless = Declared { secret: "x".into(), ..one };
    assert!(matches!(world.app.declare_webhooks(&[secretless]).await, Err(NotDeclared::No(no)) if no.why == "bad_secret"));
}

/// What happens on a branch that only some see is told to no program.
#[tokio::test]
async fn what_not_everybody_sees_is_not_told() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "request.yaml" => {
            let keep = "  keep:\n    title: keep a note\n    by: [head]\n    from: [open]\n    open: { note: [{}] }\n  count_month:";
            let branches = "\nbranches:\n  note:\n    title: note\n    visible_to: [head]\n    states:\n      kept: { title: kept aside, kind: start, owner: head, no_deadline_needed: true }\n      gone: { title: gone, kind: end }\n    actions:\n      drop: { title: drop it, by: [head], from: [kept], to: gone }\n";
            text.replace("  count_month:", keep) + branches
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    assert!(!app.events().iter().any(|(event, _)| event.ends_with("/drop")));
    app.make_webhook(&by("hu"), "https://example.org", &words(&["*"])).await.unwrap();
    app.act(&submit("1")).await.unwrap();
    app.act(&command("1", "keep", "hu", [])).await.unwrap();
    let mut drop = command("1", "drop", "hu", []);
    drop.branch = Some(duban::kernel::model::command::BranchAddress::No(1));
    app.act(&drop).await.unwrap();
    let told: Vec<_> = app.store.deliveries(None, 9).await.unwrap().into_iter().map(|row| row.event.name.to_string()).collect();
    assert_eq!(told, ["keep", "submit"]);
}

/// The loop of a server: what happens while it runs is told without anybody asking.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_tells_what_happens_as_it_happens() {
    let world = World::open("2026-03-02 10:00").await;
    let program = Program::start(|_| Some(OK)).await;
    world.app.make_webhook(&by("hu"), &program.url, &words(&["request/submit"])).await.unwrap();
    let (offices, pulse, stop) = (all(&world.app), Arc::new(Pulse::new(&world.app.clock)), CancellationToken::new());
    let calling = tokio::spawn(run_webhooks(offices, line(&["127.0.0.1"]), pulse.clone(), stop.clone()));
    for (number, item) in ["1", "2", "3"].into_iter().enumerate() {
        world.submit(item).await;
        pulse.wake();
        program.called(number + 1).await;
    }
    stop.cancel();
    tokio::time::timeout(BOUND, calling).await.unwrap().unwrap();
    assert_eq!(world.app.store.deliveries(Some("done"), 9).await.unwrap().len(), 3);
    assert_eq!(pulse.state().call_fault, None);
}

/// Nothing of a secret lies in the trail.
#[tokio::test]
async fn the_trail_tells_of_webhooks_without_their_secrets() {
    let world = World::open("2026-03-02 10:00").await;
    let made = world.app.make_webhook(&by("hu"), "https://example.org", &words(&["*"])).await.unwrap();
    let trail = format!("{:?}", world.app.audit_trail(None, 9).await.unwrap());
    assert!(trail.contains("webhook_made") && trail.contains("https://example.org") && !trail.contains(&made.secret), "{trail}");
    assert!(!format!("{made:?}").contains(&made.secret));
}
