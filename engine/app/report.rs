//! Reports and documents as of any day, made from the facts of all items, a portion at a time.

use super::App;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Shape;
use crate::kernel::model::fact::Fact;
use crate::kernel::render::RenderError;
use crate::kernel::report::document::{self, TextError};
use crate::kernel::report::{Filled, NotOf, Table, Tally, chart, find_of, page};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::Lang;
use crate::sheet::write::WriteError;
use crate::store::StoreError;
use crate::{files, sheet};
use indexmap::IndexMap;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Items that are read at once.
pub(super) const PORTION: u32 = 500;
/// Portions that are counted while the next is read.
const BESIDE: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the rule set in use has no report `{name}`; it has: {known}")]
    Unknown { name: String, known: String },
    /// A list, or a document, is of one day.
    #[error("report `{0}` is of one day")]
    OfOneDay(String),
    /// It is always of one, and nobody was named.
    #[error("of whom is report `{0}`?")]
    OfWhom(String),
    #[error(transparent)]
    NotOf(#[from] NotOf),
    #[error(transparent)]
    Text(#[from] TextError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// Which report, of which days, and by what was known when.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By its name, or its title; also that of a document.
    pub report: String,
    /// Only what is theirs: a unit, person or option by its id or title.
    pub of: Option<String>,
    /// In order; the last is the one it is of.
    pub days: Vec<Date>,
    /// Only what had been recorded before this moment.
    pub known_by: Option<Instant>,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Made {
    Table(Table),
    Document(Filled),
}

/// The facts of a portion's items.
type Page = Vec<(String, Vec<Fact>)>;

impl App {
    /// A report or a document of the rule set at the end of each day. Items are read once for all reports of a workflow, a portion at a
    /// time, and counted beside each other; `seen` is told how many of how many.
    pub async fn report(&self, wanted: &Wanted, mut seen: impl FnMut(u64, u64)) -> Result<Made, ReportError> {
        let (rules, name) = self.find_report(&wanted.report)?;
        let workflow = &rules.setting.workflow;
        let (days, whose) = (&wanted.days, wanted.of.as_deref());
        let of_one_day = |title: &String| if days.len() > 1 { Err(ReportError::OfOneDay(title.clone())) } else { Ok(()) };
        if let Some(report) = workflow.reports.get(&name) {
            if matches!(report.shape, Shape::List { .. }) {
                of_one_day(&report.title)?;
            }
            let day = days.last().copied().unwrap_or_default();
            let tally = Tally::new(&rules, &name, days).of(whose.map(|text| find_of(&rules, report, text, day)).transpose()?);
            return Ok(Made::Table(only(self.count(&rules, vec![tally], wanted.known_by, seen).await?)?));
        }
        let (Some(document), Some(day)) = (workflow.documents.get(&name), days.last().copied()) else { return Err(self.unknown(&name)) };
        of_one_day(&document.title)?;
        if document.of_one && whose.is_none() {
            return Err(ReportError::OfWhom(document.title.clone()));
        }
        let mut tables: Vec<Option<Table>> = vec![None; document.parts.len()];
        let mut by_workflow: IndexMap<Name, Vec<(usize, Tally)>> = IndexMap::new();
        let mut of = None;
        for (place, part) in document.parts.iter().enumerate() {
            let Some((other, report)) = &part.report else { continue };
            let rules = other.as_ref().map_or_else(|| Ok(rules.clone()), |other| self.workflow_of(other))?;
            let declared = rules.setting.workflow.reports.get(report).ok_or_else(|| self.unknown(report))?;
            let nobody = |error| match error {
                NotOf::Nobody(_) => NotOf::Nobody(document.title.clone()),
                error => error,
            };
            let theirs = whose.map(|text| find_of(&rules, declared, text, day).map_err(nobody)).transpose()?;
            of = theirs.clone().or(of);
            by_workflow.entry(rules.setting.workflow.name.clone()).or_default().push((place, Tally::new(&rules, report, days).of(theirs)));
        }
        if whose.is_some() && of.is_none() {
            return Err(NotOf::Nobody(document.title.clone()).into());
        }
        for (workflow, tallies) in by_workflow {
            let rules = self.workflow_of(&workflow)?;
            let (places, tallies): (Vec<usize>, Vec<Tally>) = tallies.into_iter().unzip();
            let made = self.count(&rules, tallies, wanted.known_by, &mut seen).await?;
            places.into_iter().zip(made).for_each(|(place, table)| tables[place] = Some(table));
        }
        Ok(Made::Document(document::fill(&rules, &name, document, &tables, day, of)?))
    }

    /// One table of a workflow, as of a day.
    pub(super) async fn table(&self, rules: &Arc<Rules>, name: &Name, day: Date) -> Result<Table, ReportError> {
        only(self.count(rules, vec![Tally::new(rules, name, &[day])], None, |_, _| {}).await?)
    }

    /// Reports of one workflow as of a day, in one way through its items.
    pub async fn tables(&self, rules: &Arc<Rules>, names: &[Name], day: Date) -> Result<Vec<Table>, ReportError> {
        self.count(rules, names.iter().map(|name| Tally::new(rules, name, &[day])).collect(), None, |_, _| {}).await
    }

    /// Counts what reports of one workflow and the same days say.
    async fn count(
        &self,
        rules: &Arc<Rules>,
        blank: Vec<Tally>,
        known_by: Option<Instant>,
        mut seen: impl FnMut(u64, u64),
    ) -> Result<Vec<Table>, ReportError> {
        let workflow = &rules.setting.workflow.name;
        let (mut tallies, mut done, mut after) = (blank.clone(), 0, String::new());
        let counts = self.store.count_by_state().await?;
        let all = counts.iter().filter(|(of, ..)| **of == **workflow).map(|(.., count)| count).sum();
        let mut beside: VecDeque<JoinHandle<Result<Vec<Tally>, EvalError>>> = VecDeque::new();
        loop {
            let page = self.page(workflow, &after).await?;
            let last = page.last().map(|(id, _)| id.clone());
            if let Some(last) = &last {
                after.clone_from(last);
                done += page.len() as u64;
                let blank = blank.clone();
                beside.push_back(tokio::task::spawn_blocking(move || counted(blank, &page, known_by)));
            }
            while beside.len() > if last.is_some() { BESIDE } else { 0 } {
                let Some(counted) = beside.pop_front() else { break };
                let counted = counted.await.map_err(|error| StoreError::NotDone(error.to_string()))??;
                tallies.iter_mut().zip(counted).try_for_each(|(tally, later)| tally.merge(later))?;
            }
            seen(done, all);
            if last.is_none() {
                return Ok(tallies.into_iter().map(Tally::table).collect());
            }
        }
    }

    async fn page(&self, workflow: &Name, after: &str) -> Result<Page, StoreError> {
        let ids = self.store.ids(Some(workflow), false, after, PORTION).await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut items = self.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
        let facts = |id: String| items.remove(&id).unwrap_or_else(|| Ok(Vec::new())).map(|facts| (id, facts));
        ids.into_iter().map(facts).collect()
    }

    /// The workflow that declares a report or a document, and its name there; people may also call it by its title, or name its workflow.
    pub fn find_report(&self, name: &str) -> Result<(Arc<Rules>, Name), ReportError> {
        for rules in self.rules().workflows.values() {
            let workflow = &rules.setting.workflow.name;
            let short = name.strip_prefix(&**workflow).and_then(|rest| rest.strip_prefix('.')).unwrap_or(name);
            if let Some((declared, _)) = titles(rules).find(|(declared, title)| ***declared == *short || *title == name) {
                return Ok((rules.clone(), declared.clone()));
            }
        }
        Err(self.unknown(name))
    }

    fn unknown(&self, name: &str) -> ReportError {
        let rules = self.rules();
        let known: Vec<&str> = rules.workflows.values().flat_map(|rules| titles(rules)).map(|(declared, _)| &**declared).collect();
        ReportError::Unknown { name: name.to_string(), known: known.join(", ") }
    }

    fn workflow_of(&self, name: &Name) -> Result<Arc<Rules>, ReportError> {
        self.rules().workflows.get(name).cloned().ok_or_else(|| self.unknown(name))
    }
}

/// The reports and documents of a workflow, with their titles.
pub fn titles(rules: &Rules) -> impl Iterator<Item = (&Name, &str)> {
    let workflow = &rules.setting.workflow;
    let documents = workflow.documents.iter().map(|(name, document)| (name, document.title.as_str()));
    workflow.reports.iter().map(|(name, report)| (name, report.title.as_str())).chain(documents)
}

fn only(tables: Vec<Table>) -> Result<Table, ReportError> {
    tables.into_iter().next().ok_or_else(|| StoreError::NotDone("nothing was counted".into()).into())
}

fn counted(mut tallies: Vec<Tally>, page: &Page, known_by: Option<Instant>) -> Result<Vec<Tally>, EvalError> {
    page.iter().try_for_each(|(id, facts)| Tally::count_all(&mut tallies, id, facts, known_by))?;
    Ok(tallies)
}

/// In which form a report is handed in, beside JSON and the table of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Csv,
    Xlsx,
    Html,
    Svg,
}

/// Why there is no such form of a report.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    #[error("`{0}` has no figures that can be drawn")]
    NoChart(String),
    /// A document has several tables.
    #[error("`{0}` is not one table")]
    NoCsv(String),
    #[error(transparent)]
    Sheet(#[from] WriteError),
    #[error("the frame of the page, {0}")]
    Page(#[from] RenderError),
}

impl Format {
    pub const WORDS: [(&str, Format); 4] = [("csv", Format::Csv), ("xlsx", Format::Xlsx), ("html", Format::Html), ("svg", Format::Svg)];

    pub fn of(word: &str) -> Option<Format> {
        Format::WORDS.into_iter().find(|(known, _)| *known == word).map(|(_, format)| format)
    }

    pub fn word(self) -> &'static str {
        Format::WORDS.into_iter().find(|(_, format)| *format == self).map_or("", |(word, _)| word)
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Format::Csv => "text/csv; charset=utf-8",
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            Format::Html => "text/html; charset=utf-8",
            Format::Svg => "image/svg+xml",
        }
    }

    /// The bytes of a report, which are those of its file. `remarks` stand below it where there is room.
    pub fn write(self, made: &Made, remarks: &[String], lang: Lang) -> Result<Vec<u8>, FormatError> {
        let frame = files::REPORT_FRAME;
        Ok(match (self, made) {
            (Format::Csv, Made::Table(table)) => sheet::report::csv(table, lang)?,
            (Format::Csv, Made::Document(document)) => return Err(FormatError::NoCsv(document.title.clone())),
            (Format::Xlsx, Made::Table(table)) => sheet::report::workbook(table, remarks, lang).map_err(WriteError::from)?,
            (Format::Xlsx, Made::Document(document)) => sheet::report::document(document, remarks, lang).map_err(WriteError::from)?,
            (Format::Html, Made::Table(table)) => page::page(frame, table, remarks, lang)?.into_bytes(),
            (Format::Html, Made::Document(document)) => page::document(frame, document, remarks, lang)?.into_bytes(),
            (Format::Svg, Made::Table(table)) => {
                chart::draw(table, lang).ok_or_else(|| FormatError::NoChart(table.title.clone()))?.into_bytes()
            }
            (Format::Svg, Made::Document(document)) => return Err(FormatError::NoChart(document.title.clone())),
        })
    }
}
