//! The walk over what both YAML readers saw: nodes with places and paths, and whatever stands against them.

use super::gate::{Plain, Shape, Spot};
use super::tree::{Content, Entry, Key, Node, Style, join};
use crate::kernel::model::Name;
use crate::kernel::model::problem::{Place, Problem};
use std::collections::HashMap;
use std::sync::Arc;

/// The walk over both trees at once, in the order of the text.
pub(super) struct Walk<'a> {
    file: &'a Arc<str>,
    source: &'a str,
    problems: &'a mut Vec<Problem>,
    /// The end of what was read, in bytes: what stands between it and the next node belongs to YAML.
    floor: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(file: &'a Arc<str>, source: &'a str, problems: &'a mut Vec<Problem>) -> Walk<'a> {
        Walk { file, source, problems, floor: 0 }
    }

    /// Aliases, anchors, merge keys and tags, each a problem (E008).
    pub(super) fn hides_something(&mut self, spot: &Spot) -> bool {
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

    pub(super) fn node(&mut self, spot: &Spot, plain: &Plain, path: Name, at: Option<Place>) -> Node {
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
