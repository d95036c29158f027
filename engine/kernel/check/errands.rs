//! What workflows ask of each other, sweeps make and actions freeze: the other workflow is there (E115), its action is one of the system that
//! begins an item or moves one, and gets what it asks for (E321), its report has what is frozen (E323). It is looked at when all workflows of the rule set have been read.

use super::at::{Act, Checked, Surroundings};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::report::Shape;
use crate::kernel::model::value::Type;
use crate::kernel::rules::{Rules, Scripts, reads_entered};
use indexmap::IndexMap;
use std::collections::HashSet;

/// What is asked: of which workflow, which action, with what, and where it says so.
struct Asked<'a> {
    workflow: &'a Name,
    action: &'a Name,
    /// A new item, instead of one that is there.
    makes: bool,
    with: &'a [(Name, Expr)],
    path: String,
}

/// E405: what is kept out of mails does not leave the item either. It is looked at with the workflow itself, where it is known what its
/// expressions read.
pub fn secrets(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    for act in at.acts() {
        let asked_for = |ask: &&Ask| match ask.records {
            Some(Holder::Task) => at.is_secret(act.branch, &ask.name),
            Some(_) => at.is_secret(None, &ask.name),
            None => false,
        };
        let entered: Vec<&Name> = act.action.ask.iter().filter(asked_for).map(|ask| &ask.name).collect();
        for errand in act.effects().into_iter().flat_map(|(effects, _)| &effects.errands) {
            for (name, expr) in &errand.with {
                let recorded =
                    at.reads(expr).fields.iter().find(|(kind, field)| at.is_secret(kind.as_ref(), field)).map(|(_, field)| field);
                if let Some(field) = recorded.or_else(|| entered.iter().copied().find(|field| reads_entered(&expr.source, field))) {
                    problems.push(at.problem("E405", &format!("{}.with.{name}", errand.path)).variant("sent").with("name", field));
                }
            }
        }
    }
    problems
}

/// `workflows` by name; those that could not be read are missing, and `whole` says whether none is.
pub fn check(workflows: &IndexMap<Name, Rules>, whole: bool) -> Vec<Problem> {
    let (templates, functions) = (IndexMap::new(), IndexMap::new());
    let mut problems = Vec::new();
    for rules in workflows.values() {
        let setting = &rules.setting;
        let at = Checked::new(&setting.workflow, Surroundings::of(rules, &templates, &functions));
        named_fields(&at, &mut problems);
        for errand in at.acts().iter().flat_map(Act::effects).flat_map(|(effects, _)| &effects.errands) {
            if let ErrandTo::New { id, .. } = &errand.to {
                id_form(&at, id, &format!("{}.id", errand.path), false, &mut problems);
            }
        }
        for (name, sweep) in &setting.workflow.sweeps {
            if let Some(creates) = &sweep.creates {
                id_form(&at, &creates.id, &format!("sweeps.{name}.creates.id"), true, &mut problems);
            }
        }
        frozen(&at, workflows, whole, &mut problems);
        let mut wanted = Vec::new();
        for asked in all(&at) {
            match workflows.get(asked.workflow) {
                Some(other) => received(&at, &asked, &other.setting.workflow, &mut wanted, &mut problems),
                None if whole => {
                    let known = workflows.keys().map(|name| &**name);
                    problems.push(at.unknown("E115", &format!("{}.workflow", asked.path), asked.workflow, known));
                }
                None => {}
            }
        }
        if !wanted.is_empty() {
            problems.extend(Scripts::fit(&setting.workflow, &rules.places, &setting.directory, &wanted));
        }
    }
    problems
}

/// The system actions of each workflow that others ask for: something starts them.
pub fn arrivals(workflows: &IndexMap<Name, Rules>) -> HashSet<(Name, Name)> {
    let of = |workflow: &Workflow| {
        let effects = acts(workflow).into_iter().flat_map(|action| {
            std::iter::once(&action.effects).chain(action.choose.iter().map(|row| &row.effects)).flat_map(|effects| &effects.errands)
        });
        let asked = effects.map(|errand| (errand.workflow.clone(), errand.action.clone()));
        let made = workflow.sweeps.values().filter_map(|sweep| Some((workflow.name.clone(), sweep.creates.as_ref()?.action.clone())));
        asked.chain(made).collect::<Vec<_>>()
    };
    workflows.values().flat_map(|rules| of(&rules.setting.workflow)).collect()
}

fn acts(workflow: &Workflow) -> Vec<&Action> {
    workflow.actions.values().chain(workflow.branches.values().flat_map(|branch| branch.actions.values())).collect()
}

fn all<'a>(at: &Checked<'a>) -> Vec<Asked<'a>> {
    let effects = at.acts().iter().flat_map(Act::effects).flat_map(|(effects, _)| &effects.errands);
    let errands = effects.map(|errand| Asked {
        workflow: &errand.workflow,
        action: &errand.action,
        makes: matches!(errand.to, ErrandTo::New { .. }),
        with: &errand.with,
        path: errand.path.to_string(),
    });
    let sweeps = at.workflow.sweeps.iter().filter_map(|(name, sweep)| {
        let creates = sweep.creates.as_ref()?;
        Some(Asked {
            workflow: &at.workflow.name,
            action: &creates.action,
            makes: true,
            with: &creates.with,
            path: format!("sweeps.{name}.creates"),
        })
    });
    errands.chain(sweeps).collect()
}

/// E321: items are named, and kept, in fields of type `item`.
fn named_fields(at: &Checked, problems: &mut Vec<Problem>) {
    let holds_items = |kind: Option<&Type>| match kind {
        Some(Type::Item) => true,
        Some(Type::List(entry)) => **entry == Type::Item,
        _ => false,
    };
    for act in at.acts() {
        for errand in act.effects().into_iter().flat_map(|(effects, _)| &effects.errands) {
            let field = |of: Holder, name: &Name| {
                let branch = act.branch.filter(|_| of == Holder::Task);
                at.workflow.fields_of(branch.map(|kind| &**kind)).and_then(|fields| fields.get(name)).map(|field| &field.kind)
            };
            let (key, name, fits) = match &errand.to {
                ErrandTo::New { link: None, .. } => continue,
                ErrandTo::New { link: Some((of, name)), .. } => ("link", name, field(*of, name) == Some(&Type::Item)),
                ErrandTo::Named(FieldRef { of: Holder::Input, field: name }) => {
                    let kind = act.action.ask.iter().find(|ask| ask.name == *name).map(|ask| &ask.kind);
                    ("to", name, holds_items(kind))
                }
                ErrandTo::Named(FieldRef { of, field: name }) => ("to", name, holds_items(field(*of, name))),
            };
            if !fits {
                problems.push(at.problem("E321", &format!("{}.{key}", errand.path)).variant("not_item").with("name", name));
            }
        }
    }
}

/// E323: what an action freezes is a column of a report with one row a value, and becomes a field of the item.
fn frozen(at: &Checked, workflows: &IndexMap<Name, Rules>, whole: bool, problems: &mut Vec<Problem>) {
    for act in at.acts() {
        for freeze in &act.action.freeze {
            let mut wrong = |variant: &'static str, key: &str, name: &str| {
                problems.push(at.problem("E323", &format!("{}.{key}", freeze.path)).variant(variant).with("name", name));
            };
            if act.branch.is_some() || act.action.creates || act.action.by.iter().any(|by| &*by.role == "system") {
                wrong("people", "report", act.name);
            }
            let row = at.workflow.fields.get(&freeze.row.field).filter(|_| freeze.row.of == Holder::Item);
            if !row.is_some_and(|field| matches!(field.kind, Type::Unit | Type::Person | Type::Text | Type::Choice(_))) {
                wrong("row", "row", &freeze.row.field);
            }
            for (field, _) in &freeze.set {
                let kind = at.workflow.fields.get(field).filter(|field| !field.is_derived()).map(|field| &field.kind);
                match kind {
                    Some(Type::Number | Type::Date) => {}
                    _ => wrong("field", &format!("set.{field}@"), field),
                }
            }
            let Some(other) = workflows.get(&freeze.workflow) else {
                if whole {
                    let known = workflows.keys().map(|name| &**name);
                    problems.push(at.unknown("E115", &format!("{}.report", freeze.path), &freeze.workflow, known));
                }
                continue;
            };
            let reports = &other.setting.workflow.reports;
            match reports.get(&freeze.report).map(|report| &report.shape) {
                Some(Shape::Figures { by, columns, .. }) if by.len() == 1 => {
                    for (field, column) in freeze.set.iter().filter(|(_, column)| !columns.contains_key(column)) {
                        let known: Vec<&str> = columns.keys().map(|name| &**name).collect();
                        let problem = at.unknown("E323", &format!("{}.set.{field}", freeze.path), column, known.into_iter());
                        problems.push(if problem.variant.is_none() { problem.variant("column") } else { problem.variant("column_near") });
                    }
                }
                Some(_) => wrong("shape", "report", &freeze.report),
                None => {
                    let problem =
                        at.unknown("E323", &format!("{}.report", freeze.path), &freeze.report, reports.keys().map(|name| &**name));
                    problems.push(if problem.variant.is_none() { problem.variant("report") } else { problem.variant("report_near") });
                }
            }
        }
    }
}

/// E321: the form of an id makes another id for each item that is made.
fn id_form(at: &Checked, form: &str, path: &str, of_sweep: bool, problems: &mut Vec<Problem>) {
    let known: &[&str] = if of_sweep { &["each", "year"] } else { &["id", "seq", "year"] };
    let needed = if of_sweep { "each" } else { "id" };
    let names: Vec<&str> = form.split('{').skip(1).map(|part| part.split('}').next().unwrap_or_default()).collect();
    let unknown = names.iter().any(|name| !known.contains(name));
    let tells_apart = names.contains(&needed) && (of_sweep || form.trim() != "{id}");
    if unknown || !tells_apart {
        let known = known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(" ");
        problems.push(at.problem("E321", path).variant("id").with("name", format!("{{{needed}}}")).with("known", known));
    }
}

/// The other side: the action, who does it, and what it asks for.
fn received<'a>(
    at: &Checked<'a>,
    asked: &Asked<'a>,
    other: &'a Workflow,
    wanted: &mut Vec<(&'a Expr, &'a Type, bool)>,
    problems: &mut Vec<Problem>,
) {
    let Some(action) = other.actions.get(asked.action) else {
        return problems.push(at.unknown("E106", &format!("{}.do", asked.path), asked.action, other.actions.keys().map(|name| &**name)));
    };
    let mut wrong = |variant: &'static str, path: String, name: &str| {
        let problem = at.problem("E321", &path).variant(variant);
        problems.push(problem.with("action", asked.action).with("workflow", &other.name).with("name", name));
    };
    let place = format!("{}.do", asked.path);
    if !action.by.iter().any(|by| &*by.role == "system") {
        wrong("not_system", place.clone(), "");
    }
    if action.creates != asked.makes {
        wrong(if asked.makes { "makes_none" } else { "makes" }, place.clone(), "");
    }
    for ask in action.ask.iter().filter(|ask| ask.required && !asked.with.iter().any(|(name, _)| *name == ask.name)) {
        wrong("missing", place.clone(), &ask.name);
    }
    for (name, expr) in asked.with {
        match action.ask.iter().find(|ask| ask.name == *name) {
            Some(ask) => wanted.push((expr, &ask.kind, ask.required)),
            None => wrong("unasked", format!("{}.with.{name}@", asked.path), name),
        }
    }
}
