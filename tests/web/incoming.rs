//! What comes back about mails: read once from where the mail server puts it, shown to whom it concerns, and acting on nothing.

use super::House;
use crate::support::world::{World, all, app_under, command, rules};
use duban::app::incoming::TakenIn;
use duban::app::send::Post;
use duban::files::mail_frames;
use duban::mail::{Address, Maildir};
use std::path::Path;

/// An office whose mail to Ann, that her request is answered, was written; with its Message-ID.
async fn office() -> (World, String) {
    let administrator = |path: &str, text: String| match path {
        "directory.yaml" => text.replace("groups: [heads]", "groups: [heads, system_administrators]"),
        _ => text,
    };
    let folder = tempfile::tempdir().unwrap();
    let app = app_under(folder.path(), "2026-03-02 10:00", rules(administrator)).await.unwrap();
    let world = World { app, folder };
    world.submit("1").await;
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    let post = Post::new(None, mail_frames(None).unwrap(), Address::parse("duban@example.com").unwrap(), Default::default(), "test".into());
    while all(&world.app).render_due(&post).await.unwrap().more {}
    let mail = world.app.store.mails(None, Some("ann"), "", 10).await.unwrap().remove(0);
    (world, mail.id)
}

fn report(id: &str, mail: &str, action: &str, status: &str) -> String {
    format!(
        "From: Mail Delivery System <MAILER-DAEMON@mx.example.com>\r\nTo: duban@example.com\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         Message-ID: {id}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n\r\n\
         --b\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nI am sorry to have to inform you.\r\n\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.com\r\n\r\n\
         Final-Recipient: rfc822; ann@example.com\r\nAction: {action}\r\nStatus: {status}\r\n\
         Diagnostic-Code: smtp; 550 {status} <ann@example.com>: User unknown\r\n in virtual mailbox table\r\n\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: duban@example.com\r\nMessage-ID: {mail}\r\nSubject: x\r\n\r\n--b--\r\n"
    )
}

fn answer(id: &str, mail: &str, more: &str, words: &str) -> String {
    format!(
        "From: Ann <ann@example.com>\r\nTo: duban@example.com\r\nSubject: Re: it\r\nMessage-ID: {id}\r\nIn-Reply-To: {mail}\r\n{more}\
         Content-Type: text/plain; charset=utf-8\r\n\r\n{words}\r\n"
    )
}

/// A Message-ID as a part of an address.
fn encoded(id: &str) -> String {
    id.replace('%', "%25").replace('<', "%3C").replace('>', "%3E").replace('@', "%40").replace('/', "%2F")
}

fn deliver(folder: &Path, name: &str, message: &str) {
    std::fs::write(folder.join("new").join(name), message).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_message_is_taken_in_once_and_stays_in_the_mailbox() {
    let (world, mail) = office().await;
    let folder = world.folder.path().join("inbox");
    let inbox = Maildir::open(&folder).unwrap();
    deliver(&folder, "1.a", &report("<r1@mx>", &mail, "failed", "5.1.1"));
    deliver(&folder, "2.b", &report("<r2@mx>", &mail, "delayed", "4.4.1"));
    deliver(&folder, "3.c", &answer("<r3@x>", &mail, "Auto-Submitted: auto-replied\r\n", "I am away."));
    deliver(&folder, "4.d", &answer("<r4@x>", &mail, "", "谢谢，收到了。"));
    deliver(&folder, "5.e", &answer("<r5@x>", "<nothing@of.ours>", "", "Hello?"));
    deliver(&folder, "6.f", "\u{0}\u{1}\u{2}");
    deliver(&folder, ".hidden", "x");
    let offices = all(&world.app);
    let taken = offices.read_maildir(&inbox).await.unwrap();
    assert_eq!(taken, TakenIn { failed: 1, delayed: 1, automatic: 1, replies: 1, known: 0, strange: 2 });
    assert_eq!(names(&folder.join("new")), [".hidden"]);
    assert_eq!(names(&folder.join("cur")), ["1.a:2,S", "2.b:2,S", "3.c:2,S", "4.d:2,S", "5.e:2,S", "6.f:2,S"]);
    assert_eq!(offices.read_maildir(&inbox).await.unwrap(), TakenIn::default());

    // Delivered twice, or read by a process that died before it was moved: one all the same.
    deliver(&folder, "7.g", &report("<r1@mx>", &mail, "failed", "5.1.1"));
    assert_eq!(offices.read_maildir(&inbox).await.unwrap(), TakenIn { known: 1, ..TakenIn::default() });
    let kept = world.app.store.incoming_of(std::slice::from_ref(&mail)).await.unwrap();
    let mut kinds: Vec<(&str, Option<&str>)> = kept.iter().map(|message| (message.kind.as_str(), message.status.as_deref())).collect();
    kinds.sort();
    assert_eq!(kinds, [("automatic", None), ("delayed", Some("4.4.1")), ("failed", Some("5.1.1")), ("reply", None)]);
    let failed = kept.iter().find(|message| message.kind == "failed").unwrap();
    assert!(failed.words.starts_with("smtp; 550 5.1.1 <ann@example.com>: User unknown in virtual mailbox table"), "{}", failed.words);
    // Nothing of it happened to the item.
    assert_eq!(world.app.look("1", None).await.unwrap().unwrap().item.rev, 2);
}

#[tokio::test]
async fn an_address_that_mails_do_not_reach_is_listed_until_it_is_seen_to() {
    let (world, mail) = office().await;
    let mut taken = TakenIn::default();
    for message in [
        report("<r1@mx>", &mail, "failed", "5.1.1"),
        answer("<r3@x>", &mail, "Auto-Submitted: auto-replied\r\n", "I am away."),
        answer("<r4@x>", &mail, "", "<script>alert(1)</script> seen at https://duban.example/j/0123456789abcdef0123456789abcdef"),
    ] {
        all(&world.app).take_in(message.as_bytes(), &mut taken).await.unwrap();
    }
    let house = House::open(world, true).await;
    let head = house.signed_in("hu").await;
    for path in ["/outbox", "/system"] {
        let page = head.get(path).await;
        let text = page.text();
        assert!(
            page.status == 200 && text.contains("Addresses that mails do not reach: 1") && text.contains("ann@example.com"),
            "{path}: {text}"
        );
    }
    let shown = head.get(&format!("/outbox/mails/{}", encoded(&mail))).await;
    let text = shown.text();
    for words in [
        "What came back",
        "Not delivered",
        "User unknown",
        "Automatic reply (it counts as no answer)",
        "Reply",
        "<script>alert(1)</script>",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(shown.is_tame() && !text.contains("0123456789abcdef"), "{text}");
    let item = head.get("/items/1").await.text();
    assert!(item.contains("Not delivered") && item.contains("Replies by mail: 1"), "{item}");

    let settled = head.send("/outbox/change", &[("do", "settle"), ("address", "ann@example.com")]).await;
    assert_eq!((settled.status, settled.to()), (303, "/outbox?changed=1"));
    assert!(!head.get("/system").await.text().contains("Addresses that mails do not reach"));
    assert!(head.get(&format!("/outbox/mails/{}", encoded(&mail))).await.text().contains("seen to on"));
}
