//! What commands would leave behind if they were written: each is decided on what those before it left, in memory.

use super::act::{repeated, request_hash};
use super::desk::{Ahead, Held, Pending, next};
use super::together::{Caused, Group, GroupAnswer, HISTORIC, How, IMPORTED};
use super::{ActError, App, Done, caches, deciding, name};
use crate::kernel::decide;
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Accepted, Decision, Refusal, RefusalCode};
use crate::kernel::model::value::{Fields, Value};
use crate::kernel::rules::Rules;
use crate::kernel::time::Instant;
use crate::store::pile::Pile;
use crate::store::save::{About, Answered, NotSaved};
use crate::store::{Lane, StoreError, items};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// What the commands so far would leave behind.
pub(super) struct Trial<'a> {
    app: &'a App,
    now: Instant,
    how: How<'a>,
    /// What was answered to commands of these groups before (who, command id): the hash of the request, and the answer.
    answered: HashMap<(String, String), (String, String)>,
    /// Items as the database has them, and those that later groups name as they would be.
    found: HashMap<Name, Option<Arc<Held>>>,
    items: HashMap<Name, Arc<Held>>,
    /// Counters as the database has them, and as they would be.
    counted: HashMap<String, i64>,
    counters: HashMap<String, i64>,
    /// Who would hold a unique value (workflow, field, value).
    holders: HashMap<UniqueKey, Name>,
    /// What the group at hand has done so far.
    group: Doing,
    /// What would be written; nothing once it is known that nothing will be.
    pile: Option<Pile>,
    /// Items that no later group names, and those of them that ask something of others.
    left: Vec<Name>,
    asking: Vec<Name>,
    told: u64,
    overdue: u64,
    persons: BTreeSet<Name>,
}

type UniqueKey = (Name, Name, String);

/// What a group has done, and what stood there before, the latest last: all that there is to take back when it fails.
#[derive(Default)]
struct Doing {
    items: Vec<(Name, Option<Arc<Held>>)>,
    counters: Vec<(String, Option<i64>)>,
    holders: Vec<(UniqueKey, Option<Name>)>,
    decided: Vec<(About, Accepted)>,
    /// Whom its notices are to, one for each.
    told: Vec<Name>,
}

impl<'a> Trial<'a> {
    pub fn new(app: &'a App, how: How<'a>) -> Trial<'a> {
        Trial {
            app,
            now: app.now(),
            how,
            answered: HashMap::new(),
            found: HashMap::new(),
            items: HashMap::new(),
            counted: HashMap::new(),
            counters: HashMap::new(),
            holders: HashMap::new(),
            group: Doing::default(),
            pile: (!how.dry_run).then(|| app.store.pile()),
            left: Vec::new(),
            asking: Vec::new(),
            told: 0,
            overdue: 0,
            persons: BTreeSet::new(),
        }
    }

    /// Asks which commands of these groups were done before.
    pub async fn ask(&mut self, groups: &[Group]) -> Result<(), ActError> {
        let commands: Vec<(&str, &str)> = groups.iter().flatten().map(|command| (&*command.by, &*command.id)).collect();
        self.answered = self.app.store.answers(&commands).await.map_err(ActError::Store)?;
        Ok(())
    }

    /// A group that fails leaves nothing behind. An error is one of the store.
    pub async fn group(&mut self, group: &[Command]) -> Result<GroupAnswer, ActError> {
        let mut done = Vec::with_capacity(group.len());
        for (place, command) in group.iter().enumerate() {
            match self.command(command).await {
                Ok(one) => done.push(one),
                Err(error @ ActError::Store(_)) => return Err(error),
                Err(error) => {
                    self.take_back();
                    self.pile.take_if(|_| !self.how.skip_failed);
                    return Ok(Err((place, error)));
                }
            }
        }
        let Doing { decided, told, .. } = std::mem::take(&mut self.group);
        for (about, accepted) in decided {
            self.lay_up(about, accepted).await?;
        }
        self.told += told.len() as u64;
        self.persons.extend(told);
        Ok(Ok(done))
    }

    fn take_back(&mut self) {
        let Doing { items, counters, holders, .. } = std::mem::take(&mut self.group);
        set_back(&mut self.items, items);
        set_back(&mut self.counters, counters);
        set_back(&mut self.holders, holders);
    }

    async fn command(&mut self, command: &Command) -> Result<Done, ActError> {
        let hash = request_hash(command);
        if let Some((known, answer)) = self.answered.get(&(command.by.to_string(), command.id.to_string())) {
            return repeated(&hash, known, answer);
        }
        if let Some(no) = self.app.strange_file(command).await.map_err(ActError::Store)? {
            return Err(ActError::Refused(Box::new(no)));
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
            // What it asks for may be refused because it has been done meanwhile.
            Err(refusal) => {
                return match self.app.store.answered(&command.by, &command.id).await.map_err(ActError::Store)? {
                    Some((known, answer)) => repeated(&hash, &known, &answer),
                    None => Err(ActError::Refused(Box::new(refusal))),
                };
            }
        };
        if self.how.historic {
            accepted.wake_up = None;
            park(&mut accepted, HISTORIC);
        } else if self.how.imported {
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
            command: Some(Answered { actor: command.by.clone(), id: command.id.clone(), request_hash: hash.into(), answer: answer.into() }),
            fence: None,
            rules_rev: if self.how.historic { items::HISTORIC } else { self.app.in_use().revision },
            // What was long ago is news to nobody.
            events: if self.how.historic { Vec::new() } else { decide::events::of(&rules, &item, &accepted.facts) },
            now: self.now,
        };
        for number in &accepted.numbers {
            put(&mut self.counters, &mut self.group.counters, number.counter.clone(), number.to);
        }
        for (field, value) in &accepted.unique {
            put(&mut self.holders, &mut self.group.holders, unique_key(&rules, field, value), command.item.clone());
        }
        self.group.told.extend(accepted.notices.iter().map(|notice| notice.person.clone()));
        self.group.decided.push((about, accepted));
        put(&mut self.items, &mut self.group.items, command.item.clone(), Arc::new(Held { rules, item }));
        Ok(done)
    }

    async fn lay_up(&mut self, about: About, accepted: Accepted) -> Result<(), ActError> {
        match &mut self.pile {
            Some(pile) => pile.push(about, accepted).await.map_err(ActError::Store),
            None => Ok(()),
        }
    }

    /// No later group names this item. What an item of a list owes already is counted, told with what made it, and held with it.
    pub async fn leave(&mut self, id: &Name) -> Result<(), ActError> {
        let Some(mut held) = self.items.remove(id) else { return Ok(()) };
        self.left.push(id.clone());
        if self.how.historic {
            return Ok(());
        }
        if self.how.imported && decide::wake_up(&held.item).is_some_and(|at| at <= self.now) {
            // What cannot be decided is left to the scheduler, which sets it aside.
            if let Ok(Ok(mut accepted)) = deciding(|| decide::wake(&held.rules, &held.item, self.now)) {
                self.overdue += accepted.notices.len() as u64;
                self.persons.extend(accepted.notices.iter().map(|notice| notice.person.clone()));
                park(&mut accepted, IMPORTED);
                let item = next(&held.rules, id, Some(&held), &accepted.facts, self.now)?;
                let about = About {
                    item: id.clone(),
                    workflow: held.rules.setting.workflow.name.clone(),
                    rev: held.item.rev,
                    caches: caches::of(&held.rules, &item),
                    command: None,
                    fence: None,
                    rules_rev: self.app.in_use().revision,
                    events: decide::events::of(&held.rules, &item, &accepted.facts),
                    now: self.now,
                };
                self.lay_up(about, accepted).await?;
                held = Arc::new(Held { rules: held.rules.clone(), item });
            }
        }
        self.asking.extend((!held.item.errands.is_empty()).then(|| id.clone()));
        Ok(())
    }

    /// What is to be written; nothing when nothing is.
    pub fn pile(&mut self) -> Option<Pile> {
        self.pile.take().filter(|pile| !pile.is_empty())
    }

    /// Items that ask something of others, once they are written.
    pub fn asking(&mut self) -> Vec<Name> {
        std::mem::take(&mut self.asking)
    }

    /// The notices of what would be written, and of what its items owe at once.
    pub fn caused(&self) -> Caused {
        Caused { told: self.told, overdue: self.overdue, persons: self.persons.len() as u64 }
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
                put(&mut self.counters, &mut self.group.counters, counter, value);
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
    pub async fn write(self, pile: Pile) -> Result<(), NotSaved> {
        let unit = pile.into_unit().await?;
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
            let saving = self.app.store.begin_save(Lane::User, unit)?;
            let mut ahead = Ahead::of(&self.app.desk, self.counters.keys().cloned().collect());
            for id in &self.left {
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

/// Notes what stood there before.
fn put<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, V>, before: &mut Vec<(K, Option<V>)>, key: K, value: V) {
    let there = map.insert(key.clone(), value);
    before.push((key, there));
}

/// The latest change first, so that what stood there at the beginning comes back.
fn set_back<K: Eq + Hash, V>(map: &mut HashMap<K, V>, before: Vec<(K, Option<V>)>) {
    for (key, there) in before.into_iter().rev() {
        match there {
            Some(value) => map.insert(key, value),
            None => map.remove(&key),
        };
    }
}

fn park(accepted: &mut Accepted, why: &str) {
    for notice in accepted.notices.iter_mut().filter(|notice| notice.parked.is_none()) {
        notice.parked = Some(name(why));
    }
}

fn unique_key(rules: &Rules, field: &Name, value: &Value) -> UniqueKey {
    (rules.setting.workflow.name.clone(), field.clone(), serde_json::to_string(value).unwrap_or_default())
}
