//! The bytes of a mail, read back by a parser that we did not write.

use super::{letter, message, sender};
use duban::kernel::render::Letter;
use duban::mail::{Address, AddressError, ComposeError, Composed, Message, compose};
use mail_parser::{HeaderValue, MessageParser, MimeHeaders};

fn composed(message: &Message) -> Composed {
    compose(&sender(), message).unwrap()
}

fn parsed(composed: &Composed) -> mail_parser::Message<'_> {
    MessageParser::new().parse(composed.bytes.as_bytes()).unwrap()
}

fn text<'m>(message: &'m mail_parser::Message, header: &str) -> Option<&'m str> {
    message.header(header.to_string()).and_then(HeaderValue::as_text)
}

#[test]
fn headers_and_both_parts_arrive_as_they_were_written() {
    let letter = letter();
    let composed = composed(&message(&letter));
    let mail = parsed(&composed);
    assert_eq!(mail.subject(), Some(letter.subject.as_str()));
    let from = mail.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("示范市人大常委会代表工委"), Some("duban@example.gov.cn")));
    assert_eq!(mail.to().unwrap().as_list().unwrap().len(), 1);
    let to = mail.to().unwrap().first().unwrap();
    assert_eq!((to.name(), to.address()), (Some("张三"), Some("zhang@zhujian.example.gov.cn")));
    assert_eq!(mail.reply_to().unwrap().first().unwrap().address(), Some("office@example.gov.cn"));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2026-06-23T00:30:00Z");
    assert_eq!(mail.body_text(0).unwrap().replace("\r\n", "\n"), letter.text);
    assert_eq!(mail.body_html(0).unwrap().replace("\r\n", "\n"), letter.html);
    assert_eq!(mail.content_type().unwrap().subtype(), Some("alternative"));
    assert_eq!((mail.text_body_count(), mail.html_body_count(), mail.attachment_count()), (1, 1, 0));
}

#[test]
fn headers_for_threads_lists_and_answering_machines_are_set() {
    let letter = letter();
    let composed = composed(&message(&letter));
    let mail = parsed(&composed);
    assert_eq!(format!("<{}>", mail.message_id().unwrap()), composed.id);
    assert!(composed.id.starts_with("<2026-087.answer_soon.") && composed.id.ends_with("@duban.example.gov.cn>"), "{}", composed.id);
    assert!(!composed.id.contains("zhang"));
    let root = mail.in_reply_to().as_text().unwrap();
    assert!(root.starts_with("2026-087.") && root.ends_with("@duban.example.gov.cn"), "{root}");
    assert_eq!(mail.references().as_text(), Some(root));
    assert_eq!(text(&mail, "Auto-Submitted"), Some("auto-generated"));
    assert_eq!(text(&mail, "X-Auto-Response-Suppress"), Some("All"));
    assert_eq!(text(&mail, "X-Duban-Item"), Some("2026-087"));
    assert_eq!(text(&mail, "X-Duban-Notice"), Some("answer_soon"));
    assert_eq!(text(&mail, "X-Duban-Reason"), Some("host_officer"));
    assert_eq!(text(&mail, "X-Duban-Rule"), Some("9f2c51"));
    assert!(composed.bytes.contains("<suggestion.duban.example.gov.cn>\r\n"));
    assert!(!composed.bytes.to_lowercase().contains("\r\nprecedence:") && !composed.bytes.to_lowercase().contains("\r\nbcc:"));
}

#[test]
fn the_bytes_are_ascii_in_short_lines_and_encoded_by_part_only() {
    let letter = Letter { text: "长".repeat(5_000) + "\n", ..letter() };
    let bytes = composed(&message(&letter)).bytes;
    assert!(bytes.is_ascii());
    assert!(bytes.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
    let outer = bytes.split("\r\n\r\n").next().unwrap().to_lowercase();
    assert!(!outer.contains("content-transfer-encoding"), "{outer}");
    assert_eq!(bytes.matches("Content-Transfer-Encoding: ").count(), 2);
}

/// A second attempt after a restart has to be the same mail.
#[test]
fn the_same_mail_is_the_same_bytes_and_another_key_is_another_id() {
    let letter = letter();
    assert_eq!(composed(&message(&letter)), composed(&message(&letter)));
    let other = Message { key: "2026-087/answer/1/before_7/0/answer_soon/wang", ..message(&letter) };
    assert_ne!(composed(&other).id, composed(&message(&letter)).id);
    let without_item = Message { item: None, ..message(&letter) };
    let composed = composed(&without_item);
    assert!(parsed(&composed).in_reply_to().as_text().is_none());
}

/// F4: lettre sets no Message-ID unless asked; without one a retry is a second mail.
#[test]
fn a_message_id_is_always_there_whatever_the_names_are() {
    let letter = letter();
    for (item, notice) in [(Some("建议/第一号 <a@b>"), "提醒"), (None, ""), (Some("\r\nBcc: x@y.z"), "a b")] {
        let composed = composed(&Message { item, notice, ..message(&letter) });
        assert!(composed.id.starts_with('<') && composed.id.ends_with('>') && composed.id.matches(['<', '>', '@']).count() == 3);
        assert_eq!(composed.bytes.matches("\r\nMessage-ID: ").count(), 1);
        assert!(parsed(&composed).bcc().is_none());
    }
}

/// F3: a display name with a line break panics inside lettre. It is refused before lettre sees it.
#[test]
fn control_characters_in_names_and_subjects_are_refused_before_lettre() {
    let good = letter();
    for name in ["张三\r\nBcc: all@example.org", "a\nb", "a\rb", "a\0b", "a\u{7f}", "a\u{2028}b", "a\u{85}b"] {
        let error = compose(&sender(), &Message { name, ..message(&good) }).unwrap_err();
        assert!(matches!(error, ComposeError::ControlCharacter { what: "name of the recipient", .. }), "{error}");
        assert!(!error.to_string().contains(['\r', '\n', '\0']));
        let bad = Letter { subject: name.to_string(), ..letter() };
        assert!(compose(&sender(), &message(&bad)).is_err());
        let sender = duban::mail::Sender { name: name.into(), ..sender() };
        assert!(compose(&sender, &message(&good)).is_err());
    }
    assert_eq!(compose(&sender(), &message(&Letter { subject: " ".into(), ..letter() })).unwrap_err(), ComposeError::Empty("subject"));
}

/// F5: nothing that comes from a rule set or a person adds a header.
#[test]
fn no_value_injects_a_header_or_ends_the_message() {
    let letter = Letter { text: "a\r\n.\r\nMAIL FROM:<x@y.z>\r\n\r\nb\0c\u{1b}[31m".into(), ..letter() };
    let composed = composed(&Message { reason: "r\r\nBcc: x@y.z", rules: "a\nX-Evil: 1", notice: "n\r\nTo: x@y.z", ..message(&letter) });
    let mail = parsed(&composed);
    assert!(mail.bcc().is_none() && mail.header("X-Evil").is_none());
    assert_eq!(mail.to().unwrap().as_list().unwrap().len(), 1);
    assert_eq!(mail.body_text(0).unwrap(), "a\r\n.\r\nMAIL FROM:<x@y.z>\r\n\r\nbc[31m");
}

#[test]
fn nasty_but_legal_names_and_subjects_survive_the_round_trip() {
    let long = "很长的单位名称".repeat(30);
    for name in
        ["O'Brien, \"Pat\" <boss>", "李（四）🏛️👩‍👩‍👧", "名 字 with spaces", "a@b.c", "=?utf-8?b?5byg?=", "Doe; Jane:", "\\", &long, "ñ"]
    {
        let letter = Letter { subject: name.to_string(), ..letter() };
        let composed = composed(&Message { name, ..message(&letter) });
        let mail = parsed(&composed);
        let to = mail.to().unwrap().first().unwrap();
        assert_eq!(to.address(), Some("zhang@zhujian.example.gov.cn"), "{name}");
        assert_eq!(mail.to().unwrap().as_list().unwrap().len(), 1, "{name}");
        if !name.starts_with("=?") {
            assert_eq!(to.name(), Some(name));
            assert_eq!(mail.subject(), Some(name));
        }
    }
    let nameless = letter();
    let composed = composed(&Message { name: "", ..message(&nameless) });
    assert_eq!(parsed(&composed).to().unwrap().first().unwrap().name(), None);
}

#[test]
fn addresses_that_some_server_could_not_take_are_refused() {
    for good in ["a@b.cn", "first.last+tag@sub.example.gov.cn", "O'Brien@example.org", "a@localhost"] {
        assert_eq!(Address::parse(good).unwrap().as_str(), good);
    }
    for bad in [
        "",
        "a",
        "@b.cn",
        "a@",
        "a b@c.cn",
        "a@b@c.cn",
        "a@b.cn\r\nRCPT TO:<x@y.z>",
        "\"a b\"@c.cn",
        "<a@b.cn>",
        "a@b.cn,c@d.cn",
        "a@[127.0.0.1]",
    ] {
        let error = Address::parse(bad).unwrap_err();
        assert!(matches!(error, AddressError::Malformed(_)), "{bad}: {error}");
        assert!(!error.to_string().contains(['\r', '\n']));
    }
    for bad in ["张三@example.org", "zhang@例子.中国"] {
        assert!(matches!(Address::parse(bad).unwrap_err(), AddressError::NotAscii(_)));
    }
    let letter = letter();
    let error = compose(&sender(), &Message { address: "zhang@例子.中国", ..message(&letter) }).unwrap_err();
    assert!(matches!(error, ComposeError::Address(AddressError::NotAscii(_))));
}
