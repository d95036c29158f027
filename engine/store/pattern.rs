//! A recorded item as a pattern: the rows of all its tables, stamped out again and again under other ids.
//!
//! The pattern's id is a number, and wherever its digits stand the copy's digits are put, which are as many. The hashes of a copy's facts are
//! chained anew, so that it is as whole as its original.

use super::StoreError;
use super::facts;
use super::save::{self, Caches};
use crate::kernel::model::decision::Notice;
use crate::kernel::model::fact::Fact;
use crate::kernel::model::value::Value;
use crate::kernel::time::Instant;

/// All that is recorded of one item.
#[derive(Clone, Debug)]
pub struct Recorded<'a> {
    /// Only digits.
    pub id: &'a str,
    pub workflow: &'a str,
    pub caches: Caches,
    pub wake_up: Option<Instant>,
    pub rules_rev: u64,
    pub now: Instant,
    pub facts: &'a [Fact],
    /// With its status, and the reason of that.
    pub notices: Vec<(&'a Notice, &'static str, Option<&'a str>)>,
    /// Fields whose value nobody else may have.
    pub unique: Vec<(&'a str, &'a Value)>,
}

/// A table that is written in this way, with the columns that are written.
#[derive(Debug)]
pub(super) struct Table {
    pub name: &'static str,
    pub columns: &'static [&'static str],
    /// Which of them hold numbers.
    pub numbers: &'static [&'static str],
}

/// The places of some of them.
pub(super) const FACT: usize = 1;
const COUNTER: usize = 5;

/// Tables with rows for each item or jurisdiction, those that others refer to first.
pub(super) const TABLES: [Table; 6] = [
    Table {
        name: "item",
        columns: &[
            "jurisdiction",
            "id",
            "workflow",
            "rev",
            "head",
            "state",
            "ended_on",
            "flag",
            "due_on",
            "title",
            "search",
            "fields",
            "dues",
            "wake_at",
            "rules_rev",
            "retries",
            "changed_at",
            "hands",
        ],
        numbers: &["rev", "wake_at", "rules_rev", "retries", "changed_at"],
    },
    Table { name: "fact", columns: &["jurisdiction", "item", "seq", "json", "cause_key", "hash"], numbers: &["seq"] },
    Table {
        name: "notice",
        columns: &[
            "jurisdiction",
            "key",
            "item",
            "seq",
            "workflow",
            "notice",
            "kind",
            "person",
            "not_before",
            "bundle",
            "status",
            "reason",
            "json",
            "recorded_at",
        ],
        numbers: &["seq", "not_before", "recorded_at"],
    },
    Table { name: "unique_value", columns: &["jurisdiction", "workflow", "field", "value", "item"], numbers: &[] },
    Table { name: "hand", columns: &["jurisdiction", "item", "key", "due_on"], numbers: &[] },
    Table { name: "counter", columns: &["jurisdiction", "name", "value"], numbers: &["value"] },
];

/// Rows of every table, as PostgreSQL's binary COPY writes them: the number of columns, then each with its length.
#[derive(Debug, Default)]
pub struct Sheaf {
    pub(super) tables: [Vec<u8>; TABLES.len()],
    pub items: u64,
    pub facts: u64,
    pub notices: u64,
    /// Items that are in the database already.
    pub written: u64,
}

/// A text in which another number is put wherever the pattern's stood.
#[derive(Clone, Debug)]
struct Stencil {
    text: Vec<u8>,
    places: Vec<usize>,
}

#[derive(Clone, Debug)]
enum Cell {
    /// The jurisdiction.
    Here,
    /// The hash of the fact, or of the last one.
    Hash,
    Text(Stencil),
    Number(i64),
    Empty,
}

#[derive(Clone, Debug)]
pub struct Pattern {
    digits: usize,
    id: Stencil,
    item: Vec<Cell>,
    facts: Vec<(Stencil, Vec<Cell>)>,
    notices: Vec<Vec<Cell>>,
    unique: Vec<Vec<Cell>>,
    hands: Vec<Vec<Cell>>,
}

impl Pattern {
    pub fn new(recorded: &Recorded) -> Result<Pattern, StoreError> {
        let Recorded { id, workflow, caches, .. } = recorded;
        let json = |error: serde_json::Error| StoreError::NotDone(format!("a row has no JSON form: {error}"));
        let text = |text: &str| Cell::Text(Stencil::new(text, id));
        let maybe = |text: Option<&str>| text.map_or(Cell::Empty, |text| Cell::Text(Stencil::new(text, id)));
        let number = |number: u64| Cell::Number(number as i64);
        let item = vec![
            Cell::Here,
            text(id),
            text(workflow),
            number(recorded.facts.len() as u64),
            Cell::Hash,
            text(&caches.state),
            maybe(caches.ended_on.map(|day| day.to_string()).as_deref()),
            maybe(caches.flag.map(save::flag)),
            maybe(caches.due_on.map(|day| day.to_string()).as_deref()),
            text(&caches.title),
            text(&caches.search),
            text(&caches.fields),
            text(&caches.dues),
            recorded.wake_up.map_or(Cell::Empty, |at| Cell::Number(at.timestamp_millis())),
            number(recorded.rules_rev),
            Cell::Number(0),
            Cell::Number(recorded.now.timestamp_millis()),
            text(&caches.hands_text()),
        ];
        let due_on = maybe(caches.due_on.map(|day| day.to_string()).as_deref());
        let hands = caches.hands.iter().map(|key| vec![Cell::Here, text(id), text(key), due_on.clone()]).collect();
        let mut facts = Vec::with_capacity(recorded.facts.len());
        for fact in recorded.facts {
            let told = serde_json::to_string(fact).map_err(json)?;
            let row = vec![Cell::Here, text(id), number(fact.seq), text(&told), maybe(fact.cause.key().as_deref()), Cell::Hash];
            facts.push((Stencil::new(&told, id), row));
        }
        let mut notices = Vec::with_capacity(recorded.notices.len());
        for (notice, status, reason) in &recorded.notices {
            notices.push(vec![
                Cell::Here,
                text(&notice.key),
                text(&notice.item),
                number(notice.seq),
                text(&notice.workflow),
                text(&notice.notice),
                text(save::kind(notice.kind)),
                text(&notice.person),
                Cell::Number(notice.not_before.timestamp_millis()),
                text(&notice.bundle),
                text(status),
                maybe(*reason),
                text(&serde_json::to_string(notice).map_err(json)?),
                Cell::Number(recorded.now.timestamp_millis()),
            ]);
        }
        let mut unique = Vec::with_capacity(recorded.unique.len());
        for (field, value) in &recorded.unique {
            unique.push(vec![Cell::Here, text(workflow), text(field), text(&serde_json::to_string(value).map_err(json)?), text(id)]);
        }
        Ok(Pattern { digits: id.len(), id: Stencil::new(id, id), item, facts, notices, unique, hands })
    }

    /// Adds the rows of a copy under another number, which has as many digits.
    pub fn stamp(&self, here: &str, number: u64, sheaf: &mut Sheaf) -> Result<(), StoreError> {
        let digits = number.to_string();
        if digits.len() != self.digits {
            return Err(StoreError::NotDone(format!("the number {number} does not have {} digits", self.digits)));
        }
        let item = self.id.with(&digits);
        let mut hash = String::new();
        let [items, facts, notices, unique, hands, _] = &mut sheaf.tables;
        for ((json, row), seq) in self.facts.iter().zip(1_u64..) {
            hash = facts::chain(&hash, &facts::own(&item, seq, &json.with(&digits)));
            write(row, here, &digits, &hash, facts);
        }
        write(&self.item, here, &digits, &hash, items);
        self.notices.iter().for_each(|row| write(row, here, &digits, &hash, notices));
        self.unique.iter().for_each(|row| write(row, here, &digits, &hash, unique));
        self.hands.iter().for_each(|row| write(row, here, &digits, &hash, hands));
        sheaf.items += 1;
        sheaf.facts += self.facts.len() as u64;
        sheaf.notices += self.notices.len() as u64;
        Ok(())
    }
}

impl Sheaf {
    /// What is held in memory.
    pub fn bytes(&self) -> usize {
        self.tables.iter().map(Vec::len).sum()
    }

    /// The last number that a counter has given.
    pub fn count(&mut self, here: &str, counter: &str, value: i64) {
        write(&[Cell::Here, Cell::Text(Stencil::plain(counter)), Cell::Number(value)], here, "", "", &mut self.tables[COUNTER]);
    }
}

impl Stencil {
    fn new(text: &str, token: &str) -> Stencil {
        let places = text.match_indices(token).map(|(at, _)| at).collect();
        Stencil { text: text.as_bytes().to_vec(), places }
    }

    fn plain(text: &str) -> Stencil {
        Stencil { text: text.as_bytes().to_vec(), places: Vec::new() }
    }

    fn with(&self, digits: &str) -> String {
        let mut out = Vec::with_capacity(self.text.len());
        self.write(digits, &mut out);
        // Digits in the place of digits leave a text a text.
        String::from_utf8(out).unwrap_or_default()
    }

    fn write(&self, digits: &str, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.text);
        for place in &self.places {
            out[start + place..start + place + digits.len()].copy_from_slice(digits.as_bytes());
        }
    }
}

/// One row behind the others.
fn write(row: &[Cell], here: &str, digits: &str, hash: &str, out: &mut Vec<u8>) {
    let whole = |out: &mut Vec<u8>, bytes: &[u8]| {
        out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
        out.extend_from_slice(bytes);
    };
    out.extend_from_slice(&(row.len() as i16).to_be_bytes());
    for cell in row {
        match cell {
            Cell::Here => whole(out, here.as_bytes()),
            Cell::Hash => whole(out, hash.as_bytes()),
            Cell::Number(number) => whole(out, &number.to_be_bytes()),
            Cell::Empty => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Cell::Text(stencil) => {
                out.extend_from_slice(&(stencil.text.len() as i32).to_be_bytes());
                stencil.write(digits, out);
            }
        }
    }
}

/// One value of a row.
pub(super) enum Read<'a> {
    Text(&'a str),
    Number(i64),
    Empty,
}

/// The values of rows, one behind the other, for a database that takes them one by one.
pub(super) fn read<'a>(table: &'a Table, mut rows: &'a [u8]) -> Result<Vec<Read<'a>>, StoreError> {
    let broken = || StoreError::Damaged(format!("a row of `{}` was cut short", table.name));
    let mut out = Vec::new();
    while !rows.is_empty() {
        rows = rows.split_at_checked(2).ok_or_else(broken)?.1;
        for column in table.columns {
            let (length, rest) = rows.split_first_chunk().ok_or_else(broken)?;
            let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
                out.push(Read::Empty);
                rows = rest;
                continue;
            };
            let (value, rest) = rest.split_at_checked(length).ok_or_else(broken)?;
            rows = rest;
            out.push(match table.numbers.contains(column) {
                true => Read::Number(i64::from_be_bytes(value.try_into().map_err(|_| broken())?)),
                false => Read::Text(std::str::from_utf8(value).map_err(|_| broken())?),
            });
        }
    }
    Ok(out)
}
