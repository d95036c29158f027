//! A rule set as a document for people: section by section, each rule as sentences, for a reviewer who reads no expressions.
//!
//! The sentences come from the clauses; text and HTML are two ways to print the same document.

mod html;
mod matrix;
mod text;

pub use html::html;
pub use matrix::matrix;
pub use text::text;

use super::clauses::{self, Clause, Kind, Row};
use super::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::{self, Lang, has};
use serde::Serialize;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    pub title: String,
    pub workflow: Name,
    pub version: u32,
    /// The hash of the rule set, which names what was read.
    pub hash: Name,
    pub sections: Vec<Section>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Section {
    pub kind: Kind,
    /// The kind of branch whose rows these are.
    pub branch: Option<Name>,
    pub title: String,
    pub rules: Vec<Said>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    pub name: Name,
    pub title: String,
    pub sentences: Vec<String>,
    /// What comes one after the other: the rungs of a ladder.
    pub steps: Vec<String>,
}

/// What is to be said: everything, a kind of rows, or one row by its name or title.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct What {
    pub kind: Option<Kind>,
    pub name: Option<String>,
}

/// Why there is nothing to be said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoSuchRow {
    pub name: String,
    pub known: Vec<String>,
}

/// The document of a workflow, or the part of it that is wanted.
pub fn document(set: &RuleSet, rules: &Rules, what: &What, lang: Lang) -> Result<Document, NoSuchRow> {
    let speaker = Speaker::new(set, rules, lang);
    let rows: Vec<Row> = clauses::rows(&speaker).into_iter().filter(|row| what.kind.is_none_or(|kind| kind_said(row) == kind)).collect();
    let wanted = |row: &Row| match &what.name {
        None => true,
        Some(name) => {
            let full = row.branch.as_ref().map(|branch| format!("{branch}.{}", row.name));
            *row.name == **name || row.title == *name || full.as_ref() == Some(name)
        }
    };
    let chosen: Vec<&Row> = rows.iter().filter(|row| wanted(row)).collect();
    if let (Some(name), true) = (&what.name, chosen.is_empty()) {
        return Err(NoSuchRow { name: name.clone(), known: rows.iter().map(|row| row.name.to_string()).collect() });
    }
    let mut sections: Vec<Section> = Vec::new();
    for row in chosen {
        let (kind, branch) = (kind_said(row), branch_said(row));
        let said = said(&speaker, row);
        match sections.iter_mut().find(|section| section.kind == kind && section.branch == branch) {
            Some(section) => section.rules.push(said),
            None => sections.push(Section { kind, title: heading(&speaker, kind, branch.as_ref()), branch, rules: vec![said] }),
        }
    }
    let numerals = words::say(lang, "author.numerals", &[]);
    let several = sections.len() > 1;
    for (section, number) in sections.iter_mut().zip(numerals.split(' ')).filter(|_| several) {
        section.title = speaker.say("say.section", &[("number", number), ("title", &section.title)]);
    }
    let workflow = speaker.workflow;
    Ok(Document {
        title: workflow.title.clone(),
        workflow: workflow.name.clone(),
        version: workflow.version,
        hash: set.hash.clone(),
        sections,
    })
}

/// The steps of a request belong to the request, not to the actions.
fn kind_said(row: &Row) -> Kind {
    if row.kind == Kind::Action && row.name.contains('.') { Kind::Request } else { row.kind }
}

/// Deadlines and requests stand together, whichever branch they run in.
fn branch_said(row: &Row) -> Option<Name> {
    row.branch.clone().filter(|_| !matches!(kind_said(row), Kind::Deadline | Kind::Request))
}

fn heading(speaker: &Speaker, kind: Kind, branch: Option<&Name>) -> String {
    let title = speaker.say(&format!("group.{}", kind.word()), &[]);
    match branch {
        Some(branch) => speaker.say("say.of_branch", &[("branch", &speaker.branch(branch)), ("title", &title)]),
        None => title,
    }
}

fn said(speaker: &Speaker, row: &Row) -> Said {
    let mut sentences = Vec::new();
    let mut steps = Vec::new();
    let mut rest = row.clauses.as_slice();
    while let Some(first) = rest.first() {
        let same = rest.iter().take_while(|clause| clause.aspect == first.aspect && joins(first.aspect)).count().max(1);
        let (group, after) = rest.split_at(same);
        rest = after;
        match first.aspect {
            // Said elsewhere: in the heading, or with the clause to which they belong.
            "title" | "option_title" | "version" | "languages" | "refusal" | "source" => {}
            "rung" => steps.push(first.text.clone()),
            "require" if row.kind == Kind::Always => steps.push(with_refusal(speaker, row, first)),
            "require" => sentences.push(with_refusal(speaker, row, first)),
            "value" => sentences.push(with_source(speaker, row, first)),
            _ => sentences.push(sentence(speaker, group)),
        }
    }
    if row.kind == Kind::Param {
        let used: Vec<String> = users_of(speaker, &row.name);
        if !used.is_empty() {
            sentences.push(speaker.say("say.used_by", &[("users", &speaker.list(used))]));
        }
    }
    if speaker.lang == Lang::En {
        sentences.iter_mut().chain(&mut steps).for_each(|sentence| *sentence = begun_large(sentence));
    }
    Said { name: row.name.clone(), title: row.title.clone(), sentences, steps }
}

/// An English sentence begins with a capital letter.
fn begun_large(sentence: &str) -> String {
    let mut signs = sentence.chars();
    signs.next().map_or_else(String::new, |first| first.to_uppercase().chain(signs).collect())
}

/// Entries of a list make one sentence.
fn joins(aspect: &str) -> bool {
    matches!(
        aspect,
        "by" | "ask"
            | "set"
            | "open"
            | "cancel"
            | "do_on"
            | "tell"
            | "then_try"
            | "opens"
            | "sends"
            | "extended_to"
            | "extended_by"
            | "column"
            | "step"
            | "report_by"
            | "figure"
            | "report_list"
            | "report_order"
    )
}

/// A sentence of its own where the catalogue has one for this aspect; otherwise label and text.
fn sentence(speaker: &Speaker, group: &[Clause]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let long = matches!(first.aspect, "figure" | "tell" | "set" | "open" | "opens" | "sends" | "do_on" | "extended_to" | "extended_by");
    let texts: Vec<&str> = group.iter().map(|clause| clause.text.as_str()).collect();
    let text = if long { texts.join(&speaker.say("semicolon", &[])) } else { speaker.list(&texts) };
    let key = format!("author.said.{}", first.aspect);
    match has(speaker.lang, &key) {
        true => words::say(speaker.lang, &key, &[("text", &text), ("of", &first.of)]),
        false => {
            let label = super::diff::label(speaker.lang, first.aspect, &first.of);
            speaker.say("say.sentence", &[("label", &label), ("text", &text)])
        }
    }
}

fn with_refusal(speaker: &Speaker, row: &Row, require: &Clause) -> String {
    let refusal = row.clauses.iter().find(|clause| clause.aspect == "refusal" && clause.of == require.of);
    let sentence = refusal.map_or("", |refusal| &refusal.text);
    speaker.say("say.require", &[("condition", &require.text), ("sentence", sentence)])
}

fn with_source(speaker: &Speaker, row: &Row, value: &Clause) -> String {
    match row.clauses.iter().find(|clause| clause.aspect == "source" && clause.of == value.of) {
        Some(source) => speaker.say("say.value_source", &[("from", &value.of), ("value", &value.text), ("source", &source.text)]),
        None => speaker.say("say.value", &[("from", &value.of), ("value", &value.text)]),
    }
}

/// The deadlines whose length or cap a param is.
fn users_of(speaker: &Speaker, param: &Name) -> Vec<String> {
    use crate::kernel::model::definition::LengthRule;
    fn names(rule: &LengthRule, param: &Name) -> bool {
        match rule {
            LengthRule::Param(name) => name == param,
            LengthRule::EarliestOf(parts) => parts.iter().any(|part| names(part, param)),
            _ => false,
        }
    }
    let workflow = speaker.workflow;
    let tables: Vec<&Name> =
        workflow.tables.iter().filter(|(_, table)| table.rows.iter().any(|row| names(&row.gives, param))).map(|(name, _)| name).collect();
    let uses = |rule: &LengthRule| names(rule, param) || matches!(rule, LengthRule::Table(table) if tables.contains(&table));
    let deadlines = workflow.deadlines.iter().filter(|(_, deadline)| {
        uses(&deadline.length)
            || deadline.no_later_than.as_ref().is_some_and(uses)
            || deadline.extended_to.iter().any(|(_, rule)| uses(rule))
    });
    deadlines.map(|(name, _)| speaker.deadline(name)).collect()
}

impl Document {
    /// How many sentences show code, because nothing else says them.
    pub fn in_code(&self, lang: Lang) -> usize {
        let mark = words::say(lang, "author.code", &[]);
        let mark = mark.split('{').next().unwrap_or_default();
        let rules = self.sections.iter().flat_map(|section| &section.rules);
        rules.flat_map(|rule| rule.sentences.iter().chain(&rule.steps)).filter(|sentence| sentence.contains(mark)).count()
    }
}
