//! What earlier versions of a workflow called otherwise, and what they had that is gone: its `changes`, put together.

use super::Name;
use super::definition::{Change, OpenItems, Section, Workflow};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Old names with the new ones, over all versions. A name that is declared is never taken for an old one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Renames {
    /// States that were renamed, or retired into another.
    pub states: IndexMap<Name, Name>,
    pub fields: IndexMap<Name, Name>,
    pub actions: IndexMap<Name, Name>,
    pub branches: IndexMap<Name, Name>,
    pub deadlines: IndexMap<Name, Name>,
    pub retired_fields: Vec<Name>,
    pub retired_branches: Vec<Name>,
    pub retired_deadlines: Vec<Name>,
    pub retired_requests: Vec<Name>,
}

/// Renames follow each other so often at most; a circle ends here.
const LONGEST: usize = 64;

impl Renames {
    /// Those of all versions; a later one wins over an earlier one.
    pub fn of(changes: &[Change]) -> Renames {
        let mut all = Renames::default();
        let mut changes: Vec<&Change> = changes.iter().collect();
        changes.sort_by_key(|change| change.version);
        for change in changes {
            let pairs = |names: &IndexMap<Name, Name>| names.clone();
            all.states.extend(pairs(&change.renamed_states));
            all.states.extend(pairs(&change.retired_states));
            all.fields.extend(pairs(&change.renamed_fields));
            all.actions.extend(pairs(&change.renamed_actions));
            all.branches.extend(pairs(&change.renamed_branches));
            all.deadlines.extend(pairs(&change.renamed_deadlines));
            all.retired_fields.extend(change.retired_fields.clone());
            all.retired_branches.extend(change.retired_branches.clone());
            all.retired_deadlines.extend(change.retired_deadlines.clone());
            all.retired_requests.extend(change.retired_requests.clone());
        }
        all
    }

    /// The way back: the new names with the old ones. What was retired has none.
    pub fn reversed(changes: &[Change]) -> Renames {
        let mut back = Renames::default();
        let reversed = |names: &IndexMap<Name, Name>| names.iter().map(|(old, new)| (new.clone(), old.clone())).collect::<Vec<_>>();
        for change in changes {
            back.states.extend(reversed(&change.renamed_states));
            back.fields.extend(reversed(&change.renamed_fields));
            back.actions.extend(reversed(&change.renamed_actions));
            back.branches.extend(reversed(&change.renamed_branches));
            back.deadlines.extend(reversed(&change.renamed_deadlines));
        }
        back
    }

    /// With those of another beside its own, which win.
    pub fn with(mut self, other: Renames) -> Renames {
        let own = std::mem::replace(&mut self, other);
        self.states.extend(own.states);
        self.fields.extend(own.fields);
        self.actions.extend(own.actions);
        self.branches.extend(own.branches);
        self.deadlines.extend(own.deadlines);
        self.retired_fields.extend(own.retired_fields);
        self.retired_branches.extend(own.retired_branches);
        self.retired_deadlines.extend(own.retired_deadlines);
        self.retired_requests.extend(own.retired_requests);
        self
    }

    /// Whether facts may carry a name that is another one now.
    pub fn is_empty(&self) -> bool {
        [&self.states, &self.fields, &self.actions, &self.branches, &self.deadlines].iter().all(|names| names.is_empty())
    }
}

/// What a name is called now, among those that are declared; itself when it is declared, or was never renamed to one that is.
pub fn now<'n, T>(names: &'n IndexMap<Name, Name>, declared: Option<&Section<T>>, name: &'n Name) -> &'n Name {
    let (mut current, mut left) = (name, LONGEST);
    while left > 0 && declared.is_none_or(|declared| !declared.contains_key(current)) {
        match names.get(current) {
            Some(next) => current = next,
            None => break,
        }
        left -= 1;
    }
    match declared.is_some_and(|declared| declared.contains_key(current)) {
        true => current,
        false => name,
    }
}

impl Workflow {
    pub fn branch_now<'n>(&'n self, name: &'n Name) -> &'n Name {
        now(&self.renames.branches, Some(&self.branches), name)
    }

    pub fn deadline_now<'n>(&'n self, name: &'n Name) -> &'n Name {
        now(&self.renames.deadlines, Some(&self.deadlines), name)
    }

    /// A state of the item, or of a kind of branch under its present name.
    pub fn state_now<'n>(&'n self, branch: Option<&str>, name: &'n Name) -> &'n Name {
        now(&self.renames.states, self.states_of(branch), name)
    }

    pub fn field_now<'n>(&'n self, branch: Option<&str>, name: &'n Name) -> &'n Name {
        now(&self.renames.fields, self.fields_of(branch), name)
    }

    /// The name under which an action's fact was recorded, as it is recorded now.
    pub fn action_now<'n>(&'n self, branch: Option<&str>, name: &'n Name) -> &'n Name {
        now(&self.renames.actions, self.actions_of(branch), name)
    }

    /// What becomes of the dates of open items under this version's own deadline, where it says so.
    pub fn open_items(&self, deadline: &str) -> Option<OpenItems> {
        let of_this = self.changes.iter().filter(|change| change.version == self.version);
        of_this.filter_map(|change| change.open_items.get(deadline)).next_back().copied()
    }

    /// Whether this version says that what it rewrites was wrong from the beginning: a param, or `calendar`.
    pub fn is_corrected(&self, name: &str) -> bool {
        self.changes.iter().filter(|change| change.version == self.version).any(|change| change.corrected.iter().any(|own| &**own == name))
    }
}
