//! Reads single values and rows of keys out of the tree, and collects what is wrong with them. What a row means is left to the sections.

use super::characters::{ascii_for, foreign_in_code, wide};
use super::phrase;
use super::tree::{Content, Entry, Key, Node, Style};
use crate::kernel::model::Name;
use crate::kernel::model::definition::{Expr, Scope, Wants};
use crate::kernel::model::problem::{Place, Problem};
use crate::kernel::time::Date;
use indexmap::IndexMap;

/// Keys with which a row usually begins.
const KEYS_OF_ROWS: [&str; 13] =
    ["title", "type", "who", "kind", "by", "from", "to", "starts_on", "runs_in", "branch", "cron", "subject", "one_per"];

/// What was found so far.
#[derive(Debug, Default)]
pub struct Reader {
    pub problems: Vec<Problem>,
    pub expressions: Vec<Expr>,
}

/// A mapping whose keys are known.
#[derive(Clone, Copy, Debug)]
pub struct Row<'n> {
    pub node: &'n Node,
    keys: &'n [&'n str],
    /// Some of its keys are not known.
    astray: bool,
}

impl<'n> Row<'n> {
    /// A mapping whose keys have been looked at elsewhere.
    pub fn of(node: &'n Node) -> Row<'n> {
        Row { node, keys: &[], astray: false }
    }

    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.node.get(key).or_else(|| self.meant(key))
    }

    /// The value of a misspelt key: it was reported, and is read as what was probably meant, so that nothing follows from the slip.
    fn meant(&self, key: &str) -> Option<&'n Node> {
        let mut entries = self.node.entries().iter().filter(|_| self.astray);
        entries
            .find(|entry| !self.keys.contains(&&*entry.key.name) && self.nearest_key(&entry.key.name) == Some(key))
            .map(|entry| &entry.value)
    }

    fn nearest_key(&self, name: &str) -> Option<&'n str> {
        nearest(name, self.keys.iter().copied())
    }
}

impl Reader {
    /// A mapping with these keys and no others.
    pub fn row<'n>(&mut self, node: &'n Node, keys: &'n [&'n str]) -> Option<Row<'n>> {
        let Content::Map(entries) = &node.content else {
            self.wrong(node, "@check.kind.mapping");
            return None;
        };
        let mut astray = false;
        for entry in entries.iter().filter(|entry| !keys.contains(&&*entry.key.name)) {
            self.unknown_key(&entry.key, keys);
            astray = true;
        }
        Some(Row { node, keys, astray })
    }

    fn unknown_key(&mut self, key: &Key, keys: &[&str]) {
        if let Some((column, sign)) = first_wide(&key.name) {
            let place = Place { column: key.place.column + column, length: 1, ..key.place.clone() };
            self.problems.push(wide("sign", place, sign));
            return;
        }
        let problem = Problem::new("E005", key.place.clone()).with("key", &key.name).with("known", keys.join(", "));
        self.problems.push(match nearest(&key.name, keys.iter().copied()) {
            Some(near) => problem.variant("near").with("near", near),
            None => problem,
        });
    }

    /// The value of a key that must be there.
    pub fn need<'n>(&mut self, row: Row<'n>, key: &str) -> Option<&'n Node> {
        let found = row.get(key);
        if found.is_none() {
            let problem = Problem::new("E006", row.node.at.clone()).with("key", key).with("row", key_of(row.node));
            self.problems.push(if key == "say" { problem.variant("say") } else { problem });
        }
        found
    }

    pub fn need_text(&mut self, row: Row, key: &str) -> String {
        self.need(row, key).and_then(|node| self.text(node)).unwrap_or_default()
    }

    /// The rows of a section, or of any mapping from names that the author chose.
    pub fn named<'n>(&mut self, node: &'n Node) -> Vec<(Name, &'n Node)> {
        match &node.content {
            Content::Map(entries) => {
                let entries = self.inside_only(entries);
                entries.into_iter().filter_map(|entry| self.named_entry(entry)).collect()
            }
            Content::Empty => Vec::new(),
            _ => {
                self.wrong(node, "@check.kind.mapping");
                Vec::new()
            }
        }
    }

    /// A row that is empty because its keys were not indented below it (E003): the keys are left out, each row is told once.
    fn inside_only<'n>(&mut self, entries: &'n [Entry]) -> Vec<&'n Entry> {
        let mut kept = Vec::with_capacity(entries.len());
        let mut outside: Option<&Entry> = None;
        for (index, entry) in entries.iter().enumerate() {
            let strays = |entry: &Entry| {
                KEYS_OF_ROWS.contains(&&*entry.key.name) && !matches!(entry.value.content, Content::Map(_) | Content::Empty)
            };
            if outside.is_some() && strays(entry) {
                continue;
            }
            outside = entries.get(index + 1).filter(|next| matches!(entry.value.content, Content::Empty) && strays(next));
            match outside {
                Some(next) => {
                    let problem = Problem::new("E003", next.key.place.clone()).variant("inside");
                    self.problems.push(problem.with("key", &next.key.name).with("row", &entry.key.name));
                }
                None => kept.push(entry),
            }
        }
        kept
    }

    fn named_entry<'n>(&mut self, entry: &'n Entry) -> Option<(Name, &'n Node)> {
        if entry.key.plain && is_old_boolean(&entry.key.name) {
            self.problems.push(Problem::new("E010", entry.key.place.clone()).with("name", &entry.key.name));
            return None;
        }
        if let Some((column, sign)) = first_wide(&entry.key.name) {
            let place = Place { column: entry.key.place.column + column, length: 1, ..entry.key.place.clone() };
            self.problems.push(wide("sign", place, sign));
            return None;
        }
        Some((entry.key.name.clone(), &entry.value))
    }

    pub fn list<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.content {
            Content::List(nodes) => nodes,
            _ => {
                self.wrong(node, "@check.kind.list");
                &[]
            }
        }
    }

    pub fn text(&mut self, node: &Node) -> Option<String> {
        match &node.content {
            Content::Text(text) => Some(text.trim_end_matches('\n').to_string()),
            _ => {
                self.wrong(node, "@check.kind.text");
                None
            }
        }
    }

    /// A name that is declared or referred to.
    pub fn name(&mut self, node: &Node) -> Option<Name> {
        match &node.content {
            Content::Text(text) if node.style == Style::Plain && is_old_boolean(text) => {
                self.problems.push(Problem::new("E010", node.place.clone()).with("name", text));
                None
            }
            Content::Bool(value) => {
                self.problems.push(Problem::new("E010", node.place.clone()).with("name", value));
                None
            }
            Content::Text(text) => match first_wide(text) {
                Some((column, sign)) => {
                    let place = Place { column: node.place.column + column, length: 1, ..node.place.clone() };
                    self.problems.push(wide("sign", place, sign));
                    None
                }
                None => Some(text.clone()),
            },
            Content::Number(number) => Some(number.to_string().into()),
            _ => {
                self.wrong(node, "@check.kind.name");
                None
            }
        }
    }

    pub fn names(&mut self, node: &Node) -> Vec<Name> {
        match &node.content {
            Content::List(nodes) => nodes.iter().filter_map(|node| self.name(node)).collect(),
            _ => {
                self.wrong(node, "@check.kind.list_of_names");
                Vec::new()
            }
        }
    }

    pub fn names_at(&mut self, row: Row, key: &str) -> Vec<Name> {
        row.get(key).map(|node| self.names(node)).unwrap_or_default()
    }

    pub fn yes(&mut self, row: Row, key: &str) -> bool {
        match row.get(key).map(|node| (node, &node.content)) {
            None => false,
            Some((_, Content::Bool(value))) => *value,
            Some((node, _)) => {
                self.wrong(node, "@check.kind.yes_no");
                false
            }
        }
    }

    pub fn number(&mut self, node: &Node) -> Option<u32> {
        match &node.content {
            Content::Number(number) if u32::try_from(*number).is_ok() => u32::try_from(*number).ok(),
            _ => {
                self.wrong(node, "@check.kind.count");
                None
            }
        }
    }

    /// One of a few words of the language.
    pub fn word<T: Copy>(&mut self, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = node.text().map(|text| &**text);
        let found = words.iter().find(|(word, _)| Some(*word) == text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.not_one_of(node, &known);
        }
        found
    }

    pub fn not_one_of(&mut self, node: &Node, known: &[&str]) {
        let problem = Problem::new("E007", node.place.clone()).with("key", key_of(node)).with("known", known.join(", "));
        let found = node.text().map(|text| text.to_string());
        self.problems.push(match found.as_deref().and_then(|found| nearest(found, known.iter().copied())) {
            Some(near) => problem.variant("word_near").with("near", near),
            None => problem.variant("word"),
        });
    }

    /// A name that is not declared where it has to be.
    pub fn unknown_name(&mut self, code: &'static str, node: &Node, name: &str, known: &[&str]) {
        let problem = Problem::new(code, node.place.clone()).with("name", name).with("known", known.join(", "));
        self.problems.push(match nearest(name, known.iter().copied()) {
            Some(near) => problem.variant("near").with("near", near),
            None => problem,
        });
    }

    pub fn date(&mut self, node: &Node) -> Option<Date> {
        let date = node.text().and_then(|text| phrase::date(text));
        if date.is_none() {
            self.phrase_problem(node, "date");
        }
        date
    }

    /// A phrase read by one of the functions of `phrase`; `variant` names its accepted forms.
    pub fn phrase<T>(&mut self, node: &Node, variant: &'static str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = node.text().and_then(|text| read(text));
        if value.is_none() {
            self.phrase_problem(node, variant);
        }
        value
    }

    pub fn phrase_problem(&mut self, node: &Node, variant: &'static str) {
        let found = match &node.content {
            Content::Text(text) => text.to_string(),
            Content::Number(number) => number.to_string(),
            Content::Fraction(text) => text.to_string(),
            _ => return self.wrong(node, "@check.kind.phrase"),
        };
        let problem = Problem::new("E011", node.place.clone()).variant(variant);
        let digits = phrase::with_digits(&found);
        self.problems.push(match digits.filter(|_| variant != "date") {
            Some(digits) => problem.variant("digits").with("text", found).with("digits", digits),
            None => problem.with("text", found),
        });
    }

    /// An expression of Rhai, noted under its own number.
    pub fn expr(&mut self, node: &Node, scope: &Scope, wants: Wants) -> Option<Expr> {
        let source: Name = match &node.content {
            Content::Text(text) => text.trim_end_matches('\n').into(),
            Content::Number(number) => number.to_string().into(),
            Content::Bool(value) => value.to_string().into(),
            _ => {
                self.wrong(node, if wants == Wants::Condition { "@check.kind.condition" } else { "@check.kind.expression" });
                return None;
            }
        };
        if let Some((line, column, sign)) = foreign_in_code(&source).first() {
            let (line, column) = (node.place.line + *line as u32, node.place.column + *column as u32);
            self.problems.push(wide("code", Place { line, column, length: 1, ..node.place.clone() }, *sign));
        }
        let expr = Expr { id: self.expressions.len() as u32, source, path: node.path.clone(), scope: scope.clone(), wants };
        self.expressions.push(expr.clone());
        Some(expr)
    }

    pub fn condition(&mut self, row: Row, key: &str, scope: &Scope) -> Option<Expr> {
        row.get(key).and_then(|node| self.expr(node, scope, Wants::Condition))
    }

    /// The value is of another kind than it has to be (E007).
    pub fn wrong(&mut self, node: &Node, wanted: &'static str) {
        let text = node.text().filter(|_| wanted != "@check.kind.text");
        if let Some((column, sign)) = text.and_then(|text| first_wide_colon(text)) {
            let place = Place { column: node.place.column + column, length: 1, ..node.place.clone() };
            self.problems.push(wide("colon", place, sign));
            return;
        }
        if let Some(sign) = text.and_then(|text| text.chars().next()).filter(|sign| matches!(sign, '［' | '【' | '｛')) {
            let place = Place { length: 1, ..node.place.clone() };
            self.problems.push(wide("sign", place, sign));
            return;
        }
        let problem =
            Problem::new("E007", node.place.clone()).with("key", key_of(node)).with("wanted", wanted).with("found", node.content.kind());
        self.problems.push(match (wanted, &node.content) {
            ("@check.kind.list" | "@check.kind.list_of_names", Content::Text(text)) => problem.variant("list").with("text", text),
            _ => problem,
        });
    }
}

/// The last name of a node's path, for sentences.
pub fn key_of(node: &Node) -> String {
    let path = node.path.rsplit('.').next().unwrap_or_default();
    path.to_string()
}

/// A key with several names written as one value, such as a mapping from words to names.
pub fn names_by_name(reader: &mut Reader, node: &Node) -> IndexMap<Name, Name> {
    let rows = reader.named(node);
    rows.into_iter().filter_map(|(name, node)| Some((name, reader.name(node)?))).collect()
}

/// What YAML 1.1 takes for yes or no.
fn is_old_boolean(text: &str) -> bool {
    matches!(text.to_ascii_lowercase().as_str(), "yes" | "no" | "on" | "off" | "y" | "n" | "true" | "false")
}

fn first_wide(text: &str) -> Option<(u32, char)> {
    text.chars()
        .enumerate()
        .find(|(_, sign)| ascii_for(*sign).is_some() && !matches!(sign, '、' | '（' | '）'))
        .map(|(at, sign)| (at as u32, sign))
}

fn first_wide_colon(text: &str) -> Option<(u32, char)> {
    let at = text.chars().position(|sign| !sign.is_alphanumeric() && sign != '_')?;
    text.chars().nth(at).filter(|sign| *sign == '：' && at > 0).map(|sign| (at as u32, sign))
}

/// The name that was probably meant.
pub fn nearest<'k>(text: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let text = text.to_lowercase();
    let far = (text.chars().count() / 3).max(1) + 1;
    let distances = known.map(|name| (strsim::damerau_levenshtein(&text, &name.to_lowercase()), name));
    let (distance, name) = distances.min_by_key(|(distance, _)| *distance)?;
    let shorter = text.chars().count().min(name.chars().count());
    (distance <= far && distance < shorter).then_some(name)
}
