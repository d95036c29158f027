//! `duban date`: the answer as data, and as people read it in both languages.

use crate::support::calendar::{cn, day};
use duban::cli::date::{self, DateArgs, OnDayOff, Overflow};
use duban::kernel::calendar::question::{Answer, Question};
use duban::kernel::model::definition::{DayOff, MonthOverflow};
use duban::kernel::model::item::DueStep;
use duban::kernel::time::Length;
use duban::kernel::words::{Lang, due};

fn answer(from: &str, length: &str) -> Answer {
    let length = Length::parse(length).unwrap();
    Question { from: day(from), length, overflow: MonthOverflow::LastDay, day_off: DayOff::NextWorkingDay }.answer(&cn())
}

/// The exit code, and what was printed (or complained of).
fn printed(from: &str, length: &str, lang: Lang, json: bool) -> (i32, String) {
    printed_with("cn", from, length, lang, json)
}

fn printed_with(calendar: &str, from: &str, length: &str, lang: Lang, json: bool) -> (i32, String) {
    let args = DateArgs {
        from: from.into(),
        length: length.into(),
        calendar: calendar.into(),
        month_overflow: Overflow::LastDay,
        day_off: OnDayOff::NextWorkingDay,
        json,
    };
    let (mut out, mut complaint) = (Vec::new(), Vec::new());
    let code = date::run(&args, lang, &mut out, &mut complaint).unwrap();
    assert!(out.is_empty() != complaint.is_empty());
    out.extend(complaint);
    (code, String::from_utf8(out).unwrap())
}

#[test]
fn the_date_comes_first_and_every_step_after_it() {
    let expected = "\
2026-02-28 星期六
  2025-11-30 星期日  起算日，当天不计
  2026-02-28 星期六  加3个月
  2026-02-28 星期六  当月没有这一天，取当月最后一天
  2026-02-28 星期六  调休上班日，照常办公，不顺延
  2026年安排：国务院办公厅关于2026年部分节假日安排的通知（2025-11-04）https://www.gov.cn/zhengce/zhengceku/202511/content_7047091.htm
";
    assert_eq!(printed("2025-11-30", "3 months", Lang::Zh, false), (0, expected.to_string()));
    assert_eq!(printed("2025-11-30", "3个月", Lang::Zh, false), (0, expected.to_string()));
    let expected = "\
2026-02-28 Saturday
  2025-11-30 Sunday    from this day, which is not counted
  2026-02-28 Saturday  plus 3 months
  2026-02-28 Saturday  the month has no such day, so its last day
  2026-02-28 Saturday  a make-up working day, so it stays
  Calendar of 2026: 国务院办公厅关于2026年部分节假日安排的通知（2025-11-04）https://www.gov.cn/zhengce/zhengceku/202511/content_7047091.htm
";
    assert_eq!(printed("2025-11-30", "3 months", Lang::En, false), (0, expected.to_string()));
}

#[test]
fn a_day_off_is_named() {
    let (code, text) = printed("2026-07-01", "3 months", Lang::Zh, false);
    assert_eq!(code, 0);
    assert!(text.starts_with("2026-10-08 星期四\n"), "{text}");
    assert!(text.contains("  2026-10-08 星期四  2026-10-01是国庆节，不上班，顺延至其后第一个工作日\n"), "{text}");
}

#[test]
fn working_days_show_what_was_skipped_and_what_was_counted() {
    let answer = answer("2026-02-10", "5 working days");
    assert_eq!(answer.due.date, day("2026-02-24"));
    assert_eq!(answer.makeup_days, [day("2026-02-14")]);
    let skipped: Vec<_> = answer.skipped.iter().map(|skipped| (skipped.first, skipped.last, skipped.holiday.as_str())).collect();
    assert_eq!(skipped, [(day("2026-02-15"), day("2026-02-23"), "春节")]);
    let expected = "\
2026-02-24 星期二
  2026-02-10 星期二         起算日，当天不计
  2026-02-14 星期六         调休上班，计入
  2026-02-15 至 2026-02-23  春节放假，不计
  2026-02-24 星期二         第5个工作日
";
    let (_, text) = printed("2026-02-10", "5个工作日", Lang::Zh, false);
    assert!(text.starts_with(expected), "{text}");
}

#[test]
fn a_year_without_a_notice_makes_the_date_provisional() {
    let answer = answer("2026-11-30", "3 months");
    assert!(answer.due.provisional);
    assert_eq!(answer.due.date, day("2027-03-01"));
    assert_eq!(answer.due.steps.last(), Some(&DueStep::Provisional { known_until: day("2026-12-31") }));
    let (_, text) = printed("2026-11-30", "3 months", Lang::Zh, false);
    assert!(text.starts_with("2027-03-01 星期一（暂定）\n") && text.contains("2027年安排：尚未录入"), "{text}");

    // Counting working days, the year in which they begin matters, unless only its last day is the anchor.
    let provisional = |from: &str| self::answer(from, "5 working days").due.provisional;
    assert!(provisional("2023-12-29") && !provisional("2023-12-31") && provisional("2026-12-30") && !provisional("2026-12-24"));
}

#[test]
fn programs_read_the_same_answer() {
    let (code, text) = printed("2025-11-30", "3 months", Lang::Zh, true);
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(code, 0);
    assert_eq!(json["date"], "2026-02-28");
    assert_eq!(json["provisional"], false);
    assert_eq!(json["length"], "3 months");
    let steps: Vec<_> = json["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["length", "clamped", "make_up_day"]);
    assert_eq!(json["notices"][0]["year"], 2026);
    assert!(json["notices"][0]["source"].as_str().unwrap().contains("2025-11-04"));
}

#[test]
fn what_cannot_be_read_is_told_with_an_example() {
    for from in ["2026-02-30", "tomorrow", "", "+12026-01-01", "2026年2月3日"] {
        let (code, text) = printed(from, "3 months", Lang::Zh, false);
        assert_eq!((code, text), (2, format!("“{from}”不是日期：请写成 2025-11-30 的样子\n")));
    }
    for length in ["three months", "3 weeks", "", "-3 days", "99999999 days", "３天"] {
        let (code, text) = printed("2025-11-30", length, Lang::En, false);
        assert!(code == 2 && text.starts_with(&format!("`{length}` is no length: write `30 days`")), "{text}");
    }
}

#[test]
fn a_calendar_is_found_by_name_or_path_and_used_only_when_it_is_right() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("county.yaml");
    let ask = |text: &str| {
        std::fs::write(&path, text).unwrap();
        printed_with(path.to_str().unwrap(), "2025-11-30", "3 months", Lang::En, false)
    };
    // The county gives 28 February off, and nobody works on that Saturday.
    let county = "region: COUNTY\nyears:\n  2026:\n    status: official\n    holidays: { Fair: [\"2026-02-28..2026-03-02\"] }\n";
    let (code, text) = ask(county);
    assert_eq!(code, 0);
    assert!(text.starts_with("2026-03-03 Tuesday\n") && text.contains("2026-02-28 is a day off (Fair)"), "{text}");
    assert!(text.contains("Calendar of 2026: entered, without a source"), "{text}");

    let (code, text) = ask(&county.replace("..2026-03-02", "..2026-02-30"));
    assert!(code == 1 && text.contains("county.yaml has mistakes") && text.contains("5:25 E011"), "{text}");
    let (code, text) = ask(&county.replace("2026-02-28..2026-03-02", "2026-03-02..2026-02-28"));
    assert!(code == 1 && text.contains("E524"), "{text}");
    let (code, text) = printed_with("atlantis", "2025-11-30", "3 months", Lang::En, false);
    assert_eq!((code, text.as_str()), (2, "There is no calendar `atlantis`: no such file in rules/calendars; built in are: cn\n"));
}

#[test]
fn far_away_dates_stay_readable() {
    let (code, text) = printed("2025-11-30", "36500 working days", Lang::Zh, false);
    assert_eq!(code, 0);
    assert!(text.lines().count() < 30, "{text}");
}

#[test]
fn every_step_has_a_whole_sentence_in_both_languages() {
    let (from, gives) = (day("2026-02-15"), day("2026-02-24"));
    let plain = Length::parse("3 months");
    let law = Some("代表法第42条".to_string());
    let steps = [
        DueStep::Anchor { on: from, seq: 3, name: "assign".into() },
        DueStep::Length { rule: "3 months".into(), length: plain, source: None, since: None, gives },
        DueStep::Length { rule: "reply_term".into(), length: plain, source: law.clone(), since: None, gives },
        DueStep::Length { rule: "reply_term".into(), length: None, source: law, since: None, gives },
        DueStep::Clamped { gives },
        DueStep::Clamped { gives: day("2026-03-01") },
        DueStep::Fixed { rule: "on 06-30".into(), gives },
        DueStep::Extended { seq: 5, rule: "1 month".into(), gives },
        DueStep::Paused { from, to: gives, days: 9, seq: 6, gives },
        DueStep::Cap { rule: "6 months".into(), cap: gives, reached: true, gives },
        DueStep::Cap { rule: "6 months".into(), cap: gives, reached: false, gives },
        DueStep::Rolled { from, because: "春节".into(), gives },
        DueStep::Rolled { from: gives, because: "saturday".into(), gives: from },
        DueStep::MakeUpDay { gives },
        DueStep::Earliest { parts: vec![("3 months".into(), gives), ("on 06-30".into(), from)], gives },
        DueStep::Provisional { known_until: gives },
    ];
    for lang in [Lang::Zh, Lang::En] {
        let sentences: Vec<_> = steps.iter().map(|step| due::step(lang, step, |name| format!("<{name}>"))).collect();
        for sentence in &sentences {
            assert!(!sentence.contains(['{', '}']) && !sentence.contains("due.") && !sentence.contains("render."), "{sentence}");
        }
        assert_eq!(sentences.iter().collect::<std::collections::BTreeSet<_>>().len(), steps.len());
    }
    assert_eq!(due::step(Lang::Zh, &steps[2], |_| "答复期限".into()), "加3个月（答复期限，代表法第42条）");
    assert_eq!(due::length(Lang::En, Length::parse("1个工作日").unwrap()), "1 working day");
}

#[test]
fn a_year_that_is_over_and_not_in_the_calendar_gives_no_date() {
    for (from, length) in [("2009-11-30", "10 working days"), ("2023-05-02", "3 months"), ("2023-12-20", "10 working days")] {
        let (code, complaint) = printed(from, length, Lang::En, false);
        assert_eq!(code, 1, "{from}: {complaint}");
        assert!(complaint.contains(&from[..4]) && complaint.contains("begins with 2024"), "{complaint}");
    }
    // Where it ends is known, and on the way nothing is counted.
    assert_eq!(printed("2023-12-31", "3 months", Lang::En, false).0, 0);
}
