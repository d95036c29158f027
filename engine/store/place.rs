//! Where a database is: a SQLite file, or a PostgreSQL server. Read from one text, and shown without the password.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where the data of an installation lies.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// A SQLite file, which one process writes.
    File(PathBuf),
    /// The URL of a PostgreSQL database, which any number of processes write.
    Server(String),
}

/// A text that names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` names no database: {what}")]
pub struct PlaceError {
    pub shown: String,
    pub what: String,
}

impl FromStr for Place {
    type Err = PlaceError;

    /// `sqlite:FILE`, `postgres://…`, or the path of a file.
    fn from_str(text: &str) -> Result<Place, PlaceError> {
        if let Some(file) = text.strip_prefix("sqlite:") {
            return Ok(Place::File(file.strip_prefix("//").unwrap_or(file).into()));
        }
        let place = match text.split_once("://") {
            None => return Ok(Place::File(text.into())),
            Some(("postgres" | "postgresql", _)) => Place::Server(text.to_string()),
            Some((kind, _)) => {
                let what = "write sqlite:FILE or postgres://USER@HOST/NAME".to_string();
                return Err(PlaceError { shown: format!("{kind}://…"), what });
            }
        };
        match sqlx::postgres::PgConnectOptions::from_str(text) {
            Ok(_) => Ok(place),
            Err(error) => Err(PlaceError { shown: place.to_string(), what: error.to_string() }),
        }
    }
}

impl Place {
    /// The file, when it is one.
    pub fn file(&self) -> Option<&Path> {
        match self {
            Place::File(path) => Some(path),
            Place::Server(_) => None,
        }
    }

    /// Bytes of the file with its log, and how many more its disk takes; nothing of a server, or where it cannot be told.
    #[cfg(unix)]
    pub fn space(&self) -> Option<(u64, u64)> {
        let path = self.file()?;
        let mut log = path.as_os_str().to_os_string();
        log.push("-wal");
        let used = [path, Path::new(&log)].iter().filter_map(|path| Some(path.metadata().ok()?.len())).sum();
        let folder = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let disk = rustix::fs::statvfs(folder).ok()?;
        Some((used, disk.f_bavail.saturating_mul(disk.f_frsize)))
    }

    #[cfg(not(unix))]
    pub fn space(&self) -> Option<(u64, u64)> {
        None
    }

    /// A file that is not there yet; of a server nobody knows before it was asked.
    pub fn is_missing_file(&self) -> bool {
        self.file().is_some_and(|path| !path.is_file())
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => write!(f, "{}", path.display()),
            Place::Server(text) => f.write_str(&without_password(text)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn without_password(text: &str) -> String {
    let Ok(mut url) = url::Url::parse(text) else { return "postgres://…".into() };
    if url.password().is_some() && url.set_password(None).is_err() {
        return "postgres://…".into();
    }
    // Options may carry one as well.
    url.set_query(None);
    url.to_string()
}

impl From<PathBuf> for Place {
    fn from(path: PathBuf) -> Place {
        Place::File(path)
    }
}

impl From<&PathBuf> for Place {
    fn from(path: &PathBuf) -> Place {
        Place::File(path.clone())
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Place {
        Place::File(path.to_path_buf())
    }
}

impl From<&Place> for Place {
    fn from(place: &Place) -> Place {
        place.clone()
    }
}

impl serde::Serialize for Place {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Place {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Place, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
