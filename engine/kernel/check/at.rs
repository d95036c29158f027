//! What the families of checks look at, and how they say where a mistake stands. The checks themselves are its neighbours.

use super::holders::Known;
use crate::kernel::calendar::Calendar;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::directory::Directory;
use crate::kernel::model::problem::{Place, Places, Problem};
use crate::kernel::model::value::Type;
use crate::kernel::render::{self, NameRead, RenderError};
use crate::kernel::rules::{Reading, Rules};
use indexmap::IndexMap;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// One workflow with everything that its names may point at.
pub struct Checked<'a> {
    pub workflow: &'a Workflow,
    pub places: &'a Places,
    pub directory: &'a Directory,
    /// The wording of notices: stem of the file → text. That of forms is called `forms/NAME.html`.
    pub templates: &'a IndexMap<Name, String>,
    /// Function files: name → text.
    pub functions: &'a IndexMap<String, String>,
    /// What each expression reads, by its id.
    reads: &'a [Reading],
    /// `None` when the head names a calendar that is not there.
    pub calendar: Option<&'a Calendar>,
    acts: Vec<Act<'a>>,
    /// What each template reads: it is asked several times, and reading a template takes longest of all.
    read: RefCell<HashMap<String, Arc<NamesRead>>>,
    known: OnceCell<Known<'a>>,
    lasting_duties: HashSet<(&'a str, &'a str)>,
}

pub type NamesRead = Result<Vec<NameRead>, RenderError>;

/// What a workflow is checked against.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    pub places: &'a Places,
    pub directory: &'a Directory,
    pub templates: &'a IndexMap<Name, String>,
    pub functions: &'a IndexMap<String, String>,
    pub reads: &'a [Reading],
    pub calendar: Option<&'a Calendar>,
}

impl<'a> Surroundings<'a> {
    /// A workflow that has been read, among others.
    pub fn of(rules: &'a Rules, templates: &'a IndexMap<Name, String>, functions: &'a IndexMap<String, String>) -> Surroundings<'a> {
        Surroundings { places: &rules.places, directory: &rules.setting.directory, templates, functions, reads: &[], calendar: None }
    }
}

/// An action with where it belongs and where it stands. The three actions of a request stand under `requests`.
#[derive(Clone)]
pub struct Act<'a> {
    pub branch: Option<&'a Name>,
    pub name: &'a Name,
    pub action: &'a Action,
    pub path: String,
}

impl<'a> Checked<'a> {
    pub fn new(workflow: &'a Workflow, around: Surroundings<'a>) -> Checked<'a> {
        let Surroundings { places, directory, templates, functions, reads, calendar } = around;
        let acts = acts_of(workflow);
        let duties = directory.persons.values().flat_map(|person| &person.duties).filter(|row| row.to.is_none());
        let lasting_duties = duties.map(|row| (&*row.value.duty, &*row.value.unit)).collect();
        let read = RefCell::default();
        Checked { workflow, places, directory, templates, functions, reads, calendar, acts, read, known: OnceCell::new(), lasting_duties }
    }

    /// The names that a template reads.
    pub fn names_read(&self, template: &str) -> Arc<NamesRead> {
        if let Some(known) = self.read.borrow().get(template) {
            return known.clone();
        }
        let names = Arc::new(render::names_read(template));
        self.read.borrow_mut().insert(template.to_string(), names.clone());
        names
    }

    /// What an expression reads; nothing when it cannot be read itself.
    pub fn reads(&self, expr: &Expr) -> &'a Reading {
        static NOTHING: Reading =
            Reading { fields: BTreeSet::new(), gathered: BTreeSet::new(), passing: BTreeSet::new(), states: Vec::new() };
        self.reads.get(expr.id as usize).unwrap_or(&NOTHING)
    }

    /// Which fields certainly have a value, and where.
    pub fn known(&self) -> &Known<'a> {
        self.known.get_or_init(|| Known::of(self))
    }

    /// A field of the item, or of a kind of branch, that is kept out of mails.
    pub fn is_secret(&self, kind: Option<&Name>, field: &str) -> bool {
        self.workflow.fields_of(kind.map(|kind| &**kind)).and_then(|fields| fields.get(field)).is_some_and(|field| field.secret)
    }

    /// Somebody has the duty in the unit, without an end.
    pub fn has_duty(&self, duty: &str, unit: &str) -> bool {
        self.lasting_duties.contains(&(duty, unit))
    }

    /// The place of a path inside this workflow; the workflow's own name as a file when nothing is known of it.
    pub fn place(&self, path: &str) -> Place {
        let full = format!("{}:{path}", self.workflow.name);
        let found = self
            .places
            .find(&full)
            .or_else(|| self.places.find(path))
            .or_else(|| self.places.find(&format!("{}:workflow", self.workflow.name)));
        found.cloned().unwrap_or_else(|| Place { file: self.workflow.name.clone(), line: 1, column: 1, length: 1 })
    }

    pub fn problem(&self, code: &'static str, path: &str) -> Problem {
        Problem::new(code, self.place(path))
    }

    /// A name that means nothing, with the nearest one that does.
    pub fn unknown<'n>(&self, code: &'static str, path: &str, name: &str, known: impl Iterator<Item = &'n str>) -> Problem {
        let known: Vec<&str> = known.collect();
        let problem = self.problem(code, path).with("name", name).with("known", list(&known));
        match nearest(name, known.iter().copied()) {
            Some(near) => problem.variant("near").with("near", near),
            None => problem,
        }
    }

    pub fn no_option(&self, path: &str, value: &str, field: &str, options: &[Name]) -> Problem {
        self.problem("E216", path).variant("cell").with("value", value).with("field", field).with("options", list(options))
    }

    /// The item (`None`) and every kind of branch.
    pub fn levels(&self) -> Vec<Option<&'a Name>> {
        let branches = self.workflow.branches.keys().map(Some);
        std::iter::once(None).chain(branches).collect()
    }

    /// Every action of the item and of its branches.
    pub fn acts(&self) -> &[Act<'a>] {
        &self.acts
    }

    pub fn acts_of(&self, branch: Option<&Name>) -> impl Iterator<Item = &Act<'a>> {
        self.acts.iter().filter(move |act| act.branch == branch)
    }

    /// The actions whose facts a name means, read in a branch of this kind or in the item: an own action, one of the item, or `BRANCH.action`.
    pub fn facts(&self, branch: Option<&Name>, fact: &str) -> Vec<Act<'a>> {
        let of = |wanted: Option<&Name>| -> Vec<Act<'a>> {
            self.acts_of(wanted).filter(|act| &*act.action.records_as == fact).cloned().collect()
        };
        let own = of(branch);
        if !own.is_empty() {
            return own;
        }
        let of_item = of(None);
        if !of_item.is_empty() {
            return of_item;
        }
        let outside = |act: &&Act| {
            act.branch
                .is_some_and(|kind| fact.strip_prefix(&**kind).and_then(|rest| rest.strip_prefix('.')) == Some(&*act.action.records_as))
        };
        self.acts.iter().filter(outside).cloned().collect()
    }

    /// Whether a name is the opening of the branch that a deadline belongs to.
    pub fn is_opening(&self, branch: Option<&Name>, fact: &str) -> bool {
        branch.is_some() && fact == "opened"
    }

    /// The names of facts that may stand in a deadline of this level.
    pub fn fact_names(&self, branch: Option<&Name>) -> Vec<String> {
        let mut names: Vec<String> = branch.map(|_| "opened".to_string()).into_iter().collect();
        for act in self.acts() {
            let fact = &act.action.records_as;
            match act.branch {
                Some(kind) if Some(kind) != branch => names.push(format!("{kind}.{fact}")),
                _ => names.push(fact.to_string()),
            }
        }
        names
    }

    /// The declared type of a field; what the engine itself gives a branch counts too.
    pub fn field_type(&self, branch: Option<&Name>, field: &FieldRef) -> Option<Type> {
        let branch = match field.of {
            Holder::Item => None,
            Holder::Task => Some(branch?),
            Holder::Input => return None,
        };
        let own = self.workflow.fields_of(branch.map(|name| &**name))?.get(&field.field).map(|declared| declared.kind.clone());
        own.or_else(|| {
            let one_per = self.workflow.branches.get(branch?)?.one_per?;
            match (one_per, &*field.field) {
                (OnePer::Unit, "unit") => Some(Type::Unit),
                (OnePer::Person, "person") => Some(Type::Person),
                _ => None,
            }
        })
    }
}

fn acts_of(workflow: &Workflow) -> Vec<Act<'_>> {
    let of_item = workflow.actions.iter().map(|(name, action)| (None, name, action));
    let of_branches =
        workflow.branches.iter().flat_map(|(kind, branch)| branch.actions.iter().map(move |(name, action)| (Some(kind), name, action)));
    let acts = of_item.chain(of_branches).map(|(branch, name, action)| {
        let path = match (&action.request, branch) {
            (Some((request, _)), _) => format!("requests.{request}"),
            (None, Some(branch)) => format!("branches.{branch}.actions.{name}"),
            (None, None) => format!("actions.{name}"),
        };
        Act { branch, name, action, path }
    });
    acts.collect()
}

impl<'a> Act<'a> {
    /// Where one of its keys stands.
    pub fn key(&self, key: &str) -> String {
        format!("{}.{key}", self.path)
    }

    /// Where its own name stands.
    pub fn at(&self) -> String {
        format!("{}@", self.path)
    }

    /// Where the row of `by` stands.
    pub fn by(&self, index: usize) -> String {
        match &self.action.request {
            Some((_, RequestStep::Ask)) => format!("{}.ask_by[{index}]", self.path),
            Some(_) => format!("{}.decide_by[{index}]", self.path),
            None => format!("{}.by[{index}]", self.path),
        }
    }

    fn outcome(&self) -> String {
        match &self.action.request {
            Some((_, RequestStep::Approve)) => format!("{}.approve", self.path),
            Some((_, RequestStep::Refuse)) => format!("{}.refuse", self.path),
            _ => self.path.clone(),
        }
    }

    /// Its own effects and those of each row of `choose`, with where they stand.
    pub fn effects(&self) -> Vec<(&'a Effects, String)> {
        let rows = self.action.choose.iter().enumerate().map(|(row, choose)| (&choose.effects, format!("{}.choose[{row}]", self.path)));
        std::iter::once((&self.action.effects, self.outcome())).chain(rows).collect()
    }

    /// The states it may lead to, with where they are named; `None` is to stay.
    pub fn targets(&self) -> Vec<(Option<&'a Name>, String)> {
        if self.action.choose.is_empty() {
            return vec![(self.action.to.as_ref(), format!("{}.to", self.outcome()))];
        }
        let rows = self.action.choose.iter().enumerate();
        rows.map(|(row, choose)| (choose.to.as_ref().or(self.action.to.as_ref()), format!("{}.choose[{row}].to", self.path))).collect()
    }

    pub fn is_by(&self, role: &str) -> bool {
        self.action.by.iter().any(|by| &*by.role == role || by.on_behalf_of.as_deref() == Some(role))
    }

    pub fn only_system(&self) -> bool {
        !self.action.by.is_empty() && self.action.by.iter().all(|by| &*by.role == "system")
    }
}

/// The candidate that was probably meant: few letters differ, or one is the beginning of the other.
pub fn nearest<'n>(name: &str, candidates: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let length = name.chars().count();
    let allowed = (length / 3).max(1);
    let scored = candidates.filter(|candidate| *candidate != name).map(|candidate| {
        let distance = strsim::damerau_levenshtein(name, candidate);
        let begins = length >= 3 && (candidate.starts_with(name) || (candidate.chars().count() >= 3 && name.starts_with(candidate)));
        (if begins { distance.min(allowed) } else { distance }, candidate)
    });
    scored
        .filter(|(distance, candidate)| *distance <= allowed && *distance < candidate.chars().count().max(length))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Names for a sentence, at most twelve of them.
pub fn list<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        return "–".to_string();
    }
    let mut text = names.iter().take(12).map(|name| format!("`{}`", name.as_ref())).collect::<Vec<_>>().join(" ");
    if names.len() > 12 {
        text.push_str(" …");
    }
    text
}

/// The identifiers in an expression or a function, those inside quotation marks too.
pub fn words(source: &str) -> impl Iterator<Item = &str> {
    source.split(|letter: char| !letter.is_alphanumeric() && letter != '_').filter(|word| !word.is_empty())
}
