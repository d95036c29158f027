//! From a notice that is due to what the outbox says of it: a small office, a clock set by hand, transports that do as they are told.

use crate::support::smtp::{Act, At, Sink, Step};
use crate::support::world::{World, all, command, moment, rules, submit};
use chrono::TimeDelta;
use duban::app::App;
use duban::app::Rendered;
use duban::app::send::{Post, Posted, UNRECORDED};
use duban::clock::Clock;
use duban::files::mail_frames;
use duban::kernel::rules::RuleSet;
use duban::mail::guard::Guard;
use duban::mail::smtp::{Dial, Limits, Server, Smtp};
use duban::mail::{Address, Memory, Outcome, Phase, Transport};
use duban::store::outbox::NoticeStatus;
use duban::store::{Opening, Store};
use mail_parser::MessageParser;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Request 1 was handed in on Monday 2 March 2026; it is to be answered by the 9th.
async fn office(now: &str) -> World {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    world.now_is(now);
    all(&world.app).wake_due(100).await.unwrap();
    world
}

/// The same under other rules.
pub(super) async fn office_with(rules: RuleSet, now: &str) -> World {
    let folder = tempfile::tempdir().unwrap();
    let opening = Opening { new_instance: "office".into(), page_limit: None, throwaway: false };
    let store = Store::open(&folder.path().join("duban.db"), opening, moment("2026-03-02 09:00")).await.unwrap();
    let clock = Clock::set_to(moment("2026-03-02 09:00"));
    let world = World { app: Arc::new(App::open(store, Arc::new(rules), clock).await.unwrap()), folder };
    world.submit("1").await;
    world.now_is(now);
    all(&world.app).wake_due(100).await.unwrap();
    world
}

fn post(transport: Transport) -> Arc<Post> {
    let from = Address::parse("duban@example.com").unwrap();
    let mut post = Post::new(Some(transport), mail_frames(None).unwrap(), from, Guard::default(), "test".into());
    post.chance = || 0.5;
    Arc::new(post)
}

fn memory() -> (Memory, Arc<Post>) {
    let memory = Memory::default();
    (memory.clone(), post(Transport::Memory(memory)))
}

/// To a scripted server, as from a machine that may mail example.com.
fn smtp(sink: &Sink, allow: &[&str]) -> Arc<Post> {
    let server = Server::parse(&format!("smtp://127.0.0.1:{}?tls=none", sink.port), None).unwrap();
    allowed(Smtp::new(server, Limits::default()).unwrap(), allow)
}

/// The same without a socket.
pub(super) fn smtp_over(dial: Dial) -> Arc<Post> {
    let server = Server::parse("smtp://localhost?tls=none", None).unwrap();
    allowed(Smtp::over(dial, server, Limits::default()).unwrap(), &["example.com"])
}

fn allowed(smtp: Smtp, allow: &[&str]) -> Arc<Post> {
    let mut post = Arc::into_inner(post(Transport::Smtp(Box::new(smtp)))).unwrap();
    post.guard.allow = allow.iter().map(|allowed| allowed.to_string()).collect();
    Arc::new(post)
}

pub(super) async fn send(world: &World, post: &Arc<Post>) -> Posted {
    all(&world.app).send_due(post, &CancellationToken::new()).await.unwrap()
}

pub(super) async fn render(world: &World, post: &Post) -> Rendered {
    all(&world.app).render_due(post).await.unwrap()
}

pub(super) async fn notices(world: &World, item: &str) -> Vec<NoticeStatus> {
    world.app.store.notices_of(item).await.unwrap()
}

pub(super) async fn mail_counts(world: &World) -> Vec<(String, u64)> {
    world.app.store.count_mails().await.unwrap()
}

#[tokio::test]
async fn a_reminder_leaves_in_the_window_and_is_recorded_as_sent() {
    let world = office("2026-03-05 00:00").await;
    let (memory, post) = memory();
    assert_eq!(render(&world, &post).await, Rendered::default(), "before the window opens");
    world.now_is("2026-03-05 09:00");
    assert_eq!(render(&world, &post).await, Rendered { notices: 1, mails: 1, ..Rendered::default() });
    assert_eq!(send(&world, &post).await, Posted { sent: 1, ..Posted::default() });

    let mails = memory.mails();
    assert_eq!((mails.len(), mails[0].to.as_str()), (1, "carl@example.com"));
    let mail = MessageParser::new().parse(&mails[0].bytes).unwrap();
    assert_eq!(mail.subject(), Some("2026-001 falls due on 2026-03-09"));
    let from = mail.from().unwrap().first().unwrap();
    assert_eq!((from.name(), from.address()), (Some("The office"), Some("duban@example.com")));
    assert!(mail.body_text(0).unwrap().contains("Request 2026-001 “Request 1” is to be answered by 2026-03-09."));
    assert_eq!(mail.date().unwrap().to_rfc3339(), "2026-03-05T01:00:00Z");

    let [notice] = &notices(&world, "1").await[..] else { panic!() };
    assert_eq!((notice.status.as_str(), notice.mail_status.as_deref()), ("mailed", Some("sent")));
    assert_eq!(notice.mail_reply.as_deref(), Some("250 kept in memory"));
    assert_eq!(notice.mail.as_deref(), Some(mails[0].id.as_str()));
    assert_eq!((render(&world, &post).await, send(&world, &post).await), Default::default(), "nothing goes out twice");
}

#[tokio::test]
async fn a_reminder_that_missed_its_day_is_superseded_and_one_whose_work_was_done_is_cancelled() {
    let world = office("2026-03-05 09:00").await;
    let (memory, post) = memory();
    // Nobody rendered it before the due day.
    world.now_is("2026-03-09 09:00");
    assert_eq!(render(&world, &post).await, Rendered { notices: 1, cancelled: 1, ..Rendered::default() });
    assert_eq!(notices(&world, "1").await[0].reason.as_deref(), Some("superseded"));
    // Late on the 10th, at 00:00; answered before the office opens.
    world.now_is("2026-03-10 00:00");
    all(&world.app).wake_due(100).await.unwrap();
    world.now_is("2026-03-10 08:30");
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    world.now_is("2026-03-10 09:00");
    assert_eq!(render(&world, &post).await, Rendered { notices: 3, mails: 1, cancelled: 2, parked: 0, more: false });
    assert_eq!(send(&world, &post).await.sent, 1);
    assert_eq!(memory.mails()[0].to, "ann@example.com");
    let reasons: Vec<_> = notices(&world, "1").await.into_iter().map(|notice| (notice.notice, notice.reason)).collect();
    assert_eq!(reasons.iter().filter(|(_, reason)| reason.as_deref() == Some("done")).count(), 2, "{reasons:?}");
}

#[tokio::test]
async fn a_broken_wording_parks_its_own_notices_and_nothing_else() {
    // The check refuses a wrong name, so the fault is one that shows only when it is filled in.
    let broken = rules(|path, text| if path.ends_with("soon.txt") { "{{ item.title | pad(3) }}".into() } else { text });
    let world = office_with(broken, "2026-03-05 09:00").await;
    let (memory, post) = memory();
    assert_eq!(render(&world, &post).await, Rendered { notices: 1, parked: 1, ..Rendered::default() });
    let notice = &notices(&world, "1").await[0];
    let reason = notice.reason.as_deref().unwrap();
    assert!(notice.status == "parked" && reason.contains("line 1") && reason.contains("not a whole number"), "{notice:?}");
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    assert_eq!(render(&world, &post).await, Rendered { notices: 1, mails: 1, ..Rendered::default() });
    assert_eq!(send(&world, &post).await.sent, 1);
    // A person releases it: it is tried again, and parked again, since nothing was put right.
    world.app.store.release_notices(vec![notice.key.clone()]).await.unwrap();
    let again = render(&world, &post).await;
    assert_eq!((again.notices, again.mails, memory.mails().len()), (1, 0, 1));
}

#[tokio::test]
async fn whom_nothing_can_be_sent_is_parked_for_a_person_to_see() {
    let address = |address: &str| {
        let address = address.to_string();
        rules(move |path, text| match path {
            "directory.yaml" => text.replace("carl@example.com", &address).replace("Carl,", "\"Carl\\nBcc: all@example.com\","),
            _ => text,
        })
    };
    let world = office_with(address("carl@example.com"), "2026-03-05 09:00").await;
    let (memory, post) = memory();
    assert_eq!(render(&world, &post).await, Rendered { notices: 1, parked: 1, ..Rendered::default() });
    assert!(notices(&world, "1").await[0].reason.as_deref().unwrap().contains("control character"));
    assert!(memory.mails().is_empty());
}

#[tokio::test]
async fn a_mail_that_was_deferred_goes_out_later_with_the_same_bytes() {
    let world = office("2026-03-05 09:00").await;
    let (memory, post) = memory();
    let later = Outcome::Deferred { phase: Phase::Recipient, why: "450 busy".into() };
    memory.answer([later.clone(), Outcome::Unknown { why: "no answer".into() }]);
    render(&world, &post).await;
    assert_eq!(send(&world, &post).await, Posted { deferred: 1, ..Posted::default() });
    assert_eq!(mail_counts(&world).await, [("deferred".to_string(), 1)]);
    assert_eq!(send(&world, &post).await, Posted::default(), "not before a minute is over");
    world.now_is("2026-03-05 09:01");
    assert_eq!(send(&world, &post).await, Posted { unknown: 1, ..Posted::default() });
    world.now_is("2026-03-05 09:15");
    assert_eq!(send(&world, &post).await, Posted::default(), "not before a quarter of an hour is over");
    world.now_is("2026-03-05 09:16");
    assert_eq!(send(&world, &post).await, Posted { sent: 1, ..Posted::default() });
    let mails = memory.mails();
    assert_eq!(mails.len(), 2, "the server may have accepted it twice, which shows as the same mail");
    assert_eq!(mails[0], mails[1]);
}

#[tokio::test]
async fn a_deferred_mail_is_dropped_once_its_work_is_done_and_given_up_after_five_days() {
    let world = office("2026-03-05 09:00").await;
    let (memory, post) = memory();
    memory.answer([Outcome::Deferred { phase: Phase::Data, why: "451".into() }]);
    render(&world, &post).await;
    send(&world, &post).await;
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    world.now_is("2026-03-05 09:05");
    assert_eq!(send(&world, &post).await, Posted { cancelled: 1, ..Posted::default() });

    // The answer itself is a message: it is owed until it expires.
    memory.answer([(); 200].map(|()| Outcome::Deferred { phase: Phase::Data, why: "451".into() }));
    render(&world, &post).await;
    let begun = moment("2026-03-05 09:05");
    let mut given_up_after = None;
    for hours in 0..150 {
        world.app.clock.set(begun + TimeDelta::hours(hours));
        if send(&world, &post).await.expired > 0 {
            given_up_after = Some(hours);
        }
    }
    assert!(given_up_after.is_some_and(|hours| (121..=124).contains(&hours)), "{given_up_after:?}");
    assert!(mail_counts(&world).await.contains(&("expired".to_string(), 1)));
    assert!(memory.mails().is_empty());
}

#[tokio::test]
async fn a_refused_mail_stays_refused_with_the_servers_words() {
    let world = office("2026-03-05 09:00").await;
    let sink = Sink::start(|at: At| if at.step == Step::Rcpt { Act::Say("550 no such user") } else { Act::Behave }).await;
    let post = smtp(&sink, &["example.com"]);
    render(&world, &post).await;
    assert_eq!(send(&world, &post).await, Posted { refused: 1, ..Posted::default() });
    let notice = &notices(&world, "1").await[0];
    assert_eq!(notice.mail_status.as_deref(), Some("refused"));
    assert_eq!(notice.mail_reply.as_deref(), Some("recipient: 550 no such user"));
    world.now_is("2026-03-06 09:00");
    assert_eq!(send(&world, &post).await, Posted::default());
}

#[tokio::test]
async fn a_server_at_fault_is_left_alone_for_a_while_and_costs_few_attempts() {
    let world = World::open("2026-03-02 09:00").await;
    for item in 0..40 {
        world.app.act(&submit(&item.to_string())).await.unwrap();
    }
    world.now_is("2026-03-05 09:00");
    all(&world.app).wake_due(100).await.unwrap();
    let sink = Sink::start(|at: At| if at.connection < 16 { Act::Say("421 busy") } else { Act::Behave }).await;
    let post = smtp(&sink, &["example.com"]);
    assert_eq!(render(&world, &post).await.mails, 40);
    assert_eq!(send(&world, &post).await, Posted { deferred: UNRECORDED, ..Posted::default() });
    assert_eq!(send(&world, &post).await, Posted::default(), "the server is left alone");
    assert_eq!((sink.connections(), post.paused_until()), (16, Some(moment("2026-03-05 09:01"))));
    world.now_is("2026-03-05 09:01");
    assert_eq!(send(&world, &post).await, Posted { sent: 40, ..Posted::default() });
    assert_eq!((sink.accepted().len(), post.paused_until()), (40, None));
}

#[tokio::test]
async fn a_copy_of_production_opens_no_connection() {
    let world = office("2026-03-05 09:00").await;
    let sink = Sink::start(|_| Act::Behave).await;
    // Composed in production, but the copy of the database was taken before it was sent.
    let mut production = Arc::into_inner(smtp(&sink, &[])).unwrap();
    production.guard.production = Some("office".into());
    assert_eq!(render(&world, &production).await.mails, 1);
    let copy = smtp(&sink, &["elsewhere.com"]);
    assert_eq!(send(&world, &copy).await, Posted { held: 1, ..Posted::default() });
    // Composed by the copy itself.
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    assert_eq!(render(&world, &copy).await, Rendered { notices: 1, parked: 1, ..Rendered::default() });
    assert!(notices(&world, "1").await.iter().any(|notice| notice.reason.as_deref().is_some_and(|why| why.starts_with("guard: "))));
    assert_eq!(sink.connections(), 0);
    world.now_is("2026-03-05 13:00");
    assert_eq!(send(&world, &Arc::new(production)).await.cancelled, 1, "by then the work was done");
}

#[tokio::test]
async fn no_more_mails_are_under_way_than_a_crash_may_send_twice() {
    let world = World::open("2026-03-02 09:00").await;
    for item in 0..50 {
        world.app.act(&submit(&item.to_string())).await.unwrap();
    }
    world.now_is("2026-03-05 09:00");
    all(&world.app).wake_due(100).await.unwrap();
    let at_dot = Arc::new(Semaphore::new(0));
    let arrived = at_dot.clone();
    let sink = Sink::start(move |at: At| match at.step {
        Step::AfterDot => {
            arrived.add_permits(1);
            Act::Silence
        }
        _ => Act::Behave,
    })
    .await;
    let post = smtp(&sink, &["example.com"]);
    render(&world, &post).await;
    let (app, sending) = (world.app.clone(), post.clone());
    let sending = tokio::spawn(async move { all(&app).send_due(&sending, &CancellationToken::new()).await });
    // Four connections have sent their dot and wait; the script is asked twice for each.
    at_dot.acquire_many(8).await.unwrap().forget();
    let counts = mail_counts(&world).await;
    assert_eq!(counts, [("claimed".to_string(), UNRECORDED as u64), ("ready".to_string(), 50 - UNRECORDED as u64)]);
    // A crash: what was claimed is tried again once the claim has run out, and nothing else was touched.
    sending.abort();
    assert!(sending.await.unwrap_err().is_cancelled());
    let (memory, post) = memory();
    assert_eq!(send(&world, &post).await.sent, 50 - UNRECORDED);
    world.now_is("2026-03-05 09:45");
    assert_eq!(send(&world, &post).await.sent, UNRECORDED);
    let ids: std::collections::HashSet<_> = memory.mails().into_iter().map(|mail| mail.id).collect();
    assert_eq!(ids.len(), 50);
}

#[tokio::test]
async fn a_list_is_one_mail_over_many_items_and_a_copy_names_the_main_addressee() {
    let world = World::open("2026-03-30 09:00").await;
    for item in ["1", "2", "3"] {
        world.submit(item).await;
    }
    all(&world.app).sweep_due().await.unwrap();
    world.now_is("2026-04-01 08:00");
    all(&world.app).sweep_due().await.unwrap();
    world.now_is("2026-04-01 09:00");
    let (memory, post) = memory();
    assert_eq!(render(&world, &post).await, Rendered { notices: 3, mails: 1, ..Rendered::default() });
    assert_eq!(send(&world, &post).await.sent, 1);
    let mails = memory.mails();
    let mail = MessageParser::new().parse(&mails[0].bytes).unwrap();
    assert_eq!(mail.subject(), Some("What is open"));
    let text = mail.body_text(0).unwrap();
    assert!(["2026-001", "2026-002", "2026-003"].iter().all(|number| text.contains(number)), "{text}");
    assert!(mail.in_reply_to().as_text().is_none());

    world.now_is("2026-04-09 09:00");
    all(&world.app).wake_due(100).await.unwrap();
    render(&world, &post).await;
    send(&world, &post).await;
    let to_head: Vec<_> = memory.mails().into_iter().filter(|mail| mail.to == "hu@example.com").skip(1).collect();
    assert_eq!(to_head.len(), 3);
    let mail = MessageParser::new().parse(&to_head[0].bytes).unwrap();
    assert!(mail.body_text(0).unwrap().contains("Carl"), "{}", mail.body_text(0).unwrap());
    assert_eq!(mail.to().unwrap().first().unwrap().name(), Some("胡主任"));
}

#[tokio::test]
async fn without_a_transport_mails_wait_in_the_outbox_and_a_stop_claims_nothing_new() {
    let world = office("2026-03-05 09:00").await;
    let from = Address::parse("duban@example.com").unwrap();
    let nowhere = Arc::new(Post::new(None, mail_frames(None).unwrap(), from, Guard::default(), "test".into()));
    assert_eq!(render(&world, &nowhere).await.mails, 1);
    assert_eq!(send(&world, &nowhere).await, Posted::default());
    let (memory, post) = memory();
    let stop = CancellationToken::new();
    stop.cancel();
    assert_eq!(all(&world.app).send_due(&post, &stop).await.unwrap(), Posted::default());
    assert_eq!(mail_counts(&world).await, [("ready".to_string(), 1)]);
    assert_eq!(send(&world, &post).await.sent, 1);
    assert_eq!(memory.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_that_waited_for_its_first_attempt_is_asked_for_and_has_all_its_days_left() {
    let world = office("2026-03-05 09:00").await;
    let from = Address::parse("duban@example.com").unwrap();
    let nowhere = Arc::new(Post::new(None, mail_frames(None).unwrap(), from, Guard::default(), "test".into()));
    assert_eq!(render(&world, &nowhere).await.mails, 1);
    // Answered while nothing could leave: the reminder is owed no more, the answer is.
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    assert_eq!(render(&world, &nowhere).await.mails, 1);
    world.now_is("2026-03-12 09:00");
    let (memory, post) = memory();
    memory.answer([Outcome::Deferred { phase: Phase::Data, why: "451".into() }]);
    assert_eq!(send(&world, &post).await, Posted { cancelled: 1, deferred: 1, ..Posted::default() });
    world.now_is("2026-03-12 09:05");
    assert_eq!(send(&world, &post).await, Posted { sent: 1, ..Posted::default() });
    assert_eq!(memory.mails().len(), 1);
}
