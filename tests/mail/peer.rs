//! The end-to-end run against a server that we did not write: Python's aiosmtpd 1.4.6, read back with Python's own mail parser.
//! Where Python or aiosmtpd is missing these tests fail and say what to install.

use super::{at, letter, message, sender};
use crate::support::smtp::{CERTIFICATE, KEY};
use duban::mail::smtp::{Encryption, Limits, Login, Server, Smtp};
use duban::mail::{Address, Message, Outcome, Parcel, Phase, Transport, compose};
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

struct Peer {
    port: u16,
    process: Child,
    /// Closing it ends the server.
    _input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    fn start(mode: &str) -> Peer {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/peer.py");
        let mut process = Command::new("python3")
            .args(["-W", "ignore", script, mode, CERTIFICATE, KEY])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this test needs python3 on the path");
        let (input, output) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut peer = Peer { port: 0, process, _input: input, output: BufReader::new(output) };
        let line = peer.line();
        peer.port = line.trim().parse().expect("the server did not start; this test needs `python3 -m pip install aiosmtpd==1.4.6`");
        peer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line
    }

    /// The next mail that it accepted.
    fn mail(&mut self) -> Value {
        serde_json::from_str(&self.line()).unwrap()
    }

    fn transport(&self, encryption: Encryption, login: Option<(&str, &str)>) -> Transport {
        let server = Server {
            host: "localhost".into(),
            port: self.port,
            encryption,
            login: login.map(|(user, password)| Login { user: user.into(), password: password.into() }),
            extra_root: Some(std::fs::read(CERTIFICATE).unwrap()),
            hello_name: None,
        };
        Transport::Smtp(Box::new(Smtp::new(server, Limits::default()).unwrap()))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn send(transport: &Transport, message: &Message<'_>) -> Outcome {
    let composed = compose(&sender(), message).unwrap();
    let from = sender().address;
    let parcel = Parcel { id: &composed.id, from: &from, to: &composed.to, at: at(), bytes: composed.bytes.as_bytes() };
    transport.send(&parcel).await
}

#[tokio::test]
async fn an_independent_server_reads_what_we_wrote() {
    let mut peer = Peer::start("none");
    let transport = peer.transport(Encryption::None, None);
    let letter = letter();
    for number in 0..3 {
        let key = format!("key {number}");
        let outcome = send(&transport, &Message { key: &key, ..message(&letter) }).await;
        assert_eq!(outcome, Outcome::Sent { reply: "250 kept".into() });
        let mail = peer.mail();
        assert_eq!(mail["defects"], serde_json::json!([]));
        assert_eq!((&mail["from"], &mail["to"]), (&"duban@example.gov.cn".into(), &serde_json::json!(["zhang@zhujian.example.gov.cn"])));
        assert_eq!(mail["headers"]["Subject"], letter.subject.as_str());
        assert_eq!(mail["headers"]["From"], "示范市人大常委会代表工委 <duban@example.gov.cn>");
        assert_eq!(mail["headers"]["To"], "张三 <zhang@zhujian.example.gov.cn>");
        assert_eq!(mail["headers"]["Date"], "Tue, 23 Jun 2026 00:30:00 +0000");
        assert_eq!(mail["headers"]["List-Id"], "代表建议办理提醒 <suggestion.duban.example.gov.cn>");
        assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
        assert_eq!(mail["headers"]["In-Reply-To"], mail["headers"]["References"]);
        assert_eq!((&mail["type"], &mail["encrypted"]), (&"multipart/alternative".into(), &false.into()));
        // Python reads line ends as they are sent, and a dot that was doubled on the way is single again.
        assert_eq!(mail["text"].as_str().unwrap().replace("\r\n", "\n"), letter.text);
        assert_eq!(mail["html"].as_str().unwrap().replace("\r\n", "\n"), letter.html);
    }
    transport.rest().await;
}

#[tokio::test]
async fn an_unknown_mailbox_is_refused_and_the_next_is_served() {
    let mut peer = Peer::start("none");
    let transport = peer.transport(Encryption::None, None);
    let letter = letter();
    let outcome = send(&transport, &Message { address: "nobody@example.org", ..message(&letter) }).await;
    assert_eq!(outcome, Outcome::Refused { phase: Phase::Recipient, reply: "550 5.1.1 no such user".into() });
    assert!(matches!(send(&transport, &message(&letter)).await, Outcome::Sent { .. }));
    assert_eq!(peer.mail()["to"][0], "zhang@zhujian.example.gov.cn");
}

#[tokio::test]
async fn starttls_and_a_password_are_used_where_the_server_wants_them() {
    let mut peer = Peer::start("starttls");
    let letter = letter();
    for (encryption, login, phase) in [
        (Encryption::None, None, Phase::Mail),
        (Encryption::Required, None, Phase::Mail),
        (Encryption::Required, Some(("duban", "wrong")), Phase::Auth),
    ] {
        let outcome = send(&peer.transport(encryption, login), &message(&letter)).await;
        assert!(matches!(&outcome, Outcome::Deferred { phase: stopped, .. } if *stopped == phase), "{outcome:?}");
        assert!(outcome.concerns_all());
    }
    let transport = peer.transport(Encryption::Required, Some(("duban", "密码 secret")));
    assert_eq!(send(&transport, &message(&letter)).await, Outcome::Sent { reply: "250 kept".into() });
    let mail = peer.mail();
    assert_eq!((&mail["encrypted"], &mail["user"]), (&true.into(), &"duban".into()));
    assert_eq!(mail["headers"]["Subject"], letter.subject.as_str());
}

#[tokio::test]
async fn encryption_from_the_first_byte_works_with_a_certificate_that_we_trust() {
    let mut peer = Peer::start("implicit");
    let letter = letter();
    let transport = peer.transport(Encryption::FromStart, Some(("duban", "密码 secret")));
    for number in 0..2 {
        let key = format!("key {number}");
        let outcome = send(&transport, &Message { key: &key, ..message(&letter) }).await;
        assert_eq!(outcome, Outcome::Sent { reply: "250 kept".into() });
        assert_eq!(peer.mail()["encrypted"], true);
    }
    let untrusted = Server { extra_root: None, ..Server::parse(&format!("smtps://localhost:{}", peer.port), None).unwrap() };
    let (from, to) = (sender().address, Address::parse("a@b.cn").unwrap());
    let parcel = Parcel { id: "<a@b.cn>", from: &from, to: &to, at: at(), bytes: b"Subject: x\r\n\r\nx\r\n" };
    let outcome = Smtp::new(untrusted, Limits::default()).unwrap().send(&parcel).await;
    assert!(matches!(outcome, Outcome::Deferred { phase: Phase::Tls, .. }), "{outcome:?}");
}
