//! Everything that is recorded of many items at once, a page of neighbours, for looking through a whole database.

use super::dialect::on;
use super::items::{self, Listed};
use super::{Store, StoreError, facts, save, statements};
use crate::kernel::model::fact::Fact;
use std::collections::HashMap;

/// What is recorded of an item, read beside others. It may have moved between the questions.
#[derive(Clone, Debug)]
pub struct Record {
    pub row: Listed,
    pub facts: Vec<Fact>,
    /// Fact and name of each of its notices, in the order of the facts.
    pub notices: Vec<(u64, String)>,
    pub hands: Hands,
}

/// In whose hands an item may be (see [`save::Caches::hands_text`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hands {
    /// As the item itself says.
    pub told: String,
    /// As the rows say by which lists are asked.
    pub rows: String,
}

impl Store {
    /// At most `limit` items behind `after` in the order of their ids: each as it is recorded, or its id alone when it has to be looked at
    /// by itself, because its chain does not hold, it cannot be read, or it moved meanwhile.
    pub async fn records(&self, after: &str, limit: u32) -> Result<Vec<(String, Option<Record>)>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.records(after, limit));
        }
        let heads: Vec<(String, i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RECORD_HEADS))
            .bind(after).bind(i64::from(limit)).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let Some((last, ..)) = heads.last() else { return Ok(Vec::new()) };
        let rows: Vec<items::Row> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RECORD_ROWS))
            .bind(after).bind(last).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let facts: Vec<(String, i64, String, Option<String>, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RECORD_FACTS))
            .bind(after).bind(last).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let notices: Vec<(String, i64, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RECORD_NOTICES))
            .bind(after).bind(last).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let mut hands = match heads.first() {
            Some((first, ..)) => self.hands_between(first, last).await?,
            None => HashMap::new(),
        };
        let (mut rows, mut facts, mut notices) =
            (rows.into_iter().peekable(), facts.into_iter().peekable(), notices.into_iter().peekable());
        let mut records = Vec::with_capacity(heads.len());
        for (id, rev, head) in heads {
            // Neighbours that came between the questions are passed over.
            while rows.next_if(|row| row.0 < id).is_some() {}
            while facts.next_if(|fact| fact.0 < id).is_some() {}
            while notices.next_if(|notice| notice.0 < id).is_some() {}
            let row = rows.next_if(|row| row.0 == id).and_then(|row| items::listed(row).ok()).filter(|row| row.rev == rev as u64);
            let own: Vec<_> = std::iter::from_fn(|| facts.next_if(|fact| fact.0 == id))
                .map(|(_, seq, json, cause, hash)| (seq, json, cause, hash))
                .collect();
            let told =
                std::iter::from_fn(|| notices.next_if(|notice| notice.0 == id)).map(|(_, seq, notice)| (seq as u64, notice)).collect();
            let sound = facts::sound(&id, &own, rev, &head).ok().filter(|facts| facts.len() as i64 == rev);
            let hands = hands.remove(&id).unwrap_or_default();
            let record = row.zip(sound).map(|(row, facts)| Record { row, facts, notices: told, hands });
            records.push((id, record));
        }
        Ok(records)
    }

    /// In whose hands an item may be.
    pub async fn hands_of(&self, id: &str) -> Result<Hands, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.hands_of(id));
        }
        Ok(self.hands_between(id, id).await?.remove(id).unwrap_or_default())
    }

    /// The same of neighbours, from the first to the last.
    async fn hands_between(&self, first: &str, last: &str) -> Result<HashMap<String, Hands>, StoreError> {
        let rows: Vec<(String, String, Option<String>, Option<String>)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::RECORD_HANDS))
            .bind(first).bind(last).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let mut all = HashMap::new();
        for of_one in rows.chunk_by(|one, other| one.0 == other.0) {
            let Some((id, told, ..)) = of_one.first() else { continue };
            let keys = of_one.iter().filter_map(|(_, _, key, due_on)| Some((key.clone()?, due_on.clone())));
            all.insert(id.clone(), Hands { told: told.clone(), rows: save::hands_text(keys) });
        }
        Ok(all)
    }
}
