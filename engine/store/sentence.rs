//! What people read about a fault of the store.

use super::StoreError;
use crate::kernel::words::{Lang, say};

impl StoreError {
    /// The fault in a sentence of the catalogue.
    pub fn sentence(&self, lang: Lang) -> String {
        match self {
            StoreError::Open { path, what } => say(lang, "office.open", &[("path", path), ("what", what)]),
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
            StoreError::NotDone(what) => say(lang, "office.not_done", &[("what", what)]),
            StoreError::Unknown(what) => say(lang, "office.unknown", &[("what", what)]),
            StoreError::Busy => say(lang, "office.busy", &[]),
            StoreError::Closed => say(lang, "office.closed", &[]),
            StoreError::Failed(what) => say(lang, "office.failed", &[("what", what)]),
            StoreError::Damaged(what) => say(lang, "office.damaged", &[("what", what)]),
        }
    }
}
