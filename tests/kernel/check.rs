//! Every check finds its mistake and marks its place: small changes to a rule set that is right, as told in `tests/fixtures/checks`.

use crate::support::rule_set::files_of;
use duban::kernel::check;
use duban::kernel::model::problem::Problem;
use duban::kernel::words::{self, Lang};
use indexmap::IndexMap;
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// The only file in which the text stands, when it stands in several.
    #[serde(default, rename = "in")]
    file: Option<String>,
    change: String,
    to: String,
    /// Further changes in any file.
    #[serde(default)]
    also: IndexMap<String, String>,
    /// Code and marked text of every problem, in any order.
    finds: Vec<String>,
    /// Only problems of this code are looked at: the others follow from the same mistake.
    #[serde(default)]
    only: Option<String>,
}

fn permit() -> IndexMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = files_of(&root.join("tests/fixtures/permit"));
    files.insert("../calendars/cn.yaml".into(), std::fs::read_to_string(root.join("rules/calendars/cn.yaml")).unwrap());
    files
}

#[test]
fn a_rule_set_that_is_right_has_no_problem() {
    let (rules, problems) = check::load(&permit());
    assert!(problems.is_empty(), "{problems:#?}");
    assert!(rules.is_some());
}

#[test]
fn every_mistake_is_found_where_it_stands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/checks");
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let cases: Vec<Case> = serde_yaml::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        for case in cases {
            let name = format!("{}: {:?}", path.file_name().unwrap().to_string_lossy(), case.to);
            let mut files = permit();
            change(&mut files, case.file.as_deref(), &case.change, &case.to);
            case.also.iter().for_each(|(change_this, to)| change(&mut files, None, change_this, to));
            let (_, problems) = check::load(&files);
            let wanted = |code: &str| case.only.as_ref().is_none_or(|only| only == code);
            let mut found: Vec<String> =
                problems.iter().filter(|problem| wanted(problem.code)).map(|problem| shown(&files, problem)).collect();
            let mut expected: Vec<String> = case.finds.iter().filter(|line| wanted(line.split(' ').next().unwrap())).cloned().collect();
            found.sort();
            expected.sort();
            if found != expected {
                wrong.push(format!("{name}\n  found    {found:?}\n  expected {expected:?}"));
            }
            wrong.extend(problems.iter().filter_map(untold).map(|text| format!("{name}\n  {text}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn change(files: &mut IndexMap<String, String>, only: Option<&str>, this: &str, to: &str) {
    let mut changed = 0;
    for (path, text) in files.iter_mut().filter(|(path, _)| only.is_none_or(|only| only == path.as_str())) {
        if text.contains(this) && !path.starts_with("../") {
            *text = text.replace(this, to);
            changed += 1;
        }
    }
    assert_eq!(changed, 1, "`{this}` stands in {changed} files");
}

/// The code and what is marked.
fn shown(files: &IndexMap<String, String>, problem: &Problem) -> String {
    let place = &problem.place;
    let line = files.get(&*place.file).and_then(|text| text.lines().nth(place.line as usize - 1)).unwrap_or("?");
    let marked: String = line.chars().skip(place.column as usize - 1).take(place.length as usize).collect();
    format!("{} {}", problem.code, marked.trim_end())
}

/// A sentence that is missing, or in which something is not filled in.
fn untold(problem: &Problem) -> Option<String> {
    let values: Vec<(&str, &str)> = problem.values.iter().map(|(name, value)| (*name, value.as_str())).collect();
    for lang in [Lang::Zh, Lang::En] {
        for part in ["", ".help"] {
            let variant = problem.variant.map(|variant| format!("check.{}.{variant}{part}", problem.code));
            let key = variant.filter(|key| words::has(lang, key)).unwrap_or_else(|| format!("check.{}{part}", problem.code));
            if !words::has(lang, &key) {
                return Some(format!("the catalogue lacks {key} ({:?})", problem.variant));
            }
            let sentence = words::say(lang, &key, &values);
            if words::catalogue(lang)[&key].split('{').skip(1).any(|rest| {
                let name = rest.split('}').next().unwrap_or_default();
                name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_') && !values.iter().any(|(known, _)| *known == name)
            }) {
                return Some(format!("{key} is not filled in: {sentence}"));
            }
        }
    }
    None
}
