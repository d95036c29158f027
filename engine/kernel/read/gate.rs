//! The strict gate: the only file that knows the YAML libraries. A file becomes a tree, or the problems that hinder it.
//!
//! Two readers see the text. `serde_saphyr` gives the places and everything that YAML can hide (anchors, tags, doubled keys);
//! `serde_yaml` gives what a scalar means. Where they disagree the file is refused.

use super::tree::Node;
use super::walk::Walk;
use super::{characters, repair};
use crate::kernel::model::problem::{Place, Problem};
use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::fmt;
use std::sync::Arc;

/// Larger files are refused (E012).
pub const MAX_BYTES: usize = 1 << 20;
/// Deeper files are refused (E012).
pub const MAX_DEPTH: usize = 32;

/// Reads a file. Everything that is wrong with it is added to `problems`; nothing comes back when it cannot be read at all.
pub fn parse(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let start = Place { file: file.clone(), line: 1, column: 1, length: 1 };
    if source.len() > MAX_BYTES {
        problems.push(Problem::new("E012", start).variant("size").with("limit", MAX_BYTES >> 10));
        return None;
    }
    if let Some(problem) = characters::not_utf8(file, source) {
        problems.push(problem);
        return None;
    }
    characters::scan(file, source, problems);
    let (spots, source) = spans(file, source, problems)?;
    let before = problems.len();
    let mut walk = Walk::new(file, &source, problems);
    // First without meanings, which serde_yaml is only asked for when nothing is hidden in the file.
    if walk.hides_something(&spots) {
        return None;
    }
    let plain: Plain = match serde_yaml::from_str(&source) {
        Ok(plain) => plain,
        Err(error) => {
            let at = error.location().map_or(start.clone(), |at| repair::place(file, &source, at.line() as u32, at.column() as u32));
            problems.push(Problem::new("E001", at).with("detail", error));
            return None;
        }
    };
    let mut walk = Walk::new(file, &source, problems);
    let node = walk.node(&spots, &plain, "".into(), None);
    let unreadable = problems[before..].iter().any(|problem| problem.code == "E001");
    (!unreadable).then_some(node)
}

/// Reads a file of one shape as strictly as rules: everything that [`parse`] finds, and then what does not fit the shape.
pub fn shaped<T: serde::de::DeserializeOwned>(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<T> {
    let before = problems.len();
    parse(file, source, problems)?;
    if problems[before..].iter().any(Problem::is_error) {
        return None;
    }
    parse_data(file, source, MAX_BYTES, problems)
}

/// Reads a file that is data of one shape, not rules, at once into that shape: thousands of rows, of which only the place of each row
/// matters. Doubled and unknown keys and aliases are refused here as well; a tag changes nothing.
pub fn parse_data<T: serde::de::DeserializeOwned>(
    file: &Arc<str>,
    source: &str,
    max_bytes: usize,
    problems: &mut Vec<Problem>,
) -> Option<T> {
    if source.len() > max_bytes {
        let start = Place { file: file.clone(), line: 1, column: 1, length: 1 };
        problems.push(Problem::new("E012", start).variant("size").with("limit", max_bytes >> 10));
        return None;
    }
    if let Some(problem) = characters::not_utf8(file, source) {
        problems.push(problem);
        return None;
    }
    let mut options = options();
    options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::Error;
    options.merge_keys = serde_saphyr::MergeKeyPolicy::Error;
    options.alias_limits.max_total_replayed_events = 0;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_DEPTH;
        budget.max_events = max_bytes;
        budget.max_nodes = max_bytes;
        budget.max_total_scalar_bytes = max_bytes;
    }
    match serde_saphyr::from_str_with_options(source, options) {
        Ok(data) => Some(data),
        Err(error) => {
            repair::explain(file, source, error.without_snippet(), problems);
            None
        }
    }
}

/// A row of such data and the line on which it begins.
#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub struct Placed<T>(Spanned<T>);

impl<T> Placed<T> {
    pub fn line(&self) -> u32 {
        self.0.referenced.line() as u32
    }

    pub fn into_value(self) -> T {
        self.0.value
    }
}

/// Spans from `serde_saphyr`; what can be put right (a tab, a full-width colon) is reported, put right, and read again.
fn spans(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<(Spot, String)> {
    let mut source = source.to_string();
    for _ in 0..50 {
        match serde_saphyr::from_str_with_options::<Spot>(&source, options()) {
            Ok(spots) => return Some((spots, source)),
            Err(error) => match repair::explain(file, &source, error.without_snippet(), problems) {
                Some(repaired) => source = repaired,
                None => return None,
            },
        }
    }
    None
}

fn options() -> serde_saphyr::Options {
    let mut options = serde_saphyr::Options::default();
    options.strict_booleans = true;
    options.leading_zero_numbers_as_strings = true;
    options.underscored_numbers_as_strings = true;
    options.duplicate_keys = serde_saphyr::DuplicateKeyPolicy::PassThrough;
    options.merge_keys = serde_saphyr::MergeKeyPolicy::AsOrdinary;
    options.alias_limits.max_total_replayed_events = 10_000;
    if let Some(budget) = &mut options.budget {
        budget.max_depth = MAX_DEPTH;
    }
    options
}

/// What both readers can see of a value.
#[derive(Debug)]
pub(super) enum Shape<N> {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<N>),
    Map(Vec<(N, N)>),
}

#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Spot(pub(super) Spanned<Shape<Spot>>);

#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
pub(super) struct Plain(pub(super) Shape<Plain>);

impl<'de, N: Deserialize<'de>> Deserialize<'de> for Shape<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Seen<N>(std::marker::PhantomData<N>);
        impl<'de, N: Deserialize<'de>> Visitor<'de> for Seen<N> {
            type Value = Shape<N>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_bool<E>(self, value: bool) -> Result<Shape<N>, E> {
                Ok(Shape::Bool(value))
            }
            fn visit_i64<E>(self, value: i64) -> Result<Shape<N>, E> {
                Ok(Shape::Int(value))
            }
            fn visit_u64<E>(self, value: u64) -> Result<Shape<N>, E> {
                Ok(i64::try_from(value).map_or(Shape::Float(value as f64), Shape::Int))
            }
            fn visit_i128<E>(self, value: i128) -> Result<Shape<N>, E> {
                Ok(Shape::Float(value as f64))
            }
            fn visit_u128<E>(self, value: u128) -> Result<Shape<N>, E> {
                Ok(Shape::Float(value as f64))
            }
            fn visit_f64<E>(self, value: f64) -> Result<Shape<N>, E> {
                Ok(Shape::Float(value))
            }
            fn visit_str<E>(self, value: &str) -> Result<Shape<N>, E> {
                Ok(Shape::Text(value.to_string()))
            }
            fn visit_string<E>(self, value: String) -> Result<Shape<N>, E> {
                Ok(Shape::Text(value))
            }
            fn visit_unit<E>(self) -> Result<Shape<N>, E> {
                Ok(Shape::Null)
            }
            fn visit_none<E>(self) -> Result<Shape<N>, E> {
                Ok(Shape::Null)
            }
            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Shape<N>, D::Error> {
                Shape::deserialize(deserializer)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape<N>, A::Error> {
                let mut nodes = Vec::new();
                while let Some(node) = list.next_element()? {
                    nodes.push(node);
                }
                Ok(Shape::List(nodes))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape<N>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Shape::Map(pairs))
            }
            fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Shape<N>, A::Error> {
                Err(A::Error::custom("a tag"))
            }
        }
        deserializer.deserialize_any(Seen(std::marker::PhantomData))
    }
}
