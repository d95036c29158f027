//! Files that people hand in: judged, kept, referred to by whoever handed them in, and given to whoever may see the field in which they stand.

use super::look::Look;
use super::{App, Offices};
use crate::attach::{self, Limits, Unfit};
use crate::kernel::decide::capture;
use crate::kernel::model::Name;
use crate::kernel::model::attached::Attached;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::fact::{Fact, Outcome};
use crate::kernel::model::value::Fields;
use crate::kernel::rules::EvalError;
use crate::store::StoreError;
use chrono::TimeDelta;

/// What nobody needed for so long, and no fact refers to, is forgotten: time enough to come back to a form.
const LOOSE: TimeDelta = TimeDelta::days(7);

/// Why a file was not kept.
#[derive(Debug, thiserror::Error)]
pub enum NotKept {
    #[error("the file is not taken: {0}")]
    Unfit(Unfit),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A file of an item, where it was recorded.
pub struct OfItem<'l> {
    pub file: Attached,
    /// Of the field.
    pub title: String,
    pub fact: &'l Fact,
    /// Whether the one who looks may see it.
    pub seen: bool,
}

impl App {
    /// Keeps a file for what this person is about to do.
    pub async fn hand_in(&self, limits: &Limits, person: &Name, name: &str, content: &[u8]) -> Result<Attached, NotKept> {
        let file = attach::judge(limits, name, content).await.map_err(NotKept::Unfit)?;
        self.store.keep_upload(&file, person, content, self.now()).await?;
        Ok(file)
    }

    /// Whether this person handed in that file, which may still be used.
    pub async fn has_handed_in(&self, person: &Name, file: &Attached) -> Result<bool, StoreError> {
        self.store.need_upload(file, person, self.now()).await
    }

    /// A command may only refer to files that whoever gives it has handed in; they stay while it is on its way.
    pub(super) async fn strange_file(&self, command: &Command) -> Result<Option<Refusal>, StoreError> {
        for (input, value) in &command.input {
            for file in Attached::within(value) {
                if !self.has_handed_in(&command.by, &file).await? {
                    let values =
                        [("input", input.to_string()), ("title", input.to_string()), ("value", file.name), ("why", "upload".into())];
                    let values = values.into_iter().map(|(name, value)| (name.to_string(), value)).collect();
                    return Ok(Some(Refusal { code: RefusalCode::BadInput, sentence: None, rule: None, values }));
                }
            }
        }
        Ok(None)
    }

    /// What is wrong with the files of these facts.
    pub(super) async fn damaged_files(&self, facts: &[Fact]) -> Result<Vec<String>, StoreError> {
        let mut files: Vec<Attached> = facts.iter().flat_map(files_of).collect();
        files.sort();
        files.dedup();
        let mut out = Vec::new();
        for file in files {
            match self.store.content(&file.digest).await {
                Ok(Some(content)) if content.len() as u64 == file.size => {}
                Ok(Some(_)) => out.push(format!("the file {} has another size than was recorded", file.digest)),
                Ok(None) => out.push(format!("the content of the file {} is missing", file.digest)),
                Err(StoreError::Damaged(what)) => out.push(what),
                Err(error) => return Err(error),
            }
        }
        Ok(out)
    }
}

/// All files that a fact speaks of.
fn files_of(fact: &Fact) -> Vec<Attached> {
    let recorded = fact.outcomes.iter().flat_map(|outcome| match outcome {
        Outcome::Set { value, .. } | Outcome::BranchSet { value, .. } => Attached::within(value),
        _ => Vec::new(),
    });
    recorded.chain(Attached::of(&fact.input)).collect()
}

impl Offices {
    /// Files that no fact refers to are forgotten after some days.
    pub async fn forget_uploads(&self) -> Result<(), StoreError> {
        let now = self.now();
        self.store.everywhere().forget_uploads(now - LOOSE, now).await
    }
}

impl Look {
    /// The files that were recorded here, the latest first, each with whether the one who looks may see it: those of a field whoever may see
    /// the field, those that no field holds only whoever handed them in.
    pub fn files(&self) -> Result<Vec<OfItem<'_>>, EvalError> {
        let mut out: Vec<OfItem> = Vec::new();
        for fact in self.facts.iter().rev() {
            let mut of_fact: Vec<OfItem> = Vec::new();
            for outcome in &fact.outcomes {
                let (task, name, value) = match outcome {
                    Outcome::Set { field, value } => (None, field, value),
                    Outcome::BranchSet { branch, field, value } => (Some(*branch), field, value),
                    _ => continue,
                };
                let files = Attached::within(value);
                if files.is_empty() {
                    continue;
                }
                let branch = task.and_then(|no| self.item.branch(no));
                let declared =
                    self.rules.setting.workflow.fields_of(branch.map(|branch| &*branch.kind)).and_then(|fields| fields.get(name));
                let sees_branch = branch.map_or(Ok(true), |branch| self.sees_branch(branch))?;
                let seen = match declared {
                    Some(field) => sees_branch && !field.secret && self.reader().sees_field(task, name, field)?,
                    None => false,
                };
                let title = declared.map_or_else(|| name.to_string(), |field| field.title.clone());
                of_fact.extend(files.into_iter().map(|file| OfItem { file, title: title.clone(), fact, seen }));
            }
            let is_own = self.person.is_some() && self.person == fact.actor.person;
            for (name, file) in inputs(&fact.input).filter(|(_, file)| !of_fact.iter().any(|of| of.file == *file)).collect::<Vec<_>>() {
                let title = capture::fact_title(&self.rules, &self.item, fact);
                of_fact.push(OfItem { file, title: self.ask_title(fact, &name).unwrap_or(title), fact, seen: is_own });
            }
            out.extend(of_fact);
        }
        Ok(out)
    }

    /// Whether the one who looks may see the file of this digest; nothing when no fact speaks of it.
    pub fn sees_file(&self, digest: &str) -> Result<Option<bool>, EvalError> {
        let files = self.files()?;
        let mut of_digest = files.iter().filter(|of| of.file.digest == digest).map(|of| of.seen).peekable();
        Ok(of_digest.peek().is_some().then(|| of_digest.any(|seen| seen)))
    }

    /// How what was asked is called.
    fn ask_title(&self, fact: &Fact, name: &str) -> Option<String> {
        let kind = fact.branch.and_then(|no| self.item.branch(no)).map(|branch| &*branch.kind);
        let action = self.rules.setting.workflow.actions_of(kind)?.values().find(|action| action.records_as == fact.name)?;
        let asks = action.ask.iter().chain(action.by.iter().flat_map(|by| &by.ask));
        asks.into_iter().find(|ask| &*ask.name == name).map(|ask| ask.title.clone())
    }
}

fn inputs(input: &Fields) -> impl Iterator<Item = (Name, Attached)> + '_ {
    input.iter().flat_map(|(name, value)| Attached::within(value).into_iter().map(|file| (name.clone(), file)))
}
