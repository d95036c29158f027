//! What waits for a person: the items, and the parts of items, that are in their hands now.

use super::{App, LoadError, contained};
use crate::kernel::access;
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide;
use crate::kernel::derive::{self, hands, roles};
use crate::kernel::explain::due::{self, DueExplained};
use crate::kernel::model::Name;
use crate::kernel::model::item::Item;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Date;
use crate::kernel::words::{Lang, say};
use crate::store::items::Filter;
use indexmap::IndexMap;
use std::sync::Arc;

/// Items that are read at once.
const PORTION: u32 = 500;

/// An item, or one of its branches, that is in somebody's hands.
#[derive(Clone, Debug)]
pub struct Duty {
    pub rules: Arc<Rules>,
    pub item: Arc<Item>,
    pub title: String,
    /// The branch that is meant; otherwise the item itself.
    pub task: Option<u32>,
    /// The role in which it is theirs, as people call it.
    pub role: String,
    /// The person who is away, in whose place it is theirs.
    pub absent: Option<Name>,
    /// The unit by whose duty it is theirs, if it is by one.
    pub unit: Option<Name>,
    /// What runs on it and comes first.
    pub due: Option<DueExplained>,
    /// The first action that is open to them, and how many are.
    pub next: Option<Name>,
    pub open: usize,
}

impl App {
    /// All that waits for a person, the most urgent first.
    pub async fn duties(&self, person: &Name) -> Result<Vec<Duty>, LoadError> {
        Ok(self.some_duties(person, None, 0, u32::MAX).await?.0)
    }

    /// What waits for a person (by their duty in one unit, if it is named) in at most `most` items, the most urgent first, after so many that
    /// are more urgent; and how many items there may be in all.
    pub async fn some_duties(&self, person: &Name, unit: Option<&str>, after: u32, most: u32) -> Result<(Vec<Duty>, u64), LoadError> {
        let now = self.now();
        let keys = hands::keys_of(&self.rules(), person, unit, now);
        let (ids, all) = self.store.in_hands(&keys, after, most).await?;
        let mut out = Vec::new();
        for ids in ids.chunks(PORTION as usize) {
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let rows = self.store.listed_of(&ids).await?;
            let named: Vec<(&str, &str)> = ids.iter().filter_map(|id| Some((*id, rows.get(*id)?.workflow.as_str()))).collect();
            for ((id, _), held) in named.iter().zip(self.held_many(&named, now).await?) {
                // What cannot be read is told by `duban doctor`.
                let (Ok(held), Some(row)) = (held, rows.get(*id)) else { continue };
                out.extend(of_item(&held.rules, &held.item, &row.title, person)?);
            }
        }
        out.retain(|duty| unit.is_none() || duty.unit.as_deref() == unit);
        out.sort_by_key(urgency);
        Ok((out, all))
    }
}

/// Late first, then by date; what has no date comes last.
fn urgency(duty: &Duty) -> (bool, Option<Date>, Name) {
    let date = duty.due.as_ref().and_then(|due| due.date);
    (date.is_none(), date, duty.item.id.clone())
}

/// What of an item is in a person's hands.
fn of_item(rules: &Arc<Rules>, item: &Arc<Item>, title: &str, person: &Name) -> Result<Vec<Duty>, EvalError> {
    let mut mine = Vec::new();
    for (role, task) in roles::owners(rules, item) {
        if let Some(standing) = roles::standing(rules, item, role, task, person, item.today)? {
            mine.push((role, task, standing.absent()));
        }
    }
    if mine.is_empty() {
        return Ok(Vec::new());
    }
    let offers = decide::offers(rules, item, person, item.today)?;
    let running: Vec<DueExplained> = due::explain(rules, item, None).into_iter().filter(|due| due.ended.is_none()).collect();
    let duty = |(role, task, absent): (&Name, Option<u32>, Option<Name>)| {
        let open: Vec<_> = offers.iter().filter(|offer| offer.task == task && offer.refusal.is_none()).collect();
        let next = open.first().map(|offer| offer.action.clone());
        let own = running.iter().filter(|due| due.branch_number == task && !due.window);
        Duty {
            rules: rules.clone(),
            item: item.clone(),
            title: title.to_string(),
            task,
            role: rules.setting.workflow.roles.get(role).map_or_else(|| role.to_string(), |role| role.title.clone()),
            unit: roles::unit_of(rules, item, role, task, absent.as_ref().unwrap_or(person), item.today),
            absent,
            due: own.filter(|due| due.date.is_some()).min_by_key(|due| due.date).cloned(),
            next,
            open: open.len(),
        }
    };
    Ok(mine.into_iter().map(duty).collect())
}

/// Somebody as whom one may look round a demo.
#[derive(Clone, Debug)]
pub struct Guest {
    pub person: Name,
    pub name: String,
    /// What they are, as people call it.
    pub roles: Vec<String>,
    /// How much waits for them.
    pub duties: usize,
}

impl App {
    /// For each role in whose hands something is, whoever has the most of it; then the administrators.
    pub async fn guests(&self, lang: Lang) -> Result<Vec<Guest>, LoadError> {
        let mut held: IndexMap<(Name, Name), IndexMap<Name, usize>> = IndexMap::new();
        self.each_open(|_, rules, item| {
            for (role, task) in roles::owners(rules, item) {
                for person in roles::holders(rules, item, role, task, item.today)? {
                    *held.entry((item.workflow.clone(), role.clone())).or_default().entry(person).or_default() += 1;
                }
            }
            Ok(())
        })
        .await?;
        let rules = self.rules();
        let mut guests: IndexMap<Name, Guest> = IndexMap::new();
        let guest = |person: &Name| {
            let name = rules.directory.persons.get(person).map_or_else(|| person.to_string(), |person| person.title.clone());
            Guest { person: person.clone(), name, roles: Vec::new(), duties: 0 }
        };
        for ((workflow, role), persons) in &held {
            let Some((person, count)) = persons.iter().max_by_key(|(_, count)| **count) else { continue };
            let title =
                rules.workflows.get(workflow).and_then(|rules| rules.setting.workflow.roles.get(role)).map(|role| role.title.clone());
            let entry = guests.entry(person.clone()).or_insert_with(|| guest(person));
            entry.duties += count;
            entry.roles.extend(title.filter(|title| !entry.roles.contains(title)));
        }
        let today = rules.workflows.values().next().map(|rules| day_of(self.now(), rules.setting.workflow.timezone)).unwrap_or_default();
        for group in access::ADMINISTRATORS {
            for person in rules.directory.group(group, today).into_iter().take(1) {
                let entry = guests.entry(person.clone()).or_insert_with(|| guest(&person));
                entry.roles.push(say(lang, &format!("web.group.{group}"), &[]));
            }
        }
        Ok(guests.into_values().collect())
    }

    /// Goes through all open items as they are today.
    async fn each_open(&self, mut look: impl FnMut(&str, &Arc<Rules>, &Arc<Item>) -> Result<(), EvalError>) -> Result<(), LoadError> {
        let mut filter = Filter { open_only: true, ..Filter::default() };
        loop {
            let page = self.store.list(&filter, PORTION).await?;
            let Some(end) = page.last().map(|row| row.id.clone()) else { break };
            let ids: Vec<&str> = page.iter().map(|row| row.id.as_str()).collect();
            let mut facts = self.store.items(&ids).await?;
            for row in &page {
                // What cannot be read is told by `duban doctor`.
                let (Some(Ok(recorded)), Ok(rules)) = (facts.remove(&row.id), self.workflow(&row.workflow)) else { continue };
                let today = day_of(self.now(), rules.setting.workflow.timezone);
                let derived = contained(|| derive::derive(&rules, &row.id, &recorded, today));
                let Ok(Ok(Some(item))) = derived else { continue };
                look(&row.title, &rules, &item)?;
            }
            if (page.len() as u32) < PORTION {
                break;
            }
            filter.after = end;
        }
        Ok(())
    }
}
