//! The strict gate: one YAML file becomes a tree of nodes that know their place and their path, or the problems that hinder it.
//!
//! Two readers see the text. `serde_saphyr` gives the places and everything that YAML can hide (anchors, tags, doubled keys);
//! `serde_yaml` gives what a scalar means. Where they disagree the file is refused. What a key means is left to the sections.

use super::{characters, repair};
use crate::kernel::model::Name;
use crate::kernel::model::problem::{Place, Places, Problem};
use serde::de::{Deserialize, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Larger files are refused (E012).
pub const MAX_BYTES: usize = 1 << 20;
/// Deeper files are refused (E012).
pub const MAX_DEPTH: usize = 32;

/// A value in a YAML file.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it stands. For a quoted text this is what stands between the quotes.
    pub place: Place,
    /// Where its key stands, or the node itself when it has none.
    pub at: Place,
    /// Such as `actions.reply.from[1]`.
    pub path: Name,
    pub style: Style,
    pub content: Content,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Written bare; or a collection in block form.
    Plain,
    Quoted,
    /// `|` or `>`
    Block,
    /// `{…}` or `[…]`
    Flow,
}

#[derive(Clone, Debug)]
pub enum Content {
    Empty,
    Bool(bool),
    Number(i64),
    /// A number that is not a whole one, as written.
    Fraction(Name),
    Text(Name),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: Key,
    pub value: Node,
}

#[derive(Clone, Debug)]
pub struct Key {
    pub name: Name,
    pub place: Place,
    pub plain: bool,
}

impl Node {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| &*entry.key.name == key).map(|entry| &entry.value)
    }

    pub fn entries(&self) -> &[Entry] {
        match &self.content {
            Content::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn text(&self) -> Option<&Name> {
        match &self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Notes the place of everything below this node.
    pub fn record(&self, places: &mut Places) {
        self.record_as(&self.path, places);
    }

    /// The same under another path: what a request says is also found under the actions made of it.
    pub fn record_as(&self, path: &str, places: &mut Places) {
        if !path.is_empty() {
            places.insert(path.to_string(), self.place.clone());
            places.insert(format!("{path}@"), self.at.clone());
        }
        match &self.content {
            Content::List(nodes) => {
                for (index, node) in nodes.iter().enumerate() {
                    node.record_as(&format!("{path}[{index}]"), places);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    entry.value.record_as(&join(path, &entry.key.name), places);
                }
            }
            _ => {}
        }
    }
}

/// Reads a file. Everything that is wrong with it is added to `problems`; nothing comes back when it cannot be read at all.
pub fn parse(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<Node> {
    let start = Place { file: file.clone(), line: 1, column: 1, length: 1 };
    if source.len() > MAX_BYTES {
        problems.push(Problem::new("E012", start).variant("size").with("limit", MAX_BYTES >> 10));
        return None;
    }
    characters::scan(file, source, problems);
    let (spots, source) = gate(file, source, problems)?;
    let before = problems.len();
    let mut walk = Walk { file, source: &source, problems, floor: 0 };
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
    let mut walk = Walk { file, source: &source, problems, floor: 0 };
    let node = walk.node(&spots, &plain, "".into(), None);
    let unreadable = problems[before..].iter().any(|problem| problem.code == "E001");
    (!unreadable).then_some(node)
}

/// Reads a file that is data of one shape, not rules, at once into that shape: thousands of rows, of which only the place of each row
/// matters. Doubled and unknown keys, anchors and tags are refused here as well.
pub fn parse_data<T: serde::de::DeserializeOwned>(file: &Arc<str>, source: &str, max_bytes: usize, problems: &mut Vec<Problem>) -> Option<T> {
    if source.len() > max_bytes {
        let start = Place { file: file.clone(), line: 1, column: 1, length: 1 };
        problems.push(Problem::new("E012", start).variant("size").with("limit", max_bytes >> 10));
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
fn gate(file: &Arc<str>, source: &str, problems: &mut Vec<Problem>) -> Option<(Spot, String)> {
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
enum Shape<N> {
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
struct Spot(Spanned<Shape<Spot>>);

#[derive(Debug, serde::Deserialize)]
#[serde(transparent)]
struct Plain(Shape<Plain>);

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

/// The walk over both trees at once, in the order of the text.
struct Walk<'a> {
    file: &'a Arc<str>,
    source: &'a str,
    problems: &'a mut Vec<Problem>,
    /// The end of what was read, in bytes: what stands between it and the next node belongs to YAML.
    floor: usize,
}

impl<'a> Walk<'a> {
    /// Aliases, anchors, merge keys and tags, each a problem (E008).
    fn hides_something(&mut self, spot: &Spot) -> bool {
        let before = self.problems.len();
        self.look_for_hidden(spot);
        self.problems.len() > before
    }

    fn look_for_hidden(&mut self, spot: &Spot) {
        if spot.0.referenced != spot.0.defined {
            self.hidden(spot, "alias");
            return;
        }
        if let Some(sign) = self.sign_before(spot) {
            match sign.chars().next() {
                Some('&') => self.hidden(spot, "anchor"),
                Some('!') => self.hidden(spot, "tag"),
                _ => {}
            }
        }
        match &spot.0.value {
            Shape::List(nodes) => nodes.iter().for_each(|node| self.look_for_hidden(node)),
            Shape::Map(pairs) => {
                for (key, value) in pairs {
                    if matches!(&key.0.value, Shape::Text(text) if text == "<<") && !self.raw(key).starts_with(['"', '\'']) {
                        self.hidden(key, "merge");
                        continue;
                    }
                    self.look_for_hidden(key);
                    self.look_for_hidden(value);
                }
            }
            _ => self.floor = self.end(spot),
        }
    }

    fn hidden(&mut self, spot: &Spot, variant: &'static str) {
        let place = self.place(spot);
        self.problems.push(Problem::new("E008", place).variant(variant));
    }

    fn node(&mut self, spot: &Spot, plain: &Plain, path: Name, at: Option<Place>) -> Node {
        let place = self.place(spot);
        let raw = self.raw(spot);
        let (content, style) = match (&spot.0.value, &plain.0) {
            (Shape::List(spots), Shape::List(plains)) if spots.len() == plains.len() => {
                let pairs = spots.iter().zip(plains).enumerate();
                let nodes = pairs.map(|(index, (spot, plain))| self.node(spot, plain, format!("{path}[{index}]").into(), None)).collect();
                (Content::List(nodes), if raw.starts_with('[') { Style::Flow } else { Style::Plain })
            }
            (Shape::Map(_), Shape::Map(_)) if self.source[self.start(spot)..].starts_with("{{") => {
                let whole = self.template(spot);
                let key = path.rsplit('.').next().unwrap_or_default().to_string();
                self.problems.push(Problem::new("E007", place.clone()).variant("braces").with("key", key));
                (Content::Text(whole.into()), Style::Plain)
            }
            (Shape::Map(spots), Shape::Map(plains)) if spots.len() == plains.len() => {
                let flow = raw.starts_with('{');
                let entries = self.entries(spots, plains, &path, flow);
                (Content::Map(entries), if flow { Style::Flow } else { Style::Plain })
            }
            (spot_value, plain_value) => {
                let style = self.style(spot, raw);
                self.floor = self.end(spot);
                (self.scalar(spot_value, plain_value, raw, &place), style)
            }
        };
        Node { at: at.unwrap_or_else(|| place.clone()), place, path, style, content }
    }

    fn scalar(&mut self, spot: &Shape<Spot>, plain: &Shape<Plain>, raw: &str, place: &Place) -> Content {
        match (spot, plain) {
            (Shape::Null, Shape::Null) => Content::Empty,
            (Shape::Bool(one), Shape::Bool(other)) if one == other => Content::Bool(*one),
            (Shape::Int(one), Shape::Int(other)) if one == other => Content::Number(*one),
            (Shape::Float(one), Shape::Float(other)) if one.to_bits() == other.to_bits() => Content::Fraction(raw.into()),
            (Shape::Text(one), Shape::Text(other)) if one == other => Content::Text(one.as_str().into()),
            _ => {
                self.problems
                    .push(Problem::new("E001", place.clone()).variant("disagree").with("text", raw.lines().next().unwrap_or_default()));
                Content::Empty
            }
        }
    }

    fn entries(&mut self, spots: &[(Spot, Spot)], plains: &[(Plain, Plain)], path: &str, flow: bool) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(spots.len());
        let mut seen: HashMap<Name, Place> = HashMap::with_capacity(spots.len());
        let mut pairs = spots.iter().zip(plains).peekable();
        while let Some(((key_spot, value_spot), (key_plain, value_plain))) = pairs.next() {
            let Some(key) = self.key(key_spot, key_plain) else { continue };
            let value_path: Name = join(path, &key.name).into();
            let mut value = self.node(value_spot, value_plain, value_path, Some(key.place.clone()));
            if flow && value.style == Style::Plain && value.text().is_some_and(|text| open_brackets(text) > 0) {
                let from = self.start(value_spot);
                let mut until = self.end(value_spot);
                while let Some(((next_key, next_value), _)) = pairs.peek() {
                    if !matches!(next_value.0.value, Shape::Null) || open_brackets(&self.source[from..until]) <= 0 {
                        break;
                    }
                    until = self.end(next_key);
                    pairs.next();
                }
                let whole = &self.source[from..until];
                value.place.length = whole.chars().count() as u32;
                value.content = Content::Text(whole.into());
                self.problems.push(Problem::new("E017", value.place.clone()).with("text", whole));
            }
            match seen.get(&key.name) {
                Some(first) => {
                    let problem = Problem::new("E002", key.place).with("name", &key.name);
                    self.problems.push(problem.with("first", format_args!("{}:{}", first.file, first.line)));
                }
                None => {
                    seen.insert(key.name.clone(), key.place.clone());
                    entries.push(Entry { key, value });
                }
            }
        }
        entries
    }

    fn key(&mut self, spot: &Spot, plain: &Plain) -> Option<Key> {
        let place = self.place(spot);
        let raw = self.raw(spot);
        self.floor = self.end(spot);
        let scalar = match &spot.0.value {
            Shape::List(_) | Shape::Map(_) => Content::Empty,
            value => self.scalar(value, &plain.0, raw, &place),
        };
        let name: Name = match scalar {
            Content::Text(text) => text,
            Content::Number(_) | Content::Bool(_) => raw.into(),
            _ => {
                self.problems
                    .push(Problem::new("E007", place).variant("key").with("wanted", "@check.kind.text").with("found", spot.0.value.kind()));
                return None;
            }
        };
        Some(Key { name, place, plain: !raw.starts_with(['"', '\'']) })
    }

    /// The text of a `{{ … }}` that was written without quotation marks.
    fn template(&mut self, spot: &Spot) -> &'a str {
        let rest = &self.source[self.start(spot)..];
        let end = rest.find("}}").map_or(rest.len(), |at| at + 2);
        self.floor = self.start(spot) + end;
        &rest[..end]
    }

    fn style(&self, spot: &Spot, raw: &str) -> Style {
        if raw.len() >= 2 && raw.starts_with(['"', '\'']) && matches!(spot.0.value, Shape::Text(_)) {
            Style::Quoted
        } else if self.sign_before(spot).is_some_and(|sign| sign.starts_with(['|', '>'])) {
            Style::Block
        } else {
            Style::Plain
        }
    }

    /// The word that stands before a node since the last scalar: an anchor, a tag, or the sign of a block text.
    fn sign_before(&self, spot: &Spot) -> Option<&'a str> {
        let between = self.source.get(self.floor..self.start(spot))?.trim_end();
        let line = between.rsplit('\n').next()?;
        if line.trim_start().starts_with('#') || line.contains(" #") {
            // `key: | # why`
            let before_comment = line.split('#').next()?.trim_end();
            return before_comment.rsplit([' ', '\t']).next().filter(|word| word.starts_with(['|', '>']));
        }
        between.rsplit([' ', '\t', '\n', '[', '{', ',']).next().filter(|word| word.starts_with(['&', '!', '|', '>']))
    }

    fn start(&self, spot: &Spot) -> usize {
        let start = spot.0.referenced.span().byte_offset().unwrap_or_default() as usize;
        start.min(self.source.len())
    }

    fn end(&self, spot: &Spot) -> usize {
        let length = spot.0.referenced.span().byte_len().unwrap_or_default() as usize;
        (self.start(spot) + length).min(self.source.len())
    }

    fn raw(&self, spot: &Spot) -> &'a str {
        self.source.get(self.start(spot)..self.end(spot)).unwrap_or_default()
    }

    fn place(&self, spot: &Spot) -> Place {
        let location = spot.0.referenced;
        let raw = self.raw(spot);
        let mut column = (location.column() as u32).max(1);
        let mut length = raw.lines().next().unwrap_or_default().chars().count() as u32;
        if length >= 2 && raw.starts_with(['"', '\'']) && matches!(spot.0.value, Shape::Text(_)) {
            column += 1;
            length -= if raw.contains('\n') { 1 } else { 2 };
        }
        Place { file: self.file.clone(), line: (location.line() as u32).max(1), column, length: length.max(1) }
    }
}

impl<N> Shape<N> {
    fn kind(&self) -> &'static str {
        match self {
            Shape::Null => "@check.kind.nothing",
            Shape::Bool(_) => "@check.kind.yes_no",
            Shape::Int(_) | Shape::Float(_) => "@check.kind.number",
            Shape::Text(_) => "@check.kind.text",
            Shape::List(_) => "@check.kind.list",
            Shape::Map(_) => "@check.kind.mapping",
        }
    }
}

impl Content {
    /// The catalogue's word for it.
    pub fn kind(&self) -> &'static str {
        match self {
            Content::Empty => "@check.kind.nothing",
            Content::Bool(_) => "@check.kind.yes_no",
            Content::Number(_) | Content::Fraction(_) => "@check.kind.number",
            Content::Text(_) => "@check.kind.text",
            Content::List(_) => "@check.kind.list",
            Content::Map(_) => "@check.kind.mapping",
        }
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}

/// Round brackets that are opened and not closed, outside of texts in double quotes.
fn open_brackets(text: &str) -> i32 {
    let mut open = 0;
    let mut quoted = false;
    for sign in text.chars() {
        match sign {
            '"' => quoted = !quoted,
            '(' if !quoted => open += 1,
            ')' if !quoted => open -= 1,
            _ => {}
        }
    }
    open
}
