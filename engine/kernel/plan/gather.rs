//! The differences of many items, gathered by what becomes different and why.

use super::{Cause, Difference, Group, Row, What};
use crate::kernel::model::Name;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write;

/// What was found so far, in the order of the items.
#[derive(Default)]
pub struct Gathered {
    groups: BTreeMap<(What, Name, Cause), Vec<Row>>,
    seen: Sha256,
    /// Items that were compared.
    pub items: u64,
    /// Items that could not be derived before either.
    pub unread: u64,
}

impl Gathered {
    pub fn add(&mut self, workflow: &Name, found: Vec<Difference>) {
        for Difference { what, cause, row } in found {
            self.groups.entry((what, workflow.clone(), cause)).or_default().push(row);
        }
    }

    /// Notes an item and the revision at which it was compared.
    pub fn saw(&mut self, item: &str, rev: u64) {
        self.items += 1;
        note(&mut self.seen, item, rev);
    }

    /// The groups, the worst first, and what tells this look from one at other facts.
    pub fn end(self) -> (Vec<Group>, String) {
        let groups = self.groups.into_iter().map(|((what, workflow, cause), rows)| {
            let mut rows = rows;
            rows.sort_unstable();
            Group { workflow, what, cause, rows }
        });
        let mut groups: Vec<Group> = groups.collect();
        let rank = |group: &Group| (group.rank(), std::cmp::Reverse(group.overdue()), std::cmp::Reverse(group.rows.len()));
        groups.sort_by_key(rank);
        (groups, hex(self.seen))
    }
}

impl Group {
    /// How bad its kind is, the worst first: what cannot go on, what turns overdue, what moves, what is only called otherwise.
    fn rank(&self) -> u8 {
        match &self.what {
            What::WorkflowGone | What::Unreadable { .. } => 0,
            What::StateGone { .. } | What::BranchGone { .. } | What::DeadlineGone { .. } | What::RequestGone { .. } => 1,
            What::FieldGone { .. } | What::FieldUnfit { .. } | What::Always { .. } | What::Stuck { .. } | What::HolderLost { .. } => 2,
            _ if self.overdue() > 0 => 3,
            What::Date { .. } | What::NoDate { .. } | What::NewDate { .. } => 4,
            What::Owed { .. } => 5,
            What::HolderMoves { .. } | What::ActionLost { .. } => 6,
            What::RungPassed { .. } => 7,
            What::ActionGained { .. } => 8,
            What::StateMoves { .. } | What::DeadlineMoves { .. } | What::FieldMoves { .. } | What::BranchMoves { .. } => 9,
        }
    }
}

/// The same for items in the order of their ids and the revisions at which they stand.
pub fn digest<'a>(items: impl IntoIterator<Item = (&'a str, u64)>) -> String {
    let mut seen = Sha256::new();
    items.into_iter().for_each(|(item, rev)| note(&mut seen, item, rev));
    hex(seen)
}

fn note(seen: &mut Sha256, item: &str, rev: u64) {
    seen.update((item.len() as u64).to_be_bytes());
    seen.update(item.as_bytes());
    seen.update(rev.to_be_bytes());
}

pub(super) fn hex(digest: Sha256) -> String {
    let mut text = String::with_capacity(64);
    for byte in digest.finalize() {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
