//! A list becomes items: each row's steps are done by whoever holds the role on the step's day, all rows in one commit or none.
//!
//! The same row again is not done twice: the ids of its commands are made of what it says.

use super::together::Tried;
use super::{ActError, Answer, App, Caused, Group, How};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::model::item::Item;
use crate::kernel::model::value::Fields;
use crate::kernel::rules::Rules;
use crate::sheet::{Row, RowStep};
use crate::store::facts::hex;
use crate::store::{HEADINGS, StoreError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a list is taken in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Wishes {
    pub dry_run: bool,
    /// Rows that are refused are left out; otherwise one refusal keeps all rows out.
    pub skip_bad_rows: bool,
    /// What happened long ago: it owes nothing until a person releases it.
    pub historic: bool,
    /// How the person who imports came in; recorded.
    pub via: Option<String>,
    /// Columns that this list calls otherwise than the rules do; remembered when it is written.
    #[serde(default)]
    pub headings: BTreeMap<Name, String>,
}

/// An import among those of all workflows.
fn listed(rules: &Rules, import: &str) -> String {
    format!("{}.{import}", rules.setting.workflow.name)
}

/// What is remembered of lists: office → import → column → its heading.
type Remembered = BTreeMap<String, BTreeMap<String, BTreeMap<Name, String>>>;

/// What became of a list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Imported {
    pub rows: Vec<ImportedRow>,
    /// `false`: nothing was written.
    pub written: bool,
    /// The notices that it causes, or would.
    pub caused: Caused,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImportedRow {
    /// As Excel counts, from 1.
    pub number: u32,
    pub item: Name,
    /// The action that was refused, when one was.
    pub refused_action: Option<Name>,
    /// What its last step came to, or the first refusal.
    pub answer: Answer,
}

impl App {
    /// Takes in rows that were read by a declared import. `tried` is told how many rows have been.
    pub async fn import(
        &self,
        rules: &Arc<Rules>,
        name: &str,
        rows: Vec<Row>,
        wishes: &Wishes,
        tried: Option<&(dyn Fn(usize) + Send + Sync)>,
    ) -> Result<Imported, ActError> {
        if !rules.setting.workflow.imports.contains_key(name) {
            return Err(refusal(RefusalCode::UnknownWorkflow, "workflow", name).into());
        }
        let mut groups: Vec<Group> = Vec::with_capacity(rows.len());
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let (number, item) = (row.number, item_of(name, &row));
            match commands(rules, name, row, wishes) {
                Ok(commands) => {
                    groups.push(commands);
                    found.push((number, item, None));
                }
                Err(refused) => {
                    groups.push(Vec::new());
                    found.push((number, item, Some(refused)));
                }
            }
        }
        let any_refused = found.iter().any(|(.., refused)| refused.is_some());
        let how = How {
            dry_run: wishes.dry_run || (any_refused && !wishes.skip_bad_rows),
            skip_failed: wishes.skip_bad_rows,
            historic: wishes.historic,
            imported: true,
            tried,
        };
        let Tried { answers, written, caused } = self.try_together(&groups, how).await?;
        if written && !wishes.headings.is_empty() {
            // The list is in, whether or not its headings can be kept.
            let kept = self.remember(&listed(rules, name), &wishes.headings).await;
            kept.unwrap_or_else(|error| tracing::warn!(%error, "the headings of a list were not kept"));
        }
        let mut out = Vec::with_capacity(groups.len());
        for ((group, answer), (number, item, refused)) in groups.iter().zip(answers).zip(found) {
            let (refused_action, answer) = match (refused, answer) {
                (Some((action, refusal)), _) => (Some(action), Answer::Refused(refusal)),
                (None, Ok(mut done)) => match done.pop() {
                    Some(last) => (None, Answer::from(Ok(last))),
                    None => (None, Answer::Failed("the row has no step".into())),
                },
                (None, Err((place, error))) => (group.get(place).map(|command| command.action.clone()), Answer::from(Err(error))),
            };
            out.push(ImportedRow { number, item, refused_action, answer });
        }
        Ok(Imported { rows: out, written, caused })
    }

    /// How lists called columns of an import before, where they called them otherwise.
    pub async fn headings(&self, rules: &Rules, import: &str) -> Result<BTreeMap<Name, String>, StoreError> {
        let mut all = self.remembered().await?;
        Ok(all.get_mut(self.store.jurisdiction()).and_then(|here| here.remove(&listed(rules, import))).unwrap_or_default())
    }

    async fn remembered(&self) -> Result<Remembered, StoreError> {
        let kept = self.store.meta(HEADINGS).await?;
        Ok(kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default())
    }

    async fn remember(&self, import: &str, headings: &BTreeMap<Name, String>) -> Result<(), StoreError> {
        let mut all = self.remembered().await?;
        let here = all.entry(self.store.jurisdiction().to_string()).or_default();
        here.entry(import.to_string()).or_default().extend(headings.clone());
        let text = serde_json::to_string(&all).map_err(|error| StoreError::NotDone(error.to_string()))?;
        self.store.set_meta(HEADINGS, &text).await
    }

    /// The command of one step of a row, on the item as it is by then.
    pub async fn command_of_row(
        &self,
        rules: &Arc<Rules>,
        list: &str,
        row: &Row,
        step: usize,
        via: Option<&str>,
    ) -> Result<Command, ActError> {
        let id = item_of(list, row);
        let Some(row_step) = row.steps.get(step) else {
            return Err(refusal(RefusalCode::UnknownItem, "item", &id).into());
        };
        let item = match self.item(&id).await? {
            Some(item) => item,
            None => {
                let today = day_of(self.now(), rules.setting.workflow.timezone);
                let mut blank = fold::begin(rules, &id, row_step.on, today);
                blank.fields.extend(row_step.input.clone());
                Arc::new(blank)
            }
        };
        let by = doer(rules, &item, row_step)?;
        Ok(command(&command_id(list, row), &id, step, row_step.clone(), by, via))
    }
}

/// The item that a row makes: the one it names, or one called after the list and the row.
fn item_of(list: &str, row: &Row) -> Name {
    row.item.clone().unwrap_or_else(|| format!("{list}-{}", row.number).into())
}

/// The same for the same content, wherever it stands in the list.
fn command_id(list: &str, row: &Row) -> String {
    let said = serde_json::to_string(&(list, item_of(list, row), &row.steps)).unwrap_or_default();
    format!("import/{list}/{}", hex(&Sha256::digest(said)))
}

fn command(id: &str, item: &Name, place: usize, step: RowStep, by: Name, via: Option<&str>) -> Command {
    Command {
        id: format!("{id}/{}", place + 1).into(),
        item: item.clone(),
        branch: None,
        action: step.action,
        input: step.input,
        by,
        via: via.map(str::to_string),
        effective_on: Some(step.on),
        seen_rev: None,
    }
}

/// The commands of a row's steps; refused when nobody holds a step's role on its day.
fn commands(rules: &Arc<Rules>, list: &str, row: Row, wishes: &Wishes) -> Result<Vec<Command>, (Name, Refusal)> {
    let (id, item) = (command_id(list, &row), item_of(list, &row));
    let mut fields = Fields::new();
    let mut commands = Vec::with_capacity(row.steps.len());
    for (place, step) in row.steps.into_iter().enumerate() {
        fields.extend(step.input.clone());
        let mut blank = fold::begin(rules, &item, step.on, step.on);
        blank.fields.extend(fields.clone());
        let by = doer(rules, &Arc::new(blank), &step).map_err(|refusal| (step.action.clone(), refusal))?;
        commands.push(command(&id, &item, place, step, by, wishes.via.as_deref()));
    }
    Ok(commands)
}

/// The first holder of the step's role on its day.
fn doer(rules: &Rules, item: &Arc<Item>, step: &RowStep) -> Result<Name, Refusal> {
    let holders = roles::holders(rules, item, &step.by, None, step.on)?;
    holders.into_iter().next().ok_or_else(|| {
        let title = rules.setting.workflow.roles.get(&step.by).map_or_else(|| step.by.to_string(), |role| role.title.clone());
        refusal(RefusalCode::UnknownPerson, "person", &title)
    })
}

fn refusal(code: RefusalCode, name: &str, value: &str) -> Refusal {
    Refusal { code, sentence: None, rule: None, values: vec![(name.to_string(), value.to_string())] }
}
