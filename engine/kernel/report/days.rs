//! The days of a series: from one on, every month, quarter or year, up to a last one.

use crate::kernel::time::Date;
use chrono::{Datelike, Days, Months};

/// More days than this make no table that anybody reads.
pub const MOST: usize = 120;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Each {
    Month,
    Quarter,
    Year,
}

impl Each {
    /// The words of the command line and the API.
    pub const WORDS: [&str; 3] = ["month", "quarter", "year"];

    pub fn of(word: &str) -> Option<Each> {
        match word {
            "month" => Some(Each::Month),
            "quarter" => Some(Each::Quarter),
            "year" => Some(Each::Year),
            _ => None,
        }
    }

    fn months(self) -> u32 {
        match self {
            Each::Month => 1,
            Each::Quarter => 3,
            Each::Year => 12,
        }
    }
}

/// `from`, every so often, and `to` itself. From the last day of a month on they all are last days: 30 September, 31 October. `None` when
/// `to` comes before `from`, or there would be more than [`MOST`].
pub fn series(from: Date, each: Each, to: Date) -> Option<Vec<Date>> {
    if to < from {
        return None;
    }
    let at_the_end = from.checked_add_days(Days::new(1)).is_some_and(|next| next.month() != from.month());
    let mut days = Vec::new();
    for step in 0.. {
        let Some(day) = from.checked_add_months(Months::new(each.months() * step)) else { break };
        let day = if at_the_end { last_of_month(day) } else { day };
        if day > to {
            break;
        }
        if days.len() == MOST {
            return None;
        }
        days.push(day);
    }
    if days.last() != Some(&to) {
        days.push(to);
    }
    (days.len() <= MOST).then_some(days)
}

fn last_of_month(day: Date) -> Date {
    let first_of_next = day.with_day(1).and_then(|first| first.checked_add_months(Months::new(1)));
    first_of_next.and_then(|next| next.pred_opt()).unwrap_or(day)
}
