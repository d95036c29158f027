//! Forms: what is printed of an item for whom, and who is told that there is nothing to print; those of the shipped rules, filled for an
//! item of a small story, read back and printed by a browser.

use crate::cli::{DEPUTY, Desk, draft};
use crate::report::elements;
use duban::files::FORM_FRAME;
use duban::kernel::access::Reader;
use duban::kernel::form::{self, FormError};
use duban::kernel::model::Name;
use duban::kernel::model::command::{BranchAddress, Command};
use duban::kernel::model::fact::Fact;
use duban::kernel::model::item::Item;
use duban::kernel::model::value::{Fields, Value};
use duban::kernel::rules::RuleSet;
use duban::kernel::words::{Lang, refusal, say};
use duban::kernel::{check, decide};
use indexmap::IndexMap;
use std::sync::Arc;

const FLOW: &str = "
workflow: review
title: Review
language: 1
languages: [en]
version: 1
timezone: Asia/Shanghai
calendar: cn
month_overflow: last_day
day_off: next_working_day
send_window: every day 08:00-20:00
roles:
  reader: { title: Reader, who: group readers }
  rater:  { title: Rater,  who: group raters }
  judge:  { title: Judge,  who: group judges }
fields:
  open_to_all: { title: For all, type: text }
  note:   { title: Note,   type: text, visible_to: [judge] }
  held:   { title: Held,   type: date, visible_to: [judge] }
  score:  { title: Score,  type: number, visible_to: [judge] }
  guests: { title: Guests, type: person_list, visible_to: [judge] }
  good:   { title: Good,   type: yes_no, visible_to: [judge] }
  grade:  { title: Grade,  type: choice, options: [high, low], option_titles: { high: First, low: Second }, visible_to: [rater], sealed_until: close }
states:
  open: { title: Open, kind: start, owner: rater, no_deadline_needed: true }
  over: { title: Over, kind: end }
actions:
  begin: { title: Begin, creates: true, by: [rater], to: open, ask: [open_to_all, note, held, score, guests, good, grade] }
  part:  { title: Part,  by: [rater], from: [open], ask: { units: { type: unit_list, required: true, title: Units } }, open: { piece: input.units, vote: input.units } }
  close: { title: Close, by: [judge], from: [open] }
  end:   { title: End,   by: [judge], from: [open], to: over, cancel: [piece, vote] }
branches:
  piece:
    title: Piece
    one_per: unit
    at_most: 9
    cancelled_state: gone
    when_item_ends: cancel
    fields: { words: { title: Words, type: text, visible_to: [judge] } }
    states:
      asked: { title: Asked, kind: start, owner: rater, no_deadline_needed: true }
      gone:  { title: Gone, kind: end }
    actions:
      say: { title: Say, by: [rater], from: [asked], ask: [words] }
      done: { title: Done, by: [rater], from: [asked], to: gone }
  vote:
    title: Vote
    one_per: unit
    at_most: 9
    cancelled_state: gone
    when_item_ends: cancel
    visible_to: [judge]
    fields: { cast: { title: Cast, type: text } }
    states:
      asked: { title: Asked, kind: start, owner: rater, no_deadline_needed: true }
      gone:  { title: Gone, kind: end }
    actions:
      cast: { title: Cast, by: [rater], from: [asked], to: gone, ask: [cast] }
forms:
  whole: { title: Whole sheet }
  piece: { title: Slip, of: piece }
  vote:  { title: Ballot, of: vote }
";

const WHOLE: &str = r#"<p>{{ item.open_to_all }}</p>
<p>note={{ item.note }} held={{ item.held | date }} score={{ item.score | number }} guests={{ item.guests | join("+") }}</p>
<p>{{ "ticked" if item.good else "blank" }} grade={{ item.grade_title }} {{ "high" if item.grade == "high" else "none" }}</p>
<ul>{% for part in branches.piece %}<li>{{ part.unit }} {{ part.words }}</li>{% endfor %}{% for vote in branches.vote %}<li>voted {{ vote.cast }}</li>{% endfor %}</ul>
"#;

const DIRECTORY: &str = "
units:
  north: { title: North & Sons, kind: bureau }
  south: { title: South, kind: bureau }
persons:
  ann:  { title: Ann, groups: [readers] }
  bob:  { title: Bob, groups: [raters] }
  carl: { title: Carl, groups: [judges] }
";

struct Office {
    rules: RuleSet,
    item: Option<Arc<Item>>,
    facts: Vec<Fact>,
}

impl Office {
    fn new() -> Office {
        let files = [
            ("review/flow.yaml", FLOW),
            ("directory.yaml", DIRECTORY),
            ("../calendars/cn.yaml", include_str!("../rules/calendars/cn.yaml")),
            ("templates/forms/whole.html", WHOLE),
            ("templates/forms/piece.html", "<h1>{{ task.unit }}</h1><p>{{ task.words }} of {{ item.open_to_all }}</p>"),
            ("templates/forms/vote.html", "<h1>{{ task.unit }}: {{ task.cast }}</h1>"),
        ];
        let files: IndexMap<String, String> = files.map(|(path, text)| (path.to_string(), text.to_string())).into();
        let (rules, problems) = check::load(&files);
        let mut office = Office { rules: rules.unwrap_or_else(|| panic!("{problems:#?}")), item: None, facts: Vec::new() };
        let day = "2024-03-01".parse().unwrap();
        let begin = [
            ("open_to_all", Value::text("5 < 6 <script>")),
            ("note", Value::text("private")),
            ("held", Value::Date(day)),
            ("score", Value::Number(1200)),
            ("guests", Value::List(vec![Value::text("ann"), Value::text("carl")])),
            ("good", Value::Bool(true)),
            ("grade", Value::text("high")),
        ];
        office.act(None, "begin", "bob", &begin);
        office.act(None, "part", "bob", &[("units", Value::List(vec![Value::text("north"), Value::text("south")]))]);
        office.act(Some("piece north"), "say", "bob", &[("words", Value::text("whispered"))]);
        office.act(Some("vote north"), "cast", "bob", &[("cast", Value::text("aye"))]);
        office
    }

    fn act(&mut self, branch: Option<&str>, action: &str, by: &str, input: &[(&str, Value)]) {
        let command = Command {
            id: format!("{action}-{by}").as_str().into(),
            item: "r1".into(),
            branch: branch.map(|branch| BranchAddress::Named(branch.into())),
            action: action.into(),
            input: input.iter().map(|(name, value)| (Name::from(*name), value.clone())).collect::<Fields>(),
            by: by.into(),
            via: None,
            effective_on: None,
            seen_rev: None,
        };
        let now = "2024-03-04T02:00:00Z".parse().unwrap();
        let accepted = decide::act(&self.rules.workflows["review"], self.item.as_ref(), &command, now, &|_| 0).unwrap();
        self.item = accepted.item;
        self.facts.extend(accepted.facts);
    }

    fn print(&self, name: &str, branch: Option<&str>, person: Option<&str>) -> Result<String, FormError> {
        let (rules, person) = (&self.rules.workflows["review"], person.map(Name::from));
        let item = self.item.as_ref().unwrap();
        let reader = Reader { rules, item, facts: &self.facts, person: person.as_ref(), day: item.today };
        let form = form::find(&rules.setting.workflow, name)?;
        let task = form::task(&reader, form, branch)?;
        form::page(&reader, form, task, &self.rules.templates[form.file().as_str()], FORM_FRAME)
    }

    /// What is printed, without its frame.
    fn text(&self, name: &str, branch: Option<&str>, person: Option<&str>) -> String {
        let page = self.print(name, branch, person).unwrap();
        elements(&page).into_iter().find(|(name, _)| name == "main").unwrap().1
    }

    /// Why there is nothing, in Chinese and English.
    fn no(&self, name: &str, branch: Option<&str>, person: Option<&str>) -> [String; 2] {
        [Lang::Zh, Lang::En].map(|lang| match self.print(name, branch, person).unwrap_err() {
            FormError::No { code, values } => {
                let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (*name, value.as_str())).collect();
                say(lang, &format!("api.{code}"), &values)
            }
            FormError::Branch(no) => refusal(lang, &no),
            error => panic!("{error}"),
        })
    }
}

#[test]
fn a_form_shows_its_reader_what_they_may_see_and_a_dash_for_the_rest() {
    let mut office = Office::new();
    let judge = office.text("whole", None, Some("carl"));
    for part in [
        "5 < 6 <script>",
        "note=private",
        "held=Friday, 1 March 2024",
        "score=1,200",
        "guests=Ann+Carl",
        "ticked grade=— none",
        "North & Sons whispered",
        "voted aye",
    ] {
        assert!(judge.contains(part), "{part}: {judge}");
    }
    for (person, grade) in [(Some("ann"), "grade=— none"), (None, "grade=— none"), (Some("bob"), "grade=First high")] {
        let text = office.text("whole", None, person);
        for part in ["5 < 6 <script>", "note=— held=— score=— guests=—", &format!("blank {grade}"), "North & Sons —"] {
            assert!(text.contains(part), "{person:?}, {part}: {text}");
        }
        for hidden in ["private", "March", "1,200", "Carl", "ticked", "whispered", "voted", "aye"] {
            assert!(!text.contains(hidden), "{person:?} may not see {hidden}: {text}");
        }
    }
    office.act(None, "close", "carl", &[]);
    assert!(office.text("whole", None, Some("ann")).contains("grade=First high"), "the seal is open");
    let page = office.print("Whole sheet", None, Some("ann")).unwrap();
    assert!(!page.contains("<script>"), "values are escaped");
    let foot = elements(&page).into_iter().find(|(name, _)| name == "footer").unwrap().1;
    let hash: String = office.rules.hash.chars().take(12).collect();
    assert_eq!(foot, format!("r1 · printed on 2024-03-04 · for Ann · rules {hash}"));
}

#[test]
fn a_form_of_a_branch_is_of_the_one_that_is_meant() {
    let mut office = Office::new();
    for address in ["piece north", "north", "North & Sons", "1", " piece 1"] {
        assert_eq!(office.text("piece", Some(address), Some("carl")).trim(), "North & Sonswhispered of 5 < 6 <script>", "{address}");
    }
    assert_eq!(office.text("Slip", Some("north"), Some("ann")).trim(), "North & Sons— of 5 < 6 <script>");
    office.act(Some("piece south"), "done", "bob", &[]);
    assert!(office.text("piece", None, None).contains("North"), "the only one that is open");
    assert_eq!(office.text("vote", Some("north"), Some("carl")).trim(), "North & Sons: aye");
}

#[test]
fn what_cannot_be_printed_is_refused_in_a_sentence() {
    let office = Office::new();
    let table: [(&str, Option<&str>, Option<&str>, &str, &str); 7] = [
        (
            "pice",
            None,
            None,
            "没有“pice”这种表单。有：whole Whole sheet, piece Slip, vote Ballot",
            "There is no form `pice`. There are: whole Whole sheet, piece Slip, vote Ballot",
        ),
        (
            "piece",
            None,
            None,
            "“Slip”有几份，请指明哪一个分支：North & Sons, South",
            "There are several of “Slip”: say of which branch. There are: North & Sons, South",
        ),
        ("piece", Some("west"), None, "这一件里没有可以做“Slip”的“piece west”。", "There is no `piece west` in this item for `Slip`."),
        ("piece", Some("99"), None, "这一件里没有可以做“Slip”的“99”。", "There is no `99` in this item for `Slip`."),
        (
            "piece",
            Some("vote north"),
            Some("carl"),
            "“Slip”是“Piece”的表单，而“vote north”不是。",
            "“Slip” is filled from a branch “Piece”, which “vote north” is not.",
        ),
        (
            "whole",
            Some("north"),
            None,
            "“Whole sheet”是整件的表单，不分分支：请去掉“north”。",
            "“Whole sheet” is about the item as a whole: leave out the branch “north”.",
        ),
        (
            "vote",
            Some("north"),
            Some("ann"),
            "“Ballot”要用“Vote”的内容，现在看不到：请以能看到的人的身份打印。",
            "“Ballot” is filled from a “Vote” that cannot be seen now: print it as somebody who may see it.",
        ),
    ];
    for (name, branch, person, zh, en) in table {
        assert_eq!(office.no(name, branch, person), [zh, en]);
    }
}

/// A suggestion that two units got two years ago and nobody signed for, seen under today's clock: everything of it is late.
fn late(desk: &Desk) {
    let words = draft("a1");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let by = |action: &'static str, day: &'static str| vec!["act", "a1", action, "--on", day, "--as", "曾海敏"];
    let with = |mut words: Vec<&'static str>, with: &[&'static str]| {
        words.push("--with");
        words.extend(with);
        words
    };
    let steps = [
        words,
        by("submit", "2024-03-03"),
        by("accept", "2024-03-04"),
        with(by("propose_allocation", "2024-03-05"), &["host_unit=市住建局", "co_units=市财政局"]),
        by("assign", "2024-03-06"),
    ];
    for step in steps {
        let answer = desk.run(&step);
        assert_eq!(answer.code, 0, "{step:?}: {answer:?}");
    }
}

#[test]
fn the_shipped_forms_are_filled_and_can_be_printed() {
    let desk = Desk::new();
    late(&desk);
    let listed = desk.json(&["print", "a1"]);
    let names: Vec<&str> = listed["forms"].as_array().unwrap().iter().map(|form| form["form"].as_str().unwrap()).collect();
    assert_eq!(names, ["task_sheet", "supervision_notice", "reply_form", "rating_form"]);
    assert!(desk.run(&["print", "a1"]).out.contains("督办单"));

    let host = ["--branch", "assignment 市住建局"];
    let table: [(&str, &[&str], &[&str], &[&str]); 5] = [
        (
            "task_sheet",
            &host,
            &[
                "人大代表建议办理单",
                "五届四次第2024-001号",
                "关于修桥的建议",
                "市住房和城乡建设局",
                "主办",
                "会办单位市财政局",
                "2024年6月6日",
                "签字",
            ],
            &["送主办单位"],
        ),
        ("建议办理单", &["--branch", "市财政局"], &["市财政局", "会办", "主办单位市住房和城乡建设局", "送主办单位"], &["答复期限"]),
        (
            "supervision_notice",
            &host,
            &["督 办 单", "市住房和城乡建设局：", "签收2024年3月11日", "书面答复2024年6月6日", "请于"],
            &["提出会办意见", "审核答复稿"],
        ),
        ("reply_form", &host, &["关于修桥的建议的答复", "代表：", "经商市财政局", "抄送"], &["承诺于"]),
        ("rating_form", &[], &["征询意见表", "☐满意☐基本满意☐不满意", "寄回地址", "市住房和城乡建设局"], &["☑", "市财政局"]),
    ];
    for (form, more, has, has_not) in table {
        let answer = desk.run(&[&["print", "a1", form], more].concat());
        assert_eq!((answer.code, answer.err.as_str()), (0, ""), "{form}");
        let all = elements(&answer.out);
        let text = &all.iter().find(|(name, _)| name == "main").unwrap().1.split_whitespace().collect::<Vec<_>>().join("");
        let squeezed = |part: &&str| part.split_whitespace().collect::<String>();
        for part in has {
            assert!(text.contains(&squeezed(part)), "{form}: {part}: {text}");
        }
        for part in has_not.iter().chain(&["{{", "None", "none"]) {
            assert!(!text.contains(&squeezed(part)), "{form}: {part}: {text}");
        }
        assert!(answer.out.contains("@page { size: A4 portrait; margin: 37mm 26mm 35mm 28mm; }"));
        for outside in ["http:", "https:", "<script", "url("] {
            assert!(!answer.out.contains(outside), "{form} is whole in itself: {outside}");
        }
    }

    let file = desk.folder.path().join("sheet.html");
    let written = desk.run(&["print", "a1", "task_sheet", "--branch", "市住建局", "--as", &DEPUTY, "--out", file.to_str().unwrap()]);
    assert_eq!((written.code, written.out.as_str()), (0, ""), "{written:?}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("打印人："));

    let refused: [(&[&str], i32, &str, &str); 5] = [
        (&["print", "b1"], 1, "没有编号为“b1”的件。", "There is no item `b1`."),
        (&["print", "a1", "slip"], 2, "没有“slip”这种表单。", "There is no form `slip`."),
        (&["print", "a1", "task_sheet"], 1, "请指明哪一个分支：市住房和城乡建设局, 市财政局", "say of which branch"),
        (
            &["print", "a1", "task_sheet", "--branch", "市教育局"],
            1,
            "没有可以做“建议办理单”的“assignment 市教育局”",
            "There is no `assignment 市教育局`",
        ),
        (&["print", "a1", "rating_form", "--as", "nobody"], 1, "通讯录中没有“nobody”。", "`nobody` is not in the directory."),
    ];
    for (words, code, zh, en) in refused {
        for (lang, says) in [("zh", zh), ("en", en)] {
            let answer = desk.run(&[words, &["--lang", lang]].concat());
            assert_eq!((answer.code, answer.out.as_str()), (code, ""), "{answer:?}");
            assert!(answer.err.contains(says), "{says}: {answer:?}");
        }
    }
}
