//! The handles that a script holds: each is a shared pointer to what it shows, so handing one on costs nothing.
//! What can be read from them is in `api`.

use super::{Compiled, View};
use crate::kernel::model::Name;
use crate::kernel::model::item::{Asked, Branch, Clock};
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::time::{Date, Length};
use rhai::{Array, Dynamic, ImmutableString};
use std::sync::Arc;

/// What one evaluation runs in.
pub(super) struct Context {
    pub view: View,
    pub compiled: Arc<Compiled>,
    /// What was asked by the request that is decided here: `input` shows it beside the decision's own input.
    pub asked: Option<Arc<Asked>>,
}

pub(super) type Shared = Arc<Context>;

#[derive(Clone)]
pub(super) struct ItemView(pub Shared);

/// A branch: `task`, or what a field of type `branch of KIND` points to.
#[derive(Clone)]
pub(super) struct TaskView(pub Shared, pub u32);

#[derive(Clone)]
pub(super) struct InputView(pub Shared);

#[derive(Clone)]
pub(super) struct DueView(pub Shared);

/// One deadline of the item, or of the branch at hand.
#[derive(Clone)]
pub(super) struct ClockView {
    pub context: Shared,
    pub deadline: Name,
    pub branch: Option<u32>,
}

#[derive(Clone)]
pub(super) struct BranchesView(pub Shared);

/// Some branches of one kind, cancelled ones among them.
#[derive(Clone)]
pub(super) struct BranchSet {
    pub context: Shared,
    pub kind: Name,
    pub numbers: Arc<[u32]>,
}

#[derive(Clone)]
pub(super) struct ActorView(pub Shared);

#[derive(Clone)]
pub(super) struct ParamView(pub Shared);

#[derive(Clone)]
pub(super) struct RequestsView(pub Shared);

/// The latest ask of one request; empty when there was none.
#[derive(Clone)]
pub(super) struct AskedView {
    pub context: Shared,
    pub asked: Option<Arc<Asked>>,
}

/// An entry of a `KIND_list`.
#[derive(Clone)]
pub(super) struct RecordView(pub Arc<Fields>);

impl Context {
    pub fn new(view: &View, compiled: &Arc<Compiled>, request: Option<&str>) -> Shared {
        let asked = request.and_then(|request| latest_ask(view, request));
        Arc::new(Context { view: view.clone(), compiled: compiled.clone(), asked })
    }

    /// What was put in under a name.
    pub fn input(&self, name: &str) -> &Value {
        let asked = || self.asked.as_ref().and_then(|asked| asked.input.get(name));
        self.view.input.get(name).or_else(asked).unwrap_or(&Value::Empty)
    }

    pub fn branch(&self, no: u32) -> Option<&Branch> {
        self.view.item.branch(no)
    }

    /// A value as a script reads it: a pointer to a branch is followed.
    pub fn read(self: &Arc<Self>, pointer: bool, value: &Value) -> Dynamic {
        match value {
            Value::Number(no) if pointer => self.task(*no),
            value => to_dynamic(value),
        }
    }

    fn task(self: &Arc<Self>, no: i64) -> Dynamic {
        match u32::try_from(no) {
            Ok(no) if self.branch(no).is_some() => Dynamic::from(TaskView(self.clone(), no)),
            _ => Dynamic::UNIT,
        }
    }
}

/// The latest ask of a request, of the item or of the branch at hand.
pub(super) fn latest_ask(view: &View, request: &str) -> Option<Arc<Asked>> {
    let of_branch = view.setting.workflow.requests.get(request)?.branch.is_some();
    let branch = if of_branch { view.task } else { None };
    view.item.requests.iter().rev().find(|asked| *asked.request == *request && asked.branch == branch).cloned()
}

impl ClockView {
    /// The latest cycle.
    pub fn clock(&self) -> Option<&Clock> {
        self.context.view.item.clock(&self.deadline, self.branch)
    }
}

impl BranchSet {
    pub fn all(&self) -> impl Iterator<Item = &Branch> {
        self.numbers.iter().filter_map(|no| self.context.branch(*no))
    }

    /// Cancelled branches do not count, except where their state is asked for by its name.
    pub fn counted(&self) -> impl Iterator<Item = &Branch> {
        self.all().filter(|branch| !branch.cancelled)
    }
}

pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Empty => Dynamic::UNIT,
        Value::Bool(value) => Dynamic::from_bool(*value),
        Value::Number(value) => Dynamic::from_int(*value),
        Value::Text(text) => text_to_dynamic(text),
        Value::Date(date) => Dynamic::from(*date),
        Value::Length(length) => Dynamic::from(*length),
        Value::List(list) => Dynamic::from_array(list.iter().map(to_dynamic).collect()),
        Value::Record(fields) => Dynamic::from(RecordView(Arc::new(fields.clone()))),
    }
}

pub(super) fn text_to_dynamic(text: &str) -> Dynamic {
    Dynamic::from(ImmutableString::from(text))
}

pub(super) fn texts_to_dynamic<'a>(texts: impl Iterator<Item = &'a Name>) -> Array {
    texts.map(|text| text_to_dynamic(text)).collect()
}

/// What a script gave back; `Err` names what is no value (a view).
pub(super) fn from_dynamic(value: Dynamic) -> Result<Value, &'static str> {
    if value.is_unit() {
        return Ok(Value::Empty);
    }
    if let Ok(yes) = value.as_bool() {
        return Ok(Value::Bool(yes));
    }
    if let Ok(number) = value.as_int() {
        return Ok(Value::Number(number));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::text(&text));
    }
    if let Some(date) = value.read_lock::<Date>() {
        return Ok(Value::Date(*date));
    }
    if let Some(length) = value.read_lock::<Length>() {
        return Ok(Value::Length(*length));
    }
    if let Ok(list) = value.as_array_ref() {
        return list.iter().map(|entry| from_dynamic(entry.clone())).collect::<Result<_, _>>().map(Value::List);
    }
    if let Some(record) = value.read_lock::<RecordView>() {
        return Ok(Value::Record((*record.0).clone()));
    }
    if let Some(task) = value.read_lock::<TaskView>() {
        return Ok(Value::Number(i64::from(task.1)));
    }
    Err("a view")
}
