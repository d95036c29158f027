//! Who may do what where, as a document to be signed: for each state of the item and of its branches, each role with its actions.

use super::{Document, Said, Section};
use crate::kernel::author::clauses::Kind;
use crate::kernel::author::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::*;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::Lang;
use indexmap::IndexMap;

pub fn matrix(set: &RuleSet, rules: &Rules, lang: Lang) -> Document {
    let speaker = Speaker::new(set, rules, lang);
    let workflow = speaker.workflow;
    let levels = std::iter::once(None).chain(workflow.branches.keys().map(Some));
    let sections = levels.map(|branch| {
        let title = speaker.say("say.matrix", &[]);
        let title = match branch {
            Some(branch) => speaker.say("say.of_branch", &[("branch", &speaker.branch(branch)), ("title", &title)]),
            None => title,
        };
        let states = workflow.states_of(branch.map(|name| &**name)).into_iter().flatten().filter(|(_, state)| state.kind != StateKind::End);
        let states = states.map(|(name, state)| in_state(&speaker, branch, name, state));
        let rules = match branch {
            None => creating(&speaker).into_iter().chain(amending(&speaker)).chain(states).collect(),
            Some(_) => states.collect(),
        };
        Section { kind: Kind::State, branch: branch.cloned(), title, rules }
    });
    Document {
        title: workflow.title.clone(),
        workflow: workflow.name.clone(),
        version: workflow.version,
        hash: set.hash.clone(),
        sections: sections.collect(),
    }
}

fn in_state(speaker: &Speaker, branch: Option<&Name>, name: &Name, state: &State) -> Said {
    // A request without `from` may be made wherever work goes on.
    let steps = doers(speaker, branch, |action| !action.creates && (action.from.is_empty() || action.from.contains(name)));
    let owner = state.owner.iter().map(|owner| speaker.say("say.matrix_owner", &[("role", &speaker.role(owner))])).collect();
    Said { name: name.clone(), title: state.title.clone(), sentences: owner, steps }
}

/// Who makes an item; it has no state yet.
fn creating(speaker: &Speaker) -> Option<Said> {
    let steps = doers(speaker, None, |action| action.creates);
    let title = speaker.say("say.matrix_creates", &[]);
    (!steps.is_empty()).then(|| Said { name: "creates".into(), title, sentences: Vec::new(), steps })
}

/// Who puts wrong records right, whatever the state.
fn amending(speaker: &Speaker) -> Option<Said> {
    let steps: Vec<String> = speaker.workflow.amend_by.iter().map(|role| speaker.role(role)).collect();
    let title = speaker.say("say.matrix_amends", &[]);
    (!steps.is_empty()).then(|| Said { name: "amend_by".into(), title, sentences: Vec::new(), steps })
}

/// Each role with those of the actions that it may do.
fn doers(speaker: &Speaker, branch: Option<&Name>, wanted: impl Fn(&Action) -> bool) -> Vec<String> {
    let mut doers: IndexMap<String, Vec<String>> = IndexMap::new();
    // In the order in which the roles are declared; the engine itself comes last.
    for role in speaker.workflow.roles.keys() {
        doers.insert(speaker.role(role), Vec::new());
    }
    let actions = speaker.workflow.actions_of(branch.map(|name| &**name)).into_iter().flatten();
    for (_, action) in actions.filter(|(_, action)| wanted(action)) {
        for by in &action.by {
            let title = speaker.action_title(action);
            let title = match &by.on_behalf_of {
                Some(role) => speaker.say("on_behalf", &[("role", &title), ("of", &speaker.role(role))]),
                None => title,
            };
            doers.entry(speaker.role(&by.role)).or_default().push(speaker.when(title, &by.when));
        }
    }
    let rows = doers.into_iter().filter(|(_, actions)| !actions.is_empty());
    rows.map(|(role, actions)| speaker.say("say.matrix_row", &[("role", &role), ("actions", &speaker.list(actions))])).collect()
}
