//! From the files of a rule set to the rule set, or to every problem with its place. What is wrong with the shape is found while reading;
//! each family of checks over what was read has a file of its own.

mod ahead;
mod allow;
mod at;
mod changes;
mod conditions;
mod cover;
mod desks;
mod directory;
mod documents;
mod errands;
mod fields;
mod files;
mod flow;
mod graph;
mod holders;
mod lengths;
mod names;
mod notices;
mod offered;
mod passing;
mod placeholders;
mod references;
mod reports;
mod roles;
mod sealed;
mod sweeps;
mod tables;
mod tallies;
mod time;
mod unset;
mod unused;

use crate::kernel::calendar::{Calendar, CalendarData, CalendarMistake};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Reads, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Place, Places, Problem};
use crate::kernel::read::reader::nearest;
use crate::kernel::read::tree::Node;
use crate::kernel::read::{self, calendar, characters, gate, workflow};
use crate::kernel::render;
use crate::kernel::rules::{RuleSet, Rules, Scripts, Setting};
use crate::kernel::time::Date;
use at::{Checked, Surroundings};
use files::Files;
use indexmap::IndexMap;
use std::collections::HashSet;
use std::sync::Arc;

pub use allow::of_open_items;
pub use files::hash;

/// Reads and checks a rule set. `files` are those of its folder by path inside it, and the shared calendars as `../calendars/NAME.yaml`.
/// There is a rule set when no problem is an error. Problems stand in the order of files and lines.
pub fn load(files: &IndexMap<String, String>) -> (Option<RuleSet>, Vec<Problem>) {
    load_on(files, None)
}

/// The same with what only shows on a day, such as a calendar that ends too soon.
pub fn load_on(files: &IndexMap<String, String>, today: Option<Date>) -> (Option<RuleSet>, Vec<Problem>) {
    let (rules, problems) = read_all(files, today);
    (rules.filter(|_| !problems.iter().any(Problem::is_error)), problems)
}

/// The same, with a rule set also when there are errors, as long as everything could be read: for looking at what was done under rules
/// that passed the checks of an earlier program. Nothing may be done under them.
pub fn load_to_look(files: &IndexMap<String, String>) -> (Option<RuleSet>, Vec<Problem>) {
    read_all(files, None)
}

fn read_all(files: &IndexMap<String, String>, today: Option<Date>) -> (Option<RuleSet>, Vec<Problem>) {
    let sorted = Files::sort(files);
    let mut problems = Vec::new();
    let (directory, whole) = read_directory(&sorted, &mut problems);
    let calendars = read_calendars(&sorted, &mut problems);
    let templates = sorted.templates();
    let mut workflows = IndexMap::new();
    let mut used: HashSet<&str> = sorted.own.keys().copied().collect();
    for (group, paths) in &sorted.workflows {
        if let Some((rules, calendar_file)) =
            one_workflow(&sorted, group, paths, &directory, &templates, (&calendars, today), &mut problems)
        {
            used.insert(calendar_file);
            let name = rules.setting.workflow.name.clone();
            if workflows.contains_key(&name) {
                let place = rules.places.find("workflow").cloned().unwrap_or_else(|| start_of(group));
                problems.push(Problem::new("E016", place).variant("same_name").with("name", &name));
            }
            workflows.insert(name, rules);
        }
    }
    let wording = sorted.own.iter().filter(|(path, _)| path.starts_with("templates/"));
    problems.extend(wording.filter_map(|(path, text)| characters::not_utf8(&Arc::from(*path), text)));
    if sorted.workflows.is_empty() {
        let file = sorted.own.keys().next().copied().unwrap_or_default();
        problems.push(Problem::new("E016", start_of(file)).variant("no_workflow"));
    }
    if !whole {
        let kinds: HashSet<&str> = directory.units.values().filter_map(|unit| unit.kind.as_deref()).collect();
        problems.retain(|problem| !asks_for_people(problem) && !asks_for_a_kind(problem, &kinds));
    }
    let all_read = workflows.len() == sorted.workflows.len();
    problems.extend(errands::check(&workflows, all_read));
    problems.extend(documents::check(&workflows, all_read));
    problems.extend(workflows.values().flat_map(desks::check));
    let started = started_by_others(&workflows);
    // What starts it may stand in a workflow that cannot be read.
    let others_missing = sorted.workflows.len() > 1 && workflows.len() < sorted.workflows.len();
    problems.retain(|problem| problem.code != "E401" || !others_missing && !started.contains(&problem.place));
    let mut problems = settle(files, problems, today);
    if !whole || workflows.len() < sorted.workflows.len() {
        // What it allows may be found once everything can be read.
        problems.retain(|problem| problem.code != "W009");
    }
    if workflows.is_empty() || workflows.len() < sorted.workflows.len() {
        return (None, problems);
    }
    let kept: IndexMap<String, String> =
        files.iter().filter(|(path, _)| used.contains(path.as_str())).map(|(path, text)| (path.clone(), text.clone())).collect();
    let hash = hash(&kept);
    let workflows = workflows.into_iter().map(|(name, rules)| (name, Arc::new(Rules { hash: hash.clone(), ..rules }))).collect();
    (Some(RuleSet { hash, workflows, directory, templates, files: kept }), problems)
}

/// Where the system actions stand that other workflows ask for, or a sweep.
fn started_by_others(workflows: &IndexMap<Name, Rules>) -> HashSet<Place> {
    let place = |(workflow, action): (Name, Name)| {
        let places = &workflows.get(&workflow)?.places;
        let path = format!("actions.{action}@");
        places.find(&format!("{workflow}:{path}")).or_else(|| places.find(&path)).cloned()
    };
    errands::arrivals(workflows).into_iter().filter_map(place).collect()
}

/// Sorted, each once, without what was allowed and without what only follows from another problem on the same line.
fn settle(files: &IndexMap<String, String>, mut problems: Vec<Problem>, today: Option<Date>) -> Vec<Problem> {
    let line = |problem: &Problem| (problem.place.file.clone(), problem.place.line);
    let unreadable: HashSet<_> = problems.iter().filter(|problem| matches!(problem.code, "E015" | "E017")).map(line).collect();
    let follows = |problem: &Problem| problem.code.starts_with("E2") || matches!(problem.code, "W013" | "W014");
    problems.retain(|problem| !follows(problem) || !unreadable.contains(&line(problem)));
    allow::apply(files, today.is_some(), &mut problems);
    problems.sort_by(|one, other| (&one.place, one.code).cmp(&(&other.place, other.code)));
    problems.dedup();
    problems
}

/// Mistakes of shape after which something is missing, so that more checks would only repeat them in other words.
fn hinders(problem: &Problem) -> bool {
    problem.is_error()
        && !matches!(
            (problem.code, problem.variant),
            ("E002" | "E004" | "E005" | "E017", _) | ("E015", Some("code" | "quote" | "strange" | "colon"))
        )
}

/// It says that a name is not declared, or a head not there, which may be so only because a file cannot be read.
fn asks_for_a_name(problem: &Problem) -> bool {
    matches!((problem.code, problem.variant), ("E007", Some("type" | "type_near")) | ("E016", Some("none")))
        || problem.code.starts_with("E1")
}

/// It may be so only because the name of a state is not what it should be: no way leads there, or on from there.
fn follows_from_a_state(problem: &Problem) -> bool {
    matches!(problem.code, "E302" | "E303" | "W307" | "E313" | "E501" | "E502" | "E503")
}

/// It is said of units and persons, of whom more may stand in a file of the directory that cannot be read.
fn asks_for_people(problem: &Problem) -> bool {
    matches!(problem.code, "E112" | "W113" | "W114" | "E527")
}

/// It is said of a kind of unit or a group, of which more may stand in a file of the directory that cannot be read.
fn asks_for_a_kind(problem: &Problem, kinds: &HashSet<&str>) -> bool {
    let known = problem.values.iter().find(|(name, _)| *name == "known").map(|(_, known)| known);
    let of_groups = problem.values.iter().any(|(name, value)| *name == "of" && value == "@type.groups");
    problem.code == "E216"
        && (of_groups || known.is_some_and(|known| known.split_whitespace().all(|word| kinds.contains(word.trim_matches('`')))))
}

fn parse(path: &str, text: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    gate::parse(&Arc::from(path), text, problems)
}

fn start_of(file: &str) -> Place {
    Place { file: file.into(), line: 1, column: 1, length: 1 }
}

/// The directory, and whether all its files could be read.
fn read_directory(files: &Files, problems: &mut Vec<Problem>) -> (Arc<Directory>, bool) {
    let roots: Vec<Node> = files.directory().filter_map(|(path, text)| parse(path, text, problems)).collect();
    let whole = roots.len() == files.directory().count();
    let (directory, places) = read::directory::read(&roots, problems);
    problems.extend(directory::in_itself(&directory, &places));
    (Arc::new(directory), whole)
}

/// The calendars that can be read with their files, and the names of all.
struct Calendars<'f> {
    readable: IndexMap<&'f str, (&'f str, CalendarData, Place)>,
    names: Vec<Name>,
}

fn read_calendars<'f>(files: &Files<'f>, problems: &mut Vec<Problem>) -> Calendars<'f> {
    let mut calendars = Calendars { readable: IndexMap::new(), names: Vec::new() };
    for (name, (path, text)) in files.calendars() {
        calendars.names.push(name.into());
        let Some(root) = parse(path, text, problems) else { continue };
        let Some(data) = calendar_of(&root, problems) else { continue };
        let last = data.last_official_year().and_then(|year| root.get("years")?.get(&year.to_string()));
        let ends = last.map_or_else(|| root.place.clone(), |year| year.at.clone());
        calendars.readable.insert(name, (path, data, ends));
    }
    calendars
}

/// Reads and checks one calendar file.
pub fn one_calendar(path: &str, text: &str, problems: &mut Vec<Problem>) -> Option<CalendarData> {
    calendar_of(&parse(path, text, problems)?, problems)
}

fn calendar_of(root: &Node, problems: &mut Vec<Problem>) -> Option<CalendarData> {
    let data = calendar::read(root, problems)?;
    problems.extend(data.mistakes().iter().map(|mistake| calendar_problem(root, mistake)));
    Some(data)
}

/// E524
fn calendar_problem(root: &Node, mistake: &CalendarMistake) -> Problem {
    let years = root.get("years");
    let of = |year: Option<String>, variant: &'static str| {
        let node = year.and_then(|year| years?.get(&year)).or(years);
        Problem::new("E524", node.map_or_else(|| root.place.clone(), |node| node.at.clone())).variant(variant)
    };
    let year_of = |day: &dyn std::fmt::Display| day.to_string().split('-').next().map(str::to_string);
    match mistake {
        CalendarMistake::NoOfficialYear => of(None, "none"),
        CalendarMistake::Gap(year) => of(Some(year.to_string()), "gap").with("year", year),
        CalendarMistake::Backwards { year, first, last } => of(Some(year.to_string()), "backwards").with("first", first).with("last", last),
        CalendarMistake::OtherYear { year, day } => of(Some(year.to_string()), "other_year").with("year", year).with("day", day),
        CalendarMistake::Twice(day) => of(year_of(day), "twice").with("day", day),
        CalendarMistake::MakeupOnWeekday(day) => of(year_of(day), "makeup").with("day", day),
        CalendarMistake::NoSuchDay { month, day } => of(None, "no_day").with("day", format_args!("{month:02}-{day:02}")),
    }
}

/// One workflow with its scripts, and the file of its calendar.
fn one_workflow<'f>(
    files: &Files<'f>,
    group: &str,
    paths: &[&str],
    directory: &Arc<Directory>,
    templates: &IndexMap<Name, String>,
    (calendars, today): (&Calendars<'f>, Option<Date>),
    problems: &mut Vec<Problem>,
) -> Option<(Rules, &'f str)> {
    let before = problems.len();
    let roots: Vec<Option<Node>> = paths.iter().map(|path| parse(path, files.own[path], problems)).collect();
    let readable: Vec<&Node> = roots.iter().flatten().collect();
    if readable.len() < roots.len() {
        // The head or any name may stand in what cannot be read: looked at is the shape of the rest, and whether its own names may be declared.
        let mut told = Vec::new();
        let (read, places) = workflow::read(&readable, &mut told);
        told.retain(|problem| !asks_for_a_name(problem));
        if let Some(workflow) = read.filter(|_| !told.iter().any(hinders)) {
            let functions = IndexMap::new();
            let around = Surroundings { places: &places, directory, templates, functions: &functions, reads: &[], calendar: None };
            told.extend(names::check(&Checked::new(&workflow, around)));
        }
        problems.extend(told);
        return None;
    }
    let (read, places) = workflow::read(&readable, problems);
    let functions = files.functions(group);
    for (path, text) in &functions {
        let file = Arc::from(path.as_str());
        problems.extend(characters::not_utf8(&file, text));
        characters::scan(&file, text, problems);
        characters::scan_code(&file, text, problems);
    }
    let hindered = problems[before..].iter().any(hinders);
    let workflow = read.filter(|_| !hindered)?;
    let calendar = calendars.readable.get(&*workflow.calendar);
    if !calendars.names.contains(&workflow.calendar) {
        problems.push(unknown_calendar(&workflow, &places, &calendars.names));
    }
    let compiled = Scripts::compile(&workflow, &functions, &places, directory);
    problems.extend(compiled.problems);
    let path = calendar.map(|(path, ..)| *path);
    let ends = calendar.map(|(_, _, ends)| ends);
    let calendar = calendar.map(|(_, data, _)| Calendar::new(data.clone()));
    let reads = &compiled.reads[..];
    let around = Surroundings { places: &places, directory, templates, functions: &functions, reads, calendar: calendar.as_ref() };
    let at = Checked::new(&workflow, around);
    let mut found = families(&at);
    let misspelt = |code: &str| found.iter().any(|problem| problem.code == code);
    let (state, action) = (misspelt("E103"), misspelt("E106"));
    if state || action {
        let there_as_meant = as_meant(files, paths, &found, &functions, &around);
        let may_follow = |problem: &Problem| state && follows_from_a_state(problem) || action && matches!(problem.code, "E501" | "E502");
        found.retain(|problem| !may_follow(problem) || there_as_meant.iter().any(|other| says_the_same(problem, other)));
    }
    problems.extend(found);
    if let (Some(today), Some(ends)) = (today, ends) {
        problems.extend(ahead::check(&at, today, ends));
    }

    let setting = Setting { workflow: with_reads(workflow, templates), calendar: calendar?, directory: directory.clone() };
    Some((Rules { hash: "".into(), setting: Arc::new(setting), scripts: compiled.scripts?, places, carried: Arc::default() }, path?))
}

/// What the families find when every misspelt state and action is called what is nearest to it: the rest of the flow is looked at as it is
/// meant. Nothing when nothing is near one of them, which may then mean any.
fn as_meant(files: &Files, paths: &[&str], found: &[Problem], functions: &IndexMap<String, String>, around: &Surroundings) -> Vec<Problem> {
    let is_misspelt = |problem: &&Problem| matches!(problem.code, "E103" | "E106");
    let mut misspelt: Vec<&Problem> = found.iter().filter(is_misspelt).collect();
    // From the back, so that the places before stay where they are.
    misspelt.sort_by(|one, other| other.place.cmp(&one.place));
    let mut texts: IndexMap<&str, String> = paths.iter().map(|path| (*path, files.own[path].to_string())).collect();
    for problem in misspelt {
        let value = |name: &str| problem.values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str());
        let (Some(name), Some(near), Some(text)) = (value("name"), value("near"), texts.get_mut(&*problem.place.file)) else {
            return Vec::new();
        };
        *text = renamed(text, &problem.place, name, near);
    }
    let mut told = Vec::new();
    let roots: Vec<Node> = texts.iter().filter_map(|(path, text)| parse(path, text, &mut told)).collect();
    let (read, places) = workflow::read(&roots.iter().collect::<Vec<_>>(), &mut told);
    let Some(workflow) = read.filter(|_| !told.iter().any(hinders)) else { return Vec::new() };
    let reads = Scripts::compile(&workflow, functions, &places, around.directory).reads;
    let found = families(&Checked::new(&workflow, Surroundings { places: &places, reads: &reads, ..*around }));
    if found.iter().any(|problem| is_misspelt(&problem)) { Vec::new() } else { found }
}

fn says_the_same(one: &Problem, other: &Problem) -> bool {
    (one.code, one.variant, &one.values) == (other.code, other.variant, &other.values)
}

/// A text with another name at a place.
fn renamed(text: &str, place: &Place, name: &str, near: &str) -> String {
    let line = |(index, line): (usize, &str)| {
        if index as u32 + 1 != place.line {
            return line.to_string();
        }
        let at = |characters: u32| line.char_indices().nth(characters as usize).map_or(line.len(), |(at, _)| at);
        let before = place.column.saturating_sub(1);
        let (from, to) = (at(before), at(before.saturating_add(place.length)));
        format!("{}{}{}", &line[..from], line[from..to].replacen(name, near, 1), &line[to..])
    };
    text.split_inclusive('\n').enumerate().map(line).collect()
}

/// Notes which names the wording of each notice and each form reads. A wording that cannot be read has been reported, and may read anything.
fn with_reads(mut workflow: Workflow, templates: &IndexMap<Name, String>) -> Workflow {
    for notice in workflow.notices.values_mut() {
        let body = templates.get(&notice.template).map_or(Ok(Vec::new()), |text| render::names_read(text));
        if let (Ok(mut names), Ok(of_subject)) = (body, render::names_read(&notice.subject)) {
            names.extend(of_subject);
            notice.reads = Reads::only(names.into_iter().map(|read| read.name).collect());
        }
    }
    for form in workflow.forms.values_mut() {
        if let Some(Ok(names)) = templates.get(form.file().as_str()).map(|text| render::names_read(text)) {
            form.reads = Reads::only(names.into_iter().map(|read| read.name).collect());
        }
    }
    workflow
}

/// Every family of checks over a workflow that could be read.
fn families(at: &Checked) -> Vec<Problem> {
    let families = [
        names::check,
        references::check,
        fields::check,
        unused::check,
        directory::check,
        flow::check,
        offered::check,
        cover::check,
        roles::check,
        time::check,
        tables::check,
        tallies::check,
        notices::check,
        sealed::check,
        unset::check,
        passing::check,
        conditions::check,
        sweeps::check,
        errands::secrets,
        reports::check,
        changes::check,
    ];
    families.iter().flat_map(|check| check(at)).collect()
}

fn unknown_calendar(workflow: &Workflow, places: &Places, known: &[Name]) -> Problem {
    let place = places.find("calendar").cloned().unwrap_or_else(|| start_of(""));
    let names: Vec<&str> = known.iter().map(|name| &**name).collect();
    let problem = Problem::new("E109", place).with("name", &workflow.calendar).with("known", names.join(", "));
    match nearest(&workflow.calendar, names.into_iter()) {
        Some(near) => problem.variant("near").with("near", near),
        None => problem,
    }
}
