//! How short and how long a length can be, in days, whatever the calendar: only what is certain may be called a mistake.

use super::at::Checked;
use crate::kernel::model::definition::*;
use crate::kernel::model::value::Value;
use crate::kernel::time::{Length, Unit};

/// At least and at most so many calendar days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Days {
    pub least: i64,
    pub most: i64,
}

impl Days {
    pub fn of(length: Length) -> Days {
        let count = i64::from(length.count);
        match length.unit {
            Unit::Day => Days { least: count, most: count },
            // a week has five working days, seven when a weekend is worked; the longest holidays take two weeks
            Unit::WorkingDay => Days { least: count, most: count * 2 + 14 },
            Unit::Month => Days { least: count * 30 - 2, most: count * 31 },
            Unit::Year => Days { least: count * 365, most: count * 366 },
        }
    }

    fn either(self, other: Days) -> Days {
        Days { least: self.least.min(other.least), most: self.most.max(other.most) }
    }
}

/// `None` when it depends on a recorded date or on another deadline.
pub fn days(at: &Checked, rule: &LengthRule) -> Option<Days> {
    match rule {
        LengthRule::Fixed(length) => Some(Days::of(*length)),
        LengthRule::Param(name) => {
            let values = at.workflow.params.get(name)?.values.iter();
            let lengths = values.filter_map(|row| if let Value::Length(length) = row.value { Some(Days::of(length)) } else { None });
            lengths.reduce(Days::either)
        }
        LengthRule::Table(name) => {
            // a row that gives a table is a mistake of its own, and might be a circle
            let rows = at.workflow.tables.get(name)?.rows.iter().filter(|row| !matches!(row.gives, LengthRule::Table(_)));
            let rows = rows.map(|row| days(at, &row.gives));
            rows.reduce(|one, other| Some(one?.either(other?)))?
        }
        LengthRule::OnDay { at_least, .. } => {
            let least = at_least.map_or(1, |length| Days::of(length).least);
            let most = at_least.map_or(0, |length| Days::of(length).most);
            Some(Days { least, most: most + 366 })
        }
        LengthRule::EarliestOf(rules) => {
            let rules = rules.iter().map(|rule| days(at, rule));
            rules.reduce(|one, other| {
                let (one, other) = (one?, other?);
                Some(Days { least: one.least.min(other.least), most: one.most.min(other.most) })
            })?
        }
        LengthRule::Until(_) | LengthRule::Before(..) => None,
    }
}
