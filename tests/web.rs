//! The pages over loopback, as a browser without scripts uses them: signing in, seeing one's work, doing it; and what becomes of forms
//! that are not ours, of what was typed, and of text that would like to be markup.

mod incoming;
mod mail_links;

use crate::support::world::{World, all, app_under, command, moment, rules};
use duban::api::BodyLimits;
use duban::api::accept::{Limits, accept};
use duban::app::App;
use duban::app::accounts::Policy;
use duban::files;
use duban::kernel::model::value::Value;
use duban::scheduler::Pulse;
use duban::store::LOCAL;
use duban::web::Web;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);
const PASSWORD: &str = "seven lamps over water";

struct House {
    app: Arc<App>,
    address: std::net::SocketAddr,
    stop: CancellationToken,
    policy: Policy,
    _folder: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

/// A browser with its cookies.
struct Browser<'h> {
    house: &'h House,
    cookie: String,
    /// What every form of the session carries.
    form: String,
}

impl House {
    async fn open(world: World, open_house: bool) -> House {
        House::over(world.app, world.folder, open_house).await
    }

    async fn over(app: Arc<App>, folder: tempfile::TempDir, open_house: bool) -> House {
        let web = Web {
            offices: all(&app),
            pulse: Arc::new(Pulse::new(&app.clock)),
            pages: files::web_pages(None).unwrap(),
            policy: Policy::default(),
            jurisdiction: LOCAL.into(),
            origin: None,
            open_house,
            largest: BodyLimits::default().bytes,
        };
        let policy = web.policy.clone();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, web.routes(), Limits::default(), stop.clone()));
        House { app, address, stop, policy, _folder: folder }
    }

    /// Asks as the headers say; whoever sends a form says where it comes from there.
    async fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
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

    /// Somebody with an account, through the door.
    async fn signed_in(&self, person: &str) -> Browser<'_> {
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
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn to(&self) -> &str {
        self.header("location").unwrap_or_default()
    }

    /// The text of the page, its markup taken out.
    fn text(&self) -> String {
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

    /// Nothing runs here that was not ours.
    fn is_tame(&self) -> bool {
        self.elements().iter().all(|(name, attributes)| {
            !["script", "img"].contains(&name.as_str()) && attributes.iter().all(|name| !name.starts_with("on") && name != "style")
        })
    }

    /// The value of a field of a form on the page.
    fn value(&self, name: &str) -> Option<&str> {
        let at = self.body.find(&format!("name=\"{name}\" value=\""))?;
        self.body[at..].split('"').nth(3)
    }
}

impl<'h> Browser<'h> {
    async fn with(house: &'h House, answer: &Answer) -> Browser<'h> {
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next()).expect("a cookie").to_string();
        let mut browser = Browser { house, cookie, form: String::new() };
        browser.form = browser.get("/todo").await.value("form").expect("a page with a form").to_string();
        browser
    }

    async fn get(&self, path: &str) -> Answer {
        self.house.ask("GET", path, &[&format!("cookie: {}", self.cookie)], "").await
    }

    /// Sends a form from a page of ours.
    async fn send(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send_from("origin: http://duban", path, fields).await
    }

    async fn send_from(&self, from: &str, path: &str, fields: &[(&str, &str)]) -> Answer {
        let mut all = vec![("form", self.form.as_str())];
        all.extend_from_slice(fields);
        self.house.ask("POST", path, &[&format!("cookie: {}", self.cookie), from], &form(&all)).await
    }
}

fn form(fields: &[(&str, &str)]) -> String {
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
    assert_eq!((wrong.status, wrong.header("set-cookie")), (422, None));
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
const UNSAFE: [&str; 9] = [
    "/items/1/do/weigh",
    "/new/request/submit",
    "/bulk/request/weigh",
    "/outbox/change",
    "/accounts/change",
    "/system/clock",
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
    for path in UNSAFE {
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
    assert_eq!(gone.to(), "/sign-in?back=%2Fitems%2F1%2Fdo%2Fweigh&over=1");
    let door = house.ask("GET", gone.to(), &[], "").await;
    assert!(door.text().contains("Your session had ended, and what you sent did not arrive."), "{}", door.text());
    assert_eq!(door.value("back").unwrap().replace("&#x2f;", "/"), "/items/1/do/weigh");
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
        ("/outbox", [false, false, true, false, false]),
        ("/outbox/mails/none", [false, false, true, false, false]),
        ("/system", [false, false, true, false, false]),
        ("/accounts", [false, false, false, true, false]),
        ("/audit", [false, false, false, false, true]),
    ];
    let mut denied = 0;
    for (place, person) in persons.iter().enumerate() {
        let browser = house.signed_in(person).await;
        for (page, open) in pages {
            let answer = browser.get(page).await;
            match open[place] {
                // Whose it is to begin something is the rules' to say, and no matter of rooms.
                true if page.starts_with("/new/") => assert_eq!(answer.status == 200, person == &"ann", "{person} {page}"),
                true => assert!(matches!(answer.status, 200 | 404), "{person} {page}: {}", answer.status),
                false => {
                    denied += 1;
                    assert_eq!(answer.status, 403, "{person} {page}");
                    assert!(answer.text().contains("This page is not open to you."), "{}", answer.text());
                }
            }
        }
        // What is not one's to enter is not one's to change, and does not stand in the bar.
        for (page, open) in [("/outbox/change", person == &"hu"), ("/accounts/change", person == &"sue")] {
            let answer = browser.send(page, &[("do", "release"), ("disable", "nobody")]).await;
            assert_eq!(answer.status == 403, !open, "{person} {page}: {}", answer.status);
            denied += usize::from(!open);
        }
        let bar = browser.get("/todo").await.body;
        for (page, open) in pages.iter().filter(|(page, _)| ["/outbox", "/system", "/accounts", "/audit"].contains(page)) {
            assert_eq!(bar.contains(&format!("<a href=\"{page}\"").replace('/', "&#x2f;")), open[place], "{person} {page}");
        }
    }
    let trail = house.app.audit_trail(None, 1000).await.unwrap();
    assert_eq!(trail.iter().filter(|entry| entry.what == "denied").count(), denied, "each that was denied left one record");
    // The list of addresses is whole.
    let declared = include_str!("../engine/web/mod.rs");
    let gets = declared.lines().filter(|line| line.contains(".route(\"") && line.contains("get(")).count();
    let elsewhere = ["/", "/sign-in", "/welcome", "/j", "/items/{item}/forms", "/reports/{report}", "/assets"].len();
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
