//! Items as rows of the list that an import reads, a portion at a time.

use super::App;
use super::report::{PORTION, ReportError};
use crate::kernel::model::Name;
use crate::kernel::rules::Rules;
use crate::sheet::list::List;
use crate::sheet::write::Cell;
use crate::store::StoreError;
use std::sync::Arc;

/// The rows of a list, and the items that did not begin as its rows would.
#[derive(Debug, Default)]
pub struct Exported {
    pub headings: Vec<String>,
    pub rows: Vec<Vec<Cell>>,
    pub left_out: u64,
    /// Headings of columns that are not for everybody, and were not written.
    pub kept: Vec<String>,
}

impl App {
    /// Every item of the workflow as a row of one of its imports, in the order of the ids; with
    /// `all`, also the columns that are not for everybody. `seen` is told how many of how many.
    pub async fn export(
        &self,
        rules: &Arc<Rules>,
        import: &Name,
        all: bool,
        mut seen: impl FnMut(u64, u64),
    ) -> Result<Exported, ReportError> {
        let workflow = &rules.setting.workflow;
        let Some(declared) = workflow.imports.get(import) else {
            let known: Vec<&str> = workflow.imports.keys().map(|name| &**name).collect();
            return Err(ReportError::Unknown { name: import.to_string(), known: known.join(", ") });
        };
        let list = List::new(declared, workflow, &rules.setting.directory, all);
        let mut exported = Exported { headings: list.headings(), kept: list.kept(), ..Exported::default() };
        let counts = self.store.count_by_state().await?;
        let count = counts.iter().filter(|(of, ..)| **of == *workflow.name).map(|(.., count)| count).sum();
        let mut after = String::new();
        loop {
            let ids = self.store.ids(Some(&workflow.name), false, &after, PORTION).await?;
            let Some(last) = ids.last() else { return Ok(exported) };
            after.clone_from(last);
            let mut items = self.store.items(&ids.iter().map(String::as_str).collect::<Vec<_>>()).await?;
            for id in &ids {
                let facts = items.remove(id).unwrap_or_else(|| Err(StoreError::Damaged(format!("`{id}` has no facts"))))?;
                match list.row(&id.as_str().into(), &facts) {
                    Some(row) => exported.rows.push(row),
                    None => exported.left_out += 1,
                }
            }
            seen((exported.rows.len() as u64) + exported.left_out, count);
        }
    }
}
