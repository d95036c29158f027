//! A file as a value: what a fact records of it. Its content lies in the store, under the digest.

use super::value::{Fields, Value};
use std::fmt;

/// With what the text of a value begins that refers to a file which was handed in.
pub const PREFIX: &str = "sha256:";

/// What is known of a file: `sha256:DIGEST;SIZE;MEDIA;NAME`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attached {
    /// SHA-256 of the content in hexadecimal.
    pub digest: String,
    /// In bytes.
    pub size: u64,
    /// The media type, by its name's ending.
    pub media: String,
    pub name: String,
}

impl Attached {
    /// Nothing when the text only tells where a paper is kept.
    pub fn read(text: &str) -> Option<Attached> {
        let mut parts = text.strip_prefix(PREFIX)?.splitn(4, ';');
        let (digest, size, media, name) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let is_digest = digest.len() == 64 && digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let found = Attached { digest: digest.into(), size: size.parse().ok()?, media: media.into(), name: name.into() };
        // One spelling for one file.
        (is_digest && !name.is_empty() && found.to_string() == text).then_some(found)
    }

    /// A value of type file as people read it.
    pub fn shown(text: &str) -> String {
        Attached::read(text).map_or_else(|| text.to_string(), |file| file.name)
    }

    /// All files that a value speaks of.
    pub fn within(value: &Value) -> Vec<Attached> {
        match value {
            Value::Text(text) => Attached::read(text).into_iter().collect(),
            Value::List(list) => list.iter().flat_map(Attached::within).collect(),
            Value::Record(record) => Attached::of(record),
            _ => Vec::new(),
        }
    }

    /// The same of all fields.
    pub fn of(fields: &Fields) -> Vec<Attached> {
        fields.values().flat_map(Attached::within).collect()
    }
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{PREFIX}{};{};{};{}", self.digest, self.size, self.media, self.name)
    }
}
