//! Sealed fields (E409): nothing that reaches a role which may not see a value yet may be made of it: mails, sentences and conditions
//! of actions, derived and copied fields, reports.

use super::at::{Act, Checked};
use super::graph::Graph;
use super::notices;
use super::placeholders::Place;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use std::collections::{BTreeSet, HashSet};

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for sealed in Sealed::all(at) {
        sealed.mails(&mut problems);
        sealed.conditions(&mut problems);
        sealed.copies(&mut problems);
        sealed.reports(&mut problems);
    }
    hidden_branches(at, &mut problems);
    problems
}

/// How many branches there are, and in which state, is as hidden as what stands in them.
fn hidden_branches(at: &Checked, problems: &mut Vec<Problem>) {
    for (name, report) in &at.workflow.reports {
        let Some((kind, branch)) = report.over.as_ref().and_then(|over| at.workflow.branches.get_key_value(over)) else { continue };
        if branch.visible_to.is_empty() && branch.sealed_until.is_none() {
            continue;
        }
        let until = branch.sealed_until.as_ref().map_or("–", |until| until);
        let problem = at.problem("E409", &format!("reports.{name}.over")).variant("report_over").with("branch", kind);
        problems.push(problem.with("until", until).with("report", name));
    }
}

/// A field that some roles may not see, for ever or until an action.
struct Sealed<'c, 'a> {
    at: &'c Checked<'a>,
    level: Option<&'a Name>,
    name: &'a Name,
    visible_to: &'a [Name],
    until: Option<&'a Name>,
    /// Actions of the same level after which it is open on every way.
    open_after: HashSet<&'a Name>,
}

impl<'c, 'a> Sealed<'c, 'a> {
    fn all(at: &'c Checked<'a>) -> Vec<Sealed<'c, 'a>> {
        let mut all = Vec::new();
        for level in at.levels() {
            let branch = level.and_then(|kind| at.workflow.branches.get(kind));
            let Some(fields) = at.workflow.fields_of(level.map(|name| &**name)) else { continue };
            let graph = std::cell::LazyCell::new(|| Graph::of(at, level));
            for (name, field) in fields {
                let with_branch = branch.filter(|branch| !branch.visible_to.is_empty() || branch.sealed_until.is_some());
                let (visible_to, until) = match with_branch {
                    Some(branch) if field.visible_to.is_empty() && field.sealed_until.is_none() => {
                        (&branch.visible_to[..], branch.sealed_until.as_ref())
                    }
                    _ => (&field.visible_to[..], field.sealed_until.as_ref()),
                };
                if visible_to.is_empty() && until.is_none() {
                    continue;
                }
                let open_after = until.map(|until| open_after(at, &graph, until)).unwrap_or_default();
                let sealed = Sealed { at, level, name, visible_to, until, open_after };
                if !sealed.opened_as_it_is_set() {
                    all.push(sealed);
                }
            }
        }
        all
    }

    /// Whatever records it opens the seal at once: then there is never a value that is hidden.
    fn opened_as_it_is_set(&self) -> bool {
        let holder = if self.level.is_some() { Holder::Task } else { Holder::Item };
        let sets = |act: &&Act| {
            let asked = act
                .action
                .ask
                .iter()
                .chain(act.action.by.iter().flat_map(|by| &by.ask))
                .any(|ask| ask.name == *self.name && ask.records == Some(holder));
            let level = self.level.is_none() || act.branch == self.level;
            level
                && (asked
                    || act.effects().iter().any(|(effects, _)| effects.set.iter().any(|set| set.of == holder && set.field == *self.name)))
        };
        let opens =
            |act: &Act| self.is_open_in(act) && self.until.is_some_and(|until| act.name == until || follows_at_once(self.at, act, until));
        let mut setters = self.at.acts().iter().filter(sets).peekable();
        setters.peek().is_some() && setters.all(opens)
    }

    fn hidden_from<'r>(&self, mut roles: impl Iterator<Item = &'r Name>) -> Option<&'r Name> {
        roles.find(|role| &***role != "system" && !self.visible_to.contains(role))
    }

    fn is_open_in(&self, act: &Act) -> bool {
        act.branch == self.level && self.open_after.contains(act.name)
    }

    fn problem(&self, path: &str) -> Problem {
        self.at.problem("E409", path).with("field", self.name).with("until", self.until.map_or("–", |until| until))
    }

    fn mails(&self, problems: &mut Vec<Problem>) {
        for (name, notice) in &self.at.workflow.notices {
            let roles = notice.to.iter().chain(&notice.cc).flat_map(|recipient| std::iter::once(&recipient.role).chain(&recipient.or));
            let Some(role) = self.hidden_from(roles) else { continue };
            let places = notices::places(self.at, name);
            let sealed: Vec<&Place> = places.iter().filter(|place| !place.act.as_ref().is_some_and(|act| self.is_open_in(act))).collect();
            let body = self.at.templates.get(&notice.template);
            for (text, key) in std::iter::once((&notice.subject, "subject")).chain(body.map(|text| (text, "template"))) {
                if sealed.iter().any(|place| self.read_by_template(text, place)) {
                    problems.push(self.problem(&format!("notices.{name}.{key}")).variant("mail").with("role", role).with("notice", name));
                    break;
                }
            }
        }
    }

    fn read_by_template(&self, text: &str, place: &Place) -> bool {
        let view = if self.level.is_some() { "task" } else { "item" };
        let shown = self.level.is_none() || place.branch == self.level;
        let recorded =
            |ask: &&Ask| ask.name == *self.name && ask.records == Some(if self.level.is_some() { Holder::Task } else { Holder::Item });
        let as_input = place
            .act
            .as_ref()
            .is_some_and(|act| (self.level.is_none() || act.branch == self.level) && act.action.ask.iter().any(|ask| recorded(&ask)));
        let names = self.at.names_read(text);
        let Ok(names) = &*names else { return false };
        names.iter().any(|read| {
            let mut parts = read.name.split('.');
            let (first, second) = (parts.next().unwrap_or_default(), parts.next());
            let own = |part: Option<&str>| match part {
                Some(part) => part == &**self.name || part.strip_suffix("_title") == Some(self.name),
                None => read.whole,
            };
            match first {
                "item" | "task" => shown && first == view && own(second),
                "input" => as_input && own(second),
                "branches" => match (self.level, second) {
                    (Some(kind), Some(branches)) if branches.trim_end_matches("[]") == &**kind => own(parts.next()),
                    (Some(_), None) => read.whole,
                    _ => false,
                },
                _ => false,
            }
        })
    }

    /// A refusal tells whether the condition held.
    fn conditions(&self, problems: &mut Vec<Problem>) {
        for act in self.at.acts().iter().filter(|act| !self.is_open_in(act)) {
            let Some(role) = self.hidden_from(act.action.by.iter().map(|by| &by.role)) else { continue };
            let place = Place { sentence: true, ..Place::of_act(act) };
            for require in &act.action.require {
                if self.read_by(&require.condition) || self.read_by_template(&require.say, &place) {
                    problems.push(
                        self.problem(&format!("{}.if", require.path)).variant("condition").with("role", role).with("action", act.name),
                    );
                }
            }
        }
    }

    /// Values that move into a field which more people may see.
    fn copies(&self, problems: &mut Vec<Problem>) {
        for level in self.at.levels() {
            let base = level.map_or("fields".to_string(), |kind| format!("branches.{kind}.fields"));
            for (name, field) in self.at.workflow.fields_of(level.map(|name| &**name)).into_iter().flatten() {
                if field.is.as_ref().is_some_and(|is| self.read_by(is)) && !self.as_hidden(field) {
                    problems.push(self.problem(&format!("{base}.{name}.is")).variant("copy").with("copy", name));
                }
            }
        }
        for act in self.at.acts().iter().filter(|act| !self.is_open_in(act)) {
            for (effects, path) in act.effects() {
                for set in &effects.set {
                    let SetValue::Expr(expr) = &set.value else { continue };
                    let branch = act.branch.filter(|_| set.of == Holder::Task);
                    let target = self.at.workflow.fields_of(branch.map(|name| &**name)).and_then(|fields| fields.get(&set.field));
                    if self.read_by(expr) && target.is_some_and(|target| !self.as_hidden(target)) {
                        problems.push(self.problem(&format!("{path}.set.{}", set.field)).variant("copy").with("copy", &set.field));
                    }
                }
                // Who sees it there is the other workflow's to say.
                for errand in &effects.errands {
                    for (name, _) in errand.with.iter().filter(|(_, expr)| self.read_by(expr)) {
                        problems.push(self.problem(&format!("{}.with.{name}", errand.path)).variant("copy").with("copy", name));
                    }
                }
            }
        }
    }

    /// Seen by no more roles, and not earlier.
    fn as_hidden(&self, field: &Field) -> bool {
        let fewer = !field.visible_to.is_empty() && field.visible_to.iter().all(|role| self.visible_to.contains(role));
        let later = field.sealed_until.is_none() || field.sealed_until.as_ref() == self.until;
        (fewer || (self.visible_to.is_empty() && field.visible_to.is_empty() && field.sealed_until.is_some())) && later
    }

    /// Figures and lists go to whoever asks for them.
    fn reports(&self, problems: &mut Vec<Problem>) {
        for (name, report) in &self.at.workflow.reports {
            let by = report.keys().iter().filter(|key| self.level.is_none() && super::reports::bare(key) == Some(self.name));
            let read = report.expressions().into_iter().filter(|expr| self.read_by(expr));
            for path in by.map(|key| &key.path).chain(read.map(|expr| &expr.path)) {
                problems.push(self.problem(path).variant("report").with("report", name));
            }
        }
    }

    /// Whether an expression reads the field: by itself, in an aggregate, or through a function.
    fn read_by(&self, expr: &Expr) -> bool {
        let reading = self.at.reads(expr);
        reading.fields.iter().chain(&reading.gathered).any(|(kind, field)| kind.as_ref() == self.level && field == self.name)
    }
}

/// The actions of a level that are the opening one itself, or can only be done after it.
fn open_after<'a>(at: &Checked<'a>, graph: &Graph<'a>, until: &Name) -> HashSet<&'a Name> {
    let is_until = |number: usize| {
        let act = &graph.acts[number];
        act.name == until || act.action.records_as == *until || follows_at_once(at, act, until)
    };
    let open = BTreeSet::from([()]);
    let holds = graph.on_every_path(&BTreeSet::new(), |here, edge| if is_until(edge.act) { open.clone() } else { here.clone() });
    let mut after = HashSet::new();
    for (number, act) in graph.acts.iter().enumerate() {
        let mut edges = graph.edges.iter().filter(|edge| edge.act == number && holds[edge.from].is_some()).peekable();
        let always = edges.peek().is_some() && edges.all(|edge| holds[edge.from].as_ref().is_some_and(|set| !set.is_empty()));
        if is_until(number) || always {
            after.insert(act.name);
        }
    }
    after
}

/// An action that is tried afterwards and cannot be refused: it has no conditions and starts from wherever this one may lead.
fn follows_at_once(at: &Checked, act: &Act, next: &Name) -> bool {
    let Some(next) = at.acts_of(act.branch).find(|other| other.name == next).filter(|next| next.action.require.is_empty()) else {
        return false;
    };
    let tried = |effects: &Effects| effects.then_try.contains(next.name);
    let rows = &act.action.choose;
    let always = tried(&act.action.effects) || (!rows.is_empty() && rows.iter().all(|row| tried(&row.effects)));
    let from = |to: Option<&Name>| match to {
        Some(to) => next.action.from.contains(to),
        None => !act.action.from.is_empty() && act.action.from.iter().all(|from| next.action.from.contains(from)),
    };
    always && act.targets().into_iter().all(|(to, _)| from(to))
}
