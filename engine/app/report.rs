//! Figures as of any day, counted from the facts of all items, a portion at a time.

use super::App;
use crate::kernel::model::Name;
use crate::kernel::report::{Figures, Tally};
use crate::kernel::rules::{EvalError, Rules};
use crate::kernel::time::{Date, Instant};
use crate::store::StoreError;
use std::sync::Arc;

/// Items that are read at once.
const PORTION: u32 = 500;

#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error("the rule set in use has no report `{name}`; it has: {known}")]
    Unknown { name: String, known: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Eval(#[from] EvalError),
}

impl App {
    /// Counts a report of the rule set at the end of a day, by what was recorded before `known_by`.
    pub async fn report(&self, name: &str, as_of: Date, known_by: Option<Instant>) -> Result<Figures, ReportError> {
        let (rules, name) = self.find_report(name)?;
        let workflow = &rules.setting.workflow;
        let mut tally = Tally::new(&rules, &name, &workflow.reports[&name], as_of);
        let mut after = String::new();
        loop {
            let ids = self.store.ids(Some(&workflow.name), false, &after, PORTION).await?;
            let Some(last) = ids.last() else { break };
            after.clone_from(last);
            let mut items = self.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            for id in &ids {
                if let Some(facts) = items.remove(id) {
                    tally.count(id, &facts?, known_by)?;
                }
            }
        }
        Ok(tally.figures())
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
