//! Which titles are likely to mean the same matter: the share of their pairs of neighbouring characters, where pairs that every title has
//! count little. So it needs no list of words, in Chinese as little as in English.
//!
//! The measure is the cosine of the two titles as sets of pairs, each weighed by its inverse document frequency (K. Spärck Jones, 1972).

use std::collections::{HashMap, HashSet};

type Pair = (char, char);

/// For each of `among`, how alike it is to `title`, in percent: 100 has the same pairs, 0 none.
pub fn likeness<'a>(title: &str, among: impl IntoIterator<Item = &'a str>) -> Vec<u8> {
    let wanted = pairs(title);
    let all: Vec<HashSet<Pair>> = among.into_iter().map(pairs).collect();
    let mut found_in: HashMap<Pair, u32> = HashMap::new();
    all.iter().chain([&wanted]).flatten().for_each(|pair| *found_in.entry(*pair).or_default() += 1);
    let titles = all.len() as f64 + 1.0;
    // What stands in every title still counts a little, so that two equal titles among equal ones are equal.
    let weight = |pair: &Pair| (1.0 + titles / f64::from(found_in.get(pair).copied().unwrap_or(1))).ln().powi(2);
    let long = |pairs: &HashSet<Pair>| pairs.iter().map(weight).sum::<f64>();
    let own = long(&wanted);
    let share = |other: &HashSet<Pair>| {
        let together = wanted.intersection(other).map(weight).sum::<f64>();
        let whole = (own * long(other)).sqrt();
        if whole == 0.0 { 0 } else { (together / whole * 100.0).round().clamp(0.0, 100.0) as u8 }
    };
    all.iter().map(share).collect()
}

/// Neighbours among the letters, characters and digits of a text, whatever stands between them.
fn pairs(text: &str) -> HashSet<Pair> {
    let signs: Vec<char> = text.chars().filter(|sign| sign.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    match signs.as_slice() {
        [only] => HashSet::from([(*only, *only)]),
        signs => signs.windows(2).map(|pair| (pair[0], pair[1])).collect(),
    }
}
