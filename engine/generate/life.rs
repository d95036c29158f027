//! One life of an item, from its first fact up to now: a seeded walk over what the people of a rule set may do, decided by the kernel, with
//! the engine at work in between.

use super::TOKEN;
use super::values::{Choice, one_of};
use crate::kernel::decide::{self, who};
use crate::kernel::derive::{self, fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::{BranchAddress, Command};
use crate::kernel::model::decision::{Notice, Refusal, RefusalCode};
use crate::kernel::model::definition::{Action, By, StateKind};
use crate::kernel::model::fact::Fact;
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::kernel::simulate::world::World;
use crate::kernel::time::Instant;
use chrono::TimeDelta;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;

/// A life that owes something later, or is still open.
pub struct Life {
    pub rules: Arc<Rules>,
    /// As it is today.
    pub item: Arc<Item>,
    pub facts: Vec<Fact>,
    pub wake_up: Option<Instant>,
    /// Notices whose moment is yet to come.
    pub waiting: Vec<Notice>,
    /// Notices that were told, or no longer owed.
    pub over: Vec<Notice>,
    /// Counters that were used, with the last number given.
    pub counters: Vec<(String, i64)>,
}

/// Different values are tried so often until an action goes through.
const TRIES: usize = 12;
/// The longest that the engine may leave a person nothing to do.
const IDLE: usize = 8;

/// A life of about so many facts that began at `from`. `None` when it came to its end, or into trouble; another seed may do better.
pub fn live(rules: &Arc<Rules>, from: Instant, now: Instant, facts: usize, seed: u64) -> Option<Life> {
    let mut walk = Walk {
        world: World::new(rules.clone(), from),
        rules: rules.clone(),
        id: TOKEN.to_string().as_str().into(),
        chance: StdRng::seed_from_u64(seed),
        commands: 0,
        last_refusal: None,
    };
    walk.world.counts_from = TOKEN as i64 * super::NUMBERS_EACH;
    walk.begin()?;
    let mut idle = 0;
    loop {
        let left = facts.saturating_sub(walk.facts());
        let remains = now - walk.world.now;
        if left == 0 || idle > IDLE || remains < TimeDelta::hours(1) {
            break;
        }
        // On the average in as many steps as there are facts to come.
        let longest = (remains.num_minutes() * 2 / (left as i64 + 1)).max(2);
        let step = TimeDelta::minutes(walk.chance.random_range(1..longest)).min(remains);
        walk.world.advance_to(walk.world.now + step);
        idle = if walk.act() { 0 } else { idle + 1 };
    }
    walk.world.advance_to(now);
    walk.end()
}

/// Why nobody could begin an item, for the author.
pub fn why_none_begins(rules: &Arc<Rules>, now: Instant, seed: u64) -> Option<Refusal> {
    let mut walk = Walk {
        world: World::new(rules.clone(), now),
        rules: rules.clone(),
        id: TOKEN.to_string().as_str().into(),
        chance: StdRng::seed_from_u64(seed),
        commands: 0,
        last_refusal: None,
    };
    walk.begin();
    walk.last_refusal
}

struct Walk {
    world: World,
    rules: Arc<Rules>,
    id: Name,
    chance: StdRng,
    commands: usize,
    last_refusal: Option<Refusal>,
}

/// An action of the item or of one of its branches, in the words of a command.
struct Candidate {
    task: Option<u32>,
    name: Name,
    action: Action,
}

impl Walk {
    fn facts(&self) -> usize {
        self.world.items.get(&self.id).map_or(0, |kept| kept.facts.len())
    }

    /// Somebody opens the item.
    fn begin(&mut self) -> Option<()> {
        let today = self.world.today();
        let blank = Arc::new(fold::begin(&self.rules, &self.id, today, today));
        let actions = self.rules.setting.workflow.actions.iter().filter(|(_, action)| action.creates);
        let candidates = actions.map(|(name, action)| Candidate { task: None, name: name.clone(), action: action.clone() }).collect();
        self.one_goes_through(candidates, &blank).then_some(())
    }

    /// Somebody does something with it; `false` when nobody can.
    fn act(&mut self) -> bool {
        let Some(item) = self.world.item(&self.id) else { return false };
        let workflow = &self.rules.setting.workflow;
        let ends = |to: &Option<Name>| to.as_ref().and_then(|to| workflow.states.get(to)).is_some_and(|state| state.kind == StateKind::End);
        let own = workflow.actions.iter().filter(|(_, action)| !action.creates && !ends(&action.to)).map(|(name, action)| Candidate {
            task: None,
            name: name.clone(),
            action: action.clone(),
        });
        let of_branches = item.branches.iter().filter(|branch| !branch.ended).flat_map(|branch| {
            let actions = workflow.branches.get(&branch.kind).into_iter().flat_map(|kind| &kind.actions);
            actions.map(|(name, action)| Candidate { task: Some(branch.no), name: name.clone(), action: action.clone() })
        });
        let open = |candidate: &Candidate| who::state_allows(&self.rules, &item, &candidate.action, candidate.task).is_ok();
        let candidates = own.chain(of_branches).filter(open).collect();
        self.one_goes_through(candidates, &item)
    }

    /// Tries them in any order until one is done.
    fn one_goes_through(&mut self, mut candidates: Vec<Candidate>, item: &Arc<Item>) -> bool {
        while !candidates.is_empty() {
            let nth = self.chance.random_range(0..candidates.len());
            let candidate = candidates.swap_remove(nth);
            let ways: Vec<By> = candidate.action.by.iter().filter(|by| &*by.role != roles::SYSTEM).cloned().collect();
            let Some(by) = one_of(&ways, &mut self.chance) else { continue };
            if self.goes_through(&candidate, by, item) {
                return true;
            }
        }
        false
    }

    fn goes_through(&mut self, candidate: &Candidate, by: &By, item: &Arc<Item>) -> bool {
        let today = self.world.today();
        let holders = roles::holders(&self.rules, item, &by.role, candidate.task, today).unwrap_or_default();
        for _ in 0..TRIES {
            let Some(person) = one_of(&holders, &mut self.chance).cloned() else { return false };
            let choice = Choice { rules: &self.rules, item: Some(item), actor: &person, today };
            let mut input = Fields::new();
            for ask in candidate.action.ask.iter().chain(&by.ask) {
                if ask.required || self.chance.random_bool(0.6) {
                    if let Some(value) = choice.answer(ask, &mut self.chance) {
                        input.insert(ask.name.clone(), value);
                    }
                }
            }
            self.commands += 1;
            let command = Command {
                id: format!("{}-{}", self.id, self.commands).into(),
                item: self.id.clone(),
                branch: candidate.task.map(BranchAddress::No),
                action: candidate.name.clone(),
                input,
                by: person,
                via: None,
                effective_on: None,
                seen_rev: None,
            };
            match self.world.act(&command) {
                Ok(()) => return true,
                // Other values will not help.
                Err(refusal) if matches!(refusal.code, RefusalCode::WrongState | RefusalCode::RequestPending | RefusalCode::NoRequest) => {
                    return false;
                }
                Err(refusal) => self.last_refusal = Some(refusal),
            }
        }
        false
    }

    /// What has become of it; nothing when it is over, or a rule failed on the way.
    fn end(mut self) -> Option<Life> {
        let kept = self.world.items.remove(&self.id)?;
        let item = derive::derive(&self.rules, &self.id, &kept.facts, self.world.today()).ok()??;
        if item.is_over() || !self.world.quarantined.is_empty() {
            return None;
        }
        let wake_up = decide::wake_up(&item);
        let sent = self.world.sent.into_iter().map(|sent| sent.notice);
        let mut counters: Vec<(String, i64)> = self.world.counters.into_iter().collect();
        counters.sort();
        Some(Life {
            rules: self.rules,
            item,
            facts: kept.facts,
            wake_up,
            waiting: self.world.waiting,
            over: sent.chain(self.world.dropped).collect(),
            counters,
        })
    }
}
