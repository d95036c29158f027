//! A mistake of an author: code, place, what is wrong, what to do. All of them are reported, never only the first.

use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// E stops publishing, W warns, I informs: the code's first letter says which.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Such as `E210`; its texts stand in the catalogue under `check.CODE`, `check.CODE.help` (and `check.CODE.VARIANT`).
    pub code: &'static str,
    /// A second text under the same code.
    pub variant: Option<&'static str>,
    pub place: Place,
    /// What the texts speak of. A value that is `@` and a key of the catalogue stands for its words.
    pub values: Vec<(&'static str, String)>,
}

/// Lines and columns count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Place {
    pub file: Arc<str>,
    pub line: u32,
    pub column: u32,
    /// Length of the marked text in characters, at least 1.
    pub length: u32,
}

/// Where each path of one workflow stands, such as `actions.reply.from[1]`; a key's own place is the path with `@` behind it.
/// What a request says is found under `requests` and under the actions and the deadline made of it.
#[derive(Clone, Debug, Default)]
pub struct Places {
    by_path: HashMap<String, Place>,
}

impl Problem {
    pub fn new(code: &'static str, place: Place) -> Self {
        Problem { code, variant: None, place, values: Vec::new() }
    }

    pub fn variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.values.push((name, value.to_string()));
        self
    }

    pub fn is_error(&self) -> bool {
        self.code.starts_with('E')
    }
}

impl Places {
    pub fn insert(&mut self, path: String, place: Place) {
        self.by_path.insert(path, place);
    }

    /// The place of a path, or of the nearest enclosing path that is known.
    pub fn find(&self, path: &str) -> Option<&Place> {
        let mut path = path;
        loop {
            if let Some(place) = self.by_path.get(path) {
                return Some(place);
            }
            let cut = path.rfind(['.', '[', '@'])?;
            path = &path[..cut];
        }
    }
}
