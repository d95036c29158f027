//! One workflow from the files of its folder, which are merged by section.

use super::keys;
use super::reader::{Reader, Row, names_by_name};
use super::tree::{Content, Node};
use super::world::{BranchWorld, World};
use super::{actions, branches, deadlines, desks, fields, imports, notices, people, phrase, reports, requests, values};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Branch, Change, MonthOverflow, OpenItems, Scope, Section, SendWindow, Workflow};
use crate::kernel::model::problem::{Places, Problem};
use crate::kernel::model::renames::Renames;
use indexmap::IndexMap;
use std::collections::{HashMap, HashSet};

/// The version of the rule language that this reader speaks.
const LANGUAGE: i64 = 1;

/// Whether a file carries the head of a workflow.
pub fn is_head(root: &Node) -> bool {
    root.get("workflow").is_some()
}

/// The name of a workflow by its head.
pub fn name_of(root: &Node) -> Option<&Name> {
    root.get("workflow").and_then(|node| node.text())
}

/// Reads the files of one workflow. There is no workflow when the head is missing or cannot be read.
pub fn read(files: &[&Node], problems: &mut Vec<Problem>) -> (Option<Workflow>, Places) {
    let mut reader = Reader::default();
    let mut places = Places::default();
    for root in files {
        root.record(&mut places);
    }
    let sections = Sections::gather(&mut reader, files);
    for (name, node) in sections.quiet_rows("requests") {
        requests::record(&name, node, &mut places);
    }
    let world = world(&mut reader, &sections);
    let workflow = whole(&mut reader, files, &sections, &world);
    problems.append(&mut reader.problems);
    (workflow, places)
}

/// Every section with the nodes of all files that carry it.
struct Sections<'n> {
    by_name: HashMap<&'static str, Vec<&'n Node>>,
}

impl<'n> Sections<'n> {
    fn gather(reader: &mut Reader, files: &[&'n Node]) -> Sections<'n> {
        let mut by_name: HashMap<&'static str, Vec<&'n Node>> = HashMap::new();
        let known: Vec<&str> = keys::HEAD.iter().chain(&keys::SECTIONS).copied().collect();
        for root in files {
            if matches!(root.content, Content::Empty) {
                continue;
            }
            reader.row(root, &known);
            for entry in root.entries() {
                if let Some(section) = keys::SECTIONS.iter().find(|section| **section == &*entry.key.name) {
                    by_name.entry(section).or_default().push(&entry.value);
                }
            }
        }
        Sections { by_name }
    }

    fn nodes(&self, section: &str) -> &[&'n Node] {
        self.by_name.get(section).map(Vec::as_slice).unwrap_or_default()
    }

    /// Rows of a section in all files; the same name in two files is a doubled key.
    fn rows(&self, reader: &mut Reader, section: &str) -> Vec<(Name, &'n Node)> {
        let mut rows: IndexMap<Name, &'n Node> = IndexMap::new();
        for node in self.nodes(section) {
            for (name, node) in reader.named(node) {
                match rows.get(&name) {
                    Some(first) => {
                        let problem = Problem::new("E002", node.at.clone()).with("name", &name);
                        reader.problems.push(problem.with("first", format_args!("{}:{}", first.at.file, first.at.line)));
                    }
                    None => {
                        rows.insert(name, node);
                    }
                }
            }
        }
        rows.into_iter().collect()
    }

    /// The same without a word about what is wrong, for a first look.
    fn quiet_rows(&self, section: &str) -> Vec<(Name, &'n Node)> {
        self.nodes(section).iter().flat_map(|node| node.entries()).map(|entry| (entry.key.name.clone(), &entry.value)).collect()
    }
}

/// The first look: everything that other sections refer to.
fn world<'n>(reader: &mut Reader, sections: &Sections<'n>) -> World<'n> {
    let branch_rows = sections.quiet_rows("branches");
    let names: Vec<Name> = branch_rows.iter().map(|(name, _)| name.clone()).collect();
    let field_rows = sections.rows(reader, "fields");
    let mut world = World {
        fields: fields::read(reader, &field_rows, None, &names, &Section::default()),
        actions: sections.quiet_rows("actions").into_iter().map(|(name, _)| name).collect(),
        tables: sections.quiet_rows("tables").into_iter().map(|(name, _)| name).collect(),
        ladders: sections.rows(reader, "ladders").into_iter().collect(),
        requests: sections
            .quiet_rows("requests")
            .into_iter()
            .map(|(name, node)| (name, node.get("branch").and_then(|node| node.text()).cloned()))
            .collect(),
        branches: names.iter().map(|name| (name.clone(), BranchWorld::default())).collect(),
    };
    for (name, node) in branch_rows {
        let rows = node.get("fields").map(|node| reader.named(node)).unwrap_or_default();
        let actions = node.get("actions").map(Node::entries).unwrap_or_default();
        let states = node.get("states").map(Node::entries).unwrap_or_default();
        let owners = states.iter().filter_map(|entry| entry.value.get("owner")?.text().cloned());
        let doers = actions.iter().filter_map(|entry| entry.value.get("by")).flat_map(roles_named);
        let branch = BranchWorld {
            one_per: node.get("one_per").and_then(|node| reader.word(node, &branches::ONE_PER)),
            fields: fields::read(reader, &rows, Some(&name), &names, &world.fields),
            actions: actions.iter().map(|entry| entry.key.name.clone()).collect(),
            roles: owners.chain(doers).collect(),
        };
        world.branches.insert(name, branch);
    }
    world
}

fn roles_named(by: &Node) -> Vec<Name> {
    let Content::List(nodes) = &by.content else { return Vec::new() };
    nodes.iter().filter_map(|node| node.text().or_else(|| node.get("role")?.text()).cloned()).collect()
}

fn whole(reader: &mut Reader, files: &[&Node], sections: &Sections, world: &World) -> Option<Workflow> {
    let head = head(reader, files);
    let mut workflow_branches: Section<Branch> =
        section(reader, sections, "branches", |reader, name, node| branches::read(reader, world, name, node));
    let mut item_actions = section(reader, sections, "actions", |reader, name, node| actions::read(reader, world, name, node, None));
    let mut all_deadlines = section(reader, sections, "deadlines", |reader, _, node| deadlines::read(reader, world, node));
    let mut all_requests = Section::default();
    for (name, node) in sections.rows(reader, "requests") {
        let Some(made) = requests::read(reader, world, &name, node) else { continue };
        let owner = match &made.request.branch {
            None => Some(&mut item_actions),
            Some(branch) => workflow_branches.get_mut(branch).map(|branch| &mut branch.actions),
        };
        if let Some(owner) = owner {
            owner.extend(made.actions);
        }
        if let Some(deadline) = made.deadline {
            if all_deadlines.contains_key(&name) {
                let problem = Problem::new("E002", node.at.clone()).variant("request");
                reader.problems.push(problem.with("name", &name));
            }
            all_deadlines.insert(name.clone(), deadline);
        }
        all_requests.insert(name, made.request);
    }
    let roles = section(reader, sections, "roles", |reader, name, node| people::read(reader, world, name, node));
    let states = section(reader, sections, "states", |reader, _, node| branches::state(reader, node));
    let tables = section(reader, sections, "tables", |reader, name, node| values::table(reader, world, name, node));
    let params = section(reader, sections, "params", |reader, _, node| values::param(reader, node));
    let functions = section(reader, sections, "functions", |reader, _, node| values::function(reader, world, node));
    let all_notices = section(reader, sections, "notices", notices::notice);
    let sweeps = section(reader, sections, "sweeps", notices::sweep);
    let reports = section(reader, sections, "reports", |reader, _, node| reports::read(reader, node));
    let documents = section(reader, sections, "documents", |reader, _, node| reports::document(reader, node));
    let forms = section(reader, sections, "forms", notices::form);
    let all_imports = section(reader, sections, "imports", |reader, _, node| imports::read(reader, world, node));
    let all_desks = section(reader, sections, "desks", |reader, _, node| desks::read(reader, node));
    let ledger = sections.nodes("ledger").iter().map(|node| desks::ledger(reader, node)).next_back().unwrap_or_default();
    let published = sections.nodes("published").iter().filter_map(|node| desks::published(reader, node)).next_back();
    unused_ladders(reader, world, sections);
    let always = sections.nodes("always").iter().flat_map(|node| actions::require(reader, node, &Scope::default())).collect();
    let changes: Vec<Change> = sections.nodes("changes").iter().flat_map(|node| changes(reader, node)).collect();
    let head = head?;
    Some(Workflow {
        name: head.name,
        title: head.title,
        version: head.version,
        languages: head.languages,
        timezone: head.timezone,
        calendar: head.calendar,
        month_overflow: head.month_overflow,
        day_off: head.day_off,
        send_window: head.send_window,
        letter: head.letter,
        amend_by: head.amend_by,
        second_person: head.second_person,
        roles,
        fields: world.fields.clone(),
        states,
        actions: item_actions,
        branches: workflow_branches,
        deadlines: all_deadlines,
        requests: all_requests,
        tables,
        params,
        functions,
        notices: all_notices,
        sweeps,
        always,
        reports,
        documents,
        forms,
        imports: all_imports,
        desks: all_desks,
        ledger,
        published,
        renames: Renames::of(&changes),
        changes,
        expressions: std::mem::take(&mut reader.expressions),
    })
}

fn section<T>(
    reader: &mut Reader,
    sections: &Sections,
    name: &str,
    mut read: impl FnMut(&mut Reader, &Name, &Node) -> Option<T>,
) -> Section<T> {
    let rows = sections.rows(reader, name);
    rows.into_iter().filter_map(|(name, node)| read(reader, &name, node).map(|row| (name, row))).collect()
}

/// A ladder that no deadline uses is read all the same, so that its mistakes are seen; its expressions are forgotten.
fn unused_ladders(reader: &mut Reader, world: &World, sections: &Sections) {
    let mut used: HashSet<&str> = HashSet::new();
    for section in ["deadlines", "requests"] {
        for (_, node) in sections.quiet_rows(section) {
            let Some(ladder) = node.get("ladder") else { continue };
            let rungs = if let Content::List(rungs) = &ladder.content { rungs.iter().collect() } else { vec![ladder] };
            used.extend(rungs.into_iter().filter_map(|node| node.text()?.strip_prefix("use ").map(str::trim)));
        }
    }
    for (name, node) in &world.ladders {
        if !used.contains(&**name) {
            let expressions = reader.expressions.len();
            deadlines::ladder(reader, world, node, &Scope::default());
            reader.expressions.truncate(expressions);
        }
    }
}

struct Head {
    name: Name,
    title: String,
    version: u32,
    languages: Vec<String>,
    timezone: chrono_tz::Tz,
    calendar: Name,
    month_overflow: MonthOverflow,
    day_off: crate::kernel::model::definition::DayOff,
    send_window: SendWindow,
    letter: IndexMap<String, String>,
    amend_by: Vec<Name>,
    second_person: bool,
}

fn head(reader: &mut Reader, files: &[&Node]) -> Option<Head> {
    let heads: Vec<&Node> = files.iter().filter(|root| is_head(root)).copied().collect();
    let Some(root) = heads.first() else {
        let place = files.first()?.place.clone();
        reader.problems.push(Problem::new("E016", place).variant("none"));
        return None;
    };
    for other in files.iter().filter(|file| !std::ptr::eq(**file, *root)) {
        for entry in other.entries().iter().filter(|entry| keys::HEAD.contains(&&*entry.key.name)) {
            let problem = Problem::new("E016", entry.key.place.clone()).variant("twice");
            reader.problems.push(problem.with("key", &entry.key.name).with("first", &root.place.file));
        }
    }
    let row = Row::of(root);
    let overflow = [("last_day", MonthOverflow::LastDay), ("first_of_next", MonthOverflow::FirstOfNext)];
    let language = need_head(reader, row, "language");
    if let Some(node) = language.filter(|node| !matches!(node.content, Content::Number(LANGUAGE))) {
        reader.not_one_of(node, &["1"]);
    }
    let name = row.get("workflow").and_then(|node| reader.name(node));
    let title = need_head(reader, row, "title").and_then(|node| reader.text(node));
    let version = need_head(reader, row, "version").and_then(|node| reader.number(node));
    let timezone =
        need_head(reader, row, "timezone").and_then(|node| reader.phrase(node, "zone", |text| text.parse::<chrono_tz::Tz>().ok()));
    let calendar = need_head(reader, row, "calendar").and_then(|node| reader.name(node));
    let month_overflow = need_head(reader, row, "month_overflow").and_then(|node| reader.word(node, &overflow));
    let day_off = need_head(reader, row, "day_off").and_then(|node| reader.word(node, &deadlines::DAY_OFF));
    let send_window = need_head(reader, row, "send_window").and_then(|node| reader.phrase(node, "window", phrase::send_window));
    let languages = row.get("languages").map(|node| reader.names(node).iter().map(|name| name.to_string()).collect());
    let letter = row.get("letter").map(|node| reader.named(node)).unwrap_or_default();
    let letter = letter.into_iter().filter_map(|(name, node)| Some((name.to_string(), letter_text(reader, node)?))).collect();
    let amend_by = row.get("amend_by").map(|node| reader.names(node)).unwrap_or_default();
    let publish = row.get("publish").and_then(|node| reader.row(node, &keys::PUBLISH));
    let second_person = publish.is_some_and(|row| reader.yes(row, "second_person"));
    Some(Head {
        name: name?,
        title: title?,
        version: version?,
        languages: languages.unwrap_or_else(|| vec!["zh-CN".to_string()]),
        timezone: timezone?,
        calendar: calendar?,
        month_overflow: month_overflow?,
        day_off: day_off?,
        send_window: send_window?,
        letter,
        amend_by,
        second_person,
    })
}

fn letter_text(reader: &mut Reader, node: &Node) -> Option<String> {
    match &node.content {
        Content::Number(number) => Some(number.to_string()),
        _ => reader.text(node),
    }
}

fn need_head<'n>(reader: &mut Reader, row: Row<'n>, key: &str) -> Option<&'n Node> {
    let found = row.get(key);
    if found.is_none() {
        let place = row.get("workflow").map_or(row.node.place.clone(), |node| node.at.clone());
        reader.problems.push(Problem::new("E016", place).with("key", key));
    }
    found
}

fn changes(reader: &mut Reader, node: &Node) -> Vec<Change> {
    let mut changes = Vec::new();
    for node in reader.list(node) {
        let Some(row) = reader.row(node, &keys::CHANGE) else { continue };
        let version = reader.need(row, "version").and_then(|node| reader.number(node));
        let because = reader.need_text(row, "because");
        let mut pairs = |key: &str| row.get(key).map(|node| names_by_name(reader, node)).unwrap_or_default();
        let (renamed_states, retired_states) = (pairs("renamed_states"), pairs("retired_states"));
        let (renamed_fields, renamed_actions) = (pairs("renamed_fields"), pairs("renamed_actions"));
        let (renamed_branches, renamed_deadlines) = (pairs("renamed_branches"), pairs("renamed_deadlines"));
        let mut names = |key: &str| reader.names_at(row, key);
        let (retired_fields, retired_branches) = (names("retired_fields"), names("retired_branches"));
        let (retired_deadlines, retired_requests) = (names("retired_deadlines"), names("retired_requests"));
        let corrected = names("corrected");
        let open_items = row.get("open_items").map(|node| reader.named(node)).unwrap_or_default();
        let open_items = open_items.into_iter().filter_map(|(name, node)| Some((name, reader.word(node, &OPEN_ITEMS)?))).collect();
        let Some(version) = version else { continue };
        changes.push(Change {
            version,
            because,
            renamed_states,
            renamed_fields,
            renamed_actions,
            renamed_branches,
            renamed_deadlines,
            retired_states,
            retired_fields,
            retired_branches,
            retired_deadlines,
            retired_requests,
            open_items,
            corrected,
        });
    }
    changes
}

const OPEN_ITEMS: [(&str, OpenItems); 2] = [("keep", OpenItems::Keep), ("recompute", OpenItems::Recompute)];
