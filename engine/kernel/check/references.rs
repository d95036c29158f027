//! Every role, state, notice, branch and action that is named somewhere is declared (E102 to E106).

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    roles(at, &mut problems);
    states(at, &mut problems);
    notices(at, &mut problems);
    branches(at, &mut problems);
    actions(at, &mut problems);
    facts(at, &mut problems);
    problems
}

// ---- E102

fn roles(at: &Checked, problems: &mut Vec<Problem>) {
    let mut role = |name: &str, path: &str| {
        if name != "system" && !at.workflow.roles.contains_key(name) {
            problems.push(at.unknown("E102", path, name, at.workflow.roles.keys().map(|name| &**name)));
        }
    };
    for act in at.acts() {
        for (index, by) in act.action.by.iter().enumerate() {
            role(&by.role, &act.by(index));
            by.on_behalf_of.iter().for_each(|behalf| role(behalf, &format!("{}.for", act.by(index))));
        }
    }
    for branch in at.levels() {
        let base = branch.map_or(String::new(), |kind| format!("branches.{kind}."));
        for (name, state) in at.workflow.states_of(branch.map(|name| &**name)).into_iter().flatten() {
            state.owner.iter().for_each(|owner| role(owner, &format!("{base}states.{name}.owner")));
        }
        for (name, field) in at.workflow.fields_of(branch.map(|name| &**name)).into_iter().flatten() {
            let seen_by = field.visible_to.iter().enumerate();
            seen_by.for_each(|(index, seen)| role(seen, &format!("{base}fields.{name}.visible_to[{index}]")));
        }
    }
    for (kind, branch) in &at.workflow.branches {
        branch.visible_to.iter().enumerate().for_each(|(index, seen)| role(seen, &format!("branches.{kind}.visible_to[{index}]")));
    }
    for (name, notice) in &at.workflow.notices {
        for (key, recipients) in [("to", &notice.to), ("cc", &notice.cc)] {
            for (index, recipient) in recipients.iter().enumerate() {
                role(&recipient.role, &format!("notices.{name}.{key}[{index}]"));
                recipient.or.iter().for_each(|or| role(or, &format!("notices.{name}.{key}[{index}].or")));
            }
        }
    }
    at.workflow.amend_by.iter().enumerate().for_each(|(index, by)| role(by, &format!("amend_by[{index}]")));
    for (name, import) in &at.workflow.imports {
        import.steps.iter().enumerate().for_each(|(index, step)| role(&step.by, &format!("imports.{name}.steps[{index}].by")));
    }
}

// ---- E103

fn states(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut state = |name: &str, path: &str, known: Vec<&Name>| {
        if !known.iter().any(|known| &***known == name) {
            problems.push(at.unknown("E103", path, name, known.iter().map(|name| &***name)));
        }
    };
    let of = |branch: Option<&Name>| -> Vec<&Name> {
        workflow.states_of(branch.map(|name| &**name)).into_iter().flat_map(|states| states.keys()).collect()
    };
    for act in at.acts() {
        if act.action.request.is_none() || act.action.request.as_ref().is_some_and(|(_, step)| *step == RequestStep::Ask) {
            act.action.from.iter().enumerate().for_each(|(index, from)| state(from, &act.key(&format!("from[{index}]")), of(act.branch)));
        }
        for (to, path) in act.targets() {
            to.into_iter().for_each(|to| state(to, &path, of(act.branch)));
        }
    }
    for (kind, branch) in &workflow.branches {
        branch.cancelled_state.iter().for_each(|cancelled| state(cancelled, &format!("branches.{kind}.cancelled_state"), of(Some(kind))));
    }
    for (name, deadline) in &workflow.deadlines {
        let branch = deadline.branch.as_ref().filter(|kind| workflow.branches.contains_key(*kind));
        for (key, states) in [("runs_in", &deadline.runs_in), ("pauses_in", &deadline.pauses_in), ("quiet_in", &deadline.quiet_in)] {
            for (index, wanted) in states.iter().enumerate() {
                let mut known = of(branch);
                if key != "runs_in" {
                    known.extend(branch.map(|_| of(None)).into_iter().flatten());
                }
                // a request that waits for its decision pauses like a state
                let waits = wanted.strip_suffix(".asked").is_some_and(|request| workflow.requests.contains_key(request));
                if key == "runs_in" || !waits {
                    state(wanted, &format!("deadlines.{name}.{key}[{index}]"), known);
                }
            }
        }
    }
}

// ---- E104

fn notices(at: &Checked, problems: &mut Vec<Problem>) {
    let mut told = |tell: &[Name], path: &str| {
        for (index, notice) in tell.iter().enumerate().filter(|(_, notice)| !at.workflow.notices.contains_key(*notice)) {
            problems.push(at.unknown("E104", &format!("{path}.tell[{index}]"), notice, at.workflow.notices.keys().map(|name| &**name)));
        }
    };
    for act in at.acts() {
        act.effects().into_iter().for_each(|(effects, path)| told(&effects.tell, &path));
    }
    for deadline in at.workflow.deadlines.values() {
        deadline.ladder.iter().for_each(|rung| told(&rung.tell, &rung.path));
    }
    at.workflow.sweeps.iter().for_each(|(name, sweep)| told(&sweep.tell, &format!("sweeps.{name}")));
}

// ---- E105

fn branches(at: &Checked, problems: &mut Vec<Problem>) {
    let mut branch = |name: &str, path: &str| {
        if !at.workflow.branches.contains_key(name) {
            problems.push(at.unknown("E105", path, name, at.workflow.branches.keys().map(|name| &**name)));
        }
    };
    for act in at.acts() {
        for (effects, path) in act.effects() {
            effects.open.iter().for_each(|open| branch(&open.branch, &format!("{path}.open.{}@", open.branch)));
            effects.cancel.iter().enumerate().for_each(|(index, kind)| branch(kind, &format!("{path}.cancel[{index}]")));
            effects.do_on.iter().for_each(|(kind, _)| branch(kind, &format!("{path}.do_on.{kind}@")));
        }
        for ask in &act.action.ask {
            branch_of(&ask.kind).into_iter().for_each(|kind| branch(kind, &act.key(&format!("ask.{}.type", ask.name))));
        }
    }
    for level in at.levels() {
        let base = level.map_or(String::new(), |kind| format!("branches.{kind}."));
        for (name, field) in at.workflow.fields_of(level.map(|name| &**name)).into_iter().flatten() {
            branch_of(&field.kind).into_iter().for_each(|kind| branch(kind, &format!("{base}fields.{name}.type")));
        }
    }
    for (name, deadline) in at.workflow.deadlines.iter().filter(|(_, deadline)| !deadline.of_request) {
        deadline.branch.iter().for_each(|kind| branch(kind, &format!("deadlines.{name}.branch")));
    }
    at.workflow
        .requests
        .iter()
        .for_each(|(name, request)| request.branch.iter().for_each(|kind| branch(kind, &format!("requests.{name}.branch"))));
    at.workflow
        .notices
        .iter()
        .for_each(|(name, notice)| notice.one_mail_per.iter().for_each(|kind| branch(kind, &format!("notices.{name}.one_mail_per"))));
    at.workflow.sweeps.iter().for_each(|(name, sweep)| sweep.over.iter().for_each(|kind| branch(kind, &format!("sweeps.{name}.over"))));
    at.workflow.forms.iter().for_each(|(name, form)| form.of.iter().for_each(|kind| branch(kind, &format!("forms.{name}.of"))));
    at.workflow.reports.iter().for_each(|(name, report)| report.over.iter().for_each(|kind| branch(kind, &format!("reports.{name}.over"))));
}

fn branch_of(kind: &Type) -> Option<&Name> {
    match kind {
        Type::Record(kind) | Type::Branch(kind) => Some(kind),
        Type::List(of) | Type::Optional(of) => branch_of(of),
        _ => None,
    }
}

// ---- E106

fn actions(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut known_in = |branch: Option<&str>, wanted: &str, path: &str, or_item: bool| {
        let own = workflow.actions_of(branch).into_iter().flat_map(|actions| actions.keys());
        let of_item = or_item.then(|| workflow.actions.keys()).into_iter().flatten();
        let known: Vec<&Name> = own.chain(of_item).collect();
        if !known.iter().any(|known| &***known == wanted) {
            problems.push(at.unknown("E106", path, wanted, known.iter().map(|name| &***name)));
        }
    };
    for act in at.acts() {
        let branch = act.branch.map(|name| &**name);
        act.action.not_by.iter().for_each(|other| known_in(branch, other, &act.key("not_by"), true));
        for (effects, path) in act.effects() {
            effects
                .then_try
                .iter()
                .enumerate()
                .for_each(|(index, next)| known_in(branch, next, &format!("{path}.then_try[{index}]"), true));
            for (kind, action) in effects.do_on.iter().filter(|(kind, _)| workflow.branches.contains_key(kind)) {
                known_in(Some(kind), action, &format!("{path}.do_on.{kind}"), false);
            }
        }
    }
    for deadline in workflow.deadlines.values() {
        let branch = deadline.branch.as_deref().filter(|kind| workflow.branches.contains_key(*kind));
        for rung in &deadline.ladder {
            rung.action.iter().for_each(|action| known_in(branch, action, &format!("{}.do", rung.path), true));
        }
    }
    for (name, sweep) in &workflow.sweeps {
        let over = sweep.over.as_deref().filter(|kind| workflow.branches.contains_key(*kind));
        sweep.action.iter().for_each(|action| known_in(over, action, &format!("sweeps.{name}.do"), true));
    }
    for (name, import) in &workflow.imports {
        for (index, step) in import.steps.iter().enumerate() {
            let path = format!("imports.{name}.steps[{index}].do");
            match step.action.split_once('.').filter(|(kind, _)| workflow.branches.contains_key(*kind)) {
                Some((kind, action)) => known_in(Some(kind), action, &path, false),
                None if at.acts().iter().any(|act| *act.name == step.action) => {}
                None => known_in(None, &step.action, &path, false),
            }
        }
    }
}

fn facts(at: &Checked, problems: &mut Vec<Problem>) {
    let mut fact = |branch: Option<&Name>, name: &str, path: &str| {
        if !at.is_opening(branch, name) && at.facts(branch, name).is_empty() {
            let known = at.fact_names(branch);
            problems.push(at.unknown("E106", path, name, known.iter().map(String::as_str)));
        }
    };
    for (name, deadline) in &at.workflow.deadlines {
        let branch = deadline.branch.as_ref().filter(|kind| at.workflow.branches.contains_key(*kind));
        if !deadline.of_request {
            deadline
                .starts_on
                .iter()
                .enumerate()
                .for_each(|(index, wanted)| fact(branch, wanted, &format!("deadlines.{name}.starts_on[{index}]")));
            deadline
                .ends_on
                .iter()
                .enumerate()
                .for_each(|(index, wanted)| fact(branch, wanted, &format!("deadlines.{name}.ends_on[{index}]")));
        }
        deadline.extended_by.iter().for_each(|(wanted, _)| fact(branch, wanted, &format!("deadlines.{name}.extended_by.{wanted}@")));
        deadline.extended_to.iter().for_each(|(wanted, _)| fact(branch, wanted, &format!("deadlines.{name}.extended_to.{wanted}@")));
    }
    for (name, deadline) in &at.workflow.deadlines {
        let branch = deadline.branch.as_ref().filter(|kind| at.workflow.branches.contains_key(*kind));
        for (wanted, _) in &deadline.closes {
            let named = |act: &Act| match act.branch {
                own if own == branch => act.name == wanted || act.action.records_as == *wanted,
                outside => outside.is_some_and(|kind| format!("{kind}.{}", act.action.records_as) == **wanted),
            };
            if !at.acts().iter().any(named) {
                let known: Vec<&Name> = at.acts_of(branch).map(|act| act.name).collect();
                problems.push(at.unknown("E106", &format!("deadlines.{name}.closes.{wanted}@"), wanted, known.iter().map(|name| &***name)));
            }
        }
    }
    let mut seal = |branch: Option<&Name>, until: &Option<Name>, path: String| {
        if let Some(until) =
            until.as_ref().filter(|until| at.facts(branch, until).is_empty() && !at.acts().iter().any(|act| act.name == *until))
        {
            let known = at.fact_names(branch);
            problems.push(at.unknown("E106", &path, until, known.iter().map(String::as_str)));
        }
    };
    for level in at.levels() {
        let base = level.map_or(String::new(), |kind| format!("branches.{kind}."));
        for (name, field) in at.workflow.fields_of(level.map(|name| &**name)).into_iter().flatten() {
            seal(level, &field.sealed_until, format!("{base}fields.{name}.sealed_until"));
        }
    }
    for (kind, branch) in &at.workflow.branches {
        seal(Some(kind), &branch.sealed_until, format!("branches.{kind}.sealed_until"));
    }
}
