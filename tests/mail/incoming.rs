//! Messages that come back, as programs and people write them, and as nobody should.

use duban::mail::incoming::{Kind, LARGEST, read};
use proptest::prelude::*;

fn kind(headers: &str, words: &str) -> (Kind, Option<String>) {
    let read = read(format!("{headers}\r\n\r\n{words}").as_bytes()).expect("a message");
    (read.kind, read.status)
}

#[test]
fn what_a_machine_wrote_is_no_answer_of_a_person() {
    let from = "From: a@example.com\r\nIn-Reply-To: <m@duban>\r\nSubject: Re: it";
    assert_eq!(kind(from, "Yes."), (Kind::Reply, None));
    assert_eq!(kind(&format!("{from}\r\nAuto-Submitted: no"), "Yes."), (Kind::Reply, None));
    for line in [
        "Auto-Submitted: auto-replied",
        "auto-submitted: Auto-Generated; owner-email=x",
        "Precedence: bulk",
        "Precedence: auto_reply",
        "X-Autoreply: yes",
        "Return-Path: <>",
    ] {
        assert_eq!(kind(&format!("{from}\r\n{line}"), "I am away."), (Kind::Automatic, None), "{line}");
    }
    for subject in ["自动回复: 您好", "Automatic reply: it", "Out of Office", "=?utf-8?B?6Ieq5Yqo5Zue5aSNOiDmgqjlpb0=?="] {
        assert_eq!(
            kind(&format!("From: a@example.com\r\nIn-Reply-To: <m@duban>\r\nSubject: {subject}"), "x").0,
            Kind::Automatic,
            "{subject}"
        );
    }
    // Some servers say in words alone that they could not deliver.
    let daemon = "From: MAILER-DAEMON@qq.example\r\nSubject: failure";
    assert_eq!(kind(daemon, "550 5.1.1 no such user"), (Kind::Failed, Some("5.1.1".into())));
    assert_eq!(kind(daemon, "Version 5.1 of 2026.01.02"), (Kind::Automatic, None));
}

#[test]
fn what_it_is_about_is_found_wherever_it_stands() {
    let about = |message: &str| read(message.as_bytes()).expect("a message").about;
    assert_eq!(about("From: a@x\r\nIn-Reply-To: <m1@d>\r\nReferences: <r@d>\r\n <m1@d> <m2@d>\r\n\r\nx"), ["<m1@d>", "<r@d>", "<m2@d>"]);
    assert_eq!(about("From: a@x\r\nSubject: s\r\n\r\n> Message-ID: <m3@d>\r\nMessage-ID: <m4@d>"), ["<m4@d>"]);
    let nested = "From: a@x\r\nContent-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <m5@d>\r\nSubject: s\r\n\r\ntext\r\n--b--\r\n";
    assert_eq!(about(nested), ["<m5@d>"]);
}

#[test]
fn a_message_of_any_size_is_cut() {
    let long = format!("From: a@example.com\r\nIn-Reply-To: <m@d>\r\n\r\n{}", "很长".repeat(LARGEST));
    let read = read(long.as_bytes()).expect("a message");
    assert!(read.words.chars().count() <= 8_000 && read.about == ["<m@d>"]);
}

/// A message that is almost one: known beginnings with anything between.
fn nearly_a_message() -> impl Strategy<Value = Vec<u8>> {
    let pieces = prop_oneof![
        Just(b"From: a@example.com\r\n".to_vec()),
        Just(b"In-Reply-To: <m@d>\r\n".to_vec()),
        Just(b"Auto-Submitted: auto-replied\r\n".to_vec()),
        Just(b"Content-Type: multipart/report; report-type=delivery-status; boundary=\"b\"\r\n".to_vec()),
        Just(b"Content-Type: message/delivery-status\r\n\r\n".to_vec()),
        Just(b"Content-Transfer-Encoding: base64\r\n".to_vec()),
        Just(b"Content-Type: message/rfc822\r\n\r\n".to_vec()),
        Just(b"--b\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"Status: 5.1.\r\n".to_vec()),
        Just(b"Action: failed\r\n".to_vec()),
        Just(b"https://d/j/0123456789abcdef".to_vec()),
        Just("=?gb18030?B?1tA=?= \u{4e2d}".as_bytes().to_vec()),
        proptest::collection::vec(any::<u8>(), 0..40),
    ];
    proptest::collection::vec(pieces, 0..30).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn no_bytes_panic_the_reader(bytes in nearly_a_message()) {
        if let Some(read) = read(&bytes) {
            prop_assert_eq!(read.id.len(), 64);
            prop_assert!(read.words.chars().all(|c| c == '\n' || !c.is_control()));
            prop_assert!(!read.words.contains("/j/0123456789abcdef"));
        }
    }
}
