//! Files of rule tests. Their shape is checked by serde; positions are the reader's.

use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::model::story::StoryFile;
use serde::Deserialize;
use std::sync::Arc;

/// The stories of one file, or what is wrong with its shape (E901).
pub fn stories(path: &str, text: &str) -> Result<StoryFile, Problem> {
    typed(path, text)
}

fn typed<T: for<'de> Deserialize<'de>>(path: &str, text: &str) -> Result<T, Problem> {
    serde_yaml::from_str(text).map_err(|error| {
        let (line, column) = error.location().map_or((1, 1), |location| (location.line() as u32, location.column() as u32));
        let place = Place { file: Arc::from(path), line, column, length: 1 };
        Problem::new("E901", place).variant("shape").with("what", error)
    })
}
