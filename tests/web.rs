//! The pages over loopback, as a browser without scripts uses them: signing in, seeing one's work, doing it; and what becomes of forms
//! that are not ours, of what was typed, and of text that would like to be markup.

mod attachments;
mod incoming;
mod mail_links;

use crate::support::world::{World, all, app_under, command, moment, rules};
use duban::api::accept::{Limits, accept};
use duban::api::{Api, BodyLimits, Tokens};
use duban::app::App;
use duban::app::accounts::Policy;
use duban::app::workshop::Workshop;
use duban::files;
use duban::kernel::model::value::Value;
use duban::oidc::Provider;
use duban::scheduler::Pulse;
use duban::store::LOCAL;
use duban::store::accounts::digest;
use duban::web::{Gate, Web};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);
/// The token of the office's own programs; each person's is their id.
pub const OFFICE: &str = "the office's own";
pub const PASSWORD: &str = "seven lamps over water";

pub struct House {
    pub app: Arc<App>,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    pub policy: Policy,
    _folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

/// A browser with its cookies.
pub struct Browser<'h> {
    house: &'h House,
    pub cookie: String,
    /// What every form of the session carries.
    pub form: String,
}

impl House {
    pub async fn open(world: World, open_house: bool) -> House {
        House::over(world.app, world.folder, open_house).await
    }

    pub async fn over(app: Arc<App>, folder: tempfile::TempDir, open_house: bool) -> House {
        House::of(app, folder, |web| web.open_house = open_house).await
    }

    pub async fn with(app: Arc<App>, folder: tempfile::TempDir, open_house: bool, policy: Policy, gate: Gate) -> House {
        House::of(app, folder, |web| (web.open_house, web.policy, web.gate) = (open_house, policy, gate)).await
    }

    /// The same with a folder of rules that is edited.
    pub async fn with_workshop(app: Arc<App>, folder: tempfile::TempDir, open_house: bool, workshop: Workshop) -> House {
        House::of(app, folder, |web| (web.open_house, web.workshop) = (open_house, workshop)).await
    }

    /// The same with an identity provider.
    pub async fn with_provider(world: World, policy: Policy, gate: Gate, provider: Provider) -> House {
        House::of(world.app, world.folder, |web| (web.policy, web.gate, web.provider) = (policy, gate, Some(provider))).await
    }

    /// The usual pages, changed.
    pub async fn of(app: Arc<App>, folder: tempfile::TempDir, change: impl FnOnce(&mut Web)) -> House {
        let mut web = Web {
            offices: all(&app),
            pulse: Arc::new(Pulse::new(&app.clock)),
            pages: files::web_pages(None).unwrap(),
            policy: Policy::default(),
            jurisdiction: LOCAL.into(),
            origin: None,
            provider: None,
            open_house: false,
            gate: Gate::default(),
            workshop: Workshop::new(None),
            largest: BodyLimits::default().bytes,
            attachments: duban::attach::Limits::default(),
        };
        change(&mut web);
        let policy = web.policy.clone();
        let persons = app.rules().directory.persons.keys().map(|person| (digest(person), (LOCAL.into(), person.clone()))).collect();
        let tokens = Arc::new(Tokens { persons, office: [(digest(OFFICE), LOCAL.into())].into() });
        let api = Api {
            offices: all(&app),
            pulse: Arc::new(Pulse::new(&app.clock)),
            token: "of the lock file".into(),
            tokens: Box::new(move || tokens.clone()),
            limits: BodyLimits::default(),
            attachments: duban::attach::Limits::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, api.routes(web.routes()), Limits::default(), stop.clone()));
        House { app, address, stop, policy, _folder: folder }
    }

    /// Asks as the headers say; whoever sends a form says where it comes from there.
    pub async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: duban\r\nconnection: close\r\naccept-language: en\r\n");
        headers.iter().for_each(|header| head += &format!("{header}\r\n"));
        if !body.is_empty() {
            head += "content-type: application/x-www-form-urlencoded\r\n";
        }
        head += &format!("content-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        let _ = stream.write_all(body.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut answer)).await.expect("an answer");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer { status, head: head.to_string(), body: body.to_string() }
    }

    /// Asks the API, as whoever has a token.
    pub async fn api(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: duban\r\nconnection: close\r\nauthorization: Bearer {token}\r\naccept-language: en\r\n{kind}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tokio::time::timeout(BOUND, stream.read_to_end(&mut answer)).await.expect("an answer").unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        Answer { status, head: head.to_string(), body: body.to_string() }
    }

    /// Somebody with an account, through the door.
    pub async fn signed_in(&self, person: &str) -> Browser<'_> {
        let invitation = self.app.invite(&self.policy, &person.into(), None).await.unwrap();
        let body = form(&[("password", PASSWORD), ("again", PASSWORD)]);
        let answer = self.ask("POST", &format!("/welcome/{}", invitation.token), &["origin: http://duban"], &body).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        Browser::with(self, &answer).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn to(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// The text of the page, its markup taken out.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut inside = false;
        for c in self.body.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    out.push(' ');
                }
                c if !inside => out.push(c),
                _ => {}
            }
        }
        let known = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#x27;", "'"), ("&#x2f;", "/"), ("&amp;", "&")];
        let plain = known.iter().fold(out, |text, (entity, c)| text.replace(entity, c));
        plain.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The elements of the page with the names of their attributes, as a browser would find them.
    fn elements(&self) -> Vec<(String, Vec<String>)> {
        let mut out = Vec::new();
        let mut rest = self.body.as_str();
        while let Some(at) = rest.find('<') {
            rest = &rest[at + 1..];
            let name: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '!')).collect();
            rest = &rest[name.len()..];
            let mut attributes = Vec::new();
            loop {
                rest = rest.trim_start();
                let attribute: String = rest.chars().take_while(|c| !c.is_whitespace() && !matches!(c, '=' | '>')).collect();
                rest = &rest[attribute.len()..];
                if let Some(value) = rest.strip_prefix("=\"") {
                    rest = value.split_once('"').map_or("", |(_, rest)| rest);
                }
                if attribute.is_empty() {
                    break;
                }
                attributes.push(attribute);
            }
            out.push((name, attributes));
        }
        out
    }

    /// Nothing runs here that was not ours: of scripts there is the editor.
    pub fn is_tame(&self) -> bool {
        let scripts = self.elements().iter().filter(|(name, _)| name == "script").count();
        let ours = self.body.matches("<script src=\"&#x2f;assets&#x2f;editor.js?v=").count();
        scripts == ours
            && self
                .elements()
                .iter()
                .all(|(name, attributes)| name != "img" && attributes.iter().all(|name| !name.starts_with("on") && name != "style"))
    }

    /// The value of a field of a form on the page.
    pub fn value(&self, name: &str) -> Option<&str> {
        let at = self.body.find(&format!("name=\"{name}\" value=\""))?;
        self.body[at..].split('"').nth(3)
    }
}

impl<'h> Browser<'h> {
    pub async fn with(house: &'h House, answer: &Answer) -> Browser<'h> {
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_string();
        Browser::of(house, &cookie).await
    }

    /// Whoever has the cookie of a session.
    pub async fn of(house: &'h House, cookie: &str) -> Browser<'h> {
        let mut browser = Browser { house, cookie: cookie.to_string(), form: String::new() };
        browser.form = browser.get("/todo").await.value("form").expect("a page with a form").to_string();
        browser
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.house.ask("GET", path, &[&format!("cookie: {}", self.cookie)], "").await
    }

    /// Sends a form from a page of ours.
    pub async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send_from("origin: http://duban", path, fields).await
    }

    pub async fn send_from(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("form", self.form.as_str())];
        all.extend_from_slice(fields);
        self.house.ask("POST", path, &[&format!("cookie: {}", self.cookie), from], &form(&all)).await
    }
}

pub fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[tokio::test]
async fn nobody_gets_past_the_door_and_whoever_signs_in_comes_back_to_where_they_were() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    for path in ["/", "/todo", "/ledger", "/items/1", "/outbox", "/reports", "/new", "/items/1/do/answer"] {
        let answer = house.ask("GET", path, &[], "").await;
        assert_eq!(answer.status, 303, "{path}");
        assert!(answer.to().starts_with("/sign-in"), "{path}: {}", answer.to());
    }
    let door = house.ask("GET", "/ledger?flag=red", &[], "").await;
    assert_eq!(door.to(), "/sign-in?back=%2Fledger%3Fflag%3Dred");
    house.signed_in("carl").await;

    let wrong =
        house.ask("POST", "/sign-in", &["origin: http://duban"], &form(&[("login", "carl@example.com"), ("password", "guess")])).await;
    assert!(wrong.status == 422 && !wrong.head.contains("duban="), "{}", wrong.head);
    assert!(wrong.text().contains("The login or the password is wrong."), "{}", wrong.text());
    let unknown = house.ask("POST", "/sign-in", &["origin: http://duban"], &form(&[("login", "nobody"), ("password", "guess")])).await;
    assert_eq!(wrong.body.replace("carl@example.com", ""), unknown.body.replace("nobody", ""), "nobody learns which logins there are");

    let right = |back: &str| form(&[("login", " Carl@Example.com "), ("password", PASSWORD), ("back", back)]);
    let answer = house.ask("POST", "/sign-in", &["origin: http://duban"], &right("/ledger?flag=red")).await;
    assert_eq!((answer.status, answer.to()), (303, "/ledger?flag=red"));
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax") && cookie.contains("Path=/"), "{cookie}");
    for strange in ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)", ""] {
        let answer = house.ask("POST", "/sign-in", &["origin: http://duban"], &right(strange)).await;
        assert_eq!((answer.status, answer.to()), (303, "/"), "{strange}");
    }
}

#[tokio::test]
async fn a_clerk_finds_what_waits_does_it_and_sees_it_recorded() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, false).await;
    let carl = house.signed_in("carl").await;
    let todo = carl.get("/todo").await.text();
    assert!(todo.contains("2026-001 Request 1") && todo.contains("clerk · open · answer"), "{todo}");

    let item = carl.get("/items/1").await.text();
    assert!(item.contains("on time · 7 days left") && item.contains("from hand in (fact 1)"), "{item}");
    assert!(item.contains("weigh") && item.contains("“Carl” may not do hand in") || item.contains("hand in"), "{item}");
    let page = carl.get("/items/1/do/weigh").await;
    let (rev, once) = (page.value("rev").unwrap(), page.value("command").unwrap());

    // What cannot be taken comes back with what was typed, and its sentence beside it.
    let heavy = carl.send("/items/1/do/weigh", &[("rev", rev), ("command", once), ("in.weight", "5000")]).await;
    assert_eq!(heavy.status, 409);
    assert!(heavy.text().contains("Nothing weighs that much.") && heavy.body.contains("value=\"5000\""), "{}", heavy.text());
    let none = carl.send("/items/1/do/weigh", &[("rev", rev), ("command", once), ("in.weight", "heavy")]).await;
    assert_eq!(none.status, 422);
    assert!(none.body.contains("value=\"heavy\"") && none.body.contains("aria-invalid"), "{}", none.body);
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1);

    let done = carl.send("/items/1/do/weigh", &[("rev", rev), ("command", once), ("in.weight", "12")]).await;
    assert_eq!((done.status, done.to()), (303, "/items/1?did=2"), "{}", done.text());
    // The same form again is the same answer: a page that was reloaded does nothing twice.
    let again = carl.send("/items/1/do/weigh", &[("rev", rev), ("command", once), ("in.weight", "12")]).await;
    assert_eq!((again.status, again.to()), (303, "/items/1?did=2"), "{}", again.text());
    let item = carl.get("/items/1?did=2").await.text();
    assert!(item.contains("Recorded: weigh") && item.contains("weight 12"), "{item}");
    let look = house.app.look("1", None).await.unwrap().unwrap();
    assert_eq!((look.item.rev, look.facts[1].actor.via.as_deref()), (2, Some("web")));

    assert_eq!(carl.send("/items/1/do/answer", &[("rev", "2")]).await.status, 303);
    assert!(carl.get("/todo").await.text().contains("Nothing waits for you now."), "{}", carl.get("/todo").await.text());
    assert!(carl.get("/items/1").await.text().contains("done in time"));
}

#[tokio::test]
async fn whoever_comes_second_is_told_what_changed_and_keeps_what_was_typed() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, false).await;
    let carl = house.signed_in("carl").await;
    house.app.act(&command("1", "weigh", "carl", [("weight", Value::Number(3))])).await.unwrap();
    let late = carl.send("/items/1/do/ask_back", &[("rev", "1"), ("in.question", "How long is it?")]).await;
    assert_eq!(late.status, 409);
    let text = late.text();
    assert!(text.contains("Meanwhile this happened:") && text.contains("clerk Carl: weigh") && text.contains("How long is it?"), "{text}");
    assert_eq!(late.value("rev"), Some("2"), "the next try is made in the knowledge of it");
    assert_eq!(carl.send("/items/1/do/ask_back", &[("rev", "2"), ("in.question", "How long is it?")]).await.status, 303);
}

#[tokio::test]
async fn an_item_is_made_from_a_page_once() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    let ann = house.signed_in("ann").await;
    assert!(ann.get("/new").await.text().contains("hand in"));
    let page = ann.get("/new/request/submit").await;
    let once = page.value("command").unwrap();
    let empty = ann.send("/new/request/submit", &[("command", once)]).await;
    assert_eq!(empty.status, 422, "{}", empty.text());
    let made = ann.send("/new/request/submit", &[("command", once), ("in.title", "A bench by the river")]).await;
    assert_eq!(made.status, 303, "{}", made.text());
    let again = ann.send("/new/request/submit", &[("command", once), ("in.title", "A bench by the river")]).await;
    assert_eq!(made.to(), again.to());
    let ledger = ann.get("/ledger").await.text();
    assert_eq!(ledger.matches("A bench by the river").count(), 1, "{ledger}");
    // Carl may not hand in, and is not offered to.
    let carl = house.signed_in("carl").await;
    assert!(!carl.get("/new").await.text().contains("hand in"));
}

/// Every address that does something, as a form of ours would ask it.
const UNSAFE: &[&str] = &[
    "/me/password",
    "/me/second",
    "/me/sessions",
    "/sign-in/second",
    "/ledger/filters",
    "/items/1/do/weigh",
    "/new/request/submit",
    "/bulk/request/weigh",
    "/outbox/change",
    "/accounts/change",
    "/system/clock",
    "/tokens/change",
    "/webhooks/change",
    "/rules/files/request.yaml",
    "/rules/check/request.yaml",
    "/rules/plans",
    "/rules/plans/none",
    "/sign-out",
    "/sign-in",
    "/sign-in/as",
];

#[tokio::test]
async fn a_form_that_is_not_ours_does_nothing() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, true).await;
    let carl = house.signed_in("carl").await;
    let fields = [
        ("rev", "1"),
        ("in.weight", "9"),
        ("in.title", "x"),
        ("do", "release"),
        ("person", "carl"),
        ("login", "carl@example.com"),
        ("password", PASSWORD),
    ];
    let strange = [
        "x-nothing: 1",
        "origin: null",
        "origin: https://evil.example",
        "origin: http://duban.evil.example",
        "origin: http://duban\r\nsec-fetch-site: same-site",
        "origin: http://duban\r\nsec-fetch-site: cross-site",
        "sec-fetch-site: none",
        "referer: https://evil.example/duban",
    ];
    for &path in UNSAFE {
        for from in strange {
            let answer = carl.send_from(from, path, &fields).await;
            assert_eq!((answer.status, answer.header("set-cookie")), (403, None), "{path} {from}");
        }
    }
    // One of ours that lost what only our pages know.
    for path in UNSAFE.iter().filter(|path| !path.starts_with("/sign-in")) {
        let body = form(&[("form", "00"), ("rev", "1"), ("in.weight", "9"), ("do", "release")]);
        let answer = house.ask("POST", path, &[&format!("cookie: {}", carl.cookie), "origin: http://duban"], &body).await;
        assert_eq!(answer.status, 403, "{path}");
        assert!(answer.text().contains("This form is from an earlier session"), "{}", answer.text());
    }
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1);
    assert_eq!(carl.get("/todo").await.status, 200, "still signed in");
    // The routes that do something are all of them.
    let declared = include_str!("../engine/web/mod.rs");
    let posts = declared.lines().filter(|line| line.contains("post(")).count();
    assert_eq!(posts, UNSAFE.len() + 2, "a new address that does something belongs on the list (/welcome and /j have no session)");
    for path in ["/welcome/x", "/j/x"] {
        let strange = house.ask("POST", path, &["origin: https://evil.example"], &form(&[("password", PASSWORD)])).await;
        assert_eq!(strange.status, 403, "{path}");
    }
}

#[tokio::test]
async fn looking_changes_nothing_however_often() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, false).await;
    let invitation = house.app.invite(&house.policy, &"hu".into(), None).await.unwrap();
    let carl = house.signed_in("carl").await;
    let welcome = format!("/welcome/{}", invitation.token);
    for method in ["GET", "HEAD"] {
        for path in ["/items/1", "/items/1/do/answer", "/items/1/do/weigh", "/new/request/submit", "/outbox", &welcome] {
            for _ in 0..3 {
                house.ask(method, path, &[&format!("cookie: {}", carl.cookie)], "").await;
            }
        }
    }
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1);
    // The scanner that opened the link has not used it up.
    let body = form(&[("password", PASSWORD), ("again", PASSWORD)]);
    assert_eq!(house.ask("POST", &welcome, &["origin: http://duban"], &body).await.status, 303);
    let used = house.ask("POST", &welcome, &["origin: http://duban"], &body).await;
    assert_eq!(used.status, 410);
    assert!(used.text().contains("This link was used"), "{}", used.text());
}

/// What would like to be markup, a script, an attribute, a template or a header.
const PAYLOADS: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "javascript:alert(1)",
    "</textarea><svg onload=alert(1)>",
    "</title><script>alert(1)</script>",
    "{{ 7 * 7 }}{% raw %}",
    "<!--",
    "&lt;b&gt;",
    "\u{202e}txt.exe",
    "=HYPERLINK(\"https://evil.example\")",
];

#[tokio::test]
async fn text_stays_text_on_every_page() {
    let world = World::open("2026-03-02 09:00").await;
    let house = House::open(world, false).await;
    let carl = house.signed_in("carl").await;
    for (no, payload) in PAYLOADS.iter().enumerate() {
        let item = format!("x{no}");
        house.app.act(&command(&item, "submit", "ann", [("title", Value::text(payload))])).await.unwrap();
        let query = form(&[("text", payload), ("unit", payload), ("workflow", payload)]);
        let paths = [
            format!("/items/{item}"),
            format!("/items/{item}/do/weigh"),
            "/todo".into(),
            format!("/ledger?{query}"),
            format!("/sign-in?{}", form(&[("back", payload)])),
            format!("/{}", form(&[(payload, "")])),
        ];
        for path in &paths {
            let answer = carl.get(path).await;
            assert!(answer.is_tame(), "{path} {payload}: {:?}", answer.elements());
            assert!(!answer.body.contains(" 49") && !answer.text().contains("49%"), "{path} {payload}");
        }
        // What was typed comes back as text too.
        let back = carl.send(&format!("/items/{item}/do/weigh"), &[("rev", "1"), ("in.weight", payload)]).await;
        assert!(back.is_tame(), "{payload}: {:?}", back.elements());
        assert!(
            carl.get(&format!("/items/{item}")).await.text().contains(*payload),
            "{payload}: {}",
            carl.get(&format!("/items/{item}")).await.text()
        );
    }
    // The test would see it.
    let wild = Answer { status: 200, head: String::new(), body: "<p title=\"a\" onclick=\"x\">".into() };
    assert!(!wild.is_tame());
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_page_to_itself() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    let carl = house.signed_in("carl").await;
    for (method, path) in [
        ("GET", "/todo"),
        ("GET", "/nothing"),
        ("GET", "/items/none"),
        ("POST", "/todo"),
        ("GET", "/outbox"),
        ("GET", "/assets/duban.css"),
        ("GET", "/sign-in"),
        ("GET", "/assets/..%2fCargo.toml"),
    ] {
        let answer = house.ask(method, path, &[&format!("cookie: {}", carl.cookie), "origin: http://duban"], "").await;
        let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{path} {}", answer.head));
        assert!(
            policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"),
            "{path} {policy}"
        );
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert!(answer.header("cache-control").is_some(), "{path}");
    }
    assert_eq!(carl.get("/nothing").await.status, 404);
    assert_eq!(carl.get("/outbox").await.status, 403, "Carl looks after nothing");
    let zh = house.ask("GET", "/nothing?lang=zh", &[], "").await;
    assert!(
        zh.body.contains("lang=\"zh-CN\"") && zh.header("set-cookie").is_some_and(|cookie| cookie.starts_with("lang=zh")),
        "{}",
        zh.head
    );
}

#[tokio::test]
async fn a_session_ends_with_its_owner() {
    let house = House::open(World::open("2026-03-02 09:00").await, false).await;
    let carl = house.signed_in("carl").await;
    assert_eq!(carl.send("/sign-out", &[]).await.to(), "/sign-in");
    assert!(carl.get("/todo").await.to().starts_with("/sign-in"), "the old cookie opens nothing");
    let hu = house.signed_in("hu").await;
    house.app.clock.set(moment("2026-03-02 09:31"));
    assert!(hu.get("/todo").await.to().starts_with("/sign-in"), "half an hour went by without a word");
}

/// The office with somebody to look after each thing, and a request of Ann's.
async fn looked_after(open_house: bool) -> House {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => {
            let more = "  sue:  { title: Sue, mail: sue@example.com, groups: [security_administrators] }\n  ada:  { title: Ada, mail: ada@example.com, groups: [audit_administrators] }\n";
            text.replace("groups: [heads]", "groups: [heads, system_administrators]") + more
        }
        "request.yaml" => {
            text + "\ndesks:\n  front:\n    title: Front desk\n    for: [clerk, head]\n    parts:\n      - { title: To do, show: duties }\n"
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    app.act(&command("1", "submit", "ann", [("title", Value::text("A bench"))])).await.unwrap();
    app.act(&command("1", "ask_back", "carl", [("question", Value::text("Where?"))])).await.unwrap();
    House::over(app, folder, open_house).await
}

/// The office with notes that only the head sees, and a weight that a head gives a reason for.
async fn with_notes() -> House {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "request.yaml" => {
            let by = "    title: weigh\n    by: [clerk]";
            assert!(text.contains(by));
            let ways = "    title: weigh\n    by:\n      - clerk\n      - role: head\n        ask:\n          reason: { type: text, title: reason, required: true }";
            let keep = "  keep:\n    title: keep a note\n    by: [head]\n    from: [open]\n    open: { note: [{}] }\n  count_month:";
            let branches = "\nbranches:\n  note:\n    title: note\n    visible_to: [head]\n    states:\n      kept: { title: kept aside, kind: start, owner: head, no_deadline_needed: true }\n      gone: { title: gone, kind: end }\n    actions:\n      drop: { title: drop it, by: [head], from: [kept], to: gone }\n";
            text.replace(by, ways).replace("  count_month:", keep) + branches
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    app.act(&command("1", "submit", "ann", [("title", Value::text("A bench"))])).await.unwrap();
    app.act(&command("1", "keep", "hu", [])).await.unwrap();
    House::over(app, folder, false).await
}

#[tokio::test]
async fn a_form_asks_what_this_person_is_asked_and_nothing_else() {
    let house = with_notes().await;
    let (carl, hu) = (house.signed_in("carl").await, house.signed_in("hu").await);
    let (clerks, heads) = (carl.get("/items/1/do/weigh").await, hu.get("/items/1/do/weigh").await);
    assert!(!clerks.body.contains("in.reason") && heads.body.contains("in.reason"));
    assert_eq!(carl.send("/items/1/do/weigh", &[("rev", "2"), ("in.weight", "3"), ("in.reason", "no field of mine")]).await.status, 303);
    assert_eq!(hu.send("/items/1/do/weigh", &[("rev", "3"), ("in.weight", "4")]).await.status, 422, "a reason is asked of the head");
    assert_eq!(hu.send("/items/1/do/weigh", &[("rev", "3"), ("in.weight", "4"), ("in.reason", "it grew")]).await.status, 303);
    // Ann may not begin what is not hers, and nobody chooses what an item is called.
    assert_eq!(carl.get("/new/request/submit").await.status, 403);
    let ann = house.signed_in("ann").await;
    let made = ann.send("/new/request/submit", &[("command", "045"), ("in.title", "A name of my own")]).await;
    assert!(made.status == 303 && !made.to().contains("045"), "{}", made.to());
}

#[tokio::test]
async fn what_may_not_be_seen_is_not_there() {
    let house = with_notes().await;
    let (carl, hu) = (house.signed_in("carl").await, house.signed_in("hu").await);
    let seen = hu.get("/items/1").await.text();
    assert!(seen.contains("kept aside") && seen.contains("drop it"), "{seen}");
    for page in ["/items/1", "/items/1/do/drop?branch=1", "/bulk?item=1", "/items/1/do/weigh"] {
        let text = carl.get(page).await.text();
        assert!(!text.contains("kept aside") && !text.contains("drop it"), "{page}: {text}");
    }
    assert_eq!(carl.get("/items/1/do/drop?branch=1").await.status, 404);
    assert_eq!(carl.send("/items/1/do/drop?branch=1", &[("rev", "2")]).await.status, 404);
    assert_eq!(hu.send("/items/1/do/drop?branch=1", &[("rev", "2")]).await.status, 303);
    // A branch that has ended meanwhile is refused with its reason, and what was typed stays.
    let late = hu.send("/items/1/do/drop?branch=1", &[("rev", "2")]).await;
    assert!(late.status == 409 && late.text().contains("It was not taken"), "{} {}", late.status, late.text());
}

#[tokio::test]
async fn a_session_that_ends_over_a_form_says_so_and_leads_back_to_it() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let house = House::open(world, false).await;
    let carl = house.signed_in("carl").await;
    house.app.clock.set(moment("2026-03-02 10:00"));
    let gone = carl.send("/items/1/do/weigh", &[("rev", "1"), ("in.weight", "3")]).await;
    assert!(gone.status == 401 && gone.text().contains("Your session had ended, and nothing was done yet."), "{}", gone.text());
    assert_eq!(gone.value("back").unwrap().replace("&#x2f;", "/"), "/items/1/do/weigh");
    let looked = carl.get("/items/1/do/weigh").await;
    assert_eq!(looked.to(), "/sign-in?back=%2Fitems%2F1%2Fdo%2Fweigh");
    // Who signs in on a browser where somebody was signed in leaves no session behind.
    let first = house.signed_in("hu").await;
    let login = form(&[("login", "carl@example.com"), ("password", PASSWORD)]);
    let answer = house.ask("POST", "/sign-in", &["origin: http://duban", &format!("cookie: {}", first.cookie)], &login).await;
    assert_eq!(answer.status, 303);
    assert!(first.get("/todo").await.to().starts_with("/sign-in"));
}

#[tokio::test]
async fn addresses_that_cannot_be_read_are_told_in_words() {
    let house = looked_after(false).await;
    let carl = house.signed_in("carl").await;
    for path in ["/items/%ff", "/items/1?did=x", "/items/1/do/weigh?branch=x", "/items/%00", "/ledger?text=%00", "/welcome/%ff"] {
        let answer = carl.get(path).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.status);
        assert!(answer.body.contains("<h1>"), "{path}: {}", answer.body);
    }
    let many: Vec<String> = (0..20_000).map(|no| format!("item={no}")).collect();
    let much = house
        .ask(
            "POST",
            "/bulk/request/weigh",
            &[&format!("cookie: {}", carl.cookie), "origin: http://duban"],
            &format!("form={}&{}", carl.form, many.join("&")),
        )
        .await;
    assert_eq!(much.status, 422);
    assert!(much.text().contains("Pick one to 200 items."), "{}", much.text());
    // One text that is too long for a cell breaks no workbook.
    house.app.act(&command("9", "submit", "ann", [("title", Value::text(&"x".repeat(100_000)))])).await.unwrap();
    assert_eq!(carl.get("/ledger.xlsx").await.status, 200);
}

/// Who may look at what: every address with somebody of each kind, and nobody.
#[tokio::test]
async fn every_page_is_open_to_whom_it_is_for_and_to_nobody_else() {
    let house = looked_after(false).await;
    // Citizen, clerk, and who looks after the system, the accounts, the trail.
    let persons = ["ann", "carl", "hu", "sue", "ada"];
    let everybody = [true; 5];
    let pages: &[(&str, [bool; 5])] = &[
        ("/todo", everybody),
        ("/me", everybody),
        ("/told", everybody),
        ("/new", everybody),
        ("/new/request/submit", everybody),
        ("/items/1", everybody),
        ("/items/1/do/weigh", everybody),
        ("/ledger", everybody),
        ("/ledger.xlsx", everybody),
        ("/bulk?item=1", everybody),
        ("/bulk/request/weigh?item=1", everybody),
        ("/reports", everybody),
        ("/calendar", everybody),
        ("/desks/request/front", [false, true, true, false, false]),
        ("/public", everybody),
        ("/public/1", everybody),
        ("/outbox", [false, false, true, false, false]),
        ("/outbox/mails/none", [false, false, true, false, false]),
        ("/system", [false, false, true, false, false]),
        ("/accounts", [false, false, false, true, false]),
        ("/audit", [false, false, false, false, true]),
        ("/tokens", everybody),
        ("/webhooks", [false, false, true, false, false]),
        ("/rules", [false, false, true, false, false]),
        ("/rules/new?path=a.yaml", [false, false, true, false, false]),
        ("/rules/files/request.yaml", [false, false, true, false, false]),
        ("/rules/schema/request.yaml", [false, false, true, false, false]),
        ("/rules/stories", [false, false, true, false, false]),
        ("/rules/diagram", [false, false, true, false, false]),
        ("/rules/diagram.svg", [false, false, true, false, false]),
        ("/rules/forecast", [false, false, true, false, false]),
        ("/rules/history", [false, false, true, false, false]),
        ("/rules/diff", [false, false, true, false, false]),
        ("/rules/plans/none", [false, false, true, false, false]),
    ];
    let mut denied = 0;
    for (place, person) in persons.iter().enumerate() {
        let browser = house.signed_in(person).await;
        for (page, open) in pages {
            let answer = browser.get(page).await;
            match open[place] {
                // Whose it is to begin something is the rules' to say, and no matter of rooms.
                true if page.starts_with("/new/") => assert_eq!(answer.status == 200, person == &"ann", "{person} {page}"),
                // This server has no folder of rules; `workshop` has one.
                true if answer.status == 409 => {
                    assert!(page.starts_with("/rules/") && answer.text().contains("no folder of rules"), "{page}")
                }
                true => assert!(matches!(answer.status, 200 | 404), "{person} {page}: {}", answer.status),
                false => {
                    denied += 1;
                    assert_eq!(answer.status, 403, "{person} {page}");
                    assert!(answer.text().contains("This page is not open to you."), "{}", answer.text());
                }
            }
        }
        // What is not one's to enter is not one's to change, and does not stand in the bar.
        let rules = ["/rules/files/request.yaml", "/rules/check/request.yaml", "/rules/plans", "/rules/plans/none"]
            .map(|page| (page, person == &"hu"));
        let others = [("/outbox/change", person == &"hu"), ("/accounts/change", person == &"sue"), ("/webhooks/change", person == &"hu")];
        for (page, open) in others.into_iter().chain(rules) {
            let answer = browser.send(page, &[("do", "release"), ("disable", "nobody")]).await;
            assert_eq!(answer.status == 403, !open, "{person} {page}: {}", answer.status);
            denied += usize::from(!open);
        }
        let bar = browser.get("/todo").await.body;
        for (page, open) in
            pages.iter().filter(|(page, _)| ["/outbox", "/system", "/webhooks", "/rules", "/accounts", "/audit"].contains(page))
        {
            assert_eq!(bar.contains(&format!("<a href=\"{page}\"").replace('/', "&#x2f;")), open[place], "{person} {page}");
        }
    }
    let trail = house.app.audit_trail(None, 1000).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.what == "denied").count(), denied, "each that was denied left one record");
    // The list of addresses is whole.
    let declared = include_str!("../engine/web/mod.rs");
    let gets = declared.lines().filter(|line| line.contains(".route(") && line.contains("get(")).count();
    let door = ["/sign-in", "/sign-in/second", "/sign-in/provider", "/sign-in/provider/back", "/welcome", "/j"].len();
    let elsewhere = door + ["/", "/calendar", "/items/{item}/forms", "/items/{item}/files", "/reports/{report}", "/assets"].len();
    assert_eq!(gets, pages.len() + elsewhere, "a new address belongs on the list");
}

#[tokio::test]
async fn what_was_picked_is_tried_before_it_is_done() {
    let world = World::open("2026-03-02 09:00").await;
    for item in ["1", "2", "3"] {
        world.submit(item).await;
    }
    let house = House::open(world, false).await;
    let carl = house.signed_in("carl").await;
    house.app.act(&command("3", "answer", "carl", [])).await.unwrap();
    let choice = carl.get("/bulk?item=1&item=2&item=3").await.text();
    assert!(choice.contains("answer open on 2 of 3"), "{choice}");
    let fields = [("item", "1"), ("item", "2"), ("item", "3"), ("command", "0123456789abcdef0123456789abcdef"), ("do", "try")];
    let tried = carl.send("/bulk/request/answer", &fields).await.text();
    assert!(tried.contains("Not done yet. Tried: 2 of 3 would be done, and 2 notices told to 1 persons."), "{tried}");
    assert!(tried.contains("2026-003 “answer” cannot be done") || tried.contains("2026-003"), "{tried}");
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1, "nothing was done");
    let mut send = fields;
    send[4] = ("do", "send");
    assert!(carl.send("/bulk/request/answer", &send).await.text().contains("2 of 3 done."));
    assert!(carl.send("/bulk/request/answer", &send).await.text().contains("2 of 3 done."), "the same form again");
    let looks = [house.app.look("1", None).await.unwrap().unwrap(), house.app.look("2", None).await.unwrap().unwrap()];
    assert!(looks.iter().all(|look| look.item.ended && look.item.rev == 2), "once");
    for many in ["/bulk", "/bulk?item=none"] {
        assert!(matches!(carl.get(many).await.status, 404 | 422), "{many}");
    }
}

#[tokio::test]
async fn the_ledger_goes_out_as_a_workbook_with_the_same_rows() {
    let house = looked_after(false).await;
    let carl = house.signed_in("carl").await;
    let answer = carl.get("/ledger.xlsx").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(
        answer.header("content-type").unwrap().contains("spreadsheetml")
            && answer.header("content-disposition").unwrap().contains("ledger-2026-03-02.xlsx")
    );
    assert!(answer.body.starts_with("PK"));
    assert!(carl.get("/ledger?text=bench").await.text().contains("A bench"));
    assert!(!carl.get("/ledger?text=river").await.text().contains("A bench"));
    assert!(carl.get("/ledger?unit=nowhere").await.text().contains("There is no unit `nowhere`"));
}

#[tokio::test]
async fn who_looks_after_accounts_invites_and_shuts_off_and_the_trail_tells() {
    let house = looked_after(false).await;
    let sue = house.signed_in("sue").await;
    assert!(sue.get("/accounts").await.text().contains("Carl none Invite"), "{}", sue.get("/accounts").await.text());
    let invited = sue.send("/accounts/change", &[("invite", "carl")]).await;
    let link = invited.body.split("&#x2f;welcome&#x2f;").nth(1).and_then(|rest| rest.split('<').next()).expect("a link").to_string();
    let body = form(&[("password", PASSWORD), ("again", PASSWORD)]);
    let answer = house.ask("POST", &format!("/welcome/{link}"), &["origin: http://duban"], &body).await;
    let carl = Browser::with(&house, &answer).await;
    assert_eq!(carl.get("/todo").await.status, 200);
    let off = sue.send("/accounts/change", &[("disable", "carl")]).await;
    assert_eq!(off.status, 200);
    assert!(carl.get("/todo").await.to().starts_with("/sign-in"), "what was open has ended");
    let ada = house.signed_in("ada").await;
    let trail = ada.get("/audit").await.text();
    for what in ["invited", "password set", "signed in", "account shut off"] {
        assert!(trail.contains(what), "{what}: {trail}");
    }
    assert!(!trail.contains(&link) && !trail.contains(PASSWORD), "no secret stands in it");
}

#[tokio::test]
async fn whoever_was_told_something_finds_it_without_a_mail() {
    let house = looked_after(false).await;
    let ann = house.signed_in("ann").await;
    let told = ann.get("/told").await.text();
    assert!(told.contains("a question 1 A bench waiting"), "{told}");
    let carl = house.signed_in("carl").await;
    assert!(!carl.get("/told").await.text().contains("a question"));
}

#[tokio::test]
async fn the_clock_of_a_demo_is_set_on_and_that_of_an_office_is_not() {
    let house = looked_after(true).await;
    let carl = house.signed_in("carl").await;
    assert!(carl.get("/todo").await.text().contains("7 days left"));
    for (day, status) in [("2026-03-02", 422), ("2026-02-01", 422), ("2030-01-01", 422), ("soon", 422), ("2026-03-06", 303)] {
        assert_eq!(carl.send("/system/clock", &[("day", day)]).await.status, status, "{day}");
    }
    let guests = house.ask("GET", "/sign-in", &[], "").await.text();
    assert!(guests.contains("Carl clerk 1 to do") && guests.contains("Sue security administrator"), "{guests}");
    let hu = house.ask("POST", "/sign-in/as", &["origin: http://duban"], &form(&[("person", "hu")])).await;
    let hu = Browser::with(&house, &hu).await;
    assert!(hu.get("/system").await.text().contains("2026-03-06 09:00"), "{}", hu.get("/system").await.text());
    let shut = looked_after(false).await;
    let carl = shut.signed_in("carl").await;
    assert_eq!(carl.send("/system/clock", &[("day", "2026-03-06")]).await.status, 404);
    assert_eq!(shut.ask("POST", "/sign-in/as", &["origin: http://duban"], &form(&[("person", "hu")])).await.status, 404);
}

#[tokio::test]
async fn administrators_see_what_was_sent_and_let_go_of_what_is_held() {
    let house = looked_after(false).await;
    let hu = house.signed_in("hu").await;
    let page = hu.get("/outbox").await;
    assert!(page.text().contains("a question Ann 1 waiting"), "{}", page.text());
    let key = page.value("key").unwrap().replace("&#x2f;", "/");
    let no = hu.send("/outbox/change", &[("do", "cancel"), ("key", &key)]).await;
    assert_eq!(no.status, 422, "cancelling needs a reason");
    assert_eq!(
        hu.send("/outbox/change", &[("do", "cancel"), ("key", &key), ("reason", "asked by telephone")]).await.to(),
        "/outbox?changed=1"
    );
    assert!(hu.get("/outbox").await.text().contains("cancelled: asked by telephone"));
    let carl = house.signed_in("carl").await;
    assert_eq!(carl.send("/outbox/change", &[("do", "release"), ("key", &key)]).await.status, 403);
}

#[tokio::test]
async fn a_person_makes_tokens_sees_them_once_and_takes_them_back() {
    let house = looked_after(false).await;
    let carl = house.signed_in("carl").await;
    let page = carl.get("/tokens").await;
    assert!(page.text().contains("There are none.") && page.is_tame(), "{}", page.text());
    for (fields, status, says) in [
        (&[("name", ""), ("scope", "read"), ("days", "10")][..], 422, "a token needs a name"),
        (&[("name", "x"), ("days", "10")], 422, "has to be for something"),
        (&[("name", "x"), ("scope", "all"), ("days", "10")], 422, "has to be for something"),
        (&[("name", "x"), ("scope", "read"), ("scope", "calendar"), ("days", "10")], 422, "its token is for nothing else"),
        (&[("name", "x"), ("scope", "read"), ("days", "ever")], 422, "a token is good for 1 to 1100 days"),
        (&[("revoke", "none")], 404, "There is no such token"),
    ] {
        let no = carl.send("/tokens/change", fields).await;
        assert!(no.status == status && no.text().contains(says), "{fields:?}: {} {}", no.status, no.text());
    }
    let made = carl.send("/tokens/change", &[("name", "<b>statistics</b>"), ("scope", "read"), ("scope", "act"), ("days", "10")]).await;
    assert!(made.status == 200 && made.is_tame(), "{}", made.text());
    let token = made.body.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("a token").to_string();
    assert!(token.starts_with("duban_"), "{token}");
    let again = carl.get("/tokens").await;
    assert!(!again.body.contains(&token) && again.text().contains("<b>statistics</b>"), "{}", again.text());
    assert!(again.text().contains("read items, and what one was told, do what one may do good 2026-03-12 09:00 never"), "{}", again.text());
    let offices = all(&house.app);
    assert_eq!(&*offices.token_holder(&token).await.unwrap().unwrap().person, "carl");
    let id = again.body.split("name=\"revoke\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_string();

    // What is another's is not there, but for whoever looks after accounts.
    let ann = house.signed_in("ann").await;
    assert!(!ann.get("/tokens").await.body.contains(&id));
    assert_eq!(ann.send("/tokens/change", &[("revoke", &id)]).await.status, 404);
    assert!(offices.token_holder(&token).await.unwrap().is_some());
    let sue = house.signed_in("sue").await;
    assert!(sue.get("/tokens").await.text().contains("Tokens of others") && sue.get("/tokens").await.body.contains(&id));
    assert_eq!(sue.send("/tokens/change", &[("revoke", &id)]).await.status, 200);
    assert!(offices.token_holder(&token).await.unwrap().is_none());
    assert!(carl.get("/tokens").await.text().contains("taken back"));
    let ada = house.signed_in("ada").await;
    let trail = ada.get("/audit").await.text();
    assert!(trail.contains("token made") && trail.contains("token taken back") && !trail.contains(&token), "{trail}");
}

#[tokio::test]
async fn a_calendar_program_reads_ones_deadlines_by_an_address_of_its_own() {
    let house = looked_after(false).await;
    let carl = house.signed_in("carl").await;
    let made = carl.send("/tokens/change", &[("name", "phone"), ("scope", "calendar"), ("days", "10")]).await;
    let address = made.body.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("an address").replace("&#x2f;", "/");
    let path = address.strip_prefix("http://duban").expect("where the page was asked for").to_string();
    assert!(path.starts_with("/calendar/duban_") && path.ends_with(".ics"), "{path}");
    let read = carl.send("/tokens/change", &[("name", "program"), ("scope", "read"), ("days", "10")]).await;
    let read = read.body.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("a token").to_string();
    let fed = house.ask("GET", &path, &[], "").await;
    assert_eq!((fed.status, fed.header("content-type")), (200, Some("text/calendar; charset=utf-8")), "{}", fed.body);
    assert!(fed.body.contains("SUMMARY:answer: A bench\r\n") && fed.body.contains("X-WR-CALNAME:Deadlines of Carl"), "{}", fed.body);
    let tag = fed.header("etag").unwrap().to_string();
    house.app.clock.set(moment("2026-03-04 12:00"));
    let same = house.ask("GET", &path, &[&format!("if-none-match: W/{tag}")], "").await;
    assert_eq!((same.status, same.body.as_str(), same.header("etag")), (304, "", Some(tag.as_str())));
    house.app.act(&command("1", "weigh", "carl", [("weight", Value::Number(2))])).await.unwrap();
    let after = house.ask("GET", &path, &[&format!("if-none-match: {tag}")], "").await;
    assert_eq!(after.status, 200);
    assert!(house.ask("GET", &path, &["accept-language: zh"], "").await.status == 200);

    // Nothing else opens it, and it opens nothing else.
    let offices = all(&house.app);
    let token = path.trim_start_matches("/calendar/").trim_end_matches(".ics");
    for strange in [format!("/calendar/{token}"), "/calendar/x.ics".into(), "/calendar/.ics".into(), format!("/calendar/{token}x.ics")] {
        assert_eq!(house.ask("GET", &strange, &[], "").await.status, 404, "{strange}");
    }
    assert!(offices.token_holder(&read).await.unwrap().is_some());
    assert_eq!(house.ask("GET", &format!("/calendar/{read}.ics"), &[], "").await.status, 404, "a token of another kind");
    house.app.disable_account(&"carl".into()).await.unwrap();
    assert_eq!(house.ask("GET", &path, &[], "").await.status, 404);
}

#[tokio::test]
async fn whoever_looks_after_the_system_tells_other_programs_and_sees_what_became_of_it() {
    let house = looked_after(false).await;
    let hu = house.signed_in("hu").await;
    assert!(hu.get("/webhooks").await.text().contains("No program is told yet."));
    let no = hu.send("/webhooks/change", &[("url", "ftp://<x>"), ("event", "*"), ("events", "request/answer")]).await;
    assert!(no.status == 422 && no.text().contains("is no address that can be called") && no.is_tame(), "{}", no.text());
    assert!(
        no.body.contains("value=\"ftp:&#x2f;&#x2f;&lt;x&gt;\"") && no.body.contains("request&#x2f;answer\n"),
        "what was typed stays: {}",
        no.body
    );
    let no = hu.send("/webhooks/change", &[("url", "https://example.org/hook"), ("events", "request/nothing")]).await;
    assert!(no.status == 422 && no.text().contains("There is no event `request/nothing`"), "{}", no.text());
    let made = hu
        .send(
            "/webhooks/change",
            &[("url", "https://example.org/hook"), ("event", "deadline-passed"), ("events", "request/weigh\nrequest/answer")],
        )
        .await;
    assert!(made.status == 200 && made.text().contains("is told from now on"), "{}", made.text());
    let secret = made.body.split("<code>").nth(1).and_then(|rest| rest.split('<').next()).expect("a secret").to_string();
    assert!(secret.starts_with("whsec_") && !hu.get("/webhooks").await.body.contains(&secret));
    house.app.act(&command("1", "weigh", "carl", [("weight", Value::Number(2))])).await.unwrap();
    let page = hu.get("/webhooks").await;
    assert!(
        page.text().contains("0 told, 1 waiting, 0 parked") && page.text().contains("request/weigh 1 waits until 2026-03-02 09:00"),
        "{}",
        page.text()
    );
    let id = page.body.split("name=\"stop\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("an id").to_string();
    assert!(hu.send("/webhooks/change", &[("stop", &id)]).await.text().contains("what waits is parked"));
    assert!(hu.get("/webhooks?status=parked").await.text().contains("waits for a person"));
    assert!(hu.send("/webhooks/change", &[("release", &id)]).await.text().contains("0 are tried again."), "not while it is stopped");
    assert_eq!(hu.send("/webhooks/change", &[("start", &id)]).await.status, 200);
    assert!(hu.send("/webhooks/change", &[("release", &id)]).await.text().contains("1 are tried again."));
    assert_eq!(hu.send("/webhooks/change", &[("remove", &id)]).await.status, 200);
    assert!(hu.get("/webhooks").await.text().contains("No program is told yet.") && hu.get("/webhooks").await.text().contains("given up"));
    assert_eq!(house.signed_in("carl").await.send("/webhooks/change", &[("url", "https://example.org"), ("event", "*")]).await.status, 403);
}

/// The office with a page of the clerks' own, a ledger as the rules lay it out, and requests that anybody may read of.
async fn with_pages() -> House {
    let folder = tempfile::tempdir().unwrap();
    let pages = "
desks:
  front:
    title: Front desk
    for: [clerk, head]
    first_for: [clerk]
    parts:
      - { title: Today, show: numbers }
      - { title: Mine to do, show: duties }
      - { title: By itself today, show: coming }
      - { title: The machine, show: health }
      - { title: I was told, show: told }
      - { title: Still open, show: waiting, states: [open], action: weigh }
      - { title: By topic, show: report, report: topics, rows: 1 }
ledger: { columns: [topic], filters: [topic] }
published: { title: What was asked, field: open_to, is: [public], states: [open], fields: [number, title, topic] }
reports:
  topics: { title: Topics, by: topic }
";
    let rules = rules(|path, text| match path {
        "request.yaml" => {
            let fields = "  months: { title: months open";
            let own = "  topic: { title: Topic, type: choice, options: [parks, roads], option_titles: { parks: Parks, roads: Roads } }\n  open_to: { title: Open to, type: choice, options: [public, nobody] }\n";
            let text = text.replace("ask: [title, code?]", "ask: [title, code?, topic?, open_to?]");
            text.replace(fields, &format!("{own}{fields}")) + pages
        }
        "directory.yaml" => text.replace("groups: [heads]", "groups: [heads, system_administrators]"),
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    for (item, title, topic, open_to) in
        [("1", "A bench", "parks", "public"), ("2", "A lamp", "roads", "nobody"), ("3", "A kerb", "roads", "public")]
    {
        let input = [
            ("title", Value::text(title)),
            ("code", Value::text(&format!("code-{item}"))),
            ("topic", Value::text(topic)),
            ("open_to", Value::text(open_to)),
        ];
        app.act(&command(item, "submit", "ann", input)).await.unwrap();
    }
    House::over(app, folder, false).await
}

#[tokio::test]
async fn whoever_has_a_page_of_their_own_sees_it_first() {
    let house = with_pages().await;
    let (ann, carl, hu) = (house.signed_in("ann").await, house.signed_in("carl").await, house.signed_in("hu").await);
    assert_eq!(carl.get("/").await.to(), "/desks/request/front");
    assert_eq!((ann.get("/").await.to(), hu.get("/").await.to()), ("/todo", "/todo"), "it is first for clerks alone");
    let page = carl.get("/desks/request/front").await;
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    assert!(text.contains("3 items are open: 0 late, 3 due within 7 days."), "{text}");
    assert!(text.contains("If nobody does anything, 0 mails leave today"), "{text}");
    assert!(page.body.contains("href=\"&#x2f;items&#x2f;1\""), "what is to be done leads there: {}", page.body);
    // Of a report as many rows as the rules say, with a way to the rest.
    assert!(text.contains("1 more The whole report"), "{text}");
    // The bar on top leads to it, for those whose it is.
    assert!(ann.get("/todo").await.text().contains("My work") && !ann.get("/todo").await.text().contains("Front desk"));
    assert!(hu.get("/todo").await.text().contains("Front desk"));
    assert_eq!(carl.get("/desks/request/none").await.status, 404);
    // What is late is told to whoever stands above, who sees what was told before and what was done.
    house.app.clock.set(moment("2026-03-11 10:00"));
    while all(&house.app).wake_due(100).await.unwrap().facts > 0 {}
    // The session has ended meanwhile.
    let hu = house.signed_in("hu").await;
    let told = hu.get("/desks/request/front").await.text();
    assert!(told.contains("3 items are open: 3 late"), "{told}");
    assert!(told.contains("Told so far: ") && told.contains("Last done there: "), "{told}");
}

#[tokio::test]
async fn the_calendar_shows_what_is_due_on_which_day() {
    let house = with_pages().await;
    let (ann, carl) = (house.signed_in("ann").await, house.signed_in("carl").await);
    let march = carl.get("/calendar?month=2026-03").await.text();
    assert!(march.contains("3 dates"), "{march}");
    let (_, behind) = march.split_once("A bench").unwrap_or_default();
    assert!(behind.contains("answer"), "with the deadline: {march}");
    assert!(carl.get("/calendar?month=2026-04").await.text().contains("0 dates"));
    assert!(ann.get("/calendar?month=2026-03&whose=mine").await.text().contains("0 dates"), "nothing of it is Ann's to do");
    assert!(carl.get("/calendar?month=2026-03&whose=mine").await.text().contains("3 dates"));
    assert!(carl.get("/calendar?month=2026-10").await.body.contains("国庆"), "holidays are named");
    for month in ["2026-13", "x", "2026-3-1", "%27"] {
        assert_eq!(carl.get(&format!("/calendar?month={month}")).await.status, 422, "{month}");
    }
}

#[tokio::test]
async fn the_ledger_is_filtered_by_fields_and_a_filter_is_kept_by_whom_it_is() {
    let house = with_pages().await;
    let (carl, hu) = (house.signed_in("carl").await, house.signed_in("hu").await);
    let titles = |page: &str| ["A bench", "A lamp", "A kerb"].map(|title| page.contains(title));
    let page = carl.get("/ledger?f.topic=roads").await.text();
    assert_eq!(titles(&page), [false, true, true], "{page}");
    assert!(page.contains("Next deadline Topic"), "the column that the rules declare: {page}");
    assert_eq!(titles(&carl.get("/ledger?f.topic=road").await.text()), [false; 3], "part of a value is none");
    assert_eq!(titles(&carl.get("/ledger?f.code=code-1").await.text()), [true; 3], "what is no filter filters nothing");
    assert_eq!(titles(&carl.get("/ledger?f.topic=%25").await.text()), [false; 3], "a sign of patterns is a sign");
    let kept = carl.send("/ledger/filters", &[("name", "My roads"), ("query", "workflow=request&f.topic=roads&after=9")]).await;
    assert_eq!((kept.status, kept.to()), (303, "/ledger?workflow=request&f.topic=roads"));
    assert!(carl.get("/ledger").await.text().contains("Kept filters") || carl.get("/ledger").await.text().contains("My roads"));
    assert!(!hu.get("/ledger").await.text().contains("My roads"), "a filter is its owner's");
    assert_eq!(carl.send("/ledger/filters", &[("name", &"x".repeat(41)), ("query", "a=b")]).await.status, 422);
    assert_eq!(carl.send("/ledger/filters", &[("query", "a=b")]).await.status, 422);
    carl.send("/ledger/filters", &[("forget", "My roads")]).await;
    assert!(!carl.get("/ledger").await.text().contains("My roads"));
}

#[tokio::test]
async fn anybody_reads_what_is_published_and_nothing_else_is_there() {
    let house = with_pages().await;
    let page = house.ask("GET", "/public", &[], "").await;
    let text = page.text();
    assert_eq!(page.status, 200, "{text}");
    assert!(text.contains("What was asked") && text.contains("A bench") && text.contains("A kerb") && !text.contains("A lamp"), "{text}");
    assert_eq!(page.header("cache-control"), Some("public, max-age=300"));
    assert!(!text.contains("Ann") && !text.contains("code-1"), "neither names nor what is not declared: {text}");
    let found = |text: &str| format!("/public?text={text}");
    assert!(house.ask("GET", &found("bench"), &[], "").await.text().contains("A bench"));
    for hidden in ["code-1", "Ann", "lamp"] {
        assert!(house.ask("GET", &found(hidden), &[], "").await.text().contains("Nothing fits."), "{hidden}");
    }
    assert!(house.ask("GET", "/public/1", &[], "").await.text().contains("Parks"));
    let (hidden, none) = (house.ask("GET", "/public/2", &[], "").await, house.ask("GET", "/public/99", &[], "").await);
    assert_eq!((hidden.status, none.status), (404, 404));
    let (hidden, none) = (hidden.body.replace("public&#x2f;2", ""), none.body.replace("public&#x2f;99", ""));
    assert_eq!(hidden, none, "what is not published is not there");
    // What has left the published states is gone.
    house.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    assert_eq!(house.ask("GET", "/public/1", &[], "").await.status, 404);
    // An office that publishes nothing has no such page.
    let closed = House::open(World::open("2026-03-02 09:00").await, false).await;
    assert_eq!(closed.ask("GET", "/public", &[], "").await.status, 404);
}
