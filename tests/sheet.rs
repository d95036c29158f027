//! An office's list goes in: what a tolerant reader must understand, and what it must refuse, cell by cell.

use chrono::NaiveDate;
use duban::kernel::model::Name;
use duban::kernel::model::definition::{Column, Field, Import, ImportStep, Section};
use duban::kernel::model::directory::{Directory, Person, Unit};
use duban::kernel::model::value::{Type, Value};
use duban::kernel::words::Lang;
use duban::sheet::{Error, Reading, read_import};
use indexmap::IndexMap;
use rust_xlsxwriter::{Format, Formula, Workbook, Worksheet};
use std::path::{Path, PathBuf};

const HEADINGS: [&str; 8] = ["编号", "标题", "领衔代表", "附议代表", "提出方式", "主办单位", "协办单位", "提出日期"];

fn column(headings: &[&str], kind: Type, required: bool) -> Column {
    Column { headings: headings.iter().map(|text| text.to_string()).collect(), kind, required, values: IndexMap::new() }
}

fn import() -> Import {
    let list = |kind: Type| Type::List(Box::new(kind));
    let mut origin = column(&["提出方式"], Type::Choice(vec!["in_session".into(), "inter_session".into()]), true);
    origin.values = [("大会期间".to_string(), "in_session".into()), ("闭会期间".to_string(), "inter_session".into())].into_iter().collect();
    let columns: Section<Column> = [
        ("number", column(&["编号", "序号"], Type::Text, true)),
        ("heading", column(&["标题", "建议标题"], Type::Text, true)),
        ("lead_deputy", column(&["领衔代表"], Type::Person, true)),
        ("co_signers", column(&["附议代表"], list(Type::Person), false)),
        ("origin", origin),
        ("host_unit", column(&["主办单位"], Type::Unit, true)),
        ("co_units", column(&["协办单位"], list(Type::Unit), false)),
        ("submitted_on", column(&["提出日期"], Type::Date, true)),
        ("assigned_on", column(&["交办日期"], Type::Date, false)),
    ]
    .into_iter()
    .map(|(name, column)| (name.into(), column))
    .collect();
    let step = |action: &str, by: &str, on: &str, with: &[&str]| ImportStep {
        action: action.into(),
        by: by.into(),
        on: on.into(),
        with: with.iter().map(|name| (Name::from(*name), Name::from(*name))).collect(),
    };
    Import {
        title: "代表建议".into(),
        sheet: Some("建议".into()),
        item: Some("number".into()),
        columns,
        steps: vec![
            step("submit", "clerk", "submitted_on", &["number", "heading", "lead_deputy", "co_signers", "origin"]),
            step("assign", "office", "assigned_on", &["host_unit", "co_units"]),
        ],
    }
}

fn fields() -> Section<Field> {
    let number = Field {
        title: "编号".into(),
        kind: Type::Text,
        required: true,
        option_titles: IndexMap::new(),
        default: None,
        unique: true,
        secret: false,
        is: None,
        tally: None,
        visible_to: vec![],
        sealed_until: None,
    };
    [(Name::from("number"), number)].into_iter().collect()
}

fn directory() -> Directory {
    let unit = |title: &str, also: &[&str]| Unit {
        title: title.into(),
        also: also.iter().map(|text| text.to_string()).collect(),
        kind: None,
        parent: Vec::new(),
        committee: Vec::new(),
        formerly: Vec::new(),
        merged_into: None,
        phone: None,
    };
    let person = |title: &str| Person { title: title.into(), mail: None, phone: None, groups: vec![], duties: vec![], stand_in: vec![] };
    Directory {
        units: [
            ("housing".into(), unit("市住房和城乡建设局", &["市住建局", "住建局"])),
            ("transport".into(), unit("市交通运输局", &[])),
            ("education".into(), unit("市教育局", &[])),
        ]
        .into_iter()
        .collect(),
        persons: [("wang", "王强"), ("li", "李晓梅"), ("zhang1", "张伟"), ("zhang2", "张伟"), ("zhao", "赵国栋")]
            .into_iter()
            .map(|(id, title)| (id.into(), person(title)))
            .collect(),
    }
}

fn good_row() -> [&'static str; 8] {
    ["2024-001", "关于加快城区道路建设的建议", "王强", "", "大会期间", "市交通运输局", "", "2024-02-27"]
}

struct Book {
    folder: tempfile::TempDir,
}

impl Book {
    fn new() -> Book {
        Book { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("建议.xlsx")
    }

    fn write(&self, name: &str, fill: impl FnOnce(&mut Worksheet)) -> PathBuf {
        let mut book = Workbook::new();
        let sheet = book.add_worksheet();
        sheet.set_name(name).unwrap();
        fill(sheet);
        book.save(self.path()).unwrap();
        self.path()
    }
}

fn headings(sheet: &mut Worksheet, row: u32) {
    text_row(sheet, row, &HEADINGS);
}

fn text_row(sheet: &mut Worksheet, row: u32, texts: &[&str]) {
    for (column, text) in texts.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        sheet.write_string(row, column as u16, *text).unwrap();
    }
}

fn read(path: &Path) -> Result<Reading, Error> {
    read_import(path, &import(), &fields(), &directory())
}

/// Reads a sheet with the usual headings in row 1 and one row that differs from a good one in a single cell.
fn with_cell(column: usize, text: &str) -> Reading {
    let book = Book::new();
    let mut row = good_row();
    row[column] = text;
    read(&book.write("建议", |sheet| {
        headings(sheet, 0);
        text_row(sheet, 1, &row);
    }))
    .unwrap()
}

fn sentences(reading: &Reading) -> Vec<String> {
    reading.problems.iter().map(|problem| format!("{} {}", problem.place(), problem.sentence(Lang::Zh))).collect()
}

fn input<'a>(reading: &'a Reading, row: usize, name: &str) -> &'a Value {
    reading.rows[row].steps.iter().find_map(|step| step.input.get(name)).unwrap_or_else(|| panic!("no input {name}"))
}

fn day(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap()
}

#[test]
fn a_list_as_offices_keep_it_is_read() {
    let book = Book::new();
    let path = book.write("2024年 建议 ", |sheet| {
        let date = Format::new().set_num_format("yyyy\"年\"m\"月\"d\"日\"");
        sheet.merge_range(0, 0, 0, 8, "运城市第五届人民代表大会第四次会议代表建议一览表", &Format::new()).unwrap();
        text_row(sheet, 1, &["填报单位：代表工作委员会"]);
        headings(sheet, 3);
        sheet.write_string(3, 8, "交办日期（年月日）").unwrap();
        text_row(
            sheet,
            4,
            &[
                " ２０２４－００１ ",
                "关于　加快\n运城机场扩建的建议",
                "王 强",
                "李晓梅、赵国栋",
                "大会期间",
                "住建局",
                "市交通运输局，市教育局",
            ],
        );
        sheet.write_date_with_format(4, 7, day(2024, 2, 27), &date).unwrap();
        sheet.write_number(4, 8, 45_372).unwrap();
        // row 6 is blank
        text_row(
            sheet,
            6,
            &["2024-002", "关于治理涑水河的建议", "李晓梅", "王强  赵国栋\n王强", "闭会期间", "housing", "", "2024年3月5日（星期二）"],
        );
    });
    let reading = read(&path).unwrap();
    assert_eq!(sentences(&reading), Vec::<String>::new());
    assert_eq!(reading.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [5, 7]);
    assert_eq!(reading.rows[0].item.as_deref(), Some("2024-001"));
    assert_eq!(
        reading.rows[0].steps.iter().map(|step| (&*step.action, &*step.by, step.on)).collect::<Vec<_>>(),
        [("submit", "clerk", day(2024, 2, 27)), ("assign", "office", day(2024, 3, 21))]
    );
    assert_eq!(input(&reading, 0, "heading"), &Value::text("关于加快运城机场扩建的建议"));
    assert_eq!(input(&reading, 0, "lead_deputy"), &Value::text("wang"));
    assert_eq!(input(&reading, 0, "origin"), &Value::text("in_session"));
    assert_eq!(input(&reading, 0, "host_unit"), &Value::text("housing"));
    assert_eq!(input(&reading, 0, "co_units"), &Value::List(vec![Value::text("transport"), Value::text("education")]));
    // The second row has no day of assignment: the step is left out. Names stand apart by spaces, and once is enough.
    assert_eq!(reading.rows[1].steps.len(), 1);
    assert_eq!(input(&reading, 1, "co_signers"), &Value::List(vec![Value::text("wang"), Value::text("zhao")]));
}

#[test]
fn dates_are_read_in_the_forms_that_lists_use() {
    let the_fifth = [
        "2024-03-05",
        "2024/3/5",
        "2024.3.5",
        "2024年3月5日",
        "２０２４年３月５日",
        "2024年03月05日 星期二",
        "二〇二四年三月五日",
        "20240305",
        "2024-3-5 0:00:00",
        "2024-03-05T00:00:00",
        "45356",
        "2024年3月5号",
    ];
    for text in the_fifth {
        let reading = with_cell(7, text);
        assert_eq!(sentences(&reading), Vec::<String>::new(), "{text}");
        assert_eq!(reading.rows[0].steps[0].on, day(2024, 3, 5), "{text}");
    }
    assert_eq!(with_cell(7, "二〇二四年十一月二十一日").rows[0].steps[0].on, day(2024, 11, 21));
    assert_eq!(with_cell(7, "二〇二四年十月三十日").rows[0].steps[0].on, day(2024, 10, 30));
}

#[test]
fn what_is_no_date_is_named_with_its_cell() {
    for text in [
        "2026-13-02",
        "2024-02-30",
        "3月5日",
        "24.3.5",
        "2024-03",
        "近期",
        "1024-03-05",
        "5",
        "2024-03-05-06",
        "2024-3-5 待定",
        "十十年三月五日",
    ] {
        let reading = with_cell(7, text);
        assert_eq!(sentences(&reading), [format!("建议!H2 “提出日期”填的“{text}”不是日期。请写成 2024-03-05 或 2024年3月5日。")]);
        assert!(reading.rows.is_empty());
    }
}

#[test]
fn unknown_units_and_persons_come_with_the_nearest_name() {
    assert_eq!(sentences(&with_cell(5, "市建设局")), ["建议!F2 “主办单位”：找不到“市建设局”，是不是“市住房和城乡建设局”？"]);
    assert_eq!(
        sentences(&with_cell(6, "市教育局、市交通运输管理局")),
        ["建议!G2 “协办单位”：找不到“市交通运输管理局”，是不是“市交通运输局”？"]
    );
    assert_eq!(sentences(&with_cell(5, "市建没局")), ["建议!F2 “主办单位”：找不到“市建没局”，是不是“市住建局”？"]);
    assert_eq!(sentences(&with_cell(5, "市司法局")), ["建议!F2 “主办单位”：找不到“市司法局”。"]);
    assert_eq!(sentences(&with_cell(2, "欧阳明月")), ["建议!C2 “领衔代表”：找不到“欧阳明月”。"]);
    assert_eq!(sentences(&with_cell(3, "张伟")), ["建议!D2 “附议代表”：“张伟”有几个同名的，请改填编号：zhang1、zhang2。"]);
    assert!(with_cell(3, "zhang2").problems.is_empty());
}

#[test]
fn a_word_that_is_no_option_is_answered_with_the_options() {
    assert_eq!(sentences(&with_cell(4, "会上")), ["建议!E2 “提出方式”填的“会上”不在可填内容之内：大会期间、闭会期间。"]);
}

#[test]
fn missing_and_doubled_columns_are_told_once_and_spoil_the_sheet() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        text_row(sheet, 0, &["编号", "标题", "领衔代表", "附议代表", "提出方式", "主办部门", "协办单位", "提出日期", "标题"]);
        text_row(sheet, 1, &good_row());
    });
    let reading = read(&path).unwrap();
    assert_eq!(sentences(&reading), ["建议!I1 表头里有两列“标题”，请只留一列。", "建议!1 缺少“主办单位”一列，是不是“主办部门”？"]);
    assert!(reading.rows_or_problems(true).is_err(), "leaving rows out does not help");
}

#[test]
fn a_column_under_another_name_is_asked_after_and_what_is_not_read_is_told() {
    let book = Book::new();
    let list = |headings: &[&str]| {
        read(&book.write("建议", |sheet| {
            text_row(sheet, 0, headings);
            text_row(sheet, 1, &good_row());
        }))
        .unwrap()
    };
    // Nobody has to fill it in, so its loss would go unseen.
    let renamed = list(&["编号", "标题", "领衔代表", "附议人", "提出方式", "主办单位", "协办单位", "提出日期"]);
    assert_eq!(
        sentences(&renamed),
        ["建议!1 没有“附议代表”一列，是不是“附议人”？是就改为“附议代表”；不是就删去“附议人”一列再导入，免得漏掉内容。"]
    );
    assert!(renamed.rows_or_problems(true).is_err());

    let other = list(&["编号", "标题", "领衔代表", "备注", "提出方式", "主办单位", "电话", "提出日期"]);
    assert_eq!(sentences(&other), Vec::<String>::new());
    let told: Vec<_> = other.remarks.iter().map(|remark| remark.sentence(Lang::Zh)).collect();
    assert_eq!(told, ["表中没有这些列，按空白处理：附议代表、协办单位、交办日期", "表中这些列没有读入：备注、电话"]);
    assert_eq!(other.remarks[1].sentence(Lang::En), "columns of the sheet that are not read: 备注, 电话");
    assert_eq!(other.rows.len(), 1);
}

#[test]
fn a_sheet_without_headings_is_refused() {
    let book = Book::new();
    let path = book.write("建议", |sheet| text_row(sheet, 0, &good_row()));
    assert!(matches!(read(&path), Err(Error::NoHeader { .. })));
    let empty = book.write("建议", |_| {});
    assert!(matches!(read(&empty), Err(Error::NoHeader { .. })));
}

#[test]
fn the_sheet_is_found_by_its_name_or_because_it_is_the_only_one() {
    let book = Book::new();
    let mut two = Workbook::new();
    for name in ["说明", "统计"] {
        two.add_worksheet().set_name(name).unwrap();
    }
    two.save(book.path()).unwrap();
    let error = read(&book.path()).unwrap_err();
    assert_eq!(error.sentence(Lang::Zh), "没有名为“建议”的表。文件里有：说明、统计。");
}

#[test]
fn merged_cells_among_the_data_are_an_error_not_a_guess() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        text_row(sheet, 1, &good_row());
        let mut second = good_row();
        second[0] = "2024-002";
        text_row(sheet, 2, &second);
        let mut third = good_row();
        third[0] = "2024-003";
        third[5] = "";
        text_row(sheet, 3, &third);
        sheet.merge_range(2, 5, 3, 5, "市教育局", &Format::new()).unwrap();
    });
    let reading = read(&path).unwrap();
    let once = ["建议!F3 “F3:F4”是合并单元格，只有第一格有内容。请取消合并，每行各自填写。"];
    assert_eq!(sentences(&reading), once, "its empty cells are not told one by one");
    assert_eq!(reading.rows.iter().map(|row| row.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn headings_that_span_two_rows_are_followed_down() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        let plain = Format::new();
        for (column, heading) in HEADINGS.iter().enumerate().filter(|(column, _)| !(5..=6).contains(column)) {
            sheet.merge_range(1, column as u16, 2, column as u16, heading, &plain).unwrap();
        }
        sheet.merge_range(1, 5, 1, 6, "承办单位", &plain).unwrap();
        sheet.write_string(2, 5, "主办单位").unwrap();
        sheet.write_string(2, 6, "协办单位").unwrap();
        text_row(sheet, 3, &good_row());
    });
    let reading = read(&path).unwrap();
    assert_eq!(sentences(&reading), Vec::<String>::new());
    assert_eq!(reading.rows[0].number, 4);
}

#[test]
fn doubled_numbers_and_empty_cells_are_told_by_row() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        text_row(sheet, 1, &good_row());
        let mut doubled = good_row();
        doubled[0] = "２０２４-001 ";
        text_row(sheet, 2, &doubled);
        let mut holes = good_row();
        (holes[0], holes[2], holes[7]) = ("2024-003", "", "");
        text_row(sheet, 3, &holes);
    });
    let reading = read(&path).unwrap();
    assert_eq!(
        sentences(&reading),
        ["建议!A3 “编号”的“2024-001”与第 2 行重复。", "建议!C4 “领衔代表”没有填写。", "建议!H4 “提出日期”没有填写。"]
    );
    assert_eq!(reading.problems[0].sentence(Lang::En), "`2024-001` in `编号` stands in row 2 already.");
    assert_eq!(reading.clone().rows_or_problems(false).unwrap_err().len(), 3, "all or nothing");
    assert_eq!(reading.rows_or_problems(true).unwrap().len(), 1, "unless told otherwise");
}

#[test]
fn steps_that_run_backwards_are_told() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        sheet.write_string(0, 8, "交办日期").unwrap();
        text_row(sheet, 1, &good_row());
        sheet.write_string(1, 8, "2024-02-01").unwrap();
    });
    assert_eq!(sentences(&read(&path).unwrap()), ["建议!I2 “交办日期”2024-02-01 早于“提出日期”2024-02-27。"]);
}

#[test]
fn a_formula_is_read_by_its_result_and_a_failed_one_is_told() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        let mut row = good_row();
        (row[0], row[1]) = ("", "");
        text_row(sheet, 1, &row);
        sheet.write_formula(1, 0, Formula::new("=\"2024-\"&\"001\"").set_result("2024-001")).unwrap();
        sheet.write_formula(1, 1, Formula::new("=NA()").set_result("#N/A")).unwrap();
    });
    let reading = read(&path).unwrap();
    assert_eq!(sentences(&reading), ["建议!B2 “标题”的公式出错，显示为 #N/A，请改成具体内容。"]);
}

#[test]
fn one_cell_at_the_far_corner_costs_one_cell() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        text_row(sheet, 1, &good_row());
        sheet.write_string(1_048_575, 16_383, "!").unwrap();
    });
    let reading = read(&path).unwrap();
    assert_eq!((reading.rows.len(), reading.blank_rows, reading.problems.len()), (1, 1, 0));
}

#[test]
fn a_hundred_thousand_blank_rows_with_formats_are_no_rows() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        text_row(sheet, 1, &good_row());
        let tall = Format::new().set_bold();
        for row in 2..100_000 {
            sheet.write_blank(row, 0, &tall).unwrap();
        }
    });
    let reading = read(&path).unwrap();
    assert_eq!((reading.rows.len(), reading.problems.len()), (1, 0));
}

#[test]
fn more_rows_than_a_list_can_have_are_refused() {
    let book = Book::new();
    let path = book.write("建议", |sheet| {
        headings(sheet, 0);
        for row in 1..20_001 {
            sheet.write_number(row, 20, 1).unwrap();
        }
    });
    assert!(matches!(read(&path), Err(Error::TooManyCells { .. })));
}

/// A workbook of raw parts, so that it can be as bad as a stranger's.
fn raw_book(book: &Book, sheet_xml: impl std::io::Read, more_parts: usize) -> PathBuf {
    use std::io::Write;
    let file = std::fs::File::create(book.path()).unwrap();
    let mut archive = zip::ZipWriter::new(file);
    let options = zip::write::SimpleFileOptions::default().compression_level(Some(1));
    let parts = [
        ("[Content_Types].xml", r#"<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>"#),
        ("_rels/.rels", r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"/>"#),
        (
            "xl/workbook.xml",
            r#"<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets><sheet name="建议" sheetId="1" r:id="rId1"/></sheets></workbook>"#,
        ),
        (
            "xl/_rels/workbook.xml.rels",
            r#"<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="rId1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>"#,
        ),
    ];
    for (name, text) in parts {
        archive.start_file(name, options).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    for index in 0..more_parts {
        archive.start_file(format!("xl/media/{index}"), options).unwrap();
    }
    archive.start_file("xl/worksheets/sheet1.xml", options).unwrap();
    std::io::copy(&mut { sheet_xml }, &mut archive).unwrap();
    archive.finish().unwrap();
    book.path()
}

#[test]
fn a_million_blank_rows_are_refused_before_anything_is_built() {
    let book = Book::new();
    let rows: String =
        (1..=1_000_000).map(|row| format!(r#"<row r="{row}" ht="15" customHeight="1"><c r="A{row}" s="1"/></row>"#)).collect();
    let path = raw_book(&book, format!("<worksheet><sheetData>{rows}</sheetData></worksheet>").as_bytes(), 0);
    let error = read(&path).unwrap_err();
    assert_eq!(error, Error::UnpacksTooLarge { megabytes: 50 });
    assert!(error.sentence(Lang::Zh).contains("空白行"));
}

#[test]
fn archives_that_are_no_lists_are_refused() {
    let book = Book::new();
    let zeros = std::io::Read::take(std::io::repeat(b' '), 30 << 20);
    assert!(matches!(read(&raw_book(&book, zeros, 0)), Err(Error::PackedTooTight { .. })));
    assert!(matches!(read(&raw_book(&book, &b""[..], 300)), Err(Error::TooManyParts { .. })));
    assert!(matches!(read(&raw_book(&book, &b"<worksheet><sheetData><row"[..], 0)), Err(Error::Damaged { .. })));
    std::fs::write(book.path(), b"PK\x03\x04 and then nothing").unwrap();
    assert!(matches!(read(&book.path()), Err(Error::Damaged { .. })));
    std::fs::write(book.path(), "编号,标题\n1,建议\n").unwrap();
    assert!(matches!(read(&book.path()), Err(Error::NotAWorkbook { .. })));
    assert!(matches!(read(&book.folder.path().join("没有.xlsx")), Err(Error::Unreadable { .. })));
}
