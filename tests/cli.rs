//! The real binary over the shipped rule set, each test in a folder of its own: what people type, what they read, and the exit code.

use serde_json::Value as Json;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const BINARY: &str = env!("CARGO_BIN_EXE_duban");

/// A folder with nothing in it but what the commands put there.
pub struct Desk {
    pub folder: tempfile::TempDir,
}

/// What a command answered.
#[derive(Debug)]
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/yuncheng").join(path)
}

impl Desk {
    pub fn new() -> Desk {
        Desk { folder: tempfile::tempdir().unwrap() }
    }

    /// A command as it would be typed here, without what this machine has in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.current_dir(self.folder.path()).env_clear().env("USER", "clerk").env("DUBAN_RULES", shipped("")).args(arguments);
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Answer {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// Somebody's hand in the database.
    pub fn sql(&self, statement: &'static str) {
        use sqlx::Connection as _;
        let url = format!("sqlite://{}", self.folder.path().join("duban.db").display());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let done = runtime.block_on(async {
            let mut connection = sqlx::SqliteConnection::connect(&url).await.unwrap();
            let done = sqlx::query(statement).execute(&mut connection).await.unwrap().rows_affected();
            connection.close().await.unwrap();
            done
        });
        assert!(done > 0, "{statement}");
    }

    /// The answer of a command that has to succeed, as JSON.
    pub fn json(&self, arguments: &[&str]) -> Json {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let answer = self.run(&arguments);
        assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
        serde_json::from_str(&answer.out).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
    }

    /// A suggestion is drafted and submitted by the congress office.
    pub fn submitted(&self, item: &str) {
        let draft = self.run(&draft(item).iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(draft.code, 0, "{draft:?}");
        let submit = self.run(&["act", item, "submit", "--on", "2024-03-03", "--as", "曾海敏"]);
        assert_eq!(submit.code, 0, "{submit:?}");
    }
}

/// The first deputy of the sample.
pub static DEPUTY: LazyLock<String> = LazyLock::new(|| {
    let text = std::fs::read_to_string(shipped("directory/deputies.yaml")).unwrap();
    let file: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
    file["persons"].as_mapping().unwrap().keys().next().unwrap().as_str().unwrap().to_string()
});

pub fn draft(item: &str) -> Vec<String> {
    let with = ["session=五届四次", "year=2024", "origin=in_session", "title=关于修桥的建议", "topic=urban"];
    let mut words: Vec<String> = ["act", item, "draft", "--on", "2024-03-02", "--with"].map(String::from).to_vec();
    words.extend(with.map(String::from));
    words.extend([format!("lead_deputy={}", *DEPUTY), "--as".into(), "曾海敏".into()]);
    words
}

#[test]
fn a_step_is_done_refused_with_its_sentence_or_only_tried() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["list"]).code, 4, "there is no database yet");
    desk.submitted("a1");
    let row = &desk.json(&["list"])["items"][0];
    assert_eq!((row["id"].as_str(), row["state"].as_str(), row["title"].as_str()), (Some("a1"), Some("submitted"), Some("关于修桥的建议")));

    let refused = desk.run(&["act", "a1", "assign", "--as", "曾海敏"]);
    assert_eq!((refused.code, refused.out.trim()), (1, "✗ a1 现在不能“交办”：当前状态是“待审”，只有在“拟交办”时才可以。"));
    let refused = desk.run(&["act", "a1", "accept", "--as", &DEPUTY, "--lang", "en"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains(&*DEPUTY), "{refused:?}");
    let refused = desk.run(&["act", "a1", "accept", "--as", "nobody"]);
    assert_eq!((refused.code, refused.err.trim()), (1, "duban: 通讯录中没有“nobody”。"));
    let stale = desk.run(&["act", "a1", "accept", "--as", "曾海敏", "--rev", "1", "--json"]);
    let stale: Json = serde_json::from_str(&stale.out).unwrap();
    assert_eq!((&stale["done"], &stale["refused"]["code"]), (&Json::Bool(false), &Json::from("stale_revision")));

    let tried = desk.json(&["act", "a1", "受理并编号", "--as", "曾海敏", "--dry-run"]);
    assert_eq!(
        (tried["done"].as_bool(), tried["state"].as_str(), tried["dry_run"].as_bool()),
        (Some(true), Some("registered"), Some(true))
    );
    assert_eq!(desk.json(&["show", "a1"])["state"], "submitted", "a dry run changes nothing");
    let accept = ["act", "a1", "accept", "--as", "曾海敏", "--on", "2024-03-04", "--id", "accept-a1"];
    assert_eq!(desk.json(&accept)["repeated"], false);
    assert_eq!(desk.json(&accept)["repeated"], true, "the same id again is the same answer");

    let shown = desk.json(&["show", "a1", "--as", "曾海敏"]);
    assert_eq!(shown["fields"]["number"], "2024-001");
    assert_eq!(shown["facts"][1]["actor"]["via"], "cli:clerk", "the user of the machine stands beside the person");
    let open: Vec<&str> = shown["actions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|action| action["open"] == true)
        .map(|action| action["action"].as_str().unwrap())
        .collect();
    assert!(open.contains(&"propose_allocation") && !open.contains(&"assign"), "{open:?}");
    let text = desk.run(&["show", "a1", "--as", "曾海敏"]).out;
    assert!(text.contains("已受理（2024-03-04起）") && text.contains("代表工委 曾海敏（代领衔代表）"), "{text}");
}

#[test]
fn what_cannot_be_done_says_why_by_its_exit_code() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["act", "a1"]).code, 2, "an item without an action");
    assert_eq!(desk.run(&["fly"]).code, 2);
    let wrong = desk.run(&["act", "a1", "draft", "--as", "曾海敏", "--with", "session"]);
    assert_eq!((wrong.code, wrong.err.trim()), (2, "duban: “session”应写成 名称=内容。"));
    assert_eq!(desk.run(&["act", "a1", "draft", "--as", "曾海敏", "--rules", "nowhere"]).code, 2);

    let bad = desk.folder.path().join("bad");
    std::fs::create_dir(&bad).unwrap();
    std::fs::write(bad.join("directory.yaml"), "persons: {}\n").unwrap();
    std::fs::write(bad.join("flow.yaml"), "workflow: x\ntitle： x\n").unwrap();
    let refused = desk.run(&["act", "a1", "draft", "--as", "曾海敏", "--rules", "bad"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.err.contains("bad/flow.yaml:2"), "{refused:?}");

    let fresh = Desk::new();
    fresh.submitted("a1");
    for (arguments, code) in [(["show", "b7"], 1), (["report", "nothing"], 2), (["list", "--state=nowhere"], 2)] {
        assert_eq!(fresh.run(&arguments).code, code, "{arguments:?}");
    }
    let office = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/office");
    let other = fresh.run(&["act", "r1", "submit", "--as", "ann", "--rules", office.to_str().unwrap()]);
    assert_eq!(other.code, 5, "another rule set while an item is open: {other:?}");
    assert!(other.err.contains("有 1 件在办"), "{other:?}");
}

#[test]
fn what_cannot_be_meant_is_the_callers_and_makes_nothing() {
    let desk = Desk::new();
    let folder = desk.folder.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("settings.yaml"), "zoone: Asia/Shanghai\n").unwrap();
    for (arguments, words) in [
        (&["import", "nowhere.xlsx"][..], "nowhere.xlsx"),
        (&["list", "--database", "folder"], "文件夹"),
        (&["list", "--lang", "fr"], "zh 或 en"),
        (&["list", "--config", "nowhere.yaml"], "nowhere.yaml"),
        (&["list", "--config", "folder/settings.yaml"], "zoone"),
    ] {
        let refused = desk.run(arguments);
        assert!(refused.code == 2 && refused.err.matches(words).count() == 1, "{arguments:?}: {refused:?}");
    }
    assert!(!desk.folder.path().join("duban.db").exists(), "nothing was made");
}

#[test]
fn a_list_comes_in_whole_and_only_once() {
    let desk = Desk::new();
    let list = shipped("sample/2024年代表建议.xlsx");
    let list = list.to_str().unwrap();
    let tried = desk.json(&["import", list, "--dry-run"]);
    assert_eq!((&tried["new"], &tried["written"]), (&Json::from(432), &Json::from(false)));
    assert_eq!(std::fs::read_dir(desk.folder.path()).unwrap().count(), 0, "a dry run leaves nothing behind");
    let done = desk.json(&["import", list, "--as", "historic"]);
    assert_eq!((&done["new"], &done["refused"], &done["written"]), (&Json::from(432), &Json::from(0), &Json::from(true)));
    let again = desk.json(&["import", list]);
    assert_eq!((&again["new"], &again["known"], &again["written"]), (&Json::from(0), &Json::from(432), &Json::from(false)));

    it_goes_out_and_comes_in_again(&desk);

    assert_eq!(desk.json(&["list", "--limit", "1000"])["items"].as_array().unwrap().len(), 432);
    let of_unit = desk.json(&["list", "--unit", "住建局", "--limit", "1000"])["items"].as_array().unwrap().len();
    assert!((20..200).contains(&of_unit), "{of_unit}");
    let due = desk.json(&["explain", "due", "2024-001", "书面答复"]);
    assert_eq!(due["due"][0]["date"], "2024-06-21");
    let text = desk.run(&["explain", "due", "2024-001", "reply"]).out;
    assert!(text.contains("加3个月") && text.contains("suggestion/deadlines.yaml:"), "{text}");

    // What is held as history is let go item by item.
    let counts = |of: &str| desk.json(&["outbox", "list"])["counts"][of].as_u64().unwrap_or(0);
    let held = counts("parked");
    assert!(held > 432 && counts("ready") == 0, "{held}");
    assert_eq!(desk.run(&["outbox", "release", "2024-001"]).code, 0);
    assert_eq!(counts("parked") + counts("ready"), held);
    let key =
        desk.json(&["outbox", "list", "--item", "2024-001", "--status", "ready"])["notices"][0][1]["key"].as_str().unwrap().to_string();
    assert_eq!(desk.json(&["outbox", "cancel", &key, "--reason", "过时"])["changed"], 1);
    assert_eq!(desk.run(&["outbox", "cancel", &key, "--reason", "过时"]).code, 1, "once");
    assert_eq!(desk.run(&["outbox", "show", &key]).code, 0);
    let nonsense = desk.run(&["outbox", "list", "--status", "cancled"]);
    assert!(nonsense.code == 2 && nonsense.err.contains("cancelled？"), "it is no status: {nonsense:?}");

    let report = desk.json(&["report", "by_topic", "--as-of", "2024-12-31"]);
    assert_eq!(report["total"], 432);
    assert_eq!(report["rows"].as_array().unwrap().len(), 8, "every option has its row: {report}");
    reports_are_handed_in(&desk);
    let before = desk.json(&["report", "by_topic", "--as-of", "2024-12-31", "--known-on", "2024-12-31"]);
    assert_eq!(before["total"], 0, "nothing of it had been recorded then");
}

/// The list that is written is the one that was read: as a workbook, as text, and as the text of a Chinese spreadsheet.
fn it_goes_out_and_comes_in_again(desk: &Desk) {
    for file in ["out.xlsx", "out.csv"] {
        let written = desk.json(&["export", file]);
        assert_eq!((&written["rows"], &written["left_out"]), (&Json::from(432), &Json::from(0)), "{written}");
        let again = desk.json(&["import", file]);
        assert_eq!(
            (&again["new"], &again["known"], &again["refused"]),
            (&Json::from(0), &Json::from(432), &Json::from(0)),
            "{file}: {again}"
        );
    }
    let text = std::fs::read(desk.folder.path().join("out.csv")).unwrap();
    let other = Desk::new();
    let chinese = encoding_rs::GB18030.encode(std::str::from_utf8(&text).unwrap().trim_start_matches('\u{feff}')).0.into_owned();
    std::fs::write(other.folder.path().join("in.csv"), chinese).unwrap();
    let done = other.json(&["import", "in.csv", "--as", "historic"]);
    assert_eq!((&done["new"], &done["refused"]), (&Json::from(432), &Json::from(0)), "{done}");
    other.json(&["export", "back.csv"]);
    assert_eq!(std::fs::read(other.folder.path().join("back.csv")).unwrap(), text, "nothing is lost on the way");

    // What came in is compared with what is there, of this year and earlier ones.
    let alike = other.json(&["similar", "2024-001"]);
    assert!(
        alike["title"].as_str().unwrap().contains("产业链")
            && alike["similar"].as_array().unwrap().iter().all(|row| row["item"] != "2024-001")
    );
    let draft = other.run(&["similar", "--title", "关于组织产业链上下游企业对接的建议"]);
    assert!(draft.code == 0 && draft.out.lines().nth(1).is_some_and(|first| first.contains("2024-001")), "{draft:?}");
    assert_eq!(other.run(&["similar", "2024-999"]).code, 1);
    assert_eq!(other.run(&["similar"]).code, 2);

    // A list that calls a column otherwise says so once.
    let few: Vec<&str> = std::str::from_utf8(&text).unwrap().split_inclusive("\r\n").take(6).collect();
    let renamed = few.concat().replacen("主办单位", "牵头单位", 1).replacen("建议编号", "登记号", 1);
    std::fs::write(other.folder.path().join("renamed.csv"), renamed).unwrap();
    assert_eq!(other.run(&["import", "renamed.csv"]).code, 1, "a column is missing");
    let told = ["import", "renamed.csv", "--heading", "主办单位=牵头单位", "--heading", "number=登记号"];
    let unseen = other.run(&[&told[..], &["--dry-run"]].concat());
    assert!(unseen.code == 0 && other.run(&["import", "renamed.csv"]).code == 1, "a trial remembers nothing: {unseen:?}");
    let third = Desk::new();
    std::fs::copy(other.folder.path().join("renamed.csv"), third.folder.path().join("renamed.csv")).unwrap();
    let done = third.json(&[&told[..], &["--as", "historic"]].concat());
    assert_eq!((&done["new"], &done["refused"]), (&Json::from(5), &Json::from(0)), "{done}");
    let again = third.json(&["import", "renamed.csv"]);
    assert_eq!((&again["new"], &again["known"]), (&Json::from(0), &Json::from(5)), "its headings are known now: {again}");
    let wrong = third.run(&["import", "renamed.csv", "--heading", "主办=牵头单位"]);
    assert!(wrong.code == 2 && wrong.err.contains("主办单位"), "{wrong:?}");

    let wrong = other.run(&["export", "out.pdf"]);
    assert!(wrong.code == 2 && wrong.err.contains(".xlsx") && wrong.err.contains(".csv"), "{wrong:?}");
    std::fs::write(other.folder.path().join("noise.csv"), b"\xff\xfe\x00\x01\x80").unwrap();
    let noise = other.run(&["import", "noise.csv"]);
    assert!(noise.code == 1 && noise.err.contains("UTF-8"), "{noise:?}");
}

/// In each form, of one day and of several; what cannot be meant is the caller's.
fn reports_are_handed_in(desk: &Desk) {
    let json = desk.json(&["report", "by_topic_and_year", "--as-of", "2024-12-31", "--lang", "en"]);
    assert_eq!((&json["total"][0]["count"], &json["columns"][0]["title"]), (&Json::from(432), &Json::from("件数")), "{json}");
    assert_eq!((&json["by"][0]["title"], &json["rows"][0]["keys"][0]["value"]), (&Json::from("年度"), &Json::from("2024")));
    assert_eq!(json["total"][0]["a_share"], Json::Null, "of nothing there is no share");
    let same = desk.run(&["report", "by_topic_and_year", "--as-of", "2024-12-31", "--lang", "en", "--format", "json"]);
    assert_eq!(serde_json::from_str::<Json>(&same.out).unwrap(), json);

    let series = desk.json(&["report", "各类别件数", "--from", "2023-12-31", "--each", "quarter", "--as-of", "2024-12-31"]);
    assert_eq!(series["days"], serde_json::json!(["2023-12-31", "2024-03-31", "2024-06-30", "2024-09-30", "2024-12-31"]));
    assert_eq!((&series["counted"][0], &series["counted"][4]), (&Json::from(0), &Json::from(432)), "{series}");

    let shown = desk.run(&["report", "by_topic_and_year", "--as-of", "2024-12-31"]);
    assert!(shown.out.contains("截至2024-12-31") && shown.out.contains("其中重点督办") && shown.out.contains("合计"), "{}", shown.out);
    let csv = desk.run(&["report", "by_topic", "--as-of", "2024-12-31", "--format", "csv"]);
    assert!(csv.code == 0 && csv.out.starts_with('\u{feff}') && csv.out.contains("合计,432,"), "{csv:?}");
    for (form, begins) in [("html", "<!doctype html>"), ("svg", "<svg ")] {
        let answer = desk.run(&["report", "by_topic", "--as-of", "2024-12-31", "--format", form]);
        assert!(answer.code == 0 && answer.out.starts_with(begins) && answer.out.contains("城建环资"), "{answer:?}");
    }
    let book = desk.run(&["report", "key_list", "--as-of", "2024-12-31", "--format", "xlsx", "--out", "key.xlsx"]);
    assert_eq!((book.code, book.out.as_str()), (0, ""), "{book:?}");
    let mut book: calamine::Xlsx<_> = calamine::open_workbook(desk.folder.path().join("key.xlsx")).unwrap();
    let sheet = calamine::Reader::worksheet_range_at(&mut book, 0).unwrap().unwrap();
    assert_eq!(sheet.get_value((0, 0)).unwrap().to_string(), "重点督办建议一览表");

    // Of one unit or person alone, and several reports as one document.
    let unit = desk.json(&["report", "by_unit", "--of", "市住房和城乡建设局", "--as-of", "2024-12-31"]);
    assert_eq!((&unit["of"]["value"], unit["rows"].as_array().unwrap().len()), (&Json::from("市住建局"), 1), "{unit}");
    assert_eq!(unit["total"][0], unit["rows"][0]["figures"][0]);
    let record = desk.json(&["report", "suggestion.record", "--of", "赵爱泽", "--as-of", "2024-12-31"]);
    let led = &record["parts"][0]["report"];
    assert_eq!((&record["of"]["title"], &led["of"]), (&Json::from("赵爱泽"), &record["of"]), "{record}");
    assert!(led["rows"].as_array().unwrap().iter().any(|row| row["编号"] == "2024-001") && led["total"].as_u64().unwrap() < 20, "{led}");
    let yearly = desk.run(&["report", "yearly", "--as-of", "2024-12-31"]).out;
    assert!(yearly.contains("已交办代表建议432件") && yearly.contains("十、B、C类台账未销号事项"), "{yearly}");
    let page = desk.run(&["report", "yearly", "--as-of", "2024-12-31", "--format", "html"]).out;
    assert!(page.matches("<table>").count() == 13 && page.contains("<h2>一、总体情况</h2>"), "{page}");
    desk.run(&["report", "yearly", "--as-of", "2024-12-31", "--format", "xlsx", "--out", "yearly.xlsx"]);
    let book: calamine::Xlsx<_> = calamine::open_workbook(desk.folder.path().join("yearly.xlsx")).unwrap();
    let sheets = calamine::Reader::sheet_names(&book);
    assert_eq!((sheets.len(), sheets[0].as_str()), (13, "一、总体情况"));

    for (arguments, words) in [
        (&["report", "yearly", "--format", "csv"][..], "html"),
        (&["report", "yearly", "--from", "2024-01-31", "--each", "month", "--as-of", "2024-03-31"], "办理工作情况报告"),
        (&["report", "by_topic", "--of", "市住建局"], "--of"),
        (&["report", "record"], "--of"),
        (&["report", "yearly", "--of", "市住建局"], "办理工作情况报告"),
        (&["report", "by_unit", "--of", "市住健局"], "市住建局"),
        (&["report", "by_topic", "--format", "xlsx"], "--out"),
        (&["report", "key_list", "--format", "svg"], "重点督办建议一览表"),
        (&["report", "key_list", "--from", "2024-01-31", "--each", "month", "--as-of", "2024-03-31"], "一览表"),
        (&["report", "by_topic", "--from", "2025-01-31", "--each", "month", "--as-of", "2024-03-31"], "2025-01-31"),
        (&["report", "by_topic", "--from", "2024-01-31"], "--each"),
        (&["report", "by_topic", "--each", "month"], "--from"),
        (&["report", "by_topic", "--format", "pdf"], "pdf"),
        (&["report", "by_topik"], "by_topic"),
    ] {
        let refused = desk.run(arguments);
        assert!(refused.code == 2 && refused.err.contains(words), "{arguments:?}: {refused:?}");
    }
    let nowhere = desk.run(&["report", "by_topic", "--format", "csv", "--out", "nowhere/topic.csv"]);
    assert!(nowhere.code == 4 && nowhere.err.contains("nowhere/topic.csv"), "{nowhere:?}");
}

#[test]
fn many_items_are_done_with_a_report_by_row() {
    let desk = Desk::new();
    for item in ["a1", "a2", "a3"] {
        desk.submitted(item);
    }
    assert_eq!(desk.run(&["act", "a3", "accept", "--as", "曾海敏", "--on", "2024-03-04"]).code, 0);
    let mixed = desk.run(&["act", "accept", "--items", "a1,a3,a9", "--as", "曾海敏", "--dry-run", "--json"]);
    let rows: Json = serde_json::from_str(&mixed.out).unwrap();
    assert_eq!((mixed.code, &rows["done"], &rows["refused"]), (1, &Json::from(1), &Json::from(2)));
    assert_eq!(rows["rows"][2]["refused"]["code"], "unknown_item");

    let all = desk.run(&["act", "accept", "--where", "state=待审", "--as", "曾海敏", "--on", "2024-03-04"]);
    assert_eq!(all.code, 0, "{all:?}");
    assert!(all.out.ends_with("办成2件，未办0件。\n"), "{all:?}");

    let file = desk.folder.path().join("steps.yaml");
    let steps = "steps:
  - { at: 2024-03-20, by: 曾海敏, item: a1, do: propose_allocation, with: { host_unit: 市住建局 } }
  - { at: 2024-03-20, by: 曾海敏, item: a1, do: assign }
  - { at: 2024-03-23 10:00, by: 许少生, item: a1, branch: assignment 市住建局, do: sign_in }
";
    std::fs::write(&file, steps).unwrap();
    let tried = desk.json(&["act", "--file", "steps.yaml", "--dry-run"]);
    assert_eq!(tried["done"], 3, "a later step sees what an earlier one would do: {tried}");
    assert_eq!(desk.json(&["act", "--file", "steps.yaml"])["done"], 3);
    assert_eq!(desk.json(&["show", "a1"])["branches"][0]["state"], "handling");
    std::fs::write(&file, format!("{steps}  - {{ advance_to: 2024-09-01 }}\n")).unwrap();
    let story = desk.run(&["act", "--file", "steps.yaml"]);
    assert_eq!(story.code, 2, "what only a story may say");
    assert!(story.err.contains("steps.yaml:5"), "{story:?}");
    std::fs::write(&file, "steps: [ { } ").unwrap();
    assert_eq!(desk.run(&["act", "--file", "steps.yaml"]).code, 2);

    let why = desk.run(&["explain", "action", "a1", "submit_draft", "--as", "许少生"]);
    assert_eq!(why.code, 1);
    assert!(why.out.contains("请先登记本轮与代表联系情况") && why.out.contains("assignment.yaml:"), "{why:?}");
}

#[test]
fn a_second_process_may_look_but_not_write() {
    let desk = Desk::new();
    desk.submitted("a1");
    let held = duban::store::lock::Lock::take(&desk.folder.path().join("duban.db")).unwrap();
    let refused = desk.run(&["act", "a1", "accept", "--as", "曾海敏"]);
    assert_eq!(refused.code, 4);
    assert!(refused.err.contains("正被另一个程序"), "{refused:?}");
    assert_eq!(desk.json(&["show", "a1"])["state"], "submitted");
    drop(held);
    assert_eq!(desk.run(&["act", "a1", "accept", "--as", "曾海敏"]).code, 0);
}

#[test]
fn a_list_with_a_bad_row_stays_out_unless_told_otherwise() {
    let desk = Desk::new();
    let headings =
        ["建议编号", "届次", "年度", "标题", "领衔代表", "提出时间", "类别", "主办单位", "分办单位", "提出日期", "受理日期", "交办日期"];
    let row = |number: &'static str, host: &'static str, separate: &'static str| {
        ["五届四次", "2024", "修桥", &*DEPUTY, "大会", "城建环资", host, separate, "2024-03-04", "2024-03-05", "2024-03-06"]
            .map(String::from)
            .into_iter()
            .fold(vec![number.to_string()], |mut row, cell| {
                row.push(cell);
                row
            })
    };
    let rows = [row("2024-001", "市住建局", ""), row("2024-002", "市建设局", ""), row("2024-003", "市住建局", "市教育局、市财政局")];
    let mut workbook = rust_xlsxwriter::Workbook::new();
    let sheet = workbook.add_worksheet().set_name("建议清单").unwrap();
    for (column, heading) in (0..).zip(headings) {
        sheet.write(0, column, heading).unwrap();
    }
    for (number, row) in (1..).zip(&rows) {
        for (column, cell) in (0..).zip(row) {
            sheet.write(number, column, cell.as_str()).unwrap();
        }
    }
    workbook.save(desk.folder.path().join("list.xlsx")).unwrap();

    let refused = desk.run(&["import", "list.xlsx"]);
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("建议清单!H3") && refused.out.contains("市建设局"), "{refused:?}");
    assert_eq!(desk.json(&["list"])["items"].as_array().unwrap().len(), 0, "nothing of it came in");

    let partly = desk.run(&["import", "list.xlsx", "--skip-bad-rows"]);
    assert_eq!(partly.code, 1);
    assert!(partly.out.contains("第4行") && partly.out.contains("二者只能选一种"), "the rules refuse one more: {partly:?}");
    assert!(partly.out.contains("已导入1件，跳过（以前已导入）0件，未导入2行。\n由此产生"), "{partly:?}");
    assert_eq!(desk.json(&["list"])["items"][0]["id"], "2024-001");
}

#[test]
fn rules_that_no_longer_pass_can_be_looked_at_and_be_replaced() {
    let desk = Desk::new();
    desk.submitted("a1");
    // As if an earlier program had let this through.
    desk.sql(
        "update rule_set set hash = 'earlier'; update rule_text set hash = 'earlier', files = replace(files, 'amend_by: [deputies_committee]', 'amend_by: [deputy_committee]')",
    );
    let elsewhere = tempfile::tempdir().unwrap();
    let without_folder = |arguments: &[&str]| {
        let database = desk.folder.path().join("duban.db").display().to_string();
        let output =
            desk.command(arguments).args(["--database", &database]).current_dir(elsewhere.path()).env_remove("DUBAN_RULES").output();
        let output = output.unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    };
    for looking in [&["list"][..], &["show", "a1"], &["outbox"], &["explain", "due", "a1"]] {
        let shown = without_folder(looking);
        assert_eq!(shown.code, 0, "{looking:?}: {shown:?}");
        assert!(shown.err.contains("处错误，只供查看"), "{looking:?}: {shown:?}");
    }
    for acting in [&["act", "a1", "accept", "--as", "曾海敏"][..], &["serve", "--port", "0"]] {
        let refused = without_folder(acting);
        assert_eq!(refused.code, 4, "{refused:?}");
        assert!(refused.err.contains("不能办理") && refused.err.contains("--rules"), "{refused:?}");
    }
    // The corrected folder takes its place, although an item is open.
    let accepted = desk.run(&["act", "a1", "accept", "--as", "曾海敏"]);
    assert_eq!(accepted.code, 0, "{accepted:?}");
    assert!(!without_folder(&["list"]).err.contains("只供查看"));
}

/// Rules in the settings are those of the settings' office. Another one that is named over it works under its own.
#[test]
fn rules_of_the_settings_are_not_put_to_work_in_another_office() {
    let desk = Desk::new();
    let say = |arguments: &[&str], east: bool| {
        let mut command = desk.command(arguments);
        command.env_remove("DUBAN_RULES");
        if east {
            command.env("DUBAN_JURISDICTION", "east");
        }
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Answer { code: output.status.code().unwrap_or(-1), out: text(output.stdout), err: text(output.stderr) }
    };
    let done = |arguments: &[&str], east: bool| {
        let answer = say(arguments, east);
        assert_eq!(answer.code, 0, "{arguments:?}: {answer:?}");
        answer.out
    };
    let nothing = say(&["offices"], false);
    assert!(nothing.code == 4 && nothing.err.contains("还没有数据库"), "{nothing:?}");
    let rules = shipped("").display().to_string();
    // The same workflow with another directory: what may change at any time, also while items are open.
    let other = desk.folder.path().join("rules/other");
    for (from, to) in [(shipped(""), other.clone()), (shipped("../calendars"), desk.folder.path().join("rules/calendars"))] {
        crate::broken::copy(&from, &to);
    }
    let directory = std::fs::read_to_string(other.join("directory/deputies.yaml")).unwrap();
    std::fs::write(other.join("directory/deputies.yaml"), format!("# of the east\n{directory}")).unwrap();
    let other = other.display().to_string();
    std::fs::write(desk.folder.path().join("duban.yaml"), format!("jurisdiction: west\nrules: {rules}\n")).unwrap();
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    done(&words, false);
    done(&["offices", "add", "east", "--rules", &other], false);
    let before = done(&["offices", "--json"], false);
    assert_eq!(before.lines().count(), 2, "{before}");
    assert_eq!(say(&["offices", "add", "east"], false).code, 5);
    done(&[&words[..], &["--jurisdiction", "east"]].concat(), false);
    done(&["act", "a1", "submit", "--on", "2024-03-03", "--as", "曾海敏"], true);
    assert_eq!(done(&["offices", "--json"], false), before, "each goes on under its own");
    for named in [&words[..], &["list"], &["quarantine", "retry"]] {
        let unknown = say(&[named, &["--jurisdiction", "esat"]].concat(), false);
        assert!(unknown.code == 2 && unknown.err.contains("没有单位“esat”，只有：east, west"), "{unknown:?}");
    }
    let unit = done(&["unit", "--jurisdiction", "east"], false);
    assert!(unit.contains("\"--jurisdiction\" \"east\"") && !unit.contains("--rules"), "{unit}");
    assert!(done(&["unit"], false).contains("\"--jurisdiction\" \"west\""));
    // On the command line it is meant.
    done(&["act", "a1", "accept", "--as", "曾海敏", "--jurisdiction", "east", "--rules", &rules], false);
    assert_ne!(done(&["offices", "--json"], false), before);
}

/// Settings, files and addresses that cannot be meant are told in the reader's language, with what to do.
#[test]
fn what_keeps_a_command_from_starting_is_told_in_the_readers_language() {
    let desk = Desk::new();
    let write = |name: &str, text: &str| std::fs::write(desk.folder.path().join(name), text).unwrap();
    write("typo.yaml", "jurisdction: west\n");
    write("shape.yaml", "mail: [1]\n");
    write("note.db", &"no database at all ".repeat(100));
    std::fs::create_dir(desk.folder.path().join("lock.db.lock")).unwrap();
    type Case<'a> = (&'a [&'a str], (&'a str, &'a str), i32, &'a str, &'a str);
    let cases: [Case; 11] = [
        (
            &["list", "--config", "none.yaml"],
            ("", ""),
            2,
            "设置文件 none.yaml 读不了：没有这个文件",
            "cannot be read: there is no such file; check",
        ),
        (
            &["list", "--config", "typo.yaml"],
            ("", ""),
            2,
            "typo.yaml:1:1：设置里没有“jurisdction”这一项",
            "the settings know no `jurisdction`",
        ),
        (&["list", "--config", "shape.yaml"], ("", ""), 2, "设置写得不对", "the settings cannot be read as they are written"),
        (
            &["list"],
            ("DATABASE_URL", "mysql://x"),
            2,
            "不是数据库：既不是文件，也不是 PostgreSQL 服务器",
            "names no database: it is neither",
        ),
        (
            &["list"],
            ("DUBAN_LEASE_SECONDS", "soon"),
            2,
            "DUBAN_LEASE_SECONDS 不能是“soon”：请写秒数",
            "cannot be `soon`: write a number of seconds",
        ),
        (&["list", "--database", "note.db"], ("", ""), 4, "不是督办的数据库", "is not a database of duban"),
        (
            &["act", "a1", "draft", "--as", "x", "--database", "lock.db"],
            ("", ""),
            4,
            "锁文件 lock.db.lock 不能用：",
            "the lock file lock.db.lock beside",
        ),
        (&["act", "a1", "draft", "--as", "x"], ("DUBAN_RULES", ""), 2, "没有指明规则", "no rule set is named"),
        (&["act", "--file", "none.yaml"], ("", ""), 2, "none.yaml 读不了：没有这个文件", "none.yaml cannot be read: there is no such file"),
        (
            &["serve"],
            ("DUBAN_SMTP_URL", "ftp://x"),
            2,
            "mail.smtp_url 不能用：开头是 ftp:；请写",
            "cannot be used: it begins with ftp:; write",
        ),
        (&["serve"], ("DUBAN_MAIL_FROM", "nobody"), 2, "mail.from“nobody”不是邮箱地址", "`nobody`, is not a mail address"),
    ];
    for (arguments, (name, value), code, zh, en) in cases {
        for (lang, sentence) in [("zh", zh), ("en", en)] {
            let mut command = desk.command(&[arguments, &["--lang", lang]].concat());
            match (name, value) {
                ("", _) => {}
                (name, "") => _ = command.env_remove(name),
                (name, value) => _ = command.env(name, value),
            }
            let output = command.output().unwrap();
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            assert!(told.contains(sentence), "{arguments:?}: {told}");
        }
    }
}

#[test]
fn a_command_line_that_cannot_be_meant_is_told_in_the_readers_words() {
    let desk = Desk::new();
    for (lang, said) in [("zh", "“sentt”不在可选之列：parked, "), ("en", "“sentt” is not among: parked, ")] {
        let told = desk.run(&["outbox", "list", "--status", "sentt", "--lang", lang]);
        assert!(told.code == 2 && told.out.is_empty() && told.err.contains(said) && told.err.contains(" sent"), "{told:?}");
    }
    let cases: &[(&[&str], &str)] = &[
        (&["outbx"], "没有“outbx”这个命令。是不是 outbox？"),
        (&["chek"], "没有“chek”这个命令。是不是 check？"),
        (&["outbox", "--status", "nonsense"], "这里没有 --status 这个选项或者参数。它属于：outbox list。"),
        (&["outbox", "release"], "缺少：<IDS|--volume|--imported>"),
        (&["say", "matrx"], "matrix"),
        (&["say", "letters", "matrx"], "是不是 matrix？"),
        (&["outbox", "list", "--statu", "sent"], "这里没有 --statu 这个选项或者参数。是不是 --status？"),
        (&["plan", "--days", "x"], "“x”无法识别。请写整数。"),
        (&["simulate", "--idle", "--until", "tomorrow"], "“tomorrow”无法识别。日期请写成 2026-02-28 的样子。"),
        (&["publish", "--plan", "f", "--approve"], "缺少：--as <PERSON>"),
        (&["outbox", "release", "--volume", "--imported"], "--volume 与 --imported 不能一起用。"),
        (&["list", "--json", "--json"], "--json 写了两次。"),
        (&["list", "--database"], "后面要写值。"),
        (&["list", "--database", "mysql://x"], "mysql"),
    ];
    for (arguments, said) in cases {
        let told = desk.run(arguments);
        assert!(told.code == 2 && told.err.contains(said), "{arguments:?}: {told:?}");
        assert!(!told.err.contains("error:") && !told.err.contains("Usage"), "{told:?}");
    }
    let told = desk.run(&["outbox", "list", "--status", "sentt", "--json"]);
    let json: Json = serde_json::from_str(&told.out).unwrap();
    assert!(json["exit"] == 2 && json["error"].as_str().unwrap().contains("sentt"), "{told:?}");
    assert_eq!(desk.run(&["outbox", "--help"]).code, 0);

    // The settings' language counts for what is said before they are read, also where they are wrong otherwise.
    for (file, text) in [("en.yaml", "lang: en\n"), ("duban.yaml", "lang: en\nlnag: en\n")] {
        std::fs::write(desk.folder.path().join(file), text).unwrap();
        assert!(desk.run(&["outbx", "--config", file]).err.contains("There is no command"), "{file}");
        assert!(desk.run(&["plan", "--help", "--config", file]).out.contains("Usage: duban plan"), "{file}");
        assert!(desk.run(&["outbx", "--config", file, "--lang", "zh"]).err.contains("没有“outbx”这个命令"), "{file}");
    }
    assert!(desk.run(&["outbx"]).err.contains("There is no command"));
    assert!(desk.run(&["list"]).err.contains("the settings know no `lnag`"));
}

/// What a command says of itself in Chinese: every command, every option, and nothing that no command says.
#[test]
fn every_help_text_is_there_in_chinese() {
    use duban::kernel::words::{Lang, help};
    let mut texts: std::collections::BTreeSet<String> = ["Print help", "Print version"].map(str::to_string).into();
    let mut all = vec![<duban::cli::Cli as clap::CommandFactory>::command()];
    while let Some(command) = all.pop() {
        let of_command = [command.get_about(), command.get_long_about()];
        let of_arguments = command.get_arguments().flat_map(|argument| [argument.get_help(), argument.get_long_help()]);
        texts.extend(of_command.into_iter().chain(of_arguments).flatten().map(ToString::to_string));
        all.extend(command.get_subcommands().cloned());
    }
    let missing: Vec<&String> = texts.iter().filter(|text| help(Lang::Zh, text) == **text).collect();
    assert_eq!(missing, Vec::<&String>::new());
    let kept: std::collections::HashMap<String, String> =
        serde_yaml::from_str(include_str!("../engine/kernel/words/help.zh-CN.yaml")).unwrap();
    assert_eq!(kept.keys().filter(|text| !texts.contains(*text)).collect::<Vec<_>>(), Vec::<&String>::new());

    let desk = Desk::new();
    let chinese = desk.run(&["plan", "--help"]);
    assert!(chinese.code == 0 && chinese.out.contains("用法：duban plan [OPTIONS] [FOLDER]"), "{chinese:?}");
    assert!(chinese.out.contains("选项:") && chinese.out.contains("例：     duban plan rules/letters"), "{chinese:?}");
    assert!(chinese.out.contains("[不写时：14]") && !chinese.out.contains("[default"), "{chinese:?}");
    let act = desk.run(&["act", "--help"]).out;
    assert!(act.contains("例：\n  duban act 2024-087") && !act.contains("Example"), "{act}");
    let graph = desk.run(&["graph", "-h"]).out;
    assert!(graph.contains("[不写时：mermaid] [可选：mermaid, dot, svg]") && !graph.contains("possible"), "{graph}");
    let english = desk.run(&["plan", "--help", "--lang", "en"]);
    assert!(english.out.contains("Usage: duban plan [OPTIONS] [FOLDER]") && english.out.contains("Example: duban plan"), "{english:?}");
    assert!(desk.run(&["help", "plan"]).out.contains("预演"));
}
