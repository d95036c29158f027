//! The shipped rule sets: each checks without an error, and its stories pass through the same function as `duban test`.

use duban::cli::test::stories;
use duban::files;
use duban::kernel::check;
use duban::kernel::words::Lang;
use std::path::{Path, PathBuf};

fn shipped() -> Vec<PathBuf> {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let folders = std::fs::read_dir(rules).unwrap().map(|entry| entry.unwrap().path());
    folders.filter(|folder| folder.join("directory.yaml").is_file()).collect()
}

#[test]
fn every_shipped_rule_set_passes_its_own_stories() {
    let sets = shipped();
    assert!(!sets.is_empty());
    for folder in sets {
        let texts = files::rule_set(&folder).unwrap();
        let (rules, problems) = check::load(&texts);
        let errors: Vec<_> = problems.iter().filter(|problem| problem.is_error()).collect();
        let rules = rules.unwrap_or_else(|| panic!("{}: {errors:#?}", folder.display()));
        let report = stories(&rules, &texts, None, Lang::En);
        let mut faults: Vec<String> = report.problems.iter().map(|problem| format!("{problem:?}")).collect();
        for file in &report.files {
            for outcomes in &file.outcomes {
                let differences = outcomes.differences.iter();
                faults.extend(differences.map(|found| {
                    format!("{} · {} · step {} {}: {}", file.path, outcomes.name, found.step, found.at, found.text(Lang::En))
                }));
            }
            faults.extend(file.below.iter().map(|(what, percent, bar)| format!("{}: {what} {percent}% is below {bar}%", file.path)));
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        assert!(report.passed() > 0, "{} has no stories", folder.display());
    }
}
