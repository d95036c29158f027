//! A person does something: the command is decided on the item as it is, saved, and answered after the commit.
//!
//! The same command id is the same answer. A decision that was overtaken by another is made again.

use super::desk::{Held, QueueError, Queued};
use super::{App, LoadError, ReportError, deciding, name};
use crate::kernel::decide::{self, Counter};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Accepted, Decision, Refusal, RefusalCode};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::kernel::time::Instant;
use crate::store::facts::hex;
use crate::store::save::{Answered, NotSaved};
use crate::store::{Lane, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// So often a decision is made again because the item moved meanwhile.
const ATTEMPTS: usize = 100;

/// The answer to a command that was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    pub item: Name,
    /// The workflow of the item.
    #[serde(default)]
    pub workflow: Name,
    pub rev: u64,
    pub state: Name,
    /// How many notices it caused.
    pub notices: u64,
    /// It had been done before; this is the first answer.
    #[serde(skip)]
    pub repeated: bool,
}

/// Why a command was not done.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// A *no*, with its sentence.
    #[error("refused: {:?}", .0.code)]
    Refused(Box<Refusal>),
    #[error(transparent)]
    Store(StoreError),
    /// The item cannot be derived under the rules in use.
    #[error(transparent)]
    Load(LoadError),
}

/// A command on its way; nothing is promised before [`App::done`].
pub struct Acting {
    command: Command,
    hash: String,
    way: Way,
}

enum Way {
    Queued(Queued, Done),
    Answered(Result<Done, ActError>),
}

/// Commands that were answered since the process began.
#[derive(Debug, Default)]
pub struct Tally {
    pub done: AtomicU64,
    pub refused: AtomicU64,
    /// Answered again, because the same command had been done before.
    pub repeated: AtomicU64,
    pub failed: AtomicU64,
    /// Rule sets that were read out of the database.
    pub rules_read: AtomicU64,
}

impl App {
    /// Does a command.
    pub async fn act(&self, command: &Command) -> Result<Done, ActError> {
        let acting = self.begin_act(command).await;
        self.done(acting).await
    }

    /// Does commands in their order; those that are queued together share a commit.
    pub async fn act_all(&self, commands: &[Command]) -> Vec<Result<Done, ActError>> {
        let mut waiting = Vec::with_capacity(commands.len());
        for command in commands {
            waiting.push(self.begin_act(command).await);
        }
        let mut answers = Vec::with_capacity(waiting.len());
        for acting in waiting {
            answers.push(self.done(acting).await);
        }
        answers
    }

    /// What a command would do now. Nothing is written.
    pub async fn preview(&self, command: &Command) -> Result<Accepted, ActError> {
        let now = self.now();
        let base = self.held(&command.item, now).await?;
        let rules = self.rules_for(base.as_ref(), command)?;
        Ok(self.decide(&rules, base.as_ref().map(|held| &held.item), command, now).await??)
    }

    /// Decides a command and queues what it does. Commands are written in the order in which they were begun.
    pub async fn begin_act(&self, command: &Command) -> Acting {
        let hash = request_hash(command);
        let way = match self.try_act(command, &hash).await {
            Ok(way) => way,
            Err(error) => Way::Answered(Err(error)),
        };
        Acting { command: command.clone(), hash, way }
    }

    /// The answer to a command, after its commit.
    pub async fn done(&self, acting: Acting) -> Result<Done, ActError> {
        let (command, item) = (acting.command.id.clone(), acting.command.item.clone());
        let answer = self.settle(acting).await;
        let counter = match &answer {
            Ok(Done { repeated: true, .. }) => &self.tally.repeated,
            Ok(done) => {
                tracing::info!(%command, %item, fact = done.rev, notices = done.notices, "a command was done");
                &self.tally.done
            }
            Err(ActError::Refused(refusal)) => {
                tracing::info!(%command, %item, code = ?refusal.code, "a command was refused");
                &self.tally.refused
            }
            Err(error) => {
                tracing::error!(%command, %item, %error, "a command failed");
                &self.tally.failed
            }
        };
        counter.fetch_add(1, Ordering::Relaxed);
        let asks = self.desk().get(&item).is_some_and(|held| !held.item.errands.is_empty());
        match answer {
            Ok(done) if asks => {
                let rev = self.run_errands_at_once(&item).await.unwrap_or(done.rev);
                Ok(Done { rev, ..done })
            }
            answer => answer,
        }
    }

    async fn settle(&self, acting: Acting) -> Result<Done, ActError> {
        let Acting { command, hash, mut way } = acting;
        for _ in 0..ATTEMPTS {
            let (queued, done) = match way {
                Way::Answered(answer) => return answer,
                Way::Queued(queued, done) => (queued, done),
            };
            match self.written(queued).await {
                Ok(_) => return Ok(done),
                Err(NotSaved::Moved { .. } | NotSaved::CounterMoved { .. } | NotSaved::CauseRecorded(_)) => {}
                Err(NotSaved::Answered { request_hash, answer }) => return repeated(&hash, &request_hash, &answer),
                Err(NotSaved::Taken { field, value, item }) => {
                    let values = vec![("field".into(), field), ("value".into(), value), ("item".into(), item)];
                    return Err(refused(RefusalCode::NotUnique, values));
                }
                Err(NotSaved::Store(error)) => return Err(ActError::Store(error)),
                Err(error @ (NotSaved::NoticeRecorded(_) | NotSaved::Together)) => {
                    return Err(ActError::Store(StoreError::NotDone(error.to_string())));
                }
            }
            way = self.try_act(&command, &hash).await?;
        }
        Err(ActError::Store(StoreError::Busy))
    }

    async fn try_act(&self, command: &Command, hash: &str) -> Result<Way, ActError> {
        if let Some(no) = self.strange_file(command).await.map_err(ActError::Store)? {
            return Err(ActError::Refused(Box::new(no)));
        }
        for _ in 0..ATTEMPTS {
            let now = self.now();
            let base = self.at_hand(&command.item, now).await?;
            let decided = match self.rules_for(base.as_ref(), command) {
                Ok(rules) => {
                    self.decide(&rules, base.as_ref().map(|held| &held.item), command, now).await?.map(|accepted| (rules, accepted))
                }
                Err(refusal) => Err(refusal),
            };
            let (rules, accepted) = match decided {
                Ok(decided) => decided,
                // What it asks for may be refused because it has been done before.
                Err(refusal) => {
                    if let Some(held) = &base {
                        if self.has_moved(held).await.map_err(ActError::Store)? {
                            continue;
                        }
                    }
                    return match self.store.answered_in_order(&command.item, &command.by, &command.id).await.map_err(ActError::Store)? {
                        Some((request_hash, answer)) => Ok(Way::Answered(repeated(hash, &request_hash, &answer))),
                        None => Err(ActError::Refused(Box::new(refusal))),
                    };
                }
            };
            let state = accepted.facts.iter().rev().flat_map(|fact| fact.outcomes.iter().rev()).find_map(|outcome| match outcome {
                crate::kernel::model::fact::Outcome::State { to } => Some(to.clone()),
                _ => None,
            });
            let before = base.as_ref().map(|held| held.item.state.clone());
            let done = Done {
                item: command.item.clone(),
                workflow: rules.setting.workflow.name.clone(),
                rev: base.as_ref().map_or(0, |held| held.item.rev) + accepted.facts.len() as u64,
                state: state.or(before).unwrap_or_else(|| name("")),
                notices: accepted.notices.len() as u64,
                repeated: false,
            };
            let answered = Answered {
                actor: command.by.clone(),
                id: command.id.clone(),
                request_hash: hash.into(),
                answer: serde_json::to_string(&done).map_err(|error| ActError::Store(StoreError::NotDone(error.to_string())))?.into(),
            };
            if let Some(queued) = self.queue(Lane::User, &command.item, base.as_ref(), &rules, accepted, Some(answered), None, now)? {
                return Ok(Way::Queued(queued, done));
            }
        }
        Err(ActError::Store(StoreError::Busy))
    }

    async fn decide(
        &self,
        rules: &Arc<Rules>,
        item: Option<&Arc<Item>>,
        command: &Command,
        now: Instant,
    ) -> Result<Result<Accepted, Refusal>, LoadError> {
        if decide::is_amend(rules, command) {
            return self.decide_amend(rules, item, command, now).await;
        }
        let figures = self.figures(rules, item, command, now).await?;
        self.counting(|counter| decide::act_with(rules, item, command, &figures, now, counter)).await
    }

    /// The figures that a command freezes, counted as of its day.
    pub(super) async fn figures(
        &self,
        rules: &Rules,
        item: Option<&Arc<Item>>,
        command: &Command,
        now: Instant,
    ) -> Result<Fields, LoadError> {
        let mut figures = Fields::new();
        for asked in decide::figures_asked(rules, item, command, now) {
            let of = self.workflow(&asked.workflow)?;
            let table = self.table(&of, &asked.report, asked.on).await.map_err(|error| match error {
                ReportError::Store(error) => LoadError::Store(error),
                ReportError::Eval(error) => LoadError::Eval(error),
                error => LoadError::Refused(error.to_string()),
            })?;
            figures.extend(table.frozen(&asked.row, &asked.set));
        }
        Ok(figures)
    }

    /// Decides, after reading the counters that the decision asks for.
    pub(super) async fn counting(&self, decide: impl Fn(Counter) -> Decision) -> Result<Decision, LoadError> {
        loop {
            let (decision, unknown) = self.with_counters(&decide);
            let decision = decision?;
            if unknown.is_empty() {
                return Ok(decision);
            }
            for counter in unknown {
                let value = self.store.counter(&counter).await?;
                self.desk().counters.entry(counter).or_insert(value);
            }
        }
    }

    /// An amendment is decided on all facts of the item, after what was queued on it before.
    pub(super) async fn decide_amend(
        &self,
        rules: &Rules,
        item: Option<&Arc<Item>>,
        command: &Command,
        now: Instant,
    ) -> Result<Decision, LoadError> {
        let mut facts = self.store.item(&command.item).await?.map(|recorded| recorded.facts).unwrap_or_default();
        if item.is_some_and(|item| item.rev > facts.len() as u64) {
            self.store.answered_in_order(&command.item, &command.by, &command.id).await?;
            facts = self.store.item(&command.item).await?.map(|recorded| recorded.facts).unwrap_or_default();
        }
        deciding(|| decide::amend(rules, &facts, command, now))
    }

    /// The decision, and the counters that it would have needed.
    fn with_counters(&self, decide: impl Fn(Counter) -> Decision) -> (Result<Decision, LoadError>, BTreeSet<String>) {
        let unknown = RefCell::new(BTreeSet::new());
        let counter = |counter: &str| {
            let value = self.desk().counters.get(counter).copied();
            value.unwrap_or_else(|| {
                unknown.borrow_mut().insert(counter.to_string());
                0
            })
        };
        let decision = deciding(|| decide(&counter));
        (decision, unknown.into_inner())
    }

    /// The item's workflow; for a new item the one in which the action makes items.
    pub(super) fn rules_for(&self, base: Option<&Arc<Held>>, command: &Command) -> Result<Arc<Rules>, Refusal> {
        if let Some(held) = base {
            return Ok(held.rules.clone());
        }
        let rules = self.rules();
        let makes = |rules: &&Arc<Rules>| rules.setting.workflow.actions.get(&command.action).is_some_and(|action| action.creates);
        let mut fitting = rules.workflows.values().filter(makes);
        match (fitting.next(), fitting.next()) {
            (Some(rules), None) => Ok(rules.clone()),
            (Some(_), Some(_)) => Err(refusal(RefusalCode::UnknownWorkflow, vec![("action".into(), command.action.to_string())])),
            (None, _) => {
                let is_known = |rules: &Arc<Rules>| decide::is_known(rules, &command.action) || decide::is_amend(rules, command);
                let known = command.branch.is_some() || rules.workflows.values().any(is_known);
                Err(match rules.workflows.values().next().filter(|_| !known) {
                    Some(rules) => decide::unknown_action(rules, &command.action),
                    None => refusal(RefusalCode::UnknownItem, vec![("item".into(), command.item.to_string())]),
                })
            }
        }
    }
}

fn refusal(code: RefusalCode, values: Vec<(String, String)>) -> Refusal {
    Refusal { code, sentence: None, rule: None, values }
}

fn refused(code: RefusalCode, values: Vec<(String, String)>) -> ActError {
    ActError::Refused(Box::new(refusal(code, values)))
}

/// The first answer again, or a refusal when the id was used for something else.
pub(super) fn repeated(hash: &str, known_hash: &str, answer: &str) -> Result<Done, ActError> {
    if hash != known_hash {
        return Err(refused(RefusalCode::CommandReused, Vec::new()));
    }
    let done: Done =
        serde_json::from_str(answer).map_err(|error| ActError::Store(StoreError::Damaged(format!("an earlier answer: {error}"))))?;
    Ok(Done { repeated: true, ..done })
}

/// What makes two requests the same: everything but how the person came in and which revision they saw.
pub(super) fn request_hash(command: &Command) -> String {
    let Command { id, item, branch, action, input, by, via: _, effective_on, seen_rev: _ } = command;
    let text = serde_json::to_string(&(id, item, branch, action, input, by, effective_on)).unwrap_or_default();
    hex(&Sha256::digest(text))
}

impl From<LoadError> for ActError {
    fn from(error: LoadError) -> Self {
        match error {
            LoadError::Store(error) => ActError::Store(error),
            LoadError::Eval(error) => ActError::Refused(Box::new(error.into())),
            error => ActError::Load(error),
        }
    }
}

impl From<Refusal> for ActError {
    fn from(refusal: Refusal) -> Self {
        ActError::Refused(Box::new(refusal))
    }
}

impl From<QueueError> for ActError {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Load(error) => error.into(),
            QueueError::Store(error) | QueueError::NotSaved(NotSaved::Store(error)) => ActError::Store(error),
            QueueError::NotSaved(error) => ActError::Store(StoreError::NotDone(error.to_string())),
        }
    }
}
