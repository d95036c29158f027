//! A past stretch once more under other rules, item by item, on all processors. Nothing is written, and no mail leaves.

use super::foresee::{Pages, spread};
use super::{App, LoadError, contained};
use crate::kernel::model::Name;
use crate::kernel::rules::RuleSet;
use crate::kernel::simulate::replay::{Replay, Replayed};
use crate::kernel::time::Date;
use crate::store::StoreError;
use std::sync::Arc;

/// What became of an item, or why nothing can be said of it.
pub type ReplayedItem = (Name, Result<Replayed, String>);

impl App {
    /// Replays every item to which something happened between two days; `seen` gets how many items are done, and how many there are.
    pub async fn replay(
        &self,
        under: &RuleSet,
        first: Date,
        last: Date,
        mut seen: impl FnMut(u64, u64),
    ) -> Result<Vec<ReplayedItem>, StoreError> {
        let (mut out, mut done) = (Vec::new(), 0);
        let all = self.store.count_by_state().await?.iter().map(|(_, _, count)| count).sum();
        let in_use = self.rules();
        for (name, rules) in &under.workflows {
            let Some(was) = in_use.workflows.get(name) else { continue };
            let replay = Arc::new(Replay::new(was.clone(), rules.clone(), first, last));
            let mut pages = Pages::of(&self.store, name, false);
            let (mut page, mut left) = (pages.next().await?, replay.left());
            while let Some(items) = page {
                done += items.len() as u64;
                let course = replay.clone();
                let work = spread(items, left, replay.has_limits(), move |(id, facts), left| {
                    let again = facts
                        .map_err(LoadError::from)
                        .and_then(|facts| contained(|| course.item(&id, &facts, left))?.map_err(LoadError::from));
                    (Name::from(id), again.map_err(|error| error.to_string()))
                });
                let (next, worked) = tokio::join!(pages.next(), work);
                let replayed;
                (replayed, left) = worked?;
                out.extend(replayed.into_iter().filter_map(|(id, replayed)| Some((id, replayed.transpose()?))));
                seen(done, all);
                page = next?;
            }
        }
        Ok(out)
    }
}
