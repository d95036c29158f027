//! Is what is stored what the facts say? One item at a time: its chain, its caches, its wake-up, its notices. It mends nothing.

use super::{App, LoadError, Offices, RulesError, caches, contained, rules_to_look};
use crate::clock::Clock;
use crate::kernel::calendar::window::day_of;
use crate::kernel::decide;
use crate::kernel::derive;
use crate::kernel::rules::RuleSet;
use crate::kernel::time::{Date, Instant};
use crate::store::items::Listed;
use crate::store::records::Record;
use crate::store::{Store, StoreError, items};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Items whose ids are read at once.
const PAGE: u32 = 256;

/// Something that must never be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{item}: {what}")]
pub struct Finding {
    pub item: String,
    pub what: String,
}

/// What a look through the whole database found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Integrity {
    /// Items that were looked at.
    pub items: u64,
    /// Items whose record is not what their facts say, and offices whose rules cannot be read at all.
    pub damaged: u64,
    /// What the database says is wrong with its own pages.
    pub pages: Option<String>,
}

impl Integrity {
    pub fn is_whole(&self) -> bool {
        self.damaged == 0 && self.pages.is_none()
    }
}

/// Due dates of open items that lie after the last day of their calendar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    pub count: u64,
    /// The last of them.
    pub farthest: Option<Date>,
}

/// What a look through an office showed beside its records.
#[derive(Clone, Debug)]
pub struct OfficeLook {
    pub office: String,
    pub rules: Arc<RuleSet>,
    /// The hash under which they are stored.
    pub hash: String,
    /// How many mistakes they have under this program.
    pub errors: usize,
    /// By workflow.
    pub beyond: BTreeMap<String, Beyond>,
}

/// Looks through a database that was opened for looking: all its offices or only one, also those whose rules this program can no longer
/// work under. `begun` gets how many items the next office has; `seen` whose item was looked at, and what was found; `looked` what an
/// office came to.
pub async fn examine_to_look(
    store: &Store,
    only: Option<&str>,
    mut begun: impl FnMut(u64),
    mut seen: impl FnMut(&str, &[Finding]) + Send,
    mut looked: impl FnMut(&OfficeLook),
) -> Result<Integrity, StoreError> {
    let mut integrity = Integrity { pages: store.check_pages().await?, ..Integrity::default() };
    let (mut known, mut after) = (HashMap::new(), String::new());
    loop {
        let page = store.everywhere().jurisdictions(&after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(integrity) };
        after.clone_from(&last.id);
        for office in page.into_iter().filter(|office| only.is_none_or(|only| only == office.id)) {
            let (here, store) = (&*office.id, store.of(&office.id));
            let (rules, errors) = match known.get(&office.rules).cloned() {
                Some(rules) => rules,
                None => match rules_to_look(&store).await {
                    Ok((rules, errors, hash)) => known.entry(hash).or_insert((rules, errors)).clone(),
                    Err(RulesError::Store(error)) => return Err(error),
                    Err(error) => {
                        integrity.damaged += 1;
                        seen(here, &[Finding { item: String::new(), what: error.to_string() }]);
                        continue;
                    }
                },
            };
            begun(store.count_by_state().await?.iter().map(|(_, _, count)| count).sum());
            let app = App::open_to_read(store, rules.clone(), Clock::Machine).await?;
            let mut beyond = BTreeMap::new();
            // Nobody stops it.
            app.examine_items(&CancellationToken::new(), &mut integrity, &mut beyond, |findings| seen(here, findings)).await?;
            looked(&OfficeLook { office: office.id.clone(), rules, hash: office.rules.clone(), errors, beyond });
        }
    }
}

impl Offices {
    /// Looks through the whole database, office by office, while others work; `seen` gets what was found about each item. `None` when it
    /// was stopped. The items of an office that cannot be worked are left out.
    pub async fn examine_all(
        &self,
        stop: &CancellationToken,
        mut seen: impl FnMut(&App, &[Finding]) + Send,
    ) -> Result<Option<Integrity>, StoreError> {
        let mut integrity = Integrity { pages: self.store.check_pages().await?, ..Integrity::default() };
        let mut after = String::new();
        loop {
            let page = self.store.everywhere().jurisdictions(&after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(Some(integrity)) };
            after.clone_from(&last.id);
            for here in page {
                let Some(app) = self.if_not_shut(&here.id).await? else { continue };
                if !app.examine_items(stop, &mut integrity, &mut BTreeMap::new(), |findings| seen(&app, findings)).await? {
                    return Ok(None);
                }
            }
        }
    }
}

impl App {
    /// Looks through all that this office has.
    pub async fn examine_all(
        &self,
        stop: &CancellationToken,
        seen: impl FnMut(&[Finding]) + Send,
    ) -> Result<Option<Integrity>, StoreError> {
        let mut integrity = Integrity { pages: self.store.check_pages().await?, ..Integrity::default() };
        Ok(self.examine_items(stop, &mut integrity, &mut BTreeMap::new(), seen).await?.then_some(integrity))
    }

    /// `false` when it was stopped.
    async fn examine_items(
        &self,
        stop: &CancellationToken,
        integrity: &mut Integrity,
        beyond: &mut BTreeMap<String, Beyond>,
        mut seen: impl FnMut(&[Finding]) + Send,
    ) -> Result<bool, StoreError> {
        match self.store.check_audit().await {
            Ok(_) => {}
            Err(StoreError::Damaged(what)) => {
                integrity.damaged += 1;
                seen(&[Finding { item: String::new(), what }]);
            }
            Err(error) => return Err(error),
        }
        let mut after = String::new();
        loop {
            let records = match self.store.records(&after, PAGE).await {
                // Something in the page cannot be read: which of them it is, each tells by itself.
                Err(StoreError::Damaged(_)) => match self.store.ids(None, false, &after, PAGE).await {
                    Ok(ids) => ids.into_iter().map(|id| (id, None)).collect(),
                    Err(StoreError::Damaged(what)) => {
                        integrity.damaged += 1;
                        seen(&[Finding { item: String::new(), what }]);
                        return Ok(true);
                    }
                    Err(error) => return Err(error),
                },
                records => records?,
            };
            let Some((last, _)) = records.last() else { return Ok(true) };
            after.clone_from(last);
            for (id, record) in records {
                if stop.is_cancelled() {
                    return Ok(false);
                }
                if let Some(record) = &record {
                    self.note_beyond(&record.row, beyond);
                }
                let files = match &record {
                    Some(record) => self.damaged_files(&record.facts).await?,
                    None => Vec::new(),
                };
                // What does not look sound beside its neighbours is looked at by itself.
                let found = record.map(|record| self.judge(&id, &record)).transpose()?;
                let mut findings = match found {
                    Some(findings) if findings.is_empty() => findings,
                    _ => self.examine_at_rest(&id).await?,
                };
                findings.extend(files.into_iter().map(|what| Finding { item: id.clone(), what }));
                integrity.items += 1;
                integrity.damaged += u64::from(!findings.is_empty());
                seen(&findings);
                tokio::task::yield_now().await;
            }
        }
    }

    /// Counts the due dates of an open item that its calendar does not reach.
    fn note_beyond(&self, row: &Listed, beyond: &mut BTreeMap<String, Beyond>) {
        let Some(rules) = self.rules().workflows.get(row.workflow.as_str()).cloned().filter(|_| row.ended_on.is_none()) else { return };
        let known_until = rules.setting.calendar.known_until();
        let dues = row.dues.as_object().into_iter().flat_map(|dues| dues.values());
        for due in dues.filter_map(|due| due.as_str()?.parse::<Date>().ok()).filter(|due| *due > known_until) {
            let beyond = beyond.entry(row.workflow.clone()).or_default();
            beyond.count += 1;
            beyond.farthest = beyond.farthest.max(Some(due));
        }
    }

    /// Findings about an item that did not move while it was looked at.
    async fn examine_at_rest(&self, id: &str) -> Result<Vec<Finding>, StoreError> {
        let mut before = self.store.listed(id).await.ok().flatten().map(|row| (row.rev, row.changed_at));
        loop {
            let findings = self.examine(id).await?;
            let now = self.store.listed(id).await.ok().flatten().map(|row| (row.rev, row.changed_at));
            if findings.is_empty() || before == now {
                return Ok(findings);
            }
            before = now;
        }
    }

    /// Everything that is wrong with an item's record. Caches are held against the derivation for the day on which they were written.
    pub async fn examine(&self, id: &str) -> Result<Vec<Finding>, StoreError> {
        let mut findings = Vec::new();
        let mut find = |what: String| findings.push(Finding { item: id.to_string(), what });
        match self.store.check_chain(id).await {
            Ok(()) => {}
            Err(StoreError::Damaged(what)) => find(what),
            Err(error) => return Err(error),
        }
        let (recorded, row) = match (self.store.item(id).await, self.store.listed(id).await) {
            (Ok(Some(recorded)), Ok(Some(row))) => (recorded, row),
            (Err(StoreError::Damaged(what)), _) | (_, Err(StoreError::Damaged(what))) => {
                find(what);
                return Ok(findings);
            }
            (Err(error), _) | (_, Err(error)) => return Err(error),
            (Ok(_), Ok(_)) => {
                find("there is no such item".into());
                return Ok(findings);
            }
        };
        let notices = match self.store.notices_of(id).await {
            Ok(notices) => notices.into_iter().map(|notice| (notice.seq, notice.notice)).collect(),
            Err(StoreError::Damaged(what)) => {
                find(what);
                return Ok(findings);
            }
            Err(error) => return Err(error),
        };
        let hands = self.store.hands_of(id).await?;
        findings.extend(self.judge(id, &Record { row, facts: recorded.facts, notices, hands })?);
        Ok(findings)
    }

    /// Whether caches, wake-up and notices are what the facts say.
    fn judge(&self, id: &str, record: &Record) -> Result<Vec<Finding>, StoreError> {
        let Record { row, facts, notices, hands } = record;
        let mut findings = Vec::new();
        let mut find = |what: String| findings.push(Finding { item: id.to_string(), what });
        let mut causes = HashSet::new();
        for fact in facts {
            if fact.cause.key().is_some_and(|key| !causes.insert(key)) {
                find(format!("fact {} has the cause of an earlier one", fact.seq));
            }
        }

        match self.derived_caches(id, &row.workflow, facts, row.changed_at) {
            Err(LoadError::Store(error)) => return Err(error),
            // What cannot be derived has been set aside, with its reason.
            Err(error) => find(error.to_string()),
            Ok(None) => find("it has no facts".into()),
            // What was derived under an earlier revision is about to be derived again; history owes nothing.
            Ok(Some(_)) if row.rules_rev < self.in_use().revision || row.rules_rev == items::HISTORIC => {}
            Ok(Some((caches, wake_at))) => {
                let in_hands = caches.hands_text();
                let stored = [
                    ("hands", hands.told.clone(), in_hands.clone()),
                    ("rows of the hands", hands.rows.clone(), in_hands),
                    ("state", row.state.clone(), caches.state),
                    ("title", row.title.clone(), caches.title),
                    ("end", format!("{:?}", row.ended_on), format!("{:?}", caches.ended_on)),
                    ("due date", format!("{:?}", row.due_on), format!("{:?}", caches.due_on)),
                    ("fields", row.fields.to_string(), json(&caches.fields)),
                    ("due dates", row.dues.to_string(), json(&caches.dues)),
                ];
                for (name, stored, derived) in stored {
                    if stored != derived {
                        find(format!("the {name} `{stored}` is stored, `{derived}` follows from the facts"));
                    }
                }
                let late = match (row.wake_at, wake_at) {
                    (Some(stored), Some(derived)) => stored > derived,
                    (None, Some(_)) => true,
                    (_, None) => false,
                };
                if late && row.quarantine.is_none() {
                    find(format!("it is to be woken at {:?}, but owes something at {wake_at:?}", row.wake_at));
                }
            }
        }

        let mut told: BTreeMap<(u64, String), usize> = BTreeMap::new();
        for fact in facts {
            for (notice, persons) in &fact.told {
                *told.entry((fact.seq, notice.to_string())).or_default() += persons.len();
            }
        }
        for (seq, notice) in notices {
            match told.get_mut(&(*seq, notice.clone())) {
                Some(left) if *left > 0 => *left -= 1,
                _ => find(format!("the notice `{notice}` of fact {seq} is recorded, but not told by it")),
            }
        }
        for ((seq, notice), _) in told.into_iter().filter(|(_, left)| *left > 0) {
            find(format!("fact {seq} told `{notice}`, but the notice is missing"));
        }
        Ok(findings)
    }

    fn derived_caches(
        &self,
        id: &str,
        workflow: &str,
        facts: &[crate::kernel::model::fact::Fact],
        at: Instant,
    ) -> Result<Option<(crate::store::save::Caches, Option<Instant>)>, LoadError> {
        let rules = self.workflow(workflow)?;
        let today = day_of(at, rules.setting.workflow.timezone);
        let item = contained(|| derive::derive(&rules, id, facts, today))??;
        Ok(item.map(|item| (caches::of(&rules, &item), decide::next_moment(&item))))
    }
}

/// The same text for the same JSON.
fn json(text: &str) -> String {
    serde_json::from_str::<serde_json::Value>(text).map(|json| json.to_string()).unwrap_or_default()
}
