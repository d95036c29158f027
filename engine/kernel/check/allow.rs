//! `# duban-allow: W601 reason` behind a line, or alone above it: the author has seen a warning and means it. Errors cannot be allowed.

use crate::kernel::model::problem::{Place, Problem};
use indexmap::IndexMap;

const SIGN: &str = "# duban-allow:";

/// What only shows on a day: without one an allowance of it cannot be called idle.
const OF_A_DAY: &[&str] = &["W510", "W525"];
/// What only open items show.
const OF_OPEN_ITEMS: &[&str] = &["W609", "W113"];

/// Takes out of what open items showed what is allowed.
pub fn of_open_items(files: &IndexMap<String, String>, problems: &mut Vec<Problem>) {
    apply(files, false, problems);
    problems.retain(|problem| problem.code != "W009");
}

/// Takes out what is allowed, and reports allowances that allow nothing (W009).
pub fn apply(files: &IndexMap<String, String>, on_a_day: bool, problems: &mut Vec<Problem>) {
    let mut idle = Vec::new();
    let rules = files.iter().filter(|(path, text)| text.contains(SIGN) && path.ends_with(".yaml"));
    for (path, text) in rules {
        for (index, line) in text.lines().enumerate() {
            let Some((before, after)) = line.split_once(SIGN) else { continue };
            let code = after.split_whitespace().next().unwrap_or_default();
            let own = index as u32 + 1;
            let meant = if before.trim().is_empty() { own + 1 } else { own };
            let allowed = |problem: &Problem| {
                *problem.place.file == **path && problem.place.line == meant && problem.code == code && !problem.is_error()
            };
            if problems.iter().any(allowed) {
                problems.retain(|problem| !allowed(problem));
                continue;
            }
            if OF_OPEN_ITEMS.contains(&code) || !on_a_day && OF_A_DAY.contains(&code) {
                continue;
            }
            let column = before.chars().count() as u32 + 1;
            let length = (SIGN.len() + 1 + code.chars().count()) as u32;
            idle.push(Problem::new("W009", Place { file: path.as_str().into(), line: own, column, length }).with("code", code));
        }
    }
    problems.append(&mut idle);
}
