//! What the pages of a role show: who has which, what was asked for and is to be decided, of which escalations somebody was told, how far
//! rounds have come, and which unit had the like of an item before. Each part asks the store a fixed number of questions.

use super::{App, LoadError, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide;
use crate::kernel::derive::{self, roles};
use crate::kernel::explain::due::{self, DueExplained};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Desk, RequestStep};
use crate::kernel::model::fact::{Cause, Fact};
use crate::kernel::model::item::Item;
use crate::kernel::rules::Rules;
use crate::kernel::similar::likeness;
use crate::kernel::time::Date;
use crate::store::StoreError;
use crate::store::items::{Filter, Listed};
use crate::store::outbox::NoticeStatus;
use crate::store::outbox_desk::OutboxFilter;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Rows of a part.
pub const ROWS: u32 = 50;
/// The latest notices among which escalations are looked for.
const NOTICES: u32 = 200;
/// Items with which titles are compared, the ones with the greatest ids.
const COMPARED: usize = 5_000;
const PORTION: u32 = 1_000;
/// In percent: below this, titles have hardly more in common than the words of their kind.
const ALIKE: u8 = 25;

/// The kind of notice that tells somebody above.
const ESCALATION: &str = "escalation";

/// A page that somebody works from.
pub struct OwnDesk {
    pub rules: Arc<Rules>,
    pub name: Name,
    pub title: String,
    /// They see it first.
    pub first: bool,
}

/// An item as it stands, with its facts.
pub struct Standing {
    pub rules: Arc<Rules>,
    pub item: Arc<Item>,
    pub facts: Vec<Fact>,
}

/// Something that was asked for and waits for a decision.
pub struct Asked {
    pub of: Arc<Standing>,
    pub title: String,
    pub task: Option<u32>,
    /// The action that grants it.
    pub action: Name,
    pub due: Option<DueExplained>,
    /// The fact by which it was asked.
    pub asked: Option<Fact>,
}

/// Somebody was told that something is late.
pub struct Escalation {
    pub of: Arc<Standing>,
    pub title: String,
    pub notice: NoticeStatus,
    pub task: Option<u32>,
    /// What is late.
    pub due: Option<DueExplained>,
    /// The rungs of the same clock before, with the notices that they told, the latest first.
    pub before: Vec<(Date, Vec<Name>)>,
    /// The clock has ended since, or what it ran on.
    pub over: bool,
    /// What a person of the item, or of that branch, did last.
    pub last: Option<Fact>,
    /// What is open to whoever was told, on that branch.
    pub open: Vec<Name>,
}

/// How far an item's branches of a kind have come.
pub struct Round {
    pub row: Listed,
    pub ended: usize,
    pub all: usize,
}

/// Which unit had the like of an item before, how often, and the most alike of these.
pub struct Suggested {
    pub unit: String,
    pub count: usize,
    pub example: Listed,
}

impl App {
    /// The pages that a person works from, in the order of the rules.
    pub fn desks(&self, person: &Name, day: Date) -> Vec<OwnDesk> {
        let mut out = Vec::new();
        for rules in self.rules().workflows.values() {
            for (name, desk) in &rules.setting.workflow.desks {
                if opens(rules, &desk.roles, person, day) {
                    let first = opens(rules, &desk.first_for, person, day);
                    out.push(OwnDesk { rules: rules.clone(), name: name.clone(), title: desk.title.clone(), first });
                }
            }
        }
        out
    }

    /// A page by its workflow and name, with whether it is a person's to open.
    pub fn desk_of(&self, workflow: &str, name: &str, person: &Name, day: Date) -> Option<(Arc<Rules>, Desk, bool)> {
        let rules = self.rules().workflows.get(workflow)?.clone();
        let desk = rules.setting.workflow.desks.get(name)?.clone();
        let open = opens(&rules, &desk.roles, person, day);
        Some((rules, desk, open))
    }

    /// Items as they stand today; what cannot be derived is left out, and told by `duban doctor`.
    async fn standing_of(&self, rows: &[&Listed]) -> Result<HashMap<String, Arc<Standing>>, StoreError> {
        let mut facts = self.store.items(&rows.iter().map(|row| row.id.as_str()).collect::<Vec<_>>()).await?;
        let mut out = HashMap::new();
        for row in rows {
            let (Some(Ok(facts)), Ok(rules)) = (facts.remove(&row.id), self.workflow(&row.workflow)) else { continue };
            let today = day_of(self.now(), rules.setting.workflow.timezone);
            if let Ok(Ok(Some(item))) = contained(|| derive::derive(&rules, &row.id, &facts, today)) {
                out.insert(row.id.clone(), Arc::new(Standing { rules, item, facts }));
            }
        }
        Ok(out)
    }

    /// What was asked for in a workflow and is a person's to decide, what ends first at the top.
    pub async fn asked(&self, rules: &Arc<Rules>, person: &Name) -> Result<Vec<Asked>, LoadError> {
        let workflow = &rules.setting.workflow;
        let mut rows: BTreeMap<String, Listed> = BTreeMap::new();
        // While a request runs, so does the deadline that is called like it.
        for name in workflow.requests.keys() {
            let dues = Some(format!("\"{name}"));
            let filter = Filter { workflow: Some(workflow.name.to_string()), open_only: true, dues, ..Filter::default() };
            rows.extend(self.store.list(&filter, ROWS).await?.into_iter().map(|row| (row.id.clone(), row)));
        }
        let rows: Vec<Listed> = rows.into_values().collect();
        let standing = self.standing_of(&rows.iter().collect::<Vec<_>>()).await?;
        let mut out = Vec::new();
        for row in &rows {
            let Some(of) = standing.get(&row.id) else { continue };
            let dues = due::explain(&of.rules, &of.item, None);
            for offer in decide::offers(&of.rules, &of.item, person, of.item.today)?.into_iter().filter(|offer| offer.refusal.is_none()) {
                let kind = offer.task.and_then(|no| of.item.branch(no)).map(|branch| &*branch.kind);
                let action = of.rules.setting.workflow.actions_of(kind).and_then(|actions| actions.get(&offer.action));
                let Some((request, RequestStep::Approve)) = action.and_then(|action| action.request.as_ref()) else { continue };
                let is_its = |due: &&DueExplained| due.deadline == *request && due.branch_number == offer.task && due.ended.is_none();
                let asks = |fact: &&Fact| fact.branch == offer.task && fact.name.starts_with(&format!("{request}."));
                out.push(Asked {
                    of: of.clone(),
                    title: row.title.clone(),
                    task: offer.task,
                    due: dues.iter().find(is_its).cloned(),
                    asked: of.facts.iter().rfind(asks).cloned(),
                    action: offer.action,
                });
            }
        }
        out.sort_by_key(|asked| asked.due.as_ref().and_then(|due| due.date).unwrap_or(Date::MAX));
        Ok(out)
    }

    /// The escalations of which a person was told, the latest first, of an item or a branch the last.
    pub async fn escalations(&self, person: &Name) -> Result<Vec<Escalation>, LoadError> {
        let filter = OutboxFilter { person: Some(person.to_string()), ..OutboxFilter::default() };
        let mut told = self.store.notices(&filter, NOTICES).await?;
        told.retain(|(_, notice)| notice.kind == ESCALATION);
        told.truncate(ROWS as usize);
        let rows = self.store.listed_of(&told.iter().map(|(item, _)| item.as_str()).collect::<Vec<_>>()).await?;
        let standing = self.standing_of(&rows.values().collect::<Vec<_>>()).await?;
        let (mut out, mut seen) = (Vec::<Escalation>::new(), Vec::new());
        for (item, notice) in told {
            let (Some(row), Some(of)) = (rows.get(&item), standing.get(&item)) else { continue };
            let Some(fact) = of.facts.iter().find(|fact| fact.seq == notice.seq) else { continue };
            let clock = match &fact.cause {
                Cause::Rung { key, .. } => Some((key.deadline.clone(), key.branch, key.cycle)),
                _ => None,
            };
            let task = clock.as_ref().map_or(fact.branch, |(_, branch, _)| *branch);
            // What was told last of an item, or of a branch, says how it stands; the rest is told below it.
            if seen.contains(&(item.clone(), task)) {
                continue;
            }
            seen.push((item.clone(), task));
            let of_clock = |other: &&Fact| match (&other.cause, &clock) {
                (Cause::Rung { key, skipped: None, .. }, Some((deadline, branch, cycle))) => {
                    key.deadline == *deadline && key.branch == *branch && key.cycle == *cycle && !other.told.is_empty()
                }
                _ => false,
            };
            let before = of.facts.iter().rev().filter(of_clock);
            let dues = due::explain(&of.rules, &of.item, None);
            let is_its = |due: &&DueExplained| {
                let of = |(deadline, branch, cycle): &(Name, Option<u32>, u32)| {
                    due.deadline == *deadline && due.branch_number == *branch && due.cycle == *cycle
                };
                clock.as_ref().is_some_and(of)
            };
            let offers = decide::offers(&of.rules, &of.item, person, of.item.today)?;
            let open = offers.into_iter().filter(|offer| offer.task == task && offer.refusal.is_none());
            let by_somebody = |fact: &&Fact| matches!(fact.cause, Cause::Command { .. }) && (task.is_none() || fact.branch == task);
            let due = dues.iter().rfind(is_its).cloned();
            let ended = task.and_then(|no| of.item.branch(no)).map_or(of.item.ended, |branch| branch.ended);
            out.push(Escalation {
                of: of.clone(),
                over: due.as_ref().map_or(ended, |due| due.ended.is_some()),
                title: row.title.clone(),
                task,
                due,
                before: before.map(|fact| (fact.effective_on, fact.told.iter().map(|(notice, _)| notice.clone()).collect())).collect(),
                last: of.facts.iter().rfind(by_somebody).cloned(),
                open: open.map(|offer| offer.action).collect(),
                notice,
            });
        }
        Ok(out)
    }

    /// Of the open items of a workflow that have branches of a kind, how many of these have ended. What was said in them is not looked at.
    pub async fn rounds(&self, rules: &Rules, kind: &Name) -> Result<Vec<Round>, StoreError> {
        let workflow = &rules.setting.workflow;
        let filter = Filter { workflow: Some(workflow.name.to_string()), open_only: true, ..Filter::default() };
        let rows = self.store.list(&filter, ROWS * 4).await?;
        let standing = self.standing_of(&rows.iter().collect::<Vec<_>>()).await?;
        let round = |row: Listed| {
            let of = standing.get(&row.id)?;
            let branches = || of.item.branches.iter().filter(|branch| branch.kind == *kind && !branch.cancelled);
            let round = Round { ended: branches().filter(|branch| branch.ended).count(), all: branches().count(), row };
            (round.all > 0).then_some(round)
        };
        Ok(rows.into_iter().filter_map(round).collect())
    }

    /// For each of some items, by its id, the unit that had the most items with a title like it.
    pub async fn suggested(&self, rows: &[Listed], field: &Name) -> Result<HashMap<String, Suggested>, StoreError> {
        let Some(workflow) = rows.first().map(|row| row.workflow.clone()) else { return Ok(HashMap::new()) };
        let mut filter = Filter { workflow: Some(workflow), ..Filter::default() };
        let mut known: Vec<Listed> = Vec::new();
        while known.len() < COMPARED {
            let page = self.store.list(&filter, PORTION).await?;
            let Some(last) = page.last() else { break };
            filter.after.clone_from(&last.id);
            let full = page.len() == PORTION as usize;
            known.extend(page.into_iter().filter(|row| row.fields[&**field].is_string()));
            if !full {
                break;
            }
        }
        let mut out = HashMap::new();
        for row in rows {
            let alike = likeness(&row.title, known.iter().map(|other| other.title.as_str()));
            let mut by_unit: BTreeMap<&str, (usize, u8, &Listed)> = BTreeMap::new();
            for (percent, other) in alike.into_iter().zip(&known).filter(|(percent, other)| *percent >= ALIKE && other.id != row.id) {
                let unit = other.fields[&**field].as_str().unwrap_or_default();
                let entry = by_unit.entry(unit).or_insert((0, percent, other));
                entry.0 += 1;
                if percent > entry.1 {
                    (entry.1, entry.2) = (percent, other);
                }
            }
            let best = by_unit.into_iter().max_by_key(|(_, (count, percent, _))| (*count, *percent));
            if let Some((unit, (count, _, example))) = best {
                out.insert(row.id.clone(), Suggested { unit: unit.to_string(), count, example: example.clone() });
            }
        }
        Ok(out)
    }
}

fn opens(rules: &Rules, named: &[Name], person: &Name, day: Date) -> bool {
    named.iter().any(|role| roles::could_hold(rules, role, person, day))
}
