//! Rows of an office's list become commands: who did each step is found through the rule set's roles on the day it was done.

use super::{ActError, App, LoadError};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive::{fold, roles};
use crate::kernel::model::Name;
use crate::kernel::model::command::Command;
use crate::kernel::model::decision::{Refusal, RefusalCode};
use crate::kernel::rules::Rules;
use crate::sheet::{Row, RowStep};
use std::sync::Arc;

impl App {
    /// The command of one step of a row. Its id comes from the list, row and step, so that importing the same list again changes nothing.
    pub async fn command_of_row(
        &self,
        rules: &Arc<Rules>,
        list: &str,
        row: &Row,
        step: usize,
        via: Option<&str>,
    ) -> Result<Command, ActError> {
        let id: Name = match &row.item {
            Some(item) => item.clone(),
            None => format!("{list}-{}", row.number).into(),
        };
        let Some(row_step) = row.steps.get(step) else {
            let values = vec![("item".to_string(), id.to_string())];
            return Err(ActError::Refused(Box::new(Refusal { code: RefusalCode::UnknownItem, sentence: None, rule: None, values })));
        };
        let by = self.doer(rules, &id, row_step).await?;
        Ok(Command {
            id: format!("import/{list}/{}/{}", row.number, step + 1).into(),
            item: id,
            branch: None,
            action: row_step.action.clone(),
            input: row_step.input.clone(),
            by,
            via: via.map(str::to_string),
            effective_on: Some(row_step.on),
            seen_rev: None,
        })
    }

    /// The first holder of the step's role, on the item as it is, or on a new one with the values handed in.
    async fn doer(&self, rules: &Arc<Rules>, id: &Name, step: &RowStep) -> Result<Name, ActError> {
        let now = self.now();
        let item = match self.item(id).await? {
            Some(item) => item,
            None => {
                let mut blank = fold::begin(rules, id, step.on, day_of(now, rules.setting.workflow.timezone));
                blank.fields.extend(step.input.clone());
                Arc::new(blank)
            }
        };
        let holders = roles::holders(rules, &item, &step.by, None, step.on).map_err(LoadError::Eval)?;
        holders.into_iter().next().ok_or_else(|| {
            let title = rules.setting.workflow.roles.get(&step.by).map_or_else(|| step.by.to_string(), |role| role.title.clone());
            let values = vec![("person".to_string(), title)];
            ActError::Refused(Box::new(Refusal { code: RefusalCode::UnknownPerson, sentence: None, rule: None, values }))
        })
    }
}
