//! Why a person may, or may not, do an action: state, role and each condition, one by one.

use crate::kernel::decide::{self, who};
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::Refusal;
use crate::kernel::model::fact::Actor;
use crate::kernel::model::item::Item;
use crate::kernel::model::problem::Place;
use crate::kernel::rules::{Rules, View};
use crate::kernel::words::{Lang, refusal};
use serde::Serialize;
use std::sync::Arc;

#[derive(Clone, Debug, Serialize)]
pub struct ActionExplained {
    pub item: Name,
    pub action: Name,
    pub title: String,
    pub branch: Option<u32>,
    pub person: Name,
    /// May it be done now, as far as can be said without the input?
    pub open: bool,
    pub checks: Vec<Check>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// `state`, `role`, or `rule`.
    pub what: &'static str,
    /// `None`: asked at sending, because it reads the input.
    pub holds: Option<bool>,
    /// What it says: the refusal's sentence, or the role by which it is open, or the rule's own sentence.
    pub says: String,
    /// The expression behind a rule.
    pub source: Option<Name>,
    pub place: Option<Place>,
}

/// Every check of an action for a person; the refusal when the action or the branch is not known.
pub fn explain(rules: &Rules, item: &Arc<Item>, command: &Command, lang: Lang) -> Result<ActionExplained, Refusal> {
    let on = command.effective_on.unwrap_or(item.today);
    let (task, name, action) = decide::find(rules, item, command, on)?;
    let workflow = &rules.setting.workflow;
    let mut checks = Vec::new();
    let state = decide::not_there_yet(item, action).and_then(|()| who::state_allows(rules, item, action, task));
    let state_title = match task.and_then(|no| item.branch(no)) {
        Some(branch) => workflow.states_of(Some(&branch.kind)).and_then(|states| states.get(&branch.state)),
        None => workflow.states.get(&item.state),
    };
    checks.push(Check {
        what: "state",
        holds: Some(state.is_ok()),
        says: state.err().map_or_else(|| state_title.map(|state| state.title.clone()).unwrap_or_default(), |no| refusal(lang, &no)),
        source: None,
        place: None,
    });
    let capacity = who::may(rules, item, name, action, task, &command.by, on);
    let role = capacity.as_ref().ok().and_then(|(by, _)| workflow.roles.get(&by.role)).map(|role| role.title.clone()).unwrap_or_default();
    let actor = capacity
        .as_ref()
        .map(|(_, actor)| actor.clone())
        .unwrap_or_else(|_| Actor { person: Some(command.by.clone()), ..Actor::default() });
    checks.push(Check {
        what: "role",
        holds: Some(capacity.is_ok()),
        says: capacity.err().map_or(role, |no| refusal(lang, &no)),
        source: None,
        place: None,
    });
    let view = View { actor: Arc::new(actor), today: on, ..derive::view(rules, item, task) };
    for rule in &action.require {
        let asked_later = rules.scripts.reads_input(&rule.condition);
        let holds = if asked_later { None } else { Some(rules.scripts.holds(&rule.condition, &view).unwrap_or(false)) };
        checks.push(Check {
            what: "rule",
            holds,
            says: decide::sentence(rules, item, &rule.say, &view),
            source: Some(rule.condition.source.clone()),
            place: rules.places.find(&rule.path).cloned(),
        });
    }
    let open = checks.iter().all(|check| check.holds != Some(false)) && decide::windows_open(rules, item, action, task, on).is_ok();
    if let Err(no) = decide::windows_open(rules, item, action, task, on) {
        checks.push(Check { what: "window", holds: Some(false), says: refusal(lang, &no), source: None, place: None });
    }
    Ok(ActionExplained {
        item: item.id.clone(),
        action: name.clone(),
        title: action.title.clone(),
        branch: task,
        person: command.by.clone(),
        open,
        checks,
    })
}
