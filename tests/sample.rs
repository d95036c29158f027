//! The shipped sample, run through the kernel in memory: the list, two years of actions, the engine's own moments. Nothing is refused,
//! and the published figures come out of the facts.

use crate::support::rule_set::files_of;
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone, Utc};
use duban::kernel::check;
use duban::kernel::derive::{self, days, past};
use duban::kernel::derive::{fold, hands, roles};
use duban::kernel::model::Name;
use duban::kernel::model::command::Command;
use duban::kernel::model::definition::NoticeKind;
use duban::kernel::read::steps::{self, ActionFile};
use duban::kernel::report::{Figures, Table, table};
use duban::kernel::rules::{RuleSet, Rules};
use duban::kernel::simulate::world::World;
use duban::kernel::time::Instant;
use duban::kernel::words::{self, Lang};
use duban::sheet::{Row, read_import};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng")
}

static RULE_SET: LazyLock<RuleSet> = LazyLock::new(|| {
    let (rule_set, problems) = check::load(&files_of(&folder()));
    rule_set.unwrap_or_else(|| panic!("{problems:#?}"))
});

fn rules() -> Arc<Rules> {
    RULE_SET.workflows["suggestion"].clone()
}

fn list() -> Vec<Row> {
    let rules = rules();
    let workflow = &rules.setting.workflow;
    let path = folder().join("sample/2024年代表建议.xlsx");
    let reading = read_import(&path, &workflow.imports["suggestions"], &workflow.fields, &RULE_SET.directory).unwrap();
    let problems: Vec<_> = reading.problems.iter().map(|problem| format!("{} {}", problem.place(), problem.sentence(Lang::Zh))).collect();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(reading.blank_rows, 0, "the row between session and inter-session is not even a row");
    reading.rows
}

fn actions(year: i32) -> ActionFile {
    let name = format!("{year}年办理.yaml");
    let text = std::fs::read_to_string(folder().join("sample").join(&name)).unwrap();
    let mut problems = Vec::new();
    let file = steps::read(&name.into(), &text, &mut problems);
    file.unwrap_or_else(|| panic!("{problems:#?}"))
}

/// Everything that people do, by the moment at which they do it.
fn everything(world: &World) -> Vec<(Instant, String, Command)> {
    let rules = &world.rules;
    let zone = rules.setting.workflow.timezone;
    let instant = |at: NaiveDateTime| zone.from_local_datetime(&at).earliest().unwrap().with_timezone(&Utc);
    let nine = NaiveTime::from_hms_opt(9, 0, 0).unwrap();
    let mut all = Vec::new();
    for row in list() {
        let id = row.item.clone().unwrap();
        for (index, step) in row.steps.into_iter().enumerate() {
            let blank = Arc::new(fold::begin(rules, &id, step.on, step.on));
            let by = roles::holders(rules, &blank, &step.by, None, step.on).unwrap()[0].clone();
            let command = Command {
                id: format!("import {} {index}", row.number).into(),
                item: id.clone(),
                branch: None,
                action: step.action,
                input: step.input,
                by,
                via: None,
                effective_on: None,
                seen_rev: None,
            };
            all.push((instant(step.on.and_time(nine)), format!("row {}", row.number), command));
        }
    }
    for year in [2024, 2025] {
        for (index, step) in actions(year).steps.iter().enumerate() {
            all.push((instant(step.at), format!("{year}:{}", step.line), step.command(format!("{year} {index}").into())));
        }
    }
    all.sort_by_key(|(at, _, _)| *at);
    all
}

fn figures_of(world: &World, report: &str, day: NaiveDate) -> Figures {
    table_of(world, report, &[day]).figures(0).unwrap()
}

fn table_of(world: &World, report: &str, days: &[NaiveDate]) -> Table {
    let items = world.items.iter().map(|(id, kept)| (&**id, kept.facts.as_slice()));
    table(&world.rules, &report.into(), items, days, None).unwrap()
}

fn counts(figures: &Figures) -> Vec<(&str, u64)> {
    figures.rows.iter().filter(|row| row.count > 0).map(|row| (row.value.as_str(), row.count)).collect()
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

#[test]
fn the_list_is_read_with_its_blemishes() {
    let rows = list();
    assert_eq!(rows.len(), 432);
    assert_eq!(rows.iter().filter_map(|row| row.item.as_deref()).collect::<BTreeSet<_>>().len(), 432);
    assert!(rows.iter().all(|row| row.steps.len() == 5));
    let titles: BTreeSet<_> = rows.iter().map(|row| row.steps[0].input[&Name::from("title")].as_text().unwrap().clone()).collect();
    assert_eq!(titles.len(), 432, "every title is its own");
    assert!(titles.iter().all(|title| title.starts_with("关于") && title.ends_with("的建议") && !title.contains([' ', '\u{3000}'])));
}

#[test]
fn two_years_run_without_a_refusal_and_the_figures_come_out() {
    let start = Utc.with_ymd_and_hms(2024, 2, 25, 16, 0, 0).unwrap();
    let end = Utc.with_ymd_and_hms(2025, 12, 31, 15, 0, 0).unwrap();
    let mut world = World::new(rules(), start);
    let mut refused = Vec::new();
    for (at, source, command) in everything(&world) {
        if at > world.now {
            world.advance_to(at);
        }
        if let Err(refusal) = world.act(&command) {
            let sentence = words::refusal(Lang::Zh, &refusal);
            refused.push(format!("{source} {at} {} {} {:?}: {sentence} {refusal:?}", command.item, command.action, command.branch));
        }
    }
    world.advance_to(end);

    assert_eq!(refused.len(), 0, "{:#?}", &refused[..refused.len().min(12)]);
    assert!(world.quarantined.is_empty(), "{:#?}", world.quarantined);

    let committees: BTreeSet<_> = world
        .sent
        .iter()
        .filter(|sent| &*sent.notice.role == "counterpart_committee" && sent.notice.kind == NoticeKind::Escalation)
        .map(|sent| sent.notice.person.clone())
        .collect();
    assert!(committees.len() >= 5, "escalations reach several committees: {committees:?}");
    for kind in [NoticeKind::Message, NoticeKind::Reminder, NoticeKind::Escalation] {
        assert!(world.sent.iter().filter(|sent| sent.notice.kind == kind).count() > 500, "{kind:?}");
    }

    let september = figures_of(&world, "ledger", day(2024, 9, 30));
    assert_eq!((counts(&september), september.total, september.share), (vec![("A", 167), ("B", 230), ("C", 35)], 432, Some(3866)));
    let december = figures_of(&world, "ledger", day(2024, 12, 31));
    assert_eq!((counts(&december), december.total, december.share), (vec![("A", 261), ("B", 140), ("C", 31)], 432, Some(6042)));
    let carried = figures_of(&world, "carried", day(2025, 1, 1));
    assert_eq!((counts(&carried), carried.total), (vec![("B", 140), ("C", 31)], 171));
    let after_a_year = figures_of(&world, "carried", day(2025, 12, 31));
    assert_eq!((after_a_year.rows[0].count, after_a_year.total, after_a_year.share), (113, 171, Some(6608)));

    a_series_says_of_each_day_what_a_report_of_that_day_says(&world);
    whoever_has_an_item_in_their_hands_is_led_to_it(&world);
}

/// Through the keys of hands everybody comes to whatever is in their hands, also as a stand-in, and by far not to everything.
fn whoever_has_an_item_in_their_hands_is_led_to_it(world: &World) {
    let directory = &RULE_SET.directory;
    let (mut led, mut held, mut all) = (0, 0, 0);
    for moment in ["2024-04-10T04:00:00Z", "2024-09-30T04:00:00Z", "2025-12-31T04:00:00Z"] {
        let now: Instant = moment.parse().unwrap();
        let today = now.date_naive();
        let keys_of: Vec<_> = directory.persons.keys().map(|person| (person, hands::keys_of(&RULE_SET, person, None, now))).collect();
        for (id, kept) in world.items.iter().step_by(5) {
            let then = past::as_of(&kept.facts, today, None);
            let Some(item) = derive::derive(&world.rules, id, &then, today).unwrap() else { continue };
            let keys = hands::keys(&world.rules, &item);
            for (person, keys_of) in &keys_of {
                let mut owners = roles::owners(&world.rules, &item).into_iter();
                let holds = owners.any(|(role, task)| roles::holds(&world.rules, &item, role, task, person, today).unwrap());
                let is_led = keys.iter().any(|key| keys_of.contains(key));
                assert!(is_led || !holds, "{person} is not led to {id} by {keys:?}");
                (led, held, all) = (led + u32::from(is_led), held + u32::from(holds), all + 1);
            }
        }
    }
    assert!(held > 100 && led < held * 3 && led * 10 < all, "{held} of {all} hold something, {led} are led to something");
}

fn a_series_says_of_each_day_what_a_report_of_that_day_says(world: &World) {
    let days = [day(2024, 9, 30), day(2024, 12, 31), day(2025, 12, 31)];
    for report in ["ledger", "by_unit", "by_topic_and_year"] {
        let series = table_of(world, report, &days);
        for (place, of_day) in days.iter().enumerate() {
            let alone = table_of(world, report, &[*of_day]);
            assert_eq!((&series.totals[place], series.counted[place]), (&alone.totals[0], alone.counted[0]), "{report} on {of_day}");
            for row in &alone.rows {
                let same = series.rows.iter().find(|other| other.keys == row.keys).unwrap();
                assert_eq!(same.cells[place], row.cells[0], "{report} on {of_day}: {:?}", row.keys);
            }
        }
    }
    // Folding once comes to the same as deriving from the facts of each day.
    for (id, kept) in world.items.iter().step_by(11) {
        days::on_days(&world.rules, id, &kept.facts, &days, None, |place, item| {
            let then = past::as_of(&kept.facts, days[place], None);
            let alone = derive::derive(&world.rules, id, &then, days[place])?.expect("it was there");
            assert_eq!(serde_json::to_value(&*item).unwrap(), serde_json::to_value(&*alone).unwrap(), "{id} on {}", days[place]);
            Ok(())
        })
        .unwrap();
    }
}
