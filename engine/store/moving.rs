//! Carries everything from one database to another, whichever they are: in one transaction, read back and compared before it is committed.
//!
//! Nobody may write to either meanwhile. The old database stays as it is, but says from then on where its office has gone.

use super::dialect::{self, Address, Connection, Driver, on, run};
use super::lock::Lock;
use super::place::Place;
use super::{Opening, StoreError, facts, schema, statements};
use crate::kernel::time::Instant;
use sha2::{Digest, Sha256};

/// Rows that are carried at once.
const PAGE: i64 = 500;

/// A table: its columns, those of its key first.
struct Table {
    name: &'static str,
    key: &'static [&'static str],
    rest: &'static [&'static str],
    /// Columns that hold numbers.
    numbers: &'static [&'static str],
}

/// Every table with rows of an office, those that others refer to first.
const TABLES: &[Table] = &[
    Table { name: "rule_text", key: &["hash"], rest: &["files"], numbers: &[] },
    Table { name: "rule_set", key: &["jurisdiction", "hash"], rest: &["revision", "in_use_since"], numbers: &["revision", "in_use_since"] },
    Table { name: "publish", key: &["jurisdiction", "revision"], rest: &["hash", "at", "record"], numbers: &["revision", "at"] },
    Table { name: "proposal", key: &["jurisdiction", "plan"], rest: &["at", "record"], numbers: &["at"] },
    Table { name: "jurisdiction", key: &["id"], rest: &["revision", "derived"], numbers: &["revision", "derived"] },
    Table { name: "schedule", key: &["jurisdiction", "sweep"], rest: &["next_at"], numbers: &["next_at"] },
    Table {
        name: "item",
        key: &["jurisdiction", "id"],
        rest: &[
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
            "quarantine",
            "retries",
            "changed_at",
            "fence",
            "set_aside_at",
            "hands",
        ],
        numbers: &["rev", "wake_at", "rules_rev", "retries", "changed_at", "fence", "set_aside_at"],
    },
    Table { name: "hand", key: &["jurisdiction", "item", "key"], rest: &["due_on"], numbers: &[] },
    Table { name: "fact", key: &["jurisdiction", "item", "seq"], rest: &["json", "cause_key", "hash"], numbers: &["seq"] },
    Table {
        name: "notice",
        key: &["jurisdiction", "key"],
        rest: &[
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
            "mail",
            "json",
            "recorded_at",
        ],
        numbers: &["seq", "not_before", "recorded_at"],
    },
    Table { name: "unique_value", key: &["jurisdiction", "workflow", "field", "value"], rest: &["item"], numbers: &[] },
    Table {
        name: "mail",
        key: &["jurisdiction", "id"],
        rest: &[
            "person",
            "address",
            "bytes",
            "status",
            "attempts",
            "next_try",
            "fence",
            "leased_by",
            "reply",
            "created_at",
            "ended_at",
            "first_try",
        ],
        numbers: &["attempts", "next_try", "fence", "created_at", "ended_at", "first_try"],
    },
    Table {
        name: "incoming",
        key: &["jurisdiction", "id"],
        rest: &["mail", "kind", "at", "sender", "status", "words", "settled_at", "settled_by"],
        numbers: &["at", "settled_at"],
    },
    Table {
        name: "command",
        key: &["jurisdiction", "actor", "id"],
        rest: &["request_hash", "answer", "item", "done_at"],
        numbers: &["done_at"],
    },
    Table {
        name: "slot",
        key: &["jurisdiction", "sweep", "slot"],
        rest: &["at", "claimed_at", "done_at"],
        numbers: &["at", "claimed_at", "done_at"],
    },
    Table {
        name: "volume",
        key: &["jurisdiction", "hour"],
        rest: &["mails", "released", "usual"],
        numbers: &["hour", "mails", "released", "usual"],
    },
    Table { name: "hold", key: &["jurisdiction"], rest: &["reason", "since"], numbers: &["since"] },
    Table { name: "counter", key: &["jurisdiction", "name"], rest: &["value"], numbers: &["value"] },
    // Of the accounts all that lasts. Sessions, links and tries that failed stay behind: people sign in anew where their office is now, and
    // whoever was invited and has not come is invited again.
    Table {
        name: "account",
        key: &["jurisdiction", "person"],
        rest: &["login", "password", "disabled_at", "password_at", "created_at"],
        numbers: &["disabled_at", "password_at", "created_at"],
    },
    Table { name: "saved_filter", key: &["jurisdiction", "person", "name"], rest: &["query"], numbers: &[] },
    Table {
        name: "upload",
        key: &["jurisdiction", "digest", "person", "name"],
        rest: &["size", "media", "at", "kept_at"],
        numbers: &["size", "at", "kept_at"],
    },
    Table { name: "upload_part", key: &["jurisdiction", "digest", "part"], rest: &["content"], numbers: &["part"] },
    Table {
        name: "token",
        key: &["jurisdiction", "id"],
        rest: &["digest", "person", "name", "scopes", "made_at", "expires_at", "used_at", "revoked_at"],
        numbers: &["made_at", "expires_at", "used_at", "revoked_at"],
    },
    Table {
        name: "webhook",
        key: &["jurisdiction", "id"],
        rest: &["url", "secret", "made_by", "made_at", "stopped_at"],
        numbers: &["made_at", "stopped_at"],
    },
    Table { name: "webhook_event", key: &["jurisdiction", "webhook", "event"], rest: &[], numbers: &[] },
    Table {
        name: "delivery",
        key: &["jurisdiction", "webhook", "item", "seq", "kind"],
        rest: &["event", "status", "attempts", "next_try", "fence", "reply", "created_at", "ended_at"],
        numbers: &["seq", "attempts", "next_try", "fence", "created_at", "ended_at"],
    },
    Table {
        name: "second_step",
        key: &["jurisdiction", "person"],
        rest: &["secret", "pending", "last_step", "set_at"],
        numbers: &["last_step", "set_at"],
    },
    Table { name: "recovery_code", key: &["jurisdiction", "id"], rest: &["person", "used_at"], numbers: &["used_at"] },
    Table {
        name: "audit",
        key: &["jurisdiction", "id"],
        rest: &["at", "person", "what", "about", "source", "seq", "hash"],
        numbers: &["at", "seq"],
    },
    Table { name: "audit_head", key: &["jurisdiction"], rest: &["seq", "hash"], numbers: &["seq"] },
];

/// Why nothing was carried over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum MoveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("`{place}` is not empty: it has rows in `{table}`")]
    NotEmpty { place: String, table: String },
    #[error("{others} other processes use `{place}`")]
    InUse { place: String, others: i64 },
    /// What was read back is not what was written, or was not sound before.
    #[error("{0}")]
    Differs(String),
}

impl From<sqlx::Error> for MoveError {
    fn from(error: sqlx::Error) -> Self {
        MoveError::Store(error.into())
    }
}

/// Rows by table, in the order in which they were carried.
pub type Carried = Vec<(&'static str, u64)>;

/// Carries everything from one database into another, which has to be empty.
pub async fn carry(from: &Place, to: &Place, now: Instant, told: impl Fn(&str, u64)) -> Result<Carried, MoveError> {
    let mut old = End::open(from, now).await?;
    let mut new = End::open(to, now).await?;
    if let Some(table) = new.first_with_rows().await? {
        return Err(MoveError::NotEmpty { place: to.to_string(), table });
    }
    let mut carried = Carried::new();
    for table in TABLES {
        let (mut count, mut after, mut written) = (0, table.beginning(), Sha256::new());
        loop {
            let (rows, last) = old.page(table, &after).await?;
            let Some(last) = last else { break };
            after = last;
            count += rows.len() as u64;
            rows.iter().try_for_each(|row| digest(&mut written, row))?;
            new.put(table, &rows).await?;
            told(table.name, count);
        }
        let (read, found) = new.read_back(table).await?;
        if (read, found) != (count, written.finalize().to_vec()) {
            return Err(MoveError::Differs(format!("`{}`: {count} rows were written, {read} were read back otherwise", table.name)));
        }
        carried.push((table.name, count));
    }
    let items = carried.iter().find(|(table, _)| *table == "item").map_or(0, |(_, rows)| *rows);
    let chained = new.check_chains().await?;
    if chained != items {
        return Err(MoveError::Differs(format!("{items} items were carried, but only {chained} have facts")));
    }
    for name in ["instance", "clock", super::HEADINGS] {
        if let Some(value) = old.meta(name).await? {
            new.set_meta(name, &value).await?;
        }
    }
    new.commit().await?;
    // From here on the office is at its new place; a crash before this leaves two of them, and the operator has no answer yet.
    old.set_meta(super::MOVED_TO, &to.to_string()).await?;
    old.commit().await?;
    Ok(carried)
}

/// The same row is the same text, whichever database has written it.
fn digest(into: &mut Sha256, row: &str) -> Result<(), MoveError> {
    let row: serde_json::Value = serde_json::from_str(row).map_err(|error| MoveError::Differs(format!("a row cannot be read: {error}")))?;
    into.update(row.to_string());
    into.update("\n");
    Ok(())
}

impl Table {
    fn columns(&self) -> impl Iterator<Item = &'static str> {
        self.key.iter().chain(self.rest).copied()
    }

    fn list(&self) -> String {
        self.columns().collect::<Vec<_>>().join(", ")
    }

    /// Before every key.
    fn beginning(&self) -> Vec<String> {
        self.key.iter().map(|column| if self.numbers.contains(column) { "0".to_string() } else { String::new() }).collect()
    }

    fn read(&self) -> String {
        let bound = |(place, column): (usize, &&str)| match self.numbers.contains(column) {
            true => format!("cast(${} as bigint)", place + 1),
            false => format!("${}", place + 1),
        };
        let (key, list, name) = (self.key.join(", "), self.list(), self.name);
        let after = self.key.iter().enumerate().map(bound).collect::<Vec<_>>().join(", ");
        format!("select cast(json_array({list}) as text) from {name} where ({key}) > ({after}) order by {key} limit {PAGE}")
    }

    fn write(&self) -> String {
        let value = |(place, column): (usize, &str)| match self.numbers.contains(&column) {
            true => format!("cast(value ->> {place} as bigint)"),
            false => format!("value ->> {place}"),
        };
        let values = self.columns().enumerate().map(value).collect::<Vec<_>>().join(", ");
        format!("insert into {} ({}) select {values} from json_each($1)", self.name, self.list())
    }
}

/// One of the two databases, in a transaction of its own.
struct End {
    connection: Connection,
    /// Held while this lives.
    _lock: Option<Lock>,
}

impl End {
    async fn open(place: &Place, now: Instant) -> Result<End, MoveError> {
        let lock = place.file().map(Lock::take).transpose()?;
        let mut connection = Address::of(place, &Opening::default()).writer().await?;
        schema::migrate(&mut connection, &place.to_string(), now).await?;
        if let Driver::Postgres(connection) = &mut connection {
            let (others,): (i64,) = sqlx::query_as(
                "select count(*) from pg_stat_activity
                where datname = current_database() and application_name = 'duban' and pid <> pg_backend_pid()",
            )
            .fetch_one(&mut *connection)
            .await?;
            if others > 0 {
                return Err(MoveError::InUse { place: place.to_string(), others });
            }
        }
        dialect::begin_alone(&mut connection, &TABLES.iter().map(|table| table.name).collect::<Vec<_>>()).await?;
        Ok(End { connection, _lock: lock })
    }

    async fn first_with_rows(&mut self) -> Result<Option<String>, MoveError> {
        for table in TABLES {
            if !self.page(table, &table.beginning()).await?.0.is_empty() {
                return Ok(Some(table.name.to_string()));
            }
        }
        Ok(None)
    }

    /// Rows behind a key as JSON, and the key of the last one.
    async fn page(&mut self, table: &Table, after: &[String]) -> Result<(Vec<String>, Option<Vec<String>>), MoveError> {
        let text = dialect::in_words_of(&self.connection, &table.read());
        let rows: Vec<(String,)> = on!(&mut self.connection, c, _words => {
            // The text is made of the constants above.
            let query = sqlx::query_as(sqlx::AssertSqlSafe(text));
            after.iter().fold(query, |query, key| query.bind(key)).fetch_all(&mut *c).await
        })?;
        let rows: Vec<String> = rows.into_iter().map(|row| row.0).collect();
        let Some(last) = rows.last() else { return Ok((rows, None)) };
        let last: Vec<serde_json::Value> =
            serde_json::from_str(last).map_err(|error| MoveError::Differs(format!("a row of `{}` cannot be read: {error}", table.name)))?;
        let key = last.iter().take(table.key.len()).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_string));
        let key = key.collect();
        Ok((rows, Some(key)))
    }

    async fn put(&mut self, table: &Table, rows: &[String]) -> Result<(), MoveError> {
        let text = dialect::in_words_of(&self.connection, &table.write());
        let rows = format!("[{}]", rows.join(","));
        on!(&mut self.connection, c, _words => sqlx::query(sqlx::AssertSqlSafe(text)).bind(rows).execute(&mut *c).await.map(|_| ()))?;
        Ok(())
    }

    /// How many rows there are, and what they say.
    async fn read_back(&mut self, table: &Table) -> Result<(u64, Vec<u8>), MoveError> {
        let (mut count, mut after, mut found) = (0, table.beginning(), Sha256::new());
        loop {
            let (rows, last) = self.page(table, &after).await?;
            let Some(last) = last else { return Ok((count, found.finalize().to_vec())) };
            after = last;
            count += rows.len() as u64;
            rows.iter().try_for_each(|row| digest(&mut found, row))?;
        }
    }

    /// Every item's facts hang together, and the last one is the one the item was saved with. Gives how many items have facts.
    async fn check_chains(&mut self) -> Result<u64, MoveError> {
        type Row = (String, String, i64, String, String, i64, String);
        let (mut after, mut chain) = ((String::new(), String::new(), 0_i64), facts::Chain::default());
        loop {
            let (here, item, seq) = &after;
            let rows: Vec<Row> = on!(&mut self.connection, c, sql => sqlx::query_as(sql(statements::MOVE_CHAINS))
                .bind(here).bind(item).bind(seq).bind(PAGE).fetch_all(&mut *c).await)?;
            let Some((here, item, seq, ..)) = rows.last() else {
                chain.end().map_err(|what| MoveError::Differs(what.to_string()))?;
                return Ok(chain.items);
            };
            after = (here.clone(), item.clone(), *seq);
            for (here, item, seq, json, hash, rev, head) in &rows {
                chain.next(here, item, *seq, json, hash, (*rev, head)).map_err(|what| MoveError::Differs(what.to_string()))?;
            }
        }
    }

    async fn meta(&mut self, name: &str) -> Result<Option<String>, MoveError> {
        let row: Option<(String,)> =
            on!(&mut self.connection, c, sql => sqlx::query_as(sql(statements::META)).bind(name).fetch_optional(&mut *c).await)?;
        Ok(row.map(|row| row.0))
    }

    async fn set_meta(&mut self, name: &str, value: &str) -> Result<(), MoveError> {
        Ok(
            on!(&mut self.connection, c, sql => sqlx::query(sql(statements::META_SET)).bind(name).bind(value).execute(&mut *c).await.map(|_| ()))?,
        )
    }

    async fn commit(&mut self) -> Result<(), MoveError> {
        Ok(run(&mut self.connection, "commit").await.map_err(|error| StoreError::Unknown(dialect::plain(&error)))?)
    }
}
