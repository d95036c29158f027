//! A person's deadlines for their calendar program: all that is in their hands, and beside a mail those that it is about.
//!
//! Both say no more than the list of items, which is for everybody, and only of what is in the person's hands.

use super::desk::Held;
use super::{App, LoadError, caches};
use crate::kernel::agenda::{Entry, Mark, marks, write};
use crate::kernel::derive::roles;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::model::item::Item;
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::Instant;
use crate::kernel::words::Lang;
use crate::store::accounts::digest;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A calendar program reads no more than this at once.
const MOST: usize = 1000;

impl App {
    /// The deadlines in a person's hands as a calendar, the most urgent first. `domain` is that of the installation's mails; `origin`, where
    /// its pages are.
    pub async fn agenda(&self, person: &Name, name: &str, domain: &str, origin: Option<&str>, lang: Lang) -> Result<String, LoadError> {
        let mut duties = self.duties(person).await?;
        duties.truncate(MOST);
        let ids: BTreeSet<String> = duties.iter().map(|duty| duty.item.id.to_string()).collect();
        let facts = self.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let last =
            |id: &str| facts.get(id).and_then(|facts| facts.as_ref().ok()).and_then(|facts| facts.last()).map(|fact| fact.recorded_at);
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for duty in &duties {
            let (rules, item) = (&duty.rules, &duty.item);
            let Some(stamp) = last(&item.id) else { continue };
            for mark in marks(rules, item).iter().filter(|mark| mark.branch == duty.task) {
                let mut entry = self.entry(mark, rules, item, &duty.title, domain, stamp, lang);
                entry.url = origin.map(|origin| {
                    format!("{origin}/items/{}", percent_encoding::utf8_percent_encode(&item.id, percent_encoding::NON_ALPHANUMERIC))
                });
                entries.insert(entry.uid.clone(), entry);
            }
        }
        let mut entries: Vec<Entry> = entries.into_values().collect();
        entries.sort_by(|a, b| (a.day, &a.uid).cmp(&(b.day, &b.uid)));
        Ok(write(Some(name), &entries))
    }

    /// The calendar beside a mail that carries these notices, each with its item as it is; nothing when none is about a deadline that is in
    /// the hands of who reads it, or was until now.
    pub(super) fn beside<'a>(
        &self,
        carried: impl Iterator<Item = (&'a Notice, &'a Arc<Held>)>,
        domain: &str,
        now: Instant,
        lang: Lang,
    ) -> Result<Option<String>, EvalError> {
        let mut entries: BTreeMap<String, Entry> = BTreeMap::new();
        for (notice, held) in carried {
            let (rules, item) = (&held.rules, &held.item);
            for mark in marks(rules, item) {
                let of_rung =
                    notice.owed_by.as_ref().is_some_and(|by| by.deadline == mark.deadline && by.branch == mark.branch && !mark.over);
                let of_fact = notice.owed_by.is_none() && mark.facts.contains(&notice.seq);
                let ahead = mark.over || mark.day >= item.today;
                if (of_rung || of_fact) && ahead && has(rules, item, &mark, &notice.person)? {
                    let title = caches::of(rules, item).title;
                    let entry = self.entry(&mark, rules, item, &title, domain, now, lang);
                    entries.insert(entry.uid.clone(), entry);
                }
            }
        }
        let entries: Vec<Entry> = entries.into_values().collect();
        Ok((!entries.is_empty()).then(|| write(None, &entries)))
    }

    fn entry(&self, mark: &Mark, rules: &Rules, item: &Item, title: &str, domain: &str, stamp: Instant, lang: Lang) -> Entry {
        let identity = digest(&format!("{}\n{}", self.store.jurisdiction(), mark.identity(item)));
        Entry::of(mark, rules, item, title, format!("{}@{domain}", &identity[..32]), stamp, lang)
    }
}

/// Whether a deadline is in a person's hands; one that is over, whether it can have been.
fn has(rules: &Rules, item: &Arc<Item>, mark: &Mark, person: &Name) -> Result<bool, EvalError> {
    let owners: Vec<&Name> = match mark.over {
        false => roles::owners(rules, item).into_iter().filter(|(_, task)| *task == mark.branch).map(|(role, _)| role).collect(),
        true => {
            let kind = mark.branch.and_then(|no| item.branch(no)).map(|branch| &*branch.kind);
            let states = rules.setting.workflow.states_of(kind);
            states.into_iter().flat_map(|states| states.values()).filter_map(|state| state.owner.as_ref()).collect()
        }
    };
    for role in owners {
        if roles::holds(rules, item, role, mark.branch, person, item.today)? {
            return Ok(true);
        }
    }
    Ok(false)
}
