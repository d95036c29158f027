//! The rule workshop over loopback: rules edited, checked, planned and published by administrators, with a second person where the rules ask
//! for one; what others have changed meanwhile, names that would lead out of the folder, and who may do none of it.

use crate::support::rule_set::files_of;
use crate::support::world::{app_under, command, moment, submit};
use crate::web::{Browser, House};
use duban::app::App;
use duban::app::workshop::Workshop;
use duban::files;
use duban::kernel::check;
use duban::kernel::model::value::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const CHANGES: &str = "\nchanges:\n  - version: 2\n    because: people wait too long\n    open_items: { answer: recompute }\n";
const STORY: &str = "test_of: request\ntests:\n  - name: an answer is due\n    starts_empty: true\n    steps:\n      - at: 2026-03-02 09:00\n        by: ann\n        do: submit\n        with: { title: A bench }\n        expect: { state: open }\n";

/// An office whose rules lie in a folder, as they are in use.
struct Shop {
    house: House,
    rules: PathBuf,
}

impl Shop {
    /// `edit` has the rules before they come into use.
    async fn open(edit: impl Fn(&str, String) -> String) -> Shop {
        let (folder, rules) = folder(&edit);
        let app = in_use(folder.path(), &rules).await;
        let workshop = Workshop::new(Some(rules.clone()));
        Shop { house: House::with_workshop(app, folder, false, workshop).await, rules }
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.rules.join(path)).unwrap()
    }

    /// As somebody with an editor of their own does it.
    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.rules.join(path), text).unwrap();
    }

    async fn trail(&self) -> Vec<(String, String)> {
        let entries = self.house.app.audit_trail(None, 1000).await.unwrap();
        let rules = entries.into_iter().rev().filter(|entry| entry.what.starts_with("rules_"));
        rules.map(|entry| (entry.what, entry.person.map(|person| person.to_string()).unwrap_or_default())).collect()
    }

    async fn due(&self, item: &str) -> String {
        crate::plan::due(&self.house.app, item).await
    }
}

/// The office's rules in a folder, with two who look after the system.
fn folder(edit: &impl Fn(&str, String) -> String) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let rules = folder.path().join("rules").join("office");
    let fixtures = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/office"));
    for (path, text) in files_of(fixtures) {
        let text = match path.as_str() {
            "directory.yaml" => {
                text.replace("groups: [heads]", "groups: [heads, system_administrators]")
                    + "  max:  { title: Max, mail: max@example.com, groups: [system_administrators] }\n"
            }
            _ => text,
        };
        let place = rules.join(&path);
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(place, edit(&path, text)).unwrap();
    }
    (folder, rules)
}

async fn in_use(folder: &Path, rules: &Path) -> Arc<App> {
    let (set, problems) = check::load(&files::rule_set(rules).unwrap());
    let app = app_under(folder, "2026-03-02 09:00", set.unwrap_or_else(|| panic!("{problems:#?}"))).await.unwrap();
    app.act(&submit("1")).await.unwrap();
    app
}

/// What a page sends back when its form is submitted: the digest it began from.
async fn known(browser: &Browser<'_>, path: &str) -> String {
    browser.get(&format!("/rules/files/{path}")).await.value("known").unwrap().to_string()
}

async fn save(browser: &Browser<'_>, path: &str, text: &str) {
    let known = known(browser, path).await;
    let saved =
        browser.send(&format!("/rules/files/{path}"), &[("do", "save"), ("known", &known), ("text", &text.replace('\n', "\r\n"))]).await;
    assert_eq!(saved.status, 303, "{}", saved.text());
}

/// Version 2: three days instead of five.
fn shorter(text: &str) -> String {
    text.replace("version: 1\ntimezone", "version: 2\ntimezone").replace("length: 5 working days", "length: 3 working days") + CHANGES
}

#[tokio::test]
async fn the_editor_is_told_what_the_button_says_and_what_may_stand_where() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    let json = |answer: &crate::web::Answer| serde_json::from_str::<serde_json::Value>(&answer.body).unwrap();
    // Its styles are let in by a text that no other page has; other pages have no editor.
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let page = hu.get("/rules/files/request.yaml").await;
        let (_, behind) = page.body.split_once("nonce=\"").expect("the script of the editor");
        let nonce = behind.split('"').next().unwrap().to_string();
        let policy = page.header("content-security-policy").unwrap();
        assert!(nonce.len() >= 32 && policy.contains(&format!("style-src 'self' 'nonce-{nonce}';")), "{policy}");
        assert!(policy.contains("default-src 'none'; script-src 'self';"), "{policy}");
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
    assert!(!hu.get("/rules").await.body.contains("editor.js"));

    let before = shop.read("request.yaml");
    let broken = before.replace("to: answered\n", "to: answred\n");
    let line = broken.lines().position(|line| line.contains("answred")).unwrap() + 1;
    let checked = hu.send("/rules/check/request.yaml", &[("text", &broken.replace('\n', "\r\n"))]).await;
    assert_eq!((checked.status, checked.header("content-type")), (200, Some("application/json")), "{}", checked.body);
    let found = json(&checked);
    let row = &found["rows"][0];
    assert_eq!((row["file"].as_str(), row["line"].as_u64(), found["errors"].as_u64()), (Some("request.yaml"), Some(line as u64), Some(1)));
    assert_eq!(row["near"], serde_json::json!({ "wrong": "answred", "right": "answered" }), "{row}");
    let button = hu.send("/rules/files/request.yaml", &[("do", "check"), ("text", &broken)]).await;
    assert!(button.text().contains(row["says"].as_str().unwrap()), "{row}");
    assert_eq!(json(&hu.send("/rules/check/request.yaml", &[("text", &before)]).await)["errors"], 0);
    assert!(shop.read("request.yaml") == before && shop.trail().await.is_empty(), "nothing is saved");
    assert_eq!(hu.send("/rules/check/request.yaml", &[]).await.status, 400);
    assert_eq!(hu.send("/rules/check/.hidden.yaml", &[("text", "")]).await.status, 400);

    let known = json(&hu.get("/rules/schema/request.yaml").await);
    let states = &known["schema"]["properties"]["actions"]["additionalProperties"]["properties"]["to"];
    assert!(states.to_string().contains("\"answered\""), "{states}");
    assert_eq!((known["titles"]["clerk"].as_str(), known["titles"]["submit"].as_str()), (Some("clerk"), Some("hand in")));
    assert_eq!(json(&hu.get("/rules/schema/calendars/here.yaml").await)["schema"], serde_json::Value::Null);
    // While the folder has mistakes the names of the rules in use are offered.
    shop.write("request.yaml", &broken);
    assert_eq!(json(&hu.get("/rules/schema/request.yaml").await), known);
}

#[tokio::test]
async fn an_administrator_edits_checks_plans_and_publishes() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    assert!(hu.get("/rules").await.text().contains("The rules in the folder are those in use."), "{}", hu.get("/rules").await.text());
    let before = shop.read("request.yaml");
    let page = hu.get("/rules/files/request.yaml").await;
    assert!(page.text().contains("length: 5 working days") && page.body.contains("id=\"L1\""), "{}", page.text());

    // A mistake is told with its place and what to do, and nothing is saved.
    let broken = before.replace("to: answered\n", "to: answred\n");
    let known_before = page.value("known").unwrap();
    let line = broken.lines().position(|line| line.contains("answred")).unwrap() + 1;
    let checked = hu.send("/rules/files/request.yaml", &[("do", "check"), ("known", known_before), ("text", &broken)]).await;
    assert_eq!(checked.status, 200);
    assert!(checked.body.contains(&format!("href=\"#L{line}\"")) && checked.text().contains("→"), "{}", checked.text());
    assert!(checked.body.contains("to: answred") && checked.value("known") == Some(known_before), "the draft comes back");
    assert_eq!(shop.read("request.yaml"), before);
    assert!(shop.trail().await.is_empty());

    // It may be saved all the same, and does not hold.
    save(&hu, "request.yaml", &broken).await;
    assert_eq!(shop.read("request.yaml"), broken, "byte by byte");
    let list = hu.get("/rules").await.text();
    assert!(list.contains("have mistakes and cannot be published") && list.contains("mistakes: 1"), "{list}");
    let none = hu.send("/rules/plans", &[("of", "folder")]).await;
    assert_eq!(none.status, 409);
    assert!(none.text().contains("have 1 mistakes"), "{}", none.text());

    save(&hu, "request.yaml", &shorter(&before)).await;
    assert!(hu.get("/rules").await.text().contains("have not been published yet"));
    let made = hu.send("/rules/plans", &[("of", "folder"), ("allow_overdue", "0")]).await;
    assert!(made.status == 303 && made.to().starts_with("/rules/plans/"), "{}", made.text());
    let plan = hu.get(made.to()).await;
    let text = plan.text();
    for said in [
        "dates that move 1",
        "overdue at once 0",
        "answer: 1 dates move, 1 earlier",
        "2026-03-09 → 2026-03-05",
        "5 working days",
        "request.yaml",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert_eq!(shop.due("1").await, "2026-03-09");
    let done = hu.send(made.to(), &[("do", "publish")]).await;
    assert_eq!((done.status, done.to()), (303, "/rules/history?did=2"), "{}", done.text());
    assert_eq!(shop.due("1").await, "2026-03-05");
    let history = hu.get(done.to()).await.text();
    assert!(history.contains("revision 2 is in use") && history.contains("published by 胡主任"), "{history}");
    assert!(hu.get("/rules").await.text().contains("The rules in the folder are those in use."));
    // It is done once.
    assert_eq!(hu.send(made.to(), &[("do", "publish")]).await.status, 404);
    let hu = "hu".to_string();
    let expected = ["rules_saved", "rules_saved", "rules_published"].map(|what| (what.to_string(), hu.clone()));
    assert_eq!(shop.trail().await, expected);
    assert!(
        std::fs::read_dir(&shop.rules).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with('.')),
        "nothing is left behind"
    );
}

#[tokio::test]
async fn what_somebody_else_has_changed_is_shown_beside_what_was_typed() {
    let shop = Shop::open(|_, text| text).await;
    let (hu, max) = (shop.house.signed_in("hu").await, shop.house.signed_in("max").await);
    let before = shop.read("request.yaml");
    let began = known(&hu, "request.yaml").await;
    let theirs = before.replace("title: hand in", "title: hand it in");
    shop.write("request.yaml", &theirs);
    let mine = before.replace("title: weigh\n", "title: put on the scales\n");
    let refused = hu.send("/rules/files/request.yaml", &[("do", "save"), ("known", &began), ("text", &mine)]).await;
    assert_eq!(refused.status, 409);
    let text = refused.text();
    assert!(
        text.contains("somebody else has changed this file")
            && text.contains("title: hand it in")
            && text.contains("title: put on the scales"),
        "{text}"
    );
    assert_eq!(shop.read("request.yaml"), theirs, "nothing was overwritten");
    // Having seen both, the person may put theirs in its place: of what they saw, and of nothing later.
    let seen = refused.value("known").unwrap().to_string();
    shop.write("request.yaml", &theirs.replace("title: answer", "title: reply"));
    let again = hu.send("/rules/files/request.yaml", &[("do", "save"), ("known", &seen), ("text", &mine)]).await;
    assert_eq!(again.status, 409);
    let seen = again.value("known").unwrap().to_string();
    assert_eq!(hu.send("/rules/files/request.yaml", &[("do", "save"), ("known", &seen), ("text", &mine)]).await.status, 303);
    assert_eq!(shop.read("request.yaml"), mine);
    // Two administrators are no different from an editor.
    let late = max.send("/rules/files/request.yaml", &[("do", "save"), ("known", &began), ("text", "gone\n")]).await;
    assert_eq!(late.status, 409);
    // Removed meanwhile: saving again makes it anew, knowingly.
    let began = known(&max, "templates/late.txt").await;
    std::fs::remove_file(shop.rules.join("templates/late.txt")).unwrap();
    let gone = max.send("/rules/files/templates/late.txt", &[("do", "save"), ("known", &began), ("text", "kept\n")]).await;
    assert_eq!((gone.status, gone.value("known")), (409, Some("")), "{}", gone.text());
    assert!(gone.text().contains("has been removed") && gone.body.contains("kept"));
    assert_eq!(max.send("/rules/files/templates/late.txt", &[("do", "save"), ("known", ""), ("text", "kept\n")]).await.status, 303);
    assert_eq!(shop.read("templates/late.txt"), "kept\n");
    // A file that came meanwhile is not taken for none.
    let came = max.send("/rules/files/templates/late.txt", &[("do", "save"), ("known", ""), ("text", "mine\n")]).await;
    assert_eq!((came.status, shop.read("templates/late.txt").as_str()), (409, "kept\n"));
    // A checkout with the ends of lines of Windows keeps them.
    shop.write("templates/late.txt", "one\r\ntwo\r\n");
    save(&max, "templates/late.txt", "one\nthree\n").await;
    assert_eq!(shop.read("templates/late.txt"), "one\r\nthree\r\n");
}

#[tokio::test]
async fn nothing_outside_of_the_folder_is_read_or_written() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    let outside = shop.rules.join("../secret.yaml");
    std::fs::write(&outside, "secret: 1\n").unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(&outside, shop.rules.join("linked.yaml")).unwrap();
        std::os::unix::fs::symlink(shop.rules.join(".."), shop.rules.join("up")).unwrap();
    }
    std::fs::write(shop.rules.join(".hidden.yaml"), "hidden: 1\n").unwrap();
    std::fs::create_dir_all(shop.rules.join("folder.yaml")).unwrap();
    let long = format!("{}.yaml", "x".repeat(300));
    let names = [
        "../secret.yaml",
        "templates/../../secret.yaml",
        "/etc/passwd",
        "//secret.yaml",
        "./request.yaml",
        "templates//late.txt",
        "..",
        ".hidden.yaml",
        "templates/.x.yaml",
        "..\\secret.yaml",
        "C:\\x.yaml",
        "C:x.yaml",
        "request.yaml\u{0}",
        "request.yaml/",
        "request.sh",
        "request",
        "sample/x.yaml",
        "a\nb.yaml",
        "a\u{202e}b.yaml",
        "x.yaml.",
        "up/secret.yaml",
        "linked.yaml",
        "folder.yaml",
        "request.yaml/x.yaml",
        "%2e%2e/secret.yaml",
        &long,
        "",
    ];
    for name in names {
        let path = format!("/rules/files/{}", percent(name));
        let looked = hu.get(&path).await;
        assert!(matches!(looked.status, 400 | 403 | 404 | 409), "{name:?}: {}", looked.status);
        assert!(!looked.text().contains("secret: 1") && !looked.text().contains("hidden: 1"), "{name:?}");
        assert!(looked.body.contains("<h1>"), "{name:?}: {}", looked.body);
        let blank = hu.get(&format!("/rules/new?path={}", percent(name))).await;
        // Blanks round a name are nobody's wish.
        assert!(matches!(blank.status, 400 | 403 | 404 | 409), "{name:?}: {} {}", blank.status, blank.text());
        for known in ["", "00"] {
            let sent = hu.send(&path, &[("do", "save"), ("known", known), ("text", "taken: 1\n")]).await;
            assert!(matches!(sent.status, 400 | 403 | 404 | 405 | 409), "{name:?}: {} {}", sent.status, sent.text());
        }
    }
    assert_eq!(std::fs::read_to_string(&outside).unwrap(), "secret: 1\n");
    assert_eq!(std::fs::read_to_string(shop.rules.join(".hidden.yaml")).unwrap(), "hidden: 1\n");
    assert!(shop.trail().await.is_empty(), "nothing was saved");
    #[cfg(unix)]
    for link in ["linked.yaml", "up"] {
        std::fs::remove_file(shop.rules.join(link)).unwrap();
    }
    // What is no text is not opened, and so not spoilt.
    std::fs::write(shop.rules.join("bytes.txt"), [0xff, 0xfe, 0x00]).unwrap();
    assert_eq!(hu.get("/rules/files/bytes.txt").await.status, 409);
    // A name of one's own is made with its folder.
    assert_eq!(hu.get("/rules/new?path=tests%2Fnew.test.yaml").await.status, 200);
    let made = hu.send("/rules/files/tests/new.test.yaml", &[("do", "save"), ("known", ""), ("text", STORY)]).await;
    assert_eq!((made.status, shop.read("tests/new.test.yaml").as_str()), (303, STORY), "{}", made.text());
    assert_eq!(hu.get("/rules/new?path=tests%2Fnew.test.yaml").await.to(), "/rules/files/tests/new.test.yaml");
}

fn percent(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte == b'/' || byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[tokio::test]
async fn nothing_is_published_but_what_a_plan_has_shown() {
    let shop = Shop::open(|_, text| text).await;
    let (hu, max) = (shop.house.signed_in("hu").await, shop.house.signed_in("max").await);
    let before = shop.read("request.yaml");
    save(&hu, "request.yaml", &shorter(&before)).await;
    for path in ["/rules/plans/none".to_string(), format!("/rules/plans/{}", "0".repeat(64))] {
        for what in ["publish", "approve"] {
            let answer = hu.send(&path, &[("do", what)]).await;
            assert_eq!(answer.status, 404);
            assert!(answer.text().contains("This plan is no longer at hand"), "{}", answer.text());
        }
    }
    let made = hu.send("/rules/plans", &[]).await;
    assert_eq!(hu.send(made.to(), &[("do", "something")]).await.status, 400);
    assert_eq!(hu.send(made.to(), &[("do", "approve")]).await.status, 409, "nobody has proposed it");
    // The folder has moved on.
    shop.write("templates/late.txt", "Hurry.\n");
    let moved = hu.send(made.to(), &[("do", "publish")]).await;
    assert_eq!(moved.status, 409);
    assert!(moved.text().contains("The files in the folder have changed since the plan was made"), "{}", moved.text());
    // The work has moved on.
    let made = hu.send("/rules/plans", &[]).await;
    shop.house.app.act(&command("2", "submit", "ann", [("title", Value::text("A swing"))])).await.unwrap();
    let more = hu.send(made.to(), &[("do", "publish")]).await;
    assert!(more.status == 409 && more.text().contains("Work went on since the plan was made: 1 more"), "{}", more.text());
    // The day has gone by.
    let made = max.send("/rules/plans", &[]).await;
    shop.house.app.clock.set(moment("2026-03-03 08:00"));
    let max = shop.house.signed_in("max").await;
    let late = max.send(made.to(), &[("do", "publish")]).await;
    assert!(late.status == 409 && late.text().contains("The plan was made on 2026-03-02"), "{}", late.text());
    assert_eq!(shop.house.app.store.published().await.unwrap().len(), 1, "the rules in use are as they were");
    // What stands in the way of a plan stands in the way of publishing it.
    save(&max, "request.yaml", &shorter(&before).replace("open_items: { answer: recompute }", "corrected: []")).await;
    let made = max.send("/rules/plans", &[]).await;
    if made.status == 303 {
        let page = max.get(made.to()).await;
        assert!(page.text().contains("cannot be published while something is marked") && page.text().contains("E806"), "{}", page.text());
        assert!(!page.body.contains("value=\"publish\""));
        assert_eq!(max.send(made.to(), &[("do", "publish")]).await.status, 409);
    } else {
        panic!("{}", made.text());
    }
    assert_eq!(max.send("/rules/plans", &[("allow_overdue", "many")]).await.status, 422);
}

#[tokio::test]
async fn where_the_rules_ask_for_two_another_administrator_approves_in_the_page() {
    let two = |path: &str, text: String| match path {
        "request.yaml" => text.replace("language: 1\n", "language: 1\npublish: { second_person: true }\n"),
        _ => text,
    };
    let shop = Shop::open(two).await;
    let hu = shop.house.signed_in("hu").await;
    save(&hu, "request.yaml", &shorter(&shop.read("request.yaml"))).await;
    let plan = hu.send("/rules/plans", &[]).await.to().to_string();
    assert!(hu.get(&plan).await.text().contains("ask for two persons"));
    let proposed = hu.send(&plan, &[("do", "publish")]).await;
    assert_eq!(proposed.status, 303, "{}", proposed.text());
    assert!(hu.get(proposed.to()).await.text().contains("another system administrator has to approve it"));
    assert_eq!(shop.due("1").await, "2026-03-09", "nothing holds yet");
    let alone = hu.send(&plan, &[("do", "approve")]).await;
    assert!(alone.status == 409 && alone.text().contains("胡主任 has proposed it and cannot approve it as well"), "{}", alone.text());
    // The second one may sit at another process, which has never seen the plan; and the folder may have moved on.
    shop.write("templates/late.txt", "Hurry.\n");
    let elsewhere =
        House::with_workshop(shop.house.app.clone(), tempfile::tempdir().unwrap(), false, Workshop::new(Some(shop.rules.clone()))).await;
    let max = elsewhere.signed_in("max").await;
    let list = max.get("/rules").await;
    assert!(list.text().contains("胡主任 proposed version 2"), "{}", list.text());
    let seen = max.get(&plan).await.text();
    assert!(seen.contains("2026-03-09 → 2026-03-05") && seen.contains("胡主任 has proposed this"), "{seen}");
    let approved = max.send(&plan, &[("do", "approve")]).await;
    assert_eq!(approved.status, 303, "{}", approved.text());
    assert_eq!(shop.due("1").await, "2026-03-05");
    assert!(max.get("/rules/history").await.text().contains("published by Max, proposed by 胡主任"));
    assert!(max.get("/rules").await.text().contains("have not been published yet"), "what was edited since is not in use");
    let trail: Vec<(String, String)> = shop.trail().await;
    let expected =
        [("rules_saved", "hu"), ("rules_proposed", "hu"), ("rules_approved", "max")].map(|(what, who)| (what.to_string(), who.to_string()));
    assert_eq!(trail, expected);
}

#[tokio::test]
async fn earlier_rules_come_back_through_a_plan_and_versions_are_compared_by_meaning() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    let first = shop.house.app.rules().hash.to_string();
    save(&hu, "request.yaml", &shorter(&shop.read("request.yaml"))).await;
    let diff = hu.get("/rules/diff?from=use&to=folder").await.text();
    assert!(diff.contains("5 working days") && diff.contains("3 working days"), "{diff}");
    let plan = hu.send("/rules/plans", &[]).await.to().to_string();
    assert_eq!(hu.send(&plan, &[("do", "publish")]).await.status, 303);
    let edited = shop.read("request.yaml");
    let history = hu.get("/rules/history").await;
    assert!(history.body.contains(&format!("name=\"of\" value=\"{first}\"")), "{}", history.body);
    let back = hu.send("/rules/plans", &[("of", &first)]).await.to().to_string();
    let seen = hu.get(&back).await.text();
    assert!(seen.contains("2026-03-05 → 2026-03-09"), "{seen}");
    // What becomes of dates that move is chosen here: what was in use before cannot be edited to say it.
    assert_eq!(hu.send(&back, &[("do", "publish")]).await.status, 409);
    let page = hu.get(&back).await;
    assert!(page.body.contains("name=\"dates.answer\" value=\"recompute\""), "{}", page.body);
    let back = hu.send("/rules/plans", &[("of", &first), ("dates.answer", "recompute")]).await.to().to_string();
    assert_eq!(hu.send(&back, &[("do", "publish")]).await.to(), "/rules/history?did=3");
    assert_eq!(shop.due("1").await, "2026-03-09");
    assert!(hu.get("/rules/history").await.text().contains("went back, by 胡主任"));
    assert_eq!(shop.read("request.yaml"), edited, "the folder is nobody's but the editors'");
    assert_eq!(shop.trail().await.last().unwrap().0, "rules_rolled_back");
    for hash in ["none", "'; drop table rules", &"0".repeat(64)] {
        assert_eq!(hu.send("/rules/plans", &[("of", hash)]).await.status, 404, "{hash}");
        assert_eq!(hu.get(&format!("/rules/diff?from={}", percent(hash))).await.status, 404, "{hash}");
    }
}

#[tokio::test]
async fn stories_the_diagram_and_what_will_leave_are_a_click_away() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    std::fs::create_dir_all(shop.rules.join("tests")).unwrap();
    shop.write("tests/office.test.yaml", STORY);
    let page = hu.get("/rules/stories").await.text();
    assert!(!page.contains("an answer is due"), "nothing is played before somebody asks: {page}");
    let played = hu.get("/rules/stories?run=").await.text();
    assert!(played.contains("As they say: 1. Otherwise: 0.") && played.contains("an answer is due as it says"), "{played}");
    shop.write("tests/office.test.yaml", &STORY.replace("state: open", "state: answered"));
    let fails = hu.get("/rules/stories?run=answer").await.text();
    assert!(fails.contains("As they say: 0. Otherwise: 1.") && fails.contains("step 1"), "{fails}");
    assert!(hu.get("/rules/stories?run=nothing").await.text().contains("As they say: 0. Otherwise: 0."));

    let diagram = hu.get("/rules/diagram").await;
    assert!(diagram.text().contains("open 1") && diagram.body.contains("diagram.svg"), "{}", diagram.text());
    let picture = hu.get("/rules/diagram.svg").await;
    assert_eq!((picture.status, picture.header("content-type")), (200, Some("image/svg+xml")));
    assert!(picture.body.contains("<svg") && !picture.body.contains("<script"));
    assert_eq!(hu.get("/rules/diagram?workflow=none").await.status, 404);

    assert!(!hu.get("/rules/forecast").await.text().contains("mails: 1"));
    let ahead = hu.get("/rules/forecast?until=2026-03-20").await;
    assert!(ahead.text().contains("1 open items: the engine records") && ahead.text().contains("escalations: 2"), "{}", ahead.text());
    let day = hu.get("/rules/forecast?until=2026-03-20&day=2026-03-05").await.text();
    assert!(day.contains("soon due") && day.contains("1 Request 1"), "{day}");
    assert_eq!(shop.house.app.look("1", None).await.unwrap().unwrap().item.rev, 1, "nothing happened");
    // The folder's rules say otherwise, and nobody has published them.
    save(&hu, "request.yaml", &shorter(&shop.read("request.yaml"))).await;
    let sooner = hu.get("/rules/forecast?of=folder&until=2026-03-20&day=2026-03-03").await.text();
    assert!(sooner.contains("soon due") && sooner.contains("1 Request 1"), "{sooner}");
    for until in ["2026-03-01", "2030-01-01", "soon"] {
        assert_eq!(hu.get(&format!("/rules/forecast?until={until}")).await.status, 422, "{until}");
    }
}

#[tokio::test]
async fn a_server_without_a_folder_says_so_and_does_the_rest() {
    let (folder, rules) = folder(&|_, text| text);
    let app = in_use(folder.path(), &rules).await;
    let house = House::with_workshop(app, folder, false, Workshop::new(None)).await;
    let hu = house.signed_in("hu").await;
    assert!(hu.get("/rules").await.text().contains("This server has no folder of rules for this office"));
    for page in ["/rules/files/request.yaml", "/rules/stories", "/rules/new?path=a.yaml", "/rules/diff?to=folder"] {
        let answer = hu.get(page).await;
        assert!(answer.status == 409 && answer.text().contains("This server has no folder"), "{page}: {} {}", answer.status, answer.text());
    }
    assert_eq!(hu.send("/rules/plans", &[]).await.status, 409);
    for page in ["/rules/history", "/rules/diagram", "/rules/diff", "/rules/forecast?until=2026-03-10"] {
        assert_eq!(hu.get(page).await.status, 200, "{page}");
    }
}

#[tokio::test]
async fn what_stands_in_a_file_stays_text() {
    let shop = Shop::open(|_, text| text).await;
    let hu = shop.house.signed_in("hu").await;
    let wild = "</textarea><script>alert(1)</script>\n\"><img src=x onerror=alert(1)>\n{{ 7 * 7 }}\n\n";
    shop.write("templates/late.txt", wild);
    let page = hu.get("/rules/files/templates/late.txt").await;
    assert!(page.is_tame() && page.text().contains("alert(1)") && !page.text().contains("49"), "{}", page.body);
    let back = hu.send("/rules/files/templates/late.txt", &[("do", "check"), ("text", wild)]).await;
    assert!(back.is_tame() && back.status == 200);
    let clash =
        hu.send("/rules/files/templates/late.txt", &[("do", "save"), ("known", "<b>"), ("text", &wild.replace("alert", "prompt"))]).await;
    assert!(clash.is_tame() && clash.status == 409 && clash.text().contains("prompt(1)"), "{}", clash.body);
}
