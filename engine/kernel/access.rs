//! Who may see what: fields and branches that are shown to some roles only, or sealed until an action was done; and which parts of the
//! house are open to whom.

use crate::kernel::derive::roles;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Field;
use crate::kernel::model::directory::Directory;
use crate::kernel::model::fact::{Fact, Outcome};
use crate::kernel::model::item::{Branch, Item};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Date;
use std::sync::Arc;

/// Somebody who looks at an item on a day. `facts` are all facts of the item.
#[derive(Clone, Copy)]
pub struct Reader<'a> {
    pub rules: &'a Rules,
    pub item: &'a Arc<Item>,
    pub facts: &'a [Fact],
    /// Without one, what not everybody may see stays hidden.
    pub person: Option<&'a Name>,
    pub day: Date,
}

impl Reader<'_> {
    /// A field of the item, or of one of its branches. A seal opens with the first such action after the value was recorded.
    pub fn sees_field(&self, task: Option<u32>, name: &str, field: &Field) -> Result<bool, EvalError> {
        let recorded = self.facts.iter().rev().find(|fact| fact.outcomes.iter().any(|outcome| records(outcome, task, name)));
        self.sees(task, &field.visible_to, field.sealed_until.as_ref(), recorded.map_or(0, |fact| fact.seq))
    }

    /// A branch as a whole.
    pub fn sees_branch(&self, branch: &Branch) -> Result<bool, EvalError> {
        let Some(kind) = self.rules.setting.workflow.branches.get(&branch.kind) else { return Ok(false) };
        self.sees(Some(branch.no), &kind.visible_to, kind.sealed_until.as_ref(), branch.opened_seq)
    }

    fn sees(&self, task: Option<u32>, roles: &[Name], sealed_until: Option<&Name>, since: u64) -> Result<bool, EvalError> {
        let opens = |action: &Name| {
            let mut done = self.item.done.iter().filter(|done| done.branch.is_none() || done.branch == task);
            done.any(|done| done.name == *action && done.seq >= since)
        };
        match sealed_until {
            None if roles.is_empty() => return Ok(true),
            Some(action) if opens(action) => return Ok(true),
            _ => {}
        }
        let Some(person) = self.person else { return Ok(false) };
        for role in roles {
            if roles::holds(self.rules, self.item, role, task, person, self.day)? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// A part of the house that is not everybody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// One's own work.
    Work,
    /// Lists of all items, and reports of them.
    Ledger,
    Reports,
    /// What was sent to whom, and what waits.
    Outbox,
    /// How the system is doing.
    System,
    /// The rule workshop.
    Rules,
    /// Who may sign in.
    Accounts,
    /// Who did what with accounts, and was refused what.
    Audit,
}

/// The group of the directory that looks after the system: what is sent, how it is doing, and its rules.
pub const SYSTEM_ADMINISTRATORS: &str = "system_administrators";
/// The group that says who may sign in.
pub const SECURITY_ADMINISTRATORS: &str = "security_administrators";
/// The group that looks at what the others did.
pub const AUDIT_ADMINISTRATORS: &str = "audit_administrators";

/// All of them.
pub const ADMINISTRATORS: [&str; 3] = [SYSTEM_ADMINISTRATORS, SECURITY_ADMINISTRATORS, AUDIT_ADMINISTRATORS];

/// Whether a person may enter a room on a day. Three groups of administrators look after different things, so that none of them can do and
/// hide it (GB/T 22239-2019 asks for that).
pub fn may_enter(directory: &Directory, person: &str, day: Date, room: Room) -> bool {
    let in_group = |group: &str| {
        let groups = directory.persons.get(person).map_or(&[][..], |person| &person.groups);
        groups.iter().any(|row| &*row.value == group && row.holds_on(day))
    };
    match room {
        Room::Work | Room::Ledger | Room::Reports => directory.persons.contains_key(person),
        Room::Outbox | Room::System | Room::Rules => in_group(SYSTEM_ADMINISTRATORS),
        Room::Accounts => in_group(SECURITY_ADMINISTRATORS),
        Room::Audit => in_group(AUDIT_ADMINISTRATORS),
    }
}

fn records(outcome: &Outcome, task: Option<u32>, name: &str) -> bool {
    match outcome {
        Outcome::Set { field, .. } => task.is_none() && **field == *name,
        Outcome::BranchSet { branch, field, .. } => task == Some(*branch) && **field == *name,
        Outcome::Open { branch, fields, .. } => task == Some(*branch) && fields.contains_key(name),
        _ => false,
    }
}
