//! Signing in with an identity provider that is a process of its own on loopback (tests/oidc/provider.mjs): its login page is filled in as a
//! browser does it, and whoever brings an answer that is not theirs, not for us, late, or used stays outside.

use crate::support::world::World;
use crate::web::{Answer, Browser, House, PASSWORD, form};
use chrono::{TimeDelta, Utc};
use duban::app::accounts::Policy;
use duban::app::totp;
use duban::oidc::{Asked, No, Provider, Setting};
use duban::web::Gate;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ORIGIN: &str = "http://duban";
const BACK: &str = "/sign-in/provider/back";
const SECRET: &str = "a secret of the tests & more";

/// The provider's process.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    port: u16,
}

impl Process {
    /// Nothing where its packages were not installed (`npm ci` in `tests/oidc`); the gate installs them and says so, so that nothing is left
    /// out there.
    fn start() -> Option<Process> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oidc");
        if !folder.join("node_modules").is_dir() {
            assert!(std::env::var_os("DUBAN_ALL_TESTS").is_none(), "`npm ci` in tests/oidc is missing");
            eprintln!("not tried: `npm ci` in tests/oidc installs the identity provider");
            return None;
        }
        let mut command = Command::new("node");
        command.arg(folder.join("provider.mjs")).arg(format!("{ORIGIN}{BACK}"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let port = line(&mut lines).strip_prefix("ready ").unwrap().parse().unwrap();
        Some(Process { child, lines, port })
    }

    /// It has other keys from now on.
    fn renew(&mut self) {
        writeln!(self.child.stdin.as_mut().unwrap()).unwrap();
        assert_eq!(line(&mut self.lines), "renewed");
    }

    fn setting(&self, client: &str) -> Setting {
        setting(&format!("http://127.0.0.1:{}", self.port), client)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(lines: &mut BufReader<ChildStdout>) -> String {
    let mut line = String::new();
    lines.read_line(&mut line).unwrap();
    line.trim().to_string()
}

fn setting(issuer: &str, client: &str) -> Setting {
    Setting {
        issuer: issuer.into(),
        client_id: client.into(),
        client_secret: Some(SECRET.into()),
        client_secret_file: None,
        scopes: vec!["profile".into(), "email".into()],
        person_claim: "preferred_username".into(),
        title: Some("City ID".into()),
        second_step_amr: vec!["mfa".into()],
    }
}

/// A house whose clock shows what that of the provider shows, with carl's account.
async fn house(setting: Setting) -> House {
    house_under(setting, Policy::default(), Gate::default()).await
}

async fn house_under(setting: Setting, policy: Policy, gate: Gate) -> House {
    let world = World::open("2026-03-02 09:00").await;
    world.app.clock.set(Utc::now());
    world.app.invite(&Policy::default(), &"carl".into(), None).await.unwrap();
    House::with_provider(world, policy, gate, Provider::new(setting, ORIGIN).unwrap()).await
}

/// A browser's cookies at the provider.
#[derive(Default)]
struct There(BTreeMap<String, String>);

impl There {
    async fn ask(&mut self, method: &str, address: &str, body: &str) -> (u16, String, String) {
        let url = url::Url::parse(address).unwrap();
        let mut stream = TcpStream::connect((url.host_str().unwrap(), url.port().unwrap())).await.unwrap();
        let cookies = self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let path = format!("{}{}", url.path(), url.query().map(|query| format!("?{query}")).unwrap_or_default());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}:{}\r\nconnection: close\r\ncookie: {cookies}\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
            url.host_str().unwrap(),
            url.port().unwrap(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let mut location = String::new();
        for (name, value) in head.lines().filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = url.join(value).unwrap().to_string(),
                "set-cookie" => {
                    let (name, value) = value.split(';').next().unwrap().split_once('=').unwrap();
                    self.0.insert(name.to_string(), value.to_string());
                }
                _ => {}
            }
        }
        (head.split(' ').nth(1).unwrap().parse().unwrap(), location, body.to_string())
    }

    /// From its login page to the address at which we hear of it: as somebody, or broken off.
    async fn sign_in(&mut self, login_page: &str, who: Option<&str>) -> String {
        let mut next = (303, login_page.to_string(), String::new());
        for _ in 0..12 {
            let (status, location, body) = next;
            if location.starts_with(ORIGIN) {
                return location.strip_prefix(ORIGIN).unwrap().to_string();
            }
            next = if (300..400).contains(&status) {
                self.ask("GET", &location, "").await
            } else {
                let attribute = |name: &str| body.split(&format!("{name}=\"")).nth(1).and_then(|rest| rest.split('"').next());
                let to = attribute("action").unwrap_or_else(|| panic!("{status} {body}")).to_string();
                let asks_login = body.contains("name=\"login\"");
                match who {
                    Some(who) if asks_login => {
                        self.ask("POST", &to, &form(&[("prompt", "login"), ("login", who), ("password", "x")])).await
                    }
                    Some(_) => self.ask("POST", &to, &form(&[("prompt", "consent")])).await,
                    None => self.ask("GET", &format!("{to}/abort"), "").await,
                }
            };
        }
        panic!("no way back: {next:?}")
    }
}

fn cookie_named(answer: &Answer, name: &str) -> Option<String> {
    let cookies = answer.head.lines().filter_map(|line| line.split_once(": ")).filter(|(key, _)| key.eq_ignore_ascii_case("set-cookie"));
    let mut cookies = cookies.filter_map(|(_, cookie)| cookie.split(';').next());
    cookies.find(|cookie| cookie.starts_with(&format!("{name}="))).map(str::to_string)
}

/// Through the link at the door to the provider: where it sends the browser, and the cookie that it keeps.
async fn begin(house: &House, back: &str) -> (String, String) {
    let answer = house.ask("GET", &format!("/sign-in/provider?back={}", back.replace('/', "%2F")), &[], "").await;
    assert_eq!(answer.status, 303, "{}", answer.text());
    let set = answer.header("set-cookie").unwrap().to_string();
    assert!(set.contains("HttpOnly") && set.contains("SameSite=Lax") && set.contains("Max-Age=600"), "{set}");
    (answer.to().to_string(), cookie_named(&answer, "duban-away").unwrap())
}

/// All of it: what we answer to whoever comes back.
async fn comes_back(house: &House, who: &str) -> Answer {
    let (page, cookie) = begin(house, "/ledger").await;
    let back = There::default().sign_in(&page, Some(who)).await;
    house.ask("GET", &back, &[&format!("cookie: {cookie}")], "").await
}

fn stays_outside(answer: &Answer, says: &str) {
    assert!(cookie_named(answer, "duban").is_none() && cookie_named(answer, "duban-half").is_none(), "{}", answer.head);
    assert!([422, 503].contains(&answer.status) && answer.text().contains(says), "{} {}", answer.status, answer.text());
    assert!(answer.body.contains("name=\"password\""), "there is another way in");
}

#[tokio::test]
async fn whoever_the_provider_names_comes_in() {
    let Some(process) = Process::start() else { return };
    let house = house(process.setting("duban")).await;
    let door = house.ask("GET", "/sign-in?back=%2Fledger", &[], "").await;
    assert!(door.text().contains("Sign in with City ID") && door.is_tame(), "{}", door.body);
    assert!(door.body.contains("href=\"/sign-in/provider?back=&#x2f;ledger\""), "{}", door.body);
    // By the login, by the name in the directory, and by what only the provider's other page says.
    for who in ["carl@example.com", "Carl@Example.com", "carl", "quiet:carl"] {
        let answer = comes_back(&house, who).await;
        assert_eq!((answer.status, answer.to()), (303, "/ledger"), "{who}: {}", answer.text());
        assert!(answer.head.contains("duban-away=; ") && answer.head.contains("Max-Age=0"), "{}", answer.head);
        let cookie = cookie_named(&answer, "duban").unwrap();
        let inside = house.ask("GET", "/me", &[&format!("cookie: {cookie}")], "").await;
        assert!(inside.status == 200 && inside.text().contains("Carl"), "{}", inside.text());
    }
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    let came = trail.iter().filter(|row| row.what == "signed_in" && row.about["how"] == "identity provider");
    assert_eq!(came.filter(|row| row.person.as_deref() == Some("carl")).count(), 4);
    // Whoever leaves is outside.
    let answer = comes_back(&house, "carl").await;
    let browser = Browser::of(&house, &cookie_named(&answer, "duban").unwrap()).await;
    assert_eq!(browser.send("/sign-out", &[]).await.to(), "/sign-in");
    assert_eq!(browser.get("/todo").await.status, 303);
}

#[tokio::test]
async fn a_session_of_before_is_not_the_one_after() {
    let Some(process) = Process::start() else { return };
    let house = house(process.setting("duban")).await;
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, Some("carl")).await;
    let planted = "duban=0000000000000000000000000000000000000000000000000000000000000000";
    let answer = house.ask("GET", &back, &[&format!("cookie: {cookie}; {planted}")], "").await;
    let inside = cookie_named(&answer, "duban").unwrap();
    assert!(answer.status == 303 && inside != planted, "{inside}");
    // Somebody who was inside as another is not any more.
    let hu = house.signed_in("hu").await;
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, Some("carl")).await;
    let answer = house.ask("GET", &back, &[&format!("cookie: {cookie}; {}", hu.cookie)], "").await;
    assert!(answer.status == 303 && cookie_named(&answer, "duban").unwrap() != hu.cookie);
    assert_eq!(hu.get("/todo").await.status, 303);
}

#[tokio::test]
async fn an_answer_is_good_once_in_one_browser_and_for_some_minutes() {
    let Some(process) = Process::start() else { return };
    let house = house(process.setting("duban")).await;
    let over = "is too late, was used before, or belongs to another browser";
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, Some("carl")).await;
    // Of somebody who lays their own answer under another browser: without its cookie, or with that of another try.
    stays_outside(&house.ask("GET", &back, &[], "").await, over);
    let (_, other) = begin(&house, "/").await;
    stays_outside(&house.ask("GET", &back, &[&format!("cookie: {other}")], "").await, over);
    // Another state than that of the cookie.
    let state = back.split("state=").nth(1).unwrap().split('&').next().unwrap();
    let forged = back.replace(state, &"0".repeat(state.len()));
    stays_outside(&house.ask("GET", &forged, &[&format!("cookie: {cookie}")], "").await, over);
    // Another provider says that it answers.
    let mixed = format!("{}&iss=https%3A%2F%2Fevil.example", back.split("&iss=").next().unwrap());
    stays_outside(&house.ask("GET", &mixed, &[&format!("cookie: {cookie}")], "").await, "cannot be accepted");
    // The browser that has it comes in, and nobody does a second time: the code was used.
    assert_eq!(house.ask("GET", &back, &[&format!("cookie: {cookie}")], "").await.status, 303);
    stays_outside(&house.ask("GET", &back, &[&format!("cookie: {cookie}")], "").await, "cannot be accepted");
    // Too slow.
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, Some("carl")).await;
    house.app.clock.set(Utc::now() + TimeDelta::minutes(10));
    stays_outside(&house.ask("GET", &back, &[&format!("cookie: {cookie}")], "").await, over);
}

#[tokio::test]
async fn whom_nobody_knows_here_hears_one_sentence() {
    let Some(process) = Process::start() else { return };
    let house = house(process.setting("duban")).await;
    let nobody = "you cannot come in here with that";
    // Not in the directory; in it, but without an account.
    for who in ["mallory@example.com", "ann"] {
        stays_outside(&comes_back(&house, who).await, nobody);
    }
    house.app.disable_account(&"carl".into()).await.unwrap();
    stays_outside(&comes_back(&house, "carl").await, nobody);
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    let failed: Vec<_> = trail.iter().filter(|row| row.what == "sign_in_failed").map(|row| row.person.as_deref()).collect();
    assert_eq!(failed, [Some("carl"), None, None]);
    // Broken off at the provider; told in both languages.
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, None).await;
    assert!(back.contains("error=access_denied"), "{back}");
    let cookie = format!("cookie: {cookie}");
    stays_outside(&house.ask("GET", &back, &[&cookie], "").await, "broken off or not allowed");
    let chinese = house.ask("GET", &back, &[&format!("{cookie}; lang=zh-CN")], "").await;
    assert!(chinese.text().contains("取消了登录，或者没有允许登录"), "{}", chinese.text());
    let failed = back.replace("access_denied", "server_error%3Cscript%3E");
    let answer = house.ask("GET", &failed, &[&cookie], "").await;
    stays_outside(&answer, "could not let you in");
    assert!(answer.is_tame());
}

#[tokio::test]
async fn whoever_tries_too_often_from_one_address_waits() {
    let Some(process) = Process::start() else { return };
    let gate = Gate::new(3, TimeDelta::minutes(15), Vec::new());
    let house = house_under(process.setting("duban"), Policy::default(), gate).await;
    // Who comes in has not tried in vain.
    for _ in 0..4 {
        assert_eq!(comes_back(&house, "carl").await.status, 303);
    }
    for _ in 0..3 {
        stays_outside(&house.ask("GET", &format!("{BACK}?code=x&state=x"), &[], "").await, "Begin again");
    }
    let waits = comes_back(&house, "carl").await;
    assert!(waits.status == 429 && cookie_named(&waits, "duban").is_none(), "{}", waits.text());
    // It is the same gate as that of passwords.
    let login = form(&[("login", "carl@example.com"), ("password", PASSWORD)]);
    assert_eq!(house.ask("POST", "/sign-in", &["origin: http://duban"], &login).await.status, 429);
}

#[tokio::test]
async fn an_address_that_nobody_has_checked_names_nobody() {
    let Some(process) = Process::start() else { return };
    let house = house(Setting { person_claim: "email".into(), ..process.setting("duban") }).await;
    stays_outside(&comes_back(&house, "unchecked:carl@example.com").await, "you cannot come in here with that");
    assert_eq!(comes_back(&house, "carl@example.com").await.status, 303);
}

#[tokio::test]
async fn the_second_step_is_asked_unless_the_provider_has_asked_for_one() {
    let Some(process) = Process::start() else { return };
    let policy = Policy { second_step: vec!["clerks".into()], ..Policy::default() };
    let house = house_under(process.setting("duban"), policy, Gate::default()).await;
    let answer = comes_back(&house, "carl").await;
    assert!(answer.to().starts_with("/sign-in/second?back=%2Fledger") && cookie_named(&answer, "duban").is_none(), "{}", answer.head);
    let half = cookie_named(&answer, "duban-half").unwrap();
    let page = house.ask("GET", answer.to(), &[&format!("cookie: {half}")], "").await;
    let secret = house.app.second_step(&"carl".into()).await.unwrap().pending.unwrap();
    let code = totp::code(&secret, totp::step_at(house.app.now())).unwrap();
    let body = form(&[("form", page.value("form").unwrap()), ("code", &code)]);
    let inside = house.ask("POST", "/sign-in/second", &[&format!("cookie: {half}"), "origin: http://duban"], &body).await;
    assert!(inside.status == 200 && cookie_named(&inside, "duban").is_some(), "{}", inside.text());
    assert_eq!(house.app.audit_trail(None, 100).await.unwrap().iter().filter(|row| row.what == "provider_right").count(), 1);
    house.app.invite(&Policy::default(), &"carl".into(), Some("mfa:carl")).await.unwrap();
    assert_eq!(comes_back(&house, "mfa:carl@example.com").await.status, 422, "another login by now");
    house.app.invite(&Policy::default(), &"carl".into(), Some("carl@example.com")).await.unwrap();
    let passed = comes_back(&house, "mfa:carl@example.com").await;
    assert!(passed.to() == "/ledger" && cookie_named(&passed, "duban").is_some(), "{}", passed.head);
}

#[tokio::test]
async fn a_provider_that_is_away_is_a_sentence_and_the_password_leads_in() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let house = house(setting(&format!("http://127.0.0.1:{free}"), "duban")).await;
    let answer = house.ask("GET", "/sign-in/provider", &[], "").await;
    stays_outside(&answer, "The identity provider cannot be reached just now");
    assert_eq!(answer.status, 503);
    let carl = house.signed_in("carl").await;
    assert_eq!(carl.get("/todo").await.status, 200);
    let again = form(&[("login", "carl@example.com"), ("password", PASSWORD)]);
    assert_eq!(house.ask("POST", "/sign-in", &["origin: http://duban"], &again).await.status, 303);
    // Something else listens there.
    let Some(process) = Process::start() else { return };
    let strange = Provider::new(setting(&format!("http://localhost:{}", process.port), "duban"), ORIGIN).unwrap();
    let no = strange.login_page(Asked { state: "s", nonce: "n", verifier: "v" }).await.unwrap_err();
    assert!(matches!(&no, No::Unusable { why, .. } if why.contains("calls itself")), "{no}");
    // It goes while somebody is at its login page.
    let house = self::house(process.setting("duban")).await;
    let (page, cookie) = begin(&house, "/").await;
    let back = There::default().sign_in(&page, Some("carl")).await;
    drop(process);
    stays_outside(&house.ask("GET", &back, &[&format!("cookie: {cookie}")], "").await, "cannot be reached just now");
}

/// A token of the provider's own for a client, and the nonce that it carries.
async fn token(process: &Process, client: &str, nonce: &str) -> String {
    let verifier = "v".repeat(64);
    let provider = Provider::new(process.setting(client), ORIGIN).unwrap();
    let page = provider.login_page(Asked { state: "s", nonce, verifier: &verifier }).await.unwrap();
    let back = There::default().sign_in(&page, Some("carl")).await;
    let back = url::Url::parse(&format!("{ORIGIN}{back}")).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let stolen = provider.redeem(&code, &"w".repeat(64)).await.map(|_| ()).unwrap_err();
    assert!(matches!(&stolen, No::Code(why) if why == "invalid_grant"), "without the verifier: {stolen}");
    // What was tried with another verifier has used the code up or not; a new one is sure to be good.
    let page = provider.login_page(Asked { state: "s", nonce, verifier: &verifier }).await.unwrap();
    let back = There::default().sign_in(&page, Some("carl")).await;
    let back = url::Url::parse(&format!("{ORIGIN}{back}")).unwrap();
    let code = back.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    provider.redeem(&code, &verifier).await.map_err(|no| no.to_string()).unwrap().id_token
}

#[tokio::test]
async fn a_token_is_the_providers_for_us_for_this_try_and_good_now() {
    let Some(process) = Process::start() else { return };
    let provider = Provider::new(process.setting("duban"), ORIGIN).unwrap();
    let (own, now) = (token(&process, "duban", "n1").await, Utc::now());
    assert_eq!(provider.verify(&own, "n1", now).await.unwrap()["sub"], "carl");
    let why = async |token: &str, nonce: &str, now| match provider.verify(token, nonce, now).await {
        Err(No::Token(why)) => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(&own, "n2", now).await, "it belongs to another try");
    assert_eq!(why(&own, "", now).await, "it belongs to another try");
    assert_eq!(why(&own, "n1", now + TimeDelta::seconds(300 + 62)).await, "it is too late");
    assert_eq!(why(&own, "n1", now - TimeDelta::minutes(2)).await, "it is of a time to come");
    assert_eq!(why(&token(&process, "another", "n1").await, "n1", now).await, "it is for another program");
    // Of another provider, whose keys ours does not know.
    let other = Process::start().unwrap();
    assert_eq!(why(&token(&other, "duban", "n1").await, "n1", now).await, "no key of the provider has signed it");
    // What was changed on the way: a letter of the claims, of the signature, and the way of signing.
    let parts: Vec<&str> = own.split('.').collect();
    let other_letter = |text: &str| format!("{}{}", if text.starts_with('A') { 'B' } else { 'A' }, &text[1..]);
    let changed = [
        format!("{}.{}.{}", parts[0], parts[1].replacen(&parts[1][20..24], "AAAA", 1), parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], other_letter(parts[2])),
        format!("{}.{}.{}", base64("{\"alg\":\"none\"}"), parts[1], ""),
        format!("{}.{}.{}", base64("{\"alg\":\"HS256\"}"), parts[1], parts[2]),
    ];
    for token in &changed {
        assert_eq!(why(token, "n1", now).await, "no key of the provider has signed it", "{token}");
    }
    for (token, says) in [("", "it has no signature"), ("a.b", "it has no claims"), ("a.b.c", "its header cannot be read")] {
        assert_eq!(why(token, "n1", now).await, says);
    }
    let asks = format!("{}.{}.{}", base64("{\"alg\":\"RS256\",\"crit\":[\"x\"]}"), parts[1], parts[2]);
    assert_eq!(why(&asks, "n1", now).await, "its header asks for something that nobody here knows");
    // With keys of another kind.
    let curves = Provider::new(process.setting("curves"), ORIGIN).unwrap();
    assert!(curves.verify(&token(&process, "curves", "n3").await, "n3", now).await.is_ok());
}

fn base64(text: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text)
}

#[tokio::test]
async fn new_keys_are_learnt_and_old_ones_are_not_good_any_more() {
    let Some(mut process) = Process::start() else { return };
    let provider = Provider::new(process.setting("duban"), ORIGIN).unwrap();
    let before = token(&process, "duban", "n").await;
    assert!(provider.verify(&before, "n", Utc::now()).await.is_ok());
    process.renew();
    let after = token(&process, "duban", "n").await;
    assert!(provider.verify(&after, "n", Utc::now()).await.is_ok(), "a key that nobody knew is asked for");
    assert_eq!(provider.verify(&before, "n", Utc::now()).await, Err(No::Token("no key of the provider has signed it")));
}

#[test]
fn settings_that_cannot_be_meant_are_refused() {
    use duban::config::Settings;
    let folder = tempfile::tempdir().unwrap();
    let read = |text: &str, secret: Option<&str>| {
        let file = folder.path().join("duban.yaml");
        std::fs::write(&file, text).unwrap();
        let secret = secret.map(str::to_string);
        Settings::from(Some(&file), move |name| secret.clone().filter(|_| name == "DUBAN_OIDC_SECRET")).map_err(|error| error.to_string())
    };
    let with = |oidc: &str| format!("web:\n  origin: https://duban.example.org\n  oidc: {{ {oidc} }}\n");
    let good = read(&with("issuer: \"https://id.example.org/realms/city\", client_id: duban"), Some("hidden")).unwrap().web.oidc.unwrap();
    assert_eq!(
        (good.client_secret.as_deref(), good.person_claim.as_str(), good.scope().as_str()),
        (Some("hidden"), "preferred_username", "openid profile email")
    );
    assert!(!format!("{good:?}").contains("hidden"));
    for (oidc, names) in [
        ("issuer: \"http://id.example.org\", client_id: duban", "web.oidc.issuer"),
        ("issuer: id.example.org, client_id: duban", "web.oidc.issuer"),
        ("issuer: \"https://id.example.org\", client_id: \"\"", "web.oidc.client_id"),
        ("issuer: \"https://id.example.org\", client_id: duban, scopes: [\"a b\"]", "web.oidc.scopes"),
        ("issuer: \"https://id.example.org\", client_id: duban, client_secret: a, client_secret_file: b", "web.oidc.client_secret_file"),
    ] {
        let no = read(&with(oidc), None).unwrap_err();
        assert!(no.contains(names), "{no}");
    }
    let no = read("web:\n  oidc: { issuer: \"https://id.example.org\", client_id: duban }\n", None).unwrap_err();
    assert!(no.contains("set web.origin"), "{no}");
}
