//! Items that somebody asks for, a page at a time in the order of their ids.

use super::{App, contained};
use crate::kernel::calendar::window::day_of;
use crate::kernel::derive;
use crate::kernel::model::Name;
use crate::kernel::model::value::{Type, Value};
use crate::store::StoreError;
use crate::store::items::{Filter, Listed};

/// Items that are read at once, and how many portions one page may cost at most.
const PORTION: u32 = 500;
const PORTIONS: usize = 20;

/// Which items are meant. States and units may be called by their titles; empty parts do not restrict.
#[derive(Clone, Debug, Default)]
pub struct Which {
    pub workflow: Option<String>,
    pub state: Option<String>,
    /// Text that stands in one of its fields.
    pub text: Option<String>,
    /// `red`, `amber` or `none`
    pub flag: Option<String>,
    /// A unit that works on it.
    pub unit: Option<String>,
    /// Fields with the values that they have: options, ids of units and persons, years, `true`.
    pub fields: Vec<(Name, String)>,
    pub open: bool,
    /// A date of it has gone by.
    pub late: bool,
}

/// Some of the items that are meant.
#[derive(Clone, Debug, Default)]
pub struct Page {
    pub rows: Vec<Listed>,
    /// Where the next page begins; empty when there are no more. A page may be short, or empty, and others follow.
    pub next: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("there is no state `{state}`; there are: {}", known.join(", "))]
    State { state: String, known: Vec<String> },
    #[error("there is no unit `{0}`")]
    Unit(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl App {
    /// At most `limit` items behind `after`.
    pub async fn list(&self, which: &Which, after: &str, limit: usize) -> Result<Page, ListError> {
        let state = which.state.as_ref().map(|state| self.state_name(state)).transpose()?;
        let unit = which.unit.as_ref().map(|unit| self.unit_id(unit)).transpose()?;
        let text = which.text.clone();
        let zone = self.rules().workflows.values().next().map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        let mut filter = Filter {
            workflow: which.workflow.clone(),
            state,
            open_only: which.open || which.late,
            text,
            flag: which.flag.clone(),
            due_before: which.late.then(|| day_of(self.now(), zone)),
            marks: marks(&which.fields),
            dues: None,
            after: after.to_string(),
        };
        let mut found = Vec::new();
        let portion = PORTION.min(u32::try_from(limit).unwrap_or(PORTION).saturating_add(1));
        for _ in 0..PORTIONS {
            let page = self.store.list(&filter, portion).await?;
            let last = (page.len() as u32) < portion;
            let Some(end) = page.last().map(|row| row.id.clone()) else { return Ok(Page { rows: found, next: None }) };
            let has = |row: &Listed| which.fields.iter().all(|(name, value)| has_value(&row.fields[&**name], value));
            let mut page: Vec<Listed> = page.into_iter().filter(has).filter(|row| !which.late || self.is_late(row)).collect();
            if let Some(unit) = &unit {
                page = self.concerned(page, unit).await?;
            }
            for row in page {
                if found.len() == limit {
                    let next = found.last().map_or_else(|| after.to_string(), |row: &Listed| row.id.clone());
                    return Ok(Page { rows: found, next: Some(next) });
                }
                found.push(row);
            }
            if last {
                return Ok(Page { rows: found, next: None });
            }
            filter.after = end;
        }
        Ok(Page { rows: found, next: Some(filter.after) })
    }

    /// Whether the next date of an open item has gone by.
    fn is_late(&self, row: &Listed) -> bool {
        let rules = self.rules();
        let zone = rules.workflows.get(row.workflow.as_str()).map_or(chrono_tz::UTC, |rules| rules.setting.workflow.timezone);
        row.ended_on.is_none() && row.due_on.is_some_and(|due| due < day_of(self.now(), zone))
    }

    /// Those of a page that name the unit in a field, or have a branch of it.
    async fn concerned(&self, page: Vec<Listed>, unit: &Name) -> Result<Vec<Listed>, StoreError> {
        let ids: Vec<&str> = page.iter().map(|row| row.id.as_str()).collect();
        let mut facts = self.store.items(&ids).await?;
        let mut keep = Vec::with_capacity(page.len());
        for row in &page {
            // What cannot be read is not hidden from the list.
            let (Some(Ok(recorded)), Ok(rules)) = (facts.remove(&row.id), self.workflow(&row.workflow)) else {
                keep.push(true);
                continue;
            };
            let today = day_of(self.now(), rules.setting.workflow.timezone);
            let derived = contained(|| derive::derive(&rules, &row.id, &recorded, today));
            let item = derived.ok().and_then(Result::ok).flatten();
            keep.push(item.is_none_or(|item| {
                let own = rules.setting.workflow.fields.iter().any(|(name, field)| names(item.field(name), &field.kind, unit));
                own || item.branches.iter().any(|branch| branch.fields.get("unit").and_then(Value::as_text) == Some(unit))
            }));
        }
        let mut keep = keep.into_iter();
        Ok(page.into_iter().filter(|_| keep.next().unwrap_or(true)).collect())
    }

    fn state_name(&self, text: &str) -> Result<String, ListError> {
        let rules = self.rules();
        let states = || rules.workflows.values().flat_map(|rules| &rules.setting.workflow.states);
        let found = states().find(|(name, state)| ***name == *text || state.title == text).map(|(name, _)| name.to_string());
        let known = || states().map(|(name, state)| format!("{name} {}", state.title)).collect();
        found.ok_or_else(|| ListError::State { state: text.to_string(), known: known() })
    }

    fn unit_id(&self, text: &str) -> Result<Name, ListError> {
        let rules = self.rules();
        rules.directory.unit_called(text).cloned().ok_or_else(|| ListError::Unit(text.to_string()))
    }

    /// How many items stand in which state of which workflow.
    pub async fn count_by_state(&self) -> Result<Vec<(String, String, u64)>, StoreError> {
        self.store.count_by_state().await
    }

    /// The title of an item's state.
    pub fn state_title(&self, row: &Listed) -> String {
        let rules = self.rules();
        let state = rules.workflows.get(row.workflow.as_str()).and_then(|rules| rules.setting.workflow.states.get(row.state.as_str()));
        state.map_or_else(|| row.state.clone(), |state| state.title.clone())
    }
}

/// How values of fields stand in the JSON that the store keeps, in the order in which they stand there.
fn marks(fields: &[(Name, String)]) -> Vec<String> {
    let mut fields: Vec<_> = fields.iter().collect();
    fields.sort();
    let json = |text: &str| serde_json::Value::from(text).to_string();
    let is_bare = |value: &str| value.parse::<i64>().is_ok() || ["true", "false"].contains(&value);
    fields
        .into_iter()
        .map(|(name, value)| match is_bare(value) {
            // A number or yes or no; or an option that looks so.
            true => format!("{}:", json(name)),
            false => format!("{}:{}", json(name), json(value)),
        })
        .collect()
}

fn has_value(stored: &serde_json::Value, value: &str) -> bool {
    match stored {
        serde_json::Value::String(text) => text == value,
        serde_json::Value::Null => value == "false",
        serde_json::Value::Bool(yes) => value == if *yes { "true" } else { "false" },
        serde_json::Value::Number(number) => number.as_i64().is_some_and(|number| value.parse() == Ok(number)),
        _ => false,
    }
}

fn names(value: &Value, kind: &Type, unit: &Name) -> bool {
    match kind {
        Type::Unit => value.as_text() == Some(unit),
        Type::Optional(kind) => names(value, kind, unit),
        Type::List(kind) => value.as_list().iter().any(|value| names(value, kind, unit)),
        _ => false,
    }
}
