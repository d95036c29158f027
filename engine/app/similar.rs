//! Items that are likely about the same matter, of this year and of earlier ones.

use super::App;
use crate::kernel::similar::likeness;
use crate::store::StoreError;
use crate::store::items::{Filter, Listed};

/// Items that are read at once.
const PORTION: u32 = 1000;
/// Below this, in percent, two titles have hardly more in common than the words of their kind.
const ALIKE: u8 = 25;

impl App {
    /// At most `limit` other items, of a workflow or of all, with a title like this one, in percent, the most alike first.
    pub async fn similar(
        &self,
        workflow: Option<&str>,
        title: &str,
        besides: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(u8, Listed)>, StoreError> {
        let mut filter = Filter { workflow: workflow.map(str::to_string), ..Filter::default() };
        let mut all = Vec::new();
        loop {
            let page = self.store.list(&filter, PORTION).await?;
            let Some(last) = page.last() else { break };
            filter.after.clone_from(&last.id);
            all.extend(page.into_iter().filter(|row| besides != Some(&*row.id)));
        }
        let alike = likeness(title, all.iter().map(|row| row.title.as_str()));
        let mut found: Vec<(u8, Listed)> = alike.into_iter().zip(all).filter(|(percent, _)| *percent >= ALIKE).collect();
        // Equally alike: the later one first.
        found.sort_by(|(one, first), (other, second)| other.cmp(one).then_with(|| second.id.cmp(&first.id)));
        found.truncate(limit);
        Ok(found)
    }
}
