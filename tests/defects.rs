//! The defects of `tests/defects/` still fit the sources, and the tests that are to catch them are still there. Whether they do catch
//! them is the question of `tests/defects.sh`, which builds each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

fn patches() -> Vec<PathBuf> {
    let folder = std::fs::read_dir(Path::new(ROOT).join("tests/defects")).unwrap();
    let mut patches: Vec<_> =
        folder.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "patch")).collect();
    patches.sort();
    patches
}

fn name(patch: &Path) -> String {
    patch.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn each_can_still_be_put_into_the_sources() {
    let patches = patches();
    for patch in &patches {
        // Nothing around this folder is meant.
        let around = Path::new(ROOT).parent().unwrap();
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(patch).current_dir(ROOT).env("GIT_CEILING_DIRECTORIES", around);
        let output = git.output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: the sources have moved on, make the patch anew\n{told}", name(patch));
    }
    assert!(patches.len() >= 25, "{}", patches.len());
}

#[test]
fn each_says_what_it_is_and_which_tests_fail_with_it() {
    let listed = Command::new(std::env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let tests: BTreeSet<&str> = listed.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for patch in patches() {
        let text = std::fs::read_to_string(&patch).unwrap();
        let (head, body) = text.split_once("\n--- ").unwrap_or_else(|| panic!("{}: no patch in it", name(&patch)));
        let what = head.lines().next().unwrap_or_default();
        assert!(what.ends_with('.') && what.len() > 20, "{}: its first line says what is wrong", name(&patch));
        let fails: Vec<&str> = head.lines().filter_map(|line| line.strip_prefix("fails: ")).collect();
        assert!(!fails.is_empty(), "{}: no test is to fail", name(&patch));
        for test in fails {
            assert!(tests.contains(test), "{}: there is no test `{test}`", name(&patch));
        }
        let touched = body.lines().chain(text.lines()).filter_map(|line| line.strip_prefix("+++ b/"));
        assert!(touched.clone().all(|path| !path.starts_with("tests/")), "{}: a defect is one of what is shipped", name(&patch));
        assert!(touched.count() > 0);
    }
}

/// The README of the folder accounts for every number of the list, and names no patch that is not there.
#[test]
fn every_number_of_the_list_is_accounted_for() {
    let readme = std::fs::read_to_string(Path::new(ROOT).join("tests/defects/README.md")).unwrap();
    let rows: Vec<Vec<&str>> =
        readme.lines().filter(|line| line.starts_with("| ")).map(|line| line.split('|').map(str::trim).collect()).collect();
    let numbers: BTreeSet<u32> = rows.iter().filter_map(|row| row[1].parse().ok()).collect();
    assert_eq!(numbers, (1..=37).collect(), "the first column");
    let told: BTreeSet<String> =
        readme.split('`').skip(1).step_by(2).filter(|word| word.len() > 3 && word.as_bytes()[2] == b'-').map(str::to_string).collect();
    let there: BTreeSet<String> = patches().iter().map(|patch| name(patch)).collect();
    assert_eq!(told, there);
}
