//! All that a script can read: the properties of each view, registered by the names that the workflow declares.
//!
//! The types of the same names stand in `typing::surface`; the test of the generated expressions holds both together.

use super::View;
use super::builtins::context;
use super::engine::{Answer, error};
use super::names::{PROPERTIES, spellings};
use super::view::*;
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Ask, Flag, Workflow};
use crate::kernel::model::directory::Unit;
use crate::kernel::model::item::{Branch, Clock};
use crate::kernel::model::value::{Type, Value};
use crate::kernel::time::Date;
use rhai::{Array, Dynamic, Engine, ImmutableString, NativeCallContext};
use std::collections::BTreeSet;

/// `days_left` of a deadline that does not run or has no date: it never falls due.
pub const NEVER: i64 = 99_999;

pub(super) fn register(engine: &mut Engine, workflow: &Workflow) {
    register_item(engine, workflow);
    register_task(engine, workflow);
    register_input(engine, workflow);
    register_deadlines(engine, workflow);
    register_branches(engine, workflow);
    register_directory(engine);
    register_actor(engine);
    register_params(engine, workflow);
    register_requests(engine, workflow);
    register_lists(engine);
}

/// Calls `add` with the English and the Chinese spellings of a property.
fn each_spelling(name: &'static str, mut add: impl FnMut(&'static str)) {
    spellings(PROPERTIES, name).for_each(&mut add);
}

fn register_item(engine: &mut Engine, workflow: &Workflow) {
    each_spelling("id", |name| {
        engine.register_get(name, |item: &mut ItemView| text_to_dynamic(&item.0.view.item.id));
    });
    each_spelling("flag", |name| {
        engine
            .register_get(name, |item: &mut ItemView| item.0.view.item.flag.map_or(Dynamic::UNIT, |flag| text_to_dynamic(flag_word(flag))));
    });
    each_spelling("state", |name| {
        engine.register_get(name, |item: &mut ItemView| text_to_dynamic(&item.0.view.item.state));
    });
    each_spelling("any_late", |name| {
        engine.register_fn(name, |item: &mut ItemView, deadline: ImmutableString| late_now(&item.0.view, &deadline, |_| true));
    });
    each_spelling("was_late", |name| {
        engine.register_fn(name, |item: &mut ItemView, deadline: ImmutableString| late_ever(&item.0.view, &deadline, |_| true));
    });
    for (name, field) in workflow.fields.iter().filter(|(name, _)| !["id", "flag", "state"].contains(&&***name)) {
        let (name, pointer) = (name.clone(), matches!(field.kind, Type::Branch(_)));
        engine.register_get(name.clone(), move |item: &mut ItemView| item.0.read(pointer, item.0.view.item.field(&name)));
    }
}

pub(super) fn flag_word(flag: Flag) -> &'static str {
    match flag {
        Flag::Amber => "amber",
        Flag::Red => "red",
    }
}

fn register_task(engine: &mut Engine, workflow: &Workflow) {
    each_spelling("state", |name| {
        engine
            .register_get(name, |task: &mut TaskView| task.0.branch(task.1).map_or(Dynamic::UNIT, |branch| text_to_dynamic(&branch.state)));
    });
    each_spelling("any_late", |name| {
        engine.register_fn(name, |task: &mut TaskView, deadline: ImmutableString| {
            late_now(&task.0.view, &deadline, |branch| branch == Some(task.1))
        });
    });
    each_spelling("was_late", |name| {
        engine.register_fn(name, |task: &mut TaskView, deadline: ImmutableString| {
            late_ever(&task.0.view, &deadline, |branch| branch == Some(task.1))
        });
    });
    let declared = workflow.branches.values().flat_map(|branch| branch.fields.keys().cloned());
    let names: BTreeSet<Name> = declared.chain(["unit".into(), "person".into()]).filter(|name| &**name != "state").collect();
    for own in ["unit", "person"] {
        for other in spellings(PROPERTIES, own).skip(1) {
            engine.register_get(other, move |task: &mut TaskView| read_task(task, own));
        }
    }
    for name in names {
        // A pointer that points nowhere reads as empty, and so does all behind it.
        engine.register_get(name.clone(), |_: &mut ()| ());
        engine.register_get(name.clone(), move |task: &mut TaskView| read_task(task, &name));
    }
    for other in spellings(PROPERTIES, "state") {
        engine.register_get(other, |_: &mut ()| ());
    }
    // By any name, since a record may stand for a view when a function is tested.
    engine.register_indexer_get(|record: &mut RecordView, name: ImmutableString| {
        record.0.get(name.as_str()).map_or(Dynamic::UNIT, to_dynamic)
    });
}

fn read_task(task: &TaskView, name: &str) -> Dynamic {
    task_field(&task.0.view, task.1, name).map_or(Dynamic::UNIT, |(pointer, value)| task.0.read(pointer, value))
}

/// What a branch holds in a field, and whether it points to another branch.
pub(super) fn task_field<'v>(view: &'v View, no: u32, name: &str) -> Option<(bool, &'v Value)> {
    let branch = view.item.branch(no)?;
    let value = branch.fields.get(name)?;
    let declared = || view.setting.workflow.branches.get(&branch.kind)?.fields.get(name);
    Some((matches!(value, Value::Number(_)) && declared().is_some_and(|field| matches!(field.kind, Type::Branch(_))), value))
}

fn register_input(engine: &mut Engine, workflow: &Workflow) {
    for (name, pointer) in inputs(workflow) {
        engine.register_get(name.clone(), move |input: &mut InputView| input.0.read(pointer, input.0.input(&name)));
    }
}

/// Everything that any action asks for, and whether it points to a branch.
pub(super) fn inputs(workflow: &Workflow) -> Vec<(Name, bool)> {
    let mut kinds: Vec<(Name, Type)> = Vec::new();
    for ask in asks(workflow) {
        if !kinds.iter().any(|(name, kind)| *name == ask.name && *kind == ask.kind) {
            kinds.push((ask.name.clone(), ask.kind.clone()));
        }
    }
    let names: BTreeSet<Name> = kinds.iter().map(|(name, _)| name.clone()).collect();
    // An input that is a pointer in one action is never something else in another: `ask` takes both from fields, or declares them apart.
    let pointer = |name: &Name| kinds.iter().any(|(other, kind)| other == name && matches!(kind, Type::Branch(_)));
    names.into_iter().map(|name| (name.clone(), pointer(&name))).collect()
}

/// Everything that any action of the workflow asks for.
fn asks(workflow: &Workflow) -> impl Iterator<Item = &Ask> {
    let actions = workflow.actions.values().chain(workflow.branches.values().flat_map(|branch| branch.actions.values()));
    let of_actions = actions.flat_map(|action| action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask)));
    of_actions.chain(workflow.requests.values().flat_map(|request| &request.ask))
}

fn register_deadlines(engine: &mut Engine, workflow: &Workflow) {
    for (name, deadline) in &workflow.deadlines {
        let (name, of_branch) = (name.clone(), deadline.branch.is_some());
        engine.register_get(name.clone(), move |due: &mut DueView| ClockView {
            context: due.0.clone(),
            deadline: name.clone(),
            branch: if of_branch { due.0.view.task } else { None },
        });
    }
    for (name, read) in CLOCK_NUMBERS {
        each_spelling(name, |name| {
            engine.register_get(name, move |clock: &mut ClockView| read(&clock.context.view, clock.clock()));
        });
    }
    each_spelling("date", |name| {
        engine.register_get(name, |view: &mut ClockView| {
            view.clock().and_then(|clock| clock.due.as_ref()).map_or(Dynamic::UNIT, |due| Dynamic::from(due.date))
        });
    });
    each_spelling("running", |name| {
        engine.register_get(name, |view: &mut ClockView| view.clock().is_some_and(Clock::is_running));
    });
    each_spelling("was_late", |name| {
        engine.register_get(name, |view: &mut ClockView| ran_late(&view.context.view, &view.deadline, view.branch));
    });
    each_spelling("fired", |name| {
        engine.register_fn(name, |view: &mut ClockView, rung: ImmutableString| {
            has_fired(&view.context.view, &view.deadline, view.branch, &rung)
        });
    });
}

/// What a deadline answers in numbers, from its latest cycle.
type ClockNumber = fn(&View, Option<&Clock>) -> i64;

const CLOCK_NUMBERS: [(&str, ClockNumber); 5] = [
    ("times_extended", |_, clock| clock.map_or(0, |clock| i64::from(clock.times_extended))),
    ("days_left", |view, clock| running_due(clock).map_or(NEVER, |due| (due - view.today).num_days())),
    ("working_days_left", |view, clock| running_due(clock).map_or(NEVER, |due| working_days(view, view.today, due))),
    ("days_late", |view, clock| lateness(view, clock).map_or(0, |(due, until)| (until - due).num_days())),
    ("working_days_late", |view, clock| lateness(view, clock).map_or(0, |(due, until)| working_days(view, due, until))),
];

pub(super) fn clock_number(name: &str) -> Option<ClockNumber> {
    CLOCK_NUMBERS.iter().find(|(other, _)| *other == name).map(|(_, read)| *read)
}

/// Whether any cycle of a deadline is, or was, late.
pub(super) fn ran_late(view: &View, deadline: &Name, branch: Option<u32>) -> bool {
    view.item.clocks.iter().any(|clock| clock.deadline == *deadline && clock.branch == branch && clock.is_late(view.today))
}

/// Whether a rung of any cycle of a deadline came, and was not passed over.
pub(super) fn has_fired(view: &View, deadline: &Name, branch: Option<u32>, rung: &str) -> bool {
    let clocks = view.item.clocks.iter().filter(|clock| clock.deadline == *deadline && clock.branch == branch);
    clocks.flat_map(|clock| &clock.fired).any(|fired| *fired.rung == *rung && fired.skipped.is_none())
}

/// The date towards which the deadline runs now.
fn running_due(clock: Option<&Clock>) -> Option<Date> {
    let clock = clock.filter(|clock| clock.is_running())?;
    clock.due.as_ref().map(|due| due.date)
}

/// The due date of a late deadline, and the day up to which it is, or was, late.
fn lateness(view: &View, clock: Option<&Clock>) -> Option<(Date, Date)> {
    let clock = clock.filter(|clock| clock.is_late(view.today))?;
    let until = clock.end.as_ref().map_or(view.today, |end| end.on);
    Some((clock.due.as_ref()?.date, until))
}

fn working_days(view: &View, from: Date, to: Date) -> i64 {
    view.setting.calendar.working_days_between(from, to)
}

/// Whether a clock belongs to a deadline of that name, or one that counts as that word.
fn named(view: &View, clock: &Clock, name: &str) -> bool {
    *clock.deadline == *name
        || view.setting.workflow.deadlines.get(&clock.deadline).is_some_and(|deadline| deadline.counts_as.as_deref() == Some(name))
}

pub(super) fn late_now(view: &View, name: &str, of: impl Fn(Option<u32>) -> bool) -> bool {
    view.item.clocks.iter().any(|clock| clock.is_running() && of(clock.branch) && named(view, clock, name) && clock.is_late(view.today))
}

pub(super) fn late_ever(view: &View, name: &str, of: impl Fn(Option<u32>) -> bool) -> bool {
    view.item.clocks.iter().any(|clock| of(clock.branch) && named(view, clock, name) && clock.is_late(view.today))
}

fn register_branches(engine: &mut Engine, workflow: &Workflow) {
    for kind in workflow.branches.keys().cloned() {
        engine.register_get(kind.clone(), move |branches: &mut BranchesView| {
            let numbers = branches.0.view.item.branches.iter().filter(|branch| branch.kind == kind).map(|branch| branch.no);
            BranchSet { context: branches.0.clone(), kind: kind.clone(), numbers: numbers.collect() }
        });
    }
    let views: BTreeSet<Name> = workflow.branches.values().flat_map(|branch| branch.views.keys().cloned()).collect();
    for name in views {
        engine.register_get(name.clone(), move |set: &mut BranchSet| narrowed(set, &name));
    }

    let mut yes_no = |name: &'static str, read: fn(&BranchSet) -> bool| {
        each_spelling(name, |name| {
            engine.register_get(name, move |set: &mut BranchSet| read(set));
        });
    };
    yes_no("all_ended", |set| set.counted().all(|branch| branch.ended));
    yes_no("any", |set| set.counted().next().is_some());
    let mut number = |name: &'static str, read: fn(&BranchSet) -> usize| {
        each_spelling(name, |name| {
            engine.register_get(name, move |set: &mut BranchSet| read(set) as i64);
        });
    };
    number("count", |set| set.counted().count());
    number("count_open", |set| set.counted().filter(|branch| !branch.ended).count());
    let mut list = |name: &'static str, field: &'static str, only_open: bool| {
        each_spelling(name, |name| {
            engine.register_get(name, move |set: &mut BranchSet| -> Array {
                let branches = set.counted().filter(|branch| !(only_open && branch.ended));
                branches.filter_map(|branch| branch.fields.get(field)).map(to_dynamic).collect()
            });
        });
    };
    list("open_units", "unit", true);
    list("units", "unit", false);
    list("open_persons", "person", true);
    list("persons", "person", false);

    let mut of_states = |name: &'static str, read: fn(&BranchSet, &[Dynamic]) -> Dynamic| {
        each_spelling(name, |name| {
            engine.register_fn(name, move |set: &mut BranchSet, states: Array| read(set, &states));
        });
    };
    of_states("all_in_state", |set, states| set.counted().all(|branch| stands_in(branch, states)).into());
    // A cancelled branch is meant when its state is named.
    of_states("any_in_state", |set, states| set.all().any(|branch| stands_in(branch, states)).into());
    of_states("count_in_state", |set, states| (set.all().filter(|branch| stands_in(branch, states)).count() as i64).into());
    of_states("share_in_state", |set, states| {
        let (all, there) = (set.counted().count(), set.counted().filter(|branch| stands_in(branch, states)).count());
        (there as i64).checked_mul(100).and_then(|there| there.checked_div(all as i64)).unwrap_or(0).into()
    });

    each_spelling("any_late", |name| {
        engine.register_fn(name, |set: &mut BranchSet, deadline: ImmutableString| {
            late_now(&set.context.view, &deadline, |branch| counts(set, branch))
        });
    });
    each_spelling("was_late", |name| {
        engine.register_fn(name, |set: &mut BranchSet, deadline: ImmutableString| {
            late_ever(&set.context.view, &deadline, |branch| counts(set, branch))
        });
    });
    each_spelling("worst", |name| {
        engine.register_fn(name, |set: &mut BranchSet, field: ImmutableString| {
            worst(&set.context.view, &set.kind, &field, set.counted()).map_or(Dynamic::UNIT, |option| text_to_dynamic(option))
        });
    });
    each_spelling("sum", |name| {
        engine.register_fn(name, |set: &mut BranchSet, field: ImmutableString| -> Answer<i64> {
            sum(&field, set.counted()).ok_or_else(|| error("the sum is too large"))
        });
    });
    let mut date = |name: &'static str, pick: fn(Date, Date) -> Date| {
        each_spelling(name, |name| {
            engine.register_fn(name, move |set: &mut BranchSet, field: ImmutableString| {
                let dates = set.counted().filter_map(|branch| branch.fields.get(field.as_str())?.as_date());
                dates.reduce(pick).map_or(Dynamic::UNIT, Dynamic::from)
            });
        });
    };
    date("earliest", Ord::min);
    date("latest", Ord::max);
}

/// The branches of the set for which the view's condition holds.
fn narrowed(set: &BranchSet, name: &str) -> Answer<BranchSet> {
    let context = &set.context;
    let condition = context.view.setting.workflow.branches.get(&set.kind).and_then(|kind| kind.views.get(name));
    let condition = condition.ok_or_else(|| error(format!("`{}` has no view `{name}`", set.kind)))?;
    let mut numbers = Vec::with_capacity(set.numbers.len());
    for &no in &*set.numbers {
        let view = View { task: Some(no), ..context.view.clone() };
        match context.compiled.run(condition, &view) {
            Ok(Value::Bool(true)) => numbers.push(no),
            Ok(Value::Bool(false)) => {}
            Ok(_) => return Err(error(format!("`{}` gives no yes or no", condition.source))),
            Err(failed) => return Err(error(failed.to_string())),
        }
    }
    Ok(BranchSet { context: context.clone(), kind: set.kind.clone(), numbers: numbers.into() })
}

fn stands_in(branch: &Branch, states: &[Dynamic]) -> bool {
    states.iter().any(|state| state.as_immutable_string_ref().is_ok_and(|state| *state == *branch.state))
}

fn counts(set: &BranchSet, branch: Option<u32>) -> bool {
    branch.is_some_and(|no| set.counted().any(|branch| branch.no == no))
}

/// The last of the declared options that any branch has.
pub(super) fn worst<'v>(view: &'v View, kind: &str, field: &str, branches: impl Iterator<Item = &'v Branch>) -> Option<&'v Name> {
    let declared = view.setting.workflow.branches.get(kind).and_then(|kind| kind.fields.get(field)).map(|field| &field.kind);
    let Some(Type::Choice(options)) = declared else { return None };
    let rank = |branch: &Branch| branch.fields.get(field)?.as_text().and_then(|text| options.iter().position(|option| option == text));
    branches.filter_map(rank).max().map(|rank| &options[rank])
}

/// `None` when the sum is too large.
pub(super) fn sum<'v>(field: &str, mut branches: impl Iterator<Item = &'v Branch>) -> Option<i64> {
    branches.try_fold(0i64, |sum, branch| match branch.fields.get(field) {
        Some(Value::Number(number)) => sum.checked_add(*number),
        _ => Some(sum),
    })
}

/// What the directory knows of a unit, read from a field that names one.
fn register_directory(engine: &mut Engine) {
    let mut of_unit = |name: &'static str, read: fn(&Unit, Date) -> Option<&Name>| {
        each_spelling(name, |name| {
            engine.register_get(name, |_: &mut ()| ());
            engine.register_get(name, move |call: NativeCallContext, unit: &mut ImmutableString| -> Answer<Dynamic> {
                let context = context(&call)?;
                let row = context.view.setting.directory.standing_for(unit.as_str(), context.view.today);
                Ok(row.and_then(|row| read(row, context.view.today)).map_or(Dynamic::UNIT, |name| text_to_dynamic(name)))
            });
        });
    };
    of_unit("kind", |unit, _| unit.kind.as_ref());
    of_unit("parent", Unit::parent_on);
    of_unit("committee", Unit::committee_on);
}

fn register_actor(engine: &mut Engine) {
    each_spelling("person", |name| {
        engine.register_get(name, |actor: &mut ActorView| {
            actor.0.view.actor.person.as_ref().map_or(Dynamic::UNIT, |person| text_to_dynamic(person))
        });
    });
    each_spelling("roles", |name| {
        engine.register_get(name, |actor: &mut ActorView| {
            texts_to_dynamic(actor.0.view.actor.role.iter().chain(&actor.0.view.actor.on_behalf_of))
        });
    });
    each_spelling("units", |name| {
        engine.register_get(name, |actor: &mut ActorView| texts_to_dynamic(units_of(&actor.0.view).iter()));
    });
    each_spelling("unit", |name| {
        engine.register_get(name, |actor: &mut ActorView| {
            units_of(&actor.0.view).first().map_or(Dynamic::UNIT, |unit| text_to_dynamic(unit))
        });
    });
}

/// The units in which the person has a duty today, each once, and those that were merged into them.
fn units_of(view: &View) -> Vec<Name> {
    let person = view.actor.person.as_ref().and_then(|person| view.setting.directory.persons.get(person));
    let mut units: Vec<Name> = Vec::new();
    for row in person.into_iter().flat_map(|person| &person.duties) {
        if row.holds_on(view.today) && !units.contains(&row.value.unit) {
            units.push(row.value.unit.clone());
        }
    }
    let directory = &view.setting.directory;
    let merged = |id: &&Name| !units.contains(*id) && units.iter().any(|unit| directory.successor(id, view.today) == &**unit);
    let merged: Vec<Name> = directory.units.keys().filter(merged).cloned().collect();
    units.extend(merged);
    units
}

fn register_params(engine: &mut Engine, workflow: &Workflow) {
    for name in workflow.params.keys() {
        let name = name.clone();
        engine.register_get(name.clone(), move |params: &mut ParamView| -> Answer<Dynamic> {
            let view = &params.0.view;
            let row = view.setting.workflow.params.get(&name).and_then(|param| param.on(view.today));
            row.map(|row| to_dynamic(&row.value)).ok_or_else(|| error(format!("the parameter `{name}` has no value yet on {}", view.today)))
        });
    }
}

fn register_requests(engine: &mut Engine, workflow: &Workflow) {
    for name in workflow.requests.keys() {
        let name = name.clone();
        engine.register_get(name.clone(), move |requests: &mut RequestsView| AskedView {
            context: requests.0.clone(),
            asked: latest_ask(&requests.0.view, &name),
        });
    }
    let names: BTreeSet<Name> = workflow.requests.values().flat_map(|request| request.ask.iter().map(|ask| ask.name.clone())).collect();
    for name in names {
        engine.register_get(name.clone(), move |view: &mut AskedView| {
            let Some(asked) = &view.asked else { return Dynamic::UNIT };
            let request = view.context.view.setting.workflow.requests.get(&asked.request);
            let ask = request.and_then(|request| request.ask.iter().find(|ask| ask.name == name));
            let pointer = ask.is_some_and(|ask| matches!(ask.kind, Type::Branch(_)));
            view.context.read(pointer, asked.input.get(&name).unwrap_or(&Value::Empty))
        });
    }
}

fn register_lists(engine: &mut Engine) {
    each_spelling("len", |name| {
        engine.register_get(name, |list: &mut Array| list.len() as i64);
        engine.register_get(name, |text: &mut ImmutableString| text.chars().count() as i64);
        engine.register_get(name, |_: &mut ()| 0i64);
    });
}

/// The variables that an expression may start from, as values; `None` when there is nothing to show under that name.
pub(super) fn variable(name: &str, context: &Shared) -> Option<Dynamic> {
    Some(match name {
        "item" => Dynamic::from(ItemView(context.clone())),
        // A role may ask about the branch where there is none: then all of it is empty.
        "task" => context.view.task.map_or(Dynamic::UNIT, |no| Dynamic::from(TaskView(context.clone(), no))),
        "input" => Dynamic::from(InputView(context.clone())),
        "each" => to_dynamic(&context.view.each),
        "due" => Dynamic::from(DueView(context.clone())),
        "branches" => Dynamic::from(BranchesView(context.clone())),
        "actor" => Dynamic::from(ActorView(context.clone())),
        "today" => Dynamic::from(context.view.today),
        "param" => Dynamic::from(ParamView(context.clone())),
        "request" => Dynamic::from(RequestsView(context.clone())),
        _ => return None,
    })
}
