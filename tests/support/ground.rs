//! An empty database for one test: a SQLite file in a temporary folder, one of the PostgreSQL server that tests share, or a model.

use super::postgres;
use duban::kernel::time::Instant;
use duban::store::model::Model;
use duban::store::{Opening, Place, Store, StoreError};
use sqlx::{Connection as _, Executor as _, SqlSafeStr as _};
use std::path::{Path, PathBuf};

pub enum Ground {
    File(tempfile::TempDir),
    Server(String),
    /// A model, worked by one process at a time or by many.
    Model(Model),
}

impl Ground {
    pub fn file() -> Ground {
        Ground::File(tempfile::tempdir().expect("a temporary folder"))
    }

    pub async fn server() -> Ground {
        Ground::Server(postgres::SHARED.database().await)
    }

    /// A model that one process works, as a file.
    pub fn model() -> Ground {
        Ground::Model(Model::of_one())
    }

    /// A model that several processes work, as a server.
    pub fn model_of_many() -> Ground {
        Ground::Model(Model::of_many())
    }

    /// Opens it as one more process.
    pub async fn open(&self, opening: Opening, now: Instant) -> Result<Store, StoreError> {
        match self {
            Ground::Model(model) => Store::over(model, opening, now),
            Ground::File(_) | Ground::Server(_) => Store::open(self.place(), opening, now).await,
        }
    }

    /// Several processes may work it at once.
    pub fn is_shared(&self) -> bool {
        match self {
            Ground::File(_) => false,
            Ground::Server(_) => true,
            Ground::Model(model) => model.is_of_many(),
        }
    }

    /// Another empty one of the same kind.
    pub async fn another(&self) -> Ground {
        match self {
            Ground::File(_) => Ground::file(),
            Ground::Server(_) => Ground::server().await,
            Ground::Model(model) if model.is_of_many() => Ground::model_of_many(),
            Ground::Model(_) => Ground::model(),
        }
    }

    pub fn place(&self) -> Place {
        match self {
            Ground::File(folder) => Place::File(folder.path().join("duban.db")),
            Ground::Server(url) => url.parse().expect("an address"),
            Ground::Model(_) => panic!("a model has no place"),
        }
    }

    /// The folder of a file.
    fn folder(&self) -> &Path {
        match self {
            Ground::File(folder) => folder.path(),
            Ground::Server(_) | Ground::Model(_) => panic!("only a file lies in a folder"),
        }
    }

    pub fn path(&self) -> PathBuf {
        self.beside("duban.db")
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.folder().join(name)
    }

    /// What someone with a tool of their own does to the data.
    pub async fn tamper(&self, statement: &'static str) {
        match self {
            Ground::File(_) => {
                let mut connection = self.sqlite().await;
                connection.execute(statement).await.expect("runs");
                connection.close().await.expect("closes");
            }
            Ground::Server(url) => postgres::run(url, statement).await,
            Ground::Model(_) => panic!("a model knows no statement"),
        }
    }

    /// Whether the database understands a statement, as it is written for it.
    pub async fn understands(&self, statement: &'static str) -> Result<(), sqlx::Error> {
        match self {
            Ground::File(_) => {
                let text = sqlx::AssertSqlSafe(duban::store::numbered(statement)).into_sql_str();
                self.sqlite().await.prepare(text).await.map(|_| ())
            }
            Ground::Server(url) => {
                let text = sqlx::AssertSqlSafe(duban::store::numbered(&duban::store::translated(statement))).into_sql_str();
                let mut connection = sqlx::PgConnection::connect(url).await?;
                connection.prepare(text).await.map(|_| ())
            }
            Ground::Model(_) => panic!("a model knows no statement"),
        }
    }

    pub async fn sqlite(&self) -> sqlx::SqliteConnection {
        sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", self.path().display())).await.expect("opens")
    }
}
