//! Which names a template may read at the place where it is filled in: in a mail told by an action, a rung or a sweep, or in a
//! sentence of refusal. It mirrors what `decide::capture` captures.

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

    /// Whether a dotted name (`item.number`) can be read here.
    pub fn sees(&self, at: &Checked<'a>, name: &str) -> Seen {
        let mut parts = name.split('.');
        let (view, rest): (&str, Vec<&str>) = (parts.next().unwrap_or_default(), parts.collect());
        let workflow = at.workflow;
        let one_of = |known: &[&str]| match rest.first() {
            None => Seen::Yes,
            Some(part) if known.contains(part) => Seen::Yes,
            Some(_) => Seen::Unknown(known.iter().map(|part| format!("{view}.{part}")).collect()),
        };
        match view {
            "item" => self.field(&workflow.fields, None, OF_ITEM, view, &rest),
            "task" => match self.branch.and_then(|kind| workflow.branches.get(kind)) {
                Some(branch) => self.field(&branch.fields, branch.one_per, OF_BRANCH, view, &rest),
                None => Seen::NotHere("task"),
            },
            "input" => self.input(at, &rest),
            "due" => self.due(at, &rest),
            "branches" => match rest.first() {
                Some(kind) if !workflow.branches.contains_key(*kind) => {
                    Seen::Unknown(workflow.branches.keys().map(|kind| format!("branches.{kind}")).collect())
                }
                _ if rest.len() > 1 && !matches!(rest[1], "length" | "len") => Seen::NotHere("list"),
                _ => Seen::Yes,
            },
            "param" => one_of(&workflow.params.keys().map(|name| &**name).collect::<Vec<_>>()),
            "letter" => one_of(&workflow.letter.keys().map(String::as_str).collect::<Vec<_>>()),
            "actor" => one_of(OF_PERSON),
            "to" | "copy_of" | "fact" if self.sentence => Seen::NotHere("sentence"),
            "to" => one_of(OF_PERSON),
            "fact" => one_of(OF_FACT),
            "copy_of" | "today" | "lang" => Seen::Yes,
            "request" => self.request(at, &rest),
            "each" => Seen::NotHere("rules"),
            _ => Seen::Unknown(
                ["item", "task", "input", "due", "branches", "param", "request", "letter", "actor", "to", "copy_of", "fact", "today"]
                    .map(String::from)
                    .to_vec(),
            ),
        }
    }

    fn field(&self, fields: &Section<Field>, one_per: Option<OnePer>, own: &[&str], view: &str, rest: &[&str]) -> Seen {
        let Some(part) = rest.first() else { return Seen::Yes };
        let of_one_per: &[&str] = match one_per {
            Some(OnePer::Unit) => &["unit", "unit_id"],
            Some(OnePer::Person) => &["person", "person_id"],
            None => &[],
        };
        let choice = part.strip_suffix("_title").and_then(|name| fields.get(name)).filter(|field| matches!(field.kind, Type::Choice(_)));
        match fields.get(*part).or(choice) {
            Some(field) if field.secret => Seen::Secret,
            Some(_) => Seen::Yes,
            None if own.contains(part) || of_one_per.contains(part) => Seen::Yes,
            None => {
                let known = fields.iter().filter(|(_, field)| !field.secret).map(|(name, _)| &**name);
                Seen::Unknown(known.chain(own.iter().copied()).map(|name| format!("{view}.{name}")).collect())
            }
        }
    }

    fn input(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(act) = &self.act else { return Seen::NotHere("input") };
        let Some(part) = rest.first() else { return Seen::Yes };
        let asks = self.asks();
        match asks.iter().find(|ask| &*ask.name == *part) {
            Some(ask) => {
                let branch = act.branch.filter(|_| ask.records == Some(Holder::Task));
                let recorded = ask.records.and(at.workflow.fields_of(branch.map(|name| &**name))).and_then(|fields| fields.get(&ask.name));
                if recorded.is_some_and(|field| field.secret) { Seen::Secret } else { Seen::Yes }
            }
            None => Seen::Unknown(asks.iter().map(|ask| format!("input.{}", ask.name)).collect()),
        }
    }

    fn request(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(name) = rest.first() else { return Seen::Yes };
        match at.workflow.requests.get(*name) {
            None => Seen::Unknown(at.workflow.requests.keys().map(|name| format!("request.{name}")).collect()),
            Some(request) if request.branch.is_some() && request.branch.as_ref() != self.branch => Seen::NotHere("due"),
            Some(request) => match rest.get(1) {
                Some(part) if !request.ask.iter().any(|ask| &*ask.name == *part) => {
                    Seen::Unknown(request.ask.iter().map(|ask| format!("request.{name}.{}", ask.name)).collect())
                }
                _ => Seen::Yes,
            },
        }
    }

    fn due(&self, at: &Checked<'a>, rest: &[&str]) -> Seen {
        let Some(name) = rest.first() else { return Seen::Yes };
        let part = rest.get(1);
        let known = |parts: Vec<&str>| match part {
            Some(part) if !parts.contains(part) => Seen::Unknown(parts.iter().map(|part| format!("due.{name}.{part}")).collect()),
            _ => Seen::Yes,
        };
        if *name == "this" {
            return if self.deadline.is_some() { known([OF_DUE, OF_THIS_DUE].concat()) } else { Seen::NotHere("this") };
        }
        match at.workflow.deadlines.get(*name) {
            None => Seen::Unknown(at.workflow.deadlines.keys().map(|name| format!("due.{name}")).collect()),
            Some(deadline) if deadline.branch.is_some() && deadline.branch.as_ref() != self.branch => Seen::NotHere("due"),
            Some(_) => known(OF_DUE.to_vec()),
        }
    }
}
