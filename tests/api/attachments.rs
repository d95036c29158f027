//! Files of programs: handed in, spoken of by an action, and given to whoever may see the field.

use super::*;

/// An office whose clerk may add papers, one of which only clerks see.
async fn office() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let fields = "  paper: { title: the paper, type: file }\n  inner: { title: inner paper, type: file, visible_to: [clerk] }\n  months: {";
    let rules = rules(|path, text| match path {
        "request.yaml" => text.replace("  months: {", fields).replace("    ask: [weight]\n", "    ask: [weight, paper?, inner?]\n"),
        _ => text,
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let server = Server::over(app, folder, BodyLimits::default(), Limits::default()).await;
    server.submitted("a1").await;
    server
}

async fn hand_in(server: &Server, token: &str, query: &str, content: &[u8]) -> Answer {
    let head = format!(
        "POST /api/v1/files?{query} HTTP/1.1\r\nauthorization: Bearer {token}\r\ncontent-type: application/octet-stream\r\naccept-language: en\r\n"
    );
    server.raw(&head, content).await
}

#[tokio::test]
async fn a_file_is_handed_in_spoken_of_and_given_to_whom_its_field_is() {
    let server = office().await;
    let mut values = Vec::new();
    for (name, content) in [("open.txt", "open"), ("inner.txt", "inner")] {
        let kept = hand_in(&server, "carl", &format!("name={name}"), content.as_bytes()).await;
        assert_eq!(kept.status, 201, "{}", kept.body);
        let kept = kept.json();
        let digest = digest(content);
        assert_eq!((&kept["name"], &kept["size"], &kept["digest"]), (&json!(name), &json!(content.len()), &json!(digest)));
        values.push((kept["value"].as_str().unwrap().to_string(), digest));
    }
    // Nobody speaks of what somebody else handed in.
    let input = json!({ "input": { "weight": 5, "paper": values[0].0, "inner": values[1].0 } });
    let by_office =
        server.post("/items/a1/actions/weigh", OFFICE, json!({ "by": "hu", "input": { "paper": values[0].0, "weight": 5 } })).await;
    assert!(matches!(by_office.status, 403 | 422), "{}", by_office.body);
    assert_eq!(server.post("/items/a1/actions/weigh", "carl", input).await.status, 200);

    let path = |place: usize| format!("/items/a1/files/{}", values[place].1);
    let open = server.get(&path(0), "ann").await;
    assert_eq!((open.status, open.body.as_str()), (200, "open"));
    assert_eq!(open.header("content-disposition"), Some("attachment"));
    assert_eq!(server.get(&path(1), "carl").await.body, "inner");
    assert_eq!(server.get(&format!("{}?as=carl", path(1)), OFFICE).await.body, "inner");
    let denied = async || server.app.audit_trail(None, 99).await.unwrap().iter().filter(|entry| entry.what == "denied").count();
    let before = denied().await;
    let hidden = server.get(&path(1), "ann").await.problem(404, "unknown_file");
    let none = server.get(&format!("/items/a1/files/{}", "0".repeat(64)), "ann").await.problem(404, "unknown_file");
    let bare = |problem: &Json| problem["detail"].as_str().unwrap().replace(&values[1].1, "").replace(&"0".repeat(64), "");
    assert_eq!(bare(&hidden), bare(&none));
    assert_eq!(denied().await, before + 1, "one that was there and is not theirs");
    server.get(&path(1), OFFICE).await.problem(404, "unknown_file");
}

#[tokio::test]
async fn what_is_no_good_is_not_taken_and_says_why() {
    let server = office().await;
    for (query, content, status, code) in [
        ("name=x.exe", &b"MZ"[..], 422, "no_file"),
        ("name=x.pdf", b"MZ", 422, "no_file"),
        ("name=..%2Fx.txt", b"x", 422, "no_file"),
        ("name=x.txt", b"", 422, "no_file"),
        ("name=x.txt", &vec![b'a'; (20 << 20) + 1], 413, "too_large"),
        ("name=x.txt&as=ann", b"x", 403, "not_yours"),
        ("nme=x.txt", b"x", 400, "unknown_key"),
        ("", b"x", 400, "missing_key"),
    ] {
        hand_in(&server, "carl", query, content).await.problem(status, code);
    }
    hand_in(&server, OFFICE, "name=x.txt", b"x").await.problem(400, "who");
    let kept = hand_in(&server, OFFICE, "name=x.txt&as=ann", b"x").await;
    assert_eq!(kept.status, 201, "{}", kept.body);
    let text =
        server.raw("POST /api/v1/files?name=x.txt HTTP/1.1\r\nauthorization: Bearer carl\r\ncontent-type: text/plain\r\n", b"x").await;
    text.problem(415, "media");
}
