//! What another rule set would do to the open items of an office: all of them, a page of neighbours at a time. It writes nothing.

use super::rules::with_past;
use super::{App, contained, name};
use crate::kernel::calendar::window::day_of;
use crate::kernel::model::Name;
use crate::kernel::model::fact::Fact;
use crate::kernel::plan::{
    Cause, Choices, Compared, Courses, Difference, Forecasts, Gathered, Judged, Pair, Past, Plan, Record, Row, Seen, What, judge, note,
};
use crate::kernel::rules::RuleSet;
use crate::kernel::time::Instant;
use crate::store::StoreError;
use crate::store::publishing::OpenItem;
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Items that are read and compared at once.
const PAGE: u32 = 256;
/// Days of mails, unless somebody wishes more or fewer.
const DAYS: u32 = 14;
/// Pages that are compared beside the one that is read.
const BESIDE: usize = 2;

/// What a plan is made for.
#[derive(Clone, Debug)]
pub struct PlanWishes {
    /// So many items may be overdue at once.
    pub allow_overdue: u64,
    /// What becomes of the dates of open items, beside what the version itself says.
    pub choices: Choices,
    /// It goes back to rules that were in use before.
    pub back: bool,
    /// Where the new rules lie.
    pub folder: Option<String>,
    /// So many days of mails are foreseen.
    pub days: u32,
    /// Stories beside the new rules that fail under them.
    pub failing: Vec<String>,
}

impl Default for PlanWishes {
    fn default() -> PlanWishes {
        PlanWishes { allow_overdue: 0, choices: Choices::new(), back: false, folder: None, days: DAYS, failing: Vec::new() }
    }
}

/// The items of a page with what was found about them.
type Page = Vec<(OpenItem, Option<Compared>)>;

/// Both versions of each workflow, with the days to come.
type Pairs = HashMap<String, (Pair, Courses)>;

impl App {
    /// Compares every open item under the rules in use and under others; `seen` is told how many have been.
    pub async fn plan(&self, new: &Arc<RuleSet>, wishes: &PlanWishes, seen: &(dyn Fn(u64) + Sync)) -> Result<Plan, StoreError> {
        let (in_use, now) = (self.in_use(), self.now());
        let old = in_use.rules;
        // As it would be if it were published now.
        let mut record = Record { before: Some(old.hash.to_string()), back: wishes.back, ..Record::default() };
        note(&mut record, &old, new, &wishes.choices);
        let new = &with_past(&self.store, new, Some((Past { at: now, record }, old.clone()))).await?;
        let zone = old.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let day = day_of(now, zone);
        let until = day.checked_add_days(chrono::Days::new(u64::from(wishes.days.max(1) - 1))).unwrap_or(day);
        let pair = |workflow: &Name| {
            let pair = Pair::of(&old, new, workflow)?;
            let courses = Courses::of(&pair, now, until);
            Some((workflow.to_string(), (pair, courses)))
        };
        let pairs: Arc<Pairs> = Arc::new(old.workflows.keys().filter_map(pair).collect());
        let mut forecasts = Forecasts::default();
        let mut gathered = Gathered::default();
        let mut beside: VecDeque<JoinHandle<Page>> = VecDeque::new();
        let mut after = String::new();
        loop {
            let page = self.store.open_items(&after, PAGE).await?;
            let last = page.last().map(|item| item.id.clone());
            if let Some(last) = &last {
                after.clone_from(last);
                let ids: Vec<&str> = page.iter().map(|item| item.id.as_str()).collect();
                let facts = self.store.items(&ids).await?;
                let (old, pairs) = (old.clone(), pairs.clone());
                beside.push_back(tokio::task::spawn_blocking(move || compare(&old, &pairs, page, facts, now)));
            }
            while beside.len() > if last.is_some() { BESIDE } else { 0 } {
                let Some(compared) = beside.pop_front() else { break };
                let compared = compared.await.map_err(|error| StoreError::NotDone(error.to_string()))?;
                for (item, found) in compared {
                    gathered.saw(&item.id, item.rev);
                    let Some(found) = found else {
                        gathered.unread += 1;
                        continue;
                    };
                    let workflow = name(&item.workflow);
                    // What came in as history owes nothing until somebody releases it.
                    if let Some(lives) = found.lives.as_ref().filter(|_| !item.historic) {
                        forecasts.add(&workflow, lives);
                    }
                    gathered.add(&workflow, found.differences);
                }
                seen(gathered.items);
            }
            if last.is_none() {
                break;
            }
        }
        let (items, unread) = (gathered.items, gathered.unread);
        let (groups, facts) = gathered.end();
        let PlanWishes { allow_overdue, choices, back, folder, failing, .. } = wishes.clone();
        let findings =
            judge(&Judged { old: &old, new, groups: &groups, allow_overdue, choices: &choices, back, failing: &failing, today: day });
        let paths: BTreeSet<&String> = old.files.keys().chain(new.files.keys()).collect();
        let changed = paths.into_iter().filter(|path| old.files.get(*path) != new.files.get(*path)).cloned().collect();
        let plan = Plan {
            form: 0,
            instance: self.store.instance().to_string(),
            jurisdiction: self.store.jurisdiction().to_string(),
            as_of: now,
            day,
            old: Seen::of(&old, in_use.revision),
            new: Seen::of(new, 0),
            folder,
            changed,
            allow_overdue,
            choices,
            back,
            items,
            unread,
            facts,
            findings,
            groups,
            mails: forecasts.end(until, zone),
            checksum: String::new(),
        };
        Ok(plan.sealed())
    }
}

fn compare(
    old: &RuleSet,
    pairs: &Pairs,
    page: Vec<OpenItem>,
    mut facts: HashMap<String, Result<Vec<Fact>, StoreError>>,
    now: Instant,
) -> Page {
    let one = |item: &OpenItem, facts: Option<Result<Vec<Fact>, StoreError>>| {
        let mut facts = facts?.ok()?;
        // What came between the two questions belongs to a later revision.
        facts.truncate(item.rev as usize);
        let id: Name = name(&item.id);
        if let Some((pair, courses)) = pairs.get(&item.workflow) {
            return contained(|| pair.compare(courses, &id, &facts, now)).ok().flatten();
        }
        old.workflows.get(item.workflow.as_str())?;
        let cause = Cause::of(format!("workflow.{}", item.workflow));
        let gone = Difference { what: What::WorkflowGone, cause, row: Row::of(&id, None) };
        Some(Compared { differences: vec![gone], lives: None })
    };
    page.into_iter()
        .map(|item| {
            let found = one(&item, facts.remove(&item.id));
            (item, found)
        })
        .collect()
}
