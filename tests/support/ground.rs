//! An empty database for one test: a SQLite file in a temporary folder, or one of the PostgreSQL server that tests share.

use super::postgres;
use duban::store::Place;
use sqlx::{Connection as _, Executor as _, SqlSafeStr as _};
use std::path::{Path, PathBuf};

pub enum Ground {
    File(tempfile::TempDir),
    Server(String),
}

impl Ground {
    pub fn file() -> Ground {
        Ground::File(tempfile::tempdir().expect("a temporary folder"))
    }

    pub async fn server() -> Ground {
        Ground::Server(postgres::SHARED.database().await)
    }

    /// Another empty one of the same kind.
    pub async fn another(&self) -> Ground {
        match self {
            Ground::File(_) => Ground::file(),
            Ground::Server(_) => Ground::server().await,
        }
    }

    pub fn place(&self) -> Place {
        match self {
            Ground::File(folder) => Place::File(folder.path().join("duban.db")),
            Ground::Server(url) => url.parse().expect("an address"),
        }
    }

    /// The folder of a file.
    fn folder(&self) -> &Path {
        match self {
            Ground::File(folder) => folder.path(),
            Ground::Server(_) => panic!("a server has no folder of ours"),
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
        }
    }

    async fn sqlite(&self) -> sqlx::SqliteConnection {
        sqlx::SqliteConnection::connect(&format!("sqlite://{}?mode=rwc", self.path().display())).await.expect("opens")
    }
}
