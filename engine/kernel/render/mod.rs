//! Templates: strict about missing names, escaped by kind of file, dates and numbers in the reader's language.

/// A template that cannot be read or filled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct RenderError {
    pub line: u32,
    pub what: String,
    /// The name that is missing, when that is what is wrong.
    pub missing: Option<String>,
}

/// Fills a one-line template (`say`, `subject`).
pub fn line(_template: &str, _values: &serde_json::Value) -> Result<String, RenderError> {
    todo!()
}

/// The dotted names that a template reads and does not itself define, such as `item.number`; or why it cannot be read.
pub fn names_read(_template: &str) -> Result<Vec<String>, RenderError> {
    todo!()
}
