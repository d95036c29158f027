//! From a mail to what is recorded, without a password: what a link does, for whom, and how often; and everything that it does not do.

use super::{Answer, House, form};
use crate::support::world::{World, all, app_under, moment, rules};
use chrono::TimeDelta;
use duban::app::App;
use duban::app::send::{MailLinks, Post};
use duban::files::mail_frames;
use duban::mail::Address;
use mail_parser::MessageParser;
use std::collections::BTreeSet;
use std::sync::Arc;

const ORIGIN: &str = "https://duban.example.gov.cn";
const OURS: &str = "origin: http://duban";

fn post() -> Post {
    let from = Address::parse("duban@example.com").unwrap();
    let mut post = Post::new(None, mail_frames(None).unwrap(), from, Default::default(), "test".into());
    post.links = Some(MailLinks { origin: ORIGIN.into(), good_for: TimeDelta::hours(72) });
    post
}

/// An office whose reminder of what is late lets the clerk answer, or ask back, from the mail.
async fn office() -> World {
    let linked = |path: &str, text: String| match path {
        "request.yaml" => text.replace("cc: [head], subject", "cc: [head], links: [answer, ask_back], subject"),
        _ => text,
    };
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), "2026-03-02 09:00", rules(linked)).await.unwrap();
    let world = World { app, folder };
    for item in ["1", "2", "3"] {
        world.submit(item).await;
    }
    world
}

/// All that is owed is told, and its mails are written, a day after the due day.
async fn late(world: &World, post: &Post) {
    world.now_is("2026-03-10 09:00");
    let offices = all(&world.app);
    while offices.wake_due(100).await.unwrap().looked_at > 0 {}
    while offices.render_due(post).await.unwrap().more {}
}

/// The mails to somebody, each as its plain text and its HTML.
async fn mails(app: &Arc<App>, person: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for mail in app.store.mails(None, Some(person), "", 100).await.unwrap() {
        let (_, bytes) = app.store.mail(&mail.id).await.unwrap().unwrap();
        let read = MessageParser::default().parse(bytes.as_bytes()).unwrap();
        // As a browser reads an attribute.
        let html = read.body_html(0).unwrap().replace("&#x2f;", "/");
        out.push((read.body_text(0).unwrap().into_owned(), html));
    }
    out
}

/// The paths of the links in a text.
fn links(text: &str) -> Vec<String> {
    let begins = format!("{ORIGIN}/j/");
    let tokens = text.split(&begins).skip(1).map(|rest| rest.chars().take_while(char::is_ascii_hexdigit).collect::<String>());
    tokens.map(|token| format!("/j/{token}")).collect()
}

/// The links of the mail about an item, by what they do: to answer, and to ask back.
async fn about(app: &Arc<App>, number: &str) -> [String; 2] {
    let mails = mails(app, "carl").await;
    let (text, _) = mails.iter().find(|(text, _)| text.contains(&format!("Request {number} "))).expect("a mail about it");
    links(text).try_into().expect("two links")
}

async fn house() -> House {
    let world = office().await;
    late(&world, &post()).await;
    House::open(world, false).await
}

async fn rev(house: &House, item: &str) -> u64 {
    house.app.look(item, None).await.unwrap().unwrap().item.rev
}

/// Words that no page of a link may lack: an element per page, a way out, nothing that runs.
fn is_a_page(answer: &Answer) {
    assert!(answer.body.contains("<h1>") && answer.is_tame(), "{}", answer.body);
    assert_eq!(answer.header("set-cookie"), None, "a link opens no session");
}

#[tokio::test]
async fn from_the_mail_to_a_recorded_fact_in_two_clicks() {
    let house = house().await;
    let [answer, _] = about(&house.app, "2026-001").await;
    let before = rev(&house, "1").await;

    // A scanner, and the person, look as often as they like.
    for method in ["HEAD", "GET", "GET"] {
        let page = house.ask(method, &answer, &[], "").await;
        assert_eq!(page.status, 200, "{method}");
    }
    let page = house.ask("GET", &answer, &[], "").await;
    is_a_page(&page);
    let text = page.text();
    assert!(
        text.contains("In the name of Carl: answer.") && text.contains("Request 1") && text.contains("Nothing is recorded until"),
        "{text}"
    );
    assert_eq!(rev(&house, "1").await, before);

    let done = house.ask("POST", &answer, &[OURS], &form(&[("rev", page.value("rev").unwrap())])).await;
    assert_eq!((done.status, done.to()), (303, &*format!("{answer}?done=1")));
    let page = house.ask("GET", done.to(), &[], "").await;
    is_a_page(&page);
    assert!(
        page.status == 200 && page.text().contains("Recorded") && page.text().contains("Carl: answer, 2026-03-10 09:00"),
        "{}",
        page.text()
    );
    let look = house.app.look("1", None).await.unwrap().unwrap();
    assert_eq!(&*look.item.state, "answered");
    let fact = look.facts.last().unwrap();
    assert_eq!((fact.actor.person.as_deref(), fact.actor.via.as_deref()), (Some("carl"), Some("mail")));

    // Once more, as whoever clicks twice does: said so, and still one fact.
    for (method, body) in [("POST", form(&[("rev", "1")])), ("POST", form(&[("x", "1")])), ("GET", String::new())] {
        let again = house.ask(method, &answer, &[OURS], &body).await;
        is_a_page(&again);
        assert!(again.status == 410 && again.text().contains("This link was used"), "{} {}", again.status, again.text());
    }
    assert_eq!(rev(&house, "1").await, look.item.rev);
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    let used: Vec<_> = trail.iter().filter(|row| row.what == "link_used").collect();
    assert_eq!(used.len(), 1);
    assert_eq!(
        (used[0].person.as_deref(), &used[0].about["item"], &used[0].about["action"]),
        (Some("carl"), &"1".into(), &"answer".into())
    );

    // In Chinese too.
    let page = house.ask("GET", &format!("{answer}?lang=zh-CN"), &[], "").await;
    assert!(page.text().contains("这个链接已经用过了"), "{}", page.text());
}

#[tokio::test]
async fn two_that_send_it_at_once_record_one_fact() {
    let house = house().await;
    let [answer, _] = about(&house.app, "2026-001").await;
    let before = rev(&house, "1").await;
    let body = form(&[("x", "1")]);
    let send = || house.ask("POST", &answer, &[OURS], &body);
    let (a, b, c, d) = tokio::join!(send(), send(), send(), send());
    let sent = [a, b, c, d];
    assert!(sent.iter().all(|answer| [303, 410].contains(&answer.status)), "{:?}", sent.iter().map(|a| a.status).collect::<Vec<_>>());
    assert_eq!(rev(&house, "1").await, before + 1);
    let trail = house.app.audit_trail(None, 100).await.unwrap();
    assert_eq!(trail.iter().filter(|row| row.what == "link_used").count(), 1);
}

#[tokio::test]
async fn no_mail_carries_what_is_anothers() {
    let world = office().await;
    late(&world, &post()).await;
    let mut seen = BTreeSet::new();
    let carls = mails(&world.app, "carl").await;
    assert!(!carls.is_empty());
    for (text, html) in &carls {
        let links = links(text);
        assert!(!links.is_empty() && links.len().is_multiple_of(2), "{text}");
        // The HTML part shows each as a button, and as an address to copy.
        let of_html = self::links(html);
        assert_eq!(of_html.len(), 2 * links.len());
        assert_eq!(links.iter().collect::<BTreeSet<_>>(), of_html.iter().collect(), "both parts say the same");
        assert!(text.contains("Do not forward") || text.contains("请不要转发"), "{text}");
        for link in links {
            let token = link.strip_prefix("/j/").unwrap().to_string();
            let holder = all(&world.app).mail_link(&token).await.unwrap();
            assert_eq!(&*holder.person, "carl");
            assert!(seen.insert(token), "each is its own");
        }
    }
    // The head is only copied in.
    let copies = mails(&world.app, "hu").await;
    assert!(copies.len() == 3 && copies.iter().all(|(text, html)| !text.contains("/j/") && !html.contains("/j/")));
    // The database knows each by its digest.
    let kept = std::fs::read(world.folder.path().join("duban.db")).unwrap();
    let wal = std::fs::read(world.folder.path().join("duban.db-wal")).unwrap_or_default();
    for token in &seen {
        let digest = duban::store::accounts::digest(token);
        let has = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(has(&kept, &digest) || has(&wal, &digest), "its digest is there");
    }
}

#[tokio::test]
async fn an_installation_without_an_address_sends_no_links() {
    let world = office().await;
    let mut without = post();
    without.links = None;
    late(&world, &without).await;
    let carls = mails(&world.app, "carl").await;
    assert!(!carls.is_empty() && carls.iter().all(|(text, html)| !text.contains("/j/") && !html.contains("/j/")));
}

#[tokio::test]
async fn what_is_refused_uses_nothing_up() {
    let house = house().await;
    let [answer, ask] = about(&house.app, "2026-001").await;
    let before = rev(&house, "1").await;
    // The question is missing.
    let page = house.ask("POST", &ask, &[OURS], &form(&[("in.question", " ")])).await;
    is_a_page(&page);
    assert!(page.status == 422 && page.body.contains("id=\"trouble\""), "{} {}", page.status, page.text());
    // It was moved on meanwhile.
    let stale = house.ask("POST", &ask, &[OURS], &form(&[("in.question", "Which bench?"), ("rev", "1")])).await;
    assert!(stale.status == 409 && stale.body.contains("Which bench?"), "{} {}", stale.status, stale.text());
    assert_eq!(rev(&house, "1").await, before);
    let done = house.ask("POST", &ask, &[OURS], &form(&[("in.question", "Which bench?")])).await;
    assert_eq!(done.status, 303, "{}", done.text());

    // What somebody did by the pages is refused to the link, with the sentence.
    let carl = house.signed_in("carl").await;
    assert_eq!(carl.send("/items/1/do/answer", &[]).await.status, 303);
    let page = house.ask("GET", &answer, &[], "").await;
    is_a_page(&page);
    assert!(page.status == 200 && page.text().contains("answered") && !page.body.contains("<form class=\"card form\""), "{}", page.text());
    let now = rev(&house, "1").await;
    let no = house.ask("POST", &answer, &[OURS], "x=1").await;
    assert_eq!(no.status, 409, "{}", no.text());
    assert_eq!(rev(&house, "1").await, now);
    let token = answer.strip_prefix("/j/").unwrap();
    assert_eq!(all(&house.app).mail_link(token).await.unwrap().used_at, None);
}

#[tokio::test]
async fn late_cut_short_and_withdrawn_ones_say_so() {
    let house = house().await;
    let [answer, _] = about(&house.app, "2026-001").await;
    let [second, _] = about(&house.app, "2026-002").await;
    let before = (rev(&house, "1").await, rev(&house, "2").await);
    for bad in ["/j/x", "/j/0000", &answer[..answer.len() - 1], "/j/%E4%B8%AD", "/j/' or 1=1 --"] {
        for (method, body) in [("GET", ""), ("POST", "a=b")] {
            let page = house.ask(method, &bad.replace(' ', "%20"), &[OURS], body).await;
            is_a_page(&page);
            assert!(page.status == 410 && page.text().contains("leads to nothing"), "{bad} {} {}", page.status, page.text());
        }
    }
    // An invitation is no link of a mail, nor the other way round.
    let invitation = house.app.invite(&house.policy, &"hu".into(), None).await.unwrap();
    assert_eq!(house.ask("GET", &format!("/j/{}", invitation.token), &[], "").await.status, 410);
    assert_eq!(house.ask("GET", &answer.replace("/j/", "/welcome/"), &[], "").await.status, 410);
    // From a page of somebody else.
    for from in ["origin: https://evil.example", "x-nothing: 1", "sec-fetch-site: cross-site"] {
        assert_eq!(house.ask("POST", &answer, &[from], "a=b").await.status, 403, "{from}");
    }

    // Whose account is shut off does nothing by a link either.
    house.signed_in("carl").await;
    house.app.disable_account(&"carl".into()).await.unwrap();
    for (method, body) in [("GET", ""), ("POST", "a=b")] {
        let page = house.ask(method, &second, &[OURS], body).await;
        is_a_page(&page);
        assert!([403, 410].contains(&page.status), "{} {}", page.status, page.text());
    }
    assert_eq!((rev(&house, "1").await, rev(&house, "2").await), before);
}

#[tokio::test]
async fn a_link_is_late_after_its_time() {
    let house = house().await;
    let [answer, _] = about(&house.app, "2026-001").await;
    house.app.clock.set(moment("2026-03-13 08:59"));
    assert_eq!(house.ask("GET", &answer, &[], "").await.status, 200);
    house.app.clock.set(moment("2026-03-13 09:00"));
    for (method, body) in [("GET", ""), ("POST", "a=b")] {
        let page = house.ask(method, &answer, &[OURS], body).await;
        is_a_page(&page);
        assert!(page.status == 410 && page.text().contains("too late"), "{} {}", page.status, page.text());
    }
}

#[tokio::test]
async fn whoever_looks_at_what_was_sent_does_not_see_the_tokens() {
    let house = house().await;
    let mut seen = 0;
    for mail in house.app.store.mails(None, Some("carl"), "", 100).await.unwrap() {
        let (_, bytes) = house.app.store.mail(&mail.id).await.unwrap().unwrap();
        let (_, shown) = duban::mail::read_back(&bytes);
        assert!(shown.contains("/j/\u{2026}") && links(&shown).iter().all(|link| link == "/j/"), "{shown}");
        seen += 1;
    }
    assert!(seen > 0);
}
