//! What items ask of each other: done on the other item as an action of its own, and answered here. The scheduler does it as soon as it is
//! recorded; whoever acted does it before, so that an office without a server has it at once.
//!
//! Each half is known by its cause, so that one that was cut off in between is gone through again without being done twice.

use super::desk::QueueError;
use super::{App, LoadError, deciding, name, reason};
use crate::kernel::decide::errands::{self, Answer, ToMake};
use crate::kernel::decide::{self};
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
        let mut waiting = vec![name(item)];
        for _ in 0..MOST {
            let Some(id) = waiting.pop() else { return Ok(()) };
            waiting.extend(self.run_its_errands(&id, now).await?);
        }
        Ok(())
    }

    /// Gives the items that were asked.
    async fn run_its_errands(&self, id: &Name, now: Instant) -> Result<Vec<Name>, LoadError> {
        for _ in 0..ATTEMPTS {
            let Some(held) = self.held(id, now).await?.filter(|held| !held.item.errands.is_empty()) else { return Ok(Vec::new()) };
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
            match self.written(queued).await {
                // Somebody else has recorded it.
                Ok(_) | Err(NotSaved::CauseRecorded(_)) => {
                    self.desk().forget(id);
                    return Ok(answers.into_iter().map(|answer| answer.errand.item.clone()).collect());
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
            let rules = base.as_ref().map_or(&rules, |held| &held.rules);
            let item = base.as_ref().map(|held| &held.item);
            let decision = self.counting(|counter| errands::arrive(rules, item, errand, from, now, counter)).await?;
            let accepted = match decision {
                Ok(accepted) if accepted.facts.is_empty() => return Ok(None),
                Ok(accepted) => accepted,
                Err(refusal) => return Ok(Some(refusal)),
            };
            let queued = self.queue(Lane::Background, &errand.item, base.as_ref(), rules, accepted, None, None, now);
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

    /// Makes an item for a sweep, unless it is there; gives the numbers of its facts and notices.
    pub(super) async fn make_item(&self, rules: &Arc<Rules>, made: &ToMake, on: Date, now: Instant) -> Result<(usize, usize), LoadError> {
        for _ in 0..ATTEMPTS {
            if self.held(&made.id, now).await?.is_some() {
                return Ok((0, 0));
            }
            let decision = self.counting(|counter| decide::errands::make(rules, made, on, now, counter)).await?;
            let accepted = decision.map_err(|refusal| LoadError::Refused(reason(&refusal)))?;
            let counts = (accepted.facts.len(), accepted.notices.len());
            let queued = self.queue(Lane::Background, &made.id, None, rules, accepted, None, None, now);
            let Some(queued) = queued.map_err(QueueError::into_load)? else { continue };
            match self.written(queued).await {
                Ok(_) => return Ok(counts),
                Err(NotSaved::Moved { .. } | NotSaved::CounterMoved { .. } | NotSaved::CauseRecorded(_)) => {}
                Err(NotSaved::Store(error)) => return Err(error.into()),
                Err(error) => return Err(LoadError::Refused(error.to_string())),
            }
        }
        Err(LoadError::Refused(format!("`{}` kept moving while it was made", made.id)))
    }
}
