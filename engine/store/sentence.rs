//! What people read about a fault of the store.

use super::StoreError;
use crate::kernel::words::{Lang, has, say};
use std::io::ErrorKind;

/// What is wrong with a file, in words that the catalogue knows where they are common.
pub fn file_fault(error: &std::io::Error) -> String {
    let known = match error.kind() {
        ErrorKind::NotFound => "there is no such file",
        ErrorKind::PermissionDenied => "this user may not read or write it",
        ErrorKind::ReadOnlyFilesystem => "the file system is read-only",
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "the disk is full",
        ErrorKind::IsADirectory => "it is a folder",
        ErrorKind::NotADirectory => "a part of its path is no folder",
        ErrorKind::InvalidData => "it is not UTF-8 text",
        ErrorKind::AddrNotAvailable => "this machine has no such address",
        _ => return error.to_string(),
    };
    known.into()
}

/// The catalogue's words for a fault that was told in ours; as it was told, if it has none.
pub fn fault_in_words(lang: Lang, what: &str) -> String {
    let known = |what: &str| Some(format!("fault.{what}")).filter(|key| has(lang, key)).map(|key| say(lang, &key, &[]));
    if let Some(words) = known(what) {
        return words;
    }
    // Some say in brackets what the system said of it.
    let said = what.strip_suffix(')').and_then(|what| what.split_once(" ("));
    said.and_then(|(what, said)| Some(say(lang, "fault", &[("what", &known(what)?), ("said", said)]))).unwrap_or_else(|| what.to_string())
}

/// A database that can be opened, and is not fit to be worked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error("it was never filled to its end; remove it")]
    HalfFilled,
    #[error("its settings are not durable ({0})")]
    NotDurable(String),
    #[error("SQLite {0} can damage its log; 3.51.3 or later is needed")]
    OldSqlite(String),
    #[error("PostgreSQL {0} is too old; 13 or later is needed")]
    OldPostgres(String),
    #[error("its encoding is {0}; UTF8 is needed")]
    Encoding(String),
}

impl Unfit {
    fn sentence(&self, lang: Lang, path: &str) -> String {
        let (key, what) = match self {
            Unfit::HalfFilled => ("office.half_filled", ""),
            Unfit::NotDurable(what) => ("office.not_durable", what.as_str()),
            Unfit::OldSqlite(what) => ("office.old_sqlite", what.as_str()),
            Unfit::OldPostgres(what) => ("office.old_postgres", what.as_str()),
            Unfit::Encoding(what) => ("office.encoding", what.as_str()),
        };
        say(lang, key, &[("path", path), ("what", what)])
    }
}

impl StoreError {
    /// The fault in a sentence of the catalogue.
    pub fn sentence(&self, lang: Lang) -> String {
        let words = |what: &str| fault_in_words(lang, what);
        match self {
            StoreError::Open { path, what } => say(lang, "office.open", &[("path", path), ("what", &words(what))]),
            StoreError::Lock { path, what } => say(lang, "office.lock", &[("path", path), ("what", &words(what))]),
            StoreError::Unfit { path, why } => why.sentence(lang, path),
            StoreError::Newer { path, found, known } => {
                say(lang, "office.newer", &[("path", path), ("found", &found.to_string()), ("known", &known.to_string())])
            }
            StoreError::Older { path, found, known } => {
                say(lang, "office.older", &[("path", path), ("found", &found.to_string()), ("known", &known.to_string())])
            }
            StoreError::Held { path, holder } => {
                let process = holder.process.to_string();
                match &holder.address {
                    Some(address) => say(lang, "office.held_by_server", &[("path", path), ("process", &process), ("address", address)]),
                    None => say(lang, "office.held", &[("path", path), ("process", &process)]),
                }
            }
            StoreError::Moved { path, to } => say(lang, "office.moved", &[("path", path), ("to", to)]),
            StoreError::SharedFileSystem { path, kind } => say(lang, "office.shared", &[("path", path), ("kind", kind)]),
            StoreError::NotDone(what) => say(lang, "office.not_done", &[("what", &words(what))]),
            StoreError::Unknown(what) => say(lang, "office.unknown", &[("what", &words(what))]),
            StoreError::Busy => say(lang, "office.busy", &[]),
            StoreError::Closed => say(lang, "office.closed", &[]),
            StoreError::Failed(what) => say(lang, "office.failed", &[("what", &words(what))]),
            StoreError::Damaged(what) => say(lang, "office.damaged", &[("what", what)]),
        }
    }
}
