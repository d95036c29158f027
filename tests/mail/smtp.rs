//! Every phase of handing a mail over, with a server that misbehaves there. Sent must mean sent.

use super::{Envelope, envelope};
use crate::support::smtp::{Act, At, CERTIFICATE, Sink, Step, closed_port};
use duban::mail::smtp::{CONNECTIONS, Encryption, Limits, Login, Server, ServerError, Smtp};
use duban::mail::{Outcome, Phase};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Long enough for every answer that comes, however busy the machine.
const PATIENT: Duration = Duration::from_secs(60);
/// Waited out where no answer comes.
const IMPATIENT: Duration = Duration::from_millis(1500);

fn server(port: u16, encryption: Encryption) -> Server {
    Server {
        host: "localhost".into(),
        port,
        encryption,
        login: None,
        extra_root: Some(std::fs::read(CERTIFICATE).unwrap()),
        hello_name: Some("duban.example.gov.cn".into()),
    }
}

fn plain(port: u16, limits: Limits) -> Smtp {
    Smtp::new(Server { host: "127.0.0.1".into(), ..server(port, Encryption::None) }, limits).unwrap()
}

/// The limits with an impatient one for where the server falls silent.
fn impatient_at(step: Step) -> Limits {
    let mut limits = Limits::all(PATIENT);
    match step {
        Step::Greeting | Step::Ehlo => limits.greeting = IMPATIENT,
        Step::StartTls | Step::Handshake => limits.tls = IMPATIENT,
        Step::Auth => limits.auth = IMPATIENT,
        Step::Mail => limits.mail = IMPATIENT,
        Step::Rcpt => limits.recipient = IMPATIENT,
        Step::Data => limits.data = IMPATIENT,
        Step::InData => limits.block = IMPATIENT,
        // The limit of the block runs on until it is seen that the dot is out.
        Step::AfterDot => (limits.block, limits.dot) = (IMPATIENT, IMPATIENT),
        Step::Quit => limits.quit = IMPATIENT,
    }
    limits
}

/// What became of it, in one word and the phase.
fn told(outcome: &Outcome) -> (&'static str, Option<Phase>) {
    match outcome {
        Outcome::Sent { .. } => ("sent", None),
        Outcome::Refused { phase, .. } => ("refused", Some(*phase)),
        Outcome::Deferred { phase, .. } => ("deferred", Some(*phase)),
        Outcome::Unknown { .. } => ("unknown", None),
    }
}

/// A misbehaviour at a step, and what is to become of the mail that meets it.
#[derive(Clone, Copy, Debug)]
struct Case {
    step: Step,
    act: Act,
    expected: (&'static str, Option<Phase>),
    /// More bytes than the sockets on both sides hold.
    large: bool,
}

/// Plays the case, then lets the server behave: the next mail over the same transport is judged by its own reply and by no other.
async fn play(case: Case) {
    let Case { step, act, expected, large } = case;
    let misbehaving = Arc::new(AtomicBool::new(true));
    let still = misbehaving.clone();
    let script = move |at: At| if at.step == step && still.load(Ordering::SeqCst) { act } else { Act::Behave };
    let encrypted = matches!(step, Step::StartTls | Step::Handshake);
    let sink = if encrypted { Sink::start_with_tls(script).await } else { Sink::start(script).await };
    let mut server = server(sink.port, if encrypted { Encryption::Required } else { Encryption::None });
    if step == Step::Auth {
        server.login = Some(Login { user: "duban".into(), password: "secret".into() });
    }
    let limits = if matches!(act, Act::Silence | Act::Late) { impatient_at(step) } else { Limits::all(PATIENT) };
    let smtp = Smtp::new(server, limits).unwrap();

    let mut first = envelope(1);
    if large {
        first.bytes = format!("{}\r\n", "x".repeat(70)).repeat(500_000).into_bytes();
    }
    let outcome = smtp.send(&first.parcel()).await;
    assert_eq!(told(&outcome), expected, "{case:?}: {outcome:?}");
    if let (Act::Say(said), Outcome::Refused { reply, .. } | Outcome::Deferred { why: reply, .. }) = (act, &outcome) {
        assert!(step == Step::Handshake || reply.contains(&said[..3]), "{case:?}: {reply}");
    }

    misbehaving.store(false, Ordering::SeqCst);
    let next = smtp.send(&envelope(2).parcel()).await;
    let Outcome::Sent { reply } = &next else { panic!("{case:?}, the next mail: {next:?}") };
    let accepted = sink.accepted();
    let last = accepted.last().unwrap();
    assert!(last.data.contains("Subject: mail 2"), "{case:?}: {last:?}");
    let number: usize = reply.strip_prefix("250 accepted as ").unwrap_or_else(|| panic!("{case:?}: {reply}")).parse().unwrap();
    assert_eq!(number, last.number, "{case:?}: another mail's reply");
}

#[tokio::test]
async fn what_becomes_of_a_mail_at_every_phase_and_misbehaviour() {
    use Act::{Cut, Late, Say, Silence, Slow};
    use Phase::{Auth, Body, Data, Dot, Greeting, Mail, Recipient, Tls};
    let table = [
        (Step::Greeting, Say("421 busy"), "deferred", Some(Greeting)),
        (Step::Greeting, Say("554 go away"), "deferred", Some(Greeting)),
        (Step::Greeting, Say("hello?"), "deferred", Some(Greeting)),
        (Step::Greeting, Silence, "deferred", Some(Greeting)),
        (Step::Greeting, Late, "deferred", Some(Greeting)),
        (Step::Greeting, Cut, "deferred", Some(Greeting)),
        (Step::Greeting, Slow, "sent", None),
        (Step::Ehlo, Say("421 busy"), "deferred", Some(Greeting)),
        (Step::Ehlo, Say("502 unknown"), "deferred", Some(Greeting)),
        (Step::Ehlo, Silence, "deferred", Some(Greeting)),
        (Step::Ehlo, Late, "deferred", Some(Greeting)),
        (Step::Ehlo, Cut, "deferred", Some(Greeting)),
        (Step::Ehlo, Slow, "sent", None),
        (Step::StartTls, Say("454 not now"), "deferred", Some(Tls)),
        (Step::StartTls, Say("502 unknown"), "deferred", Some(Tls)),
        (Step::StartTls, Silence, "deferred", Some(Tls)),
        (Step::StartTls, Cut, "deferred", Some(Tls)),
        (Step::StartTls, Slow, "sent", None),
        (Step::Handshake, Say("this is not TLS at all"), "deferred", Some(Tls)),
        (Step::Handshake, Silence, "deferred", Some(Tls)),
        (Step::Handshake, Cut, "deferred", Some(Tls)),
        (Step::Auth, Say("454 not now"), "deferred", Some(Auth)),
        (Step::Auth, Say("535 wrong password"), "deferred", Some(Auth)),
        (Step::Auth, Say("250 what was the question"), "deferred", Some(Auth)),
        (Step::Auth, Silence, "deferred", Some(Auth)),
        (Step::Auth, Cut, "deferred", Some(Auth)),
        (Step::Mail, Say("451 later"), "deferred", Some(Mail)),
        (Step::Mail, Say("421 closing"), "deferred", Some(Mail)),
        (Step::Mail, Say("550 not from you"), "deferred", Some(Mail)),
        (Step::Mail, Say("354 go on"), "deferred", Some(Mail)),
        (Step::Mail, Silence, "deferred", Some(Mail)),
        (Step::Mail, Late, "deferred", Some(Mail)),
        (Step::Mail, Cut, "deferred", Some(Mail)),
        (Step::Mail, Slow, "sent", None),
        (Step::Rcpt, Say("450 mailbox busy"), "deferred", Some(Recipient)),
        (Step::Rcpt, Say("550 no such user"), "refused", Some(Recipient)),
        (Step::Rcpt, Say("354 go on"), "deferred", Some(Recipient)),
        (Step::Rcpt, Say("251 forwarded"), "sent", None),
        (Step::Rcpt, Silence, "deferred", Some(Recipient)),
        (Step::Rcpt, Late, "deferred", Some(Recipient)),
        (Step::Rcpt, Cut, "deferred", Some(Recipient)),
        (Step::Rcpt, Slow, "sent", None),
        (Step::Data, Say("451 later"), "deferred", Some(Data)),
        (Step::Data, Say("554 no"), "refused", Some(Data)),
        (Step::Data, Say("250 ok"), "deferred", Some(Data)),
        (Step::Data, Silence, "deferred", Some(Data)),
        (Step::Data, Late, "deferred", Some(Data)),
        (Step::Data, Cut, "deferred", Some(Data)),
        (Step::Data, Slow, "sent", None),
        // A small mail fits into the sockets, so the client cannot see whether its dot was read before the end.
        (Step::InData, Cut, "unknown", None),
        (Step::InData, Slow, "sent", None),
        (Step::AfterDot, Say("451 later"), "deferred", Some(Dot)),
        (Step::AfterDot, Say("554 content refused"), "refused", Some(Dot)),
        (Step::AfterDot, Say("354 go on"), "unknown", None),
        (Step::AfterDot, Say("252 perhaps"), "unknown", None),
        (Step::AfterDot, Say("ok"), "unknown", None),
        (Step::AfterDot, Say("25"), "unknown", None),
        (Step::AfterDot, Silence, "unknown", None),
        (Step::AfterDot, Late, "unknown", None),
        (Step::AfterDot, Cut, "unknown", None),
        (Step::AfterDot, Slow, "sent", None),
    ];
    let mut cases: Vec<_> = table.map(|(step, act, word, phase)| Case { step, act, expected: (word, phase), large: false }).to_vec();
    cases.push(Case { step: Step::InData, act: Cut, expected: ("deferred", Some(Body)), large: true });
    cases.push(Case { step: Step::InData, act: Silence, expected: ("deferred", Some(Body)), large: true });
    let mut playing = tokio::task::JoinSet::new();
    for case in cases {
        playing.spawn(play(case));
    }
    while let Some(played) = playing.join_next().await {
        played.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_defers() {
    let port = closed_port().await;
    let outcome = plain(port, Limits::all(PATIENT)).send(&envelope(1).parcel()).await;
    assert!(matches!(&outcome, Outcome::Deferred { phase: Phase::Connect, .. }) && outcome.concerns_all(), "{outcome:?}");
    let nowhere = Server { host: "nowhere.invalid".into(), ..server(25, Encryption::None) };
    let outcome = Smtp::new(nowhere, Limits::all(PATIENT)).unwrap().send(&envelope(1).parcel()).await;
    assert!(matches!(&outcome, Outcome::Deferred { phase: Phase::Connect, .. }), "{outcome:?}");
}

/// F2: after a time-out lettre's pool reads every reply one step late, so that a refused mail counts as sent.
#[tokio::test]
async fn a_refused_mail_never_counts_as_sent_after_one_that_timed_out() {
    let script = |at: At| match (at.step, at.mail) {
        (Step::AfterDot, 0) => Act::Late,
        (Step::AfterDot, 1) => Act::Say("554 refused"),
        _ => Act::Behave,
    };
    let sink = Sink::start(script).await;
    let smtp = plain(sink.port, impatient_at(Step::AfterDot));
    assert!(matches!(smtp.send(&envelope(0).parcel()).await, Outcome::Unknown { .. }));
    assert_eq!(smtp.send(&envelope(1).parcel()).await, Outcome::Refused { phase: Phase::Dot, reply: "554 refused".into() });
    assert!(matches!(smtp.send(&envelope(2).parcel()).await, Outcome::Sent { .. }));
    assert_eq!(sink.connections(), 3);
}

/// The same for a send that is dropped in the middle, as at shutdown.
#[tokio::test]
async fn a_send_that_was_dropped_leaves_no_reply_for_the_next() {
    let sink = Sink::start(|at: At| if at.step == Step::AfterDot && at.mail == 1 { Act::Silence } else { Act::Behave }).await;
    let smtp = plain(sink.port, Limits::all(PATIENT));
    assert!(matches!(smtp.send(&envelope(0).parcel()).await, Outcome::Sent { .. }));
    assert!(tokio::time::timeout(IMPATIENT, smtp.send(&envelope(1).parcel())).await.is_err());
    assert_eq!(smtp.send(&envelope(2).parcel()).await, Outcome::Sent { reply: "250 accepted as 2".into() });
    assert_eq!(sink.connections(), 2);
}

#[tokio::test]
async fn one_connection_carries_many_mails_and_is_closed_with_a_goodbye() {
    let sink = Sink::start(|_| Act::Behave).await;
    let smtp = plain(sink.port, Limits::all(PATIENT));
    for number in 0..20 {
        assert_eq!(smtp.send(&envelope(number).parcel()).await, Outcome::Sent { reply: format!("250 accepted as {number}") });
    }
    smtp.close_kept().await;
    assert_eq!((sink.connections(), sink.accepted().len(), sink.quits()), (1, 20, 1));
    for (number, mail) in sink.accepted().iter().enumerate() {
        // One envelope, one recipient (F6), and the bytes arrive as they were given.
        assert_eq!(
            (mail.from.as_str(), mail.to.as_slice()),
            ("MAIL FROM:<duban@example.gov.cn>", &["RCPT TO:<zhang@example.org>".to_string()][..])
        );
        let sent = String::from_utf8(envelope(number).bytes).unwrap();
        assert_eq!(mail.data.strip_suffix("\r\n").unwrap_or_default(), sent);
    }
}

#[tokio::test]
async fn a_kept_connection_that_the_server_gave_up_costs_no_attempt() {
    let gives_up = |at: At| match at {
        At { step: Step::Mail, connection: 0, mail: 1 } => Act::Say("421 idle too long"),
        At { step: Step::Mail, connection: 1, mail: 3 } => Act::Cut,
        _ => Act::Behave,
    };
    let sink = Sink::start(gives_up).await;
    let smtp = plain(sink.port, Limits::all(PATIENT));
    for number in 0..4 {
        let outcome = smtp.send(&envelope(number).parcel()).await;
        assert!(matches!(outcome, Outcome::Sent { .. }), "{number}: {outcome:?}");
    }
    assert_eq!((sink.connections(), sink.accepted().len()), (3, 4));
}

/// A reply that nobody asked for shifts all that follow; the strict codes notice, and the mail is not lost.
#[tokio::test]
async fn an_extra_reply_cannot_make_the_next_mail_look_sent() {
    for extra in ["250 ok\r\n250 ok", "250 ok\r\n250 ok\r\n354 go on\r\n250 accepted"] {
        let sink = Sink::start(move |at: At| match (at.step, at.mail) {
            (Step::AfterDot, 0) => Act::Say(extra),
            (Step::AfterDot, 1) => Act::Say("554 refused"),
            _ => Act::Behave,
        })
        .await;
        let smtp = plain(sink.port, Limits::all(PATIENT));
        assert!(matches!(smtp.send(&envelope(0).parcel()).await, Outcome::Sent { .. }));
        let second = smtp.send(&envelope(1).parcel()).await;
        assert!(!matches!(second, Outcome::Sent { .. }), "{extra:?}: {second:?}");
    }
}

#[tokio::test]
async fn there_are_never_more_than_four_connections() {
    let sink = Sink::start(|_| Act::Slow).await;
    let smtp = Arc::new(plain(sink.port, Limits::all(PATIENT)));
    let mut sending = tokio::task::JoinSet::new();
    for number in 0..40 {
        let smtp = smtp.clone();
        sending.spawn(async move {
            let envelope: Envelope = envelope(number);
            smtp.send(&envelope.parcel()).await
        });
    }
    while let Some(sent) = sending.join_next().await {
        assert!(matches!(sent.unwrap(), Outcome::Sent { .. }));
    }
    assert_eq!(sink.accepted().len(), 40);
    assert!(sink.most_open() <= CONNECTIONS, "{}", sink.most_open());
}

#[tokio::test]
async fn encryption_is_required_checked_and_never_given_up_quietly() {
    // Not offered.
    let sink = Sink::start(|_| Act::Behave).await;
    let required = Smtp::new(server(sink.port, Encryption::Required), Limits::all(PATIENT)).unwrap();
    assert_eq!(told(&required.send(&envelope(1).parcel()).await), ("deferred", Some(Phase::Tls)));
    let opportunistic = Smtp::new(server(sink.port, Encryption::Opportunistic), Limits::all(PATIENT)).unwrap();
    assert_eq!(told(&opportunistic.send(&envelope(1).parcel()).await), ("sent", None));
    // The password does not go out in the clear unless the settings say so.
    let login = Some(Login { user: "duban".into(), password: "secret".into() });
    let with_login = Server { login: login.clone(), ..server(sink.port, Encryption::Opportunistic) };
    let outcome = Smtp::new(with_login, Limits::all(PATIENT)).unwrap().send(&envelope(1).parcel()).await;
    assert_eq!(told(&outcome), ("deferred", Some(Phase::Auth)));
    assert_eq!(sink.accepted().len(), 1);

    // Offered, by a server whose certificate we trust.
    let sink = Sink::start_with_tls(|_| Act::Behave).await;
    let with_login = Server { login, ..server(sink.port, Encryption::Opportunistic) };
    let outcome = Smtp::new(with_login, Limits::all(PATIENT)).unwrap().send(&envelope(1).parcel()).await;
    assert_eq!(told(&outcome), ("sent", None));
    assert!(sink.accepted()[0].encrypted && sink.accepted()[0].login.is_some());

    // By one whose certificate nobody vouches for, or that has another name.
    let unknown = Server { extra_root: None, ..server(sink.port, Encryption::Opportunistic) };
    let outcome = Smtp::new(unknown, Limits::all(PATIENT)).unwrap().send(&envelope(1).parcel()).await;
    assert_eq!(told(&outcome), ("deferred", Some(Phase::Tls)));
    let other_name = Server { host: "127.0.0.1".into(), ..server(sink.port, Encryption::Required) };
    let outcome = Smtp::new(other_name, Limits::all(PATIENT)).unwrap().send(&envelope(1).parcel()).await;
    assert_eq!(told(&outcome), ("deferred", Some(Phase::Tls)));
    assert_eq!(sink.accepted().len(), 1);
}

/// Whoever sits between us and a server can add to what it says in the clear, and not to what it says under encryption: answers that were
/// put behind its 220 to STARTTLS are answers to nothing.
#[tokio::test]
async fn what_is_said_before_encryption_begins_answers_no_later_question() {
    const ANSWERS: &str = "250 sink\r\n250 sender ok\r\n250 recipient ok\r\n354 go on\r\n250 accepted";
    for encryption in [Encryption::Required, Encryption::Opportunistic] {
        let (sink, dial) = Sink::on_wires(|at: At| if at.step == Step::Handshake { Act::Say(ANSWERS) } else { Act::Behave }, true);
        let smtp = Smtp::over(dial, server(25, encryption), Limits::all(PATIENT)).unwrap();
        let outcome = smtp.send(&envelope(0).parcel()).await;
        assert!(matches!(outcome, Outcome::Deferred { phase: Phase::Tls, .. }), "{outcome:?}");
        assert_eq!(sink.count(), 0);
    }
}

#[tokio::test]
async fn a_server_that_does_not_stop_talking_is_not_listened_to_for_ever() {
    let (_sink, dial) = Sink::on_wires(|at: At| if at.step == Step::Mail { Act::Flood } else { Act::Behave }, false);
    let smtp = Smtp::over(dial, server(25, Encryption::None), Limits::all(PATIENT)).unwrap();
    let outcome = smtp.send(&envelope(0).parcel()).await;
    let Outcome::Deferred { phase: Phase::Mail, why } = &outcome else { panic!("{outcome:?}") };
    assert!(why.contains("does not stop talking"), "{why}");
}

#[test]
fn the_servers_url_says_everything_and_hides_the_password() {
    let server = Server::parse("smtp://office%40b.cn:p%40ss%3A@mail.example.cn", None).unwrap();
    assert_eq!((server.host.as_str(), server.port, server.encryption), ("mail.example.cn", 587, Encryption::Required));
    let login = server.login.as_ref().unwrap();
    assert_eq!((login.user.as_str(), login.password.as_str()), ("office@b.cn", "p@ss:"));
    assert!(!format!("{server} {server:?}").contains("p@ss"));
    let port = |url: &str| Server::parse(url, None).map(|server| (server.host, server.port, server.encryption));
    assert_eq!(port("smtps://mail.example.cn"), Ok(("mail.example.cn".into(), 465, Encryption::FromStart)));
    assert_eq!(port("smtp://localhost?tls=opportunistic"), Ok(("localhost".into(), 25, Encryption::Opportunistic)));
    assert_eq!(port("smtp://127.0.0.1:2525/?tls=none"), Ok(("127.0.0.1".into(), 2525, Encryption::None)));
    assert_eq!(port("smtp://[::1]:2525?tls=required"), Ok(("::1".into(), 2525, Encryption::Required)));
    let from_file = Server::parse("smtp://office@mail.example.cn", Some("from file\n")).unwrap();
    assert_eq!(from_file.login.unwrap().password, "from file");
    for (url, error) in [
        ("http://mail.example.cn", ServerError::Scheme("http".into())),
        ("smtp:///?tls=none", ServerError::NoHost),
        ("smtp://a?tls=maybe", ServerError::Tls("maybe".into())),
        ("smtp://a?tsl=none", ServerError::Unknown("tsl".into())),
        ("smtps://a?tls=none", ServerError::Unknown("tls".into())),
        ("smtp://a/path", ServerError::Unknown("/path".into())),
        ("smtp://user@a", ServerError::NoPassword),
        ("smtp://:secret@a", ServerError::NoUser),
    ] {
        assert_eq!(Server::parse(url, None).unwrap_err(), error, "{url}");
    }
    assert!(matches!(Server::parse("mail.example.cn", None), Err(ServerError::Unreadable(_))));
}
