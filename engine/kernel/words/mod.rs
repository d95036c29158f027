//! The catalogue: key and values in, sentence out, in Chinese and English. One file a language, embedded.

pub mod due;
pub mod pages;
pub mod problem;
pub mod spellings;
pub mod width;

use crate::kernel::model::decision::Refusal;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A language in which the engine speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lang {
    #[default]
    Zh,
    En,
}

impl Lang {
    /// The first language of a rule set.
    pub fn of(languages: &[String]) -> Lang {
        if languages.first().is_some_and(|language| language.starts_with("en")) { Lang::En } else { Lang::Zh }
    }
}

/// What somebody likes best of what we speak, by a header `Accept-Language` (RFC 9110, 12.5.4); without a wish, the catalogue's beginning.
pub fn wished(wishes: &str) -> Lang {
    let wished = wishes.split(',').filter_map(|wish| {
        let (tag, parameters) = wish.split_once(';').unwrap_or((wish, ""));
        let lang = match tag.trim().to_ascii_lowercase().split('-').next()? {
            "zh" => Lang::Zh,
            "en" => Lang::En,
            _ => return None,
        };
        let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
        (weight > 0.0).then_some((lang, weight))
    });
    // Of equals the first.
    wished.reduce(|best, wish| if wish.1 > best.1 { wish } else { best }).map(|(lang, _)| lang).unwrap_or_default()
}

/// Stands between the entries of a list in a refusal's values; each language has its own mark for it.
pub const LIST: &str = "\u{1f}";

type Catalogue = HashMap<String, String>;

static ZH: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("zh-CN.yaml")));
static EN: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("en.yaml")));

static HELP: LazyLock<Catalogue> = LazyLock::new(|| read(include_str!("help.zh-CN.yaml")));

fn read(text: &str) -> Catalogue {
    serde_yaml::from_str(text).expect("the embedded catalogues are read by a test")
}

/// The catalogue of a language, for the test that holds both against each other.
pub fn catalogue(lang: Lang) -> &'static HashMap<String, String> {
    match lang {
        Lang::Zh => &ZH,
        Lang::En => &EN,
    }
}

/// The sentence under a key with `{name}` filled in; the key itself when the catalogue lacks it (a test forbids that).
pub fn say(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    let Some(template) = catalogue(lang).get(key) else { return key.to_string() };
    let mut out = String::with_capacity(template.len());
    let mut rest = template.as_str();
    while let Some(open) = rest.find('{') {
        let Some(close) = rest[open..].find('}').map(|at| open + at) else { break };
        let name = &rest[open + 1..close];
        out.push_str(&rest[..open]);
        match values.iter().find(|(key, _)| *key == name) {
            Some((_, value)) => out.push_str(value),
            None => out.push_str(&rest[open..=close]),
        }
        rest = &rest[close + 1..];
    }
    out + rest
}

/// What the command line says of itself, by the English text beside a command or an option; that text where there is no other (a test
/// forbids that).
pub fn help(lang: Lang, english: &str) -> String {
    match lang {
        Lang::Zh => HELP.get(english).cloned().unwrap_or_else(|| english.to_string()),
        Lang::En => english.to_string(),
    }
}

/// Whether the catalogue has a key.
pub fn has(lang: Lang, key: &str) -> bool {
    catalogue(lang).contains_key(key)
}

/// The sentence of a refusal: the author's, or the engine's own.
pub fn refusal(lang: Lang, refusal: &Refusal) -> String {
    if let Some(sentence) = &refusal.sentence {
        return sentence.clone();
    }
    let code = serde_json::to_value(refusal.code).ok().and_then(|code| code.as_str().map(str::to_string)).unwrap_or_default();
    let values = values(lang, refusal);
    let values: Vec<(&str, &str)> = values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // A sentence that names something near has a second form for when nothing is.
    let lacking = values.iter().any(|(name, value)| *name == "near" && value.is_empty());
    let other = format!("refusal.{code}.other");
    // One code may have several reasons, each with a sentence of its own.
    let why = values.iter().find(|(name, _)| *name == "why").map(|(_, why)| format!("refusal.{code}.{why}"));
    if let Some(key) = why.filter(|key| has(lang, key)) {
        return say(lang, &key, &values);
    }
    if lacking && has(lang, &other) { say(lang, &other, &values) } else { say(lang, &format!("refusal.{code}"), &values) }
}

/// What a refusal speaks of, its lists joined as the language does it.
pub fn values(lang: Lang, refusal: &Refusal) -> Vec<(String, String)> {
    let comma = say(lang, "mail.comma", &[]);
    refusal.values.iter().map(|(name, value)| (name.clone(), value.replace(LIST, &comma))).collect()
}

/// Whether a subject begins as those of automatic answers do, in either language.
pub fn is_automatic_subject(subject: &str) -> bool {
    let subject = subject.trim().to_lowercase();
    let begins = |lang: Lang| say(lang, "mail.automatic_subjects", &[]).split('|').any(|word| subject.starts_with(&word.to_lowercase()));
    begins(Lang::Zh) || begins(Lang::En)
}
