//! Two versions of one workflow, with what of them differs so far that it has to be asked of every item.

use super::{Courses, Difference, item};
use crate::kernel::model::Name;
use crate::kernel::model::definition::Action;
use crate::kernel::model::fact::Fact;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::idle::Life;
use crate::kernel::time::Instant;
use std::fmt::Debug;
use std::sync::Arc;

/// What is the same for every item of a workflow.
pub struct Pair {
    pub old: Arc<Rules>,
    pub new: Arc<Rules>,
    /// Actions that may be offered otherwise.
    pub(super) actions: Vec<Asked>,
    /// Who holds what may be another.
    pub(super) holders: bool,
    /// What must always hold, or what it reads, differs.
    pub(super) always: bool,
}

/// What was found about an item.
pub struct Compared {
    /// In no order.
    pub differences: Vec<Difference>,
    /// What becomes of it in the next days under each; nothing when it cannot be derived under the new rules.
    pub lives: Option<(Life, Life)>,
}

/// An action in both versions.
pub(super) struct Asked {
    /// The kind of branch, under its present name.
    pub level: Option<Name>,
    /// As it is called now, or was when it is gone.
    pub name: Name,
    pub old: Option<Action>,
    pub new: Option<Action>,
    /// The key of the action that differs; nothing for one that only reads something that does.
    pub key: Option<&'static str>,
}

impl Pair {
    /// Nothing when the new set lacks the workflow, or the old one never had it.
    pub fn of(old_set: &RuleSet, new_set: &RuleSet, workflow: &str) -> Option<Pair> {
        let (old, new) = (old_set.workflows.get(workflow)?.clone(), new_set.workflows.get(workflow)?.clone());
        let (was, is) = (&old.setting.workflow, &new.setting.workflow);
        let scripts = |set: &RuleSet| {
            set.files
                .iter()
                .filter(|(path, _)| path.ends_with(".rhai"))
                .map(|(path, text)| (path.clone(), text.clone()))
                .collect::<Vec<_>>()
        };
        let reads_otherwise = scripts(old_set) != scripts(new_set)
            || text(&was.functions) != text(&is.functions)
            || text(&was.params) != text(&is.params)
            || text(&was.fields) != text(&is.fields)
            || text(&was.deadlines) != text(&is.deadlines)
            || was.branches.iter().map(|(kind, branch)| (kind, text(&branch.fields), text(&branch.views))).collect::<Vec<_>>()
                != is.branches.iter().map(|(kind, branch)| (kind, text(&branch.fields), text(&branch.views))).collect::<Vec<_>>();
        let holders = text(&was.roles) != text(&is.roles) || text(&old.setting.directory) != text(&new.setting.directory);
        let always = !is.always.is_empty() && (reads_otherwise || text(&was.always) != text(&is.always));
        let actions = asked(&old, &new, reads_otherwise);
        Some(Pair { old, new, actions, holders, always })
    }

    /// Everything that becomes different for an item, and the days to come. Nothing when it cannot be derived under the old rules either.
    pub fn compare(&self, courses: &Courses, id: &Name, facts: &[Fact], now: Instant) -> Option<Compared> {
        item::compare(self, courses, id, facts, now)
    }
}

fn asked(old: &Rules, new: &Rules, reads_otherwise: bool) -> Vec<Asked> {
    let (was, is) = (&old.setting.workflow, &new.setting.workflow);
    let mut out = Vec::new();
    let levels = std::iter::once(None)
        .chain(was.branches.keys().chain(is.branches.keys().filter(|kind| !was.branches.contains_key(*kind))).map(Some));
    for level in levels {
        let now = level.map(|kind| is.branch_now(kind));
        let earlier = was.actions_of(level.map(|kind| &**kind));
        let later = is.actions_of(now.map(|kind| &**kind));
        for (name, action) in earlier.into_iter().flatten() {
            let present = is.action_now(now.map(|kind| &**kind), name);
            let new = later.and_then(|later| later.get(present));
            let key = key(action, new);
            if key.is_some() || (reads_otherwise && !action.require.is_empty()) {
                let (old, new) = (Some(action.clone()), new.cloned());
                out.push(Asked { level: now.cloned(), name: present.clone(), old, new, key });
            }
        }
        for (name, action) in later.into_iter().flatten() {
            let known = earlier.is_some_and(|earlier| earlier.keys().any(|old| is.action_now(now.map(|kind| &**kind), old) == name));
            if !known {
                out.push(Asked { level: now.cloned(), name: name.clone(), old: None, new: Some(action.clone()), key: Some("") });
            }
        }
    }
    out.retain(|asked| !asked.new.as_ref().or(asked.old.as_ref()).is_some_and(|action| action.creates));
    out
}

/// The first key of an action in which the two differ, of those that say to whom it is offered and when.
fn key(old: &Action, new: Option<&Action>) -> Option<&'static str> {
    let Some(new) = new else { return Some("") };
    let differs = [
        ("from", old.from != new.from),
        ("by", text(&old.by) != text(&new.by) || old.not_by != new.not_by),
        ("require", text(&old.require) != text(&new.require)),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(key, _)| key)
}

/// What something says, whichever place its expressions have in the workflow.
fn text<T: Debug>(value: &T) -> String {
    let text = format!("{value:?}");
    let mut out = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find("Expr { id: ") {
        let behind = at + "Expr { id: ".len();
        out.push_str(&rest[..behind]);
        rest = rest[behind..].trim_start_matches(|c: char| c.is_ascii_digit());
    }
    out + rest
}
