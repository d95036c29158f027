//! A plan as it is kept: what was compared, what came of it, and a sum over all of that, so that publishing does what somebody has seen.

use super::carry::Choices;
use super::gather::hex;
use super::{Finding, Group, Mails};
use crate::kernel::check;
use crate::kernel::rules::RuleSet;
use crate::kernel::time::{Date, Instant};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// The form of the file that this program writes and reads.
const FORM: u32 = 1;

/// What a rule set would do to the open items of a database, as of a moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub form: u32,
    /// The identity of the database, and the office in it.
    pub instance: String,
    pub jurisdiction: String,
    pub as_of: Instant,
    /// The civil day for which the items were derived.
    pub day: Date,
    /// The rule set in use, and the one that is to come into use.
    pub old: Seen,
    pub new: Seen,
    /// The folder of the new one; nothing for one that was in use before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
    /// Paths of files that were added, removed or edited.
    pub changed: Vec<String>,
    /// So many items may be overdue at once.
    pub allow_overdue: u64,
    /// What becomes of the dates of open items, beside what the version itself says.
    #[serde(default, skip_serializing_if = "Choices::is_empty")]
    pub choices: Choices,
    /// It goes back to rules that were in use before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub back: bool,
    /// Open items that were compared, and those that cannot be derived now either.
    pub items: u64,
    pub unread: u64,
    /// Over the open items and the revisions at which they stood.
    pub facts: String,
    pub findings: Vec<Finding>,
    pub groups: Vec<Group>,
    /// Of the next days, if nobody did anything.
    pub mails: Mails,
    /// Over everything above.
    pub checksum: String,
}

/// A rule set that was compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    pub hash: String,
    /// The revision under which it is in use; 0 before it is.
    pub revision: u64,
    pub versions: BTreeMap<String, u32>,
    /// Hashes of the calendars and of the directory in it.
    pub calendars: String,
    pub directory: String,
}

impl Seen {
    pub fn of(rules: &RuleSet, revision: u64) -> Seen {
        let part = |of: fn(&str) -> bool| {
            let files: IndexMap<String, String> =
                rules.files.iter().filter(|(path, _)| of(path)).map(|(path, text)| (path.clone(), text.clone())).collect();
            check::hash(&files).to_string()
        };
        let versions = rules.workflows.iter().map(|(name, rules)| (name.to_string(), rules.setting.workflow.version)).collect();
        Seen { hash: rules.hash.to_string(), revision, versions, calendars: part(is_calendar), directory: part(is_directory) }
    }
}

pub(super) fn is_calendar(path: &str) -> bool {
    path.starts_with("calendars/") || path.starts_with("../calendars/")
}

pub(super) fn is_directory(path: &str) -> bool {
    path == "directory.yaml" || path.starts_with("directory/")
}

impl Plan {
    /// The same with its form and its sum.
    pub fn sealed(self) -> Plan {
        let plan = Plan { form: FORM, checksum: String::new(), ..self };
        Plan { checksum: plan.sum(), ..plan }
    }

    /// Whether it is as this program has written it.
    pub fn is_sound(&self) -> bool {
        self.form == FORM && Plan { checksum: String::new(), ..self.clone() }.sum() == self.checksum
    }

    fn sum(&self) -> String {
        // Plain data always has a JSON form, and its keys keep their order.
        let mut digest = Sha256::new();
        digest.update(serde_json::to_string(self).unwrap_or_default());
        hex(digest)
    }

    /// Something stands in the way of publishing it.
    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(Finding::is_error)
    }

    /// The sets differ in something, if only in wording.
    pub fn changes_anything(&self) -> bool {
        self.old.hash != self.new.hash
    }

    /// How many items turn overdue at once.
    pub fn overdue(&self) -> usize {
        self.groups.iter().map(Group::overdue).sum()
    }

    /// What this plan shows that another does not: item by item.
    pub fn beyond<'a>(&'a self, seen: &Plan) -> Vec<(&'a Group, usize)> {
        let mut out = Vec::new();
        for group in &self.groups {
            let known = seen
                .groups
                .iter()
                .find(|known| (&known.workflow, &known.what, &known.cause) == (&group.workflow, &group.what, &group.cause));
            let new = group.rows.iter().filter(|row| !known.is_some_and(|known| known.rows.binary_search(row).is_ok())).count();
            if new > 0 {
                out.push((group, new));
            }
        }
        out
    }
}
