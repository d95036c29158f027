//! The JSON API over loopback: what programs read, do and are told, with the same sentences as people; and what becomes of bad requests.

mod attachments;

use crate::support::world::{World, all, app_under, moment, rules, try_rules};
use duban::api::accept::{Limits, accept};
use duban::api::{Api, BodyLimits, Tokens};
use duban::app::App;
use duban::app::accounts::By;
use duban::app::tokens::{Scope, TokenEnd, TokenWish, TokenWished};
use duban::config::{Settings, tokens_now};
use duban::scheduler::Pulse;
use duban::store::LOCAL;
use duban::store::outbox::NewMail;
use duban::store::posting::{MailEnd, Outcome};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use sqlx::Connection as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// Nothing here takes so long on any machine.
const BOUND: Duration = Duration::from_secs(120);
const OFFICE: &str = "the office's own";

/// A server over an office, on loopback.
struct Server {
    app: Arc<App>,
    address: std::net::SocketAddr,
    tokens: Arc<Mutex<Arc<Tokens>>>,
    stop: CancellationToken,
    folder: tempfile::TempDir,
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

fn digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Server {
    async fn start(world: World) -> Server {
        Server::over(world.app, world.folder, BodyLimits::default(), Limits::default()).await
    }

    async fn over(app: Arc<App>, folder: tempfile::TempDir, bodies: BodyLimits, limits: Limits) -> Server {
        let persons = ["ann", "carl", "hu", "gone"].map(|person| (digest(person), (LOCAL.into(), person.into())));
        let known = Tokens { persons: persons.into(), office: [(digest(OFFICE), LOCAL.into())].into() };
        let tokens = Arc::new(Mutex::new(Arc::new(known)));
        let shared = tokens.clone();
        let api = Api {
            offices: all(&app),
            pulse: Arc::new(Pulse::new(&app.clock)),
            token: "of the lock file".into(),
            tokens: Box::new(move || shared.lock().unwrap().clone()),
            limits: bodies,
            attachments: duban::attach::Limits::default(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(accept(listener, api.routes(axum::Router::new()), limits, stop.clone()));
        Server { app, address, tokens, stop, folder }
    }

    async fn raw(&self, head: &str, body: &[u8]) -> Answer {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{head}host: duban\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        // A refused body may be cut off while it is being written.
        let _ = stream.write_all(body).await;
        read(stream).await
    }

    async fn ask(&self, method: &str, path: &str, token: &str, headers: &[&str], body: &str) -> Answer {
        self.asked_in(&["en"].into_iter().chain(headers.iter().copied()).collect::<Vec<_>>().join("\r\n"), method, path, token, body).await
    }

    /// In a language, behind which other headers may stand.
    async fn asked_in(&self, language: &str, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
        let head = format!("{method} /api/v1{path} HTTP/1.1\r\nauthorization: Bearer {token}\r\n{kind}accept-language: {language}\r\n");
        self.raw(&head, body.as_bytes()).await
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, token, &[], "").await
    }

    async fn post(&self, path: &str, token: &str, body: Json) -> Answer {
        self.ask("POST", path, token, &[], &body.to_string()).await
    }

    /// Ann hands in a request.
    async fn submitted(&self, item: &str) {
        let answer =
            self.post(&format!("/items/{item}/actions/submit"), "ann", json!({ "input": { "title": format!("Request {item}") } })).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn read(mut stream: TcpStream) -> Answer {
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut answer)).await.expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    Answer { status, head: head.to_lowercase(), body: body.to_string() }
}

impl Answer {
    fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {} {}", self.head, self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
    }

    /// A problem of this status and code, well formed; gives it.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> Json {
        assert_eq!(self.status, status, "{} {}", self.head, self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.head);
        let problem = self.json();
        assert_eq!((problem["code"].as_str(), problem["status"].as_u64()), (Some(code), Some(status.into())), "{problem}");
        for key in ["detail", "title"] {
            let text = problem[key].as_str().unwrap();
            assert!(!text.is_empty() && !text.starts_with("api.") && !text.contains('{'), "{problem}");
        }
        problem
    }
}

#[tokio::test]
async fn items_are_read_a_page_at_a_time_and_one_with_all_that_belongs_to_it() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    for item in ["a1", "a2", "a3"] {
        server.submitted(item).await;
    }
    let first = server.get("/items?limit=2", "hu").await.json();
    let ids = |page: &Json| page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    assert_eq!((ids(&first), first["next"].as_str()), (vec!["a1".to_string(), "a2".into()], Some("a2")));
    let last = server.get("/items?limit=2&after=a2", "hu").await.json();
    assert_eq!((ids(&last), &last["next"]), (vec!["a3".to_string()], &Json::Null));
    assert_eq!(last["items"][0]["due_on"], "2026-03-09");
    assert_eq!(ids(&server.get("/items?text=a2&state=open&flag=none&open=true", "hu").await.json()), ["a2"]);
    assert!(ids(&server.get("/items?flag=red", "hu").await.json()).is_empty());
    server.get("/items?state=opne", "hu").await.problem(422, "no_state");
    server.get("/items?unit=nowhere", "hu").await.problem(422, "no_unit");

    let shown = server.get("/items/a1", "carl").await;
    let item = shown.json();
    assert_eq!((item["state_title"].as_str(), item["title"].as_str(), item["rev"].as_u64()), (Some("open"), Some("Request a1"), Some(1)));
    let due = &item["deadlines"][0];
    assert_eq!((due["date"].as_str(), due["working_days_left"].as_i64()), (Some("2026-03-09"), Some(5)));
    assert!(due["steps"][1]["says"].as_str().unwrap().contains("5 working days"), "{due}");
    assert_eq!((item["timeline"][0]["title"].as_str(), item["timeline"][0]["actor"].as_str()), (Some("hand in"), Some("citizen Ann")));
    assert_eq!(item["timeline"][0]["via"], Json::Null, "how Ann came in is not Carl's to know");
    let open = |actions: &Json| {
        let actions = actions.as_array().unwrap().iter().filter(|action| action["open"] == true);
        actions.map(|action| action["action"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(open(&item["actions"]), ["weigh", "ask_back", "answer"]);
    let tag = shown.header("etag").unwrap().to_string();
    assert!(tag.starts_with("\"1-"), "{tag}");
    let again = server.ask("GET", "/items/a1", "carl", &[&format!("if-none-match: \"0\", W/{tag}")], "").await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(server.ask("GET", "/items/a1", "ann", &[&format!("if-none-match: {tag}")], "").await.status, 200, "Ann may do other things");

    let offered = server.get("/items/a1/actions", "ann").await.json();
    assert!(open(&offered["actions"]).is_empty());
    let refused = &offered["actions"][0]["refused"];
    assert_eq!(refused["detail"], "Ann may not do `weigh`; it is done by: clerk.");
    let chinese = server.ask("GET", "/items/a1/actions?as=ann", OFFICE, &["accept-language: zh"], "").await;
    assert_eq!(chinese.header("content-language"), Some("en"), "the first of equals");
    let why = server.get("/items/a1/due?deadline=answer", "ann").await.json();
    assert_eq!(
        (why["due"][0]["coming"][0]["rung"].as_str(), why["due"][0]["place"]["file"].as_str()),
        (Some("soon"), Some("request.yaml"))
    );
    let why = server.get("/items/a1/actions/ask_back", "carl").await.json();
    assert_eq!((why["open"].as_bool(), why["checks"][2]["source"].as_str()), (Some(true), Some("item.weight < 1000 && item.months < 24")));

    server.get("/items/a1/due?deadline=anwser", "ann").await.problem(404, "no_deadline");
    let near = server.get("/items/a1/actions/answre", "carl").await.problem(404, "unknown_action");
    assert_eq!(near["values"]["near"], "answer");
    server.get("/items/a9", "carl").await.problem(404, "unknown_item");
    server.get("/items/a9/actions", "carl").await.problem(404, "unknown_item");
    server.get("/items/a1/actions", OFFICE).await.problem(400, "who");
    server.get("/items/a1?as=hu", "carl").await.problem(403, "not_yours");
    server.get("/items/a1?as=nobody", OFFICE).await.problem(422, "unknown_person");
}

#[tokio::test]
async fn who_may_not_see_a_field_does_not_see_it_here_either() {
    let folder = tempfile::tempdir().unwrap();
    let hide = "code:   { title: code, type: text, unique: true, visible_to: [clerk] }";
    let rules = rules(|_, text| text.replace("code:   { title: code, type: text, unique: true }", hide));
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let server = Server::over(app, folder, BodyLimits::default(), Limits::default()).await;
    let submit = json!({ "input": { "title": "A request", "code": "secret-7" } });
    assert_eq!(server.post("/items/a1/actions/submit", "ann", submit).await.status, 200);
    let code = |answer: &Answer| answer.json()["fields"].as_array().unwrap().iter().find(|field| field["name"] == "code").cloned().unwrap();
    assert_eq!(code(&server.get("/items/a1", "carl").await)["value"], "secret-7");
    assert_eq!(code(&server.get("/items/a1?as=carl", OFFICE).await)["value"], "secret-7");
    for (path, token) in [("/items/a1", "hu"), ("/items/a1", OFFICE), ("/items?text=secret-7", "hu"), ("/items", "carl")] {
        let answer = server.get(path, token).await;
        assert!(answer.status == 200 && !answer.body.contains("secret-7"), "{path} {token}: {}", answer.body);
    }
    assert_eq!(code(&server.get("/items/a1", "hu").await)["hidden"], true);
}

/// Lists are for everybody: what only some may see stands in no title either, though the field be called `title`.
#[tokio::test]
async fn a_title_that_not_everybody_sees_stands_in_no_list() {
    let hide = "title:  { title: title, type: text, required: true, visible_to: [citizen, clerk] }";
    for hide in [hide, &hide.replace("visible_to: [citizen, clerk]", "sealed_until: answer")] {
        let Ok(rules) = try_rules(|_, text| {
            let text = text.replace("title:  { title: title, type: text, required: true }", hide);
            text.replace("{{ item.title }}", "")
        }) else {
            panic!("{hide}")
        };
        let folder = tempfile::tempdir().unwrap();
        let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
        let server = Server::over(app, folder, BodyLimits::default(), Limits::default()).await;
        server.submitted("a1").await;
        let list = server.get("/items", "hu").await;
        assert_eq!(list.json()["items"][0]["title"], "2026-001", "{}", list.body);
    }
}

#[tokio::test]
async fn an_action_is_done_once_by_whom_it_may_on_what_was_seen() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    server.submitted("a1").await;
    let act = async |action: &str, token: &str, headers: &[&str], body: Json| {
        server.ask("POST", &format!("/items/a1/actions/{action}"), token, headers, &body.to_string()).await
    };
    let weigh = |weight: i64| json!({ "input": { "weight": weight } });
    let tried = act("weigh", "carl", &[], json!({ "input": { "weight": 5 }, "dry_run": true })).await.json();
    assert_eq!((tried["dry_run"].as_bool(), tried["rev"].as_u64()), (Some(true), Some(2)));
    assert_eq!(server.get("/items/a1", "carl").await.json()["rev"], 1, "a trial changes nothing");

    let key = "idempotency-key: k1";
    let done = act("weigh", "carl", &[key, "if-match: \"1-0123\""], weigh(5)).await;
    assert_eq!((done.status, done.header("etag"), &done.json()["repeated"]), (200, Some("\"2\""), &json!(false)));
    let again = act("weigh", "carl", &[key, "if-match: \"1-0123\""], weigh(5)).await.json();
    assert_eq!((&again["repeated"], &again["rev"]), (&json!(true), &json!(2)), "the first answer, though the item has changed since");
    act("weigh", "carl", &[key], weigh(6)).await.problem(422, "command_reused");
    let stale = act("weigh", "carl", &["if-match: \"1\""], weigh(6)).await.problem(412, "stale_revision");
    assert_eq!(stale["detail"], "The item has changed since you saw it (revision 1, now 2). Look at it again and repeat.");
    act("weigh", "carl", &["if-match: 1"], weigh(6)).await.problem(400, "bad_header");
    act("weigh", "carl", &["idempotency-key: a", "idempotency-key: b"], weigh(6)).await.problem(400, "bad_header");

    let rule = act("weigh", "carl", &[], weigh(5000)).await.problem(409, "rule");
    assert_eq!((&rule["detail"], &rule["rule"]), (&json!("Nothing weighs that much."), &json!("actions.weigh.require[0]")));
    act("weigh", "ann", &[], weigh(5)).await.problem(403, "wrong_role");
    act("weigh", "ann", &[], json!({ "input": { "weight": 5 }, "by": "carl" })).await.problem(403, "not_yours");
    let missing = act("weigh", "carl", &[], json!({})).await.problem(422, "missing_input");
    assert_eq!(missing["errors"][0]["pointer"], "/input/weight");
    let unknown = act("weigh", "carl", &[], json!({ "input": { "wieght": 5 } })).await.problem(422, "unknown_input");
    assert_eq!(unknown["errors"][0], json!({ "pointer": "/input/wieght", "nearest": "weight" }));
    act("weigh", "carl", &[], json!({ "input": { "weight": [] } })).await.problem(422, "bad_input");
    act("weigh", "carl", &[], json!({ "input": { "weight": 1.5 } })).await.problem(422, "bad_body");
    act("weigh", "carl", &[], json!({ "input": { "weight": 1 }, "on": "2026-03-03" })).await.problem(422, "bad_date");
    act("weigh", "carl", &[], json!({ "input": { "weight": 1 }, "on": "-9999-03-03" })).await.problem(422, "bad_day");
    act("count_month", "carl", &[], json!({})).await.problem(403, "wrong_role");
    act("fly", "carl", &[], json!({})).await.problem(404, "unknown_action");
    act("submit", "ann", &[], json!({ "input": { "title": "x" } })).await.problem(409, "item_exists");
    server.post("/items/a9/actions/weigh", "carl", weigh(5)).await.problem(404, "unknown_item");
    act("weigh", OFFICE, &[], weigh(7)).await.problem(422, "who");
    let office = act("weigh", OFFICE, &[], json!({ "input": { "weight": 7 }, "by": "Carl" })).await;
    assert_eq!(office.status, 200, "{}", office.body);
    let shown = server.get("/items/a1?as=carl", OFFICE).await.json();
    assert_eq!((&shown["rev"], &shown["timeline"][2]["via"]), (&json!(3), &json!("api")), "what was refused left nothing");
}

#[tokio::test]
async fn many_are_done_each_for_itself_or_all_or_none_and_not_twice() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    let submit = |item: &str| json!({ "item": item, "action": "submit", "input": { "title": item }, "by": "ann" });
    let ask = |item: &str| json!({ "item": item, "action": "ask_back", "input": { "question": "why?" }, "by": "carl" });
    let many = async |how: &str, dry_run: bool, key: &str, actions: Vec<Json>| {
        let body = json!({ "actions": actions, "how": how, "dry_run": dry_run }).to_string();
        let answer = server.ask("POST", "/actions", OFFICE, &[&format!("idempotency-key: {key}")], &body).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    };
    let counts =
        |answer: &Json| (answer["done"].as_u64().unwrap(), answer["refused"].as_u64().unwrap(), answer["written"].as_bool().unwrap());

    let all = vec![submit("a1"), submit("a2"), submit("a1")];
    assert_eq!(counts(&many("all_or_none", true, "t", all.clone()).await), (2, 1, false));
    let none = many("all_or_none", false, "t", all.clone()).await;
    assert_eq!(counts(&none), (2, 1, false));
    assert_eq!(none["rows"][2]["refused"]["detail"], "`a1` exists already.");
    assert_eq!(server.get("/items", OFFICE).await.json()["items"], json!([]), "one refusal keeps everything out");
    assert_eq!(counts(&many("each", false, "t", all.clone()).await), (2, 1, true));

    let asks = vec![ask("a1"), ask("a2")];
    assert_eq!(counts(&many("all_or_none", false, "q", asks.clone()).await), (2, 0, true));
    let again = many("all_or_none", false, "q", asks).await;
    assert_eq!((counts(&again), &again["rows"][1]["done"]["repeated"]), ((2, 0, false), &json!(true)), "though it could be done again");
    let again = many("each", false, "q", vec![ask("a2"), ask("a2")]).await;
    assert_eq!(again["rows"][0]["refused"]["code"], "command_reused");
    assert_eq!(server.get("/items/a2", OFFICE).await.json()["rev"], 2);

    server.post("/actions", "ann", json!({ "actions": [ask("a1")] })).await.problem(403, "not_yours");
    server.post("/actions", OFFICE, json!({ "actions": [] })).await.problem(422, "bad_count");
    let wrong = json!({ "actions": [submit("a3"), { "item": "a4", "action": "submit", "inputs": {} }] });
    let wrong = server.post("/actions", OFFICE, wrong).await.problem(422, "unknown_key");
    assert_eq!(wrong["errors"][0], json!({ "pointer": "/actions/1/inputs", "nearest": "input" }));
}

#[tokio::test]
async fn the_outbox_is_the_offices_and_to_each_their_own() {
    let world = World::open("2026-03-02 09:00").await;
    let server = Server::start(world).await;
    server.submitted("a1").await;
    let asked = json!({ "input": { "question": "why?" } });
    assert_eq!(server.post("/items/a1/actions/ask_back", "carl", asked).await.status, 200);
    let list = server.get("/outbox?item=a1", OFFICE).await.json();
    let notice = &list["notices"][0];
    assert_eq!((&notice["person"], &notice["status"], &notice["says"]), (&json!("ann"), &json!("ready"), &json!("waiting")));
    assert_eq!(list["counts"]["ready"], 1);
    assert_eq!(server.get("/outbox", "ann").await.json()["notices"].as_array().unwrap().len(), 1);
    assert_eq!(server.get("/outbox", "carl").await.json()["notices"], json!([]));
    server.get("/outbox?person=ann", "carl").await.problem(403, "not_yours");
    let key = notice["key"].as_str().unwrap();
    let path = format!("/outbox/{}", key.replace('/', "%2F").replace('#', "%23").replace(' ', "%20"));
    assert_eq!(server.get(&path, "ann").await.json()["notice"]["subject"], "A question about 2026-001");
    let why = server.get(&format!("{path}/cause"), "ann").await.json();
    let told = &why["notices"][0];
    assert_eq!((&why["mail"], &told["title"], &told["kind"]), (&Json::Null, &json!("a question"), &json!("message")));
    assert_eq!((&told["fact"]["title"], &told["fact"]["person"]), (&json!("ask back"), &json!("carl")));
    assert_eq!((&told["role"]["role"], &told["role"]["holders"][0]["person"]), (&json!("citizen"), &json!("ann")));
    server.get(&format!("{path}/cause"), "carl").await.problem(404, "no_notice");
    server.get(&path, "carl").await.problem(404, "no_notice");
    server.get("/outbox/none", OFFICE).await.problem(404, "no_notice");
    assert_eq!(server.get("/items/a1", "carl").await.json()["notices"], json!([]));

    server.post("/outbox/cancel", "ann", json!({ "ids": [key], "reason": "x" })).await.problem(403, "office_only");
    let cancelled = server.post("/outbox/cancel", OFFICE, json!({ "ids": [key, "other"], "reason": "over" })).await.json();
    assert_eq!(cancelled, json!({ "asked": 2, "changed": 1 }));
    assert_eq!(server.get("/outbox", OFFICE).await.json()["notices"][0]["says"], "cancelled: over");
    assert_eq!(server.post("/outbox/release", OFFICE, json!({ "ids": [key] })).await.json()["changed"], 0);

    // What a server said, with the same words as on the command line.
    server.submitted("a2").await;
    let asked = json!({ "input": { "question": "why?" } });
    assert_eq!(server.post("/items/a2/actions/ask_back", "carl", asked).await.status, 200);
    let (store, now) = (&server.app.store, server.app.now());
    let notices = store.notices_ready(1).await.unwrap().into_iter().map(|notice| notice.key).collect();
    let (person, address) = ("ann".into(), "ann@example.com".into());
    store
        .compose(vec![NewMail { id: "<m@example.com>".into(), person, address, bytes: "x".into(), notices, links: Vec::new() }], now)
        .await
        .unwrap();
    let claimed = store.everywhere().claim_mails(now, now, "test", 1).await.unwrap().remove(0);
    let (jurisdiction, id, fence, reply) = (claimed.jurisdiction, claimed.id, claimed.fence, "recipient: 550 nobody".into());
    store.everywhere().finish_mails(vec![Outcome { jurisdiction, id, fence, end: MailEnd::Refused, reply }], now).await.unwrap();
    for (language, says) in [("zh", "被拒收：收件人：550 nobody"), ("en", "refused: recipient: 550 nobody")] {
        let path = "/outbox?status=refused";
        let answer = server.asked_in(language, "GET", path, OFFICE, "").await.json();
        assert_eq!(answer["notices"][0]["says"], says);
    }
    // By the reference that stands at the end of the mail.
    let why = server.get("/outbox/m/cause", "ann").await.json();
    assert_eq!((&why["mail"]["id"], &why["notices"][0]["item"]), (&json!("<m@example.com>"), &json!("a2")));
    assert_eq!(server.get("/outbox/%3Cm%40example.com%3E/cause", OFFICE).await.json()["mail"]["status"], "refused");
    server.get("/outbox/m/cause", "carl").await.problem(404, "no_notice");
    server.get("/outbox/n/cause", OFFICE).await.problem(404, "no_notice");
    // Records that cannot be read are no matter of a stranger's: nothing is derived for them.
    let url = format!("sqlite://{}", server.folder.path().join("duban.db").display());
    let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("update fact set json = '{' where item = 'a2'").execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    server.get("/outbox/m/cause", "ann").await.problem(500, "store");
    server.get("/outbox/m/cause", "carl").await.problem(404, "no_notice");
    let missing = server.post("/outbox/cancel", OFFICE, json!({ "ids": [key] })).await.problem(422, "missing_key");
    assert_eq!(missing["errors"][0]["pointer"], "/reason");
}

#[tokio::test]
async fn how_it_escalates_and_who_may_act_is_told_as_far_as_it_concerns_whoever_asks() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    server.submitted("a1").await;
    let ladder = server.get("/items/a1/escalation", OFFICE).await.json();
    let of = &ladder["ladders"][0];
    assert_eq!((&of["deadline"], &of["due"], &of["running"]), (&json!("answer"), &json!("2026-03-09"), &json!(true)));
    let late = |answer: &Json| {
        let rung = answer["ladders"][0]["rungs"].as_array().unwrap().iter().find(|rung| rung["rung"] == "late").unwrap().clone();
        let persons = |list: &Json| list.as_array().unwrap().iter().map(|one| one["person"].clone()).collect::<Vec<_>>();
        (rung["flag"].clone(), persons(&rung["tells"][0]["to"]), persons(&rung["tells"][0]["cc"]))
    };
    assert_eq!(late(&ladder), (json!("amber"), vec![json!("carl")], vec![json!("hu")]));
    // Whom else it reaches is the office's to know.
    let own = server.get("/items/a1/escalation?deadline=answer", "hu").await.json();
    assert_eq!(late(&own), (json!("amber"), vec![], vec![json!("hu")]));
    let problem = server.get("/items/a1/escalation?deadline=anser", "ann").await.problem(404, "no_deadline");
    assert_eq!(problem["errors"][0]["nearest"], "answer");
    server.get("/items/zz/escalation", OFFICE).await.problem(404, "unknown_item");

    let doers = server.get("/items/a1/actions/answer/persons", OFFICE).await.json();
    let way = &doers["ways"][0];
    assert_eq!((&doers["title"], &way["role"]["role"]), (&json!("answer"), &json!("clerk")));
    assert_eq!(way["persons"], json!([{ "person": "carl", "title": "Carl", "open": true, "refused": null }]));
    assert_eq!(server.get("/items/a1/actions/count_month/persons", OFFICE).await.json()["ways"], json!([]), "the engine alone");
    server.get("/items/a1/actions/answer/persons", "carl").await.problem(403, "office_only");
    server.get("/items/a1/actions/nothing/persons", OFFICE).await.problem(404, "unknown_action");
    // What makes an item is refused in the same words wherever it is asked.
    let refused = server.post("/items/a1/actions/submit", "ann", json!({ "input": { "title": "x" } })).await.problem(409, "item_exists");
    let ann = &server.get("/items/a1/actions/submit/persons", OFFICE).await.json()["ways"][0]["persons"][0];
    assert_eq!(ann, &json!({ "person": "ann", "title": "Ann", "open": false, "refused": refused["detail"] }));
    let explained = server.get("/items/a1/actions/submit", "ann").await.json();
    assert_eq!((&explained["open"], &explained["checks"][0]["says"]), (&json!(false), &refused["detail"]));
    for path in ["/items/a1/actions/answer/persons?branch=9", "/items/a1/actions/answer?as=carl&branch=9"] {
        assert_eq!(server.get(path, OFFICE).await.problem(422, "unknown_branch")["errors"][0]["pointer"], "branch");
    }
    assert_eq!(server.post("/items/a1/actions/answer", "carl", json!({})).await.status, 200);
    let person = &server.get("/items/a1/actions/answer/persons", OFFICE).await.json()["ways"][0]["persons"][0];
    assert!(person["open"] == false && person["refused"].as_str().unwrap().contains("answer"), "{person}");
}

/// Whoever reads the outbox page by page sees what was there when they began, each once, whatever comes in or goes out meanwhile.
#[tokio::test]
async fn the_outbox_and_its_mails_are_read_page_by_page_while_more_comes_in() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    let asked = async |item: &str| {
        server.submitted(item).await;
        let asked = json!({ "input": { "question": "why?" } });
        assert_eq!(server.post(&format!("/items/{item}/actions/ask_back"), "carl", asked).await.status, 200);
    };
    for item in ["a1", "a2", "a3", "a4", "a5"] {
        asked(item).await;
    }
    let items =
        |page: &Json| page["notices"].as_array().unwrap().iter().map(|row| row["item"].as_str().unwrap().to_string()).collect::<Vec<_>>();
    let encoded = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let (mut read, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = server.get(&format!("/outbox?limit=2{after}"), OFFICE).await.json();
        assert_eq!(page["counts"].is_null(), pages > 0, "the sums stand on the first page: {page}");
        read.extend(items(&page));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", encoded(next));
        // One more comes in, and one that was not read yet is cancelled.
        asked(&format!("b{pages}")).await;
        let key = page["notices"][0]["key"].as_str().unwrap();
        let other = key.replacen(page["notices"][0]["item"].as_str().unwrap(), "a1", 1);
        server.post("/outbox/cancel", OFFICE, json!({ "ids": [other], "reason": "over" })).await;
    }
    read.sort();
    assert_eq!((pages, read), (3, vec!["a1".into(), "a2".into(), "a3".into(), "a4".into(), "a5".to_string()]));
    assert_eq!(items(&server.get("/outbox?limit=100", OFFICE).await.json()).len(), 7);
    for wrong in ["x", "12", "%3A", "99999999999999999999%3Ax"] {
        server.get(&format!("/outbox?after={wrong}"), OFFICE).await.problem(400, "bad_place");
    }

    let mail = |n: usize, notice: Option<String>| NewMail {
        id: format!("<m{n}@example.com>"),
        person: if n == 3 { "hu".into() } else { "ann".into() },
        address: "ann@example.com".into(),
        bytes: "Subject: x\r\n\r\ny\r\n".into(),
        notices: notice.into_iter().collect(),
        links: Vec::new(),
    };
    let ready = server.get("/outbox?status=ready&limit=100", OFFICE).await.json();
    let keys = ready["notices"].as_array().unwrap().iter().map(|row| row["key"].as_str().unwrap().to_string());
    let mails: Vec<NewMail> = (1..).zip(keys).map(|(n, key)| mail(n, Some(key))).take(5).collect();
    assert_eq!(server.app.store.compose(mails, server.app.now()).await.unwrap(), [true; 5]);
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/mails?limit=2{after}"), OFFICE).await.json();
        read.extend(page["mails"].as_array().unwrap().iter().map(|mail| mail["id"].as_str().unwrap().to_string()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={}", encoded(next));
    }
    assert_eq!(read, (1..=5).map(|n| format!("<m{n}@example.com>")).collect::<Vec<_>>());
    assert_eq!(server.get("/mails?status=ready", "hu").await.json()["mails"].as_array().unwrap().len(), 1, "to each their own");
    assert_eq!(server.get("/mails?status=sent", OFFICE).await.json(), json!({ "mails": [], "next": null }));
    server.get("/mails?person=ann", "hu").await.problem(403, "not_yours");
}

/// The office, with a report and an import.
const LISTS: &str = r#"
reports:
  weights: { title: by code, by: code }
  work:
    title: work by code
    of: item.code
    by: item.code
    columns:
      all:   { title: all, count: all }
      open:  { title: open, count: 'item.state == "open"' }
      share: { title: open in percent, share: open, of: all }
    total: true
  each: { title: one by one, of: item.code, list: { title: item.title, state: item.state } }
documents:
  whole: { title: all of it, parts: [{ heading: First, text: "{{ work.counted }} on {{ day }}", report: work }, { report: each }] }
imports:
  letters:
    title: letters
    sheet: Letters
    item: number
    columns:
      number: { heading: number, type: text, required: true }
      about: { heading: about, type: text, required: true }
      came_on: { heading: came on, type: date, required: true }
    steps:
      - { do: submit, by: citizen, on: came_on, with: { title: about } }
"#;

#[tokio::test]
async fn a_workbook_comes_in_with_a_report_by_row_and_figures_go_out() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| if path == "request.yaml" { text + LISTS } else { text });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let server = Server::over(app, folder, BodyLimits::default(), Limits::default()).await;
    let workbook = |days: [&str; 2]| {
        let mut book = rust_xlsxwriter::Workbook::new();
        let sheet = book.add_worksheet().set_name("Letters").unwrap();
        for (column, heading) in ["number", "about", "came on"].iter().enumerate() {
            sheet.write(0, column as u16, *heading).unwrap();
        }
        for (row, day) in days.iter().enumerate() {
            let row = row as u32 + 1;
            sheet.write(row, 0, format!("l{row}")).unwrap().write(row, 1, "a letter").unwrap().write(row, 2, *day).unwrap();
        }
        book.save_to_buffer().unwrap()
    };
    let import = async |query: &str, token: &str, book: &[u8]| {
        let kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
        let head = format!(
            "POST /api/v1/imports/letters{query} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\naccept-language: en\r\n"
        );
        server.raw(&head, book).await
    };
    let counts = |answer: Answer| {
        let answer = answer.json();
        let count = |name: &str| answer[name].as_u64().unwrap();
        assert_eq!(answer["remarks"], json!([]), "every column is there and read");
        (answer["written"].as_bool().unwrap(), count("new"), count("known"), count("refused"), answer["problems"].clone())
    };
    let good = workbook(["2026-02-26", "2026-02-27"]);
    import("", "ann", &good).await.problem(403, "office_only");
    assert_eq!(counts(import("?dry_run=true", OFFICE, &good).await), (false, 2, 0, 0, json!([])));
    assert_eq!(counts(import("", OFFICE, &good).await), (true, 2, 0, 0, json!([])));
    assert_eq!(counts(import("", OFFICE, &good).await), (false, 0, 2, 0, json!([])), "only once");
    let (written, .., problems) = counts(import("", OFFICE, &workbook(["2026-02-26", "soon"])).await);
    assert_eq!((written, &problems[0]["place"]), (false, &json!("Letters!C3")));
    assert!(problems[0]["says"].as_str().unwrap().contains("is not a date"), "{problems}");
    let bad = import("", OFFICE, &workbook(["soon", "2026-02-26"])).await.json();
    assert_eq!((&bad["problems"][0]["row"], &bad["problems"][0]["column"]), (&json!(2), &json!("C")), "{bad}");
    import("", OFFICE, b"no workbook").await.problem(422, "no_list");
    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet().set_name("Letters").unwrap();
    for (column, text) in ["number", "about", "came on", "colour"].iter().enumerate() {
        sheet.write(0, column as u16, *text).unwrap();
    }
    for (column, text) in ["l9", "an old letter", "2026-01-05", "red"].iter().enumerate() {
        sheet.write(1, column as u16, *text).unwrap();
    }
    let odd = book.save_to_buffer().unwrap();
    for (lang, says) in [("en", "columns of the sheet that are not read: colour"), ("zh", "表中这些列没有读入：colour")] {
        let head = format!(
            "POST /api/v1/imports/letters?dry_run=true HTTP/1.1\r\nauthorization: Bearer {OFFICE}\r\ncontent-type: application/octet-stream\r\naccept-language: {lang}\r\n"
        );
        let told = server.raw(&head, &odd).await.json();
        assert_eq!(told["remarks"][0]["code"], "sheet.columns_unused");
        assert_eq!(told["remarks"][0]["says"], says);
        // Of January: the reminder before its day is past, what is late is told to clerk and head.
        let notices = &told["notices"];
        assert_eq!((notices["told"].as_u64(), notices["overdue"].as_u64() > Some(0)), (Some(0), true), "{told}");
    }
    let historic = import("?dry_run=true&how=historic", OFFICE, &odd).await.json();
    assert_eq!(historic["notices"], json!({ "told": 0, "overdue": 0, "persons": 0 }), "history owes nothing");
    import("?how=tomorrow", OFFICE, &good).await.problem(400, "unknown_value");
    server.ask("POST", "/imports/letters", OFFICE, &[], "{}").await.problem(415, "media");

    assert_eq!(server.get("/reports", "ann").await.json()["reports"][0]["report"], "weights");
    let figures = server.get("/reports/weights?as_of=2026-02-26", "ann").await.json();
    assert_eq!((&figures["total"], &figures["rows"][0]["percent"]), (&json!(1), &json!("100.00")));
    assert_eq!(server.get("/reports/weights?known_on=2026-03-01", "ann").await.json()["total"], 0);
    let near = server.get("/reports/wieghts", "ann").await.problem(404, "no_report");
    assert_eq!(near["errors"][0]["nearest"], "weights");
    let work = server.get("/reports/work", "ann").await.json();
    assert_eq!(
        (&work["counted"][0], &work["total"][0]["all"], work["days"].as_array().map(Vec::len)),
        (&json!(2), &json!(2), Some(1)),
        "{work}"
    );
    let series = server.get("/reports/work?from=2026-02-26&each=month&as_of=2026-03-02", "ann").await.json();
    assert_eq!((&series["days"], &series["counted"]), (&json!(["2026-02-26", "2026-03-02"]), &json!([1, 2])), "{series}");
    let each = server.get("/reports/each", "ann").await.json();
    assert_eq!((&each["total"], &each["columns"], &each["rows"][0]["title"]), (&json!(2), &json!(["title", "state"]), &json!("a letter")));
    for (form, kind, begins) in [
        ("csv", "text/csv; charset=utf-8", "\u{feff}"),
        ("html", "text/html; charset=utf-8", "<!doctype html>"),
        ("svg", "image/svg+xml", "<svg "),
        ("json", "application/json", "{"),
    ] {
        let answer = server.get(&format!("/reports/work?format={form}"), "ann").await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some(kind)), "{}", answer.head);
        assert!(answer.body.starts_with(begins), "{form}: {:.80}", answer.body);
        assert_eq!(answer.header("content-disposition"), (form == "csv").then_some("attachment; filename=\"work-2026-03-02.csv\""));
    }
    let whole = server.get("/reports/whole", "ann").await.json();
    assert_eq!((&whole["document"], &whole["parts"][0]["text"]), (&json!("whole"), &json!("2 on 2026-03-02")), "{whole}");
    assert_eq!((&whole["parts"][0]["report"]["report"], &whole["parts"][1]["report"]["total"]), (&json!("work"), &json!(2)), "{whole}");
    let page = server.get("/reports/whole?format=html", "ann").await;
    assert!(page.status == 200 && page.body.contains("<h2>First</h2>"), "{:.300}", page.body);
    let none = server.get("/reports/whole?of=x-1", "ann").await.json();
    assert_eq!((&none["of"]["value"], &none["parts"][0]["report"]["counted"]), (&json!("x-1"), &json!([0])), "{none}");
    let alike = server.get("/items/l1/similar", "ann").await.json();
    assert_eq!((&alike["similar"][0]["item"], &alike["similar"][0]["percent"]), (&json!("l2"), &json!(100)), "{alike}");
    server.get("/items/nothing/similar", "ann").await.problem(404, "unknown_item");
    server.get("/items/l1/similar?limit=0", "ann").await.problem(400, "bad_limit");

    let list = server.get("/exports/letters?format=csv", OFFICE).await;
    assert_eq!((list.status, list.header("content-type")), (200, Some("text/csv; charset=utf-8")), "{}", list.head);
    assert_eq!(list.body.trim_start_matches('\u{feff}'), "number,about,came on\r\nl1,a letter,2026-02-26\r\nl2,a letter,2026-02-27\r\n");
    let list = server.get("/exports/letters", OFFICE).await;
    assert!(list.status == 200 && list.body.starts_with("PK"), "{}", list.head);
    server.get("/exports/letters", "ann").await.problem(403, "office_only");
    server.get("/exports/leters", OFFICE).await.problem(404, "no_import");

    let book = server.get("/reports/work?format=xlsx", "ann").await;
    assert_eq!(book.header("content-type"), Some("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"));
    assert!(book.status == 200 && book.body.starts_with("PK"), "{}", book.head);
    for (query, code) in [
        ("work?from=2026-01-31", "half_series"),
        ("work?each=month", "half_series"),
        ("work?from=2026-04-30&each=month&as_of=2026-03-31", "bad_series"),
        ("each?from=2026-01-31&each=month", "of_one_day"),
        ("each?format=svg", "no_chart"),
        ("weights?of=x", "of_nobody"),
        ("whole?from=2026-01-31&each=month", "of_one_day"),
        ("whole?format=csv", "no_csv"),
    ] {
        server.get(&format!("/reports/{query}"), "ann").await.problem(422, code);
    }
    server.get("/reports/work?format=pdf", "ann").await.problem(400, "unknown_value");
    server.get("/reports/weights?as_of=9999-12-31", "ann").await.problem(422, "bad_day");
    server.get("/reports/weights?as_of=yesterday", "ann").await.problem(400, "bad_query");
}

#[tokio::test]
async fn whatever_is_sent_is_answered_with_a_problem() {
    let bodies = BodyLimits { bytes: 10_000, time: Duration::from_millis(50), ..BodyLimits::default() };
    let World { app, folder } = World::open("2026-03-02 09:00").await;
    let server = Server::over(app, folder, bodies, Limits::default()).await;
    server.submitted("a1").await;
    let deep = format!("{{\"input\":{{\"title\":{}1{}}}}}", "[".repeat(2000), "]".repeat(2000));
    let table: &[(&str, &str, &str, &str, u16, &str)] = &[
        ("GET", "/items", "", "", 401, "no_token"),
        ("GET", "/items", "guessed", "", 401, "bad_token"),
        ("GET", "/items", "gone", "", 403, "not_in_directory"),
        ("GET", "/nothing", "ann", "", 404, "no_route"),
        ("GET", "/items/a1/", "ann", "", 404, "no_route"),
        ("DELETE", "/items/a1", "ann", "", 405, "no_method"),
        ("POST", "/items", "ann", "{}", 405, "no_method"),
        ("GET", "/items?limit=0", "ann", "", 400, "bad_limit"),
        ("GET", "/items?limit=-1", "ann", "", 400, "bad_query"),
        ("GET", "/items?limit=99999999999999999999", "ann", "", 400, "bad_query"),
        ("GET", "/items?flag=green", "ann", "", 400, "unknown_value"),
        ("GET", "/items?colour=red", "ann", "", 400, "unknown_key"),
        ("GET", "/outbox?status=nonsense", "ann", "", 400, "unknown_value"),
        ("GET", "/mails?status=parked", "ann", "", 400, "unknown_value"),
        ("GET", "/items?open=true&open=false", "ann", "", 400, "bad_query"),
        ("GET", "/items?text=%00", "ann", "", 400, "bad_query"),
        ("GET", "/items?workflow=none", "ann", "", 404, "unknown_workflow"),
        ("GET", "/items/%00", "ann", "", 400, "bad_name"),
        ("GET", "/items/%ff", "ann", "", 400, "bad_name"),
        ("GET", "/items/%20", "ann", "", 400, "bad_name"),
        ("POST", "/items/a2/actions/submit", "ann", "{", 400, "no_json"),
        ("POST", "/items/a2/actions/submit", "ann", "{} {}", 400, "no_json"),
        ("POST", "/items/a2/actions/submit", "ann", "[]", 422, "bad_body"),
        ("POST", "/items/a2/actions/submit", "ann", "null", 422, "bad_body"),
        ("POST", "/actions", "ann", "{\"actions\":[[\"a2\",\"submit\"]]}", 422, "bad_body"),
        ("POST", "/items/a2/actions/submit", "ann", &deep, 400, "no_json"),
        ("POST", "/items/a2/actions/submit", "ann", "{\"input\":{\"title\":\"\\u0000\"}}", 422, "bad_input"),
        ("POST", "/items/a2/actions/submit", "ann", "{\"input\":{\"title\":1},\"input\":{}}", 422, "bad_body"),
        ("POST", "/items/a2/actions/submit", "ann", "{\"dryrun\":true}", 422, "unknown_key"),
        ("POST", "/items/a1/actions/weigh", "carl", "{\"branch\":{\"no\":1}}", 422, "bad_body"),
        ("POST", "/items/a1/actions/weigh", "carl", "{\"branch\":7}", 422, "unknown_branch"),
        ("POST", "/items/a1/actions/weigh", "carl", "{\"on\":\"tomorrow\"}", 422, "bad_body"),
        ("POST", "/outbox/release", OFFICE, "{\"ids\":[\"\\u0000\"]}", 400, "bad_name"),
    ];
    for (method, path, token, body, status, code) in table {
        let answer = server.ask(method, path, token, &[], body).await;
        assert_eq!(answer.status, *status, "{method} {path} {body:.60}: {}", answer.body);
        answer.problem(*status, code);
    }
    let near = server.get("/outbox?status=cancled", "ann").await.problem(400, "unknown_value");
    assert_eq!(near["errors"][0], json!({ "pointer": "status", "nearest": "cancelled" }));
    assert_eq!(server.ask("DELETE", "/items/a1", "ann", &[], "").await.header("allow"), Some("get,head"));
    server.raw("GET /api/v1/items HTTP/1.1\r\n", b"").await.problem(401, "no_token");
    let zh = server.raw("GET /api/v1/items HTTP/1.1\r\naccept-language: fr, zh-CN;q=0.8, en;q=0.5\r\n", b"").await.problem(401, "no_token");
    assert!(zh["detail"].as_str().unwrap().contains("令牌"), "{zh}");
    server.raw("POST /api/v1/actions HTTP/1.1\r\nauthorization: Bearer ann\r\n", b"{}").await.problem(415, "media");
    let large = "x".repeat(10_001);
    server.ask("POST", "/actions", "ann", &[], &large).await.problem(413, "too_large");

    let head =
        "POST /api/v1/actions HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ann\r\ncontent-type: application/json\r\n";
    let mut chunked = TcpStream::connect(server.address).await.unwrap();
    chunked.write_all(format!("{head}transfer-encoding: chunked\r\n\r\n2711\r\n{large}\r\n0\r\n\r\n").as_bytes()).await.unwrap();
    read(chunked).await.problem(413, "too_large");
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    slow.write_all(format!("{head}content-length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    read(slow).await.problem(408, "body_late");
    assert_eq!(server.app.store.ids(None, false, "", 9).await.unwrap(), ["a1"], "nothing of it was done");
}

#[tokio::test]
async fn a_token_taken_back_in_mid_request_does_nothing_any_more() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    let body = "{\"input\":{\"title\":\"x\"}}";
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "POST /api/v1/items/a1/actions/submit HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ann\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body once it knows the caller.
    let mut go_on = [0; 25];
    tokio::time::timeout(BOUND, stream.read_exact(&mut go_on)).await.unwrap().unwrap();
    assert!(go_on.starts_with(b"HTTP/1.1 100"), "{go_on:?}");
    *server.tokens.lock().unwrap() = Arc::default();
    stream.write_all(body.as_bytes()).await.unwrap();
    read(stream).await.problem(401, "bad_token");
    assert!(server.app.item("a1").await.unwrap().is_none());
}

#[tokio::test]
async fn a_client_that_never_reads_is_given_up_and_the_rest_goes_on() {
    let World { app, folder } = World::open("2026-03-02 09:00").await;
    let limits = Limits { write: Duration::from_millis(100), connections: 1, ..Limits::default() };
    let server = Server::over(app, folder, BodyLimits::default(), limits).await;
    let mut deaf = TcpStream::connect(server.address).await.unwrap();
    // Requests without end, of which no answer is read: the answers fill every buffer on the way.
    let request = "GET /api/v1/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(1000);
    let flood = async { while deaf.write_all(request.as_bytes()).await.is_ok() {} };
    tokio::time::timeout(BOUND, flood).await.expect("it is sent away");
    assert_eq!(server.get("/items", "ann").await.status, 200, "its place is free again");
}

/// A body that cannot be read is told in the reader's words, with its place.
#[tokio::test]
async fn what_is_wrong_with_a_body_is_told_in_the_readers_words() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    let deep = format!("{{\"input\":{{\"title\":{}{}}}}}", "[".repeat(200), "]".repeat(200));
    let table = [
        ("{", "no_json", "请求内容不是正确的 JSON：内容没有写完（第1行第1列）"),
        ("{} {}", "no_json", "请求内容不是正确的 JSON：结束之后还有别的内容（第1行第4列）"),
        ("{\n\"input\" 1}", "no_json", "请求内容不是正确的 JSON：不合 JSON 的写法（第2行第9列）"),
        (&deep, "no_json", "请求内容不是正确的 JSON：对象和列表套得太深（第1行第144列）"),
        ("[]", "bad_body", "请求内容不合要求：这里应当写对象，写的却是列表（第1行第1列）"),
        ("{\"dry_run\":\"x\"}", "bad_body", "请求内容不合要求：这里应当写true 或 false，写的却是文字（\"x\"）（第1行第14列）"),
        ("{\"input\":{},\"input\":{}}", "bad_body", "请求内容不合要求：“input”写了两次（第1行第19列）"),
    ];
    for (body, code, sentence) in table {
        let answer = server.asked_in("zh", "POST", "/items/a1/actions/submit", "ann", body).await;
        let problem = answer.problem(if code == "no_json" { 400 } else { 422 }, code);
        assert_eq!(problem["detail"], sentence, "{body:.60}");
    }
    let answer = server.ask("POST", "/items/a1/actions/submit", "ann", &[], "{\"dry_run\":7}").await.problem(422, "bad_body");
    assert_eq!(
        answer["detail"],
        "The body is not as it should be: a number (7) stands where true or false is expected (line 1, column 12)"
    );
}

/// `DUBAN_UPDATE=1 cargo test api::` writes the document anew; its diff is what a reviewer reads.
#[test]
fn the_document_says_what_it_said() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/openapi.json");
    let document = duban::api::document() + "\n";
    if std::env::var_os("DUBAN_UPDATE").is_some() {
        std::fs::write(path, &document).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), document, "DUBAN_UPDATE=1 cargo test api:: writes it anew");
}

#[tokio::test]
async fn the_document_is_served_and_every_operation_in_it_is_there() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    let answer = server.raw("GET /api/v1/openapi.json HTTP/1.1\r\n", b"").await;
    let document = answer.json();
    assert_eq!(document, serde_json::from_str::<Json>(&duban::api::document()).unwrap());
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    let mut count = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            count += 1;
            let keyed = operation["parameters"].to_string().contains("Idempotency-Key");
            let told = operation["responses"]["422"]["description"].as_str().unwrap();
            assert_eq!(told.contains("command_reused"), keyed, "{method} {path}: {told}");
            let path = path.replace(['{', '}'], "");
            let head = format!("{} {path} HTTP/1.1\r\n", method.to_uppercase());
            server.raw(&head, b"").await.problem(401, "no_token");
        }
    }
    assert_eq!(count, 31);
    assert!(moment("2026-03-02 09:00") <= server.app.now());
}

/// Tokens of two offices of one database: the same paths, and nothing of the other is seen or touched.
#[tokio::test]
async fn a_token_opens_one_office_and_sees_no_other() {
    let world = World::open("2026-03-02 10:00").await;
    let people = |path: &str, text: String| match path {
        "directory.yaml" => text.replace("ann:", "eve:").replace("Ann", "Eve"),
        _ => text,
    };
    App::open(world.app.store.of("east"), Arc::new(rules(people)), world.app.clock.clone()).await.unwrap();
    let server = Server::start(world).await;
    let mut tokens = Tokens::clone(&server.tokens.lock().unwrap());
    tokens.persons.insert(digest("eve"), ("east".into(), "eve".into()));
    tokens.persons.insert(digest("ann of the east"), ("east".into(), "ann".into()));
    tokens.office.insert(digest("office of the east"), "east".into());
    tokens.office.insert(digest("office of nowhere"), "nowhere".into());
    *server.tokens.lock().unwrap() = Arc::new(tokens);
    server.submitted("r1").await;
    let made = server.post("/items/r1/actions/submit", "eve", json!({ "input": { "title": "A bench for the east" } })).await;
    assert_eq!(made.status, 200, "the id is free there: {}", made.body);
    let titles = async |token: &str| {
        let items = server.get("/items", token).await.json()["items"].clone();
        items.as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(titles("ann").await, ["Request r1"]);
    assert_eq!(titles("eve").await, ["A bench for the east"]);
    assert_eq!(titles("office of the east").await, ["A bench for the east"]);
    server.get("/items", "ann of the east").await.problem(403, "not_in_directory");
    let unknown = server.get("/items", "office of nowhere").await.problem(404, "unknown_office");
    assert_eq!(unknown["values"]["jurisdiction"], "nowhere");
    let broken = indexmap::IndexMap::from([("a.yaml".to_string(), "workflow: [".to_string())]);
    server.app.store.of("nowhere").use_rules("h9", &broken, &[], moment("2026-03-02 11:00")).await.unwrap();
    let shut = server.get("/items", "office of nowhere").await.problem(503, "office_shut");
    assert!(shut["detail"].as_str().unwrap().contains("h9"), "{shut}");
    // The token of the lock file opens whichever office the command line names.
    let named = async |name: &str| {
        let header = format!("duban-jurisdiction: {name}");
        server.ask("GET", "/items", "of the lock file", &[&header], "").await.json()["items"][0]["title"].clone()
    };
    assert_eq!((named("local").await, named("east").await), (json!("Request r1"), json!("A bench for the east")));
    // What concerns them all is for nobody's program, only for whoever may read the lock file.
    for (path, body) in [("/local/clock", "null"), ("/local/restored", "false")] {
        for (token, status) in [("office of the east", 403), (OFFICE, 403), ("ann", 403), ("guessed", 401), ("of the lock file", 200)] {
            let answer = server.raw(&format!("POST {path} HTTP/1.1\r\nauthorization: Bearer {token}\r\n"), body.as_bytes()).await;
            assert_eq!(answer.status, status, "{path} {token}: {}", answer.body);
        }
    }
}

/// Whoever names the office, the flag, the environment or the file: a change of the file opens no other one.
#[test]
fn tokens_stay_with_the_office_for_which_the_process_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("duban.yaml");
    std::fs::write(&file, "jurisdiction: west\ntokens: { a1: ann }\noffice_tokens: [b1]\n").unwrap();
    let settings = Settings::from(Some(&file), |name| (name == "DUBAN_JURISDICTION").then(|| "east".to_string())).unwrap();
    let now = tokens_now(&settings);
    let east = |person: &str| ("east".into(), person.into());
    assert_eq!(now().persons, [("a1".to_string(), east("ann"))].into());
    std::fs::write(
        &file,
        "jurisdiction: west\ntokens: { a1: ann, c1: { person: carl, jurisdiction: west }, d1: hu }\noffice_tokens: [b1, b2]\n",
    )
    .unwrap();
    let tokens = now();
    let west = ("west".into(), "carl".into());
    assert_eq!(tokens.persons, [("a1".to_string(), east("ann")), ("c1".to_string(), west), ("d1".to_string(), east("hu"))].into());
    assert_eq!(tokens.office, [("b1".to_string(), "east".into()), ("b2".to_string(), "east".into())].into());
}

/// A probe that took the server away would take away all its offices.
#[tokio::test]
async fn an_office_that_is_shut_is_counted_and_is_no_reason_to_leave_the_server() {
    let server = Server::start(World::open("2026-03-02 10:00").await).await;
    let unreadable = indexmap::IndexMap::from([("a.yaml".to_string(), "workflow: [".to_string())]);
    server.app.store.of("east").use_rules("h9", &unreadable, &[], moment("2026-03-02 10:00")).await.unwrap();
    let known = Tokens { office: [(digest("of east"), "east".into())].into(), ..Tokens::default() };
    *server.tokens.lock().unwrap() = Arc::new(known);
    let health = async || {
        let answer = server.raw("GET /healthz HTTP/1.1\r\n", b"").await;
        let told: Json = serde_json::from_str(&answer.body).unwrap();
        assert!(!answer.body.contains("east"), "it names nobody: {}", answer.body);
        (told["offices_shut"].clone(), told["reasons"].clone())
    };
    // No scheduler runs here, which is a reason by itself; the office is none.
    let (shut, reasons) = health().await;
    assert_eq!(shut, 0);
    server.get("/items", "of east").await.problem(503, "office_shut");
    assert_eq!(health().await, (json!(1), reasons));
}

/// A token that somebody made: each route needs what it is for, and none opens more than its person may.
#[tokio::test]
async fn a_token_that_a_person_made_opens_what_it_is_for_and_no_more_than_its_person_may() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    server.submitted("a1").await;
    let make = async |person: &str, scopes: &[Scope]| {
        let what = TokenWished::Make { person: person.into(), name: "a program".into(), scopes: scopes.to_vec(), days: 10 };
        match server.app.look_after_tokens(&TokenWish { what, by: By::default() }).await.unwrap() {
            TokenEnd::Made(made) => made,
            other => panic!("{other:?}"),
        }
    };
    let document: Json = serde_json::from_str(&duban::api::document()).unwrap();
    for scope in Scope::ALL {
        let made = make("carl", &[scope]).await;
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                let needed = operation["security"][0]["token"][0].as_str().unwrap();
                let head = format!(
                    "{} {} HTTP/1.1\r\nauthorization: Bearer {}\r\naccept-language: en\r\ncontent-type: application/json\r\n",
                    method.to_uppercase(),
                    path.replace(['{', '}'], ""),
                    made.token
                );
                let answer = server.raw(&head, if method == "post" { b"{}" } else { b"" }).await;
                if needed == scope.word() {
                    assert!(!answer.body.contains("no_scope"), "{method} {path}: {}", answer.body);
                } else {
                    let no = answer.problem(403, "no_scope");
                    assert!(no["detail"].as_str().unwrap().contains(&format!("not for `{needed}`")), "{no}");
                }
            }
        }
    }
    // What Carl may not do, a token of his does not do either, and it acts for nobody else.
    let all: Vec<Scope> = Scope::ALL.into_iter().filter(|scope| *scope != Scope::Calendar).collect();
    let made = make("carl", &all).await;
    let carls = made.token;
    server.post("/items/a2/actions/submit", &carls, json!({ "input": { "title": "x" } })).await.problem(403, "wrong_role");
    server.post("/items/a1/actions/weigh", &carls, json!({ "input": { "weight": 3 }, "by": "hu" })).await.problem(403, "not_yours");
    server.get("/exports/letters", &carls).await.problem(403, "office_only");
    server.get("/webhooks", &carls).await.problem(403, "system_only");
    assert_eq!(server.post("/items/a1/actions/weigh", &carls, json!({ "input": { "weight": 3 } })).await.status, 200);
    let trail = server.app.audit_trail(None, 1000).await.unwrap();
    assert!(trail.iter().any(|row| row.what == "scope_missing" && row.about["scope"] == "act"));
    let rows = server.app.store.tokens(Some("carl")).await.unwrap();
    assert!(rows.iter().find(|row| row.id == made.id).unwrap().used_at.is_some());
    let id = made.id;
    server.app.look_after_tokens(&TokenWish { what: TokenWished::Revoke { id, person: None }, by: By::default() }).await.unwrap();
    server.get("/items", &carls).await.problem(401, "bad_token");
    let gone = make("ann", &[Scope::Read]).await.token;
    server.app.clock.set(moment("2026-03-12 09:00"));
    server.get("/items", &gone).await.problem(401, "bad_token");
}

#[tokio::test]
async fn webhooks_are_made_stopped_and_removed_by_programs_of_whoever_looks_after_the_system() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    server.get("/webhooks", "hu").await.problem(403, "system_only");
    let list = server.get("/webhooks", OFFICE).await.json();
    assert_eq!(list["webhooks"], json!([]));
    let events: Vec<&str> = list["events"].as_array().unwrap().iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert!(
        ["*", "deadline-passed", "request", "request/submit", "request/deadline-passed"].iter().all(|event| events.contains(event)),
        "{events:?}"
    );
    let make = async |url: &str, events: &[&str]| server.post("/webhooks", OFFICE, json!({ "url": url, "events": events })).await;
    let near = make("nowhere", &["*"]).await.problem(422, "bad_url");
    assert_eq!(near["errors"][0]["pointer"], "/url");
    make("https://example.org", &["request/nothing"]).await.problem(422, "unknown_event");
    make("https://example.org", &[]).await.problem(422, "no_events");
    make("https://example.org/\u{0}", &["*"]).await.problem(422, "bad_url");
    let made = make("https://example.org/hook", &["request/submit", "request/submit"]).await.json();
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_") && made["events"] == json!(["request/submit"]), "{made}");
    let id = made["id"].as_str().unwrap().to_string();
    server.submitted("a1").await;
    let list = server.get("/webhooks", OFFICE).await.json();
    assert_eq!((&list["webhooks"][0]["counts"], &list["webhooks"][0]["secret"]), (&json!({ "ready": 1 }), &Json::Null));
    let told = server.get("/deliveries?status=ready&limit=1", OFFICE).await.json();
    assert_eq!((&told["deliveries"][0]["name"], &told["deliveries"][0]["item"]), (&json!("submit"), &json!("a1")));
    server.get("/deliveries?status=lost", OFFICE).await.problem(400, "unknown_value");
    server.get("/deliveries?limit=0", OFFICE).await.problem(400, "bad_limit");
    let change = async |id: &str, what: &str| server.post(&format!("/webhooks/{id}"), OFFICE, json!({ "do": what })).await;
    change("none", "stop").await.problem(404, "no_webhook");
    change(&id, "explode").await.problem(422, "unknown_value");
    for (what, changed) in [("stop", 1), ("stop", 0), ("release", 0), ("start", 1), ("release", 1), ("cancel", 1), ("remove", 1)] {
        let answer = change(&id, what).await;
        assert_eq!(answer.json()["changed"], changed, "{what}");
    }
    change(&id, "remove").await.problem(404, "no_webhook");
}

#[tokio::test]
async fn what_waits_for_a_person_is_told_the_most_urgent_first() {
    let server = Server::start(World::open("2026-03-02 09:00").await).await;
    for item in ["a1", "a2"] {
        server.submitted(item).await;
    }
    let mine = server.get("/duties?limit=1", "carl").await.json();
    let duty = &mine["duties"][0];
    assert_eq!(
        (&mine["person"], &mine["more"], &duty["item"], &duty["due_on"]),
        (&json!("carl"), &json!(1), &json!("a1"), &json!("2026-03-09"))
    );
    assert_eq!(
        (&duty["role"], &duty["action"], &duty["action_title"], &duty["late"]),
        (&json!("clerk"), &json!("weigh"), &json!("weigh"), &json!(false))
    );
    assert_eq!(server.get("/duties", "ann").await.json()["duties"], json!([]));
    assert_eq!(server.get("/duties?as=carl", OFFICE).await.json()["duties"].as_array().unwrap().len(), 2);
    server.get("/duties", OFFICE).await.problem(400, "who");
    server.get("/duties?as=carl", "ann").await.problem(403, "not_yours");
}
