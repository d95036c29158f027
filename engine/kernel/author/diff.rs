//! Two rule sets compared by what they mean: row by row and clause by clause. Comments, the order of keys and how a thing is written do not count.

use super::clauses::{self, Clause, Kind, Row};
use super::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Form;
use crate::kernel::rules::{RuleSet, Rules};
use crate::kernel::words::{Lang, say};
use indexmap::{IndexMap, IndexSet};
use serde::{Deserialize, Serialize};

/// One thing that is different.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// Empty for what belongs to the whole rule set: directory and wording of mails.
    pub workflow: Option<Name>,
    pub kind: Kind,
    /// The kind of branch to which the row belongs.
    pub branch: Option<Name>,
    /// The row: the name of a state, an action, a deadline … (the new name where it was renamed).
    pub name: Name,
    pub title: Both,
    /// What of the row is different, such as `length`; the row itself when there is none.
    pub aspect: Option<String>,
    /// Which of several: the rung, the day from which a param holds …
    pub of: String,
    pub change: Change,
    pub before: Option<Both>,
    pub after: Option<Both>,
    /// Only what people read is different, nothing that happens.
    pub wording: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    Added,
    Removed,
    Changed,
    /// By `changes`: what stood there stands here.
    Renamed,
}

/// A text in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Both {
    pub zh: String,
    pub en: String,
}

impl Both {
    pub fn of(&self, lang: Lang) -> &str {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

/// Everything that is different, in the order in which a rule set is read.
pub fn differences(old: &RuleSet, new: &RuleSet) -> Vec<Difference> {
    let mut found = Vec::new();
    let names: IndexSet<&Name> = old.workflows.keys().chain(new.workflows.keys()).collect();
    for name in names {
        match (old.workflows.get(name), new.workflows.get(name)) {
            (Some(before), Some(after)) => {
                let renamed = renames(before, after);
                let old_rows = told(old, before, &renamed, clauses::rows);
                let new_rows = told(new, after, &Renamed::new(), clauses::rows);
                compare(Some(name), &old_rows, &new_rows, &mut found);
                calendars(name, before, after, &mut found);
            }
            (Some(rules), None) => found.push(whole(name, rules, Change::Removed)),
            (None, Some(rules)) => found.push(whole(name, rules, Change::Added)),
            (None, None) => {}
        }
    }
    if let (Some(before), Some(after)) = (old.workflows.values().next(), new.workflows.values().next()) {
        let old_rows = told(old, before, &Renamed::new(), |speaker| clauses::directory(speaker, &old.directory));
        let new_rows = told(new, after, &Renamed::new(), |speaker| clauses::directory(speaker, &new.directory));
        compare(None, &old_rows, &new_rows, &mut found);
    }
    templates(old, new, &mut found);
    found.sort_by_key(|difference| (difference.workflow.clone().map_or((1, Name::from("")), |name| (0, name)), difference.kind));
    found
}

/// A row in both languages.
struct ToldRow {
    /// In Chinese.
    row: Row,
    en: Row,
    /// The name that it had before it was renamed.
    was: Option<Name>,
}

fn told(set: &RuleSet, rules: &Rules, renamed: &Renamed, rows: impl Fn(&Speaker) -> Vec<Row>) -> Vec<ToldRow> {
    let mut speaker = Speaker::new(set, rules, Lang::Zh);
    let chinese = rows(&speaker);
    speaker.lang = Lang::En;
    let pairs = chinese.into_iter().zip(rows(&speaker));
    pairs.map(|(row, en)| under_new_names(ToldRow { row, en, was: None }, renamed)).collect()
}

/// What the new set calls otherwise: old name → new name, for each kind of row.
type Renamed = IndexMap<Kind, IndexMap<Name, Name>>;

fn renames(before: &Rules, after: &Rules) -> Renamed {
    let (old, new) = (&before.setting.workflow, &after.setting.workflow);
    let mut renamed = Renamed::new();
    for change in new.changes.iter().filter(|change| change.version > old.version) {
        for (kind, names) in [
            (Kind::State, &change.renamed_states),
            (Kind::Field, &change.renamed_fields),
            (Kind::Action, &change.renamed_actions),
            (Kind::Branch, &change.renamed_branches),
            (Kind::Deadline, &change.renamed_deadlines),
        ] {
            renamed.entry(kind).or_default().extend(names.iter().map(|(from, to)| (from.clone(), to.clone())));
        }
    }
    renamed
}

/// Aspects whose meaning is nothing but names.
const NAMES_ONLY: [&str; 14] = [
    "from",
    "to",
    "runs_in",
    "pauses_in",
    "quiet_in",
    "cancelled_state",
    "starts_on",
    "ends_on",
    "then_try",
    "do",
    "not_by",
    "sealed_until",
    "of_branch",
    "over",
];

/// An old row as it would read with the new names.
fn under_new_names(mut told: ToldRow, renamed: &Renamed) -> ToldRow {
    if let Some(name) = renamed.get(&told.row.kind).and_then(|names| names.get(&told.row.name)) {
        told.was = Some(std::mem::replace(&mut told.row.name, name.clone()));
    }
    if let Some(kind) = told.row.branch.as_mut()
        && let Some(name) = renamed.get(&Kind::Branch).and_then(|names| names.get(kind))
    {
        *kind = name.clone();
    }
    let all = || renamed.values().flatten();
    for clause in told.row.clauses.iter_mut().chain(&mut told.en.clauses) {
        for part in [&mut clause.meaning, &mut clause.of] {
            if NAMES_ONLY.contains(&clause.aspect) {
                let new = |name: &'_ str| all().find(|(from, _)| ***from == *name).map_or(name.to_string(), |(_, to)| to.to_string());
                let mut names: Vec<String> = part.split(' ').map(new).collect();
                names.sort_unstable();
                *part = names.join(" ");
            } else if !clause.wording || clause.aspect == "refusal" {
                for (from, to) in all() {
                    *part = part.replace(&format!("\"{from}\""), &format!("\"{to}\""));
                }
            }
        }
    }
    told
}

fn key(told: &ToldRow) -> (Kind, Option<&Name>, &Name) {
    (told.row.kind, told.row.branch.as_ref(), &told.row.name)
}

fn compare(workflow: Option<&Name>, old: &[ToldRow], new: &[ToldRow], found: &mut Vec<Difference>) {
    let before: IndexMap<_, _> = old.iter().map(|told| (key(told), told)).collect();
    let after: IndexMap<_, _> = new.iter().map(|told| (key(told), told)).collect();
    for (key, told) in &before {
        // A request is told as a whole where its steps come or go with it.
        if !after.contains_key(key) && !made_of_a_request(told, old) {
            found.push(row_difference(workflow, told, Change::Removed));
        }
    }
    for (key, told) in &after {
        match before.get(key) {
            None if made_of_a_request(told, new)
                && !before.keys().any(|(kind, _, name)| request_of(told) == Some(name) && *kind == Kind::Request) => {}
            None => found.push(row_difference(workflow, told, Change::Added)),
            Some(was) => {
                if let Some(old_name) = &was.was {
                    let mut renamed = row_difference(workflow, told, Change::Renamed);
                    renamed.before = Some(Both { zh: old_name.to_string(), en: old_name.to_string() });
                    renamed.after = Some(Both { zh: told.row.name.to_string(), en: told.row.name.to_string() });
                    found.push(renamed);
                }
                clause_differences(workflow, was, told, found);
            }
        }
    }
}

/// The request of which an action or a deadline was made.
fn request_of(told: &ToldRow) -> Option<&str> {
    match told.row.kind {
        Kind::Action => told.row.name.split_once('.').map(|(request, _)| request),
        Kind::Deadline => Some(&told.row.name),
        _ => None,
    }
}

fn made_of_a_request(told: &ToldRow, rows: &[ToldRow]) -> bool {
    request_of(told).is_some_and(|request| rows.iter().any(|other| other.row.kind == Kind::Request && *other.row.name == *request))
}

fn row_difference(workflow: Option<&Name>, told: &ToldRow, change: Change) -> Difference {
    let details = |row: &Row, lang: Lang| {
        let lines = row.clauses.iter().filter(|clause| !clause.wording).map(|clause| labelled(lang, clause));
        lines.collect::<Vec<_>>().join(&say(lang, "author.semicolon", &[]))
    };
    Difference {
        workflow: workflow.cloned(),
        kind: told.row.kind,
        branch: told.row.branch.clone(),
        name: told.row.name.clone(),
        title: Both { zh: told.row.title.clone(), en: told.en.title.clone() },
        aspect: None,
        of: String::new(),
        change,
        before: None,
        after: (change == Change::Added).then(|| Both { zh: details(&told.row, Lang::Zh), en: details(&told.en, Lang::En) }),
        wording: false,
    }
}

fn clause_differences(workflow: Option<&Name>, old: &ToldRow, new: &ToldRow, found: &mut Vec<Difference>) {
    let of = |told: &'_ ToldRow| -> IndexMap<(&'static str, String), (Clause, Clause)> {
        let pairs = told.row.clauses.iter().zip(&told.en.clauses);
        pairs.map(|(zh, en)| ((zh.aspect, zh.of.clone()), (zh.clone(), en.clone()))).collect()
    };
    let (before, after) = (of(old), of(new));
    let keys: IndexSet<_> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (was, is) = (before.get(key), after.get(key));
        let change = match (was, is) {
            (Some((was, _)), Some((is, _))) if was.meaning == is.meaning => continue,
            (Some(_), Some(_)) => Change::Changed,
            (None, Some(_)) => Change::Added,
            (Some(_), None) => Change::Removed,
            (None, None) => continue,
        };
        let Some((clause, _)) = is.or(was) else { continue };
        // These belong to another clause, with which they come and go.
        if matches!(clause.aspect, "refusal" | "option_title" | "source") && change != Change::Changed {
            continue;
        }
        let both = |pair: Option<&(Clause, Clause)>| pair.map(|(zh, en)| Both { zh: zh.text.clone(), en: en.text.clone() });
        found.push(Difference {
            workflow: workflow.cloned(),
            kind: if clause.aspect == "rung" { Kind::Ladder } else { new.row.kind },
            branch: new.row.branch.clone(),
            name: new.row.name.clone(),
            title: Both { zh: new.row.title.clone(), en: new.en.title.clone() },
            aspect: Some(clause.aspect.to_string()),
            of: if shows_of(clause.aspect) { clause.of.clone() } else { String::new() },
            change,
            before: both(was),
            after: both(is),
            wording: clause.wording,
        });
    }
}

/// Whether which-of-several is a name that people know, rather than the meaning itself.
fn shows_of(aspect: &str) -> bool {
    matches!(aspect, "rung" | "value" | "source" | "view" | "choose" | "step" | "option_title" | "letter" | "change" | "year")
}

fn calendars(workflow: &Name, old: &Rules, new: &Rules, found: &mut Vec<Difference>) {
    let (before, after) = (old.setting.calendar.data(), new.setting.calendar.data());
    let years: IndexSet<_> = before.years.keys().chain(after.years.keys()).collect();
    let mut tell = |aspect: &str, of: String, change: Change| {
        let name = &new.setting.workflow.calendar;
        found.push(Difference {
            workflow: Some(workflow.clone()),
            kind: Kind::Calendar,
            branch: None,
            name: name.clone(),
            title: Both { zh: name.to_string(), en: name.to_string() },
            aspect: Some(aspect.to_string()),
            of,
            change,
            before: None,
            after: None,
            wording: false,
        });
    };
    for year in years {
        let change = match (before.years.get(year), after.years.get(year)) {
            (Some(was), Some(is)) if format!("{was:?}") == format!("{is:?}") => continue,
            (Some(_), Some(_)) => Change::Changed,
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
        };
        tell("year", year.to_string(), change);
    }
    if format!("{:?}", before.fixed_holidays) != format!("{:?}", after.fixed_holidays) {
        tell("fixed_holidays", String::new(), Change::Changed);
    }
}

fn templates(old: &RuleSet, new: &RuleSet, found: &mut Vec<Difference>) {
    let names: IndexSet<&Name> = old.templates.keys().chain(new.templates.keys()).collect();
    for name in names {
        let change = match (old.templates.get(name), new.templates.get(name)) {
            (Some(was), Some(is)) if was.trim_end() == is.trim_end() => continue,
            (Some(_), Some(_)) => Change::Changed,
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
        };
        found.push(Difference {
            workflow: None,
            kind: if Form::stem(name).is_some() { Kind::Form } else { Kind::Notice },
            branch: None,
            name: name.clone(),
            title: Both { zh: name.to_string(), en: name.to_string() },
            aspect: Some("body_text".to_string()),
            of: String::new(),
            change,
            before: None,
            after: None,
            wording: true,
        });
    }
}

fn whole(name: &Name, rules: &Rules, change: Change) -> Difference {
    let title = rules.setting.workflow.title.clone();
    Difference {
        workflow: Some(name.clone()),
        kind: Kind::Workflow,
        branch: None,
        name: name.clone(),
        title: Both { zh: title.clone(), en: title },
        aspect: None,
        of: String::new(),
        change,
        before: None,
        after: None,
        wording: false,
    }
}

impl Difference {
    /// The difference in one sentence.
    pub fn sentence(&self, lang: Lang) -> String {
        let word = |key: &str, values: &[(&str, &str)]| say(lang, &format!("author.{key}"), values);
        let kind = word(&format!("kind.{}", self.kind.word()), &[]);
        let title = self.title.of(lang);
        let row = if title.is_empty() { kind } else { word("diff.row", &[("kind", &kind), ("title", title)]) };
        let text = |text: &Option<Both>| text.as_ref().map(|text| text.of(lang).to_string()).unwrap_or_default();
        let (before, after) = (text(&self.before), text(&self.after));
        let change = match self.change {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
            Change::Renamed => "renamed",
        };
        let Some(aspect) = &self.aspect else {
            let key = if self.change == Change::Added && !after.is_empty() { "diff.row.added.as" } else { &format!("diff.row.{change}") };
            return word(key, &[("row", &row), ("before", &before), ("after", &after)]);
        };
        let label = label(lang, aspect, &self.of);
        let bare = self.before.is_none() && self.after.is_none();
        let key = if bare { format!("diff.{change}.bare") } else { format!("diff.{change}") };
        word(&key, &[("row", &row), ("aspect", &label), ("before", &before), ("after", &after)])
    }
}

/// What an aspect is called.
pub fn label(lang: Lang, aspect: &str, of: &str) -> String {
    say(lang, &format!("author.aspect.{aspect}"), &[("of", of)])
}

/// A clause with what it is about.
pub fn labelled(lang: Lang, clause: &Clause) -> String {
    say(lang, "author.labelled", &[("label", &label(lang, clause.aspect, &clause.of)), ("text", &clause.text)])
}

impl Speaker<'_> {
    pub fn labelled(&self, clause: &Clause) -> String {
        labelled(self.lang, clause)
    }
}
