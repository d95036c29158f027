//! Reports: what is counted, summed and listed, on one day and on several; what may not be asked; and the files that an office hands in,
//! read back.

use crate::support::rule_set::files_of;
use calamine::{Data, Reader, Xlsx};
use duban::app::{Format, FormatError, Made};
use duban::cli::problems;
use duban::cli::test::stories;
use duban::kernel::check;
use duban::kernel::model::problem::Problem;
use duban::kernel::report::days::{self, Each};
use duban::kernel::report::document::Part;
use duban::kernel::report::{Cell, Column, ColumnKind, Filled, Key, KeyColumn, Kind, Of, Row, Table};
use duban::kernel::words::{self, Lang};
use duban::sheet::list::List;
use indexmap::IndexMap;
use quick_xml::events::Event;
use std::io::{Cursor, Read};
use std::path::Path;

/// The permit office of the help pages, where a permit also names places, with more reports.
fn office(reports: &str) -> IndexMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/permit"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap());
    let flow = files.get_mut("permit/flow.yaml").unwrap();
    *flow = flow
        .replace("  hearing_on: {", "  places:     { title: Places, type: unit_list }\n  hearing_on: {")
        .replace("income?]", "income?, places?]");
    files.insert("permit/more.yaml".into(), reports.to_string());
    files
}

const REPORTS: &str = r#"
reports:
  opinions:
    title: Opinions by bureau
    over: opinion
    when: item.state != "draft"
    by: task.unit
    columns:
      asked: { title: Asked, count: all }
      given: { title: Given, count: 'task.state == "given"' }
      rate:  { title: Given in percent, share: given, of: asked }
      area:  { title: Area, sum: item.size }
      first: { title: First hearing, earliest: item.hearing_on }
      last:  { title: Last hearing, latest: item.hearing_on }
    total: true
  by_place: { title: By place, by: places }
  by_place_and_kind: { title: By place and kind, by: [places, item.kind], total: true }
  by_month:
    title: By month of the hearing
    by: { Month: 'month_of(item.hearing_on ?? date("2026-01-01"))', Large: 'item.size > 100' }
  all:
    title: All permits
    list: { No.: item.number, Heading: item.heading, Kind: item.kind, Places: item.places, Applicant: item.applicant, Heard: item.hearing_on, Big: item.size > 100 }
    order: [item.kind, item.size]
"#;

const STORY: &str = r#"
test_of: permit
tests:
  - name: three permits
    starts_empty: true
    ignore_notices: [opened, opinion_soon, opinion_late, decision_soon, decision_late, hearing_soon, hearing_late, answer_soon]
    steps:
      - { at: 2026-03-02 09:00, by: li, item: a, do: file, with: { heading: Pipes, applicant: zhao, size: 12, kind: small, places: [parks, roads] } }
      - { at: 2026-03-02 09:10, by: li, item: a, do: submit, with: { units: [parks, roads] } }
      - { at: 2026-03-02 09:20, by: li, item: b, do: file, with: { heading: Square, applicant: zhao, size: 300, kind: large, places: [roads] } }
      - { at: 2026-03-02 09:30, by: li, item: b, do: submit, with: { units: [roads] } }
      - { at: 2026-03-02 09:40, by: li, item: c, do: file, with: { heading: Bench, applicant: zhao, size: 5, kind: small } }
      - { at: 2026-03-03 09:00, by: li, item: a, do: call_hearing, with: { hearing_on: 2026-04-20 } }
      - { at: 2026-03-03 09:10, by: li, item: b, do: call_hearing, with: { hearing_on: 2026-03-30 } }
      - at: 2026-03-04 09:00
        by: sun
        item: a
        branch: opinion roads
        do: give
        with: { words: fine }
        expect:
          reports:
EXPECTED
"#;

/// What differs when these figures are expected, in English.
fn differences(expected: &str) -> Vec<String> {
    let mut files = office(REPORTS);
    let expected: String = expected.lines().map(|line| format!("            {line}\n")).collect();
    files.insert("tests/permits.test.yaml".into(), STORY.replace("EXPECTED", &expected));
    let (rules, problems) = check::load(&files);
    let rules = rules.unwrap_or_else(|| panic!("{problems:#?}"));
    let report = stories(&rules, &files, None, Lang::En);
    let mut told: Vec<String> = report.problems.iter().map(|problem| format!("{} {:?}", problem.code, problem.values)).collect();
    let outcomes = report.files.iter().flat_map(|file| &file.outcomes);
    told.extend(outcomes.flat_map(|outcomes| &outcomes.differences).map(|difference| difference.text(Lang::En)));
    told
}

#[test]
fn rows_are_counted_over_items_and_branches_and_shares_are_computed_anew_in_the_total() {
    let told = differences(
        r#"opinions:
  counts: { parks: 1, roads: 2 }
  rows:
    parks: { asked: 1, given: 0, rate: 0.00%, area: 12, first: 2026-04-20, last: 2026-04-20 }
    Roads: { asked: 2, given: 1, Given in percent: 50.00%, area: 312, first: 2026-03-30, last: 2026-04-20 }
  total: { asked: 3, given: 1, rate: 33.33%, area: 324, first: 2026-03-30 }
by_place: { counts: { parks: 1, roads: 2, "": 1 } }
by_place_and_kind:
  counts: { parks small: 1, roads small: 1, roads large: 1, "- small": 1 }
  total: { count: 3 }
by_month: { counts: { 1 false: 1, 4 false: 1, 3 true: 1 }, rows: { 3 true: { count: 1 } } }
all:
  list:
    - { No.: 2026-003, Heading: Bench, Kind: small, Places: "-", Heard: "-", Big: false }
    - { No.: 2026-001, Heading: Pipes, Places: "Parks, Roads", Applicant: Zhao, Heard: 2026-04-20 }
    - { No.: 2026-002, Kind: large, Big: true }"#,
    );
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn what_differs_from_a_story_is_told_by_row_and_column() {
    let told = differences(
        "opinions: { rows: { parks: { asked: 2 }, lakes: { asked: 0 } }, total: { rate: 33.34% } }\nall: { list: [{ Heading: Bench }] }",
    );
    for part in ["opinions parks asked", "no row lakes", "parks, roads", "33.34%", "33.33%", "all"] {
        assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
    }
    let unknown = differences("opinions: { rows: { parks: { askt: 2 } } }");
    assert!(unknown.iter().any(|line| line.starts_with("E901") && line.contains("askt")), "{unknown:#?}");
}

#[test]
fn what_a_report_may_not_ask_is_told_with_what_is_near() {
    let figures = |by: &str, columns: &str| format!("reports:\n  r:\n    title: R\n    by: {by}\n    columns:\n{columns}");
    let one = "      k: { title: N, count: all }\n";
    let document = |part: &str| {
        format!("reports:\n  kinds: {{ title: Kinds, by: kind, share: large }}\ndocuments:\n  d: {{ title: D, parts: [{part}] }}\n")
    };
    let desk = |part: &str| {
        format!("reports:\n  kinds: {{ title: Kinds, by: kind }}\ndesks:\n  d:\n    title: D\n    for: [office]\n    parts: [{part}]\n")
    };
    let published =
        |field: &str, fields: &str| format!("published: {{ title: T, states: [], field: {field}, is: [], fields: {fields} }}\n");
    let table: &[(String, &str, &str)] = &[
        (figures("item.knd", one), "E210", "kind"),
        (figures("kindd", one), "E107", "kind"),
        (figures("task.unit", one), "E228", "task"),
        (figures("item.hearing_on", one), "E705", "date"),
        (figures("hearing_on", one), "E705", "hearing_on"),
        (figures("kind", "      k: { title: N, count: item.size }\n"), "E213", "yes or no"),
        (figures("kind", "      k: { title: N, sum: item.heading }\n"), "E213", "number"),
        (figures("kind", "      k: { title: N, earliest: item.size }\n"), "E213", "date"),
        (figures("kind", "      k: { title: N, count: 'item.kind == \"lrge\"' }\n"), "E216", "large"),
        (figures("kind", "      k: { title: N, count: all, sum: item.size }\n"), "E708", "several things"),
        (figures("kind", "      k: { title: N }\n"), "E708", "says nothing"),
        (figures("kind", "      k: { title: N, count: all, of: k }\n"), "E708", "`of`"),
        (figures("kind", "      k: { title: N, count: all }\n      s: { title: S, share: k }\n"), "E006", "of"),
        (figures("kind", "      k: { title: N, count: all }\n      s: { title: S, share: k, of: m }\n"), "E709", "`k`"),
        (
            figures(
                "kind",
                "      k: { title: N, count: all }\n      d: { title: D, latest: item.hearing_on }\n      s: { title: S, share: k, of: d }\n",
            ),
            "E708",
            "no share of column `d`",
        ),
        (figures("kind", "      k-n: { title: N, count: all }\n"), "E101", "k-n"),
        (figures("kind", "      k: { title: N, cuont: all }\n"), "E005", "count"),
        (figures("kind\n    share: small", one), "E708", "`share`"),
        (figures("kind\n    order: item.size", one), "E708", "`order`"),
        ("reports:\n  r: { title: R, list: { A: item.heading }, by: kind }\n".into(), "E708", "`by`"),
        ("reports:\n  r: { title: R, list: { A: item } }\n".into(), "E213", "text"),
        ("reports:\n  r: { title: R }\n".into(), "E006", "by"),
        ("reports:\n  r: { title: R, over: opinon, by: item.kind }\n".into(), "E105", "opinion"),
        // What is sealed or secret is not read by any part of it.
        (figures("item.rating", one), "E409", "rating"),
        (figures("rating", one), "E409", "rating"),
        (figures("kind", "      k: { title: N, count: 'item.rating == \"good\"' }\n"), "E409", "rating"),
        ("reports:\n  r: { title: R, list: { A: item.heading, B: item.rating } }\n".into(), "E409", "rating"),
        ("reports:\n  r: { title: R, list: { A: item.heading }, order: item.rating }\n".into(), "E409", "rating"),
        ("reports:\n  r: { title: R, list: { A: item.income } }\n".into(), "E405", "income"),
        (figures("income", one), "E405", "income"),
        // Whose it can be is one field that everybody may see.
        (format!("{}    of: item.size + 1\n", figures("kind", one)), "E708", "one field"),
        (format!("{}    of: item.hearing_on\n", figures("kind", one)), "E705", "hearing_on"),
        (format!("{}    of: item.rating\n", figures("kind", one)), "E409", "rating"),
        (format!("{}    of: item.income\n", figures("kind", one)), "E405", "income"),
        // Documents: their reports, and what their words read.
        (document("{ report: kids }"), "E710", "`kinds`"),
        (document("{ report: permits.kinds }"), "E115", "`permit`"),
        (
            document("{ report: kinds, text: '{% if kinds.counted > 0 %}{{ kinds.rows.huge.count }}{% endif %}' }"),
            "E710",
            "`kinds.rows.huge.count`",
        ),
        (document("{ text: ' ' }"), "E710", "neither"),
        (document("{ report: kinds }").replace("parts: [{ report: kinds }]", "parts: []"), "E710", "neither"),
        (document("{ report: day }").replace("  kinds:", "  day:"), "E710", "another name"),
        (document("{ report: permit }").replace("  kinds:", "  permit:"), "E710", "another name"),
        (document("{ heading: Nothing }"), "E710", "neither"),
        (document("{ report: kinds, text: 'All {{ kinds.cuonted }}' }"), "E710", "`kinds.cuonted`"),
        (document("{ report: kinds, text: '{{ kinds.rows.lrge.count }}' }"), "E710", "`kinds.rows.lrge.count`"),
        (document("{ report: kinds, text: '{{ others.counted }}' }"), "E710", "others"),
        (document("{ report: kinds, text: '{{ kinds.counted | dat }}' }"), "E710", "dat"),
        (document("{ report: kinds }").replace("  d:", "  kinds:"), "E710", "another name"),
        ("documents:\n  d: { title: D }\n".into(), "E006", "parts"),
        (document("{ reprot: kinds }"), "E005", "report"),
        (desk("{ title: P, show: dutys }"), "E", "duties"),
        (desk("{ title: P, show: duties, states: [filed] }"), "E005", "states"),
        (desk("{ title: P, show: waiting, states: [nowhere] }"), "E711", "nowhere"),
        (desk("{ title: P, show: report, report: kind }"), "E711", "`kinds`"),
        (desk("{ title: P, show: round, branch: opinoin }"), "E711", "opinoin"),
        (desk("{ title: P, show: duties }").replace("for: [office]", "for: [ofice]"), "E711", "`office`"),
        (desk("{ title: P, show: duties }").replace("title: D", "title: D\n    first_for: [system]"), "E711", "system"),
        ("ledger: { columns: [income] }\n".into(), "E711", "Not everybody"),
        ("ledger: { filters: [heading] }\n".into(), "E711", "few values"),
        ("ledger: { colums: [kind] }\n".into(), "E005", "columns"),
        (published("kind", "[applicant]"), "E711", "names persons"),
        (published("heading", "[kind]"), "E711", "not a choice"),
        (published("kind", "[income]"), "E711", "Not everybody"),
    ];
    let mut wrong = Vec::new();
    for (reports, code, part) in table {
        let (_, found) = check::load(&office(reports));
        let said = |problem: &Problem, part: &str| problems::sentence(Lang::En, problem, part).unwrap_or_default();
        let sentence = |problem: &Problem| format!("{} {}", said(problem, ""), said(problem, ".help"));
        let told: Vec<String> = found.iter().map(|problem| format!("{} {}", problem.code, sentence(problem))).collect();
        if !told.iter().any(|line| line.starts_with(code) && line.contains(part)) {
            wrong.push(format!("{reports}: no {code} with `{part}` in {told:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// As it is entered, and by what an effect makes of it.
#[test]
fn columns_of_what_is_not_for_everybody_stay_out_of_lists() {
    let list = "
imports:
  incomes:
    title: Incomes
    columns:
      heading:   { heading: Heading, type: text, required: true }
      applicant: { heading: Applicant, type: person, required: true }
      size:      { heading: Size, type: number, required: true }
      kind:      { heading: Kind, type: choice, required: true, values: { S: small, L: large } }
      income:    { heading: Income, type: number }
      guessed:   { heading: Guessed, type: number }
      filed_on:  { heading: Filed on, type: date, required: true }
    steps:
      - { do: file, by: office, on: filed_on, with: { heading: heading, applicant: applicant, size: size, kind: kind, WITH: from } }
";
    let kept = |input: &str, column: &str, all: bool| {
        let mut files = office(&list.replace("WITH: from", &format!("{input}: {column}")));
        let flow = files.get_mut("permit/flow.yaml").unwrap();
        *flow = flow.replacen(
            "income?, places?]",
            "income?, places?, { guess: { type: number, title: Guess } }]\n    set: { income: { value: input.guess, when: is_set(input.guess) } }",
            1,
        );
        let (rules, problems) = check::load(&files);
        let rules = rules.unwrap_or_else(|| panic!("{problems:#?}"));
        let setting = &rules.workflows["permit"].setting;
        let list = List::new(&setting.workflow.imports["incomes"], &setting.workflow, &setting.directory, all);
        assert_eq!(list.headings().len() + list.kept().len(), 7);
        list.kept()
    };
    assert_eq!(
        (kept("income", "income", false), kept("guess", "guessed", false)),
        (vec!["Income".to_string()], vec!["Guessed".to_string()])
    );
    assert_eq!((kept("income", "income", true), kept("guess", "guessed", true)), (vec![], vec![]), "unless all is asked for");
}

#[test]
fn a_report_over_a_hidden_branch_is_refused() {
    let mut files = office("reports:\n  r: { title: R, over: opinion, by: task.state }\n");
    let (rules, problems) = check::load(&files);
    assert!(rules.is_some(), "{problems:#?}");
    let flow = files.get_mut("permit/flow.yaml").unwrap();
    *flow = flow.replace("    cancelled_state: gone\n", "    cancelled_state: gone\n    visible_to: [office, officer, committee]\n");
    let (_, problems) = check::load(&files);
    assert!(problems.iter().any(|problem| problem.code == "E409" && problem.place.file.contains("more.yaml")), "{problems:#?}");
}

#[test]
fn the_days_of_a_series_keep_to_the_end_of_the_month() {
    let day = |text: &str| text.parse().unwrap();
    let series = |from: &str, each: Each, to: &str| {
        days::series(day(from), each, day(to)).map(|days| days.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    };
    for (from, each, to, wanted) in [
        ("2024-09-30", Each::Quarter, "2025-03-31", "2024-09-30 2024-12-31 2025-03-31"),
        ("2024-01-31", Each::Month, "2024-04-15", "2024-01-31 2024-02-29 2024-03-31 2024-04-15"),
        ("2024-01-30", Each::Month, "2024-03-30", "2024-01-30 2024-02-29 2024-03-30"),
        ("2024-02-29", Each::Year, "2026-03-01", "2024-02-29 2025-02-28 2026-02-28 2026-03-01"),
        ("2024-09-30", Each::Year, "2024-09-30", "2024-09-30"),
    ] {
        assert_eq!(series(from, each, to).as_deref(), Some(wanted));
    }
    assert_eq!(series("2024-09-30", Each::Year, "2024-09-29"), None, "backwards");
    assert_eq!(series("2000-01-31", Each::Month, "2024-01-31"), None, "more than anybody reads");
}

/// Figures of two units on two days, with titles that try to get out of their cells.
fn table(days: usize) -> Table {
    let column = |name: &str, title: &str, kind| Column { name: name.into(), title: title.into(), kind };
    let row = |value: &str, title: &str, numbers: [i64; 2], day: Option<&str>| Row {
        keys: vec![Key { value: value.into(), shown: if title.is_empty() { Cell::Empty } else { Cell::Text(title.into()) } }],
        counted: vec![numbers[0].unsigned_abs(); days],
        cells: vec![cells(numbers, day); days],
    };
    Table {
        report: "by_unit".into(),
        title: "各承办单位办理情况 <&> \"A/B\"".into(),
        kind: Kind::Figures,
        of: None,
        days: ["2024-09-30", "2024-12-31"][2 - days..].iter().map(|day| day.parse().unwrap()).collect(),
        keys: vec![KeyColumn { source: "task.unit".into(), title: "承办单位".into(), given: None }],
        columns: vec![
            column("owed", "应答复", ColumnKind::Count),
            column("on_time", "按期答复", ColumnKind::Count),
            column("rate", "按期率", ColumnKind::Share { part: 1, whole: Some(0) }),
            column("first", "最早交办", ColumnKind::Day),
        ],
        rows: vec![
            row("roads", "市住建局", [3, 2], Some("2024-03-01")),
            row("cmd", "=cmd|'/c calc'!A1", [12, 12], None),
            row("quoted", "a,\"b\" <b>\nc", [0, 0], None),
            row("", "", [1, 0], None),
        ],
        totals: vec![cells([16, 14], Some("2024-03-01")); days],
        counted: vec![16; days],
        shows_total: true,
        share_of: None,
    }
}

fn cells([owed, on_time]: [i64; 2], day: Option<&str>) -> Vec<Cell> {
    let share = duban::kernel::report::hundredths_of_percent(on_time.unsigned_abs(), owed.unsigned_abs());
    let share = if owed == 0 { Cell::Empty } else { Cell::Share(share) };
    let day = day.map_or(Cell::Empty, |day| Cell::Day(day.parse().unwrap()));
    vec![Cell::Number(owed), Cell::Number(on_time), share, day]
}

fn list() -> Table {
    let column = |name: &str| Column { name: name.into(), title: name.into(), kind: ColumnKind::Shown };
    let row = |number: &str, title: &str| Row {
        keys: Vec::new(),
        counted: vec![1],
        cells: vec![vec![
            Cell::Text(number.into()),
            Cell::Text(title.into()),
            Cell::YesNo(true),
            Cell::Several(vec![Cell::Text("甲".into()), Cell::Text("乙".into())]),
        ]],
    };
    Table {
        report: "key_list".into(),
        title: "一览表".into(),
        kind: Kind::List,
        of: None,
        days: vec!["2024-12-31".parse().unwrap()],
        keys: Vec::new(),
        columns: ["编号", "标题", "重点", "代表"].map(column).to_vec(),
        rows: vec![row("0012", "关于修桥的建议"), row("2024-010", "-1")],
        totals: vec![Vec::new()],
        counted: vec![2],
        shows_total: false,
        share_of: None,
    }
}

fn made(table: Table) -> Made {
    Made::Table(table)
}

/// Words, a table, a list and words alone, of one unit.
fn document() -> Made {
    let of = Some(Of { value: "roads".into(), title: "市<住建>局".into() });
    let part = |heading: &str, text: &str, table: Option<Table>| Part {
        heading: (!heading.is_empty()).then(|| heading.into()),
        text: (!text.is_empty()).then(|| text.into()),
        table: table.map(|table| Table { of: of.clone(), ..table }),
    };
    Made::Document(Filled {
        name: "yearly".into(),
        title: "办理情况报告".into(),
        day: "2024-12-31".parse().unwrap(),
        of: of.clone(),
        parts: vec![
            part("一、总体情况", "全年交办16件。\n\n<b>其中</b>14件按期。", Some(table(1))),
            part("二、重点督办", "", Some(list())),
            part("", "", Some(list())),
            part("三、下一步", "继续办理。", None),
        ],
    })
}

fn part(book: &[u8], name: &str) -> String {
    let mut text = String::new();
    zip::ZipArchive::new(Cursor::new(book)).unwrap().by_name(name).unwrap().read_to_string(&mut text).unwrap();
    text
}

#[test]
fn a_workbook_is_as_an_office_prints_it_and_its_numbers_are_numbers() {
    let remark = "只计到2025-01-05为止已记录的内容。".to_string();
    let bytes = Format::Xlsx.write(&made(table(1)), std::slice::from_ref(&remark), Lang::Zh).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes.clone())).unwrap();
    let name = book.sheet_names()[0].clone();
    assert_eq!(name, "各承办单位办理情况 <&> \"AB\"", "without what a sheet may not be called");
    let sheet = book.worksheet_range(&name).unwrap();
    let cell = |row: u32, column: u32| sheet.get_value((row, column)).cloned().unwrap_or(Data::Empty);
    assert_eq!(cell(0, 0), Data::String("各承办单位办理情况 <&> \"A/B\"".into()));
    assert_eq!(cell(1, 0), Data::String("截至2024-12-31".into()));
    assert_eq!((cell(2, 0), cell(2, 3)), (Data::String("承办单位".into()), Data::String("按期率".into())));
    assert_eq!((cell(3, 1), cell(3, 3)), (Data::Float(3.0), Data::Float(0.6667)));
    assert!(matches!(cell(3, 4), Data::DateTime(_)), "{:?}", cell(3, 4));
    assert_eq!(cell(4, 0), Data::String("=cmd|'/c calc'!A1".into()), "a text, and no formula");
    assert_eq!((cell(6, 0), cell(7, 0), cell(7, 3)), (Data::String("（无）".into()), Data::String("合计".into()), Data::Float(0.875)));
    assert_eq!(cell(8, 0), Data::String(remark));
    let merged = book.merge_cells_by_sheet_name(&name).unwrap();
    assert!(merged.iter().any(|region| (region.start, region.end) == ((0, 0), (0, 4))), "{merged:?}");

    let (xml, styles, whole) = (part(&bytes, "xl/worksheets/sheet1.xml"), part(&bytes, "xl/styles.xml"), part(&bytes, "xl/workbook.xml"));
    assert!(!xml.contains("<f>"), "no formula");
    for wanted in [
        "paperSize=\"9\"",
        "fitToHeight=\"0\"",
        "horizontalCentered=\"1\"",
        "<pane xSplit=\"1\" ySplit=\"3\"",
        "第 &amp;P 页，共 &amp;N 页",
    ] {
        assert!(xml.contains(wanted), "{wanted}: {xml}");
    }
    assert!(!xml.contains("orientation=\"landscape\""), "five narrow columns stand upright");
    assert!(styles.contains("方正小标宋简体") && styles.contains("formatCode=\"0.00%\""), "{styles}");
    assert!(whole.contains("_xlnm.Print_Titles") && whole.contains("$3:$3"), "{whole}");

    let series = Format::Xlsx.write(&made(table(2)), &[], Lang::Zh).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(series.clone())).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    assert_eq!(sheet.get_value((1, 0)), Some(&Data::String("2024-09-30至2024-12-31".into())));
    assert_eq!(
        (sheet.get_value((2, 5)), sheet.get_value((3, 5))),
        (Some(&Data::String("2024-12-31".into())), Some(&Data::String("应答复".into())))
    );
    assert!(part(&series, "xl/worksheets/sheet1.xml").contains("orientation=\"landscape\""), "nine columns are laid across");

    let bytes = Format::Xlsx.write(&made(list()), &[], Lang::Zh).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    assert_eq!(sheet.get_value((3, 0)), Some(&Data::String("0012".into())), "a number of an item stays a text");
    assert_eq!(
        (sheet.get_value((3, 2)), sheet.get_value((3, 3))),
        (Some(&Data::String("是".into())), Some(&Data::String("甲、乙".into())))
    );
}

#[test]
fn a_document_has_all_its_parts_in_one_workbook_and_on_one_page() {
    let bytes = Format::Xlsx.write(&document(), &[], Lang::Zh).unwrap();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["一、总体情况", "二、重点督办", "一览表", "三、下一步"]);
    let sheet = book.worksheet_range_at(0).unwrap().unwrap();
    let text = |row: u32| sheet.get_value((row, 0)).map(ToString::to_string).unwrap_or_default();
    let above = ["办理情况报告", "市<住建>局 · 截至2024-12-31", "一、总体情况", "全年交办16件。", "<b>其中</b>14件按期。", "承办单位"];
    assert_eq!([0, 1, 2, 3, 4, 5].map(text), above, "the words stand above their table");
    let words = book.worksheet_range_at(3).unwrap().unwrap();
    assert_eq!(words.get_value((3, 0)), Some(&Data::String("继续办理。".into())));
    let Made::Document(mut alike) = document() else { panic!("a document") };
    for (part, heading) in alike.parts.iter_mut().zip(["Roads", "ROADS", "roads 2", "Roads/:?"]) {
        part.heading = Some(heading.into());
    }
    let bytes = Format::Xlsx.write(&Made::Document(alike), &[], Lang::En).unwrap();
    let book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    assert_eq!(book.sheet_names(), ["Roads", "ROADS 2", "roads 2 2", "Roads 3"], "no two differ by the size of letters alone");

    let page = String::from_utf8(Format::Html.write(&document(), &[], Lang::Zh).unwrap()).unwrap();
    let all = elements(&page);
    let of = |name: &str| all.iter().filter(|(element, _)| element == name).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
    assert_eq!((of("h1"), of("h2")), (vec!["办理情况报告"], vec!["一、总体情况", "二、重点督办", "三、下一步"]));
    assert_eq!((of("table").len(), of("svg").len()), (3, 1), "a list has no chart");
    assert!(of("p").contains(&"<b>其中</b>14件按期。") && page.contains("市&lt;住建&gt;局 · 截至2024-12-31"), "{page}");
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count, "each id stands once");

    for (form, refused) in [(Format::Csv, "NoCsv"), (Format::Svg, "NoChart")] {
        let error = form.write(&document(), &[], Lang::Zh).unwrap_err();
        assert!(format!("{error:?}").starts_with(refused), "{error:?}");
    }
}

/// CSV by RFC 4180.
fn parsed(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        match (sign, quoted) {
            ('"', true) if signs.peek() == Some(&'"') => cell.extend(signs.next()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (sign, _) => cell.push(sign),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "ends with a line");
    rows
}

#[test]
fn csv_has_every_cell_and_no_formula() {
    let bytes = Format::Csv.write(&made(table(2)), &[], Lang::Zh).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let rows = parsed(text.strip_prefix('\u{feff}').expect("spreadsheets need the mark"));
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.len() == 9), "{rows:?}");
    assert_eq!(rows[0][..2], ["承办单位", "2024-09-30 应答复"]);
    assert_eq!(rows[1][..5], ["市住建局", "3", "2", "66.67%", "2024-03-01"]);
    assert_eq!(rows[2][0], "'=cmd|'/c calc'!A1");
    assert_eq!(rows[3][0], "a,\"b\" <b>\nc");
    assert_eq!((rows[4][0].as_str(), rows[5][0].as_str(), rows[5][3].as_str()), ("（无）", "合计", "87.50%"));
    let rows = parsed(String::from_utf8(Format::Csv.write(&made(list()), &[], Lang::Zh).unwrap()).unwrap().trim_start_matches('\u{feff}'));
    assert_eq!(rows[2], ["2024-010", "'-1", "是", "甲、乙"]);
}

/// The elements of a page or picture with their texts; it has to be well formed.
pub fn elements(text: &str) -> Vec<(String, String)> {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut open, mut all): (Vec<usize>, Vec<(String, String)>) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().unwrap_or_else(|error| panic!("{error} at {}: {text}", reader.error_position())) {
            Event::Start(start) => {
                open.push(all.len());
                all.push((start.name().0.to_string(), String::new()));
            }
            Event::Empty(start) => all.push((start.name().0.to_string(), String::new())),
            Event::Text(found) => {
                let found = found.to_string();
                open.iter().for_each(|place| all[*place].1.push_str(&found));
            }
            Event::GeneralRef(name) => {
                let sign = match &*name {
                    "lt" => "<",
                    "gt" => ">",
                    "amp" => "&",
                    "quot" | "#x22" => "\"",
                    "#x27" => "'",
                    "#x2f" => "/",
                    other => panic!("&{other};"),
                };
                open.iter().for_each(|place| all[*place].1.push_str(sign));
            }
            Event::End(_) => _ = open.pop(),
            Event::Eof => return all,
            _ => {}
        }
    }
}

#[test]
fn a_picture_says_in_words_what_it_shows_and_runs_nothing() {
    for (days, bars) in [(1, 5), (2, 2 * 3)] {
        let text = String::from_utf8(Format::Svg.write(&made(table(days)), &[], Lang::Zh).unwrap()).unwrap();
        let all = elements(&text);
        let of = |name: &str| all.iter().filter(|(known, _)| known == name).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
        assert_eq!(of("title")[0], "各承办单位办理情况 <&> \"A/B\"");
        let said = of("desc")[0];
        assert!(said.contains("市住建局") && said.contains(if days == 1 { "2/3" } else { "2024-09-30" }), "{said}");
        assert!(of("script").is_empty() && !text.contains("href") && !text.contains("onload"), "{text}");
        assert!(text.contains("role=\"img\"") && text.contains("prefers-color-scheme: dark") && text.contains("@media print"));
        // Each bar is named for whoever points at it, beside the entries of the legend.
        let legend = if days == 1 { 2 } else { 3 };
        assert_eq!(of("title").len() - 1, bars + legend, "{:?}", of("title"));
        assert!(of("pattern").len() >= 8, "told apart without colour");
    }
    assert!(matches!(Format::Svg.write(&made(list()), &[], Lang::Zh), Err(FormatError::NoChart(_))), "a list has no chart");
}

#[test]
fn what_is_too_small_to_tell_apart_is_put_together() {
    let mut many = table(2);
    let row = |place: i64| Row {
        keys: vec![Key { value: place.to_string(), shown: Cell::Text(format!("第{place}单位")) }],
        counted: vec![1, 1],
        cells: vec![cells([place, place], None); 2],
    };
    many.rows = (1..=20).map(row).collect();
    let text = String::from_utf8(Format::Svg.write(&made(many.clone()), &[], Lang::Zh).unwrap()).unwrap();
    let all = elements(&text);
    let desc = all.iter().find(|(name, _)| name == "desc").unwrap();
    // 20 down to 14 stand by themselves; 13 + … + 1 = 91 of 210.
    assert!(desc.1.contains("第14单位 14") && !desc.1.contains("第13单位") && desc.1.contains("其他 91 (43.33%)"), "{}", desc.1);
}

#[test]
fn a_page_stands_alone_and_prints_on_a4() {
    for (shown, across) in [(table(1), false), (table(2), true), (list(), false)] {
        let text = String::from_utf8(Format::Html.write(&made(shown.clone()), &["<未完>".to_string()], Lang::Zh).unwrap()).unwrap();
        let all = elements(&text);
        let of = |name: &str| all.iter().filter(|(known, _)| known == name).map(|(_, text)| text.as_str()).collect::<Vec<_>>();
        assert_eq!(of("h1"), [shown.title.as_str()]);
        assert!(text.contains(if across { "A4 landscape" } else { "A4 portrait" }));
        assert!(!text.contains("http://") || !text.replace("http://www.w3.org/2000/svg", "").contains("http"), "nothing is fetched");
        assert!(text.contains("方正小标宋简体") && text.contains("FangSong") && text.contains("Noto Serif CJK SC"));
        assert!(of("script").is_empty() && of("link").is_empty());
        assert_eq!(of("svg").len(), usize::from(shown.kind != Kind::List));
        assert!(of("footer")[0].contains("<未完>"));
        let heads = of("thead")[0];
        assert!(shown.columns.iter().all(|column| heads.contains(&column.title)), "{heads}");
        if shown.kind != Kind::List {
            assert_eq!(of("tr").len(), shown.rows.len() + 1 + shown.days.len(), "headings, rows and the total");
            assert!(of("td").contains(&"66.67%") && of("th").contains(&"=cmd|'/c calc'!A1"));
        }
    }
    assert_eq!(words::say(Lang::En, "report.column.count", &[]), "count");
}
