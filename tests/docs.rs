//! What the READMEs show, run: their rule set loads and plays, their commands parse, their first edits have the effect they tell of,
//! their paths exist, and both languages name the same commands.

use crate::support::rule_set::files_of;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};
use duban::cli::Cli;
use duban::cli::problems::Drawing;
use duban::cli::test::{Report, stories};
use duban::config::Settings;
use duban::kernel::check;
use duban::kernel::model::problem::Problem;
use duban::kernel::render;
use duban::kernel::words::{self, Lang};
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const READMES: &[&str] = &[
    "README.md",
    "README.zh-CN.md",
    "engine/README.md",
    "rules/README.md",
    "rules/yuncheng/README.md",
    "rules/yuncheng/sample/README.md",
    "templates/README.md",
    "tests/README.md",
    "tests/bench/README.md",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The blocks of a page: what stands behind the opening sign, and the lines.
fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("\n```").skip(1).step_by(2).filter_map(|block| block.split_once('\n')).collect()
}

/// What stands between single signs of code, outside blocks.
fn spans(text: &str) -> Vec<&str> {
    text.split("\n```").step_by(2).flat_map(|prose| prose.split('`').skip(1).step_by(2)).collect()
}

/// The words of a command as a shell would see them, without its remark.
fn shell_words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted, mut begun) = (Vec::new(), String::new(), false, false);
    for sign in line.split(" #").next().unwrap().chars() {
        match sign {
            '"' => (quoted, begun) = (!quoted, true),
            ' ' if !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            sign => {
                word.push(sign);
                begun = true;
            }
        }
    }
    words.extend(begun.then_some(word));
    words
}

/// A command of ours, as typed or by way of cargo.
fn ours(line: &str) -> Option<Vec<String>> {
    let line = line.trim().strip_prefix("cargo run --release -- ").map_or(line.trim().to_string(), |rest| format!("duban {rest}"));
    line.starts_with("duban ").then(|| shell_words(&line))
}

#[test]
fn every_command_shown_can_be_typed() {
    let mut shown = 0;
    for page in READMES {
        let text = read(page);
        let lines = blocks(&text).into_iter().filter(|(kind, _)| *kind == "console").flat_map(|(_, body)| body.lines());
        for line in lines.filter_map(|line| line.strip_prefix("$ ")) {
            match ours(line) {
                Some(words) => {
                    let parsed = Cli::try_parse_from(&words);
                    assert!(parsed.is_ok(), "{page}: {line}\n{}", parsed.unwrap_err());
                    shown += 1;
                }
                None => assert!(
                    matches!(shell_words(line).get(..2), Some([cargo, what]) if cargo == "cargo" && what == "test"),
                    "{page}: {line}"
                ),
            }
        }
        // In a sentence a command may be named without everything that it needs.
        for (span, words) in spans(&text).into_iter().filter_map(|span| Some((span, ours(span)?))) {
            if let Err(error) = Cli::try_parse_from(&words) {
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::MissingRequiredArgument
                            | ErrorKind::MissingSubcommand
                            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                    ),
                    "{page}: `{span}`\n{error}"
                );
            }
            shown += 1;
        }
    }
    assert!(shown > 15, "only {shown} commands were found");
}

#[test]
fn every_option_named_exists() {
    let command = Cli::command();
    let mut known: BTreeSet<String> = ["help".to_string(), "version".to_string()].into();
    let mut all: Vec<&clap::Command> = vec![&command];
    while let Some(command) = all.pop() {
        known.extend(command.get_arguments().filter_map(|argument| argument.get_long()).map(str::to_string));
        all.extend(command.get_subcommands());
    }
    for page in READMES {
        for span in spans(&read(page)).into_iter().filter(|span| span.starts_with("--")) {
            let option = span[2..].split([' ', '=']).next().unwrap();
            assert!(known.contains(option), "{page}: `{span}`");
        }
    }
}

/// Every command of ours or of cargo that a page names, and those that follow in a list of names.
fn commands_of(page: &str) -> BTreeSet<String> {
    let text = read(page);
    let names: BTreeSet<String> = Cli::command().get_subcommands().map(|command| command.get_name().to_string()).collect();
    let typed = blocks(&text).into_iter().flat_map(|(_, body)| body.lines()).filter_map(|line| line.strip_prefix("$ "));
    let spans = spans(&text);
    let named = spans.iter().copied().filter(|span| ["duban ", "cargo ", "python3 ", "--"].iter().any(|start| span.starts_with(start)));
    let listed = spans.iter().copied().filter(|span| names.contains(*span));
    typed.chain(named).chain(listed).map(str::to_string).collect()
}

#[test]
fn both_languages_name_the_same_commands() {
    let (english, chinese) = (commands_of("README.md"), commands_of("README.zh-CN.md"));
    assert!(english.len() > 10);
    assert_eq!(english, chinese);
}

#[test]
fn every_path_named_exists() {
    let mut missing = Vec::new();
    let mut looked_at = 0;
    for page in READMES {
        let text = read(page);
        let folder = root().join(page).parent().unwrap().to_path_buf();
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let links = links.filter(|link| !link.starts_with("http") && !link.starts_with('#')).map(|link| link.split('#').next().unwrap());
        for link in links {
            looked_at += 1;
            if !folder.join(link).exists() {
                missing.push(format!("{page}: ({link})"));
            }
        }
        // The engine's map speaks of modules, the rules' pages of files in a rule set.
        let bases: Vec<PathBuf> =
            ["", "engine", "tests", "rules", "rules/yuncheng", "templates"].iter().map(|base| root().join(base)).chain([folder]).collect();
        for span in spans(&text).into_iter().filter(|span| is_path(span)) {
            looked_at += 1;
            let there = |base: &PathBuf| [span.to_string(), format!("{span}.rs")].iter().any(|path| base.join(path).exists());
            if !bases.iter().any(there) {
                missing.push(format!("{page}: `{span}`"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
    assert!(looked_at > 40, "only {looked_at} paths were found");
}

/// A path as such, not a pattern, a name to be filled in, or what an installation has.
fn is_path(span: &str) -> bool {
    let signs = span.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, '/' | '.' | '-' | '_'));
    let pattern = span.split(['/', '.', '-']).any(|part| {
        part.len() > 1
            && part.chars().all(|sign| sign.is_ascii_uppercase() || sign == '_')
            && !matches!(part, "README" | "LICENSE" | "CHANGELOG")
    });
    let date = span.split('/').all(|part| part.parse::<u32>().is_ok());
    let outside = date || span.starts_with('/') || span == "duban.yaml" || span.starts_with('.');
    signs && span.contains('/') && !pattern && !outside
}

#[test]
fn the_settings_shown_are_read() {
    for page in ["README.md", "README.zh-CN.md"] {
        let text = read(page);
        let shown: Vec<&str> = blocks(&text).into_iter().filter(|(kind, _)| *kind == "yaml").map(|(_, body)| body).collect();
        assert_eq!(shown.len(), 1, "{page}");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("duban.yaml");
        let password = folder.path().join("smtp-password");
        std::fs::write(&password, "secret\n").unwrap();
        std::fs::write(&file, shown[0].replace("/etc/duban/smtp-password", &password.display().to_string())).unwrap();
        let settings = Settings::from(Some(&file), |_| None).unwrap_or_else(|error| panic!("{page}: {error:#}"));
        assert_eq!(settings.rules.as_deref(), Some(Path::new("rules/yuncheng")));
        assert!(settings.mail.production && settings.mail.allow == ["@example.org"], "{page}");
    }
}

#[test]
fn the_date_shown_is_the_one_that_comes_out() {
    let page = read("README.md");
    let line = blocks(&page).into_iter().flat_map(|(_, body)| body.lines()).find(|line| line.starts_with("$ duban date")).unwrap();
    let words = ours(&line[2..]).unwrap();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_duban")).args(&words[1..]).current_dir(root()).env_clear().output().unwrap();
    let answer = String::from_utf8(output.stdout).unwrap();
    let first = answer.lines().next().unwrap();
    assert!(first.contains("2026-02-28") || first.contains("2026年2月28日"), "{answer}");
    assert!(page.contains("answers 2026-02-28") && read("README.zh-CN.md").contains("答案是2026年2月28日"));
}

/// The rule set of the demo after a page's edit: in a file, the first `from` behind a name becomes `to`.
fn edited(file: &str, behind: &str, from: &str, to: &str) -> IndexMap<String, String> {
    let mut files = files_of(&root().join("rules/yuncheng"));
    let text = &files[file];
    let start = text.find(&format!("{behind}:")).unwrap_or_else(|| panic!("there is no `{behind}` in {file}"));
    assert!(text[start..].lines().take(8).any(|line| line.contains(from)), "`{from}` does not stand near `{behind}`");
    let changed = format!("{}{}", &text[..start], text[start..].replacen(from, to, 1));
    files[file] = changed;
    files
}

fn play(files: &IndexMap<String, String>) -> Report {
    let (rules, problems) = check::load(files);
    let drawing = Drawing { lang: Lang::En, colour: false, folder: "rules/yuncheng", files };
    stories(&rules.unwrap_or_else(|| panic!("{}", drawing.draw_all(&problems))), files, None, Lang::En)
}

fn differences(report: &Report, lang: Lang) -> Vec<String> {
    let found = report.files.iter().flat_map(|file| &file.outcomes).flat_map(|outcomes| &outcomes.differences);
    found.map(|difference| difference.text(lang)).collect()
}

#[test]
fn the_first_rule_edit_does_what_the_page_says() {
    let mut edits = Vec::new();
    for page in ["README.md", "README.zh-CN.md"] {
        let text = read(page);
        let step = text
            .lines()
            .skip_while(|line| !line.starts_with("1. "))
            .take_while(|line| !line.starts_with("2. "))
            .collect::<Vec<_>>()
            .join(" ");
        let spans: Vec<&str> = step.split('`').skip(1).step_by(2).collect();
        let [file, behind, from, to] = spans[..] else { panic!("{page}: {spans:?}") };
        edits.push([file, behind, from, to].map(|span| span.trim_start_matches("rules/yuncheng/").to_string()));
    }
    assert_eq!(edits[0], edits[1], "both languages tell the same edit");
    let [file, behind, from, to] = &edits[0];

    let report = play(&edited(file, behind, from, to));
    let said = differences(&report, Lang::Zh).join("\n");
    assert!(report.failed() > 0 && report.passed() > 0, "some stories fail, others do not");
    assert!(said.contains("notice: ") && said.contains(behind), "the mail and the changed length are named:\n{said}");

    let misspelt = edited(file, behind, from, &to.replace("工作日", "工作曰"));
    let (rules, problems) = check::load(&misspelt);
    let errors: Vec<&Problem> = problems.iter().filter(|problem| problem.is_error()).collect();
    let line = misspelt[file].lines().position(|line| line.contains(&to.replace("工作日", "工作曰"))).unwrap() as u32 + 1;
    assert!(rules.is_none() && errors.iter().all(|problem| problem.place.line == line && *problem.place.file == **file), "{errors:#?}");
}

/// The tutorial as a newcomer types it, in a folder with nothing in it.
#[test]
fn the_five_minutes_end_as_they_say() {
    let page = read("rules/README.md");
    let section = page.split("## Five minutes").nth(1).unwrap().split("\n## ").next().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut answers: Vec<(String, Option<i32>, String)> = Vec::new();
    for (number, part) in section.split("\n```").enumerate() {
        if number % 2 == 0 {
            // Between the blocks stands what is to be changed by hand, and what comes of it.
            let spans: Vec<&str> = part.split('`').skip(1).step_by(2).collect();
            if let Some(at) = part.contains(", and change `").then(|| spans.iter().position(|span| *span == "answer_days").unwrap()) {
                let file = folder.path().join("letters").join(spans[at - 1]);
                let text = std::fs::read_to_string(&file).unwrap();
                assert_eq!(text.matches(spans[at + 1]).count(), 1, "{}", spans[at + 1]);
                std::fs::write(&file, text.replace(spans[at + 1], spans[at + 2])).unwrap();
            }
            if let Some(answer) = part.split("It answers: ").nth(1) {
                let sentence = answer.lines().next().unwrap().trim_end_matches('.');
                assert!(answers.last().unwrap().2.contains(sentence), "{sentence}: {answers:?}");
            }
            continue;
        }
        for line in part.lines().filter_map(|line| line.strip_prefix("$ ")) {
            let words = ours(line).unwrap();
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_duban"))
                .args(&words[1..])
                .current_dir(folder.path())
                .env_clear()
                .output()
                .unwrap();
            answers.push((line.to_string(), output.status.code(), String::from_utf8(output.stdout).unwrap()));
        }
    }
    let codes: Vec<Option<i32>> = answers.iter().map(|(_, code, _)| *code).collect();
    assert_eq!(codes, [0, 0, 0, 0, 0, 0, 0, 1].map(Some), "{answers:#?}");
    assert!(answers.last().unwrap().2.contains("2 failed"), "{answers:#?}");
}

#[test]
fn the_edit_told_beside_the_shipped_rules_does_what_it_says() {
    let text = read("rules/yuncheng/README.md");
    let line = text.lines().find(|line| line.contains("改成") && line.contains("reply_before")).unwrap();
    let spans: Vec<&str> = line.split('`').skip(1).step_by(2).collect();
    let [file, behind, from, to, ..] = spans[..] else { panic!("{spans:?}") };
    let report = play(&edited(file, behind, from, to));
    assert!(report.failed() > 0, "{:#?}", differences(&report, Lang::Zh));
}

/// The files that the blocks of the guide make up: those of the same name belong together.
fn guide() -> IndexMap<String, String> {
    let text = read("rules/README.md");
    let mut files: IndexMap<String, String> = IndexMap::new();
    files.insert("../calendars/cn.yaml".into(), read("rules/calendars/cn.yaml"));
    for (first, body) in blocks(&text) {
        match first.split_once(' ') {
            Some((_, file)) => *files.entry(file.to_string()).or_default() += &format!("{body}\n"),
            None => assert_eq!(first, "console", "a block of the guide says which file it is"),
        }
    }
    files
}

#[test]
fn the_examples_of_the_guide_are_a_rule_set_that_does_what_it_says() {
    let files = guide();
    assert!(files.keys().any(|file| file.ends_with(".rhai")));
    let (rules, problems) = check::load(&files);
    let drawing = Drawing { lang: Lang::En, colour: false, folder: "", files: &files };
    assert!(problems.is_empty(), "{}", drawing.draw_all(&problems));
    let report = stories(&rules.unwrap(), &files, None, Lang::En);
    assert!(report.is_good() && report.passed() > 0, "{:#?} {:#?}", differences(&report, Lang::En), report.problems);
}

#[test]
fn the_guide_names_every_check_and_no_other() {
    let text = read("rules/README.md");
    let is_code = |code: &&str| code.len() == 4 && code[1..].parse::<u32>().is_ok();
    let table = text.split("## Every check").nth(1).unwrap();
    let named: BTreeSet<&str> = table.lines().filter_map(|line| line.strip_prefix("| ")?.split(' ').next()).filter(is_code).collect();
    let codes = words::catalogue(Lang::En).keys().filter_map(|key| key.strip_prefix("check.")?.split('.').next());
    assert_eq!(named, codes.filter(is_code).collect());
}

/// `filter` (what it makes of its example), in the order of the page.
#[test]
fn filters_make_what_their_page_says() {
    let text = read("templates/README.md");
    let section = text.split("## Filters").nth(1).unwrap();
    let values = serde_json::json!({ "day": "2026-06-30" });
    let mut shown = 0;
    for (filter, rest) in section.split('`').skip(1).step_by(2).zip(section.split('`').skip(2).step_by(2)) {
        let Some(example) = rest.strip_prefix(" (").and_then(|rest| rest.split(')').next()) else { continue };
        let filled = render::line(&format!("{{{{ day | {filter} }}}}"), &values).unwrap_or_else(|error| panic!("{filter}: {error}"));
        assert_eq!(filled, example, "{filter}");
        shown += 1;
    }
    assert!(shown > 1, "no filter has an example");
}
