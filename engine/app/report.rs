//! Reports as of any day, made from the facts of all items, a portion at a time.

use super::App;
use crate::kernel::model::Name;
use crate::kernel::model::definition::Shape;
use crate::kernel::model::fact::Fact;
use crate::kernel::render::RenderError;
use crate::kernel::report::{Table, Tally, chart, page};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use crate::kernel::words::Lang;
use crate::sheet::write::WriteError;
use crate::store::StoreError;
use crate::{files, sheet};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::task::JoinHandle;

/// Items that are read at once.
const PORTION: u32 = 500;
/// Portions that are counted while the next is read.
const BESIDE: usize = 2;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the rule set in use has no report `{name}`; it has: {known}")]
    Unknown { name: String, known: String },
    /// A list is of one day.
    #[error("report `{0}` is a list, which is of one day")]
    ListOfDays(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Eval(#[from] EvalError),
}

/// Which report, of which days, and by what was known when.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// By its name, or its title.
    pub report: String,
    /// In order; the last is the one it is of.
    pub days: Vec<Date>,
    /// Only what had been recorded before this moment.
    pub known_by: Option<Instant>,
}

/// The facts of a portion's items.
type Page = Vec<(String, Vec<Fact>)>;

impl App {
    /// A report of the rule set at the end of each day. Items are read once, a portion at a time, and counted beside each other; `seen` is
    /// told how many of how many.
    pub async fn report(&self, wanted: &Wanted, seen: impl FnMut(u64, u64)) -> Result<Table, ReportError> {
        let (rules, name) = self.find_report(&wanted.report)?;
        let report = rules.setting.workflow.reports.get(&name);
        if let Some(report) = report.filter(|report| wanted.days.len() > 1 && matches!(report.shape, Shape::List { .. })) {
            return Err(ReportError::ListOfDays(report.title.clone()));
        }
        self.count(&rules, &name, &wanted.days, wanted.known_by, seen).await
    }

    /// Counts what a workflow's report says at the end of each day.
    pub(super) async fn count(
        &self,
        rules: &Arc<Rules>,
        name: &Name,
        days: &[Date],
        known_by: Option<Instant>,
        mut seen: impl FnMut(u64, u64),
    ) -> Result<Table, ReportError> {
        let workflow = &rules.setting.workflow.name;
        let blank = Tally::new(rules, name, days);
        let (mut tally, mut done, mut after) = (blank.clone(), 0, String::new());
        let counts = self.store.count_by_state().await?;
        let all = counts.iter().filter(|(of, ..)| **of == **workflow).map(|(.., count)| count).sum();
        let mut beside: VecDeque<JoinHandle<Result<Tally, EvalError>>> = VecDeque::new();
        loop {
            let page = self.page(workflow, &after).await?;
            let last = page.last().map(|(id, _)| id.clone());
            if let Some(last) = &last {
                after.clone_from(last);
                done += page.len() as u64;
                let blank = blank.clone();
                beside.push_back(tokio::task::spawn_blocking(move || count(blank, &page, known_by)));
            }
            while beside.len() > if last.is_some() { BESIDE } else { 0 } {
                let Some(counted) = beside.pop_front() else { break };
                tally.merge(counted.await.map_err(|error| StoreError::NotDone(error.to_string()))??)?;
            }
            seen(done, all);
            if last.is_none() {
                return Ok(tally.table());
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

    /// The workflow that declares a report, and its name there; people may also call it by its title.
    pub fn find_report(&self, name: &str) -> Result<(Arc<Rules>, Name), ReportError> {
        let rules = self.rules();
        let mut known = Vec::new();
        for rules in rules.workflows.values() {
            for (declared, report) in &rules.setting.workflow.reports {
                if **declared == *name || report.title == name {
                    return Ok((rules.clone(), declared.clone()));
                }
                known.push(declared.to_string());
            }
        }
        Err(ReportError::Unknown { name: name.to_string(), known: known.join(", ") })
    }
}

fn count(mut tally: Tally, page: &Page, known_by: Option<Instant>) -> Result<Tally, EvalError> {
    page.iter().try_for_each(|(id, facts)| tally.count(id, facts, known_by))?;
    Ok(tally)
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
    pub fn write(self, table: &Table, remarks: &[String], lang: Lang) -> Result<Vec<u8>, FormatError> {
        match self {
            Format::Csv => Ok(sheet::report::csv(table, lang)?),
            Format::Xlsx => Ok(sheet::report::workbook(table, remarks, lang).map_err(WriteError::from)?),
            Format::Html => Ok(page::page(files::REPORT_FRAME, table, remarks, lang)?.into_bytes()),
            Format::Svg => match chart::draw(table, lang) {
                Some(drawn) => Ok(drawn.into_bytes()),
                None => Err(FormatError::NoChart(table.title.clone())),
            },
        }
    }
}
