//! Instants, civil dates and lengths of time: the plain nouns. Arithmetic with them lives in `calendar`, their phrases in `read::phrase`.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A moment, always in UTC. It is stored as milliseconds since 1970.
pub type Instant = DateTime<Utc>;

/// A day on the calendar in the rule set's zone. It has no hour and no zone of its own.
pub type Date = NaiveDate;

/// What a [`Length`] counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    Day,
    WorkingDay,
    Month,
    Year,
}

/// A length of time as an author writes it, such as `10 working days` or `3 months`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Length {
    pub count: u32,
    pub unit: Unit,
}

impl Length {
    pub fn new(count: u32, unit: Unit) -> Self {
        Length { count, unit }
    }

    /// Reads the English or the Chinese phrase (`10 working days`, `10个工作日`); `None` when it is neither.
    pub fn parse(text: &str) -> Option<Length> {
        let text = text.trim();
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let count: u32 = text.get(..digits)?.parse().ok()?;
        let rest = text[digits..].trim();
        let unit = match rest {
            "day" | "days" | "天" | "日" => Unit::Day,
            "working day" | "working days" | "个工作日" | "工作日" => Unit::WorkingDay,
            "month" | "months" | "个月" | "月" => Unit::Month,
            "year" | "years" | "年" => Unit::Year,
            _ => return None,
        };
        (count <= 36_500).then_some(Length { count, unit })
    }
}

impl fmt::Display for Length {
    /// The English phrase; [`Length::parse`] reads it back.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.unit {
            Unit::Day => "day",
            Unit::WorkingDay => "working day",
            Unit::Month => "month",
            Unit::Year => "year",
        };
        let plural = if self.count == 1 { "" } else { "s" };
        write!(f, "{} {word}{plural}", self.count)
    }
}
