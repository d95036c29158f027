//! A rule set row by row, each row as clauses: what is said about it, and what that means whatever the language and the wording.
//!
//! `say` puts the clauses together, `diff` compares their meanings. The sections have a file each.

mod flow;
mod pages;
mod people;
mod time;
mod told;

use super::speaker::Speaker;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Expr;
use serde::{Deserialize, Serialize};

/// What kind of row something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Workflow,
    Role,
    Field,
    State,
    Action,
    Branch,
    Request,
    Deadline,
    /// A rung of a deadline's ladder.
    Ladder,
    Param,
    Table,
    Function,
    Notice,
    Sweep,
    Always,
    Report,
    Document,
    Form,
    Import,
    /// A page of a role, the ledger, or what is published.
    Page,
    /// A unit or a person.
    Directory,
    Calendar,
}

impl Kind {
    /// The kinds in the order in which a rule set is read.
    pub const ALL: [Kind; 22] = [
        Kind::Workflow,
        Kind::Role,
        Kind::Field,
        Kind::State,
        Kind::Action,
        Kind::Branch,
        Kind::Request,
        Kind::Deadline,
        Kind::Ladder,
        Kind::Param,
        Kind::Table,
        Kind::Function,
        Kind::Notice,
        Kind::Sweep,
        Kind::Always,
        Kind::Report,
        Kind::Document,
        Kind::Form,
        Kind::Import,
        Kind::Page,
        Kind::Directory,
        Kind::Calendar,
    ];

    /// Its word in the catalogue, in `--json`, and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Workflow => "workflow",
            Kind::Role => "role",
            Kind::Field => "field",
            Kind::State => "state",
            Kind::Action => "action",
            Kind::Branch => "branch",
            Kind::Request => "request",
            Kind::Deadline => "deadline",
            Kind::Ladder => "ladder",
            Kind::Param => "param",
            Kind::Table => "table",
            Kind::Function => "function",
            Kind::Notice => "notice",
            Kind::Sweep => "sweep",
            Kind::Always => "always",
            Kind::Report => "report",
            Kind::Document => "document",
            Kind::Form => "form",
            Kind::Import => "import",
            Kind::Page => "page",
            Kind::Directory => "directory",
            Kind::Calendar => "calendar",
        }
    }
}

/// A row of a section: a state, an action, a deadline …
#[derive(Clone, Debug)]
pub struct Row {
    pub kind: Kind,
    /// The kind of branch to which it belongs.
    pub branch: Option<Name>,
    pub name: Name,
    pub title: String,
    pub clauses: Vec<Clause>,
}

/// One thing that a row says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// What it is about, such as `length`; the catalogue has its words under `author.aspect`.
    pub aspect: &'static str,
    /// Which of several: the rung, the day, the entry of a list. Empty where there is only one.
    pub of: String,
    /// The same for two clauses that do the same, however they are worded.
    pub meaning: String,
    /// As people read it.
    pub text: String,
    /// It changes what people read, and nothing that happens.
    pub wording: bool,
}

/// Every row of a workflow, in the order of the sections.
pub fn rows(speaker: &Speaker) -> Vec<Row> {
    let mut rows = vec![told::workflow(speaker)];
    people::roles(speaker, &mut rows);
    flow::fields(speaker, None, &mut rows);
    flow::states(speaker, None, &mut rows);
    flow::actions(speaker, None, &mut rows);
    for (kind, branch) in &speaker.workflow.branches {
        rows.push(flow::branch(speaker, kind, branch));
        flow::fields(speaker, Some(kind), &mut rows);
        flow::states(speaker, Some(kind), &mut rows);
        flow::actions(speaker, Some(kind), &mut rows);
    }
    flow::requests(speaker, &mut rows);
    time::deadlines(speaker, &mut rows);
    time::params(speaker, &mut rows);
    time::tables(speaker, &mut rows);
    told::functions(speaker, &mut rows);
    told::notices(speaker, &mut rows);
    told::sweeps(speaker, &mut rows);
    rows.extend(flow::always(speaker));
    told::reports(speaker, &mut rows);
    told::documents(speaker, &mut rows);
    told::forms(speaker, &mut rows);
    told::imports(speaker, &mut rows);
    pages::pages(speaker, &mut rows);
    rows
}

pub use people::directory;

/// Collects the clauses of one row.
struct Clauses<'s, 'r> {
    speaker: &'s Speaker<'r>,
    clauses: Vec<Clause>,
}

impl<'s, 'r> Clauses<'s, 'r> {
    fn new(speaker: &'s Speaker<'r>) -> Clauses<'s, 'r> {
        Clauses { speaker, clauses: Vec::new() }
    }

    fn titled(speaker: &'s Speaker<'r>, title: &str) -> Clauses<'s, 'r> {
        let mut clauses = Clauses::new(speaker);
        clauses.wording("title", "", title);
        clauses
    }

    fn add(&mut self, aspect: &'static str, meaning: impl Into<String>, text: impl Into<String>) {
        self.of(aspect, "", meaning, text);
    }

    fn of(&mut self, aspect: &'static str, of: impl Into<String>, meaning: impl Into<String>, text: impl Into<String>) {
        self.clauses.push(Clause { aspect, of: of.into(), meaning: meaning.into(), text: text.into(), wording: false });
    }

    /// An entry of a list that is only there or not.
    fn entry(&mut self, aspect: &'static str, meaning: impl Into<String>, text: impl Into<String>) {
        let meaning = meaning.into();
        self.of(aspect, meaning.clone(), meaning, text);
    }

    /// Something that is only read.
    fn wording(&mut self, aspect: &'static str, of: impl Into<String>, text: &str) {
        self.clauses.push(Clause { aspect, of: of.into(), meaning: text.to_string(), text: text.to_string(), wording: true });
    }

    /// A switch that is on, said by the catalogue.
    fn on(&mut self, aspect: &'static str, on: bool) {
        if on {
            let text = self.speaker.say(&format!("on.{aspect}"), &[]);
            self.add(aspect, "on", text);
        }
    }

    fn condition(&mut self, aspect: &'static str, expr: &Option<Expr>) {
        if let Some(expr) = expr {
            let (meaning, text) = (self.speaker.meaning(expr), self.speaker.expr(expr));
            self.add(aspect, meaning, text);
        }
    }

    /// Names whose order says nothing.
    fn names(&mut self, aspect: &'static str, names: &[Name], text: impl Fn(&Speaker) -> String) {
        if !names.is_empty() {
            let text = text(self.speaker);
            self.add(aspect, sorted(names), text);
        }
    }

    fn row(self, kind: Kind, branch: Option<&Name>, name: &str, title: impl Into<String>) -> Row {
        Row { kind, branch: branch.cloned(), name: name.into(), title: title.into(), clauses: self.clauses }
    }
}

impl Speaker<'_> {
    /// What an expression says, apart from how it is written.
    fn meaning(&self, expr: &Expr) -> String {
        match self.terms.of(expr) {
            Some(term) => format!("{term:?}"),
            None => expr.source.split_whitespace().collect::<Vec<_>>().join(" "),
        }
    }

    /// `text`, where a condition holds.
    pub(super) fn when(&self, text: String, when: &Option<Expr>) -> String {
        match when {
            Some(when) => self.say("when", &[("text", &text), ("condition", &self.expr(when))]),
            None => text,
        }
    }

    fn meaning_when(&self, meaning: String, when: &Option<Expr>) -> String {
        match when {
            Some(when) => format!("{meaning} when {}", self.meaning(when)),
            None => meaning,
        }
    }
}

fn sorted(names: &[Name]) -> String {
    let mut names: Vec<&str> = names.iter().map(|name| &**name).collect();
    names.sort_unstable();
    names.join(" ")
}
