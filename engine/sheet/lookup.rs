//! Names of units and persons as lists write them, resolved through the directory, with the nearest name when there is none.

use super::value::compact;
use crate::kernel::model::Name;
use crate::kernel::model::directory::Directory;
use std::collections::HashMap;

/// Names by their compact form.
pub struct Lookup<'a> {
    units: HashMap<String, Vec<&'a Name>>,
    persons: HashMap<String, Vec<&'a Name>>,
    unit_titles: Vec<&'a str>,
    person_titles: Vec<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Unit,
    Person,
}

pub enum Found {
    One(Name),
    /// Several are called so: their ids.
    Several(Vec<Name>),
    /// The nearest name, if one is near.
    None(Option<String>),
}

impl<'a> Lookup<'a> {
    pub fn new(directory: &'a Directory) -> Self {
        let mut lookup = Lookup { units: HashMap::new(), persons: HashMap::new(), unit_titles: Vec::new(), person_titles: Vec::new() };
        for (id, unit) in &directory.units {
            lookup.unit_titles.push(&unit.title);
            for name in std::iter::once(&**id).chain(unit.names()) {
                lookup.unit_titles.push(name);
                add(&mut lookup.units, name, id);
            }
        }
        for (id, person) in &directory.persons {
            lookup.person_titles.push(&person.title);
            for name in [&**id, person.title.as_str()] {
                add(&mut lookup.persons, name, id);
            }
        }
        lookup
    }

    pub fn find(&self, kind: Kind, text: &str) -> Found {
        let (names, titles) = match kind {
            Kind::Unit => (&self.units, &self.unit_titles),
            Kind::Person => (&self.persons, &self.person_titles),
        };
        match names.get(&compact(text)).map(Vec::as_slice) {
            Some([id]) => Found::One((*id).clone()),
            Some(ids) => Found::Several(ids.iter().map(|id| (*id).clone()).collect()),
            None => Found::None(nearest(text, titles.iter().copied()).map(str::to_string)),
        }
    }

    /// Whether exactly one is called so.
    pub fn knows(&self, kind: Kind, text: &str) -> bool {
        matches!(self.find(kind, text), Found::One(_))
    }
}

fn add<'a>(names: &mut HashMap<String, Vec<&'a Name>>, name: &str, id: &'a Name) {
    let ids = names.entry(compact(name)).or_default();
    if !ids.contains(&id) {
        ids.push(id);
    }
}

/// The name that has most characters in common with the text, in their order; of equals the one with the longest common part. None when
/// no more than the half is common and no two of it stand together. A short form that leaves characters out (`nrth office` for
/// `north office`) is nearest of all.
pub fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let text: Vec<char> = compact(text).chars().collect();
    let mut best: Option<((f64, usize), &str)> = None;
    for name in names {
        let chars: Vec<char> = compact(name).chars().collect();
        let (common, run) = in_common(&text, &chars);
        let share = 2.0 * common as f64 / (text.len() + chars.len()).max(1) as f64;
        let shorter = text.len().min(chars.len());
        let score = if shorter >= 2 && common == shorter { 1.0 + share } else { share };
        let near = score > 0.5 || (score == 0.5 && run >= 2);
        if near && best.is_none_or(|(other, _)| (score, run) > other) {
            best = Some(((score, run), name));
        }
    }
    best.map(|(_, name)| name)
}

/// How many characters both have in the same order, and how many at most without a gap.
fn in_common(a: &[char], b: &[char]) -> (usize, usize) {
    let mut longest = 0;
    let (mut common, mut run) = (vec![0; b.len() + 1], vec![0; b.len() + 1]);
    for x in a {
        let (mut next_common, mut next_run) = (vec![0; b.len() + 1], vec![0; b.len() + 1]);
        for (at, y) in b.iter().enumerate() {
            if x == y {
                next_common[at + 1] = common[at] + 1;
                next_run[at + 1] = run[at] + 1;
                longest = longest.max(next_run[at + 1]);
            } else {
                next_common[at + 1] = common[at + 1].max(next_common[at]);
            }
        }
        (common, run) = (next_common, next_run);
    }
    (common[b.len()], longest)
}
