//! Deadlines in a calendar program: what is written can be read back by another hand, an entry keeps its identity whatever becomes of its
//! date, the same facts are the same bytes, and nobody has what is not in their hands.

use crate::support::world::{World, all, app_under, command, moment, rules};
use duban::app::send::Post;
use duban::kernel::agenda::{Entry, write};
use duban::kernel::model::value::Value;
use duban::kernel::words::Lang;
use duban::mail::{Address, Memory, Transport};
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;
use std::collections::BTreeMap;
use tokio_util::sync::CancellationToken;

/// The content lines of a calendar, unfolded as RFC 5545 3.1 says; every physical line is checked on the way.
fn lines(calendar: &str) -> Vec<(String, String)> {
    assert!(calendar.ends_with("\r\n") && !calendar.replace("\r\n", "").contains(['\r', '\n']), "{calendar:?}");
    for line in calendar.split("\r\n") {
        assert!(line.len() <= 75, "{} octets: {line:?}", line.len());
    }
    let unfolded = calendar.replace("\r\n ", "");
    unfolded
        .split_terminator("\r\n")
        .map(|line| line.split_once(':').map(|(key, value)| (key.to_string(), value.to_string())).expect("a colon"))
        .collect()
}

/// A text as it was before it was escaped (3.3.11).
fn unescaped(value: &str) -> String {
    let mut out = String::new();
    let mut rest = value.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('n' | 'N') => out.push('\n'),
                Some(c) => out.push(c),
                None => panic!("a lone backslash: {value}"),
            },
            ',' | ';' => panic!("not escaped: {value}"),
            c => out.push(c),
        }
    }
    out
}

/// Events by their UID, with their own properties.
fn events(calendar: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let (mut all, mut event, mut inside) = (BTreeMap::new(), BTreeMap::new(), 0);
    let mut open: Vec<String> = Vec::new();
    for (key, value) in lines(calendar) {
        match key.as_str() {
            "BEGIN" => open.push(value),
            "END" => {
                assert_eq!(open.pop().as_deref(), Some(value.as_str()));
                if value == "VEVENT" {
                    let event: BTreeMap<String, String> = std::mem::take(&mut event);
                    inside += 1;
                    assert!(all.insert(event["UID"].clone(), event).is_none(), "an identity twice");
                }
            }
            _ if open.last().is_some_and(|last| last == "VEVENT") => assert!(event.insert(key, value).is_none(), "a property twice"),
            _ => {}
        }
    }
    assert!(open.is_empty() && inside == all.len());
    all
}

fn entry(summary: &str, description: &str) -> Entry {
    Entry {
        uid: "1@example.org".into(),
        sequence: 3,
        stamp: moment("2026-03-02 09:00"),
        day: "2026-03-09".parse().unwrap(),
        summary: summary.into(),
        description: description.into(),
        url: Some("https://duban.example.org/items/1".into()),
        cancelled: false,
    }
}

proptest! {
    #[test]
    fn any_text_comes_back_as_it_was(summary in any::<String>(), description in "[一-龥a-z ,;:\\\\\n\"]{0,400}", name in "\\PC{0,90}") {
        let calendar = write(Some(&name), &[entry(&summary, &description)]);
        let events = events(&calendar);
        let event = &events["1@example.org"];
        // What no line can hold is left out; other line breaks than the usual one are that one.
        let kept = |text: &str| -> String {
            let text = text.replace(['\u{2028}', '\u{2029}'], "\n");
            text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
        };
        prop_assert_eq!(unescaped(&event["SUMMARY"]), kept(&summary));
        prop_assert_eq!(unescaped(&event["DESCRIPTION"]), kept(&description));
        prop_assert_eq!(&event["DTSTART;VALUE=DATE"], "20260309");
        let names: Vec<_> = lines(&calendar).into_iter().filter(|(key, _)| key == "X-WR-CALNAME").collect();
        prop_assert_eq!(unescaped(&names[0].1), kept(&name));
    }
}

#[test]
fn a_calendar_is_written_as_calendar_programs_read_it() {
    let written = write(
        None,
        &[entry("答复：加快老旧小区充电设施建设", "建议 2026-087"), Entry { uid: "2".into(), cancelled: true, ..entry("x", "y") }],
    );
    let keys: Vec<String> = lines(&written).into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
    assert_eq!(keys[..5], ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//duban//duban//EN", "CALSCALE:GREGORIAN", "METHOD:PUBLISH"]);
    let events = events(&written);
    let first = &events["1@example.org"];
    let wanted = [
        ("DTSTAMP", "20260302T010000Z"),
        ("SEQUENCE", "3"),
        ("STATUS", "CONFIRMED"),
        ("CLASS", "PRIVATE"),
        ("SUMMARY", "答复：加快老旧小区充电设施建设"),
    ];
    for (key, value) in wanted {
        assert_eq!(first[key], value);
    }
    assert!(!first.contains_key("DTEND;VALUE=DATE"), "one day");
    assert_eq!(events["2"]["STATUS"], "CANCELLED");
    assert_eq!(written.matches("BEGIN:VALARM").count(), 2, "nobody is woken for what was called off");
    assert_eq!(write(None, &[]).matches("VEVENT").count(), 0);
}

async fn agenda(world: &World, person: &str) -> String {
    world.app.agenda(&person.into(), "Mine", "example.org", Some("https://duban.example.org"), Lang::En).await.unwrap()
}

#[tokio::test]
async fn a_feed_holds_what_is_in_ones_hands_and_changes_with_the_facts_alone() {
    let world = World::open("2026-03-02 09:00").await;
    for item in ["1", "2"] {
        world.submit(item).await;
    }
    let first = agenda(&world, "carl").await;
    let shown = events(&first);
    assert_eq!(shown.len(), 2);
    let of = |shown: &BTreeMap<String, BTreeMap<String, String>>, item: &str| {
        let found = shown.values().find(|event| event["URL"].ends_with(&format!("/items/{item}"))).cloned();
        found.unwrap_or_else(|| panic!("{item}"))
    };
    let one = of(&shown, "1");
    assert_eq!((one["SUMMARY"].as_str(), one["DTSTART;VALUE=DATE"].as_str()), ("answer: Request 1", "20260309"));
    assert_eq!(
        (one["SEQUENCE"].as_str(), one["DTSTAMP"].as_str(), unescaped(&one["DESCRIPTION"]).as_str()),
        ("1", "20260302T010000Z", "Requests 1")
    );
    assert!(one["UID"].ends_with("@example.org"));
    for person in ["ann", "hu"] {
        assert_eq!(events(&agenda(&world, person).await).len(), 0, "{person} has nothing to do");
    }
    world.now_is("2026-03-03 15:00");
    assert_eq!(agenda(&world, "carl").await, first, "the same facts, whatever the clock shows");
    world.app.act(&command("1", "weigh", "carl", [("weight", Value::Number(5))])).await.unwrap();
    let after = events(&agenda(&world, "carl").await);
    let later = of(&after, "1");
    assert_eq!((&later["UID"], later["SEQUENCE"].as_str(), later["DTSTAMP"].as_str()), (&one["UID"], "2", "20260303T070000Z"));
    assert_eq!(of(&after, "2"), of(&shown, "2"));
    world.app.act(&command("1", "answer", "carl", [])).await.unwrap();
    assert_eq!(events(&agenda(&world, "carl").await).len(), 1, "what is done is gone");
}

/// The deadline of an extension keeps its entry; one that ended while the item is still in one's hands is called off.
#[tokio::test]
async fn an_extended_deadline_is_the_same_entry_and_one_that_ended_is_called_off() {
    let folder = tempfile::tempdir().unwrap();
    let rules = rules(|path, text| {
        match path {
        "request.yaml" => text
            .replace("  count_month:", "  lengthen:\n    title: lengthen\n    by: [clerk]\n    from: [open]\n  look:\n    title: look\n    by: [clerk]\n    from: [open]\n  count_month:")
            .replace("    length: 5 working days\n", "    length: 5 working days\n    extended_to: { lengthen: 10 working days }\n")
            .replace("\nnotices:", "  first_look:\n    title: first look\n    starts_on: [submit]\n    ends_on: [look]\n    length: 1 working day\n    ladder:\n      - { rung: look_late, at: 1 working day after, tell: [late] }\n\nnotices:"),
        _ => text,
    }
    });
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let world = World { app, folder };
    world.submit("1").await;
    let by_title = |shown: BTreeMap<String, BTreeMap<String, String>>, title: &str| {
        shown.into_values().find(|event| event["SUMMARY"].starts_with(title)).unwrap_or_else(|| panic!("{title}"))
    };
    let before = events(&agenda(&world, "carl").await);
    assert_eq!(before.len(), 2);
    let answer = by_title(before.clone(), "answer");
    world.app.act(&command("1", "lengthen", "carl", [])).await.unwrap();
    world.app.act(&command("1", "look", "carl", [])).await.unwrap();
    let after = events(&agenda(&world, "carl").await);
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "the same entries");
    let longer = by_title(after.clone(), "answer");
    assert_eq!(
        (longer["UID"].clone(), longer["DTSTART;VALUE=DATE"].as_str(), longer["STATUS"].as_str()),
        (answer["UID"].clone(), "20260316", "CONFIRMED")
    );
    assert!(longer["SEQUENCE"].parse::<u64>().unwrap() > answer["SEQUENCE"].parse::<u64>().unwrap());
    assert_eq!(by_title(after, "first look")["STATUS"], "CANCELLED");
}

/// Nothing is shown that not everybody may see, be it in the title.
#[tokio::test]
async fn a_title_that_not_everybody_sees_stands_in_no_calendar() {
    let folder = tempfile::tempdir().unwrap();
    let hide = "title:  { title: title, type: text, required: true, visible_to: [citizen, clerk] }";
    let rules = rules(|_, text| text.replace("title:  { title: title, type: text, required: true }", hide).replace("{{ item.title }}", ""));
    let app = app_under(folder.path(), "2026-03-02 09:00", rules).await.unwrap();
    let world = World { app, folder };
    world.submit("1").await;
    let calendar = agenda(&world, "carl").await;
    assert!(events(&calendar).len() == 1 && !calendar.contains("Request 1"), "{calendar}");
}

/// A mail about a deadline brings its entry, under the identity that the feed has; once written its bytes stay.
#[tokio::test]
async fn a_mail_about_a_deadline_brings_its_entry() {
    let world = World::open("2026-03-02 09:00").await;
    world.submit("1").await;
    let memory = Memory::default();
    let frames = duban::files::mail_frames(None).unwrap();
    let from = Address::parse("duban@example.org").unwrap();
    let post = std::sync::Arc::new(Post::new(Some(Transport::Memory(memory.clone())), frames, from, Default::default(), "test".into()));
    world.app.act(&command("1", "ask_back", "carl", [("question", Value::text("Where?"))])).await.unwrap();
    world.now_is("2026-03-05 09:00");
    while all(&world.app).wake_due(100).await.unwrap().looked_at > 0 {}
    all(&world.app).render_due(&post).await.unwrap();
    let stored: Vec<String> = {
        let mut all = Vec::new();
        for row in world.app.store.mails(None, None, "", 9).await.unwrap() {
            all.push(world.app.store.mail(&row.id).await.unwrap().unwrap().1);
        }
        all
    };
    assert_eq!(all(&world.app).send_due(&post, &CancellationToken::new()).await.unwrap().sent, 2);
    let mails = memory.mails();
    let mut calendars = Vec::new();
    for mail in &mails {
        let bytes = String::from_utf8(mail.bytes.clone()).unwrap();
        assert!(stored.contains(&bytes), "what was stored is what was sent");
        let parsed = MessageParser::new().parse(&mail.bytes).unwrap();
        assert!(parsed.body_text(0).is_some() && parsed.body_html(0).is_some());
        for part in parsed.attachments() {
            let kind = part.content_type().unwrap();
            assert_eq!((kind.ctype(), kind.subtype(), kind.attribute("method")), ("text", Some("calendar"), Some("PUBLISH")));
            assert_eq!(part.attachment_name(), Some("item-1.ics"));
            calendars
                .push((parsed.to().unwrap().first().unwrap().address().unwrap().to_string(), part.text_contents().unwrap().to_string()));
        }
    }
    // Carl is reminded; what Ann is asked is about no deadline of hers.
    assert_eq!(calendars.iter().map(|(to, _)| to.as_str()).collect::<Vec<_>>(), ["carl@example.com"]);
    let (mailed, fed) = (events(&calendars[0].1), events(&agenda(&world, "carl").await));
    assert_eq!(mailed.keys().collect::<Vec<_>>(), fed.keys().collect::<Vec<_>>());
    let entry = mailed.values().next().unwrap();
    assert_eq!((entry["DTSTART;VALUE=DATE"].as_str(), entry["DTSTAMP"].as_str()), ("20260309", "20260305T010000Z"));
}
