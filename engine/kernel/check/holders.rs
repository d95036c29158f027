//! Whom a role may turn out to be, judged by the directory and by which fields certainly have a value: the question behind
//! several checks is always whether it may be nobody.

use super::at::{Checked, list};
use super::fields::field_of;
use super::graph::{Graph, sets};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::directory::{Dated, Directory, Unit};
use crate::kernel::time::Date;
use std::collections::{BTreeSet, HashSet};

/// Why a role may be held by nobody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Nobody {
    /// Every case has a `when`.
    NoCase,
    /// The field through which it is found may be empty.
    Field(Name),
    /// Nobody is in the group, or only until a day.
    Group(Name),
    /// Nobody has the duty in these units, although others of their kind have somebody.
    Duty(Name, Vec<Name>),
    /// These units have no committee or parent, although others of their kind have.
    Relation(Vec<Name>),
}

impl Nobody {
    /// The variant of the text and what it speaks of.
    pub fn told(&self) -> (&'static str, String) {
        match self {
            Nobody::NoCase => ("no_case", String::new()),
            Nobody::Field(field) => ("field", field.to_string()),
            Nobody::Group(group) => ("group", group.to_string()),
            Nobody::Duty(duty, units) => ("duty", format!("`{duty}`: {}", list(units))),
            Nobody::Relation(units) => ("relation", list(units)),
        }
    }
}

/// The roles that anything names.
pub fn roles_used<'a>(at: &Checked<'a>) -> HashSet<&'a str> {
    let workflow = at.workflow;
    let mut used: HashSet<&str> = recipients_used(at);
    for act in at.acts() {
        used.extend(act.action.by.iter().flat_map(|by| std::iter::once(&*by.role).chain(by.on_behalf_of.as_deref())));
    }
    for level in at.levels() {
        let level = level.map(|name| &**name);
        used.extend(workflow.states_of(level).into_iter().flatten().filter_map(|(_, state)| state.owner.as_deref()));
        used.extend(workflow.fields_of(level).into_iter().flatten().flat_map(|(_, field)| field.visible_to.iter().map(|role| &**role)));
    }
    used.extend(workflow.branches.values().flat_map(|branch| branch.visible_to.iter().map(|role| &**role)));
    used.extend(workflow.amend_by.iter().map(|role| &**role));
    used.extend(workflow.imports.values().flat_map(|import| import.steps.iter().map(|step| &*step.by)));
    used
}

/// The roles to which mail may be written.
pub fn recipients_used<'a>(at: &Checked<'a>) -> HashSet<&'a str> {
    let recipients = at.workflow.notices.values().flat_map(|notice| notice.to.iter().chain(&notice.cc));
    recipients.flat_map(|recipient| std::iter::once(&*recipient.role).chain(recipient.or.as_deref())).collect()
}

/// What the directory lacks for a role, by the index of its case; empty when everybody is there.
pub fn gaps(at: &Checked, role: &Role) -> Vec<(usize, Nobody)> {
    let staff = Staff { at };
    let mut gaps = Vec::new();
    for (index, case) in role.who.iter().enumerate() {
        match &case.who {
            Who::Group(group) if staff.lasting_group(group) => {}
            Who::Group(group) => gaps.push((index, Nobody::Group(group.clone()))),
            Who::Duty(duty, path) => gaps.extend(staff.duty_gaps(duty, path).into_iter().map(|gap| (index, gap))),
            Who::Person(_) | Who::System => {}
        }
    }
    gaps
}

/// Who is where for good: rows of the directory without an end.
struct Staff<'c, 'a> {
    at: &'c Checked<'a>,
}

impl Staff<'_, '_> {
    fn directory(&self) -> &Directory {
        self.at.directory
    }

    fn lasting_group(&self, group: &str) -> bool {
        self.directory().persons.values().any(|person| person.groups.iter().any(|row| &*row.value == group && row.to.is_none()))
    }

    fn duty_gaps(&self, duty: &str, path: &UnitPath) -> Vec<Nobody> {
        let mut gaps = Vec::new();
        let units: Vec<Name> = self.units_at(path, &mut gaps);
        let lacking: Vec<Name> = units
            .into_iter()
            .filter(|id| self.directory().units.contains_key(id) && !self.at.has_duty(duty, self.directory().successor(id, Date::MAX)))
            .collect();
        if !lacking.is_empty() {
            gaps.push(Nobody::Duty(duty.into(), lacking));
        }
        gaps
    }

    /// The units that a path may lead to. A field may hold any unit; meant are those of the kinds in which every duty that any role
    /// asks for by the same path is held by somebody.
    fn units_at(&self, path: &UnitPath, gaps: &mut Vec<Nobody>) -> Vec<Name> {
        let units = &self.directory().units;
        match path {
            UnitPath::Named(unit) => vec![unit.clone()],
            UnitPath::CommitteeOf(of) => self.related(of, |unit| &unit.committee, gaps),
            UnitPath::ParentOf(of) => self.related(of, |unit| &unit.parent, gaps),
            UnitPath::Field(_) => {
                let cases = self.at.workflow.roles.values().flat_map(|role| &role.who);
                let duties: BTreeSet<&Name> = cases
                    .filter_map(|case| if let Who::Duty(duty, of) = &case.who { (of == path).then_some(duty) } else { None })
                    .collect();
                let meant = |kind: Option<&Name>| {
                    duties.iter().all(|duty| units.iter().any(|(id, unit)| unit.kind.as_ref() == kind && self.at.has_duty(duty, id)))
                };
                let kinds: HashSet<Option<&Name>> = units.values().map(|unit| unit.kind.as_ref()).filter(|kind| meant(*kind)).collect();
                units.iter().filter(|(_, unit)| kinds.contains(&unit.kind.as_ref())).map(|(id, _)| id.clone()).collect()
            }
        }
    }

    fn related(&self, from: &UnitPath, relation: fn(&Unit) -> &Vec<Dated<Name>>, gaps: &mut Vec<Nobody>) -> Vec<Name> {
        let units = &self.directory().units;
        let from = self.units_at(from, gaps);
        let with: HashSet<Option<&Name>> =
            units.values().filter(|unit| !relation(unit).is_empty()).map(|unit| unit.kind.as_ref()).collect();
        let lasts = |unit: &Unit| relation(unit).iter().any(|row| row.to.is_none());
        let now = |id: &Name| self.directory().standing_for(id, Date::MAX);
        let lacks = |id: &&Name| now(id).is_some_and(|unit| !lasts(unit) && with.contains(&unit.kind.as_ref()));
        let lacking: Vec<Name> = from.iter().filter(lacks).cloned().collect();
        if !lacking.is_empty() {
            gaps.push(Nobody::Relation(lacking));
        }
        let reached: BTreeSet<Name> =
            from.iter().filter_map(now).flat_map(|unit| relation(unit).iter().map(|row| row.value.clone())).collect();
        units.keys().filter(|id| reached.contains(*id)).cloned().collect()
    }
}

/// Which fields certainly have a value, in the item and in each kind of branch.
pub struct Known<'a> {
    graphs: Vec<(Graph<'a>, Vec<Option<BTreeSet<Name>>>)>,
}

impl<'a> Known<'a> {
    pub fn of(at: &Checked<'a>) -> Known<'a> {
        let graphs = at.levels().into_iter().map(|level| Graph::of(at, level));
        let with_fields = graphs.map(|graph| {
            let set = graph.fields_set(at);
            (graph, set)
        });
        Known { graphs: with_fields.collect() }
    }

    pub fn graph(&self, branch: Option<&Name>) -> Option<&(Graph<'a>, Vec<Option<BTreeSet<Name>>>)> {
        self.graphs.iter().find(|(graph, _)| graph.branch == branch)
    }

    /// Whether a field may be empty after an action was done (`None`: after the branch was opened).
    pub fn may_be_empty_after(&self, at: &Checked<'a>, branch: Option<&Name>, act: Option<&super::at::Act<'a>>, field: &FieldRef) -> bool {
        let holder = field.of;
        let level = if holder == Holder::Task { branch } else { None };
        let Some((graph, known)) = self.graph(level) else { return false };
        if level.is_none() && self.set_by_branches(at, &field.field) {
            return false;
        }
        match act {
            Some(act) if act.branch == level => {
                let Some(number) = graph.acts.iter().position(|other| other.name == act.name) else { return false };
                if act.action.creates {
                    return !graph.fields_at_start(at).contains(&field.field);
                }
                let mut edges = graph.edges.iter().filter(|edge| edge.act == number && graph.reached[edge.from]);
                edges.any(|edge| {
                    let mut here = known[edge.from].clone().unwrap_or_default();
                    sets(act, edge.row.map(|row| &act.action.choose[row].effects), holder, &mut here);
                    known[edge.from].is_some() && !here.contains(&field.field)
                })
            }
            None if level.is_some() => !graph.fields_at_start(at).contains(&field.field),
            // known in the item when its branch is opened, or in the branch whatever happens in the item
            _ if level.is_none() => {
                let opens = |act: &&super::at::Act| {
                    act.effects().iter().any(|(effects, _)| effects.open.iter().any(|open| Some(&open.branch) == branch))
                };
                let mut openers = at.acts_of(None).filter(opens);
                openers.any(|opener| self.may_be_empty_after(at, None, Some(opener), field))
            }
            _ => known.iter().flatten().any(|set| !set.contains(&field.field)),
        }
    }

    /// Whether a field may be empty when a deadline starts.
    pub fn may_be_empty_at_start(&self, at: &Checked<'a>, deadline: &Deadline, field: &FieldRef) -> bool {
        let branch = deadline.branch.as_ref();
        let starts = deadline.starts_on.iter().flat_map(|fact| match at.is_opening(branch, fact) {
            true => vec![None],
            false => at.facts(branch, fact).into_iter().map(Some).collect(),
        });
        starts.into_iter().any(|act| self.may_be_empty_after(at, branch, act.as_ref(), field))
            || deadline.runs_in.iter().any(|state| self.may_be_empty_in(at, branch, state, field))
    }

    /// An action of a branch records it: when, cannot be told from the flow of the item.
    fn set_by_branches(&self, at: &Checked<'a>, field: &Name) -> bool {
        at.acts().iter().any(|act| act.branch.is_some() && sets_item(act, field))
    }

    /// Whether a field may be empty in a state of the item or of a branch.
    pub fn may_be_empty_in(&self, at: &Checked<'a>, branch: Option<&Name>, state: &str, field: &FieldRef) -> bool {
        let level = if field.of == Holder::Task { branch } else { None };
        if level != branch || (level.is_none() && self.set_by_branches(at, &field.field)) {
            return false;
        }
        let Some((graph, known)) = self.graph(level) else { return false };
        let index = graph.states.iter().position(|(name, _)| &***name == state);
        index.and_then(|index| known[index].as_ref()).is_some_and(|set| !set.contains(&field.field))
    }
}

fn sets_item(act: &super::at::Act, field: &Name) -> bool {
    let asked = act.action.ask.iter().any(|ask| ask.records == Some(Holder::Item) && ask.name == *field);
    asked || act.effects().iter().any(|(effects, _)| effects.set.iter().any(|set| set.of == Holder::Item && set.field == *field))
}

/// The fields through which a role is found.
pub fn fields_of_role(role: &Role) -> Vec<&FieldRef> {
    role.who.iter().filter_map(|case| field_of(&case.who)).collect()
}
