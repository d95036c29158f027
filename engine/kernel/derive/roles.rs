//! Who holds a role in an item on a day, through the directory.

use super::view;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{FieldRef, Holder, UnitPath, Who};
use crate::kernel::model::directory::Unit;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Value;
use crate::kernel::rules::{EvalError, Rules, View};
use crate::kernel::time::Date;
use std::sync::Arc;

/// The role that is the engine itself.
pub const SYSTEM: &str = "system";

/// The roles in whose hands an item and its open branches are, each with the branch.
pub fn owners<'r>(rules: &'r Rules, item: &Item) -> Vec<(&'r Name, Option<u32>)> {
    let workflow = &rules.setting.workflow;
    let owner = |kind: Option<&str>, state: &Name| workflow.states_of(kind)?.get(state)?.owner.as_ref();
    let own = owner(None, &item.state).filter(|_| !item.ended).map(|role| (role, None));
    let open = item.branches.iter().filter(|branch| !branch.ended);
    own.into_iter().chain(open.filter_map(|branch| Some((owner(Some(&branch.kind), &branch.state)?, Some(branch.no))))).collect()
}

/// Whether nobody holds a role: a field may still name somebody whom the directory does not know any more. What cannot be asked is held.
pub fn nobody(rules: &Rules, item: &Arc<Item>, role: &str, task: Option<u32>) -> bool {
    let known = |holder: &Name| rules.setting.directory.persons.contains_key(holder);
    holders(rules, item, role, task, item.today).is_ok_and(|holders| !holders.iter().any(known))
}

/// The persons who hold a role, seen from the item or one of its branches. Stand-ins are not counted in.
pub fn holders(rules: &Rules, item: &Arc<Item>, role: &str, task: Option<u32>, day: Date) -> Result<Vec<Name>, EvalError> {
    let Some(role) = rules.setting.workflow.roles.get(role) else { return Ok(Vec::new()) };
    for case in &role.who {
        let holds = match &case.when {
            None => true,
            Some(condition) => rules.scripts.holds(condition, &View { today: day, ..view(rules, item, task) })?,
        };
        if holds {
            return Ok(persons(rules, item, &case.who, task, day));
        }
    }
    Ok(Vec::new())
}

/// How a person has a role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    Own,
    /// As the stand-in of somebody who is away.
    For(Name),
}

impl Standing {
    pub fn absent(self) -> Option<Name> {
        match self {
            Standing::Own => None,
            Standing::For(absent) => Some(absent),
        }
    }
}

/// How a person has a role on a day, if they do: their own comes before one that they have for somebody else.
pub fn standing(
    rules: &Rules,
    item: &Arc<Item>,
    role: &str,
    task: Option<u32>,
    person: &str,
    day: Date,
) -> Result<Option<Standing>, EvalError> {
    let directory = &rules.setting.directory;
    let holders = holders(rules, item, role, task, day)?;
    if holders.iter().any(|holder| &**holder == person) {
        return Ok(Some(Standing::Own));
    }
    let absent = holders.into_iter().find(|holder| directory.stand_in(holder, day).is_some_and(|stand_in| &**stand_in == person));
    Ok(absent.map(Standing::For))
}

/// Whether a person holds a role, or stands in today for somebody who does.
pub fn holds(rules: &Rules, item: &Arc<Item>, role: &str, task: Option<u32>, person: &str, day: Date) -> Result<bool, EvalError> {
    Ok(standing(rules, item, role, task, person, day)?.is_some())
}

/// The unit by whose duty a person holds a role; none where it is no matter of units.
pub fn unit_of(rules: &Rules, item: &Arc<Item>, role: &str, task: Option<u32>, person: &Name, day: Date) -> Option<Name> {
    let (directory, role) = (&rules.setting.directory, rules.setting.workflow.roles.get(role)?);
    let duties = role.who.iter().filter_map(|case| match &case.who {
        Who::Duty(duty, path) => Some((duty, path)),
        _ => None,
    });
    let mut units = duties.flat_map(|(duty, path)| units(rules, item, path, task, day).into_iter().map(move |unit| (duty, unit)));
    units.find(|(duty, unit)| directory.duty(duty, unit, day).contains(person)).map(|(_, unit)| directory.successor(&unit, day).into())
}

/// Every role that a person holds in the item or one of its branches.
pub fn roles_of(rules: &Rules, item: &Arc<Item>, task: Option<u32>, person: &str, day: Date) -> Result<Vec<Name>, EvalError> {
    let mut out = Vec::new();
    for role in rules.setting.workflow.roles.keys() {
        if holds(rules, item, role, task, person, day)? {
            out.push(role.clone());
        }
    }
    Ok(out)
}

/// Whether a person could hold a role in some item: they are in its group, or have its duty somewhere today. Who is named by an item alone
/// could not be told.
pub fn could_hold(rules: &Rules, role: &str, person: &str, day: Date) -> bool {
    let directory = &rules.setting.directory;
    let Some(role) = rules.setting.workflow.roles.get(role) else { return false };
    let of = |person: &str| {
        let Some(known) = directory.persons.get(person) else { return false };
        role.who.iter().any(|case| match &case.who {
            Who::System | Who::Person(_) => false,
            Who::Group(group) => known.groups.iter().any(|row| row.value == *group && row.holds_on(day)),
            Who::Duty(duty, path) => {
                let fits = |unit: &Name| match path {
                    UnitPath::Named(named) => named == unit,
                    UnitPath::Field(_) => true,
                    UnitPath::CommitteeOf(_) => directory.units.values().any(|below| below.committee_on(day) == Some(unit)),
                    UnitPath::ParentOf(_) => directory.units.values().any(|below| below.parent_on(day) == Some(unit)),
                };
                known.duties.iter().any(|row| row.value.duty == *duty && row.holds_on(day) && fits(&row.value.unit))
            }
        })
    };
    of(person) || directory.persons.keys().any(|other| directory.stand_in(other, day).is_some_and(|by| **by == *person) && of(other))
}

fn persons(rules: &Rules, item: &Item, who: &Who, task: Option<u32>, day: Date) -> Vec<Name> {
    let directory = &rules.setting.directory;
    match who {
        Who::System => Vec::new(),
        Who::Group(group) => directory.group(group, day),
        Who::Person(field) => texts(read(item, task, field)),
        Who::Duty(duty, path) => {
            let mut out: Vec<Name> = Vec::new();
            for unit in units(rules, item, path, task, day) {
                for person in directory.duty(duty, &unit, day) {
                    if !out.contains(&person) {
                        out.push(person);
                    }
                }
            }
            out
        }
    }
}

/// The units that a path leads to on a day; the committee of one that was merged into another is that of the other.
pub fn units(rules: &Rules, item: &Item, path: &UnitPath, task: Option<u32>, day: Date) -> Vec<Name> {
    let directory = &rules.setting.directory;
    let up = |path: &UnitPath, step: fn(&Unit, Date) -> Option<&Name>| {
        let below = units(rules, item, path, task, day);
        let step = |unit: &Name| step(directory.standing_for(unit, day)?, day).cloned();
        below.iter().filter_map(step).collect()
    };
    match path {
        UnitPath::Named(unit) => vec![unit.clone()],
        UnitPath::Field(field) => texts(read(item, task, field)),
        UnitPath::CommitteeOf(path) => up(path, Unit::committee_on),
        UnitPath::ParentOf(path) => up(path, Unit::parent_on),
    }
}

pub(super) fn read<'a>(item: &'a Item, task: Option<u32>, field: &FieldRef) -> &'a Value {
    let fields = match field.of {
        Holder::Item => Some(&item.fields),
        Holder::Task => task.and_then(|no| item.branch(no)).map(|branch| &branch.fields),
        Holder::Input => None,
    };
    fields.and_then(|fields| fields.get(&field.field)).unwrap_or(&Value::Empty)
}

pub(super) fn texts(value: &Value) -> Vec<Name> {
    match value {
        Value::Text(text) => vec![text.clone()],
        Value::List(list) => list.iter().filter_map(|value| value.as_text().cloned()).collect(),
        _ => Vec::new(),
    }
}
