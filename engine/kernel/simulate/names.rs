//! Names in a file of stories that its workflow does not know: a slip that would only look like a difference, or like nothing at all.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{Report, Shape, Workflow};
use crate::kernel::model::story::StoryFile;
use crate::kernel::rules::Rules;
use indexmap::IndexMap;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the bars of a file may be set for.
pub const MEASURES: [&str; 6] = ["states", "actions", "guards_both_ways", "rungs", "notices", "table_rows"];

/// A name that nobody knows, with those that could be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown {
    /// `action`, `notice`, `rung`, `deadline`, `field`, `state`, `person`, `table`, `function`, `report`, `column`, `measure`
    pub what: &'static str,
    pub name: String,
    pub known: Vec<String>,
}

/// Every unknown name of a file, each once. What a story expects to be refused may well be unknown. What people do on items of the other
/// workflows is known too.
pub fn unknown(workflows: &IndexMap<Name, Arc<Rules>>, rules: &Rules, file: &StoryFile) -> Vec<Unknown> {
    let all = || workflows.values().map(|rules| &rules.setting.workflow);
    let workflow = &rules.setting.workflow;
    let mut found = Found { told: BTreeSet::new(), out: Vec::new() };
    let actions: Vec<String> = all().flat_map(actions).collect();
    let notices: Vec<String> = all().flat_map(|workflow| workflow.notices.keys()).map(|name| name.to_string()).collect();
    let deadlines: Vec<String> = workflow.deadlines.keys().map(|name| name.to_string()).collect();
    let rungs: Vec<String> = workflow
        .deadlines
        .iter()
        .flat_map(|(name, deadline)| deadline.ladder.iter().map(move |rung| format!("{name}.{}", rung.rung)))
        .collect();
    let mut fields: Vec<String> = workflow.fields.keys().map(|name| name.to_string()).collect();
    let states: Vec<String> = workflow.states.keys().map(|name| name.to_string()).collect();
    let persons: Vec<String> = rules
        .setting
        .directory
        .persons
        .keys()
        .chain(file.people.keys())
        .chain(file.units.values().flat_map(|duties| duties.values()).flatten())
        .map(|name| name.to_string())
        .collect();
    let of_branches = || workflow.branches.iter().flat_map(|(kind, branch)| branch.fields.keys().map(move |name| (kind, name)));
    let task_fields: Vec<String> = of_branches().map(|(_, name)| name.to_string()).chain(["unit".into(), "person".into()]).collect();
    let hidden_fields: Vec<String> = fields.iter().cloned().chain(of_branches().map(|(kind, name)| format!("{kind}.{name}"))).collect();
    let reports: Vec<String> = workflow.reports.keys().map(|name| name.to_string()).collect();
    fields.push("state".into());
    for story in &file.tests {
        found.all("notice", story.ignore_notices.iter(), &notices);
        found.all("field", story.given.keys(), &fields);
        found.all("person", story.may.keys(), &persons);
        found.all("action", story.may.values().flatten(), &actions);
        for step in &story.steps {
            if step.refused.is_none() {
                found.all("action", step.action.iter(), &actions);
                found.all("person", step.by.iter(), &persons);
            }
            let Some(expect) = &step.expect else { continue };
            found.all("state", expect.state.iter(), &states);
            found.all("field", expect.item.keys(), &fields);
            found.all("action", expect.may.values().flatten(), &actions);
            found.all("person", expect.may.keys().chain(expect.waits_for.values().flatten()).chain(expect.hidden.keys()), &persons);
            found.all("field", expect.tasks.values().flat_map(|fields| fields.keys()), &task_fields);
            found.all("field", expect.hidden.values().flatten(), &hidden_fields);
            found.all("report", expect.reports.keys(), &reports);
            for (name, expected) in &expect.reports {
                let Some(report) = workflow.reports.get(name) else { continue };
                let figures = expected.rows.values().chain([&expected.total]).chain(expected.list.iter().flatten());
                let named: Vec<Name> = figures.flat_map(|figures| figures.keys()).map(|column| column.as_str().into()).collect();
                found.all("column", named.iter(), &columns(report));
            }
            found.all("notice", expect.mails.iter().flatten().map(|mail| &mail.notice), &notices);
            found.all(
                "person",
                expect.mails.iter().flatten().flat_map(|mail| mail.to.iter().chain(&mail.cc)).filter(|name| !name.is_empty()),
                &persons,
            );
            found.all("rung", expect.skipped.iter().flatten().map(|skip| &skip.rung), &rungs);
            let due = expect.due.iter().flatten().map(|(name, _)| Name::from(name.split(' ').next().unwrap_or(name)));
            found.all("deadline", due.collect::<Vec<_>>().iter(), &deadlines);
            found.all("deadline", expect.paused.iter().chain(&expect.provisional).flatten(), &deadlines);
        }
    }
    found.all("field", file.item.keys(), &fields);
    found.all("table", file.table_tests.keys(), &workflow.tables.keys().map(|name| name.to_string()).collect::<Vec<_>>());
    found.all("function", file.function_tests.keys(), &workflow.functions.keys().map(|name| name.to_string()).collect::<Vec<_>>());
    let measures: Vec<Name> = file.coverage.keys().map(|name| name.as_str().into()).collect();
    found.all("measure", measures.iter(), &MEASURES.map(str::to_string));
    found.out
}

/// The columns of a report by their names and titles.
fn columns(report: &Report) -> Vec<String> {
    match &report.shape {
        Shape::Counts { .. } => ["count", "percent"].map(str::to_string).to_vec(),
        Shape::Figures { columns, .. } => {
            let named = columns.iter().flat_map(|(name, figure)| [name.to_string(), figure.title.clone()]);
            named.filter(|name| !name.is_empty()).collect()
        }
        Shape::List { columns, .. } => columns.keys().map(|heading| heading.to_string()).collect(),
    }
}

/// Each action as it may be written: alone, and with its branch.
fn actions(workflow: &Workflow) -> Vec<String> {
    let own = workflow.actions.keys().map(|name| name.to_string());
    let of_branches = workflow
        .branches
        .iter()
        .flat_map(|(kind, branch)| branch.actions.keys().flat_map(move |name| [name.to_string(), format!("{kind}.{name}")]));
    own.chain(of_branches).chain(["amend".to_string()]).collect()
}

struct Found {
    told: BTreeSet<(&'static str, String)>,
    out: Vec<Unknown>,
}

impl Found {
    fn all<'n>(&mut self, what: &'static str, names: impl Iterator<Item = &'n Name>, known: &[String]) {
        for name in names {
            if !known.iter().any(|known| **known == **name) && self.told.insert((what, name.to_string())) {
                self.out.push(Unknown { what, name: name.to_string(), known: known.to_vec() });
            }
        }
    }
}
