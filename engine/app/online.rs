//! What only the open items tell of a rule set, for `duban check --online`: who would get too many mails a day, and what waits for a role
//! that nobody holds. Nothing is written, and no mail leaves.

use super::foresee::Pages;
use super::{App, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{self, roles};
use crate::kernel::model::Name;
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::forecast::Forecast;
use crate::kernel::time::Date;
use crate::store::StoreError;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// Items that are named in a sentence.
const NAMED: usize = 5;

impl App {
    /// Looks at every open item under the given rules, and ahead to a day. `most` mails a day are enough for anybody.
    pub async fn check_open(&self, under: &RuleSet, until: Date, most: u64) -> Result<Vec<Problem>, StoreError> {
        let foreseen = self.foresee(under, self.now(), until, |_, _| {}).await?;
        let mut problems = bursts(under, &foreseen.forecast, most);
        for rules in under.workflows.values() {
            problems.extend(self.waits_for_nobody(rules).await?);
        }
        problems.sort_by(|one, other| (&one.place, one.code).cmp(&(&other.place, other.code)));
        Ok(problems)
    }

    /// W113: states in which open items stand and whose owner nobody is. What cannot be read is told by `duban doctor`.
    async fn waits_for_nobody(&self, rules: &Arc<Rules>) -> Result<Vec<Problem>, StoreError> {
        let workflow = &rules.setting.workflow;
        let today = day_of(self.now(), workflow.timezone);
        let mut waiting: BTreeMap<Name, Vec<String>> = BTreeMap::new();
        let mut pages = Pages::of(&self.store, &workflow.name, true);
        while let Some(page) = pages.next().await? {
            for (id, facts) in page {
                let item = facts.ok().and_then(|facts| contained(|| derive::derive(rules, &id, &facts, today)).ok()?.ok()?);
                let Some(item) = item else { continue };
                for (role, _) in roles::owners(rules, &item).into_iter().filter(|(role, task)| roles::nobody(rules, &item, role, *task)) {
                    let items = waiting.entry(role.clone()).or_default();
                    if items.last() != Some(&id) {
                        items.push(id.clone());
                    }
                }
            }
        }
        let told = waiting.into_iter().map(|(role, items)| {
            let named = items.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let named = if items.len() > NAMED { named + " …" } else { named };
            let problem = Problem::new("W113", place(rules, &format!("roles.{role}@"))).variant("open").with("role", &role);
            problem.with("count", items.len()).with("items", named)
        });
        Ok(told.collect())
    }
}

/// W609: somebody's fullest day, told at the notice of which most goes to them on it.
fn bursts(under: &RuleSet, forecast: &Forecast, most: u64) -> Vec<Problem> {
    let loads = forecast.persons().into_iter().filter(|load| load.busiest.1 > most);
    let days: BTreeMap<Name, (Date, u64)> = loads.map(|load| (load.person, load.busiest)).collect();
    let mut told: BTreeMap<&Name, BTreeMap<(Name, Name), u64>> = BTreeMap::new();
    for mail in forecast.mails() {
        let Some((person, _)) = days.get_key_value(mail.person()).filter(|(_, (day, _))| *day == mail.day()) else { continue };
        for carried in mail.notices() {
            let notice = (carried.reason.workflow.clone(), carried.reason.notice.clone());
            *told.entry(person).or_default().entry(notice).or_default() += 1;
        }
    }
    let mut fullest: BTreeMap<(Name, Name), (u64, Name, Date)> = BTreeMap::new();
    let mut persons: HashMap<(Name, Name), usize> = HashMap::new();
    for (person, (day, mails)) in &days {
        let Some((notice, _)) = told.remove(person).into_iter().flatten().max_by_key(|(_, count)| *count) else { continue };
        *persons.entry(notice.clone()).or_default() += 1;
        let worst = fullest.entry(notice).or_insert((0, person.clone(), *day));
        if *mails > worst.0 {
            *worst = (*mails, person.clone(), *day);
        }
    }
    let told = fullest.into_iter().filter_map(|((workflow, notice), (mails, person, day))| {
        let rules = under.workflows.get(&workflow)?;
        let title = rules.setting.directory.persons.get(&person).map_or(person.to_string(), |person| person.title.clone());
        let problem = Problem::new("W609", place(rules, &format!("notices.{notice}@"))).with("notice", &notice).with("person", title);
        let persons = persons.get(&(workflow, notice)).copied().unwrap_or_default();
        Some(problem.with("day", day).with("mails", mails).with("most", most).with("persons", persons))
    });
    told.collect()
}

fn place(rules: &Rules, path: &str) -> Place {
    let name = &rules.setting.workflow.name;
    let found = rules.places.find(path).or_else(|| rules.places.find("workflow"));
    found.cloned().unwrap_or_else(|| Place { file: name.clone(), line: 1, column: 1, length: 1 })
}
