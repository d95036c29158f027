//! Names: every name used is declared, allowed, and means one thing (E101 to E108, E110). What is declared but unused, and what the
//! directory lacks, are `unused` and `directory`.

use super::at::{Act, Checked};
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::model::problem::Problem;
use crate::kernel::model::value::Type;

/// Words that Rhai keeps for itself; a name that expressions see may not be one of them.
const RESERVED: &[&str] = &[
    "as",
    "async",
    "await",
    "break",
    "call",
    "case",
    "catch",
    "const",
    "continue",
    "curry",
    "debug",
    "default",
    "do",
    "else",
    "eval",
    "export",
    "false",
    "fn",
    "for",
    "go",
    "goto",
    "if",
    "import",
    "in",
    "is",
    "is_def_fn",
    "is_def_var",
    "is_shared",
    "let",
    "loop",
    "match",
    "module",
    "new",
    "nil",
    "null",
    "package",
    "print",
    "private",
    "protected",
    "public",
    "return",
    "shared",
    "spawn",
    "static",
    "super",
    "switch",
    "sync",
    "this",
    "thread",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "use",
    "var",
    "void",
    "while",
    "with",
    "yield",
];

/// What expressions read beside the rule set's own names.
const VIEWS: &[&str] =
    &["item", "task", "input", "each", "due", "branches", "actor", "today", "param", "request", "system", "empty", "otherwise"];

/// What the engine itself says of an item, a branch, and a kind of branch.
const OF_ITEM: &[&str] = &["id", "state", "state_title", "flag"];
const OF_BRANCH: &[&str] = &["no", "state", "state_title", "flag"];
const OF_KIND: &[&str] = &[
    "all_ended",
    "count",
    "count_open",
    "open_units",
    "open_persons",
    "count_in_state",
    "all_in_state",
    "share_in_state",
    "any_late",
    "was_late",
    "worst",
    "sum",
    "len",
];

pub fn check(at: &Checked) -> Vec<Problem> {
    let mut problems = Vec::new();
    allowed(at, &mut problems);
    one_meaning(at, &mut problems);
    roles(at, &mut problems);
    states(at, &mut problems);
    notices(at, &mut problems);
    branches(at, &mut problems);
    actions(at, &mut problems);
    fields(at, &mut problems);
    lengths(at, &mut problems);
    problems
}

// ---- E101

fn allowed(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut look = |section: &str, names: Vec<&Name>, seen_by_rules: bool| {
        for name in names {
            let path = format!("{section}.{name}@");
            if !is_identifier(name) {
                problems.push(at.problem("E101", &path).with("name", name));
            } else if seen_by_rules && RESERVED.contains(&&**name) {
                problems.push(at.problem("E101", &path).variant("reserved").with("name", name));
            } else if seen_by_rules && VIEWS.contains(&&**name) {
                problems.push(at.problem("E101", &path).variant("view").with("name", name));
            }
        }
    };
    look("roles", workflow.roles.keys().collect(), true);
    look("states", workflow.states.keys().collect(), false);
    look("tables", workflow.tables.keys().collect(), false);
    look("notices", workflow.notices.keys().collect(), false);
    look("sweeps", workflow.sweeps.keys().collect(), false);
    look("reports", workflow.reports.keys().collect(), false);
    look("imports", workflow.imports.keys().collect(), false);
    look("fields", workflow.fields.keys().collect(), true);
    look("params", workflow.params.keys().collect(), true);
    look("functions", workflow.functions.keys().collect(), true);
    look("requests", workflow.requests.keys().collect(), true);
    look("deadlines", workflow.deadlines.iter().filter(|(_, deadline)| !deadline.of_request).map(|(name, _)| name).collect(), true);
    look("branches", workflow.branches.keys().collect(), true);
    for (kind, branch) in &workflow.branches {
        look(&format!("branches.{kind}.states"), branch.states.keys().collect(), false);
        look(&format!("branches.{kind}.fields"), branch.fields.keys().collect(), true);
        look(&format!("branches.{kind}.views"), branch.views.keys().collect(), true);
    }
    for act in at.acts() {
        if act.action.request.is_none() {
            let section = act.path.rsplit_once('.').map_or("actions", |(section, _)| section);
            look(section, vec![act.name], false);
        }
        look(&act.key("ask"), act.action.ask.iter().filter(|ask| ask.records.is_none()).map(|ask| &ask.name).collect(), true);
    }
}

fn is_identifier(name: &str) -> bool {
    let letter = |letter: char| {
        letter == '_'
            || letter.is_ascii_alphanumeric()
            || ('\u{4e00}'..='\u{9fff}').contains(&letter)
            || ('\u{3400}'..='\u{4dbf}').contains(&letter)
    };
    name.chars().all(letter) && !name.starts_with(|first: char| first.is_ascii_digit()) && !name.is_empty()
}

// ---- E110

fn one_meaning(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
    let mut twice =
        |path: String, name: &str, other: &str| problems.push(at.problem("E110", &path).with("name", name).with("other", other));
    for name in workflow.tables.keys().filter(|name| workflow.params.contains_key(*name)) {
        twice(format!("tables.{name}@"), name, &format!("params.{name}"));
    }
    for name in workflow.requests.keys().filter(|name| workflow.branches.contains_key(*name)) {
        twice(format!("requests.{name}@"), name, &format!("branches.{name}"));
    }
    for branch in at.levels() {
        let own = if branch.is_some() { OF_BRANCH } else { OF_ITEM };
        let view = if branch.is_some() { "task" } else { "item" };
        let section = branch.map_or("fields".to_string(), |kind| format!("branches.{kind}.fields"));
        let declared = workflow.fields_of(branch.map(|name| &**name)).into_iter().flatten();
        let given = branch.and_then(|kind| workflow.branches[kind].one_per).map(|one_per| match one_per {
            OnePer::Unit => "unit",
            OnePer::Person => "person",
        });
        let declared: Vec<_> = declared.collect();
        for (name, _) in &declared {
            if own.contains(&&***name) || given == Some(&***name) {
                twice(format!("{section}.{name}@"), name, &format!("{view}.{name}"));
            }
            let choice = name
                .strip_suffix("_title")
                .filter(|of| declared.iter().any(|(other, field)| &***other == *of && matches!(field.kind, Type::Choice(_))));
            if let Some(choice) = choice {
                twice(format!("{section}.{name}@"), name, &format!("{section}.{choice}"));
            }
        }
    }
    for (kind, branch) in &workflow.branches {
        for view in branch.views.keys().filter(|view| OF_KIND.contains(&&***view)) {
            twice(format!("branches.{kind}.views.{view}@"), view, &format!("branches.{kind}.{view}"));
        }
    }
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
    for (index, change) in workflow.changes.iter().enumerate() {
        let every = || at.levels().into_iter().flat_map(of).collect::<Vec<_>>();
        for (key, renamed) in [("renamed_states", &change.renamed_states), ("retired_states", &change.retired_states)] {
            renamed.iter().for_each(|(old, new)| state(new, &format!("changes[{index}].{key}.{old}"), every()));
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
    facts(at, problems);
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

// ---- E107

fn fields(at: &Checked, problems: &mut Vec<Problem>) {
    let workflow = at.workflow;
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
            for name in placeholders(&sequence.format).filter(|name| *name != "year" && *name != "n") {
                unknown(None, &item(&name.into()), &act.key(&format!("sequence.{}", sequence.field)));
            }
        }
    }
    for (name, deadline) in &workflow.deadlines {
        let branch = deadline.branch.as_ref().filter(|kind| workflow.branches.contains_key(*kind));
        deadline.anchor.iter().for_each(|anchor| unknown(branch, anchor, &format!("deadlines.{name}.anchor")));
        for (rule, path) in rules_of(name, deadline) {
            until_fields(rule).into_iter().for_each(|field| unknown(branch, field, &path));
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
    for (name, report) in &workflow.reports {
        unknown(None, &FieldRef { of: Holder::Item, field: report.by.clone() }, &format!("reports.{name}.by"));
    }
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
