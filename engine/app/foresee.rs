//! What the office would do until a day if nobody came in: its open items read by pages, their lives led in memory on all processors.
//! Nothing is written, and no mail leaves.

use super::{App, LoadError, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::decision::Notice;
use crate::kernel::model::fact::Fact;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::simulate::forecast::{Forecast, Gathering};
use crate::kernel::simulate::idle::{Course, Left, Life};
use crate::kernel::time::{Date, Instant};
use crate::store::items::{Filter, HISTORIC};
use crate::store::{Store, StoreError};
use chrono::{NaiveTime, TimeZone};
use std::collections::HashMap;
use std::sync::Arc;

/// Items that are read at once.
const PAGE: u32 = 512;
/// Notices that wait to leave, at most; an office has those of a night.
const MOST_WAITING: u32 = 100_000;
/// Items of a workflow that are led through today, at most.
const MOST_TODAY: u32 = 500;

/// What leaves until a day, with the titles of the items that were looked at.
#[derive(Debug)]
pub struct Foreseen {
    pub forecast: Forecast,
    pub titles: HashMap<Name, String>,
}

/// What was told before and has not left, by item.
type Waiting = HashMap<Name, Vec<Notice>>;

impl App {
    /// Everything that leaves from a moment to the end of a day, under the given rules. `seen` gets how many items are done, and how many
    /// there are.
    pub async fn foresee(
        &self,
        under: &RuleSet,
        from: Instant,
        until: Date,
        mut seen: impl FnMut(u64, u64),
    ) -> Result<Foreseen, StoreError> {
        let now = from;
        let (mut gathering, mut titles) = (Gathering::default(), HashMap::new());
        let (mut done, all) = (0, self.store.count_open().await?);
        let mut waiting = self.waiting().await?;
        for rules in under.workflows.values() {
            let course = Arc::new(Course::new(rules.clone(), now, until));
            let workflow = &rules.setting.workflow.name;
            let mut pages = Pages::of(&self.store, workflow, true);
            let (mut page, mut left) = (pages.next().await?, course.left());
            while let Some(items) = page {
                done += items.len() as u64;
                let lives = live(course.clone(), items, &mut waiting, left);
                titles.extend(pages.titles());
                // The next page is read while this one is lived.
                let (next, lived) = tokio::join!(pages.next(), lives);
                let lives;
                (lives, left) = lived?;
                for (id, life) in lives {
                    match life {
                        Ok(Some(life)) => gathering.add(workflow, &life),
                        Ok(None) => {}
                        Err(error) => gathering.fails(&id, now, error.to_string()),
                    }
                }
                seen(done, all);
                page = next?;
            }
        }
        let zone = under.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        Ok(Foreseen { forecast: gathering.finish(zone), titles })
    }

    /// What leaves until the end of today, of the items that may owe something by then: the store finds them by their wake-ups.
    pub async fn foresee_today(&self) -> Result<Foreseen, StoreError> {
        let (now, all) = (self.now(), self.rules());
        let (mut gathering, mut titles) = (Gathering::default(), HashMap::new());
        let mut waiting = self.waiting().await?;
        let told: Vec<String> = waiting.keys().map(|id| id.to_string()).take(MOST_TODAY as usize).collect();
        let told = self.store.listed_of(&told.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        for rules in all.workflows.values() {
            let zone = rules.setting.workflow.timezone;
            let today = day_of(now, zone);
            let course = Arc::new(Course::new(rules.clone(), now, today));
            let workflow = &rules.setting.workflow.name;
            let night = today.succ_opt().and_then(|day| zone.from_local_datetime(&day.and_time(NaiveTime::MIN)).earliest());
            let Some(night) = night.map(|night| night.to_utc()) else { continue };
            let mut ids = self.store.waking(workflow, night, MOST_TODAY).await?;
            ids.extend(
                told.values()
                    .filter(|row| row.workflow == **workflow && !ids.contains(&row.id))
                    .map(|row| row.id.clone())
                    .collect::<Vec<_>>(),
            );
            if ids.is_empty() {
                continue;
            }
            let keys: Vec<&str> = ids.iter().map(String::as_str).collect();
            titles.extend(self.store.listed_of(&keys).await?.into_values().map(|row| (Name::from(row.id), row.title)));
            let mut facts = self.store.items(&keys).await?;
            let items: Page = ids.into_iter().filter_map(|id| facts.remove(&id).map(|facts| (id, facts))).collect();
            let left = course.left();
            for (id, life) in live(course, items, &mut waiting, left).await?.0 {
                match life {
                    Ok(Some(life)) => gathering.add(workflow, &life),
                    Ok(None) => {}
                    Err(error) => gathering.fails(&id, now, error.to_string()),
                }
            }
        }
        let zone = all.workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        Ok(Foreseen { forecast: gathering.finish(zone), titles })
    }

    /// The same for one item; `None` when there is none.
    pub async fn foresee_item(
        &self,
        under: &RuleSet,
        id: &str,
        from: Instant,
        until: Date,
    ) -> Result<Option<(Arc<Rules>, Life)>, LoadError> {
        let Some(recorded) = self.store.item(id).await? else { return Ok(None) };
        let workflow = || LoadError::UnknownWorkflow(recorded.workflow.clone());
        let rules = under.workflows.get(recorded.workflow.as_str()).ok_or_else(workflow)?;
        let course = Course::new(rules.clone(), from, until);
        let waiting = self.waiting().await?.remove(id).unwrap_or_default();
        let life = contained(|| life_of(&course, id, &recorded.facts, &waiting, &mut course.left()))??;
        Ok(life.map(|life| (rules.clone(), life)))
    }

    async fn waiting(&self) -> Result<Waiting, StoreError> {
        let mut by_item = Waiting::new();
        for notice in self.store.notices_ready(MOST_WAITING).await? {
            by_item.entry(notice.item.clone()).or_default().push(notice);
        }
        Ok(by_item)
    }
}

/// Items of one workflow with their facts, a page at a time.
pub(super) struct Pages<'s> {
    store: &'s Store,
    filter: Filter,
    over: bool,
    titles: Vec<(Name, String)>,
}

pub(super) type Page = Vec<(String, Result<Vec<Fact>, StoreError>)>;

impl Pages<'_> {
    pub(super) fn of<'s>(store: &'s Store, workflow: &str, open_only: bool) -> Pages<'s> {
        Pages {
            store,
            filter: Filter { workflow: Some(workflow.to_string()), open_only, ..Filter::default() },
            over: false,
            titles: Vec::new(),
        }
    }

    /// Those of the items that were read since this was last asked.
    fn titles(&mut self) -> Vec<(Name, String)> {
        std::mem::take(&mut self.titles)
    }

    pub(super) async fn next(&mut self) -> Result<Option<Page>, StoreError> {
        if self.over {
            return Ok(None);
        }
        let rows = self.store.list(&self.filter, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        self.filter.after.clone_from(&last.id);
        self.over = rows.len() < PAGE as usize;
        // What was entered as history owes nothing.
        let ids: Vec<String> = rows.iter().filter(|row| row.rules_rev != HISTORIC).map(|row| row.id.clone()).collect();
        self.titles.extend(rows.into_iter().map(|row| (Name::from(row.id), row.title)));
        let mut facts = self.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        Ok(Some(ids.into_iter().filter_map(|id| facts.remove(&id).map(|facts| (id, facts))).collect()))
    }
}

/// What became of each item of a page, in its order.
type Lives = Vec<(String, Result<Option<Life>, LoadError>)>;

/// Leads the lives of a page on all processors; where a sweep takes so many items at most, one after the other.
async fn live(course: Arc<Course>, page: Page, waiting: &mut Waiting, left: Left) -> Result<(Lives, Left), StoreError> {
    let told = |(id, facts): (String, _)| {
        let told = waiting.remove(id.as_str()).unwrap_or_default();
        (id, facts, told)
    };
    let work: Vec<(String, Result<Vec<Fact>, StoreError>, Vec<Notice>)> = page.into_iter().map(told).collect();
    let in_order = course.has_limits();
    let lead = move |(id, facts, told): (String, Result<Vec<Fact>, StoreError>, Vec<Notice>), left: &mut Left| {
        let life = facts.map_err(LoadError::from).and_then(|facts| contained(|| life_of(&course, &id, &facts, &told, left))?);
        (id, life)
    };
    spread(work, left, in_order, lead).await
}

/// Does a piece of work for each of a list, on all processors unless the order counts; answers in the order of the list.
pub(super) async fn spread<W: Send + 'static, T: Send + 'static>(
    mut work: Vec<W>,
    left: Left,
    in_order: bool,
    lead: impl Fn(W, &mut Left) -> T + Send + Sync + 'static,
) -> Result<(Vec<T>, Left), StoreError> {
    let processors = if in_order { 1 } else { std::thread::available_parallelism().map_or(1, usize::from) };
    let share = work.len().div_ceil(processors).max(1);
    let lead = Arc::new(lead);
    let mut running = Vec::new();
    while !work.is_empty() {
        let rest = work.split_off(share.min(work.len()));
        let mine = std::mem::replace(&mut work, rest);
        let (lead, mut left) = (lead.clone(), left.clone());
        running.push(tokio::task::spawn_blocking(move || {
            let done: Vec<T> = mine.into_iter().map(|one| lead(one, &mut left)).collect();
            (done, left)
        }));
    }
    let (mut out, mut after) = (Vec::new(), left);
    for share in running {
        let (done, left) = share.await.map_err(|error| StoreError::NotDone(error.to_string()))?;
        out.extend(done);
        after = left;
    }
    Ok((out, after))
}

fn life_of(course: &Course, id: &str, facts: &[Fact], waiting: &[Notice], left: &mut Left) -> Result<Option<Life>, LoadError> {
    let today = day_of(course.from, course.rules.setting.workflow.timezone);
    let item = derive::derive(&course.rules, id, facts, today)?;
    Ok(item.map(|item| course.life(&item, waiting, left)))
}
