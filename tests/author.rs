//! The author's tools over every rule set that is here: sentences, differences, pictures, schemas, order, and a set to begin with.

use crate::cli::{Desk, shipped};
use duban::cli::problems::Drawing;
use duban::cli::test::stories;
use duban::files;
use duban::kernel::author::clauses::Kind;
use duban::kernel::author::diff::{Change, Difference, differences};
use duban::kernel::author::graph::{Counts, Format, graph};
use duban::kernel::author::layout::ordered;
use duban::kernel::author::say::{What, document, html, text};
use duban::kernel::author::schema::{schema_of, schemas, stories as story_keys};
use duban::kernel::check;
use duban::kernel::model::step::{Expect, ExpectedFigures, ExpectedMail, ExpectedSkip, Step};
use duban::kernel::model::story::{FunctionTest, Story, StoryFile};
use duban::kernel::read::gate;
use duban::kernel::read::tree::{Content, Node};
use duban::kernel::rules::RuleSet;
use duban::kernel::words::Lang;
use indexmap::IndexMap;
use serde_json::{Value as Json, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Files = IndexMap<String, String>;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn set_of(folder: &str) -> Files {
    files::rule_set(&root().join(folder)).unwrap()
}

/// Every rule set that has no errors: the shipped ones, the fixtures, and those to begin with.
fn sets() -> Vec<(String, Files)> {
    let folders =
        ["rules/yuncheng", "tests/fixtures/permit", "tests/fixtures/office", "tests/fixtures/good/permit", "tests/fixtures/good/views"];
    let mut sets: Vec<(String, Files)> = folders.iter().map(|folder| (folder.to_string(), set_of(folder))).collect();
    sets.extend(["zh-CN", "en"].map(|language| (format!("start {language}"), start(language))));
    sets
}

fn start(language: &str) -> Files {
    let mut files = files::start(language);
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root().join("rules/calendars/cn.yaml")).unwrap());
    files
}

fn load(files: &Files) -> RuleSet {
    let (rules, problems) = check::load(files);
    let drawing = Drawing { lang: Lang::En, colour: false, folder: "", files };
    rules.unwrap_or_else(|| panic!("{}", drawing.draw_all(&problems)))
}

fn edited(files: &Files, edits: &[(&str, &str, &str)]) -> Files {
    let mut files = files.clone();
    for (file, from, to) in edits {
        let text = &files[*file];
        assert!(text.contains(from), "`{from}` does not stand in {file}");
        let changed = text.replacen(from, to, 1);
        files.insert(file.to_string(), changed);
    }
    files
}

fn yuncheng() -> Files {
    set_of("rules/yuncheng")
}

#[test]
fn the_set_to_begin_with_is_good_in_both_languages() {
    for language in ["zh-CN", "en"] {
        let files = start(language);
        let (rules, problems) = check::load(&files);
        let drawing = Drawing { lang: Lang::En, colour: false, folder: "", files: &files };
        assert!(problems.is_empty(), "{}", drawing.draw_all(&problems));
        let report = stories(&rules.unwrap(), &files, None, Lang::En);
        assert!(report.is_good() && report.passed() == 3, "{language}: {:?}", report.problems);
    }
    let same = |language: &str| -> Vec<String> { files::start(language).into_keys().collect() };
    assert_eq!(same("zh-CN"), same("en"));
}

#[test]
fn what_only_looks_different_means_the_same() {
    for (name, files) in sets() {
        let set = load(&files);
        assert_eq!(differences(&set, &set), [], "{name}");
        let untidy: Files = files
            .iter()
            .map(|(path, text)| {
                let remarked = text.lines().map(|line| if line.is_empty() { "# a remark" } else { line }).collect::<Vec<_>>().join("\n");
                (path.clone(), if path.ends_with(".yaml") { format!("# at the top\n{remarked}\n") } else { text.clone() })
            })
            .collect();
        assert_eq!(differences(&set, &load(&untidy)), [], "{name}");
    }
    let files = yuncheng();
    let order = edited(
        &files,
        &[
            (
                "suggestion/deadlines.yaml",
                "    title: 建议审查\n    starts_on: [submit, resubmit]",
                "    starts_on: [resubmit, submit]\n    title: 建议审查",
            ),
            ("suggestion/flow.yaml", "from: [registered, allocating, in_handling]", "from: [in_handling, registered, allocating]"),
            ("suggestion/assignment.yaml", "if: not item.is_key || task.principal_met", "if: '!item.is_key||task.principal_met'"),
            (
                "suggestion/deadlines.yaml",
                "at: 到期前30个工作日, tell: [T10_soon_leader]",
                "at: 30 working days before, tell: [T10_soon_leader]",
            ),
        ],
    );
    assert_eq!(differences(&load(&files), &load(&order)), []);
}

fn found(files: &Files, edits: &[(&str, &str, &str)]) -> Vec<Difference> {
    differences(&load(files), &load(&edited(files, edits)))
}

#[test]
fn every_kind_of_difference_is_told_in_a_sentence() {
    const DEADLINES: &str = "suggestion/deadlines.yaml";
    const FLOW: &str = "suggestion/flow.yaml";
    let cases: &[(Kind, &str, &str, &str, bool, &str)] = &[
        (
            Kind::Param,
            DEADLINES,
            "value: 3个工作日, source: 假定：各地未见统一规定 }\n  return_window",
            "value: 2个工作日, source: 假定：各地未见统一规定 }\n  return_window",
            false,
            "数值“sign_in_days”，自2015-01-01起：3个工作日 → 2个工作日",
        ),
        (Kind::Deadline, DEADLINES, "no_later_than: reply_max", "no_later_than: 5个月", false, "期限“书面答复”，最长：6个月 → 5个月"),
        (
            Kind::Ladder,
            DEADLINES,
            "{ rung: due,     at: 到期当天,         tell: [T09_co_today] }",
            "{ rung: due,     at: 到期前2个工作日,         tell: [T09_co_today] }",
            false,
            "",
        ),
        (
            Kind::Action,
            FLOW,
            "by: [session_secretariat, deputies_committee]\n    from: [allocating]",
            "by: [deputies_committee]\n    from: [allocating]",
            false,
            "操作“交办”，取消谁可以办：大会秘书处议案建议组",
        ),
        (
            Kind::State,
            FLOW,
            "title: 待审,         kind: active,  owner: deputies_committee",
            "title: 待审,         kind: active,  owner: session_secretariat",
            false,
            "状态“待审”，由谁办：代表工委 → 大会秘书处议案建议组",
        ),
        (
            Kind::Role,
            FLOW,
            "who: officer of committee of task.unit }",
            "who: head of committee of task.unit }",
            false,
            "角色“对口督办机构”，担任者：",
        ),
        (
            Kind::Field,
            FLOW,
            "is_key:        { title: 重点督办建议, type: yes_no, default: false }",
            "is_key:        { title: 重点督办建议, type: yes_no, default: true }",
            false,
            "字段“重点督办建议”，初始值：否 → 是",
        ),
        (
            Kind::Notice,
            "suggestion/notices.yaml",
            "cc: [deputies_committee]\n    subject: \"【不予受理】",
            "subject: \"【不予受理】",
            false,
            "通知“不予受理告知”，取消抄送：代表工委",
        ),
        (Kind::State, FLOW, "title: 待审, ", "title: 待审查, ", true, "状态“待审查”，名称：待审 → 待审查"),
        (Kind::Notice, "templates/T01_received.txt", "", "附：", true, "通知“T01_received”，正文有改动"),
        (
            Kind::Sweep,
            "suggestion/notices.yaml",
            "cron: \"0 8 * * MON\"",
            "cron: \"0 9 * * TUE\"",
            false,
            "时间：每星期一08:00 → 每星期二09:00",
        ),
    ];
    let files = yuncheng();
    for (kind, file, from, to, wording, sentence) in cases {
        let found = found(&files, &[(file, from, to)]);
        let of_kind: Vec<&Difference> = found.iter().filter(|difference| difference.kind == *kind).collect();
        let told: Vec<String> = found.iter().map(|difference| difference.sentence(Lang::Zh)).collect();
        assert!(!of_kind.is_empty() && of_kind.iter().all(|difference| difference.wording == *wording), "{from}: {told:#?}");
        assert!(told.iter().any(|told| told.contains(sentence)), "{sentence}: {told:#?}");
        for difference in &found {
            let english = difference.sentence(Lang::En);
            assert!(!english.contains("author.") && !english.contains('{'), "{english}");
        }
    }
}

#[test]
fn a_renamed_state_is_one_difference() {
    let files = set_of("tests/fixtures/good/views");
    let set = load(&files);
    let workflow = &set.workflows[0].setting.workflow;
    let (file, text) = files.iter().find(|(path, _)| path.ends_with("views.yaml")).unwrap();
    let old = workflow.states.keys().next().unwrap().to_string();
    let mut renamed =
        text.replace(&format!("{old}:"), "begun:").replace(&format!("[{old}]"), "[begun]").replace(&format!("[{old},"), "[begun,");
    renamed = renamed
        .replace(&format!("to: {old}"), "to: begun")
        .replace(&format!("\"{old}\""), "\"begun\"")
        .replace(&format!(", {old}]"), ", begun]");
    renamed = renamed.replace(&format!("version: {}", workflow.version), &format!("version: {}", workflow.version + 1));
    renamed += &format!("\nchanges:\n  - {{ version: {}, because: test, renamed_states: {{ {old}: begun }} }}\n", workflow.version + 1);
    let mut after = files.clone();
    after.insert(file.clone(), renamed);
    let found = differences(&set, &load(&after));
    let of_state: Vec<&Difference> = found.iter().filter(|difference| difference.kind == Kind::State).collect();
    assert_eq!(of_state.len(), 1, "{found:#?}");
    assert_eq!(of_state[0].change, Change::Renamed);
    assert!(found.iter().all(|difference| matches!(difference.kind, Kind::State | Kind::Workflow)), "{found:#?}");
}

#[test]
fn a_change_that_is_declared_fits_the_schema() {
    let files = start("en");
    let declared = "\nchanges:\n  - version: 1\n    because: x\n    corrected: [answer_days]\n    retired_fields: [old]\n    open_items: { answer: keep }\n";
    let with = |text: &str| {
        let mut files = files.clone();
        files.insert("letters.yaml".into(), files["letters.yaml"].clone() + text);
        files
    };
    let set = load(&files);
    let content = parsed("letters.yaml", &with(declared)["letters.yaml"]);
    let misspelt = parsed("letters.yaml", &with(&declared.replace("keep", "kept"))["letters.yaml"]);
    let listing = [("declared", "good", content), ("misspelt", "bad", misspelt)]
        .map(|(name, wanted, content)| (name.into(), "letters.json".into(), wanted, content));
    validated(&set, &listing);
}

#[test]
fn a_renamed_action_is_one_difference() {
    let files = start("en");
    let edits = [
        ("letters.yaml", "  give_back:", "  hand_back:"),
        ("letters.yaml", "ends_on: [answer, give_back]", "ends_on: [answer, hand_back]"),
        ("letters.yaml", "version: 1    ", "version: 2    "),
        (
            "letters.yaml",
            "# ---------------------------------------------------------------- who takes part",
            "changes:\n  - { version: 2, because: x, renamed_actions: { give_back: hand_back } }\n# who takes part",
        ),
    ];
    let found = found(&files, &edits);
    let actions: Vec<&Difference> = found.iter().filter(|difference| difference.kind == Kind::Action).collect();
    assert!(matches!(actions[..], [one] if one.change == Change::Renamed && &*one.name == "hand_back"), "{found:#?}");
    assert!(found.iter().all(|difference| matches!(difference.kind, Kind::Action | Kind::Workflow)), "{found:#?}");
}

#[test]
fn everything_is_said_without_code() {
    for (name, files) in sets() {
        let set = load(&files);
        for (lang, rules) in [Lang::Zh, Lang::En].into_iter().flat_map(|lang| set.workflows.values().map(move |rules| (lang, rules))) {
            let said = document(&set, rules, &What::default(), lang).unwrap();
            let text = text(&said, lang);
            assert!(!text.contains("author."), "{name}: a key of the catalogue shows: {text}");
            let code: Vec<&str> = text.lines().filter(|line| line.contains("〔代码〕") || line.contains("[code]")).collect();
            assert_eq!(code, Vec::<&str>::new(), "{name}");
            let page = html(&said, lang);
            assert!(page.contains("<h2>") && page.ends_with("</html>\n"), "{name}");
            let workflow = &rules.setting.workflow;
            assert!(workflow.actions.values().all(|action| text.contains(&action.title)), "{name}: an action is missing");
            assert!(workflow.deadlines.values().all(|deadline| text.contains(&deadline.title)), "{name}: a deadline is missing");
        }
    }
}

#[test]
fn the_matrix_says_who_may_do_what_in_which_state() {
    let folder = root().join("tests/fixtures/good/permit");
    let said = Desk::new().run(&["say", folder.to_str().unwrap(), "matrix", "--lang", "en"]);
    assert_eq!(said.code, 0, "{}", said.err);
    let lines = said.out.lines().map(str::trim);
    let asked: Vec<&str> = lines.skip_while(|line| !line.ends_with("(asked)")).skip(1).take(4).collect();
    let rows = ["It waits for: 窗口.", "· 窗口: 许可, 不予许可", "· 经办人: 许可 (on behalf of 窗口)", "· the system by itself: 不予许可"];
    assert_eq!(asked, rows, "{}", said.out);
    let page = Desk::new().run(&["say", folder.to_str().unwrap(), "matrix", "--format", "html"]).out;
    assert!(page.contains("<footer>") && page.contains("<li>"), "{page}");

    let suggestions = Desk::new().run(&["say", "matrix", "--workflow", "suggestion", "--lang", "en"]).out;
    let first: Vec<&str> = suggestions.lines().map(str::trim).skip_while(|line| !line.starts_with("To make")).take(7).collect();
    let rows = [
        "To make a new item (creates)",
        "· 市人大代表: 起草建议",
        "· 代表工委: 起草建议 (on behalf of 领衔代表), 议案转为建议",
        "· 大会秘书处议案建议组: 议案转为建议",
        "· the system by itself: 由联络站问题起草",
        "To put wrong records right, in every state (amend_by)",
        "· 代表工委",
    ];
    assert_eq!(first, rows, "{suggestions}");
}

#[test]
fn a_deadline_is_said_as_an_office_would_write_it() {
    let set = load(&yuncheng());
    let what = What { kind: Some(Kind::Deadline), name: Some("reply".into()) };
    let said = text(&document(&set, &set.workflows["suggestion"], &what, Lang::Zh).unwrap(), Lang::Zh);
    for sentence in [
        "书面答复（reply）",
        "仅当承办方式不是会办时才计时。",
        "自“交办日期”的次日起算。",
        "期限：下列日期中最早的一个：3个月、至“交办通知另定的答复截止日”所记的日期。",
        "“同意延期”后，改为自同一天起6个月。",
        "最长不超过6个月。",
        "到期后5个工作日：通知“督办通知书”，发给主要负责人（无人担任时为代表工委）",
    ] {
        assert!(said.contains(sentence), "{sentence}\n{said}");
    }
    let missing = document(&set, &set.workflows["suggestion"], &What { kind: Some(Kind::Deadline), name: Some("replay".into()) }, Lang::Zh);
    assert!(missing.unwrap_err().known.contains(&"reply".to_string()));
}

#[test]
fn pictures_show_every_state_and_action() {
    for (name, files) in sets() {
        let set = load(&files);
        for rules in set.workflows.values() {
            let workflow = &rules.setting.workflow;
            let counts: Counts = workflow.states.keys().map(|state| (state.clone(), 12_345)).collect();
            for (format, counts) in [(Format::Mermaid, None), (Format::Dot, None), (Format::Svg, None), (Format::Svg, Some(&counts))] {
                let drawn = graph(&set, rules, Lang::Zh, counts).draw(format);
                let states = workflow.states.values().chain(workflow.branches.values().flat_map(|branch| branch.states.values()));
                for state in states {
                    assert!(drawn.contains(&state.title.replace('&', "&amp;")), "{name}: {} is missing", state.title);
                }
                if format == Format::Svg {
                    assert_eq!(drawn.matches("12345").count() > 0, counts.is_some(), "{name}");
                    let boxes = drawn.matches("<rect class=\"state").count();
                    let all = workflow.states.len() + workflow.branches.values().map(|branch| branch.states.len()).sum::<usize>();
                    assert_eq!(boxes, all, "{name}: every state has a box");
                    well_formed(&drawn);
                    labels_lie_on_no_box(&drawn);
                } else {
                    assert_eq!(drawn.matches('{').count(), drawn.matches('}').count());
                }
            }
        }
    }
}

/// Part by part: where a label lay on a box, nobody could read either.
fn labels_lie_on_no_box(svg: &str) {
    let number = |line: &str, key: &str| -> f64 {
        let rest = line.split_once(&format!(" {key}=\"")).unwrap().1;
        rest.split_once('"').unwrap().0.parse().unwrap()
    };
    let (mut depth, mut boxes, mut labels) = (0_usize, Vec::new(), 0);
    for line in svg.lines() {
        if depth == 0 {
            boxes.clear();
        }
        depth = depth + line.matches("<g ").count() - line.matches("</g>").count();
        if line.starts_with("<rect class=\"state") {
            boxes.push(["x", "y", "width", "height"].map(|key| number(line, key)));
        }
        if line.starts_with("<text class=\"label") {
            let (x, y) = (number(line, "x"), number(line, "y") - 4.0);
            let on = |place: &&[f64; 4]| place[0] < x && x < place[0] + place[2] && place[1] < y && y < place[1] + place[3];
            assert_eq!(boxes.iter().find(on), None, "{line}");
            labels += 1;
        }
    }
    assert!(labels > 0);
}

/// Why a story fails is told in the language of whoever reads it, whatever language the rules are in.
#[test]
fn a_story_that_fails_says_why_in_the_readers_words() {
    let mut files = duban::files::start("en");
    files.insert("../calendars/cn.yaml".into(), include_str!("../rules/calendars/cn.yaml").into());
    let rules = files.get_mut("letters.yaml").unwrap();
    *rules = rules.replace("value: 10 working days", "value: 5 working days");
    let set = load(&files);
    for (lang, said, other) in [
        (Lang::Zh, ["起算日：", "已到", "由 answer.soon 在"], "came on"),
        (Lang::En, ["that day is not counted", "came on", "told by answer.soon"], "已到"),
    ] {
        let report = stories(&set, &files, None, lang);
        let differences = report.files.iter().flat_map(|file| &file.outcomes).flat_map(|outcomes| &outcomes.differences);
        let told: Vec<String> = differences.map(|difference| difference.text(lang)).collect();
        let told = told.join("\n");
        assert!(said.iter().all(|said| told.contains(said)) && !told.contains(other), "{told}");
    }
}

fn told_of_stories(rules: &str, lang: Lang, edit: impl Fn(String) -> String) -> (Vec<String>, String) {
    let mut files = duban::files::start(rules);
    files.insert("../calendars/cn.yaml".into(), include_str!("../rules/calendars/cn.yaml").into());
    let set = load(&files);
    let story = files.get_mut("tests/letters.test.yaml").unwrap();
    let edited = edit(story.clone());
    assert_ne!(*story, edited, "the edit meets nothing");
    *story = edited;
    let report = stories(&set, &files, None, lang);
    let differences = report.files.iter().flat_map(|file| &file.outcomes).flat_map(|outcomes| &outcomes.differences);
    let said = |problem, part| duban::cli::problems::sentence(lang, problem, part).unwrap();
    let problems = report.problems.iter().flat_map(|problem| [said(problem, ""), said(problem, ".help")]).collect();
    (problems, differences.map(|difference| difference.text(lang)).collect::<Vec<_>>().join("\n"))
}

#[test]
fn a_name_that_a_story_misspells_is_told_as_what_it_is() {
    for (from, to, zh, en) in [
        (
            "do: register",
            "do: registr",
            "没有叫 `registr` 的操作，是不是 `register`？",
            "There is no action `registr`; did you mean `register`?",
        ),
        ("by: li", "by: nobody_here", "没有叫 `nobody_here` 的人。", "There is no person `nobody_here`."),
        (
            "state: at_work",
            "state: at_wrk",
            "没有叫 `at_wrk` 的状态，是不是 `at_work`？",
            "There is no state `at_wrk`; did you mean `at_work`?",
        ),
        (
            "notice: answer_soon",
            "notice: answer_son",
            "没有叫 `answer_son` 的通知",
            "There is no notice `answer_son`; did you mean `answer_soon`?",
        ),
        (
            "test_of: letters",
            "test_of: leters",
            "没有叫 `leters` 的流程可测，是不是 `letters`？",
            "There is no workflow `leters` to test; did you mean `letters`?",
        ),
    ] {
        for (lang, wanted) in [(Lang::Zh, zh), (Lang::En, en)] {
            let (problems, _) = told_of_stories("en", lang, |story| story.replacen(from, to, 1));
            assert!(problems.iter().any(|sentence| sentence.starts_with(wanted)), "{wanted}: {problems:?}");
            let unfilled: Vec<&String> = problems.iter().filter(|sentence| sentence.contains(['{', '}'])).collect();
            assert!(unfilled.is_empty(), "{unfilled:?}");
        }
    }
}

/// Refusals too are told in the words of whoever reads them; what a story has to say stands there to the letter.
#[test]
fn a_refusal_in_a_story_is_told_in_the_readers_words() {
    let registered_twice = |story: String| story.replacen("do: register", "do: answer", 1);
    for (rules, lang, wanted) in [("zh-CN", Lang::En, "`answer` was refused: "), ("en", Lang::Zh, "“answer”被拒绝：")] {
        let (_, told) = told_of_stories(rules, lang, registered_twice);
        let line = told.lines().find(|line| line.starts_with(wanted)).unwrap_or_else(|| panic!("{told}"));
        let is_chinese = line[wanted.len()..].chars().any(|letter| ('\u{4e00}'..'\u{9fff}').contains(&letter));
        assert_eq!(is_chinese, lang == Lang::Zh, "{line}");
        let (_, told) =
            told_of_stories(rules, lang, |story| registered_twice(story).replacen("do: answer", "refused: \"No.\", do: answer", 1));
        let line = told.lines().find(|line| line.contains("No.")).unwrap_or_else(|| panic!("{told}"));
        assert!(line.contains(" (") && line.ends_with(')'), "both: {line}");
    }
}

#[test]
fn what_is_expected_of_a_branch_that_is_not_there_is_told() {
    for (lang, wanted) in [(Lang::Zh, "没有“task 1”这个分支；一个分支也没有开"), (Lang::En, "there is no branch `task 1`; none was opened")]
    {
        for expected in ["branches: { task 1: open }", "tasks: { task 1: { x: 1 } }", "waits_for: { task 1: [li] }"] {
            let (_, told) =
                told_of_stories("en", lang, |story| story.replacen("state: at_work", &format!("state: at_work\n          {expected}"), 1));
            assert!(told.contains(wanted) && !told.contains('?'), "{expected}: {told}");
        }
    }
}

/// Every element is closed by its own name.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    for tag in xml.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.split([' ', '/']).find(|name| !name.is_empty()).unwrap();
        match tag.strip_prefix('/') {
            Some(closed) => assert_eq!(open.pop(), Some(closed)),
            None if tag.ends_with('/') => {}
            None => open.push(name),
        }
    }
    assert!(open.is_empty());
}

#[test]
fn system_actions_are_dashed_and_deadlines_stand_where_they_run() {
    let set = load(&start("en"));
    let drawn = graph(&set, &set.workflows["letters"], Lang::En, None);
    let part = &drawn.parts[0];
    assert_eq!(part.edges.len(), 4);
    let clocks: Vec<usize> = part.states.iter().map(|state| state.clocks.len()).collect();
    assert_eq!(clocks, [0, 1, 0], "the answer is due only while it is being written");
    assert_eq!(part.clocks[0].rungs.len(), 3);
    let set = load(&yuncheng());
    let mermaid = graph(&set, &set.workflows["suggestion"], Lang::Zh, None).draw(Format::Mermaid);
    assert!(mermaid.lines().any(|line| line.contains("-.->") && line.contains("逾期未反馈")), "{mermaid}");
    assert!(mermaid.lines().any(|line| line.contains("-->") && line.contains("受理并编号")));
}

/// What YAML means, as the tools of editors see it.
fn in_json(node: &Node) -> Json {
    match &node.content {
        Content::Empty => Json::Null,
        Content::Bool(value) => json!(value),
        Content::Number(value) => json!(value),
        Content::Fraction(text) | Content::Text(text) => json!(&**text),
        Content::List(nodes) => nodes.iter().map(in_json).collect(),
        Content::Map(entries) => Json::Object(entries.iter().map(|entry| (entry.key.name.to_string(), in_json(&entry.value))).collect()),
    }
}

fn parsed(path: &str, text: &str) -> Json {
    let mut problems = Vec::new();
    in_json(&gate::parse(&Arc::from(path), text, &mut problems).unwrap_or_else(|| panic!("{path}: {problems:?}")))
}

/// Runs a validator that is not ours over files: (name, schema, "good" or "bad", content).
fn validated(set: &RuleSet, listing: &[(String, String, &str, Json)]) {
    let folder = tempfile::tempdir().unwrap();
    for (name, schema) in schemas(set) {
        std::fs::write(folder.path().join(name), serde_json::to_string(&schema).unwrap()).unwrap();
    }
    let list = folder.path().join("listing");
    std::fs::write(&list, serde_json::to_string(listing).unwrap()).unwrap();
    let output = std::process::Command::new("python3").arg(root().join("tests/schema.py")).arg(folder.path()).arg(&list).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &*String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

#[test]
fn schemas_accept_what_is_good() {
    let mut looked_at = 0;
    for (name, files) in sets() {
        let set = load(&files);
        let listing: Vec<_> = files
            .iter()
            .filter_map(|(path, text)| Some((format!("{name}/{path}"), schema_of(&set, path)?, "good", parsed(path, text))))
            .collect();
        looked_at += listing.len();
        validated(&set, &listing);
    }
    assert!(looked_at > 25, "{looked_at}");
}

#[test]
fn schemas_reject_misspelt_keys_and_names() {
    let files = yuncheng();
    let set = load(&files);
    let slips = [
        ("suggestion/deadlines.yaml", "starts_on: [submit", "start_on: [submit"),
        ("suggestion/deadlines.yaml", "starts_on: [submit", "starts_on: [sumbit"),
        ("suggestion/deadlines.yaml", "branch: assignment", "branch: asignment"),
        ("suggestion/deadlines.yaml", "length: review_days", "length: review_day"),
        ("suggestion/deadlines.yaml", "at: 到期前1个工作日", "at: 到期前1个工作曰"),
        ("suggestion/deadlines.yaml", "flag: red", "flag: rad"),
        ("suggestion/deadlines.yaml", "tell: [T10_soon_leader]", "tell: [T10_soon_leaders]"),
        ("suggestion/deadlines.yaml", "runs_in: [concluded]", "runs_in: [conclude]"),
        ("suggestion/flow.yaml", "by: [session_secretariat", "by: [session_secretary"),
        ("suggestion/flow.yaml", "owner: lead_deputy", "owner: leed_deputy"),
        ("suggestion/flow.yaml", "type: yes_no", "type: yesno"),
        ("suggestion/flow.yaml", "kind: waiting", "kind: wait"),
        ("suggestion/flow.yaml", "ask: [not_accepted_because]", "ask: [not_accepted_becuse]"),
        ("suggestion/flow.yaml", "tell: [T01_received]", "tel: [T01_received]"),
        ("suggestion/flow.yaml", "assigned_on: today", "assigned_at: today"),
        ("suggestion/notices.yaml", "kind: escalation", "kind: escalate"),
        ("suggestion/notices.yaml", "cc: [deputies_committee]", "cc: [deputy_committee]"),
        ("directory.yaml", "title:", "titel:"),
        ("tests/01_whole_life.test.yaml", "expect:", "expects:"),
        ("tests/01_whole_life.test.yaml", "do: submit", "do: sumbit"),
    ];
    let listing: Vec<_> = slips
        .iter()
        .map(|(file, from, to)| {
            let changed = edited(&files, &[(file, from, to)]);
            (format!("{file}: {to}"), schema_of(&set, file).unwrap(), "bad", parsed(file, &changed[*file]))
        })
        .collect();
    validated(&set, &listing);
}

/// The keys that a struct knows, as its own mistake names them.
fn known<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let error = serde_yaml::from_str::<T>("zzz: 1").err().unwrap().to_string();
    let mut names: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_string).collect();
    names.sort();
    names
}

#[test]
fn the_keys_of_stories_are_those_that_are_read() {
    let sorted = |keys: &[&str]| {
        let mut keys: Vec<String> = keys.iter().map(|key| key.to_string()).collect();
        keys.sort();
        keys
    };
    assert_eq!(known::<StoryFile>(), sorted(&story_keys::FILE));
    assert_eq!(known::<Story>(), sorted(&story_keys::STORY));
    assert_eq!(known::<Step>(), sorted(&story_keys::STEP));
    assert_eq!(known::<Expect>(), sorted(&story_keys::EXPECT));
    assert_eq!(known::<ExpectedMail>(), sorted(&story_keys::MAIL));
    assert_eq!(known::<ExpectedFigures>(), sorted(&story_keys::FIGURES));
    assert_eq!(known::<ExpectedSkip>(), sorted(&story_keys::SKIP));
    assert_eq!(known::<FunctionTest>(), sorted(&story_keys::FUNCTION_TEST));
}

fn yaml_files(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            yaml_files(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            out.push(path);
        }
    }
}

#[test]
fn order_keeps_comments_and_meaning_and_is_kept() {
    let mut paths = Vec::new();
    for folder in ["rules", "tests/fixtures", "templates/start"] {
        yaml_files(&root().join(folder), &mut paths);
    }
    let comments =
        |text: &str| text.lines().filter(|line| line.trim_start().starts_with('#')).map(str::trim).map(str::to_string).collect::<Vec<_>>();
    // What people did in the sample's years is no rule file, and as long as all others together.
    paths.retain(|path| !path.components().any(|part| part.as_os_str() == "sample"));
    let mut read = 0;
    for path in paths {
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        let name = path.display().to_string();
        let Ok(once) = ordered(&name, &text) else { continue };
        read += 1;
        assert_eq!(parsed(&name, &once.text), parsed(&name, &text), "{name}: another meaning");
        assert_eq!(comments(&once.text), comments(&text), "{name}");
        let twice = ordered(&name, &once.text).unwrap();
        assert_eq!(twice.text, once.text, "{name}: not the same a second time");
        assert_eq!(twice.changed(), 0, "{name}");
    }
    assert!(read > 60, "only {read} files could be read");
    let shipped = yuncheng();
    let untidy: Vec<&String> = shipped
        .iter()
        .filter(|(path, text)| path.ends_with(".yaml") && ordered(path, text).unwrap().text != **text)
        .map(|(path, _)| path)
        .collect();
    assert_eq!(untidy, Vec::<&String>::new(), "the shipped rules are in order");
}

#[test]
fn what_is_out_of_order_is_put_right() {
    let untidy = "# the head\nworkflow:   x\n\n\n\nactions:\n    reply:\n        # why\n        title: Reply   \n        require:\n        - if: >\n             item.a ==\n             1\n          say: no  # because\n        -   say: |\n              two\n               lines\n            if: 'true'\n        ask:\n            note: { type: text, title: Which stops? }\n    # the next one\n    close: {\n        title: Close }\ndeadlines:\n      a:\n            by_hour: 18:00\n\n";
    let tidy = "# the head\nworkflow:   x\n\nactions:\n  reply:\n    # why\n    title: Reply\n    require:\n      - if: >\n           item.a ==\n           1\n        say: no  # because\n      -   say: |\n            two\n             lines\n          if: 'true'\n    ask:\n      note: { type: text, title: \"Which stops?\" }\n  # the next one\n  close: {\n      title: Close }\ndeadlines:\n  a:\n    by_hour: \"18:00\"\n";
    let made = ordered("x.yaml", untidy).unwrap();
    assert_eq!(parsed("x.yaml", untidy), parsed("x.yaml", &made.text));
    assert_eq!(made.text, tidy);
    assert_eq!(made.quoted.len(), 2);
    assert!(ordered("x.yaml", "a: [1").is_err());
}

#[test]
fn the_commands_do_what_their_pages_say() {
    let desk = Desk::new();
    let made = desk.run(&["--lang", "en", "init", "letters"]);
    assert_eq!(made.code, 0, "{made:?}");
    for command in [&["check", "letters"][..], &["test", "letters"], &["fmt", "letters", "--check"]] {
        assert_eq!(desk.run(command).code, 0, "{command:?}");
    }
    assert_eq!(desk.run(&["init", "letters"]).code, 5, "there is something in it already");
    assert_eq!(desk.run(&["init", "copy", "--from", "letters"]).code, 0);
    assert_eq!(desk.run(&["diff", "letters", "copy", "--exit-code"]).code, 0);
    let file = desk.folder.path().join("copy/letters.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("value: 10 working days", "value: 5 working days")
            .replace("  clerk:", "    clerk:")
            .replace("  officer:", "    officer:")
            .replace("  head:", "    head:"),
    )
    .unwrap();
    let diff = desk.run(&["--lang", "en", "diff", "letters", "copy", "--exit-code"]);
    assert_eq!(diff.code, 3, "{diff:?}");
    assert!(diff.out.contains("param \"answer_days\", from 2020-01-01: 10 working days → 5 working days"), "{diff:?}");
    let rows = desk.json(&["diff", "letters", "copy"]);
    assert_eq!(rows["differences"].as_array().unwrap().len(), 1);
    assert_eq!(rows["differences"][0]["kind"], "param");
    assert_eq!(desk.run(&["fmt", "copy", "--check"]).code, 1);
    assert_eq!(desk.run(&["fmt", "copy"]).code, 0);
    assert_eq!(desk.run(&["fmt", "copy", "--check"]).code, 0);
    assert_eq!(desk.run(&["test", "copy"]).code, 1, "five days are not ten");
    // What the stories do not agree to does not come into use, and what to write under `changes` stands there as it has to be written.
    let at_work = ["--database", "letters.db", "--rules", "letters", "act", "1", "register", "--as", "li", "--with", "subject=A hole"];
    assert_eq!(desk.run(&at_work).code, 0);
    let plan = desk.run(&["--database", "letters.db", "plan", "copy", "--exit-code"]);
    assert_eq!(plan.code, 5, "{plan:?}");
    for said in [
        "(E812)",
        "A letter is answered in time; ",
        "原是 10个工作日，现在是 5个工作日",
        "    changes:\n      - version: 2\n        because: 写明理由\n        corrected: [answer_days]\n",
    ] {
        assert!(plan.out.contains(said), "{said}: {plan:?}");
    }

    let said = desk.run(&["--lang", "en", "say", "letters", "deadline", "answer"]);
    assert!(said.code == 0 && said.out.contains("Length: 10 working days.") && said.out.lines().count() < 12, "{said:?}");
    assert_eq!(desk.run(&["say", "letters", "deadline", "anser"]).code, 2);
    let page = desk.run(&["say", "letters", "--format", "html"]);
    assert!(page.out.contains("size: A4"), "{page:?}");
    for format in ["mermaid", "dot", "svg"] {
        let drawn = desk.run(&["graph", "letters", "--format", format]);
        assert!(drawn.code == 0 && drawn.out.contains("Being answered"), "{drawn:?}");
    }
    assert_eq!(desk.run(&["graph", "letters", "--workflow", "other"]).code, 2);
    let schema = desk.run(&["schema", "letters"]);
    assert!(schema.code == 0 && schema.out.contains("# yaml-language-server: $schema=.schema/letters.json"), "{schema:?}");
    assert!(desk.folder.path().join("letters/.schema/stories.json").is_file());
    assert_eq!(desk.run(&["check", "letters"]).code, 0, "schemas are no rules");
}

/// What a plan prints to be put under `changes` can be put there as it is, whatever came together in it.
#[test]
fn what_a_plan_prints_can_be_pasted() {
    let desk = Desk::new();
    let run = |words: &[&str]| desk.run(&[&["--lang", "en", "--database", "letters.db", "--rules", "letters"], words].concat());
    assert_eq!(run(&["init", "letters"]).code, 0);
    for words in [
        &["act", "1", "register", "--as", "li", "--with", "subject=A hole"][..],
        &["act", "2", "register", "--as", "li", "--with", "subject=A tree"],
        &["act", "2", "hand_over", "--as", "li", "--with", "unit=roads"],
    ] {
        let done = run(words);
        assert_eq!(done.code, 0, "{done:?}");
    }
    assert_eq!(run(&["init", "copy", "--from", "letters"]).code, 0);
    std::fs::remove_dir_all(desk.folder.path().join("copy/tests")).unwrap();
    let file = desk.folder.path().join("copy/letters.yaml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text.replace("value: 10 working days", "value: 9 working days").replace("version: 1 ", "version: 2 ");
    let text = text.replace("received:", "taken_in:").replace("[received]", "[taken_in]").replace("to: received", "to: taken_in");
    let text = text.replace("at_work:", "being_done:").replace("[at_work]", "[being_done]").replace("to: at_work", "to: being_done");
    std::fs::write(&file, &text).unwrap();
    let plan = run(&["plan", "copy"]);
    let block: Vec<&str> =
        plan.out.lines().skip_while(|line| *line != "    changes:").take_while(|line| line.starts_with("    ")).collect();
    let wanted = [
        "    changes:",
        "      - version: 2",
        "        because: write here why",
        "        corrected: [answer_days]",
        "        open_items: { answer: recompute }",
        "        renamed_states: { at_work: being_done, received: taken_in }",
    ];
    assert_eq!(block, wanted, "{plan:?}");
    let pasted: String = block.iter().map(|line| format!("{}\n", line.strip_prefix("    ").unwrap())).collect();
    std::fs::write(&file, format!("{text}\n{pasted}")).unwrap();
    let check = run(&["check", "copy"]);
    assert_eq!(check.code, 0, "{check:?}");
    let plan = run(&["plan", "copy", "--exit-code"]);
    assert_eq!(plan.code, 3, "{plan:?}");
}

#[test]
fn a_live_picture_counts_open_items() {
    let desk = Desk::new();
    desk.submitted("2024-901");
    desk.submitted("2024-902");
    let drawn = desk.json(&["graph", "--live", "--workflow", "suggestion"]);
    let states = drawn["parts"][0]["states"].as_array().unwrap();
    let count = |name: &str| states.iter().find(|state| state["name"] == name).unwrap()["count"].clone();
    assert_eq!((count("submitted"), count("draft")), (json!("2件"), json!("0件")));
    assert_eq!(desk.run(&["diff"]).code, 0, "the rules in use are those of the folder");
    assert!(shipped("").is_dir());
}
