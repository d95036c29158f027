//! Every field and length that is named outside expressions is declared (E107, E108), and numbers come once (E320).

use super::at::Checked;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    fields(at, &mut problems);
    lengths(at, &mut problems);
    problems
}

// ---- E107

fn fields(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let (mut derived, mut twice) = (Vec::new(), Vec::new());
    let mut unknown = |branch: Option<&Name>, field: &FieldRef, path: &str| {
        let of = branch.filter(|_| field.of == Holder::Task);
        if field.of == Holder::Task && branch.is_none() {
            problems.push(at.problem("E107", path).variant("no_task").with("name", &field.field));
        } else if at.field_type(of, field).is_none() {
            let known: Vec<&Name> = workflow.fields_of(of.map(|name| &**name)).into_iter().flat_map(|fields| fields.keys()).collect();
            problems.push(at.unknown("E107", path, &field.field, known.iter().map(|name| &***name)));
        }
    };
    for act in at.acts() {
        for (effects, path) in act.effects() {
            effects.set.iter().for_each(|set| unknown(act.branch, &field_ref(set), &format!("{path}.set.{}@", set.field)));
            for open in effects.open.iter().filter(|open| workflow.branches.contains_key(&open.branch)) {
                for set in &open.set {
                    let new = if set.of == Holder::Task { Some(&open.branch) } else { None };
                    unknown(new, &field_ref(set), &format!("{path}.open.{}.set.{}@", open.branch, set.field));
                }
            }
        }
        for sequence in &act.action.sequence {
            let item = |name: &Name| FieldRef { of: Holder::Item, field: name.clone() };
            unknown(None, &item(&sequence.field), &act.key(&format!("sequence.{}@", sequence.field)));
            sequence.per.iter().for_each(|per| unknown(None, &item(per), &act.key("sequence.per")));
            let unique = workflow.fields.get(&sequence.field).is_some_and(|field| field.unique);
            let counted_apart = |per: &&Name| !placeholders(&sequence.format).any(|name| name == &***per);
            if let Some(per) = sequence.per.iter().find(counted_apart).filter(|_| unique) {
                twice.push(at.problem("E320", &act.key("sequence.per")).with("field", &sequence.field).with("per", per));
            }
            for name in placeholders(&sequence.format).filter(|name| *name != "year" && *name != "n") {
                unknown(None, &item(&name.into()), &act.key(&format!("sequence.{}", sequence.field)));
            }
        }
    }
    for (name, deadline) in &workflow.deadlines {
        let branch = deadline.branch.as_ref().filter(|kind| workflow.branches.contains_key(*kind));
        let anchor = deadline.anchor.iter().map(|anchor| (anchor, format!("deadlines.{name}.anchor")));
        let until = rules_of(name, deadline)
            .into_iter()
            .flat_map(|(rule, path)| until_fields(rule).into_iter().map(move |field| (field, path.clone())).collect::<Vec<_>>());
        for (field, path) in anchor.chain(until) {
            unknown(branch, field, &path);
            if is_derived(at, branch, field) {
                derived.push(at.problem("E107", &path).variant("derived").with("name", &field.field));
            }
        }
    }
    for (name, table) in &workflow.tables {
        let used_in: Vec<Option<&Name>> =
            at.workflow.deadlines.values().filter(|deadline| uses_table(deadline, name)).map(|deadline| deadline.branch.as_ref()).collect();
        for (index, row) in table.rows.iter().enumerate() {
            for (field, _) in &row.cells {
                let branch = used_in.iter().flatten().next().copied();
                let view = if field.of == Holder::Task { "task" } else { "item" };
                unknown(branch, field, &format!("tables.{name}.rows[{index}].{view}.{}@", field.field));
            }
        }
    }
    for (name, role) in &workflow.roles {
        for (index, case) in role.who.iter().enumerate() {
            if let Some(field) = field_of(&case.who) {
                // `task` is whatever branch the role is asked in: one that has the field must exist
                let some_branch = workflow.branches.keys().find(|kind| at.field_type(Some(kind), field).is_some());
                unknown(some_branch.or(workflow.branches.keys().next()), field, &format!("roles.{name}.who[{index}]"));
            }
        }
    }
    for key in workflow.reports.values().flat_map(|report| report.keys()) {
        if let Some(field) = super::reports::bare(key) {
            unknown(None, &FieldRef { of: Holder::Item, field: field.clone() }, &key.path);
        }
    }
    problems.extend(derived.into_iter().chain(twice));
}

/// Dates are counted before derived fields are, which may read them.
fn is_derived(at: &Checked, branch: Option<&Name>, field: &FieldRef) -> bool {
    let level = branch.filter(|_| field.of == Holder::Task).map(|name| &**name);
    at.workflow.fields_of(level).and_then(|fields| fields.get(&field.field)).is_some_and(|field| field.is_derived())
}

fn field_ref(set: &Set) -> FieldRef {
    FieldRef { of: set.of, field: set.field.clone() }
}

/// The names in `{…}` of a sequence's format.
pub fn placeholders(format: &str) -> impl Iterator<Item = &str> {
    format
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(inside, _)| inside.split_once(':').map_or(inside, |(name, _)| name))
}

/// Every rule of length in a deadline, with where it stands.
pub fn rules_of<'d>(name: &Name, deadline: &'d Deadline) -> Vec<(&'d LengthRule, String)> {
    let head = if deadline.of_request { "requests" } else { "deadlines" };
    let mut rules = vec![(&deadline.length, format!("{head}.{name}.length"))];
    rules.extend(deadline.extended_to.iter().map(|(fact, rule)| (rule, format!("{head}.{name}.extended_to.{fact}"))));
    rules.extend(deadline.no_later_than.iter().map(|rule| (rule, format!("{head}.{name}.no_later_than"))));
    rules
}

fn table_in(rule: &LengthRule) -> Option<&Name> {
    match rule {
        LengthRule::Table(name) => Some(name),
        LengthRule::EarliestOf(rules) => rules.iter().find_map(table_in),
        _ => None,
    }
}

fn until_fields(rule: &LengthRule) -> Vec<&FieldRef> {
    match rule {
        LengthRule::Until(field) => vec![field],
        LengthRule::EarliestOf(rules) => rules.iter().flat_map(until_fields).collect(),
        _ => Vec::new(),
    }
}

pub fn uses_table(deadline: &Deadline, table: &str) -> bool {
    fn inside(rule: &LengthRule, table: &str) -> bool {
        match rule {
            LengthRule::Table(name) => &**name == table,
            LengthRule::EarliestOf(rules) => rules.iter().any(|rule| inside(rule, table)),
            _ => false,
        }
    }
    rules_of(&"".into(), deadline).iter().any(|(rule, _)| inside(rule, table))
}

/// The field through which a role is found.
pub fn field_of(who: &Who) -> Option<&FieldRef> {
    fn in_path(path: &UnitPath) -> Option<&FieldRef> {
        match path {
            UnitPath::Field(field) => Some(field),
            UnitPath::Named(_) => None,
            UnitPath::CommitteeOf(of) | UnitPath::ParentOf(of) => in_path(of),
        }
    }
    match who {
        Who::Duty(_, path) => in_path(path),
        Who::Person(field) => Some(field),
        Who::Group(_) | Who::System => None,
    }
}

// ---- E108

fn lengths(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    for (name, deadline) in &workflow.deadlines {
        rules_of(name, deadline).into_iter().for_each(|(rule, path)| look_up(at, rule, &path, problems));
        // what a table gives is settled when the deadline starts; a cap is asked for at any time
        let cap = deadline.no_later_than.as_ref().and_then(table_in);
        if let Some(table) = cap.filter(|table| workflow.tables.contains_key(*table)) {
            problems.push(at.problem("E108", &format!("deadlines.{name}.no_later_than")).variant("cap").with("name", table));
        }
    }
    for (name, table) in &workflow.tables {
        for (index, row) in table.rows.iter().enumerate() {
            let path = format!("tables.{name}.rows[{index}].gives");
            if let LengthRule::Table(other) = &row.gives {
                problems.push(at.problem("E108", &path).variant("table").with("name", other));
            }
            look_up(at, &row.gives, &path, problems);
        }
    }
}

fn look_up(at: &Checked, rule: &LengthRule, path: &str, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    match rule {
        LengthRule::Param(name) | LengthRule::Table(name) => {
            let param = workflow.params.get(name);
            if param.is_none() && !workflow.tables.contains_key(name) {
                problems.push(at.unknown("E108", path, name, workflow.params.keys().chain(workflow.tables.keys()).map(|name| &**name)));
            } else if param.is_some_and(|param| param.kind != Type::Duration) && matches!(rule, LengthRule::Param(_)) {
                problems.push(at.problem("E108", path).variant("not_a_length").with("name", name));
            }
        }
        LengthRule::Before(_, deadline) if !workflow.deadlines.contains_key(deadline) => {
            problems.push(at.unknown("E108", path, deadline, workflow.deadlines.keys().map(|name| &**name)).with("what", "deadline"));
        }
        LengthRule::EarliestOf(rules) => {
            rules.iter().enumerate().for_each(|(index, rule)| look_up(at, rule, &format!("{path}.earliest_of[{index}]"), problems))
        }
        _ => {}
    }
}
