//! What can be read from each view, with its type: the table behind `api`, for one workflow and its directory.

use super::types::{DueOf, InputOf, Ty, join};
use super::{Found, Read};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Action, Ask, Field, OnePer, Scope, Workflow};
use crate::kernel::model::directory::Directory;
use crate::kernel::model::value::Type;
use crate::kernel::rules::Passing;
use crate::kernel::rules::names::{PROPERTIES, canonical};
use rhai::Engine;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// What names mean in one workflow.
pub(super) struct World<'a> {
    pub engine: &'a Engine,
    pub workflow: &'a Workflow,
    pub directory: &'a Directory,
    /// Types of derived fields, once inferred; `None` while that is under way.
    derived: RefCell<HashMap<(Option<Name>, Name), Option<Ty>>>,
}

/// A property that is not there, with those that are.
pub(super) struct NoSuch {
    pub known: Vec<String>,
}

impl<'a> World<'a> {
    pub fn new(engine: &'a Engine, workflow: &'a Workflow, directory: &'a Directory) -> World<'a> {
        World { engine, workflow, directory, derived: RefCell::new(HashMap::new()) }
    }

    /// The type of a declared field, of the item or of a kind of branch.
    pub fn field(&self, branch: Option<&Name>, name: &str) -> Option<Ty> {
        let declared = self.workflow.fields_of(branch.map(|kind| &**kind))?.get_key_value(name);
        if let Some((name, field)) = declared {
            return Some(self.declared(branch, name, field));
        }
        let one_per = self.workflow.branches.get(branch?)?.one_per?;
        match (one_per, name) {
            (OnePer::Unit, "unit") => Some(Ty::Unit),
            (OnePer::Person, "person") => Some(Ty::Person),
            _ => None,
        }
    }

    fn declared(&self, branch: Option<&Name>, name: &Name, field: &Field) -> Ty {
        let kind = Ty::of(&field.kind);
        let Some(expr) = &field.is else {
            return if field.required || field.default.is_some() { kind } else { kind.optional() };
        };
        let key = (branch.cloned(), name.clone());
        if let Some(known) = self.derived.borrow().get(&key) {
            // A circle is told elsewhere.
            return known.clone().unwrap_or_else(|| kind.optional());
        }
        self.derived.borrow_mut().insert(key.clone(), None);
        let empty = super::infer(self, expr).is_optional();
        let ty = if empty { kind.optional() } else { kind };
        self.derived.borrow_mut().insert(key, Some(ty.clone()));
        ty
    }

    pub fn fields_of(&self, branch: Option<&Name>) -> Vec<String> {
        let declared =
            self.workflow.fields_of(branch.map(|kind| &**kind)).into_iter().flat_map(|fields| fields.keys().map(|name| name.to_string()));
        let given = branch.and_then(|kind| self.workflow.branches.get(kind)?.one_per).map(|one_per| match one_per {
            OnePer::Unit => "unit".to_string(),
            OnePer::Person => "person".to_string(),
        });
        declared.chain(given).collect()
    }

    pub fn states(&self, branch: Option<&Name>) -> Vec<Name> {
        self.workflow.states_of(branch.map(|kind| &**kind)).map(|states| states.keys().cloned().collect()).unwrap_or_default()
    }

    /// The kinds of unit that the directory knows.
    fn unit_kinds(&self) -> Ty {
        let mut kinds: Vec<Name> = Vec::new();
        for kind in self.directory.units.values().filter_map(|unit| unit.kind.as_ref()) {
            if !kinds.contains(kind) {
                kinds.push(kind.clone());
            }
        }
        if kinds.is_empty() { Ty::Text } else { Ty::Choice(kinds) }
    }

    /// What an action asks for: its own questions, and those of single roles, which may stay empty.
    pub fn input(&self, branch: Option<&Name>, action: &str) -> Option<Rc<InputOf>> {
        let found = self.action(branch, action)?;
        let asks = found.ask.iter().map(|ask| (ask, ask.required));
        let asks = asks.chain(found.by.iter().flat_map(|by| by.ask.iter().map(|ask| (ask, false))));
        Some(self.input_of(action, asks))
    }

    fn action(&self, branch: Option<&Name>, action: &str) -> Option<&'a Action> {
        let of_branch = branch.and_then(|kind| self.workflow.branches.get(kind)?.actions.get(action));
        of_branch.or_else(|| self.workflow.actions.get(action))
    }

    pub fn request_input(&self, request: &str) -> Option<Rc<InputOf>> {
        let asks = self.workflow.requests.get(request)?.ask.iter().map(|ask| (ask, ask.required));
        Some(self.input_of(request, asks))
    }

    fn input_of<'x>(&self, action: &str, asks: impl Iterator<Item = (&'x Ask, bool)>) -> Rc<InputOf> {
        let mut fields: Vec<(Name, Ty)> = Vec::new();
        for (ask, required) in asks {
            let ty = if required { Ty::of(&ask.kind) } else { Ty::of(&ask.kind).optional() };
            if fields.iter().all(|(name, _)| *name != ask.name) {
                fields.push((ask.name.clone(), ty));
            }
        }
        Rc::new(InputOf { action: action.into(), fields })
    }

    /// The input behind `input of ACTION` in `takes`, where an action may be one of a branch (`BRANCH.action`, or its bare name).
    pub fn input_named(&self, action: &str) -> Option<Rc<InputOf>> {
        if let Some(found) = self.input(None, action) {
            return Some(found);
        }
        if let Some((kind, rest)) = action.split_once('.')
            && self.workflow.branches.get(kind).is_some_and(|branch| branch.actions.contains_key(rest))
        {
            return self.input(Some(&kind.into()), rest);
        }
        let kind = self.workflow.branches.iter().find(|(_, branch)| branch.actions.contains_key(action)).map(|(kind, _)| kind)?;
        self.input(Some(kind), action)
    }

    /// The type of a parameter of a function.
    pub fn parameter(&self, kind: &Type) -> Ty {
        match kind {
            Type::InputView(action) => self.input_named(action).map_or(Ty::Unknown, Ty::Input),
            other => Ty::of(other),
        }
    }

    /// The views that an expression may start from.
    pub fn variable(&self, scope: &Scope, name: &str) -> Option<Ty> {
        Some(match name {
            "item" => Ty::Item,
            "branches" => Ty::Branches,
            "today" => Ty::Date,
            "param" => Ty::Param,
            "due" => Ty::Due(scope.branch.clone().map_or(DueOf::Item, DueOf::Branch)),
            "request" => Ty::Requests(scope.branch.clone()),
            "task" => Ty::Task(scope.branch.clone()?),
            "each" => Ty::of(scope.each.as_ref()?),
            "actor" if scope.action.is_some() || scope.request.is_some() => Ty::Actor,
            "input" if scope.action.is_none() && scope.request.is_none() => return None,
            "input" => {
                // Deciding a request shows what was asked, beside what the decision itself asks for.
                let action = scope.action.as_ref().and_then(|action| self.input(scope.branch.as_ref(), action));
                let request = scope.request.as_ref().and_then(|request| self.request_input(request));
                match (action, request) {
                    (Some(action), Some(request)) => {
                        let more = request.fields.iter().filter(|(name, _)| action.fields.iter().all(|(other, _)| other != name));
                        let fields = action.fields.iter().chain(more).cloned().collect();
                        Ty::Input(Rc::new(InputOf { action: action.action.clone(), fields }))
                    }
                    (Some(input), None) | (None, Some(input)) => Ty::Input(input),
                    (None, None) => Ty::Unknown,
                }
            }
            _ => return None,
        })
    }

    /// What a property is, and what was read by it.
    pub fn property(&self, of: &Ty, spelt: &str, found: &mut Found) -> Result<Ty, NoSuch> {
        let name = canonical(PROPERTIES, spelt);
        let ty = match of.inner() {
            Ty::Unknown | Ty::Nothing => Some(Ty::Unknown),
            Ty::Item => self.of_item(spelt, name, found),
            Ty::Task(kind) => self.of_task(kind, spelt, name, found),
            Ty::AnyTask => {
                let kinds = self.workflow.branches.keys().filter_map(|kind| self.of_task(kind, spelt, name, found));
                kinds.reduce(|a, b| join(&a, &b).unwrap_or(Ty::Unknown)).map(Ty::optional)
            }
            Ty::Record(kind) => self.field(Some(kind), spelt).map(|ty| self.asked_for(kind, spelt, ty)),
            Ty::Input(input) => input.fields.iter().find(|(field, _)| **field == *spelt).map(|(_, ty)| ty.clone()),
            Ty::Due(of) => self.visible(of, spelt).then(|| Ty::Clock(spelt.into())),
            Ty::Clock(_) => {
                if let "days_left" | "working_days_left" | "days_late" | "working_days_late" = name {
                    found.passing.insert(Passing::Day);
                }
                of_clock(name)
            }
            Ty::Branches => self.workflow.branches.get_key_value(spelt).map(|(kind, _)| Ty::Set(kind.clone())),
            Ty::Set(kind) => self.of_set(kind, spelt, name, found),
            Ty::Actor => of_actor(name, self),
            Ty::Param => self.workflow.params.get(spelt).map(|param| Ty::of(&param.kind)),
            Ty::Requests(branch) => {
                let there = |request: &&Name| {
                    self.workflow.requests[*request].branch.is_none() || self.workflow.requests[*request].branch == *branch
                };
                self.workflow.requests.keys().find(|request| ***request == *spelt).filter(there).map(|request| Ty::Asked(request.clone()))
            }
            Ty::Asked(request) => {
                let input = self.request_input(request);
                input.and_then(|input| input.fields.iter().find(|(field, _)| **field == *spelt).map(|(_, ty)| ty.clone().optional()))
            }
            Ty::Unit => {
                found.passing.insert(Passing::Directory);
                match name {
                    "kind" => Some(self.unit_kinds().optional()),
                    "parent" | "committee" => Some(Ty::Unit.optional()),
                    _ => None,
                }
            }
            Ty::List(_) | Ty::Text if name == "len" => return Ok(Ty::Number),
            _ => None,
        };
        match ty {
            // Behind something that may be empty, everything may be.
            Some(ty) if of.is_optional() => Ok(ty.optional()),
            Some(ty) => Ok(ty),
            None => Err(NoSuch { known: self.properties(of) }),
        }
    }

    fn of_item(&self, spelt: &str, name: &str, found: &mut Found) -> Option<Ty> {
        if let "id" | "flag" | "state" = spelt {
            return self.given_by_item(spelt);
        }
        if let Some(ty) = self.field(None, spelt) {
            found.reads.insert(Read { branch: None, field: spelt.into() });
            return Some(ty);
        }
        self.given_by_item(name)
    }

    fn given_by_item(&self, name: &str) -> Option<Ty> {
        Some(match name {
            "id" => Ty::Text,
            "state" => Ty::Choice(self.states(None)),
            "flag" => Ty::Choice(vec!["amber".into(), "red".into()]).optional(),
            _ => return None,
        })
    }

    fn of_task(&self, kind: &Name, spelt: &str, name: &str, found: &mut Found) -> Option<Ty> {
        let state = || Some(Ty::Choice(self.states(Some(kind))));
        if spelt == "state" {
            return state();
        }
        if let Some(ty) = self.field(Some(kind), spelt) {
            found.reads.insert(Read { branch: Some(kind.clone()), field: spelt.into() });
            return Some(ty);
        }
        match name {
            "state" => state(),
            "unit" | "person" => self.field(Some(kind), name),
            _ => None,
        }
    }

    /// In an entry of a list only what is required is sure to be there.
    fn asked_for(&self, kind: &Name, name: &str, ty: Ty) -> Ty {
        let required = self.workflow.branches.get(kind).and_then(|branch| branch.fields.get(name)).is_some_and(|field| field.required);
        if required { ty } else { ty.optional() }
    }

    fn visible(&self, of: &DueOf, deadline: &str) -> bool {
        let Some(deadline) = self.workflow.deadlines.get(deadline) else { return false };
        match (of, &deadline.branch) {
            (DueOf::Any, _) | (_, None) => true,
            (DueOf::Branch(here), Some(branch)) => here == branch,
            (DueOf::Item, Some(_)) => false,
        }
    }

    /// The branch to which a deadline belongs that cannot be read here.
    pub fn branch_of_deadline(&self, of: &Ty, name: &str) -> Option<&'a Name> {
        if !matches!(of, Ty::Due(_)) {
            return None;
        }
        self.workflow.deadlines.get(name)?.branch.as_ref()
    }

    fn of_set(&self, kind: &Name, spelt: &str, name: &str, found: &mut Found) -> Option<Ty> {
        let branch = self.workflow.branches.get(kind)?;
        if branch.views.contains_key(spelt) {
            found.views.insert((kind.clone(), spelt.into()));
            return Some(Ty::Set(kind.clone()));
        }
        Some(match name {
            "all_ended" | "any" => Ty::YesNo,
            "count" | "count_open" => Ty::Number,
            "open_units" | "units" if branch.one_per == Some(OnePer::Unit) => Ty::List(Box::new(Ty::Unit)),
            "open_persons" | "persons" if branch.one_per == Some(OnePer::Person) => Ty::List(Box::new(Ty::Person)),
            _ => return None,
        })
    }

    /// The names that could have stood there.
    fn properties(&self, of: &Ty) -> Vec<String> {
        let texts = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        match of.inner() {
            Ty::Item => self.fields_of(None).into_iter().chain(texts(&["state", "id", "flag", "any_late", "was_late"])).collect(),
            Ty::Task(kind) => self.fields_of(Some(kind)).into_iter().chain(texts(&["state", "any_late", "was_late"])).collect(),
            Ty::Record(kind) => self.fields_of(Some(kind)),
            Ty::AnyTask => {
                let mut names: Vec<String> = self.workflow.branches.keys().flat_map(|kind| self.fields_of(Some(kind))).collect();
                names.sort();
                names.dedup();
                names
            }
            Ty::Input(input) => input.fields.iter().map(|(name, _)| name.to_string()).collect(),
            Ty::Due(of) => self.workflow.deadlines.keys().filter(|name| self.visible(of, name)).map(|name| name.to_string()).collect(),
            Ty::Clock(_) => texts(&[
                "date",
                "times_extended",
                "days_left",
                "working_days_left",
                "days_late",
                "working_days_late",
                "running",
                "was_late",
                "fired(\"…\")",
            ]),
            Ty::Branches => self.workflow.branches.keys().map(|name| name.to_string()).collect(),
            Ty::Set(kind) => {
                let views =
                    self.workflow.branches.get(kind).into_iter().flat_map(|branch| branch.views.keys().map(|name| name.to_string()));
                let lists = match self.workflow.branches.get(kind).and_then(|branch| branch.one_per) {
                    Some(OnePer::Unit) => texts(&["units", "open_units"]),
                    Some(OnePer::Person) => texts(&["persons", "open_persons"]),
                    None => Vec::new(),
                };
                views.chain(lists).chain(texts(&["all_ended", "any", "count", "count_open"])).chain(texts(SET_QUESTIONS)).collect()
            }
            Ty::Actor => texts(&["person", "roles", "unit", "units"]),
            Ty::Param => self.workflow.params.keys().map(|name| name.to_string()).collect(),
            Ty::Requests(branch) => {
                let there = self.workflow.requests.iter().filter(|(_, request)| request.branch.is_none() || request.branch == *branch);
                there.map(|(name, _)| name.to_string()).collect()
            }
            Ty::Asked(request) => {
                self.request_input(request).map(|input| input.fields.iter().map(|(name, _)| name.to_string()).collect()).unwrap_or_default()
            }
            Ty::Unit => texts(&["kind", "parent", "committee"]),
            Ty::List(_) | Ty::Text => texts(&["len"]),
            _ => Vec::new(),
        }
    }

    /// Whether a bare word is an option or a state somewhere: a constant that lost its quotes.
    pub fn is_constant(&self, word: &str) -> bool {
        let levels = || std::iter::once(None).chain(self.workflow.branches.keys().map(|kind| Some(&**kind)));
        let option = |field: &Field| matches!(&field.kind, Type::Choice(options) if options.iter().any(|option| **option == *word));
        levels().any(|level| self.workflow.fields_of(level).is_some_and(|fields| fields.values().any(option)))
            || levels().any(|level| self.workflow.states_of(level).is_some_and(|states| states.contains_key(word)))
    }

    /// Whether a deadline, or one that counts as that word, runs on the item (`None`, its branches included) or on this kind of branch.
    pub fn deadline_names(&self, branch: Option<&Name>) -> Vec<String> {
        let mut names = Vec::new();
        for (name, deadline) in &self.workflow.deadlines {
            if branch.is_some() && deadline.branch.as_ref() != branch {
                continue;
            }
            for name in std::iter::once(name).chain(&deadline.counts_as) {
                if !names.contains(&name.to_string()) {
                    names.push(name.to_string());
                }
            }
        }
        names
    }
}

/// Questions asked of several branches with a constant in brackets.
pub(super) const SET_QUESTIONS: &[&str] =
    &["all_in_state", "any_in_state", "count_in_state", "share_in_state", "any_late", "was_late", "worst", "sum", "earliest", "latest"];

fn of_clock(name: &str) -> Option<Ty> {
    Some(match name {
        "date" => Ty::Date.optional(),
        "times_extended" | "days_left" | "working_days_left" | "days_late" | "working_days_late" => Ty::Number,
        "running" | "was_late" => Ty::YesNo,
        _ => return None,
    })
}

fn of_actor(name: &str, world: &World) -> Option<Ty> {
    Some(match name {
        "person" => Ty::Person.optional(),
        "roles" => {
            let roles = world.workflow.roles.keys().cloned().chain(std::iter::once("system".into()));
            Ty::List(Box::new(Ty::Choice(roles.collect())))
        }
        "units" => Ty::List(Box::new(Ty::Unit)),
        "unit" => Ty::Unit.optional(),
        _ => return None,
    })
}
