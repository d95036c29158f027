//! The help pages of the checks: what a code finds, why it matters, a bad example and a good one, in Chinese and English. They are data:
//! one file a family under `pages/`, embedded. `duban help CODE` prints one; a test runs every example.
//!
//! A page is `CODE: { zh: [finds, why], en: [finds, why], bad: …, good: … }`. An example is a text that is added to the workflow of
//! `tests/fixtures/permit` as one more file, or a map of such texts by their paths in the rule set; with `instead_of` it replaces that
//! text there. `«中文|English»` in an example is shown in the reader's language. `told_by` names what gives the code when it is not
//! `check` (`stories`: `duban test`; `plan`; `explore`: `duban simulate --explore`); what a plan says is on record for edits of
//! their own, in `tests/fixtures/plans`. `on` is the day on which the examples are checked, when that matters.

use super::Lang;
use indexmap::IndexMap;
use serde::Deserialize;
use std::sync::LazyLock;

/// Every family in the order in which the codes count.
const FILES: &[&str] = &[
    include_str!("pages/shape.yaml"),
    include_str!("pages/names.yaml"),
    include_str!("pages/expressions.yaml"),
    include_str!("pages/flow.yaml"),
    include_str!("pages/roles.yaml"),
    include_str!("pages/time.yaml"),
    include_str!("pages/notices.yaml"),
    include_str!("pages/sweeps.yaml"),
    include_str!("pages/versions.yaml"),
    include_str!("pages/stories.yaml"),
];

static PAGES: LazyLock<IndexMap<String, Source>> = LazyLock::new(|| {
    let files = FILES.iter().map(|text| serde_yaml::from_str::<IndexMap<String, Source>>(text));
    files.flat_map(|pages| pages.expect("the embedded pages are read by a test")).collect()
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    zh: [String; 2],
    en: [String; 2],
    instead_of: Option<String>,
    told_by: Option<String>,
    on: Option<String>,
    bad: Example,
    good: Example,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Example {
    One(String),
    Files(IndexMap<String, String>),
}

/// The page of one code in one language.
#[derive(Clone, Debug)]
pub struct Page {
    pub code: &'static str,
    /// What is found, without a full stop: the row of a list.
    pub finds: &'static str,
    pub why: &'static str,
    /// The examples by file; the path is empty when there is only one text.
    pub bad: Vec<(&'static str, String)>,
    pub good: Vec<(&'static str, String)>,
    /// The text of the rule set that the examples replace.
    pub instead_of: Option<&'static str>,
    /// What gives the code when it is not `check`.
    pub told_by: Option<&'static str>,
    /// The day on which the examples are checked, when that matters.
    pub on: Option<&'static str>,
}

/// Every code that has a page, family by family.
pub fn codes() -> impl Iterator<Item = &'static str> {
    PAGES.keys().map(String::as_str)
}

/// The page of a code; `None` when there is no such code.
pub fn page(lang: Lang, code: &str) -> Option<Page> {
    let (code, source) = PAGES.get_key_value(code)?;
    let [finds, why] = match lang {
        Lang::Zh => &source.zh,
        Lang::En => &source.en,
    };
    let example = |example: &'static Example| match example {
        Example::One(text) => vec![("", in_language(lang, text))],
        Example::Files(files) => files.iter().map(|(path, text)| (path.as_str(), in_language(lang, text))).collect(),
    };
    Some(Page {
        code,
        finds,
        why,
        bad: example(&source.bad),
        good: example(&source.good),
        instead_of: source.instead_of.as_deref(),
        told_by: source.told_by.as_deref(),
        on: source.on.as_deref(),
    })
}

/// Keeps of every `«中文|English»` the part in this language.
fn in_language(lang: Lang, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, (both, after))) = rest.split_once('«').and_then(|(before, rest)| Some((before, rest.split_once('»')?))) {
        let (zh, en) = both.split_once('|').unwrap_or((both, both));
        out.push_str(before);
        out.push_str(match lang {
            Lang::Zh => zh,
            Lang::En => en,
        });
        rest = after;
    }
    out + rest
}
