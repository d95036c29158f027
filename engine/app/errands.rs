//! What items ask of each other: done on the other item as an action of its own, and answered here. The scheduler does it as soon as it is
//! recorded; whoever acted does it before, so that an office without a server has it at once.
//!
//! Each half is known by its cause, so that one that was cut off in between is gone through again without being done twice.

use super::desk::QueueError;
use super::{App, LoadError, deciding, name, reason};
use crate::kernel::decide::errands::{self, Answer, ToMake};
use crate::kernel::model::Name;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::item::Errand;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use crate::store::Lane;
use crate::store::save::NotSaved;
use std::sync::Arc;

/// An item that moves meanwhile is asked again so often.
const ATTEMPTS: usize = 20;
/// Items that ask each other in a circle are left to the scheduler after so many.
const MOST: usize = 100;

impl App {
    /// Does what an item asks of others, and what these ask in turn.
    pub(super) async fn run_errands(&self, item: &str, now: Instant) -> Result<(), LoadError> {
        let (waiting, _) = self.run_its_errands(&name(item), now).await?;
        self.run_errands_of(waiting, now).await;
        Ok(())
    }

    /// The same at once, after a command on the item; gives the item's revision when it has moved by it.
    pub(super) async fn run_errands_at_once(&self, item: &Name) -> Option<u64> {
        let now = self.now();
        match self.run_its_errands(item, now).await {
            Ok((waiting, rev)) => {
                self.run_errands_of(waiting, now).await;
                rev
            }
            Err(error) => {
                tracing::warn!(%item, %error, "what an item asks of others waits");
                None
            }
        }
    }

    /// What was asked may ask in turn. Each has a moment of its own, at which it is tried again or set aside.
    async fn run_errands_of(&self, mut waiting: Vec<Name>, now: Instant) {
        for _ in 0..MOST {
            let Some(id) = waiting.pop() else { return };
            match self.run_its_errands(&id, now).await {
                Ok((more, _)) => waiting.extend(more),
                Err(error) => tracing::warn!(item = %id, %error, "what an item asks of others waits"),
            }
        }
    }

    /// Gives the items that were asked, and the revision at which the answers are recorded.
    async fn run_its_errands(&self, id: &Name, now: Instant) -> Result<(Vec<Name>, Option<u64>), LoadError> {
        for _ in 0..ATTEMPTS {
            let Some(held) = self.held(id, now).await?.filter(|held| !held.item.errands.is_empty()) else {
                return Ok((Vec::new(), None));
            };
            let mut answers = Vec::with_capacity(held.item.errands.len());
            for errand in &held.item.errands {
                let refused = self.run_errand(id, errand, now).await?;
                if let Some(refusal) = &refused {
                    tracing::warn!(item = %id, asked = %errand.item, action = %errand.action, reason = reason(refusal), "an item refused what another asked");
                }
                answers.push(Answer { errand: errand.clone(), refused });
            }
            let accepted = deciding(|| errands::answered(&held.rules, &held.item, &answers, now))?
                .map_err(|refusal| LoadError::Refused(reason(&refusal)))?;
            let queued = self.queue(Lane::Background, id, Some(&held), &held.rules, accepted, None, None, now);
            let Some(queued) = queued.map_err(QueueError::into_load)? else { continue };
            let rev = queued.item.rev;
            match self.written(queued).await {
                // Or somebody else has recorded it.
                Ok(_) | Err(NotSaved::CauseRecorded(_)) => {
                    self.desk().forget(id);
                    return Ok((answers.into_iter().map(|answer| answer.errand.item.clone()).collect(), Some(rev)));
                }
                Err(NotSaved::Moved { .. }) => {}
                Err(NotSaved::Store(error)) => return Err(error.into()),
                Err(error) => return Err(LoadError::Refused(error.to_string())),
            }
        }
        Err(LoadError::Refused("it kept moving while others did what it asks".into()))
    }

    /// Gives the refusal when it is not done.
    async fn run_errand(&self, from: &Name, errand: &Arc<Errand>, now: Instant) -> Result<Option<Refusal>, LoadError> {
        let Ok(rules) = self.workflow(&errand.workflow) else {
            let values = vec![("action".into(), errand.action.to_string())];
            return Ok(Some(Refusal { code: RefusalCode::UnknownWorkflow, sentence: None, rule: None, values }));
        };
        for _ in 0..ATTEMPTS {
            let base = self.held(&errand.item, now).await?;
            let item = base.as_ref().map(|held| &held.item);
            let decision = self.counting(|counter| errands::arrive(&rules, item, errand, from, now, counter)).await?;
            let accepted = match decision {
                Ok(accepted) if accepted.facts.is_empty() => return Ok(None),
                Ok(accepted) => accepted,
                Err(refusal) => {
                    // Another process may have brought it meanwhile to where it is allowed.
                    if let Some(held) = &base {
                        if self.has_moved(held).await? {
                            continue;
                        }
                    }
                    return Ok(Some(refusal));
                }
            };
            let queued = self.queue(Lane::Background, &errand.item, base.as_ref(), &rules, accepted, None, None, now);
            let Some(queued) = queued.map_err(QueueError::into_load)? else { continue };
            match self.written(queued).await {
                Ok(_) | Err(NotSaved::CauseRecorded(_)) => return Ok(None),
                Err(NotSaved::Moved { .. } | NotSaved::CounterMoved { .. }) => {}
                Err(NotSaved::Taken { field, value, item }) => {
                    let values = vec![("field".into(), field), ("value".into(), value), ("item".into(), item)];
                    return Ok(Some(Refusal { code: RefusalCode::NotUnique, sentence: None, rule: None, values }));
                }
                Err(NotSaved::Store(error)) => return Err(error.into()),
                Err(error) => return Err(LoadError::Refused(error.to_string())),
            }
        }
        Err(LoadError::Refused(format!("`{}` kept moving while it was asked", errand.item)))
    }

    /// Makes an item for a sweep, unless it is there; gives the numbers of its facts and notices, or the refusal of the rules.
    pub(super) async fn make_item(
        &self,
        rules: &Arc<Rules>,
        made: &ToMake,
        on: Date,
        now: Instant,
    ) -> Result<Result<(usize, usize), Refusal>, LoadError> {
        for _ in 0..ATTEMPTS {
            if self.held(&made.id, now).await?.is_some() {
                return Ok(Ok((0, 0)));
            }
            let accepted = match self.counting(|counter| errands::make(rules, made, on, now, counter)).await? {
                Ok(accepted) => accepted,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let counts = (accepted.facts.len(), accepted.notices.len());
            let queued = self.queue(Lane::Background, &made.id, None, rules, accepted, None, None, now);
            let Some(queued) = queued.map_err(QueueError::into_load)? else { continue };
            match self.written(queued).await {
                Ok(_) => return Ok(Ok(counts)),
                Err(NotSaved::Moved { .. } | NotSaved::CounterMoved { .. } | NotSaved::CauseRecorded(_)) => {}
                Err(NotSaved::Store(error)) => return Err(error.into()),
                Err(error) => return Err(LoadError::Refused(error.to_string())),
            }
        }
        Err(LoadError::Refused(format!("`{}` kept moving while it was made", made.id)))
    }
}
