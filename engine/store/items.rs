//! Items as lists show them, from the caches, and the wake-ups: which item may owe something now, and when to look next.

use super::dialect::{self, Connection, on};
use super::save::{self, Caches};
use super::writer::{Lane, Write};
use super::{Store, StoreError, instant, statements};
use crate::kernel::time::{Date, Instant};
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// One line of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    pub workflow: String,
    pub rev: u64,
    pub state: String,
    pub title: String,
    pub ended_on: Option<Date>,
    pub flag: Option<String>,
    pub due_on: Option<Date>,
    pub fields: serde_json::Value,
    pub dues: serde_json::Value,
    pub wake_at: Option<Instant>,
    pub quarantine: Option<String>,
    /// When it was last derived for this row.
    pub changed_at: Instant,
    /// The revision of the rules it was derived under then; [`HISTORIC`] while it owes nothing.
    pub rules_rev: u64,
}

/// Stands as the revision of what was entered as history: it is never derived again by itself.
pub const HISTORIC: u64 = i64::MAX as u64;

/// Which items a list shows. Empty parts do not restrict.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub workflow: Option<String>,
    pub state: Option<String>,
    pub open_only: bool,
    /// Text that the item's fields contain.
    pub text: Option<String>,
    /// `red`, `amber` or `none`
    pub flag: Option<String>,
    /// The next date is earlier than this.
    pub due_before: Option<Date>,
    /// Texts that stand in the JSON of its fields, in this order; their case does not count.
    pub marks: Vec<String>,
    /// Text that stands in the JSON of its dates, by deadline and branch.
    pub dues: Option<String>,
    /// Items behind this one, in the order of their ids.
    pub after: String,
}

/// An item that may owe something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WakeUp {
    pub jurisdiction: Arc<str>,
    pub item: String,
    pub workflow: String,
    pub at: Instant,
    /// How often it was tried in vain.
    pub retries: u32,
    /// The number under which it was taken, where others may take it as well.
    pub fence: Option<u64>,
}

/// An item that was set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    pub item: String,
    pub workflow: String,
    pub reason: String,
    pub retries: u32,
    pub retry_at: Option<Instant>,
    pub since: Option<Instant>,
}

pub(super) type Row = (
    String,
    String,
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    String,
    Option<i64>,
    Option<String>,
    i64,
    i64,
);

impl Store {
    /// One item's line.
    pub async fn listed(&self, id: &str) -> Result<Option<Listed>, StoreError> {
        if let Some(model) = self.model().await? {
            return model.listed(id);
        }
        let row: Option<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_ROW)).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        row.map(listed).transpose()
    }

    /// The lines of items, asked for together; what is not there is left out.
    pub async fn listed_of(&self, ids: &[&str]) -> Result<HashMap<String, Listed>, StoreError> {
        if let Some(model) = self.model().await? {
            let lines = ids.iter().map(|id| model.listed(id)).collect::<Result<Vec<_>, _>>()?;
            return Ok(lines.into_iter().flatten().map(|line| (line.id.clone(), line)).collect());
        }
        let ids: BTreeSet<&str> = ids.iter().copied().collect();
        let keys = super::batch(&ids.iter().map(|id| [id]).collect::<Vec<_>>());
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_ROWS)).bind(keys).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter().map(|row| listed(row).map(|line| (line.id.clone(), line))).collect()
    }

    /// At most `limit` items in the order of their ids.
    pub async fn list(&self, filter: &Filter, limit: u32) -> Result<Vec<Listed>, StoreError> {
        if let Some(model) = self.model().await? {
            return model.list(filter, limit);
        }
        let text = filter.text.as_ref().map(|text| format!("%{}%", meant(text)));
        let marks =
            (!filter.marks.is_empty()).then(|| format!("%{}%", filter.marks.iter().map(|mark| meant(mark)).collect::<Vec<_>>().join("%")));
        let dues = filter.dues.as_ref().map(|text| format!("%{}%", meant(text)));
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_LIST))
            .bind(&filter.workflow)
            .bind(&filter.state)
            .bind(i64::from(filter.open_only))
            .bind(text)
            .bind(&filter.after)
            .bind(i64::from(limit))
            .bind(&filter.flag)
            .bind(filter.due_before.map(|day| day.to_string()))
            .bind(marks)
            .bind(dues)
            .bind(&*self.jurisdiction).fetch_all(pool)
            .await)?;
        rows.into_iter().map(listed).collect()
    }

    /// How many items are open; of these, how many have a date before a day, and how many their next one from then to another.
    pub async fn standing(&self, day: Date, until: Date) -> Result<(u64, u64, u64), StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.standing(day, until));
        }
        let (open, late, soon): (i64, i64, i64) = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_STANDING))
            .bind(day.to_string()).bind(until.to_string()).bind(&*self.jurisdiction).fetch_one(pool).await)?;
        Ok((open as u64, late as u64, soon as u64))
    }

    /// Of each value of a field how many open items have it, and how many of them have a date before a day; the most first.
    pub async fn in_hand(&self, workflow: &str, field: &str, day: Date) -> Result<Vec<(String, u64, u64)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.in_hand(workflow, field, day));
        }
        let rows: Vec<(Option<String>, i64, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_IN_HAND))
            .bind(workflow).bind(field).bind(day.to_string()).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().filter_map(|(value, all, late)| Some((value?, all as u64, late as u64))).collect())
    }

    /// Ids of items that may owe something before a moment, the soonest first.
    pub async fn waking(&self, workflow: &str, before: Instant, limit: u32) -> Result<Vec<String>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.waking(workflow, before, limit));
        }
        let rows: Vec<(String,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_WAKING))
            .bind(workflow).bind(before.timestamp_millis()).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Ids of all items (of a workflow, or only the open ones), a page at a time.
    pub async fn ids(&self, workflow: Option<&str>, open_only: bool, after: &str, limit: u32) -> Result<Vec<String>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.ids(workflow, open_only, after, limit));
        }
        let rows: Vec<(String,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_IDS))
            .bind(workflow).bind(i64::from(open_only)).bind(after).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|row| row.0).collect())
    }

    /// Items that may be in the hands to which these keys lead: at most `limit` after the first `after`, by their earliest dates, and how many
    /// there are in all.
    pub async fn in_hands(&self, keys: &BTreeSet<String>, after: u32, limit: u32) -> Result<(Vec<String>, u64), StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.in_hands(keys, after, limit));
        }
        let keys = super::batch(&keys.iter().map(|key| [key]).collect::<Vec<_>>());
        let rows: Vec<(String,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::HAND_ITEMS))
            .bind(&keys).bind(i64::from(limit)).bind(i64::from(after)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        if after == 0 && (rows.len() as u64) < u64::from(limit) {
            let count = rows.len() as u64;
            return Ok((rows.into_iter().map(|row| row.0).collect(), count));
        }
        let (count,): (i64,) = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::HAND_COUNT))
            .bind(&keys).bind(&*self.jurisdiction).fetch_one(pool).await)?;
        Ok((rows.into_iter().map(|row| row.0).collect(), count as u64))
    }

    /// How many items stand in which state of which workflow.
    pub async fn count_by_state(&self) -> Result<Vec<(String, String, u64)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_by_state());
        }
        let rows: Vec<(String, String, i64)> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_COUNT)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(workflow, state, count)| (workflow, state, count as u64)).collect())
    }

    /// How many items have not ended.
    pub async fn count_open(&self) -> Result<u64, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.count_open());
        }
        let (count,): (i64,) =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_OPEN)).bind(&*self.jurisdiction).fetch_one(pool).await)?;
        Ok(count as u64)
    }

    /// The revisions at which items stand.
    pub async fn revisions(&self, ids: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.revisions(ids));
        }
        let keys = super::batch(&ids.iter().map(|id| [id]).collect::<Vec<_>>());
        let rows: Vec<(String, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_REVS)).bind(keys).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(id, rev)| (id, rev as u64)).collect())
    }

    /// Open items (id, workflow) whose wake-up was derived under older rules than `rules_rev`, the soonest first.
    pub async fn stale(&self, rules_rev: u64, limit: u32) -> Result<Vec<(String, String)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.stale(rules_rev, limit));
        }
        Ok(on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::WAKE_STALE))
            .bind(rules_rev as i64).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?)
    }

    /// Keeps what follows from an item that was derived again, without a new fact; `false` when the item has moved since. One that is set
    /// aside is tried again at once: what was wrong with it may have been mended.
    pub async fn keep_derived(&self, derived: Derived) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.keep_derived(derived));
        }
        self.write(Lane::Background, derived).await
    }

    /// Has an item looked at as soon as possible, whatever its revision.
    pub async fn wake_now(&self, item: &str, now: Instant, rules_rev: u64) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.wake_now(item, now, rules_rev);
            return Ok(());
        }
        self.write(Lane::Background, WakeNow { item: item.to_string(), at: now.timestamp_millis(), rules_rev }).await
    }

    /// Sets an item aside with its reason until `retry_at`; the next decision that is saved brings it back. `false` when it has moved
    /// from `rev`, or others have taken it since `fence`, if these are given.
    pub async fn quarantine(
        &self,
        item: &str,
        rev: Option<u64>,
        fence: Option<u64>,
        reason: &str,
        retry_at: Instant,
        now: Instant,
    ) -> Result<bool, StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            return Ok(model.quarantine(item, rev, fence, reason, retry_at, now));
        }
        let (retry_at, now) = (retry_at.timestamp_millis(), now.timestamp_millis());
        let quarantine = Quarantine { item: item.to_string(), rev, fence, reason: reason.to_string(), retry_at, now };
        self.write(Lane::Background, quarantine).await
    }

    pub async fn quarantined(&self, limit: u32) -> Result<Vec<SetAside>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.quarantined(limit));
        }
        type Row = (String, String, String, i64, Option<i64>, Option<i64>);
        let rows: Vec<Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_QUARANTINED))
            .bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        rows.into_iter()
            .map(|(item, workflow, reason, retries, at, since)| {
                let (retry_at, since) = (at.map(instant).transpose()?, since.map(instant).transpose()?);
                Ok(SetAside { item, workflow, reason, retries: retries as u32, retry_at, since })
            })
            .collect()
    }

    /// What a command was answered, with the hash of its request.
    pub async fn answered(&self, actor: &str, id: &str) -> Result<Option<(String, String)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.answered(actor, id));
        }
        Ok(
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::COMMAND_GET)).bind(actor).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?,
        )
    }

    /// What was answered to those of these commands (actor, id) that were done: the hash of the request, and the answer.
    pub async fn answers(&self, commands: &[(&str, &str)]) -> Result<HashMap<(String, String), (String, String)>, StoreError> {
        if let Some(model) = self.model().await? {
            let known = |(actor, id): &(&str, &str)| Some(((actor.to_string(), id.to_string()), model.answered(actor, id)?));
            return Ok(commands.iter().filter_map(known).collect());
        }
        if commands.is_empty() {
            return Ok(HashMap::new());
        }
        let rows: Vec<super::dialect::Answer> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SAVE_COMMANDS))
            .bind(super::batch(commands)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(_, actor, id, request_hash, answer, _)| ((actor, id), (request_hash, answer))).collect())
    }

    /// The same of one, once everything that was queued on the item before has been written or refused.
    pub async fn answered_in_order(&self, item: &str, actor: &str, id: &str) -> Result<Option<(String, String)>, StoreError> {
        if let Some(model) = self.model_to_write().await? {
            return Ok(model.answered(actor, id));
        }
        self.write(Lane::User, AskAnswer { item: item.to_string(), actor: actor.to_string(), id: id.to_string() }).await
    }

    /// The item that holds each of these unique values (workflow, field, value as JSON).
    pub async fn holders_of(&self, keys: &[(&str, &str, &str)]) -> Result<Vec<Option<String>>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.holders_of(keys));
        }
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<super::dialect::Answer> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SAVE_UNIQUE))
            .bind(super::batch(keys)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let holder = |key: &(&str, &str, &str)| rows.iter().find(|(_, w, f, v, ..)| (w.as_str(), f.as_str(), v.as_str()) == *key);
        Ok(keys.iter().map(|key| holder(key).map(|(_, _, _, _, item, _)| item.clone())).collect())
    }

    /// The last number that was given.
    pub async fn counter(&self, name: &str) -> Result<i64, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.counter(name));
        }
        let row: Option<(i64,)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::COUNTER_GET)).bind(name).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        Ok(row.map_or(0, |row| row.0))
    }
}

/// A text in which the signs of a pattern mean themselves.
fn meant(text: &str) -> String {
    text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

pub(super) fn listed(row: Row) -> Result<Listed, StoreError> {
    let (id, workflow, rev, state, title, ended_on, flag, due_on, fields, dues, wake_at, quarantine, changed_at, rules_rev) = row;
    let damaged = |what: &str| StoreError::Damaged(format!("{what} of `{id}` cannot be read"));
    let day = |text: Option<String>| text.map(|text| text.parse().map_err(|_| damaged("a date"))).transpose();
    Ok(Listed {
        rev: rev as u64,
        ended_on: day(ended_on)?,
        due_on: day(due_on)?,
        fields: serde_json::from_str(&fields).map_err(|_| damaged("the fields"))?,
        dues: serde_json::from_str(&dues).map_err(|_| damaged("the due dates"))?,
        wake_at: wake_at.map(instant).transpose()?,
        changed_at: instant(changed_at)?,
        rules_rev: rules_rev as u64,
        id,
        workflow,
        state,
        title,
        flag,
        quarantine,
    })
}

/// What follows from an item that was derived again under other rules, another calendar or another directory.
#[derive(Clone, Debug)]
pub struct Derived {
    pub item: String,
    /// The revision of the item.
    pub rev: u64,
    pub caches: Caches,
    pub wake_up: Option<Instant>,
    pub rules_rev: u64,
    pub now: Instant,
}

impl Write for Derived {
    type Answer = bool;

    fn item(&self) -> Option<&str> {
        Some(&self.item)
    }

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let Caches { state, ended_on, flag, due_on, title, search, fields, dues, .. } = &self.caches;
        let done = on!(connection, c, sql => sqlx::query(sql(statements::ITEM_DERIVED))
            .bind(&self.item)
            .bind(self.rev as i64)
            .bind(state)
            .bind(ended_on.map(|day| day.to_string()))
            .bind(flag.map(save::flag))
            .bind(due_on.map(|day| day.to_string()))
            .bind(title)
            .bind(search)
            .bind(fields)
            .bind(dues)
            .bind(self.wake_up.map(|at| at.timestamp_millis()))
            .bind(self.rules_rev as i64)
            .bind(self.now.timestamp_millis())
            .bind(self.caches.hands_text())
            .bind(here).execute(&mut *c).await?.rows_affected());
        if done == 1 {
            let item = super::batch(&[(&self.item,)]);
            let hands = [(statements::HAND_DROP, item), (statements::HAND_PUT, format!("[{}]", self.caches.hand_rows(&self.item)))];
            dialect::run_batches(connection, here, hands.into()).await?;
        }
        Ok(done == 1)
    }
}

struct WakeNow {
    item: String,
    at: i64,
    rules_rev: u64,
}

impl Write for WakeNow {
    type Answer = ();

    fn item(&self) -> Option<&str> {
        Some(&self.item)
    }

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::WAKE_NOW))
            .bind(&self.item).bind(self.at).bind(self.rules_rev as i64).bind(here).execute(&mut *c).await.map(|_| ()))
    }
}

struct Quarantine {
    item: String,
    rev: Option<u64>,
    fence: Option<u64>,
    reason: String,
    retry_at: i64,
    now: i64,
}

impl Write for Quarantine {
    type Answer = bool;

    fn item(&self) -> Option<&str> {
        Some(&self.item)
    }

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<bool, sqlx::Error> {
        let done = on!(connection, c, sql => sqlx::query(sql(statements::QUARANTINE))
            .bind(&self.item).bind(self.rev.map(|rev| rev as i64)).bind(&self.reason).bind(self.retry_at)
            .bind(self.fence.map(|fence| fence as i64)).bind(self.now)
            .bind(here).execute(&mut *c).await?.rows_affected());
        Ok(done == 1)
    }
}

struct AskAnswer {
    item: String,
    actor: String,
    id: String,
}

impl Write for AskAnswer {
    type Answer = Option<(String, String)>;

    fn item(&self) -> Option<&str> {
        Some(&self.item)
    }

    async fn write(&self, connection: &mut Connection, here: &str) -> Result<Self::Answer, sqlx::Error> {
        on!(connection, c, sql => sqlx::query_as(sql(statements::COMMAND_GET)).bind(&self.actor).bind(&self.id).bind(here).fetch_optional(&mut *c).await)
    }
}
