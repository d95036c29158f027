//! What is wrong with a rule set is told with its place; what is right is read as it was meant.
//!
//! `fixtures/bad/CODE-what.yaml` is a workflow of one file, `fixtures/bad/CODE-what/` a whole rule set; calendar and directory are those
//! of `fixtures/good/permit` unless it has its own. The reports stand beside them; `DUBAN_UPDATE=1` writes them anew.

use crate::cli::Desk;
use crate::support::rule_set::files_of;
use duban::cli::problems::{Drawing, json};
use duban::kernel::check;
use duban::kernel::model::definition::*;
use duban::kernel::model::problem::{Places, Problem};
use duban::kernel::model::value::{Type, Value};
use duban::kernel::read::gate;
use duban::kernel::read::phrase;
use duban::kernel::read::tree::{Content, Node};
use duban::kernel::rules::{RuleSet, Rules};
use duban::kernel::time::{Length, Unit};
use duban::kernel::words::{self, Lang};
use indexmap::IndexMap;
use proptest::prelude::*;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn fixture(name: &str) -> PathBuf {
    root().join("tests/fixtures").join(name)
}

#[test]
fn shipped_rule_sets_have_no_errors() {
    let files = files_of(&root().join("rules/yuncheng"));
    let (rules, problems) = check::load(&files);
    let errors: Vec<Problem> = problems.into_iter().filter(Problem::is_error).collect();
    assert!(errors.is_empty(), "{}", Drawing { lang: Lang::En, colour: false, folder: "rules/yuncheng", files: &files }.draw_all(&errors));
    assert!(rules.is_some_and(|rules| !rules.workflows.is_empty()));
}

#[test]
fn every_mistake_is_told_as_expected() {
    let folder = fixture("bad");
    let mut names: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.is_dir() || path.extension().is_some_and(|extension| extension == "yaml"));
    names.sort();
    assert!(names.len() > 40, "the fixtures are there");
    let mut different = String::new();
    for path in names {
        let name = path.file_stem().unwrap().to_string_lossy().to_string();
        let files = bad_files(&path);
        let (rules, problems) = check::load(&files);
        let code = name.split('-').next().unwrap();
        assert!(problems.iter().any(|problem| problem.code == code), "{name}: no {code} in {problems:#?}");
        assert_eq!(rules.is_none(), problems.iter().any(Problem::is_error), "{name}: there is a rule set exactly when nothing is an error");
        for (lang, suffix) in [(Lang::Zh, "zh"), (Lang::En, "en")] {
            let report = Drawing { lang, colour: false, folder: "", files: &files }.draw_all(&problems) + "\n";
            let expected = folder.join(format!("{name}.{suffix}.txt"));
            if std::env::var_os("DUBAN_UPDATE").is_some() {
                std::fs::write(&expected, &report).unwrap();
            } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&report) {
                write!(different, "\n{}:\n{report}", expected.display()).unwrap();
            }
        }
    }
    assert!(different.is_empty(), "these reports differ from the files beside the fixtures (DUBAN_UPDATE=1 rewrites them):\n{different}");
}

/// The files of a fixture, with the calendar and directory of a good rule set where it has none.
fn bad_files(path: &Path) -> IndexMap<String, String> {
    let mut files = files_of(&fixture("good/permit"));
    files.retain(|path, _| path == "directory.yaml" || path.starts_with("calendars/"));
    if path.is_dir() {
        files.extend(files_of(path));
    } else {
        files.insert("request.yaml".to_string(), std::fs::read_to_string(path).unwrap());
    }
    files
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let mut files = bad_files(&fixture("good/views"));
    let (path, text) = files.iter().next().map(|(path, text)| (path.clone(), text.clone())).unwrap();
    files.insert(path.clone(), format!("{text}\n# {}\n", "x".repeat(1 << 20)));
    let (rules, problems) = check::load(&files);
    assert!(rules.is_none());
    assert!(problems.iter().any(|problem| problem.code == "E012"), "{path}: {problems:?}");
}

#[test]
fn problems_are_the_same_for_programs() {
    let files = bad_files(&fixture("bad/E005-misspelt.yaml"));
    let (_, problems) = check::load(&files);
    let json = json(&problems, Lang::En);
    assert_eq!(json[0]["code"], "E005");
    assert_eq!(json[0]["level"], "error");
    assert_eq!(json[0]["message"], "There is no key `form` here; did you mean `from`?");
    assert_eq!((json[0]["line"].as_u64(), json[0]["column"].as_u64()), (Some(27), Some(5)));
}

#[test]
fn duban_check_answers_by_its_exit_code() {
    let check = |folder: PathBuf| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_duban"));
        command.arg("check").arg(folder).args(["--json", "--lang", "en"]).current_dir(env!("CARGO_TARGET_TMPDIR"));
        let output = command.output().unwrap();
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
        (output.status.code(), json)
    };
    let (code, json) = check(fixture("good/permit"));
    assert_eq!((code, json["good"].as_bool()), (Some(0), Some(true)));
    let (code, json) = check(fixture("bad/E002-two_files"));
    let codes: Vec<_> = json["problems"].as_array().into_iter().flatten().filter_map(|problem| problem["code"].as_str()).collect();
    assert_eq!((code, json["good"].as_bool(), codes.contains(&"E002")), (Some(1), Some(false), true));
}

/// What the schema of SARIF 2.1.0 requires, and what its readers look for.
#[test]
fn problems_can_be_told_as_sarif() {
    let desk = Desk::new();
    let folder = fixture("bad/E015-script");
    let answer = desk.run(&["check", folder.to_str().unwrap(), "--format", "sarif", "--lang", "en"]);
    let log: Json = serde_json::from_str(&answer.out).unwrap();
    assert_eq!((answer.code, log["version"].as_str()), (1, Some("2.1.0")));
    assert!(log["$schema"].as_str().unwrap().ends_with("sarif-2.1.0.json"));
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("{log}") };
    assert_eq!((run["tool"]["driver"]["name"].as_str(), run["columnKind"].as_str()), (Some("duban"), Some("unicodeCodePoints")));
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    let ids: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "each rule once");
    let results = run["results"].as_array().unwrap();
    assert!(results.iter().any(|result| result["ruleId"] == "E015"), "{log}");
    for result in results {
        let rule = &rules[result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].is_string() && rule["defaultConfiguration"]["level"] == result["level"]);
        assert!(["error", "warning", "note"].contains(&result["level"].as_str().unwrap()));
        assert!(!result["message"]["text"].as_str().unwrap().is_empty());
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        assert!(uri.is_ascii() && !uri.contains([' ', '"', '<', '>', '\\']), "{uri}");
        let region = |name: &str| place["region"][name].as_u64().unwrap();
        assert!(region("startLine") >= 1 && region("startColumn") >= 1 && region("endColumn") > region("startColumn"));
    }
    assert!(!rules.is_empty() && desk.run(&["check", "--format", "xml"]).code == 2);
}

#[test]
fn a_folder_that_is_watched_is_checked_again_when_it_changes() {
    use std::io::{BufRead, BufReader};
    let desk = Desk::new();
    let folder = desk.folder.path().join("permit");
    for (path, text) in bad_files(&fixture("good/permit")) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let mut command = desk.command(&["check", "permit", "--watch", "--lang", "en"]);
    let mut watching = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("errors: 0")));
    std::fs::remove_file(folder.join("permit.yaml")).unwrap();
    std::fs::write(folder.join("other.yaml"), "workflow: other\n").unwrap();
    assert!(lines.any(|line| line.contains("error[E016]")));
    watching.kill().unwrap();
    watching.wait().unwrap();
}

#[test]
fn both_catalogues_have_the_same_texts() {
    let keys = |lang| words::catalogue(lang).keys().cloned().collect::<BTreeSet<String>>();
    let (zh, en) = (keys(Lang::Zh), keys(Lang::En));
    assert_eq!(zh.difference(&en).collect::<Vec<_>>(), Vec::<&String>::new(), "only in zh-CN.yaml");
    assert_eq!(en.difference(&zh).collect::<Vec<_>>(), Vec::<&String>::new(), "only in en.yaml");
}

fn permit() -> RuleSet {
    let files = files_of(&fixture("good/permit"));
    let (rules, problems) = check::load(&files);
    let report = Drawing { lang: Lang::En, colour: false, folder: "", files: &files }.draw_all(&problems);
    rules.unwrap_or_else(|| panic!("{report}"))
}

fn rules_of(set: &RuleSet) -> Arc<Rules> {
    set.workflows["permit"].clone()
}

fn days(count: u32, unit: Unit) -> Length {
    Length::new(count, unit)
}

#[test]
fn a_workflow_is_read_with_every_section() {
    let set = permit();
    let rules = rules_of(&set);
    let flow = &rules.setting.workflow;
    assert_eq!(
        (&*flow.name, flow.version, flow.send_window),
        ("permit", 2, SendWindow { working_days_only: true, opens: 540, closes: 1020 })
    );
    assert_eq!(flow.letter["phone"], "0359-0000000");
    assert_eq!(flow.start_state().map(|name| &**name), Some("draft"));

    let supervisor = &flow.roles["supervisor"].who;
    let unit = UnitPath::CommitteeOf(Box::new(UnitPath::Field(FieldRef { of: Holder::Task, field: "unit".into() })));
    assert_eq!(supervisor[0].who, Who::Duty("officer".into(), unit));
    assert!(supervisor[0].when.is_some() && supervisor[1].when.is_none());

    let hand_over = &flow.actions["hand_over"];
    let asks: Vec<_> = hand_over.ask.iter().map(|ask| (&*ask.name, ask.required, ask.records)).collect();
    assert_eq!(
        asks,
        [
            ("units", true, Some(Holder::Item)),
            ("grade", true, Some(Holder::Item)),
            ("ends_on", false, Some(Holder::Item)),
            ("note", false, None)
        ]
    );
    let open = &hand_over.effects.open[0];
    assert_eq!(open.for_each.as_ref().map(|each| &*each.source), Some("input.units"));
    assert_eq!(open.set[0].when.as_ref().unwrap().scope.each, Some(Type::Unit));
    assert!(matches!(&open.set[0].value, SetValue::Literal(Value::Text(text)) if &**text == "main"));
    assert_eq!(flow.actions["register"].sequence[0].per, ["year".into()]);
    assert_eq!(flow.actions["give"].by[1].on_behalf_of.as_deref(), Some("clerk"));
    assert!(flow.actions["give"].choose[1].when.is_none());
    assert_eq!(flow.actions["refuse"].effects.do_on, [("opinion".into(), "drop".into())]);

    let answer = &flow.deadlines["answer"];
    assert_eq!(answer.length, LengthRule::Table("answer_term".into()));
    let parts = [
        LengthRule::Fixed(days(6, Unit::Month)),
        LengthRule::OnDay { month: 6, day: 30, at_least: None },
        LengthRule::Until(FieldRef { of: Holder::Item, field: "ends_on".into() }),
    ];
    assert_eq!(answer.no_later_than, Some(LengthRule::EarliestOf(parts.to_vec())));
    let (fact, longer) = &answer.extended_by[0];
    assert_eq!(
        (&**fact, longer.scope.request.as_deref(), &longer.wants),
        ("longer.approved", Some("longer"), &Wants::Value(Type::Duration))
    );
    assert_eq!(answer.ladder[1].at, RungAt::OnTheDay);
    assert_eq!(&*answer.ladder[2].path, "ladders.usual[2]");
    assert_eq!(flow.deadlines["whole"].ladder[1].at, RungAt::YearlyUntilDue { month: 11, day: 30 });
    assert_eq!(flow.tables["answer_term"].rows[0].cells[0].1, Cell::OneOf(vec![Value::text("simple"), Value::text("normal")]));
    assert_eq!(flow.params["short_term"].values[1].value, Value::Length(days(3, Unit::WorkingDay)));
    assert_eq!(flow.functions["may_give"].takes["branches"], Type::BranchesView);
    assert_eq!(flow.imports["list"].columns["citizen"].kind, Type::Person);
    assert_eq!(flow.imports["list"].columns["kind"].kind, Type::Choice(vec!["simple".into(), "normal".into()]));
    assert_eq!(flow.notices["late"].to[0].or.as_deref(), Some("clerk"));
    assert_eq!(set.templates["soon"], "{{ item.number }}：请处理。\n");
    assert_eq!(&*set.directory.persons["qian"].duties[1].value.unit, "water");
    for (index, expr) in flow.expressions.iter().enumerate() {
        assert_eq!(expr.id as usize, index, "{} is found by its number", expr.source);
    }
}

#[test]
fn a_request_becomes_three_actions_and_a_deadline() {
    let set = permit();
    let rules = rules_of(&set);
    let flow = &rules.setting.workflow;
    let actions = &flow.branches["opinion"].actions;
    let made: Vec<_> = ["longer.ask", "longer.approve", "longer.refuse"].iter().map(|name| &actions[*name]).collect();
    assert_eq!(made.iter().map(|action| &*action.records_as).collect::<Vec<_>>(), ["longer.asked", "longer.approved", "longer.refused"]);
    assert_eq!(made[0].require.len(), 1);
    assert_eq!(made[1].by.iter().map(|by| &*by.role).collect::<Vec<_>>(), ["clerk", "head"]);
    assert_eq!(made[1].effects.tell, ["told".into()]);
    assert_eq!(made[2].effects.set[0].of, Holder::Task);
    assert!(flow.requests["longer"].all_must_consent);
    let deadline = &flow.deadlines["longer"];
    assert!(deadline.of_request);
    assert_eq!((&*deadline.starts_on[0], deadline.ends_on.len(), deadline.branch.as_deref()), ("longer.asked", 2, Some("opinion")));
    let told = rules.places.find("branches.opinion.actions.longer.approve.tell[0]");
    assert_eq!(told, rules.places.find("requests.longer.approve.tell[0]"));
    assert!(told.is_some_and(|place| place.length == 4));
}

#[test]
fn the_hash_names_the_files_that_were_read() {
    let mut files = files_of(&fixture("good/permit"));
    let hash = |files: &IndexMap<String, String>| check::load(files).0.unwrap().hash;
    let first = hash(&files);
    files.insert("tests/more.test.yaml".into(), "- not: read".into());
    files.insert("../calendars/other.yaml".into(), files["calendars/cn.yaml"].clone());
    assert_eq!(hash(&files), first, "stories and calendars that are not used do not change it");
    files.insert("templates/told.txt".into(), "{{ item.number }}".into());
    assert_ne!(hash(&files), first);
}

#[test]
fn places_count_in_characters() {
    let mut problems = Vec::new();
    let text = "流程: { 名称: \"占道：许可\", 说明: 两个 }\n列表:\n  - 甲\n  - |\n    第一行\n";
    let node = gate::parse(&Arc::from("a.yaml"), text, &mut problems).unwrap();
    assert_eq!(problems, []);
    let mut places = Places::default();
    node.record(&mut places);
    let at = |path: &str| places.find(path).map(|place| (place.line, place.column, place.length)).unwrap();
    assert_eq!(at("流程@"), (1, 1, 2));
    assert_eq!(at("流程.名称"), (1, 12, 5));
    assert_eq!(at("流程.说明"), (1, 24, 2));
    assert_eq!(at("列表[0]"), (3, 5, 1));
    assert_eq!(at("列表[1]"), (5, 5, 3));
    assert_eq!(at("列表[1].nothing.below"), (5, 5, 3), "an unknown path is found at what encloses it");
}

#[test]
fn both_spellings_of_a_phrase_mean_the_same() {
    let rungs = [
        ("30 days before", "到期前30天", RungAt::Before(days(30, Unit::Day))),
        ("10 working days before", "到期前10个工作日", RungAt::Before(days(10, Unit::WorkingDay))),
        ("3 months before", "到期前3个月", RungAt::Before(days(3, Unit::Month))),
        ("on the day", "到期当天", RungAt::OnTheDay),
        ("1 working day after", "到期后1个工作日", RungAt::After(days(1, Unit::WorkingDay))),
        ("every 5 working days after", "到期后每5个工作日", RungAt::EveryAfter(days(5, Unit::WorkingDay))),
        ("every 1 month after", "到期后每1个月", RungAt::EveryAfter(days(1, Unit::Month))),
        ("every 30 November until due", "到期前每年11月30日", RungAt::YearlyUntilDue { month: 11, day: 30 }),
        ("every 31 October", "到期前每年10月31日", RungAt::YearlyUntilDue { month: 10, day: 31 }),
        ("every 3 months until due", "到期前每3个月", RungAt::EveryUntilDue(days(3, Unit::Month))),
    ];
    for (english, chinese, meant) in rungs {
        assert_eq!(phrase::rung_at(english), Some(meant), "{english}");
        assert_eq!(phrase::rung_at(chinese), Some(meant), "{chinese}");
    }
    for text in [
        "30 days",
        "every 31 November until due",
        "0 days before",
        "到期前",
        "到期后每年11月30日",
        "30 days  after that",
        "三十天 before",
        "every days after",
    ] {
        assert_eq!(phrase::rung_at(text), None, "{text}");
    }
    assert_eq!(phrase::on_day("on 10-31 if at least 30 days away"), phrase::on_day("10月31日且至少30天后"));
    assert_eq!(phrase::on_day("on 06-30"), Some((6, 30, None)));
    assert_eq!(phrase::on_day("on 02-30"), None);
    assert_eq!(phrase::before_deadline("20 days before answer"), phrase::before_deadline("answer前20天"));
    assert_eq!(phrase::until("until task.promised_on"), phrase::until("至 task.promised_on"));
    assert_eq!(phrase::send_window("working days 09:00-17:00"), phrase::send_window("工作日 09:00-17:00"));
    assert_eq!(phrase::send_window("every day 17:00-09:00"), None);
    assert_eq!(phrase::with_digits("三十日").as_deref(), Some("30日"));
    assert_eq!(phrase::with_digits("到期前二十五个工作日").as_deref(), Some("到期前25个工作日"));
    assert_eq!(phrase::with_digits("一百二十天").as_deref(), Some("120天"));
}

/// `serde_yaml` gives the values and the strict reader the places: over everything that the gate lets through they must see the same.
#[test]
fn both_yaml_readers_see_the_same() {
    let mut files: Vec<PathBuf> = Vec::new();
    for folder in ["rules", "tests/fixtures", "engine/kernel/words"] {
        yaml_files(&root().join(folder), &mut files);
    }
    let mut compared = 0;
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        compared += usize::from(agree(&path.to_string_lossy(), &text));
    }
    let oddities = [
        "a: ~",
        "a: null",
        "a: Null",
        "a: yes\nb: No\nc: TRUE\nd: off",
        "a: 0o17\nb: 0x1f\nc: 010\nd: 1_000\ne: +5\nf: -0",
        "a: 1.5\nb: 1e3\nc: .5\nd: 12:30",
        "a: 9223372036854775807\nb: 18446744073709551615",
        "a: '1'\nb: \"true\"",
        "a: |-\n  x\n  y\nb: >\n  x\n  y\n\n  z\n",
        "? a\n: b",
        "a: [1, [2, {b: 3}], ]",
        "- - - 1",
        "a: \"\\u4e2d\\n\"\nb: '''x'''",
        "\u{feff}a: 1",
        "a:\r\n  b: 1\r\n",
        "2024: x\ntrue: y",
        "a: 2026-01-01\nb: 2026-01-01T00:00:00Z",
        "a: -\nb: --\n",
        "a: <<\nb: =",
        "",
    ];
    for text in oddities {
        compared += usize::from(agree(text, text));
    }
    assert!(compared > 40, "only {compared} files were compared");
}

fn yaml_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            yaml_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
}

fn agree(name: &str, text: &str) -> bool {
    let mut problems = Vec::new();
    let node = gate::parse(&Arc::from(name), text, &mut problems);
    let Some(node) = node.filter(|_| !problems.iter().any(Problem::is_error)) else { return false };
    let value: serde_yaml::Value =
        serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{name}: the gate lets through what serde_yaml refuses: {error}"));
    assert_eq!(as_yaml(&node, &value), value, "{name}");
    true
}

/// The tree as `serde_yaml` would hold it; fractions, which the tree keeps as written, are taken from there.
fn as_yaml(node: &Node, value: &serde_yaml::Value) -> serde_yaml::Value {
    use serde_yaml::Value as Yaml;
    match &node.content {
        Content::Empty => Yaml::Null,
        Content::Bool(yes) => Yaml::Bool(*yes),
        Content::Number(number) => Yaml::Number((*number).into()),
        Content::Fraction(_) => value.clone(),
        Content::Text(text) => Yaml::String(text.to_string()),
        Content::List(nodes) => Yaml::Sequence(nodes.iter().enumerate().map(|(index, node)| as_yaml(node, &value[index])).collect()),
        Content::Map(entries) => {
            let keys = value.as_mapping().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
            let pairs = entries.iter().zip(keys).map(|(entry, key)| {
                let text = match &key {
                    Yaml::String(text) => text.clone(),
                    other => serde_yaml::to_string(other).unwrap().trim().to_string(),
                };
                assert_eq!(text, *entry.key.name);
                (key.clone(), as_yaml(&entry.value, &value[&key]))
            });
            Yaml::Mapping(pairs.collect())
        }
    }
}

/// One careless edit.
#[derive(Clone, Debug)]
enum Edit {
    Delete(usize, usize),
    Insert(usize, &'static str),
    SwapLines(usize, usize),
    Indent(usize, usize),
    RepeatLine(usize),
    Cut(usize),
}

fn edit() -> impl Strategy<Value = Edit> {
    let signs = [
        "：",
        "“",
        "”",
        "，",
        "\t",
        "\u{3000}",
        "\u{200b}",
        ":",
        ": ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "'",
        "|",
        "&a ",
        "*a",
        "!x ",
        "#",
        "<<: ",
        "---\n",
        "\n",
        "  ",
        "(",
        ")",
        "~",
        "0",
        "99999999999999999999",
        "yes",
        "三",
        "é",
        "🙂",
        "\\",
        "{{",
        "}}",
        "use ",
        "?",
        "%",
        "@",
        "`",
        "\r\n",
        "\u{0}",
        "\u{feff}",
    ];
    prop_oneof![
        (any::<usize>(), 1..12usize).prop_map(|(at, length)| Edit::Delete(at, length)),
        (any::<usize>(), prop::sample::select(signs.to_vec())).prop_map(|(at, sign)| Edit::Insert(at, sign)),
        (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Edit::SwapLines(one, other)),
        (any::<usize>(), 0..7usize).prop_map(|(line, margin)| Edit::Indent(line, margin)),
        any::<usize>().prop_map(Edit::RepeatLine),
        any::<usize>().prop_map(Edit::Cut),
    ]
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut text = text.to_string();
    for edit in edits {
        let mut characters: Vec<char> = text.chars().collect();
        let mut lines: Vec<String> = text.lines().map(str::to_string).collect();
        if characters.is_empty() || lines.is_empty() {
            return text;
        }
        match *edit {
            Edit::Delete(at, length) => {
                let at = at % characters.len();
                characters.drain(at..(at + length).min(characters.len()));
                text = characters.into_iter().collect();
            }
            Edit::Insert(at, sign) => {
                let at = at % characters.len();
                characters.splice(at..at, sign.chars());
                text = characters.into_iter().collect();
            }
            Edit::Cut(at) => text = characters[..at % characters.len()].iter().collect(),
            Edit::SwapLines(one, other) => {
                let (one, other) = (one % lines.len(), other % lines.len());
                lines.swap(one, other);
                text = lines.join("\n");
            }
            Edit::Indent(line, margin) => {
                let line = line % lines.len();
                lines[line] = format!("{}{}", " ".repeat(margin), lines[line].trim_start());
                text = lines.join("\n");
            }
            Edit::RepeatLine(line) => {
                let line = line % lines.len();
                lines.insert(line, lines[line].clone());
                text = lines.join("\n");
            }
        }
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 80, failure_persistence: None, ..ProptestConfig::default() })]

    /// However careless the edits: there is a rule set or an error, and every problem can be drawn.
    #[test]
    fn careless_edits_are_told_and_never_crash(edits in prop::collection::vec(edit(), 1..5), which in 0..3usize) {
        let mut files = files_of(&fixture("good/permit"));
        let path = ["permit.yaml", "directory.yaml", "calendars/cn.yaml"][which];
        files[path] = edited(&files[path], &edits);
        let (rules, problems) = check::load(&files);
        prop_assert_eq!(rules.is_none(), problems.iter().any(Problem::is_error), "{:?} in {}\n{}", problems, path, files[path]);
        for lang in [Lang::Zh, Lang::En] {
            let drawing = Drawing { lang, colour: true, folder: "rules/x", files: &files };
            for problem in &problems {
                let variant = problem.variant.map(|variant| format!("check.{}.{variant}", problem.code));
                let told = variant.into_iter().chain([format!("check.{}", problem.code)]).any(|key| words::has(lang, &key));
                prop_assert!(told, "{} {:?} has no text", problem.code, problem.variant);
                prop_assert!(!drawing.draw(problem).is_empty());
            }
        }
    }
}

/// A file that cannot be read may declare anything: nothing is said of names in other files that could stand in it.
#[test]
fn a_file_that_cannot_be_read_brings_no_problem_to_others() {
    let sets = ["rules/yuncheng", "tests/fixtures/permit", "tests/fixtures/good/permit"].map(|folder| files_of(&root().join(folder)));
    let mut tried = 0;
    let mut wrong = String::new();
    for mut files in sets {
        if !files.keys().any(|path| path.contains("calendars/")) {
            files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root().join("rules/calendars/cn.yaml")).unwrap());
        }
        let before: BTreeSet<String> = check::load(&files).1.iter().map(|problem| format!("{problem:?}")).collect();
        let beside =
            |path: &str| path.starts_with("tests/") || path.starts_with("sample/") || path.ends_with(".txt") || path.ends_with(".html");
        let own: Vec<String> = files.keys().filter(|path| !beside(path)).cloned().collect();
        // A large set takes its time: one way of breaking each file, in turn, tells as much.
        let large = own.len() > 15;
        for (index, path) in own.into_iter().enumerate() {
            let bad_lines: &[&str] = match path.ends_with(".rhai") {
                true => &["fn broken( {\n"],
                false => &["broken: [\n", "broken: \"\n", "\tbroken: 1\n", "broken: 1\n   nested: 2\n", "broken: &a 1\nagain: *a\n"],
            };
            for (nth, bad) in bad_lines.iter().enumerate().filter(|(nth, _)| !large || *nth == index % bad_lines.len()) {
                for at_end in [false, true].into_iter().filter(|at_end| !large || *at_end == (nth % 2 == 0)) {
                    let mut broken = files.clone();
                    broken[&path] = if at_end { format!("{}\n{bad}", files[&path]) } else { format!("{bad}{}", files[&path]) };
                    let (rules, problems) = check::load(&broken);
                    tried += 1;
                    assert!(
                        rules.is_none() && problems.iter().any(|problem| *problem.place.file == *path && problem.is_error()),
                        "{path} {bad:?}: {problems:?}"
                    );
                    for problem in
                        problems.iter().filter(|problem| *problem.place.file != *path && !before.contains(&format!("{problem:?}")))
                    {
                        writeln!(
                            wrong,
                            "{path} {bad:?}: {} {:?} in {}:{}",
                            problem.code, problem.values, problem.place.file, problem.place.line
                        )
                        .unwrap();
                    }
                }
            }
        }
    }
    assert!(tried > 40, "{tried}");
    assert!(wrong.is_empty(), "{wrong}");
}
