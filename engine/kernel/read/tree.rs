//! A YAML file as a tree of nodes that know their place and their path. `gate` makes it; what a key means is left to the sections.

use crate::kernel::model::Name;
use crate::kernel::model::problem::{Place, Places};

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

pub(super) fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_string() } else { format!("{path}.{name}") }
}
