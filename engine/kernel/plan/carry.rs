//! What a publication leaves behind for the items that are open then: noted when it happens, and read again with the rules in use.

use super::record::{CalledBack, Noted, Record};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{OpenItems, Workflow};
use crate::kernel::model::renames::Renames;
use crate::kernel::rules::{Carried, Kept, RuleSet, Rules, Setting};
use crate::kernel::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A publication: when it was, and what was noted.
#[derive(Clone, Debug)]
pub struct Past {
    pub at: Instant,
    pub record: Record,
}

/// What becomes of the dates of open items, by deadline: chosen with the plan, beside what the version itself says.
pub type Choices = BTreeMap<Name, OpenItems>;

/// What is chosen for a deadline.
pub fn chosen(workflow: &Workflow, choices: &Choices, deadline: &Name) -> Option<OpenItems> {
    choices.get(deadline).copied().or_else(|| workflow.open_items(deadline))
}

/// Notes in a record what the change from one rule set to another means for open items.
pub fn note(record: &mut Record, old: &RuleSet, new: &RuleSet, choices: &Choices) {
    for (name, rules) in &new.workflows {
        let Some(before) = old.workflows.get(name) else { continue };
        let (was, is) = (&before.setting.workflow, &rules.setting.workflow);
        let noted =
            |deadline: &Name, rung: Option<&Name>| Noted { workflow: name.clone(), deadline: deadline.clone(), rung: rung.cloned() };
        if record.back {
            let left: Vec<_> = was.changes.iter().filter(|change| change.version > is.version).cloned().collect();
            let names = Renames::reversed(&left);
            if !names.is_empty() {
                record.called_back.push(CalledBack { workflow: name.clone(), names });
            }
        }
        for (deadline, declared) in &is.deadlines {
            let earlier = called_before(was, is, deadline);
            match chosen(is, choices, deadline).filter(|_| earlier.is_some()) {
                Some(OpenItems::Keep) => record.kept.push(noted(deadline, None)),
                Some(OpenItems::Recompute) => record.recomputed.push(noted(deadline, None)),
                None => {}
            }
            if earlier.is_none() && declared.when.is_some() {
                record.new_deadlines.push(noted(deadline, None));
            }
            let ladder = earlier.and_then(|earlier| was.deadlines.get(earlier)).map(|earlier| &earlier.ladder[..]).unwrap_or_default();
            // A rung that stands somewhere else is another occasion.
            let is_new =
                |rung: &&crate::kernel::model::definition::Rung| !ladder.iter().any(|old| old.rung == rung.rung && old.at == rung.at);
            record.new_rungs.extend(declared.ladder.iter().filter(is_new).map(|rung| noted(deadline, Some(&rung.rung))));
        }
    }
}

/// What a deadline was called in the version before, if it was there.
fn called_before<'w>(was: &'w Workflow, is: &Workflow, deadline: &Name) -> Option<&'w Name> {
    let same = was.deadlines.get_key_value(deadline).map(|(name, _)| name);
    same.or_else(|| was.deadlines.keys().find(|old| is.deadline_now(old) == deadline))
}

/// The rule sets of which something is kept, by their hashes.
pub fn kept_sets(past: &[Past]) -> BTreeSet<&str> {
    let keeping = past.iter().filter(|one| !one.record.kept.is_empty());
    keeping.filter_map(|one| one.record.before.as_deref()).collect()
}

/// A rule set with all that the publications up to now have left behind. `sets` are those of [`kept_sets`]; one that is missing keeps nothing.
pub fn with_past(rules: &Arc<RuleSet>, past: &[Past], sets: &BTreeMap<String, Arc<RuleSet>>) -> Arc<RuleSet> {
    let leaves_nothing = |record: &Record| {
        record.kept.is_empty() && record.new_rungs.is_empty() && record.new_deadlines.is_empty() && record.called_back.is_empty()
    };
    if past.iter().all(|one| leaves_nothing(&one.record)) {
        return rules.clone();
    }
    let workflows = rules.workflows.iter().map(|(name, rules)| (name.clone(), Arc::new(workflow(name, rules, past, sets)))).collect();
    Arc::new(RuleSet {
        hash: rules.hash.clone(),
        workflows,
        directory: rules.directory.clone(),
        templates: rules.templates.clone(),
        files: rules.files.clone(),
    })
}

fn workflow(name: &Name, rules: &Rules, past: &[Past], sets: &BTreeMap<String, Arc<RuleSet>>) -> Rules {
    let back = past.iter().flat_map(|one| &one.record.called_back).filter(|back| back.workflow == *name);
    let back = back.fold(Renames::default(), |all, back| back.names.clone().with(all));
    let back_is_empty = back.is_empty();
    let setting = match back_is_empty {
        true => rules.setting.clone(),
        false => {
            let renames = rules.setting.workflow.renames.clone().with(back);
            Arc::new(Setting {
                workflow: Workflow { renames, ..rules.setting.workflow.clone() },
                calendar: rules.setting.calendar.clone(),
                directory: rules.setting.directory.clone(),
            })
        }
    };
    let mut carried = Carried { called_back: !back_is_empty, ..Carried::default() };
    for Past { at, record } in past {
        let own = |noted: &&Noted| noted.workflow == *name;
        for noted in record.recomputed.iter().filter(own) {
            let deadline = setting.workflow.deadline_now(&noted.deadline);
            carried.kept.retain(|kept| kept.deadline != *deadline);
        }
        for noted in record.kept.iter().filter(own) {
            let set = record.before.as_ref().and_then(|before| sets.get(before));
            let Some(then) = set.and_then(|set| set.workflows.get(name)) else { continue };
            let Some(was) = called_before(&then.setting.workflow, &setting.workflow, &noted.deadline) else { continue };
            let deadline = setting.workflow.deadline_now(&noted.deadline).clone();
            let then_setting = Setting {
                workflow: then.setting.workflow.clone(),
                calendar: setting.calendar.clone(),
                directory: setting.directory.clone(),
            };
            let then_rules = Rules {
                hash: then.hash.clone(),
                setting: Arc::new(then_setting),
                scripts: then.scripts.clone(),
                places: then.places.clone(),
                carried: Arc::default(),
            };
            carried.kept.push(Kept { deadline, was: was.clone(), before: *at, rules: Arc::new(then_rules) });
        }
        for noted in record.new_rungs.iter().filter(own) {
            if let Some(rung) = &noted.rung {
                carried.new_rungs.insert((setting.workflow.deadline_now(&noted.deadline).clone(), rung.clone()), *at);
            }
        }
        for noted in record.new_deadlines.iter().filter(own) {
            carried.new_deadlines.insert(setting.workflow.deadline_now(&noted.deadline).clone(), *at);
        }
    }
    Rules { hash: rules.hash.clone(), setting, scripts: rules.scripts.clone(), places: rules.places.clone(), carried: Arc::new(carried) }
}
