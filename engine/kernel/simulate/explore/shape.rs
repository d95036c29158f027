//! What tells one standing of an item from another: states, requests that wait, deadlines that run, and the fields that conditions read.
//! Texts and dates count as filled in or not, numbers up to three.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{Field, Section, Wants};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::Rules;
use std::collections::{BTreeSet, HashSet};

/// Numbers above this count as this.
const MOST: i64 = 3;

/// Two items of the same shape count as one standing.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Shape {
    state: Name,
    fields: Vec<(Name, String)>,
    /// Open ones, sorted: what tells them apart is not who they are.
    branches: Vec<(Name, Name, Vec<(Name, String)>)>,
    ended_branches: BTreeSet<(Name, Name)>,
    requests: BTreeSet<(Name, bool)>,
    clocks: BTreeSet<(Name, bool)>,
}

/// The fields and deadlines that count: those of which conditions speak, and those by which the engine does something.
pub struct Shapes {
    clocks: HashSet<Name>,
    fields: Vec<Name>,
    of_branches: Vec<(Name, Vec<Name>)>,
}

impl Shapes {
    /// `functions` is the text of the functions that conditions call.
    pub fn of(rules: &Rules, functions: &str) -> Shapes {
        let workflow = &rules.setting.workflow;
        let conditions = workflow.expressions.iter().filter(|expr| expr.wants == Wants::Condition).map(|expr| &*expr.source);
        let read: HashSet<String> = conditions.chain([functions]).flat_map(words).collect();
        let chosen = |fields: &Section<Field>| -> Vec<Name> {
            fields.iter().filter(|(name, field)| !field.is_derived() && read.contains(&***name)).map(|(name, _)| name.clone()).collect()
        };
        let moves = |name: &Name| {
            let ladder = workflow.deadlines.get(name).map(|deadline| &deadline.ladder);
            ladder.is_some_and(|ladder| ladder.iter().any(|rung| rung.action.is_some()))
        };
        let clocks = workflow.deadlines.keys().filter(|name| read.contains(&***name) || moves(name)).cloned().collect();
        let fields = chosen(&workflow.fields);
        let of_branches = workflow.branches.iter().map(|(kind, branch)| (kind.clone(), chosen(&branch.fields))).collect();
        Shapes { clocks, fields, of_branches }
    }

    pub fn shape(&self, item: &Item) -> Shape {
        let mut branches: Vec<_> = item
            .branches
            .iter()
            .filter(|branch| !branch.ended)
            .map(|branch| {
                let declared = self.of_branches.iter().find(|(kind, _)| *kind == branch.kind).map(|(_, fields)| fields.as_slice());
                (branch.kind.clone(), branch.state.clone(), values(declared.unwrap_or_default(), &branch.fields))
            })
            .collect();
        branches.sort();
        let ended = item.branches.iter().filter(|branch| branch.ended).map(|branch| (branch.kind.clone(), branch.state.clone()));
        let requests =
            item.requests.iter().filter(|asked| asked.decided.is_none()).map(|asked| (asked.request.clone(), !asked.consents.is_empty()));
        let running = item.clocks.iter().filter(|clock| clock.is_running() && self.clocks.contains(&clock.deadline));
        let clocks = running.map(|clock| (clock.deadline.clone(), clock.times_extended > 0));
        Shape {
            state: item.state.clone(),
            fields: values(&self.fields, &item.fields),
            branches,
            ended_branches: ended.collect(),
            requests: requests.collect(),
            clocks: clocks.collect(),
        }
    }
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).map(str::to_string)
}

fn values(declared: &[Name], fields: &Fields) -> Vec<(Name, String)> {
    declared.iter().map(|name| (name.clone(), abstracted(fields.get(name).unwrap_or(&Value::Empty)))).collect()
}

fn abstracted(value: &Value) -> String {
    match value {
        Value::Empty => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => (*number).clamp(-1, MOST).to_string(),
        // Options are few; what else is text is long.
        Value::Text(text)
            if text.len() <= 24
                && text.is_ascii()
                && text.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_uppercase()) =>
        {
            text.to_string()
        }
        Value::List(list) => format!("list of {}", list.len().min(2)),
        _ => "set".to_string(),
    }
}
