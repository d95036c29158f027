//! Who may see and ask what, as one table: role × route, and role × field × state, over pages, lists, search and API alike. Each cell is
//! decided both ways, and each denied one leaves one record in the trail and changes nothing.

use crate::support::world::{app_under, command, rules};
use crate::web::{Browser, House, OFFICE};
use duban::app::accounts::Policy;
use duban::kernel::model::value::Value;
use duban::web::Gate;

/// Citizen, clerk, head; and who looks after the system, the accounts, the trail.
const PERSONS: [&str; 6] = ["ann", "carl", "hu", "sys", "sue", "ada"];

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| match path {
        "directory.yaml" => {
            text + "  sys:  { title: Sys, mail: sys@example.com, groups: [system_administrators] }\n  sue:  { title: Sue, mail: sue@example.com, groups: [security_administrators] }\n  ada:  { title: Ada, mail: ada@example.com, groups: [audit_administrators] }\n"
        }
        "request.yaml" => {
            let fields = "fields:\n  mark:  { title: mark, type: text, visible_to: [head] }\n  grade: { title: grade, type: text, visible_to: [citizen], sealed_until: answer }\n  place: { title: place, type: text, visible_to: [clerk, head] }\n";
            let actions = "  put_mark:\n    title: put a mark\n    by: [head]\n    from: [open]\n    ask: [mark]\n  rate:\n    title: rate\n    by: [citizen]\n    from: [open]\n    ask: [grade]\n  locate:\n    title: locate\n    by: [clerk]\n    from: [open]\n    ask: [place]\n  weigh:\n";
            text.replacen("fields:\n", fields, 1).replacen("  weigh:\n", actions, 1)
        }
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    for (action, by, input) in [
        ("submit", "ann", ("title", "Benchtitle")),
        ("put_mark", "hu", ("mark", "Markwords")),
        ("rate", "ann", ("grade", "Gradewords")),
        ("locate", "carl", ("place", "Placewords")),
    ] {
        app.act(&command("1", action, by, [(input.0, Value::text(input.1))])).await.unwrap();
    }
    House::with(app, folder, false, Policy::default(), Gate::default()).await
}

/// A value, in which state of the item, and who sees it.
const FIELDS: &[(&str, &str, [bool; 6])] = &[
    ("Benchtitle", "open", [true; 6]),
    ("Markwords", "open", [false, false, true, false, false, false]),
    ("Gradewords", "open", [true, false, false, false, false, false]),
    ("Placewords", "open", [false, true, true, false, false, false]),
    ("Benchtitle", "answered", [true; 6]),
    ("Markwords", "answered", [false, false, true, false, false, false]),
    ("Gradewords", "answered", [true; 6]),
    ("Placewords", "answered", [false, true, true, false, false, false]),
];

#[tokio::test]
async fn a_field_is_seen_by_the_same_people_on_pages_lists_search_and_api() {
    let house = house().await;
    let mut browsers = Vec::new();
    for person in PERSONS {
        browsers.push(house.signed_in(person).await);
    }
    for state in ["open", "answered"] {
        if state == "answered" {
            house.app.act(&command("1", "answer", "carl", [])).await.unwrap();
        }
        for (value, _, sees) in FIELDS.iter().filter(|(_, of, _)| *of == state) {
            for ((person, browser), sees) in PERSONS.iter().zip(&browsers).zip(sees) {
                let page = browser.get("/items/1").await;
                assert_eq!((page.status, page.body.contains(value)), (200, *sees), "{person} {value} {state}: the page\n{}", page.text());
                let api = house.api("GET", "/api/v1/items/1", person, "").await;
                assert_eq!((api.status, api.body.contains(value)), (200, *sees), "{person} {value} {state}: the API\n{}", api.body);
                // What is not for everybody stands in no list, and nobody finds an item by it.
                let listed = *value == "Benchtitle";
                let text = |path: &str| format!("{path}text={value}");
                let ledger = browser.get(&text("/ledger?which=all&")).await;
                assert_eq!(
                    ledger.body.contains("href=\"&#x2f;items&#x2f;1\"") || ledger.body.contains("href=\"/items/1\""),
                    listed,
                    "{person} {value} {state}: the ledger\n{}",
                    ledger.body
                );
                assert!(!browser.get("/ledger?which=all").await.body.contains(value) || listed, "{person} {value} {state}");
                let found = house.api("GET", &text("/api/v1/items?"), person, "").await;
                assert_eq!(found.body.contains("\"id\":\"1\""), listed, "{person} {value} {state}: the search of the API\n{}", found.body);
                // What is seen is asked for by the person's own token alone; by the office, for whom it names.
                let named = house.api("GET", &format!("/api/v1/items/1?as={person}"), OFFICE, "").await;
                assert_eq!(named.body.contains(value), *sees, "{person} {value} {state}: named by the office");
            }
            assert!(
                !house.api("GET", "/api/v1/items/1", OFFICE, "").await.body.contains(value) || sees.iter().all(|sees| *sees),
                "nobody in particular sees what everybody may"
            );
        }
    }
}

/// A route of the API, what it is about, and for whom it is open: the six, then the office's own programs.
const ROUTES: &[(&str, &str, [u16; 7])] = &[
    ("GET", "/api/v1/items", [200; 7]),
    ("GET", "/api/v1/items/1", [200; 7]),
    ("GET", "/api/v1/items/1/actions", [200, 200, 200, 200, 200, 200, 400]),
    ("GET", "/api/v1/items/1/due", [200; 7]),
    ("GET", "/api/v1/items/1/wakeups", [200; 7]),
    ("GET", "/api/v1/outbox", [200; 7]),
    ("GET", "/api/v1/reports", [200; 7]),
    ("GET", "/api/v1/items/1?as=carl", [403, 200, 403, 403, 403, 403, 200]),
    ("GET", "/api/v1/items/1/actions?as=hu", [403, 403, 200, 403, 403, 403, 200]),
    ("GET", "/api/v1/items/1/actions/weigh/persons", [403, 403, 403, 403, 403, 403, 200]),
    ("GET", "/api/v1/items/1/roles/clerk", [403, 403, 403, 403, 403, 403, 200]),
    ("GET", "/api/v1/exports/none", [403, 403, 403, 403, 403, 403, 404]),
    ("GET", "/api/v1/items/2", [404; 7]),
];

#[tokio::test]
async fn a_route_of_the_api_is_open_to_whom_it_is_for_and_each_denial_is_noted_once() {
    let house = house().await;
    let before = house.app.look("1", None).await.unwrap().unwrap().item.rev;
    let mut denied: Vec<(String, String)> = Vec::new();
    for (method, route, expected) in ROUTES {
        for (token, expected) in PERSONS.iter().chain([&OFFICE]).zip(expected) {
            let answer = house.api(method, route, token, "").await;
            assert_eq!(answer.status, *expected, "{token} {route}: {}", answer.body);
            if *expected == 403 {
                denied.push((token.to_string(), route.split('?').next().unwrap().to_string()));
            }
        }
        for stranger in ["guessed", ""] {
            assert_eq!(house.api(method, route, stranger, "").await.status, 401, "{route}");
        }
    }
    let trail = house.app.audit_trail(None, 1000).await.unwrap();
    let mut noted: Vec<(String, String)> = trail
        .iter()
        .filter(|row| row.what == "denied")
        .map(|row| (row.person.as_ref().unwrap().to_string(), row.about["page"].as_str().unwrap().to_string()))
        .collect();
    noted.reverse();
    assert_eq!(noted, denied, "each denied one left one record, in its order");
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, before, "and nothing else");
}

/// An action, in which state, and who may do it; asked on the page, of the API, and tried.
const ACTIONS: &[(&str, &str, &str, [bool; 6])] = &[
    ("weigh", "weight", "7", [false, true, false, false, false, false]),
    ("put_mark", "mark", "Other", [false, false, true, false, false, false]),
    ("rate", "grade", "Good", [true, false, false, false, false, false]),
    ("locate", "place", "Here", [false, true, false, false, false, false]),
];

#[tokio::test]
async fn an_action_is_offered_and_done_alike_on_pages_and_api_and_nobody_else_does_it() {
    let house = house().await;
    let mut browsers: Vec<Browser> = Vec::new();
    for person in PERSONS {
        browsers.push(house.signed_in(person).await);
    }
    for over in [false, true] {
        if over {
            house.app.act(&command("1", "answer", "carl", [])).await.unwrap();
        }
        for (action, field, value, may) in ACTIONS {
            for ((person, browser), may) in PERSONS.iter().zip(&browsers).zip(may) {
                let may = *may && !over;
                let rev = house.app.look("1", None).await.unwrap().unwrap().item.rev;
                let form = browser.get(&format!("/items/1/do/{action}")).await;
                assert_eq!(form.body.contains("name=\"command\""), may, "{person} {action} {over}: the form");
                let offered: serde_json::Value =
                    serde_json::from_str(&house.api("GET", "/api/v1/items/1/actions", person, "").await.body).unwrap();
                let found = offered["actions"].as_array().unwrap().iter().find(|offer| offer["action"] == *action);
                assert_eq!(found.is_some_and(|found| found["open"] == true), may, "{person} {action} {over}: {found:?}");
                if !may {
                    let posted =
                        browser.send(&format!("/items/1/do/{action}"), &[("rev", &rev.to_string()), (&format!("in.{field}"), value)]).await;
                    assert!(matches!(posted.status, 403 | 409), "{person} {action} {over}: {}", posted.status);
                    let body = format!("{{\"input\":{{\"{field}\":\"{value}\"}}}}");
                    let asked = house.api("POST", &format!("/api/v1/items/1/actions/{action}"), person, &body).await;
                    assert!(matches!(asked.status, 403 | 409), "{person} {action} {over}: {} {}", asked.status, asked.body);
                    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, rev, "nothing was done");
                }
            }
        }
    }
}
