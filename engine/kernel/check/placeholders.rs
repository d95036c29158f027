//! Which names a template may read at the place where it is filled in: in a mail told by an action, a rung or a sweep, in a
//! sentence of refusal, or on a form. It mirrors what `decide::capture` captures.

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::value::Type;

const OF_ITEM: &[&str] = &["id", "state", "state_title", "flag", "created_on"];
const OF_BRANCH: &[&str] = &["no", "kind", "state", "state_title", "ended", "opened_on"];
const OF_DUE: &[&str] =
    &["title", "date", "days_left", "working_days_left", "days_late", "working_days_late", "times_extended", "provisional", "running"];
const OF_THIS_DUE: &[&str] = &["name", "rung", "reminders"];
const OF_PERSON: &[&str] = &["person", "name", "unit", "phone", "role", "role_title"];
const OF_FACT: &[&str] = &["on", "title", "seq"];

/// Where a template is filled in.
#[derive(Clone, Default)]
pub struct Place<'a> {
    /// The branch that `task` shows.
    pub branch: Option<&'a Name>,
    /// The action whose input is shown.
    pub act: Option<Act<'a>>,
    /// A rung: `due.this`.
    pub deadline: Option<(&'a Name, &'a Deadline)>,
    /// A sentence of refusal is read by whoever asks: no addressee, no fact yet.
    pub sentence: bool,
    /// A form is printed by whoever asks, whenever that is: no addressee, no fact, no rung.
    pub form: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Seen {
    Yes,
    /// Kept out of mails.
    Secret,
    /// Meaningful elsewhere: the variant of E603 says why not here.
    NotHere(&'static str),
    Unknown(Vec<String>),
}

impl<'a> Place<'a> {
    pub fn of_act(act: &Act<'a>) -> Place<'a> {
        Place { branch: act.branch, act: Some(act.clone()), ..Place::default() }
    }

    fn asks(&self) -> Vec<&'a Ask> {
        let action = self.act.iter().map(|act| act.action);
        action.flat_map(|action| action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask))).collect()
    }

    /// Whether a dotted name (`item.number`, `branches.opinion[].unit`) can be read here.
    pub fn sees(&self, at: &Checked<'a>, name: &str) -> Seen {
        let mut parts = name.split('.');
        let (view, rest): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
        let workflow = at.workflow;
        let one_of = |known: &[&str]| match &rest[..] {
            [] => Seen::Yes,
            [part] if known.contains(part) => Seen::Yes,
            [part, ..] if known.contains(part) => Seen::Unknown(Vec::new()),
            _ => Seen::Unknown(known.iter().map(|part| format!("{view}.{part}")).collect()),
        };
        match view {
            "item" => field(workflow, (&workflow.fields, None), OF_ITEM, view, &rest),
            "task" => match self.branch.and_then(|kind| workflow.branches.get(kind)) {
                Some(branch) => field(workflow, (&branch.fields, branch.one_per), OF_BRANCH, view, &rest),
                None => Seen::NotHere(if self.form { "form_task" } else { "task" }),
            },
            "input" | "actor" | "to" | "copy_of" | "copy_of[]" | "fact" if self.form => Seen::NotHere("form"),
            "input" => self.input(at, &rest),
            "due" => self.due(at, &rest),
            "branches" => branches(workflow, &rest),
            "param" => one_of(&workflow.params.keys().map(|name| &**name).collect::<Vec<_>>()),
            "letter" => one_of(&workflow.letter.keys().map(String::as_str).collect::<Vec<_>>()),
            "actor" => one_of(OF_PERSON),
            "to" | "copy_of" | "fact" if self.sentence => Seen::NotHere("sentence"),
            "to" => one_of(OF_PERSON),
            "fact" => one_of(OF_FACT),
            "copy_of" | "copy_of[]" | "today" | "lang" if rest.is_empty() => Seen::Yes,
            "copy_of" | "copy_of[]" | "today" | "lang" => Seen::Unknown(Vec::new()),
            "request" => self.request(at, &rest),
            "each" => Seen::NotHere("rules"),
            _ if self.form => {
                Seen::Unknown(["item", "task", "due", "branches", "param", "request", "letter", "today"].map(String::from).to_vec())
            }
            _ => Seen::Unknown(
                ["item", "task", "input", "due", "branches", "param", "request", "letter", "actor", "to", "copy_of", "fact", "today"]
                    .map(String::from)
                    .to_vec(),
            ),
        }
    }

    fn input(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(act) = &self.act else { return Seen::NotHere("input") };
        let Some(part) = rest.first() else { return Seen::Yes };
        let asks = self.asks();
        let (name, each) = entry(part);
        match asks.iter().find(|ask| &*ask.name == name) {
            Some(ask) => {
                let branch = act.branch.filter(|_| ask.records == Some(Holder::Task));
                let recorded = ask.records.and(at.workflow.fields_of(branch.map(|name| &**name))).and_then(|fields| fields.get(&ask.name));
                if recorded.is_some_and(|field| field.secret) {
                    Seen::Secret
                } else {
                    inside(at.workflow, &ask.kind, each, &format!("input.{part}"), &rest[1..])
                }
            }
            None => Seen::Unknown(asks.iter().map(|ask| format!("input.{}", ask.name)).collect()),
        }
    }

    fn request(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(name) = rest.first() else { return Seen::Yes };
        match at.workflow.requests.get(*name) {
            None => Seen::Unknown(at.workflow.requests.keys().map(|name| format!("request.{name}")).collect()),
            Some(request) if request.branch.is_some() && request.branch.as_ref() != self.branch => Seen::NotHere("due"),
            Some(request) => {
                let Some(part) = rest.get(1) else { return Seen::Yes };
                let (asked, each) = entry(part);
                match request.ask.iter().find(|ask| &*ask.name == asked) {
                    Some(ask) => inside(at.workflow, &ask.kind, each, &format!("request.{name}.{part}"), &rest[2..]),
                    None => Seen::Unknown(request.ask.iter().map(|ask| format!("request.{name}.{}", ask.name)).collect()),
                }
            }
        }
    }

    fn due(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(name) = rest.first() else { return Seen::Yes };
        let part = rest.get(1);
        let known = |parts: Vec<&str>| match part {
            Some(&"rungs") if parts.contains(&"reminders") && rest.len() == 3 => {
                let ladders = at.workflow.deadlines.values().flat_map(|deadline| &deadline.ladder);
                match ladders.clone().any(|rung| *rung.rung == *rest[2]) {
                    true => Seen::Yes,
                    false => {
                        let own = self.deadline.iter().flat_map(|(_, deadline)| &deadline.ladder);
                        Seen::Unknown(own.chain(ladders).map(|rung| format!("due.this.rungs.{}", rung.rung)).collect())
                    }
                }
            }
            Some(&"reminders[]") if parts.contains(&"reminders") && rest.len() == 2 => Seen::Yes,
            Some(part) if !parts.contains(part) || rest.len() > 2 => {
                Seen::Unknown(parts.iter().map(|part| format!("due.{name}.{part}")).collect())
            }
            _ => Seen::Yes,
        };
        if *name == "this" {
            if self.form {
                return Seen::NotHere("form");
            }
            return if self.deadline.is_some() { known([OF_DUE, OF_THIS_DUE].concat()) } else { Seen::NotHere("this") };
        }
        match at.workflow.deadlines.get(*name) {
            None => Seen::Unknown(at.workflow.deadlines.keys().map(|name| format!("due.{name}")).collect()),
            Some(deadline) if deadline.branch.is_some() && deadline.branch.as_ref() != self.branch => Seen::NotHere("due"),
            Some(_) => known(OF_DUE.to_vec()),
        }
    }
}

/// A part of a name, and whether it stands for the entries of what it names.
fn entry(part: &str) -> (&str, bool) {
    part.strip_suffix("[]").map_or((part, false), |name| (name, true))
}

/// What stands behind `item.` or `task.`, or behind an entry of a list of branches.
fn field(workflow: &Workflow, of: (&Section<Field>, Option<OnePer>), own: &[&str], view: &str, rest: &[&str]) -> Seen {
    let (fields, one_per) = of;
    let Some(part) = rest.first() else { return Seen::Yes };
    let of_one_per: &[&str] = match one_per {
        Some(OnePer::Unit) => &["unit", "unit_id"],
        Some(OnePer::Person) => &["person", "person_id"],
        None => &[],
    };
    let (name, each) = entry(part);
    let choice = name.strip_suffix("_title").and_then(|name| fields.get(name)).filter(|field| matches!(field.kind, Type::Choice(_)));
    match (fields.get(name), choice) {
        (Some(field), _) | (_, Some(field)) if field.secret => Seen::Secret,
        (Some(field), _) => inside(workflow, &field.kind, each, &format!("{view}.{part}"), &rest[1..]),
        _ if choice.is_some() || own.contains(&name) || of_one_per.contains(&name) => {
            inside(workflow, &Type::Text, each, &format!("{view}.{part}"), &rest[1..])
        }
        _ => {
            let known = fields.iter().filter(|(_, field)| !field.secret).map(|(name, _)| &**name);
            Seen::Unknown(known.chain(own.iter().chain(of_one_per).copied()).map(|name| format!("{view}.{name}")).collect())
        }
    }
}

/// What stands behind a value: nothing, but in the entries of a list of records.
fn inside(workflow: &Workflow, kind: &Type, each: bool, view: &str, rest: &[&str]) -> Seen {
    match kind {
        Type::Optional(kind) => inside(workflow, kind, each, view, rest),
        Type::List(of) if each => inside(workflow, of, false, view, rest),
        Type::Record(kind) if !each => match workflow.branches.get(kind) {
            Some(branch) => field(workflow, (&branch.fields, None), &[], view, rest),
            None => Seen::Yes,
        },
        _ if each || !rest.is_empty() => Seen::Unknown(Vec::new()),
        _ => Seen::Yes,
    }
}

fn branches(workflow: &Workflow, rest: &[&str]) -> Seen {
    let Some(part) = rest.first() else { return Seen::Yes };
    let (kind, each) = entry(part);
    match workflow.branches.get(kind) {
        None => Seen::Unknown(workflow.branches.keys().map(|kind| format!("branches.{kind}")).collect()),
        Some(branch) if each => field(workflow, (&branch.fields, branch.one_per), OF_BRANCH, &format!("branches.{part}"), &rest[1..]),
        Some(_) if rest.len() > 1 => Seen::NotHere("list"),
        Some(_) => Seen::Yes,
    }
}
