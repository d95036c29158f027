//! Files through the form of an action: what is taken and comes back byte for byte, what is not and why, and who may have it.

use super::*;
use duban::kernel::model::attached::Attached;
use duban::kernel::model::value::Fields;
use std::io::Write as _;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR and some more \xff\xfe\0";
const BOUNDARY: &str = "----attach";

/// An office that asks for papers, some of which only clerks may see.
async fn office() -> House {
    let (app, folder) = office_app().await;
    House::over(app, folder, false).await
}

async fn office_app() -> (Arc<App>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let edit = |path: &str, text: String| {
        match path {
        "request.yaml" => text
            .replace(
                "  months: {",
                "  paper: { title: the paper, type: file }\n  papers: { title: papers, type: file_list }\n  inner: { title: inner paper, type: file, visible_to: [clerk] }\n  months: {",
            )
            .replace("    ask: [weight]\n", "    ask: [weight, paper?, papers?, inner?]\n"),
        _ => text,
    }
    };
    let app = app_under(folder.path(), "2026-03-02 09:00", rules(edit)).await.unwrap();
    app.act(&command("1", "submit", "ann", [("title", Value::text("Request 1"))])).await.unwrap();
    (app, folder)
}

fn part(head: &str, content: &[u8]) -> Vec<u8> {
    let mut out = format!("--{BOUNDARY}\r\ncontent-disposition: form-data; {head}\r\n\r\n").into_bytes();
    out.extend_from_slice(content);
    out.extend_from_slice(b"\r\n");
    out
}

fn body(fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let mut out: Vec<u8> = fields.iter().flat_map(|(name, value)| part(&format!("name=\"{name}\""), value.as_bytes())).collect();
    for (name, file, content) in files {
        out.extend(part(&format!("name=\"{name}\"; filename=\"{file}\""), content));
    }
    out.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
    out
}

/// The answer with its body as bytes.
async fn ask(house: &House, method: &str, path: &str, cookie: &str, body: &[u8]) -> (Answer, Vec<u8>) {
    let mut stream = TcpStream::connect(house.address).await.unwrap();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: duban\r\nconnection: close\r\naccept-language: en\r\ncookie: {cookie}\r\norigin: http://duban\r\ncontent-type: multipart/form-data; boundary={BOUNDARY}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(BOUND, stream.read_to_end(&mut answer)).await.expect("an answer");
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8_lossy(&answer[..at]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let content = answer[at + 4..].to_vec();
    (Answer { status, head, body: String::from_utf8_lossy(&content).into_owned() }, content)
}

async fn weigh(browser: &Browser<'_>, fields: &[(&str, &str)], files: &[(&str, &str, &[u8])]) -> Answer {
    let mut all = vec![("form", browser.form.as_str())];
    all.extend_from_slice(fields);
    ask(browser.house, "POST", "/items/1/do/weigh", &browser.cookie, &body(&all, files)).await.0
}

async fn recorded(house: &House) -> Fields {
    house.app.look("1", None).await.unwrap().unwrap().item.fields.clone()
}

fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        out.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        out.write_all(content).unwrap();
    }
    out.finish().unwrap().into_inner()
}

#[tokio::test]
async fn a_file_is_handed_in_shown_and_given_back_as_it_was() {
    let house = office().await;
    let carl = house.signed_in("carl").await;
    let page = carl.get("/items/1/do/weigh").await;
    assert!(page.body.contains("enctype=\"multipart/form-data\"") && page.body.contains("type=\"file\""), "{}", page.body);
    assert!(page.text().contains("20 MB") && page.text().contains("Nothing secret"), "{}", page.text());
    let files: &[(&str, &str, &[u8])] =
        &[("in.paper", "答复 1.png", PNG), ("in.papers", "a.txt", b"one\n"), ("in.papers", "b.csv", b"=1+1,2\n"), ("in.inner", "", b"")];
    let done = weigh(&carl, &[("rev", "1"), ("in.weight", "5")], files).await;
    assert_eq!(done.status, 303, "{}", done.text());
    let fields = recorded(&house).await;
    let paper = Attached::within(&fields["paper"]).pop().expect("a file");
    assert_eq!((paper.name.as_str(), paper.size, paper.media.as_str()), ("答复 1.png", PNG.len() as u64, "image/png"));
    let names: Vec<_> = Attached::within(&fields["papers"]).into_iter().map(|file| file.name).collect();
    assert_eq!(names.len(), 2, "{names:?}");

    let item = carl.get("/items/1").await;
    let listed = format!("答复 1.png PNG · {} B View 答复 1.png the paper · clerk Carl", PNG.len());
    assert!(item.text().contains(&listed), "{}", item.text());
    assert!(item.body.contains(&paper.digest) && !item.text().contains("sha256:"), "{}", item.text());
    let path = format!("/items/1/files/{}", paper.digest);
    let (answer, content) = ask(&house, "GET", &path, &carl.cookie, b"").await;
    assert_eq!((answer.status, content.as_slice()), (200, PNG));
    let disposition = answer.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment; filename=\"__") && disposition.contains("filename*=UTF-8''%E7%AD%94"), "{disposition}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("content-security-policy"), Some("sandbox; default-src 'none'"));
    let (viewed, _) = ask(&house, "GET", &format!("{path}?view=1"), &carl.cookie, b"").await;
    assert!(viewed.header("content-disposition").unwrap().starts_with("inline"));
    let text = Attached::within(&fields["papers"]).pop().unwrap();
    let (viewed, _) = ask(&house, "GET", &format!("/items/1/files/{}?view=1", text.digest), &carl.cookie, b"").await;
    assert!(viewed.header("content-disposition").unwrap().starts_with("attachment"), "only what is safe is shown");
    assert_eq!(ask(&house, "GET", &format!("/items/1/files/{}", "0".repeat(64)), &carl.cookie, b"").await.0.status, 404);
    assert_eq!(house.ask("GET", &path, &[], "").await.status, 303, "nobody without signing in");

    // A fact refers to it, so it stays; whoever looks through the records finds it whole.
    let later = moment("2027-03-02 09:00");
    house.app.store.everywhere().forget_uploads(later, later).await.unwrap();
    assert_eq!(house.app.store.content(&paper.digest).await.unwrap().as_deref(), Some(PNG));
    let whole = house.app.examine_all(&CancellationToken::new(), |findings| assert_eq!(findings, [])).await.unwrap().unwrap();
    assert!(whole.is_whole() && whole.items == 1);
}

#[tokio::test]
async fn what_is_no_good_is_not_taken_and_what_is_good_stays_chosen() {
    let house = office().await;
    let carl = house.signed_in("carl").await;
    let docx = zip(&[("word/document.xml", b"<w/>")]);
    let macros = zip(&[("word/document.xml", b"<w/>"), ("word/vbaProject.bin", b"x")]);
    let out = zip(&[("word/document.xml", b"<w/>"), ("../../etc/passwd", b"x")]);
    let bomb = zip(&[("word/document.xml", &vec![0; 80 << 20])]);
    let large = vec![b'a'; (20 << 20) + 1];
    let long = format!("{}.txt", "字".repeat(121));
    let bad: &[(&str, &[u8], &str)] = &[
        ("../../etc/passwd.txt", b"x", "cannot be the name"),
        ("C:\\x.txt", b"x", "cannot be the name"),
        ("a/b.txt", b"x", "cannot be the name"),
        ("a\u{202e}fdp.txt", b"x", "cannot be the name"),
        ("zero\u{200b}.txt", b"x", "cannot be the name"),
        ("con.txt", b"x", "cannot be the name"),
        ("LPT1.pdf", b"%PDF-1.4", "cannot be the name"),
        (".txt", b"x", "cannot be the name"),
        (&long, b"x", "cannot be the name"),
        ("x.pdf.exe", b"MZ", "is of a kind"),
        ("x.exe.pdf", b"%PDF-1.4", "is of a kind"),
        ("page.html", b"<script>", "is of a kind"),
        ("x.svg", b"<svg/>", "is of a kind"),
        ("noending", b"x", "is of a kind"),
        ("all.zip", &docx, "is of a kind"),
        ("x.docm", &macros, "is of a kind"),
        ("x.pdf", b"MZ\x90", "is not what its name says"),
        ("x.png", b"%PDF-1.4", "is not what its name says"),
        ("x.txt", b"MZ\0\0", "is not what its name says"),
        ("x.docx", b"PK\x03\x04 and no archive", "is not what its name says"),
        ("x.xlsx", &docx, "is not what its name says"),
        ("x.docx", &macros, "is not what its name says"),
        ("x.docx", &out, "is not what its name says"),
        ("x.docx", &bomb, "is not what its name says"),
        ("x.txt", b"", "is empty"),
        ("x.txt", &large, "is larger than 20 MB"),
    ];
    for (name, content, says) in bad {
        let back =
            weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &[("in.inner", "good.docx", &docx), ("in.paper", name, content)]).await;
        assert_eq!(back.status, 422, "{name}: {}", back.text());
        assert!(back.text().contains(says), "{name}: {}", back.text());
        assert!(back.text().contains("good.docx") && back.value("in.weight") == Some("5") && back.is_tame(), "{name}: {}", back.body);
    }
    assert_eq!(house.app.look("1", None).await.unwrap().unwrap().item.rev, 1, "nothing was done");
    let unasked = weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &[("in.weight", "a.txt", b"x")]).await;
    assert!(unasked.status == 422 && unasked.text().contains("was not asked for"), "{}", unasked.text());
    // A body that ends in the middle.
    let whole = body(&[("form", &carl.form), ("in.weight", "5")], &[("in.paper", "a.txt", b"x")]);
    let (cut, _) = ask(&house, "POST", "/items/1/do/weigh", &carl.cookie, &whole[..whole.len() - 20]).await;
    assert_eq!(cut.status, 400, "{}", cut.text());
    let many: Vec<(&str, &str, &[u8])> = (0..11).map(|_| ("in.papers", "a.txt", &b"x"[..])).collect();
    assert_eq!(weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &many).await.status, 413);

    // A form that is refused for something else comes back with its file, which needs no second upload.
    let back = weigh(&carl, &[("rev", "1"), ("in.weight", "2000")], &[("in.paper", "kept.docx", &docx)]).await;
    assert_eq!(back.status, 409, "{}", back.text());
    let kept = back.value("in.paper").expect("it stays chosen").replace("&#x2f;", "/");
    assert!(kept.starts_with("sha256:") && kept.ends_with(";kept.docx"), "{kept}");
    let done = weigh(&carl, &[("rev", "1"), ("in.weight", "5"), ("in.paper", &kept)], &[]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(Attached::within(&recorded(&house).await["paper"])[0].to_string(), kept);
}

#[tokio::test]
async fn a_file_is_whose_it_is_and_seen_by_whom_its_field_is() {
    let house = office().await;
    let (carl, ann) = (house.signed_in("carl").await, house.signed_in("ann").await);
    // Whoever may not do it leaves nothing behind.
    let refused = weigh(&ann, &[("rev", "1"), ("in.weight", "5")], &[("in.paper", "ann.txt", b"ann's")]).await;
    assert_eq!(refused.status, 403, "{}", refused.text());
    let done =
        weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &[("in.inner", "inner.txt", b"inner"), ("in.paper", "open.txt", b"open")]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    let fields = recorded(&house).await;
    let [inner, open] = ["inner", "paper"].map(|name| Attached::within(&fields[name]).pop().expect("a file"));
    let denied = async || house.app.store.audit_trail(None, 99).await.unwrap().iter().filter(|entry| entry.what == "denied").count();
    let before = denied().await;
    assert_eq!(ann.get(&format!("/items/1/files/{}", open.digest)).await.body, "open");
    let missing = ann.get(&format!("/items/1/files/{}", "0".repeat(64))).await;
    let hidden = ann.get(&format!("/items/1/files/{}", inner.digest)).await;
    assert_eq!((missing.status, hidden.status, missing.text() == hidden.text()), (404, 404, true), "{}", hidden.text());
    assert_eq!(denied().await, before + 1, "one that was there and is not theirs");
    let item = ann.get("/items/1").await;
    assert!(
        item.text().contains("open.txt") && !item.text().contains("inner.txt") && !item.body.contains(&inner.digest),
        "{}",
        item.text()
    );

    // Nobody gets at a file by naming its digest, nor gives one of their own another name.
    let named = |file: &Attached| command("1", "weigh", "carl", [("weight", Value::Number(6)), ("paper", Value::text(&file.to_string()))]);
    let other = Attached { digest: "0".repeat(64), ..open.clone() };
    let renamed = Attached { name: "open.exe".into(), ..open.clone() };
    for file in [&other, &renamed] {
        assert!(matches!(house.app.act(&named(file)).await, Err(duban::app::ActError::Refused(_))), "{file}");
    }
    let mut by_hu = named(&open);
    by_hu.by = "hu".into();
    assert!(matches!(house.app.act(&by_hu).await, Err(duban::app::ActError::Refused(_))), "another person's");
}

/// The office's scanner decides: clean, infected, and anything else, which is not clean.
#[tokio::test]
async fn what_the_scanner_does_not_call_clean_is_not_kept() {
    use duban::attach::{Limits, Unfit, judge};
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let scanner = |name: &str, script: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700)).unwrap();
        path
    };
    // As scanners do with the harmless test string that all of them know.
    let looks = scanner("looks", "if grep -q STANDARD-ANTIVIRUS-TEST \"$1\"; then exit 1; else exit 0; fi");
    let limits = |program: &std::path::Path| Limits {
        scan_command: Some(program.to_path_buf()),
        scan_seconds: 1,
        scan_folder: folder.path().join("scratch"),
        ..Limits::default()
    };
    std::fs::create_dir(folder.path().join("scratch")).unwrap();
    let asked = async |program: &std::path::Path, content: &[u8]| judge(&limits(program), "letter.txt", content).await.map(|_| ());
    assert_eq!(asked(&looks, b"good").await, Ok(()));
    assert_eq!(asked(&looks, b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE").await, Err(Unfit::Infected));
    assert_eq!(asked(&scanner("breaks", "exit 2"), b"good").await, Err(Unfit::Unscanned));
    assert_eq!(asked(&scanner("dies", "kill -9 $$"), b"good").await, Err(Unfit::Unscanned));
    assert_eq!(asked(&scanner("hangs", "exec sleep 600"), b"good").await, Err(Unfit::Unscanned));
    assert_eq!(asked(&folder.path().join("absent"), b"good").await, Err(Unfit::Unscanned));
    assert_eq!(std::fs::read_dir(folder.path().join("scratch")).unwrap().count(), 0, "nothing stays behind");

    // By a form: the sentence, and nothing is kept.
    let (app, ground) = office_app().await;
    let house = House::of(app, ground, |web| web.attachments = limits(&looks)).await;
    let carl = house.signed_in("carl").await;
    let back = weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &[("in.paper", "bad.txt", b"STANDARD-ANTIVIRUS-TEST")]).await;
    assert!(back.status == 422 && back.text().contains("bad.txt is infected"), "{}", back.text());
    let done = weigh(&carl, &[("rev", "1"), ("in.weight", "5")], &[("in.paper", "good.txt", b"good")]).await;
    assert_eq!(done.status, 303, "{}", done.text());
    assert_eq!(Attached::within(&recorded(&house).await["paper"])[0].name, "good.txt");
}
