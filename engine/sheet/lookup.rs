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
            for name in [&**id, unit.title.as_str()].into_iter().chain(unit.also.iter().map(String::as_str)) {
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

/// The name most like the text, if one is like it at all. A short form that leaves characters out (`市建设局` for
/// `市住房和城乡建设局`) counts as near.
pub fn nearest<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const NEAR: f64 = 0.5;
    let text = compact(text);
    let likeness = |name: &str| {
        let name = compact(name);
        let shorter = name.chars().count().min(text.chars().count());
        let edits = strsim::normalized_damerau_levenshtein(&text, &name);
        if shorter >= 2 && (leaves_out(&text, &name) || leaves_out(&name, &text)) { edits.max(0.6 + edits / 10.0) } else { edits }
    };
    let scored = names.map(|name| (likeness(name), name)).filter(|(score, _)| *score >= NEAR);
    scored
        .fold(None, |best: Option<(f64, &str)>, next| if best.is_some_and(|best| best.0 >= next.0) { best } else { Some(next) })
        .map(|(_, name)| name)
}

/// Whether all characters of `short` stand in `long`, in order.
fn leaves_out(short: &str, long: &str) -> bool {
    let mut long = long.chars();
    short.chars().all(|wanted| long.any(|next| next == wanted))
}
