//! Every step of handing a mail over with every misbehaviour of a server, each followed by two healthy mails over the same transport.
//!
//! Client and server talk over wires inside the process while tokio's clock is paused: the real limits of minutes are waited out at once,
//! and how long each attempt took is known to the millisecond.

use super::envelope;
use crate::support::smtp::{Act, At, CERTIFICATE, Sink, Step};
use duban::mail::smtp::{Encryption, Limits, Login, Server, Smtp};
use duban::mail::{Outcome, Phase};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::time::Instant as Now;

const STEPS: [Step; 11] = [
    Step::Greeting,
    Step::Ehlo,
    Step::StartTls,
    Step::Handshake,
    Step::Auth,
    Step::Mail,
    Step::Rcpt,
    Step::Data,
    Step::InData,
    Step::AfterDot,
    Step::Quit,
];

const ACTS: [Act; 14] = [
    Act::Silence,
    Act::Reset,
    Act::HalfClosed,
    Act::Cut,
    Act::Say("451 later"),
    Act::Say("554 never"),
    Act::Say("what?"),
    Act::Say("354 go on"),
    Act::Noise,
    Act::Flood,
    Act::Late,
    Act::Tardy,
    Act::Drip(1),
    Act::Drip(60),
];

/// The phase that a step belongs to, and its limit.
fn phase(step: Step, limits: &Limits) -> (Phase, Duration) {
    match step {
        Step::Greeting | Step::Ehlo => (Phase::Greeting, limits.greeting),
        Step::StartTls | Step::Handshake => (Phase::Tls, limits.tls),
        Step::Auth => (Phase::Auth, limits.auth),
        Step::Mail => (Phase::Mail, limits.mail),
        Step::Rcpt => (Phase::Recipient, limits.recipient),
        Step::Data => (Phase::Data, limits.data),
        // A small mail is on its way with its dot before the server has read anything.
        Step::InData | Step::AfterDot | Step::Quit => (Phase::Dot, limits.dot),
    }
}

/// What has to become of the mail, by what is known: a refusal of this mail, an acceptance, certainly not accepted, or none of these.
fn expected(step: Step, act: Act) -> &'static [&'static str] {
    // lettre goes on after any positive reply to these; what counts is the 250 after the dot.
    let open_minded = matches!(step, Step::Greeting | Step::Ehlo | Step::StartTls);
    match (step, act) {
        (Step::Quit, _) | (_, Act::Drip(1)) => &["sent"],
        // The server takes its time where nothing is said.
        (Step::Handshake | Step::InData, Act::Late) => &["deferred", "unknown"],
        (Step::Handshake, Act::Drip(_)) => &["sent"],
        (Step::InData, Act::Drip(_) | Act::Tardy) => &["sent"],
        (_, Act::Say("354 go on")) if open_minded => &["sent"],
        (Step::Data, Act::Say("354 go on")) => &["sent"],
        (Step::Rcpt | Step::Data | Step::AfterDot, Act::Say("554 never")) => &["refused"],
        (Step::AfterDot, Act::Say("451 later")) => &["deferred"],
        // Whether the dot was read before the end cannot be seen from here, unless the end comes before the dot.
        (Step::InData, Act::Say("554 never")) => &["deferred", "unknown", "refused"],
        (Step::InData, _) => &["deferred", "unknown"],
        (Step::AfterDot, _) => &["unknown"],
        _ => &["deferred"],
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Sent { .. } => "sent",
        Outcome::Refused { .. } => "refused",
        Outcome::Deferred { .. } => "deferred",
        Outcome::Unknown { .. } => "unknown",
    }
}

fn server() -> Server {
    Server {
        host: "localhost".into(),
        port: 25,
        encryption: Encryption::None,
        login: None,
        extra_root: Some(std::fs::read(CERTIFICATE).unwrap()),
        hello_name: Some("duban.example.gov.cn".into()),
    }
}

async fn play(step: Step, act: Act) -> &'static str {
    let case = format!("{step:?} {act:?}");
    let misbehaving = Arc::new(AtomicBool::new(true));
    let still = misbehaving.clone();
    let script = move |at: At| if at.step == step && still.load(Ordering::SeqCst) { act } else { Act::Behave };
    let encrypted = matches!(step, Step::StartTls | Step::Handshake);
    let (sink, dial) = Sink::on_wires(script, encrypted);
    let encryption = if encrypted { Encryption::Required } else { Encryption::None };
    let login = (step == Step::Auth).then(|| Login { user: "duban".into(), password: "secret".into() });
    let limits = Limits::default();
    let smtp = Smtp::over(dial, Server { encryption, login, ..server() }, limits).unwrap();

    let begun = Now::now();
    let first = smtp.send(&envelope(0).parcel()).await;
    if step == Step::Quit {
        smtp.close_kept().await;
    }
    let took = begun.elapsed();
    let told = word(&first);
    assert!(expected(step, act).contains(&told), "{case}: {first:?}");

    // Where it stopped, and not a second later than that phase may take.
    let (phase, limit) = phase(step, &limits);
    let limit = if step == Step::Quit { limits.quit } else { limit };
    // The limit of the block may run on until it is seen that the dot is out.
    let most = if phase == Phase::Dot { limit + limits.block } else { limit };
    assert!(took <= most + Duration::from_secs(1), "{case}: it took {took:?}");
    if step != Step::InData
        && let Outcome::Deferred { phase: at, .. } | Outcome::Refused { phase: at, .. } = &first
    {
        assert_eq!(*at, phase, "{case}: {first:?}");
    }
    if matches!(act, Act::Silence | Act::Late | Act::Tardy) && told != "sent" && !matches!(step, Step::Quit) {
        assert!(took >= limit, "{case}: it gave up after {took:?}");
    }
    // What is recorded as sent was accepted, and what was certainly not accepted was not.
    let accepted = sink.count();
    match told {
        "sent" => assert_eq!(accepted, 1, "{case}"),
        "refused" | "deferred" => assert_eq!(accepted, 0, "{case}"),
        _ => assert!(accepted <= 1, "{case}"),
    }

    // The server has come to its senses: the next mails are judged by their own replies and by no other.
    misbehaving.store(false, Ordering::SeqCst);
    for number in [1, 2] {
        let begun = Now::now();
        let healthy = smtp.send(&envelope(number).parcel()).await;
        assert!(begun.elapsed() < Duration::from_secs(1), "{case}: it held healthy mail {number} up for {:?}", begun.elapsed());
        let Outcome::Sent { reply } = &healthy else { panic!("{case}, healthy mail {number}: {healthy:?}") };
        let last = sink.accepted().pop().unwrap();
        assert!(last.data.contains(&format!("Subject: mail {number}")), "{case}: {last:?}");
        assert_eq!(*reply, format!("250 accepted as {}", last.number), "{case}: another mail's reply");
    }
    told
}

#[tokio::test(start_paused = true)]
async fn whatever_a_server_does_at_whatever_step_ends_in_time_and_harms_no_other_mail() {
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for step in STEPS {
        for act in ACTS {
            *told.entry(play(step, act).await).or_default() += 1;
        }
    }
    *told.entry(play(Step::Handshake, Act::OtherName).await).or_default() += 1;
    assert_eq!(told.values().sum::<usize>(), STEPS.len() * ACTS.len() + 1);
    assert!(told.len() == 4, "all four ends were seen: {told:?}");
}
