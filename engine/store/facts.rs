//! The append-only list of an item: each fact as canonical JSON, chained by SHA-256 so that a change, a gap or an insertion shows.
//!
//! hash = sha256(previous hash, item, seq, sha256(json)), one line each. The inner hash lets a payload be erased later without breaking
//! the chain. The JSON is canonical because a fact's fields stand in declared order and its maps in order of their keys; what is hashed
//! is the very text that is stored.

use super::dialect::on;
use super::{Store, StoreError, statements};
use crate::kernel::model::fact::Fact;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// An item as it is recorded.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub workflow: String,
    pub rev: u64,
    /// In order, `seq` from 1.
    pub facts: Vec<Fact>,
    /// Why it is set aside, and how often it was tried in vain.
    pub quarantine: Option<(String, u32)>,
}

/// What is known of a fact on its way into the store before its place in the chain is.
#[derive(Clone, Debug)]
pub(super) struct Prepared {
    pub cause: Option<String>,
    /// Item, seq and inner hash, as they are hashed.
    own: String,
}

/// A fact on its way into the store, and its row as JSON, up to the hash.
pub(super) fn prepare(item: &str, fact: &Fact) -> Result<(Prepared, String), serde_json::Error> {
    let json = serde_json::to_string(fact)?;
    let cause = fact.cause.key();
    let own = own(item, fact.seq, &json);
    let mut row = serde_json::to_string(&(item, fact.seq, json, &cause))?;
    row.pop();
    Ok((Prepared { cause, own }, row))
}

impl Prepared {
    /// Its hash behind the fact before it.
    pub fn chained(&self, previous: &str) -> String {
        chain(previous, &self.own)
    }
}

pub(super) fn own(item: &str, seq: u64, json: &str) -> String {
    format!("{item}\n{seq}\n{}", hex(&Sha256::digest(json)))
}

pub(super) fn chain(previous: &str, own: &str) -> String {
    hex(&Sha256::digest(format!("{previous}\n{own}")))
}

/// Follows the chains of many items, fact by fact in their order.
#[derive(Default)]
pub(super) struct Chain {
    last: Option<Link>,
    /// Items whose first fact was seen.
    pub items: u64,
}

/// The fact before, with the revision at which its item stands.
struct Link {
    here: String,
    item: String,
    seq: i64,
    hash: String,
    rev: i64,
}

impl Chain {
    /// The next fact, with revision and head of its item.
    pub fn next(&mut self, here: &str, item: &str, seq: i64, json: &str, hash: &str, (rev, head): (i64, &str)) -> Result<(), StoreError> {
        if !self.last.as_ref().is_some_and(|last| (last.here.as_str(), last.item.as_str()) == (here, item)) {
            self.end()?;
            self.items += 1;
        }
        let (expected, previous) = self.last.take().map_or((1, String::new()), |last| (last.seq + 1, last.hash));
        if seq != expected {
            return Err(StoreError::Damaged(format!("fact {expected} of `{item}` is missing")));
        }
        if chain(&previous, &own(item, seq as u64, json)) != hash {
            return Err(StoreError::Damaged(format!("fact {seq} of `{item}` was changed")));
        }
        if seq == rev && hash != head {
            return Err(StoreError::Damaged(format!("the last fact of `{item}` is not the one it was saved with")));
        }
        self.last = Some(Link { here: here.to_string(), item: item.to_string(), seq, hash: hash.to_string(), rev });
        Ok(())
    }

    /// No more facts of the item before.
    pub fn end(&mut self) -> Result<(), StoreError> {
        match self.last.take() {
            Some(last) if last.seq < last.rev => Err(StoreError::Damaged(format!("fact {} of `{}` is missing", last.seq + 1, last.item))),
            _ => Ok(()),
        }
    }
}

/// Lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}

impl Store {
    /// All facts of an item; `None` when there is no such item.
    pub async fn item(&self, id: &str) -> Result<Option<Recorded>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.item(id));
        }
        let found: Option<(String, i64, String, Option<String>, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_LOAD)).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let Some((workflow, rev, _, reason, retries)) = found else { return Ok(None) };
        let rows: Vec<(i64, String, Option<String>, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::FACTS_OF)).bind(id).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let mut facts = Vec::with_capacity(rows.len());
        // A fact written since the first question belongs to a later revision.
        for (seq, json, _, _) in rows.iter().take(rev as usize) {
            facts.push(parse(id, *seq, json)?);
        }
        let quarantine = reason.map(|reason| (reason, retries as u32));
        Ok(Some(Recorded { workflow, rev: facts.len() as u64, facts, quarantine }))
    }

    /// The facts of many items, by item; one that cannot be read fails alone.
    pub async fn items(&self, ids: &[&str]) -> Result<HashMap<String, Result<Vec<Fact>, StoreError>>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.facts_of(ids));
        }
        let keys = super::batch(&ids.iter().map(|id| [id]).collect::<Vec<_>>());
        let rows: Vec<(String, Option<String>)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::FACTS_OF_MANY)).bind(keys).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        let mut items: HashMap<String, Result<Vec<Fact>, StoreError>> = HashMap::with_capacity(ids.len());
        for (item, facts) in rows {
            let Some(facts) = facts else { continue };
            let facts = match serde_json::from_str::<Vec<Fact>>(&format!("[{facts}]")) {
                Ok(mut facts) => {
                    facts.sort_by_key(|fact| fact.seq);
                    Ok(facts)
                }
                // Read alone, it says which of them it is.
                Err(_) => self.item(&item).await.map(|recorded| recorded.map(|recorded| recorded.facts).unwrap_or_default()),
            };
            items.insert(item, facts);
        }
        Ok(items)
    }

    /// Checks the chain of one item: no gap, no change, and the last hash is the one the item carries.
    pub async fn check_chain(&self, id: &str) -> Result<(), StoreError> {
        if let Some(model) = self.model().await? {
            return model.check_chain(id);
        }
        let found: Option<(String, i64, String, Option<String>, i64)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::ITEM_LOAD)).bind(id).bind(&*self.jurisdiction).fetch_optional(pool).await)?;
        let Some((_, rev, head, _, _)) = found else { return Err(StoreError::Damaged(format!("there is no item `{id}`"))) };
        let rows: Vec<(i64, String, Option<String>, String)> = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::FACTS_OF)).bind(id).bind(&*self.jurisdiction).fetch_all(pool).await)?;
        sound(id, &rows, rev, &head).map(|_| ())
    }
}

/// The facts of an item, when they hang together: no gap, no change, and the last one is the one that the item carries.
pub(super) fn sound(id: &str, rows: &[(i64, String, Option<String>, String)], rev: i64, head: &str) -> Result<Vec<Fact>, StoreError> {
    let (mut last, mut facts) = (String::new(), Vec::with_capacity(rows.len()));
    for ((seq, json, cause, hash), expected) in rows.iter().zip(1..) {
        if *seq != expected {
            return Err(StoreError::Damaged(format!("fact {expected} of `{id}` is missing")));
        }
        last = chain(&last, &own(id, *seq as u64, json));
        if last != *hash {
            return Err(StoreError::Damaged(format!("fact {seq} of `{id}` was changed")));
        }
        let fact = parse(id, *seq, json)?;
        if fact.cause.key() != *cause {
            return Err(StoreError::Damaged(format!("the cause of fact {seq} of `{id}` was changed")));
        }
        if *seq == rev && last != head {
            return Err(StoreError::Damaged(format!("the last fact of `{id}` is not the one it was saved with")));
        }
        facts.push(fact);
    }
    if (rows.len() as i64) < rev {
        return Err(StoreError::Damaged(format!("fact {rev} of `{id}` is missing")));
    }
    Ok(facts)
}

fn parse(item: &str, seq: i64, json: &str) -> Result<Fact, StoreError> {
    serde_json::from_str(json).map_err(|error| StoreError::Damaged(format!("fact {seq} of `{item}` cannot be read: {error}")))
}
