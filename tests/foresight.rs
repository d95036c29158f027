//! Looking ahead and back: everything that leaves if nobody does anything, a rule set tried out until nothing new is found, a past year under
//! other rules; and why somebody is told, or not. Dates are counted by hand in the comments.

use crate::support::world::{self, World, moment, rules};
use duban::cli::problems::Drawing;
use duban::kernel::decide;
use duban::kernel::explain::silence::{self, Question, Why};
use duban::kernel::explain::{days, doers, ladder, mail, wakeups, who};
use duban::kernel::model::Name;
use duban::kernel::model::value::Value;
use duban::kernel::rules::{RuleSet, Rules};
use duban::kernel::simulate::explore::{Bounds, Explored, What, explore};
use duban::kernel::simulate::replay::Replay;
use duban::kernel::simulate::world::World as Memory;
use duban::kernel::time::Date;
use duban::kernel::words::Lang;
use std::sync::Arc;

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

fn office(edit: impl Fn(String) -> String) -> Arc<Rules> {
    rules(|path, text| if path == "request.yaml" { edit(text) } else { text }).workflows["request"].clone()
}

/// A request handed in on Monday 2 March 2026: due 9 March, reminded on the 5th, late on the 10th, again on 16, 23 and 30 March.
fn handed_in(rules: &Arc<Rules>) -> Memory {
    let mut memory = Memory::new(rules.clone(), moment("2026-03-02 10:00"));
    memory.act(&world::submit("r1")).unwrap();
    memory
}

#[tokio::test]
async fn a_forecast_has_every_mail_and_writes_nothing() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    world.submit("r2").await;
    let recorded = async || {
        let facts = world.app.store.item("r1").await.unwrap().map(|recorded| recorded.facts.len());
        (facts, world.app.store.count_notices().await.unwrap())
    };
    let before = recorded().await;
    let mut asked = 0;
    let foreseen = world.app.foresee(&world.app.rules(), world.app.now(), day("2026-04-10"), |done, _| asked = done).await.unwrap();
    let forecast = foreseen.forecast;
    assert_eq!((asked, forecast.items), (2, 2));
    let mails: Vec<String> = forecast
        .mails()
        .map(|mail| {
            format!(
                "{} {} {}",
                mail.at().with_timezone(&chrono_tz::Asia::Shanghai).format("%m-%d %H:%M"),
                mail.person(),
                mail.notices().count()
            )
        })
        .collect();
    let twice = |what: &str| [what.to_string(), what.to_string()];
    let late = |day: &str| [twice(&format!("{day} 09:00 carl 1")), twice(&format!("{day} 09:00 hu 1"))].concat();
    // What is open at the end of the quarter is one list to the head, with both requests.
    let list = vec!["04-01 09:00 hu 2".to_string()];
    let mut wanted = [twice("03-05 09:00 carl 1").to_vec(), late("03-10"), late("03-16"), late("03-23"), late("03-30"), list].concat();
    let mut found = mails.clone();
    wanted.sort();
    found.sort();
    assert_eq!(found, wanted);
    assert_eq!((forecast.count_mails(), forecast.count_notices()), (19, 20));
    let reds: Vec<(&str, String)> = forecast.reds.iter().map(|red| (&*red.item, red.day.to_string())).collect();
    assert_eq!(reds, [("r1", "2026-03-16".to_string()), ("r2", "2026-03-16".to_string())]);
    let persons = forecast.persons();
    assert_eq!((&*persons[0].person, persons[0].mails, persons[0].busiest), ("carl", 10, (day("2026-03-05"), 2)));
    let days = forecast.days();
    assert_eq!((days[1].day, days[1].mails, days[1].escalations, days[1].persons), (day("2026-03-10"), 4, 4, 2));
    assert_eq!(recorded().await, before);
}

/// `duban check --online`: carl would get two reminders on 5 March, and hu's place is empty under edited rules.
#[tokio::test]
async fn open_items_tell_of_rules_what_the_rules_alone_do_not() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    world.submit("r2").await;
    let found = async |rules: &RuleSet, most| world.app.check_open(rules, day("2026-04-10"), most).await.unwrap();
    assert_eq!(found(&world.app.rules(), 2).await, []);
    let empty = rules(|path, text| match path {
        "directory.yaml" => text.replace("groups: [clerks]", "groups: [{ group: clerks, to: 2020-12-31 }]"),
        _ => text.replace("to: [clerk], cc: [head]", "to: [head]"),
    });
    // What only open items show may be allowed, and a check without them does not call that idle.
    let sign = |text: String| text.replace("who: group clerks }", "who: group clerks } # duban-allow: W113 somebody comes in May");
    let alone = duban::kernel::check::load(&rules(|_, text| sign(text)).files).1;
    assert_eq!(alone, []);
    let allowed = rules(|path, text| match path {
        "directory.yaml" => text.replace("groups: [clerks]", "groups: [{ group: clerks, to: 2020-12-31 }]"),
        _ => sign(text).replace("to: [clerk], cc: [head]", "to: [head]"),
    });
    let mut told = found(&allowed, 2).await;
    assert!(!told.is_empty());
    duban::kernel::check::of_open_items(&allowed.files, &mut told);
    assert_eq!(told, []);
    for (rules, most, name) in [(&*world.app.rules(), 1, "W609-too_many_mails"), (&empty, 2, "W113-open_items_wait")] {
        let problems = found(rules, most).await;
        assert!(problems.iter().all(|problem| problem.code == &name[..4]) && !problems.is_empty(), "{problems:#?}");
        for (lang, suffix) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
            let report = Drawing { lang, colour: false, folder: "", files: &rules.files }.draw_all(&problems) + "\n";
            let path = format!("{}/tests/fixtures/bad/{name}.{suffix}.txt", env!("CARGO_MANIFEST_DIR"));
            if std::env::var_os("DUBAN_UPDATE").is_some() {
                std::fs::write(&path, &report).unwrap();
            }
            assert_eq!(std::fs::read_to_string(&path).unwrap_or_default(), report, "{path}");
        }
    }
}

#[tokio::test]
async fn under_other_rules_other_mails_leave() {
    let world = World::open("2026-03-02 10:00").await;
    world.submit("r1").await;
    let slower = rules(|_, text| text.replace("length: 5 working days", "length: 10 working days"));
    let until = day("2026-03-16");
    let now = world.app.now();
    let in_use = world.app.foresee(&world.app.rules(), now, until, |_, _| {}).await.unwrap().forecast;
    let edited = world.app.foresee(&slower, now, until, |_, _| {}).await.unwrap().forecast;
    // 5 March; 10 and 16 March to clerk and head. With ten days: due 16 March, so only the reminder on the 12th.
    assert_eq!((in_use.count_mails(), edited.count_mails()), (5, 1));
    assert_eq!(edited.mails().next().map(|mail| mail.day()), Some(day("2026-03-12")));
}

fn what(explored: &Explored) -> Vec<String> {
    explored
        .findings
        .iter()
        .map(|finding| {
            let steps: Vec<&str> = finding.path.iter().map(|step| &*step.action).collect();
            let what = match &finding.what {
                What::DeadEnd { state } => format!("dead end {state}"),
                What::NoWayOut { state } => format!("no way out {state}"),
                What::BrokenAlways { sentence, .. } => format!("always {sentence}"),
                What::RuleFails { why, .. } => format!("fails {why}"),
            };
            format!("{what}: {}", steps.join(" "))
        })
        .collect()
}

#[test]
fn an_exploration_finds_what_is_broken_with_the_shortest_way_there() {
    let from = moment("2026-03-02 10:00");
    let sound = explore(&office(|text| text), "", from, Bounds::default(), |_, _| {});
    assert_eq!(what(&sound), Vec::<String>::new());
    assert!(sound.complete && sound.unreached_states.is_empty(), "{sound:?}");
    let most = sound.most_mails.expect("somebody gets mail");
    assert!(most.mails >= 1);

    let broken = office(|text| text + "\nalways:\n  - if: item.months < 3\n    say: Nothing stays open for three months.\n");
    let found = explore(&broken, "", from, Bounds::default(), |_, _| {});
    assert_eq!(what(&found), ["always Nothing stays open for three months.: submit monthly monthly monthly"]);
    assert_eq!(found.findings[0].what.code(), Some("E316"));

    let stuck = office(|text| {
        let text = text.replace("    to: answered\n    tell: [answered]", "    to: shelved\n    tell: [answered]");
        let text =
            text.replace("states:\n", "states:\n  shelved: { title: shelved, kind: waiting, owner: clerk, no_deadline_needed: true }\n");
        text.replace(
            "  count_month:\n",
            "  close:\n    title: close\n    by: [clerk]\n    from: [shelved]\n    to: answered\n    require:\n      - if: item.weight > 2000\n        say: Too light.\n  count_month:\n",
        )
    });
    let found = explore(&stuck, "", from, Bounds::default(), |_, _| {});
    assert_eq!(what(&found), ["dead end shelved: submit answer"]);
    let path = &found.findings[0].path;
    assert_eq!((path[0].by.as_deref(), path[1].by.as_deref()), (Some("ann"), Some("carl")));
}

#[test]
fn a_year_again_under_the_same_rules_is_the_same_and_under_others_it_is_told_what_differs() {
    let was = office(|text| text);
    let mut memory = handed_in(&was);
    memory.advance_to(moment("2026-03-12 10:00"));
    memory.act(&world::command("r1", "answer", "carl", [])).unwrap();
    memory.advance_to(moment("2026-12-31 12:00"));
    let facts = memory.items["r1"].facts.clone();
    let year = |under: &Arc<Rules>| {
        let replay = Replay::new(was.clone(), under.clone(), day("2026-01-01"), day("2026-12-31"));
        replay.item("r1", &facts, &mut replay.left()).unwrap().unwrap()
    };
    let same = year(&was);
    assert_eq!((same.commands, same.refused.len(), same.late_both.len()), (2, 0, 1));
    assert!(
        same.no_longer_told.is_empty() && same.newly_told.is_empty() && same.no_longer_late.is_empty() && same.newly_late.is_empty(),
        "{same:?}"
    );

    let slower = year(&office(|text| text.replace("length: 5 working days", "length: 10 working days")));
    assert_eq!((slower.no_longer_late.len(), slower.newly_late.len(), slower.late_both.len()), (1, 0, 0));
    assert_eq!(slower.no_longer_late[0].due, day("2026-03-09"));
    // The reminder of the 5th comes on the 12th, before it is answered; nobody hears that it is late.
    let told: Vec<String> = slower.no_longer_told.iter().map(|told| format!("{} {} {}", told.day, told.notice, told.person)).collect();
    assert_eq!(told, ["2026-03-05 soon carl", "2026-03-10 late carl", "2026-03-10 late hu"]);

    let strict = year(&office(|text| {
        text.replace(
            "    to: answered\n    tell: [answered]",
            "    to: answered\n    require:\n      - if: item.weight > 100\n        say: Too light to be answered.\n    tell: [answered]",
        )
    }));
    assert_eq!(strict.refused.len(), 1);
    let refused = &strict.refused[0];
    assert_eq!(
        (&*refused.action, &*refused.person, refused.why.sentence.as_deref()),
        ("answer", "carl", Some("Too light to be answered."))
    );
    assert!(strict.newly_told.iter().any(|told| &*told.notice == "late" && told.day == day("2026-03-16")), "{strict:?}");
}

#[test]
fn why_somebody_is_told_or_not() {
    let rules = office(|text| text);
    let mut memory = handed_in(&rules);
    memory.advance_to(moment("2026-03-06 10:00"));
    let item = memory.item("r1").unwrap();
    let facts = &memory.items["r1"].facts;

    let held = who::explain(&rules, &item, "clerk", None).unwrap();
    assert_eq!(held[0].holders.iter().map(|held| &*held.person).collect::<Vec<_>>(), ["carl"]);
    assert_eq!((held[0].cases[0].who.as_str(), held[0].cases[0].holds), ("group clerks", Some(true)));

    let wakes = wakeups::explain(&rules, &item, memory.now);
    assert_eq!(wakes.next, decide::wake_up(&item));
    assert_eq!(wakes.clocks[0].rungs, ["late".into()] as [Name; 1]);

    let steps = ladder::explain(&rules, &item, None).unwrap();
    let late = steps[0].rungs.iter().find(|rung| &*rung.rung == "late").unwrap();
    assert_eq!((late.day, &*late.tells[0].to[0].person, &*late.tells[0].cc[0].person), (Some(day("2026-03-10")), "carl", "hu"));

    let head: Name = "hu".into();
    let question = Question { person: &head, since: day("2026-03-01"), now: memory.now };
    let silent = silence::explain(&rules, &item, facts, &[], question).unwrap();
    let of = |rung: &str| silent.iter().find(|silent| silent.rung.as_deref() == Some(rung)).map(|silent| &silent.why).unwrap();
    assert!(matches!(of("late"), Why::NotYet { leaves_on } if *leaves_on == day("2026-03-10")), "{silent:?}");
    assert!(matches!(of("soon"), Why::NotAddressed { to, .. } if to == &["Carl"]), "{silent:?}");

    let sent = memory.sent.iter().find(|sent| &*sent.notice.notice == "soon").unwrap();
    let because = mail::explain(&rules, facts, &sent.notice).unwrap();
    let counted = because.due.unwrap();
    assert_eq!((&*counted.deadline, &*counted.rung, counted.date), ("answer", "soon", Some(day("2026-03-09"))));
    assert_eq!(because.place.map(|place| &*place.file == "request.yaml"), Some(true));

    let way = days::explain(&rules, item.clock("answer", None).unwrap()).unwrap();
    let counted: Vec<(String, Option<u32>)> = way.days.iter().map(|day| (day.day.to_string(), day.number)).collect();
    assert_eq!(counted.last(), Some(&("2026-03-09".to_string(), Some(5))));
    assert_eq!(counted.iter().filter(|(_, number)| number.is_none()).count(), 2, "a weekend lies between");
    assert!(way.notices[0].official);
}

#[test]
fn a_condition_that_does_not_hold_is_told_with_what_it_saw() {
    let rules = office(|text| text.replace("tell: [late], flag: amber }", "tell: [late], flag: amber, when: item.weight > 5 }"));
    let mut memory = handed_in(&rules);
    memory.advance_to(moment("2026-03-11 10:00"));
    let item = memory.item("r1").unwrap();
    let person: Name = "carl".into();
    let question = Question { person: &person, since: day("2026-03-01"), now: memory.now };
    let silent = silence::explain(&rules, &item, &memory.items["r1"].facts, &[], question).unwrap();
    let late = silent.iter().find(|silent| silent.rung.as_deref() == Some("late")).unwrap();
    let Why::Condition { source, held, on, seen } = &late.why else { panic!("{late:?}") };
    assert_eq!((&**source, *held, *on), ("item.weight > 5", Some(false), Some(day("2026-03-10"))));
    assert_eq!((seen[0].title.as_str(), seen[0].value.as_str()), ("weight", "1"));
    assert_eq!(item.field("weight"), &Value::Number(1));
}

/// Who may do it is said of each way by itself: its condition, and which of two is the one that is recorded.
#[test]
fn who_may_is_said_way_by_way() {
    let rules = office(|text| {
        let text = text.replace("  head:    {", "  deputy:  { title: deputy, who: group clerks }\n  head:    {");
        let (by, ways) = ("by: [clerk]", "by: [{ role: deputy, for: head, when: item.weight > 5 }, clerk]");
        text.replace(&format!("title: answer\n    {by}"), &format!("title: answer\n    {ways}"))
    });
    let mut memory = handed_in(&rules);
    let asked = |memory: &Memory, action: &str| {
        let explained = doers::explain(&rules, &memory.item("r1").unwrap(), action, None, Lang::En).unwrap();
        let way = |way: doers::WayExplained| {
            let [doer] = way.persons.as_slice() else { panic!("{way:?}") };
            (way.role.role.to_string(), doer.person.to_string(), doer.open, doer.refused.clone().unwrap_or_default())
        };
        explained.ways.into_iter().map(way).collect::<Vec<_>>()
    };
    let said = |role: &str, open: bool, refused: &str| (role.to_string(), "carl".to_string(), open, refused.to_string());
    let light = "Not in this way now: item.weight > 5 does not hold.";
    assert_eq!(asked(&memory, "answer"), [said("deputy", false, light), said("clerk", true, "")]);
    memory.act(&world::command("r1", "weigh", "carl", [("weight", Value::Number(9))])).unwrap();
    let as_deputy = "It would be recorded as done as deputy.";
    assert_eq!(asked(&memory, "answer"), [said("deputy", true, ""), said("clerk", false, as_deputy)]);
    let exists = ("citizen".to_string(), "ann".to_string(), false, "`r1` exists already.".to_string());
    assert_eq!(asked(&memory, "submit"), [exists]);
}

/// The commands over a database: what they print, and the files that they write.
#[test]
fn the_commands_look_ahead_and_say_why() {
    use crate::cli::{DEPUTY, Desk};
    let desk = Desk::new();
    desk.submitted("a1");
    let lines = |answer: &str| answer.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>();
    let idle = desk.run(&["simulate", "--idle", "--until", "2099-12-31", "--csv", "ahead.csv", "--xlsx", "ahead.xlsx", "--json"]);
    assert_eq!(idle.code, 0, "{idle:?}");
    let lines = lines(&idle.out);
    let summary = lines.last().unwrap();
    assert_eq!((&summary["type"], &summary["items"]), (&"summary".into(), &1.into()));
    let notices: usize =
        lines.iter().filter(|line| line["type"] == "mail").map(|mail| mail["notices"].as_array().map_or(0, Vec::len)).sum();
    // The review is long overdue: the office is told at once, and its leaders.
    assert!(notices > 0, "{idle:?}");
    assert_eq!(summary["notices"], notices);
    let csv = std::fs::read_to_string(desk.folder.path().join("ahead.csv")).unwrap();
    assert_eq!(csv.lines().count(), notices + 1);
    assert!(csv.starts_with("\u{feff}发出,信件序号,"), "{csv}");
    assert!(csv.contains("suggestion/deadlines.yaml:"), "each notice cites its rule: {csv}");
    let book = std::fs::read(desk.folder.path().join("ahead.xlsx")).unwrap();
    assert!(book.starts_with(b"PK"), "a workbook is an archive");
    assert_eq!(desk.json(&["show", "a1"])["facts"].as_array().map(Vec::len), Some(2), "nothing was recorded");

    let item = desk.run(&["simulate", "--item", "a1", "--until", "2099-12-31"]);
    assert!(item.code == 0 && item.out.contains("deadlines.yaml:"), "{item:?}");
    assert_eq!(desk.run(&["simulate", "--item", "a1", "--until", "2000-01-01"]).code, 2);
    assert_eq!(desk.run(&["simulate", "--item", "zz", "--until", "2099-01-01"]).code, 1);
    assert_eq!(desk.run(&["simulate", "--until", "2099-01-01"]).code, 2, "it has to be said what");

    let who = desk.run(&["explain", "who", "lead_deputy", "a1"]);
    assert!(who.code == 0 && who.out.contains(&*DEPUTY), "{who:?}");
    assert_eq!(desk.run(&["explain", "who", "nobody_knows", "a1"]).code, 2);
    let wakes = desk.json(&["explain", "wakeups", "a1"]);
    assert_eq!(wakes["derived"]["next"], wakes["stored"]);
    let ladder = desk.run(&["explain", "escalation", "a1", "review"]);
    assert!(ladder.code == 0 && ladder.out.contains("above"), "{ladder:?}");
    let silent = desk.run(&["explain", "why-no-mail", "a1", "--to", &DEPUTY]);
    assert!(silent.code == 0 && silent.out.contains("收到建议回执"), "{silent:?}");
    let doers = desk.run(&["explain", "action", "a1", "accept"]);
    assert!(doers.code == 0 && doers.out.contains("代表工委") && doers.out.contains("✓  曾海敏"), "{doers:?}");
    let withdraw = desk.run(&["explain", "action", "a1", "withdraw"]);
    assert!(withdraw.out.contains("  代表工委（代领衔代表办理）\n"), "{withdraw:?}");
    let again = desk.run(&["explain", "action", "a1", "draft"]);
    assert!(again.code == 1 && again.out.contains("编号“a1”已经存在。") && !again.out.contains('✓'), "{again:?}");
    let days = desk.run(&["explain", "due", "a1", "review", "--days"]);
    assert!(days.out.contains("第1个工作日") && days.out.contains("国务院办公厅"), "{days:?}");
    let key = desk.json(&["outbox", "list", "--item", "a1"])["notices"][0][1]["key"].as_str().map(str::to_string).unwrap();
    let because = desk.run(&["explain", "mail", &key]);
    assert!(because.code == 0 && because.out.contains("flow.yaml:"), "{because:?}");
    assert_eq!(desk.run(&["explain", "mail", "unknown"]).code, 1);
}
