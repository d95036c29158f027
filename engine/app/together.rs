//! Commands that are tried one after the other in memory, and then written in one commit or not at all: whole lists, and dry runs.
//!
//! Nobody sees a part of them. When the database has moved meanwhile, all of it is tried again.

use super::act::{repeated, request_hash};
use super::desk::{Ahead, Held, Pending, next};
use super::{ActError, App, Done, caches, deciding, name};
use crate::kernel::decide;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Accepted, Decision, Refusal, RefusalCode};
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::kernel::time::Instant;
use crate::store::save::{About, Answered, NotSaved, Save};
use crate::store::{Lane, StoreError, items};
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// So often all of it is tried again because the database moved meanwhile.
const ATTEMPTS: usize = 20;

/// Why a notice of long ago is held.
pub(super) const HISTORIC: &str = "historic";

/// Why notices are held that a list caused at once.
pub(super) const IMPORTED: &str = "imported";

/// Commands that stand or fall together, such as the steps of one row of a list.
pub type Group = Vec<Command>;

/// What a group came to: what each command did, or the place and the reason of the first that failed.
pub type GroupAnswer = Result<Vec<Done>, (usize, ActError)>;

/// What becomes of groups that succeed.
#[derive(Clone, Copy, Default)]
pub struct How<'a> {
    /// Nothing is written.
    pub dry_run: bool,
    /// Groups that fail are left out; otherwise one failure keeps everything from being written.
    pub skip_failed: bool,
    /// What happened long ago owes nothing until a person releases it: notices are held, and nobody looks what is due.
    pub historic: bool,
    /// What a list causes at once waits for a person: what its actions tell, and what its items owe already.
    pub imported: bool,
    /// Is told how many groups have been tried.
    pub tried: Option<&'a (dyn Fn(usize) + Send + Sync)>,
}

impl App {
    /// Tries groups in their order, each on what those before it left, and writes all that succeeded in one commit.
    /// `false` when nothing was written.
    pub async fn together(&self, groups: &[Group], how: How<'_>) -> Result<(Vec<GroupAnswer>, bool), ActError> {
        let Tried { answers, written, .. } = self.try_together(groups, how).await?;
        Ok((answers, written))
    }

    /// What groups would come to, each for itself, and what they would cause together. Nothing is written.
    pub async fn rehearse(&self, groups: &[Group]) -> Result<(Vec<GroupAnswer>, Caused), ActError> {
        let Tried { answers, caused, .. } = self.try_together(groups, How { dry_run: true, skip_failed: true, ..How::default() }).await?;
        Ok((answers, caused))
    }

    /// The same, with what it causes.
    pub(super) async fn try_together(&self, groups: &[Group], how: How<'_>) -> Result<Tried, ActError> {
        let mut was_answered = false;
        for _ in 0..ATTEMPTS {
            let mut trial = Trial { was_answered, imported: how.imported, ..Trial::new(self, how.historic) };
            let mut answers = Vec::with_capacity(groups.len());
            for group in groups {
                answers.push(trial.group(group).await?);
                if let Some(tried) = how.tried {
                    tried(answers.len());
                }
                // Deciding takes the processor for a while; others come in between.
                tokio::task::yield_now().await;
            }
            let failed = answers.iter().any(Result::is_err);
            let caused = trial.caused();
            if how.imported && !how.historic && !how.dry_run {
                trial.wake_at_once()?;
            }
            if how.dry_run || trial.saves.is_empty() || (failed && !how.skip_failed) {
                return Ok(Tried { answers, written: false, caused });
            }
            let ask = |(id, held): (&Name, &Arc<Held>)| (!held.item.errands.is_empty()).then(|| id.clone());
            let asking: Vec<Name> = trial.items.iter().filter_map(ask).collect();
            match trial.write().await {
                Ok(()) => {
                    for id in asking.iter().filter(|_| !how.historic) {
                        self.run_errands_at_once(id).await;
                    }
                    return Ok(Tried { answers, written: true, caused });
                }
                Err(NotSaved::Store(error)) => return Err(ActError::Store(error)),
                Err(NotSaved::NoticeRecorded(key)) => {
                    return Err(ActError::Store(StoreError::NotDone(format!("the notice `{key}` is recorded already"))));
                }
                // Some of it was done before, though it could be done again.
                Err(NotSaved::Answered { .. }) => was_answered = true,
                Err(_) => {}
            }
        }
        Err(ActError::Store(StoreError::Busy))
    }
}

/// What groups came to.
pub(super) struct Tried {
    pub answers: Vec<GroupAnswer>,
    pub written: bool,
    pub caused: Caused,
}

/// The notices that commands cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caused {
    /// Told by the actions themselves; those of a list are held.
    pub told: u64,
    /// Reminders and escalations whose day has come already: told as soon as the scheduler looks, those of a list with it, and held.
    pub overdue: u64,
    /// To so many persons in all.
    pub persons: u64,
}

/// What the commands so far would leave behind.
struct Trial<'a> {
    app: &'a App,
    now: Instant,
    historic: bool,
    imported: bool,
    /// Some commands were done before: each is asked for its answer first.
    was_answered: bool,
    /// Items as the database has them, and as they would be.
    found: HashMap<Name, Option<Arc<Held>>>,
    items: HashMap<Name, Arc<Held>>,
    /// Counters as the database has them, and as they would be.
    counted: HashMap<String, i64>,
    counters: HashMap<String, i64>,
    /// Who would hold a unique value (workflow, field, value).
    holders: HashMap<(Name, Name, String), Name>,
    saves: Vec<Save>,
}

impl<'a> Trial<'a> {
    fn new(app: &'a App, historic: bool) -> Trial<'a> {
        Trial {
            app,
            now: app.now(),
            historic,
            imported: false,
            was_answered: false,
            found: HashMap::new(),
            items: HashMap::new(),
            counted: HashMap::new(),
            counters: HashMap::new(),
            holders: HashMap::new(),
            saves: Vec::new(),
        }
    }

    /// A group that fails leaves nothing behind. An error is one of the store.
    async fn group(&mut self, group: &[Command]) -> Result<GroupAnswer, ActError> {
        let before: Vec<_> = group.iter().map(|command| (command.item.clone(), self.items.get(&command.item).cloned())).collect();
        let (counters, holders, saves) = (self.counters.clone(), self.holders.clone(), self.saves.len());
        let mut done = Vec::with_capacity(group.len());
        for (place, command) in group.iter().enumerate() {
            match self.command(command).await {
                Ok(one) => done.push(one),
                Err(error @ ActError::Store(_)) => return Err(error),
                Err(error) => {
                    for (id, held) in before {
                        match held {
                            Some(held) => self.items.insert(id, held),
                            None => self.items.remove(&id),
                        };
                    }
                    (self.counters, self.holders) = (counters, holders);
                    self.saves.truncate(saves);
                    return Ok(Err((place, error)));
                }
            }
        }
        Ok(Ok(done))
    }

    async fn command(&mut self, command: &Command) -> Result<Done, ActError> {
        let hash = request_hash(command);
        if self.was_answered {
            if let Some((known, answer)) = self.app.store.answered(&command.by, &command.id).await.map_err(ActError::Store)? {
                return repeated(&hash, &known, &answer);
            }
        }
        let base = self.item(&command.item).await?;
        let decided = match self.app.rules_for(base.as_ref(), command) {
            Ok(rules) => self.decide(&rules, base.as_ref(), command).await?.map(|accepted| (rules, accepted)),
            Err(refusal) => Err(refusal),
        };
        let decided = match decided {
            Ok((rules, accepted)) => self.unique(&rules, command, &accepted).await?.map_or(Ok((rules, accepted)), Err),
            refused => refused,
        };
        let (rules, mut accepted) = match decided {
            Ok(decided) => decided,
            // What it asks for may be refused because it has been done before.
            Err(refusal) => {
                return match self.app.store.answered(&command.by, &command.id).await.map_err(ActError::Store)? {
                    Some((known, answer)) => repeated(&hash, &known, &answer),
                    None => Err(ActError::Refused(Box::new(refusal))),
                };
            }
        };
        if self.historic {
            accepted.wake_up = None;
            park(&mut accepted, HISTORIC);
        } else if self.imported {
            park(&mut accepted, IMPORTED);
        }
        self.keep(command, hash, base, rules, accepted)
    }

    /// Takes a decision as made: what comes after sees it.
    fn keep(
        &mut self,
        command: &Command,
        hash: String,
        base: Option<Arc<Held>>,
        rules: Arc<Rules>,
        accepted: Accepted,
    ) -> Result<Done, ActError> {
        let item = match accepted.item.as_ref().filter(|_| decide::is_amend(&rules, command)) {
            Some(amended) => amended.clone(),
            None => next(&rules, &command.item, base.as_ref(), &accepted.facts, self.now)?,
        };
        let rev = base.as_ref().map_or(0, |held| held.item.rev);
        let done = Done {
            item: command.item.clone(),
            workflow: rules.setting.workflow.name.clone(),
            rev: rev + accepted.facts.len() as u64,
            state: item.state.clone(),
            notices: accepted.notices.len() as u64,
            repeated: false,
        };
        let answer = serde_json::to_string(&done).map_err(|error| ActError::Store(StoreError::NotDone(error.to_string())))?;
        let about = About {
            item: command.item.clone(),
            workflow: rules.setting.workflow.name.clone(),
            rev,
            caches: caches::of(&rules, &item),
            command: Some(Answered { actor: command.by.to_string(), id: command.id.to_string(), request_hash: hash, answer }),
            fence: None,
            rules_rev: if self.historic { items::HISTORIC } else { self.app.in_use().revision },
            now: self.now,
        };
        for number in &accepted.numbers {
            self.counters.insert(number.counter.clone(), number.to);
        }
        for (field, value) in &accepted.unique {
            self.holders.insert(unique_key(&rules, field, value), command.item.clone());
        }
        self.saves.push(Save::new(about, accepted).map_err(ActError::Store)?);
        self.items.insert(command.item.clone(), Arc::new(Held { rules, item }));
        Ok(done)
    }

    /// What items owe at once is told with what made them, and held with it.
    fn wake_at_once(&mut self) -> Result<(), ActError> {
        let due: Vec<(Name, Arc<Held>)> = self.items.iter().map(|(id, held)| (id.clone(), held.clone())).collect();
        for (id, held) in due {
            if decide::wake_up(&held.item).is_none_or(|at| at > self.now) {
                continue;
            }
            // What cannot be decided is left to the scheduler, which sets it aside.
            let Ok(Ok(mut accepted)) = deciding(|| decide::wake(&held.rules, &held.item, self.now)) else { continue };
            park(&mut accepted, IMPORTED);
            let item = next(&held.rules, &id, Some(&held), &accepted.facts, self.now)?;
            let about = About {
                item: id.clone(),
                workflow: held.rules.setting.workflow.name.clone(),
                rev: held.item.rev,
                caches: caches::of(&held.rules, &item),
                command: None,
                fence: None,
                rules_rev: self.app.in_use().revision,
                now: self.now,
            };
            self.saves.push(Save::new(about, accepted).map_err(ActError::Store)?);
            self.items.insert(id, Arc::new(Held { rules: held.rules.clone(), item }));
        }
        Ok(())
    }

    /// The notices of what would be written, and of what its items owe at once.
    fn caused(&self) -> Caused {
        let (mut caused, mut persons) = (Caused::default(), BTreeSet::new());
        for save in &self.saves {
            caused.told += save.notices().len() as u64;
            persons.extend(save.notices().iter().map(|notice| notice.person.clone()));
        }
        for held in self.items.values().filter(|_| !self.historic) {
            if decide::wake_up(&held.item).is_none_or(|at| at > self.now) {
                continue;
            }
            // What cannot be decided will be set aside, and tells nobody.
            if let Ok(Ok(accepted)) = deciding(|| decide::wake(&held.rules, &held.item, self.now)) {
                caused.overdue += accepted.notices.len() as u64;
                persons.extend(accepted.notices.into_iter().map(|notice| notice.person));
            }
        }
        caused.persons = persons.len() as u64;
        caused
    }

    async fn item(&mut self, id: &Name) -> Result<Option<Arc<Held>>, ActError> {
        if let Some(held) = self.items.get(id) {
            return Ok(Some(held.clone()));
        }
        if !self.found.contains_key(id) {
            let held = self.app.held(id, self.now).await?;
            self.found.insert(id.clone(), held);
        }
        Ok(self.found.get(id).cloned().flatten())
    }

    /// Decides, after reading the counters that the decision asks for.
    async fn decide(&mut self, rules: &Rules, base: Option<&Arc<Held>>, command: &Command) -> Result<Decision, ActError> {
        if decide::is_amend(rules, command) {
            if self.items.contains_key(&command.item) {
                return Ok(Err(Refusal { code: RefusalCode::AmendAlone, sentence: None, rule: None, values: Vec::new() }));
            }
            return Ok(self.app.decide_amend(rules, base.map(|held| &held.item), command, self.now).await?);
        }
        let figures = self.app.figures(rules, base.map(|held| &held.item), command, self.now).await?;
        loop {
            let (decision, unknown) = self.decide_with_counters(rules, base, command, &figures);
            let decision = decision?;
            if unknown.is_empty() {
                return Ok(decision);
            }
            for counter in unknown {
                let at_hand = self.app.desk().counters.get(&counter).copied();
                let value = match at_hand {
                    Some(value) => value,
                    None => self.app.store.counter(&counter).await.map_err(ActError::Store)?,
                };
                self.counted.insert(counter.clone(), value);
                self.counters.insert(counter, value);
            }
        }
    }

    fn decide_with_counters(
        &self,
        rules: &Rules,
        base: Option<&Arc<Held>>,
        command: &Command,
        figures: &Fields,
    ) -> (Result<Decision, super::LoadError>, BTreeSet<String>) {
        let unknown = RefCell::new(BTreeSet::new());
        let counter = |counter: &str| {
            self.counters.get(counter).copied().unwrap_or_else(|| {
                unknown.borrow_mut().insert(counter.to_string());
                0
            })
        };
        let decision = deciding(|| decide::act_with(rules, base.map(|held| &held.item), command, figures, self.now, &counter));
        (decision, unknown.into_inner())
    }

    /// The refusal of a value that another item holds, or would hold.
    async fn unique(&self, rules: &Rules, command: &Command, accepted: &Accepted) -> Result<Option<Refusal>, ActError> {
        let keys: Vec<_> = accepted.unique.iter().map(|(field, value)| unique_key(rules, field, value)).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        let asked: Vec<_> = keys.iter().filter(|key| !self.holders.contains_key(*key)).map(|(w, f, v)| (&**w, &**f, v.as_str())).collect();
        let mut stored = self.app.store.holders_of(&asked).await.map_err(ActError::Store)?.into_iter();
        for key in &keys {
            let holder = match self.holders.get(key) {
                Some(holder) => Some(holder.to_string()),
                None => stored.next().flatten(),
            };
            if let Some(holder) = holder.filter(|holder| **holder != *command.item) {
                let values = vec![("field".into(), key.1.to_string()), ("value".into(), key.2.clone()), ("item".into(), holder)];
                return Ok(Some(Refusal { code: RefusalCode::NotUnique, sentence: None, rule: None, values }));
            }
        }
        Ok(None)
    }

    /// Writes everything, unless an item or a counter has moved since it was read.
    async fn write(self) -> Result<(), NotSaved> {
        let pending = {
            let mut desk = self.app.desk();
            let moved = |(id, found): (&Name, &Option<Arc<Held>>)| match (desk.get(id), found) {
                (Some(there), Some(found)) => !Arc::ptr_eq(&there, found),
                (Some(_), None) => true,
                (None, _) => false,
            };
            let counted = |(counter, value): (&String, &i64)| desk.counters.get(counter).is_some_and(|now| now != value);
            if self.found.iter().any(moved) || self.counted.iter().any(counted) {
                return Err(NotSaved::Moved { rev: 0 });
            }
            let saving = self.app.store.begin_save(Lane::User, self.saves)?;
            let mut ahead = Ahead::of(&self.app.desk, self.counters.keys().cloned().collect());
            for id in self.items.keys() {
                desk.leave_out(id, &mut ahead);
            }
            for (counter, value) in &self.counters {
                desk.counters.insert(counter.clone(), *value);
            }
            Pending::of(saving, ahead)
        };
        pending.done().await
    }
}

fn park(accepted: &mut Accepted, why: &str) {
    for notice in accepted.notices.iter_mut().filter(|notice| notice.parked.is_none()) {
        notice.parked = Some(name(why));
    }
}

fn unique_key(rules: &Rules, field: &Name, value: &crate::kernel::model::value::Value) -> (Name, Name, String) {
    (rules.setting.workflow.name.clone(), field.clone(), serde_json::to_string(value).unwrap_or_default())
}
