//! The help pages of the checks: every code has one, the author's guide lists the same, and every example is what it says.
//!
//! The bad example of a page is a fixture too: `fixtures/reports/CODE.zh.txt` and `.en.txt` are what is told of it, to the letter;
//! `DUBAN_UPDATE=1 cargo test pages::` writes them anew.

use crate::cli::Desk;
use crate::support::rule_set::files_of;
use duban::cli::problems::Drawing;
use duban::cli::test::stories;
use duban::kernel::check;
use duban::kernel::model::problem::Problem;
use duban::kernel::words::pages::{self, Page};
use duban::kernel::words::{self, Lang};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_code(text: &str) -> bool {
    text.len() == 4 && text.starts_with(['E', 'W', 'I']) && text[1..].bytes().all(|digit| digit.is_ascii_digit())
}

/// What stands in quotation marks in the sources and looks like a code.
fn codes_in_sources(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            codes_in_sources(&path, codes);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            codes.extend(text.split('"').filter(|part| is_code(part)).map(str::to_string));
        }
    }
}

#[test]
fn every_code_has_a_page() {
    let mut given = BTreeSet::new();
    codes_in_sources(&root().join("engine"), &mut given);
    let pages: BTreeSet<String> = pages::codes().map(str::to_string).collect();
    assert!(given.len() > 100, "{given:?}");
    assert_eq!(given.difference(&pages).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a page");
    let by_check = |code: &&String| pages::page(Lang::En, code).is_some_and(|page| page.told_by.is_none());
    let idle: Vec<&String> = pages.difference(&given).filter(by_check).collect();
    assert!(idle.is_empty(), "pages of codes that nothing gives: {idle:?}");
}

#[test]
fn the_authors_guide_lists_every_code_as_its_page_does() {
    let guide = std::fs::read_to_string(root().join("rules/README.md")).unwrap();
    let rows: Vec<&str> =
        guide.lines().filter(|line| line.strip_prefix("| ").is_some_and(|row| is_code(row.get(..4).unwrap_or("")))).collect();
    let mut given = BTreeSet::new();
    codes_in_sources(&root().join("engine"), &mut given);
    let wanted: Vec<String> = pages::codes().map(|code| format!("| {code} | {} |", pages::page(Lang::En, code).unwrap().finds)).collect();
    let lacking: Vec<&String> =
        wanted.iter().filter(|row| given.contains(&row[2..6]) && !rows.iter().any(|known| known.starts_with(row.as_str()))).collect();
    assert!(lacking.is_empty(), "the guide lacks:\n{}", lacking.into_iter().cloned().collect::<Vec<_>>().join("\n"));
    let stale: Vec<&&str> = rows.iter().filter(|row| !wanted.iter().any(|wanted| row.starts_with(wanted.as_str()))).collect();
    assert!(stale.is_empty(), "the guide has rows that no page has: {stale:#?}");
}

/// The rule set that the examples are about, with one of them in it.
pub fn with_example(page: &Page, example: &[(&str, String)]) -> IndexMap<String, String> {
    let mut files = files_of(&root().join("tests/fixtures/permit"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root().join("rules/calendars/cn.yaml")).unwrap());
    for (path, text) in example {
        match page.instead_of {
            Some(replaced) => {
                let own = files.iter_mut().filter(|(path, _)| !path.starts_with("../"));
                let changed: Vec<&mut String> = own.map(|(_, text)| text).filter(|text| text.contains(replaced)).collect();
                assert_eq!(changed.len(), 1, "{}: `{replaced}` stands in {} files", page.code, changed.len());
                changed.into_iter().for_each(|file| *file = file.replace(replaced, text));
            }
            None => {
                let path = if path.is_empty() { "permit/more.yaml" } else { path };
                files.insert(path.to_string(), text.clone());
            }
        }
    }
    files
}

/// What is told of an example by the command that gives the code; `None` when another test runs it.
fn told(page: &Page, example: &[(&str, String)]) -> Option<Vec<Problem>> {
    let files = with_example(page, example);
    let (rules, problems) = check::load_on(&files, page.on.map(|day| day.parse().unwrap()));
    match page.told_by {
        None => Some(problems),
        // only names are looked at here; what comes of playing stories is told by `duban test`
        Some("stories") if page.code == "E901" => Some(stories(&rules.unwrap(), &files, None, Lang::En).problems),
        Some(_) => None,
    }
}

#[test]
fn every_example_is_what_it_says() {
    let mut wrong = Vec::new();
    let codes = |problems: &[Problem]| problems.iter().map(|problem| problem.code).collect::<Vec<_>>().join(" ");
    for lang in [Lang::Zh, Lang::En] {
        let mut run = 0;
        for page in pages::codes().map(|code| pages::page(lang, code).unwrap()) {
            let Some(bad) = told(&page, &page.bad) else { continue };
            run += 1;
            if !bad.iter().any(|problem| problem.code == page.code) {
                wrong.push(format!("{}: the bad example gives [{}]", page.code, codes(&bad)));
            }
            // the languages differ in titles only
            let good = if lang == Lang::Zh { told(&page, &page.good).unwrap_or_default() } else { Vec::new() };
            if let Some(problem) = good.iter().find(|problem| problem.code == page.code || problem.is_error()) {
                wrong.push(format!("{}: the good example gives [{}] {problem:?}", page.code, codes(&good)));
            }
        }
        assert!(run > 120, "{run} pages were run");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What `duban test --coverage` says of the stories of an example: its problems, what is untouched, remarks, and bars that are not reached.
fn story_report(page: &Page, lang: Lang, files: &IndexMap<String, String>) -> String {
    let report = stories(&check::load(files).0.unwrap(), files, None, Lang::En);
    let mut lines = Vec::new();
    let problems: Vec<Problem> = report.problems.into_iter().chain(report.untouched).filter(|problem| problem.code == page.code).collect();
    if !problems.is_empty() {
        lines.push(drawn(lang, files, &problems));
    }
    for file in &report.files {
        for outcomes in &file.outcomes {
            assert!(outcomes.differences.is_empty() || page.code == "E901", "{}: the story fails: {:?}", page.code, outcomes.differences);
            let remarks = outcomes.remarks.iter().filter(|remark| remark.what == page.code);
            lines.extend(remarks.map(|remark| format!("{} {}: {}", remark.what, outcomes.name, remark.text(lang))));
        }
        for (what, percent, bar) in file.below.iter().filter(|_| page.code == "E904") {
            let values = [("what", what.as_str()), ("percent", &percent.to_string()), ("bar", &bar.to_string())];
            lines.push(format!("E904 {}", words::say(lang, "check.E904", &values)));
        }
    }
    assert!(!lines.is_empty(), "{}: nothing is told", page.code);
    lines.join("\n")
}

fn drawn(lang: Lang, files: &IndexMap<String, String>, problems: &[Problem]) -> String {
    Drawing { lang, colour: false, folder: "", files }.draw_all(problems)
}

#[test]
fn what_is_told_of_every_bad_example_is_on_record() {
    let folder = root().join("tests/fixtures/reports");
    let (mut different, mut wanted) = (Vec::new(), BTreeSet::new());
    for lang in [Lang::Zh, Lang::En] {
        for page in pages::codes().map(|code| pages::page(lang, code).unwrap()) {
            let files = with_example(&page, &page.bad);
            let report = match page.told_by {
                None => drawn(lang, &files, &told(&page, &page.bad).unwrap()),
                Some("stories") => story_report(&page, lang, &files),
                Some(_) => continue,
            };
            let name = format!("{}.{}.txt", page.code, if lang == Lang::Zh { "zh" } else { "en" });
            let path = folder.join(&name);
            if std::env::var_os("DUBAN_UPDATE").is_some() {
                std::fs::write(&path, report + "\n").unwrap();
            } else if std::fs::read_to_string(&path).ok() != Some(report.clone() + "\n") {
                different.push(format!("{name}:\n{report}"));
            }
            wanted.insert(name);
        }
    }
    assert!(different.is_empty(), "these differ from the files on record (DUBAN_UPDATE=1 writes them anew):\n{}", different.join("\n"));
    let there: BTreeSet<String> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(there.difference(&wanted).collect::<Vec<_>>(), Vec::<&String>::new(), "reports of nothing");
}

/// The sources and the catalogue give the same codes as the pages, and each has a bad file with its exact report.
#[test]
fn every_code_has_a_fixture() {
    let mut given = BTreeSet::new();
    codes_in_sources(&root().join("engine"), &mut given);
    let told = words::catalogue(Lang::En).keys().filter_map(|key| key.strip_prefix("check.").or(key.strip_prefix("plan.")));
    given.extend(told.filter_map(|key| key.get(..4)).filter(|code| is_code(code)).map(str::to_string));
    let mut there = BTreeSet::new();
    for folder in ["reports", "bad", "plans"] {
        let files = std::fs::read_dir(root().join("tests/fixtures").join(folder)).unwrap();
        let names = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).filter(|name| name.ends_with(".en.txt"));
        there.extend(names.map(|name| name[..4].to_string()));
    }
    assert_eq!(given.difference(&there).collect::<Vec<_>>(), Vec::<&String>::new(), "codes without a fixture");
}

#[test]
fn a_page_can_be_read_at_the_command_line() {
    let desk = Desk::new();
    let page = desk.run(&["help", "e503", "--lang", "zh"]);
    assert_eq!(page.code, 0, "{}", page.err);
    for part in ["E503", "可能没有任何期限在走", "错误的写法：", "正确的写法：", "kind: active"] {
        assert!(page.out.contains(part), "{part}\n{}", page.out);
    }
    let json = desk.json(&["help", "E230", "--lang", "en"]);
    assert_eq!((json["code"].as_str(), json["bad"][1]["file"].as_str()), (Some("E230"), Some("permit/more.rhai")));
    assert!(desk.run(&["help", "check"]).out.contains("--watch"));
    assert!(desk.run(&["help"]).out.contains("explain"));
    assert_eq!(desk.run(&["help", "E999"]).code, 2);
    assert_eq!(desk.run(&["help", "bake"]).code, 2);
}
