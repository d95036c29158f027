//! Rounds over items: each slot of a sweep's schedule is claimed once and carried out item by item.
//!
//! A slot stays open until every item was seen. When the process dies in between, or an item fails, it is gone through again; what was
//! done already is known by its cause.

use super::desk::{Held, QueueError, Queued};
use super::{App, LoadError, Offices, contained, deciding, name, reason};
use crate::kernel::calendar::cron::Cron;
use crate::kernel::decide;
use crate::kernel::rules::Rules;
use crate::kernel::time::{Date, Instant};
use crate::store::save::NotSaved;
use crate::store::slots::Slot;
use crate::store::{Lane, StoreError};
use chrono::TimeDelta;
use std::collections::HashMap;
use std::sync::Arc;

/// Items that are read at once.
const PAGE: u32 = 256;
/// A slot that nobody has worked on for so long is taken over, so many at a time.
pub const SLOT_LEASE: TimeDelta = TimeDelta::minutes(10);
const OPEN_SLOTS: u32 = 16;
/// Sweeps that are carried out in one go.
const SWEEPS: u32 = 64;
/// A schedule without a next slot.
const NEVER: Instant = Instant::MAX_UTC;
/// An item that moves under the sweep is asked again so often.
const ATTEMPTS: usize = 10;

/// What a tick did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Sweeps and open slots that were looked at.
    pub looked_at: usize,
    pub slots: usize,
    pub items: usize,
    pub facts: usize,
    pub notices: usize,
    /// Items that were set aside; their slot is gone through again later.
    pub set_aside: usize,
}

impl Offices {
    /// Carries out the slots that have come, of whichever office, and goes on with those that were left open.
    pub async fn sweep_due(&self) -> Result<Swept, StoreError> {
        let now = self.now();
        let (mut swept, mut failed) = (Swept::default(), None);
        let moments = self.next_moments().await?;
        if moments.open_slot.is_some_and(|claimed| claimed <= now - SLOT_LEASE) {
            for (here, slot) in self.store.everywhere().take_open_slots(now - SLOT_LEASE, now, OPEN_SLOTS, &self.except()).await? {
                if let Some(app) = self.if_not_shut(&here).await? {
                    swept.looked_at += 1;
                    app.carry_out(slot, now, &mut swept).await?;
                }
            }
        }
        if moments.slot.is_some_and(|next| next <= now) {
            for due in self.store.everywhere().sweeps_due(now, SWEEPS, &self.except()).await? {
                let Some(app) = self.if_not_shut(&due.jurisdiction).await? else { continue };
                match app.sweep(&due.sweep, now, &mut swept).await {
                    Ok(known) => swept.looked_at += usize::from(known),
                    // It comes first again at the next look, after all others had their turn.
                    Err(error) => {
                        tracing::error!(jurisdiction = %due.jurisdiction, sweep = due.sweep, %error, "a sweep failed");
                        failed.get_or_insert(error);
                    }
                }
            }
        }
        failed.map_or(Ok(swept), Err)
    }
}

impl App {
    /// Carries out the slots of a sweep that have come, and says when the next one does; `false` when the rules in use have no such sweep.
    async fn sweep(&self, key: &str, now: Instant, swept: &mut Swept) -> Result<bool, StoreError> {
        let revision = self.in_use().revision;
        let declared = key.split_once('/').and_then(|(workflow, sweep)| {
            let rules = self.workflow(workflow).ok()?;
            let declared = rules.setting.workflow.sweeps.get(sweep)?;
            // A rule set in use has been checked: a schedule that cannot be read is not in it.
            let (cron, if_missed) = (Cron::parse(&declared.cron).ok()?, declared.if_missed);
            Some((rules, cron, if_missed))
        });
        let Some((rules, cron, if_missed)) = declared else {
            // Unless another process knows it by newer rules, which this one follows at its next tick.
            self.store.schedule(key, NEVER, revision).await?;
            return Ok(false);
        };
        let zone = rules.setting.workflow.timezone;
        let mut through = now;
        match self.store.last_slot(key).await? {
            None => self.begin(key, &rules, now).await?,
            Some(last) => {
                let found = decide::due_slots(&cron, if_missed, zone, last.at, now);
                // When more were missed than are named at once, the next tick goes on after these.
                through = found.last().map_or(now, |last| last.at);
                for found in found {
                    let slot = Slot { sweep: key.to_string(), slot: found.name, at: found.at };
                    if self.store.claim_slot(&slot, now).await? {
                        self.carry_out(slot, now, swept).await?;
                    }
                }
            }
        }
        let next = cron.next(zone, through).map_or(NEVER, |slot| slot.at);
        self.store.schedule(key, next, revision).await?;
        Ok(true)
    }

    /// A sweep begins when it is first seen: what its schedule says of the time before is not caught up.
    async fn begin(&self, key: &str, rules: &Rules, now: Instant) -> Result<(), StoreError> {
        let local = now.with_timezone(&rules.setting.workflow.timezone);
        let slot = Slot { sweep: key.to_string(), slot: local.format("%Y-%m-%dT%H:%M").to_string(), at: now };
        if self.store.claim_slot(&slot, now).await? {
            self.store.finish_slot(&slot, now).await?;
        }
        Ok(())
    }

    async fn carry_out(&self, slot: Slot, now: Instant, swept: &mut Swept) -> Result<(), StoreError> {
        let whole = self.over_items(&slot, now, swept).await?;
        swept.slots += 1;
        // One that is not whole is taken up again, by whoever comes first, when its lease has run out.
        if whole { self.store.finish_slot(&slot, now).await } else { Ok(()) }
    }

    /// Goes over every open item; `false` when one of them was set aside.
    async fn over_items(&self, slot: &Slot, now: Instant, swept: &mut Swept) -> Result<bool, StoreError> {
        let Some((workflow, sweep)) = slot.sweep.split_once('/') else { return Ok(true) };
        let Ok(rules) = self.workflow(workflow) else { return Ok(true) };
        let Some(declared) = rules.setting.workflow.sweeps.get(sweep) else { return Ok(true) };
        let Some(on) = slot.slot.get(..10).and_then(|day| day.parse::<Date>().ok()) else { return Ok(true) };
        let round = Round { sweep, slot: &slot.slot, on, now };
        if declared.creates.is_some() {
            return self.make_items(&rules, &round, swept).await;
        }
        let mut left = declared.limit.map_or(usize::MAX, |limit| limit as usize);
        let (mut whole, mut after) = (true, String::new());
        loop {
            let ids = self.store.ids(Some(workflow), true, &after, PAGE).await?;
            let Some(last) = ids.last() else { break };
            after = last.clone();
            let asked: Vec<_> = ids.iter().map(|id| (id.as_str(), workflow)).collect();
            let held = match self.held_many(&asked, now).await {
                Ok(held) => held,
                Err(LoadError::Store(error)) => return Err(error),
                Err(error) => return Err(StoreError::NotDone(error.to_string())),
            };
            let mut queued = Vec::new();
            for (id, held) in ids.iter().zip(held) {
                if left == 0 {
                    break;
                }
                match held.and_then(|held| self.sweep_item(&round, &held)) {
                    Ok(Asked::Nothing) => {}
                    Ok(asked) => {
                        left -= 1;
                        queued.push((id, asked));
                    }
                    Err(error) => whole &= self.not_swept(id, error, now, swept).await?,
                }
                tokio::task::yield_now().await;
            }
            for (id, asked) in queued {
                match self.sweep_written(&round, id, asked, swept).await {
                    Ok(()) => {}
                    Err(error) => whole &= self.not_swept(id, error, now, swept).await?,
                }
            }
            if left == 0 || ids.len() < PAGE as usize {
                break;
            }
            self.store.renew_slot(slot, self.now()).await?;
        }
        Ok(whole)
    }

    /// Makes the items of a sweep that are not there yet; `false` when one of them could not be made.
    async fn make_items(&self, rules: &Arc<Rules>, round: &Round<'_>, swept: &mut Swept) -> Result<bool, StoreError> {
        let made = match contained(|| decide::to_make(rules, round.sweep, round.slot, round.on, round.now)) {
            Ok(Ok(made)) => made,
            Ok(Err(refusal)) => {
                tracing::error!(sweep = round.sweep, reason = reason(&refusal), "a sweep could not say what it makes");
                return Ok(false);
            }
            Err(error) => return Err(StoreError::NotDone(error.to_string())),
        };
        // Most of them are there when a slot is gone through again; whoever comes in between is met one by one.
        let mut there = HashMap::new();
        for some in made.chunks(PAGE as usize) {
            there.extend(self.store.revisions(&some.iter().map(|made| &*made.id).collect::<Vec<_>>()).await?);
        }
        let mut whole = true;
        for made in made.into_iter().filter(|made| !there.contains_key(&*made.id)) {
            match self.make_item(rules, &made, round.on, round.now).await {
                Ok(Ok((0, _))) => {}
                // The rules say no to this one: asking again would not change that.
                Ok(Err(refusal)) => {
                    let reason = reason(&refusal);
                    tracing::error!(item = %made.id, sweep = round.sweep, reason, "the rules refuse an item that a sweep makes");
                }
                Ok(Ok((facts, notices))) => {
                    swept.items += 1;
                    swept.facts += facts;
                    swept.notices += notices;
                }
                Err(error) => match error.of_the_store() {
                    Some(error) => return Err(error),
                    None => {
                        tracing::error!(item = %made.id, %error, "a sweep could not make an item");
                        swept.set_aside += 1;
                        whole = false;
                    }
                },
            }
        }
        Ok(whole)
    }

    fn sweep_item(&self, round: &Round, held: &Arc<Held>) -> Result<Asked, LoadError> {
        let accepted = match deciding(|| decide::sweep(&held.rules, &held.item, round.sweep, round.slot, round.on, round.now))? {
            Ok(accepted) if accepted.facts.is_empty() => return Ok(Asked::Nothing),
            Ok(accepted) => accepted,
            Err(refusal) => return Err(LoadError::Refused(reason(&refusal))),
        };
        let (facts, notices) = (accepted.facts.len(), accepted.notices.len());
        let queued = self.queue(Lane::Background, &held.item.id, Some(held), &held.rules, accepted, None, None, round.now);
        Ok(match queued.map_err(QueueError::into_load)? {
            Some(queued) => Asked::Queued(Box::new(queued), facts, notices),
            None => Asked::Moved,
        })
    }

    /// Waits for the commit, and asks again while the item moves.
    async fn sweep_written(&self, round: &Round<'_>, id: &str, mut asked: Asked, swept: &mut Swept) -> Result<(), LoadError> {
        for _ in 0..ATTEMPTS {
            if let Asked::Queued(queued, facts, notices) = asked {
                match self.written(*queued).await {
                    Ok(_) => {
                        swept.items += 1;
                        swept.facts += facts;
                        swept.notices += notices;
                        return Ok(());
                    }
                    // It was done before the slot was left open.
                    Err(NotSaved::CauseRecorded(_)) => return Ok(()),
                    Err(NotSaved::Moved { .. }) => {}
                    Err(NotSaved::Store(error)) => return Err(error.into()),
                    Err(error) => return Err(LoadError::Refused(error.to_string())),
                }
            }
            let Some(held) = self.held(id, round.now).await? else { return Ok(()) };
            asked = self.sweep_item(round, &held)?;
            if matches!(asked, Asked::Nothing) {
                return Ok(());
            }
        }
        Err(LoadError::Refused("it kept moving while the sweep asked it".into()))
    }

    /// Sets the item aside; an error only when the store itself fails.
    async fn not_swept(&self, id: &str, error: LoadError, now: Instant, swept: &mut Swept) -> Result<bool, StoreError> {
        if let Some(error) = error.of_the_store() {
            return Err(error);
        }
        tracing::warn!(item = id, %error, "a sweep set an item aside");
        self.desk().forget(&name(id));
        self.store.quarantine(id, None, None, &error.to_string(), now + TimeDelta::minutes(10), now).await?;
        swept.set_aside += 1;
        Ok(false)
    }
}

struct Round<'a> {
    sweep: &'a str,
    slot: &'a str,
    /// The slot's day: what it does counts as done then, however late it runs.
    on: Date,
    now: Instant,
}

enum Asked {
    /// The item is not concerned.
    Nothing,
    Moved,
    Queued(Box<Queued>, usize, usize),
}
