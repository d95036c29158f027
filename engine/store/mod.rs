//! The only SQL: what happened, what follows from it for lists and wake-ups, and what is to be mailed, on stable storage.
//!
//! It writes what others decided, whole or not at all, and answers after the commit. It decides nothing itself.

pub mod accounts;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod brake;
mod dialect;
pub mod everywhere;
pub mod facts;
pub mod fill;
mod filters;
pub mod health;
pub mod incoming;
pub mod items;
pub mod links;
pub mod lock;
pub mod model;
pub mod moving;
mod news;
pub mod outbox;
pub mod outbox_desk;
pub mod pattern;
pub mod pile;
mod place;
mod postgres;
pub mod posting;
pub mod publishing;
mod queue;
pub mod records;
pub mod rulesets;
pub mod save;
mod schema;
pub mod second;
mod sentence;
pub mod sessions;
pub mod slots;
mod sqlite;
pub mod statements;
mod time;
pub mod tokens;
pub mod webhooks;
mod writer;

use crate::kernel::time::Instant;
use chrono::DateTime;
use dialect::{Address, Readers, on};
use lock::{Holder, Lock};
use std::sync::{Arc, Mutex};
use writer::{Write, Writer};

pub use news::News;
pub use place::{Place, PlaceError};
pub use postgres::translated;
pub use schema::VERSION as SCHEMA_VERSION;
pub use sentence::{Unfit, fault_in_words, file_fault};
pub use statements::numbered;
pub use writer::{Counts, Lane};

/// A fault of the world while the database was used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database `{path}`: {what}")]
    Open { path: String, what: String },
    #[error("the lock file `{path}` cannot be used: {what}")]
    Lock { path: String, what: String },
    #[error("cannot open the database `{path}`: {why}")]
    Unfit { path: String, why: Unfit },
    #[error("the database `{path}` was written by a newer duban (schema {found}; this one knows {known})")]
    Newer { path: String, found: i64, known: i64 },
    /// For looking only: whoever writes brings it to this version first.
    #[error("the database `{path}` was written by an older duban (schema {found}; this one needs {known})")]
    Older { path: String, found: i64, known: i64 },
    #[error("the database `{path}` is in use by process {}{}", holder.process, holder.address.as_ref().map(|a| format!(", which listens on {a}")).unwrap_or_default())]
    Held { path: String, holder: Box<Holder> },
    #[error("the database `{path}` lies on a shared file system ({kind}), where SQLite loses data; put it on a local disk")]
    SharedFileSystem { path: String, kind: String },
    #[error("the office of `{path}` has moved to `{to}`")]
    Moved { path: String, to: String },
    /// Certain: nothing of it was stored.
    #[error("nothing was stored: {0}")]
    NotDone(String),
    /// The commit failed half-way: repeating with the same command id gives the true answer.
    #[error("it is not known whether this was stored ({0}); repeat it with the same command id")]
    Unknown(String),
    #[error("too many commands are waiting to be stored")]
    Busy,
    #[error("the database is closed or was opened for reading only")]
    Closed,
    #[error("the database answered: {0}")]
    Failed(String),
    /// What was read is not what was written.
    #[error("damaged: {0}")]
    Damaged(String),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            // What the database gave is not what it was given.
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => StoreError::Damaged(dialect::plain(&error)),
            error => StoreError::Failed(dialect::plain(&error)),
        }
    }
}

/// How a database is opened.
#[derive(Clone, Debug, Default)]
pub struct Opening {
    /// The identity of a database made now (a random text); one that exists keeps its own.
    pub new_instance: String,
    /// The file may not grow beyond so many pages.
    pub page_limit: Option<u32>,
    /// The database can be made again at any time, as that of a demo: its commits survive a killed process, but not a power cut.
    /// Never for an office.
    pub throwaway: bool,
}

/// A database whose rows were not all put in, or whose keys were not made.
fn never_filled(place: &Place) -> StoreError {
    StoreError::Unfit { path: place.to_string(), why: Unfit::HalfFilled }
}

/// How lists that were taken in call their columns.
pub const HEADINGS: &str = "headings";

/// Where the office of this database has gone.
const MOVED_TO: &str = "moved_to";

/// The jurisdiction of an installation that serves one office.
pub const LOCAL: &str = "local";

/// One database, as one of its offices sees it. Cheap to copy; every copy shares the writer and the readers.
#[derive(Clone, Debug)]
pub struct Store {
    behind: Behind,
    /// Empty when opened for reading only.
    writer: Option<Arc<Writer>>,
    lock: Arc<Mutex<Option<Lock>>>,
    instance: Arc<str>,
    /// Whose rows this handle reads and writes.
    jurisdiction: Arc<str>,
    /// The last process that wrote to it did not end in good order.
    pub unclean: bool,
    /// It left no log, which it should have: what it wrote last may be lost.
    pub without_log: bool,
}

/// What keeps the data.
#[derive(Clone, Debug)]
enum Behind {
    Database(Arc<Readers>),
    Model(model::Process),
}

impl Store {
    /// Opens a database for reading and writing, makes its tables when they are missing, and brings it to this version's schema.
    pub async fn open(place: impl Into<Place>, opening: Opening, now: Instant) -> Result<Store, StoreError> {
        let place = place.into();
        let mut without_log = false;
        let lock = match place.file() {
            Some(path) => {
                if let Some(kind) = sqlite::shared_file_system(path) {
                    return Err(StoreError::SharedFileSystem { path: path.display().to_string(), kind });
                }
                let lock = Lock::take(path)?;
                let cannot = |error: std::io::Error| StoreError::Open { path: path.display().to_string(), what: file_fault(&error) };
                let found = sqlite::flush_log(path).map_err(cannot)?;
                without_log = lock.unclean && !found && path.metadata().is_ok_and(|file| file.len() > 0);
                Some(lock)
            }
            None => None,
        };
        let address = Address::of(&place, &opening);
        let mut connection = address.writer().await?;
        schema::migrate(&mut connection, &place.to_string(), now).await.map_err(|error| match error {
            StoreError::Failed(what) => StoreError::Open { path: place.to_string(), what },
            error => error,
        })?;
        let moved: Option<(String,)> =
            on!(&mut connection, c, sql => sqlx::query_as(sql(statements::META)).bind(MOVED_TO).fetch_optional(&mut *c).await)?;
        if let Some((to,)) = moved {
            return Err(StoreError::Moved { path: place.to_string(), to });
        }
        if fill::is_marked(&mut connection).await? {
            return Err(never_filled(&place));
        }
        on!(&mut connection, c, sql => sqlx::query(sql(statements::META_ADD)).bind("instance").bind(&opening.new_instance).execute(&mut *c).await.map(|_| ()))?;
        if lock.is_some() {
            // Nobody else holds this file: whoever had claimed these mails has gone, and may or may not have sent them. The same with slots.
            on!(&mut connection, c, sql => sqlx::query(sql(statements::MAIL_TAKE_BACK)).bind(now.timestamp_millis()).execute(&mut *c).await.map(|_| ()))?;
            on!(&mut connection, c, sql => sqlx::query(sql(statements::DELIVERIES_TAKE_BACK)).bind(now.timestamp_millis()).execute(&mut *c).await.map(|_| ()))?;
            on!(&mut connection, c, sql => sqlx::query(sql(statements::SLOT_TAKE_BACK)).execute(&mut *c).await.map(|_| ()))?;
        }
        let (instance,): (String,) =
            on!(&mut connection, c, sql => sqlx::query_as(sql(statements::META)).bind("instance").fetch_one(&mut *c).await)?;
        let high_water: Option<(String,)> =
            on!(&mut connection, c, sql => sqlx::query_as(sql(statements::META)).bind("clock").fetch_optional(&mut *c).await)?;
        let high_water = high_water.and_then(|row| row.0.parse().ok()).unwrap_or(0);
        let readers = address.readers().await?;
        let unclean = lock.as_ref().is_some_and(|lock| lock.unclean);
        let writer = Writer::start(address, connection, high_water);
        let (writer, lock) = (Some(Arc::new(writer)), Arc::new(Mutex::new(lock)));
        let behind = Behind::Database(Arc::new(readers));
        Ok(Store { behind, writer, lock, instance: instance.into(), jurisdiction: LOCAL.into(), unclean, without_log })
    }

    /// Opens a database that another process may be writing to.
    pub async fn open_to_read(place: impl Into<Place>) -> Result<Store, StoreError> {
        let place = place.into();
        let cannot = |what: String| StoreError::Open { path: place.to_string(), what };
        if place.is_missing_file() {
            return Err(cannot("there is no such file".into()));
        }
        let readers = Address::of(&place, &Opening::default()).readers().await?;
        let found = on!(&readers, pool, sql => sqlx::query_as(sql(statements::SCHEMA_VERSION)).fetch_one(pool).await);
        let (found,): (i64,) = found.map_err(|error| cannot(dialect::plain(&error)))?;
        if found > SCHEMA_VERSION {
            return Err(StoreError::Newer { path: place.to_string(), found, known: SCHEMA_VERSION });
        }
        if found < SCHEMA_VERSION {
            return Err(StoreError::Older { path: place.to_string(), found, known: SCHEMA_VERSION });
        }
        let meta = async |name: &str| -> Result<Option<String>, StoreError> {
            let row: Option<(String,)> =
                on!(&readers, pool, sql => sqlx::query_as(sql(statements::META)).bind(name).fetch_optional(pool).await)?;
            Ok(row.map(|row| row.0))
        };
        if let Some(to) = meta(MOVED_TO).await? {
            return Err(StoreError::Moved { path: place.to_string(), to });
        }
        if meta(fill::FILLING).await?.is_some() {
            return Err(never_filled(&place));
        }
        let instance = meta("instance").await?.unwrap_or_default().into();
        let behind = Behind::Database(Arc::new(readers));
        let (unclean, without_log) = (false, false);
        Ok(Store { behind, writer: None, lock: Arc::default(), instance, jurisdiction: LOCAL.into(), unclean, without_log })
    }

    /// Opens a model instead of a database. No setting leads here: what it holds is gone with the program.
    pub fn over(model: &model::Model, opening: Opening, now: Instant) -> Result<Store, StoreError> {
        let model::Opened { process, instance, unclean } = model.open(opening.new_instance, now)?;
        let (behind, instance, without_log) = (Behind::Model(process), instance.into(), false);
        Ok(Store { behind, writer: None, lock: Arc::default(), instance, jurisdiction: LOCAL.into(), unclean, without_log })
    }

    /// The same database for another of its offices: nothing of this one is seen there, nor touched.
    pub fn of(&self, jurisdiction: &str) -> Store {
        Store { jurisdiction: jurisdiction.into(), ..self.clone() }
    }

    /// Whose rows this handle reads and writes.
    pub fn jurisdiction(&self) -> &str {
        &self.jurisdiction
    }

    /// Other processes may write to the same database.
    pub fn is_shared(&self) -> bool {
        match &self.behind {
            Behind::Database(readers) => readers.is_shared(),
            Behind::Model(process) => process.is_shared(),
        }
    }

    /// Lets the writer finish what waits, then closes the file and gives the lock back.
    pub async fn close(self) {
        if let Some(writer) = &self.writer {
            writer.stop().await;
        }
        match &self.behind {
            Behind::Database(readers) => on!(&**readers, pool, _words => pool.close().await),
            Behind::Model(process) => process.close(),
        }
        self.lock().take();
    }

    /// Returns when the disk failed to store what had been written: only another process, which reads what is there, can go on.
    pub async fn disk_failed(&self) {
        match &self.writer {
            Some(writer) => writer.disk_failed().await,
            None => std::future::pending().await,
        }
    }

    /// Tells other processes where the local API of this one listens.
    pub fn announce(&self, address: String, token: String) -> Result<(), StoreError> {
        match &mut *self.lock() {
            Some(lock) => lock.announce(address, token).map_err(|error| StoreError::Failed(error.to_string())),
            // Whoever wants to write to a server does so by himself, and to a model nobody can.
            None if self.is_shared() || matches!(self.behind, Behind::Model(_)) => Ok(()),
            None => Err(StoreError::Closed),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Lock>> {
        self.lock.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The random text by which a copy of the database is told from the original's environment.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The latest instant at which anything was written; a clock that shows less was set back.
    pub async fn high_water(&self) -> Result<Option<Instant>, StoreError> {
        self.meta("clock").await?.map(|text| instant(text.parse().unwrap_or(0))).transpose()
    }

    /// What the database says is wrong with its own pages; nothing when they are whole. A server looks after its own.
    pub async fn check_pages(&self) -> Result<Option<String>, StoreError> {
        if self.model().await?.is_some() {
            return Ok(None);
        }
        match self.readers()? {
            dialect::Driver::Sqlite(pool) => sqlite::check_pages(pool).await,
            dialect::Driver::Postgres(_) => Ok(None),
        }
    }

    /// Whether another program has brought the database to a newer schema meanwhile: then this one writes nothing any more.
    pub async fn check_schema(&self) -> Result<(), StoreError> {
        if self.model().await?.is_some() {
            return Ok(());
        }
        let (found,): (i64,) = on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::SCHEMA_VERSION)).fetch_one(pool).await)?;
        if found <= SCHEMA_VERSION {
            return Ok(());
        }
        let newer = StoreError::Newer { path: dialect::place(self.readers()?), found, known: SCHEMA_VERSION };
        if let Some(writer) = &self.writer {
            writer.give_up(newer.clone());
        }
        Err(newer)
    }

    /// A setting kept in the database.
    pub async fn meta(&self, name: &str) -> Result<Option<String>, StoreError> {
        if let Some(model) = self.model().await? {
            return Ok(model.meta(name));
        }
        let row: Option<(String,)> =
            on!(self.readers()?, pool, sql => sqlx::query_as(sql(statements::META)).bind(name).fetch_optional(pool).await)?;
        Ok(row.map(|row| row.0))
    }

    pub async fn set_meta(&self, name: &str, value: &str) -> Result<(), StoreError> {
        if let Some(mut model) = self.model_to_write().await? {
            model.set_meta(name, value);
            return Ok(());
        }
        self.write(Lane::User, SetMeta { name: name.to_string(), value: value.to_string() }).await
    }

    /// Commits and commands so far, for figures and for the test of group commit.
    pub fn counts(&self) -> Counts {
        if let Behind::Model(process) = &self.behind {
            return process.counts();
        }
        self.writer.as_ref().map(|writer| writer.counts()).unwrap_or_default()
    }

    /// The connections that read.
    fn readers(&self) -> Result<&Readers, StoreError> {
        match &self.behind {
            Behind::Database(readers) => Ok(readers),
            Behind::Model(_) => Err(StoreError::Failed("a model answers no SQL".into())),
        }
    }

    /// The model behind this store, for a question.
    async fn model(&self) -> Result<Option<model::At<'_>>, StoreError> {
        match &self.behind {
            Behind::Database(_) => Ok(None),
            Behind::Model(process) => process.look(&self.jurisdiction).await.map(Some),
        }
    }

    /// The model behind this store, for a change: what was queued before has been written.
    async fn model_to_write(&self) -> Result<Option<model::At<'_>>, StoreError> {
        match &self.behind {
            Behind::Database(_) => Ok(None),
            Behind::Model(process) => process.change(&self.jurisdiction).await.map(Some),
        }
    }

    async fn write<W: Write>(&self, lane: Lane, write: W) -> Result<W::Answer, StoreError> {
        self.writer.as_ref().ok_or(StoreError::Closed)?.write(lane, self.jurisdiction.clone(), write).await
    }
}

struct SetMeta {
    name: String,
    value: String,
}

impl Write for SetMeta {
    type Answer = ();

    async fn write(&self, connection: &mut dialect::Connection, _here: &str) -> Result<(), sqlx::Error> {
        on!(connection, c, sql => sqlx::query(sql(statements::META_SET)).bind(&self.name).bind(&self.value).execute(&mut *c).await.map(|_| ()))?;
        Ok(())
    }
}

/// Milliseconds of the store as an instant.
fn instant(milliseconds: i64) -> Result<Instant, StoreError> {
    DateTime::from_timestamp_millis(milliseconds).ok_or_else(|| StoreError::Damaged(format!("`{milliseconds}` is not an instant")))
}

/// The rows of a batch as one JSON text.
fn batch<T: serde::Serialize>(rows: &[T]) -> String {
    // Rows are tuples of texts and numbers, which always have a JSON form.
    serde_json::to_string(rows).unwrap_or_else(|_| "[]".into())
}
