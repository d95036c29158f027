//! What of a plan stands in the way of publishing it, by its code, and what is only worth a word: the sets as a whole, and the sums over items.

use super::carry::{Choices, chosen};
use super::{Group, What};
use crate::kernel::calendar::Calendar;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{OpenItems, Param, Section, State};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::time::Date;
use chrono::Datelike;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many items are named in one finding.
const NAMED: usize = 6;
/// Names and titles at least so alike belong to one thing.
const ALIKE: f64 = 0.5;

/// Something that is wrong, or worth a word. The catalogue has its sentence under `plan.CODE` (or `plan.CODE.VARIANT`), and under `.do`
/// what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// E stands in the way, W does not.
    pub code: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    pub values: BTreeMap<String, String>,
}

impl Finding {
    pub fn new(code: &str, variant: Option<&str>, values: &[(&str, &str)]) -> Finding {
        let values = values.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Finding { code: code.to_string(), variant: variant.map(str::to_string), values }
    }

    pub fn is_error(&self) -> bool {
        self.code.starts_with('E')
    }

    /// The key of its sentence.
    pub fn key(&self) -> String {
        match &self.variant {
            Some(variant) => format!("plan.{}.{variant}", self.code),
            None => format!("plan.{}", self.code),
        }
    }
}

/// What is judged.
pub struct Judged<'a> {
    pub old: &'a RuleSet,
    pub new: &'a RuleSet,
    pub groups: &'a [Group],
    /// So many items may be overdue at once.
    pub allow_overdue: u64,
    /// What becomes of the dates of open items, beside what the version itself says.
    pub choices: &'a Choices,
    /// It goes back to rules that were in use before.
    pub back: bool,
    /// Stories beside the new rules that fail under them.
    pub failing: &'a [String],
    pub today: Date,
}

/// Everything there is to say, errors first.
pub fn judge(plan: &Judged) -> Vec<Finding> {
    let mut found: Vec<Finding> = plan.groups.iter().filter_map(|group| gone(plan, group)).collect();
    found.extend(moved(plan));
    let overdue: Vec<&Name> = plan.groups.iter().flat_map(|group| &group.rows).filter(|row| row.overdue).map(|row| &row.item).collect();
    if overdue.len() as u64 > plan.allow_overdue {
        let (count, allowed) = (overdue.len().to_string(), plan.allow_overdue.to_string());
        found.push(Finding::new("E807", None, &[("count", &count), ("allowed", &allowed), ("items", &named(overdue.into_iter()))]));
    }
    if !plan.failing.is_empty() {
        let (count, shown) = (plan.failing.len(), plan.failing.iter().take(NAMED).cloned().collect::<Vec<_>>());
        let stories = shown.join("; ") + if count > NAMED { " …" } else { "" };
        found.push(Finding::new("E812", Some("stories"), &[("count", &count.to_string()), ("stories", &stories)]));
    }
    for (name, new) in &plan.new.workflows {
        if let Some(old) = plan.old.workflows.get(name) {
            found.extend(versions(plan, old, new));
            if !plan.back {
                found.extend(past(plan, old, new));
            }
        }
    }
    found.sort_by(|one, other| (!one.is_error(), &one.code).cmp(&(!other.is_error(), &other.code)));
    found
}

/// E801, E803 and what else items stand on.
fn gone(plan: &Judged, group: &Group) -> Option<Finding> {
    let (code, variant, name) = match &group.what {
        What::WorkflowGone => ("E801", "workflow", &*group.workflow),
        What::StateGone { state } => ("E801", "state", &**state),
        What::BranchGone { branch } => ("E801", "branch", &**branch),
        What::DeadlineGone { deadline } => ("E801", "deadline", &**deadline),
        What::RequestGone { request } => ("E801", "request", &**request),
        What::FieldGone { field } => ("E801", "field", &**field),
        What::FieldUnfit { field } => ("E803", "type", &**field),
        What::Unreadable { because } => ("E811", "rule", because.as_str()),
        What::Always { says } => ("E316", "always", says.as_str()),
        What::Stuck { state } => ("E801", "stuck", &**state),
        What::HolderLost { role } => ("E810", "role", &**role),
        _ => return None,
    };
    let (count, items) = (group.rows.len().to_string(), named(group.rows.iter().map(|row| &row.item)));
    let likely = likely(plan, group).map(|name| name.to_string()).unwrap_or_default();
    let was = group.cause.was.clone().unwrap_or_default();
    let becomes = group.cause.becomes.clone().unwrap_or_default();
    let values = [
        ("name", name),
        ("count", &count),
        ("items", &items),
        ("likely", &likely),
        ("was", &was),
        ("becomes", &becomes),
        ("element", &group.cause.element),
        ("workflow", &*group.workflow),
    ];
    let variant = if likely.is_empty() { variant.to_string() } else { format!("{variant}_likely") };
    Some(Finding::new(code, Some(&variant), &values))
}

/// E806: dates of open items move because their deadline was changed, and nobody said what becomes of them.
fn moved(plan: &Judged) -> Vec<Finding> {
    let mut by_deadline: BTreeMap<(&Name, &Name), (bool, Vec<&Name>)> = BTreeMap::new();
    for group in plan.groups {
        let (What::Date { deadline } | What::NoDate { deadline } | What::NewDate { deadline }) = &group.what else { continue };
        let declared = |rules: &RuleSet, name: &Name| {
            rules.workflows.get(&group.workflow).is_some_and(|rules| rules.setting.workflow.deadlines.contains_key(name))
        };
        let is_new = matches!(group.what, What::NewDate { .. }) && !declared(plan.old, deadline);
        let workflow = plan.new.workflows.get(&group.workflow).map(|rules| &rules.setting.workflow);
        let chosen = workflow.and_then(|workflow| chosen(workflow, plan.choices, deadline));
        if is_new || group.cause.element.starts_with("calendars.") || chosen == Some(OpenItems::Recompute) {
            continue;
        }
        // What is kept is the date that its rules give; what starts it, ends it or feeds it may move it all the same.
        let (kept, items) = by_deadline.entry((&group.workflow, deadline)).or_default();
        *kept = chosen.is_some();
        items.extend(group.rows.iter().map(|row| &row.item));
    }
    let finding = |((workflow, deadline), (kept, items)): ((&Name, &Name), (bool, Vec<&Name>))| {
        let (count, items) = (items.len().to_string(), named(items.into_iter()));
        let values = [("deadline", &**deadline), ("count", &count), ("items", &items), ("workflow", workflow)];
        Finding::new("E806", kept.then_some("kept"), &values)
    };
    by_deadline.into_iter().map(finding).collect()
}

/// E808 and W805.
fn versions(plan: &Judged, old: &Rules, new: &Rules) -> Option<Finding> {
    let (was, is) = (old.setting.workflow.version, new.setting.workflow.version);
    let values = [("workflow", &*new.setting.workflow.name), ("was", &was.to_string()), ("is", &is.to_string())];
    match is.cmp(&was) {
        std::cmp::Ordering::Less if !plan.back => Some(Finding::new("E808", None, &values)),
        std::cmp::Ordering::Equal if own_files(plan.old) != own_files(plan.new) => Some(Finding::new("W805", None, &values)),
        _ => None,
    }
}

/// The files that make a version: all but directory and calendars.
fn own_files(rules: &RuleSet) -> Vec<(&String, &String)> {
    let mut files: Vec<_> =
        rules.files.iter().filter(|(path, _)| !super::file::is_calendar(path) && !super::file::is_directory(path)).collect();
    files.sort();
    files
}

/// E804: what was derived for days that have passed would be derived otherwise.
fn past(plan: &Judged, old: &Rules, new: &Rules) -> Vec<Finding> {
    let (was, is) = (&old.setting.workflow, &new.setting.workflow);
    let mut found = Vec::new();
    for (name, param) in &is.params {
        let Some(before) = was.params.get(name).filter(|_| !is.is_corrected(name)) else { continue };
        if let Some((day, from, to)) = rewritten(before, param, plan.today) {
            let values = [("name", &**name), ("day", &day.to_string()), ("was", &from), ("becomes", &to), ("workflow", &is.name)];
            found.push(Finding::new("E804", Some("param"), &values));
        }
    }
    if !is.is_corrected("calendar") {
        if let Some(day) = first_other_day(&old.setting.calendar, &new.setting.calendar, plan.today) {
            let working = new.setting.calendar.is_working_day(day);
            let variant = if working { "calendar_worked" } else { "calendar_off" };
            let values = [("name", &*is.calendar), ("day", &day.to_string()), ("workflow", &is.name)];
            found.push(Finding::new("E804", Some(variant), &values));
        }
    }
    found
}

/// The first day up to today on which a param has another value than before, with both values.
fn rewritten(before: &Param, after: &Param, today: Date) -> Option<(Date, String, String)> {
    let mut days: Vec<Date> = before.values.iter().chain(&after.values).map(|row| row.from).filter(|day| *day <= today).collect();
    days.sort_unstable();
    let text = |value: &crate::kernel::model::value::Value| {
        let json = serde_json::to_value(value).unwrap_or_default();
        let inner = json.as_object().and_then(|map| map.values().next()).cloned().unwrap_or(json);
        inner.as_str().map_or_else(|| inner.to_string(), str::to_string)
    };
    days.into_iter().find_map(|day| {
        let was = before.on(day)?;
        let is = after.on(day);
        let same = is.is_some_and(|is| is.value == was.value);
        (!same).then(|| (day, text(&was.value), is.map(|is| text(&is.value)).unwrap_or_default()))
    })
}

/// The first day up to today that is worked by one official calendar and off by the other.
fn first_other_day(old: &Calendar, new: &Calendar, today: Date) -> Option<Date> {
    let first = [old, new].iter().filter_map(|calendar| calendar.data().first_official_year()).max()?;
    let last = today.min(old.known_until()).min(new.known_until());
    let official = |calendar: &Calendar, day: Date| calendar.data().years.contains_key(&day.year());
    let mut days = Date::from_ymd_opt(first, 1, 1)?.iter_days().take_while(|day| *day <= last);
    days.find(|day| old.is_working_day(*day) != new.is_working_day(*day) && official(old, *day) && official(new, *day))
}

/// What a name that is gone is probably called now.
fn likely(plan: &Judged, group: &Group) -> Option<Name> {
    let old = &plan.old.workflows.get(&group.workflow)?.setting.workflow;
    let new = &plan.new.workflows.get(&group.workflow)?.setting.workflow;
    match &group.what {
        What::StateGone { state } => {
            let levels = std::iter::once(None).chain(new.branches.keys().map(Some));
            levels
                .filter_map(|level| {
                    renamed(old.states_of(level.map(|name| &**name))?, new.states_of(level.map(|name| &**name))?, state, state_likeness)
                })
                .next()
        }
        What::BranchGone { branch } => renamed(&old.branches, &new.branches, branch, |was, is| titles(&was.title, &is.title)),
        What::DeadlineGone { deadline } => renamed(&old.deadlines, &new.deadlines, deadline, |was, is| {
            let same =
                [was.starts_on == is.starts_on, was.ends_on == is.ends_on, was.length == is.length, was.ladder.len() == is.ladder.len()];
            titles(&was.title, &is.title).max(same.iter().filter(|same| **same).count() as f64 / 4.0)
        }),
        What::FieldGone { field } => {
            let levels = std::iter::once(None).chain(new.branches.keys().map(Some));
            let likeness =
                |was: &crate::kernel::model::definition::Field, is: &crate::kernel::model::definition::Field| match was.kind == is.kind {
                    true => titles(&was.title, &is.title),
                    false => 0.0,
                };
            levels
                .filter_map(|level| {
                    renamed(old.fields_of(level.map(|name| &**name))?, new.fields_of(level.map(|name| &**name))?, field, likeness)
                })
                .next()
        }
        _ => None,
    }
}

fn state_likeness(was: &State, is: &State) -> f64 {
    match was.kind == is.kind {
        true => titles(&was.title, &is.title).max(if was.owner == is.owner && was.owner.is_some() { 0.6 } else { 0.0 }),
        false => 0.0,
    }
}

fn titles(was: &str, is: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(was, is)
}

/// The new name that is most like the one that is gone, in what it declares or in how it is spelt.
fn renamed<T>(old: &Section<T>, new: &Section<T>, gone: &Name, likeness: impl Fn(&T, &T) -> f64) -> Option<Name> {
    let was = old.get(gone)?;
    let added = new.iter().filter(|(name, _)| !old.contains_key(*name));
    let scored = added.map(|(name, is)| (likeness(was, is).max(titles(gone, name)), name));
    scored.filter(|(score, _)| *score >= ALIKE).max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, name)| name.clone())
}

/// Each item once, the first of them by name.
pub(super) fn named<'a>(items: impl Iterator<Item = &'a Name>) -> String {
    let mut items: Vec<&Name> = items.collect();
    items.dedup();
    let shown: Vec<&str> = items.iter().take(NAMED).map(|item| &***item).collect();
    if items.len() > NAMED { format!("{} …", shown.join(" ")) } else { shown.join(" ") }
}
