//! Folding outcomes: state, fields, branches and requests, without running any script.

use crate::kernel::model::Name;
use crate::kernel::model::definition::{RequestStep, StateKind, Workflow};
use crate::kernel::model::fact::{Cause, Fact, Outcome};
use crate::kernel::model::item::{Asked, Branch, Done, Errand, Item};
use crate::kernel::model::value::Value;
use crate::kernel::rules::Rules;
use crate::kernel::time::Date;
use std::sync::Arc;

/// What one fact moved.
#[derive(Debug, Default)]
pub struct Moved {
    /// The item (no branch) or a branch, and the state it left; `None` when it is new.
    pub states: Vec<(Option<u32>, Option<Name>)>,
    /// Fields set on the item or a branch.
    pub fields: Vec<(Option<u32>, Name)>,
    /// A request was asked or decided.
    pub request: bool,
}

impl Moved {
    pub fn opened(&self, branch: u32) -> bool {
        self.states.iter().any(|(holder, from)| *holder == Some(branch) && from.is_none())
    }
}

/// An item before its first fact.
pub fn begin(rules: &Rules, id: &str, on: Date, today: Date) -> Item {
    let workflow = &rules.setting.workflow;
    Item {
        id: id.into(),
        workflow: workflow.name.clone(),
        rev: 0,
        today,
        state: workflow.start_state().cloned().unwrap_or_else(|| "".into()),
        since: on,
        ended: false,
        fields: workflow.defaults(None),
        branches: Vec::new(),
        clocks: Vec::new(),
        requests: Vec::new(),
        flag: None,
        created_on: on,
        last_effective_on: on,
        done: Arc::default(),
        errands: Vec::new(),
        arrived: Vec::new(),
    }
}

/// Applies a fact's outcomes and says what moved.
pub fn outcomes(rules: &Rules, item: &mut Item, fact: &Fact) -> Moved {
    let workflow = &rules.setting.workflow;
    let mut moved = Moved::default();
    if item.rev == 0 {
        moved.states.push((None, None));
    }
    item.rev = fact.seq;
    item.last_effective_on = item.last_effective_on.max(fact.effective_on);
    match &fact.cause {
        Cause::Errand { item: asked_by, seq, no } => item.arrived.push((asked_by.clone(), *seq, *no)),
        Cause::Answer { seq, no, .. } => item.errands.retain(|errand| (errand.seq, errand.no) != (*seq, *no)),
        _ => {}
    }
    for (no, outcome) in (0..).zip(&fact.outcomes) {
        match outcome {
            Outcome::State { to } => {
                let from = std::mem::replace(&mut item.state, to.clone());
                item.since = fact.effective_on;
                item.ended = is_end(workflow, None, to);
                moved.states.push((None, Some(from)));
            }
            Outcome::Set { field, value } => {
                record(item, None, field.clone(), value.clone());
                moved.fields.push((None, field.clone()));
            }
            Outcome::Open { branch, kind, state, fields } => {
                let mut all = workflow.defaults(Some(kind));
                all.extend(fields.clone());
                item.branches.push(Arc::new(Branch {
                    no: *branch,
                    kind: kind.clone(),
                    state: state.clone(),
                    since: fact.effective_on,
                    ended: is_end(workflow, Some(kind), state) || !workflow.branches.contains_key(kind),
                    cancelled: false,
                    fields: all,
                    opened_on: fact.effective_on,
                    opened_seq: fact.seq,
                }));
                moved.states.push((Some(*branch), None));
            }
            Outcome::BranchState { branch, to } | Outcome::Cancel { branch, to } => {
                let cancelled = matches!(outcome, Outcome::Cancel { .. });
                let Some(kept) = branch.checked_sub(1).and_then(|index| item.branches.get_mut(index as usize)) else { continue };
                let kept = Arc::make_mut(kept);
                let from = std::mem::replace(&mut kept.state, to.clone());
                kept.since = fact.effective_on;
                kept.ended = cancelled || is_end(workflow, Some(&kept.kind), to) || !workflow.branches.contains_key(&kept.kind);
                kept.cancelled = cancelled;
                moved.states.push((Some(*branch), Some(from)));
            }
            Outcome::BranchSet { branch, field, value } => {
                record(item, Some(*branch), field.clone(), value.clone());
                moved.fields.push((Some(*branch), field.clone()));
            }
            Outcome::Errand { workflow, item: asked, action, input, depth } => item.errands.push(Arc::new(Errand {
                seq: fact.seq,
                no,
                workflow: workflow.clone(),
                item: asked.clone(),
                action: action.clone(),
                input: input.clone(),
                on: fact.effective_on,
                at: fact.recorded_at,
                depth: *depth,
            })),
        }
    }
    requests(workflow, item, fact, &mut moved);
    remember(item, fact);
    moved
}

/// Sets a field of the item or of a branch.
pub fn record(item: &mut Item, branch: Option<u32>, field: Name, value: Value) {
    match branch {
        None => {
            item.fields.insert(field, value);
        }
        Some(no) => {
            if let Some(branch) = no.checked_sub(1).and_then(|index| item.branches.get_mut(index as usize)) {
                Arc::make_mut(branch).fields.insert(field, value);
            }
        }
    }
}

fn is_end(workflow: &Workflow, branch: Option<&str>, state: &str) -> bool {
    workflow.states_of(branch).and_then(|states| states.get(state)).is_some_and(|state| state.kind == StateKind::End)
}

/// The facts of a request (`extension.asked` …) open and close it.
fn requests(workflow: &Workflow, item: &mut Item, fact: &Fact, moved: &mut Moved) {
    let Some((request, step)) = request_step(workflow, &fact.name) else { return };
    moved.request = true;
    match step {
        Some(RequestStep::Ask) => item.requests.push(Arc::new(Asked {
            request,
            branch: fact.branch,
            seq: fact.seq,
            input: fact.input.clone(),
            person: fact.actor.person.clone(),
            consents: Vec::new(),
            decided: None,
        })),
        decision => {
            let latest = item.requests.iter_mut().rev().find(|asked| asked.request == request && asked.branch == fact.branch);
            let Some(asked) = latest.map(Arc::make_mut) else { return };
            match decision {
                Some(step) => asked.decided = Some(step == RequestStep::Approve),
                None => asked.consents.extend(fact.actor.role.clone()),
            }
        }
    }
}

/// `None` as the step is a consent that does not decide yet.
fn request_step(workflow: &Workflow, fact: &str) -> Option<(Name, Option<RequestStep>)> {
    let (request, step) = fact.rsplit_once('.')?;
    let (request, _) = workflow.requests.get_key_value(request)?;
    let step = match step {
        "asked" => Some(RequestStep::Ask),
        "approved" => Some(RequestStep::Approve),
        "refused" => Some(RequestStep::Refuse),
        "consented" => None,
        _ => return None,
    };
    Some((request.clone(), step))
}

fn remember(item: &mut Item, fact: &Fact) {
    let latest =
        Done { seq: fact.seq, name: fact.name.clone(), branch: fact.branch, person: fact.actor.person.clone(), on: fact.effective_on };
    let done = Arc::make_mut(&mut item.done);
    match done.iter_mut().find(|done| done.name == fact.name && done.branch == fact.branch) {
        Some(earlier) => *earlier = latest,
        None => done.push(latest),
    }
}
